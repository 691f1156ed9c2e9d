package service

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"dayshift/internal/calendar"
	"dayshift/internal/config"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/run"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/typo"
	"dayshift/internal/workload"
)

// OverrideLimits bound what people may override.
type OverrideLimits struct {
	// MaxDuration is the longest that one override may last from when it was made, changes of its end included.
	// 0: LongestOverride.
	MaxDuration time.Duration
	// MaxPerWeek is how many overrides one person may make within 7 days. 0: any number. Two made by one person at the
	// very same moment can pass it by one.
	MaxPerWeek int
	// MaxStartsPerDay is how many resources of one account people may have started within 24 hours, by overrides and by runs
	// of workloads that they ask for. 0: any number.
	MaxStartsPerDay int
}

// LongestOverride is how long an override may last where the configuration sets no limit: what should hold for longer
// than a year is a schedule.
const LongestOverride = 366 * 24 * time.Hour

// onceLongest is how long an override that ends by being reached may last where the configuration sets no limit.
const onceLongest = 7 * 24 * time.Hour

// perWeek is the stretch in which OverrideLimits.MaxPerWeek counts.
const perWeek = 7 * 24 * time.Hour

// Bounds of what people write.
const (
	maxReason = 1024 // bytes: a paragraph; a row of the record is no place for a document
	maxAuthor = 256  // bytes
)

func (l OverrideLimits) longest() time.Duration {
	if l.MaxDuration > 0 {
		return l.MaxDuration
	}
	return LongestOverride
}

// allowance says what bounds the duration, for people.
func (l OverrideLimits) allowance() say.Text {
	if l.MaxDuration > 0 {
		return say.F("overrides.max_duration allows at most %s", config.Duration(l.MaxDuration))
	}
	return say.F("an override may last at most %s", config.Duration(LongestOverride))
}

// End says when an override is to end: at most one of its fields is set.
type End struct {
	For   time.Duration // from now on
	Until time.Time
	// Clock is a time of day, H:MM: its next occurrence in the zone of the target's schedule.
	Clock string
	// Boundary: at the next instant at which the schedule wants the opposite.
	Boundary bool
}

func (e End) given() (n int) {
	for _, given := range [...]bool{e.For != 0, !e.Until.IsZero(), e.Clock != "", e.Boundary} {
		if given {
			n++
		}
	}
	return n
}

// OverrideRequest is what a person wants of a target for a while.
type OverrideRequest struct {
	// Target is schedule:NAME, workload:NAME, resource:X or filter:TEXT, or without such a word a filter (it has a "="),
	// account/region/kind/id, the ID, ARN or name of a resource, or the name of a schedule or workload.
	Target string
	State  calendar.State // Running or Stopped
	// End; none given is the next boundary, and Once where the schedule is disabled.
	End End
	// Once ends it for each resource as soon as that has been in the state.
	Once   bool
	Reason string
	Author string
	DryRun bool // say what would happen and change nothing
	// Within is what the author may act on; nil: everything. *OutsideError where the override is for anything else.
	Within *fleet.Filter
}

// OverrideView is an override as people see it.
type OverrideView struct {
	ID       string    `json:"id"`
	Target   string    `json:"target"` // as a command takes it: account/region/kind/id, workload:NAME, schedule:NAME or filter:TEXT
	State    string    `json:"state"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"` // at the latest
	Boundary bool      `json:"boundary"`
	Once     bool      `json:"once"`
	Ends     say.Text  `json:"ends"` // when it ends, as a sentence's part
	Author   string    `json:"author"`
	Reason   string    `json:"reason,omitempty"`
	// Covers is how many resources it is for, a workload being one, Counts for how many of them no other override comes first. 0 where nothing was looked at.
	Covers    int       `json:"covers"`
	Counts    int       `json:"counts"`
	Version   int64     `json:"version"`
	ChangedBy string    `json:"changed_by"` // who made or last changed it
	Changed   time.Time `json:"changed"`
	// Fault says why it can not be read and so has no effect; empty for all others.
	Fault string `json:"fault,omitempty"`
}

// OverrideLine is one resource that an override is for, or a workload as a whole.
type OverrideLine struct {
	Ref   string `json:"ref"` // account/region/kind/id or workload:NAME
	Name  string `json:"name"`
	State string `json:"state"`
	// Counts: it does for this resource; otherwise Why says what comes first.
	Counts bool     `json:"counts"`
	Action string   `json:"action"` // what the next pass does: start, stop, hibernate or none
	Reason string   `json:"reason"`
	Why    say.Text `json:"why"`
	// Until is when the override ends for it, Then what its schedule does at that time: start, stop, hibernate or none.
	Until  time.Time `json:"until,omitzero"`
	Then   string    `json:"then,omitempty"`
	WarnAt time.Time `json:"warn_at,omitzero"` // when people are told of the stop beforehand
}

// OverrideAnswer is what an override does.
type OverrideAnswer struct {
	At       time.Time    `json:"at"`
	DryRun   bool         `json:"dry_run"`
	Override OverrideView `json:"override"`
	// Matches is how many resources it is for, protected ones left out.
	Matches   int            `json:"matches"`
	Resources []OverrideLine `json:"resources"`
	// Others are the other overrides of the very same target; they count again when this one ends first.
	Others []OverrideView `json:"others"`
	// Sentences say what happens when, for people.
	Sentences []say.Text `json:"sentences"`
	// Effect is what becomes different, compared with no such override.
	Effect Effect `json:"effect"`
	// Plan is what the run of a workload that begins now would do; absent of any other.
	Plan *run.Foresight `json:"plan,omitempty"`
	Gaps []Gap          `json:"gaps"`
}

