package cloud

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dayshift/internal/fleet"
)

// Balancer moves instances in and out of load balancers. It paces its calls by
// itself, and asks the permit of the context before each that changes something.
type Balancer interface {
	// Memberships returns where the instances with the IDs are registered: target groups whose targets are
	// instances, and Classic load balancers. Ordered by instance, group and port. Who is being drained is on its way out and
	// no member any more: what was taken out is known from before. The answer is whole or it is an error.
	Memberships(ctx context.Context, scope fleet.Scope, ids []string) ([]Membership, error)
	// Standing says how members stand in their group, in the order given. With a group that is gone its members are out.
	Standing(ctx context.Context, scope fleet.Scope, members []Membership) ([]Standing, error)
	// Deregister takes members out; one that is not in is no error. Their connections are drained: Standing says Draining
	// until that is over. When it fails, some may be out; the same call may be made again.
	Deregister(ctx context.Context, scope fleet.Scope, members []Membership) error
	// Register puts members in; one that is in already is no error. Members whose instance is not running are refused: the
	// error then holds a *MemberError that names their instances, and the others are in. When it fails, some may be in; the
	// same call may be made again.
	Register(ctx context.Context, scope fleet.Scope, members []Membership) error
}

// Membership is one instance's place behind a load balancer.
type Membership struct {
	Instance string `json:"instance"`
	// Group is the ARN of a target group, or the name of a Classic load balancer.
	Group   string `json:"group"`
	Classic bool   `json:"classic,omitempty"`
	Port    int    `json:"port,omitempty"` // 0 for a Classic load balancer
}

// Standing is how a member stands in its group.
type Standing struct {
	State  StandingState `json:"state"`
	Reason string        `json:"reason,omitempty"` // in the provider's words
}

// StandingState is one word for how a member stands.
type StandingState string

// The states.
const (
	StandingHealthy   StandingState = "healthy"
	StandingUnhealthy StandingState = "unhealthy" // also where its instance does not run: it comes back by itself when that does
	StandingInitial   StandingState = "initial"   // registered, not checked yet
	StandingDraining  StandingState = "draining"  // its connections are let end
	StandingOut       StandingState = "out"       // not registered
	StandingUnused    StandingState = "unused"    // registered where nothing sends traffic: the group has no listener, or the zone is off
)

// Commander runs commands inside instances: AWS Systems Manager. It paces its calls by itself, and asks the permit of the
// context before each that starts something.
type Commander interface {
	// Send runs lines of a script on instances, at most CommandTargets, and returns the command's ID. Token goes
	// into the comment of the command: a command with the token that was sent after Since is not sent again, its ID is
	// returned. Where an instance cannot get it (it does not run, or has no agent) nothing is sent and the error is a
	// *MemberError that names those; one that runs and does not answer gets it later, or never.
	Send(ctx context.Context, scope fleet.Scope, command Command) (string, error)
	// Results says how a command stands on each of its instances. One on which it has not arrived yet is Pending, and so
	// is one that is not named: the provider takes a moment to know its own command.
	Results(ctx context.Context, scope fleet.Scope, id string) (map[string]CommandResult, error)
	// Reachable says which of the instances have an agent that is online.
	Reachable(ctx context.Context, scope fleet.Scope, ids []string) (map[string]bool, error)
	// Sessions counts the open Session Manager sessions of each of the instances; those without one are left out.
	Sessions(ctx context.Context, scope fleet.Scope, ids []string) (map[string]int, error)
}

// CommandTargets is how many instances one command can name (ssm SendCommand InstanceIds).
const CommandTargets = 50

// Command is a script to run inside instances.
type Command struct {
	IDs     []string
	Windows bool // PowerShell instead of a shell script
	Lines   []string
	// Timeout bounds the run on each instance, and how long the agent may take to fetch it; 30 s … 48 h.
	Timeout time.Duration
	Token   string
	Since   time.Time
}

