package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"dayshift/internal/buildinfo"
	"dayshift/internal/config"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/holiday"
	"dayshift/internal/policy"
	"dayshift/internal/record"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// storeTimeout bounds a look at the store that no pass makes.
const storeTimeout = 10 * time.Second

// Assemble gives the configuration that the file and some objects make
// together, overrides among them. An object that can not be used is set aside
// in it and said in its warnings; only a fault of the file is an error.
func (a *App) Assemble(objects []store.Object) (*config.Loaded, error) {
	loaded, err := a.load(objects)
	if err != nil {
		return nil, err
	}
	override(loaded, objects)
	return loaded, nil
}

// override puts the overrides among the objects into a configuration.
func override(loaded *config.Loaded, objects []store.Object) {
	loaded.Book.Overrides = nil
	for _, object := range objects {
		if object.Kind != store.OverrideObject {
			continue
		}
		o, err := store.ToOverride(object)
		if err != nil {
			loaded.Warnings = append(loaded.Warnings, config.Fault{Problem: say.Of(err), Fix: say.F("clear it: dayshift override clear %s", object.Name)})
			continue
		}
		loaded.Book.Overrides = append(loaded.Book.Overrides, o)
	}
	policy.SortOverrides(loaded.Book.Overrides)
}

// load reads the file again, or the text that stands for it.
func (a *App) load(objects []store.Object) (*config.Loaded, error) {
	if a.text != nil {
		loaded, err := config.Parse("built-in configuration", a.text, config.Env{Now: a.Clock.Now}, objects...)
		if err == nil {
			loaded.File = ""
		}
		return loaded, err
	}
	return config.Load(a.Config.File, objects...)
}

// Matching lists what the filter of a rule matches in its scopes, with the
// schedule tag or without, and what could not be listed.
func (a *App) Matching(ctx context.Context, rule *policy.Rule) ([]fleet.Resource, []service.Gap) {
	request := discover.Request{TagKey: a.Config.Book.TagKey, Whole: map[fleet.Scope][]fleet.Filter{}}
	for _, scope := range a.Config.Scopes {
		if rule.In(scope) {
			request.Scopes = append(request.Scopes, scope)
			request.Whole[scope] = []fleet.Filter{rule.Filter}
		}
	}
	seen := discover.List(ctx, a.Cloud, request)
	matching := slices.DeleteFunc(seen.Resources, func(r fleet.Resource) bool { return !rule.Filter.Match(r) })
	var missing []service.Gap
	for _, gap := range seen.Gaps {
		missing = append(missing, service.Gap{Scope: gap.Scope, Text: gap.Said()})
	}
	return matching, missing
}

// stored reads the objects of the store and the revision that they are of.
func (a *App) stored(ctx context.Context) ([]store.Object, int64, error) {
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	// The revision is read first: what changes between the two is seen by the next look.
	revision, err := a.Store.Revision(limited)
	if err != nil {
		return nil, 0, fmt.Errorf("look for changes in the store: %w", err)
	}
	if revision == 0 {
		return nil, 0, nil
	}
	objects, err := a.Store.Objects(limited)
	if err != nil {
		return nil, 0, fmt.Errorf("read the objects of the store: %w", err)
	}
	return objects, revision, nil
}

// adopt takes over what the store has, at the start.
func (a *App) adopt(ctx context.Context) error {
	objects, revision, err := a.stored(ctx)
	if err != nil || revision == 0 {
		return err
	}
	loaded, err := a.Assemble(objects)
	if err != nil {
		return err
	}
	a.Config, a.revision = loaded, revision
	return nil
}

// sameOverride reports whether both are one version of one override.
func sameOverride(a, b *policy.Override) bool { return a.ID == b.ID && a.Version == b.Version }

// sameOverrides reports whether two configurations have the same overrides.
func sameOverrides(a, b *config.Loaded) bool {
	return slices.EqualFunc(a.Book.Overrides, b.Book.Overrides, sameOverride)
}

// overridden gives the scopes in which the overrides differ; nil for all.
func overridden(before, after *config.Loaded) []fleet.Scope {
	var scopes []fleet.Scope
	for _, pair := range [...][2]*config.Loaded{{before, after}, {after, before}} {
		for _, o := range pair[0].Book.Overrides {
			if slices.ContainsFunc(pair[1].Book.Overrides, func(other *policy.Override) bool { return sameOverride(o, other) }) {
				continue
			}
			if o.Target.Resource == (fleet.Ref{}) {
				return nil
			}
			scopes = append(scopes, o.Target.Resource.Scope)
		}
	}
	return scopes
}

