package kinds

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"dayshift/internal/cloud"
	"dayshift/internal/say"
)

// Operations of Systems Manager that commands need.
const (
	sendCommand            Operation = "ssm:SendCommand"
	listCommands           Operation = "ssm:ListCommands"
	listCommandInvocations Operation = "ssm:ListCommandInvocations"
	describeInformation    Operation = "ssm:DescribeInstanceInformation"
	describeSessions       Operation = "ssm:DescribeSessions"
)

// The documents that are run, AWS's own; IAM allows no others.
const (
	shellDocument      = "AWS-RunShellScript"
	powerShellDocument = "AWS-RunPowerShellScript"
)

const (
	// commandPage is the largest page of commands, invocations and instances.
	commandPage = 50
	// sessionPage is the largest page of sessions.
	sessionPage = 200
	// commentMost is the longest comment of a command, in characters.
	commentMost = 100
	// leastTimeout and mostTimeout are what SendCommand and its documents take.
	leastTimeout = 30 * time.Second
	mostTimeout  = 48 * time.Hour
	// clocksApart is how much earlier than ours AWS's clock may say that a command was
	// sent: to look further back costs nothing, since no two tokens are alike.
	clocksApart = 5 * time.Minute
	// scriptMost bounds the lines of a script together: a document with its parameters has 64 KB.
	scriptMost = 48 << 10
)

// CommandPermissions are what commands need beside the permissions of the kinds,
// where workloads have them.
var CommandPermissions = []Permission{
	{Action: sendCommand, For: "run commands in instances: gates, vetoes and hooks of workloads", Resource: "document/" + shellDocument, Optional: true},
	{Action: sendCommand, For: "the same on Windows", Resource: "document/" + powerShellDocument, Optional: true},
	{Action: sendCommand, For: "the same: the instances that they run in", Resource: "instance/*", Of: "ec2", Optional: true, Conditions: []Condition{onlyTagged}},
	{Action: listCommands, For: "find a command again after a restart, instead of sending it twice", Resource: "*", Optional: true},
	{Action: listCommandInvocations, For: "see how a command ended", Resource: "*", Optional: true},
	{Action: describeInformation, For: "see which instances have an agent that answers", Resource: "*", Optional: true},
	{Action: describeSessions, For: "see the open sessions of Session Manager", Resource: "*", Optional: true},
}

// Commands are commands in the instances of a scope, and their sessions.
type Commands struct {
	Env
	api commandClient
}

type commandClient struct {
	send        func(context.Context, *ssm.SendCommandInput, ...func(*ssm.Options)) (*ssm.SendCommandOutput, error)
	commands    func(context.Context, *ssm.ListCommandsInput, ...func(*ssm.Options)) (*ssm.ListCommandsOutput, error)
	invocations func(context.Context, *ssm.ListCommandInvocationsInput, ...func(*ssm.Options)) (*ssm.ListCommandInvocationsOutput, error)
	information func(context.Context, *ssm.DescribeInstanceInformationInput, ...func(*ssm.Options)) (*ssm.DescribeInstanceInformationOutput, error)
	sessions    func(context.Context, *ssm.DescribeSessionsInput, ...func(*ssm.Options)) (*ssm.DescribeSessionsOutput, error)
}

// OpenCommands prepares the commands of a scope. It makes no call.
func OpenCommands(env Env) *Commands {
	c := ssm.NewFromConfig(env.SDK)
	return &Commands{Env: env, api: commandClient{c.SendCommand, c.ListCommands, c.ListCommandInvocations, c.DescribeInstanceInformation, c.DescribeSessions}}
}

// comment is the token as the comment of a command; of a long one its begin and a
// sum of all of it.
func comment(token string) string {
	if utf8.RuneCountInString(token) <= commentMost {
		return token
	}
	sum := sha256.Sum256([]byte(token))
	end := "…" + hex.EncodeToString(sum[:16])
	return string([]rune(token)[:commentMost-utf8.RuneCountInString(end)]) + end
}

// documentOf is what runs a command.
func documentOf(c cloud.Command) string {
	if c.Windows {
		return powerShellDocument
	}
	return shellDocument
}

