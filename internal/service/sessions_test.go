package service

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
	"dayshift/internal/store/storetest"
)

var (
	signedKim = access.Principal{ID: "user:kim@example.com", Name: "Kim", Role: access.Editor, Within: "tag:Env=dev"}
	signedLee = access.Principal{ID: "user:lee@example.com", Name: "Lee", Role: access.Viewer}
)

func signIn(t *testing.T, g *Gate, c *gateClock, principal access.Principal) (string, Session) {
	t.Helper()
	token, session, err := g.SignIn(t.Context(), principal, c.now())
	if err != nil {
		t.Fatal(err)
	}
	return token, session
}

// signed tries a session.
func signed(t *testing.T, g *Gate, c *gateClock, token string) DeniedReason {
	t.Helper()
	principal, grant, err := g.Session(t.Context(), token, "192.0.2.1", c.now())
	if (grant.Session != nil) != (err == nil) {
		t.Errorf("session %+v, %v", grant.Session, err)
	}
	return reasonOf(principal, err)
}

func gateRows(t *testing.T, s store.Store, event store.Event) (list []string) {
	t.Helper()
	rows, err := s.Activity(t.Context(), store.ActivityQuery{Event: event})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		list = append(list, row.Actor+" "+row.Reason+" "+row.Name+": "+row.Detail)
	}
	return list
}

func TestFault18SessionsEnd(t *testing.T) {
	c := newGateClock()
	s := memory.New()
	g, other := c.gate(s), c.gate(s)
	token, session := signIn(t, g, c, signedKim)
	if second, _ := signIn(t, g, c, signedKim); second == token || len(token) < 40 {
		t.Error("a session is used again")
	}
	principal, grant, err := g.Session(t.Context(), token, "192.0.2.1", c.now())
	want := signedKim
	want.Via = access.ViaSession
	if err != nil || principal != want || grant.Session.ID != session.ID || strings.Contains(token, session.ID) || grant.Rate.Limit != int64(DefaultRate.Burst) {
		t.Errorf("%+v, %+v, %v", principal, grant, err)
	}
	// Used now and then it goes on, for seven days.
	for range 14 {
		c.pass(SessionIdle - time.Second)
		wantReason(t, "in use", signed(t, g, c, token), "")
	}
	c.pass(SessionLongest - 14*(SessionIdle-time.Second) - time.Second)
	wantReason(t, "a second before its longest", signed(t, g, c, token), "")
	c.pass(time.Second)
	wantReason(t, "at its longest", signed(t, g, c, token), DeniedExpired)
	if list, err := g.Sessions(t.Context(), admin); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}

	idle, _ := signIn(t, g, c, signedKim)
	c.pass(SessionIdle - time.Second)
	wantReason(t, "idle for less", signed(t, g, c, idle), "")
	c.pass(SessionIdle)
	wantReason(t, "idle", signed(t, g, c, idle), DeniedExpired)
	wantReason(t, "idle, elsewhere", signed(t, other, c, idle), DeniedExpired)
	if err := g.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if held, err := s.Sessions(t.Context(), ""); err != nil || len(held) != 0 {
		t.Errorf("sessions that ended are kept: %+v, %v", held, err)
	}

	token, _ = signIn(t, g, c, signedLee)
	wantReason(t, "signed in", signed(t, other, c, token), "")
	for range 2 {
		if err := g.SignOut(t.Context(), token, c.now()); err != nil {
			t.Error(err)
		}
	}
	wantReason(t, "signed out", signed(t, g, c, token), DeniedUnknown)
	c.pass(5 * time.Second)
	wantReason(t, "signed out, elsewhere", signed(t, other, c, token), DeniedUnknown)
	rows := gateRows(t, s, store.EventSession)
	if last := rows[len(rows)-2:]; last[0] != "Lee signed-in : Lee signed in" || last[1] != "Lee ended : 1 session of Lee: signed out" {
		t.Errorf("recorded %q", rows)
	}
}