// timetable says which addresses of calendars, or lists of accounts, have
// failed, and when they are tried again.
type timetable struct {
	failures  map[string]int
	at, after map[string]time.Time
}

func newTimetable() *timetable {
	return &timetable{failures: map[string]int{}, at: map[string]time.Time{}, after: map[string]time.Time{}}
}

// failed notes a further failure; due says when to try again after so many in a row.
func (t *timetable) failed(address string, now time.Time, due func(failures int) time.Time) {
	t.failures[address]++
	t.at[address], t.after[address] = now, due(t.failures[address])
}

// done notes that it went well.
func (t *timetable) done(address string) {
	delete(t.failures, address)
	delete(t.after, address)
}

// waits reports whether an address that failed is not tried again yet. A clock
// that was set back puts nothing off.
func (t *timetable) waits(address string, now time.Time) bool {
	return now.Before(t.after[address]) && !now.Before(t.at[address])
}

// fetchCalendars gets the calendars that are due from their addresses and keeps
// the copies. What can not be had is said in the error; the last good copy stays.
func (a *App) fetchCalendars(ctx context.Context, loaded *config.Loaded, table *timetable) error {
	if len(loaded.Addresses) == 0 {
		return nil
	}
	objects, err := a.Store.Objects(ctx, store.CalendarCopy)
	if err != nil {
		return fmt.Errorf("read the copies of calendars: %w", err)
	}
	kept := map[string]store.Object{}
	for _, object := range objects {
		kept[object.Name] = object
	}
	var failed error
	for _, address := range loaded.Addresses {
		object := kept[copyName(address.URL)]
		var last holiday.Copy
		if object.Version > 0 {
			if err := json.Unmarshal(object.Spec, &last); err != nil {
				last = holiday.Copy{} // fetched anew
			}
		}
		now := a.Clock.Now()
		if table.waits(address.URL, now) || holiday.Due(last, address.Refresh, now, 0).After(now) {
			continue
		}
		if err := a.fetch(ctx, address, object, last); err != nil {
			table.failed(address.URL, now, func(failures int) time.Time { return holiday.Due(last, address.Refresh, now, failures) })
			failed = errors.Join(failed, fmt.Errorf("calendar %s: %w", address.Calendar, err))
			continue
		}
		table.done(address.URL)
	}
	return failed
}

// copyName is the name of the object that keeps the copy of an address, which
// may be longer than a name.
func copyName(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:])
}

func (a *App) fetch(ctx context.Context, address config.Address, object store.Object, last holiday.Copy) error {
	fetcher := holiday.Fetcher{Private: address.File, Version: buildinfo.Get().Version, Now: a.Clock.Now}
	fresh, err := fetcher.Fetch(ctx, address.URL, last)
	if err != nil {
		return err
	}
	spec, err := json.Marshal(fresh)
	if err != nil {
		return fmt.Errorf("encode the copy: %w", err)
	}
	now := a.Clock.Now()
	var rows []store.Activity
	if !bytes.Equal(fresh.Data, last.Data) { // a server that does not tell whether anything changed sends it every time
		rows = append(rows, store.Activity{
			At: now, Actor: record.Actor, Event: store.EventConfig, Name: address.Calendar, Reason: "calendar-fetched",
			Detail: fmt.Sprintf("the holiday calendar %s was fetched: %d bytes", address.Calendar, len(fresh.Data)),
		})
	}
	object.Kind, object.Name, object.Spec, object.Author, object.Changed = store.CalendarCopy, copyName(address.URL), spec, record.Actor, now
	if _, err := a.Store.SaveObject(ctx, object, rows...); err != nil && !errors.Is(err, store.ErrConflict) { // another process was faster
		return fmt.Errorf("keep the copy: %w", err)
	}
	return nil
}

// calendarPoll is how often, by the wall, it is looked whether a calendar is due.
const calendarPoll = 30 * time.Second

// calendars fetches holiday calendars on their timetable until ctx ends.
func (d *Daemon) calendars(ctx context.Context) {
	table := newTimetable()
	for {
		d.mu.Lock()
		loaded := d.Config
		d.mu.Unlock()
		if err := d.fetchCalendars(ctx, loaded, table); err != nil && ctx.Err() == nil {
			d.Log.WarnContext(ctx, "holiday calendars could not be fetched; their last good copies count", slog.Any("error", err))
		}
		if d.leader.clock.Sleep(ctx, calendarPoll) != nil {
			return
		}
	}
}
