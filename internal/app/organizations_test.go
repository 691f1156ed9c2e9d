package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/awssim"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/store"
)

const shopConfig = `
store: memory
resync_interval: 5m
organizations:
  - {name: shop, regions: [ap-northeast-2], exclude: ["999900000004"], refresh: 1h}
accounts:
  - {id: "999900000005", role: "arn:aws:iam::999900000005:role/dayshift", regions: [us-east-1]}
periods:
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
schedules:
  seoul-office: {timezone: Asia/Seoul, periods: [office]}
`

// shopSim has an organization; every account has one stopped instance, named after it.
func shopSim(t *testing.T) *awssim.Cloud {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "999900000000") // the hub is in the management account
	t.Setenv("AWS_SECRET_ACCESS_KEY", "any")
	sim := atOnce()
	joins(t, sim, "999900000000 management", "999900000001 one", "999900000002 two", "999900000003 three SUSPENDED", "999900000004 four", "999900000005 five")
	return sim
}

// joins adds accounts, given as ID, name, state and unit, each with an instance of its name.
func joins(t *testing.T, sim *awssim.Cloud, accounts ...string) {
	t.Helper()
	var f awssim.Fleet
	for _, text := range accounts {
		words := append(strings.Fields(text), "", "")
		f.Accounts = append(f.Accounts, awssim.Account{ID: words[0], Name: words[1], State: words[2], Unit: words[3]})
		if words[0] == "999900000000" {
			f.Organization = &awssim.Organization{Management: words[0]}
		}
		r := ec2(words[1], "stopped", "seoul-office")
		r.Account = words[0]
		f.Resources = append(f.Resources, r)
	}
	if err := sim.Load(f); err != nil {
		t.Fatal(err)
	}
}

// leaves puts accounts into another state or, with the unit none, out of the organization.
func leaves(t *testing.T, sim *awssim.Cloud, state, unit string, ids ...string) {
	t.Helper()
	var f awssim.Fleet
	for _, id := range ids {
		f.Accounts = append(f.Accounts, awssim.Account{ID: id, State: state, Unit: unit})
	}
	if err := sim.Load(f); err != nil {
		t.Fatal(err)
	}
}

func shopHouse(t *testing.T, sim *awssim.Cloud) *house {
	t.Helper()
	h := houseOver(t, sim, shopConfig)
	return h
}

