package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws"
	"dayshift/internal/config"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/holiday"
	"dayshift/internal/record"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

const (
	// membersTimeout bounds a look at an organization: ten thousand accounts in a
	// thousand units take some minutes within AWS's limits.
	membersTimeout = 20 * time.Minute
	// listPoll is how often, by the wall, it is looked whether a list of accounts is due.
	listPoll = 5 * time.Second
	// listedNames is how many accounts a row of the record names; more are counted.
	listedNames = 20
)

// accountsKind stands for the accounts of an organization where a gap names kinds of resources.
const accountsKind fleet.Kind = "accounts"

// directories are the organizations of a configuration for the cloud, in its order.
func directories(loaded *config.Loaded) []aws.Organization {
	list := make([]aws.Organization, len(loaded.Directories))
	for i, d := range loaded.Directories {
		list[i] = aws.Organization{
			RoleARN: d.Role, ExternalID: d.ExternalID.Reveal(), SessionName: d.SessionName, Profile: d.Profile, Partition: d.Partition,
			Units: d.Units, Except: d.Except,
		}
	}
	return list
}

// keptLists reads the lists of accounts that the store keeps, by key.
func (a *App) keptLists(ctx context.Context) (map[string]store.Object, error) {
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	objects, err := a.Store.Objects(limited, store.AccountListObject)
	if err != nil {
		return nil, fmt.Errorf("read the lists of accounts: %w", err)
	}
	kept := map[string]store.Object{}
	for _, object := range objects {
		kept[object.Name] = object
	}
	return kept, nil
}

// fetchAccounts lists the accounts of the organizations that are due and keeps
// the lists; all of them where it is told to ask again. What can not be had is a
// gap; the last good list stays, and counts.
func (a *App) fetchAccounts(ctx context.Context, table *timetable, again bool) ([]discover.Gap, error) {
	if len(a.Config.Directories) == 0 {
		return nil, nil
	}
	kept, err := a.keptLists(ctx)
	if err != nil {
		return nil, err
	}
	var gaps []discover.Gap
	for i := range a.Config.Directories {
		d := &a.Config.Directories[i]
		object := kept[d.Key]
		var last *config.AccountList
		if object.Version > 0 {
			last, _ = config.ReadAccountList(object.Spec) // one that can not be read is fetched anew
		}
		now := a.Clock.Now()
		if !again && (table.waits(d.Key, now) || listDue(last, d.Refresh, now, 0).After(now)) {
			continue
		}
		err := a.look(ctx, i, object, last)
		if err == nil {
			table.done(d.Key)
			continue
		}
		if ctx.Err() != nil {
			return gaps, context.Cause(ctx)
		}
		table.failed(d.Key, now, func(failures int) time.Time { return listDue(last, d.Refresh, now, failures) })
		gaps = append(gaps, a.organizationGap(i, err))
	}
	return gaps, nil
}

func (a *App) organizationGap(i int, err error) discover.Gap {
	return discover.Gap{Scope: directories(a.Config)[i].Scope(), Kinds: []fleet.Kind{accountsKind}, Err: err}
}

// listDue tells when to ask an organization next, by the timetable of calendars.
func listDue(last *config.AccountList, refresh time.Duration, now time.Time, failures int) time.Time {
	var checked time.Time
	if last != nil {
		checked = last.Checked
	}
	return holiday.Due(holiday.Copy{Checked: checked}, refresh, now, failures)
}

// look asks an organization for its accounts and keeps the list. One that lacks
// most of the accounts there were is doubted until the next one says the same.
func (a *App) look(ctx context.Context, i int, object store.Object, last *config.AccountList) error {
	limited, cancel := context.WithTimeoutCause(ctx, membersTimeout, fmt.Errorf("it was not listed within %s", membersTimeout))
	defer cancel()
	d := &a.Config.Directories[i]
	next, err := a.members(limited, i)
	if err != nil {
		return err
	}
	lost := missingAccounts(last, next)
	if len(lost) > 0 {
		// Who is moved between units while these are listed can be in neither: only
		// who is missing twice is missing.
		again, err := a.members(limited, i)
		if err != nil {
			return err
		}
		next = joined(next, again)
		lost = missingAccounts(last, next)
	}
	next.Checked = a.Clock.Now()
	var rows []store.Activity
	if known := len(activeAccounts(last)); 2*len(lost) > known && last.Doubt.IsZero() {
		next = &config.AccountList{Organization: d.Name, Checked: next.Checked, Accounts: last.Accounts, Doubt: next.Checked}
		text := fmt.Sprintf("organization %s: the list of its accounts lacks %d of %d; it counts when the next one, at %s, says the same: %s",
			d.Name, len(lost), known, next.Checked.Add(d.Refresh).UTC().Format(time.RFC3339), accountNames(lost))
		a.Log.WarnContext(ctx, "a list of accounts is doubted, the last one stays", slog.String("why", text))
		rows = append(rows, a.accountsRow("accounts-doubted", text))
	} else {
		rows = a.changes(ctx, d.Name, last, next)
	}
	spec, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode the list of accounts: %w", err)
	}
	object.Kind, object.Name, object.Spec, object.Author, object.Changed = store.AccountListObject, d.Key, spec, record.Actor, next.Checked
	if _, err := a.Store.SaveObject(ctx, object, rows...); err != nil && !errors.Is(err, store.ErrConflict) { // another process was faster
		return fmt.Errorf("keep the list of accounts: %w", err)
	}
	return nil
}

