// Package reservation decides what is to be done so that on-demand capacity is
// held while it is wanted, and only then.
//
// A Reservation is an amount of one instance type in one zone or several, within
// a window. Window says how much of it is wanted at an instant. Next compares
// that with what the provider says is held, and gives one step: buy, grow,
// shrink, move the end, give back, or wait and why. It is a pure function of
// what it is given; whoever carries a step out notes in Memory what came of it
// and asks again, until the answer is to wait.
//
// What the provider lists is the truth. Memory does not count what was bought:
// it holds the one step that was begun and whose outcome is not known, what was
// written so lately that a listing may not show it yet, and what people were told.
//
// Guarantees: a purchase that may have gone through is only ever repeated with
// the same token; more than is wanted, than money or the day allows or than
// somebody approved is never asked for; what running instances use is kept unless the
// reservation says otherwise.
package reservation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/savings"
	"dayshift/internal/say"
)

// The tags by which what was bought is known again. Reservations without TagName are nobody's business here.
const (
	TagName  = "dayshift:reservation"       // the name of the reservation
	TagPart  = "dayshift:reservation-part"  // ZONE/TYPE
	TagToken = "dayshift:reservation-token" // what the purchase was asked for with: a listing does not tell the client token
)

// TablePrefix begins the names of the reservations that are rows of the SQL table: table/ZONE/TYPE.
const TablePrefix = "table/"

// RowPart is the part of the row that a name is of; false: it is no row's.
func RowPart(name string) (Part, bool) {
	key, isRow := strings.CutPrefix(name, TablePrefix)
	zone, kind, both := strings.Cut(key, "/")
	return Part{Zone: zone, Type: kind}, isRow && both
}

// MaxCount is the most that one reservation can be told to hold; MaxOne is how many instances AWS holds in one Capacity Reservation.
const (
	MaxCount = 10_000
	MaxOne   = 1_000
)

// Part is one instance type in one zone.
type Part struct {
	Zone string `json:"zone"`
	Type string `json:"type"`
}

// String is ZONE/TYPE, as it stands in the tag.
func (p Part) String() string { return p.Zone + "/" + p.Type }

// Attributes are what instances have to have to use the capacity.
type Attributes struct {
	Platform       string `json:"platform"`
	Tenancy        string `json:"tenancy"`
	Match          string `json:"match"`
	PlacementGroup string `json:"placement_group,omitempty"`
}

// Reservation is a reservation of the configuration, or of the table, ready for use.
type Reservation struct {
	Name  string
	Scope fleet.Scope
	// Parts are where Count is held, in all of them together, spread as evenly as can be; Alternatives take in their order
	// what these have no room for.
	Parts        []Part
	Alternatives []Part
	Count        int
	Attributes
	// EBSOptimized is what was asked for; nil: what the type has at no charge.
	EBSOptimized *bool

	// From and To bound the window; zero: no bound. Calendar, when not nil, is the schedule that says it instead, by the
	// name Schedule. It begins Lead earlier.
	From, To time.Time
	Schedule string
	Calendar *calendar.Schedule
	Lead     time.Duration

	Step        int           // how many are asked for at once
	Deadline    time.Duration // after the begin of the window, asking ends; 0: never
	ReleaseUsed bool
	Future      bool // made as a future-dated reservation
	Enabled     bool
	Tags        map[string]string
	Description string
	// ResourceGroup is the group into which what is held is put, by name; empty: none.
	ResourceGroup string

	// Created and Version are those of the object that it is, zero for the file and the table; Author made that version.
	Created time.Time
	Version int64
	Author  string
	// Table: it is a row of the SQL table.
	Table bool
	// Unread: what is wanted can not be read now, and Count is what it was last. Nothing is bought for it meanwhile.
	Unread bool
	// Gone: it is no longer in the configuration. What it holds is given back.
	Gone bool
	// Err says why it can not be used; what it holds is then left as it is.
	Err error
}

