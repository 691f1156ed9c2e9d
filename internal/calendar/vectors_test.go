package calendar

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the vectors name zones that a small machine may lack
)

// vector is one line of the files in testdata: a schedule asked at an instant, or a day field asked about a month.
type vector struct {
	ID       string      `json:"id"`
	Schedule ScheduleDef `json:"schedule"`
	Periods  []PeriodDef `json:"periods"`
	At       time.Time   `json:"at"`

	Field string   `json:"field"`
	Text  DayField `json:"text"`
	Year  int      `json:"year"`
	Month int      `json:"month"`

	Expect struct {
		State        string  `json:"state"`
		Period       *string `json:"period"`
		InstanceType *string `json:"type"`
		Error        bool    `json:"error"`
		Days         []int   `json:"days"`
		Months       []int   `json:"months"`
	} `json:"expect"`
}

func (v *vector) compile() (*Schedule, error) {
	periods := map[string]PeriodDef{}
	for _, p := range v.Periods {
		periods[p.Name] = p
	}
	return Compile(v.Schedule, periods, nil)
}

func readVectors(t testing.TB, name string) []vector {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []vector
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s: line %d: %v", name, len(out)+1, err)
		}
		out = append(out, v)
	}
	if len(out) < 100 {
		t.Fatalf("%s: only %d vectors", name, len(out))
	}
	return out
}

func TestVectorsOfSchedules(t *testing.T) {
	for _, file := range []string{"evaluate.jsonl", "ours.jsonl"} {
		for _, v := range readVectors(t, file) {
			s, err := v.compile()
			if err != nil {
				t.Errorf("%s: %v", v.ID, err)
				continue
			}
			got, want := s.Wanted(v.At), v.Expect
			if got.State.String() != want.State ||
				want.Period != nil && got.Period != *want.Period ||
				want.InstanceType != nil && got.InstanceType != *want.InstanceType {
				t.Errorf("%s: at %s: got %s %q %q, want %+v", v.ID, v.At, got.State, got.Period, got.InstanceType, want)
			}
		}
	}
}

func TestVectorsThatAreRefused(t *testing.T) {
	for _, v := range readVectors(t, "refused.jsonl") {
		s, err := v.compile()
		if err == nil {
			t.Errorf("%s: accepted: %+v", v.ID, s.members)
			continue
		}
		for _, f := range Faults(err) {
			if f.Period == "" || f.Problem.Empty() {
				t.Errorf("%s: a fault without its place: %#v", v.ID, f)
			}
		}
		if len(Faults(err)) == 0 {
			t.Errorf("%s: an error without faults: %v", v.ID, err)
		}
	}
}

func TestVectorsOfDayFields(t *testing.T) {
	for _, v := range readVectors(t, "calendar.jsonl") {
		var got, want []int
		var err error
		switch v.Field {
		case fieldWeekdays:
			var w Weekdays
			w, err = ParseWeekdays(v.Text)
			got, want = w.Days(v.Year, v.Month), v.Expect.Days
		case fieldMonthDays:
			var d MonthDays
			d, err = ParseMonthDays(v.Text)
			got, want = d.Days(v.Year, v.Month), v.Expect.Days
		case fieldMonths:
			var m Months
			m, err = ParseMonths(v.Text)
			got, want = m.Months(), v.Expect.Months
		default:
			t.Fatalf("%s: field %q", v.ID, v.Field)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %s in %d-%d: got %v, want %v (%v)", v.ID, v.Text, v.Year, v.Month, got, want, err)
		}
	}
}
