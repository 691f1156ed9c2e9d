package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"dayshift/internal/access"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/service"
)

// The cookie of a session. __Host- makes browsers take it from https and for
// this very host alone; without https there is no such cookie, and the other
// name is used, which is for a browser on the same machine.
const (
	cookieName      = "__Host-dayshift"
	plainCookieName = "dayshift"
)

// asker is who a request is made by.
type asker struct {
	access.Principal
	from   string        // the address of the client
	within *fleet.Filter // nil: the whole fleet
	// token is that of the session, where there is one.
	token string
}

type askerKey struct{}

// who asks. Operations that are open are asked by nobody when no one is let in:
// the zero Principal, which may do nothing.
func who(ctx context.Context) asker {
	a, _ := ctx.Value(askerKey{}).(asker)
	return a
}

type (
	requestKey struct{}
	writerKey  struct{}
)

// request is the one that an operation answers.
func request(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey{}).(*http.Request)
	return r
}

// guard lets nobody pass who may not have the operation done.
func (s *Surface) guard(need needs, o operation) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		a, err := s.identify(r, w.Header())
		p, _ := errors.AsType[*Problem](err)
		if p != nil && (need.open && p.Status == http.StatusUnauthorized || need.spent && a.token != "" && p.Type == "/problems/"+quota) {
			// What is open to everybody is open to whoever shows a session that has ended.
			for _, cookie := range p.headers.Values("Set-Cookie") {
				w.Header().Add("Set-Cookie", cookie)
			}
			a, err = asker{from: a.from, token: a.token}, nil
		}
		if err == nil {
			err = s.permit(r, a, need, o)
		}
		if err == nil && s.bodies[o.id] != nil && !bodyType(r.Header.Get("Content-Type"), s.bodies[o.id]) {
			err = problem(invalid, "a body of the type %.60q is not read here; send %s", r.Header.Get("Content-Type"), bodyTypes(s.bodies[o.id])).with(http.StatusUnsupportedMediaType)
		}
		if err != nil {
			s.problemOf(r.Context(), o.id, err).write(w, r)
			return
		}
		inner := context.WithValue(context.WithValue(context.WithValue(r.Context(), askerKey{}, a), requestKey{}, r), writerKey{}, w)
		if !o.streams {
			limited, cancel := context.WithTimeoutCause(inner, answerTimeout, context.DeadlineExceeded)
			defer cancel()
			inner = limited
		}
		next(huma.WithContext(ctx, inner))
	}
}

// identify finds out who asks by what they show. Whoever shows nothing is
// nobody, or anonymous where anonymous may read.
func (s *Surface) identify(r *http.Request, answer http.Header) (asker, error) {
	a := asker{from: s.client(r)}
	key, err := shownKey(r.Header)
	if err != nil {
		return a, err
	}
	cookie := s.sessionCookie(r)
	gate := s.program.Service().Gate
	now := time.Now() //nolint:forbidigo // keys and their limits run by the wall, whatever the clock of a demo
	var grant service.Grant
	switch {
	case key != "":
		a.Principal, grant, err = gate.Authenticate(r.Context(), key, a.from, now)
	case cookie != "":
		if err := sameSite(r); err != nil {
			return a, err
		}
		a.token = cookie
		a.Principal, grant, err = gate.Session(r.Context(), cookie, a.from, now)
	case s.Anonymous != nil && s.Anonymous():
		a.Principal, grant, err = gate.Anonymous(a.from, now)
	default:
		return a, nil
	}
	if denied, ok := errors.AsType[*service.DeniedError](err); ok {
		limits(answer, denied.Grant, now)
		return a, deniedProblem(denied, key == "")
	}
	if err != nil { // nobody can tell who it is: nobody is let in
		s.log.ErrorContext(r.Context(), "who asks could not be found out; nobody is let in", slog.Any("error", err))
		return a, problem(unavailable, "who asks can not be found out now; try again").header("Retry-After", "5")
	}
	limits(answer, grant, now)
	if a.Within != "" {
		filter, err := fleet.ParseFilter(a.Within)
		if err != nil { // a bound that can not be read is no bound: nobody passes
			s.log.ErrorContext(r.Context(), "the filter that bounds a principal can not be read", slog.String("who", a.ID), slog.Any("error", err))
			return a, problem(forbidden, "the filter that bounds your access can not be read; an admin has to set it anew")
		}
		a.within = &filter
	}
	return a, nil
}

