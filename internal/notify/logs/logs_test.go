package logs

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/notify"
)

func TestSend(t *testing.T) {
	for kind, level := range map[notify.Kind]string{
		notify.Starting: "INFO", notify.Stopping: "INFO", notify.StopWarning: "INFO", notify.NewResource: "INFO", notify.GapClosed: "INFO",
		notify.Failed: "WARN", notify.Gap: "WARN", notify.Held: "WARN", notify.Silent: "WARN", notify.SilentOver: "INFO",
		notify.WorkloadFailed: "WARN", notify.ConfigWaits: "WARN", notify.ConfigRefused: "WARN", notify.RuleMissed: "WARN", notify.Shortage: "WARN", notify.ReservationFailed: "WARN", notify.ReservationShort: "WARN",
	} {
		var out bytes.Buffer
		c := Channel{Logger: slog.New(slog.NewJSONHandler(&out, nil))}
		err := c.Send(t.Context(), notify.Message{Kind: kind, Schedule: "office", Count: 2, Title: "Two", Lines: []string{"a\nlevel=ERROR", "\x1b[31mb"}})
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil { // one record, whatever is in the lines
			t.Fatalf("%v: %s", err, out.String())
		}
		delete(got, "time")
		want := map[string]any{"level": level, "msg": "Two", "kind": string(kind), "schedule": "office", "count": 2.0, "lines": []any{"a\nlevel=ERROR", "\x1b[31mb"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if name := (Channel{}).Name(); name != "log" {
		t.Error(name)
	}
}
