package config

import (
	"cmp"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"dayshift/internal/outbound"
	"dayshift/internal/say"
)

// The types of channels.
const (
	SNSChannel      = "sns"
	WebhookChannel  = "webhook"
	SlackChannel    = "slack"
	TeamsChannel    = "teams"
	DiscordChannel  = "discord"
	JandiChannel    = "jandi"
	LarkChannel     = "lark"
	DingTalkChannel = "dingtalk"
	WeComChannel    = "wecom"

	EventBridgeChannel = "eventbridge"
	EmailChannel       = "email"
)

// rooms are the types of channels to rooms of chat systems; signedRooms those where a room may ask for a signature.
var (
	rooms       = []string{DingTalkChannel, DiscordChannel, JandiChannel, LarkChannel, SlackChannel, TeamsChannel, WeComChannel}
	signedRooms = []string{DingTalkChannel, LarkChannel}
)

// Bounds of channels.
const (
	maxChannels    = 100 // each has a place in memory where messages wait
	maxChannelName = 64  // it is a label of a metric
	minHookSecret  = 16  // characters: a shorter one can be guessed from one signed message
	maxHookSecret  = 1024
	maxHeaders     = 20
	maxHeaderValue = 4096
)

// headerPattern is a token of HTTP (RFC 9110 5.6.2), of a length that anybody writes.
var headerPattern = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")

// messageKinds are the kinds of messages as notify has them.
var messageKinds = []string{
	"config-changed", "config-refused", "config-waits", "failed", "gap", "gap-closed", "held", "new-resource", "override-began", "override-ends-soon", "override-ended", "changing", "ready", "reservation-failed", "reservation-idle",
	"reservation-reached", "reservation-released", "reservation-short", "rule-missed", "shortage", "shortage-over", "silent", "silent-over", "starting", "stop-warning", "stopped", "stopping",
	"veto", "workload-failed", "workload-kept", "workload-run",
}

// ownHeaders are set by the program or by the protocol.
var ownHeaders = []string{
	"Connection", "Content-Encoding", "Content-Length", "Content-Type", "Dayshift-Id", "Dayshift-Signature", "Dayshift-Timestamp", "Expect", "Host", "Keep-Alive",
	"Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent",
}

// channels checks where people are told.
func (b *builder) channels() {
	if len(b.c.Channels) > maxChannels {
		b.faultAt("channels", Fault{Problem: say.F("has %d channels; at most %d are taken", len(b.c.Channels), maxChannels)})
		return
	}
	for _, name := range sortedKeys(b.c.Channels) {
		path, channel := join("channels", name), b.c.Channels[name]
		b.entryName(path, name, maxChannelName)
		b.channel(path, &channel)
		b.c.Channels[name] = channel
	}
}

func (b *builder) channel(path string, c *Channel) {
	if _, written := b.at[path+".type"]; !written || b.reported(path+".type") {
		return // what else it may have depends on it
	}
	hook := []string{WebhookChannel}
	of := map[string][]string{
		"topic": {SNSChannel}, "url": slices.Concat(hook, rooms), "secret": slices.Concat(hook, signedRooms), "previous_secret": hook, "headers": hook,
		"allow_private": slices.Concat(hook, rooms, []string{EmailChannel}), "bus": {EventBridgeChannel}, "smtp": {EmailChannel}, "tls": {EmailChannel}, "username": {EmailChannel}, "password": {EmailChannel}, "from": {EmailChannel}, "to": {EmailChannel},
		"token": {SlackChannel}, "channel": {SlackChannel}, "chat": {SlackChannel},
	}
	for _, key := range sortedKeys(of) {
		if _, written := b.keys[path+"."+key]; written && !slices.Contains(of[key], c.Type) {
			b.faultAt(path+"."+key, Fault{Problem: say.F("is for channels of the type %s", strings.Join(of[key], ", ")), Fix: say.F("remove it, or correct the type")})
		}
	}
	need := func(key, example string) bool {
		at := path + "." + key
		_, written := b.keys[at]
		if !written {
			b.faultAt(path, Fault{Problem: say.F("has no %s", key), Fix: say.F("add %s: %s", key, example)})
		}
		return written && !b.unread(at)
	}
	switch c.Type {
	case SNSChannel:
		if need("topic", "arn:aws:sns:ap-northeast-2:111122223333:dayshift") {
			b.topic(path+".topic", c.Topic)
		}
	case EventBridgeChannel:
		if need("bus", "arn:aws:events:ap-northeast-2:111122223333:event-bus/dayshift") && !busPattern.MatchString(c.Bus) {
			b.faultAt(path+".bus", Fault{Text: c.Bus, Problem: say.F("is not the ARN of an event bus"), Allowed: say.F("arn:PARTITION:events:REGION:ACCOUNT:event-bus/NAME with partition aws, aws-cn or aws-us-gov")})
		}
	case EmailChannel:
		if need("smtp", "smtp.example.com:587") {
			b.mailServer(path+".smtp", c.SMTP)
		}
		if need("from", "Dayshift <dayshift@example.com>") {
			b.mailAddress(path+".from", c.From)
		}
		if need("to", "[ops@example.com]") {
			b.recipients(path+".to", c.To)
		}
		b.mailUser(path, c)
	case WebhookChannel:
		if need("url", "https://hooks.example.com/dayshift") {
			b.hookAddress(path+".url", &c.URL, c.AllowPrivate)
		}
		if need("secret", "${DAYSHIFT_HOOK_SECRET}") {
			c.Secret = b.hookSecret(path+".secret", c.Secret)
		}
		if at := path + ".previous_secret"; c.PreviousSecret.value != "" {
			c.PreviousSecret = b.hookSecret(at, c.PreviousSecret)
		}
		b.headers(path+".headers", c)
	default: // a room
		if _, bot := b.keys[path+".token"]; bot {
			b.slackBot(path, c)
		} else if need("url", "${DAYSHIFT_HOOK_URL}") {
			b.hookAddress(path+".url", &c.URL, c.AllowPrivate)
		}
		if c.Secret.value != "" {
			c.Secret = b.roomSecret(path+".secret", c.Secret)
		}
	}
	b.told(path, c)
	b.chosen(path+".kinds", c.Kinds, messageKinds)
	b.chosen(path+".schedules", c.Schedules, nil)
	b.chosen(path+".workloads", c.Workloads, nil)
}

