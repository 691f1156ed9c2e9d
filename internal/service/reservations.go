package service

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/reservation"
	"dayshift/internal/savings"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// ReservationStatus is how a reservation stands: what is wanted, held and used,
// what it costs, and what comes next. It is as it was last looked at.
type ReservationStatus struct {
	Name  string      `json:"name"`
	Scope fleet.Scope `json:"scope"`
	// Seen is when what is held was last listed; zero: never.
	Seen time.Time `json:"seen,omitzero"`
	// Count is the target, Wanted is how many are wanted now, Held how many are held or coming, Used how many of them are
	// used by running instances, Short how many of Wanted are missing.
	Count  int `json:"count"`
	Wanted int `json:"wanted"`
	Held   int `json:"held"`
	Used   int `json:"used"`
	Short  int `json:"short"`
	// From and Until bound the window that is open, or comes next; Next is when what is wanted changes.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	Next  time.Time `json:"next,omitzero"`
	// Why is a word for what it does or waits for, Text a sentence; Due is when it is looked at again.
	Why  string    `json:"why"`
	Text say.Text  `json:"text,omitzero"`
	Due  time.Time `json:"due,omitzero"`
	Cost Cost      `json:"cost"`
	// Approval says why a second person has to approve it; empty: nobody has to. Approved: somebody has.
	Approval   say.Text `json:"approval,omitzero"`
	Approved   bool     `json:"approved"`
	ApprovedBy string   `json:"approved_by,omitempty"`
	// Places are the zones and types it may be held in, those of the reservation first, then the alternatives.
	Places []ReservationPlace `json:"places"`
	// Reservations are those in AWS, ended ones included as long as AWS shows them; Also is what others hold that the same instances could use.
	Reservations []HeldReservation `json:"reservations"`
	Also         []HeldReservation `json:"also"`
	// Unused is since when some of it has not been used; zero: all of it is.
	Unused time.Time `json:"unused,omitzero"`
	// Table: it is a row of the SQL table.
	Table bool `json:"table"`
	// Gone: it is no longer in the configuration, and what it holds is given back.
	Gone bool `json:"gone"`
}

// Cost is what a reservation costs by list price, in USD.
type Cost struct {
	// Held is what is held costs for an hour, Full what all of it would.
	Held float64 `json:"held"`
	Full float64 `json:"full"`
	// UntilEnd is what all of it costs from now, or its begin, to its end; 0 where it has no end.
	UntilEnd float64 `json:"until_end"`
	// Known: the price of every type is in the list. Basis says what prices these are.
	Known bool   `json:"known"`
	Basis string `json:"basis"`
}

// ReservationPlace is one instance type in one zone.
type ReservationPlace struct {
	Zone        string `json:"zone"`
	Type        string `json:"type"`
	Alternative bool   `json:"alternative"`
	// Wanted is its even share of what is wanted; what there is no room for is held in the others, then in the alternatives.
	Wanted int `json:"wanted"`
	Held   int `json:"held"`
	Used   int `json:"used"`
	// Full: AWS had no room there when it was last asked.
	Full bool `json:"full"`
}

// HeldReservation is a Capacity Reservation in AWS.
type HeldReservation struct {
	ID    string    `json:"id"`
	Zone  string    `json:"zone"`
	Type  string    `json:"type"`
	State string    `json:"state"`
	Total int       `json:"total"`
	Used  int       `json:"used"`
	End   time.Time `json:"end,omitzero"`
}

// maxMemories bounds the memories of reservations that are read.
const maxMemories = 100_000

// Capacity is all reservations, and what they may cost.
type Capacity struct {
	// Reservations are ordered by name, those of the table and those that are being given back included.
	Reservations []ReservationStatus `json:"reservations"`
	// Hourly is what everything held costs for an hour by list price, in USD; Unknown is how many are held whose price is not in the list.
	Hourly  float64 `json:"hourly"`
	Unknown int     `json:"unknown"`
	// The limits, in USD per hour; 0: none.
	MaxHourly           float64 `json:"max_hourly"`
	MaxHourlyPerAccount float64 `json:"max_hourly_per_account"`
	ApproveAbove        float64 `json:"approve_above"`
	Basis               string  `json:"basis"`
	// Bought is what was bought within the last 24 hours in all, Accounts the same by account.
	Bought   Bought          `json:"bought"`
	Accounts []AccountBought `json:"accounts"`
}

