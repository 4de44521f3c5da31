package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOthersAreNotInTheWay: where another user was first, the next place does.
func TestOthersAreNotInTheWay(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	good := at("good/throughline")
	squat := map[string]func(dir string) error{
		"file":  func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"link":  func(dir string) error { return os.Symlink(t.TempDir(), dir) },
		"open":  func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)) },
		"lock":  func(dir string) error { return os.MkdirAll(filepath.Join(dir, lockName), 0o700) },
		"aloof": func(dir string) error { return os.Symlink("/dev/null", dir) },
	}
	if os.Geteuid() == 0 {
		squat["other"] = func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 1, 1)) }
	}
	var bad []string
	for name, do := range squat {
		bad = append(bad, at(name))
		if err := do(at(name)); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := openLock(append(bad, good))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if lock.Name() != filepath.Join(good, lockName) {
		t.Errorf("the lock is %s, want it in %s", lock.Name(), good)
	}
	other, err := openLock(append(bad, good))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := lockPort(lock, 12345); err != nil {
		t.Fatal(err)
	}
	if err := lockPort(other, 12345); !errors.Is(err, errPortLocked) {
		t.Errorf("a second runner locks the same port: %v", err)
	}
	alone, err := openLock(bad)
	if err != nil {
		t.Fatalf("where there is no place at all: %v", err)
	}
	defer alone.Close()
	if err := lockPort(alone, 12345); err != nil {
		t.Errorf("a runner alone cannot lock: %v", err)
	}
}

func TestUsersDirectories(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "relative")
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("TMPDIR", "/tmp/x")
	if dirs := userDirs(); len(dirs) != 1 || !strings.HasPrefix(dirs[0], "/tmp/x/throughline-of-") {
		t.Errorf("without a home: %q", dirs)
	}
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	t.Setenv("HOME", "/home/x")
	if dirs := userDirs(); len(dirs) != 3 || dirs[0] != "/run/user/7/throughline" {
		t.Errorf("with a session: %q", dirs)
	}
}

// TestOnlyWhatIsLeftIsSwept: what has no lock file is not a platform's, and what
// is locked is in use.
func TestOnlyWhatIsLeftIsSwept(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	used, alive, err := makeTemp()
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	left, gone, err := makeTemp()
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	guarded, its, err := makeTemp()
	if err != nil {
		t.Fatal(err)
	}
	release := keepAlive(guarded)
	if err := its.Close(); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(temp, "throughline-up-1")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	there := func(dir string) bool { _, err := os.Stat(dir); return err == nil }
	sweep(temp)
	if !there(used) || !there(guarded) || !there(foreign) || there(left) {
		t.Errorf("in use: %t, its guard alive: %t, another's: %t, left: %t; want all but the last", there(used), there(guarded), there(foreign), there(left))
	}
	release()
	sweep(temp)
	if there(guarded) || !there(used) {
		t.Errorf("its guard gone: %t, in use: %t; want the latter", there(guarded), there(used))
	}
}
