package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/reservation"
	"dayshift/internal/say"
)

// Patterns of what reservations name. The schema repeats them.
const (
	patternInstanceType   = `^\s*[A-Za-z][A-Za-z0-9-]*\.[A-Za-z0-9-]+\s*$`
	patternZone           = `^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}(-[a-z]+-[0-9]+)?[a-z]$` // a local zone has its city in it: us-west-2-lax-1a
	patternPlacementGroup = `^arn:(aws|aws-cn|aws-us-gov):ec2:[a-z0-9-]+:[0-9]{12}:placement-group/.{1,255}$`
	patternResourceGroup  = `^[A-Za-z0-9_.-]{1,128}$`
	patternLocalTime      = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?)?$`
)

var (
	availabilityZone = regexp.MustCompile(patternZone)
	placementGroup   = regexp.MustCompile(patternPlacementGroup)
	resourceGroup    = regexp.MustCompile(patternResourceGroup)
	localTime        = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$`)
)

// Bounds of a reservation.
const (
	maxZones        = 20
	maxAlternatives = 50
	maxOwnTags      = 40 // AWS takes 50, some of which are Dayshift's
)

// reservation compiles a reservation, but for its schedule: see follow.
func (b *builder) reservation(name string, r Reservation) *reservation.Reservation {
	path := join("reservations", name)
	b.entryName(path, name, maxPeriodName)
	b.note(path+".description", r.Description)
	compiled := &reservation.Reservation{
		Name: name, Description: r.Description, Scope: b.reservationScope(path, r), Count: r.Count,
		Attributes: reservation.Attributes{Platform: r.Platform, Tenancy: r.Tenancy, Match: r.Match, PlacementGroup: r.PlacementGroup},
		Schedule:   r.Schedule, Lead: time.Duration(r.Lead), Step: r.Step, Deadline: time.Duration(r.Deadline),
		ReleaseUsed: r.ReleaseUsed, Future: r.Future, Enabled: r.Enabled, Tags: r.Tags,
	}
	if _, written := b.at[path+".ebs_optimized"]; written {
		compiled.EBSOptimized = &r.EBSOptimized
	}
	if b.readable(path+".placement_group") && !placementGroup.MatchString(r.PlacementGroup) {
		b.faultAt(path+".placement_group", Fault{Text: r.PlacementGroup, Problem: say.F("is not the ARN of a placement group"), Allowed: say.F("arn:aws:ec2:REGION:ACCOUNT:placement-group/NAME")})
	}
	compiled.ResourceGroup = r.ResourceGroup
	switch at := path + ".resource_group"; {
	case !b.readable(at):
	case !resourceGroup.MatchString(r.ResourceGroup):
		b.faultAt(at, Fault{Text: r.ResourceGroup, Problem: say.F("is not the name of a resource group"), Fix: say.F("write up to 128 letters, digits, periods, underscores and hyphens")})
	case r.Match != "targeted":
		b.faultAt(at, Fault{Text: r.ResourceGroup, Problem: say.F("is given for capacity that every instance uses that fits"), Fix: say.F("add match: targeted, or remove it")})
	}
	b.parts(path, r, compiled)
	b.window(path, r, compiled)
	b.ownTags(path, r.Tags)
	return compiled
}