// check refuses what Systems Manager would.
func (k *Commands) check(c cloud.Command) error {
	length := 0
	for _, line := range c.Lines {
		length += len(line)
	}
	switch {
	case len(c.IDs) == 0 || len(c.IDs) > cloud.CommandTargets:
		return fmt.Errorf("send a command to %d instances: 1 to %d are possible: %w", len(c.IDs), cloud.CommandTargets, cloud.ErrInvalid)
	case len(c.Lines) == 0:
		return fmt.Errorf("send a command without lines: %w", cloud.ErrInvalid)
	case length > scriptMost:
		return fmt.Errorf("send a command of %d bytes: at most %d are possible: %w", length, scriptMost, cloud.ErrInvalid)
	case c.Timeout < leastTimeout || c.Timeout > mostTimeout:
		return fmt.Errorf("send a command with the time-out %v: %v to %v are possible: %w", c.Timeout, leastTimeout, mostTimeout, cloud.ErrInvalid)
	}
	return nil
}

// Send is as cloud.Commander says. Systems Manager knows no tokens: so a command of
// the token is looked for before it is sent, and when no answer came, after.
func (k *Commands) Send(ctx context.Context, c cloud.Command) (string, error) {
	if err := k.check(c); err != nil {
		return "", err
	}
	if id, err := k.sent(ctx, c); err != nil || id != "" {
		return id, err
	}
	seconds := int32(c.Timeout / time.Second)
	in := &ssm.SendCommandInput{
		DocumentName: sdk.String(documentOf(c)), InstanceIds: c.IDs, TimeoutSeconds: sdk.Int32(seconds),
		Parameters: map[string][]string{"commands": c.Lines, "executionTimeout": {strconv.Itoa(int(seconds))}},
	}
	if c.Token != "" {
		in.Comment = sdk.String(comment(c.Token))
	}
	var id string
	err := k.Read(cloud.WithOneTry(ctx), sendCommand, func(ctx context.Context) error { // again when throttled, and only then
		answer, err := k.api.send(ctx, in)
		if err != nil {
			return err
		}
		if answer.Command == nil || sdk.ToString(answer.Command.CommandId) == "" {
			return errNotTheAnswer("Command.CommandId")
		}
		id = *answer.Command.CommandId
		return nil
	})
	switch {
	case err == nil:
		return id, nil
	case errors.Is(err, cloud.ErrNotPermitted):
		return "", err
	case errors.Is(err, cloud.ErrTransient):
		if id, lookErr := k.sent(ctx, c); lookErr == nil && id != "" {
			return id, nil
		}
	case errors.Is(err, cloud.ErrWrongState):
		return "", k.unreachable(ctx, c.IDs, err)
	}
	return "", err
}

// sent finds the command of the token; empty where there is none.
func (k *Commands) sent(ctx context.Context, c cloud.Command) (id string, err error) {
	if c.Token == "" {
		return "", nil
	}
	want, document := comment(c.Token), documentOf(c)
	in := &ssm.ListCommandsInput{MaxResults: sdk.Int32(commandPage), Filters: []types.CommandFilter{
		{Key: types.CommandFilterKeyInvokedAfter, Value: sdk.String(c.Since.Add(-clocksApart).UTC().Format("2006-01-02T15:04:05Z"))},
		{Key: types.CommandFilterKeyDocumentName, Value: sdk.String(document)},
	}}
	err = k.listCommands(ctx, in, func(one *types.Command) {
		if sdk.ToString(one.Comment) == want {
			id = sdk.ToString(one.CommandId)
		}
	})
	if err != nil {
		return "", fmt.Errorf("look whether the command was sent: %w", err)
	}
	return id, nil
}

func (k *Commands) listCommands(ctx context.Context, in *ssm.ListCommandsInput, each func(*types.Command)) error {
	return pages(ctx, k.Read, listCommands, "list commands in "+k.Scope.String(), func(ctx context.Context, token *string) (*ssm.ListCommandsOutput, error) {
		in.NextToken = token
		page, err := k.api.commands(ctx, in)
		if err == nil && page.Commands == nil {
			err = errNotTheAnswer("Commands")
		}
		return page, err
	}, func(page *ssm.ListCommandsOutput) (*string, error) {
		for i := range page.Commands {
			each(&page.Commands[i])
		}
		return page.NextToken, nil
	})
}