// running are the names of what runs anywhere.
func (h *house) running() []string {
	var names []string
	for _, instance := range h.sim.Instances("", "") {
		if instance.State == "running" {
			names = append(names, instance.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (h *house) wantRunning(when string, want ...string) {
	h.t.Helper()
	if d := cmp.Diff(want, h.running()); d != "" {
		h.t.Errorf("%s: running (-want +got):\n%s", when, d)
	}
}

// said are the details of the rows about accounts, oldest first.
func (h *house) said() []string {
	h.t.Helper()
	var said []string
	for _, row := range h.rows(store.EventConfig, store.EventGap, store.EventGapClosed) {
		if strings.HasPrefix(row.Reason, "accounts") {
			said = append(said, row.Reason+": "+row.Detail)
		}
	}
	return said
}

func wantSaid(t *testing.T, said []string, want ...string) {
	t.Helper()
	if len(said) != len(want) {
		t.Fatalf("said %q, want %q", said, want)
	}
	for i := range want {
		if !strings.Contains(said[i], want[i]) {
			t.Errorf("said %q, want %q", said[i], want[i])
		}
	}
}

func TestAccountsJoinAndLeaveWithoutARestart(t *testing.T) {
	sim := shopSim(t)
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T08:57:00+09:00")
		h := shopHouse(t, sim)
		d := h.serve()
		defer d.stop()

		until(t, "2027-03-05T09:02:00+09:00")
		// Not: the management account, the suspended one, the excluded one, and the one that has an entry of its own for another region.
		h.wantRunning("at nine", "one", "two")
		wantSaid(t, h.said(), "accounts-listed: organization shop: 6 accounts were found, 5 of them active")

		joins(t, sim, "999900000006 six")
		until(t, "2027-03-05T09:30:00+09:00")
		h.wantRunning("before the next look", "one", "two")
		until(t, "2027-03-05T10:02:00+09:00")
		h.wantRunning("after the next look", "one", "six", "two")

		joins(t, sim, "999900000007 seven")
		d.relist.Store(true) // a person hurries
		until(t, "2027-03-05T10:03:00+09:00")
		h.wantRunning("at once", "one", "seven", "six", "two")
		leaves(t, sim, "CLOSED", "", "999900000007")
		d.relist.Store(true)
		until(t, "2027-03-05T10:04:00+09:00")

		leaves(t, sim, "", "none", "999900000002")
		leaves(t, sim, "PENDING_CLOSURE", "", "999900000001")
		until(t, "2027-03-05T11:04:00+09:00")
		wantSaid(t, h.said(), "accounts-listed", "accounts-joined: organization shop: accounts joined: 999900000006 six", "accounts-joined", "accounts-left", "accounts-left: ")
		left := h.said()[4]
		for _, says := range []string{"999900000001 (PENDING_CLOSURE)", "999900000002 two (not listed any more)", "nothing is started or stopped"} {
			if !strings.Contains(left, says) {
				t.Errorf("%q does not say %q", left, says)
			}
		}
		until(t, "2027-03-05T18:02:00+09:00")
		h.wantRunning("in the evening: who left is left alone", "one", "seven", "two")
		h.verify()
	})
}

func TestAListThatCanNotBeHadChangesNothing(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault awssim.Fault
	}{
		{"denied", awssim.Fault{Service: "organizations", Kind: awssim.FaultDenied}},
		{"a page of HTML", awssim.Fault{Service: "organizations", Kind: awssim.FaultHTML, Status: 200}},
		{"an empty answer", awssim.Fault{Service: "organizations", Kind: awssim.FaultEmpty}},
		{"unreachable", awssim.Fault{Service: "organizations", Kind: awssim.FaultUnreachable}},
		{"the second page of two", awssim.Fault{Service: "organizations", Kind: awssim.FaultTokenLoop}},
	} {
		t.Run(test.name, func(t *testing.T) {
			sim := shopSim(t)
			var many []string
			for i := range 20 {
				many = append(many, fmt.Sprintf("8888000000%02d many-%02d", i, i))
			}
			joins(t, sim, many...)
			synctest.Test(t, func(t *testing.T) {
				until(t, "2027-03-05T07:58:00+09:00")
				h := shopHouse(t, sim)
				d := h.serve("first")
				until(t, "2027-03-05T08:02:00+09:00")
				d.stop()

				if err := sim.SetFaults([]awssim.Fault{test.fault}); err != nil {
					t.Fatal(err)
				}
				leaves(t, sim, "", "none", "999900000001")
				d = h.serve("second") // a process that never saw a list itself
				defer d.stop()
				until(t, "2027-03-05T09:04:00+09:00")
				if running := h.running(); len(running) != 22 || !slices.Contains(running, "one") {
					t.Errorf("running: %q", running)
				}
				wantSaid(t, h.said(), "accounts-listed", "accounts: organization/us-east-1: cannot list accounts: ") // once, however often it fails

				if err := sim.SetFaults(nil); err != nil {
					t.Fatal(err)
				}
				until(t, "2027-03-05T09:20:00+09:00")
				said := h.said()
				slices.Sort(said[2:]) // the row of the list and that of the gap are of two writes
				wantSaid(t, said, "accounts-listed", "accounts: ", "accounts-left: organization shop: accounts left, nothing is started or stopped in them any more: 999900000001", "accounts: organization/us-east-1: the accounts can be listed again")
			})
		})
	}
}

func TestAListWithoutMostOfTheAccountsIsDoubted(t *testing.T) {
	sim := shopSim(t)
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T07:00:00+09:00")
		h := shopHouse(t, sim)
		d := h.serve()
		defer d.stop()
		until(t, "2027-03-05T07:05:00+09:00")

		gone := awssim.Fault{Service: "organizations", Kind: awssim.FaultMissing}
		if err := sim.SetFaults([]awssim.Fault{gone}); err != nil {
			t.Fatal(err)
		}
		until(t, "2027-03-05T08:05:00+09:00")
		wantSaid(t, h.said(), "accounts-listed", "accounts-doubted: organization shop: the list of its accounts lacks 5 of 5; it counts when the next one, at 2027-03-05T00:00")
		// It comes back in time: nothing has happened.
		if err := sim.SetFaults(nil); err != nil {
			t.Fatal(err)
		}
		until(t, "2027-03-05T09:04:00+09:00")
		h.wantRunning("at nine", "one", "two")
		wantSaid(t, h.said(), "accounts-listed", "accounts-doubted")

		// Twice in a row it is believed.
		if err := sim.SetFaults([]awssim.Fault{gone}); err != nil {
			t.Fatal(err)
		}
		until(t, "2027-03-05T11:10:00+09:00")
		wantSaid(t, h.said(), "accounts-listed", "accounts-doubted", "accounts-doubted", "accounts-left")
		until(t, "2027-03-05T18:04:00+09:00")
		h.wantRunning("in the evening", "one", "two")
		d.mu.Lock()
		scopes := slices.Clone(d.Config.Scopes)
		d.mu.Unlock()
		if d := cmp.Diff([]fleet.Scope{{Account: "999900000005", Region: "us-east-1"}}, scopes); d != "" {
			t.Error(d)
		}
	})
}

