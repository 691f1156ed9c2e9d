package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"dayshift/internal/config"
	"dayshift/internal/notify"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// changersLooked is among how many changes of objects it is looked for who made those that are in force from now on.
const changersLooked = 20

// tellChanges tells people what is another than before in the configuration that is in force from now on, where this
// process is the one that acts. The lines of changed objects name who changed them; a file does not tell.
func (d *Daemon) tellChanges(ctx context.Context, changes []string, file bool) {
	who := d.changers(ctx)
	if file {
		who = ""
	}
	now := d.Clock.Now()
	var events []notify.Event
	for _, line := range changes {
		if path, _, _ := strings.Cut(line, ": "); strings.HasSuffix(path, ".object") { // its version, which says nothing to people
			continue
		}
		schedule, workload := config.Concerns(line)
		events = append(events, notify.Event{
			Kind: notify.ConfigChanged, Name: who, Text: say.Raw(line), At: now, About: []notify.Subject{{Schedule: schedule, Workload: workload}},
		})
	}
	d.tellPeople(ctx, events...)
}

// changers are who changed objects since this was last asked; after the begin of the process who changed the last one.
func (d *Daemon) changers(ctx context.Context) string {
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	query := store.ActivityQuery{After: d.objectsSeen, Event: store.EventObject, Last: true, Limit: changersLooked}
	if d.objectsSeen == 0 {
		query.Limit = 1
	}
	rows, err := d.Store.Activity(limited, query)
	if err != nil {
		d.Log.WarnContext(ctx, "who changed the configuration could not be read", slog.Any("error", err))
		return ""
	}
	var names []string
	for i := range rows {
		d.objectsSeen = rows[i].Seq
		if !slices.Contains(names, rows[i].Actor) {
			names = append(names, rows[i].Actor)
		}
	}
	return strings.Join(names, ", ")
}

// tellRefused tells people why a changed configuration is not taken: its first fault. What was refused for the same is no news.
func (d *Daemon) tellRefused(ctx context.Context, before say.Text, err error) {
	d.mu.Lock()
	same := d.refused.Equal(before)
	d.mu.Unlock()
	if same {
		return
	}
	text := say.Of(err)
	var faults config.Faults
	if errors.As(err, &faults) && len(faults) > 0 {
		text = say.Clauses(say.F("%s: %s", faults[0].Place(), faults[0]), faults[0].Remedy())
		if more := len(faults) - 1; more > 0 {
			text = say.Clauses(text, say.F("and %d more", more))
		}
	}
	d.tellPeople(ctx, notify.Event{Kind: notify.ConfigRefused, Text: text.Plain(), At: d.Clock.Now()})
}

// tellPeople tells people, where this process is the one that acts.
func (d *Daemon) tellPeople(ctx context.Context, events ...notify.Event) {
	if d.leader.MayAct() != nil {
		return
	}
	if err := notify.Tell(ctx, d.receivers(), events); err != nil {
		d.Log.WarnContext(ctx, "some messages could not be sent", slog.Any("error", err))
	}
}
