package pass_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// onTheWay sees each request on its way to AWS, and may answer it itself.
type onTheWay struct {
	next http.RoundTripper
	// before is asked first: an answer or an error takes the place of AWS's.
	before func(action string, form url.Values, r *http.Request) (*http.Response, error)
	// after may change AWS's answer.
	after func(action string, answer *http.Response)
}

func (o *onTheWay) RoundTrip(r *http.Request) (*http.Response, error) {
	form, err := peekForm(r)
	if err != nil {
		return nil, err
	}
	action := form.Get("Action")
	if o.before != nil {
		if answer, err := o.before(action, form, r); answer != nil || err != nil {
			return answer, err
		}
	}
	answer, err := o.next.RoundTrip(r)
	if err == nil && o.after != nil {
		o.after(action, answer)
	}
	return answer, err
}

// through puts something between the process and AWS.
func (w *world) through(o *onTheWay) {
	w.t.Helper()
	o.next = w.sim.Transport()
	w.cloud = w.connect(o)
}

// succeeded are the calls of an action that AWS carried out and answered, in their order.
func (w *world) succeeded(action string) []awssim.Call {
	return slices.DeleteFunc(w.sim.Calls(), func(c awssim.Call) bool {
		return c.Action != action || c.Code != "" || c.Status != http.StatusOK || c.Fault != ""
	})
}

// once checks that an action was carried out once on each of so many resources.
func (w *world) once(when, action string, resources int) {
	w.t.Helper()
	times := map[string]int{}
	for _, call := range w.succeeded(action) {
		for _, id := range call.Resources {
			times[id]++
		}
	}
	if len(times) != resources {
		w.t.Errorf("%s: %s of %d resources, want %d", when, action, len(times), resources)
	}
	for id, n := range times {
		if n != 1 {
			w.t.Errorf("%s: %s of %s was carried out %d times", when, action, id, n)
		}
	}
}

// quiet checks that nothing was recorded or told as a failure.
func (w *world) quiet(when string, reports []pass.Report) {
	w.t.Helper()
	if rows := w.rows(store.EventFailed); len(rows) > 0 {
		w.t.Errorf("%s: recorded as failures: %+v", when, rows)
	}
	if told := lines(reports, notify.Failed); len(told) > 0 {
		w.t.Errorf("%s: people were told of failures: %q", when, told)
	}
}

// all counts the resources of the fleet in a state, by the beginning of their names.
func (w *world) all(prefix, state string) (n int) {
	for name, is := range w.states() {
		if strings.HasPrefix(name, prefix) && is == state {
			n++
		}
	}
	return n
}

// However AWS throttles, nothing is lost and nothing done twice; the calls come
// at the pace that it allows, or asks for.
func TestFault21BurstsOfThrottling(t *testing.T) {
	for _, test := range []struct {
		name       string
		neighbour  float64
		fault      string
		retryAfter time.Duration // that AWS asks for
		throttled  int64         // at most
	}{
		{name: "a burst at nine", fault: "- {kind: throttle, service: ec2, count: 12}", throttled: 12},
		{name: "of the starts alone", fault: "- {kind: throttle, action: StartInstances, count: 8}", throttled: 8},
		{name: "of a third of all calls", fault: "- {kind: throttle, probability: 0.34, until: 20m}", throttled: 500},
		{name: "AWS says when to come back", fault: "- {kind: throttle, action: 'StartInstances', count: 3}", retryAfter: 7 * time.Second, throttled: 3},
		{name: "somebody uses up half of all buckets", neighbour: 0.5, throttled: 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T08:59:00+08:00")
				const many, databases = 1100, 20
				db := at("cn-north-1", shop, "rds", "db-#", "stopped", nil)
				db.Count = databases
				w := newWorldOver(t, awssim.Options{Seed: 3, Limits: awssim.Limits{Neighbour: test.neighbour}}, office(t, nil),
					awssim.Fleet{Resources: []awssim.Resource{herd("web", "stopped", many, nil), db}})
				w.scopes = beijing
				var tries []time.Time // of starting instances
				w.through(&onTheWay{after: func(action string, answer *http.Response) {
					if action == "StartInstances" {
						tries = append(tries, time.Now())
						if answer.StatusCode == http.StatusServiceUnavailable && test.retryAfter > 0 {
							answer.Header.Set("Retry-After", fmt.Sprint(test.retryAfter.Seconds()))
						}
					}
				}})
				w.run()
				time.Sleep(time.Until(clockTime(5, 9, 0)))
				w.sim.ResetCalls()
				w.faults(test.fault)
				reports := w.live(clockTime(5, 9, 40))
				if n, m := w.all("web", "running"), w.all("db", "available"); n != many || m != databases {
					t.Errorf("%d of %d instances and %d of %d databases run", n, many, m, databases)
				}
				w.once("the morning", "StartInstances", many)
				w.once("the morning", "StartDBInstance", databases)
				w.quiet("the morning", reports)
				if n := w.sim.Stats().Throttled; n < 1 || n > test.throttled {
					t.Errorf("%d calls were throttled, want 1 to %d", n, test.throttled)
				}
				for i := 1; i < len(tries) && i <= 3; i++ {
					if gap := tries[i].Sub(tries[i-1]); gap < test.retryAfter {
						t.Errorf("try %d came %v after a refusal that asked for %v", i+1, gap, test.retryAfter)
					}
				}
			})
		})
	}
}

