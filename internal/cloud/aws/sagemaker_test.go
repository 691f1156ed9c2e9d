package aws

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

func TestNotebooksAsTheyAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKind(t, fleet.SageMakerNotebook, awssim.Resource{Name: "Forecast-Study", Type: "ml.m5.xlarge", Tags: map[string]string{"Team": "ml"}},
			awssim.Resource{Name: "asleep", State: "Stopped"}, awssim.Resource{Name: "broken", State: "Failed"})
		study := w.listed("Forecast-Study")
		// SageMaker writes names in ARNs in small letters; the name itself is kept.
		if study.ID != "Forecast-Study" || study.ARN != "arn:aws:sagemaker:eu-central-1:"+string(hub)+":notebook-instance/forecast-study" || study.Type != "ml.m5.xlarge" ||
			study.Tags["Team"] != "ml" || study.Tags[cloudtest.TagKey] != "office" || study.State != fleet.Running || study.Native != "InService" || study.StateReason != "" || study.SeenAt.IsZero() {
			t.Errorf("%+v", study)
		}
		if r := w.listed("asleep"); r.State != fleet.Stopped || r.Native != "Stopped" || r.StateReason != "" {
			t.Errorf("%+v", r)
		}
		if r := w.listed("broken"); r.State != fleet.Stopped || r.Native != "Failed" || !strings.HasPrefix(r.StateReason, "Insufficient notebook instance capacity.") {
			t.Errorf("one that failed: %+v", r)
		}
		if err := w.do(fleet.Stop, study); err != nil {
			t.Fatal(err)
		}
		if r := w.listed("Forecast-Study"); r.State != fleet.Stopping {
			t.Errorf("right after the stop: %s", r.Native)
		}
		if err := w.do(fleet.Start, w.listed("asleep")); err != nil {
			t.Fatal(err)
		}
		if r := w.listed("asleep"); r.State != fleet.Starting {
			t.Errorf("right after the start: %s", r.Native)
		}
		if err := w.do(fleet.Start, w.listed("broken")); err != nil {
			t.Errorf("one that failed can be started: %v", err)
		}
		time.Sleep(10 * time.Minute)
		for name, state := range map[string]fleet.State{"Forecast-Study": fleet.Stopped, "asleep": fleet.Running, "broken": fleet.Running} {
			if r := w.listed(name); r.State != state {
				t.Errorf("%s: %s", name, r.Native)
			}
		}
	})
}

// That there is no machine SageMaker says minutes after it accepted the start.
func TestANotebookThatFallsBackSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const reason = "Insufficient notebook instance capacity. Retry later or with a different instance type."
		w := newKind(t, fleet.SageMakerNotebook, awssim.Resource{Name: "gpu", Type: "ml.p3.2xlarge", State: "Stopped"})
		w.faults(awssim.Fault{Service: "sagemaker", Action: "StartNotebookInstance", Kind: awssim.FaultFallBack, Count: 1})
		if err := w.do(fleet.Start, w.listed("gpu")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if r := w.listed("gpu"); r.State != fleet.Stopped || r.Native != "Failed" || r.StateReason != reason {
			t.Errorf("%s (%s): %q", r.State, r.Native, r.StateReason)
		}
		// The reason is all that is lost where it may not be asked for, or SageMaker does not answer.
		for says, fault := range map[string]awssim.Fault{
			"not known: the permission sagemaker:DescribeNotebookInstance is missing": {Service: "sagemaker", Action: "DescribeNotebookInstance", Kind: awssim.FaultDenied},
			"not known: SageMaker did not say":                                        {Service: "sagemaker", Action: "DescribeNotebookInstance", Kind: awssim.FaultReset},
		} {
			w.faults(fault)
			if r := w.listed("gpu"); r.State != fleet.Stopped || r.StateReason != says {
				t.Errorf("%s: %q, want %q", r.State, r.StateReason, says)
			}
		}
	})
}

