package notify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

func saying(a, b say.Text) bool { return a.Equal(b) }

// TestLettersAreRead: as they were written, in pages, the newest first; what cannot be read is left out.
func TestLettersAreRead(t *testing.T) {
	kept := memory.New()
	lease, err := kept.Acquire(t.Context(), "scheduler", "me", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 8, 3, 18, 0, 0, 0, time.UTC)
	var want []Letter
	var records []store.Record
	for i := range 2*letterPage + 7 {
		at := began.Add(time.Duration(i) * time.Microsecond)
		letter := Letter{ID: NewLetterID(at), Channel: fmt.Sprint("c", i%3), State: LetterStates[i%len(LetterStates)], Since: at, Notice: Group([]Event{told(i)}, BySubject)[0]}
		if letter.State == LetterSent || letter.State == LetterDead {
			letter.Settled, letter.Tries, letter.Error = at.Add(time.Minute), 3, "status 503"
		}
		want = append(want, letter)
		record, err := letter.Record(at)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	records = append(records, store.Record{Kind: store.MessageLetter, Name: "9999", Data: []byte(`{"id":"9999","state":"folded"}`), Changed: began})
	if err := kept.SaveRecords(t.Context(), lease, records); err != nil {
		t.Fatal(err)
	}
	var got []Letter
	if err := EachLetter(t.Context(), kept, "", func(l *Letter) bool { got = append(got, *l); return true }); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(got)
	if diff := cmp.Diff(want, got, cmp.Comparer(saying)); diff != "" {
		t.Error(diff)
	}
	var last *Letter
	if err := EachLetter(t.Context(), kept, want[5].ID, func(l *Letter) bool { last = l; return false }); err != nil || last.ID != want[4].ID {
		t.Errorf("before %s comes %v, %v", want[5].ID, last, err)
	}
	if one, err := LetterOf(t.Context(), kept, want[3].ID); err != nil || one.ID != want[3].ID {
		t.Errorf("one: %v, %v", one, err)
	}
	if none, err := LetterOf(t.Context(), kept, "0000"); err != nil || none != nil {
		t.Errorf("none: %v, %v", none, err)
	}
}

// TestALetterFits: what errors quote can be long; a letter loses lines rather than its place in the store.
func TestALetterFits(t *testing.T) {
	var events []Event
	for i := range maxLines {
		e := told(i)
		e.Text = say.Raw(strings.Repeat("x", 100<<10))
		events = append(events, e)
	}
	letter := Letter{ID: NewLetterID(time.Now()), Channel: "ops", State: LetterWaiting, Since: time.Now(), Notice: Group(events, BySubject)[0]}
	record, err := letter.Record(time.Now())
	if err != nil || len(record.Data) > maxLetter {
		t.Fatalf("%d bytes, %v", len(record.Data), err)
	}
	read, err := ReadLetter(record)
	if err != nil || read.Notice.Count() != maxLines || len(read.Notice.Parts[0].Told) == 0 || len(letter.Notice.Parts[0].Told) != maxLines {
		t.Errorf("%d of %d lines of %d, %v", len(read.Notice.Parts[0].Told), len(letter.Notice.Parts[0].Told), read.Notice.Count(), err)
	}
}

func TestConditions(t *testing.T) {
	kept := memory.New()
	lease, err := kept.Acquire(t.Context(), "scheduler", "me", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 8, 3, 18, 0, 0, 0, time.UTC)
	want := map[string]Condition{"ops": {Channel: "ops", At: at, FailingSince: at, Error: "status 503"}, "pager": {Channel: "pager", At: at, LastSent: at}}
	for _, c := range want {
		record, err := c.Record()
		if err != nil {
			t.Fatal(err)
		}
		if err := kept.SaveRecords(t.Context(), lease, []store.Record{record}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Conditions(t.Context(), kept); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}
