package aws

import (
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
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/google/go-cmp/cmp"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

// nodesWorld is a simulated AWS with node groups that carry the schedule tag.
type nodesWorld struct {
	*testing.T
	cloud *Cloud
	sim   *awssim.Cloud
}

func newNodes(t *testing.T, opt awssim.Options, entries ...awssim.Resource) *nodesWorld {
	t.Helper()
	for i := range entries {
		e := &entries[i]
		e.Account, e.Region = string(hub), "eu-central-1"
		if e.Kind == "" {
			e.Kind = "eks"
		}
		if e.Kind == "eks" && e.Cluster == "" {
			e.Cluster = "web"
		}
		if e.Tags == nil {
			e.Tags = map[string]string{cloudtest.TagKey: "office"}
		}
	}
	c, sim := simulate(t, opt, entries, nil)
	return &nodesWorld{t, c, sim}
}

// listed is the node group as the next listing shows it.
func (w *nodesWorld) listed(id string) fleet.Resource {
	w.Helper()
	found, err := list(w.cloud, fleet.EKSNodegroup, cloud.Query{TagKey: cloudtest.TagKey})
	if err != nil {
		w.Fatal(err)
	}
	i := slices.IndexFunc(found, func(r fleet.Resource) bool { return r.ID == id })
	if i < 0 {
		w.Fatalf("%s is not listed", id)
	}
	return found[i]
}

func (w *nodesWorld) do(verb fleet.Verb, r fleet.Resource, size string) error {
	w.Helper()
	if _, err := w.cloud.Reserve(w.Context(), testScope, fleet.EKSNodegroup, verb, 1); err != nil {
		w.Fatal(err)
	}
	return w.cloud.Do(w.Context(), testScope, fleet.EKSNodegroup, verb, []cloud.Target{{Resource: r, Size: size}})
}

func (w *nodesWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *nodesWorld) truth(id string) awssim.NodeGroup {
	w.Helper()
	for _, n := range w.sim.NodeGroups(string(hub), "eu-central-1") {
		if n.ID == id {
			return n
		}
	}
	w.Fatalf("there is no node group %s", id)
	return awssim.NodeGroup{}
}

// want compares size and saved size with the truth.
func (w *nodesWorld) want(when, id, size, saved string) {
	w.Helper()
	n := w.truth(id)
	if is := fmt.Sprintf("%d-%d-%d", n.Min, n.Desired, n.Max); is != size || n.Tags[fleet.TagSaved] != saved {
		w.Errorf("%s: %s is %s with %q saved, want %s and %q", when, id, is, n.Tags[fleet.TagSaved], size, saved)
	}
}

func (w *nodesWorld) scale(id string, lo, desired, hi int) {
	w.Helper()
	w.must(w.sim.ScaleNodeGroup(string(hub), "eu-central-1", id, lo, desired, hi))
}

func (w *nodesWorld) faults(list ...awssim.Fault) {
	w.Helper()
	for i := range list {
		if list[i].Service == "" {
			list[i].Service = "eks"
		}
	}
	w.must(w.sim.SetFaults(list))
}

// owner is a client of somebody else.
func (w *nodesWorld) owner() *eks.Client {
	return eks.New(eks.Options{
		Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider(string(hub), "any", ""),
		BaseEndpoint: sdk.String("http://sim.invalid"), HTTPClient: &http.Client{Transport: w.sim.Transport()},
	})
}

// changes counts the calls that change a node group.
func (w *nodesWorld) changes() int64 {
	by := w.sim.Stats().ByAction
	return by["eks:UpdateNodegroupConfig"] + by["eks:TagResource"] + by["eks:UntagResource"]
}

func TestNodeGroupsAsTheyAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "blue", Min: 1, Desired: 2, Max: 4}, awssim.Resource{Name: "queue", State: "stopped", Max: 5},
			awssim.Resource{Name: "down", State: "stopped"}, awssim.Resource{Name: "new-ami", Desired: 2}, awssim.Resource{Name: "new-ami-of-none", State: "stopped"},
			awssim.Resource{Name: "leaving"}, awssim.Resource{Name: "no-room", State: "stopped", StartError: "AsgInstanceLaunchFailures"},
			awssim.Resource{Name: "kept", Max: 1, State: "stopped", Tags: map[string]string{cloudtest.TagKey: "office", fleet.TagSaved: "2-7-9"}},
			awssim.Resource{Name: "small", Max: 1, Desired: 1, Tags: map[string]string{cloudtest.TagKey: "office", fleet.TagSaved: "0-1-1"}},
			awssim.Resource{Name: "nonsense", Max: 1, Desired: 1, Tags: map[string]string{cloudtest.TagKey: "office", fleet.TagSaved: "many"}})
		for _, id := range []string{"web/new-ami", "web/new-ami-of-none"} {
			w.must(w.sim.UpgradeNodeGroup(string(hub), "eu-central-1", id))
		}
		if _, err := w.owner().DeleteNodegroup(t.Context(), &eks.DeleteNodegroupInput{ClusterName: sdk.String("web"), NodegroupName: sdk.String("leaving")}); err != nil {
			t.Fatal(err)
		}
		w.scale("web/no-room", 0, 3, 3)
		w.scale("web/kept", 0, 1, 1) // an autoscaler brought one up
		for name, want := range map[string]struct {
			state        fleet.State
			native, size string
			held         bool
		}{
			"blue":            {fleet.Running, "ACTIVE, 1-2-4", "1-2-4", false},
			"queue":           {fleet.Stopped, "ACTIVE, 0-0-5", "", false},
			"down":            {fleet.Stopped, "ACTIVE, 0-0-1", "", false},
			"new-ami":         {fleet.Starting, "UPDATING, 0-2-2", "0-2-2", false},
			"new-ami-of-none": {fleet.Stopping, "UPDATING, 0-0-1", "", false},
			"leaving":         {fleet.Other, "DELETING, 0-1-1", "0-1-1", false},
			"no-room":         {fleet.Running, "DEGRADED, 0-3-3", "0-3-3", false},
			"kept":            {fleet.Running, "ACTIVE, 0-1-1", "", true},
			"small":           {fleet.Running, "ACTIVE, 0-1-1", "0-1-1", false},
			"nonsense":        {fleet.Running, "ACTIVE, 0-1-1", "0-1-1", false},
		} {
			r := w.listed("web/" + name)
			if r.State != want.state || r.Native != want.native || r.Size != want.size || r.Held != want.held || r.Bar != fleet.NoBar {
				t.Errorf("%s: %s (%s), size %q, held %v, bar %q; want %+v", name, r.State, r.Native, r.Size, r.Held, r.Bar, want)
			}
			if r.Name != name || r.Type != "ON_DEMAND" || r.ARN != w.truth("web/"+name).ARN || r.SeenAt.IsZero() || r.Tags[cloudtest.TagKey] != "office" {
				t.Errorf("%+v", r)
			}
			if degraded := name == "no-room"; degraded != strings.HasPrefix(r.StateReason, "AsgInstanceLaunchFailures: ") {
				t.Errorf("%s: reason %q", name, r.StateReason)
			}
		}
	})
}

