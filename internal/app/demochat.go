package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// demoChat stands for the chat systems that the demo's channels post to: a
// server of this machine with a room at each path, which answers as they do.
type demoChat struct {
	url    string
	now    func() time.Time
	server *http.Server
	served chan struct{} // closed once it has ended

	mu             sync.Mutex
	taken, refused int64
	last           DemoPost
}

// DemoPost is a post as a room got it.
type DemoPost struct {
	At            time.Time
	Channel, Text string
}

const (
	// demoPostLimit is more than any channel posts.
	demoPostLimit = 1 << 20
	// demoChatPatience is how long a connection may take to ask.
	demoChatPatience = 10 * time.Second
)

// newDemoChat opens the rooms. The caller closes them, after the channels.
func newDemoChat(ctx context.Context, now func() time.Time) (*demoChat, error) {
	var network net.ListenConfig
	listener, err := network.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the rooms of the demo: %w", err)
	}
	c := &demoChat{url: "http://" + listener.Addr().String(), now: now, served: make(chan struct{})}
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: demoChatPatience}
	go func() {
		defer close(c.served)
		_ = c.server.Serve(listener) // until it is closed; channels whose posts fail say so on the page
	}()
	return c, nil
}

func (c *demoChat) close() {
	_ = c.server.Close() // nobody posts any more
	<-c.served
}

// demoBroken is the channel whose receiver does not work at demoDown.
const demoBroken = "wallboard"

// demoDown: the wallboard is switched off in the middle of the morning, and is
// updated at the end of each day. Some of what it misses is given up, the rest
// arrives when it is back.
func demoDown(now time.Time) bool {
	hour := now.In(demoSeoul()).Hour()
	return hour >= 9 && hour < 11 || hour >= 17 && hour < 21
}

// ServeHTTP implements http.Handler.
func (c *demoChat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, demoPostLimit))
	if err != nil {
		http.Error(w, "too long", http.StatusRequestEntityTooLarge)
		return
	}
	now := c.now()
	channel, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	if channel == demoBroken && demoDown(now) {
		c.refused++
		http.Error(w, "switched off", http.StatusServiceUnavailable)
		return
	}
	c.taken++
	if text := postedTitle(body); text != "" {
		c.last = DemoPost{now, channel, text}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id":"`+strconv.FormatInt(c.taken, 10)+`","code":0}`) // Discord's answer, and Lark's
}

// postedTitle is the title of what is posted to JANDI or Lark; empty for other posts.
func postedTitle(body []byte) string {
	var post struct {
		Body string
		Card struct {
			Header struct{ Title struct{ Content string } }
		}
	}
	if json.Unmarshal(body, &post) != nil {
		return ""
	}
	return post.Body + post.Card.Header.Title.Content
}

// stands gives how many posts were taken and refused, and the last one that has a title.
func (c *demoChat) stands() (taken, refused int64, last DemoPost) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken, c.refused, c.last
}
