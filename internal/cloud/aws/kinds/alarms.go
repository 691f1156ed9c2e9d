package kinds

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Operations of CloudWatch that are needed.
const (
	describeAlarms Operation = "cloudwatch:DescribeAlarms"
	disableAlarms  Operation = "cloudwatch:DisableAlarmActions"
	enableAlarms   Operation = "cloudwatch:EnableAlarmActions"
)

// alarmBatch is the largest page of DescribeAlarms, and the most names that one call takes.
const alarmBatch = 100

// noSuchAlarm is a name that nobody has, to ask whether one may mute.
const noSuchAlarm = "dayshift-probe-of-permissions"

// AlarmPermissions are what muting alarms needs beside the permissions of the
// kinds, where schedules ask for it. An alarm does not carry the tags of what it
// watches, so all alarms may be muted.
var AlarmPermissions = []Permission{
	{Action: describeAlarms, For: "find the alarms of what is stopped", Resource: "*", Optional: true},
	{Action: disableAlarms, For: "mute them", Resource: "alarm:*", Optional: true},
	{Action: enableAlarms, For: "give them their voice back", Resource: "alarm:*", Optional: true},
}

// Dimensions name a resource in the metrics of CloudWatch, all of them together:
// a metric that has them, and perhaps more, is one of the resource.
type Dimensions map[string]string

// named are the dimensions of a kind whose resources one dimension names by their id.
func named(dimension string) func(fleet.Resource) []Dimensions {
	return func(r fleet.Resource) []Dimensions { return []Dimensions{{dimension: r.ID}} }
}

// Watched is a resource with everything that names it, or a part of it.
type Watched struct {
	fleet.Ref
	Names []Dimensions
}

// Alarms are CloudWatch's metric alarms in a scope.
type Alarms struct {
	Env
	api alarmClient
}

type alarmClient struct {
	describe func(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error)
	disable  func(context.Context, *cloudwatch.DisableAlarmActionsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DisableAlarmActionsOutput, error)
	enable   func(context.Context, *cloudwatch.EnableAlarmActionsInput, ...func(*cloudwatch.Options)) (*cloudwatch.EnableAlarmActionsOutput, error)
}

// OpenAlarms prepares the alarms of a scope. It makes no call.
func OpenAlarms(env Env) *Alarms {
	c := cloudwatch.NewFromConfig(env.SDK)
	return &Alarms{Env: env, api: alarmClient{c.DescribeAlarms, c.DisableAlarmActions, c.EnableAlarmActions}}
}

// List returns the alarms that would tell somebody something and watch nothing
// but the given resources, ordered by name: all of them, or an error. Composite
// alarms are not asked for: they follow from other alarms, not from resources.
func (a *Alarms) List(ctx context.Context, watched []Watched) ([]cloud.Alarm, error) {
	if len(watched) == 0 {
		return nil, nil
	}
	index := newWatchIndex(a.Scope, watched)
	byName := map[string]cloud.Alarm{} // pages of a changing account may overlap
	err := a.pages(ctx, &cloudwatch.DescribeAlarmsInput{}, func(alarm *types.MetricAlarm) {
		name := sdk.ToString(alarm.AlarmName)
		if name == "" || strings.ContainsFunc(name, unicode.IsControl) || !tells(alarm) {
			return
		}
		if of := index.of(alarm); len(of) > 0 {
			byName[name] = cloud.Alarm{Name: name, Of: of}
		}
	})
	if err != nil {
		return nil, err
	}
	list := make([]cloud.Alarm, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		list = append(list, byName[name])
	}
	return list, nil
}

