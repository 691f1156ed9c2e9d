package config

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"dayshift/internal/say"
	"dayshift/internal/store"
)

// Form says how a value of a field is written on a command line.
type Form string

// The forms.
const (
	TextForm       Form = "text"
	ListForm       Form = "list" // texts with commas between
	BoolForm       Form = "bool"
	DurationForm   Form = "duration"
	NumberForm     Form = "number"
	StructuresForm Form = "structure list" // YAML: [{date: 2027-02-08}], or of those with names {db: {filters: "tag:Role=db"}}
	TextsForm      Form = "KEY=TEXT"       // with commas between
)

// Field describes one key of an object.
type Field struct {
	Key      string
	Doc      string // its line in the reference
	Form     Form
	Enum     []string // the words allowed, where there are only some
	Default  string
	Required bool
}

// Fields describes the keys of a kind of object, in the order of the reference; none where the kind is no part of a configuration.
func Fields(kind store.ObjectKind) []Field {
	k := kindOf(kind)
	if k < 0 {
		return nil
	}
	var list []Field
	for field := range kinds[k].t.Fields() {
		f := Field{
			Key: field.Tag.Get("yaml"), Doc: fieldDocs[kinds[k].t.Name()+"."+field.Tag.Get("yaml")], Form: formOf(field.Type),
			Default: field.Tag.Get("default"), Required: field.Tag.Get("required") != "" && field.Tag.Get("unless") == "",
		}
		if enum := field.Tag.Get("enum"); enum != "" {
			f.Enum = strings.Split(enum, ",")
		}
		list = append(list, f)
	}
	return list
}

func formOf(t reflect.Type) Form {
	switch {
	case t == durationType:
		return DurationForm
	case t.Kind() == reflect.Bool:
		return BoolForm
	case t.Kind() == reflect.Int, t.Kind() == reflect.Float64:
		return NumberForm
	case (t.Kind() == reflect.Slice || t.Kind() == reflect.Map) && t.Elem().Kind() == reflect.Struct:
		return StructuresForm
	case t.Kind() == reflect.Slice:
		return ListForm
	case t.Kind() == reflect.Map:
		return TextsForm
	}
	return TextForm
}

// Value reads the text of a flag into a value for SpecOf. What is wrong with
// it is said there, in the words of a file; only what is not even YAML is an
// error here, a Faults.
func (f Field) Value(text string) (any, error) {
	switch f.Form {
	case ListForm:
		if strings.TrimSpace(text) == "" {
			return []string{}, nil
		}
		return splitList(text), nil
	case BoolForm:
		if text == "true" || text == "false" {
			return text == "true", nil
		}
	case NumberForm:
		if n := json.Number(text); json.Valid([]byte(text)) && strings.Trim(text, "0123456789.-+eE") == "" {
			return n, nil
		}
	case TextsForm:
		values := map[string]any{}
		for _, item := range splitList(text) {
			key, value, _ := strings.Cut(item, "=")
			if key != "" {
				values[key] = value
			}
		}
		return values, nil
	case StructuresForm:
		src := newSource("--"+f.Key, ofSpec)
		root, faults := src.read([]byte(text))
		if faults != nil {
			return nil, faults
		}
		d := newDecoder(src, root)
		value := d.plain(f.Key, root)
		if len(d.faults) > 0 {
			return nil, d.faults
		}
		return value, nil
	case TextForm, DurationForm:
	}
	return text, nil
}

// plain reads YAML of any form into the values of JSON.
func (d *decoder) plain(path string, node ast.Node) any {
	node = d.resolve(path, node)
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.SequenceNode:
		list := []any{}
		for _, value := range n.Values {
			list = append(list, d.plain(path, value))
		}
		return list
	case *ast.BoolNode:
		return n.Value
	case *ast.IntegerNode, *ast.FloatNode:
		if text, _, _ := scalar(node); json.Valid([]byte(text)) {
			return json.Number(text)
		}
	}
	if text, _, ok := scalar(node); ok {
		return text
	}
	pairs, _ := d.mapping(path, node, say.F("KEY: VALUE"))
	values := map[string]any{}
	for _, pair := range pairs {
		values[pair.key] = d.plain(path, pair.value)
	}
	return values
}
