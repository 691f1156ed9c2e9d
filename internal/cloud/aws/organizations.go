package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Organization is an organization of AWS Organizations, and how to ask it for
// its accounts: from its management account or from one that is a delegated
// administrator of any service.
type Organization struct {
	// RoleARN is the role to assume in such an account. Empty: the credentials at hand are of one.
	RoleARN string
	// ExternalID, SessionName, Profile and Credentials are as of Account.
	ExternalID  string
	SessionName string
	Profile     string
	Credentials Credentials
	Partition   fleet.Partition
	// Units are the roots and organizational units whose accounts are meant, with
	// all below them; none: the whole organization. Those in and below Except are not.
	Units, Except []string
}

// Member is an account of an organization.
type Member = kinds.Member

// ActiveMember is the state of a Member that can be used.
const ActiveMember = kinds.ActiveMember

// organizationHomes are the regions of the one endpoint that Organizations has in each partition.
// https://docs.aws.amazon.com/general/latest/gr/ao.html
var organizationHomes = map[fleet.Partition]fleet.Region{fleet.AWS: "us-east-1", fleet.AWSChina: "cn-northwest-1", fleet.AWSGov: "us-gov-west-1"}

// atHandOrganization stands in a scope for the account of credentials at hand, which nobody names.
const atHandOrganization fleet.AccountID = "organization"

var parentPattern = regexp.MustCompile(`^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$`)

// Scope is where the organization is asked.
func (o Organization) Scope() fleet.Scope {
	scope := fleet.Scope{Account: atHandOrganization, Region: organizationHomes[o.Partition]}
	if part := rolePattern.FindStringSubmatch(o.RoleARN); part != nil {
		scope.Account = fleet.AccountID(part[2])
	}
	return scope
}

func (o Organization) validate(i int) error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("organization %d: "+format, append([]any{i + 1}, args...)...))
	}
	if organizationHomes[o.Partition] == "" {
		fault("partition %q: must be aws, aws-cn or aws-us-gov", o.Partition)
	}
	for _, id := range append(append([]string(nil), o.Units...), o.Except...) {
		if !parentPattern.MatchString(id) {
			fault("unit %q: expected r-… or ou-…-…", id)
		}
	}
	if o.RoleARN != "" {
		reader := Account{ID: o.Scope().Account, RoleARN: o.RoleARN, ExternalID: o.ExternalID, SessionName: o.SessionName, Regions: []fleet.Region{organizationHomes[o.Partition]}}
		faults = append(faults, reader.Validate())
	}
	return errors.Join(faults...)
}

// openReaders prepares the accounts from which organizations are asked.
func (c *Cloud) openReaders(shared map[string]*baseConfig) {
	for _, o := range c.config.Organizations {
		scope := o.Scope()
		a := Account{
			RoleARN: o.RoleARN, SessionName: cmp.Or(o.SessionName, DefaultSessionName), Regions: []fleet.Region{scope.Region},
			Profile: o.Profile, Credentials: o.Credentials,
		}
		if o.RoleARN != "" { // whose the credentials at hand are, the organization itself tells
			a.ID, a.ExternalID = scope.Account, o.ExternalID
		}
		c.readers = append(c.readers, &account{Account: a, cloud: c, base: c.base(a, shared), turn: make(chan struct{}, 1)})
	}
}

// openOrganization returns an organization of the configuration, with credentials that are good.
func (c *Cloud) openOrganization(ctx context.Context, i int) (*kinds.Organization, error) {
	if i < 0 || i >= len(c.readers) {
		return nil, fmt.Errorf("organization %d is not configured: %w", i+1, cloud.ErrInvalid)
	}
	reader := c.readers[i]
	if _, err := reader.credentials(ctx); err != nil {
		return nil, err
	}
	shared, err := reader.base.load(ctx)
	if err != nil {
		return nil, err
	}
	return kinds.OpenOrganization(c.env(reader, c.config.Organizations[i].Scope(), shared)), nil
}

// Members returns the accounts of an organization of the configuration, whatever
// their state, ordered by ID: all of them, or an error.
func (c *Cloud) Members(ctx context.Context, i int) ([]Member, error) {
	organization, err := c.openOrganization(ctx, i)
	if err != nil {
		return nil, err
	}
	o := c.config.Organizations[i]
	members, err := organization.Members(ctx, o.Units, o.Except)
	if errors.Is(err, cloud.ErrUnauthorized) {
		return nil, fmt.Errorf("%w; only the management account and delegated administrators may ask", err)
	}
	return members, err
}

// ProbeOrganization finds out what works of asking an organization of the configuration.
func (c *Cloud) ProbeOrganization(ctx context.Context, i int) []cloud.Finding {
	organization, err := c.openOrganization(ctx, i)
	if i < 0 || i >= len(c.readers) {
		return []cloud.Finding{{Ability: say.Word("find the organization"), Detail: say.Of(err)}}
	}
	findings := []cloud.Finding{c.readers[i].probe(ctx)}
	if err != nil || !findings[0].OK {
		return findings
	}
	return append(findings, organization.Probe(ctx, c.config.Organizations[i].Units))
}
