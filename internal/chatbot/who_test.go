package chatbot

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"dayshift/internal/chatbot/wire"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/store/storetest"
)

// overrides are those in force, as target state until by.
func (w *town) overrides() (list []string) {
	w.t.Helper()
	held, err := w.Service().ListOverrides(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range held.Overrides {
		list = append(list, fmt.Sprintf("%s %s until %s by %s: %s", o.Target, o.State, o.Until.Format("15:04"), o.Author, o.Reason))
	}
	return list
}

func (w *town) from(chat, who, text string, signed bool) wire.Reply {
	w.t.Helper()
	return w.ask(wire.Ask{System: wire.Jandi, Chat: chat, Room: "R1", Who: wire.Identity{ID: who, Name: "Someone"}, Text: text, Signed: signed})
}

// Nobody does anything over a room who is not a person of the configuration, or whose role does not allow it; that they
// tried is in the record.
func TestWhoMay(t *testing.T) {
	for _, test := range []struct {
		chat, who, text string
		want            string // begin of the answer
		record          string // the last row: event, actor and part of its text
	}{
		{"ops", "U-nobody", "status", "I do not know you here.", "refused Someone (ops:U-nobody)"},
		{"ops", "U-nobody", "stop SampleSchedule", "I do not know you here.", "refused Someone (ops:U-nobody)"},
		{"ops", "U-nobody", "nonsense and more", "I do not know you here.", "refused Someone (ops:U-nobody)"},
		{"ops", "U-nobody", "whoami", `In chat ops you are "U-nobody".`, "chat Someone (ops:U-nobody)"},
		{"open", "U-nobody", "status", "4 resources:", "chat Someone (open:U-nobody)"},
		{"open", "U-nobody", "SampleSchedule exception info", "SampleSchedule has no exception", "chat Someone (open:U-nobody)"},
		{"open", "U-nobody", "keep SampleSchedule for 1h", "I do not know you here, so you may ask and change nothing.", "refused Someone (open:U-nobody)"},
		{"open", "U-nobody", "SampleSchedule exception set tomorrow start 10:00", "I do not know you here, so", "refused Someone (open:U-nobody)"},
		{"ops", "U-view", "why web-1", "web-1 is running", "chat vera"},
		{"ops", "U-view", "SampleSchedule force_start", "vera may not do that", "refused vera"},
		{"ops", "U-oper", "SampleSchedule exception set tomorrow start 10:00", "park may not do that", "refused park"},
		{"ops", "U-oper", "skip SampleSchedule on 2026-08-05", "What is to be left out on a day to come", "chat park"},
		{"ops", "U-bound", "status SampleSchedule", "SampleSchedule: 1 resource:", "chat bo"},
		{"ops", "U-bound", "keep SampleSchedule for 9h", "this affects 1 resource that you may not act on", "refused bo"},
		{"ops", "U-bound", "keep web-1 for 9h", "web-1 is kept running", "chat bo"},
		{"ops", "U-bound", "keep web-2 for 9h", "There is no schedule, workload or resource", "chat bo"},
		{"ops", "U-bound", "status batch", "There is no schedule, workload or resource", "chat bo"},
		{"ops", "U-bound", "why night-1", "There is no schedule, workload or resource", "chat bo"},
		{"ops", "U-bound", "list", "Schedules: SampleSchedule", "chat bo"},
	} {
		t.Run(test.chat+" "+test.who+" "+test.text, func(t *testing.T) {
			w := newTown(t, "2026-08-03T10:00:00+09:00")
			reply := w.from(test.chat, test.who, test.text, true)
			if !strings.HasPrefix(reply.Text, test.want) {
				t.Errorf("answer: %s\nwant %s…", reply.Text, test.want)
			}
			if strings.HasPrefix(test.who, "U-bound") && (strings.Contains(reply.Text, "night-1") && !strings.Contains(test.text, "night") || strings.Contains(reply.Text, "db-1") || strings.Contains(reply.Text, "batch\n")) {
				t.Errorf("somebody bound to a filter reads of what they may not see: %s", reply.Text)
			}
			rows, err := w.store.Activity(t.Context(), store.ActivityQuery{Limit: 1, Last: true})
			if err != nil || len(rows) != 1 {
				t.Fatal(rows, err)
			}
			if got := string(rows[0].Event) + " " + rows[0].Actor; got != test.record || !strings.Contains(rows[0].Detail, shortened(test.text)[:4]) {
				t.Errorf("record: %s %s, want %s", got, rows[0].Detail, test.record)
			}
			if held := w.overrides(); strings.HasPrefix(test.record, "refused") && len(held) > 0 {
				t.Errorf("refused, and yet there is %v", held)
			}
		})
	}
}

// A chat that does not sign what it posts does nothing without a word that is good once, for two minutes, there and for the same person.
func TestUnsignedIsConfirmed(t *testing.T) {
	w := newTown(t, "2026-08-03T17:50:00+09:00")
	if reply := w.from("ops", "U-kim", "status SampleSchedule", false); reply.Tone != wire.OK {
		t.Errorf("a question: %+v", reply)
	}
	asks := func() string {
		t.Helper()
		reply := w.from("ops", "U-kim", "keep SampleSchedule for 2h", false)
		if len(w.overrides()) > 0 || len(reply.Buttons) != 1 || reply.Tone != wire.Warning || !reply.Private {
			t.Fatalf("not asked to confirm: %+v", reply)
		}
		return reply.Buttons[0].Command
	}
	word := asks()
	refused := func(what string, reply wire.Reply) {
		t.Helper()
		if reply.Tone != wire.Refused || len(w.overrides()) > 0 {
			t.Errorf("%s: %+v, %v", what, reply, w.overrides())
		}
	}
	refused("another person", w.from("ops", "U-oper", word, false))
	refused("another chat", w.from("seoul", "U-kim", word, false))
	refused("another room", w.ask(wire.Ask{Chat: "ops", Room: "R2", Who: wire.Identity{ID: "U-kim"}, Text: word}))
	refused("another word", w.from("ops", "U-kim", "confirm AAAAAA", false))
	w.now = w.now.Add(confirmFor + time.Second)
	refused("too late", w.from("ops", "U-kim", word, false))
	refused("after too late", w.from("ops", "U-kim", word, false))

	word = asks()
	for range confirmTries {
		refused("guessing", w.from("ops", "U-kim", "confirm AAAAAA", false))
	}
	refused("after guessing", w.from("ops", "U-kim", word, false))

	word = asks()
	delete(w.people, "U-kim")
	refused("no longer a person", w.from("ops", "U-kim", word, false))
	w.people["U-kim"] = w.people["U-oper"]
	word = asks()
	if reply := w.from("ops", "U-kim", strings.ToLower(word), false); reply.Tone != wire.OK || len(w.overrides()) != 1 {
		t.Errorf("confirmed: %+v, %v", reply, w.overrides())
	}
	refusedAgain := w.from("ops", "U-kim", word, false)
	if refusedAgain.Tone != wire.Refused || len(w.overrides()) != 1 {
		t.Errorf("used twice: %+v", refusedAgain)
	}
	if got := w.overrides()[0]; got != "schedule:SampleSchedule running until 10:52 by park: via jandi" {
		t.Error(got)
	}
}

// Where the chat has a channel, the word is told there and not to who asks: who can post with the token need not be able to read it.
func TestTheWordGoesToTheChannel(t *testing.T) {
	w := newTown(t, "2026-08-03T17:50:00+09:00")
	w.tellErr = nil
	reply := w.from("ops", "U-kim", "stop SampleSchedule", false)
	if len(w.told) != 1 || !strings.Contains(w.told[0], "kim asked in ops: sleep SampleSchedule") || len(reply.Buttons) > 0 {
		t.Fatalf("%v, %+v", w.told, reply)
	}
	word := w.told[0][strings.LastIndex(w.told[0], " ")+1:]
	if len(word) != confirmLength || strings.Contains(reply.Text, word) {
		t.Fatalf("the word %q is in the answer: %s", word, reply.Text)
	}
	if reply = w.from("ops", "U-kim", "확인 "+word, false); reply.Tone != wire.OK || len(w.overrides()) != 1 {
		t.Errorf("%+v, %v", reply, w.overrides())
	}
}

// A channel that takes nothing gives the word to nobody: a forger could have stopped it up.
func TestTheWordIsNotGivenAway(t *testing.T) {
	w := newTown(t, "2026-08-03T17:50:00+09:00")
	w.tellErr = errors.New("429 Too Many Requests")
	reply := w.from("ops", "U-kim", "stop SampleSchedule", false)
	if reply.Tone != wire.Refused || len(reply.Buttons) > 0 || regexp.MustCompile("["+confirmLetters+"]{6}").MatchString(reply.Text) || !strings.Contains(reply.Text, "could not be posted") {
		t.Errorf("%+v", reply)
	}
	if rows := w.record(store.EventChat); len(rows) != 1 || !strings.Contains(rows[0], "| refused |") {
		t.Errorf("%v", rows)
	}
}

// The word counts at another process and after a restart, with the tries of all of them, and once.
func TestConfirmedAtAnotherProcess(t *testing.T) {
	w := newTown(t, "2026-08-03T17:50:00+09:00")
	bots := []*Bot{w.bot, New(w.bot.options), New(w.bot.options)}
	at := func(bot int, text string) wire.Reply {
		t.Helper()
		w.bot = bots[bot]
		return w.from("ops", "U-kim", text, false)
	}
	word := at(0, "keep SampleSchedule for 2h because 배포 \"x\"").Buttons[0].Command
	for bot := range confirmTries {
		if reply := at(bot, "confirm AAAAAA"); reply.Tone != wire.Refused {
			t.Errorf("guessing: %+v", reply)
		}
	}
	if reply := at(0, word); reply.Tone != wire.Refused || len(w.overrides()) > 0 {
		t.Errorf("after guessing: %+v, %v", reply, w.overrides())
	}
	old := at(0, "keep SampleSchedule for 2h").Buttons[0].Command
	word = at(1, "keep SampleSchedule for 2h because 배포 \"x\"").Buttons[0].Command
	if reply := at(0, old); reply.Tone != wire.Refused || len(w.overrides()) > 0 {
		t.Errorf("the word before: %+v, %v", reply, w.overrides())
	}
	if reply := at(2, word); reply.Tone != wire.OK || len(w.overrides()) != 1 || !strings.Contains(w.overrides()[0], "배포") {
		t.Errorf("%+v, %v", reply, w.overrides())
	}
	if reply := at(0, word); reply.Tone != wire.Refused {
		t.Errorf("used twice: %+v", reply)
	}
}

// Of two who write the word at once, one has it done.
func TestConfirmedAtOnce(t *testing.T) {
	w := newTown(t, "2026-08-03T17:50:00+09:00")
	word := strings.TrimPrefix(w.from("ops", "U-kim", "keep SampleSchedule for 2h", false).Buttons[0].Command, "confirm ")
	const many = 8
	var done atomic.Int64
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() {
			q := &question{bot: New(w.bot.options), ask: wire.Ask{System: wire.Jandi, Chat: "ops", Room: "R1", Who: wire.Identity{ID: "U-kim"}}, svc: w.Service(), now: w.now, command: Command{Verb: Confirm, Code: word}}
			if p, right, err := q.settlePending(t.Context()); err != nil {
				t.Error(err)
			} else if p != nil && right {
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if done.Load() != 1 {
		t.Errorf("it was done %d times", done.Load())
	}
}

// Without the store nothing is asked to be confirmed, and nothing confirmed.
func TestConfirmWithoutTheStore(t *testing.T) {
	w := newTown(t, "2026-08-03T17:50:00+09:00")
	below := storetest.NewFaulty(w.store)
	w.store = below
	below.Inject(storetest.Fault{Method: storetest.PutSlip, Err: store.ErrFull, Times: -1})
	if reply := w.from("ops", "U-kim", "keep SampleSchedule for 2h", false); reply.Tone != wire.Refused || len(reply.Buttons) > 0 {
		t.Errorf("%+v", reply)
	}
	below.Heal()
	word := w.from("ops", "U-kim", "keep SampleSchedule for 2h", false).Buttons[0].Command
	for _, method := range []storetest.Method{storetest.Slip, storetest.TakeSlip} {
		below.Inject(storetest.Fault{Method: method, Err: store.ErrFull})
		if reply := w.from("ops", "U-kim", word, false); reply.Tone != wire.Refused || len(w.overrides()) > 0 {
			t.Errorf("%s: %+v, %v", method, reply, w.overrides())
		}
	}
	if reply := w.from("ops", "U-kim", word, false); reply.Tone != wire.OK || len(w.overrides()) != 1 {
		t.Errorf("healed: %+v, %v", reply, w.overrides())
	}
}

// The story of the night: woken at 18:10 for two hours, nothing stops it at 18:20, and it is stopped at 20:10.
func TestTheNightDeveloper(t *testing.T) {
	w := newTown(t, "2026-08-03T18:00:00+09:00")
	if done := w.pass(); len(done) != 3 {
		t.Fatal(done)
	}
	w.now = clockAt(w.now, "18:10")
	if reply := w.says("U-kim", "wake SampleSchedule for 2h"); reply.Tone != wire.OK {
		t.Fatal(reply.Text)
	}
	var got []string
	for at := w.now; !at.After(clockAt(w.now, "20:30")); at = at.Add(5 * time.Minute) {
		w.now = at
		for _, done := range w.pass() {
			got = append(got, at.In(clockZone).Format("15:04")+" "+done)
		}
	}
	want := "[18:10 start web-1 18:10 start web-2 20:10 stop web-1 20:10 stop web-2]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

var clockZone = time.FixedZone("KST", 9*3600)

// clockAt is a time of day on the date of an instant.
func clockAt(day time.Time, clock string) time.Time {
	at, err := time.ParseInLocation("2006-01-02 15:04", day.In(clockZone).Format(time.DateOnly)+" "+clock, clockZone)
	if err != nil {
		panic(err)
	}
	return at.UTC()
}

// A warning's button at 17:50 keeps it two hours longer, once however often it is pressed, and never shorter than somebody else wants it.
func TestButtonsOfAWarning(t *testing.T) {
	w := newTown(t, "2026-08-03T17:50:00+09:00")
	button := Command{Verb: Keep, Name: "SampleSchedule", Until: "2026-08-03T20:00:00+09:00"}.String()
	press := func(who string) wire.Reply {
		return w.ask(wire.Ask{System: wire.Slack, Chat: "ops", Who: wire.Identity{ID: who}, Text: button, Signed: true, Button: true})
	}
	if reply := press("U-nobody"); reply.Tone != wire.Refused || len(w.overrides()) > 0 {
		t.Fatalf("%+v", reply)
	}
	if reply := press("U-kim"); !reply.Replace || !strings.Contains(reply.Text, "until 20:00 (Asia/Seoul), by kim") {
		t.Fatalf("%+v", reply)
	}
	w.now = w.now.Add(time.Minute)
	if reply := press("U-oper"); !strings.Contains(reply.Text, "already, by kim") {
		t.Errorf("%+v", reply)
	}
	w.now = w.now.Add(time.Minute)
	if reply := w.says("U-oper", "keep SampleSchedule until 21:30"); !strings.Contains(reply.Text, "until 21:30") {
		t.Errorf("%+v", reply)
	}
	if reply := press("U-kim"); !strings.Contains(reply.Text, "until 21:30 (Asia/Seoul) already, by park") {
		t.Errorf("%+v", reply)
	}
	if held := w.overrides(); len(held) != 1 || held[0] != "schedule:SampleSchedule running until 12:30 by kim: via slack" {
		t.Error(held)
	}
	w.now = clockAt(w.now, "21:00")
	if reply := press("U-kim"); !strings.Contains(reply.Text, "in the past") {
		t.Errorf("a button of long ago: %+v", reply)
	}
}

// What is longer than a limit allows is refused in the service's own words.
func TestLimits(t *testing.T) {
	w := newTown(t, "2026-08-03T10:00:00+09:00")
	reply := w.says("U-lee", "SampleSchedule 100시간 켜줘")
	if reply.Tone != wire.Refused || !strings.Contains(reply.Text, "overrides.max_duration") || len(w.overrides()) > 0 {
		t.Errorf("%+v", reply)
	}
	w.now = clockAt(w.now, "17:50").AddDate(0, 0, 4) // Friday: the next start is on Monday
	w.Changed()
	if reply := w.says("U-kim", "not today SampleSchedule"); reply.Tone != wire.Refused || !strings.Contains(reply.Text, "max_duration") {
		t.Errorf("%+v", reply)
	}
}

// What is hostile is answered as data: bounded, without anything that moves a cursor, and nothing is done.
func TestInjection(t *testing.T) {
	w := newTown(t, "2026-08-03T10:00:00+09:00")
	w.add("<!channel> @everyone \u202egpj.exe", "SampleSchedule", fleet.Running)
	w.Changed()
	for _, text := range []string{
		"x; rm", "x; rm -rf /", "$(reboot) force_stop", "`id`", "<!channel> status", "status @everyone", "\u202estatus\u202c SampleSchedule", "status\x00\x1b[2J", strings.Repeat("가", 10<<10/3),
		strings.Repeat("SampleSchedule ", 700), "'; DROP TABLE objects; -- status", "status <script>alert(1)</script>", "why ../../etc/passwd", "keep tag:Schedule=* until 22:00", "keep filter:tag:Schedule=* for 2h",
		"release *", "stop schedule:", "stop resource:", "stop workload:", "exception set SampleSchedule 2026-08-08 start 10:00\nstop SampleSchedule", "confirm " + strings.Repeat("A", 600), "list", "status",
		"SampleSchedule exception set 9999-12-31 start 09:00", "SampleSchedule info 0001-01-01", "SampleSchedule info 9999-12-31", "keep SampleSchedule until 9999-12-31T00:00:00Z", "keep SampleSchedule for 99999h",
		"keep SampleSchedule until 0001-01-01T00:00:00Z", "skip SampleSchedule on 0001-01-01",
	} {
		for _, who := range []string{"U-kim", "U-lee", "U-wang", "U-nobody"} {
			reply := w.says(who, text)
			if len([]rune(reply.Text)) > 2000 || strings.ContainsAny(reply.Text, "\x00\x1b\u202e\u202c\r") {
				t.Errorf("%.60q is answered with %q", text, reply.Text)
			}
		}
		if held := w.overrides(); len(held) > 0 {
			t.Fatalf("%q made %v", text, held)
		}
	}
	for _, row := range append(w.record(store.EventChat), w.record(store.EventRefused)...) {
		if strings.ContainsAny(row, "\x00\x1b\u202e\n") || len(row) > 2*maxDetail {
			t.Errorf("a row of the record: %q", row)
		}
	}
}

// The answer is in the person's language, else the one that the chat system says, the chat's, or that of the words.
func TestLanguages(t *testing.T) {
	w := newTown(t, "2026-08-03T10:00:00+09:00")
	for _, test := range []struct {
		who, chat, locale, text string
		want                    say.Language
	}{
		{"U-lee", "ops", "en-US", "status", say.Korean},
		{"U-kim", "ops", "zh-CN", "status", say.Chinese},
		{"U-kim", "seoul", "", "status", say.Korean},
		{"U-kim", "ops", "", "状态", say.Chinese},
		{"U-kim", "ops", "", "web-1 왜", say.Korean},
		{"U-kim", "ops", "", "status", say.English},
		{"U-kim", "ops", "", "22:00까지 nonsense web-1", say.English},
	} {
		reply := w.ask(wire.Ask{System: wire.Slack, Chat: test.chat, Who: wire.Identity{ID: test.who}, Text: test.text, Locale: test.locale, Signed: true})
		is := say.English
		switch {
		case strings.ContainsAny(reply.Text, "리소스"):
			is = say.Korean
		case strings.ContainsAny(reply.Text, "个资源"):
			is = say.Chinese
		}
		if is != test.want {
			t.Errorf("%+v is answered with %s", test, reply.Text)
		}
	}
}

// What the service wants confirmed by a person is told, and done once it was confirmed; where the chat signs nothing both are.
func TestASurgeIsConfirmed(t *testing.T) {
	for _, signed := range []bool{true, false} {
		w := newTown(t, "2026-08-03T10:00:00+09:00")
		w.file += "limits: {surge: 2, surge_from: 2}\n"
		w.Changed()
		reply := w.from("ops", "U-kim", "SampleSchedule exception set today stop 09:30", signed)
		if !signed {
			if len(reply.Buttons) != 1 || !strings.Contains(reply.Text, "does not sign") {
				t.Fatalf("%+v", reply)
			}
			w.now = w.now.Add(time.Second)
			reply = w.from("ops", "U-kim", reply.Buttons[0].Command, signed)
		}
		if reply.Tone != wire.Warning || len(reply.Buttons) != 1 || !strings.Contains(reply.Text, "the change would stop 2 resources at once") {
			t.Fatalf("not asked: %+v", reply)
		}
		if objects, _ := w.store.Objects(t.Context(), store.ExceptionObject); len(objects) > 0 {
			t.Fatalf("done before it was confirmed: %+v", objects)
		}
		reply = w.from("ops", "U-kim", reply.Buttons[0].Command, signed)
		if reply.Tone != wire.OK || !strings.Contains(reply.Text, "is set, by kim") {
			t.Errorf("confirmed: %+v", reply)
		}
	}
}

// A time that the clock leaves out is the first after it, one that it shows twice the first, whatever date is written beside it.
func TestEndsWhileClocksChange(t *testing.T) {
	for _, test := range []struct{ now, text, until string }{
		{"2027-03-27T20:00:00Z", "keep hut until 2027-03-28 02:30", "2027-03-28T01:00:00Z"},
		{"2027-03-27T20:00:00Z", "keep hut until tomorrow 03:00", "2027-03-28T01:00:00Z"},
		{"2027-10-30T20:00:00Z", "keep hut until 2027-10-31 02:30", "2027-10-31T00:30:00Z"},
		{"2027-10-30T20:00:00Z", "keep hut until 02:30", "2027-10-31T00:30:00Z"},
	} {
		w := newTown(t, test.now)
		w.file = strings.Replace(w.file, "schedules:\n", "schedules:\n  berlin: {periods: [hours], timezone: Europe/Berlin}\n", 1)
		w.add("hut", "berlin", fleet.Running)
		w.Changed()
		reply := w.says("U-kim", test.text)
		held, err := w.Service().ListOverrides(t.Context())
		if err != nil || len(held.Overrides) != 1 || held.Overrides[0].Until.Format(time.RFC3339) != test.until {
			t.Errorf("%s: %+v, %v, want %s: %s", test.text, held.Overrides, err, test.until, reply.Text)
		}
	}
}

// A day that an exception had left out is no day that is not worked on.
func TestAnExceptionOverAnother(t *testing.T) {
	w := newTown(t, "2026-08-03T17:50:00+09:00")
	w.says("U-kim", "SampleSchedule exception set 2026-12-30 start none")
	if reply := w.says("U-kim", "SampleSchedule exception set 2026-12-30 start 10:00"); reply.Tone != wire.OK || strings.Contains(reply.Text, "not a working day") {
		t.Errorf("%+v", reply)
	}
	if reply := w.says("U-kim", "SampleSchedule exception set 2027-01-02 start 10:00"); !strings.Contains(reply.Text, "Saturday is not a working day of this schedule: it will start at 10:00") {
		t.Errorf("%+v", reply)
	}
}

// An answer whose first line is longer than a room takes is shortened, not left out.
func TestLongAnswersAreShortened(t *testing.T) {
	q := &question{lang: say.English}
	for _, text := range []say.Text{say.Raw(strings.Repeat("긴", 3*maxAnswer)), say.Lines(say.Raw("first"), say.Raw(strings.Repeat("x", 3*maxAnswer)))} {
		reply := q.reply(wire.OK, text, say.Raw("the second"))
		if first, _, _ := strings.Cut(reply.Text, "\n"); len(first) < 5 || utf8.RuneCountInString(reply.Text) > maxAnswer+5 || !strings.HasSuffix(reply.Text, "…") {
			t.Errorf("%d characters: %.40q", utf8.RuneCountInString(reply.Text), reply.Text)
		}
	}
}

// Who is bound to a part learns of what they do not see not even how much there is.
func TestBoundListCountsWhatIsSeen(t *testing.T) {
	w := newTown(t, "2026-08-03T17:50:00+09:00")
	for i := range linesShown + 3 {
		shop := w.add(fmt.Sprint("shop-", i), "SampleSchedule", fleet.Running)
		shop.Tags["Team"] = "shop"
		w.add(fmt.Sprint("zother-", i), "batch", fleet.Running)
	}
	w.Changed()
	for i := range linesShown + 3 {
		for _, name := range []string{"shop-", "zother-"} {
			if reply := w.says("U-kim", fmt.Sprint("keep ", name, i, " for 1h")); reply.Tone != wire.OK {
				t.Fatalf("%+v", reply)
			}
		}
	}
	if reply := w.says("U-bound", "list"); !strings.Contains(reply.Text, "and 3 more") || strings.Contains(reply.Text, "zother-") {
		t.Errorf("%s", reply.Text)
	}
}

// Who is bound to some resources sees the workloads that these are members of, and no others.
func TestBoundListHasTheWorkloadsOfWhatIsSeen(t *testing.T) {
	for team, sees := range map[string]bool{"shop": true, "data": false} {
		w := newTown(t, "2026-08-03T10:00:00+09:00")
		maps.Copy(w.add("shop-db", "", fleet.Running).Tags, map[string]string{"Env": "shop", "Role": "db", "Team": team})
		w.Changed()
		for _, text := range []string{"list", "workload"} {
			if reply := w.says("U-bound", text); strings.Contains(reply.Text, "shop") != sees {
				t.Errorf("team %s, %s: %s", team, text, reply.Text)
			}
		}
	}
}