// reservationScope checks the account and region that a reservation names.
func (b *builder) reservationScope(path string, r Reservation) fleet.Scope {
	var accounts, regions []string
	known := false
	for i := range b.l.Accounts {
		accounts = append(accounts, string(b.l.Accounts[i].ID))
		if b.l.Accounts[i].ID == r.Account {
			known = true
			for _, region := range b.l.Accounts[i].Regions {
				regions = append(regions, string(region))
			}
		}
	}
	if at := path + ".account"; b.readable(at) && !known {
		f := Fault{Text: string(r.Account), Problem: say.F("is not an account of this configuration"), Fix: cmp.Or(didYouMean(string(r.Account), accounts), fixAccount(string(r.Account)))}
		switch _, err := fleet.ParseAccountID(string(r.Account)); {
		case err == nil && len(b.c.Organizations) > 0: // an account that joins or leaves one puts nothing wrong
			if b.listed() {
				b.warnAt(at, Fault{Text: string(r.Account), Problem: say.F("is not an account that is known now: neither under accounts nor of an organization")})
			}
		case len(accounts) == 0:
			f.Fix = say.F("there are none yet: add them under accounts:")
			b.faultAt(at, f)
		default:
			if len(accounts) <= maxListed {
				f.Allowed = say.Names(accounts)
			}
			b.faultAt(at, f)
		}
	}
	if at := path + ".region"; b.readable(at) && known && !slices.Contains(regions, string(r.Region)) {
		b.faultAt(at, Fault{Text: string(r.Region), Problem: say.F("is not a region of the account"), Allowed: say.Names(regions), Fix: didYouMean(string(r.Region), regions)})
	}
	return fleet.Scope{Account: r.Account, Region: r.Region}
}

// parts checks where the capacity is to be.
func (b *builder) parts(path string, r Reservation, compiled *reservation.Reservation) {
	kind := b.instanceType(path+".instance_type", r.InstanceType)
	add := func(at string, list []reservation.Part, part reservation.Part) []reservation.Part {
		if slices.Contains(compiled.Parts, part) || slices.Contains(list, part) {
			b.faultAt(at, Fault{Text: part.String(), Problem: say.F("is given twice"), Fix: say.F("remove one of the two")})
			return list
		}
		return append(list, part)
	}
	for i, zone := range r.Zones {
		at := index(path+".zones", i)
		if b.unread(at) || !b.zoneIn(at, zone, r.Region) {
			continue
		}
		compiled.Parts = add(at, compiled.Parts, reservation.Part{Zone: zone, Type: kind})
	}
	switch at := path + ".zones"; {
	case len(r.Zones) > maxZones:
		b.faultAt(at, Fault{Problem: say.F("has %d zones", len(r.Zones)), Allowed: say.F("up to %d", maxZones)})
	case len(r.Zones) == 0 && b.readable(at) && !b.reported(at):
		b.faultAt(at, Fault{Problem: say.F("is empty"), Fix: say.F("name a zone, such as %sa", r.Region)})
	}
	if len(r.Alternatives) > maxAlternatives {
		b.faultAt(path+".alternatives", Fault{Problem: say.F("has %d entries", len(r.Alternatives)), Allowed: say.F("up to %d", maxAlternatives)})
		return
	}
	for i, other := range r.Alternatives {
		at := index(path+".alternatives", i)
		part := reservation.Part{Type: kind}
		if len(compiled.Parts) > 0 {
			part.Zone = compiled.Parts[0].Zone
		}
		_, zoned := b.at[at+".zone"]
		_, typed := b.at[at+".instance_type"]
		if !zoned && !typed {
			if !b.reported(at) {
				b.faultAt(at, Fault{Problem: say.F("names neither a zone nor a type"), Fix: say.F("write {zone: …}, {instance_type: …} or both")})
			}
			continue
		}
		if zoned && !b.zoneIn(at+".zone", other.Zone, r.Region) {
			continue
		}
		part.Zone = cmp.Or(other.Zone, part.Zone)
		if typed {
			part.Type = b.instanceType(at+".instance_type", other.InstanceType)
		}
		if part.Zone != "" && part.Type != "" {
			compiled.Alternatives = add(at, compiled.Alternatives, part)
		}
	}
}

func (b *builder) instanceType(at, text string) string {
	kind := strings.ToLower(strings.TrimSpace(text))
	if b.readable(at) && !policy.IsInstanceType(kind) {
		b.faultAt(at, Fault{Text: text, Problem: say.F("is not an instance type"), Allowed: say.F("family, dot and size, such as r5b.2xlarge")})
		return ""
	}
	return kind
}

