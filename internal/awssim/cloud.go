package awssim

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultAccount answers for access keys that say nothing else.
const DefaultAccount = "111122223333"

// Options configure a simulator. The zero value is AWS as it is: real time, AWS's
// limits, nothing stale, nothing failing.
type Options struct {
	// Now is the base clock; default time.Now. Latency, fault delays and the
	// lifetimes of sessions and page tokens are measured on it, because that is
	// the clock of the clients.
	Now func() time.Time
	// Start is the simulated instant of New; default the base clock's.
	Start time.Time
	// Speed is how many simulated seconds pass in a base second; default 1.
	Speed float64
	// Limits are the token buckets; the zero value is AWSLimits.
	Limits Limits
	// Seed decides everything that looks like chance: ids, how long states take,
	// which calls a fault of some probability hits.
	Seed int64
	// Latency is added to every answer.
	Latency time.Duration
	// PageCap bounds the resources of one EC2 page whatever the client asks for,
	// also when it does not ask for pages; 0 leaves AWS's bounds.
	PageCap int
	// EventualConsistency is how long (simulated) a change may stay unseen by
	// listings; each change takes its own time up to this. 0: seen at once.
	EventualConsistency time.Duration
	// DefaultAccount answers for access keys that name no account; default
	// DefaultAccount.
	DefaultAccount string
	// StrictCredentials refuses access keys that are not in Keys, not twelve
	// digits of an account in the fleet and not from AssumeRole.
	StrictCredentials bool
	// Keys are access key ids and the accounts they belong to.
	Keys map[string]string
	// Durations replaces how long states take; see DefaultDurations.
	Durations map[string][2]time.Duration
	// Faults are in force from the start. New panics on one that SetFaults
	// would refuse: they are the program's, a file's go through ParseFaults.
	Faults []Fault
}

// maxPerScope bounds the instances or databases of one account and region, so
// that a client in a loop meets InstanceLimitExceeded before the machine's end.
const maxPerScope = 1 << 21

// Cloud is a simulated AWS. Its methods may be called from any goroutine.
type Cloud struct {
	opt       Options
	seed      int64
	clock     *clock
	start     time.Time
	services  map[string]*service
	durations map[string]span
	log       callLog

	mu       sync.RWMutex
	accounts map[string]*account
	scopes   map[scopeKey]*scope
	sessions map[string]*session
	images   map[string]*image
	// organization is nil where there is none.
	organization *Organization

	minted atomic.Uint64 // ids given out, all kinds

	bus bus

	publishedMu sync.Mutex
	published   []Published // to topics of SNS
	events      []PutEvent  // on buses of EventBridge

	faultMu sync.Mutex
	faults  []*faultState

	poolMu sync.Mutex
	ledger ledger
	// reserved: some instance may run in a reservation, or says something of them.
	reserved atomic.Bool
	reasons  []reason
}

type scopeKey struct{ account, region string }

// poolKey is a capacity pool.
type poolKey struct{ zone, typ string }

// reason is a state reason as DescribeInstances shows it.
type reason struct{ code, message string }

// Fixed reasons; further ones are added by faults.
const (
	noReason uint16 = iota
	userStop
	userHibernate
	userTerminate
)

// account is an AWS account.
type account struct {
	id        string
	name      string
	partition string // empty: whichever its regions belong to
	roles     map[string]*role
	optIn     map[string]bool // regions that are not on by default
	disabled  map[string]bool
	// declared by a fleet's accounts; unit and state are as there.
	declared    bool
	unit, state string
}

// role is an IAM role that can be assumed.
type role struct {
	name       string
	arn        string
	externalID string
	denied     bool
	maxSession time.Duration
	allow      []string // patterns service:Action; empty allows all
	deny       []string
}

// scope is everything of one account in one region.
type scope struct {
	c       *Cloud
	account *account
	region  *region
	net     network

	mu               sync.Mutex
	buckets          buckets
	seq              uint64
	instances        []*instance // by seq
	byID             map[string]*instance
	named            map[address]bool  // addresses that were chosen
	tokens           map[string]launch // client tokens of RunInstances
	leaving          int               // terminated instances still listed
	dbs              []*database       // by identifier
	dbByID           map[string]*database
	snapshots        map[string]*snapshot
	clusters         []*cluster // by identifier
	clusterSnapshots map[string]*clusterSnapshot
	groups           []*scalingGroup        // by name
	windows          []*window              // in the order in which they were made
	ecs              map[string]*ecsService // services of ECS, by cluster/name
	eks              map[string]*nodeGroup  // managed node groups of EKS, by cluster/name
	warehouses       []*warehouse           // of Redshift, by identifier
	notebooks        map[string]*notebook   // of SageMaker, by name in small letters
	alarms           map[string]*alarm      // of CloudWatch, by name
	targetGroups     map[string]*targetGroup
	commands         []*command                // of Systems Manager, in the order in which they were sent
	functions        map[string]*function      // of Lambda, by name
	pools            map[string]*ResourceGroup // of Resource Groups, by name
	topics           map[string]bool           // of SNS, by name
	buses            map[string]bool           // of EventBridge, by name, beside the default one; nil: none
	backups          []*backup
	classics         map[string]*classic // Classic load balancers, by name
	queues           map[string]*queue   // of SQS, by name; nil: none
	secrets          map[string]*secret  // of Secrets Manager, by name; nil: none
}

