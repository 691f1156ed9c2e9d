package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/event"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/queue"
	"dayshift/internal/queue/local"
	"dayshift/internal/store/memory"
)

const eventConfig = `
store: memory
resync_interval: 24h
accounts:
  - {id: "111122223333", regions: [ap-northeast-2, us-east-1]}
events: {queue: "arn:aws:sqs:us-east-1:111122223333:events"}
schedules:
  always: {override_status: running, enforced: true}
`

// eventSim has three instances in Seoul, a database beside them and one instance
// in Virginia, and tells of them in the queue.
func eventSim(t *testing.T) *awssim.Cloud {
	t.Helper()
	durations := map[string][2]time.Duration{}
	for name := range awssim.DefaultDurations() {
		durations[name] = [2]time.Duration{15 * time.Second, 15 * time.Second}
	}
	sim := awssim.New(awssim.Options{Seed: 5, Durations: durations})
	tags := map[string]string{"Schedule": "always"}
	if err := sim.Load(awssim.Fleet{Events: &awssim.Events{Queue: "events"}, Resources: []awssim.Resource{
		{Account: "111122223333", Region: "ap-northeast-2", Kind: "ec2", Name: "web-#", Count: 3, Tags: tags},
		{Account: "111122223333", Region: "ap-northeast-2", Kind: "rds", Name: "orders", Tags: tags},
		{Account: "111122223333", Region: "us-east-1", Kind: "ec2", Name: "other", Tags: tags},
		{Account: "999988887777", Region: "us-east-1", Kind: "ec2", Name: "foreign"},
	}}); err != nil {
		t.Fatal(err)
	}
	return sim
}

// metric reads the value of a line of /metrics; -1 where there is none.
func metric(t *testing.T, d *Daemon, line string) float64 {
	t.Helper()
	recorder := httptest.NewRecorder()
	d.Metrics.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(line) + ` (\S+)$`).FindStringSubmatch(recorder.Body.String())
	if found == nil {
		return -1
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func passesOf(t *testing.T, d *Daemon, trigger string) float64 {
	return max(0, metric(t, d, `dayshift_passes_total{result="done",trigger="`+trigger+`"}`))
}

func named(t *testing.T, sim *awssim.Cloud, name string) awssim.Instance {
	t.Helper()
	for _, i := range sim.Instances("", "") {
		if i.Name == name {
			return i
		}
	}
	t.Fatalf("no instance %s", name)
	return awssim.Instance{}
}

// A person stops an instance that is to run: with events it is running again as
// soon as EC2 allows, though everything else is looked at once a day.
func TestAChangeByHandIsKnownInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := eventSim(t)
		d := newDaemon(t, eventConfig, memory.New(), sim)
		stop := lead(t, d)
		defer stop()
		time.Sleep(5 * time.Minute)
		sim.ResetCalls()
		if err := sim.StopInstance(named(t, sim, "web-1").ID); err != nil {
			t.Fatal(err)
		}
		if err := sim.StopDatabase("111122223333", "ap-northeast-2", "orders"); err != nil {
			t.Fatal(err)
		}
		stopped := time.Now().Add(15 * time.Second)
		time.Sleep(30 * time.Second)
		for _, action := range []string{"StartInstances", "StartDBInstance"} {
			starts := calls(sim, action)
			if len(starts) != 1 {
				t.Fatalf("%s: %+v", action, starts)
			}
			if late := starts[0].Time.Sub(stopped); late < 0 || late > 3*time.Second {
				t.Errorf("%s came %s after it had stopped", action, late)
			}
		}
		time.Sleep(10 * time.Minute)
		if i := named(t, sim, "web-1"); i.State != "running" {
			t.Errorf("it is %s", i.State)
		}
		if n := passesOf(t, d, triggerEvent); n < 2 || n > 4 {
			t.Errorf("%v looks because of events: stopping, stopped and arrived are at most four", n)
		}
		for _, call := range calls(sim, "DescribeInstances") {
			if call.Region != "ap-northeast-2" {
				t.Errorf("a scope of which nothing was told was looked at: %+v", call)
			}
		}
		if n := metric(t, d, `dayshift_event_queue_up`); n != 1 {
			t.Errorf("the queue counts as down: %v", n)
		}
		if age := float64(time.Now().Unix()) - metric(t, d, `dayshift_newest_event_timestamp_seconds`); age < 60 || age > 700 {
			t.Errorf("the newest event is %v s old", age)
		}
		if n := metric(t, d, `dayshift_events_total{result="echo"}`); n != 1 {
			t.Errorf("%v echoes, want that of the start alone", n)
		}
	})
}

