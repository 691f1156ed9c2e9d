package cloud

import (
	"context"
	"time"

	"dayshift/internal/fleet"
)

// Reserver holds on-demand capacity: AWS's Capacity Reservations. It paces its
// calls by itself, and asks the permit of the context (WithPermit) before each.
type Reserver interface {
	// Reservations returns every reservation of the scope that the provider still
	// shows, ended ones included, ordered by ID. The answer is whole or it is an error.
	Reservations(ctx context.Context, scope fleet.Scope) ([]Reservation, error)
	// Reserve buys one reservation. The same token gives the same reservation, also
	// when the answer to an earlier call was lost; with other words it is refused as
	// ErrInvalid. Without capacity it fails with ErrInsufficientCapacity, whole:
	// nothing is held then.
	Reserve(ctx context.Context, scope fleet.Scope, order Order, token string) (Reservation, error)
	// Modify changes how many instances a reservation holds, and until when.
	// Growing fails with ErrInsufficientCapacity, whole.
	Modify(ctx context.Context, scope fleet.Scope, id string, change Change) error
	// Cancel gives a reservation back. One that has ended is no error.
	Cancel(ctx context.Context, scope fleet.Scope, id string) error
}

// Grouper puts what is held into groups of resources, which instances then
// name: AWS's resource groups of the type AWS::EC2::CapacityReservationPool.
type Grouper interface {
	// Groups returns the groups that a reservation is in, by name, ordered.
	Groups(ctx context.Context, scope fleet.Scope, id string) ([]string, error)
	// Group puts a reservation into a group, by name. One that is in it is no error;
	// a group that does not exist is ErrNotFound, one for other things ErrInvalid.
	Group(ctx context.Context, scope fleet.Scope, group, id string) error
}

// TypeReader tells of instance types.
type TypeReader interface {
	// TypeInfo tells of a type by name. One that the region does not have is ErrUnsupported.
	TypeInfo(ctx context.Context, scope fleet.Scope, name string) (TypeInfo, error)
}

// TypeInfo is what the provider tells of an instance type.
type TypeInfo struct {
	Name string
	EBS  EBSSupport
}

// EBSSupport is how a type stands to the optimisation for EBS.
type EBSSupport string

// The answers (ec2 EbsOptimizedSupport).
const (
	EBSAlways      EBSSupport = "default"     // it has it by itself, at no charge
	EBSOnDemand    EBSSupport = "supported"   // it can have it, for a charge by the hour
	EBSUnsupported EBSSupport = "unsupported" // an order that asks for it is refused
)

// Order is what a reservation is to be like.
type Order struct {
	Type     string // instance type
	Zone     string // availability zone, by name
	Platform string // AWS's word: Linux/UNIX, Windows …
	Tenancy  string // default, dedicated
	// EBSOptimized asks for the optimisation; only types that do not have it by themselves cost more for it.
	EBSOptimized bool
	// Match says which instances use it: open (every one that fits) or targeted (those that name it).
	Match          string
	PlacementGroup string // ARN; empty: none
	Count          int    // 1 … 1,000
	// End is when the provider gives it back by itself; zero: never.
	End time.Time
	// Start makes it future-dated: the provider holds the capacity from then on. Commitment is how long it can
	// not be given back then. Zero: at once.
	Start      time.Time
	Commitment time.Duration
	Tags       map[string]string
}

// Change is what becomes of a reservation. Zero fields stay as they are.
type Change struct {
	Count int
	End   time.Time
}

// ReservationState is the provider's word for how a reservation stands.
type ReservationState string

// The states (ec2 CapacityReservationState).
const (
	ReservationActive      ReservationState = "active"
	ReservationPending     ReservationState = "pending" // bought, not held yet
	ReservationExpired     ReservationState = "expired" // its end has come
	ReservationCancelled   ReservationState = "cancelled"
	ReservationFailed      ReservationState = "failed"
	ReservationScheduled   ReservationState = "scheduled" // future-dated, accepted
	ReservationAssessing   ReservationState = "assessing" // future-dated, not accepted yet
	ReservationDelayed     ReservationState = "delayed"
	ReservationUnsupported ReservationState = "unsupported"
	ReservationPaymentDue  ReservationState = "payment-pending"
	ReservationNotPaid     ReservationState = "payment-failed"
	ReservationUnavailable ReservationState = "unavailable"
)

// Holds reports whether capacity is held, and paid for, now.
func (s ReservationState) Holds() bool { return s == ReservationActive }

// Coming reports whether it will be held unless something happens.
func (s ReservationState) Coming() bool {
	return s == ReservationPending || s == ReservationScheduled || s == ReservationAssessing || s == ReservationDelayed || s == ReservationPaymentDue
}

// Reservation is capacity as the provider says that it is held.
type Reservation struct {
	ID string
	Order
	State ReservationState
	Total int // instances held
	Free  int // of them not in use
	// Block: a Capacity Block, bought for a fixed time; it can not be changed or given back.
	Block   bool
	Created time.Time
	// Token is the client token that it was made with, where the provider tells.
	Token string
}

// Used is how many instances use the reservation.
func (r *Reservation) Used() int { return r.Total - r.Free }
