package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/workload"
)

// part is what one listing is of.
type part struct {
	scope fleet.Scope
	kind  fleet.Kind
}

// look is one thing that a run wants to see.
type look struct {
	l   *live
	key string
	ref fleet.Ref
	// of a member: with the provider's checks.
	health bool
	places []workload.Place
	check  workload.Check
}

// tierLook is a tier that is being listed, scope by scope.
type tierLook struct {
	l         *live
	key       string
	w         *workload.Workload
	t         *workload.Tier
	direction workload.Direction

	mu    sync.Mutex
	left  int
	began time.Time
	found []fleet.Resource
	gaps  []say.Text
	// unlisted are gaps that nothing is waited for in, see waitsFor; home is where the tier had members.
	unlisted []say.Text
	home     []string
}

// How soon something is looked at again that could not be seen, and how long one look may take.
const (
	lookRetry   = 5 * time.Second
	lookTimeout = discover.DefaultTimeout
	// lookGap is how far apart looks at members of one kind in one scope are: all runs together cost a call a second.
	lookGap = time.Second
)

// key names what is looked at; those about a resource begin with its scope.
func memberKey(ref fleet.Ref) string    { return ref.Scope.String() + " member " + ref.String() }
func placesKey(ref fleet.Ref) string    { return ref.Scope.String() + " places " + ref.String() }
func standingsKey(ref fleet.Ref) string { return ref.Scope.String() + " standings " + ref.String() }

// inScope reports whether a key is about a resource of the scope.
func inScope(key string, scope fleet.Scope) bool { return strings.HasPrefix(key, scope.String()+" ") }

// observe begins to look at what the runs want to see, beside the rounds, all of them together.
func (d *Driver) observe(ctx context.Context, setting Setting, moves []*move) {
	members, places, standings := map[part][]look{}, map[fleet.Scope][]look{}, map[fleet.Scope][]look{}
	sessions, backups := map[fleet.Scope][]look{}, map[part][]look{}
	listings := map[fleet.Scope][]*tierLook{}
	var gates []look
	for _, m := range moves {
		l := m.s.live
		if l == nil || m.run == nil || m.begins || m.touched {
			continue
		}
		want := &m.next.Look
		for _, name := range want.Tiers {
			if key := "tier " + name; d.claim(l, key) {
				d.listTier(l, key, m.run, name, setting, listings)
			}
		}
		for _, ref := range want.Members {
			if key := memberKey(ref); d.claim(l, key) {
				at := part{ref.Scope, ref.Kind}
				members[at] = append(members[at], look{l: l, key: key, ref: ref, health: slices.Contains(want.Health, ref)})
			}
		}
		for _, ref := range want.Places {
			if key := placesKey(ref); d.claim(l, key) {
				places[ref.Scope] = append(places[ref.Scope], look{l: l, key: key, ref: ref})
			}
		}
		for ref, in := range want.Standings {
			if key := standingsKey(ref); d.claim(l, key) {
				standings[ref.Scope] = append(standings[ref.Scope], look{l: l, key: key, ref: ref, places: in})
			}
		}
		for _, check := range want.Checks {
			key := check.Member.Scope.String() + " check " + check.ID
			if !d.claim(l, key) {
				continue
			}
			one := look{l: l, key: key, ref: check.Member, check: check}
			switch {
			case check.Gate != nil:
				gates = append(gates, one)
			case check.Veto.Type == workload.VetoSessions:
				sessions[one.ref.Scope] = append(sessions[one.ref.Scope], one)
			default:
				at := part{one.ref.Scope, one.ref.Kind}
				backups[at] = append(backups[at], one)
			}
		}
	}
	for scope, tiers := range listings {
		d.aside(func() { d.listScope(ctx, setting, scope, tiers) })
	}
	for at, looks := range members {
		d.aside(func() { d.lookAt(ctx, setting.Cloud, at, looks) })
	}
	for scope, looks := range places {
		d.aside(func() { d.lookAtPlaces(ctx, setting.Cloud, scope, looks) })
	}
	for scope, looks := range standings {
		d.aside(func() { d.lookAtStandings(ctx, setting.Cloud, scope, looks) })
	}
	for scope, looks := range sessions {
		d.aside(func() { d.countSessions(ctx, setting.Cloud, scope, looks) })
	}
	for at, looks := range backups {
		d.aside(func() { d.askBackups(ctx, setting.Cloud, at, looks) })
	}
	for _, one := range gates {
		d.aside(func() { d.tryGate(ctx, one) })
	}
}

