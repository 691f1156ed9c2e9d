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

var expressions = []string{
	"rate(1 minute)", "rate(7 minutes)", "cron(0/5 * * * ? *)", "cron(30 9 * * ? *)", "cron(55 14 ? * MON-FRI *)", "0 * * * *", "at(2026-08-05T12:00:00)",
}

func drawRule(t *rapid.T) *policy.Rule {
	e, err := calendar.ParseExpression(rapid.SampledFrom(expressions).Draw(t, "expression"), time.UTC, at("01 00:00:00"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return &policy.Rule{
		Name: "nightly", Enabled: true, Expression: e, Verb: fleet.Stop,
		CatchUp: rapid.SampledFrom([]time.Duration{0, 2 * time.Minute, 10 * time.Minute, time.Hour}).Draw(t, "catch_up"),
		Since:   rapid.SampledFrom([]time.Time{{}, at("03 00:00:00"), at("03 06:00:00")}).Draw(t, "since"),
	}
}

// look asks what is due, and holds the answer to what is true of every answer.
func look(t fataler, p RuleProgress, rule *policy.Rule, now time.Time) RuleDue {
	t.Helper()
	kept := slices.Clone(p.Done)
	due := p.Due(rule, now)
	if !slices.Equal(p.Done, kept) {
		t.Fatalf("what was remembered was changed")
	}
	horizon := now.Add(-max(rule.CatchUp, time.Minute))
	for i, instant := range due.Fires {
		if instant.After(now) || instant.Before(horizon.Add(-time.Second)) {
			t.Fatalf("at %s: %s fires, %s is caught up", now, instant, rule.CatchUp)
		}
		if i > 0 && !due.Fires[i-1].Before(instant) {
			t.Fatalf("out of order: %v", due.Fires)
		}
	}
	for _, instant := range due.Missed {
		if !instant.Before(horizon) {
			t.Fatalf("at %s: %s counts as missed, %s is caught up", now, instant, rule.CatchUp)
		}
	}
	if len(due.Missed) > maxMissed+1 {
		t.Fatalf("%d missed", len(due.Missed))
	}
	done := due.Progress.Done
	if len(done) > maxStretches {
		t.Fatalf("%d stretches are kept", len(done))
	}
	for i, stretch := range done {
		if stretch.Through.Before(stretch.After) || i > 0 && !done[i-1].Through.Before(stretch.After) {
			t.Fatalf("stretches out of order: %v", done)
		}
	}
	if again := due.Progress.Due(rule, now); len(again.Fires)+len(again.Missed) > 0 {
		t.Fatalf("at %s asked again: %v, %v", now, again.Fires, again.Missed)
	}
	return due
}

// A clock that only goes forward, looked at often enough, loses no instant and fires none twice.
func TestDueLosesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rule := drawRule(rt)
		began := drawInstant(rt, at("03 06:00:00"), 86_400)
		if rule.Since.IsZero() {
			rule.Since = began
		}
		from, now := rule.Since, began
		var progress RuleProgress
		var got []time.Time
		seldom := rapid.Bool().Draw(rt, "kept only where something was due")
		for i := range rapid.IntRange(1, 60).Draw(rt, "looks") {
			due := look(rt, progress, rule, now)
			if i > 0 && len(due.Missed) > 0 {
				rt.Fatalf("at %s missed %v", now, due.Missed)
			}
			if i == 0 { // what passed before anybody looked
				from = now
				if n := len(due.Fires); n > 0 {
					from = due.Fires[0].Add(-time.Second)
				}
			}
			got = append(got, due.Fires...)
			if !seldom || i == 0 || len(due.Fires) > 0 {
				progress = through(rt, due.Progress)
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(max(rule.CatchUp, time.Minute))).Draw(rt, "gap")))
		}
		last := now
		got = append(got, look(rt, progress, rule, last).Fires...)
		want := slices.Collect(rule.Expression.Fires(from, last))
		if !slices.Equal(got, want) {
			rt.Fatalf("%s from %s to %s:\n got %v\nwant %v", rule.Expression, from, last, got, want)
		}
	})
}

