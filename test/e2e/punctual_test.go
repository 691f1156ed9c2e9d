package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"dayshift/internal/awssim"
)

// TestPunctual lets a period begin while the daemon waits for it. The first
// call has to leave within a second of the boundary; three are allowed here,
// because a test machine may be doing something else at that moment.
func TestPunctual(t *testing.T) {
	const allowed = 3 * time.Second
	on := map[string]string{"Schedule": "office"}
	sim := newGated(t, awssim.Fleet{Resources: []awssim.Resource{
		{Account: "111122223333", Region: "eu-west-1", Kind: "ec2", Name: "web-#", Count: 20, State: "stopped", Tags: on},
		{Account: "111122223333", Region: "us-east-1", Kind: "rds", Name: "orders", State: "stopped", Tags: on},
	}})
	way := sim.gate(t)
	boundary := time.Now().Add(4 * time.Second).Truncate(time.Second)
	begin, lead := beginAt(boundary)
	dir, env := workplace(t, fmt.Sprintf(`
accounts: [{id: "111122223333", regions: [eu-west-1, us-east-1]}]
periods: {office: {begintime: %q}}
schedules: {office: {periods: [office], start_lead: %s}}
`, begin, lead))
	daemon := daemonIn(t, dir, env(way))
	becomes(t, daemon, "leader", waitLimit)
	time.Sleep(time.Until(boundary) - 100*time.Millisecond)
	early := 0
	for what := range sim.effective() {
		t.Errorf("%s came before the boundary", what)
		early++
	}
	if early > 0 {
		t.FailNow()
	}
	for way.callsSince(boundary) == 0 && time.Since(boundary) < allowed {
		time.Sleep(5 * time.Millisecond)
	}
	first := time.Since(boundary)
	for len(sim.effective()) < 21 && time.Since(boundary) < waitLimit {
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("first call %s after the boundary, all 21 started after %s", first.Round(time.Millisecond), time.Since(boundary).Round(time.Millisecond))
	if first > allowed {
		t.Errorf("the first call left %s after the boundary, want at most %s", first, allowed)
	}
	sim.onceEach(t)
}

// TestHangingAWSDoesNotHoldTheDaemon: while a listing never answers, the daemon is
// alive, acts on nothing it has not seen, and can be stopped at once.
func TestHangingAWSDoesNotHoldTheDaemon(t *testing.T) {
	t.Parallel()
	sim := newGated(t, crashFleet())
	way := sim.gate(t)
	release := make(chan struct{})
	defer close(release)
	way.before = func(p passage) bool {
		if p.action == "DescribeInstances" {
			<-release
			return false
		}
		return true
	}
	dir, env := workplace(t, crashConfig)
	daemon := daemonIn(t, dir, env(way))
	becomes(t, daemon, "leader", waitLimit)
	for way.total() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		page, err := fetchAny(daemon.url + path)
		if err != nil || !strings.HasPrefix(page, fmt.Sprint(http.StatusOK)) {
			t.Errorf("%s while AWS hangs: %v\n%s", path, err, page)
		}
	}
	told := time.Now()
	if code, err := daemon.end(15); err != nil || code != "0" { // SIGTERM
		t.Errorf("ended with %s (%v)", code, err)
	}
	if took := time.Since(told); took > 5*time.Second {
		t.Errorf("it took %s to end while AWS hung", took)
	}
	for what := range sim.effective() {
		t.Errorf("%s although the fleet was never seen whole", what)
	}
	if found := regexp.MustCompile(`panic|goroutine \d`).FindString(daemon.output.text()); found != "" {
		t.Errorf("the daemon's log has %q:\n%s", found, daemon.output.text())
	}
}
