package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/access"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

var newKey = sync.OnceValue(func() string {
	key, err := access.NewKey(rand.Reader, "")
	if err != nil {
		panic(err)
	}
	return key.Text()
})

// patient is a clock on which every wait is over at once.
type patient struct{ slept []time.Duration }

func (*patient) Now() time.Time { return time.Time{} }

func (p *patient) Sleep(ctx context.Context, d time.Duration) error {
	p.slept = append(p.slept, d)
	return context.Cause(ctx)
}

// asking gives a client of a server that answers so.
func asking(t *testing.T, handler http.HandlerFunc) (*Client, *patient) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := New(Options{Address: server.URL, Key: newKey()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	clock := &patient{}
	c.clock, c.timeout = clock, 5*time.Second
	return c, clock
}

func refuse(w http.ResponseWriter, status int, word, detail string, more ...any) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	body := map[string]any{"type": "/problems/" + word, "title": "T", "status": status, "detail": detail}
	if len(more) > 0 {
		body["answer"] = more[0]
	}
	_ = json.NewEncoder(w).Encode(body)
}

func reply(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, text)
}

func TestAddresses(t *testing.T) {
	tests := []struct {
		name, address string
		clear         bool
		host, fault   string
	}{
		{name: "this machine", address: "http://127.0.0.1:8080", host: "127.0.0.1:8080"},
		{name: "by its name", address: "http://localhost:8080/", host: "localhost:8080"},
		{name: "the other loopback", address: "http://[::1]:8080", host: "[::1]:8080"},
		{name: "https", address: " https://dayshift.example.com ", host: "dayshift.example.com"},
		{name: "below a path", address: "https://example.com/dayshift/api/v1/", host: "example.com"},
		{name: "in the clear over a network", address: "http://dayshift.example.com", fault: "in the clear"},
		{name: "a name that only begins like this machine", address: "http://127.0.0.1.example.com", fault: "in the clear"},
		{name: "in the clear, as asked for", address: "http://dayshift:8080", clear: true, host: "dayshift:8080"},
		{name: "no scheme", address: "127.0.0.1:8080", fault: "is none"},
		{name: "another scheme", address: "ftp://127.0.0.1", fault: "is none"},
		{name: "nothing", address: "", fault: "is none"},
		{name: "no host", address: "https://", fault: "is none"},
		{name: "a password in it", address: "https://me:sesame@example.com", fault: "user name"},
		{name: "a query", address: "https://example.com?sesame", fault: "? or a #"},
		{name: "control characters", address: "https://example.com/\x00sesame", fault: "is none"},
		{name: "a key in the wrong place", address: newKey(), fault: "is none"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := New(Options{Address: test.address, Key: newKey(), Clear: test.clear})
			if err != nil {
				if test.fault == "" || !strings.Contains(err.Error(), test.fault) || strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), newKey()) {
					t.Errorf("error %q, want one with %q and nothing secret", err, test.fault)
				}
				return
			}
			if test.fault != "" || c.Host() != test.host {
				t.Errorf("host %q, want %q, or a fault %q", c.Host(), test.host, test.fault)
			}
		})
	}
}

func TestKeyIsNeverShown(t *testing.T) {
	wrong := newKey()[:len(newKey())-1] + "!"
	_, err := New(Options{Address: "http://127.0.0.1:1", Key: wrong})
	if err == nil || strings.Contains(err.Error(), wrong[12:]) {
		t.Errorf("a mistyped key: %v", err)
	}
	c, err := New(Options{Address: "http://127.0.0.1:1", Key: newKey()})
	if err != nil {
		t.Fatal(err)
	}
	_, failed := c.Keys(t.Context()) // nobody listens there
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v", c, c), fmt.Sprint(failed), fmt.Sprintf("%#v", failed)} {
		if strings.Contains(text, newKey()[13:40]) {
			t.Errorf("the key is in %q", text)
		}
	}
	if failed == nil || strings.Contains(failed.Error(), "may have been done") {
		t.Errorf("nobody listens: %v", failed)
	}
	_, err = c.CreateKey(t.Context(), service.KeyRequest{Label: "x"})
	if err == nil || strings.Contains(err.Error(), "may have been done") {
		t.Errorf("nothing was sent: %v", err)
	}
}

