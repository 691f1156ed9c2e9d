package store

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
)

// Instant is a time as every engine keeps it: in UTC, to the microsecond (the
// finest that PostgreSQL stores), rounded down. The zero time stays zero.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// DefaultLimit is how many rows a question without a limit gets: enough for a
// screen and a file, and a bound on what one answer holds in memory.
const DefaultLimit = 1000

// Limit is the limit that a question means: DefaultLimit for 0 and less.
func Limit(limit int) int {
	if limit <= 0 {
		return DefaultLimit
	}
	return limit
}

// Text is a string as every engine keeps it: bytes that are not UTF-8, and NUL,
// which PostgreSQL can not hold, become U+FFFD. Tag values and error texts come
// from outside; one strange value must not make a whole pass unwritable.
func Text[S ~string](s S) S {
	return S(strings.ReplaceAll(strings.ToValidUTF8(string(s), "\uFFFD"), "\x00", "\uFFFD"))
}

// CleanMemories returns the memories as they are to be stored: a deep copy with
// Instant and Text applied, in order of ref, the last one of equal refs. It
// refuses a memory without a kind or ID and a time that has no RFC 3339 form.
func CleanMemories(memories []decide.Memory) ([]decide.Memory, error) {
	// Sorted by index: a memory is too large to be moved about.
	order := make([]int, len(memories))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(memories[a].Ref.Compare(memories[b].Ref), cmp.Compare(a, b))
	})
	clean := make([]decide.Memory, 0, len(memories))
	for n, i := range order {
		m := memories[i]
		if err := checkRef(m.Ref); err != nil {
			return nil, err
		}
		if m.Intent != nil {
			intent := *m.Intent
			intent.Type, intent.Run, intent.Snapshot = Text(intent.Type), Text(intent.Run), Text(intent.Snapshot)
			intent.Verb, intent.From, intent.Override = Text(intent.Verb), Text(intent.From), Text(intent.Override)
			cleanFire(&intent.Fire)
			m.Intent = &intent
		}
		cleanFire(&m.Fire)
		for _, t := range memoryTimes(&m) {
			*t = Instant(*t)
			if err := checkInstant(*t); err != nil {
				return nil, fmt.Errorf("memory of %s: %w", m.Ref, err)
			}
		}
		m.Name, m.Schedule, m.Last = Text(m.Name), Text(m.Schedule), Text(m.Last)
		m.Seen, m.SeenType, m.Size = Text(m.Seen), Text(m.SeenType), Text(m.Size)
		m.ResizeTo, m.RefusedType, m.LastError, m.Snapshot = Text(m.ResizeTo), Text(m.RefusedType), Text(m.LastError), Text(m.Snapshot)
		m.Muted = Text(m.Muted)
		m.ResizeFrom, m.Shortage.Refused, m.Shortage.Accepts = Text(m.ResizeFrom), Text(m.Shortage.Refused), Text(m.Shortage.Accepts)
		if m.Shortage.IsZero() {
			m.Shortage = decide.Shortage{}
		}
		m.Override, m.Reached, m.Observed, m.ByRule, m.Held = Text(m.Override), Text(m.Reached), Text(m.Observed), Text(m.ByRule), Text(m.Held)
		if n+1 < len(order) && memories[order[n+1]].Ref == m.Ref {
			continue // the next is later
		}
		clean = append(clean, m)
	}
	return clean, nil
}

// cleanFire cleans the texts of a fire. One that says of itself that it is none
// is kept as none.
func cleanFire(fire *decide.Fire) {
	if fire.IsZero() {
		*fire = decide.Fire{}
		return
	}
	fire.Rule, fire.Verb, fire.Type = Text(fire.Rule), Text(fire.Verb), Text(fire.Type)
}

// memoryTimes lists every instant inside a memory; a test finds one forgotten.
func memoryTimes(m *decide.Memory) []*time.Time {
	times := []*time.Time{
		&m.FirstSeen, &m.DecidedAt, &m.Announced, &m.Warned, &m.SeenAt, &m.SeenSince, &m.Missing,
		&m.ManualSince, &m.AutoRestartAt, &m.BarredUntil, &m.NotBefore,
		&m.Window, &m.Fire.At, &m.Fire.Until,
		&m.Shortage.Since, &m.Shortage.At, &m.Shortage.GaveUp, &m.Shortage.Until,
	}
	if m.Intent != nil {
		times = append(times, &m.Intent.At, &m.Intent.Accepted, &m.Intent.Fire.At, &m.Intent.Fire.Until)
	}
	return times
}

// CleanScopes returns the scope memories as they are to be stored: a deep copy
// of each (see CleanScope), in order of scope, the last one of equal scopes.
func CleanScopes(scopes []decide.ScopeMemory) ([]decide.ScopeMemory, error) {
	clean := make([]decide.ScopeMemory, 0, len(scopes))
	for _, m := range scopes {
		m, err := CleanScope(m)
		if err != nil {
			return nil, err
		}
		at, found := slices.BinarySearchFunc(clean, m.Scope, func(m decide.ScopeMemory, scope fleet.Scope) int {
			return m.Scope.Compare(scope)
		})
		if found {
			clean[at] = m
		} else {
			clean = slices.Insert(clean, at, m)
		}
	}
	return clean, nil
}

