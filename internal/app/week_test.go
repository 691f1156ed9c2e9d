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
	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// weekConfig has something of everything that moves a start or a stop. The week
// of the tests begins on Monday, 8 February 2027: Seollal, with its substitute
// on Tuesday.
const weekConfig = `
store: "memory:"
timezone: Asia/Seoul
resync_interval: 2h
accounts:
  - {id: "111122223333", regions: [ap-northeast-2, us-east-1]}
periods:
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
  morning: {begintime: "07:30", endtime: "12:00", weekdays: mon-fri}
  afternoon: {begintime: "12:00", endtime: "19:30", weekdays: mon-fri}
  saturday: {begintime: "10:00", endtime: "16:00", weekdays: sat}
  night: {begintime: "22:00", endtime: "06:00", weekdays: mon-fri}
  evening: {endtime: "20:00"}
schedules:
  seoul-office: {periods: [office, saturday], holidays: [kr], notify_before_stop: 10m}
  nights: {timezone: America/New_York, periods: [night]}
  spread: {periods: [office], jitter: 30m, start_lead: 15m}
  whatever: {periods: [evening]}
  strict: {periods: [morning@t3.large, afternoon@t3.small], enforced: true, new_resource_grace: 0s}
  forgetful: {periods: [office], max_manual_uptime: 3h}
  sleepy: {timezone: UTC, periods: [office], hibernate: true}
  patched: {periods: [saturday], ssm_maintenance_window: [patching]}
  stopper: {periods: [office], mode: stop-only}
  watched: {periods: [office], observe: true}
holidays:
  kr: {builtin: kr}
exceptions:
  - {schedule: seoul-office, date: 2027-02-10, type: stop, value: "21:00"}
  - {schedule: seoul-office, date: 2027-02-11, type: start, value: "07:00"}
  - {schedule: seoul-office, date: 2027-02-12, type: stop, value: none}
  - {schedule: spread, date: 2027-02-13, type: start, value: "10:00"}
  - {schedule: nights, date: 2027-02-10, type: stop, value: "04:00"}
rules:
  batch-off: {expression: "cron(55 23 ? * MON-FRI *)", timezone: Asia/Seoul, action: stop, filters: "tag:Team=batch"}
  batch-on: {expression: "cron(15 4 ? * WED,FRI *)", timezone: Asia/Seoul, action: start, filters: "tag:Team=batch"}
  freshen: {expression: "cron(0 13 ? * WED *)", timezone: Asia/Seoul, action: reboot, filters: "tag:Env=dev"}
  rest: {expression: "rate(36 hours)", action: stop, filters: "tag:Env=lab"}
  larger: {expression: "at(2027-02-11T15:30:00)", timezone: Asia/Seoul, action: "resize:m5.large", filters: "tag:Env=dev"}
protect: ["tag:Env=prod"]
`

