package awssim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Defaults of load balancers, as AWS has them.
const (
	defaultDraining    = 300 * time.Second
	longestDraining    = time.Hour
	defaultHealthCheck = 30 * time.Second
	longestHealthCheck = 300 * time.Second
	// mostMembersOfRota is AWS's quota of targets of a group, and of instances of a Classic load balancer.
	mostMembersOfRota = 1000
)

// rota is who takes turns behind a load balancer: what target groups and Classic
// load balancers have in common. Its scope's lock guards it.
type rota struct {
	members  []*rotaMember // in the order in which they came
	drains   int64         // for how long who is taken out is still shown
	interval int64         // of the health checks
	warmup   int64         // from running until the checks pass
	sick     []string      // ids, names or patterns of instances whose checks fail
}

// rotaMember is an instance in it, on a port where there are ports.
type rotaMember struct {
	id    string
	port  int
	since int64 // when it came
	left  int64 // when it was taken out; 0: it was not
}

// standing is how a member stands.
type standing int

const (
	standsHealthy standing = iota
	standsSick
	standsNew       // not checked yet
	standsLeaving   // its connections are let end
	standsElsewhere // its instance does not run
)

// tend forgets who has left, and instances that ended; the scope's lock is held.
func (r *rota) tend(s *scope, now int64) {
	r.members = slices.DeleteFunc(r.members, func(m *rotaMember) bool {
		i := s.byID[m.id]
		return i == nil || i.state(now) == terminated || m.left != 0 && now >= m.left+r.drains
	})
}

// find gives the member, nil where it never came or has gone.
func (r *rota) find(id string, port int) *rotaMember {
	at := slices.IndexFunc(r.members, func(m *rotaMember) bool { return m.id == id && m.port == port })
	if at < 0 {
		return nil
	}
	return r.members[at]
}

// enter puts an instance in, or back in when it was leaving.
func (r *rota) enter(id string, port int, now int64) {
	switch m := r.find(id, port); {
	case m == nil:
		r.members = append(r.members, &rotaMember{id: id, port: port, since: now})
	case m.left != 0:
		m.since, m.left = now, 0
	}
}

// leave takes an instance out.
func (r *rota) leave(s *scope, id string, port int, now int64) {
	if m := r.find(id, port); m != nil && m.left == 0 {
		m.left = now
		r.tend(s, now)
	}
}

// present counts who was not taken out.
func (r *rota) present() (n int) {
	for _, m := range r.members {
		if m.left == 0 {
			n++
		}
	}
	return n
}

// stands says how a member stands, and in which state its instance is.
func (r *rota) stands(s *scope, m *rotaMember, now int64) (standing, uint8) {
	i := s.byID[m.id]
	p := i.line.when(now)
	switch {
	case m.left != 0:
		return standsLeaving, p.state
	case p.state != running:
		return standsElsewhere, p.state
	case now < max(m.since, p.at)+r.interval && (m.since != always || p.at != always):
		return standsNew, p.state
	case globAny(r.sick, i.id), globAny(r.sick, i.name()), p.at != always && now < p.at+r.warmup:
		return standsSick, p.state
	}
	return standsHealthy, p.state
}

// rotaSpec is what target groups and Classic load balancers say in a fleet file
// beside their names.
type rotaSpec struct {
	account, region, name string
	count                 int
	drains                *Duration
	interval              Duration
	members               []string
}

func (r *rotaSpec) check(bad func(field, format string, args ...any), parts map[string]string) {
	if !isAccountID(r.account) {
		bad("account", "%q is not an account: twelve digits, quoted", r.account)
	}
	if reg := regions[r.region]; reg == nil {
		bad("region", "%q is not a region", r.region)
	} else if p := parts[r.account]; p != "" && p != reg.partition {
		bad("region", "%s belongs to partition %s, account %s to %s", r.region, reg.partition, r.account, p)
	}
	numbered := Resource{Count: r.count}
	if name := numbered.numbered(r.name, max(1, r.count)); !balancerNameForm.MatchString(name) {
		bad("name", "%q is not a name: 1 to 32 letters, digits and hyphens, none at its ends", r.name)
	}
	if r.count < 0 || r.count > maxBalancers {
		bad("count", "%d: must be between 1 and %d", r.count, maxBalancers)
	} else if r.count > 1 && !strings.Contains(r.name, "#") {
		bad("count", "%d cannot have one name: put # into it", r.count)
	}
	if r.drains != nil && time.Duration(*r.drains) > longestDraining {
		bad("draining", "%v: must be between 0 and %v", time.Duration(*r.drains), longestDraining)
	}
	if time.Duration(r.interval) > longestHealthCheck {
		bad("health_check_interval", "%v: must be at most %v", time.Duration(r.interval), longestHealthCheck)
	}
	if len(r.members) > mostMembersOfRota {
		bad("targets", "%d: AWS allows %d", len(r.members), mostMembersOfRota)
	}
}

// maxBalancers bounds the copies of one entry: AWS's quota of target groups of a region.
const maxBalancers = 3000

// rotaOf makes an empty rota.
func rotaOf(drains *Duration, interval, warmup Duration, sick []string) rota {
	r := rota{drains: int64(defaultDraining), interval: int64(cmp.Or(time.Duration(interval), defaultHealthCheck)), warmup: int64(warmup), sick: sick}
	if drains != nil {
		r.drains = int64(*drains)
	}
	return r
}

// instancesNamed are the instances of the scope that an entry names, by id, name or
// pattern of either; its lock is held.
func (s *scope) instancesNamed(pattern string) (ids []string) {
	for _, i := range s.instances {
		if glob(pattern, i.id) || glob(pattern, i.name()) {
			ids = append(ids, i.id)
		}
	}
	return ids
}

