package app

import (
	"testing"
	"time"

	"dayshift/internal/config"
)

// TestWhenAScheduleStartsAgain: what "not today" means for what a schedule, or that of a workload, stops at an instant.
func TestWhenAScheduleStartsAgain(t *testing.T) {
	loaded, err := config.Parse("f", []byte(`
timezone: Asia/Seoul
accounts: [{id: "111122223333", regions: [us-east-1]}]
periods: {office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}, once: {endtime: "18:00"}}
schedules: {office: {periods: [office]}, once: {periods: [once]}}
workloads: {shop: {schedule: office, tiers: {db: {filters: "tag:Role=DB"}}}, free: {tiers: {db: {filters: "tag:Role=X"}}}}
`), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	starts := wordsOf(loaded, config.Channel{}).Starts
	friday := time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC) // 18:00 in Seoul
	monday := time.Date(2027, 2, 8, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		schedule, workload string
		want               time.Time
	}{
		{"office", "", monday}, {"", "shop", monday}, {"", "free", time.Time{}}, {"none", "", time.Time{}}, {"once", "", time.Time{}},
	} {
		if got := starts(test.schedule, test.workload, friday); !got.Equal(test.want) {
			t.Errorf("%s%s: %s, want %s", test.schedule, test.workload, got, test.want)
		}
	}
}

// TestAccountsHaveTheNamesOfTheConfiguration: those that have one.
func TestAccountsHaveTheNamesOfTheConfiguration(t *testing.T) {
	loaded, err := config.Parse("f", []byte(`
accounts: [{id: "111122223333", name: shop-test, regions: [us-east-1]}, {id: "444455556666", role: "arn:aws:iam::444455556666:role/dayshift", external_id: "0123456789", regions: [us-east-1]}]
`), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if names := wordsOf(loaded, config.Channel{}).Accounts; len(names) != 1 || names["111122223333"] != "shop-test" {
		t.Errorf("%v", names)
	}
}
