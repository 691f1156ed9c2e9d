package awssim

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// manual is a clock that a test moves.
type manual struct {
	mu sync.Mutex
	t  time.Time
}

func newManual() *manual { return &manual{t: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)} }

func (m *manual) now() time.Time { m.mu.Lock(); defer m.mu.Unlock(); return m.t }

func (m *manual) pass(d time.Duration) { m.mu.Lock(); defer m.mu.Unlock(); m.t = m.t.Add(d) }

// caller sends hand-built requests to a simulator in process.
type caller struct {
	t       *testing.T
	c       *Cloud
	clock   *manual
	key     string
	token   string
	region  string
	service string
}

func newCaller(t *testing.T, opt Options) *caller {
	t.Helper()
	m := newManual()
	opt.Now = m.now
	if opt.Limits.Table == nil && !opt.Limits.Off {
		opt.Limits.Off = true
	}
	return &caller{t: t, c: New(opt), clock: m, key: "111122223333", region: "us-east-1", service: "ec2"}
}

func (k caller) as(key string) caller    { k.key, k.token = key, ""; return k }
func (k caller) in(region string) caller { k.region = region; return k }
func (k caller) to(service string) caller {
	k.service = service
	return k
}

var versions = map[string]string{"ec2": "2016-11-15", "rds": "2014-10-31", "sts": "2011-06-15"}

// answer is what came back.
type answer struct {
	status int
	body   string
	code   string
	msg    string
	err    error
}

// elements gives the text of every element of a name that holds only text, in
// order. It does not parse: pages are megabytes, and wellFormed checks samples.
func (a answer) elements(name string) []string {
	var out []string
	rest := a.body
	for {
		_, after, ok := strings.Cut(rest, "<"+name+">")
		if !ok {
			return out
		}
		text, next, ok := strings.Cut(after, "</"+name+">")
		if !ok {
			return out
		}
		if strings.Contains(text, "<") {
			rest = after
			continue
		}
		out = append(out, html.UnescapeString(text))
		rest = next
	}
}

func (a answer) element(name string) string {
	if all := a.elements(name); len(all) > 0 {
		return all[0]
	}
	return ""
}

func (k caller) request(form url.Values) *http.Request {
	r, err := http.NewRequest(http.MethodPost, "http://sim/", strings.NewReader(form.Encode()))
	if err != nil {
		k.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/20261120/%s/%s/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", k.key, k.region, k.service))
	if k.token != "" {
		r.Header.Set("X-Amz-Security-Token", k.token)
	}
	return r
}

// call sends an action with parameters given as name, value pairs.
func (k caller) call(action string, pairs ...string) answer {
	k.t.Helper()
	form := url.Values{"Action": {action}, "Version": {versions[k.service]}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return k.send(k.request(form))
}

func (k caller) send(r *http.Request) answer {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	resp, err := k.c.Transport().RoundTrip(r.WithContext(ctx))
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, body: string(body), err: err}
	if resp.StatusCode >= 300 {
		a.code, a.msg = a.element("Code"), a.element("Message")
	}
	if err == nil && len(body) > 0 && len(body) < 100_000 && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/xml") {
		if err := wellFormed(body); err != nil && !bytes.ContainsRune(body, '\uFFFD') {
			a.err = fmt.Errorf("answer is not XML: %w", err)
		}
	}
	return a
}

func wellFormed(b []byte) error {
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (k caller) ok(action string, pairs ...string) answer {
	k.t.Helper()
	a := k.call(action, pairs...)
	if a.err != nil || a.status != 200 {
		k.t.Fatalf("%s %v: status %d %s %s %v", action, pairs, a.status, a.code, a.msg, a.err)
	}
	return a
}

func (k caller) fails(code string, action string, pairs ...string) answer {
	k.t.Helper()
	a := k.call(action, pairs...)
	if a.err != nil || a.code != code || a.status != statusFor(code) {
		k.t.Fatalf("%s %v: got %d %q (%s) %v, want %d %s", action, pairs, a.status, a.code, a.msg, a.err, statusFor(code), code)
	}
	return a
}

// load adds resources to the caller's account and region.
func (k caller) load(rs ...Resource) {
	k.t.Helper()
	for i := range rs {
		if rs[i].Account == "" {
			rs[i].Account = k.key
		}
		if rs[i].Region == "" {
			rs[i].Region = k.region
		}
		if rs[i].Kind == "" {
			rs[i].Kind = "ec2"
		}
	}
	if err := k.c.Load(Fleet{Resources: rs}); err != nil {
		k.t.Fatal(err)
	}
}

// id is the id of the instance with a name.
func (k caller) id(name string) string {
	k.t.Helper()
	for _, i := range k.c.Instances("", "") {
		if i.Name == name {
			return i.ID
		}
	}
	k.t.Fatalf("no instance %q", name)
	return ""
}

func (k caller) state(name string) string {
	k.t.Helper()
	i, ok := k.c.Instance(k.id(name))
	if !ok {
		k.t.Fatalf("no instance %q", name)
	}
	return i.State
}

// ids makes the parameters of a batch.
func ids(list ...string) []string {
	var out []string
	for n, id := range list {
		out = append(out, fmt.Sprintf("InstanceId.%d", n+1), id)
	}
	return out
}
