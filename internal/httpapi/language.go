package httpapi

import (
	"reflect"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"dayshift/internal/say"
)

// speak puts what an answer says into the language that the client asks for by
// Accept-Language; English where it asks for none that there is. What a person
// or AWS wrote, and what the record holds, is as it was written.
func speak(ctx huma.Context, _ string, v any) (any, error) {
	if v == nil || !hasTexts(reflect.TypeOf(v)) {
		return v, nil
	}
	language := say.Best(ctx.Header("Accept-Language"))
	ctx.AppendHeader("Vary", "Accept-Language")
	ctx.SetHeader("Content-Language", string(language))
	return in(language, v), nil
}

// in gives a value with its texts in a language. What is shared with others is copied before.
func in(language say.Language, v any) any {
	if language == say.English { // as texts are on the wire by themselves
		return v
	}
	value := reflect.ValueOf(v)
	held := reflect.New(value.Type())
	held.Elem().Set(value)
	translate(language, held.Elem())
	return held.Elem().Interface()
}

var textType = reflect.TypeFor[say.Text]()

// saying remembers which types have texts in them.
var saying sync.Map // reflect.Type → bool

// hasTexts reports whether there is a text in a type, or can be.
func hasTexts(t reflect.Type) bool {
	if known, ok := saying.Load(t); ok {
		return known.(bool) //nolint:errcheck // nothing else is put there
	}
	found := findsText(t, map[reflect.Type]bool{})
	saying.Store(t, found)
	return found
}

func findsText(t reflect.Type, seen map[reflect.Type]bool) bool {
	if t == textType || t.Kind() == reflect.Interface {
		return true
	}
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Pointer, reflect.Map:
		return findsText(t.Elem(), seen)
	case reflect.Struct:
		for field := range t.Fields() {
			if field.IsExported() && !hidden(field) && findsText(field.Type, seen) {
				return true
			}
		}
	}
	return false
}

// hidden reports whether a field stays in the program.
func hidden(field reflect.StructField) bool { return field.Tag.Get("json") == "-" }

// translate puts the texts below a value that can be set into a language.
func translate(language say.Language, value reflect.Value) {
	t := value.Type()
	if !hasTexts(t) {
		return
	}
	if text, ok := reflect.TypeAssert[say.Text](value); ok {
		value.Set(reflect.ValueOf(say.Raw(text.In(language))))
		return
	}
	switch value.Kind() {
	case reflect.Slice:
		if value.IsNil() {
			return
		}
		list := reflect.MakeSlice(t, value.Len(), value.Len())
		reflect.Copy(list, value)
		for i := range list.Len() {
			translate(language, list.Index(i))
		}
		value.Set(list)
	case reflect.Array:
		for i := range value.Len() {
			translate(language, value.Index(i))
		}
	case reflect.Map:
		if value.IsNil() {
			return
		}
		translated := reflect.MakeMapWithSize(t, value.Len())
		for key, held := range value.Seq2() {
			element := reflect.New(t.Elem()).Elem()
			element.Set(held)
			translate(language, element)
			translated.SetMapIndex(key, element)
		}
		value.Set(translated)
	case reflect.Pointer, reflect.Interface:
		if value.IsNil() {
			return
		}
		held := reflect.New(value.Elem().Type())
		held.Elem().Set(value.Elem())
		translate(language, held.Elem())
		if value.Kind() == reflect.Interface {
			held = held.Elem()
		}
		value.Set(held)
	case reflect.Struct:
		for i := range value.NumField() {
			if field := t.Field(i); field.IsExported() && !hidden(field) {
				translate(language, value.Field(i))
			}
		}
	}
}
