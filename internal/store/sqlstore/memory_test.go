package sqlstore

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
)

var resting = decide.Memory{
	Ref:  fleet.Ref{Scope: fleet.Scope{Account: "111122223333", Region: "eu-west-1"}, Kind: fleet.EC2Instance, ID: "i-1"},
	Name: "web-1", Schedule: "office", Last: decide.WasRunning, Seen: fleet.Running, SeenType: "m5.large",
	FirstSeen: time.Date(2027, 1, 4, 8, 0, 0, 123456000, time.UTC), DecidedAt: time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC),
	SeenAt: time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC), SeenSince: time.Date(2027, 1, 4, 8, 0, 1, 0, time.UTC),
}

func bodyOf(t testing.TB, m decide.Memory) []byte {
	t.Helper()
	body, err := json.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// bodies are documents that may be in the column, and whether the reader knows them itself.
func bodies(t testing.TB) map[string]bool {
	t.Helper()
	text := func(change func(*decide.Memory)) string {
		m := resting
		change(&m)
		return string(bodyOf(t, m))
	}
	return map[string]bool{
		text(func(*decide.Memory) {}): true,
		text(func(m *decide.Memory) { m.Retain, m.Size, m.Missing = true, "1-2-4", m.SeenAt }):     true,
		text(func(m *decide.Memory) { m.Warned, m.Announced = m.SeenAt, m.SeenAt }):                true,
		text(func(m *decide.Memory) { m.Name = "웹-1" }):                                            false,
		text(func(m *decide.Memory) { m.Name = `a"b\c<d>` }):                                       false,
		text(func(m *decide.Memory) { m.Intent = &decide.Intent{Verb: fleet.Stop, At: m.SeenAt} }): false,
		text(func(m *decide.Memory) { m.Attempts, m.LastError = 3, "no" }):                         false,
		text(func(m *decide.Memory) { m.AutoRestartAt = m.SeenAt }):                                false,
		`{}`: false, ``: false, `{`: false, `null`: false, `[]`: false, `{"last":"running"}`: true, `{"last":"running",}`: false, `{"last":"running"} `: false,
		`{"last":"running","later":"field"}`: false, `{"seen_at":"soon"}`: false, `{"retain":1}`: false, `{"last":true}`: false, `{"ref":"x"}`: false,
		`{"ref":{"scope":{"account":"1","region":"r"},"kind":"k","id":"i"},"last":"any"}`: true, `{"Last":"any"}`: false,
	}
}

func TestMemoriesReadFastAreAsJSONReadsThem(t *testing.T) {
	for body, known := range bodies(t) {
		compareMemory(t, body)
		var m decide.Memory
		if got := new(memoryReader).atRest([]byte(body), &m); got != known {
			t.Errorf("%s: read by itself: %v, want %v", body, got, known)
		}
	}
	whole := string(bodyOf(t, resting))
	for cut := range len(whole) {
		if new(memoryReader).atRest([]byte(whole[:cut]), new(decide.Memory)) {
			t.Errorf("read after %d of %d bytes", cut, len(whole))
		}
	}
}

// compareMemory holds the reader against encoding/json; the ref is that of the columns.
func compareMemory(t *testing.T, body string) {
	t.Helper()
	var want, got decide.Memory
	wantErr, err := json.Unmarshal([]byte(body), &want), new(memoryReader).decode([]byte(body), &got)
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("%q: %v, JSON says %v", body, err, wantErr)
	}
	want.Ref, got.Ref = fleet.Ref{}, fleet.Ref{}
	if diff := cmp.Diff(want, got); err == nil && diff != "" {
		t.Errorf("%q (-JSON +ours):\n%s", body, diff)
	}
}

func FuzzMemory(f *testing.F) {
	for body := range bodies(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Count(body, `"ref"`) > 0 { // JSON refuses a ref of other types; the columns are its place
			t.Skip()
		}
		var m decide.Memory
		if !new(memoryReader).atRest([]byte(body), &m) {
			return
		}
		compareMemory(t, body)
	})
}

func BenchmarkMemory(b *testing.B) {
	body := bodyOf(b, resting)
	b.Run("ours", func(b *testing.B) {
		d := memoryReader{}
		for b.Loop() {
			var m decide.Memory
			if err := d.decode(body, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("JSON", func(b *testing.B) {
		for b.Loop() {
			var m decide.Memory
			if err := json.Unmarshal(body, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
