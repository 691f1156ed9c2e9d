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
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
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
	// Heard, when not nil, is handed each scope as soon as all of it is listed or known to be a gap, once, and several
	// scopes at once from different goroutines. What List returns then has the gaps alone: a large fleet is never held whole.
	Heard  func(fleet.Scope, Seen)
	TagKey string // only resources with this tag
	// Whole: in these scopes what one of the filters matches is listed as well,
	// with the tag or without.
	Whole map[fleet.Scope][]fleet.Filter
	// Finder tells of which kinds there is anything to list; nil: every kind is listed. Scopes with filters (Whole) are
	// listed whatever it would tell.
	Finder cloud.Finder
	// Known are the kinds of which there is something in a scope: they are listed without asking.
	Known map[fleet.Scope][]fleet.Kind
	// Skip says which other kinds are not asked for in a scope.
	Skip map[fleet.Scope]Skip
	// Differences are the questions for what may not be as it should: they are asked in place of listing a kind of a scope
	// whole. A query's tag key is TagKey.
	Differences map[fleet.Scope]map[fleet.Kind][]cloud.Query
	// Same gives, for a kind of a scope that is listed whole, what cloud.Known asks; nil, or a nil answer: nothing is known.
	Same func(fleet.Scope, fleet.Kind) func(id []byte, words uint32) (key uint64, same bool)
	// Doubtful scopes did not answer last time: each call is made once, and the
	// other kinds are asked only where the first does not tell that it is in vain.
	Doubtful map[fleet.Scope]bool
	// LeaveSlow: when all but a few scopes are listed, those that take far longer
	// are left: their gap is ErrSlow. They have to be listed by themselves then.
	LeaveSlow bool
	// Concurrency is the number of listings at once; 0 means DefaultConcurrency.
	Concurrency int
	// Timeout bounds one listing; 0 means DefaultTimeout.
	Timeout time.Duration
}

// Skip names parts of the search for kinds of which nothing is known in a scope.
type Skip struct {
	Told   bool // the Finder is not asked
	Untold bool // kinds that it does not tell of are not listed
}

// ErrSlow is the reason of a gap that only says that others did not want to wait.
var ErrSlow = errors.New("it takes much longer than the others, which did not wait for it")

// Patience is how long those that are listed wait at least for the last ones;
// where listing them took longer than that, they wait as long again.
const Patience = time.Second

// slowOnes is which part of the scopes may be left as slow, at least one and no
// more than slowMost: more of them are not slow, there is just much to list.
const (
	slowOnes = 10
	slowMost = 16
)

// Gap is a part of the fleet that could not be seen.
type Gap struct {
	Scope fleet.Scope  `json:"scope"`
	Kinds []fleet.Kind `json:"kinds"` // which kinds; in the order of the registry
	Err   error        `json:"-"`
}

// String returns a sentence in English: which scope, which kinds, why.
func (g Gap) String() string { return g.Said().String() }

// Said implements say.Sayer with that sentence.
func (g Gap) Said() say.Text {
	return say.F("%s: cannot list %s: %v", g.Scope, say.Names(g.Kinds), g.Err)
}

// Seen is what the listings showed.
type Seen struct {
	Resources []fleet.Resource // ordered by ref
	Gaps      []Gap            // ordered by scope
	// Kept are the keys, by kind, of what is as Request.Same knew it and so not among Resources, of what one scope showed.
	Kept map[fleet.Kind][]uint64
	// Kinds are those that were asked for, of what one scope showed; nil: all. Listed is how many of them were listed: of
	// the others there is nothing.
	Kinds  []fleet.Kind
	Listed int
	// Partial are the kinds of which only differences were asked for, of what one scope showed.
	Partial []fleet.Kind
}

// Join puts together what several scopes showed.
func Join(parts ...Seen) Seen {
	var all Seen
	found := 0
	for i := range parts {
		found += len(parts[i].Resources)
	}
	all.Resources = make([]fleet.Resource, 0, found) // growing it step by step would hold a large fleet several times over
	for i := range parts {
		all.Resources = append(all.Resources, parts[i].Resources...)
		all.Gaps = append(all.Gaps, parts[i].Gaps...)
	}
	slices.SortFunc(all.Resources, func(a, b fleet.Resource) int { return a.Ref.Compare(b.Ref) })
	slices.SortStableFunc(all.Gaps, func(a, b Gap) int { return a.Scope.Compare(b.Scope) })
	return all
}

// Answered reports whether the kind was listed as it was asked for.
func (s Seen) Answered(scope fleet.Scope, kind fleet.Kind) bool {
	return !slices.ContainsFunc(s.Gaps, func(gap Gap) bool { return gap.Scope == scope && slices.Contains(gap.Kinds, kind) })
}

// Complete reports whether the kind was listed whole in the scope, so that a
// resource absent from Resources is known to be absent.
func (s Seen) Complete(scope fleet.Scope, kind fleet.Kind) bool {
	return s.Answered(scope, kind) && (s.Kinds == nil || slices.Contains(s.Kinds, kind)) && !slices.Contains(s.Partial, kind)
}

