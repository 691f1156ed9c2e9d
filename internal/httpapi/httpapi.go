// Package httpapi is the HTTP surface. In this version it answers the three
// questions that machines ask: are you alive (/healthz), may I send you work
// (/readyz), what have you counted (/metrics). It decides nothing and names no
// secret.
package httpapi

import (
	"encoding/json"
	"net/http"
	"time"
)

// The time-outs of the server: requests are small and answers come from
// memory, so whoever is slower than this is broken or hostile.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
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

// Program is what the surface asks of the running program.
type Program interface {
	// Alive reports whether the loop is turning.
	Alive() Health
	// Ready reports whether the program can do its work: configuration loaded,
	// store writable, leader or a willing standby.
	Ready() Health
}

// Handler serves the surface. metrics may be nil: then there is no /metrics.
func Handler(program Program, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, program.Alive()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, program.Ready()) })
	if metrics != nil {
		mux.Handle("GET /metrics", metrics)
	}
	return secure(mux)
}

func answer(w http.ResponseWriter, health Health) {
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
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// NewServer returns a server with every time-out and bound set.
func NewServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
}
