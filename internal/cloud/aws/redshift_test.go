package aws

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

// kindWorld is a simulated AWS with resources of one kind that carry the schedule tag.
type kindWorld struct {
	*testing.T
	kind  fleet.Kind
	cloud *Cloud
	sim   *awssim.Cloud
}

func newKind(t *testing.T, kind fleet.Kind, entries ...awssim.Resource) *kindWorld {
	t.Helper()
	for i := range entries {
		e := &entries[i]
		e.Account, e.Region, e.Kind = string(hub), "eu-central-1", map[fleet.Kind]string{fleet.RedshiftCluster: "redshift", fleet.SageMakerNotebook: "notebook"}[kind]
		tags := map[string]string{cloudtest.TagKey: "office"}
		maps.Copy(tags, e.Tags)
		e.Tags = tags
	}
	c, sim := simulate(t, awssim.Options{}, entries, nil)
	return &kindWorld{t, kind, c, sim}
}

// listed is the resource as the next listing shows it.
func (w *kindWorld) listed(name string) fleet.Resource {
	w.Helper()
	list, err := list(w.cloud, w.kind, cloud.Query{TagKey: cloudtest.TagKey})
	if err != nil {
		w.Fatal(err)
	}
	i := slices.IndexFunc(list, func(r fleet.Resource) bool { return r.Name == name })
	if i < 0 {
		w.Fatalf("%s is not listed", name)
	}
	return list[i]
}

func (w *kindWorld) do(verb fleet.Verb, r fleet.Resource) error {
	w.Helper()
	if _, err := w.cloud.Reserve(w.Context(), testScope, w.kind, verb, 1); err != nil {
		w.Fatal(err)
	}
	return w.cloud.Do(w.Context(), testScope, w.kind, verb, []cloud.Target{{Resource: r}})
}

func (w *kindWorld) faults(list ...awssim.Fault) {
	w.Helper()
	if err := w.sim.SetFaults(list); err != nil {
		w.Fatal(err)
	}
}

// refused wants an error of the class that names the resource.
func (w *kindWorld) refused(what string, err error, class error, says string) {
	w.Helper()
	var member *cloud.MemberError
	if !errors.Is(err, class) || !strings.Contains(fmt.Sprint(err), says) || !errors.As(err, &member) {
		w.Errorf("%s: %v, want %v that says %q", what, err, class, says)
	}
}

func TestAPausedWarehouseIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKind(t, fleet.RedshiftCluster, awssim.Resource{Name: "sales", Type: "dc2.large", Zone: "eu-central-1b", VPC: "vpc-4085e027", Window: "sat:23:45-sun:00:15"},
			awssim.Resource{Name: "asleep", State: "paused"})
		sales := w.listed("sales")
		want := fleet.Resource{
			Ref: fleet.Ref{Scope: testScope, Kind: fleet.RedshiftCluster, ID: "sales"}, ARN: "arn:aws:redshift:eu-central-1:" + string(hub) + ":cluster:sales", Name: "sales",
			State: fleet.Running, Native: "available", Type: "dc2.large", Zone: "eu-central-1b", VPC: "vpc-4085e027", MaintenanceWindow: "sat:23:45-sun:00:15",
		}
		if got := sales; got.Ref != want.Ref || got.ARN != want.ARN || got.Name != want.Name || got.State != want.State || got.Native != want.Native || got.Type != want.Type ||
			got.Zone != want.Zone || got.VPC != want.VPC || got.MaintenanceWindow != want.MaintenanceWindow || got.Tags[cloudtest.TagKey] != "office" || got.Bar != fleet.NoBar || got.SeenAt.IsZero() || got.Members != 0 {
			t.Errorf("%+v", got)
		}
		if err := w.do(fleet.Stop, sales); err != nil {
			t.Fatal(err)
		}
		if r := w.listed("sales"); r.State != fleet.Stopping || r.Native != "pausing" {
			t.Errorf("right after the stop: %s (%s)", r.State, r.Native)
		}
		w.refused("a second stop while it pauses", w.do(fleet.Stop, sales), cloud.ErrWrongState, "pausing")
		time.Sleep(10 * time.Minute)
		if r := w.listed("sales"); r.State != fleet.Stopped || r.Native != "paused" {
			t.Errorf("then: %s (%s)", r.State, r.Native)
		}
		if err := w.do(fleet.Start, w.listed("asleep")); err != nil {
			t.Fatal(err)
		}
		if r := w.listed("asleep"); r.State != fleet.Starting || r.Native != "resuming" {
			t.Errorf("right after the start: %s (%s)", r.State, r.Native)
		}
		time.Sleep(15 * time.Minute)
		if r := w.listed("asleep"); r.State != fleet.Running {
			t.Errorf("then: %s (%s)", r.State, r.Native)
		}
	})
}

