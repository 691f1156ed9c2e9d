package aws

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

// The accounts of the simulated AWS: a hub, whose keys are at hand, and a spoke
// that is entered by its role.
const (
	hub   = testAccount
	spoke = fleet.AccountID("444455556666")
)

var simAccounts = []Account{
	{ID: hub, Regions: []fleet.Region{"eu-central-1", "ap-northeast-2"}},
	{ID: spoke, RoleARN: "arn:aws:iam::444455556666:role/dayshift", ExternalID: "between-us", Regions: []fleet.Region{"eu-central-1", "us-east-1"}},
}

// simulate makes a Cloud on a simulated AWS that holds the resources.
func simulate(t *testing.T, opt awssim.Options, resources []awssim.Resource, change func(*Config)) (*Cloud, *awssim.Cloud) {
	t.Helper()
	return simulateFleet(t, opt, awssim.Fleet{Resources: resources}, change)
}

// simulateFleet is simulate for all that a fleet file can hold but accounts.
func simulateFleet(t *testing.T, opt awssim.Options, holds awssim.Fleet, change func(*Config)) (*Cloud, *awssim.Cloud) {
	t.Helper()
	sim := awssim.New(opt)
	holds.Accounts = []awssim.Account{
		{ID: string(hub)},
		{ID: string(spoke), Roles: []awssim.Role{
			{Name: "dayshift", ExternalID: "between-us"},
			{Name: "readonly", Deny: []string{"ec2:St*", "rds:St*", "*:*Tags*"}},
		}},
	}
	err := sim.Load(holds)
	if err != nil {
		t.Fatal(err)
	}
	config := Config{
		Accounts:    simAccounts,
		TagKey:      cloudtest.TagKey,
		Credentials: credentials.NewStaticCredentialsProvider(string(hub), "secret", ""),
		Transport:   sim.Transport(),
	}
	if change != nil {
		change(&config)
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c, sim
}

func simResource(seed fleet.Resource) awssim.Resource {
	kind := map[fleet.Kind]string{fleet.EC2Instance: "ec2", fleet.RDSInstance: "rds", fleet.RDSCluster: "rds_cluster", fleet.ECSService: "ecs", fleet.AutoScalingGroup: "asg", fleet.EKSNodegroup: "eks", fleet.RedshiftCluster: "redshift", fleet.SageMakerNotebook: "notebook"}[seed.Kind]
	state := string(seed.State)
	if (seed.Kind == fleet.RDSInstance || seed.Kind == fleet.RDSCluster) && seed.State == fleet.Running {
		state = "available"
	}
	switch seed.Kind {
	case fleet.RedshiftCluster:
		state = map[fleet.State]string{fleet.Running: "available", fleet.Stopped: "paused"}[seed.State]
	case fleet.SageMakerNotebook:
		state = map[fleet.State]string{fleet.Running: "InService", fleet.Stopped: "Stopped"}[seed.State]
	}
	class, engine := seed.Type, ""
	switch seed.Kind {
	case fleet.RDSCluster:
		class, engine = "", seed.Type
	case fleet.EKSNodegroup: // what it shows as its type says how its nodes are paid for
		class = ""
	}
	r := awssim.Resource{
		Account: string(cmp.Or(seed.Scope.Account, hub)), Region: string(cmp.Or(seed.Scope.Region, "eu-central-1")), Kind: kind,
		Name: seed.Name, Type: class, Engine: engine, State: state, Tags: seed.Tags,
		VPC: seed.VPC, Subnet: seed.Subnet, PrivateIP: seed.PrivateIP, Window: seed.MaintenanceWindow,
	}
	// A size that is none leaves the defaults.
	_, _ = fmt.Sscanf(seed.Size, "%d-%d-%d", &r.Min, &r.Desired, &r.Max)
	return r
}

func simWindow(seed cloudtest.Window) awssim.Window {
	enabled := !seed.Disabled
	return awssim.Window{
		Account: string(cmp.Or(seed.Scope.Account, hub)), Region: string(cmp.Or(seed.Scope.Region, "eu-central-1")),
		Name: seed.Name, Cron: seed.Cron, Timezone: seed.Zone, Hours: seed.Hours, Enabled: &enabled,
	}
}

// world is a simulated AWS under examination; that the pacing is AWS's is part of it.
func world(t *testing.T, holds awssim.Fleet) cloudtest.World {
	t.Helper()
	c, sim := simulateFleet(t, awssim.Options{}, holds, nil)
	t.Cleanup(func() {
		if n := sim.Stats().Throttled; n > 0 {
			t.Errorf("%d calls were throttled", n)
		}
	})
	return cloudtest.World{Cloud: c, Windows: c, Pass: time.Sleep}
}

func TestCloudOnASimulatedAWS(t *testing.T) {
	for name, scopes := range map[string][]fleet.Scope{
		"the account at hand":    {{Account: hub, Region: "eu-central-1"}, {Account: spoke, Region: "eu-central-1"}},
		"an account with a role": {{Account: spoke, Region: "us-east-1"}, {Account: spoke, Region: "eu-central-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			cloudtest.Exercise(t, cloudtest.Harness{
				Scopes: scopes,
				Within: synctest.Test,
				Open: func(t *testing.T, seeds []fleet.Resource) cloudtest.World {
					var holds awssim.Fleet
					for _, seed := range seeds {
						holds.Resources = append(holds.Resources, simResource(seed))
					}
					return world(t, holds)
				},
				OpenWindows: func(t *testing.T, seeds []cloudtest.Window) cloudtest.World {
					var holds awssim.Fleet
					for _, seed := range seeds {
						holds.Windows = append(holds.Windows, simWindow(seed))
					}
					return world(t, holds)
				},
			})
		})
	}
}

