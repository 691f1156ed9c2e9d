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
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dayshift/internal/clock"
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
	if loaded.Config.Heartbeat.URL.Reveal() == "" {
		return nil, fmt.Errorf("%s has no heartbeat: its url says at which path signs of life come; add heartbeat: {url: ${DAYSHIFT_HEARTBEAT_URL}}, as the daemon has it", loaded.File)
	}
	if _, err := watch.Handler(loaded.Config.Heartbeat.URL.Reveal(), log, nil); err != nil {
		return nil, fmt.Errorf("heartbeat.url: %w", err)
	}
	a := &App{
		tables: &tables{}, Config: loaded, Clock: clock.Real{}, Log: log, Metrics: metrics.New(),
		Receivers: []notify.Receiver{notify.Direct{Sender: logs.Channel{Logger: log}}},
	}
	var err error
	if len(loaded.Accounts) > 0 { // a file for a watch needs none, where no topic is told
		if a.Cloud, err = a.cloud(loaded, nil); err != nil {
			return nil, err
		}
	}
	all, err := a.channels(loaded, a.Cloud)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(all, func(name string, _ notify.Channel) bool { // the topics of workloads
		_, written := loaded.Config.Channels[name]
		return !written
	})
	chosen, err := speakers(all, options.Channels)
	if err != nil {
		return nil, err
	}
	for name := range chosen {
		if loaded.Config.Channels[name].Type == config.SNSChannel && a.Cloud == nil {
			return nil, fmt.Errorf("channel %s publishes to a topic, and the configuration has no account to do that with; add the account of the topic", name)
		}
	}
	a.office = a.newOffice(nil)
	a.office.Use(chosen, lastTry)
	return &Watch{a, options}, nil
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
	handler, err := watch.Handler(a.Config.Config.Heartbeat.URL.Reveal(), a.Log, watcher.Heard)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := httpapi.NewServer(handler)
	if server.TLSConfig, err = encrypted(a.Config, a.Log); err != nil {
		return errors.Join(err, listener.Close())
	}
	if server.TLSConfig == nil && !config.Local(addr) {
		a.Log.WarnContext(ctx, "other machines reach this watch without TLS: whoever reads along can give signs of life; set tls, or put a proxy in front that speaks it", slog.String("address", addr))
	}
	group := lifecycle.New(ctx)
	group.Go("HTTP surface", func(ctx context.Context) error { return serve(ctx, listener, server) })
	group.Go("watch", func(ctx context.Context) error {
		watcher.Run(ctx)
		return nil
	})
	if w.options.Listening != nil {
		w.options.Listening(listener.Addr().String())
	}
	return group.Wait(grace)
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
