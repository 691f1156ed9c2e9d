package awssim

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// protocol is the wire form of a service.
type protocol int

const (
	ec2Query   protocol = iota // EC2's own Query dialect and error document
	awsQuery                   // the Query protocol of RDS, STS and others
	awsJSON                    // JSON 1.1, the operation in a header
	awsJSON10                  // JSON 1.0, likewise
	smithyCBOR                 // Smithy's RPC v2 in CBOR, the operation in the path
	restJSON                   // JSON, the operation in method and path, which belong to each action
)

// service is one AWS service: a row, with its actions as rows below.
type service struct {
	name      string // as in a credential scope
	version   string
	protocol  protocol
	namespace string // of the answer's XML; of a service in JSON the prefix of X-Amz-Target
	// also are further protocols that it speaks, with target as that prefix.
	also   []protocol
	target string
	iam    string // its prefix in IAM's actions where that is not name
	// older answers requests of its own version, which are signed for alike; nil: there is none.
	older *service
	// words are its own names of common refusals.
	words   map[string]string
	actions map[string]*action
}

// permission is what IAM calls an action of the service.
func (s *service) permission(action string) string {
	if s.name == "sqs" { // a batch needs what one message needs
		action = strings.TrimSuffix(action, "Batch")
	}
	return cmp.Or(s.iam, s.name) + ":" + action
}

// action is one API action that is modelled. A parameter that takes does not
// list is refused, so that no client believes in an effect that is not there.
type action struct {
	name  string
	takes map[string]bool
	// ids names the parameters that hold resource ids, lists first.
	ids      []string
	mutating bool
	// unpaged are the parameters whose absence puts a listing into the smaller
	// bucket; nil for an action that has only one.
	unpaged []string
	// route is the method and path of an action of a service in REST.
	route string
	// payload: what a request in REST carries is one parameter, Payload.
	payload bool
	run     func(*call, *xw) *Error
}

func (a *action) takesList(name string) bool {
	for t := range a.takes {
		if strings.HasPrefix(t, name+".N") {
			return true
		}
	}
	return false
}

type actionKind int

const (
	read actionKind = iota
	write
)

// does makes the row of an action: kind, parameters (space separated, N for a
// list position), those of them that hold ids, and the function.
func does(kind actionKind, takes, ids string, run func(*call, *xw) *Error) *action {
	a := &action{takes: map[string]bool{}, ids: strings.Fields(ids), mutating: kind == write, run: run}
	for t := range strings.FieldsSeq(takes) {
		a.takes[t] = true
	}
	return a
}

// pagedBy marks the parameters that make a listing a filtered or paginated one.
func (a *action) pagedBy(names ...string) *action {
	a.unpaged = names
	return a
}

func (a *action) isUnpaged(p params) bool {
	if a.unpaged == nil {
		return false
	}
	for k := range p {
		if slices.Contains(a.unpaged, strings.SplitN(k, ".", 2)[0]) {
			return false
		}
	}
	return true
}

// named collects the resource ids of a request for the log and the faults.
func (a *action) named(p params) []string {
	var out []string
	for _, name := range a.ids {
		if v := p[name]; v != "" {
			out = append(out, v)
		}
		out = append(out, p.list(name)...)
	}
	return out
}

const ec2Filters = " Filter.N.Name Filter.N.Value.N "

