package awssim

import (
	"crypto/md5" //nolint:gosec // SQS tells clients the MD5 of each body, which they compare
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// sqsService is the row of SQS, in the JSON protocol that its clients speak since 2023.
// Queues are standard ones; a queue is used by its own account alone.
func sqsService() *service {
	return &service{
		name: "sqs", version: "2012-11-05", protocol: awsJSON, also: []protocol{awsJSON10}, namespace: "AmazonSQS",
		words: map[string]string{
			"InvalidParameterValue": "InvalidParameterValue", "InvalidParameterCombination": "InvalidParameterValue",
			"MissingParameter": "MissingParameter", "UnknownParameter": "InvalidParameterValue", "Throttling": "RequestThrottled",
		},
		actions: map[string]*action{
			"CreateQueue":        does(write, "QueueName Attributes.VisibilityTimeout Attributes.ReceiveMessageWaitTimeSeconds Attributes.MessageRetentionPeriod", "QueueName", createQueue),
			"GetQueueUrl":        does(read, "QueueName QueueOwnerAWSAccountId", "QueueName", getQueueURL),
			"GetQueueAttributes": does(read, "QueueUrl AttributeNames.N", "QueueUrl", onQueue(getQueueAttributes)),
			"SendMessage":        does(write, "QueueUrl MessageBody", "QueueUrl", onQueue(sendMessage)),
			"SendMessageBatch":   does(write, "QueueUrl Entries.N.Id Entries.N.MessageBody", "QueueUrl", onQueue(sendMessageBatch)),
			"ReceiveMessage": does(read, "QueueUrl MaxNumberOfMessages VisibilityTimeout WaitTimeSeconds AttributeNames.N MessageSystemAttributeNames.N MessageAttributeNames.N",
				"QueueUrl", receiveMessage),
			"DeleteMessage":                does(write, "QueueUrl ReceiptHandle", "QueueUrl", onQueue(deleteMessage)),
			"DeleteMessageBatch":           does(write, "QueueUrl Entries.N.Id Entries.N.ReceiptHandle", "QueueUrl", onQueue(deleteMessageBatch)),
			"ChangeMessageVisibility":      does(write, "QueueUrl ReceiptHandle VisibilityTimeout", "QueueUrl", onQueue(changeMessageVisibility)),
			"ChangeMessageVisibilityBatch": does(write, "QueueUrl Entries.N.Id Entries.N.ReceiptHandle Entries.N.VisibilityTimeout", "QueueUrl", onQueue(changeMessageVisibilityBatch)),
		},
	}
}

// SQS's bounds.
const (
	maxMessage       = 1 << 20 // bytes, of one body and of a batch
	maxQueueBatch    = 10
	maxVisibility    = 12 * 60 * 60 // seconds
	maxReceiveWait   = 20           // seconds
	maxInFlight      = 120_000
	defaultHidden    = 30 * time.Second
	defaultRetention = 4 * 24 * time.Hour
)

// maxQueued bounds what a queue that nobody reads keeps here; AWS has no bound.
const maxQueued = 200_000

// receivePoll is how often, in base time, a receiver that waits looks for what
// the clock has brought.
const receivePoll = 200 * time.Millisecond

var (
	queueNameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	entryIDForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
)

// queue is a queue of SQS. Its times are base time, the clock of its clients,
// but for the instants that messages carry. Its scope's lock guards it.
type queue struct {
	name      string
	created   time.Time // simulated
	hidden    time.Duration
	wait      time.Duration
	retention time.Duration
	messages  []*message // in the order in which they came
}

type message struct {
	id    string
	body  string
	sent  time.Time // simulated
	came  time.Time
	shown time.Time // hidden until then
	first time.Time // received for the first time, simulated
	// receptions makes the receipt of each reception another one.
	receptions int
}

func (m *message) receipt() string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", m.id, m.receptions))
}

