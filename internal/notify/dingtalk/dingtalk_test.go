package dingtalk

import (
	"net/url"
	"testing"
	"time"

	"dayshift/internal/notify"
	"dayshift/internal/notify/roomtest"
	"dayshift/internal/outbound"
)

func TestRoom(t *testing.T) {
	roomtest.Exercise(t, roomtest.Harness{
		Open: func(o outbound.PostOptions) (notify.Sender, error) { return New("room", o, "this is secret") },
		Want: `{"msgtype":"text","text":{"content":"Could not act on 2 resources (schedule seoul-office)\ndb-1 i-1 in 111122223333/ap-northeast-2: start: no capacity\n결제 i-2 in 111122223333/ap-northeast-2: start: not permitted"}}`,
		// The signature is that of openssl: printf '1785780000000\nthis is secret' | openssl dgst -sha256 -hmac 'this is secret' -binary | base64
		Query: url.Values{"timestamp": {"1785780000000"}, "sign": {"4J47qYNjA0bNVWbd/F2K2qVthj9NwOoyo5pz4y919PM="}},
		Taken: `{"errcode":0,"errmsg":"ok"}`,
		Final: map[string]string{
			`{"errcode":310000,"errmsg":"sign not match"}`:         "the secret of the channel is not the robot's",
			`{"errcode":300001,"errmsg":"token is not exist"}`:     "no robot that there is",
			`{"errcode":300005,"errmsg":"token is not exist"}`:     "no robot that there is",
			`{"errcode":400013,"errmsg":"the group is dismissed"}`: "(errcode 400013): the group was dissolved",
			`{"errcode":430104,"errmsg":"unfit content"}`:          "refuses the message (errcode 430104)",
		},
		Busy: map[string]time.Duration{
			`{"errcode":130101,"errmsg":"send too fast, exceed 20 times per"}`: 10 * time.Minute,
			`{"errcode":410100,"errmsg":"send too fast"}`:                      10 * time.Minute,
			`{"errcode":-1,"errmsg":"the system is busy"}`:                     0,
		},
		Shown: func(t *testing.T, body []byte) string { return roomtest.Field(t, body, "text", "content") },
		Links: func(t *testing.T, body []byte) []notify.Choice {
			return roomtest.LinesBelow(roomtest.Field(t, body, "text", "content"))
		},
		Limit: 20_000,
	})
}

func TestWithoutASecretNothingIsSigned(t *testing.T) {
	if p := render(roomtest.Example, "", 1); len(p.Query) > 0 {
		t.Errorf("%v", p.Query)
	}
}
