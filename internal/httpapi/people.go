package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/buildinfo"
	"dayshift/internal/say"
	"dayshift/internal/service"
)

// Me is who asks, and what the page has to know before anything else.
type Me struct {
	Anonymous   bool                `json:"anonymous"`
	ID          string              `json:"id,omitempty" doc:"Absent where nobody is signed in and nobody may read without."`
	Name        string              `json:"name,omitempty"`
	Role        access.Role         `json:"role,omitempty" enum:"viewer,operator,editor,admin"`
	Within      string              `json:"within,omitempty" doc:"The filter that bounds what is seen and done; absent: the whole fleet."`
	Via         string              `json:"via,omitempty" enum:"key,session,anonymous,local"`
	Permissions []access.Permission `json:"permissions" enum:"read,act,edit,manage"`
	Now         time.Time           `json:"now" doc:"The clock of the program; in a demo it runs faster than the wall."`
	Speed       float64             `json:"speed" doc:"How many times faster than the wall; 1 but in a demo."`
	Demo        bool                `json:"demo" doc:"The cloud is a simulated one."`
	Leader      bool                `json:"leader" doc:"This process acts; another does where it is false."`
	Timezone    string              `json:"timezone,omitempty" doc:"The time zone of the configuration."`
	SignIn      []string            `json:"sign_in" enum:"key,oidc" doc:"The ways to sign in."`
	OIDCName    string              `json:"oidc_name,omitempty" doc:"What people know the identity provider by."`
}

// About says what this is.
type About struct {
	Name    string          `json:"name"`
	License string          `json:"license"`
	Version *buildinfo.Info `json:"version,omitempty" doc:"Which build this is; for those who are let in."`
	Links   []Link          `json:"links"`
}

// Link is an address of something to read.
type Link struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

func (s *Surface) me(ctx context.Context) Me {
	a := who(ctx)
	me := Me{
		Anonymous: a.ID == "" || a.Via == access.ViaAnonymous, ID: a.ID, Name: a.Name, Role: a.Role, Within: a.Within, Via: a.Via, Permissions: a.Role.Allowed(),
		Now: s.program.Now().UTC(), Speed: s.program.Speed(), Demo: s.program.Demo(), Leader: s.program.Alive().Role == "leader", SignIn: []string{"key"},
	}
	if me.ID != "" {
		me.Timezone = s.program.Service().Config.Config.Timezone
	}
	if provider := s.identityProvider(); provider != nil {
		me.SignIn, me.OIDCName = append(me.SignIn, "oidc"), provider.Name()
	}
	return me
}

// SignInRequest is the key that somebody signs in with.
type SignInRequest struct {
	Key string `json:"key" minLength:"1" maxLength:"200" doc:"The whole key, dsk_…"`
}

type signedIn struct {
	Cookie string `header:"Set-Cookie" doc:"The session."`
	Body   Me
}

type signedOut struct {
	Cookies []string `header:"Set-Cookie"`
}

