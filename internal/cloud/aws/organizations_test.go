package aws

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

// The organization of the simulated AWS: its management account, whose keys are
// at hand, a delegated administrator with a role for readers, and members.
const (
	management = fleet.AccountID("999900000000")
	delegated  = fleet.AccountID("999900000001")
)

func simulateOrganization(t *testing.T, opt awssim.Options, o Organization, members int) (*Cloud, *awssim.Cloud) {
	t.Helper()
	sim := awssim.New(opt)
	holds := awssim.Fleet{
		Organization: &awssim.Organization{
			Management: string(management), Delegated: []string{string(delegated)},
			Units: []awssim.Unit{{ID: "ou-sim1-work0000"}, {ID: "ou-sim1-test0000", Parent: "ou-sim1-work0000"}, {ID: "ou-sim1-prod0000", Parent: "ou-sim1-work0000"}, {ID: "ou-sim1-empty000"}},
		},
		Accounts: []awssim.Account{
			{ID: string(management), Name: "management"},
			{ID: string(delegated), Name: "audit", Roles: []awssim.Role{{Name: "reader", ExternalID: "between-us", Allow: []string{"organizations:List*"}}, {Name: "blind", Deny: []string{"organizations:*"}}}},
			{ID: "999900000002", Name: "shop-test", Unit: "ou-sim1-test0000"},
			{ID: "999900000003", Name: "shop", Unit: "ou-sim1-prod0000"},
			{ID: "999900000004", Name: "old", Unit: "ou-sim1-test0000", State: "SUSPENDED"},
			{ID: "999900000005", Name: "tools", Unit: "ou-sim1-work0000"},
			{ID: "999900000006", Name: "stranger", Unit: "none"},
		},
	}
	for i := range members {
		holds.Accounts = append(holds.Accounts, awssim.Account{ID: fmt.Sprintf("8888%08d", i), Unit: "ou-sim1-test0000"})
	}
	if err := sim.Load(holds); err != nil {
		t.Fatal(err)
	}
	if o.Partition == "" {
		o.Partition = fleet.AWS
	}
	c, err := New(Config{
		Organizations: []Organization{o}, Transport: sim.Transport(),
		Credentials: credentials.NewStaticCredentialsProvider(string(management), "secret", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, sim
}

func memberNames(members []Member) []string {
	var names []string
	for _, m := range members {
		name := m.Name
		if m.State != ActiveMember {
			name += " " + m.State
		}
		if m.Management {
			name += " (management)"
		}
		names = append(names, name)
	}
	return names
}

func TestMembers(t *testing.T) {
	reader := Organization{RoleARN: "arn:aws:iam::999900000001:role/reader", ExternalID: "between-us"}
	for _, test := range []struct {
		name          string
		reader        Organization
		units, except []string
		want          []string
	}{
		{"of the whole organization", Organization{}, nil, nil, []string{"management (management)", "audit", "shop-test", "shop", "old SUSPENDED", "tools"}},
		{"by a role in a delegated administrator", reader, nil, nil, []string{"management (management)", "audit", "shop-test", "shop", "old SUSPENDED", "tools"}},
		{"of a unit and those below it", reader, []string{"ou-sim1-work0000"}, nil, []string{"shop-test", "shop", "old SUSPENDED", "tools"}},
		{"of the root", reader, []string{"r-sim1"}, nil, []string{"management (management)", "audit", "shop-test", "shop", "old SUSPENDED", "tools"}},
		{"of a unit named twice, once inside the other", reader, []string{"ou-sim1-test0000", "ou-sim1-work0000", "ou-sim1-test0000"}, nil, []string{"shop-test", "shop", "old SUSPENDED", "tools"}},
		{"of a unit without accounts", reader, []string{"ou-sim1-empty000"}, nil, nil},
		{"but for a unit", reader, nil, []string{"ou-sim1-prod0000"}, []string{"management (management)", "audit", "shop-test", "old SUSPENDED", "tools"}},
		{"of a unit but for one below", reader, []string{"ou-sim1-work0000"}, []string{"ou-sim1-test0000"}, []string{"shop", "tools"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := test.reader
			o.Units, o.Except = test.units, test.except
			c, _ := simulateOrganization(t, awssim.Options{Limits: awssim.Limits{Off: true}}, o, 0)
			got, err := c.Members(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, memberNames(got)); d != "" {
				t.Error(d)
			}
			if found := c.ProbeOrganization(t.Context(), 0); len(found) != 2 || !found[0].OK || !found[1].OK {
				t.Errorf("probe: %+v", found)
			}
		})
	}
}

func TestMembersComeInManyPagesWithinTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, units := range [][]string{nil, {"r-sim1"}} {
			c, sim := simulateOrganization(t, awssim.Options{}, Organization{Units: units}, 1000)
			got, err := c.Members(t.Context(), 0)
			if err != nil || len(got) != 1006 {
				t.Fatalf("%d accounts, %v", len(got), err)
			}
			if stats := sim.Stats(); stats.Throttled > 0 {
				t.Errorf("units %v: throttled %d times", units, stats.Throttled)
			}
		}
	})
}

func TestAThrottledListingIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sim := simulateOrganization(t, awssim.Options{}, Organization{}, 100)
		if err := sim.SetFaults([]awssim.Fault{{Service: "organizations", Kind: awssim.FaultThrottle, Count: 4}}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		got, err := c.Members(t.Context(), 0)
		if err != nil || len(got) != 106 {
			t.Fatalf("%d accounts, %v", len(got), err)
		}
		if took := time.Since(began); took < time.Second {
			t.Errorf("came back after %s: that is no pause", took)
		}
	})
}

func TestAListingThatIsNotWholeIsAnError(t *testing.T) {
	const account = `{"Id":"999900000002","Arn":"arn:aws:organizations::999900000000:account/o-exampleorgid/999900000002","Name":"shop","State":"ACTIVE"}`
	for _, test := range []struct {
		name    string
		answers []func(url.Values) (int, string)
		class   error
		says    string
	}{
		{"an object without the list", []func(url.Values) (int, string){answer(200, `{}`)}, cloud.ErrTransient, "no Accounts"},
		{"an HTML page", []func(url.Values) (int, string){answer(200, `<html></html>`)}, cloud.ErrTransient, "not a JSON object"},
		{"a second page that fails", []func(url.Values) (int, string){answer(200, `{"Accounts":[`+account+`],"NextToken":"a"}`), answer(400, `{"__type":"InvalidInputException","Message":"token"}`)}, cloud.ErrInvalid, "InvalidInputException"},
		{"the same token for ever", []func(url.Values) (int, string){answer(200, `{"Accounts":[`+account+`],"NextToken":"a"}`)}, cloud.ErrTransient, "same page token twice"},
		{"an account without an ID", []func(url.Values) (int, string){answer(200, `{"Accounts":[{"Name":"x","State":"ACTIVE"}]}`)}, cloud.ErrTransient, "twelve digits"},
		{"an account without a state", []func(url.Values) (int, string){answer(200, `{"Accounts":[{"Id":"999900000002"}]}`)}, cloud.ErrTransient, "does not tell its state"},
		{"a member that may not ask", []func(url.Values) (int, string){answer(400, `{"__type":"AccessDeniedException","Message":"You don't have permissions to access this resource."}`)}, cloud.ErrUnauthorized, "delegated administrators"},
		{"an account in no organization", []func(url.Values) (int, string){answer(400, `{"__type":"AWSOrganizationsNotInUseException","Message":"Your account is not a member of an organization."}`)}, cloud.ErrInvalid, "not a member of an organization"},
		{"a server that fails", []func(url.Values) (int, string){answer(500, `{"__type":"ServiceException","Message":"oops"}`)}, cloud.ErrTransient, "ServiceException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWire(t)
			w.inTurn("ListAccounts", test.answers...)
			c := w.open(func(config *Config) {
				config.Organizations, config.Sleep = []Organization{{Partition: fleet.AWS}}, noSleep
			})
			got, err := c.Members(t.Context(), 0)
			wantClass(t, err, test.class)
			if got != nil || err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, %v\ndoes not say %q", got, err, test.says)
			}
		})
	}
}

