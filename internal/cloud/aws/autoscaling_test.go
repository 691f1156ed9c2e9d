package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

// groupsWorld is a simulated AWS with Auto Scaling groups that carry the schedule tag.
type groupsWorld struct {
	*testing.T
	cloud *Cloud
	sim   *awssim.Cloud
}

func newGroups(t *testing.T, opt awssim.Options, entries ...awssim.Resource) *groupsWorld {
	t.Helper()
	for i := range entries {
		e := &entries[i]
		e.Account, e.Region, e.Kind = string(hub), "eu-central-1", "asg"
		if e.Tags == nil {
			e.Tags = map[string]string{}
		}
		e.Tags[cloudtest.TagKey] = "office"
	}
	c, sim := simulate(t, opt, entries, nil)
	return &groupsWorld{t, c, sim}
}

// listed is the group as the next listing shows it.
func (w *groupsWorld) listed(name string) fleet.Resource {
	w.Helper()
	list, err := list(w.cloud, fleet.AutoScalingGroup, cloud.Query{TagKey: cloudtest.TagKey})
	if err != nil {
		w.Fatal(err)
	}
	i := slices.IndexFunc(list, func(r fleet.Resource) bool { return r.Name == name })
	if i < 0 {
		w.Fatalf("%s is not listed", name)
	}
	return list[i]
}

func (w *groupsWorld) do(verb fleet.Verb, target cloud.Target) error {
	return w.cloud.Do(w.Context(), testScope, fleet.AutoScalingGroup, verb, []cloud.Target{target})
}

// is tells the truth: sizes, and the tag with the saved ones.
func (w *groupsWorld) is(name string) (size, saved string) {
	w.Helper()
	g, found := w.sim.Group(string(hub), "eu-central-1", name)
	if !found {
		w.Fatalf("there is no group %s", name)
	}
	return fmt.Sprintf("%d-%d-%d", g.Min, g.Desired, g.Max), g.Tags[fleet.TagSaved]
}

func (w *groupsWorld) want(when, name, size, saved string) {
	w.Helper()
	if is, has := w.is(name); is != size || has != saved {
		w.Errorf("%s: %s is %s with %q saved, want %s and %q", when, name, is, has, size, saved)
	}
}

func (w *groupsWorld) scale(name string, lo, desired, hi int) {
	w.Helper()
	if err := w.sim.ScaleGroup(string(hub), "eu-central-1", name, lo, desired, hi); err != nil {
		w.Fatal(err)
	}
}

func (w *groupsWorld) faults(list ...awssim.Fault) {
	w.Helper()
	if err := w.sim.SetFaults(list); err != nil {
		w.Fatal(err)
	}
}

func TestGroupsAsTheyAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGroups(t, awssim.Options{}, awssim.Resource{Name: "web", Min: 1, Desired: 2, Max: 4, Propagate: true},
			awssim.Resource{Name: "queue", State: "stopped", Max: 5}, awssim.Resource{Name: "down", State: "stopped"},
			awssim.Resource{Name: "frozen", Suspended: []string{"Launch"}}, awssim.Resource{Name: "sticky", Suspended: []string{"Terminate"}},
			awssim.Resource{Name: "sticky-down", State: "stopped", Suspended: []string{"Terminate"}}, awssim.Resource{Name: "calm", Suspended: []string{"AZRebalance", "ScheduledActions"}},
			awssim.Resource{Name: "kept", ScaleInProtection: true}, awssim.Resource{Name: "kept-down", State: "stopped", ScaleInProtection: true},
			awssim.Resource{Name: "nodes", Tags: map[string]string{"eks:nodegroup-name": "blue"}})
		for name, want := range map[string]struct {
			state  fleet.State
			native string
			size   string
			bar    fleet.Bar
		}{
			"web":         {fleet.Running, "1-2-4", "1-2-4", fleet.NoBar},
			"queue":       {fleet.Stopped, "0-0-5", "", fleet.NoBar},
			"down":        {fleet.Stopped, "0-0-0", "", fleet.NoBar},
			"frozen":      {fleet.Running, "0-1-1", "0-1-1", fleet.ScalingSuspended},
			"sticky":      {fleet.Running, "0-1-1", "0-1-1", fleet.ScalingSuspended},
			"sticky-down": {fleet.Stopped, "0-0-0", "", fleet.NoBar},
			"calm":        {fleet.Running, "0-1-1", "0-1-1", fleet.NoBar},
			"kept":        {fleet.Running, "0-1-1", "0-1-1", fleet.StopProtected},
			"kept-down":   {fleet.Stopped, "0-0-0", "", fleet.NoBar},
			"nodes":       {fleet.Running, "0-1-1", "0-1-1", fleet.ServiceManaged},
		} {
			r := w.listed(name)
			if r.State != want.state || r.Native != want.native || r.Size != want.size || r.Bar != want.bar {
				t.Errorf("%s: %s (%s), size %q, bar %q, want %+v", name, r.State, r.Native, r.Size, r.Bar, want)
			}
			if r.ID != name || r.Type != "" || !strings.Contains(r.ARN, ":autoScalingGroupName/"+name) || !strings.Contains(r.Zone, "eu-central-1a") || r.SeenAt.IsZero() {
				t.Errorf("%+v", r)
			}
		}
		// Its instances are left to it.
		machines, err := list(w.cloud, fleet.EC2Instance, cloud.Query{TagKey: cloudtest.TagKey})
		if err != nil || len(machines) != 2 || machines[0].Bar != fleet.GroupMember {
			t.Errorf("%+v %v", machines, err)
		}
	})
}

