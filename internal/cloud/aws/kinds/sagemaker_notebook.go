package kinds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Operations of the kind.
const (
	listNotebooks      Operation = "sagemaker:ListNotebookInstances"
	describeNotebook   Operation = "sagemaker:DescribeNotebookInstance"
	startNotebook      Operation = "sagemaker:StartNotebookInstance"
	stopNotebook       Operation = "sagemaker:StopNotebookInstance"
	addNotebookTags    Operation = "sagemaker:AddTags"
	deleteNotebookTags Operation = "sagemaker:DeleteTags"
)

const (
	notebookType = "sagemaker:notebook-instance"
	// notebookPage is the largest page of ListNotebookInstances.
	notebookPage = 100
	// noSuchNotebook is a name that nobody has, to ask whether one may ask.
	noSuchNotebook = "dayshift-probe"
)

// sagemakerNotebook is a notebook instance. A stop ends its machine and keeps
// its volume, a start gives the volume to a new one.
var sagemakerNotebook = Kind{
	Kind:  fleet.SageMakerNotebook,
	Title: "SageMaker notebooks",
	Verbs: map[fleet.Verb]Verb{
		fleet.Start: {startNotebook, 1},
		fleet.Stop:  {stopNotebook, 1},
	},
	Permissions: []Permission{
		{Action: getTagged, For: "see the tags of notebook instances, which their listing leaves out", Resource: "*"},
		{Action: listNotebooks, For: "list notebook instances", Resource: "*"},
		{Action: describeNotebook, For: "see why a notebook instance failed", Resource: "*", Optional: true},
		{Action: startNotebook, For: "start notebook instances", Resource: "notebook-instance/*", Conditions: []Condition{onlyTagged}},
		{Action: stopNotebook, For: "stop notebook instances", Resource: "notebook-instance/*", Conditions: []Condition{onlyTagged}},
		{Action: addNotebookTags, For: "write dayshift:last-action and dayshift:error", Resource: "notebook-instance/*", Conditions: []Condition{onlyTagged, onlyOurTags, namingTags}, Optional: true},
		{Action: deleteNotebookTags, For: "remove dayshift:error once it is settled", Resource: "notebook-instance/*", Conditions: []Condition{onlyTagged, onlyOurTags, namingTags}, Optional: true},
	},
	Dimensions: named("NotebookInstanceName"),
	TagType:    notebookType,
	Open:       openNotebooks,
}

// notebookClient is what the kind needs of two services.
type notebookClient struct {
	tagged   getResources
	list     func(context.Context, *sagemaker.ListNotebookInstancesInput, ...func(*sagemaker.Options)) (*sagemaker.ListNotebookInstancesOutput, error)
	describe func(context.Context, *sagemaker.DescribeNotebookInstanceInput, ...func(*sagemaker.Options)) (*sagemaker.DescribeNotebookInstanceOutput, error)
	start    func(context.Context, *sagemaker.StartNotebookInstanceInput, ...func(*sagemaker.Options)) (*sagemaker.StartNotebookInstanceOutput, error)
	stop     func(context.Context, *sagemaker.StopNotebookInstanceInput, ...func(*sagemaker.Options)) (*sagemaker.StopNotebookInstanceOutput, error)
	tag      func(context.Context, *sagemaker.AddTagsInput, ...func(*sagemaker.Options)) (*sagemaker.AddTagsOutput, error)
	untag    func(context.Context, *sagemaker.DeleteTagsInput, ...func(*sagemaker.Options)) (*sagemaker.DeleteTagsOutput, error)
}

// notebooks is the kind at work in a scope.
type notebooks struct {
	Env
	api notebookClient
}

func openNotebooks(env Env) Handle {
	c := sagemaker.NewFromConfig(env.SDK)
	k := &notebooks{env, notebookClient{
		tagged: tagging.NewFromConfig(env.SDK).GetResources,
		list:   c.ListNotebookInstances, describe: c.DescribeNotebookInstance, start: c.StartNotebookInstance, stop: c.StopNotebookInstance,
		tag: c.AddTags, untag: c.DeleteTags,
	}}
	return Handle{
		List: k.list,
		Do: map[fleet.Verb]func(context.Context, []cloud.Target) ([]string, error){
			fleet.Start: k.start,
			fleet.Stop:  k.stop,
		},
		Tag:   k.tag,
		Probe: k.probe,
	}
}

