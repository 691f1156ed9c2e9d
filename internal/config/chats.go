package config

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// The types of chats.
const (
	SlackChat   = "slack"
	JandiChat   = "jandi"
	TeamsChat   = "teams"
	DiscordChat = "discord"
	GenericChat = "generic"
)

// UnknownViewer lets those look who are not among people.
const UnknownViewer = "viewer"

// Bounds of chats and people.
const (
	maxChats    = 100
	maxChatName = 64 // it is a part of an address and of the record
	maxChatRoom = 256
	maxPeople   = 10_000
	maxIdentity = 256
	publicKey   = 32 // bytes, of Ed25519
)

// patternChat is what can stand in an address without being written otherwise.
const patternChat = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`

var chatPattern = regexp.MustCompile(patternChat)

// chats checks where people ask from, and who they are.
func (b *builder) chats() {
	if len(b.c.Chats) > maxChats {
		b.faultAt("chats", Fault{Problem: say.F("has %d chats; at most %d are taken", len(b.c.Chats), maxChats)})
		return
	}
	for _, name := range sortedKeys(b.c.Chats) {
		path, chat := join("chats", name), b.c.Chats[name]
		if !chatPattern.MatchString(name) {
			b.nameFault(path, Fault{Text: name, Problem: say.F("is not the name of a chat: it is a part of its address"), Allowed: say.F("1 to %d letters, digits, dots, hyphens and underscores, a letter or digit first", maxChatName)})
		}
		b.chat(path, &chat)
		b.c.Chats[name] = chat
	}
	b.people()
}

func (b *builder) chat(path string, c *Chat) {
	if at := path + ".channel"; c.Channel != "" && !b.unread(at) {
		if _, known := b.c.Channels[c.Channel]; !known {
			b.faultAt(at, unnamed(c.Channel, say.F("is no channel of this configuration"), "channels", sortedKeys(b.c.Channels)))
		}
	}
	if at := path + ".timezone"; c.Timezone != "" && !b.unread(at) {
		_, err := calendar.LoadZone(c.Timezone)
		b.calendarFaults(path, err)
	}
	if at := path + ".rooms"; b.empty(at, len(c.Rooms)) {
		b.faultAt(at, Fault{Problem: say.F("is empty: nobody would be answered"), Fix: say.F("name one, or remove the line for all of them")})
	}
	for i, room := range c.Rooms {
		if at := index(path+".rooms", i); b.chatText(at, room, maxChatRoom) && slices.Contains(c.Rooms[:i], room) {
			b.faultAt(at, Fault{Text: room, Problem: say.F("is given twice"), Fix: say.F("remove one of the two")})
		}
	}
	if _, written := b.at[path+".type"]; !written || b.reported(path+".type") {
		return // what proves a request depends on it
	}
	of := map[string][]string{"secret": {GenericChat, SlackChat}, "token": {JandiChat, TeamsChat}, "public_key": {DiscordChat}}
	for _, key := range sortedKeys(of) {
		for _, one := range []string{key, "previous_" + key} {
			if _, written := b.keys[path+"."+one]; written && !slices.Contains(of[key], c.Type) {
				b.faultAt(path+"."+one, Fault{Problem: say.F("is for chats of the type %s", strings.Join(of[key], ", ")), Fix: say.F("remove it, or correct the type")})
			}
		}
	}
	proof := func(key, example string, secret, previous *Secret) {
		at := path + "." + key
		if _, written := b.keys[at]; !written {
			b.faultAt(path, Fault{Problem: say.F("has no %s", key), Fix: say.F("add %s: %s", key, example)})
		} else if !b.unread(at) {
			*secret = b.chatProof(at, c.Type, *secret)
		}
		if previous.value != "" {
			*previous = b.chatProof(path+".previous_"+key, c.Type, *previous)
		}
	}
	switch c.Type {
	case SlackChat, GenericChat:
		proof("secret", "${DAYSHIFT_CHAT_SECRET}", &c.Secret, &c.PreviousSecret)
	case JandiChat, TeamsChat:
		proof("token", "${DAYSHIFT_CHAT_TOKEN}", &c.Token, &c.PreviousToken)
	case DiscordChat:
		proof("public_key", "${DAYSHIFT_CHAT_KEY}", &c.PublicKey, &c.PreviousPublicKey)
	}
}

// unnamed is the fault of a name that a section does not have.
func unnamed(name string, problem say.Text, section string, known []string) Fault {
	f := Fault{Text: name, Problem: problem, Fix: cmp.Or(didYouMean(name, known), say.F("add it to %s, or correct the name", section))}
	if len(known) > 0 {
		f.Allowed = say.Names(first(known, maxListed))
	}
	return f
}

// empty reports whether a list is written and has nothing in it, which was not said yet.
func (b *builder) empty(path string, n int) bool {
	_, written := b.at[path]
	return written && n == 0 && !b.reported(path)
}

// chatProof looks up what proves that a request comes from a chat system. No message shows it.
func (b *builder) chatProof(at, kind string, s Secret) Secret {
	if kind == GenericChat {
		return b.hookSecret(at, s)
	}
	value, source, f := b.env.secret(s.value)
	if f != nil {
		b.faultAt(at, *f)
		return Secret{}
	}
	f = &Fault{}
	switch {
	case value == "" || len(value) > maxHookSecret || strings.ContainsFunc(value, unicode.IsSpace):
		f.Problem, f.Allowed = say.F("is not what the chat system shows %s", hidden(source)), say.F("1 to %d bytes without blanks", maxHookSecret)
	case kind == TeamsChat && !decodes(base64.StdEncoding.DecodeString(value)):
		f.Problem, f.Allowed = say.F("is not what the chat system shows %s", hidden(source)), say.F("the security token in base64, as Teams shows it once")
	case kind == DiscordChat && (len(value) != hex.EncodedLen(publicKey) || !decodes(hex.DecodeString(value))):
		f.Problem, f.Allowed = say.F("is not what the chat system shows %s", hidden(source)), say.F("the public key of the application, %d digits of hexadecimal", hex.EncodedLen(publicKey))
	default:
		return Secret{value: value, source: source}
	}
	f.Fix = say.F("copy it from the settings of the chat system")
	b.faultAt(at, *f)
	return Secret{}
}

func decodes(_ []byte, err error) bool { return err == nil }

// chatText checks a text that a chat system is to say, so that it is known again.
func (b *builder) chatText(at, text string, limit int) bool {
	if b.unread(at) {
		return false
	}
	if text == "" || len(text) > limit || strings.ContainsFunc(text, unicode.IsControl) || strings.TrimSpace(text) != text {
		b.faultAt(at, Fault{Text: text, Problem: say.F("is nothing that a chat system says"), Allowed: say.F("1 to %d bytes without control characters, and no blanks at its ends", limit)})
		return false
	}
	return true
}

// people checks who is known, and that nobody is two.
func (b *builder) people() {
	if len(b.c.People) > maxPeople {
		b.faultAt("people", Fault{Problem: say.F("has %d people; at most %d are taken", len(b.c.People), maxPeople)})
		return
	}
	type identity struct{ chat, id string }
	taken := map[identity]string{}
	for _, name := range sortedKeys(b.c.People) {
		path, person := join("people", name), b.c.People[name]
		b.entryName(path, name, maxChatName)
		if at := path + ".within"; person.Within != "" && !b.unread(at) {
			if _, err := fleet.ParseFilter(person.Within); err != nil {
				b.faultAt(at, Fault{Text: person.Within, Problem: say.F("is not a filter: %v", err), Allowed: say.F("key=value with commas between, such as tag:env=prod")})
			}
		}
		if b.empty(path+".chats", len(person.Chats)) {
			b.faultAt(path+".chats", Fault{Problem: say.F("is empty: nobody would be known by it"), Fix: say.F("add a line CHAT: ID")})
		}
		for _, chat := range sortedKeys(person.Chats) {
			at := join(path+".chats", chat)
			known, there := b.c.Chats[chat]
			if !there {
				b.nameFault(at, unnamed(chat, say.F("is no chat of this configuration"), "chats", sortedKeys(b.c.Chats)))
			}
			if !b.chatText(at, person.Chats[chat], maxIdentity) {
				continue
			}
			id := Identity(known.Type, person.Chats[chat])
			if known.Type == JandiChat && !strings.Contains(id, "@") {
				b.faultAt(at, Fault{Text: id, Problem: say.F("is no e-mail address, by which JANDI knows people"), Allowed: say.F("NAME@DOMAIN")})
			}
			if other := taken[identity{chat, id}]; other != "" {
				b.faultAt(at, Fault{Text: id, Problem: say.F("is %s already", other), Fix: say.F("remove one of the two")})
			}
			taken[identity{chat, id}] = name
			person.Chats[chat] = id
		}
	}
}

// Identity is an ID in a chat of a type as it is compared: JANDI's e-mail addresses in small letters, those of ASCII alone. Of
// others some become a letter of ASCII, and with it somebody else's address.
func Identity(kind, id string) string {
	if kind != JandiChat {
		return id
	}
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, id)
}
