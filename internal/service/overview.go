package service

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"sync"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// Overview is what there is to see at first sight.
type Overview struct {
	At time.Time `json:"at"`
	// Looking: the first look is still under way, so that numbers grow.
	Looking bool `json:"looking"`
	// Resources by state: Changing are those on their way up or down, Other those in any other state.
	Running  int `json:"running"`
	Stopped  int `json:"stopped"`
	Changing int `json:"changing"`
	Other    int `json:"other"`
	Total    int `json:"total"`
	// Next are the next starts and stops that schedules and overrides want, at most 8.
	Next []Upcoming `json:"next"`
	// Timeline has today's 24 hours of each schedule that governs something, at most 12, the largest first.
	Timeline []Lane `json:"timeline"`
	// Attention is what needs a person, at most 50.
	Attention []Attention `json:"attention"`
	Saved     Saved       `json:"saved"`
	Overrides int         `json:"overrides"` // in force
	LastPass  time.Time   `json:"last_pass,omitzero"`
}

// Upcoming is a boundary to come.
type Upcoming struct {
	At       time.Time `json:"at"`
	Action   string    `json:"action"` // start or stop
	Count    int       `json:"count"`  // of resources for which it changes what is wanted
	Schedule string    `json:"schedule"`
	Names    []string  `json:"names"` // of at most three of them
}

// Lane is a day of a schedule.
type Lane struct {
	Schedule string    `json:"schedule"`
	Timezone string    `json:"timezone"`
	Count    int       `json:"count"` // resources that it governs
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Spans    []Span    `json:"spans"`
}

// Span is a stretch of time with one state: running, stopped or any.
type Span struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	State string    `json:"state"`
}

// The kinds of attention.
const (
	AttentionGap        = "gap"        // a part of the fleet could not be listed
	AttentionFailed     = "failed"     // an action failed and is tried again
	AttentionHeld       = "held"       // limits hold something back until somebody confirms
	AttentionConfig     = "config"     // a configuration was refused, or waits for a person
	AttentionQuarantine = "quarantine" // a scope has not answered for so long that it is asked at growing gaps
)

// Attention is something that needs a person.
type Attention struct {
	Kind  string    `json:"kind"`
	Text  say.Text  `json:"text"`
	Ref   string    `json:"ref,omitempty"`
	Name  string    `json:"name,omitempty"`
	Since time.Time `json:"since,omitzero"`
	Link  string    `json:"link"` // path of the page where there is more of it
}

// Saved is the time that scheduled resources did not run in the last seven days.
type Saved struct {
	HoursOff float64 `json:"hours_off"`
	HoursOn  float64 `json:"hours_on"`
	// Money is what the hours off would have cost at list prices, in USD; nil where no price is known.
	Money *float64   `json:"money"`
	Days  []SavedDay `json:"days"` // seven, the last one is today
	// Basis says what is counted.
	Basis string `json:"basis"`
	// Counting: the record is still being read, so that hours are missing.
	Counting bool `json:"counting,omitempty"`
}

// SavedDay is one day of it.
type SavedDay struct {
	Date     string  `json:"date"` // in the time zone of the configuration
	HoursOff float64 `json:"hours_off"`
	HoursOn  float64 `json:"hours_on"`
}

// Bounds of an overview.
const (
	upcomingShown  = 8
	upcomingNames  = 3
	lanesShown     = 12
	attentionShown = 50
	spansShown     = 200 // of one lane: a schedule of five-minute periods is told in part
)

// overviewCache keeps the last overviews for a moment: a page that is open on
// many screens asks for the same one again and again.
type overviewCache struct {
	mu      sync.Mutex
	version uint64
	kept    map[string]keptOverview // by what may be seen
}

type keptOverview struct {
	answer Overview
	until  time.Time // by the wall
}

const (
	// overviewFor is how long an overview stands, by the wall, while nothing changes on the board.
	overviewFor   = time.Second
	overviewsKept = 64
)

// Overview tells what there is to see at first sight, of what within (when not
// nil) matches.
func (b *Board) Overview(ctx context.Context, within *fleet.Filter) (Overview, error) {
	s := b.ask()
	text := ""
	if within != nil {
		text = within.String()
	}
	wall := b.options.Wall()
	b.overviews.mu.Lock()
	kept, known := b.overviews.kept[text]
	known = known && b.overviews.version == s.version && wall.Before(kept.until)
	b.overviews.mu.Unlock()
	if known {
		return kept.answer, nil
	}
	answer, err := b.overview(ctx, s, within, text)
	if err != nil {
		return Overview{}, err
	}
	b.overviews.mu.Lock()
	defer b.overviews.mu.Unlock()
	if b.overviews.version != s.version || len(b.overviews.kept) >= overviewsKept || b.overviews.kept == nil {
		b.overviews.version, b.overviews.kept = s.version, map[string]keptOverview{}
	}
	b.overviews.kept[text] = keptOverview{answer, wall.Add(overviewFor)}
	return answer, nil
}

