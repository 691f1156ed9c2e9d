package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
)

// maxHeader bounds the header of an answer.
const maxHeader = 64 << 10

// Transport makes single requests to addresses that somebody wrote down: dial connects, through no proxy, so that whoever
// guards it sees the address that is connected to; TLS is 1.2 or newer and checked with roots (nil: the machine's); no
// connection is kept. It follows no redirect as long as no http.Client is put around it.
func Transport(dial func(ctx context.Context, network, address string) (net.Conn, error), roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxHeader,
	}
}
