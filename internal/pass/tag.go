package pass

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"dayshift/internal/cloud"
	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/plan"
)

// TagOptions says which informational tags are written.
type TagOptions struct {
	LastAction bool // dayshift:last-action
	Error      bool // dayshift:error
}

// maxTagValue is AWS's bound on the value of a tag, in characters.
const maxTagValue = 256

// words are the informational tags of one resource that are to be written.
type words struct {
	kind       fleet.Kind
	lastAction string
	error      string // noError removes it
}

// settledScopes are the scopes in which an action of an earlier pass came to its end, when tags tell of that.
func (r *running) settledScopes() map[fleet.Scope]bool {
	scopes := map[fleet.Scope]bool{}
	if !r.Tags.Error {
		return scopes
	}
	for i := range r.report.Settled {
		scopes[r.report.Settled[i].Resource.Scope] = true
	}
	return scopes
}

// words are what the tags in the scope should say by resource, where that is
// something else than they say: how actions of earlier passes ended, then what was
// done now. An error stays until an action has come to its end.
func (r *running) words(scope fleet.Scope) map[words][]fleet.Resource {
	found := map[fleet.Ref]words{}
	resources := map[fleet.Ref]fleet.Resource{}
	set := func(resource fleet.Resource, change func(*words)) {
		w := found[resource.Ref]
		w.kind = resource.Kind
		change(&w)
		found[resource.Ref], resources[resource.Ref] = w, resource
	}
	failed := func(resource fleet.Resource, verb fleet.Verb, why any) {
		if value := tagValue(fmt.Sprintf("%s: %v", verb, why)); r.Tags.Error && value != resource.Tags[fleet.TagError] {
			set(resource, func(w *words) { w.error = value })
		}
	}
	fine := func(resource fleet.Resource) {
		if r.Tags.Error && resource.Tags[fleet.TagError] != "" {
			set(resource, func(w *words) { w.error = noError })
		}
	}
	for i := range r.report.Settled {
		settled := &r.report.Settled[i]
		switch {
		case settled.Resource.Scope != scope:
		case settled.Ended == decide.HasFailed || settled.Ended == decide.Unhealthy:
			failed(settled.Resource, settled.Verb, settled.Why)
		case settled.Ended == decide.Started || settled.Ended == decide.HasStopped:
			fine(settled.Resource)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, place := range r.places[scope] {
		outcome := &r.report.Outcomes[place]
		action := &outcome.Action
		switch outcome.Status {
		case plan.Accepted:
			if r.Tags.LastAction {
				set(action.Resource, func(w *words) {
					w.lastAction = tagValue(fmt.Sprintf("%s %s %s", action.Verb, r.now.UTC().Format(time.RFC3339), action.Reason))
				})
			}
			if action.Verb == fleet.Reboot || action.Verb == fleet.Resize { // no listing shows their end
				fine(action.Resource)
			}
		case plan.Failed:
			failed(action.Resource, action.Verb, outcome.Err)
		}
	}
	groups := map[words][]fleet.Resource{}
	for ref, w := range found {
		groups[w] = append(groups[w], resources[ref])
	}
	return groups
}

// tag writes the informational tags of what was done in the scope: one value
// for all resources that the same was done to, so that a batch is one call.
// Tags are a courtesy: when they can not be written, that is logged.
func (r *running) tag(ctx context.Context, scope fleet.Scope) {
	if !r.Tags.LastAction && !r.Tags.Error || ctx.Err() != nil || r.mayAct() != nil {
		return
	}
	groups := r.words(scope)

	for k, resources := range groups {
		tags := map[string]string{}
		if k.lastAction != "" {
			tags[fleet.TagLastAction] = k.lastAction
		}
		switch k.error {
		case "":
		case noError:
			tags[fleet.TagError] = ""
		default:
			tags[fleet.TagError] = k.error
		}
		if err := r.Cloud.Tag(cloud.WithPermit(ctx, r.mayAct), scope, k.kind, resources, tags); err != nil {
			r.Log.WarnContext(ctx, "informational tags could not be written; allow it, or switch them off under tags in the configuration",
				slog.String("scope", scope.String()), slog.String("kind", string(k.kind)), slog.Any("error", err))
		}
	}
}

// noError stands for the removal of the error tag.
const noError = "\x00"

// tagValue keeps what every service of AWS takes in the value of a tag.
func tagValue(text string) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune(" _.:/=+-@", c) {
			return c
		}
		return ' '
	}, text)
	if characters := []rune(text); len(characters) > maxTagValue {
		text = string(characters[:maxTagValue])
	}
	return strings.TrimSpace(text)
}
