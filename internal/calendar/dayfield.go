package calendar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dayshift/internal/say"
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

func notItems(text string) error {
	return &Error{
		Text:    text,
		Problem: say.F("is neither a text, a number nor a list of these"),
		Allowed: say.F(`one text with commas ("mon-fri,sun"), a number, or a list (["mon-fri", "sun"])`),
	}
}

func decodeJSONItems(data []byte) ([]string, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber() // 1.0 stays as written, so that the day expressions decide
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("read a list of texts: %w", err)
	}
	return items(v)
}

func decodeYAMLItems(unmarshal func(any) error) ([]string, error) {
	var v any
	if err := unmarshal(&v); err != nil {
		return nil, err
	}
	out, err := items(v)
	if err != nil {
		return nil, err
	}
	// YAML reads 010 as 8, people as 10: numbers are taken as they were written.
	switch v := v.(type) {
	case uint64, int64, float64:
		var number written
		if err := unmarshal(&number); err != nil {
			return nil, err
		}
		out[0] = string(number)
	case []any:
		if !slices.ContainsFunc(v, isNumber) {
			break
		}
		numbers := make([]written, 0, len(v))
		if err := unmarshal(&numbers); err != nil {
			return nil, err
		}
		for i := range min(len(v), len(numbers)) {
			if isNumber(v[i]) {
				out[i] = string(numbers[i])
			}
		}
	}
	return out, nil
}

func isNumber(v any) bool {
	switch v.(type) {
	case uint64, int64, float64:
		return true
	}
	return false
}

// written is a number as it stands in a YAML file.
type written string

// UnmarshalYAML takes the text as it is.
func (w *written) UnmarshalYAML(text []byte) error {
	*w = written(trimBlank(string(text)))
	return nil
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
		switch item.(type) {
		case string, json.Number, uint64, int64, float64:
			out = append(out, fmt.Sprint(item))
		case nil:
			return nil, notItems("null")
		default:
			return nil, notItems(fmt.Sprint(item))
		}
	}
	return out, nil
}
