package httpapi

//go:generate go test -run TestGenerated -update .

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dayshift/internal/golden"
)

// documented are the packages whose types the API answers with.
var documented = []string{"access", "buildinfo", "cloud", "config", "decide", "fleet", "httpapi", "service", "store"}

// TestGenerated holds the OpenAPI document, and the comments in it, to what the code says.
func TestGenerated(t *testing.T) {
	const how = "go generate ./internal/httpapi (twice, where comments of types changed)"
	golden.Check(t, "shapes_gen.go", shapes(t), how)
	golden.Check(t, "../../web/openapi.json", string(New(program{}, Options{}).Document()), how)
}

// shapes are the comments of exported types and of their fields, as one line each.
func shapes(t *testing.T) string {
	t.Helper()
	docs := map[string]string{}
	for _, name := range documented {
		packages, err := parser.ParseDir(token.NewFileSet(), filepath.Join("..", name), func(info fs.FileInfo) bool { //nolint:staticcheck // one folder without build tags
			return !strings.HasSuffix(info.Name(), "_test.go") && info.Name() != "shapes_gen.go"
		}, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packages {
			for _, file := range p.Files {
				read(docs, name, file)
			}
		}
	}
	var b strings.Builder
	told := toldTypes(New(program{}, Options{}))
	maps.DeleteFunc(docs, func(key, _ string) bool {
		parts := strings.SplitN(key, ".", 3)
		return !told[parts[0]+"."+parts[1]]
	})
	b.WriteString("// Code generated from the comments of types by go generate ./internal/httpapi. DO NOT EDIT.\n\npackage httpapi\n\n" +
		"// typeDocs are the comments of types and of their fields.\nvar typeDocs = map[string]string{\n")
	for _, key := range slices.Sorted(maps.Keys(docs)) {
		fmt.Fprintf(&b, "%q: %q,\n", key, docs[key])
	}
	b.WriteString("}\n")
	text, err := format.Source([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// toldTypes are the types that the document describes, with those that are embedded in them.
func toldTypes(s *Surface) map[string]bool {
	told := map[string]bool{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return
		}
		told[docName(t)] = true
		for field := range t.Fields() {
			if field.Anonymous {
				add(field.Type)
			}
		}
	}
	registry := s.api.OpenAPI().Components.Schemas
	for name := range registry.Map() {
		if t := registry.TypeFromRef("#/components/schemas/" + name); t != nil {
			add(t)
		}
	}
	return told
}

func read(docs map[string]string, of string, file *ast.File) {
	for _, decl := range file.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok || general.Tok != token.TYPE {
			continue
		}
		for _, spec := range general.Specs {
			named := spec.(*ast.TypeSpec)
			structure, ok := named.Type.(*ast.StructType)
			if !ok || !named.Name.IsExported() {
				continue
			}
			travels := false
			for _, field := range structure.Fields.List {
				if field.Tag == nil || len(field.Names) == 0 || !strings.Contains(field.Tag.Value, "json:") {
					continue
				}
				travels = true
				text := line(field.Doc.Text())
				if text == "" {
					text = line(field.Comment.Text())
				}
				if text != "" {
					docs[of+"."+named.Name.Name+"."+field.Names[0].Name] = sentence(text)
				}
			}
			if first, _, _ := strings.Cut(general.Doc.Text(), "\n\n"); travels && first != "" {
				docs[of+"."+named.Name.Name] = sentence(strings.TrimPrefix(line(first), named.Name.Name+" is "))
			}
		}
	}
}

func line(text string) string { return strings.Join(strings.Fields(text), " ") }

// sentence begins with a capital and ends with a stop.
func sentence(text string) string {
	first := strings.ToUpper(text[:1])
	if word, _, _ := strings.Cut(text, " "); strings.ContainsAny(word, "_:/") {
		first = text[:1] // a word of the wire
	}
	text = first + text[1:]
	if !strings.ContainsAny(text[len(text)-1:], ".!?") {
		text += "."
	}
	return text
}
