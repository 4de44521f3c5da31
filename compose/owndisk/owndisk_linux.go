package owndisk

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exec gives this process a file system of so many bytes, mounted at a directory, and executes another program in its
// place, with these arguments (the first is its name). It returns only with an error.
func Exec(dir string, size int64, path string, args []string) error {
	// The namespace is that of a thread until exec makes the thread the process.
	runtime.LockOSThread()
	if err := mount(dir, size); err != nil {
		return fmt.Errorf("file system of its own at %s: %w", dir, err)
	}
	return os.NewSyscallError("exec", syscall.Exec(path, args, os.Environ()))
}

func mount(dir string, size int64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	// Else what is mounted here would be mounted for all.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount --make-rprivate /", err)
	}
	return os.NewSyscallError("mount", unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0700,size="+strconv.FormatInt(size, 10)))
}

// capSysAdmin is the number of the right to mount.
// Source: CAP_SYS_ADMIN in capabilities(7).
const capSysAdmin = 21

// Possible says why this process cannot have a file system of its own.
func Possible() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if mask, ok := strings.CutPrefix(line, "CapEff:"); ok {
			rights, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			if err != nil {
				return fmt.Errorf("/proc/self/status: CapEff: %w", err)
			}
			if rights>>capSysAdmin&1 == 1 {
				return nil
			}
			return errors.New("it takes the right to mount a file system (root, or CAP_SYS_ADMIN)")
		}
	}
	return errors.New("/proc/self/status tells no rights")
}

// largest is a file system that Fillable lets be filled: memory that is there on any machine.
const largest = 256 << 20

// Fillable says why the file system of a directory must not be filled: it is not in memory, or it is too large to be one
// of those that Exec makes.
func Fillable(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("%s: %w", dir, os.NewSyscallError("statfs", err))
	}
	if int64(fs.Type) != unix.TMPFS_MAGIC || fs.Blocks == 0 || fs.Blocks > largest/uint64(fs.Bsize) {
		return fmt.Errorf("%s: is on no small file system of its own", dir)
	}
	return nil
}
