package aws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

// alarmWorld is a simulated AWS with a resource of each kind that has alarms, and what else runs.
type alarmWorld struct {
	*testing.T
	c   *Cloud
	sim *awssim.Cloud
	own *cloudwatch.Client
	ids map[string]fleet.Resource
}

func alarms(t *testing.T, opt awssim.Options, change func(*Config)) *alarmWorld {
	t.Helper()
	one := func(kind, name string, more func(*awssim.Resource)) awssim.Resource {
		r := awssim.Resource{Account: string(hub), Region: "eu-central-1", Kind: kind, Name: name, Tags: map[string]string{cloudtest.TagKey: "office"}}
		if more != nil {
			more(&r)
		}
		return r
	}
	w := &alarmWorld{T: t, ids: map[string]fleet.Resource{}}
	w.c, w.sim = simulateFleet(t, opt, awssim.Fleet{Resources: []awssim.Resource{
		one("ec2", "web", nil), one("ec2", "app", nil), one("rds", "ledger", nil), one("rds_cluster", "orders", nil),
		one("ecs", "cart", func(r *awssim.Resource) { r.Cluster = "shop" }), one("asg", "workers", nil), one("redshift", "house", nil),
		one("ec2", "free", func(r *awssim.Resource) { r.Tags = nil }),
	}}, change)
	for _, kind := range w.c.Kinds() {
		found, err := w.c.List(t.Context(), scopeOfHub, kind, cloud.Query{TagKey: cloudtest.TagKey})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range found {
			w.ids[r.Name] = r
		}
	}
	for _, i := range w.sim.Instances(string(hub), "eu-central-1") {
		if i.Name == "free" {
			w.ids["free"] = fleet.Resource{Ref: fleet.Ref{Scope: scopeOfHub, Kind: fleet.EC2Instance, ID: i.ID}}
		}
	}
	cfg := sdk.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider(string(hub), "x", ""), HTTPClient: &http.Client{Transport: w.sim.Transport()}, BaseEndpoint: sdk.String("http://sim.invalid")}
	w.own = cloudwatch.NewFromConfig(cfg)
	return w
}

var scopeOfHub = fleet.Scope{Account: hub, Region: "eu-central-1"}

// put makes an alarm of its metrics, each a list of dimensions, with the change.
func (w *alarmWorld) put(name string, metrics [][]string, change func(*cloudwatch.PutMetricAlarmInput)) {
	w.Helper()
	in := &cloudwatch.PutMetricAlarmInput{
		AlarmName: sdk.String(name), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold, EvaluationPeriods: sdk.Int32(1), Threshold: sdk.Float64(1),
		AlarmActions: []string{"arn:aws:sns:eu-central-1:111122223333:ops"},
	}
	dimensions := func(pairs []string) (list []types.Dimension) {
		for i := 0; i+1 < len(pairs); i += 2 {
			list = append(list, types.Dimension{Name: sdk.String(pairs[i]), Value: sdk.String(pairs[i+1])})
		}
		return list
	}
	if len(metrics) == 1 {
		in.Namespace, in.MetricName, in.Period, in.Statistic, in.Dimensions = sdk.String("N"), sdk.String("M"), sdk.Int32(60), types.StatisticAverage, dimensions(metrics[0])
	} else {
		for i, pairs := range metrics {
			in.Metrics = append(in.Metrics, types.MetricDataQuery{Id: sdk.String(fmt.Sprintf("m%d", i)), ReturnData: sdk.Bool(false), MetricStat: &types.MetricStat{
				Period: sdk.Int32(60), Stat: sdk.String("Sum"), Metric: &types.Metric{Namespace: sdk.String("N"), MetricName: sdk.String("M"), Dimensions: dimensions(pairs)},
			}})
		}
		in.Metrics = append(in.Metrics, types.MetricDataQuery{Id: sdk.String("e"), Expression: sdk.String("SUM(METRICS())"), ReturnData: sdk.Bool(true)})
	}
	if change != nil {
		change(in)
	}
	if _, err := w.own.PutMetricAlarm(w.Context(), in); err != nil {
		w.Fatal(err)
	}
}

