// Package email is the channel that sends messages by SMTP (RFC 5321), over TLS alone.
//
// A message is a text with its lines, and the same as simple HTML. What
// resources are called is data: it can neither add a header nor a recipient nor
// a tag. The Message-ID is made of the message's ID, so that a mail that is
// sent twice is known again. What may go through later (a code from 400 to 499,
// no answer) is told as a notify.RetryError; errors tell the command and the
// code that answered it, and nothing else of what the server says.
package email

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

const (
	// timeout bounds one mail, from the connection to the last answer.
	timeout = 12 * time.Second
	// closing is the code of a server that says no more after it.
	closing = 421
	// maxAnswers is how much is read of a server, in bytes: its certificate, and a line for each command.
	maxAnswers = 1 << 20
)

// Options are what a channel is made of.
type Options struct {
	Name string // of the channel, in errors
	// Server is HOST:PORT. Implicit: it speaks TLS from the first byte; otherwise it is asked to, and has to.
	Server   string
	Implicit bool
	// Username and Password sign in; empty: nobody does.
	Username, Password string
	From               string // as a header has it: a name and an address, or an address
	To                 []string
	AllowPrivate       bool             // its host may be at a private address
	Now                func() time.Time // required

	Timeout  time.Duration  // 0: 12 seconds
	Roots    *x509.CertPool // nil: the machine's
	Resolver *net.Resolver  // nil: the machine's
}

// Channel sends mails. Use New.
type Channel struct {
	options Options
	host    string
	from    *mail.Address
	to      []*mail.Address
}

var _ notify.Sender = (*Channel)(nil)

// New returns the channel, or says what is wrong with its server or an address.
func New(options Options) (*Channel, error) {
	c := &Channel{options: options}
	var port string
	var err error
	if c.host, port, err = net.SplitHostPort(options.Server); err != nil || c.host == "" || port == "" {
		return nil, fmt.Errorf("channel %s: the server is not HOST:PORT", options.Name)
	}
	if c.from, err = mail.ParseAddress(options.From); err != nil {
		return nil, fmt.Errorf("channel %s: the sender is no address: %w", options.Name, err)
	}
	for _, to := range options.To {
		address, err := mail.ParseAddress(to)
		if err != nil {
			return nil, fmt.Errorf("channel %s: a recipient is no address: %w", options.Name, err)
		}
		c.to = append(c.to, address)
	}
	if len(c.to) == 0 {
		return nil, fmt.Errorf("channel %s: it has no recipient", options.Name)
	}
	if c.options.Timeout <= 0 {
		c.options.Timeout = timeout
	}
	return c, nil
}

// Name implements notify.Sender.
func (c *Channel) Name() string { return c.options.Name }

// Send implements notify.Sender. Where the server takes the mail for some recipients alone, they get it, and the error names the others.
func (c *Channel) Send(ctx context.Context, m notify.Message) error {
	late := fmt.Errorf("no end within %s", c.options.Timeout)
	within, cancel := context.WithTimeoutCause(ctx, c.options.Timeout, late)
	defer cancel()
	err := c.send(within, m)
	var refused *outbound.RefusedError
	if err != nil && within.Err() != nil && !errors.As(err, &refused) {
		err = &notify.RetryError{Err: context.Cause(within)}
	}
	if err != nil {
		return fmt.Errorf("mail by %s: %w", c.options.Server, err)
	}
	return nil
}

