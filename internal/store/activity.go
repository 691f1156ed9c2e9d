package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Genesis stands as Prev in the first row of the record.
var Genesis = strings.Repeat("0", 2*sha256.Size)

// sumVersion begins what is hashed of a row without a Chain, sumChainVersion
// what is hashed of one with it. Whoever adds a field to Activity leaves the
// encoding of these versions as it is and begins a new one, or every record kept
// so far would no longer verify.
const (
	sumVersion      = "dayshift activity 1"
	sumChainVersion = "dayshift activity 2"
)

// Sum returns the hex SHA-256 of the row: of every field but Hash, Prev
// included, each with its length before it so that no two rows share an
// encoding. At counts to the microsecond, as it is stored. A Chain goes between
// Detail and Prev: the number of its steps, then Rule and Fact of each; an empty
// one leaves no trace.
func (a Activity) Sum() string {
	buf := make([]byte, 0, 512)
	number := func(n int64) { buf = binary.BigEndian.AppendUint64(buf, uint64(n)) }
	text := func(s string) {
		number(int64(len(s)))
		buf = append(buf, s...)
	}
	if len(a.Chain) == 0 {
		text(sumVersion)
	} else {
		text(sumChainVersion)
	}
	number(a.Seq)
	number(a.At.UnixMicro())
	text(a.Run)
	text(a.Actor)
	text(string(a.Event))
	text(string(a.Ref.Scope.Account))
	text(string(a.Ref.Scope.Region))
	text(string(a.Ref.Kind))
	text(a.Ref.ID)
	text(a.Name)
	text(a.Schedule)
	text(a.Reason)
	text(a.Detail)
	if len(a.Chain) > 0 {
		number(int64(len(a.Chain)))
		for _, step := range a.Chain {
			text(step.Rule)
			text(step.Fact.String())
		}
	}
	text(a.Prev)
	sum := sha256.Sum256(buf)
	return hex.EncodeToString(sum[:])
}

// Head is the end of the record: the last row's Seq and Hash, kept apart from
// the rows so that a missing last row is noticed. The Head of an empty record
// is {0, Genesis}.
type Head struct {
	Seq  int64
	Hash string
}

// Link returns the rows as they are to be stored behind head, and the head
// after them. It cleans the strings and times and sets Seq, Prev and Hash; the
// caller's rows stay as they are. A row without a time, actor or event is refused.
func Link(head Head, rows []Activity) ([]Activity, Head, error) {
	linked := slices.Clone(rows)
	for i := range linked {
		row := &linked[i]
		if row.At.IsZero() || row.Actor == "" || row.Event == "" {
			return nil, Head{}, fmt.Errorf("activity row %d of %d (event %q, actor %q, at %s): a row needs a time, an actor and an event",
				i+1, len(rows), row.Event, row.Actor, row.At)
		}
		row.At = Instant(row.At)
		if err := checkInstant(row.At); err != nil {
			return nil, Head{}, fmt.Errorf("activity row %d of %d: %w", i+1, len(rows), err)
		}
		row.Run, row.Actor, row.Event = Text(row.Run), Text(row.Actor), Text(row.Event)
		row.Ref.Scope.Account, row.Ref.Scope.Region = Text(row.Ref.Scope.Account), Text(row.Ref.Scope.Region)
		row.Ref.Kind, row.Ref.ID = Text(row.Ref.Kind), Text(row.Ref.ID)
		row.Name, row.Schedule = Text(row.Name), Text(row.Schedule)
		row.Reason, row.Detail = Text(row.Reason), Text(row.Detail)
		row.Chain = clone(row.Chain)
		for j := range row.Chain { // the record is in English
			row.Chain[j].Rule, row.Chain[j].Fact = Text(row.Chain[j].Rule), say.Raw(Text(row.Chain[j].Fact.String()))
		}
		row.Seq, row.Prev = head.Seq+1, head.Hash
		row.Hash = row.Sum()
		head = Head{Seq: row.Seq, Hash: row.Hash}
	}
	return linked, head, nil
}

// Chain verifies a record row by row. The zero Chain is ready for the first row.
//
// It finds rows that were edited, taken out, put in or moved, and, by the head
// that is kept apart, rows missing at the end. Who can rewrite every row after
// the edited one and the head too leaves no trace in the store itself: against
// that, keep the Head of an earlier verification elsewhere.
type Chain struct {
	last   Head
	broken Verification
}

// Add checks the next row in order of Seq and reports whether it fits; after
// the first that does not, nothing more is checked.
func (c *Chain) Add(row Activity) bool {
	if c.broken.BadAt != 0 {
		return false
	}
	if c.last.Seq == 0 {
		c.last.Hash = Genesis
	}
	want := c.last.Seq + 1
	switch {
	case row.Seq > want:
		c.fail(want, fmt.Sprintf("row %d is missing: row %d follows row %d", want, row.Seq, c.last.Seq))
	case row.Seq < want:
		c.fail(max(row.Seq, 1), fmt.Sprintf("row %d stands where row %d belongs", row.Seq, want))
	case row.Prev != c.last.Hash:
		c.fail(row.Seq, fmt.Sprintf("row %d does not name the hash of row %d: a row was replaced, moved or put in", row.Seq, c.last.Seq))
	case row.Hash != row.Sum():
		c.fail(row.Seq, fmt.Sprintf("row %d was changed after it was written: its content does not give its hash", row.Seq))
	default:
		c.last = Head{Seq: row.Seq, Hash: row.Hash}
	}
	return c.broken.BadAt == 0
}

// End compares the last row with the head that the engine keeps. Rows counts
// the rows that hold; Head is the hash of the last of them.
func (c *Chain) End(head Head) Verification {
	if c.last.Seq == 0 {
		c.last.Hash = Genesis
	}
	if c.broken.BadAt == 0 {
		switch {
		case head.Seq > c.last.Seq:
			c.fail(c.last.Seq+1, fmt.Sprintf("rows %d to %d are missing at the end", c.last.Seq+1, head.Seq))
		case head.Seq < c.last.Seq:
			c.fail(head.Seq+1, fmt.Sprintf("rows %d to %d were put in behind the end of the record", head.Seq+1, c.last.Seq))
		case head.Hash != c.last.Hash:
			c.fail(max(c.last.Seq, 1), fmt.Sprintf("row %d is not the one that was written last", c.last.Seq))
		}
	}
	c.broken.Rows, c.broken.Head = c.last.Seq, c.last.Hash
	return c.broken
}

func (c *Chain) fail(seq int64, why string) { c.broken.BadAt, c.broken.Why = seq, why }

// Matches reports whether the query selects the row, Limit and Last aside: the
// meaning of a query for every engine.
func (q ActivityQuery) Matches(row Activity) bool {
	return row.Seq > q.After &&
		(q.From.IsZero() || !row.At.Before(Instant(q.From))) &&
		(q.To.IsZero() || row.At.Before(Instant(q.To))) &&
		(q.Ref == fleet.Ref{} || row.Ref == q.Ref) &&
		(q.Text == "" || row.Ref.ID == q.Text || row.Name == q.Text || row.Schedule == q.Text) &&
		(q.Event == "" || row.Event == q.Event)
}