// list puts together two listings: SageMaker's own shows the states and no tags,
// the tagging API the tags and no states. That costs a call of each for a hundred
// notebooks, where to ask for the tags or the description of each would cost a
// call for each; and one call where none has the tag. They are told apart by
// their ARNs, in which SageMaker writes the name in small letters.
func (k *notebooks) list(ctx context.Context, query cloud.Query) ([]fleet.Resource, error) {
	if query.IDs != nil && len(query.IDs) == 0 {
		return nil, nil
	}
	seenAt := k.Now()
	tags := map[string]map[string]string{} // by ARN
	err := k.taggedAs(ctx, k.api.tagged, "SageMaker notebooks", notebookType, query.TagKey, func(arn string, of map[string]string) { tags[arn] = of })
	if err != nil || query.TagKey != "" && len(tags) == 0 {
		return nil, err
	}
	var all gathered
	err = k.pages(ctx, func(notebook *types.NotebookInstanceSummary) {
		resource := k.resource(notebook, tags[sdk.ToString(notebook.NotebookInstanceArn)], seenAt)
		_, tagged := resource.Tags[query.TagKey]
		if (tagged || query.TagKey == "") && (query.IDs == nil || slices.Contains(query.IDs, resource.ID)) {
			all.add(resource)
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range all.list {
		if r := &all.list[i]; r.Native == string(types.NotebookInstanceStatusFailed) {
			if r.StateReason, err = k.reason(ctx, r.ID); err != nil {
				return nil, err
			}
		}
	}
	return all.list, nil
}

// pages calls each with every notebook instance of every page.
func (k *notebooks) pages(ctx context.Context, each func(*types.NotebookInstanceSummary)) error {
	return pages(ctx, k.Read, listNotebooks, "list SageMaker notebooks in "+k.Scope.String(), func(ctx context.Context, token *string) (*sagemaker.ListNotebookInstancesOutput, error) {
		page, err := k.api.list(ctx, &sagemaker.ListNotebookInstancesInput{MaxResults: sdk.Int32(notebookPage), NextToken: token})
		if err == nil && page.NotebookInstances == nil {
			err = errNotTheAnswer("NotebookInstances")
		}
		return page, err
	}, func(page *sagemaker.ListNotebookInstancesOutput) (*string, error) {
		for i := range page.NotebookInstances {
			if sdk.ToString(page.NotebookInstances[i].NotebookInstanceName) != "" {
				each(&page.NotebookInstances[i])
			}
		}
		return page.NextToken, nil
	})
}

// notebookStates translates SageMaker's words; all others are left alone. One
// that failed has no machine and can be started again, which is what stopped means.
var notebookStates = map[types.NotebookInstanceStatus]fleet.State{
	types.NotebookInstanceStatusInService: fleet.Running,
	types.NotebookInstanceStatusStopped:   fleet.Stopped,
	types.NotebookInstanceStatusFailed:    fleet.Stopped,
	types.NotebookInstanceStatusPending:   fleet.Starting,
	types.NotebookInstanceStatusStopping:  fleet.Stopping,
}

func (k *notebooks) resource(notebook *types.NotebookInstanceSummary, tags map[string]string, seenAt time.Time) fleet.Resource {
	name := sdk.ToString(notebook.NotebookInstanceName)
	if tags == nil {
		tags = map[string]string{}
	}
	return fleet.Resource{
		Ref:    fleet.Ref{Scope: k.Scope, Kind: fleet.SageMakerNotebook, ID: name},
		ARN:    cmp.Or(sdk.ToString(notebook.NotebookInstanceArn), arn(k.Scope, "sagemaker", "notebook-instance/"+strings.ToLower(name))),
		Name:   name,
		State:  cmp.Or(notebookStates[notebook.NotebookInstanceStatus], fleet.Other),
		Native: string(notebook.NotebookInstanceStatus),
		Tags:   tags,
		Type:   string(notebook.InstanceType),
		SeenAt: seenAt,
	}
}

// reason asks why a notebook failed. That it cannot be told is no reason to lose
// sight of the others: it stands in the place of the reason.
func (k *notebooks) reason(ctx context.Context, name string) (string, error) {
	var why string
	err := k.Read(ctx, describeNotebook, func(ctx context.Context) error {
		answer, err := k.api.describe(ctx, &sagemaker.DescribeNotebookInstanceInput{NotebookInstanceName: sdk.String(name)})
		if err == nil {
			why = sdk.ToString(answer.FailureReason)
		}
		return err
	})
	switch {
	case ctx.Err() != nil:
		return "", err
	case errors.Is(err, cloud.ErrUnauthorized):
		return fmt.Sprintf("not known: the permission %s is missing", describeNotebook), nil
	case err != nil:
		return "not known: SageMaker did not say", nil //nolint:nilerr // the next listing asks again
	}
	return cmp.Or(why, "SageMaker gives none"), nil
}

func (k *notebooks) start(ctx context.Context, targets []cloud.Target) ([]string, error) {
	return nil, k.Once(ctx, startNotebook, func(ctx context.Context) error {
		_, err := k.api.start(ctx, &sagemaker.StartNotebookInstanceInput{NotebookInstanceName: sdk.String(targets[0].ID)})
		return err
	})
}

func (k *notebooks) stop(ctx context.Context, targets []cloud.Target) ([]string, error) {
	return nil, k.Once(ctx, stopNotebook, func(ctx context.Context) error {
		_, err := k.api.stop(ctx, &sagemaker.StopNotebookInstanceInput{NotebookInstanceName: sdk.String(targets[0].ID)})
		return err
	})
}

func (k *notebooks) tag(ctx context.Context, resources []fleet.Resource, tags map[string]string) error {
	set, remove := splitTags(tags)
	var written []types.Tag
	for _, tag := range set {
		written = append(written, types.Tag{Key: sdk.String(tag[0]), Value: sdk.String(plainTagValue(tag[1]))})
	}
	var failures []error
	for _, resource := range resources {
		if len(written) > 0 {
			failures = append(failures, k.Read(ctx, addNotebookTags, func(ctx context.Context) error {
				_, err := k.api.tag(ctx, &sagemaker.AddTagsInput{ResourceArn: sdk.String(resource.ARN), Tags: written})
				return err
			}))
		}
		if len(remove) > 0 {
			failures = append(failures, k.Read(ctx, deleteNotebookTags, func(ctx context.Context) error {
				_, err := k.api.untag(ctx, &sagemaker.DeleteTagsInput{ResourceArn: sdk.String(resource.ARN), TagKeys: remove})
				return err
			}))
		}
	}
	return errors.Join(failures...)
}

func (k *notebooks) probe(ctx context.Context, tagKey string) []cloud.Finding {
	nothing := func(string, map[string]string) {}
	findings := []cloud.Finding{probeFinding(say.Word("see the tags of SageMaker notebooks"), getTagged, k.taggedAs(ctx, k.api.tagged, "SageMaker notebooks", notebookType, tagKey, nothing))}
	err := k.Read(ctx, listNotebooks, func(ctx context.Context) error {
		_, err := k.api.list(ctx, &sagemaker.ListNotebookInstancesInput{MaxResults: sdk.Int32(1)})
		return err
	})
	findings = append(findings, probeFinding(say.Word("list SageMaker notebooks"), listNotebooks, err))
	if err != nil {
		return findings
	}
	err = k.Read(ctx, describeNotebook, func(ctx context.Context) error {
		_, err := k.api.describe(ctx, &sagemaker.DescribeNotebookInstanceInput{NotebookInstanceName: sdk.String(noSuchNotebook)})
		return err
	})
	if errors.Is(err, cloud.ErrNotFound) { // of what is not there AWS says so to those alone who may ask
		err = nil
	}
	return append(findings,
		probeFinding(say.Word("see why a SageMaker notebook failed"), describeNotebook, err),
		undryable(say.Word("start SageMaker notebooks"), "SageMaker", startNotebook),
		undryable(say.Word("stop SageMaker notebooks"), "SageMaker", stopNotebook),
		undryable(say.Word("tag SageMaker notebooks"), "SageMaker", addNotebookTags, deleteNotebookTags))
}
