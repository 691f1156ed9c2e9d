package lark

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"dayshift/internal/notify"
	"dayshift/internal/notify/roomtest"
	"dayshift/internal/outbound"
)

func TestRoom(t *testing.T) {
	roomtest.Exercise(t, roomtest.Harness{
		Open: func(o outbound.PostOptions) (notify.Sender, error) { return New("room", o, "demo") },
		// The signature is that of openssl: printf '' | openssl dgst -sha256 -hmac "$(printf '1785780000\ndemo')" -binary | base64
		Want: `{"timestamp":"1785780000","sign":"c54hV5CPMFptbSX1QpkOrtfP89rxvQHqtvvzjA3yJLc=","msg_type":"interactive","card":{"config":{"wide_screen_mode":true},
			"header":{"title":{"tag":"plain_text","content":"Could not act on 2 resources (schedule seoul-office)"},"template":"red"},
			"elements":[{"tag":"div","text":{"tag":"plain_text","content":"db-1 i-1 in 111122223333/ap-northeast-2: start: no capacity\n결제 i-2 in 111122223333/ap-northeast-2: start: not permitted"}}]}}`,
		Taken: `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`,
		Final: map[string]string{
			`{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`: "the secret of the channel is not the bot's",
			`{"code":19024,"msg":"Key Words Not Found"}`:                                                   "a keyword",
			`{"code":9499,"msg":"Bad Request","data":{}}`:                                                  "refuses the message (code 9499)",
		},
		Busy: map[string]time.Duration{
			`{"code":11232,"msg":"frequency limited psm[lark.oapi.app_platform_runtime]"}`: time.Minute,
			`{"code":99991400,"msg":"request trigger frequency limit"}`:                    time.Minute,
			`{"code":2200,"msg":"internal error"}`:                                         0,
		},
		Shown: func(t *testing.T, body []byte) string {
			return roomtest.Field(t, body, "card", "header", "title", "content") + "\n" + roomtest.Field(t, body, "card", "elements", 0, "text", "content")
		},
		Links: func(t *testing.T, body []byte) (links []notify.Choice) {
			var c content
			if err := json.Unmarshal(body, &c); err != nil {
				t.Fatal(err)
			}
			for _, b := range c.Card.Elements[1].Actions {
				links = append(links, notify.Choice{Label: b.Text.Content, Link: b.URL})
			}
			return links
		},
		Limit: 20 << 10,
	})
}

func TestWithoutASecretNothingIsSigned(t *testing.T) {
	if c, ok := render(roomtest.Example, "", 1).Content.(content); !ok || c.Sign != "" || c.Timestamp != "" {
		t.Errorf("%+v", c)
	}
}

// The gateway in front of the bots says in a header of its own when to come back.
func TestTheGatewaySaysWhenToComeBack(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ogw-Ratelimit-Reset", "52")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	room, err := New("room", outbound.PostOptions{URL: server.URL, AllowPrivate: true, Now: time.Now}, "")
	if err != nil {
		t.Fatal(err)
	}
	var again notify.Retryable
	if err := room.Send(t.Context(), roomtest.Example); !errors.As(err, &again) || again.RetryAfter() != 52*time.Second {
		t.Error(err)
	}
}
