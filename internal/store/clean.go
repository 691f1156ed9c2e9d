package store

import (
	"cmp"
	"errors"
	"fmt"
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
			intent.Type, intent.Run = Text(intent.Type), Text(intent.Run)
			intent.Verb, intent.From = Text(intent.Verb), Text(intent.From)
			m.Intent = &intent
		}
		for _, t := range memoryTimes(&m) {
			*t = Instant(*t)
			if err := checkInstant(*t); err != nil {
				return nil, fmt.Errorf("memory of %s: %w", m.Ref, err)
			}
		}
		m.Name, m.Schedule, m.Last = Text(m.Name), Text(m.Schedule), Text(m.Last)
		m.Seen, m.SeenType = Text(m.Seen), Text(m.SeenType)
		m.ResizeTo, m.RefusedType, m.LastError = Text(m.ResizeTo), Text(m.RefusedType), Text(m.LastError)
		if n+1 < len(order) && memories[order[n+1]].Ref == m.Ref {
			continue // the next is later
		}
		clean = append(clean, m)
	}
	return clean, nil
}

// memoryTimes lists every instant inside a memory; a test finds one forgotten.
func memoryTimes(m *decide.Memory) []*time.Time {
	times := []*time.Time{
		&m.FirstSeen, &m.DecidedAt, &m.Announced, &m.Warned, &m.SeenAt, &m.SeenSince,
		&m.ManualSince, &m.AutoRestartAt, &m.BarredUntil, &m.NotBefore,
	}
	if m.Intent != nil {
		times = append(times, &m.Intent.At, &m.Intent.Accepted)
	}
	return times
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
	run.Gaps = slices.Clone(run.Gaps)
	for i := range run.Gaps {
		run.Gaps[i] = Text(run.Gaps[i])
	}
	if len(run.Gaps) == 0 {
		run.Gaps = nil
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
