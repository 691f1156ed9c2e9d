package app

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/notify"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// What is in force from now on is told with who changed it, where that is known; what can not be used with its first fault,
// once; both by the process that acts alone.
func TestPeopleHearOfAChangedConfiguration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(14, 0, 0)))
		h := newHouse(t, warnedConfig, rds("orders", "available", "seoul-office"))
		d, standby := h.serve(), h.serve("the standby")
		sleepUntil(kst(14, 1, 0))
		h.expectTold("at the start", notify.ConfigChanged)

		change := service.ObjectChange{Kind: store.PeriodObject, Name: "night", Spec: []byte(`{"begintime": "22:00", "endtime": "23:00"}`), Author: "minji"}
		if _, err := h.open(h.store).Service().SaveObject(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		sleepUntil(kst(14, 2, 0))
		made := []string{"14:01 minji: periods.night.begintime: 22:00 (new)", "14:01 minji: periods.night.endtime: 23:00 (new)", "14:01 minji: periods.night.on_holidays: false (new)"}
		h.expectTold("a period was made", notify.ConfigChanged, made...)

		h.write(strings.Replace(warnedConfig, "notify_before_stop: 10m", "notify_before_stop: 15m", 1))
		sleepUntil(kst(14, 3, 0))
		made = append(made, "14:02 schedules.seoul-office.notify_before_stop: 10m → 15m")
		h.expectTold("the file changed", notify.ConfigChanged, made...)

		people := h.open(h.store).Service()
		h.write(strings.Replace(warnedConfig, "periods: [office]", "periods: [offices]", 1))
		sleepUntil(kst(14, 4, 0))
		refused := h.told.told(notify.ConfigRefused)
		if len(refused) != 1 || !strings.Contains(refused[0], "14:03 ") || !strings.Contains(refused[0], "dayshift.yaml:10:") || !strings.Contains(refused[0], `"offices"`) || !strings.Contains(refused[0], "did you mean \"office\"?") {
			t.Errorf("refused: %q", refused)
		}
		wake := service.OverrideRequest{Target: "orders", State: calendar.Running, End: service.End{For: time.Hour}, Author: "jun"}
		if _, err := people.SetOverride(t.Context(), wake); err != nil { // the file is read anew, and is as wrong as it was
			t.Fatal(err)
		}
		sleepUntil(kst(14, 5, 0))
		if again := h.told.told(notify.ConfigRefused); len(again) != 1 {
			t.Errorf("refused: %q", again)
		}
		h.expectTold("refused", notify.ConfigChanged, made...)
		d.stop()
		standby.stop()
		h.verify()
	})
}