func (s *Surface) people() {
	op(s, anybody, operation{id: "getMe", method: http.MethodGet, path: "/me", tag: "Access", summary: "Say who asks"},
		func(ctx context.Context, _ *struct{}) (*answer[Me], error) { return &answer[Me]{s.me(ctx)}, nil })
	op(s, anybody, operation{id: "getAbout", method: http.MethodGet, path: "/about", tag: "Access", summary: "Say what this is"},
		func(ctx context.Context, _ *struct{}) (*answer[About], error) {
			body := About{Name: "Dayshift", License: "Apache-2.0", Links: []Link{{"The API", "/docs"}, {"The OpenAPI document", "/openapi.json"}}}
			if a := who(ctx); a.ID != "" && a.Via != access.ViaAnonymous {
				info := buildinfo.Get()
				body.Version = &info
			}
			return &answer[About]{body}, nil
		})
	op(s, toSignIn, operation{
		id: "signIn", method: http.MethodPost, path: "/session", tag: "Access", summary: "Sign in with a key",
		doc:     "Sets the cookie of a session, which ends after 12 hours without use, after 7 days, or with the key. Only by https, or on the same machine.",
		example: map[string]any{"key": "dsk_…"},
	},
		func(ctx context.Context, in *struct {
			Body SignInRequest
		},
		) (*signedIn, error) {
			return s.signIn(ctx, in.Body.Key)
		})
	op(s, toSignOut, operation{id: "signOut", method: http.MethodDelete, path: "/session", tag: "Access", summary: "Sign out", status: http.StatusNoContent},
		func(ctx context.Context, _ *struct{}) (*signedOut, error) {
			if token := who(ctx).token; token != "" {
				if err := s.program.Service().SignOut(ctx, token, wall()); err != nil {
					return nil, err
				}
			}
			return &signedOut{[]string{goneCookie(cookieName).String(), goneCookie(plainCookieName).String()}}, nil
		})
	op(s, toManage, operation{id: "listKeys", method: http.MethodGet, path: "/keys", tag: "Access", summary: "List the keys"},
		func(ctx context.Context, in *struct {
			Paging
			Sorting
		},
		) (*answer[List[service.KeyView]], error) {
			list, err := s.program.Service().Keys(ctx, who(ctx).Principal)
			if err != nil {
				return nil, denied(err)
			}
			body, err := page(list, in.Paging, in.Sort, func(k service.KeyView) string { return k.ID },
				by[service.KeyView]{"label", func(a, b service.KeyView) int { return compareFold(a.Label, b.Label) }},
				by[service.KeyView]{"created", func(a, b service.KeyView) int { return a.Created.Compare(b.Created) }},
				by[service.KeyView]{"last_used", func(a, b service.KeyView) int { return later(a.LastUsed, b.LastUsed) }})
			return &answer[List[service.KeyView]]{body}, err
		})
	op(s, toManage, operation{
		id: "createKey", method: http.MethodPost, path: "/keys", tag: "Access", summary: "Make a key", status: http.StatusCreated,
		doc: "The answer has the key, which is shown this once.", example: map[string]any{"label": "nightly build", "role": "operator", "within": "tag:Team=shop"},
	},
		func(ctx context.Context, in *struct {
			Body service.KeyRequest
		},
		) (*created[service.KeyAnswer], error) {
			body, err := s.program.Service().CreateKey(ctx, in.Body, who(ctx).Principal)
			return &created[service.KeyAnswer]{Status: http.StatusCreated, Location: base + "/keys/" + body.ID, ETag: etag(body.Version), Body: body}, denied(err)
		})
	op(s, toManage, operation{id: "getKey", method: http.MethodGet, path: "/keys/{id}", tag: "Access", summary: "Show a key, without its secret"},
		func(ctx context.Context, in *KeyPath) (*tagged[service.KeyView], error) {
			body, err := s.program.Service().Key(ctx, in.ID, who(ctx).Principal)
			return &tagged[service.KeyView]{etag(body.Version), body}, denied(err)
		})
	op(s, toManage, operation{id: "updateKey", method: http.MethodPatch, path: "/keys/{id}", tag: "Access", summary: "Change what a key may do", example: map[string]any{"role": "viewer"}},
		func(ctx context.Context, in *struct {
			KeyPath

			Body service.KeyChange
		},
		) (*tagged[service.KeyView], error) {
			body, err := s.program.Service().UpdateKey(ctx, in.ID, in.Body, who(ctx).Principal)
			return &tagged[service.KeyView]{etag(body.Version), body}, denied(err)
		})
	op(s, toManage, operation{id: "revokeKey", method: http.MethodDelete, path: "/keys/{id}", tag: "Access", summary: "Revoke a key and end its sessions, at once and for good"},
		func(ctx context.Context, in *KeyPath) (*answer[service.KeyView], error) {
			body, err := s.program.Service().RevokeKey(ctx, in.ID, who(ctx).Principal)
			return &answer[service.KeyView]{body}, denied(err)
		})
	op(s, toManage, operation{
		id: "rotateKey", method: http.MethodPost, path: "/keys/{id}/rotate", tag: "Access", summary: "Give a key a new secret",
		doc: "The answer has the new key, which is shown this once. The one before goes on for the overlap.", example: map[string]any{"overlap_seconds": 3600},
	},
		func(ctx context.Context, in *struct {
			KeyPath

			Body KeyRotation
		},
		) (*answer[service.KeyAnswer], error) {
			body, err := s.program.Service().RotateKey(ctx, in.ID, time.Duration(in.Body.OverlapSeconds)*time.Second, who(ctx).Principal)
			return &answer[service.KeyAnswer]{body}, denied(err)
		})
	op(s, toManage, operation{id: "listSessions", method: http.MethodGet, path: "/sessions", tag: "Access", summary: "List the sessions of browsers that are signed in"},
		func(ctx context.Context, in *Paging) (*answer[List[service.Session]], error) {
			list, err := s.program.Service().Sessions(ctx, who(ctx).Principal)
			if err != nil {
				return nil, denied(err)
			}
			body, err := page(list, *in, "", func(s service.Session) string { return s.ID })
			return &answer[List[service.Session]]{body}, err
		})
	op(s, toManage, operation{id: "endSession", method: http.MethodDelete, path: "/sessions/{id}", tag: "Access", summary: "End a session", status: http.StatusNoContent},
		func(ctx context.Context, in *struct {
			ID string `path:"id" maxLength:"100" doc:"The ID of the session."`
		},
		) (*struct{}, error) {
			return nil, denied(s.program.Service().EndSession(ctx, in.ID, who(ctx).Principal))
		})
}

