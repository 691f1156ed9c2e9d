package oidc

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	coreos "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"dayshift/internal/access"
	"dayshift/internal/clock"
	"dayshift/internal/pagepath"
)

// Config is a client of an identity provider.
type Config struct {
	// Name is what people call the provider: "Company login". Empty: the host of the issuer.
	Name string
	// Issuer is the provider's address, exactly as it calls itself: https://, or http:// on this machine. Required.
	Issuer string
	// ClientID is what the provider calls this program. Required.
	ClientID string
	// ClientSecret is empty for a public client, which PKCE alone protects.
	ClientSecret string
	// RedirectURL is where the provider leads back to: the address of the callback as browsers see it, and exactly as it is
	// registered with the provider. https://, or http:// on this machine. Required.
	RedirectURL string
	// Scopes are asked for beside openid; nil: profile and email. Some providers send groups only for a scope such as "groups".
	Scopes []string
	// GroupsClaim is the claim of the ID token that the groups are in, a list of texts or one text. A name with dots that is
	// no claim is a path: realm_access.roles. Empty: "groups".
	GroupsClaim string
	// Members are what the groups give. Required.
	Members []access.Membership

	// Roots are the certificates to trust; nil: those of the machine.
	Roots *x509.CertPool
	// Clock is the time that expiries are judged by; nil: the wall clock.
	Clock clock.Clock
	// Timeout is how long one question to the provider may take; 0: 8 seconds.
	Timeout time.Duration
}

// Provider signs people in at one identity provider. Any number of goroutines may use one.
type Provider struct {
	name, issuer, host, clientID, secret, redirect, claim string
	scopes                                                []string
	members                                               []access.Membership
	plain                                                 bool // the issuer is http:// on this machine
	client                                                *http.Client
	now                                                   func() time.Time
	seal                                                  seal
	used                                                  *used

	busy chan struct{} // holds one for each sign-in that is being finished

	known atomic.Pointer[remote]
	turn  chan struct{} // held by the one who reads the provider, and guards what follows
	// What the last reading failed with, until when it is not repeated, and how long that pause is.
	failed  error
	retryAt time.Time
	pause   time.Duration
}

// maxBusy is how many sign-ins are finished at once: a crowd in the morning, each a second long. Each holds a connection to
// the provider, and a stranger can begin as many as they like.
const maxBusy = 64

// Bounds of what comes back.
const (
	maxCode    = 4 << 10   // longer than any provider's
	maxToken   = 128 << 10 // thousands of groups
	maxSubject = 255       // characters of ASCII: OpenID Connect Core, 2
	maxName    = 100       // characters of a name that are kept: it stands in every row of activity
)

// New checks a configuration and gives the provider, without asking it anything. The error names the field, and never the
// secret.
func New(config Config) (*Provider, error) {
	issuer, err := secureAddress(config.Issuer, true)
	switch {
	case config.Issuer == "":
		return nil, errors.New("issuer is missing; it is the address under which the provider has /.well-known/openid-configuration")
	case err != nil:
		return nil, fmt.Errorf("issuer: %w", err)
	case issuer.RawQuery != "" || issuer.ForceQuery:
		return nil, errors.New("issuer: it has a query (?…); write the address without it")
	case strings.HasSuffix(issuer.Path, "/.well-known/openid-configuration"):
		return nil, errors.New("issuer: it is the address of the discovery document; write it without /.well-known/openid-configuration")
	}
	if config.RedirectURL == "" {
		return nil, errors.New("the redirect address is missing; it is where the provider leads back to, as it is registered there")
	}
	if _, err := secureAddress(config.RedirectURL, true); err != nil {
		return nil, fmt.Errorf("the redirect address: %w", err)
	}
	switch {
	case config.ClientID == "" || untidy(config.ClientID):
		return nil, errors.New("client ID: it is missing, or has a space or a line break at an end or a control character in it")
	case untidy(config.ClientSecret):
		return nil, errors.New("client secret: it has a space or a line break at an end, or a control character in it; was it read from a file with an empty line?")
	}
	for _, scope := range config.Scopes {
		if scope == "" || untidy(scope) || strings.ContainsAny(scope, " \"\\") {
			return nil, fmt.Errorf("scopes: %.80q is none; write one word each", scope)
		}
	}
	if err := access.CheckMemberships(config.Members); err != nil {
		return nil, err
	}
	seal, err := newSeal()
	if err != nil {
		return nil, err
	}
	p := &Provider{
		name: config.Name, issuer: config.Issuer, host: issuer.Host, clientID: config.ClientID, secret: config.ClientSecret,
		redirect: config.RedirectURL, claim: config.GroupsClaim, members: slices.Clone(config.Members),
		plain: issuer.Scheme == "http", seal: seal, used: newUsed(maxUsed), turn: make(chan struct{}, 1), busy: make(chan struct{}, maxBusy),
	}
	if p.name == "" {
		p.name = issuer.Hostname()
	}
	if p.claim == "" {
		p.claim = "groups"
	}
	p.scopes = []string{coreos.ScopeOpenID, "profile", "email"}
	if config.Scopes != nil {
		p.scopes = append([]string{coreos.ScopeOpenID}, slices.DeleteFunc(slices.Clone(config.Scopes), func(s string) bool { return s == coreos.ScopeOpenID })...)
	}
	p.now = clock.Real{}.Now
	if config.Clock != nil {
		p.now = config.Clock.Now
	}
	timeout := config.Timeout
	if timeout <= 0 {
		timeout = requestTimeout
	}
	p.client = newClient(config.Roots, timeout)
	return p, nil
}

