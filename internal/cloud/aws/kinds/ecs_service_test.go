package kinds

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

func TestSizesOfServices(t *testing.T) {
	for text, want := range map[string]string{
		"3": "3", " 3 ": "3", "1-3-10": "1-3-10", "0 - 1 - 1": "0-1-1", "5000": "5000", "007": "7",
		"": "", "0": "", "0-0-0": "", "1-0-2": "", "3-1-10": "", "1-11-10": "", "5001": "", "-3": "", "+3": "", "1-2": "", "1-2-3-4": "",
		"three": "", "3.5": "", "1--3": "", "99999999999999999999": "", "3;1-10": "",
	} {
		got, err := parseTaskSize(text)
		switch {
		case want == "" && (!errors.Is(err, cloud.ErrInvalid) || !strings.Contains(err.Error(), fleet.TagSize)):
			t.Errorf("%q: %v, %v", text, got, err)
		case want != "" && (err != nil || got.String() != want):
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
}

// What is written down is read back, and whatever is read does no harm.
func FuzzSaved(f *testing.F) {
	for _, seed := range []string{"", "3", "1-3-10", "1-3-10 suspended=in", "1-3-10 suspended=in+out+scheduled", " suspended=in", "3 suspended=", "3 suspended=in+in", "3 suspended=x", "3 suspended=in suspended=out"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		was, ok := parseSaved(map[string]string{fleet.TagSaved: text})
		if !ok {
			return
		}
		again, ok := parseSaved(map[string]string{fleet.TagSaved: was.String()})
		if !ok || again.held != was.held || strings.TrimSpace(again.size) != strings.TrimSpace(was.size) {
			t.Errorf("%q is %+v, and written %q it is %+v", text, was, was.String(), again)
		}
		if n, err := wantedSize(text, nil); err == nil && (n.desired < 1 || n.desired > mostTasks) {
			t.Errorf("%q starts %d tasks", text, n.desired)
		}
	})
}

func FuzzECSTagValue(f *testing.F) {
	f.Add("no room (RESOURCE:MEMORY)")
	f.Add("\x00\xff전원")
	f.Fuzz(func(t *testing.T, text string) {
		if got := plainTagValue(text); utf8.RuneCountInString(got) > mostPlainTagValue || got != plainTagValue(got) || !utf8.ValidString(got) {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}

func TestNamesOfServices(t *testing.T) {
	names := byCluster{}
	for _, arn := range []string{
		"arn:aws:ecs:eu-central-1:111122223333:service/web/shop", "arn:aws-cn:ecs:cn-north-1:111122223333:service/web/cart",
		"arn:aws:ecs:eu-central-1:111122223333:service/old-form", "arn:aws:ecs:eu-central-1:111122223333:cluster/web", "", "service/", "x:service/a/b/c",
	} {
		names.addARN(arn)
	}
	if len(names) != 1 || strings.Join(names["web"], " ") != "shop cart" {
		t.Errorf("%v", names)
	}
}
