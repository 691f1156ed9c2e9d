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
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/google/go-cmp/cmp"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

// shop is a service in the test's scope that three tasks run, one to nine.
func shop(change func(*awssim.Resource)) awssim.Resource {
	r := awssim.Resource{
		Account: string(hub), Region: "eu-central-1", Kind: "ecs", Cluster: "web", Name: "shop", Desired: 3, Min: 1, Max: 9,
		Tags: map[string]string{cloudtest.TagKey: "office"},
	}
	if change != nil {
		change(&r)
	}
	return r
}

// ecsWorld is a simulated AWS with services in it.
type ecsWorld struct {
	*testing.T
	c   *Cloud
	sim *awssim.Cloud
}

func ecs(t *testing.T, resources ...awssim.Resource) ecsWorld {
	t.Helper()
	c, sim := simulate(t, awssim.Options{}, resources, nil)
	return ecsWorld{t, c, sim}
}

func (w ecsWorld) faults(list ...awssim.Fault) {
	w.Helper()
	if err := w.sim.SetFaults(list); err != nil {
		w.Fatal(err)
	}
}

// listed is the service as a listing shows it.
func (w ecsWorld) listed(id string) fleet.Resource {
	w.Helper()
	resources, err := list(w.c, fleet.ECSService, cloud.Query{TagKey: cloudtest.TagKey})
	if err != nil {
		w.Fatal(err)
	}
	i := slices.IndexFunc(resources, func(r fleet.Resource) bool { return r.ID == id })
	if i < 0 {
		w.Fatalf("%s is not listed", id)
	}
	return resources[i]
}

// truth is the service as it is.
func (w ecsWorld) truth(id string) awssim.Service {
	w.Helper()
	for _, s := range w.sim.Services(string(hub), "eu-central-1") {
		if s.ID == id {
			return s
		}
	}
	w.Fatalf("%s is not there", id)
	return awssim.Service{}
}

// do makes one call with the size that the rules would choose.
func (w ecsWorld) do(verb fleet.Verb, r fleet.Resource, size string) error {
	w.Helper()
	if _, err := w.c.Reserve(w.Context(), r.Scope, r.Kind, verb, 1); err != nil {
		w.Fatal(err)
	}
	return w.c.Do(w.Context(), r.Scope, r.Kind, verb, []cloud.Target{{Resource: r, Size: size}})
}