func TestSessionsOfAKeyFollowIt(t *testing.T) {
	c := newGateClock()
	s := memory.New()
	g := c.gate(s)
	answer := makeKey(t, g, KeyRequest{Label: "kim's key", Role: "admin", Rate: &Rate{PerSecond: 1, Burst: 8}, Quota: &Quota{Limit: 5, Per: "day"}})
	principal, _, err := g.Authenticate(t.Context(), answer.Secret, "", c.now())
	if err != nil {
		t.Fatal(err)
	}
	token, _ := signIn(t, g, c, principal)
	role, within := "viewer", "tag:Env=dev"
	if _, err := g.UpdateKey(t.Context(), answer.ID, KeyChange{Role: &role, Within: &within}, admin); err != nil {
		t.Fatal(err)
	}
	now, _, err := g.Session(t.Context(), token, "", c.now())
	if err != nil || now.Role != access.Viewer || now.Within != within || now.ID != "key:"+answer.ID {
		t.Errorf("%+v, %v", now, err)
	}
	if list, err := g.Sessions(t.Context(), admin); err != nil || len(list) != 1 || list[0].Role != role || list[0].Within != within {
		t.Errorf("%+v, %v", list, err)
	}
	for range 3 { // its requests count for the key: with that of the key itself and the one above they are five
		wantReason(t, "within the quota", signed(t, g, c, token), "")
	}
	wantReason(t, "beyond it", signed(t, g, c, token), DeniedQuota)
	wantReason(t, "the key too", enters(g, c, answer.Secret, ""), DeniedQuota)
	if _, err := g.RevokeKey(t.Context(), answer.ID, admin); err != nil {
		t.Fatal(err)
	}
	wantReason(t, "its key was revoked", signed(t, g, c, token), DeniedUnknown)
	if _, _, err := g.SignIn(t.Context(), principal, c.now()); err == nil {
		t.Error("a revoked key signs in")
	}
	if rows := gateRows(t, s, store.EventSession); !slices.Contains(rows, fmt.Sprintf("kim ended key/%s: 1 session of kim's key: its key was revoked", answer.ID)) {
		t.Errorf("recorded %q", rows)
	}
}

func TestWhoCanNotSignIn(t *testing.T) {
	c := newGateClock()
	g := c.gate(memory.New())
	for name, principal := range map[string]access.Principal{
		"nobody": {}, "anonymous": access.Anonymous(), "somebody local": admin, "a user without a name": {ID: "user:", Role: access.Viewer},
		"a user without a role": {ID: "user:kim"}, "a key that there is not": {ID: "key:abcdEF12", Role: access.Admin},
	} {
		if token, _, err := g.SignIn(t.Context(), principal, c.now()); err == nil || token != "" {
			t.Errorf("%s signs in", name)
		}
	}
}

// Guessing tokens of sessions makes few looks into the store, and locks out
// neither the sessions of the same house nor its keys.
func TestFault13GuessedSessions(t *testing.T) {
	f := storetest.NewFaulty(memory.New())
	c := newGateClock()
	g := c.gate(f)
	mine, _ := signIn(t, g, c, signedKim)
	answer := makeKey(t, g, KeyRequest{})
	wantReason(t, "before", signed(t, g, c, mine), "")
	theirs, _ := signIn(t, c.gate(f), c, signedLee) // at another process: this one does not know it yet
	before := f.Calls(storetest.Session)
	for i := range 500 {
		token, err := access.NewSessionToken(cryptoReader{})
		if err != nil {
			t.Fatal(err)
		}
		want := DeniedUnknown
		if i >= lostRate.Burst {
			want = DeniedRate
		}
		wantReason(t, "a guess", signed(t, g, c, token), want)
	}
	_, _, err := g.Session(t.Context(), theirs, "192.0.2.1", c.now())
	if denied, ok := errors.AsType[*DeniedError](err); !ok || denied.Reason != DeniedRate || denied.RetryAfter != time.Second {
		t.Errorf("a session that may be there is refused with %v", err)
	}
	if looks := f.Calls(storetest.Session) - before; looks != lostRate.Burst {
		t.Errorf("500 guesses made %d looks into the store, %d are allowed", looks, lostRate.Burst)
	}
	c.pass(10 * time.Second)
	wantReason(t, "a session of the same house", signed(t, g, c, mine), "")
	wantReason(t, "one that came too early", signed(t, g, c, theirs), "")
	wantReason(t, "a key of the same house", enters(g, c, answer.Secret, "192.0.2.1"), "")
	for _, token := range []string{"", "dss_", answer.Secret, strings.Repeat("x", 1<<20)} {
		wantReason(t, "no token", signed(t, g, c, token), DeniedUnknown)
	}
}

func TestSessionsAreEndedAndBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dayshift.db")
	c := newGateClock()
	g := c.gate(sqliteStore(t, path))
	lee, leeView := signIn(t, g, c, signedLee)
	kim, kimView := signIn(t, g, c, signedKim)
	bound := access.Principal{Name: "bound", Role: access.Admin, Within: signedKim.Within}
	if list, err := g.Sessions(t.Context(), bound); err != nil || len(list) != 1 || list[0].ID != kimView.ID {
		t.Errorf("a bound admin sees %+v, %v", list, err)
	}
	gone, forbidden := new(GoneError), new(ForbiddenError)
	if err := g.EndSession(t.Context(), leeView.ID, bound); !errors.As(err, &gone) {
		t.Errorf("a bound admin ends a session of others: %v", err)
	}
	if _, err := g.Sessions(t.Context(), signedKim); !errors.As(err, &forbidden) {
		t.Errorf("an editor sees sessions: %v", err)
	}
	if err := g.EndSession(t.Context(), kimView.ID, bound); err != nil {
		t.Error(err)
	}
	wantReason(t, "ended", signed(t, g, c, kim), DeniedUnknown)
	wantReason(t, "the other", signed(t, g, c, lee), "")
	var first string
	for i := range sessionsOfOne + 1 {
		c.pass(time.Second)
		token, _ := signIn(t, g, c, signedKim)
		if i == 0 {
			first = token
		}
	}
	wantReason(t, "the oldest of too many", signed(t, g, c, first), DeniedUnknown)
	wantReason(t, "somebody else's", signed(t, g, c, lee), "")
	if list, err := g.Sessions(t.Context(), admin); err != nil || len(list) != sessionsOfOne+1 || !list[0].Created.After(list[1].Created) {
		t.Errorf("%d sessions, %v", len(list), err)
	}
}

// A process that does not know of a rotation yet signs the secret before in: that
// session ends when it knows. One of a secret that goes on for a while ends with it.
func TestASessionEndsWithItsSecret(t *testing.T) {
	c := newGateClock()
	s := memory.New()
	here, there := c.gate(s), c.gate(s)
	answer := makeKey(t, here, KeyRequest{Label: "kim's key", Role: "admin", Rate: plenty})
	before, _, err := there.Authenticate(t.Context(), answer.Secret, "", c.now())
	if err != nil {
		t.Fatal(err)
	}
	c.pass(time.Second)
	second, err := here.RotateKey(t.Context(), answer.ID, 0, admin)
	if err != nil {
		t.Fatal(err)
	}
	late, _ := signIn(t, there, c, before) // within the seconds that it may not know
	wantReason(t, "where the key was rotated", signed(t, here, c, late), DeniedExpired)
	c.pass(5 * time.Second)
	wantReason(t, "elsewhere", signed(t, there, c, late), DeniedExpired)
	if err := here.RecheckSession(t.Context(), late, before, access.Read); err == nil {
		t.Error("the session of a secret that ended passes")
	}
	if err := there.Recheck(t.Context(), before, access.Read); err == nil {
		t.Error("a secret that ended passes")
	}
	if _, _, err := here.SignIn(t.Context(), before, c.now()); err == nil {
		t.Error("a secret that ended signs in")
	}
	if list, err := here.Sessions(t.Context(), admin); err != nil || len(list) != 0 {
		t.Errorf("a session that ended is shown: %+v, %v", list, err)
	}

	during, _, err := here.Authenticate(t.Context(), second.Secret, "", c.now())
	if err != nil {
		t.Fatal(err)
	}
	token, _ := signIn(t, here, c, during)
	third, err := here.RotateKey(t.Context(), answer.ID, time.Hour, admin)
	if err != nil {
		t.Fatal(err)
	}
	overlapped, view := signIn(t, here, c, during)
	if want := c.now().Add(time.Hour); !view.Expires.Equal(want) {
		t.Errorf("a session may last until %s, its secret until %s", view.Expires, want)
	}
	after, _, err := here.Authenticate(t.Context(), third.Secret, "", c.now())
	if err != nil {
		t.Fatal(err)
	}
	fresh, _ := signIn(t, here, c, after)
	for what, token := range map[string]string{"begun before": token, "begun with the secret before": overlapped, "begun with the new one": fresh} {
		wantReason(t, what, signed(t, here, c, token), "")
	}
	c.pass(time.Hour)
	wantReason(t, "begun before", signed(t, here, c, token), DeniedExpired)
	wantReason(t, "begun with the secret before", signed(t, here, c, overlapped), DeniedExpired)
	wantReason(t, "begun with the new one", signed(t, here, c, fresh), "")
}