func TestRequest(t *testing.T) {
	var seen *http.Request
	c, _ := asking(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r
		reply(w, `{"name":"a"}`)
	})
	c.address.Path = "/below"
	const name = "a/b%2F?c #d\n.."
	if _, err := c.Object(t.Context(), store.ScheduleObject, name); err != nil {
		t.Fatal(err)
	}
	if seen.URL.EscapedPath() != "/below/api/v1/schedules/a%2Fb%252F%3Fc%20%23d%0A.." || seen.URL.RawQuery != "" {
		t.Errorf("asked for %q ? %q", seen.URL.EscapedPath(), seen.URL.RawQuery)
	}
	if seen.Header.Get("Authorization") != "Bearer "+newKey() || !strings.HasPrefix(seen.UserAgent(), "dayshift/") {
		t.Errorf("headers %v", seen.Header)
	}
}

// TestRefusals holds the errors to those that the service gives.
func TestRefusals(t *testing.T) {
	input := func(err error) bool { _, ok := errors.AsType[*service.InputError](err); return ok }
	other := func(err error) bool { _, ok := errors.AsType[*Error](err); return ok && !input(err) }
	tests := []struct {
		name   string
		status int
		word   string
		detail string
		is     func(error) bool
		want   string
	}{
		{"a key that nobody knows", 401, "unauthenticated", "this key is not known", other, "127.0.0.1:.*: this key is not known"},
		{"a role that may not", 403, "forbidden", "this needs the permission", other, "127.0.0.1:.*: this needs"},
		{"outside of a filter", 403, "outside", "this affects 2 resources", other, "this affects 2 resources"},
		{"locked by the file", 403, "locked", "it is changed there", input, "it is changed there"},
		{"not there", 404, "not-found", "there is no schedule", input, "there is no schedule"},
		{"stale", 409, "stale", "is in version 2", func(err error) bool { return errors.Is(err, store.ErrConflict) && other(err) }, "is in version 2"},
		{"at fault", 422, "invalid", "begintime: no time", input, "begintime"},
		{"used up", 429, "quota", "the quota is used up", other, "used up"},
		{"broken inside", 500, "internal", "the log says what", other, "the log says what"},
		{"took too long", 504, "unavailable", "it took too long", other, "took too long"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			asked := 0
			c, clock := asking(t, func(w http.ResponseWriter, _ *http.Request) {
				asked++
				refuse(w, test.status, test.word, test.detail)
			})
			_, err := c.Object(t.Context(), store.ScheduleObject, "x")
			if err == nil || !test.is(err) || !strings.Contains(err.Error(), test.detail) || asked != 1 || len(clock.slept) != 0 {
				t.Errorf("%T %v after %d questions, want %s", err, err, asked, test.want)
			}
		})
	}

	t.Run("nothing was shown", func(t *testing.T) {
		c, _ := asking(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("a key was sent that nobody gave")
			}
			refuse(w, 401, "unauthenticated", "show a key")
		})
		c.key = nil
		if _, err := c.Doctor(t.Context()); err == nil || !strings.Contains(err.Error(), "--api-key") {
			t.Error(err)
		}
	})
	t.Run("no such resource is no wrong usage", func(t *testing.T) {
		c, _ := asking(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 404, "not-found", "no resource answers") })
		if _, err := c.Explain(t.Context(), "x", time.Time{}); !other(err) {
			t.Errorf("%T %v", err, err)
		}
	})
	t.Run("no such key", func(t *testing.T) {
		c, _ := asking(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/v1/keys/"+newKey()[4:12] {
				t.Errorf("asked for %s: a secret in an address is logged on the way", r.URL.Path)
			}
			refuse(w, 404, "not-found", "there is no such key")
		})
		if _, err := c.RevokeKey(t.Context(), newKey()); err == nil {
			t.Error("no error")
		} else if _, gone := errors.AsType[*service.GoneError](err); !gone {
			t.Errorf("%T %v", err, err)
		}
	})
	t.Run("each field that is at fault", func(t *testing.T) {
		c, _ := asking(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, `{"type":"/problems/invalid","detail":"d","errors":[{"location":"body.periods.x.endtime","message":"is no time"},{"location":"query.weeks","message":"too many"}]}`)
		})
		_, err := c.SaveObject(t.Context(), service.ObjectChange{Kind: store.PeriodObject, Name: "x", Spec: json.RawMessage(`{}`)})
		if want := "periods.x.endtime: is no time\nquery.weeks: too many"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	})
}

