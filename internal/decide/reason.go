package decide

import (
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// Reason is the one word that every decision carries, "nothing" included. It is
// stored, counted and shown; a word once published keeps its meaning.
type Reason string

// Nothing governs the resource: the words are those of the policy.
const (
	ProtectedByTag    = Reason(policy.ProtectedByTag)
	ProtectedByFilter = Reason(policy.ProtectedByFilter)
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
	ProtectedByTag, ProtectedByFilter, NoSchedule, UnknownSchedule, ScheduleInvalid, ScheduleDisabled,
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

var sentences = map[Reason]string{
	ProtectedByTag:    "It carries the tag dayshift:protect=true, so nothing is ever done to it.",
	ProtectedByFilter: "A filter of the configuration protects it, so nothing is ever done to it.",
	NoSchedule:        "It names no schedule.",
	UnknownSchedule:   "Its tag names a schedule that does not exist.",
	ScheduleInvalid:   "Its schedule has a fault and decides nothing until that is mended.",
	ScheduleDisabled:  "Its schedule is disabled and decides nothing.",

	ActionUnderWay: "An action was begun and its end has not been seen yet.",
	Changing:       "It is on its way up or down; it is looked at again when it has arrived.",
	Busy:           "It is in a state in which it can be neither started nor stopped; it is looked at again.",
	BackingOff:     "The last try failed; the next one waits.",

	CapacityGivenUp: "AWS had no capacity for it until the deadline, so its start is given up until something else is wanted of it.",

	PeriodEnded:          "Its schedule wants it stopped since the period ended.",
	EnforcedStop:         "Its schedule wants it stopped and enforces that at every pass.",
	NewResourceStop:      "It was found running outside its periods, and the grace for new resources is over.",
	RetryStop:            "An earlier stop failed and is tried again.",
	MissedStop:           "Its stop fell into a time in which nothing was decided, and is made up for.",
	ManualUptimeOver:     "A person started it while its schedule wanted it stopped, and the time allowed for that is over.",
	ProviderRestart:      "The provider started it by itself, as it does after seven days; it is stopped again.",
	NewResourceAnnounced: "It was found running outside its periods; that it will be stopped is announced first.",
	NewResourceGrace:     "It is new and runs outside its periods; its stop is announced and waits for the grace to end.",
	NewResourceKept:      "It was running when it was first seen, and its schedule does not stop new resources.",
	RetainedAtEnd:        "A person had started it before the period began, so the end of the period leaves it running.",
	ManualStart:          "A person started it while its schedule wanted it stopped; that is respected.",
	AlreadyStopped:       "It is stopped, as its schedule wants.",
	ModeStartOnly:        "It should be stopped, but its schedule only starts.",

	PeriodBegan:    "Its schedule wants it running since the period began.",
	EnforcedStart:  "Its schedule wants it running and enforces that at every pass.",
	RetryStart:     "An earlier start failed and is tried again.",
	MissedStart:    "Its start fell into a time in which nothing was decided, and is made up for.",
	ResizeStop:     "The period wants another instance type; it is stopped to be changed and started again.",
	ResizeStart:    "It was stopped to change its type and is started again.",
	HeldStart:      "It runs, but its scaling is still switched off from a stop; that is switched on again.",
	Retained:       "A person had started it before the period began; it is left to that person.",
	TypeRefused:    "The type that the period wants could not be had, or a rule gave it another one; it runs with that until its next start.",
	ManualStop:     "A person stopped it inside its period; that is respected until the next begin.",
	AlreadyRunning: "It is running, as its schedule wants.",
	ModeStopOnly:   "It should be started, but its schedule only stops.",

	LeftAlone: "Its schedule wants it neither running nor stopped now, so it is left as it is.",

	OverrideStart:   "A person wants it running for a while, whatever its schedule says.",
	OverrideStop:    "A person wants it stopped for a while, whatever its schedule says.",
	OverrideRunning: "It is running, as a person wants for a while.",
	OverrideStopped: "It is stopped, as a person wants for a while.",
	OverrideEnded:   "The time that a person had asked for is over; its schedule counts again.",

	WindowStart:   "A maintenance window is open, so it is started.",
	WindowRunning: "It is running, and a maintenance window is open.",
	WindowManual:  "It was stopped while its maintenance window is open; that is respected.",
	WindowEnded:   "Its maintenance window is over, and its schedule wants it stopped.",

	RuleStart:      "A rule starts it.",
	RuleStop:       "A rule stops it.",
	RuleReboot:     "A rule reboots it.",
	RuleResize:     "A rule changes its instance type.",
	RuleRunning:    "A rule started it while its schedule wanted it stopped; that holds until the end of its next period.",
	RuleStopped:    "A rule stopped it inside its period; that holds until the next begin.",
	RuleNothing:    "A rule fired, and it was already as the rule wants.",
	RuleOverridden: "A rule fired, but a person's decision is in force and wins.",
	RuleEnforced:   "A rule fired, but its schedule enforces the opposite.",
	RuleOvertaken:  "A rule fired, but something decided later, or a stop at the same instant, wins.",
	RuleLate:       "The action of a rule could not be carried out in time and is given up.",

	RuleUnsupported: "A rule fired, but this kind of resource can not do what it wants.",

	GroupMember:       "It belongs to an Auto Scaling group, which would replace it; it is left to the group.",
	InstanceStoreRoot: "Its root volume is an instance store, so it can not be stopped.",
	SpotOneTime:       "It is a one-time Spot instance, which can not be stopped.",
	StopProtected:     "Stop protection is switched on.",
	ReadReplica:       "It is a read replica, which can not be stopped.",
	ReplicaSource:     "It is the source of a read replica, which can not be stopped.",
	ClusterMember:     "It belongs to a database cluster, which is started and stopped as a whole.",
	SQLServerMultiAZ:  "SQL Server in several zones can not be stopped.",
	ServerlessV1:      "It is an Aurora Serverless v1 cluster, which can not be stopped.",
	GlobalDatabase:    "It is part of a global database, which can not be stopped.",
	MultiAZCluster:    "It is a cluster in several zones, which can not be stopped.",
	ServiceManaged:    "Another service of the provider scales it; it is left to that service.",
	ScalingSuspended:  "Its owner suspended the launch or the end of its instances, so it would not go down or not come back.",
	DaemonService:     "It is a daemon service, which runs one task on each machine of its cluster and has no number of its own.",
	ExternalDeployer:  "Another program deploys it and decides how many tasks it has; it is left to that program.",
	HSMCluster:        "It is encrypted with a hardware security module (HSM), so it can not be paused.",
	NoAutoSnapshots:   "Its automated snapshots are off, so it can not be paused.",
}

// Sentence describes the reason to people, in one sentence.
func (r Reason) Sentence() string { return sentences[r] }
