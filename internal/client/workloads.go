package client

import (
	"context"
	"net/http"
	"strconv"

	"dayshift/internal/service"
)

// Workloads tells how every workload stands.
func (c *Client) Workloads(ctx context.Context) (service.WorkloadList, error) {
	var body service.WorkloadList
	err := c.ask(ctx, get("workload-status"), &body)
	return body, err
}

// WorkloadStatus tells how one workload stands, with the timeline of its run.
func (c *Client) WorkloadStatus(ctx context.Context, name string) (service.WorkloadStatus, error) {
	q := get("workloads", name, "status")
	q.missing = asInput
	var body service.WorkloadStatus
	err := c.ask(ctx, q, &body)
	return body, err
}

// WorkloadRuns lists the runs of a workload, the newest first, at most limit.
func (c *Client) WorkloadRuns(ctx context.Context, name string, limit int) (service.WorkloadRuns, error) {
	q := get("workloads", name, "runs").with("limit", strconv.Itoa(limit))
	q.missing = asInput
	var body service.WorkloadRuns
	err := c.ask(ctx, q, &body)
	return body, err
}

// StartWorkload asks for a start of a workload, StopWorkload for its stop; the author is whose key it is.
func (c *Client) StartWorkload(ctx context.Context, request service.WorkloadRequest) (service.WorkloadAnswer, error) {
	return c.askWorkload(ctx, "start", request)
}

// StopWorkload is told of at StartWorkload.
func (c *Client) StopWorkload(ctx context.Context, request service.WorkloadRequest) (service.WorkloadAnswer, error) {
	return c.askWorkload(ctx, "stop", request)
}

func (c *Client) askWorkload(ctx context.Context, action string, request service.WorkloadRequest) (service.WorkloadAnswer, error) {
	return c.orderWorkload(ctx, request.Workload, action, request.DryRun, struct {
		Profile string `json:"profile,omitempty"`
		Reason  string `json:"reason,omitempty"`
	}{request.Profile, request.Reason})
}

// CancelWorkload ends the run that is under way, ResumeWorkload says how it goes on.
func (c *Client) CancelWorkload(ctx context.Context, order service.WorkloadOrder) (service.WorkloadAnswer, error) {
	return c.orderWorkload(ctx, order.Workload, "cancel", false, workloadOrder(order))
}

// ResumeWorkload is told of at CancelWorkload.
func (c *Client) ResumeWorkload(ctx context.Context, order service.WorkloadOrder) (service.WorkloadAnswer, error) {
	return c.orderWorkload(ctx, order.Workload, "resume", false, workloadOrder(order))
}

// order is what is asked of a run.
type order struct {
	Run    string             `json:"run,omitempty"`
	Mode   service.ResumeMode `json:"mode,omitempty"`
	Reason string             `json:"reason,omitempty"`
}

func workloadOrder(o service.WorkloadOrder) order { return order{o.Run, o.Mode, o.Reason} }

func (c *Client) orderWorkload(ctx context.Context, name, action string, dry bool, body any) (service.WorkloadAnswer, error) {
	q := call{method: http.MethodPost, path: []string{"workloads", name, action}, missing: asInput}.flag("dry_run", dry).json(body)
	var answer service.WorkloadAnswer
	err := c.ask(ctx, q, &answer)
	return answer, err
}
