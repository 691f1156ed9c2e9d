package reservation

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"dayshift/internal/say"
)

// Memory is what is remembered of a reservation between steps and between
// processes. It is kept as JSON: fields may be added, none may change its meaning.
type Memory struct {
	// Account and Region are where it was last looked for, so that what it holds is given back after it has left the configuration.
	Account string `json:"account"`
	Region  string `json:"region"`
	// Seq numbers purchases, so that each has a token of its own.
	Seq int64 `json:"seq,omitempty"`
	// Intent is the step that was begun and whose outcome is not known; nil: none.
	Intent *Intent `json:"intent,omitempty"`
	// Doubts are what was to be given back lately by calls that had no answer, by ID: more may be listed than is held.
	Doubts map[string]Doubt `json:"doubts,omitempty"`
	// Wrote is what was written lately, by ID: a listing may still show what was before.
	Wrote map[string]Wrote `json:"wrote,omitempty"`
	// Blocked are reservations that the provider refused to change, until they are tried again.
	Blocked map[string]time.Time `json:"blocked,omitempty"`
	// Begun is when it was first wanted, in this time of wanting; zero: it is not.
	Begun time.Time `json:"begun,omitzero"`
	Round Round     `json:"round,omitzero"`
	Told  Told      `json:"told,omitzero"`
	Idle  Idle      `json:"idle,omitzero"`
	// Ungrouped is why something held could not be put into its resource group when that was last tried, as people were told.
	Ungrouped string `json:"ungrouped,omitempty"`

	// Also is what others hold that the same instances could use: never changed, only shown.
	Also []Held `json:"also,omitempty"`
	// Samples are what was wanted, held and used of late, each until the next; Turn takes those before.
	Samples []Sample `json:"samples,omitempty"`

	// Seen is when Held was listed; Wanted and Why are what came of the last look, Until is when the next one is due.
	Seen   time.Time `json:"seen,omitzero"`
	Held   []Held    `json:"held,omitempty"`
	Wanted int       `json:"wanted"`
	Why    Reason    `json:"why,omitempty"`
	Text   say.Kept  `json:"text,omitzero"`
	Until  time.Time `json:"until,omitzero"`
}

// Intent is a step that was begun.
type Intent struct {
	Step
	At time.Time `json:"at"` // when the call was last about to be made that may have gone through
	// Counted is the purchase that it was counted as when it was first begun.
	Counted Purchase `json:"counted,omitzero"`
}

// Doubt is how few may be left of a reservation, and until when a listing may not show it.
type Doubt struct {
	Until time.Time `json:"until"`
	Count int       `json:"count"`
}

// doubt is until when the listing may show more than is held; zero: it does not.
func (m *Memory) doubt() (until time.Time) {
	for _, doubt := range m.Doubts {
		if doubt.Until.After(until) {
			until = doubt.Until
		}
	}
	return until
}

// Wrote is what a reservation was last made by us.
type Wrote struct {
	At   time.Time `json:"at"`
	Held Held      `json:"held"`
}

// Round is one time of asking: how far asking has come down, part by part.
type Round struct {
	At time.Time `json:"at,omitzero"` // of its first refusal
	// Sizes are how many may still be asked for at once, by part; 0: not even one is to be had. Parts that were not refused are not among them.
	Sizes map[string]int `json:"sizes,omitempty"`
	// Asked are the refusals, in order, for the record.
	Asked []Refusal `json:"asked,omitempty"`
	// Until is when the next round begins; zero: this one is not over.
	Until time.Time `json:"until,omitzero"`
}

// Refusal is a request that was refused.
type Refusal struct {
	Part Part   `json:"part"`
	By   int    `json:"by"`
	Why  string `json:"why,omitempty"` // the provider's words, where it is not for want of room
}

// Told is what people were told, so that they are told once.
type Told struct {
	Reached int    `json:"reached,omitempty"` // the amount whose reaching was told
	Short   Reason `json:"short,omitempty"`   // why less is held
	Lacking string `json:"lacking,omitempty"` // the sentence of the last row about what the provider does not give
	// Holding: something was held since people were last told that nothing is.
	Holding bool      `json:"holding,omitempty"`
	Trouble string    `json:"trouble,omitempty"`
	At      time.Time `json:"at,omitzero"` // of the trouble
	// Observed is the last step that would have been made while only observing.
	Observed string `json:"observed,omitempty"`
}