// What is beneath a node group is EKS's, whatever tags it has.
func TestTheGroupAndTheMachinesOfANodeGroupAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "blue", Desired: 2})
		beneath := w.truth("web/blue")
		w.must(w.sim.TagGroup(string(hub), "eu-central-1", beneath.Group, map[string]string{cloudtest.TagKey: "office"}))
		groups, err := list(w.cloud, fleet.AutoScalingGroup, cloud.Query{TagKey: cloudtest.TagKey})
		if err != nil || len(groups) != 1 || groups[0].ID != beneath.Group || groups[0].Bar != fleet.ServiceManaged {
			t.Errorf("%+v %v", groups, err)
		}
		if _, err := w.cloud.Reserve(t.Context(), testScope, fleet.AutoScalingGroup, fleet.Stop, 1); err != nil {
			t.Fatal(err)
		}
		err = w.cloud.Do(t.Context(), testScope, fleet.AutoScalingGroup, fleet.Stop, []cloud.Target{{Resource: groups[0]}})
		wantClass(t, err, cloud.ErrProtected)
		w.want("afterwards", "web/blue", "0-2-2", "")
		machines, err := list(w.cloud, fleet.EC2Instance, cloud.Query{})
		if err != nil || len(machines) != 2 || machines[0].Bar != fleet.GroupMember || machines[0].Tags["eks:nodegroup-name"] != "blue" {
			t.Errorf("%+v %v", machines, err)
		}
	})
}

