package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"dayshift/internal/act"
	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// job is an effect of a run that is to be carried out.
type job struct {
	l *live
	// run is as it was when it asked; of it only what never changes is read.
	run *workload.Run
	workload.Effect
}

func (j *job) member() fleet.Ref { return j.Members[0] }

// carryOut begins what the runs ask for, beside the rounds.
func (d *Driver) carryOut(ctx context.Context, setting Setting, moves []*move) {
	var acts, moving []*job
	for _, m := range moves {
		for _, n := range m.notice {
			d.tell(ctx, n)
		}
		for _, j := range d.jobs(m) {
			switch j.Kind {
			case workload.StartMember, workload.StopMember, workload.ResizeMember:
				acts = append(acts, j)
			case workload.Register, workload.Deregister:
				moving = append(moving, j)
			case workload.SendCommand:
				d.aside(func() { d.command(ctx, setting, j) })
			case workload.CallWebhook:
				d.aside(func() { d.webhook(ctx, j) })
			case workload.InvokeLambda:
				d.aside(func() { d.invoke(ctx, setting, j) })
			case workload.Tell:
				d.tell(ctx, Notice{Workload: j.run.Workload, Run: j.run.ID, Of: j.run.Definition, Members: members(j.run), Message: *j.Message, At: j.At})
				d.done(j, workload.Result{Outcome: workload.Done})
			}
		}
		if m.ends {
			d.letGo(ctx, setting, m.s.live)
			d.mu.Lock()
			m.s.live.ended, m.s.live = true, nil
			d.mu.Unlock()
		}
	}
	if len(acts) > 0 {
		d.aside(func() { d.act(ctx, setting, acts) })
	}
	for _, group := range groups(moving) {
		d.aside(func() { d.balance(ctx, setting, group) })
	}
}

// jobs are the effects of a run that this process has not begun yet.
func (d *Driver) jobs(m *move) (list []*job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := m.s.live
	if l == nil {
		return nil
	}
	r := l.run // a copy: the next round replaces it
	for _, e := range pending(&r) {
		if !l.begun[e.ID] {
			l.begun[e.ID] = true
			list = append(list, &job{l, &r, e})
		}
	}
	return list
}

// aside does something beside the rounds.
func (d *Driver) aside(do func()) {
	d.mu.Lock()
	d.under++
	d.mu.Unlock()
	d.beside.Go(func() {
		defer func() {
			d.mu.Lock()
			d.under--
			d.mu.Unlock()
			d.wake()
		}()
		do()
	})
}

func (d *Driver) tell(ctx context.Context, n Notice) {
	if d.Tell == nil {
		return
	}
	d.beside.Go(func() { d.Tell(context.WithoutCancel(ctx), n) })
}

// members are those of a run, with the tags that the filters of their tiers name.
func members(r *workload.Run) (list []fleet.Resource) {
	for i := range r.Tiers {
		tier := r.Definition.Tier(r.Tiers[i].Name)
		if tier == nil {
			continue
		}
		for at := range r.Tiers[i].Members {
			m := &r.Tiers[i].Members[at]
			list = append(list, tier.Filter.Stand(r.Definition.Filter.Stand([]fleet.Resource{{Ref: m.Ref, Name: m.Name}}))...)
		}
	}
	return list
}

// done hands a run the outcome of an effect, with the rows that tell of it.
func (d *Driver) done(j *job, result workload.Result, rows ...store.Activity) {
	if result.At.IsZero() {
		result.At = d.Clock.Now()
	}
	d.mu.Lock()
	if !j.l.ended {
		j.l.world.Results[j.ID], j.l.news = result, true
		j.l.rows = append(j.l.rows, rows...)
	}
	d.mu.Unlock()
	d.wake()
}

