package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// patternQueue is the address of a queue of SQS or its ARN. The schema repeats it.
const patternQueue = `^(https://(sqs\.[a-z0-9-]+|[a-z0-9-]+\.queue)\.amazonaws\.com(\.cn)?/[0-9]{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?` +
	`|arn:(aws|aws-cn|aws-us-gov):sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}(\.fifo)?)$`

// maxQueueName is SQS's bound on a queue's name, .fifo included.
const maxQueueName = 80

var (
	queueURLPattern = regexp.MustCompile(`^https://(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.com(\.cn)?/([0-9]{12})/([A-Za-z0-9_-]+(?:\.fifo)?)$`)
	queueARNPattern = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):sqs:([a-z0-9-]+):([0-9]{12}):([A-Za-z0-9_-]+(?:\.fifo)?)$`)
)

// EventQueue is the queue that events are read from, ready for use.
type EventQueue struct {
	// Scope is the account and region of the queue, which need not be looked after.
	Scope fleet.Scope
	Name  string
	// Account is how to get into the queue's account: its Regions are that of the
	// queue alone.
	Account Account
}

// URL is the address that SQS knows the queue by.
func (q EventQueue) URL() string {
	suffix := "amazonaws.com"
	if q.Scope.Region.Partition() == fleet.AWSChina {
		suffix += ".cn"
	}
	return fmt.Sprintf("https://sqs.%s.%s/%s/%s", q.Scope.Region, suffix, q.Scope.Account, q.Name)
}

// ARN is what policies know the queue by.
func (q EventQueue) ARN() string {
	return fmt.Sprintf("arn:%s:sqs:%s:%s:%s", q.Scope.Region.Partition(), q.Scope.Region, q.Scope.Account, q.Name)
}

// parseQueue reads the address or the ARN of a queue.
func parseQueue(text string) (EventQueue, *Fault) {
	f := &Fault{
		Text: text, Problem: say.F("is not a queue of SQS"),
		Allowed: say.F("its address such as https://sqs.eu-central-1.amazonaws.com/111122223333/dayshift-events, or its ARN such as arn:aws:sqs:eu-central-1:111122223333:dayshift-events"),
	}
	var region, account, name string
	var partition fleet.Partition
	if parts := queueARNPattern.FindStringSubmatch(text); parts != nil {
		partition, region, account, name = fleet.Partition(parts[1]), parts[2], parts[3], parts[4]
	} else if parts := queueURLPattern.FindStringSubmatch(text); parts != nil {
		region, account, name = parts[1]+parts[2], parts[4], parts[5]
		if partition = fleet.Region(region).Partition(); (parts[3] != "") != (partition == fleet.AWSChina) {
			f.Problem, f.Fix = say.F("has the address of another partition than its region %s", region), say.F("addresses in China end in .amazonaws.com.cn, all others in .amazonaws.com")
			return EventQueue{}, f
		}
	} else {
		switch {
		case strings.HasPrefix(text, "http://"):
			f.Fix = say.F("write https://; for a simulated AWS write the ARN and set the environment variable AWS_ENDPOINT_URL")
		case strings.Contains(text, ":sns:") || strings.Contains(text, ":events:"):
			f.Fix = say.F("Dayshift reads a queue: let the rule send there, as docs/events.md shows")
		case strings.HasPrefix(text, "https://"):
			f.Fix = say.F("write the ARN of the queue")
		}
		return EventQueue{}, f
	}
	if _, err := fleet.ParseRegion(region); err != nil {
		f.Problem, f.Fix = say.F("has no region where one belongs: %q", region), didYouMean(region, knownRegions)
		return EventQueue{}, f
	}
	if fleet.Region(region).Partition() != partition {
		f.Problem = say.F("is in the partition %s, and its region %s in %s", partition, region, fleet.Region(region).Partition())
		f.Fix = say.F("write arn:%s:sqs:%s:%s:%s", fleet.Region(region).Partition(), region, account, name)
		return EventQueue{}, f
	}
	if len(name) > maxQueueName {
		f.Problem, f.Allowed = say.F("has a name that is too long"), say.F("at most %d characters", maxQueueName)
		return EventQueue{}, f
	}
	return EventQueue{Scope: fleet.Scope{Account: fleet.AccountID(account), Region: fleet.Region(region)}, Name: name}, nil
}

// eventQueue checks the queue, and finds out how to get into its account; those of
// the file and of organizations are known by now.
func (b *builder) eventQueue() {
	c := &b.c.Events
	if _, given := b.keys["events"]; !given {
		return
	}
	if _, written := b.at["events.queue"]; !written {
		return // it is required, and that was said
	}
	q, f := parseQueue(c.Queue)
	if f != nil {
		b.faultAt("events.queue", *f)
	}
	reader := Account{ID: q.Scope.Account, Role: c.Role, ExternalID: c.ExternalID, Profile: c.Profile, Regions: []fleet.Region{q.Scope.Region}}
	b.role("events", &reader)
	b.externalID("events", &reader, b.env)
	if role := rolePattern.FindStringSubmatch(c.Role); f == nil && role != nil && role[1] != string(q.Scope.Region.Partition()) {
		b.faultAt("events.role", Fault{
			Text: c.Role, Problem: say.F("is in the partition %s, and the queue in %s", role[1], q.Scope.Region.Partition()),
			Fix: say.F("is the role arn:%s:iam::…?", q.Scope.Region.Partition()),
		})
	}
	if _, written := b.at["events.profile"]; written {
		if problem := badTagText(c.Profile, maxProfile); !problem.Empty() {
			b.faultAt("events.profile", Fault{Text: c.Profile, Problem: problem, Allowed: say.F("the name of a profile in ~/.aws/config")})
		}
	}
	c.ExternalID = reader.ExternalID
	if f != nil {
		return
	}
	q.Account = reader
	if c.Role == "" && c.Profile == "" { // the way into its account that is known anyway, if it is
		if i := slices.IndexFunc(b.l.Accounts, func(a Account) bool { return a.ID == q.Scope.Account }); i >= 0 {
			q.Account = b.l.Accounts[i]
			q.Account.Regions = reader.Regions
		}
	}
	b.l.Events = &q
}
