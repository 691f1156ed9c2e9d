package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"dayshift/internal/access"
	"dayshift/internal/oidc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var contains = strings.Contains

func TestSignIn(t *testing.T) {
	f := newIDP(t)
	p := f.provider(t, nil)
	if n := f.count("/.well-known/openid-configuration"); n != 0 {
		t.Fatalf("the provider was asked %d times before anybody signs in", n)
	}
	to, state, err := p.Start(t.Context(), "/fleet?q=web&state=running#top")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := to.Scheme+"://"+to.Host+to.Path, f.URL+"/authorize"; got != want {
		t.Errorf("the browser is sent to %s, want %s", got, want)
	}
	q := to.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": clientID, "redirect_uri": callback, "scope": "openid profile email", "code_challenge_method": "S256",
	} {
		if got := q[name]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) != 43 {
			t.Errorf("%s is %q, want 256 bits", name, q.Get(name))
		}
		if contains(state, q.Get(name)) {
			t.Errorf("the cookie shows the %s", name)
		}
	}
	who, back, err := p.Finish(t.Context(), f.allow(t, to), state)
	if err != nil {
		t.Fatal(err)
	}
	want := access.Principal{ID: "user:seoyeon@example.com", Name: "김서연 (seoyeon@example.com)", Role: access.Operator, Via: access.ViaSession}
	if diff := cmp.Diff(want, who); diff != "" {
		t.Error(diff)
	}
	if back != "/fleet?q=web&state=running#top" {
		t.Errorf("leads back to %q", back)
	}
	if f.authStyle != "basic" {
		t.Errorf("authenticates with %s where the provider says nothing of it", f.authStyle)
	}

	// The next one asks for nothing that is known, and shares no secret of the first.
	again, secondState, err := p.Start(t.Context(), "/")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if again.Query().Get(name) == q.Get(name) {
			t.Errorf("two sign-ins have the same %s", name)
		}
	}
	if state == secondState {
		t.Error("two sign-ins have the same cookie")
	}
	if _, _, err := p.Finish(t.Context(), f.allow(t, again), secondState); err != nil {
		t.Fatal(err)
	}
	if d, k := f.count("/.well-known/openid-configuration"), f.count("/keys"); d != 1 || k != 1 {
		t.Errorf("two sign-ins asked for the document %d times and for the keys %d times", d, k)
	}
}

func TestWaysToAuthenticate(t *testing.T) {
	tests := []struct {
		name    string
		methods any
		public  bool
		want    string
	}{
		{"the provider takes both", []string{"client_secret_post", "client_secret_basic"}, false, "basic"},
		{"the provider takes it in the form", []string{"private_key_jwt", "client_secret_post"}, false, "post"},
		{"a public client", []string{"client_secret_basic", "none"}, true, "none"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newIDP(t)
			f.document["token_endpoint_auth_methods_supported"] = test.methods
			p := f.provider(t, func(c *oidc.Config) {
				if test.public {
					c.ClientSecret = ""
				}
			})
			if _, err := f.signIn(t, p); err != nil {
				t.Fatal(err)
			}
			if f.authStyle != test.want || f.count("/token") != 1 {
				t.Errorf("authenticated with %s in %d requests, want %s in one", f.authStyle, f.count("/token"), test.want)
			}
		})
	}
}

