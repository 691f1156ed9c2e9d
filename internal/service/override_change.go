package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// OverrideList are the overrides in force.
type OverrideList struct {
	At        time.Time      `json:"at"`
	Overrides []OverrideView `json:"overrides"` // in the order in which they count
	Gaps      []Gap          `json:"gaps"`      // their resources are not counted
}

// ListOverrides lists the overrides in force, and those that can not be read.
func (s *Service) ListOverrides(ctx context.Context) (OverrideList, error) {
	answer := OverrideList{At: store.Instant(s.Now()), Overrides: []OverrideView{}, Gaps: []Gap{}}
	list, err := s.allHeld(ctx)
	if err != nil {
		return answer, err
	}
	inForce := func(h held) bool { return h.override == nil || answer.At.Before(h.override.Until) }
	if !slices.ContainsFunc(list, inForce) { // no need to ask a cloud
		return answer, nil
	}
	v, err := s.lookingAtHeld(ctx, "")
	if err != nil {
		return answer, err
	}
	answer.At, answer.Gaps = v.now, gaps(v.report)
	book := v.book(nil)
	for i := range v.held {
		h := &v.held[i]
		if h.override != nil && !v.inForce(h.override) {
			continue
		}
		view := h.view()
		if h.override != nil {
			on := v.subjectOf(h.override)
			view.Covers = len(on.covered)
			for _, at := range on.covered {
				d := &v.report.Decisions[at]
				if chosen, _, ok := book.Governs(d.Resource).Override(v.now, d.Untouched().Reached); ok && chosen.ID == h.override.ID {
					view.Counts++
				}
			}
		}
		answer.Overrides = append(answer.Overrides, view)
	}
	return answer, nil
}

// Override says what the override that answers to an ID or target does.
func (s *Service) Override(ctx context.Context, idOrTarget string) (OverrideAnswer, error) {
	v, err := s.lookingAtHeld(ctx, idOrTarget)
	if err != nil {
		return OverrideAnswer{}, err
	}
	found, err := v.find(idOrTarget)
	if err != nil {
		return OverrideAnswer{}, err
	}
	h := found[0]
	if h.override == nil {
		return OverrideAnswer{}, h.unreadable()
	}
	return v.answer(ctx, h, v.subjectOf(h.override), nil)
}

func (h *held) unreadable() error {
	return say.Err("override %s can not be read and has no effect (%w); clear it: dayshift override clear %s", h.object.Name, h.fault, h.object.Name)
}

// Direction is which way the end of an override may move.
type Direction string

// The directions.
const (
	EitherWay Direction = ""
	Later     Direction = "later"
	Earlier   Direction = "earlier"
)

// OverrideChange moves the end of an override.
type OverrideChange struct {
	// Target is an ID, as much of its beginning as tells it apart, its last four characters, or the target of an
	// override as OverrideRequest.Target; of several overrides of one target the one that counts is changed.
	Target    string
	Version   int64 // that is to be changed; 0: the present one
	End       End   // exactly one
	Direction Direction
	Author    string
	DryRun    bool
	// Within is what the author may act on, see OverrideRequest.Within.
	Within *fleet.Filter
}

// ChangeOverride moves the end of an override: what it was made to end with
// (boundary, being reached) no longer counts. An error wraps store.ErrConflict
// when another version than the given one is there.
func (s *Service) ChangeOverride(ctx context.Context, change OverrideChange) (OverrideAnswer, error) {
	author, err := person(change.Author)
	if err != nil {
		return OverrideAnswer{}, err
	}
	if change.End.given() == 0 {
		return OverrideAnswer{}, inputErrorF("until when? give a duration, a time or the next boundary")
	}
	if err := change.End.check(s.Now()); err != nil {
		return OverrideAnswer{}, err
	}
	for again := false; ; again = true {
		answer, err := s.changeOverride(ctx, change, author)
		// Whoever named no version meant whatever is there: it is looked at once more.
		if err == nil || again || change.Version != 0 || !errors.Is(err, store.ErrConflict) {
			return answer, err
		}
	}
}

