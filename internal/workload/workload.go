package workload

import (
	"slices"
	"time"

	"dayshift/internal/fleet"
)

// Workload is tiers of resources that start and stop in an order. Config builds
// it with every default filled in. It has a JSON form: a run keeps the
// definition that it was begun with.
type Workload struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Err tells why the workload can not be used; no run of it begins, and its members are unknown.
	Err error `json:"-"`
	// Schedule drives the workload as a whole; empty: runs are asked for by rules and people alone.
	Schedule string `json:"schedule,omitempty"`
	// Filter, Accounts and Regions narrow every tier; where they are empty they narrow nothing.
	Filter   fleet.Filter      `json:"filter,omitzero"`
	Accounts []fleet.AccountID `json:"accounts,omitempty"`
	Regions  []fleet.Region    `json:"regions,omitempty"`
	// Enabled: false is the kill switch. Nothing of it is started or stopped, by whomever.
	Enabled bool `json:"enabled"`
	// Profile is chosen where a start names none; empty: nothing is resized.
	Profile   string  `json:"profile,omitempty"`
	Overlap   Overlap `json:"overlap,omitempty"`
	OnFailure Failure `json:"on_failure,omitempty"`
	// Topic is the ARN of an SNS topic for its messages; empty: none.
	Topic string `json:"topic,omitempty"`
	// Tiers are ordered by name, which says nothing about the order in which they start.
	Tiers []Tier `json:"tiers"`
}

// Tier is a group of resources that start and stop together.
type Tier struct {
	Name     string            `json:"name"`
	Filter   fleet.Filter      `json:"filter"`
	Accounts []fleet.AccountID `json:"accounts,omitempty"`
	Regions  []fleet.Region    `json:"regions,omitempty"`
	// Profiles name the instance type of each scaling profile.
	Profiles map[string]string `json:"profiles,omitempty"`
	// DependsOn are the tiers that are ready before this one starts, StopDependsOn those that have stopped before this one
	// stops. Where no tier has either, see Order.
	DependsOn     []string `json:"depends_on,omitempty"`
	StopDependsOn []string `json:"stop_depends_on,omitempty"`
	Start         Half     `json:"start"`
	Stop          Half     `json:"stop"`
	// Ready: a started member is ready once all of them have passed. None: once it runs.
	Ready []Gate `json:"ready,omitempty"`
	// Vetoes are asked before a member is stopped.
	Vetoes []Veto `json:"vetoes,omitempty"`
	// Balancers: EC2 members are drained from their load balancers before they stop, and put back once they are up.
	Balancers bool `json:"balancers,omitempty"`
	// Bypass: these members are left out; so are those with the tag fleet.TagBypass.
	Bypass fleet.Filter `json:"bypass,omitzero"`
}

// Half is one direction of a tier.
type Half struct {
	// Sequence orders the tiers of a workload; nil: it has none. See Order.
	Sequence *int `json:"sequence,omitempty"`
	// Delay is waited after the tier, where it did something and a tier follows.
	Delay time.Duration `json:"delay,omitempty"`
	// Synchronous: one member after the other, each ready (or stopped) before the next begins.
	Synchronous bool `json:"synchronous,omitempty"`
	// AtOnce bounds how many members are on their way at once; 0: no bound.
	AtOnce int `json:"at_once,omitempty"`
	// Timeout is how long the tier may take, hooks included and the delay not. What is not done by then has failed.
	Timeout time.Duration `json:"timeout"`
	Before  []Hook        `json:"before,omitempty"`
	After   []Hook        `json:"after,omitempty"`
}

// Direction is what a run does.
type Direction string

// The directions.
const (
	Start Direction = "start"
	Stop  Direction = "stop"
)

// Opposite is the other direction.
func (d Direction) Opposite() Direction {
	if d == Start {
		return Stop
	}
	return Start
}

// Half gives a direction of the tier.
func (t *Tier) Half(d Direction) *Half {
	if d == Start {
		return &t.Start
	}
	return &t.Stop
}

// Tier finds a tier by name; nil where there is none.
func (w *Workload) Tier(name string) *Tier {
	at := slices.IndexFunc(w.Tiers, func(t Tier) bool { return t.Name == name })
	if at < 0 {
		return nil
	}
	return &w.Tiers[at]
}

// Usable reports whether runs of the workload may begin.
func (w *Workload) Usable() bool { return w.Err == nil && w.Enabled }

