package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dayshift/internal/calendar"
	"dayshift/internal/service"
)

func calendarCommand(c *common) *cobra.Command {
	var week string
	var weeks int
	cmd := &cobra.Command{
		Use:   "calendar NAME",
		Short: "Draw the week of a schedule",
		Long: `Draws a local week of a schedule in half hours, with its exceptions, days off,
make-up days and changes of the clock, and the time of every start and stop.`,
		Example:           "  dayshift schedule calendar seoul-office\n  dayshift schedule calendar seoul-office --week 2027-02-08 --weeks 2",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.objectNames("schedule"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.ask(cmd, toLook)
			if err != nil {
				return err
			}
			defer closing(a, &err)
			list, err := a.Weeks(cmd.Context(), args[0], week, weeks)
			if err != nil {
				return refused(err)
			}
			if c.output != "table" {
				return write(cmd.OutOrStdout(), c.output, list, func() table { return weekTable(list) })
			}
			return weekText(cmd.OutOrStdout(), list)
		},
	}
	cmd.Flags().StringVar(&week, "week", "", "the week of this `DATE`, such as 2027-02-08 (default: this week)")
	cmd.Flags().IntVar(&weeks, "weeks", 1, "so many weeks from there on")
	return cmd
}

// weekTable has a row for every boundary.
func weekTable(list []service.ScheduleWeek) table {
	t := table{columns: []string{"SCHEDULE", "DATE", "WEEKDAY", "KIND", "CLOCK", "AT", "TO", "PERIOD", "TYPE"}}
	for i := range list {
		for j := range list[i].Days {
			d := &list[i].Days[j]
			for _, change := range d.Changes {
				t.add(list[i].Schedule, d.Date, d.Weekday, d.Kind, change.Clock, change.At.Format(time.RFC3339), change.To, change.Period, change.InstanceType)
			}
		}
	}
	return t
}

// The cells of the picture. They differ in ink, so that no colour is needed.
const (
	cellRunning = "█"
	cellAny     = "▒"
	cellStopped = "·"
	cellMixed   = "▌"
	cellGap     = "x"
)

// The signs beside a date.
const (
	signOff       = "H"
	signMakeUp    = "W"
	signException = "!"
	signUncovered = "?"
	signClock     = "~"
)

// Measures of the picture, in cells: the label of a day, and what a terminal of the usual width has.
const (
	weekLabel = 14 // "Mon 10-05 HW! "
	weekWidth = 80
	yearText  = len("2027-")
)

// weekText draws weeks.
func weekText(w io.Writer, list []service.ScheduleWeek) error {
	p := &page{w: w}
	for i := range list {
		if i > 0 {
			p.line("")
		}
		week := &list[i]
		if i == 0 {
			for _, line := range weekHead(week) {
				p.line("%s", line)
			}
		}
		p.line("%s", drawnTitle(week))
		p.line("%s", drawnHours(len(week.Days[0].Cells)))
		for j := range week.Days {
			for _, line := range drawnDay(week, j) {
				p.line("%s", line)
			}
		}
		for _, line := range drawnNotes(week) {
			p.line("%s", line)
		}
	}
	p.line("")
	p.line("%s", drawnLegend(list))
	return p.err
}

// weekHead says which schedule it is and whether it decides anything.
func weekHead(week *service.ScheduleWeek) []string {
	lines := []string{plain(week.Schedule) + ", on the clock of " + week.Timezone}
	switch {
	case !week.Enabled:
		lines = append(lines, "It is not enabled: it decides nothing.")
	case week.Held != "":
		lines = append(lines, "Its override_status is "+plain(week.Held)+": that is wanted at all times.")
	}
	if week.Observe {
		lines = append(lines, "It observes: what it wants is recorded and not done.")
	}
	return append(lines, "")
}

func drawnTitle(week *service.ScheduleWeek) string {
	return "Week of " + week.Monday + " to " + week.Days[6].Date
}

// drawnHours is the scale above the days.
func drawnHours(cells int) string {
	const mark = 3 // hours
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", weekLabel))
	for hour := 0; hour < 24; hour += mark {
		fmt.Fprintf(&b, "%-*s", cells*mark/24, fmt.Sprintf("%02d", hour))
	}
	b.WriteString("24")
	return b.String()
}

// drawnDay draws one day: its cells and, behind them, its boundaries, as many lines as those need.
func drawnDay(week *service.ScheduleWeek, i int) []string {
	d := &week.Days[i]
	label := d.Weekday[:3] + " " + d.Date[yearText:] + " " + signs(week, d)
	var b strings.Builder
	b.WriteString(label + strings.Repeat(" ", weekLabel-display.StringWidth(label)))
	for _, cell := range d.Cells {
		b.WriteString(drawnCell(cell))
	}
	cells := len(d.Cells)
	var lines []string
	for _, part := range clocks(d) {
		last := len(lines) - 1
		if last >= 0 && display.StringWidth(lines[last])+1+len(part) <= weekWidth {
			lines[last] += " " + part
			continue
		}
		if last < 0 {
			lines = append(lines, b.String()+" "+part)
		} else {
			lines = append(lines, strings.Repeat(" ", weekLabel+cells)+" "+part)
		}
	}
	if len(lines) == 0 {
		lines = append(lines, b.String())
	}
	return lines
}

