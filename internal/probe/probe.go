// Package probe looks from outside whether something answers: by a TCP
// connection or an HTTP request; and calls addresses that people wrote down.
//
// A probe is bounded in time and in what it reads, follows no redirect, goes
// through no proxy, sends no credentials and checks the certificate of whoever
// answers by TLS. Which addresses it may connect to is the Guard's to say,
// asked with the address that names were resolved to. It tells what it found
// and decides nothing.
package probe

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dayshift/internal/outbound"
)

// Timeout bounds one probe where Prober does not say: what serves people takes
// less, and what takes longer is asked again soon.
const Timeout = 10 * time.Second

// maxBody bounds what is read of an answer: what a health check says fits into it many times over.
const maxBody = 64 << 10

// Guard says whether a connection may go to an address: it is a net.Dialer's Control.
type Guard func(network, address string, conn syscall.RawConn) error

// Prober probes. It may be used by several goroutines at once.
type Prober struct {
	Guard   Guard         // of looks (TCP, HTTP); required for them
	Calls   Guard         // of calls (Post); required for them
	Timeout time.Duration // of one probe; 0: Timeout
	Version string        // of the program, for who is asked
	// Sign gives the headers of a call that tell whoever is called when it was made and by whom; nil: none.
	Sign func(id string, body []byte) map[string]string

	// Dial, when not nil, connects in place of the network: a simulated cloud has members of its own.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	roots *x509.CertPool // of tests; nil: the system's
}

// errNoGuard is the answer of a Prober that does not know where it may connect to.
var errNoGuard = errors.New("nobody says which addresses may be probed")

// within bounds a probe; late is the cause of its end.
func (p *Prober) within(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = Timeout
	}
	return context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
}

func (p *Prober) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.Dial != nil {
		return p.Dial(ctx, network, address)
	}
	return p.Guard.dial(ctx, network, address)
}

func (g Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if g == nil {
		return nil, errNoGuard
	}
	dialer := net.Dialer{Control: g}
	return dialer.DialContext(ctx, network, address)
}

// TCP connects to a port of a host, an address or a name, and hangs up. nil: somebody accepted.
func (p *Prober) TCP(ctx context.Context, host string, port int) error {
	limited, cancel := p.within(ctx)
	defer cancel()
	address, err := hostPort(host, port)
	if err != nil {
		return err
	}
	conn, err := p.dial(limited, "tcp", address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, failure(limited, err))
	}
	_ = conn.Close() // it was opened, which is all that was asked
	return nil
}

func hostPort(host string, port int) (string, error) {
	switch {
	case host == "":
		return "", errors.New("its address is not known; give the gate a host")
	case port < 1 || port > 65535:
		return "", fmt.Errorf("port %d: expected 1 to 65535", port)
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port)), nil
}

// HTTP asks for an address with GET and returns the status of the answer, a
// redirect's included: it is not followed.
func (p *Prober) HTTP(ctx context.Context, address string) (status int, err error) {
	limited, cancel := p.within(ctx)
	defer cancel()
	u, err := outbound.ParseAddress(address, anAddress)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(limited, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, errors.New("the address can not be asked for")
	}
	req.Header.Set("User-Agent", "dayshift/"+p.Version)
	transport := outbound.Transport(p.dial, p.roots)
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, fmt.Errorf("ask %s: %w", u.Host, failure(limited, err))
	}
	defer func() { _ = resp.Body.Close() }() // its status is known
	// What breaks off in the middle does not serve yet.
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody)); err != nil {
		return 0, fmt.Errorf("read the answer of %s: %w", u.Host, failure(limited, err))
	}
	return resp.StatusCode, nil
}

// anAddress is what an address should be.
const anAddress = "http://HOST:PORT/PATH or https://HOST/PATH"

// Post sends JSON to an address that somebody wrote down, and returns the status of the answer and its first words. The ID
// is that of what is sent: whoever gets it twice can tell. A timeout of 0 is that of a probe. What goes wrong
// is told without the address, whose path can be a secret.
func (p *Prober) Post(ctx context.Context, address, id string, body []byte, timeout time.Duration) (status int, said string, err error) {
	if timeout <= 0 {
		timeout = Timeout
	}
	limited, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	u, err := outbound.ParseAddress(address, anAddress)
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(limited, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return 0, "", errors.New("the address can not be called")
	}
	req.Header.Set("User-Agent", "dayshift/"+p.Version)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", id)
	if p.Sign != nil {
		for name, value := range p.Sign(id, body) {
			req.Header.Set(name, value)
		}
	}
	transport := outbound.Transport(p.Calls.dial, p.roots)
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, "", fmt.Errorf("call %s: %w", u.Host, failure(limited, err))
	}
	defer func() { _ = resp.Body.Close() }() // what counts of it has been read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxSaid))
	if err != nil {
		return resp.StatusCode, "", nil // the status says what became of it
	}
	return resp.StatusCode, strings.ToValidUTF8(strings.TrimSpace(string(answer)), ""), nil
}

// maxSaid bounds what is read of the answer to a call: its first line is shown to people.
const maxSaid = 1 << 10

// failure says whose the end was: a probe's own time is told apart from the caller's.
func failure(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
