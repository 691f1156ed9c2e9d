package chatbot

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"dayshift/internal/access"
	"dayshift/internal/chatbot/wire"
	"dayshift/internal/config"
	"dayshift/internal/decide"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/service"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// townFile is the configuration that the conversations are about. 2026-08-03 is a Monday.
const townFile = `timezone: Asia/Seoul
accounts: [{id: "111122223333", regions: [ap-northeast-2]}]
overrides: {max_duration: 48h}
periods:
  hours: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
  night: {begintime: "22:00", endtime: "06:00"}
holidays:
  kr: {days: [{date: 2026-08-17, name: 광복절 대체공휴일}]}
schedules:
  SampleSchedule: {periods: [hours], holidays: [kr], notify_before_stop: 10m}
  개발 서버: {periods: [hours]}
  batch: {periods: [night]}
workloads:
  shop: {filters: "tag:Env=shop", tiers: {db: {filters: "tag:Role=db"}, web: {depends_on: [db], filters: "tag:Role=web"}}}
exceptions:
  - {schedule: SampleSchedule, date: 2026-12-31, type: stop, value: "15:00"}
`

var seoul = fleet.Scope{Account: "111122223333", Region: "ap-northeast-2"}

// town is a program with a fleet that is made up, a file beside a store, and people.
type town struct {
	t         testing.TB
	now       time.Time
	resources []*fleet.Resource
	memories  map[fleet.Ref]decide.Memory
	loaded    *config.Loaded
	store     store.Store
	gate      *service.Gate
	board     *service.Board
	gaps      []discover.Gap
	people    map[string]Person
	chats     map[string]Chat
	told      []string
	tellErr   error
	bot       *Bot
	file      string

	mu sync.Mutex // held where the fleet or what is in force is read or changed: the follower asks too
}

func newTown(tb testing.TB, now string) *town {
	tb.Helper()
	at, err := time.Parse(time.RFC3339, now)
	if err != nil {
		tb.Fatal(err)
	}
	w := &town{t: tb, now: at.UTC(), memories: map[fleet.Ref]decide.Memory{}, store: memory.New(), file: townFile, tellErr: ErrNowhere}
	w.people = map[string]Person{
		"U-kim":   {Principal: access.Principal{ID: "person:kim", Name: "kim", Role: access.Editor, Via: "chat"}},
		"U-lee":   {Principal: access.Principal{ID: "person:lee", Name: "이민지", Role: access.Editor, Via: "chat"}, Language: say.Korean},
		"U-wang":  {Principal: access.Principal{ID: "person:wang", Name: "王芳", Role: access.Editor, Via: "chat"}, Language: say.Chinese},
		"U-oper":  {Principal: access.Principal{ID: "person:park", Name: "park", Role: access.Operator, Via: "chat"}},
		"U-view":  {Principal: access.Principal{ID: "person:vera", Name: "vera", Role: access.Viewer, Via: "chat"}},
		"U-bound": {Principal: access.Principal{ID: "person:bo", Name: "bo", Role: access.Operator, Within: "tag:Team=shop", Via: "chat"}},
	}
	w.chats = map[string]Chat{"ops": {}, "open": {UnknownMayLook: true}, "seoul": {Language: say.Korean}}
	wall := w.now
	w.gate = service.NewGate(service.GateOptions{Store: w.store, Now: w.Now})
	w.board = service.NewBoard(service.BoardOptions{
		Now: w.Now, Wall: func() time.Time { return wall }, Scopes: func() []fleet.Scope { return []fleet.Scope{seoul} }, Timezone: func() *time.Location { return time.UTC },
		Book: func() *policy.Book { return w.Service().Book }, Record: w.store, Begin: func() {},
	})
	w.add("web-1", "SampleSchedule", fleet.Running).Tags["Team"] = "shop"
	w.add("web-2", "SampleSchedule", fleet.Running)
	w.add("db-1", "개발 서버", fleet.Running)
	w.add("night-1", "batch", fleet.Stopped).Tags["Team"] = "data"
	w.bot = New(Options{
		Program: w,
		Person: func(_ string, who wire.Identity) (Person, bool) {
			p, known := w.people[who.ID]
			return p, known
		},
		Chat: func(name string) Chat { return w.chats[name] },
		Tell: func(_ context.Context, ask wire.Ask, reply wire.Reply) error {
			if w.tellErr != nil && ask.Later == "" {
				return w.tellErr
			}
			w.told = append(w.told, fmt.Sprintf("[%s %s] %s", ask.Chat, ask.Later, reply.Text))
			return nil
		},
	})
	w.board.Keep()
	w.Changed()
	return w
}

func (w *town) add(name, schedule string, state fleet.State) *fleet.Resource {
	r := &fleet.Resource{
		Ref: fleet.Ref{Scope: seoul, Kind: fleet.EC2Instance, ID: "i-" + name}, Name: name, ARN: "arn:aws:ec2:ap-northeast-2:111122223333:instance/i-" + name,
		State: state, Native: string(state), Type: "m5.large", Tags: map[string]string{"Schedule": schedule}, SeenAt: w.now,
	}
	last := decide.WasRunning
	if state == fleet.Stopped {
		last = decide.WasStopped
	}
	w.memories[r.Ref] = decide.Memory{Ref: r.Ref, Schedule: schedule, Last: last, DecidedAt: w.now.Add(-time.Minute), SeenAt: w.now.Add(-time.Minute), Seen: state, FirstSeen: w.now.AddDate(0, -1, 0)}
	w.resources = append(w.resources, r)
	return r
}

