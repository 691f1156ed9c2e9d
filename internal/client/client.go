// Package client asks a running Dayshift over HTTP what package service answers
// inside of it. Its answers are the service's own types, and its errors are those
// that the service gives, where it gives one: who asks need not know whether the
// answer comes from this process or from another machine.
//
// It guarantees:
//
//   - The key goes to the host of the address alone, and in the clear only to
//     this machine, or where that was asked for. A redirect is never followed.
//     No error, and nothing that is printed of a Client, has the key.
//   - Every question ends: connecting, answering and the size of an answer are
//     bounded. What answers otherwise than a Dayshift does is an error that says so.
//   - What may change something is sent once. Only a request that was refused
//     before anything was done (too many requests) is sent again, and a mere
//     question to a server that says when to come again.
//
// It expects the API of this version or a later one; see web/openapi.json.
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/buildinfo"
	"dayshift/internal/clock"
)

// base is where the API begins below the address.
const base = "/api/v1"

// Bounds of a question.
const (
	dialTimeout = 10 * time.Second
	// answerTimeout is somewhat longer than a server takes before it gives up by itself.
	answerTimeout = 40 * time.Second
	// maxAnswer bounds what is read of an answer: a page of 500 resources is some 500 KB, a month of a large fleet's starts and stops 50 MB.
	maxAnswer = 64 << 20
	// longestWait is the longest that a server can have us wait before it is asked again.
	longestWait = 10 * time.Second
	// mostWaits is how often a request that came too early is sent again.
	mostWaits = 5
)

// Options say who is asked, and as whom.
type Options struct {
	// Address is that of the server, http://127.0.0.1:8080 or https://dayshift.example.com; a path may follow, where a proxy has it below one.
	Address string
	// Key is the API key; empty: nothing is shown, which is enough where anonymous may read.
	Key string
	// Clear allows the key to go over a network in the clear.
	Clear bool
}

// Client asks one server. It is safe for concurrent use.
type Client struct {
	address *url.URL
	key     func() string // a function, which no format verb shows; nil: there is none
	http    *http.Client
	clock   clock.Clock
	timeout time.Duration // answerTimeout; tests wait less
	largest int64         // maxAnswer; tests send less
	follow  follower
}

// New returns a Client. It asks nothing yet. Its errors repeat neither the key
// nor an address that could have one in it.
func New(options Options) (*Client, error) {
	address, err := parseAddress(options.Address, options.Clear)
	if err != nil {
		return nil, err
	}
	c := &Client{address: address, clock: clock.Real{}, timeout: answerTimeout, largest: maxAnswer}
	if options.Key != "" {
		key, err := access.ParseKey(options.Key)
		if err != nil {
			return nil, err
		}
		c.key = key.Text
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 64 << 10,
			IdleConnTimeout:        time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close gives back connections, and ends what follows.
func (c *Client) Close() error {
	c.follow.end()
	c.http.CloseIdleConnections()
	return nil
}

// Host names the server to people.
func (c *Client) Host() string { return c.address.Host }

const allowedAddress = "give one such as https://dayshift.example.com, or http://127.0.0.1:8080 for this machine"

func parseAddress(text string, inClear bool) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "": // it may be anything, a key too: it is not repeated
		return nil, errors.New("the address of the server is none; " + allowedAddress)
	case u.User != nil:
		return nil, errors.New("the address of the server has a user name or a password in it; a key is given apart")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return nil, errors.New("the address of the server has a ? or a # in it; " + allowedAddress)
	case u.Scheme == "http" && !inClear && !onThisMachine(u.Hostname()):
		return nil, fmt.Errorf("to %s everything would go in the clear, the key too: use https://, a tunnel to this machine, or --insecure-http on a network that nobody else is on", u.Host)
	}
	u.Path, u.RawPath = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), base), ""
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, nil
}

