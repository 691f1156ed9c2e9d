package kindtest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"dayshift/internal/notify"
)

// TestTheDocumentSaysWhatEachKindCarries: all of them, as they are.
func TestTheDocumentSaysWhatEachKindCarries(t *testing.T) {
	text, err := os.ReadFile("../../../docs/notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "## Only about some resources")
	part, _, _ = strings.Cut(part, "\n## ")
	rows := map[string]string{}
	for line := range strings.Lines(part) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 {
			continue
		}
		for kind := range strings.SplitSeq(cells[0], ",") {
			var marks []string
			for _, cell := range cells[1:] {
				marks = append(marks, fmt.Sprint(strings.TrimSpace(cell) != ""))
			}
			rows[strings.Trim(kind, " `")] = strings.Join(marks, " ")
		}
	}
	for _, kind := range notify.Kinds {
		by, said := Carried[kind]
		if want := fmt.Sprint(by.Schedule, by.Workload, by.Account, by.Resource); !said || rows[string(kind)] != want {
			t.Errorf("%s: the document says %q, want %q (schedules, workloads, account and region, resources)", kind, rows[string(kind)], want)
		}
	}
	if len(Carried) != len(notify.Kinds) {
		t.Errorf("%d kinds are listed of %d", len(Carried), len(notify.Kinds))
	}
}
