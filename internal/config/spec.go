package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"dayshift/internal/calendar"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// tree is what was written, in the order of the reference: a text, a number or
// boolean as its literal, a list, or a mapping.
type tree struct {
	text    string
	literal bool // text is a number, true or false
	list    []tree
	keys    []string // of a mapping; list holds their values
	mapping bool
	isList  bool
}

// written gives the keys of a structure that were written, each with the value that was read.
func written(keys map[string]spot, path string, v reflect.Value) tree {
	t := tree{mapping: true}
	for i := range v.NumField() {
		field, key := v.Field(i), v.Type().Field(i).Tag.Get("yaml")
		at := join(path, key)
		if _, given := keys[at]; !given {
			continue
		}
		if value, some := writtenValue(keys, at, field); some {
			t.keys, t.list = append(t.keys, key), append(t.list, value)
		}
	}
	return t
}

// writtenValue gives one value; false for an empty one, which means the same as none.
func writtenValue(keys map[string]spot, path string, v reflect.Value) (tree, bool) {
	if d, ok := reflect.TypeAssert[Duration](v); ok {
		return tree{text: d.String()}, true
	}
	switch v.Kind() {
	case reflect.Bool, reflect.Int, reflect.Float64:
		return tree{text: fmt.Sprint(v.Interface()), literal: true}, true
	case reflect.Struct:
		return written(keys, path, v), true
	case reflect.Map:
		t := tree{mapping: true}
		if v.Type().Elem().Kind() == reflect.Struct {
			for _, key := range sortedNames(v) {
				t.keys, t.list = append(t.keys, key), append(t.list, written(keys, join(path, key), v.MapIndex(reflect.ValueOf(key))))
			}
			return t, v.Len() > 0
		}
		for _, key := range sortedNames(v) {
			t.keys, t.list = append(t.keys, key), append(t.list, tree{text: v.MapIndex(reflect.ValueOf(key)).String()})
		}
		return t, v.Len() > 0
	case reflect.Slice:
		t := tree{isList: true}
		for i := range v.Len() {
			item := tree{text: v.Index(i).String()}
			if v.Type().Elem().Kind() == reflect.Struct {
				item = written(keys, index(path, i), v.Index(i))
			}
			t.list = append(t.list, item)
		}
		return t, v.Len() > 0
	}
	return tree{text: v.String()}, v.String() != ""
}

// style is how a tree is written on one line.
type style struct {
	comma, colon string
	key, text    func(b *bytes.Buffer, text string)
}

var (
	asJSON = style{comma: ",", colon: ":", key: jsonText, text: jsonText}
	// asYAML is the flow style.
	asYAML = style{
		comma: ", ", colon: ": ",
		key:  func(b *bytes.Buffer, text string) { b.WriteString(yamlText(text)) },
		text: func(b *bytes.Buffer, text string) { b.WriteString(yamlText(text)) },
	}
)

// write writes the tree on one line.
func (t tree) write(b *bytes.Buffer, s *style) {
	switch {
	case t.mapping:
		b.WriteByte('{')
		for i, key := range t.keys {
			if i > 0 {
				b.WriteString(s.comma)
			}
			s.key(b, key)
			b.WriteString(s.colon)
			t.list[i].write(b, s)
		}
		b.WriteByte('}')
	case t.isList:
		b.WriteByte('[')
		for i, item := range t.list {
			if i > 0 {
				b.WriteString(s.comma)
			}
			item.write(b, s)
		}
		b.WriteByte(']')
	case t.literal:
		b.WriteString(t.text)
	default:
		s.text(b, t.text)
	}
}

