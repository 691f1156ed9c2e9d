package service

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// lookedOnce looks at the fleet the first time it is asked, and gives the same answer from then on.
type lookedOnce struct {
	Looker
	report *pass.Report
}

func (l *lookedOnce) Look(ctx context.Context, at time.Time, chains bool) (pass.Report, error) {
	if l.report != nil {
		return *l.report, nil
	}
	report, err := l.Looker.Look(ctx, at, chains)
	if err == nil {
		l.report = &report
	}
	return report, err
}

// noter finds out what people should know of an object.
type noter struct {
	s      *Service
	loaded *config.Loaded
	report pass.Report
	now    time.Time
	notes  []say.Text
}

func (n *noter) notef(format string, args ...any) {
	n.notes = append(n.notes, say.F(format, args...))
}

// notes says what an edit does beyond its effect on the fleet.
func (g *stage) notes(ctx context.Context, e *edit, effect *Effect) []say.Text {
	n := noter{s: g.s, loaded: g.after, now: effect.At}
	if g.looker.report != nil {
		n.report = *g.looker.report
	}
	name := e.object.Name
	switch e.object.Kind { //nolint:exhaustive // a period says all there is to say
	case store.ScheduleObject:
		if e.did == Deleted {
			if total, _ := n.carry(name); total > 0 {
				n.notef("%s the tag of this schedule; without it they are left alone.", say.N(total, "%d resource carries", "%d resources carry"))
			}
			break
		}
		n.schedule(name)
	case store.WorkloadObject:
		if e.did != Deleted {
			n.workload(ctx, name)
		}
	case store.RuleObject:
		if e.did != Deleted {
			n.rule(ctx, name)
		}
	case store.HolidayObject:
		if e.did != Deleted {
			n.holidays(name)
		}
	case store.ExceptionObject:
		n.exception(g, e, effect)
	}
	return n.notes
}

// carry counts the resources that carry the name of a schedule, and the protected ones among them.
func (n *noter) carry(name string) (total, protected int) {
	for i := range n.report.Decisions {
		governs := n.loaded.Book.Governs(n.report.Decisions[i].Resource)
		if governs.Name != name {
			continue
		}
		total++
		if governs.Protected() {
			protected++
		}
	}
	return total, protected
}

// changesNoted is how many changes ahead of a schedule are told.
const changesNoted = 3

// clockText is an instant on the clock of a zone, for people.
func clockText(at time.Time, zone *time.Location) say.Text {
	layout := "2006-01-02 15:04 MST"
	if at.Second() != 0 {
		layout = "2006-01-02 15:04:05 MST"
	}
	local := at.In(zone)
	return say.F("%s %s", say.Word(local.Format("Mon")), local.Format(layout))
}

// schedule says what a schedule governs and when it changes next.
func (n *noter) schedule(name string) {
	s := n.loaded.Book.Schedules[name]
	if s == nil || s.Calendar == nil {
		return
	}
	total, protected := n.carry(name)
	text := say.F("It governs %s now", say.N(total, "%d resource", "%d resources"))
	if protected > 0 {
		text = say.F("%s its tag, %d of them protected and left alone", say.N(total, "%d resource carries", "%d resources carry"), protected)
	}
	if len(n.report.Gaps) > 0 {
		text = say.F("%s, as far as the fleet could be seen", text)
	}
	n.notef("%s.", text)
	switch {
	case !s.Enabled:
		n.notef("It is not enabled: it decides nothing.")
	case s.Observe || n.loaded.Book.Observe:
		n.notef("It observes: what it wants is recorded and not done.")
	}
	var next []say.Text
	at := n.now
	for range changesNoted {
		boundary, ok := s.Calendar.NextState(at)
		if !ok {
			break
		}
		at = boundary.At
		next = append(next, say.F("%s from %s", boundary.To.State, clockText(at, s.Calendar.Location())))
	}
	want := s.Calendar.Wanted(n.now).State
	if len(next) == 0 {
		n.notef("It wants %s now, and never anything else.", want)
	} else {
		n.notef("It wants %s now; then %s.", want, say.List(next...))
	}
	for _, fact := range s.Calendar.Special(n.now).Facts() {
		n.notef("%s.", fact.Text.Begin())
	}
}

