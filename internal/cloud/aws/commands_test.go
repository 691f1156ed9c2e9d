package aws

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/cloudtest"
)

// simInside is a simulated AWS with the instances, and what is inside them.
func simInside(t *testing.T, opt awssim.Options, instances []cloudtest.Inside) (*awssim.Cloud, cloudtest.CommanderWorld) {
	t.Helper()
	w := cloudtest.CommanderWorld{Scope: testScope}
	var holds awssim.Fleet
	for n, inside := range instances {
		r := awssim.Resource{Account: string(hub), Region: string(testScope.Region), Kind: "ec2", ID: simInstance(n)}
		if inside.Stopped {
			r.State = "stopped"
		}
		if !inside.NoAgent {
			r.Guest = &awssim.Guest{Files: inside.Files, Sessions: inside.Sessions}
			if inside.Windows {
				r.Guest.Platform = "windows"
			}
			if inside.Offline {
				r.Guest.Agent = "offline"
			}
			for _, s := range inside.Scripts {
				r.Guest.Commands = append(r.Guest.Commands, awssim.GuestCommand{Contains: s.Contains, Exit: s.Exit, Output: s.Output, After: awssim.Duration(s.Takes)})
			}
		}
		holds.Resources = append(holds.Resources, r)
		w.IDs = append(w.IDs, r.ID)
	}
	c, sim := simulateFleet(t, opt, holds, nil)
	w.Commander, w.Now, w.Pass = c, time.Now, time.Sleep
	w.Sent = func() int { return len(sim.SentCommands("", "")) }
	return sim, w
}

func TestCommandsOnASimulatedAWS(t *testing.T) {
	cloudtest.ExerciseCommander(t, cloudtest.CommanderHarness{
		Within: synctest.Test,
		Open: func(t *testing.T, instances []cloudtest.Inside) cloudtest.CommanderWorld {
			sim, w := simInside(t, awssim.Options{}, instances)
			t.Cleanup(func() {
				if n := sim.Stats().Throttled; n > 0 {
					t.Errorf("%d calls were throttled", n)
				}
			})
			return w
		},
	})
}

// A command whose answer got lost was sent all the same: it is found, not sent
// twice; one that never arrived is an error, and is sent when it is asked for again.
func TestACommandIsSentOnceAlsoWhenItsAnswerIsLost(t *testing.T) {
	for _, arrives := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			sim, w := simInside(t, awssim.Options{}, make([]cloudtest.Inside, 2))
			if err := sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultReset, Action: "SendCommand", Count: 1, Applied: arrives}}); err != nil {
				t.Fatal(err)
			}
			command := cloud.Command{IDs: w.IDs, Lines: []string{"true"}, Timeout: time.Minute, Token: "run/tier/1", Since: time.Now()}
			first, err := w.Send(t.Context(), w.Scope, command)
			if arrives != (err == nil) || !arrives && !errors.Is(err, cloud.ErrTransient) {
				t.Errorf("arrives %v: %v", arrives, err)
			}
			again, err := w.Send(t.Context(), w.Scope, command)
			if err != nil || arrives && again != first || w.Sent() != 1 {
				t.Errorf("arrives %v: %q %q %v, %d sent", arrives, first, again, err, w.Sent())
			}
		})
	}
}

// A throttled command is sent later; the listing before it is tried again too.
func TestAThrottledCommandIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, w := simInside(t, awssim.Options{}, make([]cloudtest.Inside, 1))
		if err := sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultThrottle, Action: "*Command*", Count: 5}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Send(t.Context(), w.Scope, cloud.Command{IDs: w.IDs, Lines: []string{"true"}, Timeout: time.Minute, Token: "a", Since: time.Now()}); err != nil || w.Sent() != 1 {
			t.Errorf("%v, %d sent", err, w.Sent())
		}
	})
}

// What cannot be known is an error, not "no session" and not "nobody answers".
func TestWhatIsInsideIsKnownOrAnError(t *testing.T) {
	for _, kind := range []awssim.FaultKind{awssim.FaultEmpty, awssim.FaultHTML, awssim.FaultCut, awssim.FaultDenied} {
		synctest.Test(t, func(t *testing.T) {
			sim, w := simInside(t, awssim.Options{}, []cloudtest.Inside{{Sessions: 1}})
			id, err := w.Send(t.Context(), w.Scope, cloud.Command{IDs: w.IDs, Lines: []string{"true"}, Timeout: time.Minute, Token: "a", Since: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			if err := sim.SetFaults([]awssim.Fault{{Kind: kind, Service: "ssm"}}); err != nil {
				t.Fatal(err)
			}
			if got, err := w.Sessions(t.Context(), w.Scope, w.IDs); err == nil || got != nil {
				t.Errorf("%s: sessions %v %v", kind, got, err)
			}
			if got, err := w.Reachable(t.Context(), w.Scope, w.IDs); err == nil || got != nil {
				t.Errorf("%s: reachable %v %v", kind, got, err)
			}
			got, err := w.Results(t.Context(), w.Scope, id)
			if err == nil || got != nil {
				t.Errorf("%s: results %v %v", kind, got, err)
			}
			if kind == awssim.FaultDenied && !strings.Contains(err.Error(), "ssm:ListCommandInvocations") {
				t.Errorf("not allowed: %v", err)
			}
		})
	}
}
