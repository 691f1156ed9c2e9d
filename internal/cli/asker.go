package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/access"
	"dayshift/internal/app"
	"dayshift/internal/client"
	"dayshift/internal/clock"
	"dayshift/internal/config"
	"dayshift/internal/service"
	"dayshift/internal/store"
)

// asker is whom a command asks: the store of the configuration, opened by this
// process, or a server that runs somewhere. Commands do not know which. What an
// asker can not answer is an error that says so.
type asker interface {
	io.Closer

	// Fleet lists what a filter matches; empty: everything.
	Fleet(ctx context.Context, at time.Time, filter string) (service.Fleet, error)
	Explain(ctx context.Context, target string, at time.Time) ([]service.Explanation, error)
	ExplainSchedule(ctx context.Context, name string, at time.Time) (service.ScheduleExplanation, error)
	Preview(ctx context.Context, from, to time.Time) (service.Preview, error)
	PreviewSchedule(ctx context.Context, name string, from, to time.Time) (service.Preview, error)
	Doctor(ctx context.Context) ([]service.Checkup, error)
	// AtWork names the process that acts; empty: none.
	AtWork(ctx context.Context) (string, error)

	Activity(ctx context.Context, query store.ActivityQuery) ([]store.Activity, error)
	// NewActivity waits until there may be new rows.
	NewActivity(ctx context.Context) error
	Verify(ctx context.Context) (store.Verification, error)

	Objects(ctx context.Context, kind store.ObjectKind) ([]service.Object, error)
	Object(ctx context.Context, kind store.ObjectKind, name string) (service.ObjectView, error)
	// Find gives an object as it is kept; the zero Object where there is none.
	Find(ctx context.Context, kind store.ObjectKind, name string) (service.Object, error)
	SaveObject(ctx context.Context, change service.ObjectChange) (service.ObjectAnswer, error)
	DeleteObject(ctx context.Context, change service.ObjectChange) (service.ObjectAnswer, error)
	Weeks(ctx context.Context, name, date string, weeks int) ([]service.ScheduleWeek, error)
	// Diff compares with a file; warned is told what is odd about it.
	Diff(ctx context.Context, file string, warned func([]config.Fault)) (service.DiffAnswer, error)
	// Apply takes the text that request.Objects were read from as well.
	Apply(ctx context.Context, text []byte, request service.ApplyRequest) (service.ApplyAnswer, error)
	Export(ctx context.Context, all bool, kinds ...store.ObjectKind) ([]byte, error)

	Capacity(ctx context.Context) (service.Capacity, error)
	Reservation(ctx context.Context, name string) (service.ReservationStatus, error)
	ApproveReservation(ctx context.Context, request service.ApprovalRequest) (service.ApprovalAnswer, error)

	Channels(ctx context.Context) (service.Channels, error)
	Channel(ctx context.Context, name string) (service.Channel, error)
	Deliveries(ctx context.Context, query service.DeliveryQuery) (service.DeliveryList, error)
	PreviewMessage(ctx context.Context, request service.PreviewRequest) (service.MessagePreview, error)
	TestChannel(ctx context.Context, test service.ChannelTest) (service.ChannelTestAnswer, error)
	SendAgain(ctx context.Context, request service.AgainRequest) (service.AgainAnswer, error)

	Workloads(ctx context.Context) (service.WorkloadList, error)
	WorkloadStatus(ctx context.Context, name string) (service.WorkloadStatus, error)
	WorkloadRuns(ctx context.Context, name string, limit int) (service.WorkloadRuns, error)
	StartWorkload(ctx context.Context, request service.WorkloadRequest) (service.WorkloadAnswer, error)
	StopWorkload(ctx context.Context, request service.WorkloadRequest) (service.WorkloadAnswer, error)
	CancelWorkload(ctx context.Context, order service.WorkloadOrder) (service.WorkloadAnswer, error)
	ResumeWorkload(ctx context.Context, order service.WorkloadOrder) (service.WorkloadAnswer, error)

	SetOverride(ctx context.Context, request service.OverrideRequest) (service.OverrideAnswer, error)
	ListOverrides(ctx context.Context) (service.OverrideList, error)
	Override(ctx context.Context, idOrTarget string) (service.OverrideAnswer, error)
	ChangeOverride(ctx context.Context, change service.OverrideChange) (service.OverrideAnswer, error)
	ClearOverride(ctx context.Context, clearing service.OverrideClear) (service.ClearedOverrides, error)

	Keys(ctx context.Context) ([]service.KeyView, error)
	Key(ctx context.Context, id string) (service.KeyView, error)
	CreateKey(ctx context.Context, request service.KeyRequest) (service.KeyAnswer, error)
	UpdateKey(ctx context.Context, id string, change service.KeyChange) (service.KeyView, error)
	RotateKey(ctx context.Context, id string, overlap time.Duration) (service.KeyAnswer, error)
	RevokeKey(ctx context.Context, id string) (service.KeyView, error)
}

