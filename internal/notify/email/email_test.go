package email

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"dayshift/internal/notify"
	"dayshift/internal/notify/roomtest"
)

// server is a mail server that answers as it is told and keeps what it was given.
type server struct {
	address string
	roots   *x509.CertPool
	// answers are what commands are answered with instead, by their first word, or their whole line.
	answers  map[string]string
	auth     string // what it offers
	implicit bool
	noTLS    bool

	mu    sync.Mutex
	lines []string // of commands
	data  string
}

func serve(t *testing.T, change func(*server)) *server {
	t.Helper()
	s := &server{answers: map[string]string{}, auth: "LOGIN PLAIN", roots: x509.NewCertPool()}
	if change != nil {
		change(s)
	}
	certified := httptest.NewTLSServer(nil)
	certified.Close()
	s.roots.AddCert(certified.Certificate())
	security := &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	var group sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		group.Wait()
	})
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer func() { _ = conn.Close() }()
				if s.implicit {
					conn = tls.Server(conn, security)
				}
				s.talk(conn, security, s.implicit)
			})
		}
	})
	return s
}

func (s *server) talk(conn net.Conn, security *tls.Config, secure bool) {
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(conn)
	say := func(text string) { _, _ = io.WriteString(conn, text+"\r\n") }
	if greeting, set := s.answers["greeting"]; set {
		say(greeting)
	} else {
		say("220 mail.example canary")
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		s.mu.Lock()
		s.lines = append(s.lines, line)
		s.mu.Unlock()
		answer, set := s.answers[line]
		if !set {
			answer, set = s.answers[verb]
		}
		switch {
		case set && answer == "hang":
			_, _ = r.ReadString('\n')
			return
		case set:
			say(answer)
		case verb == "EHLO":
			say("250-mail.example")
			if !secure && !s.noTLS {
				say("250-STARTTLS")
			}
			say("250-AUTH " + s.auth + "\r\n250 8BITMIME")
		case verb == "STARTTLS":
			say("220 go")
			conn = tls.Server(conn, security)
			r, secure = bufio.NewReader(conn), true
		case verb == "AUTH" && strings.HasPrefix(rest, "LOGIN"):
			say("334 " + base64.StdEncoding.EncodeToString([]byte("Username:")))
			user, _ := r.ReadString('\n')
			say("334 " + base64.StdEncoding.EncodeToString([]byte("Password:")))
			password, _ := r.ReadString('\n')
			s.mu.Lock()
			s.lines = append(s.lines, strings.TrimSpace(user), strings.TrimSpace(password))
			s.mu.Unlock()
			say("235 in")
		case verb == "AUTH":
			say("235 in")
		case verb == "DATA":
			say("354 go on")
			var data strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				data.WriteString(strings.TrimPrefix(line, "."))
			}
			s.mu.Lock()
			s.data = data.String()
			s.mu.Unlock()
			if end, set := s.answers["."]; set {
				say(end)
			} else {
				say("250 taken")
			}
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *server) channel(t *testing.T, change func(*Options)) *Channel {
	t.Helper()
	o := Options{
		Name: "ops", Server: s.address, Implicit: s.implicit, Username: "dayshift", Password: "canary-password", From: "Dayshift <dayshift@example.com>", To: []string{"ops@example.com", "서울 <seoul@example.com>"},
		AllowPrivate: true, Now: func() time.Time { return roomtest.Sent }, Roots: s.roots, Timeout: 3 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// read takes a mail apart: its header, its text and its HTML.
func read(t *testing.T, data string) (*mail.Message, string, string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatal(kind, err)
	}
	var texts []string
	for parts := multipart.NewReader(m.Body, parameters["boundary"]); ; {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, strings.ReplaceAll(string(text), "\r\n", "\n"))
	}
	if len(texts) != 2 {
		t.Fatalf("%q", texts)
	}
	return m, texts[0], texts[1]
}

func TestSend(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		s := serve(t, func(s *server) { s.implicit = implicit })
		if err := s.channel(t, nil).Send(t.Context(), roomtest.Warning("seoul-office", "결제", "why")); err != nil {
			t.Fatal(err)
		}
		m, text, page := read(t, s.data)
		to, err := m.Header.AddressList("To")
		if err != nil || len(to) != 2 || to[1].Address != "seoul@example.com" || to[1].Name != "서울" {
			t.Errorf("%v, %v", to, err)
		}
		for name, want := range map[string]string{
			"From": `"Dayshift" <dayshift@example.com>`, "Subject": "1 resource will be stopped soon (schedule seoul-office)", "Date": "Mon, 03 Aug 2026 18:00:00 +0000",
			"Message-Id": "<dayshift-IXJVPC3Y7NQK5E2DZW4M6TB7RA@example.com>", "Auto-Submitted": "auto-generated",
		} {
			if got := m.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		const link = "https://dayshift.example.com/?keep=schedule%3Aseoul-office&until=2026-08-03T19%3A00%3A00Z"
		if !strings.HasPrefix(text, "1 resource will be stopped soon (schedule seoul-office)\n결제 i-1 in 111122223333/ap-northeast-2: why\n") || !strings.Contains(text, "\n+1 h (19:00): "+link+"\n") {
			t.Errorf("%s", text)
		}
		if !strings.Contains(page, `<a href="`+strings.ReplaceAll(link, "&", "&amp;")+`">+1 h (19:00)</a>`) || !strings.Contains(page, "결제 i-1") {
			t.Errorf("%s", page)
		}
		got := strings.Join(s.lines, "\n")
		for _, want := range []string{"EHLO example.com", "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00dayshift\x00canary-password")), "MAIL FROM:<dayshift@example.com>", "RCPT TO:<ops@example.com>\nRCPT TO:<seoul@example.com>", "QUIT"} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is not in\n%s", want, got)
			}
		}
	}
}

