package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/cloud"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/metrics"
	"dayshift/internal/notify"
	"dayshift/internal/run"
	"dayshift/internal/say"
	"dayshift/internal/store/memory"
	"dayshift/internal/workload"
)

// receiver takes posts, or refuses them for now.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	down  bool
	posts []notify.Message
}

func newReceiver(t *testing.T, down bool) *receiver {
	t.Helper()
	r := &receiver{down: down}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		var m notify.Message
		if err := json.Unmarshal(body, &m); err != nil {
			t.Error(err)
		}
		if r.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.posts = append(r.posts, m)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) took() []notify.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]notify.Message{}, r.posts...)
}

// awaits waits for as many posts.
func (r *receiver) awaits(t *testing.T, count int) []notify.Message {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if took := r.took(); len(took) >= count {
			return took
		}
	}
	t.Fatalf("%d posts came, want %d", len(r.took()), count)
	return nil
}

func hook(name, url, more string) string {
	return fmt.Sprintf("  %s: {type: webhook, url: %q, secret: an-example-of-a-secret, allow_private: true%s}\n", name, url, more)
}

var aStop = []notify.Event{{Kind: notify.Stopping, Schedule: "office", Ref: fleet.Ref{ID: "i-1"}}, {Kind: notify.Failed, Schedule: "shop", Text: say.Raw("no")}}

