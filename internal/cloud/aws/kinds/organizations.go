package kinds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// The operations of AWS Organizations that are needed.
const (
	listAccounts      Operation = "organizations:ListAccounts"
	listAccountsBelow Operation = "organizations:ListAccountsForParent"
	listUnitsBelow    Operation = "organizations:ListOrganizationalUnitsForParent"
)

// OrganizationPermissions are what whoever asks for the accounts of an
// organization needs; IAM knows no narrower resources for the first, and units are made every day.
var OrganizationPermissions = []Permission{
	{Action: listAccounts, For: "list the accounts of the organization", Resource: "*"},
	{Action: listAccountsBelow, For: "list the accounts of organizational units", Resource: "*", Optional: true},
	{Action: listUnitsBelow, For: "find the units below organizational units", Resource: "*", Optional: true},
}

const (
	// organizationPage is the largest page of the listings.
	organizationPage = 20
	// maxUnits ends a walk that never ends: an organization has some thousand units at most, five deep.
	maxUnits = 10_000
	// maxAccountName is AWS's bound on an account's name, with room.
	maxAccountName = 256
)

// ActiveMember is the state of an account that can be used.
const ActiveMember = "ACTIVE"

// Member is an account of an organization as its listing showed it.
type Member struct {
	ID   fleet.AccountID
	Name string
	// State is where it is in its life: ActiveMember, SUSPENDED, PENDING_CLOSURE, CLOSED, PENDING_ACTIVATION.
	State string
	// Management: it is the account that the organization belongs to.
	Management bool
}

// Organization is AWS Organizations, asked as one of those who may.
type Organization struct {
	Env
	all   func(context.Context, *organizations.ListAccountsInput, ...func(*organizations.Options)) (*organizations.ListAccountsOutput, error)
	below func(context.Context, *organizations.ListAccountsForParentInput, ...func(*organizations.Options)) (*organizations.ListAccountsForParentOutput, error)
	units func(context.Context, *organizations.ListOrganizationalUnitsForParentInput, ...func(*organizations.Options)) (*organizations.ListOrganizationalUnitsForParentOutput, error)
}

// OpenOrganization prepares the listing of accounts. It makes no call.
func OpenOrganization(env Env) *Organization {
	client := organizations.NewFromConfig(env.SDK)
	return &Organization{Env: env, all: client.ListAccounts, below: client.ListAccountsForParent, units: client.ListOrganizationalUnitsForParent}
}

