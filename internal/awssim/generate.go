package awssim

import "fmt"

// Spec says what Generate makes.
type Spec struct {
	// Accounts is their number; ids count up from 200000000001.
	Accounts int
	// Regions each account uses; default us-east-1.
	Regions []string
	// Instances and Databases are spread evenly over all accounts and regions.
	Instances, Databases int
	// Schedules are values of the tag Schedule, in turn; an empty one leaves the
	// tag out. Default: one, "office-hours".
	Schedules []string
	// Tag is the key; default Schedule.
	Tag string
	// Running is the share that runs at first, from 0 to 1.
	Running float64
}

// generatedTypes are what fleets commonly hold.
var generatedTypes = []string{"t3.micro", "m5.large", "t3.medium", "c5.xlarge", "r6g.large", "m6i.xlarge", "t4g.small", "m7g.large"}

// Generate makes a fleet of any size: entries with counts, so that the fleet
// itself stays small.
func Generate(spec Spec) Fleet {
	if len(spec.Regions) == 0 {
		spec.Regions = []string{"us-east-1"}
	}
	if len(spec.Schedules) == 0 {
		spec.Schedules = []string{"office-hours"}
	}
	if spec.Tag == "" {
		spec.Tag = "Schedule"
	}
	spec.Accounts = max(1, spec.Accounts)
	scopes := spec.Accounts * len(spec.Regions)
	var f Fleet
	n := 0
	for a := range spec.Accounts {
		id := fmt.Sprintf("%012d", 200_000_000_001+a)
		f.Accounts = append(f.Accounts, Account{ID: id, Name: fmt.Sprintf("team-%03d", a+1)})
		for _, region := range spec.Regions {
			for _, kind := range []struct {
				name  string
				total int
			}{{"ec2", spec.Instances}, {"rds", spec.Databases}} {
				here := share(kind.total, scopes, n)
				for s, schedule := range spec.Schedules {
					mine := share(here, len(spec.Schedules), s)
					up := int(float64(mine)*spec.Running + 0.5)
					for _, part := range []struct {
						state string
						count int
					}{{"running", up}, {"stopped", mine - up}} {
						if part.count > 0 {
							f.Resources = append(f.Resources, generated(spec, id, region, kind.name, schedule, part.state, s, part.count))
						}
					}
				}
			}
			n++
		}
	}
	return f
}

// share is the part of total that goes to the nth of parts.
func share(total, parts, n int) int {
	out := total / parts
	if n < total%parts {
		out++
	}
	return out
}

func generated(spec Spec, account, region, kind, schedule, state string, s, count int) Resource {
	r := Resource{Account: account, Region: region, Kind: kind, Count: count, State: state, Tags: map[string]string{"Team": "team-" + account[9:], "Env": []string{"dev", "staging", "test"}[s%3]}}
	if schedule != "" {
		r.Tags[spec.Tag] = schedule
	}
	r.Name = fmt.Sprintf("app%d-%s-####", s+1, state)
	if kind == "ec2" {
		r.Type = generatedTypes[s%len(generatedTypes)]
		return r
	}
	r.Name = "db-" + r.Name
	r.Type = "db.t3.medium"
	if state == "running" {
		r.State = "available"
	}
	return r
}
