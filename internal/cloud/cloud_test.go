package cloud_test

import (
	"fmt"
	"testing"
	"time"

	"dayshift/internal/cloud"
)

// asking says when to come back.
type asking struct{ error }

func (asking) RetryAfter() time.Duration { return 40 * time.Second }
func (a asking) Unwrap() error           { return a.error }

func TestAgain(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		again bool
		after time.Duration
	}{
		"none":              {nil, false, 0},
		"too many calls":    {fmt.Errorf("sns:Publish: %w", cloud.ErrThrottled), true, 0},
		"asks for time":     {fmt.Errorf("sns:Publish: %w", asking{cloud.ErrThrottled}), true, 40 * time.Second},
		"no answer":         {cloud.ErrTransient, true, 0},
		"keys that are old": {cloud.ErrCredentials, true, 0},
		"no permission":     {cloud.ErrUnauthorized, false, 0},
		"nothing there":     {cloud.ErrNotFound, false, 0},
		"refused":           {cloud.ErrInvalid, false, 0},
	} {
		if after, again := cloud.Again(test.err); after != test.after || again != test.again {
			t.Errorf("%s: again %v after %s", name, again, after)
		}
	}
}
