package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// ruleActions are what a rule can do, as people write it.
var ruleActions = []string{
	string(fleet.Start), string(fleet.Stop), string(fleet.Hibernate), string(fleet.Reboot), resizeAction + "TYPE",
	workloadAction + "NAME:start", workloadAction + "NAME:stop",
}

// resizeAction begins the action that names an instance type, workloadAction one that names a workload.
const (
	resizeAction   = string(fleet.Resize) + ":"
	workloadAction = "workload:"
)

// epoch is from when a rate counts that does not say it, so that it does not depend on when the program started.
var epoch = time.Unix(0, 0).UTC()

// rule compiles a rule. made and changed are those of an object and zero for a
// rule of the file: its rate counts from when it was made, and what was before
// it changed is not its business.
func (b *builder) rule(name string, r Rule, made, changed time.Time) *policy.Rule {
	path := join("rules", name)
	b.entryName(path, name, maxPeriodName)
	b.note(path+".description", r.Description)
	compiled := &policy.Rule{
		Name: name, Description: r.Description, Enabled: r.Enabled, Untagged: r.Untagged, CatchUp: time.Duration(r.CatchUp),
		MuteAlarms: b.mutes(path, r.MuteAlarms),
		Accounts:   b.ruleAccounts(path, r), Regions: b.ruleRegions(path, r),
	}
	zone, err := calendar.LoadZone(r.Timezone)
	if !b.unread(path + ".timezone") {
		b.calendarFaults(path, err)
	}
	created, written := b.instant(path+".created", r.Created)
	anchor := epoch
	for _, at := range []time.Time{made, created} {
		if !at.IsZero() {
			anchor = at.UTC().Truncate(time.Second)
		}
	}
	compiled.Since, compiled.Changed = changed, changed
	if made.IsZero() {
		compiled.Changed = b.env.Written
	}
	if written && created.After(changed) {
		compiled.Since = created
	}
	if b.readable(path + ".expression") {
		compiled.Expression, err = calendar.ParseExpression(r.Expression, zone, anchor)
		b.calendarFaults(path, err)
	}
	if b.readable(path + ".action") {
		if name, verb, whole := b.workloadAction(path+".action", r.Action); whole {
			compiled.Workload, compiled.Verb = name, verb
			b.unfiltered(path)
			return b.neverFires(path, r, compiled)
		}
		compiled.Verb, compiled.Type = b.action(path+".action", r.Action)
	}
	if b.readable(path + ".filters") {
		compiled.Filter = b.filter(path+".filters", r.Filters)
	}
	return b.neverFires(path, r, compiled)
}

// neverFires warns of a rule whose instants are over.
func (b *builder) neverFires(path string, r Rule, compiled *policy.Rule) *policy.Rule {
	if e := compiled.Expression; e != nil && r.Enabled && b.env.Now != nil {
		if _, fires := e.Next(b.env.Now().Add(-compiled.CatchUp)); !fires {
			b.warnAt(path+".expression", Fault{Text: r.Expression, Problem: say.F("never fires again: its years are over"), Fix: say.F("remove the rule, or give it dates to come")})
		}
	}
	return compiled
}

// readable tells whether a value was given and could be read, so that its content can be checked.
func (d *decoder) readable(path string) bool {
	_, written := d.at[path]
	return written && !d.unread(path)
}

// instant reads an instant as RFC 3339 writes it; written is false where there is none or a fault was noted.
func (d *decoder) instant(path, text string) (at time.Time, written bool) {
	if !d.readable(path) {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, text)
	switch f := (Fault{Text: text, Allowed: say.F("an instant with its offset from UTC, such as 2027-02-05T09:00:00Z or 2027-02-05T18:00:00+09:00")}); {
	case err != nil:
		f.Problem = say.F("is not an instant")
		if _, dateErr := calendar.ParseDate(text); dateErr == nil {
			f.Problem, f.Fix = say.F("is a date without a time"), say.F("write %sT00:00:00Z", text)
		} else if _, bareErr := time.Parse("2006-01-02T15:04:05", text); bareErr == nil {
			f.Problem, f.Fix = say.F("does not say how far from UTC it is"), say.F("write %sZ for UTC", text)
		}
		d.faultAt(path, f)
		return time.Time{}, false
	case at.Before(epoch):
		f.Problem, f.Fix = say.F("is before 1970"), say.F("leave the key out: a rate then counts from 1970-01-01T00:00:00Z")
		d.faultAt(path, f)
		return time.Time{}, false
	}
	return at.UTC().Truncate(time.Second), true
}

// action reads what a rule does.
func (d *decoder) action(path, text string) (fleet.Verb, string) {
	word := strings.TrimSpace(text)
	f := Fault{Text: text, Problem: say.F("is not an action"), Allowed: say.Names(ruleActions)}
	kind, rest, colon := strings.Cut(word, ":")
	switch {
	case slices.Contains(ruleActions, word) && !colon:
		return fleet.Verb(word), ""
	case kind == string(fleet.Resize):
		size := strings.ToLower(strings.TrimSpace(rest))
		if policy.IsInstanceType(size) {
			return fleet.Resize, size
		}
		f.Problem = say.F("does not name an instance type")
		f.Fix = say.F("write the type after the colon, such as resize:t3.small")
	default:
		f.Fix = didYouMean(strings.ToLower(kind), append(slices.Clone(ruleActions[:4]), "workload"))
	}
	d.faultAt(path, f)
	return "", ""
}

