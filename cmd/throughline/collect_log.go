package main

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"throughline/collector/server"
	"throughline/collector/statsd"
)

// junkShown is how much of a bad line is shown, in bytes.
const junkShown = 200

// collectLog shows samples of the lines that did not become part of a number, and
// what is found wrong with others.
type collectLog struct {
	mu    sync.Mutex
	w     io.Writer
	found map[string]int // findings by kind
}

func (l *collectLog) junk(junk statsd.Junk) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %q", junk.Reason, junk.Line[:min(junkShown, len(junk.Line))])
	if len(junk.Line) > junkShown {
		fmt.Fprintf(&b, "… (%d bytes)", len(junk.Line))
	}
	switch {
	case junk.Instance != "":
		fmt.Fprintf(&b, " from %s", junk.Instance)
	case junk.From.IsValid():
		fmt.Fprintf(&b, " from %s", junk.From)
	}
	if junk.Suppressed > 0 {
		fmt.Fprintf(&b, "; %d more like it not shown", junk.Suppressed)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w, b.String())
}

// findingsShown is how many findings of a kind are shown when they are made.
const findingsShown = 10

func (l *collectLog) finding(f statsd.Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found[f.Kind]++
	switch n := l.found[f.Kind]; {
	case n <= findingsShown:
		fmt.Fprintln(l.w, spellFinding(f))
	case n == findingsShown+1:
		fmt.Fprintf(l.w, "%s: there are more; the page of the HTTP API has them\n", f.Kind)
	}
}

// spellFinding writes a finding in a line.
func spellFinding(f statsd.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", f.Kind, f.Metric)
	if f.Kind == statsd.TagsInName {
		fmt.Fprintf(&b, " has tags in its name that became part of it; --tags %s understands them", f.Other)
		f.Other = ""
	}
	for _, part := range []struct{ word, text string }{{"and", f.Other}, {"tag", f.Tag}, {"instance", f.Instance}} {
		if part.text != "" {
			fmt.Fprintf(&b, ", %s %s", part.word, part.text)
		}
	}
	lines := "lines"
	if f.Lines == 1 {
		lines = "line"
	}
	fmt.Fprintf(&b, " (%d %s)", f.Lines, lines)
	return b.String()
}

// summary tells what came in and what went out.
func summary(w io.Writer, s *server.Server) {
	ledger := s.Ledger()
	total := ledger.Total
	drops := "an unknown number of datagrams"
	if total.KernelDropsKnown {
		drops = plural(total.KernelDrops, "datagram")
	}
	fmt.Fprintf(w, "%s, %s, %s, %s, %s dropped by the kernel\n", plural(total.Datagrams, "datagram"), plural(total.Lines, "line"),
		plural(total.BadLines(), "bad line"), plural(total.RefusedLines(), "refused line"), drops)
	for _, f := range ledger.Findings {
		fmt.Fprintln(w, spellFinding(f))
	}
	for _, f := range s.Forwards() {
		fmt.Fprintf(w, "%s to %s: %d of %d sent, %d dropped", f.Kind, f.To, f.Sent, f.In, f.Dropped)
		if f.LastError != "" {
			fmt.Fprintf(w, " (%s)", f.LastError)
		}
		fmt.Fprintln(w)
	}
}
