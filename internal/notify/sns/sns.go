// Package sns is the channel that publishes messages to a topic of Amazon SNS,
// for whoever subscribed to it: by mail, SMS, or a program.
//
// The subject is the message's title as far as SNS takes it, the text its title
// and lines. What may go through later (too many calls, no answer, credentials
// that are about to be renewed) is told as a notify.RetryError.
package sns

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"dayshift/internal/cloud"
	"dayshift/internal/notify"
)

// maxSubject is the length of a subject: SNS wants less than 100 characters.
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
	if err == nil {
		return nil
	}
	said := fmt.Errorf("publish to %s: %w", c.Topic, err)
	switch {
	case ctx.Err() != nil, errors.Is(err, cloud.ErrThrottled), errors.Is(err, cloud.ErrTransient), errors.Is(err, cloud.ErrCredentials):
		var after time.Duration
		var asks cloud.RetryAfter
		if errors.As(err, &asks) {
			after = asks.RetryAfter()
		}
		return &notify.RetryError{Err: said, After: after}
	}
	return said
}

// subject is a title as SNS takes it everywhere: ASCII that begins with a letter or a digit, on one line. What is left out
// of it stands in the text.
func subject(title string) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, title)
	s = strings.TrimLeftFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if s == "" {
		s = "Dayshift"
	}
	if len(s) > maxSubject {
		s = s[:maxSubject-3] + "..."
	}
	return s
}

// text is what subscribers read; control characters, which a terminal would obey, are left out.
func text(m notify.Message) string {
	lines := append([]string{m.Title, ""}, m.Lines...)
	for i := range lines {
		lines[i] = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(lines[i], "\uFFFD"))
	}
	if links := m.Links(); len(links) > 0 {
		lines = append(lines, "")
		for _, choice := range links {
			lines = append(lines, choice.Label+": "+choice.Link)
		}
	}
	return strings.Join(append(lines, "", "Dayshift "+m.ID), "\n")
}
