package reservation

import (
	"maps"
	"math"
	"slices"
	"time"

	"dayshift/internal/say"
)

// Reason says why a step is what it is, in one word that is stored, counted and shown.
type Reason string

// The reasons.
const (
	Before   Reason = "before"   // its window has not begun
	Within   Reason = "within"   // its window is open
	Over     Reason = "over"     // its window has ended
	Disabled Reason = "disabled" // it is not enabled
	Gone     Reason = "gone"     // it is no longer in the configuration

	Missing   Reason = "missing"    // fewer are held than wanted
	Again     Reason = "again"      // a purchase whose answer was lost is repeated
	Excess    Reason = "excess"     // more are held than wanted
	OtherEnd  Reason = "other-end"  // the end on the provider's side is not the one wanted
	Reached   Reason = "reached"    // as many are held as are wanted
	Released  Reason = "released"   // none are wanted and none are held
	InUse     Reason = "in-use"     // running instances use what is too much
	Short     Reason = "short"      // the provider has no room anywhere
	GivenUp   Reason = "given-up"   // the deadline has passed
	Limit     Reason = "limit"      // it would cost more than is allowed
	DayLimit  Reason = "day-limit"  // as many were bought as a day allows
	Approval  Reason = "approval"   // a second person has to approve it
	Unsettled Reason = "unsettled"  // a call had no answer, and what became of it can not be seen yet
	SetAside  Reason = "set-aside"  // it is at fault
	Refused   Reason = "refused"    // the provider refuses to change what is held
	Future    Reason = "future"     // it is bought for a time to come
	Trouble   Reason = "trouble"    // the provider can not be asked
	Observes  Reason = "observes"   // nothing is bought or given back: the program only observes
	TooMany   Reason = "many-steps" // one look has done enough; the next goes on
)

// Do is what a step does.
type Do string

// What steps do.
const (
	Buy    Do = "buy"
	Grow   Do = "grow"
	Shrink Do = "shrink"
	SetEnd Do = "set-end"
	Cancel Do = "cancel"
	Wait   Do = "wait" // something is missing, too much or in the way
	Rest   Do = "rest" // all is as it is wanted
)

// Changes reports whether a step changes anything at the provider.
func (d Do) Changes() bool { return d != Wait && d != Rest }

// Spends reports whether a step costs money.
func (d Do) Spends() bool { return d == Buy || d == Grow }

// Step is one thing to do.
type Step struct {
	Do   Do     `json:"do"`
	ID   string `json:"id,omitempty"` // which one is changed
	Part Part   `json:"part,omitzero"`
	// Count is how many it holds afterwards; By is how many more or fewer that are.
	Count int `json:"count,omitempty"`
	By    int `json:"by,omitempty"`
	// End is the end on the provider's side; zero: as it is.
	End   time.Time `json:"end,omitzero"`
	Token string    `json:"token,omitempty"` // of a Buy
	// Start makes it a future-dated one, which can not be given back for Commitment.
	Start      time.Time     `json:"start,omitzero"`
	Commitment time.Duration `json:"commitment,omitempty"`
	// Tags and attributes are kept with the step, so that a repetition has the same words.
	Attributes
	// EBSOptimized nil: what the type has at no charge.
	EBSOptimized *bool             `json:"ebs_optimized,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`

	Reason Reason   `json:"reason"`
	Text   say.Text `json:"-"` // a sentence for people, of a Wait
	// Until is when to look again, of a Wait or Rest.
	Until time.Time `json:"until,omitzero"`
}

// Room is what may still be spent, in USD per hour, with the sums that it comes from.
type Room struct {
	All, Account           float64 // what is held costs, in all and in the account
	MaxAll, MaxAccount     float64 // 0: no limit
	UnknownAll, UnknownAcc int     // held instances whose price is not known

	// Bought is what was bought within the day for all reservations; nobody looks at it without a Daily.
	Bought Day
}

