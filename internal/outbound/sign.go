package outbound

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed post.
const (
	// TimestampHeader holds when it was sent, in seconds since 1970.
	TimestampHeader = "Dayshift-Timestamp"
	// SignatureHeader holds v1= and the signature in hex; two with a comma between while a secret is exchanged.
	SignatureHeader = "Dayshift-Signature"
	// IDHeader holds the ID of the message.
	IDHeader = "Dayshift-Id"
)

// Sign returns the signature of a body that is sent at a time, in seconds since 1970.
func Sign(secret string, timestamp int64, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(strconv.AppendInt(nil, timestamp, 10))
	mac.Write([]byte("."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Signed are the headers of a body that is sent at an instant. It is signed with the secret and, where there is one, with the
// secret before it, until every receiver has the new one. Without a secret they say when it was sent.
func Signed(secret, previous string, at time.Time, body []byte) map[string]string {
	timestamp := at.Unix()
	header := map[string]string{TimestampHeader: strconv.FormatInt(timestamp, 10)}
	var signatures []string
	for _, secret := range []string{secret, previous} {
		if secret != "" {
			signatures = append(signatures, Sign(secret, timestamp, body))
		}
	}
	if len(signatures) > 0 {
		header[SignatureHeader] = strings.Join(signatures, ",")
	}
	return header
}

// Genuine reports whether one of the signatures of a header was made with a secret for a body that is sent at a time, in seconds
// since 1970. How long it takes does not tell where they differ. An empty secret made none.
func Genuine(signatures, secret string, timestamp int64, body []byte) bool {
	if secret == "" {
		return false
	}
	genuine := false
	want := []byte(Sign(secret, timestamp, body))
	for given := range strings.SplitSeq(signatures, ",") {
		if subtle.ConstantTimeCompare([]byte(given), want) == 1 {
			genuine = true
		}
	}
	return genuine
}