func TestFault39TheSizeIsSavedBeforeAGroupIsTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGroups(t, awssim.Options{}, awssim.Resource{Name: "web", Min: 2, Desired: 7, Max: 9})
		web := cloud.Target{Resource: w.listed("web")}

		// A crash between the tag and the update: the next stop does both again.
		w.faults(awssim.Fault{Service: "autoscaling", Action: "UpdateAutoScalingGroup", Kind: awssim.FaultReset, Count: 1})
		if err := w.do(fleet.Stop, web); !errors.Is(err, cloud.ErrTransient) {
			t.Fatal(err)
		}
		w.want("after the tag alone", "web", "2-7-9", "2-7-9")
		// A person scaled it meanwhile: the size saved is the one it has when it is stopped, not the one of the listing.
		w.scale("web", 3, 5, 9)
		if err := w.do(fleet.Stop, web); err != nil {
			t.Fatal(err)
		}
		w.want("after the stop", "web", "0-0-0", "3-5-9")

		// A crash between the update and its answer, and stops that come twice.
		for range 3 {
			if err := w.do(fleet.Stop, web); err != nil {
				t.Fatal(err)
			}
		}
		w.want("after more stops", "web", "0-0-0", "3-5-9")
		target := cloud.Target{Resource: w.listed("web"), Size: "3-5-9"}
		w.faults(awssim.Fault{Service: "autoscaling", Action: "UpdateAutoScalingGroup", Kind: awssim.FaultReset, Applied: true, Count: 1})
		if err := w.do(fleet.Start, target); !errors.Is(err, cloud.ErrTransient) {
			t.Fatal(err)
		}
		w.want("after a start without an answer", "web", "3-5-9", "3-5-9")
		w.faults()
		w.scale("web", 1, 1, 1)
		if err := w.do(fleet.Start, target); err != nil {
			t.Fatal(err)
		}
		w.want("a person was faster than the second start", "web", "1-1-1", "3-5-9")

		// A stop whose answer is lost.
		w.scale("web", 3, 7, 9)
		w.faults(awssim.Fault{Service: "autoscaling", Action: "UpdateAutoScalingGroup", Kind: awssim.FaultReset, Applied: true, Count: 1})
		if err := w.do(fleet.Stop, web); !errors.Is(err, cloud.ErrTransient) {
			t.Fatal(err)
		}
		if err := w.do(fleet.Stop, web); err != nil {
			t.Fatal(err)
		}
		w.want("after a stop without an answer, and another", "web", "0-0-0", "3-7-9")
		if n := w.sim.Stats().Throttled; n > 0 {
			t.Errorf("%d calls were throttled", n)
		}
	})
}

