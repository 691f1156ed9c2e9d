// Package awssim is a simulated AWS: EC2, Auto Scaling, RDS, Redshift, ECS, EKS's node groups, SageMaker's
// notebook instances, Systems Manager's maintenance windows, CloudWatch's alarms, Secrets Manager, Organizations and STS over their real wire
// protocols, for tests, benchmarks, the demo and rehearsals. Any client can use
// it: the SDKs, boto3, the aws command line, with their endpoint set to it.
//
// # What it guarantees
//
// It answers as AWS does, or refuses. An action, parameter or filter that is
// not modelled gets AWS's own error (InvalidAction, UnknownParameter,
// InvalidParameterValue), so that no test passes by accident. Batches are all or
// nothing, with AWS's codes and the ids named. Token buckets, page bounds and
// state changes follow AWS's documentation; see AWSLimits and DefaultDurations.
//
// Everything that looks like chance comes from Options.Seed.
//
// # Time
//
// A resource's future is fixed when a command is accepted: pending now, running
// in 12 seconds; stopped, and started by RDS after 7 days. States are read off
// the clock, nothing runs in the background, and so real, sped-up and virtual
// (testing/synctest, with Transport) clocks work alike. Token buckets and states
// live in simulated time. Latency, delays, sessions and page tokens live in
// base time, the clock of the clients.
//
// # Who calls
//
// Service and region are those of the Signature Version 4 credential scope;
// the signature itself is not verified, since no secret key is known. The
// account is that of the session for keys from AssumeRole; else of Options.Keys;
// else an access key id of twelve digits is the account itself; else the default
// account. The partition follows from the region. A role can be assumed when its
// account exists, lists it (or lists none) and the external id is right.
//
// # The simulator's own interface
//
// Beside AWS's requests on /, ServeHTTP answers:
//
//	GET    /_sim/calls?after=SEQ   the calls as JSON lines (Call)
//	DELETE /_sim/calls             forget them and zero the counts
//	GET    /_sim/stats             counts (Stats)
//	GET    /_sim/fleet             the present fleet as a fleet file
//	POST   /_sim/fleet             add a fleet file's content
//	GET    /_sim/faults            faults in force with their hits
//	PUT    /_sim/faults            replace them (YAML or JSON list)
//	DELETE /_sim/faults            end them
//	PUT    /_sim/guest?instance=ID what is inside an instance (YAML or JSON: Guest)
//	GET    /_sim/capacity          the pools that run short, with what is free of them
//	PUT    /_sim/capacity          replace them (YAML or JSON list)
//	DELETE /_sim/capacity          no pool runs short
//	GET    /_sim/messages          what was published to topics of SNS, as JSON lines (Published)
//	GET    /_sim/events            what was put on buses of EventBridge, as JSON lines (PutEvent)
//	GET    /_sim/clock             {"now", "start", "speed"}
//	POST   /_sim/clock?advance=1h&speed=60
//	POST   /_sim/sessions/expire   end all sessions of AssumeRole
//	POST   /_sim/reset             forget accounts, resources and calls
//
// There is no authentication: it belongs on loopback.
//
// # What it leaves out
//
// Sharing, quotes and fleets of Capacity Reservations, volumes, networks, scaling policies, public addresses, quotas on vCPUs, prices,
// interruption and renewed launches of Spot instances, and IAM beyond roles with
// allowed and denied actions.
package awssim
