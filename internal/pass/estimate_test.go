package pass

import (
	"testing"
	"time"

	"dayshift/internal/fleet"
)

func TestEstimatesInWords(t *testing.T) {
	scope := fleet.Scope{Account: "111122223333", Region: "eu-west-1"}
	for _, test := range []struct {
		verb  fleet.Verb
		count int
		takes time.Duration
		want  string
	}{
		{fleet.Start, 4000, 25 * time.Minute, "111122223333/eu-west-1: 4,000 starts of ec2_instance: about 25 minutes"},
		{fleet.Start, 1, 0, "111122223333/eu-west-1: 1 start of ec2_instance: about 0 seconds"},
		{fleet.Stop, 999, 61500 * time.Millisecond, "111122223333/eu-west-1: 999 stops of ec2_instance: about 62 seconds"},
		{fleet.Stop, 1234567, 13*time.Hour + time.Minute, "111122223333/eu-west-1: 1,234,567 stops of ec2_instance: about 13.1 hours"},
		{fleet.Resize, 900, 2*time.Minute + time.Second, "111122223333/eu-west-1: 900 resizes of ec2_instance: about 3 minutes"},
	} {
		e := Estimate{Scope: scope, Kind: fleet.EC2Instance, Verb: test.verb, Count: test.count, Takes: test.takes}
		if got := e.String(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func TestOnlyLongEstimatesAreTold(t *testing.T) {
	short, long := Estimate{Takes: Tellable}, Estimate{Takes: Tellable + 1}
	if got := Long([]Estimate{short, long}); len(got) != 1 || got[0] != long {
		t.Errorf("%v", got)
	}
}