// part is one listing.
type part struct {
	kind      fleet.Kind
	resources []fleet.Resource
	kept      []uint64
	err       error
}

// scopePart is what is listed of a scope.
type scopePart struct {
	fleet.Scope
	kinds []*part
	// others may be there as well: a Finder is asked.
	others []fleet.Kind
	asked  []fleet.Kind // all that the listings tell of; nil: of every kind
	left   atomic.Int32 // answers that are still missing
}

// parts says what is listed of a scope.
func (request *Request) parts(scope fleet.Scope, kinds []fleet.Kind) *scopePart {
	p := &scopePart{Scope: scope}
	whole := request.Finder == nil || request.TagKey == "" || len(request.Whole[scope]) > 0
	known, skip := request.Known[scope], request.Skip[scope]
	for _, kind := range kinds {
		switch {
		case whole || slices.Contains(known, kind):
			p.kinds = append(p.kinds, &part{kind: kind})
		case request.Finder.Tells(kind):
			if !skip.Told {
				p.others = append(p.others, kind)
			}
		case !skip.Untold:
			p.kinds = append(p.kinds, &part{kind: kind})
		}
	}
	if !whole && (skip.Told || skip.Untold) {
		p.asked = append([]fleet.Kind{}, p.others...) // not nil, which would be all
		for _, listed := range p.kinds {
			p.asked = append(p.asked, listed.kind)
		}
	}
	return p
}

// List lists every kind in every scope. It never fails: what did not answer is
// a gap. When ctx ends, what was not listed by then is a gap too.
func List(ctx context.Context, lister cloud.Lister, request Request) Seen {
	ctx, left := context.WithCancelCause(ctx)
	defer left(nil)
	waiting := newWaiting(request, left)
	defer waiting.stop()

	seen := make([]Seen, len(request.Scopes))
	kinds := lister.Kinds()
	timeout := cmp.Or(request.Timeout, DefaultTimeout)
	var group errgroup.Group
	group.SetLimit(cmp.Or(request.Concurrency, DefaultConcurrency))
	for i, scope := range request.Scopes {
		whole := request.parts(scope, kinds)
		list := func(ctx context.Context, p *part) {
			if questions, partial := request.Differences[scope][p.kind]; partial {
				for _, query := range questions {
					query.TagKey = request.TagKey
					found, err := listOne(ctx, lister, scope, p.kind, query, timeout)
					if err != nil {
						p.err = err
						return
					}
					p.resources = append(p.resources, found...)
				}
				return
			}
			query := cloud.Query{TagKey: request.TagKey}
			filters := request.Whole[scope]
			if len(filters) > 0 {
				query.TagKey = ""
			} else if request.Same != nil {
				if same := request.Same(scope, p.kind); same != nil {
					query.Known = &cloud.Known{Same: same}
				}
			}
			p.resources, p.err = listOne(ctx, lister, scope, p.kind, query, timeout)
			if query.Known != nil {
				p.kept = query.Known.Kept
			}
			if len(filters) > 0 && request.TagKey != "" { // without a key everything is listed anyway
				p.resources = slices.DeleteFunc(p.resources, func(r fleet.Resource) bool {
					_, tagged := r.Tags[request.TagKey]
					return !tagged && !slices.ContainsFunc(filters, func(f fleet.Filter) bool { return f.Match(r) })
				})
			}
		}
		// answered is called with each answer; the last one hands the scope on.
		answered := func() {
			if whole.left.Add(-1) > 0 {
				return
			}
			waiting.listed(scope)
			seen[i] = whole.seen()
			seen[i].Partial = slices.Sorted(maps.Keys(request.Differences[scope]))
			if request.Heard != nil {
				request.Heard(scope, seen[i])
				seen[i].Resources = nil
			}
		}
		if request.Doubtful[scope] || len(whole.kinds)+len(whole.others) == 0 {
			whole.left.Store(1)
			group.Go(func() error {
				carefully(ctx, whole, request, list)
				answered()
				return nil
			})
			continue
		}
		first := whole.kinds
		whole.left.Store(int32(len(first)))
		if len(whole.others) > 0 {
			whole.left.Add(1)
			group.Go(func() error {
				found, err := whole.find(ctx, request, timeout)
				ctx := ctx
				if errors.Is(err, cloud.ErrTransient) { // it will hardly go better for the listings
					ctx = cloud.WithOneTry(ctx)
				}
				each(found, func(p *part) { list(ctx, p) })
				whole.kinds = append(slices.Clip(first), found...)
				answered()
				return nil
			})
		}
		for _, p := range first {
			group.Go(func() error {
				list(ctx, p)
				answered()
				return nil
			})
		}
	}
	_ = group.Wait() // parts carry their own errors
	return Join(seen...)
}