func weekFleet() awssim.Fleet {
	in := func(region string, r awssim.Resource) awssim.Resource {
		r.Region = region
		return r
	}
	many := func(n int, r awssim.Resource) awssim.Resource {
		r.Count = n
		return r
	}
	typed := func(typ string, r awssim.Resource) awssim.Resource {
		r.Type = typ
		return r
	}
	with := func(r awssim.Resource, change func(*awssim.Resource)) awssim.Resource {
		change(&r)
		return r
	}
	return awssim.Fleet{
		Windows: []awssim.Window{{Account: "111122223333", Region: "ap-northeast-2", Name: "patching", Cron: "cron(0 2 ? * THU *)", Timezone: "Asia/Seoul", Hours: 2}},
		Resources: []awssim.Resource{
			many(3, ec2("web-#", "running", "seoul-office", "Env", "dev")),
			many(2, ec2("api-#", "stopped", "seoul-office", "Env", "dev")),
			rds("db", "available", "seoul-office"),
			with(rds("db-patched", "stopped", "seoul-office"), func(r *awssim.Resource) { r.Window = "tue:17:00-tue:18:30" }),
			with(rds("db-weekend", "stopped", "whatever"), func(r *awssim.Resource) { r.Window = "sat:23:00-sun:00:15" }),
			in("us-east-1", many(2, ec2("etl-#", "running", "nights", "Team", "batch"))),
			in("us-east-1", rds("warehouse", "available", "nights")),
			many(5, ec2("spread-#", "stopped", "spread")),
			many(2, ec2("any-#", "running", "whatever")),
			many(2, typed("t3.small", ec2("strict-#", "stopped", "strict"))),
			ec2("forgotten", "stopped", "forgetful", "Team", "batch"),
			with(ec2("sleeper", "running", "sleepy"), func(r *awssim.Resource) { r.Hibernation = true }),
			ec2("plain-sleeper", "running", "sleepy", "Env", "lab"),
			ec2("patched", "stopped", "patched"),
			ec2("stopper", "running", "stopper"),
			many(2, ec2("watched-#", "running", "watched", "Env", "lab")),
			ec2("prod", "running", "seoul-office", "Env", "prod"),
			ec2("protected", "running", "nights", "dayshift:protect", "true"),
			with(ec2("member", "running", "seoul-office"), func(r *awssim.Resource) { r.ASG = "workers" }),
			with(ec2("spot", "running", "seoul-office"), func(r *awssim.Resource) { r.Spot = "one-time" }),
			ec2("untagged", "running", "", "Team", "batch"),
			ec2("unknown", "running", "gone-office"),
		},
	}
}

var weekBegin = time.Date(2027, 2, 8, 0, 0, 0, 0, time.FixedZone("KST", 9*60*60))

// The days to come as they are told on Monday at midnight are the days as they
// are, to the second, action by action, each for the same reason.
func TestAPreviewOfAWeekIsTheWeek(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		until(t, weekBegin.Format(time.RFC3339))
		h := houseOver(t, atOnce(), weekConfig)
		h.load(weekFleet())
		h.force(calendar.Running, "resource:api-1", service.End{Until: weekBegin.Add(68*time.Hour + 10*time.Minute)}) // Wednesday 20:10
		h.force(calendar.Stopped, "schedule:spread", service.End{For: 35 * time.Hour})
		h.force(calendar.Running, "resource:db-patched", service.End{Boundary: true})

		end := weekBegin.AddDate(0, 0, previewed)
		told, err := h.open(h.store).Service().Preview(t.Context(), weekBegin, end)
		if err != nil {
			t.Fatal(err)
		}
		d := h.lead()
		var seen []sight
		for _, at := range []time.Duration{5 * time.Minute, 21*time.Hour + time.Second, 57*time.Hour + 30*time.Minute, 66*time.Hour + 9*time.Second, 97 * time.Hour, 140 * time.Hour} {
			if weekBegin.Add(at).After(end) {
				break
			}
			time.Sleep(time.Until(weekBegin.Add(at)))
			synctest.Wait()
			seen = append(seen, h.look())
		}
		time.Sleep(time.Until(end))
		d.stop()
		h.verify()

		want, got := toldLines(told), h.doneLines(end)
		if len(want) < 20*previewed {
			t.Errorf("the preview has %d events only", len(want))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("preview (-) and what happened (+):\n%s", diff)
		}
		h.explains(seen)
	})
}

// sight is what could be seen at an instant.
type sight struct {
	at     time.Time
	states map[string]string // running or stopped, by name
	last   map[string]store.Activity
}

func (h *house) look() sight {
	h.t.Helper()
	s := sight{at: time.Now().Round(0), states: map[string]string{}, last: map[string]store.Activity{}}
	for _, instance := range h.sim.Instances("", "") {
		s.states[instance.Name] = instance.State
	}
	for _, database := range h.sim.Databases("", "") {
		s.states[database.ID] = strings.Replace(database.State, "available", "running", 1)
	}
	for _, row := range h.rows(store.EventStartAccepted, store.EventStopAccepted) {
		s.last[row.Name] = row
	}
	return s
}

