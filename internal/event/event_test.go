package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dayshift/internal/fleet"
)

var seoul = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}

// of writes an event of the scope seoul.
func of(source, detailType string, resources []string, detail any) string {
	text, err := json.Marshal(map[string]any{
		"version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": detailType, "source": source,
		"account": "111122223333", "time": "2027-02-05T11:04:32Z", "region": "ap-northeast-2", "resources": resources, "detail": detail,
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

type m = map[string]any

func TestParse(t *testing.T) {
	instance := func(state string) string {
		return of("aws.ec2", "EC2 Instance State-change Notification", []string{"arn:aws:ec2:ap-northeast-2:111122223333:instance/i-0abcdef1234567890"},
			m{"instance-id": "i-0abcdef1234567890", "state": state})
	}
	db := func(what, id, event string, categories ...string) string {
		return of("aws.rds", "RDS DB "+what+" Event", []string{"arn:aws:rds:ap-northeast-2:111122223333:db:" + id}, m{
			"EventCategories": categories, "SourceType": "DB_INSTANCE", "SourceArn": "arn:aws:rds:ap-northeast-2:111122223333:db:" + id,
			"Date": "2027-02-05T11:04:32.292Z", "Message": "something", "SourceIdentifier": id, "EventID": event,
		})
	}
	tag := func(service, kind, arn string, keys ...string) string {
		return of("aws.tag", "Tag Change on Resource", []string{arn}, m{"changed-tag-keys": keys, "service": service, "resource-type": kind, "version": 3, "tags": m{"Schedule": "x"}})
	}
	const cluster = "arn:aws:ecs:ap-northeast-2:111122223333:cluster/shop"
	for _, test := range []struct {
		name  string
		body  string
		kind  fleet.Kind
		id    string
		state fleet.State
		keys  []string
	}{
		{"an instance stops", instance("stopping"), fleet.EC2Instance, "i-0abcdef1234567890", fleet.Stopping, nil},
		{"an instance has stopped", instance("stopped"), fleet.EC2Instance, "i-0abcdef1234567890", fleet.Stopped, nil},
		{"an instance starts", instance("pending"), fleet.EC2Instance, "i-0abcdef1234567890", fleet.Starting, nil},
		{"an instance runs", instance("running"), fleet.EC2Instance, "i-0abcdef1234567890", fleet.Running, nil},
		{"an instance is terminated", instance("terminated"), fleet.EC2Instance, "i-0abcdef1234567890", fleet.Other, nil},
		{"a database has stopped", db("Instance", "orders", "RDS-EVENT-0087", "notification"), fleet.RDSInstance, "orders", fleet.Stopped, nil},
		{"a database has started", db("Instance", "orders", "RDS-EVENT-0088", "notification"), fleet.RDSInstance, "orders", fleet.Running, nil},
		{"AWS starts a database after seven days", db("Instance", "orders", "RDS-EVENT-0154", "notification"), fleet.RDSInstance, "orders", fleet.Starting, nil},
		{"a database is created", db("Instance", "orders", "RDS-EVENT-0005", "creation"), fleet.RDSInstance, "orders", "", nil},
		{"an event of RDS without categories", db("Instance", "orders", "RDS-EVENT-9999"), fleet.RDSInstance, "orders", "", nil},
		{"a database that was named in capitals", db("Instance", "Orders", "RDS-EVENT-0088"), fleet.RDSInstance, "orders", fleet.Running, nil},
		{"a cluster has stopped", db("Cluster", "aurora-1", "RDS-EVENT-0150", "notification"), fleet.RDSCluster, "aurora-1", fleet.Stopped, nil},
		{"a group launches", of("aws.autoscaling", "EC2 Instance Launch Successful", nil, m{"AutoScalingGroupName": "web fleet", "EC2InstanceId": "i-1"}), fleet.AutoScalingGroup, "web fleet", "", nil},
		{"a service of ECS is steady", of("aws.ecs", "ECS Service Action", []string{"arn:aws:ecs:ap-northeast-2:111122223333:service/shop/cart"}, m{"eventName": "SERVICE_STEADY_STATE", "clusterArn": cluster}), fleet.ECSService, "shop/cart", "", nil},
		{"a service with an old ARN", of("aws.ecs", "ECS Service Action", []string{"arn:aws:ecs:ap-northeast-2:111122223333:service/cart"}, m{"eventName": "SERVICE_STEADY_STATE", "clusterArn": cluster}), fleet.ECSService, "shop/cart", "", nil},
		{"a task of a service runs", of("aws.ecs", "ECS Task State Change", []string{"arn:aws:ecs:ap-northeast-2:111122223333:task/shop/0123"}, m{"clusterArn": cluster, "group": "service:cart", "lastStatus": "RUNNING"}), fleet.ECSService, "shop/cart", "", nil},
		{"a notebook has stopped", of("aws.sagemaker", "SageMaker Notebook Instance State Change", nil, m{"NotebookInstanceName": "research", "NotebookInstanceStatus": "Stopped"}), fleet.SageMakerNotebook, "research", fleet.Stopped, nil},
		{"a notebook is updated", of("aws.sagemaker", "SageMaker Notebook Instance State Change", nil, m{"NotebookInstanceName": "research", "NotebookInstanceStatus": "Updating"}), fleet.SageMakerNotebook, "research", fleet.Other, nil},
		{"an instance gets a schedule", tag("ec2", "instance", "arn:aws:ec2:ap-northeast-2:111122223333:instance/i-0abcdef1234567890", "Schedule", "Env"), fleet.EC2Instance, "i-0abcdef1234567890", "", []string{"Env", "Schedule"}},
		{"a database in China gets one", tag("rds", "db", "arn:aws-cn:rds:cn-north-1:111122223333:db:orders", "Schedule"), fleet.RDSInstance, "orders", "", []string{"Schedule"}},
		{"a cluster gets one", tag("rds", "cluster", "arn:aws:rds:ap-northeast-2:111122223333:cluster:aurora-1", "Schedule"), fleet.RDSCluster, "aurora-1", "", []string{"Schedule"}},
		{"a group gets one", tag("autoscaling", "autoScalingGroup", "arn:aws:autoscaling:ap-northeast-2:111122223333:autoScalingGroup:0f0f:autoScalingGroupName/web fleet", "Schedule"), fleet.AutoScalingGroup, "web fleet", "", []string{"Schedule"}},
		{"a warehouse gets one", tag("redshift", "cluster", "arn:aws:redshift:ap-northeast-2:111122223333:cluster:dwh", "Schedule"), fleet.RedshiftCluster, "dwh", "", []string{"Schedule"}},
		{"a notebook gets one", tag("sagemaker", "notebook-instance", "arn:aws:sagemaker:ap-northeast-2:111122223333:notebook-instance/research", "Schedule"), fleet.SageMakerNotebook, "research", "", []string{"Schedule"}},
		{"a service gets one", tag("ecs", "service", "arn:aws:ecs:ap-northeast-2:111122223333:service/shop/cart", "Schedule", fleet.TagError), fleet.ECSService, "shop/cart", "", []string{"Schedule", fleet.TagError}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Parse(test.body)
			if err != nil {
				t.Fatal(err)
			}
			want := Event{
				ID: "6a7e8feb-b491-4cf7-a9f1-bf3703467718", Type: got.Type, At: time.Date(2027, 2, 5, 11, 4, 32, 0, time.UTC),
				Ref: fleet.Ref{Scope: seoul, Kind: test.kind, ID: test.id}, State: test.state, TagKeys: test.keys,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	good := of("aws.ec2", "EC2 Instance State-change Notification", nil, m{"instance-id": "i-0abcdef1", "state": "stopped"})
	if _, err := Parse(good); err != nil {
		t.Fatal(err)
	}
	with := func(old, now string) string {
		if !strings.Contains(good, old) {
			panic(old)
		}
		return strings.Replace(good, old, now, 1)
	}
	for _, test := range []struct {
		name string
		body string
		err  error
		part string
	}{
		{"nothing", "", ErrMalformed, "unexpected end"},
		{"no JSON", "stopped", ErrMalformed, "invalid character"},
		{"a list", "[]", ErrMalformed, "cannot unmarshal array"},
		{"null", "null", ErrMalformed, "account"},
		{"half an event", good[:len(good)/2], ErrMalformed, "unexpected end"},
		{"two events", good + good, ErrMalformed, "after top-level value"},
		{"bytes that are no text", with("stopped", "st\xffopped"), ErrMalformed, "not UTF-8"},
		{"an event as long as a book", with("stopped", strings.Repeat("s", maxSize)), ErrMalformed, "at most"},
		{"deeper than any event", strings.Repeat("[", 100_000), ErrMalformed, "nested more than"},
		{"deeper than any event, in its detail", with(`"stopped"`, strings.Repeat(`{"a":`, 70)+"1"+strings.Repeat("}", 70)), ErrMalformed, "nested more than"},
		{"an account that is a number", with(`"111122223333"`, "111122223333"), ErrMalformed, "cannot unmarshal number"},
		{"an account that is none", with("111122223333", "1111"), ErrMalformed, "twelve digits"},
		{"a region that is none", with("ap-northeast-2", "../../etc"), ErrMalformed, "region code"},
		{"no time", with("2027-02-05T11:04:32Z", "0001-01-01T00:00:00Z"), ErrMalformed, "no time"},
		{"a time in words", with("2027-02-05T11:04:32Z", "yesterday"), ErrMalformed, "parsing time"},
		{"no detail", with(`"detail"`, `"retail"`), ErrMalformed, "no detail"},
		{"a detail that is text", of("aws.ec2", "EC2 Instance State-change Notification", nil, "stopped"), ErrMalformed, "detail: json"},
		{"an instance that is a list", with(`"i-0abcdef1"`, `["i-0abcdef1"]`), ErrMalformed, "detail: json"},
		{"an instance that is none", with("i-0abcdef1", "i-*"), ErrMalformed, "is not an instance"},
		{"a state that is none", with("stopped", "on fire"), ErrMalformed, "is not a state"},
		{"no detail-type", with("detail-type", "detail_type"), ErrMalformed, "no source or no detail-type"},
		{"a database without a name", of("aws.rds", "RDS DB Instance Event", nil, m{"EventID": "RDS-EVENT-0088"}), ErrMalformed, "names no rds_instance"},
		{"a notebook without a name", of("aws.sagemaker", "SageMaker Notebook Instance State Change", nil, m{"NotebookInstanceStatus": "Stopped"}), ErrMalformed, "names no sagemaker_notebook"},
		{"a name with a line break", of("aws.autoscaling", "EC2 Instance Launch Successful", nil, m{"AutoScalingGroupName": "a\nb"}), ErrMalformed, "names no autoscaling_group"},
		{"a name longer than any", of("aws.autoscaling", "EC2 Instance Launch Successful", nil, m{"AutoScalingGroupName": strings.Repeat("a", 2000)}), ErrMalformed, "names no autoscaling_group"},
		{"a service without a cluster", of("aws.ecs", "ECS Service Action", []string{"arn:aws:ecs:r:1:service/cart"}, m{}), ErrMalformed, "no cluster"},
		{"a service without a resource", of("aws.ecs", "ECS Service Action", []string{"cart"}, m{}), ErrMalformed, "names no service"},
		{"tags of nothing", of("aws.tag", "Tag Change on Resource", nil, m{"changed-tag-keys": []string{"Schedule"}}), ErrMalformed, "names no resource"},
		{"tags of what is no ARN", of("aws.tag", "Tag Change on Resource", []string{"i-1"}, m{"changed-tag-keys": []string{"Schedule"}}), ErrMalformed, "is not an ARN"},
		{"no tag changed", of("aws.tag", "Tag Change on Resource", []string{"i-1"}, m{}), ErrMalformed, "0 changed keys"},

		{"another service", of("aws.s3", "Object Created", nil, m{"bucket": "x"}), ErrUnknown, `"Object Created" of "aws.s3"`},
		{"the type of one service from another", of("my.app", "EC2 Instance State-change Notification", nil, m{"instance-id": "i-0abcdef1", "state": "stopped"}), ErrUnknown, `of "my.app"`},
		{"a backup", of("aws.rds", "RDS DB Instance Event", nil, m{"EventCategories": []string{"backup"}, "SourceIdentifier": "orders", "EventID": "RDS-EVENT-0001"}), ErrUnknown, "backup"},
		{"a task on its way", of("aws.ecs", "ECS Task State Change", nil, m{"clusterArn": "arn:aws:ecs:r:1:cluster/c", "group": "service:cart", "lastStatus": "PENDING"}), ErrUnknown, "on its way"},
		{"a task of nobody", of("aws.ecs", "ECS Task State Change", nil, m{"group": "family:batch", "lastStatus": "RUNNING"}), ErrUnknown, "of no service"},
		{"the tags of a volume", of("aws.tag", "Tag Change on Resource", []string{"arn:aws:ec2:r:1:volume/vol-1"}, m{"changed-tag-keys": []string{"Schedule"}, "service": "ec2", "resource-type": "volume"}), ErrUnknown, "the tags of ec2 volume"},
		{"tags that Dayshift wrote", of("aws.tag", "Tag Change on Resource", []string{"arn:aws:ec2:r:1:instance/i-1"}, m{"changed-tag-keys": []string{fleet.TagLastAction, fleet.TagError}}), ErrUnknown, "Dayshift's own"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Parse(test.body)
			if !errors.Is(err, test.err) || !strings.Contains(fmt.Sprint(err), test.part) {
				t.Errorf("got %v, want %v with %q", err, test.err, test.part)
			}
			if errors.Is(err, ErrMalformed) && errors.Is(err, ErrUnknown) {
				t.Errorf("both at once: %v", err)
			}
			if errors.Is(err, ErrUnknown) && got.Ref.Scope != seoul {
				t.Errorf("an unknown event of %s", got.Ref.Scope)
			}
			if len(fmt.Sprint(err)) > 1000 {
				t.Errorf("the error has %d bytes", len(fmt.Sprint(err)))
			}
		})
	}
}

// What is shown to people has no characters that a terminal obeys, whatever an event holds.
func TestHostileTextIsNotShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		body := of("aws.s3", "x"+text, nil, m{})
		got, err := Parse(body)
		if !errors.Is(err, ErrUnknown) {
			t.Fatal(err)
		}
		if short(got.Type) != got.Type || len([]rune(got.Type)) > shown {
			t.Fatalf("%q", got.Type)
		}
	})
}

// The types that the documentation's rule lets through are those that are read.
func TestRuleInTheDocumentation(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	for source, types := range Types() {
		for _, name := range append(types, source) {
			if !strings.Contains(string(page), `"`+name+`"`) {
				t.Errorf("docs/events.md does not name %q", name)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "[]", "null", `{"account":1}`,
		of("aws.ec2", "EC2 Instance State-change Notification", []string{"arn:aws:ec2:r:1:instance/i-1"}, m{"instance-id": "i-0abcdef1", "state": "stopped"}),
		of("aws.rds", "RDS DB Cluster Event", nil, m{"EventCategories": []string{"notification"}, "SourceIdentifier": "a", "EventID": "RDS-EVENT-0150"}),
		of("aws.tag", "Tag Change on Resource", []string{"arn:aws:rds:r:1:db:x"}, m{"changed-tag-keys": []string{"Schedule"}}),
		of("aws.ecs", "ECS Service Action", []string{"arn:aws:ecs:r:1:service/c/s"}, m{"clusterArn": "arn:aws:ecs:r:1:cluster/c"}),
		of("aws.autoscaling", "EC2 Instance Terminate Successful", nil, m{"AutoScalingGroupName": "g"}),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := Parse(body)
		switch {
		case err == nil:
			if _, bad := fleet.ParseRef(got.Ref.String()); bad != nil || got.Ref.ID == "" || got.At.IsZero() {
				t.Errorf("read %q as %+v: %v", body, got, bad)
			}
		case errors.Is(err, ErrMalformed) == errors.Is(err, ErrUnknown):
			t.Errorf("%q: %v", body, err)
		}
	})
}
