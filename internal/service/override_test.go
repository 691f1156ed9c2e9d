package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/calendar"
	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// zoned is a schedule in a zone of its own.
func zoned(t *testing.T, name, zone string, change func(*policy.Schedule), period calendar.PeriodDef) *policy.Schedule {
	t.Helper()
	compiled, err := calendar.Compile(calendar.ScheduleDef{Name: name, Periods: calendar.PeriodRefs{"p"}, Timezone: zone}, map[string]calendar.PeriodDef{"p": period}, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	s := schedule(t, name, change, period)
	s.Calendar = compiled
	return s
}

// town is a world with one of everything that an override can meet. It is Monday, 08:00 in UTC: offices are closed.
func town(t *testing.T) *world {
	t.Helper()
	always := calendar.PeriodDef{Weekdays: weekdays(t, "*")}
	w := newWorld(
		schedule(t, "office", func(s *policy.Schedule) { s.NotifyBeforeStop = 15 * time.Minute }, officeHours),
		schedule(t, "spread", func(s *policy.Schedule) { s.Jitter = 16 * time.Minute }, officeHours),
		zoned(t, "seoul", "Asia/Seoul", nil, officeHours),
		zoned(t, "berlin", "Europe/Berlin", nil, officeHours),
		schedule(t, "off", func(s *policy.Schedule) { s.Enabled = false }, officeHours),
		schedule(t, "always", nil, always),
		schedule(t, "starter", func(s *policy.Schedule) { s.Mode = policy.StartOnly }, officeHours),
		schedule(t, "empty", nil, officeHours),
		&policy.Schedule{Name: "broken", Err: errors.New("period p: unknown"), Enabled: true},
	)
	w.add("i-1", "office", fleet.Stopped, decide.WasStopped)
	w.add("i-2", "office", fleet.Running, decide.WasStopped)
	w.add("i-spread", "spread", fleet.Stopped, decide.WasStopped)
	w.add("i-seoul", "seoul", fleet.Running, decide.WasRunning)
	w.add("i-berlin", "berlin", fleet.Stopped, decide.WasStopped)
	w.add("i-off", "off", fleet.Stopped, decide.WasStopped)
	w.add("i-always", "always", fleet.Running, decide.WasRunning)
	w.add("i-starter", "starter", fleet.Stopped, decide.WasStopped)
	w.add("i-lost", "offcie", fleet.Running, decide.Unknown)
	w.add("i-broken", "broken", fleet.Running, decide.Unknown)
	w.add("i-safe", "office", fleet.Running, decide.WasRunning).Tags[fleet.TagProtect] = "true"
	w.add("i-bare", "", fleet.Running, decide.Unknown)
	w.add("i-twin-1", "always", fleet.Running, decide.WasRunning).Name = "twin"
	w.add("i-twin-2", "always", fleet.Running, decide.WasRunning).Name = "twin"
	w.add("always", "always", fleet.Running, decide.WasRunning).Name = "db"
	return w
}

func ask(target string, state calendar.State, end End) OverrideRequest {
	return OverrideRequest{Target: target, State: state, End: end, Author: "kim", Reason: "release"}
}

// gist is what a test compares of an answer.
func gist(a OverrideAnswer) string {
	text := fmt.Sprintf("%s %s until %s", a.Override.Target, a.Override.State, a.Override.Until.Format("2T15:04:05"))
	if a.Override.Boundary {
		text += " boundary"
	}
	if a.Override.Once {
		text += " once"
	}
	for _, l := range a.Resources {
		text += fmt.Sprintf("; %s %s then %s", l.Ref[strings.LastIndexByte(l.Ref, '/')+1:], l.Action, l.Then)
		if !l.WarnAt.IsZero() {
			text += " warned " + l.WarnAt.Format("15:04")
		}
		if !l.Until.Equal(a.Override.Until) {
			text += " at " + l.Until.Format("2T15:04:05")
		}
	}
	return text
}

const ref = "111122223333/ap-northeast-2/ec2_instance/"

func TestSetOverride(t *testing.T) {
	hour := End{For: time.Hour}
	for _, test := range []struct {
		name    string
		request OverrideRequest
		want    string
	}{
		{"a duration, by ID", ask("i-1", calendar.Running, End{For: 30 * time.Minute}), ref + "i-1 running until 3T08:30:00; i-1 start then stop warned 08:15"},
		{"by name", ask("name-i-1", calendar.Running, hour), ref + "i-1 running until 3T09:00:00; i-1 start then none"},
		{"by ARN", ask("arn:aws:ec2:ap-northeast-2:111122223333:instance/i-1", calendar.Running, hour), ref + "i-1 running until 3T09:00:00; i-1 start then none"},
		{"by ref", ask(ref+"i-1", calendar.Running, hour), ref + "i-1 running until 3T09:00:00; i-1 start then none"},
		{"said to be a resource", ask(" resource:always ", calendar.Running, hour), ref + "always running until 3T09:00:00; always none then none"},
		{"to the next stop", ask("i-1", calendar.Running, End{}), ref + "i-1 running until 3T18:00:00 boundary; i-1 start then stop warned 17:45"},
		{"to the next start", ask("i-2", calendar.Stopped, End{Boundary: true}), ref + "i-2 stopped until 3T09:00:00 boundary; i-2 stop then start"},
		{"ten minutes of warning where the schedule says none", ask("i-seoul", calendar.Running, hour), ref + "i-seoul running until 3T09:00:00; i-seoul none then stop warned 08:50"},
		{"a schedule", ask("office", calendar.Running, End{}), "schedule:office running until 3T18:00:00 boundary; i-1 start then stop warned 17:45; i-2 none then stop warned 17:45"},
		{"said to be a schedule", ask("schedule:seoul", calendar.Running, End{}), "schedule:seoul running until 3T09:00:00 boundary; i-seoul none then stop warned 08:50"},
		{"a schedule without resources", ask("empty", calendar.Running, End{}), "schedule:empty running until 3T18:00:00 boundary"},
		{"a jitter is waited for", ask("schedule:spread", calendar.Running, End{}), "schedule:spread running until 3T18:16:00 boundary; i-spread start then stop warned 17:51 at 3T18:01:00"},
		{"a resource knows its place in the jitter", ask("i-spread", calendar.Running, End{}), ref + "i-spread running until 3T18:01:00 boundary; i-spread start then stop warned 17:51"},
		{"a disabled schedule", ask("off", calendar.Running, End{}), "schedule:off running until 10T08:00:00 once; i-off start then none"},
		{"a resource of a disabled schedule", ask("i-off", calendar.Running, End{}), ref + "i-off running until 10T08:00:00 once; i-off start then none"},
		{"a disabled schedule for a while", ask("off", calendar.Running, hour), "schedule:off running until 3T09:00:00; i-off start then none"},
		{"a schedule with a fault for a while", ask("schedule:broken", calendar.Stopped, hour), "schedule:broken stopped until 3T09:00:00; i-broken stop then none"},
		{"a resource with an unknown schedule", ask("i-lost", calendar.Stopped, hour), ref + "i-lost stopped until 3T09:00:00; i-lost stop then none"},
		{"a schedule that never stops", ask("i-starter", calendar.Running, End{}), ref + "i-starter running until 3T18:00:00 boundary; i-starter start then none"},
		{"a filter", ask("name=name-i-?", calendar.Running, hour), "filter:name=name-i-? running until 3T09:00:00; i-1 start then none; i-2 none then none"},
		{
			"a filter to the boundaries of several", ask("filter:instance-id=i-1,instance-id=i-spread", calendar.Running, End{}),
			"filter:instance-id=i-1,instance-id=i-spread running until 3T18:01:00 boundary; i-1 start then stop warned 17:45 at 3T18:00:00; i-spread start then stop warned 17:51",
		},
		{"until an instant", ask("i-1", calendar.Running, End{Until: time.Date(2026, 8, 4, 1, 2, 3, 456789, time.FixedZone("KST", 9*3600))}), ref + "i-1 running until 3T16:02:03; i-1 start then none"},
		{"until a time of day in UTC", ask("i-1", calendar.Running, End{Clock: "22:00"}), ref + "i-1 running until 3T22:00:00; i-1 start then stop warned 21:45"},
		{"until a time of day that is over for today", ask("i-1", calendar.Running, End{Clock: "7:30"}), ref + "i-1 running until 4T07:30:00; i-1 start then stop warned 07:15"},
		{"until a time of day in the schedule's zone", ask("seoul", calendar.Running, End{Clock: "22:00"}), "schedule:seoul running until 3T13:00:00; i-seoul none then stop warned 12:50"},
		{"until a time of day of a filter in one zone", ask("name=*seoul", calendar.Running, End{Clock: "22:00"}), "filter:name=*seoul running until 3T13:00:00; i-seoul none then stop warned 12:50"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := town(t)
			s := w.service()
			for _, dry := range []bool{true, false} {
				request := test.request
				request.DryRun = dry
				answer, err := s.SetOverride(t.Context(), request)
				if err != nil {
					t.Fatal(err)
				}
				if got := gist(answer); !strings.HasPrefix(got, test.want) || len(got) > len(test.want)+len(".000000") {
					t.Errorf("dry %v:\n%s, want\n%s", dry, got, test.want)
				}
				objects, err := s.Store.Objects(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				rows, err := s.Store.Activity(t.Context(), store.ActivityQuery{})
				if err != nil {
					t.Fatal(err)
				}
				if dry {
					if len(objects)+len(rows) > 0 || answer.Override.ID != "" || !answer.DryRun {
						t.Fatalf("a dry run wrote %v %v, or named %q", objects, rows, answer.Override.ID)
					}
					continue
				}
				o, err := store.ToOverride(objects[0])
				if err != nil || len(objects) != 1 || o.ID != answer.Override.ID || !o.Until.Equal(answer.Override.Until) || o.Author != "kim" || o.Reason != "release" {
					t.Fatalf("%+v, %v", o, err)
				}
				row := rows[0]
				if len(rows) != 1 || row.Event != store.EventOverride || row.Reason != "made" || row.Actor != "kim" || row.Name != o.ID || row.Ref != o.Target.Resource ||
					!strings.Contains(row.Detail, "kim wants ") || !strings.HasSuffix(row.Detail, ": release") || !strings.Contains(row.Detail, stamp(o.Until)) {
					t.Errorf("%+v", row)
				}
				if row.Schedule == "" && answer.Override.Target[:6] != "filter" {
					t.Errorf("the row names no schedule: %+v", row)
				}
			}
		})
	}
}

func TestSetOverrideRefused(t *testing.T) {
	hour := End{For: time.Hour}
	with := func(r OverrideRequest, change func(*OverrideRequest)) OverrideRequest { change(&r); return r }
	good := ask("i-1", calendar.Running, hour)
	for _, test := range []struct {
		name    string
		request OverrideRequest
		says    string
	}{
		{"no target", ask(" ", calendar.Running, hour), "which target? write an ID"},
		{"no resource after the word", ask("resource:", calendar.Running, hour), "which resource?"},
		{"a target of bytes", ask("i-\xff", calendar.Running, hour), "not valid UTF-8"},
		{"no such workload", ask("workload:shop", calendar.Running, hour), `there is no workload "shop"`},
		{"nothing of that name", ask("name-i-l", calendar.Running, hour), `there is no schedule "name-i-l", and no scheduled resource answers to "name-i-l" in 1 scope; give an ID, an ARN, a name or account/region/kind/id; did you mean "name-i-1"?`},
		{"nearly a schedule", ask("offise", calendar.Running, hour), `did you mean "office"?`},
		{"no such schedule", ask("schedule:offise", calendar.Running, hour), `there is no schedule "offise"; did you mean "office"?`},
		{"a resource that is not there", ask(ref+"i-9", calendar.Running, hour), "no scheduled resource answers to"},
		{"several of a name", ask("twin", calendar.Running, hour), "2 resources answer to \"twin\"; write one of them, or a filter for all:\n  " + ref + "i-twin-1 (twin)\n  " + ref + "i-twin-2 (twin)"},
		{"a schedule and a resource", ask("always", calendar.Running, hour), "\"always\" is a schedule and 1 resource; write schedule:always, or for the resource\n  " + ref + "always (db)"},
		{"protected", ask("i-safe", calendar.Running, hour), "name-i-safe (" + ref + "i-safe) can not be overridden: It carries the tag dayshift:protect=true"},
		{"without a schedule tag", ask("i-bare", calendar.Running, hour), "carries no Schedule tag"},
		{"a wrong filter", ask("colour=red", calendar.Running, hour), `unknown key "colour"`},
		{"an empty filter", ask("filter:", calendar.Running, hour), "filter is empty"},
		{"a filter of nothing", ask("name=nothing", calendar.Running, hour), `filter "name=nothing" matches no scheduled resource in 1 scope`},
		{"a filter of what is protected", ask("name=*safe", calendar.Running, hour), "matches nothing but 1 protected resource"},
		{"a filter that its own effect empties", ask("tag:Schedule=office,instance-state-name=stopped", calendar.Running, hour), "selects by instance-state-name"},
		{"a protected \"=\" is no filter", ask(`a\=b`, calendar.Running, hour), "no scheduled resource answers to"},
		{"no state", ask("i-1", calendar.Any, hour), "running or stopped"},
		{"two ends", ask("i-1", calendar.Running, End{For: time.Hour, Boundary: true}), "give one end"},
		{"a negative duration", ask("i-1", calendar.Running, End{For: -time.Hour}), "over before it begins"},
		{"the past", ask("i-1", calendar.Running, End{Until: monday}), "until 2026-08-03T08:00:00Z is in the past; it is 2026-08-03T08:00:00Z now"},
		{"less than a microsecond", ask("i-1", calendar.Running, End{For: time.Nanosecond}), "in the past"},
		{"no time of day", ask("i-1", calendar.Running, End{Clock: "25:00"}), `until "25:00" is no time of day`},
		{"too long", ask("i-1", calendar.Running, End{For: 367 * 24 * time.Hour}), "an override for 367d is too long: an override may last at most 366d; it may last until 2027-08-04T08:00:00Z"},
		{"until far too late", ask("i-1", calendar.Running, End{Until: monday.AddDate(2, 0, 0)}), "an override until 2028-08-03T08:00:00Z is too long"},
		{"no boundary", ask("i-always", calendar.Running, End{}), "there is no next boundary at which stopped is wanted of " + ref + "i-always; say how long instead: --for 2h or --until TIME"},
		{"no boundary of a schedule", ask("schedule:always", calendar.Running, End{}), `no next boundary at which stopped is wanted of schedule "always"`},
		{"no boundary of a filter", ask("name=twin", calendar.Running, End{}), "no next boundary"},
		{"a boundary of a disabled schedule", ask("off", calendar.Running, End{Boundary: true}), `(schedule "off": Its schedule is disabled and decides nothing); say how long`},
		{"a boundary of no schedule", ask("i-lost", calendar.Running, End{}), `(schedule "offcie": Its tag names a schedule that does not exist); say how long`},
		{"a boundary of a broken schedule", ask("broken", calendar.Running, End{}), `(schedule "broken": Its schedule has a fault`},
		{"a time of day without a zone", ask("broken", calendar.Running, End{Clock: "22:00"}), "the zone of schedule \"broken\" is not known"},
		{"a time of day in two zones", ask("name=name-i-seoul,name=name-i-berlin", calendar.Running, End{Clock: "22:00"}), "lives in 2 time zones"},
		{"once and to a boundary", with(ask("i-1", calendar.Running, End{Boundary: true}), func(r *OverrideRequest) { r.Once = true }), "ask for one of them"},
		{"nobody", with(good, func(r *OverrideRequest) { r.Author = " " }), "needs an author"},
		{"a reason of bytes", with(good, func(r *OverrideRequest) { r.Reason = "\xff" }), "is not valid UTF-8"},
		{"a long reason", with(good, func(r *OverrideRequest) { r.Reason = strings.Repeat("x", maxReason+1) }), "the reason is 1025 bytes long; at most 1024 are kept"},
		{"a long author", with(good, func(r *OverrideRequest) { r.Author = strings.Repeat("x", maxAuthor+1) }), "the author is 257 bytes long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := town(t).service()
			_, err := s.SetOverride(t.Context(), test.request)
			var input *InputError
			var none *NotFoundError
			if !errors.As(err, &input) && !errors.As(err, &none) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%T %v, want %q", err, err, test.says)
			}
			if objects, err := s.Store.Objects(t.Context()); len(objects) > 0 || err != nil {
				t.Errorf("it was kept all the same: %v, %v", objects, err)
			}
		})
	}
}

