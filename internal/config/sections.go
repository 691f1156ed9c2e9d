package config

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"dayshift/internal/calendar"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// Sections reads a file that holds objects alone: periods, holidays, schedules,
// exceptions and rules, as Export writes them. The objects come in the order in
// which one can name the other, by name within a kind, with a Spec and no
// version. What they name is not looked up: Parse does that. name stands for
// the file in messages; the error is a Faults.
func Sections(name string, data []byte) ([]store.Object, error) {
	src := newSource(name, ofSpec)
	root, faults := src.read(data)
	if faults != nil {
		return nil, faults
	}
	d := newDecoder(src, root)
	var c Config
	setDefaults(reflect.ValueOf(&c).Elem())
	if node := d.resolve("", root); node != nil {
		d.structure("", node, reflect.ValueOf(&c).Elem())
	}
	// What a file of a whole configuration has to have is not asked for here, and what else it has is refused.
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.section
	}
	for path := range d.keys {
		if !strings.ContainsAny(path, ".[") && !slices.Contains(names, path) {
			d.fault(d.keys[path], Fault{
				Path: path, Problem: say.F("is no section of objects"), Allowed: say.Names(names),
				Fix: say.F("take it out: it stays in the file of the configuration"),
			})
		}
	}
	var list []store.Object
	for i, k := range kinds {
		list = append(list, d.section(i, k.kind, &c)...)
	}
	if len(d.faults) > 0 {
		d.faults.sort()
		return nil, d.faults
	}
	return list, nil
}

// section gives the objects of one section.
func (d *decoder) section(i int, kind store.ObjectKind, c *Config) []store.Object {
	var list []store.Object
	add := func(name, path string, value reflect.Value) {
		list = append(list, store.Object{Kind: kind, Name: name, Spec: written(d.keys, path, value).spec()})
		if size := len(list[len(list)-1].Spec); size > MaxSpec {
			d.faultAt(path, Fault{Text: name, Problem: say.F("is too large to be kept"), Allowed: say.F("64 KiB of JSON")})
		}
	}
	if kind == store.ExceptionObject {
		first := map[string]string{}
		for n, e := range c.Exceptions {
			path, name := index(kinds[i].section, n), ExceptionName(e)
			if other, twice := first[name]; twice {
				d.faultAt(path, Fault{Text: name, Problem: say.F("is there twice, %s for the first time", d.at[other].words()), Fix: say.F("remove one of the two")})
			}
			first[name] = path
			add(name, path, reflect.ValueOf(e))
		}
		slices.SortStableFunc(list, func(a, b store.Object) int { return strings.Compare(a.Name, b.Name) })
		return list
	}
	section := (&Loaded{Config: *c}).section(i)
	for _, name := range sortedNames(section) {
		add(name, join(kinds[i].section, name), section.MapIndex(reflect.ValueOf(name)))
	}
	return list
}

func sortedNames(section reflect.Value) []string {
	var names []string
	for _, name := range section.MapKeys() {
		names = append(names, name.String())
	}
	slices.Sort(names)
	return names
}

// Calendar gives a holiday calendar of the file or the store as it was compiled;
// nil where there is none of that name or it is at fault.
func (l *Loaded) Calendar(name string) *calendar.Holidays { return l.calendars[name] }

// YAML writes a Spec as the lines that stand below the name of an object in a
// file; Spec reads them as the same. The error is a Faults.
func YAML(kind store.ObjectKind, spec json.RawMessage) ([]byte, error) {
	k := kindOf(kind)
	if k < 0 {
		return nil, noKind(string(kind), kind)
	}
	src := newSource(string(kind), ofSpec)
	root, err := jsonNode(spec)
	if err != nil {
		return nil, src.whole(say.Of(err), say.Text{})
	}
	t, err := newDecoder(src, root).object(k, root)
	if err != nil {
		return nil, err
	}
	if len(t.keys) == 0 {
		return []byte("{}\n"), nil
	}
	var b bytes.Buffer
	t.block(&b, "")
	return b.Bytes(), nil
}
