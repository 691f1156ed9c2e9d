package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/holiday"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// save makes or changes an object of the store, as a command does.
func (h *house) save(kind store.ObjectKind, name, spec string) {
	h.t.Helper()
	objects, err := h.store.Objects(h.t.Context(), kind)
	if err != nil {
		h.t.Fatal(err)
	}
	object := store.Object{Kind: kind, Name: name, Spec: json.RawMessage(spec), Author: "minji", Changed: time.Now()}
	if i := slices.IndexFunc(objects, func(o store.Object) bool { return o.Name == name }); i >= 0 {
		object.Version = objects[i].Version
	}
	if _, err := h.store.SaveObject(h.t.Context(), object); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) remove(kind store.ObjectKind, name string) {
	h.t.Helper()
	objects, err := h.store.Objects(h.t.Context(), kind)
	if err != nil {
		h.t.Fatal(err)
	}
	i := slices.IndexFunc(objects, func(o store.Object) bool { return o.Name == name })
	if err := h.store.DeleteObject(h.t.Context(), kind, name, objects[i].Version); err != nil {
		h.t.Fatal(err)
	}
}

// What people make in the store takes effect within seconds, in a running daemon.
func TestObjectsTakeEffectWhileTheDaemonRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(17, 0, 0)))
		h := newHouse(t, peopleConfig, ec2("web", "running", "seoul-office"), ec2("lab", "running", "lab"))
		d := h.serve()
		sleepUntil(kst(17, 30, 0))
		h.save(store.ExceptionObject, "seoul-office:2027-03-05:stop", `{"schedule": "seoul-office", "date": "2027-03-05", "type": "stop", "value": "17:31"}`)
		h.save(store.PeriodObject, "late", `{"begintime": "20:00", "endtime": "23:00"}`)
		h.save(store.ScheduleObject, "lab", `{"periods": ["late"], "new_resource_grace": "1m"}`)
		h.save(store.RuleObject, "restart", `{"expression": "cron(30 21 * * ? *)", "timezone": "Asia/Seoul", "action": "reboot", "filters": "tag:Name=lab"}`)
		sleepUntil(kst(17, 35, 0))
		h.expect("an exception and a schedule", map[string]string{"web": "stopped", "lab": "stopped"})
		sleepUntil(kst(20, 1, 0))
		h.expect("the schedule's own time", map[string]string{"lab": "running"})
		sleepUntil(kst(21, 31, 0))
		if fired := h.acted("RebootInstances", "lab"); len(fired) != 1 {
			t.Errorf("rebooted at %v", fired)
		}

		// One that is broken is set aside and holds nothing else back.
		h.save(store.PeriodObject, "late", `{"begintime": "25:00"}`)
		h.save(store.ExceptionObject, "seoul-office:2027-03-05:stop", `{"schedule": "seoul-office", "date": "2027-03-05", "type": "stop", "value": "23:30"}`)
		sleepUntil(kst(22, 0, 0))
		h.expect("a broken period", map[string]string{"web": "running", "lab": "running"})
		sleepUntil(kst(23, 1, 0))
		h.expect("nobody knows when it ends", map[string]string{"lab": "running"})
		h.save(store.PeriodObject, "late", `{"begintime": "20:00", "endtime": "22:30"}`)
		sleepUntil(kst(23, 2, 0))
		h.expect("the period is mended", map[string]string{"web": "running", "lab": "stopped"})
		h.remove(store.ExceptionObject, "seoul-office:2027-03-05:stop")
		sleepUntil(kst(23, 3, 0))
		h.expect("the exception is gone", map[string]string{"web": "stopped"})
		d.stop()
		h.verify()
	})
}

