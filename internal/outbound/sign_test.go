package outbound

import (
	"testing"
	"time"
)

func TestGenuine(t *testing.T) {
	at, body := time.Unix(1785722400, 0), []byte(`{"id":"q-17"}`)
	both := Signed("new", "old", at, body)[SignatureHeader]
	for name, test := range map[string]struct {
		signatures, secret string
		timestamp          int64
		body               string
		genuine            bool
	}{
		"the secret":          {both, "new", at.Unix(), string(body), true},
		"the one before":      {both, "old", at.Unix(), string(body), true},
		"another":             {both, "odd", at.Unix(), string(body), false},
		"none":                {Sign("", at.Unix(), body), "", at.Unix(), string(body), false},
		"another time":        {both, "new", at.Unix() + 1, string(body), false},
		"another body":        {both, "new", at.Unix(), string(body) + " ", false},
		"nothing signed":      {"", "new", at.Unix(), string(body), false},
		"a part of it":        {both[:20], "new", at.Unix(), string(body), false},
		"a blank between two": {"v1=00, " + Sign("new", at.Unix(), body), "new", at.Unix(), string(body), false},
	} {
		if got := Genuine(test.signatures, test.secret, test.timestamp, []byte(test.body)); got != test.genuine {
			t.Errorf("%s: %v", name, got)
		}
	}
	if header := Signed("", "", at, body); len(header) != 1 || header[TimestampHeader] != "1785722400" {
		t.Errorf("without a secret: %v", header)
	}
}