func (b *builder) topic(at, text string) {
	f := Fault{Text: text, Allowed: say.F("arn:PARTITION:sns:REGION:ACCOUNT:NAME with partition aws, aws-cn or aws-us-gov")}
	switch {
	case !topicPattern.MatchString(text):
		f.Problem = say.F("is not the ARN of a topic")
	case strings.HasSuffix(text, ".fifo"):
		f.Problem, f.Fix = say.F("is a FIFO topic, to which nobody can subscribe by mail"), say.F("name a standard topic")
	default:
		return
	}
	b.faultAt(at, f)
}

// hidden is where a secret came from, for a message that does not show it.
func hidden(source string) say.Text {
	return say.F("(the value is not shown; it comes from %s)", source)
}

// hookAddress looks up the address of a webhook and checks it; private: it may lead to a network of one's own. No message shows it.
func (b *builder) hookAddress(at string, address *Secret, private bool) {
	value, source, f := b.env.secret(address.value)
	*address = Secret{}
	if f != nil {
		if !strings.HasPrefix(f.Text, "${") && !strings.HasPrefix(f.Text, "file:") {
			f.Text = ""
		}
		b.faultAt(at, *f)
		return
	}
	allowed := say.F("the https:// address of a webhook")
	u, err := outbound.ParseAddress(value, allowed.String())
	switch {
	case err != nil:
		problem, fix := addressFault(err)
		b.faultAt(at, Fault{Problem: say.F("%s %s", problem, hidden(source)), Allowed: allowed, Fix: fix})
	case u.Scheme != "https" && !private:
		b.faultAt(at, Fault{Problem: say.F("is not encrypted %s", hidden(source)), Allowed: allowed, Fix: say.F("write https://, or add allow_private: true where it leads to a network of your own")})
	default:
		*address = Secret{value: value, source: source}
	}
}

func (b *builder) hookSecret(at string, s Secret) Secret {
	value, source, f := b.env.secret(s.value)
	n := utf8.RuneCountInString(value)
	switch {
	case f != nil:
		b.faultAt(at, *f)
	case n < minHookSecret || n > maxHookSecret:
		b.faultAt(at, Fault{Problem: say.F("is %d characters long %s", n, hidden(source)), Allowed: say.F("%d to %d characters", minHookSecret, maxHookSecret), Fix: say.F("make one: openssl rand -hex 32")})
	default:
		return Secret{value: value, source: source}
	}
	return Secret{}
}

// roomSecret looks up a secret that the chat system made.
func (b *builder) roomSecret(at string, s Secret) Secret {
	value, source, f := b.env.secret(s.value)
	switch {
	case f != nil:
		b.faultAt(at, *f)
	case value == "" || len(value) > maxHookSecret || strings.TrimSpace(value) != value:
		b.faultAt(at, Fault{Problem: say.F("is not a secret of a room %s", hidden(source)), Allowed: say.F("1 to %d bytes without blanks at the ends", maxHookSecret), Fix: say.F("copy it from the settings of the room's bot")})
	default:
		return Secret{value: value, source: source}
	}
	return Secret{}
}