// What Dayshift does to many resources comes back as events; they cost few passes.
func TestEchoesCostFewLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T08:57:20+09:00")
		const fleetSize = 400
		sim := awssim.New(awssim.Options{Seed: 5}) // EC2's buckets spread the starts over minutes
		if err := sim.Load(awssim.Fleet{Events: &awssim.Events{Queue: "events"}, Resources: []awssim.Resource{
			{Account: "111122223333", Region: "ap-northeast-2", Kind: "ec2", Name: "web-#", Count: fleetSize, State: "stopped", Tags: map[string]string{"Schedule": "seoul-office"}},
		}}); err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(officeConfig, "resync_interval: 5m", "resync_interval: 24h\nevents: {queue: \"arn:aws:sqs:us-east-1:111122223333:events\"}", 1)
		d := newDaemon(t, text, memory.New(), sim)
		stop := lead(t, d)
		defer stop()
		until(t, "2027-03-05T09:05:00+09:00")
		for _, i := range sim.Instances("", "") {
			if i.State != "running" {
				t.Fatalf("%s is %s", i.Name, i.State)
			}
		}
		looks := passesOf(t, d, triggerEvent)
		if looks < 1 || looks > 6 {
			t.Errorf("%v looks because of events of %d starts", looks, fleetSize)
		}
		if n := metric(t, d, `dayshift_events_total{result="echo"}`); n < fleetSize*9/10 {
			t.Errorf("%v of %d pending instances were known to be Dayshift's own doing", n, fleetSize)
		}
		if n := metric(t, d, `dayshift_events_total{result="heard"}`); n < fleetSize {
			t.Errorf("%v of %d arrivals were heard", n, fleetSize)
		}
	})
}

// Poison never blocks: it is counted and deleted, and what comes behind it is heard.
func TestPoisonInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := eventSim(t)
		d := newDaemon(t, eventConfig, memory.New(), sim)
		var said lockedBuffer
		d.Log = slog.New(slog.NewTextHandler(&said, nil))
		stop := lead(t, d)
		defer stop()
		time.Sleep(time.Minute)
		for _, body := range []string{"", "no JSON", `{"account":7}`, strings.Repeat("[", 50_000), `{"Records":[]}`} {
			if body != "" {
				put(t, sim, body)
			}
		}
		id := named(t, sim, "other").ID
		one := instanceEvent("111122223333", "us-east-1", id, "stopped", 1)
		put(t, sim, one)
		put(t, sim, one) // EventBridge delivers at least once
		put(t, sim, instanceEvent("111122223333", "eu-west-1", id, "stopped", 2))
		put(t, sim, instanceEvent("111122223333", "eu-west-1", id, "stopped", 3))
		put(t, sim, strings.Replace(one, "aws.ec2", "aws.health", 1))
		if err := sim.StopInstance(named(t, sim, "foreign").ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for result, want := range map[string]float64{eventMalformed: 4, eventUnknown: 1, eventHeard: 1, eventDuplicate: 1, eventForeign: 4} {
			if got := metric(t, d, `dayshift_events_total{result="`+result+`"}`); got != want {
				t.Errorf("%v were %s, want %v", got, result, want)
			}
		}
		open, err := d.openQueue(t.Context(), d.Config)
		if err != nil {
			t.Fatal(err)
		}
		if depth, err := open.Inspect(t.Context()); err != nil || depth != (queue.Depth{}) {
			t.Errorf("something is left: %+v, %v", depth, err)
		}
		for _, scope := range []string{"111122223333/eu-west-1", "999988887777/us-east-1"} {
			if n := strings.Count(said.String(), "scope="+scope); n != 1 {
				t.Errorf("%s was named %d times", scope, n)
			}
		}
	})
}

