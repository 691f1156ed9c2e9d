package aws

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

// Bounds of one call.
const (
	// readTimeout bounds one attempt of a reading call: a page of 1,000 instances
	// takes AWS some seconds at worst.
	readTimeout = 30 * time.Second
	// writeTimeout bounds a call that changes something. It is longer, because
	// after it nobody knows whether the call did its work: StartInstances of a
	// thousand may take half a minute.
	writeTimeout = 60 * time.Second
	// answerBound is the size of the largest answer that is read: a page of 1,000
	// instances has some 3.3 MB, with fifty long tags each some 25 MB.
	answerBound = 64 << 20
	// refusalBound is the same for error documents, which may name 1,000 ids.
	refusalBound = 1 << 20
)

// Tries of a reading call.
const (
	// throttledTries with pauses of up to backoffMost is some two minutes.
	throttledTries = 10
	// transientTries: what fails three times in a row is down, and the next pass
	// comes anyway.
	transientTries    = 3
	transientFirst    = 300 * time.Millisecond
	transientLongest  = 5 * time.Second
	credentialRenewal = 1 // new credentials within one call
)

// env is what the kinds get for a scope.
func (c *Cloud) env(a *account, scope fleet.Scope, shared sdk.Config) kinds.Env {
	cfg := shared.Copy()
	cfg.Region = string(scope.Region)
	cfg.Credentials = a
	return kinds.Env{
		Scope: scope,
		SDK:   cfg,
		Now:   c.config.Now,
		Read: func(ctx context.Context, operation kinds.Operation, call func(context.Context) error) error {
			return c.read(ctx, a, scope, operation, call)
		},
		Once: func(ctx context.Context, operation kinds.Operation, call func(context.Context) error) error {
			return c.once(ctx, a, scope, operation, writeTimeout, call)
		},
		Write: func(ctx context.Context, operation kinds.Operation, call func(context.Context) error) error {
			return c.again(cloud.WithOneTry(ctx), scope, operation, func() error {
				return c.once(ctx, a, scope, operation, writeTimeout, call)
			})
		},
	}
}

// once makes a call a single time, and a second time when AWS says that the
// session has expired, with new credentials, or that the request's time is wrong,
// with AWS's: then it did nothing.
func (c *Cloud) once(ctx context.Context, a *account, scope fleet.Scope, operation kinds.Operation, timeout time.Duration, call func(context.Context) error) error {
	for renewed := 0; ; renewed++ {
		session, err := a.credentials(ctx)
		if err != nil {
			return err
		}
		err = c.attempt(ctx, scope, operation, timeout, call)
		if renewed == credentialRenewal || !expired(err) && !skewed(err) {
			return err
		}
		if expired(err) {
			a.renew(session)
		}
	}
}

// attempt makes a call within its time and translates its error.
func (c *Cloud) attempt(ctx context.Context, scope fleet.Scope, operation kinds.Operation, timeout time.Duration, call func(context.Context) error) error {
	began := c.config.Now()
	bounded, cancel := context.WithTimeout(ctx, timeout)
	err := translate(ctx, scope, operation, call(bounded))
	cancel()
	if observe := c.config.Observer.Called; observe != nil {
		observe(scope, operation, c.config.Now().Sub(began), err)
	}
	if observe := c.config.Observer.Throttled; observe != nil && errors.Is(err, cloud.ErrThrottled) {
		observe(scope, operation)
	}
	return err
}

// read makes a call that may be repeated. It waits for room before each attempt.
func (c *Cloud) read(ctx context.Context, a *account, scope fleet.Scope, operation kinds.Operation, call func(context.Context) error) error {
	return c.again(ctx, scope, operation, func() error {
		return c.once(ctx, a, scope, operation, readTimeout, call)
	})
}

// again tries until it goes well, the failure lasts or the tries are used up.
func (c *Cloud) again(ctx context.Context, scope fleet.Scope, operation kinds.Operation, try func() error) error {
	throttled, transient := 0, 0
	for {
		if _, err := c.pacer.take(ctx, scope, operation, 1, 1); err != nil {
			return fmt.Errorf("%s in %s: wait for room in the rate limit: %w", operation, scope, err)
		}
		err := try()
		c.settle(scope, operation, 1, err)
		var used, most int
		switch {
		case errors.Is(err, cloud.ErrThrottled):
			throttled++ // the mirror makes the pause
			used, most = throttled, throttledTries
		case errors.Is(err, cloud.ErrTransient):
			transient++
			used, most = transient, transientTries
			if cloud.OneTry(ctx) {
				return err
			}
		default:
			return err
		}
		if used >= most {
			return fmt.Errorf("tried %d times: %w", used, err)
		}
		if errors.Is(err, cloud.ErrTransient) {
			pause := c.pacer.jitter(backoff(transientFirst, transientLongest, transient-1))
			if err := c.config.Sleep(ctx, pause); err != nil {
				return fmt.Errorf("%s in %s: %w", operation, scope, err)
			}
		}
	}
}

// checkAnswers makes the SDK refuse what is not an answer of the operation. The
// SDK takes an empty body, an HTML page and an error document that come with
// status 200 for an answer without content: an empty fleet.
func checkAnswers(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("dayshift:CheckAnswer", checkAnswer), middleware.After)
}