func (w ecsWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// is compares what the service has come to.
func (w ecsWorld) is(what string, desired int, suspended []string, saved string) {
	w.Helper()
	s := w.truth("web/shop")
	if s.Desired != desired || !slices.Equal(s.Suspended, suspended) || s.Tags[fleet.TagSaved] != saved {
		w.Errorf("%s: %d tasks, suspended %v, saved %q; want %d, %v, %q", what, s.Desired, s.Suspended, s.Tags[fleet.TagSaved], desired, suspended, saved)
	}
}

// suspend sets what is suspended as its owner would.
func (w ecsWorld) suspend(id string, kinds ...string) {
	w.Helper()
	api := scaling.NewFromConfig(sdk.Config{
		Region: "eu-central-1", BaseEndpoint: sdk.String("http://sim.invalid"), HTTPClient: &http.Client{Transport: w.sim.Transport()},
		Credentials: credentials.NewStaticCredentialsProvider(string(hub), "secret", ""),
	})
	_, err := api.RegisterScalableTarget(w.Context(), &scaling.RegisterScalableTargetInput{
		ServiceNamespace: types.ServiceNamespaceEcs, ScalableDimension: types.ScalableDimensionECSServiceDesiredCount, ResourceId: sdk.String("service/" + id),
		SuspendedState: &types.SuspendedState{
			DynamicScalingInSuspended: sdk.Bool(slices.Contains(kinds, "in")), DynamicScalingOutSuspended: sdk.Bool(slices.Contains(kinds, "out")),
			ScheduledScalingSuspended: sdk.Bool(slices.Contains(kinds, "scheduled")),
		},
	})
	w.must(err)
}

var everything = []string{"in", "out", "scheduled"}

// owners are what the owner of a service may have suspended himself, with what is written down of it.
var owners = map[string][]string{"1-3-9": nil, "1-3-9 suspended=in": {"in"}, "1-3-9 suspended=out+scheduled": {"out", "scheduled"}, "1-3-9 suspended=in+out+scheduled": everything}

// A process may end after any call, and any answer may get lost. What was
// begun is then begun again, and comes to the same end.
func TestAStopOrStartOfAServiceThatIsCutOffAnywhereComesToTheSameEnd(t *testing.T) {
	for saved, own := range owners {
		for _, verb := range []fleet.Verb{fleet.Stop, fleet.Start} {
			for _, at := range []string{"TagResource", "RegisterScalableTarget", "UpdateService", "UntagResource"} {
				for _, applied := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, %s cut off at %s, applied %v", saved, verb, at, applied), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							w := ecs(t, shop(func(r *awssim.Resource) { r.Suspended = own }))
							cut := awssim.Fault{Action: at, Kind: awssim.FaultDenied, Applied: applied}
							before := w.listed("web/shop")
							if verb == fleet.Stop {
								w.faults(cut)
							}
							err := w.do(fleet.Stop, before, "")
							w.faults()
							made := count(w.sim, at) > 0
							if verb == fleet.Stop && made != (err != nil) {
								t.Fatalf("cut off: %v", err)
							}
							now := w.listed("web/shop")
							if err != nil && (at != "UpdateService" || !applied) && now.State != fleet.Running {
								t.Errorf("cut off before its end it is %s: nobody would stop it", now.State)
							}
							w.must(w.do(fleet.Stop, now, ""))
							w.is("stopped", 0, everything, saved)
							w.must(w.do(fleet.Stop, before, "")) // on old news
							w.is("stopped once more", 0, everything, saved)
							time.Sleep(time.Hour)
							if n := w.truth("web/shop").Running; n != 0 {
								t.Errorf("%d tasks run", n)
							}
							down := w.listed("web/shop")
							if down.State != fleet.Stopped || down.Size != "" || down.Held {
								t.Errorf("stopped it is %+v", down)
							}

							w.sim.ResetCalls()
							if verb == fleet.Start {
								w.faults(cut)
							}
							err = w.do(fleet.Start, down, down.Tags[fleet.TagSaved])
							w.faults()
							if verb == fleet.Start && (count(w.sim, at) > 0) != (err != nil) {
								t.Fatalf("cut off: %v", err)
							}
							time.Sleep(time.Hour)
							now = w.listed("web/shop")
							complete := w.truth("web/shop").Desired == 3 && slices.Equal(w.truth("web/shop").Suspended, own)
							if !complete && now.State == fleet.Running && !now.Held {
								t.Error("cut off before its end it looks as if all were done")
							}
							w.must(w.do(fleet.Start, now, now.Tags[fleet.TagSaved]))
							w.is("started", 3, own, "")
							w.must(w.do(fleet.Start, down, down.Tags[fleet.TagSaved])) // on old news
							w.is("started once more", 3, own, "")
							time.Sleep(time.Hour)
							if up := w.listed("web/shop"); up.State != fleet.Running || up.Size != "1-3-9" || up.Held || w.truth("web/shop").Running != 3 {
								t.Errorf("started it is %+v", up)
							}
						})
					})
				}
			}
		}
	}
}

// count is how often the simulator was asked for an action.
func count(sim *awssim.Cloud, action string) (n int) {
	for _, call := range sim.Calls() {
		if call.Action == action {
			n++
		}
	}
	return n
}

func TestNothingScalesAServiceWhileItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ecs(t, shop(nil))
		before := w.listed("web/shop")
		// Its policy scaled it after the listing: five come back, not three.
		if changed, err := w.sim.AutoScaleService(string(hub), "eu-central-1", "web/shop", 5); err != nil || !changed {
			t.Fatal(changed, err)
		}
		w.must(w.do(fleet.Stop, before, ""))
		w.is("stopped", 0, everything, "1-5-9")
		for range 3 {
			time.Sleep(time.Hour)
			if changed, err := w.sim.AutoScaleService(string(hub), "eu-central-1", "web/shop", 4); err != nil || changed {
				t.Fatal("its policy starts it", err)
			}
		}
		w.must(w.do(fleet.Start, w.listed("web/shop"), "1-5-9"))
		w.is("started", 5, nil, "")
		if changed, err := w.sim.AutoScaleService(string(hub), "eu-central-1", "web/shop", 4); err != nil || !changed {
			t.Error("its policy no longer scales it", err)
		}
	})
}

func TestAServiceIsStartedWithTheSizeThatCounts(t *testing.T) {
	for _, test := range []struct {
		name, size string
		change     func(*awssim.Resource)
		want       string
	}{
		{"a number", "4", nil, "1-4-9"},
		{"with bounds that were learned", "2-4-6", nil, "1-4-9"},
		{"with bounds that its owner wants", "2-4-6", func(r *awssim.Resource) { r.Tags[fleet.TagSize] = "2-4-6" }, "2-4-6"},
		{"the same under the other name", "2-4-6", func(r *awssim.Resource) { r.Tags[fleet.TagMinDesiredMax] = " 2-4-6 " }, "2-4-6"},
		{"nobody knows", "", nil, "1-1-9"},
		{"nobody knows, but its bounds", "", func(r *awssim.Resource) { r.Min = 2 }, "2-2-9"},
		{"without scaling", "4", func(r *awssim.Resource) { r.Min, r.Max = 0, 0 }, "4"},
		{"without scaling any more", "2-4-6", func(r *awssim.Resource) { r.Min, r.Max = 0, 0 }, "4"},
		{"saved with what was suspended", "1-4-9 suspended=in", nil, "1-4-9"},
		{"outside the bounds of now", "1-12-20", nil, "1-9-9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := ecs(t, shop(test.change))
				w.must(w.do(fleet.Stop, w.listed("web/shop"), ""))
				time.Sleep(time.Hour)
				w.must(w.do(fleet.Start, w.listed("web/shop"), test.size))
				time.Sleep(time.Hour)
				if got := w.listed("web/shop"); got.Size != test.want || got.State != fleet.Running || got.Held {
					t.Errorf("it is %s of size %s (held: %v), want %s", got.State, got.Size, got.Held, test.want)
				}
			})
		})
	}
}

