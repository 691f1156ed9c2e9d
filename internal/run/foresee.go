package run

import (
	"context"
	"slices"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/discover"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
	"dayshift/internal/workload"
)

// Foresight is what a run would do as things stand: its order, its members, what it would wait for and who speaks against it.
type Foresight struct {
	At        time.Time      `json:"at"`
	Workload  string         `json:"workload"`
	Direction string         `json:"direction"`
	Profile   string         `json:"profile,omitempty"`
	Tiers     []ForeseenTier `json:"tiers"` // in an order in which they may begin
	// Gaps are parts of the fleet that could not be listed: members there are not known.
	Gaps []say.Text `json:"gaps"`
	// Usually is how long earlier runs took in all, in seconds; 0 where none tells.
	Usually float64 `json:"usually_seconds,omitempty"`
}

// ForeseenTier is a tier of it.
type ForeseenTier struct {
	Name    string           `json:"name"`
	After   []string         `json:"after"` // the tiers that it waits for
	Members []ForeseenMember `json:"members"`
	// Waits are what it waits for on its way, in words: hooks, gates, vetoes, load balancers, its delay.
	Waits []say.Text `json:"waits"`
}

// ForeseenMember is a member of it.
type ForeseenMember struct {
	Ref   string `json:"ref"`
	Name  string `json:"name"`
	State string `json:"state"`
	Type  string `json:"type,omitempty"`
	// Does is what would be done with it: start, stop, resize (before its start), nothing, or left where it takes no part.
	Does string `json:"does"`
	To   string `json:"to,omitempty"` // the type of a resize
	// Why is one word for why it is left or nothing is done, Detail what is known more closely. Vetoes are who speaks against
	// its stop now.
	Why    string     `json:"why,omitempty"`
	Detail say.Text   `json:"detail,omitzero"`
	Vetoes []say.Text `json:"vetoes,omitempty"`

	resource fleet.Resource
}

// DoesLeft is what is done with a member that takes no part.
const DoesLeft = "left"

// Resource is the member as it was listed.
func (m *ForeseenMember) Resource() fleet.Resource { return m.resource }

// Foresee looks at what a run would do. It makes no call that changes anything: vetoes that would have to run something
// inside a member, or call an address, are named and not asked.
func Foresee(ctx context.Context, setting Setting, at clock.Clock, w *workload.Workload, asked workload.Request, memory workload.Memory) (Foresight, error) {
	now := at.Now()
	begun, err := workload.Begin(w, asked, memory, now)
	if err != nil {
		return Foresight{}, err
	}
	f := Foresight{At: now.UTC(), Workload: w.Name, Direction: string(begun.Direction), Profile: begun.Profile, Tiers: []ForeseenTier{}, Gaps: []say.Text{}}
	if end, known := workload.Forecast(memory, &begun, now); known {
		f.Usually = end.Sub(now).Seconds()
	}
	request := discover.Request{TagKey: setting.Book.TagKey, Whole: map[fleet.Scope][]fleet.Filter{}}
	for _, scope := range setting.Scopes {
		for i := range w.Tiers {
			if w.In(&w.Tiers[i], scope) {
				request.Whole[scope] = append(request.Whole[scope], w.Tiers[i].Filter)
			}
		}
		if len(request.Whole[scope]) > 0 {
			request.Scopes = append(request.Scopes, scope)
		}
	}
	seen := discover.List(ctx, setting.Cloud, request)
	for _, gap := range seen.Gaps {
		f.Gaps = append(f.Gaps, gap.Said())
	}
	for i := range begun.Tiers {
		t := w.Tier(begun.Tiers[i].Name)
		listing := w.Select(t, begun.Direction, now, seen.Resources, nil, func(r fleet.Resource) (workload.Reason, say.Text) {
			return leftBy(setting.Book, r, begun.Direction, now)
		})
		tier := ForeseenTier{Name: t.Name, After: append([]string{}, begun.After[t.Name]...), Members: []ForeseenMember{}, Waits: waits(t, begun.Direction)}
		for _, c := range listing.Members {
			tier.Members = append(tier.Members, foreseen(c, t, begun.Direction, begun.Profile))
		}
		if begun.Direction == workload.Stop {
			askVetoes(ctx, setting.Cloud, t, tier.Members)
		}
		f.Tiers = append(f.Tiers, tier)
	}
	return f, nil
}

