package app

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/config"
	"dayshift/internal/httpapi"
	"dayshift/internal/lifecycle"
	"dayshift/internal/oidc"
	"dayshift/web"
)

// anonymousRead is the word of the configuration that lets everybody look.
const anonymousRead = "read"

// surface makes what answers at the public address.
func (d *Daemon) surface(local bool) (*httpapi.Surface, error) {
	loaded := d.present().Config
	options := httpapi.Options{
		Page: web.Files(), Trusted: loaded.Web.Trusted, TLS: loaded.Web.Cert != "", Log: d.Log,
		Anonymous: func() bool { return d.present().Config.Config.Auth.Anonymous == anonymousRead },
	}
	if local && loaded.Config.MetricsListen == "" {
		options.Metrics = d.Metrics.Handler()
	}
	if _, err := d.page.people.of(d.inForce); err != nil {
		return nil, err
	}
	options.Chats = d.chats
	options.OIDC = func() httpapi.OIDC {
		if provider := d.provider(); provider != nil {
			return provider
		}
		return nil
	}
	return httpapi.New(d, options), nil
}

// identityProvider lets people in by rules: groups and what these give. What a
// person shows of it ends with the rules.
type identityProvider struct {
	*oidc.Provider

	rules string
}

// Finish implements httpapi.OIDC.
func (p *identityProvider) Finish(ctx context.Context, query url.Values, state string) (access.Principal, string, error) {
	principal, to, err := p.Provider.Finish(ctx, query, state)
	principal.Proof = p.rules
	return principal, to, err
}

// people keeps the identity provider of the configuration in force.
type people struct {
	mu       sync.Mutex
	loaded   *config.Loaded    // that it was asked for last
	provider *identityProvider // nil: there is none
}

// of gives the provider of the configuration in force, nil where it has none: the
// one before for as long as nothing about it changes, so that sign-ins under way go on.
func (p *people) of(present func() *config.Loaded) (*identityProvider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	loaded, before := present(), p.loaded // under the lock: nobody goes back to one that was replaced
	if before == loaded || before != nil && before.Web.OIDC == loaded.Web.OIDC && reflect.DeepEqual(before.Config.Auth.OIDC, loaded.Config.Auth.OIDC) {
		p.loaded = loaded
		return p.provider, nil
	}
	var next *identityProvider
	if loaded.Web.OIDC {
		var err error
		if next, err = signIn(&loaded.Config.Auth.OIDC); err != nil {
			return nil, err
		}
	}
	p.loaded, p.provider = loaded, next
	return next, nil
}

func (d *Daemon) inForce() *config.Loaded { return d.present().Config }

// provider is the identity provider of the configuration in force; nil: nobody signs in with one.
func (d *Daemon) provider() *identityProvider {
	provider, err := d.page.people.of(d.inForce)
	if err != nil { // a configuration with a provider that can not be made is not taken
		d.Log.Error("nobody can sign in with the identity provider", slog.Any("error", err))
		return nil
	}
	return provider
}

// rules name the rules by which people are let in now; empty: nobody is.
func (d *Daemon) rules() string {
	if provider := d.provider(); provider != nil {
		return provider.rules
	}
	return ""
}

// signIn makes the identity provider of a configuration.
func signIn(c *config.OIDC) (*identityProvider, error) {
	members := make([]access.Membership, 0, len(c.Groups))
	for _, g := range c.Groups {
		members = append(members, access.Membership{Group: g.Group, Role: access.Role(g.Role), Within: g.Within})
	}
	provider, err := oidc.New(oidc.Config{
		Name: c.Name, Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret.Reveal(), RedirectURL: c.RedirectURL,
		Scopes: c.Scopes, GroupsClaim: c.GroupsClaim, Members: members,
	})
	if err != nil {
		return nil, fmt.Errorf("auth.oidc: %w", err)
	}
	rules, err := json.Marshal([]any{c.Issuer, c.ClientID, c.GroupsClaim, c.Groups})
	if err != nil {
		return nil, fmt.Errorf("auth.oidc: %w", err)
	}
	sum := sha256.Sum256(rules)
	return &identityProvider{provider, hex.EncodeToString(sum[:8])}, nil
}

// sameListening reports whether two configurations agree in what is taken over at the start alone.
func sameListening(a, b *config.Loaded) bool {
	x, y := &a.Config, &b.Config
	return x.Listen == y.Listen && x.MetricsListen == y.MetricsListen && x.Pprof == y.Pprof && x.Log == y.Log && x.TLS == y.TLS &&
		slices.Equal(a.Web.Trusted, b.Web.Trusted)
}

