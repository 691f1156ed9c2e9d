package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// ObjectKinds are the kinds of objects that people change, in the order in which one can name the other.
var ObjectKinds = []store.ObjectKind{store.PeriodObject, store.HolidayObject, store.ScheduleObject, store.ExceptionObject, store.WorkloadObject, store.RuleObject, store.ReservationObject}

// PresentVersion asks for a change of an object in whatever version it is now.
const PresentVersion = -1

// ObjectChange is what a person wants to become of an object.
type ObjectChange struct {
	Kind store.ObjectKind
	Name string
	// Spec is what stands below its name in a file, as JSON. Not used for a deletion.
	Spec json.RawMessage
	// Version is the one that is changed or deleted; 0 makes a new object, PresentVersion takes the one there is.
	Version int64
	Author  string
	DryRun  bool // say what would happen and change nothing
	// Confirmed: a person has seen what Effect.Confirm says.
	Confirmed bool
	// Within is what the author may act on; nil: everything. *OutsideError where the change concerns anything else, now or
	// by what it is written for.
	Within *fleet.Filter
}

// ObjectView is an object as it is, with what is to be known of it.
type ObjectView struct {
	config.Object
	// Notes say what it does now and next, a sentence each.
	Notes []say.Text `json:"notes"`
	Gaps  []Gap      `json:"gaps"`
}

// ObjectAnswer is what a change of an object does.
type ObjectAnswer struct {
	Object config.Object `json:"object"` // as it is afterwards; of a deletion as it was
	// Did is created, changed or deleted; unchanged where it said so already.
	Did    string     `json:"did"`
	DryRun bool       `json:"dry_run"`
	Saved  bool       `json:"saved"`
	Fields []string   `json:"fields"` // what changes, a line for each key
	Notes  []say.Text `json:"notes"`
	Effect Effect     `json:"effect"`
}

// The words of ObjectAnswer.Did, which are reasons in the record as well.
const (
	Created   = "created"
	Changed   = "changed"
	Deleted   = "deleted"
	Unchanged = "unchanged"
)

// RefusedError says that objects can not be as they were asked for. Nothing was changed.
type RefusedError struct{ Faults config.Faults }

// Error writes every fault with what is allowed and what to do.
func (e *RefusedError) Error() string {
	var b strings.Builder
	for _, fault := range e.Faults {
		b.WriteString(fault.Error() + "\n")
	}
	return b.String() + say.N(len(e.Faults), "%d fault", "%d faults").String() + "; nothing was changed"
}

// Unwrap gives the Faults.
func (e *RefusedError) Unwrap() error { return e.Faults }

// ConfirmError says that a person has to confirm a change. Nothing was changed.
type ConfirmError struct{ Why say.Text }

func (e *ConfirmError) Error() string { return e.Said().String() }

// Said implements say.Sayer.
func (e *ConfirmError) Said() say.Text {
	return say.F("nothing was changed, it has to be confirmed: %s", e.Why)
}

// StaleError says that an object is not in the version that was to be changed. It is a store.ErrConflict.
type StaleError struct{ told }

// Unwrap gives store.ErrConflict.
func (e *StaleError) Unwrap() error { return store.ErrConflict }

// Objects lists the objects of a kind, those of the file and those of the store, ordered by name.
func (s *Service) Objects(kind store.ObjectKind) ([]config.Object, error) {
	if !slices.Contains(ObjectKinds, kind) {
		return nil, inputErrorF("%q is no kind of object; known are %s", kind, kindNames())
	}
	list := s.Config.Objects(kind)
	if list == nil {
		list = []config.Object{}
	}
	return list, nil
}

// Article is the word before the name of a kind.
func Article(kind store.ObjectKind) string {
	if kind == store.ExceptionObject {
		return "an"
	}
	return "a"
}

