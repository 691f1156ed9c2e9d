package calendar

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"
)

func expression(t testing.TB, text, zone string) *Expression {
	t.Helper()
	loc, err := LoadZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ParseExpression(text, loc, time.Time{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

// fires lists the fires in (from, to] as RFC 3339.
func fires(e *Expression, from, to time.Time) []string {
	out := []string{}
	for at := range e.Fires(from, to) {
		out = append(out, at.Format(time.RFC3339))
	}
	return out
}

// cronVector is one line of testdata/cron.jsonl.
type cronVector struct {
	ID         string    `json:"id"`
	Expression string    `json:"expression"`
	Timezone   string    `json:"timezone"`
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`
	Expect     struct {
		Fires []string `json:"fires"`
		Error bool     `json:"error"`
	} `json:"expect"`
}

func cronVectors(t testing.TB) []cronVector {
	t.Helper()
	f, err := os.Open("testdata/cron.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []cronVector
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var v cronVector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("line %d: %v", len(out)+1, err)
		}
		out = append(out, v)
	}
	if len(out) < 200 {
		t.Fatalf("only %d vectors", len(out))
	}
	return out
}

func TestVectorsOfCron(t *testing.T) {
	for _, v := range cronVectors(t) {
		loc, err := LoadZone(v.Timezone)
		if err != nil {
			t.Fatal(err)
		}
		e, err := ParseExpression(v.Expression, loc, v.From)
		switch {
		case v.Expect.Error && err == nil:
			t.Errorf("%s: %s: accepted", v.ID, v.Expression)
		case v.Expect.Error:
			refusedWell(t, err)
		case err != nil:
			t.Errorf("%s: %v", v.ID, err)
		default:
			if got := fires(e, v.From, v.To); !slices.Equal(got, v.Expect.Fires) {
				t.Errorf("%s: %s in %s\n got %s\nwant %s", v.ID, v.Expression, v.Timezone, got, v.Expect.Fires)
			}
		}
	}
}
