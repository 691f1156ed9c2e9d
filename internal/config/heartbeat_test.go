package config

import (
	"strings"
	"testing"
	"time"
)

// TestHeartbeat: an address that is looked up, and no message that shows it.
func TestHeartbeat(t *testing.T) {
	const rest = "\naccounts: [{id: \"111122223333\", regions: [us-east-1]}]\n"
	env := Env{Lookup: func(name string) (string, bool) { return "https://monitor.example/canary", name == "BEAT" }}
	for text, every := range map[string]time.Duration{"{url: '${BEAT}'}": time.Minute, "{url: https://monitor.example/canary, every: 20s}": 20 * time.Second} {
		loaded, err := Parse("f", []byte("heartbeat: "+text+rest), env)
		if err != nil {
			t.Fatal(err)
		}
		if beat := loaded.Config.Heartbeat; beat.URL.Reveal() != "https://monitor.example/canary" || time.Duration(beat.Every) != every {
			t.Errorf("%s: %s every %s", text, beat.URL.Reveal(), beat.Every)
		}
	}
	if loaded, err := Parse("f", []byte(rest), env); err != nil || loaded.Config.Heartbeat.URL.Reveal() != "" {
		t.Errorf("without a heartbeat: %v", err)
	}
	for _, test := range []struct{ heartbeat, path, want string }{
		{"{every: 1m}", "heartbeat", "has no url"},
		{"{url: }", "heartbeat.url", "has no value"},
		{"{url: '${NONE}'}", "heartbeat.url", "names an environment variable that is not set"},
		{"{url: http://monitor.example/canary}", "heartbeat.url", "is not encrypted"},
		{"{url: https://u:canary@monitor.example/}", "heartbeat.url", "holds a user name or a password"},
		{"{url: 'canary'}", "heartbeat.url", "begins with neither http:// nor https://"},
		{"{url: https://monitor.example/canary, every: 0s}", "heartbeat.every", "is out of range"},
		{"{url: https://monitor.example/canary, every: 2h}", "heartbeat.every", "is out of range"},
		{"{uri: https://monitor.example/canary}", "heartbeat.uri", "is not a known key"},
		{"{url: https://monitor.example/canary, secret: canary}", "heartbeat.secret", "is 6 characters long"},
		{"{url: https://monitor.example/canary, secret: '${NONE}'}", "heartbeat.secret", "names an environment variable that is not set"},
		{"{url: https://monitor.example/canary, secret: }", "heartbeat.secret", "has no value"},
		{"{url: https://monitor.example/canary, secret: '0123456789abcdef', previous_secret: canary}", "heartbeat.previous_secret", "is 6 characters long"},
		{"{url: https://monitor.example/canary, previous_secret: 'canary-0123456789'}", "heartbeat.previous_secret", "there is no secret"},
		{"[https://monitor.example/canary]", "heartbeat", "is a list"},
		{"https://monitor.example/canary", "heartbeat", "is not a mapping"},
	} {
		_, err := Parse("f", []byte("heartbeat: "+test.heartbeat+rest), env)
		if err == nil || !strings.Contains(err.Error(), test.path) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s and %q", test.heartbeat, err, test.path, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: shown: %v", test.heartbeat, err)
		}
	}
}