// A process may end after any call, and any answer may get lost. What was begun
// is then begun again, and comes to the same end.
func TestAStopOrStartOfANodeGroupThatIsCutOffAnywhereComesToTheSameEnd(t *testing.T) {
	for _, verb := range []fleet.Verb{fleet.Stop, fleet.Start} {
		for _, at := range []string{"TagResource", "UpdateNodegroupConfig", "UntagResource"} {
			for _, applied := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s cut off at %s, applied %v", verb, at, applied), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "blue", Min: 2, Desired: 7, Max: 9})
						cut := awssim.Fault{Action: at, Kind: awssim.FaultDenied, Applied: applied}
						before := w.listed("web/blue")
						if verb == fleet.Stop {
							w.faults(cut)
						}
						err := w.do(fleet.Stop, before, "")
						w.faults()
						if verb == fleet.Stop && (count(w.sim, at) > 0) != (err != nil) {
							t.Fatalf("cut off: %v", err)
						}
						if n := w.truth("web/blue"); n.Desired == 0 && n.Tags[fleet.TagSaved] != "2-7-9" {
							t.Errorf("nobody knows its size: %v", n.Tags)
						}
						for range 2 {
							w.must(w.do(fleet.Stop, before, "")) // on old news
						}
						time.Sleep(time.Hour)
						w.must(w.do(fleet.Stop, before, ""))
						w.want("stopped three times", "web/blue", "0-0-1", "2-7-9")
						if n := w.truth("web/blue"); len(n.Nodes) != 0 {
							t.Errorf("%d nodes are left", len(n.Nodes))
						}

						down := w.listed("web/blue")
						w.sim.ResetCalls()
						if verb == fleet.Start {
							w.faults(cut)
						}
						err = w.do(fleet.Start, down, down.Tags[fleet.TagSaved])
						w.faults()
						if verb == fleet.Start && (count(w.sim, at) > 0) != (err != nil) {
							t.Fatalf("cut off: %v", err)
						}
						for range 2 {
							w.must(w.do(fleet.Start, down, "2-7-9"))
						}
						w.want("started", "web/blue", "2-7-9", "")
						time.Sleep(time.Hour)
						w.must(w.do(fleet.Start, down, "2-7-9"))
						if up := w.listed("web/blue"); up.State != fleet.Running || up.Size != "2-7-9" || up.Held || len(w.truth("web/blue").Nodes) != 7 {
							t.Errorf("%+v", up)
						}
					})
				})
			}
		}
	}
}

