// Package aws is the cloud of package cloud on Amazon's API: credentials of many
// accounts, the three partitions, pacing, retries and the translation of error
// codes. What differs between kinds of resources lives in the folder kinds.
//
// What it guarantees:
//
//   - A listing is whole or an error. An answer that is not the operation's own
//     document (an HTML page, an empty body, another document) is an error and
//     never an empty listing.
//   - Every call is paced by a mirror of AWS's token buckets per account, region
//     and operation, so that alone it is never throttled. When it is throttled
//     all the same, because others use the account too, the mirror shrinks and
//     grows back slowly.
//   - Reading calls are tried again, a bounded number of times; calls that change
//     something are made once. The SDK's own retries, which lose actions under
//     throttling, are off.
//   - Credentials are those of the configured account or nothing is done: the
//     account is checked once before the first call.
//   - Every call has a time-out and every answer a bound.
//
// It holds no state but credentials, the mirror of the buckets and clients; two
// processes on one account each believe the whole bucket is theirs unless Share
// says otherwise.
package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

// Config is everything a Cloud needs. Only Accounts has no default.
type Config struct {
	// Accounts that may be used, each at most once. Where there are Organizations there may be none yet.
	Accounts []Account
	// Organizations that may be asked for their accounts, see Members.
	Organizations []Organization
	// Kinds are those that are listed and probed, any number of the registry's; none means all.
	Kinds []fleet.Kind
	// TagKey is the tag that names a schedule; Probe looks for an example that
	// carries it. Empty: any resource is an example.
	TagKey string
	// Windows: schedules name SSM maintenance windows, so Probe tries to list them.
	Windows bool
	// Alarms: schedules mute alarms, so Probe tries that.
	Alarms bool
	// Balancers, Commands and Backups: workloads need them, so Probe tries what of them can be tried.
	Balancers, Commands, Backups bool
	// Reservations are the scopes in which the configuration holds capacity: Probe tries that there.
	Reservations []fleet.Scope
	// Endpoint is the URL that takes the place of AWS's own addresses, for a
	// simulator. Empty: AWS_ENDPOINT_URL and its relatives as in every SDK, else AWS.
	Endpoint string
	// Transport carries the requests in place of the network, for a simulator in
	// the same process. nil: the network, with AWS_CA_BUNDLE and HTTPS_PROXY as in every SDK.
	Transport http.RoundTripper
	// Credentials are those at hand. nil: the SDK's standard chain (environment,
	// shared files, container, instance).
	Credentials Credentials
	// SessionDuration is how long sessions of assumed roles are to last, 15 minutes to 12 hours; 0 means an hour. An hour
	// is what a role gets that does not allow more.
	SessionDuration time.Duration
	// Share is the part of AWS's buckets that may be used, 0 < Share ≤ 1; 0 means 1.
	// Leave room for other tools of the account by a smaller one.
	Share float64
	// Pacer carries on the mirror of an earlier Cloud; nil makes a new one with
	// full buckets. Its clock and observer are the earlier Cloud's. Its share
	// becomes this Config's, for every Cloud that uses it; calls that wait for
	// room already go by it within half a minute.
	Pacer *Pacer
	// Now and Sleep are the clock; nil means the wall's. Sleep waits for d or until
	// ctx ends and then returns its cause.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	// Rand gives numbers in [0, 1) for jitter; nil means math/rand/v2.
	Rand func() float64
	// Observer hears of calls, for metrics.
	Observer Observer
}

// Observer hears what happens; each func may be nil and may be called from many
// goroutines at once.
type Observer struct {
	// Called: one attempt of a call ended, err translated, nil when it went well.
	Called func(scope fleet.Scope, operation kinds.Operation, took time.Duration, err error)
	// Throttled: AWS refused a call for the rate of calls.
	Throttled func(scope fleet.Scope, operation kinds.Operation)
	// Waited: a call waited this long for room in the mirror of the buckets.
	Waited func(scope fleet.Scope, operation kinds.Operation, d time.Duration)
}

