package awssim

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	taggingtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
)

// notebookWorld is a simulator with the entries, and clients of the SDK.
func notebookWorld(t *testing.T, entries ...Resource) (*Cloud, *sagemaker.Client, *tagging.Client) {
	t.Helper()
	c := New(Options{})
	for i := range entries {
		entries[i].Account, entries[i].Region, entries[i].Kind = DefaultAccount, "us-east-1", "notebook"
	}
	if err := c.Load(Fleet{Resources: entries}); err != nil {
		t.Fatal(err)
	}
	cfg := sdkConfig(c, "us-east-1", credentials.NewStaticCredentialsProvider(DefaultAccount, "x", ""))
	cfg.RetryMaxAttempts = 1
	return c, sagemaker.NewFromConfig(cfg), tagging.NewFromConfig(cfg)
}

func TestANotebookStopsAndStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		c, api, _ := notebookWorld(t, Resource{Name: "Study"}, Resource{Name: "gpu", State: "Stopped", StartError: "InsufficientCapacity"})
		name := aws.String("Study")
		is := func(when string, name *string, status types.NotebookInstanceStatus, failure string) {
			t.Helper()
			out, err := api.DescribeNotebookInstance(ctx, &sagemaker.DescribeNotebookInstanceInput{NotebookInstanceName: name})
			if err != nil || out.NotebookInstanceStatus != status || aws.ToString(out.FailureReason) != failure {
				t.Errorf("%s: %s %q, %v; want %s %q", when, out.NotebookInstanceStatus, aws.ToString(out.FailureReason), err, status, failure)
			}
		}
		is("at first", name, types.NotebookInstanceStatusInService, "")
		_, err := api.StartNotebookInstance(ctx, &sagemaker.StartNotebookInstanceInput{NotebookInstanceName: name})
		wantCode(t, err, "ValidationException")
		const says = "Status (InService) not in ([Stopped, Failed]). Unable to transition to (Pending) for Notebook Instance (arn:aws:sagemaker:us-east-1:111122223333:notebook-instance/study)."
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
		if _, err := api.StopNotebookInstance(ctx, &sagemaker.StopNotebookInstanceInput{NotebookInstanceName: name}); err != nil {
			t.Fatal(err)
		}
		is("stopping", name, types.NotebookInstanceStatusStopping, "")
		time.Sleep(5 * time.Minute)
		is("stopped", name, types.NotebookInstanceStatusStopped, "")
		if _, err := api.StartNotebookInstance(ctx, &sagemaker.StartNotebookInstanceInput{NotebookInstanceName: name}); err != nil {
			t.Fatal(err)
		}
		is("pending", name, types.NotebookInstanceStatusPending, "")
		time.Sleep(5 * time.Minute)
		is("up", name, types.NotebookInstanceStatusInService, "")

		gpu := aws.String("gpu")
		for range 2 { // one that failed can be started again, and fails again
			if _, err := api.StartNotebookInstance(ctx, &sagemaker.StartNotebookInstanceInput{NotebookInstanceName: gpu}); err != nil {
				t.Fatal(err)
			}
			is("pending", gpu, types.NotebookInstanceStatusPending, "")
			time.Sleep(5 * time.Minute)
			is("failed", gpu, types.NotebookInstanceStatusFailed, "InsufficientCapacity")
		}
		_, err = api.StopNotebookInstance(ctx, &sagemaker.StopNotebookInstanceInput{NotebookInstanceName: gpu})
		wantCode(t, err, "ValidationException")
		_, err = api.DescribeNotebookInstance(ctx, &sagemaker.DescribeNotebookInstanceInput{NotebookInstanceName: aws.String("gone")})
		if wantCode(t, err, "ValidationException"); !strings.Contains(err.Error(), "RecordNotFound") {
			t.Error(err)
		}
		if n := c.Notebooks(DefaultAccount, ""); len(n) != 2 || n[0].Failure != "InsufficientCapacity" || n[1].State != "InService" {
			t.Errorf("%+v", n)
		}
	})
}