func TestANodeGroupIsNotStoppedWithoutItsSizeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := map[string]string{cloudtest.TagKey: "office"}
		for i := range 49 {
			full[fmt.Sprint("tag-", i)] = "x"
		}
		w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "blue", Desired: 7}, awssim.Resource{Name: "full", Desired: 7, Tags: full})
		for _, test := range []struct {
			id    string
			fault awssim.FaultKind
			class error
		}{
			{"web/blue", awssim.FaultDenied, cloud.ErrUnauthorized},
			{"web/blue", awssim.FaultReset, cloud.ErrTransient},
			{"web/blue", awssim.FaultHTML, cloud.ErrTransient},
			{"web/blue", awssim.FaultErrorIn200, cloud.ErrTransient},
			{"web/full", "", cloud.ErrInvalid},
		} {
			r := w.listed(test.id)
			w.faults()
			if test.fault != "" {
				w.faults(awssim.Fault{Action: "TagResource", Kind: test.fault, Code: "ServerException"})
			}
			err := w.do(fleet.Stop, r, "")
			w.faults()
			if !errors.Is(err, test.class) || !strings.Contains(err.Error(), "save the size 0-7-7") {
				t.Errorf("%s, %s: %v", test.id, test.fault, err)
			}
			w.want("afterwards", test.id, "0-7-7", "")
		}
		if n := count(w.sim, "UpdateNodegroupConfig"); n != 0 {
			t.Errorf("%d updates", n)
		}
	})
}

// A maximum of one is the least that EKS takes: an autoscaler may use it. That
// node is no size to be learned, to be saved or to work with.
func TestANodeThatAnAutoscalerBringsUpMeanwhileIsNotTheSizeOfTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "blue", Min: 2, Desired: 7, Max: 9})
		blue := w.listed("web/blue")
		w.must(w.do(fleet.Stop, blue, ""))
		time.Sleep(time.Hour)
		if changed, err := w.sim.AutoScaleNodeGroup(string(hub), "eu-central-1", "web/blue", 4); err != nil || !changed {
			t.Fatal(changed, err)
		}
		up := w.listed("web/blue")
		if up.State != fleet.Running || !up.Held || up.Size != "" {
			t.Fatalf("brought up by an autoscaler: %+v", up)
		}
		w.must(w.do(fleet.Stop, up, ""))
		w.want("stopped once more", "web/blue", "0-0-1", "2-7-9")
		time.Sleep(time.Hour)
		if _, err := w.sim.AutoScaleNodeGroup(string(hub), "eu-central-1", "web/blue", 1); err != nil {
			t.Fatal(err)
		}
		w.must(w.do(fleet.Start, w.listed("web/blue"), "2-7-9"))
		w.want("in the morning", "web/blue", "2-7-9", "")
		time.Sleep(time.Hour)

		// The very same size, chosen by its owner: nothing is saved any more, so it counts.
		w.scale("web/blue", 0, 1, 1)
		up = w.listed("web/blue")
		if up.State != fleet.Running || up.Held || up.Size != "0-1-1" {
			t.Errorf("scaled by its owner: %+v", up)
		}
		w.must(w.do(fleet.Start, up, "2-7-9"))
		w.want("a start of what runs", "web/blue", "0-1-1", "")
		w.must(w.do(fleet.Stop, up, ""))
		w.want("in the evening", "web/blue", "0-0-1", "0-1-1")
	})
}

func TestWhatPeopleDoToANodeGroupMeanwhileIsRespected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "blue", Min: 2, Desired: 7, Max: 9})
		blue := w.listed("web/blue")
		w.scale("web/blue", 3, 5, 9) // after the listing
		w.must(w.do(fleet.Stop, blue, ""))
		w.want("the size it had right then", "web/blue", "0-0-1", "3-5-9")
		time.Sleep(time.Hour)
		w.scale("web/blue", 0, 1, 4)
		if up := w.listed("web/blue"); up.Held || up.Size != "0-1-4" {
			t.Errorf("%+v", up)
		}
		w.must(w.do(fleet.Start, blue, "3-5-9"))
		w.want("a person's size", "web/blue", "0-1-4", "")
	})
}

