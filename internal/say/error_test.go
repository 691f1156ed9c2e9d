package say

import (
	"errors"
	"io"
	"testing"
)

// An error of ours is read in every language, with those that it wraps; it is found like any other.
func TestErr(t *testing.T) {
	known := errors.New("the file ended")
	inner := Err("schedule %q has a fault: %v", "office", known)
	outer := Err("%s: %s", "a", errors.Join(inner, io.EOF))
	for _, test := range []struct {
		language Language
		want     string
	}{
		{English, "a: schedule \"office\" has a fault: the file ended\nEOF"},
		{Chinese, "a：排程 \"office\" 有错误：the file ended\nEOF"},
		{Korean, "a: 스케줄 \"office\"에 오류가 있습니다: the file ended\nEOF"},
	} {
		if got := Of(outer).In(test.language); got != test.want {
			t.Errorf("%s: %q, want %q", test.language, got, test.want)
		}
	}
	if outer.Error() != Of(outer).String() {
		t.Errorf("the error says %q", outer.Error())
	}
	if !errors.Is(outer, known) || !errors.Is(outer, inner) || !errors.Is(outer, io.EOF) {
		t.Error("what it wraps is not found")
	}
	if text := Of(nil); !text.Empty() {
		t.Errorf("no error says %q", text)
	}
	if text := F("%s: %s", "a", Err("%d days", 2)); text.In(Chinese) != "a：2 天" {
		t.Errorf("an error as an argument: %q", text.In(Chinese))
	}
}