func TestWhatPeopleDoToAServiceMeanwhileIsRespected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ecs(t, shop(nil))
		w.must(w.do(fleet.Stop, w.listed("web/shop"), ""))
		w.must(w.sim.ScaleService(string(hub), "eu-central-1", "web/shop", 2))
		time.Sleep(time.Hour)
		up := w.listed("web/shop")
		if up.State != fleet.Running || up.Size != "1-2-9" || !up.Held {
			t.Errorf("brought up by hand it is %s of size %s, held: %v", up.State, up.Size, up.Held)
		}
		w.must(w.do(fleet.Start, up, up.Tags[fleet.TagSaved]))
		w.is("a person's number, with its scaling again", 2, nil, "")
	})
	synctest.Test(t, func(t *testing.T) {
		w := ecs(t, shop(func(r *awssim.Resource) { r.Suspended, r.Min = []string{"out"}, 0 }))
		w.must(w.do(fleet.Stop, w.listed("web/shop"), ""))
		w.suspend("web/shop", "out", "scheduled") // its owner thinks again while it is stopped
		w.must(w.do(fleet.Start, w.listed("web/shop"), "3"))
		w.is("started", 3, []string{"out", "scheduled"}, "")
	})
	synctest.Test(t, func(t *testing.T) {
		w := ecs(t, shop(func(r *awssim.Resource) { r.Suspended = everything }))
		w.must(w.do(fleet.Stop, w.listed("web/shop"), ""))
		w.must(w.do(fleet.Start, w.listed("web/shop"), "3"))
		w.is("started", 3, everything, "")
		if n := count(w.sim, "RegisterScalableTarget"); n != 0 {
			t.Errorf("its owner had suspended everything, and its target was changed %d times", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := ecs(t, shop(nil))
		w.must(w.do(fleet.Stop, w.listed("web/shop"), ""))
		// A tag that says nothing is no licence to resume what its owner suspended.
		down := w.listed("web/shop")
		w.must(w.c.Tag(t.Context(), down.Scope, down.Kind, []fleet.Resource{down}, map[string]string{fleet.TagSaved: "1-3-9 suspended=perhaps"}))
		w.must(w.do(fleet.Start, down, "3"))
		w.is("started", 3, everything, "")
	})
}

func TestServicesThatAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ecs(
			t, shop(nil),
			shop(func(r *awssim.Resource) { r.Name, r.Scheduling, r.Min, r.Max = "agent", "DAEMON", 0, 0 }),
			shop(func(r *awssim.Resource) { r.Name, r.Controller = "rolled", "EXTERNAL" }),
			shop(func(r *awssim.Resource) { r.Name, r.Controller = "blue", "CODE_DEPLOY" }),
		)
		for name, want := range map[string]fleet.Bar{"web/shop": fleet.NoBar, "web/agent": fleet.DaemonService, "web/rolled": fleet.ExternalDeployer, "web/blue": fleet.NoBar} {
			got := w.listed(name)
			if got.Bar != want || got.State != fleet.Running {
				t.Errorf("%s: %s, bar %q", name, got.State, got.Bar)
			}
			if err := w.do(fleet.Stop, got, ""); want == fleet.NoBar != (err == nil) || err != nil && !errors.Is(err, cloud.ErrUnsupported) {
				t.Errorf("stop %s: %v", name, err)
			}
		}
		w.must(w.sim.DeployService(string(hub), "eu-central-1", "web/shop"))
		busy := w.listed("web/shop")
		if busy.State != fleet.Other || !strings.Contains(busy.Native, "deployment in progress") {
			t.Errorf("while it is deployed it is %s (%s)", busy.State, busy.Native)
		}
		w.sim.ResetCalls()
		for _, verb := range []fleet.Verb{fleet.Start, fleet.Stop} {
			err := w.do(verb, busy, "3")
			var member *cloud.MemberError
			if !errors.Is(err, cloud.ErrWrongState) || !errors.As(err, &member) || member.IDs[0] != "web/shop" {
				t.Errorf("%s while it is deployed: %v", verb, err)
			}
		}
		if n := w.sim.Stats().Mutating; n != 0 {
			t.Errorf("%d calls that change something", n)
		}
	})
}

// A start is done when its tasks run; one that never gets them is not hidden,
// and does not run through the night because of it.
func TestAServiceWithoutItsTasksIsStartingForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ecs(t, shop(func(r *awssim.Resource) { r.State, r.StartError = "stopped", "RESOURCE.MEMORY" }))
		w.must(w.do(fleet.Start, w.listed("web/shop"), "3"))
		time.Sleep(fleet.ECSService.Traits().Arrival + time.Minute)
		got := w.listed("web/shop")
		if got.State != fleet.Starting || got.Native != "ACTIVE, 0 of 3 tasks" || !strings.Contains(got.StateReason, "unable to place a task") {
			t.Errorf("when its start has failed it is %s (%s): %s", got.State, got.Native, got.StateReason)
		}
		time.Sleep(time.Hour)
		if got = w.listed("web/shop"); got.State != fleet.Running {
			t.Errorf("an hour later it is %s", got.State)
		}
		w.must(w.do(fleet.Stop, got, ""))
	})
	synctest.Test(t, func(t *testing.T) {
		w := ecs(t, shop(nil))
		w.must(w.do(fleet.Stop, w.listed("web/shop"), ""))
		if got := w.listed("web/shop"); got.State != fleet.Stopping || got.Native != "ACTIVE, 3 tasks left" {
			t.Errorf("right after its stop it is %s (%s)", got.State, got.Native)
		}
		time.Sleep(time.Minute)
		w.must(w.do(fleet.Start, w.listed("web/shop"), "3"))
		if got := w.listed("web/shop"); got.State != fleet.Starting {
			t.Errorf("right after its start it is %s", got.State)
		}
	})
}

