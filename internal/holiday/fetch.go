package holiday

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"dayshift/internal/outbound"
)

// Bounds of a fetch.
const (
	// FetchTimeout is how long one fetch may take, redirects and the last byte included: a calendar of 1 MB comes over a
	// slow line in it, and a timetable of many calendars does not wait on one that hangs.
	FetchTimeout = 20 * time.Second
	// MaxCopy bounds a copy in its JSON form, where marks and quotes take more than their byte; a store keeps no larger object.
	MaxCopy = 2 << 20
	// MaxAddress bounds an address, in bytes.
	MaxAddress = outbound.MaxAddress
	// maxRedirects is how many redirects are followed: http to https, and a move or two.
	maxRedirects = 3
	// maxValidator bounds an ETag or a date of which more would be kept than is needed.
	maxValidator = 512
)

// Copy is the last good content of an address, with what is needed to ask whether it has changed. Its JSON form, with Data
// as text, is what a store keeps.
type Copy struct {
	URL  string // as it was asked for, before redirects
	Data []byte // UTF-8 without control characters, up to MaxBytes; Parse reads it and finds an event
	// Fetched is when Data came, Checked when the server last said that they are what it has.
	Fetched, Checked time.Time
	// ETag and LastModified are the server's words for this content; empty where it gave none.
	ETag, LastModified string
}