func (c *Channel) send(ctx context.Context, m notify.Message) error {
	dialer := outbound.Guard{Private: c.options.AllowPrivate, Unless: "it has no allow_private: true"}.Dialer()
	dialer.Resolver = c.options.Resolver
	raw, err := dialer.DialContext(ctx, "tcp", c.options.Server)
	if err != nil {
		return failed("the connection", err)
	}
	defer func() { _ = raw.Close() }() // what counts has been answered
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	var conn net.Conn = &bounded{raw, maxAnswers}
	security := &tls.Config{ServerName: c.host, RootCAs: c.options.Roots, MinVersion: tls.VersionTLS12}
	if c.options.Implicit {
		conn = tls.Client(conn, security)
	}
	client, err := smtp.NewClient(conn, c.host)
	if err != nil {
		return failed("the greeting", err)
	}
	_, domain, _ := strings.Cut(c.from.Address, "@")
	if err := client.Hello(domain); err != nil {
		return failed("EHLO", err)
	}
	if !c.options.Implicit {
		if offered, _ := client.Extension("STARTTLS"); !offered {
			return errors.New("it offers no STARTTLS, and nothing is sent for all to read; for a server that speaks TLS at once write tls: implicit")
		}
		if err := client.StartTLS(security); err != nil {
			return failed("STARTTLS", err)
		}
	}
	if err := c.signIn(client); err != nil {
		return err
	}
	if err := client.Mail(c.from.Address); err != nil {
		return failed("MAIL", err)
	}
	refused, err := c.recipients(client)
	if err != nil {
		return err
	}
	into, err := client.Data()
	if err != nil {
		return failed("DATA", err)
	}
	if _, err := into.Write(c.compose(m)); err != nil {
		return failed("the text", err)
	}
	if err := into.Close(); err != nil {
		return failed("the text", err)
	}
	_ = client.Quit() // it was taken
	if len(refused) > 0 {
		return fmt.Errorf("it was sent, but not to %s", strings.Join(refused, ", "))
	}
	return nil
}

// signIn signs in, where there is somebody to sign in as, by what the server offers.
func (c *Channel) signIn(client *smtp.Client) error {
	if c.options.Username == "" {
		return nil
	}
	_, offered := client.Extension("AUTH")
	var auth smtp.Auth
	for way := range strings.FieldsSeq(strings.ToUpper(offered)) {
		switch {
		case way == "PLAIN":
			auth = smtp.PlainAuth("", c.options.Username, c.options.Password, c.host)
		case way == "LOGIN" && auth == nil:
			auth = &login{c.options.Username, c.options.Password}
		}
	}
	if auth == nil {
		return errors.New("it offers no way to sign in that is known (PLAIN, LOGIN); remove username and password where it asks for none")
	}
	if err := client.Auth(auth); err != nil {
		return failed("AUTH", err)
	}
	return nil
}

// recipients names them to the server. refused are those that it does not take; where it takes none, that is an error, and worth
// another try as long as it may take one of them later.
func (c *Channel) recipients(client *smtp.Client) (refused []string, err error) {
	passes := false
	for _, to := range c.to {
		why := client.Rcpt(to.Address)
		var code *textproto.Error
		switch {
		case why == nil:
		case !errors.As(why, &code), code.Code == closing:
			return nil, failed("RCPT", why)
		default:
			refused = append(refused, fmt.Sprintf("%s (%d)", to.Address, code.Code))
			passes = passes || code.Code < 500
		}
	}
	if len(refused) < len(c.to) {
		return refused, nil
	}
	err = fmt.Errorf("it takes no mail for %s", strings.Join(refused, ", "))
	if passes {
		return nil, &notify.RetryError{Err: err}
	}
	return nil, err
}

// failed says what of a conversation failed, and whether another try is worth it.
func failed(what string, err error) error {
	var refused *outbound.RefusedError
	var code *textproto.Error
	var network net.Error
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &code) && code.Code >= 500:
		return fmt.Errorf("it answers %s with %d", what, code.Code)
	case errors.As(err, &code):
		return &notify.RetryError{Err: fmt.Errorf("it answers %s with %d", what, code.Code)}
	case errors.As(err, &network), isTLS(err):
		return &notify.RetryError{Err: fmt.Errorf("%s: %w", what, outbound.Failure(err))}
	}
	return &notify.RetryError{Err: fmt.Errorf("%s: it does not answer as a mail server does", what)}
}

func isTLS(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert)
}

// bounded is a connection of which no more than so many bytes are read.
type bounded struct {
	net.Conn

	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// login is AUTH LOGIN, which some servers offer alone.
type login struct{ username, password string }

// Start implements smtp.Auth.
func (l *login) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS {
		return "", nil, errors.New("the connection is not encrypted")
	}
	return "LOGIN", nil, nil
}

// Next implements smtp.Auth.
func (l *login) Next(asked []byte, more bool) ([]byte, error) {
	switch question := strings.ToLower(strings.TrimRight(string(asked), ": \x00")); {
	case !more:
		return nil, nil
	case strings.HasPrefix(question, "user"):
		return []byte(l.username), nil
	case strings.HasPrefix(question, "pass"):
		return []byte(l.password), nil
	}
	return nil, errors.New("it asks for something else than a name and a password")
}
