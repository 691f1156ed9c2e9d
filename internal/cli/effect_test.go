package cli

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/service"
)

func TestEffectText(t *testing.T) {
	monday := time.Date(2026, 8, 3, 8, 0, 0, 0, time.UTC)
	// The zone of the terminal is not the test's to choose.
	first, second := short(monday.Add(time.Hour)), short(monday.Add(2*time.Hour))
	when := fmt.Sprintf("%-*s", len(first), "WHEN")
	event := func(at time.Time, action, name string, comes bool) service.EffectEvent {
		return service.EffectEvent{PreviewEvent: service.PreviewEvent{At: at, Action: action, Name: name, Ref: "1/a/ec2_instance/" + name, Schedule: "office", Why: say.Raw("Why.")}, Comes: comes}
	}
	resize := event(monday.Add(2*time.Hour), "start", "网站", true)
	resize.Type = "t3.small"
	for _, test := range []struct {
		name   string
		effect service.Effect
		want   string
	}{
		{"nothing", service.Effect{}, "No resource is governed differently.\n"},
		{"everything", service.Effect{
			At: monday, Until: monday.AddDate(0, 0, 7), Resources: 12, Protected: 2, ProtectedNames: []string{"db", "网站"},
			StartsNow: service.EffectCount{}, StopsNow: service.EffectCount{After: 1},
			Starts: service.EffectCount{Before: 50, After: 51}, Stops: service.EffectCount{Before: 50, After: 50},
			Now:     []service.EffectLine{{Comes: true, Action: "stop", Name: "네트워크", Ref: "1/a/ec2_instance/i-1", Schedule: "office", Why: say.Raw("Why.")}},
			MoreNow: 3,
			Ahead:   []service.EffectEvent{event(monday.Add(time.Hour), "stop", "api\x1b[31m", false), resize},
			Limits:  []say.Text{say.Raw("now: held back")},
			Conflicts: []service.Conflict{
				{Rule: "r", With: "schedule office", Opposite: true, Count: 7, Examples: []string{"a", "b"}, Text: say.Raw("they differ")},
			},
			Gaps: []service.Gap{{Scope: fleet.Scope{}, Text: say.Raw("one region is silent")}}, Notes: []say.Text{say.Raw("a note")}, Confirm: say.Raw("it stops much"),
		}, strings.Join([]string{
			"Concerns 12 resources. A pass now: starts 0 as before, stops 1 instead of 0. Until 2026-08-10T08:00:00Z: starts 51 instead of 50, stops 50 as before. Protected, and left as they are: 2 resources: db, 网站.",
			"",
			"   NOW   NAME      RESOURCE              SCHEDULE  WHY",
			"+  stop  네트워크  1/a/ec2_instance/i-1  office    Why.",
			"and 3 more",
			"",
			"   " + when + "  ACTION             NAME      RESOURCE                   SCHEDULE  WHY",
			"-  " + first + "  stop               api [31m  1/a/ec2_instance/api [31m  office    Why.",
			"+  " + second + "  start as t3.small  网站      1/a/ec2_instance/网站      office    Why.",
			"limit: now: held back",
			"conflict: they differ (7 resources: a, b …)",
			"gap: one region is silent",
			"note: a note",
			"to be confirmed: it stops much",
			"",
		}, "\n")},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := effectText(&out, test.effect); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if err := effectText(failing{errors.New("broken")}, service.Effect{Resources: 1}); err == nil {
		t.Error("a writer that fails")
	}
}