// CommandResult is how a command stands on one instance.
type CommandResult struct {
	State  CommandState
	Exit   int    // of the script, meaningful when Done
	Output string // standard output, cut to the provider's 2,500 characters
	Detail string // in the provider's words: Undeliverable, DeliveryTimedOut …
}

// CommandState is one word for how a command stands.
type CommandState string

// The states.
const (
	CommandPending CommandState = "pending" // on its way or running
	CommandDone    CommandState = "done"    // it ran to its end, with an exit code
	CommandFailed  CommandState = "failed"  // it could not be run, or not to its end
)

// Invoker calls Lambda functions.
type Invoker interface {
	// Invoke calls a function, by name or ARN, and waits for its answer, at most for timeout. An error that the function
	// itself raised is a *FunctionError.
	Invoke(ctx context.Context, scope fleet.Scope, function string, payload []byte, timeout time.Duration) ([]byte, error)
}

// FunctionError is an error that a function raised.
type FunctionError struct{ Payload string }

func (e *FunctionError) Error() string { return "the function failed: " + e.Payload }

// BackupLister tells what is being backed up.
type BackupLister interface {
	// BackingUp says, of resources of a kind, which have a backup or snapshot under way, in the provider's words: EBS
	// snapshots that are pending, AWS Backup jobs that run, databases in the state backing-up. Those without one are left out.
	BackingUp(ctx context.Context, scope fleet.Scope, kind fleet.Kind, ids []string) (map[string]string, error)
}

// Publisher publishes to topics: Amazon SNS.
type Publisher interface {
	// Publish sends a message to a topic, by ARN, in the topic's own region. Its error names the topic.
	Publish(ctx context.Context, topic, subject, message string) error
}

// BusEvent is an event for a bus.
type BusEvent struct {
	Source, DetailType string
	Detail             string // a JSON object
	At                 time.Time
}

// EventBus takes events: Amazon EventBridge.
type EventBus interface {
	// PutEvent hands an event to a bus, by ARN, in the bus's own region. Its error names the bus.
	PutEvent(ctx context.Context, bus string, event BusEvent) error
}

// Words with which a script of FileTest tells whether the file is there.
const (
	FilePresent = "dayshift:present"
	FileAbsent  = "dayshift:absent"
)

// FileTest makes the lines of a script that says whether a file, or anything else,
// is at a path. The script ends well either way, so that a file that is not there is
// no failed command in anybody's eyes; FileThere reads what it said. A path that no
// script can hold is refused.
func FileTest(path string, windows bool) ([]string, error) {
	switch {
	case path == "":
		return nil, fmt.Errorf("test for a file: the path is empty: %w", ErrInvalid)
	case strings.ContainsFunc(path, unicode.IsControl) || !utf8.ValidString(path):
		return nil, fmt.Errorf("test for the file %q: a control character: %w", path, ErrInvalid)
	case strings.Contains(path, "{{"): // where Systems Manager fills in parameters
		return nil, fmt.Errorf("test for the file %q: {{ is not possible: %w", path, ErrInvalid)
	case windows:
		// PowerShell ends a text in single quotes at any of these, and takes two of them for one.
		quoted := strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(path)
		return []string{"if (Test-Path -LiteralPath '" + quoted + "') { '" + FilePresent + "' } else { '" + FileAbsent + "' }"}, nil
	}
	quoted := strings.ReplaceAll(path, "'", `'\''`)
	return []string{"if [ -e '" + quoted + "' ] || [ -L '" + quoted + "' ]; then echo " + FilePresent + "; else echo " + FileAbsent + "; fi"}, nil
}

// FileThere reads what a script of FileTest said; known is false where it did not
// say, because it did not run, or not to its end.
func FileThere(result CommandResult) (there, known bool) {
	if result.State != CommandDone || result.Exit != 0 {
		return false, false
	}
	switch strings.TrimSpace(result.Output) {
	case FilePresent:
		return true, true
	case FileAbsent:
		return false, true
	}
	return false, false
}
