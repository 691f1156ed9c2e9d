package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dayshift/internal/fleet"
)

// room is a channel that answers as it is told and remembers what it took.
type room struct {
	mu    sync.Mutex
	fails error // what it answers; nil: it takes the message
	hangs bool
	tries []time.Time
	ids   []string
	took  []Message
}

func (r *room) Name() string { return "room" }

func (r *room) Send(ctx context.Context, m Message) error {
	r.mu.Lock()
	r.tries, r.ids = append(r.tries, time.Now()), append(r.ids, m.ID)
	fails, hangs := r.fails, r.hangs
	r.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if fails == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.took = append(r.took, m)
	}
	return fails
}

func (r *room) answer(err error, hangs bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fails, r.hangs = err, hangs
}

// counted is how many messages and how many events the room took.
func (r *room) counted() (messages, events int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.took {
		events += m.Count
	}
	return len(r.took), events
}

// desk is an outbox under test.
type desk struct {
	*Outbox
	mu      sync.Mutex
	results map[Result]int
	log     lines
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// rest lets time pass, and what is due then end.
func rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func newDesk(t *testing.T, to Sender, filter Filter) *desk {
	t.Helper()
	d := &desk{results: map[Result]int{}}
	d.Outbox = NewOutbox("ops", Channel{Sender: to, Filter: filter, By: ByKind}, OutboxOptions{
		Log: slog.New(slog.NewJSONHandler(&d.log, nil)),
		Count: func(channel string, result Result) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.results[result]++
			if channel != "ops" {
				t.Errorf("counted for %q", channel)
			}
		},
	})
	t.Cleanup(func() { d.Close(context.Background()) })
	return d
}

func (d *desk) put(t *testing.T, events ...Event) {
	t.Helper()
	for _, e := range events {
		if err := d.Tell(t.Context(), []Event{e}); err != nil {
			t.Fatal(err)
		}
	}
}

func (d *desk) counts(results ...Result) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, result := range results {
		n += d.results[result]
	}
	return n
}

// lines are the records of the log with the message.
func (d *desk) lines(t *testing.T, message string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(d.log.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record["msg"] == message {
			found = append(found, record)
		}
	}
	return found
}

func told(n int) Event { return event(Stopping, "office", fmt.Sprint("i-", n), "", "the period ended") }

// line is what told is told as.
func line(n int) string {
	return fmt.Sprintf("i-%d in 111122223333/ap-northeast-2: the period ended", n)
}

var busy = &RetryError{Err: errors.New("status 503")}

func TestFilter(t *testing.T) {
	tagged, err := fleet.ParseFilter("tag:team=pay")
	if err != nil {
		t.Fatal(err)
	}
	account, err := fleet.ParseFilter("account=111122223333")
	if err != nil {
		t.Fatal(err)
	}
	office := event(Stopping, "office", "i-1", "", "")
	office.Tags = map[string]string{"team": "pay"}
	shop, gap := Event{Kind: Failed, Workload: "shop"}, Event{Kind: Gap, Ref: fleet.Ref{Scope: seoul}}
	decided := Event{Kind: OverrideBegan, About: []Subject{
		{Schedule: "night", Ref: fleet.Ref{Scope: seoul, ID: "i-2"}, Tags: map[string]string{"team": "pay"}}, {Schedule: "office", Tags: map[string]string{"team": "web"}},
	}}
	for _, test := range []struct {
		name   string
		filter Filter
		want   []bool // office, shop, gap, decided
	}{
		{"everything", Filter{}, []bool{true, true, true, true}},
		{"kinds", Filter{Kinds: []Kind{Failed, Gap}}, []bool{false, true, true, false}},
		{"a schedule", Filter{Schedules: []string{"office"}}, []bool{true, false, false, true}},
		{"a workload", Filter{Workloads: []string{"shop"}}, []bool{false, true, false, false}},
		{"either", Filter{Schedules: []string{"office"}, Workloads: []string{"shop"}}, []bool{true, true, false, true}},
		{"another", Filter{Schedules: []string{"shop", ""}, Workloads: []string{"office", ""}}, []bool{false, false, false, false}},
		{"a kind of a schedule", Filter{Kinds: []Kind{Failed}, Schedules: []string{"office"}}, []bool{false, false, false, false}},
		{"a tag", Filter{Resources: tagged}, []bool{true, false, false, true}},
		{"an account", Filter{Resources: account}, []bool{true, false, true, true}},
		{"a tag of another schedule's resource", Filter{Resources: tagged, Schedules: []string{"office"}}, []bool{true, false, false, false}},
	} {
		if got := []bool{test.filter.Takes(&office), test.filter.Takes(&shop), test.filter.Takes(&gap), test.filter.Takes(&decided)}; !cmp.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	for i, kind := range Kinds {
		if title(kind, 2).String() == string(kind) || i > 0 && urgency[kind] < urgency[Kinds[i-1]] {
			t.Errorf("%s has no title, or is out of its order", kind)
		}
	}
	if Kinds[0] != ConfigWaits || Kinds[len(Kinds)-1] != Starting {
		t.Errorf("%v", Kinds)
	}
}

func TestOutboxDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		d := newDesk(t, r, Filter{Kinds: []Kind{Stopping}})
		d.put(t, told(1), event(Gap, "", "", "", "left out"), told(2), told(3))
		synctest.Wait()
		if len(r.took) != 3 || r.took[0].Lines[0] != line(1) || r.took[2].Lines[0] != line(3) || d.counts(Sent) != 3 {
			t.Errorf("took %+v", r.took)
		}
		if len(r.ids[0]) < 20 || r.ids[0] == r.ids[1] {
			t.Errorf("IDs %v", r.ids)
		}
		if d.log.String() != "" {
			t.Errorf("logged: %s", d.log.String())
		}
	})
}

