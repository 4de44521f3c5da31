package statsd

import (
	"sync/atomic"
	"time"
)

// junkGate lets so many lost lines a second through for each reason. It is asked
// for each of them and takes no lock.
type junkGate struct {
	rate   int64
	counts [fates]struct {
		second     atomic.Int64 // since 1970, that given is about
		given      atomic.Int64
		suppressed atomic.Uint64
	}
}

// allow tells whether to show a line, and how many were not shown before it.
func (g *junkGate) allow(f fate, now time.Time) (suppressed uint64, ok bool) {
	c := &g.counts[f]
	second := now.Unix()
	if was := c.second.Load(); was != second && c.second.CompareAndSwap(was, second) {
		c.given.Store(0)
	}
	if c.given.Load() >= g.rate || c.given.Add(1) > g.rate {
		c.suppressed.Add(1)
		return 0, false
	}
	return c.suppressed.Swap(0), true
}
