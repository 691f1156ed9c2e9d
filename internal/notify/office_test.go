package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

// mortal is a store as one process reaches it: dead, it takes and gives nothing more.
type mortal struct {
	store.Store
	dead   atomic.Bool
	hangs  atomic.Bool
	writes atomic.Int64
	left   atomic.Int64 // contacts until it dies; 0: it does not
}

var errGone = errors.New("the connection to the store is gone")

func (s *mortal) contact(ctx context.Context) error {
	if s.left.Load() > 0 && s.left.Add(-1) == 0 {
		s.dead.Store(true)
	}
	if s.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if s.dead.Load() {
		return errGone
	}
	return nil
}

func (s *mortal) Records(ctx context.Context, q store.RecordQuery) ([]store.Record, error) {
	if err := s.contact(ctx); err != nil {
		return nil, err
	}
	return s.Store.Records(ctx, q)
}

func (s *mortal) SaveRecords(ctx context.Context, lease store.Lease, records []store.Record, rows ...store.Activity) error {
	if err := s.contact(ctx); err != nil {
		return err
	}
	s.writes.Add(1)
	return s.Store.SaveRecords(ctx, lease, records, rows...)
}

// all are the messages that it took.
func (r *room) all() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.took)
}

// tried is how often it was tried, under the IDs so many attempts had.
func (r *room) tried() int { return len(r.under()) }

func (r *room) under() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ids)
}

// bureau is an office under test, as one process has it.
type bureau struct {
	*Office
	t     *testing.T
	store *mortal
	log   *lines
	lease store.Lease
}

// opened is a process that begins on a store, with the lease.
func opened(t *testing.T, kept store.Store, channels map[string]Channel) *bureau {
	t.Helper()
	b := &bureau{t: t, store: &mortal{Store: kept}, log: &lines{}}
	b.Office = NewOffice(OfficeOptions{OutboxOptions: OutboxOptions{Log: slog.New(slog.NewJSONHandler(b.log, nil))}, Store: b.store, Lasting: true})
	b.Use(channels, briefly)
	b.begin()
	t.Cleanup(b.kill)
	return b
}

func briefly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 10*time.Second)
}

func (b *bureau) begin() {
	b.t.Helper()
	var err error
	if b.lease, err = b.store.Acquire(b.t.Context(), "scheduler", fmt.Sprintf("%p", b), time.Now(), 15*time.Second); err != nil {
		b.t.Fatal(err)
	}
	b.Begin(func() store.Lease { return b.lease }, func() error { return nil })
}

// kill ends the process where it is: not a word more reaches the store or a channel.
func (b *bureau) kill() {
	b.store.dead.Store(true)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	b.mu.Lock()
	for _, box := range b.boxes {
		box.mu.Lock()
		box.channel.Sender = &room{fails: errors.New("the process is dead")}
		box.mu.Unlock()
	}
	b.mu.Unlock()
	b.End(ended)
	b.Close(ended)
}

// stop ends it in order.
func (b *bureau) stop() {
	ctx, cancel := briefly()
	defer cancel()
	b.End(ctx)
	b.Close(ctx)
}

func (b *bureau) tell(events ...Event) {
	b.t.Helper()
	if err := b.Tell(b.t.Context(), events); err != nil {
		b.t.Fatal(err)
	}
}