func (w *alarmWorld) of(names ...string) (list []fleet.Resource) {
	for _, name := range names {
		if w.ids[name].ID == "" {
			w.Fatalf("no %s", name)
		}
		list = append(list, w.ids[name])
	}
	return list
}

// found lists alarms as name: resources.
func (w *alarmWorld) found(resources ...string) (list []string) {
	w.Helper()
	got, err := w.c.Alarms(w.Context(), scopeOfHub, w.of(resources...))
	if err != nil {
		w.Fatal(err)
	}
	names := map[fleet.Ref]string{}
	for name, r := range w.ids {
		names[r.Ref] = name
	}
	for _, alarm := range got {
		var of []string
		for _, ref := range alarm.Of {
			of = append(of, names[ref])
		}
		slices.Sort(of)
		list = append(list, alarm.Name+": "+strings.Join(of, " "))
	}
	return list
}

func TestWhichAlarmsWatchWhat(t *testing.T) {
	w := alarms(t, awssim.Options{Limits: awssim.Limits{Off: true}}, nil)
	web, app, free := w.ids["web"].ID, w.ids["app"].ID, w.ids["free"].ID
	members := w.sim.Databases(string(hub), "eu-central-1")
	member := members[slices.IndexFunc(members, func(d awssim.Database) bool { return strings.HasPrefix(d.ID, "orders-") })].ID
	for name, metrics := range map[string][][]string{
		"instance": {{"InstanceId", web}}, "disk of the instance": {{"path", "/", "InstanceId", web, "device", "nvme0n1"}},
		"database": {{"DBInstanceIdentifier", "ledger"}}, "cluster": {{"DBClusterIdentifier", "orders"}}, "writer": {{"Role", "WRITER", "DBClusterIdentifier", "orders"}},
		"member": {{"DBInstanceIdentifier", member}}, "service": {{"ServiceName", "cart", "ClusterName", "shop"}}, "group": {{"AutoScalingGroupName", "workers"}},
		"warehouse":   {{"ClusterIdentifier", "house"}},
		"two of ours": {{"InstanceId", web}, {"InstanceId", app}}, "of two kinds": {{"InstanceId", web}, {"DBInstanceIdentifier", "ledger"}},
		"one of others too": {{"InstanceId", web}, {"InstanceId", free}}, "a balancer too": {{"InstanceId", web}, {"LoadBalancer", "app/x/1"}},
		"another": {{"InstanceId", free}}, "a whole cluster of ECS": {{"ClusterName", "shop"}}, "other dimension": {{"VolumeId", web}}, "no dimension": {nil},
	} {
		w.put(name, metrics, nil)
	}
	plain := [][]string{{"InstanceId", web}}
	w.put("already mute", plain, func(in *cloudwatch.PutMetricAlarmInput) { in.ActionsEnabled = sdk.Bool(false) })
	w.put("tells nobody", plain, func(in *cloudwatch.PutMetricAlarmInput) { in.AlarmActions = nil })
	w.put("says that it is well", plain, func(in *cloudwatch.PutMetricAlarmInput) {
		in.OKActions, in.AlarmActions = in.AlarmActions, nil
	})
	w.put("scales", plain, func(in *cloudwatch.PutMetricAlarmInput) {
		in.AlarmActions = append(in.AlarmActions, "arn:aws:autoscaling:eu-central-1:111122223333:scalingPolicy:0:autoScalingGroupName/workers:policyName/x")
	})
	w.put("of another account", [][]string{{"InstanceId", web}, {"InstanceId", web}}, func(in *cloudwatch.PutMetricAlarmInput) { in.Metrics[0].AccountId = sdk.String("999999999999") })
	w.put("of its own account", [][]string{{"InstanceId", web}, {"InstanceId", web}}, func(in *cloudwatch.PutMetricAlarmInput) { in.Metrics[0].AccountId = sdk.String(string(hub)) })
	w.put("by a query", [][]string{{"InstanceId", web}, {"InstanceId", web}}, func(in *cloudwatch.PutMetricAlarmInput) {
		in.Metrics[2].Expression = sdk.String(`SELECT MAX(CPUUtilization) FROM SCHEMA("AWS/EC2", InstanceId)`)
	})

	all := []string{
		"cluster: orders", "database: ledger", "disk of the instance: web", "group: workers", "instance: web", "member: orders", "of its own account: web",
		"of two kinds: ledger web", "says that it is well: web", "service: cart", "two of ours: app web", "warehouse: house", "writer: orders",
	}
	if diff := cmp.Diff(all, w.found("web", "app", "ledger", "orders", "cart", "workers", "house")); diff != "" {
		t.Error(diff)
	}
	// Of fewer resources fewer: what else an alarm watches may go on running.
	if diff := cmp.Diff([]string{"disk of the instance: web", "instance: web", "of its own account: web", "says that it is well: web"}, w.found("web")); diff != "" {
		t.Error(diff)
	}
	w.sim.ResetCalls()
	if got := w.found(); got != nil || len(w.sim.Calls()) != 0 {
		t.Errorf("of nothing: %v, %d calls", got, len(w.sim.Calls()))
	}
}

func TestMuteAndRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alarms(t, awssim.Options{}, nil)
		web := w.ids["web"].ID
		var names []string
		for i := range 250 {
			names = append(names, fmt.Sprintf("alarm %03d", i))
			w.put(names[i], [][]string{{"InstanceId", web}}, nil)
			time.Sleep(time.Second) // AWS's own limit
		}
		w.sim.ResetCalls()
		if got := w.found("web"); len(got) != 250 {
			t.Fatalf("%d alarms", len(got))
		}
		if err := w.c.Mute(t.Context(), scopeOfHub, append([]string{"nobody", names[7]}, names...)); err != nil {
			t.Fatal(err)
		}
		if got := w.found("web"); len(got) != 0 {
			t.Errorf("%d still speak", len(got))
		}
		if err := w.sim.SwitchAlarm(string(hub), "eu-central-1", names[3], true); err != nil {
			t.Fatal(err)
		}
		if err := w.sim.DeleteAlarm(string(hub), "eu-central-1", names[4]); err != nil {
			t.Fatal(err)
		}
		restored, err := w.c.Restore(t.Context(), scopeOfHub, names)
		if want := slices.Concat(names[:3], names[5:]); err != nil || !slices.Equal(restored, want) {
			t.Errorf("%d restored, want %d, %v", len(restored), len(want), err)
		}
		if restored, err := w.c.Restore(t.Context(), scopeOfHub, []string{"nobody"}); err != nil || restored != nil {
			t.Errorf("of nobody: %v, %v", restored, err)
		}
		counts := map[string]int{}
		for _, call := range w.sim.Calls() {
			if call.Throttled {
				t.Errorf("%s was throttled", call.Action)
			}
			if call.Service == "monitoring" {
				counts[call.Action]++
			}
		}
		if diff := cmp.Diff(map[string]int{"DescribeAlarms": 3 + 3 + 3 + 1, "DisableAlarmActions": 3, "EnableAlarmActions": 3}, counts); diff != "" {
			t.Error(diff)
		}
	})
}

