package aws

import (
	"cmp"
	"slices"
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
	sim := awssim.New(opt)
	err := sim.Load(awssim.Fleet{
		Accounts: []awssim.Account{
			{ID: string(hub)},
			{ID: string(spoke), Roles: []awssim.Role{
				{Name: "dayshift", ExternalID: "between-us"},
				{Name: "readonly", Deny: []string{"ec2:St*", "rds:St*", "*:*Tags*"}},
			}},
		},
		Resources: resources,
	})
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
	kind := map[fleet.Kind]string{fleet.EC2Instance: "ec2", fleet.RDSInstance: "rds"}[seed.Kind]
	state := string(seed.State)
	if seed.Kind == fleet.RDSInstance && seed.State == fleet.Running {
		state = "available"
	}
	return awssim.Resource{
		Account: string(cmp.Or(seed.Scope.Account, hub)), Region: string(cmp.Or(seed.Scope.Region, "eu-central-1")), Kind: kind,
		Name: seed.Name, Type: seed.Type, State: state, Tags: seed.Tags,
		VPC: seed.VPC, Subnet: seed.Subnet, PrivateIP: seed.PrivateIP, Window: seed.MaintenanceWindow,
	}
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
					var resources []awssim.Resource
					for _, seed := range seeds {
						resources = append(resources, simResource(seed))
					}
					c, sim := simulate(t, awssim.Options{}, resources, nil)
					t.Cleanup(func() {
						if n := sim.Stats().Throttled; n > 0 {
							t.Errorf("%d calls were throttled", n)
						}
					})
					return cloudtest.World{Cloud: c, Pass: time.Sleep}
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
