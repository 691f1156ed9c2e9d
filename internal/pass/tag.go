package pass

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"dayshift/internal/cloud"
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

// tag writes the informational tags of what was done in the scope: one value
// for all resources that the same was done to, so that a batch is one call.
// Tags are a courtesy: when they can not be written, that is logged.
func (r *running) tag(ctx context.Context, scope fleet.Scope) {
	if !r.Tags.LastAction && !r.Tags.Error || ctx.Err() != nil || r.mayAct() != nil {
		return
	}
	type key struct {
		kind              fleet.Kind
		lastAction, error string
	}
	groups := map[key][]fleet.Resource{}
	r.mu.Lock()
	for _, place := range r.places[scope] {
		outcome := &r.report.Outcomes[place]
		resource := outcome.Action.Resource
		k := key{kind: resource.Kind}
		switch outcome.Status {
		case plan.Accepted:
			if r.Tags.LastAction {
				k.lastAction = tagValue(fmt.Sprintf("%s %s %s", outcome.Action.Verb, r.now.UTC().Format(time.RFC3339), outcome.Action.Reason))
			}
			if r.Tags.Error && resource.Tags[fleet.TagError] != "" {
				k.error = noError
			}
		case plan.Failed:
			if value := tagValue(fmt.Sprintf("%s: %v", outcome.Action.Verb, outcome.Err)); r.Tags.Error && value != resource.Tags[fleet.TagError] {
				k.error = value
			}
		}
		if k.lastAction != "" || k.error != "" {
			groups[k] = append(groups[k], resource)
		}
	}
	r.mu.Unlock()

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
