package config

import (
	"cmp"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"dayshift/internal/calendar"
	"dayshift/internal/say"
)

// maxVisits bounds how many values are read, aliases counted as often as they
// are used: a few lines of YAML can otherwise stand for billions of values. Ten
// thousand schedules have a quarter of it.
const maxVisits = 300_000

// maxAliases bounds aliases of aliases, so that one that contains itself ends.
const maxAliases = 8

// spot is where a value or key stands.
type spot struct {
	src                 *source
	line, column, width int
	text                string // of a scalar
}

// words say where a spot is, in a sentence about another one.
func (s spot) words() say.Text {
	if s.src != nil && s.src.of == ofObject {
		return say.F("of %s", s.src.name)
	}
	return say.F("on line %s", strconv.Itoa(s.line))
}

// decoder fills a Config from a tree of YAML nodes. It never stops at a fault.
type decoder struct {
	src    *source
	faults Faults
	missed int // faults beyond maxFaults
	// warnings are what people should know although it is no fault.
	warnings Faults
	at       map[string]spot // values by path
	keys     map[string]spot // keys by path
	anchors  map[string]ast.Node
	visits   int
	// contents stand for files that the configuration names, by the path of the field, so that a change of a file is one
	// of the configuration.
	contents map[string]string
}

func newDecoder(src *source, root ast.Node) *decoder {
	d := &decoder{src: src, at: map[string]spot{}, keys: map[string]spot{}, anchors: map[string]ast.Node{}, contents: map[string]string{}}
	d.survey(root, false, "")
	src.surveyed = true
	clear(src.shown) // what was shown before the secrets were known
	return d
}

// survey notes the anchors and the lines with secrets on them before anything is reported. section is the key at the top.
func (d *decoder) survey(node ast.Node, secret bool, section string) {
	switch n := node.(type) {
	case nil:
		return
	case *ast.AnchorNode:
		if name, _, ok := scalar(n.Name); ok {
			d.anchors[name] = n.Value
		}
		d.survey(n.Value, secret, section)
		return
	case *ast.SequenceNode:
		for _, value := range n.Values {
			d.survey(value, secret, section)
		}
		return
	}
	if pairs, ok := entries(node); ok {
		for _, pair := range pairs {
			key, _, _ := scalar(pair.Key)
			d.survey(pair.Value, secret || secretName(key) || secretIn(section, key), cmp.Or(section, key))
		}
		return
	}
	text, _, ok := scalar(node)
	secret = secret || ok && secretIn(section, "url") && urlPath.MatchString(text) // an address in the wrong place
	if secret && ok && !secretRef.MatchString(text) {
		start, written := node.GetToken().Position.Line, strings.TrimSpace(node.GetToken().Origin)
		if at := d.spotOf(node); !urlPath.MatchString(text) { // of which the host is shown
			width := max(at.width, utf8.RuneCountInString(written)) // with what escapes add
			d.src.values[at.line] = append(d.src.values[at.line], span{at.column - 1, at.column - 1 + width})
		}
		for n := range strings.Count(text, "\n") + strings.Count(written, "\n") + 1 {
			d.src.secret[start+n] = true
			d.src.wholly[start+n] = d.src.wholly[start+n] || secretIn(section, "headers")
		}
	}
}

// fault notes a fault at a spot.
func (d *decoder) fault(at spot, f Fault) {
	if len(d.faults) == maxFaults || d.src.of == ofObject && len(d.faults) == maxObjectFaults {
		d.missed++
		return
	}
	f.Line, f.Column = at.line, at.column
	d.faults = append(d.faults, d.src.fault(f, at.width))
}

// faultAt notes a fault of the value at the path, or of its key where it has no value.
func (d *decoder) faultAt(path string, f Fault) {
	f.Path = path
	at, ok := d.at[path]
	if !ok {
		at = d.keys[path]
	}
	d.fault(at, f)
}

func (d *decoder) spotOf(node ast.Node) spot {
	at := startOf(node)
	s := spot{src: d.src, line: at.Line, column: at.Column, width: 1}
	if text, quoted, ok := scalar(node); ok {
		s.text, s.width = text, utf8.RuneCountInString(text)
		if quoted {
			s.width += 2
		}
		if first, _, several := strings.Cut(text, "\n"); several {
			s.width = utf8.RuneCountInString(first)
		}
	}
	return s
}