func checkAnswer(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	if err := cloud.Permitted(ctx); err != nil { // what follows is the network
		return middleware.DeserializeOutput{}, middleware.Metadata{}, err
	}
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, isHTTP := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !isHTTP {
		return out, metadata, err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		response.Body = bound(response.Body, refusalBound)
		return out, metadata, nil
	}
	body := bufio.NewReaderSize(bound(response.Body, answerBound), rootWithin)
	head, err := body.Peek(rootWithin)
	if err != nil && !errors.Is(err, io.EOF) {
		return out, metadata, fmt.Errorf("read the answer: %w", err)
	}
	if service := awsmiddleware.GetServiceID(ctx); cborServices[service] {
		// An operation that answers nothing has an empty body, or an empty map; of others, who asked tells by what has to be in it.
		nothing := len(head) == 0 || slices.Contains(emptyMaps, string(head))
		if response.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" || !nothing && (silent[middleware.GetOperationName(ctx)] || head[0]>>5 != cborMap) {
			return out, metadata, errNotCBOR
		}
		response.Body = readCloser{body, response.Body}
		if nothing { // of an operation without an answer the SDK can not read any
			response.Body = readCloser{bytes.NewReader(nil), response.Body}
		}
		return out, metadata, nil
	} else if service == "Lambda" { // what it answers is the function's, and may be anything
		if response.Header.Get("X-Amz-Executed-Version") == "" {
			return out, metadata, errNoFunction
		}
		response.Body = readCloser{body, response.Body}
		return out, metadata, nil
	} else if jsonServices[service] {
		// Whether it is the operation's, who asked tells by what has to be in it; where there is nothing to be in it, so it must be.
		text := bytes.TrimSpace(head)
		right := bytes.HasPrefix(text, []byte("{"))
		if answersNothing[service+"."+middleware.GetOperationName(ctx)] {
			right = len(text) == 0 || string(text) == "{}"
		}
		if !right {
			return out, metadata, errNotJSON
		}
		response.Body = readCloser{body, response.Body}
		return out, metadata, nil
	}
	want := middleware.GetOperationName(ctx) + "Response"
	if got := rootElement(head); got != want {
		return out, metadata, &strangeAnswerError{want: want, got: got}
	}
	response.Body = &shallowBody{ReadCloser: readCloser{body, response.Body}}
	return out, metadata, nil
}

// rootWithin is how far into an answer its root element begins at the latest.
const rootWithin = 1 << 10

// jsonServices do not answer in XML.
var jsonServices = map[string]bool{
	"Organizations": true, "SSM": true, "ECS": true, "EKS": true, "Application Auto Scaling": true, "Resource Groups Tagging API": true, "SQS": true, "SageMaker": true, "Secrets Manager": true,
	"Backup": true, "EventBridge": true,
}

// answersNothing are operations whose answer has no members: by the
// documentation its body is empty, where others send an empty object.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_TagResource.html
// https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopNotebookInstance.html
var answersNothing = map[string]bool{
	"EKS.TagResource": true, "EKS.UntagResource": true,
	"SageMaker.StartNotebookInstance": true, "SageMaker.StopNotebookInstance": true, "SageMaker.DeleteTags": true,
}

// cborServices answer in CBOR, of which a map has the major type cborMap.
var cborServices = map[string]bool{"CloudWatch": true}

const cborMap = 5

// silent are operations in CBOR that answer nothing; emptyMaps an empty map, of known and of unknown length.
var (
	silent    = map[string]bool{"DisableAlarmActions": true, "EnableAlarmActions": true}
	emptyMaps = []string{"\xa0", "\xbf\xff"}
)

var (
	errNotJSON = errors.New("the answer is not a JSON object")
	errNotCBOR = errors.New("the answer is not one in CBOR")

	errNoFunction = errors.New("the answer is not one of a function")
)

// strangeAnswerError: an answer with a good status that is not the operation's.
type strangeAnswerError struct{ want, got string }

func (e *strangeAnswerError) Error() string {
	if e.got == "" {
		return fmt.Sprintf("the answer is not XML, expected %s", e.want)
	}
	return fmt.Sprintf("the answer is a document <%s>, expected <%s>", e.got, e.want)
}

// rootElement returns the name of the first element, empty when there is none.
func rootElement(head []byte) string {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	for {
		head = bytes.TrimLeft(head, " \t\r\n")
		end := "?>"
		switch {
		case bytes.HasPrefix(head, []byte("<?")):
		case bytes.HasPrefix(head, []byte("<!--")):
			end = "-->"
		case bytes.HasPrefix(head, []byte("<")):
			name := head[1:]
			if i := bytes.IndexAny(name, " \t\r\n/>"); i >= 0 {
				return string(name[:i])
			}
			return ""
		default:
			return ""
		}
		i := bytes.Index(head, []byte(end))
		if i < 0 {
			return ""
		}
		head = head[i+len(end):]
	}
}

type readCloser struct {
	io.Reader
	io.Closer
}

// boundedBody fails, rather than ends, when the bound is reached: a cut answer
// must not look like a short one.
type boundedBody struct {
	io.ReadCloser
	left, size int64
}

func bound(body io.ReadCloser, size int64) io.ReadCloser {
	return &boundedBody{body, size, size}
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is longer than %d MB", b.size>>20)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