// A start of a thousand in which some cannot be started: the call names them, and
// is made again without them, once for each refusal at most.
func TestFault24BadMembersOfABatch(t *testing.T) {
	const good = 990
	for _, test := range []struct {
		name string
		bad  []string // names, apart from the good ones
		make func(*awssim.Resource)
		// refuse makes AWS refuse what names them; the text may say %[1]s and %[2]s, the ids.
		refuse string
		calls  int64 // in the first pass, at most
		reason string
		falls  bool // only after AWS has taken the start
	}{
		{name: "two that are gone, named by one answer", bad: []string{"gone-a", "gone-b"}, calls: 2, reason: "InvalidInstanceID.NotFound", refuse: "" +
			"- {kind: error, action: StartInstances, resource: %[1]s, code: InvalidInstanceID.NotFound, message: \"The instance IDs '%[1]s, %[2]s' do not exist\"}\n" +
			"- {kind: error, action: StartInstances, resource: %[2]s, code: InvalidInstanceID.NotFound, message: \"The instance IDs '%[1]s, %[2]s' do not exist\"}"},
		{name: "in another state, one named at a time", bad: []string{"odd-a", "odd-b", "odd-c"}, calls: 4, reason: "IncorrectInstanceState", refuse: "- {kind: cannot-start, resource: 'odd-*'}"},
		{name: "without a root volume", bad: []string{"broken"}, make: func(r *awssim.Resource) { r.Root = "missing" }, calls: 2, reason: "does not have a volume attached at root"},
		{name: "whose volume is encrypted with a key that is off", bad: []string{"sealed"}, make: func(r *awssim.Resource) { r.StartError = "Client.InvalidKMSKey.InvalidState" }, calls: 1, reason: "Client.InvalidKMSKey.InvalidState", falls: true},
		{name: "whose volume it may not decrypt, nobody named", bad: []string{"locked"}, calls: 1 + 2*10, reason: "UnauthorizedOperation", refuse: "- {kind: denied, action: StartInstances, resource: %[1]s}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T08:59:00+08:00")
				resources := []awssim.Resource{herd("web", "stopped", good, nil)}
				for _, name := range test.bad {
					r := at("cn-north-1", shop, "ec2", name, "stopped", nil)
					if test.make != nil {
						test.make(&r)
					}
					resources = append(resources, r)
				}
				w := newWorld(t, office(t, nil), resources...)
				w.scopes = beijing
				w.run()
				if test.refuse != "" {
					ids := []any{}
					for _, name := range test.bad {
						ids = append(ids, w.id(name))
					}
					text := test.refuse
					if strings.Contains(text, "%[") {
						text = fmt.Sprintf(text, ids...)
					}
					w.faults(text)
				}
				time.Sleep(time.Until(clockTime(5, 9, 0)))
				w.sim.ResetCalls()
				first := w.run()
				accepted := good
				if test.falls {
					accepted += len(test.bad)
				}
				if first.Run.Counts.Started != accepted || first.Run.Counts.Failed != len(test.bad)+good-accepted {
					t.Errorf("the first pass: %+v", first.Run.Counts)
				}
				if n := w.sim.Stats().ByAction["ec2:StartInstances"]; n > test.calls {
					t.Errorf("%d calls, want %d at most", n, test.calls)
				}
				w.live(clockTime(5, 9, 2))
				if n := w.all("web", "running"); n != good {
					t.Errorf("%d of %d run", n, good)
				}
				for name, n := range w.acted("StartInstances") {
					if n != 1 && !slices.Contains(test.bad, name) {
						t.Errorf("%s was started %d times", name, n)
					}
				}
				for _, name := range test.bad {
					if m := w.memory(name); m.Last != decide.StartFailed || !strings.Contains(m.LastError, test.reason) {
						t.Errorf("%s: %s, %q", name, m.Last, m.LastError)
					}
				}
			})
		})
	}
}

