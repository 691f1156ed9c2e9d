package webhook

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

func TestMain(m *testing.M) {
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // which nobody asks; net/http remembers what it found
	os.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	goleak.VerifyTestMain(m)
}

const (
	secret   = "an example, not a secret"
	canary   = "canary-7f3a"
	sentUnix = 1_785_780_000 // 2026-08-03T18:00:00Z
)

var example = notify.Message{
	ID: "IXJVPC3Y7NQK5E2DZW4M6TB7RA", Kind: notify.Failed, Schedule: "seoul-office", At: time.Date(2026, 8, 4, 3, 0, 0, 0, time.FixedZone("KST", 9*3600)),
	Count: 2, Title: "Could not act on 2 resources (schedule seoul-office)",
	Lines: []string{"db-1 i-0a1 in 111122223333/ap-northeast-2: start: no capacity", "결제 i-0a2 in 111122223333/ap-northeast-2: <stop> & \"more\""},
}

// toHere is a channel to this machine.
func toHere(t *testing.T, url string, change func(*Options)) *Channel {
	t.Helper()
	options := Options{Name: "ops", Secret: secret, PostOptions: outbound.PostOptions{
		URL: url, AllowPrivate: true, Version: "1.2.3", Now: func() time.Time { return time.Unix(sentUnix, 0) },
	}}
	if change != nil {
		change(&options)
	}
	c, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a server notices that its client left once it has read all
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// genuine is the check that docs/notifications.md asks of a receiver.
func genuine(secret string, r *http.Request, body []byte) bool {
	var at int64
	if _, err := fmt.Sscan(r.Header.Get(outbound.TimestampHeader), &at); err != nil {
		return false
	}
	for signature := range strings.SplitSeq(r.Header.Get(outbound.SignatureHeader), ",") {
		if signature == outbound.Sign(secret, at, body) {
			return true
		}
	}
	return false
}

func TestPost(t *testing.T) {
	var got *http.Request
	var body []byte
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	c := toHere(t, url+"/hooks/1?team=ops", func(o *Options) { o.Headers = map[string]string{"authorization": "Bearer x", "X-Team": "결제"} })
	if err := c.Send(t.Context(), example); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Content-Type": "application/json", "User-Agent": "dayshift/1.2.3", "Authorization": "Bearer x", "X-Team": "결제", outbound.IDHeader: example.ID,
		outbound.TimestampHeader: fmt.Sprint(sentUnix), outbound.SignatureHeader: outbound.Sign(secret, sentUnix, body), "Content-Length": fmt.Sprint(len(body)), "Connection": "close",
	}
	if got.Method != http.MethodPost || got.URL.RequestURI() != "/hooks/1?team=ops" {
		t.Errorf("%s %s", got.Method, got.URL)
	}
	have := map[string]string{}
	for name := range got.Header {
		have[name] = got.Header.Get(name)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	var read map[string]any
	if err := json.Unmarshal(body, &read); err != nil || read["channel"] != "ops" || read["version"] != 1.0 || read["at"] != "2026-08-03T18:00:00Z" || read["id"] != example.ID {
		t.Errorf("%s, %v", body, err)
	}
	if !genuine(secret, got, body) || genuine("another", got, body) || genuine(secret, got, append(body, ' ')) {
		t.Error("the signature does not tell a genuine post")
	}
}

// The documentation shows what is really sent.
func TestDocumentedExample(t *testing.T) {
	c := toHere(t, "https://hooks.example", nil)
	body, err := c.body(example)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"body": string(body), "signature": outbound.SignatureHeader + ": " + outbound.Sign(secret, sentUnix, body), "time": fmt.Sprintf("%s: %d", outbound.TimestampHeader, sentUnix),
		"ID": outbound.IDHeader + ": " + example.ID, "secret": "`" + secret + "`",
	} {
		if !bytes.Contains(page, []byte(text)) {
			t.Errorf("docs/notifications.md does not show the %s:\n%s", what, text)
		}
	}
	for _, kind := range notify.Kinds {
		if !bytes.Contains(page, []byte("| `"+string(kind)+"` |")) {
			t.Errorf("docs/notifications.md does not say what %s is", kind)
		}
	}
}

