package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// Problem is an error as RFC 9457 describes them. Type is one of the addresses
// in problems, and what programs tell problems apart by; Detail is for people.
type Problem struct {
	Type   string          `json:"type" example:"/problems/stale" doc:"What kind of problem it is: /problems/ and a word."`
	Title  say.Text        `json:"title" example:"Changed by somebody else" doc:"The kind in words; the same for every problem of the kind."`
	Status int             `json:"status" example:"409" doc:"The HTTP status."`
	Detail say.Text        `json:"detail,omitzero" doc:"What is wrong here, and what to do, for people."`
	Errors []ProblemDetail `json:"errors,omitempty" doc:"What is wrong, field by field."`
	// Answer is set where a person has to confirm first: what the change would do; and where only a part was done.
	Answer any `json:"answer,omitempty" doc:"Of the problem unconfirmed: the answer of the request with what it would do. Of a file of which a part was applied: what was."`

	headers http.Header
}

// ProblemDetail is one field that is at fault.
type ProblemDetail struct {
	Location string   `json:"location,omitempty" example:"body.periods[0]" doc:"Where: body.…, query.…, path.… or header.…; of a configuration FILE:LINE:COLUMN and the path of the field."`
	Message  say.Text `json:"message" doc:"What is wrong, and what is allowed."`
	Value    any      `json:"value,omitempty" doc:"What was sent."`
}

// The kinds of problems. Each is /problems/WORD on the wire.
const (
	invalid         = "invalid"
	notFound        = "not-found"
	stale           = "stale"
	locked          = "locked"
	unconfirmed     = "unconfirmed"
	forbidden       = "forbidden"
	outside         = "outside"
	unauthenticated = "unauthenticated"
	rate            = "rate"
	quota           = "quota"
	tooLarge        = "too-large"
	replayed        = "replayed"
	unavailable     = "unavailable"
	internal        = "internal"
)

// problems are the kinds with their status and what they are called.
var problems = map[string]struct {
	status int
	title  say.Text
}{
	invalid:         {http.StatusUnprocessableEntity, say.F("Not understood")},
	notFound:        {http.StatusNotFound, say.F("Not found")},
	stale:           {http.StatusConflict, say.F("Changed by somebody else")},
	locked:          {http.StatusForbidden, say.F("Belongs to the configuration file")},
	unconfirmed:     {http.StatusConflict, say.F("To be confirmed by a person")},
	forbidden:       {http.StatusForbidden, say.F("Not allowed")},
	outside:         {http.StatusForbidden, say.F("Reaches outside of what you may touch")},
	unauthenticated: {http.StatusUnauthorized, say.F("Not signed in")},
	rate:            {http.StatusTooManyRequests, say.F("Too many requests")},
	quota:           {http.StatusTooManyRequests, say.F("Quota used up")},
	tooLarge:        {http.StatusRequestEntityTooLarge, say.F("Too large")},
	replayed:        {http.StatusConflict, say.F("Taken before")},
	unavailable:     {http.StatusServiceUnavailable, say.F("Not available now")},
	internal:        {http.StatusInternalServerError, say.F("Internal error")},
}

// problem makes a problem of a kind, which is said in the language of the reader.
func problem(kind, format string, args ...any) *Problem { return stated(kind, say.F(format, args...)) }

// stated makes a problem of a kind of what was said already.
func stated(kind string, detail say.Text) *Problem {
	of := problems[kind]
	return &Problem{Type: "/problems/" + kind, Title: of.title, Status: of.status, Detail: detail}
}

// with says another status than that of the kind.
func (p *Problem) with(status int) *Problem {
	p.Status = status
	return p
}

// Error implements error.
func (p *Problem) Error() string { return p.Title.String() + ": " + p.Detail.String() }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemJSON }

const problemJSON = "application/problem+json"

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.headers }

func (p *Problem) header(name, value string) *Problem {
	if p.headers == nil {
		p.headers = http.Header{}
	}
	p.headers.Set(name, value)
	return p
}

// write answers a request that no operation answers.
func (p *Problem) write(w http.ResponseWriter, r *http.Request) {
	language := say.Best(r.Header.Get("Accept-Language"))
	maps.Copy(w.Header(), p.headers)
	w.Header().Set("Content-Type", problemJSON)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Accept-Language")
	w.Header().Set("Content-Language", string(language))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(in(language, p)) // the client has gone: nobody to tell
}

// shownValue bounds what a problem repeats of what was sent, in bytes.
const shownValue = 120