// What one account may not do is that account's trouble: the others go on, it is
// said once, and AWS is not asked for it again and again.
func TestFault25AnAccountThatMayNot(t *testing.T) {
	for _, test := range []struct {
		name, fault string
		seen        bool  // the account can be listed
		calls       int64 // of the account in eight hours, at most
		told        string
	}{
		{"start", "- {kind: denied, account: '" + china + "', action: Start*}", true, 2 * (40 + 4*5), "the permission ec2:StartInstances is missing"},
		{"list", "- {kind: denied, account: '" + china + "'}", false, 2 * 400, "not authorized: the permission"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T08:59:00+08:00")
				w := newWorld(t, office(t, nil), officeFleet()...)
				w.run()
				w.faults(test.fault)
				reports := w.live(clockTime(5, 17, 0))
				w.expect("the account that may", map[string]string{"bj-web": "running", "nx-web": "running", "bj-db": "available"})
				w.expect("the account that may not", map[string]string{"bj-app": "stopped", "nx-db": "stopped"})
				var denied int64
				for _, call := range w.sim.Calls() {
					if call.Account == china && call.Fault == "denied" {
						denied++
					}
				}
				if denied == 0 || denied > test.calls {
					t.Errorf("%d calls were refused in eight hours, want %d at most", denied, test.calls)
				}
				kind := notify.Failed
				if !test.seen {
					kind = notify.Gap
				}
				told := lines(reports, kind)
				if len(told) != 2 || !strings.Contains(strings.Join(told, "\n"), test.told) {
					t.Errorf("people were told %q, want it once for each of its two regions", told)
				}
				for _, region := range []fleet.Region{"cn-north-1", "cn-northwest-1"} {
					kept, err := w.store.ScopeMemory(t.Context(), fleet.Scope{Account: china, Region: region})
					if err != nil || kept.Breaker.Quarantined() == test.seen || !test.seen && kept.Breaker.Trouble != decide.NotAuthorized {
						t.Errorf("%s is remembered as %+v, %v", region, kept.Breaker, err)
					}
				}
				w.faults("")
				w.live(clockTime(5, 17, 50))
				w.expect("once it may", map[string]string{"bj-app": "running", "nx-db": "available"})
				w.verify()
			})
		})
	}
}

// Between two states nothing can be done: it is looked at again until it can, and
// nobody hears of a failure.
func TestFault26BetweenTwoStates(t *testing.T) {
	person := func(w *world, do func(id string) error, name string) {
		w.t.Helper()
		if err := do(w.id(name)); err != nil {
			w.t.Fatal(err)
		}
	}
	database := func(w *world, do func(account, region, id string) error, name string) {
		w.t.Helper()
		if err := do(shop, "cn-north-1", name); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name      string
		instant   time.Time // the boundary
		state     string    // before
		database  string
		meanwhile func(w *world) // five seconds before the boundary
		between   [2]string      // the states at the boundary
		want      map[string]string
		calls     map[string]int
	}{
		{
			name: "stopping as it should start", instant: clockTime(5, 9, 0), state: "running", database: "available", between: [2]string{"stopping", "stopping"},
			meanwhile: func(w *world) { person(w, w.sim.StopInstance, "web"); database(w, w.sim.StopDatabase, "db") },
			want:      map[string]string{"web": "running", "db": "available"}, calls: map[string]int{"StartInstances": 1, "StartDBInstance": 1},
		},
		{
			name: "pending as it should stop", instant: clockTime(5, 18, 0), state: "stopped", database: "stopped", between: [2]string{"pending", "starting"},
			meanwhile: func(w *world) { person(w, w.sim.StartInstance, "web"); database(w, w.sim.StartDatabase, "db") },
			want:      map[string]string{"web": "stopped", "db": "stopped"}, calls: map[string]int{"StopInstances": 1, "StopDBInstance": 1},
		},
		{
			name: "shutting down for good as it should stop", instant: clockTime(5, 18, 0), state: "running", database: "available", between: [2]string{"shutting-down", "stopping"},
			meanwhile: func(w *world) { person(w, w.sim.TerminateInstance, "web"); database(w, w.sim.StopDatabase, "db") },
			want:      map[string]string{"web": "terminated", "db": "stopped"}, calls: map[string]int{},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, test.instant.Add(-time.Minute).Format(time.RFC3339))
				book := office(t, func(s *policy.Schedule) { s.Enforced = strings.HasPrefix(test.name, "pending") }) // or a person's start would be respected
				w := newWorld(t, book, at("cn-north-1", shop, "ec2", "web", test.state, nil), at("cn-north-1", shop, "rds", "db", test.database, nil))
				w.scopes = beijing
				time.Sleep(time.Until(test.instant.Add(-5 * time.Second)))
				test.meanwhile(w)
				time.Sleep(time.Until(test.instant))
				w.expect("at the boundary", map[string]string{"web": test.between[0], "db": test.between[1]})
				w.sim.ResetCalls()
				reports := w.live(test.instant.Add(20 * time.Minute))
				w.expect("twenty minutes later", test.want)
				for _, action := range []string{"StartInstances", "StopInstances", "StartDBInstance", "StopDBInstance"} {
					if n := len(w.succeeded(action)); n != test.calls[action] {
						t.Errorf("%s: %d calls, want %d", action, n, test.calls[action])
					}
				}
				if n := w.sim.Stats().Errors; n > 0 {
					t.Errorf("%d calls were refused: %v", n, w.sim.Stats().ByCode)
				}
				w.quiet("twenty minutes later", reports)
			})
		})
	}
}

