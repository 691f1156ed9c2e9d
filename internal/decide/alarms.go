package decide

import (
	"slices"
	"strconv"
	"strings"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Alarms are muted for a stop and restored once it runs again. Two things are
// remembered, each written before what follows from it:
//
//   - that muting is due: Intent.Mute before the call of the stop, Memory.Mute
//     where the stop came to its end before that was done;
//   - Memory.Muted, the names: before the first of them is muted, until they are restored.
//
// So a process that dies at any point leaves behind what is still to be done.
// An alarm is muted at most once for a stop, so that a person who enables its
// actions again meanwhile is not overruled.

// chooseMute says whether alarms are muted once a stop is accepted. A stop that
// makes way for another type lasts minutes, in which an alarm may rightly speak.
func (x *decider) chooseMute() {
	stops := x.Verb == fleet.Stop || x.Verb == fleet.Hibernate
	x.mutes = x.s != nil && x.s.MuteAlarms
	x.Mute = stops && !x.Resize && x.Fire.Verb != fleet.Resize && (x.mutes || x.Fire.Mute)
	if x.Mute {
		x.say("alarms", func() say.Text { return say.F("its alarms are muted once the provider takes the call") })
	}
}

// sayMuted shows the alarms that were muted for it.
func (x *decider) sayMuted() {
	if names := x.m.MutedAlarms(); len(names) > 0 {
		x.say("alarms", func() say.Text { return say.F("muted until it runs again: %s", AlarmList(names)) })
	}
}

// alarmsShown bounds the alarms that are named in a sentence.
const alarmsShown = 5

// AlarmList names alarms in a sentence.
func AlarmList(names []string) say.Text {
	var words []say.Text
	for _, name := range names[:min(len(names), alarmsShown)] {
		words = append(words, say.Raw(strconv.Quote(name)))
	}
	if more := len(names) - len(words); more > 0 {
		words = append(words, say.F("%d more", more))
	}
	return say.List(words...)
}

// MutedAlarms are the names of the alarms that were muted for it, or were about to be, ordered.
func (m Memory) MutedAlarms() []string {
	if m.Muted == "" {
		return nil
	}
	return strings.Split(m.Muted, "\n")
}

// alarmsCount reports whether the alarms of a resource that is not acted on matter
// to a pass: some are to be muted or restored, or those of another one may be
// muted because it is down as well.
func (d *Decision) alarmsCount() bool {
	down := d.Resource.State == fleet.Stopped || d.Resource.State == fleet.Stopping
	return d.Memory.Mute || d.Memory.Muted != "" || down && d.mutes
}

// MuteDue reports whether alarms are still to be muted for a stop: the provider
// took it, or it is seen that somebody did.
func (m Memory) MuteDue(state fleet.State) bool {
	down := state == fleet.Stopped || state == fleet.Stopping
	if m.Intent != nil && m.Intent.Mute {
		return down || !m.Intent.Accepted.IsZero()
	}
	return m.Mute && down
}

// RestoreDue reports whether alarms are to be restored, or forgotten: it runs, and neither a stop nor a start is under way.
func (m Memory) RestoreDue(state fleet.State) bool {
	return (m.Muted != "" || m.Mute) && state == fleet.Running && m.Intent == nil
}

// Muting is what to remember before alarms are muted. The names have no control characters.
func (m Memory) Muting(names []string) Memory {
	all := slices.Concat(m.MutedAlarms(), names)
	slices.Sort(all)
	m.Muted = strings.Join(slices.Compact(all), "\n")
	return m
}

// WasMuted is what to remember once every alarm that was to be muted is.
func (m Memory) WasMuted() Memory {
	m.Mute = false
	if m.Intent != nil && m.Intent.Mute {
		intent := *m.Intent
		intent.Mute = false
		m.Intent = &intent
	}
	return m
}

// WasRestored is what to remember once its alarms are restored, or it is gone.
func (m Memory) WasRestored() Memory {
	m.Mute, m.Muted = false, ""
	return m
}
