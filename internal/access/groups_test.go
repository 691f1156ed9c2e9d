package access_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dayshift/internal/access"
)

var memberships = []access.Membership{
	{Group: "all-staff", Role: access.Viewer},
	{Group: "team-web", Role: access.Editor, Within: "tag:team=web"},
	{Group: "team-data", Role: access.Editor, Within: "tag:team=data"},
	{Group: "oncall", Role: access.Operator},
	{Group: "leads", Role: access.Editor},
	{Group: "platform", Role: access.Admin},
	{Group: "misspelt", Role: "root"},
	{Group: "", Role: access.Admin},
}

func TestByGroups(t *testing.T) {
	tests := []struct {
		name   string
		groups []string
		want   string // role, and what it is bounded to; empty: nothing
	}{
		{"no group", nil, ""},
		{"a group nobody wrote", []string{"sales"}, ""},
		{"the only one", []string{"all-staff"}, "viewer"},
		{"the highest of two, in either order", []string{"oncall", "all-staff"}, "operator"},
		{"the highest of all", []string{"all-staff", "platform", "oncall"}, "admin"},
		{"a higher role that is bounded goes before a lower one that is not", []string{"oncall", "team-web"}, "editor tag:team=web"},
		{"bounded by two teams: the first that is written", []string{"team-data", "team-web"}, "editor tag:team=web"},
		{"the whole fleet goes before a bound", []string{"team-web", "leads"}, "editor"},
		{"another case is another group", []string{"Platform"}, ""},
		{"part of a name is another group", []string{"plat", "platform2", " platform"}, ""},
		{"a role that is none gives nothing", []string{"misspelt"}, ""},
		{"a group without a name is nobody's", []string{""}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, ok := access.ByGroups(test.groups, memberships)
			if got := strings.TrimSpace(string(m.Role) + " " + m.Within); got != test.want || ok != (test.want != "") {
				t.Errorf("got %q, %v, want %q", got, ok, test.want)
			}
		})
	}
}

// Being in one more group never takes anything away, and nothing is given that no line of a group of theirs says.
func TestByGroupsLaws(t *testing.T) {
	group := rapid.SampledFrom([]string{"all-staff", "team-web", "team-data", "oncall", "leads", "platform", "misspelt", "", "sales"})
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.SliceOf(group).Draw(t, "groups")
		before, had := access.ByGroups(groups, memberships)
		after, has := access.ByGroups(append(groups, group.Draw(t, "one more")), memberships)
		for _, p := range access.Permissions {
			if had && before.Role.May(p) && !after.Role.May(p) {
				t.Fatalf("%q: with one more group, %s is lost", groups, p)
			}
		}
		if had && !has {
			t.Fatalf("%q: with one more group, everything is lost", groups)
		}
		if had && !slices.Contains(groups, before.Group) {
			t.Fatalf("%q gives what %q has", groups, before.Group)
		}
	})
}

func TestCheckMemberships(t *testing.T) {
	for name, test := range map[string]struct {
		memberships []access.Membership
		want        string
	}{
		"good":        {[]access.Membership{{Group: "a", Role: access.Viewer}}, ""},
		"none":        {nil, "nobody could sign in"},
		"without one": {[]access.Membership{{Role: access.Viewer}}, "group 1 has no name"},
		"misspelt":    {[]access.Membership{{Group: "a", Role: "root"}}, `group "a": role "root" is unknown`},
	} {
		t.Run(name, func(t *testing.T) {
			err := access.CheckMemberships(test.memberships)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
