package decide

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

func TestRules(t *testing.T) {
	const run, down = fleet.Running, fleet.Stopped
	type r struct {
		name, expression string
		verb             fleet.Verb
		kind             string // of a resize
	}
	type act struct {
		at    string
		state fleet.State
	}
	late := r{"late", "cron(0 20 3 8 ? 2026)", fleet.Start, ""}  // Monday, after the period
	lunch := r{"lunch", "cron(0 12 3 8 ? 2026)", fleet.Stop, ""} // within it
	bigger := r{"bigger", "cron(0 12 3 8 ? 2026)", fleet.Resize, "m5.xlarge"}
	for _, test := range []struct {
		name     string
		rules    []r
		rule     func(*policy.Rule)
		change   func(*policy.Schedule)
		refs     []string
		begins   fleet.State
		memory   Remembered
		resource func(*fleet.Resource)
		override *policy.Override
		persons  []act
		from     string
		outage   string // the first pass after this instant
		end      string
		done     []string
		dropped  []string
		warned   []string
		reason   Reason
	}{
		{name: "start, until the end of the next period", rules: []r{late}, begins: down, memory: WasStopped, from: "03 19:00:00", end: "04 19:00:00", done: []string{"03 20:00:00 start rule-start", "04 18:00:00 stop period-ended"}, reason: AlreadyStopped},
		{name: "start: the schedule does not undo it", rules: []r{late}, begins: down, memory: WasStopped, from: "03 19:00:00", end: "04 08:00:00", done: []string{"03 20:00:00 start rule-start"}, reason: RuleRunning},
		{name: "start: not a person's", rules: []r{late}, change: retaining, begins: down, memory: WasStopped, from: "03 19:00:00", end: "04 19:00:00", done: []string{"03 20:00:00 start rule-start", "04 18:00:00 stop period-ended"}, reason: AlreadyStopped},
		{name: "start: the hours by hand do not count", rules: []r{late}, change: manualTwoHours, begins: down, memory: WasStopped, from: "03 19:00:00", end: "04 08:00:00", done: []string{"03 20:00:00 start rule-start"}, reason: RuleRunning},
		{
			name: "start, stopped and started by a person: those hours count", rules: []r{late}, change: manualTwoHours, begins: down, memory: WasStopped, from: "03 19:00:00", persons: []act{{"03 21:00:00", down}, {"03 22:00:00", run}}, end: "04 08:00:00",
			done: []string{"03 20:00:00 start rule-start", "04 00:00:00 stop manual-uptime-over"}, reason: AlreadyStopped,
		},
		{name: "start of what a person started: those hours count", rules: []r{late}, change: manualTwoHours, begins: run, memory: WasStopped, from: "03 19:00:00", end: "04 08:00:00", done: []string{"03 21:00:00 stop manual-uptime-over"}, dropped: []string{"late rule-nothing-to-do"}, reason: AlreadyStopped},
		{name: "stop, until the next begin", rules: []r{lunch}, begins: run, memory: WasRunning, from: "03 11:00:00", end: "04 10:00:00", done: []string{"03 12:00:00 stop rule-stop", "04 09:00:00 start period-began"}, reason: AlreadyRunning},
		{name: "stop: the schedule does not undo it", rules: []r{lunch}, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 17:00:00", done: []string{"03 12:00:00 stop rule-stop"}, reason: RuleStopped},
		{name: "stop of what is stopped", rules: []r{lunch}, begins: down, memory: WasRunning, from: "03 11:00:00", end: "03 13:00:00", dropped: []string{"lunch rule-nothing-to-do"}, reason: ManualStop},
		{name: "hibernate", rules: []r{{"lunch", lunch.expression, fleet.Hibernate, ""}}, begins: run, memory: WasRunning, resource: func(r *fleet.Resource) { r.CanHibernate = true }, from: "03 11:00:00", end: "03 13:00:00", done: []string{"03 12:00:00 hibernate rule-stop"}, reason: RuleStopped},
		{name: "hibernate where it is not possible", rules: []r{{"lunch", lunch.expression, fleet.Hibernate, ""}}, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 13:00:00", done: []string{"03 12:00:00 stop rule-stop"}, reason: RuleStopped},
		{name: "reboot", rules: []r{{"lunch", lunch.expression, fleet.Reboot, ""}}, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 13:00:00", done: []string{"03 12:00:00 reboot rule-reboot"}, reason: AlreadyRunning},
		{name: "reboot of what is stopped", rules: []r{{"late", late.expression, fleet.Reboot, ""}}, begins: down, memory: WasStopped, from: "03 19:00:00", end: "03 21:00:00", dropped: []string{"late rule-nothing-to-do"}, reason: AlreadyStopped},
		{name: "reboot at the end of the period", rules: []r{{"end", "cron(0 18 * * ? *)", fleet.Reboot, ""}}, begins: run, memory: WasRunning, from: "03 17:00:00", end: "03 19:00:00", done: []string{"03 18:00:00 stop period-ended"}, dropped: []string{"end rule-nothing-to-do"}, reason: AlreadyStopped},

		{name: "resize", rules: []r{bigger}, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 19:00:00", done: []string{"03 12:00:00 stop rule-resize m5.xlarge", "03 12:00:15 start rule-resize m5.xlarge", "03 18:00:00 stop period-ended"}, reason: AlreadyStopped},
		{name: "resize of what has the type", rules: []r{bigger}, begins: run, memory: WasRunning, resource: func(r *fleet.Resource) { r.Type = "m5.xlarge" }, from: "03 11:00:00", end: "03 13:00:00", dropped: []string{"bigger rule-nothing-to-do"}, reason: AlreadyRunning},
		{name: "resize of what is stopped", rules: []r{{"late", late.expression, fleet.Resize, "m5.xlarge"}}, begins: down, memory: WasStopped, from: "03 19:00:00", end: "03 21:00:00", done: []string{"03 20:00:00 resize rule-resize m5.xlarge"}, reason: AlreadyStopped},
		{name: "resize of what is stopped, enforced", rules: []r{{"late", late.expression, fleet.Resize, "m5.xlarge"}}, change: enforced, begins: down, memory: WasStopped, from: "03 19:00:00", end: "03 21:00:00", done: []string{"03 20:00:00 resize rule-resize m5.xlarge"}, reason: AlreadyStopped},
		{name: "resize, enforced", rules: []r{bigger}, change: enforced, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 13:00:00", done: []string{"03 12:00:00 stop rule-resize m5.xlarge", "03 12:00:15 start rule-resize m5.xlarge"}, reason: AlreadyRunning},
		{name: "resize at the begin: the type first", rules: []r{{"nine", "cron(0 9 3 8 ? 2026)", fleet.Resize, "m5.xlarge"}}, change: retaining, begins: down, memory: WasStopped, from: "03 08:00:00", end: "03 10:00:00", done: []string{"03 09:00:00 resize rule-resize m5.xlarge", "03 09:00:15 start period-began"}, reason: AlreadyRunning},
		{name: "resize at the end: when it is stopped", rules: []r{{"six", "cron(0 18 3 8 ? 2026)", fleet.Resize, "m5.xlarge"}}, begins: run, memory: WasRunning, from: "03 17:00:00", end: "03 19:00:00", done: []string{"03 18:00:00 stop period-ended", "03 18:00:45 resize rule-resize m5.xlarge"}, reason: AlreadyStopped},
		{name: "resize against the period's type, until its next start", rules: []r{bigger}, refs: []string{"office@m5.large"}, begins: run, memory: WasRunning, from: "03 11:00:00", end: "04 10:00:00", done: []string{"03 12:00:00 stop rule-resize m5.xlarge", "03 12:00:15 start rule-resize m5.xlarge", "03 18:00:00 stop period-ended", "04 09:00:00 start period-began m5.large"}, reason: AlreadyRunning},
		{name: "resize of a database", rules: []r{bigger}, begins: run, memory: WasRunning, resource: func(r *fleet.Resource) { *r = database(fleet.Running) }, from: "03 11:00:00", end: "03 13:00:00", dropped: []string{"bigger rule-unsupported"}, reason: AlreadyRunning},
		{name: "stop while the schedule changes the type", rules: []r{lunch}, refs: []string{"office", "lunch@t3.small"}, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 14:00:00", done: []string{"03 12:00:00 stop rule-stop"}, reason: RuleStopped},

		{name: "an override before a rule", rules: []r{late}, override: overrideOf(calendar.Stopped, at("03 19:30:00"), at("03 21:00:00")), begins: down, memory: WasStopped, from: "03 19:00:00", end: "03 22:00:00", dropped: []string{"late rule-overridden"}, reason: AlreadyStopped},
		{name: "a running override before a stop rule", rules: []r{lunch}, override: overrideOf(calendar.Running, at("03 11:30:00"), at("03 13:00:00")), begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 14:00:00", dropped: []string{"lunch rule-overridden"}, reason: AlreadyRunning},
		{name: "an enforced stop before a rule", rules: []r{late}, change: enforced, begins: down, memory: WasStopped, from: "03 19:00:00", end: "03 22:00:00", dropped: []string{"late rule-enforced"}, reason: AlreadyStopped},
		{name: "an enforced period before a rule", rules: []r{lunch}, change: enforced, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 13:00:00", dropped: []string{"lunch rule-enforced"}, reason: AlreadyRunning},
		{name: "a stop rule at the begin wins", rules: []r{{"nine", "cron(0 9 3 8 ? 2026)", fleet.Stop, ""}}, begins: down, memory: WasStopped, from: "03 08:00:00", end: "04 10:00:00", done: []string{"04 09:00:00 start period-began"}, dropped: []string{"nine rule-nothing-to-do"}, reason: AlreadyRunning},
		{name: "a start rule at the end loses", rules: []r{{"six", "cron(0 18 3 8 ? 2026)", fleet.Start, ""}}, begins: run, memory: WasRunning, from: "03 17:00:00", end: "03 19:00:00", done: []string{"03 18:00:00 stop period-ended"}, dropped: []string{"six rule-overtaken"}, reason: AlreadyStopped},
		{name: "stop before start at the same instant", rules: []r{{"a", "cron(0 20 3 8 ? 2026)", fleet.Start, ""}, {"b", "cron(0 20 3 8 ? 2026)", fleet.Stop, ""}}, begins: run, memory: WasStopped, from: "03 19:00:00", end: "03 21:00:00", done: []string{"03 20:00:00 stop rule-stop"}, dropped: []string{"a rule-overtaken"}, reason: AlreadyStopped},
		{name: "of equal ones the first by name", rules: []r{{"b", "cron(0 12 3 8 ? 2026)", fleet.Stop, ""}, {"a", "cron(0 12 3 8 ? 2026)", fleet.Stop, ""}}, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 13:00:00", done: []string{"03 12:00:00 stop rule-stop"}, dropped: []string{"b rule-overtaken"}, reason: RuleStopped},

		{name: "both missed: the stop at 18:00, then the rule", rules: []r{{"late", "cron(5 18 3 8 ? 2026)", fleet.Start, ""}}, change: manualTwoHours, begins: run, memory: WasRunning, from: "03 17:55:00", outage: "03 18:08:00", end: "03 23:00:00", dropped: []string{"late rule-nothing-to-do"}, reason: RuleRunning},
		{name: "both missed: the rule, then the stop", rules: []r{{"early", "cron(55 17 3 8 ? 2026)", fleet.Start, ""}}, begins: down, memory: WasRunning, from: "03 17:50:00", outage: "03 18:03:00", end: "03 23:00:00", dropped: []string{"early rule-overtaken"}, reason: AlreadyStopped},
		{name: "both missed: the begin, then a stop rule", rules: []r{{"late", "cron(5 9 3 8 ? 2026)", fleet.Stop, ""}}, begins: down, memory: WasStopped, from: "03 08:55:00", outage: "03 09:08:00", end: "03 17:00:00", dropped: []string{"late rule-nothing-to-do"}, reason: RuleStopped},
		{name: "both missed: a stop rule, then the begin", rules: []r{{"early", "cron(55 8 3 8 ? 2026)", fleet.Stop, ""}}, begins: run, memory: WasStopped, from: "03 08:50:00", outage: "03 09:03:00", end: "03 17:00:00", dropped: []string{"early rule-overtaken"}, reason: AlreadyRunning},
		{name: "the rule missed for too long", rules: []r{late}, begins: down, memory: WasStopped, from: "03 19:50:00", outage: "03 20:11:00", end: "03 21:00:00", reason: AlreadyStopped},

		{name: "enforced when it fired, any by now", rules: []r{{"r", "cron(59 23 3 8 ? 2026)", fleet.Stop, ""}}, change: enforced, refs: []string{"from-seven"}, begins: run, memory: WasRunning, from: "03 23:58:00", outage: "04 00:02:00", end: "04 00:30:00", dropped: []string{"r rule-enforced"}, reason: LeftAlone},
		{
			name: "overtaken by a stop that is over by now", rules: []r{{"r", "cron(54 23 3 8 ? 2026)", fleet.Start, ""}}, change: func(s *policy.Schedule) {
				c, err := calendar.Compile(calendar.ScheduleDef{Name: "office", Periods: calendar.PeriodRefs{"late"}}, map[string]calendar.PeriodDef{"late": {EndTime: "23:55"}}, time.UTC)
				if err != nil {
					t.Fatal(err)
				}
				s.Calendar = c
			}, begins: down, memory: WasAny, from: "03 23:53:00", outage: "04 00:02:00", end: "04 00:30:00", dropped: []string{"r rule-overtaken"}, reason: LeftAlone,
		},
		{name: "resize to the type it has, as the schedule changes it", rules: []r{{"r", "cron(0 12 3 8 ? 2026)", fleet.Resize, "m5.large"}}, refs: []string{"office", "lunch@t3.small"}, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 12:30:00", dropped: []string{"r rule-nothing-to-do"}, reason: TypeRefused},

		{name: "start-only does not bind a rule", rules: []r{lunch}, change: startOnly, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 13:00:00", done: []string{"03 12:00:00 stop rule-stop"}, reason: RuleStopped},
		{name: "start-only stops nothing that a rule started at its end", rules: []r{{"six", "cron(0 18 3 8 ? 2026)", fleet.Start, ""}}, change: startOnly, begins: down, memory: WasRunning, from: "03 17:00:00", end: "03 19:00:00", done: []string{"03 18:00:00 start rule-start"}, reason: ModeStartOnly},
		{name: "protected", rules: []r{lunch}, resource: func(r *fleet.Resource) { r.Tags[fleet.TagProtect] = "true" }, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 13:00:00", dropped: []string{"lunch protected-by-tag"}, reason: ProtectedByTag},
		{name: "barred", rules: []r{lunch}, resource: func(r *fleet.Resource) { r.Bar = fleet.GroupMember }, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 13:00:00", dropped: []string{"lunch auto-scaling-group-member"}, reason: AlreadyRunning},
		{name: "on a disabled schedule", rules: []r{lunch}, change: func(s *policy.Schedule) { s.Enabled = false }, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 13:00:00", done: []string{"03 12:00:00 stop rule-stop"}, reason: ScheduleDisabled},
		{
			name: "without a tag", rules: []r{lunch}, begins: run, from: "03 11:00:00", end: "03 13:00:00", resource: func(r *fleet.Resource) { r.Tags = map[string]string{"Name": "web"} },
			rule: func(r *policy.Rule) { r.Untagged = true; r.Filter = filterOf(t, "tag:Name=web") }, done: []string{"03 12:00:00 stop rule-stop"}, reason: NoSchedule,
		},
		{
			name: "without a tag, where the rule is not for such", rules: []r{lunch}, begins: run, from: "03 11:00:00", end: "03 13:00:00", resource: func(r *fleet.Resource) { r.Tags = map[string]string{"Name": "web"} },
			rule: func(r *policy.Rule) { r.Filter = filterOf(t, "tag:Name=web") }, reason: NoSchedule,
		},
		{name: "in another region", rules: []r{lunch}, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 13:00:00", rule: func(r *policy.Rule) { r.Regions = []fleet.Region{"us-east-1"} }, reason: AlreadyRunning},
		{name: "a stop by a rule in the evening is nothing to the warning", rules: []r{lunch}, change: func(s *policy.Schedule) { s.NotifyBeforeStop = 10 * time.Minute }, begins: run, memory: WasRunning, from: "03 11:00:00", end: "03 19:00:00", done: []string{"03 12:00:00 stop rule-stop"}, reason: AlreadyStopped},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := at(test.from)
			g := newStage(t, office(t, test.change, test.refs...), test.begins, test.memory, from)
			if test.resource != nil {
				test.resource(&g.r)
			}
			g.m = remembered(g.r, test.memory, from)
			if test.memory == "" {
				g.m = Memory{}
			}
			for _, r := range test.rules {
				g.book.Rules = append(g.book.Rules, rule(t, r.name, r.expression, r.verb, func(rule *policy.Rule) {
					rule.Type, rule.Since = r.kind, from.Add(-time.Hour)
					if test.rule != nil {
						test.rule(rule)
					}
				}))
			}
			if test.override != nil {
				g.book.Overrides = []*policy.Override{test.override}
			}
			if test.outage != "" {
				g.pass(from)
				from = at(test.outage)
			}
			for _, person := range test.persons {
				g.run(from, at(person.at).Add(-time.Second))
				from = at(person.at)
				g.person(person.state, from)
			}
			d := g.run(from, at(test.end))
			g.expect("done", g.done, test.done...)
			g.expect("dropped", g.dropped, test.dropped...)
			if d.Reason != test.reason {
				t.Errorf("at the end %s, want %s", d.Reason, test.reason)
			}
			if !g.m.Fire.IsZero() {
				t.Errorf("left to be done: %+v", g.m.Fire)
			}
		})
	}
}

func filterOf(t testing.TB, text string) fleet.Filter {
	t.Helper()
	filter, err := fleet.ParseFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	return filter
}

// A start that fails is tried with a back-off for a quarter of an hour, and then given up.
func TestRuleIsGivenUp(t *testing.T) {
	g := newStage(t, office(t, nil), fleet.Stopped, WasStopped, at("03 19:00:00"))
	g.book.Rules = []*policy.Rule{rule(t, "late", "cron(0 20 3 8 ? 2026)", fleet.Start, nil)}
	tries := 0
	g.refuse = func(d Decision) string {
		if tries++; d.Memory.Last != WasStopped {
			t.Errorf("the schedule's memory is %s", d.Memory.Last)
		}
		return "no capacity"
	}
	d := g.run(at("03 19:00:00"), at("03 21:00:00"))
	if tries < 4 || tries > 6 || g.m.Last != WasStopped || g.m.Attempts != 0 || d.Reason != AlreadyStopped {
		t.Errorf("%d tries, then %s, %+v", tries, d.Reason, g.m)
	}
	g.expect("dropped", g.dropped, "late rule-late")
	g.refuse = nil
	g.run(at("04 08:00:00"), at("04 09:00:00"))
	g.expect("done", g.done, "04 09:00:00 start period-began")
}

// A schedule that is failing gives way to a rule that came later, also in the midst of its back-off.
func TestRuleAgainstAFailingSchedule(t *testing.T) {
	for _, test := range []struct {
		name   string
		begins fleet.State
		memory Remembered
		from   string
		rule   *policy.Rule
		reason Reason
	}{
		{"a start fails, a rule stops", fleet.Stopped, WasStopped, "03 09:00:00", rule(t, "r", "cron(2 9 3 8 ? 2026)", fleet.Stop, nil), RuleStopped},
		{"a stop fails, a rule starts", fleet.Running, WasRunning, "03 18:00:00", rule(t, "r", "cron(2 18 3 8 ? 2026)", fleet.Start, nil), RuleRunning},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := at(test.from)
			g := newStage(t, office(t, nil), test.begins, test.memory, from)
			g.book.Rules = []*policy.Rule{test.rule}
			g.refuse = func(Decision) string { return "throttled" }
			g.run(from, from.Add(119*time.Second))
			if g.m.Attempts == 0 {
				t.Fatal("nothing failed")
			}
			g.refuse = nil
			d := g.run(from.Add(2*time.Minute), from.Add(2*time.Hour))
			g.expect("done", g.done)
			g.expect("dropped", g.dropped, "r rule-nothing-to-do")
			if d.Reason != test.reason {
				t.Errorf("%s, want %s", d.Reason, test.reason)
			}
		})
	}
}

// The process dies at any step of a resize: it goes on, the machine is not left stopped, and no step is done twice.
func TestResizeByARuleSurvivesCrashes(t *testing.T) {
	const steps = 3 // stop, start, and one pass after them
	for _, change := range []func(*policy.Schedule){nil, enforced} {
		for crash := range steps {
			for _, called := range []bool{false, true} {
				for _, between := range []string{"", "reboot", "start", "resize"} {
					now := at("03 12:00:00")
					g := newStage(t, office(t, change), fleet.Running, WasRunning, now)
					g.r.LaunchedAt = now.Add(-time.Hour)
					fires := []Fire{{Rule: "bigger", At: now, Verb: fleet.Resize, Type: "m5.xlarge", Until: now.Add(FireLasts)}}
					kind := "m5.xlarge"
					for step := range 20 {
						if step == 2 && between != "" { // while it is down, or on its way
							f := Fire{Rule: "other", At: now, Verb: fleet.Verb(between), Until: now.Add(FireLasts)}
							if between == "resize" {
								f.Type, kind = "m5.2xlarge", "m5.2xlarge"
							}
							fires = []Fire{f}
						}
						g.r.SeenAt, g.last = now, now
						m, out := Settle(g.m, g.r, now, 1)
						d := Decide(Input{Now: now, Policy: g.book.Governs(g.r), Memory: m, Resource: g.r, Fires: fires})
						fires = nil
						g.m = d.Memory
						if d.Verb != "" {
							g.m = through(t, d.Intend("run", 1))
							dies := len(g.done) == crash && out.Ended != NeverMade
							if !dies || called {
								g.apply(&d)
								g.note(&d)
							}
							if !dies {
								g.m = d.Accepted(now, d.Type)
							}
						}
						g.m = through(t, g.m)
						now = now.Add(time.Minute)
					}
					if g.r.State != fleet.Running || g.m.Intent != nil || !g.m.Fire.IsZero() || g.m.Last != WasRunning {
						t.Fatalf("crash at %d, called %v, then %q: %v, %s, %+v", crash, called, between, g.done, g.r.State, g.m)
					}
					if g.r.Type != kind && g.r.Type != "m5.xlarge" || between == "" && len(g.done) != 2 {
						t.Fatalf("crash at %d, called %v, then %q: %v, %s", crash, called, between, g.done, g.r.Type)
					}
				}
			}
		}
	}
}

// A reboot is made at most once, whenever the process dies; one that failed for certain is tried again.
func TestRebootIsNotMadeTwice(t *testing.T) {
	now := at("03 12:00:00")
	fire := Fire{Rule: "nightly", At: now, Verb: fleet.Reboot, Until: now.Add(FireLasts)}
	g := newStage(t, office(t, nil), fleet.Running, WasRunning, now)
	in := Input{Now: now, Policy: g.book.Governs(g.r), Memory: g.m, Resource: g.r, Fires: []Fire{fire}}
	d := Decide(in)
	if d.Verb != fleet.Reboot {
		t.Fatalf("%s", d.Reason)
	}
	stored := through(t, d.Intend("run", 1))
	m, out := Settle(stored, g.r, now.Add(time.Minute), 1)
	if out.Ended != Unknowable || !out.Recovered || m.Intent != nil {
		t.Fatalf("%+v", out)
	}
	in.Now, in.Memory, in.Fires = now.Add(time.Minute), m, nil
	if again := Decide(in); again.Verb != "" || again.Memory.Last != WasRunning {
		t.Errorf("after a crash: %s", again.Sentence())
	}
	failed := d.Failed(now, "throttled")
	in.Memory, in.Now = failed, failed.NotBefore
	if again := Decide(in); again.Verb != fleet.Reboot || again.Memory.Last != WasRunning {
		t.Errorf("after a failure: %s", again.Sentence())
	}
	// What is heard again before it was done counts once.
	in.Memory, in.Now, in.Fires = failed, now.Add(time.Second), []Fire{fire}
	if again := Decide(in); len(again.Dropped) > 0 || again.Reason != BackingOff {
		t.Errorf("heard again: %s, %v", again.Reason, again.Dropped)
	}
}

// What a rule left behind, as the rows of the schedule read it.
func TestRowsAfterARule(t *testing.T) {
	ran := func(m *Memory) { m.ByRule = fleet.Running }
	half := Fire{Rule: "bigger", At: morning.Add(-time.Hour), Verb: fleet.Resize, Type: "m5.xlarge", Until: morning.Add(-45 * time.Minute), Halfway: true}
	runRows(t, []row{
		{name: "not the provider's restart", now: evening, state: fleet.Running, memory: WasStopped, resource: func(r *fleet.Resource) { *r = database(r.State) }, with: func(m *Memory) { ran(m); m.AutoRestartAt = evening.Add(-time.Minute) }, reason: RuleRunning, next: WasStopped},
		{name: "over a missed period: nobody's machine to retain", now: at("04 20:00:00"), change: retaining, state: fleet.Running, memory: WasStopped, with: func(m *Memory) { ran(m); m.DecidedAt = at("03 20:00:00") }, verb: fleet.Stop, reason: MissedStop, next: WasStopped},
		{name: "it stopped since: a person started it", now: evening, state: fleet.Running, memory: WasStopped, with: func(m *Memory) { m.ByRule = fleet.Stopped }, reason: ManualStart, next: WasStopped},
		{
			name: "halfway it goes on, however late", now: morning, state: fleet.Stopped, memory: WasRunning, with: func(m *Memory) { m.Fire = half }, verb: fleet.Start, reason: RuleResize, next: WasRunning,
			check: func(t *testing.T, d Decision) {
				if !d.Until.IsZero() || d.Type != "m5.xlarge" {
					t.Errorf("until %s, %s", d.Until, d.Type)
				}
			},
		},
	})
	r := machine(fleet.Running)
	r.SeenAt = morning
	m := remembered(r, WasRunning, morning)
	reboot := Fire{Rule: "nightly", At: morning.Add(-2 * time.Minute), Verb: fleet.Reboot, Until: morning}
	m.Intent = &Intent{Verb: fleet.Reboot, At: morning.Add(-time.Minute), Fire: reboot}
	m.Fire = Fire{Rule: "late", At: morning, Verb: fleet.Stop, Until: morning.Add(FireLasts)}
	if settled, _ := Settle(m, r, morning, 1); settled.Fire != m.Fire {
		t.Errorf("a rule that fired while a reboot was under way was forgotten: %+v", settled.Fire)
	}
}

// Which of several fires counts.
func TestWhichFireCounts(t *testing.T) {
	now := at("03 20:00:00")
	fire := func(name string, verb fleet.Verb, minute int) Fire {
		return Fire{Rule: name, At: now.Add(time.Duration(minute) * time.Minute), Verb: verb, Type: "m5.xlarge", Until: now.Add(FireLasts)}
	}
	for _, test := range []struct {
		name  string
		fires []Fire
		want  string
		drops int
	}{
		{"the later", []Fire{fire("a", fleet.Stop, -5), fire("b", fleet.Start, -1)}, "b", 1},
		{"the later, said first", []Fire{fire("b", fleet.Start, -1), fire("a", fleet.Stop, -5)}, "b", 1},
		{"stop at a tie", []Fire{fire("a", fleet.Start, 0), fire("b", fleet.Stop, 0), fire("c", fleet.Reboot, 0)}, "b", 2},
		{"hibernate before start", []Fire{fire("a", fleet.Start, 0), fire("b", fleet.Hibernate, 0)}, "b", 1},
		{"by name", []Fire{fire("b", fleet.Start, 0), fire("a", fleet.Start, 0)}, "a", 1},
		{"a later reboot does not overtake a start", []Fire{fire("a", fleet.Start, -5), fire("b", fleet.Reboot, 0)}, "a", 1},
		{"a later resize does not overtake a stop", []Fire{fire("a", fleet.Stop, -5), fire("b", fleet.Resize, 0)}, "a", 1},
		{"a later resize overtakes a reboot", []Fire{fire("a", fleet.Reboot, -5), fire("b", fleet.Resize, 0)}, "b", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newStage(t, office(t, nil), fleet.Starting, WasStopped, now) // it can not be acted on yet
			in := Input{Now: now, Policy: g.book.Governs(g.r), Memory: g.m, Resource: g.r, Fires: test.fires}
			d := Decide(in)
			if d.Memory.Fire.Rule != test.want || len(d.Dropped) != test.drops {
				t.Errorf("%s counts, %v dropped; want %s", d.Memory.Fire.Rule, d.Dropped, test.want)
			}
			reversed := slices.Clone(test.fires)
			slices.Reverse(reversed)
			in.Fires = reversed
			if other := Decide(in); other.Memory != d.Memory {
				t.Errorf("in another order %s counts", other.Memory.Fire.Rule)
			}
			// One after the other gives the same.
			in.Fires = test.fires[:1]
			for _, f := range test.fires[1:] {
				in.Memory, in.Fires = Decide(in).Memory, []Fire{f}
			}
			if one := Decide(in); one.Memory.Fire.Rule != test.want {
				t.Errorf("heard singly %s counts", one.Memory.Fire.Rule)
			}
		})
	}
}

// A month, seen at random instants, against what SEMANTICS 7 says: boundaries and
// fires in the order of their instants, a stop last at the same one.
func TestMonthAgainstTheOracle(t *testing.T) {
	overnight := map[string]calendar.PeriodDef{
		"night": {BeginTime: "22:00", EndTime: "06:00", Weekdays: calendar.DayField{"mon-fri"}},
		"from":  {BeginTime: "07:00", Weekdays: calendar.DayField{"mon-fri"}},
	}
	night, err := calendar.Compile(calendar.ScheduleDef{Name: "office", Periods: calendar.PeriodRefs{"night"}}, overnight, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	compiled := []*calendar.Schedule{compile(t, "office"), night, compile(t, "evening-stop"), compile(t, "from-seven"), compile(t, "office", "evening-stop")}
	rules := []string{
		"cron(0 18 * * ? *)", "cron(0 9 ? * MON-FRI *)", "cron(30 12 * * ? *)", "cron(0 22 * * ? *)", "cron(59 23 * * ? *)", "cron(1 0 * * ? *)",
		"cron(58 8 * * ? *)", "cron(2 19 * * ? *)", "cron(0/40 * * * ? *)", "rate(7 hours)", "cron(0 7 ? * SAT *)", "cron(0 19 * * ? *)",
	}
	rapid.Check(t, func(rt *rapid.T) {
		now := at("01 03:00:30")
		s := office(t, func(s *policy.Schedule) {
			s.Calendar = rapid.SampledFrom(compiled).Draw(rt, "schedule")
			s.Enforced = rapid.IntRange(0, 3).Draw(rt, "enforced") == 0
			s.Jitter = time.Duration(rapid.SampledFrom([]int{0, 0, 40}).Draw(rt, "jitter")) * time.Minute
			s.RetainRunning = rapid.Bool().Draw(rt, "retain_running")
			s.MaxManualUptime = time.Duration(rapid.SampledFrom([]int{0, 1}).Draw(rt, "max_manual_uptime")) * time.Hour
		})
		g := newStage(rt, s, fleet.Stopped, WasStopped, now)
		g.fast = true
		governs := g.book.Governs(g.r)
		if governs.Wanted(now).State == calendar.Running {
			g.r.State, g.m = fleet.Running, remembered(g.r, WasRunning, now)
		}
		g.m.DecidedAt, g.m.SeenAt = now, now
		r := rule(t, "rule", rapid.SampledFrom(rules).Draw(rt, "expression"), rapid.SampledFrom([]fleet.Verb{fleet.Start, fleet.Stop}).Draw(rt, "verb"), func(r *policy.Rule) { r.Since = now })
		g.book.Rules = []*policy.Rule{r}

		oracle := g.r.State
		end := now.AddDate(0, 0, rapid.IntRange(7, 31).Draw(rt, "days"))
		gaps := rapid.SliceOfN(rapid.IntRange(1, 590), 1, 40).Draw(rt, "gaps")
		boundary, more := governs.NextState(now)
		fire, fires := r.Expression.Next(now)
		g.pass(now)
		for i := 0; now.Before(end); i++ {
			before := now
			now = now.Add(time.Duration(gaps[i%len(gaps)]) * time.Second)
			// Nothing can happen before the next event: the passes in between are few.
			if event := fire; fires && i%8 != 0 {
				if more && boundary.At.Before(event) {
					event = boundary.At
				}
				if quiet := event.Sub(before) - 10*time.Minute; quiet > 0 {
					now = now.Add(min(quiet, time.Hour).Truncate(time.Second))
				}
			}
			for {
				bounds := more && !boundary.At.After(now)
				rules := fires && !fire.After(now)
				switch {
				case !bounds && !rules:
				case bounds && (!rules || boundary.At.Before(fire) || boundary.At.Equal(fire) && boundary.To.State != calendar.Stopped):
					if to := boundary.To.State; to != calendar.Any {
						oracle = fleet.State(to.String())
					}
					boundary, more = governs.NextState(boundary.At)
					continue
				default:
					state := fleet.Running
					if r.Verb == fleet.Stop {
						state = fleet.Stopped
					}
					want := governs.Wanted(fire).State
					tie := bounds && boundary.At.Equal(fire) // a stop of the schedule, which comes last
					if (!s.Enforced || want == calendar.Any || want.String() == string(state)) && !tie {
						oracle = state
					}
					fire, fires = r.Expression.Next(fire)
					continue
				}
				break
			}
			g.pass(now)
			if g.r.State != oracle {
				rt.Fatalf("at %s it is %s, the oracle says %s\n%v\n%v", now, g.r.State, oracle, g.done, g.dropped)
			}
		}
		if len(g.missed) > 0 {
			rt.Fatalf("missed %v", g.missed)
		}
	})
}