// Where the size cannot be saved the group is not touched.
func TestAGroupIsNotStoppedWithoutItsSizeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := map[string]string{}
		for i := range 49 { // and the schedule tag
			full[fmt.Sprint("tag-", i)] = "x"
		}
		w := newGroups(t, awssim.Options{}, awssim.Resource{Name: "web", Desired: 7}, awssim.Resource{Name: "full", Desired: 7, Tags: full})
		w.faults(awssim.Fault{Service: "autoscaling", Action: "CreateOrUpdateTags", Resource: "web", Kind: awssim.FaultDenied})
		for name, class := range map[string]error{"web": cloud.ErrUnauthorized, "full": cloud.ErrInvalid} {
			w.faults()
			if name == "web" {
				w.faults(awssim.Fault{Service: "autoscaling", Action: "CreateOrUpdateTags", Kind: awssim.FaultDenied})
			}
			err := w.do(fleet.Stop, cloud.Target{Resource: w.listed(name)})
			if !errors.Is(err, class) || !strings.Contains(err.Error(), "save the size 0-7-7") {
				t.Errorf("%s: %v", name, err)
			}
			w.want("afterwards", name, "0-7-7", "")
		}
		if n := w.sim.Stats().ByAction["autoscaling:UpdateAutoScalingGroup"]; n != 0 {
			t.Errorf("%d updates", n)
		}
	})
}

func TestWhatAStartRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGroups(t, awssim.Options{}, awssim.Resource{Name: "web", State: "stopped", Tags: map[string]string{fleet.TagSize: "4-2-8", fleet.TagSaved: "2-4"}},
			awssim.Resource{Name: "frozen", State: "stopped", Suspended: []string{"Launch"}})
		web := w.listed("web")
		for size, says := range map[string]string{
			"":            "set the tag dayshift:size to min-desired-max, such as 1-2-4",
			"4-2-8":       `tag dayshift:size is "4-2-8": 2 is not from 4 to 8: write min-desired-max`,
			"2-4":         `tag dayshift:saved is "2-4": write min-desired-max`,
			"1-2-3-4":     `the size it last ran with is "1-2-3-4"`,
			"one-2-3":     `"one" is not a number`,
			"-1-2-3":      "write min-desired-max",
			"1-+2-3":      `"+2" is not a number`,
			"1-２-3":       "is not a number",
			"1-9-4":       "9 is not from 1 to 4",
			"0-0-5":       "a group of none counts as stopped",
			"1-2-9999999": `"9999999" is not a number up to 1000000`,
		} {
			err := w.do(fleet.Start, cloud.Target{Resource: web, Size: size})
			var member *cloud.MemberError
			if !errors.Is(err, cloud.ErrInvalid) || !strings.Contains(err.Error(), says) || !errors.As(err, &member) || !slices.Equal(member.IDs, []string{"web"}) {
				t.Errorf("size %q: %v, want %q", size, err, says)
			}
		}
		if n := w.sim.Stats().ByAction["autoscaling:UpdateAutoScalingGroup"]; n != 0 {
			t.Errorf("%d updates", n)
		}
		if err := w.do(fleet.Start, cloud.Target{Resource: web, Size: " 1 - 2 - 04 "}); err != nil {
			t.Error(err)
		}
		w.want("blanks and zeros", "web", "1-2-4", "2-4")
		frozen := w.listed("frozen")
		frozen.Bar = fleet.NoBar // as a listing before showed it
		if err := w.do(fleet.Start, cloud.Target{Resource: frozen, Size: "1-1-1"}); !errors.Is(err, cloud.ErrProtected) || !strings.Contains(err.Error(), "scaling-suspended") {
			t.Errorf("frozen: %v", err)
		}
		w.want("frozen", "frozen", "0-0-0", "")
	})
}