// resolve follows anchors and aliases to the value. A nil node means that a fault was noted.
func (d *decoder) resolve(path string, node ast.Node) ast.Node {
	d.visits++
	if d.visits > maxVisits {
		if d.visits == maxVisits+1 {
			d.fault(d.spotOf(node), Fault{Path: path, Problem: say.F("the aliases (*) stand for more than %d values", maxVisits), Fix: say.F("write out what is needed")})
		}
		return nil
	}
	for range maxAliases {
		switch n := node.(type) {
		case *ast.AnchorNode:
			node = n.Value
		case *ast.AliasNode:
			name, _, _ := scalar(n.Value)
			target, ok := d.anchors[name]
			if !ok {
				at := d.spotOf(node)
				at.width = utf8.RuneCountInString(name) + 1
				d.fault(at, Fault{
					Path: path, Text: "*" + name, Problem: say.F("names an anchor that does not exist"),
					Fix: say.F(`quote it when a text is meant: "*%s"`, name),
				})
				return nil
			}
			node = target
		default:
			if node == nil {
				return (*ast.NullNode)(nil)
			}
			return node
		}
	}
	d.fault(d.spotOf(node), Fault{Path: path, Problem: say.F("the alias (*) stands for itself"), Fix: say.F("write out what is needed")})
	return nil
}

// pair is one entry of a mapping.
type pair struct {
	key    string
	at     spot // of the key
	value  ast.Node
	merged bool // by <<
}

// mapping gives the entries of a mapping, merged ones (<<) last and only where
// the key is not given itself. Duplicates are noted and left out.
func (d *decoder) mapping(path string, node ast.Node, what say.Text) ([]pair, bool) {
	list, ok := entries(node)
	if !ok {
		at := d.spotOf(node)
		f := Fault{Path: path, Text: at.text, Problem: say.F("is not a mapping"), Allowed: what}
		if urlPath.MatchString(f.Text) { // it may be the address that a key of the section is for, and then its path is a secret
			f.Text = ""
		}
		if at.text == "" || d.src.wholly[at.line] {
			f.Text, f.Problem = "", say.F("is %s, not a mapping", nodeWords(node))
		}
		if path == "" {
			f.Problem = say.F("the file %s", f.Problem)
			if at.text != "" {
				f.Problem = say.F("is all there is: the file is not a mapping")
			}
		}
		if _, isList := node.(*ast.SequenceNode); isList {
			f.Fix = say.F("remove the dashes or brackets: KEY: VALUE lines stand alone")
		}
		d.fault(at, f)
		return nil, false
	}
	var own []pair
	var merges []ast.Node
	first := make(map[string]int, len(list))
	for _, entry := range list {
		at := d.spotOf(entry.Key)
		key, quoted, isText := scalar(entry.Key)
		if !isText {
			d.fault(at, Fault{Path: path, Problem: say.F("is not a name"), Allowed: say.F("a text as key")})
			continue
		}
		if key == "<<" && !quoted {
			merges = append(merges, entry.Value)
			continue
		}
		if line, twice := first[key]; twice {
			f := Fault{Path: join(path, key), Problem: say.F("is given twice"), Fix: say.F("keep one of the two")}
			if d.src.of != ofObject {
				f.Problem = say.F("is given twice: the first time on line %d", line)
			}
			d.fault(at, f)
			continue
		}
		first[key] = at.line
		own = append(own, pair{key: key, at: at, value: entry.Value})
	}
	for _, merge := range merges {
		own = append(own, d.merge(path, merge, first, 0)...)
	}
	return own, true
}

// merge gives the entries that << adds: of a mapping or a list of mappings.
func (d *decoder) merge(path string, node ast.Node, have map[string]int, depth int) []pair {
	at := d.spotOf(node)
	node = d.resolve(path, node)
	if node == nil || depth > maxAliases {
		return nil
	}
	if list, ok := node.(*ast.SequenceNode); ok {
		var all []pair
		for _, value := range list.Values {
			all = append(all, d.merge(path, value, have, depth+1)...)
		}
		return all
	}
	list, ok := entries(node)
	if !ok {
		d.fault(at, Fault{Path: path, Problem: say.F("<< does not name a mapping"), Allowed: say.F("an alias such as *office")})
		return nil
	}
	var all []pair
	for _, entry := range list {
		key, _, isText := scalar(entry.Key)
		if key == "<<" {
			all = append(all, d.merge(path, entry.Value, have, depth+1)...)
			continue
		}
		if _, given := have[key]; given || !isText {
			continue
		}
		place := d.spotOf(entry.Key)
		have[key] = place.line
		all = append(all, pair{key: key, at: place, value: entry.Value, merged: true})
	}
	return all
}