// A queue that is down is said once, asked at growing gaps, and read when it is back.
func TestQueueDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := eventSim(t)
		if err := sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultError, Service: "sqs", Code: "InternalError", Status: 500}}); err != nil {
			t.Fatal(err)
		}
		d := newDaemon(t, eventConfig, memory.New(), sim)
		var said lockedBuffer
		d.Log = slog.New(slog.NewTextHandler(&said, nil))
		stop := lead(t, d)
		defer stop()
		time.Sleep(30 * time.Minute)
		if n := strings.Count(said.String(), "the queue of events can not be read"); n != 1 {
			t.Errorf("said %d times", n)
		}
		if n := len(calls(sim, "ReceiveMessage")); n < 20 || n > 45 {
			t.Errorf("asked %d times in half an hour", n)
		}
		if n := metric(t, d, `dayshift_event_queue_up`); n != 0 {
			t.Errorf("the queue counts as up: %v", n)
		}
		if err := sim.SetFaults(nil); err != nil {
			t.Fatal(err)
		}
		if err := sim.StopInstance(named(t, sim, "web-1").ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if n := strings.Count(said.String(), "the queue of events is read again"); n != 1 || metric(t, d, `dayshift_event_queue_up`) != 1 {
			t.Errorf("back, said %d times", n)
		}
		if i := named(t, sim, "web-1"); i.State != "running" {
			t.Errorf("what happened meanwhile was not heard: it is %s", i.State)
		}
	})
}

// A standby leaves the queue to the one who holds the lease.
func TestAStandbyDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := eventSim(t)
		kept := memory.New()
		if _, err := kept.Acquire(t.Context(), leaseName, "somebody else", time.Now(), time.Hour); err != nil {
			t.Fatal(err)
		}
		d := newDaemon(t, eventConfig, kept, sim)
		stop := lead(t, d)
		time.Sleep(10 * time.Minute)
		if got := calls(sim, "ReceiveMessage"); len(got) != 0 {
			t.Errorf("%d calls", len(got))
		}
		stop()
	})
}

// sticky is a queue of which nothing can be deleted.
type sticky struct{ local.Queue }

func (*sticky) Delete(context.Context, []queue.Message) error {
	return fmt.Errorf("delete: %w", queue.ErrRefused)
}

// What can not be deleted comes again and again, is said to be a failure, and is heard once.
func TestWhatCanNotBeDeletedIsHeardOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, eventConfig, memory.New(), eventSim(t))
		d.agenda.set(d.Config.Scopes, time.Hour, time.Now())
		var q sticky
		if err := q.Send(t.Context(), instanceEvent("111122223333", "us-east-1", "i-0abcdef1", "stopped", 1)); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := d.hearSome(t.Context(), &q, 0); !errors.Is(err, queue.ErrRefused) {
				t.Fatal(err)
			}
			time.Sleep(local.DefaultHidden)
		}
		if heard, again := metric(t, d, `dayshift_events_total{result="heard"}`), metric(t, d, `dayshift_events_total{result="duplicate"}`); heard != 1 || again != 2 {
			t.Errorf("heard %v times, known again %v times", heard, again)
		}
	})
}

