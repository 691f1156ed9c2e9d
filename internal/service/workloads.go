package service

import (
	"context"
	"slices"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/run"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// Foreseer looks at what a run of a workload would do, without doing any of it.
type Foreseer interface {
	Foresee(ctx context.Context, w *workload.Workload, asked workload.Request, memory workload.Memory) (run.Foresight, error)
}

// WorkloadView is a workload as people see it.
type WorkloadView struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Schedule    string   `json:"schedule,omitempty"`
	Enabled     bool     `json:"enabled"`
	Profile     string   `json:"profile,omitempty"` // where a start names none
	Profiles    []string `json:"profiles"`
	Overlap     string   `json:"overlap"`
	OnFailure   string   `json:"on_failure"`
	Topic       string   `json:"topic,omitempty"`
	// Fault says why it can not be used; empty for most.
	Fault say.Text `json:"fault,omitzero"`
	// Wanted is what its schedule, or an override for it, wants: running, stopped or any. Next is when that changes.
	Wanted   string         `json:"wanted"`
	Next     *Change        `json:"next,omitempty"`
	Override *InForce       `json:"override,omitempty"`
	Tiers    []WorkloadTier `json:"tiers"` // in the order in which they start
	// State is how its last run left it: running, stopped, or unknown before the first and where that did not end well.
	State string `json:"state"`
	// Run is the one that is under way, Last the one that ended last; without their members.
	Run  *WorkloadRun `json:"run,omitempty"`
	Last *WorkloadRun `json:"last,omitempty"`
	// Waiting is what begins when the run that is under way has ended.
	Waiting *WorkloadAsked `json:"waiting,omitempty"`
}

// WorkloadTier is one tier, and where it stands in both orders.
type WorkloadTier struct {
	Name    string `json:"name"`
	Filters string `json:"filters"`
	// StartsAfter and StopsAfter are the tiers that it waits for.
	StartsAfter []string          `json:"starts_after"`
	StopsAfter  []string          `json:"stops_after"`
	Profiles    map[string]string `json:"profiles,omitempty"`
	Ready       []say.Text        `json:"ready"`  // its gates, each in words
	Vetoes      []say.Text        `json:"vetoes"` // likewise
	Balancers   bool              `json:"balancers"`
}

// WorkloadAsked is what somebody asked for.
type WorkloadAsked struct {
	ID      string    `json:"id"`
	Asks    string    `json:"asks"`
	Profile string    `json:"profile,omitempty"`
	By      string    `json:"by"`
	Reason  say.Text  `json:"reason,omitzero"`
	At      time.Time `json:"at"`
}

// WorkloadRun is a run with its timeline.
type WorkloadRun struct {
	ID        string    `json:"id"`
	Workload  string    `json:"workload"`
	Direction string    `json:"direction"` // start or stop
	Profile   string    `json:"profile,omitempty"`
	By        string    `json:"by"`
	Reason    say.Text  `json:"reason,omitzero"`
	Trigger   string    `json:"trigger"`
	Status    string    `json:"status"` // running, held, cancelling, undoing, done, done-with-exceptions, failed, cancelled or undone
	Why       say.Text  `json:"why,omitzero"`
	OnFailure string    `json:"on_failure"`
	Began     time.Time `json:"began"`
	Ended     time.Time `json:"ended,omitzero"`
	// Expected is when it ends by what earlier runs took; absent where none tells.
	Expected time.Time `json:"expected,omitzero"`
	// Can is what may be asked of it now: cancel, retry, continue, undo.
	Can        []string          `json:"can"`
	Tiers      []WorkloadRunTier `json:"tiers"`
	Exceptions []say.Text        `json:"exceptions"` // what it left other than it was to be
	// Back is the run that takes this one back.
	Back *WorkloadRun `json:"back,omitempty"`
}

