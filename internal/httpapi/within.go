package httpapi

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// What somebody sees who is bound to a filter: the resources that it matches as
// they were last seen, the schedules that govern one of them, what belongs to
// those schedules, and the rules and overrides that concern one of them; and the
// objects that their own key made, which at first concern nothing. All the rest
// is not there.

// object is an object of the configuration.
type object = service.Object

// sight is what somebody bound to a filter sees.
type sight struct {
	schedules map[string]bool
	scopes    map[fleet.Scope]bool
	resources []service.Resource
}

// How long what somebody sees stands: a person's click asks for it several times,
// and with 100,000 resources in sight it takes some hundred milliseconds to find.
const (
	sightFor   = 2 * time.Second
	sightsKept = 32
)

// sights are those found last, by filter.
type sights struct {
	mu   sync.Mutex
	kept map[string]keptSight
}

type keptSight struct {
	sight
	until time.Time
}

// sightOf gives what who asks sees.
func (s *Surface) sightOf(ctx context.Context) (sight, error) {
	within := who(ctx).Within
	s.sights.mu.Lock()
	kept, found := s.sights.kept[within]
	s.sights.mu.Unlock()
	if found && wall().Before(kept.until) {
		return kept.sight, nil
	}
	seen, looking, err := s.findSight(ctx)
	if err != nil || looking {
		return seen, err
	}
	s.sights.mu.Lock()
	defer s.sights.mu.Unlock()
	if len(s.sights.kept) >= sightsKept || s.sights.kept == nil {
		s.sights.kept = map[string]keptSight{}
	}
	s.sights.kept[within] = keptSight{seen, wall().Add(sightFor)}
	return seen, nil
}

// findSight looks through the pages of the board. Its facets alone would not do:
// rules and overrides are matched against resources.
func (s *Surface) findSight(ctx context.Context) (seen sight, looking bool, err error) {
	seen = sight{schedules: map[string]bool{}, scopes: map[fleet.Scope]bool{}}
	query := service.FleetQuery{Within: who(ctx).within, Limit: maxPage}
	for {
		if err := ctx.Err(); err != nil {
			return sight{}, false, err
		}
		list, err := s.program.Board().List(query)
		if err != nil {
			return sight{}, false, err
		}
		for i := range list.Items {
			r := &list.Items[i]
			seen.schedules[r.Schedule] = true
			seen.scopes[fleet.Scope{Account: fleet.AccountID(r.Account), Region: fleet.Region(r.Region)}] = true
		}
		seen.resources = append(seen.resources, list.Items...)
		if list.Next == "" {
			delete(seen.schedules, "")
			return seen, list.Looking, nil
		}
		query.Cursor = list.Next
	}
}

// maxPage is the longest page of a list.
const maxPage = 500

// visibleObjects are the objects of a kind that who asks may see.
func (s *Surface) visibleObjects(ctx context.Context, kind store.ObjectKind) ([]object, error) {
	list, err := s.program.Service().Objects(kind)
	if err != nil || who(ctx).within == nil {
		return list, err
	}
	seen, err := s.sightOf(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(list), func(o object) bool { return !ownObject(ctx, &o) && !s.inSight(&seen, &o) }), nil
}

// ownObject reports whether the key that asks wrote an object last: a schedule without a resource is in nobody's sight,
// and who has just made it is to find it. Of people without a key only the name is kept, which may be that of several.
func ownObject(ctx context.Context, o *object) bool {
	return !o.File && who(ctx).KeyID() != "" && o.Author == who(ctx).Actor()
}

func (s *Surface) inSight(seen *sight, o *object) bool {
	if o.Kind == store.WorkloadObject {
		return s.inWorkload(seen, o.Name)
	}
	if o.Kind != store.RuleObject {
		return s.partOf(*o, seen.schedules)
	}
	var spec struct{ Filters string }
	if json.Unmarshal(o.Spec, &spec) != nil || spec.Filters == "" {
		return false
	}
	filter, err := fleet.ParseFilter(spec.Filters)
	return err == nil && slices.ContainsFunc(seen.resources, func(r service.Resource) bool { return filter.Match(r.Fleet()) })
}

// inWorkload reports whether any of what somebody sees is a member of a workload.
func (s *Surface) inWorkload(seen *sight, name string) bool {
	resources := make([]fleet.Resource, len(seen.resources))
	for i := range seen.resources {
		resources[i] = seen.resources[i].Fleet()
	}
	return s.program.Service().InWorkload(name, resources)
}

// sees reports whether somebody who is bound to a filter sees an object.
func (s *Surface) sees(ctx context.Context, o *object) bool {
	if ownObject(ctx, o) {
		return true
	}
	seen, err := s.sightOf(ctx)
	return err == nil && s.inSight(&seen, o)
}

// visibleObject is an error where there is no such object, or none that who asks may see.
func (s *Surface) visibleObject(ctx context.Context, kind store.ObjectKind, name string) error {
	held, err := s.heldObject(kind, name)
	if err != nil {
		return err
	}
	if held == nil || who(ctx).within != nil && !s.sees(ctx, held) {
		return problem(notFound, "there is no %s %.200q", say.Word(kind), name)
	}
	return nil
}

// visibleGaps are those of scopes in which who asks sees something.
func (s *Surface) visibleGaps(ctx context.Context, gaps []service.Gap) []service.Gap {
	if who(ctx).within == nil || len(gaps) == 0 {
		return gaps
	}
	seen, err := s.sightOf(ctx)
	return slices.DeleteFunc(slices.Clone(gaps), func(gap service.Gap) bool { return err != nil || !seen.scopes[gap.Scope] })
}

// unbound is an error for whoever is bound to a filter: what they ask for is about the whole fleet.
func unbound(ctx context.Context) error {
	if who(ctx).within == nil {
		return nil
	}
	return problem(outside, "this is about the whole fleet, and your access is bound to %q", who(ctx).Within)
}

// seesResource reports whether who asks may see a resource.
func (s *Surface) seesResource(ctx context.Context, ref fleet.Ref) bool {
	within := who(ctx).within
	if within == nil {
		return true
	}
	_, ok := s.program.Board().Resource(ref, within)
	return ok
}

// seesOverride reports whether an override concerns something that somebody bound to a filter sees.
func (s *Surface) seesOverride(seen *sight, o *service.OverrideView) bool {
	kind, name := targetOf(o.Target)
	switch kind {
	case "schedule":
		return seen.schedules[name]
	case "workload":
		return s.inWorkload(seen, name)
	case "filter":
		filter, err := fleet.ParseFilter(name)
		return err == nil && slices.ContainsFunc(seen.resources, func(r service.Resource) bool { return filter.Match(r.Fleet()) })
	}
	return slices.ContainsFunc(seen.resources, func(r service.Resource) bool { return r.Ref == o.Target })
}

// keepExplanation takes out of an explanation what is not about the resource
// alone: what was changed since may be the schedules of others.
func keepExplanation(ctx context.Context, e *service.Explanation) {
	if who(ctx).within == nil || e.Past == nil {
		return
	}
	past := *e.Past
	past.Changes, past.MoreChanges = []store.Activity{}, false
	e.Past = &past
}
