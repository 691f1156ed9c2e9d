package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dayshift/internal/awssim"
)

const bridgeSecret = "an-example-of-a-secret-of-a-bridge"

// bridge posts to a daemon's chat what people write in a room, signed as docs/chat.md says.
type bridge struct {
	t     *testing.T
	url   string
	asked int
}

// says gives the tone and the text of the answer.
func (b *bridge) says(who, text string) (tone, answer string) {
	b.t.Helper()
	b.asked++
	body, err := json.Marshal(map[string]any{"id": fmt.Sprint("q-", b.asked), "who": who, "name": "somebody", "room": "ops", "text": text, "button": true})
	if err != nil {
		b.t.Fatal(err)
	}
	now := fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, []byte(bridgeSecret))
	fmt.Fprintf(mac, "%s.%s", now, body)
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+"/chat/bridge", bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Dayshift-Timestamp", now)
	request.Header.Set("Dayshift-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	var said struct{ Tone, Text string }
	if err := json.NewDecoder(response.Body).Decode(&said); err != nil || response.StatusCode != http.StatusOK {
		b.t.Fatalf("%q is answered with %s: %v", text, response.Status, err)
	}
	return said.Tone, said.Text
}

// first waits for the first message of a kind.
func (p *pager) first(t *testing.T, kind string, d *process) page {
	t.Helper()
	for end := time.Now().Add(2 * waitLimit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		all := p.all()
		if at := slices.IndexFunc(all, func(m page) bool { return m.Kind == kind }); at >= 0 {
			return all[at]
		}
	}
	t.Fatalf("no %s; told %+v\n%s", kind, p.all(), d.output.text())
	return page{}
}

// TestTheLightsStayOnForWhomeverAsked: a room is warned before a stop; who is not known is refused; the button of somebody who
// is keeps it running over the stop, by name; and what they give back is stopped.
func TestTheLightsStayOnForWhomeverAsked(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for a stop")
	}
	sim := newGated(t, awssim.Fleet{Resources: []awssim.Resource{
		{Account: "111122223333", Region: "eu-west-1", Kind: "ec2", Name: "web", Tags: map[string]string{"Schedule": "office"}},
	}})
	scope := account{id: "111122223333", region: "eu-west-1"}
	room := newPager(t)
	stop := time.Now().UTC().Add(time.Minute).Truncate(time.Minute).Add(time.Minute) // in one to two minutes
	dir, env := workplace(t, fmt.Sprintf(`
accounts: [{id: "111122223333", regions: [eu-west-1]}]
periods: {hours: {begintime: %q, endtime: %q}}
schedules: {office: {periods: [hours], notify_before_stop: 10m, new_resource_grace: 0s}}
channels: {pager: {type: webhook, url: %q, secret: an-example-of-a-secret, allow_private: true}}
chats: {bridge: {type: generic, secret: %s}}
people: {hana: {role: operator, chats: {bridge: U-hana}}}
`, stop.Add(-4*time.Hour).Format("15:04"), stop.Format("15:04"), room.URL, bridgeSecret))
	d := daemonIn(t, dir, env(sim.gate(t)))
	chat := &bridge{t: t, url: d.url}

	warned := room.first(t, "stop-warning", d)
	if text := strings.Join(warned.Lines, " "); len(warned.Choices) < 2 || !strings.HasPrefix(warned.Choices[1].Label, "+2 h") || !strings.Contains(text, stop.Format("15:04")) {
		t.Fatalf("warned of a stop at %s: %+v", stop.Format("15:04"), warned)
	}
	keep := warned.Choices[1].Command
	if tone, answer := chat.says("U-nobody", keep); tone != "refused" || !strings.Contains(answer, "U-nobody") {
		t.Errorf("a stranger is answered %s: %q", tone, answer)
	}
	if tone, answer := chat.says("U-hana", keep); tone != "ok" {
		t.Fatalf("hana is answered %s: %q", tone, answer)
	}
	if began := room.first(t, "override-began", d); !strings.Contains(strings.Join(began.Lines, " "), "hana") {
		t.Errorf("the room does not see the name: %+v", began)
	}

	time.Sleep(time.Until(stop.Add(10 * time.Second)))
	if n := sim.effective(); len(n) > 0 {
		t.Errorf("after the stop that was put off there was %v", n)
	}
	if tone, answer := chat.says("U-hana", "release office"); tone != "ok" {
		t.Fatalf("hana is answered %s: %q", tone, answer)
	}
	sim.arrives(t, waitLimit, []string{"web stopped"}, scope)
	sim.onceEach(t)
	if code, err := d.end(syscall.SIGTERM); err != nil || code != "0" {
		t.Errorf("the daemon ended with %s (%v)", code, err)
	}
	record, err := runProcess(dir, d.cmd.Env, "activity", "-o", "json")
	if err != nil || !strings.Contains(record, "U-nobody") || !strings.Contains(record, `"actor": "hana"`) {
		t.Errorf("the record (%v):\n%s", err, record)
	}
}