// TestOutboxTriesAgain: with growing gaps, each under its ID, until the channel is back; the log says so twice.
func TestOutboxTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{fails: busy}
		d := newDesk(t, r, Filter{})
		began := time.Now()
		d.put(t, told(1), told(2))
		rest(20 * time.Minute)
		var gaps []time.Duration
		for i := 1; i < len(r.tries); i++ {
			gaps = append(gaps, r.tries[i].Sub(r.tries[i-1]))
		}
		s := time.Second
		want := []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, maxGap}
		if len(gaps) < len(want) || !cmp.Equal(gaps[:len(want)], want) || !r.tries[0].Equal(began) {
			t.Errorf("gaps %v", gaps)
		}
		for i, id := range r.ids {
			if (id != r.ids[0]) != (i == patience) { // the other one has a try
				t.Fatalf("tried were %v", r.ids)
			}
		}
		r.answer(nil, false)
		rest(maxGap)
		if messages, _ := r.counted(); messages != 2 || d.counts(Sent) != 2 || d.counts(Lost) != 0 {
			t.Errorf("%d messages came, counted %v", messages, d.results)
		}
		if len(d.lines(t, "a channel does not take messages; they wait")) != 1 || len(d.lines(t, "the channel takes messages again")) != 1 {
			t.Errorf("logged: %s", d.log.String())
		}
	})
}

func TestOutboxHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{fails: &RetryError{Err: errors.New("status 429"), After: 90 * time.Second}}
		d := newDesk(t, r, Filter{})
		d.put(t, told(1))
		rest(time.Second)
		r.answer(&RetryError{Err: errors.New("status 429"), After: 365 * 24 * time.Hour}, false)
		rest(90 * time.Second)
		r.answer(nil, false)
		rest(maxAfter)
		if len(r.tries) != 3 || r.tries[1].Sub(r.tries[0]) != 90*time.Second || r.tries[2].Sub(r.tries[1]) != maxAfter {
			t.Errorf("tried at %v", r.tries)
		}
	})
}

// TestOutboxGivesUp: what is refused at once, what waited too long after that; each with a line and a count.
func TestOutboxGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{fails: errors.New("status 401")}
		d := newDesk(t, r, Filter{})
		d.put(t, told(1))
		synctest.Wait()
		r.answer(busy, false)
		d.put(t, told(2))
		rest(keepTrying + maxGap)
		lost := d.lines(t, "a message was not delivered")
		if len(lost) != 2 || d.counts(Lost) != 2 || lost[0]["error"] != "status 401" || lost[0]["tries"] != 1.0 || lost[1]["error"] != "status 503" ||
			lost[1]["title"] != "Stopping 1 resource (schedule office)" || lost[1]["channel"] != "ops" {
			t.Errorf("lost: %v", lost)
		}
		if last := r.tries[len(r.tries)-1].Sub(r.tries[1]); last < keepTrying || last > keepTrying+maxGap {
			t.Errorf("given up after %s", last)
		}
	})
}

