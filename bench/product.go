package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"dayshift/internal/awssim"
	"dayshift/internal/clock"
	"dayshift/internal/cloud/aws"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
	"dayshift/internal/store/sqlstore"
)

// plan of a fleet: accounts of regions of resources.
type shape struct{ Accounts, Regions, Each int }

func (s shape) scopes() int    { return s.Accounts * s.Regions }
func (s shape) resources() int { return s.scopes() * s.Each }
func (s shape) String() string { return fmt.Sprintf("%d × %d × %d", s.Accounts, s.Regions, s.Each) }

// regions that fleets are spread over, all of them on in every account.
var regions = []string{
	"us-east-1", "eu-west-1", "ap-northeast-2", "us-west-2",
	"us-east-2", "us-west-1", "eu-central-1", "eu-west-2", "ap-northeast-1", "ap-southeast-1",
}

// hub is the account whose keys are at hand; the others are entered by their roles.
const hub = "200000000001" // the first that awssim.Generate gives out

// accountID is the nth account of a generated fleet.
func accountID(n int) string { return fmt.Sprintf("%012d", 200_000_000_001+n) }

// officeDay is a Monday on the clock of those sections that do not run in real time.
var officeDay = time.Date(2040, 3, 5, 0, 0, 0, 0, time.UTC)

// at is a time of that day.
func at(hour, minute int) time.Time {
	return officeDay.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

// configuration writes the file of a fleet: a role for each account, no limits
// on stops, and the schedules given as YAML.
func configuration(s shape, tags bool, place, schedules string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "timezone: UTC\nstore: %q\nlimits: {max_stops: 0}\ntags: {last_action: %t, error: %t}\naccounts:\n", place, tags, tags)
	for n := range s.Accounts {
		fmt.Fprintf(&text, "  - {id: %q, role: \"arn:aws:iam::%s:role/dayshift\", regions: [%s]}\n",
			accountID(n), accountID(n), strings.Join(regions[:s.Regions], ", "))
	}
	text.WriteString(schedules)
	return text.String()
}

// wholeBucket is a part of a configuration that leaves nothing to others.
const wholeBucket = "aws: {api_share: 1}\n"

// defaultShare is the part of AWS's buckets that the product uses unless told otherwise.
const defaultShare = 0.8

// officeSchedules has what the fleets of most sections follow: office hours,
// and a schedule that always wants its resources running.
const officeSchedules = `
periods:
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
schedules:
  office: {periods: [office]}
  always: {override_status: running, periods: [office]}
`

// product is the program as wired for a measurement: everything but the daemon's loop.
type product struct {
	loaded *config.Loaded
	cloud  *aws.Cloud
	store  store.Store
	clock  clock.Clock
	lease  store.Lease
	known  pass.Known
}

// wire opens the product on a simulated AWS, reached through transport or, when
// that is nil, at endpoint.
func wire(ctx context.Context, text string, clk clock.Clock, transport http.RoundTripper, endpoint string) (*product, error) {
	loaded, err := config.Parse("bench.yaml", []byte(text), config.Env{})
	if err != nil {
		return nil, fmt.Errorf("the configuration of the measurement: %w", err)
	}
	accounts := make([]aws.Account, 0, len(loaded.Config.Accounts))
	for _, a := range loaded.Config.Accounts {
		accounts = append(accounts, aws.Account{ID: a.ID, RoleARN: a.Role, SessionName: a.SessionName, Regions: a.Regions})
	}
	p := &product{loaded: loaded, clock: clk}
	if p.cloud, err = aws.New(aws.Config{
		Accounts: accounts, Kinds: loaded.Config.Kinds, TagKey: loaded.Config.Tag, Share: loaded.Config.AWS.APIShare, SessionDuration: time.Duration(loaded.Config.AWS.SessionDuration), Transport: transport, Endpoint: endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(hub, "bench", ""), Now: clk.Now, Sleep: clk.Sleep,
	}); err != nil {
		return nil, err
	}
	p.store = memory.New()
	if loaded.Store.Engine != config.Memory {
		if p.store, err = sqlstore.Open(ctx, loaded.Store.Path, sqlstore.Options{}); err != nil {
			return nil, err
		}
	}
	p.lease, err = p.store.Acquire(ctx, "scheduler", "bench", clk.Now(), 24*time.Hour)
	return p, err
}

// pass is a pass over the whole fleet, ready to run.
func (p *product) pass() *pass.Pass {
	return &pass.Pass{
		Cloud: p.cloud, Finder: p.cloud, Store: p.store, Clock: p.clock, Book: &p.loaded.Book, Limits: p.loaded.Limits,
		Scopes: p.loaded.Scopes, Trigger: "boundary", Known: p.known, Log: slog.New(slog.DiscardHandler),
		Lease: func() store.Lease { return p.lease }, MayAct: func() error { return nil },
		Tags: pass.TagOptions{LastAction: p.loaded.Config.Tags.LastAction, Error: p.loaded.Config.Tags.Error},
	}
}

// run makes a pass over the whole fleet. A scope that could not be listed spoils the measurement.
func (p *product) run(ctx context.Context) (pass.Report, error) {
	report, err := pass.Run(ctx, p.pass())
	if err == nil && len(report.Gaps) > 0 {
		err = fmt.Errorf("%d scopes could not be listed; the first: %s", len(report.Gaps), report.Gaps[0])
	}
	p.known = report.Known
	return report, err
}

// part is a number of instances in every scope that are alike.
type part struct {
	each       int // in every scope
	schedule   string
	running    bool
	startError string
}

// fleetOf makes a fleet in which every scope holds the parts.
func fleetOf(s shape, parts ...part) awssim.Fleet {
	var f awssim.Fleet
	for a := range s.Accounts {
		f.Accounts = append(f.Accounts, awssim.Account{ID: accountID(a)})
		for r := range s.Regions {
			for i, p := range parts {
				if p.each > 0 {
					f.Resources = append(f.Resources, instances(accountID(a), regions[r], i, p))
				}
			}
		}
	}
	return f
}

func instances(account, region string, group int, p part) awssim.Resource {
	state := "stopped"
	if p.running {
		state = "running"
	}
	return awssim.Resource{
		Account: account, Region: region, Kind: "ec2", Count: p.each, Name: fmt.Sprintf("app%d-####", group+1), Type: "m5.large",
		State: state, StartError: p.startError,
		Tags: map[string]string{"Schedule": p.schedule, "Team": "team-" + account[9:], "Env": "test"},
	}
}

// scopeOf names the nth scope of a shape, accounts before regions.
func scopeOf(s shape, n int) fleet.Scope {
	return fleet.Scope{Account: fleet.AccountID(accountID(n / s.Regions)), Region: fleet.Region(regions[n%s.Regions])}
}
