// Package sqs is the queue of package queue on Amazon SQS, standard or FIFO.
//
// What it guarantees beyond the contract: each method makes one call, which is
// never tried again here and ends in time; an answer that does not speak of
// every message of a batch is an error.
//
// What it expects: a session that bounds the size of answers and translates
// errors as package cloud says.
package sqs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"dayshift/internal/cloud"
	"dayshift/internal/queue"
)

const (
	// callTimeout bounds a call that does not wait for messages.
	callTimeout = 15 * time.Second
	// waitSlack is how much longer than its wait a Receive may take: the way there
	// and back, and a connection that has to be made first.
	waitSlack = 10 * time.Second
)

// IAM's names of what is called.
const (
	receiveMessage          = "sqs:ReceiveMessage"
	sendMessage             = "sqs:SendMessage"
	deleteMessage           = "sqs:DeleteMessage"
	changeMessageVisibility = "sqs:ChangeMessageVisibility"
	getQueueAttributes      = "sqs:GetQueueAttributes"
)

// Config is everything a Queue needs; nothing has a default.
type Config struct {
	// URL is the queue's own, as https://sqs.eu-central-1.amazonaws.com/111122223333/NAME.
	URL string
	// SDK has the region and the credentials.
	SDK sdk.Config
	// Call makes a call a single time, within timeout, and translates its error
	// into those of package cloud. operation is IAM's name.
	Call func(ctx context.Context, operation string, timeout time.Duration, call func(context.Context) error) error
}

// Queue is a queue of SQS. Its methods may be called from any goroutine.
type Queue struct {
	url   string
	group *string // of a FIFO queue: all messages are of one group, for the contract promises no order
	call  func(ctx context.Context, operation string, timeout time.Duration, call func(context.Context) error) error

	// Captured method values keep the linker from taking in every operation of the client.
	send    func(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	receive func(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	extend  func(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
	remove  func(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	inspect func(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

var _ queue.Queue = (*Queue)(nil)

// New makes a queue of a client. It calls nobody.
func New(config Config) *Queue {
	client := sqs.NewFromConfig(config.SDK)
	q := &Queue{
		url: config.URL, call: config.Call,
		send: client.SendMessageBatch, receive: client.ReceiveMessage, extend: client.ChangeMessageVisibilityBatch,
		remove: client.DeleteMessageBatch, inspect: client.GetQueueAttributes,
	}
	if strings.HasSuffix(config.URL, ".fifo") {
		q.group = sdk.String("dayshift")
	}
	return q
}

// Send implements queue.Sender.
func (q *Queue) Send(ctx context.Context, bodies ...string) error {
	if err := queue.CheckBodies(bodies); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	in := &sqs.SendMessageBatchInput{QueueUrl: &q.url}
	for i, body := range bodies {
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: entry(i), MessageBody: sdk.String(body), MessageGroupId: q.group})
	}
	var out *sqs.SendMessageBatchOutput
	err := q.call(ctx, sendMessage, callTimeout, func(ctx context.Context) (err error) {
		out, err = q.send(ctx, in)
		return err
	})
	if err != nil {
		return q.failed("send to", err)
	}
	var done []*string
	for _, ok := range out.Successful {
		done = append(done, ok.Id)
	}
	return q.batch("send to", len(bodies), done, out.Failed)
}

// Receive implements queue.Receiver.
func (q *Queue) Receive(ctx context.Context, wait time.Duration) ([]queue.Message, error) {
	wait = min(max(wait, 0), queue.MaxWait)
	seconds := int32((wait + time.Second - 1) / time.Second) // SQS waits for whole seconds; at most MaxWait of them
	in := &sqs.ReceiveMessageInput{
		QueueUrl: &q.url, MaxNumberOfMessages: queue.MaxBatch, WaitTimeSeconds: seconds,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameSentTimestamp, types.MessageSystemAttributeNameApproximateReceiveCount,
		},
	}
	var out *sqs.ReceiveMessageOutput
	err := q.call(ctx, receiveMessage, wait+waitSlack, func(ctx context.Context) (err error) {
		out, err = q.receive(ctx, in)
		return err
	})
	if err != nil {
		return nil, q.failed("receive from", err)
	}
	var messages []queue.Message
	for i := range out.Messages {
		m := &out.Messages[i]
		if sdk.ToString(m.ReceiptHandle) == "" {
			continue // it can be neither deleted nor extended: it comes again
		}
		messages = append(messages, queue.Message{
			ID: sdk.ToString(m.MessageId), Body: sdk.ToString(m.Body), Receipt: sdk.ToString(m.ReceiptHandle),
			Sent:       time.UnixMilli(number(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)])).UTC(),
			Receptions: int(number(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])),
		})
	}
	return messages, nil
}