// Rules are what holds for all reservations.
type Rules struct {
	Interval  time.Duration // how often is asked again while short
	Resync    time.Duration // how often is compared at rest
	IdleAfter time.Duration
	SafetyEnd time.Duration
	// Limits in USD per hour; 0: none.
	MaxHourly, MaxHourlyPerAccount, ApproveAbove float64
	Daily                                        Daily
}

// guarded reports whether what it costs has to be known.
func (r Rules) guarded() bool {
	return r.MaxHourly > 0 || r.MaxHourlyPerAccount > 0 || r.ApproveAbove > 0
}

// PerHour is the list price of one instance of a type for an hour, in USD; false where the list does not have it.
func PerHour(instanceType string) (float64, bool) {
	return savings.PerHour(fleet.EC2Instance, instanceType)
}

// Cost is what it costs for an hour when all of it is held: with the dearest of
// its types where alternatives differ. known is false where the price of one is not known; that one is then left out.
func (r *Reservation) Cost() (perHour float64, known bool) {
	known = true
	dearest := 0.0
	for _, part := range r.all() {
		price, listed := PerHour(part.Type)
		known = known && listed
		dearest = max(dearest, price)
	}
	return dearest * float64(r.Count), known
}

// all are the parts and the alternatives.
func (r *Reservation) all() []Part { return slices.Concat(r.Parts, r.Alternatives) }

// NeedsApproval says why a second person has to approve the reservation before
// anything is bought for it; empty: nobody has to.
func (r *Reservation) NeedsApproval(rules Rules) say.Text {
	cost, known := r.Cost()
	switch {
	case r.Gone || r.Count == 0:
	case !known && rules.guarded():
		return say.F("the price of %s is not in the list, so nobody can tell what it costs", r.unlisted())
	case rules.ApproveAbove > 0 && cost > rules.ApproveAbove:
		return say.F("it costs %s an hour, more than the %s from which on a second person has to approve", USD(cost), USD(rules.ApproveAbove))
	}
	return say.Text{}
}

func (r *Reservation) unlisted() string {
	for _, part := range r.all() {
		if _, listed := PerHour(part.Type); !listed {
			return part.Type
		}
	}
	return ""
}

// USD writes an amount of money.
func USD(amount float64) string { return "USD " + strconv.FormatFloat(amount, 'f', 2, 64) }

// Print is a hash of everything about the reservation that money is spent by: an
// approval is for it, and counts no longer once it is another one.
func (r *Reservation) Print() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q %d %+v %d %d %q %d %v", r.Name, r.Scope, r.Parts, r.Alternatives, r.Count, r.Attributes, unix(r.From), unix(r.To), r.Schedule, r.Lead, r.Future)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Consent is what a second person approved, as it is kept.
type Consent struct {
	Print  string  `json:"print"`
	Count  int     `json:"count"`
	Hourly float64 `json:"hourly"` // what it cost by list price then, in USD; 0: not known
}

// Consented reports whether a consent is for the reservation as it is now.
func Consented(spec json.RawMessage, r *Reservation) bool {
	var c Consent
	return json.Unmarshal(spec, &c) == nil && c.Print == r.Print()
}

