package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"dayshift/internal/access"
	"dayshift/internal/say"
)

// base is where the API begins.
const base = "/api/v1"

// Surface is the HTTP surface of one program. It is safe for concurrent use.
type Surface struct {
	Options

	program    Program
	log        *slog.Logger
	api        huma.API
	mux        *http.ServeMux
	handler    http.Handler
	operations []Operation
	document   []byte
	docs       []byte
	// heartbeat and eventTimeout are the constants of their names; tests wait less.
	heartbeat, eventTimeout time.Duration
	stop                    chan struct{} // closed when the followers of events are sent home
	stopped                 sync.Once
	streams                 streams
	sights                  sights
	bodies                  map[string]*huma.RequestBody // by operation
	chats                   chats
}

// Operation is one operation as it was registered.
type Operation struct {
	ID, Method, Path string
	// Needs is the permission that it takes; empty with Open, which anybody may, and with SignedIn, which whoever is let in may.
	Needs          access.Permission
	Open, SignedIn bool
}

// needs says who may have an operation done. Its zero value is nobody.
type needs struct {
	permission     access.Permission
	open, signedIn bool
	// spent: it can be done with a session whose quota is used up, to get away from it.
	spent bool
}

var (
	anybody   = needs{open: true}
	toSignIn  = needs{open: true, spent: true}
	toSignOut = needs{signedIn: true, spent: true} // with a key or a session
	toRead    = needs{permission: access.Read}
	toAct     = needs{permission: access.Act}
	toEdit    = needs{permission: access.Edit}
	toManage  = needs{permission: access.Manage}
)

// word names the need in the OpenAPI document.
func (n needs) word() string {
	switch {
	case n.open:
		return "none"
	case n.signedIn:
		return "signed-in"
	}
	return string(n.permission)
}

// operation describes an operation beside its types.
type operation struct {
	id      string
	method  string
	path    string // below base
	tag     string
	summary string
	// doc says more than the summary, where there is more.
	doc string
	// status is that of an answer when all is well; 0: 200.
	status int
	// bodies are the content types of a body that the handler reads itself, with the schema of each; nil: JSON that the type describes.
	bodies map[string]*huma.Schema
	// example is a body to begin with.
	example any
	// maxBody bounds the body, in bytes; 0: maxBody.
	maxBody int64
	// streams: the answer goes on for as long as the client listens.
	streams bool
	// answers are the content types of an answer that is no JSON.
	answers []string
}

// Bounds of a body, in bytes: an object has at most 64 KB, a file of objects or a configuration rarely more than 1 MB.
const (
	maxBody     = 1 << 20
	maxFileBody = 2 << 20
)

// bodyTimeout is how long the body of a request may take. Tests wait less.
var bodyTimeout = 8 * time.Second

// op registers an operation. It panics where it is not said who may have it
// done, or where the description lacks something: a program with such an
// operation must not start.
func op[I, O any](s *Surface, who needs, o operation, handle func(context.Context, *I) (*O, error)) {
	if who.word() == "" {
		panic("httpapi: operation " + o.id + " does not say who may have it done")
	}
	if o.id == "" || o.method == "" || !strings.HasPrefix(o.path, "/") || o.tag == "" || o.summary == "" {
		panic(fmt.Sprintf("httpapi: operation %q lacks a method, path, tag or summary", o.id))
	}
	described := huma.Operation{
		OperationID: o.id, Method: o.method, Path: base + o.path, Tags: []string{o.tag}, Summary: o.summary, Description: o.doc,
		DefaultStatus: o.status, MaxBodyBytes: o.maxBody, BodyReadTimeout: bodyTimeout, RejectUnknownQueryParameters: true,
		Extensions:  map[string]any{"x-permission": who.word()},
		Middlewares: huma.Middlewares{s.guard(who, o)},
		Responses:   refusals(who, o),
	}
	if described.MaxBodyBytes == 0 {
		described.MaxBodyBytes = maxBody
	}
	if who.open {
		described.Security = []map[string][]string{{}}
	}
	if o.answers != nil {
		content := map[string]*huma.MediaType{}
		for _, kind := range o.answers {
			content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
		}
		described.Responses["200"] = &huma.Response{Description: "OK", Content: content}
	}
	described.SkipValidateBody = o.bodies != nil
	s.operations = append(s.operations, Operation{ID: o.id, Method: o.method, Path: base + o.path, Needs: who.permission, Open: who.open, SignedIn: who.signedIn})
	huma.Register(s.api, described, func(ctx context.Context, in *I) (*O, error) {
		unhurried(ctx)
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.fail(ctx, o.id, err)
		}
		return out, nil
	})
	s.describe(o)
}

// unhurried takes back how soon the request had to be read: it has been. As long
// as that stands, net/http takes the end of it for a client that has gone.
func unhurried(ctx context.Context) {
	if w, ok := ctx.Value(writerKey{}).(http.ResponseWriter); ok {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a recorder in a test has none
	}
}