// pages calls each with every metric alarm of every page.
func (a *Alarms) pages(ctx context.Context, in *cloudwatch.DescribeAlarmsInput, each func(*types.MetricAlarm)) error {
	in.AlarmTypes, in.MaxRecords = []types.AlarmType{types.AlarmTypeMetricAlarm}, sdk.Int32(alarmBatch)
	return pages(ctx, a.Read, describeAlarms, "list CloudWatch alarms in "+a.Scope.String(), func(ctx context.Context, token *string) (*cloudwatch.DescribeAlarmsOutput, error) {
		in.NextToken = token
		page, err := a.api.describe(ctx, in)
		if err == nil && page.MetricAlarms == nil {
			err = errNotTheAnswer("MetricAlarms")
		}
		return page, err
	}, func(page *cloudwatch.DescribeAlarmsOutput) (*string, error) {
		for i := range page.MetricAlarms {
			each(&page.MetricAlarms[i])
		}
		return page.NextToken, nil
	})
}

// scalingPolicy is in the ARN of an action that scales something.
const scalingPolicy = ":scalingPolicy:"

// tells reports whether the alarm is one to be muted. One that scales something
// is a part of what it watches, and where muting it were not undone, nothing
// would scale any more.
func tells(alarm *types.MetricAlarm) bool {
	actions := slices.Concat(alarm.AlarmActions, alarm.OKActions, alarm.InsufficientDataActions)
	return sdk.ToBool(alarm.ActionsEnabled) && len(actions) > 0 &&
		!slices.ContainsFunc(actions, func(arn string) bool { return strings.Contains(arn, scalingPolicy) })
}

// watchIndex finds resources by the dimensions of a metric.
type watchIndex struct {
	scope  fleet.Scope
	shapes [][]string // names of dimensions, each sorted
	refs   map[string][]fleet.Ref
}

func newWatchIndex(scope fleet.Scope, watched []Watched) *watchIndex {
	x := &watchIndex{scope: scope, refs: map[string][]fleet.Ref{}}
	for _, one := range watched {
		for _, names := range one.Names {
			shape := slices.Sorted(maps.Keys(names))
			if len(shape) == 0 {
				continue
			}
			key := watchKey(shape, names)
			x.refs[key] = append(x.refs[key], one.Ref)
			if !slices.ContainsFunc(x.shapes, func(known []string) bool { return slices.Equal(known, shape) }) {
				x.shapes = append(x.shapes, shape)
			}
		}
	}
	return x
}

// watchKey is the same for the same dimensions; a value has no control characters.
func watchKey(shape []string, values map[string]string) string {
	var b strings.Builder
	for _, name := range shape {
		b.WriteString(name + "\x00" + values[name] + "\x00")
	}
	return b.String()
}

// of are the resources that the alarm watches; none where it watches anything else as well.
func (x *watchIndex) of(alarm *types.MetricAlarm) []fleet.Ref {
	if alarm.EvaluationCriteria != nil { // it asks for series by a query
		return nil
	}
	metrics := [][]types.Dimension{alarm.Dimensions}
	if len(alarm.Metrics) > 0 {
		metrics = nil
		for i := range alarm.Metrics {
			query := &alarm.Metrics[i]
			account := sdk.ToString(query.AccountId)
			switch {
			case account != "" && account != string(x.scope.Account):
				return nil
			case query.MetricStat != nil && query.MetricStat.Metric != nil:
				metrics = append(metrics, query.MetricStat.Metric.Dimensions)
			case searches(sdk.ToString(query.Expression)):
				return nil
			}
		}
	}
	var all []fleet.Ref
	for _, dimensions := range metrics {
		found := x.find(dimensions)
		if len(found) == 0 {
			return nil
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, fleet.Ref.Compare)
	return slices.Compact(all)
}

// searches reports whether an expression takes in data that no metric beside it names.
func searches(expression string) bool {
	expression = strings.ToUpper(expression)
	return slices.ContainsFunc([]string{"SELECT", "SEARCH", "LAMBDA", "DB_PERF_INSIGHTS"}, func(word string) bool { return strings.Contains(expression, word) })
}

func (x *watchIndex) find(dimensions []types.Dimension) []fleet.Ref {
	values := make(map[string]string, len(dimensions))
	for _, d := range dimensions {
		values[sdk.ToString(d.Name)] = sdk.ToString(d.Value)
	}
	var found []fleet.Ref
	for _, shape := range x.shapes {
		if !slices.ContainsFunc(shape, func(name string) bool { _, has := values[name]; return !has }) {
			found = append(found, x.refs[watchKey(shape, values)]...)
		}
	}
	return found
}

// Mute disables the actions of alarms. What does not exist CloudWatch passes over.
func (a *Alarms) Mute(ctx context.Context, names []string) error {
	return a.batches(names, func(batch []string) error {
		return a.Read(ctx, disableAlarms, func(ctx context.Context) error {
			_, err := a.api.disable(ctx, &cloudwatch.DisableAlarmActionsInput{AlarmNames: batch})
			return err
		})
	})
}

// Restore enables the actions of those that exist and are mute, and returns their names, ordered.
func (a *Alarms) Restore(ctx context.Context, names []string) ([]string, error) {
	var restored []string
	err := a.batches(names, func(batch []string) error {
		var mute []string
		err := a.pages(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: batch}, func(alarm *types.MetricAlarm) {
			if name := sdk.ToString(alarm.AlarmName); !sdk.ToBool(alarm.ActionsEnabled) && slices.Contains(batch, name) {
				mute = append(mute, name)
			}
		})
		if err != nil || len(mute) == 0 {
			return err
		}
		slices.Sort(mute)
		mute = slices.Compact(mute)
		err = a.Read(ctx, enableAlarms, func(ctx context.Context) error {
			_, err := a.api.enable(ctx, &cloudwatch.EnableAlarmActionsInput{AlarmNames: mute})
			return err
		})
		if err == nil {
			restored = append(restored, mute...)
		}
		return err
	})
	slices.Sort(restored)
	return restored, err
}

