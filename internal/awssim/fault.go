package awssim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Fault is something that goes wrong. The first group of fields says which
// calls it concerns (empty: any; * and ? as in EC2 filters), Kind what happens.
type Fault struct {
	Service string `yaml:"service,omitempty" json:"service,omitempty"` // ec2, rds, ssm, sts
	Action  string `yaml:"action,omitempty" json:"action,omitempty"`
	Account string `yaml:"account,omitempty" json:"account,omitempty"`
	Region  string `yaml:"region,omitempty" json:"region,omitempty"`
	// Resource is an id that the call names (a role's ARN for AssumeRole); for the
	// kinds that concern single resources also an instance's Name.
	Resource string `yaml:"resource,omitempty" json:"resource,omitempty"`
	// Type and Zone narrow the kind capacity.
	Type string `yaml:"type,omitempty" json:"type,omitempty"`
	Zone string `yaml:"zone,omitempty" json:"zone,omitempty"`

	// Probability of a matching call (or resource) being hit; 0 means always.
	Probability float64 `yaml:"probability,omitempty" json:"probability,omitempty"`
	// Skip lets the first matches pass; Count ends the fault after so many hits.
	Skip  int `yaml:"skip,omitempty" json:"skip,omitempty"`
	Count int `yaml:"count,omitempty" json:"count,omitempty"`
	// From and Until bound it in simulated time: an instant (RFC 3339) or a
	// duration since the simulator's start.
	From  When `yaml:"from,omitempty" json:"from,omitzero"`
	Until When `yaml:"until,omitempty" json:"until,omitzero"`

	Kind FaultKind `yaml:"kind" json:"kind"`
	// Applied carries the action out before the fault hits: the client does not
	// learn that it worked. For the kinds of the answer.
	Applied bool `yaml:"applied,omitempty" json:"applied,omitempty"`
	// Code and Message are AWS's words: of the kinds error and error-200, of
	// cannot-start, and of the state reason that fall-back leaves.
	Code    string `yaml:"code,omitempty" json:"code,omitempty"`
	Message string `yaml:"message,omitempty" json:"message,omitempty"`
	Status  int    `yaml:"status,omitempty" json:"status,omitempty"` // 0: the code's own
	// For is how long delay waits (real time) and how old stale's news is
	// (simulated time): 90s, 10m.
	For Duration `yaml:"for,omitempty" json:"for,omitzero"`
}

// FaultKind is what a fault does.
type FaultKind string

// The kinds of faults.
const (
	// Of the answer, one for each call.
	FaultError       FaultKind = "error"        // Code, Message, Status
	FaultThrottle    FaultKind = "throttle"     // the service's throttling error
	FaultDenied      FaultKind = "denied"       // UnauthorizedOperation or AccessDenied
	FaultNotOptedIn  FaultKind = "not-opted-in" // the answer of a region that is not enabled
	FaultDelay       FaultKind = "delay"        // answers after For
	FaultHang        FaultKind = "hang"         // never answers, until the client gives up
	FaultReset       FaultKind = "reset"        // connection reset without an answer
	FaultUnreachable FaultKind = "unreachable"  // as if no one listened
	FaultCut         FaultKind = "cut"          // connection lost in the middle of the answer
	FaultGarbage     FaultKind = "garbage"      // 200 with bytes that mean nothing
	FaultErrorIn200  FaultKind = "error-200"    // 200 with an error document
	FaultHTML        FaultKind = "html"         // 502 (or Status) with a proxy's page
	FaultEmpty       FaultKind = "empty"        // 200 (or Status) with no body

	// Of starting instances, one for each resource (capacity: for each call).
	FaultCapacity    FaultKind = "capacity"     // InsufficientInstanceCapacity for Type in Zone
	FaultFallBack    FaultKind = "fall-back"    // accepted, pending, then stopped again
	FaultCannotStart FaultKind = "cannot-start" // refused, naming the id

	// Of status checks, one for each instance and call.
	FaultImpaired FaultKind = "impaired" // the instance's reachability has failed since it was running

	// Of listings, one for each resource or page.
	FaultStale       FaultKind = "stale"        // seen as it was For ago
	FaultMissing     FaultKind = "missing-item" // left out of the page
	FaultDuplicate   FaultKind = "duplicate-item"
	FaultTokenLoop   FaultKind = "token-loop" // the page repeats, with the token it was asked with
	FaultTokenExpire FaultKind = "token-expired"
	FaultShortPages  FaultKind = "short-pages" // pages of uneven size, empty ones included
)

