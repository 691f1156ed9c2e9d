package kinds

import (
	"strings"
	"testing"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

func TestRowsOfTheRegistryAreComplete(t *testing.T) {
	seen := map[fleet.Kind]bool{}
	for _, row := range Registry {
		if seen[row.Kind] || row.Title == "" || row.Open == nil {
			t.Errorf("%s: named twice, or without a title or Open", row.Kind)
		}
		seen[row.Kind] = true
		granted := map[Operation]Permission{}
		resources := map[string]bool{}
		for _, permission := range row.Permissions {
			twice := resources[string(permission.Action)+permission.Resource]
			resources[string(permission.Action)+permission.Resource] = true
			if twice || permission.For == "" || permission.Resource == "" {
				t.Errorf("%s: %s is named twice, or without a reason or a resource", row.Kind, permission.Action)
			}
			if strings.Contains(string(permission.Action), "*") {
				t.Errorf("%s: %s grants more than one action", row.Kind, permission.Action)
			}
			if _, narrower := granted[permission.Action]; !narrower { // the first is that of the verb
				granted[permission.Action] = permission
			}
		}
		for verb, how := range row.Verbs {
			permission, listed := granted[how.Operation]
			if !listed {
				t.Errorf("%s: %s needs %s, which is not among the permissions", row.Kind, verb, how.Operation)
			}
			if permission.Resource == "*" || len(permission.Conditions) == 0 {
				t.Errorf("%s: %s is granted without limits", row.Kind, how.Operation)
			}
			if how.MaxBatch < 1 {
				t.Errorf("%s: %s takes no member", row.Kind, verb)
			}
		}
		handle := row.Open(Env{Scope: scope})
		if handle.List == nil || handle.Tag == nil || handle.Probe == nil || len(handle.Do) != len(row.Verbs) {
			t.Errorf("%s: the handle lacks something", row.Kind)
		}
		for verb := range row.Verbs {
			if handle.Do[verb] == nil {
				t.Errorf("%s: cannot %s", row.Kind, verb)
			}
		}
		if found, known := Find(row.Kind); !known || found.Kind != row.Kind {
			t.Errorf("%s is not found", row.Kind)
		}
	}
	if _, known := Find("teapot"); known {
		t.Error("found a kind that is not there")
	}
}

func TestPagesThatComeBackToATokenEnd(t *testing.T) {
	chain := pager{what: "list"}
	token := func(text string) *string { return &text }
	for _, text := range []string{"a", "b", "c"} {
		if more, err := chain.next(token(text)); !more || err != nil {
			t.Fatal(more, err)
		}
	}
	if _, err := chain.next(token("b")); err == nil {
		t.Error("a loop is followed")
	}
	if more, err := chain.next(token("")); more || err != nil {
		t.Error("an empty token leads on")
	}
	if more, err := chain.next(nil); more || err != nil {
		t.Error("no token leads on")
	}
}

func TestIDsAreAskedForInChunks(t *testing.T) {
	ids := []string{"c", "a", "b", "a"}
	got := chunks(cloud.Query{IDs: ids}, 2)
	if len(got) != 2 || strings.Join(got[0], "")+strings.Join(got[1], "") != "abc" {
		t.Errorf("%v", got)
	}
	if strings.Join(ids, "") != "caba" {
		t.Errorf("the caller's list was changed: %v", ids)
	}
	if got := chunks(cloud.Query{}, 2); len(got) != 1 || got[0] != nil {
		t.Errorf("without ids: %v", got)
	}
	if got := chunks(cloud.Query{IDs: []string{}}, 2); len(got) != 0 {
		t.Errorf("of no ids: %v", got)
	}
}
