// Package queuetest examines implementations of package queue: the contract as
// one suite that every queue calls from its own tests.
//
// It expects an empty queue for every examination that nobody else uses and that
// hides received messages for Bed.Hidden, and guarantees to leave nothing behind
// that would disturb the next.
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dayshift/internal/queue"
)

// Bed is what an implementation brings along.
type Bed struct {
	// Run calls examine with a queue that is empty. It may do so inside a bubble
	// of virtual time.
	Run func(t *testing.T, examine func(t *testing.T, q queue.Queue))
	// Hidden is how long the queue keeps received messages from others, in whole seconds.
	Hidden time.Duration
	// Loose is for servers that are known to be less strict than the contract:
	// they take characters that no message may hold, and do not say which receipts are stale.
	Loose bool
}

// slack is how much longer than asked for a wait may take.
const slack = 3 * time.Second

// Exercise examines an implementation.
func Exercise(t *testing.T, bed Bed) {
	t.Helper()
	for _, examination := range []struct {
		name    string
		examine func(t *testing.T, q queue.Queue, bed Bed)
	}{
		{"what was sent is received", sentIsReceived},
		{"any text arrives as it was sent", anyText},
		{"more than a batch arrives whole", moreThanABatch},
		{"what nobody deletes comes again", comesAgain},
		{"a message can be hidden for longer", hiddenForLonger},
		{"a message can be given back at once", givenBack},
		{"what is deleted is gone", deletedIsGone},
		{"a batch with one that is gone does the others", partial},
		{"an empty queue is waited for, and not longer", emptyQueue},
		{"a message that comes ends the wait", endsTheWait},
		{"whoever gives up gets the cause", givesUp},
		{"bounds", bounds},
		{"the depth can be asked", depth},
	} {
		t.Run(examination.name, func(t *testing.T) {
			bed.Run(t, func(t *testing.T, q queue.Queue) { examination.examine(t, q, bed) })
		})
	}
}