// WorkloadRunTier is how far a tier is.
type WorkloadRunTier struct {
	Name    string              `json:"name"`
	After   []string            `json:"after"` // the tiers that it waits for
	Phase   string              `json:"phase"`
	Why     string              `json:"why,omitempty"`
	Detail  say.Text            `json:"detail,omitzero"`
	Began   time.Time           `json:"began,omitzero"`
	Ended   time.Time           `json:"ended,omitzero"`
	Members []WorkloadRunMember `json:"members"`
	// Ready is how many of its members have come to a good end, Failed how many failed.
	Ready  int `json:"ready"`
	Failed int `json:"failed"`
}

// WorkloadRunMember is how far a member is.
type WorkloadRunMember struct {
	Ref    string         `json:"ref"`
	Name   string         `json:"name"`
	Step   string         `json:"step"`
	Since  time.Time      `json:"since,omitzero"`
	End    string         `json:"end,omitempty"` // ready, stopped, left, kept, gone or failed; empty: it is on its way
	Why    string         `json:"why,omitempty"` // what it waits for, or why it ended so
	Detail say.Text       `json:"detail,omitzero"`
	State  string         `json:"state"`
	Type   string         `json:"type,omitempty"`
	Steps  []WorkloadMark `json:"steps"` // that it came through
}

// WorkloadMark is when a member came to a step.
type WorkloadMark struct {
	Step string    `json:"step"`
	At   time.Time `json:"at"`
}

// WorkloadList are all workloads.
type WorkloadList struct {
	At        time.Time      `json:"at"`
	Workloads []WorkloadView `json:"workloads"`
}

// WorkloadStatus is one workload with the whole timeline of its present or last run.
type WorkloadStatus struct {
	At time.Time `json:"at"`
	WorkloadView
	// Timeline is the run that is under way, or else the last one; absent before the first.
	Timeline *WorkloadRun `json:"timeline,omitempty"`
}

// WorkloadRuns are runs of a workload, the newest first.
type WorkloadRuns struct {
	At   time.Time     `json:"at"`
	Runs []WorkloadRun `json:"runs"`
}

// WorkloadRequest asks for a run of a workload.
type WorkloadRequest struct {
	Workload string
	Profile  string // of a start; empty: the workload's own
	Reason   string
	Author   string
	DryRun   bool // say what it would do, and do nothing
	// Within is what the author may act on; nil: everything. *OutsideError where the workload has other members.
	Within *fleet.Filter
}

// WorkloadOrder asks for something of the run that is under way.
type WorkloadOrder struct {
	Workload string
	Run      string // its ID; empty: whichever is under way
	Mode     ResumeMode
	Reason   string
	Author   string
	Within   *fleet.Filter
}

// ResumeMode is how a run that is held, or on its way, goes on.
type ResumeMode string

// The modes.
const (
	ResumeRetry    ResumeMode = "retry"    // what failed is tried again
	ResumeContinue ResumeMode = "continue" // as if it had not failed
	ResumeUndo     ResumeMode = "undo"     // what was done is taken back
)

// ResumeModes are all of them, in the order in which people are told of them.
var ResumeModes = []ResumeMode{ResumeRetry, ResumeContinue, ResumeUndo}

// WorkloadAnswer is what becomes of a request or an order.
type WorkloadAnswer struct {
	At     time.Time `json:"at"`
	DryRun bool      `json:"dry_run"`
	// Run is the ID of the run that is to begin, or that the order is about.
	Run string `json:"run"`
	// Verdict is what becomes of it: begin, wait (until the present run has ended), cancel (that first) or join (it does the same).
	Verdict string   `json:"verdict"`
	Text    say.Text `json:"text"` // a sentence for people
	// Plan is what the run would do, as things stand; of a dry run, and where the members were looked at.
	Plan *run.Foresight `json:"plan,omitempty"`
}

