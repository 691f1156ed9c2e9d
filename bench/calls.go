package main

import (
	"context"
	"fmt"
	"strings"

	"dayshift/internal/awssim"
)

// bound is the least number of calls of a pass that lists everything.
type bound struct{ inventory, sts, act, bad, tag int }

func (b bound) total() int { return b.inventory + b.sts + b.act + b.bad + b.tag }

// Sizes of pages and batches that AWS takes at most.
const (
	instancesInPage = 1000
	batch           = 1000 // ids in a call that starts, stops or tags
)

func ceil(a, b int) int { return (a + b - 1) / b }

// scene is a fleet at 09:00, when all of it has to start.
type scene struct {
	shape
	bad  bool // one in a hundred can not be started
	tags bool // informational tags are on
	all  bool // nothing of AWS's buckets is left to others
}

// badIn is how many bad instances the nth scope holds, one in a hundred over all.
func (s scene) badIn(n int) int {
	if !s.bad {
		return 0
	}
	return (n+1)*s.Each/100 - n*s.Each/100
}

// boundOf follows from the fleet alone: a page for each 1,000 instances and one
// for the databases in each scope, a session for each account, a start for each 1,000
// instances; one more for each bad instance, because AWS names one in a refusal.
// Of tags, one call for each value and 1,000 resources.
func (s scene) boundOf(acting bool) bound {
	b := bound{inventory: s.scopes() * (ceil(s.Each, instancesInPage) + 1), sts: s.Accounts}
	if !acting {
		return b
	}
	for n := range s.scopes() {
		good := s.Each - s.badIn(n)
		b.act += ceil(good, batch)
		b.bad += s.badIn(n)
		if s.tags {
			b.tag += ceil(good, batch) + s.badIn(n) // the error of each names it: a value of its own
		}
	}
	return b
}

// play makes the pass of a program that has just started: at the boundary, or ten minutes before it.
func (s scene) play(ctx context.Context, acting bool) (awssim.Stats, error) {
	clk := &stepping{now: at(8, 50)}
	if acting {
		clk.set(at(9, 0))
	}
	sim := awssim.New(awssim.Options{Now: clk.Now, Seed: 1})
	f := fleetOf(s.shape)
	for n := range s.scopes() {
		scope := scopeOf(s.shape, n)
		for i, p := range []part{{s.Each - s.badIn(n), "office", false, ""}, {s.badIn(n), "office", false, "IncorrectInstanceState"}} {
			if p.each > 0 {
				f.Resources = append(f.Resources, instances(string(scope.Account), string(scope.Region), i, p))
			}
		}
	}
	if err := sim.Load(f); err != nil {
		return awssim.Stats{}, err
	}
	// The clock moves for those who wait for AWS's buckets, and not for calls, of which many are under way at once.
	settings := officeSchedules
	if s.all {
		settings += wholeBucket
	}
	p, err := wire(ctx, configuration(s.shape, s.tags, "memory:", settings), clk, sim.Transport(), "")
	if err != nil {
		return awssim.Stats{}, err
	}
	report, err := p.run(ctx)
	if err != nil {
		return awssim.Stats{}, err
	}
	if want := s.resources(); acting && len(report.Outcomes) != want {
		return awssim.Stats{}, fmt.Errorf("%d of %d instances were acted on", len(report.Outcomes), want)
	}
	return sim.Stats(), nil
}

func callsSection(ctx context.Context, l *lab) (string, error) {
	fleets := []scene{{shape: shape{1, 1, 1000}, all: true}, {shape: shape{1, 1, 1000}}, {shape: shape{100, 4, 250}}}
	if l.small {
		fleets = []scene{{shape: shape{2, 2, 100}}}
	}
	var text strings.Builder
	text.WriteString(`What one pass of a program that has just started asks of AWS, as the simulated AWS counted it, against the least number of calls that does the same:
in each account and region a page for every 1,000 instances and one for the databases, a session for each account,
and where all stopped instances start, a StartInstances for every 1,000 of them. AWS refuses a call that has a bad id in it and names one of them, so each bad id
costs one call more, and none would be cheaper; the last column holds the same pass against the bound of a fleet without bad ids.
Tags are the informational ones, one call for each value.

Dayshift uses 80 % of AWS's buckets unless told otherwise. Of 1,000 instances in one account and region 800 then go at once, and the others as their room comes back,
a call for each half minute, so that none waits for the last. With ` + "`api_share: 1`" + ` all of them go in one call.

| accounts × regions × instances | pass | calls | listing | sessions | starting | tagging | least possible | calls ÷ least | throttled | calls ÷ least of a clean fleet |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`)
	for _, fleet := range fleets {
		for _, row := range []struct {
			name              string
			acting, bad, tags bool
		}{
			{name: "nothing to do"},
			{name: "all start", acting: true},
			{name: "all start, 1 % can not", acting: true, bad: true},
			{name: "all start, with tags", acting: true, tags: true},
			{name: "all start, 1 % can not, with tags", acting: true, bad: true, tags: true},
		} {
			s := scene{shape: fleet.shape, all: fleet.all, bad: row.bad, tags: row.tags}
			stats, err := s.play(ctx, row.acting)
			if err != nil {
				return "", fmt.Errorf("%s: %s: %w", fleet, row.name, err)
			}
			text.WriteString(s.line(row.name, stats, row.acting))
		}
	}
	return text.String(), nil
}

func (s scene) line(name string, stats awssim.Stats, acting bool) string {
	n := func(actions ...string) (sum int64) {
		for _, action := range actions {
			sum += stats.ByAction[action]
		}
		return sum
	}
	clean := s
	clean.bad = false
	least := s.boundOf(acting).total()
	over := func(least int) string { return fmt.Sprintf("%.3f×", float64(stats.Calls)/float64(least)) }
	name = strings.TrimSuffix(fmt.Sprintf("%s, %s", name, map[bool]string{true: "`api_share: 1`"}[s.all]), ", ")
	return fmt.Sprintf("| %s | %s | %d | %d | %d | %d | %d | %d | %s | %d | %s |\n", s.shape, name, stats.Calls,
		n("ec2:DescribeInstances", "rds:DescribeDBInstances"), n("sts:AssumeRole", "sts:GetCallerIdentity"), n("ec2:StartInstances"), n("ec2:CreateTags", "ec2:DeleteTags"),
		least, over(least), stats.Throttled, over(clean.boundOf(acting).total()))
}