// permit says in a problem why somebody may not have an operation done.
func (s *Surface) permit(r *http.Request, a asker, need needs, o operation) error {
	switch {
	case need.open, need.spent && a.token != "":
		return nil
	case a.ID == "":
		return problem(unauthenticated, "show a key (Authorization: Bearer dsk_…), or sign in").header("WWW-Authenticate", `Bearer realm="dayshift"`)
	case need.signedIn && a.Via != access.ViaAnonymous:
		return nil
	case need.permission != "" && a.May(need.permission):
		return nil
	case a.Via == access.ViaAnonymous:
		return problem(unauthenticated, "without a key one may only look: show a key (Authorization: Bearer dsk_…), or sign in").header("WWW-Authenticate", `Bearer realm="dayshift"`)
	}
	s.program.Service().Refused(r.Context(), a.Principal, a.from, o.id)
	return problem(forbidden, "this needs the permission %q, which the role %s does not have", need.word(), say.Word(a.Role))
}

// shownKey is the key that a request shows in its headers.
func shownKey(h http.Header) (string, error) {
	header, bearers := h.Get("X-API-Key"), h.Values("Authorization")
	if len(bearers) > 1 || len(h.Values("X-API-Key")) > 1 {
		return "", problem(invalid, "a key is shown once").with(http.StatusBadRequest)
	}
	scheme, bearer, _ := strings.Cut(h.Get("Authorization"), " ")
	switch {
	case len(bearers) == 0:
		return strings.TrimSpace(header), nil
	case !strings.EqualFold(scheme, "Bearer"):
		return "", problem(unauthenticated, "a key is shown as Authorization: Bearer dsk_…; %.20q is not understood", scheme).header("WWW-Authenticate", `Bearer realm="dayshift"`)
	case header != "":
		return "", problem(invalid, "show a key in Authorization or in X-API-Key, not in both").with(http.StatusBadRequest)
	}
	return strings.TrimSpace(bearer), nil
}

// sessionCookie is the token of the session that a request shows.
func (s *Surface) sessionCookie(r *http.Request) string {
	return s.shownCookie(r, cookieName, plainCookieName)
}

// shownCookie is a cookie that was set by newCookie or oidcCookie. Where the
// browser came by https the plain name does not count: others than this host can
// have set it.
func (s *Surface) shownCookie(r *http.Request, name, plain string) string {
	if !s.byTLS(r) {
		name = plain
	}
	cookie, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// sameSite refuses a session that another site makes use of. Who shows a cookie
// is a browser, and browsers say where a request comes from: what changes
// something has to say it.
func sameSite(r *http.Request) error {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	elsewhere := problem(forbidden, "the request comes from another site")
	switch site {
	case "", "same-origin":
	case "none": // a person typed the address or opened a bookmark
		if changes(r.Method) {
			return elsewhere
		}
	default:
		return elsewhere
	}
	if origin != "" {
		from, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(from.Host, r.Host) {
			return elsewhere
		}
	}
	if site == "" && origin == "" && changes(r.Method) {
		return problem(forbidden, "a request with a session says where it comes from: Origin or Sec-Fetch-Site is missing; programs show a key")
	}
	return nil
}

func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// deniedProblem tells why somebody was not let in.
func deniedProblem(denied *service.DeniedError, session bool) *Problem {
	switch denied.Reason {
	case service.DeniedRate, service.DeniedGuessing:
		return stated(rate, denied.Said()).header("Retry-After", seconds(denied.RetryAfter))
	case service.DeniedQuota:
		return stated(quota, denied.Said()).header("Retry-After", seconds(denied.RetryAfter))
	case service.DeniedUnknown, service.DeniedExpired, service.DeniedRevoked:
	}
	p := stated(unauthenticated, denied.Said()).header("WWW-Authenticate", `Bearer realm="dayshift", error="invalid_token"`)
	if session {
		p.headers.Add("Set-Cookie", goneCookie(cookieName).String())
		p.headers.Add("Set-Cookie", goneCookie(plainCookieName).String())
	}
	return p
}

// seconds rounds up: who comes again as told must not come too early.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(max(1, math.Ceil(d.Seconds()))))
}

