package kinds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"dayshift/internal/cloud"
	"dayshift/internal/say"
)

// describeWindows is the one operation of Systems Manager that is needed.
const describeWindows Operation = "ssm:DescribeMaintenanceWindows"

const (
	// windowPage is the largest page of DescribeMaintenanceWindows, and
	// smallestWindowPage what a probe asks for.
	windowPage         = 100
	smallestWindowPage = 10
	// windowHours is the longest duration that Systems Manager allows a window.
	windowHours = 24
)

// Windows are the maintenance windows of Systems Manager in a scope.
type Windows struct {
	Env
	describe func(context.Context, *ssm.DescribeMaintenanceWindowsInput, ...func(*ssm.Options)) (*ssm.DescribeMaintenanceWindowsOutput, error)
}

// OpenWindows prepares the listing of windows. It makes no call.
func OpenWindows(env Env) *Windows {
	return &Windows{Env: env, describe: ssm.NewFromConfig(env.SDK).DescribeMaintenanceWindows}
}

// List returns every window that has one of the names, ordered by name and id:
// all of them, or an error. Without names it makes no call.
func (w *Windows) List(ctx context.Context, names []string) ([]cloud.Window, error) {
	if len(names) == 0 {
		return nil, nil
	}
	in := &ssm.DescribeMaintenanceWindowsInput{MaxResults: sdk.Int32(windowPage)}
	if len(names) == 1 {
		// What several values of one filter mean AWS does not say, and more than a
		// page of windows needs a raised quota: then all are listed.
		in.Filters = []types.MaintenanceWindowFilter{{Key: sdk.String("Name"), Values: names}}
	}
	byID := map[string]cloud.Window{} // pages of a changing account may overlap
	what := "list SSM maintenance windows in " + w.Scope.String()
	err := pages(ctx, w.Read, describeWindows, what, func(ctx context.Context, token *string) (*ssm.DescribeMaintenanceWindowsOutput, error) {
		in.NextToken = token
		return w.page(ctx, in)
	}, func(page *ssm.DescribeMaintenanceWindowsOutput) (*string, error) {
		for i := range page.WindowIdentities {
			identity := &page.WindowIdentities[i]
			if id := sdk.ToString(identity.WindowId); id == "" || !slices.Contains(names, sdk.ToString(identity.Name)) {
				continue
			}
			window, err := readWindow(identity)
			if err != nil {
				return nil, fmt.Errorf("%s: %w (%w)", what, err, cloud.ErrTransient)
			}
			byID[window.ID] = window
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]cloud.Window, 0, len(byID))
	for _, window := range byID {
		list = append(list, window)
	}
	slices.SortFunc(list, func(a, b cloud.Window) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list, nil
}

// page asks for one page. An answer without the list, which the SDK takes for an
// empty one, is an error.
func (w *Windows) page(ctx context.Context, in *ssm.DescribeMaintenanceWindowsInput) (*ssm.DescribeMaintenanceWindowsOutput, error) {
	page, err := w.describe(ctx, in)
	if err == nil && page.WindowIdentities == nil {
		err = errors.New("the answer holds no WindowIdentities")
	}
	return page, err
}

// readWindow reads what is looked at of a window.
func readWindow(identity *types.MaintenanceWindowIdentity) (cloud.Window, error) {
	window := cloud.Window{Name: sdk.ToString(identity.Name), ID: sdk.ToString(identity.WindowId), Enabled: identity.Enabled}
	hours := sdk.ToInt32(identity.Duration)
	if hours < 1 || hours > windowHours {
		return window, fmt.Errorf("window %s (%q): a duration of %d hours, expected 1 to %d", window.ID, window.Name, hours, windowHours)
	}
	window.Duration = time.Duration(hours) * time.Hour
	if text := sdk.ToString(identity.NextExecutionTime); text != "" {
		next, err := parseExecutionTime(text)
		if err != nil {
			return window, fmt.Errorf("window %s (%q): next execution: %w", window.ID, window.Name, err)
		}
		window.Next = next
	}
	return window, nil
}

// executionTimes are the forms in which Systems Manager writes an instant: ISO
// 8601, the seconds only where there are any (fractions are read with them), the
// offset as Z, +09:00 or +0900.
var executionTimes = []string{"2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04:05Z0700"}

// parseExecutionTime reads an instant, in UTC. The name of a zone in brackets
// behind the offset adds nothing to it.
func parseExecutionTime(text string) (time.Time, error) {
	stamp := text
	if at := strings.IndexByte(text, '['); at > 0 && strings.HasSuffix(text, "]") {
		stamp = text[:at]
	}
	for _, layout := range executionTimes {
		if instant, err := time.Parse(layout, stamp); err == nil {
			return instant.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%.60q is not an instant such as 2027-02-07T02:00+09:00", text)
}

// Probe tries to list windows.
func (w *Windows) Probe(ctx context.Context) cloud.Finding {
	err := w.Read(ctx, describeWindows, func(ctx context.Context) error {
		_, err := w.page(ctx, &ssm.DescribeMaintenanceWindowsInput{MaxResults: sdk.Int32(smallestWindowPage)})
		return err
	})
	return probeFinding(say.Word("list SSM maintenance windows"), describeWindows, err)
}