// claim notes that something is being looked at; false: it is already, or could not be seen a moment ago.
func (d *Driver) claim(l *live, key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, under := l.looks[key]; under {
		return false
	}
	l.looks[key] = time.Time{}
	return true
}

// seen hands runs what was seen. What could not be seen is tried again soon.
func (d *Driver) saw(looks []look, err error, take func(l *live, one *look)) {
	again := d.Clock.Now().Add(lookRetry)
	d.mu.Lock()
	for i := range looks {
		one := &looks[i]
		if err != nil {
			one.l.looks[one.key] = again
			continue
		}
		delete(one.l.looks, one.key)
		take(one.l, one)
		one.l.news = true
	}
	d.mu.Unlock()
	d.wake()
}

func (d *Driver) unseen(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "a run of a workload could not see something; it is tried again", slog.String("what", what), slog.Any("error", err))
	}
}

// listTier puts a tier to what is listed of the scopes in which it can have members.
func (d *Driver) listTier(l *live, key string, r *workload.Run, name string, setting Setting, listings map[fleet.Scope][]*tierLook) {
	direction := r.Direction
	if r.Back != nil {
		direction = r.Back.Direction
	}
	t := r.Definition.Tier(name)
	tl := &tierLook{l: l, key: key, w: r.Definition, t: t, direction: direction, began: d.Clock.Now(), home: r.Memory.Where[name]}
	for _, scope := range setting.Scopes {
		if r.Definition.In(t, scope) {
			tl.left++
			listings[scope] = append(listings[scope], tl)
		}
	}
	if tl.left == 0 { // none of its accounts or regions is in the configuration
		d.listed(tl, setting.Book)
	}
}

// listScope lists a scope once, for all tiers that can have members there.
func (d *Driver) listScope(ctx context.Context, setting Setting, scope fleet.Scope, tiers []*tierLook) {
	filters := make([]fleet.Filter, len(tiers))
	for i, tl := range tiers {
		filters[i] = tl.t.Filter
	}
	free, err := d.slot(ctx)
	if err != nil {
		return
	}
	seen := discover.List(ctx, setting.Cloud, discover.Request{
		Scopes: []fleet.Scope{scope}, TagKey: setting.Book.TagKey, Whole: map[fleet.Scope][]fleet.Filter{scope: filters},
	})
	free()
	if ctx.Err() != nil {
		return
	}
	for _, tl := range tiers {
		tl.mu.Lock()
		for i := range seen.Resources {
			if tl.w.Selects(tl.t, seen.Resources[i]) {
				tl.found = append(tl.found, seen.Resources[i])
			}
		}
		for _, gap := range seen.Gaps {
			tl.gap(gap)
		}
		tl.left--
		last := tl.left == 0
		tl.mu.Unlock()
		if last {
			d.listed(tl, setting.Book)
		}
	}
	d.wake()
}

