package storetest

import (
	"strings"
	"testing"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/store"
)

// injections are texts that mean something to a database when they are taken for
// a part of a statement: quotes, comments, more statements, wildcards, parameters.
var injections = []string{
	`' OR '1'='1`, `'; DROP TABLE activity; --`, `" OR ""="`, `') UNION SELECT body FROM objects --`, `a'/*`, `*/ OR 1=1 /*`, `%`, `_`, `a%`, `[a-z]`,
	`?`, `$1`, `:name`, `@p1`, `{"$ne": null}`, `\`, `\'`, `''`, "`", `x' AND SLEEP(9) AND 'x'='x`, `0x27`, `ʼ OR 1=1`, "'\n--\n",
}

// testInjections: what people and resources are called is compared, never
// executed: each text finds what bears it and nothing else.
func testInjections(t *testing.T, s store.Store) {
	ref := func(text string) fleet.Ref {
		return fleet.Ref{Scope: fleet.Scope{Account: "111122223333", Region: "eu-central-1"}, Kind: fleet.EC2Instance, ID: text}
	}
	lease := acquire(t, s, "host-a")
	var rows []store.Activity
	var kept []store.Record
	for i, text := range injections {
		rows = append(rows, store.Activity{
			At: monday.Add(time.Duration(i) * time.Second), Actor: text, Event: store.Event(text), Ref: ref(text), Name: text + " name", Schedule: text + " schedule", Reason: text, Detail: text,
		})
		for _, kind := range []store.RecordKind{store.WorkloadRun, store.RecordKind(text)} {
			r := record(text, i)
			r.Kind = kind
			kept = append(kept, r)
		}
	}
	keepRecords(t, s, lease, kept...)
	if err := s.Append(t.Context(), store.Lease{}, rows); err != nil {
		t.Fatal(err)
	}
	for i, text := range injections {
		for name, query := range map[string]store.ActivityQuery{
			"event": {Event: store.Event(text)}, "ref": {Ref: ref(text)}, "ID": {Text: text}, "name": {Text: text + " name"}, "schedule": {Text: text + " schedule"},
		} {
			found, err := s.Activity(t.Context(), query)
			if err != nil || len(found) != 1 || found[0].Seq != int64(i+1) {
				t.Errorf("%s %q: %d rows, %v", name, text, len(found), err)
			}
		}
		if found, err := s.Objects(t.Context(), store.ObjectKind(text)); err != nil || len(found) != 0 {
			t.Errorf("%d objects of the kind %q, %v", len(found), text, err)
		}
		for name, query := range map[string]store.RecordQuery{
			"name": {Kind: store.WorkloadRun, Name: text}, "kind": {Kind: store.RecordKind(text)},
		} {
			if found := records(t, s, query); len(found) != 1 || found[0].Name != text {
				t.Errorf("records by the %s %q: %+v", name, text, found)
			}
		}
		for _, found := range records(t, s, store.RecordQuery{Kind: store.WorkloadRun, Prefix: text}) {
			if !strings.HasPrefix(found.Name, text) {
				t.Errorf("the prefix %q finds %q", text, found.Name)
			}
		}
		if granted, err := s.Take(t.Context(), text, monday, 1, 1); err != nil || granted != 1 {
			t.Errorf("counter %q: %d granted, %v", text, granted, err)
		}
		if sessions, err := s.Sessions(t.Context(), text); err != nil || len(sessions) != 0 {
			t.Errorf("sessions of %q: %d, %v", text, len(sessions), err)
		}
	}
	if verified, err := s.Verify(t.Context()); err != nil || verified.BadAt != 0 || verified.Rows != int64(len(injections)) {
		t.Errorf("the record: %+v, %v", verified, err)
	}
}
