package oidc

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

	coreos "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Reason is why a sign-in did not come about: one word, for activity and metrics, and to choose an answer by.
type Reason string

// The reasons.
const (
	// Refused: the provider or the person said no, or the person has no role here.
	Refused Reason = "refused"
	// Stale: this sign-in can not be finished, here or any more; a new one can.
	Stale Reason = "stale"
	// Untrusted: what came back fails a check that an honest provider and browser pass.
	Untrusted Reason = "untrusted"
	// Unavailable: the provider does not answer, or not in time.
	Unavailable Reason = "unavailable"
	// Misconfigured: the provider and the configuration do not fit together.
	Misconfigured Reason = "misconfigured"
)

// Error is what Start and Finish fail with. Its text is one or two sentences for whoever signs in, and tells no secret.
type Error struct {
	Reason Reason
	text   string
	cause  error
}

func (e *Error) Error() string { return e.text }

// Unwrap gives the end of a context, where that is the cause; nothing else beneath is fit to be shown.
func (e *Error) Unwrap() error { return e.cause }

// Word is the Reason as plain text, for callers that do not know this package.
func (e *Error) Word() string { return string(e.Reason) }

func fail(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, text: fmt.Sprintf(format, args...)}
}

// outageError says why an address of the provider gave no answer that can be used.
type outageError struct {
	text  string
	again bool // whether asking once more may help
}

func (e *outageError) Error() string { return e.text }

// outage words the error of a round trip, whose own text can repeat what was sent.
func outage(err error) *outageError {
	var (
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		op          *net.OpError
	)
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return &outageError{"its host does not exist", false}
	case errors.As(err, &name):
		return &outageError{"its host could not be looked up", true}
	case errors.As(err, &certificate):
		return &outageError{"its certificate is not trusted: " + certificate.Err.Error(), false}
	case errors.As(err, &record):
		return &outageError{"it does not speak TLS", false}
	case errors.As(err, &alert):
		return &outageError{"it ended the TLS handshake: " + alert.Error(), false}
	case errors.As(err, &op) && op.Timeout():
		return &outageError{"it did not answer in time", false}
	case errors.As(err, &op):
		return &outageError{"the connection failed: " + op.Err.Error(), true}
	}
	return &outageError{"it does not answer as a web server does", true}
}

// exchangeFailure words why the token endpoint gave no token. x/oauth2 puts the whole answer into its error.
func exchangeFailure(err error) *Error {
	var (
		answer *oauth2.RetrieveError
		down   = asOutage(err)
	)
	switch {
	case errors.As(err, &answer) && answer.ErrorCode == "invalid_grant":
		return fail(Stale, "the provider refused the code of this sign-in: it was used before, or too late; begin again")
	case errors.As(err, &answer) && (answer.ErrorCode == "invalid_client" || answer.ErrorCode == "unauthorized_client"):
		return fail(Misconfigured, "the provider refuses this client (%s); check the client ID, its secret, and that it may use the authorization code flow", answer.ErrorCode)
	case errors.As(err, &answer) && slices.Contains(protocolErrors, answer.ErrorCode):
		return fail(Misconfigured, "the provider refuses to redeem the code of this sign-in (%s)", answer.ErrorCode)
	case errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode >= 500:
		return fail(Unavailable, "the provider's token endpoint answers with status %d; try again", answer.Response.StatusCode)
	case errors.As(err, &answer) && answer.Response != nil:
		return fail(Misconfigured, "the provider's token endpoint answers with status %d and no error that OAuth knows", answer.Response.StatusCode)
	case down != nil:
		return fail(Unavailable, "the provider's token endpoint can not be asked: %s; try again", down)
	}
	return fail(Untrusted, "the provider's token endpoint sent no answer that OAuth knows")
}

// tokenFailure words why an ID token is not believed. go-oidc puts claims, and what the key endpoint sent, into its errors.
func tokenFailure(err error, claims *examined) *Error {
	var expired *coreos.TokenExpiredError
	switch {
	case claims.keys != nil:
		return fail(Unavailable, "the provider's keys can not be read: %s; try again", claims.keys)
	case !claims.signed:
		return fail(Untrusted, "the provider's ID token is not signed by one of its keys with %s", algorithmsInWords)
	case errors.As(err, &expired):
		return fail(Untrusted, "the provider's ID token has expired; if that is so every time, compare the clock of this machine with the provider's")
	}
	return fail(Untrusted, "the provider's ID token is for somebody else: its issuer, its audience or its times are not those of this sign-in")
}

// asOutage gives the outage beneath an error, nil where there is none. It knows the time of a client that is up as one too.
func asOutage(err error) *outageError {
	var down *outageError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &down):
		return down
	case timedOut(err):
		return &outageError{"it did not answer in time", false}
	}
	return nil
}

// why words an error of a client.
func why(err error) string {
	if down := asOutage(err); down != nil {
		return down.text
	}
	return "it does not answer as a web server does"
}

// timedOut tells whether an error is the end of a client's time.
func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// protocolErrors are the error words of RFC 6749 and OpenID Connect Core, the only ones that are repeated.
var protocolErrors = []string{
	"access_denied", "account_selection_required", "consent_required", "interaction_required", "invalid_client", "invalid_grant",
	"invalid_request", "invalid_request_object", "invalid_request_uri", "invalid_scope", "login_required", "registration_not_supported",
	"request_not_supported", "request_uri_not_supported", "server_error", "temporarily_unavailable", "unauthorized_client",
	"unsupported_grant_type", "unsupported_response_type",
}
