package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockName is the file that every runner of a user locks the bytes of its ports
// in.
const lockName = "ports.lock"

// openLock opens the user's lock file in the first place where nobody else can
// be in the way: directories for everybody are not such places, for whoever
// makes a name there first has it. Where there is none at all the runner locks
// a file of its own: its ports are then only seen to be free, not kept from
// other runners.
func openLock(places []string) (*os.File, error) {
	for _, dir := range places {
		if privateDir(dir) != nil {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			continue
		}
		// Not every file system has locks. Nobody listens on port 0.
		if err := lockPort(lock, 0); err == nil || errors.Is(err, errPortLocked) {
			return lock, nil
		}
		_ = lock.Close() // nothing was written
	}
	lock, err := os.CreateTemp("", "throughline-ports-*.lock")
	if err != nil {
		return nil, err
	}
	return lock, os.Remove(lock.Name()) // it is used by nobody else
}

// userDirs are where a user's runners may keep what they share, the best first.
// Sources: https://specifications.freedesktop.org/basedir-spec/latest/ and
// os.UserCacheDir.
func userDirs() []string {
	var dirs []string
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		dirs = append(dirs, filepath.Join(dir, "throughline"))
	}
	if dir, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(dir, "throughline"))
	}
	return append(dirs, filepath.Join(os.TempDir(), fmt.Sprintf("throughline-of-%d", os.Geteuid())))
}

// privateDir makes the directory where it is missing, and refuses one that
// another user has or may write to.
func privateDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || !ownedByUs(info) || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a directory of this user alone", dir)
	}
	return nil
}

func ownedByUs(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
