package capacity

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/reservation"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// shownSteps bounds the steps that an outcome lists.
const shownSteps = 50

// describe says a step in words.
func describe(step reservation.Step) string {
	switch step.Do {
	case reservation.Buy:
		text := fmt.Sprintf("reserve %d of %s in %s", step.By, step.Part.Type, step.Part.Zone)
		if !step.Start.IsZero() {
			text += " from " + step.Start.UTC().Format(time.RFC3339)
		}
		return text
	case reservation.Grow:
		return fmt.Sprintf("reserve %d more of %s in %s: %s from %d to %d", step.By, step.Part.Type, step.Part.Zone, step.ID, step.Count-step.By, step.Count)
	case reservation.Shrink:
		return fmt.Sprintf("give %d of %s in %s back: %s from %d to %d", step.By, step.Part.Type, step.Part.Zone, step.ID, step.Count+step.By, step.Count)
	case reservation.Cancel:
		return fmt.Sprintf("give %s back whole, %d of %s in %s", step.ID, step.By, step.Part.Type, step.Part.Zone)
	case reservation.SetEnd:
		return fmt.Sprintf("set the end of %s in AWS to %s", step.ID, step.End.UTC().Format(time.RFC3339))
	case reservation.Wait, reservation.Rest:
	}
	return step.Text.String()
}

// money says what a step costs or saves.
func money(step reservation.Step) string {
	price, listed := reservation.PerHour(step.Part.Type)
	words := map[reservation.Do]string{reservation.Buy: "costs", reservation.Grow: "costs", reservation.Shrink: "saves", reservation.Cancel: "saves"}[step.Do]
	switch {
	case words == "":
		return ""
	case !listed:
		return fmt.Sprintf("; what it %s is not known", words)
	}
	return fmt.Sprintf("; %s %s an hour by list price", words, reservation.USD(price*float64(step.By)))
}

// burns says what so many instances go on costing.
func burns(part reservation.Part, n int) string {
	if price, listed := reservation.PerHour(part.Type); listed {
		return fmt.Sprintf("; until then it costs %s an hour", reservation.USD(price*float64(n)))
	}
	return "; until then it costs what it costs, which the price list does not know"
}

// costs says how many are held and what they cost.
func costs(held []reservation.Held) say.Text {
	total, _ := reservation.Sum(held)
	if total == 0 {
		return say.Text{}
	}
	perHour, unknown := reservation.CostOf(held)
	if unknown > 0 {
		return say.F("%d are held, which costs %s an hour without %d whose price is not known", total, reservation.USD(perHour), unknown)
	}
	return say.F("%d are held, which costs %s an hour", total, reservation.USD(perHour))
}

// row makes a row of the activity; id is the provider's, or empty.
func (l *Look) row(w *work, event store.Event, reason, id, format string, args ...any) store.Activity {
	row := store.Activity{At: l.Clock.Now(), Actor: actor, Event: event, Name: w.Name, Schedule: w.Schedule, Reason: reason, Detail: fmt.Sprintf(format, args...)}
	row.Ref = fleet.Ref{Scope: w.Scope, ID: id}
	return row
}

func (w *work) row(row store.Activity) { w.rows = append(w.rows, row) }

// did notes a step for the outcome.
func (w *work) did(step reservation.Step) {
	if len(w.outcome.Did) < shownSteps {
		w.outcome.Did = append(w.outcome.Did, describe(step)+money(step))
	}
}

func (w *work) tell(kind notify.Kind, at time.Time, text say.Text) {
	w.events = append(w.events, notify.Event{Kind: kind, Schedule: w.Schedule, Ref: fleet.Ref{Scope: w.Scope}, Tags: w.Tags, Name: w.Name, Text: text, At: at})
}

// tellOnce tells people of a trouble unless it is the one that they were told of last.
func (w *work) tellOnce(trouble string, kind notify.Kind, at time.Time, text say.Text) {
	if w.memory.Told.Trouble == trouble {
		return
	}
	w.memory.Told.Trouble, w.memory.Told.At = trouble, at
	w.tell(kind, at, text)
}