func (s *Service) changeOverride(ctx context.Context, change OverrideChange, author string) (OverrideAnswer, error) {
	v, err := s.lookingAtHeld(ctx, change.Target)
	if err != nil {
		return OverrideAnswer{}, err
	}
	found, err := v.find(change.Target)
	if err != nil {
		return OverrideAnswer{}, err
	}
	h := found[0]
	if h.override == nil {
		return OverrideAnswer{}, h.unreadable()
	}
	before := *h.override
	o := before
	o.Once = false
	if change.End.Boundary {
		o.From = v.now // the boundary after this instant is meant, and not one that it has outlasted
	}
	on := v.subjectOf(&before)
	if err := v.inside(ctx, &on, change.Within); err != nil {
		return OverrideAnswer{}, err
	}
	if seen := v.seen(&on); len(seen) > 0 {
		o.Seen = seen
	}
	notes, err := v.end(&o, on, change.End, h.object.Created)
	if err != nil {
		return OverrideAnswer{}, err
	}
	switch {
	case change.Direction == Later && !o.Until.After(before.Until):
		return OverrideAnswer{}, inputErrorF("override %s lasts until %s already, and %s is no later; to cut it short: dayshift override cut %s", o.ID, stamp(before.Until), stamp(o.Until), o.ID)
	case change.Direction == Earlier && !o.Until.Before(before.Until):
		return OverrideAnswer{}, inputErrorF("override %s ends at %s, and %s is no earlier; to extend it: dayshift override extend %s", o.ID, stamp(before.Until), stamp(o.Until), o.ID)
	}
	object, err := store.FromOverride(&o)
	if err != nil {
		return OverrideAnswer{}, err
	}
	object.Author, object.Changed = author, v.now
	if change.Version != 0 {
		object.Version = change.Version
	}
	answer, err := v.answer(ctx, held{override: &o, object: object}, on, notes)
	if err != nil {
		return OverrideAnswer{}, err
	}
	if answer.DryRun = change.DryRun; change.DryRun {
		_, err := store.Revise(h.object, object) // a stale version is said beforehand, too
		return answer, err
	}
	if object, err = s.Store.SaveObject(ctx, object, on.row(&o, author, v.now, OverrideChanged)); err != nil {
		return OverrideAnswer{}, say.Err("change override %s: %w", o.ID, err)
	}
	answer.Override.Version = object.Version
	return answer, nil
}

// OverrideClear takes overrides away before their time.
type OverrideClear struct {
	// Target is as OverrideChange.Target; all overrides of a target are cleared.
	Target  string
	All     bool // every override, instead of a target
	Version int64
	Author  string
	DryRun  bool
	// Within is what the author may act on, see OverrideRequest.Within; nothing is cleared where one of the overrides is for anything else.
	Within *fleet.Filter
}

// ClearedOverrides is what was cleared, and what that does.
type ClearedOverrides struct {
	At      time.Time      `json:"at"`
	DryRun  bool           `json:"dry_run"`
	Cleared []OverrideView `json:"cleared"`
	// Resources are what they were for, with what the next pass does.
	Resources []OverrideLine `json:"resources"`
	Sentences []say.Text     `json:"sentences"`
	Gaps      []Gap          `json:"gaps"`
}

// ClearOverride clears overrides. What could be cleared is in the answer also
// where another could not, and the error says which.
func (s *Service) ClearOverride(ctx context.Context, clearing OverrideClear) (ClearedOverrides, error) {
	author, err := person(clearing.Author)
	if err != nil {
		return ClearedOverrides{}, err
	}
	switch {
	case clearing.All && clearing.Target != "":
		return ClearedOverrides{}, inputErrorF("clear either %q or all overrides", clearing.Target)
	case clearing.All && clearing.Version != 0:
		return ClearedOverrides{}, inputErrorF("a version goes with one override, not with all")
	}
	v, err := s.lookingAtHeld(ctx, clearing.Target)
	if err != nil {
		return ClearedOverrides{}, err
	}
	found := v.inForceOf(v.held)
	if !clearing.All {
		if found, err = v.find(clearing.Target); err != nil {
			return ClearedOverrides{}, err
		}
	}
	if clearing.Version != 0 && len(found) > 1 {
		return ClearedOverrides{}, inputErrorF("a version goes with one override, and %q has %d; name one by its ID:\n%s", clearing.Target, len(found), idLines(found))
	}
	for i := range found {
		on := subject{} // of what can not be read nobody knows what it is for
		if o := found[i].override; o != nil {
			on = v.subjectOf(o)
		}
		if err := v.inside(ctx, &on, clearing.Within); err != nil {
			return ClearedOverrides{}, err
		}
	}
	answer := ClearedOverrides{At: v.now, DryRun: clearing.DryRun, Cleared: []OverrideView{}, Resources: []OverrideLine{}, Gaps: gaps(v.report)}
	var failed error
	var without []string
	covered := map[int]bool{}
	for _, h := range found {
		if !clearing.DryRun {
			gone, err := v.clear(ctx, h, clearing.Version, author)
			if err != nil {
				failed = errors.Join(failed, say.Err("clear override %s: %w", h.object.Name, err))
				continue
			}
			if gone {
				answer.Sentences = append(answer.Sentences, say.F("%s had ended or been cleared already.", h.object.Name))
				continue
			}
		}
		answer.Cleared = append(answer.Cleared, h.view())
		without = append(without, h.object.Name)
		if h.override != nil && v.inForce(h.override) {
			for _, i := range v.subjectOf(h.override).covered {
				covered[i] = true
			}
		}
	}
	answer.Resources = v.after(covered, without)
	answer.Sentences = append(answer.Sentences, clearedSentences(&answer)...)
	return answer, failed
}

