package awssim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func (k caller) faults(list ...Fault) {
	k.t.Helper()
	if err := k.c.SetFaults(list); err != nil {
		k.t.Fatal(err)
	}
}

func TestFaultsOfTheAnswer(t *testing.T) {
	for _, tc := range []struct {
		kind   FaultKind
		fault  Fault
		status int
		code   string
		check  func(answer) bool
	}{
		{FaultError, Fault{Code: "InternalError", Message: "oops"}, 500, "InternalError", func(a answer) bool { return a.msg == "oops" }},
		{FaultError, Fault{Code: "Unavailable", Status: 418}, 418, "Unavailable", nil},
		{FaultThrottle, Fault{}, 503, "RequestLimitExceeded", nil},
		{FaultDenied, Fault{}, 403, "UnauthorizedOperation", func(a answer) bool { return strings.Contains(a.msg, "ec2:DescribeInstances") }},
		{FaultNotOptedIn, Fault{}, 401, "AuthFailure", nil},
		{FaultErrorIn200, Fault{Code: "InternalError"}, 200, "", func(a answer) bool { return strings.Contains(a.body, "<Code>InternalError</Code>") }},
		{FaultHTML, Fault{}, 502, "", func(a answer) bool { return strings.HasPrefix(a.body, "<html>") }},
		{FaultEmpty, Fault{}, 200, "", func(a answer) bool { return a.body == "" }},
		{FaultGarbage, Fault{}, 200, "", func(a answer) bool { return !strings.Contains(a.body, "reservationSet") && len(a.body) > 1000 }},
		{FaultReset, Fault{}, 0, "", func(a answer) bool { return errors.Is(a.err, syscall.ECONNRESET) }},
		{FaultUnreachable, Fault{}, 0, "", func(a answer) bool { return errors.Is(a.err, syscall.ECONNREFUSED) }},
		{FaultCut, Fault{}, 200, "", func(a answer) bool {
			return errors.Is(a.err, io.ErrUnexpectedEOF) && strings.Contains(a.body, "reservationSet")
		}},
	} {
		t.Run(string(tc.kind), func(t *testing.T) {
			k := newCaller(t, Options{})
			k.load(Resource{Name: "web"})
			f := tc.fault
			f.Kind = tc.kind
			k.faults(f)
			a := k.call("DescribeInstances")
			if a.status != tc.status || a.code != tc.code {
				t.Errorf("got %d %q %v", a.status, a.code, a.err)
			}
			if tc.check != nil && !tc.check(a) {
				t.Errorf("got %v %q", a.err, a.body)
			}
			log := k.c.Calls()
			if len(log) != 1 || log[0].Fault != string(tc.kind) {
				t.Errorf("log %+v", log)
			}
			k.faults()
			k.ok("DescribeInstances")
		})
	}
}

func TestAnAppliedFaultHidesThatTheActionWorked(t *testing.T) {
	for _, f := range []Fault{{Kind: FaultReset}, {Kind: FaultError, Code: "InternalError"}, {Kind: FaultCut}, {Kind: FaultEmpty}} {
		k := newCaller(t, Options{})
		k.load(Resource{Name: "web"})
		f.Applied, f.Action = f.Kind != FaultCut, "StopInstances"
		k.faults(f)
		if a := k.call("StopInstances", ids(k.id("web"))...); a.err == nil && a.status == 200 && strings.Contains(a.body, "</StopInstancesResponse>") {
			t.Errorf("%s: the answer came through: %s", f.Kind, a.body)
		}
		if s := k.state("web"); s != "stopping" {
			t.Errorf("%s: the instance is %s", f.Kind, s)
		}
		// Without applied, nothing happens.
		if f.Kind == FaultCut {
			continue
		}
		f.Applied, f.Action = false, "TerminateInstances"
		k.faults(f)
		k.call("TerminateInstances", ids(k.id("web"))...)
		if s := k.state("web"); s != "stopping" {
			t.Errorf("%s: the instance is %s", f.Kind, s)
		}
	}
}

