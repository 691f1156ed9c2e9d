// Package httpapi is the HTTP surface: the API under /api/v1 with its OpenAPI
// document, the events that a page follows, the page itself, and what machines
// ask (/healthz, /readyz, /metrics). It translates in and out and decides
// nothing; what is asked is answered by package service.
//
// It guarantees, whatever is sent:
//
//   - Every operation says who may ask for it when it is registered. One that
//     does not is a panic at the start, and nothing is allowed by leaving
//     something out.
//   - Whoever is bound to a filter sees what it matches: other resources, and
//     what is only about them, are not found.
//   - Requests are bounded: in headers, body, depth, page size, time and in how
//     many follow events at once.
//   - Every error is a problem document (RFC 9457), and none tells what is
//     inside.
//   - No answer may be read by another origin, put in a frame, or run a script
//     that is not the page's own.
package httpapi

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/fleet"
	"dayshift/internal/service"
)

// The time-outs of the server. An answer that takes longer than answerTimeout
// is given up with a problem, before writeTimeout would cut the connection.
// Events have deadlines of their own.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	answerTimeout     = 25 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Health is what /healthz and /readyz report.
type Health struct {
	OK bool `json:"ok"`
	// Role is "leader" while this process acts and "standby" while another holds the lease.
	Role string `json:"role,omitempty"`
	// Detail is a sentence when something is wrong.
	Detail string `json:"detail,omitempty"`
	// LastPass is when the last pass finished; absent before the first.
	LastPass time.Time `json:"last_pass,omitzero"`
}

// Prober says how the program is.
type Prober interface {
	// Alive reports whether the loop is turning.
	Alive() Health
	// Ready reports whether the program can do its work: configuration loaded,
	// store writable, leader or a willing standby.
	Ready() Health
}

// Program is what the surface asks of the running program. Its methods are safe
// for concurrent use.
type Program interface {
	Prober
	// Service answers with the configuration in force.
	Service() *service.Service
	// Board is what was seen last.
	Board() *service.Board
	// Events hands out what happens.
	Events() *service.Events
	// Changed says that objects or overrides were changed: they are to be taken now.
	Changed()
	// RunNow makes a pass over scopes (none: all) at once and gives the ID of its run.
	RunNow(ctx context.Context, scopes []fleet.Scope, by string) (run string, err error)
	// Confirm has what the limits hold back done.
	Confirm(ctx context.Context, by string) error
	// Doctor says what works in each scope; the answer may be a minute old.
	Doctor(ctx context.Context) ([]service.Checkup, error)
	// Now is the program's clock, Speed how many times faster than the wall it runs.
	Now() time.Time
	Speed() float64
	// Demo reports whether the cloud is a simulated one.
	Demo() bool
}

// OIDC signs people in with an identity provider. Start gives the address that
// the browser is sent to, and a state that the browser keeps in a cookie until it
// comes back; returnTo is a path of the page. Finish reads what it comes back
// with: who it is, with the role that the provider's groups give, and the path
// that was to be gone on to. The text of its error may be shown.
type OIDC interface {
	// Name is what people know the provider by.
	Name() string
	Start(ctx context.Context, returnTo string) (redirect *url.URL, state string, err error)
	Finish(ctx context.Context, query url.Values, state string) (access.Principal, string, error)
}

// Options are what a surface is made of besides the program. The zero Options
// serve the API without a page, to those with a key.
type Options struct {
	// Page are the files of the built page; nil: there is none.
	Page fs.FS
	// Metrics answers /metrics; nil: this listener has no metrics.
	Metrics http.Handler
	// Anonymous reports whether who shows nothing may read; nil: no.
	Anonymous func() bool
	// OIDC gives the identity provider that people sign in with now; nil, or what gives nil: there is none.
	OIDC func() OIDC
	// Chats answer what chat systems post; nil: nothing is.
	Chats Chats
	// Trusted are the addresses of proxies whose X-Forwarded-For and
	// X-Forwarded-Proto are believed.
	Trusted []netip.Prefix
	// TLS: browsers reach this surface by https alone.
	TLS bool
	// Log takes what went wrong inside; nil: slog.Default.
	Log *slog.Logger
}

// Handler serves health and metrics alone. metrics may be nil: then there is no /metrics.
func Handler(program Prober, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	probes(mux, program, metrics)
	return secure(mux)
}

func probes(mux *http.ServeMux, program Prober, metrics http.Handler) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answerHealth(w, program.Alive()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answerHealth(w, program.Ready()) })
	if metrics != nil {
		mux.Handle("GET /metrics", metrics)
	}
}

func answerHealth(w http.ResponseWriter, health Health) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if !health.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(health) // the client has gone: nobody to tell
}

func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", apiPolicy)
		next.ServeHTTP(w, r)
	})
}

// NewServer returns a server with every time-out and bound set. A Surface that
// it serves is closed when the server shuts down.
func NewServer(handler http.Handler) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	if surface, ok := handler.(*Surface); ok {
		server.RegisterOnShutdown(surface.Close)
	}
	return server
}
