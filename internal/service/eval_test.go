package service

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// office is the beginning of a question about a schedule of office hours in Seoul.
const office = `"schedule":{"name":"s","timezone":"Asia/Seoul","periods":["p@t3.small"]},"periods":[{"name":"p","begintime":"09:00","endtime":"18:00","weekdays":"mon-fri"}]`

func TestEval(t *testing.T) {
	for _, test := range []struct {
		name, line string
		want       string // the answer, or a part of its error after "error:"
	}{
		{"inside", `{"id":7,` + office + `,"at":"2027-02-05T00:00:00Z"}`, `{"id":7,"state":"running","period":"p","instance_type":"t3.small"}`},
		{"at the end", `{` + office + `,"at":"2027-02-05T18:00:00+09:00"}`, `{"state":"stopped"}`},
		{"an ID that is an object", `{"id": {"a": [1, "b"]} ,` + office + `,"at":"2027-02-05T18:00:00+09:00"}`, `{"id":{"a":[1,"b"]},"state":"stopped"}`},
		{"an ID of null", `{"id":null,` + office + `,"at":"2027-02-05T18:00:00+09:00"}`, `{"id":null,"state":"stopped"}`},
		{"blanks and a carriage return around it", " \t{" + office + `,"at":"2027-02-05T18:00:00+09:00"}` + " \r\n", `{"state":"stopped"}`},
		{"disabled", `{"schedule":{"name":"s","enabled":false,"periods":["p"]},"periods":[{"name":"p","weekdays":"*"}],"at":"2027-02-05T00:00:00Z"}`, `{"state":"any"}`},
		{"a lead in days", `{"schedule":{"name":"s","start_lead":"30m","periods":["p"]},"periods":[{"name":"p","begintime":"09:00"}],"at":"2027-02-05T08:30:00Z"}`, `{"state":"running","period":"p"}`},
		{"flags without effect on an instant", `{"schedule":{"name":"s","enforced":true,"retain_running":false,"jitter":"5m","mode":"both","periods":["p"]},"periods":[{"name":"p","weekdays":"*"}],"at":"2027-02-05T08:30:00Z"}`, `{"state":"running","period":"p"}`},
		{"days", `{"field":"weekdays","text":"fri#1","year":2027,"month":2}`, `{"days":[5]}`},
		{"no such day", `{"field":"monthdays","text":"31W","year":2027,"month":2}`, `{"days":[]}`},
		{"the last day", `{"field":"monthdays","text":["L"],"year":2028,"month":2}`, `{"days":[29]}`},
		{"months", `{"id":"m","field":"months","text":"nov-feb/2","year":2027}`, `{"id":"m","months":[1,11]}`},

		{"an exception", `{` + office + `,"exceptions":[{"date":"2027-02-05","type":"stop","value":"21:00","note":"release"}],"at":"2027-02-05T20:00:00+09:00"}`, `{"state":"running","period":"p","instance_type":"t3.small","special":["exception: stop at 21:00 on 2027-02-05 (release); without exceptions stopped would be wanted"]}`},
		{"an exception that names its schedule", `{` + office + `,"exceptions":[{"schedule":"s","from":"2027-02-05","to":"2027-02-06","type":"start","value":"none"}],"at":"2027-02-05T10:00:00+09:00"}`, `{"state":"stopped","special":["exception: start none from 2027-02-05 to 2027-02-06; without exceptions running would be wanted"]}`},
		{"a Saturday by an exception", `{` + office + `,"exceptions":[{"date":"2027-02-06","type":"start","value":"10:00"}],"at":"2027-02-06T10:00:00+09:00"}`, `{"state":"running","period":"exception","special":["exception: start at 10:00 on 2027-02-06; without exceptions stopped would be wanted"]}`},
		{"a day off", `{"schedule":{"name":"s","periods":["p"],"holidays":["h"]},"periods":[{"name":"p","weekdays":"*"}],"holidays":{"h":{"days":[{"date":"2027-02-08","name":"Seollal"}]}},"at":"2027-02-08T08:30:00Z"}`, `{"state":"stopped","special":["holiday: 2027-02-08 is a day off in the calendar h (Seollal): only periods with on_holidays begin on it"]}`},
		{"on_holidays", `{"schedule":{"name":"s","periods":["p"],"holidays":"h"},"periods":[{"name":"p","weekdays":"*","on_holidays":true}],"holidays":{"h":{"days":[{"date":"2027-02-08"}]}},"at":"2027-02-08T08:30:00Z"}`, `{"state":"running","period":"p","special":["holiday: 2027-02-08 is a day off in the calendar h: only periods with on_holidays begin on it"]}`},
		{"a make-up Saturday that comes along", `{"schedule":{"name":"s","periods":["p"],"holidays":["cn"]},"periods":[{"name":"p","weekdays":"mon"}],"holidays":{"cn":{"builtin":"cn"}},"at":"2026-10-10T08:30:00Z"}`, `{"state":"running","period":"p","special":["holiday: 2026-10-10 is a make-up working day in the calendar cn (国庆节调休): it counts as a Monday"]}`},
		{"a year that is not covered", `{"schedule":{"name":"s","periods":["p"],"holidays":["kr"]},"periods":[{"name":"p","weekdays":"*"}],"holidays":{"kr":{"builtin":"kr"}},"at":"2031-01-01T08:30:00Z"}`, `{"state":"running","period":"p","special":["holiday: calendar kr does not cover 2031: no day of that year counts as a day off or as a make-up day"]}`},
		{"a calendar that nobody names", `{` + office + `,"holidays":{"h":{"days":[{"date":"2027-02-05"}]}},"at":"2027-02-05T10:00:00+09:00"}`, `{"state":"running","period":"p","instance_type":"t3.small"}`},

		{"two stops on a date", `{` + office + `,"exceptions":[{"date":"2027-02-05","type":"stop","value":"21:00"},{"date":"2027-02-05","type":"stop","value":"none"}],"at":"2027-02-05T20:00:00+09:00"}`, `error:both move the stop of 2027-02-05`},
		{"an exception of another schedule", `{` + office + `,"exceptions":[{"schedule":"t","date":"2027-02-05","type":"stop","value":"21:00"}],"at":"2027-02-05T20:00:00+09:00"}`, `error:exceptions[0]: is for the schedule "t"`},
		{"an exception of no type", `{` + office + `,"exceptions":[{"date":"2027-02-05","type":"pause","value":"21:00"}],"at":"2027-02-05T20:00:00+09:00"}`, `error:exceptions[0]: type: "pause" is not a type of exception`},
		{"an unknown calendar", `{"schedule":{"name":"s","periods":["p"],"holidays":["kr"]},"periods":[{"name":"p","weekdays":"*"}],"at":"2031-01-01T08:30:00Z"}`, `error:holidays: "kr" is not among the question's calendars`},
		{"no such built-in calendar", `{` + office + `,"holidays":{"jp":{"builtin":"jp"}},"at":"2027-02-05T10:00:00+09:00"}`, `error:allowed: cn, kr, us`},
		{"a holiday that is no date", `{` + office + `,"holidays":{"h":{"days":[{"date":"5 May"}]}},"at":"2027-02-05T10:00:00+09:00"}`, `error:holidays "h": days: "5 May" is not a date`},
		{"nothing", ``, "error:not a question"},
		{"no question", `{"id":3}`, `error:not a question: give "schedule"`},
		{"not an object", `[1,2]`, "error:not a question"},
		{"null", `null`, "error:not a question"},
		{"two questions on a line", `{"field":"months","text":"*","year":2027} {"id":2}`, "error:more than one JSON value"},
		{"an unknown field", `{"shedule":{}}`, `error:unknown field "shedule"`},
		{"an unknown field of the schedule", `{"schedule":{"peroids":["p"]},"at":"2027-02-05T08:30:00Z"}`, `error:unknown field "peroids"`},
		{"no instant", `{` + office + `}`, `error:at: "" is not an instant`},
		{"an instant without a zone", `{` + office + `,"at":"2027-02-05T18:00:00"}`, "error:write it as 2027-02-05T09:00:00Z"},
		{"an unknown zone", `{"schedule":{"name":"s","timezone":"Asia/Soul","periods":["p"]},"periods":[{"name":"p","weekdays":"*"}],"at":"2027-02-05T08:30:00Z"}`, "error:Asia/Soul"},
		{"an unknown period", `{"schedule":{"name":"s","periods":["q"]},"periods":[{"name":"p","weekdays":"*"}],"at":"2027-02-05T08:30:00Z"}`, `error:q`},
		{"a period twice", `{"schedule":{"name":"s","periods":["p"]},"periods":[{"name":"p","weekdays":"*"},{"name":"p","weekdays":"mon"}],"at":"2027-02-05T08:30:00Z"}`, `error:period "p" is given twice`},
		{"two faults are both said", `{"schedule":{"name":"s","periods":["p"]},"periods":[{"name":"p","begintime":"25:00"},{"name":"q","weekdays":"7"}],"at":"2027-02-05T08:30:00Z"}`, `error:25:00`},
		{"a lead that is no duration", `{"schedule":{"name":"s","start_lead":"1.5h","periods":["p"]},"periods":[{"name":"p","weekdays":"*"}],"at":"2027-02-05T08:30:00Z"}`, `error:start_lead: "1.5h" is not a duration`},
		{"a negative lead", `{"schedule":{"name":"s","start_lead":"-5m","periods":["p"]},"periods":[{"name":"p","weekdays":"*"}],"at":"2027-02-05T08:30:00Z"}`, `error:start_lead`},
		{"a rule", `{"id":1,"expression":"cron(0 9 * * ? *)","from":"2027-02-05T09:00:00Z","to":"2027-02-07T09:00:00Z"}`, `{"id":1,"fires":["2027-02-06T09:00:00Z","2027-02-07T09:00:00Z"]}`},
		{"a rule that does not fire then", `{"expression":"cron(0 9 * * ? 2020)","from":"2027-02-05T09:00:00Z","to":"2027-02-07T09:00:00Z"}`, `{"fires":[]}`},
		{"a rule asked about no time", `{"expression":"cron(0 9 * * ? *)","from":"2027-02-05T09:00:00Z","to":"2027-02-05T09:00:00Z"}`, `{"fires":[]}`},
		{"a rule in a zone", `{"expression":"at(2027-02-05T09:00:00)","timezone":"Asia/Seoul","from":"2027-02-05T00:00:00+09:00","to":"2027-02-06T00:00:00+09:00"}`, `{"fires":["2027-02-05T00:00:00Z"]}`},
		{"Unix cron", `{"expression":"30 18 * * 1-5","from":"2027-02-05T00:00:00Z","to":"2027-02-08T18:30:00Z"}`, `{"fires":["2027-02-05T18:30:00Z","2027-02-08T18:30:00Z"]}`},
		{"a rate counts from from", `{"expression":"rate(12 hours)","from":"2027-02-05T01:00:00Z","to":"2027-02-06T01:00:00Z"}`, `{"fires":["2027-02-05T13:00:00Z","2027-02-06T01:00:00Z"]}`},
		{"a rate counts from its anchor", `{"expression":"rate(12 hours)","anchor":"2027-01-01T03:00:00Z","from":"2027-02-05T01:00:00Z","to":"2027-02-06T01:00:00Z"}`, `{"fires":["2027-02-05T03:00:00Z","2027-02-05T15:00:00Z"]}`},
		{"a rule on an impossible date", `{"expression":"cron(0 9 30 2 ? *)","from":"2027-02-05T08:30:00Z","to":"2027-02-06T08:30:00Z"}`, "error:can never fire"},
		{"a rule with two faults", `{"expression":"cron(60 9 * * ? 2200)","from":"2027-02-05T08:30:00Z","to":"2027-02-06T08:30:00Z"}`, "error:in the minutes is outside 0 … 59"},
		{"a rule in no zone", `{"expression":"rate(1 day)","timezone":"","from":"2027-02-05T08:30:00Z","to":"2027-02-06T08:30:00Z"}`, "error:timezone: is empty"},
		{"a rule without from", `{"expression":"rate(1 day)","to":"2027-02-06T08:30:00Z"}`, `error:from: "" is not an instant`},
		{"a rule without to", `{"expression":"rate(1 day)","from":"2027-02-06T08:30:00Z"}`, `error:to: "" is not an instant`},
		{"a rule with a wrong anchor", `{"expression":"rate(1 day)","anchor":"now","from":"2027-02-05T08:30:00Z","to":"2027-02-06T08:30:00Z"}`, `error:anchor: "now" is not an instant`},
		{"a rule asked backwards", `{"expression":"rate(1 day)","from":"2027-02-06T08:30:00Z","to":"2027-02-05T08:30:00Z"}`, "error:is before from"},
		{"a rule that fires too often for an answer", `{"expression":"* * * * *","from":"0001-01-01T00:00:00Z","to":"9999-12-31T23:59:59Z"}`, "error:fires more than 100000 times"},
		{"a field without text", `{"field":"months","year":2027}`, "error:text: missing"},
		{"a field without year", `{"field":"months","text":"*"}`, "error:year: 0 is outside 1-9999"},
		{"a year beyond the calendar", `{"field":"months","text":"*","year":10000}`, "error:year: 10000"},
		{"a field without month", `{"field":"weekdays","text":"*","year":2027}`, "error:month: 0 is outside 1-12"},
		{"an unknown field name", `{"field":"yeardays","text":"*","year":2027,"month":1}`, `error:field: "yeardays" is unknown`},
		{"a step of ten, which others hang on", `{"field":"monthdays","text":"1/10","year":2027,"month":1}`, `{"days":[1,11,21,31]}`},
		{"a step of nothing", `{"field":"monthdays","text":"1/0","year":2027,"month":1}`, "error:1/0"},
		{"a number as text", `{"field":"weekdays","text":true,"year":2027,"month":1}`, "error:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := Eval([]byte(test.line))
			part, refused := strings.CutPrefix(test.want, "error:")
			if refused {
				if answer.Error == "" || !strings.Contains(answer.Error, part) || answer.State != "" || answer.Days != nil || answer.Months != nil || answer.Fires != nil {
					t.Errorf("%+v", answer)
				}
				return
			}
			encoded, err := json.Marshal(answer)
			if err != nil || string(encoded) != test.want {
				t.Errorf("%s, %v; want %s", encoded, err, test.want)
			}
		})
	}
}