// CleanScope returns what is remembered of a scope as it is to be stored: a
// deep copy with Instant and Text applied and nil for every empty list and map.
// It refuses the zero scope, one that is not UTF-8 and a time that has no RFC
// 3339 form.
func CleanScope(m decide.ScopeMemory) (decide.ScopeMemory, error) {
	if m.Scope == (fleet.Scope{}) {
		return decide.ScopeMemory{}, errors.New("memory of a scope: it needs an account and a region")
	}
	if m.Scope.Account != Text(m.Scope.Account) || m.Scope.Region != Text(m.Scope.Region) {
		return decide.ScopeMemory{}, fmt.Errorf("memory of scope %q: identifiers are UTF-8 without NUL", m.Scope)
	}
	m, err := cleanCopy(m)
	if err != nil {
		return decide.ScopeMemory{}, fmt.Errorf("memory of scope %s: %w", m.Scope, err)
	}
	return m, nil
}

// CloneScope is a deep copy of what CleanScope returned.
func CloneScope(m decide.ScopeMemory) decide.ScopeMemory {
	m, _ = cleanCopy(m) // cleaning what is clean refuses nothing
	return m
}

// cleanCopy copies a value of plain data deeply and cleans every time and text
// in it, however deep; what is empty comes back as it would from JSON with
// "omitempty". It looks at the types, which takes microseconds: good for the
// handful of scopes, not for thousands of memories.
func cleanCopy[T any](value T) (T, error) {
	err := cleanValue(reflect.ValueOf(&value).Elem())
	return value, err
}

// cleanValue cleans v in place; what it refers to is replaced by a copy.
func cleanValue(v reflect.Value) error {
	if at, ok := reflect.TypeAssert[time.Time](v); ok {
		at = Instant(at)
		v.Set(reflect.ValueOf(at))
		return checkInstant(at)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(Text(v.String()))
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue
			}
			if err := cleanValue(v.Field(i)); err != nil {
				return err
			}
		}
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		fresh := reflect.New(v.Type().Elem())
		fresh.Elem().Set(v.Elem())
		v.Set(fresh)
		return cleanValue(fresh.Elem())
	case reflect.Slice:
		if v.Len() == 0 {
			v.SetZero()
			return nil
		}
		fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(fresh, v)
		for i := range fresh.Len() {
			if err := cleanValue(fresh.Index(i)); err != nil {
				return err
			}
		}
		v.Set(fresh)
	case reflect.Map:
		return cleanMap(v)
	default: // numbers and flags
	}
	return nil
}

// cleanMap is cleanValue for a map with keys of text.
func cleanMap(v reflect.Value) error {
	if v.Len() == 0 {
		v.SetZero()
		return nil
	}
	fresh := reflect.MakeMapWithSize(v.Type(), v.Len())
	keys := v.MapKeys()
	// In order, so that of two keys that become one it is always the greater that counts.
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
	for _, key := range keys {
		cleanKey, element := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		cleanKey.Set(key)
		element.Set(v.MapIndex(key))
		if err := cmp.Or(cleanValue(cleanKey), cleanValue(element)); err != nil {
			return err
		}
		fresh.SetMapIndex(cleanKey, element)
	}
	v.Set(fresh)
	return nil
}

// clone copies a slice; an empty one becomes nil, as it does on its way through JSON.
func clone[S ~[]E, E any](s S) S {
	if len(s) == 0 {
		return nil
	}
	return slices.Clone(s)
}

// CleanRun returns the run as it is to be stored: a deep copy with Instant and
// Text applied. A run without an ID or a start is refused.
func CleanRun(run Run) (Run, error) {
	switch {
	case run.ID == "":
		return Run{}, errors.New("a run needs an ID")
	case run.ID != Text(run.ID):
		return Run{}, fmt.Errorf("run %q: an ID is UTF-8 without NUL", run.ID)
	case run.Started.IsZero():
		return Run{}, fmt.Errorf("run %q: a run needs the time of its start", run.ID)
	}
	run.Trigger, run.Error = Text(run.Trigger), Text(run.Error)
	run.Started, run.Finished = Instant(run.Started), Instant(run.Finished)
	if err := cmp.Or(checkInstant(run.Started), checkInstant(run.Finished)); err != nil {
		return Run{}, fmt.Errorf("run %q: %w", run.ID, err)
	}
	run.Gaps = clone(run.Gaps)
	for i := range run.Gaps {
		run.Gaps[i] = Text(run.Gaps[i])
	}
	return run, nil
}

// checkRef refuses what can not be a key.
func checkRef(ref fleet.Ref) error {
	if ref.Kind == "" || ref.ID == "" {
		return fmt.Errorf("memory of %q: a resource needs a kind and an ID", ref)
	}
	for _, part := range []string{string(ref.Scope.Account), string(ref.Scope.Region), string(ref.Kind), ref.ID} {
		if part != Text(part) {
			return fmt.Errorf("memory of %q: identifiers are UTF-8 without NUL", ref)
		}
	}
	return nil
}

// checkInstant refuses times that have no RFC 3339 form.
func checkInstant(t time.Time) error {
	if year := t.Year(); year < 1 || year > 9999 {
		return fmt.Errorf("time %s: the year must be between 1 and 9999", t)
	}
	return nil
}