// Account is an account and how to get into it.
type Account struct {
	ID fleet.AccountID
	// RoleARN is the role to assume there. Empty: the credentials at hand are the account's.
	RoleARN string
	// ExternalID is sent when the role is assumed; empty sends none.
	ExternalID string
	// SessionName shows up in the account's CloudTrail; 2 to 64 of A-Z a-z 0-9 _ = , . @ -.
	// Empty means DefaultSessionName.
	SessionName string
	// Regions to work in, at least one, all of one partition.
	Regions []fleet.Region
	// Profile names the profile of the shared AWS files whose credentials are
	// those at hand for this account: one partition's can not enter another.
	// Empty: the standard chain's own choice.
	Profile string
	// Credentials are those at hand for this account and go before any profile;
	// nil: Profile's, else Config.Credentials.
	Credentials Credentials
}

// DefaultSessionName names the sessions of assumed roles.
const DefaultSessionName = "dayshift"

var (
	rolePattern       = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):iam::([0-9]{12}):role/[\x21-\x7e]{1,576}$`)
	externalIDPattern = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
	sessionPattern    = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// externalIDMost is the longest external ID that STS takes.
const externalIDMost = 1224

// WithDefaults returns a copy with the defaults filled in.
func (c Config) WithDefaults() Config {
	if c.Share == 0 {
		c.Share = 1
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = clock.Real{}.Sleep
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	c.Accounts = slices.Clone(c.Accounts)
	for i := range c.Accounts {
		if c.Accounts[i].SessionName == "" {
			c.Accounts[i].SessionName = DefaultSessionName
		}
	}
	return c
}

// validate names every fault, with what is allowed.
func (c Config) validate() error {
	var faults []error
	if !(c.Share > 0 && c.Share <= 1) {
		faults = append(faults, fmt.Errorf("share %v: must be more than 0 and at most 1", c.Share))
	}
	for _, kind := range c.Kinds {
		if _, known := kinds.Find(kind); !known {
			faults = append(faults, fmt.Errorf("kind %q: not known", kind))
		}
	}
	if len(c.Accounts) == 0 && len(c.Organizations) == 0 {
		faults = append(faults, errors.New("no accounts: name at least one"))
	}
	seen := map[fleet.AccountID]bool{}
	for _, account := range c.Accounts {
		if seen[account.ID] {
			faults = append(faults, fmt.Errorf("account %s: named twice", account.ID))
		}
		seen[account.ID] = true
		faults = append(faults, account.Validate())
	}
	for i, organization := range c.Organizations {
		faults = append(faults, organization.validate(i))
	}
	return errors.Join(faults...)
}

// Validate reports every fault of the account, or nil.
func (a Account) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("account %s: "+format, append([]any{a.ID}, args...)...))
	}
	if _, err := fleet.ParseAccountID(string(a.ID)); err != nil {
		faults = append(faults, err)
	}
	if len(a.Regions) == 0 {
		fault("no regions: name at least one")
	}
	for i, region := range a.Regions {
		if _, err := fleet.ParseRegion(string(region)); err != nil {
			fault("%w", err)
		} else if first := a.Regions[0]; region.Partition() != first.Partition() {
			fault("regions %s (%s) and %s (%s): an account lives in one partition only", first, first.Partition(), region, region.Partition())
		}
		if slices.Contains(a.Regions[:i], region) {
			fault("region %s: named twice", region)
		}
	}
	if a.RoleARN != "" {
		switch part := rolePattern.FindStringSubmatch(a.RoleARN); {
		case part == nil:
			fault("role %q: expected arn:PARTITION:iam::ACCOUNT:role/NAME with partition aws, aws-cn or aws-us-gov", a.RoleARN)
		case part[2] != string(a.ID):
			fault("role %s: belongs to account %s", a.RoleARN, part[2])
		case len(a.Regions) > 0 && part[1] != string(a.Regions[0].Partition()):
			fault("role %s: is of partition %s, but region %s is of partition %s", a.RoleARN, part[1], a.Regions[0], a.Regions[0].Partition())
		}
	}
	if a.ExternalID != "" && (len(a.ExternalID) > externalIDMost || !externalIDPattern.MatchString(a.ExternalID)) {
		fault("external ID: expected 2 to 1224 of A-Z a-z 0-9 _ + = , . @ : / -") // a secret to some, so it is not quoted
	}
	if a.ExternalID != "" && a.RoleARN == "" {
		fault("external ID: only used with a role, and none is given")
	}
	if a.SessionName != "" && !sessionPattern.MatchString(a.SessionName) {
		fault("session name %q: expected 2 to 64 of A-Z a-z 0-9 _ + = , . @ -", a.SessionName)
	}
	return errors.Join(faults...)
}

// Cloud is Amazon's cloud. Its methods may be called from any goroutine.
type Cloud struct {
	config   Config
	pacer    *Pacer
	accounts map[fleet.AccountID]*account
	readers  []*account // from which the organizations are asked, in their order

	mu      sync.Mutex
	handles map[handleKey]kinds.Handle
	windows map[fleet.Scope]*kinds.Windows
	types   map[typeKey]cloud.TypeInfo // what was asked once does not change
}

type handleKey struct {
	scope fleet.Scope
	kind  fleet.Kind
}

var (
	_ cloud.Cloud        = (*Cloud)(nil)
	_ cloud.WindowLister = (*Cloud)(nil)

	_ cloud.SnapshotKeeper = (*Cloud)(nil)
	_ cloud.HealthLister   = (*Cloud)(nil)
)

// New checks the configuration. It makes no call: credentials are looked for
// when a scope is first used, so that one bad account holds back no other.
func New(config Config) (*Cloud, error) {
	config = config.WithDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("configure AWS: %w", err)
	}
	c := &Cloud{
		config: config, pacer: config.Pacer, accounts: map[fleet.AccountID]*account{},
		handles: map[handleKey]kinds.Handle{}, windows: map[fleet.Scope]*kinds.Windows{},
		types: map[typeKey]cloud.TypeInfo{},
	}
	if c.pacer == nil {
		c.pacer = newPacer(config)
	} else {
		c.pacer.setShare(config.Share)
	}
	shared := map[string]*baseConfig{} // by profile
	for _, a := range config.Accounts {
		c.accounts[a.ID] = &account{Account: a, cloud: c, base: c.base(a, shared), turn: make(chan struct{}, 1)}
	}
	c.openReaders(shared)
	return c, nil
}

// base is the configuration of the account's credentials at hand, shared by those with one profile.
func (c *Cloud) base(a Account, shared map[string]*baseConfig) *baseConfig {
	base := shared[a.Profile]
	if a.Credentials != nil {
		base = &baseConfig{config: c.config, region: a.Regions[0], credentials: a.Credentials}
	} else if base == nil {
		base = &baseConfig{config: c.config, region: a.Regions[0], profile: a.Profile, credentials: c.config.Credentials}
		shared[a.Profile] = base
	}
	if a.RoleARN == "" {
		base.home = cmp.Or(base.home, a.ID)
	}
	return base
}

// Pacer returns the mirror of the buckets, to be carried on by another Cloud.
func (c *Cloud) Pacer() *Pacer { return c.pacer }

// Kinds implements cloud.Lister.
func (c *Cloud) Kinds() []fleet.Kind {
	list := make([]fleet.Kind, 0, len(kinds.Registry))
	for _, row := range kinds.Registry {
		if c.listed(row.Kind) {
			list = append(list, row.Kind)
		}
	}
	return list
}

// listed reports whether the kind is one of the configuration.
func (c *Cloud) listed(kind fleet.Kind) bool {
	return len(c.config.Kinds) == 0 || slices.Contains(c.config.Kinds, kind)
}

// account returns the account of a configured scope.
func (c *Cloud) account(scope fleet.Scope) (*account, error) {
	a := c.accounts[scope.Account]
	if a == nil || !slices.Contains(a.Regions, scope.Region) {
		return nil, fmt.Errorf("scope %s is not configured: %w", scope, cloud.ErrInvalid)
	}
	return a, nil
}

// open returns the kind at work in the scope, with credentials that are good.
func (c *Cloud) open(ctx context.Context, scope fleet.Scope, kind fleet.Kind) (kinds.Handle, error) {
	a, err := c.account(scope)
	if err != nil {
		return kinds.Handle{}, err
	}
	row, known := kinds.Find(kind)
	if !known {
		return kinds.Handle{}, fmt.Errorf("kind %q is not known: %w", kind, cloud.ErrInvalid)
	}
	if _, err := a.credentials(ctx); err != nil {
		return kinds.Handle{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := handleKey{scope, kind}
	handle, open := c.handles[key]
	if !open {
		shared, err := a.base.load(ctx)
		if err != nil {
			return kinds.Handle{}, err
		}
		handle = row.Open(c.env(a, scope, shared))
		c.handles[key] = handle
	}
	return handle, nil
}

// openWindows returns the windows of the scope, with credentials that are good.
func (c *Cloud) openWindows(ctx context.Context, scope fleet.Scope) (*kinds.Windows, error) {
	a, err := c.account(scope)
	if err != nil {
		return nil, err
	}
	if _, err := a.credentials(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	windows := c.windows[scope]
	if windows == nil {
		shared, err := a.base.load(ctx)
		if err != nil {
			return nil, err
		}
		windows = kinds.OpenWindows(c.env(a, scope, shared))
		c.windows[scope] = windows
	}
	return windows, nil
}

// Tells implements cloud.Finder.
func (c *Cloud) Tells(kind fleet.Kind) bool {
	row, known := kinds.Find(kind)
	return known && row.TagType != ""
}

// Present implements cloud.Finder.
func (c *Cloud) Present(ctx context.Context, scope fleet.Scope, tagKey string, asked []fleet.Kind) ([]fleet.Kind, error) {
	a, err := c.account(scope)
	if err != nil {
		return nil, err
	}
	if _, err := a.credentials(ctx); err != nil {
		return nil, err
	}
	shared, err := a.base.load(ctx)
	if err != nil {
		return nil, err
	}
	return kinds.OpenFinder(c.env(a, scope, shared)).Present(ctx, tagKey, asked)
}

// Windows implements cloud.WindowLister.
func (c *Cloud) Windows(ctx context.Context, scope fleet.Scope, names []string) ([]cloud.Window, error) {
	if _, err := c.account(scope); err != nil || len(names) == 0 {
		return nil, err
	}
	windows, err := c.openWindows(ctx, scope)
	if err != nil {
		return nil, err
	}
	return windows.List(ctx, names)
}

// List implements cloud.Lister.
func (c *Cloud) List(ctx context.Context, scope fleet.Scope, kind fleet.Kind, query cloud.Query) ([]fleet.Resource, error) {
	handle, err := c.open(ctx, scope, kind)
	if err != nil {
		return nil, err // the caller knows what it asked to be listed
	}
	return handle.List(ctx, query)
}

// verb returns the row of a verb.
func (c *Cloud) verb(scope fleet.Scope, kind fleet.Kind, verb fleet.Verb) (kinds.Verb, error) {
	if _, err := c.account(scope); err != nil {
		return kinds.Verb{}, err
	}
	row, known := kinds.Find(kind)
	if !known {
		return kinds.Verb{}, fmt.Errorf("kind %q is not known: %w", kind, cloud.ErrInvalid)
	}
	how, can := row.Verbs[verb]
	if !can {
		return kinds.Verb{}, fmt.Errorf("%s cannot %s: %w", row.Title, verb, cloud.ErrUnsupported)
	}
	return how, nil
}

// Reserve implements cloud.Actor. What is in the bucket goes in one call, up to
// AWS's bound; of what has to wait, as much as comes back in two minutes goes
// together, at most two hundred; in half a minute while others wait too.
func (c *Cloud) Reserve(ctx context.Context, scope fleet.Scope, kind fleet.Kind, verb fleet.Verb, want int) (int, error) {
	if want < 1 {
		return 0, fmt.Errorf("reserve room for %d resources: at least 1: %w", want, cloud.ErrInvalid)
	}
	how, err := c.verb(scope, kind, verb)
	if err != nil {
		return 0, err
	}
	return c.pacer.take(ctx, scope, how.Operation, want, how.MaxBatch)
}

// Do implements cloud.Actor.
func (c *Cloud) Do(ctx context.Context, scope fleet.Scope, kind fleet.Kind, verb fleet.Verb, targets []cloud.Target) error {
	how, err := c.verb(scope, kind, verb)
	if err != nil {
		return err
	}
	if len(targets) < 1 || len(targets) > how.MaxBatch {
		return fmt.Errorf("%s %d of kind %s in one call: 1 to %d are possible: %w", verb, len(targets), kind, how.MaxBatch, cloud.ErrInvalid)
	}
	for _, target := range targets {
		if target.Scope != scope || target.Kind != kind {
			return fmt.Errorf("%s %s in a call for %s in %s: %w", verb, target.Ref, kind, scope, cloud.ErrInvalid)
		}
	}
	handle, err := c.open(ctx, scope, kind)
	if err != nil {
		c.pacer.answered(scope, how.Operation, len(targets), 0)
		return err
	}
	confirmed, err := handle.Do[verb](ctx, targets)
	c.settle(scope, how.Operation, len(targets), err)
	if err != nil {
		return blame(err, targets)
	}
	return unconfirmed(scope, how.Operation, targets, confirmed)
}

// settle tells the mirror what became of a call: a refusal touched nothing, and
// of a call without an answer nobody knows.
func (c *Cloud) settle(scope fleet.Scope, operation kinds.Operation, n int, err error) {
	var after cloud.RetryAfter
	switch {
	case errors.Is(err, cloud.ErrThrottled):
		var wait time.Duration
		if errors.As(err, &after) {
			wait = after.RetryAfter()
		}
		c.pacer.throttled(scope, operation, n, wait)
	case err == nil || errors.Is(err, cloud.ErrTransient):
		c.pacer.answered(scope, operation, n, n)
	default:
		c.pacer.answered(scope, operation, n, 0)
	}
}

// unconfirmed compares the batch with the ids that the answer names; nil ids
// come from operations whose answer names none.
func unconfirmed(scope fleet.Scope, operation kinds.Operation, targets []cloud.Target, confirmed []string) error {
	if confirmed == nil {
		return nil
	}
	named := make(map[string]bool, len(confirmed))
	for _, id := range confirmed {
		named[id] = true
	}
	var missing []string
	for _, target := range targets {
		if !named[target.ID] {
			missing = append(missing, target.ID)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &cloud.PartialError{IDs: missing, Err: fmt.Errorf("%s in %s: accepted, but the answer does not name %d of %d: %w",
		operation, scope, len(missing), len(targets), cloud.ErrTransient)}
}

// Health implements cloud.HealthLister.
func (c *Cloud) Health(ctx context.Context, scope fleet.Scope, kind fleet.Kind, ids []string) (map[string]cloud.Health, error) {
	handle, err := c.open(ctx, scope, kind)
	if err != nil {
		return nil, fmt.Errorf("read the health of %s: %w", kind, err)
	}
	if handle.Health == nil {
		return nil, fmt.Errorf("%s have no checks of their own: %w", kind, cloud.ErrUnsupported)
	}
	return handle.Health(ctx, ids)
}

// Replace implements cloud.SnapshotKeeper.
func (c *Cloud) Replace(ctx context.Context, scope fleet.Scope, kind fleet.Kind, resource fleet.Resource, snapshot string) error {
	handle, err := c.open(ctx, scope, kind)
	if err != nil {
		return fmt.Errorf("let go of snapshots of %s: %w", resource.ID, err)
	}
	if handle.Replace == nil {
		return fmt.Errorf("%s have no snapshots: %w", kind, cloud.ErrUnsupported)
	}
	return handle.Replace(ctx, resource, snapshot)
}

// ownTag is the prefix of the tags that may be written.
const ownTag = "dayshift:"

// Tag implements cloud.Tagger. Only keys that begin with dayshift: are written.
func (c *Cloud) Tag(ctx context.Context, scope fleet.Scope, kind fleet.Kind, resources []fleet.Resource, tags map[string]string) error {
	for key := range tags {
		if !strings.HasPrefix(key, ownTag) {
			return fmt.Errorf("tag key %q: only %s… is ours to write: %w", key, ownTag, cloud.ErrInvalid)
		}
	}
	if len(resources) == 0 || len(tags) == 0 {
		return nil
	}
	handle, err := c.open(ctx, scope, kind)
	if err != nil {
		return fmt.Errorf("tag %s: %w", kind, err)
	}
	return handle.Tag(ctx, resources, tags)
}
