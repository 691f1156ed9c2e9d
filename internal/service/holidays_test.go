package service

import (
	"slices"
	"strings"
	"testing"

	"dayshift/internal/store"
)

func TestHolidaysOfAYear(t *testing.T) {
	m := newTeam(t, officeFile)
	m.must(store.HolidayObject, "company", `{"days":[{"date":"2026-05-04","name":"Founding day"}],"make_up":[{"date":"2026-05-09","as":"thu"}],"builtin":"kr"}`, 0)

	got, err := m.Holidays("company", 2026)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(got.Years, 2026) {
		t.Errorf("covers %v, without 2026", got.Years)
	}
	var may []HolidayDay
	for _, day := range got.Dates {
		if day.Date >= "2026-05-01" && day.Date < "2026-05-10" {
			may = append(may, day)
		}
	}
	own := []HolidayDay{{Date: "2026-05-04", Kind: "day off", Name: "Founding day"}, {Date: "2026-05-09", Kind: "make-up day", As: "Thursday"}}
	for _, day := range own {
		if !slices.Contains(may, day) {
			t.Errorf("%v is not among %v", day, may)
		}
	}
	if len(may) <= len(own) {
		t.Errorf("the built-in calendar has no day in early May: %v", may)
	}
	if !slices.IsSortedFunc(got.Dates, func(a, b HolidayDay) int { return strings.Compare(a.Date, b.Date) }) {
		t.Errorf("not in order: %v", got.Dates)
	}

	none, err := m.Holidays("company", 1950)
	if err != nil || len(none.Dates) != 0 {
		t.Errorf("a year that is not covered: %v, %v", none.Dates, err)
	}
	this, err := m.Holidays("company", 0)
	if err != nil || this.Year != m.Now().UTC().Year() {
		t.Errorf("no year is this one: %d, %v", this.Year, err)
	}
}

func TestHolidaysThatAreNone(t *testing.T) {
	m := newTeam(t, officeFile)
	for _, c := range []struct {
		name string
		year int
		want string
	}{
		{"company", 2026, `there is no holiday "company"; there is none of this kind yet`},
		{"own", 10000, "year 10000: dates have years from 1 to 9999"},
	} {
		if c.name == "own" {
			m.must(store.HolidayObject, "own", `{"days":[{"date":"2026-05-04"}]}`, 0)
		}
		_, err := m.Holidays(c.name, c.year)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s of %d: %v, want %s", c.name, c.year, err, c.want)
		}
	}
}