// settle puts the instances of a fleet's entry in, as if they had always been there.
func (r *rota) settle(s *scope, pattern string, port int, now int64) {
	for _, id := range s.instancesNamed(pattern) {
		if s.byID[id].state(now) != terminated && r.find(id, port) == nil {
			r.members = append(r.members, &rotaMember{id: id, port: port, since: always})
		}
	}
}

// elbPage cuts one page out of a list.
func elbPage[T any](k *call, all []T) (list []T, next string, e *Error) {
	size, e := k.p.number("PageSize", 400, 1, 400)
	if e != nil {
		return nil, "", e
	}
	after, e := k.cursor("Marker")
	if e != nil {
		return nil, "", e
	}
	from := min(int(after), len(all))
	to := min(from+size, len(all))
	if to < len(all) {
		next = k.token("Marker", uint64(to))
	}
	return all[from:to], next, nil
}

// checkRotas finds what would keep the target groups, Classic load balancers and
// backups of a fleet from being loaded beside its resources; the cloud's lock is held.
func (c *Cloud) checkRotas(f *Fleet) error {
	type place struct{ account, region string }
	names, databases := map[place][]string{}, map[place][]string{}
	for i := range f.Resources {
		r := &f.Resources[i]
		if len(f.TargetGroups)+len(f.ClassicBalancers)+len(f.Backups) == 0 {
			break
		}
		at := place{r.Account, r.Region}
		for n := 1; n <= max(1, r.Count); n++ {
			switch r.Kind {
			case "ec2":
				names[at] = append(names[at], r.ID, r.numbered(r.Name, n))
			case "rds", "rds_cluster":
				databases[at] = append(databases[at], r.numbered(cmp.Or(r.ID, r.Name), n))
			}
		}
	}
	for i := range f.Backups {
		b := &f.Backups[i]
		at := place{b.Account, b.Region}
		s := c.scopeLocked(c.accountLocked(b.Account), regions[b.Region])
		s.mu.Lock()
		known := len(s.instancesNamed(b.Of)) > 0 || slices.ContainsFunc(names[at], func(v string) bool { return v != "" && glob(b.Of, v) })
		if b.Kind == backupJob {
			known = known || slices.Contains(databases[at], b.Of) || s.dbByID[b.Of] != nil || s.clusterByID(b.Of) != nil
		}
		s.mu.Unlock()
		if !known {
			return fmt.Errorf("load fleet: backups[%d].of: there is no %q to back up in account %s, %s", i, b.Of, b.Account, b.Region)
		}
	}
	taken := map[string]bool{}
	examine := func(path, account, region, name string, count int, has func(*scope, string) bool, members []string) error {
		s := c.scopeLocked(c.accountLocked(account), regions[region])
		s.mu.Lock()
		defer s.mu.Unlock()
		numbered := Resource{Count: count}
		for n := 1; n <= max(1, count); n++ {
			one := numbered.numbered(name, n)
			key := path[:strings.IndexByte(path, '[')] + " " + account + " " + region + " " + one
			if taken[key] || has(s, one) {
				return fmt.Errorf("load fleet: %s.name: %s exists already in account %s, %s", path, one, account, region)
			}
			taken[key] = true
			for i, member := range members {
				pattern, _ := splitPort(numbered.numbered(member, n))
				if len(s.instancesNamed(pattern)) == 0 && !slices.ContainsFunc(names[place{account, region}], func(v string) bool { return v != "" && glob(pattern, v) }) {
					return fmt.Errorf("load fleet: %s.targets[%d]: there is no instance %q in account %s, %s", path, i, pattern, account, region)
				}
			}
		}
		return nil
	}
	for i := range f.TargetGroups {
		g := &f.TargetGroups[i]
		if err := examine(fmt.Sprintf("target_groups[%d]", i), g.Account, g.Region, g.Name, g.Count, func(s *scope, name string) bool { return s.targetGroups[name] != nil }, g.Targets); err != nil {
			return err
		}
	}
	for i := range f.ClassicBalancers {
		b := &f.ClassicBalancers[i]
		if err := examine(fmt.Sprintf("classic_load_balancers[%d]", i), b.Account, b.Region, b.Name, b.Count, func(s *scope, name string) bool { return s.classics[name] != nil }, b.Targets); err != nil {
			return err
		}
	}
	return nil
}

// Member is an instance behind a load balancer, as it truly stands.
type Member struct {
	Group    string // the name of the target group or Classic load balancer
	Instance string
	Port     int // 0: of a Classic load balancer
	State    string
}

var standings = [...]string{"healthy", "unhealthy", "initial", "draining", "unused"}

// Members gives who is behind the load balancers of an account and region, those
// that are being drained among them, by group and in the order in which they
// came. An empty account or region means all.
func (c *Cloud) Members(account, region string) []Member {
	var out []Member
	now := c.Now().UnixNano()
	for _, s := range c.allScopes() {
		if account != "" && account != s.account.id || region != "" && region != s.region.name {
			continue
		}
		s.mu.Lock()
		s.sweep(now)
		each := func(name string, r *rota, unused bool) {
			r.tend(s, now)
			for _, m := range r.members {
				stands, _ := r.stands(s, m, now)
				if unused && stands != standsLeaving {
					stands = standsElsewhere
				}
				out = append(out, Member{name, m.id, m.port, standings[stands]})
			}
		}
		for _, g := range s.sortedTargetGroups() {
			each(g.name, &g.rota, g.balancer == "")
		}
		for _, b := range s.sortedClassics() {
			each(b.name, &b.rota, false)
		}
		s.mu.Unlock()
	}
	return out
}