// What AWS does not pause is told by the listing, without a call that fails; AWS says the same when it is asked.
func TestWarehousesThatCannotBePaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKind(t, fleet.RedshiftCluster, awssim.Resource{Name: "vault", HSM: true}, awssim.Resource{Name: "both-zones", MultiAZ: true},
			awssim.Resource{Name: "bare", SnapshotsOff: true}, awssim.Resource{Name: "plain"})
		for name, bar := range map[string]fleet.Bar{"vault": fleet.HSMCluster, "both-zones": fleet.MultiAZCluster, "bare": fleet.NoAutoSnapshots, "plain": fleet.NoBar} {
			r := w.listed(name)
			if r.Bar != bar {
				t.Errorf("%s: bar %q, want %q", name, r.Bar, bar)
			}
			if err := w.do(fleet.Stop, r); bar == fleet.NoBar && err != nil {
				t.Errorf("%s: %v", name, err)
			} else if bar != fleet.NoBar {
				w.refused(name, err, cloud.ErrUnsupported, "cannot be paused")
			}
		}
		time.Sleep(time.Hour)
		if r := w.listed("plain"); r.Bar != fleet.NoBar {
			t.Errorf("a paused one has bar %q", r.Bar)
		}
	})
}

// Redshift writes words where others write true and false, and has states with commas in them.
func TestWordsOfRedshift(t *testing.T) {
	warehouse := func(id, status, more string) string {
		return `<Cluster><ClusterIdentifier>` + id + `</ClusterIdentifier><NodeType>ra3.4xlarge</NodeType><ClusterStatus>` + status + `</ClusterStatus>` + more +
			`<Tags><Tag><Key>Schedule</Key><Value>office</Value></Tag></Tags></Cluster>`
	}
	for _, test := range []struct {
		status, more string
		state        fleet.State
		bar          fleet.Bar
	}{
		{"available", "", fleet.Running, fleet.NoBar},
		{"available", "<MultiAZ>disabled</MultiAZ><AutomatedSnapshotRetentionPeriod>1</AutomatedSnapshotRetentionPeriod>", fleet.Running, fleet.NoBar},
		{"available", "<MultiAZ>enabled</MultiAZ>", fleet.Running, fleet.MultiAZCluster},
		{"available", "<AutomatedSnapshotRetentionPeriod>0</AutomatedSnapshotRetentionPeriod>", fleet.Running, fleet.NoAutoSnapshots},
		{"available", "<HsmStatus><Status>active</Status></HsmStatus>", fleet.Running, fleet.NoBar},
		{"available", "<HsmStatus><HsmConfigurationIdentifier>h</HsmConfigurationIdentifier><Status>applying</Status></HsmStatus>", fleet.Running, fleet.HSMCluster},
		{"paused", "<AutomatedSnapshotRetentionPeriod>0</AutomatedSnapshotRetentionPeriod>", fleet.Stopped, fleet.NoBar},
		{"pausing", "", fleet.Stopping, fleet.NoBar},
		{"resuming", "", fleet.Starting, fleet.NoBar},
		{"available, prep-for-resize", "", fleet.Other, fleet.NoBar},
		{"available, resize-cleanup", "", fleet.Other, fleet.NoBar},
		{"modifying", "", fleet.Other, fleet.NoBar},
		{"storage-full", "", fleet.Other, fleet.NoBar},
		{"hardware-failure", "", fleet.Other, fleet.NoBar},
		{"incompatible-network", "", fleet.Other, fleet.NoBar},
		{"", "", fleet.Other, fleet.NoBar},
	} {
		w := newWire(t)
		w.on("DescribeClusters", answer(200, `<DescribeClustersResponse><DescribeClustersResult><Clusters>`+warehouse("sales", test.status, test.more)+`</Clusters></DescribeClustersResult></DescribeClustersResponse>`))
		got, err := list(w.open(nil), fleet.RedshiftCluster, cloud.Query{TagKey: "Schedule"})
		if err != nil || len(got) != 1 || got[0].State != test.state || got[0].Native != test.status || got[0].Bar != test.bar {
			t.Errorf("%q %s: %+v %v, want %s and bar %q", test.status, test.more, got, err, test.state, test.bar)
		}
		if form := w.made("DescribeClusters")[0].form; form.Get("TagKeys.TagKey.1") != "Schedule" || form.Get("MaxRecords") != "100" || form.Has("ClusterIdentifier") {
			t.Errorf("asked with %v", form)
		}
	}
}

