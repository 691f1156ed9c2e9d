package awssim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server is a simulator bound to an address.
type Server struct {
	Addr string // host:port as bound
	URL  string // http://host:port, for AWS_ENDPOINT_URL
	http *http.Server
	done chan error
}

// Limits of a connection. There is none on the time of an answer: a fault may
// hang for as long as the client waits.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// NewServer binds addr (port 0 takes any free one) and serves the simulator
// there until Close. It has no authentication: bind it to loopback.
func NewServer(addr string, c *Cloud) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", addr) // a local bind does not wait
	if err != nil {
		return nil, fmt.Errorf("bind the simulated AWS to %q: %w", addr, err)
	}
	s := &Server{
		Addr: l.Addr().String(),
		URL:  "http://" + l.Addr().String(),
		http: &http.Server{Handler: c, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader},
		done: make(chan error, 1),
	}
	go func() { s.done <- s.http.Serve(l) }()
	return s, nil
}

// Wait returns when the server has ended: nil after Close.
func (s *Server) Wait() error {
	err := <-s.done
	s.done <- err // for the next who waits
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends the server and its connections at once.
func (s *Server) Close() error { return s.http.Close() }
