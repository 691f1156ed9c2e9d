package kinds

import "dayshift/internal/fleet"

// Registry lists the kinds that Dayshift schedules.
//
// The order is the one in which people read them and in which they are listed
// where only one thing can be done at a time: databases before the machines
// that talk to them, because a database takes minutes to come up and a machine
// seconds, and after the others of them the warehouses, which are filled from
// those; groups of machines after single ones, which theirs may talk to, those
// of EKS after plain ones; then services, whose tasks may run on the machines of
// a group; and notebooks last: a person waits for one, and nothing else does.
// Nothing depends on the order for being right: kinds act side by side, and what
// must start after something else is a workload.
var Registry = []Kind{
	rdsCluster,
	rdsInstance,
	redshiftCluster,
	ec2Instance,
	autoscalingGroup,
	eksNodegroup,
	ecsService,
	sagemakerNotebook,
}

// Find returns the row of the kind.
func Find(kind fleet.Kind) (Kind, bool) {
	for _, row := range Registry {
		if row.Kind == kind {
			return row, true
		}
	}
	return Kind{}, false
}
