package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/reservation"
	"dayshift/internal/run"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// A start that a person wants costs money, and one override can want thousands.
// OverrideLimits.MaxStartsPerDay bounds in how many resources of an account that
// goes on within 24 hours, counted as capacity that is bought is, see
// reservation.Day: before the override or the request is kept, in an object whose
// version makes two who ask at once ask one after the other.

// startsName is the one object of store.StartsObject.
const startsName = "day"

// startTries bounds how often the count is begun anew because somebody else counted at the same moment.
const startTries = 100

// takeStarts counts what would be started by account, and says what is left.
// *InputError where that is more than may be; then, and when only looking, nothing is counted.
func (s *Service) takeStarts(ctx context.Context, starts map[fleet.AccountID]int, now time.Time, author string, look bool) (left []say.Text, err error) {
	most := s.Overrides.MaxStartsPerDay
	if most <= 0 || len(starts) == 0 {
		return nil, nil
	}
	for range startTries {
		objects, err := s.Store.Objects(ctx, store.StartsObject)
		if err != nil {
			return nil, fmt.Errorf("read what was started by people: %w", err)
		}
		object, day := store.Object{Kind: store.StartsObject, Name: startsName}, reservation.Day{}
		if len(objects) > 0 {
			object = objects[0]
			if err := json.Unmarshal(object.Spec, &day); err != nil {
				return nil, fmt.Errorf("read what was started by people: %w", err)
			}
		}
		if day, left, err = addStarts(day.Kept(now), starts, now, most); err != nil || look {
			return left, err
		}
		if object.Spec, err = json.Marshal(day); err != nil {
			return nil, fmt.Errorf("encode what was started by people: %w", err)
		}
		object.Author, object.Changed = author, now
		if _, err = s.Store.SaveObject(ctx, object); err == nil {
			return left, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return nil, fmt.Errorf("count what is started by people: %w", err)
		}
	}
	return nil, fmt.Errorf("count what is started by people: somebody else did %d times in between: %w", startTries, store.ErrConflict)
}

func addStarts(day reservation.Day, starts map[fleet.AccountID]int, now time.Time, most int) (after reservation.Day, left []say.Text, err error) {
	for _, account := range slices.Sorted(maps.Keys(starts)) {
		n, made := starts[account], day.Sum(now, account)
		switch {
		case n > most:
			return day, nil, inputErrorF("this would start %d in account %s, and overrides.max_starts_per_day lets people start %d within 24 hours; choose fewer", n, account, most)
		case made+n > most:
			return day, nil, inputErrorF("this would start %d in account %s, where people started %d within 24 hours and overrides.max_starts_per_day allows %d; choose fewer, or wait until %s",
				n, account, made, most, stamp(day.Frees(now, account, most-n+1)))
		}
		day = day.With(reservation.Bought(now, account, n))
		left = append(left, say.F("In account %s people may start %d more within 24 hours (overrides.max_starts_per_day: %d).", account, most-made-n, most).Plain())
	}
	return day, left, nil
}

// starts are how many resources an override starts now, by account.
func (v *looked) starts(ctx context.Context, a *OverrideAnswer) (map[fleet.AccountID]int, error) {
	starts := map[fleet.AccountID]int{}
	if v.s.Overrides.MaxStartsPerDay <= 0 {
		return starts, nil
	}
	for i := range a.Resources {
		line := &a.Resources[i]
		if !line.Counts || line.Action != string(fleet.Start) {
			continue
		}
		name, whole := strings.CutPrefix(line.Ref, workloadPrefix)
		if !whole {
			starts[accountOf(line.Ref)]++
			continue
		}
		plan := a.Plan
		if plan == nil || plan.Workload != name {
			var err error
			if plan, err = v.s.foresee(ctx, v.s.Book.Workloads.Named(name), workload.Request{Direction: workload.Start}, v.wholes[name].memory, nil); err != nil {
				return nil, err
			}
		}
		plannedStarts(plan, starts)
	}
	return starts, nil
}

// plannedStarts adds what a run would start.
func plannedStarts(plan *run.Foresight, starts map[fleet.AccountID]int) {
	for i := range plan.Tiers {
		for j := range plan.Tiers[i].Members {
			if m := &plan.Tiers[i].Members[j]; m.Does == string(fleet.Start) || m.Does == string(fleet.Resize) {
				starts[accountOf(m.Ref)]++
			}
		}
	}
}

// accountOf is the account of account/region/kind/id.
func accountOf(ref string) fleet.AccountID {
	account, _, _ := strings.Cut(ref, "/")
	return fleet.AccountID(account)
}
