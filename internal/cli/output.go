package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/mattn/go-runewidth"

	"dayshift/internal/service"
)

// table is what a person reads; the same answer as data goes to programs.
type table struct {
	columns []string
	rows    [][]string
	empty   string // said instead of a table without rows
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// formats are the values of -o.
const formats = "table, json, yaml or csv"

// write prints data in the format: as JSON or YAML for programs, or the table
// made from it for people and spreadsheets.
func write(w io.Writer, format string, data any, people func() table) error {
	switch format {
	case "", "table":
		t := people()
		return t.text(w)
	case "csv":
		t := people()
		return t.csv(w)
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(data)
	case "yaml":
		// Through JSON, so that both formats have the same fields.
		encoded, err := json.Marshal(data)
		if err != nil {
			return fmt.Errorf("encode the answer: %w", err)
		}
		text, err := yaml.JSONToYAML(encoded)
		if err != nil {
			return fmt.Errorf("encode the answer as YAML: %w", err)
		}
		_, err = w.Write(text)
		return err
	}
	return usage("-o %s is unknown: use %s", format, formats)
}

// display counts cells as terminals do: characters of ambiguous width (bars,
// dashes, quotes) are narrow in all that speak UTF-8, whatever the language.
var display = &runewidth.Condition{StrictEmojiNeutral: true}

// text writes columns of equal display width: names in Chinese or Korean take
// two cells a character.
func (t *table) text(w io.Writer) error {
	if len(t.rows) == 0 && t.empty != "" {
		_, err := fmt.Fprintln(w, t.empty)
		return err
	}
	widths := make([]int, len(t.columns))
	lines := append([][]string{t.columns}, t.rows...)
	for _, line := range lines {
		for i, cell := range line {
			line[i] = plain(cell)
			widths[i] = max(widths[i], display.StringWidth(line[i]))
		}
	}
	var out strings.Builder
	for _, line := range lines {
		var row strings.Builder
		for i, cell := range line {
			row.WriteString(cell)
			row.WriteString(strings.Repeat(" ", widths[i]-display.StringWidth(cell)+2))
		}
		out.WriteString(strings.TrimRight(row.String(), " "))
		out.WriteByte('\n')
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (t *table) csv(w io.Writer) error {
	writer := csv.NewWriter(w)
	if t.columns != nil {
		if err := writer.Write(t.columns); err != nil {
			return err
		}
	}
	for _, row := range t.rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = spreadsheetSafe(plain(cell))
		}
		if err := writer.Write(cells); err != nil {
			return err
		}
	}
	writer.Flush()
	return writer.Error()
}

// spreadsheetSafe keeps a cell from being run as a formula: whoever can name a
// resource must not be able to make a spreadsheet call out. Some spreadsheets
// pass by leading blanks, and some take wide forms of the signs for the signs.
func spreadsheetSafe(cell string) string {
	trimmed := strings.TrimSpace(cell)
	if trimmed == "-" { // our own "none"
		return cell
	}
	if first, _ := utf8.DecodeRuneInString(trimmed); trimmed != "" && strings.ContainsRune("=+-@＝＋－＠", first) {
		return "'" + cell
	}
	return cell
}

// plain makes a text fit for a terminal.
func plain(text string) string { return service.Plain(text) }
