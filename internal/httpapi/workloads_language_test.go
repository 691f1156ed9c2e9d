package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// What a run says is in the reader's language, also after it was written down; what an earlier version wrote is as it was.
func TestRunsInTheReadersLanguage(t *testing.T) {
	h := newHouse(t, Options{})
	made := h.do(ask{method: http.MethodPut, path: "/api/v1/workloads/shop", body: `{"tiers":{"db":{"filters":"tag:Role=db"}}}`, as: "admin", headers: map[string]string{"If-None-Match": "*"}})
	if made.Code/100 != 2 {
		t.Fatalf("%d %s", made.Code, made.Body)
	}
	h.reload()
	filter, err := fleet.ParseFilter("tag:Role=db")
	if err != nil {
		t.Fatal(err)
	}
	w := &workload.Workload{Name: "shop", Enabled: true, Tiers: []workload.Tier{{Name: "db", Filter: filter, Start: workload.Half{Timeout: time.Hour}}}}
	r := workload.Run{
		ID: "run-2", Workload: "shop", Direction: workload.Start, By: "kim", Trigger: "person", Definition: w, Status: workload.StatusHeld,
		Began: houseTime, Since: houseTime, Why: say.F("tier %s failed: %s", "db", say.Word(workload.WhyNothing)).Kept(),
		Tiers: []workload.TierRun{{
			Name: "db", Phase: workload.PhaseFailed, Why: workload.WhyNothing,
			Detail: say.F("its filter matches nothing, so nothing is there for the tiers that need it").Kept(),
		}},
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Replace(string(data), `"run-2"`, `"run-1"`, 1)
	var fields map[string]any
	if err := json.Unmarshal([]byte(old), &fields); err != nil {
		t.Fatal(err)
	}
	fields["why"] = "tier db failed: matches-nothing"
	earlier, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := h.store.Acquire(t.Context(), "runs", "test", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.SaveRecords(t.Context(), lease, []store.Record{
		{Kind: store.WorkloadRun, Name: "run-1", Data: earlier, Changed: houseTime}, {Kind: store.WorkloadRun, Name: "run-2", Data: data, Changed: houseTime},
	}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ language, run, why, detail string }{
		{"en", "run-2", "tier db failed: matches-nothing", "its filter matches nothing"},
		{"zh-CN", "run-2", "层 db 失败：没有匹配到任何资源", "其筛选条件没有匹配到任何资源"},
		{"ko", "run-2", "계층 db 실패: 일치하는 것이 없음", "필터에 맞는 것이 없어"},
		{"ko", "run-1", "tier db failed: matches-nothing", "필터에 맞는 것이 없어"},
	} {
		answer := h.do(ask{path: "/api/v1/workloads/shop/runs/" + test.run, as: "admin", headers: map[string]string{"Accept-Language": test.language}})
		body := answer.Body.String()
		if answer.Code != http.StatusOK || !strings.Contains(body, test.why) || !strings.Contains(body, test.detail) {
			t.Errorf("%s of %s: %d %s", test.language, test.run, answer.Code, body)
		}
	}
}