// left is how much more may be spent.
func (r Room) left() float64 {
	left := math.Inf(1)
	if r.MaxAll > 0 {
		left = r.MaxAll - r.All
	}
	if r.MaxAccount > 0 {
		left = min(left, r.MaxAccount-r.Account)
	}
	return left
}

// Input is what Next decides by.
type Input struct {
	Now time.Time
	// Memory has taken the listing in, see Memory.Seeing.
	Memory   *Memory
	Rules    Rules
	Room     Room
	Approved bool
}

// Bounds of future-dated reservations (EC2 User Guide, Capacity Reservations):
// how long before its start one can be asked for, and how long it binds at least.
const (
	FutureEarliest   = 120 * 24 * time.Hour
	FutureLatest     = 5 * 24 * time.Hour
	FutureCommitment = 14 * 24 * time.Hour
)

const (
	// openEnd is how far ahead the end on the provider's side is set of what is wanted without an end, beside the safety
	// end: a scheduler that is down for a night loses nothing. It is renewed when half of it is left.
	openEnd = 24 * time.Hour
	// endSlack is by how much an end may differ: providers round.
	endSlack = time.Minute
)

// Next says what to do next.
func (r *Reservation) Next(in Input) Step {
	m, now := in.Memory, in.Now
	window := r.Window(now)
	target, early := window.Wanted, false
	if r.Future && window.Why == Before && now.Before(window.From.Add(-FutureLatest)) && !now.Before(window.From.Add(-FutureEarliest)) {
		target, early = r.Count, true
	} else if r.Future && window.Why == Before {
		target = min(r.Count, coming(m.Held)) // what was bought for then
	}
	wait := func(reason Reason, until time.Time, text say.Text) Step {
		return Step{Do: Wait, Reason: reason, Until: earliest(until, window.Next), Text: text}
	}
	again := now.Add(in.Rules.Interval)
	if r.Err != nil {
		return wait(SetAside, again, say.F("it is set aside, and what it holds is left as it is: %v", r.Err))
	}
	if step, open := r.settle(in, target, wait); open {
		return step
	}

	total, _ := Sum(m.Held)
	waits := Step{} // why something that is too much stays
	if excess := total - target; excess > 0 {
		var step Step
		if step, waits = r.giveBack(in, window, excess, wait); step.Do != "" {
			return step
		}
	}
	if target > 0 && !early {
		if step := r.moveEnd(in, window); step.Do != "" {
			return step
		}
	}
	missing := target
	for i := range m.Held {
		if h := &m.Held[i]; h.live() && r.suits(h) {
			missing -= h.Total
		}
	}
	if missing > 0 {
		return r.more(in, window, missing, early, wait)
	}
	if waits.Do != "" {
		return waits
	}
	rest := Step{Do: Rest, Reason: Reached, Until: earliest(now.Add(in.Rules.Resync), window.Next)}
	if target == 0 {
		rest.Reason = window.Why
		if window.Why != Before {
			rest.Reason = Released
		}
	}
	return rest
}

func coming(held []Held) (n int) {
	for i := range held {
		if held[i].Standing == Coming {
			n += held[i].Total
		}
	}
	return n
}

// earliest is the earlier of two instants, of which a zero one never comes.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

type waiting func(reason Reason, until time.Time, text say.Text) Step

