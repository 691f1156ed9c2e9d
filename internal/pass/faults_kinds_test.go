package pass_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/decide"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/store"
)

// reasonsOf are the reasons of a pass, by the name of the resource.
func reasonsOf(report pass.Report) map[string]decide.Reason {
	reasons := map[string]decide.Reason{}
	for i := range report.Decisions {
		r := &report.Decisions[i].Resource
		reasons[r.ID] = report.Decisions[i].Reason
		if r.Name != "" {
			reasons[r.Name] = report.Decisions[i].Reason
		}
	}
	return reasons
}

// What RDS does not stop singly is left alone with its reason, and a cluster is
// stopped as a whole.
func TestFault37DatabasesThatAreNotStoppedSingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:58:00+08:00")
		db := func(name string, change func(*awssim.Resource)) awssim.Resource {
			r := at("cn-north-1", shop, "rds", name, "available", nil)
			if change != nil {
				change(&r)
			}
			return r
		}
		cluster := func(name string, tags map[string]string) awssim.Resource {
			r := at("cn-north-1", shop, "rds_cluster", name, "available", tags)
			r.Engine = "aurora-mysql"
			return r
		}
		in := func(name string) func(*awssim.Resource) {
			return func(r *awssim.Resource) { r.Cluster, r.Engine = name, "aurora-mysql" }
		}
		w := newWorld(t, office(t, func(s *policy.Schedule) { s.Enforced = true }),
			db("plain", nil), db("multi", func(r *awssim.Resource) { r.MultiAZ = true }),
			db("source", nil), db("replica", func(r *awssim.Resource) { r.ReplicaOf = "source" }),
			db("mssql", func(r *awssim.Resource) { r.Engine, r.MultiAZ, r.Type = "sqlserver-se", true, "db.m5.large" }),
			cluster("orders", nil), db("orders-writer", in("orders")), db("orders-reader", in("orders")),
			cluster("foreign", map[string]string{"Team": "x"}), db("foreign-writer", in("foreign")))
		w.scopes, w.everything = beijing, true
		reports := w.live(clockTime(5, 19, 0))
		reasons := reasonsOf(reports[len(reports)-1])
		for name, want := range map[string]decide.Reason{
			"replica": decide.ReadReplica, "source": decide.ReplicaSource, "mssql": decide.SQLServerMultiAZ,
			"foreign-writer": decide.ClusterMember,
		} {
			if reasons[name] != want {
				t.Errorf("%s: %s, want %s", name, reasons[name], want)
			}
		}
		w.expect("in the evening", map[string]string{
			"plain": "stopped", "multi": "stopped", "source": "available", "replica": "available", "mssql": "available",
			"orders-writer": "stopped", "orders-reader": "stopped", "foreign-writer": "available",
		})
		w.live(clockTime(8, 12, 0))
		w.expect("on Monday", map[string]string{"plain": "available", "multi": "available", "orders-writer": "available", "orders-reader": "available"})
		for action, want := range map[string][]string{
			"StopDBInstance": {"multi", "plain"}, "StartDBInstance": {"multi", "plain"}, "StopDBCluster": {"orders"}, "StartDBCluster": {"orders"},
		} {
			var named []string
			for _, call := range w.sim.Calls() {
				if call.Action == action {
					named = append(named, call.Resources...)
				}
			}
			if slices.Sort(named); !slices.Equal(named, want) {
				t.Errorf("%s was tried of %v, want %v", action, named, want)
			}
		}
		w.quiet("until Monday", reports)
	})
}