// Whatever the clock does and whoever edits the rule, no instant fires twice.
func TestDueFiresOnce(t *testing.T) {
	jumps := []time.Duration{
		0, time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour, 365 * 24 * time.Hour,
		-time.Nanosecond, -30 * time.Second, -time.Hour, -24 * time.Hour, -365 * 24 * time.Hour,
	}
	rapid.Check(t, func(rt *rapid.T) {
		rule, now := drawRule(rt), at("03 12:00:00")
		fired := map[time.Time]bool{}
		var progress RuleProgress
		for range rapid.IntRange(1, 80).Draw(rt, "looks") {
			due := look(rt, progress, rule, now)
			for _, instant := range due.Fires {
				if fired[instant] {
					rt.Fatalf("at %s: %s fires again; %v", now, instant, progress.Done)
				}
				fired[instant] = true
			}
			progress = through(rt, due.Progress)
			if rapid.IntRange(0, 9).Draw(rt, "edit") == 0 {
				catchUp := rule.CatchUp
				rule = drawRule(rt)
				rule.Since, rule.CatchUp = now, max(catchUp, rule.CatchUp)
			}
			now = now.Add(rapid.SampledFrom(jumps).Draw(rt, "jump"))
		}
	})
}

// However the clock jumped about, after it is right again a rule goes on within a look.
func TestDueGoesOnAfterJumps(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rule, now := drawRule(rt), at("03 12:00:00")
		rule.Expression = nextMinute(rt)
		var progress RuleProgress
		progress = look(rt, progress, rule, now).Progress
		for range rapid.IntRange(0, maxStretches-2).Draw(rt, "jumps") {
			away := time.Duration(rapid.IntRange(2, 400).Draw(rt, "days")) * 24 * time.Hour
			progress = look(rt, progress, rule, now.Add(away)).Progress
			if rapid.Bool().Draw(rt, "edited meanwhile") {
				rule.Since = now.Add(away)
			}
			progress = look(rt, progress, rule, now).Progress
			now = now.Add(time.Minute)
			due := look(rt, progress, rule, now)
			if len(due.Fires) == 0 {
				rt.Fatalf("%s: nothing is due; %v", now, progress.Done)
			}
			progress = through(rt, due.Progress)
		}
	})
}

// Also where more jumps are remembered than can be kept.
func TestDueGoesOnAfterTooManyJumps(t *testing.T) {
	rule, now := &policy.Rule{Name: "often", Enabled: true, Expression: nextMinute(t), CatchUp: 10 * time.Minute}, at("03 12:00:00")
	var progress RuleProgress
	for i := range maxStretches {
		progress = look(t, progress, rule, now.Add(time.Duration(1+10*i)*24*time.Hour)).Progress
	}
	progress = look(t, progress, rule, now).Progress
	if due := look(t, progress, rule, now.Add(time.Minute)); len(due.Fires) != 1 {
		t.Errorf("%v are due; %v", shorts(due.Fires), progress.Done)
	}
}