func (b *Board) overview(ctx context.Context, s *snapshot, within *fleet.Filter, text string) (Overview, error) {
	now := b.options.Now()
	answer := Overview{At: now.UTC(), Looking: s.looking, Next: []Upcoming{}, Timeline: []Lane{}, Attention: []Attention{}}
	if b.options.LastPass != nil {
		answer.LastPass = b.options.LastPass().UTC()
	}
	governed := make([]int, len(s.names[columnSchedule].values))
	states := make([]int, len(s.names[columnState].values))
	overridden := make([]int, len(s.names[columnOverride].values))
	for _, p := range s.shards {
		matched := p.match(within, text)
		for i := range p.codes {
			if !matched.has(i) {
				continue
			}
			states[p.codes[i][columnState]]++
			overridden[p.codes[i][columnOverride]]++
			if p.governed.has(i) {
				governed[p.codes[i][columnSchedule]]++
			}
		}
	}
	for code, n := range states {
		answer.Total += n
		switch fleet.State(s.names[columnState].values[code]) {
		case fleet.Running:
			answer.Running += n
		case fleet.Stopped:
			answer.Stopped += n
		case fleet.Starting, fleet.Stopping:
			answer.Changing += n
		default:
			answer.Other += n
		}
	}
	var book *policy.Book
	if b.options.Book != nil {
		book = b.options.Book()
	}
	if book != nil {
		answer.Timeline = lanes(book, facets(s.names[columnSchedule].values, governed), now, b.options.Timezone())
		answer.Overrides = overridesInForce(book, now)
	}
	if within != nil || book == nil { // which of them somebody may see is known by what they are for
		answer.Overrides = 0
		for code, n := range overridden {
			if s.names[columnOverride].values[code] == overrideAny {
				answer.Overrides = n
			}
		}
	}
	answer.Next = s.upcoming(within, text, now)
	answer.Attention = append(answer.Attention, s.attention(within, text)...)
	if b.options.Troubles != nil && within == nil {
		answer.Attention = append(b.options.Troubles(), answer.Attention...)
	}
	answer.Attention = answer.Attention[:min(len(answer.Attention), attentionShown)]
	var err error
	answer.Saved, err = b.saved(ctx, s, within, text, now)
	return answer, err
}

func overridesInForce(book *policy.Book, now time.Time) (n int) {
	for _, o := range book.Overrides {
		if now.Before(o.Until) && !now.Before(o.From) {
			n++
		}
	}
	return n
}

// upcoming finds the next instants at which what is wanted of anything changes to running or stopped.
func (s *snapshot) upcoming(within *fleet.Filter, text string, now time.Time) []Upcoming {
	// The instants first, over numbers alone: there are few, whatever the fleet.
	var soonest []int64
	after := now.UnixNano()
	for _, p := range s.shards {
		matched := p.match(within, text)
		for i, at := range p.nexts {
			if at == never || at <= after || len(soonest) == upcomingShown && at >= soonest[len(soonest)-1] || !matched.has(i) || p.turn(i) == "" {
				continue
			}
			place, known := slices.BinarySearch(soonest, at)
			if known {
				continue
			}
			soonest = slices.Insert(soonest, place, at)
			soonest = soonest[:min(len(soonest), upcomingShown)]
		}
	}
	if len(soonest) == 0 {
		return []Upcoming{}
	}
	last := soonest[len(soonest)-1]
	type key struct {
		at       int64
		action   string
		schedule string
	}
	found := map[key]*Upcoming{}
	for _, p := range s.shards {
		matched := p.match(within, text)
		for i, at := range p.nexts {
			if at > last || at <= after || !matched.has(i) {
				continue
			}
			r := &p.rows[i]
			k := key{at, p.turn(i), r.schedule}
			if k.action == "" {
				continue
			}
			one := found[k]
			if one == nil {
				one = &Upcoming{At: r.nextAt, Action: k.action, Schedule: r.schedule, Names: []string{}}
				found[k] = one
			}
			one.Count++
			if len(one.Names) < upcomingNames {
				one.Names = append(one.Names, title(&r.seen))
			}
		}
	}
	list := make([]Upcoming, 0, len(found))
	for _, one := range found {
		list = append(list, *one)
	}
	slices.SortFunc(list, func(a, b Upcoming) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Schedule, b.Schedule), cmp.Compare(a.Action, b.Action))
	})
	return list[:min(len(list), upcomingShown)]
}