// Listings that are a minute old, leave things out or show them twice: nothing
// opposite is done, nothing twice, and nothing counts as gone.
func TestFault27ListingsThatAreNotTrue(t *testing.T) {
	for _, test := range []struct {
		name, fault string
	}{
		{"a minute old", "- {kind: stale, for: 60s, action: Describe*}"},
		{"some left out", "- {kind: missing-item, probability: 0.4, resource: 'web-*'}\n- {kind: missing-item, probability: 0.4, resource: 'db-*'}"},
		{"some shown twice", "- {kind: duplicate-item, action: Describe*}"},
		{"a minute old, some left out and others twice", "- {kind: stale, for: 60s, action: Describe*}\n- {kind: missing-item, probability: 0.2, resource: 'web-*'}\n- {kind: missing-item, probability: 0.2, resource: 'db-*'}\n- {kind: duplicate-item, probability: 0.3, action: Describe*}"},
	} {
		for _, enforced := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, enforced %v", test.name, enforced), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					begin(t, "2027-03-05T08:50:00+08:00")
					db := at("cn-north-1", shop, "rds", "db-#", "stopped", nil)
					db.Count = 5
					w := newWorld(t, office(t, func(s *policy.Schedule) { s.Enforced = enforced }), herd("web", "stopped", 20, nil), db, groupAt("workers", "running", nil))
					w.scopes = beijing
					w.live(clockTime(5, 8, 55))
					w.faults(test.fault)
					w.live(clockTime(5, 8, 59))
					w.sim.ResetCalls()
					reports := append(w.often(clockTime(5, 9, 4)), w.live(clockTime(5, 10, 30))...)
					if n, m := w.all("web", "running"), w.all("db", "available"); n != 20 || m != 5 {
						t.Errorf("in the morning %d of 20 instances and %d of 5 databases run", n, m)
					}
					if stops := len(w.succeeded("StopInstances")) + len(w.succeeded("StopDBInstance")); stops > 0 {
						t.Errorf("%d stops in the morning", stops)
					}
					w.once("the morning", "StartInstances", 20)
					w.once("the morning", "StartDBInstance", 5)
					w.quiet("the morning", reports)

					w.live(clockTime(5, 17, 59))
					w.sim.ResetCalls()
					reports = append(w.often(clockTime(5, 18, 4)), w.live(clockTime(5, 19, 30))...)
					if n, m := w.all("web", "stopped"), w.all("db", "stopped"); n != 20 || m != 5 {
						t.Errorf("in the evening %d of 20 instances and %d of 5 databases are stopped", n, m)
					}
					if starts := len(w.succeeded("StartInstances")) + len(w.succeeded("StartDBInstance")); starts > 0 {
						t.Errorf("%d starts in the evening", starts)
					}
					w.once("the evening", "StopInstances", 20)
					w.once("the evening", "StopDBInstance", 5)
					w.quiet("the evening", reports)
					w.expect("the group in the evening", map[string]string{"workers": "0-0-0"})
					w.live(clockTime(8, 9, 0))
					w.often(clockTime(8, 9, 4))
					w.expect("the group on Monday", map[string]string{"workers": "2-7-9"})
					for i := range 20 {
						if name := fmt.Sprintf("web-%d", i+1); w.memory(name).Name != name {
							t.Errorf("%s is forgotten", name)
						}
					}
					w.verify()
				})
			})
		}
	}
}

