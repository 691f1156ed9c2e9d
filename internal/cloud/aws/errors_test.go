package aws

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/act"
	"dayshift/internal/clock"
	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
)

// classes are the errors of the contract; a refusal is exactly one of them.
var classes = []error{
	cloud.ErrThrottled, cloud.ErrInsufficientCapacity, cloud.ErrNotFound, cloud.ErrWrongState, cloud.ErrUnsupported, cloud.ErrProtected,
	cloud.ErrUnauthorized, cloud.ErrCredentials, cloud.ErrRegionDisabled, cloud.ErrTransient, cloud.ErrInvalid,
}

func wantClass(t *testing.T, err, want error) {
	t.Helper()
	for _, class := range classes {
		if errors.Is(err, class) != (class == want) { //nolint:errorlint // both come from the table
			t.Errorf("%v\nis %q: %v, want %q alone", err, class, errors.Is(err, class), want)
		}
	}
}

func TestEC2RefusalsBecomeErrorsOfTheContract(t *testing.T) {
	a, b, c := "i-0aaaaaaaaaaaaaaa1", "i-0aaaaaaaaaaaaaaa2", "i-0aaaaaaaaaaaaaaa3"
	for _, test := range []struct {
		name, code, message string
		status              int
		want                error
		members             []string
	}{
		{"throttled", "RequestLimitExceeded", "Request limit exceeded.", 503, cloud.ErrThrottled, nil},
		{"throttled in other words", "ThrottlingSomething", "Rate exceeded", 400, cloud.ErrThrottled, nil},
		{"throttled by status", "Whatever", "slow down", 429, cloud.ErrThrottled, nil},
		{"no capacity", "InsufficientInstanceCapacity", "We currently do not have sufficient m5.large capacity in the Availability Zone you requested (eu-central-1a).", 500, cloud.ErrInsufficientCapacity, nil},
		{"no host", "InsufficientHostCapacity", "There is not enough capacity to fulfill your Dedicated Host request.", 500, cloud.ErrInsufficientCapacity, nil},
		{"a capacity error of tomorrow", "InsufficientFusionCapacity", "no", 400, cloud.ErrInsufficientCapacity, nil},
		{"quota of vCPUs", "VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of 32 allows", 400, cloud.ErrInsufficientCapacity, nil},
		{"one is gone", "InvalidInstanceID.NotFound", "The instance ID '" + b + "' does not exist", 400, cloud.ErrNotFound, []string{b}},
		{"two are gone", "InvalidInstanceID.NotFound", "The instance IDs '" + b + ", " + a + "' do not exist", 400, cloud.ErrNotFound, []string{a, b}},
		{"a stranger is gone", "InvalidInstanceID.NotFound", "The instance ID 'i-0ffffffffffffffff' does not exist", 400, cloud.ErrNotFound, nil},
		{"malformed", "InvalidInstanceID.Malformed", `Invalid id: "i-nonsense"`, 400, cloud.ErrNotFound, []string{"i-nonsense"}},
		{"wrong state", "IncorrectInstanceState", "The instance '" + c + "' is not in a state from which it can be started.", 400, cloud.ErrWrongState, []string{c}},
		{"wrong state of a volume", "IncorrectState", "Instance '" + a + "' cannot be started: volume vol-1 is gone", 400, cloud.ErrWrongState, []string{a}},
		{"named twice, reported once", "IncorrectInstanceState", a + " " + a, 400, cloud.ErrWrongState, []string{a}},
		{"an id inside a longer word is not it", "IncorrectInstanceState", "x" + a + "b", 400, cloud.ErrWrongState, nil},
		{"unsupported", "UnsupportedOperation", "You can't stop the Spot Instance '" + a + "' because it is associated with a one-time Spot Instance request.", 400, cloud.ErrUnsupported, []string{a}},
		{"no hibernation", "UnsupportedHibernationConfiguration", "Instance " + a + " is not configured for hibernation.", 400, cloud.ErrUnsupported, []string{a}},
		{"stop protection", "OperationNotPermitted", "The instance '" + b + "' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.", 400, cloud.ErrProtected, []string{b}},
		{"no permission", "UnauthorizedOperation", "You are not authorized to perform this operation. User: u is not authorized to perform: ec2:StartInstances on resource: instance/" + a, 403, cloud.ErrUnauthorized, nil},
		{"region not enabled", "AuthFailure", "AWS was not able to validate the provided access credentials", 401, cloud.ErrRegionDisabled, nil},
		{"opt in", "OptInRequired", "You are not subscribed to this service.", 401, cloud.ErrRegionDisabled, nil},
		{"bad signature", "SignatureDoesNotMatch", "The request signature we calculated does not match", 403, cloud.ErrCredentials, nil},
		{"expired for good", "ExpiredToken", "The security token included in the request is expired", 400, cloud.ErrCredentials, nil},
		{"clock", "RequestExpired", "Request has expired.", 400, cloud.ErrCredentials, nil},
		{"internal", "InternalError", "An internal error has occurred", 500, cloud.ErrTransient, nil},
		{"unavailable", "Unavailable", "The server is overloaded and can't handle the request.", 503, cloud.ErrTransient, nil},
		{"an unknown 500", "Mystery", "?", 500, cloud.ErrTransient, nil},
		{"an unknown 403", "Mystery", "?", 403, cloud.ErrUnauthorized, nil},
		{"an unknown 400", "Mystery", "?", 400, cloud.ErrInvalid, nil},
		{"invalid parameter naming one", "InvalidParameterValue", "bad value for " + a, 400, cloud.ErrInvalid, []string{a}},
		{"no code at all", "", "", 400, cloud.ErrTransient, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWire(t)
			w.on("StartInstances", answer(test.status, ec2Error(test.code, test.message)))
			err := start(w.open(nil), a, b, c, "i-nonsense")
			wantClass(t, err, test.want)
			var member *cloud.MemberError
			if errors.As(err, &member) != (test.members != nil) || member != nil && !slices.Equal(member.IDs, test.members) {
				t.Errorf("%v\nnames %v, want %v", err, member, test.members)
			}
			most := 1
			if slices.Contains(expiredCodes, test.code) {
				most = 2 // once more with new credentials
			}
			if n := w.count("StartInstances"); n > most {
				t.Errorf("%d calls: a call that changes something is not repeated", n)
			}
		})
	}
}

