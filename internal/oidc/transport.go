package oidc

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"time"

	"dayshift/internal/clock"
)

// Bounds of what is asked of the provider.
const (
	// requestTimeout is how long one question may take, repetitions and the last byte included: a person is waiting.
	requestTimeout = 8 * time.Second
	// finishTimeout is how long all questions of one sign-in may take together. It is below the time in which the server has
	// to answer a request, so that the person reads which side was slow.
	finishTimeout = 20 * time.Second
	// maxAnswer bounds an answer: discovery documents and key sets are some KB, and a token with hundreds of groups tens of KB.
	maxAnswer = 512 << 10
	// maxHeader bounds the header of an answer.
	maxHeader = 64 << 10
	// attempts is how often something that can be asked twice is asked when the connection or the server fails, and
	// firstGap the time before the second attempt; it doubles. A load balancer's hiccup stays unseen, an outage is said soon.
	attempts = 3
	firstGap = 150 * time.Millisecond
)

// newClient makes the client that all questions go through. It follows no redirect: one of the token endpoint would carry
// the client secret elsewhere, and the documents of a provider are where it says they are.
func newClient(roots *x509.CertPool, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &bounded{base: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			DisableKeepAlives:      true, // sign-ins are rare, and no connection is left to be closed
			MaxResponseHeaderBytes: maxHeader,
		}},
	}
}

// bounded reads answers whole, up to maxAnswer, so that whoever decodes them needs no bound of his own. A document that is
// fetched (GET) is asked for again when that may help, and anything but status 200 is an error; what is sent (POST) goes out
// once, since a code that was redeemed can not be redeemed again.
type bounded struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper. Its errors are *outageError.
func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	gap := firstGap
	for attempt := 1; ; attempt++ {
		resp, failed := b.once(req)
		if failed == nil {
			return resp, nil
		}
		if req.Method != http.MethodGet || !failed.again || attempt == attempts {
			return nil, failed
		}
		if err := (clock.Real{}).Sleep(req.Context(), gap); err != nil {
			return nil, failed
		}
		gap *= 2
	}
}

func (b *bounded) once(req *http.Request) (*http.Response, *outageError) {
	resp, err := b.base.RoundTrip(req)
	if err != nil {
		return nil, ended(req, outage(err))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	_ = resp.Body.Close() // what was wanted of it has been read
	switch {
	case len(body) > maxAnswer:
		return nil, &outageError{fmt.Sprintf("its answer is larger than %d KB", maxAnswer>>10), false}
	case err != nil:
		return nil, ended(req, &outageError{"its answer broke off before its end", true})
	case req.Method == http.MethodGet && resp.StatusCode != http.StatusOK:
		return nil, &outageError{fmt.Sprintf("it answers with status %d", resp.StatusCode), resp.StatusCode >= http.StatusInternalServerError}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

// ended says that the time was up, where that is why a question failed.
func ended(req *http.Request, failed *outageError) *outageError {
	if req.Context().Err() != nil {
		return &outageError{"it did not answer in time", false}
	}
	return failed
}
