// Package roomtest examines channels to rooms of chat systems: each calls
// Exercise from its own test and says what is peculiar to it.
package roomtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/outbound"
	"dayshift/internal/say"
)

// Sent is when messages are sent in an examination.
var Sent = time.Date(2026, 8, 3, 18, 0, 0, 0, time.UTC)

// Harness is what the test of a channel offers.
type Harness struct {
	Open func(options outbound.PostOptions) (notify.Sender, error)
	// Want is what is posted of Example, as JSON.
	Want string
	// Query are the parameters that are put behind those of the address.
	Query url.Values
	// Header holds the headers that the system asks for.
	Header map[string]string
	// Taken is the answer to what was taken. Others with status 200 are final, with what is to be said of them, or say that
	// there were too many, and for how long the message is to wait.
	Taken string
	Final map[string]string
	Busy  map[string]time.Duration
	// Shown are the texts that people see of a post, as they see them.
	Shown func(t *testing.T, body []byte) string
	// Links are the buttons and links of a post, as people see them: what is on each, and where it leads; with Pressed: what it
	// asks for. They are what a message offers to decide, and nothing else.
	Links   func(t *testing.T, body []byte) []notify.Choice
	Pressed bool
	// LinkQuery are the parameters that are put behind those of the address where there are Links; nil: Query.
	LinkQuery url.Values
	// Limit is how long a post may be, in bytes.
	Limit int
}

// Example is a message as there are many.
var Example = Group(notify.Failed, "seoul-office", "db-1", "start: no capacity", "결제", "start: not permitted")

// Group is the message of a kind about resources, each with its name and what is said of it.
func Group(kind notify.Kind, schedule string, namesAndTexts ...string) notify.Message {
	return inWords(notify.Words{}, kind, schedule, namesAndTexts...)
}

func inWords(words notify.Words, kind notify.Kind, schedule string, namesAndTexts ...string) notify.Message {
	var events []notify.Event
	for i := 0; i < len(namesAndTexts); i += 2 {
		events = append(events, notify.Event{
			Kind: kind, Schedule: schedule, Name: namesAndTexts[i], Text: say.Raw(namesAndTexts[i+1]), At: Sent,
			Ref: fleet.Ref{Scope: fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}, Kind: fleet.EC2Instance, ID: fmt.Sprintf("i-%d", i/2+1)},
		})
	}
	notice := notify.Group(events, notify.BySubject)[0]
	m := words.Message(&notice)
	m.ID = "IXJVPC3Y7NQK5E2DZW4M6TB7RA"
	return m
}

// Warning is a message that offers to decide something about a schedule.
func Warning(schedule string, namesAndTexts ...string) notify.Message {
	starts := func(_, _ string, stop time.Time) time.Time { return stop.Add(14 * time.Hour) }
	return inWords(notify.Words{Page: "https://dayshift.example.com", Starts: starts}, notify.StopWarning, schedule, namesAndTexts...)
}

// room is a chat system that keeps what it was posted.
type room struct {
	*httptest.Server
	status int
	answer string
	header map[string]string
	got    *http.Request
	body   []byte
}

func open(t *testing.T, h Harness) (*room, notify.Sender) {
	t.Helper()
	r := &room{status: http.StatusOK, answer: h.Taken}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.got = req
		r.body, _ = io.ReadAll(req.Body) // what is missing of it is seen below
		for name, value := range r.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, r.answer)
	}))
	t.Cleanup(r.Close)
	sender, err := h.Open(outbound.PostOptions{URL: r.URL + "/hook/canary?key=canary", AllowPrivate: true, Version: "1.2.3", Now: func() time.Time { return Sent }})
	if err != nil {
		t.Fatal(err)
	}
	return r, sender
}

