package notify

import (
	"context"
	"errors"
	"slices"
	"time"

	"dayshift/internal/fleet"
)

// Updater is a Sender that can change a message that it sent.
type Updater interface {
	Sender
	// Post is Send; the handle is what Update finds the message by. An empty one: this message cannot be changed.
	Post(ctx context.Context, message Message) (handle string, err error)
	// Update puts a message in the place of an earlier one.
	Update(ctx context.Context, handle string, message Message) error
}

// updateFor is for how long after it was posted a message is changed: later nobody looks there for what is new.
const updateFor = 2 * time.Hour

// continues are the kinds that say how it went on with what an earlier message told, with the kinds that it told.
var continues = map[Kind][]Kind{
	Ready: {Starting, Shortage}, ShortageOver: {Shortage}, Stopped: {Stopping}, Shortage: {Starting},
	Failed: {Starting, Stopping, Changing}, OverrideBegan: {StopWarning},
}

// goesOn reports whether all that b tells continues what a told, of the same schedule or workload.
func goesOn(a, b *Notice) bool {
	if a.Digest != nil || b.Digest != nil || a.Schedule != b.Schedule || a.Workload != b.Workload || a.Schedule+a.Workload == "" {
		return false
	}
	for i := range b.Parts {
		if !slices.ContainsFunc(a.Parts, func(told Part) bool { return slices.Contains(continues[b.Parts[i].Kind], told.Kind) }) {
			return false
		}
	}
	return true
}

// continued is what a message tells when what b tells has become of what a told.
func continued(a, b *Notice) Notice {
	rest := *a
	rest.Parts = nil
	for _, part := range a.Parts {
		part.Told = slices.Clone(part.Told)
		for i := range b.Parts {
			if slices.Contains(continues[b.Parts[i].Kind], part.Kind) {
				part.less(&b.Parts[i])
			}
		}
		if part.Count > 0 {
			rest.Parts = append(rest.Parts, part)
		}
	}
	return merge(&rest, b)
}

// less takes out of a part what another one tells of: each by its name, and by number those that neither tells one by one.
func (p *Part) less(by *Part) {
	gone := map[fleet.Ref]bool{}
	for i := range by.Told {
		gone[by.Told[i].Ref] = true
	}
	p.Told = slices.DeleteFunc(p.Told, func(line Line) bool { return gone[line.Ref] })
	p.Count = max(p.Count-by.Count, len(p.Told))
}

// posted are the letters whose messages can be changed, each the last about its subject.
type posted map[subject]*mail

// mail is a message that was posted.
type mail struct {
	letter string // its ID
	handle string // empty: another message stands between, and nothing continues it
	notice Notice // as it reads now
	at     time.Time
}

// before is the message that a letter continues; nil: there is none. What was told later than the letter is not: a letter that
// is sent again is old news.
func (p posted) before(l *Letter, now time.Time) *mail {
	m := p[subject{schedule: l.Notice.Schedule, workload: l.Notice.Workload}]
	if m == nil || m.handle == "" || m.letter > l.ID || now.Sub(m.at) >= updateFor || !goesOn(&m.notice, &l.Notice) {
		return nil
	}
	return m
}

// add keeps a letter that was sent, where its message can be changed.
func (p posted) add(l *Letter, now time.Time) {
	about := subject{schedule: l.Notice.Schedule, workload: l.Notice.Workload}
	at, old := l.Settled, p[about]
	delete(p, about)                     // what was told since stands between
	if old != nil && old.letter > l.ID { // nothing goes on with old news
		p[about] = &mail{letter: old.letter, at: old.at}
		return
	}
	if old != nil && l.Updates != "" && old.handle == l.Handle {
		at = old.at // it still stands where it was posted first
	}
	for about, m := range p {
		if now.Sub(m.at) >= updateFor {
			delete(p, about)
		}
	}
	if l.Handle != "" && about != (subject{}) && now.Sub(at) < updateFor {
		p[about] = &mail{letter: l.ID, handle: l.Handle, notice: l.Notice, at: at}
	}
}

// send hands a letter to its channel: in the place of a prior message where it can, and else as a new one. It returns the letter
// as it was sent.
func send(ctx context.Context, channel *Channel, letter Letter, prior *mail) (Letter, error) {
	updater, can := channel.Sender.(Updater)
	if can && prior != nil {
		changed := letter
		changed.Notice, changed.Handle, changed.Updates = continued(&prior.notice, &letter.Notice), prior.handle, prior.letter
		message := channel.Words.Message(&changed.Notice)
		message.ID = letter.ID
		err := updater.Update(ctx, prior.handle, message)
		var again Retryable
		if err == nil || errors.As(err, &again) || ctx.Err() != nil {
			return changed, err
		}
		// It is gone, or may not be changed any more: a new one says it.
	}
	message := channel.Words.Message(&letter.Notice)
	message.ID = letter.ID
	if !can {
		return letter, channel.Send(ctx, message)
	}
	var err error
	letter.Handle, err = updater.Post(ctx, message)
	return letter, err
}
