package notify

import (
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Where the resources of examples are: an account of AWS's own documentation.
var exampleScope = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}

// exampleZone is where the schedule of examples is.
var exampleZone = time.FixedZone("KST", 9*60*60)

// Example is a notice of the kind as it could be told at a time.
func Example(kind Kind, at time.Time) Notice {
	at = at.In(exampleZone)
	instance := func(id, name string, text say.Text) Event {
		return Event{Kind: kind, Schedule: "seoul-office", Ref: fleet.Ref{Scope: exampleScope, Kind: fleet.EC2Instance, ID: id}, Name: name, Text: text, At: at}
	}
	both := func(text say.Text) []Event {
		return []Event{instance("i-0a1b2c3d4e5f60718", "web-1", text), instance("i-0b2c3d4e5f6071829", "batch", text)}
	}
	workload := func(text say.Text) []Event {
		return []Event{{Kind: kind, Workload: "shop", Name: "shop", Text: text, At: at}}
	}
	scope := func(text say.Text) []Event {
		return []Event{{Kind: kind, Ref: fleet.Ref{Scope: exampleScope}, Name: exampleScope.String(), Text: text, At: at}}
	}
	instant := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	soon := at.Add(10 * time.Minute).Truncate(time.Minute)
	var events []Event
	switch kind {
	case StopWarning:
		events = both(say.F("will be stopped at %s", say.Moment(soon)))
		for i := range events {
			events[i].At = soon
		}
	case NewResource:
		events = both(say.F("was not seen before and runs outside its periods; it will be stopped at %s", say.Moment(at.Add(time.Hour))))
	case Failed:
		events = both(say.F("%s failed %d times: %v", say.Word("start"), 3, "UnauthorizedOperation"))[:1]
	case Shortage:
		events = both(say.F("no capacity for %s in %s; tries %s next", "m5.large", "ap-northeast-2a", "m5a.large"))[:1]
	case Held:
		events = both(say.F("held back: the pass would stop %d resources, max_stops allows %.0f; %s", 31, 20.0,
			say.F("confirm it if it is meant (run --yes), or mend the schedule or tag that asks for it")))
	case Gap:
		events = scope(say.Raw("AccessDenied: sts:AssumeRole"))
	case RuleMissed:
		events = scope(say.F("rule %q missed %s: nothing could be done then, and it is too long ago to make it up", "nightly", instant(at)))
	case ConfigWaits:
		events = []Event{{Kind: kind, Text: say.F("the changed configuration waits until somebody confirms it (run --yes), the running one stays: %s", "31 > 20"), At: at}}
	case Ready:
		events = both(say.Clauses(say.F("ready within %s", 2*time.Minute+10*time.Second), say.F("its status checks have passed")))
	case Stopped:
		events = both(say.F("stopped within %s", time.Minute+5*time.Second))
	case OverrideBegan:
		events = both(say.F("%s wants it %s %s", "minji", say.Word("running"), say.F("until %s", say.Moment(at.Add(2*time.Hour).Truncate(time.Minute)))))[:1]
	case OverrideEndsSoon:
		events = both(say.F("what %s keeps stopped may start again at %s", "minji", say.Moment(soon)))[:1]
	case OverrideEnded:
		events = both(say.F("its time is over"))[:1]
	case ConfigChanged:
		events = []Event{{Kind: kind, Name: "minji", Text: say.Raw("schedules.seoul-office.notify_before_stop: 5m → 10m"), At: at}}
	case ConfigRefused:
		events = []Event{{Kind: kind, Text: say.F("%s: %s", "dayshift.yaml:12:5", say.F("is given twice")), At: at}}
	case Veto:
		events = workload(say.F("%s: %s", "https://veto.example.com", "409"))
	case ReservationReached, ReservationShort, ReservationIdle, ReservationReleased, ReservationFailed:
		events = []Event{{Kind: kind, Ref: fleet.Ref{Scope: exampleScope}, Name: "sale", Text: say.Raw("8 × m5.large, ap-northeast-2a"), At: at}}
	case WorkloadFailed:
		events = workload(say.F("tier %s failed: %s", "database", "InvalidDBInstanceState"))
	case WorkloadKept:
		events = workload(say.F("stops after tier %s, which is not stopped", "web"))
	case WorkloadRun:
		events = workload(say.F("%s begins", say.F("Workload %s: the %s", "shop", say.Word("start"))))
	case Silent, SilentOver:
		events = []Event{{Kind: kind, At: at}}
	case GapClosed:
		events = scope(say.Text{})
	default: // what is accepted of resources, or has been
		events = both(say.Text{})
	}
	return Group(events, BySubject)[0]
}