func TestRDSRefusalsBecomeErrorsOfTheContract(t *testing.T) {
	for _, test := range []struct {
		code, message string
		status        int
		want          error
		member        bool
	}{
		{"InvalidDBInstanceState", "Instance shop-db is not in available state.", 400, cloud.ErrWrongState, true},
		{"InvalidDBClusterStateFault", "shop-db is a member of a cluster", 400, cloud.ErrUnsupported, true},
		{"DBInstanceNotFound", "DBInstance shop-db not found.", 404, cloud.ErrNotFound, true},
		{"InsufficientDBInstanceCapacity", "Specified DB instance class is not available", 400, cloud.ErrInsufficientCapacity, true},
		{"StorageQuotaExceeded", "quota", 400, cloud.ErrInsufficientCapacity, true},
		{"KMSKeyNotAccessibleFault", "The specified KMS key is disabled", 400, cloud.ErrWrongState, true},
		{"Throttling", "Rate exceeded", 400, cloud.ErrThrottled, false},
		{"ThrottlingException", "Rate exceeded", 400, cloud.ErrThrottled, false},
		{"AccessDenied", "User: u is not authorized to perform: rds:StopDBInstance", 403, cloud.ErrUnauthorized, false},
		{"InvalidClientTokenId", "The security token included in the request is invalid.", 403, cloud.ErrRegionDisabled, false},
		{"InternalFailure", "?", 500, cloud.ErrTransient, false},
	} {
		t.Run(test.code, func(t *testing.T) {
			w := newWire(t)
			w.on("StopDBInstance", answer(test.status, queryError(test.code, test.message)))
			database := cloud.Target{Resource: fleet.Resource{Ref: fleet.Ref{Scope: testScope, Kind: fleet.RDSInstance, ID: "shop-db"}}}
			err := w.open(nil).Do(t.Context(), testScope, fleet.RDSInstance, fleet.Stop, []cloud.Target{database})
			wantClass(t, err, test.want)
			var member *cloud.MemberError
			if errors.As(err, &member) != test.member || test.member && !slices.Equal(member.IDs, []string{"shop-db"}) {
				t.Errorf("%v names %v", err, member)
			}
		})
	}
}

