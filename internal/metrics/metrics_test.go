package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// fill reports something of every kind.
func fill(s *Set) {
	s.Pass("boundary", "done", 1500*time.Millisecond)
	s.Late(40 * time.Millisecond)
	s.Decisions("period-ended", 3)
	s.Action("stop", "accepted")
	s.Call("111122223333", "ap-northeast-2", "ec2:StopInstances", true)
	s.Call("111122223333", "ap-northeast-2", "ec2:StopInstances", false)
	s.Gap("444455556666", "cn-north-1", true)
	s.Quarantined("444455556666", "cn-north-1", "no-answer")
	s.Quarantined("444455556666", "cn-north-1", "credentials")
	s.Resources("111122223333", "ap-northeast-2", "ec2_instance", "running", 7)
	s.Held(2)
	s.Leader(true)
	s.Refused("guessing")
	s.Notification("ops", "sent")
	s.Notification("ops", "sent")
	s.Notification("ops", "lost")
	s.Backlogs(func() map[string]Backlog {
		return map[string]Backlog{"ops": {Waiting: 3, Oldest: 90 * time.Second, GivenUp: 2}, "seoul": {}}
	})
	s.Heartbeat("sent")
	s.Heartbeat("withheld")
	s.Event("heard")
	s.Event("heard")
	s.NewestEvent(time.Unix(1_790_000_000, 0))
	s.EventQueue(true)
	s.Reload(true, time.Unix(1_790_000_000, 0))
	s.Reload(false, time.Unix(1_800_000_000, 0))
}

func scrape(t *testing.T, s *Set) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	s.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if recorder.Code != http.StatusOK {
		t.Fatalf("%d: %s", recorder.Code, recorder.Body)
	}
	return recorder.Body.String()
}

func TestValues(t *testing.T) {
	s := New()
	fill(s)
	page := scrape(t, s)
	for _, line := range []string{
		`dayshift_passes_total{result="done",trigger="boundary"} 1`,
		`dayshift_notifications_waiting{channel="ops"} 3`,
		`dayshift_notifications_oldest_waiting_seconds{channel="ops"} 90`,
		`dayshift_notifications_given_up{channel="ops"} 2`,
		`dayshift_notifications_given_up{channel="seoul"} 0`,
		`dayshift_pass_seconds_sum 1.5`,
		`dayshift_lateness_seconds_bucket{le="0.05"} 1`,
		`dayshift_decisions_total{reason="period-ended"} 3`,
		`dayshift_actions_total{outcome="accepted",verb="stop"} 1`,
		`dayshift_aws_calls_total{account="111122223333",operation="ec2:StopInstances",region="ap-northeast-2"} 2`,
		`dayshift_aws_throttles_total{account="111122223333",operation="ec2:StopInstances",region="ap-northeast-2"} 1`,
		`dayshift_gaps{account="444455556666",region="cn-north-1"} 1`,
		`dayshift_scope_quarantined{account="444455556666",reason="credentials",region="cn-north-1"} 1`,
		`dayshift_resources{account="111122223333",kind="ec2_instance",region="ap-northeast-2",state="running"} 7`,
		`dayshift_stops_held 2`,
		`dayshift_leader 1`,
		`dayshift_events_total{result="heard"} 2`,
		`dayshift_heartbeats_total{result="withheld"} 1`,
		`dayshift_refusals_total{reason="guessing"} 1`,
		`dayshift_notifications_total{channel="ops",result="sent"} 2`,
		`dayshift_notifications_total{channel="ops",result="lost"} 1`,
		`dayshift_newest_event_timestamp_seconds 1.79e+09`,
		`dayshift_event_queue_up 1`,
		`dayshift_config_reloads_total{result="done"} 1`,
		`dayshift_config_reloads_total{result="refused"} 1`,
		`dayshift_config_loaded_timestamp_seconds 1.79e+09`, // of the good one
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
	s.Leader(false)
	s.Gap("444455556666", "cn-north-1", false)
	s.Gap("111122223333", "eu-west-3", false) // was none
	s.Quarantined("444455556666", "cn-north-1", "")
	page = scrape(t, s)
	if strings.Contains(page, "dayshift_scope_quarantined{") || strings.Contains(page, "dayshift_gaps{") || !strings.Contains(page, "dayshift_leader 0\n") {
		t.Error("a gap that was closed, or a lease that was lost, is still shown")
	}
}

// Names, units and help as Prometheus wants them.
func TestLint(t *testing.T) {
	s := New()
	fill(s)
	problems, err := promlint.New(strings.NewReader(scrape(t, s))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		if strings.HasPrefix(problem.Metric, "dayshift_") {
			t.Errorf("%s: %s", problem.Metric, problem.Text)
		}
	}
}

// Parts report and scrapers read at the same time; sets do not share anything.
func TestConcurrentUse(t *testing.T) {
	s := New()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				fill(s)
			}
			_ = s.Handler()
		})
	}
	group.Go(func() { scrape(t, s) })
	group.Wait()
	if page := scrape(t, s); !strings.Contains(page, "dayshift_decisions_total{reason=\"period-ended\"} 1200\n") {
		t.Error("counts were lost")
	}
	if page := scrape(t, New()); strings.Contains(page, "dayshift_decisions_total{") {
		t.Error("a new set is not empty")
	}
}
