package service

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"dayshift/internal/access"
	"dayshift/internal/clock"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// KeyRequest is a key that is to be made.
type KeyRequest struct {
	Label   string     `json:"label"`
	Role    string     `json:"role"`             // viewer, operator, editor or admin
	Within  string     `json:"within,omitempty"` // a filter; empty: the whole fleet
	Rate    *Rate      `json:"rate,omitempty"`   // nil: DefaultRate
	Quota   *Quota     `json:"quota,omitempty"`  // nil: none
	Expires *time.Time `json:"expires,omitempty"`
}

// KeyChange changes a key: fields that are nil stay as they are.
type KeyChange struct {
	Label    *string    `json:"label,omitempty"`
	Role     *string    `json:"role,omitempty"`
	Within   *string    `json:"within,omitempty"` // empty: the whole fleet
	Rate     *Rate      `json:"rate,omitempty"`
	Quota    *Quota     `json:"quota,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Disabled *bool      `json:"disabled,omitempty"`
	Unset    []string   `json:"unset,omitempty"`   // of rate, quota, expires, within: back to none, or the default
	Version  int64      `json:"version,omitempty"` // change this version only; 0: the present one
}

// Rate bounds how fast a key may ask: a bucket of Burst that fills again by
// PerSecond.
type Rate struct {
	PerSecond float64 `json:"per_second"`
	Burst     int     `json:"burst"`
}

// Quota bounds how often a key may ask in a calendar day, week (from Monday) or month, in UTC.
type Quota struct {
	Limit int64  `json:"limit"`
	Per   string `json:"per"` // day, week or month
}

// States of a key.
const (
	KeyActive   = "active"
	KeyDisabled = "disabled"
	KeyExpired  = "expired"
	KeyRevoked  = "revoked"
	KeyDamaged  = "damaged" // what is stored of it can not be read: it can only be revoked
)

// KeyView is a key as it is shown: never its secret, nor what is stored of it.
type KeyView struct {
	ID        string      `json:"id"`
	Label     string      `json:"label"`
	Prefix    string      `json:"prefix"` // dsk_ and the ID: how the key begins
	Role      string      `json:"role"`
	Within    string      `json:"within,omitempty"`
	State     string      `json:"state"` // active, disabled, expired, revoked or damaged
	Secrets   []KeySecret `json:"secrets"`
	Rate      Rate        `json:"rate"`
	Quota     *QuotaUse   `json:"quota,omitempty"`
	Expires   *time.Time  `json:"expires,omitempty"`
	LastUsed  *time.Time  `json:"last_used,omitempty"` // to the minute; nil: never
	Version   int64       `json:"version"`
	Author    string      `json:"author"` // of the last change
	Created   time.Time   `json:"created"`
	Changed   time.Time   `json:"changed"`
	Revoked   *time.Time  `json:"revoked,omitempty"`
	RevokedBy string      `json:"revoked_by,omitempty"`
}

// KeySecret says when a secret of a key was made and when it ends: one that was
// rotated out lives on until then.
type KeySecret struct {
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
}

// QuotaUse is a quota and what was used of it.
type QuotaUse struct {
	Quota
	Used   int64     `json:"used"`
	Resets time.Time `json:"resets"`
}

// KeyAnswer is a key with its secret, which is shown this once.
type KeyAnswer struct {
	KeyView
	Secret string `json:"secret"`
}

// Bounds of keys.
const (
	maxLabel   = 100                 // bytes: a name, no description
	maxKeys    = 10_000              // all of them are held in memory
	maxOverlap = 30 * 24 * time.Hour // a rotation that takes longer is two keys
	// keepRevoked is how long a revoked key is shown before it is forgotten; the record knows of it for good.
	keepRevoked = 90 * 24 * time.Hour
	// secretsAlive is how many secrets of a key are good at once: the one before, for as long as a rotation takes.
	secretsAlive = 2
)

// DefaultRate holds for keys that have none of their own, for people and for each
// address that shows no key: a page that opens asks for a dozen things at once.
var DefaultRate = Rate{PerSecond: 20, Burst: 100}

// keySpec is a key as it is stored. Its secrets are only there as hashes.
type keySpec struct {
	Label     string      `json:"label"`
	Role      access.Role `json:"role"`
	Within    string      `json:"within,omitempty"`
	Hashes    []keyHash   `json:"hashes"` // the newest first, at most secretsAlive
	Rate      *Rate       `json:"rate,omitempty"`
	Quota     *Quota      `json:"quota,omitempty"`
	Expires   *time.Time  `json:"expires,omitempty"`
	Disabled  bool        `json:"disabled,omitempty"`
	Revoked   *time.Time  `json:"revoked,omitempty"`
	RevokedBy string      `json:"revoked_by,omitempty"`
}

// keyHash is the SHA-256 of a whole key, in hex.
type keyHash struct {
	Hash    string     `json:"hash"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"` // nil: with the key
}

