package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/fleet"
)

func TestEventQueue(t *testing.T) {
	seoul := fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}
	beijing := fleet.Scope{Account: "444455556666", Region: "cn-north-1"}
	for _, test := range []struct {
		text  string
		scope fleet.Scope
		name  string
		url   string
		arn   string
	}{
		{"arn:aws:sqs:ap-northeast-2:111122223333:events", seoul, "events", "https://sqs.ap-northeast-2.amazonaws.com/111122223333/events", "arn:aws:sqs:ap-northeast-2:111122223333:events"},
		{"https://sqs.ap-northeast-2.amazonaws.com/111122223333/events", seoul, "events", "https://sqs.ap-northeast-2.amazonaws.com/111122223333/events", "arn:aws:sqs:ap-northeast-2:111122223333:events"},
		{"https://ap-northeast-2.queue.amazonaws.com/111122223333/events", seoul, "events", "https://sqs.ap-northeast-2.amazonaws.com/111122223333/events", "arn:aws:sqs:ap-northeast-2:111122223333:events"},
		{"arn:aws-cn:sqs:cn-north-1:444455556666:e-1.fifo", beijing, "e-1.fifo", "https://sqs.cn-north-1.amazonaws.com.cn/444455556666/e-1.fifo", "arn:aws-cn:sqs:cn-north-1:444455556666:e-1.fifo"},
		{"https://sqs.cn-north-1.amazonaws.com.cn/444455556666/e-1.fifo", beijing, "e-1.fifo", "https://sqs.cn-north-1.amazonaws.com.cn/444455556666/e-1.fifo", "arn:aws-cn:sqs:cn-north-1:444455556666:e-1.fifo"},
	} {
		q, f := parseQueue(test.text)
		if f != nil {
			t.Errorf("%s: %+v", test.text, f)
			continue
		}
		if q.Scope != test.scope || q.Name != test.name || q.URL() != test.url || q.ARN() != test.arn {
			t.Errorf("%s: %+v, %s, %s", test.text, q, q.URL(), q.ARN())
		}
		// What it is written as is read as the same.
		for _, again := range []string{q.URL(), q.ARN()} {
			if same, f := parseQueue(again); f != nil || !cmp.Equal(same, q, cmp.AllowUnexported(Secret{})) {
				t.Errorf("%s: %+v, %+v", again, same, f)
			}
		}
	}
	for text, want := range map[string]string{
		"":       "is not a queue",
		"events": "is not a queue",
		"http://127.0.0.1:4566/111122223333/events":                            "AWS_ENDPOINT_URL",
		"https://vpce-1.sqs.us-east-1.vpce.amazonaws.com/1/x":                  "write the ARN",
		"https://sqs.us-east-1.amazonaws.com/1111/events":                      "write the ARN",
		"https://sqs.us-east-1.amazonaws.com.cn/111122223333/events":           "end in .amazonaws.com.cn",
		"https://sqs.cn-north-1.amazonaws.com/111122223333/events":             "end in .amazonaws.com.cn",
		"https://sqs.us-east.amazonaws.com/111122223333/events":                "no region",
		"arn:aws:sns:us-east-1:111122223333:events":                            "Dayshift reads a queue",
		"arn:aws:events:us-east-1:111122223333:event-bus/default":              "Dayshift reads a queue",
		"arn:aws:sqs:cn-north-1:111122223333:events":                           "write arn:aws-cn:sqs:cn-north-1:111122223333:events",
		"arn:aws:sqs:us-east-1:111122223333:" + strings.Repeat("q", 81):        "too long",
		"arn:aws:sqs:us-east-1:111122223333:events/../x":                       "is not a queue",
		"https://sqs.us-east-1.amazonaws.com/111122223333/events?Action=Purge": "write the ARN",
	} {
		if _, f := parseQueue(text); f == nil || !strings.Contains(f.Problem.String()+" "+f.Fix.String(), want) {
			t.Errorf("%s: %+v, want %q", text, f, want)
		}
	}
}

// The way into the queue's account is the file's own, that of the account, or the credentials at hand.
func TestWayToTheQueue(t *testing.T) {
	const accounts = `
accounts:
  - {id: "111122223333", role: "arn:aws:iam::111122223333:role/dayshift", external_id: secret-1, session_name: me, regions: [eu-west-1, eu-west-3]}
events: `
	for _, test := range []struct {
		name, events string
		want         Account
	}{
		{
			"as for the account", `{queue: "arn:aws:sqs:us-east-1:111122223333:q"}`,
			Account{ID: "111122223333", Role: "arn:aws:iam::111122223333:role/dayshift", ExternalID: Secret{"secret-1", "the file itself"}, SessionName: "me", Regions: []fleet.Region{"us-east-1"}},
		},
		{
			"a role of its own", `{queue: "arn:aws:sqs:us-east-1:111122223333:q", role: "arn:aws:iam::111122223333:role/reader"}`,
			Account{ID: "111122223333", Role: "arn:aws:iam::111122223333:role/reader", Regions: []fleet.Region{"us-east-1"}},
		},
		{"an account without an entry", `{queue: "arn:aws:sqs:us-east-1:444455556666:q"}`, Account{ID: "444455556666", Regions: []fleet.Region{"us-east-1"}}},
		{"a profile", `{queue: "arn:aws-cn:sqs:cn-north-1:444455556666:q", profile: china}`, Account{ID: "444455556666", Profile: "china", Regions: []fleet.Region{"cn-north-1"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := Parse("dayshift.yaml", []byte(accounts+test.events), Env{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, l.Events.Account, cmp.AllowUnexported(Secret{})); diff != "" {
				t.Error(diff)
			}
			if len(l.Scopes) != 2 {
				t.Errorf("the queue made scopes: %v", l.Scopes)
			}
		})
	}
	if l, err := Parse("dayshift.yaml", []byte("timezone: UTC"), Env{}); err != nil || l.Events != nil {
		t.Errorf("without events: %+v, %v", l.Events, err)
	}
}