func (b *builder) headers(path string, c *Channel) {
	if len(c.Headers) > maxHeaders {
		b.faultAt(path, Fault{Problem: say.F("has %d headers; at most %d are sent", len(c.Headers), maxHeaders)})
		return
	}
	seen := map[string]string{}
	for _, name := range sortedKeys(c.Headers) {
		at := join(path, name)
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !headerPattern.MatchString(name):
			b.nameFault(at, Fault{Text: name, Problem: say.F("is not the name of a header"), Allowed: say.F("1 to 64 letters, digits and hyphens, such as X-Team")})
		case slices.Contains(ownHeaders, canonical):
			b.nameFault(at, Fault{Text: name, Problem: say.F("is a header that Dayshift sets itself"), Fix: say.F("remove it")})
		case seen[canonical] != "":
			b.nameFault(at, Fault{Text: name, Problem: say.F("is the same header as %s", seen[canonical]), Fix: say.F("remove one of the two")})
		}
		seen[canonical] = name
		if b.unread(at) {
			continue
		}
		value, source, f := b.env.secret(c.Headers[name].value)
		c.Headers[name] = Secret{}
		switch {
		case f != nil:
			b.faultAt(at, *f)
		case value == "" || len(value) > maxHeaderValue || strings.ContainsFunc(value, unicode.IsControl) || strings.TrimSpace(value) != value:
			b.faultAt(at, Fault{Problem: say.F("is not the value of a header %s", hidden(source)), Allowed: say.F("1 to %d bytes without control characters, and no blanks at its ends", maxHeaderValue)})
		default:
			c.Headers[name] = Secret{value: value, source: source}
		}
	}
}

// chosen checks a list that narrows what a channel gets. known, where given, are the words allowed.
func (b *builder) chosen(path string, list, known []string) {
	if _, written := b.at[path]; written && len(list) == 0 && !b.reported(path) {
		b.faultAt(path, Fault{Problem: say.F("is empty: nothing would be told"), Fix: say.F("name one, or remove the line for all of them")})
	}
	for i, word := range list {
		at := index(path, i)
		switch {
		case b.unread(at):
		case known != nil && !slices.Contains(known, word):
			b.faultAt(at, Fault{Text: word, Problem: say.F("is no kind of message"), Allowed: say.Names(known), Fix: didYouMean(word, known)})
		case word == "":
			b.faultAt(at, Fault{Problem: say.F("is empty"), Fix: say.F("write a name, or remove the entry")})
		case slices.Contains(list[:i], word):
			b.faultAt(at, Fault{Text: word, Problem: say.F("is given twice"), Fix: say.F("remove one of the two")})
		}
	}
}

// silentChannels warns of channels that are never told anything: their schedules and workloads nobody made, or the account
// of their topic is none of the configuration.
func (b *builder) silentChannels() {
	warn := func(at, name, thing string, known []string) {
		if !slices.Contains(known, name) {
			b.warnAt(at, Fault{Text: name, Problem: say.F("is not a %s that is known now", say.Word(thing)), Fix: cmp.Or(didYouMean(name, known), say.F("correct it, or make the %s", say.Word(thing)))})
		}
	}
	schedules, workloads := sortedKeys(b.l.Book.Schedules), sortedKeys(b.workloads)
	for _, name := range sortedKeys(b.c.Channels) {
		path := join("channels", name)
		if topic := b.c.Channels[name].Topic; topic != "" {
			account := strings.Split(topic, ":")[4] // an ARN, as was checked
			if !slices.ContainsFunc(b.l.Accounts, func(a Account) bool { return string(a.ID) == account }) {
				b.warnAt(path+".topic", Fault{Text: topic, Problem: say.F("is in an account that is not known now: nothing can be published to it"), Fix: say.F("add the account %s", account)})
			}
		}
		if bus := b.c.Channels[name].Bus; bus != "" {
			account := strings.Split(bus, ":")[4] // an ARN, as was checked
			if !slices.ContainsFunc(b.l.Accounts, func(a Account) bool { return string(a.ID) == account }) {
				b.warnAt(path+".bus", Fault{Text: bus, Problem: say.F("is in an account that is not known now: nothing can be put on it"), Fix: say.F("add the account %s", account)})
			}
		}
		for i, schedule := range b.c.Channels[name].Schedules {
			warn(index(path+".schedules", i), schedule, "schedule", schedules)
		}
		for i, workload := range b.c.Channels[name].Workloads {
			warn(index(path+".workloads", i), workload, "workload", workloads)
		}
	}
}