// listeners opens the addresses and serves them as parts of a group. What can
// fail fails here, before anything is served.
func (d *Daemon) listeners(ctx context.Context, group *lifecycle.Group, addr string) (net.Addr, error) {
	loaded := d.present().Config
	local := config.Local(addr)
	surface, err := d.surface(local) //nolint:contextcheck // what it answers has the context of its request
	if err != nil {
		return nil, err
	}
	listener := d.Listener
	if listener == nil {
		if listener, err = listen(ctx, addr); err != nil {
			surface.Close()
			return nil, err
		}
	}
	public := listener.Addr()
	server := httpapi.NewServer(surface)
	fail := func(err error) (net.Addr, error) {
		surface.Close()
		return nil, errors.Join(err, listener.Close())
	}
	if server.TLSConfig, err = encrypted(loaded, d.Log); err != nil {
		return fail(err)
	}
	if server.TLSConfig == nil && !local && len(loaded.Web.Trusted) == 0 {
		d.Log.WarnContext(ctx, "other machines can reach the page without TLS: keys and sessions cross the network for all to read; set tls, or trusted_proxies", slog.String("address", addr))
	}
	var metrics net.Listener
	if where := loaded.Config.MetricsListen; where != "" {
		var network net.ListenConfig
		if metrics, err = network.Listen(ctx, "tcp", where); err != nil {
			return fail(fmt.Errorf("listen on %s for metrics: %w", where, err))
		}
	}
	group.Go("HTTP surface", func(ctx context.Context) error {
		defer d.drain(ctx, surface)
		return serve(ctx, listener, server)
	})
	if metrics != nil {
		server := httpapi.NewServer(d.inside(loaded.Config.Pprof))
		group.Go("metrics", func(ctx context.Context) error { return serve(ctx, metrics, server) })
	}
	return public, nil
}

// listen opens the public address.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	var network net.ListenConfig
	listener, err := network.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address with --addr", addr, err)
	}
	return listener, nil
}

// inside is what is served for machines alone: health, metrics and, where asked, profiles.
func (d *Daemon) inside(profiles bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", httpapi.Handler(d, d.Metrics.Handler()))
	if profiles {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// serve serves until ctx ends.
func serve(ctx context.Context, listener net.Listener, server *http.Server) error {
	closed := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseRenewal)
		defer cancel()
		closed <- server.Shutdown(limited)
	})
	defer stop()
	answer := server.Serve
	if server.TLSConfig != nil {
		answer = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	if err := answer(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-closed
}

// beside is a path of the configuration: relative to the folder of its file.
func beside(loaded *config.Loaded, path string) string {
	if filepath.IsAbs(path) || loaded.File == "" {
		return path
	}
	return filepath.Join(filepath.Dir(loaded.File), path)
}

// encrypted is how what is served is encrypted; nil: it is not.
func encrypted(loaded *config.Loaded, log *slog.Logger) (*tls.Config, error) {
	if loaded.Web.Cert == "" {
		return nil, nil //nolint:nilnil // no certificate is no error
	}
	keys := &certificates{cert: beside(loaded, loaded.Web.Cert), key: beside(loaded, loaded.Web.Key), log: log}
	if _, err := keys.present(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return keys.present() },
	}, nil
}

// certificates gives the certificate of two files, and reads them again when they change.
type certificates struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	looked time.Time // by the wall
	marks  []mark
	last   *tls.Certificate // the last good one
}

// certificatePoll is how often, at most, the files are looked at: handshakes can be many.
const certificatePoll = 2 * time.Second

func (c *certificates) present() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := wall.Now(); c.last == nil || now.Sub(c.looked) >= certificatePoll {
		c.looked = now
		marks := []mark{fileMark(c.cert), fileMark(c.key)}
		if c.last != nil && slices.EqualFunc(marks, c.marks, mark.same) {
			return c.last, nil
		}
		c.marks = marks
		pair, err := tls.LoadX509KeyPair(c.cert, c.key)
		switch {
		case err == nil:
			c.last = &pair
		case c.last == nil:
			return nil, fmt.Errorf("read the certificate %s with its key %s: %w", c.cert, c.key, err)
		default: // both files are rarely written in the same moment
			c.marks = nil
			c.log.Warn("the new certificate can not be used; the last good one stays", slog.String("cert", c.cert), slog.Any("error", err))
		}
	}
	return c.last, nil
}