// humaProblem is what huma says of a request that it refuses itself.
func humaProblem(status int, message string, errs ...error) *Problem {
	kind := invalid
	if strings.HasPrefix(message, "cannot read request body") { // the client gave up, or broke the rules of HTTP
		status, errs = http.StatusBadRequest, nil
	}
	switch status {
	case http.StatusRequestEntityTooLarge:
		kind = tooLarge
	case http.StatusNotFound:
		kind = notFound
	case http.StatusInternalServerError:
		kind = internal
	}
	p := stated(kind, said(message))
	p.Status = status
	if status == 0 { // huma asks for an example of the type
		return p
	}
	if kind == internal { // what went wrong inside is no business of who asked
		p.Detail = say.F("something went wrong; the log of the server says what")
		return p
	}
	for _, err := range errs {
		detail := ProblemDetail{Message: said(err.Error())}
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			detail = ProblemDetail{Location: d.Location, Message: said(d.Message)}
			if text := fmt.Sprint(d.Value); d.Location != "body" && d.Value != nil && len(text) <= shownValue {
				detail.Value = d.Value
			}
		}
		if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return problem(tooLarge, "the body is larger than %d bytes", large.Limit)
		}
		p.Errors = append(p.Errors, detail)
	}
	if len(p.Errors) > 0 {
		p.Detail = p.Errors[0].Message
		if at := p.Errors[0].Location; at != "" {
			p.Detail = say.F("%s: %s", at, p.Detail)
		}
	}
	return p
}

// fail is the end of an operation that failed. Whoever reached for what is not
// theirs is in the record, like those whose role was refused.
func (s *Surface) fail(ctx context.Context, operation string, err error) *Problem {
	if _, reaches := errors.AsType[*service.OutsideError](err); reaches {
		a := who(ctx)
		s.program.Service().Refused(ctx, a.Principal, a.from, operation)
	}
	return s.problemOf(ctx, operation, err)
}

// problemOf tells in a problem why an operation failed. What is nobody's
// business is logged and not told.
func (s *Surface) problemOf(ctx context.Context, operation string, err error) *Problem {
	var (
		already  *Problem
		input    *service.InputError
		missing  *service.NotFoundError
		refused  *service.RefusedError
		confirm  *service.ConfirmError
		part     *service.PartError
		reaches  *service.OutsideError
		tooLong  *http.MaxBytesError
		asStated = func(kind string) *Problem { return stated(kind, say.Of(err)) }
	)
	switch {
	case errors.As(denied(err), &already):
		return already
	case errors.As(err, &part):
		return stated(stale, part.Said())
	case errors.As(err, &tooLong):
		return problem(tooLarge, "the body is larger than %d bytes", tooLong.Limit)
	case errors.As(err, &refused):
		p := problem(invalid, "there is a fault in it; nothing was changed")
		for _, fault := range refused.Faults {
			p.fault("body", fault.Path, fault.Said(), fault.Remedy())
		}
		return p
	case errors.As(err, &missing):
		return asStated(notFound)
	case errors.As(err, &reaches):
		return asStated(outside)
	case errors.As(err, &input):
		return asStated(invalid)
	case errors.As(err, &confirm):
		return stated(unconfirmed, say.F("%s; if it is meant, send it again with confirm=true", confirm))
	case errors.Is(err, store.ErrConflict):
		return asStated(stale)
	case errors.Is(err, store.ErrNotFound):
		return problem(notFound, "there is none")
	case errors.Is(err, store.ErrHeld): // this process stands by
		return asStated(unavailable).header("Retry-After", "5")
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return problem(unavailable, "the request was given up")
	case errors.Is(err, context.DeadlineExceeded):
		return problem(unavailable, "it took too long; try again, or ask for less").with(http.StatusGatewayTimeout)
	case errors.Is(err, store.ErrLocked), errors.Is(err, store.ErrFull), errors.Is(err, store.ErrReadOnly), errors.Is(err, store.ErrNewer), errors.Is(err, store.ErrCorrupt):
		s.log.ErrorContext(ctx, "a request could not be answered", "operation", operation, "error", err)
		return problem(unavailable, "the store can not be used now; the log of the server says why").header("Retry-After", "5")
	}
	s.log.ErrorContext(ctx, "a request failed", "operation", operation, "error", err)
	return problem(internal, "something went wrong; the log of the server says what")
}

// fault adds a fault of an object or of a configuration.
func (p *Problem) fault(at, path string, summary, remedy say.Text) {
	p.Errors = append(p.Errors, ProblemDetail{Location: cmp.Or(strings.Trim(at+"."+path, "."), "body"), Message: say.Clauses(summary, remedy)})
	if len(p.Errors) == 1 {
		p.Detail = summary
	}
}
