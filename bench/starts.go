package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go"

	"dayshift/internal/awssim"
	"dayshift/internal/fleet"
)

// The buckets of AWS that bound a transition: what one holds and what comes back per second.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
const (
	bucketSize      = 1000
	startsPerSecond = 2
	stopsPerSecond  = 20

	startBurst, startCallsPerSecond = 5, 2 // calls
	stopBurst, stopCallsPerSecond   = 50, 5
)

// job is a transition of many instances in one account and region.
type job struct {
	verb fleet.Verb
	good int // instances that can be started or stopped
	bad  int // those that AWS refuses to start
	// neighbour: somebody else uses half of every bucket.
	neighbour bool
}

// neighbourEats is the share of every bucket that a neighbour uses.
const neighbourEats = 0.5

// left is the part of the buckets that the neighbour leaves.
func (j job) left() float64 {
	if j.neighbour {
		return 1 - neighbourEats
	}
	return 1
}

// calls is how many it takes at least: one has no more ids than the share of the
// bucket holds, and AWS names one bad id in each refusal.
func (j job) calls(share float64) int { return ceil(j.good, int(share*bucketSize)) + j.bad }

// floor is the least time that a share of AWS's buckets of instances and of calls
// allows, whatever one does: the bucket at once, the rest as it comes back, and a round trip.
func (j job) floor(share float64) time.Duration {
	instances, burst, calls := startsPerSecond, startBurst, startCallsPerSecond
	if j.verb == fleet.Stop {
		instances, burst, calls = stopsPerSecond, stopBurst, stopCallsPerSecond
	}
	wait := func(n, size, perSecond int) time.Duration {
		return time.Duration(max(0, float64(n)-share*float64(size)) / (share * float64(perSecond)) * float64(time.Second))
	}
	return max(wait(j.good, bucketSize, instances), wait(j.calls(share), burst, calls)) + roundTrip
}

// ratioFrom is the shortest floor that a time is divided by: a shorter one is
// made of round trips, of which a pass needs several.
const ratioFrom = 10 * time.Second

func (j job) String() string {
	text := fmt.Sprintf("%s %d", j.verb, j.good)
	if j.bad > 0 {
		text += fmt.Sprintf(" beside %d that can not be started", j.bad)
	}
	if j.neighbour {
		text += " beside a neighbour"
	}
	return text
}

// feat is what somebody made of a job, counted by the simulator.
type feat struct {
	took      time.Duration // from the boundary to the answer of the last call that was accepted
	calls     int           // that start or stop
	looks     int           // other calls
	before    int           // of them, those before the first that acts
	throttled int
	lost      int // good instances that were not started or stopped
}

// strategy does a job.
type strategy struct {
	name, how string
	share     float64 // of AWS's buckets that it uses
	alone     bool    // it takes it that nobody else uses them, which does not go with a neighbour
	run       func(ctx context.Context, site *site) error
}

var strategies = []strategy{
	{"Dayshift", "a whole pass at the boundary, listings included; `api_share` 0.8, the default", defaultShare, false, runProduct},
	{"Dayshift, alone", "the same with `api_share: 1`", 1, true, runProduct},
	{"one by one (replica)", "one id in each call", 1, false, oneByOne},
	{"chunks of 10 (replica)", "ten ids in each call; an id that is named as bad is left out", 1, false, chunksOfTen},
	{"one call, halved (replica)", "up to 1,000 ids in one call; a call that fails for any reason is halved", 1, false, halving},
	{"10 goroutines (replica)", "one id in each call, the SDK's own retryer", 1, false, goroutines(10)},
	{"50 goroutines (replica)", "one id in each call, the SDK's own retryer", 1, false, goroutines(50)},
}

// site is one account and region at the moment of a boundary.
type site struct {
	job
	sim     *awssim.Cloud
	clock   *stepping
	product *product
	client  *ec2.Client
	near    *ec2.Client // the same without the distance, for who keeps the time itself
	ids     []string    // of all instances, the bad ones spread among them
}