// filter reads a filter and notes what is wrong with it; the zero filter then selects nothing.
func (d *decoder) filter(path, text string) fleet.Filter {
	filter, err := fleet.ParseFilter(text)
	if err != nil {
		d.faultAt(path, Fault{
			Text: text, Problem: say.F("is not a filter: %s", strings.TrimPrefix(err.Error(), fmt.Sprintf("filter %q: ", text))),
			Allowed: say.F("key=value with commas between, such as tag:env=prod"),
		})
	}
	return filter
}

// ruleAccounts checks the accounts that a rule names.
func (b *builder) ruleAccounts(path string, r Rule) []fleet.AccountID {
	if len(r.Accounts) == 0 {
		return nil
	}
	var known []string
	for _, account := range b.l.Accounts {
		known = append(known, string(account.ID))
	}
	if len(b.c.Organizations) > 0 { // an account that joins or leaves one puts nothing wrong
		for i, id := range r.Accounts {
			if _, err := fleet.ParseAccountID(string(id)); err == nil && !slices.Contains(known, string(id)) {
				if b.listed() {
					b.warnAt(index(path+".accounts", i), Fault{Text: string(id), Problem: say.F("is not an account that is known now: neither under accounts nor of an organization")})
				}
				known = append(known, string(id))
			}
		}
	}
	return narrowed(b.decoder, path+".accounts", r.Accounts, known, say.F("is not an account of this configuration"), func(text string) say.Text {
		return cmp.Or(didYouMean(text, known), fixAccount(text))
	})
}

// ruleRegions checks the regions that a rule names: each has to be one of its accounts.
func (b *builder) ruleRegions(path string, r Rule) []fleet.Region {
	if len(r.Regions) == 0 {
		return nil
	}
	var known []string
	add := func(regions []fleet.Region) {
		for _, region := range regions {
			if !slices.Contains(known, string(region)) {
				known = append(known, string(region))
			}
		}
	}
	others := len(r.Accounts) == 0 // accounts of organizations
	for _, id := range r.Accounts {
		others = others || !slices.ContainsFunc(b.c.Accounts, func(a Account) bool { return a.ID == id })
	}
	for _, account := range b.c.Accounts {
		if len(r.Accounts) == 0 || slices.Contains(r.Accounts, account.ID) {
			add(account.Regions)
		}
	}
	for i := range b.c.Organizations {
		if others {
			add(b.c.Organizations[i].Regions)
		}
	}
	what := say.F("is not a region of this configuration")
	if len(r.Accounts) > 0 {
		what = say.F("is not a region of the rule's accounts")
	}
	return narrowed(b.decoder, path+".regions", r.Regions, known, what, func(text string) say.Text { return didYouMean(text, known) })
}

// narrowed checks a list by which a rule names some of what the configuration has.
func narrowed[T ~string](d *decoder, path string, names []T, known []string, problem say.Text, fix func(text string) say.Text) []T {
	var list []T
	for i, name := range names {
		at := index(path, i)
		switch {
		case d.unread(at):
		case slices.Contains(names[:i], name):
			d.faultAt(at, Fault{Text: string(name), Problem: say.F("is given twice"), Fix: say.F("remove one of the two")})
		case !slices.Contains(known, string(name)):
			f := Fault{Text: string(name), Problem: problem, Fix: fix(string(name))}
			switch {
			case len(known) == 0:
				f.Fix = say.F("there are none yet: add them under accounts:")
			case len(known) <= maxListed:
				f.Allowed = say.Names(known)
			}
			d.faultAt(at, f)
		default:
			list = append(list, name)
		}
	}
	return list
}

// maxListed is how many names a fault lists as allowed; more would hide what it says.
const maxListed = 20

// windowSlack is how much earlier than a pass before it what an SSM window needs is started (SEMANTICS 8).
const windowSlack = 10 * time.Minute

// windows checks the maintenance windows that a schedule names.
func (d *decoder) windows(path string, s Schedule) []string {
	at := path + ".ssm_maintenance_window"
	if len(s.SSMMaintenanceWindow) > 0 && !s.UseMaintenanceWindow && !d.reported(at) {
		d.warnAt(at, Fault{Problem: say.F("has no effect while use_maintenance_window is false"), Fix: say.F("remove one of the two")})
	}
	for i, name := range s.SSMMaintenanceWindow {
		switch {
		case !windowPattern.MatchString(name):
			d.within(at, Fault{Text: name, Problem: say.F("is not the name of an SSM maintenance window"), Allowed: say.F("3 to 128 letters, digits, _ . and -")})
		case slices.Contains(s.SSMMaintenanceWindow[:i], name):
			d.within(at, Fault{Text: name, Problem: say.F("is named twice"), Fix: say.F("remove one of the two")})
		}
	}
	return s.SSMMaintenanceWindow
}
