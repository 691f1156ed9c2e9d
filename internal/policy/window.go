package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"dayshift/internal/fleet"
)

// rdsWindowLead is how long before its preferred window a database is running (SEMANTICS 8).
const rdsWindowLead = 10 * time.Minute

// windows are the maintenance windows of one resource.
type windows struct {
	weekly string   // of RDS, as ddd:hh:mm-ddd:hh:mm in UTC
	scope  []Window // of SSM, of the whole scope
	names  []string // which of them count
	lead   time.Duration
}

func (b *Book) windowsOf(r *fleet.Resource, s *Schedule) windows {
	switch {
	case !s.UseMaintenanceWindow:
		return windows{}
	case r.Kind == fleet.EC2Instance && len(s.SSMWindows) > 0:
		return windows{scope: b.Windows[r.Scope], names: s.SSMWindows, lead: b.WindowLead}
	}
	return windows{weekly: r.MaintenanceWindow}
}

// SSMWindowNames gives the names of the SSM maintenance windows that usable schedules name, in order.
func (b *Book) SSMWindowNames() []string {
	var names []string
	for _, s := range b.Schedules {
		if s.Enabled && s.Err == nil && s.UseMaintenanceWindow {
			names = append(names, s.SSMWindows...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Window gives the maintenance window of the resource that is open at an
// instant, with the lead in which it is already started; of several the one
// that opened first.
func (p Policy) Window(now time.Time) (Window, bool) {
	var open Window
	p.windows.each(now, func(w Window) {
		if !now.Before(w.From) && now.Before(w.Until) && (open.From.IsZero() || w.From.Before(open.From)) {
			open = w
		}
	})
	return open, !open.From.IsZero()
}

// NextWindow gives the next instant after now at which a maintenance window of
// the resource opens or closes; false when none is known.
func (p Policy) NextWindow(now time.Time) (time.Time, bool) {
	var next time.Time
	p.windows.each(now, func(w Window) {
		for _, edge := range [...]time.Time{w.From, w.Until} {
			if edge.After(now) && (next.IsZero() || edge.Before(next)) {
				next = edge
			}
		}
	})
	return next, !next.IsZero()
}

// each calls for the windows around an instant.
func (ws windows) each(now time.Time, visit func(Window)) {
	for _, w := range ws.scope {
		if slices.Contains(ws.names, w.Name) {
			w.From = w.From.Add(-ws.lead)
			visit(w)
		}
	}
	if ws.weekly == "" {
		return
	}
	begin, length, ok := ParseWeeklyWindow(ws.weekly)
	if !ok {
		return
	}
	monday := weekOf(now)
	for week := -1; week <= 1; week++ {
		at := monday.AddDate(0, 0, 7*week).Add(begin)
		visit(Window{Name: ws.weekly, From: at.Add(-rdsWindowLead), Until: at.Add(length)})
	}
}

// weekOf is the Monday 00:00 UTC of an instant's week.
func weekOf(now time.Time) time.Time {
	day := now.UTC().Truncate(24 * time.Hour)
	return day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
}

const week = 7 * 24 * time.Hour

// ParseWeeklyWindow reads the preferred maintenance window of RDS,
// ddd:hh:mm-ddd:hh:mm in UTC. It gives how long after Monday 00:00 it begins
// and how long it is; false for a text of another form.
func ParseWeeklyWindow(text string) (begin, length time.Duration, ok bool) {
	from, to, found := strings.Cut(strings.ToLower(strings.TrimSpace(text)), "-")
	begin, ok = minuteOfWeek(from)
	end, good := minuteOfWeek(to)
	if !found || !ok || !good || begin == end {
		return 0, 0, false
	}
	return begin, (end - begin + week) % week, true
}

func minuteOfWeek(text string) (time.Duration, bool) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 || len(parts[1]) != 2 || len(parts[2]) != 2 {
		return 0, false
	}
	day := slices.Index([]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}, parts[0])
	hour, err := strconv.ParseUint(parts[1], 10, 8)
	minute, err2 := strconv.ParseUint(parts[2], 10, 8)
	if day < 0 || err != nil || err2 != nil || hour > 23 || minute > 59 {
		return 0, false
	}
	return time.Duration(day)*24*time.Hour + time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute, true
}