// SetOverride makes an override. *InputError where the request can not be
// granted as it is put, *NotFoundError where nothing answers to the target.
func (s *Service) SetOverride(ctx context.Context, request OverrideRequest) (OverrideAnswer, error) {
	o, err := s.checkRequest(&request)
	if err != nil {
		return OverrideAnswer{}, err
	}
	view, err := s.looking(ctx, request.Target)
	if err != nil {
		return OverrideAnswer{}, err
	}
	subject, err := view.resolve(request.Target)
	if err != nil {
		return OverrideAnswer{}, err
	}
	if err := view.inside(ctx, &subject, request.Within); err != nil {
		return OverrideAnswer{}, err
	}
	o.Target = subject.target
	var notes []say.Text
	end := request.End
	if end.given() == 0 && !o.Once {
		end.Boundary = true
		if subject.schedule != nil && subject.schedule.Err == nil && !subject.schedule.Enabled {
			end.Boundary, o.Once = false, true
			notes = append(notes, say.F("Schedule %q is disabled, so the override ends as soon as it has been reached.", subject.schedule.Name))
		}
	}
	more, err := view.end(o, subject, end, o.From)
	if err != nil {
		return OverrideAnswer{}, err
	}
	notes = append(notes, more...)
	left, err := s.checkWeek(ctx, o.Author, o.From)
	if err != nil {
		return OverrideAnswer{}, err
	}
	if !left.Empty() {
		notes = append(notes, left)
	}
	o.ID, o.Seen = newOverrideID(o.From), view.seen(&subject)
	answer, err := view.answer(ctx, held{override: o, object: store.Object{Name: o.ID, Author: o.Author, Changed: o.From}}, subject, notes)
	if err != nil {
		return OverrideAnswer{}, err
	}
	starts, err := view.starts(ctx, &answer)
	if err != nil {
		return OverrideAnswer{}, err
	}
	more, err = s.takeStarts(ctx, starts, o.From, o.Author, request.DryRun)
	if err != nil {
		return OverrideAnswer{}, err
	}
	answer.Sentences = append(answer.Sentences, more...)
	if answer.DryRun = request.DryRun; request.DryRun {
		answer.Override.ID = ""
		return answer, nil
	}
	object, err := s.saveNew(ctx, o, subject)
	if err != nil {
		return OverrideAnswer{}, err
	}
	answer.Override.ID, answer.Override.Version = object.Name, object.Version
	return answer, nil
}

// checkRequest checks what can be checked without looking at anything, and
// begins the override.
func (s *Service) checkRequest(request *OverrideRequest) (*policy.Override, error) {
	o := &policy.Override{From: store.Instant(s.Now()), State: request.State, Once: request.Once}
	var err error
	if o.Author, err = person(request.Author); err != nil {
		return nil, err
	}
	if o.Reason, err = words("reason", request.Reason, maxReason); err != nil {
		return nil, err
	}
	if o.State != calendar.Running && o.State != calendar.Stopped {
		return nil, inputErrorF("state %s: an override wants a target running or stopped", o.State)
	}
	if err := request.End.check(o.From); err != nil {
		return nil, err
	}
	if o.Once && request.End.Boundary {
		return nil, inputErrorF("an override ends either when it has been reached or at the next boundary; ask for one of them")
	}
	return o, nil
}

func person(author string) (string, error) {
	author, err := words("author", author, maxAuthor)
	if err == nil && author == "" {
		err = inputErrorF("who decides this? an override needs an author")
	}
	return author, err
}

// words checks and cleans what a person wrote: what could move a cursor or
// reverse the reading order becomes a blank, because it is shown to others.
func words(field, text string, most int) (string, error) {
	switch {
	case !utf8.ValidString(text):
		return "", inputErrorF("%s %.100q is not valid UTF-8", say.Word(field), text)
	case len(text) > most:
		return "", inputErrorF("the %s is %d bytes long; at most %d are kept", say.Word(field), len(text), most)
	}
	return strings.TrimSpace(Plain(text)), nil
}

// Plain removes what could move a terminal's cursor, change its colours, begin a
// line or reverse the reading order: every name and reason may come from a stranger.
func Plain(text string) string { return say.Plain(text) }

