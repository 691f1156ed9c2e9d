package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// The words of problems that are looked at; see Problem in package httpapi.
const (
	wordInvalid         = "invalid"
	wordNotFound        = "not-found"
	wordStale           = "stale"
	wordLocked          = "locked"
	wordUnconfirmed     = "unconfirmed"
	wordUnauthenticated = "unauthenticated"
	wordRate            = "rate"
)

// Error is a refusal for which the service has no error of its own. One of a
// version that is not there any more is a store.ErrConflict.
type Error struct {
	Word   string // what kind of problem it is, such as forbidden; empty: it was no problem document
	Status int    // of HTTP
	// RetryAfter is when to come again; 0 where the server does not say.
	RetryAfter time.Duration
	text       string
}

func (e *Error) Error() string { return e.text }

// Is makes what is stale a store.ErrConflict.
func (e *Error) Is(target error) bool { return e.Word == wordStale && target == store.ErrConflict }

// problem is a problem document.
type problem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
	Errors []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
	} `json:"errors"`
	Answer json.RawMessage `json:"answer"`
}

// answered is a refusal that came with what the answer would have been, or was up to then.
type answered struct {
	error
	answer json.RawMessage
}

func (a *answered) Unwrap() error { return a.error }

// withAnswer reads what came with a refusal into out, as far as there is anything.
func withAnswer(err error, out any) error {
	if with, ok := errors.AsType[*answered](err); ok {
		if json.Unmarshal(with.answer, out) == nil {
			return with.error
		}
	}
	return err
}

// refusal tells in an error why a request was refused.
func (c *Client) refusal(q call, a answer) error {
	if a.status < http.StatusBadRequest {
		return c.elsewhere(a)
	}
	plain := &Error{Status: a.status, RetryAfter: retryAfter(a.header)}
	var p problem
	if mediaType(a.header) != "application/problem+json" || json.Unmarshal(a.body, &p) != nil {
		plain.text = c.foreign(a.status, mediaType(a.header)).Error()
		return plain
	}
	plain.Word = strings.TrimPrefix(p.Type, "/problems/")
	plain.text = p.text()
	switch plain.Word {
	case wordInvalid, wordLocked:
		return service.NewInputError(plain.text)
	case wordNotFound:
		if q.missing != nil {
			return q.missing(plain.text)
		}
		return plain
	case wordUnconfirmed:
		why := strings.TrimSuffix(p.Detail, "; if it is meant, send it again with confirm=true")
		return &answered{&service.ConfirmError{Why: say.Raw(strings.TrimPrefix(why, (&service.ConfirmError{}).Error()))}, p.Answer}
	case wordStale:
		if p.Answer != nil {
			return &answered{plain, p.Answer}
		}
		return plain
	case wordUnauthenticated:
		if c.key == nil {
			plain.text = fmt.Sprintf("%s asks for an API key: give one with --api-key or $DAYSHIFT_API_KEY", c.Host())
			return plain
		}
	}
	plain.text = c.Host() + ": " + plain.text
	if plain.RetryAfter > 0 {
		plain.text += fmt.Sprintf(" (again in %s)", plain.RetryAfter)
	}
	return plain
}

// text is what a problem says to people.
func (p *problem) text() string {
	if len(p.Errors) == 0 {
		return p.Detail
	}
	var lines []string
	for _, e := range p.Errors {
		where := strings.TrimPrefix(strings.TrimPrefix(e.Location, "body"), ".")
		if where != "" && !strings.HasPrefix(e.Message, where) {
			where += ": "
		} else {
			where = ""
		}
		lines = append(lines, where+e.Message)
	}
	return strings.Join(lines, "\n")
}

// elsewhere refuses to follow a redirect: the key is for this server alone.
func (c *Client) elsewhere(a answer) error {
	to := "elsewhere"
	if u, err := url.Parse(a.header.Get("Location")); err == nil && u.Host != "" {
		to = "to " + u.Scheme + "://" + u.Host
	}
	return &Error{Status: a.status, text: fmt.Sprintf("%s answers with a redirect %s (%d), which is not followed: the key is for the server that was named; if that is the server, name it", c.Host(), to, a.status)}
}

// asInput makes an *service.InputError of what is not there: the name was wrong.
func asInput(text string) error { return service.NewInputError(text) }