// newSite makes the fleet, and lets the product see it ten minutes before the boundary.
func newSite(ctx context.Context, j job, share float64) (*site, error) {
	s := &site{job: j, clock: &stepping{now: at(8, 50)}}
	running := j.verb == fleet.Stop
	if running {
		s.clock.set(at(17, 50))
	}
	s.sim = awssim.New(awssim.Options{Now: s.clock.Now, Seed: 1, Limits: awssim.Limits{Neighbour: 1 - j.left()}})
	one := shape{1, 1, j.good + j.bad}
	parts := []part{{each: j.good, schedule: "office", running: running}}
	if j.bad > 0 {
		parts = nil // a bad one in every stretch of good ones
		for range j.bad {
			parts = append(parts, part{each: j.good / j.bad, schedule: "office", running: running},
				part{each: 1, schedule: "office", startError: "IncorrectInstanceState"})
		}
	}
	if err := s.sim.Load(fleetOf(one, parts...)); err != nil {
		return nil, err
	}
	transport := distant{s.clock, s.sim.Transport()}
	settings := officeSchedules
	if share == 1 {
		settings += wholeBucket
	}
	var err error
	if s.product, err = wire(ctx, configuration(one, false, "memory:", settings), s.clock, transport, ""); err != nil {
		return nil, err
	}
	report, err := s.product.run(ctx)
	if err != nil {
		return nil, err
	}
	for i := range report.Decisions {
		s.ids = append(s.ids, report.Decisions[i].Resource.ID)
	}
	s.client, s.near = clientOver(transport), clientOver(s.sim.Transport())
	return s, nil
}

// clientOver makes every call once.
func clientOver(transport http.RoundTripper) *ec2.Client {
	return ec2.New(ec2.Options{
		Region: regions[0], Credentials: credentials.NewStaticCredentialsProvider(hub, "bench", ""),
		HTTPClient: &http.Client{Transport: transport}, Retryer: sdk.NopRetryer{},
	})
}

// measure lets the strategy do the job and counts.
func measure(ctx context.Context, j job, how strategy) (feat, error) {
	s, err := newSite(ctx, j, how.share)
	if err != nil {
		return feat{}, err
	}
	s.sim.ResetCalls()
	boundary := at(9, 0)
	if j.verb == fleet.Stop {
		boundary = at(18, 0)
	}
	s.clock.set(boundary)
	if err := how.run(ctx, s); err != nil {
		return feat{}, err
	}
	f := feat{lost: j.good}
	for _, call := range s.sim.Calls() {
		if call.Throttled {
			f.throttled++
		}
		if !call.Mutating {
			f.looks++
			if f.calls == 0 {
				f.before++
			}
			continue
		}
		f.calls++
		if call.Code == "" {
			f.lost -= len(call.Resources)
			f.took = call.Time.Add(roundTrip / 2).Sub(boundary)
		}
	}
	return f, nil
}

func runProduct(ctx context.Context, s *site) error {
	_, err := s.product.run(ctx)
	return err
}

// The strategies beside the product are replicas of how others work, written
// for this comparison: no lines of theirs, and none of their listings and
// decisions, so that only the acting is compared.

// replicaTries is how often they make a throttled call, with pauses of 1, 2, 4 and 8 seconds:
// the five attempts that boto3 makes, and Cloud Custodian too.
const replicaTries = 5

// call makes one call, again while it is throttled.
func (s *site) call(ctx context.Context, ids []string) error {
	for try := 0; ; try++ {
		err := s.send(ctx, s.client, ids)
		if code(err) != "RequestLimitExceeded" || try == replicaTries-1 {
			return err
		}
		if err := s.clock.Sleep(ctx, time.Second<<try); err != nil {
			return err
		}
	}
}

// send makes one call.
func (s *site) send(ctx context.Context, client *ec2.Client, ids []string) error {
	if s.verb == fleet.Start {
		_, err := client.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: ids})
		return err
	}
	_, err := client.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: ids})
	return err
}

// code is AWS's code of an error, empty for none.
func code(err error) string {
	if refusal, ok := errors.AsType[smithy.APIError](err); ok {
		return refusal.ErrorCode()
	}
	return ""
}

// refused passes on what is not an answer of AWS: that spoils the measurement.
func refused(err error) error {
	if code(err) != "" {
		return nil
	}
	return err
}

func oneByOne(ctx context.Context, s *site) error {
	for _, id := range s.ids {
		if err := refused(s.call(ctx, []string{id})); err != nil {
			return err
		}
	}
	return nil
}

func chunksOfTen(ctx context.Context, s *site) error {
	const chunk = 10
	for len(s.ids) > 0 {
		ids := append([]string(nil), s.ids[:min(chunk, len(s.ids))]...)
		s.ids = s.ids[len(ids):]
		for len(ids) > 0 {
			err := s.call(ctx, ids)
			if code(err) != "IncorrectInstanceState" {
				if err := refused(err); err != nil {
					return err
				}
				break
			}
			ids = without(ids, err.Error())
		}
	}
	return nil
}

