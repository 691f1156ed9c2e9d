package aws

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

func TestListShowsAnInstanceAsTheContractSaysIt(t *testing.T) {
	w := newWire(t)
	w.on("DescribeInstances", answer(200, instancesPage("", instanceXML("i-0123456789abcdef0", "stopped",
		`<stateReason><code>Client.UserInitiatedShutdown</code><message>Client.UserInitiatedShutdown: User initiated shutdown</message></stateReason>`+
			`<hibernationOptions><configured>true</configured></hibernationOptions><rootDeviceType>ebs</rootDeviceType>`+
			tagsXML("Schedule", "office", "Name", "&lt;script&gt;alert(1)&lt;/script&gt;")))))
	now := time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)
	c := w.open(func(config *Config) { config.Now = func() time.Time { return now } })
	got, err := list(c, fleet.EC2Instance, cloud.Query{TagKey: "Schedule"})
	if err != nil {
		t.Fatal(err)
	}
	want := []fleet.Resource{{
		Ref:          fleet.Ref{Scope: testScope, Kind: fleet.EC2Instance, ID: "i-0123456789abcdef0"},
		ARN:          "arn:aws:ec2:eu-central-1:111122223333:instance/i-0123456789abcdef0",
		Name:         "<script>alert(1)</script>",
		State:        fleet.Stopped,
		Native:       "stopped",
		Tags:         map[string]string{"Schedule": "office", "Name": "<script>alert(1)</script>"},
		Type:         "m5.large",
		Zone:         "eu-central-1a",
		StateReason:  "Client.UserInitiatedShutdown: User initiated shutdown",
		LaunchedAt:   time.Date(2027, 1, 4, 8, 0, 1, 0, time.UTC),
		CanHibernate: true,
		SeenAt:       now,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	form := w.made("DescribeInstances")[0].form
	for key, want := range map[string]string{
		"MaxResults": "1000", "Filter.1.Name": "instance-state-name", "Filter.1.Value.4": "stopped", "Filter.2.Name": "tag-key", "Filter.2.Value.1": "Schedule",
	} {
		if got := form.Get(key); got != want {
			t.Errorf("%s=%q, want %q", key, got, want)
		}
	}
	if host := w.made("DescribeInstances")[0].host; host != "ec2.eu-central-1.amazonaws.com" {
		t.Errorf("asked %s", host)
	}
}

func TestStartIsOneCallForTheBatch(t *testing.T) {
	w := newWire(t)
	w.on("StartInstances", acceptAll("StartInstances"))
	c := w.open(nil)
	if err := start(c, many(1000)...); err != nil {
		t.Fatal(err)
	}
	calls := w.made("StartInstances")
	if len(calls) != 1 || len(formIDs(calls[0].form)) != 1000 {
		t.Errorf("%d calls, want one with 1000 ids", len(calls))
	}
}