func (a *App) members(ctx context.Context, i int) (*config.AccountList, error) {
	members, err := a.Cloud.Members(ctx, i)
	if err != nil {
		return nil, err
	}
	list := &config.AccountList{Organization: a.Config.Directories[i].Name, Checked: a.Clock.Now(), Accounts: make([]config.ListedAccount, len(members))}
	for n, member := range members {
		list.Accounts[n] = config.ListedAccount{ID: member.ID, Name: member.Name, State: member.State, Management: member.Management}
	}
	return list, nil
}

// activeAccounts are the accounts of a list that can be used.
func activeAccounts(list *config.AccountList) []config.ListedAccount {
	if list == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(list.Accounts), func(account config.ListedAccount) bool { return account.State != config.ActiveAccount })
}

// missingAccounts are the active accounts of last that next does not have at all.
func missingAccounts(last, next *config.AccountList) []config.ListedAccount {
	there := byID(next.Accounts)
	return slices.DeleteFunc(activeAccounts(last), func(account config.ListedAccount) bool {
		_, listed := there[account.ID]
		return listed
	})
}

func byID(list []config.ListedAccount) map[fleet.AccountID]config.ListedAccount {
	m := make(map[fleet.AccountID]config.ListedAccount, len(list))
	for _, account := range list {
		m[account.ID] = account
	}
	return m
}

