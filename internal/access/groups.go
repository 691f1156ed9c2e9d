package access

import (
	"fmt"
	"slices"
)

// Membership is what a group of an identity provider gives to its members.
type Membership struct {
	Group  string // as the provider writes it: a name, a path or an ID; compared byte by byte
	Role   Role
	Within string // text of a filter that bounds the role; empty: the whole fleet
}

// ByGroups gives the membership that counts for somebody who is in groups: the one with the highest role. Of those with the
// same role, one for the whole fleet goes before one that is bounded, and then the one that is written first. Bounds are never
// put together: what a person may touch is what one line of the configuration says. false: no group of theirs gives anything,
// or what it gives is no role.
func ByGroups(groups []string, memberships []Membership) (Membership, bool) {
	best, found := Membership{}, false
	for _, m := range memberships {
		rank := slices.Index(Roles, m.Role)
		if rank < 0 || m.Group == "" || !slices.Contains(groups, m.Group) {
			continue
		}
		if has := slices.Index(Roles, best.Role); !found || rank > has || rank == has && m.Within == "" && best.Within != "" {
			best, found = m, true
		}
	}
	return best, found
}

// CheckMemberships refuses memberships that can give nothing, or that nobody wrote on purpose.
func CheckMemberships(memberships []Membership) error {
	if len(memberships) == 0 {
		return fmt.Errorf("no group has a role, so that nobody could sign in; name at least one, with a role of viewer, operator, editor or admin")
	}
	for i, m := range memberships {
		if m.Group == "" {
			return fmt.Errorf("group %d has no name; everybody would be a member of it", i+1)
		}
		if _, err := ParseRole(string(m.Role)); err != nil {
			return fmt.Errorf("group %.80q: %w", m.Group, err)
		}
	}
	return nil
}
