package config

// heartbeat checks where signs of life go.
func (b *builder) heartbeat() {
	const at = "heartbeat.url"
	if _, written := b.keys[at]; written && !b.unread(at) {
		b.hookAddress(at, &b.c.Heartbeat.URL, b.c.Heartbeat.AllowPrivate)
	}
}
