package app

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/calendar"
	"dayshift/internal/clock"
	"dayshift/internal/cloud/aws"
	"dayshift/internal/config"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/metrics"
	"dayshift/internal/notify"
	"dayshift/internal/pass"
	"dayshift/internal/savings"
	"dayshift/internal/service"
	"dayshift/internal/store/memory"
)

//go:embed demo.yaml
var demoConfig []byte

// DemoOptions are the choices of the demo.
type DemoOptions struct {
	Speed   float64       // simulated seconds in a real one
	Addr    string        // of the page
	SimAddr string        // of the simulated AWS, for whoever wants to step in
	Length  time.Duration // simulated time after which it ends; 0: when ctx does
	Every   time.Duration // real time between two frames
	Frame   func(DemoFrame)
}

// DemoFrame is the demo at an instant.
type DemoFrame struct {
	Now            time.Time
	Began          time.Time
	Address        string // of the page
	Key            string // that may do everything on it
	SimURL         string
	Schedules      []DemoSchedule
	Messages       []DemoMessage // the newest last
	Attention      []DemoNote    // what needs a person, or is left alone for a reason
	Running, Total int           // scheduled resources
	Hours          float64       // that they have run since the beginning
	AllHours       float64       // that they would have, always on
	USD, AllUSD    float64
	Calls          int64 // to the simulated AWS
	Throttled      int64
	Post           DemoPost // the last one to a room that does not speak English
	Taken, Refused int64    // posts of channels
}

// DemoSchedule is a schedule and its resources.
type DemoSchedule struct {
	Name           string
	Zone           *time.Location
	Wanted         string
	Period         string
	Running, Total int
	Changing       int // starting or stopping
	NextAt         time.Time
	NextTo         string
	// Special says what is out of the ordinary today: a day off, an exception. Empty on other days.
	Special string
}

// DemoMessage is a message as people would get it.
type DemoMessage struct {
	At time.Time
	notify.Message
}

// DemoNote is a resource that stands out, and why.
type DemoNote struct{ Name, ID, Why string }

// demoMessages is how many messages a frame carries.
const demoMessages = 200

// demo is the running demo.
type demo struct {
	options DemoOptions
	sim     *awssim.Cloud
	chat    *demoChat
	app     *App
	daemon  *Daemon
	began   time.Time
	simURL  string

	mu        sync.Mutex
	address   string
	key       string
	resources map[fleet.Ref]*decide.Decision
	messages  []DemoMessage
	last      time.Time
	frame     DemoFrame // what adds up over time
}