// What is no whole and true answer is never taken for one without alarms.
func TestAnAnswerOfCloudWatchIsWholeOrAnError(t *testing.T) {
	for name, faults := range map[string]struct {
		fault awssim.Fault
		want  error
	}{
		"html":                 {awssim.Fault{Kind: awssim.FaultHTML, Status: 200}, cloud.ErrTransient},
		"empty":                {awssim.Fault{Kind: awssim.FaultEmpty}, cloud.ErrTransient},
		"garbage":              {awssim.Fault{Kind: awssim.FaultGarbage}, cloud.ErrTransient},
		"cut":                  {awssim.Fault{Kind: awssim.FaultCut}, cloud.ErrTransient},
		"reset":                {awssim.Fault{Kind: awssim.FaultReset}, cloud.ErrTransient},
		"error in 200":         {awssim.Fault{Kind: awssim.FaultErrorIn200, Code: "InternalServiceError"}, cloud.ErrTransient},
		"throttled":            {awssim.Fault{Kind: awssim.FaultThrottle}, cloud.ErrThrottled},
		"denied":               {awssim.Fault{Kind: awssim.FaultDenied}, cloud.ErrUnauthorized},
		"500":                  {awssim.Fault{Kind: awssim.FaultError, Code: "InternalServiceError", Status: 500}, cloud.ErrTransient},
		"the same token again": {awssim.Fault{Kind: awssim.FaultTokenLoop}, cloud.ErrTransient},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := alarms(t, awssim.Options{Limits: awssim.Limits{Off: true}}, nil)
				for i := range 201 {
					w.put(fmt.Sprint(i), [][]string{{"InstanceId", w.ids["web"].ID}}, nil)
				}
				faults.fault.Service = "monitoring"
				if err := w.sim.SetFaults([]awssim.Fault{faults.fault}); err != nil {
					t.Fatal(err)
				}
				if got, err := w.c.Alarms(t.Context(), scopeOfHub, w.of("web")); !errors.Is(err, faults.want) || got != nil {
					t.Errorf("%d alarms, %v", len(got), err)
				}
				if name == "the same token again" {
					return
				}
				if restored, err := w.c.Restore(t.Context(), scopeOfHub, []string{"1"}); !errors.Is(err, faults.want) || restored != nil {
					t.Errorf("restored %v, %v", restored, err)
				}
				if err := w.c.Mute(t.Context(), scopeOfHub, []string{"1"}); !errors.Is(err, faults.want) {
					t.Errorf("mute: %v", err)
				}
				for _, alarm := range w.sim.Alarms(string(hub), "eu-central-1") {
					if alarm.Name == "1" && !alarm.Enabled && name != "cut" && name != "error in 200" {
						t.Error("it was muted all the same")
					}
				}
			})
		})
	}
}

func TestAlarmsWithoutPermit(t *testing.T) {
	w := alarms(t, awssim.Options{Limits: awssim.Limits{Off: true}}, nil)
	w.put("web", [][]string{{"InstanceId", w.ids["web"].ID}}, nil)
	lost := errors.New("the lease is lost")
	ctx := cloud.WithPermit(t.Context(), func() error { return lost })
	if err := w.c.Mute(ctx, scopeOfHub, []string{"web"}); !errors.Is(err, cloud.ErrNotPermitted) {
		t.Error(err)
	}
	if !w.sim.Alarms(string(hub), "eu-central-1")[0].Enabled {
		t.Error("it was muted")
	}
	elsewhere := fleet.Scope{Account: hub, Region: "sa-east-1"}
	if _, err := w.c.Restore(t.Context(), elsewhere, []string{"web"}); !errors.Is(err, cloud.ErrInvalid) {
		t.Error(err)
	}
}

