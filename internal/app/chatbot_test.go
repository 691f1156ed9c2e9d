package app

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/awssim"
	"dayshift/internal/chatbot"
	chatwire "dayshift/internal/chatbot/wire"
	"dayshift/internal/store/memory"
)

const roomConfig = `
store: memory
resync_interval: 5m
timezone: Asia/Seoul
accounts:
  - {id: "111122223333", regions: [ap-northeast-2]}
periods:
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
schedules:
  seoul-office: {periods: [office], notify_before_stop: 10m}
workloads:
  shop:
    filters: "tag:Environment=shop"
    tiers:
      db: {filters: "tag:Role=db", start: {sequence: 0}, stop: {sequence: 1}}
      web: {filters: "tag:Role=web", start: {sequence: 1}, stop: {sequence: 0}}
`

// talk is a bot that asks a daemon, and what it posts later.
type talk struct {
	t   *testing.T
	bot *chatbot.Bot

	mu   sync.Mutex
	told []string
}

func newTalk(t *testing.T, d *Daemon) *talk {
	t.Helper()
	r := &talk{t: t}
	r.bot = chatbot.New(chatbot.Options{
		Program: d,
		Person: func(_ string, who chatwire.Identity) (chatbot.Person, bool) {
			return chatbot.Person{Principal: access.Principal{ID: "person:" + who.ID, Name: who.ID, Role: access.Editor}}, who.ID == "kim"
		},
		Chat: func(string) chatbot.Chat { return chatbot.Chat{} },
		Tell: func(_ context.Context, _ chatwire.Ask, reply chatwire.Reply) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.told = append(r.told, time.Now().UTC().Add(9*time.Hour).Format("15:04 ")+reply.Text)
			return nil
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.bot.Follow(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return r
}

// attend is lead with what serves those who ask.
func attend(t *testing.T, d *Daemon) (stop func()) {
	t.Helper()
	d.changed = make(chan struct{}, 1)
	d.open()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if err := d.boards(ctx); err != nil {
			t.Error(err)
		}
	})
	all.Go(func() { // as watch does, without a look at files
		for {
			select {
			case <-ctx.Done():
				return
			case waits := <-d.page.told:
				if d.revised(ctx) {
					d.reload(ctx, false)
				}
				close(waits.done)
			}
		}
	})
	ends := lead(t, d)
	return func() {
		ends()
		cancel()
		all.Wait()
	}
}

// later checks what was told later, and nothing else.
func (r *talk) later(wants ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.told) != len(wants) {
		r.t.Fatalf("told later: %q, want %q", r.told, wants)
	}
	for i, want := range wants {
		if !strings.Contains(r.told[i], want) {
			r.t.Errorf("told later: %q, want %q", r.told[i], want)
		}
	}
}

func (r *talk) says(text string, wants ...string) {
	r.t.Helper()
	reply := r.bot.Answer(r.t.Context(), chatwire.Ask{System: chatwire.Slack, Chat: "ops", Who: chatwire.Identity{ID: "kim"}, Text: text, Signed: true})
	for _, want := range wants {
		if !strings.Contains(reply.Text, want) {
			r.t.Errorf("%s: no %q in\n%s", text, want, reply.Text)
		}
	}
}

// The story of the night with real passes: an office that was started in the mornings is woken at 18:10 for two hours. It is
// told how long that takes and when it is ready, nothing stops it at 18:20, and at 20:10 it is stopped.
func TestWokenOverAChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-04T08:50:00+09:00") // a Thursday
		sim := awssim.New(awssim.Options{Seed: 7})
		if err := sim.Load(awssim.Fleet{Resources: []awssim.Resource{
			{Account: "111122223333", Region: "ap-northeast-2", Kind: "ec2", Name: "web-#", Count: 3, State: "stopped", Tags: map[string]string{"Schedule": "seoul-office"}},
			{Account: "111122223333", Region: "ap-northeast-2", Kind: "rds", Name: "db", Count: 1, State: "stopped", Tags: map[string]string{"Schedule": "seoul-office"}},
		}}); err != nil {
			t.Fatal(err)
		}
		d := newDaemon(t, roomConfig, memory.New(), sim)
		stop := attend(t, d)
		r := newTalk(t, d)
		until(t, "2027-03-05T18:10:00+09:00")
		woken := time.Now()
		r.says("seoul-office status", "4 resources: 0 running, 4 stopped.", "Nothing is other than it is wanted.")
		r.says("wake seoul-office for 2h because release", "seoul-office is kept running until 20:10 (Asia/Seoul), by kim.", "4 resources are started at the next pass", "minutes, as the last 2 times.", "I tell you here when it is ready.")
		until(t, "2027-03-05T18:45:00+09:00")
		r.says("status seoul-office", "4 resources: 4 running, 0 stopped.", "Kept running until 20:10 (Asia/Seoul) by kim: release (via slack).")
		r.says("why db", "db is running; wanted is: running.", "Kept running until 20:10")
		until(t, "2027-03-05T20:09:00+09:00")
		for _, action := range []string{"StopInstances", "StopDBInstance"} {
			for _, call := range calls(sim, action) {
				if call.Time.After(woken) {
					t.Errorf("%s at %s", action, call.Time)
				}
			}
		}
		until(t, "2027-03-05T20:30:00+09:00")
		r.says("status seoul-office", "4 resources: 0 running, 4 stopped.")
		r.later("seoul-office is ready: 4 resources run, and where AWS has status checks they have passed.")
		stop()
	})
}

// A workload that is started over a chat is told to be ready once its last tier is, and the second time how long that takes.
func TestAWorkloadOverAChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-03T12:00:00+09:00")
		sim := awssim.New(awssim.Options{Seed: 7})
		if err := sim.Load(awssim.Fleet{Resources: []awssim.Resource{
			{Account: "111122223333", Region: "ap-northeast-2", Kind: "ec2", Name: "web-#", Count: 2, State: "stopped", Tags: map[string]string{"Environment": "shop", "Role": "web"}},
			{Account: "111122223333", Region: "ap-northeast-2", Kind: "rds", Name: "db", Count: 1, State: "stopped", Tags: map[string]string{"Environment": "shop", "Role": "db"}},
		}}); err != nil {
			t.Fatal(err)
		}
		d := newDaemon(t, roomConfig, memory.New(), sim)
		stop := attend(t, d)
		r := newTalk(t, d)
		until(t, "2027-03-03T12:10:00+09:00")
		r.says("workload start shop", "asked for by kim.", "no earlier start is in the record", "I tell you here when it is ready.")
		until(t, "2027-03-03T12:12:00+09:00")
		r.says("워크로드 상태 shop", "db", "web")
		r.says("workload start shop", "asked for by kim.") // it joins the run that is under way
		until(t, "2027-03-03T13:00:00+09:00")
		r.later("shop is ready, tier by tier.", "shop is ready, tier by tier.")
		r.says("workload stop shop", "asked for by kim.")
		until(t, "2027-03-03T13:30:00+09:00")
		r.says("wake shop for 2h", "shop is kept running until", "as the last time.", "I tell you here when it is ready.")
		until(t, "2027-03-03T14:30:00+09:00")
		r.later("shop is ready", "shop is ready", "shop is ready, tier by tier.")
		stop()
	})
}
