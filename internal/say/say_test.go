package say

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/quick"
)

// state is a word of ours that is a Sayer.
type state string

func (s state) Said() Text { return Word(s) }

func TestEnglish(t *testing.T) {
	names := []string{"web", "db"}
	for _, test := range []struct {
		name string
		text Text
		want string
	}{
		{"nothing", Text{}, ""},
		{"a literal", F("It is over."), "It is over."},
		{"a percentage", F("%d%% of %s", 20, "all"), "20% of all"},
		{"what looks like a verb in an argument", F("tag %s", "100%s"), "tag 100%s"},
		{"verbs of package fmt", F("%q, %.0f, %5.1f, %04d, %v, %x", "a\"b", 2.6, 1.25, 7, errors.New("refused"), 255), `"a\"b", 3,   1.2, 0007, refused, ff`},
		{"a text in a text", F("%s until %s", F("%s is wanted", state("running")), "noon"), "running is wanted until noon"},
		{"one", N(1, "%d resource", "%d resources"), "1 resource"},
		{"many", N(2, "%d resource of %s", "%d resources of %s", "dev"), "2 resources of dev"},
		{"sentences", Sentences(F("It is over."), Text{}, F("It begins anew.")), "It is over. It begins anew."},
		{"a sentence alone", Sentences(Text{}, F("It is over.")), "It is over."},
		{"clauses", Clauses(F("it runs"), F("it waits")), "it runs; it waits"},
		{"names", Names(names), "web, db"},
		{"no names", Names([]string(nil)), ""},
		{"a mark of the inside in a name", F("%s stays", Raw("\x02\x03x")), "\x02\x03x stays"},
		{"a control character of a stranger", F("%s stays", "a\nb\x1b[0m").Plain(), "a b [0m stays"},
		{"bare", F("(%s)", F("It is over.").Bare()), "(It is over)"},
		{"the begin of a sentence", F("%s.", F("calendar %s", "kr").Begin()), "Calendar kr."},
		{"in its place", Text{}.Or(Raw("i-1")), "i-1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.text.String(); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			wire, err := json.Marshal(test.text)
			var back Text
			if err != nil || json.Unmarshal(wire, &back) != nil || !back.Equal(test.text) {
				t.Errorf("on the wire: %s, %q, %v", wire, back, err)
			}
			if test.text.Empty() != (test.want == "") || test.text.IsZero() != test.text.Empty() {
				t.Errorf("empty: %v", test.text.Empty())
			}
		})
	}
}

// What F says in English is what package fmt does, whatever the arguments are.
func TestLikeFmt(t *testing.T) {
	like := func(a string, n int, b float64, c []byte) bool {
		want := fmt.Sprintf("%s %q %d%% %g (%s); %x", a, a, n, b, Raw(a), c)
		return F("%s %q %d%% %g (%s); %x", a, a, n, b, Raw(a), c).String() == want
	}
	if err := quick.Check(like, nil); err != nil {
		t.Error(err)
	}
}

// The same in another language: words and what stands between are of that language, names are not, and
// an argument finds its place.
func TestOtherLanguages(t *testing.T) {
	old := catalogs
	t.Cleanup(func() { catalogs = old })
	catalogs = map[Language]func() map[string]string{Chinese: func() map[string]string {
		return map[string]string{
			"%s is wanted by %q": "%[2]q 要求%[1]s", "running": "运行", "; ": "；", ", ": "、", " ": "", "It is over.": "已经结束。", "(%s)": "（%s）", "%d resources": "%d 个资源",
		}
	}}
	for _, test := range []struct{ got, want string }{
		{F("%s is wanted by %q", state("running"), "office").In(Chinese), `"office" 要求运行`},
		{F("%s is wanted by %q", "running", "office").In(Chinese), `"office" 要求running`},
		{Clauses(F("It is over.").Bare(), F("nobody knows it")).In(Chinese), "已经结束；nobody knows it"},
		{Sentences(F("It is over."), F("It is over.")).In(Chinese), "已经结束。已经结束。"},
		{F("(%s)", F("It is over.").Bare()).In(Chinese), "（已经结束）"},
		{Names([]string{"web", "running"}).In(Chinese), "web、running"},
		{N(3, "%d resource", "%d resources").In(Chinese), "3 个资源"},
		{F("%s %s", "a", Raw("It is over.")).Begin().In(Chinese), "a It is over."},
		{F("%s is wanted by %q", state("running"), "office").In("fr"), `running is wanted by "office"`},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

func TestSame(t *testing.T) {
	a, b := F("it is %s", "t3.micro"), F("it is %s", "t3.micro")
	if a != b || !a.Equal(Raw("it is t3.micro")) || a.Equal(F("it is %s", "t3.small")) {
		t.Errorf("%v and %v are the same", a, b)
	}
}

// What nobody reads in another language costs no more than its English.
func TestNoAllocations(t *testing.T) {
	reason := F("It names no schedule.")
	if n := testing.AllocsPerRun(100, func() {
		if F("It names no schedule.") != reason || reason.Said().String() == "" {
			t.Error("a literal changed")
		}
	}); n > 0 {
		t.Errorf("a literal takes %g allocations", n)
	}
}

func TestBest(t *testing.T) {
	for accept, want := range map[string]Language{
		"": English, "*": English, "de": English, "de, fr;q=0.9": English,
		"ko": Korean, "ko-KR,ko;q=0.9,en;q=0.8": Korean, "KO": Korean,
		"zh": Chinese, "zh-CN": Chinese, "zh-Hans-SG, en;q=0.5": Chinese, "zh-TW": Chinese,
		"en;q=0.3, ko;q=0.7, zh;q=0.5": Korean, "de, zh;q=0.1": Chinese,
		"zh;q=0, ko;q=0": English, "ko;q=x": English, "ko;q=7": English, "ko ; Q=0.5 , en;q=0.4": Korean,
		"en, ko": English, "zh, ko": Chinese, "en-US,en;q=0.9,ko;q=0.8": English,
		strings.Repeat("x,", 10000) + "ko;q=0.1": Korean, ";;;,,=q": English,
	} {
		if got := Best(accept); got != want {
			t.Errorf("%.60q: %s, want %s", accept, got, want)
		}
	}
}