func TestANodeGroupIsStartedWithASizeThatCanBeRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "blue", State: "stopped", Tags: map[string]string{cloudtest.TagKey: "office", fleet.TagSize: "4-2-8"}})
		blue := w.listed("web/blue")
		for size, says := range map[string]string{
			"":      "set the tag dayshift:size to min-desired-max, such as 1-2-4",
			"4-2-8": `tag dayshift:size is "4-2-8": 2 is not from 4 to 8`,
			"3":     "write min-desired-max",
			"0-0-5": "a group of none counts as stopped",
		} {
			err := w.do(fleet.Start, blue, size)
			var member *cloud.MemberError
			if !errors.Is(err, cloud.ErrInvalid) || !strings.Contains(err.Error(), says) || !errors.As(err, &member) || !slices.Equal(member.IDs, []string{"web/blue"}) {
				t.Errorf("size %q: %v, want %q", size, err, says)
			}
		}
		if n := w.changes(); n != 0 {
			t.Errorf("%d changes", n)
		}
	})
}

func TestANodeGroupThatEKSWorksOnIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "blue", Desired: 2}, awssim.Resource{Name: "green", State: "stopped"}, awssim.Resource{Name: "leaving"})
		blue, green, leaving := w.listed("web/blue"), w.listed("web/green"), w.listed("web/leaving")
		for _, r := range []fleet.Resource{blue, green} {
			w.must(w.sim.UpgradeNodeGroup(string(hub), "eu-central-1", r.ID))
		}
		remove := func(cluster, name string) {
			if _, err := w.owner().DeleteNodegroup(t.Context(), &eks.DeleteNodegroupInput{ClusterName: sdk.String(cluster), NodegroupName: sdk.String(name)}); err != nil {
				t.Fatal(err)
			}
		}
		remove("web", "leaving")
		refused := func(verb fleet.Verb, r fleet.Resource, class error, says string) {
			t.Helper()
			err := w.do(verb, r, "1-1-1")
			var member *cloud.MemberError
			if !errors.Is(err, class) || !strings.Contains(err.Error(), says) || !errors.As(err, &member) {
				t.Errorf("%s %s: %v", verb, r.ID, err)
			}
		}
		refused(fleet.Stop, blue, cloud.ErrWrongState, "UPDATING")
		refused(fleet.Start, green, cloud.ErrWrongState, "UPDATING")
		refused(fleet.Stop, leaving, cloud.ErrWrongState, "DELETING")
		refused(fleet.Start, leaving, cloud.ErrWrongState, "DELETING")
		if n := w.changes(); n != 0 {
			t.Errorf("%d changes", n)
		}
		// Somebody's update begins between the look and the call.
		time.Sleep(time.Hour)
		w.faults(awssim.Fault{Action: "UpdateNodegroupConfig", Kind: awssim.FaultError, Code: "ResourceInUseException", Message: "Nodegroup cannot be updated as it is currently not in Active State"})
		refused(fleet.Stop, blue, cloud.ErrWrongState, "currently not in Active State")
		w.faults()
		w.want("it was saved, and not stopped", "web/blue", "0-2-2", "0-2-2")
		refused(fleet.Stop, leaving, cloud.ErrNotFound, "No node group found")
		// Its last node groups go, and with them the cluster.
		remove("web", "blue")
		remove("web", "green")
		if r := w.listed("web/blue"); r.State != fleet.Other {
			t.Errorf("%+v", r)
		}
		time.Sleep(time.Hour)
		refused(fleet.Stop, blue, cloud.ErrNotFound, "No cluster found")
		refused(fleet.Start, fleet.Resource{Ref: fleet.Ref{Scope: testScope, Kind: fleet.EKSNodegroup, ID: "nonsense"}}, cloud.ErrNotFound, "there is none")
	})
}

