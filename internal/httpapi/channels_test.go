package httpapi

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// hookRoom is a channel that keeps what it was sent.
type hookRoom struct {
	got  []notify.Message
	fail error
}

func (r *hookRoom) Name() string { return "seoul-office" }

func (r *hookRoom) Send(_ context.Context, m notify.Message) error {
	if r.fail == nil {
		r.got = append(r.got, m)
	}
	return r.fail
}

// ways are the channels of the house, in Korean.
func (h *house) ways() (map[string]notify.Channel, error) {
	return map[string]notify.Channel{"seoul-office": {
		Sender: &h.room, Words: notify.Words{Language: say.Korean},
		Filter: notify.Filter{Kinds: []notify.Kind{notify.Failed, notify.StopWarning}, Schedules: []string{"seoul-office"}},
	}}, nil
}

// letter keeps a letter about resources of the house.
func (h *house) letter(id string, state notify.LetterState, told ...fleet.Resource) {
	h.tb.Helper()
	letter := notify.Letter{ID: id, Channel: "seoul-office", State: state, Since: houseTime, Tries: 3}
	var events []notify.Event
	for i := range told {
		events = append(events, notify.Event{Kind: notify.Failed, Schedule: "seoul-office", Ref: told[i].Ref, Name: told[i].Name, Text: say.F("%s failed %d times: %v", say.Word("start"), 3, "no"), At: houseTime})
	}
	letter.Notice = notify.Group(events, notify.BySubject)[0]
	if state == notify.LetterDead {
		letter.Error, letter.Settled = "post to hooks.example.com: it answers with status 410", houseTime
	}
	record, err := letter.Record(houseTime)
	if err != nil {
		h.tb.Fatal(err)
	}
	lease, err := h.store.Held(h.tb.Context(), "scheduler")
	if err != nil {
		h.tb.Fatal(err)
	}
	if err := h.store.SaveRecords(h.tb.Context(), lease, []store.Record{record}); err != nil {
		h.tb.Fatal(err)
	}
}

// TestChannelsAreShownWithoutTheirSecrets: of an address the host is told, of a route its words in the reader's language.
func TestChannelsAreShownWithoutTheirSecrets(t *testing.T) {
	h := newHouse(t, Options{})
	h.letter("1", notify.LetterDead, h.resources[0])
	h.letter("2", notify.LetterWaiting, h.resources[0])
	var list service.Channels
	h.get(ask{path: base + "/channels", as: "viewer"}, 200, &list)
	if len(list.Channels) != 1 || list.Channels[0].Leads != "hooks.example.com" || list.Channels[0].Dead != 1 || list.Channels[0].Waiting != 1 || len(list.Kinds) != len(notify.Kinds) {
		t.Errorf("%+v", list)
	}
	var c struct{ Route, Language string }
	h.get(ask{path: base + "/channels/seoul-office", as: "viewer", headers: map[string]string{"Accept-Language": "ko"}}, 200, &c)
	if c.Language != "ko" || !strings.Contains(c.Route, "작업 실패") || !strings.Contains(c.Route, "seoul-office") {
		t.Errorf("%+v", c)
	}
	h.refused(ask{path: base + "/channels/nobody", as: "viewer"}, 404, notFound)
	h.refused(ask{path: base + "/channels", as: "shop admin"}, 403, outside)
}

// TestPreviewIsInTheChannelsLanguage: a preview shows what the channel gets, whatever the reader's language, unless another is asked for.
func TestPreviewIsInTheChannelsLanguage(t *testing.T) {
	h := newHouse(t, Options{})
	var p service.MessagePreview
	h.get(ask{path: base + "/channels/seoul-office/preview?kind=stop-warning", as: "viewer"}, 200, &p)
	if p.Language != "ko" || !strings.Contains(p.Title, "리소스") || p.Tone != "warning" || !p.Told || len(h.room.got) > 0 {
		t.Errorf("%+v", p)
	}
	h.get(ask{path: base + "/channels/seoul-office/preview?kind=starting&language=en", as: "viewer"}, 200, &p)
	if p.Told || !strings.HasPrefix(p.Title, "Starting 2 resources") {
		t.Errorf("%+v", p)
	}
	h.refused(ask{path: base + "/channels/seoul-office/preview?kind=stop-warnin", as: "viewer"}, 422, invalid)
}

