package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"dayshift/internal/service"
)

// loaded is the OpenAPI document as another reader takes it.
func loaded(t *testing.T, s *Surface) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(s.Document())
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// The document is one, and each operation in it says what people and programs need.
func TestDocumentIsValid(t *testing.T) {
	s := New(program{}, Options{})
	document := loaded(t, s)
	if err := document.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
	if document.OpenAPI != "3.1.0" || document.Info.Title != "Dayshift" {
		t.Errorf("%s %s", document.OpenAPI, document.Info.Title)
	}
	count := 0
	for path, item := range document.Paths.Map() {
		for method, o := range item.Operations() {
			count++
			if o.OperationID == "" || o.Summary == "" || len(o.Tags) != 1 || o.Extensions["x-permission"] == nil {
				t.Errorf("%s %s lacks an ID, summary, tag or permission", method, path)
			}
			for _, p := range o.Parameters {
				if p.Value.Description == "" {
					t.Errorf("%s: parameter %s is not explained", o.OperationID, p.Value.Name)
				}
			}
			if o.RequestBody != nil {
				for kind, media := range o.RequestBody.Value.Content {
					if kind == "application/json" && media.Example == nil && len(o.RequestBody.Value.Content) == 1 {
						t.Errorf("%s: its body has no example", o.OperationID)
					}
				}
			}
		}
	}
	if count != len(s.Operations()) {
		t.Errorf("%d operations in the document, %d in the router", count, len(s.Operations()))
	}
}

// Generated requests over every operation: whatever is sent, the answer is
// there soon, is no failure of the program, and is what the document says.
func TestGeneratedRequests(t *testing.T) {
	rounds := 25
	if text := os.Getenv("DAYSHIFT_API_FUZZ"); text != "" { // how many requests of each operation
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		rounds = n
	}
	seed := uint64(20260803)
	h := newHouse(t, Options{})
	document := loaded(t, h.surface)
	roles := []string{"admin", "admin", "admin", "editor", "viewer", "shop admin", "shop operator", ""}
	answered := map[string]map[int]int{}
	for round := range rounds {
		for _, o := range h.surface.Operations() {
			if o.ID == "followEvents" { // it goes on for ever; events have tests of their own
				continue
			}
			g := &generator{rand.New(rand.NewPCG(seed, uint64(round)<<16|uint64(len(o.ID))+uint64(o.Path[len(o.Path)-1]))), document}
			item := document.Paths.Value(o.Path)
			described := item.GetOperation(o.Method)
			r := g.request(o, described)
			if as := roles[g.IntN(len(roles))]; as != "" {
				r.Header.Set("Authorization", "Bearer "+h.keys[as])
			}
			r.RemoteAddr = fmt.Sprintf("203.0.113.%d:1", g.IntN(250))
			body := ""
			if r.Body != nil {
				text, err := io.ReadAll(r.Body)
				if err != nil {
					t.Fatal(err)
				}
				body, r.Body = string(text), io.NopCloser(bytes.NewReader(text))
			}
			what := fmt.Sprintf("%s %s %.300s", r.Method, r.URL, body)
			began := time.Now()
			w := h.serve(r)
			if took := time.Since(began); w.Code >= 500 || took > 5*time.Second {
				t.Fatalf("%s: %d after %s: %s\n%s", what, w.Code, took, w.Body, h.logging)
			}
			if answered[o.ID] == nil {
				answered[o.ID] = map[int]int{}
			}
			answered[o.ID][w.Code]++
			if w.Code == http.StatusNoContent {
				continue
			}
			if described.Responses.Status(w.Code) == nil {
				t.Fatalf("%s: the document does not know of %d: %.600s", what, w.Code, w.Body)
			}
			input := &openapi3filter.ResponseValidationInput{
				RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: &routers.Route{Spec: document, Path: o.Path, PathItem: item, Method: o.Method, Operation: described}},
				Status:                 w.Code, Header: w.Header(), Options: &openapi3filter.Options{IncludeResponseStatus: true},
			}
			input.SetBodyBytes(w.Body.Bytes())
			if err := openapi3filter.ValidateResponse(t.Context(), input); err != nil && strings.Contains(w.Header().Get("Content-Type"), "json") {
				t.Fatalf("%s: the answer is not what the document says: %.600v", what, err)
			}
		}
	}
	// A generator whose requests are all refused tries nothing.
	good := 0
	for _, codes := range answered {
		if slices.ContainsFunc(slices.Collect(maps.Keys(codes)), func(code int) bool { return code < 300 }) {
			good++
		}
	}
	if good < len(answered)*2/3 {
		t.Errorf("only %d of %d operations were ever answered well: %v", good, len(answered), answered)
	}
}

