package cli

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dayshift/internal/access"
)

// TestRunThere tells of a run on a server what its record says: what was done and
// how that ended, what failed, and what is confirmed.
func TestRunThere(t *testing.T) {
	key, err := access.NewKey(strings.NewReader(strings.Repeat("dayshift", 40)), "")
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(key.Text()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	row := func(seq int, event, id, detail string) string {
		return fmt.Sprintf(`{"seq":%d,"event":%q,"ref":{"scope":{"account":"111122223333","region":"eu-west-1"},"kind":"ec2_instance","id":%q},"name":"web-%s","schedule":"office","reason":"period-running","detail":%q}`,
			seq, event, id, strings.TrimPrefix(id, "i-"), detail)
	}
	tests := []struct {
		name   string
		args   []string
		held   int
		code   int
		stdout []string
		stderr []string
		calls  string
	}{
		{
			name: "to its end", code: exitPartial,
			stdout: []string{"start   started  web-1", "start   failed   web-2", "start: no capacity"},
			stderr: []string{"run r-1 is under way on 127.0.0.1", "done: 3 resources seen, 1 started, 0 stopped, 1 failed, 0 held back"},
			calls:  "POST /runs, GET /runs/r-1, GET /activity, GET /activity",
		},
		{
			name: "nobody waits", args: []string{"--wait", "0"}, code: exitPartial,
			stdout: []string{"start   accepted  web-1", "start   failed    web-2"},
			calls:  "POST /runs, GET /runs/r-1, GET /activity",
		},
		{
			name: "held back", args: []string{"--wait", "0"}, held: 4, code: exitPartial,
			stderr: []string{"4 held back", "repeat with --yes"},
			calls:  "POST /runs, GET /runs/r-1, GET /activity",
		},
		{
			name: "confirmed", args: []string{"--wait", "0", "--yes"}, held: 4, code: exitPartial,
			stderr: []string{"4 held back", "confirmed: 127.0.0.1"},
			calls:  "POST /runs, GET /runs/r-1, GET /activity, POST /held/confirm",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var calls []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				path := strings.TrimPrefix(r.URL.Path, "/api/v1")
				calls = append(calls, r.Method+" "+path)
				w.Header().Set("Content-Type", "application/json")
				switch {
				case r.Method == http.MethodPost && path == "/runs":
					w.WriteHeader(http.StatusAccepted)
					_, _ = io.WriteString(w, `{"id":"r-1"}`)
				case path == "/runs/r-1":
					_, _ = fmt.Fprintf(w, `{"id":"r-1","started":"2027-02-05T09:00:00Z","finished":"2027-02-05T09:00:01Z","counts":{"resources":3,"started":1,"failed":1,"held":%d}}`, test.held)
				case path == "/activity" && r.URL.Query().Get("run") == "r-1":
					_, _ = io.WriteString(w, `{"items":[`+row(7, "start-accepted", "i-1", "")+","+row(8, "failed", "i-2", "start: no capacity")+`],"next":""}`)
				case path == "/activity" && r.URL.Query().Get("cursor") == "8":
					_, _ = io.WriteString(w, `{"items":[`+row(9, "started", "i-1", "")+`],"next":""}`)
				case path == "/held/confirm":
					w.WriteHeader(http.StatusNoContent)
				default:
					http.Error(w, "what?", http.StatusNotFound)
				}
			}))
			defer server.Close()
			var stdout, stderr bytes.Buffer
			code := Main(append([]string{"run", "--server", server.URL, "--api-key", "file:" + keyFile}, test.args...), strings.NewReader(""), &stdout, &stderr)
			if got := strings.Join(calls, ", "); code != test.code || got != test.calls {
				t.Errorf("exit code %d, want %d; asked for %s, want %s\n%s", code, test.code, got, test.calls, stderr.String())
			}
			for _, want := range test.stdout {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("%q is not in\n%s", want, stdout.String())
				}
			}
			for _, want := range test.stderr {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("%q is not in\n%s", want, stderr.String())
				}
			}
			if test.name == "confirmed" && strings.Contains(stderr.String(), "repeat with --yes") {
				t.Errorf("it was confirmed already:\n%s", stderr.String())
			}
		})
	}
}
