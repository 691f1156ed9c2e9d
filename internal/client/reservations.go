package client

import (
	"context"
	"net/http"

	"dayshift/internal/service"
)

// Capacity tells how every reservation stands, and what all of them cost.
func (c *Client) Capacity(ctx context.Context) (service.Capacity, error) {
	var body service.Capacity
	err := c.ask(ctx, get("capacity"), &body)
	return body, err
}

// Reservation tells how one reservation stands.
func (c *Client) Reservation(ctx context.Context, name string) (service.ReservationStatus, error) {
	q := get("reservations", name, "status")
	q.missing = asInput
	var body service.ReservationStatus
	err := c.ask(ctx, q, &body)
	return body, err
}

// ApproveReservation approves what a reservation costs; the author is whose key it is.
func (c *Client) ApproveReservation(ctx context.Context, request service.ApprovalRequest) (service.ApprovalAnswer, error) {
	q := call{method: http.MethodPost, path: []string{"reservations", request.Name, "approve"}, missing: asInput}
	var body service.ApprovalAnswer
	err := c.ask(ctx, q, &body)
	return body, err
}