// untidy tells whether a text has what nobody types on purpose.
func untidy(text string) bool {
	return strings.TrimSpace(text) != text || strings.ContainsFunc(text, unicode.IsControl)
}

// Name is what people call the provider.
func (p *Provider) Name() string { return p.name }

// Start begins a sign-in: redirect is the provider's page to send the browser to, state what the browser has to keep in a
// cookie (see the package comment) for Lifetime, to be handed to Finish. returnTo is where the person wants to go afterwards;
// anything but a path of the page (see package pagepath) is "/". Errors are *Error.
func (p *Provider) Start(ctx context.Context, returnTo string) (redirect *url.URL, state string, err error) {
	remote, err := p.provider(ctx)
	if err != nil {
		return nil, "", err
	}
	begun := pending{ID: random(), Nonce: random(), Verifier: random(), ReturnTo: pagepath.Local(returnTo), Begun: p.now().UnixNano()}
	state, err = p.seal.close(begun)
	if err != nil {
		return nil, "", fail(Misconfigured, "%s", err)
	}
	redirect, err = url.Parse(remote.oauth.AuthCodeURL(begun.ID, coreos.Nonce(begun.Nonce), oauth2.S256ChallengeOption(begun.Verifier)))
	if err != nil {
		return nil, "", fail(Misconfigured, "the authorization endpoint of the provider at %s can not be read", p.host)
	}
	return redirect, state, nil
}

// Finish ends a sign-in: query is what the provider sent the browser back with, state what Start gave for the browser's
// cookie, empty for none. It gives who came in, with the role that their groups give, and the path to go to. Whatever it says,
// this sign-in is over, and its cookie is to be deleted. Errors are *Error.
func (p *Provider) Finish(ctx context.Context, query url.Values, state string) (access.Principal, string, error) {
	identity, returnTo, err := p.identify(ctx, query, state)
	if err != nil {
		return access.Principal{}, "", err
	}
	member, ok := access.ByGroups(identity.Groups, p.members)
	switch {
	case ok:
	case identity.Overflow:
		return access.Principal{}, "", fail(Refused, "the provider left the groups out of the ID token because there are too many; let it send only those that are assigned to this application, or application roles")
	case len(identity.Groups) == 0:
		return access.Principal{}, "", fail(Refused, "you are signed in at %s, but it sent no groups in the claim %.80q, and only groups give a role here; ask an administrator of this server", p.name, p.claim)
	default:
		return access.Principal{}, "", fail(Refused, "you are signed in at %s, but none of your groups has a role here; ask an administrator of this server", p.name)
	}
	return access.Principal{
		ID: access.UserPrincipal + identity.ID(), Name: identity.Actor(), Role: member.Role, Within: member.Within, Via: access.ViaSession,
	}, returnTo, nil
}