func TestAListingOfServicesIsWholeOrAnError(t *testing.T) {
	var resources []awssim.Resource
	for _, cluster := range []string{"web", "batch", "empty-of-tags"} {
		resources = append(resources, shop(func(r *awssim.Resource) {
			r.Cluster, r.Name, r.Count = cluster, "shop-###", 115
			if cluster == "empty-of-tags" {
				r.Tags = nil
			}
		}))
	}
	synctest.Test(t, func(t *testing.T) {
		w := ecs(t, resources...)
		for _, test := range []struct {
			query cloud.Query
			want  int
			calls map[string]int64
		}{
			{cloud.Query{TagKey: cloudtest.TagKey}, 230, map[string]int64{"tagging:GetResources": 3, "ecs:DescribeServices": 24, "application-autoscaling:DescribeScalableTargets": 5}},
			{cloud.Query{TagKey: "Nobodys"}, 0, map[string]int64{"tagging:GetResources": 1}},
			{cloud.Query{}, 345, map[string]int64{"ecs:ListClusters": 1, "ecs:ListServices": 6, "ecs:DescribeServices": 36, "application-autoscaling:DescribeScalableTargets": 7}},
			{cloud.Query{IDs: []string{"web/shop-001", "web/shop-999", "nowhere/shop-001", "batch/shop-115", "nonsense", "a/b/c"}}, 2, map[string]int64{"ecs:DescribeServices": 3, "application-autoscaling:DescribeScalableTargets": 1}},
			{cloud.Query{IDs: []string{"empty-of-tags/shop-001"}, TagKey: cloudtest.TagKey}, 0, map[string]int64{"ecs:DescribeServices": 1}},
		} {
			for _, faults := range [][]awssim.Fault{nil, {{Kind: awssim.FaultDuplicate}}} {
				w.faults(faults...)
				w.sim.ResetCalls()
				got, err := list(w.c, fleet.ECSService, test.query)
				if err != nil || len(got) != test.want {
					t.Errorf("%+v: %d services, want %d: %v", test.query, len(got), test.want, err)
				}
				calls := w.sim.Stats().ByAction
				delete(calls, "sts:GetCallerIdentity")
				if diff := cmp.Diff(test.calls, calls); diff != "" {
					t.Errorf("%+v: %s", test.query, diff)
				}
				time.Sleep(time.Minute)
			}
		}
		if n := w.sim.Stats().Throttled; n > 0 {
			t.Errorf("%d calls throttled", n)
		}
		w.faults(awssim.Fault{Action: "DescribeServices", Kind: awssim.FaultMissing, Skip: 7, Count: 1})
		_, err := list(w.c, fleet.ECSService, cloud.Query{TagKey: cloudtest.TagKey})
		wantClass(t, err, cloud.ErrTransient)
		for action, query := range map[string]cloud.Query{"GetResources": {TagKey: cloudtest.TagKey}, "ListClusters": {}, "ListServices": {}, "DescribeServices": {}, "DescribeScalableTargets": {}} {
			for _, kind := range []awssim.FaultKind{awssim.FaultEmpty, awssim.FaultHTML, awssim.FaultGarbage, awssim.FaultErrorIn200, awssim.FaultReset, awssim.FaultCut} {
				f := awssim.Fault{Action: action, Kind: kind, Skip: 1} // the first page is good
				if action == "ListClusters" {
					f.Skip = 0
				}
				if kind == awssim.FaultErrorIn200 {
					f.Code = "ServerException"
				}
				w.faults(f)
				got, err := list(w.c, fleet.ECSService, query)
				if err == nil || got != nil {
					t.Errorf("%s %s: %d services and no error", action, kind, len(got))
				}
				wantClass(t, err, cloud.ErrTransient)
			}
			w.faults(awssim.Fault{Action: action, Kind: awssim.FaultDenied})
			_, err := list(w.c, fleet.ECSService, query)
			wantClass(t, err, cloud.ErrUnauthorized)
			w.faults(awssim.Fault{Action: action, Kind: awssim.FaultTokenLoop})
			if _, err := list(w.c, fleet.ECSService, query); err == nil && (action == "GetResources" || action == "ListServices") {
				t.Errorf("%s: a listing without end ended", action)
			}
		}
	})
}

