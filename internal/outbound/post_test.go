package outbound

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// What an answer says by its status counts, also where the rest of it never comes.
func TestAnAnswerThatNeverEnds(t *testing.T) {
	var status int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server hears that the other side is gone
		w.Header().Set("Retry-After", "40")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "begins")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	poster, err := NewPoster(PostOptions{URL: server.URL, AllowPrivate: true, Now: time.Now, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		status int
		taken  bool
		after  time.Duration
	}{{http.StatusOK, true, 0}, {http.StatusTooManyRequests, false, 40 * time.Second}, {http.StatusGone, false, 0}} {
		status = test.status
		answer, err := poster.Post(t.Context(), nil, nil, []byte("{}"))
		var busy *BusyError
		if (err == nil) != test.taken || errors.As(err, &busy) != (test.after > 0) || busy != nil && busy.After != test.after || len(answer.Body) > 0 {
			t.Errorf("%d: %v (%+v), %q", test.status, err, busy, answer.Body)
		}
	}
}