// New makes a simulator with no accounts but the default one. It panics when
// opt could not be meant: a negative speed, a greedy neighbour, an unknown duration, a fault that
// SetFaults refuses.
func New(opt Options) *Cloud {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Speed == 0 {
		opt.Speed = 1
	}
	if opt.Speed < 0 {
		panic(fmt.Sprintf("awssim: speed %v is negative", opt.Speed))
	}
	if opt.DefaultAccount == "" {
		opt.DefaultAccount = DefaultAccount
	}
	if opt.Limits.Table == nil {
		opt.Limits.Table = AWSLimits()
	}
	if opt.Limits.Scale == 0 {
		opt.Limits.Scale = 1
	}
	if n := opt.Limits.Neighbour; n < 0 || n >= 1 {
		panic(fmt.Sprintf("awssim: a neighbour that uses %v of the buckets: give 0 to less than 1", n))
	}
	c := &Cloud{opt: opt, seed: opt.Seed, clock: newClock(opt.Now, opt.Start, opt.Speed), services: services(), durations: map[string]span{}}
	for name, d := range DefaultDurations() {
		c.durations[name] = span{d[0], d[1]}
	}
	for name, d := range opt.Durations {
		if _, ok := c.durations[name]; !ok || d[0] < 0 || d[1] < d[0] {
			panic(fmt.Sprintf("awssim: duration %q %v: unknown, negative or out of order", name, d))
		}
		c.durations[name] = span{d[0], d[1]}
	}
	c.start = c.clock.now()
	c.Reset()
	if err := c.SetFaults(opt.Faults); err != nil {
		panic("awssim: " + err.Error())
	}
	return c
}

// DefaultDurations gives how long transitions take, shortest and longest. Each
// resource draws its own from the seed. The figures are everyday observations
// of AWS, not promises of it.
func DefaultDurations() map[string][2]time.Duration {
	return map[string][2]time.Duration{
		"ec2-pending":       {8 * time.Second, 20 * time.Second},
		"ec2-stopping":      {20 * time.Second, 40 * time.Second},
		"ec2-hibernating":   {40 * time.Second, 90 * time.Second},
		"ec2-shutting-down": {20 * time.Second, 50 * time.Second},
		"ec2-fall-back":     {3 * time.Second, 8 * time.Second},     // pending before it gives up
		"asg-notices":       {30 * time.Second, 90 * time.Second},   // a group, that a member is gone
		"ec2-initializing":  {120 * time.Second, 180 * time.Second}, // status checks after running
		"ecs-starting":      {20 * time.Second, 70 * time.Second},   // of a task: provisioning, pulling its image
		"ecs-stopping":      {5 * time.Second, 35 * time.Second},    // of a task: 30 s until it is killed
		"eks-updating":      {20 * time.Second, 90 * time.Second},   // the scaling of a node group
		"eks-deleting":      {3 * time.Minute, 8 * time.Minute},     // of a node group
		"rds-creating":      {4 * time.Minute, 9 * time.Minute},
		"rds-starting":      {3 * time.Minute, 8 * time.Minute},
		"rds-stopping":      {2 * time.Minute, 6 * time.Minute},
		"rds-deleting":      {2 * time.Minute, 5 * time.Minute},
		"rds-rebooting":     {30 * time.Second, 90 * time.Second},
		"rds-snapshot":      {1 * time.Minute, 4 * time.Minute},
		"redshift-pausing":  {3 * time.Minute, 9 * time.Minute}, // its snapshot first
		"redshift-resuming": {4 * time.Minute, 12 * time.Minute},
		"notebook-pending":  {2 * time.Minute, 5 * time.Minute}, // a machine, its volume, the lifecycle script
		"notebook-stopping": {1 * time.Minute, 3 * time.Minute},
		"odcr-pending":      {},                          // AWS answers a reservation as active as a rule, and says that it can take minutes to be shown so
		"odcr-assessing":    {time.Hour, 24 * time.Hour}, // of a future-dated reservation
	}
}

// Now is the simulated time.
func (c *Cloud) Now() time.Time { return c.clock.now() }

// Start is the simulated time at which the simulator was made.
func (c *Cloud) Start() time.Time { return c.start }

// Speed is how many simulated seconds pass in a second.
func (c *Cloud) Speed() float64 { return c.clock.rate() }

