package oidc

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"dayshift/internal/access"
)

// The cookie that a sign-in waits in. __Host- makes browsers take it from https and for this very host alone. Without https,
// on this machine, there is no such cookie, and the other name is used.
const (
	cookieName      = "__Host-dayshift-signin"
	plainCookieName = "dayshift-signin"
)

// signInPage is the page of this server that says in words what a sign-in failed with; a Reason follows.
const signInPage = "/signin?problem="

// Browser does sign-ins at a Provider with browsers: it keeps what Start gives in a cookie until Finish.
type Browser struct {
	// Provider is who knows the people; required.
	Provider *Provider
	// Log takes why a sign-in could not begin; nil: nothing does.
	Log *slog.Logger
}

// Name is what people call the provider.
func (b *Browser) Name() string { return b.Provider.Name() }

// Start sends the browser to the provider. back is where the person wants to go afterwards; anything but a path of the page
// is its first one. Where no sign-in can begin, the browser goes to the page's /signin?problem=REASON.
func (b *Browser) Start(w http.ResponseWriter, r *http.Request, back string) {
	to, state, err := b.Provider.Start(r.Context(), back)
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		reason := Unavailable
		if e, ok := err.(*Error); ok { //nolint:errorlint // what Start fails with
			reason = e.Reason
		}
		if b.Log != nil {
			b.Log.WarnContext(r.Context(), "a sign-in could not begin", slog.String("provider", b.Provider.Name()), slog.String("reason", string(reason)), slog.Any("error", err))
		}
		http.Redirect(w, r, signInPage+string(reason), http.StatusSeeOther)
		return
	}
	http.SetCookie(w, b.cookie(state, int(Lifetime/time.Second)))
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

// Finish ends the sign-in of a browser that comes back: who it is, with the role that the provider's groups give, and the path
// to go to. It deletes the cookie and writes no answer. Errors are *Error; their text may be shown.
func (b *Browser) Finish(w http.ResponseWriter, r *http.Request) (who access.Principal, back string, err error) {
	state := ""
	gone := b.cookie("", -1)
	if cookie, err := r.Cookie(gone.Name); err == nil {
		state = cookie.Value
	}
	http.SetCookie(w, gone)
	w.Header().Set("Cache-Control", "no-store")
	return b.Provider.Finish(r.Context(), r.URL.Query(), state)
}

// cookie is Secure wherever the provider leads back by https, whatever this request came by.
func (b *Browser) cookie(value string, seconds int) *http.Cookie {
	cookie := &http.Cookie{ //nolint:gosec // not Secure only where there is no https: on this machine
		Name: cookieName, Value: value, Path: "/", MaxAge: seconds, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if strings.HasPrefix(b.Provider.redirect, "http://") {
		cookie.Name, cookie.Secure = plainCookieName, false
	}
	return cookie
}