// gap takes in what could not be listed. It is waited for where that passes, and where a member may be: the tier had one
// there, or names the place. What it can have no members of is no gap of it.
func (tl *tierLook) gap(gap discover.Gap) {
	waits, rest := gap, gap
	waits.Kinds, rest.Kinds = nil, nil
	for _, kind := range gap.Kinds {
		switch can, named := tl.w.Reach(tl.t, gap.Scope, kind); {
		case !can:
		case named, !lasts(gap.Err), slices.Contains(tl.home, workload.HomeOf(gap.Scope, kind)):
			waits.Kinds = append(waits.Kinds, kind)
		default:
			rest.Kinds = append(rest.Kinds, kind)
		}
	}
	if len(waits.Kinds) > 0 {
		tl.gaps = append(tl.gaps, waits.Said())
	}
	if len(rest.Kinds) > 0 {
		tl.unlisted = append(tl.unlisted, rest.Said())
	}
}

// listed hands a run the members of a tier. One that nothing was found of may be where nothing could be listed.
func (d *Driver) listed(tl *tierLook, book *policy.Book) {
	now := d.Clock.Now()
	if len(tl.found) == 0 {
		tl.gaps, tl.unlisted = append(tl.gaps, tl.unlisted...), nil
	}
	for _, list := range [...][]say.Text{tl.gaps, tl.unlisted} {
		slices.SortFunc(list, func(a, b say.Text) int { return cmp.Compare(a.String(), b.String()) })
	}
	listing := tl.w.Select(tl.t, tl.direction, tl.began, tl.found, tl.gaps, func(r fleet.Resource) (workload.Reason, say.Text) {
		return leftBy(book, r, tl.direction, now)
	})
	listing.Unlisted = tl.unlisted
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range tl.found {
		tl.l.seen[r.Ref] = r
	}
	delete(tl.l.looks, tl.key)
	tl.l.world.Listings[tl.t.Name], tl.l.news = listing, true
}

// leftBy says why the configuration or a person's decision keeps a member out of a run.
func leftBy(book *policy.Book, r fleet.Resource, direction workload.Direction, now time.Time) (workload.Reason, say.Text) {
	p := book.Governs(r)
	if p.Protected() {
		return workload.LeftProtected, say.F("filter %q", p.Filter)
	}
	for _, o := range book.Overrides {
		if o.Target.Resource == r.Ref && !now.Before(o.From) && now.Before(o.Until) && o.State != policy.WorkloadState(direction) {
			return workload.LeftOverridden, o.Said()
		}
	}
	return "", say.Text{}
}

// lookAt looks at members of one kind in one scope.
func (d *Driver) lookAt(ctx context.Context, from Cloud, at part, looks []look) {
	looks, ok := d.together(ctx, at, looks)
	if !ok {
		return
	}
	began := d.Clock.Now()
	list, err := d.list(ctx, from, at, ids(looks))
	d.unseen(ctx, fmt.Sprintf("members in %s", at.scope), err)
	byRef := map[fleet.Ref]fleet.Resource{}
	for _, r := range list {
		byRef[r.Ref] = r
	}
	if err == nil {
		err = d.addHealth(ctx, from, at, looks, byRef)
		d.unseen(ctx, fmt.Sprintf("the checks of members in %s", at.scope), err)
	}
	d.saw(looks, err, func(l *live, one *look) {
		r, exists := byRef[one.ref]
		if exists {
			l.seen[one.ref] = r
		}
		l.world.Members[one.ref] = workload.Sighting{At: began, Gone: !exists, Resource: r}
	})
}