func onThisMachine(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// call is one request.
type call struct {
	method string
	path   []string // the parts behind base; they are escaped here
	query  url.Values
	header http.Header
	body   []byte
	kind   string // content type of the body
	// missing makes the error where there is no such thing; nil: an *Error.
	missing func(text string) error
}

func get(path ...string) call { return call{method: http.MethodGet, path: path} }

// with adds a parameter that is not empty.
func (q call) with(name, value string) call {
	if value == "" {
		return q
	}
	q.query = maps.Clone(q.query)
	if q.query == nil {
		q.query = url.Values{}
	}
	q.query.Set(name, value)
	return q
}

func (q call) at(name string, at time.Time) call {
	if at.IsZero() {
		return q
	}
	return q.with(name, at.UTC().Format(time.RFC3339Nano))
}

func (q call) flag(name string, given bool) call {
	if !given {
		return q
	}
	return q.with(name, "true")
}

// json sets the body.
func (q call) json(body any) call {
	encoded, err := json.Marshal(body)
	if err != nil { // none of the types that are sent can fail
		panic("client: " + err.Error())
	}
	q.body, q.kind = encoded, "application/json"
	return q
}

// reads reports whether the request changes nothing whatever becomes of it.
func (q call) reads() bool { return q.method == http.MethodGet }

func (c *Client) request(ctx context.Context, q call) (*http.Request, error) {
	var raw, path strings.Builder
	raw.WriteString(c.address.EscapedPath() + base)
	path.WriteString(c.address.Path + base)
	for _, part := range q.path {
		raw.WriteString("/" + url.PathEscape(part))
		path.WriteString("/" + part)
	}
	target := *c.address
	target.Path, target.RawPath, target.RawQuery = path.String(), raw.String(), q.query.Encode()
	var body io.Reader
	if q.body != nil {
		body = bytes.NewReader(q.body)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.Host(), err)
	}
	maps.Copy(r.Header, q.header)
	r.Header.Set("User-Agent", "dayshift/"+buildinfo.Version)
	r.Header.Set("Accept", "application/json")
	if q.kind != "" {
		r.Header.Set("Content-Type", q.kind)
	}
	if c.key != nil {
		r.Header.Set("Authorization", "Bearer "+c.key())
	}
	return r, nil
}

// answer is what came back, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request, again where that is due, and reads the JSON of the answer into out (nil: it is not looked at).
func (c *Client) ask(ctx context.Context, q call, out any) error {
	a, err := c.send(ctx, q)
	if err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	if kind := mediaType(a.header); kind != "application/json" {
		return c.foreign(a.status, kind)
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return fmt.Errorf("the answer of %s can not be understood (%w): does another version run there?", c.Host(), err)
	}
	return nil
}

// send gives the answer to a request where it is a good one.
func (c *Client) send(ctx context.Context, q call) (answer, error) {
	for waits := 0; ; waits++ {
		a, err := c.once(ctx, q)
		if err != nil || a.status < http.StatusMultipleChoices {
			return a, err
		}
		err = c.refusal(q, a)
		again, wait := comeAgain(q, err, waits)
		if !again {
			return a, err
		}
		if c.clock.Sleep(ctx, wait) != nil {
			return a, err
		}
	}
}

// comeAgain tells whether a request that was refused is sent again, and when.
func comeAgain(q call, err error, waits int) (bool, time.Duration) {
	refused, ok := errors.AsType[*Error](err)
	if !ok || refused.RetryAfter <= 0 || refused.RetryAfter > longestWait {
		return false, 0
	}
	switch refused.Status {
	case http.StatusTooManyRequests:
		return refused.Word == wordRate && waits < mostWaits, refused.RetryAfter
	case http.StatusServiceUnavailable:
		return q.reads() && waits == 0, refused.RetryAfter
	}
	return false, 0
}

// once sends a request and reads the answer.
func (c *Client) once(ctx context.Context, q call) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errLate)
	defer cancel()
	r, err := c.request(ctx, q)
	if err != nil {
		return answer{}, err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return answer{}, c.unanswered(ctx, q, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, c.largest+1))
	if err != nil {
		return answer{}, c.unanswered(ctx, q, fmt.Errorf("the answer was cut off: %w", err))
	}
	if int64(len(body)) > c.largest {
		return answer{}, fmt.Errorf("the answer of %s is larger than %d MB: ask for less, a shorter time or fewer resources", c.Host(), c.largest>>20)
	}
	return answer{response.StatusCode, response.Header, body}, nil
}

var errLate = errors.New("no answer came in time")

// unanswered tells why there is no answer, and what that means.
func (c *Client) unanswered(ctx context.Context, q call, err error) error {
	cause := context.Cause(ctx)
	if cause != nil && !errors.Is(cause, errLate) { // told to stop
		return cause
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok { // it repeats the address
		err = wrapped.Err
	}
	if cause != nil {
		err = fmt.Errorf("%w (%s)", errLate, c.timeout)
	}
	if opening, ok := errors.AsType[*net.OpError](err); q.reads() || ok && opening.Op == "dial" {
		return fmt.Errorf("ask %s: %w", c.Host(), err)
	}
	return fmt.Errorf("ask %s: %w; it may have been done all the same: look before doing it again", c.Host(), err)
}

// foreign is an answer that no Dayshift gives.
func (c *Client) foreign(status int, kind string) error {
	return fmt.Errorf("what answers at %s does not answer as a dayshift does (%d, %s): is it the right address, or does a proxy stand in between?", c.Host(), status, cmp.Or(kind, "without a type"))
}

func mediaType(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// retryAfter reads the header of its name; 0 where there is none.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(min(seconds, math.MaxInt32)) * time.Second
}
