// Package kinds knows how each kind of resource is listed, started, stopped,
// changed and tagged over AWS's API: one file per kind and one row per kind in
// the Registry.
//
// A kind declares the few operations it needs as func fields of a client of its
// own, filled with method values of the SDK's client. It never keeps the whole
// client: reached through an interface or reflection, one EC2 client links 30 MB
// of operations that nobody calls.
//
// A kind makes every call through its Env, which waits for room in the rate
// limits, bounds the time, tries reading calls again and translates errors into
// those of package cloud. So nothing here knows an error code or a limit.
//
// Names, tags and messages come from outside and may hold anything; they are
// kept as data and never interpreted.
package kinds

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

// Operation is an operation of AWS's API as IAM names it: ec2:StartInstances.
type Operation string

// Env is what a kind is given to work in one scope.
type Env struct {
	Scope fleet.Scope
	// SDK holds region, credentials and endpoint. Its own retries are off.
	SDK sdk.Config
	// Now is read once at the begin of a listing.
	Now func() time.Time
	// Read makes a call that may be repeated: it waits for room before every
	// attempt and tries again when throttled or on a passing failure.
	Read Caller
	// Once makes a call a single time. It does not wait: the room was reserved.
	Once Caller
	// Write makes a call that changes something and for which no room was
	// reserved: it waits for room, and tries again only when throttled, as nothing was done then.
	Write Caller
}

// Caller makes one call of the operation; its error is one of package cloud's.
type Caller func(ctx context.Context, operation Operation, call func(context.Context) error) error

// Handle is a kind at work in one scope.
type Handle struct {
	// List returns the resources that the query asks for, all of them or an error.
	List func(ctx context.Context, query cloud.Query) ([]fleet.Resource, error)
	// Do makes one call of a verb. It returns the ids that AWS confirmed, nil
	// where the answer of the operation names none.
	Do map[fleet.Verb]func(ctx context.Context, targets []cloud.Target) (confirmed []string, err error)
	// Tag sets and removes (empty value) tags.
	Tag func(ctx context.Context, resources []fleet.Resource, tags map[string]string) error
	// Replace deletes the snapshots that the named one has taken the place of (cloud.SnapshotKeeper); nil where there are none.
	Replace func(ctx context.Context, resource fleet.Resource, snapshot string) error
	// Health tells what AWS's own checks say of running resources (cloud.HealthLister); nil where there are none.
	Health func(ctx context.Context, ids []string) (map[string]cloud.Health, error)
	// Parts names, by the ids of the resources, what they consist of that has metrics of its own; nil where nothing does.
	Parts func(ctx context.Context, resources []fleet.Resource) (map[string][]Dimensions, error)
	// Probe tries each ability without changing anything. tagKey picks an
	// example to try on; it may be empty.
	Probe func(ctx context.Context, tagKey string) []cloud.Finding
}

// Kind is a row of the Registry.
type Kind struct {
	Kind fleet.Kind
	// Title is what people call it, in the plural.
	Title string
	// Verbs says which operation carries out a verb and how many members one
	// call may have.
	Verbs map[fleet.Verb]Verb
	// Permissions are the IAM actions that the kind needs, for the policy in the
	// documentation and for doctor.
	Permissions []Permission
	// Dimensions name a resource in CloudWatch; nil: no metric is one of the kind's.
	Dimensions func(fleet.Resource) []Dimensions
	// TagType is what the Resource Groups Tagging API calls the kind (rds:db); empty
	// where that does not know it, or knowing it is no cheaper than to list.
	TagType string
	// Open prepares the kind for a scope. It makes no call.
	Open func(env Env) Handle
}

// Verb is how a kind carries out a verb.
type Verb struct {
	Operation Operation
	// MaxBatch is how many members AWS takes in one call.
	MaxBatch int
}

// Permission is one IAM action that Dayshift needs, with the narrowest
// resources and conditions that still let it work.
type Permission struct {
	Action Operation
	// For says what it is needed for.
	For string
	// Optional: without it Dayshift works, with less.
	Optional bool
	// Resource is the last part of the ARN pattern: "instance/*" of the
	// service, or "*" where IAM knows no resources for the action.
	Resource string
	// Of is the service whose resource it is; empty: the action's.
	Of         string
	Conditions []Condition
}

// Condition is one line of an IAM Condition block. ScheduleTagPlaceholder
// stands for the key of the schedule tag.
type Condition struct {
	Operator, Key string
	Values        []string
}

// ScheduleTagPlaceholder is replaced by the configured tag key where a policy
// is written out.
const ScheduleTagPlaceholder = "${ScheduleTag}"

