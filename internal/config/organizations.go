package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// Patterns of AWS Organizations and IAM. The schema repeats them.
const (
	patternUnit       = `^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$`
	patternExcluded   = `^([0-9]{12}|r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$`
	patternMemberRole = `^([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}$`
)

// maxMemberRole is IAM's bound on a role's path and name together.
const maxMemberRole = 512

var (
	unitPattern       = regexp.MustCompile(patternUnit)
	memberRolePattern = regexp.MustCompile(patternMemberRole)
)

// ActiveAccount is the state of an account of an organization that can be used.
const ActiveAccount = "ACTIVE"

// Directory is an organization of the file, ready to be asked for its accounts.
type Directory struct {
	Name        string // for people: its name, or its place in the file
	Role        string // empty: the credentials at hand
	ExternalID  Secret
	Profile     string
	SessionName string
	Partition   fleet.Partition
	// Units and Except are roots and organizational units: whose accounts are
	// meant (none: all) and whose are not, each with all below it.
	Units, Except []string
	Refresh       time.Duration
	// Key tells lists apart: whoever is asked otherwise or for other units has another.
	Key string
	// List is the last good list; nil where there is none yet.
	List *AccountList
}

// AccountList is the last good list of an organization's accounts. Its JSON form is what a store keeps.
type AccountList struct {
	Organization string `json:"organization"` // for people
	// Checked is when AWS last gave a list, whole and believed.
	Checked  time.Time       `json:"checked"`
	Accounts []ListedAccount `json:"accounts"`
	// Doubt is when AWS gave a list that lacks so many of Accounts that the next
	// one has to confirm it; zero: there is no doubt.
	Doubt time.Time `json:"doubt,omitzero"`
}

// ListedAccount is an account as an organization listed it.
type ListedAccount struct {
	ID         fleet.AccountID `json:"id"`
	Name       string          `json:"name,omitempty"`
	State      string          `json:"state"`
	Management bool            `json:"management,omitempty"`
}

// listsAmong finds the lists of accounts among objects, by their keys. What can not be read as one is none.
func listsAmong(objects []store.Object) map[string]*AccountList {
	lists := map[string]*AccountList{}
	for _, o := range objects {
		if o.Kind != store.AccountListObject {
			continue
		}
		if list, err := ReadAccountList(o.Spec); err == nil {
			lists[o.Name] = list
		}
	}
	return lists
}

// ReadAccountList reads a list as a store keeps it. It refuses what no listing gives.
func ReadAccountList(spec json.RawMessage) (*AccountList, error) {
	var list AccountList
	if err := json.Unmarshal(spec, &list); err != nil {
		return nil, fmt.Errorf("read a list of accounts: %w", err)
	}
	for _, account := range list.Accounts {
		if _, err := fleet.ParseAccountID(string(account.ID)); err != nil {
			return nil, fmt.Errorf("read a list of accounts: %w", err)
		}
	}
	return &list, nil
}

// organizations checks the organizations of the file.
func (b *builder) organizations() {
	for i := range b.c.Organizations {
		o := &b.c.Organizations[i]
		path := index("organizations", i)
		if b.unread(path) && o.Role == "" && len(o.Regions) == 0 {
			continue
		}
		// What it shares with an account is checked as one.
		reader := Account{Role: o.Role, Regions: o.Regions, ExternalID: o.ExternalID, Profile: o.Profile, SessionName: o.SessionName}
		b.role(path, &reader)
		b.regions(path, &reader)
		reader.Role = cmp.Or(o.Role, o.MemberRole)
		b.externalID(path, &reader, b.env)
		o.ExternalID = reader.ExternalID
		if !sessionPattern.MatchString(o.SessionName) {
			b.faultAt(path+".session_name", Fault{Text: o.SessionName, Problem: say.F("is not a session name"), Allowed: say.F("2 to 64 letters, digits and _ + = , . @ -")})
		}
		if problem := badNote(o.Name, maxTagValue); !problem.Empty() {
			b.faultAt(path+".name", Fault{Text: o.Name, Problem: problem})
		}
		if _, written := b.at[path+".profile"]; written {
			if problem := badTagText(o.Profile, maxProfile); !problem.Empty() {
				b.faultAt(path+".profile", Fault{Text: o.Profile, Problem: problem, Allowed: say.F("the name of a profile in ~/.aws/config")})
			}
		}
		if !memberRolePattern.MatchString(o.MemberRole) || len(o.MemberRole) > maxMemberRole {
			f := Fault{Text: o.MemberRole, Problem: say.F("is not the name of a role"), Allowed: say.F("a name such as dayshift, or a path and a name such as ops/dayshift")}
			if parts := rolePattern.FindStringSubmatch(o.MemberRole); parts != nil {
				f.Problem, f.Fix = say.F("is the role of one account"), say.F("write its name alone: %s", o.MemberRole[strings.Index(o.MemberRole, ":role/")+len(":role/"):])
			}
			b.faultAt(path+".member_role", f)
		}
		units := b.units(path+".units", o.Units, false)
		b.accountIDs(path+".include", o.Include)
		except := b.units(path+".exclude", o.Exclude, true)
		for n, id := range o.Exclude {
			if at := slices.Index(o.Include, fleet.AccountID(id)); at >= 0 && slices.Index(o.Exclude, id) == n {
				b.faultAt(index(path+".exclude", n), Fault{Text: id, Problem: say.F("is included as well, %s", b.at[index(path+".include", at)].words()), Fix: say.F("remove one of the two")})
			}
			if at := slices.Index(units, id); at >= 0 {
				b.faultAt(index(path+".exclude", n), Fault{Text: id, Problem: say.F("is one of the units as well, %s", b.at[index(path+".units", slices.Index(o.Units, id))].words()), Fix: say.F("remove one of the two")})
			}
		}
		d := Directory{
			Name: cmp.Or(o.Name, path), Role: o.Role, ExternalID: o.ExternalID, Profile: o.Profile, SessionName: o.SessionName, Partition: partitionOf(&reader),
			Units: units, Except: except, Refresh: time.Duration(o.Refresh),
		}
		d.Key = d.key()
		d.List = b.lists[d.Key]
		b.l.Directories = append(b.l.Directories, d)
	}
}