// Workloads lists all workloads.
func (s *Service) Workloads(ctx context.Context) (WorkloadList, error) {
	answer := WorkloadList{At: store.Instant(s.Now()), Workloads: []WorkloadView{}}
	for _, w := range s.Book.Workloads.All() {
		view, _, _, err := s.workload(ctx, w, answer.At)
		if err != nil {
			return answer, err
		}
		answer.Workloads = append(answer.Workloads, view)
	}
	return answer, nil
}

// WorkloadStatus tells of one workload, with the timeline of its run.
func (s *Service) WorkloadStatus(ctx context.Context, name string) (WorkloadStatus, error) {
	answer := WorkloadStatus{At: store.Instant(s.Now())}
	w, err := s.workloadNamed(name)
	if err != nil {
		return answer, err
	}
	view, memory, shown, err := s.workload(ctx, w, answer.At)
	if err != nil {
		return answer, err
	}
	answer.WorkloadView = view
	if shown != nil {
		whole := runView(shown, memory, answer.At, true)
		answer.Timeline = &whole
	}
	return answer, nil
}

// WorkloadRuns lists the runs of a workload, the newest first, at most limit (0: all that are kept).
func (s *Service) WorkloadRuns(ctx context.Context, name string, limit int) (WorkloadRuns, error) {
	answer := WorkloadRuns{At: store.Instant(s.Now()), Runs: []WorkloadRun{}}
	memory, known, err := s.workloadMemory(ctx, name)
	if err != nil {
		return answer, err
	}
	if !known {
		if _, err := s.workloadNamed(name); err != nil {
			return answer, err
		}
	}
	ids := slices.Clone(memory.History)
	if memory.Active != "" {
		ids = append(ids, memory.Active)
	}
	slices.Reverse(ids)
	for _, id := range ids {
		if limit > 0 && len(answer.Runs) == limit {
			break
		}
		r, err := s.workloadRun(ctx, id)
		if err != nil {
			return answer, err
		}
		if r != nil {
			answer.Runs = append(answer.Runs, runView(r, memory, answer.At, false))
		}
	}
	return answer, nil
}

// WorkloadRun tells of one run with its timeline. *GoneError where there is none with the ID.
func (s *Service) WorkloadRun(ctx context.Context, id string) (WorkloadRun, error) {
	r, err := s.workloadRun(ctx, id)
	if err != nil {
		return WorkloadRun{}, err
	}
	if r == nil {
		return WorkloadRun{}, &GoneError{tellF("there is no run %s of a workload; the last %d of each are kept", id, run.KeptRuns)}
	}
	memory, _, err := s.workloadMemory(ctx, r.Workload)
	if err != nil {
		return WorkloadRun{}, err
	}
	return runView(r, memory, s.Now(), true), nil
}

// StartWorkload asks for a start of a workload, StopWorkload for its stop: by hand, at once, whatever its schedule wants.
// *InputError where that can not be.
func (s *Service) StartWorkload(ctx context.Context, request WorkloadRequest) (WorkloadAnswer, error) {
	return s.askWorkload(ctx, request, run.AsksStart)
}

// StopWorkload is told of at StartWorkload.
func (s *Service) StopWorkload(ctx context.Context, request WorkloadRequest) (WorkloadAnswer, error) {
	return s.askWorkload(ctx, request, run.AsksStop)
}

// CancelWorkload ends the run that is under way: what was begun ends, what was taken out of a load balancer is put back.
func (s *Service) CancelWorkload(ctx context.Context, order WorkloadOrder) (WorkloadAnswer, error) {
	return s.orderWorkload(ctx, order, run.AsksCancel)
}

// ResumeWorkload goes on with the run that is under way as the order's mode says.
func (s *Service) ResumeWorkload(ctx context.Context, order WorkloadOrder) (WorkloadAnswer, error) {
	asks, known := map[ResumeMode]run.Asks{ResumeRetry: run.AsksRetry, ResumeContinue: run.AsksOn, ResumeUndo: run.AsksUndo}[order.Mode]
	if !known {
		return WorkloadAnswer{}, inputErrorF("%q is no way to resume a run; it is retry, continue or undo", order.Mode)
	}
	return s.orderWorkload(ctx, order, asks)
}

