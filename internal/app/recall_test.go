package app

import (
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/notify"
)

// What can not be seen is told when that begins and when it ends, once each, whichever process looks.
func TestAGapIsToldOnceOverRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(14, 0, 0)))
		h := newHouse(t, warnedConfig, rds("orders", "available", "seoul-office"))
		d := h.serve()
		sleepUntil(kst(14, 5, 0))
		if err := h.sim.SetFaults([]awssim.Fault{{Kind: awssim.FaultDenied, Action: "Describe*", Region: "ap-northeast-2"}}); err != nil {
			t.Fatal(err)
		}
		sleepUntil(kst(16, 30, 0))
		if n := len(h.told.when(notify.Gap)); n != 1 {
			t.Errorf("people were told %d times", n)
		}
		d.kill()
		d = h.serve("the second")
		sleepUntil(kst(17, 30, 0))
		if n := len(h.told.when(notify.Gap)); n != 1 {
			t.Errorf("after a restart people were told %d times", n)
		}
		d.stop()
		if err := h.sim.SetFaults(nil); err != nil {
			t.Fatal(err)
		}
		d = h.serve("the third")
		sleepUntil(kst(18, 30, 0))
		if n := len(h.told.when(notify.GapClosed)); n != 1 {
			t.Errorf("that it is over was told %d times", n)
		}
		d.stop()
		d = h.serve("the fourth")
		sleepUntil(kst(19, 0, 0))
		if gaps, closed := len(h.told.when(notify.Gap)), len(h.told.when(notify.GapClosed)); gaps != 1 || closed != 1 {
			t.Errorf("people were told %d and %d times", gaps, closed)
		}
		d.stop()
		h.verify()
	})
}