// zoneIn reports whether a zone is one of the region.
func (b *builder) zoneIn(at, zone string, region fleet.Region) bool {
	switch {
	case !availabilityZone.MatchString(zone):
		f := Fault{Text: zone, Problem: say.F("is not the name of an availability zone"), Allowed: say.F("a region and a letter, such as ap-northeast-1c")}
		if strings.Contains(zone, "-az") {
			f.Fix = say.F("write the name, which each account has its own of, not the ID")
		}
		b.faultAt(at, f)
	case !strings.HasPrefix(zone, string(region)):
		b.faultAt(at, Fault{Text: zone, Problem: say.F("is not in the region %s", region), Fix: say.F("name a zone of that region; another region needs a reservation of its own")})
	default:
		return true
	}
	return false
}

// capacityTable checks where the table is.
func (b *builder) capacityTable() {
	const path = "capacity.table"
	if _, written := b.at[path]; !written {
		return
	}
	t := &b.c.Capacity.Table
	b.reservationScope(path, Reservation{Account: t.Account, Region: t.Region})
	if _, written := b.at[path+".password"]; written {
		value, source, f := b.env.secret(t.Password.value)
		t.Password = Secret{value: value, source: source}
		if f != nil {
			b.faultAt(path+".password", *f)
		}
	}
	if t.Secret == "" && (t.Host == "" || t.Database == "" || t.User == "") {
		b.faultAt(path, Fault{Problem: say.F("does not say where the database is"), Fix: say.F("give secret, or host, database and user")})
	}
	b.l.Table = t
}

// tableStep is how many are asked for at once of a row of the table, as the system did that it comes from.
const tableStep = 10

// Reservation makes a reservation of a row of the table, which has no end.
func (t *CapacityTable) Reservation(part reservation.Part, target int) *reservation.Reservation {
	return &reservation.Reservation{
		Name: reservation.TablePrefix + part.String(), Table: true, Scope: fleet.Scope{Account: t.Account, Region: t.Region}, Parts: []reservation.Part{part}, Count: target,
		Attributes: reservation.Attributes{Platform: t.Platform, Tenancy: "default", Match: "open"}, Step: tableStep, Enabled: true,
	}
}

// window checks when the capacity is wanted.
func (b *builder) window(path string, r Reservation, compiled *reservation.Reservation) {
	zone := b.zone
	if b.readable(path + ".timezone") {
		var err error
		zone, err = calendar.LoadZone(r.Timezone)
		b.calendarFaults(path, err)
	}
	var fromGiven, toGiven bool
	compiled.From, fromGiven = b.localInstant(path+".from", r.From, zone)
	compiled.To, toGiven = b.localInstant(path+".to", r.To, zone)
	_, scheduled := b.at[path+".schedule"]
	switch {
	case scheduled && (fromGiven || toGiven):
		b.faultAt(path+".schedule", Fault{Text: r.Schedule, Problem: say.F("is given beside from or to"), Fix: say.F("remove one of the two: the schedule says when")})
	case fromGiven && toGiven && !compiled.From.Before(compiled.To):
		b.faultAt(path+".to", Fault{Text: r.To, Problem: say.F("is not after from")})
	case r.Future && (!fromGiven || scheduled):
		b.faultAt(path+".future", Fault{Problem: say.F("needs from: a future-dated reservation begins at an instant"), Fix: say.F("add from, or remove future")})
	case r.Future && toGiven && compiled.To.Sub(compiled.From) < reservation.FutureCommitment:
		b.faultAt(path+".future", Fault{
			Problem: say.F("binds for %s, and the window is only %s long", Duration(reservation.FutureCommitment), compiled.To.Sub(compiled.From)),
			Fix:     say.F("remove future: the capacity is then bought at the begin"),
		})
	case toGiven && b.env.Now != nil && !b.env.Now().Before(compiled.To):
		b.warnAt(path+".to", Fault{Text: r.To, Problem: say.F("is over: nothing is bought for this reservation any more"), Fix: say.F("remove it")})
	}
	if scheduled && b.c.Schedules != nil {
		if _, known := b.l.Book.Schedules[r.Schedule]; known {
			return
		}
	}
	if scheduled && b.readable(path+".schedule") {
		b.faultAt(path+".schedule", Fault{Text: r.Schedule, Problem: say.F("is not a schedule"), Fix: guess(b, r.Schedule, b.l.Book.Schedules)})
	}
}