// fleetOf describes n stopped or running instances that carry the tag.
func fleetOf(n int, state string) []awssim.Resource {
	return []awssim.Resource{{
		Account: string(hub), Region: "eu-central-1", Kind: "ec2", Count: n, Name: "web-#", Type: "m5.large", State: state,
		Tags: map[string]string{cloudtest.TagKey: "office"},
	}}
}

// targets lists the instances of the test's scope as targets, in order of their ids.
func targets(t *testing.T, c *Cloud) []cloud.Target {
	t.Helper()
	resources, err := list(c, fleet.EC2Instance, cloud.Query{TagKey: cloudtest.TagKey})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(resources, func(a, b fleet.Resource) int { return cmp.Compare(a.ID, b.ID) })
	all := make([]cloud.Target, len(resources))
	for i, resource := range resources {
		all[i] = cloud.Target{Resource: resource}
	}
	return all
}

// sentBodies keeps what was sent.
type sentBodies struct {
	http.RoundTripper
	mu   sync.Mutex
	sent []string
}

func (s *sentBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.sent = append(s.sent, string(body))
	s.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	return s.RoundTripper.RoundTrip(r)
}

// The Jandi scheduler stopped every instance with Force, which is a power cut.
func TestPeers15AStopIsNeverForced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := &sentBodies{}
		c, _ := simulate(t, awssim.Options{}, fleetOf(3, "running"), func(config *Config) {
			sent.RoundTripper = config.Transport
			config.Transport = sent
		})
		running := targets(t, c)
		if _, err := c.Reserve(t.Context(), testScope, fleet.EC2Instance, fleet.Stop, len(running)); err != nil {
			t.Fatal(err)
		}
		if err := c.Do(t.Context(), testScope, fleet.EC2Instance, fleet.Stop, running); err != nil {
			t.Fatal(err)
		}
		stops := 0
		for _, body := range sent.sent {
			if query, err := url.ParseQuery(body); err == nil && query.Get("Action") == "StopInstances" {
				stops++
				if query.Has("Force") {
					t.Errorf("a stop is forced: %s", body)
				}
			}
		}
		if stops != 1 {
			t.Errorf("%d stops were sent", stops)
		}
	})
}