// settle deals with a step whose outcome is not known; open: nothing else may be done before.
//
// Only what spends has to be settled: a repeated shrink, end or cancel changes
// nothing. A purchase is repeated in the same words as long as it is wanted; what
// is not wanted any more is waited for until the listing would show it.
func (r *Reservation) settle(in Input, target int, wait waiting) (Step, bool) {
	m, now := in.Memory, in.Now
	it := m.Intent
	if it == nil || !it.Do.Spends() {
		return Step{}, false
	}
	if m.Settled() {
		return Step{}, false
	}
	until := it.At.Add(Settling)
	if !now.Before(until) || now.Before(it.At) { // a clock that was set back proves nothing either way
		return Step{}, false
	}
	missing := target
	for i := range m.Held {
		if h := &m.Held[i]; h.live() && r.suits(h) {
			missing -= h.Total
		}
	}
	price, listed := PerHour(it.Part.Type)
	affordable := !listed || price*float64(it.By) <= in.Room.left()+cent
	if left, limited := in.Rules.Daily.Left(in.Room.Bought, now, r.Scope.Account); limited {
		own := 0 // it is among what was bought, unless it was to be bought elsewhere
		if it.Counted.Account == r.Scope.Account {
			own = it.Counted.Count
		}
		affordable = affordable && it.By <= left+own
	}
	same := it.Do == Grow || it.Attributes == r.Attributes && (it.End.IsZero() || it.End.After(now))
	approved := in.Approved || r.NeedsApproval(in.Rules).Empty()
	if slices.Contains(r.all(), it.Part) && missing >= it.By && affordable && same && approved {
		step := it.Step
		step.Reason = Again
		return step, true
	}
	return wait(Unsettled, until, say.F("a call that was to hold %d more of %s had no answer; whether it went through can be seen by %s", it.By, it.Part, say.Moment(until.In(r.zone())))), true
}

// cent is what sums of prices may differ by.
const cent = 0.005

// zone is the clock that people read the reservation by.
func (r *Reservation) zone() *time.Location {
	if r.Calendar != nil {
		return r.Calendar.Location()
	}
	return time.UTC
}

// Settled reports whether the listing shows that the step that was begun went through.
func (m *Memory) Settled() bool {
	it := m.Intent
	if it == nil {
		return true
	}
	for i := range m.Held {
		h := &m.Held[i]
		switch {
		case it.Do == Buy && it.Token != "" && h.Token == it.Token,
			it.Do == Grow && h.ID == it.ID && (h.Total >= it.Count || !h.live()):
			return true
		}
	}
	return false
}

// giveBack finds what can be given back of what is too much: first what is not
// what is wanted any more, then alternatives, the last first, then where most is held. waits says why the rest stays.
func (r *Reservation) giveBack(in Input, window Window, excess int, wait waiting) (step, waits Step) {
	m := in.Memory
	reason := Excess
	if window.Wanted == 0 {
		reason = window.Why
	}
	held := make([]*Held, 0, len(m.Held))
	byPart := map[Part]int{}
	for i := range m.Held {
		if h := &m.Held[i]; h.live() && h.Total > 0 {
			held = append(held, h)
			byPart[h.Part] += h.Total
		}
	}
	rank := func(h *Held) int {
		if !r.suits(h) {
			return math.MinInt
		}
		if slices.Contains(r.Parts, h.Part) {
			return math.MaxInt32 - byPart[h.Part] // the fullest first
		}
		return -slices.Index(r.Alternatives, h.Part) - 1
	}
	slices.SortStableFunc(held, func(a, b *Held) int {
		if x, y := rank(a), rank(b); x != y {
			if x < y {
				return -1
			}
			return 1
		}
		return a.Total - b.Total
	})
	again := in.Now.Add(in.Rules.Interval)
	for _, h := range held {
		if until, blocked := m.Blocked[h.ID]; blocked {
			waits = wait(Refused, until, say.F("the provider refuses to change %s; it is tried again", h.ID))
			continue
		}
		keep := 0
		if !r.ReleaseUsed {
			keep = h.Used()
		}
		n := min(excess, h.Total-keep)
		doubt, doubted := m.Doubts[h.ID]
		switch {
		case n <= 0:
			if waits.Do == "" {
				waits = wait(InUse, again, say.F("%d of %d in %s are more than wanted, and running instances use them", min(excess, h.Total), h.Total, h.ID))
			}
		case n == h.Total:
			return Step{Do: Cancel, ID: h.ID, Part: h.Part, By: n, Reason: reason}, Step{}
		case doubted && h.Total-n > doubt.Count: // it may be smaller already, and would grow
			waits = wait(Unsettled, doubt.Until, say.F("a call that was to give some of %s back had no answer; whether it went through can be seen by %s", h.ID, say.Moment(doubt.Until.In(r.zone()))))
		case h.Standing != Active: // only what is held can be made smaller
			if waits.Do == "" {
				waits = wait(Unsettled, again, say.F("%s is %s and can be made smaller once it is active", h.ID, h.State))
			}
		default:
			return Step{Do: Shrink, ID: h.ID, Part: h.Part, Count: h.Total - n, By: n, Reason: reason}, Step{}
		}
	}
	return Step{}, waits
}