// liveKey is a key as it was read.
type liveKey struct {
	id      string
	object  store.Object
	spec    keySpec
	damaged error // its spec can not be read: nobody gets in with it
}

func readKey(object store.Object) *liveKey {
	k := &liveKey{id: object.Name, object: object}
	if err := json.Unmarshal(object.Spec, &k.spec); err != nil {
		k.damaged, k.spec = fmt.Errorf("read key %s: %w (%w)", k.id, store.ErrCorrupt, err), keySpec{}
	}
	return k
}

// state is the first reason for which a key lets nobody in.
func (k *liveKey) state(now time.Time) string {
	switch {
	case k.damaged != nil:
		return KeyDamaged
	case k.spec.Revoked != nil:
		return KeyRevoked
	case k.spec.Disabled:
		return KeyDisabled
	case ended(k.spec.Expires, now):
		return KeyExpired
	}
	return KeyActive
}

func ended(at *time.Time, now time.Time) bool { return at != nil && !now.Before(*at) }

func (k *liveKey) principal(via string) access.Principal {
	return access.Principal{ID: access.KeyPrincipal + k.id, Name: k.spec.Label, Role: k.spec.Role, Within: k.spec.Within, Via: via}
}

func (k *liveKey) rate() Rate {
	if k.spec.Rate != nil {
		return *k.spec.Rate
	}
	return DefaultRate
}

// visible reports whether a principal may see and change what has the bound:
// without a bound of its own everything, else only what has the very same. That
// one filter is narrower than another can not be told from their texts.
func visible(by access.Principal, within string) bool { return by.Within == "" || by.Within == within }

// mayManage refuses whoever may not have anything to do with keys and sessions.
func mayManage(by access.Principal) error {
	if !by.May(access.Manage) {
		return &ForbiddenError{tellF("keys and sessions are for the role %s; %s is %s", say.Word(access.Admin), by.Actor(), orNone(by.Role))}
	}
	return nil
}

func orNone(role access.Role) say.Text {
	if role == "" {
		return say.F("without a role")
	}
	return say.Word(role)
}

// Keys lists the keys that the principal may see, by label: a principal with a
// bound sees those with the very same.
func (g *Gate) Keys(ctx context.Context, by access.Principal) ([]KeyView, error) {
	if g == nil {
		return nil, errNoGate
	}
	if err := mayManage(by); err != nil {
		return nil, err
	}
	held, err := g.readKeys(ctx)
	if err != nil {
		return nil, err
	}
	held = slices.DeleteFunc(held, func(k *liveKey) bool { return !visible(by, k.spec.Within) })
	slices.SortFunc(held, func(a, b *liveKey) int {
		return cmp.Or(cmp.Compare(a.spec.Label, b.spec.Label), cmp.Compare(a.id, b.id))
	})
	return g.views(ctx, held)
}

func (g *Gate) readKeys(ctx context.Context) ([]*liveKey, error) {
	objects, err := g.store.Objects(ctx, store.KeyObject)
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	held := make([]*liveKey, len(objects))
	for i, object := range objects {
		held[i] = readKey(object)
	}
	return held, nil
}

// Names of counters.
func quotaCounter(id, per string) string { return "quota/key/" + id + "/" + per }
func usedCounter(id string) string       { return "used/key/" + id }