func kindNames() string {
	var names []string
	for _, kind := range ObjectKinds {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}

// Object shows one object with what it does now and next. For schedules and
// rules it looks at the fleet. *InputError where there is none.
func (s *Service) Object(ctx context.Context, kind store.ObjectKind, name string) (ObjectView, error) {
	list, err := s.Objects(kind)
	if err != nil {
		return ObjectView{}, err
	}
	found := findObject(list, name)
	if found == nil {
		return ObjectView{}, noObject(kind, name, list)
	}
	view := ObjectView{Object: *found, Notes: []say.Text{}, Gaps: []Gap{}}
	if found.Fault != nil {
		return view, nil //nolint:nilerr // why it is set aside is part of the answer
	}
	n := noter{s: s, loaded: s.Config, now: s.Now()}
	if kind == store.ScheduleObject || kind == store.RuleObject {
		looker := s.Looker
		if kind == store.ScheduleObject {
			looker = s.narrowed(s.carries(name), true)
		}
		report, err := looker.Look(ctx, time.Time{}, false)
		if err != nil {
			return ObjectView{}, err
		}
		n.report, view.Gaps = report, gaps(report)
	}
	switch kind { //nolint:exhaustive // the others say themselves what they are
	case store.ScheduleObject:
		n.schedule(name)
	case store.WorkloadObject:
		n.workload(ctx, name)
	case store.RuleObject:
		n.rule(ctx, name)
		n.ruleConflicts(name)
	case store.HolidayObject:
		n.holidays(name)
	case store.ExceptionObject:
		n.over(found.Spec)
	case store.ReservationObject:
		if err := n.reservation(ctx, name); err != nil {
			return ObjectView{}, err
		}
	}
	view.Notes = append(view.Notes, n.notes...)
	return view, nil
}

// findObject finds an object by name; where file and store both have it, the file's, which counts.
func findObject(list []config.Object, name string) *config.Object {
	var found *config.Object
	for i := range list {
		if list[i].Name == name && (found == nil || list[i].File) {
			found = &list[i]
		}
	}
	return found
}

// noObject says that there is no such object, and which one was probably meant.
func noObject(kind store.ObjectKind, name string, list []config.Object) error {
	var names []string
	for i := range list {
		names = append(names, list[i].Name)
	}
	return inputErrorF("there is no %s %q; %s", say.Word(kind), name, meant(name, names, say.F("there is none of this kind yet")))
}

// SaveObject makes an object or changes it. *InputError and *RefusedError where
// that can not be, *StaleError where another version was changed, *ConfirmError
// where a person has to confirm it; the answer then has the effect.
func (s *Service) SaveObject(ctx context.Context, change ObjectChange) (ObjectAnswer, error) {
	return s.change(ctx, change, false)
}

// DeleteObject deletes an object of the store. Errors are as those of SaveObject.
func (s *Service) DeleteObject(ctx context.Context, change ObjectChange) (ObjectAnswer, error) {
	if change.Version == 0 {
		change.Version = PresentVersion
	}
	return s.change(ctx, change, true)
}

func (s *Service) change(ctx context.Context, change ObjectChange, remove bool) (ObjectAnswer, error) {
	author, err := words("author", change.Author, maxAuthor)
	if err != nil {
		return ObjectAnswer{}, err
	}
	if author == "" {
		return ObjectAnswer{}, inputErrorF("who makes this change? it needs an author")
	}
	g, err := s.stage(ctx)
	if err != nil {
		return ObjectAnswer{}, err
	}
	e, err := g.edit(ctx, change, remove)
	if err != nil {
		return ObjectAnswer{}, err
	}
	e.object.Author = author
	g.edits = []*edit{e}
	if err := g.check(); err != nil {
		return ObjectAnswer{}, err
	}
	answer := ObjectAnswer{Object: g.view(e), Did: e.did, DryRun: change.DryRun, Fields: e.fields, Notes: []say.Text{}}
	if e.did == Unchanged {
		answer.Effect = noEffect(g.now)
		answer.Notes = append(answer.Notes, say.F("It says so already."))
		return answer, nil
	}
	if err := g.inside(ctx, e, change.Within); err != nil {
		return ObjectAnswer{}, err
	}
	if answer.Effect, err = g.effect(ctx, change.Within); err != nil {
		return ObjectAnswer{}, err
	}
	answer.Notes = append(answer.Notes, g.notes(ctx, e, &answer.Effect)...)
	if change.DryRun {
		return answer, nil
	}
	if !answer.Effect.Confirm.Empty() && !change.Confirmed {
		return answer, &ConfirmError{answer.Effect.Confirm}
	}
	if err := g.save(ctx, e); err != nil {
		return ObjectAnswer{}, err
	}
	answer.Saved, answer.Object = true, g.view(e)
	return answer, nil
}

// stage is the configuration as it is, and what is to be changed of its objects.
type stage struct {
	s             *Service
	now           time.Time
	stored        []store.Object
	before, after *config.Loaded
	edits         []*edit
	looker        *lookedOnce
	// places are those of the stored objects, was and is the objects of the store in both configurations, by objectName.
	places  map[string]int
	was, is map[string]config.Object
	fixed   map[string]config.Object // those of the file
}

// edit is one object that is to be changed.
type edit struct {
	object store.Object // as it is to be; of a deletion as it is
	held   store.Object // as it is; Version 0: there is none
	did    string
	fields []string
}

func (s *Service) stage(ctx context.Context) (*stage, error) {
	if s.Assemble == nil {
		return nil, errors.New("objects can not be changed here: there is no way to try a change out")
	}
	stored, err := s.Store.Objects(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the objects of the store: %w", err)
	}
	before, err := s.Assemble(stored)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	g := &stage{s: s, now: store.Instant(s.Now()), stored: stored, before: before, places: map[string]int{}, fixed: map[string]config.Object{}}
	for i := range stored {
		g.places[objectName(stored[i].Kind, stored[i].Name)] = i
	}
	g.was = g.ofStore(before)
	return g, nil
}

// ofStore gives the objects of the store in a configuration, and notes those of the file.
func (g *stage) ofStore(loaded *config.Loaded) map[string]config.Object {
	byName := map[string]config.Object{}
	for _, kind := range ObjectKinds {
		for _, o := range loaded.Objects(kind) {
			if o.File {
				g.fixed[objectName(kind, o.Name)] = o
			} else {
				byName[objectName(kind, o.Name)] = o
			}
		}
	}
	return byName
}

// edit checks that an object may be changed and begins the change.
func (g *stage) edit(ctx context.Context, change ObjectChange, remove bool) (*edit, error) {
	if !slices.Contains(ObjectKinds, change.Kind) {
		return nil, inputErrorF("%q is no kind of object; known are %s", change.Kind, kindNames())
	}
	if _, _, err := store.ObjectKey(change.Kind, change.Name); err != nil {
		return nil, asInput(err)
	}
	var held store.Object
	place, there := g.places[objectName(change.Kind, change.Name)]
	if there {
		held = g.stored[place]
	}
	if o, fixed := g.fixed[objectName(change.Kind, change.Name)]; fixed && (!remove || !there) {
		return nil, inputErrorF("%s %q belongs to the file, %s: change it there", say.Word(o.Kind), o.Name, o.Where)
	}
	switch {
	case change.Version == 0 && there:
		return nil, inputErrorF("there is %s %q already, version %d by %s of %s; update it instead", say.Word(Article(change.Kind)+" "+string(change.Kind)), change.Name, held.Version, somebody(held.Author), stamp(held.Changed))
	case change.Version < PresentVersion:
		return nil, inputErrorF("version %d: versions begin at 1", change.Version)
	case change.Version != 0 && !there:
		if change.Version > 0 {
			if gone := g.deleted(ctx, change); gone != nil {
				return nil, gone
			}
		}
		return nil, noObject(change.Kind, change.Name, g.before.Objects(change.Kind))
	case change.Version > 0 && change.Version != held.Version:
		return nil, &StaleError{tellF("%s %q is in version %d, changed by %s at %s, not in version %d: look at what was changed, and change that version",
			say.Word(change.Kind), change.Name, held.Version, somebody(held.Author), stamp(held.Changed), change.Version)}
	}
	e := &edit{held: held, object: held, did: Deleted}
	if remove {
		return e, nil
	}
	e.did = Changed
	if !there {
		e.did, e.object = Created, store.Object{Kind: change.Kind, Name: change.Name, Created: g.now}
	}
	e.object.Spec, e.object.Changed = change.Spec, g.now
	return e, nil
}

// deleted says who deleted the version of an object that is to be changed; nil where that is not known.
func (g *stage) deleted(ctx context.Context, change ObjectChange) error {
	rows, err := g.s.Store.Activity(ctx, store.ActivityQuery{Text: objectName(change.Kind, change.Name), Event: store.EventObject, Limit: 1, Last: true})
	if err != nil || len(rows) == 0 || rows[0].Reason != Deleted {
		return nil //nolint:nilerr // it only adds to an error
	}
	return &StaleError{tellF("%s %q was deleted by %s at %s", say.Word(change.Kind), change.Name, rows[0].Actor, stamp(rows[0].At))}
}

// objectName names an object in the record.
func objectName(kind store.ObjectKind, name string) string { return string(kind) + "/" + name }

func somebody(author string) say.Text {
	if author == "" {
		return say.F("somebody")
	}
	return say.Raw(author)
}

// check tries the edits out: their objects have to be in order, and no other
// object may be set aside for them. It gives their specs their canonical form
// and finds out which of them change nothing.
func (g *stage) check() error {
	edits := make(map[string]*edit, len(g.edits))
	next := slices.Clone(g.stored)
	for _, e := range g.edits {
		name := objectName(e.object.Kind, e.object.Name)
		edits[name] = e
		if place, there := g.places[name]; !there {
			next = append(next, e.object)
		} else {
			next[place] = e.object
		}
	}
	next = slices.DeleteFunc(next, func(o store.Object) bool {
		e := edits[objectName(o.Kind, o.Name)]
		return e != nil && e.did == Deleted
	})
	var err error
	if g.after, err = g.s.Assemble(next); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	g.is = g.ofStore(g.after)
	var own config.Faults
	var others []say.Text
	for _, name := range slices.Sorted(maps.Keys(g.is)) {
		o := g.is[name]
		faults, _ := errors.AsType[config.Faults](o.Fault)
		e := edits[name]
		switch {
		case e != nil && len(faults) > 0:
			own = append(own, faults...)
		case e != nil:
			e.object.Spec = o.Spec
		case len(faults) > 0 && g.was[name].Fault == nil:
			others = append(others, say.F("%s %q (%s)", say.Word(o.Kind), o.Name, faults[0].Summary()))
		}
	}
	if len(own) > 0 {
		return &RefusedError{own}
	}
	if len(others) > 0 {
		return inputErrorF("%s: %s would be set aside: %s", g.asked(), say.N(len(others), "%d other object", "%d other objects"), someOf(others))
	}
	for _, e := range g.edits {
		g.compare(e)
	}
	return g.endings()
}

// asked says what was asked for, as the begin of a refusal.
func (g *stage) asked() say.Text {
	if len(g.edits) != 1 {
		return say.F("nothing was changed")
	}
	e := g.edits[0]
	return say.F("%s %q can not be %s", say.Word(e.object.Kind), e.object.Name, say.Word(e.did))
}

// compare finds what an edit changes, key by key.
func (g *stage) compare(e *edit) {
	var before, after json.RawMessage
	if e.held.Version > 0 {
		before = g.was[objectName(e.object.Kind, e.object.Name)].Spec // in the form that the new one has
	}
	if e.did != Deleted {
		after = e.object.Spec
	}
	e.fields = fieldWords(e.object.Kind, before, after)
	if e.did == Changed && bytes.Equal(before, after) {
		e.did = Unchanged
	}
}

// Bounds of what is told of a change.
const (
	maxFieldText = 120  // bytes of one value
	maxDetail    = 1000 // bytes of a row of the record: a paragraph
)

// fieldWords says what differs between two specs, a line for each key in the order of the reference.
func fieldWords(kind store.ObjectKind, before, after json.RawMessage) []string {
	was, is := fieldTexts(before), fieldTexts(after)
	keys := []string{}
	for _, field := range config.Fields(kind) {
		keys = append(keys, field.Key)
	}
	for key := range was { // of an object at fault
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	lines := []string{}
	for _, key := range keys {
		old, had := was[key]
		now, has := is[key]
		switch {
		case had == has && old == now:
		case !had:
			lines = append(lines, key+": "+shortened(now))
		case !has && after != nil:
			lines = append(lines, key+": "+shortened(old)+" (taken out)")
		case !has:
			lines = append(lines, key+": "+shortened(old))
		default:
			lines = append(lines, key+": "+shortened(old)+" → "+shortened(now))
		}
	}
	return lines
}

// fieldTexts gives the values of a spec as text; none of what is no mapping.
func fieldTexts(spec json.RawMessage) map[string]string {
	var values map[string]json.RawMessage
	if json.Unmarshal(spec, &values) != nil {
		return nil
	}
	texts := map[string]string{}
	for key, value := range values {
		var text string
		var list []string
		switch {
		case json.Unmarshal(value, &text) == nil:
		case json.Unmarshal(value, &list) == nil:
			text = "[" + strings.Join(list, ", ") + "]"
		default:
			text = string(value)
		}
		texts[key] = Plain(text)
	}
	return texts
}

func shortened(text string) string {
	if len(text) <= maxFieldText {
		return text
	}
	return strings.ToValidUTF8(text[:maxFieldText], "") + "…"
}

// inside refuses a rule for anything that its author may not act on, also of what only a listing of its own shows.
func (g *stage) inside(ctx context.Context, e *edit, within *fleet.Filter) error {
	if within != nil && e.object.Kind == store.ReservationObject { // it spends the money of everybody
		return &OutsideError{}
	}
	if within != nil && e.object.Kind == store.WorkloadObject {
		return g.wholeInside(ctx, e.object.Name, within)
	}
	if within == nil || e.object.Kind != store.RuleObject || e.did == Deleted {
		return nil
	}
	at := slices.IndexFunc(g.after.Book.Rules, func(r *policy.Rule) bool { return r.Name == e.object.Name })
	if at < 0 || !g.after.Book.Rules[at].Untagged || g.s.Matching == nil {
		return nil
	}
	matching, missing := g.s.Matching(ctx, g.after.Book.Rules[at])
	outside := 0
	for i := range matching {
		if !within.Match(matching[i]) {
			outside++
		}
	}
	switch {
	case outside > 0:
		return &OutsideError{Resources: outside}
	case len(missing) > 0:
		return &OutsideError{Unseen: true}
	}
	return nil
}

// looksAt tells which resources the edits can concern; nil: any, as far as their specs tell.
func (g *stage) looksAt(schedules []string) func(*fleet.Resource) bool {
	if len(g.edits) == 0 { // the whole configuration is another one
		return nil
	}
	for _, e := range g.edits {
		if (e.object.Kind == store.RuleObject || e.object.Kind == store.WorkloadObject) && e.did != Unchanged {
			return nil
		}
	}
	keys := [2]string{g.before.Book.TagKey, g.after.Book.TagKey}
	return func(r *fleet.Resource) bool {
		return slices.Contains(schedules, strings.TrimSpace(r.Tags[keys[0]])) || slices.Contains(schedules, strings.TrimSpace(r.Tags[keys[1]]))
	}
}

// effect tells what the edits do to the fleet, and refuses what concerns anything that their author may not act on.
func (g *stage) effect(ctx context.Context, within *fleet.Filter) (Effect, error) {
	var schedules []string
	for _, e := range g.edits {
		schedules = append(schedules, g.concerns(e)...)
	}
	g.looker = &lookedOnce{Looker: g.s.Looker}
	if concerned := g.looksAt(schedules); concerned != nil {
		g.looker.Looker = g.s.narrowed(concerned, true)
	}
	same := *g.s
	same.Looker, same.Book = g.looker, &g.before.Book
	slices.Sort(schedules)
	effect, err := same.Effect(ctx, Candidate{Book: &g.after.Book, Limits: g.after.Limits, Schedules: slices.Compact(schedules), Config: true, Within: within})
	if outside := (*OutsideError)(nil); errors.As(err, &outside) {
		return Effect{}, outside
	}
	if err != nil {
		return Effect{}, fmt.Errorf("find out what the change does: %w", err)
	}
	effect.Notes = append(effect.Notes, g.costs()...)
	return effect, nil
}

// concerns gives the schedules that an edit is about.
func (g *stage) concerns(e *edit) []string {
	if e.did == Unchanged {
		return nil
	}
	var list []string
	switch name := e.object.Name; e.object.Kind { //nolint:exhaustive // rules are compared by themselves
	case store.ScheduleObject:
		list = append(list, name)
	case store.ExceptionObject:
		list = append(list, exceptionOf(e.object.Spec).Schedule)
	case store.PeriodObject, store.HolidayObject:
		for _, loaded := range []*config.Loaded{g.before, g.after} {
			for schedule, s := range loaded.Config.Schedules {
				uses := slices.Contains(s.Holidays, name)
				if e.object.Kind == store.PeriodObject {
					uses = slices.ContainsFunc(s.Periods, func(ref string) bool {
						period, _, _ := strings.Cut(ref, "@")
						return strings.TrimSpace(period) == name
					})
				}
				if uses && !slices.Contains(list, schedule) {
					list = append(list, schedule)
				}
			}
		}
	}
	return list
}

// exceptionOf reads the spec of an exception; what cannot be read is left out.
func exceptionOf(spec json.RawMessage) (e config.Exception) {
	_ = json.Unmarshal(spec, &e) // it was checked before
	return e
}

// view is the object of an edit as it is afterwards; of a deletion as it was.
func (g *stage) view(e *edit) config.Object {
	in := g.is
	if e.did == Deleted {
		in = g.was
	}
	o := in[objectName(e.object.Kind, e.object.Name)]
	o.Version, o.Author, o.Created, o.Changed = e.object.Version, e.object.Author, e.object.Created, e.object.Changed
	return o
}

// save writes an edit and its row of the record. The time of the change is that
// of the write, not of the look before it: a rule that is changed has its new
// form from then on, and what the old one did in between is done.
func (g *stage) save(ctx context.Context, e *edit) error {
	now := store.Instant(g.s.Now())
	if e.did != Deleted {
		e.object.Changed = now
	}
	row := store.Activity{
		At: now, Actor: e.object.Author, Event: store.EventObject, Name: objectName(e.object.Kind, e.object.Name),
		Reason: e.did, Detail: e.detail(),
	}
	switch e.object.Kind { //nolint:exhaustive // the others belong to no single schedule
	case store.ScheduleObject:
		row.Schedule = e.object.Name
	case store.ExceptionObject:
		row.Schedule = exceptionOf(e.object.Spec).Schedule
	}
	if e.did == Deleted {
		err := g.s.Store.DeleteObject(ctx, e.object.Kind, e.object.Name, e.held.Version, row)
		if errors.Is(err, store.ErrNotFound) {
			return &StaleError{tellF("%s %q was deleted by somebody else in the meantime", say.Word(e.object.Kind), e.object.Name)}
		}
		return saving(err)
	}
	saved, err := g.s.Store.SaveObject(ctx, e.object, row)
	if err != nil {
		return saving(err)
	}
	e.object = saved
	return nil
}

// saving gives the error of a store its words; that of a conflict says all there is to say.
func saving(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrConflict):
		return &StaleError{told{say.Of(err)}}
	}
	return fmt.Errorf("save the change: %w", err)
}

// detail is the sentence of the record.
func (e *edit) detail() string {
	text := fmt.Sprintf("%s %s was %s", e.object.Kind, e.object.Name, e.did)
	for i, line := range e.fields {
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		if len(text)+len(separator)+len(line) > maxDetail {
			return text + fmt.Sprintf("%sand %s more", separator, say.N(len(e.fields)-i, "%d key", "%d keys"))
		}
		text += separator + line
	}
	return text
}

// noEffect is the effect of what changes nothing.
func noEffect(now time.Time) Effect {
	return Effect{
		At: now, Until: now, Now: []EffectLine{}, Ahead: []EffectEvent{}, ProtectedNames: []string{},
		Limits: []say.Text{}, Conflicts: []Conflict{}, Gaps: []Gap{}, Notes: []say.Text{},
	}
}
