package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

var _ cloud.Invoker = (*Cloud)(nil)

const (
	// longestInvocation is how long Lambda lets a function run; it waits no longer for an answer.
	longestInvocation = 15 * time.Minute
	// payloadMost is the largest payload that Lambda takes for a call whose answer is waited for.
	payloadMost = 6 << 20
)

// Invoke implements cloud.Invoker. A call that was throttled invoked nothing and is
// made again; one without an answer is not, because the function may have run.
func (c *Cloud) Invoke(ctx context.Context, scope fleet.Scope, function string, payload []byte, timeout time.Duration) ([]byte, error) {
	what := fmt.Sprintf("invoke function %s in %s", function, scope)
	switch {
	case function == "":
		return nil, fmt.Errorf("%s: no function is named: %w", what, cloud.ErrInvalid)
	case timeout <= 0 || timeout > longestInvocation:
		return nil, fmt.Errorf("%s: the time-out %v: more than 0 and at most %v are possible: %w", what, timeout, longestInvocation, cloud.ErrInvalid)
	case len(payload) > payloadMost:
		return nil, fmt.Errorf("%s: a payload of %d bytes: at most %d are possible: %w", what, len(payload), payloadMost, cloud.ErrInvalid)
	}
	a, err := c.account(scope)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	invoke, err := opened(ctx, c, scope, func(env kinds.Env) func(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
		return lambda.NewFromConfig(env.SDK).Invoke
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	var answer *lambda.InvokeOutput
	err = c.again(cloud.WithOneTry(ctx), scope, kinds.InvokeFunction, func() error {
		return c.once(ctx, a, scope, kinds.InvokeFunction, timeout, func(ctx context.Context) (err error) {
			answer, err = invoke(ctx, &lambda.InvokeInput{FunctionName: sdk.String(function), Payload: payload, InvocationType: types.InvocationTypeRequestResponse})
			if err == nil && answer.StatusCode != http.StatusOK {
				err = errors.New("the answer is not the function's")
			}
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if sdk.ToString(answer.FunctionError) != "" {
		return nil, fmt.Errorf("%s: %w", what, &cloud.FunctionError{Payload: clean(string(answer.Payload))})
	}
	return answer.Payload, nil
}