// FAULTS: iss, aud, exp and alg are pinned; alg=none and HS-RS confusion are refused.
func TestFault6_23_TokensThatAreNotBelieved(t *testing.T) {
	const unsignedSentence, elsewhere = "not signed by one of its keys", "its issuer, its audience or its times"
	claim := func(name string, value any) func(*idp) { return func(f *idp) { f.claims[name] = value } }
	sign := func(make func(f *idp, header, claims map[string]any) string) func(*idp) {
		return func(f *idp) {
			f.sign = func(header, claims map[string]any) string { return make(f, header, claims) }
		}
	}
	tests := []struct {
		name     string
		change   func(*idp)
		sentence string
	}{
		{"alg=none without a signature", sign(func(f *idp, h, c map[string]any) string { h["alg"] = "none"; return unsigned(h, c) + "." }), unsignedSentence},
		{"alg=None", sign(func(f *idp, h, c map[string]any) string { h["alg"] = "None"; return unsigned(h, c) + "." }), unsignedSentence},
		{"alg=none over a good signature", sign(func(f *idp, h, c map[string]any) string {
			good := rs256(rsaKey, map[string]any{"kid": "one"}, c)
			h["alg"] = "none"
			return unsigned(h, c) + good[strings.LastIndex(good, "."):]
		}), unsignedSentence},
		{"no signature at all", sign(func(f *idp, h, c map[string]any) string { h["alg"] = "RS256"; return unsigned(h, c) + "." }), unsignedSentence},
		{"HS256 with the public key in PEM", sign(func(f *idp, h, c map[string]any) string { return hs256(publicPEM(rsaKey), h, c) }), unsignedSentence},
		{"HS256 with the modulus", sign(func(f *idp, h, c map[string]any) string { return hs256(rsaKey.N.Bytes(), h, c) }), unsignedSentence},
		{"HS256 with the client secret", sign(func(f *idp, h, c map[string]any) string { return hs256([]byte(clientSecret), h, c) }), unsignedSentence},
		{"another's key under a known kid", sign(func(f *idp, h, c map[string]any) string { return rs256(otherRSA, h, c) }), unsignedSentence},
		{"another's key without a kid", sign(func(f *idp, h, c map[string]any) string { delete(h, "kid"); return rs256(otherRSA, h, c) }), unsignedSentence},
		{"a key that the token brings along", sign(func(f *idp, h, c map[string]any) string {
			h["jwk"] = map[string]string{"kty": "RSA", "n": encode(otherRSA.N.Bytes()), "e": "AQAB"}
			return rs256(otherRSA, h, c)
		}), unsignedSentence},
		{"a key at an address that the token names", sign(func(f *idp, h, c map[string]any) string { h["jku"] = f.URL + "/canary"; return rs256(otherRSA, h, c) }), unsignedSentence},
		{"claims changed after signing", sign(func(f *idp, h, c map[string]any) string {
			good := rs256(rsaKey, h, c)
			c["groups"] = []string{"web"}
			return unsigned(h, c) + good[strings.LastIndex(good, "."):]
		}), unsignedSentence},
		{"not a token", sign(func(f *idp, h, c map[string]any) string { return "canary.canary.canary" }), unsignedSentence},
		{"no token", sign(func(f *idp, h, c map[string]any) string { return "" }), "sent no ID token"},
		{"a huge token", claim("groups", []string{strings.Repeat("x", 200<<10)}), "larger than 128 KB"},
		{"another issuer", claim("iss", "https://canary.example.com"), elsewhere},
		{"the issuer with a slash more", func(f *idp) { f.claims["iss"] = f.URL + "/" }, elsewhere},
		{"no issuer", claim("iss", nil), elsewhere},
		{"for another client", claim("aud", "canary-client"), elsewhere},
		{"for no client", claim("aud", nil), elsewhere},
		{"for several clients, without the one it was made for", claim("aud", []string{clientID, "canary-client"}), "made for another client"},
		{"made for another of its clients", func(f *idp) { f.claims["aud"], f.claims["azp"] = []string{clientID, "canary"}, "canary" }, "made for another client"},
		{"expired a second ago", func(f *idp) { f.claims["exp"] = f.clock.Now().Add(-2 * time.Second).Unix() }, "has expired"},
		{"without an end", claim("exp", nil), "has expired"},
		{"not valid before tomorrow", func(f *idp) { f.claims["nbf"] = f.clock.Now().Add(24 * time.Hour).Unix() }, elsewhere},
		{"the nonce of another sign-in", claim("nonce", "canary-nonce"), "of another sign-in"},
		{"no nonce", claim("nonce", nil), "of another sign-in"},
		{"another access token's hash", claim("at_hash", half("another")), "do not belong together"},
		{"nobody", claim("sub", ""), "names nobody"},
		{"a subject with a line break", claim("sub", "canary\nadmin"), "names nobody"},
		{"a subject longer than allowed", claim("sub", strings.Repeat("x", 256)), "names nobody"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newIDP(t)
			test.change(f)
			_, err := f.signIn(t, f.provider(t, nil))
			refusedWith(t, err, oidc.Untrusted, test.sentence)
			if n := f.count("/canary"); n != 0 {
				t.Error("an address out of the token was asked")
			}
		})
	}

	for _, test := range []struct {
		name   string
		change func(*idp)
	}{
		{"ES256", func(f *idp) { f.signers["ec"], f.signWith = ecKey, "ec" }},
		{"several clients, and this one it was made for", func(f *idp) { f.claims["aud"], f.claims["azp"] = []string{"canary", clientID}, clientID }},
		{"the audience as a list", func(f *idp) { f.claims["aud"] = []string{clientID} }},
		{"no kid, and one key", func(f *idp) {
			f.signWith = "one"
			f.sign = func(h, c map[string]any) string { delete(h, "kid"); return rs256(rsaKey, h, c) }
		}},
		{"no hash of the access token", func(f *idp) { f.claims["at_hash"] = nil }},
	} {
		t.Run("believed: "+test.name, func(t *testing.T) {
			f := newIDP(t)
			test.change(f)
			if _, err := f.signIn(t, f.provider(t, nil)); err != nil {
				t.Error(err)
			}
		})
	}
}