// describe puts what huma can not know of an operation into the document.
func (s *Surface) describe(o operation) {
	item := s.api.OpenAPI().Paths[base+o.path]
	registered := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete}[o.method]
	if o.bodies != nil {
		content := map[string]*huma.MediaType{}
		for kind, schema := range o.bodies {
			content[kind] = &huma.MediaType{Schema: schema}
		}
		registered.RequestBody.Content = content
	}
	if body := registered.RequestBody; body != nil && o.example != nil {
		for _, media := range body.Content {
			media.Example = o.example
		}
	}
	if slices.ContainsFunc(registered.Parameters, func(p *huma.Param) bool { return p.Name == "dry_run" }) && registered.Responses["201"] != nil {
		registered.Responses["200"] = &huma.Response{Description: "A dry run: nothing was made.", Content: registered.Responses["201"].Content}
	}
	s.bodies[o.id] = registered.RequestBody
	for part := range strings.SplitSeq(o.path, "/") {
		name, isParam := strings.CutPrefix(part, "{")
		if name = strings.TrimSuffix(name, "}"); isParam && !slices.ContainsFunc(registered.Parameters, func(p *huma.Param) bool { return p.In == "path" && p.Name == name }) {
			panic(fmt.Sprintf("httpapi: operation %s does not take %q of its path", o.id, name))
		}
	}
}

// refusals are the problems that an operation can answer with, by status.
func refusals(who needs, o operation) map[string]*huma.Response {
	list := []int{http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout}
	if !who.open {
		list = append(list, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)
	}
	if o.method != http.MethodGet {
		list = append(list, http.StatusBadRequest, http.StatusRequestTimeout, http.StatusForbidden, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if o.method == http.MethodPut || o.method == http.MethodDelete {
		list = append(list, http.StatusPreconditionRequired)
	}
	responses := map[string]*huma.Response{}
	for _, status := range list {
		responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/Problem"}
	}
	return responses
}

// takeHuma makes huma answer as this package does. It has these as variables of
// the package; nothing else in the program uses it.
var takeHuma = sync.OnceFunc(func() {
	huma.DefaultArrayNullable = false // empty lists are [], see whole
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return humaProblem(status, message, errs...)
	}
	huma.NewErrorWithContext = func(_ huma.Context, status int, message string, errs ...error) huma.StatusError {
		return humaProblem(status, message, errs...)
	}
})

// New returns the surface of a program.
func New(program Program, options Options) *Surface {
	takeHuma()
	s := &Surface{Options: options, program: program, log: options.Log, mux: http.NewServeMux(), heartbeat: heartbeat, eventTimeout: eventTimeout, stop: make(chan struct{}), bodies: map[string]*huma.RequestBody{}, chats: newChats()}
	if s.log == nil {
		s.log = slog.Default()
	}
	config := huma.DefaultConfig("Dayshift", "1")
	config.CreateHooks, config.DocsPath, config.OpenAPIPath, config.SchemasPath = nil, "", "", ""
	config.Info.Description = about
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", nameOf)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key":     {Type: "http", Scheme: "bearer", BearerFormat: "dsk_…", Description: "An API key."},
		"header":  {Type: "apiKey", In: "header", Name: "X-API-Key", Description: "An API key, where Authorization is taken by something else."},
		"session": {Type: "apiKey", In: "cookie", Name: cookieName, Description: "What POST /api/v1/session sets."},
	}
	config.Components.Responses = map[string]*huma.Response{"Problem": {
		Description: "A problem, see its type.",
		Content:     map[string]*huma.MediaType{problemJSON: {Schema: config.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")}},
	}}
	config.Security = []map[string][]string{{"key": {}}, {"header": {}}, {"session": {}}}
	config.Formats = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON} // the second is that of problems: what is behind the +
	config.DefaultFormat = "application/json"
	config.Transformers = append(config.Transformers, speak)
	s.api = humago.New(s.mux, config)
	s.register()
	s.finishDocument()
	s.routes()
	s.handler = s.around(s.mux)
	return s
}

// ServeHTTP implements http.Handler.
func (s *Surface) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Close sends the followers of events home, so that the server can shut down. A
// second Close is no error.
func (s *Surface) Close() { s.stopped.Do(func() { close(s.stop) }) }

// Operations lists every operation of the API, in the order of registration.
func (s *Surface) Operations() []Operation { return slices.Clone(s.operations) }

// Document is the OpenAPI document.
func (s *Surface) Document() []byte { return bytes.Clone(s.document) }

// strictJSON reads no more than one JSON value of bounded depth, in UTF-8 and
// without a key twice, and writes lists that are empty as such.
var strictJSON = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(true) // whoever takes it for HTML finds no tag in it
		return encoder.Encode(whole(v))
	},
	Unmarshal: func(data []byte, v any) error {
		if _, first := v.(*any); first { // huma reads twice: once to check it, then into the type
			if err := checkJSON(data); err != nil {
				return err
			}
		}
		return json.Unmarshal(data, v)
	},
}