// often makes passes every ten seconds, as many as somebody's clicks may cause.
func (w *world) often(until time.Time) (reports []pass.Report) {
	w.t.Helper()
	for w.now().Before(until) {
		reports = append(reports, w.run())
		time.Sleep(10 * time.Second)
	}
	return reports
}

// What belongs to an Auto Scaling group is never started or stopped by itself,
// whoever asks for it.
func TestFault30AMemberOfAGroupIsNeverStoppedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:30:00+08:00")
		member := func(name, state string, tags map[string]string) awssim.Resource {
			r := at("cn-north-1", shop, "ec2", name, state, tags)
			r.ASG = "somebody's"
			return r
		}
		book := manual(t, ruleOf(t, "evening", "cron(45 17 * * ? *)", fleet.Stop, "tag:Team=x"), ruleOf(t, "dawn", "cron(0 6 * * ? *)", fleet.Start, "tag:Team=x"))
		book.Schedules["cn-office-hours"] = office(t, func(s *policy.Schedule) { s.Enforced = true }).Schedules["cn-office-hours"]
		workers := groupAt("workers", "running", map[string]string{"Team": "x"})
		workers.Propagate = true // its instances carry the schedule's tag as well
		w := newWorld(t, book, workers,
			member("scheduled", "running", nil), member("ruled", "running", team()), member("down", "stopped", nil), member("forced", "running", team()))
		w.scopes, w.everything = beijing, true
		w.override("o-1", policy.Target{Filter: filterOf(t, "tag:Name=forced")}, calendar.Stopped, 24*time.Hour)
		evening := w.live(clockTime(5, 18, 30))
		for _, d := range evening[len(evening)-1].Decisions {
			if name := d.Resource.Name; (name == "scheduled" || name == "forced") && d.Reason != decide.GroupMember {
				t.Errorf("%s in the evening: %s", name, d.Reason)
			}
		}
		if rows := w.rows(store.EventSkipped); !slices.ContainsFunc(rows, func(row store.Activity) bool { return row.Name == "ruled" && row.Reason == string(decide.GroupMember) }) {
			t.Errorf("it is not said that the rule leaves it alone: %+v", rows)
		}
		reports := w.live(clockTime(8, 12, 0))
		if n := len(w.succeeded("StopInstances")) + len(w.succeeded("StartInstances")) + len(w.succeeded("TerminateInstances")); n > 0 {
			t.Errorf("%d calls on single instances", n)
		}
		w.expect("the group is started again with its schedule", map[string]string{"workers": "2-7-9"})
		if n := len(w.succeeded("UpdateAutoScalingGroup")); n == 0 {
			t.Error("the group itself was left alone")
		}
		w.quiet("over the weekend", slices.Concat(evening, reports))
	})
}

// A listing that does not come to its end says nothing of what it did not show:
// that is known as before, for as long as it takes.
func TestFault31PagesWithoutEnd(t *testing.T) {
	for _, test := range []struct {
		name, fault string
		refused     bool // every page but the first
		known       bool // in the end the listing is whole
	}{
		{"a token that expired", "- {kind: token-expired}", false, false},
		{"the same token for ever", "- {kind: token-loop}", false, false},
		{"no second page", "", true, false},
		{"uneven pages, empty ones among them", "- {kind: short-pages}", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-04T18:30:00+08:00")
				const instances, databases, groups = 120, 110, 105 // more than a page of each
				resources := []awssim.Resource{herd("web", "running", instances, nil), at("cn-north-1", shop, "rds", "db-#", "available", nil), groupAt("workers-#", "running", nil)}
				resources[1].Count, resources[2].Count = databases, groups
				w := newWorldOver(t, awssim.Options{Seed: 3, PageCap: 50}, office(t, nil), awssim.Fleet{Resources: resources})
				w.scopes, w.everything = beijing, true
				w.run()
				w.faults(test.fault)
				healthy := w.cloud
				if test.refused {
					w.through(&onTheWay{before: func(_ string, form url.Values, _ *http.Request) (*http.Response, error) {
						if form.Has("NextToken") || form.Has("Marker") {
							return nil, errors.New("read: connection reset by peer")
						}
						return nil, nil
					}})
				}
				var reports []pass.Report
				for w.now().Before(clockTime(5, 20, 0)) { // longer than anything is remembered that is not seen
					reports = append(reports, w.run())
					time.Sleep(2 * time.Hour)
				}
				w.cloud = healthy
				w.faults("")
				memories, err := w.store.Memories(t.Context(), beijing[0])
				if err != nil || len(memories) != instances+databases+groups {
					t.Errorf("%d of %d resources are known (%v)", len(memories), instances+databases+groups, err)
				}
				gap := reports[len(reports)-1].Gaps
				if (len(gap) == 0) != test.known {
					t.Errorf("gaps: %v", gap)
				}
				calls := w.mutations()
				if !test.known && calls != 0 {
					t.Errorf("%d calls without a whole listing", calls)
				}
				for _, g := range gap {
					for _, kind := range g.Kinds {
						for _, d := range reports[len(reports)-1].Decisions {
							if d.Resource.Kind == kind {
								t.Fatalf("%s was decided on by half a listing", d.Resource.Ref)
							}
						}
					}
				}
				w.live(clockTime(5, 22, 30))
				if n, m, g := w.all("web", "stopped"), w.all("db", "stopped"), w.all("workers", "0-0-0"); n != instances || m != databases || g != groups {
					t.Errorf("once it can be listed %d, %d and %d are stopped", n, m, g)
				}
				w.verify()
			})
		})
	}
}