// instantsNoted is how many instants of a rule are shown.
const instantsNoted = 10

// rule says when a rule fires next and what its filter matches.
func (n *noter) rule(ctx context.Context, name string) {
	rule := n.ruleOf(name)
	if rule == nil || rule.Expression == nil {
		return
	}
	zone := rule.Expression.Location()
	expression := say.Raw(rule.Expression.String())
	if rule.Expression.Kind() == calendar.KindUnixCron {
		expression = say.F("%s, as the five fields of Unix cron", expression)
	}
	if !rule.Enabled {
		n.notef("It is not enabled: it never fires.")
	}
	var list []say.Text
	for at := later(n.now, rule.Since); len(list) < instantsNoted; {
		next, ok := rule.Expression.Next(at)
		if !ok {
			break
		}
		at = next
		text := clockText(at, zone)
		if zone != time.UTC && zone.String() != "UTC" {
			text = say.F("%s = %s", text, stamp(at))
		}
		list = append(list, text)
	}
	if len(list) == 0 {
		n.notef("%s: no instant is to come, it never fires again.", expression)
	} else {
		n.notef("%s, on the clock of %s. Its next instants:", expression, zone)
	}
	for _, text := range list {
		n.notef("%s.", text)
	}
	if rule.Workload != "" {
		n.notef("It is for workload %q as a whole.", rule.Workload)
		return
	}
	n.matches(ctx, rule)
}

