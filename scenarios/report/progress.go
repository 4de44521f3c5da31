package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"throughline/live"

	"throughline/scenarios/check/words"
)

// Progress tells what a run is doing while it does it. On a terminal a live
// line is rewritten in place and becomes one permanent line when its phase
// ends; elsewhere (a CI log) only permanent lines are written.
//
// Its methods may be called by several goroutines at once. It reads no clock:
// times are arguments. What cannot be written is dropped: a closed terminal
// must not end a run, and the record and the report hold all of it.
type Progress struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	phases   int    // 0: nobody knows how many
	phase    string // "2/3 one instance dies"; empty: none is running
	live     string // the live line as it stands on the terminal; empty: none
	closed   bool
}

// clearLine is the ANSI sequence that clears from the cursor to the end of the
// line.
const clearLine = "\x1b[K"

// NewProgress writes to w. terminal tells whether w is one, on which a line can be
// rewritten.
func NewProgress(w io.Writer, terminal bool) *Progress {
	return &Progress{w: w, terminal: terminal}
}

// Begin tells which run begins: what it is about, its seed as printed for
// repeating it, the run directory and its number of phases; 0: as many as will be.
func (p *Progress) Begin(scenario, about, seed, dir string, phases int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phases = phases
	title := printable(scenario)
	if about != "" {
		title += ": " + printable(about)
	}
	p.permanent(title)
	p.permanent("  seed " + printable(seed) + ", record in " + printable(dir))
}

// Phase begins the phase with the given index, counted from 0.
func (p *Progress) Phase(name string, index int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phase = printable(name)
	if p.phases > 0 {
		p.phase = fmt.Sprintf("%d/%d %s", index+1, max(p.phases, index+1), p.phase)
	}
	p.rewrite("  " + p.phase)
}

// Step tells that a step took effect, or failed to, and how long that took.
func (p *Progress) Step(text string, took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf("      %s  (took effect in %s)", printable(text), latency(took))
	if err != nil {
		line = fmt.Sprintf("      %s  FAILED after %s: %s", printable(text), latency(took), printable(err.Error()))
	}
	p.permanent(line)
}

// Tick rewrites the live line. It writes nothing where there is no terminal.
func (p *Progress) Tick(s live.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var parts []string
	if p.phases > 0 {
		parts = append(parts, padLeft(fmt.Sprintf("%.0f s left", max(0, s.PhaseLeft).Seconds()), 8))
	}
	parts = append(parts, padLeft(perSecond(s.Rate), 6))
	parts = append(parts, trouble(s)...)
	parts = append(parts, "p50 "+latency(s.P50), "p99 "+latency(s.P99))
	if serving := printable(strings.Join(s.Instances, " ")); width(serving) <= 24 {
		parts = append(parts, serving)
	} else {
		parts = append(parts, words.Number(len(s.Instances))+" serving")
	}
	parts = append(parts, offset(s.Elapsed)+" since the start")
	// What does not fit is left out, the least important first.
	line, room := "  "+padRight(truncate(p.phase, 30), 22), columns(p.w)-1
	for _, part := range parts {
		if width(line)+2+width(part) > room {
			break
		}
		line += "  " + part
	}
	p.rewrite(line)
}

func perSecond(rate float64) string { return words.Number(int64(math.Round(rate))) + "/s" }

// trouble are the requests that were not acknowledged, where there are any.
func trouble(s live.Status) []string {
	var parts []string
	if s.Refused > 0 {
		parts = append(parts, words.Number(s.Refused)+" refused")
	}
	if s.Unknown > 0 {
		parts = append(parts, words.Number(s.Unknown)+" unknown")
	}
	for class, n := range s.Answered {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s answered %dxx", words.Number(n), class))
		}
	}
	return parts
}

// EndPhase turns the live line into a permanent one. took is how long the
// phase lasted; Rate, P50 and P99 of s are those of the whole phase.
func (p *Progress) EndPhase(took time.Duration, s live.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	parts := append([]string{"  " + padRight(p.phase, 22), padLeft(offset(took), 7),
		fmt.Sprintf("%s acked (%s)", words.Number(s.Acked), perSecond(s.Rate)), "p50 " + latency(s.P50), "p99 " + latency(s.P99)}, trouble(s)...)
	p.phase = ""
	p.erase()
	p.permanent(strings.Join(parts, "  "))
}

// Note writes a line that stays.
func (p *Progress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.permanent("  " + printable(text))
}

// Close leaves the cursor on a line of its own, with the last live line above
// it where a phase did not end. Nothing is written afterwards.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live != "" {
		io.WriteString(p.w, "\n")
		p.live = ""
	}
	p.closed = true
}

// permanent writes a line above the live line, in one write.
func (p *Progress) permanent(line string) {
	if p.closed {
		return
	}
	line = strings.TrimRight(line, " ") + "\n"
	if p.live != "" {
		line = "\r" + clearLine + line + p.live
	}
	io.WriteString(p.w, line)
}

// rewrite puts line in the place of the live line. It goes out in one write
// and is cleared behind its end, not before its beginning, so that it does not
// flicker; it is never as wide as the terminal, which would wrap it.
func (p *Progress) rewrite(line string) {
	if !p.terminal || p.closed {
		return
	}
	line = truncate(strings.TrimRight(line, " "), columns(p.w)-1)
	if line == p.live {
		return
	}
	io.WriteString(p.w, "\r"+line+clearLine)
	p.live = line
}

func (p *Progress) erase() {
	if p.live != "" {
		io.WriteString(p.w, "\r"+clearLine)
		p.live = ""
	}
}
