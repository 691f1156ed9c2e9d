package aws

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
)

func simFunctions() awssim.Fleet {
	account, region := string(hub), string(testScope.Region)
	return awssim.Fleet{Functions: []awssim.Function{
		{Account: account, Region: region, Name: "warm", Answer: `{"ok": true}`, Duration: awssim.Duration(20 * time.Second)},
		{Account: account, Region: region, Name: "silent"},
		{Account: account, Region: region, Name: "broken", Error: "the queue is not empty"},
	}}
}

func TestInvoke(t *testing.T) {
	arn := "arn:aws:lambda:eu-central-1:111122223333:function:warm"
	for _, test := range []struct {
		name, function string
		payload        string
		timeout        time.Duration
		fault          *awssim.Fault
		answer         string
		fails          error
	}{
		{name: "by name", function: "warm", payload: `{"tier":"web"}`, timeout: time.Minute, answer: `{"ok": true}`},
		{name: "by ARN", function: arn, payload: `[1]`, timeout: time.Minute, answer: `{"ok": true}`},
		{name: "without a payload", function: "silent", timeout: time.Minute, answer: "null"},
		{name: "no such function", function: "ghost", timeout: time.Minute, fails: cloud.ErrNotFound},
		{name: "no name", timeout: time.Minute, fails: cloud.ErrInvalid},
		{name: "no time", function: "warm", fails: cloud.ErrInvalid},
		{name: "too much time", function: "warm", timeout: time.Hour, fails: cloud.ErrInvalid},
		{name: "a payload that is not JSON", function: "warm", payload: "{", timeout: time.Minute, fails: cloud.ErrInvalid},
		{name: "not permitted", function: "warm", timeout: time.Minute, fault: &awssim.Fault{Kind: awssim.FaultDenied}, fails: cloud.ErrUnauthorized},
		{name: "throttled for a while", function: "silent", timeout: time.Minute, fault: &awssim.Fault{Kind: awssim.FaultThrottle, Count: 4}, answer: "null"},
		{name: "longer than its time", function: "warm", timeout: 5 * time.Second, fails: cloud.ErrTransient},
		{name: "a page of a proxy", function: "warm", timeout: time.Minute, fault: &awssim.Fault{Kind: awssim.FaultHTML, Status: 200}, fails: cloud.ErrTransient},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, sim := simulateFleet(t, awssim.Options{}, simFunctions(), nil)
				if test.fault != nil {
					test.fault.Service = "lambda"
					if err := sim.SetFaults([]awssim.Fault{*test.fault}); err != nil {
						t.Fatal(err)
					}
				}
				got, err := c.Invoke(t.Context(), testScope, test.function, []byte(test.payload), test.timeout)
				if string(got) != test.answer || !errors.Is(err, test.fails) {
					t.Errorf("%q %v", got, err)
				}
				if test.payload != "" && test.fails == nil && !slices.Equal(sim.Payloads(string(hub), "eu-central-1", "warm"), []string{test.payload}) {
					t.Errorf("it was called with %q", sim.Payloads(string(hub), "eu-central-1", "warm"))
				}
			})
		})
	}
}

func TestAFunctionThatFailsSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := simulateFleet(t, awssim.Options{}, simFunctions(), nil)
		_, err := c.Invoke(t.Context(), testScope, "broken", nil, time.Minute)
		if failed := (*cloud.FunctionError)(nil); !errors.As(err, &failed) || !strings.Contains(failed.Payload, "the queue is not empty") {
			t.Errorf("%v", err)
		}
	})
}

// A function may have run when its answer is lost: who asked decides what then.
func TestAFunctionIsNotCalledTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sim := simulateFleet(t, awssim.Options{}, simFunctions(), nil)
		if err := sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultReset, Service: "lambda", Applied: true, Count: 1}}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Invoke(t.Context(), testScope, "silent", []byte("1"), time.Minute); !errors.Is(err, cloud.ErrTransient) {
			t.Error(err)
		}
		if n := len(sim.Payloads(string(hub), "eu-central-1", "silent")); n != 1 {
			t.Errorf("called %d times", n)
		}
		late := cloud.WithPermit(t.Context(), func() error { return errors.New("the lease has ended") })
		if _, err := c.Invoke(late, testScope, "silent", nil, time.Minute); !errors.Is(err, cloud.ErrNotPermitted) {
			t.Errorf("without a permit: %v", err)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Invoke(cancelled, testScope, "silent", nil, time.Minute); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if n := len(sim.Payloads(string(hub), "eu-central-1", "silent")); n != 1 {
			t.Errorf("called %d times", n)
		}
	})
}

