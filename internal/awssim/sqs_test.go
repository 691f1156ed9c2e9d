package awssim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// queueCall asks SQS as its clients do and gives the answer's document.
func queueCall(t *testing.T, c *Cloud, account, action string, in map[string]any) (map[string]any, string) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://sqs.us-east-1.amazonaws.com/", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+account+"/20270205/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=00")
	answer, err := c.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		t.Fatalf("%s: %v", action, err)
	}
	code, _ := out["__type"].(string)
	if code == "" && answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d without an error: %v", action, answer.StatusCode, out)
	}
	return out, code
}

const eventQueue = "https://sqs.us-east-1.amazonaws.com/111122223333/events"

// drain receives and deletes everything that is in the queue now.
func drain(t *testing.T, c *Cloud) []string {
	t.Helper()
	var bodies []string
	for {
		out, code := queueCall(t, c, "111122223333", "ReceiveMessage", map[string]any{"QueueUrl": eventQueue, "MaxNumberOfMessages": 10})
		if code != "" {
			t.Fatal(code)
		}
		list, _ := out["Messages"].([]any)
		if len(list) == 0 {
			return bodies
		}
		var entries []any
		for i, m := range list {
			m := m.(map[string]any)
			bodies = append(bodies, m["Body"].(string))
			entries = append(entries, map[string]any{"Id": fmt.Sprint(i), "ReceiptHandle": m["ReceiptHandle"]})
		}
		if out, code := queueCall(t, c, "111122223333", "DeleteMessageBatch", map[string]any{"QueueUrl": eventQueue, "Entries": entries}); code != "" || out["Failed"] != nil {
			t.Fatal(code, out)
		}
	}
}

// told reads events as "AT SOURCE RESOURCE WHAT" with the resource's last part.
func told(t *testing.T, start time.Time, bodies []string) []string {
	t.Helper()
	var lines []string
	for _, body := range bodies {
		var e struct {
			Source, Account, Region string
			Type                    string `json:"detail-type"`
			Time                    time.Time
			Resources               []string
			Detail                  map[string]any
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			t.Fatal(err)
		}
		what := e.Detail["state"]
		if what == nil {
			what = e.Detail["Message"]
		}
		arn := e.Resources[0]
		lines = append(lines, fmt.Sprintf("%s %s/%s %s %v", e.Time.Sub(start.Truncate(time.Second)), e.Account, e.Region, arn[strings.LastIndexAny(arn, ":/")+1:], what))
	}
	return lines
}

func eventCloud(t *testing.T) *Cloud {
	t.Helper()
	durations := map[string][2]time.Duration{}
	for name := range DefaultDurations() {
		durations[name] = [2]time.Duration{10 * time.Second, 10 * time.Second}
	}
	c := New(Options{Durations: durations})
	f, err := ParseFleet([]byte(`
events: {queue: events}
resources:
  - {account: "111122223333", region: eu-west-1, kind: ec2, id: i-0abcdef1, name: web}
  - {account: "444455556666", region: us-east-1, kind: rds, name: orders}
  - {account: "444455556666", region: us-east-1, kind: rds_cluster, name: aurora}
`))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Load(f); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatHappensIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := eventCloud(t)
		start := c.Now()
		if got := drain(t, c); got != nil {
			t.Fatalf("nothing happened: %q", got)
		}
		check := func(want ...string) {
			t.Helper()
			if got := told(t, start, drain(t, c)); !slices.Equal(got, want) {
				t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		if err := c.StopInstance("i-0abcdef1"); err != nil {
			t.Fatal(err)
		}
		check("0s 111122223333/eu-west-1 i-0abcdef1 stopping")
		check()
		time.Sleep(9 * time.Second)
		check()
		time.Sleep(time.Second)
		check("10s 111122223333/eu-west-1 i-0abcdef1 stopped")
		// A command at the very instant of a look, and one after the other unseen.
		if err := c.StartInstance("i-0abcdef1"); err != nil {
			t.Fatal(err)
		}
		if err := c.StopDatabase("444455556666", "us-east-1", "orders"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		check("10s 111122223333/eu-west-1 i-0abcdef1 pending", "20s 111122223333/eu-west-1 i-0abcdef1 running", "20s 444455556666/us-east-1 orders DB instance stopped")
		// RDS starts it after seven days.
		if _, err := c.Advance(7*24*time.Hour + time.Minute); err != nil {
			t.Fatal(err)
		}
		check("168h0m20s 444455556666/us-east-1 orders DB instance is being started due to it exceeding the maximum allowed time being stopped.",
			"168h0m30s 444455556666/us-east-1 orders DB instance started")
		c.Reset()
		if _, code := queueCall(t, c, "111122223333", "GetQueueUrl", map[string]any{"QueueName": "events"}); code != "AWS.SimpleQueueService.NonExistentQueue" {
			t.Errorf("after a reset: %q", code)
		}
	})
}

// Whoever waits for a message gets the event as soon as the state is there.
func TestAnEventEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := eventCloud(t)
		if err := c.StopInstance("i-0abcdef1"); err != nil {
			t.Fatal(err)
		}
		drain(t, c)
		began := time.Now()
		out, _ := queueCall(t, c, "111122223333", "ReceiveMessage", map[string]any{"QueueUrl": eventQueue, "WaitTimeSeconds": 20, "MessageSystemAttributeNames": []string{"All"}})
		if took := time.Since(began); took < 10*time.Second || took > 10*time.Second+receivePoll || out["Messages"] == nil {
			t.Errorf("after %s: %v", took, out)
		}
		began = time.Now()
		out, _ = queueCall(t, c, "111122223333", "ReceiveMessage", map[string]any{"QueueUrl": eventQueue, "WaitTimeSeconds": 5})
		if took := time.Since(began); took != 5*time.Second || len(out) != 0 {
			t.Errorf("an empty queue was waited for %s: %v", took, out)
		}
	})
}