func TestUnconfirmed(t *testing.T) {
	c, _ := asking(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-Match") != `"3"` || r.URL.RawQuery != "dry_run=true" || r.Method != http.MethodPut {
			t.Errorf("%s %s, If-Match %s", r.Method, r.URL, r.Header.Get("If-Match"))
		}
		refuse(w, 409, "unconfirmed", "nothing was changed, it has to be confirmed: it stops 9; if it is meant, send it again with confirm=true",
			map[string]any{"did": "changed", "object": map[string]any{"name": "x", "version": 4, "fault": []any{map[string]any{"problem": "is odd"}}}})
	})
	answer, err := c.SaveObject(t.Context(), service.ObjectChange{Kind: store.ScheduleObject, Name: "x", Spec: json.RawMessage(`{}`), Version: 3, DryRun: true})
	confirm, ok := errors.AsType[*service.ConfirmError](err)
	if !ok || confirm.Why.String() != "it stops 9" {
		t.Fatalf("%T %v", err, err)
	}
	if faults, ok := errors.AsType[service.ObjectFaults](answer.Object.Fault); answer.Did != "changed" || answer.Object.Version != 4 || !ok || faults[0].Problem.String() != "is odd" {
		t.Errorf("%+v", answer)
	}
}

func TestAppliedInPart(t *testing.T) {
	c, _ := asking(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != "periods: {}" || r.Header.Get("Content-Type") != "application/yaml" || r.URL.Query().Encode() != "confirm=true&prune=true" {
			t.Errorf("%s %q", r.URL, body)
		}
		refuse(w, 409, "stale", "1 of 2 objects were written", map[string]any{"objects": []any{
			map[string]any{"name": "a", "did": "created", "saved": true}, map[string]any{"name": "b", "did": "changed"}, map[string]any{"name": "c", "did": "unchanged"},
		}})
	})
	answer, err := c.Apply(t.Context(), []byte("periods: {}"), service.ApplyRequest{Prune: true, Confirmed: true})
	part, ok := errors.AsType[*service.PartError](err)
	if !ok || part.Done != 1 || part.Of != 2 || len(answer.Objects) != 3 {
		t.Errorf("%T %v: %+v", err, err, answer)
	}
}

// TestComesAgain: what was refused before anything was done is sent again, and nothing else.
func TestComesAgain(t *testing.T) {
	tests := []struct {
		name   string
		status int
		word   string
		after  string
		change bool
		asked  int // with every question refused
	}{
		{"too fast", 429, "rate", "2", false, 1 + mostWaits},
		{"a change, too fast", 429, "rate", "2", true, 1 + mostWaits},
		{"shut out for long", 429, "rate", "900", false, 1},
		{"the quota is used up", 429, "quota", "2", false, 1},
		{"not ready", 503, "unavailable", "5", false, 2},
		{"not ready, and nobody knows for how long", 503, "unavailable", "", false, 1},
		{"not ready, with a date", 503, "unavailable", "Fri, 05 Feb 2027 09:00:00 GMT", false, 1},
		{"a change that is not ready", 503, "unavailable", "5", true, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			asked := 0
			c, clock := asking(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				if body, _ := io.ReadAll(r.Body); test.change && !bytes.Contains(body, []byte("label")) {
					t.Errorf("question %d has the body %q", asked, body)
				}
				w.Header().Set("Retry-After", test.after)
				refuse(w, test.status, test.word, "come again")
			})
			var err error
			if test.change {
				_, err = c.CreateKey(t.Context(), service.KeyRequest{Label: "x"})
			} else {
				_, err = c.Doctor(t.Context())
			}
			if refused, ok := errors.AsType[*Error](err); !ok || refused.Status != test.status || asked != test.asked || len(clock.slept) != asked-1 {
				t.Errorf("%v after %d questions and %v, want %d questions", err, asked, clock.slept, test.asked)
			}
		})
	}
	t.Run("and then it is answered", func(t *testing.T) {
		asked := 0
		c, clock := asking(t, func(w http.ResponseWriter, _ *http.Request) {
			if asked++; asked == 1 {
				w.Header().Set("Retry-After", "3")
				refuse(w, 429, "rate", "too fast")
				return
			}
			reply(w, `{"rows":7}`)
		})
		if got, err := c.Verify(t.Context()); err != nil || got.Rows != 7 || !slices.Equal(clock.slept, []time.Duration{3 * time.Second}) {
			t.Errorf("%+v, %v after %v", got, err, clock.slept)
		}
	})
}