// TestAnswers: what each answer means, in time and in words that tell nothing of it.
func TestAnswers(t *testing.T) {
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, canary)
		}
	}
	raw := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, answer)
		}
	}
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // empty: taken
		again  bool
		after  time.Duration
	}{
		{"taken", status(200), "", false, 0},
		{"nothing to say", status(204), "", false, 0},
		{"redirects", status(302, "Location", "/"+canary), "status 302: redirects are not followed", false, 0},
		{"moved", status(308, "Location", "http://169.254.169.254/"+canary), "status 308", false, 0},
		{"refused", status(401), "status 401", false, 0},
		{"gone", status(410), "status 410", false, 0},
		{"too large", status(413), "status 413", false, 0},
		{"too many", status(429, "Retry-After", "30"), "status 429", true, 30 * time.Second},
		{"too many, until a date", status(429, "Retry-After", "Mon, 03 Aug 2026 18:02:00 GMT"), "status 429", true, 2 * time.Minute},
		{"too many, until a date that is over", status(429, "Retry-After", "Mon, 03 Aug 2026 17:00:00 GMT"), "status 429", true, 0},
		{"too many, for centuries", status(503, "Retry-After", "2147483647"), "status 503", true, 24 * time.Hour},
		{"too many, for nonsense", status(429, "Retry-After", "-5 "+canary), "status 429", true, 0},
		{"broken", status(500), "status 500", true, 0},
		{"busy", status(503), "status 503", true, 0},
		{"too early", status(425), "status 425", true, 0},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer within 300ms", true, 0},
		{"never ends", func(w http.ResponseWriter, _ *http.Request) {
			for line := bytes.Repeat([]byte("x"), 1<<16); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}, "", false, 0},
		{"an endless header", status(200, "X", strings.Repeat("x", 1<<18)), "does not answer as a web server does", true, 0},
		{"another protocol", raw("SSH-2.0-" + canary + "\r\n"), "does not answer as a web server does", true, 0},
		{"hangs up", raw(""), "does not answer as a web server does", true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := toHere(t, serve(t, test.answer)+"/"+canary, func(o *Options) {
				if strings.Contains(test.want, "300ms") {
					o.Timeout = 300 * time.Millisecond
				}
			})
			err := c.Send(t.Context(), example)
			var again notify.Retryable
			if (err == nil) != (test.want == "") || errors.As(err, &again) != test.again || again != nil && again.RetryAfter() != test.after {
				t.Fatalf("%v (%+v)", err, again)
			}
			if err != nil && (!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), canary)) {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
}

func TestSendEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	var again notify.Retryable
	if err := toHere(t, url, nil).Send(ctx, example); !errors.Is(err, context.Canceled) || !errors.As(err, &again) {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct{ url, secret, want string }{
		{"", secret, "begins with neither"},
		{"gopher://hooks.example/s3cret", secret, "begins with neither"},
		{"file:///etc/s3cret", secret, "begins with neither"},
		{"https://user:s3cret@hooks.example/", secret, "a user name or a password"},
		{"https://hooks.example/\x00s3cret", secret, "cannot be read"},
		{"https:///s3cret", secret, "names no host"},
		{"http://hooks.example/s3cret", secret, "not encrypted"},
		{"https://hooks.example/s3cret", "", "no secret to sign with"},
	} {
		_, err := New(Options{Name: "ops", Secret: test.secret, PostOptions: outbound.PostOptions{URL: test.url}})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", test.url, err)
		}
	}
}