// turn is what the next change of a row would have done: start or stop; "" for none of these.
func (p *shard) turn(i int) string {
	switch p.rows[i].nextTo {
	case string(fleet.Running):
		return string(fleet.Start)
	case string(fleet.Stopped):
		return string(fleet.Stop)
	}
	return ""
}

// lanes are the days of the schedules that govern most, on the calendar day that it is in a zone.
func lanes(book *policy.Book, counts []Facet, now time.Time, zone *time.Location) []Lane {
	list := []Lane{}
	year, month, day := now.In(zone).Date()
	from, to := time.Date(year, month, day, 0, 0, 0, 0, zone), time.Date(year, month, day+1, 0, 0, 0, 0, zone)
	for _, f := range counts {
		schedule := book.Schedules[f.Value]
		if schedule == nil || schedule.Calendar == nil || schedule.Err != nil || len(list) == lanesShown {
			continue
		}
		lane := Lane{Schedule: f.Value, Timezone: schedule.Calendar.Location().String(), Count: f.Count, From: from.UTC(), To: to.UTC(), Spans: []Span{}}
		at, state := from, schedule.Calendar.Wanted(from).State
		for at.Before(to) && len(lane.Spans) < spansShown {
			end, next := to, state
			if boundary, ok := schedule.Calendar.NextState(at); ok && boundary.At.Before(to) {
				end, next = boundary.At, boundary.To.State
			}
			lane.Spans = append(lane.Spans, Span{From: at.UTC(), To: end.UTC(), State: state.String()})
			at, state = end, next
		}
		list = append(list, lane)
	}
	return list
}

// attention finds what needs a person, of the scopes in which within matches something.
func (s *snapshot) attention(within *fleet.Filter, text string) []Attention {
	list := []Attention{}
	add := func(a Attention) {
		if len(list) < attentionShown {
			a.Text = a.Text.Plain()
			list = append(list, a)
		}
	}
	for _, p := range s.shards {
		matched := p.match(within, text)
		if within != nil && !slices.ContainsFunc(matched, func(word uint64) bool { return word != 0 }) {
			continue
		}
		health := "/health?account=" + url.QueryEscape(string(p.scope.Account)) + "&region=" + url.QueryEscape(string(p.scope.Region))
		if p.breaker.Quarantined() {
			add(Attention{
				Kind: AttentionQuarantine, Text: say.F("%s does not answer (%s): %s", p.scope, say.Word(p.breaker.Trouble), p.breaker.Why), Name: p.scope.String(), Since: p.breaker.Since, Link: health,
			})
		} else {
			for i := range p.gaps {
				add(Attention{Kind: AttentionGap, Text: p.gaps[i].Text, Name: p.scope.String(), Since: p.gaps[i].since, Link: health})
			}
		}
		held, about := 0, say.Text{}
		for i := range p.rows {
			if len(p.held) == 0 {
				break
			}
			if why, is := p.held[p.rows[i].seen.Ref]; is && matched.has(i) {
				held, about = held+1, why
			}
		}
		if held > 0 {
			add(Attention{Kind: AttentionHeld, Text: say.Sentences(say.F("%s: %s held back.", p.scope, say.N(held, "%d action is", "%d actions are")), about), Name: p.scope.String(), Since: p.at.UTC(), Link: "/health"})
		}
		for _, i := range p.failing {
			if r := &p.rows[i]; matched.has(i) {
				add(Attention{Kind: AttentionFailed, Text: say.F("%s: %s", title(&r.seen), r.failing), Ref: r.seen.Ref.String(), Name: title(&r.seen), Link: "/fleet/" + pagePath(r.seen.Ref)})
			}
		}
	}
	return list
}

// pagePath is a ref as the path of a page.
func pagePath(ref fleet.Ref) string {
	return url.PathEscape(string(ref.Scope.Account)) + "/" + url.PathEscape(string(ref.Scope.Region)) + "/" + url.PathEscape(string(ref.Kind)) + "/" + url.PathEscape(ref.ID)
}