// Members returns the accounts in and below the units (roots or organizational
// units; none: of the whole organization) without those in and below the units
// of except, ordered by ID: all of them, whatever their state, or an error.
func (o *Organization) Members(ctx context.Context, units, except []string) ([]Member, error) {
	found := map[fleet.AccountID]Member{}
	if len(units) == 0 {
		if err := o.list(ctx, found); err != nil {
			return nil, fmt.Errorf("list the accounts of the organization: %w", err)
		}
	} else if err := o.walk(ctx, units, found); err != nil {
		return nil, err
	}
	if len(except) > 0 {
		out := map[fleet.AccountID]Member{}
		if err := o.walk(ctx, except, out); err != nil {
			return nil, err
		}
		for id := range out {
			delete(found, id)
		}
	}
	list := make([]Member, 0, len(found))
	for _, member := range found {
		list = append(list, member)
	}
	slices.SortFunc(list, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// list adds every account of the organization. A page may be empty and more may follow.
func (o *Organization) list(ctx context.Context, into map[fleet.AccountID]Member) error {
	return pages(ctx, o.Read, listAccounts, "list the accounts of the organization", func(ctx context.Context, token *string) (*organizations.ListAccountsOutput, error) {
		page, err := o.all(ctx, &organizations.ListAccountsInput{MaxResults: sdk.Int32(organizationPage), NextToken: token})
		if err == nil && page.Accounts == nil {
			err = errNoAccounts
		}
		return page, err
	}, func(page *organizations.ListAccountsOutput) (*string, error) {
		return page.NextToken, gather(page.Accounts, into)
	})
}

var errNoAccounts = errors.New("the answer holds no Accounts")

// walk adds the accounts in and below units.
func (o *Organization) walk(ctx context.Context, units []string, into map[fleet.AccountID]Member) error {
	seen := map[string]bool{}
	for queue := slices.Clone(units); len(queue) > 0; queue = queue[1:] {
		unit := queue[0]
		if seen[unit] {
			continue
		}
		if len(seen) == maxUnits {
			return fmt.Errorf("list the accounts of the organization: more than %d units: %w", maxUnits, cloud.ErrTransient)
		}
		seen[unit] = true
		if err := o.accountsOf(ctx, unit, into); err != nil {
			return fmt.Errorf("list the accounts of %s: %w", unit, err)
		}
		children, err := o.unitsOf(ctx, unit)
		if err != nil {
			return fmt.Errorf("list the units of %s: %w", unit, err)
		}
		queue = append(queue, children...)
	}
	return nil
}

func (o *Organization) accountsOf(ctx context.Context, unit string, into map[fleet.AccountID]Member) error {
	return pages(ctx, o.Read, listAccountsBelow, "list the accounts of "+unit, func(ctx context.Context, token *string) (*organizations.ListAccountsForParentOutput, error) {
		page, err := o.below(ctx, &organizations.ListAccountsForParentInput{ParentId: &unit, MaxResults: sdk.Int32(organizationPage), NextToken: token})
		if err == nil && page.Accounts == nil {
			err = errNoAccounts
		}
		return page, err
	}, func(page *organizations.ListAccountsForParentOutput) (*string, error) {
		return page.NextToken, gather(page.Accounts, into)
	})
}

func (o *Organization) unitsOf(ctx context.Context, unit string) ([]string, error) {
	var children []string
	err := pages(ctx, o.Read, listUnitsBelow, "list the units of "+unit, func(ctx context.Context, token *string) (*organizations.ListOrganizationalUnitsForParentOutput, error) {
		page, err := o.units(ctx, &organizations.ListOrganizationalUnitsForParentInput{ParentId: &unit, MaxResults: sdk.Int32(organizationPage), NextToken: token})
		if err == nil && page.OrganizationalUnits == nil {
			err = errors.New("the answer holds no OrganizationalUnits")
		}
		return page, err
	}, func(page *organizations.ListOrganizationalUnitsForParentOutput) (*string, error) {
		for i := range page.OrganizationalUnits {
			id := sdk.ToString(page.OrganizationalUnits[i].Id)
			if id == "" {
				return nil, fmt.Errorf("a unit without an ID: %w", cloud.ErrTransient)
			}
			children = append(children, id)
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	return children, nil
}

// gather adds the accounts of a page. One that can not be read makes the listing
// an error: without it, it would count as gone.
func gather(page []types.Account, into map[fleet.AccountID]Member) error {
	for i := range page {
		account := &page[i]
		id, err := fleet.ParseAccountID(sdk.ToString(account.Id))
		if err != nil {
			return fmt.Errorf("read the answer: %w (%w)", err, cloud.ErrTransient)
		}
		// AWS took Status back in favour of State in September 2026; servers of before know the first alone.
		state := cmp.Or(string(account.State), string(account.Status))
		if state == "" {
			return fmt.Errorf("account %s: the answer does not tell its state: %w", id, cloud.ErrTransient)
		}
		name := sdk.ToString(account.Name)
		into[id] = Member{
			ID: id, Name: strings.ToValidUTF8(name[:min(len(name), maxAccountName)], ""), State: state,
			Management: managementOf(sdk.ToString(account.Arn)) == string(id),
		}
	}
	return nil
}

// managementOf reads the management account out of an account's ARN, which
// belongs to that: arn:aws:organizations::MANAGEMENT:account/o-…/ID.
func managementOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[2] != "organizations" {
		return ""
	}
	return parts[4]
}

// Probe tries to list accounts: those of the organization, or of the first unit.
func (o *Organization) Probe(ctx context.Context, units []string) cloud.Finding {
	if len(units) == 0 {
		err := o.Read(ctx, listAccounts, func(ctx context.Context) error {
			_, err := o.all(ctx, &organizations.ListAccountsInput{MaxResults: sdk.Int32(1)})
			return err
		})
		return probeFinding(say.Word("list the accounts of the organization"), listAccounts, err)
	}
	for _, unit := range units {
		err := o.Read(ctx, listAccountsBelow, func(ctx context.Context) error {
			_, err := o.below(ctx, &organizations.ListAccountsForParentInput{ParentId: &unit, MaxResults: sdk.Int32(1)})
			return err
		})
		if err != nil {
			return probeFinding(say.F("list the accounts of %s", unit), listAccountsBelow, err)
		}
		err = o.Read(ctx, listUnitsBelow, func(ctx context.Context) error {
			_, err := o.units(ctx, &organizations.ListOrganizationalUnitsForParentInput{ParentId: &unit, MaxResults: sdk.Int32(1)})
			return err
		})
		if err != nil {
			return probeFinding(say.F("list the units of %s", unit), listUnitsBelow, err)
		}
	}
	return probeFinding(say.Word("list the accounts of the organizational units"), listAccountsBelow, nil)
}
