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

// pause is how long a robot that has had too many is left alone: it takes 20 a minute.
const pause = time.Minute

// New returns the channel, or says what is wrong with its address without showing it.
func New(name string, options outbound.PostOptions) (*notify.Room, error) {
	return notify.NewRoom(name, options, render, notify.ByCode("errcode", []int{45009}, pause, map[int]string{
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
