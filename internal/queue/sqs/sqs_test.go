package sqs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
	"dayshift/internal/queue"
	"dayshift/internal/queue/queuetest"
	ours "dayshift/internal/queue/sqs"
)

var scope = fleet.Scope{Account: "111122223333", Region: "eu-central-1"}

const url = "https://sqs.eu-central-1.amazonaws.com/111122223333/events"

// hidden is the visibility timeout of the queues here.
const hidden = 2 * time.Second

// session is that of the product for the scope.
func session(t testing.TB, config aws.Config) aws.Session {
	t.Helper()
	config.Accounts = []aws.Account{{ID: scope.Account, Regions: []fleet.Region{scope.Region}, Credentials: aws.StaticKey(string(scope.Account), "any")}}
	c, err := aws.New(config)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Session(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// create makes a queue by the SDK's own client and returns ours on it.
func create(t testing.TB, s aws.Session, name string) *ours.Queue {
	t.Helper()
	made, err := sqs.NewFromConfig(s.SDK).CreateQueue(t.Context(), &sqs.CreateQueueInput{
		QueueName: &name, Attributes: map[string]string{"VisibilityTimeout": fmt.Sprint(int(hidden / time.Second))},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ours.New(ours.Config{URL: sdk.ToString(made.QueueUrl), SDK: s.SDK, Call: s.Call})
}

func TestConformance(t *testing.T) {
	queuetest.Exercise(t, queuetest.Bed{Hidden: hidden, Run: func(t *testing.T, examine func(*testing.T, queue.Queue)) {
		synctest.Test(t, func(t *testing.T) {
			sim := awssim.New(awssim.Options{})
			examine(t, create(t, session(t, aws.Config{Transport: sim.Transport()}), "events"))
		})
	}})
}

// The same against moto, which nobody here wrote.
func TestConformanceAgainstMoto(t *testing.T) {
	endpoint := cloudtest.Moto(t)
	var n atomic.Int64
	queuetest.Exercise(t, queuetest.Bed{Hidden: hidden, Loose: true, Run: func(t *testing.T, examine func(*testing.T, queue.Queue)) {
		t.Parallel()
		// moto's accounts are those of its roles; the credentials at hand are always 123456789012's.
		c, err := aws.New(aws.Config{Endpoint: endpoint, Accounts: []aws.Account{{
			ID: cloudtest.MotoAccount, Regions: []fleet.Region{scope.Region}, Credentials: aws.StaticKey("any", "any"),
		}}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Session(t.Context(), fleet.Scope{Account: cloudtest.MotoAccount, Region: scope.Region})
		if err != nil {
			t.Fatal(err)
		}
		examine(t, create(t, s, fmt.Sprint("events-", n.Add(1))))
	}})
}

// Every failure is one of the contract's, says which queue it was, and is tried once.
func TestFailures(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault awssim.Fault
		queue string
		want  error
	}{
		{"no such queue", awssim.Fault{}, url + "x", queue.ErrNoQueue},
		{"somebody else's queue", awssim.Fault{}, strings.Replace(url, "1111", "9999", 1), queue.ErrRefused},
		{"not allowed", awssim.Fault{Kind: awssim.FaultDenied}, url, queue.ErrRefused},
		{"no answer of AWS's", awssim.Fault{Kind: awssim.FaultHTML}, url, queue.ErrUnavailable},
		{"garbage", awssim.Fault{Kind: awssim.FaultGarbage}, url, queue.ErrUnavailable},
		{"nothing in the answer", awssim.Fault{Kind: awssim.FaultEmpty}, url, queue.ErrUnavailable},
		{"half an answer", awssim.Fault{Kind: awssim.FaultCut}, url, queue.ErrUnavailable},
		{"a reset", awssim.Fault{Kind: awssim.FaultReset}, url, queue.ErrUnavailable},
		{"unreachable", awssim.Fault{Kind: awssim.FaultUnreachable}, url, queue.ErrUnavailable},
		{"no answer ever", awssim.Fault{Kind: awssim.FaultHang}, url, queue.ErrUnavailable},
		{"throttled", awssim.Fault{Kind: awssim.FaultThrottle}, url, queue.ErrUnavailable},
		{"an error of the service", awssim.Fault{Kind: awssim.FaultError, Code: "InternalError", Status: 500}, url, queue.ErrUnavailable},
		{"a request that SQS calls wrong", awssim.Fault{Kind: awssim.FaultError, Code: "InvalidParameterValue"}, url, queue.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := awssim.New(awssim.Options{})
				s := session(t, aws.Config{Transport: sim.Transport()})
				create(t, s, "events")
				q := ours.New(ours.Config{URL: test.queue, SDK: s.SDK, Call: s.Call})
				if test.fault.Kind != "" {
					test.fault.Service = "sqs"
					if err := sim.SetFaults([]awssim.Fault{test.fault}); err != nil {
						t.Fatal(err)
					}
				}
				message := []queue.Message{{Receipt: "bm9uZSAx"}}
				for what, call := range map[string]func() error{
					"send":    func() error { return q.Send(t.Context(), "x") },
					"receive": func() error { _, err := q.Receive(t.Context(), queue.MaxWait); return err },
					"extend":  func() error { return q.Extend(t.Context(), message, 0) },
					"delete":  func() error { return q.Delete(t.Context(), message) },
					"inspect": func() error { _, err := q.Inspect(t.Context()); return err },
				} {
					sim.ResetCalls()
					began := time.Now()
					err := call()
					if !errors.Is(err, test.want) || !strings.Contains(fmt.Sprint(err), test.queue) {
						t.Errorf("%s: got %v, want %v", what, err, test.want)
					}
					if took := time.Since(began); took > queue.MaxWait+15*time.Second {
						t.Errorf("%s: took %s", what, took)
					}
					if n := len(sim.Calls()); n != 1 {
						t.Errorf("%s: %d calls", what, n)
					}
				}
			})
		})
	}
}

// answering gives fixed answers in place of SQS.
type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader(string(a))),
	}, nil
}

