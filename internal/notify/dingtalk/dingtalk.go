// Package dingtalk is the channel to a group of DingTalk, through a custom robot
// (https://open.dingtalk.com/document/robots/custom-robot-access), signed where the
// robot asks for it.
//
// It sends text, which is not formatted and mentions nobody.
package dingtalk

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"time"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// maxText is well below the 20,000 bytes that a robot takes.
const maxText = 8000

// later are the codes that pass: a robot that has had more than 20 in a minute takes nothing for 10 (130101, and 410100 in newer
// documentation); -1 is a system that is busy.
var later = map[int]time.Duration{130101: 10 * time.Minute, 410100: 10 * time.Minute, -1: 0}

// noRobot says what is wrong with an address that DingTalk knows nothing of.
const noRobot = "the address names no robot that there is"

// New returns the channel, or says what is wrong with its address without showing it. secret is the robot's (SEC…); empty: it asks
// for none.
func New(name string, options outbound.PostOptions, secret string) (*notify.Room, error) {
	render := func(m notify.Message) notify.Post { return render(m, secret, options.Now().UnixMilli()) }
	return notify.NewRoom(name, options, render, notify.ByCode("errcode", later, map[int]string{
		300001: noRobot, 300005: noRobot, 400101: noRobot, 400106: noRobot,
		400013: "the group was dissolved",
		400102: "the robot was switched off in the group's settings",
		310000: "the secret of the channel is not the robot's, the message lacks its keyword, or it does not take messages from this machine's address",
	}))
}

// Sign returns the signature of a post that is sent at a time, in milliseconds since 1970.
func Sign(secret string, timestamp int64) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strconv.FormatInt(timestamp, 10) + "\n" + secret))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

type content struct {
	Type string `json:"msgtype"`
	Text text   `json:"text"`
}

type text struct {
	Content string `json:"content"`
}

func render(m notify.Message, secret string, now int64) notify.Post {
	p := notify.Post{Content: content{"text", text{m.TextAndLinks(maxText)}}}
	if secret != "" {
		p.Query = url.Values{"timestamp": {strconv.FormatInt(now, 10)}, "sign": {Sign(secret, now)}}
	}
	return p
}