// What its owner did between the listing and the stop counts.
func TestWhatAStopRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGroups(t, awssim.Options{}, awssim.Resource{Name: "one-kept", Desired: 2}, awssim.Resource{Name: "sticky", Suspended: []string{"Terminate"}},
			awssim.Resource{Name: "new-kept", ScaleInProtection: true}, awssim.Resource{Name: "leaving", Desired: 1})
		kept := w.listed("one-kept")
		group, _ := w.sim.Group(string(hub), "eu-central-1", "one-kept")
		owner := autoscaling.New(autoscaling.Options{
			Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider(string(hub), "any", ""),
			BaseEndpoint: sdk.String("http://sim.invalid"), HTTPClient: &http.Client{Transport: w.sim.Transport()},
		})
		if _, err := owner.SetInstanceProtection(t.Context(), &autoscaling.SetInstanceProtectionInput{
			AutoScalingGroupName: sdk.String("one-kept"), InstanceIds: group.Instances[1:], ProtectedFromScaleIn: sdk.Bool(true),
		}); err != nil {
			t.Fatal(err)
		}
		leaving := w.listed("leaving")
		if _, err := owner.DeleteAutoScalingGroup(t.Context(), &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: sdk.String("leaving"), ForceDelete: sdk.Bool(true)}); err != nil {
			t.Fatal(err)
		}
		if r := w.listed("leaving"); r.State != fleet.Other || r.Native != "Delete in progress" || r.Size != "" {
			t.Errorf("a group that is being deleted: %+v", r)
		}
		for _, test := range []struct {
			r     fleet.Resource
			class error
			says  string
		}{
			{kept, cloud.ErrProtected, group.Instances[1] + " would stay, protected from scale-in"},
			{w.listed("sticky"), cloud.ErrProtected, "scaling-suspended"},
			{w.listed("new-kept"), cloud.ErrProtected, "stop-protected"},
			{leaving, cloud.ErrWrongState, "Delete in progress"},
			{fleet.Resource{Ref: fleet.Ref{Scope: testScope, Kind: fleet.AutoScalingGroup, ID: "ghost"}}, cloud.ErrNotFound, "gone"},
		} {
			err := w.do(fleet.Stop, cloud.Target{Resource: test.r})
			var member *cloud.MemberError
			if !errors.Is(err, test.class) || !strings.Contains(err.Error(), test.says) || !errors.As(err, &member) {
				t.Errorf("%s: %v", test.r.ID, err)
			}
		}
		w.want("not touched", "one-kept", "0-2-2", "")
		if stats := w.sim.Stats(); stats.ByAction["autoscaling:UpdateAutoScalingGroup"]+stats.ByAction["autoscaling:CreateOrUpdateTags"] != 0 {
			t.Errorf("%+v", stats.ByAction)
		}
		time.Sleep(5 * time.Minute)
		if err := w.do(fleet.Stop, cloud.Target{Resource: leaving}); !errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("deleted: %v", err)
		}
	})
}

func TestTheErrorsOfAutoScaling(t *testing.T) {
	for _, test := range []struct {
		code, message string
		class         error
	}{
		{"Throttling", "Rate exceeded", cloud.ErrThrottled},
		{"RateExceeded", "Rate exceeded", cloud.ErrThrottled},
		{"ScalingActivityInProgress", "There are scaling activities in progress", cloud.ErrTransient},
		{"ResourceContention", "You already have a pending update", cloud.ErrTransient},
		{"ServiceLinkedRoleFailure", "The role is not ready", cloud.ErrTransient},
		{"ValidationError", "AutoScalingGroup name not found - null", cloud.ErrNotFound},
		{"ValidationError", "Desired capacity:9 must be between the specified min size:1 and max size:4", cloud.ErrInvalid},
		{"LimitExceeded", "Too many tags", cloud.ErrInvalid},
		{"AccessDenied", "not authorized to perform: autoscaling:UpdateAutoScalingGroup", cloud.ErrUnauthorized},
	} {
		w := newWire(t)
		w.on("DescribeAutoScalingGroups", answer(200, `<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>`+
			`<AutoScalingGroupName>web</AutoScalingGroupName><MinSize>0</MinSize><DesiredCapacity>0</DesiredCapacity><MaxSize>0</MaxSize></member></AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>`))
		w.on("UpdateAutoScalingGroup", answer(400, queryError(test.code, test.message)))
		c := w.open(nil)
		target := cloud.Target{Resource: fleet.Resource{Ref: fleet.Ref{Scope: testScope, Kind: fleet.AutoScalingGroup, ID: "web"}}, Size: "1-2-4"}
		err := c.Do(context.Background(), testScope, fleet.AutoScalingGroup, fleet.Start, []cloud.Target{target})
		if !errors.Is(err, test.class) {
			t.Errorf("%s: %v", test.code, err)
		}
		if n := w.count("UpdateAutoScalingGroup"); n != 1 {
			t.Errorf("%s: %d updates", test.code, n)
		}
		form := w.made("UpdateAutoScalingGroup")[0].form
		if form.Get("MinSize")+form.Get("DesiredCapacity")+form.Get("MaxSize") != "124" {
			t.Errorf("%v", form)
		}
		if form := w.made("DescribeAutoScalingGroups")[0].form; form.Get("IncludeInstances") != "false" {
			t.Errorf("%v", form)
		}
	}
}