// faultKinds lists the kinds and whether they concern the whole answer.
var faultKinds = map[FaultKind]bool{
	FaultError: true, FaultThrottle: true, FaultDenied: true, FaultNotOptedIn: true, FaultDelay: true,
	FaultHang: true, FaultReset: true, FaultUnreachable: true, FaultCut: true, FaultGarbage: true,
	FaultErrorIn200: true, FaultHTML: true, FaultEmpty: true,
	FaultCapacity: false, FaultFallBack: false, FaultCannotStart: false, FaultImpaired: false, FaultStale: false,
	FaultMissing: false, FaultDuplicate: false, FaultTokenLoop: false, FaultTokenExpire: false, FaultShortPages: false,
}

// When is an instant, or a time since the simulator's start.
type When struct {
	At    time.Time
	After time.Duration
}

// IsZero reports whether nothing was said.
func (w When) IsZero() bool { return w == When{} }

func (w When) String() string {
	switch {
	case !w.At.IsZero():
		return w.At.UTC().Format(time.RFC3339Nano)
	case w.After != 0:
		return w.After.String()
	}
	return ""
}

// MarshalText writes the form that UnmarshalText reads.
func (w When) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads an RFC 3339 instant or a duration.
func (w *When) UnmarshalText(b []byte) error {
	s := strings.TrimSpace(string(b))
	if s == "" {
		*w = When{}
		return nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		*w = When{At: t}
		return nil
	}
	d, err := parseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is neither an instant (2026-11-20T09:00:00Z) nor a time since the start (90s, 10m, 2h, 7d)", s)
	}
	*w = When{After: d}
	return nil
}

func (w When) instant(start time.Time) time.Time {
	if !w.At.IsZero() {
		return w.At
	}
	return start.Add(w.After)
}

// Duration is a time.Duration written as 90s, 10m, 2h or 7d.
type Duration time.Duration

// IsZero reports whether nothing was said.
func (d Duration) IsZero() bool { return d == 0 }

// MarshalText writes the form that UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a duration that is not negative.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := parseDuration(string(b))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

