package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// pager is a channel that keeps what it is told.
type pager struct {
	*httptest.Server

	mu   sync.Mutex
	told []page
}

type page struct {
	Kind, Title string
	Lines       []string
	Choices     []struct{ Label, Command string }
	came        time.Time
}

func newPager(t *testing.T) *pager {
	t.Helper()
	p := &pager{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m page
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &m)
		}
		if err != nil {
			t.Error(err)
		}
		m.came = time.Now()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.told = append(p.told, m)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *pager) all() []page {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.told)
}

// next waits for the message behind those that came before.
func (p *pager) next(t *testing.T, before int, kind string, patience time.Duration, processes ...*process) page {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if all := p.all(); len(all) > before {
			if all[before].Kind != kind {
				t.Fatalf("told %+v, want %s", all[before], kind)
			}
			return all[before]
		}
	}
	for _, process := range processes {
		t.Logf("%s:\n%s", process.cmd, process.output.text())
	}
	t.Fatalf("no %s within %s; told %+v", kind, patience, p.all())
	return page{}
}

const (
	// silence is what the watch waits for: eight beats, because the machine of a test is busy.
	silence = 10 * time.Second
	// speaks is how long after that people may hear of it: a look of the watch, a post, and a busy machine.
	speaks = 15 * time.Second
)

// TestTheDeadMansSwitchSpeaks: a monitor elsewhere is silent while all is well, tells within its time when the daemon was
// stopped, was killed, hangs or cannot write to its store, and when it is back.
func TestTheDeadMansSwitchSpeaks(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for silences")
	}
	for name, story := range map[string]struct {
		// harm silences the daemon, mend gives it back; both may replace it.
		harm  func(t *testing.T, d *watched)
		mend  func(t *testing.T, d *watched)
		again string // what is said of the process that is back
	}{
		"stopped": {
			harm:  func(t *testing.T, d *watched) { d.ends(t, syscall.SIGTERM, "0") },
			mend:  func(t *testing.T, d *watched) { d.daemon = daemonIn(t, d.dir, d.env) },
			again: "another process acts now",
		},
		"killed": {
			harm:  func(t *testing.T, d *watched) { d.ends(t, syscall.SIGKILL, "killed") },
			mend:  func(t *testing.T, d *watched) { d.daemon = daemonIn(t, d.dir, d.env) },
			again: "another process acts now",
		},
		"hangs": {
			harm: func(t *testing.T, d *watched) { pause(t, d.daemon, d.database()) },
			mend: func(t *testing.T, d *watched) {
				if err := d.daemon.signal(syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
			},
			again: "the process is the same as before",
		},
		"cannot write to its store": {
			harm:  func(t *testing.T, d *watched) { d.release = locked(t, d.database()) },
			mend:  func(_ *testing.T, d *watched) { d.release() },
			again: "the process is the same as before",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newWatched(t)
			time.Sleep(silence + 2*time.Second)
			if told := d.pager.all(); len(told) > 0 {
				t.Fatalf("told while all is well: %+v\n%s", told, d.watch.output.text())
			}

			story.harm(t, d)
			harmed := time.Now()
			silent := d.pager.next(t, 0, "silent", silence+speaks, d.watch, d.daemon)
			took := silent.came.Sub(harmed)
			t.Logf("told %s after the daemon fell silent", took.Round(100*time.Millisecond))
			if took < silence-2*time.Second { // the last beat came up to a second before
				t.Errorf("told after %s: before its time", took)
			}
			if text := strings.Join(silent.Lines, " "); silent.Title != "Dayshift itself is silent" || !strings.Contains(text, "no sign of life since ") {
				t.Errorf("said %q: %q", silent.Title, text)
			}

			story.mend(t, d)
			over := d.pager.next(t, 1, "silent-over", waitLimit, d.watch, d.daemon)
			if text := strings.Join(over.Lines, " "); !strings.Contains(text, story.again) {
				t.Errorf("said %q, want %q", text, story.again)
			}
			time.Sleep(silence + 2*time.Second)
			if told := d.pager.all(); len(told) != 2 {
				t.Errorf("told since: %+v", told[2:])
			}
			for _, p := range []*process{d.daemon, d.watch} {
				if code, err := p.end(syscall.SIGTERM); err != nil || code != "0" {
					t.Errorf("ended with %s (%v)\n%s", code, err, p.output.text())
				}
				if said := p.output.text(); strings.Contains(said, heartbeatPath) {
					t.Errorf("the address of the heartbeat is in the log:\n%s", said)
				}
			}
		})
	}
}

const heartbeatPath = "/beat/0c4f1d7a9be25863"

// watched is a daemon, a watch, and the channel that the watch tells.
type watched struct {
	dir           string
	env           []string
	pager         *pager
	watch, daemon *process
	release       func()
}

func (d *watched) database() string { return filepath.Join(d.dir, "dayshift.db") }

func (d *watched) ends(t *testing.T, signal syscall.Signal, want string) {
	t.Helper()
	if code, err := d.daemon.end(signal); err != nil || code != want {
		t.Fatalf("the daemon ended with %s (%v)", code, err)
	}
}

// newWatched starts a daemon and, when it acts, the watch that it gives its signs of life to: a busy machine can take longer
// to start a daemon than the watch waits for a first sign.
func newWatched(t *testing.T) *watched {
	t.Helper()
	d := &watched{pager: newPager(t)}
	sim := newGated(t, crashFleet())
	way := sim.gate(t)
	var listens atomic.Pointer[url.URL] // where the watch is, once it is
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := listens.Load(); to != nil {
			httputil.NewSingleHostReverseProxy(to).ServeHTTP(w, r)
			return
		}
		http.Error(w, "not yet", http.StatusServiceUnavailable)
	}))
	t.Cleanup(relay.Close)
	const heartbeat = "heartbeat: {url: \"%s" + heartbeatPath + "\", every: 1s, allow_private: true}\n"
	dir, daemonEnv := workplace(t, crashConfig+fmt.Sprintf(heartbeat, relay.URL))
	d.dir, d.env = dir, daemonEnv(way)
	d.daemon = daemonIn(t, d.dir, d.env)

	elsewhere, env := workplace(t, fmt.Sprintf(heartbeat, "http://watch.example")+
		"channels:\n  pager: {type: webhook, url: \""+d.pager.URL+"\", secret: an-example-of-a-secret, allow_private: true}\n")
	var err error
	if d.watch, err = startProcess(elsewhere, env(way), "watch", "--addr", "127.0.0.1:0", "--after", silence.String(), "--again", "10m", "--state", "state.json"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.watch.kill)
	line, err := d.watch.waitFor(regexp.MustCompile(`dayshift watches.* address=(\S+)`))
	if err != nil {
		t.Fatal(err)
	}
	listens.Store(&url.URL{Scheme: "http", Host: line[1]})
	if _, err := d.watch.waitFor(regexp.MustCompile(`a process gives signs of life`)); err != nil {
		t.Fatal(err)
	}
	return d
}

// locked keeps everybody else from writing to a database until the returned function is called.
func locked(t *testing.T, database string) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+database+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err == nil {
		_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	}
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		_, _ = conn.ExecContext(context.WithoutCancel(t.Context()), "ROLLBACK") // closing ends it too
		_ = conn.Close()
		_ = db.Close()
	})
	t.Cleanup(release)
	return release
}