// together waits for the turn of a look, and takes along what others want to see there by then; false: they took it along.
func (d *Driver) together(ctx context.Context, at part, looks []look) ([]look, bool) {
	d.mu.Lock()
	if d.queue == nil {
		d.queue, d.last = map[part][]look{}, map[part]time.Time{}
	}
	waiting, there := d.queue[at]
	d.queue[at] = append(waiting, looks...)
	left := d.last[at].Add(lookGap).Sub(d.Clock.Now())
	d.mu.Unlock()
	if there {
		return nil, false
	}
	if left = min(left, lookGap); left > 0 { // a clock that was set back puts nothing off
		_ = d.Clock.Sleep(ctx, left) // its end is seen by the call
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	looks = d.queue[at]
	delete(d.queue, at)
	d.last[at] = d.Clock.Now()
	return looks, true
}

func ids(looks []look) []string {
	set := map[string]bool{}
	for i := range looks {
		set[looks[i].ref.ID] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func (d *Driver) list(ctx context.Context, from Cloud, at part, ids []string) ([]fleet.Resource, error) {
	free, err := d.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer free()
	limited, cancel := context.WithTimeoutCause(ctx, lookTimeout, fmt.Errorf("no answer within %s", lookTimeout))
	defer cancel()
	return from.List(limited, at.scope, at.kind, cloud.Query{IDs: ids})
}

// addHealth asks for the provider's checks of those that need them and run.
func (d *Driver) addHealth(ctx context.Context, from Cloud, at part, looks []look, byRef map[fleet.Ref]fleet.Resource) error {
	var wanted []string
	for i := range looks {
		if r := byRef[looks[i].ref]; looks[i].health && r.State == fleet.Running && !slices.Contains(wanted, r.ID) {
			wanted = append(wanted, r.ID)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	free, err := d.slot(ctx)
	if err != nil {
		return err
	}
	defer free()
	limited, cancel := context.WithTimeoutCause(ctx, lookTimeout, fmt.Errorf("no answer within %s", lookTimeout))
	defer cancel()
	health, err := from.Health(limited, at.scope, at.kind, wanted)
	if errors.Is(err, cloud.ErrUnsupported) { // a kind without checks
		return nil
	}
	if err != nil {
		return err
	}
	for ref, r := range byRef {
		if h, ok := health[ref.ID]; ok {
			r.Health, r.HealthReason = h.State, h.Reason
			byRef[ref] = r
		}
	}
	return nil
}

func (d *Driver) lookAtPlaces(ctx context.Context, from Cloud, scope fleet.Scope, looks []look) {
	began := d.Clock.Now()
	var list []cloud.Membership
	err := d.within(ctx, func(ctx context.Context) (err error) {
		list, err = from.Memberships(ctx, scope, ids(looks))
		return err
	})
	d.unseen(ctx, fmt.Sprintf("the load balancers of members in %s", scope), err)
	by := map[string][]workload.Place{}
	for _, m := range list {
		by[m.Instance] = append(by[m.Instance], workload.Place{Group: m.Group, Classic: m.Classic, Port: m.Port})
	}
	d.saw(looks, err, func(l *live, one *look) {
		l.world.Places[one.ref] = workload.Registration{At: began, Places: by[one.ref.ID]}
	})
}

func (d *Driver) lookAtStandings(ctx context.Context, from Cloud, scope fleet.Scope, looks []look) {
	began := d.Clock.Now()
	var members []cloud.Membership
	for i := range looks {
		members = append(members, memberships(looks[i].ref, looks[i].places)...)
	}
	var list []cloud.Standing
	err := d.within(ctx, func(ctx context.Context) (err error) {
		list, err = from.Standing(ctx, scope, members)
		if err == nil && len(list) != len(members) {
			err = fmt.Errorf("asked for %d standings and got %d: %w", len(members), len(list), cloud.ErrTransient)
		}
		return err
	})
	d.unseen(ctx, fmt.Sprintf("how members stand in the load balancers of %s", scope), err)
	at := 0
	d.saw(looks, err, func(l *live, one *look) {
		s := workload.Standings{At: began, By: map[workload.Place]workload.Standing{}}
		for _, p := range one.places {
			s.By[p] = workload.Standing{State: workload.StandingState(list[at].State), Reason: list[at].Reason}
			at++
		}
		l.world.Standings[one.ref] = s
	})
}

// within makes a call that changes nothing in one of the slots, bounded.
func (d *Driver) within(ctx context.Context, do func(context.Context) error) error {
	free, err := d.slot(ctx)
	if err != nil {
		return err
	}
	defer free()
	limited, cancel := context.WithTimeoutCause(ctx, lookTimeout, fmt.Errorf("no answer within %s", lookTimeout))
	defer cancel()
	return do(limited)
}

// read hands runs the answer to checks; one that could not be had is an answer too.
func (d *Driver) read(looks []look, began time.Time, err error, answer func(one *look) workload.Reading) {
	d.saw(looks, nil, func(l *live, one *look) {
		r := workload.Reading{Unknown: true}
		if err != nil {
			r.Detail = say.Of(err)
		} else {
			r = answer(one)
		}
		r.At = began
		l.world.Readings[one.check.ID] = r
	})
}

func (d *Driver) countSessions(ctx context.Context, from Cloud, scope fleet.Scope, looks []look) {
	began := d.Clock.Now()
	var open map[string]int
	err := d.within(ctx, func(ctx context.Context) (err error) {
		open, err = from.Sessions(ctx, scope, ids(looks))
		return err
	})
	d.read(looks, began, err, func(one *look) workload.Reading {
		if n := open[one.ref.ID]; n > 0 {
			return workload.Reading{Detail: sessions(n)}
		}
		return workload.Reading{OK: true}
	})
}

func sessions(n int) say.Text { return say.N(n, "%d open session", "%d open sessions") }

func (d *Driver) askBackups(ctx context.Context, from Cloud, at part, looks []look) {
	began := d.Clock.Now()
	var busy map[string]string
	err := d.within(ctx, func(ctx context.Context) (err error) {
		busy, err = from.BackingUp(ctx, at.scope, at.kind, ids(looks))
		return err
	})
	d.read(looks, began, err, func(one *look) workload.Reading {
		what := busy[one.ref.ID]
		return workload.Reading{OK: what == "", Detail: say.Raw(what)}
	})
}

// tryGate tries a gate that is asked from outside.
func (d *Driver) tryGate(ctx context.Context, one look) {
	free, err := d.slot(ctx)
	if err != nil {
		return
	}
	defer free()
	began := d.Clock.Now()
	d.mu.Lock()
	r := one.l.seen[one.ref]
	d.mu.Unlock()
	reading := workload.Reading{}
	host, port := address(one.check.Gate, r)
	switch gate := one.check.Gate; {
	case host == "":
		reading.Detail = say.F("its address is not known; give the gate a host")
	case gate.Type == workload.GateTCP:
		if err = d.Probe.TCP(ctx, host, port); err == nil {
			reading.OK = true
		}
	default:
		var status int
		if status, err = d.Probe.HTTP(ctx, httpAddress(gate, host, port)); err == nil {
			reading.OK, reading.Detail = gate.Expect.Has(status), say.F("status %d", status)
		}
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		reading.Detail = say.Of(err)
	}
	d.read([]look{one}, began, nil, func(*look) workload.Reading { return reading })
}

// address is where a gate connects to: its own host, or the member's private address, or where the member is reached as a database; host is
// empty where none of them is known.
func address(gate *workload.Gate, r fleet.Resource) (host string, port int) {
	host, port = cmp.Or(gate.Host, r.PrivateIP), gate.Port
	if at, text, splitErr := net.SplitHostPort(r.Endpoint); splitErr == nil {
		host = cmp.Or(host, at)
		if number, err := strconv.Atoi(text); err == nil && gate.Host == "" {
			port = cmp.Or(port, number)
		}
	}
	if port == 0 && gate.Type == workload.GateHTTP {
		port = 80
	}
	return host, port
}

// httpsPorts are those at which TLS is spoken.
var httpsPorts = []int{443, 8443}

func httpAddress(gate *workload.Gate, host string, port int) string {
	scheme := "http"
	if slices.Contains(httpsPorts, port) {
		scheme = "https"
	}
	path, query, _ := strings.Cut(gate.Path, "?")
	u := url.URL{Scheme: scheme, Host: net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port)), Path: cmp.Or(path, "/"), RawQuery: query}
	return u.String()
}