func nextMinute(t fataler) *calendar.Expression {
	e, err := calendar.ParseExpression("* * * * *", time.UTC, time.Time{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return e
}

// Where the clock had run ahead, nothing is lost at the seam when it comes there again.
func TestDueAtTheSeamOfAJump(t *testing.T) {
	rule := &policy.Rule{Name: "often", Enabled: true, Expression: nextMinute(t), CatchUp: 10 * time.Minute}
	now := at("03 09:00:00")
	var progress RuleProgress
	fired := map[time.Time]bool{}
	step := func(to time.Time) {
		due := look(t, progress, rule, to)
		for _, instant := range due.Fires {
			if fired[instant] {
				t.Fatalf("%s twice", instant)
			}
			fired[instant] = true
		}
		progress = through(t, due.Progress)
	}
	step(now)
	step(now.Add(time.Hour + 7*time.Second)) // ahead by an hour: 09:50 to 10:00 fire, the rest is missed
	for to := now.Add(110 * time.Second); to.Before(now.Add(2 * time.Hour)); to = to.Add(110 * time.Second) {
		step(to)
	}
	for instant := now.Add(time.Minute); instant.Before(now.Add(115 * time.Minute)); instant = instant.Add(time.Minute) {
		if !fired[instant] {
			t.Errorf("%s was lost", short(instant))
		}
	}
}

func TestDueIsBounded(t *testing.T) {
	for _, expression := range append(expressions, "cron(0 0 29 2 ? *)", "cron(0 0 1 1 ? 2199)", "cron(* * * * ? 1970)") {
		e, err := calendar.ParseExpression(expression, time.UTC, at("01 00:00:00"))
		if err != nil {
			t.Fatal(err)
		}
		rule := &policy.Rule{Name: "r", Enabled: true, Expression: e, CatchUp: policy.DefaultCatchUp, Since: time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)}
		for _, now := range []time.Time{time.Date(2026, 8, 3, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)} {
			began := time.Now()
			look(t, RuleProgress{}, rule, now)
			if took := time.Since(began); took > time.Second {
				t.Errorf("%s at %s took %s", expression, now, took)
			}
		}
	}
}

func TestDue(t *testing.T) {
	for _, test := range []struct {
		name          string
		since         time.Time
		through       time.Time // of what is done; zero: never looked at
		now           time.Time
		catchUp       time.Duration
		fires, missed []string
	}{
		{name: "a minute late", through: at("03 09:29:00"), now: at("03 09:31:00"), catchUp: 10 * time.Minute, fires: []string{"03 09:30:00"}},
		{name: "at its instant", through: at("03 09:29:00"), now: at("03 09:30:00"), catchUp: 10 * time.Minute, fires: []string{"03 09:30:00"}},
		{name: "a second before", through: at("03 09:29:00"), now: at("03 09:29:59"), catchUp: 10 * time.Minute},
		{name: "done", through: at("03 09:30:00"), now: at("03 09:31:00"), catchUp: 10 * time.Minute},
		{name: "as late as can be", through: at("02 09:30:00"), now: at("03 09:40:00"), catchUp: 10 * time.Minute, fires: []string{"03 09:30:00"}},
		{name: "too late", through: at("02 09:30:00"), now: at("03 09:40:01"), catchUp: 10 * time.Minute, missed: []string{"03 09:30:00"}},
		{name: "no catching up, but passes take their time", through: at("02 09:30:00"), now: at("03 09:30:50"), fires: []string{"03 09:30:00"}},
		{name: "no catching up", through: at("02 09:30:00"), now: at("03 09:32:00"), missed: []string{"03 09:30:00"}},
		{name: "down for days", through: at("01 09:30:00"), now: at("04 09:35:00"), catchUp: 10 * time.Minute, fires: []string{"04 09:30:00"}, missed: []string{"02 09:30:00", "03 09:30:00"}},
		{name: "catching up for days", through: at("01 09:30:00"), now: at("04 09:35:00"), catchUp: 7 * 24 * time.Hour, fires: []string{"02 09:30:00", "03 09:30:00", "04 09:30:00"}},
		{name: "never looked at", now: at("03 09:31:00"), catchUp: 10 * time.Minute},
		{name: "made before its instant, never looked at", since: at("03 09:29:59"), now: at("03 09:31:00"), catchUp: 10 * time.Minute, fires: []string{"03 09:30:00"}},
		{name: "made at its instant", since: at("03 09:30:00"), now: at("03 09:31:00"), catchUp: 10 * time.Minute},
		{name: "made after its instant", since: at("03 09:30:01"), now: at("03 09:31:00"), catchUp: 10 * time.Minute},
		{name: "edited after its instant", since: at("03 09:30:01"), through: at("03 09:29:00"), now: at("03 09:31:00"), catchUp: 10 * time.Minute},
		{name: "made by a clock a little ahead", since: at("03 09:31:02"), through: at("03 09:29:00"), now: at("03 09:31:00"), catchUp: 10 * time.Minute},
		{name: "edited when the clock was a year ahead", since: at("03 09:31:00").AddDate(1, 0, 0), through: at("03 09:29:00"), now: at("03 09:31:00"), catchUp: 10 * time.Minute, fires: []string{"03 09:30:00"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			rule := rule(t, "daily", "cron(30 9 * * ? *)", fleet.Stop, func(r *policy.Rule) { r.Since, r.CatchUp = test.since, test.catchUp })
			var progress RuleProgress
			if !test.through.IsZero() {
				progress.Done = []Stretch{{After: at("01 00:00:00"), Through: test.through}}
			}
			due := look(t, progress, rule, test.now)
			if got := shorts(due.Fires); !slices.Equal(got, test.fires) {
				t.Errorf("fires %v, want %v", got, test.fires)
			}
			if got := shorts(due.Missed); !slices.Equal(got, test.missed) {
				t.Errorf("missed %v, want %v", got, test.missed)
			}
		})
	}
}

func shorts(instants []time.Time) []string {
	var texts []string
	for _, instant := range instants {
		texts = append(texts, short(instant))
	}
	return texts
}

// A rule of the file knows when the file was written: what its new form would have done before that is neither made up nor
// missed, and what the old form did is not done again.
func TestAnEditedRuleOfTheFile(t *testing.T) {
	noon := time.Date(2026, 8, 3, 12, 0, 0, 0, time.UTC)
	daily := func(expression string, written time.Time) *policy.Rule {
		parsed, err := calendar.ParseExpression(expression, time.UTC, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return &policy.Rule{Name: "daily", Enabled: true, Expression: parsed, CatchUp: policy.DefaultCatchUp, Changed: written}
	}
	old := daily("cron(0 9 * * ? *)", noon.AddDate(0, -1, 0))
	progress := RuleProgress{}.Due(old, noon.AddDate(0, 0, -2)).Progress
	progress = progress.Due(old, noon.Add(-3*time.Hour)).Progress // fired at nine
	for _, test := range []struct {
		name          string
		rule          *policy.Rule
		at            time.Time
		fires, missed int
	}{
		{"its instant was before the edit", daily("cron(58 11 * * ? *)", noon.Add(-time.Minute)), noon, 0, 0},
		{"its instant came after the edit", daily("cron(58 11 * * ? *)", noon.Add(-3*time.Minute)), noon, 1, 0},
		{"its instant came after the edit, and is too long ago", daily("cron(30 11 * * ? *)", noon.Add(-time.Hour)), noon, 0, 1},
		{"the same instants, in a file that was written again", daily("cron(0 9 * * ? *)", noon.Add(-time.Minute)), noon, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			due := progress.Due(test.rule, test.at)
			if len(due.Fires) != test.fires || len(due.Missed) != test.missed {
				t.Errorf("fires %v, missed %v", due.Fires, due.Missed)
			}
		})
	}
	// One that nobody has looked at yet.
	for name, test := range map[string]struct {
		written time.Time
		fires   int
	}{
		"its instant came between the writing and the first look": {noon.Add(-3 * time.Minute), 1},
		"its instant was before it was written":                   {noon.Add(-time.Minute), 0},
		"it was written long ago":                                 {noon.AddDate(0, -1, 0), 0},
		"when it was written is not known":                        {time.Time{}, 0},
	} {
		if due := (RuleProgress{}).Due(daily("cron(58 11 * * ? *)", test.written), noon); len(due.Fires) != test.fires || len(due.Missed) != 0 {
			t.Errorf("%s: fires %v, missed %v", name, due.Fires, due.Missed)
		}
	}
}