// join makes the path of a field of a mapping.
func join(path, key string) string {
	if key == "" || strings.ContainsAny(key, ".[]\" ") {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// fields lists the fields of a struct of the configuration by their keys.
func fields(t reflect.Type) ([]string, map[string]reflect.StructField) {
	names := make([]string, 0, t.NumField())
	byName := make(map[string]reflect.StructField, t.NumField())
	for field := range t.Fields() {
		name := field.Tag.Get("yaml")
		names = append(names, name)
		byName[name] = field
	}
	return names, byName
}

// structure reads a mapping with known keys.
func (d *decoder) structure(path string, node ast.Node, into reflect.Value) {
	setDefaults(into)
	t := into.Type()
	names, known := fields(t)
	list, ok := d.mapping(path, node, say.F("KEY: VALUE lines with %s", say.Names(names)))
	if !ok {
		return
	}
	given := make(map[string]bool, len(list))
	for _, entry := range list {
		field, ok := known[entry.key]
		if !ok {
			d.unknown(path, t.Name(), names, entry)
			continue
		}
		given[entry.key] = true
		at := join(path, entry.key)
		d.keys[at] = entry.at
		d.value(at, entry.value, into.FieldByIndex(field.Index), field.Tag)
	}
	d.required(path, d.spotOf(node), into, given)
}

// required notes the keys that a structure cannot do without.
func (d *decoder) required(path string, at spot, into reflect.Value, given map[string]bool) {
	for field := range into.Type().Fields() {
		name := field.Tag.Get("yaml")
		if field.Tag.Get("required") != "" && !given[name] && !spared(into, field.Tag) {
			d.fault(at, Fault{
				Path: path, Problem: say.F("has no %s", name),
				Fix: say.F("add %s: %s", name, field.Tag.Get("example")),
			})
		}
	}
}

// spared tells whether another key makes a required one unnecessary: the tag unless is that key and how its text begins.
func spared(into reflect.Value, tag reflect.StructTag) bool {
	key, prefix, some := strings.Cut(tag.Get("unless"), " ")
	if !some {
		return false
	}
	_, known := fields(into.Type())
	return strings.HasPrefix(strings.TrimSpace(into.FieldByIndex(known[key].Index).String()), prefix)
}

// unknown reports a key that is not one: not yet, or not at all.
func (d *decoder) unknown(path, structName string, names []string, entry pair) {
	f := Fault{Path: join(path, entry.key)}
	if sentence, ok := later[structName][entry.key]; ok {
		f.Problem, f.Fix = say.F("cannot be used: %s", sentence), say.F("remove it")
		d.fault(entry.at, f)
		return
	}
	f.Problem, f.Allowed = say.F("is not a known key"), say.Names(names)
	if word := nearest(strings.ReplaceAll(entry.key, "-", "_"), names); word != "" {
		f.Fix = say.F("did you mean %s?", word)
	} else if word := squeeze(entry.key, names); word != "" {
		f.Fix = say.F("did you mean %s?", word)
	} else if where := d.elsewhere(entry.key, structName); !where.Empty() {
		f.Fix = where
	}
	d.fault(entry.at, f)
}

// squeeze finds a key that differs only in case and in what joins its words: beginTime, begin-time.
func squeeze(key string, names []string) string {
	flat := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
	}
	for _, name := range names {
		if flat(name) == flat(key) {
			return name
		}
	}
	return ""
}

// elsewhere says where a key belongs that stands in the wrong section.
func (d *decoder) elsewhere(key, structName string) say.Text {
	for _, section := range []struct {
		t     reflect.Type
		words say.Text
	}{
		{reflect.TypeFor[Config](), say.F("at the top of the file")},
		{reflect.TypeFor[Schedule](), say.F("in a schedule")},
		{reflect.TypeFor[Period](), say.F("in a period")},
		{reflect.TypeFor[Account](), say.F("in an account")},
		{reflect.TypeFor[Organization](), say.F("in an organization")},
		{reflect.TypeFor[Holidays](), say.F("in a holiday calendar")},
		{reflect.TypeFor[Exception](), say.F("in an exception")},
		{reflect.TypeFor[Rule](), say.F("in a rule")},
		{reflect.TypeFor[Workload](), say.F("in a workload")},
		{reflect.TypeFor[Tier](), say.F("in a tier of a workload")},
		{reflect.TypeFor[Half](), say.F("under start: or stop: of a tier")},
		{reflect.TypeFor[Reservation](), say.F("in a reservation")},
		{reflect.TypeFor[Capacity](), say.F("under capacity:")},
		{reflect.TypeFor[Overrides](), say.F("under overrides:")},
		{reflect.TypeFor[Limits](), say.F("under limits:")},
		{reflect.TypeFor[Events](), say.F("under events:")},
		{reflect.TypeFor[AWS](), say.F("under aws:")},
		{reflect.TypeFor[Channel](), say.F("in a channel")},
		{reflect.TypeFor[Chat](), say.F("in a chat")},
	} {
		if _, known := fields(section.t); section.t.Name() != structName {
			if _, ok := known[key]; ok {
				return say.F("%s belongs %s", key, section.words)
			}
		}
	}
	return say.Text{}
}

var (
	durationType = reflect.TypeFor[Duration]()
	secretType   = reflect.TypeFor[Secret]()
	daysType     = reflect.TypeFor[calendar.DayField]()
	refsType     = reflect.TypeFor[calendar.PeriodRefs]()
	namesType    = reflect.TypeFor[Names]()
)

// isItems tells the lists that may also be written as one text with commas.
func isItems(t reflect.Type) bool { return t == daysType || t == refsType || t == namesType }

// value reads one value into a field.
func (d *decoder) value(path string, node ast.Node, into reflect.Value, tag reflect.StructTag) {
	if isNull(node) {
		d.empty(path, into)
		return
	}
	node = d.resolve(path, node)
	if node == nil {
		return
	}
	if isNull(node) {
		d.empty(path, into)
		return
	}
	at := d.spotOf(node)
	d.at[path] = at
	switch into.Type() {
	case durationType:
		d.duration(path, node, into, tag)
		return
	case secretType:
		if text, ok := d.text(path, node, say.F("a text")); ok {
			into.Set(reflect.ValueOf(Secret{value: text}))
		}
		return
	case daysType, refsType, namesType:
		d.items(path, node, into)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		d.structure(path, node, into)
	case reflect.Map:
		if into.Type().Elem().Kind() == reflect.String {
			d.texts(path, node, into)
			break
		}
		d.named(path, node, into, tag)
	case reflect.Slice:
		d.list(path, node, into, tag)
	case reflect.Bool:
		d.boolean(path, node, into)
	case reflect.Int, reflect.Float64:
		d.number(path, node, into, tag)
	case reflect.String:
		if text, ok := d.text(path, node, say.F("a text")); ok {
			into.SetString(d.word(path, text, tag))
		}
	default:
		// A field of a type that no case knows is a mistake in Config, found by the first test that loads a file.
		panic("config: no decoder for " + into.Type().String())
	}
}

// empty handles a key without a value. A section may be left empty; a single value may not: the line was not finished.
func (d *decoder) empty(path string, into reflect.Value) {
	switch {
	case into.Kind() == reflect.Struct && into.Type() != secretType:
		setDefaults(into)
		d.required(path, d.keys[path], into, nil)
		return
	case into.Kind() == reflect.Map, into.Kind() == reflect.Slice && !isItems(into.Type()):
		return
	}
	d.faultAt(path, Fault{Problem: say.F("has no value"), Fix: say.F("write one, or remove the line")})
}

// text reads a scalar as it is written: the ID 012345678901 stays as it is with quotes and without.
func (d *decoder) text(path string, node ast.Node, allowed say.Text) (string, bool) {
	text, _, ok := scalar(node)
	if !ok {
		d.faultAt(path, Fault{Problem: say.F("is %s", nodeWords(node)), Allowed: allowed})
	}
	return text, ok
}

// word checks a text against the words that are allowed.
func (d *decoder) word(path, text string, tag reflect.StructTag) string {
	enum := tag.Get("enum")
	if enum == "" {
		return text
	}
	words := strings.Split(enum, ",")
	folded := text
	if tag.Get("fold") != "" {
		folded = strings.ToLower(strings.TrimSpace(text))
	}
	if !slices.Contains(words, folded) {
		d.faultAt(path, Fault{Text: text, Problem: say.F("is not one of the words allowed"), Allowed: say.Names(words), Fix: didYouMean(text, words)})
	}
	return folded
}

func (d *decoder) boolean(path string, node ast.Node, into reflect.Value) {
	text, quoted, ok := scalar(node)
	if n, isBool := node.(*ast.BoolNode); isBool {
		into.SetBool(n.Value)
		return
	}
	f := Fault{Text: text, Problem: say.F("is not true or false"), Allowed: say.F("true or false, without quotes")}
	if !ok {
		f.Problem = say.F("is %s", nodeWords(node))
	}
	switch strings.ToLower(text) {
	case "true", "yes", "on", "y", "1":
		f.Fix = say.F("write true")
	case "false", "no", "off", "n", "0":
		f.Fix = say.F("write false")
	}
	if quoted && (strings.EqualFold(text, "true") || strings.EqualFold(text, "false")) {
		f.Problem = say.F("is a text because of its quotes")
	}
	d.faultAt(path, f)
}

func (d *decoder) number(path string, node ast.Node, into reflect.Value, tag reflect.StructTag) {
	low, high := tag.Get("min"), tag.Get("max")
	allowed := say.F("a whole number from %s to %s", low, high)
	if into.Kind() == reflect.Float64 {
		allowed = say.F("a number from %s to %s", low, high)
	}
	text, quoted, ok := scalar(node)
	f := Fault{Text: text, Problem: say.F("is not a number"), Allowed: allowed}
	if !ok {
		f.Problem = say.F("is %s", nodeWords(node))
	}
	if quoted {
		f.Fix = say.F("remove the quotes")
	} else if digits, percent := strings.CutSuffix(text, "%"); percent {
		f.Fix = say.F("write %s without the percent sign", digits)
	}
	// ParseFloat also reads 0x1p4, 1_000, Inf: what is left after it is plain decimal.
	n, err := strconv.ParseFloat(text, 64)
	if !ok || quoted || err != nil || strings.Trim(text, "0123456789.-") != "" || math.IsInf(n, 0) || math.IsNaN(n) {
		d.faultAt(path, f)
		return
	}
	from, _ := strconv.ParseFloat(low, 64)
	to, _ := strconv.ParseFloat(high, 64)
	switch {
	case n < from || n > to:
		f.Problem = say.F("is out of range")
	case into.Kind() == reflect.Int && strings.Contains(text, "."):
		f.Problem = say.F("is not a whole number")
	case into.Kind() == reflect.Int:
		into.SetInt(int64(n))
		return
	default:
		into.SetFloat(n)
		return
	}
	d.faultAt(path, f)
}

func (d *decoder) duration(path string, node ast.Node, into reflect.Value, tag reflect.StructTag) {
	low, _ := ParseDuration(tag.Get("min"))
	high, _ := ParseDuration(tag.Get("max"))
	allowed := say.F("a duration such as 90s, 10m, 2h or 7d, from %s to %s", low, high)
	text, ok := d.text(path, node, allowed)
	if !ok {
		return
	}
	length, err := ParseDuration(text)
	switch {
	case err != nil:
		f := Fault{Text: text, Problem: say.F("is not a duration"), Allowed: allowed}
		if _, err := strconv.Atoi(text); err == nil {
			f.Problem, f.Fix = say.F("has no unit"), say.F("write %ss for seconds or %sm for minutes", text, text)
		}
		d.faultAt(path, f)
	case length < low || length > high:
		d.faultAt(path, Fault{Text: text, Problem: say.F("is out of range"), Allowed: allowed})
	default:
		into.SetInt(int64(length))
	}
}

// items reads a list of texts, or one text, and leaves the rest to the
// calendar: what a day expression or a list of periods means is decided there.
func (d *decoder) items(path string, node ast.Node, into reflect.Value) {
	list, isList := node.(*ast.SequenceNode)
	allowed := say.F("one text with commas, or a list of texts")
	var texts []string
	if !isList {
		text, ok := d.text(path, node, allowed)
		if !ok {
			return
		}
		texts = []string{text}
	} else {
		for i, value := range list.Values {
			at := index(path, i)
			value = d.resolve(at, value)
			if value == nil {
				continue
			}
			if isNull(value) {
				d.fault(d.spotOf(value), Fault{Path: at, Problem: say.F("has no value"), Fix: say.F("write one, or remove the item")})
				continue
			}
			d.at[at] = d.spotOf(value)
			if text, ok := d.text(at, value, allowed); ok {
				texts = append(texts, text)
			}
		}
	}
	switch into.Type() {
	case daysType:
		into.Set(reflect.ValueOf(calendar.DayField(texts)))
		return
	case namesType:
		var names Names
		for _, text := range texts {
			for _, name := range splitList(text) {
				if name != "" {
					names = append(names, name)
				}
			}
		}
		into.Set(reflect.ValueOf(names))
		return
	}
	var refs calendar.PeriodRefs
	data, err := json.Marshal(texts)
	if err == nil {
		err = refs.UnmarshalJSON(data)
	}
	if err != nil {
		d.faultAt(path, Fault{Problem: say.F("cannot be read: %v", err), Allowed: allowed})
		return
	}
	into.Set(reflect.ValueOf(refs))
}

// list reads a list of texts or of mappings.
func (d *decoder) list(path string, node ast.Node, into reflect.Value, tag reflect.StructTag) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		text, _, isText := scalar(node)
		f := Fault{Text: text, Problem: say.F("is not a list"), Allowed: say.F("a list")}
		switch {
		case isText:
			f.Fix = say.F("write [%s]", strings.Join(splitList(text), ", "))
		default:
			f.Problem, f.Fix = say.F("is %s, not a list", nodeWords(node)), say.F("begin each entry with a dash and a blank")
		}
		d.faultAt(path, f)
		return
	}
	for i, value := range list.Values {
		at := index(path, i)
		element := reflect.New(into.Type().Elem()).Elem()
		if isNull(value) {
			d.fault(d.spotOf(value), Fault{Path: at, Problem: say.F("has no value"), Fix: say.F("write one, or remove the entry")})
			continue
		}
		d.value(at, value, element, tag)
		into.Set(reflect.Append(into, element))
	}
}

