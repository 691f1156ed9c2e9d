package metrics

//go:generate go test -run TestPage -update .

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dayshift/internal/golden"
)

const metricsPage = "../../docs/metrics.md"

// watch says what to do with a metric; metrics without an entry explain themselves.
var watch = map[string]string{
	"dayshift_passes_total":                         "`result=\"failed\"` means that a pass could not be made at all: the store or the lease. No increase for longer than `resync_interval` on the leader means that it stands still.",
	"dayshift_pass_seconds":                         "Long passes are paced ones: AWS lets so many instances start per second.",
	"dayshift_lateness_seconds":                     "Of passes that a boundary started. Above a second the machine is too busy, or was suspended.",
	"dayshift_decisions_total":                      "One for each scheduled resource and pass. The reasons are on [their own page](why.md).",
	"dayshift_actions_total":                        "Outcomes: `accepted`, `failed`, `barred` (AWS protects the resource), `skipped` (no longer in the state that was decided on), `deferred` (no call was made), `uncertain` (the process ended while the call was under way).",
	"dayshift_aws_calls_total":                      "Every attempt counts.",
	"dayshift_aws_throttles_total":                  "Stays at 0 where Dayshift is alone; others use the account's limits where it grows. Lower `aws.api_share`.",
	"dayshift_gaps":                                 "A scope without a gap has no series. Alert when one stays for longer than a few minutes.",
	"dayshift_scope_quarantined":                    "Reasons: `credentials`, `unauthorized`, `region-disabled`, `no-answer`. [What it means](operations.md#quarantine). A scope that is well has no series.",
	"dayshift_resources":                            "",
	"dayshift_stops_held":                           "Above 0: somebody has to look, and to [confirm](operations.md#limits-and-confirming) or to mend the schedule.",
	"dayshift_leader":                               "Over all processes of a store the sum is 1. 0 for longer than half a minute: nobody acts.",
	"dayshift_events_total":                         "[What each result means](events.md#what-happens-with-an-event). `malformed` or `foreign` growing: the rule of EventBridge lets too much through.",
	"dayshift_event_queue_up":                       "Over all processes of a store the sum is 1 where a queue is configured. 0 for longer than some minutes: see [when the queue fails](events.md#when-the-queue-fails).",
	"dayshift_newest_event_timestamp_seconds":       "",
	"dayshift_refusals_total":                       "`unknown` or `guessing` growing: somebody tries keys. `sign-in` growing: the identity provider is down, or somebody tries it. `chat` growing: something else than its chat system posts to a chat, or a secret was exchanged. `forbidden` growing: a key has too small a role, or somebody tries its bounds. The addresses are in the record: `dayshift activity --event refused`, and [keys and access](access.md#what-is-refused).",
	"dayshift_notifications_total":                  "`lost` growing: somebody is not told; the log says what and why. [When a channel is down](notifications.md#when-a-channel-is-down).",
	"dayshift_notifications_waiting":                "Told by the process that holds the lease, of what stands in the store; the others have what they alone were to tell. Summed up over all processes it is right.",
	"dayshift_notifications_oldest_waiting_seconds": "Above some minutes: the channel takes nothing. [When a channel is down](notifications.md#when-a-channel-is-down).",
	"dayshift_notifications_given_up":               "Above 0: somebody was not told. It falls when they are [sent again](notifications.md#to-see-what-became-of-it), and after 30 days.",
	"dayshift_heartbeats_total":                     "`failed` growing: the monitor outside is not reached, and will tell that Dayshift is silent. `withheld` growing: it is right. [When Dayshift itself is silent](notifications.md#when-dayshift-itself-is-silent).",
	"dayshift_config_reloads_total":                 "`result=\"refused\"` means that the running configuration is not the one in the file.",
	"dayshift_config_loaded_timestamp_seconds":      "",
}

const pageIntro = `# Metrics

<!-- Generated from internal/metrics by go generate ./internal/metrics. Do not edit. -->

` + "`dayshift serve` serves these at `/metrics`" + ` in Prometheus's form, beside the usual metrics of the Go runtime and the process
(` + "`go_*`, `process_*`" + `). A series appears with its first value. Labels hold accounts, regions, states, verbs, reasons, operations and names of channels, never
the name of a resource.

| metric | kind | labels | meaning |
| --- | --- | --- | --- |
`

// TestPage holds docs/metrics.md to the metrics that there are. With -update it writes it anew.
func TestPage(t *testing.T) {
	text := pageIntro + table(t)
	golden.Check(t, metricsPage, text, "go generate ./internal/metrics")
}

func table(t *testing.T) string {
	t.Helper()
	s := New()
	s.Pass("resync", "done", time.Second)
	s.Late(time.Second)
	s.Refused("guessing")
	s.Notification("ops", "sent")
	s.Backlogs(func() map[string]Backlog { return map[string]Backlog{"ops": {}} })
	s.Heartbeat("sent")
	s.Event("heard")
	s.Decisions("manual-stop", 1)
	s.Action("start", "accepted")
	s.Call("111122223333", "eu-west-1", "ec2:StartInstances", true)
	s.Gap("111122223333", "eu-west-1", true)
	s.Quarantined("111122223333", "eu-west-1", "no-answer")
	s.Resources("111122223333", "eu-west-1", "ec2_instance", "running", 1)
	s.Held(1)
	s.Leader(true)
	s.Reload(true, time.Unix(0, 0))
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	shown := map[string]bool{}
	for _, family := range families {
		name := family.GetName()
		if !strings.HasPrefix(name, "dayshift_") {
			continue
		}
		shown[name] = true
		advice, known := watch[name]
		if !known {
			t.Errorf("%s: say in watch what to do with it, or that nothing is", name)
		}
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+label.GetName()+"`")
		}
		slices.Sort(labels)
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(family.GetType().String()), strings.Join(labels, " "), strings.TrimSpace(family.GetHelp()+" "+advice))
	}
	if len(shown) != len(watch) {
		t.Errorf("watch has %d metrics, there are %d", len(watch), len(shown))
	}
	// A metric that nothing above sets would be missing from what was gathered.
	descriptions := make(chan *prometheus.Desc, 1000)
	s.registry.Describe(descriptions)
	close(descriptions)
	form := regexp.MustCompile(`fqName: "(dayshift_[^"]+)"`)
	for description := range descriptions {
		if found := form.FindStringSubmatch(description.String()); found != nil && !shown[found[1]] {
			t.Errorf("%s is not on the page: set it here", found[1])
		}
	}
	return b.String()
}
