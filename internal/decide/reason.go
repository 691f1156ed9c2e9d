package decide

import (
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// Reason is the one word that every decision carries, "nothing" included. It is
// stored, counted and shown; a word once published keeps its meaning.
type Reason string

// Nothing governs the resource: the words are those of the policy.
const (
	ProtectedByTag    = Reason(policy.ProtectedByTag)
	ProtectedByFilter = Reason(policy.ProtectedByFilter)
	WorkloadMember    = Reason(policy.WorkloadMember)
	NoSchedule        = Reason(policy.NoSchedule)
	UnknownSchedule   = Reason(policy.UnknownSchedule)
	ScheduleInvalid   = Reason(policy.ScheduleInvalid)
	ScheduleDisabled  = Reason(policy.ScheduleDisabled)
)

// The resource can not be acted on now.
const (
	ActionUnderWay Reason = "action-under-way"
	Changing       Reason = "changing"
	Busy           Reason = "busy"
	BackingOff     Reason = "backing-off"
	// CapacityGivenUp: no capacity for its start until the deadline.
	CapacityGivenUp Reason = "capacity-given-up"
)

// Stopped is wanted.
const (
	PeriodEnded          Reason = "period-ended"
	EnforcedStop         Reason = "enforced-stop"
	NewResourceStop      Reason = "new-resource-stop"
	RetryStop            Reason = "retry-stop"
	MissedStop           Reason = "missed-stop"
	ManualUptimeOver     Reason = "manual-uptime-over"
	ProviderRestart      Reason = "provider-restart"
	NewResourceAnnounced Reason = "new-resource-announced"
	NewResourceGrace     Reason = "new-resource-grace"
	NewResourceKept      Reason = "new-resource-kept"
	RetainedAtEnd        Reason = "retained-at-end"
	ManualStart          Reason = "manual-start"
	AlreadyStopped       Reason = "already-stopped"
	ModeStartOnly        Reason = "mode-start-only"
)

// Running is wanted.
const (
	PeriodBegan   Reason = "period-began"
	EnforcedStart Reason = "enforced-start"
	RetryStart    Reason = "retry-start"
	MissedStart   Reason = "missed-start"
	ResizeStop    Reason = "resize-stop"
	ResizeStart   Reason = "resize-start"
	// HeldStart: it runs, and what was switched off beside it for a stop is still off.
	HeldStart      Reason = "held-start"
	Retained       Reason = "retained"
	TypeRefused    Reason = "type-refused"
	ManualStop     Reason = "manual-stop"
	AlreadyRunning Reason = "already-running"
	ModeStopOnly   Reason = "mode-stop-only"
)

// A person decided (SEMANTICS 6).
const (
	OverrideStart   Reason = "override-start"
	OverrideStop    Reason = "override-stop"
	OverrideRunning Reason = "override-running"
	OverrideStopped Reason = "override-stopped"
	OverrideEnded   Reason = "override-ended"
)

// A maintenance window is open (SEMANTICS 8).
const (
	WindowStart   Reason = "window-start"
	WindowRunning Reason = "window-running"
	WindowManual  Reason = "window-manual"
	WindowEnded   Reason = "window-ended"
)

// A rule fired (SEMANTICS 7).
const (
	RuleStart  Reason = "rule-start"
	RuleStop   Reason = "rule-stop"
	RuleReboot Reason = "rule-reboot"
	RuleResize Reason = "rule-resize"
	// A rule brought it into the state that its schedule does not want.
	RuleRunning Reason = "rule-running"
	RuleStopped Reason = "rule-stopped"
	// Why the action of a rule was dropped.
	RuleNothing    Reason = "rule-nothing-to-do"
	RuleOverridden Reason = "rule-overridden"
	RuleEnforced   Reason = "rule-enforced"
	RuleOvertaken  Reason = "rule-overtaken"
	RuleLate       Reason = "rule-late"
	// RuleUnsupported: this kind of resource can not do that.
	RuleUnsupported Reason = "rule-unsupported"
)

// LeftAlone is the answer where the schedule wants neither.
const LeftAlone Reason = "left-alone"

// The resource must not be stopped (or started) singly: the words are those of the bars.
const (
	GroupMember       = Reason(fleet.GroupMember)
	InstanceStoreRoot = Reason(fleet.InstanceStoreRoot)
	SpotOneTime       = Reason(fleet.SpotOneTime)
	StopProtected     = Reason(fleet.StopProtected)
	ReadReplica       = Reason(fleet.ReadReplica)
	ReplicaSource     = Reason(fleet.ReplicaSource)
	ClusterMember     = Reason(fleet.ClusterMember)
	SQLServerMultiAZ  = Reason(fleet.SQLServerMultiAZ)
	ServerlessV1      = Reason(fleet.ServerlessV1)
	GlobalDatabase    = Reason(fleet.GlobalDatabase)
	MultiAZCluster    = Reason(fleet.MultiAZCluster)
	ServiceManaged    = Reason(fleet.ServiceManaged)
	ScalingSuspended  = Reason(fleet.ScalingSuspended)
	DaemonService     = Reason(fleet.DaemonService)
	ExternalDeployer  = Reason(fleet.ExternalDeployer)
	HSMCluster        = Reason(fleet.HSMCluster)
	NoAutoSnapshots   = Reason(fleet.NoAutoSnapshots)
)

// Reasons are all reasons in the order of the documentation.
var Reasons = []Reason{
	ProtectedByTag, ProtectedByFilter, WorkloadMember, NoSchedule, UnknownSchedule, ScheduleInvalid, ScheduleDisabled,
	ActionUnderWay, Changing, Busy, BackingOff, CapacityGivenUp,
	PeriodEnded, EnforcedStop, NewResourceStop, RetryStop, MissedStop, ManualUptimeOver, ProviderRestart,
	NewResourceAnnounced, NewResourceGrace, NewResourceKept, RetainedAtEnd, ManualStart, AlreadyStopped, ModeStartOnly,
	PeriodBegan, EnforcedStart, RetryStart, MissedStart, ResizeStop, ResizeStart, HeldStart,
	Retained, TypeRefused, ManualStop, AlreadyRunning, ModeStopOnly,
	LeftAlone,
	OverrideStart, OverrideStop, OverrideRunning, OverrideStopped, OverrideEnded,
	WindowStart, WindowRunning, WindowManual, WindowEnded,
	RuleStart, RuleStop, RuleReboot, RuleResize, RuleRunning, RuleStopped,
	RuleNothing, RuleOverridden, RuleEnforced, RuleOvertaken, RuleLate, RuleUnsupported,
	GroupMember, InstanceStoreRoot, SpotOneTime, StopProtected, ReadReplica, ReplicaSource, ClusterMember, SQLServerMultiAZ,
	ServerlessV1, GlobalDatabase, MultiAZCluster,
	ServiceManaged, ScalingSuspended,
	DaemonService, ExternalDeployer,
	HSMCluster, NoAutoSnapshots,
}

var sentences = map[Reason]say.Text{
	ProtectedByTag:    say.F("It carries the tag dayshift:protect=true, so nothing is ever done to it."),
	ProtectedByFilter: say.F("A filter of the configuration protects it, so nothing is ever done to it."),
	WorkloadMember:    say.F("It is a member of a workload, which starts and stops it together with the others, in their order."),
	NoSchedule:        say.F("It names no schedule."),
	UnknownSchedule:   say.F("Its tag names a schedule that does not exist."),
	ScheduleInvalid:   say.F("Its schedule has a fault and decides nothing until that is mended."),
	ScheduleDisabled:  say.F("Its schedule is disabled and decides nothing."),

	ActionUnderWay: say.F("An action was begun and its end has not been seen yet."),
	Changing:       say.F("It is on its way up or down; it is looked at again when it has arrived."),
	Busy:           say.F("It is in a state in which it can be neither started nor stopped; it is looked at again."),
	BackingOff:     say.F("The last try failed; the next one waits."),

	CapacityGivenUp: say.F("AWS had no capacity for it until the deadline, so its start is given up until something else is wanted of it."),

	PeriodEnded:          say.F("Its schedule wants it stopped since the period ended."),
	EnforcedStop:         say.F("Its schedule wants it stopped and enforces that at every pass."),
	NewResourceStop:      say.F("It was found running outside its periods, and the grace for new resources is over."),
	RetryStop:            say.F("An earlier stop failed and is tried again."),
	MissedStop:           say.F("Its stop fell into a time in which nothing was decided, and is made up for."),
	ManualUptimeOver:     say.F("A person started it while its schedule wanted it stopped, and the time allowed for that is over."),
	ProviderRestart:      say.F("The provider started it by itself, as it does after seven days; it is stopped again."),
	NewResourceAnnounced: say.F("It was found running outside its periods; that it will be stopped is announced first."),
	NewResourceGrace:     say.F("It is new and runs outside its periods; its stop is announced and waits for the grace to end."),
	NewResourceKept:      say.F("It was running when it was first seen, and its schedule does not stop new resources."),
	RetainedAtEnd:        say.F("A person had started it before the period began, so the end of the period leaves it running."),
	ManualStart:          say.F("A person started it while its schedule wanted it stopped; that is respected."),
	AlreadyStopped:       say.F("It is stopped, as its schedule wants."),
	ModeStartOnly:        say.F("It should be stopped, but its schedule only starts."),

	PeriodBegan:    say.F("Its schedule wants it running since the period began."),
	EnforcedStart:  say.F("Its schedule wants it running and enforces that at every pass."),
	RetryStart:     say.F("An earlier start failed and is tried again."),
	MissedStart:    say.F("Its start fell into a time in which nothing was decided, and is made up for."),
	ResizeStop:     say.F("The period wants another instance type; it is stopped to be changed and started again."),
	ResizeStart:    say.F("It was stopped to change its type and is started again."),
	HeldStart:      say.F("It runs, but its scaling is still switched off from a stop; that is switched on again."),
	Retained:       say.F("A person had started it before the period began; it is left to that person."),
	TypeRefused:    say.F("The type that the period wants could not be had, or a rule gave it another one; it runs with that until its next start."),
	ManualStop:     say.F("A person stopped it inside its period; that is respected until the next begin."),
	AlreadyRunning: say.F("It is running, as its schedule wants."),
	ModeStopOnly:   say.F("It should be started, but its schedule only stops."),

	LeftAlone: say.F("Its schedule wants it neither running nor stopped now, so it is left as it is."),

	OverrideStart:   say.F("A person wants it running for a while, whatever its schedule says."),
	OverrideStop:    say.F("A person wants it stopped for a while, whatever its schedule says."),
	OverrideRunning: say.F("It is running, as a person wants for a while."),
	OverrideStopped: say.F("It is stopped, as a person wants for a while."),
	OverrideEnded:   say.F("The time that a person had asked for is over; its schedule counts again."),

	WindowStart:   say.F("A maintenance window is open, so it is started."),
	WindowRunning: say.F("It is running, and a maintenance window is open."),
	WindowManual:  say.F("It was stopped while its maintenance window is open; that is respected."),
	WindowEnded:   say.F("Its maintenance window is over, and its schedule wants it stopped."),

	RuleStart:      say.F("A rule starts it."),
	RuleStop:       say.F("A rule stops it."),
	RuleReboot:     say.F("A rule reboots it."),
	RuleResize:     say.F("A rule changes its instance type."),
	RuleRunning:    say.F("A rule started it while its schedule wanted it stopped; that holds until the end of its next period."),
	RuleStopped:    say.F("A rule stopped it inside its period; that holds until the next begin."),
	RuleNothing:    say.F("A rule fired, and it was already as the rule wants."),
	RuleOverridden: say.F("A rule fired, but a person's decision is in force and wins."),
	RuleEnforced:   say.F("A rule fired, but its schedule enforces the opposite."),
	RuleOvertaken:  say.F("A rule fired, but something decided later, or a stop at the same instant, wins."),
	RuleLate:       say.F("The action of a rule could not be carried out in time and is given up."),

	RuleUnsupported: say.F("A rule fired, but this kind of resource can not do what it wants."),

	GroupMember:       say.F("It belongs to an Auto Scaling group, which would replace it; it is left to the group."),
	InstanceStoreRoot: say.F("Its root volume is an instance store, so it can not be stopped."),
	SpotOneTime:       say.F("It is a one-time Spot instance, which can not be stopped."),
	StopProtected:     say.F("Stop protection is switched on."),
	ReadReplica:       say.F("It is a read replica, which can not be stopped."),
	ReplicaSource:     say.F("It is the source of a read replica, which can not be stopped."),
	ClusterMember:     say.F("It belongs to a database cluster, which is started and stopped as a whole."),
	SQLServerMultiAZ:  say.F("SQL Server in several zones can not be stopped."),
	ServerlessV1:      say.F("It is an Aurora Serverless v1 cluster, which can not be stopped."),
	GlobalDatabase:    say.F("It is part of a global database, which can not be stopped."),
	MultiAZCluster:    say.F("It is a cluster in several zones, which can not be stopped."),
	ServiceManaged:    say.F("Another service of the provider scales it; it is left to that service."),
	ScalingSuspended:  say.F("Its owner suspended the launch or the end of its instances, so it would not go down or not come back."),
	DaemonService:     say.F("It is a daemon service, which runs one task on each machine of its cluster and has no number of its own."),
	ExternalDeployer:  say.F("Another program deploys it and decides how many tasks it has; it is left to that program."),
	HSMCluster:        say.F("It is encrypted with a hardware security module (HSM), so it can not be paused."),
	NoAutoSnapshots:   say.F("Its automated snapshots are off, so it can not be paused."),
}

// Sentence describes the reason to people, in one sentence in English.
func (r Reason) Sentence() string { return sentences[r].String() }

// Said implements say.Sayer with that sentence.
func (r Reason) Said() say.Text { return sentences[r] }
