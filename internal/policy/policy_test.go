package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
)

func office(t testing.TB) *calendar.Schedule {
	t.Helper()
	compiled, err := calendar.Compile(
		calendar.ScheduleDef{Name: "office", Timezone: "Asia/Seoul", Periods: calendar.PeriodRefs{"office"}},
		map[string]calendar.PeriodDef{"office": {BeginTime: "09:00", EndTime: "18:00", Weekdays: calendar.DayField{"mon-fri"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func resource(id string, tags map[string]string) fleet.Resource {
	return fleet.Resource{
		Ref:  fleet.Ref{Scope: fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}, Kind: fleet.EC2Instance, ID: id},
		Name: id, Tags: tags,
	}
}

func book(t testing.TB) *Book {
	t.Helper()
	filter, err := fleet.ParseFilter("name=db*")
	if err != nil {
		t.Fatal(err)
	}
	return &Book{
		TagKey: "Schedule",
		Schedules: map[string]*Schedule{
			"office": {Name: "office", Calendar: office(t), Enabled: true},
			"off":    {Name: "off", Calendar: office(t)},
			"broken": {Name: "broken", Enabled: true, Err: errors.New("no such zone")},
		},
		Protected: []fleet.Filter{filter},
	}
}

func TestGoverns(t *testing.T) {
	b := book(t)
	for _, test := range []struct {
		name string
		id   string
		tags map[string]string
		why  Why
		hint string
	}{
		{"a schedule", "web", map[string]string{"Schedule": "office"}, Governed, ""},
		{"blanks around the name", "web", map[string]string{"Schedule": " office\t"}, Governed, ""},
		{"another case is another name", "web", map[string]string{"Schedule": "Office"}, UnknownSchedule, "office"},
		{"another case of the key is another tag", "web", map[string]string{"schedule": "office"}, NoSchedule, ""},
		{"a slip", "web", map[string]string{"Schedule": "ofice"}, UnknownSchedule, "office"},
		{"nothing like it", "web", map[string]string{"Schedule": "nightly-batch"}, UnknownSchedule, ""},
		{"no tag", "web", nil, NoSchedule, ""},
		{"a blank tag", "web", map[string]string{"Schedule": "  "}, NoSchedule, ""},
		{"protected", "web", map[string]string{"Schedule": "office", fleet.TagProtect: "true"}, ProtectedByTag, ""},
		{"protected, in capitals", "web", map[string]string{"Schedule": "office", fleet.TagProtect: " TRUE"}, ProtectedByTag, ""},
		{"protect=false", "web", map[string]string{"Schedule": "office", fleet.TagProtect: "false"}, Governed, ""},
		{"protected by the configuration", "db1", map[string]string{"Schedule": "office"}, ProtectedByFilter, ""},
		{"protection counts before a fault", "db1", map[string]string{"Schedule": "broken"}, ProtectedByFilter, ""},
		{"disabled", "web", map[string]string{"Schedule": "off"}, ScheduleDisabled, ""},
		{"with a fault", "web", map[string]string{"Schedule": "broken"}, ScheduleInvalid, ""},
		{"256 characters of Unicode", "web", map[string]string{"Schedule": strings.Repeat("班", 256)}, UnknownSchedule, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := b.Governs(resource(test.id, test.tags))
			hint, ok := p.Hint()
			if p.Why != test.why || hint != test.hint || ok != (test.hint != "") {
				t.Errorf("got %s, hint %q; want %s, %q", p.Why, hint, test.why, test.hint)
			}
			if _, ok := p.Next(time.Now()); ok != (test.why == Governed) {
				t.Error("only what is governed has a boundary")
			}
		})
	}
}

// A schedule with a fault is a matter of its own resources.
func TestFaultConcernsItsOwnResources(t *testing.T) {
	with := book(t)
	without := book(t)
	delete(without.Schedules, "broken")
	now := time.Date(2026, 8, 3, 1, 0, 0, 0, time.UTC)
	for _, name := range []string{"office", "off", ""} {
		r := resource("web", map[string]string{"Schedule": name})
		if a, b := with.Governs(r), without.Governs(r); a.Why != b.Why || a.Wanted(now) != b.Wanted(now) {
			t.Errorf("%q: %s and %s", name, a.Why, b.Why)
		}
	}
}

func TestOffset(t *testing.T) {
	const jitter = 8 * time.Minute
	count := map[time.Duration]int{}
	for i := range 16_000 {
		r := resource(fmt.Sprintf("i-%017x", i), nil)
		offset := Offset(r.Ref, jitter)
		if offset != Offset(r.Ref, jitter) || offset < 0 || offset >= jitter {
			t.Fatalf("%s: %s", r.ID, offset)
		}
		count[offset]++
	}
	if len(count) != maxWaves {
		t.Errorf("%d waves, want %d", len(count), maxWaves)
	}
	for offset, n := range count {
		if n < 800 || n > 1200 {
			t.Errorf("%d of 16,000 resources stand at %s, want some 1,000", n, offset)
		}
	}
	ref := resource("i-1", nil).Ref
	for _, tiny := range []time.Duration{0, time.Millisecond, time.Second} {
		if got := Offset(ref, tiny); got != 0 {
			t.Errorf("jitter %s: offset %s", tiny, got)
		}
	}
}

// Everything comes exactly the offset later, and Next agrees with Wanted.
func TestJitterShiftsTheCalendar(t *testing.T) {
	b := book(t)
	b.Schedules["office"].Jitter = 40 * time.Minute
	plain := office(t)
	base := time.Date(2026, 8, 3, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		p := b.Governs(resource(rapid.StringMatching(`i-[0-9a-f]{4}`).Draw(t, "id"), map[string]string{"Schedule": "office"}))
		now := base.Add(time.Duration(rapid.Int64Range(0, int64(14*24*time.Hour)).Draw(t, "at")))
		if got, want := p.Wanted(now), plain.Wanted(now.Add(-p.Offset)); got != want {
			t.Fatalf("at %s: %v, want %v", now, got, want)
		}
		boundary, ok := p.Next(now)
		if !ok || !boundary.At.After(now) {
			t.Fatalf("Next(%s) is %s", now, boundary.At)
		}
		if p.Wanted(boundary.At) != boundary.To || p.Wanted(boundary.At.Add(-time.Second)) != boundary.From {
			t.Fatalf("at %s not what Next says", boundary.At)
		}
		stop, ok := p.NextStop(now)
		if !ok || !stop.After(now) || p.Wanted(stop).State != calendar.Stopped || p.Wanted(stop.Add(-time.Second)).State == calendar.Stopped {
			t.Fatalf("NextStop(%s) is %s", now, stop)
		}
	})
}

// Remembering the last answer changes no answer, in whatever order instants come.
func TestMemoChangesNothing(t *testing.T) {
	b := book(t)
	p := b.Governs(resource("web", map[string]string{"Schedule": "office"}))
	plain := office(t)
	base := time.Date(2026, 8, 3, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		for _, offset := range rapid.SliceOfN(rapid.Int64Range(0, int64(20*24*time.Hour)), 1, 20).Draw(t, "offsets") {
			at := base.Add(time.Duration(offset))
			got, ok := p.Next(at)
			want, wantOK := plain.Next(at)
			if got != want || ok != wantOK {
				t.Fatalf("Next(%s): %v, want %v", at, got, want)
			}
			got, _ = p.NextState(at)
			want, _ = plain.NextState(at)
			if got != want {
				t.Fatalf("NextState(%s): %v, want %v", at, got, want)
			}
		}
	})
}

func TestInstanceTypes(t *testing.T) {
	for _, test := range []struct {
		name    string
		tags    map[string]string
		types   []string
		refused int
	}{
		{"none", nil, nil, 0},
		{"a list", map[string]string{fleet.TagInstanceTypes: "m5.large, m6i.large,t3.large"}, []string{"m5.large", "m6i.large", "t3.large"}, 0},
		{"under the older name", map[string]string{fleet.TagPreferredInstanceTypes: "m5.large"}, []string{"m5.large"}, 0},
		{"our name wins", map[string]string{fleet.TagInstanceTypes: "t3.nano", fleet.TagPreferredInstanceTypes: "m5.large"}, []string{"t3.nano"}, 0},
		{"capitals and repetitions", map[string]string{fleet.TagInstanceTypes: "T3.Small,t3.small,,"}, []string{"t3.small"}, 0},
		{"strange ones are passed by", map[string]string{fleet.TagInstanceTypes: "large,.x,m5.,m5.large;rm,u-6tb1.112xlarge,3t.small,-a.b,a-.b"}, []string{"u-6tb1.112xlarge"}, 7},
		{"too many", map[string]string{fleet.TagInstanceTypes: many(25)}, strings.Split(many(20), ","), 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			types, refused := InstanceTypes(test.tags)
			if !slices.Equal(types, test.types) || len(refused) != test.refused {
				t.Errorf("got %v, refused %v", types, refused)
			}
		})
	}
}

func many(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("m%d.large", i)
	}
	return strings.Join(names, ",")
}

func FuzzInstanceTypes(f *testing.F) {
	for _, seed := range []string{"m5.large,t3.small", "", ",,,", "mac2-m2pro.metal", strings.Repeat("a.b,", 60), "\x00.\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		types, _ := InstanceTypes(map[string]string{fleet.TagInstanceTypes: text})
		if len(types) > maxTypes {
			t.Fatalf("%d types", len(types))
		}
		for i, name := range types {
			if !IsInstanceType(name) || slices.Contains(types[:i], name) {
				t.Fatalf("%q in %v", name, types)
			}
		}
		again, refused := InstanceTypes(map[string]string{fleet.TagInstanceTypes: strings.Join(types, ",")})
		if !slices.Equal(again, types) || refused != nil {
			t.Fatalf("%v came back as %v, %v", types, again, refused)
		}
	})
}
