// Package webhook is the channel that posts messages as JSON to an address.
//
// Every post is signed: Dayshift-Signature holds HMAC-SHA256 over the time in
// Dayshift-Timestamp, a dot and the body, so that its receiver knows who sent
// it and that it is new. Dayshift-Id is the same however often a message is
// sent; a receiver that keeps the ones it has seen gets each message once.
//
// It expects the worst of the other side: no redirect is followed, no proxy is
// asked, no cookie is kept, nothing of the answer is shown, and time and size
// are bounded. What may take a message later (429, a status of 500 and above,
// no answer) is told as a notify.RetryError, everything else is final. A
// connection goes where the internet routes it, unless the channel allows
// private addresses; the cloud's metadata service is never reached.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// The bounds of a post.
const (
	// timeout is how long a receiver may take: it has to keep the message, not to work on it.
	timeout = 10 * time.Second
	// maxAnswer is how much of an answer is read, so that the server can finish it; nothing of it is used.
	maxAnswer = 64 << 10
	// maxAfter bounds what Retry-After is read as; an Outbox waits less.
	maxAfter = 24 * time.Hour
)

// The headers of a post.
const (
	// TimestampHeader holds when it was sent, in seconds since 1970.
	TimestampHeader = "Dayshift-Timestamp"
	// SignatureHeader holds v1= and the signature in hex; two with a comma between while a secret is exchanged.
	SignatureHeader = "Dayshift-Signature"
	// IDHeader holds the ID of the message.
	IDHeader = "Dayshift-Id"
)

// Options are what a channel is made of.
type Options struct {
	Name string // of the channel, in the post and in errors
	URL  string
	// Secret signs. Previous, where given, signs too: until every receiver has the new one.
	Secret, Previous string
	Headers          map[string]string // sent along
	// AllowPrivate: its host may be at a private address, and it may be http://.
	AllowPrivate bool
	Version      string           // of the program
	Now          func() time.Time // required
}

// Channel posts messages. Use New.
type Channel struct {
	options  Options
	url      *url.URL
	timeout  time.Duration
	roots    *x509.CertPool // of tests; nil: the machine's
	resolver *net.Resolver  // likewise
}

var _ notify.Sender = (*Channel)(nil)

// New returns the channel, or says what is wrong with its address without showing it.
func New(options Options) (*Channel, error) {
	u, err := outbound.ParseAddress(options.URL, "the https:// address of a webhook")
	switch {
	case err != nil:
		return nil, fmt.Errorf("channel %s: %w", options.Name, err)
	case u.Scheme != "https" && !options.AllowPrivate:
		return nil, fmt.Errorf("channel %s: its address is not encrypted; write https://, or allow_private: true where it leads to a network of your own", options.Name)
	case options.Secret == "":
		return nil, fmt.Errorf("channel %s: it has no secret to sign with", options.Name)
	}
	return &Channel{options: options, url: u, timeout: timeout}, nil
}

// Name implements notify.Sender.
func (c *Channel) Name() string { return c.options.Name }

// post is the body of a post.
type post struct {
	Version int    `json:"version"` // of this form
	Channel string `json:"channel"`
	notify.Message
}

// body is what is posted of a message.
func (c *Channel) body(m notify.Message) ([]byte, error) {
	m.At = m.At.UTC()
	if m.Lines == nil {
		m.Lines = []string{}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(post{Version: 1, Channel: c.options.Name, Message: m}); err != nil {
		return nil, fmt.Errorf("write the message as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Sign returns the signature of a body that is sent at a time, in seconds since 1970.
func Sign(secret string, timestamp int64, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(strconv.AppendInt(nil, timestamp, 10))
	mac.Write([]byte("."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Send implements notify.Sender.
func (c *Channel) Send(ctx context.Context, m notify.Message) error {
	body, err := c.body(m)
	if err != nil {
		return err
	}
	late := fmt.Errorf("no answer within %s", c.timeout)
	within, cancel := context.WithTimeoutCause(ctx, c.timeout, late)
	defer cancel()
	err = c.post(within, m.ID, body)
	var refused *outbound.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
	case ctx.Err() != nil: // the caller's own end
		err = &notify.RetryError{Err: context.Cause(ctx)}
	case within.Err() != nil:
		err = &notify.RetryError{Err: late}
	}
	return fmt.Errorf("post to %s: %w", outbound.Shown(c.url), err)
}

func (c *Channel) post(ctx context.Context, id string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url.String(), bytes.NewReader(body))
	if err != nil {
		return errors.New("the address cannot be posted to") // the error repeats the address
	}
	for name, value := range c.options.Headers {
		req.Header.Set(name, value)
	}
	timestamp := c.options.Now().Unix()
	signatures := []string{Sign(c.options.Secret, timestamp, body)}
	if c.options.Previous != "" {
		signatures = append(signatures, Sign(c.options.Previous, timestamp, body))
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "dayshift/" + c.options.Version,
		TimestampHeader: strconv.FormatInt(timestamp, 10), SignatureHeader: strings.Join(signatures, ","), IDHeader: id,
	} {
		req.Header.Set(name, value)
	}
	// Not an http.Client, which would follow redirects.
	resp, err := c.transport().RoundTrip(req)
	if err != nil {
		var refused *outbound.RefusedError
		if err = outbound.Failure(err); !errors.As(err, &refused) {
			err = &notify.RetryError{Err: err}
		}
		return err
	}
	defer func() { _ = resp.Body.Close() }() // nothing of it is wanted
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	return c.answer(resp)
}

// transport makes a connection for one post: each asks the guard, and none is left open.
func (c *Channel) transport() *http.Transport {
	dialer := outbound.Guard{Private: c.options.AllowPrivate, Web: true, Unless: "its channel has no allow_private: true"}.Dialer()
	dialer.Resolver = c.resolver
	transport := outbound.Transport(dialer.DialContext, c.roots)
	transport.DisableCompression = true // nothing of the answer is read
	return transport
}

// answer says what the status of an answer means.
func (c *Channel) answer(resp *http.Response) error {
	code := resp.StatusCode
	said := fmt.Errorf("it answers with status %d", code)
	switch {
	case code/100 == 2:
		return nil
	case code/100 == 3:
		return fmt.Errorf("%w: redirects are not followed; write the address that it leads to", said)
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		return &notify.RetryError{Err: said, After: retryAfter(resp.Header.Get("Retry-After"), c.options.Now())}
	}
	return said
}

// retryAfter reads the header Retry-After: seconds, or a date. What it cannot read is none.
func retryAfter(text string, now time.Time) time.Duration {
	var after time.Duration
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), maxAfter)
}
