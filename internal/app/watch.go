package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/cloud/aws"
	"dayshift/internal/config"
	"dayshift/internal/httpapi"
	"dayshift/internal/lifecycle"
	"dayshift/internal/metrics"
	"dayshift/internal/notify"
	"dayshift/internal/notify/logs"
	"dayshift/internal/watch"
)

// WatchOptions are what a watch is made of besides the configuration.
type WatchOptions struct {
	// After and Again as in watch.Options.
	After, Again time.Duration
	// Name is what the daemon is called in messages; empty: nothing.
	Name string
	// Channels are the names of those that are told, whatever else they are for; none: all that take such messages.
	Channels []string
	// State is the file in which is kept what was told; empty: nowhere.
	State string
	// Load reads the configuration again; nil: it stays as it is.
	Load func() (*config.Loaded, error)
	// Listening is called with the address once signs of life are taken.
	Listening func(addr string)
}

// Watch listens for the heartbeat of a configuration, on another machine than
// the daemon, and tells the channels when it stays away. It opens no store.
type Watch struct {
	app     *App
	options WatchOptions
}

// NewWatch makes a watch, or says what of the configuration or the options does not allow one. The caller closes it.
func NewWatch(loaded *config.Loaded, log *slog.Logger, options WatchOptions) (*Watch, error) {
	w := &Watch{&App{
		tables: &tables{}, Config: loaded, Clock: clock.Real{}, Log: log, Metrics: metrics.New(),
		Receivers: []notify.Receiver{notify.Direct{Sender: logs.Channel{Logger: log}}},
	}, options}
	chosen, err := w.told(loaded)
	if err != nil {
		return nil, err
	}
	if _, err := w.ear(loaded, nil); err != nil {
		return nil, err
	}
	w.app.office = w.app.newOffice(nil)
	w.app.office.Use(chosen, lastTry)
	return w, nil
}

// ear takes the heartbeat of a configuration.
func (w *Watch) ear(loaded *config.Loaded, heard func(context.Context, watch.Beat)) (http.Handler, error) {
	beat := loaded.Config.Heartbeat
	handler, err := watch.Ear{
		Address: beat.URL.Reveal(), Secret: beat.Secret.Reveal(), Previous: beat.PreviousSecret.Reveal(), Clock: wall, Log: w.app.Log, Heard: heard,
	}.Handler()
	if err != nil {
		return nil, fmt.Errorf("heartbeat.url: %w", err)
	}
	return handler, nil
}

// told are the channels of a configuration that are told of a silence.
func (w *Watch) told(loaded *config.Loaded) (map[string]notify.Channel, error) {
	if loaded.Config.Heartbeat.URL.Reveal() == "" {
		return nil, fmt.Errorf("%s has no heartbeat: its url says at which path signs of life come; add heartbeat: {url: ${DAYSHIFT_HEARTBEAT_URL}}, as the daemon has it", loaded.File)
	}
	var cloud *aws.Cloud
	var err error
	if len(loaded.Accounts) > 0 { // a file for a watch needs none, where no topic is told
		if cloud, err = w.app.cloud(loaded, nil); err != nil {
			return nil, err
		}
	}
	all, err := w.app.channels(loaded, cloud)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(all, func(name string, _ notify.Channel) bool { // the topics of workloads
		_, written := loaded.Config.Channels[name]
		return !written
	})
	chosen, err := speakers(all, w.options.Channels)
	if err != nil {
		return nil, err
	}
	for name := range chosen {
		if cloud != nil {
			break
		}
		switch loaded.Config.Channels[name].Type {
		case config.SNSChannel:
			return nil, fmt.Errorf("channel %s publishes to a topic, and the configuration has no account to do that with; add the account of the topic", name)
		case config.EventBridgeChannel:
			return nil, fmt.Errorf("channel %s puts events on a bus, and the configuration has no account to do that with; add the account of the bus", name)
		}
	}
	return chosen, nil
}

