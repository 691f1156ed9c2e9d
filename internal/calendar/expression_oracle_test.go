package calendar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The oracle of the rules, by the letter of the semantics and with no regard to speed: it looks at every minute that a
// clock can show by itself, asks whether each field names it, and turns it into an instant by the clock walk of the
// schedules' oracle. It shares no code with the package.

// minuteOf is a minute on a clock, with the date it is on.
type minuteOf struct {
	day
	hour, minute int
}

// ruleGen is an expression with what it means.
type ruleGen struct {
	text string
	date func(minuteOf) bool // the rule may fire on this date
	time func(minuteOf) bool // and at this time of the day
}

func (r *ruleGen) matches(m minuteOf) bool { return r.date(m) && r.time(m) }

// cronAtom is one item of a field with the values it names.
type cronAtom struct {
	text    string
	matches func(minuteOf) bool
}

var shortDays = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

// sunday counts weekdays as EventBridge does, from 1 = Sunday.
func sunday(d day) int { return (d.weekday+1)%7 + 1 }

// genCronSpan draws a, a-b, a/n, a-b/n, * and */n. The values go from lo to hi; names[0] is lo's.
func genCronSpan(t *rapid.T, lo, hi int, names []string, wraps bool, near []int, of func(minuteOf) int) cronAtom {
	value := rapid.OneOf(rapid.IntRange(lo, hi), rapid.SampledFrom(near))
	a, b := value.Draw(t, "a"), value.Draw(t, "b")
	if a > b && !wraps {
		a, b = b, a
	}
	step := rapid.SampledFrom([]int{1, 2, 3, 5, 7, 15, 20, 300}).Draw(t, "step")
	word := func(v int) string {
		if names == nil || rapid.Bool().Draw(t, "as number") {
			return fmt.Sprintf(rapid.SampledFrom([]string{"%d", "%02d"}).Draw(t, "zeros"), v)
		}
		return rapid.SampledFrom([]func(string) string{strings.ToLower, strings.ToUpper}).Draw(t, "case")(names[v-lo])
	}
	var text string
	var set map[int]bool
	switch rapid.IntRange(0, 7).Draw(t, "form") {
	case 0:
		text, set = "*", walk(lo, hi, 1, lo, hi)
	case 1:
		text, set = fmt.Sprint("*/", step), walk(lo, hi, step, lo, hi)
	case 2, 3:
		text, set = word(a), walk(a, a, 1, lo, hi)
	case 4, 5:
		text, set = word(a)+"-"+word(b), walk(a, b, 1, lo, hi)
	case 6:
		text, set = fmt.Sprint(word(a), "/", step), walk(a, hi, step, lo, hi)
	default:
		text, set = fmt.Sprint(word(a), "-", word(b), "/", step), walk(a, b, step, lo, hi)
	}
	return cronAtom{text, func(m minuteOf) bool { return set[of(m)] }}
}

// genCronField draws a list of atoms.
func genCronField(t *rapid.T, label string, atom func() cronAtom) cronAtom {
	var texts []string
	var any []func(minuteOf) bool
	for range rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, label) {
		a := atom()
		texts = append(texts, a.text)
		any = append(any, a.matches)
	}
	return cronAtom{strings.Join(texts, ","), func(m minuteOf) bool {
		return slices.ContainsFunc(any, func(f func(minuteOf) bool) bool { return f(m) })
	}}
}

// workday finds the Monday-Friday of a month nearest to its day n; of two as near there is none.
func workday(d day, n int) int {
	best := 0
	for x := 1; x <= d.length; x++ {
		weekday := ((d.weekday-(d.day-1)+x-1)%7 + 7) % 7
		if weekday < 5 && (best == 0 || max(x-n, n-x) < max(best-n, n-best)) {
			best = x
		}
	}
	return best
}

func genCronDay(t *rapid.T, around day) cronAtom {
	switch rapid.IntRange(0, 7).Draw(t, "kind of day") {
	case 0:
		return cronAtom{"L", func(m minuteOf) bool { return m.day.day == m.length }}
	case 1:
		return cronAtom{"LW", func(m minuteOf) bool { return m.day.day == workday(m.day, m.length) }}
	case 2:
		n := rapid.OneOf(rapid.IntRange(1, 31), rapid.Just(around.day)).Draw(t, "near")
		return cronAtom{fmt.Sprint(n, "w"), func(m minuteOf) bool { return n <= m.length && m.day.day == workday(m.day, n) }}
	}
	return genCronSpan(t, 1, 31, nil, false, []int{around.day}, func(m minuteOf) int { return m.day.day })
}

