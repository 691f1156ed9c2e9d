package httpapi

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsPage string

//go:embed docs.css
var docsStyle []byte

// docsPolicy lets the page of the documentation have its own style, and nothing run.
const docsPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// docSection is a group of operations.
type docSection struct {
	Name, Description string
	Operations        []docOperation
}

type docOperation struct {
	ID, Method, Path, Summary, Description, Needs string
	Parameters                                    []docField
	Body                                          string // the name of its type
	BodyTypes                                     []string
	Example                                       string
	Answer                                        string
	Status                                        string
	Curl                                          string
}

type docField struct {
	Name, In, Type, Description string
	Required                    bool
}

type docType struct {
	Name, Description string
	Fields            []docField
}

// makeDocs writes the readable page of the OpenAPI document.
func (s *Surface) makeDocs() {
	document := s.api.OpenAPI()
	var sections []docSection
	for _, tag := range tags {
		section := docSection{Name: tag.Name, Description: tag.Description}
		for _, o := range s.operations {
			item := document.Paths[o.Path]
			described := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete}[o.Method]
			if slices.Contains(described.Tags, tag.Name) {
				section.Operations = append(section.Operations, docOf(o, described))
			}
		}
		sections = append(sections, section)
	}
	var types []docType
	for name, schema := range document.Components.Schemas.Map() {
		types = append(types, typeOf(name, schema))
	}
	slices.SortFunc(types, func(a, b docType) int { return strings.Compare(a.Name, b.Name) })
	var kinds []docField
	for word, kind := range problems {
		kinds = append(kinds, docField{Name: word, Type: fmt.Sprint(kind.status), Description: kind.title.String()})
	}
	slices.SortFunc(kinds, func(a, b docField) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name))
	})
	page := template.Must(template.New("docs").Parse(docsPage))
	var b bytes.Buffer
	err := page.Execute(&b, map[string]any{"Sections": sections, "Types": types, "Problems": kinds, "About": strings.Split(strings.ReplaceAll(about, "`", ""), "\n\n")})
	if err != nil {
		panic("httpapi: the page of the documentation can not be written: " + err.Error())
	}
	s.docs = b.Bytes()
}

func docOf(o Operation, described *huma.Operation) docOperation {
	d := docOperation{ID: o.ID, Method: o.Method, Path: o.Path, Summary: described.Summary, Description: described.Description, Needs: needs{permission: o.Needs, open: o.Open, signedIn: o.SignedIn}.word()}
	for _, p := range described.Parameters {
		d.Parameters = append(d.Parameters, docField{Name: p.Name, In: p.In, Type: typeText(p.Schema), Description: p.Description, Required: p.Required})
	}
	if body := described.RequestBody; body != nil {
		for kind, media := range body.Content {
			d.BodyTypes = append(d.BodyTypes, kind)
			if media.Schema != nil && media.Schema.Ref != "" {
				d.Body = last(media.Schema.Ref)
			}
			if media.Example != nil {
				d.Example = indented(media.Example)
			}
		}
		slices.Sort(d.BodyTypes)
	}
	for status, response := range described.Responses {
		if status >= "300" {
			continue
		}
		d.Status = status
		for kind, media := range response.Content {
			if d.Answer = kind; kind == "application/json" && media.Schema != nil {
				d.Answer = typeText(media.Schema)
			}
		}
	}
	d.Curl = curl(o, d)
	return d
}

func curl(o Operation, d docOperation) string {
	text := "curl"
	if o.Method != http.MethodGet {
		text += " -X " + o.Method
	}
	if !o.Open {
		text += ` -H "Authorization: Bearer $DAYSHIFT_API_KEY"`
	}
	conditional := slices.ContainsFunc(d.Parameters, func(p docField) bool { return p.Name == "If-Match" && p.In == "header" })
	if conditional && (o.Method == http.MethodPut || o.Method == http.MethodDelete) {
		text += ` -H 'If-Match: "7"'`
	}
	if d.Example != "" {
		var small bytes.Buffer
		if json.Compact(&small, []byte(d.Example)) == nil {
			text += " -H 'Content-Type: application/json' -d '" + strings.ReplaceAll(small.String(), "'", `'\''`) + "'"
		}
	} else if slices.Contains(d.BodyTypes, "application/yaml") {
		text += " -H 'Content-Type: application/yaml' --data-binary @dayshift.yaml"
	}
	return text + ` "$DAYSHIFT_SERVER` + o.Path + `"`
}

func indented(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}

func last(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

func typeText(schema *huma.Schema) string {
	switch {
	case schema == nil:
		return ""
	case schema.Ref != "":
		return last(schema.Ref)
	case schema.Type == huma.TypeArray:
		return "list of " + typeText(schema.Items)
	case len(schema.Enum) > 0:
		var words []string
		for _, word := range schema.Enum {
			words = append(words, fmt.Sprint(word))
		}
		return strings.Join(words, " | ")
	case schema.Format == "date-time":
		return "time"
	case schema.Type == "":
		return "any"
	}
	return schema.Type
}

func typeOf(name string, schema *huma.Schema) docType {
	t := docType{Name: name, Description: schema.Description}
	for key, property := range schema.Properties {
		t.Fields = append(t.Fields, docField{Name: key, Type: typeText(property), Description: property.Description, Required: slices.Contains(schema.Required, key)})
	}
	slices.SortFunc(t.Fields, func(a, b docField) int { return strings.Compare(a.Name, b.Name) })
	return t
}