// What can not be listed is not taken for absent.
func TestSetOverrideInAGap(t *testing.T) {
	w := town(t)
	w.gaps = []discover.Gap{{Scope: seoul, Kinds: []fleet.Kind{fleet.RDSInstance}, Err: cloud.ErrUnauthorized}}
	for _, target := range []string{"orders", "name=orders"} {
		if _, err := w.service().SetOverride(t.Context(), ask(target, calendar.Running, End{For: time.Hour})); err == nil || !strings.Contains(err.Error(), "cannot list rds_instance") {
			t.Errorf("%s: %v", target, err)
		}
	}
	answer, err := w.service().SetOverride(t.Context(), ask("office", calendar.Running, End{For: time.Hour}))
	if err != nil || len(answer.Gaps) != 1 {
		t.Errorf("%+v, %v", answer.Gaps, err)
	}
	w.err = errors.New("no store")
	if _, err := w.service().SetOverride(t.Context(), ask("office", calendar.Running, End{For: time.Hour})); !errors.Is(err, w.err) {
		t.Error(err)
	}
}

func TestOverrideLimits(t *testing.T) {
	w := town(t)
	s := w.service()
	s.Overrides = OverrideLimits{MaxDuration: 4 * time.Hour, MaxPerWeek: 2}
	_, err := s.SetOverride(t.Context(), ask("i-1", calendar.Running, End{For: 5 * time.Hour}))
	if err == nil || err.Error() != "an override for 5h is too long: overrides.max_duration allows at most 4h; it may last until 2026-08-03T12:00:00Z" {
		t.Error(err)
	}
	if _, err = s.SetOverride(t.Context(), ask("i-1", calendar.Running, End{Clock: "22:00"})); err == nil || !strings.Contains(err.Error(), "overrides.max_duration allows at most 4h") {
		t.Error(err)
	}
	// A boundary that is farther than that is not waited for.
	answer, err := s.SetOverride(t.Context(), ask("i-1", calendar.Running, End{}))
	if err != nil || !answer.Override.Boundary || !answer.Override.Until.Equal(monday.Add(4*time.Hour)) || !hasSentence(answer.Sentences, "The next boundary is at 2026-08-03T18:00:00Z; overrides.max_duration allows at most 4h") ||
		!hasSentence(answer.Sentences, "kim may make 1 more within 7 days (overrides.max_per_week: 2)") {
		t.Errorf("%+v, %v", answer, err)
	}
	// One on a disabled schedule lasts no longer either.
	answer, err = s.SetOverride(t.Context(), ask("off", calendar.Running, End{}))
	if err != nil || !answer.Override.Once || !answer.Override.Until.Equal(monday.Add(4*time.Hour)) || !hasSentence(answer.Sentences, "kim may make 0 more") {
		t.Errorf("%+v, %v", answer, err)
	}
	w.now = monday.Add(time.Hour)
	// Changes and clearings do not count as made, and give nothing back.
	if _, err := s.ChangeOverride(t.Context(), OverrideChange{Target: "off", End: End{For: time.Hour}, Author: "kim"}); err != nil {
		t.Error(err)
	}
	if _, err := s.ClearOverride(t.Context(), OverrideClear{All: true, Author: "kim"}); err != nil {
		t.Error(err)
	}
	for _, dry := range []bool{true, false} {
		request := ask("i-1", calendar.Running, End{For: time.Hour})
		request.DryRun = dry
		_, err = s.SetOverride(t.Context(), request)
		if err == nil || !strings.Contains(err.Error(), "kim has made 2 overrides in the last 7 days, and overrides.max_per_week allows 2; none is left before 2026-08-10T08:00:00Z") {
			t.Error(err)
		}
	}
	other := ask("i-1", calendar.Running, End{For: time.Hour})
	other.Author = "lee"
	if _, err := s.SetOverride(t.Context(), other); err != nil {
		t.Error(err)
	}
	w.now = monday.Add(perWeek + time.Second)
	if _, err := s.SetOverride(t.Context(), ask("i-1", calendar.Running, End{For: time.Hour})); err != nil {
		t.Error(err)
	}
}

