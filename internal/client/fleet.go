package client

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"dayshift/internal/say"
	"dayshift/internal/service"
)

// firstLook is how long a server that has just begun is waited for until it has
// seen the whole fleet, and lookGap how often it is asked.
const (
	firstLook = 30 * time.Second
	lookGap   = time.Second
)

// Fleet lists the resources that a filter matches (empty: all) as the server saw
// them last. Of another instant than now (zero) a server does not tell.
func (c *Client) Fleet(ctx context.Context, at time.Time, filter string) (service.Fleet, error) {
	if !at.IsZero() {
		return service.Fleet{}, service.NewInputError("a server lists the fleet as it is now; what will be is in dayshift preview, what was in dayshift explain RESOURCE --at")
	}
	fleet := service.Fleet{Resources: []service.Resource{}, Gaps: []service.Gap{}}
	q := get("resources").with("limit", page).with("filter", filter).with("sort", "name")
	for waited := time.Duration(0); ; {
		var part service.FleetPage
		if err := c.ask(ctx, q, &part); err != nil {
			return service.Fleet{}, err
		}
		if part.Looking && waited < firstLook && c.clock.Sleep(ctx, lookGap) == nil {
			waited += lookGap
			continue
		}
		fleet.At, fleet.Gaps = part.At, part.Gaps
		if part.Looking {
			fleet.Gaps = append(fleet.Gaps, service.Gap{Text: say.F("%s has not seen the whole fleet yet", c.Host())})
		}
		fleet.Resources = append(fleet.Resources, part.Items...)
		if part.Next == "" || len(part.Items) == 0 {
			break
		}
		q = q.with("cursor", part.Next)
	}
	slices.SortStableFunc(fleet.Resources, func(a, b service.Resource) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref))
	})
	return fleet, nil
}

// Explain says why each resource that answers to the target is as it is at an instant (zero: now), or was.
func (c *Client) Explain(ctx context.Context, target string, at time.Time) ([]service.Explanation, error) {
	var body []service.Explanation
	err := c.ask(ctx, get("explain").with("target", target).at("at", at), &body)
	return body, err
}

// Preview tells every start and stop to come.
func (c *Client) Preview(ctx context.Context, from, to time.Time) (service.Preview, error) {
	return c.preview(ctx, get("preview").at("from", from).at("to", to))
}

// PreviewSchedule tells the boundaries of one schedule.
func (c *Client) PreviewSchedule(ctx context.Context, name string, from, to time.Time) (service.Preview, error) {
	return c.preview(ctx, get("preview").at("from", from).at("to", to).with("schedule", name))
}

func (c *Client) preview(ctx context.Context, q call) (service.Preview, error) {
	var body service.Preview
	q.missing = asInput
	err := c.ask(ctx, q, &body)
	return body, err
}

// Doctor says for each scope what works.
func (c *Client) Doctor(ctx context.Context) ([]service.Checkup, error) {
	var body []service.Checkup
	err := c.ask(ctx, get("doctor"), &body)
	return body, err
}

// me is what is asked of who asks.
type me struct {
	Now    time.Time `json:"now"`
	Leader bool      `json:"leader"`
}

// Now is the server's clock.
func (c *Client) Now(ctx context.Context) (time.Time, error) {
	var body me
	err := c.ask(ctx, get("me"), &body)
	if err == nil && body.Now.IsZero() {
		err = fmt.Errorf("%s does not say what time it is there: does another version run there?", c.Host())
	}
	return body.Now, err
}

// AtWork names who acts on what is decided.
func (c *Client) AtWork(ctx context.Context) (string, error) {
	var body me
	if err := c.ask(ctx, get("me"), &body); err != nil {
		return "", err
	}
	if !body.Leader {
		return "the one for which " + c.Host() + " stands by", nil
	}
	return c.Host(), nil
}

// The ends of overrides.
type overrideEnd struct {
	For      string `json:"for,omitempty"`
	Until    string `json:"until,omitempty"`
	Boundary bool   `json:"boundary,omitempty"`
}

func endOf(end service.End) overrideEnd {
	body := overrideEnd{Until: end.Clock, Boundary: end.Boundary}
	if end.For != 0 {
		body.For = fmt.Sprintf("%ds", int64(end.For.Seconds()))
	}
	if !end.Until.IsZero() {
		body.Until = end.Until.UTC().Format(time.RFC3339Nano)
	}
	return body
}

// SetOverride makes an override; the author is whose key it is.
func (c *Client) SetOverride(ctx context.Context, request service.OverrideRequest) (service.OverrideAnswer, error) {
	body := struct {
		overrideEnd

		Target string `json:"target"`
		State  string `json:"state"`
		Once   bool   `json:"once,omitempty"`
		Reason string `json:"reason,omitempty"`
	}{endOf(request.End), request.Target, request.State.String(), request.Once, request.Reason}
	return c.override(ctx, call{method: http.MethodPost, path: []string{"overrides"}}.flag("dry_run", request.DryRun).json(body))
}

// ListOverrides lists the overrides in force.
func (c *Client) ListOverrides(ctx context.Context) (service.OverrideList, error) {
	var body service.OverrideList
	err := c.ask(ctx, get("overrides"), &body)
	return body, err
}

// Override says what the override that answers to an ID or target does.
func (c *Client) Override(ctx context.Context, idOrTarget string) (service.OverrideAnswer, error) {
	q := get("overrides", idOrTarget)
	q.missing = asInput
	return c.override(ctx, q)
}

// ChangeOverride moves the end of an override.
func (c *Client) ChangeOverride(ctx context.Context, change service.OverrideChange) (service.OverrideAnswer, error) {
	body := struct {
		overrideEnd

		Direction string `json:"direction,omitempty"`
	}{endOf(change.End), string(change.Direction)}
	q := call{method: http.MethodPatch, path: []string{"overrides", change.Target}, missing: asInput, header: versioned(change.Version)}
	return c.override(ctx, q.flag("dry_run", change.DryRun).json(body))
}

func (c *Client) override(ctx context.Context, q call) (service.OverrideAnswer, error) {
	var body service.OverrideAnswer
	err := c.ask(ctx, q, &body)
	return body, err
}

// ClearOverride clears overrides.
func (c *Client) ClearOverride(ctx context.Context, clearing service.OverrideClear) (service.ClearedOverrides, error) {
	q := call{method: http.MethodDelete, path: []string{"overrides"}, missing: asInput, header: versioned(clearing.Version)}
	if !clearing.All {
		q.path = append(q.path, clearing.Target)
	}
	var body service.ClearedOverrides
	err := c.ask(ctx, q.flag("dry_run", clearing.DryRun), &body)
	return body, err
}

// versioned asks for one version; 0: whichever there is.
func versioned(version int64) http.Header {
	if version == 0 {
		return nil
	}
	return http.Header{"If-Match": {tag(version)}}
}