// TestAChannelIsTested: the answer says what came of it, the record who asked, and a second press within seconds sends nothing.
func TestAChannelIsTested(t *testing.T) {
	h := newHouse(t, Options{})
	test := ask{method: "POST", path: base + "/channels/seoul-office/test", as: "operator"}
	var answer service.ChannelTestAnswer
	h.get(test, 200, &answer)
	if !answer.Delivered || len(h.room.got) != 1 || h.room.got[0].Kind != notify.Trial || !strings.Contains(h.room.got[0].Lines[0], "operator") {
		t.Errorf("%+v, %+v", answer, h.room.got)
	}
	if p := h.refused(test, 429, rate); !strings.Contains(p.Detail.String(), "just been tested") || len(h.room.got) != 1 {
		t.Errorf("%+v, %d sent", p, len(h.room.got))
	}
	rows, err := h.store.Activity(t.Context(), store.ActivityQuery{Event: store.EventChannelTest})
	if err != nil || len(rows) != 2 || rows[0].Reason != "asked" || rows[1].Reason != "delivered" || rows[1].Name != "seoul-office" {
		t.Errorf("%+v, %v", rows, err)
	}

	h = newHouse(t, Options{})
	h.room.fail = &notify.RetryError{Err: errors.New("post to hooks.example.com: it answers with status 502")}
	h.get(test, 200, &answer)
	if answer.Delivered || !answer.Again || !strings.Contains(answer.Error, "502") {
		t.Errorf("%+v", answer)
	}
}

// TestDeliveriesWithinAFilter: who is bound to a filter sees of a message what is told of their resources, counts included, and nothing of others.
func TestDeliveriesWithinAFilter(t *testing.T) {
	h := newHouse(t, Options{})
	h.letter("1", notify.LetterDead, h.resources[0], h.resources[2])
	h.letter("2", notify.LetterSent, h.resources[2])
	var all, part service.DeliveryList
	h.get(ask{path: base + "/deliveries", as: "viewer", headers: map[string]string{"Accept-Language": "ko"}}, 200, &all)
	if len(all.Items) != 2 || all.Items[1].Count != 2 || !strings.Contains(all.Items[1].Title, "리소스 2개") || all.Items[1].Error == "" {
		t.Errorf("%+v", all)
	}
	w := h.do(ask{path: base + "/deliveries", as: "shop admin"})
	if strings.Contains(w.Body.String(), "hidden") || strings.Contains(w.Body.String(), "444455556666") {
		t.Errorf("tells of others: %s", w.Body)
	}
	h.get(ask{path: base + "/deliveries", as: "shop admin"}, 200, &part)
	if len(part.Items) != 1 || part.Items[0].Count != 1 || len(part.Items[0].Lines) != 1 {
		t.Errorf("%+v", part)
	}
	var page service.DeliveryList
	h.get(ask{path: base + "/deliveries?limit=1", as: "viewer"}, 200, &page)
	if len(page.Items) != 1 || page.Next != "2" {
		t.Fatalf("%+v", page)
	}
	h.get(ask{path: base + "/deliveries?limit=1&before=" + page.Next, as: "viewer"}, 200, &page)
	if len(page.Items) != 1 || page.Items[0].ID != "1" || page.Next != "" {
		t.Errorf("%+v", page)
	}
	h.refused(ask{method: "POST", path: base + "/deliveries/1/again", as: "shop admin"}, 403, outside)
}

// TestMessagesAreSentAgain: only what was given up is, by the name of who asks.
func TestMessagesAreSentAgain(t *testing.T) {
	h := newHouse(t, Options{})
	h.letter("1", notify.LetterDead, h.resources[0])
	h.letter("2", notify.LetterSent, h.resources[0])
	h.letter("3", notify.LetterWaiting, h.resources[0])
	var answer service.AgainAnswer
	h.get(ask{method: "POST", path: base + "/deliveries/1/again", as: "operator"}, 200, &answer)
	if answer.Messages != 1 || answer.Channel != "seoul-office" {
		t.Errorf("%+v", answer)
	}
	h.get(ask{method: "POST", path: base + "/channels/seoul-office/again", as: "operator"}, 200, &answer)
	rows, err := h.store.Activity(t.Context(), store.ActivityQuery{Event: store.EventMessageAgain})
	if err != nil || len(rows) != 2 || rows[0].Name != "1" || rows[0].Reason != notify.AgainMessage || rows[1].Name != "seoul-office" || rows[1].Reason != notify.AgainChannel || !strings.HasPrefix(rows[0].Actor, "operator") {
		t.Errorf("%+v, %v", rows, err)
	}
	h.refused(ask{method: "POST", path: base + "/deliveries/2/again", as: "operator"}, 422, invalid)
	h.refused(ask{method: "POST", path: base + "/deliveries/3/again", as: "operator"}, 422, invalid)
	h.refused(ask{method: "POST", path: base + "/deliveries/4/again", as: "operator"}, 404, notFound)
	h.refused(ask{method: "POST", path: base + "/deliveries/1/again", as: "viewer"}, 403, forbidden)
}

// BenchmarkChannels: with as many letters as are ever kept of those given up and sent.
func BenchmarkChannels(b *testing.B) {
	h := newHouse(b, Options{})
	for range 2000 {
		h.letter(notify.NewLetterID(time.Now()), notify.LetterDead, h.resources...)
	}
	for b.Loop() {
		if _, err := h.Service().Channels(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
