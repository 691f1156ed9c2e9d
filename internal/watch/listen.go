package watch

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
)

// minSecret is how much of an address has to be behind its host, in characters: whoever guesses it can give signs of life.
const minSecret = 16

// Handler takes signs of life at the path and query of an address, as the heartbeat of the configuration has it, and hands
// them on. Elsewhere there is nothing, but for /healthz, which tells that the watch runs and nothing else.
func Handler(address string, log *slog.Logger, heard func(ctx context.Context, b Beat)) (http.Handler, error) {
	u, err := url.Parse(address)
	if err != nil { // the error repeats the address
		return nil, errors.New("the address of the heartbeat cannot be read")
	}
	if len(spot(u)) < minSecret {
		return nil, errors.New("the address of the heartbeat can be guessed: what is behind its host is shorter than 16 characters; make one: openssl rand -hex 16")
	}
	want := sha256.Sum256([]byte(spot(u)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // no mux, which leads to cleaner paths than the one asked for
		if r.URL.Path == "/healthz" && r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, _ = io.WriteString(w, "{\"ok\":true}\n") // the client has gone: nobody to tell
			return
		}
		// Digests are compared, so that the time that it takes tells nothing.
		if got := sha256.Sum256([]byte(spot(r.URL))); subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "signs of life are posted", http.StatusMethodNotAllowed)
			return
		}
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBeat))
		var b Beat
		if err == nil {
			b, err = parseBeat(text)
		}
		if err != nil {
			log.WarnContext(r.Context(), "something else than a sign of life was posted", slog.Any("error", err))
			http.Error(w, "this is no sign of life of Dayshift", http.StatusBadRequest)
			return
		}
		heard(r.Context(), b)
		w.WriteHeader(http.StatusNoContent)
	}), nil
}

// spot is what is behind the host of an address.
func spot(u *url.URL) string {
	if u.RawQuery == "" {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + u.RawQuery
}
