package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

var explained = time.Date(2026, 7, 28, 19, 0, 0, 0, time.UTC)

func pastExplanation() service.Explanation {
	row := store.Activity{Seq: 7, At: explained.Add(-time.Hour), Actor: "dayshift", Event: store.EventStartAccepted, Reason: "override-start", Detail: "start: A person wants it."}
	after := store.Activity{Seq: 9, At: explained.Add(time.Hour), Event: store.EventStopAccepted}
	return service.Explanation{
		Resource: service.Resource{Name: "网站", Ref: "1/a/ec2_instance/i-1", State: "running"}, At: explained,
		Chain:  []decide.Step{{Rule: "override", Fact: say.Raw("running until 20:10 by kim")}},
		Recent: []store.Activity{row},
		Past: &service.PastExplanation{
			Text: say.Raw("It was running."), State: "running", Decision: &row, By: "kim", After: &after,
			Overrides: []service.PastOverride{{ID: "o-1", Made: explained, Author: "kim", Text: "kim wants it running"}, {ID: "o-2", Made: explained, Text: "by a filter", Filter: true}},
			Changes:   []store.Activity{{Seq: 11, At: explained, Event: store.EventObject, Name: "office"}}, MoreChanges: true,
			Today: &service.TodaysRules{Wanted: "stopped", Chain: []decide.Step{{Rule: "calendar", Fact: say.Raw("stopped is wanted")}}},
		},
	}
}

// What the record says and what today's rules would have wanted are told apart.
func TestExplanationOfThePast(t *testing.T) {
	var out bytes.Buffer
	if err := explanations(&out, []service.Explanation{pastExplanation(), pastExplanation()}); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	at := -1
	for _, part := range []string{
		"网站  1/a/ec2_instance/i-1\n  at 2026-07-28T19:00:00Z, from the record: running\n  It was running.\n",
		"  decided last: start-accepted at 2026-07-28T18:00:00Z by kim: start: A person wants it.\n",
		"  override o-1 in force, of 2026-07-28T19:00:00Z: kim wants it running\n",
		"  override o-2 in force, of 2026-07-28T19:00:00Z: by a filter (the record does not tell whether the filter matched it)\n",
		"  override  running until 20:10 by kim\n",
		"Today's rules would have wanted it stopped:\n",
		"  calendar  stopped is wanted\n",
		"The record up to then:\n", "The next row:\n", "Changed since (the first of more):\n",
	} {
		next := strings.Index(text, part)
		if next <= at {
			t.Errorf("%q is missing or out of place in\n%s", part, text)
		}
		at = next
	}
	rows := chainTable([]service.Explanation{pastExplanation()}).rows
	if len(rows) != 3 || rows[1][1] != "record" || rows[2][1] != "today: calendar" {
		t.Errorf("%q", rows)
	}
	if err := explanations(failing{errors.New("broken")}, []service.Explanation{pastExplanation()}); err == nil {
		t.Error("a writer that fails")
	}
}

// A person's override is said before the chain that it is a part of.
func TestExplanationWithAnOverride(t *testing.T) {
	var out bytes.Buffer
	e := service.Explanation{Resource: service.Resource{
		ID: "i-1", Ref: "r", State: "running", NativeState: "running", Wanted: "running", Why: say.Raw("As a person wants."),
		Override: &service.InForce{ID: "o-1", State: "running", Until: explained, Author: "kim", Reason: "release"},
		Next:     &service.Change{At: explained, To: "stopped"},
	}, At: explained}
	if err := explanations(&out, []service.Explanation{e}); err != nil {
		t.Fatal(err)
	}
	want := "i-1  r\n  running (running), wanted running at 2026-07-28T19:00:00Z\n  As a person wants.\n" +
		"  override o-1: running until 2026-07-28T19:00:00Z by kim (release)\n  next: stopped from 2026-07-28T19:00:00Z\n"
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}

func TestFleetTable(t *testing.T) {
	fleet := service.Fleet{Resources: []service.Resource{
		{ID: "i-1", Action: "stop", Observed: true, Override: &service.InForce{State: "running", Until: explained, Author: "kim"}}, {ID: "i-2", Action: "none"},
	}}
	cells := func(row []string) string { return strings.Join(row[10:13], "|") }
	rows := fleetTable(fleet, false).rows
	if cells(rows[0]) != "stop|yes|running until "+short(explained)+" by kim" || cells(rows[1]) != "-|-|-" {
		t.Errorf("%q", rows)
	}
	if empty := fleetTable(service.Fleet{}, true).empty; empty != "Nothing differs: a pass would do nothing now." {
		t.Error(empty)
	}
	events := previewTable(service.Preview{Events: []service.PreviewEvent{{Action: "start", Type: "t3.small", Observed: true}}}).rows
	if events[0][1] != "start as t3.small (only observed)" {
		t.Errorf("%q", events)
	}
}
