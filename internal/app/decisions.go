package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// toldOverride is an override that people were told of, as far as it is needed when it is gone.
type toldOverride struct {
	Version  int64     `json:"version"`
	Of       say.Kept  `json:"of"` // whom or what it is for
	State    string    `json:"state"`
	Author   string    `json:"author"`
	Schedule string    `json:"schedule,omitempty"`
	Workload string    `json:"workload,omitempty"`
	Ref      fleet.Ref `json:"ref,omitzero"`
	Name     string    `json:"name,omitempty"`
	Soon     bool      `json:"soon,omitempty"` // that it ends soon was told
	// About is what it concerns, for filters.
	About []notify.Subject `json:"about,omitempty"`
}

// endsSoon is how long before its end people are told that an override ends which keeps something stopped.
const endsSoon = 10 * time.Minute

// toldSoon reports whether people are to be told of the end of an override now. What it keeps running is warned of by the pass.
func toldSoon(o *policy.Override, now time.Time) bool {
	return o.State == calendar.Stopped && now.Before(o.Until) && o.Until.Sub(now) <= endsSoon && o.Until.Sub(o.From) > endsSoon
}

// tellDecisions tells people which decisions of theirs count from now, last until another time than before, or were taken
// back, since this was last asked, by whichever process. What came to its own end is told by the pass that ends it.
func (a *App) tellDecisions(ctx context.Context, lease store.Lease) error {
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	known, err := a.toldOverrides(limited)
	if err != nil {
		return err
	}
	now := a.Clock.Now()
	next := map[string]bool{}
	var events []notify.Event
	var records []store.Record
	keep := func(id string, told *toldOverride) error {
		record := store.Record{Kind: store.OverridesTold, Name: id, Changed: now} // without data it is dropped
		var err error
		if told != nil {
			record.Data, err = json.Marshal(told)
		}
		records = append(records, record)
		return err
	}
	for _, o := range a.Config.Book.Overrides {
		before, told := known[o.ID]
		switch {
		case !now.Before(o.Until):
			continue
		case told && before.Version == o.Version:
			next[o.ID] = true
			if toldSoon(o, now) && !before.Soon {
				before.Soon = true
				at := a.onClockOf(before.Schedule, o.Until)
				text := say.F("what %s keeps stopped may start again at %s", o.Author, say.Moment(at))
				events = append(events, before.event(notify.OverrideEndsSoon, text, at))
				if err := keep(o.ID, &before); err != nil {
					return fmt.Errorf("encode that people were told of %s: %w", o.ID, err)
				}
			}
			continue
		}
		subject, err := a.decidedOn(limited, o)
		if err != nil {
			return err
		}
		row, err := a.decisionRow(limited, o.ID)
		if err != nil {
			return err
		}
		next[o.ID] = true
		subject.Soon = toldSoon(o, now) // this tells when it ends
		if err := keep(o.ID, &subject); err != nil {
			return fmt.Errorf("encode that people were told of %s: %w", o.ID, err)
		}
		at := a.onClockOf(subject.Schedule, o.Until)
		events = append(events, subject.event(notify.OverrideBegan, decision(o, &subject, row, service.Ends(o, say.Moment(at))), now.In(at.Location())))
	}
	for _, id := range slices.Sorted(maps.Keys(known)) {
		if next[id] {
			continue
		}
		_ = keep(id, nil) // what is dropped cannot fail to be encoded
		row, err := a.decisionRow(limited, id)
		if err != nil {
			return err
		}
		if row.Reason == service.OverrideCleared {
			gone := known[id]
			text := say.F("%s took back the override of %s (%s by %s)", row.Actor, gone.Of, say.Word(gone.State), gone.Author)
			events = append(events, gone.event(notify.OverrideEnded, text, now))
		}
	}
	if len(records) == 0 {
		return nil
	}
	// Written down first: a message that a crash swallows is better than one at every start.
	if err := a.Store.SaveRecords(limited, lease, records); err != nil {
		return fmt.Errorf("write down which decisions people were told of: %w", err)
	}
	if err := notify.Tell(ctx, a.receivers(), events); err != nil {
		a.Log.WarnContext(ctx, "some messages could not be sent", slog.Any("error", err))
	}
	return nil
}

// decision says what a person wants and until when.
func decision(o *policy.Override, on *toldOverride, made store.Activity, ends say.Text) say.Text {
	state := say.Word(on.State)
	var text say.Text
	switch {
	case made.Reason == service.OverrideChanged:
		text = say.F("%s changed the end of the override of %s (%s, by %s): it lasts %s", made.Actor, on.Of, state, o.Author, ends)
	case on.Ref != (fleet.Ref{}):
		text = say.F("%s wants it %s %s", o.Author, state, ends)
	default:
		text = say.F("%s wants %s %s %s", o.Author, on.Of, state, ends)
	}
	if o.Reason != "" {
		text = say.F("%s: %s", text, o.Reason)
	}
	return text.Plain()
}

