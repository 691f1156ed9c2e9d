package local

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/queue"
	"dayshift/internal/queue/queuetest"
)

func TestConformance(t *testing.T) {
	queuetest.Exercise(t, queuetest.Bed{Hidden: 2 * time.Second, Run: func(t *testing.T, examine func(*testing.T, queue.Queue)) {
		synctest.Test(t, func(t *testing.T) { examine(t, &Queue{Hidden: 2 * time.Second}) })
	}})
}

// A message that nobody deletes ends the wait of whoever waits when it shows again.
func TestAHiddenMessageEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		if err := q.Send(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		if got, err := q.Receive(t.Context(), 0); err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		time.Sleep(DefaultHidden - 5*time.Second)
		began := time.Now()
		if got, err := q.Receive(t.Context(), time.Hour); err != nil || len(got) != 1 || time.Since(began) != 5*time.Second {
			t.Errorf("after %s: %v, %v", time.Since(began), got, err)
		}
		if got, err := q.Receive(t.Context(), time.Hour); err != nil || len(got) != 0 || time.Since(began) != 5*time.Second+queue.MaxWait {
			t.Errorf("a wait beyond the bound ended after %s: %v, %v", time.Since(began), got, err)
		}
	})
}

// An old receipt does nothing to a message that somebody else works on.
func TestAnOldReceiptIsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		if err := q.Send(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		old, _ := q.Receive(t.Context(), 0)
		time.Sleep(DefaultHidden)
		if again, _ := q.Receive(t.Context(), 0); len(again) != 1 {
			t.Fatal("it does not come again")
		}
		if err := q.Extend(t.Context(), old, 0); !errors.Is(err, queue.ErrStale) {
			t.Errorf("extend: %v", err)
		}
		if err := q.Delete(t.Context(), old); err != nil {
			t.Errorf("delete: %v", err)
		}
		if got, _ := q.Inspect(t.Context()); got != (queue.Depth{Hidden: 1}) {
			t.Errorf("afterwards: %+v", got)
		}
	})
}

// Of many receivers exactly one gets each message.
func TestManyReceivers(t *testing.T) {
	const receivers, messages = 8, 200
	var q Queue
	var mu sync.Mutex
	got := map[string]int{}
	var group sync.WaitGroup
	for range receivers {
		group.Go(func() {
			for {
				some, err := q.Receive(t.Context(), 200*time.Millisecond)
				if err != nil || len(some) == 0 {
					return
				}
				mu.Lock()
				for _, m := range some {
					got[m.Body]++
				}
				mu.Unlock()
				if err := q.Delete(t.Context(), some); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range messages {
		if err := q.Send(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	group.Wait()
	if len(got) != messages {
		t.Errorf("%d of %d were received", len(got), messages)
	}
	for body, n := range got {
		if n != 1 {
			t.Errorf("%s was received %d times", body, n)
		}
	}
}
