package statsd

import (
	"fmt"
	"io"
	"sync"
)

// findingsShown is how many findings of a kind are shown when they are made.
const findingsShown = 10

// Log shows samples of the lines that did not become part of a number, and what is found
// wrong with others, as they come. Its methods are for Config.Junk and
// Config.Found, and may be called
// by several goroutines at once.
type Log struct {
	mu    sync.Mutex
	w     io.Writer
	found map[string]int // findings by kind
}

// NewLog writes to w, a line for each.
func NewLog(w io.Writer) *Log { return &Log{w: w, found: map[string]int{}} }

// Junk shows a line that became part of no number.
func (l *Log) Junk(j Junk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w, j)
}

// Found shows a finding, unless many of its kind were shown.
func (l *Log) Found(f Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found[f.Kind]++
	switch n := l.found[f.Kind]; {
	case n <= findingsShown:
		fmt.Fprintln(l.w, f)
	case n == findingsShown+1:
		fmt.Fprintf(l.w, "%s: there are more; the page of the HTTP API has them\n", f.Kind)
	}
}

// WriteSummary tells what came in, in a few lines of text.
func (l Figures) WriteSummary(w io.Writer) {
	total := l.Total
	drops := "an unknown number of datagrams"
	if total.KernelDropsKnown {
		drops = plural(total.KernelDrops, "datagram")
	}
	fmt.Fprintf(w, "%s, %s, %s, %s, %s dropped by the kernel\n", plural(total.Datagrams, "datagram"), plural(total.Lines, "line"),
		plural(total.BadLines(), "bad line"), plural(total.RefusedLines(), "refused line"), drops)
	for _, f := range l.Findings {
		fmt.Fprintln(w, f)
	}
}

// plural writes "1 line" and "2 lines".
func plural(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
