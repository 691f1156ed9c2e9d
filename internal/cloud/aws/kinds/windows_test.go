package kinds

import (
	"testing"
	"time"
)

// The forms in which Systems Manager was seen to write the next execution.
var executionTimeTests = []struct {
	text string
	want string // RFC 3339, UTC; empty: refused
}{
	{"2027-02-07T02:00Z", "2027-02-07T02:00:00Z"},
	{"2027-02-07T02:00+09:00", "2027-02-06T17:00:00Z"},
	{"2027-02-07T02:00-0330", "2027-02-07T05:30:00Z"},
	{"2027-02-07T02:00:05Z", "2027-02-07T02:00:05Z"},
	{"2027-02-07T02:00:05-05:00", "2027-02-07T07:00:05Z"},
	{"2027-02-07T02:00:05.596Z", "2027-02-07T02:00:05.596Z"},
	{"2027-02-07T02:00-08:00[America/Los_Angeles]", "2027-02-07T10:00:00Z"},
	{"2027-02-07T02:00", ""}, // whose clock?
	{"2027-02-30T02:00Z", ""},
	{"2027-02-07", ""},
	{"next Sunday", ""},
	{"[UTC]", ""},
	{"", ""},
}

func TestExecutionTimes(t *testing.T) {
	for _, test := range executionTimeTests {
		got, err := parseExecutionTime(test.text)
		if (err != nil) != (test.want == "") || err == nil && got.Format(time.RFC3339Nano) != test.want {
			t.Errorf("%q: %v, %v, want %s", test.text, got, err, test.want)
		}
	}
}

func FuzzExecutionTime(f *testing.F) {
	for _, test := range executionTimeTests {
		f.Add(test.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseExecutionTime(text)
		if err != nil {
			return
		}
		if got.Location() != time.UTC {
			t.Errorf("%q: in %v", text, got.Location())
		}
		if again, err := parseExecutionTime(got.Format("2006-01-02T15:04:05.999999999Z07:00")); got.Year() <= 9999 && got.Year() >= 0 && (err != nil || !again.Equal(got)) {
			t.Errorf("%q is %v, which reads as %v, %v", text, got, again, err)
		}
	})
}
