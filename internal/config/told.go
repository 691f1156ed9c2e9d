package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"dayshift/internal/calendar"
	"dayshift/internal/say"
	"dayshift/internal/wording"
)

// pageAddress checks where the page is opened.
func (b *builder) pageAddress() {
	b.webAddress("page_url", b.c.PageURL)
	if u, err := url.Parse(b.c.PageURL); err == nil && u.Host != "" && strings.Trim(u.Path, "/") != "" && !b.reported("page_url") {
		b.faultAt("page_url", Fault{Text: b.c.PageURL, Problem: say.F("has a path: the page is at the root of its host"), Fix: say.F("write %s", u.Scheme+"://"+u.Host)})
	}
}

// Page is the address at which people open the page, without a slash at its end; empty: it is not known.
func (l *Loaded) Page() string {
	for _, address := range []string{l.Config.PageURL, l.Config.Auth.OIDC.RedirectURL} {
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			return u.Scheme + "://" + u.Host
		}
	}
	return ""
}

// told checks how a channel is told.
func (b *builder) told(path string, c *Channel) {
	if at := path + ".timezone"; c.Timezone != "" && !b.unread(at) {
		_, err := calendar.LoadZone(c.Timezone)
		b.calendarFaults(path, err)
	}
	b.pressedIn(path, c)
	b.ownWords(path+".titles", c.Titles, wording.Titles)
	b.ownWords(path+".lines", c.Lines, wording.Lines)
}

// ownWords checks texts by kind of message, in which the names may stand.
func (b *builder) ownWords(path string, texts map[string]string, names []string) {
	for _, kind := range sortedKeys(texts) {
		at := join(path, kind)
		if !slices.Contains(messageKinds, kind) {
			b.nameFault(at, Fault{Text: kind, Problem: say.F("is no kind of message"), Allowed: say.Names(messageKinds), Fix: didYouMean(kind, messageKinds)})
			continue
		}
		if _, err := wording.Parse(texts[kind], names); err != nil && !b.unread(at) {
			b.faultAt(at, Fault{Text: texts[kind], Problem: say.Of(err), Allowed: say.F("a text with these names in braces: %s", say.Names(names))})
		}
	}
}

// slackChannel is the ID of a channel, a private one or a direct message.
var slackChannel = regexp.MustCompile(`^[CGD][A-Z0-9]{2,31}$`)

// slackBot checks a channel of Slack that a bot writes in.
func (b *builder) slackBot(path string, c *Channel) {
	if at := path + ".token"; !b.unread(at) {
		c.Token = b.roomSecret(at, c.Token)
	}
	for _, key := range []string{"url", "allow_private"} {
		if _, written := b.keys[path+"."+key]; written {
			b.faultAt(path+"."+key, Fault{Problem: say.F("is for a webhook, and the channel has the token of a bot"), Fix: say.F("remove one of the two")})
		}
	}
	at := path + ".channel"
	_, written := b.keys[at]
	switch {
	case !written:
		b.faultAt(path, Fault{Problem: say.F("has no %s", "channel"), Fix: say.F("add %s: %s", "channel", "C0123ABCDEF")})
	case !b.unread(at) && !slackChannel.MatchString(c.Channel):
		b.faultAt(at, Fault{Text: c.Channel, Problem: say.F("is not the ID of a channel of Slack"), Allowed: say.F("C and capital letters and digits, as the settings of the channel show it below")})
	}
}

// pressedIn checks the chat that the buttons of a channel are for.
func (b *builder) pressedIn(path string, c *Channel) {
	at := path + ".chat"
	if c.Chat == "" || b.unread(at) {
		return
	}
	chat, known := b.c.Chats[c.Chat]
	switch {
	case !known:
		b.faultAt(at, unnamed(c.Chat, say.F("is no chat of this configuration"), "chats", sortedKeys(b.c.Chats)))
	case chat.Type != "" && chat.Type != c.Type:
		b.faultAt(at, Fault{Text: c.Chat, Problem: say.F("is a chat of the type %s, where the buttons of this channel are not heard", chat.Type), Fix: say.F("name a chat of the type %s", c.Type)})
	}
}
