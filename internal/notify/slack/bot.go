package slack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// PostMessage is where bots post (https://docs.slack.dev/reference/methods/chat.postMessage); beside it they change what they posted.
const PostMessage = "https://slack.com/api/chat.postMessage"

// NewBot returns the channel of a bot, by its token, to a channel of Slack, by its ID. It can change what it posted, which an
// incoming webhook can not. The address of options is PostMessage; pressed as for New.
func NewBot(name string, options outbound.PostOptions, token, channel string, pressed bool) (*notify.UpdatingRoom, error) {
	post := func(m notify.Message) spoken {
		return spoken{content: render(m, pressed), Channel: channel}
	}
	header := map[string]string{"Authorization": "Bearer " + token}
	room, err := notify.NewRoom(name, options, func(m notify.Message) notify.Post {
		return notify.Post{Header: header, Content: post(m)}
	}, verdict)
	if err != nil {
		return nil, err
	}
	return notify.NewUpdatingRoom(room, handle, func(poster *outbound.Poster, handle string, m notify.Message) (*outbound.Poster, notify.Post) {
		changed := post(m)
		changed.Channel, changed.TS, _ = strings.Cut(handle, "/")
		return poster.At(http.MethodPost, "..", "chat.update"), notify.Post{Header: header, Content: changed}
	}), nil
}

// spoken is what a bot posts; TS is the message that it changes.
type spoken struct {
	content

	Channel string `json:"channel"`
	TS      string `json:"ts,omitempty"`
}

var handlePattern = regexp.MustCompile(`^[A-Z0-9]{1,32}/[0-9]{1,20}\.[0-9]{1,10}$`)

// handle finds in Slack's answer where a message stands.
func handle(answer []byte) string {
	var said struct {
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	}
	if json.Unmarshal(answer, &said) != nil {
		return ""
	}
	if at := said.Channel + "/" + said.TS; handlePattern.MatchString(at) {
		return at
	}
	return ""
}

// later are errors that pass. What Slack asks to wait for it says by status 429.
var later = []string{"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}

// known are errors of bots and webhooks that somebody can mend.
var known = map[string]string{
	"no_service": "the webhook was removed, or its app was", "no_team": "the workspace of the webhook is gone", "invalid_token": "the address of the webhook is not whole",
	"channel_is_archived": "the channel is archived", "action_prohibited": "the workspace does not let the webhook post there", "team_disabled": "the workspace was switched off",
	"invalid_auth": "the token is not that of a bot", "not_authed": "the token is not that of a bot", "token_revoked": "the token was revoked", "token_expired": "the token has expired",
	"account_inactive": "the app was removed from the workspace", "channel_not_found": "there is no such channel, or the app is not in it", "not_in_channel": "the bot is not in the channel; invite it there",
	"is_archived": "the channel is archived", "missing_scope": "the app lacks the scope chat:write", "restricted_action": "the workspace does not let the app post there",
}

var errorPattern = regexp.MustCompile(`^[a-z_]{1,60}$`)

// verdict reads Slack's answer, which has status 200 also where it refuses.
func verdict(body []byte) error {
	var said struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil {
		return &notify.RetryError{Err: notify.ErrUnread}
	}
	if !errorPattern.MatchString(said.Error) {
		said.Error = "no reason"
	}
	switch {
	case said.OK:
		return nil
	case slices.Contains(later, said.Error):
		return &notify.RetryError{Err: fmt.Errorf("it takes no more for now (%s)", said.Error)}
	case known[said.Error] != "":
		return fmt.Errorf("it refuses the message (%s): %s", said.Error, known[said.Error])
	}
	return fmt.Errorf("it refuses the message (%s)", said.Error)
}