// localInstant reads a local time of a zone, or an instant with its offset.
func (b *builder) localInstant(path, text string, zone *time.Location) (at time.Time, written bool) {
	if !b.readable(path) {
		return time.Time{}, false
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil && at.After(epoch) {
		return at.UTC().Truncate(time.Second), true
	}
	f := Fault{
		Text: text, Problem: say.F("is not a date and a time"),
		Allowed: say.F("a local time such as 2026-11-26T18:00, or an instant with its offset from UTC such as 2026-11-26T18:00:00+09:00"),
	}
	if !localTime.MatchString(text) {
		if _, err := calendar.ParseDate(text); err == nil {
			f.Problem, f.Fix = say.F("has no time"), say.F("write %sT00:00", text)
		}
		b.faultAt(path, f)
		return time.Time{}, false
	}
	if zone == nil { // it is a fault already
		zone = time.UTC
	}
	if len(text) == len("2006-01-02T15:04") {
		text += ":00"
	}
	once, err := calendar.ParseExpression("at("+text+")", zone, epoch)
	if err != nil {
		b.faultAt(path, f)
		return time.Time{}, false
	}
	at, _ = once.Next(epoch.Add(-time.Second))
	return at.UTC(), true
}

// ownTags checks the tags that a reservation gets.
func (b *builder) ownTags(path string, tags map[string]string) {
	if len(tags) > maxOwnTags {
		b.faultAt(path+".tags", Fault{Problem: say.F("has %d tags", len(tags)), Allowed: say.F("up to %d", maxOwnTags)})
		return
	}
	for _, key := range sortedKeys(tags) {
		at := join(path+".tags", key)
		lower := strings.ToLower(key)
		switch problem := badTagText(key, maxTagKey); {
		case !problem.Empty():
			b.nameFault(at, Fault{Text: key, Problem: problem, Allowed: say.F("a tag key of 1 to %d characters", maxTagKey)})
		case strings.HasPrefix(lower, "aws:"):
			b.nameFault(at, Fault{Text: key, Problem: say.F("is a key that AWS keeps for itself")})
		case strings.HasPrefix(lower, "dayshift:"):
			b.nameFault(at, Fault{Text: key, Problem: say.F("is a key that Dayshift itself reads or writes")})
		}
		if value := tags[key]; value != "" {
			if problem := badTagText(value, maxTagValue); !problem.Empty() {
				b.faultAt(at, Fault{Text: value, Problem: problem, Allowed: say.F("up to %d characters", maxTagValue)})
			}
		}
	}
}

// follow gives reservations the calendars of their schedules, which exceptions
// of the store can have changed, and what holds for all of them.
func (b *builder) follow() {
	for _, r := range b.l.Reservations {
		if strings.HasPrefix(r.Name, reservation.TablePrefix) && r.Err == nil {
			r.Err = errors.New("names that begin with " + reservation.TablePrefix + " are those of rows of the table")
		}
		if r.Schedule == "" || r.Err != nil {
			continue
		}
		switch s := b.l.Book.Schedules[r.Schedule]; {
		case s == nil || s.Calendar == nil || s.Err != nil:
			r.Err = fmt.Errorf("its schedule %s is set aside", r.Schedule)
		case !s.Enabled:
			r.Err = errors.New("its schedule " + r.Schedule + " is not enabled, and so wants nothing")
		default:
			r.Calendar = s.Calendar
		}
	}
	c := &b.c.Capacity
	b.l.Capacity = reservation.Rules{
		Interval: time.Duration(c.Interval), Resync: time.Duration(b.c.ResyncInterval), IdleAfter: time.Duration(c.IdleAfter), SafetyEnd: time.Duration(c.SafetyEnd),
		MaxHourly: c.MaxHourly, MaxHourlyPerAccount: c.MaxHourlyPerAccount, ApproveAbove: c.ApproveAbove,
		Daily: reservation.Daily{All: c.MaxPerDay, Account: c.MaxPerDayPerAccount},
	}
}