// without leaves out the ids that a message names.
func without(ids []string, message string) []string {
	var left []string
	for _, id := range ids {
		if !strings.Contains(message, id) {
			left = append(left, id)
		}
	}
	if len(left) == len(ids) {
		return nil // it names none of them: give them up
	}
	return left
}

func halving(ctx context.Context, s *site) error {
	var send func(ids []string) error
	send = func(ids []string) error {
		err := s.call(ctx, ids)
		if err == nil || len(ids) == 1 {
			return refused(err)
		}
		if err := refused(err); err != nil {
			return err
		}
		return errors.Join(send(ids[:len(ids)/2]), send(ids[len(ids)/2:]))
	}
	for len(s.ids) > 0 {
		ids := s.ids[:min(bucketSize, len(s.ids))]
		s.ids = s.ids[len(ids):]
		if err := send(ids); err != nil {
			return err
		}
	}
	return nil
}

func startsSection(ctx context.Context, l *lab) (string, error) {
	jobs := []job{
		{verb: fleet.Start, good: 1000},
		{verb: fleet.Start, good: 1000, bad: 10},
		{verb: fleet.Start, good: 2000},
		{verb: fleet.Start, good: 2000, bad: 10},
		{verb: fleet.Start, good: 5000},
		{verb: fleet.Stop, good: 1000},
		{verb: fleet.Stop, good: 2000},
		{verb: fleet.Stop, good: 5000},
	}
	if l.small {
		jobs = []job{{verb: fleet.Start, good: 1020, bad: 2}}
	}
	rows, err := race(ctx, jobs)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`Instances of one account and region that all have to start, or to stop, at one boundary. AWS lets %d go at once and then %d starts
or %d stops in a second, and not every number of calls. The floor is what the share of these buckets that is in use allows, and one round trip of %s:
%d %% of them for Dayshift as it comes, which leaves the rest to others, all of them for everybody else. Time runs from the boundary to the answer of the last call that AWS accepted.
Dayshift's is that of a whole pass: it looks before it acts, and since nothing runs side by side on this clock, each call before the first that acts adds a round trip to its floor.
A floor of less than 10 s is made of round trips, so nothing is divided by it.

The others are replicas, small and written for this table, of ways that other tools act: they are handed the ids, do not list or decide, and do not know AWS's buckets.
The first three make a throttled call %d times, 1, 2, 4 and 8 seconds apart, as boto3 does by default, and then give it up. The goroutines share one client of the AWS SDK for Go with its own
standard retryer: three tries, pauses with jitter, and a quota of 500 tokens of which each retry takes five. A good instance is lost when nobody tries it any more.

Counted in the simulated AWS's own log, with AWS's published buckets, in virtual time: a clock that only waiting moves. Every run gives the same numbers.
Waits of Dayshift that would run side by side add up on it, so its times err on the high side, by some round trips; those of the goroutines do run side by side.

%s`, bucketSize, startsPerSecond, stopsPerSecond, roundTrip, int(defaultShare*100), replicaTries, rows), nil
}

// race lets every strategy do every job, and returns the table.
func race(ctx context.Context, jobs []job) (string, error) {
	var text strings.Builder
	text.WriteString("| | how | time | floor | time ÷ floor | calls that act | least | other calls | throttled | throttled ÷ calls | lost |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, j := range jobs {
		fmt.Fprintf(&text, "| **%s** | | | | | | | | | | |\n", j)
		for _, how := range strategies {
			if j.neighbour && how.alone {
				continue // who has a neighbour is not alone
			}
			f, err := measure(ctx, j, how)
			if err != nil {
				return "", fmt.Errorf("%s: %s: %w", j, how.name, err)
			}
			took, ratio, share := seconds(f.took), "–", min(how.share, j.left())
			floor := j.floor(share) + time.Duration(f.before)*roundTrip
			switch {
			case f.lost > 0:
				took += ", then it gave up" // who leaves work undone can be faster than the floor
			case floor >= ratioFrom:
				ratio = fmt.Sprintf("%.3f×", f.took.Seconds()/floor.Seconds())
			}
			fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %d | %d | %d | %d | %.2f %% | %d |\n", how.name, how.how,
				took, seconds(floor), ratio, f.calls, j.calls(share), f.looks, f.throttled, 100*float64(f.throttled)/float64(f.calls+f.looks), f.lost)
		}
	}
	return text.String(), nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