// What stands in for AWS's answer, or keeps it from coming, is no answer: of a
// listing nothing follows, and a call that changes something is made up for by
// what the fleet then looks like, once.
func TestFault33AnswersThatAreNone(t *testing.T) {
	ways := map[string]func(r *http.Request) (*http.Response, error){
		"DNS fails": func(*http.Request) (*http.Response, error) {
			return nil, &net.DNSError{Err: "server misbehaving", Name: "ec2.cn-north-1.amazonaws.com.cn", IsTemporary: true}
		},
		"no such name": func(*http.Request) (*http.Response, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "ec2.cn-north-1.amazonaws.com.cn", IsNotFound: true}
		},
		"TLS fails": func(*http.Request) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
		},
		"it hangs": func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() },
		"a 503 without words": func(r *http.Request) (*http.Response, error) {
			return instead(r, http.StatusServiceUnavailable, "text/plain", ""), nil
		},
		"a 500 in HTML": func(r *http.Request) (*http.Response, error) {
			return instead(r, http.StatusInternalServerError, "text/html", "<html><body>oops</body></html>"), nil
		},
		"JSON where XML is due": func(r *http.Request) (*http.Response, error) {
			return instead(r, http.StatusOK, "application/json", `{"Reservations":[]}`), nil
		},
		"a page of a proxy": func(r *http.Request) (*http.Response, error) {
			return instead(r, http.StatusOK, "text/html", "<!DOCTYPE html><html><body>Log in to the guest network</body></html>"), nil
		},
	}
	for _, kind := range []awssim.FaultKind{awssim.FaultReset, awssim.FaultCut, awssim.FaultGarbage, awssim.FaultHTML, awssim.FaultEmpty} {
		ways[string(kind)] = nil
	}
	for _, of := range []string{"listings", "calls", "calls that AWS carried out"} {
		for name, way := range ways {
			if way != nil && strings.HasSuffix(of, "out") || name == "cut" && of == "calls" {
				continue // it never got there, and what is cut was carried out
			}
			t.Run(of+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					begin(t, "2027-03-05T17:50:00+08:00")
					db := at("cn-north-1", shop, "rds", "db-#", "available", nil)
					db.Count = 3
					w := newWorld(t, office(t, nil), herd("web", "running", 5, nil), db, at("cn-northwest-1", shop, "ec2", "elsewhere", "running", nil))
					w.scopes = scopes[:2]
					w.live(clockTime(5, 17, 59))
					ends := clockTime(5, 18, 20)
					if of != "listings" {
						ends = clockTime(5, 18, 2)
					}
					struck := func(action string) bool {
						return (of == "listings" || strings.HasPrefix(action, "Stop")) && time.Now().Before(ends)
					}
					if way == nil {
						fault := awssim.Fault{Kind: awssim.FaultKind(name), Action: "Stop*", Region: "cn-north-1", Until: awssim.When{At: ends}, Applied: strings.HasSuffix(of, "out")}
						if of == "listings" {
							fault.Action = "" // whatever is asked
						}
						if err := w.sim.SetFaults([]awssim.Fault{fault}); err != nil {
							t.Fatal(err)
						}
					} else {
						w.through(&onTheWay{before: func(action string, _ url.Values, r *http.Request) (*http.Response, error) {
							if host := r.URL.Host; strings.Contains(host, "cn-north-1") && !strings.HasPrefix(host, "sts.") && struck(action) {
								return way(r)
							}
							return nil, nil
						}})
					}
					time.Sleep(time.Until(clockTime(5, 18, 0)))
					w.run()
					if of == "listings" {
						if n := w.all("web", "running") + w.all("db", "available"); n != 8 {
							t.Errorf("%d of 8 still run: something was done to what cannot be seen", n)
						}
						kept, err := w.store.ScopeMemory(t.Context(), scopes[0])
						if err != nil || kept.Breaker.Trouble != decide.NoAnswer {
							t.Errorf("the scope is remembered as %+v, %v", kept.Breaker, err)
						}
					}
					time.Sleep(time.Minute)
					w.live(clockTime(5, 19, 30))
					if n, m := w.all("web", "stopped"), w.all("db", "stopped"); n != 5 || m != 3 {
						t.Errorf("in the end %d of 5 instances and %d of 3 databases are stopped", n, m)
					}
					w.expect("the other region", map[string]string{"elsewhere": "stopped"})
					// What AWS carried out without our knowing may be asked for again, which changes nothing.
					if of != "calls that AWS carried out" {
						w.once("the evening", "StopInstances", 6)
						w.once("the evening", "StopDBInstance", 3)
					}
					if starts := len(w.succeeded("StartInstances")) + len(w.succeeded("StartDBInstance")); starts > 0 {
						t.Errorf("%d starts", starts)
					}
					w.verify()
				})
			})
		}
	}
}