// The listing costs a call of each of two services for a hundred notebooks, whatever their tags, and one where none has the tag.
func TestNotebooksAreListedWithFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKind(t, fleet.SageMakerNotebook, awssim.Resource{Name: "nb-###", Count: 230}, awssim.Resource{Name: "Broken", State: "Failed"})
		for _, test := range []struct {
			query          cloud.Query
			found          int
			tagged, listed int64
		}{
			{cloud.Query{TagKey: cloudtest.TagKey}, 231, 3, 3},
			{cloud.Query{}, 231, 3, 3},
			{cloud.Query{TagKey: "Nobody"}, 0, 1, 0},
			{cloud.Query{IDs: []string{}}, 0, 0, 0},
		} {
			w.sim.ResetCalls()
			got, err := list(w.cloud, fleet.SageMakerNotebook, test.query)
			calls := w.sim.Stats().ByAction
			if err != nil || len(got) != test.found || calls["tagging:GetResources"] != test.tagged || calls["sagemaker:ListNotebookInstances"] != test.listed {
				t.Errorf("%+v: %d notebooks, %v, %v", test.query, len(got), calls, err)
			}
			if n, want := calls["sagemaker:DescribeNotebookInstance"], int64(min(test.found, 1)); n != want { // the one that failed
				t.Errorf("%+v: %d described, want %d", test.query, n, want)
			}
			if calls["sagemaker:ListTags"] != 0 {
				t.Errorf("%+v: %v", test.query, calls)
			}
		}
	})
}

func TestNotebooksAreListedWholeOrNotAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKind(t, fleet.SageMakerNotebook, awssim.Resource{Name: "nb-###", Count: 230})
		all := func() ([]fleet.Resource, error) {
			return list(w.cloud, fleet.SageMakerNotebook, cloud.Query{TagKey: cloudtest.TagKey})
		}
		for name, fault := range map[string]awssim.Fault{
			"a page that is throttled":    {Service: "sagemaker", Kind: awssim.FaultThrottle, Skip: 1, Count: 2},
			"tags that are throttled":     {Service: "tagging", Kind: awssim.FaultThrottle, Skip: 1, Count: 2},
			"a page that is lost":         {Service: "sagemaker", Kind: awssim.FaultReset, Skip: 1, Count: 1},
			"one notebook on two pages":   {Service: "sagemaker", Kind: awssim.FaultDuplicate, Resource: "nb-100"},
			"a proxy's page in between":   {Service: "sagemaker", Kind: awssim.FaultHTML, Skip: 1, Count: 1, Status: 200},
			"an empty answer in between":  {Service: "sagemaker", Kind: awssim.FaultEmpty, Skip: 1, Count: 1},
			"tags that AWS forgot to say": {Service: "tagging", Kind: awssim.FaultEmpty, Count: 1},
		} {
			w.faults(fault)
			if got, err := all(); err != nil || len(got) != 230 {
				t.Errorf("%s: %d notebooks, %v", name, len(got), err)
			}
		}
		for name, test := range map[string]struct {
			fault awssim.Fault
			class error
		}{
			"the third page never comes": {awssim.Fault{Service: "sagemaker", Kind: awssim.FaultReset, Skip: 2}, cloud.ErrTransient},
			"an empty answer for good":   {awssim.Fault{Service: "sagemaker", Kind: awssim.FaultEmpty}, cloud.ErrTransient},
			"the same page again and on": {awssim.Fault{Service: "sagemaker", Kind: awssim.FaultTokenLoop}, cloud.ErrTransient},
			"a token that grew old":      {awssim.Fault{Service: "sagemaker", Kind: awssim.FaultTokenExpire}, cloud.ErrTransient},
			"listing is not permitted":   {awssim.Fault{Service: "sagemaker", Kind: awssim.FaultDenied}, cloud.ErrUnauthorized},
			"tags are not permitted":     {awssim.Fault{Service: "tagging", Kind: awssim.FaultDenied}, cloud.ErrUnauthorized},
			"throttled for good":         {awssim.Fault{Service: "sagemaker", Kind: awssim.FaultThrottle}, cloud.ErrThrottled},
		} {
			w.faults(test.fault)
			if got, err := all(); !errors.Is(err, test.class) || got != nil {
				t.Errorf("%s: %d notebooks, %v", name, len(got), err)
			}
		}
	})
}

func TestTheErrorsOfNotebooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKind(t, fleet.SageMakerNotebook, awssim.Resource{Name: "up"}, awssim.Resource{Name: "down", State: "Stopped"}, awssim.Resource{Name: "broken", State: "Failed"})
		up, down, broken := w.listed("up"), w.listed("down"), w.listed("broken")
		gone := up
		gone.ID, gone.Name, gone.ARN = "gone", "gone", strings.Replace(up.ARN, "/up", "/gone", 1)
		w.refused("start of what runs", w.do(fleet.Start, up), cloud.ErrWrongState, "Status (InService) not in ([Stopped, Failed])")
		w.refused("stop of what is stopped", w.do(fleet.Stop, down), cloud.ErrWrongState, "Status (Stopped) not in ([InService])")
		w.refused("stop of what failed", w.do(fleet.Stop, broken), cloud.ErrWrongState, "Status (Failed)")
		w.refused("start of what is gone", w.do(fleet.Start, gone), cloud.ErrNotFound, "RecordNotFound")
		if err := w.cloud.Tag(t.Context(), testScope, fleet.SageMakerNotebook, []fleet.Resource{gone}, map[string]string{fleet.TagError: "x"}); !errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("tag of what is gone: %v", err)
		}
		w.faults(awssim.Fault{Service: "sagemaker", Action: "StartNotebookInstance", Kind: awssim.FaultCannotStart})
		w.refused("a quota of none", w.do(fleet.Start, down), cloud.ErrInsufficientCapacity, "for notebook instance usage' is 0 Instances")
		for class, fault := range map[error]awssim.Fault{
			cloud.ErrUnauthorized: {Kind: awssim.FaultDenied},
			cloud.ErrThrottled:    {Kind: awssim.FaultThrottle},
			cloud.ErrTransient:    {Kind: awssim.FaultHTML, Status: 200},
			cloud.ErrInvalid:      {Kind: awssim.FaultError, Code: "ValidationException", Message: "1 validation error detected"},
		} {
			fault.Service, fault.Action = "sagemaker", "StartNotebookInstance"
			w.faults(fault)
			w.sim.ResetCalls()
			if err := w.do(fleet.Start, down); !errors.Is(err, class) {
				t.Errorf("%s: %v", fault.Kind, err)
			}
			if n := w.sim.Stats().ByAction["sagemaker:StartNotebookInstance"]; n != 1 {
				t.Errorf("%s: %d calls", fault.Kind, n)
			}
		}
		w.faults()
		if r := w.listed("down"); r.State != fleet.Stopped {
			t.Errorf("after all that it is %s", r.Native)
		}
	})
}

// SageMaker takes few signs in tags; a sentence is made to fit.
func TestTagsOfNotebooksAreMadeToFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKind(t, fleet.SageMakerNotebook, awssim.Resource{Name: "study"})
		err := w.cloud.Tag(t.Context(), testScope, fleet.SageMakerNotebook, []fleet.Resource{w.listed("study")}, map[string]string{fleet.TagError: `start: "no capacity" (try again)`})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.listed("study").Tags[fleet.TagError]; got != "start: -no capacity- -try again-" {
			t.Errorf("%q", got)
		}
	})
}

func TestAHundredNotebooksWithoutBeingThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKind(t, fleet.SageMakerNotebook, awssim.Resource{Name: "nb-###", Count: 100, State: "Stopped"})
		all, err := list(w.cloud, fleet.SageMakerNotebook, cloud.Query{TagKey: cloudtest.TagKey})
		if err != nil || len(all) != 100 {
			t.Fatal(len(all), err)
		}
		began := time.Now()
		for _, r := range all {
			if err := w.do(fleet.Start, r); err != nil {
				t.Fatal(err)
			}
		}
		const floor = (100 - 10) / 2 * time.Second // what the bucket does not hold, at two a second
		if took, n := time.Since(began), w.sim.Stats().Throttled; n > 0 || took > floor+5*time.Second {
			t.Errorf("%d throttled, in %s", n, took)
		}
		time.Sleep(10 * time.Minute)
		for _, n := range w.sim.Notebooks(string(hub), "eu-central-1") {
			if n.State != "InService" {
				t.Errorf("%s is %s", n.Name, n.State)
			}
		}
	})
}
