package kinds

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func TestSpotRequestsAreRememberedWhileTheyAreListed(t *testing.T) {
	now := time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)
	k := &instances{}
	spot := map[string]string{"i-1": "sir-once", "i-2": "sir-lasting", "i-3": "sir-untold", "i-4": ""}
	k.remember([]string{"sir-once", "sir-lasting", "sir-untold"}, map[string]types.SpotInstanceType{
		"sir-once": types.SpotInstanceTypeOneTime, "sir-lasting": types.SpotInstanceTypePersistent,
	}, now)
	for _, test := range []struct {
		name string
		at   time.Time
		want []string
	}{
		{"soon", now.Add(askAgain - time.Second), nil},
		{"later", now.Add(askAgain), []string{"sir-untold"}},
		{"the clock was set back", now.Add(-time.Hour), []string{"sir-untold"}},
	} {
		if got := k.unknownRequests(spot, test.at); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v are asked for, want %v", test.name, got, test.want)
		}
	}
	k.remember([]string{"sir-lasting"}, nil, now) // an answer without it takes nothing back
	if kind := k.requests["sir-lasting"].kind; kind != types.SpotInstanceTypePersistent {
		t.Errorf("forgot that it is persistent: %q", kind)
	}
	k.forgetRequests(map[string]string{"i-2": "sir-lasting"})
	if _, kept := k.requests["sir-lasting"]; !kept || len(k.requests) != 1 {
		t.Errorf("%v, want what is listed alone", k.requests)
	}
}
