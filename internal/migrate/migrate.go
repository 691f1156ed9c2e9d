// Package migrate reads the configuration of other schedulers as it stands and
// writes it down as objects of Dayshift.
//
// An import changes nothing: it gives sections of a configuration file, and says
// of everything that means something else here, was mended or was left out what
// became of it and why. What it can not read is an error with its place; nothing
// is guessed in silence. Which account the old system worked in is not part of
// most of its documents: Options says it.
//
// One file reads one system. What it knows of that system is in its documents
// and, where its code does something else, in what its users see.
package migrate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"dayshift/internal/fleet"
	"dayshift/internal/typo"
)

// File is one document as it was found.
type File struct {
	Name string // as people know it
	Text []byte
}

// Options say what the documents leave open.
type Options struct {
	// Account is the account that the old system worked in; empty: not said.
	Account fleet.AccountID
	// Timezone is that of the old system where its documents do not say it; nil: the system's own default.
	Timezone *time.Location
}

// Draft is what documents mean here.
type Draft struct {
	// YAML has sections of a configuration file: what `dayshift apply` reads, and what can be pasted into a file.
	YAML []byte
	// Notes say what was changed, mended or left out, in the order of the documents.
	Notes []Note
}

// Note says what became of a part of a document that is not here as it was there.
type Note struct {
	Where string // FILE:LINE, or the name of what it is about
	What  string // what is different
	Why   string
}

// String is one line for people.
func (n Note) String() string { return fmt.Sprintf("%s: %s: %s", n.Where, n.What, n.Why) }

// systems are the readers by the name of their system.
var systems = map[string]func(*importer) error{
	"ec2-scheduler": (*importer).ec2Scheduler,
	"jandi":         (*importer).jandi,
}

// Systems are the names that Import takes, in order.
func Systems() []string { return slices.Sorted(maps.Keys(systems)) }

// The bounds of what is read: the old systems keep at most some hundred items of a few hundred bytes.
const (
	maxText  = 8 << 20 // bytes of all documents
	maxItems = 100_000
)

// Import reads the documents of a system. The error names the file and line of
// what can not be read or has no meaning.
func Import(system string, files []File, options Options) (Draft, error) {
	read := systems[system]
	if read == nil {
		hint := "."
		if near, ok := typo.Nearest(system, Systems()); ok {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		return Draft{}, fmt.Errorf("%q is no system that can be imported%s There are %s", system, hint, strings.Join(Systems(), ", "))
	}
	if len(files) == 0 {
		return Draft{}, fmt.Errorf("there is nothing to import: name the files that hold the items of %s", system)
	}
	im := &importer{Options: options}
	size := 0
	for _, file := range files {
		if size += len(file.Text); size > maxText {
			return Draft{}, fmt.Errorf("%s: the documents are larger than %d MiB together; import them in parts", file.Name, maxText>>20)
		}
		items, notes, err := readItems(file)
		if err != nil {
			return Draft{}, err
		}
		im.items, im.notes = append(im.items, items...), append(im.notes, notes...)
	}
	if len(im.items) == 0 {
		return Draft{}, fmt.Errorf("%s: there are no items in it", files[0].Name)
	}
	if len(im.items) > maxItems {
		return Draft{}, fmt.Errorf("%d items are more than the %d that are read at once; import them in parts", len(im.items), maxItems)
	}
	if err := read(im); err != nil {
		return Draft{}, err
	}
	text, err := im.sections.yaml()
	return Draft{YAML: text, Notes: im.notes}, err
}

// importer is an import on its way.
type importer struct {
	Options
	items    []item
	notes    []Note
	sections sections
}

// note says what became of an item.
func (im *importer) note(it *item, what, why string, args ...any) {
	im.notes = append(im.notes, Note{Where: it.where(), What: what, Why: fmt.Sprintf(why, args...)})
}

// leftOut says which attributes of an item nobody asked for.
func (im *importer) leftOut(it *item) {
	for _, name := range it.unread() {
		im.note(it, name+" is left out", "it is none of the attributes that its documents name")
	}
}

// sections are parts of a file, in the order of the reference.
type sections struct {
	periods, schedules, workloads yaml.MapSlice
	exceptions                    []yaml.MapSlice
}

func (s *sections) yaml() ([]byte, error) {
	var all yaml.MapSlice
	for _, section := range [...]struct {
		name  string
		items yaml.MapSlice
	}{{"periods", s.periods}, {"schedules", s.schedules}} {
		if len(section.items) > 0 {
			all = append(all, yaml.MapItem{Key: section.name, Value: section.items})
		}
	}
	if len(s.exceptions) > 0 {
		all = append(all, yaml.MapItem{Key: "exceptions", Value: s.exceptions})
	}
	if len(s.workloads) > 0 {
		all = append(all, yaml.MapItem{Key: "workloads", Value: s.workloads})
	}
	if len(all) == 0 {
		return nil, nil
	}
	text, err := yaml.MarshalWithOptions(all, yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("write what was imported: %w", err)
	}
	return text, nil
}

// fields builds a mapping in order.
type fields struct{ yaml.MapSlice }

// add adds a key with its value, unless that is the zero value.
func add[V comparable](f *fields, key string, value V) {
	var zero V
	if value != zero {
		f.MapSlice = append(f.MapSlice, yaml.MapItem{Key: key, Value: value})
	}
}

// put adds a key with its value, whatever that is.
func (f *fields) put(key string, value any) {
	f.MapSlice = append(f.MapSlice, yaml.MapItem{Key: key, Value: value})
}

// seconds writes a whole number of seconds as a duration of the configuration; empty for none.
func seconds(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%ds", n)
}

// filter joins terms, those that are empty left out.
func filter(terms ...string) string {
	return strings.Join(slices.DeleteFunc(terms, func(t string) bool { return t == "" }), ",")
}

// byName orders items by name, so that the same documents in any order give the same text.
func byName(a, b yaml.MapItem) int { return cmp.Compare(fmt.Sprint(a.Key), fmt.Sprint(b.Key)) }
