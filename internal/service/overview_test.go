package service

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

func (w *boardWorld) see(t *testing.T, within *fleet.Filter) Overview {
	t.Helper()
	w.wall = w.wall.Add(2 * overviewFor)
	got, err := w.Overview(t.Context(), within)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestOverview(t *testing.T) {
	w := newBoardWorld(t, 2)
	w.populate(20)
	w.options.Book = func() *policy.Book { return w.book }
	w.options.LastPass = func() time.Time { return monday }
	w.options.Troubles = func() []Attention {
		return []Attention{{Kind: AttentionConfig, Text: say.Raw("refused"), Link: "/health"}}
	}
	w.book.Overrides = []*policy.Override{{ID: "o-1", Target: policy.Target{Schedule: "night"}, State: 1, From: monday, Until: monday.AddDate(0, 0, 1), Author: "kim"}}
	if got := w.see(t, nil); !got.Looking || got.Total != 0 || got.Attention[0].Kind != AttentionConfig {
		t.Fatalf("before anything was seen: %+v", got)
	}
	w.feed(w.scopes...)
	w.Begun()
	got := w.see(t, nil)
	if got.Total != 40 || got.Running != 20 || got.Stopped != 10 || got.Changing != 10 || got.Other != 0 || got.Looking || got.Overrides != 1 || !got.LastPass.Equal(monday) {
		t.Errorf("%+v", got)
	}
	// It is 10:00: offices close at 18:00, the night begins at 22:00. Every fourth names a schedule that there is not.
	var lanes, next []string
	for _, lane := range got.Timeline {
		text := fmt.Sprintf("%s %d", lane.Schedule, lane.Count)
		for _, span := range lane.Spans {
			text += fmt.Sprintf(" %s-%s %s", span.From.Format("15:04"), span.To.Format("15:04"), span.State)
		}
		lanes = append(lanes, text)
	}
	for _, u := range got.Next {
		next = append(next, fmt.Sprintf("%s %s %d %s %d", u.At.Format("02 15:04"), u.Action, u.Count, u.Schedule, len(u.Names)))
	}
	want := []string{
		"office 20 00:00-09:00 stopped 09:00-18:00 running 18:00-00:00 stopped",
		"night 10 00:00-06:00 running 06:00-22:00 stopped 22:00-00:00 running",
	}
	if diff := gocmp.Diff(want, lanes); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	if len(next) == 0 || next[0] != "03 18:00 stop 20 office 3" {
		t.Errorf("next: %q", next)
	}
	qa := filterOf(t, "tag:Env=qa")
	if bound := w.see(t, &qa); bound.Total == 0 || bound.Total >= 40 || len(bound.Attention) != 0 || bound.Overrides > bound.Total {
		t.Errorf("bound to a filter: %+v", bound)
	}
}

func TestOverviewTellsWhatNeedsAPerson(t *testing.T) {
	w := newBoardWorld(t, 3)
	w.populate(4)
	w.Keep()
	report := w.report(w.scopes...)
	report.Gaps = []discover.Gap{{Scope: w.scopes[0], Kinds: []fleet.Kind{fleet.RDSInstance}, Err: errors.New("not\x1b[31m authorized")}, {Scope: w.scopes[1], Kinds: []fleet.Kind{fleet.EC2Instance}, Err: errors.New("nobody answers")}}
	report.Breakers = map[fleet.Scope]decide.Breaker{w.scopes[1]: {Trouble: "unreachable", Why: "nobody answers", Fails: 100, Since: monday}}
	for i := range report.Decisions {
		if d := &report.Decisions[i]; d.Resource.Scope == w.scopes[2] {
			d.Memory.Attempts, d.Memory.LastError = 2, "no capacity"
			break
		}
	}
	w.Feed(BoardFeed{Report: report, Book: w.book, Whole: true})
	var got []string
	for _, a := range w.see(t, nil).Attention {
		got = append(got, a.Kind+" "+a.Link)
		if strings.ContainsAny(a.Text.String(), "\x1b\n") {
			t.Errorf("%q can move a cursor", a.Text)
		}
	}
	scope := func(i int) string {
		return fmt.Sprintf("/health?account=%s&region=%s", w.scopes[i].Account, w.scopes[i].Region)
	}
	first := w.report(w.scopes[2]).Decisions[0].Resource.Ref
	want := []string{"quarantine " + scope(1), "failed /fleet/" + first.String(), "gap " + scope(0)}
	if diff := gocmp.Diff(want, got, gocmp.Transformer("sort", func(in []string) map[string]int {
		out := map[string]int{}
		for _, s := range in {
			out[s]++
		}
		return out
	})); diff != "" {
		t.Errorf("attention (-want +got):\n%s", diff)
	}
}

// The hours of the record: each case is one resource, from Monday a week ago on.
func TestHoursThatDidNotRun(t *testing.T) {
	ago := func(days, hours int) time.Time {
		return monday.Add(2*time.Hour).AddDate(0, 0, -days).Add(-time.Duration(hours) * time.Hour)
	}
	// The first day counted begins at midnight six days ago: 6 days and 10 hours before now.
	const all = 6*24 + 10
	for name, c := range map[string]struct {
		state fleet.State
		first time.Time
		turns []turnAt
		off   float64
	}{
		"running, nothing recorded":              {fleet.Running, ago(30, 0), nil, 0},
		"stopped, nothing recorded":              {fleet.Stopped, ago(30, 0), nil, all},
		"stopped, there since yesterday":         {fleet.Stopped, ago(1, 0), nil, 24},
		"stopped an hour ago":                    {fleet.Stopped, ago(30, 0), []turnAt{{ago(0, 1).Unix(), false}}, 1},
		"started an hour ago":                    {fleet.Running, ago(30, 0), []turnAt{{ago(0, 1).Unix(), true}}, all - 1},
		"stopped for a night":                    {fleet.Running, ago(30, 0), []turnAt{{ago(1, 0).Unix(), false}, {ago(0, 12).Unix(), true}}, 12},
		"stopped by hand since it was started":   {fleet.Stopped, ago(30, 0), []turnAt{{ago(1, 0).Unix(), false}, {ago(0, 12).Unix(), true}}, 12},
		"started by hand since it was stopped":   {fleet.Running, ago(30, 0), []turnAt{{ago(1, 0).Unix(), false}}, 0},
		"stopped twice, started by hand between": {fleet.Stopped, ago(30, 0), []turnAt{{ago(2, 0).Unix(), false}, {ago(1, 0).Unix(), false}}, 24},
		"turned before the week":                 {fleet.Stopped, ago(30, 0), []turnAt{{ago(8, 0).Unix(), true}, {ago(7, 0).Unix(), false}}, all},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBoardWorld(t, 1)
			w.populate(1)
			record := memory.New()
			w.options.Record = record
			r := &w.fleet[w.scopes[0]][0]
			r.State, r.Type, r.Kind = c.state, "m5.large", fleet.EC2Instance
			var rows []store.Activity
			for _, turn := range c.turns {
				event := store.EventStopped
				if turn.on {
					event = store.EventStarted
				}
				rows = append(rows, store.Activity{At: time.Unix(turn.at, 0), Actor: "dayshift", Event: event, Ref: r.Ref})
			}
			if len(rows) > 0 {
				if err := record.Append(t.Context(), store.Lease{}, rows); err != nil {
					t.Fatal(err)
				}
			}
			w.Keep()
			report := w.report(w.scopes[0])
			report.Decisions[0].Memory.FirstSeen = c.first
			w.Feed(BoardFeed{Report: report, Book: w.book, Whole: true})
			got := w.see(t, nil).Saved
			whole := math.Min(all, monday.Add(2*time.Hour).Sub(c.first).Hours())
			if math.Abs(got.HoursOff-c.off) > 0.01 || math.Abs(got.HoursOn+got.HoursOff-whole) > 0.01 || len(got.Days) != savedDays || got.Counting {
				t.Errorf("%+v, want %g hours off of %g", got, c.off, whole)
			}
			if got.Money == nil || math.Abs(*got.Money-c.off*0.096) > 0.001 || got.Days[6].Date != "2026-08-03" {
				t.Errorf("money %v, days %+v", got.Money, got.Days)
			}
		})
	}
}