// Exercise runs the examination.
func Exercise(t *testing.T, h Harness) {
	t.Run("an ordinary message", func(t *testing.T) {
		r, sender := open(t, h)
		if err := sender.Send(t.Context(), Example); err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := json.Unmarshal([]byte(h.Want), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(r.body, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", diff, r.body)
		}
		query := url.Values{"key": {"canary"}}
		maps.Copy(query, h.Query)
		if r.got.Method != http.MethodPost || r.got.URL.Path != "/hook/canary" || !cmp.Equal(r.got.URL.Query(), query) {
			t.Errorf("%s %s", r.got.Method, r.got.URL)
		}
		header := map[string]string{"Content-Type": "application/json", "User-Agent": "dayshift/1.2.3"}
		maps.Copy(header, h.Header)
		for name, value := range header {
			if r.got.Header.Get(name) != value {
				t.Errorf("%s: %q, want %q", name, r.got.Header.Get(name), value)
			}
		}
	})
	const hostile = "<!channel> <@U1> @everyone @here <at>all</at> <at user_id=\"all\"></at> *b* _i_ ~s~ `c` [x](https://evil.example) [[x]](https://evil.example) <https://evil.example|x> # h - l > q || s || :smile: \\ & \" </script>"
	t.Run("names are data", func(t *testing.T) {
		r, sender := open(t, h)
		m := Group(notify.Starting, "a*b", hostile, hostile)
		if err := sender.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if got := h.Shown(t, r.body); !strings.Contains(got, m.Title) || !strings.Contains(got, m.Lines[0]) {
			t.Errorf("%s\nis shown as %s", m.Lines[0], got)
		}
	})
	t.Run("what may be decided", func(t *testing.T) {
		for _, schedule := range []string{"seoul-office", "서울 +9 h (03:00): https://evil.example", "](https://evil.example) <https://evil.example|+9 h> \" until 2030-01-01T00:00:00Z", hostile[:60]} {
			r, sender := open(t, h)
			m := Warning(schedule, hostile, "+1 h (19:00)", "[+1 h](https://evil.example)", "<https://evil.example|+2 h>")
			if err := sender.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			var want []notify.Choice
			for _, choice := range m.Choices {
				switch {
				case h.Pressed:
					choice.Link = ""
				default:
					choice.Command = ""
				}
				want = append(want, choice)
			}
			if diff := cmp.Diff(want, h.Links(t, r.body)); diff != "" || len(want) < 2 {
				t.Errorf("%s\n%s", diff, r.body)
			}
			if got := h.Shown(t, r.body); !strings.Contains(got, m.Title) || !strings.Contains(got, m.Lines[0]) {
				t.Errorf("%s\nis shown as %s", m.Lines[0], got)
			}
			if len(h.LinkQuery) > 0 {
				query := url.Values{"key": {"canary"}}
				maps.Copy(query, h.LinkQuery)
				if !cmp.Equal(r.got.URL.Query(), query) {
					t.Errorf("%s", r.got.URL)
				}
			}
		}
	})
	t.Run("a long message", func(t *testing.T) {
		var many []string
		for range 60 {
			many = append(many, strings.Repeat("결제 \"<&*", 40), strings.Repeat("용량 없음_", 40))
		}
		r, sender := open(t, h)
		if err := sender.Send(t.Context(), Group(notify.Stopping, strings.Repeat("서울", 300), many...)); err != nil {
			t.Fatal(err)
		}
		shown := h.Shown(t, r.body)
		told := strings.Count(shown, "i-")
		if want := fmt.Sprintf("and %d more", 60-told); told == 0 || !strings.HasSuffix(strings.TrimSpace(shown), want) {
			t.Errorf("of %d it is told, and its end is not %q: …%s", told, want, shown[max(0, len(shown)-200):])
		}
		if len(r.body) > h.Limit {
			t.Errorf("%d bytes are posted, %d are taken", len(r.body), h.Limit)
		}
	})
	t.Run("refusals", func(t *testing.T) {
		r, sender := open(t, h)
		want := func(what string, says string, again bool, after time.Duration) {
			t.Helper()
			err := sender.Send(t.Context(), Example)
			var retry notify.Retryable
			if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "canary") || errors.As(err, &retry) != again || again && retry.RetryAfter() != after {
				t.Errorf("%s: %v, want %q, again %v after %s", what, err, says, again, after)
			}
		}
		r.status, r.header = http.StatusTooManyRequests, map[string]string{"Retry-After": "30"}
		want("too many", "status 429", true, 30*time.Second)
		r.header = map[string]string{"Retry-After": "1.5"}
		want("too many, for a part of a second", "status 429", true, 1500*time.Millisecond)
		r.status, r.header = http.StatusBadGateway, nil
		want("an outage", "status 502", true, 0)
		r.status = http.StatusNotFound
		want("a webhook that was removed", "status 404", false, 0)
		r.status = http.StatusOK
		for answer, says := range h.Final {
			r.answer = answer
			want(answer, says, false, 0)
		}
		for answer, after := range h.Busy {
			r.answer, r.status = answer, http.StatusOK
			want(answer, "takes no more for now", true, after)
			r.status = http.StatusBadRequest // what it says counts, whatever status it says it with
			want(answer, "takes no more for now", true, after)
		}
		r.answer, r.status = h.Taken, http.StatusForbidden
		want("a proxy's refusal", "status 403", false, 0)
		r.status = http.StatusOK
		if len(h.Final) > 0 {
			r.answer = "<html>canary</html>"
			want("a page", "cannot be read", true, 0)
		}
	})
	t.Run("an address that is none", func(t *testing.T) {
		for _, address := range []string{"http://hooks.example/canary", "hooks.example/canary", "https://u:canary@hooks.example"} {
			if _, err := h.Open(outbound.PostOptions{URL: address, Now: time.Now}); err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: %v", address, err)
			}
		}
	})
}

// LinesBelow are the links that stand below a text, each on its line.
func LinesBelow(text string) (links []notify.Choice) {
	lines := strings.Split(text, "\n")
	for len(lines) > 0 {
		label, link, found := strings.Cut(lines[len(lines)-1], ": https://dayshift.example.com/?keep=")
		if !found {
			break
		}
		links = append([]notify.Choice{{Label: label, Link: "https://dayshift.example.com/?keep=" + link}}, links...)
		lines = lines[:len(lines)-1]
	}
	return links
}

// Field is the text at a path of the JSON, for Shown; numbers are places in lists.
func Field(t *testing.T, body []byte, path ...any) string {
	t.Helper()
	var at any
	if err := json.Unmarshal(body, &at); err != nil {
		t.Fatal(err)
	}
	for _, step := range path {
		switch step := step.(type) {
		case string:
			at = at.(map[string]any)[step] //nolint:forcetypeassert // a test's path
		case int:
			at = at.([]any)[step] //nolint:forcetypeassert // a test's path
		}
	}
	text, ok := at.(string)
	if !ok {
		t.Fatalf("%v of %s is no text", path, body)
	}
	return text
}
