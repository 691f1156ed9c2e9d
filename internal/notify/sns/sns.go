// Package sns is the channel that publishes messages to a topic of Amazon SNS,
// for whoever subscribed to it: by mail, SMS, or a program.
//
// The subject is the message's title as far as SNS takes it, the text its title
// and lines. What may go through later (too many calls, no answer, credentials
// that are about to be renewed) is told as a notify.RetryError.
package sns

import (
	"context"
	"strings"
	"unicode"

	"dayshift/internal/cloud"
	"dayshift/internal/notify"
)

// maxSubject is the length of a subject: SNS wants less than 100 characters, of UTF-8.
const maxSubject = 99

// Channel publishes messages to one topic.
type Channel struct {
	Label     string // its name in the configuration
	Publisher cloud.Publisher
	Topic     string // ARN
}

var _ notify.Sender = (*Channel)(nil)

// Name implements notify.Sender.
func (c *Channel) Name() string { return c.Label }

// Send implements notify.Sender.
func (c *Channel) Send(ctx context.Context, m notify.Message) error {
	err := c.Publisher.Publish(ctx, c.Topic, subject(m.Title), text(m))
	if after, again := cloud.Again(err); again || err != nil && ctx.Err() != nil {
		return &notify.RetryError{Err: err, After: after}
	}
	return err
}

// subject is a title as SNS takes it: on one line.
func subject(title string) string {
	s := strings.TrimSpace(printable(title))
	if s == "" {
		s = "Dayshift"
	}
	return notify.Cut(s, maxSubject, notify.Characters)
}

// printable is a text without control characters, which a terminal would obey, and on one line.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// text is what subscribers read.
func text(m notify.Message) string {
	lines := append([]string{m.Title, ""}, m.Lines...)
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	if links := m.Links(); len(links) > 0 {
		lines = append(lines, "")
		for _, choice := range links {
			lines = append(lines, choice.Label+": "+choice.Link)
		}
	}
	return strings.Join(append(lines, "", "Dayshift "+m.ID), "\n")
}
