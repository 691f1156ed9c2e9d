package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"dayshift/internal/say"
)

// theirs are the words of others, which are as they were written in every language.
var theirs = []*regexp.Regexp{
	regexp.MustCompile("`[^`]*`"),           // commands
	regexp.MustCompile(`"(?:[^"\\]|\\.)*"`), // what was sent
	regexp.MustCompile(`(invalid character|unexpected end of JSON|json:|parsing time) .*`), // encoding/json, package time
	regexp.MustCompile(`(允许：|허용: )[^;；.]*`),                                                // keys, names and forms that a field takes, as they are written
}

// englishWords are a part of an English sentence.
var englishWords = regexp.MustCompile(`[A-Za-z']+ [a-z']+ [a-z']+`)

// english finds what is left of the English in a text that should be in another language; empty: nothing.
func english(language say.Language, text string) string {
	script := map[say.Language]*unicode.RangeTable{say.Chinese: unicode.Han, say.Korean: unicode.Hangul}[language]
	if !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(script, r) }) {
		return text
	}
	for _, pattern := range theirs {
		text = pattern.ReplaceAllString(text, "…")
	}
	return englishWords.FindString(text)
}

// Whatever is refused, of whatever operation, is said in the language of the reader, and in English to who asks for none.
func TestRefusalsInTheReadersLanguage(t *testing.T) {
	h := newHouse(t, Options{})
	document := loaded(t, h.surface)
	roles := []string{"admin", "admin", "admin", "viewer", "shop admin", "shop operator", "revoked", ""}
	found, kinds := map[string]bool{}, map[string]bool{}
	for round := range 12 {
		for _, o := range h.surface.Operations() {
			if o.ID == "followEvents" {
				continue
			}
			g := &generator{rand.New(rand.NewPCG(20261122, uint64(round)<<16|uint64(len(o.ID))+uint64(o.Path[len(o.Path)-1]))), document}
			r := g.request(o, document.Paths.Value(o.Path).GetOperation(o.Method))
			if as := roles[g.IntN(len(roles))]; as != "" {
				r.Header.Set("Authorization", "Bearer "+h.keys[as])
			}
			body := []byte{}
			if r.Body != nil {
				var err error
				if body, err = io.ReadAll(r.Body); err != nil {
					t.Fatal(err)
				}
			}
			asked := func(language string) (int, Problem) {
				again := r.Clone(t.Context())
				again.Body = io.NopCloser(bytes.NewReader(body))
				again.RemoteAddr = fmt.Sprintf("203.0.113.%d:1", g.IntN(250))
				if language != "" {
					again.Header.Set("Accept-Language", language)
				}
				w := h.serve(again)
				var p Problem
				if w.Code >= http.StatusBadRequest {
					if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
						t.Fatalf("%s %s: %v: %s", r.Method, r.URL, err, w.Body)
					}
					if got := w.Header().Get("Content-Language"); got != string(say.Best(language)) {
						t.Errorf("%s %s: Content-Language %q for %q", r.Method, r.URL, got, language)
					}
				}
				return w.Code, p
			}
			status, plain := asked("")
			if status < http.StatusBadRequest {
				continue
			}
			kinds[plain.Type] = true
			if text := plain.Detail.String(); strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.Han) }) {
				t.Errorf("%s %s: %q to who asks for no language", r.Method, r.URL, text)
			}
			for _, language := range []say.Language{say.Chinese, say.Korean} {
				again, p := asked(string(language))
				if again != status || p.Type != plain.Type || len(p.Errors) != len(plain.Errors) {
					t.Errorf("%s %s: %d %s in English, %d %s in %s", r.Method, r.URL, status, plain.Type, again, p.Type, language)
					continue
				}
				if left := english(language, p.Title.String()); left != "" {
					found[fmt.Sprintf("%s title: %s", language, left)] = true
				}
				if left := english(language, p.Detail.String()); left != "" {
					found[fmt.Sprintf("%s %s: %q: %s (%s)", language, o.ID, left, p.Detail, plain.Detail)] = true
				}
				for i := range p.Errors {
					if left := english(language, p.Errors[i].Message.String()); left != "" {
						found[fmt.Sprintf("%s %s: %q: %s (%s)", language, o.ID, left, p.Errors[i].Message, plain.Errors[i].Message)] = true
					}
				}
			}
		}
	}
	for _, text := range slices.Sorted(maps.Keys(found)) {
		t.Error(text)
	}
	for _, kind := range []string{invalid, notFound, forbidden, outside, unauthenticated, locked} {
		if !kinds["/problems/"+kind] {
			t.Errorf("nothing was refused as %s: the requests try too little", kind)
		}
	}
}
