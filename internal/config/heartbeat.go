package config

import "dayshift/internal/say"

// heartbeat checks where signs of life go, and what proves them.
func (b *builder) heartbeat() {
	const at, secret, previous = "heartbeat.url", "heartbeat.secret", "heartbeat.previous_secret"
	beat := &b.c.Heartbeat
	if _, written := b.keys[at]; written && !b.unread(at) {
		b.hookAddress(at, &beat.URL, beat.AllowPrivate)
	}
	_, signed := b.keys[secret]
	if signed && !b.unread(secret) {
		beat.Secret = b.hookSecret(secret, beat.Secret)
	}
	if _, written := b.keys[previous]; written && !b.unread(previous) {
		if !signed {
			b.faultAt(previous, Fault{Problem: say.F("is the secret before another one, and there is no %s", "secret"), Fix: say.F("add %s: %s", "secret", "${DAYSHIFT_HEARTBEAT_SECRET}")})
		}
		beat.PreviousSecret = b.hookSecret(previous, beat.PreviousSecret)
	}
}
