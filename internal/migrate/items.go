package migrate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// item is one JSON object of a document: a row of one of the old system's tables.
type item struct {
	file   string
	line   int
	values map[string]any // string, json.Number, bool, nil, []any, map[string]any
	read   map[string]bool
}

func (it *item) where() string { return fmt.Sprintf("%s:%d", it.file, it.line) }

// errorf is an error at the place of the item.
func (it *item) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %s", it.where(), fmt.Sprintf(format, args...))
}

// has reports whether the item has an attribute with anything in it.
func (it *item) has(name string) bool {
	value, is := it.values[name]
	return is && value != nil && value != ""
}

// text gives an attribute as text, blanks around it taken off; empty where it
// is absent or null. DynamoDB tables hold numbers and booleans as text and as such.
func (it *item) text(name string) (string, error) {
	it.read[name] = true
	switch value := it.values[name].(type) {
	case nil:
		return "", nil
	case string:
		return strings.TrimSpace(value), nil
	case json.Number:
		return value.String(), nil
	case bool:
		return fmt.Sprint(value), nil
	}
	return "", it.errorf("%s is a list or a mapping; expected a text", name)
}

// needed is text that must be there.
func (it *item) needed(name string) (string, error) {
	text, err := it.text(name)
	if err == nil && text == "" {
		err = it.errorf("%s is missing; the item can not be used without it", name)
	}
	return text, err
}

// part gives an attribute that is a mapping, as an item of its own; nil where it is absent.
func (it *item) part(name string) (*item, error) {
	it.read[name] = true
	switch value := it.values[name].(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return &item{file: it.file, line: it.line, values: value, read: map[string]bool{}}, nil
	}
	return nil, it.errorf("%s is not a mapping", name)
}

// list gives an attribute that is a list of texts.
func (it *item) list(name string) ([]string, error) {
	it.read[name] = true
	values, is := it.values[name].([]any)
	if !is && it.values[name] != nil {
		return nil, it.errorf("%s is not a list", name)
	}
	var texts []string
	for _, value := range values {
		text, is := value.(string)
		if !is {
			return nil, it.errorf("%s has something other than text in it", name)
		}
		texts = append(texts, strings.TrimSpace(text))
	}
	return texts, nil
}

// unread are the attributes that nobody asked for, in order.
func (it *item) unread() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(it.values)) {
		if !it.read[name] {
			names = append(names, name)
		}
	}
	return names
}

// readItems reads the objects of a document: one, several behind each other, a
// list, or what `aws dynamodb scan` prints, also with DynamoDB's types around
// the values. Commas that people leave out or put between objects are mended and noted.
func readItems(file File) ([]item, []Note, error) {
	if !utf8.Valid(file.Text) {
		return nil, nil, fmt.Errorf("%s: it is not UTF-8; save it as UTF-8 and try again", file.Name)
	}
	s := &scanner{file: file.Name, text: strings.TrimPrefix(string(file.Text), "\ufeff"), line: 1}
	var items []item
	for {
		for s.next() == ',' {
			s.mend("a comma is passed over", "it stands between two items, where JSON has none")
			s.pos++
		}
		if s.next() == 0 {
			return items, s.notes, nil
		}
		line := s.line
		value, err := s.value(0)
		if err != nil {
			return nil, nil, err
		}
		found, err := s.unwrap(value, line)
		if err != nil {
			return nil, nil, err
		}
		items = append(items, found...)
	}
}

// located is a mapping of a list with its line.
type located struct {
	line   int
	values map[string]any
}

// unwrap gives the items of a value at the outermost level.
func (s *scanner) unwrap(value any, line int) ([]item, error) {
	switch value := value.(type) {
	case located:
		if list, is := value.values["Items"].([]any); is {
			return s.unwrap(list, line)
		}
		return []item{{file: s.file, line: value.line, values: plainMap(value.values), read: map[string]bool{}}}, nil
	case []any:
		var items []item
		for _, one := range value {
			found, err := s.unwrap(one, line)
			if err != nil {
				return nil, err
			}
			items = append(items, found...)
		}
		return items, nil
	}
	return nil, fmt.Errorf("%s:%d: expected an item in braces, { … }", s.file, line)
}

// plainMap takes DynamoDB's types from the values of a mapping.
func plainMap(values map[string]any) map[string]any {
	plain := make(map[string]any, len(values))
	for name, value := range values {
		plain[name] = plainValue(value)
	}
	return plain
}