func (n *noter) ruleOf(name string) *policy.Rule {
	i := slices.IndexFunc(n.loaded.Book.Rules, func(r *policy.Rule) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return n.loaded.Book.Rules[i]
}

// matches says how much the filter of a rule matches now.
func (n *noter) matches(ctx context.Context, rule *policy.Rule) {
	tagKey := n.loaded.Book.TagKey
	var acts, protected, untagged int
	take := func(r *fleet.Resource) {
		switch {
		case !rule.In(r.Scope) || !rule.Filter.Match(*r):
		case !rule.Selects(*r, tagKey):
			untagged++
		case n.loaded.Book.Governs(*r).Protected():
			protected++
		default:
			acts++
		}
	}
	if n.s.Matching == nil {
		for i := range n.report.Decisions {
			take(&n.report.Decisions[i].Resource)
		}
	} else {
		list, missing := n.s.Matching(ctx, rule)
		for i := range list {
			take(&list[i])
		}
		for _, gap := range missing {
			n.notef("What it matches is not known whole: %s.", gap.Text)
		}
	}
	text := say.F("Its filter matches %s now", say.N(acts, "%d resource", "%d resources"))
	if protected > 0 {
		text = say.F("%s, and %d more that are protected and left alone", text, protected)
	}
	if untagged > 0 {
		text = say.F("%s, and %d more that carry no %s tag and are left alone unless untagged is true", text, untagged, tagKey)
	}
	n.notef("%s.", text)
}

// ruleConflicts says what a rule conflicts with.
func (n *noter) ruleConflicts(name string) {
	resources := make([]fleet.Resource, len(n.report.Decisions))
	for i := range n.report.Decisions {
		resources[i] = n.report.Decisions[i].Resource
	}
	for _, c := range Conflicts(&n.loaded.Book, resources, n.now) {
		if c.Rule == name || c.With == RuleWord(name) {
			n.notef("Conflict: %s (%s: %s).", c.Text, say.N(c.Count, "%d resource", "%d resources"), some(c.Examples))
		}
	}
}

// holidays says what years a calendar covers and how old what was fetched is.
func (n *noter) holidays(name string) {
	h := n.loaded.Calendar(name)
	if h == nil {
		return
	}
	years := h.Years()
	if len(years) == 0 {
		n.notef("It covers no year yet.")
	} else {
		n.notef("It covers %s, with %s.", yearWords(years), say.N(h.Len(), "%d day", "%d days"))
	}
	this := n.now.UTC().Year()
	for year := this; year <= this+1; year++ {
		if !h.Covers(year) {
			n.notef("It does not cover %d: no day of that year counts as a day off or as a make-up day.", year)
		}
	}
	for _, address := range n.loaded.Addresses {
		switch {
		case address.Calendar != name:
		case address.Fetched.IsZero():
			n.notef("Its address has not been fetched yet: the daemon does that when it starts, and every %s.", config.Duration(address.Refresh))
		default:
			n.notef("Its address was fetched at %s, %s ago.", stamp(address.Fetched), n.now.Sub(address.Fetched).Round(time.Minute))
		}
	}
}

// yearWords writes years, in order, as ranges.
func yearWords(years []int) say.Text {
	var parts []say.Text
	for i := 0; i < len(years); {
		j := i
		for j+1 < len(years) && years[j+1] == years[j]+1 {
			j++
		}
		part := say.Raw(strconv.Itoa(years[i]))
		if j > i {
			part = say.F("%d to %d", years[i], years[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return say.List(parts...)
}

// over says of an exception that it is over.
func (n *noter) over(spec json.RawMessage) {
	e := exceptionOf(spec)
	x, err := compiledException(e)
	s := n.loaded.Book.Schedules[e.Schedule]
	if err != nil || s == nil || s.Calendar == nil {
		return
	}
	if today := calendar.DateAt(n.now, s.Calendar.Location()); x.To < today {
		n.notef("It is over: today is %s in %s.", today, s.Calendar.Location())
	}
}

func compiledException(e config.Exception) (calendar.Exception, error) {
	return calendar.CompileException(calendar.ExceptionDef{Date: e.Date, From: e.From, To: e.To, Type: e.Type, Value: e.Value, Note: e.Note})
}

// Bounds of what an exception is looked at for: a removed stop can reach a week on, and one that passed two days ago
// concerns nobody.
const (
	exceptionReach  = 9 * 24 * time.Hour
	exceptionBehind = 15 * time.Hour // the zone that is furthest ahead of UTC
	exceptionRecent = 48 * time.Hour
	dayLength       = 24 * time.Hour
)

// exception says which boundaries an exception moves, what of that is over, and
// what comes of it now. Of one that is deleted or changed it says the same the
// other way round.
func (n *noter) exception(g *stage, e *edit, effect *Effect) {
	def := exceptionOf(e.object.Spec)
	x, err := compiledException(def)
	before, after := g.before.Book.Schedules[def.Schedule], g.after.Book.Schedules[def.Schedule]
	if err != nil || before == nil || after == nil || before.Calendar == nil || after.Calendar == nil {
		return
	}
	zone := after.Calendar.Location()
	from := time.Unix(int64(x.From)*int64(dayLength/time.Second), 0).Add(-exceptionBehind - calendar.MaxStartLead)
	to := time.Unix(int64(x.To)*int64(dayLength/time.Second), 0).Add(dayLength + exceptionReach)
	lost, gained := movedBoundaries(before.Calendar, after.Calendar, from, to)
	now := n.now
	if len(lost)+len(gained) == 0 {
		n.notef("This changes nothing: %s.", unmoved(before.Calendar, x, from, to, e.did))
		return
	}
	if !after.Enabled {
		n.notef("Schedule %q is not enabled: it decides nothing, with the exception or without.", def.Schedule)
	}
	var next time.Time
	var over []say.Text
	for i, list := range [][]calendar.Boundary{lost, gained} {
		var said []say.Text
		for _, b := range list {
			if b.At.After(now) {
				if next.IsZero() || b.At.Before(next) {
					next = b.At
				}
			} else if now.Sub(b.At) <= exceptionRecent {
				text := say.F("the %s at %s that is left out", turn(b.To.State), clockText(b.At, zone))
				if i == 1 {
					text = say.F("the %s at %s that is new", turn(b.To.State), clockText(b.At, zone))
				}
				over = append(over, text)
			}
			if len(said) < shown {
				said = append(said, say.F("%s (%s)", clockText(b.At, zone), turn(b.To.State)))
			}
		}
		if len(said) > 0 {
			text := say.List(said...)
			if more := len(list) - len(said); more > 0 {
				text = say.F("%s and %d more", text, more)
			}
			if i == 0 {
				n.notef("Left out: %s.", text)
			} else {
				n.notef("New: %s.", text)
			}
		}
	}
	with, without := after.Calendar.Wanted(now).State, before.Calendar.Wanted(now).State
	words := say.F("With the exception %s is wanted now, without it %s", with, without)
	switch e.did {
	case Deleted:
		words = say.F("Without the exception %s is wanted now, with it %s", with, without)
	case Changed:
		words = say.F("With the change %s is wanted now, without it %s", with, without)
	}
	for _, text := range over {
		n.notef("%s is over.", text.Begin())
	}
	switch {
	case len(over) == 0 && next.IsZero():
		n.notef("All of it is over: it changes nothing any more.")
	case with != without:
		n.notef("%s: it takes effect within a pass: %s.", words, nowWords(effect))
	case len(over) == 0:
	case next.IsZero():
		n.notef("%s: it changes nothing any more.", words)
	case calendar.DateAt(next, zone) > calendar.DateAt(now, zone):
		n.notef("%s: it changes nothing any more today, and counts from %s on.", words, clockText(next, zone))
	default:
		n.notef("%s: it counts from %s on.", words, clockText(next, zone))
	}
}

// turn names a boundary by the state that it leads to.
func turn(to calendar.State) say.Text {
	switch to {
	case calendar.Running:
		return say.Word("start")
	case calendar.Stopped:
		return say.Word("stop")
	}
	return say.Word("release")
}

// maxMoved bounds the boundaries that are compared: ten years of a dozen a day.
const maxMoved = 50_000

// movedBoundaries gives the changes of state that only one of two calendars has.
func movedBoundaries(before, after *calendar.Schedule, from, to time.Time) (lost, gained []calendar.Boundary) {
	type turned struct {
		at int64
		to calendar.State
	}
	collect := func(s *calendar.Schedule) (list []calendar.Boundary, has map[turned]bool) {
		has = map[turned]bool{}
		for b := range s.Boundaries(from, to) {
			if b.From.State == b.To.State {
				continue
			}
			if len(list) == maxMoved {
				break
			}
			list = append(list, b)
			has[turned{b.At.Unix(), b.To.State}] = true
		}
		return list, has
	}
	was, had := collect(before)
	is, has := collect(after)
	lost = slices.DeleteFunc(was, func(b calendar.Boundary) bool { return has[turned{b.At.Unix(), b.To.State}] })
	gained = slices.DeleteFunc(is, func(b calendar.Boundary) bool { return had[turned{b.At.Unix(), b.To.State}] })
	return lost, gained
}

// unmoved says why an exception has no effect.
func unmoved(s *calendar.Schedule, x calendar.Exception, from, to time.Time, did string) say.Text {
	dates := say.F("on %s", x.From)
	if x.From != x.To {
		dates = say.F("from %s to %s", x.From, x.To)
	}
	if did == Deleted {
		return say.F("the schedule does the same %s without the exception", dates)
	}
	runs := s.Wanted(from).State == calendar.Running // where nothing ever changes
	for b := range s.Boundaries(from, to) {
		at := calendar.DateAt(b.At, s.Location())
		if runs = b.To.State == calendar.Running && x.From <= at && at <= x.To; runs {
			break
		}
	}
	if !runs {
		return say.F("the schedule does not start %s, so there is no %s that could be moved", dates, say.Word(x.Type))
	}
	return say.F("the schedule does the same %s without it", dates)
}

// nowWords says what a pass at once does differently.
func nowWords(e *Effect) say.Text {
	var parts []say.Text
	switch d := e.StartsNow.After - e.StartsNow.Before; {
	case d > 0:
		parts = append(parts, say.F("starts %d", d))
	case d < 0:
		parts = append(parts, say.F("no longer starts %d", -d))
	}
	switch d := e.StopsNow.After - e.StopsNow.Before; {
	case d > 0:
		parts = append(parts, say.F("stops %d", d))
	case d < 0:
		parts = append(parts, say.F("no longer stops %d", -d))
	}
	if len(parts) == 0 {
		return say.F("nothing has to be started or stopped for it")
	}
	return say.List(parts...)
}
