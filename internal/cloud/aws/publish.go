package aws

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

var _ cloud.Publisher = (*Cloud)(nil)

const (
	// subjectMost is the longest subject, in characters ("less than 100"), and messageMost the largest message, in bytes.
	// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
	subjectMost = 99
	messageMost = 256 << 10
)

var topicPattern = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]+):([0-9]{12}):([A-Za-z0-9_-]{1,256}(?:\.fifo)?)$`)

// Publish implements cloud.Publisher, with the credentials of the topic's account,
// which has to be configured; its region need not be. A call that was throttled
// published nothing and is made again; one without an answer is not.
func (c *Cloud) Publish(ctx context.Context, topic, subject, message string) error {
	part := topicPattern.FindStringSubmatch(topic)
	if part == nil {
		return fmt.Errorf("publish to %q: expected arn:PARTITION:sns:REGION:ACCOUNT:NAME: %w", topic, cloud.ErrInvalid)
	}
	if message == "" {
		return fmt.Errorf("publish to %s: the message is empty: %w", topic, cloud.ErrInvalid)
	}
	env, err := c.home(ctx, part[1], part[2], part[3])
	if err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	publish := sns.NewFromConfig(env.SDK).Publish
	in := &sns.PublishInput{TopicArn: sdk.String(topic), Message: sdk.String(shorten(message, messageMost))}
	if subject = title(subject); subject != "" {
		in.Subject = sdk.String(subject)
	}
	err = env.Read(cloud.WithOneTry(ctx), kinds.PublishMessage, func(ctx context.Context) error {
		answer, err := publish(ctx, in)
		if err == nil && sdk.ToString(answer.MessageId) == "" {
			err = fmt.Errorf("the answer holds no MessageId")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

// home is where calls go to what an ARN names: its account has to be configured, its region need not be.
func (c *Cloud) home(ctx context.Context, partition, region, account string) (kinds.Env, error) {
	at, err := fleet.ParseRegion(region)
	if err != nil {
		return kinds.Env{}, fmt.Errorf("%w: %w", err, cloud.ErrInvalid)
	}
	scope := fleet.Scope{Account: fleet.AccountID(account), Region: at}
	a := c.accounts[scope.Account]
	if a == nil || at.Partition() != fleet.Partition(partition) || at.Partition() != a.Regions[0].Partition() {
		return kinds.Env{}, fmt.Errorf("account %s is not configured in partition %s: %w", account, partition, cloud.ErrInvalid)
	}
	if _, err := a.credentials(ctx); err != nil {
		return kinds.Env{}, err
	}
	shared, err := a.base.load(ctx)
	if err != nil {
		return kinds.Env{}, err
	}
	return c.env(a, scope, shared), nil
}

// title makes a subject of a text: on one line, without control characters, not too long.
func title(text string) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD")))
	left := subjectMost
	for i, r := range text {
		if left -= utf16.RuneLen(r); left < 0 {
			return strings.TrimSpace(text[:i])
		}
	}
	return text
}

// shorten cuts a text to so many bytes, between characters.
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
