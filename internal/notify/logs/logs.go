// Package logs is the channel that every installation has: messages become
// records of the program's log.
package logs

import (
	"context"
	"log/slog"

	"dayshift/internal/notify"
)

// Channel writes messages to a logger.
type Channel struct{ Logger *slog.Logger }

var _ notify.Sender = Channel{}

// Name implements notify.Sender.
func (Channel) Name() string { return "log" }

// Send implements notify.Sender; it never fails. What needs somebody is a warning.
func (c Channel) Send(ctx context.Context, message notify.Message) error {
	level := slog.LevelInfo
	if message.Kind.Tone() == notify.Alarm {
		level = slog.LevelWarn
	}
	c.Logger.LogAttrs(ctx, level, message.Title, //nolint:sloglint // the record is the message that people get, and its title is what it says
		slog.String("kind", string(message.Kind)),
		slog.String("schedule", message.Schedule),
		slog.Int("count", message.Count),
		slog.Any("lines", message.Lines))
	return nil
}
