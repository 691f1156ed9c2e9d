package notify

import (
	"cmp"
	"strconv"
	"time"
)

// title is that of a notice: the team's own, or ours; also where nothing is left of the team's, as rooms take no empty ones.
func (w Words) title(n *Notice) string {
	first := &n.Parts[0]
	ours := w.say(about(n, title(first.Kind, first.Count)))
	own := w.Titles[first.Kind]
	if own.IsZero() {
		return ours
	}
	return cmp.Or(clip(own.Fill(func(name string) string {
		switch name {
		case "count":
			return strconv.Itoa(first.Count)
		case "kind":
			return w.say(first.Kind.Text())
		case "title":
			return ours
		}
		return w.of(n, n.At, name)
	})), ours)
}

// line is that of one event: the team's own, or ours.
func (w Words) line(n *Notice, kind Kind, l *Line) string {
	ours := w.say(w.said(l))
	own := w.Lines[kind]
	if own.IsZero() {
		return ours
	}
	return cmp.Or(clip(own.Fill(func(name string) string {
		switch name {
		case "account":
			return string(l.Ref.Scope.Account)
		case "region":
			return string(l.Ref.Scope.Region)
		case "id":
			return l.Ref.ID
		case "kind":
			return w.say(kind.Text())
		case "line":
			return ours
		case "name":
			if l.Name == "" {
				return l.Ref.ID
			}
			return l.Name
		case "text":
			return w.say(l.Text.Text)
		}
		return w.of(n, l.At, name)
	})), ours)
}

// of is what titles and lines have alike.
func (w Words) of(n *Notice, at time.Time, name string) string {
	switch name {
	case "schedule":
		return n.Schedule
	case "workload":
		return n.Workload
	case "time":
		if w.Zone != nil {
			at = at.In(w.Zone)
		}
		return at.Format("15:04")
	}
	return ""
}