// letters are those of a store in one of the states, oldest first; of any without one.
func letters(t *testing.T, from store.Records, states ...LetterState) (list []Letter) {
	t.Helper()
	err := EachLetter(t.Context(), from, "", func(l *Letter) bool {
		if len(states) == 0 || slices.Contains(states, l.State) {
			list = append(list, *l)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

func expires() { time.Sleep(16 * time.Second) } // the lease of a process that died

// TestLettersSurviveTheProcess: killed with messages waiting, the next process delivers each once, under its ID.
func TestLettersSurviveTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		r := &room{fails: busy}
		first := opened(t, kept, map[string]Channel{"ops": {Sender: r}})
		synctest.Wait()
		before := first.store.writes.Load()
		first.tell(told(1), event(Failed, "shop", "i-2", "", "no capacity"))
		if waiting := letters(t, kept, LetterWaiting); len(waiting) != 2 || waiting[0].Channel != "ops" {
			t.Fatalf("in the store: %+v", waiting)
		}
		if writes := first.store.writes.Load() - before; writes != 1 {
			t.Errorf("a pass cost %d writes", writes)
		}
		rest(5 * time.Second)
		tried := r.under()
		first.kill()
		r.answer(nil, false)
		expires()
		second := opened(t, kept, map[string]Channel{"ops": {Sender: r}})
		rest(5 * time.Second)
		if len(r.all()) != 2 || len(tried) == 0 || !slices.Contains(r.under()[len(tried):], tried[0]) {
			t.Errorf("came: %+v under %v, tried before: %v", r.all(), r.under(), tried)
		}
		if sent := letters(t, kept, LetterSent); len(sent) != 2 || sent[0].Settled.IsZero() || sent[0].Error != "" {
			t.Errorf("in the store: %+v", sent)
		}
		stands, err := Conditions(t.Context(), kept)
		if err != nil || !stands["ops"].FailingSince.IsZero() || stands["ops"].LastSent.IsZero() {
			t.Errorf("it stands: %+v, %v", stands, err)
		}
		second.stop()
		expires()
		opened(t, kept, map[string]Channel{"ops": {Sender: r}})
		rest(time.Minute)
		if len(r.all()) != 2 {
			t.Errorf("%d messages came", len(r.all()))
		}
	})
}

// TestNothingThatWaitsIsLost: wherever a process dies, each thing told while the store took it comes, or is there to be seen.
func TestNothingThatWaitsIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			kept := memory.New()
			r := &room{}
			told, n := map[string]bool{}, 0
			for range rapid.IntRange(1, 5).Draw(rt, "processes") {
				p := opened(t, kept, map[string]Channel{"ops": {Sender: r}})
				p.store.left.Store(rapid.Int64Range(0, 12).Draw(rt, "contacts"))
				for range rapid.IntRange(0, 6).Draw(rt, "passes") {
					switch rapid.SampledFrom([]string{"up", "down", "hang"}).Draw(rt, "room") {
					case "up":
						r.answer(nil, false)
					case "down":
						r.answer(busy, false)
					case "hang":
						r.answer(nil, true)
					}
					id := fmt.Sprint("i-", n)
					n++
					p.tell(event(Failed, fmt.Sprint("s", n%4), id, "", ""))
					if !p.store.dead.Load() {
						told[id] = true
					}
					rest(time.Duration(rapid.IntRange(0, 90).Draw(rt, "seconds")) * time.Second)
				}
				if rapid.Bool().Draw(rt, "orderly") {
					p.stop()
				} else {
					p.kill()
				}
				expires()
			}
			r.answer(nil, false)
			opened(t, kept, map[string]Channel{"ops": {Sender: r}})
			rest(time.Minute)
			if waiting := letters(t, kept, LetterWaiting); len(waiting) != 0 {
				t.Fatalf("wait: %+v", waiting)
			}
			come := map[string]bool{}
			for _, m := range r.all() {
				for _, line := range m.Lines {
					come[strings.Fields(line)[0]] = true
				}
			}
			for _, l := range letters(t, kept, LetterDead) {
				for _, line := range l.Notice.Parts[0].Told {
					come[line.Ref.ID] = true
				}
			}
			for id := range told {
				if !come[id] {
					t.Fatalf("%s was told, and neither came nor is dead; told %v, came %v", id, told, come)
				}
			}
		})
	})
}

// TestAStoreThatIsDownDelaysNobody: a letter is in memory until it can be written, and goes out all the same.
func TestAStoreThatIsDownDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		up, down := &room{}, &room{fails: busy}
		p := opened(t, kept, map[string]Channel{"up": {Sender: up}, "down": {Sender: down}})
		synctest.Wait()
		p.store.hangs.Store(true)
		began := time.Now()
		p.tell(told(1))
		if took := time.Since(began); took > storeWait {
			t.Errorf("the pass waited %s", took)
		}
		rest(10 * time.Second)
		if len(up.all()) != 1 || !strings.Contains(p.log.String(), "could not be written to the store") {
			t.Errorf("%d came; %s", len(up.all()), p.log.String())
		}
		p.store.hangs.Store(false)
		rest(30 * time.Second)
		if list := letters(t, kept); len(list) != 2 {
			t.Errorf("in the store: %+v", list)
		}
	})
}