// views shows keys, with what was used of them.
func (g *Gate) views(ctx context.Context, held []*liveKey) ([]KeyView, error) {
	now := g.now()
	names := make([]string, 0, 2*len(held))
	for _, k := range held {
		per := ""
		if k.spec.Quota != nil {
			per = k.spec.Quota.Per
		}
		names = append(names, usedCounter(k.id), quotaCounter(k.id, per))
	}
	counters, err := g.store.Counted(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("read the use of keys: %w", err)
	}
	views := make([]KeyView, len(held))
	for i, k := range held {
		v := KeyView{
			ID: k.id, Label: k.spec.Label, Prefix: access.KeyPrefix + k.id, Role: string(k.spec.Role), Within: k.spec.Within,
			State: k.state(now), Secrets: []KeySecret{}, Rate: k.rate(), Expires: k.spec.Expires, Version: k.object.Version,
			Author: k.object.Author, Created: k.object.Created, Changed: k.object.Changed, Revoked: k.spec.Revoked, RevokedBy: k.spec.RevokedBy,
		}
		for _, h := range k.spec.Hashes {
			if k.spec.Revoked == nil && !ended(h.Expires, now) {
				v.Secrets = append(v.Secrets, KeySecret{Created: h.Created, Expires: h.Expires})
			}
		}
		if used := counters[2*i].Touched; !used.IsZero() {
			v.LastUsed = &used
		}
		if q := k.spec.Quota; q != nil {
			start, end := q.window(now)
			use := QuotaUse{Quota: *q, Resets: end}
			if c := counters[2*i+1]; c.Window.Equal(start) {
				use.Used = c.Count
			}
			v.Quota = &use
		}
		views[i] = v
	}
	return views, nil
}

func (g *Gate) view(ctx context.Context, k *liveKey) (KeyView, error) {
	views, err := g.views(ctx, []*liveKey{k})
	if err != nil {
		return KeyView{}, err
	}
	return views[0], nil
}

// Key shows one. The ID can be given as the beginning of the key, or as all of it.
func (g *Gate) Key(ctx context.Context, id string, by access.Principal) (KeyView, error) {
	k, err := g.find(ctx, id, by)
	if err != nil {
		return KeyView{}, err
	}
	return g.view(ctx, k)
}