// conclude notes what a look came to, and tells what is to be told. seen: what is held is known.
func (l *Look) conclude(w *work, step reservation.Step, seen bool) {
	m, now := w.memory, l.Clock.Now()
	window := w.Window(now)
	total, used := reservation.Sum(m.Held)
	m.Wanted, m.Why, m.Text, m.Until = window.Wanted, step.Reason, step.Text.Kept(), step.Until
	w.outcome.Wanted, w.outcome.Held, w.outcome.Used = window.Wanted, total, used
	w.outcome.Why, w.outcome.Text, w.outcome.Until = step.Reason, step.Text.String(), step.Until
	if !seen || l.DryRun {
		return
	}
	m.Sampled(now)
	if !l.Observe {
		l.tellState(w, step, total)
	}
	if m.Unused(now, l.Rules.IdleAfter) {
		text := say.Clauses(say.F("%d of %d held have not been used for %s", m.Idle.Least, total, now.Sub(m.Idle.Since).Round(time.Second)), idleCost(m))
		w.row(l.row(w, store.EventReservationIdle, "unused", "", "%s", text))
		w.tell(notify.ReservationIdle, now, text)
	}
}

// idleCost is what the unused costs, as the dearest of what is held.
func idleCost(m *reservation.Memory) say.Text {
	dearest, known := 0.0, true
	for i := range m.Held {
		if m.Held[i].Standing != reservation.Active || m.Held[i].Free == 0 {
			continue
		}
		price, listed := reservation.PerHour(m.Held[i].Part.Type)
		dearest, known = max(dearest, price), known && listed
	}
	if !known && dearest == 0 {
		return say.F("what that costs is not known")
	}
	return say.F("that costs %s an hour by list price", reservation.USD(dearest*float64(m.Idle.Least)))
}

// tellState tells once of what was reached, is short, or is over.
func (l *Look) tellState(w *work, step reservation.Step, total int) {
	m, now := w.memory, l.Clock.Now()
	if step.Reason == reservation.Short && m.Round.Until.IsZero() {
		m.Round.Until = now.Add(l.Rules.Interval)
		if lacking := step.Text.String(); m.Told.Lacking != lacking { // not at every round of a night
			m.Told.Lacking = lacking
			w.row(l.row(w, store.EventReservationShort, string(reservation.Short), "", "%s. Refused: %s", step.Text, refusals(m.Round.Asked)))
		}
	}
	if total > 0 {
		m.Told.Holding = true
	}
	switch step.Reason { //nolint:exhaustive // the others are told where they happen, or concern nobody
	case reservation.Reached:
		m.Round = reservation.Round{}
		if m.Told.Reached != m.Wanted {
			m.Told.Reached = m.Wanted
			w.tell(notify.ReservationReached, now, costs(m.Held))
		}
		m.Told.Short, m.Told.Lacking, m.Told.Trouble = "", "", ""
	case reservation.Short, reservation.GivenUp, reservation.Limit, reservation.DayLimit, reservation.Approval:
		m.Told.Reached = 0
		if m.Told.Short == step.Reason {
			return
		}
		m.Told.Short = step.Reason
		if step.Reason != reservation.Short {
			w.row(l.row(w, store.EventReservationShort, string(step.Reason), "", "%s", step.Text))
		}
		w.tell(notify.ReservationShort, now, step.Text)
	case reservation.Released, reservation.Before:
		m.Round = reservation.Round{}
		if m.Told.Holding && total == 0 {
			text := say.F("everything is given back")
			if proof := endings(m.Held); proof != "" {
				text = say.F("%s: %s", text, proof)
			}
			w.row(l.row(w, store.EventReleased, string(w.Window(now).Why), "", "%s", text))
			w.tell(notify.ReservationReleased, now, text)
		}
		if total == 0 {
			m.Told = reservation.Told{}
		}
	}
}

// refusals says what was asked for in vain.
func refusals(asked []reservation.Refusal) string {
	var parts []string
	for i := range asked {
		text := fmt.Sprintf("%d in %s", asked[i].By, asked[i].Part)
		if asked[i].Why != "" {
			text += " (" + asked[i].Why + ")"
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "nothing that was asked for now"
	}
	return strings.Join(parts, ", ")
}

// endings lists what was held with the state it is in, as the proof that it is over.
func endings(held []reservation.Held) string {
	var parts []string
	for i := range held {
		if len(parts) == 10 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, held[i].ID+" is "+held[i].State)
	}
	return strings.Join(parts, ", ")
}

