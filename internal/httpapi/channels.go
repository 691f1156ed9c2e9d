package httpapi

import (
	"context"
	"net/http"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/service"
)

// ChannelPath names a channel.
type ChannelPath struct {
	Name string `path:"name" maxLength:"300" doc:"The name of the channel in the configuration; of the topic of a workload topic ARN, with its blank written %20."`
}

// DeliveryQuery is what deliveries are filtered by.
type DeliveryQuery struct {
	Channel string `query:"channel" maxLength:"300" doc:"Only those of this channel."`
	State   string `query:"state" enum:"waiting,kept,sent,dead" doc:"Only those that wait, are kept for a digest, were sent, or were given up."`
	Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"At most this many."`
	Before  string `query:"before" maxLength:"100" doc:"The next of the page before."`
	// Accept is the language of the reader; every operation has it.
	Accept string `header:"Accept-Language" hidden:"true"`
}

func (s *Surface) channels() {
	op(s, toRead, operation{
		id: "listChannels", method: http.MethodGet, path: "/channels", tag: "Notifications", summary: "List where people are told, what goes there, and how that stands",
		doc: "The topics of workloads are among them. Of an address only the host is told.",
	}, func(ctx context.Context, _ *struct{}) (*answer[service.Channels], error) {
		if err := unbound(ctx); err != nil {
			return nil, err
		}
		body, err := s.program.Service().Channels(ctx)
		return &answer[service.Channels]{body}, err
	})
	op(s, toRead, operation{id: "getChannel", method: http.MethodGet, path: "/channels/{name}", tag: "Notifications", summary: "Show a channel"},
		func(ctx context.Context, in *ChannelPath) (*answer[service.Channel], error) {
			if err := s.knownChannel(ctx, in.Name); err != nil {
				return nil, err
			}
			body, err := s.program.Service().Channel(ctx, in.Name)
			return &answer[service.Channel]{body}, err
		})
	op(s, toRead, operation{
		id: "previewMessage", method: http.MethodGet, path: "/channels/{name}/preview", tag: "Notifications", summary: "Show what a message looks like in a channel",
		doc: "Of an example: nothing is sent. Where the channel posts JSON, it is in the answer, without a signature.",
	}, func(ctx context.Context, in *struct {
		ChannelPath
		Kind     string `query:"kind" maxLength:"60" example:"stop-warning" doc:"The kind of the message; absent: the first that the channel gets."`
		Language string `query:"language" enum:"en,zh-CN,ko" doc:"Absent: the language of the channel."`
	},
	) (*answer[service.MessagePreview], error) {
		if err := s.knownChannel(ctx, in.Name); err != nil {
			return nil, err
		}
		body, err := s.program.Service().PreviewMessage(ctx, service.PreviewRequest{Channel: in.Name, Kind: in.Kind, Language: in.Language})
		return &answer[service.MessagePreview]{body}, err
	})
	op(s, toAct, operation{
		id: "testChannel", method: http.MethodPost, path: "/channels/{name}/test", tag: "Notifications", summary: "Send a message that says that it is a test",
		doc: "At once, whatever else waits; the answer says whether the channel took it, and what is in the way. A channel is tested once in 10 seconds.",
	}, func(ctx context.Context, in *ChannelPath) (*answer[service.ChannelTestAnswer], error) {
		if err := s.knownChannel(ctx, in.Name); err != nil {
			return nil, err
		}
		if err := s.recheck(ctx, toAct); err != nil {
			return nil, err
		}
		body, err := s.program.Service().TestChannel(ctx, service.ChannelTest{Channel: in.Name, Author: who(ctx).Actor()})
		return &answer[service.ChannelTestAnswer]{body}, err
	})
	op(s, toAct, operation{
		id: "sendChannelAgain", method: http.MethodPost, path: "/channels/{name}/again", tag: "Notifications", summary: "Have everything sent again that a channel did not take",
		doc: "What was given up is sent within seconds by the process that acts, with as many tries as if it were new.",
	}, func(ctx context.Context, in *ChannelPath) (*answer[service.AgainAnswer], error) {
		if err := s.knownChannel(ctx, in.Name); err != nil {
			return nil, err
		}
		return s.again(ctx, service.AgainRequest{Channel: in.Name})
	})
	op(s, toRead, operation{
		id: "listDeliveries", method: http.MethodGet, path: "/deliveries", tag: "Notifications", summary: "List messages and what became of them, the newest first",
		doc: "Those that wait, those sent in the last week, and those given up in the last month, at most 1,000 of both. Whoever is bound to a filter sees of a message what is told of their resources.",
	}, func(ctx context.Context, in *DeliveryQuery) (*answer[service.DeliveryList], error) {
		query := service.DeliveryQuery{Channel: in.Channel, State: in.State, Before: in.Before, Limit: in.Limit, Language: say.Best(in.Accept)}
		if who(ctx).within != nil {
			query.Sees = func(ref fleet.Ref) bool { return s.seesResource(ctx, ref) }
		}
		body, err := s.program.Service().Deliveries(ctx, query)
		return &answer[service.DeliveryList]{body}, err
	})
	op(s, toAct, operation{
		id: "sendAgain", method: http.MethodPost, path: "/deliveries/{id}/again", tag: "Notifications", summary: "Have a message sent again that was given up",
		doc: "It is sent within seconds by the process that acts, with as many tries as if it were new.",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"100" doc:"The ID of the delivery."`
	},
	) (*answer[service.AgainAnswer], error) {
		if err := unbound(ctx); err != nil {
			return nil, err
		}
		return s.again(ctx, service.AgainRequest{ID: in.ID})
	})
}

func (s *Surface) again(ctx context.Context, request service.AgainRequest) (*answer[service.AgainAnswer], error) {
	if err := s.recheck(ctx, toAct); err != nil {
		return nil, err
	}
	request.Author = who(ctx).Actor()
	body, err := s.program.Service().SendAgain(ctx, request)
	return &answer[service.AgainAnswer]{body}, err
}

// knownChannel is an error where there is no such channel, or for whoever is bound to a filter: a channel tells of the whole fleet.
func (s *Surface) knownChannel(ctx context.Context, name string) error {
	if err := unbound(ctx); err != nil {
		return err
	}
	return noReservation(s.program.Service().KnownChannel(name))
}
