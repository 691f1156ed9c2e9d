package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"dayshift/internal/awssim"
	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

// sender is a channel of a func.
type sender func(notify.Message)

func (sender) Name() string { return "test" }

func (s sender) Send(_ context.Context, m notify.Message) error { s(m); return nil }

// scopeMemory is what the store remembers of a scope.
func scopeMemory(t *testing.T, kept store.Store, region string) decide.Breaker {
	t.Helper()
	m, err := kept.ScopeMemory(t.Context(), fleet.Scope{Account: "111122223333", Region: fleet.Region(region)})
	if err != nil {
		t.Fatal(err)
	}
	return m.Breaker
}

// reasons are those of the rows of a scope, in order.
func reasons(t *testing.T, kept store.Store, region string) string {
	t.Helper()
	rows, err := kept.Activity(t.Context(), store.ActivityQuery{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, row := range rows {
		if row.Ref.Scope.Region == fleet.Region(region) && row.Ref.ID == "" {
			words = append(words, row.Reason)
		}
	}
	return strings.Join(words, " ")
}

// looks are the calls to a region in a time, by the instant of each look: those that come together are one.
func looks(sim *awssim.Cloud, region string, from, to time.Time) (instants []time.Time, made int) {
	for _, call := range sim.Calls() {
		if call.Region != region || call.Time.Before(from) || !call.Time.Before(to) {
			continue
		}
		made++
		if n := len(instants); n == 0 || call.Time.Sub(instants[n-1]) > 10*time.Second {
			instants = append(instants, call.Time)
		}
	}
	return instants, made
}

// A dead scope is looked at again at growing gaps, in quarantine no more than a call for
// each kind a look, and is back with the first look that succeeds.
func TestFault33ADeadScopeGoesIntoQuarantineAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-06T08:00:00+09:00") // a Saturday: nothing is scheduled
		begun := time.Now()
		sim := officeSim(t)
		if err := sim.SetFaults([]awssim.Fault{{Kind: "html", Region: "us-east-1"}}); err != nil {
			t.Fatal(err)
		}
		kept := memory.New()
		d := newDaemon(t, strings.Replace(officeConfig, "5m", "1h", 1), kept, sim)
		stop := lead(t, d)
		until(t, "2027-03-06T10:00:00+09:00")
		found, made := looks(sim, "us-east-1", begun, time.Now())
		var gaps []string
		for i := 1; i < len(found); i++ {
			gaps = append(gaps, found[i].Sub(found[i-1]).Round(15*time.Second).String())
		}
		want := []string{"15s", "30s", "1m0s", "2m0s", "1m0s", "2m0s", "4m0s", "8m0s", "16m0s", "30m0s", "30m0s"}
		if !slices.Equal(gaps, want) {
			t.Errorf("looked at again after %v, want %v", gaps, want)
		}
		if kinds := len(d.Cloud.Kinds()); made > 2+3*kinds+(len(found)-1)*kinds {
			t.Errorf("%d calls in %d looks", made, len(found))
		}
		b := scopeMemory(t, kept, "us-east-1")
		if !b.Quarantined() || b.Trouble != decide.NoAnswer || b.Fails != len(found) {
			t.Errorf("%+v after %d looks", b, len(found))
		}
		sim.ResetCalls()
		if err := sim.SetFaults(nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(b.Next) + 5*time.Second)
		if b := scopeMemory(t, kept, "us-east-1"); b != (decide.Breaker{}) {
			t.Errorf("after a success: %+v", b)
		}
		if got := reasons(t, kept, "us-east-1"); got != "gap quarantined gap-closed quarantine-ended" && got != "gap quarantined quarantine-ended gap-closed" {
			t.Errorf("the record says: %s", got)
		}
		stop()
	})
}

