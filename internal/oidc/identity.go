package oidc

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	coreos "github.com/coreos/go-oidc/v3/oidc"
)

// Identity is a person as the provider's ID token says.
type Identity struct {
	Subject string // the provider's own ID of the person: never given to another
	Name    string // for people: never empty, without control characters, short
	Email   string // empty unless the provider says that it is verified
	Groups  []string
	// Overflow: the provider says that it left the groups out because there are too many for a token.
	Overflow bool
}

// ID is what to know the person by: a verified address, else the provider's own ID. An address that nobody has verified can be
// anybody's, and would let a person act in another's name.
func (i Identity) ID() string {
	if i.Email != "" {
		return i.Email
	}
	return i.Subject
}

// maxActor is how long a name in the record may be, in bytes.
const maxActor = 256

// Actor is what the record calls the person: their name, which they may have chosen themselves, and behind it what they are
// known by, which they have not.
func (i Identity) Actor() string {
	id := i.ID()
	room := maxActor - len(id) - len(" ()")
	if i.Name == id || room < len("…")+utf8.UTFMax {
		return id
	}
	name := i.Name
	if len(name) > room {
		name = strings.TrimSpace(strings.ToValidUTF8(name[:room-len("…")], "")) + "…"
	}
	return name + " (" + id + ")"
}

// identityOf reads the claims of a token that is proven.
func identityOf(token *coreos.IDToken, groupsClaim string) (Identity, error) {
	var claims map[string]json.RawMessage
	if err := token.Claims(&claims); err != nil {
		return Identity{}, errors.New("its claims are no object")
	}
	i := Identity{Subject: token.Subject}
	email := text(claims["email"])
	if truth(claims["email_verified"]) && strings.Contains(email, "@") && len(email) <= maxEmail && !unfit(email) {
		i.Email = email
	}
	for _, name := range []string{text(claims["name"]), text(claims["preferred_username"]), i.Email, i.Subject} {
		if i.Name = clean(name); i.Name != "" {
			break
		}
	}
	if i.Name == "" {
		return Identity{}, errors.New("it names nobody")
	}
	if groupsClaim == "email" { // an address gives a role only as far as it is known to be theirs
		if i.Email != "" {
			i.Groups = []string{i.Email}
		}
		return i, nil
	}
	i.Groups = texts(find(claims, groupsClaim))
	var elsewhere map[string]json.RawMessage
	if err := json.Unmarshal(orNull(claims["_claim_names"]), &elsewhere); err == nil {
		i.Overflow = len(i.Groups) == 0 && elsewhere[groupsClaim] != nil
	}
	i.Overflow = i.Overflow || len(i.Groups) == 0 && truth(claims["hasgroups"])
	return i, nil
}

// find gives the claim of a name, or what is at the end of the path that the name is.
func find(claims map[string]json.RawMessage, name string) json.RawMessage {
	if value, ok := claims[name]; ok {
		return value
	}
	head, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		return nil
	}
	var inner map[string]json.RawMessage
	if err := json.Unmarshal(orNull(claims[head]), &inner); err != nil {
		return nil
	}
	return find(inner, rest)
}

// orNull lets a claim that is not there be read as null.
func orNull(value json.RawMessage) json.RawMessage {
	if value == nil {
		return json.RawMessage("null")
	}
	return value
}

// text reads a claim that is a text, as empty otherwise.
func text(value json.RawMessage) string {
	var t string
	if err := json.Unmarshal(orNull(value), &t); err != nil {
		return ""
	}
	return t
}

// texts reads a claim that is a list of texts, or one text. What else is in the list is left out: it is nobody's group.
func texts(value json.RawMessage) []string {
	if t := text(value); t != "" {
		return []string{t}
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(orNull(value), &entries); err != nil {
		return nil
	}
	var list []string
	for _, entry := range entries {
		if t := text(entry); t != "" {
			list = append(list, t)
		}
	}
	return list
}

// truth reads a claim that is true; some providers write it as text.
func truth(value json.RawMessage) bool {
	var b bool
	if err := json.Unmarshal(orNull(value), &b); err == nil {
		return b
	}
	return text(value) == "true"
}

// maxEmail is how long an address can be (RFC 5321, 4.5.3.1.3). A longer one is not cut: it would be somebody else's.
const maxEmail = 254

// unfit tells whether a text has what clean would take out of it.
func unfit(name string) bool {
	return !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || hidden(r) })
}

// hidden are the characters that nobody sees but that move the cursor, turn the direction or look like nothing.
func hidden(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r)
}

// clean makes a name fit to stand in a row, a log and a page: nothing that moves the cursor, turns the direction or hides.
func clean(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case hidden(r):
			return -1
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if runes := []rune(name); len(runes) > maxName {
		name = strings.TrimSpace(string(runes[:maxName-1])) + "…"
	}
	return name
}