// find asks what else there is in the scope: all of it, when nobody can tell.
func (p *scopePart) find(ctx context.Context, request Request, timeout time.Duration) ([]*part, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	present, err := request.Finder.Present(limited, p.Scope, request.TagKey, p.others)
	if err != nil {
		present = p.others
	}
	parts := make([]*part, len(present))
	for i, kind := range present {
		parts[i] = &part{kind: kind}
	}
	return parts, err
}

// carefully lists a scope that is in doubt: each call is made once, and those
// after the first only when that did not fail for the whole scope.
func carefully(ctx context.Context, p *scopePart, request Request, list func(context.Context, *part)) {
	once := cloud.WithOneTry(ctx)
	var vain error
	if len(p.kinds) > 0 {
		list(once, p.kinds[0])
		vain = ofScope(p.kinds[0].err)
	}
	done := len(p.kinds[:min(1, len(p.kinds))])
	switch {
	case vain != nil:
		for _, kind := range p.others {
			p.kinds = append(p.kinds, &part{kind: kind})
		}
		for _, other := range p.kinds[done:] {
			other.err = p.kinds[0].err
		}
	case len(p.others) > 0:
		found, err := p.find(once, request, DefaultTimeout)
		if errors.Is(err, cloud.ErrTransient) { // there is one answer for all of them
			for _, other := range found {
				other.err = err
			}
		}
		p.kinds = append(p.kinds, found...)
	}
	each(p.kinds[done:], func(p *part) {
		if p.err == nil {
			list(once, p)
		}
	})
}

// each does something to several listings of a scope at once.
func each(parts []*part, do func(*part)) {
	var all sync.WaitGroup
	for _, p := range parts {
		all.Go(func() { do(p) })
	}
	all.Wait()
}

// seen puts the listings of a scope together.
func (p *scopePart) seen() Seen {
	seen := Seen{Kinds: p.asked, Listed: len(p.kinds)}
	found := 0
	for _, listed := range p.kinds {
		found += len(listed.resources)
	}
	seen.Resources = make([]fleet.Resource, 0, found)
	for _, listed := range p.kinds {
		if listed.err != nil {
			seen.addGap(p.Scope, listed.kind, listed.err)
			continue
		}
		seen.Resources = append(seen.Resources, listed.resources...)
		if len(listed.kept) > 0 {
			if seen.Kept == nil {
				seen.Kept = map[fleet.Kind][]uint64{}
			}
			seen.Kept[listed.kind] = listed.kept
		}
	}
	// A resource that starts or stops while it is being paged can be on two
	// pages. One is enough: that which shows it on its way, because nothing is
	// decided on such a one; of two settled ones always the same.
	slices.SortFunc(seen.Resources, func(a, b fleet.Resource) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID), settledLast(a.State, b.State), cmp.Compare(a.State, b.State))
	})
	seen.Resources = slices.CompactFunc(seen.Resources, func(a, b fleet.Resource) bool { return a.ID == b.ID && a.Kind == b.Kind })
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

func listOne(ctx context.Context, lister cloud.Lister, scope fleet.Scope, kind fleet.Kind, query cloud.Query, timeout time.Duration) (resources []fleet.Resource, err error) {
	limited, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no complete answer within %s: %w", timeout, cloud.ErrTransient))
	defer cancel()
	resources, err = lister.List(limited, scope, kind, query)
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
	if class := ofScope(a); class != nil && errors.Is(b, class) {
		return true
	}
	return a.Error() == b.Error()
}

// ofScope gives the contract's error where a failure is a matter of the whole
// scope, whatever is asked of it; nil where it is not.
func ofScope(err error) error {
	for _, class := range []error{cloud.ErrCredentials, cloud.ErrRegionDisabled} {
		if errors.Is(err, class) {
			return class
		}
	}
	return nil
}

// waiting watches which scopes are still being listed, and leaves the slow ones.
type waiting struct {
	leave func(cause error)
	began time.Time
	few   int // so many may be left; 0: none

	mu    sync.Mutex
	left  map[fleet.Scope]bool // still to be listed
	timer *time.Timer
}

func newWaiting(request Request, leave func(error)) *waiting {
	w := &waiting{leave: leave, began: time.Now(), left: make(map[fleet.Scope]bool, len(request.Scopes))} //nolint:forbidigo // how long others took decides nothing about resources
	for _, scope := range request.Scopes {
		w.left[scope] = true
	}
	if request.LeaveSlow && len(w.left) > 1 {
		w.few = min(max(1, len(w.left)/slowOnes), slowMost)
	}
	return w
}

// listed is told that all of a scope was listed, or could not be.
func (w *waiting) listed(scope fleet.Scope) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.left, scope)
	if len(w.left) > w.few || len(w.left) == 0 || w.timer != nil {
		return
	}
	took := time.Since(w.began)                                                //nolint:forbidigo // as above
	w.timer = time.AfterFunc(max(Patience, took), func() { w.leave(ErrSlow) }) //nolint:forbidigo // as above
}

func (w *waiting) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}