// Who asked learns which question was refused, wherever its ID stands.
func TestEvalRepeatsTheID(t *testing.T) {
	for _, line := range []string{
		`{"id":"x","field":"weekdays","text":true,"year":2027,"month":1}`,
		`{"field":"weekdays","text":true,"year":2027,"month":1,"id":"x"}`,
		`{"unknown":1,"id":"x"}`,
		`{"schedule":5,"id":"x"}`,
		`{"id":"x"} trailing`,
	} {
		if answer := Eval([]byte(line)); string(answer.ID) != `"x"` || answer.Error == "" {
			t.Errorf("%s: %+v", line, answer)
		}
	}
	if answer := Eval([]byte(`{"id":"x"`)); len(answer.ID) != 0 {
		t.Errorf("half a line has the ID %s", answer.ID)
	}
}

// Whatever is asked, there is one answer, on one line, of valid JSON.
func FuzzEval(f *testing.F) {
	f.Add(`{"id":7,` + office + `,"at":"2027-02-05T00:00:00Z"}`)
	f.Add(`{"field":"weekdays","text":"sat-tue/2,friL","year":2027,"month":2}`)
	f.Add(`{"id":"` + "\xff\u2028" + `","field":"months","text":["nov-feb","*"],"year":1}`)
	f.Add(`{"schedule":{"name":"s","override_status":"Running","start_lead":"7d"},"at":"0001-01-01T00:00:00-23:59"}`)
	f.Add(`{"schedule":{"timezone":"../etc","periods":["@","a@b@c"]},"periods":[{"begintime":"24:00"}],"at":"9999-12-31T23:59:59Z"}`)
	f.Add(strings.Repeat(`{"id":[`, 2000))
	f.Add("\xef\xbb\xbf{}")
	f.Add(`{"expression":"rate(1 minute)","id":1e999}`)
	f.Add(`{"expression":"cron(0/15 9-17 ? * MON-FRI 2027)","timezone":"Asia/Seoul","from":"2027-02-05T08:30:00Z","to":"2027-02-06T08:30:00Z"}`)
	f.Add(`{"expression":"* * * * *","anchor":"0001-01-01T00:00:00Z","from":"0001-01-01T00:00:00Z","to":"9999-12-31T23:59:59-23:59"}`)
	f.Fuzz(func(t *testing.T, line string) {
		answer := Eval([]byte(line))
		given := 0
		for _, set := range []bool{answer.State != "", answer.Days != nil, answer.Months != nil, answer.Fires != nil, answer.Error != ""} {
			if set {
				given++
			}
		}
		if given != 1 {
			t.Fatalf("%d answers: %+v", given, answer)
		}
		encoded, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(encoded, "\n\r") || !utf8.Valid(encoded) || !json.Valid(encoded) {
			t.Fatalf("%q", encoded)
		}
	})
}
