package awssim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Reserved is a Capacity Reservation of a fleet, or with Block a Capacity Block.
// What it holds is held beside the free places of Capacity.
type Reserved struct {
	Account string `yaml:"account"`
	Region  string `yaml:"region"`
	ID      string `yaml:"id,omitempty"` // cr- and 17 hexadecimal digits; default made up
	Type    string `yaml:"type"`
	Zone    string `yaml:"zone"`
	Count   int    `yaml:"count"`
	// Platform is Linux/UNIX, Tenancy default and Match open where they are not said; a block is targeted.
	Platform       string `yaml:"platform,omitempty"`
	Tenancy        string `yaml:"tenancy,omitempty"`
	Match          string `yaml:"match,omitempty"`
	PlacementGroup string `yaml:"placement_group,omitempty"`
	EBSOptimized   bool   `yaml:"ebs_optimized,omitempty"`
	// End is when it ends by itself; none: never. Start belongs to blocks and future-dated
	// ones, which are scheduled until then, Commitment to the latter.
	End        When              `yaml:"end,omitempty"`
	Start      When              `yaml:"start,omitempty"`
	Commitment Duration          `yaml:"commitment,omitempty"`
	Block      bool              `yaml:"block,omitempty"`
	Tags       map[string]string `yaml:"tags,omitempty"`
	Groups     []string          `yaml:"groups,omitempty"` // of AWS Resource Groups, by name, in which it is
}

func (f *Reserved) check(bad func(field, format string, args ...any), parts map[string]string) {
	if !isAccountID(f.Account) {
		bad("account", "%q is not an account: twelve digits, quoted", f.Account)
	}
	reg := regions[f.Region]
	switch p := parts[f.Account]; {
	case reg == nil:
		bad("region", "%q is not a region", f.Region)
	case p != "" && p != reg.partition:
		bad("region", "%s belongs to partition %s, account %s to %s", f.Region, reg.partition, f.Account, p)
	case !reg.hasZone(f.Zone):
		bad("zone", "%q is not a zone of %s: one of %s", f.Zone, f.Region, strings.Join(reg.zoneNames(), ", "))
	}
	if f.ID != "" && !idForm(f.ID, "cr-") {
		bad("id", "%q is not the id of a reservation: cr- and 8 or 17 hexadecimal digits", f.ID)
	}
	if instanceTypes[f.Type] == nil {
		bad("type", "%q is not an instance type the simulator knows", f.Type)
	}
	if f.Count < 1 || f.Count > maxPerScope {
		bad("count", "%d: must be between 1 and %d", f.Count, maxPerScope)
	}
	oneOf := func(field, v string, allowed ...string) {
		if !slices.Contains(allowed, v) {
			bad(field, "%q is not known: %s", v, strings.Join(allowed, ", "))
		}
	}
	oneOf("platform", cmp.Or(f.Platform, platforms[0]), platforms...)
	oneOf("tenancy", cmp.Or(f.Tenancy, "default"), "default", "dedicated")
	oneOf("match", cmp.Or(f.Match, "open"), "open", "targeted")
	if f.Block && (f.Start.IsZero() || f.End.IsZero()) {
		bad("block", "a Capacity Block has a start and an end")
	}
	if (f.Commitment != 0) != (!f.Start.IsZero() && !f.Block) {
		bad("commitment", "belongs to a future-dated reservation, as its start does")
	}
	if len(f.Tags) > maxTags {
		bad("tags", "%d tags: AWS allows %d", len(f.Tags), maxTags)
	}
	for key, v := range f.Tags {
		if e := checkTag(Tag{key, v}); e != nil {
			bad("tags", "%s", e.Message)
		}
	}
}

// odcrOf makes the reservation of an entry.
func (c *Cloud) odcrOf(s *scope, f *Reserved, now int64) (*odcr, error) {
	r := &odcr{s: s, id: f.ID, created: now, start: now, promised: f.Count, committed: int64(f.Commitment), block: f.Block, dated: f.Commitment != 0, groups: f.Groups}
	r.odcrShape = odcrShape{
		typ: instanceTypes[f.Type], zone: f.Zone, platform: cmp.Or(f.Platform, platforms[0]), tenancy: cmp.Or(f.Tenancy, "default"), match: cmp.Or(f.Match, "open"),
		placementGroup: f.PlacementGroup, ebsOptimized: f.EBSOptimized, total: f.Count, state: odcrActive, tags: sortedTags(&Resource{Tags: f.Tags}),
	}
	if r.id == "" {
		r.id = hex17("cr-", c.mint())
	}
	if f.Block {
		r.match = "targeted"
	}
	if !f.Start.IsZero() {
		if r.start = f.Start.instant(c.start).UnixNano(); r.start > now {
			r.state = odcrScheduled
		}
	}
	if !f.End.IsZero() {
		if r.end = f.End.instant(c.start).UnixNano(); r.end <= max(now, r.start) {
			return nil, fmt.Errorf("end: %s is past, or before its start", instant(r.end).Format(time.RFC3339))
		}
	}
	return r, nil
}

// hold enters a reservation of a fleet. The places that it holds, and those of
// what runs in it, are in no pool. The scope's lock is held.
func (c *Cloud) hold(r *odcr, now int64) {
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	c.reserved.Store(true)
	c.ledger.list(r, now)
	c.ledger.move(r, c.ledger.beside(r, r.free()))
}