func TestEcho(t *testing.T) {
	now := time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC)
	ref := fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: "i-1"}
	outcome := func(verb fleet.Verb, status plan.Status) []plan.Outcome {
		var o plan.Outcome
		o.Status, o.Action.Verb, o.Action.Resource.Ref = status, verb, ref
		return []plan.Outcome{o}
	}
	for _, test := range []struct {
		name   string
		verb   fleet.Verb
		status plan.Status
		state  fleet.State
		after  time.Duration
		want   bool
	}{
		{"a start on its way", fleet.Start, plan.Accepted, fleet.Starting, time.Second, true},
		{"a start that has arrived", fleet.Start, plan.Accepted, fleet.Running, time.Minute, false},
		{"a stop right after our start", fleet.Start, plan.Accepted, fleet.Stopping, time.Second, false},
		{"a stop on its way", fleet.Stop, plan.Accepted, fleet.Stopping, time.Second, true},
		{"a hibernation on its way", fleet.Hibernate, plan.Accepted, fleet.Stopping, time.Second, true},
		{"a start right after our stop", fleet.Stop, plan.Accepted, fleet.Starting, time.Second, false},
		{"a start that failed", fleet.Start, plan.Failed, fleet.Starting, time.Second, false},
		{"a start of an hour ago", fleet.Start, plan.Accepted, fleet.Starting, time.Hour, false},
		{"a change of tags", fleet.Start, plan.Accepted, "", time.Second, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e ear
			e.acted(outcome(test.verb, test.status), now)
			if got := e.echo(&event.Event{Ref: ref, State: test.state}, now.Add(test.after)); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
	t.Run("what has arrived is over", func(t *testing.T) {
		var e ear
		e.acted(outcome(fleet.Start, plan.Accepted), now)
		e.echo(&event.Event{Ref: ref, State: fleet.Running}, now)
		if e.echo(&event.Event{Ref: ref, State: fleet.Starting}, now) {
			t.Error("a later start by somebody else counts as ours")
		}
	})
	t.Run("bounded", func(t *testing.T) {
		var e ear
		for i := range 3 * rememberedActions {
			o := outcome(fleet.Start, plan.Accepted)
			o[0].Action.Resource.ID = strconv.Itoa(i)
			e.acted(o, now)
		}
		if len(e.caused) > rememberedActions {
			t.Errorf("%d actions are remembered", len(e.caused))
		}
		for i := range 3 * rememberedEvents {
			e.again(strconv.Itoa(i))
		}
		if len(e.seen) > rememberedEvents || len(e.order) != len(e.seen) || !e.again(strconv.Itoa(3*rememberedEvents-1)) {
			t.Errorf("%d and %d events are remembered", len(e.seen), len(e.order))
		}
	})
}

func TestAgendaOfNews(t *testing.T) {
	now := time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC)
	start := func() *agenda {
		a := newAgenda(time.Hour, 1)
		a.set([]fleet.Scope{seoul, beijing}, time.Hour, now)
		a.take(now)
		a.done(seoul, time.Time{}, now)
		a.done(beijing, time.Time{}, now)
		return a
	}
	t.Run("only the scope, once, after a second", func(t *testing.T) {
		a := start()
		for range 500 {
			if !a.news(seoul, now) {
				t.Fatal("it is looked after")
			}
		}
		if got, nap := a.take(now); len(got.scopes) != 0 || nap != newsDelay {
			t.Fatalf("at once: %v, nap %s", got, nap)
		}
		got, _ := a.take(now.Add(newsDelay))
		if len(got.scopes) != 1 || got.scopes[0] != seoul || got.trigger != triggerEvent {
			t.Fatalf("after a second: %+v", got)
		}
		a.done(seoul, time.Time{}, now.Add(2*time.Second))
		if got, _ := a.take(now.Add(3 * time.Second)); len(got.scopes) != 0 {
			t.Errorf("a second look: %+v", got)
		}
	})
	t.Run("a scope that nobody looks after", func(t *testing.T) {
		a := start()
		if a.news(fleet.Scope{Account: "999988887777", Region: "us-east-1"}, now) {
			t.Error("news of it is taken")
		}
		a.set([]fleet.Scope{beijing}, time.Hour, now)
		if a.news(seoul, now) {
			t.Error("news of one that left is taken")
		}
	})
	t.Run("what is told during a pass is looked at after it", func(t *testing.T) {
		a := start()
		a.touch([]fleet.Scope{seoul}, now)
		if got, _ := a.take(now); len(got.scopes) != 1 {
			t.Fatal(got)
		}
		a.news(seoul, now.Add(time.Second))
		if got, _ := a.take(now.Add(5 * time.Second)); len(got.scopes) != 0 {
			t.Fatalf("it was given out twice: %+v", got)
		}
		a.done(seoul, now.Add(30*time.Minute), now.Add(6*time.Second))
		if got, _ := a.take(now.Add(6 * time.Second)); len(got.scopes) != 1 || got.trigger != triggerEvent {
			t.Fatalf("after the pass: %+v", got)
		}
		a.done(seoul, now.Add(30*time.Minute), now.Add(7*time.Second))
		for at := now.Add(7 * time.Second); at.Before(now.Add(30 * time.Minute)); {
			got, nap := a.take(at)
			if len(got.scopes) != 0 {
				t.Fatalf("%s: %+v", at, got)
			}
			at = at.Add(nap)
		}
		if got, _ := a.take(now.Add(30 * time.Minute)); got.trigger != triggerBoundary {
			t.Errorf("its boundary was lost: %+v", got)
		}
	})
	t.Run("a scope that never rests", func(t *testing.T) {
		a := start()
		var looks []time.Duration
		for at := now; at.Before(now.Add(10 * time.Minute)); at = at.Add(time.Second) {
			a.news(seoul, at)
			if got, _ := a.take(at); len(got.scopes) == 1 {
				looks = append(looks, at.Sub(now))
				a.done(seoul, time.Time{}, at)
			}
		}
		if len(looks) < 10 || len(looks) > 14 || looks[0] != time.Second || looks[1] != 11*time.Second {
			t.Errorf("looks at %v", looks)
		}
		for i := 1; i < len(looks); i++ {
			if gap := looks[i] - looks[i-1]; gap < newsGap || gap > newsLongest+newsDelay {
				t.Errorf("looks at %v", looks)
			}
		}
		later := now.Add(20 * time.Minute) // it has rested
		for range 2 {                      // the first look is of what was told last, the second of the jump
			for _, scope := range []fleet.Scope{seoul, beijing} {
				a.take(later)
				a.done(scope, time.Time{}, later)
			}
			later = later.Add(20 * time.Minute)
		}
		a.take(later)
		a.done(seoul, time.Time{}, later)
		a.news(seoul, later)
		if got, _ := a.take(later.Add(newsDelay)); len(got.scopes) != 1 {
			t.Error("after a rest it is not looked at within a second")
		}
	})
	t.Run("a clock that was set back puts nothing off", func(t *testing.T) {
		a := start()
		a.news(seoul, now)
		a.take(now.Add(newsDelay))
		a.done(seoul, time.Time{}, now.Add(newsDelay))
		past := now.Add(-24 * time.Hour)
		a.news(beijing, past)
		a.news(seoul, past)
		if got, _ := a.take(past.Add(newsDelay)); len(got.scopes) != 2 {
			t.Errorf("%+v", got)
		}
	})
}

