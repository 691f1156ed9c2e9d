package aws

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

var reservedScope = fleet.Scope{Account: hub, Region: "eu-central-1"}

func TestReserverOnASimulatedAWS(t *testing.T) {
	for name, options := range map[string]awssim.Options{"in whole pages": {}, "in pages of seven": {PageCap: 7}} {
		t.Run(name, func(t *testing.T) {
			cloudtest.ExerciseReserver(t, cloudtest.ReserverHarness{
				Scopes: []fleet.Scope{reservedScope, {Account: spoke, Region: "eu-central-1"}},
				Zones:  []string{"eu-central-1a", "eu-central-1b"}, Type: "m5.large", Plain: "t2.micro", Tag: kinds.ReservationTag,
				Within: synctest.Test,
				Open: func(t *testing.T) cloudtest.ReserverWorld {
					c, sim := simulate(t, options, nil, nil)
					t.Cleanup(func() {
						if n := sim.Stats().Throttled; n > 0 {
							t.Errorf("%d calls were throttled", n)
						}
					})
					return cloudtest.ReserverWorld{Reserver: c.Reserver(), Types: c.Reserver(), Limit: sim.LimitCapacity, Now: sim.Now, Pass: time.Sleep}
				},
			})
		})
	}
}

func order(count int) cloud.Order {
	return cloud.Order{
		Type: "m5.large", Zone: "eu-central-1a", Platform: "Linux/UNIX", Tenancy: "default", Match: "open", Count: count,
		Tags: map[string]string{kinds.ReservationTag: "sale"},
	}
}

// calls counts what the simulated AWS was asked.
func calls(sim *awssim.Cloud, action string) int64 { return sim.Stats().ByAction["ec2:"+action] }

// FAULTS 41: a time-out after a success, told apart from a failure by the token alone.
func TestALostAnswerToAPurchaseBuysOnce(t *testing.T) {
	for _, kind := range []awssim.FaultKind{awssim.FaultReset, awssim.FaultHang, awssim.FaultCut, awssim.FaultGarbage, awssim.FaultHTML, awssim.FaultEmpty, awssim.FaultErrorIn200} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, sim := simulate(t, awssim.Options{}, nil, nil)
				fault := awssim.Fault{Kind: kind, Action: "CreateCapacityReservation", Applied: true, Count: 1}
				if kind == awssim.FaultErrorIn200 {
					fault.Code = "InternalError"
				}
				if err := sim.SetFaults([]awssim.Fault{fault}); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Reserver().Reserve(t.Context(), reservedScope, order(10), "intent-1"); !errors.Is(err, cloud.ErrTransient) {
					t.Fatalf("the lost answer is %v", err)
				}
				if n := calls(sim, "CreateCapacityReservation"); n != 1 {
					t.Errorf("%d purchases were tried by itself", n)
				}
				made, err := c.Reserver().Reserve(t.Context(), reservedScope, order(10), "intent-1")
				list, listErr := c.Reserver().Reservations(t.Context(), reservedScope)
				if err != nil || listErr != nil || len(list) != 1 || list[0].ID != made.ID || list[0].Total != 10 {
					t.Errorf("bought %v; %+v, %v %v", list, made, err, listErr)
				}
			})
		})
	}
}

func TestAStrangeListingOfReservationsIsNoEmptyOne(t *testing.T) {
	for _, kind := range []awssim.FaultKind{awssim.FaultGarbage, awssim.FaultHTML, awssim.FaultEmpty, awssim.FaultErrorIn200, awssim.FaultTokenLoop, awssim.FaultCut, awssim.FaultUnreachable} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, sim := simulate(t, awssim.Options{PageCap: 2}, nil, nil)
				for n := range 5 {
					if _, err := c.Reserver().Reserve(t.Context(), reservedScope, order(1), "t"+string(rune('0'+n))); err != nil {
						t.Fatal(err)
					}
				}
				fault := awssim.Fault{Kind: kind, Action: "DescribeCapacityReservations"}
				if kind == awssim.FaultErrorIn200 {
					fault.Code = "InternalError"
				}
				if err := sim.SetFaults([]awssim.Fault{fault}); err != nil {
					t.Fatal(err)
				}
				if list, err := c.Reserver().Reservations(t.Context(), reservedScope); !errors.Is(err, cloud.ErrTransient) || list != nil {
					t.Errorf("%d reservations, %v", len(list), err)
				}
			})
		})
	}
}

func TestReservationsArePacedAndThrottlingLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sim := simulate(t, awssim.Options{}, nil, nil)
		began := time.Now()
		id := ""
		for n := 1; n <= 80; n++ { // the bucket holds 50, and 5 come back in a second
			if n == 1 {
				made, err := c.Reserver().Reserve(t.Context(), reservedScope, order(1), "t")
				if err != nil {
					t.Fatal(err)
				}
				id = made.ID
				continue
			}
			if err := c.Reserver().Modify(t.Context(), reservedScope, id, cloud.Change{Count: n}); err != nil {
				t.Fatal(err)
			}
		}
		if took, n := time.Since(began), sim.Stats().Throttled; took < 5*time.Second || took > 8*time.Second || n > 0 {
			t.Errorf("80 calls took %v, %d were throttled", took, n)
		}
		if err := sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultThrottle, Count: 3}}); err != nil {
			t.Fatal(err)
		}
		if err := c.Reserver().Cancel(t.Context(), reservedScope, id); err != nil {
			t.Errorf("a throttled cancel: %v", err)
		}
	})
}

func TestCancelOfWhatIsCommittedSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sim := simulate(t, awssim.Options{}, nil, nil)
		dated := order(100)
		dated.Match, dated.Start, dated.Commitment = "targeted", sim.Now().Add(6*24*time.Hour), 20*24*time.Hour
		made, err := c.Reserver().Reserve(t.Context(), reservedScope, dated, "t")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * 24 * time.Hour)
		err = c.Reserver().Cancel(t.Context(), reservedScope, made.ID)
		if !errors.Is(err, cloud.ErrWrongState) || !strings.Contains(err.Error(), "is committed until") {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestTheProbeNamesWhatReservationsLack(t *testing.T) {
	for name, tc := range map[string]struct {
		deny    []string
		uses    bool
		missing []string
	}{
		"nothing is missing":               {uses: true},
		"no reservations are configured":   {deny: []string{"ec2:*CapacityReservation*"}},
		"they can not be listed":           {deny: []string{"ec2:*CapacityReservation*"}, uses: true, missing: []string{"ec2:DescribeCapacityReservations"}},
		"capacity can not be bought":       {deny: []string{"ec2:CreateCapacityReservation"}, uses: true, missing: []string{"ec2:CreateCapacityReservation"}},
		"types can not be described":       {deny: []string{"ec2:DescribeInstanceTypes"}, uses: true, missing: []string{"ec2:DescribeInstanceTypes"}},
		"reservations can not be modified": {deny: []string{"ec2:ModifyCapacityReservation"}, uses: true, missing: []string{"ec2:ModifyCapacityReservation"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spokeScope := fleet.Scope{Account: spoke, Region: "us-east-1"}
				sim := awssim.New(awssim.Options{})
				if err := sim.Load(awssim.Fleet{Accounts: []awssim.Account{{ID: string(spoke), Roles: []awssim.Role{{Name: "full"}, {Name: "dayshift", ExternalID: "between-us", Deny: tc.deny}}}}}); err != nil {
					t.Fatal(err)
				}
				full := simAccounts[1]
				full.RoleARN = strings.Replace(full.RoleARN, "dayshift", "full", 1)
				full.ExternalID = ""
				owner := cloudOn(t, sim, Config{Accounts: []Account{full}})
				made := order(2)
				made.Zone = "us-east-1a"
				if _, err := owner.Reserver().Reserve(t.Context(), spokeScope, made, "t"); err != nil {
					t.Fatal(err)
				}
				holding := []fleet.Scope{{Account: spoke, Region: "eu-central-1"}} // no reason to look elsewhere
				if tc.uses {
					holding = append(holding, spokeScope)
				}
				c := cloudOn(t, sim, Config{Accounts: simAccounts[1:], Kinds: []fleet.Kind{fleet.EC2Instance}, Reservations: holding})
				var missing []string
				lines := 0
				for _, finding := range c.Probe(t.Context(), spokeScope) {
					if strings.Contains(finding.Ability.String(), "capacity") || strings.Contains(finding.Ability.String(), "instance types") {
						lines++
						if finding.Missing != "" {
							missing = append(missing, finding.Missing)
						}
						if finding.OK != (finding.Missing == "") || finding.Untested {
							t.Errorf("%+v", finding)
						}
					}
				}
				if strings.Join(missing, " ") != strings.Join(tc.missing, " ") || (lines > 0) != tc.uses {
					t.Errorf("%d lines, missing %v, want %v", lines, missing, tc.missing)
				}
				if list, err := owner.Reserver().Reservations(t.Context(), spokeScope); err != nil || len(list) != 1 || list[0].Total != 2 || list[0].State != cloud.ReservationActive {
					t.Errorf("the probe left %+v, %v", list, err)
				}
			})
		})
	}
}

// cloudOn makes a Cloud on a simulated AWS.
func cloudOn(t *testing.T, sim *awssim.Cloud, config Config) *Cloud {
	t.Helper()
	config.Credentials, config.Transport = credentials.NewStaticCredentialsProvider(string(hub), "secret", ""), sim.Transport()
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
