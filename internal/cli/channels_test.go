package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"dayshift/internal/service"
)

// TestChannelCommands: a channel is listed without its secret, tested once, previewed in its language; the exit code tells whether it took the test.
func TestChannelCommands(t *testing.T) {
	var got []string
	status := http.StatusOK
	room := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, string(body))
		w.WriteHeader(status)
	}))
	t.Cleanup(room.Close)
	b := begin(t, "sqlite:DIR/dayshift.db")
	out, _ := b.run(exitDone, "channel", "list")
	says(t, out, "There is no channel: nobody is told.")

	text, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "channels:\n  ops: {type: slack, url: \""+room.URL+"/secret-canary\", allow_private: true, language: ko, kinds: [failed, stop-warning]}\n"...)
	text = append(text, "  broken: {type: jandi, url: \""+room.URL+"/secret-canary\", allow_private: true}\n"...)
	if err := os.WriteFile(b.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ = b.run(exitDone, "channel", "list")
	says(t, out, "ops", strings.TrimPrefix(room.URL, "http://"), "action failed, stop comes soon")
	silent(t, out, "canary")
	out, _ = b.run(exitDone, "channel", "show", "ops")
	says(t, out, "channel ops (slack)", "language ko", "0 given up; none was sent yet")

	out, _ = b.run(exitDone, "channel", "preview", "ops", "--kind", "stop-warning")
	says(t, out, "리소스 2개가 곧 중지됩니다", "keep seoul-office until ")
	out, _ = b.run(exitDone, "channel", "preview", "ops", "--language", "en", "-o", "json")
	var preview service.MessagePreview
	if err := json.Unmarshal([]byte(out), &preview); err != nil || preview.Kind != "failed" || !strings.Contains(preview.Posted, "attachments") || len(got) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	_, problems := b.run(exitUsage, "channel", "preview", "ops", "--kind", "fail")
	says(t, problems, `"fail" is no kind of message`)

	out, _ = b.run(exitDone, "channel", "test", "ops")
	says(t, out, "channel ops took the test message.")
	if len(got) != 1 || !strings.Contains(got[0], "테스트") {
		t.Errorf("%q", got)
	}
	status = http.StatusGone
	_, problems = b.run(exitFailed, "channel", "test", "broken")
	says(t, problems, "channel broken did not take the test message", "status 410")
	silent(t, problems, "canary")
	out, _ = b.run(exitDone, "activity")
	says(t, out, "channel-test")
	_, problems = b.run(exitUsage, "channel", "again", "ops")
	says(t, problems, `nothing to channel "ops" was given up`)
	_, problems = b.run(exitUsage, "channel", "show", "osp")
	says(t, problems, `did you mean "ops"?`)
}