func unix(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

// token is what a purchase is asked for with: the same for the same intent.
func (r *Reservation) token(seq int64, part Part, count int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %d %q %d", r.Name, unix(r.Created), seq, part, count))
	return hex.EncodeToString(sum[:16])
}

// Window is what is wanted at an instant, and until when.
type Window struct {
	// Wanted is how many are to be held now.
	Wanted int
	// From and Until bound the time of wanting that the instant is in, or the next one; zero: without a bound, or none comes.
	From, Until time.Time
	// Next is when Wanted changes next; zero: never.
	Next time.Time
	Why  Reason
}

// maxMerged bounds the runs of a schedule that are taken as one window because the next begins within the lead.
const maxMerged = 1_000

// Window tells what is wanted at an instant.
func (r *Reservation) Window(now time.Time) Window {
	switch {
	case r.Gone:
		return Window{Why: Gone}
	case !r.Enabled:
		return Window{Why: Disabled}
	case r.Calendar != nil:
		return r.scheduled(now)
	}
	w := Window{Until: r.To, Why: Within}
	if !r.From.IsZero() {
		w.From = r.From.Add(-r.Lead)
	}
	switch {
	case !r.To.IsZero() && !now.Before(r.To):
		return Window{From: w.From, Until: w.Until, Why: Over}
	case now.Before(w.From):
		w.Next, w.Why = w.From, Before
	default:
		w.Wanted, w.Next = r.Count, r.To
	}
	return w
}

// scheduled is the window of a reservation that follows a schedule.
func (r *Reservation) scheduled(now time.Time) Window {
	begin := now
	if r.Calendar.Wanted(now).State != calendar.Running {
		next, ok := r.running(now)
		if !ok {
			return Window{Why: Over}
		}
		if begin = next; now.Before(begin.Add(-r.Lead)) {
			return Window{From: begin.Add(-r.Lead), Until: r.ends(begin), Next: begin.Add(-r.Lead), Why: Before}
		}
	}
	w := Window{Wanted: r.Count, Why: Within, Until: r.ends(begin)}
	if !begin.Equal(now) {
		w.From = begin.Add(-r.Lead)
	}
	w.Next = w.Until
	return w
}

// running is when the schedule wants running next, after an instant at which it does not.
func (r *Reservation) running(at time.Time) (time.Time, bool) {
	for range maxMerged {
		b, ok := r.Calendar.NextState(at)
		if !ok {
			return time.Time{}, false
		}
		if at = b.At; b.To.State == calendar.Running {
			return at, true
		}
	}
	return time.Time{}, false
}

// ends is when the time of wanting ends that an instant is in: the end of the
// run, unless the next one begins within the lead; zero: never.
func (r *Reservation) ends(at time.Time) time.Time {
	for range maxMerged {
		b, ok := r.Calendar.NextState(at)
		if !ok {
			return time.Time{}
		}
		if b.To.State == calendar.Running {
			at = b.At
			continue
		}
		again, ok := r.running(b.At)
		if !ok || again.Sub(b.At) > r.Lead {
			return b.At
		}
		at = again
	}
	return at
}

// Standing is how something held stands.
type Standing string

// The standings.
const (
	Active Standing = "active" // held, and paid for
	Coming Standing = "coming" // it will be held unless something happens
	Ended  Standing = "ended"  // expired, cancelled, failed
)

// Held is one Capacity Reservation of ours, as it was last listed.
type Held struct {
	ID       string   `json:"id"`
	Part     Part     `json:"part"`
	Standing Standing `json:"standing"`
	State    string   `json:"state"` // the provider's word
	Total    int      `json:"total"`
	Free     int      `json:"free"` // of them not in use
	Attributes
	EBSOptimized bool      `json:"ebs_optimized"`
	End          time.Time `json:"end,omitzero"`
	Token        string    `json:"token,omitempty"`
}

// Used is how many running instances use it.
func (h *Held) Used() int { return max(0, h.Total-h.Free) }

func (h *Held) live() bool { return h.Standing != Ended }

// suits reports whether what is held is what is wanted: else it is given back for what is.
func (r *Reservation) suits(h *Held) bool {
	return slices.Contains(r.all(), h.Part) && h.Attributes == r.Attributes && (r.EBSOptimized == nil || *r.EBSOptimized == h.EBSOptimized)
}

// Sum is how many are held or coming, and how many of them are used.
func Sum(held []Held) (total, used int) {
	for i := range held {
		if held[i].live() {
			total += held[i].Total
			used += held[i].Used()
		}
	}
	return total, used
}

// CostOf is what is held costs for an hour by list price, and how many are held whose price is not known.
func CostOf(held []Held) (perHour float64, unknown int) {
	for i := range held {
		if !held[i].live() {
			continue
		}
		if price, listed := PerHour(held[i].Part.Type); listed {
			perHour += price * float64(held[i].Total)
		} else {
			unknown += held[i].Total
		}
	}
	return perHour, unknown
}

// names writes parts with commas.
func names(parts []Part) string {
	words := make([]string, len(parts))
	for i := range parts {
		words[i] = parts[i].String()
	}
	return strings.Join(words, ", ")
}
