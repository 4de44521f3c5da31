// Package owndisk gives a process a small file system of its own, in memory, which can be filled without hurting anybody.
//
// It is mounted in a mount namespace of the process, so that the kernel takes it away with the process, however that ends:
// nobody has to unmount it. Others reach it by way of /proc (see [Seen]). It needs Linux and the right to mount.
package owndisk

import (
	"path/filepath"
	"strconv"
)

// Seen is where another process of the machine finds a directory that the process pid has on a file system of its own.
func Seen(pid int, dir string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), "root", dir)
}