// serverFlags are the flags about a server, the one that names it first.
var serverFlags = []string{"server", "api-key", "insecure-http"}

// need is what a command needs of the store that it opens where no server is asked.
type need int

const (
	toLook   need = iota // questions: no store is needed yet
	toList               // questions about what people make: the store has to last
	toChange             // changes of that
)

// Variables of the environment that stand for flags.
const (
	serverVariable = "DAYSHIFT_SERVER"
	keyVariable    = "DAYSHIFT_API_KEY"
)

// asksServer reports whether a command asks a server: the flag says it, or the
// environment where the flag --config does not say otherwise.
func (c *common) asksServer(cmd *cobra.Command) (address string, err error) {
	switch given := cmd.Flags().Changed; {
	case given("server") && given("config") && c.server != "":
		return "", usage("--server and --config: give one of them; a server goes by its own configuration")
	case given("server"):
		return c.server, nil
	case given("config"):
		return "", nil
	}
	return os.Getenv(serverVariable), nil
}

// ask opens what the command asks. The caller closes it.
func (c *common) ask(cmd *cobra.Command, needs need) (asker, error) {
	server, err := c.serverOf(cmd)
	if err != nil {
		return nil, err
	}
	if server != nil {
		return remote{server}, nil
	}
	var a *app.App
	if needs == toLook {
		a, err = c.open(cmd.Context(), cmd.ErrOrStderr(), app.Ask)
	} else {
		a, err = c.openKept(cmd, needs == toChange)
	}
	if err != nil {
		return nil, err
	}
	return local{a}, nil
}

// completionTimeout is how long somebody waits who presses the tabulator key.
const completionTimeout = 3 * time.Second

