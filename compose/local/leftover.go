package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The runner cleans up after itself, and the guard after a runner that could
// not. Where both were killed the next runner does: it finds the temporary
// directory, in which a file is locked as long as one of the two lives.
const (
	tempPrefix = "throughline-"
	aliveName  = ".alive"
)

// makeTemp makes the platform's temporary directory. alive is its lock.
func makeTemp() (dir string, alive *os.File, err error) {
	if dir, err = os.MkdirTemp("", tempPrefix); err != nil {
		return "", nil, err
	}
	// It has its name only once it is locked, so that nobody sees it without.
	path := filepath.Join(dir, aliveName)
	alive, err = os.OpenFile(path+".new", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		if err = errors.Join(syscall.Flock(int(alive.Fd()), syscall.LOCK_SH), os.Rename(path+".new", path)); err == nil {
			return dir, alive, nil
		}
		_ = alive.Close() // nothing was written
	}
	return "", nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), os.RemoveAll(dir))
}

// keepAlive is the guard's share of the lock. Without one it still does its
// work, perhaps beside another runner, to which nothing is lost.
func keepAlive(dir string) (release func()) {
	f, err := os.OpenFile(filepath.Join(dir, aliveName), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return func() {}
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return func() { _ = f.Close() }
}

// sweep removes what runners left that are gone, guard and all: processes,
// cgroups and directories. What it cannot remove stays for the next runner.
func sweep(temp string) {
	entries, _ := os.ReadDir(temp) // New says it better if there is no such directory
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) && e.IsDir() {
			sweepOne(filepath.Join(temp, e.Name()))
		}
	}
}

func sweepOne(dir string) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || !ownedByUs(info) {
		return
	}
	f, err := os.OpenFile(filepath.Join(dir, aliveName), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return // not a platform's
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return // its runner or its guard lives
	}
	new(table).endStrays(filepath.Base(dir) + "/")
	_ = removeGroups(filepath.Base(dir))
	_ = os.RemoveAll(dir)
}
