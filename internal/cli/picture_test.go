package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"html"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"dayshift/internal/app"
)

var drawPicture = flag.Bool("picture", false, "run the demo and draw docs/demo.svg anew")

// The picture of the README: a terminal of this size, on Tuesday afternoon.
const (
	pictureWidth  = 116
	pictureHeight = 30
	pictureAfter  = 30 * time.Hour
)

// TestDrawPicture draws what `dayshift demo` shows, from a run of it. With
// -picture only: the file is drawn anew when the demo looks different.
func TestDrawPicture(t *testing.T) {
	if !*drawPicture {
		t.Skip("draws docs/demo.svg with -picture")
	}
	var last app.DemoFrame
	err := app.RunDemo(t.Context(), app.DemoOptions{
		Speed: 1440, Addr: "127.0.0.1:0", SimAddr: "127.0.0.1:0", Length: pictureAfter, Every: demoFrame,
		Frame: func(frame app.DemoFrame) { last = frame },
	})
	if err != nil {
		t.Fatal(err)
	}
	last.Address, last.SimURL, last.Key = "http://127.0.0.1:8080", "http://127.0.0.1:4510", "dsk_of_the_demo"
	if err := os.WriteFile("../../docs/demo.svg", svg(picture(last, pictureWidth, pictureHeight)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A demo that ends by itself has shown people and machines at work.
func TestDemoRunsAndEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	screen := newScreen(&out)
	var frames int
	err := app.RunDemo(ctx, app.DemoOptions{
		Speed: 14400, Addr: "127.0.0.1:0", SimAddr: "127.0.0.1:0", Length: 12 * time.Hour, Every: 20 * time.Millisecond,
		Frame: func(frame app.DemoFrame) {
			frames++
			screen.show(frame)
			for i, line := range picture(frame, 100, 30) {
				if strings.Contains(line, "\n") || i >= 30 {
					t.Errorf("line %d of the picture does not fit: %q", i, line)
				}
			}
		},
	})
	if err != nil || ctx.Err() != nil {
		t.Fatalf("after %d frames: %v, %v", frames, err, ctx.Err())
	}
	for _, said := range []string{"Dayshift demo", "seoul-office", "Starting ", "AWS_ENDPOINT_URL=http://127.0.0.1:"} {
		if !strings.Contains(out.String(), said) {
			t.Errorf("%q was never said:\n%s", said, out.String())
		}
	}
}

// shades are how dense the blocks of a bar are.
var shades = map[string]string{"█": "1", "▒": "0.6", "░": "0.25"}

// svg draws lines with colours in them as a terminal shows them.
func svg(lines []string) []byte {
	const cell, row, margin = 8.4, 19.0, 16.0
	colours := map[string]string{
		"": "#d0d7de", "1": "#ffffff", "2": "#8b949e", "31": "#ff7b72", "32": "#3fb950", "33": "#d29922", "36": "#79c0ff", "0": "#d0d7de",
	}
	var out bytes.Buffer
	width, height := margin*2+cell*pictureWidth, margin*2+row*float64(len(lines))
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" aria-label="The demo in a terminal: schedules with their resources, what happened, what is left alone">`+"\n", width, height)
	fmt.Fprintf(&out, `<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>`+"\n"+`<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'Noto Sans Mono CJK KR',monospace" font-size="14">`+"\n")
	for i, line := range lines {
		column := 0
		for _, part := range strings.Split("\x1b[0m"+line, "\x1b[")[1:] {
			colour, text, _ := strings.Cut(part, "m")
			words := strings.TrimSpace(text)
			first := float64(column + len(text) - len(strings.TrimLeft(text, " ")))
			if words != "" && strings.Trim(words, "█▒░") == "" {
				// Fonts differ in how they draw blocks: a rectangle is the same everywhere.
				shade := shades[string([]rune(words)[0])]
				fmt.Fprintf(&out, `<rect x="%.1f" y="%.1f" width="%.1f" height="12" fill="%s" fill-opacity="%s"/>`+"\n",
					margin+cell*first, margin+row*float64(i)+3, cell*float64(runewidth.StringWidth(words)), colours[colour], shade)
			} else if words != "" {
				fmt.Fprintf(&out, `<text x="%.1f" y="%.1f" fill="%s" textLength="%.1f" lengthAdjust="spacingAndGlyphs">%s</text>`+"\n",
					margin+cell*first, margin+row*float64(i)+14, colours[colour], cell*float64(runewidth.StringWidth(words)), html.EscapeString(strings.ReplaceAll(words, " ", "\u00a0")))
			}
			column += runewidth.StringWidth(text)
		}
	}
	out.WriteString("</g>\n</svg>\n")
	return out.Bytes()
}
