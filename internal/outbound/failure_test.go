package outbound

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Whatever is wrong with a certificate, what is written in it is not told: it may be that of a server inside.
func TestWhyACertificateIsNotTrusted(t *testing.T) {
	now := time.Now()
	for says, test := range map[string]struct {
		change  func(*x509.Certificate)
		trusted bool
	}{
		"it is another host's":                 {func(c *x509.Certificate) { c.DNSNames = []string{"canary.internal.example"} }, true},
		"it is signed by an unknown authority": {func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} }, false},
		"it has expired, or is not valid yet":  {func(c *x509.Certificate) { c.DNSNames, c.NotAfter = []string{"localhost"}, now.Add(-time.Hour) }, true},
		"it may not be used by a server, or is damaged": {func(c *x509.Certificate) {
			c.DNSNames, c.ExtKeyUsage = []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, true},
	} {
		certificate := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "canary", Organization: []string{"canary"}}, NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		test.change(certificate)
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		made, err := x509.CreateCertificate(rand.Reader, certificate, certificate, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(made)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of the handshake that is refused here
		server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{made}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
		server.StartTLS()
		roots := x509.NewCertPool()
		if test.trusted {
			roots.AddCert(parsed)
		}
		poster, err := NewPoster(PostOptions{URL: strings.Replace(server.URL, "127.0.0.1", "localhost", 1), AllowPrivate: true, Now: time.Now, Roots: roots})
		if err != nil {
			t.Fatal(err)
		}
		_, err = poster.Post(t.Context(), nil, nil, []byte("{}"))
		server.Close()
		if err == nil || !strings.HasSuffix(err.Error(), "its certificate is not trusted: "+says) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v; want %q", err, says)
		}
	}
}
