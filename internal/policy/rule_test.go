package policy

import (
	"errors"
	"testing"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
)

func TestRuleSelects(t *testing.T) {
	filter, err := fleet.ParseFilter("tag:Team=web")
	if err != nil {
		t.Fatal(err)
	}
	both := map[string]string{"Schedule": "office", "Team": "web"}
	alone := map[string]string{"Team": "web"}
	for _, test := range []struct {
		name string
		rule Rule
		tags map[string]string
		want bool
	}{
		{"what the filter matches", Rule{Filter: filter}, both, true},
		{"what it does not", Rule{Filter: filter}, map[string]string{"Schedule": "office", "Team": "db"}, false},
		{"without a tag", Rule{Filter: filter}, alone, false},
		{"without a tag, asked for", Rule{Filter: filter, Untagged: true}, alone, true},
		{"its account and region", Rule{Filter: filter, Accounts: []fleet.AccountID{"1", "111122223333"}, Regions: []fleet.Region{"ap-northeast-2"}}, both, true},
		{"another account", Rule{Filter: filter, Accounts: []fleet.AccountID{"444455556666"}}, both, false},
		{"another region", Rule{Filter: filter, Regions: []fleet.Region{"us-east-1"}}, both, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.rule.Selects(resource("web", test.tags), "Schedule"); got != test.want {
				t.Errorf("selected %v", got)
			}
		})
	}
}

func TestRuleUsable(t *testing.T) {
	daily, err := calendar.ParseExpression("cron(0 12 * * ? *)", time.UTC, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		rule Rule
		want bool
	}{
		"in order":      {Rule{Enabled: true, Expression: daily}, true},
		"switched off":  {Rule{Expression: daily}, false},
		"with a fault":  {Rule{Enabled: true, Expression: daily, Err: errors.New("no such zone")}, false},
		"no expression": {Rule{Enabled: true}, false},
	} {
		if got := test.rule.Usable(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