func TestFaultsStrikeWhomTheyName(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "a"}, Resource{Name: "b"})
	hits := func(f Fault, calls ...func() answer) (out []bool) {
		f.Kind, f.Code = FaultError, "InternalError"
		k.faults(f)
		for _, c := range calls {
			out = append(out, c().code == "InternalError")
		}
		return out
	}
	list := func() answer { return k.call("DescribeInstances") }
	if got := hits(Fault{Service: "rds"}, list, func() answer { return k.to("rds").call("DescribeDBInstances") }); !slices.Equal(got, []bool{false, true}) {
		t.Errorf("service: %v", got)
	}
	if got := hits(Fault{Action: "Describe*"}, list, func() answer { return k.call("StopInstances", ids(k.id("a"))...) }); !slices.Equal(got, []bool{true, false}) {
		t.Errorf("action: %v", got)
	}
	if got := hits(Fault{Account: "222233334444"}, list, func() answer { return k.as("222233334444").call("DescribeInstances") }); !slices.Equal(got, []bool{false, true}) {
		t.Errorf("account: %v", got)
	}
	if got := hits(Fault{Region: "eu-*"}, list, func() answer { return k.in("eu-west-1").call("DescribeInstances") }); !slices.Equal(got, []bool{false, true}) {
		t.Errorf("region: %v", got)
	}
	if got := hits(Fault{Resource: k.id("b")}, list, func() answer { return k.call("DescribeInstances", ids(k.id("a"), k.id("b"))...) }); !slices.Equal(got, []bool{false, true}) {
		t.Errorf("resource: %v", got)
	}
	if got := hits(Fault{Skip: 1, Count: 2}, list, list, list, list); !slices.Equal(got, []bool{false, true, true, false}) {
		t.Errorf("skip and count: %v", got)
	}
	if f := k.c.Faults(); f[0].Hits != 2 {
		t.Errorf("hits %d", f[0].Hits)
	}
	n := 0
	for _, hit := range hits(Fault{Probability: 0.25}, slices.Repeat([]func() answer{list}, 400)...) {
		if hit {
			n++
		}
	}
	if n < 70 || n > 130 {
		t.Errorf("probability 0.25 hit %d of 400", n)
	}
	got := hits(Fault{From: When{After: time.Minute}, Until: When{At: k.c.Start().Add(2 * time.Minute)}}, list,
		func() answer { k.clock.pass(time.Minute); return list() }, func() answer { k.clock.pass(time.Minute); return list() })
	if !slices.Equal(got, []bool{false, true, false}) {
		t.Errorf("from and until: %v", got)
	}
}

func TestFaultsOfStarting(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "web", State: "stopped"}, Resource{Name: "kms", State: "stopped"}, Resource{Name: "own", State: "stopped", StartError: "Client.InternalError"},
		Resource{Name: "big", State: "stopped", Type: "c5.large", Zone: "us-east-1a"})
	k.faults(Fault{Kind: FaultFallBack, Resource: "kms", Code: "Client.InvalidKMSKey.InvalidState", Message: "The KMS key provided is in an incorrect state"},
		Fault{Kind: FaultCannotStart, Resource: k.id("web")}, Fault{Kind: FaultCapacity, Type: "c5.*", Zone: "us-east-1a"})

	k.ok("StartInstances", ids(k.id("kms"), k.id("own"))...)
	if s := k.state("kms"); s != "pending" {
		t.Errorf("right after the start: %s", s)
	}
	k.clock.pass(10 * time.Second)
	for name, reason := range map[string]string{"kms": "Client.InvalidKMSKey.InvalidState", "own": "Client.InternalError"} {
		i, _ := k.c.Instance(k.id(name))
		if i.State != "stopped" || i.Reason != reason {
			t.Errorf("%s fell back to %s, %s", name, i.State, i.Reason)
		}
		if d := k.ok("DescribeInstances", ids(k.id(name))...); d.element("reason") != reason || !strings.Contains(d.body, "<stateReason><code>"+reason) {
			t.Errorf("%s shows %s", name, d.body)
		}
	}
	a := k.fails("IncorrectInstanceState", "StartInstances", ids(k.id("kms"), k.id("web"))...)
	if !strings.Contains(a.msg, k.id("web")) {
		t.Errorf("the refusal does not name the instance: %s", a.msg)
	}
	k.fails("InsufficientInstanceCapacity", "StartInstances", ids(k.id("big"))...)
}