// EKS scales a degraded group as any other; it is not to run through the night
// because a node did not come up, and starting it is what makes it well again.
func TestADegradedNodeGroupIsStoppedAndStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "blue", State: "stopped", StartError: "Ec2SubnetInvalidConfiguration"})
		w.must(w.do(fleet.Start, w.listed("web/blue"), "1-2-3"))
		for range 2 {
			time.Sleep(time.Hour)
			up := w.listed("web/blue")
			if up.State != fleet.Running || up.Native != "DEGRADED, 1-2-3" {
				t.Fatalf("%+v", up)
			}
			w.must(w.do(fleet.Stop, up, ""))
			time.Sleep(time.Hour)
			down := w.listed("web/blue")
			if down.State != fleet.Stopped || down.Native != "DEGRADED, 0-0-1" {
				t.Fatalf("%+v", down)
			}
			w.must(w.do(fleet.Start, down, down.Tags[fleet.TagSaved]))
		}
	})
}

func TestRefusalsOfEKSBecomeErrorsOfTheContract(t *testing.T) {
	for _, test := range []struct {
		action, code string
		want         error
	}{
		{"UpdateNodegroupConfig", "ResourceInUseException", cloud.ErrWrongState},
		{"UpdateNodegroupConfig", "InvalidRequestException", cloud.ErrWrongState},
		{"UpdateNodegroupConfig", "ResourceNotFoundException", cloud.ErrNotFound},
		{"UpdateNodegroupConfig", "InvalidParameterException", cloud.ErrInvalid},
		{"UpdateNodegroupConfig", "ClientException", cloud.ErrInvalid},
		{"UpdateNodegroupConfig", "ServerException", cloud.ErrTransient},
		{"UpdateNodegroupConfig", "ServiceUnavailableException", cloud.ErrTransient},
		{"UpdateNodegroupConfig", "ThrottlingException", cloud.ErrThrottled},
		{"UpdateNodegroupConfig", "TooManyRequestsException", cloud.ErrThrottled},
		{"UpdateNodegroupConfig", "AccessDeniedException", cloud.ErrUnauthorized},
		{"UpdateNodegroupConfig", "UnrecognizedClientException", cloud.ErrRegionDisabled},
		{"DescribeNodegroup", "ResourceNotFoundException", cloud.ErrNotFound},
		{"DescribeNodegroup", "AccessDeniedException", cloud.ErrUnauthorized},
		{"TagResource", "NotFoundException", cloud.ErrNotFound},
		{"TagResource", "BadRequestException", cloud.ErrInvalid},
		{"TagResource", "AccessDeniedException", cloud.ErrUnauthorized},
	} {
		t.Run(test.action+" "+test.code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "blue", Desired: 3})
				up := w.listed("web/blue")
				status := 0
				if test.code == "ServiceUnavailableException" {
					status = 503
				}
				w.faults(awssim.Fault{Action: test.action, Kind: awssim.FaultError, Code: test.code, Status: status})
				wantClass(t, w.do(fleet.Stop, up, ""), test.want)
				if got := w.truth("web/blue").Desired; got != 3 {
					t.Errorf("%d nodes", got)
				}
			})
		})
	}
}

