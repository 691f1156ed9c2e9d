package app

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/metrics"
)

// What is left out is not asked for, not acted on and not forgotten.
func TestKindsThatAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T10:00:00+09:00")
		const all = officeConfig
		h := houseOver(t, atOnce(), all, ec2("web", "stopped", "seoul-office"), rds("orders", "stopped", "seoul-office"))
		once := func() {
			t.Helper()
			if report, err := h.open(h.store).Once(t.Context(), OnceOptions{}); err != nil || len(report.Gaps) > 0 {
				t.Fatal(report.Gaps, err)
			}
		}
		once()
		h.expect("with all kinds", map[string]string{"web": "running", "orders": "available"})

		h.write("kinds: [ec2_instance]\n" + all)
		until(t, "2027-03-05T18:30:00+09:00")
		asked := len(calls(h.sim, "DescribeDBInstances"))
		once()
		h.expect("in the evening", map[string]string{"web": "stopped", "orders": "available"})
		until(t, "2027-03-07T10:00:00+09:00") // longer than what is gone is remembered
		once()
		if n := len(calls(h.sim, "DescribeDBInstances")); n != asked {
			t.Errorf("databases were listed %d times more", n-asked)
		}
		remembers := func(id string) bool {
			t.Helper()
			list, err := h.store.Memories(t.Context(), fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"})
			if err != nil {
				t.Fatal(err)
			}
			for i := range list {
				if list[i].Ref.ID == id {
					return true
				}
			}
			return false
		}
		if !remembers("orders") {
			t.Error("the database is forgotten")
		}
		checkups, err := h.open(h.store).Doctor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range checkups[0].Findings {
			if slices.Contains([]string{"list RDS instances", "list ECS services"}, finding.Ability.String()) {
				t.Errorf("doctor: %+v", finding)
			}
		}

		h.write(all)
		once()
		h.expect("with all kinds again", map[string]string{"web": "stopped", "orders": "stopped"})
	})
}

func metricsText(t *testing.T, set *metrics.Set) string {
	t.Helper()
	answer := httptest.NewRecorder()
	set.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return answer.Body.String()
}

// A daemon says nothing any more of scopes and kinds that left its configuration.
func TestMetricsOfWhatLeftTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T10:00:00+09:00")
		h := houseOver(t, atOnce(), officeConfig, ec2("web", "running", "seoul-office"), rds("orders", "available", "seoul-office"))
		d := h.serve()
		defer d.stop()
		time.Sleep(10 * time.Second)
		database := `dayshift_resources{account="111122223333",kind="rds_instance",region="ap-northeast-2",state="running"} `
		elsewhere := `dayshift_resources{account="111122223333",kind="ec2_instance",region="us-east-1",state="running"} `
		if text := metricsText(t, d.Metrics); !strings.Contains(text, database+"1") || !strings.Contains(text, elsewhere+"0") {
			t.Fatalf("metrics:\n%s", text)
		}
		h.write("kinds: [ec2_instance]\n" + strings.Replace(officeConfig, "[ap-northeast-2, us-east-1]", "[ap-northeast-2]", 1))
		time.Sleep(10 * time.Second)
		text := metricsText(t, d.Metrics)
		if strings.Contains(text, database) || strings.Contains(text, elsewhere) || !strings.Contains(text, `dayshift_resources{account="111122223333",kind="ec2_instance",region="ap-northeast-2",state="running"} 1`) {
			t.Errorf("metrics:\n%s", text)
		}
	})
}