// check refuses an end that lies in the past, and more than one.
func (e End) check(now time.Time) error {
	switch {
	case e.given() > 1:
		return inputErrorF("give one end: a duration, a time or the next boundary")
	case e.For < 0:
		return inputErrorF("a duration of %s is over before it begins", e.For)
	case !e.Until.IsZero() && !e.Until.After(now):
		return inputErrorF("until %s is in the past; it is %s now", stamp(e.Until), stamp(now))
	}
	if e.Clock != "" {
		if _, err := calendar.ParseTimeOfDay(e.Clock, false); err != nil {
			return inputErrorF("until %q is no time of day; write H:MM from 0:00 to 23:59", e.Clock)
		}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// end fills in when the override ends, and says what there is to say of that.
// made is when the override was made, from which its longest duration counts.
func (v *looked) end(o *policy.Override, on subject, end End, made time.Time) (notes []say.Text, err error) {
	limits := v.s.Overrides
	latest := made.Add(limits.longest())
	o.Boundary = end.Boundary
	switch {
	case end.For != 0:
		if end.For > limits.longest() { // what follows can not be overflowed by it
			return nil, inputErrorF("an override for %s is too long: %s; %s", config.Duration(end.For), limits.allowance(), remaining(v.now, latest))
		}
		o.Until = v.now.Add(end.For)
	case !end.Until.IsZero():
		o.Until = end.Until
	case end.Clock != "":
		if o.Until, err = v.clock(on, end.Clock); err != nil {
			return nil, err
		}
	case end.Boundary:
		o.Until = v.now.Add(LongestOverride)
		boundary, ok, rest := v.boundary(o, on)
		if !ok {
			return nil, inputErrorF("there is no next boundary at which %s is wanted of %s%s; say how long instead: --for 2h or --until TIME",
				opposite(o.State), o.Target, rest)
		}
		o.Until = boundary
		if boundary.After(latest) {
			o.Until = latest
			notes = append(notes, say.F("The next boundary is at %s; %s, so it ends before that.", stamp(boundary), limits.allowance()))
		}
		if !rest.Empty() {
			notes = append(notes, rest)
		}
	default: // once
		longest := onceLongest
		if limits.MaxDuration > 0 {
			longest = limits.MaxDuration
		}
		o.Until = made.Add(longest)
	}
	o.Until = store.Instant(o.Until)
	switch {
	case o.Until.After(latest):
		return nil, inputErrorF("an override until %s is too long: %s; %s", stamp(o.Until), limits.allowance(), remaining(v.now, latest))
	case !o.Until.After(v.now):
		return nil, inputErrorF("until %s is in the past; it is %s now", stamp(o.Until), stamp(v.now))
	}
	return notes, nil
}

func remaining(now, latest time.Time) say.Text {
	if !latest.After(now) {
		return say.F("none of that is left; make a new override")
	}
	return say.F("it may last until %s", stamp(latest))
}

func opposite(state calendar.State) calendar.State {
	if state == calendar.Running {
		return calendar.Stopped
	}
	return calendar.Running
}

// clock is the next time of day on the clock of the subject's schedule.
func (v *looked) clock(on subject, text string) (time.Time, error) {
	zones := map[string]*time.Location{}
	if on.schedule != nil && on.schedule.Calendar != nil {
		zone := on.schedule.Calendar.Location()
		zones[zone.String()] = zone
	}
	if on.schedule == nil {
		for _, i := range on.covered {
			if p := v.s.Book.Governs(v.report.Decisions[i].Resource); p.Schedule != nil && p.Schedule.Calendar != nil {
				zone := p.Schedule.Calendar.Location()
				zones[zone.String()] = zone
			}
		}
	}
	if len(zones) > 1 {
		return time.Time{}, inputErrorF("until %s is at several instants: what %s selects lives in %d time zones; write the date and the zone, such as 2027-02-05T22:00+09:00", text, on.target, len(zones))
	}
	for _, zone := range zones {
		at, err := calendar.ParseTimeOfDay(text, false)
		if err != nil {
			return time.Time{}, inputErrorF("until %q is no time of day; write H:MM from 0:00 to 23:59", text)
		}
		every, err := calendar.ParseExpression(fmt.Sprintf("cron(%d %d * * ? *)", int(at)%60, int(at)/60), zone, time.Time{})
		if err != nil {
			return time.Time{}, say.Err("until %s: %w", text, err)
		}
		if next, ok := every.Next(v.now); ok {
			return next, nil
		}
	}
	return time.Time{}, inputErrorF("until %s: the zone of %s is not known, because no schedule that can be used governs it; write the date and the zone, such as 2027-02-05T22:00+09:00", text, on.target)
}

// boundary is when the override has ended for everything that it is for at the
// next boundary; false where there is none. rest says for what there is none.
func (v *looked) boundary(o *policy.Override, on subject) (at time.Time, ok bool, rest say.Text) {
	alone := policy.Book{TagKey: v.s.Book.TagKey, Schedules: v.s.Book.Schedules, Workloads: v.s.Book.Workloads, Overrides: []*policy.Override{o}}
	ask := func(p policy.Policy) (time.Time, bool) {
		_, end, ok := p.Override(o.From, "")
		return end, ok && p.Why == policy.Governed && end.Before(o.Until)
	}
	if on.target.Schedule != "" {
		// Any resource of the schedule, as if it stood first in the jitter; the last one ends that much later.
		p := alone.Governs(fleet.Resource{Tags: map[string]string{alone.TagKey: on.target.Schedule}})
		p.Offset = 0
		if at, ok = ask(p); ok {
			at = at.Add(on.schedule.Jitter)
		}
		return at, ok, whyNone(p)
	}
	without, last := 0, say.Text{}
	for _, i := range on.covered {
		p := alone.Governs(v.report.Decisions[i].Resource)
		end, found := ask(p)
		if !found {
			without, last = without+1, whyNone(p)
			continue
		}
		ok = true
		if end.After(at) {
			at = end
		}
	}
	switch {
	case !ok:
		return at, false, last
	case without > 0:
		rest = say.F("%s no such boundary; there the override ends when it has ended everywhere else.", say.N(without, "%d resource has", "%d resources have"))
	}
	return at, true, rest
}

// whyNone says why a policy has no boundary, where that is not the calendar's doing.
func whyNone(p policy.Policy) say.Text {
	switch {
	case p.Why == policy.Governed:
		return say.Text{}
	case p.Why == policy.WorkloadMember:
		return say.F(" (it is a member of workload %q)", p.Workload)
	case p.Workload != "" && p.Name == "":
		return say.F(" (workload %q has no schedule)", p.Workload)
	}
	return say.F(" (schedule %q: %s)", p.Name, decide.Reason(p.Why).Said().Bare())
}

// checkWeek refuses an author who has made as many overrides as one may in a
// week, and says what is left.
func (s *Service) checkWeek(ctx context.Context, author string, now time.Time) (left say.Text, err error) {
	most := s.Overrides.MaxPerWeek
	if most <= 0 {
		return say.Text{}, nil
	}
	query := store.ActivityQuery{From: now.Add(-perWeek), Event: store.EventOverride, Limit: store.DefaultLimit}
	var made []time.Time
	for {
		rows, err := s.Store.Activity(ctx, query)
		if err != nil {
			return say.Text{}, fmt.Errorf("count the overrides of %s: %w", author, err)
		}
		for i := range rows {
			if rows[i].Actor == author && rows[i].Reason == OverrideMade {
				made = append(made, rows[i].At)
			}
			query.After = rows[i].Seq
		}
		if len(rows) < query.Limit {
			break
		}
	}
	if len(made) < most {
		return say.F("%s may make %d more within 7 days (overrides.max_per_week: %d).", author, most-len(made)-1, most), nil
	}
	slices.SortFunc(made, time.Time.Compare)
	return say.Text{}, inputErrorF("%s has made %s in the last 7 days, and overrides.max_per_week allows %d; none is left before %s; extend one that is in force (dayshift override list), or ask a colleague",
		author, say.N(len(made), "%d override", "%d overrides"), most, stamp(made[len(made)-most].Add(perWeek)))
}

// Words of the record: what a person did with an override.
const (
	OverrideMade    = "made"
	OverrideChanged = "changed"
	OverrideCleared = "cleared"
)

// newIDs bounds the tries for an ID that nobody has: one in 65536 is taken by
// another override of the same second.
const newIDs = 5

// saveNew keeps a new override under an ID of its own.
func (s *Service) saveNew(ctx context.Context, o *policy.Override, on subject) (object store.Object, err error) {
	for try := range newIDs {
		if try > 0 {
			o.ID = newOverrideID(o.From)
		}
		if object, err = store.FromOverride(o); err != nil {
			return object, err
		}
		object, err = s.Store.SaveObject(ctx, object, on.row(o, o.Author, o.From, OverrideMade))
		if !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	if err != nil {
		return store.Object{}, fmt.Errorf("keep the override: %w", err)
	}
	return object, nil
}

// newOverrideID makes an ID that sorts by time and can be read out on the phone.
func newOverrideID(now time.Time) string {
	var random [2]byte
	_, _ = rand.Read(random[:]) // it never fails
	return fmt.Sprintf("o-%s-%x", now.UTC().Format("20060102-150405"), random)
}

// row is the row of the record for what a person did.
func (s *subject) row(o *policy.Override, actor string, at time.Time, what string) store.Activity {
	row := store.Activity{At: at, Actor: actor, Event: store.EventOverride, Ref: o.Target.Resource, Name: o.ID, Schedule: s.scheduleName, Reason: what}
	on := o.Target.String()
	if s.name != "" && s.name != o.Target.Resource.ID {
		on = s.name + " (" + on + ")"
	}
	var text string
	switch what {
	case OverrideMade:
		text = fmt.Sprintf("%s wants %s %s %s", actor, on, o.State, ends(o))
	case OverrideChanged:
		text = fmt.Sprintf("%s changed the end of the override of %s (%s, by %s): it lasts %s", actor, on, o.State, o.Author, ends(o))
	case OverrideCleared:
		text = fmt.Sprintf("%s cleared the override of %s (%s %s, by %s)", actor, on, o.State, ends(o), o.Author)
	}
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	row.Detail = Plain(text)
	return row
}

// ends says when an override ends.
func ends(o *policy.Override) say.Text { return Ends(o, say.Raw(stamp(o.Until))) }

// Ends says when an override ends. until is its latest end, as it is to be written.
func Ends(o *policy.Override, until say.Text) say.Text {
	switch {
	case o.Once:
		return say.F("until everything it is for has been %s, %s at the latest", say.Word(o.State.String()), until)
	case o.Boundary && o.Target.Resource == (fleet.Ref{}) && o.Target.Workload == "":
		return say.F("until the next boundary of each resource, %s at the latest", until)
	case o.Boundary:
		return say.F("until the next boundary, %s", until)
	}
	return say.F("until %s", until)
}

// targetText is a target as a command takes it.
func targetText(t policy.Target) string {
	switch {
	case t.Resource != fleet.Ref{}:
		return t.Resource.String()
	case t.Workload != "":
		return workloadPrefix + t.Workload
	case t.Schedule != "":
		return schedulePrefix + t.Schedule
	}
	return filterPrefix + t.Filter.String()
}

// held is an override as the store has it.
type held struct {
	override *policy.Override // nil where it can not be read
	object   store.Object
	fault    error
}

func (h *held) view() OverrideView {
	if h.override == nil {
		return OverrideView{
			ID: h.object.Name, Version: h.object.Version, ChangedBy: h.object.Author, Changed: h.object.Changed,
			From: h.object.Created, Fault: h.fault.Error(), Ends: say.F("it can not be read and has no effect"),
		}
	}
	o := h.override
	return OverrideView{
		ID: o.ID, Target: targetText(o.Target), State: o.State.String(), From: o.From, Until: o.Until, Boundary: o.Boundary, Once: o.Once,
		Ends: ends(o), Author: o.Author, Reason: o.Reason, Version: h.object.Version, ChangedBy: h.object.Author, Changed: h.object.Changed,
	}
}

// allHeld reads every override of the store, in the order in which they count;
// those that can not be read come last.
func (s *Service) allHeld(ctx context.Context) ([]held, error) {
	objects, err := s.Store.Objects(ctx, store.OverrideObject)
	if err != nil {
		return nil, fmt.Errorf("read the overrides: %w", err)
	}
	byID := map[string]held{}
	var order []*policy.Override
	var unreadable []held
	for _, object := range objects {
		o, err := store.ToOverride(object)
		if err != nil {
			unreadable = append(unreadable, held{object: object, fault: err})
			continue
		}
		byID[o.ID] = held{override: o, object: object}
		order = append(order, o)
	}
	policy.SortOverrides(order)
	list := make([]held, 0, len(objects))
	for _, o := range order {
		list = append(list, byID[o.ID])
	}
	return append(list, unreadable...), nil
}

// looked is the fleet and people's decisions at one instant.
type looked struct {
	s      *Service
	now    time.Time
	report pass.Report // with what stands for the workloads that are concerned, see addWorkloads
	held   []held      // also those whose time is over
	wholes map[string]whole
}

// looking looks at the part of the fleet that a target can be for.
func (s *Service) looking(ctx context.Context, target string) (*looked, error) {
	v := &looked{s: s, now: store.Instant(s.Now())}
	var err error
	if v.held, err = s.allHeld(ctx); err != nil {
		return nil, err
	}
	looker := s.Looker
	if concerned, sure := s.targeted(target); concerned != nil {
		looker = s.narrowed(concerned, sure)
	}
	if v.report, err = looker.Look(ctx, time.Time{}, false); err != nil {
		return v, err
	}
	err = v.addWorkloads(ctx, s.driven(target))
	return v, err
}

// lookingAtHeld looks at the part of the fleet that overrides are for, those in force and that of a target, if there is one.
func (s *Service) lookingAtHeld(ctx context.Context, target string) (*looked, error) {
	v := &looked{s: s, now: store.Instant(s.Now())}
	var err error
	if v.held, err = s.allHeld(ctx); err != nil {
		return nil, err
	}
	targeted, _ := s.targeted(target)
	looker := s.narrowed(func(r *fleet.Resource) bool {
		return targeted != nil && targeted(r) || slices.ContainsFunc(v.held, func(h held) bool {
			return h.override != nil && v.inForce(h.override) && h.override.Covers(*r, s.Book.TagKey)
		})
	}, true)
	if v.report, err = looker.Look(ctx, time.Time{}, false); err != nil {
		return v, err
	}
	driven := s.driven(target)
	err = v.addWorkloads(ctx, func(w *workload.Workload) bool {
		return driven(w) || slices.ContainsFunc(v.held, func(h held) bool {
			return h.override != nil && v.inForce(h.override) &&
				(h.override.Target.Workload == w.Name || w.Schedule != "" && h.override.Target.Schedule == w.Schedule)
		})
	})
	return v, err
}

// targeted tells which resources a target can be for, as far as that can be told from its text; nil: nobody can tell. sure:
// it may be for none.
func (s *Service) targeted(text string) (concerned func(*fleet.Resource) bool, sure bool) {
	text = strings.TrimSpace(text)
	name, isFilter := strings.CutPrefix(text, filterPrefix)
	if strings.HasPrefix(text, workloadPrefix) { // its members are looked at by its own run
		return func(*fleet.Resource) bool { return false }, true
	}
	if isFilter || !strings.HasPrefix(text, schedulePrefix) && !strings.HasPrefix(text, resourcePrefix) && hasEquals(text) {
		filter, err := fleet.ParseFilter(name)
		if err != nil {
			return nil, false
		}
		return func(r *fleet.Resource) bool { return filter.Match(*r) }, false
	}
	schedule := strings.TrimPrefix(text, schedulePrefix)
	if schedule != text {
		return s.carries(schedule), true
	}
	name = strings.TrimPrefix(text, resourcePrefix)
	if name == "" {
		return nil, false
	}
	carries := s.carries(name)
	return func(r *fleet.Resource) bool { return answersTo(r, name) || name == text && carries(r) }, false
}

// carries tells which resources carry the name of a schedule.
func (s *Service) carries(schedule string) func(*fleet.Resource) bool {
	return func(r *fleet.Resource) bool { return strings.TrimSpace(r.Tags[s.Book.TagKey]) == schedule }
}

// inside refuses a subject that is for anything that a filter does not match (nil: everything may be acted on). What could
// not be listed may be such a thing.
func (v *looked) inside(ctx context.Context, on *subject, within *fleet.Filter) error {
	if within == nil {
		return nil
	}
	outside := 0
	for _, i := range slices.Concat(on.covered, on.guarded) {
		switch r := &v.report.Decisions[i].Resource; {
		case r.Kind == policy.WorkloadKind:
			if err := v.membersInside(ctx, r.ID, within); err != nil {
				return err
			}
		case !within.Match(*r):
			outside++
		}
	}
	switch {
	case outside > 0:
		return &OutsideError{Resources: outside}
	case len(on.covered) == 0:
		return &OutsideError{}
	case on.target.Resource == (fleet.Ref{}) && len(v.report.Gaps) > 0:
		return &OutsideError{Unseen: true}
	}
	return nil
}

// inForce reports whether an override's time is not over.
func (v *looked) inForce(o *policy.Override) bool { return v.now.Before(o.Until) }

// book is the book with the overrides in force, one put in or exchanged and others left out.
func (v *looked) book(with *policy.Override, without ...string) *policy.Book {
	book := *v.s.Book
	book.Overrides = nil
	for i := range v.held {
		o := v.held[i].override
		if o == nil || !v.inForce(o) || slices.Contains(without, o.ID) || with != nil && o.ID == with.ID {
			continue
		}
		book.Overrides = append(book.Overrides, o)
	}
	if with != nil {
		book.Overrides = append(book.Overrides, with)
	}
	policy.SortOverrides(book.Overrides)
	return &book
}

// The words that say what a target is.
const (
	schedulePrefix = "schedule:"
	resourcePrefix = "resource:"
	filterPrefix   = "filter:"
	workloadPrefix = "workload:"
)

// subject is a target that was found.
type subject struct {
	target       policy.Target
	name         string           // of a resource
	schedule     *policy.Schedule // of a schedule, workload or resource; nil for a filter and where there is none
	scheduleName string           // as the resource's tag or the workload names it
	covered      []int            // places in the report's decisions, protected resources and those without a tag left out
	guarded      []int            // protected resources that it would be for
}

// howToName says what a target is given by.
func howToName() say.Text {
	return say.F("write an ID, an ARN, a name, account/region/kind/id, schedule:NAME, workload:NAME, or a filter such as tag:Env=dev")
}

// resolve finds what a person means.
func (v *looked) resolve(text string) (subject, error) {
	if !utf8.ValidString(text) {
		return subject{}, inputErrorF("target %.100q is not valid UTF-8", text)
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return subject{}, inputErrorF("which target? %s", howToName())
	case strings.HasPrefix(text, workloadPrefix):
		return v.ofWorkload(strings.TrimPrefix(text, workloadPrefix))
	case strings.HasPrefix(text, schedulePrefix):
		return v.ofSchedule(strings.TrimPrefix(text, schedulePrefix))
	case strings.HasPrefix(text, filterPrefix):
		return v.ofFilter(strings.TrimPrefix(text, filterPrefix))
	case strings.HasPrefix(text, resourcePrefix):
		name := strings.TrimPrefix(text, resourcePrefix)
		if name == "" {
			return subject{}, inputErrorF("which resource? %s", howToName())
		}
		return v.ofResource(name, v.named(name))
	case hasEquals(text):
		return v.ofFilter(text)
	}
	found := v.named(text)
	_, known := v.s.Book.Schedules[text]
	if v.s.Book.Workloads.Named(text) != nil {
		if known || len(found) > 0 {
			return subject{}, inputErrorF("%q is a workload and something else as well; write workload:%s, or schedule:%s or resource:%s", text, text, text, text)
		}
		return v.ofWorkload(text)
	}
	if known {
		if len(found) > 0 {
			return subject{}, inputErrorF("%q is a schedule and %s; write schedule:%s, or for the resource\n%s", text, say.N(len(found), "%d resource", "%d resources"), text, v.refs(found))
		}
		return v.ofSchedule(text)
	}
	return v.ofResource(text, found)
}

// hasEquals reports whether a text has a "=" that no backslash protects.
func hasEquals(text string) bool {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '=':
			return true
		}
	}
	return false
}

// named finds resources by ref, ID, ARN or name.
func (v *looked) named(text string) (found []int) {
	for i := range v.report.Decisions {
		r := &v.report.Decisions[i].Resource
		if r.Kind != policy.WorkloadKind && answersTo(r, text) {
			found = append(found, i)
		}
	}
	return found
}

// refs lists resources, one a line, as a command takes them.
func (v *looked) refs(found []int) say.Text {
	var lines []say.Text
	for n, i := range found {
		if n == namesShown {
			lines = append(lines, say.F("  and %d more", len(found)-n))
			break
		}
		r := &v.report.Decisions[i].Resource
		lines = append(lines, say.Raw(fmt.Sprintf("  %s (%s)", r.Ref, r.Name)))
	}
	return say.Lines(lines...)
}

func (v *looked) ofSchedule(name string) (subject, error) {
	schedule := v.s.Book.Schedules[name]
	if schedule == nil {
		_, err := v.s.schedule(name)
		return subject{}, err
	}
	on := subject{target: policy.Target{Schedule: name}, schedule: schedule, scheduleName: name}
	v.cover(&on)
	return on, nil
}

func (v *looked) ofFilter(text string) (subject, error) {
	filter, err := fleet.ParseFilter(text)
	if err != nil {
		return subject{}, asInput(err)
	}
	if strings.Contains(","+filter.String(), ",instance-state-name=") {
		return subject{}, inputErrorF("filter %q selects by instance-state-name: what the override starts or stops would not be selected any more, and be undone at once; select by tags or names", filter)
	}
	on := subject{target: policy.Target{Filter: filter}}
	v.cover(&on)
	if len(on.covered) > 0 {
		return on, nil
	}
	reason := say.F("filter %q matches no scheduled resource in %s", filter, say.N(v.report.Run.Counts.Scopes, "%d scope", "%d scopes"))
	if len(on.guarded) > 0 {
		reason = say.F("filter %q matches nothing but %s", filter, say.N(len(on.guarded), "%d protected resource", "%d protected resources"))
	}
	return subject{}, &InputError{told{say.Lines(say.F("%s; look with `dayshift resource list --filter`", reason), v.gapLines())}}
}

func (v *looked) gapLines() say.Text {
	var lines []say.Text
	for _, gap := range v.report.Gaps {
		lines = append(lines, say.F("  it may match in a part that could not be listed: %s", gap))
	}
	return say.Lines(lines...)
}

func (v *looked) ofResource(text string, found []int) (subject, error) {
	switch {
	case len(found) > 1:
		return subject{}, inputErrorF("%s answer to %q; write one of them, or a filter for all:\n%s", say.N(len(found), "%d resource", "%d resources"), text, v.refs(found))
	case len(found) == 0:
		return subject{}, v.notFound(text)
	}
	r := v.report.Decisions[found[0]].Resource
	p := v.s.Book.Governs(r)
	switch {
	case p.Protected():
		return subject{}, inputErrorF("%s (%s) can not be overridden: %s", r.Name, r.Ref, decide.Reason(p.Why))
	case p.Name == "" && p.Why == policy.WorkloadMember:
		return subject{}, inputErrorF("%s (%s) can not be overridden alone: it is a member of workload %q and carries no %s tag; write workload:%s", r.Name, r.Ref, p.Workload, p.TagKey, p.Workload)
	case p.Name == "":
		return subject{}, inputErrorF("%s (%s) can not be overridden: it carries no %s tag, so Dayshift leaves it alone; tag it with the name of a schedule first", r.Name, r.Ref, p.TagKey)
	}
	return subject{target: policy.Target{Resource: r.Ref}, name: r.Name, schedule: p.Schedule, scheduleName: p.Name, covered: found}, nil
}

func (v *looked) notFound(text string) error {
	names := make([]string, 0, 2*len(v.report.Decisions)+len(v.s.Book.Schedules))
	for i := range v.report.Decisions {
		names = append(names, v.report.Decisions[i].Resource.Name, v.report.Decisions[i].Resource.ID)
	}
	for name := range v.s.Book.Schedules {
		names = append(names, name)
	}
	near, _ := typo.Nearest(text, names)
	return &NotFoundError{Target: text, Scopes: v.report.Run.Counts.Scopes, Gaps: gaps(v.report), Near: near, Schedule: true}
}

// cover finds the resources that a target is for.
func (v *looked) cover(on *subject) {
	for i := range v.report.Decisions {
		r := &v.report.Decisions[i].Resource
		if !(&policy.Override{Target: on.target}).Covers(*r, v.s.Book.TagKey) {
			continue
		}
		switch p := v.s.Book.Governs(*r); {
		case p.Protected():
			on.guarded = append(on.guarded, i)
		case p.Name != "" || r.Kind == policy.WorkloadKind:
			on.covered = append(on.covered, i)
		}
	}
}

// subjectOf is the subject of an override that was made before: what it is for now.
func (v *looked) subjectOf(o *policy.Override) subject {
	on := subject{target: o.Target, schedule: v.s.Book.Schedules[o.Target.Schedule], scheduleName: o.Target.Schedule}
	if w := v.s.Book.Workloads.Named(o.Target.Workload); w != nil {
		on.schedule, on.scheduleName = v.s.Book.Schedules[w.Schedule], w.Schedule
	}
	v.cover(&on)
	if o.Target.Resource != (fleet.Ref{}) && len(on.covered) == 1 {
		r := v.report.Decisions[on.covered[0]].Resource
		p := v.s.Book.Governs(r)
		on.name, on.schedule, on.scheduleName = r.Name, p.Schedule, p.Name
	}
	return on
}

// answer says what an override does.
func (v *looked) answer(ctx context.Context, h held, on subject, notes []say.Text) (OverrideAnswer, error) {
	o := h.override
	a := OverrideAnswer{
		At: v.now, Override: h.view(), Matches: len(on.covered), Resources: []OverrideLine{}, Others: []OverrideView{}, Gaps: gaps(v.report),
	}
	book := with(v.book(o), &v.report)
	v.stand(book)
	for _, i := range on.covered {
		d := &v.report.Decisions[i]
		a.Resources = append(a.Resources, live(book, d, o, v.now))
	}
	for i := range v.held {
		other := &v.held[i]
		if other.override != nil && other.override.ID != o.ID && v.inForce(other.override) && targetText(other.override.Target) == a.Override.Target {
			a.Others = append(a.Others, other.view())
		}
	}
	a.Override.Covers = len(on.covered)
	for i := range a.Resources {
		if a.Resources[i].Counts {
			a.Override.Counts++
		}
	}
	var err error
	if a.Effect, err = v.effect(ctx, o); err != nil {
		return a, err
	}
	if a.Plan, err = v.foreseen(ctx, &a, o); err != nil {
		return a, err
	}
	a.Sentences = append(v.sentences(o, on, &a), notes...)
	for _, limit := range a.Effect.Limits {
		a.Sentences = append(a.Sentences, say.F("%s.", limit).Plain())
	}
	return a, nil
}

// effect compares the fleet with an override and without, as it was looked at.
func (v *looked) effect(ctx context.Context, o *policy.Override) (Effect, error) {
	same := *v.s
	same.Looker, same.Book = seen{v.report}, v.book(nil, o.ID)
	candidate := Candidate{Book: v.book(o)}
	if v.s.Config != nil {
		candidate.Limits = v.s.Config.Limits
	}
	return same.Effect(ctx, candidate)
}

// seen is a fleet that was looked at already.
type seen struct{ report pass.Report }

func (s seen) Look(context.Context, time.Time, bool) (pass.Report, error) { return s.report, nil }

// lastDay is the stretch before an override's end that is lived through step by step: a warning falls into it.
const lastDay = 25 * time.Hour

// lifeSteps bounds that.
const lifeSteps = 500

// live tells what an override does to one resource, with the same decisions as a pass.
func live(book *policy.Book, d *decide.Decision, o *policy.Override, now time.Time) OverrideLine {
	r := d.Resource
	p := book.Governs(r)
	line := OverrideLine{Ref: refText(r.Ref), Name: r.Name, State: string(r.State), Action: "none"}
	first := decide.Decide(decide.Input{Now: now, Policy: p, Memory: d.Untouched(), Resource: r})
	line.Reason, line.Why = string(first.Reason), first.Said()
	chosen, end, ok := p.Override(now, d.Untouched().Reached)
	if !ok || chosen.ID != o.ID {
		if ok {
			line.Why = say.F("Override %s comes first for it: %s.", chosen.ID, chosen)
		}
		return line
	}
	line.Counts, line.Until, line.Then = true, end, "none"
	if first.Verb != "" {
		line.Action = string(first.Verb)
	}
	if first.Observe {
		line.Why = say.Sentences(line.Why, say.F("It is only observed: this is recorded and not done."))
	}
	walk := walker{
		policy: p, rules: rulesOf(book, &r), resource: r, memory: d.Untouched(), to: end, fired: now,
		act: func(*decide.Decision, time.Time) error { return nil },
	}
	walk.arrive()
	for at, step := now, 0; ; step++ {
		seen, err := walk.look(at)
		if err != nil {
			return line
		}
		if seen.Warn != nil {
			line.WarnAt = at
		}
		if !at.Before(end) {
			if seen.Verb != "" {
				line.Then = string(seen.Verb)
			}
			return line
		}
		at = later(walk.next(&seen, at), end.Add(-lastDay))
		if step >= lifeSteps {
			at = end
		}
	}
}

// sentences say to people what happens when.
func (v *looked) sentences(o *policy.Override, on subject, a *OverrideAnswer) (list []say.Text) {
	verb := "started"
	if o.State == calendar.Stopped {
		verb = "stopped"
	}
	var acts, already, arriving, overshadowed []string
	var unable []say.Text
	then := map[string][]string{}
	var warned []time.Time
	var zone *time.Location
	if on.schedule != nil && on.schedule.Calendar != nil {
		zone = on.schedule.Calendar.Location()
	}
	last := o.Until
	for i := range a.Resources {
		l := &a.Resources[i]
		name := cmp.Or(l.Name, l.Ref)
		switch {
		case !l.Counts:
			overshadowed = append(overshadowed, name)
			continue
		case l.Action != "none":
			acts = append(acts, name)
		case l.Reason == string(decide.ActionUnderWay) || l.Reason == string(decide.Changing):
			arriving = append(arriving, name)
		case l.State == o.State.String():
			already = append(already, name)
		default:
			unable = append(unable, say.F("%s: %s", name, l.Why))
		}
		then[l.Then] = append(then[l.Then], name)
		if !l.WarnAt.IsZero() {
			warned = append(warned, l.WarnAt)
		}
		if len(a.Resources) == 1 {
			last = l.Until
		}
	}
	tell := func(text say.Text) { list = append(list, text.Plain()) }
	if o.Target.Workload != "" {
		list, acts, already, arriving, unable, overshadowed = v.wholeSentences(o, a), nil, nil, nil, nil, nil
	}
	if len(acts) > 0 {
		tell(say.F("%s %s at the next pass: %s.", say.N(len(acts), "%d resource is", "%d resources are"), say.Word(verb), some(acts)))
	}
	if len(already) > 0 {
		tell(say.F("%s %s already and kept so: %s.", say.N(len(already), "%d resource is", "%d resources are"), o.State, some(already)))
	}
	if len(arriving) > 0 {
		tell(say.F("%s on the way up or down; what is to be done is done when that is over: %s.", say.N(len(arriving), "%d resource is", "%d resources are"), some(arriving)))
	}
	for _, text := range unable[:min(len(unable), shown)] {
		tell(say.F("Nothing can be done now for %s", text))
	}
	if len(on.guarded) > 0 {
		var names []string
		for _, i := range on.guarded {
			r := &v.report.Decisions[i].Resource
			names = append(names, cmp.Or(r.Name, r.ID))
		}
		tell(say.F("%s protected and left alone: %s.", say.N(len(names), "%d resource is", "%d resources are"), some(names)))
	}
	if len(overshadowed) > 0 {
		tell(say.F("For %s another override comes first: %s.", say.N(len(overshadowed), "%d resource", "%d resources"), some(overshadowed)))
	}
	if len(on.covered) == 0 && o.Target.Workload == "" {
		tell(say.F("No resource of %s could be seen now; the override holds for those that appear before it ends.", o.Target))
	}
	for _, i := range on.covered {
		if v.s.Book.Governs(v.report.Decisions[i].Resource).Observe {
			tell(say.F("Observe is switched on: what is only observed is recorded and not done."))
			break
		}
	}
	switch {
	case o.Once:
		tell(say.F("It ends as soon as everything it is for has been %s, at %s at the latest.", o.State, when(o.Until, zone)))
	case o.Boundary && len(a.Resources) != 1:
		tell(say.F("It ends for each resource at the next boundary of its schedule, at %s at the latest.", when(o.Until, zone)))
	case o.Boundary:
		tell(say.F("It ends at the next boundary of the schedule, %s.", when(last, zone)))
	default:
		tell(say.F("It ends at %s.", when(o.Until, zone)))
	}
	if o.Target.Workload != "" {
		if text := wholeThen(o, a, zone); !text.Empty() {
			tell(text)
		}
		then = nil
	}
	stops := slices.Concat(then[string(fleet.Stop)], then[string(fleet.Hibernate)])
	if len(stops) > 0 {
		text := say.F("Then %s stopped, as the schedule wants: %s", say.N(len(stops), "%d resource is", "%d resources are"), some(stops))
		if len(warned) > 0 {
			text = say.Clauses(text, say.F("people are told at %s", when(slices.MinFunc(warned, time.Time.Compare), zone)))
		}
		tell(say.F("%s.", text))
	}
	if starts := then[string(fleet.Start)]; len(starts) > 0 {
		tell(say.F("Then %s started, as the schedule wants: %s.", say.N(len(starts), "%d resource is", "%d resources are"), some(starts)))
	}
	if stay := then["none"]; len(stay) > 0 && !o.Once {
		tell(say.F("Then the schedule counts again and leaves %s as it is: %s.", say.N(len(stay), "%d resource", "%d resources"), some(stay)))
	}
	for i := range a.Others {
		other := &a.Others[i]
		which := say.F("this one is newer and counts while it lasts")
		if other.From.After(o.From) {
			which = say.F("that one is newer and counts while it lasts")
		}
		tell(say.F("There is also %s for the same target, %s %s by %s; %s.", other.ID, say.Word(other.State), other.Ends, other.Author, which))
	}
	return list
}

// when is an instant with the clock of the schedule's zone.
func when(t time.Time, zone *time.Location) say.Text {
	if zone == nil || zone == time.UTC || zone.String() == "UTC" {
		return say.Raw(stamp(t))
	}
	local := t.In(zone)
	return say.F("%s (%s %s in %s)", stamp(t), say.Word(local.Format("Mon")), local.Format("15:04"), zone)
}

// shown bounds the names in a sentence.
const shown = 5

func some(names []string) say.Text {
	list := make([]say.Text, len(names))
	for i, name := range names {
		list[i] = say.Raw(name)
	}
	return someOf(list)
}

// someOf is some for what is more than a name.
func someOf(list []say.Text) say.Text {
	text := say.List(list[:min(len(list), shown)]...)
	if more := len(list) - shown; more > 0 {
		text = say.F("%s and %d more", text, more)
	}
	return text
}
