package awssim

import "strings"

// region is one AWS region.
type region struct {
	name      string
	partition string
	optIn     bool   // must be enabled by the account
	zones     string // letters of its availability zones
	names     []string
}

// regions are the regions that exist. A name that is not here has no endpoint
// at AWS either.
var regions = func() map[string]*region {
	m := map[string]*region{}
	add := func(partition string, optIn bool, zones string, names ...string) {
		for _, n := range names {
			r := &region{name: n, partition: partition, optIn: optIn, zones: zones}
			for i := range zones {
				r.names = append(r.names, n+zones[i:i+1])
			}
			m[n] = r
		}
	}
	add("aws", false, "abcdef", "us-east-1")
	add("aws", false, "abcd", "us-west-2", "ap-northeast-2")
	add("aws", false, "acd", "ap-northeast-1")
	add("aws", false, "abc", "us-east-2", "us-west-1", "ca-central-1", "sa-east-1",
		"eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1",
		"ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2")
	add("aws", true, "abc", "af-south-1", "ap-east-1", "ap-south-2", "ap-southeast-3", "ap-southeast-4",
		"ca-west-1", "eu-central-2", "eu-south-1", "eu-south-2", "il-central-1", "me-central-1", "me-south-1")
	add("aws-cn", false, "abd", "cn-north-1")
	add("aws-cn", false, "abc", "cn-northwest-1")
	add("aws-us-gov", false, "abc", "us-gov-east-1", "us-gov-west-1")
	return m
}()

// hasZone reports whether zone is one of the region's.
func (r *region) hasZone(zone string) bool {
	l, ok := strings.CutPrefix(zone, r.name)
	return ok && len(l) == 1 && strings.Contains(r.zones, l)
}

// zoneNames are the full names of the zones; not to be changed.
func (r *region) zoneNames() []string { return r.names }

// dnsSuffix is the domain of the region's partition.
func (r *region) dnsSuffix() string {
	if r.partition == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}