// SetSpeed changes the speed from now on; 0 stops the clock.
func (c *Cloud) SetSpeed(speed float64) error {
	if !(speed >= 0 && speed <= 1e6) {
		return fmt.Errorf("speed %v: must be between 0 and 1000000", speed)
	}
	c.clock.rebase(speed, 0)
	return nil
}

// Advance moves simulated time forward and gives the new time.
func (c *Cloud) Advance(d time.Duration) (time.Time, error) {
	if d < 0 {
		return c.Now(), fmt.Errorf("advance by %v: simulated time does not go back", d)
	}
	return c.clock.rebase(c.clock.rate(), d), nil
}

// Reset forgets accounts, resources, sessions, capacity and calls. Clock,
// limits and faults stay.
func (c *Cloud) Reset() {
	c.silence()
	c.mu.Lock()
	c.accounts, c.scopes, c.sessions = map[string]*account{}, map[scopeKey]*scope{}, map[string]*session{}
	c.images, c.organization = wellKnownImages(), nil
	c.mu.Unlock()
	c.poolMu.Lock()
	c.ledger = newLedger()
	c.reasons = []reason{
		noReason:      {},
		userStop:      {"Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"},
		userHibernate: {"Client.UserInitiatedHibernate", "Client.UserInitiatedHibernate: User initiated hibernate"},
		userTerminate: {"Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"},
	}
	c.poolMu.Unlock()
	c.publishedMu.Lock()
	c.published, c.events = nil, nil
	c.publishedMu.Unlock()
	c.account(c.opt.DefaultAccount)
	for _, id := range c.opt.Keys {
		c.account(id)
	}
	c.ResetCalls()
}

// account finds or makes an account.
func (c *Cloud) account(id string) *account {
	if a := c.lookAccount(id); a != nil {
		return a
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accountLocked(id)
}

func (c *Cloud) accountLocked(id string) *account {
	a := c.accounts[id]
	if a == nil {
		a = &account{id: id, optIn: map[string]bool{}, disabled: map[string]bool{}}
		c.accounts[id] = a
	}
	return a
}

func (c *Cloud) lookAccount(id string) *account {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.accounts[id]
}

// scope finds or makes the scope of an account and region.
func (c *Cloud) scope(a *account, r *region) *scope {
	key := scopeKey{a.id, r.name}
	c.mu.RLock()
	s := c.scopes[key]
	c.mu.RUnlock()
	if s != nil {
		return s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.scopeLocked(a, r)
}

func (c *Cloud) scopeLocked(a *account, r *region) *scope {
	key := scopeKey{a.id, r.name}
	s := c.scopes[key]
	if s == nil {
		s = &scope{
			c: c, account: a, region: r, net: newNetwork(c.seed, a.id, r),
			buckets: buckets{}, byID: map[string]*instance{}, named: map[address]bool{}, dbByID: map[string]*database{},
			tokens: map[string]launch{}, snapshots: map[string]*snapshot{}, ecs: map[string]*ecsService{}, notebooks: map[string]*notebook{}, eks: map[string]*nodeGroup{}, alarms: map[string]*alarm{},
			clusterSnapshots: map[string]*clusterSnapshot{}, targetGroups: map[string]*targetGroup{}, classics: map[string]*classic{},
			functions: map[string]*function{}, pools: map[string]*ResourceGroup{}, topics: map[string]bool{},
		}
		c.scopes[key] = s
	}
	return s
}

// allScopes gives the scopes ordered by account and region.
func (c *Cloud) allScopes() []*scope {
	c.mu.RLock()
	out := make([]*scope, 0, len(c.scopes))
	for _, s := range c.scopes {
		out = append(out, s)
	}
	c.mu.RUnlock()
	slices.SortFunc(out, func(a, b *scope) int {
		if d := strings.Compare(a.account.id, b.account.id); d != 0 {
			return d
		}
		return strings.Compare(a.region.name, b.region.name)
	})
	return out
}

// mint gives a number that no other id has used.
func (c *Cloud) mint() uint64 {
	return hash(c.seed, "id", c.minted.Add(1))
}

// lasts is how long a transition of one resource takes.
func (c *Cloud) lasts(name, id string, at int64) int64 {
	return int64(c.durations[name].pick(hash(c.seed, name, id, at)))
}

// reasonIndex finds or adds a state reason.
func (c *Cloud) reasonIndex(code, message string) uint16 {
	r := reason{code, message}
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	if i := slices.Index(c.reasons, r); i >= 0 {
		return uint16(i)
	}
	if len(c.reasons) >= 1<<15 { // more than any test tells apart
		return userStop
	}
	c.reasons = append(c.reasons, r)
	return uint16(len(c.reasons) - 1)
}

func (c *Cloud) reasonAt(i uint16) reason {
	c.poolMu.Lock()
	defer c.poolMu.Unlock()
	return c.reasons[i]
}