// logbook is a log that can be read while it is written.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// deliver sends the example through an outbox and gives what was logged and counted.
func deliver(t *testing.T, c *Channel) (log string, results map[notify.Result]int) {
	t.Helper()
	var book logbook
	var mu sync.Mutex
	results = map[notify.Result]int{}
	outbox := notify.NewOutbox("ops", notify.Channel{Sender: c}, notify.OutboxOptions{
		Log: slog.New(slog.NewTextHandler(&book, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Count: func(_ string, result notify.Result) {
			mu.Lock()
			defer mu.Unlock()
			results[result]++
		},
	})
	if err := outbox.Tell(t.Context(), []notify.Event{{Kind: notify.Failed, Schedule: "office", Name: "db-1"}}); err != nil {
		t.Fatal(err)
	}
	outbox.Close(t.Context())
	return book.text.String(), results
}

// TestFault6_30_NoWayIntoPrivateNetworks: however an address is written, the connection is refused when it is made, nothing
// is posted, and the log and the count say so.
func TestFault6_30_NoWayIntoPrivateNetworks(t *testing.T) {
	var asked atomic.Bool
	_, port, err := net.SplitHostPort(strings.TrimPrefix(serve(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) }), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		host    string
		private bool // allow_private
	}{
		{"169.254.169.254", true},
		{"[::ffff:169.254.169.254]", true},
		{"[64:ff9b::a9fe:a9fe]", true},
		{"[fd00:ec2::254]", true},
		{"[fe80::1]", true},
		{"0.0.0.0", true},
		{"127.0.0.1", false},
		{"127.1", false},
		{"2130706433", false},
		{"0x7f.1", false},
		{"[::1]", false},
		{"[fd00::1]", false},
		{"100.64.0.1", false},
		{"10.0.0.1", false},
		{"localhost", false},
		{"localhost.", false},
		{"127.0.0.1.", false},
		{"①②⑦.0.0.1", false},
	} {
		c := toHere(t, "https://"+test.host+":"+port+"/", func(o *Options) { o.AllowPrivate, o.Timeout = test.private, 2*time.Second })
		log, results := deliver(t, c)
		if asked.Load() || results[notify.Sent] != 0 || results[notify.Lost] != 1 {
			t.Errorf("%s: asked %v, %v", test.host, asked.Load(), results)
		}
		if ip := net.ParseIP(strings.Trim(test.host, "[]")); ip != nil && !strings.Contains(log, "refused to connect") {
			t.Errorf("%s: %s", test.host, log)
		}
	}
	t.Run("a port where no web server answers", func(t *testing.T) {
		log, results := deliver(t, toHere(t, "https://127.0.0.1:22/", nil))
		if results[notify.Lost] != 1 || !strings.Contains(log, "port 22") {
			t.Errorf("%v: %s", results, log)
		}
	})
	t.Run("a redirect to the metadata service", func(t *testing.T) {
		log, results := deliver(t, toHere(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		}), nil))
		if results[notify.Lost] != 1 || !strings.Contains(log, "redirects are not followed") {
			t.Errorf("%v: %s", results, log)
		}
	})
	t.Run("a name that is moved there", func(t *testing.T) { // rebinding: what a look-up said before does not count
		for _, ip := range []net.IP{net.IPv4(169, 254, 169, 254), net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 0, 1)} {
			c := toHere(t, "https://hooks.example:"+port+"/", func(o *Options) {
				o.AllowPrivate = false
				o.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nameServer(ip), nil }}
			})
			log, results := deliver(t, c)
			if asked.Load() || results[notify.Lost] != 1 || !strings.Contains(log, "refused to connect") || strings.Contains(log, ip.String()) {
				t.Errorf("%s: %v: %s", ip, results, log)
			}
		}
	})
}

// nameServer answers every question of a connection with one address.
func nameServer(ip net.IP) net.Conn {
	here, there := net.Pipe()
	go func() {
		defer func() { _ = there.Close() }()
		for {
			var size [2]byte // of a message over a stream
			if _, err := io.ReadFull(there, size[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(there, query); err != nil {
				return
			}
			end := 12
			for query[end] != 0 {
				end += 1 + int(query[end])
			}
			kind := binary.BigEndian.Uint16(query[end+1:])
			answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end+5]...)
			if kind == 1 { // A
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				answer = append(answer, ip.To4()...)
			}
			if _, err := there.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
				return
			}
		}
	}()
	return here
}

