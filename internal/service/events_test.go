package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func publish(e *Events, from, to int) {
	for i := from; i <= to; i++ {
		e.Publish(EventPass, time.Unix(int64(i), 0), map[string]int{"n": i})
	}
}

func TestAFollowerGoesOnWhereItWas(t *testing.T) {
	var e Events
	first := e.Subscribe("")
	defer first.Close()
	publish(&e, 1, 3)
	got, missed, err := first.Next(t.Context())
	if err != nil || missed || len(got) != 3 || string(got[2].Data) != `{"n":3}` {
		t.Fatalf("got %d events, missed %t, %v", len(got), missed, err)
	}
	publish(&e, 4, 5)
	again := e.Subscribe(got[1].ID)
	defer again.Close()
	later, missed, err := again.Next(t.Context())
	if err != nil || missed || len(later) != 3 || later[0].ID != got[2].ID {
		t.Fatalf("after %s: got %d events, missed %t, %v", got[1].ID, len(later), missed, err)
	}
	for name, id := range map[string]string{"of another process": "00000000-2", "of the future": e.boot + "-99", "no ID at all": "hello"} {
		t.Run(name, func(t *testing.T) {
			s := e.Subscribe(id)
			defer s.Close()
			if events, missed, err := s.Next(t.Context()); !missed || err != nil || len(events) != 0 {
				t.Errorf("%q: %d events, missed %t, %v; want to be told that some were missed", id, len(events), missed, err)
			}
		})
	}
}

func TestASlowFollowerIsToldAndHoldsNobodyBack(t *testing.T) {
	var e Events
	s := e.Subscribe("")
	defer s.Close()
	publish(&e, 1, EventsKept+10)
	got, missed, err := s.Next(t.Context())
	if err != nil || !missed || len(got) != EventsKept || string(got[0].Data) != `{"n":11}` {
		t.Fatalf("%d events from %s on, missed %t, %v", len(got), got[0].Data, missed, err)
	}
	publish(&e, 1, 1)
	if got, missed, _ = s.Next(t.Context()); missed || len(got) != 1 {
		t.Fatalf("afterwards: %d events, missed %t", len(got), missed)
	}
}

func TestAnEventIsBounded(t *testing.T) {
	var e Events
	s := e.Subscribe("")
	defer s.Close()
	e.Publish(EventConfig, time.Unix(0, 0), strings.Repeat("x", maxEventData+1))
	e.Publish(EventConfig, time.Unix(0, 0), func() {})
	got, _, _ := s.Next(t.Context())
	if len(got) != 2 || string(got[0].Data) != "{}" || string(got[1].Data) != "{}" {
		t.Fatalf("got %d events, the first with %d bytes", len(got), len(got[0].Data))
	}
}

func TestFollowersWaitUntilTheyAreToldToStop(t *testing.T) {
	var e Events
	ctx, stop := context.WithCancelCause(t.Context())
	var group sync.WaitGroup
	const followers, events = 20, 200
	for i := range followers {
		group.Go(func() {
			s := e.Subscribe("")
			defer s.Close()
			for n := 0; ; {
				got, missed, err := s.Next(ctx)
				n += len(got)
				if err != nil || missed || n > events {
					if err == nil || err.Error() != "over" {
						t.Errorf("follower %d: %d events, missed %t, %v", i, n, missed, err)
					}
					return
				}
			}
		})
	}
	for e.Followers() < followers {
		time.Sleep(time.Millisecond)
	}
	publish(&e, 1, events)
	stop(errors.New("over"))
	group.Wait()
	if n := e.Followers(); n != 0 {
		t.Errorf("%d followers are left", n)
	}
}

func ExampleEvents() {
	var e Events
	s := e.Subscribe("")
	defer s.Close()
	e.Publish(EventResources, time.Unix(0, 0), map[string]int{"changed": 2})
	events, _, _ := s.Next(context.Background())
	fmt.Println(events[0].Type, string(events[0].Data))
	// Output: resources {"changed":2}
}