// FAULTS: the state is the one of this browser, and ends a sign-in once.
func TestFault6_23_State(t *testing.T) {
	f := newIDP(t)
	p := f.provider(t, nil)
	start := func(t *testing.T) (url.Values, string) {
		t.Helper()
		to, state, err := p.Start(t.Context(), "/")
		if err != nil {
			t.Fatal(err)
		}
		return f.allow(t, to), state
	}
	good, goodState := start(t)
	other, otherState := start(t)
	tests := []struct {
		name     string
		query    url.Values
		state    string
		sentence string
	}{
		{"no cookie", good, "", "has begun no sign-in"},
		{"the cookie of another sign-in", good, otherState, "not the sign-in that this browser began last"},
		{"the answer of another sign-in", other, goodState, "not the sign-in that this browser began last"},
		{"no state in the answer", url.Values{"code": good["code"]}, goodState, "not the sign-in"},
		{"two states in the answer", url.Values{"code": good["code"], "state": {good.Get("state"), good.Get("state")}}, goodState, "not the sign-in"},
		{"an empty state", url.Values{"code": good["code"], "state": {""}}, goodState, "not the sign-in"},
		{"a cookie of someone's own making", good, "canary", "not begun here"},
		{"a cookie that is huge", good, strings.Repeat("A", 1<<20), "not begun here"},
		{"a cookie cut short", good, goodState[:len(goodState)-4], "not begun here"},
		{"a cookie that is empty inside", good, encode(make([]byte, 28)), "not begun here"},
		{"the state as the cookie", good, good.Get("state"), "not begun here"},
	}
	for i := 0; i < len(goodState); i += 37 { // changed by one character anywhere
		changed := []byte(goodState)
		if changed[i]++; changed[i] == 'z'+1 || changed[i] == 'Z'+1 || changed[i] == '9'+1 || changed[i] == '-'+1 || changed[i] == '_'+1 {
			changed[i] = 'A'
		}
		tests = append(tests, struct {
			name     string
			query    url.Values
			state    string
			sentence string
		}{fmt.Sprintf("a cookie changed at %d", i), good, string(changed), "not begun here"})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := p.Finish(t.Context(), test.query, test.state)
			refusedWith(t, err, oidc.Stale, test.sentence)
		})
	}
	if n := f.count("/token"); n != 0 {
		t.Errorf("the provider's token endpoint was asked %d times for answers that are none", n)
	}
	t.Run("at another process", func(t *testing.T) {
		_, _, err := f.provider(t, nil).Finish(t.Context(), good, goodState)
		refusedWith(t, err, oidc.Stale, "not begun here")
	})

	if _, _, err := p.Finish(t.Context(), good, goodState); err != nil {
		t.Fatalf("what was tried in vain has used the sign-in up: %v", err)
	}
	t.Run("replayed", func(t *testing.T) {
		before := f.count("/token")
		_, _, err := p.Finish(t.Context(), good, goodState)
		refusedWith(t, err, oidc.Stale, "is over")
		fresh := f.allow(t, &url.URL{RawQuery: good.Encode()})
		_, _, err = p.Finish(t.Context(), fresh, goodState)
		refusedWith(t, err, oidc.Stale, "is over")
		if f.count("/token") != before {
			t.Error("a replayed state reaches the provider")
		}
	})
	t.Run("a sign-in that failed is over too", func(t *testing.T) {
		query, state := start(t)
		_, _, err := p.Finish(t.Context(), url.Values{"state": query["state"], "error": {"access_denied"}}, state)
		refusedWith(t, err, oidc.Refused, "access_denied")
		_, _, err = p.Finish(t.Context(), query, state)
		refusedWith(t, err, oidc.Stale, "is over")
	})
	t.Run("after ten minutes", func(t *testing.T) {
		query, state := start(t)
		f.clock.move(oidc.Lifetime + time.Second)
		_, _, err := p.Finish(t.Context(), query, state)
		refusedWith(t, err, oidc.Stale, "longer than 10 minutes")
	})
	t.Run("just before ten minutes", func(t *testing.T) {
		query, state := start(t)
		f.clock.move(oidc.Lifetime - 5*time.Second)
		if _, _, err := p.Finish(t.Context(), query, state); err != nil {
			t.Error(err)
		}
	})
	t.Run("of sixty at once one gets in", func(t *testing.T) {
		query, state := start(t)
		f.set(func() { f.lax, f.claims["nonce"] = true, nil })
		t.Cleanup(func() { f.set(func() { f.lax = false; delete(f.claims, "nonce") }) })
		var in, stale atomic.Int32
		var group sync.WaitGroup
		for range 60 {
			group.Go(func() {
				_, _, err := p.Finish(t.Context(), query, state)
				var e *oidc.Error
				switch {
				case errors.As(err, &e) && e.Reason == oidc.Stale:
					stale.Add(1)
				default: // in, or as far as the nonce, which this provider forgets
					in.Add(1)
				}
			})
		}
		group.Wait()
		if in.Load() != 1 || stale.Load() != 59 {
			t.Errorf("%d came as far as the provider, %d were refused", in.Load(), stale.Load())
		}
	})
}

