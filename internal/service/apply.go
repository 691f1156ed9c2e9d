package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// ApplyRequest makes the store's objects those of a file.
type ApplyRequest struct {
	// Objects are what the file has, as config.Sections gives them.
	Objects []store.Object
	// Prune deletes the store's objects that are not among them.
	Prune     bool
	Author    string
	DryRun    bool
	Confirmed bool
	// Within is what the author may act on, see ObjectChange.Within.
	Within *fleet.Filter
}

// ApplyLine is one object of an ApplyAnswer.
type ApplyLine struct {
	Kind    store.ObjectKind `json:"kind"`
	Name    string           `json:"name"`
	Did     string           `json:"did"` // created, changed, deleted or unchanged
	Saved   bool             `json:"saved"`
	Version int64            `json:"version,omitempty"` // as it is now
	Fields  []string         `json:"fields"`
}

// ApplyAnswer is what became of the objects of a file.
type ApplyAnswer struct {
	DryRun  bool        `json:"dry_run"`
	Objects []ApplyLine `json:"objects"` // in the order in which they are written
	Effect  Effect      `json:"effect"`
}

// PartError says that some of several changes were made and the others were not.
type PartError struct {
	Done, Of int
	Err      error
}

// Error implements error: in English.
func (e *PartError) Error() string { return e.Said().String() }

// Said implements say.Sayer.
func (e *PartError) Said() say.Text {
	return say.F("%d of %d objects were written, then: %v; what is left can be done by doing the same again", e.Done, e.Of, e.Err)
}

// Unwrap gives what stopped it.
func (e *PartError) Unwrap() error { return e.Err }

// Apply creates, changes and, where asked, deletes objects of the store until
// it has those of the request, with one effect for all of them. Everything is
// checked before anything is written; *PartError where a write fails after others.
func (s *Service) Apply(ctx context.Context, request ApplyRequest) (ApplyAnswer, error) {
	author, err := words("author", request.Author, maxAuthor)
	if err != nil {
		return ApplyAnswer{}, err
	}
	if author == "" {
		return ApplyAnswer{}, inputErrorF("who makes this change? it needs an author")
	}
	g, err := s.stage(ctx)
	if err != nil {
		return ApplyAnswer{}, err
	}
	if err := g.request(ctx, &request); err != nil {
		return ApplyAnswer{}, err
	}
	for _, e := range g.edits {
		e.object.Author = author
	}
	if err := g.check(); err != nil {
		return ApplyAnswer{}, err
	}
	slices.SortStableFunc(g.edits, func(a, b *edit) int { return turnOf(a) - turnOf(b) })
	answer := ApplyAnswer{DryRun: request.DryRun, Objects: []ApplyLine{}, Effect: noEffect(g.now)}
	todo := 0
	for _, e := range g.edits {
		answer.Objects = append(answer.Objects, ApplyLine{Kind: e.object.Kind, Name: e.object.Name, Did: e.did, Version: e.held.Version, Fields: e.fields})
		if e.did != Unchanged {
			todo++
		}
	}
	if todo == 0 {
		return answer, nil
	}
	for _, e := range g.edits {
		if err := g.inside(ctx, e, request.Within); err != nil {
			return ApplyAnswer{}, err
		}
	}
	if answer.Effect, err = g.effect(ctx, request.Within); err != nil {
		return ApplyAnswer{}, err
	}
	if request.DryRun {
		return answer, nil
	}
	if !answer.Effect.Confirm.Empty() && !request.Confirmed {
		return answer, &ConfirmError{answer.Effect.Confirm}
	}
	if err := g.stillSo(ctx); err != nil {
		return answer, err
	}
	done := 0
	for i, e := range g.edits {
		if e.did == Unchanged {
			continue
		}
		if err := g.save(ctx, e); err != nil {
			if done > 0 {
				err = &PartError{done, todo, err}
			}
			return answer, err
		}
		done++
		answer.Objects[i].Saved = true
		if answer.Objects[i].Version = e.object.Version; e.did == Deleted {
			answer.Objects[i].Version = 0
		}
	}
	return answer, nil
}

// request makes the edits of a request, and says everything that can not be.
func (g *stage) request(ctx context.Context, request *ApplyRequest) error {
	var refused []say.Text
	wanted := map[string]bool{}
	for _, o := range request.Objects {
		name := objectName(o.Kind, o.Name)
		if wanted[name] {
			return inputErrorF("%s %q is there twice", say.Word(o.Kind), o.Name)
		}
		wanted[name] = true
		change := ObjectChange{Kind: o.Kind, Name: o.Name, Spec: o.Spec}
		if _, there := g.places[name]; there {
			change.Version = PresentVersion
		}
		e, err := g.edit(ctx, change, false)
		if err != nil {
			refused = append(refused, say.F("  %s", err))
			continue
		}
		e.object.Spec = undated(e, g.was[name].Spec)
		g.edits = append(g.edits, e)
	}
	if len(refused) > 0 {
		return inputErrorF("nothing was changed:\n%s", say.Lines(refused...))
	}
	if !request.Prune {
		return nil
	}
	for _, o := range g.stored {
		if slices.Contains(ObjectKinds, o.Kind) && !wanted[objectName(o.Kind, o.Name)] {
			g.edits = append(g.edits, &edit{held: o, object: o, did: Deleted})
		}
	}
	return nil
}

