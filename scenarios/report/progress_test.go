package report

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/live"
)

// screen is as much of a terminal as progress needs: it moves to the begin of
// a line, clears to its end, and begins new ones. A line that is wider than
// the terminal, or one rewritten without being cleared, shows.
type screen struct {
	lines  []string
	column int
	writes int
}

func (s *screen) Write(p []byte) (int, error) {
	s.writes++
	if len(s.lines) == 0 {
		s.lines = []string{""}
	}
	text := string(p)
	for text != "" {
		line := []rune(s.lines[len(s.lines)-1])
		switch {
		case strings.HasPrefix(text, "\x1b[K"):
			s.lines[len(s.lines)-1] = string(line[:s.column])
			text = text[len("\x1b[K"):]
			continue
		case text[0] == '\r':
			s.column = 0
		case text[0] == '\n':
			s.lines, s.column = append(s.lines, ""), 0
		default:
			r := []rune(text)[0]
			if s.column < len(line) {
				line[s.column] = r
			} else {
				line = append(line, r)
			}
			s.column++
			s.lines[len(s.lines)-1] = string(line)
			text = text[len(string(r)):]
			continue
		}
		text = text[1:]
	}
	return len(p), nil
}

func (s *screen) String() string { return strings.Join(s.lines, "\n") }

func status(left time.Duration, acked uint64) live.Status {
	return live.Status{PhaseLeft: left, Rate: 198.6, P50: 1200 * time.Microsecond, P99: 8900 * time.Microsecond, Acked: acked, Instances: []string{"web-1", "web-3"}}
}

// play is a run with two phases, of which the second does not end.
func play(p *Progress, look func(when string)) {
	p.Begin("replace-an-instance", "Replace an instance, keep the metrics.", "42", "runs/r7c1", 2)
	p.Phase("warm-up", 0)
	look("begun")
	p.Tick(status(7*second, 200))
	p.Tick(status(6*second, 400))
	look("ticking")
	p.Note("the collector listens")
	look("noted")
	end := status(0, 1600)
	end.Unknown = 2
	p.EndPhase(8*second, end)
	p.Phase("one instance dies", 1)
	p.Step("kill web-2", 430*ms, nil)
	p.Step("freeze web-9", 2*second, errors.New("web-9: no such\ninstance"))
	s := status(3*second, 1234)
	s.Refused, s.Unknown, s.Instances = 1234, 5, []string{"web-1", "web-2", "web-3", "web-4", "web-5"}
	p.Tick(s)
	look("dying")
	p.Close()
	p.Tick(s)
	p.Note("too late")
	look("closed")
}

func TestProgressOnATerminal(t *testing.T) {
	var s screen
	begin := "replace-an-instance: Replace an instance, keep the metrics.\n  seed 42, record in runs/r7c1\n"
	done := begin + "  the collector listens\n" +
		"  1/2 warm-up               8.0 s  1,600 acked (199/s)  p50 1.2 ms  p99 8.9 ms  2 unknown\n" +
		"      kill web-2  (took effect in 430 ms)\n" +
		"      freeze web-9  FAILED after 2.0 s: web-9: no such instance\n"
	live := "  1/2 warm-up             6 s left   199/s  p50 1.2 ms  p99 8.9 ms  web-1 web-3"
	dying := "  2/2 one instance dies   3 s left   199/s  1,234 refused  5 unknown"
	want := map[string]string{
		"begun":   begin + "  1/2 warm-up",
		"ticking": begin + live,
		"noted":   begin + "  the collector listens\n" + live,
		"dying":   done + dying,
		"closed":  done + dying + "\n",
	}
	play(NewProgress(&s, true), func(when string) {
		if got := s.String(); got != want[when] {
			t.Errorf("%s: the terminal shows\n%s\nwant\n%s", when, got, want[when])
		}
	})
}

func TestProgressInALog(t *testing.T) {
	var b strings.Builder
	play(NewProgress(&b, false), func(string) {})
	want := `replace-an-instance: Replace an instance, keep the metrics.
  seed 42, record in runs/r7c1
  the collector listens
  1/2 warm-up               8.0 s  1,600 acked (199/s)  p50 1.2 ms  p99 8.9 ms  2 unknown
      kill web-2  (took effect in 430 ms)
      freeze web-9  FAILED after 2.0 s: web-9: no such instance
`
	if b.String() != want {
		t.Errorf("the log reads\n%s\nwant\n%s", &b, want)
	}
}

// A line that did not change is not written again, and one that did is written
// at once: else it flickers.
func TestProgressWritesALineAtOnce(t *testing.T) {
	var s screen
	p := NewProgress(&s, true)
	p.Phase("warm-up", 0)
	before := s.writes
	p.Tick(status(second, 1))
	p.Tick(status(second, 1))
	p.Note("x")
	if s.writes != before+2 {
		t.Errorf("%d writes, want 2", s.writes-before)
	}
}

// Steps end while the load ticks: no line may be lost or torn.
func TestProgressConcurrently(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		var s screen
		p := NewProgress(&s, terminal)
		p.Phase("busy", 0)
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				for i := range 50 {
					p.Tick(status(time.Duration(i)*second, uint64(i)))
					p.Note(fmt.Sprintf("note %d of %d", i, g))
				}
			})
		}
		all.Wait()
		p.EndPhase(second, live.Status{})
		p.Close()
		seen := map[string]bool{}
		for _, line := range s.lines {
			seen[line] = true
		}
		if len(s.lines) != 402 { // 400 notes, the phase, and the empty last line
			t.Errorf("terminal %v: %d lines, want 402", terminal, len(s.lines))
		}
		for g := range 8 {
			for i := range 50 {
				if note := fmt.Sprintf("  note %d of %d", i, g); !seen[note] {
					t.Fatalf("terminal %v: %q is lost or torn", terminal, note)
				}
			}
		}
	}
}

// What was answered is called by its answer; unknown is what nobody can know.
func TestProgressCallsAnswersByTheirClass(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&out, false)
	p.Phase("warm-up", 0)
	p.EndPhase(time.Second, live.Status{Acked: 5, Unknown: 1, Answered: [6]uint64{3: 2, 4: 1200}})
	if got := out.String(); !strings.HasSuffix(got, "  1 unknown  2 answered 3xx  1,200 answered 4xx\n") {
		t.Errorf("%q", got)
	}
	out.Reset()
	p.EndPhase(time.Second, live.Status{Acked: 5, Answered: [6]uint64{5: 1}})
	if got := out.String(); !strings.HasSuffix(got, "  1 answered 5xx\n") || strings.Contains(got, "unknown") {
		t.Errorf("%q", got)
	}
}
