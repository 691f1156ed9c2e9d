package service

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/reservation"
	"dayshift/internal/store"
)

// Bought is what was bought within the last 24 hours, and what may still be.
type Bought struct {
	// Count is how many instances were bought, those given back since included. Max is how many may be; 0: any number.
	Count int `json:"count"`
	Max   int `json:"max"`
	// Left is how many more may be bought now, 0 where there is no Max; More is when more may be, where none is left.
	Left int       `json:"left"`
	More time.Time `json:"more,omitzero"`
}

// AccountBought is what was bought in one account.
type AccountBought struct {
	Account fleet.AccountID `json:"account"`
	Bought  Bought          `json:"bought"`
}

// day is what was bought for all reservations within the day. What can not be read is not shown; the loop counts it as much.
func (s *Service) day(ctx context.Context) (reservation.Day, error) {
	records, err := s.Store.Records(ctx, store.RecordQuery{Kind: store.ReservationDay, Limit: maxMemories})
	if err != nil {
		return nil, fmt.Errorf("read what was bought within the day: %w", err)
	}
	var all reservation.Day
	for i := range records {
		var day reservation.Day
		if json.Unmarshal(records[i].Data, &day) == nil {
			all = append(all, day...)
		}
	}
	return all, nil
}

// bought sums the day up, in one account or, where none is named, in all.
func bought(day reservation.Day, now time.Time, account fleet.AccountID, limit int) Bought {
	b := Bought{Count: day.Sum(now, account), Max: limit}
	if limit > 0 {
		if b.Left = max(0, limit-b.Count); b.Left == 0 {
			b.More = day.Frees(now, account, limit)
		}
	}
	return b
}

// boughtIn sums the day up by account: those with reservations and those in which something was bought.
func boughtIn(day reservation.Day, now time.Time, list []ReservationStatus, limit int) []AccountBought {
	accounts := []AccountBought{}
	add := func(account fleet.AccountID) {
		at, found := slices.BinarySearchFunc(accounts, account, func(a AccountBought, account fleet.AccountID) int {
			return strings.Compare(string(a.Account), string(account))
		})
		if !found && account != "" {
			accounts = slices.Insert(accounts, at, AccountBought{account, bought(day, now, account, limit)})
		}
	}
	for i := range list {
		add(list[i].Scope.Account)
	}
	for _, p := range day.Kept(now) {
		add(p.Account)
	}
	return accounts
}