func TestAnswersThatAreNone(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"a page of something else", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>sign in please")
		}, "does not answer as a dayshift does"},
		{"an error of a proxy", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "sign in please", http.StatusBadGateway) }, "(502, text/plain)"},
		{"a problem that is cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"type":`)
		}, "does not answer as a dayshift does"},
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { reply(w, "[{") }, "can not be understood"},
		{"another shape", func(w http.ResponseWriter, _ *http.Request) { reply(w, `{"rows":"seven"}`) }, "does another version run there"},
		{"nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "(204, without a type)"},
		{"more than anybody needs", func(w http.ResponseWriter, _ *http.Request) { reply(w, `"`+strings.Repeat("x", 3<<20)) }, "larger than 2 MB"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			reply(w, `{"rows":1`)
		}, "cut off"},
		{"hung up on", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		{"never", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer came in time"},
		{"begun and never ended", func(w http.ResponseWriter, r *http.Request) {
			reply(w, `{"rows":`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "no answer came in time"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, _ := asking(t, test.answer)
			c.timeout, c.largest = 300*time.Millisecond, 2<<20
			_, err := c.Verify(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "sign in please") || strings.Contains(err.Error(), "may have been done") {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	t.Run("a change without an answer may have been made", func(t *testing.T) {
		var asked atomic.Int32
		c, _ := asking(t, func(_ http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			_, _ = io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		})
		if _, err := c.CreateKey(t.Context(), service.KeyRequest{}); err == nil || !strings.Contains(err.Error(), "it may have been done all the same") || asked.Load() != 1 {
			t.Errorf("%v after %d requests", err, asked.Load())
		}
	})
	t.Run("told to stop", func(t *testing.T) {
		stopped := errors.New("somebody pressed a key")
		ctx, cancel := context.WithCancelCause(t.Context())
		c, _ := asking(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel(stopped)
			<-r.Context().Done()
		})
		if _, err := c.Verify(ctx); !errors.Is(err, stopped) {
			t.Error(err)
		}
	})
}

// TestRedirect: nothing is asked elsewhere, least of all with the key.
func TestRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("somebody else was asked for %s with %v", r.URL, r.Header)
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		c, _ := asking(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL+"/sesame", status) })
		_, err := c.Doctor(t.Context())
		_, changed := c.CreateKey(t.Context(), service.KeyRequest{})
		for _, err := range []error{err, changed} {
			if err == nil || !strings.Contains(err.Error(), "redirect to "+elsewhere.URL) || strings.Contains(err.Error(), "sesame") {
				t.Errorf("%d: %v", status, err)
			}
		}
	}
}

func TestPages(t *testing.T) {
	c, _ := asking(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("limit") != "500" || q.Get("filter") != "tag:Env=dev" {
			t.Errorf("asked with %v", q)
		}
		switch q.Get("cursor") {
		case "":
			reply(w, `{"items":[{"name":"b","account":"2"},{"name":"c","account":"1"}],"gaps":[],"next":"n1","at":"2027-02-05T00:00:00Z"}`)
		case "n1":
			reply(w, `{"items":[{"name":"a","account":"2"}],"gaps":[{"text":"gone"}],"next":"n2"}`)
		case "n2":
			reply(w, `{"items":[],"gaps":[{"text":"gone"}],"next":"n2"}`) // a server that never ends
		}
	})
	fleet, err := c.Fleet(t.Context(), time.Time{}, "tag:Env=dev")
	var names []string
	for _, r := range fleet.Resources {
		names = append(names, r.Name)
	}
	if diff := cmp.Diff([]string{"c", "a", "b"}, names); err != nil || diff != "" || len(fleet.Gaps) != 1 {
		t.Errorf("%v %s %v", err, diff, fleet.Gaps)
	}
	if _, err := c.Fleet(t.Context(), time.Unix(1, 0), ""); err == nil {
		t.Error("a server was asked for another time")
	}
}

