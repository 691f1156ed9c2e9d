package client

import (
	"context"
	"net/http"
	"strconv"

	"dayshift/internal/service"
)

// Channels tells how every channel stands.
func (c *Client) Channels(ctx context.Context) (service.Channels, error) {
	var body service.Channels
	err := c.ask(ctx, get("channels"), &body)
	return body, err
}

// Channel tells how one channel stands.
func (c *Client) Channel(ctx context.Context, name string) (service.Channel, error) {
	q := get("channels", name)
	q.missing = asInput
	var body service.Channel
	err := c.ask(ctx, q, &body)
	return body, err
}

// PreviewMessage shows what a channel would be sent of an example.
func (c *Client) PreviewMessage(ctx context.Context, request service.PreviewRequest) (service.MessagePreview, error) {
	q := get("channels", request.Channel, "preview").with("kind", request.Kind).with("language", request.Language)
	q.missing = asInput
	var body service.MessagePreview
	err := c.ask(ctx, q, &body)
	return body, err
}

// TestChannel sends a message that says that it is a test; the author is whose key it is.
func (c *Client) TestChannel(ctx context.Context, test service.ChannelTest) (service.ChannelTestAnswer, error) {
	q := call{method: http.MethodPost, path: []string{"channels", test.Channel, "test"}, missing: asInput}
	var body service.ChannelTestAnswer
	err := c.ask(ctx, q, &body)
	return body, err
}

// Deliveries lists messages and what became of them, the newest first.
func (c *Client) Deliveries(ctx context.Context, query service.DeliveryQuery) (service.DeliveryList, error) {
	q := get("deliveries").with("channel", query.Channel).with("state", query.State).with("before", query.Before)
	if query.Limit > 0 {
		q = q.with("limit", strconv.Itoa(query.Limit))
	}
	var body service.DeliveryList
	err := c.ask(ctx, q, &body)
	return body, err
}

// SendAgain asks for what was given up to be sent again; the author is whose key it is.
func (c *Client) SendAgain(ctx context.Context, request service.AgainRequest) (service.AgainAnswer, error) {
	q := call{method: http.MethodPost, path: []string{"channels", request.Channel, "again"}, missing: asInput}
	if request.ID != "" {
		q.path = []string{"deliveries", request.ID, "again"}
	}
	var body service.AgainAnswer
	err := c.ask(ctx, q, &body)
	return body, err
}