// slot waits for one of the calls that runs may make at once.
func (d *Driver) slot(ctx context.Context) (free func(), err error) {
	select {
	case d.slots <- struct{}{}:
		return func() { <-d.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// permitted gives the context of calls that change something.
func (d *Driver) permitted(ctx context.Context) context.Context {
	return cloud.WithPermit(ctx, d.MayAct)
}

// actionHolds is how long an action that waits for room in the rate limits may be begun: by then the run may have
// been cancelled, so it is asked again.
const actionHolds = 5 * time.Minute

// act carries out the starts, stops and changes of types of all runs as one plan.
func (d *Driver) act(ctx context.Context, setting Setting, jobs []*job) {
	resources := d.fresh(ctx, setting, jobs)
	byRef := map[fleet.Ref]*job{}
	var actions []plan.Action
	now := d.Clock.Now()
	for _, j := range jobs {
		r, seen := resources[j.member()]
		switch {
		case byRef[j.member()] != nil: // a member of two workloads
			d.done(j, workload.Result{Outcome: workload.Again, Detail: say.F("another run is at work on it")})
			continue
		case !seen:
			d.done(j, workload.Result{Outcome: workload.Again, Detail: say.F("it could not be looked at before it was acted on")})
			continue
		case protected(setting.Book, r):
			d.done(j, workload.Result{Outcome: workload.Failed, Detail: say.F("it is protected")})
			continue
		case r.State != j.State:
			d.done(j, workload.Result{Outcome: workload.Again, Detail: say.F("it was %s and is %s by now", say.Word(j.State), say.Raw(r.Native).Or(say.Word(r.State)))})
			continue
		}
		byRef[j.member()] = j
		actions = append(actions, action(j, r, setting.Book, now))
	}
	stage := act.Stage{Cloud: setting.Cloud, Clock: d.Clock, MayAct: d.MayAct}
	stage.Run(ctx, order(actions), func(outcomes []plan.Outcome) {
		for i := range outcomes {
			o := &outcomes[i]
			if o.Status == plan.Deferred && (ctx.Err() != nil || d.MayAct != nil && d.MayAct() != nil) {
				continue // whoever takes the run over finds out
			}
			j := byRef[o.Action.Resource.Ref]
			result, rows := d.outcome(j, o)
			d.done(j, result, rows...)
		}
	}, nil)
}

// order puts actions as a plan does.
func order(actions []plan.Action) []plan.Action {
	decisions := make([]decide.Decision, len(actions))
	for i := range actions {
		decisions[i] = actions[i].Decision
	}
	return plan.Make(decisions, plan.Guards{}).Actions
}

// protected reports whether the configuration or a tag protects a resource.
func protected(book *policy.Book, r fleet.Resource) bool {
	p := book.Governs(r)
	return p.Protected()
}

// action is what an effect means for a resource.
func action(j *job, r fleet.Resource, book *policy.Book, now time.Time) plan.Action {
	d := decide.Decision{Resource: r, Until: now.Add(actionHolds)}
	switch j.Kind {
	case workload.StartMember:
		d.Verb = fleet.Start
		d.Size = sizeOf(r)
		if others, _ := policy.InstanceTypes(r.Tags); len(others) > 0 && r.Kind.Traits().Types { // what it has comes first
			d.Types = append([]string{r.Type}, slices.DeleteFunc(others, func(t string) bool { return t == r.Type })...)
		}
	case workload.StopMember:
		d.Verb, d.Snapshot = fleet.Stop, snapshotOf(book, j.run, r.Ref, j.Since)
	case workload.ResizeMember:
		d.Verb, d.Type = fleet.Resize, j.Type
	case workload.Register, workload.Deregister, workload.SendCommand, workload.CallWebhook, workload.InvokeLambda, workload.Tell:
	}
	return plan.Action{Decision: d}
}

// snapshotOf is the name of the snapshot that a stop takes first, as the schedule that drives the workload says; empty: none.
func snapshotOf(book *policy.Book, r *workload.Run, ref fleet.Ref, since time.Time) string {
	s := book.Schedules[r.Definition.Schedule]
	if s == nil || s.Snapshot == "" || since.IsZero() || !ref.Kind.Traits().Snapshots {
		return ""
	}
	return decide.SnapshotName(s.Snapshot, ref, since)
}

// letGo deletes the snapshots that those of the stops of a run that is over have replaced. What fails, or is cut off by a
// crash, the next stop of the same database makes up for.
func (d *Driver) letGo(ctx context.Context, setting Setting, l *live) {
	r := &l.run
	if r.Back != nil {
		r = r.Back
	}
	for i := range r.Tiers {
		for j := range r.Tiers[i].Members {
			m := &r.Tiers[i].Members[j]
			snapshot := snapshotOf(setting.Book, r, m.Ref, m.StopSince)
			if snapshot == "" || m.End != workload.EndStopped || !m.Acted {
				continue
			}
			d.mu.Lock()
			resource, known := l.seen[m.Ref]
			d.mu.Unlock()
			if !known {
				continue
			}
			d.aside(func() {
				err := d.within(d.permitted(ctx), func(ctx context.Context) error {
					return setting.Cloud.Replace(ctx, resource.Scope, resource.Kind, resource, snapshot)
				})
				if err != nil && ctx.Err() == nil {
					d.Log.WarnContext(ctx, "snapshots of earlier stops are still there; the next stop of the database tries again",
						slog.String("resource", resource.Ref.String()), slog.String("snapshot", snapshot), slog.Any("error", err))
				}
			})
		}
	}
}

// sizeOf is what a start of a scaled kind brings back, as its tags say; empty: the kind knows what it was.
func sizeOf(r fleet.Resource) string {
	if !r.Kind.Traits().Scaled {
		return ""
	}
	for _, tag := range [...]string{fleet.TagSize, fleet.TagMinDesiredMax, fleet.TagSaved} {
		if size := strings.TrimSpace(r.Tags[tag]); size != "" {
			return size
		}
	}
	return ""
}

// outcome turns what became of an action into what a run is told, and the row of it.
func (d *Driver) outcome(j *job, o *plan.Outcome) (workload.Result, []store.Activity) {
	r := &o.Action.Resource
	result := workload.Result{At: o.At, Detail: say.Raw(o.Note)}
	row := func(event store.Event, text string) []store.Activity {
		return []store.Activity{memberRow(j.run, *r, o.At, event, workloadReason(j.run), strings.Trim(text+"; "+o.Note, "; "))}
	}
	if o.Err != nil {
		result.Detail = say.Clauses(say.Raw(o.Note), say.Of(o.Err))
	}
	failed := func(verb string) []store.Activity { return row(store.EventFailed, fmt.Sprintf("%s: %v", verb, o.Err)) }
	verb := string(o.Action.Verb)
	switch o.Status {
	case plan.Accepted:
		result.Outcome = workload.Done
		switch o.Action.Verb {
		case fleet.Start:
			var rows []store.Activity
			if o.Type != "" {
				rows = row(store.EventResized, fmt.Sprintf("type changed from %s to %s", r.Type, o.Type))
			}
			return result, append(rows, row(store.EventStartAccepted, fmt.Sprintf("start for workload %s, tier %s", j.run.Workload, j.Tier))...)
		case fleet.Resize:
			return result, row(store.EventResized, fmt.Sprintf("type changed from %s to %s for workload %s", r.Type, j.Type, j.run.Workload))
		default:
			text := fmt.Sprintf("stop for workload %s, tier %s", j.run.Workload, j.Tier)
			if o.Action.Snapshot != "" {
				text += fmt.Sprintf("; its snapshot %s is taken first", o.Action.Snapshot)
			}
			return result, row(store.EventStopAccepted, text)
		}
	case plan.Failed:
		result.Outcome = workload.Failed
		if passes(o) {
			result.Outcome = workload.Again
		}
		return result, failed(verb)
	case plan.Barred:
		result.Outcome = workload.Failed
		return result, failed(verb)
	case plan.Uncertain:
		result.Outcome = workload.Lost
		return result, failed(verb + ": whether it was carried out is not known")
	case plan.Skipped, plan.Waiting, plan.Deferred:
		result.Outcome = workload.Again
	}
	return result, nil
}

// passes reports whether what failed may go better later.
func passes(o *plan.Outcome) bool {
	if o.Short {
		return true
	}
	for _, lasting := range []error{
		cloud.ErrNotFound, cloud.ErrUnsupported, cloud.ErrProtected, cloud.ErrInvalid, cloud.ErrUnauthorized, cloud.ErrCredentials, cloud.ErrRegionDisabled,
	} {
		if errors.Is(o.Err, lasting) {
			return false
		}
	}
	return true
}

// fresh gives the members of the jobs as they were listed a moment ago, and asks anew for those of which that is longer ago.
func (d *Driver) fresh(ctx context.Context, setting Setting, jobs []*job) map[fleet.Ref]fleet.Resource {
	resources := map[fleet.Ref]fleet.Resource{}
	missing := map[part][]string{}
	now := d.Clock.Now()
	d.mu.Lock()
	for _, j := range jobs {
		ref := j.member()
		if r, known := j.l.seen[ref]; known && now.Sub(r.SeenAt) <= act.FreshFor && r.State == j.State {
			resources[ref] = r
			continue
		}
		at := part{ref.Scope, ref.Kind}
		missing[at] = append(missing[at], ref.ID)
	}
	d.mu.Unlock()
	done := make(chan []fleet.Resource)
	for at, ids := range missing {
		go func() {
			list, err := d.list(ctx, setting.Cloud, at, ids)
			if err != nil {
				d.Log.WarnContext(ctx, "members of workloads could not be looked at before they are acted on", slog.String("scope", at.scope.String()), slog.Any("error", err))
			}
			done <- list
		}()
	}
	for range missing {
		for _, r := range <-done {
			resources[r.Ref] = r
		}
	}
	return resources
}

// groups are the moves in and out of load balancers that can be one call each.
func groups(jobs []*job) (list [][]*job) {
	type key struct {
		scope fleet.Scope
		kind  workload.EffectKind
	}
	at := map[key]int{}
	for _, j := range jobs {
		k := key{j.member().Scope, j.Kind}
		if _, there := at[k]; !there {
			at[k] = len(list)
			list = append(list, nil)
		}
		list[at[k]] = append(list[at[k]], j)
	}
	return list
}

// balance moves members in or out of their load balancers. Of a call that is refused each is tried alone, so that
// one that is refused holds back no other.
func (d *Driver) balance(ctx context.Context, setting Setting, jobs []*job) {
	free, err := d.slot(ctx)
	if err != nil {
		return // whoever takes the runs over does it again
	}
	var members []cloud.Membership
	for _, j := range jobs {
		members = append(members, memberships(j.member(), j.Places)...)
	}
	scope, in := jobs[0].member().Scope, jobs[0].Kind == workload.Register
	if in {
		err = setting.Cloud.Register(d.permitted(ctx), scope, members)
	} else {
		err = setting.Cloud.Deregister(d.permitted(ctx), scope, members)
	}
	free()
	_, again := cloud.Again(err)
	switch {
	case errors.Is(err, cloud.ErrNotPermitted) || err != nil && ctx.Err() != nil:
		return
	case err != nil && !again && len(jobs) > 1:
		for _, j := range jobs {
			d.balance(ctx, setting, []*job{j})
		}
		return
	}
	for _, j := range jobs {
		event, words, result := store.EventPutBack, "put back into", workload.Result{At: d.Clock.Now(), Outcome: workload.Done}
		if !in {
			event, words = store.EventDrained, "taken out of"
		}
		text := fmt.Sprintf("%s %s", words, places(j.Places))
		if err != nil {
			event, text = store.EventFailed, fmt.Sprintf("could not be %s: %v", text, err)
			result.Outcome, result.Detail = workload.Failed, say.Of(err)
			if again {
				result.Outcome = workload.Again
			}
		}
		r := fleet.Resource{Ref: j.member(), Name: d.nameOf(j)}
		d.done(j, result, memberRow(j.run, r, result.At, event, workloadReason(j.run), text))
	}
}

func (d *Driver) nameOf(j *job) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return j.l.seen[j.member()].Name
}

func memberships(ref fleet.Ref, list []workload.Place) []cloud.Membership {
	members := make([]cloud.Membership, len(list))
	for i, p := range list {
		members[i] = cloud.Membership{Instance: ref.ID, Group: p.Group, Classic: p.Classic, Port: p.Port}
	}
	return members
}

func places(list []workload.Place) string {
	names := make([]string, len(list))
	for i, p := range list {
		if names[i] = p.Group; p.Port != 0 {
			names[i] = fmt.Sprintf("%s port %d", p.Group, p.Port)
		}
	}
	return strings.Join(names, ", ")
}

// How often it is looked whether a command has ended: soon at first, since most take a second.
const (
	commandFirst   = 2 * time.Second
	commandLongest = 15 * time.Second
	// commandSlack is how long after its time the answer of a command is waited for: the provider notices late.
	commandSlack = 30 * time.Second
	// leastCommand is the least time that the provider gives a command.
	leastCommand = 30 * time.Second
)

// command runs a script on members and waits for its end on all of them.
func (d *Driver) command(ctx context.Context, setting Setting, j *job) {
	scope := j.member().Scope
	end := j.At.Add(max(j.Timeout, leastCommand) + commandSlack)
	result := workload.Result{Outcome: workload.Lost, Detail: say.F("the command gave no answer in time"), By: map[fleet.Ref]workload.MemberResult{}}
	id, left, err := d.send(ctx, setting, j, end, &result)
	for wait := commandFirst; err == nil && len(left) > 0; wait = min(2*wait, commandLongest) {
		if !d.Clock.Now().Before(end) {
			break
		}
		if err = d.Clock.Sleep(ctx, wait); err != nil {
			break
		}
		var results map[string]cloud.CommandResult
		free, slotErr := d.slot(ctx)
		if slotErr != nil {
			err = slotErr
			break
		}
		results, err = setting.Cloud.Results(ctx, scope, id)
		free()
		if errors.Is(err, cloud.ErrThrottled) || errors.Is(err, cloud.ErrTransient) {
			err = nil
			continue
		}
		for member, r := range results {
			if ref, asked := left[member]; asked && r.State != cloud.CommandPending {
				delete(left, member)
				result.By[ref] = commandOutcome(j, r)
			}
		}
	}
	if ctx.Err() != nil || errors.Is(err, cloud.ErrNotPermitted) {
		return // whoever takes the run over sends it again, which gives the same command
	}
	if err != nil {
		result.Detail = say.Of(err)
		if lasts(err) {
			result.Outcome = workload.Failed
		}
	}
	result.At = d.Clock.Now()
	d.done(j, result, d.calledRow(j.run, &j.Effect, summed(j, result)))
}

// send sends a command to those members whose agent is online; left are those that are to answer.
func (d *Driver) send(ctx context.Context, setting Setting, j *job, end time.Time, result *workload.Result) (id string, left map[string]fleet.Ref, err error) {
	scope := j.member().Scope
	refs := map[string]fleet.Ref{}
	for _, ref := range j.Members {
		refs[ref.ID] = ref
	}
	for wait := commandFirst; ; wait = min(2*wait, commandLongest) {
		id, left, err = d.trySend(ctx, setting, j, scope, refs, result)
		if !errors.Is(err, cloud.ErrThrottled) && !errors.Is(err, cloud.ErrTransient) || !d.Clock.Now().Add(wait).Before(end) {
			return id, left, err
		}
		if err := d.Clock.Sleep(ctx, wait); err != nil {
			return "", nil, err
		}
	}
}

func (d *Driver) trySend(ctx context.Context, setting Setting, j *job, scope fleet.Scope, refs map[string]fleet.Ref, result *workload.Result) (id string, left map[string]fleet.Ref, err error) {
	free, err := d.slot(ctx)
	if err != nil {
		return "", nil, err
	}
	defer free()
	ids := make([]string, 0, len(j.Members))
	for _, ref := range j.Members {
		ids = append(ids, ref.ID)
	}
	online, err := setting.Cloud.Reachable(ctx, scope, ids)
	if err != nil {
		return "", nil, err
	}
	left = map[string]fleet.Ref{}
	var reached []string
	for _, id := range ids {
		if !online[id] {
			result.By[refs[id]] = workload.MemberResult{Outcome: workload.Lost, Detail: say.F("its Systems Manager agent is not online")}
			continue
		}
		delete(result.By, refs[id])
		left[id] = refs[id]
		reached = append(reached, id)
	}
	if len(reached) == 0 {
		return "", nil, nil
	}
	lines := j.Lines
	if j.File != "" {
		if lines, err = cloud.FileTest(j.File, j.Windows); err != nil {
			return "", nil, err
		}
	}
	id, err = setting.Cloud.Send(d.permitted(ctx), scope, cloud.Command{
		IDs: reached, Windows: j.Windows, Lines: lines, Timeout: max(j.Timeout, leastCommand), Token: j.ID, Since: j.At,
	})
	return id, left, err
}

// commandOutcome is how a command ended on a member.
func commandOutcome(j *job, r cloud.CommandResult) workload.MemberResult {
	output := say.Raw(clip(strings.TrimSpace(r.Output)))
	switch there, known := cloud.FileThere(r); {
	case r.State == cloud.CommandFailed:
		return workload.MemberResult{Outcome: workload.Lost, Detail: say.Raw(r.Detail).Or(say.F("it could not be run"))}
	case j.File != "" && !known:
		return workload.MemberResult{Outcome: workload.Lost, Detail: with(say.F("whether %s is there was not said", j.File), output)}
	case j.File != "" && there:
		return workload.MemberResult{Outcome: workload.Refused, Detail: say.F("%s is there", j.File)}
	case j.File != "":
		return workload.MemberResult{Outcome: workload.Done}
	case r.Exit != 0:
		return workload.MemberResult{Outcome: workload.Refused, Detail: with(say.F("exit %d", r.Exit), output)}
	}
	return workload.MemberResult{Outcome: workload.Done, Detail: output}
}

// with adds what is known more closely.
func with(text, detail say.Text) say.Text {
	if detail.Empty() {
		return text
	}
	return say.F("%s: %s", text, detail)
}

// clipped bounds what of an answer is kept: the first line tells most.
const clipped = 200

func clip(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if len(text) > clipped {
		return strings.ToValidUTF8(text[:clipped], "") + "…"
	}
	return text
}

// summed is the outcome of a command on several members as one.
func summed(j *job, result workload.Result) workload.Result {
	sum := workload.Result{At: result.At, Outcome: workload.Done}
	if len(result.By) < len(j.Members) {
		sum.Outcome, sum.Detail = result.Outcome, result.Detail
	}
	for _, ref := range j.Members {
		if r, ok := result.By[ref]; ok && r.Outcome != workload.Done {
			sum.Outcome, sum.Detail = r.Outcome, with(say.Raw(ref.ID), r.Detail)
			break
		}
	}
	return sum
}

// lasts reports errors after which nothing was done and trying again is of no use.
func lasts(err error) bool {
	for _, one := range []error{cloud.ErrNotFound, cloud.ErrUnauthorized, cloud.ErrInvalid, cloud.ErrUnsupported, cloud.ErrCredentials, cloud.ErrRegionDisabled} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// payload is what webhooks and functions are told.
type payload struct {
	ID        string      `json:"id"` // the same when it is sent again
	Workload  string      `json:"workload"`
	Run       string      `json:"run"`
	Direction string      `json:"direction"`
	Profile   string      `json:"profile,omitempty"`
	Tier      string      `json:"tier"`
	Step      string      `json:"step"`    // before, after or veto
	Members   []fleet.Ref `json:"members"` // whom it concerns
	At        time.Time   `json:"at"`
}

func (j *job) payload() []byte {
	members := j.Members
	if members == nil {
		members = []fleet.Ref{}
	}
	body, _ := json.Marshal(payload{ // strings and times always encode
		ID: j.ID, Workload: j.run.Workload, Run: j.run.ID, Direction: string(j.run.Direction), Profile: j.run.Profile, Tier: j.Tier, Step: string(j.Step),
		Members: members, At: j.At.UTC(),
	})
	return body
}

// webhook posts to an address.
func (d *Driver) webhook(ctx context.Context, j *job) {
	free, err := d.slot(ctx)
	if err != nil {
		return
	}
	defer free()
	if d.MayAct != nil && d.MayAct() != nil {
		return
	}
	status, answer, err := d.Probe.Post(ctx, j.URL, j.ID, j.payload(), j.Timeout)
	result := workload.Result{At: d.Clock.Now(), Outcome: workload.Done, Detail: say.Raw(clip(answer))}
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		result.Outcome, result.Detail = workload.Lost, say.Of(err)
	case status < 200 || status > 299:
		result.Outcome, result.Detail = workload.Refused, with(say.F("status %d", status), say.Raw(clip(answer)))
	}
	d.done(j, result, d.calledRow(j.run, &j.Effect, result))
}

// invoke calls a Lambda function, where its ARN says that it is.
func (d *Driver) invoke(ctx context.Context, setting Setting, j *job) {
	result := workload.Result{Outcome: workload.Done}
	scope, err := scopeOfARN(j.Function)
	if err == nil {
		var free func()
		if free, err = d.slot(ctx); err != nil {
			return
		}
		_, err = setting.Cloud.Invoke(d.permitted(ctx), scope, j.Function, j.payload(), j.Timeout)
		free()
	}
	var raised *cloud.FunctionError
	switch {
	case err == nil:
	case ctx.Err() != nil || errors.Is(err, cloud.ErrNotPermitted):
		return
	case errors.As(err, &raised):
		result.Outcome, result.Detail = workload.Refused, say.Raw(clip(err.Error()))
	case lasts(err):
		result.Outcome, result.Detail = workload.Failed, say.Of(err)
	default:
		result.Outcome, result.Detail = workload.Lost, say.Of(err)
	}
	result.At = d.Clock.Now()
	d.done(j, result, d.calledRow(j.run, &j.Effect, result))
}

// scopeOfARN is where the ARN of a function says that it is.
func scopeOfARN(function string) (fleet.Scope, error) {
	parts := strings.Split(function, ":")
	if len(parts) < 7 || parts[0] != "arn" {
		return fleet.Scope{}, fmt.Errorf("function %q: write its whole ARN, which says where it is: %w", function, cloud.ErrInvalid)
	}
	account, err := fleet.ParseAccountID(parts[4])
	if err != nil {
		return fleet.Scope{}, fmt.Errorf("function %q: %w: %w", function, cloud.ErrInvalid, err)
	}
	region, err := fleet.ParseRegion(parts[3])
	if err != nil {
		return fleet.Scope{}, fmt.Errorf("function %q: %w: %w", function, cloud.ErrInvalid, err)
	}
	return fleet.Scope{Account: account, Region: region}, nil
}
