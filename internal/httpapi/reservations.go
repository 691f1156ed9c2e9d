package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"dayshift/internal/service"
)

func (s *Surface) reservations() {
	op(s, toRead, operation{
		id: "getCapacity", method: http.MethodGet, path: "/capacity", tag: "Capacity", summary: "How every reservation stands, and what all of them cost",
		doc: "As they were last looked at. Those of the SQL table and those whose capacity is being given back are among them.",
	}, func(ctx context.Context, _ *struct{}) (*answer[service.Capacity], error) {
		if err := unbound(ctx); err != nil {
			return nil, err
		}
		body, err := s.program.Service().Capacity(ctx)
		return &answer[service.Capacity]{body}, err
	})
	op(s, toRead, operation{
		id: "getReservationStatus", method: http.MethodGet, path: "/reservations/{name}/status", tag: "Capacity", summary: "How a reservation stands: wanted, held, used, what it costs and what it waits for",
		doc: "As it was last looked at. A reservation of the SQL table is named table/ZONE/TYPE, with its slashes written %2F.",
	}, func(ctx context.Context, in *ObjectPath) (*answer[service.ReservationStatus], error) {
		if err := unbound(ctx); err != nil {
			return nil, err
		}
		body, err := s.program.Service().Reservation(ctx, in.Name)
		return &answer[service.ReservationStatus]{body}, noReservation(err)
	})
	op(s, toRead, operation{
		id: "getReservationHistory", method: http.MethodGet, path: "/reservations/{name}/history", tag: "Capacity", summary: "How a reservation stood over time: wanted, held and used by zone, and what that cost",
		doc: "What changed is kept for 90 days. A reservation of the SQL table is named table/ZONE/TYPE, with its slashes written %2F.",
	}, func(ctx context.Context, in *struct {
		ObjectPath
		From time.Time `query:"from" doc:"Absent: a week before to."`
		To   time.Time `query:"to" doc:"Absent: now."`
	},
	) (*answer[service.ReservationHistory], error) {
		if err := unbound(ctx); err != nil {
			return nil, err
		}
		if _, err := s.program.Service().Reservation(ctx, in.Name); err != nil {
			return nil, noReservation(err)
		}
		body, err := s.program.Service().ReservationHistory(ctx, in.Name, in.From, in.To)
		return &answer[service.ReservationHistory]{body}, err
	})
	op(s, toManage, operation{
		id: "approveReservation", method: http.MethodPost, path: "/reservations/{name}/approve", tag: "Capacity", summary: "Approve what a reservation costs",
		doc: "Somebody else than who changed it last has to. The approval is for the reservation as it is: when what it costs money by changes, it is needed anew. A row of the SQL table is named table/ZONE/TYPE, with its slashes written %2F.",
	}, func(ctx context.Context, in *ObjectPath) (*answer[service.ApprovalAnswer], error) {
		if err := unbound(ctx); err != nil {
			return nil, err
		}
		if err := s.recheck(ctx, toManage); err != nil {
			return nil, err
		}
		if _, err := s.program.Service().Reservation(ctx, in.Name); err != nil {
			return nil, noReservation(err)
		}
		body, err := s.program.Service().ApproveReservation(ctx, service.ApprovalRequest{Name: in.Name, Author: who(ctx).Actor()})
		if err == nil && body.Saved {
			s.program.Changed()
		}
		return &answer[service.ApprovalAnswer]{body}, err
	})
}

// noReservation makes what the service says of a name that there is none of a 404.
func noReservation(err error) error {
	if wrong, is := errors.AsType[*service.InputError](err); is {
		return stated(notFound, wrong.Said())
	}
	return err
}
