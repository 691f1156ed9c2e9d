package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud/aws"
	"dayshift/internal/fleet"
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

// boundOf follows from the fleet alone: in each scope a page for each 1,000
// instances and the calls that tell that there is nothing of other kinds; a
// session for each account; a start for as many instances as the share of
// AWS's bucket holds; one more for each bad instance, because AWS names one in a
// refusal. Of tags, one call for each value and 1,000 resources.
func (s scene) boundOf(acting bool, others int) bound {
	b := bound{inventory: s.scopes() * (ceil(s.Each, instancesInPage) + others), sts: s.Accounts}
	if !acting {
		return b
	}
	for n := range s.scopes() {
		good := s.Each - s.badIn(n)
		b.act += ceil(good, int(s.share()*batch))
		b.bad += s.badIn(n)
		if s.tags {
			b.tag += ceil(good, batch) + s.badIn(n) // the error of each names it: a value of its own
		}
	}
	return b
}

// share is the part of AWS's buckets that is in use.
func (s scene) share() float64 {
	if s.all {
		return 1
	}
	return defaultShare
}

// counted is what a pass asked of AWS, and how many calls it takes to learn that there is nothing of the other kinds.
type counted struct {
	awssim.Stats
	others int
}

// asked is one call for all kinds that the tagging API knows, and one for each other but instances.
func asked(c *aws.Cloud) int {
	n := 1
	for _, kind := range c.Kinds() {
		if kind != fleet.EC2Instance && !c.Tells(kind) {
			n++
		}
	}
	return n
}

// play makes the pass of a program that has just started: at the boundary, or ten minutes before it.
func (s scene) play(ctx context.Context, acting bool) (counted, error) {
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
		return counted{}, err
	}
	// The clock moves for those who wait for AWS's buckets, and not for calls, of which many are under way at once.
	settings := officeSchedules
	if s.all {
		settings += wholeBucket
	}
	p, err := wire(ctx, configuration(s.shape, s.tags, "memory:", settings), clk, sim.Transport(), "")
	if err != nil {
		return counted{}, err
	}
	report, err := p.run(ctx)
	if err != nil {
		return counted{}, err
	}
	if want := s.resources(); acting && len(report.Outcomes) != want {
		return counted{}, fmt.Errorf("%d of %d instances were acted on", len(report.Outcomes), want)
	}
	return counted{sim.Stats(), asked(p.cloud)}, nil
}

// gathered is how many of those that wait for room go in one call.
const gathered = 200

// farScale is how many instances each scope of the largest fleet holds: as many
// calls as with 250, because a page takes 1,000, and a tenth of the memory.
const farScale = 25

func callsSection(ctx context.Context, l *lab) (string, error) {
	type row struct {
		name              string
		acting, bad, tags bool
	}
	rows := []row{
		{name: "nothing to do"},
		{name: "all start", acting: true},
		{name: "all start, 1 % can not", acting: true, bad: true},
		{name: "all start, with tags", acting: true, tags: true},
		{name: "all start, 1 % can not, with tags", acting: true, bad: true, tags: true},
	}
	const withoutTags = 3
	fleets := []struct {
		scene
		rows []row
	}{
		{scene{shape: shape{1, 1, 1000}, all: true}, rows},
		{scene{shape: shape{1, 1, 1000}}, rows},
		{scene{shape: shape{100, 4, 250}}, rows},
		{scene{shape: shape{1000, 4, farScale}}, rows[:withoutTags]},
	}
	if l.small {
		fleets = fleets[:1]
		fleets[0].scene = scene{shape: shape{2, 2, 100}}
	}
	var text strings.Builder
	fmt.Fprintf(&text, `What one pass of a program that has just started asks of AWS, as the simulated AWS counted it, against the least number of calls that does the same:
in each account and region a page for every 1,000 instances, and two calls to learn that there is nothing of other kinds: one to the tagging API and one for Auto Scaling groups, which that does not know; a session for each account;
and where all stopped instances start, a StartInstances for as many of them as go at once. AWS refuses a call that has a bad id in it and names one of them, so each bad id
costs one call more, and none would be cheaper; the last column holds the same pass against the bound of a fleet without bad ids.
Tags are the informational ones, one call for each value. The fleets hold instances alone, so that the calls for the other kinds weigh the most that they can.

Dayshift uses %d %% of AWS's buckets unless told otherwise. Of 1,000 instances in one account and region 800 then go at once, and the others as their room comes back,
up to %d in a call, so that the last is started no later and the others two minutes after their room came at most. With `+"`api_share: 1`"+` all of them go in one call.
The largest fleet has %d instances in each of 4,000 accounts and regions instead of 250, for the memory of one machine: the number of calls is the same.

| accounts × regions × instances | pass | calls | listing | of which | sessions | starting | tagging | least possible | calls ÷ least | throttled | calls ÷ least of a clean fleet |
| --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`, int(100*defaultShare), gathered, farScale)
	for _, fleet := range fleets {
		for _, row := range fleet.rows {
			s := scene{shape: fleet.shape, all: fleet.all, bad: row.bad, tags: row.tags}
			got, err := s.play(ctx, row.acting)
			if err != nil {
				return "", fmt.Errorf("%s: %s: %w", fleet, row.name, err)
			}
			text.WriteString(s.line(row.name, got, row.acting))
		}
	}
	return text.String(), nil
}

// The actions that are no listings.
var (
	sessionCalls = []string{"sts:AssumeRole", "sts:GetCallerIdentity"}
	actCalls     = []string{"ec2:StartInstances", "ec2:StopInstances"}
	tagCalls     = []string{"ec2:CreateTags", "ec2:DeleteTags"}
)

// sum of the calls of some actions.
func sum(stats awssim.Stats, actions []string) (n int64) {
	for _, action := range actions {
		n += stats.ByAction[action]
	}
	return n
}

// listings of the counts: how many, and which.
func listings(stats awssim.Stats, show func(int64) string) (n int64, which string) {
	var each []string
	for _, action := range slices.Sorted(maps.Keys(stats.ByAction)) {
		if slices.Contains(slices.Concat(sessionCalls, actCalls, tagCalls), action) {
			continue
		}
		n += stats.ByAction[action]
		each = append(each, fmt.Sprintf("%s %s", strings.TrimPrefix(action, "ec2:"), show(stats.ByAction[action])))
	}
	return n, strings.Join(each, ", ")
}

func (s scene) line(name string, got counted, acting bool) string {
	clean := s
	clean.bad = false
	least := s.boundOf(acting, got.others).total()
	over := func(least int) string { return fmt.Sprintf("%.3f×", float64(got.Calls)/float64(least)) }
	name = strings.TrimSuffix(fmt.Sprintf("%s, %s", name, map[bool]string{true: "`api_share: 1`"}[s.all]), ", ")
	listed, which := listings(got.Stats, func(n int64) string { return strconv.FormatInt(n, 10) })
	return fmt.Sprintf("| %s | %s | %d | %d | %s | %d | %d | %d | %d | %s | %d | %s |\n", s.shape, name, got.Calls, listed, which,
		sum(got.Stats, sessionCalls), sum(got.Stats, actCalls), sum(got.Stats, tagCalls),
		least, over(least), got.Throttled, over(clean.boundOf(acting, got.others).total()))
}