// jsonText writes a text as JSON that is YAML as well: what no file may hold is escaped.
func jsonText(b *bytes.Buffer, text string) {
	from := b.Len()
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always has a JSON form, and a buffer takes it
	b.Truncate(b.Len() - 1)  // the line end
	escape := func(r rune) bool { return forbidden(r) || r == '\u0085' }
	if !bytes.ContainsFunc(b.Bytes()[from:], escape) {
		return
	}
	written := string(b.Bytes()[from:])
	b.Truncate(from)
	for _, r := range written {
		if escape(r) {
			fmt.Fprintf(b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
}

// block writes a mapping as lines of YAML, lists of mappings with a line for each.
func (t tree) block(b *bytes.Buffer, indent string) {
	for i, key := range t.keys {
		b.WriteString(indent + yamlText(key) + ":")
		if value := t.list[i]; value.mapping && len(value.list) > 0 && value.list[0].mapping {
			b.WriteByte('\n')
			value.block(b, indent+"  ")
		} else if value.isList && len(value.list) > 0 && value.list[0].mapping {
			b.WriteByte('\n')
			for _, item := range value.list {
				b.WriteString(indent + "  - ")
				item.write(b, &asYAML)
				b.WriteByte('\n')
			}
		} else {
			b.WriteByte(' ')
			value.write(b, &asYAML)
			b.WriteByte('\n')
		}
	}
}

// plainText is what YAML reads as the same text without quotes: a word that is no number, boolean or null to anybody.
var plainText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./@-]*$`)

// yamlWords are read as something else by one version of YAML or another.
var yamlWords = []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}

// yamlText writes a text so that YAML reads the same text.
func yamlText(text string) string {
	if plainText.MatchString(text) && !slices.Contains(yamlWords, strings.ToLower(text)) {
		return text
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Object is a part of the configuration that people name: from the file, which owns it then, or from the store.
type Object struct {
	Kind store.ObjectKind `json:"kind"`
	Name string           `json:"name"`
	// File: it belongs to the file, and nothing but an edit of the file changes it.
	File    bool  `json:"file"`
	Version int64 `json:"version,omitempty"` // 0 in the file
	// Spec is what stands below its name as JSON, the keys that were written in the order of the reference; of an object
	// with a Fault it is as it was stored.
	Spec    json.RawMessage `json:"spec"`
	Author  string          `json:"author,omitempty"`
	Created time.Time       `json:"created,omitzero"`
	Changed time.Time       `json:"changed,omitzero"`
	// Where says where it is: FILE:LINE, or which object.
	Where Origin `json:"where"`
	// Fault is a Faults when the object is set aside, else nil.
	Fault error `json:"fault,omitempty"`
}

// listed is an object with what was written of it.
type listed struct {
	Object
	tree tree
}

// Objects gives the objects of a kind, those of the file and those of the store, ordered by name.
func (l *Loaded) Objects(kind store.ObjectKind) []Object {
	var list []Object
	for _, o := range l.list(kind) {
		list = append(list, o.Object)
	}
	return list
}

func (l *Loaded) list(kind store.ObjectKind) []listed {
	k := kindOf(kind)
	if k < 0 {
		return nil
	}
	var list []listed
	add := func(name, path string, where spot, value reflect.Value) {
		o := listed{Object{Kind: kind, Name: name, File: true, Where: l.origin(where)}, written(l.keys, path, value)}
		o.Spec = o.tree.spec()
		list = append(list, o)
	}
	if kind == store.ExceptionObject {
		for i, e := range l.Config.Exceptions {
			path := index(kinds[k].section, i)
			if where, ok := l.at[path]; ok { // those of the store come last and have paths of their own
				add(ExceptionName(e), path, where, reflect.ValueOf(e))
			}
		}
	} else {
		section := l.section(k)
		for _, name := range section.MapKeys() {
			path := join(kinds[k].section, name.String())
			if where := l.keys[path]; where.src == nil || where.src.of != ofObject {
				add(name.String(), path, where, section.MapIndex(name))
			}
		}
	}
	for _, c := range l.objects {
		if c.Kind != kind {
			continue
		}
		o := listed{Object: Object{
			Kind: kind, Name: c.Name, Version: c.Version, Spec: c.Spec, Author: c.Author, Created: c.Created, Changed: c.Changed,
			Where: Origin{Object: c.src.name},
		}}
		if c.aside {
			o.Fault = c.faults
		} else {
			o.tree = written(l.keys, c.path, c.value)
			o.Spec = o.tree.spec()
		}
		list = append(list, o)
	}
	slices.SortStableFunc(list, func(a, b listed) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// section is the map of the configuration in which a kind's objects are.
func (l *Loaded) section(k int) reflect.Value {
	config := reflect.ValueOf(l.Config)
	_, known := fields(config.Type())
	return config.FieldByIndex(known[kinds[k].section].Index)
}

func (t tree) spec() json.RawMessage {
	var b bytes.Buffer
	t.write(&b, &asJSON)
	return b.Bytes()
}

// flatten adds what an object says to the lines of a configuration.
func (o *candidate) flatten(into map[string]string) {
	version := "not saved"
	if o.Version > 0 {
		version = "version " + strconv.FormatInt(o.Version, 10)
	}
	if o.aside {
		version += ", set aside: " + o.faults[0].Summary()
	} else {
		flatten(o.path, o.value, into)
	}
	into[o.path+".object"] = version
}

// Export writes objects as sections of a file that Parse reads as the same
// objects, those of the file too unless storeOnly is given. No kinds: all of
// them. Objects that are set aside are named in a comment. A rate of a store's
// rule counts from when the rule was made, which is written along as created.
func (l *Loaded) Export(storeOnly bool, only ...store.ObjectKind) ([]byte, error) {
	for _, kind := range only {
		if kindOf(kind) < 0 {
			return nil, noKind("export", kind)
		}
	}
	var b bytes.Buffer
	for _, k := range kinds {
		if len(only) > 0 && !slices.Contains(only, k.kind) {
			continue
		}
		head := k.section + ":\n"
		for _, o := range l.list(k.kind) {
			if o.File && storeOnly {
				continue
			}
			if o.Fault != nil {
				fmt.Fprintf(&b, "# Left out: %s %s, which is set aside.\n", o.Kind, yamlText(o.Name))
				continue
			}
			b.WriteString(head)
			head = ""
			if k.kind == store.ExceptionObject {
				b.WriteString("  - ")
				o.tree.write(&b, &asYAML)
				b.WriteByte('\n')
				continue
			}
			b.WriteString("  " + yamlText(o.Name) + ":")
			if t := l.dated(o); len(t.keys) > 0 {
				b.WriteByte('\n')
				t.block(&b, "    ")
			} else {
				b.WriteString(" {}\n")
			}
		}
	}
	return b.Bytes(), nil
}

// dated gives the rate of a store's rule the instant from which it counts.
func (l *Loaded) dated(o listed) tree {
	t := o.tree
	if o.Kind != store.RuleObject || o.File || o.Created.IsZero() || slices.Contains(t.keys, "created") {
		return t
	}
	e, err := calendar.ParseExpression(l.Config.Rules[o.Name].Expression, nil, epoch)
	if err != nil || e.Kind() != calendar.KindRate {
		return t
	}
	at := len(t.keys)
	if last := at - 1; last >= 0 && t.keys[last] == "description" {
		at = last
	}
	t.keys = slices.Insert(slices.Clone(t.keys), at, "created")
	t.list = slices.Insert(slices.Clone(t.list), at, tree{text: o.Created.UTC().Truncate(time.Second).Format(time.RFC3339)})
	return t
}

// Spec reads the YAML text of one object, what stands below its name in a
// file, into its Spec. name stands for the text in messages; the error is a
// Faults. What the object names is not looked up: Parse does that.
func Spec(kind store.ObjectKind, name string, text []byte) (json.RawMessage, error) {
	k := kindOf(kind)
	if k < 0 {
		return nil, noKind(name, kind)
	}
	src := newSource(name, ofSpec)
	if len(text) > MaxSpec {
		return nil, src.whole(say.F("the %s is %d bytes long, more than %d", say.Word(kind), len(text), MaxSpec), say.Text{})
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, src.whole(say.F("the %s is empty", say.Word(kind)), say.F("write what stands below its name in a file"))
	}
	root, faults := src.read(text)
	if faults != nil {
		return nil, faults
	}
	return newDecoder(src, root).spec(k, root)
}

// SpecOf makes the Spec of an object of values by key, as FieldValue and
// encoding/json give them. The error is a Faults.
func SpecOf(kind store.ObjectKind, name string, values map[string]any) (json.RawMessage, error) {
	k := kindOf(kind)
	if k < 0 {
		return nil, noKind(name, kind)
	}
	src := newSource(name, ofSpec)
	data, err := json.Marshal(values)
	if err != nil {
		return nil, src.whole(say.F("it cannot be written as JSON: %v", err), say.Text{})
	}
	root, err := jsonNode(data)
	if err != nil {
		return nil, src.whole(say.Of(err), say.Text{})
	}
	return newDecoder(src, root).spec(k, root)
}

func noKind(name string, kind store.ObjectKind) Faults {
	var names []string
	for _, k := range kinds {
		names = append(names, string(k.kind))
	}
	return Faults{{File: name, Text: string(kind), Problem: say.F("is no kind of object of a configuration"), Allowed: say.Names(names), of: ofSpec}}
}

// object reads one object at the top of a text.
func (d *decoder) object(k int, root ast.Node) (tree, error) {
	value := reflect.New(kinds[k].t).Elem()
	if node := d.resolve("", root); node != nil {
		d.structure("", node, value)
	}
	if len(d.faults) > 0 {
		d.faults.sort()
		return tree{}, d.faults
	}
	return written(d.keys, "", value), nil
}

// spec reads one object at the top of a text as what is kept of it.
func (d *decoder) spec(k int, root ast.Node) (json.RawMessage, error) {
	t, err := d.object(k, root)
	if err != nil {
		return nil, err
	}
	spec := t.spec()
	if len(spec) > MaxSpec {
		return nil, d.src.whole(say.F("the %s is %d bytes of JSON, more than %d", say.Word(kinds[k].kind), len(spec), MaxSpec), say.Text{})
	}
	return spec, nil
}