func TestAListingOfNodeGroupsIsWholeOrAnError(t *testing.T) {
	var entries []awssim.Resource
	for _, cluster := range []string{"web", "batch", "empty-of-tags"} {
		e := awssim.Resource{Cluster: cluster, Name: "nodes-###", Count: 115, State: "stopped"}
		if cluster == "empty-of-tags" {
			e.Tags = map[string]string{}
		}
		entries = append(entries, e)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newNodes(t, awssim.Options{}, entries...)
		for _, test := range []struct {
			query cloud.Query
			want  int
			calls map[string]int64
		}{
			{cloud.Query{TagKey: cloudtest.TagKey}, 230, map[string]int64{"tagging:GetResources": 3, "eks:DescribeNodegroup": 230}},
			{cloud.Query{TagKey: "Nobodys"}, 0, map[string]int64{"tagging:GetResources": 1}},
			{cloud.Query{}, 345, map[string]int64{"eks:ListClusters": 1, "eks:ListNodegroups": 6, "eks:DescribeNodegroup": 345}},
			{cloud.Query{IDs: []string{"web/nodes-001", "web/nodes-001", "web/nodes-999", "nowhere/nodes-001", "batch/nodes-115", "nonsense", "a/b/c", "/b", "a/"}}, 2, map[string]int64{"eks:DescribeNodegroup": 4}},
			{cloud.Query{IDs: []string{"empty-of-tags/nodes-001"}, TagKey: cloudtest.TagKey}, 0, map[string]int64{"eks:DescribeNodegroup": 1}},
			{cloud.Query{IDs: []string{}}, 0, map[string]int64{}},
		} {
			for _, faults := range [][]awssim.Fault{nil, {{Service: "*", Kind: awssim.FaultDuplicate}}} {
				w.faults(faults...)
				w.sim.ResetCalls()
				got, err := list(w.cloud, fleet.EKSNodegroup, test.query)
				if err != nil || len(got) != test.want {
					t.Errorf("%+v: %d node groups, want %d: %v", test.query, len(got), test.want, err)
				}
				calls := w.sim.Stats().ByAction
				delete(calls, "sts:GetCallerIdentity")
				if len(faults) == 0 && len(test.calls)+len(calls) > 0 {
					if diff := cmp.Diff(test.calls, calls); diff != "" {
						t.Errorf("%+v: %s", test.query, diff)
					}
				}
				time.Sleep(time.Minute)
			}
		}
		if n := w.sim.Stats().Throttled; n > 0 {
			t.Errorf("%d calls throttled", n)
		}
	})
	synctest.Test(t, func(t *testing.T) { // few, for the many ways in which a listing fails
		w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "nodes-##", Count: 12}, awssim.Resource{Cluster: "batch", Name: "nodes-###", Count: 101})
		// One that went away between the two calls is left out, and nothing else.
		w.faults(awssim.Fault{Action: "DescribeNodegroup", Resource: "nodes-07", Kind: awssim.FaultError, Code: "ResourceNotFoundException"})
		if got, err := list(w.cloud, fleet.EKSNodegroup, cloud.Query{TagKey: cloudtest.TagKey}); err != nil || len(got) != 112 {
			t.Errorf("%d node groups: %v", len(got), err)
		}
		// A cluster that went away takes its node groups with it.
		w.faults(awssim.Fault{Action: "ListNodegroups", Resource: "batch", Kind: awssim.FaultError, Code: "ResourceNotFoundException"})
		if got, err := list(w.cloud, fleet.EKSNodegroup, cloud.Query{}); err != nil || len(got) != 12 {
			t.Errorf("%d node groups: %v", len(got), err)
		}
		for action, query := range map[string]cloud.Query{"GetResources": {TagKey: cloudtest.TagKey}, "ListClusters": {}, "ListNodegroups": {}, "DescribeNodegroup": {}} {
			service := "eks"
			if action == "GetResources" {
				service = "tagging"
			}
			for _, kind := range []awssim.FaultKind{awssim.FaultEmpty, awssim.FaultHTML, awssim.FaultGarbage, awssim.FaultErrorIn200, awssim.FaultReset, awssim.FaultCut} {
				f := awssim.Fault{Service: service, Action: action, Kind: kind, Skip: 1} // the first page is good
				if action == "ListClusters" {
					f.Skip = 0
				}
				if kind == awssim.FaultErrorIn200 {
					f.Code = "ServerException"
				}
				w.faults(f)
				got, err := list(w.cloud, fleet.EKSNodegroup, query)
				if err == nil || got != nil {
					t.Errorf("%s %s: %d node groups and no error", action, kind, len(got))
				}
				wantClass(t, err, cloud.ErrTransient)
			}
			w.faults(awssim.Fault{Service: service, Action: action, Kind: awssim.FaultDenied})
			_, err := list(w.cloud, fleet.EKSNodegroup, query)
			wantClass(t, err, cloud.ErrUnauthorized)
			if groups, err := list(w.cloud, fleet.AutoScalingGroup, query); err != nil || query.TagKey == "" && len(groups) != 113 {
				t.Errorf("%s is denied, and of the other kinds %d are listed: %v", action, len(groups), err)
			}
			w.faults(awssim.Fault{Service: service, Action: action, Kind: awssim.FaultTokenLoop})
			if _, err := list(w.cloud, fleet.EKSNodegroup, query); err == nil && (action == "GetResources" || action == "ListNodegroups") {
				t.Errorf("%s: a listing without end ended", action)
			}
		}
	})
}