// FAULTS: a code serves once, and only the sign-in that it was given to.
func TestFault6_23_Codes(t *testing.T) {
	start := func(t *testing.T, p *oidc.Provider) (*url.URL, string) {
		t.Helper()
		to, state, err := p.Start(t.Context(), "/")
		if err != nil {
			t.Fatal(err)
		}
		return to, state
	}
	t.Run("replayed in a sign-in of its own", func(t *testing.T) {
		f := newIDP(t)
		p := f.provider(t, nil)
		to, state := start(t, p)
		query := f.allow(t, to)
		if _, _, err := p.Finish(t.Context(), query, state); err != nil {
			t.Fatal(err)
		}
		again, state := start(t, p)
		_, _, err := p.Finish(t.Context(), url.Values{"code": query["code"], "state": {again.Query().Get("state")}}, state)
		refusedWith(t, err, oidc.Stale, "refused the code")
	})
	t.Run("stolen before it was used: the verifier is another", func(t *testing.T) {
		f := newIDP(t)
		p := f.provider(t, nil)
		victim, _ := start(t, p)
		thief, state := start(t, p)
		_, _, err := p.Finish(t.Context(), url.Values{"code": f.allow(t, victim)["code"], "state": {thief.Query().Get("state")}}, state)
		refusedWith(t, err, oidc.Stale, "refused the code")
	})
	t.Run("stolen, at a provider that checks neither verifier nor use: the nonce is another", func(t *testing.T) {
		f := newIDP(t)
		f.lax = true
		p := f.provider(t, nil)
		victim, victimState := start(t, p)
		query := f.allow(t, victim)
		thief, state := start(t, p)
		_, _, err := p.Finish(t.Context(), url.Values{"code": query["code"], "state": {thief.Query().Get("state")}}, state)
		refusedWith(t, err, oidc.Untrusted, "of another sign-in")
		if _, _, err := p.Finish(t.Context(), query, victimState); err != nil {
			t.Errorf("the victim can not sign in any more: %v", err)
		}
	})
	for name, change := range map[string]func(url.Values){
		"none":     func(q url.Values) { q.Del("code") },
		"empty":    func(q url.Values) { q.Set("code", "") },
		"two":      func(q url.Values) { q.Add("code", "canary") },
		"too long": func(q url.Values) { q.Set("code", strings.Repeat("x", 5<<10)) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newIDP(t)
			p := f.provider(t, nil)
			to, state := start(t, p)
			query := f.allow(t, to)
			change(query)
			_, _, err := p.Finish(t.Context(), query, state)
			refusedWith(t, err, oidc.Untrusted, "sent no code, or more than one")
		})
	}
}

func TestAnswersOfTheProvider(t *testing.T) {
	for _, test := range []struct {
		name, word string
		reason     oidc.Reason
		sentence   string
	}{
		{"the person said no", "access_denied", oidc.Refused, "did not let you in"},
		{"the provider is busy", "temporarily_unavailable", oidc.Unavailable, "try again"},
		{"a client that may not", "unauthorized_client", oidc.Misconfigured, "unauthorized_client"},
		{"a scope that is none", "invalid_scope", oidc.Misconfigured, "invalid_scope"},
		{"a word of its own, which is not repeated", "canary<script>", oidc.Untrusted, "does not know"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newIDP(t)
			p := f.provider(t, nil)
			to, state, err := p.Start(t.Context(), "/")
			if err != nil {
				t.Fatal(err)
			}
			query := url.Values{"state": {to.Query().Get("state")}, "error": {test.word}, "error_description": {"canary"}}
			_, _, err = p.Finish(t.Context(), query, state)
			refusedWith(t, err, test.reason, test.sentence)
		})
	}

	// RFC 9207: the answer names who it comes from.
	for _, test := range []struct {
		name string
		says bool
		iss  []string
		ok   bool
	}{
		{"says nothing and need not", false, nil, true},
		{"names another", false, []string{"https://canary.example.com"}, false},
		{"says nothing and should", true, nil, false},
		{"says it twice", true, []string{"", ""}, false},
	} {
		t.Run("the answer "+test.name, func(t *testing.T) {
			f := newIDP(t)
			f.document["authorization_response_iss_parameter_supported"] = test.says
			p := f.provider(t, nil)
			to, state, err := p.Start(t.Context(), "/")
			if err != nil {
				t.Fatal(err)
			}
			query := f.allow(t, to)
			if test.iss != nil {
				query["iss"] = test.iss
			}
			_, _, err = p.Finish(t.Context(), query, state)
			if test.ok != (err == nil) {
				t.Fatalf("got %v", err)
			}
			if !test.ok {
				refusedWith(t, err, oidc.Untrusted, "not come from the provider that was asked")
			}
		})
	}
	t.Run("the answer names the provider", func(t *testing.T) {
		f := newIDP(t)
		f.document["authorization_response_iss_parameter_supported"] = true
		p := f.provider(t, nil)
		to, state, err := p.Start(t.Context(), "/")
		if err != nil {
			t.Fatal(err)
		}
		query := f.allow(t, to)
		query.Set("iss", f.URL)
		if _, _, err := p.Finish(t.Context(), query, state); err != nil {
			t.Error(err)
		}
	})

	t.Run("a wrong secret", func(t *testing.T) {
		f := newIDP(t)
		_, err := f.signIn(t, f.provider(t, func(c *oidc.Config) { c.ClientSecret = "canary-wrong" }))
		refusedWith(t, err, oidc.Misconfigured, "refuses this client (invalid_client)")
		if n := f.count("/token"); n != 1 {
			t.Errorf("the secret was sent %d times", n)
		}
	})
}