// TestTheEndOfATerm: what was tried once more and not taken stays for the next process, and nobody sends it meanwhile.
func TestTheEndOfATerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		r := &room{fails: busy}
		p := opened(t, kept, map[string]Channel{"ops": {Sender: r}})
		p.tell(told(1), event(Failed, "shop", "i-2", "", "no"))
		rest(time.Minute)
		before := r.tried()
		ctx, cancel := briefly()
		defer cancel()
		p.End(ctx)
		if tries := r.tried() - before; tries != 2 {
			t.Errorf("%d last tries", tries)
		}
		r.answer(nil, false)
		rest(time.Hour)
		if len(r.all()) != 0 || !strings.Contains(p.log.String(), "messages stay in the store") || strings.Contains(p.log.String(), "not delivered") {
			t.Errorf("%d came; %s", len(r.all()), p.log.String())
		}
		p.tell(told(3)) // who stands by tells of itself
		synctest.Wait()
		if len(r.all()) != 1 {
			t.Errorf("%d came", len(r.all()))
		}
		p.begin()
		rest(time.Minute)
		if sent := letters(t, kept, LetterSent); len(r.all()) != 3 || len(sent) != 3 {
			t.Errorf("%d came, %d are in the store as sent", len(r.all()), len(sent))
		}
	})
}

// TestDeadLettersAreSentAgain: one, or all of a channel; a request counts once, whoever reads it again.
func TestDeadLettersAreSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		r := &room{fails: errors.New("status 401")}
		p := opened(t, kept, map[string]Channel{"ops": {Sender: r}})
		p.tell(told(1))
		p.tell(told(2))
		p.tell(told(3))
		rest(time.Second)
		dead := letters(t, kept, LetterDead)
		if len(dead) != 3 || dead[0].Error != "status 401" || dead[0].Tries != 1 {
			t.Fatalf("dead: %+v", dead)
		}
		stands, err := Conditions(t.Context(), kept)
		if err != nil || stands["ops"].FailingSince.IsZero() || stands["ops"].Error != "status 401" {
			t.Errorf("it stands: %+v, %v", stands, err)
		}
		again := func(p *bureau, seq int64, reason, name string, want int) {
			t.Helper()
			count, err := p.Again(t.Context(), &store.Activity{Seq: seq, Event: store.EventMessageAgain, Actor: "minji", Reason: reason, Name: name})
			if err != nil || count != want {
				t.Errorf("%d are sent again, %v; want %d", count, err, want)
			}
			rest(time.Second)
		}
		again(p, 7, AgainMessage, dead[1].ID, 1)
		again(p, 7, AgainMessage, dead[1].ID, 0) // refused once more since, and not asked for since
		again(p, 8, AgainMessage, "nothing", 0)
		again(p, 8, AgainChannel, "pager", 0)
		p.kill()
		expires()
		r.answer(nil, false)
		p = opened(t, kept, map[string]Channel{"ops": {Sender: r}})
		again(p, 7, AgainMessage, dead[1].ID, 0)
		again(p, 9, AgainChannel, "ops", 3)
		if sent := letters(t, kept, LetterSent); len(r.all()) != 3 || len(sent) != 3 || sent[0].ID != dead[0].ID || sent[0].Tries != 1 || r.all()[0].ID != dead[0].ID {
			t.Errorf("came %+v; %+v", r.all(), sent)
		}
		again(p, 10, AgainChannel, "ops", 0)
	})
}

// TestALetterThatIsSentAgainHasFreshTries, also one that was told long ago.
func TestALetterThatIsSentAgainHasFreshTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		r := &room{fails: busy}
		p := opened(t, kept, map[string]Channel{"ops": {Sender: r}})
		p.tell(told(1))
		rest(keepTrying + 2*maxGap)
		dead := letters(t, kept, LetterDead)
		if len(dead) != 1 {
			t.Fatalf("dead: %+v", dead)
		}
		rest(24 * time.Hour)
		if _, err := p.Again(t.Context(), &store.Activity{Seq: 5, Reason: AgainMessage, Name: dead[0].ID}); err != nil {
			t.Fatal(err)
		}
		rest(keepTrying / 2)
		r.answer(nil, false)
		rest(maxGap)
		if len(r.all()) != 1 || r.all()[0].ID != dead[0].ID {
			t.Errorf("came %+v", r.all())
		}
	})
}