// services are all services the simulator answers for. To add one, add a row;
// to add an action, add a row to its service.
func services() map[string]*service {
	all := []*service{
		{
			name: "ec2", version: "2016-11-15", protocol: ec2Query,
			namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
			actions: map[string]*action{
				"DescribeInstances":            does(read, "InstanceId.N MaxResults NextToken DryRun"+ec2Filters, "InstanceId", describeInstances).pagedBy("Filter", "MaxResults", "NextToken"),
				"DescribeInstanceStatus":       does(read, "InstanceId.N MaxResults NextToken IncludeAllInstances DryRun"+ec2Filters, "InstanceId", describeInstanceStatus).pagedBy("Filter", "MaxResults", "NextToken"),
				"DescribeInstanceAttribute":    does(read, "InstanceId Attribute DryRun", "InstanceId", describeInstanceAttribute),
				"DescribeSpotInstanceRequests": does(read, "SpotInstanceRequestId.N MaxResults NextToken DryRun"+ec2Filters, "SpotInstanceRequestId", describeSpotInstanceRequests).pagedBy("Filter", "MaxResults", "NextToken"),
				"DescribeInstanceTypes":        does(read, "InstanceType.N MaxResults NextToken DryRun"+ec2Filters, "", describeInstanceTypes),
				"DescribeSnapshots":            does(read, "Owner.N MaxResults NextToken DryRun"+ec2Filters, "", describeSnapshots).pagedBy("Filter", "MaxResults", "NextToken"),
				"DescribeImages":               does(read, "ImageId.N Owner.N ExecutableBy.N MaxResults NextToken IncludeDeprecated DryRun"+ec2Filters, "ImageId", describeImages),
				"DescribeTags":                 does(read, "MaxResults NextToken DryRun"+ec2Filters, "", describeTags),
				"DescribeRegions":              does(read, "RegionName.N AllRegions DryRun"+ec2Filters, "", describeRegions),
				"DescribeAvailabilityZones":    does(read, "ZoneName.N ZoneId.N AllAvailabilityZones DryRun"+ec2Filters, "", describeZones),
				"StartInstances":               does(write, "InstanceId.N DryRun", "InstanceId", startInstances),
				"StopInstances":                does(write, "InstanceId.N Force Hibernate DryRun", "InstanceId", stopInstances),
				"RebootInstances":              does(write, "InstanceId.N DryRun", "InstanceId", rebootInstances),
				"TerminateInstances":           does(write, "InstanceId.N DryRun", "InstanceId", terminateInstances),
				"RunInstances": does(write, "ImageId InstanceType MinCount MaxCount ClientToken DryRun KeyName SubnetId SecurityGroupId.N EbsOptimized "+
					"Placement.AvailabilityZone Placement.Tenancy Monitoring.Enabled DisableApiStop DisableApiTermination InstanceInitiatedShutdownBehavior "+
					"HibernationOptions.Configured InstanceMarketOptions.MarketType InstanceMarketOptions.SpotOptions.SpotInstanceType "+
					"InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior "+
					"CapacityReservationSpecification.CapacityReservationPreference CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId "+
					"TagSpecification.N.ResourceType TagSpecification.N.Tag.N.Key TagSpecification.N.Tag.N.Value", "", runInstances),
				"DescribeCapacityReservations":    does(read, "CapacityReservationId.N MaxResults NextToken DryRun"+ec2Filters, "CapacityReservationId", describeCapacityReservations),
				"GetGroupsForCapacityReservation": does(read, "CapacityReservationId MaxResults NextToken DryRun", "CapacityReservationId", onReservation(getGroupsForCapacityReservation)),
				"GetCapacityReservationUsage":     does(read, "CapacityReservationId MaxResults NextToken DryRun", "CapacityReservationId", onReservation(getCapacityReservationUsage)),
				"CreateCapacityReservation": does(write, "ClientToken InstanceType InstancePlatform AvailabilityZone AvailabilityZoneId Tenancy InstanceCount EbsOptimized "+
					"EndDate EndDateType InstanceMatchCriteria PlacementGroupArn StartDate CommitmentDuration DeliveryPreference DryRun "+
					"TagSpecifications.N.ResourceType TagSpecifications.N.Tag.N.Key TagSpecifications.N.Tag.N.Value", "", createCapacityReservation),
				"ModifyCapacityReservation": does(write, "CapacityReservationId InstanceCount EndDate EndDateType InstanceMatchCriteria DryRun", "CapacityReservationId", onReservation(modifyCapacityReservation)),
				"CancelCapacityReservation": does(write, "CapacityReservationId DryRun", "CapacityReservationId", onReservation(cancelCapacityReservation)),
				"ModifyInstanceCapacityReservationAttributes": does(write, "InstanceId CapacityReservationSpecification.CapacityReservationPreference "+
					"CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId DryRun", "InstanceId", modifyInstanceCapacityReservationAttributes),
				"ModifyInstanceAttribute": does(write, "InstanceId Attribute Value InstanceType.Value DisableApiStop.Value DisableApiTermination.Value "+
					"EbsOptimized.Value InstanceInitiatedShutdownBehavior.Value DryRun", "InstanceId", modifyInstanceAttribute),
				"CreateTags": does(write, "ResourceId.N Tag.N.Key Tag.N.Value DryRun", "ResourceId", createTags),
				"DeleteTags": does(write, "ResourceId.N Tag.N.Key Tag.N.Value DryRun", "ResourceId", deleteTags),
			},
		},
		{
			name: "rds", version: "2014-10-31", protocol: awsQuery,
			namespace: "http://rds.amazonaws.com/doc/2014-10-31/",
			actions: map[string]*action{
				"DescribeDBInstances": does(read, "DBInstanceIdentifier MaxRecords Marker Filters.N.Name Filters.N.Values.N", "DBInstanceIdentifier", describeDBInstances),
				"StartDBInstance":     does(write, "DBInstanceIdentifier", "DBInstanceIdentifier", onDB(startDBInstance)),
				"StopDBInstance":      does(write, "DBInstanceIdentifier DBSnapshotIdentifier", "DBInstanceIdentifier", onDB(stopDBInstance)),
				"CreateDBInstance": does(write, "DBInstanceIdentifier DBInstanceClass Engine EngineVersion AllocatedStorage MasterUsername MasterUserPassword "+
					"ManageMasterUserPassword AvailabilityZone MultiAZ PreferredMaintenanceWindow PreferredBackupWindow BackupRetentionPeriod Port DBName LicenseModel "+
					"StorageType StorageEncrypted DeletionProtection PubliclyAccessible DBClusterIdentifier Tags.N.Key Tags.N.Value", "DBInstanceIdentifier", createDBInstance),
				"CreateDBInstanceReadReplica": does(write, "DBInstanceIdentifier SourceDBInstanceIdentifier DBInstanceClass AvailabilityZone Tags.N.Key Tags.N.Value", "DBInstanceIdentifier SourceDBInstanceIdentifier", createReadReplica),
				"DeleteDBInstance":            does(write, "DBInstanceIdentifier SkipFinalSnapshot FinalDBSnapshotIdentifier DeleteAutomatedBackups", "DBInstanceIdentifier", onDB(deleteDBInstance)),
				"RebootDBInstance":            does(write, "DBInstanceIdentifier ForceFailover", "DBInstanceIdentifier", onDB(rebootDBInstance)),
				"AddTagsToResource":           does(write, "ResourceName Tags.N.Key Tags.N.Value", "ResourceName", addTagsToResource),
				"RemoveTagsFromResource":      does(write, "ResourceName TagKeys.N", "ResourceName", removeTagsFromResource),
				"ListTagsForResource":         does(read, "ResourceName", "ResourceName", listTagsForResource),
				"DescribeDBClusters":          does(read, "DBClusterIdentifier IncludeShared MaxRecords Marker Filters.N.Name Filters.N.Values.N", "DBClusterIdentifier", describeDBClusters),
				"StartDBCluster":              does(write, "DBClusterIdentifier", "DBClusterIdentifier", onCluster(startDBCluster)),
				"StopDBCluster":               does(write, "DBClusterIdentifier", "DBClusterIdentifier", onCluster(stopDBCluster)),
				"RebootDBCluster":             does(write, "DBClusterIdentifier", "DBClusterIdentifier", onCluster(rebootDBCluster)),
				"CreateDBClusterSnapshot":     does(write, "DBClusterSnapshotIdentifier DBClusterIdentifier Tags.N.Key Tags.N.Value", "DBClusterIdentifier DBClusterSnapshotIdentifier", createDBClusterSnapshot),
				"DeleteDBClusterSnapshot":     does(write, "DBClusterSnapshotIdentifier", "DBClusterSnapshotIdentifier", deleteDBClusterSnapshot),
				"DescribeDBClusterSnapshots":  does(read, "DBClusterIdentifier DBClusterSnapshotIdentifier SnapshotType MaxRecords Marker Filters.N.Name Filters.N.Values.N", "DBClusterSnapshotIdentifier DBClusterIdentifier", describeDBClusterSnapshots),
				"CreateDBSnapshot":            does(write, "DBSnapshotIdentifier DBInstanceIdentifier Tags.N.Key Tags.N.Value", "DBInstanceIdentifier DBSnapshotIdentifier", createDBSnapshot),
				"DeleteDBSnapshot":            does(write, "DBSnapshotIdentifier", "DBSnapshotIdentifier", deleteDBSnapshot),
				"DescribeDBSnapshots":         does(read, "DBInstanceIdentifier DBSnapshotIdentifier SnapshotType MaxRecords Marker Filters.N.Name Filters.N.Values.N", "DBSnapshotIdentifier DBInstanceIdentifier", describeDBSnapshots),
			},
		},
		{
			name: "ssm", version: "2014-11-06", protocol: awsJSON,
			namespace: "AmazonSSM",
			actions: map[string]*action{
				"DescribeMaintenanceWindows": does(read, "Filters.N.Key Filters.N.Values.N MaxResults NextToken", "", describeMaintenanceWindows),
			},
		},
		{
			name: "sts", version: "2011-06-15", protocol: awsQuery,
			namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
			actions: map[string]*action{
				"AssumeRole":        does(read, "RoleArn RoleSessionName ExternalId DurationSeconds", "RoleArn", assumeRole),
				"GetCallerIdentity": does(read, "", "", getCallerIdentity),
			},
		},
	}
	all = append(append(all, ecsServices()...),
		eksService(), cloudwatchService(), sqsService(), autoscalingService(), organizationsService(), redshiftService(), sagemakerService(), secretsService(), elbService(),
		lambdaService(), snsService(), eventsService(), backupService(), groupsService(),
	)
	out := map[string]*service{}
	for _, s := range all {
		if s.name == "ssm" {
			maps.Copy(s.actions, commandActions())
		}
		for of := s; of != nil; of = of.older {
			for name, a := range of.actions {
				a.name = name
			}
		}
		out[s.name] = s
	}
	return out
}