// AWS starts a stopped database after seven days. It is stopped again at the next
// look, that is told once, and it is not taken for a person's start.
func TestFault38AWSStartsADatabaseAfterSevenDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-01T08:00:00+08:00")
		book := office(t, nil)
		compiled, err := calendar.Compile(calendar.ScheduleDef{Name: "cn-office-hours", Timezone: "Asia/Shanghai", Periods: calendar.PeriodRefs{"sale"}},
			map[string]calendar.PeriodDef{"sale": {Months: calendar.DayField{"nov"}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		book.Schedules["cn-office-hours"].Calendar = compiled
		w := newWorld(t, book, at("cn-north-1", shop, "rds", "ledger", "stopped", nil), at("cn-north-1", shop, "rds_cluster", "orders", "stopped", nil),
			at("cn-north-1", shop, "rds", "used", "stopped", nil))
		w.scopes, w.everything = beijing, true
		w.live(clockTime(4, 10, 0))
		if err := w.sim.StartDatabase(shop, "cn-north-1", "used"); err != nil {
			t.Fatal(err)
		}
		up := 0 // hours in which it was seen to run
		for day := 4; day <= 17; day++ {
			w.live(clockTime(day+1, 10, 0))
			if w.states()["ledger"] == "available" {
				up++
			}
		}
		w.expect("after seventeen days", map[string]string{"ledger": "stopped", "orders-1": "stopped", "orders-2": "stopped", "used": "available"})
		if up > 0 {
			t.Errorf("it ran on %d mornings", up)
		}
		for action, name := range map[string]string{"StopDBInstance": "ledger", "StopDBCluster": "orders"} {
			stops := w.succeeded(action)
			if len(stops) != 2 {
				t.Errorf("%s: %d stops in two times seven days", action, len(stops))
			}
			for i, stop := range stops {
				if want := clockTime(8+7*i, 8, 0); stop.Time.Before(want) || stop.Time.After(want.Add(3*time.Hour)) {
					t.Errorf("%s: stop %d at %s, want it at the first look after %s", name, i+1, stop.Time, want)
				}
			}
			rows := slices.DeleteFunc(w.rows(store.EventStopAccepted), func(row store.Activity) bool { return row.Name != name && row.Ref.ID != name })
			if len(rows) != 2 || rows[0].Reason != string(decide.ProviderRestart) || rows[1].Reason != string(decide.ProviderRestart) {
				t.Errorf("%s: the record says %+v", name, rows)
			}
		}
		w.verify()
	})
}

// Killed at any call about a group, also between the one that saves its size and
// the one that takes it down, it comes back as it was, or as its owner made it.
func TestFault39KilledWhileAGroupIsScaled(t *testing.T) {
	for _, moment := range []struct {
		name, state string
		begins      time.Time
		tags        map[string]string
		want        string
	}{
		{"down", "running", clockTime(5, 18, 0), nil, "0-0-0"},
		{"up", "stopped", clockTime(5, 9, 0), map[string]string{"dayshift:saved": "2-7-9"}, "2-7-9"},
	} {
		t.Run(moment.name, func(t *testing.T) {
			killEverywhere(t, func(t *testing.T, process *mortal) {
				begin(t, moment.begins.Add(-time.Minute).Format(time.RFC3339))
				w := newWorld(t, office(t, nil), groupAt("workers", moment.state, moment.tags))
				w.scopes, w.everything = beijing, true
				w.run()
				time.Sleep(time.Until(moment.begins))
				way := w.connect(mortalWay{process, w.sim.Transport(), func(string) {}})
				w.mortal(process, moment.begins.Add(2*time.Minute), 30*time.Second, func(p *pass.Pass) { p.Cloud = way })
				w.restart()
				w.live(moment.begins.Add(20 * time.Minute))
				w.expect("after the crash at "+process.at, map[string]string{"workers": moment.want})
				if saved := w.group("workers").Tags["dayshift:saved"]; saved != "2-7-9" {
					t.Errorf("after the crash at %s the size saved is %q", process.at, saved)
				}
				time.Sleep(time.Until(clockTime(8, 8, 59))) // nothing is due in between
				w.live(clockTime(8, 9, 5))
				w.expect("on Monday", map[string]string{"workers": "2-7-9"})
				w.verifyChain()
			})
		})
	}
}

// While AWS refreshes a group its size can not be changed. It is taken down when
// that is over, and the size that it had last comes back.
func TestFault39AGroupThatIsBeingRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:50:00+08:00")
		w := newWorld(t, office(t, nil), groupAt("workers", "running", nil), groupAt("others", "running", nil))
		w.scopes, w.everything = beijing, true
		w.faults("- {kind: error, service: autoscaling, action: UpdateAutoScalingGroup, resource: workers, code: ScalingActivityInProgress, message: An instance refresh is in progress, until: 70m}")
		w.live(clockTime(5, 18, 30))
		w.expect("during the refresh", map[string]string{"workers": "2-7-9", "others": "0-0-0"})
		w.scaleGroup("workers", 4, 8, 12) // its owner, to have enough of the new ones
		w.live(clockTime(5, 18, 59))
		w.expect("during the refresh", map[string]string{"workers": "4-8-12"})
		w.live(clockTime(5, 20, 0))
		w.expect("after it", map[string]string{"workers": "0-0-0"})
		w.live(clockTime(8, 9, 5))
		w.expect("on Monday", map[string]string{"workers": "4-8-12", "others": "2-7-9"})
		w.verify()
	})
}

