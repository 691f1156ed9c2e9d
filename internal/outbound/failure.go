package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// Failure words why there is no answer, of the error of a connection or a request. The errors beneath repeat the address,
// or the first bytes of what answered. A *RefusedError stays one; every other is told in its words alone.
func Failure(err error) error {
	var (
		refused     *RefusedError
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		op          *net.OpError
	)
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &name) && name.IsNotFound:
		return errors.New("its host does not exist")
	case errors.As(err, &name):
		return errors.New("its host could not be looked up")
	case errors.As(err, &certificate):
		return errors.New("its certificate is not trusted: " + distrust(certificate.Err))
	case errors.As(err, &record):
		return errors.New("it does not speak TLS; the address may be one of http")
	case errors.As(err, &alert):
		return fmt.Errorf("it ended the TLS handshake: %w", alert)
	case errors.As(err, &op):
		return fmt.Errorf("the connection failed: %w", op.Err)
	}
	return errors.New("it does not answer as a web server does")
}

// distrust says why a certificate is not trusted, without the names that are in it.
func distrust(err error) string {
	var (
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &host):
		return "it is another host's"
	case errors.As(err, &unknown):
		return "it is signed by an unknown authority"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired, or is not valid yet"
	}
	return "it may not be used by a server, or is damaged"
}