func TestRefusalsOfECSBecomeErrorsOfTheContract(t *testing.T) {
	for _, test := range []struct {
		service, action, code string
		want                  error
	}{
		{"ecs", "UpdateService", "ServiceNotFoundException", cloud.ErrNotFound},
		{"ecs", "UpdateService", "ClusterNotFoundException", cloud.ErrNotFound},
		{"ecs", "UpdateService", "ServiceNotActiveException", cloud.ErrWrongState},
		{"ecs", "UpdateService", "InvalidParameterException", cloud.ErrInvalid},
		{"ecs", "UpdateService", "AccessDeniedException", cloud.ErrUnauthorized},
		{"ecs", "UpdateService", "ThrottlingException", cloud.ErrThrottled},
		{"ecs", "UpdateService", "ServerException", cloud.ErrTransient},
		{"ecs", "TagResource", "ResourceNotFoundException", cloud.ErrNotFound},
		{"ecs", "TagResource", "InvalidParameterException", cloud.ErrInvalid},
		{"application-autoscaling", "RegisterScalableTarget", "ObjectNotFoundException", cloud.ErrNotFound},
		{"application-autoscaling", "RegisterScalableTarget", "ValidationException", cloud.ErrInvalid},
		{"application-autoscaling", "RegisterScalableTarget", "ConcurrentUpdateException", cloud.ErrTransient},
		{"application-autoscaling", "DescribeScalableTargets", "ThrottlingException", cloud.ErrThrottled},
	} {
		t.Run(test.action+" "+test.code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := ecs(t, shop(nil))
				up := w.listed("web/shop")
				w.faults(awssim.Fault{Service: test.service, Action: test.action, Kind: awssim.FaultError, Code: test.code})
				wantClass(t, w.do(fleet.Stop, up, ""), test.want)
				if got := w.truth("web/shop").Desired; got != 3 {
					t.Errorf("%d tasks", got)
				}
			})
		})
	}
}

// A hundred services with scaling go down and come back in the time that the
// limits ask for, and no call too many is made.
func TestManyServicesAreStoppedAtTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		w := ecs(t, shop(func(r *awssim.Resource) { r.Name, r.Count = "shop-###", n }))
		up, err := list(w.c, fleet.ECSService, cloud.Query{TagKey: cloudtest.TagKey})
		if err != nil || len(up) != n {
			t.Fatal(len(up), err)
		}
		began := time.Now()
		for _, r := range up {
			w.must(w.do(fleet.Stop, r, ""))
		}
		// Two calls of Application Auto Scaling each, 20 at once and 5 a second.
		if took, floor := time.Since(began), (2*n-20)/5*time.Second; took > floor+floor/50+time.Second {
			t.Errorf("took %s, the limits ask for %s", took, floor)
		}
		if stats := w.sim.Stats(); stats.Throttled > 0 || stats.ByAction["ecs:UpdateService"] != n {
			t.Errorf("%+v", stats)
		}
	})
}

func TestInformationalTagsOfServicesAreInSignsThatECSTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ecs(t, shop(nil))
		r := w.listed("web/shop")
		w.must(w.c.Tag(t.Context(), r.Scope, r.Kind, []fleet.Resource{r}, map[string]string{
			fleet.TagError: "no room (RESOURCE:MEMORY); \"전원\", 50 %\n" + strings.Repeat("x", 300),
		}))
		want := "no room -RESOURCE:MEMORY-- -전원-- 50 - "
		if got := w.truth("web/shop").Tags[fleet.TagError]; !strings.HasPrefix(got, want+"x") || len([]rune(got)) != 255 {
			t.Errorf("wrote %q", got)
		}
	})
}