// clear deletes one override; gone says that it was not there any more.
func (v *looked) clear(ctx context.Context, h held, version int64, author string) (gone bool, err error) {
	row := store.Activity{
		At: v.now, Actor: author, Event: store.EventOverride, Name: h.object.Name, Reason: OverrideCleared,
		Detail: fmt.Sprintf("%s cleared an override that could not be read", author),
	}
	if h.override != nil {
		on := v.subjectOf(h.override)
		row = on.row(h.override, author, v.now, OverrideCleared)
	}
	given := version != 0
	if !given {
		version = h.object.Version
	}
	err = v.s.Store.DeleteObject(ctx, store.OverrideObject, h.object.Name, version, row)
	if errors.Is(err, store.ErrConflict) && !given { // somebody moved its end meanwhile; it is to go all the same
		objects, err := v.s.Store.Objects(ctx, store.OverrideObject)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(objects, func(o store.Object) bool { return o.Name == h.object.Name })
		if i < 0 {
			return true, nil
		}
		err = v.s.Store.DeleteObject(ctx, store.OverrideObject, h.object.Name, objects[i].Version, row)
		return errors.Is(err, store.ErrNotFound), ignore(err, store.ErrNotFound)
	}
	return errors.Is(err, store.ErrNotFound), ignore(err, store.ErrNotFound)
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// after says what the next pass does with resources once overrides are gone.
func (v *looked) after(covered map[int]bool, without []string) []OverrideLine {
	book := with(v.book(nil, without...), &v.report)
	v.stand(book)
	lines := make([]OverrideLine, 0, len(covered))
	for i := range v.report.Decisions {
		if !covered[i] {
			continue
		}
		d := &v.report.Decisions[i]
		r := d.Resource
		p, m := book.Governs(r), d.Untouched()
		next := decide.Decide(decide.Input{Now: v.now, Policy: p, Memory: m, Resource: r})
		line := OverrideLine{Ref: refText(r.Ref), Name: r.Name, State: string(r.State), Action: "none", Reason: string(next.Reason), Why: next.Said()}
		if next.Verb != "" {
			line.Action = string(next.Verb)
		}
		if other, end, ok := p.Override(v.now, m.Reached); ok {
			line.Until = end
			line.Why = say.Sentences(line.Why, say.F("Override %s counts for it now: %s.", other.ID, other))
		}
		lines = append(lines, line)
	}
	return lines
}

func clearedSentences(a *ClearedOverrides) (list []say.Text) {
	if len(a.Cleared) == 0 {
		return []say.Text{say.F("There is nothing to clear.")}
	}
	for i := range a.Cleared {
		o := &a.Cleared[i]
		if o.Fault != "" {
			list = append(list, say.F("%s, which could not be read, is cleared.", o.ID).Plain())
			continue
		}
		list = append(list, say.F("%s is cleared: %s %s %s by %s.", o.ID, o.Target, say.Word(o.State), o.Ends, o.Author).Plain())
	}
	does := map[string][]string{}
	for i := range a.Resources {
		l := &a.Resources[i]
		name := l.Name
		if name == "" {
			name = l.Ref
		}
		does[l.Action] = append(does[l.Action], name)
	}
	for _, verb := range [...]string{string(fleet.Start), string(fleet.Stop), string(fleet.Hibernate)} {
		if names := does[verb]; len(names) > 0 {
			list = append(list, say.F("The next pass does %s %s: %s.", say.Word(verb), say.N(len(names), "%d resource", "%d resources"), some(names)).Plain())
		}
	}
	if names := does["none"]; len(names) > 0 {
		list = append(list, say.F("%s as now: %s.", say.N(len(names), "%d resource stays", "%d resources stay"), some(names)).Plain())
	}
	return list
}

// find finds overrides by ID, by a part of it, or by their target: all of that
// target, in the order in which they count. There is at least one without an error.
func (v *looked) find(text string) ([]held, error) {
	if !utf8.ValidString(text) {
		return nil, inputErrorF("%.100q is not valid UTF-8", text)
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, inputErrorF("which override? give an ID or a target; see `dayshift override list`")
	}
	byID := func(match func(id string) bool) (found []held) {
		for _, h := range v.held {
			if match(h.object.Name) {
				found = append(found, h)
			}
		}
		return found
	}
	if exact := byID(func(id string) bool { return id == text }); len(exact) == 1 {
		if o := exact[0].override; o != nil && !v.inForce(o) {
			return nil, inputErrorF("override %s ended at %s", o.ID, stamp(o.Until))
		}
		return exact, nil
	}
	part := v.inForceOf(byID(func(id string) bool {
		last := id[strings.LastIndexByte(id, '-')+1:]
		return len(text) > len("o-") && strings.HasPrefix(text, "o-") && strings.HasPrefix(id, text) || text == last
	}))
	on := v.inForceOf(v.ofTarget(text))
	switch {
	case len(part) == 1 && len(on) == 0:
		return part, nil
	case len(part) > 0:
		return nil, inputErrorF("%q is the beginning or end of several overrides, or a target as well; write the whole ID of one:\n%s", text, idLines(append(part, on...)))
	case len(on) == 0:
		return nil, v.noOverride(text)
	}
	for i := range on {
		if targetText(on[i].override.Target) != targetText(on[0].override.Target) {
			return nil, inputErrorF("%q is the target of overrides on different things; write the ID of one:\n%s", text, idLines(on))
		}
	}
	return on, nil
}

// inForceOf leaves out what has ended; what can not be read stays.
func (v *looked) inForceOf(list []held) []held {
	return slices.DeleteFunc(slices.Clone(list), func(h held) bool { return h.override != nil && !v.inForce(h.override) })
}

// ofTarget finds the overrides on what a text names. The resource need not be
// seen for it to be found by its identifiers: an override on what is gone, or
// out of reach, can be cleared.
func (v *looked) ofTarget(text string) (found []held) {
	explicit := ""
	for _, prefix := range [...]string{resourcePrefix, workloadPrefix, schedulePrefix, filterPrefix} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			explicit, text = prefix, rest
			break
		}
	}
	refs := map[fleet.Ref]bool{}
	for _, i := range v.named(text) {
		refs[v.report.Decisions[i].Resource.Ref] = true
	}
	filter, err := fleet.ParseFilter(text)
	isFilter := err == nil
	for _, h := range v.held {
		if h.override == nil {
			continue
		}
		t := h.override.Target
		var is bool
		var prefix string
		switch {
		case t.Resource != fleet.Ref{}:
			prefix, is = resourcePrefix, refs[t.Resource] || t.Resource.String() == text || t.Resource.ID == text
		case t.Workload != "":
			prefix, is = workloadPrefix, t.Workload == text
		case t.Schedule != "":
			prefix, is = schedulePrefix, t.Schedule == text
		default:
			prefix, is = filterPrefix, isFilter && t.Filter.Equal(filter)
		}
		if is && (explicit == "" || explicit == prefix) {
			found = append(found, h)
		}
	}
	return found
}

