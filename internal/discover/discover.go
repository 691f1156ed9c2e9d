// Package discover lists every scope of the fleet, bounded in time and in
// number of calls at once.
//
// A scope or kind that does not answer becomes a Gap in the result: its
// resources are unknown, not gone. Nothing that discover returns lets a caller
// mistake a gap for an empty listing, because the two are different fields.
package discover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

// DefaultConcurrency is how many listings run at once: enough to hide AWS's
// latency over hundreds of scopes, few enough for one small machine's sockets.
const DefaultConcurrency = 64

// DefaultTimeout bounds the listing of one kind in one scope, all pages and
// retries included. A region that hangs costs one listing this long, no more.
const DefaultTimeout = 2 * time.Minute

// Request says what to list.
type Request struct {
	Scopes []fleet.Scope
	TagKey string // only resources with this tag
	// Whole: in these scopes what one of the filters matches is listed as well,
	// with the tag or without.
	Whole map[fleet.Scope][]fleet.Filter
	// Concurrency is the number of listings at once; 0 means DefaultConcurrency.
	Concurrency int
	// Timeout bounds one listing; 0 means DefaultTimeout.
	Timeout time.Duration
}

// Gap is a part of the fleet that could not be seen.
type Gap struct {
	Scope fleet.Scope  `json:"scope"`
	Kinds []fleet.Kind `json:"kinds"` // which kinds; in the order of the registry
	Err   error        `json:"-"`
}

// String returns a sentence: which scope, which kinds, why.
func (g Gap) String() string {
	return fmt.Sprintf("%s: cannot list %s: %v", g.Scope, kindList(g.Kinds), g.Err)
}

func kindList(kinds []fleet.Kind) string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = string(kind)
	}
	return strings.Join(names, ", ")
}

// Seen is what the listings showed.
type Seen struct {
	Resources []fleet.Resource // ordered by ref
	Gaps      []Gap            // ordered by scope
}

// Complete reports whether the kind was listed whole in the scope, so that a
// resource absent from Resources is known to be absent.
func (s Seen) Complete(scope fleet.Scope, kind fleet.Kind) bool {
	for _, gap := range s.Gaps {
		if gap.Scope == scope && slices.Contains(gap.Kinds, kind) {
			return false
		}
	}
	return true
}

// List lists every kind in every scope. It never fails: what did not answer is
// a gap. When ctx ends, what was not listed by then is a gap too.
func List(ctx context.Context, lister cloud.Lister, request Request) Seen {
	type part struct {
		scope     fleet.Scope
		kind      fleet.Kind
		resources []fleet.Resource
		err       error
	}
	var parts []*part
	for _, scope := range request.Scopes {
		for _, kind := range lister.Kinds() {
			parts = append(parts, &part{scope: scope, kind: kind})
		}
	}

	var group errgroup.Group
	group.SetLimit(cmp.Or(request.Concurrency, DefaultConcurrency))
	timeout := cmp.Or(request.Timeout, DefaultTimeout)
	for _, p := range parts {
		group.Go(func() error {
			filters := request.Whole[p.scope]
			if len(filters) == 0 || request.TagKey == "" { // without a key everything is listed anyway
				p.resources, p.err = listOne(ctx, lister, p.scope, p.kind, request.TagKey, timeout)
				return nil
			}
			p.resources, p.err = listOne(ctx, lister, p.scope, p.kind, "", timeout)
			p.resources = slices.DeleteFunc(p.resources, func(r fleet.Resource) bool {
				_, tagged := r.Tags[request.TagKey]
				return !tagged && !slices.ContainsFunc(filters, func(f fleet.Filter) bool { return f.Match(r) })
			})
			return nil
		})
	}
	_ = group.Wait() // parts carry their own errors

	var seen Seen
	found := 0
	for _, p := range parts {
		found += len(p.resources)
	}
	seen.Resources = make([]fleet.Resource, 0, found) // growing it step by step would hold a large fleet several times over
	for _, p := range parts {
		if p.err != nil {
			seen.addGap(p.scope, p.kind, p.err)
			continue
		}
		seen.Resources = append(seen.Resources, p.resources...)
	}
	// A resource that starts or stops while it is being paged can be on two
	// pages. One is enough: that which shows it on its way, because nothing is
	// decided on such a one; of two settled ones always the same.
	slices.SortFunc(seen.Resources, func(a, b fleet.Resource) int {
		return cmp.Or(a.Ref.Compare(b.Ref), settledLast(a.State, b.State), cmp.Compare(a.State, b.State))
	})
	seen.Resources = slices.CompactFunc(seen.Resources, func(a, b fleet.Resource) bool { return a.Ref == b.Ref })
	slices.SortStableFunc(seen.Gaps, func(a, b Gap) int { return a.Scope.Compare(b.Scope) })
	return seen
}

func settledLast(a, b fleet.State) int {
	switch {
	case a.Settled() == b.Settled():
		return 0
	case a.Settled():
		return 1
	}
	return -1
}

func listOne(ctx context.Context, lister cloud.Lister, scope fleet.Scope, kind fleet.Kind, tagKey string, timeout time.Duration) (resources []fleet.Resource, err error) {
	limited, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no complete answer within %s: %w", timeout, cloud.ErrTransient))
	defer cancel()
	resources, err = lister.List(limited, scope, kind, cloud.Query{TagKey: tagKey})
	if err != nil && limited.Err() != nil {
		err = fmt.Errorf("%w (%w)", context.Cause(limited), err)
	}
	return resources, err
}

// addGap joins a failure to the scope's gap when it failed for the same reason,
// so that one refused role is one line and not one per kind.
func (s *Seen) addGap(scope fleet.Scope, kind fleet.Kind, err error) {
	for i := range s.Gaps {
		if gap := &s.Gaps[i]; gap.Scope == scope && sameReason(gap.Err, err) {
			gap.Kinds = append(gap.Kinds, kind)
			return
		}
	}
	s.Gaps = append(s.Gaps, Gap{Scope: scope, Kinds: []fleet.Kind{kind}, Err: err})
}

// sameReason reports whether two listings of a scope failed for the same
// reason: bad credentials and a region that is not enabled are matters of the
// scope, however the provider words them for each kind.
func sameReason(a, b error) bool {
	for _, ofScope := range []error{cloud.ErrCredentials, cloud.ErrRegionDisabled} {
		if errors.Is(a, ofScope) && errors.Is(b, ofScope) {
			return true
		}
	}
	return a.Error() == b.Error()
}