// unreachable names the instances for which Systems Manager refused a command:
// those that its message names, else those whose agent is not online.
func (k *Commands) unreachable(ctx context.Context, ids []string, refused error) error {
	var named []string
	for _, id := range instanceInMessage.FindAllString(refused.Error(), -1) {
		if slices.Contains(ids, id) {
			named = append(named, id)
		}
	}
	if len(named) == 0 {
		online, err := k.Reachable(ctx, ids)
		if err != nil {
			return refused
		}
		for _, id := range ids {
			if !online[id] {
				named = append(named, id)
			}
		}
	}
	if len(named) == 0 {
		return refused
	}
	slices.Sort(named)
	return &cloud.MemberError{IDs: slices.Compact(named), Err: refused}
}

// Results is as cloud.Commander says.
func (k *Commands) Results(ctx context.Context, id string) (map[string]cloud.CommandResult, error) {
	results := map[string]cloud.CommandResult{}
	err := pages(ctx, k.Read, listCommandInvocations, "see how command "+id+" stands in "+k.Scope.String(), func(ctx context.Context, token *string) (*ssm.ListCommandInvocationsOutput, error) {
		page, err := k.api.invocations(ctx, &ssm.ListCommandInvocationsInput{CommandId: sdk.String(id), Details: true, MaxResults: sdk.Int32(commandPage), NextToken: token})
		if err == nil && page.CommandInvocations == nil {
			err = errNotTheAnswer("CommandInvocations")
		}
		return page, err
	}, func(page *ssm.ListCommandInvocationsOutput) (*string, error) {
		for i := range page.CommandInvocations {
			one := &page.CommandInvocations[i]
			results[sdk.ToString(one.InstanceId)] = readInvocation(one)
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	if len(results) == 0 { // only just sent: the command itself says where to
		err = k.listCommands(ctx, &ssm.ListCommandsInput{CommandId: sdk.String(id)}, func(one *types.Command) {
			for _, instance := range one.InstanceIds {
				results[instance] = cloud.CommandResult{State: cloud.CommandPending, Detail: string(types.CommandInvocationStatusPending)}
			}
		})
	}
	return results, err
}

// failedScript is the detail of an invocation whose script ran to its end with
// another exit code than 0.
const failedScript = "Failed"

// standardError begins what a plugin's output shows of standard error.
const standardError = "\n----------ERROR-------\n"

// readInvocation reads how a command stands on an instance.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html
func readInvocation(v *types.CommandInvocation) cloud.CommandResult {
	result := cloud.CommandResult{State: cloud.CommandFailed, Detail: sdk.ToString(v.StatusDetails)}
	if result.Detail == "" {
		result.Detail = string(v.Status)
	}
	// The plugin that ran: those for other platforms are passed over, with 0 and nothing said.
	var ran *types.CommandPlugin
	for i := range v.CommandPlugins {
		p := &v.CommandPlugins[i]
		if ran == nil || ran.ResponseCode == 0 && sdk.ToString(ran.Output) == "" {
			ran = p
		}
	}
	if ran != nil {
		result.Output, _, _ = strings.Cut(sdk.ToString(ran.Output), standardError)
	}
	switch v.Status {
	case types.CommandInvocationStatusPending, types.CommandInvocationStatusInProgress, types.CommandInvocationStatusDelayed, types.CommandInvocationStatusCancelling:
		result.State = cloud.CommandPending
	case types.CommandInvocationStatusSuccess:
		result.State = cloud.CommandDone
	case types.CommandInvocationStatusFailed:
		if result.Detail == failedScript && ran != nil && ran.ResponseCode > 0 {
			result.State, result.Exit = cloud.CommandDone, int(ran.ResponseCode)
		}
	}
	return result
}

// Reachable is as cloud.Commander says.
func (k *Commands) Reachable(ctx context.Context, ids []string) (map[string]bool, error) {
	online := map[string]bool{}
	sorted := slices.Sorted(slices.Values(ids))
	for batch := range slices.Chunk(slices.Compact(sorted), commandPage) {
		in := &ssm.DescribeInstanceInformationInput{
			MaxResults: sdk.Int32(commandPage), Filters: []types.InstanceInformationStringFilter{{Key: sdk.String("InstanceIds"), Values: batch}},
		}
		err := pages(ctx, k.Read, describeInformation, "list agents in "+k.Scope.String(), func(ctx context.Context, token *string) (*ssm.DescribeInstanceInformationOutput, error) {
			in.NextToken = token
			page, err := k.api.information(ctx, in)
			if err == nil && page.InstanceInformationList == nil {
				err = errNotTheAnswer("InstanceInformationList")
			}
			return page, err
		}, func(page *ssm.DescribeInstanceInformationOutput) (*string, error) {
			for i := range page.InstanceInformationList {
				if one := &page.InstanceInformationList[i]; one.PingStatus == types.PingStatusOnline {
					online[sdk.ToString(one.InstanceId)] = true
				}
			}
			return page.NextToken, nil
		})
		if err != nil {
			return nil, err
		}
	}
	reachable := make(map[string]bool, len(ids))
	for _, id := range ids {
		reachable[id] = online[id]
	}
	return reachable, nil
}

// Sessions is as cloud.Commander says. A filter takes one instance: of several, all
// sessions of the region are listed.
func (k *Commands) Sessions(ctx context.Context, ids []string) (map[string]int, error) {
	open := map[string]int{}
	if len(ids) == 0 {
		return open, nil
	}
	in := &ssm.DescribeSessionsInput{State: types.SessionStateActive, MaxResults: sdk.Int32(sessionPage)}
	if len(ids) == 1 {
		in.Filters = []types.SessionFilter{{Key: types.SessionFilterKeyTargetId, Value: sdk.String(ids[0])}}
	}
	seen := map[string]bool{} // pages of a changing account may overlap
	err := pages(ctx, k.Read, describeSessions, "list sessions in "+k.Scope.String(), func(ctx context.Context, token *string) (*ssm.DescribeSessionsOutput, error) {
		in.NextToken = token
		page, err := k.api.sessions(ctx, in)
		if err == nil && page.Sessions == nil {
			err = errNotTheAnswer("Sessions")
		}
		return page, err
	}, func(page *ssm.DescribeSessionsOutput) (*string, error) {
		for i := range page.Sessions {
			one := &page.Sessions[i]
			ended := one.Status == types.SessionStatusTerminated || one.Status == types.SessionStatusTerminating || one.Status == types.SessionStatusFailed
			if id, target := sdk.ToString(one.SessionId), sdk.ToString(one.Target); !ended && !seen[id] && slices.Contains(ids, target) {
				seen[id] = true
				open[target]++
			}
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	return open, nil
}

// Probe tries to list commands, agents and sessions. A command has no dry run.
func (k *Commands) Probe(ctx context.Context) []cloud.Finding {
	var findings []cloud.Finding
	for _, try := range []struct {
		ability   say.Text
		operation Operation
		call      func(context.Context) error
	}{
		{say.Word("list commands in instances"), listCommands, func(ctx context.Context) error {
			_, err := k.api.commands(ctx, &ssm.ListCommandsInput{MaxResults: sdk.Int32(1)})
			return err
		}},
		{say.Word("see how commands end"), listCommandInvocations, func(ctx context.Context) error {
			_, err := k.api.invocations(ctx, &ssm.ListCommandInvocationsInput{MaxResults: sdk.Int32(1)})
			return err
		}},
		{say.Word("list agents in instances"), describeInformation, func(ctx context.Context) error {
			_, err := k.api.information(ctx, &ssm.DescribeInstanceInformationInput{MaxResults: sdk.Int32(5)})
			return err
		}},
		{say.Word("list open sessions"), describeSessions, func(ctx context.Context) error {
			_, err := k.api.sessions(ctx, &ssm.DescribeSessionsInput{State: types.SessionStateActive, MaxResults: sdk.Int32(1)})
			return err
		}},
	} {
		findings = append(findings, probeFinding(try.ability, try.operation, k.Read(ctx, try.operation, try.call)))
	}
	return append(findings, untested(say.Word("run commands in instances"), say.F("not known: that cannot be tried without doing it; the role needs %s", sendCommand)))
}