func genCronWeekday(t *rapid.T, around day) cronAtom {
	d := rapid.OneOf(rapid.IntRange(1, 7), rapid.Just(sunday(around))).Draw(t, "weekday")
	switch rapid.IntRange(0, 6).Draw(t, "kind of weekday") {
	case 0:
		return cronAtom{fmt.Sprint(d, "L"), func(m minuteOf) bool { return sunday(m.day) == d && m.day.day+7 > m.length }}
	case 1:
		return cronAtom{"l", func(m minuteOf) bool { return sunday(m.day) == 7 }}
	}
	return genCronSpan(t, 1, 7, shortDays, true, []int{sunday(around)}, func(m minuteOf) int { return sunday(m.day) })
}

// genRule draws a cron of either kind that is likely to fire around a date.
func genRule(t *rapid.T, around day) ruleGen {
	upper := make([]string, 12)
	for i, name := range oracleMonths {
		upper[i] = strings.ToUpper(name[:3])
	}
	minute := genCronField(t, "minutes", func() cronAtom {
		return genCronSpan(t, 0, 59, nil, false, []int{0, 1, 15, 29, 30, 31, 45, 59}, func(m minuteOf) int { return m.minute })
	})
	hour := genCronField(t, "hours", func() cronAtom {
		return genCronSpan(t, 0, 23, nil, false, []int{0, 1, 2, 3, 4, 23}, func(m minuteOf) int { return m.hour })
	})
	times := func(m minuteOf) bool { return hour.matches(m) && minute.matches(m) }
	every := cronAtom{"*", func(minuteOf) bool { return true }}
	mon := every
	if rapid.IntRange(0, 3).Draw(t, "by month") == 0 {
		mon = genCronField(t, "months", func() cronAtom {
			return genCronSpan(t, 1, 12, upper, true, []int{around.month}, func(m minuteOf) int { return m.month })
		})
	}
	if rapid.IntRange(0, 3).Draw(t, "unix") == 0 {
		days := genCronField(t, "days", func() cronAtom {
			return genCronSpan(t, 1, 31, nil, false, []int{around.day}, func(m minuteOf) int { return m.day.day })
		})
		of := func(m minuteOf) int { return sunday(m.day) - 1 }
		weekdays := genCronField(t, "weekdays", func() cronAtom {
			if rapid.IntRange(0, 4).Draw(t, "seven") == 0 {
				a := rapid.IntRange(0, 7).Draw(t, "to seven")
				return cronAtom{fmt.Sprint(a, "-7"), func(m minuteOf) bool { return of(m) >= a || of(m) == 0 }}
			}
			return genCronSpan(t, 0, 6, shortDays, true, []int{sunday(around) - 1}, of)
		})
		either := days.text[0] != '*' && weekdays.text[0] != '*'
		return ruleGen{
			strings.Join([]string{minute.text, hour.text, days.text, mon.text, weekdays.text}, " "),
			func(m minuteOf) bool {
				date := days.matches(m) && weekdays.matches(m)
				if either {
					date = days.matches(m) || weekdays.matches(m)
				}
				return date && mon.matches(m)
			},
			times,
		}
	}
	years := every
	if rapid.IntRange(0, 4).Draw(t, "by year") == 0 {
		near := min(max(around.year, 1970), 2199)
		years = genCronField(t, "years", func() cronAtom {
			return genCronSpan(t, 1970, 2199, nil, false, []int{near}, func(m minuteOf) int { return m.year })
		})
	}
	open := cronAtom{"?", every.matches}
	days, weekdays := open, open
	switch rapid.IntRange(0, 4).Draw(t, "by") {
	case 0, 1:
		days = genCronField(t, "days", func() cronAtom { return genCronDay(t, around) })
	case 2, 3:
		weekdays = genCronField(t, "weekdays", func() cronAtom { return genCronWeekday(t, around) })
	default:
		d, n := rapid.IntRange(1, 7).Draw(t, "weekday"), rapid.IntRange(1, 5).Draw(t, "n")
		weekdays = cronAtom{fmt.Sprint(shortDays[d-1], "#", n), func(m minuteOf) bool { return sunday(m.day) == d && (m.day.day+6)/7 == n }}
	}
	return ruleGen{
		"cron(" + strings.Join([]string{minute.text, hour.text, days.text, mon.text, weekdays.text, years.text}, " ") + ")",
		func(m minuteOf) bool {
			return years.matches(m) && mon.matches(m) && days.matches(m) && weekdays.matches(m)
		},
		times,
	}
}

// ruleCase is a rule in a place, parsed.
type ruleCase struct {
	ruleGen
	place  place
	around time.Time
	e      *Expression
}

func genRuleCase(t *rapid.T) ruleCase {
	// Rules live from 1970 on.
	since1970 := slices.DeleteFunc(slices.Clone(places), func(p place) bool { return p.around < "1970" })
	c := ruleCase{place: rapid.SampledFrom(since1970).Draw(t, "place")}
	var err error
	if c.around, err = time.Parse(time.DateOnly, c.place.around); err != nil {
		t.Fatal(err)
	}
	loc, err := LoadZone(c.place.zone)
	if err != nil {
		t.Fatal(err)
	}
	c.ruleGen = genRule(t, dayAt(c.around.Unix()))
	if c.e, err = ParseExpression(c.text, loc, time.Time{}); err != nil {
		if !strings.Contains(err.Error(), "can never fire") {
			t.Fatalf("%s: %v", c.text, err)
		}
		for at := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2200; at = at.AddDate(0, 0, 1) {
			if c.date(minuteOf{day: dayAt(at.Unix())}) {
				t.Fatalf("%s: %v, but there is %s", c.text, err, at)
			}
		}
		t.Skip("it can never fire")
	}
	return c
}

