package awssim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func serve(t *testing.T, c *Cloud) *Server {
	t.Helper()
	s, err := NewServer("127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Wait(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// overHTTP sends a hand-built request through a socket.
func (k caller) overHTTP(s *Server, form url.Values) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(k.t.Context(), 300*time.Millisecond)
	defer cancel()
	r := k.request(form).WithContext(ctx)
	r.URL, _ = url.Parse(s.URL)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

func TestFaultsOnASocket(t *testing.T) {
	k := newCaller(t, Options{})
	k.load(Resource{Name: "web-##", Count: 50})
	s := serve(t, k.c)
	form := url.Values{"Action": {"DescribeInstances"}, "Version": {"2016-11-15"}}
	if code, body, err := k.overHTTP(s, form); code != 200 || err != nil || !bytes.Contains(body, []byte("web-50")) {
		t.Fatalf("%d %v", code, err)
	}
	for _, kind := range []FaultKind{FaultReset, FaultUnreachable, FaultHang, FaultCut} {
		k.faults(Fault{Kind: kind})
		code, _, err := k.overHTTP(s, form)
		var timeout net.Error
		switch {
		case err == nil:
			t.Errorf("%s: %d, no error", kind, code)
		case kind == FaultHang && (!errors.As(err, &timeout) || !timeout.Timeout()):
			t.Errorf("%s: %v", kind, err)
		case kind == FaultCut && code != 200:
			t.Errorf("%s: %d %v", kind, code, err)
		}
	}
	k.faults()
	if code, _, err := k.overHTTP(s, form); code != 200 || err != nil {
		t.Errorf("afterwards: %d %v", code, err)
	}
}

func TestTheControlInterface(t *testing.T) {
	k := newCaller(t, Options{})
	s := serve(t, k.c)
	do := func(method, path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/_sim/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	if code, msg := do("POST", "fleet", sampleFleet); code != 204 {
		t.Fatalf("fleet: %d %s", code, msg)
	}
	if code, msg := do("POST", "fleet", "resources: [{kind: x}]"); code != 400 || !strings.Contains(msg, "is not known: ec2, rds, rds_cluster, ecs, ") {
		t.Errorf("bad fleet: %d %s", code, msg)
	}
	if code, out := do("GET", "fleet", ""); code != 200 || !strings.Contains(out, "name: web-02") {
		t.Errorf("fleet: %d %s", code, out)
	}
	if code, out := do("GET", "faults", ""); code != 200 || !strings.Contains(out, `"kind":"throttle"`) || !strings.Contains(out, `"hits":0`) {
		t.Errorf("faults: %d %s", code, out)
	}
	if code, _ := do("PUT", "faults", `[{"kind":"hang"}]`); code != 204 || len(k.c.Faults()) != 1 || k.c.Faults()[0].Kind != FaultHang {
		t.Errorf("faults set: %d %v", code, k.c.Faults())
	}
	if code, msg := do("PUT", "faults", `[{"kind":"x"}]`); code != 400 || k.c.Faults()[0].Kind != FaultHang {
		t.Errorf("bad faults: %d %s", code, msg)
	}
	if code, _ := do("DELETE", "faults", ""); code != 204 || len(k.c.Faults()) != 0 {
		t.Errorf("faults: %d %v", code, k.c.Faults())
	}
	k.ok("DescribeInstances")
	k.fails("InvalidInstanceID.NotFound", "StopInstances", ids("i-00000000000000001")...)
	if code, out := do("GET", "calls?after=1", ""); code != 200 || strings.Count(out, "\n") != 1 || !strings.Contains(out, `"resources":["i-00000000000000001"]`) {
		t.Errorf("calls: %d %s", code, out)
	}
	var st Stats
	if _, out := do("GET", "stats", ""); json.Unmarshal([]byte(out), &st) != nil || st.Calls != 2 || st.Errors != 1 || st.ByAction["ec2:StopInstances"] != 1 {
		t.Errorf("stats: %s", out)
	}
	if code, _ := do("DELETE", "calls", ""); code != 204 || k.c.Stats().Calls != 0 {
		t.Errorf("calls: %d", code)
	}
	before := k.c.Now()
	if code, out := do("POST", "clock?advance=1h&speed=60", ""); code != 200 || !strings.Contains(out, `"speed":60`) || k.c.Now().Sub(before) != time.Hour {
		t.Errorf("clock: %d %s", code, out)
	}
	for _, bad := range []string{"clock?advance=-1h", "clock?speed=fast", "clock?speed=-1", "clock?speed=NaN"} {
		if code, _ := do("POST", bad, ""); code != 400 {
			t.Errorf("%s: %d", bad, code)
		}
	}
	if code, _ := do("POST", "reset", ""); code != 204 || len(k.c.Instances("", "")) != 0 {
		t.Errorf("reset: %d", code)
	}
	if code, out := do("GET", "nothing", ""); code != 404 || !strings.Contains(out, "calls, stats, fleet") {
		t.Errorf("unknown: %d %s", code, out)
	}
}

func TestWrongRequestsAreRefusedNotServed(t *testing.T) {
	k := newCaller(t, Options{})
	form := url.Values{"Action": {"DescribeInstances"}, "Version": {"2016-11-15"}}
	put := k.request(form)
	put.Method = http.MethodPut
	if a := k.send(put); a.status != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", a.status)
	}
	huge := k.request(url.Values{"Action": {strings.Repeat("x", maxBody)}})
	if a := k.send(huge); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("huge body: %d", a.status)
	}
	odd := k.request(nil)
	odd.Body = io.NopCloser(strings.NewReader("Action=%zz"))
	if a := k.send(odd); a.code != "MalformedQueryString" {
		t.Errorf("bad escape: %q", a.code)
	}
	old := url.Values{"Action": {"DescribeInstances"}, "Version": {"2006-06-26"}}
	if a := k.send(k.request(old)); a.code != "NoSuchVersion" {
		t.Errorf("old version: %q", a.code)
	}
	twice := k.request(nil)
	twice.Body = io.NopCloser(strings.NewReader("Action=DescribeInstances&Version=2016-11-15&MaxResults=5&MaxResults=6"))
	if a := k.send(twice); a.code != "InvalidParameterCombination" {
		t.Errorf("parameter twice: %q", a.code)
	}
}

func TestAnAddressInUseIsSaid(t *testing.T) {
	s := serve(t, New(Options{}))
	if _, err := NewServer(s.Addr, New(Options{})); err == nil || !strings.Contains(err.Error(), s.Addr) {
		t.Errorf("second server on one address: %v", err)
	}
}

func TestCallersFromManyGoroutines(t *testing.T) {
	k := newCaller(t, Options{Limits: Limits{Table: AWSLimits()}, EventualConsistency: time.Second})
	if err := k.c.Load(DemoFleet()); err != nil {
		t.Fatal(err)
	}
	k.faults(Fault{Kind: FaultThrottle, Probability: 0.1}, Fault{Kind: FaultStale, For: Duration(time.Second), Probability: 0.1})
	done := make(chan error)
	for n := range 8 {
		go func() {
			for i := range 40 {
				me := k.as([]string{DemoShop, DemoData}[n%2]).in("us-east-1")
				var a answer
				switch i % 5 {
				case 0:
					a = me.call("DescribeInstances", "MaxResults", "50")
				case 1:
					a = me.call("RunInstances", "ImageId", "ami-0abcdef1234567890", "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "3")
				case 2:
					a = me.to("rds").call("DescribeDBInstances")
				case 3:
					k.c.Snapshot()
				case 4:
					if l := k.c.Instances(me.key, me.region); len(l) > 0 {
						a = me.call("StopInstances", ids(l[i%len(l)].ID)...)
					}
				}
				if a.err != nil {
					done <- fmt.Errorf("goroutine %d: %w", n, a.err)
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