func drawnCell(cell service.WeekCell) string {
	switch {
	case cell.Gap:
		return cellGap
	case cell.Mixed:
		return cellMixed
	case cell.State == calendar.Running.String():
		return cellRunning
	case cell.State == calendar.Any.String():
		return cellAny
	}
	return cellStopped
}

// signs mark a day that is out of the ordinary.
func signs(week *service.ScheduleWeek, d *service.WeekDay) string {
	text := ""
	switch d.Kind {
	case string(calendar.DayOff):
		text += signOff
	case string(calendar.MakeUpDay):
		text += signMakeUp
	}
	if len(d.Exceptions) > 0 {
		text += signException
	}
	if len(d.Uncovered) > 0 {
		text += signUncovered
	}
	if d.Skipped || len(jumps(week, d)) > 0 {
		text += signClock
	}
	return text
}

// jumps are the changes of the clock on a date; a whole date that is left out is told of that date.
func jumps(week *service.ScheduleWeek, d *service.WeekDay) []service.ClockShift {
	var list []service.ClockShift
	for _, shift := range week.Shifts {
		if shift.Date == d.Date && shift.Before != shift.After && !d.Skipped {
			list = append(list, shift)
		}
	}
	return list
}

// clocks writes the boundaries of a day: 09:00-18:00, 22:00- for a night that
// begins, -06:00 for one that ends, ?09:00 where it is left as it is from then on.
func clocks(d *service.WeekDay) []string {
	running, free := calendar.Running.String(), calendar.Any.String()
	var parts []string
	open := false
	for _, c := range d.Changes {
		switch {
		case c.To == c.From: // another period or type alone
		case c.To == running:
			parts, open = append(parts, c.Clock+"-"), true
		case c.From == running && open:
			parts[len(parts)-1] += c.Clock
			open = false
		case c.From == running:
			parts = append(parts, "-"+c.Clock)
		case c.To == free:
			parts, open = append(parts, "?"+c.Clock), false
		default:
			parts, open = append(parts, c.Clock+" stop"), false
		}
	}
	return parts
}

// drawnNotes explains the signs below a week.
func drawnNotes(week *service.ScheduleWeek) []string {
	type note struct {
		sign, text  string
		first, last int
	}
	var notes []note
	add := func(day int, sign, text string) {
		for i := range notes {
			if n := &notes[i]; n.sign == sign && n.text == text && n.last == day-1 {
				n.last = day
				return
			}
		}
		notes = append(notes, note{sign, text, day, day})
	}
	for i := range week.Days {
		d := &week.Days[i]
		name := ""
		if d.Holiday != "" {
			name = ": " + d.Holiday
		}
		switch d.Kind {
		case string(calendar.DayOff):
			add(i, signOff, "day off in "+d.Calendar+name)
		case string(calendar.MakeUpDay):
			add(i, signMakeUp, "make-up day in "+d.Calendar+name+", counts as "+d.As)
		}
		for _, x := range d.Exceptions {
			add(i, signException, x)
		}
		for _, calendar := range d.Uncovered {
			add(i, signUncovered, "calendar "+calendar+" does not cover "+d.Date[:4]+": no day off is known")
		}
		if d.Skipped {
			add(i, signClock, "the clock skips this date")
		}
		for _, shift := range jumps(week, d) {
			text := "the clock goes from " + shift.Before + " on to " + shift.After
			if shift.Back {
				text = "the clock goes from " + shift.Before + " back to " + shift.After + ": what is between comes twice"
			}
			add(i, signClock, text)
		}
	}
	var lines []string
	for _, n := range notes {
		day := func(i int) string { return week.Days[i].Weekday[:3] + " " + week.Days[i].Date[yearText:] }
		head := n.sign + " " + day(n.first)
		if n.last > n.first {
			head += " to " + day(n.last)
		}
		head += "  "
		for i, line := range wrapped(plain(n.text), weekWidth-len(head)) {
			if i > 0 {
				head = strings.Repeat(" ", len(head))
			}
			lines = append(lines, head+line)
		}
	}
	if len(lines) > 0 {
		lines = append([]string{""}, lines...)
	}
	return lines
}

// drawnLegend explains what is in the pictures.
func drawnLegend(list []service.ScheduleWeek) string {
	has := func(test func(cell service.WeekCell) bool) bool {
		return slices.ContainsFunc(list, func(week service.ScheduleWeek) bool {
			return slices.ContainsFunc(week.Days, func(d service.WeekDay) bool { return slices.ContainsFunc(d.Cells, test) })
		})
	}
	parts := []string{cellRunning + " running", cellStopped + " stopped"}
	if has(func(cell service.WeekCell) bool { return cell.State == calendar.Any.String() }) {
		parts = append(parts, cellAny+" left as it is")
	}
	if has(func(cell service.WeekCell) bool { return cell.Mixed }) {
		parts = append(parts, cellMixed+" changes within")
	}
	if has(func(cell service.WeekCell) bool { return cell.Gap }) {
		parts = append(parts, cellGap+" skipped by the clock")
	}
	return strings.Join(parts, "  ")
}