// Signing in and out waits for a store that hangs as long as everybody at the gate,
// and reads the sessions of nobody else.
func TestSigningInAndOutIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := storetest.NewFaulty(memory.New())
		g := NewGate(GateOptions{Store: f})
		token, _, err := g.SignIn(t.Context(), signedKim, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		hang := errors.New("the disk hangs")
		for method, do := range map[storetest.Method]func() error{
			storetest.Sessions:    func() error { _, _, err := g.SignIn(t.Context(), signedKim, time.Now()); return err },
			storetest.SaveSession: func() error { _, _, err := g.SignIn(t.Context(), signedKim, time.Now()); return err },
			storetest.Session:     func() error { return g.SignOut(t.Context(), token, time.Now()) },
			storetest.EndSessions: func() error { return g.SignOut(t.Context(), token, time.Now()) },
		} {
			f.Inject(storetest.Fault{Method: method, Err: hang, Delay: time.Hour, Times: -1})
			began := time.Now()
			if err := do(); err == nil || time.Since(began) > storePatience {
				t.Errorf("%s hangs: %v after %s", method, err, time.Since(began))
			}
			f.Heal()
		}
		of := ownersAsked{Store: f}
		g = NewGate(GateOptions{Store: &of})
		if _, _, err := g.SignIn(t.Context(), signedLee, time.Now()); err != nil || !slices.Equal(of.owners, []string{signedLee.ID}) {
			t.Errorf("the sessions of %q were read, %v", of.owners, err)
		}
	})
}

// ownersAsked notes whose sessions are read.
type ownersAsked struct {
	store.Store

	owners []string
}

func (o *ownersAsked) Sessions(ctx context.Context, owner string) ([]store.Session, error) {
	o.owners = append(o.owners, owner)
	return o.Store.Sessions(ctx, owner)
}

// A store that takes no writes is not asked to note a session's use by every request.
func TestFault09AUseThatCanNotBeNotedIsTriedByTheMinute(t *testing.T) {
	f := storetest.NewFaulty(memory.New())
	c := newGateClock()
	g := c.gate(f)
	token, view := signIn(t, g, c, signedKim)
	wantReason(t, "signed in", signed(t, g, c, token), "")
	f.Inject(storetest.Fault{Method: storetest.SeeSession, Err: errors.New("the disk is full"), Times: -1})
	c.pass(usedEvery)
	for range 24 {
		wantReason(t, "while the store takes nothing", signed(t, g, c, token), "")
		c.pass(5 * time.Second) // what is known is read again in between
	}
	if tried := f.Calls(storetest.SeeSession); tried != 2 {
		t.Errorf("its use was written down %d times in two minutes", tried)
	}
	f.Heal()
	wantReason(t, "after it", signed(t, g, c, token), "")
	if list, err := g.Sessions(t.Context(), admin); err != nil || len(list) != 1 || !list[0].Seen.After(view.Seen) {
		t.Errorf("%+v, %v", list, err)
	}
}