// A tag that changes while a pass is at work counts as it is when the turn of
// its resource comes: what is no longer the schedule's is not touched.
func TestFault40ATagIsChangedDuringAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin(t, "2027-03-05T17:59:00+08:00")
		const many = 2500
		book := office(t, nil)
		ever, err := calendar.Compile(calendar.ScheduleDef{Name: "ever", OverrideStatus: "running"}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		book.Schedules["ever"] = &policy.Schedule{Name: "ever", Calendar: ever, Enabled: true, StopNewInstances: true}
		w := newWorld(t, book, herd("web", "running", many, nil))
		w.scopes, w.everything = beijing, true
		w.run()
		changes := []map[string]string{{"Schedule": ""}, {"Schedule": "ever"}, {"dayshift:protect": "true"}, {"Schedule": "CN-office-hours"}}
		changed := map[string]bool{} // by id
		var at time.Time
		time.AfterFunc(time.Until(clockTime(5, 18, 0).Add(31*time.Second)), func() {
			called := map[string]bool{}
			for _, call := range w.succeeded("StopInstances") {
				for _, id := range call.Resources {
					called[id] = true
				}
			}
			at = time.Now()
			for _, instance := range w.sim.Instances(shop, "cn-north-1") {
				if !called[instance.ID] {
					if err := w.sim.TagInstance(instance.ID, changes[len(changed)%len(changes)]); err != nil {
						t.Error(err)
					}
					changed[instance.ID] = true
				}
			}
		})
		time.Sleep(time.Until(clockTime(5, 18, 0)))
		first := w.run()
		if len(changed) < 100 || len(changed) > many-1000 {
			t.Fatalf("%d were changed", len(changed))
		}
		for _, call := range w.succeeded("StopInstances") {
			for _, id := range call.Resources {
				if changed[id] && call.Time.After(at) {
					instance, _ := w.sim.Instance(id)
					t.Fatalf("%s was stopped %v after its tags had become %v", id, call.Time.Sub(at), instance.Tags)
				}
			}
		}
		if c := first.Run.Counts; c.Stopped != many-len(changed) || c.Skipped != len(changed) || c.Failed != 0 {
			t.Errorf("%+v, want %d skipped", c, len(changed))
		}
		w.live(clockTime(5, 20, 0))
		if n := w.all("web", "running"); n != len(changed) {
			t.Errorf("two hours later %d run, want the %d that no schedule stops", n, len(changed))
		}
		w.verify()
	})
}

// A tag that goes while an action is under way, or before one, and comes back.
func TestFault40ATagIsTakenAwayAndPutBack(t *testing.T) {
	for _, test := range []struct {
		name      string
		gone, put time.Time
		evening   string
	}{
		{"while it starts, and an hour later", clockTime(5, 9, 0).Add(5 * time.Second), clockTime(5, 10, 0), "stopped"},
		{"over the end of its period", clockTime(5, 17, 30), clockTime(5, 19, 0), "stopped"},
		{"for good", clockTime(5, 17, 30), time.Time{}, "running"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin(t, "2027-03-05T08:59:00+08:00")
				w := newWorld(t, office(t, nil), at("cn-north-1", shop, "ec2", "web", "stopped", nil), at("cn-north-1", shop, "ec2", "other", "stopped", nil))
				w.scopes, w.everything = beijing, true
				id := w.id("web")
				tag := func(value string) {
					if err := w.sim.TagInstance(id, map[string]string{"Schedule": value}); err != nil {
						t.Error(err)
					}
				}
				time.AfterFunc(time.Until(test.gone), func() { tag("") })
				if !test.put.IsZero() {
					time.AfterFunc(time.Until(test.put), func() { tag("cn-office-hours") })
				}
				reports := w.live(clockTime(5, 17, 59))
				w.expect("by day", map[string]string{"web": "running", "other": "running"})
				reports = append(reports, w.live(clockTime(5, 21, 0))...)
				w.expect("in the evening", map[string]string{"web": test.evening, "other": "stopped"})
				if n := w.acted("StartInstances")["web"]; n != 1 {
					t.Errorf("%d starts", n)
				}
				if m := w.memory("web"); test.evening == "stopped" && (m.Intent != nil || m.Last != decide.WasStopped) {
					t.Errorf("remembered: %+v", m)
				}
				w.quiet("in the evening", reports)
				w.verify()
			})
		})
	}
}