func TestDoctorReadsTheQueue(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault *awssim.Fault
		queue string
		ok    bool
		part  string
	}{
		{"in order", nil, "events", true, "2 events wait"},
		{"none of that name", nil, "evnts", false, "create it as docs/events.md shows"},
		{"not allowed", &awssim.Fault{Kind: awssim.FaultDenied, Service: "sqs"}, "events", false, "allow sqs:ReceiveMessage"},
		{"down", &awssim.Fault{Kind: awssim.FaultUnreachable, Service: "sqs"}, "events", false, "refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sim := eventSim(t)
			put(t, sim, "a")
			put(t, sim, "b")
			if test.fault != nil {
				if err := sim.SetFaults([]awssim.Fault{*test.fault}); err != nil {
					t.Fatal(err)
				}
			}
			d := newDaemon(t, strings.Replace(eventConfig, ":events\"", ":"+test.queue+"\"", 1), memory.New(), sim)
			checkups, err := d.Doctor(t.Context())
			if err != nil || len(checkups) != 2 {
				t.Fatal(checkups, err)
			}
			in := checkups[1]
			finding := in.Findings[len(in.Findings)-1]
			if finding.Ability.String() != readsEvents || finding.OK != test.ok || in.OK != test.ok || !strings.Contains(finding.Detail.String(), test.part) || !checkups[0].OK {
				t.Errorf("%+v", checkups)
			}
			if got := calls(sim, "ReceiveMessage"); len(got) != 0 {
				t.Error("it took something out")
			}
		})
	}
	// A queue where nothing else is looked after has a line of its own.
	d := newDaemon(t, strings.Replace(eventConfig, "us-east-1:111122223333", "eu-west-1:111122223333", 1), memory.New(), eventSim(t))
	checkups, err := d.Doctor(t.Context())
	if err != nil || len(checkups) != 3 || checkups[2].OK || checkups[2].Scope.Region != "eu-west-1" {
		t.Errorf("%+v, %v", checkups, err)
	}
}

// put sends a message as EventBridge would.
func put(t *testing.T, sim *awssim.Cloud, body string) {
	t.Helper()
	d := newDaemon(t, eventConfig, memory.New(), sim)
	open, err := d.openQueue(t.Context(), d.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := open.Send(t.Context(), body); err != nil {
		t.Fatal(err)
	}
}

func instanceEvent(account, region, id, state string, n int) string {
	text, err := json.Marshal(map[string]any{
		"version": "0", "id": fmt.Sprint("event-", n), "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
		"account": account, "region": region, "time": "2000-01-01T00:00:00Z", "resources": []string{}, "detail": map[string]string{"instance-id": id, "state": state},
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
