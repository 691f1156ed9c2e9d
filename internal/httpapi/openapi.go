package httpapi

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"dayshift/internal/service"
	"dayshift/internal/store"
)

const about = `Everything that Dayshift knows and does.

Show a key as ` + "`Authorization: Bearer dsk_…`" + ` or ` + "`X-API-Key`" + `; browsers sign in and show a cookie. Roles are viewer (read), operator (act), editor (edit) and admin (manage), each including the one before; ` + "`x-permission`" + ` says what an operation takes. Whoever is bound to a filter sees the part of the fleet that it matches: the rest is not found, and what would reach outside is refused.

Lists come in pages: ` + "`limit`" + `, and ` + "`next`" + ` as the ` + "`cursor`" + ` of the page after. Objects have a version, which is their ETag: a change says with If-Match what was seen, and is refused as stale where it is another by now. ` + "`dry_run`" + ` says what a change would do to the fleet and changes nothing.

Errors are problem documents (RFC 9457). Their type is ` + "`/problems/`" + ` and one of: invalid, not-found, stale, locked, unconfirmed, forbidden, outside, unauthenticated, rate, quota, too-large, replayed, unavailable, internal. What is left of a key's rate or quota is in the RateLimit headers; Retry-After says when to come again.`

// tags group the operations, in the order in which people meet them.
var tags = []*huma.Tag{
	{Name: "Fleet", Description: "Resources: what they are, what is wanted of them, and why."},
	{Name: "Overrides", Description: "People's decisions for a while."},
	{Name: "Schedules", Description: "Schedules, and the periods that they are put together from."},
	{Name: "Dates", Description: "Exceptions and holiday calendars."},
	{Name: "Rules", Description: "At the instants of an expression, do something with what a filter matches."},
	{Name: "Workloads", Description: "Environments that start and stop tier by tier, and their runs."},
	{Name: "Capacity", Description: "Reservations of EC2 capacity: what is wanted, held and used, and what it costs."},
	{Name: "Notifications", Description: "Where people are told, what became of messages, and what they look like."},
	{Name: "Activity", Description: "The record, the passes, and what happens now."},
	{Name: "Health", Description: "Accounts, and what works in them."},
	{Name: "Access", Description: "Who asks, keys and sessions."},
	{Name: "Configuration", Description: "Configuration as code."},
}

// nameOf names a type in the document. Two that are called alike in two packages get two names.
func nameOf(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if strings.HasSuffix(t.PkgPath(), "/config") && t.Name() == "Fault" {
		return "ConfigFault"
	}
	return name
}

// finishDocument adds what no type says: the objects of a configuration, which
// are described where their keys are, and the comments of the types.
func (s *Surface) finishDocument() {
	document := s.api.OpenAPI()
	document.Tags = tags
	schemas := document.Components.Schemas.Map()
	for _, k := range objectKinds {
		schemas[k.one] = objectSchema(k.kind)
	}
	for name, schema := range schemas {
		t := document.Components.Schemas.TypeFromRef("#/components/schemas/" + name)
		if t != nil {
			comment(schema, t)
		}
	}
	if held := schemas["Object"]; held != nil {
		for _, name := range []string{"Object", "ObjectView"} {
			schemas[name].Properties["fault"] = &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Ref: "#/components/schemas/ConfigFault"}, Description: "Why the object is set aside."}
			schemas[name].Properties["spec"] = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "What stands below its name in a file."}
		}
	}
	for _, name := range []string{"ScheduleDraft", "RuleDraft"} {
		for key, ref := range map[string]string{"schedule": "Schedule", "rule": "Rule"} {
			if property := schemas[name].Properties[key]; property != nil {
				*property = huma.Schema{Ref: "#/components/schemas/" + ref, Description: property.Description}
			}
		}
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic("httpapi: the OpenAPI document can not be written: " + err.Error())
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		panic("httpapi: the OpenAPI document can not be written: " + err.Error())
	}
	indented.WriteByte('\n')
	s.document = indented.Bytes()
}

// comment puts the comments of a type and its fields into its schema, where
// the fields do not say it themselves.
func comment(schema *huma.Schema, t reflect.Type) {
	if t.Kind() != reflect.Struct {
		return
	}
	if text := typeDocs[docName(t)]; schema.Description == "" && text != "" {
		schema.Description = text
	}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			embedded := field.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			before := schema.Description
			comment(schema, embedded)
			schema.Description = before
			continue
		}
		if property := schema.Properties[name]; property != nil && property.Description == "" {
			property.Description = typeDocs[docName(t)+"."+field.Name]
		}
	}
}

// docName is how typeDocs knows a type: package.Type.
func docName(t reflect.Type) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	return t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:] + "." + name
}

// objectSchema describes an object as the reference of the configuration does.
func objectSchema(kind store.ObjectKind) *huma.Schema {
	schema := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}, AdditionalProperties: false}
	for _, field := range service.ObjectFields(kind) {
		property := &huma.Schema{Type: huma.TypeString, Description: field.Doc}
		switch string(field.Form) {
		case "bool":
			property.Type = huma.TypeBoolean
		case "number":
			property.Type = huma.TypeNumber
		case "KEY=TEXT":
			property = &huma.Schema{Type: huma.TypeObject, Description: field.Doc, AdditionalProperties: &huma.Schema{Type: huma.TypeString}}
		case "list":
			property = &huma.Schema{Description: field.Doc, OneOf: []*huma.Schema{
				{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}}, {Type: huma.TypeString},
			}}
		case "structure list":
			if kind == store.WorkloadObject { // tiers by name; docs/configuration.md has their keys
				property = &huma.Schema{Type: huma.TypeObject, Description: field.Doc, AdditionalProperties: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}
				break
			}
			if kind == store.ReservationObject {
				property = &huma.Schema{Type: huma.TypeArray, Description: field.Doc, Items: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{
					"zone": {Type: huma.TypeString}, "instance_type": {Type: huma.TypeString},
				}}}
				break
			}
			property = &huma.Schema{Type: huma.TypeArray, Description: field.Doc, Items: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Required: []string{"date"}, Properties: map[string]*huma.Schema{
				"date": {Type: huma.TypeString, Format: "date"}, "name": {Type: huma.TypeString},
			}}}
			if field.Key == "make_up" {
				property.Items.Properties["as"] = &huma.Schema{Type: huma.TypeString, Description: "The weekday that it counts as."}
			}
		}
		if field.Default != "" {
			property.Description += " Default: " + field.Default + "."
		}
		for _, word := range field.Enum {
			property.Enum = append(property.Enum, word)
		}
		if field.Required {
			schema.Required = append(schema.Required, field.Key)
		}
		schema.Properties[field.Key] = property
	}
	return schema
}