// moveEnd sets the end on the provider's side where it is not as it should be.
func (r *Reservation) moveEnd(in Input, window Window) Step {
	m := in.Memory
	for i := range m.Held {
		h := &m.Held[i]
		if _, blocked := m.Blocked[h.ID]; blocked || h.Standing != Active {
			continue
		}
		end := r.end(in, window)
		off := h.End.Sub(end).Abs() > endSlack
		if window.Until.IsZero() {
			off = h.End.Before(in.Now.Add(in.Rules.SafetyEnd+openEnd/2)) || h.End.After(end.Add(endSlack))
		}
		if h.End.IsZero() || off {
			return Step{Do: SetEnd, ID: h.ID, Part: h.Part, Count: h.Total, End: end, Reason: OtherEnd}
		}
	}
	return Step{}
}

// end is the end that is set on the provider's side, to the second.
func (r *Reservation) end(in Input, window Window) time.Time {
	until := window.Until
	if until.IsZero() {
		until = in.Now.Add(openEnd)
	}
	return until.Add(in.Rules.SafetyEnd).Truncate(time.Second)
}

// more finds where to ask for what is missing, and for how many.
func (r *Reservation) more(in Input, window Window, missing int, early bool, wait waiting) Step {
	m, now := in.Memory, in.Now
	begun := m.Begun
	if !window.From.IsZero() && window.From.Before(now) {
		begun = window.From
	}
	if r.Deadline > 0 && !begun.IsZero() && !now.Before(begun.Add(r.Deadline)) {
		return wait(GivenUp, time.Time{}, say.F("%d of %d missing, and asking has ended %s after the begin", missing, r.Count, r.Deadline))
	}
	if r.Unread {
		return wait(Trouble, now.Add(in.Rules.Interval), say.F("%d of %d missing, and nothing is bought while what is wanted can not be read", missing, r.Count))
	}
	if why := r.NeedsApproval(in.Rules); !why.Empty() && !in.Approved {
		return wait(Approval, now.Add(in.Rules.Resync), say.F("%s: dayshift reservation approve %s", why, r.Name))
	}
	if until := m.doubt(); !until.IsZero() { // growing from a number that is too high would buy more than it seems
		return wait(Unsettled, until, say.F("%d of %d missing; a call that was to give some back had no answer, and whether it went through can be seen by %s", missing, r.Count, say.Moment(until.In(r.zone()))))
	}
	part, n := r.pick(m, missing)
	if n == 0 {
		until := m.Round.Until
		if until.IsZero() {
			until = now.Add(in.Rules.Interval)
		}
		return wait(Short, until, say.F("%d of %d missing: %s", missing, r.Count, r.refusals(m)))
	}
	if early {
		n = min(missing, MaxOne) // it is weighed whole
	}
	if price, listed := PerHour(part.Type); listed {
		if fits := math.Floor((in.Room.left() + cent) / price); fits < float64(n) {
			n = max(0, int(fits))
		}
		if n == 0 {
			return wait(Limit, now.Add(in.Rules.Interval), say.F("%d of %d missing: %s", missing, r.Count, in.Room.words(price)))
		}
	}
	if left, limited := in.Rules.Daily.Left(in.Room.Bought, now, r.Scope.Account); limited && left < n {
		if n = left; n <= 0 {
			day, daily := in.Room.Bought, in.Rules.Daily
			return wait(DayLimit, daily.Frees(day, now, r.Scope.Account), say.F("%d of %d missing: %s", missing, r.Count, daily.words(day, now, r.Scope.Account, r.zone())))
		}
	}
	if !early {
		for i := range m.Held {
			h := &m.Held[i]
			if _, blocked := m.Blocked[h.ID]; blocked || h.Standing != Active || h.Part != part || !r.suits(h) || h.Total >= MaxOne {
				continue
			}
			n = min(n, MaxOne-h.Total)
			return Step{Do: Grow, ID: h.ID, Part: part, Count: h.Total + n, By: n, Reason: Missing}
		}
	}
	n = min(n, MaxOne)
	step := Step{Do: Buy, Part: part, Count: n, By: n, End: r.end(in, window), Attributes: r.Attributes, EBSOptimized: r.EBSOptimized, Reason: Missing}
	step.Token = r.token(m.Seq+1, part, n)
	if early {
		step.Reason, step.Start, step.Commitment = Future, window.From, FutureCommitment
	}
	step.Tags = map[string]string{TagName: r.Name, TagPart: part.String(), TagToken: step.Token}
	maps.Copy(step.Tags, r.Tags)
	return step
}

