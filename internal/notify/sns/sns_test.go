package sns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"dayshift/internal/cloud"
	"dayshift/internal/notify"
)

const topic = "arn:aws:sns:ap-northeast-2:111122223333:dayshift"

// publisher answers as it is told and remembers what it was given.
type publisher struct {
	mu                      sync.Mutex
	err                     error
	hangs                   bool
	calls                   int
	topic, subject, message string
}

func (p *publisher) Publish(ctx context.Context, topic, subject, message string) error {
	p.mu.Lock()
	p.calls++
	p.topic, p.subject, p.message = topic, subject, message
	hangs := p.hangs
	p.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return fmt.Errorf("%w: %w", cloud.ErrTransient, ctx.Err())
	}
	return p.err
}

var example = notify.Message{
	ID: "IXJV", Kind: notify.Failed, Schedule: "office", Count: 2, Title: "Could not act on 2 resources (schedule office)",
	Lines: []string{"db-1 i-0a1: start: no capacity", "결제 i-0a2:\x1b[31m refused"},
}

func TestSend(t *testing.T) {
	p := &publisher{}
	c := &Channel{Label: "ops", Publisher: p, Topic: topic}
	if err := c.Send(t.Context(), example); err != nil || c.Name() != "ops" {
		t.Fatal(err)
	}
	want := "Could not act on 2 resources (schedule office)\n\ndb-1 i-0a1: start: no capacity\n결제 i-0a2:[31m refused\n\nDayshift IXJV"
	if p.topic != topic || p.subject != example.Title || p.message != want {
		t.Errorf("%q, %q, %q", p.topic, p.subject, p.message)
	}
}

func TestSubject(t *testing.T) {
	for title, want := range map[string]string{
		"Stopping 1 resource": "Stopping 1 resource",
		"리소스 2개를 중지합니다 (스케줄 서울)":              "리소스 2개를 중지합니다 (스케줄 서울)",
		"서울\r\nBcc: x\u2028\x1b[31my":         "서울  Bcc: x [31my",
		"":                                    "Dayshift",
		"\x00 ":                               "Dayshift",
		"Stopping " + strings.Repeat("서", 90): "Stopping " + strings.Repeat("서", 90),
		"Stopping " + strings.Repeat("서", 91): "Stopping " + strings.Repeat("서", 89) + "…",
		"Stopping " + strings.Repeat("😀", 46): "Stopping " + strings.Repeat("😀", 44) + "…",
	} {
		if got := subject(title); got != want || notify.Characters(got) > maxSubject {
			t.Errorf("%q: %q, want %q", title, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for again, refusal := range map[bool]error{true: cloud.ErrThrottled, false: cloud.ErrNotFound} {
		c := &Channel{Label: "ops", Publisher: &publisher{err: refusal}, Topic: topic}
		err := c.Send(t.Context(), example)
		if _, is := errors.AsType[*notify.RetryError](err); !errors.Is(err, refusal) || is != again {
			t.Errorf("%v: %v", refusal, err)
		}
	}
}

// TestFault61ATopicThatIsDownBlocksNothing: behind its outbox a topic that hangs costs its sender nothing, and what was said
// meanwhile comes in few messages.
func TestFault61ATopicThatIsDownBlocksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{hangs: true}
		var log bytes.Buffer
		outbox := notify.NewOutbox("ops", notify.Channel{Sender: &Channel{Label: "ops", Publisher: p, Topic: topic}}, notify.OutboxOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
		began := time.Now()
		for range 1000 {
			if err := outbox.Tell(t.Context(), []notify.Event{{Kind: notify.Failed, Schedule: "office", Name: "db-1"}}); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the sender waited %s", took)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		p.mu.Lock()
		tried := p.calls
		p.hangs = false
		p.mu.Unlock()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		p.mu.Lock()
		sent, message := p.calls-tried, p.message
		p.mu.Unlock()
		if sent > 55 || sent < 50 || !strings.Contains(message, "db-1") {
			t.Errorf("%d messages were published, the last: %s", sent, message)
		}
		outbox.Close(t.Context())
		if strings.Contains(log.String(), "was not delivered") {
			t.Error(log.String())
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Add("Stopping", "web-1")
	f.Add("\xff\x00", "\x1b]0;x\x07\r\n")
	f.Fuzz(func(t *testing.T, title, line string) {
		m := text(notify.Message{Title: title, Lines: []string{line}})
		if !utf8.ValidString(m) || strings.ContainsAny(m, "\x00\x1b\r\x07") || strings.Count(m, "\n") != 4 {
			t.Fatalf("%q", m)
		}
		if s := subject(title); s == "" || !utf8.ValidString(s) || notify.Characters(s) > maxSubject || strings.ContainsFunc(s, unicode.IsControl) {
			t.Fatalf("%q", s)
		}
	})
}
