package awssim

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/google/go-cmp/cmp"
)

// company is an organization with units in units, and one account outside.
const company = `
organization:
  management: "999900000000"
  delegated: ["999900000001"]
  units:
    - {id: ou-sim1-aaaaaaaa, name: Work}
    - {id: ou-sim1-bbbbbbbb, name: Test, parent: ou-sim1-aaaaaaaa}
accounts:
  - {id: "999900000000", name: management}
  - {id: "999900000001", name: audit}
  - {id: "999900000002", name: shop, unit: ou-sim1-aaaaaaaa}
  - {id: "999900000003", name: shop-test, unit: ou-sim1-bbbbbbbb}
  - {id: "999900000004", name: old, unit: ou-sim1-bbbbbbbb, state: SUSPENDED}
  - {id: "999900000005", name: stranger, unit: none}
  - {id: "999900000006", name: china, partition: aws-cn}
`

func organizationClient(t *testing.T, opt Options, file, key, region string) (*organizations.Client, *Cloud) {
	t.Helper()
	f, err := ParseFleet([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	c := New(opt)
	if err := c.Load(f); err != nil {
		t.Fatal(err)
	}
	return organizations.NewFromConfig(sdkConfig(c, region, credentials.NewStaticCredentialsProvider(key, "x", ""))), c
}

func shownAccounts(list []types.Account) []string {
	var out []string
	for _, a := range list {
		out = append(out, aws.ToString(a.Name)+" "+string(a.State))
	}
	return out
}

func TestTheOrganizationIsListed(t *testing.T) {
	client, c := organizationClient(t, Options{}, company, "999900000001", "us-east-1") // a delegated administrator
	all, err := client.ListAccounts(t.Context(), &organizations.ListAccountsInput{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"management ACTIVE", "audit ACTIVE", "shop ACTIVE", "shop-test ACTIVE", "old SUSPENDED"}
	if d := cmp.Diff(want, shownAccounts(all.Accounts)); d != "" {
		t.Errorf("accounts:\n%s", d)
	}
	if arn := aws.ToString(all.Accounts[2].Arn); !strings.HasPrefix(arn, "arn:aws:organizations::999900000000:account/o-") || !strings.HasSuffix(arn, "/999900000002") {
		t.Errorf("ARN %s", arn)
	}
	for parent, want := range map[string][]string{
		"r-sim1": {"management ACTIVE", "audit ACTIVE"}, "ou-sim1-aaaaaaaa": {"shop ACTIVE"}, "ou-sim1-bbbbbbbb": {"shop-test ACTIVE", "old SUSPENDED"},
	} {
		page, err := client.ListAccountsForParent(t.Context(), &organizations.ListAccountsForParentInput{ParentId: &parent})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, shownAccounts(page.Accounts)); d != "" {
			t.Errorf("below %s:\n%s", parent, d)
		}
	}
	units, err := client.ListOrganizationalUnitsForParent(t.Context(), &organizations.ListOrganizationalUnitsForParentInput{ParentId: aws.String("ou-sim1-aaaaaaaa")})
	if err != nil || len(units.OrganizationalUnits) != 1 || aws.ToString(units.OrganizationalUnits[0].Name) != "Test" {
		t.Errorf("units %+v %v", units, err)
	}
	roots, err := client.ListRoots(t.Context(), &organizations.ListRootsInput{})
	if err != nil || aws.ToString(roots.Roots[0].Id) != "r-sim1" {
		t.Errorf("roots %+v %v", roots, err)
	}
	about, err := client.DescribeOrganization(t.Context(), &organizations.DescribeOrganizationInput{})
	if err != nil || aws.ToString(about.Organization.MasterAccountId) != "999900000000" {
		t.Errorf("organization %+v %v", about, err)
	}

	// What is added later changes places and states.
	more, err := ParseFleet([]byte(`accounts: [{id: "999900000002", name: shop, unit: none}, {id: "999900000007", name: new, unit: ou-sim1-bbbbbbbb}]`))
	if err == nil {
		err = c.Load(more)
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err = client.ListAccounts(t.Context(), &organizations.ListAccountsInput{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"management ACTIVE", "audit ACTIVE", "shop-test ACTIVE", "old SUSPENDED", "new ACTIVE"}, shownAccounts(all.Accounts)); d != "" {
		t.Errorf("later:\n%s", d)
	}

	// A fleet that is given back has the organization in it.
	text, err := c.Snapshot().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := organizationClient(t, Options{}, string(text), "999900000000", "us-east-1")
	back, err := again.ListAccounts(t.Context(), &organizations.ListAccountsInput{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(shownAccounts(all.Accounts), shownAccounts(back.Accounts)); d != "" {
		t.Errorf("given back:\n%s", d)
	}
}

func TestTheOrganizationComesInPagesOfTwenty(t *testing.T) {
	var file strings.Builder
	file.WriteString("organization: {management: \"999900000000\"}\naccounts:\n")
	for i := range 45 {
		fmt.Fprintf(&file, "  - {id: \"9999000000%02d\"}\n", i)
	}
	client, _ := organizationClient(t, Options{}, file.String(), "999900000000", "us-east-1")
	var sizes []int
	pages := organizations.NewListAccountsPaginator(client, &organizations.ListAccountsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page.Accounts))
	}
	if d := cmp.Diff([]int{20, 20, 5}, sizes); d != "" {
		t.Error(d)
	}
	if _, err := client.ListAccounts(t.Context(), &organizations.ListAccountsInput{MaxResults: aws.Int32(21)}); code(err) != "InvalidInputException" {
		t.Errorf("a page of 21: %v", err)
	}
	if _, err := client.ListAccounts(t.Context(), &organizations.ListAccountsInput{NextToken: aws.String("nonsense")}); code(err) != "InvalidInputException" {
		t.Errorf("a token: %v", err)
	}
}

func TestOrganizationsRefuses(t *testing.T) {
	for _, tc := range []struct{ name, key, region, parent, code string }{
		{"a member that is not delegated", "999900000002", "us-east-1", "r-sim1", "AccessDeniedException"},
		{"an account outside", "999900000005", "us-east-1", "r-sim1", "AWSOrganizationsNotInUseException"},
		{"an account of another partition", "999900000006", "cn-northwest-1", "r-sim1", "AWSOrganizationsNotInUseException"},
		{"a parent that is none", "999900000000", "us-east-1", "r-other", "ParentNotFoundException"},
		{"a parent of another form", "999900000000", "us-east-1", "999900000002", "InvalidInputException"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, _ := organizationClient(t, Options{}, company, tc.key, tc.region)
			_, err := client.ListAccountsForParent(t.Context(), &organizations.ListAccountsForParentInput{ParentId: &tc.parent})
			if code(err) != tc.code {
				t.Errorf("%v, want %s", err, tc.code)
			}
		})
	}
	client, c := organizationClient(t, Options{Limits: Limits{Table: []Limit{{Service: "organizations", Action: "*", Shared: true, Request: Bucket{Max: 1}}}}}, company, "999900000000", "us-east-1")
	_, first := client.ListAccounts(t.Context(), &organizations.ListAccountsInput{})
	_, err := client.ListAccounts(t.Context(), &organizations.ListAccountsInput{}, func(o *organizations.Options) { o.RetryMaxAttempts = 1 })
	if throttle := (*types.TooManyRequestsException)(nil); first != nil || !errors.As(err, &throttle) {
		t.Errorf("throttled: %v, %v", first, err)
	}
	if calls := c.Calls(); !calls[len(calls)-1].Throttled {
		t.Error("the log does not know that it was throttled")
	}
}

func TestAWrongOrganizationIsRefused(t *testing.T) {
	for _, tc := range []struct{ name, file, says string }{
		{"no such management account", "organization: {management: \"999900000000\"}\n", `"999900000000" is not one of the accounts of the file`},
		{"a delegated stranger", "organization: {management: \"999900000000\", delegated: [x]}\naccounts: [{id: \"999900000000\"}]\n", `delegated[0]: "x" is not one of the accounts`},
		{"an ID", "organization: {management: \"999900000000\", id: acme}\naccounts: [{id: \"999900000000\"}]\n", `"acme" is not the id of an organization`},
		{"a root", "organization: {management: \"999900000000\", root: top}\naccounts: [{id: \"999900000000\"}]\n", `"top" is not the id of a root`},
		{"a unit of another root", "organization: {management: \"999900000000\", units: [{id: ou-else-12345678}]}\naccounts: [{id: \"999900000000\"}]\n", `"ou-else-12345678" is not the id of a unit below r-sim1`},
		{"a unit twice", "organization: {management: \"999900000000\", units: [{id: ou-sim1-12345678}, {id: ou-sim1-12345678}]}\naccounts: [{id: \"999900000000\"}]\n", "listed twice"},
		{"a parent that comes later", "organization: {management: \"999900000000\", units: [{id: ou-sim1-12345678, parent: ou-sim1-22345678}]}\naccounts: [{id: \"999900000000\"}]\n", "neither the root nor a unit listed above"},
		{"an account in a unit that is none", "organization: {management: \"999900000000\"}\naccounts: [{id: \"999900000000\", unit: ou-sim1-12345678}]\n", "is not a unit of the organization"},
		{"a unit without form", "accounts: [{id: \"999900000000\", unit: Prod}]\n", `"Prod" is no unit`},
		{"a state", "accounts: [{id: \"999900000000\", state: asleep}]\n", "ACTIVE, PENDING_ACTIVATION"},
	} {
		if _, err := ParseFleet([]byte(tc.file)); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v\nwant %q", tc.name, err, tc.says)
		}
	}
}