// Extend implements queue.Receiver.
func (q *Queue) Extend(ctx context.Context, messages []queue.Message, d time.Duration) error {
	if err := errors.Join(queue.CheckBatch(len(messages)), queue.CheckHidden(d)); err != nil {
		return fmt.Errorf("extend: %w", err)
	}
	seconds := int32((d + time.Second - 1) / time.Second) // at most MaxHidden of them
	in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.url}
	for i := range messages {
		in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: entry(i), ReceiptHandle: &messages[i].Receipt, VisibilityTimeout: seconds})
	}
	var out *sqs.ChangeMessageVisibilityBatchOutput
	err := q.call(ctx, changeMessageVisibility, callTimeout, func(ctx context.Context) (err error) {
		out, err = q.extend(ctx, in)
		return err
	})
	if err != nil {
		return q.failed("extend messages of", err)
	}
	var done []*string
	for _, ok := range out.Successful {
		done = append(done, ok.Id)
	}
	return q.batch("extend messages of", len(messages), done, out.Failed)
}

// Delete implements queue.Receiver.
func (q *Queue) Delete(ctx context.Context, messages []queue.Message) error {
	if err := queue.CheckBatch(len(messages)); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &q.url}
	for i := range messages {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: entry(i), ReceiptHandle: &messages[i].Receipt})
	}
	var out *sqs.DeleteMessageBatchOutput
	err := q.call(ctx, deleteMessage, callTimeout, func(ctx context.Context) (err error) {
		out, err = q.remove(ctx, in)
		return err
	})
	if err != nil {
		return q.failed("delete messages of", err)
	}
	var done []*string
	for _, ok := range out.Successful {
		done = append(done, ok.Id)
	}
	return q.batch("delete messages of", len(messages), done, out.Failed)
}

// Inspect implements queue.Inspector. SQS's own counts are some seconds old.
func (q *Queue) Inspect(ctx context.Context) (queue.Depth, error) {
	const waiting, hidden = types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible
	var out *sqs.GetQueueAttributesOutput
	err := q.call(ctx, getQueueAttributes, callTimeout, func(ctx context.Context) (err error) {
		out, err = q.inspect(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: []types.QueueAttributeName{waiting, hidden}})
		return err
	})
	if err != nil {
		return queue.Depth{}, q.failed("inspect", err)
	}
	return queue.Depth{Waiting: int(number(out.Attributes[string(waiting)])), Hidden: int(number(out.Attributes[string(hidden)]))}, nil
}

// entry names a member of a batch by its position.
func entry(i int) *string { return sdk.String(strconv.Itoa(i)) }

// number reads what SQS writes as text; 0 is what it does not know.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// batch compares what an answer says with what was asked for.
func (q *Queue) batch(what string, n int, done []*string, refused []types.BatchResultErrorEntry) error {
	missing := make(map[string]error, n)
	for i := range n {
		missing[strconv.Itoa(i)] = fmt.Errorf("the answer does not say what became of it: %w", queue.ErrUnavailable)
	}
	for _, id := range done {
		delete(missing, sdk.ToString(id))
	}
	for _, entry := range refused {
		if _, asked := missing[sdk.ToString(entry.Id)]; asked {
			code := sdk.ToString(entry.Code)
			missing[sdk.ToString(entry.Id)] = fmt.Errorf("%w (%s: %s)", entryError(code, entry.SenderFault), code, sdk.ToString(entry.Message))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	partial := &queue.PartialError{}
	for i := range n {
		if err := missing[strconv.Itoa(i)]; err != nil {
			partial.Failed = append(partial.Failed, i)
			partial.Err = err
		}
	}
	return fmt.Errorf("%s the queue %s: %w", what, q.url, partial)
}

// The codes of SQS that say something else than in other services, in the
// spellings of its two protocols.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
var (
	noQueueCodes = []string{"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"}
	staleCodes   = []string{
		"ReceiptHandleIsInvalid", "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", "InvalidParameterValue",
	}
)

// entryError judges the code of one member. SQS calls a receipt whose message is
// gone an invalid parameter; nothing else of an entry could be one.
func entryError(code string, sender bool) error {
	switch {
	case slices.Contains(staleCodes, code):
		return queue.ErrStale
	case sender:
		return queue.ErrInvalid
	}
	return queue.ErrUnavailable
}

// failed turns the failure of a whole call into an error of the contract.
func (q *Queue) failed(what string, err error) error {
	class := queue.ErrUnavailable
	api, is := errors.AsType[smithy.APIError](err)
	switch {
	case is && slices.Contains(noQueueCodes, api.ErrorCode()):
		class = queue.ErrNoQueue
	case errors.Is(err, cloud.ErrUnauthorized), errors.Is(err, cloud.ErrCredentials), errors.Is(err, cloud.ErrRegionDisabled):
		class = queue.ErrRefused
	case errors.Is(err, cloud.ErrInvalid):
		class = queue.ErrInvalid
	case !errors.Is(err, cloud.ErrThrottled) && !errors.Is(err, cloud.ErrTransient):
		return fmt.Errorf("%s the queue %s: %w", what, q.url, err) // the caller gave up: that is its cause and no failure of the queue
	}
	return fmt.Errorf("%s the queue %s: %w: %w", what, q.url, class, err)
}