func parseDuration(s string) (time.Duration, error) {
	const century = 36500 * 24 // hours; keeps sums of instants within int64
	in, factor := s, int64(1)
	if n, ok := strings.CutSuffix(s, "d"); ok {
		s, factor = n+"h", 24
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d.Hours()*float64(factor) > century {
		return 0, fmt.Errorf("%q is not a duration: write 90s, 10m, 2h or 7d", in)
	}
	return time.Duration(int64(d) * factor), nil
}

// faultState is a fault with its history.
type faultState struct {
	Fault
	seen, hits int
}

// check refuses a fault that could not do what it says.
func (f *Fault) check() error {
	whole, ok := faultKinds[f.Kind]
	switch {
	case !ok:
		return fmt.Errorf("kind %q is not known: one of %s", f.Kind, strings.Join(kindNames(), ", "))
	case f.Probability < 0 || f.Probability > 1:
		return fmt.Errorf("probability %v: must be between 0 and 1", f.Probability)
	case f.Count < 0 || f.Skip < 0:
		return fmt.Errorf("count and skip must not be negative")
	case (f.Kind == FaultError || f.Kind == FaultErrorIn200) && f.Code == "":
		return fmt.Errorf("kind %s needs a code, such as InternalError", f.Kind)
	case (f.Kind == FaultDelay || f.Kind == FaultStale) != (f.For != 0):
		return fmt.Errorf("for (a duration such as 30s) belongs to the kinds delay and stale, and they need it")
	case f.Applied && !whole:
		return fmt.Errorf("applied belongs to the kinds that concern the answer, not to %s", f.Kind)
	case (f.Type != "" || f.Zone != "") && f.Kind != FaultCapacity:
		return fmt.Errorf("type and zone belong to the kind capacity")
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status %d: must be between 200 and 599", f.Status)
	}
	return nil
}

func kindNames() []string {
	var out []string
	for k := range faultKinds {
		out = append(out, string(k))
	}
	slices.Sort(out)
	return out
}

// ParseFaults reads faults from YAML or JSON: a list, or an object with the
// list under "faults". Errors give line and column.
func ParseFaults(data []byte) ([]Fault, error) {
	var list []Fault
	if strings.HasPrefix(strings.TrimSpace(stripComments(data)), "faults") {
		var doc struct {
			Faults []Fault `yaml:"faults"`
		}
		if err := decodeStrict(data, &doc); err != nil {
			return nil, fmt.Errorf("faults: %w", err)
		}
		list = doc.Faults
		return list, checkFaults(data, "$.faults", list)
	}
	if err := decodeStrict(data, &list); err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	return list, checkFaults(data, "$", list)
}

// stripComments drops leading comment lines and an opening brace, to see
// which of the two forms a document has.
func stripComments(data []byte) string {
	for line := range strings.Lines(string(data)) {
		l := strings.TrimLeft(line, " \t{\"")
		if t := strings.TrimSpace(l); t != "" && t[0] != '#' && t != "---" {
			return l
		}
	}
	return ""
}

func checkFaults(data []byte, path string, list []Fault) error {
	for i := range list {
		if err := list[i].check(); err != nil {
			return fmt.Errorf("faults: %s%w", newPlaces(data).of(fmt.Sprintf("%s[%d]", path, i)), err)
		}
	}
	return nil
}

// SetFaults replaces the faults in force; their counts start at zero. A list
// with a fault that could not do what it says is refused whole.
func (c *Cloud) SetFaults(list []Fault) error {
	states := make([]*faultState, len(list))
	for i, f := range list {
		if err := f.check(); err != nil {
			return fmt.Errorf("fault %d: %w", i+1, err)
		}
		states[i] = &faultState{Fault: f}
	}
	c.faultMu.Lock()
	defer c.faultMu.Unlock()
	c.faults = states
	return nil
}

// Faults gives the faults in force and how often each has hit.
func (c *Cloud) Faults() []FaultStatus {
	c.faultMu.Lock()
	defer c.faultMu.Unlock()
	out := make([]FaultStatus, len(c.faults))
	for i, f := range c.faults {
		out[i] = FaultStatus{Fault: f.Fault, Hits: f.hits}
	}
	return out
}

// FaultStatus is a fault with the number of its hits.
type FaultStatus struct {
	Fault
	Hits int `json:"hits"`
}

// matching gives the faults that concern the call, whole-answer kinds already
// narrowed by resource. Chance and counts are settled by hit.
func (c *Cloud) matching(k *call) []*faultState {
	c.faultMu.Lock()
	defer c.faultMu.Unlock()
	var out []*faultState
	for _, f := range c.faults {
		if !or(f.Service, k.serviceName) || !or(f.Action, k.actionName) || !or(f.Account, k.accountID) || !or(f.Region, k.regionName) {
			continue
		}
		if !f.From.IsZero() && k.now.Before(f.From.instant(c.start)) || !f.Until.IsZero() && !k.now.Before(f.Until.instant(c.start)) {
			continue
		}
		if faultKinds[f.Kind] && f.Resource != "" &&
			!slices.ContainsFunc(k.log.Resources, func(id string) bool { return glob(f.Resource, id) }) {
			continue
		}
		out = append(out, f)
	}
	return out
}

func or(pattern, s string) bool { return pattern == "" || glob(pattern, s) }

// hit decides by chance and count whether the fault takes effect now.
func (c *Cloud) hit(f *faultState) bool {
	c.faultMu.Lock()
	defer c.faultMu.Unlock()
	f.seen++
	if f.seen <= f.Skip || f.Count > 0 && f.hits >= f.Count {
		return false
	}
	if f.Probability > 0 && float64(hash(c.seed, "fault", string(f.Kind), f.Action, f.seen)>>11)/(1<<53) >= f.Probability {
		return false
	}
	f.hits++
	return true
}

// strikes reports whether a fault of the kind hits a single resource of the
// call, known by its id and name.
func (k *call) strikes(kind FaultKind, id, name string) *faultState {
	for _, f := range k.faults {
		if f.Kind != kind || f.Resource != "" && !glob(f.Resource, id) && (name == "" || !glob(f.Resource, name)) {
			continue
		}
		if k.c.hit(f) {
			k.log.Fault = string(kind)
			return f
		}
	}
	return nil
}

// hasFault tells cheaply whether strikes could find anything.
func (k *call) hasFault(kind FaultKind) bool {
	return slices.ContainsFunc(k.faults, func(f *faultState) bool { return f.Kind == kind })
}

// decodeStrict decodes YAML and refuses unknown keys. The parser is known to
// panic on some nonsense ("! 0"); that too is a fault of the file.
func decodeStrict(data []byte, into any) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the YAML cannot be read: the parser gave up (%v)", cause)
		}
	}()
	return yaml.UnmarshalWithOptions(data, into, yaml.Strict())
}