func TestTheErrorsOfRedshift(t *testing.T) {
	for _, test := range []struct {
		code, message string
		class         error
	}{
		{"ClusterNotFound", "Cluster sales not found.", cloud.ErrNotFound},
		{"InvalidClusterState", "There is an operation running on the Cluster. Please try to pause it at a later time.", cloud.ErrWrongState},
		{"UnsupportedOperation", "It cannot be paused", cloud.ErrUnsupported},
		{"InsufficientClusterCapacity", "Not so many nodes", cloud.ErrInsufficientCapacity},
		{"Throttling", "Rate exceeded", cloud.ErrThrottled},
		{"DependentServiceRequestThrottlingFault", "Another service is busy", cloud.ErrThrottled},
		{"DependentServiceUnavailableFault", "Another service is down", cloud.ErrTransient},
		{"AccessDenied", "not authorized to perform: redshift:ResumeCluster", cloud.ErrUnauthorized},
	} {
		w := newWire(t)
		w.on("ResumeCluster", answer(400, queryError(test.code, test.message)))
		target := cloud.Target{Resource: fleet.Resource{Ref: fleet.Ref{Scope: testScope, Kind: fleet.RedshiftCluster, ID: "sales"}}}
		err := w.open(nil).Do(t.Context(), testScope, fleet.RedshiftCluster, fleet.Start, []cloud.Target{target})
		if !errors.Is(err, test.class) || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: %v", test.code, err)
		}
		if n := w.count("ResumeCluster"); n != 1 {
			t.Errorf("%s: %d calls", test.code, n)
		}
	}
}

func TestWarehousesAreListedWholeOrNotAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKind(t, fleet.RedshiftCluster, awssim.Resource{Name: "wh-###", Count: 230})
		all := func() ([]fleet.Resource, error) {
			return list(w.cloud, fleet.RedshiftCluster, cloud.Query{TagKey: cloudtest.TagKey})
		}
		for name, fault := range map[string]awssim.Fault{
			"nothing of Redshift's own":     {Service: "ec2", Kind: awssim.FaultReset},
			"pages of uneven size":          {Service: "redshift", Kind: awssim.FaultShortPages},
			"a page that is throttled":      {Service: "redshift", Kind: awssim.FaultThrottle, Skip: 1, Count: 3},
			"a page that is lost":           {Service: "redshift", Kind: awssim.FaultReset, Skip: 1, Count: 1},
			"one cluster on two pages":      {Service: "redshift", Kind: awssim.FaultDuplicate, Resource: "wh-100"},
			"a page of a proxy in between":  {Service: "redshift", Kind: awssim.FaultHTML, Skip: 2, Count: 1, Status: 200},
			"an error in a page with a 200": {Service: "redshift", Kind: awssim.FaultErrorIn200, Code: "InternalFailure", Skip: 2, Count: 1},
		} {
			w.faults(fault)
			if got, err := all(); err != nil || len(got) != 230 {
				t.Errorf("%s: %d clusters, %v", name, len(got), err)
			}
		}
		for name, test := range map[string]struct {
			fault awssim.Fault
			class error
		}{
			"the third page never comes":  {awssim.Fault{Service: "redshift", Kind: awssim.FaultReset, Skip: 2}, cloud.ErrTransient},
			"the same page again and on":  {awssim.Fault{Service: "redshift", Kind: awssim.FaultTokenLoop}, cloud.ErrTransient},
			"listing is not permitted":    {awssim.Fault{Service: "redshift", Action: "DescribeClusters", Kind: awssim.FaultDenied}, cloud.ErrUnauthorized},
			"throttled for good":          {awssim.Fault{Service: "redshift", Kind: awssim.FaultThrottle}, cloud.ErrThrottled},
			"a marker that AWS forgot":    {awssim.Fault{Service: "redshift", Kind: awssim.FaultTokenExpire}, cloud.ErrInvalid},
			"another document every time": {awssim.Fault{Service: "redshift", Kind: awssim.FaultHTML, Status: 200}, cloud.ErrTransient},
		} {
			w.faults(test.fault)
			if got, err := all(); !errors.Is(err, test.class) || got != nil {
				t.Errorf("%s: %d clusters, %v", name, len(got), err)
			}
		}
	})
}