func (s *Service) workloadNamed(name string) (*workload.Workload, error) {
	if w := s.Book.Workloads.Named(name); w != nil {
		return w, nil
	}
	var names []string
	for _, w := range s.Book.Workloads.All() {
		names = append(names, w.Name)
	}
	return nil, inputErrorF("there is no workload %q; %s", name, meant(name, names, say.F("the configuration has none")))
}

func (s *Service) workloadMemory(ctx context.Context, name string) (m run.Memory, known bool, err error) {
	records, err := s.Store.Records(ctx, store.RecordQuery{Kind: store.WorkloadMemory, Name: name, Limit: 1})
	if err != nil || len(records) == 0 {
		return m, false, err
	}
	m, err = run.ToMemory(records[0])
	return m, true, err
}

func (s *Service) workloadRun(ctx context.Context, id string) (*workload.Run, error) {
	records, err := s.Store.Records(ctx, store.RecordQuery{Kind: store.WorkloadRun, Name: id, Limit: 1})
	if err != nil || len(records) == 0 {
		return nil, err
	}
	return run.ToRun(records[0])
}

// workload describes a workload; shown is the run that its timeline is of.
func (s *Service) workload(ctx context.Context, w *workload.Workload, at time.Time) (view WorkloadView, memory run.Memory, shown *workload.Run, err error) {
	if memory, _, err = s.workloadMemory(ctx, w.Name); err != nil {
		return view, memory, nil, err
	}
	view = WorkloadView{
		Name: w.Name, Description: w.Description, Schedule: w.Schedule, Enabled: w.Enabled, Profile: w.Profile, Profiles: append([]string{}, w.Profiles()...),
		Overlap: string(w.Overlap), OnFailure: string(w.OnFailure), Topic: w.Topic, Tiers: workloadTiers(w), State: UnknownState,
	}
	if w.Err != nil {
		view.Fault = say.Of(w.Err)
	}
	governs := s.Book.GovernsWorkload(w)
	view.Wanted = calendar.Any.String()
	if o, end, ok := governs.Override(at, memory.Wanted.Reached); ok {
		view.Wanted = o.State.String()
		view.Override = &InForce{ID: o.ID, State: o.State.String(), Until: end.UTC(), Author: o.Author, Reason: o.Reason}
	} else if governs.Why == policy.Governed {
		view.Wanted = governs.Wanted(at).State.String()
	}
	view.Next = nextChange(&governs, memory.Wanted.Reached, at)
	if memory.State != "" {
		view.State = string(memory.State)
	}
	if asked := memory.Waiting; asked != nil {
		view.Waiting = &WorkloadAsked{ID: asked.ID, Asks: string(asked.Asks), Profile: asked.Profile, By: asked.By, Reason: asked.Reason.Text, At: asked.At}
	}
	short := func(id string) (*WorkloadRun, error) {
		r, err := s.workloadRun(ctx, id)
		if err != nil || r == nil {
			return nil, err
		}
		if shown == nil {
			shown = r
		}
		v := runView(r, memory, at, false)
		return &v, nil
	}
	if memory.Active != "" {
		if view.Run, err = short(memory.Active); err != nil {
			return view, memory, nil, err
		}
	}
	if n := len(memory.History); n > 0 {
		if view.Last, err = short(memory.History[n-1]); err != nil {
			return view, memory, nil, err
		}
		if view.Last != nil && (view.Last.Status == string(workload.StatusFailed) || view.Last.Status == string(workload.StatusCancelled)) {
			view.State = UnknownState
		}
	}
	return view, memory, shown, nil
}

