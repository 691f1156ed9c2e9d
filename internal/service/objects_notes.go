package service

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/policy"
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
	notes  []string
}

func (n *noter) notef(format string, args ...any) {
	n.notes = append(n.notes, fmt.Sprintf(format, args...))
}

// notes says what an edit does beyond its effect on the fleet.
func (g *stage) notes(ctx context.Context, e *edit, effect *Effect) []string {
	n := noter{s: g.s, loaded: g.after, now: effect.At}
	if g.looker.report != nil {
		n.report = *g.looker.report
	}
	name := e.object.Name
	switch e.object.Kind { //nolint:exhaustive // a period says all there is to say
	case store.ScheduleObject:
		if e.did == Deleted {
			if total, _ := n.carry(name); total > 0 {
				n.notef("%s the tag of this schedule; without it they are left alone.", count(total, "resource carries", "resources carry"))
			}
			break
		}
		n.schedule(name)
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
func clockText(at time.Time, zone *time.Location) string {
	layout := "Mon 2006-01-02 15:04 MST"
	if at.Second() != 0 {
		layout = "Mon 2006-01-02 15:04:05 MST"
	}
	return at.In(zone).Format(layout)
}

// schedule says what a schedule governs and when it changes next.
func (n *noter) schedule(name string) {
	s := n.loaded.Book.Schedules[name]
	if s == nil || s.Calendar == nil {
		return
	}
	total, protected := n.carry(name)
	text := fmt.Sprintf("It governs %s now", count(total, "resource", "resources"))
	if protected > 0 {
		text = fmt.Sprintf("%s its tag, %d of them protected and left alone", count(total, "resource carries", "resources carry"), protected)
	}
	if len(n.report.Gaps) > 0 {
		text += ", as far as the fleet could be seen"
	}
	n.notef("%s.", text)
	switch {
	case !s.Enabled:
		n.notef("It is not enabled: it decides nothing.")
	case s.Observe || n.loaded.Book.Observe:
		n.notef("It observes: what it wants is recorded and not done.")
	}
	var next []string
	at := n.now
	for range changesNoted {
		boundary, ok := s.Calendar.NextState(at)
		if !ok {
			break
		}
		at = boundary.At
		next = append(next, fmt.Sprintf("%s from %s", boundary.To.State, clockText(at, s.Calendar.Location())))
	}
	want := s.Calendar.Wanted(n.now).State
	if len(next) == 0 {
		n.notef("It wants %s now, and never anything else.", want)
	} else {
		n.notef("It wants %s now; then %s.", want, strings.Join(next, ", "))
	}
	for _, fact := range s.Calendar.Special(n.now).Facts() {
		n.notef("%s.", sentence(fact.Text))
	}
}

// sentence begins a text with a capital letter where it is a plain one.
func sentence(text string) string {
	if text != "" && text[0] >= 'a' && text[0] <= 'z' {
		return strings.ToUpper(text[:1]) + text[1:]
	}
	return text
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
	form := ""
	if rule.Expression.Kind() == calendar.KindUnixCron {
		form = ", as the five fields of Unix cron"
	}
	if !rule.Enabled {
		n.notef("It is not enabled: it never fires.")
	}
	var list []string
	for at := later(n.now, rule.Since); len(list) < instantsNoted; {
		next, ok := rule.Expression.Next(at)
		if !ok {
			break
		}
		at = next
		text := clockText(at, zone)
		if zone != time.UTC && zone.String() != "UTC" {
			text += " = " + stamp(at)
		}
		list = append(list, text)
	}
	if len(list) == 0 {
		n.notef("%s%s: no instant is to come, it never fires again.", rule.Expression, form)
	} else {
		n.notef("%s%s, on the clock of %s. Its next instants:", rule.Expression, form, zone)
	}
	for _, text := range list {
		n.notef("%s.", text)
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
	text := fmt.Sprintf("Its filter matches %s now", count(acts, "resource", "resources"))
	if protected > 0 {
		text += fmt.Sprintf(", and %d more that are protected and left alone", protected)
	}
	if untagged > 0 {
		text += fmt.Sprintf(", and %d more that carry no %s tag and are left alone unless untagged is true", untagged, tagKey)
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
			n.notef("Conflict: %s (%s: %s).", c.Text, count(c.Count, "resource", "resources"), some(c.Examples))
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
		n.notef("It covers %s, with %s.", yearWords(years), count(h.Len(), "day", "days"))
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
func yearWords(years []int) string {
	var parts []string
	for i := 0; i < len(years); {
		j := i
		for j+1 < len(years) && years[j+1] == years[j]+1 {
			j++
		}
		part := fmt.Sprint(years[i])
		if j > i {
			part += fmt.Sprintf(" to %d", years[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
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
	var over []string
	for i, list := range [][]calendar.Boundary{lost, gained} {
		words := [...]string{"is left out", "is new"}
		var said []string
		for _, b := range list {
			if b.At.After(now) {
				if next.IsZero() || b.At.Before(next) {
					next = b.At
				}
			} else if now.Sub(b.At) <= exceptionRecent {
				over = append(over, fmt.Sprintf("the %s at %s that %s", turn(b.To.State), clockText(b.At, zone), words[i]))
			}
			if len(said) < shown {
				said = append(said, clockText(b.At, zone)+" ("+turn(b.To.State)+")")
			}
		}
		if len(said) > 0 {
			text := strings.Join(said, ", ")
			if more := len(list) - len(said); more > 0 {
				text += fmt.Sprintf(" and %d more", more)
			}
			n.notef("%s: %s.", [...]string{"Left out", "New"}[i], text)
		}
	}
	with, without := after.Calendar.Wanted(now).State, before.Calendar.Wanted(now).State
	words := "with the exception %s is wanted now, without it %s"
	switch e.did {
	case Deleted:
		words = "without the exception %s is wanted now, with it %s"
	case Changed:
		words = "with the change %s is wanted now, without it %s"
	}
	words = fmt.Sprintf(words, with, without)
	for _, text := range over {
		n.notef("%s is over.", sentence(text))
	}
	switch {
	case len(over) == 0 && next.IsZero():
		n.notef("All of it is over: it changes nothing any more.")
	case with != without:
		n.notef("%s: it takes effect within a pass: %s.", sentence(words), nowWords(effect))
	case len(over) == 0:
	case next.IsZero():
		n.notef("%s: it changes nothing any more.", sentence(words))
	case calendar.DateAt(next, zone) > calendar.DateAt(now, zone):
		n.notef("%s: it changes nothing any more today, and counts from %s on.", sentence(words), clockText(next, zone))
	default:
		n.notef("%s: it counts from %s on.", sentence(words), clockText(next, zone))
	}
}

// turn names a boundary by the state that it leads to.
func turn(to calendar.State) string {
	switch to {
	case calendar.Running:
		return "start"
	case calendar.Stopped:
		return "stop"
	}
	return "release"
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
func unmoved(s *calendar.Schedule, x calendar.Exception, from, to time.Time, did string) string {
	dates := "on " + x.From.String()
	if x.From != x.To {
		dates = fmt.Sprintf("from %s to %s", x.From, x.To)
	}
	if did == Deleted {
		return fmt.Sprintf("the schedule does the same %s without the exception", dates)
	}
	runs := s.Wanted(from).State == calendar.Running // where nothing ever changes
	for b := range s.Boundaries(from, to) {
		at := calendar.DateAt(b.At, s.Location())
		if runs = b.To.State == calendar.Running && x.From <= at && at <= x.To; runs {
			break
		}
	}
	if !runs {
		return fmt.Sprintf("the schedule does not start %s, so there is no %s that could be moved", dates, x.Type)
	}
	return fmt.Sprintf("the schedule does the same %s without it", dates)
}

// nowWords says what a pass at once does differently.
func nowWords(e *Effect) string {
	var parts []string
	for _, n := range []struct {
		EffectCount
		more, fewer string
	}{{e.StartsNow, "starts", "no longer starts"}, {e.StopsNow, "stops", "no longer stops"}} {
		switch d := n.After - n.Before; {
		case d > 0:
			parts = append(parts, fmt.Sprintf("%s %d", n.more, d))
		case d < 0:
			parts = append(parts, fmt.Sprintf("%s %d", n.fewer, -d))
		}
	}
	if len(parts) == 0 {
		return "nothing has to be started or stopped for it"
	}
	return strings.Join(parts, ", ")
}