// TestALetterOfAChannelThatIsGone is there to be seen.
func TestALetterOfAChannelThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		p := opened(t, kept, map[string]Channel{"old": {Sender: &room{fails: busy}}, "older": {Sender: &room{fails: busy}}})
		p.tell(told(1))
		rest(time.Second)
		p.Use(map[string]Channel{"older": {Sender: &room{fails: busy}}}, briefly)
		rest(time.Minute)
		if dead := letters(t, kept, LetterDead); len(dead) != 1 || dead[0].Channel != "old" {
			t.Errorf("dead: %+v", dead)
		}
		p.kill()
		expires()
		opened(t, kept, map[string]Channel{"new": {Sender: &room{}}})
		rest(time.Second)
		if dead := letters(t, kept, LetterDead); len(dead) != 2 || dead[0].Error == dead[1].Error || dead[0].Error != errNoChannel.Error() && dead[1].Error != errNoChannel.Error() {
			t.Errorf("dead: %+v", dead)
		}
		if stands, err := Conditions(t.Context(), kept); err != nil || len(stands) != 0 {
			t.Errorf("stand: %+v, %v", stands, err)
		}
	})
}

// TestLettersAreKeptForAWhile: the newest, and none that waits is ever dropped.
func TestLettersAreKeptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		up, refuses, down := &room{}, &room{fails: errors.New("no")}, &room{hangs: true}
		p := opened(t, kept, map[string]Channel{"up": {Sender: up}, "refuses": {Sender: refuses}, "down": {Sender: down}})
		for i := range 1200 {
			p.tell(event(Failed, fmt.Sprint("s", i), fmt.Sprint("i-", i), "", ""))
			rest(400 * time.Millisecond)
		}
		sent, dead := letters(t, kept, LetterSent), letters(t, kept, LetterDead)
		if len(sent) > mostSent+2*pruneOver || len(dead) > mostDead+2*pruneOver || len(sent) < mostSent || len(dead) < mostDead {
			t.Errorf("%d sent and %d dead ones are kept", len(sent), len(dead))
		}
		if last := sent[len(sent)-1]; last.Notice.Schedule != "s1199" {
			t.Errorf("the newest is of %s", last.Notice.Schedule)
		}
		waiting := 0
		for _, l := range letters(t, kept, LetterWaiting) {
			waiting += l.Notice.Count()
		}
		if waiting != 1200 {
			t.Errorf("%d of 1200 events wait", waiting)
		}
		down.answer(nil, false)
		rest(keepSent + 2*pruning)
		if sent := letters(t, kept, LetterSent); len(sent) != 0 {
			t.Errorf("%d sent ones are kept after a week", len(sent))
		}
		rest(keepDead - keepSent + pruning)
		if dead := letters(t, kept, LetterDead); len(dead) != 0 {
			t.Errorf("%d dead ones are kept after a month", len(dead))
		}
	})
}

