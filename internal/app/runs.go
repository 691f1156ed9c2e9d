package app

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"syscall"
	"time"

	"dayshift/internal/buildinfo"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/outbound"
	"dayshift/internal/probe"
	"dayshift/internal/run"
	"dayshift/internal/service"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// driver makes what carries the runs of workloads out, by the configuration that now gives at each time.
func (a *App) driver(now func() *App, lease func() store.Lease, mayAct func() error) *run.Driver {
	return &run.Driver{
		Setting: func() run.Setting { return now().setting() }, Probe: a.prober(now), Store: a.Store, Clock: a.Clock, Lease: lease, MayAct: mayAct, Log: a.Log,
		Tell: func(ctx context.Context, n run.Notice) { now().tellWorkload(ctx, n) },
	}
}

// setting is what runs go by now.
func (a *App) setting() run.Setting {
	return run.Setting{Book: &a.Config.Book, Scopes: a.Config.Scopes, Cloud: a.Cloud}
}

// prober looks at members: they are at private addresses, which AWS's own listings tell. This machine is none of
// them, unless the cloud is a simulated one that runs in it.
func (a *App) prober(now func() *App) *probe.Prober {
	simulated := a.transport != nil
	members := outbound.Guard{Private: true}
	return &probe.Prober{
		Version: buildinfo.Get().Version,
		Guard: func(network, address string, conn syscall.RawConn) error {
			if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().Unmap().IsLoopback() && !simulated {
				return errors.New("refused to connect: its host is this machine")
			}
			return members.Control(network, address, conn)
		},
		Calls: func(network, address string, conn syscall.RawConn) error {
			return outbound.Guard{Private: simulated, Networks: now().Config.HookNetworks, Web: true, Unless: "hook_networks does not have it"}.Control(network, address, conn)
		},
		Sign: func(id string, body []byte) map[string]string { return now().sign(id, body) },
	}
}

// sign gives the headers by which whoever is called by a hook or a veto knows that it is Dayshift: those of messages to webhooks.
func (a *App) sign(id string, body []byte) map[string]string {
	headers := outbound.Signed(a.Config.Config.HookSecret.Reveal(), "", a.Clock.Now(), body)
	headers[outbound.IDHeader] = id
	return headers
}

// workloadKinds are the kinds of the messages of runs.
var workloadKinds = map[workload.MessageKind]notify.Kind{
	workload.ToldBegan: notify.WorkloadRun, workload.ToldEnded: notify.WorkloadRun, workload.ToldKept: notify.Veto,
	workload.ToldForced: notify.Veto, workload.ToldWarning: notify.WorkloadKept, workload.ToldFailed: notify.WorkloadFailed,
	workload.ToldHalted: notify.WorkloadFailed, run.ToldStop: notify.StopWarning, run.ToldMissed: notify.RuleMissed,
}

// tellTimeout bounds one message to all channels.
const tellTimeout = 30 * time.Second

// tellWorkload gives people a message of a run, through the channels: that to the workload's own topic is one of them.
func (a *App) tellWorkload(ctx context.Context, n run.Notice) {
	limited, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	members := n.Members
	if len(members) == 0 {
		members = n.Of.Stand(a.Config.Scopes)
	}
	about := notify.Subjects(members, a.Config.Book.TagKey, n.Of.Schedule)
	events := []notify.Event{{Kind: workloadKinds[n.About], Workload: n.Workload, About: about, Text: n.Text.Text, At: n.At}}
	if err := notify.Tell(limited, a.receivers(), events); err != nil {
		a.Log.WarnContext(ctx, "a message about a workload could not be sent", slog.String("workload", n.Workload), slog.Any("error", err))
	}
}

// Foresee implements service.Foreseer.
func (a *App) Foresee(ctx context.Context, w *workload.Workload, asked workload.Request, memory workload.Memory) (run.Foresight, error) {
	return run.Foresee(ctx, a.setting(), a.Clock, w, asked, memory)
}

var _ service.Foreseer = (*App)(nil)

// orchestrate carries out runs of workloads for a term of the lease.
func (d *Daemon) orchestrate(ctx context.Context, end context.CancelCauseFunc) {
	driver := d.driver(d.present, d.leader.Lease, d.leader.MayAct)
	d.mu.Lock()
	d.runs = driver
	d.mu.Unlock()
	err := driver.Serve(ctx)
	d.mu.Lock()
	d.runs = nil
	d.mu.Unlock()
	if err != nil {
		end(err)
	}
}

// asked tells whoever carries out runs that somebody asked for something, or that the configuration is another one.
func (d *Daemon) asked() {
	d.mu.Lock()
	driver := d.runs
	d.mu.Unlock()
	if driver != nil {
		driver.Asked()
	}
}

// changedIn tells whoever carries out runs that something changed in a scope.
func (d *Daemon) changedIn(scope fleet.Scope) {
	d.mu.Lock()
	driver := d.runs
	d.mu.Unlock()
	if driver != nil {
		driver.News(scope)
	}
}

// workloadsOnce moves the runs of workloads for so long, or until nothing is under way.
func (a *App) workloadsOnce(ctx context.Context, lease func() store.Lease, mayAct func() error, atMost time.Duration) error {
	if len(a.Config.Book.Workloads.All()) == 0 {
		return nil
	}
	_, err := a.driver(func() *App { return a }, lease, mayAct).Tick(ctx, atMost)
	return err
}
