package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/clock"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// Whoever is refused is recorded, and must not be able to fill the record: of
// each group so many rows are written as they come, the rest is counted and
// summed up.
const (
	// refusalSpan is how long refusals are summed up.
	refusalSpan = 5 * time.Minute
	// refusalRows of a group are written in a span as they come.
	refusalRows = 5
)

// The groups: strangers can not hide what somebody known was refused.
const (
	strangers = "strangers"
	knownOnes = "known"
)

// refusals are those of the present span. The zero value needs its map.
type refusals struct {
	mu     sync.Mutex
	groups map[string]*refusalGroup
}

type refusalGroup struct {
	began time.Time
	kinds []refusalKind // as they came
	more  int           // of kinds beyond
}

// refusalKind is one thing that was refused, and how often after the row of the first.
type refusalKind struct {
	row  store.Activity
	more int
}

// note takes a refusal and returns the rows that are to be written.
func (r *refusals) note(group string, row store.Activity, now time.Time) []store.Activity {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := r.groups[group]
	if held == nil {
		held = &refusalGroup{}
		r.groups[group] = held
	}
	rows := held.end(now, row.At, refusalSpan)
	if held.began.IsZero() {
		held.began = now
	}
	at := slices.IndexFunc(held.kinds, func(k refusalKind) bool {
		return k.row.Actor == row.Actor && k.row.Name == row.Name && k.row.Reason == row.Reason && k.row.Detail == row.Detail
	})
	switch {
	case at >= 0:
		held.kinds[at].more++
	case len(held.kinds) < refusalRows:
		held.kinds = append(held.kinds, refusalKind{row: row})
		rows = append(rows, row)
	default:
		held.more++
	}
	return rows
}

// end sums a span up once it is as long as least.
func (g *refusalGroup) end(now, stamp time.Time, least time.Duration) (rows []store.Activity) {
	if g.began.IsZero() || now.Sub(g.began) < least && !now.Before(g.began) {
		return nil
	}
	span := now.Sub(g.began).Round(time.Second)
	for _, k := range g.kinds {
		if k.more > 0 {
			row := k.row
			row.At = stamp
			row.Detail = shortTo(fmt.Sprintf("%s: %s more within %s", row.Detail, say.N(k.more, "%d time", "%d times"), span), maxDetail)
			rows = append(rows, row)
		}
	}
	if g.more > 0 {
		rows = append(rows, store.Activity{
			At: stamp, Actor: "dayshift", Event: store.EventRefused, Reason: "more",
			Detail: fmt.Sprintf("%s of other kinds within %s", say.N(g.more, "%d more refusal", "%d more refusals"), span),
		})
	}
	*g = refusalGroup{}
	return rows
}

// flush sums up what is due, or everything.
func (r *refusals) flush(now, stamp time.Time, all bool) (rows []store.Activity) {
	r.mu.Lock()
	defer r.mu.Unlock()
	least := refusalSpan
	if all {
		least = 0
	}
	for _, group := range []string{strangers, knownOnes} {
		if held := r.groups[group]; held != nil {
			rows = append(rows, held.end(now, stamp, least)...)
		}
	}
	return rows
}

// refuse records why somebody was not let in. k is the key that they showed, or
// nil, and who the name of somebody known by other means. What is no DeniedError
// is a fault of the store, which the record would not take either. The token
// stands nowhere.
func (g *Gate) refuse(ctx context.Context, err error, k *liveKey, who, from string) {
	denied, ok := errors.AsType[*DeniedError](err)
	if !ok || denied == nil {
		return
	}
	g.counted(string(denied.Reason))
	row := store.Activity{At: g.stamp(), Actor: "anonymous", Event: store.EventRefused, Reason: string(denied.Reason), Detail: denied.Error()}
	group := strangers
	switch denied.Reason {
	case DeniedUnknown:
		if k != nil { // the ID is no secret, and somebody tries its secrets
			row.Name, row.Detail = keyName(k.id), "a wrong secret of key "+k.spec.Label
		}
	case DeniedGuessing:
		row.Detail = "too many wrong keys came from one address"
	case DeniedRate:
		row.Detail = "too many requests at once"
	}
	if k != nil && denied.Reason != DeniedUnknown && denied.Reason != DeniedGuessing {
		row.Actor, row.Name, group = k.principal("").Actor(), keyName(k.id), knownOnes
	} else if who != "" {
		row.Actor, group = who, knownOnes
	}
	if from != "" {
		row.Detail += ", from " + from
	}
	g.record(ctx, g.refusals.note(group, row, g.now()))
}

// Refused records that somebody was refused what they may not do. Of many alike
// the record has a sum. what is the operation, for people.
func (g *Gate) Refused(ctx context.Context, by access.Principal, from, what string) {
	if g == nil {
		return
	}
	const reason = "forbidden"
	g.counted(reason)
	row := store.Activity{
		At: g.stamp(), Actor: by.Actor(), Event: store.EventRefused, Reason: reason,
		Detail: shortTo(Plain(fmt.Sprintf("%s, which is %s, was refused: %s, from %s", by.Actor(), orNone(by.Role), what, address(from))), maxDetail),
	}
	if id := by.KeyID(); id != "" {
		row.Name = keyName(id)
	}
	group := knownOnes
	if by.Via == access.ViaAnonymous || by.Via == "" {
		group = strangers
	}
	g.record(ctx, g.refusals.note(group, row, g.now()))
}

// SignInFailed records that somebody did not come in with an identity provider. Of
// many alike the record has a sum. word says what kind of fault it was, why the rest, without a secret.
func (g *Gate) SignInFailed(ctx context.Context, from, word, why string) {
	if g == nil {
		return
	}
	const reason = "sign-in"
	g.counted(reason)
	row := store.Activity{
		At: g.stamp(), Actor: access.Anonymous().Actor(), Event: store.EventRefused, Reason: reason,
		Detail: shortTo(Plain(fmt.Sprintf("signing in with the identity provider failed (%s): %s, from %s", word, why, address(from))), maxDetail),
	}
	g.record(ctx, g.refusals.note(strangers, row, g.now()))
}

// record appends rows. A refusal stays one, whether the record takes it or not.
func (g *Gate) record(ctx context.Context, rows []store.Activity) {
	if len(rows) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notePatience)
	defer cancel()
	_ = g.store.Append(ctx, store.Lease{}, rows)
}

// Tend does what has to be done at the gate now and then, until ctx ends: it
// flushes every minute, and at the end. What a store that is down does not take
// is lost; that it is down is told elsewhere.
func (g *Gate) Tend(ctx context.Context) error {
	for (clock.Real{}).Sleep(ctx, time.Minute) == nil {
		_ = g.Flush(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
	defer cancel()
	_ = g.End(last)
	return nil
}

// Flush writes the sums of refusals that are due and drops sessions that have ended.
func (g *Gate) Flush(ctx context.Context) error { return g.flush(ctx, false) }

// End writes every sum, at the end of the process.
func (g *Gate) End(ctx context.Context) error { return g.flush(ctx, true) }

func (g *Gate) flush(ctx context.Context, all bool) error {
	if g == nil {
		return nil
	}
	if rows := g.refusals.flush(g.now(), g.stamp(), all); len(rows) > 0 {
		if err := g.store.Append(ctx, store.Lease{}, rows); err != nil {
			return fmt.Errorf("record refusals: %w", err)
		}
	}
	return g.sweep(ctx)
}
