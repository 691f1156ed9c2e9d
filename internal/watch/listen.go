package watch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/outbound"
)

const (
	// minSecret is how much of an address has to be behind its host, in characters, where signs of life are not signed:
	// whoever guesses it can give them.
	minSecret = 16
	// maxAge is how far the time of a signature may be from the clock here: one that was written down is of no use later.
	maxAge = 5 * time.Minute
	// complaint is how often at most it is logged that something else than a sign of life is posted: anybody may post.
	complaint = time.Minute
)

// Ear is how signs of life are taken.
type Ear struct {
	// Address is the one of the heartbeat in the configuration: they come at its path and query.
	Address string
	// Secret is what they are signed with, Previous the one before it while they are exchanged. Without one they are not signed.
	Secret, Previous string
	Clock            clock.Clock
	Log              *slog.Logger
	// Heard takes them.
	Heard func(ctx context.Context, b Beat)
}

// Handler takes signs of life and hands them on. Elsewhere there is nothing, but for /healthz, which tells that the watch
// runs and nothing else.
func (e Ear) Handler() (http.Handler, error) {
	u, err := url.Parse(e.Address)
	if err != nil { // the error repeats the address
		return nil, errors.New("the address of the heartbeat cannot be read")
	}
	if e.Secret == "" && len(spot(u)) < minSecret {
		return nil, errors.New("the address of the heartbeat can be guessed: what is behind its host is shorter than 16 characters, and it has no secret; make one of the two: openssl rand -hex 16")
	}
	return &listener{ear: e, spot: sha256.Sum256([]byte(spot(u))), taken: map[[sha256.Size]byte]time.Time{}}, nil
}

// listener is the handler of an Ear. It is no mux, which would lead to cleaner paths than the one asked for.
type listener struct {
	ear  Ear
	spot [sha256.Size]byte

	mu         sync.Mutex
	taken      map[[sha256.Size]byte]time.Time // what was signed and taken, by when it may be forgotten
	complained time.Time                       // when it was logged last that something else was posted
}

// ServeHTTP implements http.Handler.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, "{\"ok\":true}\n") // the client has gone: nobody to tell
		return
	}
	// Digests are compared, so that the time that it takes tells nothing.
	if got := sha256.Sum256([]byte(spot(r.URL))); subtle.ConstantTimeCompare(got[:], l.spot[:]) != 1 {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "signs of life are posted", http.StatusMethodNotAllowed)
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBeat))
	if err == nil && l.ear.Secret != "" {
		if err := l.genuine(r.Header, text); err != nil {
			l.complain(r.Context(), err)
			http.Error(w, "this is not signed as a sign of life is here", http.StatusUnauthorized)
			return
		}
	}
	var b Beat
	if err == nil {
		b, err = parseBeat(text)
	}
	if err != nil {
		l.complain(r.Context(), err)
		http.Error(w, "this is no sign of life of Dayshift", http.StatusBadRequest)
		return
	}
	l.ear.Heard(r.Context(), b)
	w.WriteHeader(http.StatusNoContent)
}

// complain logs that something else was posted.
func (l *listener) complain(ctx context.Context, err error) {
	l.mu.Lock()
	now := l.ear.Clock.Now()
	quiet := now.Sub(l.complained).Abs() < complaint
	if !quiet {
		l.complained = now
	}
	l.mu.Unlock()
	if !quiet {
		l.ear.Log.WarnContext(ctx, "something else than a sign of life was posted", slog.Any("error", err))
	}
}

// genuine refuses what is not signed with the secret, and what was taken before.
func (l *listener) genuine(header http.Header, body []byte) error {
	signatures, stamps := header.Values(outbound.SignatureHeader), header.Values(outbound.TimestampHeader)
	if len(signatures) != 1 || len(stamps) != 1 {
		return errors.New("it is not signed; has the heartbeat of the daemon the secret?")
	}
	stamp, err := strconv.ParseInt(stamps[0], 10, 64)
	if err != nil {
		return errors.New("the time of its signature cannot be read")
	}
	present := outbound.Genuine(signatures[0], l.ear.Secret, stamp, body)
	if previous := outbound.Genuine(signatures[0], l.ear.Previous, stamp, body); !present && !previous {
		return errors.New("it is signed with another secret, or was changed on its way")
	}
	now := l.ear.Clock.Now()
	if age := now.Sub(time.Unix(stamp, 0)); age > maxAge || age < -maxAge {
		return errors.New("its signature is more than five minutes away from the clock of this machine: are both clocks right?")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for old, until := range l.taken { // as many as a daemon gives within some minutes
		if now.After(until) {
			delete(l.taken, old)
		}
	}
	said := sha256.Sum256(fmt.Appendf(nil, "%d.%s", stamp, body)) // whichever of two signatures comes with it
	if _, before := l.taken[said]; before {
		return errors.New("it was taken before")
	}
	l.taken[said] = now.Add(2*maxAge + time.Second) // it may be maxAge ahead of this clock
	return nil
}

// spot is what is behind the host of an address.
func spot(u *url.URL) string {
	path := cmp.Or(u.EscapedPath(), "/") // as it is asked for
	if u.RawQuery == "" {
		return path
	}
	return path + "?" + u.RawQuery
}