// queueNamed finds a queue or makes it; the scope's lock is held.
func (s *scope) queueNamed(name string, now time.Time) *queue {
	if s.queues == nil {
		s.queues = map[string]*queue{}
	}
	q := s.queues[name]
	if q == nil {
		q = &queue{name: name, created: now, hidden: defaultHidden, retention: defaultRetention}
		s.queues[name] = q
	}
	return q
}

func (s *scope) queueURL(name string) string {
	suffix := "amazonaws.com"
	if s.region.partition == "aws-cn" {
		suffix = "amazonaws.com.cn"
	}
	return fmt.Sprintf("https://sqs.%s.%s/%s/%s", s.region.name, suffix, s.account.id, name)
}

// put adds a message; the scope's lock is held.
func (c *Cloud) put(q *queue, body string, now time.Time) *message {
	came := c.opt.Now()
	q.drop(came)
	m := &message{id: uuid(c.seed, c.mint()), body: body, sent: now, came: came}
	q.messages = append(q.messages, m)
	return m
}

// drop forgets what is older than the queue keeps, and the oldest of too many.
func (q *queue) drop(came time.Time) {
	old := max(0, len(q.messages)-maxQueued)
	for old < len(q.messages) && came.Sub(q.messages[old].came) > q.retention {
		old++
	}
	q.messages = slices.Delete(q.messages, 0, old)
}

// uuid writes a number as a random UUID.
func uuid(seed int64, n uint64) string {
	a, b := hash(seed, "uuid", n, 1), hash(seed, "uuid", n, 2)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), a>>48&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// noQueue is SQS's answer for a queue that does not exist.