// An answer that leaves out members of a batch, or names ones that were not asked for, is no success.
func TestStrangeAnswers(t *testing.T) {
	plain := func(ctx context.Context, _ string, timeout time.Duration, call func(context.Context) error) error {
		bounded, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if err := call(bounded); err != nil {
			return fmt.Errorf("%w: %w", cloud.ErrTransient, err)
		}
		return nil
	}
	over := func(answer string) *ours.Queue {
		return ours.New(ours.Config{URL: url, Call: plain, SDK: sdk.Config{
			Region: "eu-central-1", Credentials: aws.StaticKey("a", "b"), HTTPClient: &http.Client{Transport: answering(answer)},
			Retryer: func() sdk.Retryer { return sdk.NopRetryer{} },
		}})
	}
	three := []queue.Message{{Receipt: "a"}, {Receipt: "b"}, {Receipt: "c"}}
	for _, test := range []struct {
		name, answer string
		failed       []int
		want         error
	}{
		{"of one nothing is said", `{"Successful":[{"Id":"0"},{"Id":"2"}]}`, []int{1}, queue.ErrUnavailable},
		{"of none anything is said", `{}`, []int{0, 1, 2}, queue.ErrUnavailable},
		{"of others something is said", `{"Successful":[{"Id":"0"},{"Id":"1"},{"Id":"2"},{"Id":"7"}],"Failed":[{"Id":"9","Code":"x","SenderFault":true}]}`, nil, nil},
		{"one failed", `{"Successful":[{"Id":"0"},{"Id":"1"}],"Failed":[{"Id":"2","Code":"InternalError","SenderFault":false}]}`, []int{2}, queue.ErrUnavailable},
		{"one was refused", `{"Successful":[{"Id":"1"},{"Id":"2"}],"Failed":[{"Id":"0","Code":"MessageTooFancy","SenderFault":true}]}`, []int{0}, queue.ErrInvalid},
		{"one is gone", `{"Successful":[{"Id":"1"},{"Id":"2"}],"Failed":[{"Id":"0","Code":"ReceiptHandleIsInvalid","SenderFault":true}]}`, []int{0}, queue.ErrStale},
	} {
		t.Run(test.name, func(t *testing.T) {
			for what, err := range map[string]error{
				"delete": over(test.answer).Delete(t.Context(), three), "extend": over(test.answer).Extend(t.Context(), three, time.Second),
			} {
				var partial *queue.PartialError
				switch {
				case test.want == nil && err == nil:
				case !errors.As(err, &partial), fmt.Sprint(partial.Failed) != fmt.Sprint(test.failed), !errors.Is(err, test.want):
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	// A message without a receipt can not be deleted: it is not handed out. Numbers that are none are not known.
	got, err := over(`{"Messages":[{"MessageId":"1","Body":"x"},{"MessageId":"2","ReceiptHandle":"r","Attributes":{"SentTimestamp":"soon"}}]}`).Receive(t.Context(), 0)
	if err != nil || len(got) != 1 || got[0].ID != "2" || got[0].Receptions != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
