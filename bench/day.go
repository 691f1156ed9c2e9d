package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"dayshift/internal/app"
	"dayshift/internal/awssim"
	"dayshift/internal/metrics"
	"dayshift/internal/pass"
	"dayshift/internal/store/memory"
)

// today is a day of a fleet, half of which follows office hours.
type today struct {
	Shape     shape
	Instances bool // nothing but EC2 instances is listed
	Short     bool // sessions of roles last an hour
}

// lived is what was asked of AWS in the days.
type lived struct {
	Stats  awssim.Stats
	Passes int
	Days   int
}

// turns is how many days are lived through: the two questions for other kinds take
// turns from day to day.
const turns = 2

// sim is the simulated AWS of the day.
func (d today) sim(now func() time.Time) (*awssim.Cloud, error) {
	sim := awssim.New(awssim.Options{Now: now, Seed: 1})
	half := d.Shape.Each / 2
	err := sim.Load(fleetOf(d.Shape, part{each: half, schedule: "always", running: true}, part{each: d.Shape.Each - half, schedule: "office"}))
	return sim, err
}

// Settings whose cost is counted.
const (
	onlyInstances = "kinds: [ec2_instance]"
	shortSessions = "aws: {session_duration: 1h}"
)

// name says how the daemon is set.
func (d today) name() string {
	name := "Dayshift"
	if d.Instances {
		name += ", `" + onlyInstances + "`"
	}
	if d.Short {
		name += ", `" + shortSessions + "`"
	}
	return name
}

func (d today) settings() string {
	settings := "resync_interval: 1h\n" + officeSchedules
	if d.Instances {
		settings += onlyInstances + "\n"
	}
	if d.Short {
		settings += shortSessions + "\n"
	}
	return settings
}

// dayRole lets the daemon live through some days in virtual time. It is a process
// of its own, because the clock waits for all that runs in it.
func dayRole(ctx context.Context, data json.RawMessage, say func(any) error) (err error) {
	var d today
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	midnight := at(0, 0)
	clk := newPatient(midnight.Add(-22 * time.Hour)) // it has been at work for a day
	sim, err := d.sim(clk.Now)
	if err != nil {
		return err
	}
	p, err := wire(ctx, configuration(d.Shape, true, "memory:", d.settings()), clk, distant{clk, sim.Transport()}, "")
	if err != nil {
		return err
	}
	p.loaded.File = "" // nothing to reload
	var passes atomic.Int64
	daemon := app.Daemon{
		App: &app.App{Config: p.loaded, Cloud: p.cloud, Store: memory.New(), Clock: clk, Metrics: metrics.New(), Log: slog.New(slog.DiscardHandler)},
		// By the wall it looks at the clock every half minute; so often by this one
		// would be a thousand looks more, at which there is nothing to do.
		Pace:    120,
		Reports: func(*pass.Report) { passes.Add(1) },
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready := make(chan string, 1)
	daemon.Listening = func(addr string) { ready <- addr }
	served := make(chan error, 1)
	go func() { served <- daemon.Serve(ctx, "127.0.0.1:0") }()
	select {
	case <-ready:
	case err := <-served:
		return err
	}
	if err := clk.runTo(ctx, midnight); err != nil {
		return err
	}
	if passes.Load() == 0 {
		return errors.New("the daemon has not looked at the fleet before the day began")
	}
	sim.ResetCalls()
	passes.Store(0)
	if err := clk.runTo(ctx, midnight.AddDate(0, 0, turns)); err != nil {
		return err
	}
	return say(lived{sim.Stats(), int(passes.Load()), turns})
}

// withDaemon lets the daemon live through the day.
func (d today) withDaemon(ctx context.Context) (l lived, err error) {
	c, err := spawn(ctx, "day", d)
	if err != nil {
		return l, err
	}
	if err := c.hear(&l); err != nil {
		return l, err
	}
	return l, c.end()
}

// pollEvery is how often those that poll do so, as Instance Scheduler on AWS by default.
const pollEvery = 5 * time.Minute

// withPoll is the day of a replica of those that look at everything every five
// minutes: one listing of the instances with the tag in each account and region,
// and one call for all that has to start or to stop.
func (d today) withPoll(ctx context.Context) (l lived, err error) {
	clk := &stepping{now: at(0, 0)}
	sim, err := d.sim(clk.Now)
	if err != nil {
		return l, err
	}
	var clients []*ec2.Client
	for n := range d.Shape.scopes() {
		scope := scopeOf(d.Shape, n)
		clients = append(clients, ec2.New(ec2.Options{
			Region: string(scope.Region), Credentials: credentials.NewStaticCredentialsProvider(string(scope.Account), "bench", ""),
			HTTPClient: &http.Client{Transport: sim.Transport()}, Retryer: sdk.NopRetryer{},
		}))
	}
	for ; clk.Now().Before(at(24, 0)); clk.set(clk.Now().Add(pollEvery)) {
		now := clk.Now()
		open := !now.Before(at(9, 0)) && now.Before(at(18, 0))
		l.Passes++
		for _, client := range clients {
			if err := poll(ctx, client, open); err != nil {
				return l, err
			}
		}
	}
	l.Stats, l.Days = sim.Stats(), 1
	return l, nil
}

// poll looks at one account and region.
func poll(ctx context.Context, client *ec2.Client, open bool) error {
	pages := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{
		Filters: []types.Filter{{Name: sdk.String("tag-key"), Values: []string{"Schedule"}}}, MaxResults: sdk.Int32(instancesInPage),
	})
	var change []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, reservation := range page.Reservations {
			for i := range reservation.Instances {
				instance := &reservation.Instances[i]
				if hasTag(instance.Tags, "Schedule", "office") && (instance.State.Name == types.InstanceStateNameRunning) != open {
					change = append(change, *instance.InstanceId)
				}
			}
		}
	}
	var err error
	switch {
	case len(change) == 0:
	case open:
		_, err = client.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: change})
	default:
		_, err = client.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: change})
	}
	return err
}

