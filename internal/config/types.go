package config

import (
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"dayshift/internal/say"
)

// Duration is a length of time written as 90s, 10m, 2h or 7d.
type Duration time.Duration

const day = 24 * time.Hour

// durationUnits are the units in words, largest first.
var durationUnits = []struct {
	letter string
	length time.Duration
}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}

// ParseDuration reads a whole number with one of the units s, m, h and d.
func ParseDuration(text string) (Duration, error) {
	for _, unit := range durationUnits {
		digits, ok := strings.CutSuffix(text, unit.letter)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || n > uint64(math.MaxInt64/unit.length) {
			break
		}
		return Duration(n) * Duration(unit.length), nil
	}
	return 0, say.Err("%q is not a duration: expected a whole number and a unit (s, m, h or d), such as 90s, 10m, 2h or 7d", text)
}

// String writes the duration in the largest unit that divides it, so that ParseDuration reads it back.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	for _, unit := range durationUnits {
		if time.Duration(d)%unit.length == 0 {
			return strconv.FormatInt(int64(time.Duration(d)/unit.length), 10) + unit.letter
		}
	}
	return time.Duration(d).String()
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Names is a list of names, written as a list or as text with commas.
type Names []string

// Secret is a value that no log, error, page or dump may show.
type Secret struct{ value, source string }

// Reveal returns the value, for the one call that needs it.
func (s Secret) Reveal() string { return s.value }

// Source says where the value came from without showing it: ${NAME}, file:PATH, "in the file", or empty for no value.
func (s Secret) Source() string { return s.source }

// redacted stands in for a secret. It does not tell the length.
const redacted = "[secret]"

// String implements fmt.Stringer without the value.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return redacted
}

// GoString implements fmt.GoStringer without the value.
func (s Secret) GoString() string { return "config.Secret(" + s.String() + ")" }

// Format implements fmt.Formatter, so that no verb shows the value.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText implements encoding.TextMarshaler without the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements slog.LogValuer without the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
