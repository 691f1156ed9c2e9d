package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dayshift/internal/chatbot/wire"
	"dayshift/internal/outbound"
	"dayshift/internal/service"
	"dayshift/internal/store"
	"dayshift/internal/store/storetest"
)

const chatSecret = "0123456789abcdef0123456789abcdef"

// room plays a chat system and the bot behind it.
type room struct {
	mu     sync.Mutex
	asked  []wire.Ask
	told   []wire.Reply
	answer func(ctx context.Context, ask wire.Ask) wire.Reply
	fail   error // of Tell
	later  string
	button bool // requests are buttons of Slack
}

// laterSystem is the generic one where answers can come later.
type laterSystem struct {
	wire.System
	room *room
}

func (l laterSystem) Read(header http.Header, body []byte, now time.Time) (wire.Ask, *wire.Raw, error) {
	ask, early, err := l.System.Read(header, body, now)
	if err == nil {
		ask.Later, ask.Acknowledge = l.room.later, l.room.button
	}
	return ask, early, err
}

func (r *room) System(chat string) wire.System {
	if chat != "ops" {
		return nil
	}
	return laterSystem{wire.NewGeneric(chatSecret, ""), r}
}

func (r *room) Answer(ctx context.Context, ask wire.Ask) wire.Reply {
	r.mu.Lock()
	r.asked = append(r.asked, ask)
	r.mu.Unlock()
	if r.answer != nil {
		return r.answer(ctx, ask)
	}
	return wire.Reply{Text: "answered " + ask.Text}
}

func (r *room) Working(wire.Ask) wire.Reply { return wire.Reply{Text: "working on it", Private: true} }

func (r *room) Failed(wire.Ask) wire.Reply { return wire.Reply{Text: "failed", Tone: wire.Refused} }

func (r *room) Tell(_ context.Context, _ wire.Ask, reply wire.Reply) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, reply)
	return r.fail
}

func (r *room) seen() ([]wire.Ask, []wire.Reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked, r.told
}

// post is a signed request.
func post(id, text string, at time.Time) ask {
	body, _ := json.Marshal(map[string]string{"id": id, "who": "hana", "text": text})
	return ask{method: "POST", path: "/chat/ops", body: string(body), headers: map[string]string{
		outbound.TimestampHeader: strconv.FormatInt(at.Unix(), 10), outbound.SignatureHeader: outbound.Sign(chatSecret, at.Unix(), body),
	}}
}