// Now implements Program.
func (w *town) Now() time.Time { return w.now }

// Board implements Program.
func (w *town) Board() *service.Board { return w.board }

// Service implements Program.
func (w *town) Service() *service.Service {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &service.Service{
		Looker: w, Book: &w.loaded.Book, Store: w.store, Now: w.Now, Config: w.loaded, Assemble: w.assemble, Gate: w.gate,
		Overrides: service.OverrideLimits{MaxDuration: 48 * time.Hour},
	}
}

func (w *town) assemble(objects []store.Object) (*config.Loaded, error) {
	return config.Parse("dayshift.yaml", []byte(w.file), config.Env{Now: w.Now}, objects...)
}

// Changed implements Program: what was changed is in force, and the fleet is seen.
func (w *town) Changed() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	objects, err := w.store.Objects(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	if w.loaded, err = w.assemble(objects); err != nil {
		w.t.Fatal(err)
	}
	for _, object := range objects {
		if object.Kind == store.OverrideObject {
			o, err := store.ToOverride(object)
			if err != nil {
				w.t.Fatal(err)
			}
			w.loaded.Book.Overrides = append(w.loaded.Book.Overrides, o)
		}
	}
	policy.SortOverrides(w.loaded.Book.Overrides)
	report := w.look(time.Time{})
	w.board.Feed(service.BoardFeed{Report: &report, Book: &w.loaded.Book, Whole: true})
	w.board.Begun()
}

// Look implements service.Looker.
func (w *town) Look(_ context.Context, at time.Time, _ bool) (pass.Report, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.look(at), nil
}

func (w *town) look(at time.Time) pass.Report {
	if at.IsZero() {
		at = w.now
	}
	report := pass.Report{At: at, Gaps: w.gaps, Scopes: []fleet.Scope{seoul}}
	report.Run.Counts.Scopes = 1
	for _, r := range w.resources {
		report.Decisions = append(report.Decisions, decide.Explain(decide.Input{Now: at, Policy: w.loaded.Book.Governs(*r), Memory: w.memories[r.Ref], Resource: *r}))
	}
	report.Plan = plan.Make(report.Decisions, plan.Guards{Limits: w.loaded.Limits})
	return report
}

// pass does what the decisions of now say, and remembers it as a pass does.
func (w *town) pass() (done []string) {
	w.t.Helper()
	report, err := w.Look(w.t.Context(), time.Time{}, false)
	if err != nil {
		w.t.Fatal(err)
	}
	var rows []store.Activity
	for i := range report.Decisions {
		d := &report.Decisions[i]
		for _, r := range w.resources {
			if r.Ref != d.Resource.Ref {
				continue
			}
			m := d.Memory
			switch d.Verb {
			case fleet.Start:
				r.State, r.Native, m.Seen = fleet.Running, "running", fleet.Running
				rows = append(rows, w.row(r, store.EventStartAccepted, "override-start", ""))
			case fleet.Stop:
				r.State, r.Native, m.Seen = fleet.Stopped, "stopped", fleet.Stopped
				rows = append(rows, w.row(r, store.EventStopAccepted, "period-ended", ""))
			}
			if d.Verb != "" {
				done = append(done, string(d.Verb)+" "+r.Name)
			}
			m.Intent = nil
			w.memories[r.Ref] = m
		}
	}
	if len(rows) > 0 {
		w.append(rows...)
	}
	w.Changed()
	return done
}

func (w *town) row(r *fleet.Resource, event store.Event, reason, detail string) store.Activity {
	return store.Activity{At: w.now, Actor: "dayshift", Run: store.NewRunID(w.now), Event: event, Ref: r.Ref, Name: r.Name, Schedule: r.Tags["Schedule"], Reason: reason, Detail: detail}
}

func (w *town) append(rows ...store.Activity) {
	w.t.Helper()
	if err := w.store.Append(w.t.Context(), store.Lease{}, rows); err != nil {
		w.t.Fatal(err)
	}
}

// says asks as somebody in the signed chat "ops".
func (w *town) says(who, text string) wire.Reply {
	w.t.Helper()
	return w.ask(wire.Ask{System: wire.Slack, Chat: "ops", Room: "C1", Who: wire.Identity{ID: who, Name: who}, Text: text, Signed: true, Later: "https://hooks.slack.com/later"})
}

func (w *town) ask(ask wire.Ask) wire.Reply {
	w.t.Helper()
	reply := w.bot.Answer(w.t.Context(), ask)
	if strings.TrimSpace(reply.Text) == "" {
		w.t.Fatalf("%q has no answer", ask.Text)
	}
	for _, b := range reply.Buttons {
		if _, err := Parse(b.Command); err != nil || b.Label == "" {
			w.t.Fatalf("%q has a button %q (%s) that is no command: %v", ask.Text, b.Label, b.Command, err)
		}
	}
	return reply
}

// record gives the rows of an event.
func (w *town) record(event store.Event) (list []string) {
	w.t.Helper()
	rows, err := w.store.Activity(w.t.Context(), store.ActivityQuery{Event: event})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range rows {
		list = append(list, rows[i].Actor+" | "+rows[i].Name+" | "+rows[i].Reason+" | "+rows[i].Detail)
	}
	return list
}
