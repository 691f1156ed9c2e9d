package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"dayshift/internal/awssim"
	"dayshift/internal/clock"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/metrics"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

const officeConfig = `
store: memory
resync_interval: 5m
accounts:
  - {id: "111122223333", regions: [ap-northeast-2, us-east-1]}
periods:
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
schedules:
  seoul-office: {timezone: Asia/Seoul, periods: [office]}
`

// newDaemon wires a daemon over a simulated AWS without an HTTP surface.
func newDaemon(t *testing.T, text string, kept store.Store, sim *awssim.Cloud) *Daemon {
	t.Helper()
	return newDaemonOf(t, text, kept, sim, map[fleet.AccountID]sdk.CredentialsProvider{
		"111122223333": credentials.NewStaticCredentialsProvider("111122223333", "any", ""),
	})
}

// newDaemonOf is newDaemon for other accounts than the one, with the keys of each.
func newDaemonOf(t *testing.T, text string, kept store.Store, sim *awssim.Cloud, keys map[fleet.AccountID]sdk.CredentialsProvider) *Daemon {
	t.Helper()
	loaded, err := config.Parse("dayshift.yaml", []byte(text), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	a := &App{
		Config: loaded, Store: kept, Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler), Metrics: metrics.New(), Receivers: []notify.Receiver{},
		transport: sim.Transport(), credentials: keys,
	}
	if a.Cloud, err = a.cloud(loaded, nil); err != nil {
		t.Fatal(err)
	}
	d := &Daemon{App: a, leader: newLeader(kept), agenda: newAgenda(time.Duration(loaded.Config.ResyncInterval), 1)}
	d.known = pass.Known{Gaps: map[fleet.Scope]string{}, Held: map[fleet.Ref]plan.Guard{}}
	return d
}

func officeSim(t *testing.T) *awssim.Cloud {
	t.Helper()
	sim := awssim.New(awssim.Options{Seed: 5})
	if err := sim.Load(awssim.Fleet{Resources: []awssim.Resource{
		{Account: "111122223333", Region: "ap-northeast-2", Kind: "ec2", Name: "web-#", Count: 3, State: "stopped", Tags: map[string]string{"Schedule": "seoul-office"}},
	}}); err != nil {
		t.Fatal(err)
	}
	return sim
}

func until(t *testing.T, at string) {
	t.Helper()
	instant, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(instant))
}

// lead runs a daemon in the background and returns what stops it and waits.
func lead(t *testing.T, d *Daemon) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := d.lead(ctx); err != nil {
			t.Error(err)
		}
	}()
	return func() { cancel(); <-done }
}

func calls(sim *awssim.Cloud, action string) []awssim.Call {
	var found []awssim.Call
	for _, call := range sim.Calls() {
		if call.Action == action {
			found = append(found, call)
		}
	}
	return found
}

func TestTheDaemonActsAtTheBoundary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T08:57:20+09:00")
		sim := officeSim(t)
		d := newDaemon(t, officeConfig, memory.New(), sim)
		stop := lead(t, d)
		until(t, "2027-03-05T09:02:00+09:00")
		starts := calls(sim, "StartInstances")
		if len(starts) != 1 || len(starts[0].Resources) != 3 {
			t.Fatalf("starts: %+v", starts)
		}
		nine := time.Date(2027, 3, 5, 0, 0, 0, 0, time.UTC)
		if late := starts[0].Time.Sub(nine); late < 0 || late > time.Second {
			t.Errorf("started %s after nine", late)
		}
		// Nothing but the resync happens in a scope without anything scheduled.
		var quiet int
		for _, call := range calls(sim, "DescribeInstances") {
			if call.Region == "us-east-1" {
				quiet++
			}
		}
		if quiet > 2 {
			t.Errorf("us-east-1 was listed %d times in five minutes", quiet)
		}
		stop()
		if held, err := d.Store.Acquire(t.Context(), leaseName, "somebody else", time.Now(), time.Minute); err != nil {
			t.Errorf("the lease was not given up: %+v, %v", held, err)
		}
		for _, instance := range sim.Instances("111122223333", "ap-northeast-2") {
			if instance.State != "running" {
				t.Errorf("%s is %s", instance.Name, instance.State)
			}
		}
	})
}