// TestFault6_31_PostsAreSignedAndTheirAnswersAreNotShown: with the time, with either secret while one is exchanged, and under
// the same ID each time; of what is answered nothing is seen.
func TestFault6_31_PostsAreSignedAndTheirAnswersAreNotShown(t *testing.T) {
	type seen struct {
		id        string
		old, next bool
	}
	var mu sync.Mutex
	var posts []seen
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		posts = append(posts, seen{r.Header.Get(outbound.IDHeader), genuine(secret, r, body), genuine("the next one", r, body)})
		w.Header().Set("Set-Cookie", "a="+canary)
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, canary)
	})
	for _, change := range []func(*Options){
		nil,
		func(o *Options) { o.Secret, o.Previous = "the next one", secret },
		func(o *Options) { o.Secret = "the next one" },
	} {
		log, results := deliver(t, toHere(t, url, change))
		if strings.Contains(log, canary) || !strings.Contains(log, "status 500") || results[notify.Lost] != 1 {
			t.Errorf("%v: %s", results, log)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	byID := map[string]int{}
	for i, post := range posts {
		byID[post.id]++
		want := []seen{{post.id, true, false}, {post.id, true, true}, {post.id, false, true}}[len(byID)-1]
		if post != want {
			t.Errorf("post %d: %+v, want %+v", i, post, want)
		}
	}
	if len(byID) != 3 {
		t.Errorf("posts %+v", posts)
	}
}

// TestFault6_38_NoSecretIsTold: whatever goes wrong, neither the path of the address nor a secret nor a header is logged.
func TestFault6_38_NoSecretIsTold(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that are refused here
	secure.StartTLS()
	defer secure.Close()
	none, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = none.Close()
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.String())
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+r.URL.String())
	})
	for name, url := range map[string]string{
		"an unknown certificate": secure.URL, "no TLS": strings.Replace(echo, "http:", "https:", 1), "nobody there": "http://" + none.Addr().String(),
		"no such host": "https://hooks.invalid", "redirects": echo, "refused": "http://169.254.169.254",
	} {
		c := toHere(t, url+"/services/"+canary+"?token="+canary, func(o *Options) {
			o.Secret, o.Previous, o.Headers = canary+" secret", canary+" previous", map[string]string{"Authorization": "Bearer " + canary}
		})
		log, results := deliver(t, c)
		if results[notify.Lost] != 1 || strings.Contains(log, canary) || !strings.Contains(log, "a message was not delivered") {
			t.Errorf("%s: %v: %s", name, results, log)
		}
	}
}

func TestOverTLS(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer secure.Close()
	c := toHere(t, secure.URL, func(o *Options) {
		o.Roots = x509.NewCertPool()
		o.Roots.AddCert(secure.Certificate())
	})
	if err := c.Send(t.Context(), example); err != nil {
		t.Error(err)
	}
	if c.Name() != "ops" {
		t.Error(c.Name())
	}
}

// What resources are called is data: it stays within its text.
func FuzzBody(f *testing.F) {
	f.Add(`","kind":"starting`, "\x1b[31m\n\u2028<script>")
	f.Add("결제", "\xff\x00")
	f.Fuzz(func(t *testing.T, title, line string) {
		c := &Channel{options: Options{Name: "ops"}}
		body, err := c.body(notify.Message{Kind: notify.Failed, At: example.At, Title: title, Lines: []string{line}})
		if err != nil {
			t.Fatal(err)
		}
		var read notify.Content
		if err := json.Unmarshal(body, &read); err != nil || bytes.ContainsAny(body, "\n\r\x00\x1b") {
			t.Fatalf("%q: %v", body, err)
		}
		valid := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
		if len(read.Lines) != 1 || read.Kind != notify.Failed || len(valid(read.Title)) != len(read.Title) {
			t.Fatalf("%q", body)
		}
	})
}