// completes offers, for the first argument of a command, what list gives, and
// nothing where that fails.
func (c *common) completes(list func(context.Context, asker) ([]cobra.Completion, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		a, err := c.askQuietly(cmd)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, err := list(ctx, a)
		if errors.Join(err, a.Close()) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// askQuietly is ask for completions: nobody reads what is said beside the answer.
func (c *common) askQuietly(cmd *cobra.Command) (asker, error) {
	server, err := c.serverOf(cmd)
	if err != nil || server != nil {
		return remote{server}, err
	}
	a, err := c.open(cmd.Context(), io.Discard, app.Ask)
	return local{a}, err
}

// changing is what a change needs.
func changing(dryRun bool) need {
	if dryRun {
		return toList
	}
	return toChange
}

// serverOf is the server that the command asks; nil: none.
func (c *common) serverOf(cmd *cobra.Command) (*client.Client, error) {
	address, err := c.asksServer(cmd)
	if err != nil {
		return nil, err
	}
	if address == "" {
		for _, flag := range serverFlags[1:] {
			if cmd.Flags().Changed(flag) {
				return nil, usage("--%s goes with --server", flag)
			}
		}
		return nil, nil //nolint:nilnil // no server is an answer
	}
	if c.remote != nil {
		return c.remote, nil
	}
	key, err := readKey(cmp.Or(c.apiKey, os.Getenv(keyVariable)))
	if err != nil {
		return nil, err
	}
	if c.remote, err = client.New(client.Options{Address: address, Key: key, Clear: c.insecureHTTP}); err != nil {
		return nil, usage("%w", err)
	}
	return c.remote, nil
}

// fromFile begins a key that stands in a file.
const fromFile = "file:"

// maxKeyFile bounds a file with a key in it, in bytes.
const maxKeyFile = 4096

// readKey gives the key that the flag or the environment names. No error repeats it.
func readKey(text string) (string, error) {
	path, inFile := strings.CutPrefix(text, fromFile)
	if !inFile {
		return strings.TrimSpace(text), nil
	}
	file, err := os.Open(path)
	if err != nil {
		return "", usage("the API key can not be read: %w", err)
	}
	defer func() { _ = file.Close() }() // only read from
	content, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return "", usage("the API key can not be read: %w", err)
	}
	if content = []byte(strings.TrimSpace(string(content))); len(content) == 0 || len(content) > maxKeyFile {
		return "", usage("the file %s has no API key in it: it has to be there alone, on one line", path)
	}
	return string(content), nil
}

// now is the clock of whoever is asked.
func (c *common) now(cmd *cobra.Command) (time.Time, error) {
	server, err := c.serverOf(cmd)
	if err != nil {
		return time.Time{}, err
	}
	if server == nil {
		return clock.Real{}.Now(), nil
	}
	if c.serverNow.IsZero() {
		c.serverNow, err = server.Now(cmd.Context())
	}
	return c.serverNow, err
}

// instant reads a time that a person wrote, by the clock of whoever is asked.
func (c *common) instant(cmd *cobra.Command, flag, text string) (time.Time, error) {
	if at, err := instant(flag, text, clock.Real{}.Now()); err != nil || text == "" || text != "now" && text[0] != '+' && text[0] != '-' {
		return at, err
	}
	now, err := c.now(cmd)
	if err != nil {
		return time.Time{}, err
	}
	return instant(flag, text, now)
}

// local asks the store of the configuration.
type local struct{ *app.App }

func (l local) Fleet(ctx context.Context, at time.Time, filter string) (service.Fleet, error) {
	selected, err := readFilter(filter)
	if err != nil {
		return service.Fleet{}, err
	}
	return l.Service().Fleet(ctx, at, selected)
}

func (l local) Explain(ctx context.Context, target string, at time.Time) ([]service.Explanation, error) {
	return l.Service().Explain(ctx, target, at)
}

func (l local) ExplainSchedule(_ context.Context, name string, at time.Time) (service.ScheduleExplanation, error) {
	return l.Service().ExplainSchedule(name, at)
}

func (l local) Preview(ctx context.Context, from, to time.Time) (service.Preview, error) {
	return l.Service().Preview(ctx, from, to)
}

func (l local) PreviewSchedule(_ context.Context, name string, from, to time.Time) (service.Preview, error) {
	return l.Service().PreviewSchedule(name, from, to)
}

func (l local) Activity(ctx context.Context, query store.ActivityQuery) ([]store.Activity, error) {
	return l.Store.Activity(ctx, query)
}

// followPoll is how often the store is looked at for new rows.
const followPoll = time.Second

func (l local) NewActivity(ctx context.Context) error { return clock.Real{}.Sleep(ctx, followPoll) }

func (l local) Verify(ctx context.Context) (store.Verification, error) { return l.Store.Verify(ctx) }

func (l local) Objects(_ context.Context, kind store.ObjectKind) ([]service.Object, error) {
	return l.Service().Objects(kind)
}

func (l local) Object(ctx context.Context, kind store.ObjectKind, name string) (service.ObjectView, error) {
	return l.Service().Object(ctx, kind, name)
}

func (l local) Find(_ context.Context, kind store.ObjectKind, name string) (service.Object, error) {
	for _, o := range l.Config.Objects(kind) {
		if o.Name == name {
			return o, nil
		}
	}
	return service.Object{}, nil
}

func (l local) Capacity(ctx context.Context) (service.Capacity, error) {
	return l.Service().Capacity(ctx)
}

func (l local) Reservation(ctx context.Context, name string) (service.ReservationStatus, error) {
	return l.Service().Reservation(ctx, name)
}

func (l local) ApproveReservation(ctx context.Context, request service.ApprovalRequest) (service.ApprovalAnswer, error) {
	request.Author = person()
	return l.Service().ApproveReservation(ctx, request)
}

func (l local) Channels(ctx context.Context) (service.Channels, error) {
	return l.Service().Channels(ctx)
}

func (l local) Channel(ctx context.Context, name string) (service.Channel, error) {
	return l.Service().Channel(ctx, name)
}

func (l local) Deliveries(ctx context.Context, query service.DeliveryQuery) (service.DeliveryList, error) {
	return l.Service().Deliveries(ctx, query)
}

func (l local) PreviewMessage(ctx context.Context, request service.PreviewRequest) (service.MessagePreview, error) {
	return l.Service().PreviewMessage(ctx, request)
}

func (l local) TestChannel(ctx context.Context, test service.ChannelTest) (service.ChannelTestAnswer, error) {
	test.Author = person()
	return l.Service().TestChannel(ctx, test)
}

func (l local) SendAgain(ctx context.Context, request service.AgainRequest) (service.AgainAnswer, error) {
	request.Author = person()
	return l.Service().SendAgain(ctx, request)
}

func (l local) Workloads(ctx context.Context) (service.WorkloadList, error) {
	return l.Service().Workloads(ctx)
}

func (l local) WorkloadStatus(ctx context.Context, name string) (service.WorkloadStatus, error) {
	return l.Service().WorkloadStatus(ctx, name)
}

func (l local) WorkloadRuns(ctx context.Context, name string, limit int) (service.WorkloadRuns, error) {
	return l.Service().WorkloadRuns(ctx, name, limit)
}

func (l local) StartWorkload(ctx context.Context, request service.WorkloadRequest) (service.WorkloadAnswer, error) {
	request.Author = person()
	return l.Service().StartWorkload(ctx, request)
}

func (l local) StopWorkload(ctx context.Context, request service.WorkloadRequest) (service.WorkloadAnswer, error) {
	request.Author = person()
	return l.Service().StopWorkload(ctx, request)
}

func (l local) CancelWorkload(ctx context.Context, order service.WorkloadOrder) (service.WorkloadAnswer, error) {
	order.Author = person()
	return l.Service().CancelWorkload(ctx, order)
}

func (l local) ResumeWorkload(ctx context.Context, order service.WorkloadOrder) (service.WorkloadAnswer, error) {
	order.Author = person()
	return l.Service().ResumeWorkload(ctx, order)
}

func (l local) SaveObject(ctx context.Context, change service.ObjectChange) (service.ObjectAnswer, error) {
	change.Author = person()
	return l.Service().SaveObject(ctx, change)
}

func (l local) DeleteObject(ctx context.Context, change service.ObjectChange) (service.ObjectAnswer, error) {
	change.Author = person()
	return l.Service().DeleteObject(ctx, change)
}

func (l local) Weeks(_ context.Context, name, date string, weeks int) ([]service.ScheduleWeek, error) {
	return l.Service().Weeks(name, date, weeks)
}

func (l local) Diff(ctx context.Context, file string, warned func([]config.Fault)) (service.DiffAnswer, error) {
	return l.Service().Diff(ctx, func(objects []store.Object) (*config.Loaded, error) {
		next, err := config.Load(file, objects...)
		if err == nil {
			warned(next.Warnings)
		}
		return next, err
	})
}

func (l local) Apply(ctx context.Context, _ []byte, request service.ApplyRequest) (service.ApplyAnswer, error) {
	request.Author = person()
	return l.Service().Apply(ctx, request)
}

func (l local) Export(_ context.Context, all bool, kinds ...store.ObjectKind) ([]byte, error) {
	return l.Service().Export(all, kinds...)
}

func (l local) SetOverride(ctx context.Context, request service.OverrideRequest) (service.OverrideAnswer, error) {
	request.Author = person()
	return l.Service().SetOverride(ctx, request)
}

func (l local) ListOverrides(ctx context.Context) (service.OverrideList, error) {
	return l.Service().ListOverrides(ctx)
}

func (l local) Override(ctx context.Context, idOrTarget string) (service.OverrideAnswer, error) {
	return l.Service().Override(ctx, idOrTarget)
}

func (l local) ChangeOverride(ctx context.Context, change service.OverrideChange) (service.OverrideAnswer, error) {
	change.Author = person()
	return l.Service().ChangeOverride(ctx, change)
}

func (l local) ClearOverride(ctx context.Context, clearing service.OverrideClear) (service.ClearedOverrides, error) {
	clearing.Author = person()
	return l.Service().ClearOverride(ctx, clearing)
}

// gate knows the keys; who may write the store may make them.
func (l local) gate() (*service.Gate, access.Principal) {
	return service.NewGate(service.GateOptions{Store: l.Store, Now: clock.Real{}.Now}), access.Local(person())
}

func (l local) Keys(ctx context.Context) ([]service.KeyView, error) {
	gate, by := l.gate()
	return gate.Keys(ctx, by)
}

func (l local) Key(ctx context.Context, id string) (service.KeyView, error) {
	gate, by := l.gate()
	return gate.Key(ctx, id, by)
}

func (l local) CreateKey(ctx context.Context, request service.KeyRequest) (service.KeyAnswer, error) {
	gate, by := l.gate()
	return gate.CreateKey(ctx, request, by)
}

func (l local) UpdateKey(ctx context.Context, id string, change service.KeyChange) (service.KeyView, error) {
	gate, by := l.gate()
	return gate.UpdateKey(ctx, id, change, by)
}

func (l local) RotateKey(ctx context.Context, id string, overlap time.Duration) (service.KeyAnswer, error) {
	gate, by := l.gate()
	return gate.RotateKey(ctx, id, overlap, by)
}

func (l local) RevokeKey(ctx context.Context, id string) (service.KeyView, error) {
	gate, by := l.gate()
	return gate.RevokeKey(ctx, id, by)
}

// remote asks a server.
type remote struct{ *client.Client }

func (r remote) Diff(ctx context.Context, file string, _ func([]config.Fault)) (service.DiffAnswer, error) {
	text, err := readObjectFile(file, nil, config.MaxBytes)
	if err != nil {
		return service.DiffAnswer{}, err
	}
	return r.Client.Diff(ctx, text)
}

// alone are the commands that ask no server, and why.
var alone = map[string]string{
	"demo":       "it is a server, with a cloud of its own",
	"serve":      "it is the server",
	"watch":      "the server comes to it, by its heartbeat",
	"sim":        "it is a cloud, and knows nothing of Dayshift",
	"eval":       "it needs nothing but the question",
	"validate":   "it checks the file here; what a server would make of another file says dayshift diff",
	"version":    "it tells of this program",
	"completion": "it writes for the shell",
	"help":       "it needs nothing",
}

// checkAlone refuses the flags of a server for a command that asks none.
func checkAlone(cmd *cobra.Command) error {
	for _, flag := range serverFlags {
		if !cmd.Flags().Changed(flag) {
			continue
		}
		top := cmd
		for top.HasParent() && top.Parent().HasParent() {
			top = top.Parent()
		}
		if why, ok := alone[top.Name()]; ok {
			return usage("--%s is not for dayshift %s: %s", flag, top.Name(), why)
		}
	}
	return nil
}
