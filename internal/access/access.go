// Package access says who may do what: roles and their permissions, the
// principal that a request is made by, and the form of API keys.
//
// It guarantees that what is not granted is denied: an unknown role has no
// permission, and no role has an unknown one. It knows nothing of where keys
// are kept and of when they end; package service does.
package access

import (
	"slices"
	"strings"

	"dayshift/internal/say"
)

// Permission is what an operation asks of whoever wants it done.
type Permission string

// The permissions.
const (
	Read   Permission = "read"   // see the fleet, objects, the record
	Act    Permission = "act"    // overrides, a pass now, confirming what is held back
	Edit   Permission = "edit"   // make, change and delete objects
	Manage Permission = "manage" // keys and sessions
)

// Permissions are all of them, the widest granted first.
var Permissions = []Permission{Read, Act, Edit, Manage}

// Role is a set of permissions with a name. Each includes the one before.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"
	Operator Role = "operator"
	Editor   Role = "editor"
	Admin    Role = "admin"
)

// Roles are all of them, from the least that may be done to the most.
var Roles = []Role{Viewer, Operator, Editor, Admin}

// ParseRole reads the name of a role.
func ParseRole(text string) (Role, error) {
	if role := Role(text); slices.Contains(Roles, role) {
		return role, nil
	}
	return "", say.Err("role %.40q is unknown; roles are viewer, operator, editor and admin", text)
}

// May reports whether the role has the permission.
func (r Role) May(p Permission) bool {
	needs := slices.Index(Permissions, p)
	return needs >= 0 && slices.Index(Roles, r) >= needs
}

// Allowed lists the permissions of the role.
func (r Role) Allowed() []Permission {
	return slices.DeleteFunc(slices.Clone(Permissions), func(p Permission) bool { return !r.May(p) })
}

// Ways by which a principal comes in.
const (
	ViaKey       = "key"
	ViaSession   = "session"
	ViaAnonymous = "anonymous"
	ViaLocal     = "local"
	ViaChat      = "chat"
)

// Principal is who a request is made by. The zero Principal may do nothing.
type Principal struct {
	ID     string // "key:abc123ef", "user:someone@example.com", "anonymous", "local"
	Name   string // for people; the author of changes and actor in the record
	Role   Role
	Within string // text of the filter (see fleet.ParseFilter) that bounds it; empty: the whole fleet
	Via    string // one of the Via words
	// Proof is which of several things let it in: a secret of a key, or the rules
	// by which an identity provider is believed. A session ends with its proof.
	Proof string
}

// KeyPrincipal begins the ID of a principal that is a key; the key's ID follows.
const KeyPrincipal = "key:"

// UserPrincipal begins the ID of a principal that is a person; the name that the identity provider knows follows.
const UserPrincipal = "user:"

// PersonPrincipal begins the ID of a principal that is a person of the configuration; the name there follows.
const PersonPrincipal = "person:"

// KeyID is the ID of the key that the principal is, or came in with; empty for others.
func (p Principal) KeyID() string {
	id, isKey := strings.CutPrefix(p.ID, KeyPrincipal)
	if !isKey {
		return ""
	}
	return id
}

// Actor is how the record names the principal. A key's label is free text and can
// be anybody's name: its ID stands behind it. The name of a person has what the
// provider knows them by in it.
func (p Principal) Actor() string {
	switch {
	case p.Name == "" && p.ID == "":
		return "nobody"
	case p.Name == "":
		return p.ID
	case p.KeyID() != "":
		return p.Name + " (" + p.ID + ")"
	}
	return p.Name
}

// May reports whether the principal has the permission.
func (p Principal) May(permission Permission) bool { return p.Role.May(permission) }

// Anonymous is whoever shows nothing, where that is allowed to read.
func Anonymous() Principal {
	return Principal{ID: "anonymous", Name: "anonymous", Role: Viewer, Via: ViaAnonymous}
}

// Local is a person at the store itself: who can open it may do everything.
func Local(name string) Principal {
	return Principal{ID: "local", Name: name, Role: Admin, Via: ViaLocal}
}
