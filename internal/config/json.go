package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// nowhere is the place of what has no line: the spec of an object.
var nowhere = &token.Position{}

// jsonNode reads JSON into the nodes that the decoder reads, so that an object
// means exactly what the same lines mean in a file.
func jsonNode(spec []byte) (ast.Node, error) {
	if !utf8.Valid(spec) {
		return nil, errors.New("its spec is not UTF-8")
	}
	reader := json.NewDecoder(bytes.NewReader(spec))
	reader.UseNumber()
	node, err := jsonValue(reader, 0)
	if err == nil {
		if _, err = reader.Token(); errors.Is(err, io.EOF) {
			return node, nil
		}
		err = errors.New("something follows its end")
	}
	return nil, fmt.Errorf("its spec is not JSON: %w", err)
}

func jsonValue(reader *json.Decoder, depth int) (ast.Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("lists and mappings are nested more than %d deep", maxDepth)
	}
	next, err := reader.Token()
	if err != nil {
		return nil, jsonEnd(err)
	}
	switch v := next.(type) {
	case json.Delim:
		if v == '[' {
			return jsonList(reader, depth)
		}
		return jsonMapping(reader, depth)
	case string:
		return ast.String(&token.Token{Type: token.DoubleQuoteType, Value: v, Position: nowhere}), nil
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return ast.Float(&token.Token{Type: token.FloatType, Value: v.String(), Position: nowhere}), nil
		}
		return ast.Integer(&token.Token{Type: token.IntegerType, Value: v.String(), Position: nowhere}), nil
	case bool:
		return ast.Bool(&token.Token{Type: token.BoolType, Value: fmt.Sprint(v), Position: nowhere}), nil
	}
	return ast.Null(&token.Token{Type: token.NullType, Value: "null", Position: nowhere}), nil
}

func jsonList(reader *json.Decoder, depth int) (ast.Node, error) {
	list := ast.Sequence(&token.Token{Type: token.SequenceStartType, Value: "[", Position: nowhere}, true)
	for reader.More() {
		value, err := jsonValue(reader, depth+1)
		if err != nil {
			return nil, err
		}
		list.Values = append(list.Values, value)
	}
	_, err := reader.Token()
	return list, jsonEnd(err)
}

func jsonMapping(reader *json.Decoder, depth int) (ast.Node, error) {
	mapping := ast.Mapping(&token.Token{Type: token.MappingStartType, Value: "{", Position: nowhere}, true)
	for reader.More() {
		name, err := jsonValue(reader, depth+1)
		if err != nil {
			return nil, err
		}
		key, ok := name.(*ast.StringNode)
		if !ok {
			return nil, errors.New("a key is not a text")
		}
		value, err := jsonValue(reader, depth+1)
		if err != nil {
			return nil, err
		}
		mapping.Values = append(mapping.Values, ast.MappingValue(key.Token, key, value))
	}
	_, err := reader.Token()
	return mapping, jsonEnd(err)
}

// jsonEnd gives a text that stops too early its words.
func jsonEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
