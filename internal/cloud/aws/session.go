package aws

import (
	"context"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

// Session is what clients of services that hold no resources need of a scope:
// the same credentials, network and bounds of answers as for everything else.
type Session struct {
	// SDK has the scope's region and the account's credentials, and makes one try.
	SDK sdk.Config
	// Call makes a call a single time, within its time; a second time with new
	// credentials when AWS says that the session has expired. It translates the
	// error into those of package cloud, and reports the call to the Observer.
	// operation is IAM's name of it, such as sqs:ReceiveMessage.
	Call func(ctx context.Context, operation string, timeout time.Duration, call func(context.Context) error) error
}

// Session returns the session of a configured scope, with credentials that are good.
func (c *Cloud) Session(ctx context.Context, scope fleet.Scope) (Session, error) {
	a, err := c.account(scope)
	if err != nil {
		return Session{}, err
	}
	if _, err := a.credentials(ctx); err != nil {
		return Session{}, err
	}
	shared, err := a.base.load(ctx)
	if err != nil {
		return Session{}, err
	}
	return Session{
		SDK: c.env(a, scope, shared).SDK,
		Call: func(ctx context.Context, operation string, timeout time.Duration, call func(context.Context) error) error {
			return c.once(ctx, a, scope, kinds.Operation(operation), timeout, call)
		},
	}, nil
}