// TestFault61AChannelThatIsDownBlocksNothing: 10,000 notifications to a channel that hangs, refuses or asks for time cost
// their sender nothing, are put together, and come when it is back.
func TestFault61AChannelThatIsDownBlocksNothing(t *testing.T) {
	for name, test := range map[string]struct {
		down  *room
		flood int
	}{
		"hangs": {&room{hangs: true}, 10_000}, "is down": {&room{fails: busy}, 1000},
		"has enough": {&room{fails: &RetryError{Err: errors.New("status 429"), After: time.Minute}}, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			down, flood := test.down, test.flood
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, down, Filter{})
				began := time.Now()
				for i := range flood {
					m := told(i)
					if i%2 == 0 {
						m = event(Failed, fmt.Sprint("team-", i%500), "i", "", "no capacity")
					}
					if err := Tell(t.Context(), []Receiver{d}, []Event{m}); err != nil {
						t.Fatal(err)
					}
				}
				if took := time.Since(began); took != 0 {
					t.Errorf("the sender waited %s", took)
				}
				synctest.Wait()
				if waiting := len(d.waiting); waiting > 2*mergeFrom+len(Kinds) {
					t.Errorf("%d messages wait", waiting)
				}
				rest(10 * time.Minute)
				down.answer(nil, false)
				rest(10 * time.Minute)
				messages, events := down.counted()
				if events != flood || messages > 2*mergeFrom+len(Kinds)+1 || d.counts(Lost) != 0 {
					t.Errorf("%d messages with %d events came, %v", messages, events, d.results)
				}
				for _, m := range down.took {
					if len(m.Lines) > maxLines+1 || m.Count > maxLines && m.Lines[maxLines] != m.more(m.Count-maxLines) {
						t.Errorf("%d events in %d lines, the last is %q", m.Count, len(m.Lines), m.Lines[len(m.Lines)-1])
					}
				}
			})
		})
	}
}

// picky does not take the messages about one schedule.
type picky struct{ room }

func (p *picky) Send(ctx context.Context, m Message) error {
	err := p.room.Send(ctx, m)
	if m.Schedule == "poison" {
		return busy
	}
	return err
}

func (p *picky) came(schedule string) (n int) {
	for _, m := range p.all() {
		if m.Schedule == schedule {
			n++
		}
	}
	return n
}

// TestAMessageThatIsNotTakenHoldsBackNoOther, and is not tried without end.
func TestAMessageThatIsNotTakenHoldsBackNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &picky{}
		d := newDesk(t, p, Filter{})
		d.put(t, event(Stopping, "poison", "i-0", "", ""))
		synctest.Wait()
		for i := range 5 {
			d.put(t, event(Stopping, fmt.Sprint("s", i), "i-1", "", ""))
		}
		rest(10 * time.Second)
		for i := range 5 {
			if p.came(fmt.Sprint("s", i)) != 1 {
				t.Errorf("of s%d came %d", i, p.came(fmt.Sprint("s", i)))
			}
		}
		for i := range 60 {
			d.put(t, event(Stopping, fmt.Sprint("m", i), "i-1", "", ""))
			rest(time.Minute)
		}
		rest(2 * maxGap)
		for i := range 60 {
			if p.came(fmt.Sprint("m", i)) != 1 {
				t.Errorf("of m%d came %d", i, p.came(fmt.Sprint("m", i)))
			}
		}
		if tries := p.came("poison"); d.counts(Lost) != 1 || tries < 10 || tries > 30 {
			t.Errorf("%d tries of what is not taken, %d given up", tries, d.counts(Lost))
		}
	})
}

func TestOutboxUsesAnotherChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrong, right := &room{fails: busy}, &room{}
		d := newDesk(t, wrong, Filter{})
		d.put(t, told(1), told(2))
		rest(10 * time.Minute)
		d.Use(Channel{Sender: right, Filter: Filter{Schedules: []string{"office"}}})
		synctest.Wait()
		if messages, _ := right.counted(); messages != 2 {
			t.Errorf("%d messages went to the new one at once", messages)
		}
		d.put(t, told(3), event(Stopping, "other", "i", "", ""))
		synctest.Wait()
		if messages, _ := right.counted(); messages != 3 {
			t.Errorf("%d messages came", messages)
		}
	})
}