// Conditions that several kinds use.
var (
	// onlyTagged: acts on resources that carry the schedule tag, whatever its value.
	onlyTagged = Condition{"Null", "aws:ResourceTag/" + ScheduleTagPlaceholder, []string{"false"}}
	// onlyOurTags: writes and removes no tags but its own, so that it cannot tag
	// itself more power, lift a protection or move a resource to another schedule.
	onlyOurTags = Condition{"ForAllValues:StringEquals", "aws:TagKeys", []string{fleet.TagLastAction, fleet.TagError}}
	// onlySavedTags is the same for a kind that writes down on the resource what it was before it was stopped.
	onlySavedTags = Condition{"ForAllValues:StringEquals", "aws:TagKeys", []string{fleet.TagLastAction, fleet.TagError, fleet.TagSaved}}
	// namingTags belongs to it: "for all values" holds of no values too, and a
	// DeleteTags that names no tag removes every tag of the resource.
	namingTags = Condition{"Null", "aws:TagKeys", []string{"false"}}
)

// maxPages ends a listing that never ends. A thousand pages of EC2 are a
// million instances of one account in one region, which AWS does not allow
// without many increases; ten times that is a server gone wrong.
const maxPages = 10_000

// pager follows a chain of page tokens. A chain that comes back to a token it
// had before would never end, so that is an error.
type pager struct {
	what string
	seen map[string]bool
}

// next says whether the token leads to a further page.
func (p *pager) next(token *string) (bool, error) {
	if token == nil || *token == "" {
		return false, nil
	}
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	if p.seen[*token] {
		return false, fmt.Errorf("%s: AWS gave the same page token twice after %d pages, the listing would never end: %w", p.what, len(p.seen)+1, cloud.ErrTransient)
	}
	if len(p.seen) >= maxPages {
		return false, fmt.Errorf("%s: more than %d pages: %w", p.what, maxPages, cloud.ErrTransient)
	}
	p.seen[*token] = true
	return true, nil
}

// pages makes a listing call for page after page, each tried as often as a
// reading call may be. ask makes it for the page behind a token, nil for the first; took is given
// the page, once, and returns the token of the next, or the error that ends the
// listing. what says in an error what is being listed.
func pages[P any](ctx context.Context, read Caller, operation Operation, what string, ask func(ctx context.Context, token *string) (P, error), took func(P) (next *string, err error)) error {
	chain := pager{what: what}
	var token *string
	for {
		var page P
		err := read(ctx, operation, func(ctx context.Context) (err error) {
			page, err = ask(ctx, token)
			return err
		})
		if err != nil {
			return err
		}
		if token, err = took(page); err != nil {
			return err
		}
		if more, err := chain.next(token); err != nil || !more {
			return err
		}
	}
}

// gathered collects resources and drops what was listed before: pages of a
// changing fleet may overlap.
type gathered struct {
	index map[string]bool
	list  []fleet.Resource
	// words keeps one copy of what many resources have in common: a page decodes
	// its own, and a fleet has hundreds of pages.
	words map[string]string
}

func (g *gathered) add(resource fleet.Resource) {
	if g.index == nil {
		g.index, g.words = map[string]bool{}, map[string]string{}
	}
	if g.index[resource.ID] {
		return
	}
	g.index[resource.ID] = true
	for _, common := range []*string{&resource.Type, &resource.Zone, &resource.VPC, &resource.Subnet, &resource.MaintenanceWindow, &resource.Native} {
		*common = g.word(*common)
	}
	g.list = append(g.list, resource)
}

func (g *gathered) word(text string) string {
	known, found := g.words[text]
	if !found {
		known = text
		g.words[text] = text
	}
	return known
}

// chunks splits ids, or gives a single nil chunk when the query names none.
func chunks(query cloud.Query, size int) [][]string {
	if query.IDs == nil {
		return [][]string{nil}
	}
	ids := slices.Clone(query.IDs)
	slices.Sort(ids)
	return slices.Collect(slices.Chunk(slices.Compact(ids), size))
}

// arn builds the name of a resource in the scope's partition.
func arn(scope fleet.Scope, service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", scope.Region.Partition(), service, scope.Region, scope.Account, resource)
}

// targetIDs lists the ids of a batch.
func targetIDs(targets []cloud.Target) []string {
	ids := make([]string, len(targets))
	for i, target := range targets {
		ids[i] = target.ID
	}
	return ids
}

// splitTags separates tags to write from keys to remove, both in a fixed order.
func splitTags(tags map[string]string) (set [][2]string, remove []string) {
	for key, value := range tags {
		if value == "" {
			remove = append(remove, key)
		} else {
			set = append(set, [2]string{key, value})
		}
	}
	slices.SortFunc(set, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	slices.Sort(remove)
	return set, remove
}