// Profiles are the names of its scaling profiles, in order.
func (w *Workload) Profiles() []string {
	var names []string
	for i := range w.Tiers {
		for name := range w.Tiers[i].Profiles {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Overlap says what becomes of a run that is asked for while one is under way.
type Overlap string

// The overlaps; empty is Skip.
const (
	Skip    Overlap = "skip"    // it does not take place, and that is said
	Queue   Overlap = "queue"   // it begins when the other has ended
	Replace Overlap = "replace" // the other is cancelled, then it begins
)

// Failure says what becomes of a run of which a tier has failed.
type Failure string

// The policies; empty is Hold.
const (
	Continue Failure = "continue" // go on as if the tier had not failed
	Hold     Failure = "hold"     // begin no other tier and wait for a person
	Undo     Failure = "undo"     // take back what the run has done, in the opposite order
)

// GateKind is what a gate looks at.
type GateKind string

// The kinds of gates.
const (
	GateState        GateKind = "state"         // the resource runs
	GateStatusChecks GateKind = "status-checks" // the provider's checks have passed, where the kind has any
	GateTargetHealth GateKind = "target-health" // healthy in every load balancer that it is registered with
	GateTCP          GateKind = "tcp"           // a port accepts a connection
	GateHTTP         GateKind = "http"          // a path answers with an expected status
	GateCommand      GateKind = "command"       // a script inside the member ends with 0 (EC2)
)

// Gate is one condition of being ready.
type Gate struct {
	Type GateKind `json:"type"`
	// Host stands in for the member's private address (tcp, http).
	Host string `json:"host,omitempty"`
	Port int    `json:"port,omitempty"`
	Path string `json:"path,omitempty"` // http; begins with a slash
	// Expect are the HTTP statuses that pass.
	Expect  Statuses `json:"expect,omitzero"`
	Lines   []string `json:"lines,omitempty"`   // command
	Windows bool     `json:"windows,omitempty"` // command: PowerShell
	// Timeout counts from when the member runs, for target-health from when it is registered. Interval is from one try to the next.
	Timeout  time.Duration `json:"timeout"`
	Interval time.Duration `json:"interval"`
}

// Statuses are the HTTP statuses From … To.
type Statuses struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Has reports whether a status is one of them.
func (s Statuses) Has(status int) bool { return s.From <= status && status <= s.To }

// VetoKind is whom a veto asks.
type VetoKind string

// The kinds of vetoes.
const (
	VetoFile     VetoKind = "file"     // a file exists inside the member (EC2)
	VetoSessions VetoKind = "sessions" // a Session Manager session is open (EC2)
	VetoBackup   VetoKind = "backup"   // a backup or snapshot of it is under way
	VetoCommand  VetoKind = "command"  // a script inside the member does not end with 0 (EC2)
	VetoWebhook  VetoKind = "webhook"  // an address does not answer with 2xx
)

// Unknown says what is done with a member when a veto got no answer.
type Unknown string

// What an unanswered veto means; empty is Keep.
const (
	Keep   Unknown = "keep" // the member is not stopped
	StopIt Unknown = "stop"
)

// Veto is somebody who may forbid the stop of a member.
type Veto struct {
	Type    VetoKind `json:"type"`
	Path    string   `json:"path,omitempty"`    // file
	Windows bool     `json:"windows,omitempty"` // file, command
	Lines   []string `json:"lines,omitempty"`   // command
	URL     string   `json:"url,omitempty"`     // webhook
	// Timeout bounds the question. No answer by then is no answer: see Unknown.
	Timeout time.Duration `json:"timeout"`
	Unknown Unknown       `json:"unknown,omitempty"`
	// Limit: a member that was kept by vetoes for longer than this, run after run, is stopped all the same; 0: no limit.
	Limit time.Duration `json:"limit,omitempty"`
}

// HookKind is what a hook calls.
type HookKind string

// The kinds of hooks.
const (
	HookCommand HookKind = "command" // a script inside members (EC2)
	HookWebhook HookKind = "webhook"
	HookLambda  HookKind = "lambda"
)

// Per says how often a hook is called.
type Per string

// How often; empty is PerTier.
const (
	PerTier   Per = "tier"   // once; a command runs on the first member that runs
	PerMember Per = "member" // once for each member, all at once
)

// Hook is called before or after a tier.
type Hook struct {
	Type     HookKind      `json:"type"`
	Lines    []string      `json:"lines,omitempty"`    // command
	Windows  bool          `json:"windows,omitempty"`  // command
	URL      string        `json:"url,omitempty"`      // webhook
	Function string        `json:"function,omitempty"` // lambda: its ARN, which says where it is
	Timeout  time.Duration `json:"timeout"`
	// Veto: when it fails, so does the tier. Otherwise people are told.
	Veto    bool `json:"veto,omitempty"`
	OncePer Per  `json:"once_per,omitempty"`
}
