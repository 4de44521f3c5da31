package docstore

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// freeOn tells how many bytes the file system of a file has free.
func freeOn(path string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, fmt.Errorf("how much room there is for %s: %w", path, os.NewSyscallError("statfs", err))
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}