func TestAnInstanceThatFailsItsChecks(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "web", State: "stopped"}, Resource{Name: "other", State: "running"})
	k.faults(Fault{Kind: FaultImpaired, Resource: "web", Until: When{After: 10 * time.Minute}})
	k.ok("StartInstances", ids(k.id("web"))...)
	k.clock.pass(5 * time.Minute)
	if got := k.ok("DescribeInstanceStatus", ids(k.id("web"))...); !slices.Equal(got.elements("status"), []string{"ok", "passed", "impaired", "failed"}) || got.element("impairedSince") == "" {
		t.Errorf("its checks: %s", got.body)
	}
	if got := k.ok("DescribeInstanceStatus", ids(k.id("other"))...).elements("status"); !slices.Equal(got, []string{"ok", "passed", "ok", "passed"}) {
		t.Errorf("another's: %v", got)
	}
	for filter, want := range map[string]string{"instance-status.status": k.id("web"), "instance-status.reachability": k.id("web"), "system-status.status": ""} {
		value := map[bool]string{true: "failed", false: "impaired"}[strings.HasSuffix(filter, "reachability")]
		if got := k.ok("DescribeInstanceStatus", "Filter.1.Name", filter, "Filter.1.Value.1", value).element("instanceId"); got != want {
			t.Errorf("%s=%s: %q, want %q", filter, value, got, want)
		}
	}
	k.clock.pass(10 * time.Minute)
	if got := k.ok("DescribeInstanceStatus", ids(k.id("web"))...).elements("status"); !slices.Equal(got, []string{"ok", "passed", "ok", "passed"}) {
		t.Errorf("later: %v", got)
	}
}

func TestFaultsOfListings(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "web-##", Count: 30})
	list := func(pairs ...string) answer { return k.ok("DescribeInstances", append(pairs, "MaxResults", "10")...) }

	k.faults(Fault{Kind: FaultMissing, Resource: "web-03"})
	if n := len(list().elements("instanceId")); n != 9 {
		t.Errorf("a page without its third item holds %d", n)
	}
	k.faults(Fault{Kind: FaultDuplicate, Resource: "web-03"})
	if got := list().elements("instanceId"); len(got) != 11 || got[10] != k.id("web-03") {
		t.Errorf("a page with an item twice holds %d", len(got))
	}
	k.faults(Fault{Kind: FaultTokenLoop})
	tok := list().element("nextToken")
	if again := list("NextToken", tok).element("nextToken"); again != tok {
		t.Error("the token does not loop")
	}
	k.faults(Fault{Kind: FaultTokenExpire})
	tok = list().element("nextToken")
	k.fails("InvalidNextToken", "DescribeInstances", "MaxResults", "10", "NextToken", tok)

	k.faults(Fault{Kind: FaultShortPages})
	seen, sizes, tok := map[string]bool{}, map[int]bool{}, ""
	for pages := 0; ; pages++ {
		if pages > 200 {
			t.Fatal("uneven pages do not end")
		}
		var pairs []string
		if tok != "" {
			pairs = []string{"NextToken", tok}
		}
		a := list(pairs...)
		sizes[len(a.elements("instanceId"))] = true
		for _, id := range a.elements("instanceId") {
			seen[id] = true
		}
		if tok = a.element("nextToken"); tok == "" {
			break
		}
	}
	if len(seen) != 30 || len(sizes) < 2 {
		t.Errorf("uneven pages hold %d instances in sizes %v", len(seen), sizes)
	}

	k.faults()
	k.ok("StopInstances", ids(k.id("web-01"))...)
	k.faults(Fault{Kind: FaultStale, For: Duration(time.Minute)})
	k.clock.pass(50 * time.Second)
	if s := k.ok("DescribeInstances", ids(k.id("web-01"))...).element("name"); s != "running" {
		t.Errorf("stale by a minute, 50 s after the stop: %s", s)
	}
	k.clock.pass(time.Minute)
	down := k.ok("DescribeInstances", ids(k.id("web-01"))...)
	if s := down.element("name"); s != "stopped" {
		t.Errorf("stale by a minute, 110 s after the stop: %s", s)
	}
	k.ok("StartInstances", ids(k.id("web-01"))...)
	k.clock.pass(50 * time.Second)
	if a := k.ok("DescribeInstances", ids(k.id("web-01"))...); a.element("name") != "stopped" || a.element("launchTime") != down.element("launchTime") {
		t.Errorf("stale by a minute, 50 s after the start: %s, launched %s", a.element("name"), a.element("launchTime"))
	}
	k.clock.pass(time.Minute)
	if a := k.ok("DescribeInstances", ids(k.id("web-01"))...); a.element("name") != "running" || a.element("launchTime") == down.element("launchTime") {
		t.Errorf("stale by a minute, 110 s after the start: %s, launched %s", a.element("name"), a.element("launchTime"))
	}
}

func TestDelayAndHangUseTheClientsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Latency: 300 * time.Millisecond, Faults: []Fault{
			{Kind: FaultDelay, For: Duration(10 * time.Second), Action: "DescribeTags"}, {Kind: FaultHang, Action: "DescribeRegions"},
		}})
		k := caller{t: t, c: c, key: "111122223333", region: "us-east-1", service: "ec2"}
		try := func(action string, limit time.Duration) (time.Duration, error) {
			begin := time.Now()
			form := map[string][]string{"Action": {action}, "Version": {"2016-11-15"}}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			resp, err := c.Transport().RoundTrip(k.request(form).WithContext(ctx))
			if err == nil {
				resp.Body.Close()
			}
			return time.Since(begin), err
		}
		if d, err := try("DescribeInstances", time.Minute); err != nil || d != 300*time.Millisecond {
			t.Errorf("latency: %v %v", d, err)
		}
		if d, err := try("DescribeTags", time.Minute); err != nil || d != 10*time.Second+300*time.Millisecond {
			t.Errorf("delay: %v %v", d, err)
		}
		if d, err := try("DescribeTags", 5*time.Second); !errors.Is(err, context.DeadlineExceeded) || d != 5*time.Second {
			t.Errorf("delay beyond the client's patience: %v %v", d, err)
		}
		if d, err := try("DescribeRegions", time.Minute); !errors.Is(err, context.DeadlineExceeded) || d != time.Minute {
			t.Errorf("hang: %v %v", d, err)
		}
	})
}

func TestFaultFiles(t *testing.T) {
	const file = `# two faults
faults:
  - {kind: throttle, service: ec2, action: StartInstances, probability: 0.2, until: 10m}
  - kind: stale
    for: 60s
    from: 2026-11-20T09:00:00Z
`
	list, err := ParseFaults([]byte(file))
	if err != nil || len(list) != 2 || list[1].For != Duration(time.Minute) || list[0].Until.After != 10*time.Minute || list[1].From.At.Hour() != 9 {
		t.Fatalf("%+v %v", list, err)
	}
	if list, err = ParseFaults([]byte(`[{"kind": "error", "code": "InternalError", "count": 3}]`)); err != nil || list[0].Count != 3 {
		t.Errorf("JSON: %+v %v", list, err)
	}
	for _, tc := range []struct{ name, file, says string }{
		{"unknown kind", "- {kind: explode}", "[1:4] kind \"explode\" is not known: one of cannot-start, capacity,"},
		{"unknown key", "- {kind: hang, colour: red}", `unknown field "colour"`},
		{"no code", "faults:\n- {kind: error}", "[2:4] kind error needs a code"},
		{"probability", "- {kind: hang, probability: 2}", "between 0 and 1"},
		{"delay without time", "- {kind: delay}", "belongs to the kinds delay and stale"},
		{"applied to a listing", "- {kind: missing-item, applied: true}", "applied"},
		{"bad time", "- {kind: hang, from: noon}", `"noon" is neither an instant`},
		{"bad duration", "- {kind: delay, for: soon}", `"soon" is not a duration`},
	} {
		if _, err := ParseFaults([]byte(tc.file)); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.says)
		}
	}
}

func TestAServiceThatIsNotSimulatedSaysSo(t *testing.T) {
	k := newCaller(t, Options{})
	r := k.to("dynamodb").request(nil)
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
	resp, err := k.c.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("X-Amzn-Errortype") != "UnknownOperationException" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	if l := k.c.Calls(); l[0].Service != "dynamodb" || l[0].Action != "ListTables" {
		t.Errorf("log %+v", l)
	}
}
