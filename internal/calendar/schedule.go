package calendar

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"dayshift/internal/say"
)

// ScheduleDef is the calendar's part of a schedule as a user writes it.
type ScheduleDef struct {
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
	// Timezone is an IANA name; empty means the configuration's default.
	Timezone string `json:"timezone,omitempty" yaml:"timezone,omitempty"`
	// OverrideStatus is running, stopped or empty, in any case; it puts the periods out of force.
	OverrideStatus string `json:"override_status,omitempty" yaml:"override_status,omitempty"`
	// Periods name the periods, in the order that decides ties; NAME@TYPE adds an instance type.
	Periods PeriodRefs `json:"periods,omitempty" yaml:"periods,omitempty"`
	// StartLead is how much earlier every begin takes effect, 0 to MaxStartLead. Durations have a notation of
	// their own in the configuration, which reads it.
	StartLead time.Duration `json:"-" yaml:"-"`
	// Holidays are the schedule's holiday calendars. Of a date of which several say something, the first one's word counts.
	Holidays []*Holidays `json:"-" yaml:"-"`
	// Exceptions are its dated exceptions, in any order.
	Exceptions []Exception `json:"-" yaml:"-"`
}

// Bounds of a schedule. They keep the work for one question bounded whatever a configuration says.
const (
	// MaxPeriods is the largest number of periods in one schedule. A question for which a stretch of the calendar has
	// to be laid out first takes time in proportion to it, and their places have to fit into a byte (see bucket).
	MaxPeriods = 100
	// MaxStartLead is the longest start_lead: a begin stays within a day of the date it belongs to.
	MaxStartLead = 24 * time.Hour
)

// OverrideReason is the reason of a schedule that is held running or stopped by its override_status.
const OverrideReason = "override_status"

// State is what is wanted of a resource.
type State uint8

// The states. The zero value is Stopped.
const (
	Stopped State = iota
	Running
	Any // leave it as it is
)

// Said implements say.Sayer.
func (s State) Said() say.Text { return say.Word(s.String()) }

// String gives stopped, running or any.
func (s State) String() string {
	switch s {
	case Stopped:
		return "stopped"
	case Running:
		return "running"
	case Any:
		return "any"
	default:
		return fmt.Sprintf("State(%d)", uint8(s))
	}
}

// Want is what a schedule wants at an instant. Values can be compared.
type Want struct {
	State State
	// Period is the reason: the period that is running, ExceptionReason where an exception runs it and no period is behind
	// it, OverrideReason, or empty.
	Period string
	// InstanceType is the type that the schedule gives to that period, or empty.
	InstanceType string
}

// Schedule is a compiled schedule, to be asked with Wanted, Next and Boundaries. It may be used by many goroutines
// at once; make it with Compile only and do not copy it.
type Schedule struct {
	name    string
	loc     *time.Location
	lead    int64    // seconds
	members []member // by begintime
	// wants holds every answer the schedule can give, each once; members and chunks name answers by their place.
	wants    []Want
	override bool // wants[0] is the only answer

	holidays   []*Holidays
	exceptions []Exception
	dated      map[Date]exceptions
	extensions []extension
	// exceptionWant is the place of the answer "running, by an exception alone".
	exceptionWant uint16
	// plain is the schedule without its exceptions; nil where it has none.
	plain *Schedule

	chunks [chunkSlots]atomic.Pointer[chunk]
}

// member is a period in its place in the schedule.
type member struct {
	*Period
	order int    // place in the schedule's list of periods
	want  uint16 // place in Schedule.wants
}

// Places of the answers that name no period.
const (
	wantStopped = 0
	wantAny     = 1
)

// Compile reads a schedule with the periods it names. The map's keys are the periods' names. An empty time zone
// means defaultZone, which may be nil for UTC. The error reports every fault of the schedule and of the periods it
// names, each a *Error (see Faults).
func Compile(def ScheduleDef, periods map[string]PeriodDef, defaultZone *time.Location) (*Schedule, error) {
	all := faults{schedule: def.Name}
	compiled := make(map[string]*Period, len(def.Periods))
	refs, err := parseRefs(def.Periods)
	if err != nil {
		all.add(err)
	}
	for _, ref := range refs {
		pdef, known := periods[ref.period]
		if _, done := compiled[ref.period]; done || !known {
			continue
		}
		pdef.Name = ref.period
		p, err := CompilePeriod(pdef)
		all.add(err)
		compiled[ref.period] = p
	}
	names := func() []string { return slices.Sorted(maps.Keys(periods)) }
	return compile(def, compiled, names, defaultZone, all, refs)
}

// CompileWith is Compile for periods that are compiled already, so that many schedules can share them. A period
// whose own faults were reported elsewhere may stand in the map as nil: the schedule that names it is refused.
func CompileWith(def ScheduleDef, periods map[string]*Period, defaultZone *time.Location) (*Schedule, error) {
	all := faults{schedule: def.Name}
	refs, err := parseRefs(def.Periods)
	if err != nil {
		all.add(err)
	}
	for _, ref := range refs {
		if p, known := periods[ref.period]; known && p == nil {
			all.add(&Error{Field: fieldPeriods, Text: ref.text, Problem: say.F("names a period that is refused itself")})
		}
	}
	names := func() []string { return slices.Sorted(maps.Keys(periods)) }
	return compile(def, periods, names, defaultZone, all, refs)
}

