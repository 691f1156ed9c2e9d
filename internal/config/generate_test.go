package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	yamlast "github.com/goccy/go-yaml/ast"

	"dayshift/internal/fleet"
	"dayshift/internal/golden"
	"dayshift/internal/say"
)

// docs is where the generated pages lie.
const docs = "../../docs"

// TestGenerated holds docs/ to what the code says. With -update it writes the pages anew.
func TestGenerated(t *testing.T) {
	comments := readComments(t)
	for name, text := range map[string]string{
		"configuration.md":     reference(comments),
		"dayshift.schema.json": schemaText(t, comments),
		"wrong-files.md":       gallery(t),
	} {
		path := filepath.Join(docs, name)
		golden.Check(t, path, text, "go generate ./internal/config")
	}
	golden.Check(t, "fields_gen.go", fieldsText(t, comments), "go generate ./internal/config")
}

// fieldsText is the Go file with the comments of the fields of objects.
func fieldsText(t *testing.T, comments commentsOf) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("// Code generated from the comments of config.go by go generate ./internal/config. DO NOT EDIT.\n\npackage config\n\n" +
		"// fieldDocs are the lines of the reference, by structure and key.\nvar fieldDocs = map[string]string{\n")
	for _, k := range kinds {
		for field := range k.t.Fields() {
			fmt.Fprintf(&b, "%q: %q,\n", k.t.Name()+"."+field.Tag.Get("yaml"), comments[k.t.Name()+"."+field.Name])
		}
	}
	b.WriteString("}\n")
	text, err := format.Source([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// commentsOf are the comments of config.go: of structs by name, of fields by Struct.Field.
type commentsOf map[string]string

func readComments(t *testing.T) commentsOf {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := commentsOf{}
	for _, decl := range file.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok || general.Tok != token.TYPE {
			continue
		}
		for _, spec := range general.Specs {
			spec := spec.(*ast.TypeSpec)
			first, _, _ := strings.Cut(general.Doc.Text(), "\n\n")
			comments[spec.Name.Name] = sentence(spec.Name.Name, oneLine(first))
			for _, field := range spec.Type.(*ast.StructType).Fields.List {
				comments[spec.Name.Name+"."+field.Names[0].Name] = oneLine(field.Doc.Text())
			}
		}
	}
	return comments
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// sentence turns "Account is one AWS account" into "One AWS account".
func sentence(name, text string) string {
	for _, verb := range []string{" is ", " "} {
		if rest, ok := strings.CutPrefix(text, name+verb); ok {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return text
}

// TestEveryFieldIsDocumented finds fields that the reference could not explain.
func TestEveryFieldIsDocumented(t *testing.T) {
	comments := readComments(t)
	for _, section := range sections {
		for field := range section.t.Fields() {
			if comments[section.t.Name()+"."+field.Name] == "" {
				t.Errorf("%s.%s has no comment", section.t.Name(), field.Name)
			}
			if name := field.Tag.Get("yaml"); name != strings.ToLower(name) || name == "" {
				t.Errorf("%s.%s has the key %q", section.t.Name(), field.Name, name)
			}
		}
	}
}

// sections are the structs of the file in the order of the reference.
var sections = []struct {
	t     reflect.Type
	title string
}{
	{reflect.TypeFor[Config](), "The file"},
	{reflect.TypeFor[Account](), "accounts"},
	{reflect.TypeFor[Organization](), "organizations"},
	{reflect.TypeFor[Period](), "periods"},
	{reflect.TypeFor[Schedule](), "schedules"},
	{reflect.TypeFor[Holidays](), "holidays"},
	{reflect.TypeFor[DayOff](), "days"},
	{reflect.TypeFor[MakeUp](), "make_up"},
	{reflect.TypeFor[Exception](), "exceptions"},
	{reflect.TypeFor[Workload](), "workloads"},
	{reflect.TypeFor[Tier](), "tiers"},
	{reflect.TypeFor[Half](), "start and stop"},
	{reflect.TypeFor[ReadyGate](), "ready"},
	{reflect.TypeFor[StopVeto](), "vetoes"},
	{reflect.TypeFor[TierHook](), "before and after"},
	{reflect.TypeFor[Rule](), "rules"},
	{reflect.TypeFor[Reservation](), "reservations"},
	{reflect.TypeFor[Alternative](), "alternatives"},
	{reflect.TypeFor[Capacity](), "capacity"},
	{reflect.TypeFor[CapacityTable](), "table"},
	{reflect.TypeFor[Channel](), "channels"},
	{reflect.TypeFor[Quiet](), "quiet"},
	{reflect.TypeFor[Chat](), "chats"},
	{reflect.TypeFor[Person](), "people"},
	{reflect.TypeFor[Heartbeat](), "heartbeat"},
	{reflect.TypeFor[Overrides](), "overrides"},
	{reflect.TypeFor[Limits](), "limits"},
	{reflect.TypeFor[Events](), "events"},
	{reflect.TypeFor[Tags](), "tags"},
	{reflect.TypeFor[AWS](), "aws"},
	{reflect.TypeFor[Log](), "log"},
	{reflect.TypeFor[TLS](), "tls"},
	{reflect.TypeFor[Auth](), "auth"},
	{reflect.TypeFor[OIDC](), "oidc"},
	{reflect.TypeFor[OIDCGroup](), "groups"},
}

const referenceIntro = `# Configuration

<!-- Generated from internal/config by go generate ./internal/config. Do not edit. -->

One YAML file says everything. It is the first of these that is given:

1. the flag ` + "`--config PATH`" + `,
2. the environment variable ` + "`DAYSHIFT_CONFIG`" + `,
3. ` + "`dayshift.yaml`" + ` in the working directory.

A file is taken whole or refused whole. A refusal names every fault in it with line, column, what was written, what is
allowed and what to do ([examples](wrong-files.md)); a running daemon keeps the configuration it has.
` + "`dayshift validate`" + ` checks a file without using it. [dayshift.schema.json](dayshift.schema.json) is its JSON Schema
(draft 2020-12): with the line ` + "`# yaml-language-server: $schema=PATH`" + ` at the top of the file many editors
complete and check while you type. Whole files to begin with are in [examples](../examples).

* **Durations** are a whole number and a unit: ` + "`90s`, `10m`, `2h`, `7d`" + `.
* **Booleans** are ` + "`true` and `false`" + ` without quotes; ` + "`yes`, `on` and `\"true\"`" + ` are refused.
* **Secrets** (external_id, client_secret, and those of channels) can be taken from the environment with ` + "`${NAME}`" + ` or from a file with ` + "`file:PATH`" + `, relative to
  the folder of the configuration. They are never logged or shown. Nothing else in the file is replaced.
* **Anchors, aliases and ` + "`<<`" + `** of YAML work. Tags (` + "`!`" + `), directives (` + "`%`" + `) and several documents in one file are refused.
* A key that is given twice, an unknown key and a key without a value are faults.
* **Objects**: periods, schedules, holiday calendars, exceptions and rules can also be kept in the store, where the command
  line makes and changes them. They may name what the file has; the file names only what is in it. Where both have a name
  the file's counts. An object with a fault is set aside, with what needs it, and holds nothing else back.
* Files up to 16 MB are read, with up to 20,000 entries one below the other.
`

func reference(comments commentsOf) string {
	var b strings.Builder
	b.WriteString(referenceIntro)
	for _, section := range sections {
		name := section.t.Name()
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| key | takes | default | meaning |\n| --- | --- | --- | --- |\n", section.title, comments[name])
		for field := range section.t.Fields() {
			meaning := comments[name+"."+field.Name]
			if example := field.Tag.Get("example"); example != "" {
				meaning += " Example: `" + example + "`."
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", field.Tag.Get("yaml"), takes(field), defaultOf(field), strings.ReplaceAll(meaning, "|", "\\|"))
		}
		if names := sortedKeys(later[name]); len(names) > 0 {
			b.WriteString("\nRefused with an explanation, so that nobody relies on them:\n\n")
			for _, key := range names {
				fmt.Fprintf(&b, "* `%s`: %s.\n", key, later[name][key])
			}
		}
	}
	return b.String()
}

// takes says in words what a field takes.
func takes(field reflect.StructField) string {
	tag := field.Tag
	if enum := tag.Get("enum"); enum != "" {
		return "`" + strings.ReplaceAll(enum, ",", "`, `") + "`"
	}
	bounds := ""
	if tag.Get("max") != "" {
		bounds = ", " + tag.Get("min") + " to " + tag.Get("max")
	}
	switch field.Type {
	case durationType:
		return "duration" + bounds
	case secretType:
		return "secret"
	case daysType:
		return "text with commas, or a list"
	case refsType, namesType:
		return "list, or text with commas"
	}
	switch field.Type.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "whole number" + bounds
	case reflect.Float64:
		return "number" + bounds
	case reflect.Slice:
		if field.Type.Elem().Kind() == reflect.Struct {
			return "list of " + sectionOf(field)
		}
		return "list of texts"
	case reflect.Map:
		if field.Type.Elem().Kind() == reflect.String {
			return "keys, each with a text"
		}
		if field.Type.Elem() == secretType {
			return "names, each with a secret"
		}
		return "names, each with " + sectionOf(field)
	case reflect.Struct:
		if field.Tag.Get("section") != "" {
			return sectionOf(field)
		}
		return "[section](#" + field.Tag.Get("yaml") + ")"
	}
	return "text"
}

// sectionOf links to the section of what a field has in it.
func sectionOf(field reflect.StructField) string {
	title := cmp.Or(field.Tag.Get("section"), field.Tag.Get("yaml"))
	return "[" + title + "](#" + strings.ReplaceAll(title, " ", "-") + ")"
}

func defaultOf(field reflect.StructField) string {
	switch {
	case field.Tag.Get("required") != "":
		return "**required**"
	case field.Tag.Get("default") != "":
		return "`" + field.Tag.Get("default") + "`"
	}
	return "–"
}

const galleryIntro = `# Wrong files

<!-- Generated from internal/config/testdata/wrong by go generate ./internal/config. Do not edit. -->

Each file below is refused, with exactly this message. ` + "`dayshift validate -o json`" + ` gives the same faults as data.
`

func gallery(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("testdata/wrong/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(galleryIntro)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, refusal := Parse("dayshift.yaml", data, Env{ReadFile: os.ReadFile, ReadCalendar: os.ReadFile})
		if refusal == nil {
			t.Fatalf("%s is taken", file)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		fmt.Fprintf(&b, "\n## %s\n", strings.ReplaceAll(name, "-", " "))
		switch text := string(data); {
		case len(data) == 0:
			b.WriteString("\nA file without a byte in it.\n")
		case strings.ContainsFunc(text, func(r rune) bool { return r == 0xfffd || r < ' ' && r != '\n' && r != '\t' }):
			fmt.Fprintf(&b, "\n%d bytes that are not a text: `%s`\n", len(data), strings.Trim(strconv.QuoteToASCII(text), `"`))
		default:
			fmt.Fprintf(&b, "\n```yaml\n%s```\n", text)
		}
		fmt.Fprintf(&b, "\n```text\n%s\n```\n", refusal)
	}
	return b.String()
}

// object is a JSON object whose keys stay in order.
type object []member

type member struct {
	key   string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := plainJSON(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

func schemaText(t *testing.T, comments commentsOf) string {
	t.Helper()
	root := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "Dayshift configuration"},
	}
	root = append(root, structSchema(reflect.TypeFor[Config](), comments)...)
	defs := object{}
	for _, section := range sections[1:] {
		defs = append(defs, member{section.t.Name(), structSchema(section.t, comments)})
	}
	root = append(root, member{"$defs", defs})
	data, err := plainJSON(root)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

func structSchema(s reflect.Type, comments commentsOf) object {
	schema := object{{"description", comments[s.Name()]}, {"type", []string{"object", "null"}}}
	var required []string
	properties := object{}
	for field := range s.Fields() {
		property := append(object{{"description", comments[s.Name()+"."+field.Name]}}, fieldSchema(field)...)
		properties = append(properties, member{field.Tag.Get("yaml"), property})
		if field.Tag.Get("required") != "" && field.Tag.Get("unless") == "" {
			required = append(required, field.Tag.Get("yaml"))
		}
	}
	schema = append(schema, member{"properties", properties}, member{"additionalProperties", false})
	if required != nil {
		schema = append(schema, member{"required", required})
	}
	oneOf := func(keys ...string) []object {
		var list []object
		for _, key := range keys {
			list = append(list, object{{"required", []string{key}}})
		}
		return list
	}
	switch s {
	case reflect.TypeFor[Schedule]():
		schema[1].value = "object"
		schema = append(schema, member{"anyOf", oneOf("periods", "override_status")})
	case reflect.TypeFor[Period]():
		schema[1].value = "object"
		schema = append(schema, member{"anyOf", oneOf("begintime", "endtime", "weekdays", "monthdays", "months")})
	case reflect.TypeFor[Holidays]():
		schema[1].value = "object"
		schema = append(schema, member{"anyOf", oneOf("days", "make_up", "file", "url", "builtin")})
	case reflect.TypeFor[Exception]():
		schema[1].value = "object"
		schema = append(schema, member{"anyOf", []object{{{"required", []string{"date"}}}, {{"required", []string{"from", "to"}}}}})
	case reflect.TypeFor[Account](), reflect.TypeFor[Organization](), reflect.TypeFor[Events](), reflect.TypeFor[Channel](), reflect.TypeFor[Chat](), reflect.TypeFor[Person](), reflect.TypeFor[Heartbeat](), reflect.TypeFor[TLS](), reflect.TypeFor[OIDC](), reflect.TypeFor[OIDCGroup](), reflect.TypeFor[DayOff](), reflect.TypeFor[MakeUp](), reflect.TypeFor[CapacityTable](), reflect.TypeFor[Reservation](),
		reflect.TypeFor[Workload](), reflect.TypeFor[Tier](), reflect.TypeFor[ReadyGate](), reflect.TypeFor[StopVeto](), reflect.TypeFor[TierHook]():
		schema[1].value = "object"
	case reflect.TypeFor[Rule](): // a workload says itself what is in it
		schema[1].value = "object"
		action := object{{"properties", object{{"action", object{{"pattern", `^\s*workload:`}}}}}}
		schema = append(schema, member{"anyOf", []object{{{"required", []string{"filters"}}}, action}})
	case reflect.TypeFor[Alternative]():
		schema[1].value = "object"
		schema = append(schema, member{"anyOf", oneOf("zone", "instance_type")})
	}
	return schema
}

func textSchema(form string) object {
	patterns := map[string]string{
		"role": strings.ReplaceAll(patternRole, `\x21-\x7e`, `!-~`), "session": patternSession, "unit": patternUnit, "excluded": patternExcluded, "memberrole": patternMemberRole,
		"snapshotprefix": patternSnapshot, "store": patternStore, "queue": patternQueue,
		"region": patternRegion, "begintime": `^([01]?[0-9]|2[0-3]):[0-5][0-9]$`, "endtime": `^(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)$`,
		"instancetype": patternInstanceType, "availabilityzone": patternZone, "placementgroup": patternPlacementGroup, "resourcegroup": patternResourceGroup, "localtime": patternLocalTime,
		"topic": patternTopic, "bus": patternBus, "function": patternFunction, "statuses": patternStatuses, "tiername": `^[^/]+$`, "chatname": patternChat,
		"periodname": `^[^@,]+$`, "date": `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`, "clock": `^\s*(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00|[Nn][Oo][Nn][Ee])\s*$`, "listen": `:[0-9]{1,5}$`,
		"action": `^\s*(start|stop|hibernate|reboot|resize:.+|workload:.+:(start|stop))\s*$`, "url": `^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\s]+([/?][^#\s]*)?$`, "instant": `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$`,
	}
	if form == "account" {
		return object{{"anyOf", []object{{{"type", "string"}, {"pattern", patternAccount}}, {{"type", "integer"}, {"minimum", 0}, {"maximum", 999999999999}}}}}
	}
	if form == "messagekind" {
		return object{{"enum", messageKinds}}
	}
	if form == "kind" {
		return object{{"enum", fleet.Kinds}}
	}
	schema := object{{"type", "string"}, {"minLength", 1}}
	if form == "text" || form == "label" {
		schema = object{{"type", "string"}}
	}
	if pattern, ok := patterns[form]; ok {
		schema = append(schema, member{"pattern", pattern})
	}
	return schema
}

func fieldSchema(field reflect.StructField) object {
	tag := field.Tag
	text := object{{"type", "string"}}
	var schema object
	switch {
	case tag.Get("fold") != "":
		words := strings.Split(tag.Get("enum"), ",")
		for i, word := range words {
			words[i] = ""
			for _, r := range word {
				words[i] += "[" + strings.ToUpper(string(r)) + string(r) + "]"
			}
		}
		return object{{"type", "string"}, {"pattern", "^(" + strings.Join(words, "|") + ")$"}}
	case tag.Get("enum") != "":
		schema = object{{"enum", strings.Split(tag.Get("enum"), ",")}}
	case field.Type == durationType:
		schema = object{{"type", "string"}, {"pattern", "^[0-9]+[smhd]$"}}
	case field.Type == secretType:
		return object{{"type", "string"}, {"minLength", 2}}
	case field.Type == daysType:
		atom := []object{text, {{"type", "integer"}}}
		return object{{"anyOf", append(slices.Clone(atom), object{{"type", "array"}, {"items", object{{"anyOf", atom}}}})}}
	case field.Type == refsType, field.Type == namesType:
		return object{{"anyOf", []object{text, {{"type", "array"}, {"items", text}}}}}
	}
	if schema == nil {
		switch field.Type.Kind() {
		case reflect.Bool:
			if tag.Get("default") == "" { // what holds then stands elsewhere
				return object{{"type", "boolean"}}
			}
			return object{{"type", "boolean"}, {"default", tag.Get("default") == "true"}}
		case reflect.Int, reflect.Float64:
			kind := map[reflect.Kind]string{reflect.Int: "integer", reflect.Float64: "number"}[field.Type.Kind()]
			schema = object{
				{"type", kind},
				{"minimum", json.Number(tag.Get("min"))},
				{"maximum", json.Number(tag.Get("max"))},
			}
			if value := tag.Get("default"); value != "" {
				schema = append(schema, member{"default", json.Number(value)})
			}
			return schema
		case reflect.Struct:
			return object{{"$ref", "#/$defs/" + field.Type.Name()}}
		case reflect.Map:
			if field.Type.Elem().Kind() == reflect.String {
				return object{{"type", []string{"object", "null"}}, {"propertyNames", textSchema(tag.Get("form"))}, {"additionalProperties", text}}
			}
			if field.Type.Elem() == secretType {
				return object{{"type", []string{"object", "null"}}, {"propertyNames", textSchema(tag.Get("form"))}, {"additionalProperties", object{{"type", "string"}, {"minLength", 1}}}}
			}
			return object{
				{"type", []string{"object", "null"}},
				{"propertyNames", textSchema(tag.Get("form"))},
				{"additionalProperties", object{{"$ref", "#/$defs/" + field.Type.Elem().Name()}}},
			}
		case reflect.Slice:
			if field.Type.Elem().Kind() == reflect.Struct {
				return object{{"type", []string{"array", "null"}}, {"items", object{{"$ref", "#/$defs/" + field.Type.Elem().Name()}}}}
			}
			schema = object{{"type", []string{"array", "null"}}, {"items", textSchema(tag.Get("form"))}}
			if tag.Get("required") != "" {
				schema = object{{"type", "array"}, {"minItems", 1}, {"uniqueItems", true}, {"items", textSchema(tag.Get("form"))}}
			}
			return schema
		default:
			schema = textSchema(tag.Get("form"))
		}
	}
	if value := tag.Get("default"); value != "" {
		schema = append(schema, member{"default", value})
	}
	return schema
}

// TestSchema holds the examples to the published schema, and shows that the
// schema refuses what an editor should mark.
func TestSchema(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(docs, "dayshift.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if problem := checkSchema(root, root, plainValue(t, data), "$"); problem != "" {
			t.Errorf("%s: %s", file, problem)
		}
	}
	if problem := checkSchema(root, root, plainValue(t, []byte(small)), "$"); problem != "" {
		t.Errorf("a right file is refused: %s", problem)
	}
	for _, text := range []string{
		"shedules: {}", "periods: {office: {}}", "periods: {office: {begintime: 9}}", "schedules: {s: {}}",
		"schedules: {s: {periods: [a], enabled: yes}}", "schedules: {s: {periods: [a], mode: never}}", "schedules: {s: {override_status: on}}",
		"resync_interval: 5", "resync_interval: 5 minutes", "accounts: [{id: '1', regions: [us-east-1]}]", "accounts: [{id: '111122223333'}]",
		"accounts: [{id: '111122223333', regions: []}]", "accounts: [{id: '111122223333', regions: [Seoul]}]", "limits: {max_stops: -1}",
		"store: postgres://x", "listen: localhost", "workloads: {w: {}}", "workloads: {w: {tiers: {db: {}}}}", "workloads: {w: {tiers: {db: {filters: name=x, ready: [{type: ping}]}}}}",
		"workloads: {w: {tiers: {db: {filters: name=x, start: {sequence: -1}}}}}", "workloads: {w: {topic: x, tiers: {db: {filters: name=x}}}}",
		"workloads: {w: {tiers: {a/b: {filters: name=x}}}}", "rules: {n: {expression: rate(1 day), action: 'workload:w'}}", "log: {level: loud}", "periods: {a@b: {weekdays: mon}}", "aws: {api_share: 2}",
		"holidays: {kr: {}}", "holidays: {kr: {builtin: jp}}", "holidays: {kr: {days: [{name: x}]}}", "holidays: {kr: {days: [{date: 5 May}]}}",
		"exceptions: [{schedule: s, date: 2027-02-05, type: stop}]", "exceptions: [{schedule: s, type: stop, value: none}]",
		"exceptions: [{schedule: s, date: 2027-02-05, type: pause, value: none}]", "exceptions: [{schedule: s, date: 2027-02-05, type: stop, value: later}]",
		"rules: {n: {action: stop, filters: name=x}}", "rules: {n: {expression: rate(1 day), action: delete, filters: name=x}}", "rules: {n: null}",
		"rules: {n: {expression: rate(1 day), action: stop, filters: ''}}", "rules: {n: {expression: rate(1 day), action: stop, filters: name=x, created: 2027-02-05}}",
		"holidays: {kr: {url: kr.ics}}", "holidays: {kr: {url: 'ftp://x/kr.ics'}}", "overrides: {max_per_week: -1}", "limits: {surge: 1001}",
		"accounts: [{id: '111122223333', role: dayshift, regions: [us-east-1]}]",
		"kinds: [ec2]",
		"channels: {a: {}}", "channels: {a: null}", "channels: {a: {type: pigeon}}", "channels: {a: {type: sns, topic: dayshift}}", "channels: {a: {type: webhook, url: x, kinds: [all]}}",
		"organizations: [{}]", "organizations: [{regions: [us-east-1], units: [Prod]}]", "organizations: [{regions: [us-east-1], exclude: ['4444']}]",
		"organizations: [{regions: [us-east-1], member_role: 'a b'}]", "organizations: [{regions: [us-east-1], refresh: 1}]", "organizations: [null]",
		"events: {}", "events: null", "events: {queue: events}", "events: {queue: 'http://127.0.0.1:4566/111122223333/events'}", "events: {queue: 'arn:aws:sns:us-east-1:111122223333:x'}",
	} {
		if checkSchema(root, root, plainValue(t, []byte(text)), "$") == "" {
			t.Errorf("the schema takes %s", text)
		}
		if _, err := Parse("f", []byte(text), Env{}); err == nil {
			t.Errorf("the schema refuses what is taken: %s", text)
		}
	}
}

// plainValue reads YAML into the values of JSON, aliases and merges resolved, by the decoder's own reading.
func plainValue(t *testing.T, data []byte) any {
	t.Helper()
	src, node, faults := read("f", data)
	if faults != nil {
		t.Fatal(faults)
	}
	return plain(t, newDecoder(src, node), node)
}

func plain(t *testing.T, d *decoder, node yamlast.Node) any {
	t.Helper()
	if isNull(node) {
		return nil
	}
	node = d.resolve("", node)
	switch n := node.(type) {
	case *yamlast.SequenceNode:
		list := []any{}
		for _, value := range n.Values {
			list = append(list, plain(t, d, value))
		}
		return list
	case *yamlast.BoolNode:
		return n.Value
	case *yamlast.IntegerNode, *yamlast.FloatNode:
		number, err := strconv.ParseFloat(node.GetToken().Value, 64)
		if err != nil {
			t.Fatal(err)
		}
		return number
	}
	if text, _, ok := scalar(node); ok {
		return text
	}
	pairs, _ := d.mapping("", node, say.Text{})
	fields := map[string]any{}
	for _, pair := range pairs {
		fields[pair.key] = plain(t, d, pair.value)
	}
	return fields
}

// checkSchema says where a value breaks the schema, or "". It knows the words that the generator writes and refuses others.
func checkSchema(root, schema map[string]any, value any, at string) string {
	for word, rule := range schema {
		switch word {
		case "$schema", "title", "description", "default", "$defs":
		case "$ref":
			name := strings.TrimPrefix(rule.(string), "#/$defs/")
			if problem := checkSchema(root, root["$defs"].(map[string]any)[name].(map[string]any), value, at); problem != "" {
				return problem
			}
		case "type":
			types, isList := rule.([]any)
			if !isList {
				types = []any{rule}
			}
			if !slices.ContainsFunc(types, func(name any) bool { return isType(value, name.(string)) }) {
				return fmt.Sprintf("%s: %v is not of type %v", at, value, rule)
			}
		case "enum":
			if !slices.Contains(rule.([]any), value) {
				return fmt.Sprintf("%s: %v is none of %v", at, value, rule)
			}
		case "pattern":
			if text, ok := value.(string); ok && !regexp.MustCompile(rule.(string)).MatchString(text) {
				return fmt.Sprintf("%s: %q does not match %s", at, text, rule)
			}
		case "minLength":
			if text, ok := value.(string); ok && len(text) < int(rule.(float64)) {
				return at + ": too short"
			}
		case "minimum", "maximum":
			if n, ok := value.(float64); ok && (word == "minimum" && n < rule.(float64) || word == "maximum" && n > rule.(float64)) {
				return fmt.Sprintf("%s: %v is beyond the %s", at, n, word)
			}
		case "minItems":
			if list, ok := value.([]any); ok && len(list) < int(rule.(float64)) {
				return at + ": too few entries"
			}
		case "uniqueItems":
			if list, ok := value.([]any); ok {
				for i, item := range list {
					if slices.Contains(list[:i], item) {
						return fmt.Sprintf("%s: %v twice", at, item)
					}
				}
			}
		case "items":
			list, _ := value.([]any)
			for i, item := range list {
				if problem := checkSchema(root, rule.(map[string]any), item, index(at, i)); problem != "" {
					return problem
				}
			}
		case "required":
			if fields, ok := value.(map[string]any); ok {
				for _, key := range rule.([]any) {
					if _, has := fields[key.(string)]; !has {
						return fmt.Sprintf("%s: no %v", at, key)
					}
				}
			}
		case "anyOf":
			if !slices.ContainsFunc(rule.([]any), func(option any) bool {
				return checkSchema(root, option.(map[string]any), value, at) == ""
			}) {
				return fmt.Sprintf("%s: %v fits none of the forms", at, value)
			}
		case "propertyNames":
			fields, _ := value.(map[string]any)
			for key := range fields {
				if problem := checkSchema(root, rule.(map[string]any), key, at+": name"); problem != "" {
					return problem
				}
			}
		case "properties", "additionalProperties":
			if problem := checkProperties(root, schema, word, value, at); problem != "" {
				return problem
			}
		default:
			return at + ": the checker does not know " + word
		}
	}
	return ""
}

func checkProperties(root, schema map[string]any, word string, value any, at string) string {
	fields, _ := value.(map[string]any)
	known, _ := schema["properties"].(map[string]any)
	for key, item := range fields {
		rule, isKnown := known[key].(map[string]any)
		if word == "additionalProperties" {
			if isKnown {
				continue
			}
			var allowed bool
			if rule, allowed = schema[word].(map[string]any); !allowed {
				return fmt.Sprintf("%s: unknown key %s", at, key)
			}
		} else if !isKnown {
			continue
		}
		if problem := checkSchema(root, rule, item, join(at, key)); problem != "" {
			return problem
		}
	}
	return ""
}

func isType(value any, name string) bool {
	switch name {
	case "null":
		return value == nil
	case "integer":
		n, ok := value.(float64)
		return ok && n == float64(int64(n))
	case "number":
		_, ok := value.(float64)
		return ok
	case "string":
		_, ok := value.(string)
		return ok
	case "boolean":
		_, ok := value.(bool)
		return ok
	case "array":
		_, ok := value.([]any)
		return ok
	case "object":
		_, ok := value.(map[string]any)
		return ok
	}
	return false
}