func TestProbeTriesAlarmsWhereTheyAreMuted(t *testing.T) {
	probe := func(c *Cloud, scope fleet.Scope) map[string]cloud.Finding {
		found := map[string]cloud.Finding{}
		for _, f := range c.Probe(context.Background(), scope) {
			if strings.Contains(f.Ability.String(), "alarms") {
				found[f.Ability.String()] = f
			}
		}
		return found
	}
	spokeScope := fleet.Scope{Account: spoke, Region: "eu-central-1"}
	on := func(config *Config) { config.Alarms = true }
	w := alarms(t, awssim.Options{Limits: awssim.Limits{Off: true}}, nil)
	if got := probe(w.c, scopeOfHub); len(got) != 0 {
		t.Errorf("where nothing mutes: %v", got)
	}
	w = alarms(t, awssim.Options{Limits: awssim.Limits{Off: true}}, on)
	for ability, f := range probe(w.c, scopeOfHub) {
		if !f.OK || f.Untested || f.Detail.String() != "works" {
			t.Errorf("%s: %+v", ability, f)
		}
	}
	if got := probe(w.c, scopeOfHub); len(got) != 3 || len(w.sim.Alarms(string(hub), "eu-central-1")) != 0 {
		t.Errorf("%d findings", len(got))
	}
	w.put("dayshift-probe-of-permissions", [][]string{{"InstanceId", "i-1"}}, nil)
	if f := probe(w.c, scopeOfHub)["mute CloudWatch alarms"]; !f.Untested || !strings.Contains(f.Detail.String(), "cloudwatch:DisableAlarmActions") {
		t.Errorf("on a name that somebody has: %+v", f)
	}
	c, _ := simulateFleet(t, awssim.Options{Limits: awssim.Limits{Off: true}}, awssim.Fleet{Faults: []awssim.Fault{{Kind: awssim.FaultDenied, Action: "*AlarmActions"}}}, on)
	if f := probe(c, spokeScope)["restore CloudWatch alarms"]; f.OK || f.Missing != "cloudwatch:EnableAlarmActions" {
		t.Errorf("denied: %+v", f)
	}
}

// cborWire answers CloudWatch with given bytes, and STS as the simulated AWS does.
type cborWire struct {
	http.RoundTripper
	body []byte
}

func (w cborWire) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.Path, "/operation/") {
		return w.RoundTripper.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}, "Content-Type": {"application/cbor"}},
		Body: io.NopCloser(bytes.NewReader(w.body)), Request: r,
	}, nil
}

// Whatever CloudWatch says, nothing panics, and no alarm is found that has no name.
func FuzzAnswersInCBOR(f *testing.F) {
	sim := awssim.New(awssim.Options{})
	alarm := "\xa4iAlarmNameawnActionsEnabled\xf5lAlarmActions\x81axjDimensions\x81\xa2dNamejInstanceIdeValuec i-"
	for _, seed := range []string{"", "\xa0", "\xbf\xff", "\xa1lMetricAlarms\x80", "\xa1lMetricAlarms\x81" + alarm, "\xa1f__typeax", "\xa1lMetricAlarms\xf6", "\xbflMetricAlarms\x9f\xff\xff", "\xa1lMetricAlarms\x9b\xff\xff\xff\xff\xff\xff\xff\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := New(Config{
			Accounts: simAccounts[:1], Credentials: credentials.NewStaticCredentialsProvider(string(hub), "secret", ""), Transport: cborWire{sim.Transport(), body},
			Sleep: func(context.Context, time.Duration) error { return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		resource := fleet.Resource{Ref: fleet.Ref{Scope: scopeOfHub, Kind: fleet.EC2Instance, ID: "i-1"}}
		ctx := cloud.WithOneTry(t.Context())
		got, err := c.Alarms(ctx, scopeOfHub, []fleet.Resource{resource})
		for _, alarm := range got {
			if alarm.Name == "" || len(alarm.Of) == 0 {
				t.Fatalf("%+v", alarm)
			}
		}
		if err == nil && len(body) == 0 {
			t.Fatal("nothing was taken for a listing")
		}
		mute := c.Mute(ctx, scopeOfHub, []string{"x"})
		if empty := len(body) == 0 || string(body) == "\xa0" || string(body) == "\xbf\xff"; (mute == nil) != empty {
			t.Fatalf("%q: %v", body, mute)
		}
		_, _ = c.Restore(ctx, scopeOfHub, []string{"x"}) // it may not panic
	})
}