// failing is a record that can not be read.
type failing struct{}

func (failing) Activity(context.Context, store.ActivityQuery) ([]store.Activity, error) {
	return nil, store.ErrCorrupt
}

func TestOverviewWithoutARecord(t *testing.T) {
	w := newBoardWorld(t, 1)
	w.populate(2)
	w.options.Record = failing{}
	w.Keep()
	w.feed(w.scopes...)
	if _, err := w.Overview(t.Context(), nil); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("%v, want what is wrong with the record", err)
	}
}

// BenchmarkOverview makes the overview of 100,000 resources with a week of two turns a day.
func BenchmarkOverview(b *testing.B) {
	w := largeBoard(b)
	w.options.Book = func() *policy.Book { return w.book }
	w.options.Record = memory.New()
	w.ledger.turns = map[fleet.Ref][]turnAt{}
	for _, scope := range w.scopes {
		for _, r := range w.fleet[scope] {
			for d := range 14 {
				w.ledger.add(r.Ref, turnAt{monday.Add(time.Duration(d-14) * 12 * time.Hour).Unix(), d%2 == 0})
			}
		}
	}
	w.ledger.pruned = w.now
	b.Run("hours counted already", func(b *testing.B) {
		for b.Loop() {
			w.overviews.kept = nil
			if _, err := w.Overview(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
			w.ledger.answers[""] = savedAnswer{w.ledger.answers[""].saved, w.wall.Add(time.Hour)}
		}
	})
	b.Run("counting hours", func(b *testing.B) {
		for b.Loop() {
			w.overviews.kept, w.ledger.answers = nil, nil
			if _, err := w.Overview(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
