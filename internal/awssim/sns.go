package awssim

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Topic is a topic of SNS.
type Topic struct {
	Account string `yaml:"account"`
	Region  string `yaml:"region"`
	Name    string `yaml:"name"`
}

// Published is a message that somebody published to a topic.
type Published struct {
	ID      string    `json:"id"`
	Topic   string    `json:"topic"` // ARN
	Subject string    `json:"subject,omitempty"`
	Message string    `json:"message"`
	At      time.Time `json:"at"` // simulated
}

// Bounds of SNS.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
const (
	mostMessageBytes = 256 << 10
	mostSubject      = 99 // characters
	// mostPublished bounds the messages that are kept here, the newest.
	mostPublished = 100_000
)

var (
	topicNameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)
	// subjectForm: no line breaks or control characters.
	subjectForm = regexp.MustCompile(`^[^\p{Cc}\p{Zl}\p{Zp}]+$`)
)

// snsService is the row of SNS. Nobody can subscribe; what was published is read
// at the simulator's own interface.
func snsService() *service {
	return &service{
		name: "sns", version: "2010-03-31", protocol: awsQuery, namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
		words: map[string]string{
			"InvalidParameterValue": "InvalidParameter", "InvalidParameterCombination": "InvalidParameter", "MissingParameter": "InvalidParameter",
			"UnknownParameter": "InvalidParameter", "Throttling": "Throttled", "AccessDenied": "AuthorizationError",
		},
		actions: map[string]*action{
			"CreateTopic": does(write, "Name", "Name", createTopic),
			"Publish":     does(write, "TopicArn Message Subject", "TopicArn", publish),
		},
	}
}

func (t *Topic) check(bad func(field, format string, args ...any), parts map[string]string) {
	checkPlace(t.Account, t.Region, bad, parts)
	if !topicNameForm.MatchString(t.Name) {
		bad("name", "%q is not a name: 1 to 256 letters, digits, hyphens and underscores", t.Name)
	}
}

func (s *scope) topicARN(name string) string {
	return fmt.Sprintf("arn:%s:sns:%s:%s:%s", s.region.partition, s.region.name, s.account.id, name)
}

func createTopic(k *call, w *xw) *Error {
	name := k.p["Name"]
	if !topicNameForm.MatchString(name) {
		return refuse("InvalidParameter", "Invalid parameter: Topic Name")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	k.scope.topics[name] = true
	w.el("TopicArn", k.scope.topicARN(name))
	return nil
}

func publish(k *call, w *xw) *Error {
	arn, message := k.p["TopicArn"], k.p["Message"]
	subject, titled := k.p["Subject"]
	parts := strings.Split(arn, ":")
	switch {
	case len(parts) != 6 || parts[2] != "sns" || parts[3] != k.scope.region.name:
		return refuse("InvalidParameter", "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not %d, and be of this region", len(parts))
	case parts[4] != k.scope.account.id:
		return &Error{"AuthorizationError", fmt.Sprintf("User: %s is not authorized to perform: SNS:Publish on resource: %s", k.who.arn, arn), http.StatusForbidden}
	case message == "":
		return refuse("InvalidParameter", "Invalid parameter: Empty message")
	case len(message) > mostMessageBytes:
		return refuse("InvalidParameter", "Invalid parameter: Message too long")
	case titled && (!subjectForm.MatchString(subject) || utf8.RuneCountInString(subject) > mostSubject):
		return refuse("InvalidParameter", "Invalid parameter: Subject")
	}
	k.scope.mu.Lock()
	known := k.scope.topics[parts[5]]
	k.scope.mu.Unlock()
	if !known {
		return &Error{"NotFound", "Topic does not exist", http.StatusNotFound}
	}
	id := uuid(k.c.seed, k.c.mint())
	k.c.publishedMu.Lock()
	defer k.c.publishedMu.Unlock()
	k.c.published = append(k.c.published, Published{id, arn, subject, message, k.now})
	k.c.published = k.c.published[max(0, len(k.c.published)-mostPublished):]
	w.el("MessageId", id)
	return nil
}

// Published gives what was published, in order.
func (c *Cloud) Published() []Published {
	c.publishedMu.Lock()
	defer c.publishedMu.Unlock()
	return append([]Published{}, c.published...)
}
