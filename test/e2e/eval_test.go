package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answer is one line of eval, or what a vector expects of it.
type answer struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Period string `json:"period"`
	Type   string `json:"instance_type"`
	Days   []int  `json:"days"`
	Months []int  `json:"months"`
	Error  any    `json:"error"` // a sentence; in a vector true
}

// TestEval asks "dayshift eval" every vector: those of the repository, and the
// larger set beside it where there is one.
func TestEval(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/vectors/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, name := range []string{"evaluate", "ours", "refused", "calendar"} {
		beside := filepath.Join("../../../shared/vectors", name+".jsonl")
		if _, err := os.Stat(beside); err == nil {
			files = append(files, beside)
		}
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			questions, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "dayshift", "eval")
			cmd.Env = append(lonely(t.TempDir()), "PATH="+os.Getenv("PATH"))
			cmd.Stdin = bytes.NewReader(questions)
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			asked, answered := scanner(questions), scanner(out)
			n, wrong := 0, 0
			for asked.Scan() {
				var vector struct {
					answer
					Expect answer `json:"expect"`
				}
				if err := json.Unmarshal(asked.Bytes(), &vector); err != nil {
					t.Fatal(err)
				}
				if !answered.Scan() {
					t.Fatalf("only %d answers", n)
				}
				n++
				var got answer
				if err := json.Unmarshal(answered.Bytes(), &got); err != nil {
					t.Fatal(err)
				}
				want := vector.Expect
				want.ID = vector.ID
				if want.Error != nil {
					text, refused := got.Error.(string)
					if !refused || text == "" {
						t.Errorf("%s: not refused: %s", want.ID, answered.Text())
						wrong++
					}
					continue
				}
				if want.Period == "" { // not every vector names it
					got.Period = ""
				}
				if want.Type == "" {
					got.Type = ""
				}
				if diff := cmp.Diff(want, got); diff != "" && wrong < 10 {
					wrong++
					t.Errorf("%s: -want +got\n%s", want.ID, diff)
				}
			}
			if answered.Scan() {
				t.Errorf("an answer that nobody asked for: %s", answered.Text())
			}
			if n == 0 {
				t.Error("no vector was read")
			}
		})
	}
}

func scanner(text []byte) *bufio.Scanner {
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, 1<<22)
	return s
}