func TestPublish(t *testing.T) {
	const topic = "arn:aws:sns:eu-central-1:111122223333:dayshift-shop"
	synctest.Test(t, func(t *testing.T) {
		c, sim := simulateFleet(t, awssim.Options{}, awssim.Fleet{Topics: []awssim.Topic{
			{Account: string(hub), Region: "eu-central-1", Name: "dayshift-shop"},
			{Account: string(hub), Region: "sa-east-1", Name: "far"},
			{Account: string(spoke), Region: "us-east-1", Name: "theirs"},
		}}, nil)
		for _, test := range []struct {
			topic, subject, message string
			shown                   string
			fails                   error
		}{
			{topic, "Info: shop was started", "all 12 are healthy", "Info: shop was started", nil},
			{topic, "", "without a subject", "", nil},
			{topic, "  상점\nis down " + strings.Repeat("x", 200), "한국어", "상점 is down " + strings.Repeat("x", 88), nil},
			{topic, "long", strings.Repeat("ä", 200_000), "long", nil},
			{"arn:aws:sns:sa-east-1:111122223333:far", "in a region that is not configured", "m", "in a region that is not configured", nil},
			{"arn:aws:sns:us-east-1:444455556666:theirs", "by a role", "m", "by a role", nil},
			{topic + "-ghost", "s", "m", "", cloud.ErrNotFound},
			{topic, "s", "", "", cloud.ErrInvalid},
			{"arn:aws:sns:eu-central-1:999999999999:dayshift-shop", "s", "m", "", cloud.ErrInvalid},
			{"arn:aws-cn:sns:cn-north-1:111122223333:dayshift-shop", "s", "m", "", cloud.ErrInvalid},
			{"dayshift-shop", "s", "m", "", cloud.ErrInvalid},
		} {
			before := len(sim.Published())
			err := c.Publish(t.Context(), test.topic, test.subject, test.message)
			if !errors.Is(err, test.fails) {
				t.Errorf("%s %q: %v", test.topic, test.subject, err)
				continue
			}
			all := sim.Published()
			if test.fails != nil {
				if len(all) != before {
					t.Errorf("%s: %v, and published all the same", test.topic, err)
				}
				continue
			}
			got := all[len(all)-1]
			if got.Topic != test.topic || got.Subject != test.shown || !strings.HasPrefix(test.message, got.Message) || len(got.Message) < min(len(test.message), messageMost)-3 {
				t.Errorf("%q: %q, %d bytes", test.subject, got.Subject, len(got.Message))
			}
		}
		if err := sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultThrottle, Service: "sns", Count: 3}}); err != nil {
			t.Fatal(err)
		}
		if err := c.Publish(t.Context(), topic, "Scheduler Throttling detected", "m"); err != nil {
			t.Errorf("throttled for a while: %v", err)
		}
		if err := sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultDenied, Service: "sns"}}); err != nil {
			t.Fatal(err)
		}
		if err := c.Publish(t.Context(), topic, "s", "m"); !errors.Is(err, cloud.ErrUnauthorized) || !strings.Contains(err.Error(), "sns:Publish") {
			t.Errorf("not allowed: %v", err)
		}
	})
}

func TestPutEvent(t *testing.T) {
	const bus = "arn:aws:events:eu-central-1:111122223333:event-bus/default"
	synctest.Test(t, func(t *testing.T) {
		c, sim := simulateFleet(t, awssim.Options{}, awssim.Fleet{}, nil)
		event := cloud.BusEvent{Source: "dayshift", DetailType: "Dayshift failed", Detail: `{"title":"서울 <now>"}`, At: time.Now()}
		for bus, fails := range map[string]error{
			bus: nil,
			"arn:aws:events:sa-east-1:111122223333:event-bus/default": nil, // a region that is not configured
			"arn:aws:events:us-east-1:444455556666:event-bus/default": nil, // by a role
			bus + "-ghost": cloud.ErrNotFound,
			"arn:aws:events:eu-central-1:999999999999:event-bus/default":  cloud.ErrInvalid,
			"arn:aws-cn:events:cn-north-1:111122223333:event-bus/default": cloud.ErrInvalid,
			"arn:aws:events:nowhere:111122223333:event-bus/default":       cloud.ErrInvalid,
			"default": cloud.ErrInvalid,
		} {
			before := len(sim.PutEvents())
			err := c.PutEvent(t.Context(), bus, event)
			all := sim.PutEvents()
			if !errors.Is(err, fails) || fails == nil && err != nil || fails != nil && len(all) != before {
				t.Errorf("%s: %v", bus, err)
			} else if fails == nil {
				got := all[len(all)-1]
				if len(all) != before+1 || got.Bus != bus || got.Source != event.Source || got.DetailType != event.DetailType || string(got.Detail) != event.Detail {
					t.Errorf("%s: %+v", bus, got)
				}
			}
		}
		bad := event
		bad.Detail = "no object"
		if err := c.PutEvent(t.Context(), bus, bad); !errors.Is(err, cloud.ErrInvalid) || !strings.Contains(err.Error(), "MalformedDetail") {
			t.Errorf("an entry that fails: %v", err)
		}
		bad.Detail = `{"x":"` + strings.Repeat("x", eventMost) + `"}`
		if err := c.PutEvent(t.Context(), bus, bad); !errors.Is(err, cloud.ErrInvalid) || !strings.Contains(err.Error(), "262144 are taken") {
			t.Errorf("too large: %v", err)
		}
		if err := sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultThrottle, Service: "events", Count: 3}}); err != nil {
			t.Fatal(err)
		}
		if err := c.PutEvent(t.Context(), bus, event); err != nil {
			t.Errorf("throttled for a while: %v", err)
		}
		if err := sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultDenied, Service: "events"}}); err != nil {
			t.Fatal(err)
		}
		if err := c.PutEvent(t.Context(), bus, event); !errors.Is(err, cloud.ErrUnauthorized) || !strings.Contains(err.Error(), "events:PutEvents") {
			t.Errorf("not allowed: %v", err)
		}
	})
}

// The key of an encrypted topic has bounds and a policy of its own.
func TestRefusalsOfTheKeyOfATopic(t *testing.T) {
	for code, want := range map[string]error{
		"KMSThrottling": cloud.ErrThrottled, "KMSAccessDenied": cloud.ErrUnauthorized, "KMSNotFound": cloud.ErrWrongState, "KMSDisabled": cloud.ErrWrongState, "KMSInvalidState": cloud.ErrWrongState,
		"KMSOptInRequired": cloud.ErrUnauthorized,
	} {
		status := http.StatusBadRequest
		if code == "KMSOptInRequired" {
			status = http.StatusForbidden
		}
		if got := classify(code, status); !errors.Is(got, want) {
			t.Errorf("%s: %v", code, got)
		}
	}
}