// key is the same for those that are asked the same in the same way.
func (d *Directory) key() string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%q %q %q %q %q", d.Partition, d.Role, d.Profile, slices.Sorted(slices.Values(d.Units)), slices.Sorted(slices.Values(d.Except)))
	return hex.EncodeToString(hash.Sum(nil))
}

// units checks a list of roots and organizational units, and accounts among them where they may be, and gives the units.
func (b *builder) units(path string, list []string, accounts bool) []string {
	var units []string
	for i, id := range list {
		at := index(path, i)
		f := Fault{Text: id, Problem: say.F("is no organizational unit"), Allowed: say.F("the ID of a unit such as ou-ab12-cd345678, or of the root such as r-ab12")}
		if accounts {
			f.Problem, f.Allowed = say.F("is neither an account nor an organizational unit"), say.F("an account ID of twelve digits, in quotes, or the ID of a unit such as ou-ab12-cd345678")
		}
		_, err := fleet.ParseAccountID(id)
		switch {
		case b.unread(at):
			continue
		case slices.Contains(list[:i], id):
			f = Fault{Text: id, Problem: say.F("is given twice"), Fix: say.F("remove one of the two")}
		case unitPattern.MatchString(id):
			units = append(units, id)
			continue
		case err == nil && accounts:
			continue
		case err == nil:
			f.Fix = say.F("name accounts under include, or under accounts at the top of the file")
		case strings.HasPrefix(id, "o-"):
			f.Fix = say.F("that is the whole organization: remove the line")
		default:
			f.Fix = fixAccount(id)
		}
		b.faultAt(at, f)
	}
	return units
}

func (b *builder) accountIDs(path string, list []fleet.AccountID) {
	for i, id := range list {
		at := index(path, i)
		_, err := fleet.ParseAccountID(string(id))
		switch {
		case b.unread(at):
		case err != nil:
			b.faultAt(at, Fault{Text: string(id), Problem: say.F("is not an AWS account ID"), Allowed: say.F(`exactly twelve digits, in quotes, such as "111122223333"`), Fix: fixAccount(string(id))})
		case slices.Contains(list[:i], id):
			b.faultAt(at, Fault{Text: string(id), Problem: say.F("is given twice"), Fix: say.F("remove one of the two")})
		}
	}
}

// discovered adds to the accounts of the file those that the lists of
// organizations have. An entry of the file goes before, and so does an organization above.
func (b *builder) discovered() {
	b.l.Accounts = slices.Clone(b.c.Accounts)
	known := map[fleet.AccountID]bool{}
	for _, a := range b.c.Accounts {
		known[a.ID] = true
	}
	for i, d := range b.l.Directories {
		o, path := &b.c.Organizations[i], index("organizations", i)
		if d.List == nil {
			continue
		}
		src := newSource("the accounts of "+d.Name, ofObject)
		found := map[fleet.AccountID]bool{}
		for _, account := range d.List.Accounts {
			found[account.ID] = true
			if !o.takes(account) || known[account.ID] {
				continue
			}
			known[account.ID] = true
			role := fmt.Sprintf("arn:%s:iam::%s:role/%s", d.Partition, account.ID, o.MemberRole)
			b.l.Accounts = append(b.l.Accounts, Account{
				ID: account.ID, Name: account.Name, Role: role, ExternalID: o.ExternalID, Profile: o.Profile, Regions: o.Regions, SessionName: o.SessionName,
			})
			at := join(path+".accounts", string(account.ID))
			b.at[at], b.found[at] = spot{src: src}, role
		}
		for n, id := range o.Include {
			if !found[id] {
				b.warnAt(index(path+".include", n), Fault{Text: string(id), Problem: say.F("is not among the accounts of the organization"), Fix: say.F("correct it, or wait until the next look")})
			}
		}
	}
}

// listed reports whether every organization has been asked for its accounts.
func (b *builder) listed() bool {
	return !slices.ContainsFunc(b.l.Directories, func(d Directory) bool { return d.List == nil })
}

// takes reports whether an account of the organization is looked after. Its
// management account is not: what makes roles in all accounts makes none there.
func (o *Organization) takes(account ListedAccount) bool {
	return account.State == ActiveAccount && !account.Management && !slices.Contains(o.Exclude, string(account.ID)) &&
		(len(o.Include) == 0 || slices.Contains(o.Include, account.ID))
}
