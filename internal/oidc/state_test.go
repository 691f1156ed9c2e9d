package oidc

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"dayshift/internal/pagepath"
)

// Whatever is finished in whatever order, nothing is finished twice, and memory is bounded.
func TestUsedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 8
		u := newUsed(limit)
		now := time.Unix(1_800_000_000, 0)
		done := map[string]bool{}
		var begun []pending
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Minute)).Draw(t, "later")))
			if len(begun) == 0 || rapid.Bool().Draw(t, "begin") {
				begun = append(begun, pending{ID: random(), Begun: now.UnixNano()})
				continue
			}
			p := rapid.SampledFrom(begun).Draw(t, "finish")
			if now.Sub(time.Unix(0, p.Begun)) > Lifetime {
				continue // Finish refuses it before it asks
			}
			if u.take(p, now) {
				if done[p.ID] {
					t.Fatalf("%s was finished twice", p.ID)
				}
				done[p.ID] = true
			}
			if len(u.ids) > limit || len(u.queue) != len(u.ids) {
				t.Fatalf("%d IDs and %d in the queue are remembered, more than %d", len(u.ids), len(u.queue), limit)
			}
		}
	})
}

// A flood makes those begin again who began before what was forgotten, and nobody else.
func TestUsedFlood(t *testing.T) {
	u := newUsed(100)
	at := func(second int) time.Time { return time.Unix(1_800_000_000+int64(second), 0) }
	slow, quick := pending{ID: "slow", Begun: at(0).UnixNano()}, pending{ID: "quick", Begun: at(400).UnixNano()}
	first := pending{ID: "first", Begun: at(1).UnixNano()}
	for i := range 300 {
		p := pending{ID: random(), Begun: at(1 + i).UnixNano()}
		if i == 0 {
			p = first
		}
		if !u.take(p, at(2+i)) {
			t.Fatalf("number %d is refused", i)
		}
	}
	switch {
	case u.take(first, at(401)):
		t.Error("what was forgotten is finished again")
	case u.take(slow, at(401)):
		t.Error("what began before what was forgotten is not refused: it may have been finished")
	case !u.take(quick, at(401)):
		t.Error("who began after the flood is refused")
	}
}

func FuzzSeal(f *testing.F) {
	s, err := newSeal()
	if err != nil {
		f.Fatal(err)
	}
	good, err := s.close(pending{ID: random(), Nonce: random(), Verifier: random(), ReturnTo: "/fleet", Begun: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("")
	f.Add("canary")
	f.Add(strings.Repeat("A", maxState+1))
	f.Add(good[:len(good)-1])
	f.Add(good + "A")
	f.Add(good + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := s.open(text); err == nil && text != good {
			t.Errorf("%q opens: %+v", text, p)
		}
	})
}

func TestSeal(t *testing.T) {
	s, err := newSeal()
	if err != nil {
		t.Fatal(err)
	}
	p := pending{ID: random(), Nonce: random(), Verifier: random(), ReturnTo: "/" + strings.Repeat(`&"`, pagepath.Max/2-1), Begun: time.Now().UnixNano()}
	first, err := s.close(p)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.open(first); err != nil || got != p {
		t.Errorf("got %+v, %v", got, err)
	}
	second, err := s.close(p)
	if err != nil || second == first {
		t.Errorf("the same is sealed alike twice, %v", err)
	}
	other, err := newSeal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.open(first); err == nil {
		t.Error("another key opens it")
	}
	p.ReturnTo = strings.Repeat("x", maxState)
	if _, err := s.close(p); err == nil {
		t.Error("more than a cookie holds is sealed")
	}
}

// What the record calls people fits into it, and ends with what they are known by: nobody is called what another is.
func TestActor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := Identity{
			Name: clean(rapid.String().Draw(t, "name")), Subject: rapid.StringMatching(`[!-~]{1,255}`).Draw(t, "subject"),
			Email: rapid.SampledFrom([]string{"", "a@example.com", strings.Repeat("x", 242) + "@example.com"}).Draw(t, "email"),
		}
		actor := i.Actor()
		if len(actor) > maxActor || !utf8.ValidString(actor) {
			t.Fatalf("%q is %d bytes long", actor, len(actor))
		}
		if actor != i.ID() && !strings.HasSuffix(actor, " ("+i.ID()+")") {
			t.Fatalf("%q does not tell who it is: %s", actor, i.ID())
		}
	})
}
