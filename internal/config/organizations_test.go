package config

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/fleet"
	"dayshift/internal/store"
)

const withOrganization = `
organizations:
  - name: shop
    role: arn:aws:iam::999988887777:role/reader
    member_role: ops/dayshift
    external_id: between-us
    regions: [eu-central-1, us-east-1]
    exclude: ["444400000004", ou-ab12-cd345678]
  - {name: china, profile: china, regions: [cn-north-1], units: [r-cn12], include: ["444400000009", "444400000010"]}
accounts:
  - {id: "444400000001", regions: [eu-west-1]}
periods: {office: {weekdays: mon-fri}}
schedules: {office: {periods: [office]}}
`

// listObject is the list of an organization of a file as a store keeps it.
func listObject(t *testing.T, loaded *Loaded, i int, accounts ...ListedAccount) store.Object {
	t.Helper()
	d := loaded.Directories[i]
	spec, err := json.Marshal(AccountList{Organization: d.Name, Checked: time.Date(2027, 2, 5, 9, 0, 0, 0, time.UTC), Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	return store.Object{Kind: store.AccountListObject, Name: d.Key, Spec: spec, Version: 1}
}

func TestAccountsOfOrganizationsJoinThoseOfTheFile(t *testing.T) {
	alone, err := Parse("f", []byte(withOrganization), Env{})
	if err != nil {
		t.Fatal(err)
	}
	if len(alone.Accounts) != 1 || len(alone.Scopes) != 1 || len(alone.Warnings) != 0 {
		t.Fatalf("without lists: accounts %v, scopes %v, warnings %v", alone.Accounts, alone.Scopes, alone.Warnings)
	}
	shop, china := alone.Directories[0], alone.Directories[1]
	if shop.Role != "arn:aws:iam::999988887777:role/reader" || shop.ExternalID.Reveal() != "between-us" || shop.Partition != fleet.AWS ||
		!cmp.Equal(shop.Except, []string{"ou-ab12-cd345678"}) || shop.Units != nil || shop.Refresh != time.Hour || shop.List != nil {
		t.Errorf("shop: %+v", shop)
	}
	if china.Partition != fleet.AWSChina || china.Profile != "china" || !cmp.Equal(china.Units, []string{"r-cn12"}) {
		t.Errorf("china: %+v", china)
	}

	objects := []store.Object{
		listObject(t, alone, 0,
			ListedAccount{ID: "444400000001", Name: "explicit", State: "ACTIVE"},
			ListedAccount{ID: "444400000002", Name: "two", State: "ACTIVE"},
			ListedAccount{ID: "444400000003", Name: "three", State: "SUSPENDED"},
			ListedAccount{ID: "444400000004", Name: "four", State: "ACTIVE"},
			ListedAccount{ID: "444400000005", Name: "five", State: "ACTIVE", Management: true},
			ListedAccount{ID: "444400000006", Name: "six", State: "SOMETHING_NEW"},
		),
		listObject(t, alone, 1,
			ListedAccount{ID: "444400000002", Name: "of both", State: "ACTIVE"},
			ListedAccount{ID: "444400000009", Name: "nine", State: "ACTIVE"},
			ListedAccount{ID: "444400000011", Name: "eleven", State: "ACTIVE"},
		),
	}
	loaded, err := Parse("f", []byte(withOrganization), Env{}, objects...)
	if err != nil {
		t.Fatal(err)
	}
	want := []fleet.Scope{
		{Account: "444400000001", Region: "eu-west-1"},
		{Account: "444400000002", Region: "eu-central-1"},
		{Account: "444400000002", Region: "us-east-1"},
		{Account: "444400000009", Region: "cn-north-1"},
	}
	if d := cmp.Diff(want, loaded.Scopes); d != "" {
		t.Errorf("scopes:\n%s", d)
	}
	two, nine := loaded.Accounts[1], loaded.Accounts[2]
	if two.Role != "arn:aws:iam::444400000002:role/ops/dayshift" || two.ExternalID.Reveal() != "between-us" || two.Name != "two" || two.SessionName != "dayshift" {
		t.Errorf("two: %+v", two)
	}
	if nine.Role != "arn:aws-cn:iam::444400000009:role/dayshift" || nine.Profile != "china" || nine.ExternalID.Reveal() != "" {
		t.Errorf("nine: %+v", nine)
	}
	if len(loaded.Warnings) != 1 || !strings.Contains(loaded.Warnings[0].Error(), `"444400000010" is not among the accounts of the organization`) {
		t.Errorf("warnings: %v", loaded.Warnings)
	}

	// It is another configuration, and says which account is new and where from.
	if loaded.Same(alone) {
		t.Error("an account that joined changes nothing")
	}
	diff := strings.Join(alone.Diff(loaded), "\n")
	if want := `organizations[0].accounts.444400000002: arn:aws:iam::444400000002:role/ops/dayshift (new)`; !strings.Contains(diff, want) || strings.Contains(diff, "between-us") {
		t.Errorf("diff:\n%s", diff)
	}
	if origin := loaded.Origin("organizations[0].accounts.444400000002").String(); origin != "the accounts of shop" {
		t.Errorf("origin %q", origin)
	}
	// When a list was made changes nothing.
	objects[0].Changed = time.Now()
	if again, err := Parse("f", []byte(withOrganization), Env{}, objects...); err != nil || !again.Same(loaded) {
		t.Errorf("the same again: %v", err)
	}
}

func TestListsThatCanNotBeReadAreNone(t *testing.T) {
	alone, err := Parse("f", []byte(withOrganization), Env{})
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{`[]`, `"x"`, `{"accounts":[{"id":"12","state":"ACTIVE"}]}`, `{"accounts":[{}]}`, ``} {
		object := store.Object{Kind: store.AccountListObject, Name: alone.Directories[0].Key, Spec: json.RawMessage(spec), Version: 1}
		loaded, err := Parse("f", []byte(withOrganization), Env{}, object)
		if err != nil || loaded.Directories[0].List != nil || !loaded.Same(alone) {
			t.Errorf("%s: %v, %+v", spec, err, loaded.Directories[0].List)
		}
	}
}

func TestAListBelongsToTheQuestion(t *testing.T) {
	key := func(text string) string {
		t.Helper()
		loaded, err := Parse("f", []byte(text), Env{})
		if err != nil {
			t.Fatal(err)
		}
		return loaded.Directories[0].Key
	}
	const base = "organizations: [{regions: [us-east-1], units: [r-ab12, ou-ab12-cd345678]"
	first := key(base + "}]")
	for _, same := range []string{", name: other", ", refresh: 2h", ", member_role: other", `, exclude: ["111122223333"]`, `, include: ["111122223333"]`, ", session_name: other"} {
		if key(base+same+"}]") != first {
			t.Errorf("%s: another list is asked for", same)
		}
	}
	if key("organizations: [{regions: [us-east-2], units: [ou-ab12-cd345678, r-ab12]}]") != first {
		t.Error("the order of units, or the region, makes another list")
	}
	for _, other := range []string{", role: arn:aws:iam::999988887777:role/reader", ", profile: other", ", exclude: [ou-ab12-ef901234]"} {
		if key(base+other+"}]") == first {
			t.Errorf("%s: the list of another question is taken", other)
		}
	}
	if key("organizations: [{regions: [cn-north-1], units: [r-ab12, ou-ab12-cd345678]}]") == first {
		t.Error("the list of another partition is taken")
	}
}

// An account that joins or leaves must never make a file wrong.
func TestRulesMayNameAccountsOfOrganizations(t *testing.T) {
	const rule = `
rules:
  nightly: {expression: rate(1 day), action: stop, filters: name=x, accounts: ["444400000002"], regions: [us-east-1]}
`
	alone, err := Parse("f", []byte(withOrganization+rule), Env{})
	if err != nil {
		t.Fatal(err)
	}
	if len(alone.Warnings) != 0 {
		t.Errorf("warned although nothing is known yet: %v", alone.Warnings)
	}
	lists := []store.Object{listObject(t, alone, 0, ListedAccount{ID: "444400000002", State: "CLOSED"}), listObject(t, alone, 1, ListedAccount{ID: "444400000009", State: "ACTIVE"}, ListedAccount{ID: "444400000010", State: "ACTIVE"})}
	closed, err := Parse("f", []byte(withOrganization+rule), Env{}, lists...)
	if err != nil {
		t.Fatal(err)
	}
	if len(closed.Warnings) != 1 || !strings.Contains(closed.Warnings[0].Error(), `rules.nightly.accounts[0]: "444400000002" is not an account that is known now`) {
		t.Errorf("warnings: %v", closed.Warnings)
	}
	for text, says := range map[string]string{
		strings.Replace(rule, `"444400000002"`, "12", 1):             "is not an account of this configuration",
		strings.Replace(rule, "us-east-1", "ap-south-1", 1):          "is not a region of the rule's accounts",
		strings.Replace(rule, `"444400000002"`, `"444400000001"`, 1): "is not a region of the rule's accounts", // its entry has eu-west-1 alone
	} {
		if _, err := Parse("f", []byte(withOrganization+text), Env{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s\n%v\ndoes not say %q", text, err, says)
		}
	}
}
