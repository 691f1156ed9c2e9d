package pass

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/store"
)

// troubles are those of the scopes of which nothing at all could be seen, with a reason in words.
func troubles(gaps []discover.Gap, unseen func(fleet.Scope) bool) map[fleet.Scope]decide.Breaker {
	found := map[fleet.Scope]decide.Breaker{}
	for _, gap := range gaps {
		known, trouble := found[gap.Scope], troubleOf(gap.Err)
		if known.Trouble == decide.NoTrouble || weight(trouble) > weight(known.Trouble) {
			found[gap.Scope] = decide.Breaker{Trouble: trouble, Why: gap.Err.Error()}
		}
	}
	for scope, b := range found {
		if !unseen(scope) || b.Trouble == decide.NoTrouble {
			delete(found, scope)
		}
	}
	return found
}

// unseen reports whether no listing of the scope succeeded.
func (r *running) unseen(scope fleet.Scope) bool {
	failed := 0
	for _, gap := range r.report.Gaps {
		if gap.Scope == scope {
			failed += len(gap.Kinds)
		}
	}
	return failed > 0 && failed >= r.looks[scope].listed
}

// troubleOf says what a failed listing tells of the scope as a whole.
func troubleOf(err error) decide.Trouble {
	switch {
	case errors.Is(err, cloud.ErrCredentials):
		return decide.NoCredentials
	case errors.Is(err, cloud.ErrRegionDisabled):
		return decide.RegionDisabled
	case errors.Is(err, cloud.ErrTransient):
		return decide.NoAnswer
	case errors.Is(err, cloud.ErrUnauthorized):
		return decide.NotAuthorized
	}
	return decide.NoTrouble
}

// weight orders troubles: where kinds differ, the one that explains more counts.
func weight(t decide.Trouble) int {
	switch t {
	case decide.NotAuthorized:
		return 1
	case decide.NoAnswer:
		return 2
	case decide.RegionDisabled:
		return 3
	case decide.NoCredentials:
		return 4
	}
	return 0
}

// doubtful are the scopes that did not answer last time.
func (r *running) doubtful() map[fleet.Scope]bool {
	doubtful := map[fleet.Scope]bool{}
	for scope, state := range r.scopes {
		if state.Breaker.Fails > 0 {
			doubtful[scope] = true
		}
	}
	return doubtful
}

// leaveSlow hands on the scopes that were not waited for, and gives the gaps that
// are ones. What was not listed stays unknown in seen.
func (r *running) leaveSlow(seen *discover.Seen) []discover.Gap {
	var slow []fleet.Scope
	for _, gap := range seen.Gaps {
		if !errors.Is(gap.Err, discover.ErrSlow) {
			r.report.Gaps = append(r.report.Gaps, gap)
			continue
		}
		if r.slow == nil {
			r.slow = map[fleet.Scope]bool{}
		}
		if !r.slow[gap.Scope] {
			r.slow[gap.Scope] = true
			slow = append(slow, gap.Scope)
		}
	}
	if len(slow) > 0 {
		r.Left(slow)
	}
	return r.report.Gaps
}

// judge counts the looks at scopes that failed as a whole, and tells where a
// quarantine begins or ends. A success ends it at once.
func (r *running) judge(ctx context.Context, gaps []discover.Gap) {
	r.report.Breakers = map[fleet.Scope]decide.Breaker{}
	if ctx.Err() != nil { // told to stop: that nothing answered says nothing
		return
	}
	// The gap begins when the look has ended: one that hung took minutes itself.
	ended := r.Clock.Now()
	failed := troubles(gaps, r.unseen)
	for _, scope := range r.Scopes {
		if r.slow[scope] {
			continue
		}
		before := r.scopes[scope].Breaker
		after, still := failed[scope]
		if still {
			after = before.Failed(after.Trouble, after.Why, ended, r.Resync)
			r.report.Breakers[scope] = after
		}
		if after != before {
			r.scopes[scope].change().Breaker = after
		}
		if r.DryRun {
			continue
		}
		whole := fleet.Resource{Ref: fleet.Ref{Scope: scope}}
		switch {
		case after.Quarantined() && (!before.Quarantined() || before.Trouble != after.Trouble):
			text := fmt.Sprintf("%s is in quarantine (%s): it is looked at again at growing gaps, next at %s", scope, after.Trouble, after.Next.Format(time.RFC3339))
			r.row(store.EventGap, whole, "", "quarantined", text)
			r.Log.WarnContext(ctx, "a scope goes into quarantine", slog.String("scope", scope.String()), slog.String("trouble", string(after.Trouble)),
				slog.Time("since", after.Since), slog.Time("next", after.Next), slog.String("why", after.Why))
		case before.Quarantined() && !still:
			r.row(store.EventGapClosed, whole, "", "quarantine-ended", scope.String()+" answers again and leaves quarantine")
			r.Log.InfoContext(ctx, "a scope leaves quarantine", slog.String("scope", scope.String()),
				slog.String("trouble", string(before.Trouble)), slog.Time("since", before.Since))
		}
	}
}

// quarantines makes the next look of a scope that could not be seen the one that
// its breaker asks for, whatever else would be due there; one that was not waited
// for is looked at by itself at once.
func (r *running) quarantines() {
	for scope, b := range r.report.Breakers {
		r.report.Due[scope] = b.Next
	}
	for scope := range r.slow {
		r.report.Due[scope] = r.now
	}
}

// quiet reports whether people know already why a scope can not be seen: the
// trouble is the same, whatever the words of the day; that a region is off they
// know also from before the program was started.
func (r *running) quiet(scope fleet.Scope) bool {
	before, now := r.scopes[scope].Breaker, r.report.Breakers[scope]
	_, told := r.Known.Gaps[scope]
	return now.Trouble != decide.NoTrouble && now.Trouble == before.Trouble && (told || now.Trouble == decide.RegionDisabled)
}