// maxWords bounds how many parts a sentence tells the provider's words of.
const maxWords = 3

// refusals say why nothing more is to be had: for want of room, or in the provider's words.
func (r *Reservation) refusals(m *Memory) say.Text {
	said := map[Part]string{}
	for _, asked := range m.Round.Asked {
		said[asked.Part] = asked.Why
	}
	var full []Part
	var words []say.Text
	for _, part := range r.all() {
		switch why := said[part]; {
		case why == "":
			full = append(full, part)
		case len(words) < maxWords:
			words = append(words, say.Raw(part.String()+": "+why))
		}
	}
	if len(full) > 0 {
		words = append([]say.Text{say.F("there is no room in %s", names(full))}, words...)
	}
	return say.Clauses(words...)
}

// words say what the limits leave.
func (r Room) words(price float64) say.Text {
	text := say.F("one more costs %s an hour", USD(price))
	sum := func(costs say.Text, limit float64, unknown int) {
		if limit <= 0 {
			return
		}
		if unknown > 0 {
			costs = say.F("%s (and %d instances whose price is not known)", costs, unknown)
		}
		text = say.Clauses(text, costs)
	}
	sum(say.F("what is held costs %s of the %s allowed in all", USD(r.All), USD(r.MaxAll)), r.MaxAll, r.UnknownAll)
	sum(say.F("what is held costs %s of the %s allowed in the account", USD(r.Account), USD(r.MaxAccount)), r.MaxAccount, r.UnknownAcc)
	return text
}

// pick chooses the part to ask in and for how many: among the parts of the
// reservation the emptiest that was not refused, no more than evens them out;
// then the alternatives in order. 0: nowhere.
func (r *Reservation) pick(m *Memory, missing int) (Part, int) {
	held := map[Part]int{}
	for i := range m.Held {
		if h := &m.Held[i]; h.live() && r.suits(h) {
			held[h.Part] += h.Total
		}
	}
	size := func(p Part) int {
		if n, refused := m.Round.Sizes[p.String()]; refused {
			return n
		}
		return r.Step
	}
	var best Part
	open, sum := 0, 0
	for _, p := range r.Parts {
		if size(p) == 0 {
			continue
		}
		if open == 0 || held[p] < held[best] {
			best = p
		}
		open++
		sum += held[p]
	}
	if open > 0 {
		level := (sum + missing + open - 1) / open
		return best, min(size(best), missing, level-held[best])
	}
	for _, p := range r.Alternatives {
		if n := size(p); n > 0 {
			return p, min(n, missing)
		}
	}
	return Part{}, 0
}