// TestOutboxCloses: what waits is tried once more, and what is left is said to be lost, in time.
func TestOutboxCloses(t *testing.T) {
	for name, test := range map[string]struct {
		room       *room
		sent, lost int
		most       time.Duration
	}{
		"takes them":  {&room{}, 3, 0, 0},
		"is down":     {&room{fails: busy}, 0, 3, 0},
		"takes ages":  {&room{hangs: true}, 0, 3, 10 * time.Second},
		"refuses all": {&room{fails: errors.New("no")}, 0, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, test.room, Filter{})
				d.put(t, told(1), told(2), told(3))
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				began := time.Now()
				d.Close(ctx)
				if took := time.Since(began); took > test.most {
					t.Errorf("took %s", took)
				}
				if sent, lost := d.counts(Sent), d.counts(Lost); sent != test.sent || lost != test.lost || len(d.lines(t, "a message was not delivered")) != test.lost {
					t.Errorf("%v; %s", d.results, d.log.String())
				}
				if err := d.Tell(t.Context(), []Event{told(4)}); err == nil || d.counts(Lost) != test.lost+1 {
					t.Errorf("sent after its end: %v", err)
				}
				d.Close(ctx)
			})
		})
	}
}

// Of what goes in, each event comes out or is said to be lost.
func TestOutboxLosesNothingUnsaid(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			r := &room{}
			d := newDesk(t, r, Filter{})
			given := 0
			for range rapid.IntRange(1, 12).Draw(rt, "steps") {
				switch rapid.SampledFrom([]string{"send", "many", "down", "hang", "refuse", "up", "wait", "long"}).Draw(rt, "step") {
				case "send":
					d.put(t, told(given))
					given++
				case "many":
					for range mergeFrom {
						kind := rapid.SampledFrom(kinds).Draw(rt, "kind")
						d.put(t, event(kind, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "schedule"), "i", "", ""))
						given++
					}
				case "down":
					r.answer(busy, false)
				case "hang":
					r.answer(nil, true)
				case "refuse":
					r.answer(errors.New("no"), false)
				case "up":
					r.answer(nil, false)
				case "wait":
					rest(time.Minute)
				case "long":
					rest(2 * keepTrying)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			d.Close(ctx)
			_, came := r.counted()
			for _, line := range d.lines(t, "a message was not delivered") {
				came += int(line["count"].(float64))
			}
			if came != given {
				t.Fatalf("%d of %d events came or were said to be lost", came, given)
			}
			if sent, lost := d.counts(Sent), d.counts(Lost); sent != len(r.took) || lost != len(d.lines(t, "a message was not delivered")) || sent+lost+d.counts(Merged) != given {
				t.Fatalf("counted %v of %d", d.results, given)
			}
		})
	})
}

func TestMergedNotices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) Notice {
			var events []Event
			for i := range rapid.IntRange(1, 30).Draw(t, label) {
				events = append(events, event(rapid.SampledFrom(kinds).Draw(t, "kind"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, label+" schedule"), fmt.Sprint(label, i), "", ""))
				events[i].Schedule = events[0].Schedule
			}
			return Group(events, BySubject)[0]
		}
		a, b := draw("a"), draw("b")
		m := merge(&a, &b)
		if m.Count() != a.Count()+b.Count() || urgency[m.Kind()] != min(urgency[a.Kind()], urgency[b.Kind()]) {
			t.Fatalf("%+v and %+v give %+v", a, b, m)
		}
		for _, part := range m.Parts {
			if len(part.Told) > maxLines || len(part.Told) < min(maxLines, part.Count) {
				t.Fatalf("%d of %d %s are told", len(part.Told), part.Count, part.Kind)
			}
		}
		want := a.Schedule
		if a.Schedule != b.Schedule {
			want = ""
		}
		if title := (Words{}).Message(&m).Title; m.Schedule != want || strings.Contains(title, "(schedule") != (want != "") {
			t.Fatalf("about %q: %s", m.Schedule, title)
		}
	})
}
