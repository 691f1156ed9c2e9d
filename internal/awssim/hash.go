package awssim

import (
	"fmt"
	"time"
)

// hash mixes the seed with what it is asked about. All chance in the simulator
// comes from here, so that one seed gives one history and a failing run can be
// replayed.
func hash(seed int64, parts ...any) uint64 {
	h := uint64(14695981039346656037) ^ uint64(seed)
	byte1 := func(b byte) { h = (h ^ uint64(b)) * 1099511628211 }
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			for i := range len(v) {
				byte1(v[i])
			}
		case int:
			for i := range 8 {
				byte1(byte(v >> (8 * i)))
			}
		case int64:
			for i := range 8 {
				byte1(byte(v >> (8 * i)))
			}
		case uint64:
			for i := range 8 {
				byte1(byte(v >> (8 * i)))
			}
		default:
			panic(fmt.Sprintf("awssim: hash of a %T", p))
		}
		byte1(0xff)
	}
	// FNV's low bits are weak: finish with splitmix64.
	h ^= h >> 30
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 27
	h *= 0x94d049bb133111eb
	return h ^ h>>31
}

// span is a range of time that something takes.
type span struct{ min, max time.Duration }

// pick chooses within the span by the hash.
func (s span) pick(h uint64) time.Duration {
	if s.max <= s.min {
		return s.min
	}
	return s.min + time.Duration(h%uint64(s.max-s.min+1))
}

func hex17(prefix string, h uint64) string { return fmt.Sprintf("%s0%016x", prefix, h) }