func (a *Alarms) batches(names []string, each func([]string) error) error {
	sorted := slices.Sorted(slices.Values(names))
	for batch := range slices.Chunk(slices.Compact(sorted), alarmBatch) {
		if err := each(batch); err != nil {
			return err
		}
	}
	return nil
}

// Probe tries what muting needs, on an alarm that does not exist.
func (a *Alarms) Probe(ctx context.Context) []cloud.Finding {
	exists := false
	err := a.pages(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{noSuchAlarm}}, func(alarm *types.MetricAlarm) {
		exists = exists || sdk.ToString(alarm.AlarmName) == noSuchAlarm
	})
	findings := []cloud.Finding{probeFinding(say.Word("list CloudWatch alarms"), describeAlarms, err)}
	if err != nil {
		return findings
	}
	for _, try := range []struct {
		ability   say.Text
		operation Operation
		call      func(context.Context) error
	}{
		{say.Word("mute CloudWatch alarms"), disableAlarms, func(ctx context.Context) error {
			_, err := a.api.disable(ctx, &cloudwatch.DisableAlarmActionsInput{AlarmNames: []string{noSuchAlarm}})
			return err
		}},
		{say.Word("restore CloudWatch alarms"), enableAlarms, func(ctx context.Context) error {
			_, err := a.api.enable(ctx, &cloudwatch.EnableAlarmActionsInput{AlarmNames: []string{noSuchAlarm}})
			return err
		}},
	} {
		if exists {
			findings = append(findings, untested(try.ability, say.F("not known: an alarm has the name %q, on which nothing is tried; the role needs %s", noSuchAlarm, try.operation)))
			continue
		}
		findings = append(findings, probeFinding(try.ability, try.operation, a.Read(ctx, try.operation, try.call)))
	}
	return findings
}

// Watch puts together what names resources of the kind, parts of them included.
func (row Kind) Watch(ctx context.Context, handle Handle, resources []fleet.Resource) ([]Watched, error) {
	if row.Dimensions == nil || len(resources) == 0 {
		return nil, nil
	}
	var parts map[string][]Dimensions
	if handle.Parts != nil {
		var err error
		if parts, err = handle.Parts(ctx, resources); err != nil {
			return nil, err
		}
	}
	list := make([]Watched, 0, len(resources))
	for i := range resources {
		r := &resources[i]
		list = append(list, Watched{r.Ref, slices.Concat(row.Dimensions(*r), parts[r.ID])})
	}
	return list, nil
}