// Idle is how long some of what is held has gone unused.
type Idle struct {
	Since time.Time `json:"since,omitzero"`
	Least int       `json:"least,omitempty"` // the fewest that were unused since then
	Told  bool      `json:"told,omitempty"`
}

// Sample is how things stood from an instant on.
type Sample struct {
	At     time.Time `json:"at"`
	Wanted int       `json:"wanted"`
	Held   int       `json:"held"`
	Used   int       `json:"used"`
	// Zones are the same by zone and type, in their order.
	Zones []ZoneSample `json:"zones,omitempty"`
}

// ZoneSample is how many are held and used in one zone.
type ZoneSample struct {
	Part Part `json:"part"`
	Held int  `json:"held"`
	Used int  `json:"used"`
}

// Sampled notes how things stand, where that is not how they stood.
func (m *Memory) Sampled(now time.Time) {
	s := Sample{At: now, Wanted: m.Wanted, Zones: Zones(m.Held)}
	s.Held, s.Used = Sum(m.Held)
	if n := len(m.Samples); n > 0 {
		last := m.Samples[n-1]
		if last.Wanted == s.Wanted && last.Held == s.Held && last.Used == s.Used && slices.Equal(last.Zones, s.Zones) {
			return
		}
	}
	m.Samples = append(slices.Clone(m.Samples), s)
}

// Zones sums what is held by zone and type, ordered.
func Zones(held []Held) []ZoneSample {
	var list []ZoneSample
	for i := range held {
		h := &held[i]
		if !h.live() {
			continue
		}
		at := slices.IndexFunc(list, func(z ZoneSample) bool { return z.Part == h.Part })
		if at < 0 {
			at = len(list)
			list = append(list, ZoneSample{Part: h.Part})
		}
		list[at].Held += h.Total
		list[at].Used += h.Used()
	}
	slices.SortFunc(list, func(a, b ZoneSample) int {
		return cmp.Or(strings.Compare(a.Part.Zone, b.Part.Zone), strings.Compare(a.Part.Type, b.Part.Type))
	})
	return list
}

// Settling is how long a listing may lag behind what was written (AWS: eventual
// consistency, a minute at most in practice), with room. Within it a purchase
// without an answer is repeated or waited for; after it the listing counts.
const Settling = 3 * time.Minute

// Clone copies a memory.
func (m *Memory) Clone() *Memory {
	c := *m
	c.Wrote, c.Blocked, c.Held = maps.Clone(m.Wrote), maps.Clone(m.Blocked), slices.Clone(m.Held)
	c.Doubts = maps.Clone(m.Doubts)
	c.Round.Sizes, c.Round.Asked = maps.Clone(m.Round.Sizes), slices.Clone(m.Round.Asked)
	if m.Intent != nil {
		intent := *m.Intent
		c.Intent = &intent
	}
	return &c
}

// Seeing takes a listing in: what was written too lately to be in it is put
// right, and what is over is forgotten. It returns what is held now.
func (m *Memory) Seeing(now time.Time, listed []Held) []Held {
	held := slices.Clone(listed)
	for _, id := range slices.Sorted(maps.Keys(m.Wrote)) {
		wrote := m.Wrote[id]
		if now.Sub(wrote.At) >= Settling || now.Before(wrote.At) {
			delete(m.Wrote, id)
			continue
		}
		i := slices.IndexFunc(held, func(h Held) bool { return h.ID == id })
		switch {
		case i < 0 && wrote.Held.live():
			held = append(held, wrote.Held)
		case i >= 0 && held[i].live():
			h := &held[i]
			used := h.Used()
			h.Total, h.End = wrote.Held.Total, wrote.Held.End
			h.Free = max(0, h.Total-used)
			if !wrote.Held.live() {
				h.Standing, h.State = wrote.Held.Standing, wrote.Held.State
			}
		}
	}
	for id, until := range m.Blocked {
		if !now.Before(until) {
			delete(m.Blocked, id)
		}
	}
	for id, doubt := range m.Doubts {
		if !now.Before(doubt.Until) || now.Before(doubt.Until.Add(-Settling)) {
			delete(m.Doubts, id)
		}
	}
	if r := m.Round; !r.Until.IsZero() && !now.Before(r.Until) {
		m.Round = Round{}
	}
	m.Seen, m.Held = now, held
	return held
}