func TestTwoDaemonsOneActs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T08:00:00+09:00")
		sim, kept := officeSim(t), memory.New()
		first, second := newDaemon(t, officeConfig, kept, sim), newDaemon(t, officeConfig, kept, sim)
		second.leader.holder += " (second)"
		stopFirst := lead(t, first)
		time.Sleep(time.Second)
		stopSecond := lead(t, second)
		time.Sleep(time.Minute)
		if first.leader.MayAct() != nil || second.leader.MayAct() == nil {
			t.Fatalf("first may act: %v, second: %v", first.leader.MayAct(), second.leader.MayAct())
		}
		if health := second.health(); health.Role != "standby" {
			t.Errorf("the second calls itself %s", health.Role)
		}
		term := first.leader.Lease().Term
		stopFirst()
		time.Sleep(5 * time.Second)
		if second.leader.MayAct() != nil || second.leader.Lease().Term != term+1 {
			t.Fatalf("the second did not take over: %v, %+v", second.leader.MayAct(), second.leader.Lease())
		}
		until(t, "2027-03-05T09:01:00+09:00")
		if starts := calls(sim, "StartInstances"); len(starts) != 1 {
			t.Errorf("%d starts", len(starts))
		}
		stopSecond()
	})
}

// deaf is a store whose lease can no longer be renewed, as after a network cut.
type deaf struct {
	store.Store
	mu  sync.Mutex
	cut bool
}

func (s *deaf) Renew(ctx context.Context, lease store.Lease, now time.Time, ttl time.Duration) (store.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut {
		return store.Lease{}, context.DeadlineExceeded
	}
	return s.Store.Renew(ctx, lease, now, ttl)
}

func TestWhoCannotRenewStopsActingBeforeTheLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &deaf{Store: memory.New()}
		d := newDaemon(t, officeConfig, kept, officeSim(t))
		stop := lead(t, d)
		time.Sleep(time.Minute)
		kept.mu.Lock()
		kept.cut = true
		kept.mu.Unlock()
		ends := d.leader.Lease().Expires
		time.Sleep(time.Until(ends.Add(-leaseMargin)) + time.Millisecond)
		if d.leader.MayAct() == nil {
			t.Errorf("it may still act %s before its lease ends", time.Until(ends))
		}
		stop()
	})
}

func TestReloadIsWholeOrNotAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := officeSim(t)
		d := newDaemon(t, officeConfig, memory.New(), sim)
		file := filepath.Join(t.TempDir(), "dayshift.yaml")
		d.Config.File = file
		stop := lead(t, d)
		time.Sleep(time.Second)

		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			d.reload(t.Context(), true)
		}
		write(strings.Replace(officeConfig, "Asia/Seoul", "Asia/Soul", 1))
		if d.Config.Book.Schedules["seoul-office"].Calendar.Location().String() != "Asia/Seoul" {
			t.Error("a refused configuration took effect")
		}
		if health := d.health(); !strings.Contains(health.Detail, "Asia/Soul") {
			t.Errorf("the refusal is not told: %+v", health)
		}
		write(strings.Replace(officeConfig, "seoul-office: {", "seoul-office: {override_status: running, ", 1))
		time.Sleep(time.Minute)
		if starts := calls(sim, "StartInstances"); len(starts) != 1 {
			t.Errorf("%d starts after the new configuration", len(starts))
		}
		if health := d.health(); health.Detail != "" {
			t.Errorf("after a good reload: %+v", health)
		}
		stop()
	})
}

