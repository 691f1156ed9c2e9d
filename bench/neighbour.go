package main

import (
	"context"
	"fmt"

	"dayshift/internal/fleet"
)

func neighbourSection(ctx context.Context, l *lab) (string, error) {
	var jobs []job
	for _, verb := range []fleet.Verb{fleet.Start, fleet.Stop} {
		for _, good := range []int{1000, 2000, 5000} {
			jobs = append(jobs, job{verb: verb, good: good, neighbour: true})
		}
	}
	if l.small {
		jobs = []job{{verb: fleet.Stop, good: 1010, neighbour: true}}
	}
	rows, err := race(ctx, jobs)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`The starts and stops of the section above, beside another tool that uses half of every bucket, of its size and of its refill, and of which nobody is told.
The floor is that of what is left: of the share in use, but at most of the half that the neighbour leaves.
Dayshift runs with `+"`api_share` 0.8"+`, the default, which is more than there is, and learns from the calls that AWS refuses.
While it is there Dayshift makes small calls, one in a second or two, because what is left in the bucket the neighbour takes. No instance may be lost, and no more than one call in a hundred be throttled.

Counted in the same way, in virtual time.

%s`, rows), nil
}
