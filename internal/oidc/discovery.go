package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	coreos "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// How long what a provider says about itself is believed.
const (
	// refreshAfter is when it is read again, its keys with it: a key that the provider has withdrawn is trusted no longer.
	refreshAfter = time.Hour
	// staleAfter is how long the last good one counts while it can not be read again.
	staleAfter = 24 * time.Hour
	// firstPause is how long a provider that failed is left in peace; it doubles up to maxPause. Who signs in meanwhile gets
	// the last error at once, so that a crowd at the door neither waits nor knocks.
	firstPause = time.Second
	maxPause   = 30 * time.Second
)

// algorithms are those that an ID token may be signed with: what every provider can, and nothing that a public key could be
// mistaken for a secret with.
var algorithms = []string{coreos.RS256, coreos.ES256}

const algorithmsInWords = "RS256 or ES256"

// remote is a provider as its discovery document says, with its keys.
type remote struct {
	oauth    oauth2.Config
	verifier *coreos.IDTokenVerifier
	saysIss  bool // it names itself when it leads back (RFC 9207)
	read     time.Time
}

// document is what is needed of a discovery document.
type document struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Keys          string   `json:"jwks_uri"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	SaysIss       bool     `json:"authorization_response_iss_parameter_supported"`
}

// provider gives the provider as it was last read, and reads it where that is due. One caller reads at a time; the others
// wait for its answer, or take the old one.
func (p *Provider) provider(ctx context.Context) (*remote, error) {
	if known := p.known.Load(); known != nil && p.age(known) < refreshAfter {
		return known, nil
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, &Error{Reason: Unavailable, text: "the provider did not answer in time; try again", cause: context.Cause(ctx)}
	}
	defer func() { <-p.turn }()

	known := p.known.Load() // another caller may have read it meanwhile
	if known != nil && p.age(known) < refreshAfter {
		return known, nil
	}
	now := p.now()
	failed := p.failed
	if failed == nil || !now.Before(p.retryAt) || now.Before(p.retryAt.Add(-maxPause)) { // the last: the clock went back
		fresh, err := p.discover(ctx)
		switch {
		case err == nil:
			p.known.Store(fresh)
			p.failed, p.pause = nil, 0
			return fresh, nil
		case ctx.Err() != nil: // the caller's own end says nothing about the provider
			failed = err
		default:
			p.pause = min(max(2*p.pause, firstPause), maxPause)
			p.failed, p.retryAt = err, p.now().Add(p.pause)
			failed = err
		}
	}
	if known != nil && p.age(known) < staleAfter {
		return known, nil
	}
	return nil, failed
}

// age is how long ago a provider was read; a clock that went back makes it old.
func (p *Provider) age(r *remote) time.Duration {
	age := p.now().Sub(r.read)
	if age < 0 {
		return staleAfter
	}
	return age
}

func (p *Provider) discover(ctx context.Context) (*remote, *Error) {
	address := strings.TrimSuffix(p.issuer, "/") + "/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fail(Misconfigured, "the issuer can not be asked for; check its address")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, fail(Unavailable, "the discovery document of the provider at %s can not be read: %s; try again, or sign in with a key", p.host, why(err))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fail(Unavailable, "the discovery document of the provider at %s broke off; try again", p.host)
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fail(Misconfigured, "%s sends no discovery document of OpenID Connect; check the issuer", p.host)
	}
	if d.Issuer != p.issuer {
		return nil, fail(Misconfigured, "the provider at %s is called %.200q; the issuer has to be written exactly so", p.host, d.Issuer)
	}
	for _, endpoint := range []struct{ name, address string }{
		{"authorization_endpoint", d.Authorization}, {"token_endpoint", d.Token}, {"jwks_uri", d.Keys},
	} {
		if _, err := secureAddress(endpoint.address, p.plain); err != nil {
			return nil, fail(Misconfigured, "the %s of the provider at %s is refused: %s", endpoint.name, p.host, err)
		}
	}
	if len(d.Algorithms) > 0 && !slices.ContainsFunc(d.Algorithms, func(a string) bool { return slices.Contains(algorithms, a) }) {
		return nil, fail(Misconfigured, "the provider at %s signs ID tokens with neither %s; choose one of them for this client", p.host, strings.ReplaceAll(algorithmsInWords, " or ", " nor "))
	}

	// A style is chosen, never tried: x/oauth2 would send the code twice to find out.
	style := oauth2.AuthStyleInHeader // what a document without the list means
	if p.secret == "" || len(d.AuthMethods) > 0 && !slices.Contains(d.AuthMethods, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	keys := coreos.NewRemoteKeySet(coreos.ClientContext(context.WithoutCancel(ctx), p.client), d.Keys)
	return &remote{
		oauth: oauth2.Config{
			ClientID: p.clientID, ClientSecret: p.secret, RedirectURL: p.redirect, Scopes: p.scopes,
			Endpoint: oauth2.Endpoint{AuthURL: d.Authorization, TokenURL: d.Token, AuthStyle: style},
		},
		verifier: coreos.NewVerifier(p.issuer, watched{keys}, &coreos.Config{ClientID: p.clientID, SupportedSigningAlgs: algorithms, Now: p.now}),
		saysIss:  d.SaysIss,
		read:     p.now(),
	}, nil
}

// examined is what a verification found out on its way; go-oidc's errors tell it in text alone.
type examined struct {
	signed bool
	keys   *outageError // why the keys could not be read
}

type examinedKey struct{}

// watched writes into the context's examined how the signature fared.
type watched struct{ keys coreos.KeySet }

// VerifySignature implements go-oidc's KeySet.
func (w watched) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := w.keys.VerifySignature(ctx, token)
	if e, ok := ctx.Value(examinedKey{}).(*examined); ok {
		e.signed = err == nil
		e.keys = asOutage(err)
	}
	return payload, err
}

// secureAddress reads an address that is https, or http where plain allows it and the host is this machine.
func secureAddress(address string, plain bool) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil: // its text repeats the address, which may hold credentials
		return nil, fmt.Errorf("it can not be read as an address")
	case u.Host == "" || u.Hostname() == "":
		return nil, fmt.Errorf("it names no host; write it whole, with https://")
	case u.User != nil:
		return nil, fmt.Errorf("it holds a user name or a password")
	case u.Fragment != "":
		return nil, fmt.Errorf("it has a fragment (#…)")
	case u.Scheme == "https", u.Scheme == "http" && plain && loopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, fmt.Errorf("it begins with http://, which anybody on the way can read; write https://")
	}
	return nil, fmt.Errorf("it does not begin with https://")
}

// loopback tells whether a host is this machine, whose traffic nobody else sees.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