// A role that may not see one kind leaves a gap of that kind, and no other.
func TestAKindThatMayNotBeListedIsItsOwnGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sim := simulate(t, awssim.Options{}, slices.Concat(fleetOf(1, "running"), []awssim.Resource{
			{Account: string(hub), Region: "eu-central-1", Kind: "redshift", Name: "sales", Tags: map[string]string{cloudtest.TagKey: "office"}},
			{Account: string(hub), Region: "eu-central-1", Kind: "notebook", Name: "study", Tags: map[string]string{cloudtest.TagKey: "office"}},
		}), nil)
		for _, denied := range []struct {
			service string
			kind    fleet.Kind
		}{{"redshift", fleet.RedshiftCluster}, {"sagemaker", fleet.SageMakerNotebook}} {
			if err := sim.SetFaults([]awssim.Fault{{Service: denied.service, Kind: awssim.FaultDenied}}); err != nil {
				t.Fatal(err)
			}
			for _, kind := range []fleet.Kind{fleet.EC2Instance, fleet.RedshiftCluster, fleet.SageMakerNotebook} {
				got, err := list(c, kind, cloud.Query{TagKey: cloudtest.TagKey})
				if kind == denied.kind && (!errors.Is(err, cloud.ErrUnauthorized) || !strings.Contains(err.Error(), "the permission "+denied.service+":")) {
					t.Errorf("%s without permission: %v", kind, err)
				}
				if kind != denied.kind && (err != nil || len(got) != 1) {
					t.Errorf("%s beside it: %d, %v", kind, len(got), err)
				}
			}
		}
	})
}

func TestOneWarehouseIsAskedForByName(t *testing.T) {
	w := newWire(t)
	w.on("DescribeClusters", func(form url.Values) (int, string) {
		if form.Get("ClusterIdentifier") == "gone" {
			return 404, queryError("ClusterNotFound", "Cluster gone not found.")
		}
		return 200, `<DescribeClustersResponse><DescribeClustersResult><Clusters><Cluster><ClusterIdentifier>sales</ClusterIdentifier><ClusterStatus>available</ClusterStatus></Cluster></Clusters></DescribeClustersResult></DescribeClustersResponse>`
	})
	c := w.open(nil)
	for id, want := range map[string]int{"sales": 1, "gone": 0} {
		if got, err := list(c, fleet.RedshiftCluster, cloud.Query{IDs: []string{id}}); err != nil || len(got) != want {
			t.Errorf("%s: %+v %v", id, got, err)
		}
	}
	if got, err := list(c, fleet.RedshiftCluster, cloud.Query{IDs: []string{"sales", "gone"}}); err != nil || len(got) != 1 {
		t.Errorf("two: %+v %v", got, err)
	}
	calls := w.made("DescribeClusters")
	if form := calls[len(calls)-1].form; form.Has("ClusterIdentifier") || form.Has("TagKeys.TagKey.1") {
		t.Errorf("several are looked for in the whole list: %v", form)
	}
}

func TestAResumeWithoutCapacityIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKind(t, fleet.RedshiftCluster, awssim.Resource{Name: "sales", State: "paused"})
		sales := w.listed("sales")
		w.faults(awssim.Fault{Service: "redshift", Action: "ResumeCluster", Kind: awssim.FaultCannotStart, Count: 1})
		w.refused("no capacity", w.do(fleet.Start, sales), cloud.ErrInsufficientCapacity, "InsufficientClusterCapacity")
		w.faults(awssim.Fault{Service: "redshift", Action: "ResumeCluster", Kind: awssim.FaultReset, Applied: true, Count: 1})
		if err := w.do(fleet.Start, sales); !errors.Is(err, cloud.ErrTransient) {
			t.Errorf("an answer that was lost: %v", err)
		}
		w.refused("and another call", w.do(fleet.Start, sales), cloud.ErrWrongState, "resuming")
		time.Sleep(15 * time.Minute)
		if r := w.listed("sales"); r.State != fleet.Running {
			t.Errorf("%s", r.Native)
		}
	})
}