func hasTag(tags []types.Tag, key, value string) bool {
	for _, tag := range tags {
		if *tag.Key == key {
			return *tag.Value == value
		}
	}
	return false
}

func daySection(ctx context.Context, l *lab) (string, error) {
	few, many, single := shape{5, 4, 10}, shape{1, 4, 1000}, shape{20, 1, 10}
	days := []today{{few, false, false}, {many, false, false}, {few, false, true}, {few, true, false}, {single, false, false}, {single, false, true}}
	if l.small {
		days = []today{{shape{1, 2, 4}, false, false}}
	}
	var text strings.Builder
	fmt.Fprintf(&text, `A day of the daemon, in virtual time, the mean of %d from midnight to midnight after a day of work, with %s and all else as it comes: half of the instances always run, half of them from 09:00 to 18:00,
so that each account and region has two boundaries. Everything is looked at again every hour, up to an eighth later where the look at the next boundary saves one. Calls are counted in the simulated AWS's log, sessions and
informational tags included, and divided by the number of accounts and regions. An account's session serves all its regions; the role allows 12 hours, which is what is asked for. Where a role or the credentials at hand allow an hour alone, the rows with %s count.
Beside it a replica of what others do: it lists the instances that carry the tag every five minutes, starts and stops what has to be, and pays nothing for sessions and tags. It lists instances alone; Dayshift looks after all its kinds unless told to leave some out.

| accounts × regions × instances | | looks at the fleet | calls for each account and region | listings | of which | sessions | starts and stops | tags | throttled |
| --- | --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |
`, turns, "`resync_interval: 1h`", "`"+shortSessions+"`")
	for i, d := range days {
		got, err := d.withDaemon(ctx)
		if err != nil {
			return "", fmt.Errorf("%s: %w", d.Shape, err)
		}
		line, err := d.line(d.name(), got)
		if err != nil {
			return "", err
		}
		text.WriteString(line)
		if i > 0 {
			continue // how many instances there are changes nothing for who polls
		}
		if got, err = d.withPoll(ctx); err != nil {
			return "", err
		}
		if line, err = d.line("every 5 minutes (replica)", got); err != nil {
			return "", err
		}
		text.WriteString(line)
	}
	return text.String(), nil
}

func (d today) line(name string, got lived) (string, error) {
	for _, action := range actCalls {
		if got.Stats.ByAction[action] < int64(got.Days*d.Shape.scopes()) {
			return "", fmt.Errorf("%s: %d calls of %s in %d days with a boundary in each of %d accounts and regions", name, got.Stats.ByAction[action], action, got.Days, d.Shape.scopes())
		}
	}
	each := func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/float64(got.Days*d.Shape.scopes())) }
	listed, which := listings(got.Stats, each)
	return fmt.Sprintf("| %s | %s | %d | %s | %s | %s | %s | %s | %s | %d |\n", d.Shape, name, got.Passes/got.Days, each(got.Stats.Calls), each(listed), which,
		each(sum(got.Stats, sessionCalls)), each(sum(got.Stats, actCalls)), each(sum(got.Stats, tagCalls)), got.Stats.Throttled), nil
}