// generator makes requests that are mostly as the document says, of words that mean something here.
type generator struct {
	*rand.Rand

	document *openapi3.T
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

var meaningful = []string{
	"seoul-office", "hidden-schedule", "office", "nightly", "kr", "i-0shop1", "shop-api", "schedule:seoul-office", "resource:shop-api", "filter:tag:Team=shop", "tag:Team=shop",
	"111122223333", "ap-northeast-2", "ec2_instance", "running", "stopped", "2h", "+2h", "22:00", "next", "2026-08-05", "2026-08-05T00:00:00Z", "name", "-name", "run-1", "viewer", "day",
	"cron(55 14 * * ? *)", "seoul-office:2026-12-31:stop", "111122223333/ap-northeast-2/ec2_instance/i-0shop1", "mon-fri", "09:00", "18:00", "Asia/Seoul",
}

func (g *generator) word() string {
	switch {
	case g.chance(70):
		return meaningful[g.IntN(len(meaningful))]
	case g.chance(50):
		return corpus[g.IntN(len(corpus))]
	case g.chance(30):
		return strings.Repeat("긴", g.IntN(3000))
	}
	text := make([]byte, g.IntN(20))
	for i := range text {
		text[i] = byte(g.IntN(256))
	}
	return string(text)
}

func (g *generator) request(o Operation, described *openapi3.Operation) *http.Request {
	path, query, header := o.Path, url.Values{}, http.Header{}
	for _, p := range described.Parameters {
		if !p.Value.Required && g.chance(60) && p.Value.In != "header" {
			continue
		}
		text := g.text(p.Value.Name, p.Value.Schema.Value)
		switch p.Value.In {
		case "path":
			if text == "" || text == "." || text == ".." {
				text = "x"
			}
			path = strings.ReplaceAll(path, "{"+p.Value.Name+"}", url.PathEscape(text))
		case "query":
			query.Set(p.Value.Name, text)
		case "header":
			if (p.Value.Name == "If-Match") == g.chance(80) {
				header.Set(p.Value.Name, []string{`"1"`, "*", `"99"`, "x"}[g.IntN(4)])
			}
		}
	}
	if o.Method == http.MethodPut && g.chance(50) {
		header = http.Header{"If-None-Match": {"*"}}
	}
	if g.chance(3) {
		query.Set(g.word(), g.word())
	}
	var body io.Reader = http.NoBody
	if described.RequestBody != nil && !g.chance(2) {
		media := described.RequestBody.Value.Content["application/json"]
		value := g.value("", media.Schema, 0)
		if example, ok := media.Example.(map[string]any); ok && g.chance(60) {
			value = example
		}
		if o.Needs == "manage" && o.ID != "createKey" { // a key that is taken away is not there for the next request
			value = map[string]any{}
		}
		text, err := json.Marshal(value)
		if err != nil {
			text = []byte("{}")
		}
		if g.chance(4) {
			text = text[:g.IntN(len(text)+1)]
		}
		body = bytes.NewReader(text)
		header.Set("Content-Type", "application/json")
	}
	address := "http://dayshift.example" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequest(o.Method, address, body)
	if err != nil {
		panic(err)
	}
	maps.Copy(r.Header, header)
	return r
}

// text is a parameter.
func (g *generator) text(name string, schema *openapi3.Schema) string {
	if g.chance(10) {
		return g.word()
	}
	for known, text := range map[string]string{"name": "seoul-office", "account": "111122223333", "region": "ap-northeast-2", "kind": "ec2_instance", "id": "i-0shop1"} {
		if name == known && g.chance(60) {
			return text
		}
	}
	switch {
	case len(schema.Enum) > 0:
		return fmt.Sprint(schema.Enum[g.IntN(len(schema.Enum))])
	case schema.Type.Is("boolean"):
		return strconv.FormatBool(g.chance(50))
	case schema.Type.Is("integer"):
		return strconv.Itoa(g.IntN(60))
	case schema.Format == "date-time":
		return houseTime.Add(time.Duration(g.IntN(1000)-200) * time.Hour).Format(time.RFC3339)
	case schema.Type.Is("array"):
		return g.text("", schema.Items.Value)
	}
	return g.word()
}

// value is a part of a body.
func (g *generator) value(name string, ref *openapi3.SchemaRef, depth int) any {
	if g.chance(5) || depth > 6 || ref == nil || ref.Value == nil {
		return []any{nil, true, 17, -1.5, 1e300, "x", []any{}, map[string]any{}, g.word()}[g.IntN(9)]
	}
	schema := ref.Value
	switch {
	case len(schema.Enum) > 0:
		return schema.Enum[g.IntN(len(schema.Enum))]
	case len(schema.OneOf) > 0:
		return g.value(name, schema.OneOf[g.IntN(len(schema.OneOf))], depth+1)
	case schema.Type == nil:
		return g.word()
	case schema.Type.Includes("boolean"):
		return g.chance(50)
	case schema.Type.Includes("integer"):
		return g.IntN(100)
	case schema.Type.Includes("number"):
		return g.Float64() * 100
	case schema.Type.Includes("array"):
		list := []any{}
		for range g.IntN(3) {
			list = append(list, g.value(name, schema.Items, depth+1))
		}
		return list
	case schema.Type.Includes("object"):
		object := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(schema.Properties)) {
			if slices.Contains(schema.Required, key) && g.chance(95) || g.chance(25) {
				object[key] = g.value(key, schema.Properties[key], depth+1)
			}
		}
		if g.chance(3) {
			object[g.word()] = g.word()
		}
		return object
	case schema.Format == "date-time":
		return houseTime.Add(time.Duration(g.IntN(1000)) * time.Hour).Format(time.RFC3339)
	}
	return g.word()
}

