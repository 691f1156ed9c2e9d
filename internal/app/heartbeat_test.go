package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/config"
	"dayshift/internal/outbound"
	"dayshift/internal/store/memory"
	"dayshift/internal/store/storetest"
	"dayshift/internal/watch"
)

// monitor takes heartbeats within a bubble, where no socket can be used.
type monitor struct {
	mu    sync.Mutex
	beats []watch.Beat
	to    []string
	err   error
}

func (m *monitor) post(_ context.Context, to config.Heartbeat, body []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b watch.Beat
	if err := json.Unmarshal(body, &b); err != nil {
		return err
	}
	m.beats, m.to = append(m.beats, b), append(m.to, to.URL.Reveal())
	return m.err
}

// since counts the heartbeats that came, and forgets them.
func (m *monitor) since() []watch.Beat {
	m.mu.Lock()
	defer m.mu.Unlock()
	beats := m.beats
	m.beats, m.to = nil, nil
	return beats
}

func (m *monitor) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

const beating = officeConfig + "heartbeat: {url: https://monitor.example/canary, every: 20s}\n"

// heartOf gives the heart of a daemon that posts to m.
func heartOf(d *Daemon, m *monitor, log *bytes.Buffer) *heart {
	began := wall.Now()
	return &heart{
		clock: wall, log: slog.New(slog.NewTextHandler(log, nil)), count: d.Metrics.Heartbeat, post: m.post,
		config: func() config.Heartbeat { return d.present().Config.Config.Heartbeat },
		alive:  func(ctx context.Context, every time.Duration) (watch.Beat, error) { return d.living(ctx, began, every) },
	}
}

// TestHeartbeatOfTwoProcesses: the one that acts, and soon the other one when it takes over.
func TestHeartbeatOfTwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, kept := officeSim(t), memory.New()
		first := newDaemon(t, beating, kept, sim)
		var ofFirst, ofSecond monitor
		var log bytes.Buffer
		stop := lead(t, first)
		time.Sleep(time.Second) // by which the two are told apart
		second := newDaemon(t, beating, kept, sim)
		stopSecond := lead(t, second)
		ctx, cancel := context.WithCancel(t.Context())
		var hearts sync.WaitGroup
		hearts.Go(func() { heartOf(first, &ofFirst, &log).run(ctx) })
		hearts.Go(func() { heartOf(second, &ofSecond, new(bytes.Buffer)).run(ctx) })

		time.Sleep(2*time.Minute - 5*time.Second)
		beats := ofFirst.since()
		if n := len(beats); n != 6 {
			t.Errorf("%d heartbeats in two minutes, want one every 20 s", n)
		}
		if n := len(ofSecond.since()); n != 0 {
			t.Errorf("the process that stands by gave %d heartbeats", n)
		}
		if b := beats[5]; b.Every != 20 || b.Term == 0 || b.LastPass.IsZero() || !b.At.After(b.Started) || !strings.HasPrefix(b.Program, "dayshift ") {
			t.Errorf("%+v", b)
		}
		if said := log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "the monitor takes the heartbeat") || strings.Contains(said, "canary") {
			t.Errorf("logged: %s", said)
		}

		stop()
		time.Sleep(5 * time.Second) // a poll for the lease and a look of the heart
		taken := ofSecond.since()
		if len(taken) != 1 || taken[0].Term <= beats[5].Term {
			t.Errorf("after the take-over: %+v", taken)
		}
		ofFirst.since()
		time.Sleep(time.Minute)
		if n := len(ofFirst.since()); n != 0 {
			t.Errorf("the process that no longer acts gave %d heartbeats", n)
		}
		stopSecond()
		cancel()
		hearts.Wait()
	})
}