// identify does all of Finish but for the role.
func (p *Provider) identify(ctx context.Context, query url.Values, state string) (Identity, string, error) {
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()

	// Before the sign-in is used up: who is sent away may come again with it.
	select {
	case p.busy <- struct{}{}:
		defer func() { <-p.busy }()
	default:
		return Identity{}, "", fail(Unavailable, "too many people sign in at once; reload this page in a moment")
	}
	begun, failed := p.resume(query, state)
	if failed != nil {
		return Identity{}, "", failed
	}
	remote, err := p.provider(ctx)
	if err != nil {
		return Identity{}, "", err
	}
	code, failed := p.code(query, remote)
	if failed != nil {
		return Identity{}, "", failed
	}
	token, err := remote.oauth.Exchange(coreos.ClientContext(ctx, p.client), code, oauth2.VerifierOption(begun.Verifier))
	if err != nil {
		return Identity{}, "", exchangeFailure(err)
	}
	raw, _ := token.Extra("id_token").(string)
	switch {
	case raw == "":
		return Identity{}, "", fail(Untrusted, "the provider sent no ID token; is the client one for OpenID Connect?")
	case len(raw) > maxToken:
		return Identity{}, "", fail(Untrusted, "the provider's ID token is larger than %d KB", maxToken>>10)
	}
	found := &examined{}
	proven, err := remote.verifier.Verify(context.WithValue(coreos.ClientContext(ctx, p.client), examinedKey{}, found), raw)
	if err != nil {
		return Identity{}, "", tokenFailure(err, found)
	}
	if failed := p.belongs(proven, token.AccessToken, begun); failed != nil {
		return Identity{}, "", failed
	}
	identity, err := identityOf(proven, p.claim)
	if err != nil {
		return Identity{}, "", fail(Untrusted, "the provider's ID token can not be used: %s", err)
	}
	return identity, begun.ReturnTo, nil
}

// resume finds the sign-in that a browser comes back to, and uses it up.
func (p *Provider) resume(query url.Values, state string) (pending, *Error) {
	if state == "" {
		return pending{}, fail(Stale, "this browser has begun no sign-in, or it took longer than %d minutes; begin again", Lifetime/time.Minute)
	}
	begun, err := p.seal.open(state)
	if err != nil {
		return pending{}, fail(Stale, "this sign-in was not begun here, or before the server was started anew; begin again")
	}
	given, ok := single(query, "state")
	if !ok || subtle.ConstantTimeCompare([]byte(given), []byte(begun.ID)) != 1 {
		return pending{}, fail(Stale, "this is not the sign-in that this browser began last; begin again, in one window")
	}
	now := p.now()
	if age := now.Sub(time.Unix(0, begun.Begun)); age > Lifetime || age < -Lifetime {
		return pending{}, fail(Stale, "this sign-in took longer than %d minutes; begin again", Lifetime/time.Minute)
	}
	if !p.used.take(begun, now) {
		return pending{}, fail(Stale, "this sign-in is over; begin again")
	}
	return begun, nil
}

// code gives the code of an answer that is one.
func (p *Provider) code(query url.Values, remote *remote) (string, *Error) {
	if query.Has("iss") || remote.saysIss { // RFC 9207: the answer of another provider, mixed in
		if iss, ok := single(query, "iss"); !ok || iss != p.issuer {
			return "", fail(Untrusted, "the answer does not come from the provider that was asked; begin again")
		}
	}
	if query.Has("error") {
		word, _ := single(query, "error")
		switch {
		case word == "access_denied":
			return "", fail(Refused, "%s did not let you in, or you ended the sign-in (access_denied)", p.name)
		case word == "server_error" || word == "temporarily_unavailable":
			return "", fail(Unavailable, "the provider could not sign you in (%s); try again", word)
		case slices.Contains(protocolErrors, word):
			return "", fail(Misconfigured, "the provider refuses the sign-in (%s); check the client and its redirect address there", word)
		}
		return "", fail(Untrusted, "the provider answered with an error that OpenID Connect does not know")
	}
	code, ok := single(query, "code")
	if !ok || code == "" || len(code) > maxCode {
		return "", fail(Untrusted, "the provider sent no code, or more than one; begin again")
	}
	return code, nil
}

// belongs checks what go-oidc leaves to its caller: that the token is of this sign-in, for this client, and of this access token.
func (p *Provider) belongs(token *coreos.IDToken, accessToken string, begun pending) *Error {
	var claims struct {
		Party string `json:"azp"`
	}
	if err := token.Claims(&claims); err != nil {
		return fail(Untrusted, "the provider's ID token can not be read")
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(begun.Nonce)) != 1:
		return fail(Untrusted, "the provider's ID token is of another sign-in; begin again")
	case claims.Party != "" && claims.Party != p.clientID, claims.Party == "" && len(token.Audience) > 1:
		return fail(Untrusted, "the provider's ID token was made for another client")
	case token.AccessTokenHash != "" && token.VerifyAccessToken(accessToken) != nil:
		return fail(Untrusted, "the provider's ID token and access token do not belong together")
	case token.Subject == "" || len(token.Subject) > maxSubject || strings.ContainsFunc(token.Subject, func(r rune) bool { return r < ' ' || r > '~' }):
		return fail(Untrusted, "the provider's ID token names nobody")
	}
	return nil
}

// single gives a parameter that is there exactly once.
func single(query url.Values, name string) (string, bool) {
	values := query[name]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}