// wrote notes what a reservation was made.
func (m *Memory) wrote(now time.Time, h Held) {
	if m.Wrote == nil {
		m.Wrote = map[string]Wrote{}
	}
	m.Wrote[h.ID] = Wrote{now, h}
	delete(m.Doubts, h.ID)
	if i := slices.IndexFunc(m.Held, func(old Held) bool { return old.ID == h.ID }); i >= 0 {
		m.Held[i] = h
	} else {
		m.Held = append(m.Held, h)
	}
}

// Begin notes a step that is about to be made.
func (m *Memory) Begin(now time.Time, step Step) {
	if m.Intent != nil && step.Reason == Again {
		m.Intent = &Intent{Step: step, At: now, Counted: m.Intent.Counted}
		return
	}
	if step.Do == Buy {
		m.Seq++
	}
	m.Intent = &Intent{Step: step, At: now}
}

// Found ends the step that was begun by what the listing shows of it.
func (m *Memory) Found(now time.Time) {
	it := m.Intent
	m.Intent = nil
	for i := range m.Held {
		h := m.Held[i]
		if h.ID == it.ID && h.live() && (it.Do == Cancel || it.Do == Shrink && h.Total > it.Count) {
			if m.Doubts == nil {
				m.Doubts = map[string]Doubt{}
			}
			m.Doubts[h.ID] = Doubt{it.At.Add(Settling), it.Count}
		}
		if it.Do.Spends() && h.live() && (it.Token != "" && h.Token == it.Token || h.ID == it.ID) {
			m.wrote(now, h)
		}
	}
}

// Done notes that the step was made. bought is what was bought, of a Buy.
func (m *Memory) Done(now time.Time, step Step, bought Held) {
	m.Intent = nil
	if step.Do == Buy {
		m.wrote(now, bought)
		return
	}
	i := slices.IndexFunc(m.Held, func(h Held) bool { return h.ID == step.ID })
	if i < 0 {
		return
	}
	h := m.Held[i]
	used := h.Used()
	switch step.Do {
	case Grow, Shrink:
		h.Total = step.Count
		h.Free = max(0, h.Total-used)
	case Cancel:
		h.Standing, h.State = Ended, "cancelled"
	case SetEnd:
	}
	if !step.End.IsZero() {
		h.End = step.End
	}
	m.wrote(now, h)
}

// Refuse notes that the provider does not give as many: fewer are asked for next
// or, where not even one is to be had, it is asked elsewhere. why are its words, empty for want of room.
func (m *Memory) Refuse(now time.Time, step Step, fewer bool, why string) {
	m.Intent = nil
	if m.Round.At.IsZero() {
		m.Round.At = now
	}
	if m.Round.Sizes == nil {
		m.Round.Sizes = map[string]int{}
	}
	size := 0
	if fewer {
		size = step.By / 2
	}
	m.Round.Sizes[step.Part.String()] = size
	m.Round.Asked = append(m.Round.Asked, Refusal{step.Part, step.By, why})
}

// Block notes that the provider refuses to change a reservation; it is left alone until then.
func (m *Memory) Block(step Step, until time.Time) {
	m.Intent = nil
	if m.Blocked == nil {
		m.Blocked = map[string]time.Time{}
	}
	m.Blocked[step.ID] = until
}

// Lost notes that a reservation no longer exists.
func (m *Memory) Lost(step Step) {
	m.Intent = nil
	delete(m.Wrote, step.ID)
	delete(m.Doubts, step.ID)
	m.Held = slices.DeleteFunc(m.Held, func(h Held) bool { return h.ID == step.ID })
}

// Unused follows how long some of what is held has gone unused, and reports
// whether that is to be said now: once, until all of it was used or given back.
func (m *Memory) Unused(now time.Time, after time.Duration) bool {
	free := 0
	for i := range m.Held {
		if m.Held[i].Standing == Active {
			free += m.Held[i].Free
		}
	}
	switch {
	case free == 0:
		m.Idle = Idle{}
		return false
	case m.Idle.Since.IsZero():
		m.Idle = Idle{Since: now, Least: free}
	}
	m.Idle.Least = min(m.Idle.Least, free)
	if m.Idle.Told || now.Sub(m.Idle.Since) < after {
		return false
	}
	m.Idle.Told = true
	return true
}
