// Package savings tells what running costs. In this version it knows list
// prices, for the cost that a preview shows; they are for orientation and say
// so: a bill also has volumes, licences, discounts and commitments in it.
package savings

import (
	"strings"

	"dayshift/internal/fleet"
)

// PriceBasis says what the prices are, for whoever shows one.
const PriceBasis = "on-demand list prices of us-east-1 in USD (EC2: Linux, shared tenancy; RDS: MySQL, Single-AZ), without storage"

// A price list names the price of one size of each family; other sizes of the
// family cost in proportion, which is how AWS lists them.
// Source: the EC2 and RDS on-demand price pages of AWS, checked in 2025.
type family struct {
	size  string
	price float64 // USD per hour
}

var ec2Families = map[string]family{
	"t2": {"micro", 0.0116}, "t3": {"micro", 0.0104}, "t3a": {"micro", 0.0094}, "t4g": {"micro", 0.0084},
	"m4": {"large", 0.100}, "m5": {"large", 0.096}, "m5a": {"large", 0.086}, "m6i": {"large", 0.096}, "m6a": {"large", 0.0864},
	"m6g": {"large", 0.077}, "m7i": {"large", 0.1008}, "m7g": {"large", 0.0816},
	"c4": {"large", 0.100}, "c5": {"large", 0.085}, "c5a": {"large", 0.077}, "c6i": {"large", 0.085}, "c6g": {"large", 0.068},
	"c7i": {"large", 0.08925}, "c7g": {"large", 0.0725},
	"r4": {"large", 0.133}, "r5": {"large", 0.126}, "r5b": {"large", 0.149}, "r6i": {"large", 0.126}, "r6g": {"large", 0.1008}, "r7i": {"large", 0.1323}, "r7g": {"large", 0.1071},
}

var rdsFamilies = map[string]family{
	"t3": {"micro", 0.017}, "t4g": {"micro", 0.016},
	"m5": {"large", 0.171}, "m6i": {"large", 0.171}, "m6g": {"large", 0.152}, "m7g": {"large", 0.168},
	"r5": {"large", 0.240}, "r6i": {"large", 0.240}, "r6g": {"large", 0.215}, "r7g": {"large", 0.239},
}

// units are the sizes in multiples of a micro, in the proportion of the price lists.
var units = map[string]float64{
	"nano": 0.5, "micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32, "3xlarge": 48, "4xlarge": 64,
	"6xlarge": 96, "8xlarge": 128, "9xlarge": 144, "12xlarge": 192, "16xlarge": 256, "18xlarge": 288, "24xlarge": 384, "32xlarge": 512, "48xlarge": 768,
}

// PerHour returns the list price of an hour of a resource, in USD (see
// PriceBasis); false where the list does not have its type.
func PerHour(kind fleet.Kind, instanceType string) (float64, bool) {
	families := ec2Families
	if kind == fleet.RDSInstance {
		families = rdsFamilies
		instanceType = strings.TrimPrefix(instanceType, "db.")
	}
	name, size, _ := strings.Cut(instanceType, ".")
	known, ok := families[name]
	unit, sized := units[size]
	if !ok || !sized {
		return 0, false
	}
	return known.price * unit / units[known.size], true
}