// FAULTS: keys rotate by their kid.
func TestFault6_23_KeysRotate(t *testing.T) {
	f := newIDP(t)
	p := f.provider(t, nil)
	if _, err := f.signIn(t, p); err != nil {
		t.Fatal(err)
	}
	f.set(func() { f.signers["two"], f.signWith = otherRSA, "two" })
	if _, err := f.signIn(t, p); err != nil {
		t.Fatalf("with a new key: %v", err)
	}
	if n := f.count("/keys"); n != 2 {
		t.Errorf("the keys were asked for %d times, want once more for the new one", n)
	}

	// The first key is withdrawn. Who has it still signs with it; that is believed no longer than what the provider said of itself.
	f.set(func() { delete(f.signers, "one") })
	f.set(func() {
		f.sign = func(header, claims map[string]any) string {
			header["kid"] = "one"
			return rs256(rsaKey, header, claims)
		}
	})
	f.clock.move(time.Hour + time.Minute)
	_, err := f.signIn(t, p)
	refusedWith(t, err, oidc.Untrusted, "not signed by one of its keys")
}

func TestProviderThatIsDown(t *testing.T) {
	f := newIDP(t)
	c := f.config()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Issuer = "http://" + listener.Addr().String()
	listener.Close() // nobody is there
	p, err := oidc.New(c)
	if err != nil {
		t.Fatalf("a provider that is down keeps the program from starting: %v", err)
	}
	_, _, err = p.Start(t.Context(), "/")
	refusedWith(t, err, oidc.Unavailable, "connection refused")
}

func TestOutages(t *testing.T) {
	const discovery = "/.well-known/openid-configuration"
	slow := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server sees that its client is gone once it has read the request
		<-r.Context().Done()
	}
	huge := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := []byte(strings.Repeat("canary ", 16<<10))
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	trickle := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}
	broken := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("{"))
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Error(w, "canary", code) }
	}
	away := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/canary", http.StatusTemporaryRedirect)
	}
	page := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>canary</html>") }
	tests := []struct {
		name, path string
		answer     http.HandlerFunc
		reason     oidc.Reason
		sentence   string
		asked      int
	}{
		{"slow", discovery, slow, oidc.Unavailable, "did not answer in time", 1},
		{"a byte now and then", discovery, trickle, oidc.Unavailable, "did not answer in time", 1},
		{"huge", discovery, huge, oidc.Unavailable, "larger than 512 KB", 1},
		{"breaks off", discovery, broken, oidc.Unavailable, "broke off", 3},
		{"status 503", discovery, status(503), oidc.Unavailable, "status 503", 3},
		{"status 404", discovery, status(404), oidc.Unavailable, "status 404", 1},
		{"leads elsewhere", discovery, away, oidc.Unavailable, "status 307", 1},
		{"a web page", discovery, page, oidc.Misconfigured, "no discovery document", 1},
		{"slow", "/keys", slow, oidc.Unavailable, "keys can not be read: it did not answer in time", 1},
		{"huge", "/keys", huge, oidc.Unavailable, "larger than 512 KB", 1},
		{"status 500", "/keys", status(500), oidc.Unavailable, "status 500", 3},
		{"a web page", "/keys", page, oidc.Untrusted, "not signed by one of its keys", 1},
		{"slow", "/token", slow, oidc.Unavailable, "did not answer in time", 1},
		{"huge", "/token", huge, oidc.Unavailable, "larger than 512 KB", 1},
		{"breaks off", "/token", broken, oidc.Unavailable, "broke off", 1},
		{"status 502", "/token", status(502), oidc.Unavailable, "status 502", 1},
		{"status 403", "/token", status(403), oidc.Misconfigured, "status 403", 1},
		{"leads elsewhere with the secret", "/token", away, oidc.Misconfigured, "status 307", 1},
		{"a web page", "/token", page, oidc.Untrusted, "no answer that OAuth knows", 1},
	}
	for _, test := range tests {
		t.Run(test.path+" "+test.name, func(t *testing.T) {
			f := newIDP(t)
			f.answer[test.path] = test.answer
			timeout := 20 * time.Second // far more than any answer takes on a machine that has other work
			if strings.Contains(test.sentence, "in time") {
				timeout = 700 * time.Millisecond
			}
			p := f.provider(t, func(c *oidc.Config) { c.Timeout = timeout })
			began := time.Now()
			_, err := f.signIn(t, p)
			refusedWith(t, err, test.reason, test.sentence)
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %s", took)
			}
			if n := f.count(test.path); n != test.asked {
				t.Errorf("asked %d times, want %d", n, test.asked)
			}
			if f.count("/canary") != 0 {
				t.Error("a redirect was followed")
			}
			// The provider is back, and found by itself.
			f.set(func() { delete(f.answer, test.path) })
			f.clock.move(2 * time.Second)
			if _, err := f.signIn(t, p); err != nil {
				t.Errorf("the provider is back: %v", err)
			}
		})
	}
}