func noQueue() *Error {
	return refuse("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
}

// queueOf finds the queue of a request by its address, of which the host does
// not count; the scope's lock is held.
func (k *call) queueOf() (*queue, *Error) {
	if e := k.p.need("QueueUrl"); e != nil {
		return nil, e
	}
	parts := strings.Split(strings.TrimRight(k.p["QueueUrl"], "/"), "/")
	if len(parts) < 2 || !queueNameForm.MatchString(parts[len(parts)-1]) {
		return nil, refuse("InvalidAddress", "The address %s is not valid for this endpoint.", k.p["QueueUrl"])
	}
	if owner := parts[len(parts)-2]; owner != k.scope.account.id {
		return nil, refuse("AccessDenied", "Access to the resource %s is denied.", k.p["QueueUrl"])
	}
	q := k.scope.queues[parts[len(parts)-1]]
	if q == nil {
		return nil, noQueue()
	}
	q.drop(k.c.opt.Now())
	return q, nil
}

// onQueue runs an action on a queue with the scope's lock held.
func onQueue(run func(k *call, w *xw, q *queue) *Error) func(*call, *xw) *Error {
	return func(k *call, w *xw) *Error {
		k.c.spread(k.now)
		k.scope.mu.Lock()
		defer k.scope.mu.Unlock()
		q, e := k.queueOf()
		if e != nil {
			return e
		}
		return run(k, w, q)
	}
}

func createQueue(k *call, w *xw) *Error {
	name := k.p["QueueName"]
	if !queueNameForm.MatchString(name) {
		return refuse("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	hidden, e := k.p.number("Attributes.VisibilityTimeout", int(defaultHidden/time.Second), 0, maxVisibility)
	if e != nil {
		return refuse("InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout.")
	}
	wait, e := k.p.number("Attributes.ReceiveMessageWaitTimeSeconds", 0, 0, maxReceiveWait)
	if e != nil {
		return refuse("InvalidAttributeValue", "Invalid value for the parameter ReceiveMessageWaitTimeSeconds.")
	}
	retention, e := k.p.number("Attributes.MessageRetentionPeriod", int(defaultRetention/time.Second), 60, 14*24*60*60)
	if e != nil {
		return refuse("InvalidAttributeValue", "Invalid value for the parameter MessageRetentionPeriod.")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	want := queue{hidden: time.Duration(hidden) * time.Second, wait: time.Duration(wait) * time.Second, retention: time.Duration(retention) * time.Second}
	if q := k.scope.queues[name]; q != nil && (q.hidden != want.hidden || q.wait != want.wait || q.retention != want.retention) {
		return refuse("QueueAlreadyExists", "A queue already exists with the same name and a different value for an attribute")
	}
	q := k.scope.queueNamed(name, k.now)
	q.hidden, q.wait, q.retention = want.hidden, want.wait, want.retention
	return k.answerDoc(w, doc{{"QueueUrl", k.scope.queueURL(name)}})
}

func getQueueURL(k *call, w *xw) *Error {
	if e := k.p.need("QueueName"); e != nil {
		return e
	}
	if owner := k.p["QueueOwnerAWSAccountId"]; owner != "" && owner != k.scope.account.id {
		return refuse("AccessDenied", "Access to the resource %s is denied.", k.p["QueueName"])
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	if k.scope.queues[k.p["QueueName"]] == nil {
		return noQueue()
	}
	return k.answerDoc(w, doc{{"QueueUrl", k.scope.queueURL(k.p["QueueName"])}})
}

func getQueueAttributes(k *call, w *xw, q *queue) *Error {
	now := k.c.opt.Now()
	waiting, hidden := 0, 0
	for _, m := range q.messages {
		if m.shown.After(now) {
			hidden++
		} else {
			waiting++
		}
	}
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
	all := doc{
		{"QueueArn", fmt.Sprintf("arn:%s:sqs:%s:%s:%s", k.scope.region.partition, k.scope.region.name, k.scope.account.id, q.name)},
		{"ApproximateNumberOfMessages", strconv.Itoa(waiting)},
		{"ApproximateNumberOfMessagesNotVisible", strconv.Itoa(hidden)},
		{"ApproximateNumberOfMessagesDelayed", "0"},
		{"CreatedTimestamp", strconv.FormatInt(q.created.Unix(), 10)},
		{"LastModifiedTimestamp", strconv.FormatInt(q.created.Unix(), 10)},
		{"VisibilityTimeout", seconds(q.hidden)},
		{"ReceiveMessageWaitTimeSeconds", seconds(q.wait)},
		{"MessageRetentionPeriod", seconds(q.retention)},
		{"MaximumMessageSize", strconv.Itoa(maxMessage)},
		{"DelaySeconds", "0"},
		{"SqsManagedSseEnabled", "true"},
	}
	names := k.p.list("AttributeNames")
	for _, name := range names {
		if name != "All" && !slices.ContainsFunc(all, func(m member) bool { return m.name == name }) {
			return refuse("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	shown := slices.DeleteFunc(all, func(m member) bool { return !slices.Contains(names, "All") && !slices.Contains(names, m.name) })
	if len(shown) == 0 {
		return k.answerDoc(w, doc{})
	}
	return k.answerDoc(w, doc{{"Attributes", shown}})
}

// checkMessage refuses what is no body of a message.
func checkMessage(body string) *Error {
	switch {
	case body == "":
		return refuse("MissingParameter", "The request must contain the parameter MessageBody.")
	case len(body) > maxMessage:
		return refuse("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxMessage)
	case !utf8.ValidString(body) || strings.ContainsFunc(body, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	}):
		return refuse("InvalidMessageContents", "Invalid binary character was found in the message body, the set of allowed characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
	}
	return nil
}

func digest(body string) string {
	sum := md5.Sum([]byte(body)) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

func sendMessage(k *call, w *xw, q *queue) *Error {
	if e := checkMessage(k.p["MessageBody"]); e != nil {
		return e
	}
	m := k.c.put(q, k.p["MessageBody"], k.now)
	return k.answerDoc(w, doc{{"MD5OfMessageBody", digest(m.body)}, {"MessageId", m.id}})
}

// batch reads the entries of a batch: their positions, by SQS's rules for it.
func (k *call) batch() ([]string, *Error) {
	idx := k.p.indexes("Entries")
	switch {
	case len(idx) == 0:
		return nil, refuse("AWS.SimpleQueueService.EmptyBatchRequest", "There should be at least one SendMessageBatchRequestEntry in the request.")
	case len(idx) > maxQueueBatch:
		return nil, refuse("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", maxQueueBatch, len(idx))
	}
	seen := map[string]bool{}
	for _, i := range idx {
		id := k.p["Entries."+i+".Id"]
		if !entryIDForm.MatchString(id) {
			return nil, refuse("AWS.SimpleQueueService.InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[id] {
			return nil, refuse("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Id %s repeated.", id)
		}
		seen[id] = true
	}
	return idx, nil
}

// each does something for every entry of a batch and answers for each alone.
func (k *call) each(w *xw, do func(entry string) (doc, *Error)) *Error {
	idx, e := k.batch()
	if e != nil {
		return e
	}
	done, failed := []doc{}, []doc{}
	for _, i := range idx {
		id := k.p["Entries."+i+".Id"]
		more, e := do("Entries." + i + ".")
		if e != nil {
			failed = append(failed, doc{{"Id", id}, {"Code", e.Code}, {"Message", e.Message}, {"SenderFault", true}})
			continue
		}
		done = append(done, append(doc{{"Id", id}}, more...))
	}
	k.log.Items = len(done)
	answer := doc{{"Successful", done}}
	if len(failed) > 0 {
		answer = append(answer, member{"Failed", failed})
	}
	return k.answerDoc(w, answer)
}

func sendMessageBatch(k *call, w *xw, q *queue) *Error {
	size := 0
	for _, i := range k.p.indexes("Entries") {
		size += len(k.p["Entries."+i+".MessageBody"])
	}
	if size > maxMessage {
		return refuse("AWS.SimpleQueueService.BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxMessage, size)
	}
	return k.each(w, func(entry string) (doc, *Error) {
		body := k.p[entry+"MessageBody"]
		if e := checkMessage(body); e != nil {
			return nil, e
		}
		m := k.c.put(q, body, k.now)
		return doc{{"MessageId", m.id}, {"MD5OfMessageBody", digest(body)}}, nil
	})
}

// receiveMessage hands out what is there, and waits for the first message where
// nothing is. Waiting is base time, as is that of the client.
func receiveMessage(k *call, w *xw) *Error {
	most, e := k.p.number("MaxNumberOfMessages", 1, 1, maxQueueBatch)
	if e != nil {
		return refuse("InvalidParameterValue", "Value %s for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", k.p["MaxNumberOfMessages"])
	}
	hidden, e := k.p.number("VisibilityTimeout", -1, 0, maxVisibility)
	if e != nil {
		return refuse("InvalidParameterValue", "Value %s for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200, if provided.", k.p["VisibilityTimeout"])
	}
	wait, e := k.p.number("WaitTimeSeconds", -1, 0, maxReceiveWait)
	if e != nil {
		return refuse("InvalidParameterValue", "Value %s for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", k.p["WaitTimeSeconds"])
	}
	names := slices.Concat(k.p.list("AttributeNames"), k.p.list("MessageSystemAttributeNames"))
	began := k.c.opt.Now()
	for {
		now := k.c.clock.now()
		k.c.spread(now)
		k.scope.mu.Lock()
		q, e := k.queueOf()
		if e != nil {
			k.scope.mu.Unlock()
			return e
		}
		patience := q.wait
		if wait >= 0 {
			patience = time.Duration(wait) * time.Second
		}
		keep := q.hidden
		if hidden >= 0 {
			keep = time.Duration(hidden) * time.Second
		}
		got, e := q.take(most, keep, k.c.opt.Now(), now)
		k.scope.mu.Unlock()
		left := patience - k.c.opt.Now().Sub(began)
		if e != nil {
			return e
		}
		if len(got) > 0 || left <= 0 {
			return k.answerMessages(w, got, names)
		}
		if !k.wait(min(left, receivePoll)) {
			return k.answerDoc(w, doc{}) // nobody listens any more
		}
	}
}

// take hands out what is not hidden and hides it; the scope's lock is held.
func (q *queue) take(most int, hide time.Duration, base, now time.Time) ([]message, *Error) {
	var got []message
	hidden := 0
	for _, m := range q.messages {
		if m.shown.After(base) {
			if hidden++; hidden >= maxInFlight {
				return nil, refuse("OverLimit", "Too many messages in flight.")
			}
			continue
		}
		if len(got) == most {
			break
		}
		m.receptions++
		if m.receptions == 1 {
			m.first = now
		}
		m.shown = base.Add(hide)
		got = append(got, *m)
	}
	return got, nil
}

func (k *call) answerMessages(w *xw, got []message, names []string) *Error {
	if len(got) == 0 {
		return k.answerDoc(w, doc{})
	}
	millis := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	list := make([]doc, len(got))
	for i := range got {
		m := &got[i]
		list[i] = doc{{"MessageId", m.id}, {"ReceiptHandle", m.receipt()}, {"MD5OfBody", digest(m.body)}, {"Body", m.body}}
		all := doc{
			{"SenderId", k.scope.account.id},
			{"SentTimestamp", millis(m.sent)},
			{"ApproximateReceiveCount", strconv.Itoa(m.receptions)},
			{"ApproximateFirstReceiveTimestamp", millis(m.first)},
		}
		shown := slices.DeleteFunc(all, func(m member) bool { return !slices.Contains(names, "All") && !slices.Contains(names, m.name) })
		if len(shown) > 0 {
			list[i] = append(list[i], member{"Attributes", shown})
		}
	}
	k.log.Items = len(list)
	return k.answerDoc(w, doc{{"Messages", list}})
}

// find gives the position of the message that a receipt stands for; -1 when it
// is gone or was received again since. The error is of what is no receipt.
func (q *queue) find(receipt string) (int, *Error) {
	text, err := base64.StdEncoding.DecodeString(receipt)
	id, n, ok := strings.Cut(string(text), " ")
	if _, bad := strconv.Atoi(n); err != nil || !ok || bad != nil || receipt == "" {
		return -1, refuse("ReceiptHandleIsInvalid", "The input receipt handle %q is not a valid receipt handle.", receipt)
	}
	return slices.IndexFunc(q.messages, func(m *message) bool { return m.id == id && strconv.Itoa(m.receptions) == n }), nil
}

func (q *queue) remove(receipt string) *Error {
	at, e := q.find(receipt)
	if e == nil && at >= 0 {
		q.messages = slices.Delete(q.messages, at, at+1)
	}
	return e
}

func (k *call) hide(q *queue, prefix string) *Error {
	seconds, e := k.p.number(prefix+"VisibilityTimeout", -1, 0, maxVisibility)
	if e != nil || seconds < 0 {
		return refuse("InvalidParameterValue", "Value %s for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.", k.p[prefix+"VisibilityTimeout"])
	}
	at, e := q.find(k.p[prefix+"ReceiptHandle"])
	if e != nil {
		return e
	}
	if at < 0 {
		return refuse("InvalidParameterValue", "Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", k.p[prefix+"ReceiptHandle"])
	}
	q.messages[at].shown = k.c.opt.Now().Add(time.Duration(seconds) * time.Second)
	return nil
}

func deleteMessage(k *call, w *xw, q *queue) *Error {
	if e := q.remove(k.p["ReceiptHandle"]); e != nil {
		return e
	}
	return k.answerDoc(w, doc{})
}

func deleteMessageBatch(k *call, w *xw, q *queue) *Error {
	return k.each(w, func(entry string) (doc, *Error) { return nil, q.remove(k.p[entry+"ReceiptHandle"]) })
}

func changeMessageVisibility(k *call, w *xw, q *queue) *Error {
	if e := k.hide(q, ""); e != nil {
		return e
	}
	return k.answerDoc(w, doc{})
}

func changeMessageVisibilityBatch(k *call, w *xw, q *queue) *Error {
	return k.each(w, func(entry string) (doc, *Error) { return nil, k.hide(q, entry) })
}
