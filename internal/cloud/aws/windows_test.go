package aws

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
)

const describeWindows = "DescribeMaintenanceWindows"

func windowJSON(id, name, more string) string {
	return fmt.Sprintf(`{"WindowId":%q,"Name":%q,"Enabled":true,"Cutoff":0,"Duration":2,"Schedule":"cron(0 2 ? * SUN *)","NextExecutionTime":"2027-02-07T02:00Z"%s}`, id, name, more)
}

func windowsPage(next string, windows ...string) string {
	if next != "" {
		next = fmt.Sprintf(`"NextToken":%q,`, next)
	}
	return "{" + next + `"WindowIdentities":[` + strings.Join(windows, ",") + "]}"
}

func jsonError(code, message string) string {
	return fmt.Sprintf(`{"__type":%q,"message":%q}`, code, message)
}

func windowsOf(c *Cloud, names ...string) ([]cloud.Window, error) {
	return c.Windows(context.Background(), testScope, names)
}

func TestWindowsAreAskedForByNameWhereThereIsOne(t *testing.T) {
	w := newWire(t)
	w.on(describeWindows, answer(200, windowsPage("", windowJSON("mw-2", "patch", ""), windowJSON("mw-1", "patch", `,"ScheduleTimezone":"Asia/Seoul","Description":"x"`), windowJSON("mw-3", "other", ""), windowJSON("mw-2", "patch", ""))))
	c := w.open(nil)
	if got, err := windowsOf(c); err != nil || got != nil || len(w.calls) != 0 {
		t.Errorf("without names: %v, %v, %d calls", got, err, len(w.calls))
	}
	got, err := windowsOf(c, "patch")
	if err != nil {
		t.Fatal(err)
	}
	next := time.Date(2027, 2, 7, 2, 0, 0, 0, time.UTC)
	want := []cloud.Window{
		{Name: "patch", ID: "mw-1", Enabled: true, Next: next, Duration: 2 * time.Hour},
		{Name: "patch", ID: "mw-2", Enabled: true, Next: next, Duration: 2 * time.Hour},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := windowsOf(c, "patch", "other"); err != nil {
		t.Fatal(err)
	}
	calls := w.made(describeWindows)
	if body := calls[0].form.Get(""); !strings.Contains(body, `"MaxResults":100`) || !strings.Contains(body, `"Filters":[{"Key":"Name","Values":["patch"]}]`) {
		t.Errorf("one name: asked %s", body)
	}
	if body := calls[1].form.Get(""); strings.Contains(body, "Filters") {
		t.Errorf("two names: asked %s", body)
	}
	if host := calls[0].host; host != "ssm.eu-central-1.amazonaws.com" {
		t.Errorf("asked %s", host)
	}
}

// Whatever comes back in place of a page, the listing is whole or an error.
func TestAListingOfWindowsIsWholeOrAnError(t *testing.T) {
	patch := windowJSON("mw-1", "patch", "")
	whole := windowsPage("", patch)
	type turn = func(url.Values) (int, string)
	page := func(next string) turn { return answer(200, windowsPage(next, windowJSON("mw-"+next, "patch", ""))) }
	for _, test := range []struct {
		name    string
		answers []turn
		want    error // nil: the listing succeeds
		found   int
		calls   int
	}{
		{"whole", []turn{answer(200, whole)}, nil, 1, 1},
		{"no windows", []turn{answer(200, windowsPage(""))}, nil, 0, 1},
		{"two pages", []turn{page("t1"), page("")}, nil, 2, 2},
		{"an empty page in between", []turn{answer(200, windowsPage("t1")), answer(200, whole)}, nil, 1, 2},
		{"an empty body", []turn{answer(200, "")}, cloud.ErrTransient, 0, 3},
		{"a blank body", []turn{answer(200, " \n ")}, cloud.ErrTransient, 0, 3},
		{"an empty object", []turn{answer(200, "{}")}, cloud.ErrTransient, 0, 3},
		{"no list", []turn{answer(200, `{"WindowIdentities":null}`)}, cloud.ErrTransient, 0, 3},
		{"a text for the list", []turn{answer(200, `{"WindowIdentities":"none"}`)}, cloud.ErrTransient, 0, 3},
		{"a list", []turn{answer(200, "[]")}, cloud.ErrTransient, 0, 3},
		{"null", []turn{answer(200, "null")}, cloud.ErrTransient, 0, 3},
		{"a proxy's page", []turn{answer(200, "<html><body>Welcome</body></html>")}, cloud.ErrTransient, 0, 3},
		{"an error with status 200", []turn{answer(200, jsonError("InternalServerError", "?"))}, cloud.ErrTransient, 0, 3},
		{"XML", []turn{answer(200, instancesPage(""))}, cloud.ErrTransient, 0, 3},
		{"garbage", []turn{answer(200, "\x00\x01\x02")}, cloud.ErrTransient, 0, 3},
		{"a proxy's error", []turn{answer(502, "<html>Bad Gateway</html>")}, cloud.ErrTransient, 0, 3},
		{"a proxy's refusal", []turn{answer(403, "<html>Blocked</html>")}, cloud.ErrTransient, 0, 3},
		{"an error without a body", []turn{answer(500, "")}, cloud.ErrTransient, 0, 3},
		{"reset", []turn{answer(reset, "")}, cloud.ErrTransient, 0, 3},
		{"hang", []turn{answer(hang, "")}, cloud.ErrTransient, 0, 3},
		{"reset, then fine", []turn{answer(reset, ""), answer(200, whole)}, nil, 1, 2},
		{"throttled, then fine", []turn{answer(400, jsonError("ThrottlingException", "Rate exceeded")), answer(200, whole)}, nil, 1, 2},
		{"throttled for good", []turn{answer(400, jsonError("ThrottlingException", "Rate exceeded"))}, cloud.ErrThrottled, 0, 10},
		{"refused", []turn{answer(400, jsonError("AccessDeniedException", "no"))}, cloud.ErrUnauthorized, 0, 1},
		{"region not enabled", []turn{answer(400, jsonError("UnrecognizedClientException", "no"))}, cloud.ErrRegionDisabled, 0, 1},
		{"invalid", []turn{answer(400, jsonError("ValidationException", "no"))}, cloud.ErrInvalid, 0, 1},
		{"down", []turn{answer(500, jsonError("InternalServerError", "?"))}, cloud.ErrTransient, 0, 3},
		{"second page fails", []turn{page("t1"), answer(500, jsonError("InternalServerError", "?"))}, cloud.ErrTransient, 0, 4},
		{"the same token for ever", []turn{page("t1")}, cloud.ErrTransient, 0, 2},
		{"a loop of three tokens", []turn{page("t1"), page("t2"), page("t3"), page("t1")}, cloud.ErrTransient, 0, 4},
		{"an instant that is none", []turn{answer(200, windowsPage("", strings.Replace(patch, "2027-02-07T02:00Z", "next Sunday", 1)))}, cloud.ErrTransient, 0, 1},
		{"an instant that is none, of another window", []turn{answer(200, windowsPage("", patch, strings.Replace(windowJSON("mw-2", "other", ""), "2027-02-07T02:00Z", "next Sunday", 1)))}, nil, 1, 1},
		{"no duration", []turn{answer(200, windowsPage("", strings.Replace(patch, `"Duration":2`, `"Duration":0`, 1)))}, cloud.ErrTransient, 0, 1},
		{"a duration of a year", []turn{answer(200, windowsPage("", strings.Replace(patch, `"Duration":2`, `"Duration":8760`, 1)))}, cloud.ErrTransient, 0, 1},
		{"no next execution", []turn{answer(200, windowsPage("", strings.Replace(patch, `"2027-02-07T02:00Z"`, "null", 1)))}, nil, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire(t)
				w.inTurn(describeWindows, test.answers...)
				got, err := windowsOf(w.open(nil), "patch")
				if test.want == nil && (err != nil || len(got) != test.found) {
					t.Errorf("%d windows, want %d: %v", len(got), test.found, err)
				}
				if test.want != nil {
					wantClass(t, err, test.want)
					if got != nil {
						t.Errorf("%d windows beside the error", len(got))
					}
				}
				if n := w.count(describeWindows); n != test.calls {
					t.Errorf("%d calls, want %d", n, test.calls)
				}
			})
		})
	}
}

