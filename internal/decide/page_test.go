package decide

//go:generate go test -run TestPage -update .

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/golden"
)

const reasonsPage = "../../docs/why.md"

const pageIntro = `# What the reasons mean, and what to do

<!-- Generated from internal/decide by go generate ./internal/decide. Do not edit. -->

Every decision carries one reason, "nothing to do" included. The words are stored in the record, counted in
` + "`dayshift_decisions_total`, and shown by `dayshift resource list`, `run` and `activity`" + `; a word keeps its meaning for good.
` + "`dayshift explain RESOURCE`" + ` shows the chain that led to it: what governs the resource, what the calendar wants, a day off or an exception where there is one, what is remembered,
what was seen, and which row of [the table](semantics.md#from-wanted-to-done) matched.
`

// sections are the reasons in the order of Reasons, each section from its first
// reason on, with what a person can do. An empty text means nothing need be done.
var sections = []struct {
	title, about string
	reasons      []remedy
}{
	{"Nothing governs it", "Nothing is done to these, whatever their state.", []remedy{
		{ProtectedByTag, "Remove the tag `dayshift:protect` when it is to follow its schedule again."},
		{ProtectedByFilter, "`explain` names the filter; it is one of `protect` in the configuration."},
		{WorkloadMember, "Start or stop the workload; an override for this resource alone moves it alone. Explain says which workload it is."},
		{NoSchedule, "The schedule tag is there and empty. Give it the name of a schedule, or remove it."},
		{UnknownSchedule, "Mend the tag, or add the schedule; `explain` offers the nearest name. Case matters. A changed tag makes the resource new; where the schedule comes back under the same name, it was [an outage](semantics.md#outages)."},
		{ScheduleInvalid, "`explain` shows the fault. It counts as [an outage](semantics.md#outages): what was missed is made up for."},
		{ScheduleDisabled, "`enabled: true` puts it to work again; nothing that passed meanwhile is made up for."},
	}},
	{"It cannot be acted on now", "It is looked at again by itself.", []remedy{
		{ActionUnderWay, "Wait. A start or stop that does not arrive counts as failed after 15 minutes (EC2) or 60 minutes (RDS)."},
		{Changing, "Wait: somebody else began this."},
		{Busy, "Wait: a database is being changed, upgraded or backed up, or is in trouble; its state is in the table."},
		{BackingOff, "Read the last error in `explain`: a permission, a capacity, a quota. `run` does not shorten the wait."},
		{CapacityGivenUp, "It is tried again at the next boundary of its schedule, or at once when the list in its tag `dayshift:instance-types` changes or somebody runs `dayshift start`. `capacity_deadline` says how long it is tried."},
	}},
	{"Stopped is wanted", "", []remedy{
		{PeriodEnded, ""},
		{EnforcedStop, "Who needs it longer: change the schedule, or put another one on it."},
		{NewResourceStop, "Wrong: mend the tag or the periods and start it again; it is respected then. `stop_new_instances: false` leaves new ones alone."},
		{RetryStop, "The last error is in `explain`."},
		{MissedStop, "Dayshift, its store or its access to AWS was away at the end of a period."},
		{ManualUptimeOver, "`max_manual_uptime` of the schedule says how long; start it again for as long once more."},
		{ProviderRestart, "AWS starts a stopped database after seven days. Nothing can be done against that, only after it."},
		{NewResourceAnnounced, "It will be stopped at the time that is named, unless its tag or its schedule is changed before."},
		{NewResourceGrace, "As above; the grace counts from the announcement."},
		{NewResourceKept, "From now on it follows its schedule: the end of its next period stops it."},
		{RetainedAtEnd, "`retain_running` of the schedule says so. The next end stops it, unless it ran before the begin again."},
		{ManualStart, "It is stopped at the end of its next period, or after `max_manual_uptime` where that is set."},
		{AlreadyStopped, ""},
		{ModeStartOnly, "`mode: start-only` of the schedule says so."},
	}},
	{"Running is wanted", "", []remedy{
		{PeriodBegan, ""},
		{EnforcedStart, "Who needs it stopped: change the schedule, or put another one on it."},
		{RetryStart, "The last error is in `explain`."},
		{MissedStart, "Dayshift, its store or its access to AWS was away at the begin of a period."},
		{ResizeStop, "It will be down for some minutes. `period@type` in the schedule asks for the type."},
		{ResizeStart, ""},
		{HeldStart, "Nothing, where it is seen once. Where it comes back, the failures before it say which permission is missing."},
		{Retained, "`retain_running` of the schedule says so."},
		{TypeRefused, "The note in the record says why: no capacity, a type that does not fit the instance, or a rule. It is asked for again at its next start."},
		{ManualStop, "It is started at its next begin. `enforced: true` would undo it at once."},
		{AlreadyRunning, ""},
		{ModeStopOnly, "`mode: stop-only` of the schedule says so."},
	}},
	{"Neither is wanted", "", []remedy{
		{LeftAlone, "A period without `begintime` or without `endtime` wants nothing for a part of the day."},
	}},
	{"A person decided", "An [override](semantics.md#overrides) comes before the schedule and its `mode`, never before a protection.", []remedy{
		{OverrideStart, "`dayshift override list` shows whose it is and until when; `override clear` ends it."},
		{OverrideStop, "As above. Started by hand meanwhile, it is stopped again."},
		{OverrideRunning, "It ends by itself. Stopped by hand meanwhile, it is started again."},
		{OverrideStopped, "It ends by itself; the schedule counts again from then on."},
		{OverrideEnded, "Who needs it longer: `dayshift start` or `stop` with a new end, best while the old one lasts."},
	}},
	{"A maintenance window is open", "The preferred window of a database, from ten minutes before it, and the SSM windows that the schedule names count as running time.", []remedy{
		{WindowStart, "`use_maintenance_window: false` of the schedule leaves it stopped."},
		{WindowRunning, ""},
		{WindowManual, "It is started once for each window. `enforced: true` would start it again."},
		{WindowEnded, ""},
	}},
	{"A rule fired", "A rule acts once, and the schedule counts again from its next boundary. The last six say why a rule did nothing; they stand in the record beside the decision.", []remedy{
		{RuleStart, ""},
		{RuleStop, ""},
		{RuleReboot, ""},
		{RuleResize, "It will be down for some minutes where it was running."},
		{RuleRunning, "It is stopped at the end of its next period; `max_manual_uptime` does not count, as nobody started it by hand."},
		{RuleStopped, "It is started at its next begin. `enforced: true` of the schedule would keep rules from stopping it."},
		{RuleNothing, ""},
		{RuleOverridden, "`dayshift override list` shows the decision."},
		{RuleEnforced, "Take `enforced` off the schedule, or give the rule a filter that leaves this resource out."},
		{RuleOvertaken, "Two rules, or a rule and a schedule, mean the same resource at about the same time: move one of them."},
		{RuleLate, "The failures before it say what was in the way: a permission, a capacity, a change that did not end in time."},
		{RuleUnsupported, "Only EC2 instances change their type. Give the rule `resource-type` in its filter."},
	}},
	{"It must not be stopped singly", "Of these, instance-store, one-time Spot and stop-protected instances and Redshift clusters with HSM or without automated snapshots may be started; all others are left alone both ways.", []remedy{
		{GroupMember, "Take the schedule tag off; the group would replace a member that stops. Tag the group instead."},
		{InstanceStoreRoot, "AWS can only terminate it."},
		{SpotOneTime, "AWS can only terminate it. Without the permission `ec2:DescribeSpotInstanceRequests` every Spot instance counts as one."},
		{StopProtected, "Switch stop protection off (`aws ec2 modify-instance-attribute --instance-id ID --no-disable-api-stop`; of a group the scale-in protection of new instances). It is tried again at its next end, after a day where nothing else is ever wanted."},
		{ReadReplica, "AWS does not stop replicas."},
		{ReplicaSource, "AWS does not stop a database with replicas."},
		{ClusterMember, "Tag the cluster instead, and take the schedule tag off its member."},
		{SQLServerMultiAZ, "AWS does not stop it."},
		{ServerlessV1, "AWS does not stop it. It can pause by itself (`AutoPause`), or be upgraded to Serverless v2, which can be stopped."},
		{GlobalDatabase, "AWS does not stop its primary or secondary clusters. Take the cluster out of the global database, or the schedule tag off."},
		{MultiAZCluster, "AWS does not stop a Multi-AZ DB cluster (a Multi-AZ DB instance it does), nor pause a Redshift cluster in two zones."},
		{ServiceManaged, "Take the schedule tag off the group, and tag what owns it: the EKS node group, for instance."},
		{ScalingSuspended, "Resume the processes Launch and Terminate of the group (`aws autoscaling resume-processes --auto-scaling-group-name NAME`)."},
		{DaemonService, "Take the schedule tag off. Its tasks end when the machines of the cluster stop: schedule these."},
		{ExternalDeployer, "Take the schedule tag off, or schedule it in the program that deploys it."},
		{HSMCluster, "AWS does not pause it. Encrypted with a KMS key it could be."},
		{NoAutoSnapshots, "Give it a retention (`aws redshift modify-cluster --cluster-identifier ID --automated-snapshot-retention-period 1`): AWS resumes from such a snapshot."},
	}},
}

type remedy struct {
	reason Reason
	advice string
}

// TestPage holds docs/why.md to the reasons that there are. With -update it writes it anew.
func TestPage(t *testing.T) {
	text := pageIntro + page(t)
	golden.Check(t, reasonsPage, text, "go generate ./internal/decide")
}

func page(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	var shown []Reason
	for _, section := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n", section.title)
		if section.about != "" {
			b.WriteString(section.about + "\n\n")
		}
		b.WriteString("| reason | it means | what to do |\n| --- | --- | --- |\n")
		for _, r := range section.reasons {
			advice := r.advice
			if advice == "" {
				advice = "Nothing."
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.reason, r.reason.Sentence(), advice)
			shown = append(shown, r.reason)
		}
	}
	if diff := cmp.Diff(Reasons, shown); diff != "" {
		t.Errorf("the page has other reasons, or another order, than Reasons (-Reasons +page):\n%s", diff)
	}
	return b.String()
}
