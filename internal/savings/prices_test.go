package savings

import (
	"math"
	"testing"

	"dayshift/internal/fleet"
)

func TestPerHour(t *testing.T) {
	for _, test := range []struct {
		kind     fleet.Kind
		instance string
		price    float64
		known    bool
	}{
		{fleet.EC2Instance, "t3.nano", 0.0052, true},
		{fleet.EC2Instance, "t3.2xlarge", 0.3328, true},
		{fleet.EC2Instance, "m5.24xlarge", 4.608, true},
		{fleet.EC2Instance, "c7g.xlarge", 0.145, true},
		{fleet.RDSInstance, "db.t3.medium", 0.068, true},
		{fleet.RDSInstance, "db.r5.2xlarge", 0.96, true},
		{fleet.EC2Instance, "u-6tb1.metal", 0, false},
		{fleet.EC2Instance, "m5", 0, false},
		{fleet.EC2Instance, "", 0, false},
		{fleet.RDSInstance, "db.x9.large", 0, false},
		{fleet.AutoScalingGroup, "", 0, false}, // a listing does not say what it launches
	} {
		price, known := PerHour(test.kind, test.instance)
		if known != test.known || math.Abs(price-test.price) > 1e-9 {
			t.Errorf("PerHour(%s, %q) = %v, %v; want %v, %v", test.kind, test.instance, price, known, test.price, test.known)
		}
	}
}
