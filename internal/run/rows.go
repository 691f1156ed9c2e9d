package run

import (
	"fmt"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/record"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// refusedRow says that what was asked for does not take place.
func refusedRow(asked Request, now time.Time, reason string, why say.Text) store.Activity {
	return store.Activity{
		At: now, Actor: record.Actor, Event: store.EventWorkloadRefused, Name: asked.Workload, Run: asked.Run, Reason: reason,
		Detail: fmt.Sprintf("%s, asked for by %s: %s", asked.Asks, asked.By, why),
	}
}

// toldEvents are the events of what a run tells.
var toldEvents = map[workload.MessageKind]store.Event{
	workload.ToldBegan: store.EventWorkloadBegan, workload.ToldEnded: store.EventWorkloadEnded,
}

// tell gives the rows of what a run has come to say, and of how it stands.
func (m *move) tell(now time.Time) (rows []store.Activity) {
	rows = m.rows
	if m.run == nil {
		return rows
	}
	r := m.run
	row := func(event store.Event, reason, text string) {
		rows = append(rows, store.Activity{
			At: now, Event: event, Run: r.ID, Name: r.Workload, Schedule: r.Definition.Schedule, Reason: reason, Detail: text,
		})
	}
	for _, e := range m.next.Effects {
		if e.Kind != workload.Tell {
			continue
		}
		event, named := toldEvents[e.Message.About]
		if !named {
			event = store.EventWorkloadTold
		}
		row(event, string(e.Message.About), e.Message.Text.String())
	}
	if before := m.s.live; r.Status == workload.StatusHeld && (before == nil || before.run.Status != workload.StatusHeld) {
		row(store.EventWorkloadHeld, string(r.Status), strings.TrimSpace("it waits for somebody: resume, undo or cancel it. "+r.Why.String()))
	}
	return rows
}

// memberRow tells what became of an effect on one member.
func memberRow(r *workload.Run, member fleet.Resource, at time.Time, event store.Event, reason, text string) store.Activity {
	return store.Activity{
		At: at, Actor: record.Actor, Event: event, Run: r.ID, Ref: member.Ref, Name: member.Name, Schedule: r.Definition.Schedule,
		Reason: reason, Detail: text,
	}
}

// calledRow tells what became of a command, webhook or function.
func (d *Driver) calledRow(r *workload.Run, e *workload.Effect, result workload.Result) store.Activity {
	what := string(e.Kind)
	switch e.Kind {
	case workload.CallWebhook:
		what = "webhook"
	case workload.InvokeLambda:
		what = "function " + e.Function
	case workload.SendCommand:
		what = fmt.Sprintf("command on %d members", len(e.Members))
	case workload.StartMember, workload.StopMember, workload.ResizeMember, workload.Register, workload.Deregister, workload.Tell:
	}
	return store.Activity{
		At: result.At, Actor: record.Actor, Event: store.EventCalled, Run: r.ID, Name: r.Workload, Schedule: r.Definition.Schedule, Reason: string(result.Outcome),
		Detail: strings.TrimRight(fmt.Sprintf("tier %s, %s: %s: %s; %s", e.Tier, e.Step, what, result.Outcome, result.Detail), "; "),
	}
}

// workloadReason is why a member of a workload is started or stopped, as the record says it.
func workloadReason(r *workload.Run) string { return "workload-" + string(r.Direction) }