func TestCrowdAtAProviderThatIsDown(t *testing.T) {
	const discovery = "/.well-known/openid-configuration"
	f := newIDP(t)
	f.answer[discovery] = func(w http.ResponseWriter, r *http.Request) { http.Error(w, "canary", http.StatusForbidden) }
	p := f.provider(t, nil)
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			if _, _, err := p.Start(t.Context(), "/"); err == nil {
				t.Error("a sign-in begins at a provider that refuses everything")
			}
		})
	}
	group.Wait()
	if n := f.count(discovery); n != 1 {
		t.Errorf("a hundred people asked the provider %d times", n)
	}
	for i, want := range []int{2, 2, 3, 4} { // after a second; at once; after two; after an hour, though never less often than each half minute
		f.clock.move([]time.Duration{time.Second, 0, 2 * time.Second, time.Hour}[i])
		_, _, _ = p.Start(t.Context(), "/")
		if n := f.count(discovery); n != want {
			t.Errorf("step %d: asked %d times, want %d", i, n, want)
		}
	}
	for range 20 {
		f.clock.move(30 * time.Second)
		_, _, _ = p.Start(t.Context(), "/")
	}
	if n := f.count(discovery); n != 24 {
		t.Errorf("asked %d times, want once in half a minute", n)
	}
	f.clock.move(-48 * time.Hour) // a clock that goes back does not shut the door
	f.set(func() { delete(f.answer, discovery) })
	if _, err := f.signIn(t, p); err != nil {
		t.Error(err)
	}
}

func TestCrowdAtAProviderThatIsSlow(t *testing.T) {
	f := newIDP(t)
	p := f.provider(t, func(c *oidc.Config) { c.Timeout = 2 * time.Second })
	released := make(chan struct{})
	f.answer["/token"] = func(w http.ResponseWriter, r *http.Request) { <-released; f.token(w, r) }
	type comer struct {
		query url.Values
		state string
		err   error
	}
	crowd := make([]comer, 80)
	for i := range crowd {
		to, state, err := p.Start(t.Context(), "/")
		if err != nil {
			t.Fatal(err)
		}
		crowd[i] = comer{f.allow(t, to), state, nil}
	}
	var group sync.WaitGroup
	var sentAway atomic.Int32
	for i := range crowd {
		group.Go(func() {
			if _, _, crowd[i].err = p.Finish(t.Context(), crowd[i].query, crowd[i].state); crowd[i].err != nil && sentAway.Add(1) == 16 {
				close(released) // 64 are inside, and everybody else is not
			}
		})
	}
	group.Wait()
	if n := sentAway.Load(); n != 16 {
		t.Errorf("%d of 80 were sent away, want 16", n)
	}
	for _, c := range crowd {
		if c.err != nil {
			refusedWith(t, c.err, oidc.Unavailable, "too many people sign in at once")
			if _, _, err := p.Finish(t.Context(), c.query, c.state); err != nil {
				t.Errorf("who was sent away can not come again: %v", err)
			}
		}
	}
}

// What the provider says of itself is read again every hour, and the last good one does for a day.
func TestProviderThatGoesAway(t *testing.T) {
	const discovery = "/.well-known/openid-configuration"
	f := newIDP(t)
	p := f.provider(t, nil)
	if _, err := f.signIn(t, p); err != nil {
		t.Fatal(err)
	}
	f.set(func() {
		f.answer[discovery] = func(w http.ResponseWriter, r *http.Request) { http.Error(w, "canary", http.StatusForbidden) }
	})
	f.clock.move(2 * time.Hour)
	if _, err := f.signIn(t, p); err != nil {
		t.Errorf("after two hours: %v", err)
	}
	if n := f.count(discovery); n != 2 {
		t.Errorf("it was read %d times", n)
	}
	f.clock.move(23 * time.Hour)
	_, err := f.signIn(t, p)
	refusedWith(t, err, oidc.Unavailable, "status 403")
}