func newRoom(t *testing.T) (*house, *room) {
	t.Helper()
	r := &room{}
	h := newHouse(t, Options{Chats: r})
	t.Cleanup(func() {
		if err := h.surface.Drain(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h, r
}

func TestChatIsAnswered(t *testing.T) {
	h, r := newRoom(t)
	w := h.do(post("1", "status", time.Now()))
	asked, told := r.seen()
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"text":"answered status"`) || len(asked) != 1 || asked[0].Chat != "ops" || asked[0].Who.ID != "hana" || told != nil {
		t.Errorf("%d %s; %+v, %+v", w.Code, w.Body, asked, told)
	}
	if got := w.Header(); got.Get("Cache-Control") != "no-store" || got.Get("X-Content-Type-Options") != "nosniff" || got.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%v", got)
	}
	for method, status := range map[string]int{"GET": 405, "PUT": 405} {
		if w := h.do(ask{method: method, path: "/chat/ops"}); w.Code != status || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

// FAULTS 6.27 and 6.28 over HTTP: what is refused has its status, is not asked of the bot, and is in the record with why.
func TestFault6_27ChatRefusals(t *testing.T) {
	now := time.Now()
	old, early, unsigned, changed, large := post("1", "status", now.Add(-301*time.Second)), post("2", "status", now.Add(305*time.Second)), post("3", "status", now), post("4", "status", now), post("5", strings.Repeat("x", 70<<10), now)
	delete(unsigned.headers, outbound.SignatureHeader)
	changed.body = strings.Replace(changed.body, "status", "stop x", 1)
	elsewhere := post("6", "status", now)
	elsewhere.path = "/chat/other"
	malformed := ask{method: "POST", path: "/chat/ops", body: "{}", headers: map[string]string{
		outbound.TimestampHeader: strconv.FormatInt(now.Unix(), 10), outbound.SignatureHeader: outbound.Sign(chatSecret, now.Unix(), []byte("{}")),
	}}
	for _, test := range []struct {
		name   string
		ask    ask
		status int
		record string
	}{
		{"too old", old, 401, "(time)"},
		{"of the future", early, 401, "(time)"},
		{"not signed", unsigned, 401, "(signature)"},
		{"changed", changed, 401, "(signature)"},
		{"too large", large, 413, "(size)"},
		{"no such chat", elsewhere, 404, "(unknown)"},
		{"not what is posted", malformed, 400, "(malformed)"},
	} {
		h, r := newRoom(t)
		w := h.do(test.ask)
		if asked, _ := r.seen(); w.Code != test.status || asked != nil || !strings.HasPrefix(w.Header().Get("Content-Type"), problemJSON) {
			t.Errorf("%s: %d %s; %+v", test.name, w.Code, w.Body, asked)
		}
		rows, err := h.store.Activity(t.Context(), store.ActivityQuery{Limit: 100, Event: store.EventRefused})
		if err != nil || len(rows) != 1 || rows[0].Reason != "chat" || !strings.Contains(rows[0].Detail, test.record) || !strings.Contains(rows[0].Detail, "203.0.113.7") || strings.Contains(rows[0].Detail, "status") {
			t.Errorf("%s: %+v, %v", test.name, rows, err)
		}
	}
}

// FAULTS 6.27: a request is taken once, however often it comes, at the same time too.
func TestFault6_27ChatReplay(t *testing.T) {
	h, r := newRoom(t)
	same := post("1", "wake office", time.Now())
	var wg sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		wg.Go(func() { statuses[i] = h.do(same).Code })
	}
	wg.Wait()
	taken := 0
	for _, status := range statuses {
		switch status {
		case 200:
			taken++
		case 409:
		default:
			t.Errorf("status %d", status)
		}
	}
	if asked, _ := r.seen(); taken != 1 || len(asked) != 1 {
		t.Errorf("taken %d times, asked %d times", taken, len(asked))
	}
	if w := h.do(post("1", "wake office", time.Now().Add(time.Second))); w.Code != 409 {
		t.Errorf("the same ID with another signature: %d", w.Code)
	}
	if w := h.do(post("2", "wake office", time.Now())); w.Code != 200 {
		t.Errorf("a new one: %d", w.Code)
	}
}

// What takes long is answered in time, and told later; a button of Slack is so always.
func TestChatAnswersInTime(t *testing.T) {
	for _, test := range []struct {
		name          string
		later         string
		button, hangs bool
		body          string
	}{
		{"later", "https://hooks.slack.com/x", false, true, "working on it"},
		{"nowhere to tell", "", false, true, "working on it"},
		{"a button", "https://hooks.slack.com/x", true, false, ""},
	} {
		h, r := newRoom(t)
		h.surface.chats.patience, h.surface.chats.alone = 20*time.Millisecond, 20*time.Millisecond
		release := make(chan struct{})
		r.later, r.button = test.later, test.button
		r.answer = func(context.Context, wire.Ask) wire.Reply {
			if test.hangs {
				<-release
			}
			return wire.Reply{Text: "done"}
		}
		w := h.do(post("1", "wake office", time.Now()))
		if w.Code != 200 || test.body == "" && w.Body.Len() > 0 || !strings.Contains(w.Body.String(), test.body) {
			t.Errorf("%s: %d %s", test.name, w.Code, w.Body)
		}
		close(release)
		if err := h.surface.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, told := r.seen(); len(told) != 1 || told[0].Text != "done" {
			t.Errorf("%s: told %+v", test.name, told)
		}
	}
}

// A bot that panics is answered for, one that can not tell is logged, and more than can be answered at once are turned away.
func TestChatInTrouble(t *testing.T) {
	h, r := newRoom(t)
	r.answer = func(context.Context, wire.Ask) wire.Reply { panic("canary") }
	if w := h.do(post("1", "status", time.Now())); w.Code != 200 || !strings.Contains(w.Body.String(), `"failed"`) || strings.Contains(w.Body.String(), "canary") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(h.logging.String(), "canary") {
		t.Error("the panic is not logged")
	}
	release := make(chan struct{})
	r.fail, r.later, r.button = errors.New("gone"), "https://hooks.slack.com/x", true
	r.answer = func(context.Context, wire.Ask) wire.Reply { <-release; return wire.Reply{Text: "done"} }
	for i := range maxChatAsks {
		if w := h.do(post(fmt.Sprint("b", i), "status", time.Now())); w.Code != 200 {
			t.Fatalf("%d: %d %s", i, w.Code, w.Body)
		}
	}
	for range 2 { // it was not taken, and can be made again as it is
		if w := h.do(post("one more", "status", time.Unix(time.Now().Unix(), 0))); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	ended, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := h.surface.Drain(ended); err == nil {
		t.Error("answers are under way, and nobody waits for them")
	}
	close(release)
	if err := h.surface.Drain(t.Context()); err != nil || !strings.Contains(h.logging.String(), "could not be told") {
		t.Errorf("%v; %s", err, h.logging.String())
	}
}

// A flood is turned away: of one address before anything is believed, of one chat after.
func TestChatRates(t *testing.T) {
	h, r := newRoom(t)
	count := func(n int, make func(i int) ask) (statuses map[int]int) {
		statuses = map[int]int{}
		for i := range n {
			statuses[h.do(make(i)).Code]++
		}
		return statuses
	}
	forged := count(3*service.DefaultRate.Burst, func(int) ask {
		return ask{method: "POST", path: "/chat/ops", body: "{}", from: "198.51.100.1:1"}
	})
	if forged[429] < service.DefaultRate.Burst || forged[401]+forged[429] != 3*service.DefaultRate.Burst {
		t.Errorf("forged: %v", forged)
	}
	signed := count(3*service.ChatRate.Burst, func(i int) ask {
		p := post(strconv.Itoa(i), "status", time.Now())
		p.from = fmt.Sprintf("192.0.2.%d:1", i)
		return p
	})
	if asked, _ := r.seen(); signed[200] < service.ChatRate.Burst || signed[429] < service.ChatRate.Burst || len(asked) != signed[200] {
		t.Errorf("signed: %v, asked %d", signed, len(asked))
	}
	if err := h.gate.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := h.store.Activity(t.Context(), store.ActivityQuery{Limit: 1000, Event: store.EventRefused})
	if err != nil || len(rows) == 0 || len(rows) > 30 {
		t.Errorf("the record of %d refusals has %d rows, %v", forged[401]+signed[429], len(rows), err)
	}
}

// besides makes the house another process over a store.
func (h *house) besides(s store.Store) {
	h.store = s
	h.gate = service.NewGate(service.GateOptions{Store: s})
}

// FAULTS 6.27: what one process took no other takes, nor the same after a restart, be it a command or a button.
func TestFault6_27ChatReplayAtAnotherProcess(t *testing.T) {
	for _, button := range []bool{false, true} {
		first, r := newRoom(t)
		other, elsewhere := newRoom(t)
		restarted, again := newRoom(t)
		for _, h := range []*house{other, restarted} {
			h.besides(first.store)
		}
		for _, one := range []*room{r, elsewhere, again} {
			if one.button = button; button {
				one.later = "https://hooks.slack.com/x"
			}
		}
		same := post("1", "wake office", time.Now())
		if w := first.do(same); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, h := range []*house{other, other, restarted} {
			if w := h.do(same); w.Code != 409 || !strings.HasPrefix(w.Header().Get("Content-Type"), problemJSON) || !strings.Contains(w.Body.String(), "/problems/replayed") {
				t.Errorf("again, button %v: %d %s", button, w.Code, w.Body)
			}
		}
		if w := other.do(post("2", "wake office", time.Now())); w.Code != 200 {
			t.Errorf("a new one: %d %s", w.Code, w.Body)
		}
		for _, h := range []*house{first, other, restarted} {
			if err := h.surface.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		asked, _ := r.seen()
		there, _ := elsewhere.seen()
		later, told := again.seen()
		if len(asked) != 1 || len(there) != 1 || there[0].ID != "2" || later != nil || told != nil {
			t.Errorf("button %v: asked %v, %v, %v; told %v", button, asked, there, later, told)
		}
	}
}

// At two processes at the same time it is taken by one.
func TestFault6_27ChatReplayAtOnce(t *testing.T) {
	first, r := newRoom(t)
	other, elsewhere := newRoom(t)
	other.besides(first.store)
	const many = 20
	var wg sync.WaitGroup
	for i := range many {
		same := post(fmt.Sprint(i), "wake office", time.Now())
		for _, h := range []*house{first, other} {
			wg.Go(func() { h.do(same) })
		}
	}
	wg.Wait()
	here, _ := r.seen()
	there, _ := elsewhere.seen()
	if len(here)+len(there) != many {
		t.Errorf("asked %d and %d times, want %d together", len(here), len(there), many)
	}
}

// A store that can not be written takes nothing: whoever asks is told, and may ask again.
func TestChatWithoutItsStore(t *testing.T) {
	h, r := newRoom(t)
	below := storetest.NewFaulty(h.store)
	h.besides(below)
	below.Inject(storetest.Fault{Method: storetest.PutSlip, Err: store.ErrFull, Times: -1})
	same := post("1", "wake office", time.Now())
	for range 2 {
		if w := h.do(same); w.Code != 200 || !strings.Contains(w.Body.String(), `"failed"`) || !strings.Contains(w.Body.String(), `"refused"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	r.later, r.button = "https://hooks.slack.com/x", true
	if w := h.do(post("2", "wake office", time.Now())); w.Code != 200 || w.Body.Len() > 0 {
		t.Errorf("a button: %d %s", w.Code, w.Body)
	}
	if err := h.surface.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked, told := r.seen()
	if asked != nil || len(told) != 1 || told[0].Text != "failed" || !strings.Contains(h.logging.String(), "taken before can not be told") {
		t.Errorf("asked %v, told %v; %s", asked, told, h.logging.String())
	}
	r.later, r.button = "", false
	below.Heal()
	if w := h.do(same); w.Code != 200 || !strings.Contains(w.Body.String(), "answered wake office") {
		t.Errorf("healed: %d %s", w.Code, w.Body)
	}
}

// What nobody signed, what came before and what comes too fast asks nothing of the store but the record.
func TestFloodsOfChatsAreNotKept(t *testing.T) {
	h, _ := newRoom(t)
	below := storetest.NewFaulty(h.store)
	h.besides(below)
	unsigned := post("1", "status", time.Now())
	delete(unsigned.headers, outbound.SignatureHeader)
	forged := post("1", "status", time.Now())
	forged.body += " "
	old := post("1", "status", time.Now().Add(-time.Hour))
	elsewhere := post("1", "status", time.Now())
	elsewhere.path = "/chat/other"
	for i, bad := range []ask{unsigned, forged, old, elsewhere} {
		for n := range service.DefaultRate.Burst / 2 {
			bad.from = fmt.Sprintf("192.0.2.%d:1", 50*i+n%50)
			if w := h.do(bad); w.Code < 400 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
	}
	if calls := below.Calls(storetest.PutSlip); calls != 0 {
		t.Errorf("%d writes for what nobody signed", calls)
	}
	taken := 0
	for i := range 2 * service.ChatRate.Burst {
		signed := post(strconv.Itoa(i/2), "status", time.Now()) // each of them twice
		signed.from = fmt.Sprintf("198.51.100.%d:1", i)
		if h.do(signed).Code == 200 {
			taken++
		}
	}
	if calls := below.Calls(storetest.PutSlip); calls != taken || taken == 0 {
		t.Errorf("%d writes for %d that were taken", calls, taken)
	}
}
