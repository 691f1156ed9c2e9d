// Package wecom is the channel to a group of WeCom (企业微信), through a group robot
// (https://developer.work.weixin.qq.com/document/path/91770).
//
// It sends text, which is not formatted and mentions nobody.
package wecom

import (
	"time"

	"dayshift/internal/notify"
	"dayshift/internal/outbound"
)

// maxText is what a robot takes, in bytes of UTF-8.
const maxText = 2048

// later are the codes that pass: a robot takes 20 posts a minute (45009), and few at once (45033); -1 is a system that is busy.
var later = map[int]time.Duration{45009: time.Minute, 45033: 0, -1: 0}

// New returns the channel, or says what is wrong with its address without showing it.
func New(name string, options outbound.PostOptions) (*notify.Room, error) {
	return notify.NewRoom(name, options, render, notify.ByCode("errcode", later, map[int]string{
		93000: "the address names no robot that there is",
	}))
}

type content struct {
	Type string `json:"msgtype"`
	Text text   `json:"text"`
}

type text struct {
	Content string `json:"content"`
}

func render(m notify.Message) notify.Post {
	return notify.Post{Content: content{"text", text{m.TextAndLinks(maxText)}}}
}