// noOverride says that there is none, and what governs the target instead.
func (v *looked) noOverride(text string) error {
	var others []held
	for _, i := range v.named(strings.TrimPrefix(text, resourcePrefix)) {
		d := &v.report.Decisions[i]
		if chosen, _, ok := v.book(nil).Governs(d.Resource).Override(v.now, d.Untouched().Reached); ok {
			others = append(others, held{override: chosen, object: store.Object{Name: chosen.ID}})
		}
	}
	if len(others) > 0 {
		return inputErrorF("no override is on %q itself; it is covered by\n%s", text, idLines(others))
	}
	if len(v.inForceOf(v.held)) == 0 {
		return inputErrorF("there is no override %q; none is in force", text)
	}
	return inputErrorF("there is no override %q; see `dayshift override list`", text)
}

func idLines(list []held) say.Text {
	lines := make([]say.Text, 0, len(list))
	for i, h := range list {
		if i == namesShown {
			lines = append(lines, say.F("  and %d more", len(list)-i))
			break
		}
		line := say.F("  %s", h.object.Name)
		if h.override != nil {
			line = say.F("  %s (%s %s %s)", h.object.Name, targetText(h.override.Target), h.override.State, ends(h.override))
		}
		lines = append(lines, line.Plain())
	}
	return say.Lines(lines...)
}
