// Package scratch makes temporary directories that do not outlive their program for
// long: what one leaves behind that was killed, the next removes.
//
// It knows nothing of what is kept there. It is for whatever is not asked to stay: the
// series of a collector without --data, the store that a judge asks PromQL of, a
// configuration that HAProxy is to check, the word of where a stack is up. compose/local
// looks after its own directory, which it ends the instances of first.
package scratch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A directory of ours begins with prefix, and has a file called lockName, which is
// locked as long as its program lives, and what the program keeps, in content.
const (
	prefix   = "throughline-"
	lockName = ".scratch"
	content  = "content"
)

// Dir is a temporary directory.
type Dir struct {
	Path string // exists, is empty, and is its owner's alone
	top  string
	lock *os.File
}

// New makes one, whose name says what it is for ("collect"). Those whose programs are
// gone are removed first, as far as that can be done.
func New(what string) (*Dir, error) {
	sweep(os.TempDir())
	top, err := os.MkdirTemp("", prefix+what+"-")
	if err != nil {
		return nil, err
	}
	d := &Dir{Path: filepath.Join(top, content), top: top}
	if err := d.take(); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", top, err), d.Remove())
	}
	return d, nil
}

// take locks the directory. The lock has its name only once it is locked, so that
// nobody sees it without.
func (d *Dir) take() (err error) {
	path := filepath.Join(d.top, lockName)
	if d.lock, err = os.OpenFile(path+".new", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err != nil {
		return err
	}
	return errors.Join(syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX), os.Mkdir(d.Path, 0o700), os.Rename(path+".new", path))
}

// Remove removes the directory and all in it.
func (d *Dir) Remove() error {
	err := os.RemoveAll(d.top)
	if d.lock != nil {
		_ = d.lock.Close() // nothing was written
	}
	return err
}

// sweep removes the directories in temp whose programs are gone.
func sweep(temp string) {
	entries, _ := os.ReadDir(temp) // New says it better if there is no such directory
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && e.IsDir() {
			sweepOne(filepath.Join(temp, e.Name()))
		}
	}
}

func sweepOne(dir string) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || !ownedByUs(info) {
		return
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return // not one of these
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		_ = os.RemoveAll(dir) // else the next tries again
	}
}

// Find gives the paths of this user's directories of a name whose programs still run.
func Find(what string) (paths []string) {
	tops, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+what+"-*")) // the pattern is well formed, but for an odd TMPDIR
	for _, top := range tops {
		if info, err := os.Lstat(top); err != nil || !info.IsDir() || !ownedByUs(info) {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(top, lockName), os.O_RDWR|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue // not one of these
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil {
			paths = append(paths, filepath.Join(top, content))
		}
		_ = lock.Close() // nothing was written
	}
	return paths
}

func ownedByUs(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