// RunDemo runs the product over a simulated cloud with a lively fleet on a fast
// clock, until ctx ends or the length has passed. It needs no cloud account and
// opens nothing but three loopback ports.
func RunDemo(ctx context.Context, options DemoOptions) error {
	if options.Speed < 1 || options.Speed > 100_000 {
		return fmt.Errorf("--speed %g: give 1 to 100000; 1440 makes a day a minute", options.Speed)
	}
	start := demoStart(wall.Now())
	fast := clock.NewFast(start, options.Speed)
	chat, err := newDemoChat(ctx, fast.Now)
	if err != nil {
		return err
	}
	defer chat.close()
	listener, err := listen(ctx, options.Addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // the daemon has closed it, unless it did not get as far
	text := demoWeek(start, demoPage(listener.Addr()), chat.url)
	loaded, err := config.Parse("demo.yaml", text, config.Env{})
	if err != nil {
		return fmt.Errorf("read the demo's configuration: %w", err)
	}
	loaded.File = "" // nothing to reload
	sim := awssim.New(awssim.Options{Now: fast.Now, Seed: 7})
	if err := sim.Load(awssim.DemoFleet()); err != nil {
		return fmt.Errorf("load the demo's fleet: %w", err)
	}
	d := &demo{options: options, sim: sim, chat: chat, began: fast.Now(), last: fast.Now(), resources: map[fleet.Ref]*decide.Decision{}}
	d.app = &App{
		Config: loaded, text: text, Store: memory.New(), Clock: fast, Metrics: metrics.New(), Log: slog.New(slog.DiscardHandler),
		Receivers: []notify.Receiver{notify.Direct{Sender: d}}, pauses: fast, transport: sim.Transport(), credentials: map[fleet.AccountID]aws.Credentials{},
	}
	for _, account := range loaded.Config.Accounts {
		// The simulator takes a key of twelve digits for the account itself; the
		// roles are assumed from the first, as a hub would.
		key := account.ID
		if account.Role != "" {
			key = loaded.Config.Accounts[0].ID
		}
		d.app.credentials[account.ID] = aws.StaticKey(string(key), "demo")
	}
	if d.app.Cloud, err = d.app.cloud(loaded, nil); err != nil {
		return err
	}
	channels, err := d.app.channels(loaded, d.app.Cloud)
	if err != nil {
		return err
	}
	d.app.office = d.app.newOffice(d.app.Store)
	d.app.office.Use(channels, lastTry) //nolint:contextcheck // a channel that goes has a time of its own to end
	defer d.app.closeOffice()           //nolint:contextcheck // what waits has a time of its own
	return d.run(ctx, listener)
}

// demoStart is the Monday after now, before the first office opens: a week
// from there has everything in it.
func demoStart(now time.Time) time.Time {
	seoul := demoSeoul()
	day := now.In(seoul)
	day = time.Date(day.Year(), day.Month(), day.Day(), 8, 0, 0, 0, seoul)
	for day.Weekday() != time.Monday || !day.After(now) {
		day = day.AddDate(0, 0, 1)
	}
	return day
}

// demoSeoul is the zone that the demo's day follows.
func demoSeoul() *time.Location {
	seoul, err := time.LoadLocation("Asia/Seoul")
	if err != nil {
		return time.FixedZone("KST", 9*60*60)
	}
	return seoul
}

// demoPage is where the demo's page is opened, for the links in messages; empty: elsewhere than on this machine, without TLS.
func demoPage(addr net.Addr) string {
	if !config.Local(addr.String()) {
		return ""
	}
	return "http://" + addr.String()
}

// demoWeek is the demo's configuration with the dates of the week that begins
// with a Monday, the address of its page and that of its chat system.
func demoWeek(monday time.Time, page, chat string) []byte {
	dates := []string{"{{chat}}", chat}
	for i, name := range []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"} {
		dates = append(dates, "{{"+name+"}}", monday.AddDate(0, 0, i).Format(time.DateOnly))
	}
	text := strings.NewReplacer(dates...).Replace(string(demoConfig))
	if page != "" {
		text += "page_url: " + page + "\n"
	}
	return []byte(text)
}

func (d *demo) run(ctx context.Context, listener net.Listener) error {
	server, err := awssim.NewServer(d.options.SimAddr, d.sim) //nolint:contextcheck // binding a port of this machine does not wait
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }() // the process ends with it
	d.simURL = server.URL

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d.daemon = &Daemon{
		App: d.app, Pace: d.options.Speed, Simulated: true, Reports: d.report, Everything: true, Listener: listener,
		Listening: func(addr string) {
			d.mu.Lock()
			d.address = "http://" + addr
			d.mu.Unlock()
		},
		FirstKey: func(secret string) {
			d.mu.Lock()
			d.key = secret
			d.mu.Unlock()
		},
	}
	served := make(chan error, 1)
	go func() { served <- d.daemon.Serve(ctx, d.options.Addr) }()

	ticker := time.NewTicker(d.options.Every) //nolint:forbidigo // frames follow the eye, whatever the demo's clock
	defer ticker.Stop()
	people, rooms := demoPeople(), demoRooms()
	for {
		select {
		case err := <-served:
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				err = nil
			}
			return err
		case <-ticker.C:
			now := d.app.Clock.Now()
			people = d.people(ctx, people, now)
			rooms = d.rooms(rooms, now)
			frame := d.show(now)
			if frame.Address != "" { // it serves
				d.daemon.board.Keep()
			}
			d.options.Frame(frame)
			if d.options.Length > 0 && now.Sub(d.began) >= d.options.Length {
				stop()
			}
		}
	}
}

// Name implements notify.Sender.
func (*demo) Name() string { return "demo" }

// Send implements notify.Sender: the demo shows what people would be told.
func (d *demo) Send(_ context.Context, message notify.Message) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.messages = append(d.messages, DemoMessage{d.app.Clock.Now(), message})
	if excess := len(d.messages) - demoMessages; excess > 0 {
		d.messages = slices.Delete(d.messages, 0, excess)
	}
	return nil
}