// TestFirstLook: a server that has just begun is waited for, and not for ever.
func TestFirstLook(t *testing.T) {
	asked, seen := 0, 3
	c, _ := asking(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		reply(w, fmt.Sprintf(`{"items":[{"name":"a"}],"gaps":[],"looking":%t}`, asked < seen))
	})
	if fleet, err := c.Fleet(t.Context(), time.Time{}, ""); err != nil || asked != 3 || len(fleet.Resources) != 1 || len(fleet.Gaps) != 0 {
		t.Errorf("%+v %v after %d", fleet, err, asked)
	}
	asked, seen = 0, 1000
	if fleet, err := c.Fleet(t.Context(), time.Time{}, ""); err != nil || asked > 40 || len(fleet.Gaps) != 1 {
		t.Errorf("%+v %v after %d", fleet, err, asked)
	}
}

func TestActivity(t *testing.T) {
	var queries []string
	c, _ := asking(t, func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.URL.Query().Encode())
		switch r.URL.Query().Get("order") + r.URL.Query().Get("cursor") {
		case "desc":
			reply(w, `{"items":[{"seq":9},{"seq":8}],"next":"8"}`)
		case "desc8":
			reply(w, `{"items":[],"next":"4"}`) // a stretch without any
		case "desc4":
			reply(w, `{"items":[{"seq":3}],"next":"3"}`)
		case "asc9":
			reply(w, `{"items":[{"seq":10}],"next":""}`)
		}
	})
	seqs := func(query store.ActivityQuery) (list []int64) {
		rows, err := c.Activity(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			list = append(list, row.Seq)
		}
		return list
	}
	if got := seqs(store.ActivityQuery{Last: true, Limit: 3, Text: "web 1", Event: store.EventFailed}); !slices.Equal(got, []int64{3, 8, 9}) {
		t.Errorf("the newest: %v", got)
	}
	if want := "about=web+1&event=failed&limit=3&order=desc"; queries[0] != want || !strings.Contains(queries[2], "limit=1&") {
		t.Errorf("asked %q", queries)
	}
	if got := seqs(store.ActivityQuery{After: 9}); !slices.Equal(got, []int64{10}) {
		t.Errorf("those behind 9: %v", got)
	}
}

// TestFollow: an event wakes whoever waits, a stream that ends is begun again,
// and whoever may not follow is told.
func TestFollow(t *testing.T) {
	next := make(chan string)
	began := make(chan struct{}, 10)
	c, _ := asking(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/events" || r.URL.RawQuery != "type=activity" {
			t.Errorf("asked for %s", r.URL)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		began <- struct{}{}
		for {
			select {
			case text := <-next:
				if text == "end" {
					return
				}
				_, _ = io.WriteString(w, text)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	wait := func(what string) {
		t.Helper()
		if err := c.NewActivity(ctx); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	wait("what was written before anybody listened")
	<-began
	next <- ": still here\n\nid: x-1\n\nid: x-2\nevent: activity\ndata: {}\n\n"
	wait("an event")
	next <- "event: missed\ndata: {}\n\n"
	wait("events that were missed")
	next <- "end"
	wait("what was written while nobody listened")
	<-began
	idle, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	if err := c.NewActivity(idle); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing happened: %v", err)
	}

	refused, _ := asking(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 401, "unauthenticated", "the key has ended") })
	if err := refused.NewActivity(ctx); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a key that has ended: %v", err)
	}
}

// TestCertificate: the certificate of a server is checked, by the roots of the system.
func TestCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a server that nobody vouches for was asked") }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	c, err := New(Options{Address: "https://127.0.0.1:" + port, Key: newKey()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Doctor(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
}