func TestARefusalReadsLikeASentenceAndKeepsToOneLine(t *testing.T) {
	w := newWire(t)
	w.on("StopInstances", answer(403, ec2Error("UnauthorizedOperation",
		"You are not authorized to perform this operation. Encoded authorization failure message: "+strings.Repeat("c2VjcmV0", 100)+"\nFAKE LOG LINE\u202e "+strings.Repeat("x", 5000))))
	err := w.open(nil).Do(t.Context(), testScope, fleet.EC2Instance, fleet.Stop, batch("i-0aaaaaaaaaaaaaaa1", "i-0aaaaaaaaaaaaaaa2"))
	text := err.Error()
	if !strings.HasPrefix(text, "ec2:StopInstances in 111122223333/eu-central-1: not authorized: the permission ec2:StopInstances is missing") {
		t.Error(text)
	}
	if strings.ContainsAny(text, "\n\u202e") || strings.Contains(text, "c2VjcmV0") || len(text) > 2*textBound {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

func TestAWSMaySayWhenToComeBack(t *testing.T) {
	for header, want := range map[string]time.Duration{"7": 7 * time.Second, "0": 0, "-1": 0, "soon": 0, "": 0, "999999": longestRetryAfter} {
		w := newWire(t)
		w.on("StartInstances", answer(503, "Retry-After: "+header+"\n"+ec2Error("RequestLimitExceeded", "Request limit exceeded.")))
		err := start(w.open(nil), "i-0aaaaaaaaaaaaaaa1")
		var after cloud.RetryAfter
		if !errors.As(err, &after) || after.RetryAfter() != want {
			t.Errorf("Retry-After %q: %v, want %v", header, after.RetryAfter(), want)
		}
	}
}

func TestAnAnswerThatLeavesMembersOutIsReported(t *testing.T) {
	w := newWire(t)
	w.on("StartInstances", answer(200, changesXML("StartInstances", "i-0aaaaaaaaaaaaaaa1", "i-0ffffffffffffffff")))
	err := start(w.open(nil), "i-0aaaaaaaaaaaaaaa1", "i-0aaaaaaaaaaaaaaa2")
	var partial *cloud.PartialError
	if !errors.As(err, &partial) || !slices.Equal(partial.IDs, []string{"i-0aaaaaaaaaaaaaaa2"}) {
		t.Fatalf("%v", err)
	}
	wantClass(t, err, cloud.ErrTransient)
	w.on("StartInstances", answer(200, changesXML("StartInstances")))
	if err := start(w.open(nil), "i-0aaaaaaaaaaaaaaa1"); !errors.As(err, &partial) {
		t.Errorf("an answer that names nobody: %v", err)
	}
}

// From AWS's answer to the outcomes: what it confirmed is done, what it left out
// is sent again, alone.
func TestWhatAWSDoesNotConfirmIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const first, second, third = "i-0aaaaaaaaaaaaaaa1", "i-0aaaaaaaaaaaaaaa2", "i-0aaaaaaaaaaaaaaa3"
		w := newWire(t)
		w.inTurn("StartInstances",
			answer(200, changesXML("StartInstances", first, third)),
			acceptAll("StartInstances"))
		// Until the second call the second instance shows what it was.
		w.on("DescribeInstances", func(url.Values) (int, string) {
			return 200, instancesPage("", instanceXML(second, "stopped", ""))
		})
		var actions []plan.Action
		for _, target := range batch(first, second, third) {
			resource := target.Resource
			resource.State, resource.SeenAt = fleet.Stopped, time.Now()
			actions = append(actions, plan.Action{Decision: decide.Decision{Resource: resource, Verb: fleet.Start}})
		}
		stage := act.Stage{Cloud: w.open(nil), Clock: clock.Real{}}
		var mu sync.Mutex
		got := map[string][]plan.Status{}
		stage.Run(t.Context(), actions, func(outcomes []plan.Outcome) {
			mu.Lock()
			defer mu.Unlock()
			for _, outcome := range outcomes {
				id := outcome.Action.Resource.ID
				got[id] = append(got[id], outcome.Status)
			}
		}, nil)
		accepted := []plan.Status{plan.Accepted}
		if diff := cmp.Diff(map[string][]plan.Status{first: accepted, second: accepted, third: accepted}, got); diff != "" {
			t.Error(diff)
		}
		var sent [][]string
		for _, call := range w.made("StartInstances") {
			sent = append(sent, formIDs(call.form))
		}
		if diff := cmp.Diff([][]string{{first, second, third}, {second}}, sent); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheOneWhoAskedEndsACall(t *testing.T) {
	w := newWire(t)
	w.on("StartInstances", answer(hang, ""))
	w.on("StopInstances", acceptAll("StopInstances"))
	reason := errors.New("shutting down")
	c := w.open(nil)
	for _, after := range []time.Duration{0, 20 * time.Millisecond} { // before the credentials are there, and during the call
		ctx, cancel := context.WithCancelCause(t.Context())
		if after == 0 {
			cancel(reason)
		} else {
			time.AfterFunc(after, func() { cancel(reason) })
		}
		err := c.Do(ctx, testScope, fleet.EC2Instance, fleet.Start, batch("i-0aaaaaaaaaaaaaaa1"))
		if !errors.Is(err, reason) {
			t.Errorf("%v, want the reason of the one who asked", err)
		}
		wantClass(t, err, nil)
		if err := c.Do(t.Context(), testScope, fleet.EC2Instance, fleet.Stop, batch("i-0aaaaaaaaaaaaaaa1")); err != nil {
			t.Errorf("the next one, who did not give up: %v", err)
		}
	}
}

func FuzzRootElement(f *testing.F) {
	for _, seed := range []string{
		"", "<", "<?", "<?xml version='1.0'?>", "<!-- a --><StartInstancesResponse xmlns='x'>", "<html><body>", "<!DOCTYPE html><html>",
		"\xef\xbb\xbf<DescribeInstancesResponse/>", "{}", "<!--", "<a", "<?xml?><?xml?>  <b>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		if name := rootElement(head); strings.ContainsAny(name, " \t\r\n/>") {
			t.Errorf("%q", name)
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add("Encoded authorization failure message: abc def")
	f.Add("a\nb\x00\x1b[0m\u202e")
	f.Add(strings.Repeat("é", 3000))
	f.Fuzz(func(t *testing.T, message string) {
		got := clean(message)
		if strings.ContainsAny(got, "\n\r\x00\x1b") || len([]rune(got)) > textBound+1 {
			t.Errorf("%q", got)
		}
	})
}