// find reads a key that the principal may change.
func (g *Gate) find(ctx context.Context, text string, by access.Principal) (*liveKey, error) {
	if g == nil {
		return nil, errNoGate
	}
	if err := mayManage(by); err != nil {
		return nil, err
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(text, access.KeyPrefix), "_")
	held, err := g.readKeys(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(held, func(k *liveKey) bool { return k.id == id && visible(by, k.spec.Within) })
	if at < 0 || !access.IsKeyID(id) {
		return nil, &GoneError{tellF("there is no such key; keys are known by the 8 characters after dsk_")}
	}
	return held[at], nil
}

// CreateKey makes a key. The answer has its secret, which nobody can ask for again.
// *InputError, *ForbiddenError.
func (g *Gate) CreateKey(ctx context.Context, request KeyRequest, by access.Principal) (KeyAnswer, error) {
	if g == nil {
		return KeyAnswer{}, errNoGate
	}
	if err := mayManage(by); err != nil {
		return KeyAnswer{}, err
	}
	now := store.Instant(g.now())
	spec := keySpec{Label: request.Label, Role: access.Role(request.Role), Within: request.Within, Rate: request.Rate, Quota: request.Quota, Expires: request.Expires}
	if err := spec.check(now, by); err != nil {
		return KeyAnswer{}, err
	}
	held, err := g.readKeys(ctx)
	if err != nil {
		return KeyAnswer{}, err
	}
	if g.forget(ctx, held, now); len(held) >= maxKeys {
		return KeyAnswer{}, inputErrorF("there are %d keys already; revoke those that nobody needs", len(held))
	}
	key, err := access.NewKey(rand.Reader, "")
	if err != nil {
		return KeyAnswer{}, err
	}
	spec.Hashes = []keyHash{{Hash: access.Hash(key.Text()), Created: now}}
	k := &liveKey{id: key.ID, object: store.Object{Kind: store.KeyObject, Name: key.ID}, spec: spec}
	if err := g.saveKey(ctx, k, by, now, Created, spec.facts()); err != nil {
		return KeyAnswer{}, err
	}
	view, err := g.view(ctx, k)
	return KeyAnswer{view, key.Text()}, err
}

// forget drops keys that were revoked long ago.
func (g *Gate) forget(ctx context.Context, held []*liveKey, now time.Time) {
	for _, k := range held {
		if k.spec.Revoked != nil && now.Sub(*k.spec.Revoked) > keepRevoked {
			// One that can not be dropped now is dropped another time.
			_ = g.store.DeleteObject(ctx, store.KeyObject, k.id, k.object.Version)
		}
	}
}

// check refuses what can not be a key, and brings the texts into order.
func (s *keySpec) check(now time.Time, by access.Principal) (err error) {
	if s.Label, err = words("label", s.Label, maxLabel); err != nil {
		return err
	}
	if s.Label == "" {
		return inputErrorF("what is the key for? it needs a label, such as the program or person that has it")
	}
	if s.Role, err = access.ParseRole(string(s.Role)); err != nil {
		return asInput(err)
	}
	if s.Within = strings.TrimSpace(s.Within); s.Within != "" {
		if _, err := fleet.ParseFilter(s.Within); err != nil {
			return inputErrorF("within: %v", err)
		}
	}
	if !visible(by, s.Within) {
		return &ForbiddenError{tellF("%s is bound to %s, and so are the keys that it makes: give them the very same within", by.Actor(), by.Within)}
	}
	if s.Rate != nil {
		if err := s.Rate.check(); err != nil {
			return err
		}
	}
	if s.Quota != nil {
		if err := s.Quota.check(); err != nil {
			return err
		}
	}
	if s.Expires != nil {
		at := store.Instant(*s.Expires)
		if s.Expires = &at; !at.After(now) {
			return inputErrorF("expires: %s has passed; it is %s now", stamp(at), stamp(now))
		} else if at.Year() > 9999 {
			return inputErrorF("expires: the year %d is beyond 9999", at.Year())
		}
	}
	return nil
}

// Bounds of limits: beyond them a number is a mistake.
const (
	slowestRate  = 0.001 // one in 17 minutes
	fastestRate  = 10_000
	largestBurst = 100_000
	largestQuota = 1_000_000_000_000
)

func (r Rate) check() error {
	switch {
	case math.IsNaN(r.PerSecond) || r.PerSecond < slowestRate || r.PerSecond > fastestRate:
		return inputErrorF("rate: %v a second; between %v and %v are allowed", r.PerSecond, slowestRate, fastestRate)
	case r.Burst < 1 || r.Burst > largestBurst:
		return inputErrorF("rate: a burst of %d; between 1 and %d are allowed", r.Burst, largestBurst)
	}
	return nil
}

// String is how a rate is written on the command line.
func (r Rate) String() string { return fmt.Sprintf("%v/s, burst %d", r.PerSecond, r.Burst) }

func (q Quota) check() error {
	switch {
	case q.Limit < 1 || q.Limit > largestQuota:
		return inputErrorF("quota: a limit of %d; between 1 and %d are allowed", q.Limit, int64(largestQuota))
	case !slices.Contains(quotaWindows, q.Per):
		return inputErrorF("quota: per %.20q; day, week and month are allowed", q.Per)
	}
	return nil
}

// String is how a quota is written on the command line.
func (q Quota) String() string { return fmt.Sprintf("%d/%s", q.Limit, q.Per) }

var quotaWindows = []string{"day", "week", "month"}

// window is the stretch in which an instant is counted, in UTC; weeks begin on Monday.
func (q Quota) window(now time.Time) (start, end time.Time) {
	now = now.UTC()
	year, month, day := now.Date()
	start = time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	switch q.Per {
	case "month":
		start = start.AddDate(0, 0, 1-day)
		return start, start.AddDate(0, 1, 0)
	case "week":
		start = start.AddDate(0, 0, -(int(now.Weekday())+6)%7)
		return start, start.AddDate(0, 0, 7)
	}
	return start, start.AddDate(0, 0, 1)
}

// facts say what a key may do, for the record.
func (s *keySpec) facts() []string {
	facts := []string{"role " + string(s.Role)}
	if s.Within != "" {
		facts = append(facts, "within "+s.Within)
	}
	if s.Rate != nil {
		facts = append(facts, "rate "+s.Rate.String())
	}
	if s.Quota != nil {
		facts = append(facts, "quota "+s.Quota.String())
	}
	if s.Expires != nil {
		facts = append(facts, "expires "+stamp(*s.Expires))
	}
	if s.Disabled {
		facts = append(facts, "disabled")
	}
	return facts
}

// What is recorded of a key beside Created and Changed.
const (
	Rotated = "rotated"
	Revoked = "revoked"
)

// saveKey writes a key and its row. Whatever comes of it, what is remembered of keys is read anew.
func (g *Gate) saveKey(ctx context.Context, k *liveKey, by access.Principal, now time.Time, did string, facts []string) error {
	encoded, err := json.Marshal(k.spec)
	if err != nil {
		return fmt.Errorf("encode key %s: %w", k.id, err)
	}
	object := k.object
	object.Spec, object.Author, object.Changed = encoded, by.Actor(), now
	detail := fmt.Sprintf("key %s (%s%s) was %s", k.spec.Label, access.KeyPrefix, k.id, did)
	if len(facts) > 0 {
		detail += ": " + strings.Join(facts, "; ")
	}
	row := store.Activity{At: g.stamp(), Actor: by.Actor(), Event: store.EventKey, Name: keyName(k.id), Reason: did, Detail: shortTo(Plain(detail), maxDetail)}
	saved, err := g.store.SaveObject(ctx, object, row)
	g.renew()
	if err != nil {
		return saving(err)
	}
	k.object = saved
	return nil
}

// keyName names a key in the record.
func keyName(id string) string { return "key/" + id }

func shortTo(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// UpdateKey changes what a key may do. *InputError, *GoneError, *ForbiddenError, *StaleError.
func (g *Gate) UpdateKey(ctx context.Context, id string, change KeyChange, by access.Principal) (KeyView, error) {
	k, err := g.findLive(ctx, id, change.Version, by)
	if err != nil {
		return KeyView{}, err
	}
	now := store.Instant(g.now())
	before := k.spec.facts()
	label := k.spec.Label
	if err := k.spec.apply(change); err != nil {
		return KeyView{}, err
	}
	if change.Expires == nil && ended(k.spec.Expires, now) { // as it was: nobody asked for it
		kept := k.spec.Expires
		k.spec.Expires = nil
		err = k.spec.check(now, by)
		k.spec.Expires = kept
	} else {
		err = k.spec.check(now, by)
	}
	if err != nil {
		return KeyView{}, err
	}
	facts := differing(before, k.spec.facts())
	if label != k.spec.Label {
		facts = append([]string{"label " + label + " → " + k.spec.Label}, facts...)
	}
	if len(facts) > 0 {
		if err := g.saveKey(ctx, k, by, now, Changed, facts); err != nil {
			return KeyView{}, err
		}
	}
	return g.view(ctx, k)
}

// differing lists the facts that came, and those that went.
func differing(before, after []string) (facts []string) {
	for _, fact := range after {
		if !slices.Contains(before, fact) {
			facts = append(facts, fact)
		}
	}
	for _, fact := range before {
		if !slices.Contains(after, fact) {
			facts = append(facts, "no longer "+fact)
		}
	}
	return facts
}

func (s *keySpec) apply(change KeyChange) error {
	for _, name := range change.Unset {
		switch name {
		case "rate":
			s.Rate = nil
		case "quota":
			s.Quota = nil
		case "expires":
			s.Expires = nil
		case "within":
			s.Within = ""
		default:
			return inputErrorF("unset: %.40q can not be taken out; rate, quota, expires and within can", name)
		}
	}
	if change.Label != nil {
		s.Label = *change.Label
	}
	if change.Role != nil {
		s.Role = access.Role(*change.Role)
	}
	if change.Within != nil {
		s.Within = *change.Within
	}
	if change.Disabled != nil {
		s.Disabled = *change.Disabled
	}
	s.Rate, s.Quota, s.Expires = cmp.Or(change.Rate, s.Rate), cmp.Or(change.Quota, s.Quota), cmp.Or(change.Expires, s.Expires)
	return nil
}

// findLive is find for a key that was not revoked, in a version (0: the present one).
func (g *Gate) findLive(ctx context.Context, id string, version int64, by access.Principal) (*liveKey, error) {
	k, err := g.find(ctx, id, by)
	switch {
	case err != nil:
		return nil, err
	case k.damaged != nil:
		return nil, k.damaged
	case version != 0 && version != k.object.Version:
		return nil, &StaleError{tellF("key %s is in version %d, changed by %s at %s, not in version %d: look at what was changed, and change that version",
			k.id, k.object.Version, somebody(k.object.Author), stamp(k.object.Changed), version)}
	case k.spec.Revoked != nil:
		return nil, inputErrorF("key %s was revoked by %s at %s and does not come back; make a new one", k.id, k.spec.RevokedBy, stamp(*k.spec.Revoked))
	}
	return k, nil
}

// RotateKey gives a key a new secret, shown once. The one before goes on for
// overlap; 0 ends it now. Of a secret that was already on its way out nothing is
// left. Sessions end with the secret that they began with. Errors are as those of UpdateKey.
func (g *Gate) RotateKey(ctx context.Context, id string, overlap time.Duration, by access.Principal) (KeyAnswer, error) {
	k, err := g.findLive(ctx, id, 0, by)
	if err != nil {
		return KeyAnswer{}, err
	}
	now := store.Instant(g.now())
	switch {
	case overlap < 0 || overlap > maxOverlap:
		return KeyAnswer{}, inputErrorF("an overlap of %s; between 0 and %s are allowed", overlap, config.Duration(maxOverlap))
	case ended(k.spec.Expires, now):
		return KeyAnswer{}, inputErrorF("key %s came to its end at %s: give it a later one first", k.id, stamp(*k.spec.Expires))
	}
	key, err := access.NewKey(rand.Reader, k.id)
	if err != nil {
		return KeyAnswer{}, err
	}
	hashes := []keyHash{{Hash: access.Hash(key.Text()), Created: now}}
	facts := []string{"the secret before ended at once"}
	if overlap > 0 && len(k.spec.Hashes) > 0 {
		until := now.Add(overlap)
		last := k.spec.Hashes[0]
		last.Expires = &until
		hashes = append(hashes, last)
		facts = []string{"the secret before goes on until " + stamp(until)}
	}
	k.spec.Hashes = hashes
	if err := g.saveKey(ctx, k, by, now, Rotated, facts); err != nil {
		return KeyAnswer{}, err
	}
	// They would end by themselves: every request of a session asks for its secret.
	if err := g.endSessionsOf(ctx, k, by, "its key was rotated"); err != nil {
		return KeyAnswer{}, err
	}
	view, err := g.view(ctx, k)
	return KeyAnswer{view, key.Text()}, err
}

// RevokeKey ends a key and its sessions for good. Errors are as those of UpdateKey.
func (g *Gate) RevokeKey(ctx context.Context, id string, by access.Principal) (KeyView, error) {
	k, err := g.find(ctx, id, by)
	if err != nil {
		return KeyView{}, err
	}
	now := store.Instant(g.now())
	if k.damaged != nil {
		k.spec, k.damaged = keySpec{Label: "(damaged)", Role: access.Viewer, Hashes: []keyHash{}}, nil
	} else if k, err = g.findLive(ctx, id, 0, by); err != nil {
		return KeyView{}, err
	}
	k.spec.Revoked, k.spec.RevokedBy = &now, by.Actor()
	if err := g.saveKey(ctx, k, by, now, Revoked, nil); err != nil {
		return KeyView{}, err
	}
	// They would end by themselves: every request of a session asks for its key.
	if err := g.endSessionsOf(ctx, k, by, "its key was revoked"); err != nil {
		return KeyView{}, err
	}
	return g.view(ctx, k)
}

// firstLease keeps two processes that start at once from making a first key each.
const (
	firstLease     = "first-key"
	firstLeaseTime = 5 * time.Second
)

// firstLease waits until no other process makes a first key.
func (g *Gate) firstLease(ctx context.Context) (store.Lease, error) {
	for holder := rand.Text(); ; {
		lease, err := g.store.Acquire(ctx, firstLease, holder, g.now(), firstLeaseTime)
		if err == nil || !errors.Is(err, store.ErrHeld) {
			return lease, err
		}
		if err := (clock.Real{}).Sleep(ctx, firstLeaseTime/50); err != nil {
			return store.Lease{}, err
		}
	}
}

// FirstKey makes one key for an admin when the store never had any key.
func (g *Gate) FirstKey(ctx context.Context) (secret string, made bool, err error) {
	if g == nil {
		return "", false, errNoGate
	}
	lease, err := g.firstLease(ctx)
	if err != nil {
		return "", false, fmt.Errorf("make a first key: %w", err)
	}
	defer func() { _ = g.store.Release(context.WithoutCancel(ctx), lease) }() // it ends by itself
	held, err := g.readKeys(ctx)
	if err != nil || len(held) > 0 {
		return "", false, err
	}
	rows, err := g.store.Activity(ctx, store.ActivityQuery{Event: store.EventKey, Limit: 1})
	if err != nil || len(rows) > 0 {
		return "", false, err
	}
	answer, err := g.CreateKey(ctx, KeyRequest{Label: "first start", Role: string(access.Admin)}, access.Principal{ID: "dayshift", Name: "dayshift", Role: access.Admin})
	return answer.Secret, err == nil, err
}