func TestCallerThatGoesAway(t *testing.T) {
	const discovery = "/.well-known/openid-configuration"
	f := newIDP(t)
	f.answer[discovery] = func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	p := f.provider(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := p.Start(ctx, "/")
	refusedWith(t, err, oidc.Unavailable, "did not answer in time")
	f.set(func() { delete(f.answer, discovery) })
	if _, err := f.signIn(t, p); err != nil {
		t.Errorf("somebody who went away closed the door for others: %v", err)
	}
}

func TestDiscoveryThatIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, field string
		value       any
		sentence    string
	}{
		{"another issuer", "issuer", "https://canary-free.example.com", `is called "https://canary-free.example.com"`},
		{"no issuer", "issuer", nil, `is called ""`},
		{"no token endpoint", "token_endpoint", nil, "token_endpoint"},
		{"a token endpoint anybody can listen to", "token_endpoint", "http://login.example.com/token", "begins with http://"},
		{"keys anybody can change", "jwks_uri", "http://login.example.com/keys", "jwks_uri"},
		{"keys out of a file", "jwks_uri", "file:///etc/passwd", "jwks_uri"},
		{"an authorization endpoint that is a script", "authorization_endpoint", "javascript:alert(1)//x", "authorization_endpoint"},
		{"credentials in an endpoint", "token_endpoint", "https://user:canary@login.example.com/token", "user name or a password"},
		{"no algorithm that is taken", "id_token_signing_alg_values_supported", []string{"HS256", "none"}, "neither RS256 nor ES256"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newIDP(t)
			f.document[test.field] = test.value
			_, _, err := f.provider(t, nil).Start(t.Context(), "/")
			if test.name == "another issuer" {
				if err == nil || !contains(err.Error(), test.sentence) {
					t.Errorf("got %v", err)
				}
				return
			}
			refusedWith(t, err, oidc.Misconfigured, test.sentence)
		})
	}
}

func TestWhoComesIn(t *testing.T) {
	tests := []struct {
		name   string
		claims map[string]any
		claim  string
		want   access.Principal
		fails  string
	}{
		{
			name: "an address nobody verified is not what somebody is known by", claims: map[string]any{"email": "boss@example.com", "email_verified": nil},
			want: access.Principal{ID: "user:248289761001", Name: "김서연 (248289761001)", Role: access.Operator},
		},
		{name: "verified in text", claims: map[string]any{"email_verified": "true"}, want: access.Principal{ID: "user:seoyeon@example.com", Name: "김서연 (seoyeon@example.com)", Role: access.Operator}},
		{name: "an address that hides something", claims: map[string]any{"email": "boss@example.com\u202e"}, want: access.Principal{ID: "user:248289761001", Name: "김서연 (248289761001)", Role: access.Operator}},
		{
			name: "an address that is too long is not cut to another's", claims: map[string]any{"email": strings.Repeat("x", 300) + "@example.com"},
			want: access.Principal{ID: "user:248289761001", Name: "김서연 (248289761001)", Role: access.Operator},
		},
		{name: "no name", claims: map[string]any{"name": nil}, want: access.Principal{ID: "user:seoyeon@example.com", Name: "seoyeon@example.com", Role: access.Operator}},
		{name: "nothing but a subject", claims: map[string]any{"name": nil, "email": nil}, want: access.Principal{ID: "user:248289761001", Name: "248289761001", Role: access.Operator}},
		{
			name: "a name that would break lines and turn the direction", claims: map[string]any{"name": "a\r\nlevel=ERROR \x1b[2J\u202eb\u200b"},
			want: access.Principal{ID: "user:seoyeon@example.com", Name: "a level=ERROR [2Jb (seoyeon@example.com)", Role: access.Operator},
		},
		{
			name: "a name without an end", claims: map[string]any{"name": strings.Repeat("가", 500)},
			want: access.Principal{ID: "user:seoyeon@example.com", Name: strings.Repeat("가", 77) + "… (seoyeon@example.com)", Role: access.Operator},
		},
		{name: "a name that is no text", claims: map[string]any{"name": 7, "preferred_username": "seoyeon"}, want: access.Principal{ID: "user:seoyeon@example.com", Name: "seoyeon (seoyeon@example.com)", Role: access.Operator}},
		{name: "a role that is bounded", claims: map[string]any{"groups": []any{"web", 7, nil, map[string]any{}}}, want: access.Principal{ID: "user:seoyeon@example.com", Name: "김서연 (seoyeon@example.com)", Role: access.Editor, Within: "tag:team=web"}},
		{name: "one group as text", claims: map[string]any{"groups": "all-staff"}, want: access.Principal{ID: "user:seoyeon@example.com", Name: "김서연 (seoyeon@example.com)", Role: access.Viewer}},
		{name: "Cognito's claim", claim: "cognito:groups", claims: map[string]any{"groups": nil, "cognito:groups": []string{"oncall"}}, want: access.Principal{ID: "user:seoyeon@example.com", Name: "김서연 (seoyeon@example.com)", Role: access.Operator}},
		{name: "Keycloak's path", claim: "realm_access.roles", claims: map[string]any{"groups": nil, "realm_access": map[string]any{"roles": []string{"oncall"}}}, want: access.Principal{ID: "user:seoyeon@example.com", Name: "김서연 (seoyeon@example.com)", Role: access.Operator}},
		{name: "a claim with dots in its name", claim: "https://example.com/groups", claims: map[string]any{"https://example.com/groups": []string{"oncall"}}, want: access.Principal{ID: "user:seoyeon@example.com", Name: "김서연 (seoyeon@example.com)", Role: access.Operator}},

		{name: "no groups", claims: map[string]any{"groups": nil}, fails: `sent no groups in the claim "groups"`},
		{name: "groups of no use here", claims: map[string]any{"groups": []string{"sales", "ONCALL", ""}}, fails: "none of your groups has a role here"},
		{name: "groups that are a number", claims: map[string]any{"groups": 7}, fails: "sent no groups"},
		{name: "groups below something that is no object", claim: "realm_access.roles", claims: map[string]any{"realm_access": "oncall"}, fails: "sent no groups"},
		{
			name: "too many groups for Entra ID", claims: map[string]any{"groups": nil, "_claim_names": map[string]any{"groups": "src1"}, "_claim_sources": map[string]any{"src1": map[string]any{"endpoint": "https://canary.example.com"}}},
			fails: "because there are too many",
		},
		{name: "an address nobody verified gives no role", claim: "email", claims: map[string]any{"email": "oncall", "email_verified": true}, fails: "sent no groups"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newIDP(t)
			f.claims = test.claims
			who, err := f.signIn(t, f.provider(t, func(c *oidc.Config) { c.GroupsClaim = test.claim }))
			if test.fails != "" {
				refusedWith(t, err, oidc.Refused, test.fails)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			test.want.Via = access.ViaSession
			if diff := cmp.Diff(test.want, who); diff != "" {
				t.Error(diff)
			}
		})
	}

	t.Run("by address, where it is verified", func(t *testing.T) {
		for verified, want := range map[bool]bool{true: true, false: false} {
			f := newIDP(t)
			f.claims["email_verified"] = verified
			_, err := f.signIn(t, f.provider(t, func(c *oidc.Config) {
				c.GroupsClaim, c.Members = "email", []access.Membership{{Group: "seoyeon@example.com", Role: access.Admin}}
			}))
			if (err == nil) != want {
				t.Errorf("verified %v: %v", verified, err)
			}
		}
	})
	t.Run("scopes", func(t *testing.T) {
		f := newIDP(t)
		to, _, err := f.provider(t, func(c *oidc.Config) { c.Scopes = []string{"openid", "groups"} }).Start(t.Context(), "/")
		if err != nil || to.Query().Get("scope") != "openid groups" {
			t.Errorf("asks for %q, %v", to.Query().Get("scope"), err)
		}
	})
}