func splitList(text string) []string {
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// named reads a mapping of names to structs.
func (d *decoder) named(path string, node ast.Node, into reflect.Value, tag reflect.StructTag) {
	list, ok := d.mapping(path, node, say.F("NAME: {…} lines"))
	if !ok {
		return
	}
	into.Set(reflect.MakeMapWithSize(into.Type(), len(list)))
	for _, entry := range list {
		at := join(path, entry.key)
		d.keys[at] = entry.at
		element := reflect.New(into.Type().Elem()).Elem()
		setDefaults(element)
		d.value(at, entry.value, element, tag)
		into.SetMapIndex(reflect.ValueOf(entry.key), element)
	}
}

// texts reads a mapping of keys to texts.
func (d *decoder) texts(path string, node ast.Node, into reflect.Value) {
	list, ok := d.mapping(path, node, say.F("KEY: TEXT lines"))
	if !ok {
		return
	}
	into.Set(reflect.MakeMapWithSize(into.Type(), len(list)))
	for _, entry := range list {
		at := join(path, entry.key)
		d.keys[at] = entry.at
		if isNull(entry.value) {
			d.faultAt(at, Fault{Problem: say.F("has no value"), Fix: say.F(`write one, or "" for an empty one`)})
			continue
		}
		value := d.resolve(at, entry.value)
		if value == nil {
			continue
		}
		d.at[at] = d.spotOf(value)
		if text, ok := d.text(at, value, say.F("a text")); ok {
			into.SetMapIndex(reflect.ValueOf(entry.key), reflect.ValueOf(text))
		}
	}
}

// setDefaults fills a struct with the defaults of its tags.
func setDefaults(into reflect.Value) {
	t := into.Type()
	for i := range t.NumField() {
		field, value := into.Field(i), t.Field(i).Tag.Get("default")
		switch {
		case field.Kind() == reflect.Struct && field.Type() != secretType:
			setDefaults(field)
		case value == "":
		case field.Type() == durationType:
			length, err := ParseDuration(value)
			mustDefault(err)
			field.SetInt(int64(length))
		case field.Kind() == reflect.Bool:
			field.SetBool(value == "true")
		case field.Kind() == reflect.Int:
			n, err := strconv.Atoi(value)
			mustDefault(err)
			field.SetInt(int64(n))
		case field.Kind() == reflect.Float64:
			n, err := strconv.ParseFloat(value, 64)
			mustDefault(err)
			field.SetFloat(n)
		default:
			field.SetString(value)
		}
	}
}

// mustDefault stops the program when a default in a struct tag is malformed:
// the mistake is in the source, and the first test finds it.
func mustDefault(err error) {
	if err != nil {
		panic("config: default: " + err.Error())
	}
}