// All operations are held to draw on one bucket: a lane of stops beside one of starts, as a pass has them.
func TestAHundredNodeGroupsWithoutBeingThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNodes(t, awssim.Options{Latency: 50 * time.Millisecond}, awssim.Resource{Name: "up-##", Count: 50, Desired: 1},
			awssim.Resource{Name: "down-##", Count: 50, State: "stopped", Tags: map[string]string{cloudtest.TagKey: "office", fleet.TagSaved: "1-2-3"}})
		all, err := list(w.cloud, fleet.EKSNodegroup, cloud.Query{TagKey: cloudtest.TagKey})
		if err != nil || len(all) != 100 {
			t.Fatal(len(all), err)
		}
		time.Sleep(time.Minute)
		began := time.Now()
		done := make(chan error)
		for state, verb := range map[fleet.State]fleet.Verb{fleet.Running: fleet.Stop, fleet.Stopped: fleet.Start} {
			go func() {
				var err error
				for _, r := range all {
					if r.State == state && err == nil {
						err = w.do(verb, r, "1-2-3")
					}
				}
				done <- err
			}()
		}
		if err := errors.Join(<-done, <-done); err != nil {
			t.Error(err)
		}
		const floor = (100*3 - 30) / 5 * time.Second // three calls each, less what the bucket holds, at five a second
		if n, took := w.sim.Stats().Throttled, time.Since(began); n > 0 || took > floor+5*time.Second {
			t.Errorf("%d throttled, in %s", n, took)
		}
		for _, r := range all {
			if strings.Contains(r.ID, "up") {
				w.want("afterwards", r.ID, "0-0-1", "0-1-1")
			} else {
				w.want("afterwards", r.ID, "1-2-3", "")
			}
		}
	})
}

func TestInformationalTagsOfNodeGroupsAreInSignsThatEKSTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "blue"})
		r := w.listed("web/blue")
		w.must(w.cloud.Tag(t.Context(), testScope, r.Kind, []fleet.Resource{r}, map[string]string{fleet.TagError: "no room (AsgInstanceLaunchFailures); 50 %", fleet.TagLastAction: "stop"}))
		w.must(w.cloud.Tag(t.Context(), testScope, r.Kind, []fleet.Resource{r}, map[string]string{fleet.TagLastAction: ""}))
		want := map[string]string{cloudtest.TagKey: "office", fleet.TagError: "no room -AsgInstanceLaunchFailures-- 50 -"}
		if diff := cmp.Diff(want, w.truth("web/blue").Tags); diff != "" {
			t.Error(diff)
		}
	})
}

// By the documentation an operation that answers nothing has an empty body.
func TestAnEmptyAnswerOfATagIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNodes(t, awssim.Options{}, awssim.Resource{Name: "blue", Desired: 2})
		w.faults(awssim.Fault{Action: "*agResource", Kind: awssim.FaultEmpty, Applied: true})
		w.must(w.do(fleet.Stop, w.listed("web/blue"), ""))
		w.want("stopped", "web/blue", "0-0-1", "0-2-2")
		time.Sleep(time.Hour)
		w.must(w.do(fleet.Start, w.listed("web/blue"), "0-2-2"))
		w.want("started", "web/blue", "0-2-2", "")
	})
}