func TestQueueRefusals(t *testing.T) {
	c := eventCloud(t)
	entries := func(n int, id string) []any {
		list := []any{}
		for i := range n {
			list = append(list, map[string]any{"Id": strings.ReplaceAll(id, "#", fmt.Sprint(i)), "MessageBody": "x"})
		}
		return list
	}
	for _, test := range []struct {
		name    string
		account string
		action  string
		in      map[string]any
		code    string
	}{
		{"a queue that is not there", "111122223333", "ReceiveMessage", map[string]any{"QueueUrl": eventQueue + "x"}, "AWS.SimpleQueueService.NonExistentQueue"},
		{"no queue", "111122223333", "ReceiveMessage", map[string]any{}, "MissingParameter"},
		{"no address", "111122223333", "ReceiveMessage", map[string]any{"QueueUrl": "events"}, "InvalidAddress"},
		{"somebody else's", "444455556666", "ReceiveMessage", map[string]any{"QueueUrl": eventQueue}, "AccessDeniedException"},
		{"eleven at once", "111122223333", "ReceiveMessage", map[string]any{"QueueUrl": eventQueue, "MaxNumberOfMessages": 11}, "InvalidParameterValue"},
		{"a wait of a minute", "111122223333", "ReceiveMessage", map[string]any{"QueueUrl": eventQueue, "WaitTimeSeconds": 60}, "InvalidParameterValue"},
		{"nothing sent", "111122223333", "SendMessage", map[string]any{"QueueUrl": eventQueue}, "MissingParameter"},
		{"what is no text", "111122223333", "SendMessage", map[string]any{"QueueUrl": eventQueue, "MessageBody": "a\x01b"}, "InvalidMessageContents"},
		{"an empty batch", "111122223333", "SendMessageBatch", map[string]any{"QueueUrl": eventQueue, "Entries": []any{}}, "AWS.SimpleQueueService.EmptyBatchRequest"},
		{"a batch of eleven", "111122223333", "SendMessageBatch", map[string]any{"QueueUrl": eventQueue, "Entries": entries(11, "#")}, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"},
		{"one name for two", "111122223333", "SendMessageBatch", map[string]any{"QueueUrl": eventQueue, "Entries": entries(2, "a")}, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"},
		{"a name with a blank", "111122223333", "SendMessageBatch", map[string]any{"QueueUrl": eventQueue, "Entries": entries(1, "a b")}, "AWS.SimpleQueueService.InvalidBatchEntryId"},
		{"a receipt that is none", "111122223333", "DeleteMessage", map[string]any{"QueueUrl": eventQueue, "ReceiptHandle": "any"}, "ReceiptHandleIsInvalid"},
		{"a queue with a blank", "111122223333", "CreateQueue", map[string]any{"QueueName": "a b"}, "InvalidParameterValue"},
		{"the same queue otherwise", "111122223333", "CreateQueue", map[string]any{"QueueName": "events", "Attributes": map[string]any{"VisibilityTimeout": "7"}}, "QueueAlreadyExists"},
		{"an attribute that is none", "111122223333", "GetQueueAttributes", map[string]any{"QueueUrl": eventQueue, "AttributeNames": []string{"Colour"}}, "InvalidAttributeName"},
		{"what is not modelled", "111122223333", "SendMessage", map[string]any{"QueueUrl": eventQueue, "MessageBody": "x", "DelaySeconds": 5}, "InvalidParameterValue"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if out, code := queueCall(t, c, test.account, test.action, test.in); code != test.code {
				t.Errorf("got %q, want %q: %v", code, test.code, out)
			}
		})
	}
}

func TestEventsOfAFleetFile(t *testing.T) {
	for text, want := range map[string]string{
		`events: {queue: "a b"}`:                 `events.queue: "a b" is not the name of a queue`,
		`events: {queue: q, region: moon}`:       `events.region: "moon" is not a region`,
		`events: {queue: q, account: "1"}`:       `events.account: "1" is not an account`,
		`events: {queue: q, accounts: ["1234"]}`: `unknown field "accounts"`,
	} {
		if _, err := ParseFleet([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	c := New(Options{})
	if err := c.Load(Fleet{Events: &Events{Queue: "q", Account: "444455556666", Region: "cn-north-1"}}); err != nil {
		t.Fatal(err)
	}
	if got := c.Snapshot().Events; got == nil || *got != (Events{Queue: "q", Account: "444455556666", Region: "cn-north-1"}) {
		t.Errorf("in the fleet: %+v", got)
	}
}