// instead is an answer that is not AWS's.
func instead(r *http.Request, status int, contentType, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Content-Type": {contentType}}, Request: r,
		ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// A session that ends in the middle of a pass is replaced once, and nobody notices.
func TestFault35CredentialsExpireDuringAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:59:00+08:00")
		fleet := append(officeFleet(), at("cn-north-1", china, "rds", "bj-db-2", "stopped", nil), at("cn-northwest-1", china, "ec2", "nx-app", "stopped", nil))
		w := newWorld(t, office(t, nil), fleet...)
		var once sync.Once
		w.through(&onTheWay{before: func(action string, _ url.Values, _ *http.Request) (*http.Response, error) {
			if strings.HasPrefix(action, "Start") {
				once.Do(w.sim.ExpireSessions)
			}
			return nil, nil
		}})
		w.run()
		time.Sleep(time.Until(clockTime(5, 9, 0)))
		w.sim.ResetCalls()
		first := w.run()
		if first.Run.Counts.Started != 7 || first.Run.Counts.Failed != 0 {
			t.Errorf("%+v", first.Run.Counts)
		}
		if n := len(w.succeeded("AssumeRole")); n != 1 {
			t.Errorf("%d new sessions, want one for the account whose had ended", n)
		}
		reports := w.live(clockTime(5, 9, 30))
		w.expect("in the end", map[string]string{"bj-app": "running", "nx-app": "running", "nx-db": "available", "bj-db-2": "available", "bj-web": "running"})
		w.quiet("in the end", reports)
		if len(first.Gaps) > 0 || told(reports)[notify.Gap] > 0 {
			t.Errorf("gaps: %v", first.Gaps)
		}
	})
}

