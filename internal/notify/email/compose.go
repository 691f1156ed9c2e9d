package email

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
	"unicode/utf8"

	"dayshift/internal/notify"
)

// maxText is more than the lines of a message come to.
const maxText = 64 << 10

// compose writes the mail.
func (c *Channel) compose(m notify.Message) []byte {
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	_, domain, _ := strings.Cut(c.from.Address, "@")
	for _, header := range [][2]string{
		{"From", c.from.String()},
		{"To", addresses(c.to)},
		{"Subject", subject(m.Title)},
		{"Date", c.options.Now().UTC().Format(time.RFC1123Z)},
		{"Message-ID", "<" + messageID(m.ID, c.options.Now()) + "@" + domain + ">"},
		{"Auto-Submitted", "auto-generated"}, // RFC 3834: nobody answers it by a machine
		{"X-Auto-Response-Suppress", "All"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "multipart/alternative; boundary=" + parts.Boundary()},
	} {
		b.WriteString(header[0] + ": " + header[1] + "\r\n")
	}
	b.WriteString("\r\n")
	for _, part := range []struct{ kind, text string }{{"text/plain", plain(m)}, {"text/html", page(m)}} {
		into, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
		if err != nil {
			continue // a buffer takes everything
		}
		encoder := quotedprintable.NewWriter(into)
		_, _ = encoder.Write([]byte(strings.ReplaceAll(part.text, "\n", "\r\n")))
		_ = encoder.Close()
	}
	_ = parts.Close()
	return b.Bytes()
}

func addresses(list []*mail.Address) string {
	texts := make([]string, len(list))
	for i, address := range list {
		texts[i] = address.String()
	}
	return strings.Join(texts, ",\r\n ")
}

const (
	// maxPlain keeps a subject below the 998 characters of a line of a mail.
	maxPlain = 900
	// maxWord is how many bytes of a title one encoded word holds: with four characters for three of them, and what is around
	// them, it has less than the 75 characters that RFC 2047 allows.
	maxWord = 42
)

// subject is a title as a header takes it: what is not printable ASCII is encoded (RFC 2047), each word of that on a line, and so
// is what would be read as such a word.
func subject(title string) string {
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	if len(title) <= maxPlain && !strings.Contains(title, "=?") && !strings.ContainsFunc(title, odd) {
		return title
	}
	var words []string
	word := func(text string) {
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(text))+"?=")
	}
	begin := 0
	for i, r := range title {
		if i+utf8.RuneLen(r)-begin > maxWord {
			word(title[begin:i])
			begin = i
		}
	}
	word(title[begin:])
	return strings.Join(words, "\r\n ")
}

// messageID is the left side of a Message-ID: letters, digits and hyphens.
func messageID(id string, now time.Time) string {
	id = strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, id)
	if id = strings.Trim(id, "."); id == "" {
		id = fmt.Sprintf("%d", now.UnixNano())
	}
	return "dayshift-" + strings.ReplaceAll(id, "..", ".")
}

func plain(m notify.Message) string {
	var b strings.Builder
	b.WriteString(m.Text(maxText) + "\n")
	for i, choice := range m.Links() {
		if i == 0 {
			b.WriteString("\n")
		}
		b.WriteString(choice.Label + ": " + choice.Link + "\n")
	}
	return b.String()
}

// colors are those of the line beside a message.
var colors = map[notify.Tone]string{notify.News: "#3d52a5", notify.Warning: "#f0a31c", notify.Alarm: "#c4314b"}

func page(m notify.Message) string {
	var b strings.Builder
	language := m.Language
	if language == "" {
		language = "en"
	}
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"%s\"><body>\n<div style=\"border-left:4px solid %s;padding-left:12px;font-family:sans-serif\">\n<p><strong>%s</strong></p>\n<p>",
		html.EscapeString(string(language)), colors[m.Kind.Tone()], html.EscapeString(m.Title))
	for i, line := range m.Fitting(maxText, notify.Bytes) {
		if i > 0 {
			b.WriteString("<br>\n")
		}
		b.WriteString(html.EscapeString(line))
	}
	b.WriteString("</p>\n")
	if links := m.Links(); len(links) > 0 {
		b.WriteString("<p>")
		for i, choice := range links {
			if i > 0 {
				b.WriteString(" · ")
			}
			fmt.Fprintf(&b, "<a href=\"%s\">%s</a>", html.EscapeString(choice.Link), html.EscapeString(choice.Label))
		}
		b.WriteString("</p>\n")
	}
	b.WriteString("</div>\n</body></html>\n")
	return b.String()
}