// reservationIDs are those that exist in any scope.
func (c *Cloud) reservationIDs() map[string]bool {
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	ids := map[string]bool{}
	for _, list := range c.ledger.odcrs {
		for _, r := range list {
			ids[r.id] = true
		}
	}
	return ids
}

// describeReserved gives the entry of a fleet for each reservation that holds
// something, or will.
func (s *scope) describeReserved(now int64) []Reserved {
	s.c.poolMu.Lock()
	defer s.c.poolMu.Unlock()
	s.c.ledger.settle(now)
	var out []Reserved
	for _, r := range s.c.ledger.odcrs[s] {
		if r.ended() {
			continue
		}
		f := Reserved{
			Account: s.account.id, Region: s.region.name, ID: r.id, Type: r.typ.name, Zone: r.zone, Count: r.total, Platform: r.platform, Tenancy: r.tenancy, Match: r.match,
			PlacementGroup: r.placementGroup, EBSOptimized: r.ebsOptimized, Block: r.block, Commitment: Duration(r.committed), Tags: tagMap(r.tags), Groups: slices.Clone(r.groups),
		}
		if r.end != 0 {
			f.End = When{At: instant(r.end)}
		}
		if r.block || r.dated {
			f.Start = When{At: instant(r.start)}
		}
		out = append(out, f)
	}
	return out
}

// Reservation is the true state of a Capacity Reservation, free of staleness and faults.
type Reservation struct {
	ID, Account, Region, Zone, Type string
	State                           string
	Total, Free                     int
	End                             time.Time // zero: never by itself
	Tags                            map[string]string
	Groups                          []string // of AWS Resource Groups, by name
}

// Reservations gives the reservations of an account and region that are listed,
// ended ones included; an empty account or region means all.
func (c *Cloud) Reservations(account, region string) []Reservation {
	var out []Reservation
	now := c.Now().UnixNano()
	for _, s := range c.allScopes() {
		if account != "" && account != s.account.id || region != "" && region != s.region.name {
			continue
		}
		s.mu.Lock()
		c.poolMu.Lock()
		c.ledger.adopt(s, now)
		for _, r := range c.ledger.odcrs[s] {
			v := Reservation{ID: r.id, Account: s.account.id, Region: s.region.name, Zone: r.zone, Type: r.typ.name, State: r.state, Total: r.total, Free: r.free(), Tags: tagMap(r.tags), Groups: slices.Clone(r.groups)}
			if r.end != 0 {
				v.End = instant(r.end)
			}
			out = append(out, v)
		}
		c.poolMu.Unlock()
		s.mu.Unlock()
	}
	return out
}

// CancelReservation gives a reservation back as a person would.
func (c *Cloud) CancelReservation(id string) error {
	for _, s := range c.allScopes() {
		s.mu.Lock()
		c.poolMu.Lock()
		c.ledger.adopt(s, c.Now().UnixNano())
		r := c.ledger.find(s, id)
		live := r != nil && !r.ended()
		if live {
			c.ledger.finish(r, odcrCancelled, c.Now().UnixNano())
			c.ledger.adopt(s, c.Now().UnixNano())
		}
		c.poolMu.Unlock()
		s.mu.Unlock()
		if live {
			return nil
		}
	}
	return fmt.Errorf("cancel reservation %s: there is none that holds anything", id)
}

// SetCapacity replaces the pools that run short; a list with an entry that could
// not be meant is refused whole.
func (c *Cloud) SetCapacity(list []Capacity) error {
	seen := map[poolKey]bool{}
	for i := range list {
		var fault error
		list[i].check(func(field, format string, args ...any) {
			fault = cmp.Or(fault, fmt.Errorf("capacity %d: %s: "+format, append([]any{i + 1, field}, args...)...))
		})
		if fault != nil {
			return fault
		}
		key := poolKey{list[i].Zone, list[i].Type}
		if seen[key] {
			return fmt.Errorf("capacity %d: %s in %s is listed twice", i+1, key.typ, key.zone)
		}
		seen[key] = true
	}
	for _, p := range c.Capacity() {
		if !seen[poolKey{p.Zone, p.Type}] {
			c.LimitCapacity(p.Zone, p.Type, -1)
		}
	}
	for _, p := range list {
		c.LimitCapacity(p.Zone, p.Type, p.Free)
	}
	return nil
}

// Capacity gives the pools that run short, with what is free of them.
func (c *Cloud) Capacity() []Capacity {
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	c.ledger.settle(c.Now().UnixNano())
	return c.ledger.limits()
}

func (p *Capacity) check(bad func(field, format string, args ...any)) {
	if zoneRegion(p.Zone) == nil {
		bad("zone", "%q is not an availability zone, such as us-east-1a", p.Zone)
	}
	if instanceTypes[p.Type] == nil {
		bad("type", "%q is not an instance type the simulator knows", p.Type)
	}
	if p.Free < 0 {
		bad("free", "%d: must not be negative", p.Free)
	}
}

// ParseCapacity reads pools from YAML or JSON: a list as a fleet has it under capacity.
func ParseCapacity(data []byte) ([]Capacity, error) {
	var list []Capacity
	if err := decodeStrict(data, &list); err != nil {
		return nil, fmt.Errorf("capacity: %w", err)
	}
	return list, nil
}