// joined has the accounts of both lists; of one that both have the second counts.
func joined(first, second *config.AccountList) *config.AccountList {
	list := *second
	there := byID(second.Accounts)
	for _, account := range first.Accounts {
		if _, twice := there[account.ID]; !twice {
			list.Accounts = append(list.Accounts, account)
		}
	}
	slices.SortFunc(list.Accounts, func(a, b config.ListedAccount) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return &list
}

// changes says what a list changes of the one before.
func (a *App) changes(ctx context.Context, name string, last, next *config.AccountList) []store.Activity {
	var rows []store.Activity
	say := func(reason, text string) {
		a.Log.InfoContext(ctx, "the accounts of an organization changed", slog.String("change", text))
		rows = append(rows, a.accountsRow(reason, text))
	}
	before, after := byID(activeAccounts(last)), byID(next.Accounts)
	var came, left []config.ListedAccount
	for _, account := range activeAccounts(next) {
		if _, known := before[account.ID]; !known {
			came = append(came, account)
		}
	}
	for _, account := range activeAccounts(last) {
		switch now, listed := after[account.ID]; {
		case !listed:
			account.State = "not listed any more"
			left = append(left, account)
		case now.State != config.ActiveAccount:
			left = append(left, now)
		}
	}
	switch {
	case last == nil:
		say("accounts-listed", fmt.Sprintf("organization %s: %d accounts were found, %d of them active", name, len(next.Accounts), len(came)))
	case len(came) > 0:
		say("accounts-joined", fmt.Sprintf("organization %s: accounts joined: %s", name, accountNames(came)))
	}
	if len(left) > 0 {
		say("accounts-left", fmt.Sprintf("organization %s: accounts left, nothing is started or stopped in them any more: %s", name, accountNames(left)))
	}
	return rows
}

func (a *App) accountsRow(reason, text string) store.Activity {
	return store.Activity{At: a.Clock.Now(), Actor: record.Actor, Event: store.EventConfig, Reason: reason, Detail: text}
}

// accountNames names accounts with what is known of them, as many as people read.
func accountNames(list []config.ListedAccount) string {
	var names []string
	for i, account := range list {
		if i == listedNames {
			names = append(names, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		name := string(account.ID)
		if account.Name != "" {
			name += " " + account.Name
		}
		if account.State != config.ActiveAccount {
			name += " (" + account.State + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// accounts lists the accounts of organizations on their timetable until ctx ends.
func (d *Daemon) accounts(ctx context.Context) {
	table := newTimetable()
	missing := map[fleet.Scope]string{}
	for {
		present := d.present()
		gaps, err := present.fetchAccounts(ctx, table, d.relist.Swap(false))
		if err != nil && ctx.Err() == nil {
			d.Log.WarnContext(ctx, "the accounts of organizations could not be listed", slog.Any("error", err))
		}
		d.tellAccounts(ctx, present, table, gaps, missing)
		if d.leader.clock.Sleep(ctx, listPoll) != nil {
			return
		}
	}
}

// tellAccounts says once that an organization can not be asked, and once that it can again.
func (d *Daemon) tellAccounts(ctx context.Context, present *App, table *timetable, gaps []discover.Gap, missing map[fleet.Scope]string) {
	for _, gap := range gaps {
		d.Log.WarnContext(ctx, "the accounts of an organization could not be listed; the last good list counts", slog.Any("error", gap.Err))
		if missing[gap.Scope] == "" {
			d.event(ctx, store.EventGap, "accounts", gap.String())
		}
		missing[gap.Scope] = gap.String()
		d.Metrics.Gap(string(gap.Scope.Account), string(gap.Scope.Region), true)
	}
	failing := map[fleet.Scope]bool{}
	for i, organization := range directories(present.Config) {
		if table.failures[present.Config.Directories[i].Key] > 0 {
			failing[organization.Scope()] = true
		}
	}
	for scope := range missing {
		if !failing[scope] {
			delete(missing, scope)
			d.event(ctx, store.EventGapClosed, "accounts", scope.String()+": the accounts can be listed again, or are not asked for any more")
			d.Metrics.Gap(string(scope.Account), string(scope.Region), false)
		}
	}
}

// learn asks the organizations of which no list is kept for their accounts, for a
// command that only asks: nothing is kept. What can not be had is a gap.
func (a *App) learn(ctx context.Context) ([]discover.Gap, error) {
	if a.serving {
		return nil, nil
	}
	var gaps []discover.Gap
	var found []store.Object
	for i, d := range a.Config.Directories {
		if d.List != nil {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, membersTimeout)
		list, err := a.members(limited, i)
		cancel()
		if err != nil {
			gaps = append(gaps, a.organizationGap(i, err))
			continue
		}
		spec, err := json.Marshal(list)
		if err != nil {
			return nil, fmt.Errorf("encode the list of accounts: %w", err)
		}
		found = append(found, store.Object{Kind: store.AccountListObject, Name: d.Key, Spec: spec})
	}
	if len(found) == 0 {
		return gaps, nil
	}
	objects, _, err := a.stored(ctx)
	if err != nil {
		return nil, err
	}
	loaded, err := a.Assemble(append(objects, found...))
	if err != nil {
		return nil, err
	}
	return gaps, a.take(loaded) //nolint:contextcheck // a channel that goes has a time of its own to end
}

// take makes a configuration the present one, with a cloud for its accounts and its channels.
func (a *App) take(loaded *config.Loaded) error {
	made, err := a.cloud(loaded, a.Cloud.Pacer())
	if err != nil {
		return err
	}
	channels, err := a.channels(loaded, made)
	if err != nil {
		return err
	}
	a.Config, a.Cloud = loaded, made
	a.office.Use(channels, lastTry)
	return nil
}

// Doctor finds out what works: of each organization, and in each account and region.
func (a *App) Doctor(ctx context.Context) ([]service.Checkup, error) {
	gaps, err := a.learn(ctx)
	if err != nil {
		return nil, err
	}
	var checkups []service.Checkup
	for i, organization := range directories(a.Config) {
		checkup := service.Checkup{Scope: organization.Scope(), Findings: a.Cloud.ProbeOrganization(ctx, i)}
		if list := a.Config.Directories[i].List; list != nil {
			checkup.Findings = append(checkup.Findings, listFinding(list))
		}
		for _, gap := range gaps {
			if gap.Scope == checkup.Scope && !slices.ContainsFunc(checkup.Findings, failedFinding) {
				checkup.Findings = append(checkup.Findings, cloud.Finding{Ability: say.Word("list all accounts"), Detail: say.Of(gap.Err)})
			}
		}
		checkup.OK = !slices.ContainsFunc(checkup.Findings, failedFinding)
		checkups = append(checkups, checkup)
	}
	return a.withEvents(ctx, append(checkups, service.Doctor(ctx, a.Cloud, a.Store, a.Config.Scopes)...)), nil
}

func failedFinding(f cloud.Finding) bool { return !f.OK }

// listFinding tells what is known of an organization.
func listFinding(list *config.AccountList) cloud.Finding {
	finding := cloud.Finding{Ability: say.Word("know the accounts"), OK: true}
	active := len(activeAccounts(list))
	parts := []say.Text{say.F("%d accounts, %d of them active, listed at %s", len(list.Accounts), active, list.Checked.UTC().Format(time.RFC3339))}
	if others := slices.DeleteFunc(slices.Clone(list.Accounts), func(account config.ListedAccount) bool { return account.State == config.ActiveAccount }); len(others) > 0 {
		parts = append(parts, say.F("left alone: %s", accountNames(others)))
	}
	if !list.Doubt.IsZero() {
		finding.OK = false
		parts = append(parts, say.F("the last list lacked most of them and counts only when the next one says the same: see dayshift activity"))
	}
	finding.Detail = say.Clauses(parts...)
	return finding
}