// All operations of the service draw on one bucket, and so do we: a lane of stops beside one of starts, as a pass has them.
func TestAHundredGroupsWithoutBeingThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGroups(t, awssim.Options{Latency: 50 * time.Millisecond}, awssim.Resource{Name: "up-##", Count: 50, Desired: 1}, awssim.Resource{Name: "down-##", Count: 50, State: "stopped"})
		all, err := list(w.cloud, fleet.AutoScalingGroup, cloud.Query{TagKey: cloudtest.TagKey})
		if err != nil || len(all) != 100 {
			t.Fatal(len(all), err)
		}
		began := time.Now()
		done := make(chan error)
		for state, verb := range map[fleet.State]fleet.Verb{fleet.Running: fleet.Stop, fleet.Stopped: fleet.Start} {
			go func() {
				var err error
				for _, r := range all {
					if r.State == state && err == nil {
						if _, err = w.cloud.Reserve(t.Context(), testScope, fleet.AutoScalingGroup, verb, 1); err == nil {
							err = w.do(verb, cloud.Target{Resource: r, Size: "1-2-3"})
						}
					}
				}
				done <- err
			}()
		}
		if err := errors.Join(<-done, <-done); err != nil {
			t.Error(err)
		}
		// 50 stops of three calls and 50 starts of two, less what the bucket holds, at five a second.
		const floor = (50*3 + 50*2 - 30) / 5 * time.Second
		took := time.Since(began)
		if n := w.sim.Stats().Throttled; n > 0 || took > floor+5*time.Second {
			t.Errorf("%d throttled, in %s", n, took)
		}
		for _, r := range all {
			if strings.HasPrefix(r.ID, "up") {
				w.want("afterwards", r.ID, "0-0-0", "0-1-1")
			} else {
				w.want("afterwards", r.ID, "1-2-3", "")
			}
		}
	})
}

func TestGroupTagsAreTheGroupsAlone(t *testing.T) {
	w := newWire(t)
	written := answer(200, `<CreateOrUpdateTagsResponse><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></CreateOrUpdateTagsResponse>`)
	w.on("CreateOrUpdateTags", written)
	w.on("DeleteTags", answer(200, `<DeleteTagsResponse><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DeleteTagsResponse>`))
	c := w.open(nil)
	var all []fleet.Resource
	for i := range 120 {
		all = append(all, fleet.Resource{Ref: fleet.Ref{Scope: testScope, Kind: fleet.AutoScalingGroup, ID: fmt.Sprint("web-", i)}})
	}
	if err := c.Tag(context.Background(), testScope, fleet.AutoScalingGroup, all, map[string]string{fleet.TagLastAction: "stop", fleet.TagError: ""}); err != nil {
		t.Fatal(err)
	}
	if set, removed := w.count("CreateOrUpdateTags"), w.count("DeleteTags"); set != 2 || removed != 2 {
		t.Errorf("%d calls that write, %d that remove, for 120 groups", set, removed)
	}
	form := w.made("CreateOrUpdateTags")[0].form
	if form.Get("Tags.member.1.PropagateAtLaunch") != "false" || form.Get("Tags.member.1.ResourceType") != "auto-scaling-group" || form.Get("Tags.member.1.ResourceId") != "web-0" {
		t.Errorf("%v", form)
	}
	if form := w.made("DeleteTags")[0].form; form.Has("Tags.member.1.Value") || form.Get("Tags.member.1.Key") != fleet.TagError {
		t.Errorf("%v", form)
	}
}
