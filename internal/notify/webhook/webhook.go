// Package webhook is the channel that posts messages as JSON to an address.
//
// Every post is signed: Dayshift-Signature holds HMAC-SHA256 over the time in
// Dayshift-Timestamp, a dot and the body, so that its receiver knows who sent
// it and that it is new. Dayshift-Id is the same however often a message is
// sent; a receiver that keeps the ones it has seen gets each message once.
//
// How it is posted is outbound.Poster's; nothing of the answer is used.
package webhook

import (
	"context"
	"fmt"
	"maps"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// Options are what a channel is made of.
type Options struct {
	Name string // of the channel, in the post and in errors
	outbound.PostOptions
	// Secret signs. Previous, where given, signs too: until every receiver has the new one.
	Secret, Previous string
	Headers          map[string]string // sent along
}

// Channel posts messages. Use New.
type Channel struct {
	options Options
	poster  *outbound.Poster
}

var _ notify.Sender = (*Channel)(nil)

// New returns the channel, or says what is wrong with its address without showing it.
func New(options Options) (*Channel, error) {
	poster, err := outbound.NewPoster(options.PostOptions)
	switch {
	case err != nil:
		return nil, fmt.Errorf("channel %s: %w", options.Name, err)
	case options.Secret == "":
		return nil, fmt.Errorf("channel %s: it has no secret to sign with", options.Name)
	}
	return &Channel{options: options, poster: poster}, nil
}

// Name implements notify.Sender.
func (c *Channel) Name() string { return c.options.Name }

// body is what is posted of a message.
func (c *Channel) body(m notify.Message) ([]byte, error) {
	return outbound.JSON(m.Content(c.options.Name))
}

// Send implements notify.Sender.
func (c *Channel) Send(ctx context.Context, m notify.Message) error {
	body, err := c.body(m)
	if err != nil {
		return err
	}
	header := outbound.Signed(c.options.Secret, c.options.Previous, c.options.Now(), body)
	maps.Copy(header, c.options.Headers) // none of them is one of these
	header[outbound.IDHeader] = m.ID
	_, err = c.poster.Post(ctx, nil, header, body)
	return err
}
