package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"dayshift/internal/capacity"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// patience is how long a single pass waits for a lease: as long as a process
// that died can keep it, so that a crash does not fail the next run.
const patience = leaseTTL + 2*time.Second

// settleGap is how often a single pass looks whether what it began has ended.
const settleGap = 5 * time.Second

// OnceOptions are the choices of a single pass.
type OnceOptions struct {
	Confirmed bool // a person has confirmed what the limits hold back
	// Wait is how long to wait for the end of what was begun; 0 does not wait.
	Wait    time.Duration
	Observe func([]plan.Outcome)
	// Foreseen is told how long the pass will take, before it acts.
	Foreseen func([]pass.Estimate)
	// Reserved is told what became of reservations, where there are any.
	Reserved func([]capacity.Outcome)
	// Waiting is called when another process holds the lease.
	Waiting func(held store.Lease)
}

// Once makes one pass under the lease and, when asked to wait, looks again
// until what it began has ended. The report is that of the first pass, with
// what the later ones found out in Settled.
func (a *App) Once(ctx context.Context, options OnceOptions) (report pass.Report, err error) {
	leader := newLeader(a.Store)
	if err := leader.acquire(ctx, patience, options.Waiting); err != nil {
		return pass.Report{}, err
	}
	keeping, lost := context.WithCancelCause(ctx)
	defer func() {
		lost(nil)
		err = errors.Join(err, leader.release(context.WithoutCancel(ctx)))
	}()
	go func() { lost(leader.keep(keeping)) }()
	a.office.Begin(leader.Lease, leader.MayAct) //nolint:contextcheck // it goes on until End, which lets it finish
	defer func() {                              //nolint:contextcheck // what waits has a last try of its own
		last, cancel := lastTry()
		defer cancel()
		a.office.End(last)
	}()

	if err := a.fetchCalendars(keeping, a.Config, newTimetable()); err != nil {
		a.Log.WarnContext(ctx, "holiday calendars could not be fetched; their last good copies count", slog.Any("error", err))
	}
	gaps, err := a.fetchAccounts(keeping, newTimetable(), false)
	if err != nil {
		return pass.Report{}, err
	}
	if err := a.adopt(keeping); err != nil {
		return pass.Report{}, err
	}
	if err := a.take(a.Config); err != nil { //nolint:contextcheck // a channel that goes has a time of its own to end
		return pass.Report{}, err
	}
	if err := a.tellDecisions(keeping, leader.Lease()); err != nil {
		return pass.Report{}, err
	}
	run := func(trigger string, scopes []fleet.Scope) (pass.Report, error) {
		p := a.Pass(trigger, scopes)
		p.Lease, p.MayAct, p.Confirmed, p.Observe, p.Known = leader.Lease, leader.MayAct, options.Confirmed, options.Observe, report.Known
		p.Foreseen = options.Foreseen
		return pass.Run(keeping, p)
	}
	if err := a.workloadsOnce(keeping, leader.Lease, leader.MayAct, options.Wait); err != nil {
		return report, fmt.Errorf("carry out the runs of workloads: %w", err)
	}
	outcomes, err := a.reserveOnce(keeping, func(look *capacity.Look) { look.Lease, look.MayAct = leader.Lease, leader.MayAct })
	if err != nil {
		return report, fmt.Errorf("look after reservations: %w", err)
	}
	if options.Reserved != nil {
		options.Reserved(outcomes)
	}
	if report.Known.Gaps, err = a.toldGaps(keeping); err != nil {
		return report, err
	}
	report, err = run("command", nil)
	report.Gaps = append(gaps, report.Gaps...)
	waiting := report.UnderWay()
	for end := wall.Now().Add(options.Wait); err == nil && len(waiting) > 0 && wall.Now().Before(end); {
		if err := wall.Sleep(keeping, settleGap); err != nil {
			return report, err
		}
		var again pass.Report
		again, err = run("settle", waiting)
		report.Settled = append(report.Settled, again.Settled...)
		report.Outcomes = append(report.Outcomes, again.Outcomes...)
		waiting = again.UnderWay()
	}
	return report, err
}

// Confirm tells the process that holds the lease that a person, by name, has
// seen what the limits hold back and wants it done. It acts on it within
// seconds; a confirmation of what is not held back yet has no effect.
func (a *App) Confirm(ctx context.Context, by string) error {
	return a.Store.Append(ctx, store.Lease{}, []store.Activity{{
		At: a.Clock.Now(), Actor: by, Event: store.EventConfirmed, Reason: "command", Detail: "what the limits hold back is confirmed",
	}})
}

// DryRun decides and plans, for now or for another instant, and changes nothing.
func (a *App) DryRun(ctx context.Context, at time.Time, confirmed bool) (pass.Report, error) {
	return a.see(ctx, "dry-run", func(p *pass.Pass) { p.At, p.Confirmed = at, confirmed })
}

// see makes a pass that changes nothing.
func (a *App) see(ctx context.Context, trigger string, change func(*pass.Pass)) (pass.Report, error) {
	gaps, err := a.learn(ctx)
	if err != nil {
		return pass.Report{}, err
	}
	p := a.Pass(trigger, nil)
	p.DryRun = true
	change(p)
	report, err := pass.Run(ctx, p)
	report.Gaps = append(gaps, report.Gaps...)
	return report, err
}

// Look implements service.Looker.
func (a *App) Look(ctx context.Context, at time.Time, chains bool) (pass.Report, error) {
	return a.see(ctx, "look", func(p *pass.Pass) { p.At, p.Chains = at, chains })
}

// Service returns what surfaces ask.
func (a *App) Service() *service.Service {
	bounds := a.Config.Config.Overrides
	return &service.Service{
		Overrides: service.OverrideLimits{MaxDuration: time.Duration(bounds.MaxDuration), MaxPerWeek: bounds.MaxPerWeek, MaxStartsPerDay: bounds.MaxStartsPerDay},
		Looker:    a, Foreseer: a, Estimator: a.Cloud, Book: &a.Config.Book, Store: a.Store, Now: a.Clock.Now, Config: a.Config, Assemble: a.Assemble, Matching: a.Matching,
		Ways: func() (map[string]notify.Channel, error) { return a.channels(a.Config, a.Cloud) },
	}
}