// speakers chooses the channels that tell of a silence, at once: whom an alarm has woken wants to know when it is over.
func speakers(all map[string]notify.Channel, names []string) (map[string]notify.Channel, error) {
	chosen := map[string]notify.Channel{}
	for _, name := range names {
		channel, known := all[name]
		if !known {
			return nil, fmt.Errorf("there is no channel %q; the configuration has %s", name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
		}
		channel.Filter, channel.Digest, channel.Quiet = notify.Filter{}, nil, nil
		chosen[name] = channel
	}
	if len(names) > 0 {
		return chosen, nil
	}
	for name, channel := range all {
		if event := (notify.Event{Kind: notify.Silent}); channel.Filter.Takes(&event) {
			channel.Digest, channel.Quiet = nil, nil
			chosen[name] = channel
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no channel of the configuration would be told: name one with --channel, or add the kind silent to one")
	}
	return chosen, nil
}

// Close tries what waits for channels once more.
func (w *Watch) Close() error {
	w.app.closeOffice()
	return nil
}

// Run takes signs of life at an address until ctx ends.
func (w *Watch) Run(ctx context.Context, addr string) error {
	a, before := w.app, w.kept()
	options := watch.Options{
		After: w.options.After, Again: w.options.Again, Name: w.options.Name, Zone: zoneOf(a.Config), Before: before, Clock: wall, Log: a.Log,
		Tell: func(ctx context.Context, event notify.Event) {
			// What is told must reach people also where whoever posted has gone.
			if err := notify.Tell(context.WithoutCancel(ctx), a.receivers(), []notify.Event{event}); err != nil {
				a.Log.WarnContext(ctx, "some messages could not be sent", slog.Any("error", err))
			}
		},
	}
	if w.options.State != "" {
		options.Keep = w.keep
		if err := w.keep(before); err != nil {
			return err
		}
	}
	var network net.ListenConfig
	listener, err := network.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another address with --addr", addr, err)
	}
	watcher := watch.New(options)
	handler, err := w.ear(a.Config, watcher.Heard)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	var ear atomic.Pointer[http.Handler]
	ear.Store(&handler)
	server := httpapi.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*ear.Load()).ServeHTTP(rw, r) }))
	if server.TLSConfig, err = encrypted(a.Config, a.Log); err != nil {
		return errors.Join(err, listener.Close())
	}
	if server.TLSConfig == nil && a.Config.Config.Heartbeat.Secret.Reveal() == "" && !config.Local(addr) {
		a.Log.WarnContext(ctx, "other machines reach this watch without TLS: whoever reads along can give signs of life; set tls or heartbeat.secret, or put a proxy in front that speaks TLS", slog.String("address", addr))
	}
	group := lifecycle.New(ctx)
	group.Go("HTTP surface", func(ctx context.Context) error { return serve(ctx, listener, server) })
	group.Go("watch", func(ctx context.Context) error {
		watcher.Run(ctx)
		return nil
	})
	if w.options.Load != nil {
		group.Go("configuration", func(ctx context.Context) error {
			w.follow(ctx, watcher, &ear)
			return nil
		})
	}
	if w.options.Listening != nil {
		w.options.Listening(listener.Addr().String())
	}
	return group.Wait(grace)
}

// follow reads the configuration again when one of its files changes, or on SIGHUP, until ctx ends.
func (w *Watch) follow(ctx context.Context, watcher *watch.Watch, ear *atomic.Pointer[http.Handler]) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ticker := time.NewTicker(reloadPoll) //nolint:forbidigo // a look at a file decides nothing
	defer ticker.Stop()
	seen := marksOf(w.app.Config)
	for {
		hungUp := false
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			hungUp = true
		case <-ticker.C:
		}
		if marks := marksOf(w.app.Config); hungUp || !slices.EqualFunc(marks, seen, mark.same) {
			seen = marks
			w.reload(ctx, watcher, ear)
		}
	}
}

// reload takes the new configuration whole or not at all: a watch with yesterday's channels beats none. What was heard and
// told stays.
func (w *Watch) reload(ctx context.Context, watcher *watch.Watch, ear *atomic.Pointer[http.Handler]) {
	before := w.app.Config
	next, err := w.options.Load()
	if err == nil && next.Same(before) {
		return
	}
	var chosen map[string]notify.Channel
	if err == nil {
		chosen, err = w.told(next)
	}
	var handler http.Handler
	if err == nil {
		handler, err = w.ear(next, watcher.Heard)
	}
	if err != nil {
		w.app.Log.ErrorContext(ctx, "the new configuration is refused, the running one stays", slog.Any("error", err))
		return
	}
	w.app.Config = next
	w.app.office.Use(chosen, lastTry) //nolint:contextcheck // a channel that goes has a time of its own to end
	watcher.In(zoneOf(next))
	if !sameEar(before.Config.Heartbeat, next.Config.Heartbeat) { // else it forgets which signs of life it took
		ear.Store(&handler)
	}
	if before.Web.Cert != next.Web.Cert || before.Web.Key != next.Web.Key || before.Config.Log != next.Config.Log {
		w.app.Log.WarnContext(ctx, "tls and log take effect when the watch is started again")
	}
	for _, line := range before.Diff(next) {
		w.app.Log.InfoContext(ctx, "configuration changed", slog.String("change", line))
	}
}

// sameEar reports whether signs of life are taken alike.
func sameEar(a, b config.Heartbeat) bool {
	return a.URL.Reveal() == b.URL.Reveal() && a.Secret.Reveal() == b.Secret.Reveal() && a.PreviousSecret.Reveal() == b.PreviousSecret.Reveal()
}

// maxState bounds the file of what was told.
const maxState = 4 << 10

// kept reads what a watch before this one knew. What cannot be read as that is nothing: a damaged file must not keep anybody from watching.
func (w *Watch) kept() (state watch.State) {
	if w.options.State == "" {
		return state
	}
	text, err := os.ReadFile(w.options.State)
	if errors.Is(err, fs.ErrNotExist) {
		return state
	}
	if err == nil && len(text) > maxState {
		err = errors.New("it is too large")
	}
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		w.app.Log.Warn("what an earlier watch knew cannot be read; this one begins anew", slog.String("file", w.options.State), slog.Any("error", err))
		return watch.State{}
	}
	return state
}

// keep writes what is known, whole or not at all.
func (w *Watch) keep(state watch.State) error {
	text, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("keep what was told: %w", err)
	}
	path := w.options.State
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new")
	if err != nil {
		return fmt.Errorf("keep what was told: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keep what was told: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}
