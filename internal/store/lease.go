package store

import (
	"fmt"
	"time"
)

// Grant decides what Acquire answers, for every engine alike. held is the lease
// as stored, the zero Lease when there never was one. The answer is to be
// stored in the same transaction in which held was read; with ErrHeld it is the
// lease of the other holder and nothing is to be stored.
func Grant(held Lease, name, holder string, now time.Time, ttl time.Duration) (Lease, error) {
	switch {
	case name == "" || holder == "":
		return Lease{}, fmt.Errorf("acquire lease %q for %q: a lease needs a name and a holder", name, holder)
	case ttl <= 0:
		return Lease{}, fmt.Errorf("acquire lease %q: a duration of %s is over before it begins", name, ttl)
	}
	free := held.Holder == "" || !now.Before(held.Expires)
	mine := held.Holder == holder
	if !free && !mine {
		return held, fmt.Errorf("lease %q: held by %s (term %d) until %s: %w",
			name, held.Holder, held.Term, held.Expires.Format(time.RFC3339), ErrHeld)
	}
	term := held.Term
	if !mine {
		term++
	}
	return Lease{Name: name, Holder: holder, Term: term, Expires: Instant(now.Add(ttl))}, nil
}

// Extend decides what Renew answers. A lease that ended without a successor is
// extended: nobody has acted in between.
func Extend(held, lease Lease, now time.Time, ttl time.Duration) (Lease, error) {
	if ttl <= 0 {
		return Lease{}, fmt.Errorf("renew lease %q: a duration of %s is over before it begins", lease.Name, ttl)
	}
	if err := Guard(held, lease); err != nil {
		return Lease{}, err
	}
	held.Expires = Instant(now.Add(ttl))
	return held, nil
}

// Guard returns ErrFenced unless lease is the one that is held. It does not
// look at the expiry: a write is refused when another has taken over, and only
// the store can know that; whether the holder's own clock still lets it act is
// the holder's to watch.
func Guard(held, lease Lease) error {
	switch {
	case lease.Term > 0 && held.Term == lease.Term && held.Holder == lease.Holder:
		return nil
	case lease.Term <= 0 || lease.Holder == "":
		return fmt.Errorf("lease %q: the write carries no lease: %w", lease.Name, ErrFenced)
	case held.Holder == "":
		return fmt.Errorf("lease %q: term %d of %s was released: %w", lease.Name, lease.Term, lease.Holder, ErrFenced)
	}
	return fmt.Errorf("lease %q: term %d of %s is over, %s holds term %d: %w",
		lease.Name, lease.Term, lease.Holder, held.Holder, held.Term, ErrFenced)
}

// Unguarded reports whether the lease of an Append says that none guards it.
func (l Lease) Unguarded() bool { return l.Term == 0 }
