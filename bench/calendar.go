package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/adhocore/gronx"
	"github.com/robfig/cron/v3"

	"dayshift/internal/calendar"
)

// The schedule that all are asked about: office hours in Seoul.
const (
	officeZone  = "Asia/Seoul"
	officeBegin = "0 9 * * 1-5"
	officeEnd   = "0 18 * * 1-5"
	officeOpen  = "* 9-17 * * 1-5" // every minute of it
)

// office asks every contestant the same about the same instants of a year, in no order.
type office struct {
	instants []time.Time // UTC
	local    []time.Time // the same on Seoul's clock, for those who do not know zones
	minutes  []time.Time // the minutes they lie in, on Seoul's clock: to some, nothing is due between two minutes

	first            time.Time // of the year
	schedule         *calendar.Schedule
	begin, end, open cron.Schedule
	gronx            *gronx.Gronx
}

// instantMask picks one of the instants by a running number; their count is a power of two.
const instantMask = 1<<16 - 1

func newOffice() (*office, error) {
	zone, err := time.LoadLocation(officeZone)
	if err != nil {
		return nil, err
	}
	o := &office{gronx: gronx.New()}
	o.schedule, err = calendar.Compile(
		calendar.ScheduleDef{Name: "seoul-office", Timezone: officeZone, Periods: calendar.PeriodRefs{"office"}},
		map[string]calendar.PeriodDef{"office": {BeginTime: "09:00", EndTime: "18:00", Weekdays: calendar.DayField{"mon-fri"}}},
		nil,
	)
	if err != nil {
		return nil, err
	}
	for _, parsed := range []struct {
		into *cron.Schedule
		text string
	}{{&o.begin, officeBegin}, {&o.end, officeEnd}, {&o.open, officeOpen}} {
		if *parsed.into, err = cron.ParseStandard("CRON_TZ=" + officeZone + " " + parsed.text); err != nil {
			return nil, err
		}
	}
	o.first = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	dice := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same instants in every run, not secrets
	for range instantMask + 1 {
		at := o.first.Add(time.Duration(dice.IntN(365*24*3600)) * time.Second)
		o.instants = append(o.instants, at)
		o.local = append(o.local, at.In(zone))
		o.minutes = append(o.minutes, at.Truncate(time.Minute).In(zone))
	}
	return o, nil
}

// The two questions: should it run at this instant, and when does that change?

func (o *office) wanted(i int) bool {
	return o.schedule.Wanted(o.instants[i&instantMask]).State == calendar.Running
}

func (o *office) next(i int) time.Time {
	boundary, _ := o.schedule.Next(o.instants[i&instantMask])
	return boundary.At
}

// cron knows only when something fires next; the minute is open when "every
// open minute" fires in it. This is the cheapest way to ask: one Next.
func (o *office) cronWanted(i int) bool {
	minute := o.instants[i&instantMask].Truncate(time.Minute)
	return o.open.Next(minute.Add(-time.Second)).Equal(minute)
}

func (o *office) cronNext(i int) time.Time {
	at := o.instants[i&instantMask]
	begin, end := o.begin.Next(at), o.end.Next(at)
	if begin.Before(end) {
		return begin
	}
	return end
}

func (o *office) gronxWanted(i int) bool {
	due, err := o.gronx.IsDue(officeOpen, o.minutes[i&instantMask])
	return err == nil && due
}

func (o *office) gronxNext(i int) time.Time {
	at := o.local[i&instantMask]
	begin, errBegin := gronx.NextTickAfter(officeBegin, at, false)
	end, errEnd := gronx.NextTickAfter(officeEnd, at, false)
	switch {
	case errBegin != nil || errEnd != nil:
		return time.Time{}
	case begin.Before(end):
		return begin
	default:
		return end
	}
}

// agree fails unless all contestants give the same answers: a fast wrong answer wins nothing.
func (o *office) agree() error {
	for i := range 2000 {
		at := o.instants[i]
		if want, c, g := o.wanted(i), o.cronWanted(i), o.gronxWanted(i); c != want || g != want {
			return fmt.Errorf("wanted at %s: dayshift says %t, robfig/cron %t, gronx %t", at, want, c, g)
		}
		if want, c, g := o.next(i), o.cronNext(i), o.gronxNext(i); !c.Equal(want) || !g.Equal(want) {
			return fmt.Errorf("next after %s: dayshift says %s, robfig/cron %s, gronx %s", at, want, c, g)
		}
	}
	return nil
}

// askWanted asks Dayshift without a call in between, which at this speed would be a good part of the time.
func (o *office) askWanted(n int) {
	running := 0
	for i := range n {
		if o.schedule.Wanted(o.instants[i&instantMask]).State == calendar.Running {
			running++
		}
	}
	kept.Add(int64(running))
}

// askWantedRising asks about instants a minute apart, as a preview and a fleet do.
func (o *office) askWantedRising(n int) {
	const year = 365 * 24 * 60
	first, running := o.first.Unix(), 0
	for i := range n {
		if o.schedule.WantedUnix(first+int64(i%year)*60).State == calendar.Running {
			running++
		}
	}
	kept.Add(int64(running))
}

// kept is where answers go, so that the compiler can not leave the questions out.
var kept atomic.Int64

func askState(f func(int) bool) func(int) {
	return func(n int) {
		running := 0
		for i := range n {
			if f(i) {
				running++
			}
		}
		kept.Add(int64(running))
	}
}

func askTime(f func(int) time.Time) func(int) {
	return func(n int) {
		known := 0
		for i := range n {
			if !f(i).IsZero() {
				known++
			}
		}
		kept.Add(int64(known))
	}
}

func calendarSection(ctx context.Context, l *lab) (string, error) {
	o, err := newOffice()
	if err != nil {
		return "", err
	}
	if err := o.agree(); err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Office hours in Seoul, Monday to Friday 09:00–18:00, asked about %d instants of a year in no order, on one core.\n"+
		"All three gave the same answers to 2,000 of them before the measurement. Medians, with lowest and highest in brackets;\n"+
		"the last column compares the time of an answer with that of the first row, round by round. Schedules are compiled beforehand; gronx has no compiled form and parses each time.\n", instantMask+1)
	for _, question := range []struct {
		title       string
		contestants []contestant
		ways        []string
	}{
		{"Should it be running at this instant?", []contestant{
			{"Dayshift", o.askWanted}, {"Dayshift, in order", o.askWantedRising}, {"robfig/cron v3.0.1", askState(o.cronWanted)}, {"adhocore/gronx v1.20.4", askState(o.gronxWanted)},
		}, []string{"`Wanted(t)`", "`WantedUnix(t)`, minute by minute", "`Next` of `" + officeOpen + "`", "`IsDue` of `" + officeOpen + "`"}},
		{"When does that change next?", []contestant{
			{"Dayshift", askTime(o.next)}, {"robfig/cron v3.0.1", askTime(o.cronNext)}, {"adhocore/gronx v1.20.4", askTime(o.gronxNext)},
		}, []string{"`Next(t)`", "the earlier `Next` of `" + officeBegin + "` and `" + officeEnd + "`", "the earlier `NextTickAfter` of the same"}},
	} {
		samples, err := l.compare(ctx, question.contestants)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "\n**%s**\n\n| | asked by | answers per second and core | time ÷ first row |\n| --- | --- | ---: | ---: |\n", question.title)
		for i, c := range question.contestants {
			ratio := "–"
			if i > 0 {
				ratio = samples[i].over(samples[0]).show(times)
			}
			fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", c.name, question.ways[i], samples[i].inverse().show(perSecond), ratio)
		}
	}
	return text.String(), nil
}