func (t *toldOverride) event(kind notify.Kind, text say.Text, at time.Time) notify.Event {
	event := notify.Event{Kind: kind, Schedule: t.Schedule, Workload: t.Workload, Ref: t.Ref, Name: t.Name, About: t.About, Text: text, At: at}
	if t.Workload != "" {
		event.Schedule = "" // as all that is told of workloads
	}
	for i := range t.About {
		if s := &t.About[i]; s.Ref.ID != "" && s.Ref == t.Ref {
			event.Tags = s.Tags
		}
	}
	return event
}

// toldPage is how many records are read at once.
const toldPage = 100

// toldOverrides are the overrides that people were told of, by ID.
func (a *App) toldOverrides(ctx context.Context) (map[string]toldOverride, error) {
	known := map[string]toldOverride{}
	before := ""
	for {
		records, err := a.Store.Records(ctx, store.RecordQuery{Kind: store.OverridesTold, Before: before, Last: true, Limit: toldPage})
		if err != nil {
			return nil, fmt.Errorf("read which decisions people were told of: %w", err)
		}
		for _, record := range records {
			var told toldOverride
			if err := json.Unmarshal(record.Data, &told); err != nil {
				return nil, fmt.Errorf("read that people were told of %s: %w", record.Name, err)
			}
			known[record.Name] = told
		}
		if len(records) < toldPage {
			return known, nil
		}
		before = records[0].Name
	}
}

// decisionRow is what was last done by a person with an override; zero where the record has nothing.
func (a *App) decisionRow(ctx context.Context, id string) (store.Activity, error) {
	rows, err := a.Store.Activity(ctx, store.ActivityQuery{Text: id, Event: store.EventOverride, Last: true, Limit: 1})
	if err != nil {
		return store.Activity{}, fmt.Errorf("read who decided %s: %w", id, err)
	}
	if len(rows) == 0 {
		return store.Activity{}, nil
	}
	return rows[0], nil
}

// decidedOn is what an override is for. A resource has the name and the schedule that it was last seen with.
func (a *App) decidedOn(ctx context.Context, o *policy.Override) (toldOverride, error) {
	on := toldOverride{
		Version: o.Version, Of: o.Target.Said().Kept(), State: o.State.String(), Author: o.Author,
		Schedule: o.Target.Schedule, Workload: o.Target.Workload, Ref: o.Target.Resource,
		About: notify.Subjects(o.Seen, a.Config.Book.TagKey, a.Config.Book.ScheduleOf(o.Target.Workload)),
	}
	switch {
	case on.Workload != "":
		if w := a.Config.Book.Workloads.Named(on.Workload); w != nil {
			on.Schedule = w.Schedule
		}
	case on.Ref != (fleet.Ref{}):
		on.Of = say.Raw(on.Ref.ID).Kept()
		memories, err := a.Store.Memories(ctx, on.Ref.Scope)
		if err != nil {
			return on, fmt.Errorf("read what is remembered of %s: %w", on.Ref, err)
		}
		for i := range memories {
			if m := &memories[i]; m.Ref == on.Ref {
				on.Name, on.Schedule = m.Name, m.Schedule
				if m.Name != "" {
					on.Of = say.Raw(m.Name).Kept()
				}
			}
		}
	}
	return on, nil
}

// onClockOf is an instant in the time zone of a schedule; without one in that of the configuration.
func (a *App) onClockOf(schedule string, at time.Time) time.Time {
	if schedule == "" {
		if zone, err := time.LoadLocation(a.Config.Config.Timezone); err == nil {
			return at.In(zone)
		}
	}
	return a.Config.Book.OnItsClock(schedule, at)
}

// endComes reports whether the end of an override comes near enough to be told.
func (d *Daemon) endComes() bool {
	now := d.Clock.Now()
	for _, o := range d.present().Config.Book.Overrides {
		if toldSoon(o, now) && d.soon[o.ID] != o.Version {
			if d.soon == nil {
				d.soon = map[string]int64{}
			}
			d.soon[o.ID] = o.Version
			return true
		}
	}
	return false
}

// hearDecisions tells people of their decisions, where this process is the one that acts. What can not be told now is by
// the next look at the store.
func (d *Daemon) hearDecisions(ctx context.Context) bool {
	d.deciding.Lock()
	defer d.deciding.Unlock()
	if d.leader.MayAct() != nil {
		return true // whoever acts tells
	}
	if err := d.present().tellDecisions(ctx, d.leader.Lease()); err != nil {
		d.Log.WarnContext(ctx, "people were not told yet of what people decided", slog.Any("error", err))
		return false
	}
	return true
}