func TestLogin(t *testing.T) {
	s := serve(t, func(s *server) { s.auth = "XOAUTH2 LOGIN" })
	if err := s.channel(t, nil).Send(t.Context(), roomtest.Example); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.lines, " "); !strings.Contains(got, "AUTH LOGIN "+base64.StdEncoding.EncodeToString([]byte("dayshift"))+" "+base64.StdEncoding.EncodeToString([]byte("canary-password"))) {
		t.Error(got)
	}
}

// No name adds a header, a recipient or a tag.
func TestNamesAreData(t *testing.T) {
	s := serve(t, nil)
	const hostile = "x\r\nBcc: evil@example.com\r\n\r\n.\r\nRCPT TO:<evil@example.com> <script>alert(1)</script> <a href=\"https://evil.example\">"
	m := roomtest.Group(notify.Failed, hostile, hostile, hostile)
	m.Title, m.ID = "결제 "+hostile+strings.Repeat("용량", 100), "a>\r\nBcc: evil@example.com"
	m.Lines = append(m.Lines, hostile, ".")
	if err := s.channel(t, nil).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got, text, page := read(t, s.data)
	decoded, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if err != nil || decoded != m.Title || got.Header.Get("Bcc") != "" || len(got.Header) != 9 || got.Header.Get("Message-Id") != "<dayshift-aBccevilexample.com@example.com>" {
		t.Errorf("%q, %v: %v", decoded, err, got.Header)
	}
	if strings.Contains(page, "<script") || strings.Contains(page, `<a href="https://evil`) || !strings.Contains(text, "<script>alert(1)</script>") || !strings.HasSuffix(text, "\n.\n") {
		t.Errorf("%s\n%s", text, page)
	}
	if strings.Contains(strings.Join(s.lines, "\n"), "evil") {
		t.Errorf("%q", s.lines)
	}
	for line := range strings.SplitSeq(s.data, "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

// A subject is read back as it was, on lines that a mail may have, and no title passes for an encoded one.
func TestSubject(t *testing.T) {
	for _, title := range []string{
		"2 resources are ready", "결제 2개를 중지합니다 (스케줄 서울)", "=?utf-8?q?Paid?=", "a =?utf-8?b?4pyT?= b", "결제 =?utf-8?q?Paid?= b", "?= =?", strings.Repeat("용량 ", 133), strings.Repeat("😀", 400),
		strings.Repeat("ascii", 400), "a\r\nBcc: x@example.com",
	} {
		header := "Subject: " + subject(title) + "\r\n\r\n"
		m, err := mail.ReadMessage(strings.NewReader(header))
		if err != nil {
			t.Fatalf("%q: %v", header, err)
		}
		if got, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); got != title || err != nil || len(m.Header) != 1 {
			t.Errorf("%q is read as %q, %v", title, got, err)
		}
		for word := range strings.FieldsSeq(subject(title)) {
			if strings.HasPrefix(word, "=?") && len(word) > 75 {
				t.Errorf("a word of %d characters: %s", len(word), word)
			}
		}
		for line := range strings.SplitSeq(header, "\r\n") {
			if len(line) > 998 {
				t.Errorf("a line of %d characters", len(line))
			}
		}
	}
}

func TestWhatServersAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*server)
		says   string
		again  bool
	}{
		{"is busy", func(s *server) { s.answers["greeting"] = "421 canary" }, "the greeting with 421", true},
		{"serves nobody", func(s *server) { s.answers["greeting"] = "554 canary" }, "the greeting with 554", false},
		{"is none", func(s *server) { s.answers["greeting"] = "HTTP/1.1 400 canary" }, "does not answer as a mail server does", true},
		{"offers no TLS", func(s *server) { s.noTLS = true }, "offers no STARTTLS", false},
		{"can not speak TLS now", func(s *server) { s.answers["STARTTLS"] = "454 canary" }, "STARTTLS with 454", true},
		{"knows no such user", func(s *server) { s.answers["AUTH"] = "535 canary" }, "AUTH with 535", false},
		{"can not look up users now", func(s *server) { s.answers["AUTH"] = "454 canary" }, "AUTH with 454", true},
		{"offers other ways", func(s *server) { s.auth = "XOAUTH2" }, "no way to sign in that is known", false},
		{"knows no such sender", func(s *server) { s.answers["MAIL"] = "550 canary" }, "MAIL with 550", false},
		{"is full", func(s *server) { s.answers["MAIL"] = "452 canary" }, "MAIL with 452", true},
		{"knows no recipient", func(s *server) { s.answers["RCPT"] = "550 canary" }, "no mail for ops@example.com (550), seoul@example.com (550)", false},
		{"knows recipients later", func(s *server) { s.answers["RCPT"] = "450 canary" }, "no mail for ops@example.com (450), seoul@example.com (450)", true},
		{"knows one recipient later and one never", func(s *server) {
			s.answers["RCPT TO:<ops@example.com>"], s.answers["RCPT TO:<seoul@example.com>"] = "450 canary", "550 canary"
		}, "no mail for ops@example.com (450), seoul@example.com (550)", true},
		{"closes", func(s *server) { s.answers["RCPT TO:<seoul@example.com>"] = "421 canary" }, "RCPT with 421", true},
		{"knows one recipient", func(s *server) { s.answers["RCPT TO:<seoul@example.com>"] = "550 canary" }, "it was sent, but not to seoul@example.com (550)", false},
		{"takes no text", func(s *server) { s.answers["DATA"] = "554 canary" }, "DATA with 554", false},
		{"takes this text not", func(s *server) { s.answers["."] = "554 canary" }, "the text with 554", false},
		{"takes the text later", func(s *server) { s.answers["."] = "451 canary" }, "the text with 451", true},
		{"hangs", func(s *server) { s.answers["MAIL"] = "hang" }, "no end within 300ms", true},
		{"never ends a line", func(s *server) { s.answers["greeting"] = strings.Repeat("canary", 1<<18) }, "does not answer as a mail server does", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.change)
			err := s.channel(t, func(o *Options) {
				if test.name == "hangs" {
					o.Timeout = 300 * time.Millisecond
				}
			}).Send(t.Context(), roomtest.Example)
			var again notify.Retryable
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "canary") || errors.As(err, &again) != test.again {
				t.Errorf("%v, again %v", err, again != nil)
			}
			if sent := s.data != ""; sent != (strings.HasPrefix(test.says, "it was sent") || strings.HasPrefix(test.says, "the text")) {
				t.Errorf("sent is %q", s.data)
			}
			if s.noTLS && strings.Contains(strings.Join(s.lines, " "), "AUTH") {
				t.Errorf("a password was sent in the clear: %q", s.lines)
			}
		})
	}
}

