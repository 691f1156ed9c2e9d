package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dayshift/internal/golden"
)

// TestWrongFiles holds every wrong file of the gallery to the message beside it.
func TestWrongFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/wrong/*.yaml")
	if err != nil || len(files) < 25 {
		t.Fatalf("found %d wrong files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			loaded, err := Parse("dayshift.yaml", data, Env{ReadFile: os.ReadFile, ReadCalendar: os.ReadFile})
			if err == nil {
				t.Fatalf("taken, with warnings %v", loaded.Warnings)
			}
			got := err.Error() + "\n"
			message := strings.TrimSuffix(file, ".yaml") + ".txt"
			golden.Check(t, message, got, "go test ./internal/config -run TestWrongFiles -update")
			if strings.Contains(got, "hunter2") {
				t.Error("the message shows a secret")
			}
		})
	}
}

// TestExamples loads every example as a user would, with the environment that its comments ask for.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %d examples: %v", len(files), err)
	}
	env := Env{
		Lookup: func(name string) (string, bool) {
			return "7f0c9a1e", name == "DAYSHIFT_EXTERNAL_ID" || strings.HasPrefix(name, "DAYSHIFT_CHAT_")
		},
		ReadFile: func(path string) ([]byte, error) {
			if path == "external-id" {
				return []byte("5d41402a\n"), nil
			}
			return nil, os.ErrNotExist
		},
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			loaded, err := Parse(file, data, env)
			if err != nil {
				t.Fatal(err)
			}
			if len(loaded.Book.Schedules) == 0 || len(loaded.Scopes)+len(loaded.Directories) == 0 {
				t.Error("no schedules or no scopes")
			}
			for _, warning := range loaded.Warnings {
				t.Errorf("warning: %v", warning)
			}
		})
	}
}
