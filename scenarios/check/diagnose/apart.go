package diagnose

import (
	"slices"
	"strings"
	"time"
)

// span is when an account's difference arose: what the hypothesis says, or all its life.
func (k *court) span(i int, c clause) (from, to time.Duration) {
	t := &k.tracks[i]
	switch {
	case c.from != 0 || c.to != 0:
		return c.from, c.to
	case t.n > 0:
		return t.Acked[0], t.Acked[t.n-1]
	case len(t.Ticks) > 0:
		return t.Ticks[0], t.Ticks[len(t.Ticks)-1]
	}
	return 0, 0
}

// between says that the record does not decide, and what would.
func (k *court) between(possible []string, why string) string {
	return "the record does not tell whether it is " + strings.Join(possible, " or ") + " (if " + possible[0] + ": " + why + "); " + k.telling(possible)
}

// What the other metrics of an instance show tells these from the others.
var inAllMetrics = []string{SilentWorker, Turnover, NetLost, NetTwice, WentSilent, SilentStart, Away}

// telling says what would tell causes apart.
func (k *court) telling(possible []string) string {
	in := func(words ...string) bool {
		return slices.ContainsFunc(possible, func(c string) bool { return slices.Contains(words, c) })
	}
	timer := slices.ContainsFunc(k.tracks, func(t track) bool { return t.Twin.Kind != "" })
	all := 0
	for _, c := range possible {
		if slices.Contains(inAllMetrics, c) {
			all++
		}
	}
	switch {
	case !timer && all > 0 && all < len(possible):
		return "a timer of the same requests would tell (a nesting check that names it)"
	case in(QueueFull):
		return "a load that swings more would tell"
	case in(LostOnExit, LargeBuffer, WentSilent, Late, StillHeld):
		return "more instances that are ended, at other moments, would tell"
	case in(OtherRoute, Failures, Probes, Twice):
		return "another mix of routes, or another rate, would tell"
	case len(k.tracks) < 3:
		return "more instances would tell"
	}
	return "a longer run, or a higher rate, would tell"
}
