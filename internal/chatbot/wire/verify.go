package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
	"time"
)

// secrets are the one in force and the one before it, while they are exchanged. An empty one opens nothing.
type secrets [2]string

// opened reports whether try succeeds with one of the secrets. Both are tried: how long it takes does not tell which it was.
func (s secrets) opened(try func(secret string) bool) bool {
	opened := false
	for _, secret := range s {
		if secret != "" && try(secret) {
			opened = true
		}
	}
	return opened
}

// same compares in a time that does not tell where texts differ; their lengths are no secret.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func hmacSHA256(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// only gives a header that stands there once. Of two, one might be looked at here and the other in front of us.
func only(header http.Header, name string) (string, bool) {
	values := header.Values(name)
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// seconds reads a time in seconds since 1970 and refuses one that is too far away.
func seconds(text string, now time.Time) (int64, error) {
	// Eleven digits last until the year 5138, and what is more could overflow.
	if n, err := strconv.ParseUint(text, 10, 63); err == nil && len(text) <= 11 {
		return int64(n), recently(time.Unix(int64(n), 0), now)
	}
	return 0, refuse(BadTime, "its time can not be read")
}

// recently refuses an instant that is too far away.
func recently(at, now time.Time) error {
	// A request of the last second of MaxAge is taken: times are told in whole seconds.
	switch age := now.Sub(at).Truncate(time.Second); {
	case age > MaxAge:
		return refuse(BadTime, "it is too old")
	case age < -MaxAge:
		return refuse(BadTime, "it is of the future; is the clock of this machine right?")
	}
	return nil
}
