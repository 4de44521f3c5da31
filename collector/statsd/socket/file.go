package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// fileMode lets every user write to a Unix socket and nobody but its owner read.
// Source: setSocketWriteOnly in comp/dogstatsd/listeners/uds_common.go of
// github.com/DataDog/datadog-agent.
const fileMode = 0o722

// file is the name in the file system of a Unix socket that is ours.
type file struct {
	path string
	info fs.FileInfo
}

// claim makes sure that a socket can be bound to path: there is nothing yet, or
// a socket that an ended process left, which is removed.
func claim(path string) error {
	found, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return checkDirectory(filepath.Dir(path))
	case err != nil:
		return err
	case found.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("there is a file already that is not a socket (%s): move it away or choose another path", found.Mode())
	}
	if err := abandoned(path); err != nil {
		return err
	}
	// Another process may have replaced it since. That it does so between
	// here and the next line cannot be ruled out.
	if now, err := os.Lstat(path); err != nil || !os.SameFile(found, now) {
		return explain(unix.EADDRINUSE)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the socket that an ended process left: %w", err)
	}
	return nil
}

func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("directory %s does not exist: make it or choose another path", dir)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory: choose another path", dir)
	}
	return nil
}

// abandoned fails unless nobody has the socket at path open.
func abandoned(path string) error {
	// A socket of streams refuses a probe of datagrams by its type, if it
	// is alive: unlike a connection, that leaves no trace there.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer func() { _ = unix.Close(fd) }()
	unix.CloseOnExec(fd)
	switch err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); {
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("there is a socket already, and whether a process listens there cannot be told: %w: choose another path", err)
	}
	return explain(unix.EADDRINUSE)
}

// explain says what to do about an error of bind.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%w: another process listens there: stop it or choose another address", unix.EADDRINUSE)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w: this user may not listen there: choose another address", err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%w: it is not an address of this machine: choose one that is", err)
	}
	return err
}

// own opens the socket at path, just made, to every user.
func own(path string) (*file, error) {
	info, err := os.Lstat(path)
	if err == nil {
		err = os.Chmod(path, fileMode)
	}
	if err != nil {
		return nil, fmt.Errorf("let others write to it: %w", err)
	}
	return &file{path: path, info: info}, nil
}

// remove removes the file if it is still ours.
func (f *file) remove() error {
	if f == nil {
		return nil
	}
	now, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(f.info, now) {
		return nil
	}
	if err == nil {
		err = os.Remove(f.path)
	}
	return err
}