// Capacity tells how every reservation stands.
func (s *Service) Capacity(ctx context.Context) (Capacity, error) {
	list, err := s.reservations(ctx, "")
	if err != nil {
		return Capacity{}, err
	}
	day, err := s.day(ctx)
	if err != nil {
		return Capacity{}, err
	}
	rules, now := s.Config.Capacity, s.Now()
	c := Capacity{Reservations: list, MaxHourly: rules.MaxHourly, MaxHourlyPerAccount: rules.MaxHourlyPerAccount, ApproveAbove: rules.ApproveAbove, Basis: savings.PriceBasis}
	c.Bought, c.Accounts = bought(day, now, "", rules.Daily.All), boughtIn(day, now, list, rules.Daily.Account)
	for i := range list {
		c.Hourly += list[i].Cost.Held
		for _, place := range list[i].Places {
			if _, listed := reservation.PerHour(place.Type); !listed {
				c.Unknown += place.Held
			}
		}
	}
	return c, nil
}

// Reservation tells how one stands. *InputError where there is none.
func (s *Service) Reservation(ctx context.Context, name string) (ReservationStatus, error) {
	list, err := s.reservations(ctx, name)
	if err != nil {
		return ReservationStatus{}, err
	}
	if len(list) == 0 {
		objects, err := s.Objects(store.ReservationObject)
		if err != nil {
			return ReservationStatus{}, err
		}
		return ReservationStatus{}, noObject(store.ReservationObject, name, objects)
	}
	return list[0], nil
}