// plainValue takes DynamoDB's type from a value: {"S": "x"} is "x".
func plainValue(value any) any {
	switch value := value.(type) {
	case located:
		if len(value.values) == 1 {
			for kind, inner := range value.values {
				switch kind {
				case "S", "BOOL":
					return inner
				case "N":
					if text, is := inner.(string); is {
						return json.Number(text)
					}
				case "NULL":
					return nil
				case "L", "SS", "NS":
					if list, is := inner.([]any); is {
						return plainValue(list)
					}
				case "M":
					if mapping, is := inner.(located); is {
						return plainMap(mapping.values)
					}
				}
			}
		}
		return plainMap(value.values)
	case []any:
		plain := make([]any, len(value))
		for i := range value {
			plain[i] = plainValue(value[i])
		}
		return plain
	}
	return value
}

// maxDepth bounds how deep values lie in each other; the old systems' lie four deep with DynamoDB's types.
const maxDepth = 32

// scanner reads JSON that people wrote: see readItems.
type scanner struct {
	file  string
	text  string
	pos   int
	line  int
	notes []Note
}

func (s *scanner) mend(what, why string) {
	s.notes = append(s.notes, Note{Where: fmt.Sprintf("%s:%d", s.file, s.line), What: what, Why: why})
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", s.file, s.line, fmt.Sprintf(format, args...))
}

// next passes over blanks and gives the byte that stands there; 0 at the end.
func (s *scanner) next() byte {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case '\n':
			s.line++
			s.pos++
		case ' ', '\t', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// value reads one value.
func (s *scanner) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, s.errorf("values lie more than %d deep in each other", maxDepth)
	}
	switch c := s.next(); c {
	case 0:
		return nil, s.errorf("it ends where a value is expected")
	case '{':
		return s.mapping(depth)
	case '[':
		return s.array(depth)
	case '"':
		return s.str()
	default:
		return s.literal()
	}
}

func (s *scanner) mapping(depth int) (any, error) {
	m := located{line: s.line, values: map[string]any{}}
	s.pos++
	for {
		end, err := s.separated('}', len(m.values) > 0)
		if err != nil || end {
			return m, err
		}
		if s.next() != '"' {
			return nil, s.errorf("expected the name of an attribute in double quotes")
		}
		name, err := s.str()
		if err != nil {
			return nil, err
		}
		if _, twice := m.values[name]; twice {
			return nil, s.errorf("%q is there twice in one item; remove one of the two", name)
		}
		if s.next() != ':' {
			return nil, s.errorf("expected a colon behind %q", name)
		}
		s.pos++
		if m.values[name], err = s.value(depth + 1); err != nil {
			return nil, err
		}
	}
}

func (s *scanner) array(depth int) (any, error) {
	list := []any{}
	s.pos++
	for {
		end, err := s.separated(']', len(list) > 0)
		if err != nil || end {
			return list, err
		}
		value, err := s.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
}

// separated passes over the comma between two values, and reports whether the
// end is there instead.
func (s *scanner) separated(end byte, behind bool) (bool, error) {
	c := s.next()
	line := s.line
	if behind && c == ',' {
		s.pos++
		if c = s.next(); c == end {
			s.mend("a comma is passed over", "nothing follows it")
		}
	} else if behind && c != end && c != 0 {
		if c != '"' && c != '{' && c != '[' {
			return false, s.errorf("expected a comma or %q, found %q", end, c)
		}
		s.notes = append(s.notes, Note{Where: fmt.Sprintf("%s:%d", s.file, line), What: "a comma is put in", Why: "two values stand behind each other without one"})
	}
	switch c {
	case 0:
		return false, s.errorf("it ends before %q", end)
	case end:
		s.pos++
		return true, nil
	}
	return false, nil
}

// str reads a text in double quotes.
func (s *scanner) str() (string, error) {
	for i := s.pos + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			i++
		case '\n':
			return "", s.errorf("a text does not end on its line; expected a double quote")
		case '"':
			var text string
			if err := json.Unmarshal([]byte(s.text[s.pos:i+1]), &text); err != nil {
				return "", s.errorf("%s is no text of JSON: %v", s.text[s.pos:i+1], err)
			}
			s.pos = i + 1
			return text, nil
		}
	}
	return "", s.errorf("a text does not end; expected a double quote")
}

// literal reads a number, true, false or null.
func (s *scanner) literal() (any, error) {
	end := s.pos
	for end < len(s.text) && !strings.ContainsRune(" \t\r\n,:{}[]\"", rune(s.text[end])) {
		end++
	}
	word := s.text[s.pos:end]
	switch word {
	case "true", "false":
		s.pos = end
		return word == "true", nil
	case "null":
		s.pos = end
		return nil, nil
	}
	var number json.Number
	if word == "" || json.Unmarshal([]byte(word), &number) != nil {
		return nil, s.errorf("%.40q is no value of JSON", s.text[s.pos:max(end, min(s.pos+1, len(s.text)))])
	}
	s.pos = end
	return number, nil
}
