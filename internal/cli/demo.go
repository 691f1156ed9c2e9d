package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"dayshift/internal/app"
)

// How often the demo's picture is drawn, by the wall: often enough to look
// alive, rarely enough not to flicker.
const demoFrame = 250 * time.Millisecond

// demoReport is how often, in simulated time, the demo says where it stands
// when nobody looks at a terminal.
const demoReport = 6 * time.Hour

func demoCommand() *cobra.Command {
	options := app.DemoOptions{Every: demoFrame}
	var days float64
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the product over a simulated cloud: a week in some minutes",
		Long: `Runs the daemon over a simulated AWS with some 300 resources in three accounts,
one of them in China, on a clock that makes a day a minute, and shows live who
runs, what happened and why: in the terminal, and on the page at the address that
it shows, with a key to change things. It needs no cloud account and touches none.
Channels in three languages lead to rooms of its own, one of which is often down:
the page shows under Notifications what they were told, and what waits.

Step in with any AWS client at the address that it shows.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 0 {
				return usage("--days %g: give 0 (until interrupted) or more", days)
			}
			options.Length = time.Duration(days * float64(24*time.Hour))
			screen := newScreen(cmd.OutOrStdout())
			defer screen.close()
			options.Frame = screen.show
			return app.RunDemo(cmd.Context(), options)
		},
	}
	cmd.Flags().Float64Var(&options.Speed, "speed", 1440, "simulated seconds in a real second; 1440 makes a day a minute")
	cmd.Flags().Float64Var(&days, "days", 0, "end after this many simulated days (default: when interrupted)")
	cmd.Flags().StringVar(&options.Addr, "addr", "127.0.0.1:0", "where the page listens, HOST:PORT")
	cmd.Flags().StringVar(&options.SimAddr, "sim-addr", "127.0.0.1:0", "where the simulated AWS listens, HOST:PORT")
	return cmd
}

// screen shows frames: redrawn in place on a terminal, as lines elsewhere.
type screen struct {
	out      io.Writer
	terminal *os.File        // nil when the output is none
	lastSaid app.DemoMessage // the last message written as a line
	reported time.Time
	introed  bool
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		s.terminal = file
		_, _ = io.WriteString(out, "\x1b[?1049h\x1b[?25l") // a screen of its own, without cursor
	}
	return s
}

func (s *screen) close() {
	if s.terminal != nil {
		_, _ = io.WriteString(s.out, "\x1b[?25h\x1b[?1049l")
	}
}

func (s *screen) show(frame app.DemoFrame) {
	if s.terminal == nil {
		s.lines(frame)
		return
	}
	width, height, err := term.GetSize(int(s.terminal.Fd()))
	if err != nil || width < 1 || height < 1 {
		width, height = 100, 30
	}
	var out strings.Builder
	out.WriteString("\x1b[H")
	for i, line := range picture(frame, width, height) {
		if i > 0 {
			out.WriteString("\r\n")
		}
		out.WriteString(line + "\x1b[0m\x1b[K")
	}
	out.WriteString("\x1b[J")
	_, _ = io.WriteString(s.out, out.String())
}

// Colours of the picture, by meaning.
const (
	dim    = "\x1b[2m"
	bold   = "\x1b[1m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	cyan   = "\x1b[36m"
	plainC = "\x1b[0m"
)

// picture draws a frame for a terminal of the size.
func picture(frame app.DemoFrame, width, height int) []string {
	seoul := frame.Now.UTC()
	if len(frame.Schedules) > 0 {
		seoul = frame.Now.In(zoneOf(frame, "seoul-office"))
	}
	lines := []string{
		fit(fmt.Sprintf("%sDayshift demo%s   %s%s%s   %d of %d scheduled resources run", bold, plainC, cyan, seoul.Format("Mon 2 Jan 2006 15:04 MST"), plainC, frame.Running, frame.Total), width),
		fit(dim+fmt.Sprintf("ran %.0f of %.0f hours, about %.0f of %.0f USD at list price; %d calls to the simulated AWS, %d throttled", frame.Hours, frame.AllHours, frame.USD, frame.AllUSD, frame.Calls, frame.Throttled), width),
		fit(toldLine(frame, seoul.Location()), width),
		"",
	}
	for _, schedule := range frame.Schedules {
		lines = append(lines, fit(scheduleLine(schedule, frame.Now), width))
	}
	notes := min(len(frame.Attention), max(2, height/5))
	rest := height - len(lines) - notes - 6
	lines = append(lines, "", fit(bold+"What happened"+plainC, width))
	for _, message := range tail(frame.Messages, max(rest, 1)) {
		lines = append(lines, fit(messageLine(message, seoul.Location()), width))
	}
	for len(lines) < height-notes-3 {
		lines = append(lines, "")
	}
	if notes > 0 {
		lines = append(lines, fit(bold+"Left alone, or in need of a person"+plainC, width))
		for _, note := range frame.Attention[:notes] {
			lines = append(lines, fit(yellow+pad(plain(note.Name), 24)+plainC+" "+plain(note.Why), width))
		}
	}
	lines = lines[:max(0, min(len(lines), height-2))] // a low terminal shows the top of it
	page := bold + "Page " + plainC + cyan + frame.Address + plainC + dim + "  key " + plainC + frame.Key
	if link := signInLink(frame); len("Page ")+len(link) <= width {
		page = bold + "Page " + plainC + cyan + link + plainC
	}
	foot := []string{
		fit(page, width),
		fit(dim+"Ctrl-C ends it.  AWS_ENDPOINT_URL="+frame.SimURL+plainC, width),
	}
	return append(lines, foot[max(0, len(foot)-height):]...)
}

// signInLink opens the page signed in. The key stands behind a "#", which a
// browser keeps to itself.
func signInLink(frame app.DemoFrame) string { return frame.Address + "/signin#" + frame.Key }

func zoneOf(frame app.DemoFrame, name string) *time.Location {
	for _, schedule := range frame.Schedules {
		if schedule.Name == name {
			return schedule.Zone
		}
	}
	return time.UTC
}

// barCells is the width of a schedule's bar.
const barCells = 24

func scheduleLine(s app.DemoSchedule, now time.Time) string {
	filled, changing := 0, 0
	if s.Total > 0 {
		filled = barCells * s.Running / s.Total
		changing = min(barCells-filled, (barCells*s.Changing+s.Total-1)/s.Total)
	}
	colour := dim
	if s.Wanted == "running" {
		colour = green
	}
	next := ""
	if !s.NextAt.IsZero() {
		next = ", " + s.NextTo + " from " + s.NextAt.In(s.Zone).Format("Mon 15:04")
	}
	if s.Special != "" {
		next += "; " + cyan + plain(s.Special) + plainC
	}
	return fmt.Sprintf("%s %s%s%s%s%s%s %3d/%-3d %s%-8s%s %s local%s",
		pad(s.Name, 17), green, strings.Repeat("█", filled), yellow, strings.Repeat("▒", changing), dim, strings.Repeat("░", barCells-filled-changing)+plainC,
		s.Running, s.Total, colour, s.Wanted, plainC, now.In(s.Zone).Format("Mon 15:04"), next)
}

// toldLine says what became of messages to channels.
func toldLine(frame app.DemoFrame, zone *time.Location) string {
	line := dim + fmt.Sprintf("channels took %d posts, refused %d", frame.Taken, frame.Refused)
	if post := frame.Post; post.Text != "" {
		line += "; " + plain(post.Channel) + " was told at " + post.At.In(zone).Format("15:04") + ": " + plainC + plain(post.Text)
	}
	return line
}

func messageLine(m app.DemoMessage, zone *time.Location) string {
	colour := ""
	switch m.Kind {
	case "failed", "gap", "held", "shortage", "rule-missed", "workload-failed", "config-waits", "config-refused":
		colour = red
	case "stop-warning", "new-resource", "veto", "workload-kept":
		colour = yellow
	case "starting", "ready":
		colour = green
	case "person":
		colour = cyan
	}
	text := m.Title
	if m.Count == 1 && len(m.Lines) > 0 {
		text = m.Lines[0]
	}
	return dim + m.At.In(zone).Format("Mon 15:04") + plainC + " " + colour + plain(text) + plainC
}

func tail(list []app.DemoMessage, n int) []app.DemoMessage {
	if len(list) > n {
		return list[len(list)-n:]
	}
	return list
}

// pad fills or cuts a text to a number of cells.
func pad(text string, cells int) string {
	return display.FillRight(display.Truncate(text, cells, "…"), cells)
}

// fit cuts a line with colours in it to a number of cells.
func fit(line string, cells int) string {
	var out strings.Builder
	used := 0
	for i := 0; i < len(line); {
		if end := strings.IndexByte(line[i:], 'm'); line[i] == '\x1b' && end > 0 {
			out.WriteString(line[i : i+end+1])
			i += end + 1
			continue
		}
		r, size := utf8.DecodeRuneInString(line[i:])
		width := display.RuneWidth(r)
		if used+width > cells {
			break
		}
		out.WriteRune(r)
		used += width
		i += size
	}
	return out.String()
}

// lines writes what is new since the last frame, and now and then where it stands.
func (s *screen) lines(frame app.DemoFrame) {
	zone := zoneOf(frame, "seoul-office")
	if !s.introed && frame.Address != "" {
		s.introed = true
		_, _ = fmt.Fprintf(s.out, "Dayshift demo: %s, page %s, to change things open %s, metrics %s/metrics, AWS_ENDPOINT_URL=%s\n",
			frame.Now.In(zone).Format("Mon 2 Jan 2006 15:04 MST"), frame.Address, signInLink(frame), frame.Address, frame.SimURL)
	}
	// Several messages may bear one instant, and a person's deed one that is
	// earlier than its place.
	said := len(frame.Messages) - 1
	for said >= 0 && (frame.Messages[said].At != s.lastSaid.At || frame.Messages[said].Title != s.lastSaid.Title) {
		said--
	}
	for _, message := range frame.Messages[said+1:] {
		s.lastSaid = message
		text := message.Title
		if message.Count == 1 && len(message.Lines) > 0 {
			text = message.Title + ": " + message.Lines[0]
		}
		_, _ = fmt.Fprintf(s.out, "%s  %s\n", message.At.In(zone).Format("Mon 15:04"), plain(text))
	}
	if frame.Now.Sub(s.reported) < demoReport {
		return
	}
	s.reported = frame.Now
	_, _ = fmt.Fprintf(s.out, "%s  %d of %d run", frame.Now.In(zone).Format("Mon 15:04"), frame.Running, frame.Total)
	for _, schedule := range frame.Schedules {
		_, _ = fmt.Fprintf(s.out, "  %s %d/%d", schedule.Name, schedule.Running, schedule.Total)
	}
	_, _ = fmt.Fprintf(s.out, "  ran %.0f of %.0f hours\n", frame.Hours, frame.AllHours)
}