// TestChannelsOfTheConfiguration: each gets what it asks for, and the end of the program does not lose what waits.
func TestChannelsOfTheConfiguration(t *testing.T) {
	all, failures, down := newReceiver(t, false), newReceiver(t, false), newReceiver(t, true)
	path := filepath.Join(t.TempDir(), "dayshift.yaml")
	text := "store: \"memory:\"\naccounts: [{id: \"111122223333\", regions: [us-east-1]}]\nchannels:\n" + hook("all", all.URL, "") + hook("failures", failures.URL, ", kinds: [failed]") + hook("down", down.URL, ", schedules: [office]")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	a, err := Open(t.Context(), loaded, slog.New(slog.NewTextHandler(&log, nil)), Act)
	if err != nil {
		t.Fatal(err)
	}
	if told := a.receivers(); len(told) != 2 || told[0].Name() != "log" {
		t.Fatalf("told are %v", told)
	}
	began := time.Now()
	if err := notify.Tell(t.Context(), a.receivers(), aStop); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	before := httptest.NewRecorder()
	a.Metrics.Handler().ServeHTTP(before, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if line := `dayshift_notifications_waiting{channel="down"} 1`; !strings.Contains(before.Body.String(), line) {
		t.Errorf("not shown: %s", line)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if took := all.took(); len(took) != 2 || took[0].Kind != notify.Failed || took[1].Schedule != "office" || took[1].ID == "" {
		t.Errorf("all: %+v", took)
	}
	if took := failures.took(); len(took) != 1 || took[0].Kind != notify.Failed {
		t.Errorf("failures: %+v", took)
	}
	if said := log.String(); strings.Count(said, "a message was not delivered") != 1 || !strings.Contains(said, "channel=down") || strings.Contains(said, "an-example-of-a-secret") {
		t.Errorf("logged: %s", said)
	}
	page := httptest.NewRecorder()
	a.Metrics.Handler().ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`dayshift_notifications_total{channel="all",result="sent"} 2`, `dayshift_notifications_total{channel="failures",result="sent"} 1`, `dayshift_notifications_total{channel="down",result="lost"} 1`,
	} {
		if !strings.Contains(page.Body.String(), line) {
			t.Errorf("not counted: %s", line)
		}
	}
}

// TestRoomsOfTheConfiguration: every type of room that can be written down is posted to in its own form.
func TestRoomsOfTheConfiguration(t *testing.T) {
	posted := map[string]string{}
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		posted[strings.TrimPrefix(r.URL.Path, "/")] = r.URL.RawQuery + string(body)
		mu.Unlock()
		_, _ = io.WriteString(w, `{"code":0,"errcode":0}`)
	}))
	t.Cleanup(server.Close)
	text := "store: \"memory:\"\naccounts: [{id: \"111122223333\", regions: [us-east-1]}]\nchannels:\n"
	marks := map[string]string{
		"slack": `"plain_text"`, "teams": `"AdaptiveCard"`, "discord": `"allowed_mentions"`, "jandi": `"connectColor"`, "lark": `"sign":"`, "dingtalk": "sign=", "wecom": `"msgtype":"text"`,
	}
	for kind := range marks {
		secret := ""
		if kind == "lark" || kind == "dingtalk" {
			secret = ", secret: an-example"
		}
		text += fmt.Sprintf("  %s: {type: %s, url: %q, allow_private: true%s}\n", kind, kind, server.URL+"/"+kind, secret)
	}
	loaded, err := config.Parse("f", []byte(text), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := new(App).channels(loaded, nil)
	if err != nil || len(list) != len(marks) {
		t.Fatal(list, err)
	}
	notice := notify.Group(aStop, notify.ByKind)[0]
	for kind, m := range list {
		if err := m.Send(t.Context(), m.Words.Message(&notice)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if !strings.Contains(posted[kind], marks[kind]) || !strings.Contains(posted[kind], "Could not act on 1 resource") {
			t.Errorf("%s was posted %s", kind, posted[kind])
		}
	}
}

// TestReloadReplacesChannels: what waits goes to the new address at once, and what left the configuration is told nothing.
func TestReloadReplacesChannels(t *testing.T) {
	before, after, other := newReceiver(t, true), newReceiver(t, false), newReceiver(t, false)
	text := officeConfig + "channels:\n" + hook("ops", before.URL, "") + hook("other", other.URL, "")
	d := newDaemon(t, text, memory.New(), officeSim(t))
	d.office = d.newOffice(d.Store)
	t.Cleanup(d.closeOffice)
	if err := d.take(d.Config); err != nil {
		t.Fatal(err)
	}
	if err := notify.Tell(t.Context(), d.receivers(), aStop); err != nil {
		t.Fatal(err)
	}
	other.awaits(t, 2)
	d.text = []byte(officeConfig + "channels:\n" + hook("ops", after.URL, ", kinds: [stopping]") + "  topic: {type: sns, topic: \"arn:aws:sns:us-east-1:111122223333:x\"}\n")
	if !d.reload(t.Context(), true) || len(d.Config.Config.Channels) != 2 {
		t.Fatalf("not taken: %s", d.Ready().Detail)
	}
	after.awaits(t, 2)
	if err := notify.Tell(t.Context(), d.receivers(), aStop); err != nil {
		t.Fatal(err)
	}
	if took := after.awaits(t, 3); len(took) != 3 || took[2].Kind != notify.Stopping {
		t.Errorf("%+v", took)
	}
	if took := other.took(); len(took) != 2 {
		t.Errorf("the one that was removed: %+v", took)
	}
}

// throttled is a publisher that takes the second try.
type throttled struct {
	cloud.EventBus // there is none

	mu    sync.Mutex
	tries []string
}

func (p *throttled) Publish(_ context.Context, topic, subject, text string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries = append(p.tries, topic+" "+subject+" "+text)
	if len(p.tries) == 1 {
		return cloud.ErrThrottled
	}
	return nil
}

// TestTheTopicOfAWorkloadIsAChannel: what is throttled is published again, and it gets what is about its workloads alone.
func TestTheTopicOfAWorkloadIsAChannel(t *testing.T) {
	const topic = "arn:aws:sns:us-east-1:111122223333:shop"
	path := filepath.Join(t.TempDir(), "dayshift.yaml")
	text := "store: \"memory:\"\naccounts: [{id: \"111122223333\", regions: [us-east-1]}]\nworkloads:\n" +
		"  shop: {topic: \"" + topic + "\", tiers: {web: {filters: \"tag:Role=web\"}}}\n  lab: {tiers: {web: {filters: \"tag:Role=lab\"}}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		a := &App{Config: loaded, Log: slog.New(slog.DiscardHandler), Metrics: metrics.New(), Clock: clock.Real{}}
		a.office = a.newOffice(nil)
		publisher := &throttled{}
		channels, err := a.channels(loaded, publisher)
		if err != nil || len(channels) != 1 {
			t.Fatalf("%v, %v", channels, err)
		}
		a.office.Use(channels, lastTry)
		for _, name := range []string{"lab", "shop"} {
			a.tellWorkload(t.Context(), run.Notice{Workload: name, Of: &workload.Workload{Name: name}, Message: workload.Message{About: workload.ToldEnded, Text: say.Raw(name + " is done").Kept()}, At: time.Now()})
		}
		time.Sleep(10 * time.Minute)
		a.closeOffice()
		publisher.mu.Lock()
		defer publisher.mu.Unlock()
		if len(publisher.tries) != 2 || publisher.tries[0] != publisher.tries[1] || !strings.HasPrefix(publisher.tries[1], topic) || !strings.Contains(publisher.tries[1], "shop is done") {
			t.Errorf("published is %q", publisher.tries)
		}
	})
}
