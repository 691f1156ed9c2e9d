package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

const testAccount = fleet.AccountID("111122223333")

var testScope = fleet.Scope{Account: testAccount, Region: "eu-central-1"}

// wire answers requests with documents written by hand, for what a well-behaved
// server never says. A request it has no answer for fails the test.
type wire struct {
	t       *testing.T
	answers map[string]func(form url.Values) (status int, body string)

	mu    sync.Mutex
	calls []wireCall
}

type wireCall struct {
	action string
	host   string
	form   url.Values // of a request in JSON the whole body under ""
	header http.Header
	at     time.Time
}

func newWire(t *testing.T) *wire {
	return &wire{t: t, answers: map[string]func(url.Values) (int, string){
		"GetCallerIdentity": func(url.Values) (int, string) { return 200, callerIdentity(testAccount) },
	}}
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form := url.Values{"": {string(body)}}
	target, inJSON := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSSM.")
	if !inJSON {
		target, inJSON = strings.CutPrefix(target, "AWSOrganizationsV20161128.")
	}
	action := target
	if !inJSON {
		if form, err = url.ParseQuery(string(body)); err != nil {
			return nil, err
		}
		action = form.Get("Action")
	}
	w.mu.Lock()
	w.calls = append(w.calls, wireCall{action, r.URL.Host, form, r.Header, time.Now()})
	answer := w.answers[action]
	w.mu.Unlock()
	if answer == nil {
		w.t.Errorf("call of %s, which the test does not expect", action)
		return nil, errors.New("not expected")
	}
	status, text := answer(form)
	switch status {
	case reset:
		return nil, &resetError{}
	case hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	header := http.Header{"Content-Type": {"text/xml;charset=UTF-8"}}
	if inJSON {
		header.Set("Content-Type", "application/x-amz-json-1.1")
	}
	if rest, found := strings.CutPrefix(text, "Retry-After: "); found {
		var after string
		after, text, _ = strings.Cut(rest, "\n")
		header.Set("Retry-After", after)
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: header, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
	}, nil
}

// What a transport can do instead of answering.
const (
	reset = -1
	hang  = -2
)

type resetError struct{}

func (*resetError) Error() string {
	return "read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer"
}

func (w *wire) on(action string, answer func(form url.Values) (int, string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[action] = answer
}

// inTurn answers with one after the other and stays with the last.
func (w *wire) inTurn(action string, answers ...func(url.Values) (int, string)) {
	var n int
	w.on(action, func(form url.Values) (int, string) {
		w.mu.Lock()
		i := min(n, len(answers)-1)
		n++
		w.mu.Unlock()
		return answers[i](form)
	})
}

func (w *wire) count(action string) int { return len(w.made(action)) }

func (w *wire) made(action string) []wireCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	var calls []wireCall
	for _, call := range w.calls {
		if call.action == action {
			calls = append(calls, call)
		}
	}
	return calls
}

func answer(status int, body string) func(url.Values) (int, string) {
	return func(url.Values) (int, string) { return status, body }
}

// open makes a Cloud on the wire. change may alter the configuration.
func (w *wire) open(change func(*Config)) *Cloud {
	w.t.Helper()
	config := Config{
		Accounts:    []Account{{ID: testAccount, Regions: []fleet.Region{testScope.Region}}},
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
		Transport:   w,
		Rand:        func() float64 { return 0.5 },
	}
	if change != nil {
		change(&config)
	}
	c, err := New(config)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func callerIdentity(account fleet.AccountID) string {
	return fmt.Sprintf(`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::%s:user/ada</Arn><UserId>AIDA</UserId><Account>%s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, account, account)
}

func ec2Error(code, message string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>r-1</RequestID></Response>`, code, message)
}

func queryError(code, message string) string {
	return fmt.Sprintf(`<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`, code, message)
}

// instancesPage writes an answer of DescribeInstances.
func instancesPage(next string, instances ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId><reservationSet>`)
	for _, instance := range instances {
		b.WriteString(`<item><reservationId>r-0</reservationId><ownerId>111122223333</ownerId><instancesSet><item>` + instance + `</item></instancesSet></item>`)
	}
	b.WriteString(`</reservationSet>`)
	if next != "" {
		b.WriteString(`<nextToken>` + next + `</nextToken>`)
	}
	b.WriteString(`</DescribeInstancesResponse>`)
	return b.String()
}

// instanceXML writes an instance; more is put inside its element.
func instanceXML(id, state, more string) string {
	return `<instanceId>` + id + `</instanceId><instanceState><code>16</code><name>` + state + `</name></instanceState><instanceType>m5.large</instanceType>` +
		`<placement><availabilityZone>eu-central-1a</availabilityZone></placement><launchTime>2027-01-04T08:00:01.000Z</launchTime>` + more
}

func tagsXML(tags ...string) string {
	var b strings.Builder
	b.WriteString("<tagSet>")
	for i := 0; i+1 < len(tags); i += 2 {
		b.WriteString("<item><key>" + tags[i] + "</key><value>" + tags[i+1] + "</value></item>")
	}
	b.WriteString("</tagSet>")
	return b.String()
}

// changesXML is the answer of StartInstances or StopInstances.
func changesXML(action string, ids ...string) string {
	var b strings.Builder
	b.WriteString(`<` + action + `Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId><instancesSet>`)
	for _, id := range ids {
		b.WriteString(`<item><instanceId>` + id + `</instanceId><currentState><code>0</code><name>pending</name></currentState><previousState><code>80</code><name>stopped</name></previousState></item>`)
	}
	b.WriteString(`</instancesSet></` + action + `Response>`)
	return b.String()
}

// acceptAll answers StartInstances or StopInstances by confirming every id.
func acceptAll(action string) func(url.Values) (int, string) {
	return func(form url.Values) (int, string) { return 200, changesXML(action, formIDs(form)...) }
}

func formIDs(form url.Values) []string {
	var ids []string
	for key, values := range form {
		if strings.HasPrefix(key, "InstanceId.") {
			ids = append(ids, values...)
		}
	}
	slices.Sort(ids)
	return ids
}

func batch(ids ...string) []cloud.Target {
	targets := make([]cloud.Target, len(ids))
	for i, id := range ids {
		targets[i] = cloud.Target{Resource: fleet.Resource{Ref: fleet.Ref{Scope: testScope, Kind: fleet.EC2Instance, ID: id}}}
	}
	return targets
}

// many makes n ids.
func many(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("i-%017x", i+1)
	}
	return ids
}

func start(c *Cloud, ids ...string) error {
	return c.Do(context.Background(), testScope, fleet.EC2Instance, fleet.Start, batch(ids...))
}

func list(c *Cloud, kind fleet.Kind, query cloud.Query) ([]fleet.Resource, error) {
	return c.List(context.Background(), testScope, kind, query)
}