// A wrong file does not keep people from deciding, and the refusal is said until
// the file is in order again, whatever passes are made meanwhile.
func TestABrokenFileDoesNotStopOverrides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(19, 0, 0)))
		h := newHouse(t, peopleConfig, ec2("web", "stopped", "seoul-office"), ec2("api", "stopped", "seoul-office"))
		command := h.open(h.store).Service() // the command was made while the file was in order
		d := h.serve()
		sleepUntil(kst(19, 1, 0))
		h.write("colour: blue\n" + peopleConfig)
		sleepUntil(kst(19, 2, 0))
		refused := func(want bool) {
			t.Helper()
			if got := strings.Contains(d.health().Detail, "the new configuration is refused, the running one stays"); got != want {
				t.Errorf("the refusal is said: %v, want %v: %+v", got, want, d.health())
			}
		}
		refused(true)
		answer, err := command.SetOverride(t.Context(), service.OverrideRequest{Target: "web", State: calendar.Running, End: service.End{For: time.Hour}, Author: "minji"})
		if err != nil {
			t.Fatal(err)
		}
		sleepUntil(kst(19, 3, 0))
		h.expect("an override beside a wrong file", map[string]string{"web": "running", "api": "stopped"})
		refused(true)
		if _, err := command.ClearOverride(t.Context(), service.OverrideClear{Target: answer.Override.ID, Author: "minji"}); err != nil {
			t.Fatal(err)
		}
		sleepUntil(kst(19, 5, 0))
		h.expect("cleared", map[string]string{"web": "stopped"})
		refused(true)
		h.write(peopleConfig)
		sleepUntil(kst(19, 6, 0))
		refused(false)
		d.stop()
	})
}

// A file that is changed while the store is down is taken when the store is back.
func TestAFileChangedWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(19, 0, 0)))
		h := newHouse(t, peopleConfig, ec2("web", "stopped", "seoul-office"))
		d := h.serve()
		sleepUntil(kst(19, 1, 0))
		d.store.dead.Store(true)
		h.write(strings.Replace(peopleConfig, `endtime: "18:00"`, `endtime: "23:00"`, 1))
		sleepUntil(kst(19, 3, 0))
		h.expect("without a store nothing is done", map[string]string{"web": "stopped"})
		if health := d.health(); health.Detail == "" {
			t.Errorf("nothing is said of the store: %+v", health)
		}
		d.store.dead.Store(false)
		sleepUntil(kst(19, 4, 0))
		h.expect("the store is back", map[string]string{"web": "running"})
		if health := d.health(); health.Detail != "" {
			t.Errorf("still said: %+v", health)
		}
		d.stop()
		h.verify()
	})
}

// A file that takes another's place is seen to, also when it is as long and was
// written within the same tick of the file system's clock.
func TestMarksTellFilesApart(t *testing.T) {
	t.Parallel()
	path, at := filepath.Join(t.TempDir(), "file"), time.Now()
	write := func(name, text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(name, []byte(text), 0o600), os.Chtimes(name, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if missing := fileMark(path); !missing.same(fileMark(path)) || missing.same(fileMark(path+"x")) {
		t.Error("a file that is not there is told apart from itself, or is the same as another")
	}
	missing := fileMark(path)
	write(path, "18:00")
	first := fileMark(path)
	if first.same(missing) || missing.same(first) || !first.same(fileMark(path)) {
		t.Error("a new file is not seen, or one that stays is")
	}
	write(path+".new", "23:00")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if first.same(fileMark(path)) {
		t.Error("another file in its place is not seen")
	}
}

// Decisions that were made while the store could not be reached from here are
// found by their revision, and acted on in time.
func TestRevisionsAreFoundWhenTheStoreIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(19, 0, 0)))
		h := newHouse(t, peopleConfig, ec2("web", "stopped", "seoul-office"), ec2("api", "stopped", "seoul-office"))
		d := h.serve()
		sleepUntil(kst(19, 1, 0))
		d.store.dead.Store(true)
		h.force(calendar.Running, "web", service.End{For: time.Hour})
		h.force(calendar.Running, "api", service.End{For: 30 * time.Second})
		sleepUntil(kst(19, 2, 0))
		h.expect("cut off", map[string]string{"web": "stopped", "api": "stopped"})
		d.store.dead.Store(false)
		sleepUntil(kst(19, 2, 40)) // the lease is had again, and what is over is not begun
		h.expect("back", map[string]string{"web": "running", "api": "stopped"})
		if ended := h.rows(store.EventOverrideEnded); len(ended) != 1 {
			t.Errorf("%d rows tell of the end of the one that was over", len(ended))
		}
		d.stop()
		h.verify()
	})
}

