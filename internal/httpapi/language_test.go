package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"dayshift/internal/say"
	"dayshift/internal/service"
)

// The parts of an answer, however deep, are in the language; what the program keeps stays as it is.
func TestInALanguage(t *testing.T) {
	type inner struct {
		Why   say.Text
		Other string
		kept  say.Text
	}
	type outer struct {
		inner

		List   []inner
		By     map[string]inner
		At     *inner
		Any    any
		Hidden say.Text `json:"-"`
		None   []say.Text
		Row    [1]say.Text
	}
	text := say.F("It names no schedule.")
	part := func() inner { return inner{Why: text, Other: "It names no schedule.", kept: text} }
	one := part()
	given := outer{List: []inner{part()}, By: map[string]inner{"a": part()}, At: &one, Any: []say.Text{text}, Hidden: text, Row: [1]say.Text{text}}
	before, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := in(say.Korean, given).(outer)
	if !ok {
		t.Fatalf("%T", in(say.Korean, given))
	}
	const korean = "지정된 스케줄이 없습니다."
	for where, text := range map[string]say.Text{
		"a list": got.List[0].Why, "a map": got.By["a"].Why, "a pointer": got.At.Why, "an array": got.Row[0],
	} {
		if text.String() != korean {
			t.Errorf("in %s: %q", where, text)
		}
	}
	if any, ok := got.Any.([]say.Text); !ok || any[0].String() != korean {
		t.Errorf("behind an interface: %v", got.Any)
	}
	if got.List[0].Other != "It names no schedule." || got.None != nil || !got.Hidden.Equal(text) {
		t.Errorf("%+v", got)
	}
	if after, err := json.Marshal(given); err != nil || string(after) != string(before) {
		t.Errorf("what was given changed: %s, %v; want %s", after, err, before)
	}
	if same := in(say.English, &given); same != any(&given) {
		t.Error("English made a copy")
	}
}

// An answer with sentences is in the language that is asked for, and says so; its fields are the same.
func TestAnswersInTheReadersLanguage(t *testing.T) {
	h := newHouse(t, Options{})
	asked := func(accept, path string) (http.Header, string) {
		w := h.do(ask{path: path, as: "admin", headers: map[string]string{"Accept-Language": accept}})
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Header(), w.Body.String()
	}
	for _, test := range []struct{ accept, language, part string }{
		{"", "en", "ts schedule wants"},
		{"fr", "en", "ts schedule wants"},
		{"zh-CN,zh;q=0.9,en;q=0.8", "zh-CN", "排程要求"},
		{"ko", "ko", "스케줄이"},
		{"en;q=0.5, ko;q=0.4", "en", "ts schedule wants"},
	} {
		const shop = "/api/v1/resources/111122223333/ap-northeast-2/ec2_instance/i-0shop1"
		for _, path := range []string{shop, shop + "/explain", "/api/v1/resources?sort=name"} {
			header, body := asked(test.accept, path)
			if got := header.Get("Content-Language"); got != test.language || !slices.Contains(header.Values("Vary"), "Accept-Language") {
				t.Errorf("%s in %q: Content-Language %q, Vary %q", path, test.accept, got, header.Values("Vary"))
			}
			if header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s in %q: an answer in one language could be taken for one in another: %q", path, test.accept, header.Get("Cache-Control"))
			}
			if !strings.Contains(body, test.part) || !strings.Contains(body, `"schedule":"seoul-office"`) {
				t.Errorf("%s in %q: no %q in %s", path, test.accept, test.part, body)
			}
		}
	}
	for language, part := range map[string]string{"en": `"ability":"list EC2 instances"`, "zh-CN": `"ability":"列出 EC2 实例"`, "ko": `"ability":"EC2 인스턴스 나열"`} {
		if header, body := asked(language, "/api/v1/doctor"); header.Get("Content-Language") != language || !strings.Contains(body, part) {
			t.Errorf("doctor in %s: %s", language, body)
		}
	}
	if header, body := asked("ko", "/api/v1/activity/verify"); header.Get("Content-Language") != "" {
		t.Errorf("what has no sentences has a language: %s", body)
	}
	// The record stays as it was written.
	if _, body := asked("ko", "/api/v1/activity"); !strings.Contains(body, "shop row") {
		t.Errorf("%s", body)
	}
}

// A refusal that can be said in another language is, and nobody takes a version for another because of it.
func TestProblemsInTheReadersLanguage(t *testing.T) {
	h := newHouse(t, Options{})
	for accept, part := range map[string]string{"": "if it is meant", "ko": "의도한 것이면", "zh-Hans": "若确属本意"} {
		p := stated(unconfirmed, say.F("%s; if it is meant, send it again with confirm=true", &service.ConfirmError{Why: say.F("now: %s", "…")}))
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", accept)
		translated, err := speak(humago.NewContext(nil, r, w), "409", p)
		body, failed := json.Marshal(translated)
		if err != nil || failed != nil || !strings.Contains(string(body), part) || !strings.Contains(string(body), `"type":"/problems/unconfirmed"`) {
			t.Errorf("%q: %s, %v, %v", accept, body, err, failed)
		}
	}
	one := h.get(ask{path: "/api/v1/overview", as: "admin"}, http.StatusOK, nil)
	if one.Get("ETag") != "" {
		t.Errorf("an overview has an ETag: %q", one.Get("ETag"))
	}
}