// report keeps the newest decision on every resource.
func (d *demo) report(report *pass.Report) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range report.Decisions {
		d.resources[report.Decisions[i].Resource.Ref] = &report.Decisions[i]
	}
}

// show adds up the time since the last frame and makes the next.
func (d *demo) show(now time.Time) DemoFrame {
	d.mu.Lock()
	defer d.mu.Unlock()
	hours := now.Sub(d.last).Hours()
	d.last = now
	frame := &d.frame
	frame.Now, frame.Began, frame.Address, frame.Key, frame.SimURL = now, d.began, d.address, d.key, d.simURL
	frame.Messages = slices.Clone(d.messages)
	frame.Attention, frame.Running, frame.Total = nil, 0, 0
	stats := d.sim.Stats()
	frame.Calls, frame.Throttled = stats.Calls, stats.Throttled
	frame.Taken, frame.Refused, frame.Post = d.chat.stands()

	schedules := map[string]*DemoSchedule{}
	for name, schedule := range d.daemon.present().Config.Book.Schedules {
		line := &DemoSchedule{Name: name, Zone: schedule.Calendar.Location()}
		want := schedule.Calendar.Wanted(now)
		line.Wanted, line.Period = want.State.String(), want.Period
		if next, ok := schedule.Calendar.NextState(now); ok {
			line.NextAt, line.NextTo = next.At, next.To.State.String()
		}
		switch special := schedule.Calendar.Special(now); {
		case special.Off:
			line.Special = "day off"
		case len(special.Exceptions) > 0:
			line.Special = "today " + shortException(special.Exceptions[0])
		}
		schedules[name] = line
	}
	for _, decision := range d.resources {
		line := schedules[decision.Schedule]
		if line == nil {
			continue
		}
		resource := &decision.Resource
		price, _ := savings.PerHour(resource.Kind, resource.Type)
		line.Total++
		frame.Total++
		frame.AllHours += hours
		frame.AllUSD += price * hours
		switch resource.State {
		case fleet.Running:
			line.Running++
			frame.Running++
			frame.Hours += hours
			frame.USD += price * hours
		case fleet.Starting, fleet.Stopping:
			line.Changing++
		}
		if why, stands := standsOut(decision); stands {
			frame.Attention = append(frame.Attention, DemoNote{resource.Name, resource.ID, why})
		}
	}
	frame.Schedules = nil
	for _, line := range schedules {
		frame.Schedules = append(frame.Schedules, *line)
	}
	slices.SortFunc(frame.Schedules, func(a, b DemoSchedule) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(frame.Attention, func(a, b DemoNote) int { return cmp.Compare(a.Name, b.Name) })
	return *frame
}

// standsOut picks what a person would want to know of a resource.
func standsOut(decision *decide.Decision) (string, bool) {
	if o := decision.Override; o != nil {
		return o.String(), true
	}
	switch decision.Reason {
	case decide.ManualStart, decide.ManualStop:
		return decision.Sentence(), true
	case decide.BackingOff:
		return fmt.Sprintf("failed %d times, tried again at %s: %s", decision.Memory.Attempts, decision.Due.UTC().Format("15:04 MST"), decision.Memory.LastError), true
	}
	if decision.Reason == decide.Reason(decision.Resource.Bar) && decision.Resource.Bar != fleet.NoBar {
		return decision.Sentence(), true
	}
	return "", false
}

// deed is what a person does in the demo.
type deed struct {
	after   time.Duration // since the beginning
	stop    bool
	name    string // of the resource, as the cloud has it
	message string
	// length, when not zero, makes it an override of that length through Dayshift;
	// else it is done by hand at the cloud's console.
	length         time.Duration
	author, reason string
}

// demoPeople are the people of the demo. What they start or stop by hand
// Dayshift leaves alone until the next begin or end; what they ask Dayshift for
// it keeps up, and ends.
func demoPeople() []deed {
	const day = 24 * time.Hour
	return []deed{
		{after: 5 * time.Hour, stop: true, name: "shop-dev-api-03", message: "Minji stops it by hand: her test is over. It stays stopped until the next begin."},
		{
			after: 10*time.Hour + 10*time.Minute, name: "shop-staging-db", length: 2 * time.Hour, author: "jaehyun", reason: "release rehearsal",
			message: "Jaehyun wakes it for two hours: dayshift start shop-staging-db --for 2h",
		},
		{after: 12*time.Hour + 10*time.Minute, name: "결제-dev-01", message: "Jaehyun starts it by hand for the night. It stays up until the next end."},
		{
			after: 1*day + 4*time.Hour + 40*time.Minute, name: "settlement-staging-db-1", length: 3 * time.Hour, author: "li", reason: "month-end report",
			message: "Li needs it on the day off: dayshift start settlement-staging-db-1 --for 3h",
		},
		{after: 1*day + 15*time.Hour, name: "crm-dev-01", message: "Aoife starts it by hand; its schedule allows four hours of that."},
		{after: 2*day + 6*time.Hour, stop: true, name: "商城-dev-api-02", message: "Wei stops it by hand over lunch. It stays stopped until the next begin."},
		{
			after: 3*day + 3*time.Hour, stop: true, name: "shop-dev-db-2", length: 90 * time.Minute, author: "minji", reason: "restore drill",
			message: "Minji keeps it down for 90 minutes: dayshift stop shop-dev-db-2 --for 90m",
		},
		{after: 4*day + 14*time.Hour, name: "商城-qa-05", message: "Li starts it by hand on Friday night. It stays up until the next end."},
	}
}

// people does what is due and returns what is still to come.
func (d *demo) people(ctx context.Context, deeds []deed, now time.Time) []deed {
	for len(deeds) > 0 && now.Sub(d.began) >= deeds[0].after {
		did := d.hand
		if deeds[0].length > 0 {
			did = func(deed deed) bool { return d.ask(ctx, deed) }
		}
		if did(deeds[0]) {
			d.mu.Lock()
			d.messages = append(d.messages, DemoMessage{now, notify.Message{Kind: "person", Title: deeds[0].name + ": " + deeds[0].message}})
			d.mu.Unlock()
		}
		deeds = deeds[1:]
	}
	return deeds
}

// hand does it at the cloud's console; false: it is on its way somewhere, and
// the person gives up.
func (d *demo) hand(deed deed) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for ref, decision := range d.resources {
		if decision.Resource.Name != deed.name {
			continue
		}
		act := d.sim.StartInstance
		if deed.stop {
			act = d.sim.StopInstance
		}
		return act(ref.ID) == nil
	}
	return false
}