// Answers have [] and {} where there is nothing, and share nothing that they fill in.
func TestEmptyListsAreLists(t *testing.T) {
	type inner struct {
		List []string `json:"list"`
	}
	type outer struct {
		Items  []inner           `json:"items"`
		Map    map[string]inner  `json:"map"`
		Tags   map[string]string `json:"tags"`
		Absent []string          `json:"absent,omitempty"`
		Raw    json.RawMessage   `json:"raw,omitempty"`
		Any    any               `json:"any"`
		Deep   *inner            `json:"deep"`
		At     time.Time         `json:"at"`
	}
	shared := &outer{Items: []inner{{}}, Map: map[string]inner{"a": {}}, Any: inner{}, Deep: &inner{}}
	var b bytes.Buffer
	if err := strictJSON.Marshal(&b, shared); err != nil {
		t.Fatal(err)
	}
	want := `{"items":[{"list":[]}],"map":{"a":{"list":[]}},"tags":{},"any":{"list":[]},"deep":{"list":[]},"at":"0001-01-01T00:00:00Z"}`
	if got := strings.TrimSpace(b.String()); got != want {
		t.Errorf("%s\n%s", got, want)
	}
	if shared.Items[0].List != nil || shared.Tags != nil || shared.Map["a"].List != nil || shared.Deep.List != nil {
		t.Error("what is shared was changed")
	}
	b.Reset()
	if err := strictJSON.Marshal(&b, List[service.Resource]{}); err != nil || strings.TrimSpace(b.String()) != `{"items":[],"total":0,"next":""}` {
		t.Errorf("%s %v", b.String(), err)
	}
}

// What is refused before it is read is what encoding/json would take all the same.
func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `[]`, `null`, `"a"`, `{"a":{"a":[{"a":1},{"a":2}]},"b":"\"a\":1,{"}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[[[[1]]]]`, `{"a":"\\"}`, `{"":1,"":2}`, "\"\xff\"", `{"a":1}{`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := checkJSON(data)
		var value any
		if taken := json.Unmarshal(data, &value) == nil; err == nil && !taken {
			t.Fatalf("%q is let pass and is no JSON", data)
		}
		if err != nil {
			return
		}
		// With every key there once, what is written again has as many colons outside of texts.
		again, err := json.Marshal(value)
		if err != nil || colons(again) != colons(data) {
			t.Fatalf("%q is let pass and loses something: %q, %v", data, again, err)
		}
	})
}

func colons(data []byte) (n int) {
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = endOfText(data, i) - 1
		case ':':
			n++
		}
	}
	return n
}
