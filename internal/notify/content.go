package notify

// Content is a message as programs get it. Fields may be added; another Version would mean another form.
type Content struct {
	Version int    `json:"version"`
	Channel string `json:"channel"`
	Message
}

// Content is the message as a channel gives it to programs.
func (m Message) Content(channel string) Content {
	m.At = m.At.UTC()
	if m.Lines == nil {
		m.Lines = []string{}
	}
	return Content{Version: 1, Channel: channel, Message: m}
}
