package e2e

import (
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the judge of what is in a database
)

// exitCode runs dayshift and gives its exit code and all that it wrote.
func exitCode(t *testing.T, dir string, env []string, args ...string) (int, string) {
	t.Helper()
	out, err := runProcess(dir, env, args...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("dayshift %q: %v", args, err)
	}
	if exit == nil {
		return 0, out
	}
	return exit.ExitCode(), out
}

// disk mounts a file system of its own of the given size.
func disk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("no small disk: a file system can not be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// refuses runs a pass that cannot write its store: it has to say so and call nothing that changes anything.
func refuses(t *testing.T, sim *gated, dir string, env []string, want ...string) {
	t.Helper()
	code, out := exitCode(t, dir, env, "run", "--wait", "0")
	if code != 1 {
		t.Errorf("exit code %d, want 1\n%s", code, out)
	}
	found := false
	for _, words := range want {
		found = found || strings.Contains(out, words)
	}
	if !found {
		t.Errorf("it says none of %q:\n%s", want, out)
	}
	for what := range sim.effective() {
		t.Errorf("%s although it could not be recorded", what)
	}
}

func TestStoreOnAFullDisk(t *testing.T) {
	t.Parallel()
	where := disk(t, "1m")
	sim := newGated(t, crashFleet())
	dir, env := workplace(t, "store: sqlite:"+filepath.Join(where, "dayshift.db")+"\n"+crashConfig)
	filler := filepath.Join(where, "filler")
	full := make([]byte, 2<<20)
	if err := os.WriteFile(filler, full, 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk did not fill: %v", err)
	}
	refuses(t, sim, dir, env(sim.gate(t)), "disk is full", "no space left")
	if code, out := exitCode(t, dir, env(sim.gate(t)), "serve", "--addr", "127.0.0.1:0"); code != 1 {
		t.Errorf("serve on a full disk: exit code %d\n%s", code, out)
	}
	// With room again it works on what is there.
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if code, out := exitCode(t, dir, env(sim.gate(t)), "run", "--wait", "0"); code != 0 {
		t.Errorf("with room again: exit code %d\n%s", code, out)
	}
	verified(t, dir, env(sim.gate(t)))

	// And when it fills up while the database is there.
	sim2 := newGated(t, crashFleet())
	if err := os.WriteFile(filler, full, 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk did not fill: %v", err)
	}
	code, out := exitCode(t, dir, env(sim2.gate(t)), "run", "--wait", "0")
	if code == 0 && len(sim2.effective()) > 0 {
		t.Logf("the write-ahead log had room left:\n%s", out)
	} else if len(sim2.effective()) > 0 {
		t.Errorf("calls were made that could not be recorded: %v\n%s", sim2.effective(), out)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	verified(t, dir, env(sim.gate(t)))
}

func TestStoreOnAReadOnlyDisk(t *testing.T) {
	t.Parallel()
	sim := newGated(t, crashFleet())
	if os.Geteuid() == 0 { // permissions hold nobody back who is root
		where := disk(t, "4m")
		if err := syscall.Mount("tmpfs", where, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Skipf("a file system can not be made read-only here: %v", err)
		}
		dir, env := workplace(t, "store: sqlite:"+filepath.Join(where, "dayshift.db")+"\n"+crashConfig)
		refuses(t, sim, dir, env(sim.gate(t)), "read-only")
		return
	}
	where := t.TempDir()
	if err := os.Chmod(where, 0o500); err != nil {
		t.Fatal(err)
	}
	dir, env := workplace(t, "store: sqlite:"+filepath.Join(where, "dayshift.db")+"\n"+crashConfig)
	refuses(t, sim, dir, env(sim.gate(t)), "permission denied", "read-only")
}

// TestStoreOfANewerVersion: a database that a newer program wrote is left as it is.
func TestStoreOfANewerVersion(t *testing.T) {
	t.Parallel()
	sim := newGated(t, crashFleet())
	dir, env := workplace(t, crashConfig)
	if code, out := exitCode(t, dir, env(sim.gate(t)), "run", "--wait", "0"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	database := filepath.Join(dir, "dayshift.db")
	futureSchema(t, database)
	before, err := os.ReadFile(database)
	if err != nil {
		t.Fatal(err)
	}
	fresh := newGated(t, crashFleet())
	refuses(t, fresh, dir, env(fresh.gate(t)), "newer")
	if code, out := exitCode(t, dir, env(fresh.gate(t)), "activity"); code != 1 || !strings.Contains(out, "newer") {
		t.Errorf("activity: exit code %d\n%s", code, out)
	}
	after, err := os.ReadFile(database)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Error("the database of the newer version was changed")
	}
}

// futureSchema notes in a database that a later version of the program has migrated it.
func futureSchema(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `INSERT INTO schema_version (version_id, is_applied) VALUES (1000, 1); PRAGMA wal_checkpoint(TRUNCATE)`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestTwoPassesAtOnce: of two passes on one store one acts and the other waits for it.
func TestTwoPassesAtOnce(t *testing.T) {
	t.Parallel()
	sim := newGated(t, crashFleet())
	dir, env := workplace(t, crashConfig)
	type end struct {
		code int
		out  string
	}
	ends := make(chan end, 3)
	for range cap(ends) {
		way := env(sim.gate(t))
		go func() {
			out, err := runProcess(dir, way, "run", "--wait", "0")
			code := 0
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				code = exit.ExitCode()
			} else if err != nil {
				code, out = -1, err.Error()
			}
			ends <- end{code, out}
		}()
	}
	for range cap(ends) {
		select {
		case e := <-ends:
			if e.code != 0 {
				t.Errorf("exit code %d\n%s", e.code, e.out)
			}
		case <-time.After(2 * waitLimit):
			t.Fatal("the passes did not end")
		}
	}
	sim.onceEach(t)
	verified(t, dir, env(sim.gate(t)))
}
