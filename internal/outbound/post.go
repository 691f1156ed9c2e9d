package outbound

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// postTimeout is how long a receiver may take: it has to keep the message, not to work on it.
	postTimeout = 10 * time.Second
	// maxAnswer is how much of an answer is read.
	maxAnswer = 64 << 10
	// maxAfter bounds what Retry-After is read as.
	maxAfter = 24 * time.Hour
)

// BusyError says that a post was not taken, and may be sent again.
type BusyError struct {
	Err error
	// After is how long the other side asks to be left alone; 0: it does not say.
	After time.Duration
}

func (e *BusyError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *BusyError) Unwrap() error { return e.Err }

// RetryAfter is After: it makes this a notify.Retryable.
func (e *BusyError) RetryAfter() time.Duration { return e.After }

// PostOptions are what a Poster is made of.
type PostOptions struct {
	URL string
	// AllowPrivate: its host may be at a private address, and it may be http://.
	AllowPrivate bool
	Version      string           // of the program
	Now          func() time.Time // required

	Timeout  time.Duration  // of one post; 0: 10 seconds
	Roots    *x509.CertPool // nil: the machine's
	Resolver *net.Resolver  // nil: the machine's
}

// Poster posts JSON to one address that somebody wrote down, and expects the worst of the other side: it follows no redirect,
// asks no proxy and keeps no cookie; time and size are bounded. What may take a post later (429, a status of 500 and above,
// no answer) is told as a BusyError, everything else is final. No error shows more of the address than its host, because paths
// and queries of webhooks are secrets, nor anything of an answer. Any number of goroutines may use one.
type Poster struct {
	options PostOptions
	url     *url.URL
	method  string
}

// At is a poster to a path that begins at that of the address, by another method. What there is behind the path stays.
func (p *Poster) At(method string, path ...string) *Poster {
	there := *p
	there.url, there.method = p.url.JoinPath(path...), method
	return &there
}

// NewPoster returns a poster, or says what is wrong with its address without showing it.
func NewPoster(options PostOptions) (*Poster, error) {
	u, err := ParseAddress(options.URL, "the https:// address of a webhook")
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "https" && !options.AllowPrivate:
		return nil, errors.New("the address is not encrypted; write https://, or allow_private: true where it leads to a network of your own")
	}
	if options.Timeout <= 0 {
		options.Timeout = postTimeout
	}
	return &Poster{options: options, url: u, method: http.MethodPost}, nil
}

// JSON writes what is posted, without the escapes of HTML that nobody needs here.
func JSON(content any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(content); err != nil {
		return nil, fmt.Errorf("write the message as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Answer is what was answered to a post; none where nothing was.
type Answer struct {
	Header http.Header
	Body   []byte // as much as is read of it
}

// Post sends a body of JSON with headers of its own, and parameters behind those of the address. An answer that is no
// success by its status is an error; what it says is given beside that, for those whose status does not say all.
func (p *Poster) Post(ctx context.Context, query url.Values, header map[string]string, body []byte) (Answer, error) {
	late := fmt.Errorf("no answer within %s", p.options.Timeout)
	within, cancel := context.WithTimeoutCause(ctx, p.options.Timeout, late)
	defer cancel()
	answer, err := p.once(within, query, header, body)
	var refused *RefusedError
	switch {
	case err == nil:
		return answer, nil
	case answer.Header != nil, errors.As(err, &refused): // the reason is known, however long the rest of an answer takes
	case ctx.Err() != nil: // the caller's own end
		err = &BusyError{Err: context.Cause(ctx)}
	case within.Err() != nil:
		err = &BusyError{Err: late}
	}
	return answer, p.Fail(err)
}

// Fail says of an error where it happened.
func (p *Poster) Fail(err error) error {
	return fmt.Errorf("post to %s: %w", Shown(p.url), err)
}

func (p *Poster) once(ctx context.Context, query url.Values, header map[string]string, body []byte) (Answer, error) {
	to := *p.url
	if len(query) > 0 {
		all := to.Query()
		maps.Copy(all, query)
		to.RawQuery = all.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, p.method, to.String(), bytes.NewReader(body))
	if err != nil {
		return Answer{}, errors.New("the address cannot be posted to") // the error repeats the address
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	req.Header.Set("User-Agent", "dayshift/"+p.options.Version)
	dialer := Guard{Private: p.options.AllowPrivate, Web: true, Unless: "it has no allow_private: true"}.Dialer()
	dialer.Resolver = p.options.Resolver
	transport := Transport(dialer.DialContext, p.options.Roots)
	transport.DisableCompression = true // answers are a line
	// Not an http.Client, which would follow redirects.
	resp, err := transport.RoundTrip(req)
	if err != nil {
		var refused *RefusedError
		if err = Failure(err); !errors.As(err, &refused) {
			err = &BusyError{Err: err}
		}
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()                      // what counts of it has been read
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // also so that the server can finish it
	if err != nil {
		said = nil // its status counts
	}
	return Answer{Header: resp.Header, Body: said}, p.status(resp)
}

// status says what the status of an answer means.
func (p *Poster) status(resp *http.Response) error {
	code := resp.StatusCode
	said := fmt.Errorf("it answers with status %d", code)
	switch {
	case code/100 == 2:
		return nil
	case code/100 == 3:
		return fmt.Errorf("%w: redirects are not followed; write the address that it leads to", said)
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		after := resp.Header.Get("Retry-After")
		if after == "" {
			after = resp.Header.Get("X-Ogw-Ratelimit-Reset") // Feishu's and Lark's word for it
		}
		return &BusyError{Err: said, After: retryAfter(after, p.options.Now())}
	}
	return said
}

// retryAfter reads the header Retry-After: seconds, by some with a fraction, or a date. What it cannot read is none.
func retryAfter(text string, now time.Time) time.Duration {
	var after time.Duration
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		after = time.Duration(min(max(seconds, 0), maxAfter.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(text); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), maxAfter)
}
