package app

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dayshift/internal/config"
	"dayshift/internal/notify"
	"dayshift/internal/outbound"
	"dayshift/internal/watch"
)

const watchPath = "/beat/canary-0123456789"

func watchConfig(t *testing.T, text string) *config.Loaded {
	t.Helper()
	loaded, err := config.Parse("watch.yaml", []byte(text), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// TestWatchesThatCannotBe: a watch that nobody reaches, or that reaches nobody, says so at its start, without the address.
func TestWatchesThatCannotBe(t *testing.T) {
	const beat = "heartbeat: {url: \"https://watch.example.com" + watchPath + "\"}\n"
	const topic = "  ops: {type: sns, topic: \"arn:aws:sns:us-east-1:111122223333:ops\"}\n"
	for _, test := range []struct {
		name, text string
		channels   []string
		want       string
	}{
		{"no heartbeat", "channels:\n" + hook("ops", "https://a.example/", ""), nil, "has no heartbeat"},
		{"an address to guess", "heartbeat: {url: \"https://watch.example.com/canary\"}\nchannels:\n" + hook("ops", "https://a.example/", ""), nil, "can be guessed"},
		{"no channel", beat, nil, "no channel of the configuration would be told"},
		{"none that takes it", beat + "channels:\n" + hook("ops", "https://a.example/", ", kinds: [failed]") + hook("office", "https://a.example/", ", schedules: [office]"), nil, "no channel of the configuration would be told"},
		{"a channel that is not there", beat + "channels:\n" + hook("ops", "https://a.example/", ""), []string{"opps"}, `there is no channel "opps"; the configuration has ops`},
		{"a topic and no account", beat + "channels:\n" + topic, nil, "no account to do that with"},
	} {
		_, err := NewWatch(watchConfig(t, test.text), slog.New(slog.DiscardHandler), WatchOptions{Channels: test.channels})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	w, err := NewWatch(watchConfig(t, beat+"accounts: [{id: \"111122223333\", regions: [us-east-1]}]\nchannels:\n"+topic), slog.New(slog.DiscardHandler), WatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestSpeakersTellAtOnce: neither quiet hours nor a digest keep what a watch tells.
func TestSpeakersTellAtOnce(t *testing.T) {
	all := map[string]notify.Channel{
		"ops":    {Quiet: &notify.Quiet{}, Digest: &notify.Digest{}},
		"office": {Filter: notify.Filter{Schedules: []string{"office"}}, Quiet: &notify.Quiet{}, Digest: &notify.Digest{}},
	}
	for _, test := range []struct{ names, want []string }{{nil, []string{"ops"}}, {[]string{"office"}, []string{"office"}}, {[]string{"ops", "office"}, []string{"office", "ops"}}} {
		chosen, err := speakers(all, test.names)
		if err != nil || !slices.Equal(slices.Sorted(maps.Keys(chosen)), test.want) {
			t.Errorf("%q: %v, %v", test.names, chosen, err)
		}
		for name, channel := range chosen {
			if event := (notify.Event{Kind: notify.Silent}); channel.Quiet != nil || channel.Digest != nil || !channel.Filter.Takes(&event) {
				t.Errorf("%s: %+v", name, channel)
			}
		}
	}
}

// watches runs a watch of a second and gives its address, what it logs, and what ends it.
func watches(t *testing.T, text string, options WatchOptions) (addr string, log *bytes.Buffer, end func()) {
	t.Helper()
	log = &bytes.Buffer{}
	listening := make(chan string, 1)
	options.Listening = func(addr string) { listening <- addr }
	if options.After == 0 {
		options.After, options.Again = time.Second, time.Hour
	}
	w, err := NewWatch(watchConfig(t, text), slog.New(slog.NewTextHandler(log, nil)), options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, "127.0.0.1:0") }()
	select {
	case addr = <-listening:
	case err := <-ended:
		t.Fatal(err)
	}
	return addr, log, func() {
		t.Helper()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// givesLife posts a sign of life as the daemon does.
func givesLife(t *testing.T, addr string, started time.Time) {
	t.Helper()
	loaded := watchConfig(t, "heartbeat: {url: \"http://"+addr+watchPath+"\", allow_private: true}\n")
	m := heart{post: postBeat, log: slog.New(slog.DiscardHandler), count: func(result string) {
		if result != "sent" {
			t.Errorf("the sign of life was %s", result)
		}
	}, alive: func(context.Context, time.Duration) (watch.Beat, error) {
		b := watch.NewBeat("dayshift 1.0.0", wall.Now(), time.Second)
		b.Started = started
		return b, nil
	}}
	m.beat(t.Context(), loaded.Config.Heartbeat)
}

// TestWatchTellsChosenChannels: those that take such messages, or those that are named whatever else they are for; what was
// told is kept for the next watch.
func TestWatchTellsChosenChannels(t *testing.T) {
	all, failures, office := newReceiver(t, false), newReceiver(t, false), newReceiver(t, false)
	text := "heartbeat: {url: \"https://watch.example.com" + watchPath + "\"}\nchannels:\n" +
		hook("all", all.URL, "") + hook("failures", failures.URL, ", kinds: [failed]") + hook("office", office.URL, ", schedules: [office]")
	state := filepath.Join(t.TempDir(), "state.json")

	_, log, end := watches(t, text, WatchOptions{State: state})
	if took := all.awaits(t, 1); took[0].Kind != "silent" || took[0].Title != "Dayshift itself is silent" {
		t.Errorf("all: %+v", took)
	}
	end()
	if n := len(failures.took()) + len(office.took()); n != 0 {
		t.Errorf("%d messages to channels that are for other things", n)
	}
	if said := log.String(); !strings.Contains(said, "level=WARN msg=\"Dayshift itself is silent\"") {
		t.Errorf("logged: %s", said)
	}
	kept, err := os.ReadFile(state)
	if err != nil || !strings.Contains(string(kept), `"told":"`) {
		t.Errorf("kept %s, %v", kept, err)
	}

	// The next one tells what is over, and to whom it is told to.
	addr, log, end := watches(t, text, WatchOptions{State: state, Channels: []string{"failures", "office"}})
	time.Sleep(1500 * time.Millisecond)
	givesLife(t, addr, time.Now())
	for name, r := range map[string]*receiver{"failures": failures, "office": office} {
		if took := r.awaits(t, 1); took[0].Kind != "silent-over" {
			t.Errorf("%s: %+v", name, took)
		}
	}
	end()
	if n := len(all.took()); n != 1 {
		t.Errorf("%d messages to the channel that was not named", n-1)
	}
	if strings.Contains(log.String(), "canary") {
		t.Errorf("the address is in the log: %s", log)
	}

	// A damaged file keeps nobody from watching; one that cannot be written does, at the start.
	if err := os.WriteFile(state, []byte("{\"told\": 7"), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, log, end = watches(t, text, WatchOptions{State: state, After: time.Hour, Again: time.Hour})
	response, err := http.Get("http://" + addr + "/healthz")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%v %v", response, err)
	} else if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	end()
	if !strings.Contains(log.String(), "this one begins anew") {
		t.Errorf("logged: %s", log)
	}
	w, err := NewWatch(watchConfig(t, text), slog.New(slog.DiscardHandler), WatchOptions{State: filepath.Join(t.TempDir(), "none", "state.json"), After: time.Hour, Again: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context(), "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "keep what was told") {
		t.Errorf("a folder that is not there: %v", err)
	}
	if err := w.Run(t.Context(), "256.0.0.1:0"); err == nil {
		t.Error("an address that is none")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestAWatchFollowsItsConfiguration: other channels, another secret and another zone count without a start; a file that is
// wrong, or that would leave nobody to tell, changes nothing.
func TestAWatchFollowsItsConfiguration(t *testing.T) {
	first, second := newReceiver(t, false), newReceiver(t, false)
	file := filepath.Join(t.TempDir(), "watch.yaml")
	beat := func(secret string) string {
		return "heartbeat: {url: \"https://watch.example.com" + watchPath + "\", secret: \"" + secret + "\"}\n"
	}
	writes := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writes(beat("the first secret of all") + "channels:\n" + hook("ops", first.URL, ""))
	load := func() (*config.Loaded, error) { return config.Load(file) }
	loaded, err := load()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	w, err := NewWatch(loaded, slog.New(slog.NewTextHandler(&log, nil)), WatchOptions{After: time.Hour, Again: time.Hour, Load: load})
	if err != nil {
		t.Fatal(err)
	}
	watcher := watch.New(watch.Options{After: time.Hour, Again: time.Hour, Log: slog.New(slog.DiscardHandler), Tell: func(context.Context, notify.Event) {}})
	handler, err := w.ear(loaded, watcher.Heard)
	if err != nil {
		t.Fatal(err)
	}
	var ear atomic.Pointer[http.Handler]
	ear.Store(&handler)
	posts := func(secret string) int {
		text := []byte(`{"version":1,"program":"dayshift 1.0.0","at":"2027-03-01T09:00:00Z","every":60,"started":"` + wall.Now().Format(time.RFC3339Nano) + `"}`)
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, watchPath, bytes.NewReader(text))
		for name, value := range outbound.Signed(secret, "", wall.Now(), text) {
			request.Header.Set(name, value)
		}
		answer := httptest.NewRecorder()
		(*ear.Load()).ServeHTTP(answer, request)
		return answer.Code
	}
	for _, step := range []struct {
		name, text           string
		first, second, third int // what is answered to a sign of life with each of the secrets
		logged               string
	}{
		{"as it was", "", 204, 401, 401, ""},
		{"no YAML", "channels: [", 204, 401, 401, "is refused, the running one stays"},
		{"nobody to tell", beat("the second secret of all") + "channels:\n" + hook("ops", first.URL, ", kinds: [failed]"), 204, 401, 401, "no channel of the configuration would be told"},
		{"another secret and channel", beat("the second secret of all") + "channels:\n" + hook("night", second.URL, ""), 401, 204, 401, "configuration changed"},
		{"no heartbeat", "channels:\n" + hook("night", second.URL, ""), 401, 204, 401, "has no heartbeat"},
		{"both", strings.Replace(beat("the third secret of all"), "}", ", previous_secret: \"the second secret of all\"}", 1) + "timezone: Asia/Seoul\nchannels:\n" + hook("night", second.URL, ""), 401, 204, 204, "Asia/Seoul"},
	} {
		log.Reset()
		if step.text != "" {
			writes(step.text)
			w.reload(t.Context(), watcher, &ear)
		}
		if got := []int{posts("the first secret of all"), posts("the second secret of all"), posts("the third secret of all")}; !slices.Equal(got, []int{step.first, step.second, step.third}) {
			t.Errorf("%s: %v", step.name, got)
		}
		if said := log.String(); !strings.Contains(said, step.logged) || strings.Contains(said, "secret of all") || strings.Contains(said, "canary") {
			t.Errorf("%s: logged %s", step.name, said)
		}
	}
	if err := notify.Tell(t.Context(), w.app.receivers(), []notify.Event{{Kind: notify.Silent, At: wall.Now()}}); err != nil {
		t.Error(err)
	}
	if took := second.awaits(t, 1); took[0].Kind != "silent" || len(first.took()) != 0 {
		t.Errorf("told %+v, and the channel that is gone %+v", took, first.took())
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
