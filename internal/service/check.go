package service

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// Fault says what is wrong with something that was written.
type Fault struct {
	Path    string   `json:"path"` // of the field, such as periods[0] or filters; empty: of the whole
	Message say.Text `json:"message"`
	Line    int      `json:"line,omitempty"`
}

// ScheduleDraft is a schedule that is being written.
type ScheduleDraft struct {
	Name     string          `json:"name"`
	Schedule json.RawMessage `json:"schedule"` // what stands below its name in a file
	// Periods are those that are being written with it, by name. Others are as they are.
	Periods map[string]json.RawMessage `json:"periods,omitempty"`
	// Date is in the week to be drawn; empty: today.
	Date string `json:"date,omitempty"`
	// Within: what it does is told of what the filter matches alone; nil: of all.
	Within *fleet.Filter `json:"-"`
}

// ScheduleCheck is what a schedule that was not saved yet would be.
type ScheduleCheck struct {
	Valid  bool    `json:"valid"`
	Faults []Fault `json:"faults"`
	// Weeks has the week of the date asked for; it is empty while the schedule is not valid.
	Weeks []ScheduleWeek `json:"weeks"`
	Next  []Change       `json:"next"` // of the next 14 days, at most 100
	// Effect is what saving it would do; nil while it is not valid, or where that could not be found out.
	Effect *Effect `json:"effect,omitempty"`
}

// RuleDraft is a rule that is being written.
type RuleDraft struct {
	Name string          `json:"name"`
	Rule json.RawMessage `json:"rule"`
	// Within: matches are told of what the filter matches alone; nil: of all.
	Within *fleet.Filter `json:"-"`
}

// RuleCheck is what a rule that was not saved yet would be.
type RuleCheck struct {
	Valid  bool    `json:"valid"`
	Faults []Fault `json:"faults"`
	// Matches is how many resources it would act on, Sample are some of them, at most 10.
	Matches int        `json:"matches"`
	Sample  []Resource `json:"sample"`
	// Left is how many more its filter matches that it leaves alone: they carry no schedule tag, or are protected.
	Left int `json:"left"`
	// Next are its next instants, at most 5; Words is the expression in words.
	Next  []time.Time `json:"next"`
	Words say.Text    `json:"words"`
	Gaps  []Gap       `json:"gaps"`
}

// Bounds of a check.
const (
	draftAhead   = 14 * 24 * time.Hour
	draftChanges = 100
	draftPeriods = 100
	draftFires   = 5
	draftSample  = 10
)

// draftName stands for the name of something that has none yet.
const draftName = "draft"

// CheckSchedule says what a schedule that is being written would be and do,
// without keeping it. What is wrong with it is part of the answer.
func (s *Service) CheckSchedule(ctx context.Context, draft ScheduleDraft) (ScheduleCheck, error) {
	answer := ScheduleCheck{Faults: []Fault{}, Weeks: []ScheduleWeek{}, Next: []Change{}}
	if len(draft.Periods) > draftPeriods {
		return answer, inputErrorF("periods: at most %d can be written at once", draftPeriods)
	}
	name := draft.Name
	if name == "" {
		name = draftName
	}
	g, err := s.stage(ctx)
	if err != nil {
		return answer, err
	}
	for _, period := range slices.Sorted(maps.Keys(draft.Periods)) {
		answer.Faults = append(answer.Faults, g.draft(ctx, store.PeriodObject, period, draft.Periods[period])...)
	}
	answer.Faults = append(answer.Faults, g.draft(ctx, store.ScheduleObject, name, draft.Schedule)...)
	if len(answer.Faults) > 0 {
		return answer, nil
	}
	if answer.Faults, err = g.faults(); err != nil || len(answer.Faults) > 0 {
		return answer, err
	}
	schedule := g.after.Book.Schedules[name]
	if schedule == nil || schedule.Calendar == nil {
		answer.Faults = append(answer.Faults, Fault{Message: say.F("schedule %q can not be used", name)})
		return answer, nil
	}
	answer.Valid = true
	asIf := *s
	asIf.Book, asIf.Config = &g.after.Book, g.after
	if answer.Weeks, err = asIf.Weeks(name, draft.Date, 1); err != nil {
		return answer, err
	}
	for at := g.now; len(answer.Next) < draftChanges; {
		boundary, ok := schedule.Calendar.NextState(at)
		if !ok || boundary.At.After(g.now.Add(draftAhead)) {
			break
		}
		answer.Next = append(answer.Next, Change{At: boundary.At.UTC(), To: boundary.To.State.String()})
		at = boundary.At
	}
	effect, err := g.effect(ctx, draft.Within)
	if outside := (*OutsideError)(nil); errors.As(err, &outside) { // saving it would be refused
		answer.Valid, answer.Faults = false, append(answer.Faults, Fault{Message: say.Of(outside)})
		return answer, nil
	}
	if err != nil {
		return answer, err
	}
	answer.Effect = &effect
	return answer, nil
}