// TestHeartbeatIsWithheld: no sign of life without a loop that turns, or without a store that takes a write; one line tells why.
func TestHeartbeatIsWithheld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, beating, memory.New(), officeSim(t))
		var m monitor
		var log bytes.Buffer
		stop := lead(t, d)
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		h := heartOf(d, &m, &log)
		var silent error
		var mu sync.Mutex
		living := h.alive
		h.alive = func(ctx context.Context, every time.Duration) (watch.Beat, error) {
			mu.Lock()
			defer mu.Unlock()
			if silent != nil {
				return watch.Beat{}, silent
			}
			return living(ctx, every)
		}
		go func() { defer close(done); h.run(ctx) }()
		time.Sleep(time.Minute + 5*time.Second) // a while before the next one, so that each below has its five minutes
		m.since()
		for _, why := range []error{errors.New("the store cannot be written to"), errors.New("the scheduler has not turned")} {
			mu.Lock()
			silent = why
			mu.Unlock()
			time.Sleep(5 * time.Minute)
			if n := len(m.since()); n != 0 {
				t.Errorf("%v: %d heartbeats", why, n)
			}
		}
		mu.Lock()
		silent = nil
		mu.Unlock()
		m.fail(errors.New("post to monitor: no answer"))
		time.Sleep(5 * time.Minute)
		m.fail(nil)
		time.Sleep(time.Minute)
		if n := len(m.since()); n < 17 {
			t.Errorf("%d heartbeats in six minutes: a monitor that does not answer is not asked again", n)
		}
		cancel()
		<-done
		stop()
		said := log.String()
		for line, want := range map[string]int{"the monitor takes the heartbeat": 2, "no heartbeat is sent": 1, "the heartbeat is not taken": 1} {
			if got := strings.Count(said, line); got != want {
				t.Errorf("%d times %q, want %d:\n%s", got, line, want, said)
			}
		}
		page := httptest.NewRecorder()
		d.Metrics.Handler().ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		for _, line := range []string{`dayshift_heartbeats_total{result="withheld"} 30`, `dayshift_heartbeats_total{result="failed"} 15`} {
			if !strings.Contains(page.Body.String(), line) {
				t.Errorf("not counted: %s", line)
			}
		}
	})
}

// TestLiving: what a sign of life depends on.
func TestLiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := storetest.NewFaulty(memory.New())
		d := newDaemon(t, beating, kept, officeSim(t))
		stop := lead(t, d)
		time.Sleep(time.Second)
		if _, err := d.living(t.Context(), wall.Now(), time.Minute); err != nil {
			t.Errorf("all is well: %v", err)
		}
		stuck := wall.Now().Add(-stalled - time.Second)
		d.turned.Store(stuck.UnixNano())
		if _, err := d.living(t.Context(), wall.Now(), time.Minute); err == nil || !strings.Contains(err.Error(), "has not turned since") {
			t.Errorf("the loop hangs: %v", err)
		}
		d.turned.Store(wall.Now().UnixNano())
		kept.Inject(storetest.Fault{Method: storetest.Ping, Err: errors.New("disk full")})
		if _, err := d.living(t.Context(), wall.Now(), time.Minute); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("the store takes no write: %v", err)
		}
		stop()
		if _, err := d.living(t.Context(), wall.Now(), time.Minute); !errors.Is(err, errNotLeader) {
			t.Errorf("another one acts: %v", err)
		}
	})
}

// TestPostBeat: as every post to an address that somebody wrote down, and no word of the address in what is said of it.
func TestPostBeat(t *testing.T) {
	var got, signed string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		signed = r.Header.Get(outbound.SignatureHeader)
		got = r.Method + " " + r.URL.Path + " " + string(body)
		if r.URL.Path != "/canary" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	of := func(url, more string) config.Heartbeat {
		loaded, err := config.Parse("f", []byte(officeConfig+"heartbeat: {url: \""+url+"\""+more+"}\n"), config.Env{})
		if err != nil {
			t.Fatal(err)
		}
		return loaded.Config.Heartbeat
	}
	if err := postBeat(t.Context(), of(server.URL+"/canary", ", allow_private: true"), []byte("{}")); err != nil || got != "POST /canary {}" {
		t.Errorf("%q, %v", got, err)
	}
	if signed != "" {
		t.Errorf("signed without a secret: %s", signed)
	}
	if err := postBeat(t.Context(), of(server.URL+"/canary", ", allow_private: true, secret: the secret of the beats, previous_secret: the secret before that"), []byte("{}")); err != nil || strings.Count(signed, "v1=") != 2 {
		t.Errorf("signed %q, %v", signed, err)
	}
	if err := postBeat(t.Context(), of(server.URL+"/canary-2", ", allow_private: true"), []byte("{}")); err == nil || !strings.Contains(err.Error(), "404") || strings.Contains(err.Error(), "canary") {
		t.Errorf("refused: %v", err)
	}
	if err := postBeat(t.Context(), of(strings.Replace(server.URL, "http:", "https:", 1)+"/canary", ""), []byte("{}")); err == nil || !strings.Contains(err.Error(), "this machine") || strings.Contains(err.Error(), "canary") {
		t.Errorf("this machine: %v", err)
	}
}