func TestWhoIsMovedBetweenUnitsStays(t *testing.T) {
	last := &config.AccountList{Accounts: []config.ListedAccount{{ID: "999900000001", State: "ACTIVE"}, {ID: "999900000002", State: "ACTIVE"}, {ID: "999900000003", State: "SUSPENDED"}}}
	first := &config.AccountList{Accounts: []config.ListedAccount{{ID: "999900000001", State: "ACTIVE"}}}
	second := &config.AccountList{Accounts: []config.ListedAccount{{ID: "999900000001", State: "CLOSED"}, {ID: "999900000002", State: "ACTIVE"}}}
	if lost := missingAccounts(last, first); len(lost) != 1 || lost[0].ID != "999900000002" { // who was not active is not missed
		t.Errorf("lost %v", lost)
	}
	both := joined(first, second)
	if d := cmp.Diff(second.Accounts, both.Accounts); d != "" || len(missingAccounts(last, both)) > 0 {
		t.Errorf("joined %v", both)
	}
	if both := joined(second, first); len(both.Accounts) != 2 || both.Accounts[0].State != "ACTIVE" {
		t.Errorf("joined %v", both)
	}
}

func TestASinglePassAsksOrganizationsToo(t *testing.T) {
	sim := shopSim(t)
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T10:00:00+09:00")
		h := shopHouse(t, sim)
		// A question before anything is kept.
		a := h.open(h.store)
		report, err := a.DryRun(t.Context(), time.Time{}, false)
		if err != nil || len(report.Gaps) > 0 || len(report.Decisions) != 2 {
			t.Fatalf("dry run: %v, gaps %v, %d resources", err, report.Gaps, len(report.Decisions))
		}
		if kept, err := h.store.Objects(t.Context()); err != nil || len(kept) > 0 {
			t.Errorf("a question kept %v, %v", kept, err)
		}
		checkups, err := h.open(h.store).Doctor(t.Context())
		if err != nil || len(checkups) != 4 || !checkups[0].OK || checkups[0].Scope.String() != "organization/us-east-1" {
			t.Fatalf("doctor: %+v, %v", checkups, err)
		}
		if detail := checkups[0].Findings[2].Detail.String(); !strings.Contains(detail, "6 accounts, 5 of them active") || !strings.Contains(detail, "left alone: 999900000003 three (SUSPENDED)") {
			t.Errorf("doctor: %s", detail)
		}

		if _, err := h.open(h.store).Once(t.Context(), OnceOptions{}); err != nil {
			t.Fatal(err)
		}
		h.wantRunning("after run", "one", "two")
		before := len(calls(sim, "ListAccounts"))
		if _, err := h.open(h.store).Once(t.Context(), OnceOptions{}); err != nil {
			t.Fatal(err)
		}
		if n := len(calls(sim, "ListAccounts")); n != before {
			t.Errorf("listed %d times more within the refresh", n-before)
		}

		// Without a list and without an answer, it is said.
		if err := sim.SetFaults([]awssim.Fault{{Service: "organizations", Kind: awssim.FaultDenied}}); err != nil {
			t.Fatal(err)
		}
		bare := shopHouse(t, sim)
		once, err := bare.open(bare.store).Once(t.Context(), OnceOptions{})
		if err != nil || len(once.Gaps) != 1 || !strings.Contains(once.Gaps[0].String(), "organizations:ListAccounts") {
			t.Errorf("run: %v, %v", once.Gaps, err)
		}
		report, err = shopHouse(t, sim).open(h.store).DryRun(t.Context(), time.Time{}, false)
		if err != nil || len(report.Gaps) > 0 || len(report.Decisions) != 2 {
			t.Errorf("dry run with a list: %v, %v, %d resources", report.Gaps, err, len(report.Decisions))
		}
		checkups, err = bare.open(bare.store).Doctor(t.Context())
		if err != nil || checkups[0].OK || checkups[0].Findings[1].Missing != "organizations:ListAccounts" {
			t.Errorf("doctor: %+v, %v", checkups[0], err)
		}
	})
}
