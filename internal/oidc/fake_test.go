package oidc_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/oidc"
)

const (
	clientID     = "dayshift-client"
	clientSecret = "canary-s3cret/+ü"
	callback     = "https://dayshift.example.com/api/v1/signin/oidc/callback"
)

// keys are made once: an RSA key takes long.
var (
	rsaKey, _   = rsa.GenerateKey(rand.Reader, 2048)
	otherRSA, _ = rsa.GenerateKey(rand.Reader, 2048)
	ecKey, _    = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
)

// wall is the clock of a test: the real one, moved.
type wall struct {
	mu    sync.Mutex
	moved time.Duration
}

func (w *wall) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.moved)
}

func (w *wall) Sleep(context.Context, time.Duration) error { return nil }

func (w *wall) move(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved += d
}

// grantee is what the fake provider remembers of a code.
type grantee struct{ nonce, challenge, redirect string }

// idp is an identity provider on loopback. It follows the specifications, and a test can have it break any of them.
type idp struct {
	*httptest.Server
	clock *wall

	mu    sync.Mutex
	codes map[string]grantee
	asked map[string]int

	// What a test may change before anything is asked.
	signers   map[string]any // kid → *rsa.PrivateKey or *ecdsa.PrivateKey, as the key endpoint lists them
	signWith  string         // the kid to sign with
	claims    map[string]any // over those of the token; nil takes one out
	sign      func(header, claims map[string]any) string
	document  map[string]any              // over those of the discovery document
	answer    map[string]http.HandlerFunc // path → instead of what is there
	lax       bool                        // redeems any code for anybody, as often as they like
	authStyle string                      // how the last client authenticated
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	f := &idp{
		clock: &wall{}, codes: map[string]grantee{}, asked: map[string]int{}, signers: map[string]any{"one": rsaKey}, signWith: "one",
		claims: map[string]any{}, document: map[string]any{}, answer: map[string]http.HandlerFunc{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", f.discovery)
	mux.HandleFunc("GET /keys", f.keys)
	mux.HandleFunc("POST /token", f.token)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked[r.URL.Path]++
		instead := f.answer[r.URL.Path]
		f.mu.Unlock()
		if instead != nil {
			instead(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// set changes the provider while it serves.
func (f *idp) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *idp) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[path]
}

func (f *idp) discovery(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := map[string]any{
		"issuer": f.URL, "authorization_endpoint": f.URL + "/authorize", "token_endpoint": f.URL + "/token", "jwks_uri": f.URL + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256", "HS256", "none"},
	}
	over(d, f.document)
	answerJSON(w, http.StatusOK, d)
}

func (f *idp) keys(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []map[string]string
	for kid, key := range f.signers {
		switch key := key.(type) {
		case *rsa.PrivateKey:
			list = append(list, map[string]string{
				"kty": "RSA", "use": "sig", "kid": kid, "n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
			})
		case *ecdsa.PrivateKey:
			point, err := key.PublicKey.Bytes()
			if err != nil {
				panic(err)
			}
			list = append(list, map[string]string{"kty": "EC", "use": "sig", "kid": kid, "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])})
		}
	}
	answerJSON(w, http.StatusOK, map[string]any{"keys": list})
}

// allow is the person saying yes at the provider: it gives what the browser comes back with.
func (f *idp) allow(t *testing.T, to *url.URL) url.Values {
	t.Helper()
	q := to.Query()
	f.mu.Lock()
	defer f.mu.Unlock()
	code := rand.Text()
	f.codes[code] = grantee{q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri")}
	return url.Values{"code": {code}, "state": {q.Get("state")}}
}

func (f *idp) token(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	refuse := func(status int, word string) {
		answerJSON(w, status, map[string]any{"error": word, "error_description": "canary-description: " + r.PostFormValue("code")})
	}
	id, secret, basic := r.BasicAuth()
	f.authStyle = "basic"
	if basic {
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	} else {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
		f.authStyle = "post"
		if secret == "" {
			f.authStyle = "none"
		}
	}
	code := r.PostFormValue("code")
	g, known := f.codes[code]
	verifier := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case id != clientID || f.authStyle != "none" && secret != clientSecret:
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	case f.lax:
	case !known || g.challenge != encode(verifier[:]) || g.redirect != r.PostFormValue("redirect_uri"):
		refuse(http.StatusBadRequest, "invalid_grant")
		return
	}
	if !f.lax {
		delete(f.codes, code)
	}
	now := f.clock.Now()
	claims := map[string]any{
		"iss": f.URL, "aud": clientID, "sub": "248289761001", "nonce": g.nonce, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"name": "김서연", "email": "seoyeon@example.com", "email_verified": true, "groups": []string{"all-staff", "oncall"},
		"at_hash": half("canary-access-token"),
	}
	over(claims, f.claims)
	sign := f.sign
	if sign == nil {
		sign = f.signed
	}
	answerJSON(w, http.StatusOK, map[string]any{
		"access_token": "canary-access-token", "token_type": "Bearer", "expires_in": 300,
		"id_token": sign(map[string]any{"typ": "JWT", "kid": f.signWith}, claims),
	})
}

// signed signs as the key of signWith can.
func (f *idp) signed(header, claims map[string]any) string {
	switch key := f.signers[f.signWith].(type) {
	case *rsa.PrivateKey:
		return rs256(key, header, claims)
	case *ecdsa.PrivateKey:
		header["alg"] = "ES256"
		text := unsigned(header, claims)
		sum := sha256.Sum256([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			panic(err)
		}
		return text + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	}
	panic("no such key: " + f.signWith)
}

func rs256(key *rsa.PrivateKey, header, claims map[string]any) string {
	header["alg"] = "RS256"
	text := unsigned(header, claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + encode(signature)
}

// hs256 signs with whatever is at hand as the secret.
func hs256(secret []byte, header, claims map[string]any) string {
	header["alg"] = "HS256"
	text := unsigned(header, claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

func unsigned(header, claims map[string]any) string {
	return encode(mustJSON(header)) + "." + encode(mustJSON(claims))
}

// publicPEM is the public key as it is published, and as a careless library takes it for a secret.
func publicPEM(key *rsa.PrivateKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func half(text string) string {
	sum := sha256.Sum256([]byte(text))
	return encode(sum[:16])
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func mustJSON(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return data
}

func over(base, changes map[string]any) {
	for name, value := range changes {
		if base[name] = value; value == nil {
			delete(base, name)
		}
	}
}

func answerJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(mustJSON(value))
}

func (f *idp) config() oidc.Config {
	return oidc.Config{
		Issuer: f.URL, ClientID: clientID, ClientSecret: clientSecret, RedirectURL: callback, Clock: f.clock,
		Members: []access.Membership{
			{Group: "all-staff", Role: access.Viewer}, {Group: "oncall", Role: access.Operator}, {Group: "web", Role: access.Editor, Within: "tag:team=web"},
		},
	}
}

func (f *idp) provider(t *testing.T, change func(*oidc.Config)) *oidc.Provider {
	t.Helper()
	c := f.config()
	if change != nil {
		change(&c)
	}
	p, err := oidc.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// signIn goes the whole way of a person who says yes.
func (f *idp) signIn(t *testing.T, p *oidc.Provider) (access.Principal, error) {
	t.Helper()
	to, state, err := p.Start(t.Context(), "/")
	if err != nil {
		return access.Principal{}, err
	}
	who, _, err := p.Finish(t.Context(), f.allow(t, to), state)
	return who, err
}

// refusedWith checks an error: its reason, a part of its sentence, and that it tells nothing it should not.
func refusedWith(t *testing.T, err error, reason oidc.Reason, sentence string) {
	t.Helper()
	e, ok := errors.AsType[*oidc.Error](err)
	if !ok {
		t.Fatalf("got %T %v, want an *oidc.Error of %s", err, err, reason)
	}
	if e.Reason != reason || !contains(e.Error(), sentence) {
		t.Errorf("got %s: %q, want %s: …%s…", e.Reason, e, reason, sentence)
	}
	noSecret(t, err)
}

// noSecret looks for what no error may tell, in every way an error can be written.
func noSecret(t *testing.T, err error) {
	t.Helper()
	for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), string(mustJSON(err))} {
		for _, secret := range []string{"canary", "eyJ", clientSecret, "code_verifier"} {
			if contains(text, secret) {
				t.Errorf("the error tells %q: %s", secret, text)
			}
		}
	}
}
