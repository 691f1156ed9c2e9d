package service

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
	"dayshift/internal/store/storetest"
)

func TestKeysAreMadeChangedAndRevoked(t *testing.T) {
	c := newGateClock()
	s := memory.New()
	g := c.gate(s)
	end := c.now().Add(90 * 24 * time.Hour)
	answer, err := g.CreateKey(t.Context(), KeyRequest{
		Label: " night\tbuilds ", Role: "operator", Within: " tag:Env=dev ", Rate: &Rate{PerSecond: 0.5, Burst: 3}, Quota: &Quota{Limit: 100, Per: "week"}, Expires: &end,
	}, admin)
	if err != nil {
		t.Fatal(err)
	}
	name := "key/" + answer.ID
	principal, grant, err := g.Authenticate(t.Context(), answer.Secret, "192.0.2.1", c.now())
	if want := (access.Principal{ID: "key:" + answer.ID, Name: "night builds", Role: access.Operator, Within: "tag:Env=dev", Via: access.ViaKey, Proof: access.Hash(answer.Secret)[:sessionIDLength]}); err != nil || principal != want {
		t.Errorf("%+v, %v, want %+v", principal, err, want)
	}
	if grant.Rate.Limit != 3 || grant.Rate.Remaining != 2 || grant.Quota.Limit != 100 || grant.Quota.Remaining != 99 || grant.Quota.Reset.Weekday() != time.Monday {
		t.Errorf("%+v, %+v", grant.Rate, grant.Quota)
	}
	label, role := "day builds", "viewer"
	if _, err := g.UpdateKey(t.Context(), answer.ID, KeyChange{Label: &label, Role: &role, Unset: []string{"quota", "within"}, Version: 1}, admin); err != nil {
		t.Fatal(err)
	}
	stale := new(StaleError)
	if _, err := g.UpdateKey(t.Context(), answer.ID, KeyChange{Label: &label, Version: 1}, admin); !errors.As(err, &stale) || !strings.Contains(err.Error(), "version 2, changed by kim") {
		t.Errorf("a stale change: %v", err)
	}
	if view, err := g.UpdateKey(t.Context(), answer.ID, KeyChange{Label: &label}, admin); err != nil || view.Version != 2 {
		t.Errorf("a change that changes nothing: %+v, %v", view, err)
	}
	view, err := g.Key(t.Context(), "dsk_"+answer.ID, admin)
	if err != nil || view.Role != "viewer" || view.Within != "" || view.Quota != nil || view.State != KeyActive || view.Author != "kim" || view.LastUsed == nil {
		t.Errorf("%+v, %v", view, err)
	}
	if _, err := g.RevokeKey(t.Context(), answer.Secret, admin); err != nil { // pasted whole, as it was found
		t.Fatal(err)
	}
	view, err = g.Key(t.Context(), answer.ID, admin)
	if err != nil || view.State != KeyRevoked || view.RevokedBy != "kim" {
		t.Errorf("%+v, %v", view, err)
	}
	wrong := new(InputError)
	if _, err := g.UpdateKey(t.Context(), answer.ID, KeyChange{Label: &label}, admin); !errors.As(err, &wrong) {
		t.Errorf("a revoked key is changed: %v", err)
	}
	if _, err := g.RotateKey(t.Context(), answer.ID, 0, admin); !errors.As(err, &wrong) {
		t.Errorf("a revoked key is rotated: %v", err)
	}
	want := []string{
		"kim created " + name + ": key night builds (dsk_" + answer.ID + ") was created: role operator; within tag:Env=dev; rate 0.5/s, burst 3; quota 100/week; expires 2027-04-06T12:00:00Z",
		"kim changed " + name + ": key day builds (dsk_" + answer.ID + ") was changed: label night builds → day builds; role viewer; no longer role operator; no longer within tag:Env=dev; no longer quota 100/week",
		"kim revoked " + name + ": key day builds (dsk_" + answer.ID + ") was revoked",
	}
	if rows := gateRows(t, s, store.EventKey); !slices.Equal(rows, want) {
		t.Errorf("recorded\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
	// Long after, it is forgotten; the record is not.
	c.pass(keepRevoked + time.Hour)
	makeKey(t, g, KeyRequest{})
	if list, err := g.Keys(t.Context(), admin); err != nil || len(list) != 1 || list[0].Label != "ci" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestKeysThatMakeNoSenseAreRefused(t *testing.T) {
	c := newGateClock()
	g := c.gate(memory.New())
	past, far := c.now(), time.Date(10000, 1, 2, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		request KeyRequest
		says    string
	}{
		"no label":            {KeyRequest{Role: "admin"}, "label"},
		"a label of blanks":   {KeyRequest{Label: " \x00\n", Role: "admin"}, "label"},
		"a long label":        {KeyRequest{Label: strings.Repeat("x", 101), Role: "admin"}, "at most 100"},
		"no role":             {KeyRequest{Label: "a"}, "viewer, operator, editor and admin"},
		"an unknown role":     {KeyRequest{Label: "a", Role: "root"}, `"root"`},
		"a wrong filter":      {KeyRequest{Label: "a", Role: "admin", Within: "tag=dev"}, "within: "},
		"no rate":             {KeyRequest{Label: "a", Role: "admin", Rate: &Rate{Burst: 1}}, "rate: 0 a second"},
		"a negative rate":     {KeyRequest{Label: "a", Role: "admin", Rate: &Rate{PerSecond: -1, Burst: 1}}, "rate: -1"},
		"no burst":            {KeyRequest{Label: "a", Role: "admin", Rate: &Rate{PerSecond: 1}}, "burst of 0"},
		"a huge burst":        {KeyRequest{Label: "a", Role: "admin", Rate: &Rate{PerSecond: 1, Burst: 1 << 30}}, "burst of"},
		"no quota":            {KeyRequest{Label: "a", Role: "admin", Quota: &Quota{Per: "day"}}, "limit of 0"},
		"a quota per year":    {KeyRequest{Label: "a", Role: "admin", Quota: &Quota{Limit: 1, Per: "year"}}, "day, week and month"},
		"an end in the past":  {KeyRequest{Label: "a", Role: "admin", Expires: &past}, "has passed"},
		"an end far too late": {KeyRequest{Label: "a", Role: "admin", Expires: &far}, "9999"},
	} {
		wrong := new(InputError)
		if answer, err := g.CreateKey(t.Context(), test.request, admin); !errors.As(err, &wrong) || !strings.Contains(err.Error(), test.says) || answer.Secret != "" {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
	answer := makeKey(t, g, KeyRequest{})
	wrong := new(InputError)
	if _, err := g.UpdateKey(t.Context(), answer.ID, KeyChange{Unset: []string{"role"}}, admin); !errors.As(err, &wrong) {
		t.Error(err)
	}
	for _, overlap := range []time.Duration{-1, maxOverlap + 1} {
		if _, err := g.RotateKey(t.Context(), answer.ID, overlap, admin); !errors.As(err, &wrong) {
			t.Errorf("an overlap of %s: %v", overlap, err)
		}
	}
	gone := new(GoneError)
	for _, id := range []string{"", "nobody", "abcdEF12", "dsk_", "key/" + answer.ID, strings.Repeat("x", 1<<16)} {
		if _, err := g.Key(t.Context(), id, admin); !errors.As(err, &gone) || len(err.Error()) > 200 {
			t.Errorf("%.20q: %v", id, err)
		}
	}
}

// Only an admin has to do with keys; one with a bound only with keys of the
// same bound, and never makes one that may more.
func TestFault07KeysOfOthersAreNotThere(t *testing.T) {
	c := newGateClock()
	g := c.gate(memory.New())
	dev := "tag:Env=dev"
	bound := access.Principal{ID: "key:abcdEF12", Name: "team dev", Role: access.Admin, Within: dev}
	theirs := makeKey(t, g, KeyRequest{Label: "theirs", Within: dev})
	forbidden, gone := new(ForbiddenError), new(GoneError)
	label, whole, wider := "mine", "", dev+",tag:Env=prod"
	for _, within := range []string{"", "tag:Env=prod", wider} {
		others := makeKey(t, g, KeyRequest{Label: "others", Within: within})
		_, errKey := g.Key(t.Context(), others.ID, bound)
		_, errUpdate := g.UpdateKey(t.Context(), others.ID, KeyChange{Label: &label}, bound)
		_, errRotate := g.RotateKey(t.Context(), others.ID, 0, bound)
		_, errRevoke := g.RevokeKey(t.Context(), others.ID, bound)
		for i, err := range []error{errKey, errUpdate, errRotate, errRevoke} {
			if !errors.As(err, &gone) {
				t.Errorf("within %q, %d: %v", within, i, err)
			}
		}
		if _, err := g.CreateKey(t.Context(), KeyRequest{Label: "more", Role: "viewer", Within: within}, bound); !errors.As(err, &forbidden) {
			t.Errorf("a key within %q is made: %v", within, err)
		}
	}
	for _, within := range []*string{&whole, &wider} {
		if _, err := g.UpdateKey(t.Context(), theirs.ID, KeyChange{Within: within}, bound); !errors.As(err, &forbidden) {
			t.Errorf("a key is widened to %q: %v", *within, err)
		}
	}
	if _, err := g.UpdateKey(t.Context(), theirs.ID, KeyChange{Unset: []string{"within"}}, bound); !errors.As(err, &forbidden) {
		t.Errorf("a key is unbound: %v", err)
	}
	if list, err := g.Keys(t.Context(), bound); err != nil || len(list) != 1 || list[0].ID != theirs.ID {
		t.Errorf("%+v, %v", list, err)
	}
	for _, role := range []access.Role{"", access.Viewer, access.Operator, access.Editor, "root"} {
		by := access.Principal{Name: "kim", Role: role}
		_, errKeys := g.Keys(t.Context(), by)
		_, errKey := g.Key(t.Context(), theirs.ID, by)
		_, errCreate := g.CreateKey(t.Context(), KeyRequest{Label: "a", Role: "viewer"}, by)
		_, errUpdate := g.UpdateKey(t.Context(), theirs.ID, KeyChange{Label: &label}, by)
		_, errRotate := g.RotateKey(t.Context(), theirs.ID, 0, by)
		_, errRevoke := g.RevokeKey(t.Context(), theirs.ID, by)
		for i, err := range []error{errKeys, errKey, errCreate, errUpdate, errRotate, errRevoke, g.EndSession(t.Context(), "abc", by)} {
			if !errors.As(err, &forbidden) {
				t.Errorf("%q, %d: %v", role, i, err)
			}
		}
	}
}

func TestFirstKeyIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dayshift.db")
	c := newGateClock()
	var made atomic.Int64
	var group sync.WaitGroup
	for range 4 { // processes that start at once
		g := NewGate(GateOptions{Store: sqliteStore(t, path)})
		group.Go(func() {
			secret, ok, err := g.FirstKey(t.Context())
			if err != nil || ok != (secret != "") {
				t.Errorf("%v, %v", ok, err)
			}
			if ok {
				made.Add(1)
				if principal, _, err := g.Authenticate(t.Context(), secret, "", time.Now()); err != nil || principal.Role != access.Admin || principal.Within != "" {
					t.Errorf("%+v, %v", principal, err)
				}
			}
		})
	}
	group.Wait()
	if made.Load() != 1 {
		t.Errorf("%d first keys", made.Load())
	}
	s := memory.New()
	g := c.gate(s)
	answer := makeKey(t, g, KeyRequest{})
	if _, made, err := g.FirstKey(t.Context()); made || err != nil {
		t.Errorf("beside another key: %v, %v", made, err)
	}
	if err := s.DeleteObject(t.Context(), store.KeyObject, answer.ID, answer.Version); err != nil {
		t.Fatal(err)
	}
	if _, made, err := g.FirstKey(t.Context()); made || err != nil {
		t.Errorf("after another key: %v, %v", made, err)
	}
}

// What stands in the store may have been changed by hand: such a key lets nobody in, holds nothing up and can be revoked.
func TestADamagedKeyLetsNobodyIn(t *testing.T) {
	c := newGateClock()
	s := memory.New()
	g := c.gate(s)
	answer, other := makeKey(t, g, KeyRequest{}), makeKey(t, g, KeyRequest{Label: "other"})
	objects, err := s.Objects(t.Context(), store.KeyObject)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{`[]`, `null`, `{"role":["admin"]}`, `{"role":"root","hashes":[{"hash":"` + access.Hash(answer.Secret) + `"}]}`, `{"hashes":"` + access.Hash(answer.Secret) + `"}`} {
		at := slices.IndexFunc(objects, func(o store.Object) bool { return o.Name == answer.ID })
		objects[at].Spec, objects[at].Changed = []byte(spec), c.now()
		if objects[at], err = s.SaveObject(t.Context(), objects[at]); err != nil {
			t.Fatal(err)
		}
		g := c.gate(s)
		principal, _, err := g.Authenticate(t.Context(), answer.Secret, "", c.now())
		if principal.May(access.Read) {
			t.Errorf("%s: %+v, %v", spec, principal, err)
		}
		wantReason(t, "the other", enters(g, c, other.Secret, ""), "")
		if list, err := g.Keys(t.Context(), admin); err != nil || len(list) != 2 {
			t.Errorf("%s: %+v, %v", spec, list, err)
		}
	}
	if view, err := g.RevokeKey(t.Context(), answer.ID, admin); err != nil || view.State != KeyRevoked {
		t.Errorf("%+v, %v", view, err)
	}
}

// A key that was saved although nobody answered so is no way in that nobody knows of.
func TestTheAnswerOfAChangeIsLost(t *testing.T) {
	f := storetest.NewFaulty(memory.New())
	c := newGateClock()
	g := c.gate(f)
	answer := makeKey(t, g, KeyRequest{})
	wantReason(t, "before", enters(g, c, answer.Secret, ""), "")
	f.Inject(storetest.Fault{Method: storetest.SaveObject, Err: store.ErrLocked, Applied: true})
	if _, err := g.RevokeKey(t.Context(), answer.ID, admin); !errors.Is(err, store.ErrLocked) {
		t.Fatal(err)
	}
	wantReason(t, "revoked all the same", enters(g, c, answer.Secret, ""), DeniedRevoked)
}

func TestFault43RefusalsAreRecordedAndCanNotFloodTheRecord(t *testing.T) {
	c := newGateClock()
	s := memory.New()
	counted := map[string]int{}
	g := NewGate(GateOptions{Store: s, Now: c.now, Refused: func(reason string) { counted[reason]++ }})
	answer := makeKey(t, g, KeyRequest{Label: "batch", Rate: &Rate{PerSecond: 1, Burst: 1}})
	wrongKey, err := access.NewKey(cryptoReader{}, answer.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		from := fmt.Sprintf("198.51.%d.%d", i/250, i%250)
		enters(g, c, "hunter2\x1b[31m\r\nfake row", from)
		enters(g, c, wrongKey.Text(), from)
		enters(g, c, answer.Secret, "192.0.2.1")
		g.Refused(t.Context(), access.Principal{ID: "key:" + answer.ID, Name: "batch", Role: access.Operator, Via: access.ViaKey}, "192.0.2.1", "PUT /api/v1/schedules/office")
	}
	if counted["unknown"] != 4000 || counted["rate"] != 1999 || counted["forbidden"] != 2000 {
		t.Errorf("counted %v", counted)
	}
	first := gateRows(t, s, store.EventRefused)
	if len(first) != 2+refusalRows {
		t.Errorf("%d rows at once: %q", len(first), first)
	}
	if err := g.Flush(t.Context()); err != nil || len(gateRows(t, s, store.EventRefused)) != len(first) {
		t.Errorf("sums before their time, %v", err)
	}
	c.pass(refusalSpan)
	if err := g.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := gateRows(t, s, store.EventRefused)
	for _, want := range []string{
		"anonymous unknown : this is no API key: one begins with dsk_ and has an ID, a secret and a checksum; was it copied whole?, from 198.51.0.0",
		"anonymous unknown key/" + answer.ID + ": a wrong secret of key batch, from 198.51.0.0",
		"batch (key:" + answer.ID + ") rate key/" + answer.ID + ": too many requests at once, from 192.0.2.1: 1998 times more within 5m0s",
		"batch (key:" + answer.ID + ") forbidden key/" + answer.ID + ": batch (key:" + answer.ID + "), which is operator, was refused: PUT /api/v1/schedules/office, from 192.0.2.1: 1999 times more within 5m0s",
		"dayshift more : 3995 more refusals of other kinds within 5m0s",
	} {
		if !slices.Contains(rows, want) {
			t.Errorf("no row %q", want)
		}
	}
	if len(rows) > len(first)+2*(refusalRows+1) {
		t.Errorf("%d rows of 8,000 refusals", len(rows))
	}
	for _, row := range rows {
		if strings.ContainsAny(row, "\r\n\x1b") || strings.Contains(row, "hunter2") || strings.Contains(row, wrongKey.Text()[13:45]) {
			t.Errorf("a row has what was sent: %q", row)
		}
	}
	g.Refused(t.Context(), access.Anonymous(), "192.0.2.1", "a\r\nb\x1b[2J")
	g.Refused(t.Context(), access.Anonymous(), "192.0.2.1", "a\r\nb\x1b[2J")
	if err := g.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows = gateRows(t, s, store.EventRefused)
	if last := rows[len(rows)-1]; !strings.HasSuffix(last, "1 time more within 0s") || strings.ContainsAny(last, "\r\n\x1b") {
		t.Errorf("at the end: %q", last)
	}
}

// The gate is tended by the minute, and what was counted is written before the process ends.
func TestTheGateIsTended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		g := NewGate(GateOptions{Store: s})
		signIn := func() string {
			token, _, err := g.SignIn(t.Context(), signedKim, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		signIn()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- g.Tend(ctx) }()
		for range 3 {
			g.Refused(t.Context(), signedLee, "192.0.2.1", "PUT /api/v1/schedules/office")
		}
		time.Sleep(refusalSpan + time.Minute)
		if rows := gateRows(t, s, store.EventRefused); len(rows) != 2 || !strings.Contains(rows[1], "2 times more") {
			t.Errorf("after the span: %q", rows)
		}
		time.Sleep(SessionIdle)
		if held, err := s.Sessions(t.Context(), ""); err != nil || len(held) != 0 {
			t.Errorf("sessions that ended are kept: %+v, %v", held, err)
		}
		for range 2 {
			g.Refused(t.Context(), signedLee, "192.0.2.1", "PUT /api/v1/schedules/office")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if rows := gateRows(t, s, store.EventRefused); len(rows) != 4 || !strings.Contains(rows[3], "1 time more") {
			t.Errorf("at the end: %q", rows)
		}
	})
}

// A record that takes nothing lets nobody in and holds nobody up.
func TestFault09RefusalsOfABrokenRecord(t *testing.T) {
	f := storetest.NewFaulty(memory.New())
	c := newGateClock()
	g := c.gate(f)
	f.Inject(storetest.Fault{Method: storetest.Append, Err: store.ErrFull, Times: -1})
	wantReason(t, "a wrong key", enters(g, c, newSecret(t), ""), DeniedUnknown)
	f.Inject(storetest.Fault{Method: storetest.Touch, Err: store.ErrFull, Times: -1})
	wantReason(t, "a right one whose use can not be noted", enters(g, c, makeKey(t, g, KeyRequest{}).Secret, ""), "")
}

// Between the check of a request and its act the role is taken away, by another process.
func TestFault50ARoleIsTakenAwayBetweenCheckAndAct(t *testing.T) {
	c := newGateClock()
	s := memory.New()
	here, there := c.gate(s), c.gate(s)
	answer := makeKey(t, here, KeyRequest{Role: "editor"})
	principal, _, err := here.Authenticate(t.Context(), answer.Secret, "", c.now())
	if err != nil || here.Recheck(t.Context(), principal, access.Edit) != nil {
		t.Fatal(err)
	}
	forbidden, denied := new(ForbiddenError), new(DeniedError)
	if err := here.Recheck(t.Context(), principal, access.Manage); !errors.As(err, &forbidden) {
		t.Errorf("an editor may manage: %v", err)
	}
	role, within := "viewer", "tag:Env=dev"
	if _, err := there.UpdateKey(t.Context(), answer.ID, KeyChange{Role: &role}, admin); err != nil {
		t.Fatal(err)
	}
	if err := here.Recheck(t.Context(), principal, access.Edit); !errors.As(err, &forbidden) {
		t.Errorf("what was an editor may edit: %v", err)
	}
	principal.Role = access.Viewer
	if _, err := there.UpdateKey(t.Context(), answer.ID, KeyChange{Within: &within}, admin); err != nil {
		t.Fatal(err)
	}
	if err := here.Recheck(t.Context(), principal, access.Read); !errors.As(err, &forbidden) {
		t.Errorf("beyond its new bound: %v", err)
	}
	if _, err := there.RevokeKey(t.Context(), answer.ID, admin); err != nil {
		t.Fatal(err)
	}
	if err := here.Recheck(t.Context(), principal, access.Read); !errors.As(err, &denied) || denied.Reason != DeniedRevoked {
		t.Errorf("revoked: %v", err)
	}
	if err := here.Recheck(t.Context(), access.Principal{}, access.Read); !errors.As(err, &forbidden) {
		t.Errorf("nobody: %v", err)
	}
	if err := here.Recheck(t.Context(), signedKim, access.Edit); err != nil {
		t.Errorf("a person of an identity provider: %v", err)
	}

	// A session that another process ended ends here at once, and one that is only looked at is not in use.
	token, session := signIn(t, here, c, signedKim)
	kim, _, err := here.Session(t.Context(), token, "", c.now())
	if err != nil || here.RecheckSession(t.Context(), token, kim, access.Edit) != nil {
		t.Fatal(err)
	}
	kim.ID = signedLee.ID
	if err := here.RecheckSession(t.Context(), token, kim, access.Read); !errors.As(err, &forbidden) {
		t.Errorf("somebody else's session: %v", err)
	}
	kim.ID = signedKim.ID
	if err := there.EndSession(t.Context(), session.ID, admin); err != nil {
		t.Fatal(err)
	}
	if err := here.RecheckSession(t.Context(), token, kim, access.Read); !errors.As(err, &denied) || denied.Reason != DeniedUnknown {
		t.Errorf("a session that was ended: %v", err)
	}
	token, _ = signIn(t, here, c, signedKim)
	for range 13 {
		c.pass(time.Hour)
		err = here.RecheckSession(t.Context(), token, kim, access.Read)
	}
	if !errors.As(err, &denied) || denied.Reason != DeniedExpired {
		t.Errorf("a session that is only looked at: %v", err)
	}
}
