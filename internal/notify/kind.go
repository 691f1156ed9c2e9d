package notify

import "dayshift/internal/say"

// Text says what a kind of messages is about, for a list of kinds.
func (k Kind) Text() say.Text {
	switch k {
	case ConfigWaits:
		return say.F("a configuration waits")
	case Held:
		return say.F("stops held back")
	case Silent:
		return say.F("Dayshift is silent")
	case SilentOver:
		return say.F("Dayshift is heard again")
	case Failed:
		return say.F("action failed")
	case Shortage:
		return say.F("no capacity")
	case ShortageOver:
		return say.F("capacity found")
	case ReservationFailed:
		return say.F("reservation failed")
	case ReservationShort:
		return say.F("reservation short")
	case ReservationReached:
		return say.F("reservation complete")
	case ReservationIdle:
		return say.F("reservation unused")
	case ReservationReleased:
		return say.F("reservation given back")
	case WorkloadFailed:
		return say.F("workload needs somebody")
	case WorkloadKept:
		return say.F("workload not whole")
	case WorkloadRun:
		return say.F("run of a workload")
	case Gap:
		return say.F("account or region not seen")
	case GapClosed:
		return say.F("account or region seen again")
	case RuleMissed:
		return say.F("rule missed")
	case StopWarning:
		return say.F("stop comes soon")
	case NewResource:
		return say.F("new resource")
	case OverrideEnded:
		return say.F("override ended")
	case Changing:
		return say.F("reboot or change of type")
	case Stopping:
		return say.F("stopping")
	case Starting:
		return say.F("starting")
	case Ready:
		return say.F("ready")
	case Stopped:
		return say.F("stopped")
	case OverrideEndsSoon:
		return say.F("override ends soon")
	case OverrideBegan:
		return say.F("override began")
	case Veto:
		return say.F("stop vetoed")
	case ConfigChanged:
		return say.F("configuration changed")
	case ConfigRefused:
		return say.F("configuration refused")
	case DigestKind:
		return say.F("digest")
	case Trial:
		return say.F("test")
	}
	return say.Raw(string(k))
}

// String is the word of a tone: news, warning or alarm.
func (t Tone) String() string {
	switch t {
	case News:
	case Warning:
		return "warning"
	case Alarm:
		return "alarm"
	}
	return "news"
}

// Trial is the kind of a message by which somebody tries a channel. No event has it, and no channel can choose it.
const Trial Kind = "test"

// Trial is a message that says that it is a test, and who asked for it.
func (w Words) Trial(by string) Message {
	m := Message{
		Kind: Trial, Count: 1, Language: w.Language, Title: w.say(say.F("This is a test: Dayshift can write here")),
		Lines: []string{w.say(say.F("%s has this channel tested. Nothing has happened, and nobody has to do anything.", by))}, told: []int{1},
	}
	if w.Language == say.English {
		m.Language = ""
	}
	return m
}