// A region that the account has not opted in to is told of once, costs a call
// per gap, and is not told of again by the next process.
func TestFault34ARegionThatIsOffIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-06T08:00:00+09:00")
		begun := time.Now()
		sim := officeSim(t)
		if err := sim.SetFaults([]awssim.Fault{{Kind: "not-opted-in", Region: "us-east-1"}}); err != nil {
			t.Fatal(err)
		}
		kept := memory.New()
		var told []notify.Message
		d := newDaemon(t, strings.Replace(officeConfig, "5m", "1h", 1), kept, sim)
		d.Receivers = []notify.Receiver{notify.Direct{Sender: sender(func(m notify.Message) { told = append(told, m) })}}
		stop := lead(t, d)
		until(t, "2027-03-06T10:00:00+09:00")
		stop()
		found, made := looks(sim, "us-east-1", begun, time.Now())
		if b := scopeMemory(t, kept, "us-east-1"); b.Trouble != decide.RegionDisabled || !b.Quarantined() || b.Fails != len(found) {
			t.Errorf("%+v after %d looks", b, len(found))
		}
		if most := len(d.Cloud.Kinds()) + len(found) + 2; len(found) < 5 || len(found) > 9 || made > most {
			t.Errorf("%d calls in %d looks, want %d at most", made, len(found), most)
		}
		d = newDaemon(t, strings.Replace(officeConfig, "5m", "1h", 1), kept, sim)
		d.Receivers = []notify.Receiver{notify.Direct{Sender: sender(func(m notify.Message) { told = append(told, m) })}}
		stop = lead(t, d)
		until(t, "2027-03-06T12:00:00+09:00")
		stop()
		if got := reasons(t, kept, "us-east-1"); got != "quarantined gap" && got != "gap quarantined" {
			t.Errorf("the record says: %s", got)
		}
		gaps := 0
		for _, m := range told {
			if m.Kind == notify.Gap {
				gaps++
			}
		}
		if gaps != 1 {
			t.Errorf("people were told %d times", gaps)
		}
	})
}

// In one account nothing answers in time, or everything is throttled for good;
// the others start at nine and stop at six all the same.
func TestFault22AnAccountInTroubleDelaysNoOther(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		fault  awssim.Fault
		others int // accounts
	}{
		{"it hangs", awssim.Fault{Kind: "hang"}, 50},
		{"every call is throttled", awssim.Fault{Kind: "throttle"}, 12},
		{"its starts and stops are throttled", awssim.Fault{Kind: "throttle", Action: "St*Instances"}, 12},
	} {
		t.Run(test.name, func(t *testing.T) { accountInTrouble(t, test.fault, test.others) })
	}
}

func accountInTrouble(t *testing.T, fault awssim.Fault, others int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		until(t, "2027-03-05T08:30:00+09:00")
		var accounts strings.Builder
		keys := map[fleet.AccountID]sdk.CredentialsProvider{}
		holds := awssim.Fleet{}
		for n := range others + 1 {
			id := fmt.Sprintf("%012d", 300_000_000_000+n)
			fmt.Fprintf(&accounts, "  - {id: %q, profile: p%d, regions: [ap-northeast-2]}\n", id, n)
			keys[fleet.AccountID(id)] = credentials.NewStaticCredentialsProvider(id, "any", "")
			holds.Accounts = append(holds.Accounts, awssim.Account{ID: id})
			holds.Resources = append(holds.Resources, awssim.Resource{
				Account: id, Region: "ap-northeast-2", Kind: "ec2", Name: "web-#", Count: 2, State: "stopped", Tags: map[string]string{"Schedule": "seoul-office"},
			})
		}
		sim := awssim.New(awssim.Options{Seed: 5})
		if err := sim.Load(holds); err != nil {
			t.Fatal(err)
		}
		const dead = "300000000000"
		text := strings.Replace(officeConfig, `  - {id: "111122223333", regions: [ap-northeast-2, us-east-1]}`+"\n", accounts.String(), 1)
		text = strings.Replace(text, "5m", "1h", 1)
		d := newDaemonOf(t, text, memory.New(), sim, keys)
		stop := lead(t, d)
		until(t, "2027-03-05T08:58:00+09:00") // it begins to hang when everybody knows the fleet
		fault.Account = dead
		if err := sim.SetFaults([]awssim.Fault{fault}); err != nil {
			t.Fatal(err)
		}
		until(t, "2027-03-05T09:01:00+09:00")
		nine := time.Date(2027, 3, 5, 0, 0, 0, 0, time.UTC)
		var late []time.Duration
		for _, call := range calls(sim, "StartInstances") {
			if call.Account != dead {
				late = append(late, call.Time.Sub(nine))
			}
		}
		slices.Sort(late)
		if len(late) != others {
			t.Fatalf("%d of %d accounts were started a minute after nine", len(late), others)
		}
		if worst := late[len(late)-1]; late[0] < 0 || worst > discover.Patience+time.Second {
			t.Errorf("lateness of the first start: best %v, worst %v", late[0], worst)
		}
		// From then on it has passes of its own: the evening is not late at all.
		until(t, "2027-03-05T18:01:00+09:00")
		six := nine.Add(9 * time.Hour)
		stops := calls(sim, "StopInstances")
		for _, call := range stops {
			if by := call.Time.Sub(six); call.Account != dead && (by < 0 || by > time.Second) {
				t.Errorf("%s was stopped %v late", call.Account, by)
			}
		}
		if len(stops) != others {
			t.Errorf("%d of %d accounts were stopped", len(stops), others)
		}
		stop()
	})
}