// reservations tells how those of a name stand; empty: all.
func (s *Service) reservations(ctx context.Context, name string) ([]ReservationStatus, error) {
	records, err := s.Store.Records(ctx, store.RecordQuery{Kind: store.ReservationMemory, Name: name, Limit: maxMemories})
	if err != nil {
		return nil, fmt.Errorf("read what is remembered of reservations: %w", err)
	}
	consents, err := s.Store.Objects(ctx, store.ApprovalObject)
	if err != nil {
		return nil, fmt.Errorf("read the approvals: %w", err)
	}
	memories := map[string]*reservation.Memory{}
	for i := range records {
		var m reservation.Memory
		if json.Unmarshal(records[i].Data, &m) == nil {
			memories[records[i].Name] = &m
		}
	}
	list := []ReservationStatus{}
	for _, r := range s.Config.Reservations {
		if name != "" && r.Name != name {
			continue
		}
		m := memories[r.Name]
		delete(memories, r.Name)
		list = append(list, s.reservationStatus(r, m, consents))
	}
	for other, m := range memories {
		r := s.rowOf(other, m)
		if r == nil {
			r = &reservation.Reservation{Name: other, Scope: fleet.Scope{Account: fleet.AccountID(m.Account), Region: fleet.Region(m.Region)}, Count: m.Wanted, Enabled: true, Gone: true}
			for _, zone := range reservation.Zones(m.Held) {
				r.Parts = append(r.Parts, zone.Part)
			}
		}
		list = append(list, s.reservationStatus(r, m, consents))
	}
	slices.SortFunc(list, func(a, b ReservationStatus) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// rowOf is the reservation of a row of the table, with the target that it had at
// the last look; nil: the name is no row's, or there is no table any more.
func (s *Service) rowOf(name string, m *reservation.Memory) *reservation.Reservation {
	part, isRow := reservation.RowPart(name)
	if !isRow || s.Config.Table == nil {
		return nil
	}
	return s.Config.Table.Reservation(part, m.Wanted)
}

// approvable finds what there is to approve: a reservation of the configuration, or a row of the table that was looked at.
func (s *Service) approvable(ctx context.Context, name string) (*reservation.Reservation, error) {
	if at := slices.IndexFunc(s.Config.Reservations, func(r *reservation.Reservation) bool { return r.Name == name }); at >= 0 {
		return s.Config.Reservations[at], nil
	}
	records, err := s.Store.Records(ctx, store.RecordQuery{Kind: store.ReservationMemory, Name: name, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("read what is remembered of the reservation: %w", err)
	}
	for i := range records {
		var m reservation.Memory
		if json.Unmarshal(records[i].Data, &m) != nil {
			continue
		}
		if r := s.rowOf(name, &m); r != nil {
			return r, nil
		}
	}
	objects, err := s.Objects(store.ReservationObject)
	if err != nil {
		return nil, err
	}
	return nil, noObject(store.ReservationObject, name, objects)
}

func (s *Service) reservationStatus(r *reservation.Reservation, m *reservation.Memory, consents []store.Object) ReservationStatus {
	now := s.Now()
	window := r.Window(now)
	status := ReservationStatus{
		Name: r.Name, Scope: r.Scope, Count: r.Count, Wanted: window.Wanted, From: window.From, Until: window.Until, Next: window.Next,
		Why: string(window.Why), Table: r.Table, Gone: r.Gone, Places: []ReservationPlace{}, Reservations: []HeldReservation{}, Also: []HeldReservation{},
	}
	if m == nil {
		m = &reservation.Memory{}
	} else {
		status.Seen, status.Why, status.Text, status.Due, status.Unused = m.Seen, string(m.Why), m.Text.Text, m.Until, m.Idle.Since
	}
	if r.Err != nil {
		status.Why, status.Text = string(reservation.SetAside), say.Raw(r.Err.Error())
	}
	status.Held, status.Used = reservation.Sum(m.Held)
	status.Short = max(0, status.Wanted-status.Held)
	status.Cost = costOf(r, m, window, now)
	if why := r.NeedsApproval(s.Config.Capacity); !why.Empty() {
		status.Approval = why
		for i := range consents {
			if consents[i].Name == r.Name && reservation.Consented(consents[i].Spec, r) {
				status.Approved, status.ApprovedBy = true, consents[i].Author
			}
		}
	}
	zones := reservation.Zones(m.Held)
	for i, part := range slices.Concat(r.Parts, r.Alternatives) {
		place := ReservationPlace{Zone: part.Zone, Type: part.Type, Alternative: i >= len(r.Parts)}
		if !place.Alternative {
			place.Wanted = (status.Wanted + len(r.Parts) - 1 - i) / len(r.Parts)
		}
		if at := slices.IndexFunc(zones, func(z reservation.ZoneSample) bool { return z.Part == part }); at >= 0 {
			place.Held, place.Used = zones[at].Held, zones[at].Used
		}
		size, refused := m.Round.Sizes[part.String()]
		place.Full = refused && size == 0
		status.Places = append(status.Places, place)
	}
	for i := range m.Held {
		status.Reservations = append(status.Reservations, heldOf(&m.Held[i]))
	}
	for i := range m.Also {
		status.Also = append(status.Also, heldOf(&m.Also[i]))
	}
	return status
}

func heldOf(h *reservation.Held) HeldReservation {
	return HeldReservation{ID: h.ID, Zone: h.Part.Zone, Type: h.Part.Type, State: h.State, Total: h.Total, Used: h.Used(), End: h.End}
}

func costOf(r *reservation.Reservation, m *reservation.Memory, window reservation.Window, now time.Time) Cost {
	c := Cost{Basis: savings.PriceBasis}
	var unknown int
	c.Held, unknown = reservation.CostOf(m.Held)
	c.Full, c.Known = r.Cost()
	c.Known = c.Known && unknown == 0
	if !window.Until.IsZero() && window.Until.After(now) {
		from := now
		if window.From.After(now) {
			from = window.From
		}
		c.UntilEnd = c.Full * window.Until.Sub(from).Hours()
	}
	return c
}

// ApprovalRequest is a second person's consent to what a reservation costs.
type ApprovalRequest struct {
	Name   string
	Author string
}

// ApprovalAnswer is what was approved.
type ApprovalAnswer struct {
	Name     string `json:"name"`
	Count    int    `json:"count"`
	Cost     Cost   `json:"cost"`
	Author   string `json:"author"`
	Approval string `json:"approval"` // why it had to be
	Saved    bool   `json:"saved"`    // false: it was approved already
}

// ApproveReservation notes that a second person wants what a reservation costs.
// *ForbiddenError for whoever changed it last, *InputError where there is nothing to approve.
func (s *Service) ApproveReservation(ctx context.Context, request ApprovalRequest) (ApprovalAnswer, error) {
	author, err := words("author", request.Author, maxAuthor)
	if err != nil {
		return ApprovalAnswer{}, err
	}
	if author == "" {
		return ApprovalAnswer{}, inputErrorF("who approves this? it needs an author")
	}
	r, err := s.approvable(ctx, request.Name)
	if err != nil {
		return ApprovalAnswer{}, err
	}
	why := r.NeedsApproval(s.Config.Capacity)
	switch {
	case r.Err != nil:
		return ApprovalAnswer{}, inputErrorF("reservation %q is set aside: %v", r.Name, r.Err)
	case why.Empty():
		return ApprovalAnswer{}, inputErrorF("reservation %q needs nobody's approval", r.Name)
	case r.Author != "" && samePerson(r.Author, author):
		return ApprovalAnswer{}, &ForbiddenError{tellF("reservation %q was last changed by %s: somebody else has to approve it", r.Name, r.Author)}
	}
	now := store.Instant(s.Now())
	hourly, _ := r.Cost()
	answer := ApprovalAnswer{Name: r.Name, Count: r.Count, Cost: costOf(r, &reservation.Memory{}, r.Window(now), now), Author: author, Approval: why.String()}
	held, err := s.Store.Objects(ctx, store.ApprovalObject)
	if err != nil {
		return ApprovalAnswer{}, fmt.Errorf("read the approvals: %w", err)
	}
	object := store.Object{Kind: store.ApprovalObject, Name: r.Name}
	for i := range held {
		if held[i].Name != r.Name {
			continue
		}
		if reservation.Consented(held[i].Spec, r) {
			answer.Author = held[i].Author
			return answer, nil
		}
		object = held[i]
	}
	if object.Spec, err = json.Marshal(reservation.Consent{Print: r.Print(), Count: r.Count, Hourly: hourly}); err != nil {
		return ApprovalAnswer{}, fmt.Errorf("encode the approval: %w", err)
	}
	object.Author, object.Changed = author, now
	row := store.Activity{
		At: now, Actor: author, Event: store.EventApproved, Name: r.Name, Schedule: r.Schedule, Reason: "second-person",
		Detail: fmt.Sprintf("%d of reservation %s are approved, %s an hour by list price: %s", r.Count, r.Name, reservation.USD(hourly), why),
	}
	row.Ref.Scope = r.Scope
	if _, err := s.Store.SaveObject(ctx, object, row); err != nil {
		return ApprovalAnswer{}, saving(err)
	}
	answer.Saved = true
	return answer, nil
}

// samePerson reports whether two authors are one person, with whatever key: NAME (KEY).
func samePerson(a, b string) bool {
	name := func(author string) string {
		if at := strings.LastIndex(author, " ("); at > 0 && strings.HasSuffix(author, ")") {
			author = author[:at]
		}
		return strings.ToLower(strings.TrimSpace(author))
	}
	return name(a) == name(b)
}

// endings refuses reservations that are over before they are made.
func (g *stage) endings() error {
	for _, e := range g.edits {
		if e.object.Kind != store.ReservationObject || e.did == Deleted || e.did == Unchanged {
			continue
		}
		for _, r := range g.after.Reservations {
			if r.Name == e.object.Name && !r.To.IsZero() && !r.To.After(g.now) {
				return inputErrorF("reservation %q ends at %s, which is in the past: nothing would ever be bought; give another to, or delete it", r.Name, stamp(r.To))
			}
		}
	}
	return nil
}

// costs says what the reservations cost that differ, before anything is bought.
func (g *stage) costs() (notes []say.Text) {
	before := map[string]*reservation.Reservation{}
	for _, r := range g.before.Reservations {
		before[r.Name] = r
	}
	for _, r := range g.after.Reservations {
		was := before[r.Name]
		delete(before, r.Name)
		if r.Err != nil || was != nil && was.Err == nil && was.Print() == r.Print() && was.Enabled == r.Enabled {
			continue
		}
		notes = append(notes, costNote(r, r.Window(g.now), g.now))
		if most := g.after.Capacity.Daily.Most(); most > 0 && r.Enabled && r.Count > most {
			notes = append(notes, say.F("No more than %d may be bought within 24 hours, so reservation %s takes several days.", most, r.Name))
		}
		if !r.NeedsApproval(g.after.Capacity).Empty() {
			notes = append(notes, say.F("Reservation %s waits until a second person approves it: dayshift reservation approve %s", r.Name, r.Name))
		}
	}
	for _, r := range g.before.Reservations {
		if before[r.Name] != nil {
			notes = append(notes, say.F("What reservation %s holds is given back.", r.Name))
		}
	}
	return notes
}

// costNote says what a reservation costs.
func costNote(r *reservation.Reservation, window reservation.Window, now time.Time) say.Text {
	c := costOf(r, &reservation.Memory{}, window, now)
	switch {
	case !r.Enabled || r.Count == 0:
		return say.F("Reservation %s wants nothing, and what it holds is given back.", r.Name)
	case !c.Known:
		return say.F("Reservation %s holds %d; what that costs is not known, the price list does not have all of its types.", r.Name, r.Count)
	case c.UntilEnd > 0:
		return say.F("Reservation %s holds %d, which costs %s an hour by list price, used or not, and %s until its end at %s.", r.Name, r.Count, reservation.USD(c.Full), reservation.USD(c.UntilEnd), stamp(window.Until))
	}
	return say.F("Reservation %s holds %d, which costs %s an hour by list price, used or not, for as long as it is wanted.", r.Name, r.Count, reservation.USD(c.Full))
}

// reservation says how a reservation stands.
func (n *noter) reservation(ctx context.Context, name string) error {
	list, err := n.s.reservations(ctx, name)
	if err != nil {
		return err
	}
	for i := range list {
		status := &list[i]
		n.notef("%d are wanted now, %d are held and %d of them are used.", status.Wanted, status.Held, status.Used)
		if !status.Text.Empty() {
			n.notef("%s.", status.Text.Begin())
		}
		if !status.Next.IsZero() {
			n.notef("What is wanted changes at %s.", stamp(status.Next))
		}
	}
	for _, r := range n.loaded.Reservations {
		if r.Name == name {
			n.notes = append(n.notes, costNote(r, r.Window(n.now), n.now))
		}
	}
	return nil
}