// KeyRotation says how long the secret before goes on.
type KeyRotation struct {
	OverlapSeconds int `json:"overlap_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"0: it ends now."`
}

// KeyPath names a key.
type KeyPath struct {
	ID string `path:"id" maxLength:"100" doc:"The ID of the key: the eight characters behind dsk_."`
}

// signIn begins a session. A key that comes over the wire in the clear would be
// anybody's, and so would the cookie.
func (s *Surface) signIn(ctx context.Context, key string) (*signedIn, error) {
	r := request(ctx)
	if err := s.inTheClear(r); err != nil {
		return nil, err
	}
	gate := s.program.Service().Gate
	principal, _, err := gate.Authenticate(ctx, key, who(ctx).from, wall())
	if refused, ok := errors.AsType[*service.DeniedError](err); ok {
		return nil, deniedProblem(refused, false)
	}
	if err != nil {
		return nil, err
	}
	cookie, err := s.beginSession(ctx, r, principal)
	if err != nil {
		return nil, err
	}
	principal.Via = access.ViaSession
	return &signedIn{Cookie: cookie.String(), Body: s.me(context.WithValue(ctx, askerKey{}, asker{Principal: principal}))}, nil
}

// beginSession gives the cookie of a new session. A session that the browser had
// ends: nobody goes on with a token that was known before.
func (s *Surface) beginSession(ctx context.Context, r *http.Request, principal access.Principal) (*http.Cookie, error) {
	gate := s.program.Service().Gate
	if before := s.sessionCookie(r); before != "" {
		if err := gate.SignOut(ctx, before, wall()); err != nil {
			return nil, err
		}
	}
	token, session, err := gate.SignIn(ctx, principal, wall())
	if err != nil {
		return nil, denied(err)
	}
	return s.newCookie(r, token, session.Expires), nil
}

// denied gives the errors of the gate their problems.
func denied(err error) error {
	var (
		gone      *service.GoneError
		forbid    *service.ForbiddenError
		notLetIn  *service.DeniedError
		asProblem = func(kind string) error { return stated(kind, say.Of(err)) }
	)
	switch {
	case errors.As(err, &gone):
		return asProblem(notFound)
	case errors.As(err, &forbid):
		return asProblem(forbidden)
	case errors.As(err, &notLetIn):
		return deniedProblem(notLetIn, false)
	}
	return err
}