// draft puts something that is being written to the edits, in the place of what
// there is of that name. What belongs to the file may be there, unchanged.
func (g *stage) draft(ctx context.Context, kind store.ObjectKind, name string, spec json.RawMessage) []Fault {
	change := ObjectChange{Kind: kind, Name: name, Spec: spec}
	if _, held := g.places[objectName(kind, name)]; held {
		change.Version = PresentVersion
	}
	path := ""
	if kind == store.PeriodObject {
		path = "periods." + name
	}
	if fixed, is := g.fixed[objectName(kind, name)]; is {
		if same(kind, name, fixed.Spec, spec) {
			return nil
		}
		return []Fault{{Path: path, Message: say.F("%s %q belongs to the file, %s: change it there, or give this one another name", say.Word(kind), name, fixed.Where)}}
	}
	e, err := g.edit(ctx, change, false)
	if err != nil {
		return []Fault{{Path: path, Message: say.Of(err)}}
	}
	g.edits = append(g.edits, e)
	return nil
}

// same reports whether two specs say the same.
func same(kind store.ObjectKind, name string, a, b json.RawMessage) bool {
	canonical := func(spec json.RawMessage) string {
		text, err := config.Spec(kind, name, spec)
		if err != nil {
			return ""
		}
		return string(text)
	}
	return canonical(a) != "" && canonical(a) == canonical(b)
}

// faults tries the edits out and gives what is wrong with them.
func (g *stage) faults() ([]Fault, error) {
	list := []Fault{}
	err := g.check()
	var refused *RefusedError
	var input *InputError
	switch {
	case errors.As(err, &refused):
		for _, f := range refused.Faults {
			list = append(list, Fault{Path: fieldPath(f.Path), Message: faultSaid(&f), Line: f.Line})
		}
		return list, nil
	case errors.As(err, &input):
		return append(list, Fault{Message: input.Said()}), nil
	}
	return list, err
}

// fieldPath is the path of a fault below the object that it is of: schedules.office.periods[1] is periods[1]. Of a period it
// stays whole, because a draft has several.
func fieldPath(path string) string {
	section, rest, _ := strings.Cut(path, ".")
	if section != "schedules" && section != "rules" {
		return path
	}
	_, field, _ := strings.Cut(rest, ".")
	return field
}

// faultSaid is a fault as a sentence or two, without its path.
func faultSaid(f *config.Fault) say.Text {
	text := f.Problem
	if f.Text != "" {
		text = say.F("%q %s", f.Text, text)
	}
	return say.Clauses(text, f.Remedy()).Plain()
}