func TestConfigurations(t *testing.T) {
	good := oidc.Config{
		Issuer: "https://login.example.com/realms/main", ClientID: "x", RedirectURL: "https://dayshift.example.com/cb",
		Members: []access.Membership{{Group: "g", Role: access.Viewer}},
	}
	tests := []struct {
		name   string
		change func(*oidc.Config)
		want   string // empty: taken
	}{
		{"good", func(c *oidc.Config) {}, ""},
		{"on this machine", func(c *oidc.Config) { c.Issuer, c.RedirectURL = "http://localhost:8081", "http://[::1]:8080/cb" }, ""},
		{"no issuer", func(c *oidc.Config) { c.Issuer = "" }, "issuer is missing"},
		{"an issuer without its scheme", func(c *oidc.Config) { c.Issuer = "login.example.com" }, "names no host"},
		{"an issuer anybody can listen to", func(c *oidc.Config) { c.Issuer = "http://login.example.com" }, "write https://"},
		{"a host that only begins like this machine", func(c *oidc.Config) { c.Issuer = "http://localhost.example.com" }, "write https://"},
		{"an issuer with a password", func(c *oidc.Config) { c.Issuer = "https://u:canary@login.example.com" }, "user name or a password"},
		{"an issuer with a query", func(c *oidc.Config) { c.Issuer = "https://login.example.com/?x" }, "query"},
		{"an issuer with a fragment", func(c *oidc.Config) { c.Issuer = "https://login.example.com/#x" }, "fragment"},
		{"the discovery document", func(c *oidc.Config) { c.Issuer += "/.well-known/openid-configuration" }, "write it without"},
		{"no client", func(c *oidc.Config) { c.ClientID = "" }, "client ID"},
		{"a secret with the end of its line", func(c *oidc.Config) { c.ClientSecret = "canary\n" }, "client secret"},
		{"no redirect", func(c *oidc.Config) { c.RedirectURL = "" }, "redirect address is missing"},
		{"a redirect that is a path", func(c *oidc.Config) { c.RedirectURL = "/cb" }, "names no host"},
		{"a redirect anybody can listen to", func(c *oidc.Config) { c.RedirectURL = "http://dayshift.example.com/cb" }, "write https://"},
		{"two scopes in one", func(c *oidc.Config) { c.Scopes = []string{"a b"} }, "one word each"},
		{"nobody", func(c *oidc.Config) { c.Members = nil }, "nobody could sign in"},
		{"a role that is none", func(c *oidc.Config) { c.Members = []access.Membership{{Group: "g", Role: "root"}} }, `role "root" is unknown`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := good
			test.change(&c)
			_, err := oidc.New(c)
			if (err == nil) != (test.want == "") || err != nil && !contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && contains(err.Error(), "canary") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}