func send(t *testing.T, q queue.Queue, bodies ...string) {
	t.Helper()
	for batch := range slices.Chunk(bodies, queue.MaxBatch) {
		if err := q.Send(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
	}
}

// receive takes want messages, in as many calls as that needs: a queue of many
// machines may hand out fewer than it has.
func receive(t *testing.T, q queue.Queue, want int) []queue.Message {
	t.Helper()
	var got []queue.Message
	for end := time.Now().Add(slack + queue.MaxWait/4); len(got) < want && time.Now().Before(end); {
		some, err := q.Receive(t.Context(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if len(some) > queue.MaxBatch {
			t.Fatalf("%d messages in one answer", len(some))
		}
		got = append(got, some...)
	}
	if len(got) != want {
		t.Fatalf("%d messages, want %d: %v", len(got), want, got)
	}
	return got
}

// nothing makes sure that no message can be had now.
func nothing(t *testing.T, q queue.Queue, why string) {
	t.Helper()
	if got, err := q.Receive(t.Context(), 0); err != nil || len(got) != 0 {
		t.Fatalf("%s: received %v, %v", why, got, err)
	}
}

func remove(t *testing.T, q queue.Queue, messages []queue.Message) {
	t.Helper()
	for batch := range slices.Chunk(messages, queue.MaxBatch) {
		if err := q.Delete(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
}

func bodies(messages []queue.Message) []string {
	var list []string
	for _, m := range messages {
		list = append(list, m.Body)
	}
	slices.Sort(list)
	return list
}

func sentIsReceived(t *testing.T, q queue.Queue, _ Bed) {
	began := time.Now()
	send(t, q, "one", "two")
	got := receive(t, q, 2)
	if want := []string{"one", "two"}; !slices.Equal(bodies(got), want) {
		t.Errorf("received %q, want %q", bodies(got), want)
	}
	for _, m := range got {
		if m.ID == "" || m.Receipt == "" || m.Receptions != 1 {
			t.Errorf("a message lacks something: %+v", m)
		}
		if off := m.Sent.Sub(began); off < -slack || off > slack || m.Sent.Location() != time.UTC {
			t.Errorf("sent at %s, it was %s", m.Sent, began)
		}
	}
	if got[0].ID == got[1].ID || got[0].Receipt == got[1].Receipt {
		t.Errorf("two messages cannot be told apart: %+v", got)
	}
	remove(t, q, got)
}

func anyText(t *testing.T, q queue.Queue, _ Bed) {
	texts := []string{
		`{"detail":{"state":"stopped"}}`, "tab\tline\nreturn\r", "<a>&amp;]]></a>", "서울 上海 Zürich 🦉", `back\slash "quotes" 'single'`, " blanks ", "%41+%2B",
		strings.Repeat("long ", 10_000),
	}
	send(t, q, texts...)
	got := receive(t, q, len(texts))
	slices.Sort(texts)
	for i, body := range bodies(got) {
		if body != texts[i] {
			t.Errorf("%.60q became %.60q", texts[i], body)
		}
	}
	remove(t, q, got)
}

func moreThanABatch(t *testing.T, q queue.Queue, _ Bed) {
	var sent []string
	for i := range 2*queue.MaxBatch + 3 {
		sent = append(sent, fmt.Sprintf("message %02d", i))
	}
	send(t, q, sent...)
	got := receive(t, q, len(sent))
	if !slices.Equal(bodies(got), sent) {
		t.Errorf("received %q", bodies(got))
	}
	remove(t, q, got)
	nothing(t, q, "all were received")
}

func comesAgain(t *testing.T, q queue.Queue, bed Bed) {
	send(t, q, "again")
	first := receive(t, q, 1)
	nothing(t, q, "while it is hidden")
	time.Sleep(bed.Hidden + 100*time.Millisecond)
	second := receive(t, q, 1)
	if first[0].ID != second[0].ID || first[0].Body != second[0].Body || second[0].Receptions != 2 || !first[0].Sent.Equal(second[0].Sent) {
		t.Errorf("first %+v, then %+v", first, second)
	}
	remove(t, q, second)
}

func hiddenForLonger(t *testing.T, q queue.Queue, bed Bed) {
	send(t, q, "long work")
	got := receive(t, q, 1)
	if err := q.Extend(t.Context(), got, bed.Hidden+5*time.Second); err != nil {
		t.Fatal(err)
	}
	time.Sleep(bed.Hidden + time.Second)
	nothing(t, q, "it was hidden for longer")
	remove(t, q, got)
}

func givenBack(t *testing.T, q queue.Queue, _ Bed) {
	send(t, q, "not mine")
	got := receive(t, q, 1)
	if err := q.Extend(t.Context(), got, 0); err != nil {
		t.Fatal(err)
	}
	remove(t, q, receive(t, q, 1))
}

func deletedIsGone(t *testing.T, q queue.Queue, bed Bed) {
	send(t, q, "done", "not done")
	got := receive(t, q, 2)
	done := slices.IndexFunc(got, func(m queue.Message) bool { return m.Body == "done" })
	remove(t, q, got[done:done+1])
	remove(t, q, got[done:done+1]) // whoever is not sure does it again
	time.Sleep(bed.Hidden + 100*time.Millisecond)
	left := receive(t, q, 1)
	if left[0].Body != "not done" {
		t.Errorf("received %+v, which was deleted", left)
	}
	remove(t, q, left)
	nothing(t, q, "both were deleted")
}

func partial(t *testing.T, q queue.Queue, bed Bed) {
	if bed.Loose {
		t.Skip("this server does not say which receipts are stale")
	}
	send(t, q, "a", "b", "c")
	got := receive(t, q, 3)
	remove(t, q, got[1:2])
	err := q.Extend(t.Context(), got, 0)
	var failed *queue.PartialError
	if !errors.As(err, &failed) || !slices.Equal(failed.Failed, []int{1}) || !errors.Is(err, queue.ErrStale) {
		t.Errorf("extend with one that is gone: %v", err)
	}
	remove(t, q, receive(t, q, 2))
}

func emptyQueue(t *testing.T, q queue.Queue, _ Bed) {
	for _, wait := range []time.Duration{0, time.Second, 2 * time.Second} {
		began := time.Now()
		got, err := q.Receive(t.Context(), wait)
		if took := time.Since(began); err != nil || len(got) != 0 || took < wait-50*time.Millisecond || took > wait+slack {
			t.Errorf("waiting %s for nothing took %s: %v, %v", wait, took, got, err)
		}
	}
}

func endsTheWait(t *testing.T, q queue.Queue, _ Bed) {
	began := time.Now()
	sent := make(chan error, 1)
	go func() {
		time.Sleep(time.Second)
		sent <- q.Send(context.WithoutCancel(t.Context()), "news")
	}()
	got, err := q.Receive(t.Context(), 15*time.Second)
	if took := time.Since(began); err != nil || len(got) != 1 || took < 500*time.Millisecond || took > 10*time.Second {
		t.Errorf("a message after a second was received after %s: %v, %v", took, got, err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if len(got) > 0 {
		remove(t, q, got)
	}
}

func givesUp(t *testing.T, q queue.Queue, _ Bed) {
	cause := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		time.Sleep(500 * time.Millisecond)
		cancel(cause)
	}()
	began := time.Now()
	got, err := q.Receive(ctx, 15*time.Second)
	if took := time.Since(began); !errors.Is(err, cause) || len(got) != 0 || took > slack {
		t.Errorf("after %s: %v, %v", took, got, err)
	}
	for what, err := range map[string]error{
		"send": q.Send(ctx, "late"), "delete": q.Delete(ctx, []queue.Message{{Receipt: "any"}}), "extend": q.Extend(ctx, []queue.Message{{Receipt: "any"}}, 0),
	} {
		if !errors.Is(err, cause) {
			t.Errorf("%s: %v", what, err)
		}
	}
	nothing(t, q, "nothing was sent")
}

func bounds(t *testing.T, q queue.Queue, _ Bed) {
	many := make([]queue.Message, queue.MaxBatch+1)
	texts := slices.Repeat([]string{"x"}, queue.MaxBatch+1)
	one := []queue.Message{{ID: "1", Receipt: "any"}}
	for what, err := range map[string]error{
		"send nothing":                 q.Send(t.Context()),
		"send too many":                q.Send(t.Context(), texts...),
		"send an empty message":        q.Send(t.Context(), "good", ""),
		"send a message too long":      q.Send(t.Context(), strings.Repeat("x", queue.MaxBody+1)),
		"send a control character":     q.Send(t.Context(), "a\x00b"),
		"send what is not UTF-8":       q.Send(t.Context(), "a\xffb"),
		"delete nothing":               q.Delete(t.Context(), nil),
		"delete too many":              q.Delete(t.Context(), many),
		"extend nothing":               q.Extend(t.Context(), nil, time.Second),
		"extend too many":              q.Extend(t.Context(), many, time.Second),
		"extend into the past":         q.Extend(t.Context(), one, -time.Second),
		"extend for more than allowed": q.Extend(t.Context(), one, queue.MaxHidden+time.Second),
	} {
		if !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	nothing(t, q, "nothing of a batch that is refused is sent")
}

func depth(t *testing.T, q queue.Queue, _ Bed) {
	send(t, q, "a", "b", "c")
	if got, err := q.Inspect(t.Context()); err != nil || got != (queue.Depth{Waiting: 3}) {
		t.Errorf("three were sent: %+v, %v", got, err)
	}
	all := receive(t, q, 3)
	if got, err := q.Inspect(t.Context()); err != nil || got != (queue.Depth{Hidden: 3}) {
		t.Errorf("three were received: %+v, %v", got, err)
	}
	remove(t, q, all)
	if got, err := q.Inspect(t.Context()); err != nil || got != (queue.Depth{}) {
		t.Errorf("three were deleted: %+v, %v", got, err)
	}
}