func TestNotebooksByPageAndStatus(t *testing.T) {
	ctx := t.Context()
	_, api, _ := notebookWorld(t, Resource{Name: "nb-###", Count: 25}, Resource{Name: "off", State: "Stopped"})
	for _, test := range []struct {
		in       sagemaker.ListNotebookInstancesInput
		n, pages int
	}{
		{sagemaker.ListNotebookInstancesInput{}, 26, 3}, // ten on a page where nothing is said
		{sagemaker.ListNotebookInstancesInput{MaxResults: aws.Int32(100)}, 26, 1},
		{sagemaker.ListNotebookInstancesInput{StatusEquals: types.NotebookInstanceStatusStopped}, 1, 1},
		{sagemaker.ListNotebookInstancesInput{NameContains: aws.String("nb-00")}, 9, 1},
	} {
		n, pages := 0, 0
		for pages == 0 || test.in.NextToken != nil {
			out, err := api.ListNotebookInstances(ctx, &test.in)
			if err != nil {
				t.Fatal(err)
			}
			n, pages, test.in.NextToken = n+len(out.NotebookInstances), pages+1, out.NextToken
		}
		if n != test.n || pages != test.pages {
			t.Errorf("%+v: %d on %d pages, want %d on %d", test.in, n, pages, test.n, test.pages)
		}
	}
	_, err := api.ListNotebookInstances(ctx, &sagemaker.ListNotebookInstancesInput{MaxResults: aws.Int32(101)})
	wantCode(t, err, "ValidationException")
	_, err = api.ListNotebookInstances(ctx, &sagemaker.ListNotebookInstancesInput{NextToken: aws.String("x")})
	wantCode(t, err, "ValidationException")
	_, err = api.ListNotebookInstances(ctx, &sagemaker.ListNotebookInstancesInput{StatusEquals: "Asleep"})
	wantCode(t, err, "ValidationException")
	_, err = api.ListTrainingJobs(ctx, &sagemaker.ListTrainingJobsInput{})
	wantCode(t, err, "UnknownOperationException")
}

func TestTagsOfNotebooksAreFoundByTheTaggingAPI(t *testing.T) {
	ctx := t.Context()
	_, api, tags := notebookWorld(t, Resource{Name: "Study", Tags: map[string]string{"Schedule": "office", "Team": "ml"}}, Resource{Name: "plain"}, Resource{Name: "other", Tags: map[string]string{"Team": "web"}})
	found := func(filters ...taggingtypes.TagFilter) (arns []string) {
		t.Helper()
		out, err := tags.GetResources(ctx, &tagging.GetResourcesInput{ResourceTypeFilters: []string{"sagemaker:notebook-instance"}, TagFilters: filters})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.ResourceTagMappingList {
			_, name, _ := strings.Cut(aws.ToString(m.ResourceARN), "notebook-instance/")
			arns = append(arns, name)
		}
		return arns
	}
	schedule := taggingtypes.TagFilter{Key: aws.String("Schedule")}
	if got := found(schedule); !slices.Equal(got, []string{"study"}) {
		t.Errorf("by tag: %v", got)
	}
	if got := found(); !slices.Equal(got, []string{"other", "study"}) { // what has no tag it does not know
		t.Errorf("all: %v", got)
	}
	arn := aws.String("arn:aws:sagemaker:us-east-1:" + DefaultAccount + ":notebook-instance/plain")
	out, err := api.AddTags(ctx, &sagemaker.AddTagsInput{ResourceArn: arn, Tags: []types.Tag{{Key: aws.String("Schedule"), Value: aws.String("office")}}})
	if err != nil || len(out.Tags) != 1 {
		t.Fatalf("%+v %v", out, err)
	}
	if got := found(schedule); !slices.Equal(got, []string{"plain", "study"}) {
		t.Errorf("with one more: %v", got)
	}
	if _, err := api.DeleteTags(ctx, &sagemaker.DeleteTagsInput{ResourceArn: arn, TagKeys: []string{"Schedule"}}); err != nil {
		t.Fatal(err)
	}
	listed, err := api.ListTags(ctx, &sagemaker.ListTagsInput{ResourceArn: arn})
	if err != nil || len(listed.Tags) != 0 {
		t.Errorf("%+v %v", listed, err)
	}
	_, err = api.AddTags(ctx, &sagemaker.AddTagsInput{ResourceArn: arn, Tags: []types.Tag{{Key: aws.String("x"), Value: aws.String("(no)")}}})
	wantCode(t, err, "ValidationException")
	_, err = api.AddTags(ctx, &sagemaker.AddTagsInput{ResourceArn: aws.String(*arn + "-gone"), Tags: []types.Tag{{Key: aws.String("x"), Value: aws.String("y")}}})
	wantCode(t, err, "ValidationException")
}