// AWS refuses requests whose time is off. Its answers tell the right one: each
// client is refused once, and then signs with that.
func TestFault35AClockAQuarterOfAnHourOff(t *testing.T) {
	const allowed = 5 * time.Minute
	for _, off := range []time.Duration{15 * time.Minute, -15 * time.Minute} {
		t.Run(off.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T08:58:00+08:00")
				w := newWorld(t, office(t, nil), append(officeFleet(), groupAt("workers", "stopped", map[string]string{"dayshift:saved": "2-7-9"}))...)
				var mu sync.Mutex
				refused := map[string]int{}
				trueTime := func() time.Time { return time.Now().Add(-off) }
				w.through(&onTheWay{
					before: func(_ string, _ url.Values, r *http.Request) (*http.Response, error) {
						signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
						if err != nil || signed.Sub(trueTime()).Abs() <= allowed {
							return nil, err
						}
						mu.Lock()
						refused[r.URL.Host]++
						mu.Unlock()
						words := fmt.Sprintf("Signature expired: %s is now earlier than %s", signed.Format("20060102T150405Z"), trueTime().Add(-allowed).UTC().Format("20060102T150405Z"))
						if off > 0 {
							words = fmt.Sprintf("Signature not yet current: %s is still later than %s", signed.Format("20060102T150405Z"), trueTime().Add(allowed).UTC().Format("20060102T150405Z"))
						}
						answer := instead(r, http.StatusForbidden, "text/xml", "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>"+words+"</Message></Error></ErrorResponse>")
						switch {
						case strings.HasPrefix(r.URL.Host, "ec2."):
							answer = instead(r, http.StatusBadRequest, "text/xml", "<Response><Errors><Error><Code>RequestExpired</Code><Message>Request has expired.</Message></Error></Errors></Response>")
						case strings.Contains(r.Header.Get("Content-Type"), "json") || r.Method == http.MethodGet:
							answer = instead(r, http.StatusForbidden, "application/x-amz-json-1.1", `{"__type":"InvalidSignatureException","message":"`+words+`"}`)
							answer.Header.Set("X-Amzn-Errortype", "InvalidSignatureException")
						}
						answer.Header.Set("Date", trueTime().UTC().Format(http.TimeFormat))
						return answer, nil
					},
					after: func(_ string, answer *http.Response) {
						answer.Header.Set("Date", trueTime().UTC().Format(http.TimeFormat))
					},
				})
				first := w.run()
				if len(first.Gaps) > 0 {
					t.Fatalf("gaps: %v", first.Gaps)
				}
				reports := w.live(clockTime(5, 9, 30))
				w.expect("in the end", map[string]string{"bj-web": "running", "nx-web": "running", "bj-app": "running", "bj-db": "available", "nx-db": "available", "workers": "2-7-9"})
				w.quiet("in the end", reports)
				if len(refused) == 0 {
					t.Error("nothing was refused")
				}
				for host, n := range refused {
					if n > 2*4*2 { // each client of two accounts once, when it is new, and that of STS at each new session
						t.Errorf("%s refused %d requests", host, n)
					}
				}
			})
		})
	}
}

// More than fits in a page, of everything, and more schedules in a filter than
// EC2 takes values: all are seen.
func TestFault36MoreThanAPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T08:59:00+08:00")
		const instances, databases, clusters, groups, schedules = 1001, 150, 101, 101, 250
		book := office(t, nil)
		var names []string
		for i := range schedules {
			schedule := &policy.Schedule{Name: fmt.Sprintf("office-%03d", i), Calendar: book.Schedules["cn-office-hours"].Calendar, Enabled: true, StopNewInstances: true}
			book.Schedules[schedule.Name] = schedule
			names = append(names, "tag:Schedule="+schedule.Name)
		}
		book.Rules = []*policy.Rule{ruleOf(t, "noon", "cron(0 12 * * ? *)", fleet.Stop, strings.Join(names, ","))}
		var resources []awssim.Resource
		add := func(kind, name string, n int, state string) {
			for i := range n {
				r := at("cn-north-1", shop, kind, fmt.Sprintf("%s-%04d", name, i), state, map[string]string{"Schedule": fmt.Sprintf("office-%03d", i%schedules)})
				switch kind {
				case "asg":
					r.Tags["dayshift:saved"] = "1-1-1"
				case "rds_cluster":
					r.Members = 1
				}
				resources = append(resources, r)
			}
		}
		add("ec2", "web", instances, "stopped")
		add("rds", "db", databases, "stopped")
		add("rds_cluster", "orders", clusters, "stopped")
		add("asg", "workers", groups, "stopped")
		brief := [2]time.Duration{30 * time.Second, time.Minute} // each look is at all of them
		w := newWorldOver(t, awssim.Options{Seed: 3, Durations: map[string][2]time.Duration{"rds-starting": brief, "rds-stopping": brief}}, book, awssim.Fleet{Resources: resources})
		w.scopes = beijing
		reports := w.live(clockTime(5, 9, 45))
		count := func(when, instance, database, group string) {
			t.Helper()
			if n, m, c, g := w.all("web", instance), w.all("db", database), w.all("orders", database), w.all("workers", group); n != instances || m != databases || c != clusters || g != groups {
				t.Errorf("%s: %d of %d instances, %d of %d databases, %d of %d clusters and %d of %d groups", when, n, instances, m, databases, c, clusters, g, groups)
			}
		}
		count("in the morning", "running", "available", "1-1-1")
		memories, err := w.store.Memories(t.Context(), beijing[0])
		if err != nil || len(memories) != instances+databases+clusters+groups {
			t.Errorf("%d resources are known (%v)", len(memories), err)
		}
		reports = append(reports, w.live(clockTime(5, 12, 45))...)
		count("after the rule", "stopped", "stopped", "0-0-0")
		if n := w.sim.Stats().Throttled; n > 0 {
			t.Errorf("%d calls were throttled", n)
		}
		w.quiet("until noon", reports)
	})
}