// CheckRule says when a rule that is being written would fire and what it would
// act on, without keeping it. What is wrong with it is part of the answer.
func (s *Service) CheckRule(ctx context.Context, draft RuleDraft) (RuleCheck, error) {
	answer := RuleCheck{Faults: []Fault{}, Sample: []Resource{}, Next: []time.Time{}, Gaps: []Gap{}}
	name := draft.Name
	if name == "" {
		name = draftName
	}
	g, err := s.stage(ctx)
	if err != nil {
		return answer, err
	}
	answer.Faults = append(answer.Faults, g.draft(ctx, store.RuleObject, name, draft.Rule)...)
	if len(answer.Faults) > 0 {
		return answer, nil
	}
	if answer.Faults, err = g.faults(); err != nil || len(answer.Faults) > 0 {
		return answer, err
	}
	at := slices.IndexFunc(g.after.Book.Rules, func(r *policy.Rule) bool { return r.Name == name })
	if at < 0 || g.after.Book.Rules[at].Expression == nil {
		answer.Faults = append(answer.Faults, Fault{Message: say.F("rule %q can not be used", name)})
		return answer, nil
	}
	rule := g.after.Book.Rules[at]
	answer.Valid, answer.Words = true, ExpressionWords(rule.Expression)
	for at := later(g.now, rule.Since); len(answer.Next) < draftFires; {
		next, ok := rule.Expression.Next(at)
		if !ok {
			break
		}
		answer.Next = append(answer.Next, next.UTC())
		at = next
	}
	err = s.matching(ctx, &g.after.Book, rule, draft.Within, &answer)
	return answer, err
}

// matching counts what a rule acts on. What carries no schedule tag is seen by a listing of its own where the rule acts on
// that as well; else the fleet as it was seen tells.
func (s *Service) matching(ctx context.Context, book *policy.Book, rule *policy.Rule, within *fleet.Filter, answer *RuleCheck) error {
	report, err := s.narrowed(func(r *fleet.Resource) bool { return rule.In(r.Scope) && rule.Filter.Match(*r) }, true).Look(ctx, time.Time{}, false)
	if err != nil {
		return err
	}
	answer.Gaps = append(answer.Gaps, gaps(report)...)
	known := map[fleet.Ref]*Resource{}
	for i := range report.Decisions {
		d := &report.Decisions[i]
		if rule.In(d.Resource.Scope) && rule.Filter.Match(d.Resource) {
			line := resource(with(book, &report), d, report.At)
			known[d.Resource.Ref] = &line
		}
	}
	resources := make([]fleet.Resource, 0, len(known))
	for i := range report.Decisions {
		if known[report.Decisions[i].Resource.Ref] != nil {
			resources = append(resources, report.Decisions[i].Resource)
		}
	}
	if rule.Untagged && s.Matching != nil {
		listed, missing := s.Matching(ctx, rule)
		answer.Gaps, resources = missing, listed
		if answer.Gaps == nil {
			answer.Gaps = []Gap{}
		}
	}
	for i := range resources {
		r := &resources[i]
		_, tagged := r.Tags[book.TagKey]
		switch {
		case within != nil && !within.Match(*r):
		case !tagged && !rule.Untagged, book.Governs(*r).Protected():
			answer.Left++
		default:
			answer.Matches++
			if len(answer.Sample) == draftSample {
				continue
			}
			line := known[r.Ref]
			if line == nil {
				line = untagged(r)
			}
			answer.Sample = append(answer.Sample, *line)
		}
	}
	return nil
}

// untagged is the line of a resource that nothing was decided on.
func untagged(r *fleet.Resource) *Resource {
	return &Resource{
		Ref: r.Ref.String(), Account: string(r.Scope.Account), Region: string(r.Scope.Region), Kind: string(r.Kind), ID: r.ID, ARN: r.ARN, Name: r.Name,
		Type: r.Type, Zone: r.Zone, Members: r.Members, State: string(r.State), NativeState: r.Native, Wanted: calendar.Any.String(), Action: noAction,
		Reason: string(policy.NoSchedule), Tags: r.Tags,
	}
}