// TestTenThousandEventsInAMinute: with one channel dead and one answering 429 no pass is later than without them, every
// message is delivered or visible as dead, and they are grouped as promised.
func TestTenThousandEventsInAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const passes, perPass, schedules = 100, 100, 10
		kept := memory.New()
		well, dead := &room{}, &room{hangs: true}
		much := &room{fails: &RetryError{Err: errors.New("status 429"), After: 20 * time.Second}}
		var mu sync.Mutex
		results := map[string]map[Result]int{"well": {}, "dead": {}, "much": {}}
		log := &lines{}
		o := NewOffice(OfficeOptions{OutboxOptions: OutboxOptions{
			Log: slog.New(slog.NewJSONHandler(log, nil)),
			Count: func(channel string, result Result) {
				mu.Lock()
				defer mu.Unlock()
				results[channel][result]++
			},
		}, Store: kept, Lasting: true})
		o.Use(map[string]Channel{"well": {Sender: well}, "dead": {Sender: dead}, "much": {Sender: much}}, briefly)
		lease, err := kept.Acquire(t.Context(), "scheduler", "me", time.Now(), 24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		o.Begin(func() store.Lease { return lease }, func() error { return nil })
		began := time.Now()
		for pass := range passes {
			if late := time.Since(began) - time.Duration(pass)*600*time.Millisecond; late != 0 {
				t.Fatalf("pass %d is %s late", pass, late)
			}
			var events []Event
			for i := range perPass {
				events = append(events, event([]Kind{Stopping, Failed}[pass%2], fmt.Sprint("s", i%schedules), fmt.Sprintf("i-%d-%d", pass, i), "", "at its time"))
			}
			if err := Tell(t.Context(), o.Receivers(), events); err != nil {
				t.Fatal(err)
			}
			time.Sleep(600 * time.Millisecond)
		}
		rest(2 * time.Minute)
		much.answer(nil, false)
		rest(3 * time.Hour)
		ctx, cancel := briefly()
		defer cancel()
		o.End(ctx)
		o.Close(ctx)

		const all = passes * perPass
		if messages, events := well.counted(); messages != passes*schedules || events != all {
			t.Errorf("well: %d messages of %d events; want one for each schedule and pass, %d of %d", messages, events, passes*schedules, all)
		}
		if messages, events := much.counted(); messages > 2*mergeFrom+len(Kinds) || events != all {
			t.Errorf("much: %d messages of %d events", messages, events)
		}
		for name, r := range map[string]*room{"well": well, "much": much} {
			for _, m := range r.all() {
				if m.Schedule == "" || len(m.Lines) > maxLines+1 {
					t.Fatalf("%s: a message about %q of %d lines", name, m.Schedule, len(m.Lines))
				}
			}
		}
		given, count := 0, 0
		for _, l := range letters(t, kept, LetterDead) {
			if l.Channel != "dead" || l.Error == "" {
				t.Errorf("dead: %+v", l)
			}
			given += l.Notice.Count()
			count++
		}
		if given != all || len(letters(t, kept, LetterWaiting)) != 0 || count > 2*mergeFrom+len(Kinds) {
			t.Errorf("%d events in %d dead messages, %d wait", given, count, len(letters(t, kept, LetterWaiting)))
		}
		if got := results["dead"]; got[Lost] != count || got[Lost]+got[Merged] != passes*schedules {
			t.Errorf("counted %v", results)
		}
	})
}

// TestOldNewsOfAnEarlierTermIsDropped: what another process made of a letter meanwhile counts, and what was sent is not sent again.
func TestOldNewsOfAnEarlierTermIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		r := &room{fails: busy}
		digest := &Digest{At: 9 * 60, Zone: time.UTC}
		digests := &room{}
		channels := map[string]Channel{"ops": {Sender: r}, "daily": {Sender: digests, Digest: digest}}
		first := opened(t, kept, channels)
		first.tell(told(1))
		rest(time.Second)
		first.store.dead.Store(true) // it is cut off, and goes on for a while
		rest(10 * time.Second)
		if err := first.Tell(t.Context(), []Event{told(2)}); err != nil {
			t.Fatal(err)
		}
		expires()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		first.End(ended)
		first.store.dead.Store(false)
		r.answer(nil, false)
		rest(time.Minute)
		second := opened(t, kept, channels)
		second.tell(told(3))
		rest(time.Minute)
		second.stop()
		expires()
		first.begin()
		rest(time.Minute)
		var came []string
		for _, m := range r.all() {
			came = append(came, m.Lines...)
		}
		slices.Sort(came)
		if want := []string{line(1), line(2), line(3)}; !slices.Equal(came, want) {
			t.Errorf("came %q, want %q", came, want)
		}
		if waiting := letters(t, kept, LetterWaiting); len(waiting) != 0 {
			t.Errorf("wait: %+v", waiting)
		}
		rest(24 * time.Hour)
		_, events := digests.counted()
		if events < 3 { // what only one of the two knew is not lost; what both knew may be counted by both
			t.Errorf("the digests tell of %d events", events)
		}
	})
}