// undated gives the spec of a rule without the instant from which its rate
// counts, where an export wrote that along for a rule that does not have it:
// the rule counts from there anyway.
func undated(e *edit, held json.RawMessage) json.RawMessage {
	spec := e.object.Spec
	if e.object.Kind != store.RuleObject || e.held.Version == 0 {
		return spec
	}
	var was, is map[string]json.RawMessage
	if json.Unmarshal(held, &was) != nil || json.Unmarshal(spec, &is) != nil || was["created"] != nil {
		return spec
	}
	var created time.Time
	if json.Unmarshal(is["created"], &created) != nil || !created.Equal(e.held.Created.Truncate(time.Second)) {
		return spec
	}
	delete(is, "created")
	if encoded, err := json.Marshal(is); err == nil { // check gives it its canonical order
		return encoded
	}
	return spec
}

// turnOf orders writes so that at no time in between an object names one that
// is not there: what nothing names goes first, then comes what is made, in the
// order in which one can name the other, then goes the rest.
func turnOf(e *edit) int {
	place := slices.Index(ObjectKinds, e.object.Kind)
	switch {
	case e.did != Deleted:
		return len(ObjectKinds) + place
	case e.object.Kind == store.ExceptionObject || e.object.Kind == store.RuleObject || e.object.Kind == store.ReservationObject:
		return place
	}
	return 3*len(ObjectKinds) - place
}

// stillSo says which of the objects was changed while the effect was looked for.
func (g *stage) stillSo(ctx context.Context) error {
	stored, err := g.s.Store.Objects(ctx, ObjectKinds...)
	if err != nil {
		return fmt.Errorf("read the objects of the store: %w", err)
	}
	now := map[string]store.Object{}
	for _, o := range stored {
		now[objectName(o.Kind, o.Name)] = o
	}
	for _, e := range g.edits {
		o := now[objectName(e.object.Kind, e.object.Name)]
		if o.Version == e.held.Version {
			continue
		}
		if o.Version == 0 {
			return &StaleError{tellF("nothing was changed: %s %q was deleted in the meantime", say.Word(e.object.Kind), e.object.Name)}
		}
		return &StaleError{tellF("nothing was changed: %s %q was changed to version %d by %s at %s in the meantime", say.Word(o.Kind), o.Name, o.Version, somebody(o.Author), stamp(o.Changed))}
	}
	return nil
}

// DiffAnswer is what another file would change.
type DiffAnswer struct {
	Differs bool     `json:"differs"`
	Changes []string `json:"changes"` // every value that changes, a line each, in the order of the paths
	Effect  Effect   `json:"effect"`
}

// Diff compares the configuration in force with another one beside the same
// objects of the store, which load reads. Nothing is changed.
func (s *Service) Diff(ctx context.Context, load func(objects []store.Object) (*config.Loaded, error)) (DiffAnswer, error) {
	g, err := s.stage(ctx)
	if err != nil {
		return DiffAnswer{}, err
	}
	if g.after, err = load(g.stored); err != nil {
		return DiffAnswer{}, err
	}
	g.after.Book.Overrides = g.before.Book.Overrides // people's, whatever a file says
	answer := DiffAnswer{Changes: g.before.Diff(g.after), Effect: noEffect(g.now)}
	if answer.Changes == nil {
		answer.Changes = []string{}
	}
	answer.Differs = len(answer.Changes) > 0
	if !answer.Differs {
		return answer, nil
	}
	if answer.Effect, err = g.effect(ctx, nil); err != nil {
		return DiffAnswer{}, err
	}
	for _, scope := range missingScopes(g.after.Scopes, g.before.Scopes) {
		answer.Effect.Notes = append(answer.Effect.Notes, say.F("%s is new: what is in it was not looked at.", scope))
	}
	for _, scope := range missingScopes(g.before.Scopes, g.after.Scopes) {
		answer.Effect.Notes = append(answer.Effect.Notes, say.F("%s is left out: nothing in it is started or stopped any more, whatever is said above.", scope))
	}
	return answer, nil
}

func missingScopes(list, from []fleet.Scope) []fleet.Scope {
	return slices.DeleteFunc(slices.Clone(list), func(scope fleet.Scope) bool { return slices.Contains(from, scope) })
}

// Export writes the objects of the store, and of the file where all is given,
// as sections that Apply and a file take. No kinds: all.
func (s *Service) Export(all bool, kinds ...store.ObjectKind) ([]byte, error) {
	text, err := s.Config.Export(!all, kinds...)
	if _, wrong := errors.AsType[config.Faults](err); wrong {
		return nil, asInput(err)
	}
	return text, err
}
