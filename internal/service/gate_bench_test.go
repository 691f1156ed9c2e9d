package service

import (
	"context"
	"fmt"
	"testing"

	"dayshift/internal/store/memory"
)

// What every request costs before it is answered: a key among a hundred, with a rate and a quota.
func BenchmarkAuthenticate(b *testing.B) {
	c := newGateClock()
	s := memory.New()
	g := c.gate(s)
	var key KeyAnswer
	for i := range 100 {
		answer, err := g.CreateKey(context.Background(), KeyRequest{
			Label: fmt.Sprint("key ", i), Role: "viewer", Rate: plenty, Quota: &Quota{Limit: largestQuota, Per: "month"},
		}, admin)
		if err != nil {
			b.Fatal(err)
		}
		key = answer
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.pass(100_000) // 10,000 a second, as the rate allows
			if _, _, err := g.Authenticate(context.Background(), key.Secret, "192.0.2.1", c.now()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