// limits tells what is left, in the RateLimit headers that clients know. Of two
// limits the one that is nearer to its end is told.
func limits(h http.Header, grant service.Grant, now time.Time) {
	left := grant.Rate
	if q := grant.Quota; q != nil && (left.Limit == 0 || q.Remaining < left.Remaining) {
		left = *q
	}
	if left.Limit == 0 {
		return
	}
	h.Set("RateLimit-Limit", strconv.FormatInt(left.Limit, 10))
	h.Set("RateLimit-Remaining", strconv.FormatInt(max(0, left.Remaining), 10))
	h.Set("RateLimit-Reset", strconv.Itoa(int(max(0, math.Ceil(left.Reset.Sub(now).Seconds())))))
}

// newCookie is the cookie of a session. It is Secure wherever the browser came
// by https, and there named so that nothing but https can set it.
func (s *Surface) newCookie(r *http.Request, token string, expires time.Time) *http.Cookie {
	cookie := &http.Cookie{Name: plainCookieName, Value: token, Path: "/", Expires: expires.UTC(), HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if s.byTLS(r) {
		cookie.Name, cookie.Secure = cookieName, true
	}
	return cookie
}

func goneCookie(name string) *http.Cookie {
	return &http.Cookie{Name: name, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: name == cookieName} //nolint:gosec // the plain one is for this machine alone
}

// byTLS reports whether the browser came by https, as far as can be known.
func (s *Surface) byTLS(r *http.Request) bool {
	return s.TLS || r.TLS != nil || s.trusted(peer(r)) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// inTheClear is the problem of signing in where somebody may listen in between:
// neither by https, nor on the machine that is asked.
func (s *Surface) inTheClear(r *http.Request) error {
	if s.byTLS(r) {
		return nil
	}
	if !s.trusted(peer(r)) && slices.ContainsFunc(forwardedHeaders, func(name string) bool { return r.Header.Values(name) != nil }) {
		return problem(forbidden, "this came through a proxy that is not trusted, so that nobody can tell whether it came by https: name the proxy's address in trusted_proxies")
	}
	if address, err := netip.ParseAddr(s.client(r)); err != nil || !address.IsLoopback() {
		return problem(forbidden, "keys and sessions are not sent in the clear: sign in by https, or on the machine itself")
	}
	return nil
}

// forwardedHeaders are what proxies add to a request.
var forwardedHeaders = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-Ip", "Via"}

func peer(r *http.Request) netip.Addr {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return address.Addr().Unmap()
}

func (s *Surface) trusted(address netip.Addr) bool {
	for _, prefix := range s.Trusted {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// client is the address of the client: of the connection, or behind trusted
// proxies the last one that none of them added. Whatever others put into
// X-Forwarded-For does not count.
func (s *Surface) client(r *http.Request) string {
	address := peer(r)
	if !address.IsValid() {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			return "unknown"
		}
		return fmt.Sprintf("%.60q", host)
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(address); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = hop.Unmap()
	}
	return address.WithZone("").String()
}

func bodyTypes(body *huma.RequestBody) string {
	var kinds []string
	for kind := range body.Content {
		kinds = append(kinds, kind)
	}
	return strings.Join(kinds, " or ")
}