// One schedule at most governs a resource, and how its tag is written decides
// which: blanks around it do not count, everything else does.
func TestFault40HowATagIsWritten(t *testing.T) {
	longest := strings.Repeat("서울", 128) // AWS's bound is 256 characters
	composed, decomposed := "café", "cafe\u0301"
	writings := map[string]struct {
		tags     map[string]string
		governed bool
	}{
		"plain":             {map[string]string{"Schedule": "cn-office-hours"}, true},
		"blanks":            {map[string]string{"Schedule": "  cn-office-hours "}, true},
		"tab":               {map[string]string{"Schedule": "\tcn-office-hours"}, true},
		"capitals":          {map[string]string{"Schedule": "CN-Office-Hours"}, false},
		"key-small":         {map[string]string{"schedule": "cn-office-hours"}, false},
		"key-blank":         {map[string]string{"Schedule ": "cn-office-hours"}, false},
		"two-keys":          {map[string]string{"Schedule": "cn-office-hours", "schedule": "unknown", "SCHEDULE": "cn-office-hours"}, true},
		"two-keys-other":    {map[string]string{"Schedule": "unknown", "schedule": "cn-office-hours"}, false},
		"two-names":         {map[string]string{"Schedule": "cn-office-hours,second"}, false},
		"two-names-blank":   {map[string]string{"Schedule": "cn-office-hours second"}, false},
		"second":            {map[string]string{"Schedule": "second"}, true},
		"blank-within":      {map[string]string{"Schedule": "cn-office- hours"}, false},
		"empty":             {map[string]string{"Schedule": ""}, false},
		"blank":             {map[string]string{"Schedule": "   "}, false},
		"invisible":         {map[string]string{"Schedule": "cn-office-hours\u200b"}, false},
		"longest":           {map[string]string{"Schedule": longest}, true},
		"longest-but-one":   {map[string]string{"Schedule": longest[:len(longest)-len("울")]}, false},
		"composed":          {map[string]string{"Schedule": composed}, true},
		"decomposed":        {map[string]string{"Schedule": decomposed}, false},
		"emoji":             {map[string]string{"Schedule": "🌙🌙"}, true},
		"longest-elsewhere": {map[string]string{"Schedule": "cn-office-hours", "Owner": longest}, true},
	}
	live := func(t *testing.T) map[string]decide.Reason {
		begin(t, "2027-03-05T17:59:00+08:00")
		book := office(t, nil)
		for _, name := range []string{"second", longest, composed, "🌙🌙"} {
			book.Schedules[name] = &policy.Schedule{Name: name, Calendar: book.Schedules["cn-office-hours"].Calendar, Enabled: true, StopNewInstances: true}
		}
		var resources []awssim.Resource
		for _, name := range slices.Sorted(maps.Keys(writings)) {
			resources = append(resources, at("cn-north-1", shop, "ec2", name, "running", maps.Clone(writings[name].tags)))
		}
		w := newWorld(t, book, resources...)
		w.scopes, w.everything = beijing, true
		reports := w.live(clockTime(5, 18, 10))
		for name, writing := range writings {
			want := "running"
			if writing.governed {
				want = "stopped"
			}
			w.expect("in the evening", map[string]string{name: want})
		}
		if m := w.memory("longest"); m.Schedule != longest {
			t.Errorf("the longest name is remembered as %q", m.Schedule)
		}
		w.quiet("in the evening", reports)
		w.verify()
		return reasonsOf(reports[len(reports)-1])
	}
	var first, second map[string]decide.Reason
	synctest.Test(t, func(t *testing.T) { first = live(t) })
	synctest.Test(t, func(t *testing.T) { second = live(t) })
	if !maps.Equal(first, second) {
		t.Errorf("the same fleet is judged in two ways:\n%v\n%v", first, second)
	}
}
