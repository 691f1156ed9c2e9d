package config

import (
	"net"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dayshift/internal/say"
)

// patternBus is the ARN of an event bus.
const patternBus = `^arn:(aws|aws-cn|aws-us-gov):events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._-]{1,256}$`

var busPattern = regexp.MustCompile(patternBus)

// Bounds of mails.
const (
	maxRecipients  = 50
	maxMailAddress = 320
)

// implicitPort is where mail servers speak TLS from the first byte (RFC 8314).
const implicitPort = "465"

// ImplicitTLS reports whether the mail server of the channel speaks TLS from the first byte.
func (c *Channel) ImplicitTLS() bool {
	if c.TLS == "" {
		_, port, err := net.SplitHostPort(c.SMTP)
		return err == nil && port == implicitPort
	}
	return c.TLS == "implicit"
}

func (b *builder) mailServer(at, text string) {
	host, port, err := net.SplitHostPort(text)
	number, numeric := strconv.Atoi(port)
	if err != nil || host == "" || numeric != nil || number < 1 || number > 65535 || strings.ContainsAny(host, "/@ \t") {
		b.faultAt(at, Fault{Text: text, Problem: say.F("is not a mail server"), Allowed: say.F("HOST:PORT, such as smtp.example.com:587")})
	}
}

func (b *builder) mailAddress(at, text string) {
	address, err := mail.ParseAddress(text)
	if err != nil || len(text) > maxMailAddress || strings.ContainsFunc(address.Address, func(r rune) bool { return r <= ' ' || r > '~' }) {
		b.faultAt(at, Fault{Text: text, Problem: say.F("is not a mail address"), Allowed: say.F("NAME@DOMAIN, or a name and NAME@DOMAIN in angle brackets")})
	}
}

func (b *builder) recipients(path string, list []string) {
	if len(list) == 0 || len(list) > maxRecipients {
		b.faultAt(path, Fault{Problem: say.F("has %d recipients", len(list)), Allowed: say.F("1 to %d", maxRecipients)})
	}
	for i, text := range list {
		at := index(path, i)
		if b.unread(at) {
			continue
		}
		b.mailAddress(at, text)
		if slices.Contains(list[:i], text) {
			b.faultAt(at, Fault{Text: text, Problem: say.F("is given twice"), Fix: say.F("remove one of the two")})
		}
	}
}

// mailUser checks who signs in to the mail server.
func (b *builder) mailUser(path string, c *Channel) {
	if c.Password.value != "" {
		c.Password = b.roomSecret(path+".password", c.Password)
	}
	_, user := b.keys[path+".username"]
	_, password := b.keys[path+".password"]
	if user != password {
		missing, example := "password", "${DAYSHIFT_SMTP_PASSWORD}"
		if password {
			missing, example = "username", "dayshift"
		}
		b.faultAt(path, Fault{Problem: say.F("has no %s", missing), Fix: say.F("add %s: %s", missing, example)})
	}
}
