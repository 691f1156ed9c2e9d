package say

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	for _, c := range []struct{ zone, at, want string }{
		{"Asia/Seoul", "2027-02-05T09:00:00Z", "18:00 (Asia/Seoul, 2027-02-05)"},
		{"Asia/Seoul", "2027-02-05T15:30:59Z", "00:30 (Asia/Seoul, 2027-02-06)"},
		{"UTC", "2027-02-05T09:00:00Z", "09:00 (UTC, 2027-02-05)"},
		{"Europe/Berlin", "2027-10-31T00:30:00Z", "02:30+02:00 (Europe/Berlin, 2027-10-31)"},
		{"Europe/Berlin", "2027-10-31T01:30:00Z", "02:30+01:00 (Europe/Berlin, 2027-10-31)"},
		{"Europe/Berlin", "2027-10-31T02:00:00Z", "03:00 (Europe/Berlin, 2027-10-31)"},
		{"Australia/Lord_Howe", "2027-04-03T14:45:00Z", "01:45+11:00 (Australia/Lord_Howe, 2027-04-04)"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := Moment(at.In(zone)).String(); got != c.want {
			t.Errorf("%s in %s: %s, want %s", c.at, c.zone, got, c.want)
		}
	}
}