// TestFiresEqualTheClockWalk compares Fires with the oracle over some days around what a zone's clock does there, and
// Next after any instant in them.
func TestFiresEqualTheClockWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genRuleCase(t)
		begin := c.around.Unix() - 86400
		end := begin + 3*86400
		o := look(c.e.Location(), begin-4*86400, end+4*86400)
		var want []int64
		for local := begin - 2*86400; local < end+2*86400; local += 60 {
			if m := (minuteOf{dayAt(local), int(local / 3600 % 24), int(local / 60 % 60)}); c.matches(m) {
				want = append(want, o.instant(local))
			}
		}
		slices.Sort(want)
		want = slices.Compact(want)
		for range 3 {
			from := begin + rapid.Int64Range(0, 3*86400).Draw(t, "from")
			to := from + rapid.Int64Range(0, end-from).Draw(t, "for")
			var got, expect []int64
			for at := range c.e.Fires(time.Unix(from, rapid.Int64Range(0, 1).Draw(t, "ns")), time.Unix(to, 0)) {
				got = append(got, at.Unix())
			}
			for _, at := range want {
				if from < at && at <= to {
					expect = append(expect, at)
				}
			}
			if !slices.Equal(got, expect) {
				t.Fatalf("%s in %s, (%d, %d]\n got %v\nwant %v", c.text, c.place.zone, from, to, got, expect)
			}
		}
	})
}

// TestNextFireIsTheFirst holds Next, near a place and far from it, against the dates between: strictly later, on the
// rule's own time or after a gap, and nothing before it.
func TestNextFireIsTheFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genRuleCase(t)
		near := c.around.Unix()
		after := time.Unix(rapid.OneOf(
			rapid.Int64Range(near-400*86400, near+400*86400),
			rapid.Int64Range(-86400*800, 7258118400+86400*800), // 1967-2202
		).Draw(t, "instant"), rapid.SampledFrom([]int64{0, 0, 1, 999_999_999}).Draw(t, "ns"))
		at, ok := c.e.Next(after)
		last := after.AddDate(2, 0, 0)
		if ok {
			if !at.After(after) || at.Nanosecond() != 0 || at.Location() != time.UTC {
				t.Fatalf("%s in %s: Next(%s) is %s", c.text, c.place.zone, after, at)
			}
			if before, _ := c.e.Next(at.Add(-time.Second)); !before.Equal(at) {
				t.Fatalf("%s in %s: Next(%s) is %s, but a second before it %s", c.text, c.place.zone, after, at, before)
			}
			last = at.Add(-time.Second)
		}
		// No minute between that the clock shows for the first time is one of the rule's.
		for range 200 {
			between := rapid.Int64Range(after.Unix()+1, max(after.Unix()+1, last.Unix())).Draw(t, "between")
			local := time.Unix(between, 0).In(c.e.Location())
			clock := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC).Unix()
			m := minuteOf{dayAt(clock), local.Hour(), local.Minute()}
			_, now := local.Zone()
			_, before := local.Add(-26 * time.Hour).Zone()
			inReach := 1970 <= m.year && m.year <= 2199
			if inReach && between <= last.Unix() && between > after.Unix() && local.Second() == 0 && now == before && c.matches(m) {
				t.Fatalf("%s in %s: Next(%s) is %s (%v), but it fires at %s", c.text, c.place.zone, after, at, ok, local)
			}
		}
	})
}

// TestPrintedExpressionsParseToTheSame is parse∘print.
func TestPrintedExpressionsParseToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genRuleCase(t)
		again, err := ParseExpression(c.e.String(), c.e.Location(), time.Time{})
		if err != nil || again.String() != c.e.String() || again.Kind() != c.e.Kind() || !sameFiring(c.e, again) {
			t.Fatalf("%q prints %q: %v", c.text, c.e, err)
		}
	})
}

// sameFiring reports whether two expressions stand for the same set.
func sameFiring(a, b *Expression) bool {
	x, isCron := a.firing.(*cron)
	y, _ := b.firing.(*cron)
	if !isCron {
		return a.firing == b.firing
	}
	return x.minutes == y.minutes && x.hours == y.hours && x.first == y.first && x.days == y.days && x.lastWork == y.lastWork &&
		x.weekdays == y.weekdays && x.either == y.either && x.months == y.months && x.years == y.years && x.zone == y.zone
}
