package report

import (
	"io"
	"os"
	"strconv"

	"github.com/mattn/go-isatty"
)

// The widths that text is laid out for: below, the ledgers do not stand side by
// side; above, lines are too long to be read.
const (
	leastWidth = 60
	mostWidth  = 200
	usualWidth = 80 // of what does not tell its own
)

// Terminal is how text can be written to an output.
type Terminal struct {
	Width int  // of a line in characters, 60 to 200
	Color bool // with ANSI colors
	Live  bool // a line can be rewritten in place
}

// NewTerminal looks at an output and at the environment: NO_COLOR
// (https://no-color.org) and FORCE_COLOR (https://force-color.org; it wins, and 0
// means no) where they are not empty, TERM=dumb for a terminal that can only be
// written to, and COLUMNS for the width of what is no terminal.
func NewTerminal(w io.Writer, getenv func(string) string) Terminal {
	f, ok := w.(*os.File)
	terminal := ok && isatty.IsTerminal(f.Fd())
	able := terminal && getenv("TERM") != "dumb"
	t := Terminal{Width: usualWidth, Color: able && getenv("NO_COLOR") == "", Live: able}
	if force := getenv("FORCE_COLOR"); force != "" {
		t.Color = force != "0"
	}
	if terminal {
		t.Width = columns(w)
	} else if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
		t.Width = n
	}
	t.Width = min(max(t.Width, leastWidth), mostWidth)
	return t
}
