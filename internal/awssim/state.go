package awssim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Instance is the true state of an EC2 instance, free of staleness and faults.
type Instance struct {
	ID, Name, Account, Region, Zone string
	Type                            string
	State                           string
	// Since is when the state began; zero when that was before the simulator.
	Since    time.Time
	Launched time.Time
	Reason   string // state reason code
	Tags     map[string]string
}

// Database is the true state of an RDS instance.
type Database struct {
	ID, ARN, Account, Region, Zone string
	Class, Engine                  string
	State                          string
	Since                          time.Time
	// Restart is when RDS starts a stopped database; zero otherwise.
	Restart time.Time
	Tags    map[string]string
}

func (s *scope) instanceNow(i *instance, now int64) Instance {
	p := i.line.when(now)
	return Instance{
		ID: i.id, Name: i.name(), Account: s.account.id, Region: s.region.name, Zone: i.zone, Type: i.typ.name, State: stateNames[p.state],
		Since: since(p), Launched: instant(i.launched), Reason: s.c.reasonAt(p.reason).code, Tags: tagMap(i.tags),
	}
}

func since(p *phase) time.Time {
	if p.at == always {
		return time.Time{}
	}
	return instant(p.at)
}

func tagMap(tags []Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

// holder finds the scope that has an instance and locks it.
func (c *Cloud) holder(id string) (*scope, *instance) {
	for _, s := range c.allScopes() {
		s.mu.Lock()
		s.tend(c.Now().UnixNano())
		if i := s.byID[id]; i != nil && !i.gone(c.Now().UnixNano()) {
			return s, i
		}
		s.mu.Unlock()
	}
	return nil, nil
}

// Instance gives an instance by id, whichever account and region it is in.
func (c *Cloud) Instance(id string) (Instance, bool) {
	s, i := c.holder(id)
	if s == nil {
		return Instance{}, false
	}
	defer s.mu.Unlock()
	return s.instanceNow(i, c.Now().UnixNano()), true
}

// Instances gives the instances of an account and region, terminated ones that
// are still listed included; an empty account or region means all.
func (c *Cloud) Instances(account, region string) []Instance {
	var out []Instance
	now := c.Now().UnixNano()
	for _, s := range c.allScopes() {
		if account != "" && account != s.account.id || region != "" && region != s.region.name {
			continue
		}
		s.mu.Lock()
		s.tend(now)
		for _, i := range s.instances {
			if !i.gone(now) {
				out = append(out, s.instanceNow(i, now))
			}
		}
		s.mu.Unlock()
	}
	return out
}

// Databases gives the databases of an account and region; an empty account or
// region means all.
func (c *Cloud) Databases(account, region string) []Database {
	var out []Database
	now := c.Now().UnixNano()
	for _, s := range c.allScopes() {
		if account != "" && account != s.account.id || region != "" && region != s.region.name {
			continue
		}
		s.mu.Lock()
		for _, d := range s.dbs {
			p := d.line.when(now)
			if p.state == dbGone {
				continue
			}
			v := Database{
				ID: d.id, ARN: s.dbARN("db", d.id), Account: s.account.id, Region: s.region.name, Zone: d.zone, Class: d.class, Engine: d.engine.name,
				State: dbStateNames[p.state], Since: since(p), Tags: tagMap(d.tags),
			}
			if at, ok := d.line.autoRestart(now); ok {
				v.Restart = instant(at)
			}
			out = append(out, v)
		}
		s.mu.Unlock()
	}
	return out
}

// Database gives one database.
func (c *Cloud) Database(account, region, id string) (Database, bool) {
	all := c.Databases(account, region)
	i := slices.IndexFunc(all, func(d Database) bool { return strings.EqualFold(d.ID, id) })
	if i < 0 {
		return Database{}, false
	}
	return all[i], true
}

// StartInstance starts an instance as a person at the console would: outside
// the buckets, the faults and the log.
func (c *Cloud) StartInstance(id string) error {
	return c.person(id, "start", func(s *scope, i *instance, now int64) bool {
		if i.state(now) != stopped || c.place(s, []*instance{i}, now) != nil {
			return false
		}
		c.boot(i, now)
		return true
	})
}

// StopInstance stops an instance as a person would.
func (c *Cloud) StopInstance(id string) error {
	return c.person(id, "stop", func(_ *scope, i *instance, now int64) bool {
		if i.state(now) != running {
			return false
		}
		c.stop(i, now, false)
		return true
	})
}

// ShutDownInstance shuts an instance down from inside: it stops, or ends where its
// shutdown behaviour says so.
func (c *Cloud) ShutDownInstance(id string) error {
	s, i := c.holder(id)
	if s == nil {
		return fmt.Errorf("shut down %s: there is no such instance", id)
	}
	ends := i.is&terminateOnShutdown != 0
	s.mu.Unlock()
	if ends {
		return c.TerminateInstance(id)
	}
	return c.StopInstance(id)
}

// TerminateInstance ends an instance as a person would.
func (c *Cloud) TerminateInstance(id string) error {
	s, i := c.holder(id)
	if s == nil {
		return fmt.Errorf("terminate %s: there is no such instance", id)
	}
	defer s.mu.Unlock()
	c.terminate(s, i, c.Now().UnixNano())
	return nil
}

// TagInstance sets tags of an instance; an empty value removes the tag.
func (c *Cloud) TagInstance(id string, tags map[string]string) error {
	return c.person(id, "tag", func(_ *scope, i *instance, now int64) bool {
		i.remember(now)
		next := slices.Clone(i.tags)
		for _, key := range slices.Sorted(maps.Keys(tags)) {
			next = slices.DeleteFunc(next, func(t Tag) bool { return t.Key == key })
			if tags[key] != "" {
				next = append(next, Tag{key, tags[key]})
			}
		}
		i.tags = next
		return true
	})
}

func (c *Cloud) person(id, what string, do func(s *scope, i *instance, now int64) bool) error {
	s, i := c.holder(id)
	if s == nil {
		return fmt.Errorf("%s %s: there is no such instance", what, id)
	}
	defer s.mu.Unlock()
	now := c.Now().UnixNano()
	if !do(s, i, now) {
		return fmt.Errorf("%s %s: it is %s, or its capacity pool is empty", what, id, stateNames[i.state(now)])
	}
	return nil
}

// StartDatabase starts a stopped database as a person would.
func (c *Cloud) StartDatabase(account, region, id string) error {
	return c.personDB(account, region, id, "start", dbStopped, c.startDB)
}

// StopDatabase stops an available database as a person would.
func (c *Cloud) StopDatabase(account, region, id string) error {
	return c.personDB(account, region, id, "stop", dbAvailable, c.stopDB)
}

func (c *Cloud) personDB(account, region, id, what string, from uint8, do func(*database, int64)) error {
	c.mu.RLock()
	s := c.scopes[scopeKey{account, region}]
	c.mu.RUnlock()
	if s == nil {
		return fmt.Errorf("%s database %s: account %s has nothing in %s", what, id, account, region)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := c.Now().UnixNano()
	d := s.dbByID[strings.ToLower(id)]
	switch {
	case d == nil || d.state(now) == dbGone:
		return fmt.Errorf("%s database %s: there is no such database in account %s, %s", what, id, account, region)
	case d.state(now) != from:
		return fmt.Errorf("%s database %s: it is %s", what, id, dbStateNames[d.state(now)])
	}
	do(d, now)
	return nil
}
