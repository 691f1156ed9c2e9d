package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"dayshift/internal/pagepath"
	"dayshift/internal/service"
)

// Signing in with an identity provider: the browser is sent there, and comes
// back to the callback with what it got. In between a cookie holds the state.
const (
	providerPath      = base + "/session/oidc"
	callbackPath      = providerPath + "/callback"
	stateCookie       = "__Host-dayshift-oidc"
	plainStateCookie  = "dayshift-oidc"
	stateCookieExpiry = 10 * time.Minute
)

// identityProvider is the one that people sign in with; nil: there is none.
func (s *Surface) identityProvider() OIDC {
	if s.OIDC == nil {
		return nil
	}
	return s.OIDC()
}

// provider sends the browser to the identity provider.
func (s *Surface) provider(w http.ResponseWriter, r *http.Request) {
	provider := s.identityProvider()
	if provider == nil {
		problem(notFound, "nobody signs in with an identity provider here").write(w, r)
		return
	}
	if !s.inTime(w, r) {
		return
	}
	if err := s.inTheClear(r); err != nil {
		s.problemOf(r.Context(), "signInWithProvider", err).write(w, r)
		return
	}
	to, state, err := provider.Start(r.Context(), pagepath.Local(r.URL.Query().Get("to")))
	if err != nil {
		s.signInFailed(w, r, err)
		return
	}
	http.SetCookie(w, s.oidcCookie(r, state, int(stateCookieExpiry.Seconds())))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to.String(), http.StatusSeeOther) //nolint:gosec // the address of the provider, which the configuration gives
}

// callback is where the browser comes back to.
func (s *Surface) callback(w http.ResponseWriter, r *http.Request) {
	provider := s.identityProvider()
	if provider == nil {
		problem(notFound, "nobody signs in with an identity provider here").write(w, r)
		return
	}
	if !s.inTime(w, r) {
		return
	}
	state := s.shownCookie(r, stateCookie, plainStateCookie)
	http.SetCookie(w, s.oidcCookie(r, "", -1)) // whatever comes of it
	principal, back, err := provider.Finish(r.Context(), r.URL.Query(), state)
	if err != nil {
		s.signInFailed(w, r, err)
		return
	}
	cookie, err := s.beginSession(r.Context(), r, principal)
	if err != nil {
		s.signInFailed(w, r, err)
		return
	}
	http.SetCookie(w, cookie)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, pagepath.Local(back), http.StatusSeeOther) //nolint:gosec // a path of this page
}

// inTime counts a request by its address; false: it came too fast, and has its answer.
func (s *Surface) inTime(w http.ResponseWriter, r *http.Request) bool {
	_, grant, err := s.program.Service().Gate.Anonymous(s.client(r), wall())
	limits(w.Header(), grant, wall())
	if err != nil {
		s.problemOf(r.Context(), "signInWithProvider", err).write(w, r)
	}
	return err == nil
}

// signInFailed leads back to the page, which says in its own words why.
func (s *Surface) signInFailed(w http.ResponseWriter, r *http.Request, err error) {
	word, why := "other", "see the log of the server"
	var worded interface{ Word() string }
	var denied *service.DeniedError
	switch {
	case errors.As(err, &worded):
		word, why = worded.Word(), err.Error()
	case errors.As(err, &denied):
		word, why = "refused", denied.Error()
	}
	s.program.Service().Gate.SignInFailed(r.Context(), s.client(r), word, why)
	s.log.WarnContext(r.Context(), "a sign-in with the identity provider failed", slog.String("from", s.client(r)), slog.String("why", word), slog.Any("error", err))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/signin?fault="+url.QueryEscape(word), http.StatusSeeOther)
}

func (s *Surface) oidcCookie(r *http.Request, value string, maxAge int) *http.Cookie {
	cookie := &http.Cookie{Name: plainStateCookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if s.byTLS(r) {
		cookie.Name, cookie.Secure = stateCookie, true
	}
	return cookie
}