// A standby that takes over counts what people decided from its first pass on,
// also where it has not looked since.
func TestAStandbyAdoptsWhenItTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(17, 59, 0)))
		h := newHouse(t, peopleConfig, ec2("web", "running", "seoul-office"))
		first := h.lead()
		time.Sleep(time.Second)
		standby := h.lead() // it never looks by itself
		sleepUntil(kst(17, 59, 30))
		h.force(calendar.Running, "web", service.End{For: time.Hour})
		h.save(store.PeriodObject, "late", `{"begintime": "20:00"}`)
		first.stop()
		sleepUntil(kst(18, 5, 0))
		if stops := h.acted("StopInstances", "web"); len(stops) != 0 {
			t.Errorf("the standby stopped it at %v", stops)
		}
		if standby.Config.Config.Periods["late"].BeginTime != "20:00" {
			t.Error("the standby works with the configuration of an hour ago")
		}
		standby.stop()
	})
}

// calendarServer hands out what content says; empty: it fails.
type calendarServer struct {
	*httptest.Server
	content atomic.Pointer[string]
	asked   atomic.Int64
}

// newCalendarServer is made outside of the bubble: what waits for a connection is not idle.
func newCalendarServer(t *testing.T) *calendarServer {
	t.Helper()
	s := &calendarServer{}
	s.say("")
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked.Add(1)
		content := *s.content.Load()
		if content == "" {
			http.Error(w, "not today", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(content)) // the client may have gone
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *calendarServer) say(content string) { s.content.Store(&content) }

// icsOf is a calendar of days off.
func icsOf(dates ...string) string {
	var text strings.Builder
	text.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n")
	for i, date := range dates {
		fmt.Fprintf(&text, "BEGIN:VEVENT\r\nUID:%d@test\r\nDTSTAMP:20270101T000000Z\r\nDTSTART;VALUE=DATE:%s\r\nSUMMARY:Day off\r\nEND:VEVENT\r\n", i, date)
	}
	text.WriteString("END:VCALENDAR\r\n")
	return text.String()
}

const calendarConfig = `  closed: {periods: [office], holidays: [company]}
holidays:
  company: {url: %q, refresh: 1h}
`

// A calendar from an address: fetched and used, kept with its age while the
// server is down, reloaded when it has changed.
func TestAHolidayCalendarFromAnAddress(t *testing.T) {
	t.Parallel()
	server := newCalendarServer(t)
	server.say(icsOf("20270304"))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(8, 0, 0).AddDate(0, 0, -1)))
		h := newHouse(t, peopleConfig+fmt.Sprintf(calendarConfig, server.URL+"/days.ics"), ec2("web", "stopped", "closed"), ec2("other", "stopped", "seoul-office"))
		d := h.serve()
		sleepUntil(kst(9, 5, 0).AddDate(0, 0, -1))
		h.expect("on the day off", map[string]string{"web": "stopped", "other": "running"})
		if rows := h.rows(store.EventConfig); len(rows) != 1 || rows[0].Reason != "calendar-fetched" || rows[0].Name != "company" {
			t.Errorf("the record tells of the fetch: %+v", rows)
		}

		server.say("")
		sleepUntil(kst(9, 30, 0).AddDate(0, 0, -1))
		asked := server.asked.Load()
		sleepUntil(kst(11, 59, 0).AddDate(0, 0, -1))
		h.expect("the server is down", map[string]string{"web": "stopped", "other": "running"})
		if n := server.asked.Load() - asked; n < 5 || n > 10 {
			t.Errorf("asked %d times in two and a half hours of failures", n)
		}
		// A process that starts meanwhile has the copy too, and knows how old it is.
		again := h.open(h.store)
		if list := again.Config.Addresses; len(list) != 1 || list[0].Fetched.IsZero() || time.Since(list[0].Fetched) < 150*time.Minute {
			t.Errorf("the copy's age: %+v", list)
		}

		server.say(icsOf("20270305")) // today is a working day after all
		sleepUntil(kst(13, 5, 0).AddDate(0, 0, -1))
		h.expect("the calendar has changed", map[string]string{"web": "running"})
		d.stop()
		sleepUntil(kst(8, 50, 0))
		d = h.serve()
		sleepUntil(kst(9, 5, 0))
		h.expect("tomorrow", map[string]string{"web": "stopped", "other": "running"})

		// What is no calendar is not taken for one.
		server.say("<html>sign in</html>")
		sleepUntil(kst(12, 0, 0))
		h.expect("a page to sign in", map[string]string{"web": "stopped"})
		d.stop()
		h.verify()
	})
}