// maxDepth is how deep a body may be nested: a schedule with its periods needs five.
const maxDepth = 32

// checkJSON finds what encoding/json takes and two readers can take differently.
// It goes over the bytes once, because a body can have half a million elements.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return say.Err("it is not UTF-8")
	}
	if !json.Valid(data) {
		var nothing any
		return say.Err("it is not JSON: %w", json.Unmarshal(data, &nothing))
	}
	type level struct {
		keys  map[string]bool // nil: of a list
		isKey bool            // the next text is a key
	}
	var levels []level
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if len(levels) == maxDepth {
				return say.Err("it is nested more than %d deep", maxDepth)
			}
			of := level{}
			if data[i] == '{' {
				of = level{keys: map[string]bool{}, isKey: true}
			}
			levels = append(levels, of)
		case '}', ']':
			levels = levels[:len(levels)-1]
		case ',':
			levels[len(levels)-1].isKey = levels[len(levels)-1].keys != nil
		case '"':
			end := endOfText(data, i)
			if len(levels) > 0 && levels[len(levels)-1].isKey {
				var key string
				if err := json.Unmarshal(data[i:end], &key); err != nil {
					return say.Err("it is not JSON: %w", err)
				}
				top := &levels[len(levels)-1]
				if top.keys[key] {
					return say.Err("the key %.60q is there twice", key)
				}
				top.keys[key], top.isKey = true, false
			}
			i = end - 1
		}
	}
	return nil
}

// endOfText is the place behind the text of valid JSON that begins at a quotation mark.
func endOfText(data []byte, at int) int {
	for at++; data[at] != '"'; at++ {
		if data[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// whole makes nil lists and maps empty ones, so that an answer says [] and {}
// where the document says that there is a list or an object.
func whole(v any) any {
	value := reflect.ValueOf(v)
	if !value.IsValid() || !hasLists(value.Type()) {
		return v
	}
	held := reflect.New(value.Type())
	held.Elem().Set(value)
	fill(held.Elem())
	return held.Elem().Interface()
}

// listed remembers which types have lists or maps in them.
var listed sync.Map // reflect.Type → bool

func hasLists(t reflect.Type) bool {
	if known, ok := listed.Load(t); ok {
		return known.(bool) //nolint:errcheck // nothing else is put there
	}
	listed.Store(t, true) // a type that has itself in it
	has := false
	switch t.Kind() {
	case reflect.Slice, reflect.Map:
		has = true
	case reflect.Pointer, reflect.Array:
		has = hasLists(t.Elem())
	case reflect.Interface:
		has = true
	case reflect.Struct:
		for field := range t.Fields() {
			has = has || field.IsExported() && hasLists(field.Type)
		}
	}
	listed.Store(t, has)
	return has
}

var rawJSON = reflect.TypeFor[json.RawMessage]()

// fill replaces nil lists and maps below a value that can be set. What is
// shared with others is copied before: answers can come out of a memory that
// several requests are answered from.
func fill(value reflect.Value) {
	t := value.Type()
	switch value.Kind() {
	case reflect.Slice:
		switch {
		case t == rawJSON || t.Elem().Kind() == reflect.Uint8:
		case value.IsNil():
			value.Set(reflect.MakeSlice(t, 0, 0))
		case hasLists(t.Elem()):
			list := reflect.MakeSlice(t, value.Len(), value.Len())
			reflect.Copy(list, value)
			for i := range list.Len() {
				fill(list.Index(i))
			}
			value.Set(list)
		}
	case reflect.Map:
		switch {
		case value.IsNil():
			value.Set(reflect.MakeMap(t))
		case hasLists(t.Elem()):
			filled := reflect.MakeMapWithSize(t, value.Len())
			for key, held := range value.Seq2() {
				element := reflect.New(t.Elem()).Elem()
				element.Set(held)
				fill(element)
				filled.SetMapIndex(key, element)
			}
			value.Set(filled)
		}
	case reflect.Pointer, reflect.Interface:
		if value.IsNil() || !hasLists(value.Elem().Type()) {
			return
		}
		held := reflect.New(value.Elem().Type())
		held.Elem().Set(value.Elem())
		fill(held.Elem())
		if value.Kind() == reflect.Interface {
			held = held.Elem()
		}
		value.Set(held)
	case reflect.Struct:
		for i := range value.NumField() {
			field := t.Field(i)
			absent := strings.Contains(field.Tag.Get("json"), ",omit") && value.Field(i).IsZero()
			if field.IsExported() && !absent && hasLists(field.Type) {
				fill(value.Field(i))
			}
		}
	}
}

// bodyType reports whether a body of this content type is one of those that an operation takes.
func bodyType(header string, body *huma.RequestBody) bool {
	if header == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(header)
	return err == nil && body.Content[kind] != nil
}