func foreseen(c workload.Candidate, t *workload.Tier, direction workload.Direction, profile string) ForeseenMember {
	r := c.Resource
	m := ForeseenMember{Ref: r.Ref.String(), Name: r.Name, State: string(r.State), Type: r.Type, Does: "nothing", resource: r}
	wanted := t.Profiles[profile]
	switch {
	case c.Left != "":
		m.Does, m.Why, m.Detail = DoesLeft, string(c.Left), c.Detail
	case direction == workload.Stop && r.State != fleet.Stopped:
		m.Does = "stop"
	case direction == workload.Start && r.State != fleet.Running:
		m.Does = "start"
		if wanted != "" && r.Kind.Traits().Types && wanted != r.Type {
			m.Does, m.To = "resize", wanted
		}
	default:
		m.Why = string(workload.WhyAlready)
		if direction == workload.Start && wanted != "" && r.Kind.Traits().Types && wanted != r.Type {
			m.Why = string(workload.WhyOtherType)
		}
	}
	if m.Does != DoesLeft && !r.State.Settled() {
		m.Why = string(workload.WaitsState)
	}
	return m
}

// waits says in words what a tier waits for.
func waits(t *workload.Tier, direction workload.Direction) []say.Text {
	half, list := t.Half(direction), []say.Text{}
	for range half.Before {
		list = append(list, say.F("hook before"))
	}
	if half.Synchronous {
		list = append(list, say.F("one member after the other"))
	} else if half.AtOnce > 0 {
		list = append(list, say.N(half.AtOnce, "%d member at once", "%d members at once"))
	}
	if direction == workload.Stop {
		for i := range t.Vetoes {
			list = append(list, say.F("veto %s", say.Word(t.Vetoes[i].Type)))
		}
	}
	if t.Balancers && direction == workload.Stop {
		list = append(list, say.F("drained from its load balancers"))
	}
	if direction == workload.Start {
		for i := range t.Ready {
			list = append(list, say.F("gate %s, at most %s", say.Word(t.Ready[i].Type), t.Ready[i].Timeout))
		}
		if t.Balancers {
			list = append(list, say.F("healthy in its load balancers"))
		}
	}
	for range half.After {
		list = append(list, say.F("hook after"))
	}
	if half.Delay > 0 {
		list = append(list, say.F("delay %s", half.Delay))
	}
	return append(list, say.F("at most %s", half.Timeout))
}

// askVetoes asks those vetoes that can be asked by looking.
func askVetoes(ctx context.Context, from Cloud, t *workload.Tier, members []ForeseenMember) {
	stopping := map[part][]string{}
	for i := range members {
		if members[i].Does == "stop" {
			ref := members[i].resource.Ref
			stopping[part{ref.Scope, ref.Kind}] = append(stopping[part{ref.Scope, ref.Kind}], ref.ID)
		}
	}
	note := func(at part, id string, text say.Text) {
		i := slices.IndexFunc(members, func(m ForeseenMember) bool {
			return m.resource.Ref == fleet.Ref{Scope: at.scope, Kind: at.kind, ID: id}
		})
		members[i].Vetoes = append(members[i].Vetoes, text)
	}
	for i := range t.Vetoes {
		for at, ids := range stopping {
			answers, err := askVeto(ctx, from, &t.Vetoes[i], at, ids)
			for _, id := range ids {
				switch text, spoken := answers[id]; {
				case err != nil:
					note(at, id, say.F("%s: not known (%v)", say.Word(t.Vetoes[i].Type), err))
				case spoken:
					note(at, id, say.F("%s: %s", say.Word(t.Vetoes[i].Type), text))
				}
			}
		}
	}
}

func askVeto(ctx context.Context, from Cloud, v *workload.Veto, at part, ids []string) (answers map[string]say.Text, err error) {
	limited, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	answers = map[string]say.Text{}
	switch v.Type {
	case workload.VetoSessions:
		if at.kind != fleet.EC2Instance {
			return nil, nil
		}
		open, err := from.Sessions(limited, at.scope, ids)
		for id, n := range open {
			if n > 0 {
				answers[id] = sessions(n)
			}
		}
		return answers, err
	case workload.VetoBackup:
		busy, err := from.BackingUp(limited, at.scope, at.kind, ids)
		for id, what := range busy {
			answers[id] = say.Raw(what)
		}
		return answers, err
	case workload.VetoFile, workload.VetoCommand, workload.VetoWebhook:
		for _, id := range ids {
			answers[id] = say.F("asked when it is stopped")
		}
	}
	return answers, nil
}

// Allowed says whether something can be asked of a run as it stands.
func Allowed(present *workload.Run, asked Request) error {
	_, err := ordered(present, asked, asked.At)
	return err
}
