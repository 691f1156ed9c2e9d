package workload

// Reason is one word for why a tier or member is as it is: what it waits for,
// why it failed, why it was left. Details are sentences beside it.
type Reason string

// Why a resource takes no part (Candidate.Left).
const (
	LeftBypassed   Reason = "bypassed"   // by its tag, or by the tier's bypass
	LeftProtected  Reason = "protected"  // dayshift:protect, or protected in the configuration
	LeftOverridden Reason = "overridden" // a person's override for it alone says otherwise; what it needs stays too
	LeftBarred     Reason = "barred"     // it can not be started or stopped singly: Detail is the bar
)

// What a tier or member waits for.
const (
	WaitsTiers     Reason = "tiers"    // before it in the order
	WaitsListing   Reason = "listing"  // scopes that could not be listed
	WaitsHooks     Reason = "hooks"    // to end
	WaitsTurn      Reason = "turn"     // synchronous, or at_once
	WaitsState     Reason = "state"    // of the provider: starting, stopping, changing
	WaitsResult    Reason = "result"   // of a call
	WaitsRetry     Reason = "retry"    // the last try failed for a reason that passes
	WaitsGates     Reason = "gates"    // that have not passed
	WaitsVetoes    Reason = "vetoes"   // to be answered
	WaitsPlaces    Reason = "places"   // where it is registered is not known
	WaitsDrain     Reason = "drain"    // its connections end
	WaitsHealth    Reason = "health"   // in its load balancers
	WaitsDelay     Reason = "delay"    // after the tier
	WaitsSomebody  Reason = "somebody" // the run is held
	WaitsUntilBack Reason = "undo"     // the run is being taken back
)

// How a tier or member ended, where its end alone does not say it.
const (
	WhyAlready    Reason = "already"    // it ran, or had stopped, before the run came to it
	WhyOtherType  Reason = "other-type" // it ran already, with another type than the profile's
	WhyVetoed     Reason = "vetoed"     // somebody forbids its stop
	WhyUnanswered Reason = "unanswered" // a veto got no answer, which means the same
	WhyForced     Reason = "veto-limit" // vetoes kept it for longer than their limit: it was stopped
	WhyNeeded     Reason = "needed"     // by a member that stays: the tier is not stopped
	WhyGone       Reason = "gone"       // no longer there
	WhyNothing    Reason = "matches-nothing"
	WhyTimeout    Reason = "timeout"
	WhyRefused    Reason = "refused"   // the provider refuses it for good
	WhyFellBack   Reason = "fell-back" // it was started and fell back to stopped
	WhyStayedUp   Reason = "stayed-up" // it was stopped and still runs
	WhyGate       Reason = "gate"      // did not pass in its time
	WhyHook       Reason = "hook"      // with a veto failed
	WhyMembers    Reason = "members"   // of the tier failed
	WhyLeftOut    Reason = "left-out"  // it runs and could not be put back where it was taken out; remembered for the next run
	WhyCancelled  Reason = "cancelled"
	WhyRunEnded   Reason = "run-ended" // before the tier's turn
)