func TestACutPageOfWindowsIsAnError(t *testing.T) {
	page := windowsPage("", windowJSON("mw-1", "patch", ""), windowJSON("mw-2", "patch", ""))
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		c := w.open(nil)
		for cut := range len(page) {
			w.on(describeWindows, answer(200, page[:cut]))
			if got, err := windowsOf(c, "patch"); err == nil {
				t.Errorf("cut after %d of %d bytes: %d windows and no error", cut, len(page), len(got))
			}
		}
	})
}

// Faults of the simulated AWS in the listing of windows.
func TestWindowsUnderFaults(t *testing.T) {
	var holds awssim.Fleet
	var names []string
	for i := range 240 {
		names = append(names, fmt.Sprintf("window-%03d", i))
		holds.Windows = append(holds.Windows, awssim.Window{Account: string(hub), Region: "eu-central-1", Name: names[i], Cron: "cron(0 2 * * ? *)", Hours: 1})
	}
	for _, test := range []struct {
		name  string
		fault awssim.Fault
		want  error
	}{
		{"a burst of throttling", awssim.Fault{Kind: awssim.FaultThrottle, Count: 5}, nil},
		{"a reset", awssim.Fault{Kind: awssim.FaultReset, Skip: 1, Count: 2}, nil},
		{"a cut page", awssim.Fault{Kind: awssim.FaultCut, Skip: 1, Count: 2}, nil},
		{"garbage for good", awssim.Fault{Kind: awssim.FaultGarbage, Skip: 1}, cloud.ErrTransient},
		{"errors with status 200", awssim.Fault{Kind: awssim.FaultErrorIn200, Code: "InternalServerError", Skip: 1}, cloud.ErrTransient},
		{"empty answers", awssim.Fault{Kind: awssim.FaultEmpty, Skip: 1}, cloud.ErrTransient},
		{"a proxy's pages", awssim.Fault{Kind: awssim.FaultHTML}, cloud.ErrTransient},
		{"a hang", awssim.Fault{Kind: awssim.FaultHang}, cloud.ErrTransient},
		{"an unreachable region", awssim.Fault{Kind: awssim.FaultUnreachable}, cloud.ErrTransient},
		{"a region that is not enabled", awssim.Fault{Kind: awssim.FaultNotOptedIn}, cloud.ErrRegionDisabled},
		{"a missing permission", awssim.Fault{Kind: awssim.FaultDenied}, cloud.ErrUnauthorized},
		{"pages without end", awssim.Fault{Kind: awssim.FaultTokenLoop}, cloud.ErrTransient},
		{"a token that expires", awssim.Fault{Kind: awssim.FaultTokenExpire}, cloud.ErrInvalid},
		{"uneven pages", awssim.Fault{Kind: awssim.FaultShortPages, Probability: 0.7}, nil},
		{"windows twice", awssim.Fault{Kind: awssim.FaultDuplicate}, nil},
		{"slow answers", awssim.Fault{Kind: awssim.FaultDelay, For: awssim.Duration(20 * time.Second)}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, sim := simulateFleet(t, awssim.Options{}, holds, nil)
				test.fault.Service, test.fault.Action = "ssm", describeWindows
				if err := sim.SetFaults([]awssim.Fault{test.fault}); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				got, err := windowsOf(c, names...)
				if test.want != nil {
					wantClass(t, err, test.want)
				} else if err != nil || len(got) != len(names) {
					t.Errorf("%d of %d: %v", len(got), len(names), err)
				}
				if took := time.Since(began); took > 5*time.Minute {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// Without a permit no listing leaves either.
func TestWindowsNeedAPermit(t *testing.T) {
	w := newWire(t)
	w.on(describeWindows, answer(200, windowsPage("")))
	c := w.open(nil)
	lost := errors.New("the lease is lost")
	if _, err := windowsOf(c, "warm"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Windows(cloud.WithPermit(t.Context(), func() error { return lost }), testScope, []string{"patch"})
	if !errors.Is(err, lost) || w.count(describeWindows) != 1 {
		t.Errorf("%v after %d calls", err, w.count(describeWindows))
	}
}

func TestDoctorTriesToListWindowsWhereTheyAreUsed(t *testing.T) {
	const ability = "list SSM maintenance windows"
	for _, test := range []struct {
		name    string
		used    bool
		faults  []awssim.Fault
		want    bool // a finding
		ok      bool
		missing string
	}{
		{"not used", false, nil, false, false, ""},
		{"used", true, nil, true, true, ""},
		{"without the permission", true, []awssim.Fault{{Kind: awssim.FaultDenied, Service: "ssm"}}, true, false, "ssm:DescribeMaintenanceWindows"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, sim := simulateFleet(t, awssim.Options{Faults: test.faults}, awssim.Fleet{}, func(config *Config) { config.Windows = test.used })
				findings := c.Probe(t.Context(), testScope)
				at := slices.IndexFunc(findings, func(f cloud.Finding) bool { return f.Ability.String() == ability })
				if (at >= 0) != test.want {
					t.Fatalf("%+v", findings)
				}
				if at >= 0 && (findings[at].OK != test.ok || findings[at].Missing != test.missing || findings[at].Detail.Empty()) {
					t.Errorf("%+v", findings[at])
				}
				if calls := sim.Stats().ByAction["ssm:DescribeMaintenanceWindows"]; !test.want && calls != 0 {
					t.Errorf("%d calls", calls)
				}
			})
		})
	}
}
