package awssim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Organization makes the accounts that a fleet lists members of an organization
// of AWS Organizations: those of its management account's partition, but for
// ones whose unit is none.
type Organization struct {
	ID         string `yaml:"id,omitempty"` // o- and 10 to 32 letters and digits; default made up
	Management string `yaml:"management"`
	// Delegated are members that may list as the management account may.
	Delegated []string `yaml:"delegated,omitempty"`
	Root      string   `yaml:"root,omitempty"` // default r-sim1
	Units     []Unit   `yaml:"units,omitempty"`
}

// Unit is an organizational unit.
type Unit struct {
	ID     string `yaml:"id"` // ou-, what follows r- in the root's id, a hyphen and 8 to 32 letters and digits
	Name   string `yaml:"name,omitempty"`
	Parent string `yaml:"parent,omitempty"` // a unit or the root, which is the default
}

// outside is the unit of an account that belongs to no organization.
const outside = "none"

// defaultRoot is the id of a root that a fleet does not name.
const defaultRoot = "r-sim1"

var (
	organizationForm = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)
	rootForm         = regexp.MustCompile(`^r-[0-9a-z]{4,32}$`)
	unitForm         = regexp.MustCompile(`^ou-([0-9a-z]{4,32})-[a-z0-9]{8,32}$`)
)

// accountStates are the states of an account's life, as ListAccounts shows them.
var accountStates = []string{"ACTIVE", "PENDING_ACTIVATION", "SUSPENDED", "PENDING_CLOSURE", "CLOSED"}

func organizationsService() *service {
	return &service{
		name: "organizations", version: "2016-11-28", protocol: awsJSON, namespace: "AWSOrganizationsV20161128",
		words: map[string]string{ //nolint:gosec // names of refusals, no credentials
			"InvalidNextToken": "InvalidInputException", "InvalidParameterCombination": "InvalidInputException", "InvalidParameterValue": "InvalidInputException",
			"MissingParameter": "InvalidInputException", "UnknownParameter": "InvalidInputException", "Throttling": "TooManyRequestsException",
		},
		actions: map[string]*action{
			"ListAccounts":                     does(read, "MaxResults NextToken", "", listAccounts),
			"ListAccountsForParent":            does(read, "ParentId MaxResults NextToken", "ParentId", listAccountsForParent),
			"ListOrganizationalUnitsForParent": does(read, "ParentId MaxResults NextToken", "ParentId", listUnitsForParent),
			"ListRoots":                        does(read, "MaxResults NextToken", "", listRoots),
			"DescribeOrganization":             does(read, "", "", describeOrganization),
		},
	}
}

func (o *Organization) check(bad func(field, format string, args ...any), accounts []Account) {
	listed := func(id string) bool {
		return slices.ContainsFunc(accounts, func(a Account) bool { return a.ID == id && a.Unit != outside })
	}
	if o.ID != "" && !organizationForm.MatchString(o.ID) {
		bad("id", "%q is not the id of an organization: o- and 10 to 32 small letters and digits", o.ID)
	}
	if !listed(o.Management) {
		bad("management", "%q is not one of the accounts of the file", o.Management)
	}
	for i, id := range o.Delegated {
		if !listed(id) {
			bad(fmt.Sprintf("delegated[%d]", i), "%q is not one of the accounts of the file", id)
		}
	}
	root := cmp.Or(o.Root, defaultRoot)
	if !rootForm.MatchString(root) {
		bad("root", "%q is not the id of a root: r- and 4 to 32 small letters and digits", o.Root)
	}
	known := []string{root}
	for i, u := range o.Units {
		field := fmt.Sprintf("units[%d].", i)
		part := unitForm.FindStringSubmatch(u.ID)
		switch {
		case len(part) == 0 || "r-"+part[1] != root:
			bad(field+"id", "%q is not the id of a unit below %s: ou-%s- and 8 to 32 small letters and digits", u.ID, root, strings.TrimPrefix(root, "r-"))
		case slices.Contains(known, u.ID):
			bad(field+"id", "unit %s is listed twice", u.ID)
		}
		if !slices.Contains(known, cmp.Or(u.Parent, root)) {
			bad(field+"parent", "%q is neither the root nor a unit listed above", u.Parent)
		}
		known = append(known, u.ID)
	}
}

