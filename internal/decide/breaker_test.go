package decide

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTheBreakerLooksAgainAtGrowingGaps(t *testing.T) {
	noon := time.Date(2027, 3, 5, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name    string
		trouble Trouble
		most    time.Duration
		want    string
		open    int // the failure that begins the quarantine
	}{
		{"a role that is refused", NoCredentials, 0, "15s 30s 1m 2m 1m 2m 4m 8m 16m 30m 30m", 5},
		{"with a resync every five minutes", NoAnswer, 5 * time.Minute, "15s 30s 1m 2m 1m 2m 4m 5m 5m 5m 5m", 5},
		{"with a resync every ten seconds", NotAuthorized, 10 * time.Second, "10s 10s 10s 10s 10s 10s 10s 10s 10s 10s 10s", 5},
		{"a region that is off", RegionDisabled, time.Hour, "1m 2m 4m 8m 16m 30m 30m 30m 30m 30m 30m", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b Breaker
			var gaps []time.Duration
			at := noon
			for n := range 11 {
				b = b.Failed(test.trouble, "refused", at, test.most)
				gaps = append(gaps, b.Next.Sub(at))
				if b.Quarantined() != (n+1 >= test.open) {
					t.Errorf("after %d failures: quarantined %v", n+1, b.Quarantined())
				}
				if !b.Since.Equal(noon) || b.Fails != n+1 || b.Why != "refused" {
					t.Errorf("%+v", b)
				}
				at = b.Next
			}
			var want []time.Duration
			for word := range strings.FieldsSeq(test.want) {
				d, err := time.ParseDuration(word)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, d)
			}
			if !slices.Equal(gaps, want) {
				t.Errorf("gaps %v, want %v", gaps, want)
			}
		})
	}
}

func TestAnotherTroubleBeginsAnew(t *testing.T) {
	noon := time.Date(2027, 3, 5, 12, 0, 0, 0, time.UTC)
	var b Breaker
	for range 7 {
		b = b.Failed(NoAnswer, "time-out", noon, 0)
	}
	later := noon.Add(time.Hour)
	b = b.Failed(NoCredentials, strings.Repeat("x", 2*whyBound), later, 0)
	if b.Quarantined() || b.Fails != 1 || !b.Since.Equal(later) || len(b.Why) != whyBound {
		t.Errorf("%+v", b)
	}
	if (Breaker{}).Quarantined() {
		t.Error("a closed breaker is a quarantine")
	}
}

// Whatever fails whenever: the next look is later than this one, never later
// than the bounds, and the gaps in quarantine never shrink while the trouble stays.
func TestBreakerLaws(t *testing.T) {
	troubles := []Trouble{NoCredentials, RegionDisabled, NotAuthorized, NoAnswer}
	rapid.Check(t, func(r *rapid.T) {
		now := time.Date(2027, 3, 5, 12, 0, 0, 0, time.UTC)
		most := time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(r, "resync"))
		var b Breaker
		var gap time.Duration
		for range rapid.IntRange(1, 60).Draw(r, "looks") {
			trouble := rapid.SampledFrom(troubles).Draw(r, "trouble")
			next := b.Failed(trouble, "w", now, most)
			got := next.Next.Sub(now)
			if got <= 0 && most != 0 || got > quarantineMost || most > 0 && got > most {
				r.Fatalf("gap %v, at most %v", got, most)
			}
			if b.Quarantined() && b.Trouble == trouble && (got < gap || !next.Quarantined()) {
				r.Fatalf("gap %v after %v: %+v", got, gap, next)
			}
			b, gap, now = next, got, next.Next
		}
	})
}
