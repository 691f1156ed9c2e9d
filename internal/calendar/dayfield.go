package calendar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// DayField is a day field as a user wrote it: the items of a list, or a single item where it was one text. An
// item may hold several atoms with commas between them. An empty list, an empty text and an absent field are the
// same: the field matches everything.
type DayField []string

// String gives the field as one text with commas.
func (f DayField) String() string { return strings.Join(f, ",") }

// absent reports whether the field was left out, or left empty.
func (f DayField) absent() bool {
	return len(f) == 0 || len(f) == 1 && trimBlank(f[0]) == ""
}

// UnmarshalJSON takes a string, a number, or a list of strings and numbers.
func (f *DayField) UnmarshalJSON(data []byte) error {
	items, err := decodeJSONItems(data)
	if err != nil {
		return err
	}
	*f = items
	return nil
}

// UnmarshalYAML takes a string, a number, or a list of strings and numbers.
func (f *DayField) UnmarshalYAML(unmarshal func(any) error) error {
	items, err := decodeYAMLItems(unmarshal)
	if err != nil {
		return err
	}
	*f = items
	return nil
}

// PeriodRefs are the periods of a schedule as a user wrote them: "office", "weekend@t3.small"; a list, or one
// string with commas.
type PeriodRefs []string

// UnmarshalJSON takes a list of strings, or one string with commas.
func (r *PeriodRefs) UnmarshalJSON(data []byte) error {
	items, err := decodeJSONItems(data)
	if err != nil {
		return err
	}
	*r = splitRefs(items)
	return nil
}

// UnmarshalYAML takes a list of strings, or one string with commas.
func (r *PeriodRefs) UnmarshalYAML(unmarshal func(any) error) error {
	items, err := decodeYAMLItems(unmarshal)
	if err != nil {
		return err
	}
	*r = splitRefs(items)
	return nil
}

func splitRefs(items []string) PeriodRefs {
	if len(items) == 1 && trimBlank(items[0]) == "" {
		return nil
	}
	var refs PeriodRefs
	for _, item := range items {
		for ref := range strings.SplitSeq(item, ",") {
			refs = append(refs, trimBlank(ref))
		}
	}
	return refs
}

var errNotItems = &Error{
	Problem: "is neither a text, a number nor a list of these",
	Allowed: `one text with commas ("mon-fri,sun"), a number, or a list (["mon-fri", "sun"])`,
}

func notItems(text string) error {
	e := *errNotItems
	e.Text = text
	return &e
}

func decodeJSONItems(data []byte) ([]string, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber() // keeps "07" out and 1.0 as written, so that the day expressions decide
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("read a list of texts: %w", err)
	}
	return items(v)
}

func decodeYAMLItems(unmarshal func(any) error) ([]string, error) {
	// Asked for texts, the YAML reader gives numbers as they were written: 010 stays "010" and is day 10, where
	// YAML's own reading as a number would make it 8.
	var texts []string
	if err := unmarshal(&texts); err == nil {
		var raw any
		if err := unmarshal(&raw); err != nil {
			return nil, err
		}
		if l, ok := raw.([]any); ok {
			if _, err := items(l); err != nil { // a list in a list, null or true read as text
				return nil, err
			}
			return texts, nil
		}
	}
	var raw any
	if err := unmarshal(&raw); err != nil {
		return nil, err
	}
	if _, isList := raw.([]any); !isList && raw != nil {
		if _, err := items(raw); err != nil {
			return nil, err
		}
		var text string
		if err := unmarshal(&text); err == nil {
			return []string{text}, nil
		}
	}
	return items(raw)
}

// items turns a decoded value into texts.
func items(v any) ([]string, error) {
	l, ok := v.([]any)
	if !ok {
		if v == nil {
			return nil, nil
		}
		l = []any{v}
	}
	out := make([]string, 0, len(l))
	for _, item := range l {
		switch x := item.(type) {
		case string:
			out = append(out, x)
		case json.Number:
			out = append(out, x.String())
		case int:
			out = append(out, strconv.Itoa(x))
		case int64:
			out = append(out, strconv.FormatInt(x, 10))
		case uint64:
			out = append(out, strconv.FormatUint(x, 10))
		case float64:
			s := strconv.FormatFloat(x, 'f', -1, 64)
			if x == math.Trunc(x) {
				s += ".0" // a fraction was written; whole or not, it is no day
			}
			out = append(out, s)
		default:
			return nil, notItems(fmt.Sprint(item))
		}
	}
	return out, nil
}