// compile puts a schedule together. What was found before comes in as faults; a period that is nil has had its say.
func compile(
	def ScheduleDef, periods map[string]*Period, names func() []string, defaultZone *time.Location,
	all faults, refs []periodRef,
) (*Schedule, error) {
	s := &Schedule{
		name:  def.Name,
		loc:   defaultZone,
		wants: []Want{wantStopped: {State: Stopped}, wantAny: {State: Any}},
		lead:  int64(def.StartLead / time.Second),
	}
	if s.loc == nil {
		s.loc = time.UTC
	}
	if len(def.Holidays) > 0 {
		s.holidays = def.Holidays
	}
	if def.Timezone != "" {
		loc, err := LoadZone(def.Timezone)
		all.add(err)
		s.loc = loc
	}
	if def.StartLead < 0 || def.StartLead > MaxStartLead {
		all.add(&Error{
			Field: "start_lead", Text: def.StartLead.String(), Problem: say.F("is out of range"),
			Allowed: say.F("0 to %s", MaxStartLead.String()),
		})
	}
	if len(def.Periods) > MaxPeriods {
		all.add(&Error{
			Field: fieldPeriods, Problem: say.F("has %d periods", len(def.Periods)),
			Allowed: say.F("up to %d", MaxPeriods),
		})
	}
	for i, ref := range refs {
		p, known := periods[ref.period]
		if !known {
			all.add(unknownPeriod(ref, names()))
			continue
		}
		if p == nil {
			continue
		}
		s.members = append(s.members, member{p, i, s.place(Want{Running, ref.period, ref.instanceType})})
	}
	slices.SortStableFunc(s.members, func(a, b member) int { return cmp.Compare(a.begin, b.begin) })
	s.except(def.Exceptions, &all)
	switch status := lowerASCII(trimBlank(def.OverrideStatus)); status {
	case "":
	case "running":
		s.override, s.wants = true, []Want{{State: Running, Period: OverrideReason}}
	case "stopped":
		s.override, s.wants = true, []Want{{State: Stopped, Period: OverrideReason}}
	default:
		all.add(&Error{
			Field: OverrideReason, Text: def.OverrideStatus, Problem: say.F("is not a status"),
			Allowed: say.F("running or stopped"), Hint: suggest(status, []string{"running", "stopped"}),
		})
	}
	if err := all.err(); err != nil {
		return nil, err
	}
	if len(s.exceptions) > 0 {
		s.plain = &Schedule{
			name: s.name, loc: s.loc, lead: s.lead, members: s.members, wants: s.wants, override: s.override, holidays: s.holidays,
		}
		if !s.override {
			s.extend()
		}
	}
	return s, nil
}

// place finds the answer among the schedule's answers, adding it where it is new.
func (s *Schedule) place(w Want) uint16 {
	i := slices.Index(s.wants, w)
	if i < 0 {
		i = len(s.wants)
		s.wants = append(s.wants, w)
	}
	return uint16(i)
}

// Name is the schedule's name.
func (s *Schedule) Name() string { return s.name }

// Location is the zone whose clock the schedule follows.
func (s *Schedule) Location() *time.Location { return s.loc }

const fieldPeriods = "periods"

// periodRef is one item of a schedule's list of periods.
type periodRef struct {
	text, period, instanceType string
}

// allowedRef is what an item of the list takes.
var allowedRef = say.F(`the name of a period, or NAME@TYPE as in "weekend@t3.small"`)

func parseRefs(texts PeriodRefs) ([]periodRef, error) {
	if len(texts) == 1 && trimBlank(texts[0]) == "" {
		return nil, nil
	}
	var all faults
	refs := make([]periodRef, 0, len(texts))
	for _, text := range texts {
		ref, err := parseRef(text)
		if err != nil {
			all.add(err)
			continue
		}
		refs = append(refs, ref)
	}
	return refs, all.err()
}

func parseRef(text string) (periodRef, error) {
	e := &Error{Field: fieldPeriods, Text: text, Allowed: allowedRef}
	name, instanceType, typed := strings.Cut(text, "@")
	name, instanceType = trimBlank(name), trimBlank(instanceType)
	switch {
	case len(text) > maxText:
		e.Problem = say.F("is %d bytes long, more than %d", len(text), maxText)
	case trimBlank(text) == "":
		e.Problem, e.Hint = say.F("has an empty item"), say.F("remove it")
	case name == "":
		e.Problem = say.F("has no period before the @")
	case typed && instanceType == "":
		e.Problem, e.Hint = say.F("has no instance type after the @"), say.F("leave the @ out to keep the type as it is")
	case strings.Contains(instanceType, "@"):
		e.Problem = say.F("has a second @")
	case strings.ContainsFunc(instanceType, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		e.Problem = say.F("has an instance type with a blank in it")
	default:
		return periodRef{text, name, instanceType}, nil
	}
	return periodRef{}, e
}

func unknownPeriod(ref periodRef, known []string) *Error {
	e := &Error{Field: fieldPeriods, Text: ref.text, Problem: say.F("names a period that does not exist")}
	switch {
	case len(known) == 0:
		e.Hint = say.F("there are no periods yet: define one")
	case !suggest(ref.period, known).Empty():
		e.Hint = suggest(ref.period, known)
	case len(known) <= maxNames:
		e.Allowed = list(known)
	default:
		e.Allowed = say.F("%s … (%d periods)", strings.Join(known[:maxNames], ", "), len(known))
	}
	return e
}