// checkMember checks what an account says of its place in the organization. A
// fleet that is added to a simulator may leave the organization to what is there.
func (a *Account) checkMember(bad func(field, format string, args ...any), o *Organization) {
	if a.State != "" && !slices.Contains(accountStates, a.State) {
		bad("state", "%q is not known: %s", a.State, strings.Join(accountStates, ", "))
	}
	switch {
	case a.Unit == "" || a.Unit == outside:
	case !rootForm.MatchString(a.Unit) && !unitForm.MatchString(a.Unit):
		bad("unit", "%q is no unit (ou-…), no root (r-…) and not none", a.Unit)
	case o != nil && a.Unit != cmp.Or(o.Root, defaultRoot) && !slices.ContainsFunc(o.Units, func(u Unit) bool { return u.ID == a.Unit }):
		bad("unit", "%q is not a unit of the organization", a.Unit)
	}
}

// members gives the accounts of the organization that keep accepts, ordered by id; the cloud's lock is held.
func (c *Cloud) members(keep func(*account) bool) []*account {
	var out []*account
	for _, a := range c.accounts {
		if c.isMemberAccount(a) && keep(a) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b *account) int { return strings.Compare(a.id, b.id) })
	return out
}

func (c *Cloud) isMemberAccount(a *account) bool {
	return c.organization != nil && a.declared && a.unit != outside && cmp.Or(a.partition, "aws") == c.organizationPartition()
}

func (c *Cloud) organizationPartition() string {
	if a := c.accounts[c.organization.Management]; a != nil && a.partition != "" {
		return a.partition
	}
	return "aws"
}

// parentOf is the unit of a member; the cloud's lock is held.
func (c *Cloud) parentOf(a *account) string { return cmp.Or(a.unit, c.organization.Root) }

