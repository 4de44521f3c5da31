package server

import (
	"fmt"
	"io"
	"sync"

	"throughline/collector/statsd"
)

// findingsShown is how many findings of a kind are shown when they are made.
const findingsShown = 10

// Log shows samples of the lines that did not become part of a number, and what is found
// wrong with others, as they come. Its methods are for statsd.Config and may be called
// by several goroutines at once.
type Log struct {
	mu    sync.Mutex
	w     io.Writer
	found map[string]int // findings by kind
}

// NewLog writes to w, a line for each.
func NewLog(w io.Writer) *Log { return &Log{w: w, found: map[string]int{}} }

// Junk shows a line that became part of no number.
func (l *Log) Junk(j statsd.Junk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w, j)
}

// Found shows a finding, unless many of its kind were shown.
func (l *Log) Found(f statsd.Finding) {
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

// WriteSummary tells what came in and what went out, in a few lines of text.
func (s *Server) WriteSummary(w io.Writer) {
	ledger := s.Ledger()
	total := ledger.Total
	drops := "an unknown number of datagrams"
	if total.KernelDropsKnown {
		drops = plural(total.KernelDrops, "datagram")
	}
	fmt.Fprintf(w, "%s, %s, %s, %s, %s dropped by the kernel\n", plural(total.Datagrams, "datagram"), plural(total.Lines, "line"),
		plural(total.BadLines(), "bad line"), plural(total.RefusedLines(), "refused line"), drops)
	for _, f := range ledger.Findings {
		fmt.Fprintln(w, f)
	}
	for _, f := range s.Forwards() {
		fmt.Fprintf(w, "%s to %s: %d of %d sent, %d dropped", f.Kind, f.To, f.Sent, f.In, f.Dropped)
		if f.LastError != "" {
			fmt.Fprintf(w, " (%s)", f.LastError)
		}
		fmt.Fprintln(w)
	}
}

// plural writes "1 line" and "2 lines".
func plural(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