// ask makes an override, as the command does.
func (d *demo) ask(ctx context.Context, deed deed) bool {
	state := calendar.Running
	if deed.stop {
		state = calendar.Stopped
	}
	_, err := d.daemon.present().Service().SetOverride(ctx, service.OverrideRequest{
		Target: "resource:" + deed.name, State: state, End: service.End{For: deed.length}, Author: deed.author, Reason: deed.reason,
	})
	if err != nil {
		return false
	}
	d.daemon.Changed() // the next look by the wall is half a simulated hour away
	return true
}

// room is how much capacity AWS has left for the type of the demo's reservation.
type room struct {
	after time.Duration // since the beginning
	zone  string
	free  int // negative: as much as anybody wants
}

// demoRooms make the demo's reservation short at first, so that it is seen to grow.
func demoRooms() []room {
	const day = 24 * time.Hour
	return []room{
		{zone: "ap-northeast-2a", free: 6},
		{zone: "ap-northeast-2c", free: 5},
		{zone: "ap-northeast-2b", free: 2},
		{after: 8 * time.Hour, zone: "ap-northeast-2c", free: 4},
		{after: 1*day + 3*time.Hour, zone: "ap-northeast-2a", free: 3},
		{after: 1*day + 20*time.Hour, zone: "ap-northeast-2c", free: -1},
		{after: 1*day + 20*time.Hour, zone: "ap-northeast-2a", free: -1},
	}
}

// rooms sets what is due and returns what is still to come.
func (d *demo) rooms(rooms []room, now time.Time) []room {
	for len(rooms) > 0 && now.Sub(d.began) >= rooms[0].after {
		d.sim.LimitCapacity(rooms[0].zone, "m6i.large", rooms[0].free)
		rooms = rooms[1:]
	}
	return rooms
}

// shortException is as much of an exception as a line of the picture has room for.
func shortException(x calendar.Exception) string {
	if x.None {
		return "no " + string(x.Type)
	}
	return string(x.Type) + " " + x.Value.String()
}