// TestALongTextHoldsBackNothing: a letter that is too long for the store would keep all others out of it.
func TestALongTextHoldsBackNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		p := opened(t, kept, map[string]Channel{"ops": {Sender: &room{fails: busy}}})
		synctest.Wait()
		long := event(Failed, "shop", "i-1", strings.Repeat("名", store.MaxData), strings.Repeat("<", 2*store.MaxData))
		p.tell(long)
		p.tell(told(2))
		list := letters(t, kept, LetterWaiting)
		slices.SortFunc(list, func(a, b Letter) int { return compareKinds(a.Notice.Kind(), b.Notice.Kind()) }) // they were told in one instant
		if len(list) != 2 || strings.Contains(p.log.String(), "could not be written") {
			t.Errorf("in the store are %d; %s", len(list), p.log.String())
		}
		if m := (Words{}).Message(&list[0].Notice); len([]rune(m.Lines[0])) != maxLine || strings.Contains(m.Lines[0], "\uFFFD") {
			t.Errorf("%q", m.Lines)
		}
	})
}

// TestAnOutageOfOursIsNoneOfTheChannels: what waited while no process ran has its hour when one runs again.
func TestAnOutageOfOursIsNoneOfTheChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		r := &room{fails: busy}
		p := opened(t, kept, map[string]Channel{"ops": {Sender: r}})
		p.tell(told(1))
		p.kill()
		rest(10 * time.Hour)
		p = opened(t, kept, map[string]Channel{"ops": {Sender: r}}) // its network comes up a moment later
		rest(5 * time.Second)
		if dead := letters(t, kept, LetterDead); len(dead) != 0 {
			t.Fatalf("given up: %+v", dead)
		}
		r.answer(nil, false)
		rest(time.Minute)
		if len(r.all()) != 1 {
			t.Errorf("%d came", len(r.all()))
		}
		r.answer(busy, false)
		p.tell(told(2))
		p.kill()
		rest(10 * time.Hour)
		opened(t, kept, map[string]Channel{"ops": {Sender: r}})
		rest(keepTrying + 2*maxGap)
		if dead := letters(t, kept, LetterDead); len(dead) != 1 {
			t.Errorf("given up after an hour: %+v", dead)
		}
	})
}

// TestWhatIsGivenUpIsCounted, also of a channel that is gone.
func TestWhatIsGivenUpIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		p := opened(t, kept, map[string]Channel{"old": {Sender: &room{fails: busy}}})
		p.tell(told(1))
		p.kill()
		expires()
		p = &bureau{t: t, store: &mortal{Store: kept}, log: &lines{}}
		var mu sync.Mutex
		counted := map[string]Result{}
		p.Office = NewOffice(OfficeOptions{OutboxOptions: OutboxOptions{Count: func(channel string, result Result) {
			mu.Lock()
			defer mu.Unlock()
			counted[channel] = result
		}}, Store: p.store, Lasting: true})
		p.begin()
		t.Cleanup(p.kill)
		rest(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if counted["old"] != Lost || len(letters(t, kept, LetterDead)) != 1 {
			t.Errorf("counted %v", counted)
		}
	})
}

// TestBacklogs: what waits, for how long, and what was given up, as the process knows it that holds the lease.
func TestBacklogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory.New()
		channels := map[string]Channel{
			"up": {Sender: &room{}}, "down": {Sender: &room{fails: busy}}, "refuses": {Sender: &room{fails: errors.New("no")}},
			"quiet": {Sender: &room{fails: busy}, Quiet: nights(t)}, "daily": {Sender: &room{}, Digest: &Digest{At: 20 * 60, Zone: time.UTC}},
		}
		p := opened(t, kept, channels)
		p.tell(told(1))
		rest(10 * time.Minute)
		p.tell(told(2))
		rest(time.Second)
		want := map[string]Backlog{
			"up": {}, "down": {Waiting: 2, Oldest: 10*time.Minute + time.Second}, "refuses": {Dead: 2}, "quiet": {Waiting: 1}, "daily": {},
		}
		if got := p.Backlogs(); !maps.Equal(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
		p.kill()
		rest(8 * time.Hour)
		delete(channels, "refuses")
		p = opened(t, kept, channels)
		rest(10 * time.Second)
		want["down"] = Backlog{Waiting: 2, Oldest: 8*time.Hour + 10*time.Minute + 11*time.Second}
		want["quiet"] = Backlog{Waiting: 1, Oldest: 10*time.Minute + 11*time.Second} // from the end of the night on
		if got := p.Backlogs(); !maps.Equal(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
		if got := (*Office)(nil).Backlogs(); len(got) != 0 {
			t.Errorf("of none: %+v", got)
		}
	})
}