func workloadTiers(w *workload.Workload) []WorkloadTier {
	names, starts := w.Order(workload.Start)
	_, stops := w.Order(workload.Stop)
	tiers := make([]WorkloadTier, 0, len(names))
	for _, name := range names {
		t := w.Tier(name)
		view := WorkloadTier{
			Name: name, Filters: t.Filter.String(), StartsAfter: append([]string{}, starts[name]...), StopsAfter: append([]string{}, stops[name]...),
			Profiles: t.Profiles, Ready: []say.Text{}, Vetoes: []say.Text{}, Balancers: t.Balancers,
		}
		for i := range t.Ready {
			view.Ready = append(view.Ready, t.Ready[i].Said())
		}
		for i := range t.Vetoes {
			view.Vetoes = append(view.Vetoes, vetoWords(&t.Vetoes[i]))
		}
		tiers = append(tiers, view)
	}
	return tiers
}

// vetoWords names a veto. The address of a webhook can carry a secret.
func vetoWords(v *workload.Veto) say.Text {
	if v.Type == workload.VetoFile {
		return say.F("file %s", v.Path)
	}
	return say.Word(v.Type)
}

// runView describes a run, with its members or without.
func runView(r *workload.Run, memory run.Memory, at time.Time, whole bool) WorkloadRun {
	view := WorkloadRun{
		ID: r.ID, Workload: r.Workload, Direction: string(r.Direction), Profile: r.Profile, By: r.By, Reason: r.Reason.Text, Trigger: r.Trigger,
		Status: string(r.Status), Why: r.Why.Text, OnFailure: string(r.OnFailure), Began: r.Began, Ended: r.Ended, Can: can(r), Tiers: []WorkloadRunTier{}, Exceptions: []say.Text{},
	}
	if end, ok := workload.Forecast(memory.Runs, r, at); ok && !r.Status.Over() {
		view.Expected = end
	}
	for _, e := range r.Exceptions() {
		view.Exceptions = append(view.Exceptions, e.Said())
	}
	for i := range r.Tiers {
		t := &r.Tiers[i]
		tier := WorkloadRunTier{
			Name: t.Name, After: append([]string{}, r.After[t.Name]...), Phase: string(t.Phase), Why: string(t.Why), Detail: t.Detail.Text, Began: t.Began, Ended: t.Ended,
			Members: []WorkloadRunMember{},
		}
		for j := range t.Members {
			m := &t.Members[j]
			switch m.End {
			case workload.EndReady, workload.EndStopped:
				tier.Ready++
			case workload.EndFailed:
				tier.Failed++
			case workload.EndLeft, workload.EndKept, workload.EndGone:
			}
			if whole {
				tier.Members = append(tier.Members, memberView(m))
			}
		}
		view.Tiers = append(view.Tiers, tier)
	}
	if r.Back != nil {
		back := runView(r.Back, memory, at, whole)
		view.Back = &back
	}
	return view
}

func memberView(m *workload.Member) WorkloadRunMember {
	view := WorkloadRunMember{
		Ref: m.Ref.String(), Name: m.Name, Step: string(m.Step), Since: m.Since, End: string(m.End), Why: string(m.Why), Detail: m.Detail.Text,
		State: string(m.State), Type: m.Type, Steps: []WorkloadMark{},
	}
	for _, mark := range m.Marks {
		view.Steps = append(view.Steps, WorkloadMark{string(mark.Step), mark.At})
	}
	return view
}

// can says what may be asked of a run as it stands.
func can(r *workload.Run) []string {
	list := []string{}
	if r.Status == workload.StatusHeld {
		list = append(list, string(ResumeRetry), string(ResumeContinue))
	}
	if r.Status == workload.StatusHeld || r.Status == workload.StatusRunning {
		list = append(list, string(ResumeUndo))
	}
	if !r.Status.Over() && r.Status != workload.StatusCancelling {
		list = append(list, "cancel")
	}
	return list
}