// Ten thousand starts take hours at AWS's own pace: how long is said beforehand,
// they end when the bucket lets them, and another region notices nothing of it.
func TestFault43TenThousandStartsDelayNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T08:59:50+09:00")
		const many = 10_000
		sim := awssim.New(awssim.Options{Seed: 5})
		tags := map[string]string{"Schedule": "seoul-office"}
		if err := sim.Load(awssim.Fleet{Resources: []awssim.Resource{
			{Account: "111122223333", Region: "ap-northeast-2", Kind: "ec2", Name: "many-#", Count: many, State: "stopped", Tags: tags},
			{Account: "111122223333", Region: "us-east-1", Kind: "ec2", Name: "few", State: "stopped", Tags: tags},
		}}); err != nil {
			t.Fatal(err)
		}
		d := newDaemon(t, officeConfig, memory.New(), sim)
		var said lockedBuffer
		d.Log = slog.New(slog.NewTextHandler(&said, nil))
		stop := lead(t, d)
		nine := time.Date(2027, 3, 5, 0, 0, 0, 0, time.UTC)
		// By the share of AWS's buckets that is in use: what is in them, and then two a second.
		share := d.Config.Config.AWS.APIShare
		floor := time.Duration((many - 1000*share) / (2 * share) * float64(time.Second))
		until(t, "2027-03-05T09:01:00+09:00")
		if text := said.String(); !strings.Contains(text, "AWS's request limits make this take a while") || !strings.Contains(text, "10,000") && !strings.Contains(text, "10000") {
			t.Errorf("it is not said how long it takes:\n%s", text)
		} else if fields := strings.SplitN(text, "takes=", 2); len(fields) == 2 {
			takes, err := time.ParseDuration(strings.Fields(fields[1])[0])
			if err != nil || (takes-floor).Abs() > floor/50 {
				t.Errorf("said to take %v (%v), the floor is %v", takes, err, floor)
			}
		}
		state := func(region string) map[string]int {
			states := map[string]int{}
			for _, instance := range sim.Instances("111122223333", region) {
				states[instance.State]++
			}
			return states
		}
		if few := state("us-east-1"); few["running"] != 1 {
			t.Fatalf("a minute after nine the scope with one instance: %v", few)
		}
		for _, call := range calls(sim, "StartInstances") {
			if late := call.Time.Sub(nine); call.Region == "us-east-1" && late > time.Second {
				t.Errorf("it was started %v after nine", late)
			}
		}
		// A person stops it; the schedule's next look at this scope comes although
		// the other one is still at work.
		if err := sim.StopInstance(sim.Instances("111122223333", "us-east-1")[0].ID); err != nil {
			t.Fatal(err)
		}
		before := len(calls(sim, "DescribeInstances"))
		until(t, "2027-03-05T09:08:30+09:00")
		looked := 0
		for _, call := range calls(sim, "DescribeInstances")[before:] {
			if call.Region == "us-east-1" {
				looked++
			}
		}
		if looked == 0 {
			t.Error("us-east-1 was not looked at while ap-northeast-2 was paced")
		}
		time.Sleep(time.Until(nine.Add(floor + floor/50)))
		var last time.Time
		for _, call := range calls(sim, "StartInstances") {
			if call.Region == "ap-northeast-2" && call.Code == "" {
				last = call.Time
			}
		}
		if took := last.Sub(nine); took < floor || took > floor+floor/100 {
			t.Errorf("the last call was %v after nine, the floor is %v", took, floor)
		}
		time.Sleep(time.Minute)
		if stats := sim.Stats(); stats.Throttled != 0 {
			t.Errorf("%d throttled calls", stats.Throttled)
		}
		if found := state("ap-northeast-2"); found["running"] != many {
			t.Errorf("of %d: %v", many, found)
		}
		stop()
	})
}

func TestAPersonConfirmsWhatTheDaemonHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-04T17:58:00+09:00")
		sim := officeSim(t)
		d := newDaemon(t, officeConfig+"limits: {max_stops: 2}\n", memory.New(), sim)
		stop := lead(t, d)
		until(t, "2027-03-04T18:01:00+09:00")
		if stops := calls(sim, "StopInstances"); len(stops) != 0 {
			t.Fatalf("three stops against a limit of two: %+v", stops)
		}
		if err := d.Confirm(t.Context(), "minji@laptop"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if stops := calls(sim, "StopInstances"); len(stops) != 1 || len(stops[0].Resources) != 3 {
			t.Fatalf("after the confirmation: %+v", stops)
		}
		until(t, "2027-03-05T18:01:00+09:00") // the next working evening is held back again
		if stops := calls(sim, "StopInstances"); len(stops) != 1 {
			t.Errorf("an old confirmation was used again: %+v", stops)
		}
		stop()
	})
}

func TestAHangingRegionIsLookedAtApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T08:40:00+09:00")
		sim := officeSim(t)
		if err := sim.SetFaults([]awssim.Fault{{Kind: "hang", Region: "us-east-1"}}); err != nil {
			t.Fatal(err)
		}
		d := newDaemon(t, officeConfig, memory.New(), sim)
		stop := lead(t, d)
		until(t, "2027-03-05T09:00:02+09:00")
		starts := calls(sim, "StartInstances")
		if len(starts) != 1 || len(starts[0].Resources) != 3 {
			t.Fatalf("two seconds after nine, with a region that hangs: %+v", starts)
		}
		rows, err := d.Store.Activity(t.Context(), store.ActivityQuery{Event: store.EventGap})
		if err != nil || len(rows) != 2 || rows[0].Reason != "gap" || rows[1].Reason != "quarantined" {
			t.Errorf("the gap is told once, and the quarantine: %+v, %v", rows, err)
		}
		stop()
	})
}

// What passes needed is given back once, some seconds after the last of those that
// make it worth while, whether one large pass or many small ones.
func TestMemoryIsGivenBackAfterPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d Daemon
		for range 9 {
			d.tidy(largePass / 10)
		}
		time.Sleep(time.Minute)
		if d.untidy.Load() == 0 {
			t.Error("it was given back after a few small passes")
		}
		released := func() uint64 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapReleased
		}
		needed := make([]byte, 64<<20)
		for i := range needed {
			needed[i] = 1 // or the system would never have had to give it
		}
		before := released()
		d.tidy(largePass / 10)
		runtime.KeepAlive(needed)
		time.Sleep(afterPass + time.Second)
		if got := released(); d.untidy.Load() != 0 || got < before+32<<20 {
			t.Errorf("%d resources are not accounted for, %d MB were given back", d.untidy.Load(), (got-min(got, before))>>20)
		}
	})
}