func TestWhereMailsGo(t *testing.T) {
	s := serve(t, nil)
	var again notify.Retryable
	for name, test := range map[string]struct {
		change func(*Options)
		says   string
		again  bool
	}{
		"a private address":      {func(o *Options) { o.AllowPrivate = false }, "allow_private", false},
		"the metadata service":   {func(o *Options) { o.Server = "169.254.169.254:25" }, "metadata", false},
		"an unknown certificate": {func(o *Options) { o.Roots = x509.NewCertPool() }, "its certificate is not trusted", true},
		"another host's":         {func(o *Options) { o.Server = strings.Replace(o.Server, "127.0.0.1", "localhost", 1) }, "its certificate is not trusted", true},
	} {
		if err := s.channel(t, test.change).Send(t.Context(), roomtest.Example); err == nil || !strings.Contains(err.Error(), test.says) || errors.As(err, &again) != test.again || s.data != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"no port": {Server: "mail.example", From: "a@b.example", To: []string{"a@b.example"}}, "no sender": {Server: "mail.example:25", To: []string{"a@b.example"}},
		"no recipient": {Server: "mail.example:25", From: "a@b.example"}, "two in one": {Server: "mail.example:25", From: "a@b.example", To: []string{"a@b.example\r\nBcc: x@b.example"}},
	} {
		if _, err := New(o); err == nil {
			t.Error(name)
		}
	}
}
