package notify_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dayshift/internal/chatbot"
	"dayshift/internal/notify"
	"dayshift/internal/say"
)

var seoulTime = time.FixedZone("KST", 9*60*60)

// six is when the lights go out.
var six = time.Date(2027, 2, 5, 18, 0, 0, 0, seoulTime)

func warning(schedule, workload string) notify.Notice {
	return notify.Group([]notify.Event{
		{Kind: notify.StopWarning, Schedule: schedule, Workload: workload, Name: "web", At: six},
		{Kind: notify.Starting, Schedule: schedule, Workload: workload, Name: "db", At: six.Add(-time.Hour)},
	}, notify.BySubject)[0]
}

func TestChoicesOfAWarning(t *testing.T) {
	notice := warning("seoul-office", "")
	words := notify.Words{Page: "https://dayshift.example.com", Starts: func(schedule, workload string, stop time.Time) time.Time {
		if schedule != "seoul-office" || workload != "" || !stop.Equal(six) {
			t.Errorf("asked when %s%s starts after %s", schedule, workload, stop)
		}
		return six.Add(15 * time.Hour).UTC()
	}}
	got := words.Message(&notice).Choices
	want := []notify.Choice{
		{Label: "+1 h (19:00)", Command: "keep seoul-office until 2027-02-05T19:00:00+09:00", Link: "https://dayshift.example.com/?keep=schedule%3Aseoul-office&until=2027-02-05T19%3A00%3A00%2B09%3A00"},
		{Label: "+2 h (20:00)", Command: "keep seoul-office until 2027-02-05T20:00:00+09:00", Link: "https://dayshift.example.com/?keep=schedule%3Aseoul-office&until=2027-02-05T20%3A00%3A00%2B09%3A00"},
		{Label: "Not today", Command: "skip seoul-office on 2027-02-05", Link: "https://dayshift.example.com/?keep=schedule%3Aseoul-office&until=2027-02-06T09%3A00%3A00%2B09%3A00"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	words.Starts = func(string, string, time.Time) time.Time { return time.Time{} }
	if got := words.Message(&notice).Choices; got[1].Link == "" || got[2].Link != "" {
		t.Errorf("a schedule that does not start again: %+v", got)
	}
	notice = warning("", "shop floor")
	got = notify.Words{Language: say.Korean, Zone: time.UTC}.Message(&notice).Choices
	want = []notify.Choice{
		{Label: "+1시간 (10:00)", Command: `keep "shop floor" until 2027-02-05T19:00:00+09:00`},
		{Label: "+2시간 (11:00)", Command: `keep "shop floor" until 2027-02-05T20:00:00+09:00`},
		{Label: "오늘은 끄지 않기", Command: `skip "shop floor" on 2027-02-05`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Where there is nothing to decide, or a name that a chat would read as another one, nothing is offered.
func TestWithoutChoices(t *testing.T) {
	for _, name := range []string{"", "sho\u200bp", "sho\u202ep", "shop\nx", " shop", "shop\u00a0x", "\"'`”」』", strings.Repeat("x", 600)} {
		if notice := warning(name, ""); len(notify.Words{}.Message(&notice).Choices) != 0 {
			t.Errorf("%q has choices", name)
		}
	}
	both := warning("office", "shop")
	stopping := notify.Group([]notify.Event{{Kind: notify.Stopping, Schedule: "office", At: six}}, notify.BySubject)[0]
	for _, notice := range []notify.Notice{both, stopping} {
		if m := (notify.Words{}).Message(&notice); len(m.Choices) != 0 {
			t.Errorf("%+v", m)
		}
	}
}

// Whatever a schedule is called, a button asks for this schedule and for nothing else.
func TestAButtonIsReadAsItIsMeant(t *testing.T) {
	names := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"status", "stop", "today", "2027-02-05", "keep x until 23:00", `a" until 2030-01-01T00:00:00Z "`, "not today", "force stop", "停止x", "서울 사무실 유지", "help", "e", "a'b\"c", "x; rm", "<!channel>", "next",
		"shop!", "Office.", "오늘", "100%", "a`b", "schedule:x",
	}))
	check := func(t *rapid.T) {
		name := names.Draw(t, "name")
		notice := warning(name, "")
		starts := func(_, _ string, stop time.Time) time.Time { return stop.Add(15 * time.Hour) }
		m := notify.Words{Page: "https://page.example", Starts: starts}.Message(&notice)
		for i, choice := range m.Choices {
			command, err := chatbot.Parse(choice.Command)
			if err != nil || command.Name != name || command.Verb != []chatbot.Verb{chatbot.Keep, chatbot.Keep, chatbot.Skip}[i] || command.Reason != "" || command.For != "" {
				t.Fatalf("%q: %+v: %v", choice.Command, command, err)
			}
			if i < 2 && command.Until != six.Add(time.Duration(i+1)*time.Hour).Format(time.RFC3339) || i == 2 && command.Date != "2027-02-05" {
				t.Fatalf("%q: %+v", choice.Command, command)
			}
			link, err := url.Parse(choice.Link)
			if err != nil || link.Host != "page.example" || link.Query().Get("keep") != "schedule:"+name || len(link.Query()) != 2 || strings.ContainsAny(choice.Link, " <>|()[]\"'`\n") {
				t.Fatalf("%q: %v", choice.Link, err)
			}
		}
	}
	rapid.Check(t, check)
}