// The timetable of an address that fails: a minute, two, four … up to the
// refresh, and no longer because a clock was set back.
func TestTheTimetableOfAnAddress(t *testing.T) {
	t.Parallel()
	server := newCalendarServer(t)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(8, 0, 0)))
		h := newHouse(t, peopleConfig+fmt.Sprintf(calendarConfig, server.URL+"/days.ics"))
		shifted := &shiftedClock{}
		h.clock = shifted
		a := h.open(h.store)
		table := newTimetable()
		try := func() bool {
			before := server.asked.Load()
			err := a.fetchCalendars(t.Context(), a.Config, table)
			tried := server.asked.Load() != before
			if down := *server.content.Load() == ""; tried && down != (err != nil) {
				t.Errorf("server down %v, said %v", down, err)
			}
			return tried
		}
		var gaps []time.Duration
		last := time.Time{}
		for range 8 * 60 {
			if try() {
				if !last.IsZero() {
					gaps = append(gaps, time.Since(last))
				}
				last = time.Now()
			}
			time.Sleep(time.Minute)
		}
		var want []time.Duration
		for _, minutes := range []int{1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60} {
			want = append(want, time.Duration(minutes)*time.Minute)
		}
		if !slices.Equal(gaps, want) {
			t.Errorf("tried after %v, want %v", gaps, want)
		}
		shifted.by.Store(int64(-24 * time.Hour))
		if !try() {
			t.Error("a clock that was set back by a day puts the address off for a day")
		}
		server.say(icsOf("20270305"))
		time.Sleep(time.Hour)
		if !try() || try() {
			t.Error("the server is back: fetched once")
		}
		time.Sleep(time.Hour)
		if !try() {
			t.Error("not refreshed after an hour")
		}
		kept, err := h.store.Objects(t.Context(), store.CalendarCopy)
		if err != nil || len(kept) != 1 || strings.Contains(kept[0].Name, "http") {
			t.Fatalf("%+v, %v", kept, err)
		}
		var c holiday.Copy
		if err := json.Unmarshal(kept[0].Spec, &c); err != nil || c.URL != server.URL+"/days.ics" {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

// A file of days off beside the configuration is a part of it: a change of it is
// noticed, and a broken one leaves the last good one in force.
func TestAChangedCalendarFileIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kst(8, 0, 0)))
		h := newHouse(t, peopleConfig, ec2("web", "stopped", "closed"))
		days := filepath.Join(filepath.Dir(h.file), "days.ics")
		put := func(text string) {
			t.Helper()
			if err := os.WriteFile(days, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put(icsOf("20270305"))
		h.write(peopleConfig + `  closed: {periods: [office], holidays: [company]}
holidays:
  company: {file: days.ics}
`)
		d := h.serve()
		sleepUntil(kst(9, 5, 0))
		h.expect("on the day off", map[string]string{"web": "stopped"})
		put("BEGIN:VCALENDAR\r\nnothing")
		sleepUntil(kst(9, 6, 0))
		if health := d.health(); !strings.Contains(health.Detail, "days.ics") {
			t.Errorf("the refusal is not said: %+v", health)
		}
		h.expect("a broken file", map[string]string{"web": "stopped"})
		put(icsOf("20270306", "20270307"))
		sleepUntil(kst(9, 7, 0))
		h.expect("a working day after all", map[string]string{"web": "running"})
		d.stop()
	})
}