// explains asks days later why everything was as it was, and compares the answer
// with what was seen then and with the row of the record behind it.
func (h *house) explains(seen []sight) {
	h.t.Helper()
	asked := h.open(h.store).Service()
	for _, then := range seen {
		for name, state := range then.states {
			row, touched := then.last[name]
			if !touched {
				continue // of what was never started or stopped the record does not tell the state
			}
			found, err := asked.Explain(h.t.Context(), name, then.at)
			if err != nil || len(found) != 1 || found[0].Past == nil {
				h.t.Errorf("explain %s at %s: %d answers, %v", name, then.at, len(found), err)
				continue
			}
			e := &found[0]
			onItsWay := map[string]string{"running": string(fleet.Starting), "stopped": string(fleet.Stopping)}[state]
			if soon := then.at.Sub(row.At) < 15*time.Second; e.State != state && (!soon || e.State != onItsWay) { // until it is seen to have arrived
				h.t.Errorf("%s at %s was %s, explain says %s: %s", name, then.at.In(weekBegin.Location()), state, e.State, e.Why)
			}
			if d := e.Past.Decision; d == nil || d.Seq < row.Seq || d.At.After(then.at) {
				h.t.Errorf("%s at %s: explained by %+v, its last action was row %d", name, then.at, d, row.Seq)
			} else if d.Seq == row.Seq && (e.Reason != row.Reason || !cmp.Equal(e.Chain, row.Chain)) {
				h.t.Errorf("%s at %s: reason %s and chain differ from those of the record:\n%s", name, then.at, e.Reason, cmp.Diff(row.Chain, e.Chain))
			}
		}
	}
}

// eventLine is an action, told or done.
func eventLine(at time.Time, verb, name, reason string) string {
	return fmt.Sprintf("%s %s %s: %s", at.In(weekBegin.Location()).Format("2006-01-02 15:04:05"), name, verb, reason)
}

func toldLines(p service.Preview) []string {
	var lines []string
	for i := range p.Events {
		e := &p.Events[i]
		verb := e.Action
		switch {
		case e.Observed:
			verb = "observed"
		case verb == string(fleet.Hibernate): // which the record has as the stop that it is
			verb = string(fleet.Stop)
		}
		lines = append(lines, eventLine(e.At, verb, e.Name, e.Reason))
	}
	slices.Sort(lines)
	return lines
}

// doneLines are the actions that AWS accepted, by the record; each has to have
// its call.
func (h *house) doneLines(end time.Time) []string {
	h.t.Helper()
	calls := map[string]bool{}
	for _, call := range h.sim.Calls() {
		if call.Code != "" || !call.Mutating {
			continue
		}
		for _, id := range call.Resources {
			calls[call.Time.UTC().Truncate(time.Second).String()+call.Action+id[strings.LastIndexByte(id, ':')+1:]] = true
		}
	}
	var lines []string
	for _, row := range h.rows() {
		var action, verb string
		switch row.Event {
		case store.EventStartAccepted:
			action, verb = "Start", "start"
		case store.EventStopAccepted:
			action, verb = "Stop", "stop"
		case store.EventRebooted:
			action, verb = "Reboot", "reboot"
		case store.EventObserved:
			verb = "observed"
		default:
			continue
		}
		if !row.At.Before(end) {
			continue
		}
		service := "Instances"
		if row.Ref.Kind == fleet.RDSInstance {
			service = "DBInstance"
		}
		if action != "" && !calls[row.At.UTC().Truncate(time.Second).String()+action+service+row.Ref.ID] {
			h.t.Errorf("%s %s of %s at %s has no call", action, service, row.Name, row.At)
		}
		lines = append(lines, eventLine(row.At, verb, row.Name, row.Reason))
	}
	slices.Sort(lines)
	return lines
}
