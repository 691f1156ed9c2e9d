package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/reservation"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// reservationStatusCommand is `reservation status [NAME]`.
func reservationStatusCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show what is wanted, held and used, and what it costs",
		Long: `Shows how reservations stand: what is wanted now and what is held, how many of it
running instances use, what is missing and why, what it costs by list price, and
what comes next. It is as the dayshift at work last saw it.`,
		Example:           "  dayshift reservation status\n  dayshift reservation status black-friday",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: c.objectNames(store.ReservationObject),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			if len(args) == 0 {
				all, err := a.Capacity(cmd.Context())
				if err != nil {
					return refused(err)
				}
				if c.output == "table" {
					return capacityText(cmd.OutOrStdout(), &all)
				}
				return write(cmd.OutOrStdout(), c.output, all, func() table { return capacityTable(all.Reservations) })
			}
			status, err := a.Reservation(cmd.Context(), args[0])
			if err != nil {
				return refused(err)
			}
			if c.output == "table" {
				return reservationText(cmd.OutOrStdout(), &status)
			}
			return write(cmd.OutOrStdout(), c.output, status, func() table { return capacityTable([]service.ReservationStatus{status}) })
		},
	}
}

func capacityTable(list []service.ReservationStatus) table {
	t := table{columns: []string{"NAME", "WANTED", "HELD", "USED", "SHORT", "USD/HOUR", "NEXT CHANGE", "STATE"}, empty: "There is no reservation."}
	for i := range list {
		s := &list[i]
		state := s.Why
		if !s.Text.Empty() {
			state += ": " + s.Text.String()
		}
		t.add(s.Name, strconv.Itoa(s.Wanted), strconv.Itoa(s.Held), strconv.Itoa(s.Used), strconv.Itoa(s.Short), costText(s.Cost.Held, s.Cost.Known), orNever(s.Next), state)
	}
	return t
}

func costText(amount float64, known bool) string {
	if !known && amount == 0 {
		return "?"
	}
	text := strconv.FormatFloat(amount, 'f', 2, 64)
	if !known {
		text += " + ?"
	}
	return text
}

func orNever(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format(time.RFC3339)
}

func capacityText(w io.Writer, all *service.Capacity) error {
	t := capacityTable(all.Reservations)
	if err := t.text(w); err != nil {
		return err
	}
	if len(all.Reservations) == 0 {
		return nil
	}
	p := &page{w: w}
	p.line("")
	text := "All that is held costs " + reservation.USD(all.Hourly) + " an hour"
	if all.Unknown > 0 {
		text += fmt.Sprintf(", without %d instances whose price is not known", all.Unknown)
	}
	if all.MaxHourly > 0 {
		text += ", of " + reservation.USD(all.MaxHourly) + " that are allowed"
	}
	p.line("%s.", text)
	if all.Bought.Max > 0 {
		p.line("%s.", boughtText("In all", all.Bought))
	}
	for _, in := range all.Accounts {
		if in.Bought.Max > 0 {
			p.line("%s.", boughtText("In "+string(in.Account), in.Bought))
		}
	}
	p.line("Prices: %s.", all.Basis)
	return p.err
}

// boughtText says what was bought within the day, and what may still be.
func boughtText(where string, b service.Bought) string {
	text := fmt.Sprintf("%s %d instances were bought within 24 hours, of %d that are allowed", where, b.Count, b.Max)
	if b.Left == 0 {
		return text + "; more may be from " + orNever(b.More)
	}
	return fmt.Sprintf("%s; %d more may be", text, b.Left)
}

func reservationText(w io.Writer, s *service.ReservationStatus) error {
	p := &page{w: w}
	p.line("reservation %s in %s", plain(s.Name), s.Scope)
	p.line("  wanted   %d of %d", s.Wanted, s.Count)
	p.line("  held     %d, of which %d are used", s.Held, s.Used)
	p.line("  short    %d", s.Short)
	state := s.Why
	if !s.Text.Empty() {
		state += ": " + plain(s.Text.String())
	}
	p.line("  state    %s", state)
	p.line("  seen     %s", orNever(s.Seen))
	p.line("  window   from %s to %s", orNever(s.From), orNever(s.Until))
	p.line("  next     what is wanted changes at %s; the next look is at %s", orNever(s.Next), orNever(s.Due))
	p.line("  costs    USD %s an hour for what is held, USD %s for all of it", costText(s.Cost.Held, s.Cost.Known), costText(s.Cost.Full, s.Cost.Known))
	if s.Cost.UntilEnd > 0 {
		p.line("           USD %s until the end", costText(s.Cost.UntilEnd, s.Cost.Known))
	}
	if !s.Approval.Empty() {
		approved := "waits for a second person: dayshift reservation approve " + plain(s.Name)
		if s.Approved {
			approved = "approved by " + plain(s.ApprovedBy)
		}
		p.line("  approval %s (%s)", approved, plain(s.Approval.String()))
	}
	for i := range s.Places {
		place := &s.Places[i]
		note := ""
		if place.Alternative {
			note += ", an alternative"
		}
		if place.Full {
			note += ", no room when it was last asked for"
		}
		p.line("  %s %s: %d held, %d used%s", place.Zone, place.Type, place.Held, place.Used, note)
	}
	if p.err != nil || len(s.Reservations)+len(s.Also) == 0 {
		return p.err
	}
	p.line("")
	t := table{columns: []string{"ID", "ZONE", "TYPE", "STATE", "TOTAL", "USED", "END", "OF"}}
	for _, part := range []struct {
		list []service.HeldReservation
		of   string
	}{{s.Reservations, "dayshift"}, {s.Also, "somebody else, left alone"}} {
		for i := range part.list {
			h := &part.list[i]
			t.add(h.ID, h.Zone, h.Type, h.State, strconv.Itoa(h.Total), strconv.Itoa(h.Used), orNever(h.End), part.of)
		}
	}
	if p.err != nil {
		return p.err
	}
	return t.text(w)
}

// reservationApproveCommand is `reservation approve NAME`.
func reservationApproveCommand(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "approve NAME",
		Short: "Approve, as a second person, what a reservation costs",
		Long: `A reservation that costs more than capacity.approve_above, or whose price is not
known where there are limits, waits until somebody else than who changed it last
approves it. The approval is for the reservation as it is now: when its count,
places or window change, it is needed anew.`,
		Example:           "  dayshift reservation approve black-friday",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.objectNames(store.ReservationObject),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.ask(cmd, toChange)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			answer, err := a.ApproveReservation(cmd.Context(), service.ApprovalRequest{Name: args[0]})
			if _, is := errors.AsType[*service.ForbiddenError](err); is {
				return &exitError{exitUsage, err}
			}
			if err != nil {
				return refused(err)
			}
			if c.output != "table" {
				return write(cmd.OutOrStdout(), c.output, answer, func() table { return approvalTable(&answer) })
			}
			p := &page{w: cmd.OutOrStdout()}
			did := "approved"
			if !answer.Saved {
				did = "approved already, by " + plain(answer.Author)
			}
			p.line("reservation %s is %s: %d, USD %s an hour by list price.", plain(answer.Name), did, answer.Count, costText(answer.Cost.Full, answer.Cost.Known))
			return p.err
		},
	}
}

func approvalTable(answer *service.ApprovalAnswer) table {
	t := table{columns: []string{"NAME", "COUNT", "USD/HOUR", "BY", "SAVED"}}
	t.add(answer.Name, strconv.Itoa(answer.Count), costText(answer.Cost.Full, answer.Cost.Known), answer.Author, strconv.FormatBool(answer.Saved))
	return t
}
