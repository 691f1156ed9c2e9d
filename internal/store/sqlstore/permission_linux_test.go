package sqlstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"dayshift/internal/store"
)

// asNobody runs f without the rights of root, which no permission holds back.
// The thread that gave its rights away ends with its goroutine.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if os.Geteuid() == 0 {
			const nobody = 65534
			if err := syscall.Setfsuid(nobody); err != nil {
				t.Errorf("setfsuid: %v", err)
				return
			}
		}
		f()
	}()
	<-done
}

// place is a database in a directory of its own that others may enter.
func place(t *testing.T) (directory, path string) {
	t.Helper()
	directory = t.TempDir()
	for d := directory; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) { //nolint:usetesting // asks where to stop
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(directory, "dayshift.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Append(t.Context(), store.Lease{}, someRow), s.Close()); err != nil {
		t.Fatal(err)
	}
	return directory, path
}

func TestNotPermitted(t *testing.T) {
	chmod := func(t *testing.T, path string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		prepare func(t *testing.T, directory, path string)
		options Options
	}{
		"a file that may only be read": {func(t *testing.T, directory, path string) {
			chmod(t, path, 0o444)
			chmod(t, directory, 0o777)
		}, Options{}},
		"a file that may not be read": {func(t *testing.T, directory, path string) {
			chmod(t, path, 0o000)
			chmod(t, directory, 0o777)
		}, Options{}},
		"a directory that may only be read": {func(t *testing.T, directory, path string) {
			chmod(t, path, 0o666)
			chmod(t, directory, 0o555)
		}, Options{}},
		"a new file in a directory that may only be read": {func(t *testing.T, directory, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			chmod(t, directory, 0o555)
		}, Options{}},
		"reading a file that may not be read": {func(t *testing.T, directory, path string) {
			chmod(t, path, 0o000)
			chmod(t, directory, 0o777)
		}, Options{ReadOnly: true}},
	} {
		t.Run(name, func(t *testing.T) {
			directory, path := place(t)
			test.prepare(t, directory, path)
			defer chmod(t, directory, 0o755)
			asNobody(t, func() {
				s, err := Open(context.Background(), path, test.options)
				if err == nil {
					_ = s.Close()
				}
				if !errors.Is(err, store.ErrReadOnly) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "its directory "+directory) {
					t.Errorf("got error %v, want one that is %q and names the file and its directory", err, store.ErrReadOnly)
				}
			})
		})
	}
}

// A real disk without room: a small file system in memory, where the user may mount one.
func TestFullDisk(t *testing.T) {
	directory := t.TempDir()
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(directory, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	s := openAt(t, filepath.Join(directory, "dayshift.db"), Options{})
	large := []store.Activity{someRow[0]}
	large[0].Detail = strings.Repeat("x", 32<<10)
	written := int64(0)
	var err error
	for err == nil && written < 100 {
		if err = s.Append(t.Context(), store.Lease{}, large); err == nil {
			written++
		}
	}
	says(t, err, store.ErrFull, s.path, "make room", directory)
	says(t, errors.Join(s.Append(t.Context(), store.Lease{}, large)), store.ErrFull)
	if v, err := s.Verify(t.Context()); err != nil || v.Rows != written || v.BadAt != 0 {
		t.Errorf("after %d rows: %+v, %v", written, v, err)
	}
	if err := syscall.Mount("tmpfs", directory, "tmpfs", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), store.Lease{}, large); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if v, err := s.Verify(t.Context()); err != nil || v.Rows != written+1 || v.BadAt != 0 {
		t.Errorf("with room again: %+v, %v", v, err)
	}
}

// A disk can be full of files with room left in each.
func TestNoRoomForAnotherFile(t *testing.T) {
	directory := t.TempDir()
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, "nr_inodes=2"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(directory, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	s, err := Open(t.Context(), filepath.Join(directory, "dayshift.db"), Options{})
	if err == nil {
		_ = s.Close()
	}
	says(t, err, store.ErrFull, "dayshift.db", "make room", directory)
}
