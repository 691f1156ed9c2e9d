package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	start   = `{"Action":"start","Package":"p"}` + "\n"
	runA    = `{"Action":"run","Package":"p","Test":"TestA"}` + "\n"
	sayA    = `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:7: no server here\n"}` + "\n"
	passA   = `{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}` + "\n"
	failA   = `{"Action":"fail","Package":"p","Test":"TestA","Elapsed":0.1}` + "\n"
	skipA   = `{"Action":"skip","Package":"p","Test":"TestA","Elapsed":0}` + "\n"
	okLine  = `{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}` + "\n"
	badLine = `{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}` + "\n"
	passP   = `{"Action":"pass","Package":"p","Elapsed":0.1}` + "\n"
	failP   = `{"Action":"fail","Package":"p","Elapsed":0.1}` + "\n"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name  string
		in    string
		must  []string
		ok    bool
		has   []string
		hasnt string
	}{
		{
			name: "a test that passes is quiet",
			in:   start + runA + sayA + passA + `{"Action":"output","Package":"p","Output":"PASS\n"}` + "\n" + okLine + passP, ok: true,
			has: []string{"ok  \tp\t0.1s\n", "\n1 passed, 0 failed, 0 skipped\n"}, hasnt: "no server here",
		},
		{
			name: "a test that fails is shown whole",
			in:   start + runA + sayA + failA + badLine + failP,
			has:  []string{"a_test.go:7: no server here", "FAIL\tp", "failed:\n  p.TestA\n", "\n0 passed, 1 failed, 0 skipped\n"}, hasnt: "outside its tests",
		},
		{
			name: "a skipped test gives its reason",
			in:   start + runA + sayA + skipA + strings.ReplaceAll(runA+passA, "TestA", "TestB") + okLine + passP, ok: true,
			has: []string{"skipped:\n  p.TestA: a_test.go:7: no server here\n", "\n1 passed, 0 failed, 1 skipped\n"},
		},
		{
			name: "nothing but skipped tests is no success",
			in:   start + runA + sayA + skipA + okLine + passP,
			has:  []string{"\n0 passed, 0 failed, 1 skipped\n"},
		},
		{
			name: "the process dies in a test",
			in:   start + runA + sayA + badLine + failP,
			has:  []string{"no server here", "  p.TestA (did not end)\n", "\n0 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "TestMain fails after its tests passed",
			in:   start + runA + passA + badLine + failP,
			has:  []string{"  p (outside its tests)\n", "\n1 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "a package does not build",
			in: `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: undefined: x\n"}` + "\n" + `{"ImportPath":"p","Action":"build-fail"}` + "\n" +
				start + `{"Action":"fail","Package":"p","FailedBuild":"p"}` + "\n",
			has: []string{"p.go:1: undefined: x\n", "  p (build of p)\n", "\n0 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "the run is cut off",
			in:   start + runA + passA,
			has:  []string{"  p (ended without a verdict)\n", "\n1 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "the go command speaks for itself",
			in:   "go: updates to go.mod needed\n",
			has:  []string{"go: updates to go.mod needed\n", "no test ran\n", "\n0 passed, 0 failed, 0 skipped\n"},
		},
		{
			name: "a last line without its end",
			in:   start + runA + passA + strings.TrimSuffix(passP, "\n"), ok: true,
			has: []string{"\n1 passed, 0 failed, 0 skipped\n"},
		},
		{
			name: "what has to run has run",
			in:   start + runA + passA + okLine + passP, must: []string{"p.TestA"}, ok: true,
		},
		{
			name: "what has to run was skipped",
			in:   start + runA + skipA + strings.ReplaceAll(runA+passA, "TestA", "TestB") + okLine + passP, must: []string{"p.TestA"},
			has: []string{"p.TestA (has to run here and did not pass)"},
		},
		{
			name: "what has to run does not exist",
			in:   start + runA + passA + okLine + passP, must: []string{"p.TestGone"},
			has: []string{"p.TestGone (has to run here and did not pass)"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := report(strings.NewReader(test.in), &out, test.must)
			if err != nil || ok != test.ok {
				t.Errorf("ok %v, error %v; want ok %v", ok, err, test.ok)
			}
			for _, has := range test.has {
				if !strings.Contains(out.String(), has) {
					t.Errorf("missing %q", has)
				}
			}
			if test.hasnt != "" && strings.Contains(out.String(), test.hasnt) {
				t.Errorf("unwanted %q", test.hasnt)
			}
			if t.Failed() {
				t.Logf("report:\n%s", &out)
			}
		})
	}
}

func TestReportSaysWhenItCanNotReadOrWrite(t *testing.T) {
	broken := errors.New("broken pipe")
	if ok, err := report(iotest.ErrReader(broken), io.Discard, nil); ok || !errors.Is(err, broken) {
		t.Errorf("unreadable run: ok %v, error %v", ok, err)
	}
	if _, err := report(strings.NewReader(start+runA+passA+okLine+passP), failingWriter{broken}, nil); !errors.Is(err, broken) {
		t.Errorf("unwritable report: error %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