func TestEmptyPagesAreNoEnd(t *testing.T) {
	w := newWire(t)
	w.inTurn("ListAccounts",
		answer(200, `{"Accounts":[],"NextToken":"a"}`),
		answer(200, `{"Accounts":[{"Id":"999900000002","Name":"caf\u00e9","Status":"ACTIVE"}],"NextToken":"b"}`), // a server of before State
		answer(200, `{"Accounts":[]}`))
	c := w.open(func(config *Config) { config.Organizations = []Organization{{Partition: fleet.AWS}} })
	got, err := c.Members(t.Context(), 0)
	if d := cmp.Diff([]Member{{ID: "999900000002", Name: "café", State: ActiveMember}}, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestTheOrganizationIsAskedAtItsOneEndpoint(t *testing.T) {
	for partition, host := range map[fleet.Partition]string{
		fleet.AWS: "organizations.us-east-1.amazonaws.com", fleet.AWSChina: "organizations.cn-northwest-1.amazonaws.com.cn", fleet.AWSGov: "organizations.us-gov-west-1.amazonaws.com",
	} {
		w := newWire(t)
		w.on("ListAccounts", answer(200, `{"Accounts":[]}`))
		c := w.open(func(config *Config) { config.Organizations = []Organization{{Partition: partition}} })
		if _, err := c.Members(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		call := w.made("ListAccounts")[0]
		if region := string(organizationHomes[partition]); call.host != host || !strings.Contains(call.header.Get("Authorization"), "/"+region+"/organizations/") {
			t.Errorf("%s: %s, %s", partition, call.host, call.header.Get("Authorization"))
		}
	}
}

func TestOrganizationsThatCannotBeAskedSayWhy(t *testing.T) {
	for _, test := range []struct {
		name string
		o    Organization
		says []string
	}{
		{"another external ID", Organization{RoleARN: "arn:aws:iam::999900000001:role/reader", ExternalID: "of-others"}, []string{"assume role", "999900000001:role/reader"}},
		{"a role without the permission", Organization{RoleARN: "arn:aws:iam::999900000001:role/blind"}, []string{"organizations:ListAccounts", "missing"}},
		{"a unit that is none", Organization{Units: []string{"ou-sim1-nowhere0"}}, []string{"ou-sim1-nowhere0", "ParentNotFoundException"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := simulateOrganization(t, awssim.Options{}, test.o, 0)
			_, err := c.Members(t.Context(), 0)
			if err == nil {
				t.Fatal("listed")
			}
			found := c.ProbeOrganization(t.Context(), 0)
			last := found[len(found)-1]
			if last.OK {
				t.Errorf("probe: %+v", found)
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) || !strings.Contains(last.Ability.String()+" "+last.Missing+" "+last.Detail.String(), says) {
					t.Errorf("%v\n%+v\ndo not say %q", err, last, says)
				}
			}
		})
	}
	for name, o := range map[string]Organization{
		"no partition": {}, "a unit without form": {Partition: fleet.AWS, Units: []string{"Prod"}}, "a role of another partition": {Partition: fleet.AWSChina, RoleARN: "arn:aws:iam::999900000001:role/reader"},
	} {
		if _, err := New(Config{Organizations: []Organization{o}}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	c, _ := simulateOrganization(t, awssim.Options{}, Organization{}, 0)
	if _, err := c.Members(t.Context(), 1); err == nil {
		t.Error("an organization that is not configured was asked")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Members(gone, 0); err == nil {
		t.Error("asked although nobody waits")
	}
}

func TestKindsThatAreLeftOutAreNeitherListedNorProbed(t *testing.T) {
	c, sim := simulate(t, awssim.Options{}, nil, func(config *Config) {
		config.Kinds = []fleet.Kind{fleet.RDSInstance, fleet.EC2Instance}
	})
	if d := cmp.Diff([]fleet.Kind{fleet.RDSInstance, fleet.EC2Instance}, c.Kinds()); d != "" {
		t.Errorf("kinds:\n%s", d)
	}
	c.Probe(t.Context(), fleet.Scope{Account: hub, Region: "eu-central-1"})
	for _, call := range sim.Calls() {
		if call.Service != "ec2" && call.Service != "sts" && call.Action != "DescribeDBInstances" {
			t.Errorf("%s:%s was asked", call.Service, call.Action)
		}
	}
	if _, err := New(Config{Accounts: simAccounts, Kinds: []fleet.Kind{"teapot"}}); err == nil || !strings.Contains(err.Error(), `kind "teapot"`) {
		t.Errorf("an unknown kind: %v", err)
	}
}