// mayList refuses whoever may not ask about the organization; the cloud's lock is
// held. Requests are signed for any region of the partition: a client whose
// endpoint is set to a simulator does not know that AWS has one for all.
func (k *call) mayList() *Error {
	o := k.c.organization
	switch {
	case o == nil || !k.c.isMemberAccount(k.who.account):
		return refuse("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
	case k.accountID != o.Management && !slices.Contains(o.Delegated, k.accountID):
		return refuse("AccessDeniedException", "You don't have permissions to access this resource.")
	}
	return nil
}

// checkParent refuses a parent that is none; the cloud's lock is held.
func (k *call) checkParent() *Error {
	id := k.p["ParentId"]
	switch o := k.c.organization; {
	case id == "":
		return refuse("InvalidInputException", "You specified an invalid value: ParentId must not be null.")
	case !rootForm.MatchString(id) && !unitForm.MatchString(id):
		return refuse("InvalidInputException", "You provided a value that does not match the required pattern.")
	case id != o.Root && !slices.ContainsFunc(o.Units, func(u Unit) bool { return u.ID == id }):
		return refuse("ParentNotFoundException", "You specified parent that doesn't exist.")
	}
	return nil
}

// maxOrganizationPage is the largest page of a listing, and the default.
const maxOrganizationPage = 20

// organizationPage answers with one page of n things.
func (k *call) organizationPage(w *xw, n int, list string, one func(i int) (id, name string, shown any)) *Error {
	from, to, next, e := k.window(n, maxOrganizationPage, 1, maxOrganizationPage)
	if e != nil {
		return e
	}
	if k.strikes(FaultShortPages, "", "") != nil && to > from {
		to = from + int(hash(k.c.seed, "short", k.log.RequestID)%uint64(to-from))
		next = k.token("NextToken", uint64(to))
	}
	if k.p.has("NextToken") && k.strikes(FaultTokenLoop, "", "") != nil {
		next = k.p["NextToken"]
	}
	shown := []any{}
	for i := from; i < to; i++ {
		id, name, item := one(i)
		if k.strikes(FaultMissing, id, name) != nil {
			continue
		}
		shown = append(shown, item)
		if k.strikes(FaultDuplicate, id, name) != nil {
			shown = append(shown, item)
		}
	}
	k.log.Items = len(shown)
	answer := map[string]any{list: shown}
	if next != "" {
		answer["NextToken"] = next
	}
	return writeAnswer(w, answer)
}

func writeAnswer(w *xw, answer any) *Error {
	b, err := json.Marshal(answer)
	if err != nil {
		return refuse("InternalServerError", "%v", err)
	}
	w.raw(string(b))
	return nil
}

// memberShown is an account as listings show it.
type memberShown struct {
	ID              string `json:"Id"`
	ARN             string `json:"Arn"`
	Name            string
	Email           string
	State           string
	JoinedMethod    string
	JoinedTimestamp float64
}

func (k *call) listMembers(w *xw, keep func(*account) bool) *Error {
	k.c.mu.RLock()
	defer k.c.mu.RUnlock()
	if e := k.mayList(); e != nil {
		return e
	}
	if k.act.takes["ParentId"] {
		if e := k.checkParent(); e != nil {
			return e
		}
	}
	o := k.c.organization
	list := k.c.members(keep)
	return k.organizationPage(w, len(list), "Accounts", func(i int) (string, string, any) {
		a := list[i]
		name := cmp.Or(a.name, "account-"+a.id)
		return a.id, name, memberShown{
			ID: a.id, ARN: k.c.organizationARN("account", o.ID+"/"+a.id), Name: name, Email: "aws+" + a.id + "@example.com",
			State: cmp.Or(a.state, "ACTIVE"), JoinedMethod: "CREATED", JoinedTimestamp: float64(k.c.start.Add(-defaultAge).Unix()),
		}
	})
}

// organizationARN names something of the organization; the cloud's lock is held.
func (c *Cloud) organizationARN(what, name string) string {
	return fmt.Sprintf("arn:%s:organizations::%s:%s/%s", c.organizationPartition(), c.organization.Management, what, name)
}

func listAccounts(k *call, w *xw) *Error {
	return k.listMembers(w, func(*account) bool { return true })
}

func listAccountsForParent(k *call, w *xw) *Error {
	return k.listMembers(w, func(a *account) bool { return k.c.parentOf(a) == k.p["ParentId"] })
}

// placeShown is a unit or root as listings show it.
type placeShown struct {
	ID   string `json:"Id"`
	ARN  string `json:"Arn"`
	Name string
}

func listUnitsForParent(k *call, w *xw) *Error {
	k.c.mu.RLock()
	defer k.c.mu.RUnlock()
	if e := k.mayList(); e != nil {
		return e
	}
	if e := k.checkParent(); e != nil {
		return e
	}
	o := k.c.organization
	var list []Unit
	for _, u := range o.Units {
		if cmp.Or(u.Parent, o.Root) == k.p["ParentId"] {
			list = append(list, u)
		}
	}
	return k.organizationPage(w, len(list), "OrganizationalUnits", func(i int) (string, string, any) {
		u := list[i]
		return u.ID, u.Name, placeShown{u.ID, k.c.organizationARN("ou", o.ID+"/"+u.ID), cmp.Or(u.Name, u.ID)}
	})
}

func listRoots(k *call, w *xw) *Error {
	k.c.mu.RLock()
	defer k.c.mu.RUnlock()
	if e := k.mayList(); e != nil {
		return e
	}
	o := k.c.organization
	return k.organizationPage(w, 1, "Roots", func(int) (string, string, any) {
		return o.Root, "Root", placeShown{o.Root, k.c.organizationARN("root", o.ID+"/"+o.Root), "Root"}
	})
}

func describeOrganization(k *call, w *xw) *Error {
	k.c.mu.RLock()
	defer k.c.mu.RUnlock()
	if e := k.mayList(); e != nil && e.Code != "AccessDeniedException" { // every member may ask
		return e
	}
	o := k.c.organization
	return writeAnswer(w, map[string]any{"Organization": map[string]string{
		"Id": o.ID, "Arn": k.c.organizationARN("organization", o.ID), "FeatureSet": "ALL",
		"MasterAccountId": o.Management, "MasterAccountArn": k.c.organizationARN("account", o.ID+"/"+o.Management),
	}})
}
