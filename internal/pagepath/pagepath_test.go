package pagepath_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"dayshift/internal/pagepath"
)

// FAULTS: no open redirect after signing in.
func TestLocal(t *testing.T) {
	for _, good := range []string{
		"/", "/fleet", "/fleet?q=web&state=running", "/schedules/seoul-office#week", "/fleet/111122223333/ap-northeast-2/ec2_instance/i-0abc",
		"/activity?ref=arn:aws:rds:eu-west-1:111122223333:db:orders", "/rules/a%20b", "/rules/50%25", "/rules/a%2Fb", "/?next=https://example.com/", "/...",
	} {
		if got := pagepath.Local(good); got != good {
			t.Errorf("%q leads to %q", good, got)
		}
	}
	if got := pagepath.Local("/schedules/서울"); got != "/schedules/%EC%84%9C%EC%9A%B8" {
		t.Errorf("a name in another script leads to %q", got)
	}
	for _, bad := range openRedirects {
		if got := pagepath.Local(bad); got != "/" {
			t.Errorf("%q leads to %q", bad, got)
		}
	}
}

// openRedirects are the known ways to write another site where a path is asked for, and paths that are none of the page's.
var openRedirects = []string{
	"", "evil.example.com", "https://evil.example.com", "HTTPS://evil.example.com", "http:evil.example.com", "https:/evil.example.com", "https:///evil.example.com",
	"//evil.example.com", "///evil.example.com", "////evil.example.com", "/\\evil.example.com", "\\/evil.example.com", "\\\\evil.example.com", "/\\/evil.example.com",
	"/fleet\\..\\evil", "/\t/evil.example.com", "/\n/evil.example.com", "/\r/evil.example.com", "\t//evil.example.com", " //evil.example.com", " /fleet",
	"/\x00/evil.example.com", "/\x0b/evil.example.com", "/\x7f/evil.example.com", "/\u0085/evil.example.com", "/\u200b/evil.example.com", "/\u202e/evil.example.com", "/\u2028/evil.example.com", "/\ufeff/evil.example.com",
	"/%2fevil.example.com", "/%2Fevil.example.com", "/%2f%2fevil.example.com", "/%5cevil.example.com", "/%5Cevil.example.com", "/%09/evil.example.com", "/%0a/evil.example.com", "/%0d%0aSet-Cookie:x=y", "/%00",
	"/%252fevil.example.com", "/%255cevil.example.com", "/%25%32%66evil.example.com",
	"/.//evil.example.com", "/..//evil.example.com", "/./evil", "/../evil", "/fleet/../../evil", "/%2e%2e//evil.example.com", "/%2e/evil", "/fleet//evil.example.com",
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", "/javascript:alert(1)//\\", "data:text/html,x", "vbscript:x", "java\tscript:alert(1)",
	"@evil.example.com", "user@evil.example.com", "://evil.example.com", ":80", "?x", "#x", "//", "/%", "/%zz", "/a%2", "//[::1]", "http://[::1", "/\xff\xfe", "/\xc0\xaf/evil.example.com",
	"/api", "/api/v1/session/oidc", "/%61pi/v1/session/oidc", "/api/v1/session/oidc?to=/fleet",
	"/" + strings.Repeat("x", 1024), "/" + strings.Repeat("가", 400),
}

// Wherever a path leads, a browser stays at this server.
func FuzzLocal(f *testing.F) {
	for _, text := range openRedirects {
		f.Add(text)
	}
	f.Add("/fleet?q=web#top")
	page, err := url.Parse("https://dayshift.example.com/api/v1/session/oidc/callback")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		to := pagepath.Local(text)
		if len(to) == 0 || len(to) > 1024 || to[0] != '/' || len(to) > 1 && (to[1] == '/' || to[1] == '\\') {
			t.Fatalf("%q leads to %q", text, to)
		}
		if again := pagepath.Local(to); again != to {
			t.Fatalf("%q leads to %q, and that to %q", text, to, again)
		}
		w := httptest.NewRecorder()
		http.Redirect(w, &http.Request{Method: http.MethodGet, URL: page}, to, http.StatusSeeOther)
		location := w.Header().Get("Location")
		// As browsers read it: tabs and line breaks are dropped, a backslash is a slash.
		seen, err := url.Parse(strings.ReplaceAll(strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(location), "\\", "/"))
		if err != nil {
			t.Fatalf("%q leads to %q: %v", text, location, err)
		}
		if end := page.ResolveReference(seen); end.Scheme != "https" || end.Host != "dayshift.example.com" || end.User != nil {
			t.Fatalf("%q leads to %s", text, end)
		}
	})
}
