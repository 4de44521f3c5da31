//go:build unix

package report

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// columns asks the terminal w for its width in characters, each time anew:
// people resize it.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			return int(size.Col)
		}
	}
	return usualWidth
}
