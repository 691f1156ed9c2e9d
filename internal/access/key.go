package access

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"dayshift/internal/say"
)

// The form of a key: dsk_<ID>_<secret>_<checksum>, all of base62.
const (
	// KeyPrefix begins every key, for people and for scanners of leaked secrets.
	KeyPrefix = "dsk_"
	// keyIDLength is public: 62^8 keys, so that chance never gives two the same.
	keyIDLength = 8
	// keySecretLength is 190 bits, far beyond guessing; a fast hash is enough to keep it by.
	keySecretLength = 32
	// keySumLength holds any CRC-32: 62^6 > 2^32.
	keySumLength = 6
	keyLength    = len(KeyPrefix) + keyIDLength + 1 + keySecretLength + 1 + keySumLength
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Key is a key as its owner holds it.
type Key struct {
	ID   string // what it is known by; no secret
	text string
}

// Text is the whole key. It is shown once, to whoever made it.
func (k Key) Text() string { return k.text }

// String leaves the secret out, so that no log and no error can show it by accident.
func (k Key) String() string { return KeyPrefix + k.ID + "_…" }

// GoString is String.
func (k Key) GoString() string { return k.String() }

// NewKey makes a key with the ID; an empty one is drawn too. random has to be
// cryptographically strong, as crypto/rand.Reader is.
func NewKey(random io.Reader, id string) (Key, error) {
	var err error
	if id == "" {
		if id, err = draw(random, keyIDLength); err != nil {
			return Key{}, err
		}
	}
	secret, err := draw(random, keySecretLength)
	if err != nil {
		return Key{}, err
	}
	text := KeyPrefix + id + "_" + secret
	return ParseKey(text + "_" + checksum(text))
}

// errKey says nothing of what was written: it may be most of a secret.
var errKey = say.Err("this is no API key: one begins with dsk_ and has an ID, a secret and a checksum; was it copied whole?")

// ParseKey reads a key. It refuses what is not whole and, by the checksum, what
// was mistyped; whether there is such a key it can not know. No error repeats
// what was written.
func ParseKey(text string) (Key, error) {
	if len(text) != keyLength || !strings.HasPrefix(text, KeyPrefix) {
		return Key{}, errKey
	}
	parts := strings.Split(text[len(KeyPrefix):], "_")
	if len(parts) != 3 || len(parts[0]) != keyIDLength || len(parts[1]) != keySecretLength || !IsBase62(strings.Join(parts, "")) {
		return Key{}, errKey
	}
	if checksum(text[:keyLength-keySumLength-1]) != parts[2] {
		return Key{}, say.Err("the checksum of this API key does not fit: a character of it is wrong")
	}
	return Key{ID: parts[0], text: text}, nil
}

// IsBase62 reports whether the text is of letters and digits alone.
func IsBase62(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(base62, r) }) < 0
}

// IsKeyID reports whether the text can be the ID of a key.
func IsKeyID(text string) bool { return len(text) == keyIDLength && IsBase62(text) }

// Hash is what is stored of a key or of a session's token: the hex SHA-256 of all of it.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// The form of a session's token: dss_<secret>.
const (
	SessionPrefix = "dss_"
	// sessionLength is 256 bits.
	sessionLength = 43
)

// NewSessionToken draws the token of a session.
func NewSessionToken(random io.Reader) (string, error) {
	secret, err := draw(random, sessionLength)
	return SessionPrefix + secret, err
}

// IsSessionToken reports whether the text can be the token of a session.
func IsSessionToken(text string) bool {
	secret, ok := strings.CutPrefix(text, SessionPrefix)
	return ok && len(secret) == sessionLength && IsBase62(secret)
}

// checksum is the CRC-32 of the text, in base62.
func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	digits := make([]byte, keySumLength)
	for i := keySumLength - 1; i >= 0; i-- {
		digits[i] = base62[sum%uint32(len(base62))]
		sum /= uint32(len(base62))
	}
	return string(digits)
}

// draw gives n characters, each of the 62 as likely as any other.
func draw(random io.Reader, n int) (string, error) {
	// A byte of 248 and more is left out: 256 is no multiple of 62.
	const fair = 256 / len(base62) * len(base62)
	text := make([]byte, 0, n)
	var some [64]byte
	for len(text) < n {
		if _, err := io.ReadFull(random, some[:]); err != nil {
			return "", fmt.Errorf("draw a secret: %w", err)
		}
		for _, b := range some {
			if int(b) < fair && len(text) < n {
				text = append(text, base62[int(b)%len(base62)])
			}
		}
	}
	return string(text), nil
}