// copyJSON is the JSON form of a Copy.
type copyJSON struct {
	URL          string    `json:"url"`
	Data         string    `json:"data"`
	Fetched      time.Time `json:"fetched"`
	Checked      time.Time `json:"checked"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
}

// MarshalJSON implements json.Marshaler; times are in UTC.
func (c Copy) MarshalJSON() ([]byte, error) {
	return json.Marshal(copyJSON{c.URL, string(c.Data), c.Fetched.UTC(), c.Checked.UTC(), c.ETag, c.LastModified})
}

// UnmarshalJSON implements json.Unmarshaler. It refuses what no Fetcher has written: more than MaxCopy, or other than text.
func (c *Copy) UnmarshalJSON(data []byte) error {
	if len(data) > MaxCopy {
		return fmt.Errorf("a kept calendar is %d bytes of JSON, more than %d", len(data), MaxCopy)
	}
	var j copyJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	if err := textual([]byte(j.Data)); err != nil {
		return fmt.Errorf("a kept calendar %w", err)
	}
	*c = Copy{j.URL, []byte(j.Data), j.Fetched, j.Checked, j.ETag, j.LastModified}
	return nil
}

// Age is for how long nobody has known whether the copy is still what the server has: the time since it was fetched or,
// where that is later, last found unchanged. It is never negative.
func Age(c Copy, now time.Time) time.Duration { return max(0, now.Sub(c.Checked)) }

// The distance of fetches.
const (
	// firstRetry is how soon a fetch that failed is tried again; it doubles with every further failure.
	firstRetry = time.Minute
	// maxRetry caps it: an address that is back is found the same day, however long the timetable's step.
	maxRetry = 6 * time.Hour
	// minRefresh is the shortest step of a timetable; shorter ones, and none, count as it.
	minRefresh = time.Minute
)

// Due tells when to fetch next, asked right after an attempt or at any time without failures: a refresh after the copy was
// last checked, at once where there is none; after failures in a row, a minute from now, doubled for each, up to refresh and
// to six hours. A clock that went back does not put it off by more than refresh.
func Due(c Copy, refresh time.Duration, now time.Time, failures int) time.Time {
	refresh = max(refresh, minRefresh)
	if failures > 0 {
		wait, most := firstRetry, min(refresh, maxRetry)
		for ; failures > 1 && wait < most; failures-- {
			wait *= 2
		}
		return now.Add(min(wait, most))
	}
	if c.Checked.IsZero() {
		return now
	}
	checked := c.Checked
	if checked.After(now) {
		checked = now
	}
	return checked.Add(refresh)
}

// Fetcher gets calendars from addresses. Its connections go straight to the server, never through a proxy, as only then the
// address that is connected to is known; it keeps no cookies, sends no credentials and no Referer, and keeps no connection.
// Any number of goroutines may use one.
type Fetcher struct {
	// Private allows addresses of private networks, this machine and others that the internet does not route. It is for
	// addresses that the owner of the machine has written down; anyone else's could reach what only this machine may.
	Private bool
	// Version is the program's, for the User-Agent.
	Version string
	// Now is the clock; required.
	Now func() time.Time
	// Timeout is how long one fetch may take; 0 is FetchTimeout.
	Timeout time.Duration

	roots *x509.CertPool // nil: the machine's
}

// CheckAddress refuses what cannot be the address of a calendar: another scheme than http and https, no host, credentials in
// it. Its error never shows credentials or the path, which is a secret with some providers.
func CheckAddress(address string) error {
	_, err := parseAddress(address)
	return err
}

func parseAddress(address string) (*url.URL, error) {
	if scheme, _, found := strings.Cut(address, "://"); found && strings.EqualFold(scheme, "webcal") {
		return nil, errors.New("the address begins with webcal://; write https:// instead")
	}
	u, err := outbound.ParseAddress(address, "an http:// or https:// address of an iCalendar file (.ics)")
	if err != nil {
		return nil, err
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// Fetch gets the calendar of an address. last is the copy there is, zero for none; where it is one of the same address, the
// server is asked only for what has changed since. The content has to be text that Parse finds an event in before it takes
// the place of the last copy. With an error the answer is last, as it was; the error repeats nothing of what the server sent.
func (f *Fetcher) Fetch(ctx context.Context, address string, last Copy) (Copy, error) {
	u, err := parseAddress(address)
	if err != nil {
		return last, fmt.Errorf("fetch a calendar: %w", err)
	}
	timeout := f.Timeout
	if timeout <= 0 {
		timeout = FetchTimeout
	}
	late := fmt.Errorf("it was not there within %s", timeout)
	within, cancel := context.WithTimeoutCause(ctx, timeout, late)
	defer cancel()
	c, err := f.fetch(within, u, address, last)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil: // the caller's own end
		err = ctx.Err()
	case within.Err() != nil:
		err = late
	}
	return last, fmt.Errorf("fetch the calendar at %s: %w", outbound.Shown(u), err)
}

func (f *Fetcher) fetch(ctx context.Context, u *url.URL, address string, last Copy) (Copy, error) {
	guard := outbound.Guard{Private: f.Private, Unless: "only addresses in the configuration file may lead there"}
	transport := outbound.Transport(guard.Dialer().DialContext, f.roots)
	defer transport.CloseIdleConnections()
	known := last.URL == address && len(last.Data) > 0
	for redirects := 0; ; redirects++ {
		resp, err := f.get(ctx, transport, u, last, known)
		if err != nil {
			return Copy{}, err
		}
		to, moved, err := redirect(u, resp)
		if !moved {
			c, err := f.take(resp, address, last, known)
			_ = resp.Body.Close() // what was wanted of it has been read
			return c, err
		}
		_ = resp.Body.Close()
		switch {
		case err != nil:
			return Copy{}, err
		case redirects == maxRedirects:
			return Copy{}, fmt.Errorf("it redirects more than %d times", maxRedirects)
		}
		u = to
	}
}

// get sends one request. It uses no http.Client, which would follow redirects with a Referer: a path can be a secret.
func (f *Fetcher) get(ctx context.Context, transport *http.Transport, u *url.URL, last Copy, known bool) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("the address cannot be asked for") // the error repeats the address
	}
	req.Header.Set("User-Agent", "dayshift/"+f.Version)
	req.Header.Set("Accept", "text/calendar, */*;q=0.5")
	if known && last.ETag != "" {
		req.Header.Set("If-None-Match", last.ETag)
	}
	if known && last.LastModified != "" {
		req.Header.Set("If-Modified-Since", last.LastModified)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, outbound.Failure(err)
	}
	return resp, nil
}

// redirect gives the target of an answer that is a redirect, checked as the first address was.
func redirect(from *url.URL, resp *http.Response) (to *url.URL, moved bool, err error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, false, nil
	}
	location := resp.Header.Get("Location")
	target, err := url.Parse(location)
	if location == "" || err != nil {
		return nil, true, fmt.Errorf("it redirects (status %d) to no address that can be read", resp.StatusCode)
	}
	to, err = parseAddress(from.ResolveReference(target).String())
	if err != nil {
		return nil, true, fmt.Errorf("it redirects to an address that is refused: %w", err)
	}
	if to.Scheme != "https" && (from.Scheme == "https" || !strings.EqualFold(to.Hostname(), from.Hostname())) {
		return nil, true, fmt.Errorf("it redirects to %s: not followed, as redirects lead to https, or stay at the host with http", outbound.Shown(to))
	}
	return to, true, nil
}

// take turns an answer into a copy.
func (f *Fetcher) take(resp *http.Response, address string, last Copy, known bool) (Copy, error) {
	now := f.Now().UTC()
	switch resp.StatusCode {
	case http.StatusNotModified:
		if !known {
			return Copy{}, errors.New("it answers that nothing has changed (status 304), and was not asked that")
		}
		last.Checked = now
		return last, nil
	case http.StatusOK:
	default:
		return Copy{}, fmt.Errorf("it answers with status %d; open the address in a browser without being signed in", resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxBytes+1))
	switch {
	case len(data) > MaxBytes:
		return Copy{}, fmt.Errorf("it is larger than %d MB", MaxBytes>>20)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Copy{}, errors.New("it broke off before its end")
	case err != nil:
		return Copy{}, outbound.Failure(err)
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	if err := readable(data); err != nil {
		return Copy{}, err
	}
	c := Copy{
		URL: address, Data: data, Fetched: now, Checked: now,
		ETag: validator(resp.Header.Get("ETag")), LastModified: validator(resp.Header.Get("Last-Modified")),
	}
	if kept, err := json.Marshal(c); err != nil || len(kept) > MaxCopy {
		return Copy{}, fmt.Errorf("it is too large to be kept: %d bytes as JSON, more than %d", len(kept), MaxCopy)
	}
	return c, nil
}

// lastLine ends every calendar.
var lastLine = []byte("END:VCALENDAR")

// readable refuses what is no calendar with events, in words that repeat nothing of it.
func readable(data []byte) error {
	if err := textual(data); err != nil {
		return fmt.Errorf("what it sends %w", err)
	}
	days, err := Parse(data, time.UTC, nil)
	if whole := bytes.TrimSpace(data); err == nil && len(days) > 0 && !bytes.EqualFold(whole[max(0, len(whole)-len(lastLine)):], lastLine) {
		err = errNoCalendar // Parse does not mind: a file does not break off on its way
	}
	var event *eventError
	switch {
	case errors.As(err, &event):
		return errors.New("an event of what it sends cannot be read; download it and name it under file: to see which one and why")
	case errors.Is(err, errNoCalendar):
		head := bytes.ToLower(data[:min(len(data), 256)])
		if bytes.Contains(head, []byte("<html")) || bytes.Contains(head, []byte("<!doctype")) {
			return errors.New("it sends a web page, not an iCalendar file (.ics); look there for the address of the calendar itself")
		}
		return errors.New("what it sends is not an iCalendar file (RFC 5545), or not a whole one")
	case err != nil:
		return fmt.Errorf("what it sends cannot be used: %w", err)
	case len(days) == 0:
		return fmt.Errorf("what it sends has no event between %d and %d", FirstYear, LastYear)
	}
	return nil
}

// textual refuses what is not text as iCalendar has it: UTF-8 without control characters but for line breaks and tabs.
func textual(data []byte) error {
	if len(data) > MaxBytes {
		return fmt.Errorf("is larger than %d MB", MaxBytes>>20)
	}
	if !utf8.Valid(data) {
		return errors.New("is not text in UTF-8")
	}
	for _, c := range data {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return errors.New("is not text: it holds control characters")
		}
	}
	return nil
}

// validator keeps an ETag or a date that can be sent back as it came.
func validator(text string) string {
	if len(text) > maxValidator {
		return ""
	}
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return ""
		}
	}
	return text
}
