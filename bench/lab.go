package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// lab measures. Contestants take turns, round after round, so that a machine
// that slows down slows all of them, and ratios are taken within a round.
type lab struct {
	rounds int
	time   time.Duration // of one measurement, about
	small  bool          // fleets and waits of a size that only shows that it works

	scopes  int    // of the fleet of the section million; 0: all of them
	profile string // folder for profiles of that section; empty: none
}

// contestant does the same work its own way; run does it n times.
type contestant struct {
	name string
	run  func(n int)
}

// sample is what the rounds gave, one value each.
type sample []float64

func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

func (s sample) min() float64 { return slices.Min(s) }
func (s sample) max() float64 { return slices.Max(s) }

// show writes median (min–max), each in the given format.
func (s sample) show(format func(float64) string) string {
	return fmt.Sprintf("%s (%s–%s)", format(s.median()), format(s.min()), format(s.max()))
}

// over divides round by round.
func (s sample) over(t sample) sample {
	ratios := make(sample, len(s))
	for i := range s {
		ratios[i] = s[i] / t[i]
	}
	return ratios
}

// compare returns for each contestant the seconds of processor time that one
// piece of work took, garbage collection included, one value per round.
// Processor time leaves out what other programs on the machine take.
func (l *lab) compare(ctx context.Context, contestants []contestant) ([]sample, error) {
	pieces := make([]int, len(contestants))
	for i, c := range contestants {
		pieces[i] = l.calibrate(c)
	}
	samples := make([]sample, len(contestants))
	for round := range l.rounds {
		for i, c := range contestants {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			runtime.GC() // nobody pays for the garbage of another
			spent := processorTime(func() { c.run(pieces[i]) })
			samples[i] = append(samples[i], spent.Seconds()/float64(pieces[i]))
		}
		fmt.Fprintf(os.Stderr, "   round %d of %d\n", round+1, l.rounds)
	}
	return samples, nil
}

// calibrate finds how many pieces of work fill the time of one measurement.
func (l *lab) calibrate(c contestant) int {
	for n := 1; ; {
		spent := processorTime(func() { c.run(n) })
		if spent >= l.time/4 {
			return max(1, int(float64(n)*float64(l.time)/float64(spent)))
		}
		n *= 4
		if n > math.MaxInt32 {
			return n
		}
	}
}

// processorTime is what the whole process spends while f runs.
func processorTime(f func()) time.Duration {
	before := usage()
	f()
	return usage() - before
}

func usage() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // only a wrong argument can fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perSecond shows a rate.
func perSecond(rate float64) string {
	switch {
	case rate >= 1e6:
		return fmt.Sprintf("%.4g million", rate/1e6)
	case rate >= 1e3:
		return fmt.Sprintf("%.4g thousand", rate/1e3)
	default:
		return fmt.Sprintf("%.3g", rate)
	}
}

// times shows a ratio.
func times(ratio float64) string { return fmt.Sprintf("%.3g×", ratio) }

// inverse turns seconds per piece into pieces per second.
func (s sample) inverse() sample {
	rates := make(sample, len(s))
	for i := range s {
		rates[i] = 1 / s[i]
	}
	return rates
}