// The longest duration counts from when the override was made, however often its end is moved.
func TestExtendingHasAnEnd(t *testing.T) {
	w := town(t)
	s := w.service()
	s.Overrides = OverrideLimits{MaxDuration: 4 * time.Hour}
	made, err := s.SetOverride(t.Context(), ask("office", calendar.Running, End{For: time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	w.now = monday.Add(30 * time.Minute)
	changed, err := s.ChangeOverride(t.Context(), OverrideChange{Target: made.Override.ID, End: End{Boundary: true}, Author: "kim"})
	if err != nil || !changed.Override.Until.Equal(monday.Add(4*time.Hour)) || !changed.Override.Boundary {
		t.Fatalf("%+v, %v", changed.Override, err)
	}
	w.now = monday.Add(3 * time.Hour)
	for _, end := range []End{{For: 61 * time.Minute}, {Until: monday.Add(4*time.Hour + time.Second)}} {
		if _, err := s.ChangeOverride(t.Context(), OverrideChange{Target: made.Override.ID, End: end, Author: "lee"}); err == nil || !strings.Contains(err.Error(), "it may last until 2026-08-03T12:00:00Z") {
			t.Error(err)
		}
	}
	if _, err := s.ChangeOverride(t.Context(), OverrideChange{Target: made.Override.ID, End: End{For: time.Hour}, Author: "lee"}); err != nil {
		t.Error(err)
	}
}

func hasSentence(list []say.Text, part string) bool {
	return slices.ContainsFunc(english(list), func(sentence string) bool { return strings.Contains(sentence, part) })
}

func english(list []say.Text) []string {
	var texts []string
	for _, text := range list {
		texts = append(texts, text.String())
	}
	return texts
}

func TestOverrideSentences(t *testing.T) {
	w := town(t)
	w.book.Schedules["seoul"].Observe = true
	s := w.service()
	must := func(a OverrideAnswer, err error) OverrideAnswer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	must(s.SetOverride(t.Context(), ask("i-2", calendar.Running, End{For: time.Hour})))
	w.now = w.now.Add(time.Second)
	office := must(s.SetOverride(t.Context(), ask("office", calendar.Stopped, End{Clock: "22:00"})))
	want := []string{
		"1 resource is stopped already and kept so: name-i-1.",
		"1 resource is protected and left alone: name-i-safe.",
		"For 1 resource another override comes first: name-i-2.",
		"It ends at 2026-08-03T22:00:00Z.",
		"Then the schedule counts again and leaves 1 resource as it is: name-i-1.",
	}
	if diff := cmp.Diff(want, english(office.Sentences)); diff != "" {
		t.Error(diff)
	}
	if office.Matches != 2 || office.Override.Counts != 1 || office.Resources[1].Counts || !strings.Contains(office.Resources[1].Why.String(), "comes first for it: running until 2026-08-03T09:00:00Z by kim (release)") {
		t.Errorf("%+v", office)
	}
	w.now = w.now.Add(time.Second)
	newer := must(s.SetOverride(t.Context(), ask("schedule:office", calendar.Running, End{For: 2 * time.Hour})))
	if len(newer.Others) != 1 || newer.Others[0].ID != office.Override.ID || !hasSentence(newer.Sentences, "There is also "+office.Override.ID+" for the same target, stopped until 2026-08-03T22:00:00Z by kim; this one is newer and counts while it lasts.") {
		t.Errorf("%q", newer.Sentences)
	}
	if older := must(s.Override(t.Context(), office.Override.ID)); !hasSentence(older.Sentences, "that one is newer and counts") || older.Override.Counts != 0 {
		t.Errorf("%q", older.Sentences)
	}
	korean := must(s.SetOverride(t.Context(), ask("i-seoul", calendar.Stopped, End{For: 2 * time.Hour})))
	if !hasSentence(korean.Sentences, "It ends at 2026-08-03T10:00:02Z (Mon 19:00 in Asia/Seoul).") || !hasSentence(korean.Sentences, "what is only observed is recorded and not done") {
		t.Errorf("%q", korean.Sentences)
	}
	if empty := must(s.SetOverride(t.Context(), ask("empty", calendar.Running, End{}))); !hasSentence(empty.Sentences, `No resource of schedule "empty" could be seen now`) {
		t.Errorf("%q", empty.Sentences)
	}
	if mixed := must(s.SetOverride(t.Context(), ask("instance-id=i-1,instance-id=i-always", calendar.Running, End{}))); !hasSentence(mixed.Sentences, "1 resource has no such boundary; there the override ends when it has ended everywhere else.") {
		t.Errorf("%q", mixed.Sentences)
	}
	// The effect compares with what is in force.
	if e := newer.Effect; e.StartsNow.Before != 0 || e.StartsNow.After != 1 || e.Resources == 0 {
		t.Errorf("%+v", e)
	}
	encoded, err := json.Marshal(newer)
	if err != nil || strings.Contains(string(encoded), "null") {
		t.Errorf("%s, %v", encoded, err)
	}
}

// Nothing that a person writes can disturb whoever reads the record.
func TestOverrideTextsAreCleaned(t *testing.T) {
	w := town(t)
	s := w.service()
	request := ask("i-1", calendar.Running, End{For: time.Hour})
	request.Reason, request.Author = " a\x1b[2Jb\nc\u202ed ", "k\x07im"
	answer, err := s.SetOverride(t.Context(), request)
	if err != nil || answer.Override.Reason != "a [2Jb c d" || answer.Override.Author != "k im" {
		t.Errorf("%+v, %v", answer.Override, err)
	}
	rows, err := s.Store.Activity(t.Context(), store.ActivityQuery{})
	if err != nil || len(rows) != 1 || strings.ContainsAny(rows[0].Detail+rows[0].Actor, "\x1b\n\x07\u202e") {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestListOverrides(t *testing.T) {
	w := town(t)
	s := w.service()
	w.err = errors.New("no cloud")
	if answer, err := s.ListOverrides(t.Context()); err != nil || answer.Overrides == nil || len(answer.Overrides) > 0 {
		t.Errorf("without any no cloud need be asked: %+v, %v", answer, err)
	}
	w.err = nil
	for _, target := range []string{"office", "i-1", "instance-id=i-1,instance-id=i-2", "off"} {
		if _, err := s.SetOverride(t.Context(), ask(target, calendar.Running, End{For: time.Hour})); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Second)
	}
	if _, err := s.Store.SaveObject(t.Context(), store.Object{Kind: store.OverrideObject, Name: "o-strange", Spec: json.RawMessage(`{"state":"paused"}`), Author: "lee", Changed: w.now}); err != nil {
		t.Fatal(err)
	}
	answer, err := s.ListOverrides(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, o := range answer.Overrides {
		lines = append(lines, fmt.Sprintf("%s %s %d of %d %s", o.Target, o.Ends, o.Counts, o.Covers, o.Fault))
	}
	want := []string{
		ref + "i-1 until 2026-08-03T09:00:01Z 1 of 1 ", "schedule:off until 2026-08-03T09:00:03Z 1 of 1 ", "schedule:office until 2026-08-03T09:00:00Z 1 of 2 ",
		"filter:instance-id=i-1,instance-id=i-2 until 2026-08-03T09:00:02Z 0 of 2 ",
		` it can not be read and has no effect 0 of 0 override o-strange: state "paused" is neither running nor stopped`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	w.now = monday.Add(time.Hour + time.Second) // two are over, though no pass has taken them away
	if answer, err = s.ListOverrides(t.Context()); err != nil || len(answer.Overrides) != 3 {
		t.Errorf("%+v, %v", answer, err)
	}
	// What can not be read can be cleared, and nothing else.
	if _, err := s.Override(t.Context(), "o-strange"); err == nil || !strings.Contains(err.Error(), "dayshift override clear o-strange") {
		t.Error(err)
	}
	if _, err := s.ChangeOverride(t.Context(), OverrideChange{Target: "o-strange", End: End{For: time.Hour}, Author: "kim"}); err == nil || !strings.Contains(err.Error(), "can not be read") {
		t.Error(err)
	}
	cleared, err := s.ClearOverride(t.Context(), OverrideClear{Target: "o-strange", Author: "kim"})
	if err != nil || len(cleared.Cleared) != 1 || !hasSentence(cleared.Sentences, "could not be read, is cleared") {
		t.Errorf("%+v, %v", cleared, err)
	}
}

func TestFindOverride(t *testing.T) {
	w := town(t)
	s := w.service()
	keep := func(id string, from time.Duration, target policy.Target) {
		t.Helper()
		object, err := store.FromOverride(&policy.Override{ID: id, Target: target, State: calendar.Running, From: monday.Add(from - time.Hour), Until: monday.Add(from + time.Hour), Author: "kim"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Store.SaveObject(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	filter, err := fleet.ParseFilter("tag:Schedule=office")
	if err != nil {
		t.Fatal(err)
	}
	one := policy.Target{Resource: fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: "i-1"}}
	keep("o-20260803-070000-aaaa", 0, one)
	keep("o-20260803-070500-bbbb", 5*time.Minute, one)
	keep("o-20260803-060000-cccc", -time.Hour, one) // over
	keep("o-20260803-071000-dddd", 10*time.Minute, policy.Target{Schedule: "office"})
	keep("o-20260803-071500-eeee", 15*time.Minute, policy.Target{Filter: filter})
	keep("o-20260803-072000-ffff", 20*time.Minute, policy.Target{Resource: fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: "i-gone"}})
	keep("o-20260803-072500-1234", 25*time.Minute, policy.Target{Resource: fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: "always"}})
	keep("o-20260803-073000-5678", 30*time.Minute, policy.Target{Schedule: "always"})
	for text, want := range map[string]string{
		"o-20260803-070000-aaaa": "aaaa", "o-20260803-0705": "bbbb", "dddd": "dddd", " eeee ": "eeee", "i-1": "bbbb", "name-i-1": "bbbb", ref + "i-1": "bbbb", "resource:i-1": "bbbb",
		"arn:aws:ec2:ap-northeast-2:111122223333:instance/i-1": "bbbb", "office": "dddd", "schedule:office": "dddd", "tag:Schedule=office": "eeee", "filter: tag:Schedule = office": "eeee",
		"i-gone": "ffff", "resource:always": "1234", "schedule:always": "5678",
	} {
		answer, err := s.Override(t.Context(), text)
		if err != nil || !strings.HasSuffix(answer.Override.ID, want) {
			t.Errorf("%q: %s, %v", text, answer.Override.ID, err)
		}
	}
	for text, says := range map[string]string{
		"":                       "which override?",
		"\xff":                   "not valid UTF-8",
		"o-":                     `there is no override "o-"; see`,
		"o-20260803-07":          "write the whole ID of one:\n  o-20260803-072500-1234",
		"cccc":                   `there is no override "cccc"`,
		"o-20260803-060000-cccc": "ended at 2026-08-03T08:00:00Z",
		"always":                 `"always" is the target of overrides on different things; write the ID of one:`,
		"i-2":                    "no override is on \"i-2\" itself; it is covered by\n  o-20260803-071000-dddd (schedule:office running until",
		"schedule:berlin":        "there is no override",
		"resource:office":        "there is no override",
	} {
		_, err := s.Override(t.Context(), text)
		var input *InputError
		if !errors.As(err, &input) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
	if _, err := town(t).service().Override(t.Context(), "i-1"); err == nil || err.Error() != `there is no override "i-1"; none is in force` {
		t.Error(err)
	}
}

func TestChangeOverride(t *testing.T) {
	w := town(t)
	s := w.service()
	made, err := s.SetOverride(t.Context(), ask("i-1", calendar.Running, End{For: 2 * time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	w.now = monday.Add(time.Hour)
	for _, test := range []struct {
		name   string
		change OverrideChange
		until  time.Time // zero: refused
		says   string
	}{
		{"extended", OverrideChange{End: End{For: 3 * time.Hour}, Direction: Later}, monday.Add(4 * time.Hour), "It ends at 2026-08-03T12:00:00Z."},
		{"no later", OverrideChange{End: End{For: time.Hour}, Direction: Later}, time.Time{}, "lasts until 2026-08-03T12:00:00Z already, and 2026-08-03T10:00:00Z is no later; to cut it short: dayshift override cut " + made.Override.ID},
		{"a stale version", OverrideChange{End: End{For: time.Hour}, Version: 1}, time.Time{}, `is in version 2, by lee of 2026-08-03T09:00:00Z, not 1`},
		{"cut short", OverrideChange{End: End{For: time.Minute}, Direction: Earlier, Version: 2}, monday.Add(61 * time.Minute), "It ends at"},
		{"no earlier", OverrideChange{End: End{For: 5 * time.Minute}, Direction: Earlier}, time.Time{}, "is no earlier; to extend it"},
		{"to the next stop after now", OverrideChange{End: End{Boundary: true}}, monday.Add(10 * time.Hour), "It ends at the next boundary of the schedule, 2026-08-03T18:00:00Z"},
		{"to a time of day", OverrideChange{End: End{Clock: "11:30"}}, monday.Add(3*time.Hour + 30*time.Minute), "It ends at"},
		{"no end", OverrideChange{}, time.Time{}, "until when?"},
		{"two ends", OverrideChange{End: End{For: time.Hour, Clock: "11:30"}}, time.Time{}, "give one end"},
		{"the past", OverrideChange{End: End{Until: monday}}, time.Time{}, "in the past"},
		{"nothing", OverrideChange{Target: "i-2", End: End{For: time.Hour}}, time.Time{}, "there is no override"},
	} {
		t.Run(test.name, func(t *testing.T) {
			change := test.change
			change.Author = "lee"
			if change.Target == "" {
				change.Target = made.Override.ID
			}
			for _, dry := range []bool{true, false} {
				change.DryRun = dry
				before, err := s.Store.Objects(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				answer, err := s.ChangeOverride(t.Context(), change)
				after, _ := s.Store.Objects(t.Context())
				if test.until.IsZero() {
					if err == nil || !strings.Contains(err.Error(), test.says) {
						t.Errorf("dry %v: %v", dry, err)
					}
				} else if err != nil || !answer.Override.Until.Equal(test.until) || !hasSentence(answer.Sentences, test.says) || answer.Override.Author != "kim" || answer.Override.ChangedBy != "lee" {
					t.Errorf("dry %v: %+v, %v", dry, answer, err)
				}
				if want := test.until.IsZero() || dry; cmp.Equal(before, after) != want {
					t.Errorf("dry %v: %v became %v", dry, before, after)
				}
			}
		})
	}
	rows, err := s.Store.Activity(t.Context(), store.ActivityQuery{Last: true, Limit: 1})
	if err != nil || rows[0].Reason != "changed" || rows[0].Actor != "lee" || rows[0].Schedule != "office" || rows[0].Ref.ID != "i-1" ||
		rows[0].Detail != "lee changed the end of the override of name-i-1 ("+ref+"i-1) (running, by kim): it lasts until 2026-08-03T11:30:00Z: release" {
		t.Errorf("%+v, %v", rows, err)
	}
	if _, err := s.ChangeOverride(t.Context(), OverrideChange{Target: "i-1", End: End{For: time.Hour}}); err == nil || !strings.Contains(err.Error(), "needs an author") {
		t.Error(err)
	}
}

// A once-override that is given an end lasts until that.
func TestChangeOfOnce(t *testing.T) {
	s := town(t).service()
	if _, err := s.SetOverride(t.Context(), ask("off", calendar.Running, End{})); err != nil {
		t.Fatal(err)
	}
	answer, err := s.ChangeOverride(t.Context(), OverrideChange{Target: "off", End: End{For: time.Hour}, Author: "kim"})
	if err != nil || answer.Override.Once || answer.Override.Boundary {
		t.Errorf("%+v, %v", answer, err)
	}
}

func TestClearOverride(t *testing.T) {
	w := town(t)
	s := w.service()
	set := func(target string, state calendar.State) string {
		t.Helper()
		answer, err := s.SetOverride(t.Context(), ask(target, state, End{For: time.Hour}))
		if err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Second)
		return answer.Override.ID
	}
	set("i-1", calendar.Running)
	set("i-1", calendar.Stopped)
	office := set("office", calendar.Running)
	kept := set("i-seoul", calendar.Running)
	for _, test := range []struct {
		name     string
		clearing OverrideClear
		says     string
	}{
		{"nobody", OverrideClear{Target: "i-1"}, "needs an author"},
		{"both", OverrideClear{Target: "i-1", All: true, Author: "lee"}, "clear either"},
		{"a version of all", OverrideClear{All: true, Version: 1, Author: "lee"}, "a version goes with one"},
		{"a version of two", OverrideClear{Target: "i-1", Version: 1, Author: "lee"}, `"i-1" has 2; name one by its ID:`},
		{"a stale version", OverrideClear{Target: "office", Version: 3, Author: "lee"}, "is in version 1, by kim of"},
		{"nothing", OverrideClear{Target: "berlin", Author: "lee"}, "there is no override"},
	} {
		if _, err := s.ClearOverride(t.Context(), test.clearing); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	for _, dry := range []bool{true, false} {
		answer, err := s.ClearOverride(t.Context(), OverrideClear{Target: "name-i-1", Author: "lee", DryRun: dry})
		if err != nil || len(answer.Cleared) != 2 || len(answer.Resources) != 1 || answer.Resources[0].Action != "start" || !strings.Contains(answer.Resources[0].Why.String(), "Override "+office+" counts for it now") {
			t.Fatalf("dry %v: %+v, %v", dry, answer, err)
		}
	}
	answer, err := s.ClearOverride(t.Context(), OverrideClear{Target: office, Version: 1, Author: "lee"})
	if err != nil || len(answer.Cleared) != 1 || !hasSentence(answer.Sentences, "schedule:office running until 2026-08-03T09:00:02Z by kim.") {
		t.Errorf("%+v, %v", answer, err)
	}
	w.now = monday.Add(65 * time.Minute) // the last one is over
	if answer, err = s.ClearOverride(t.Context(), OverrideClear{All: true, Author: "lee"}); err != nil || len(answer.Cleared) > 0 || answer.Cleared == nil || !hasSentence(answer.Sentences, "nothing to clear") {
		t.Errorf("%+v, %v", answer, err)
	}
	objects, err := s.Store.Objects(t.Context())
	if err != nil || len(objects) != 1 || objects[0].Name != kept {
		t.Errorf("%+v, %v", objects, err)
	}
	rows, err := s.Store.Activity(t.Context(), store.ActivityQuery{Last: true, Limit: 1})
	if err != nil || rows[0].Reason != "cleared" || rows[0].Actor != "lee" || rows[0].Schedule != "office" || !strings.HasPrefix(rows[0].Detail, `lee cleared the override of schedule "office" (running until 2026-08-03T09:00:02Z, by kim)`) {
		t.Errorf("%+v, %v", rows, err)
	}
}

// Two people override the same target at the same moment: both are kept, and all agree on which one counts.
func TestTwoPeopleAtOnce(t *testing.T) {
	w := town(t)
	s := w.service()
	const people = 16
	var group sync.WaitGroup
	for i := range people {
		group.Go(func() {
			request := ask("i-1", calendar.Running, End{For: time.Hour})
			if i%2 == 1 {
				request.State = calendar.Stopped
			}
			request.Author = fmt.Sprint("person", i)
			if _, err := s.SetOverride(t.Context(), request); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	list, err := s.ListOverrides(t.Context())
	if err != nil || len(list.Overrides) != people || list.Overrides[0].Counts != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, o := range list.Overrides[1:] {
		if o.Counts != 0 || o.ID >= list.Overrides[0].ID {
			t.Errorf("%+v besides %s", o, list.Overrides[0].ID)
		}
	}
	// All move the end of the same one: with its version only one does, without all do or see the conflict of two at once.
	first := list.Overrides[0]
	var mu sync.Mutex
	done := 0
	for i := range people {
		group.Go(func() {
			_, err := s.ChangeOverride(t.Context(), OverrideChange{Target: first.ID, Version: first.Version, End: End{For: time.Duration(i+2) * time.Hour}, Author: fmt.Sprint("person", i)})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				done++
			case !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "by person"):
				t.Error(err)
			}
		})
	}
	group.Wait()
	if done != 1 {
		t.Errorf("%d people changed version %d", done, first.Version)
	}
	for range people {
		group.Go(func() {
			if _, err := s.ClearOverride(t.Context(), OverrideClear{Target: first.ID, Author: "lee"}); err != nil && !strings.Contains(err.Error(), "there is no override") {
				t.Error(err)
			}
		})
	}
	group.Wait()
	rows, err := s.Store.Activity(t.Context(), store.ActivityQuery{Event: store.EventOverride})
	if err != nil || len(rows) != people+2 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// Somebody moves its end between the look and the write: who named no version still gets what was meant.
func TestConflictIsTriedAgain(t *testing.T) {
	w := town(t)
	s := w.service()
	made, err := s.SetOverride(t.Context(), ask("i-1", calendar.Running, End{For: time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	meddle := func(times int) *meddler {
		return &meddler{world: w, times: times, meddle: func() {
			objects, err := s.Store.Objects(t.Context())
			if err == nil && len(objects) == 1 {
				objects[0].Author = "meddler"
				_, err = s.Store.SaveObject(t.Context(), objects[0])
			}
			if err != nil {
				t.Error(err)
			}
		}}
	}
	change := OverrideChange{Target: made.Override.ID, End: End{For: 2 * time.Hour}, Author: "kim"}
	s.Looker = meddle(1)
	if answer, err := s.ChangeOverride(t.Context(), change); err != nil || answer.Override.Version != 3 {
		t.Errorf("%+v, %v", answer.Override, err)
	}
	s.Looker = meddle(2)
	if _, err := s.ChangeOverride(t.Context(), change); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "by meddler of") {
		t.Error(err)
	}
	s.Looker = meddle(1)
	if answer, err := s.ClearOverride(t.Context(), OverrideClear{Target: made.Override.ID, Author: "kim"}); err != nil || len(answer.Cleared) != 1 {
		t.Errorf("%+v, %v", answer, err)
	}
	if objects, _ := s.Store.Objects(t.Context()); len(objects) > 0 {
		t.Errorf("%+v", objects)
	}
}

// meddler changes something while the fleet is looked at.
type meddler struct {
	*world
	times  int
	meddle func()
}

func (m *meddler) Look(ctx context.Context, at time.Time, chains bool) (pass.Report, error) {
	if m.times > 0 {
		m.times--
		m.meddle()
	}
	return m.world.Look(ctx, at, chains)
}

// Woken at 18:10 after a stop at 18:00, for two hours: up at 20:09, people told before, down at 20:10; and only it.
func TestWakeOneDatabase(t *testing.T) {
	w := newWorld(schedule(t, "night", nil, officeHours))
	w.now = time.Date(2026, 8, 3, 18, 10, 0, 0, time.UTC)
	w.add("orders", "night", fleet.Stopped, decide.WasStopped).Kind = fleet.RDSInstance
	w.memories[w.resources[0].Ref] = decide.Memory{Ref: w.resources[0].Ref, Schedule: "night", Last: decide.WasStopped, DecidedAt: w.now.Add(-time.Minute), Seen: fleet.Stopped, FirstSeen: monday, SeenAt: w.now}
	w.add("billing", "night", fleet.Stopped, decide.WasStopped)
	s := w.service()
	answer, err := s.SetOverride(t.Context(), ask("orders", calendar.Running, End{For: 2 * time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	want := []OverrideLine{{
		Ref: "111122223333/ap-northeast-2/rds_instance/orders", Name: "name-orders", State: "stopped", Counts: true, Action: "start", Reason: "override-start",
		Why: say.Raw("start: " + decide.OverrideStart.Sentence() + " Asked for by kim: release."), Until: w.now.Add(2 * time.Hour), Then: "stop", WarnAt: w.now.Add(110 * time.Minute),
	}}
	if diff := cmp.Diff(want, answer.Resources); diff != "" {
		t.Error(diff)
	}
	// A restart of everything in between changes nothing: what is kept is read back and still ends at 20:10.
	objects, err := s.Store.Objects(t.Context(), store.OverrideObject)
	if err != nil || len(objects) != 1 {
		t.Fatal(objects, err)
	}
	o, err := store.ToOverride(objects[0])
	if err != nil {
		t.Fatal(err)
	}
	book := *w.book
	book.Overrides = []*policy.Override{o}
	for i := range w.resources {
		p := book.Governs(w.resources[i])
		for at, inForce := range map[time.Time]bool{w.now: i == 0, w.now.Add(119 * time.Minute): i == 0, w.now.Add(120 * time.Minute): false} {
			if _, _, ok := p.Override(at, ""); ok != inForce {
				t.Errorf("%s at %s: %v", w.resources[i].ID, at, ok)
			}
		}
	}
}

// An answer about a large fleet comes in time for a person at a terminal.
func BenchmarkSetOverride(b *testing.B) {
	w := newWorld(schedule(b, "office", func(s *policy.Schedule) { s.Jitter = time.Hour }, officeHours))
	for i := range 10_000 {
		w.add(fmt.Sprint("i-", i), "office", fleet.Stopped, decide.WasStopped)
	}
	for b.Loop() {
		request := ask("office", calendar.Running, End{})
		request.DryRun = true
		if answer, err := w.service().SetOverride(b.Context(), request); err != nil || answer.Matches != 10_000 {
			b.Fatal(err)
		}
	}
}
