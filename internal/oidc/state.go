package oidc

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Bounds of a sign-in that is under way.
const (
	// Lifetime is how long a sign-in may take from Start to Finish, a second factor and a forgotten password included. A
	// cookie with the state needs to live no longer.
	Lifetime = 10 * time.Minute
	// maxState bounds the sealed state: what a browser keeps in one cookie.
	maxState = 3800
	// maxUsed is how many finished sign-ins are remembered: 16 a second for Lifetime, in less than 1 MB.
	maxUsed = 10_000
	// randomBytes is the length of state, nonce and verifier: 256 bits, as RFC 7636 asks of the verifier.
	randomBytes = 32
)

// pending is what a sign-in remembers between Start and Finish. Times are in nanoseconds since 1970.
type pending struct {
	ID       string `json:"i"` // the state parameter
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	ReturnTo string `json:"r"`
	Begun    int64  `json:"b"`
}

// random gives 256 bits of text that needs no escape in a URL.
func random() string {
	data := make([]byte, randomBytes)
	_, _ = rand.Read(data) // never fails: the process ends instead
	return base64.RawURLEncoding.EncodeToString(data)
}

// seal makes what a browser may carry without reading or changing it.
type seal struct{ aead cipher.AEAD }

// sealed binds the text to this use: it is authenticated, not sent.
var sealed = []byte("dayshift oidc sign-in 1")

func newSeal() (seal, error) {
	key := make([]byte, 32) // AES-256
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return seal{}, fmt.Errorf("make the seal of sign-ins: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return seal{}, fmt.Errorf("make the seal of sign-ins: %w", err)
	}
	return seal{aead}, nil
}

func (s seal) close(p pending) (string, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // the & of a query would be six bytes
	if err := enc.Encode(p); err != nil {
		return "", fmt.Errorf("write a sign-in down: %w", err)
	}
	state := base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, text.Bytes(), sealed)) //nolint:gosec // this AEAD draws its nonce itself
	if len(state) > maxState {
		return "", fmt.Errorf("a sign-in is %d bytes long sealed, more than the %d of a cookie", len(state), maxState)
	}
	return state, nil
}

// errSeal is all there is to say about a state that this process has not made: telling more would help to make one.
var errSeal = errors.New("not sealed here")

func (s seal) open(state string) (pending, error) {
	if len(state) > maxState || strings.ContainsAny(state, "\r\n") { // which base64 skips
		return pending{}, errSeal
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(state)
	if err != nil {
		return pending{}, errSeal
	}
	text, err := s.aead.Open(nil, nil, data, sealed)
	if err != nil {
		return pending{}, errSeal
	}
	var p pending
	if err := json.Unmarshal(text, &p); err != nil {
		return pending{}, errSeal
	}
	return p, nil
}

// used remembers which sign-ins were finished, for as long as they could be finished again. It holds at most limit of them:
// the oldest makes room, and everything that began no later than it counts as used from then on. So a flood makes those
// begin again who take longest, and nobody gets in twice.
type used struct {
	limit int

	mu    sync.Mutex
	ids   map[string]bool
	queue []finished // in the order of use
	floor int64      // what began up to here is used, or may be
}

type finished struct {
	id    string
	begun int64
}

func newUsed(limit int) *used { return &used{limit: limit, ids: map[string]bool{}} }

// take says whether p is used for the first time, and remembers it. now is the present instant.
func (u *used) take(p pending, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if p.Begun <= u.floor || u.ids[p.ID] {
		return false
	}
	expired := now.Add(-Lifetime).UnixNano() // Finish refuses what began before: it need not be remembered
	for len(u.queue) > 0 && (u.queue[0].begun < expired || len(u.queue) >= u.limit) {
		u.floor = max(u.floor, u.queue[0].begun)
		delete(u.ids, u.queue[0].id)
		u.queue = u.queue[1:]
	}
	if p.Begun <= u.floor {
		return false
	}
	u.ids[p.ID] = true
	u.queue = append(u.queue, finished{p.ID, p.Begun})
	return true
}