// observe finds out what would be done, and does none of it.
func (l *Look) observe(w *work, book *ledger) reservation.Step {
	kept := w.memory
	w.memory = kept.Clone()
	var first reservation.Step
	now := l.Clock.Now()
	day := w.day
	for n := range maxSteps {
		step := book.next(w, now)
		if first.Do == "" {
			first = step
		}
		if !step.Do.Changes() {
			break
		}
		w.memory.Begin(now, step)
		w.count(now)
		w.memory.Done(now, step, reservation.Held{
			ID: fmt.Sprintf("new-%d", n+1), Part: step.Part, Standing: reservation.Active, State: "active", Total: step.By, Free: step.By, Attributes: step.Attributes, End: step.End,
			EBSOptimized: step.EBSOptimized != nil && *step.EBSOptimized,
		})
		w.did(step)
		book.settle(w)
	}
	w.memory, w.day = kept, day
	if !first.Do.Changes() {
		kept.Told.Observed = ""
		return first
	}
	would := strings.Join(w.outcome.Did, "; ")
	if kept.Told.Observed != would && !l.DryRun {
		kept.Told.Observed = would
		w.row(l.row(w, store.EventObserved, string(first.Reason), "", "it would: %s", would))
	}
	return reservation.Step{Do: reservation.Wait, Reason: reservation.Observes, Text: say.F("only observing: it would %s", would), Until: now.Add(l.Rules.Resync)}
}

// save keeps the memory with the rows that wait for it, where there is something new.
func (l *Look) save(ctx context.Context, w *work) error {
	record := store.Record{Kind: store.ReservationMemory, Name: w.Name, Changed: l.Clock.Now()}
	history, err := l.turn(ctx, w)
	if err != nil {
		return err
	}
	if total, _ := reservation.Sum(w.memory.Held); !w.Gone || total > 0 || w.memory.Intent != nil || w.memory.Why == "" || w.memory.Why == reservation.Trouble {
		data, err := json.Marshal(w.memory)
		if err != nil {
			return fmt.Errorf("encode what is remembered of %s: %w", w.Name, err)
		}
		record.Data = data
	} else if w.saved != nil { // its history goes with it
		if history, err = l.pages(ctx, w.Name, time.Time{}); err != nil {
			return err
		}
	}
	day, err := dayRecord(w.Name, w.day, l.Clock.Now())
	if err != nil {
		return err
	}
	dayChanged := !bytes.Equal(day.Data, w.savedDay)
	if bytes.Equal(record.Data, w.saved) && !dayChanged && len(w.rows) == 0 {
		w.written = len(w.events)
		return nil
	}
	history = append(history, record)
	if dayChanged {
		history = append(history, day)
	}
	if err := l.Store.SaveRecords(ctx, l.Lease(), history, w.rows...); err != nil {
		return fmt.Errorf("save what is remembered of reservation %s: %w", w.Name, err)
	}
	w.saved, w.savedDay, w.rows, w.written = record.Data, day.Data, nil, len(w.events)
	return nil
}

// turn takes a full page out of a memory, as a record to be saved with it, beside those to be dropped that are too old.
func (l *Look) turn(ctx context.Context, w *work) ([]store.Record, error) {
	page, full := w.memory.Turn(w.Name)
	if !full {
		return nil, nil
	}
	data, err := json.Marshal(page)
	if err != nil {
		return nil, fmt.Errorf("encode the history of %s: %w", w.Name, err)
	}
	records, err := l.pages(ctx, w.Name, l.Clock.Now().Add(-reservation.HistoryKept))
	if err != nil {
		return nil, err
	}
	if len(records) > 0 {
		records = records[:len(records)-1] // the last of them may go on past then
	}
	return append(records, store.Record{Kind: store.ReservationHistory, Name: reservation.PageKey(w.Name, page.Samples[0].At), Data: data, Changed: l.Clock.Now()}), nil
}

// pages are the pages of the history that begin before an instant, as records to be dropped; zero: all.
func (l *Look) pages(ctx context.Context, name string, before time.Time) ([]store.Record, error) {
	query := store.RecordQuery{Kind: store.ReservationHistory, Prefix: reservation.PagePrefix(name), Limit: reservation.MaxPages}
	if !before.IsZero() {
		query.Before = reservation.PageKey(name, before)
	}
	records, err := l.Store.Records(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read the history of reservation %s: %w", name, err)
	}
	for i := range records {
		records[i].Data = nil
	}
	return records, nil
}
