package crew

import (
	"fmt"
	"time"

	"throughline/loadgen"
	"throughline/loadgen/crew/wire"
)

// ledger is which requests of a part have been told: all before low, and some from there on.
type ledger struct {
	part  loadgen.Part
	low   uint64 // as the part numbers them
	above map[uint64]bool
}

// enter enters a request by its number in the whole load, or says why it cannot be.
func (l *ledger) enter(seq uint64) error {
	of := uint64(l.part.Of)
	n := seq / of
	switch {
	case seq%of != uint64(l.part.Worker-1):
		return fmt.Errorf("request %d is another worker's", seq)
	case n < l.low || l.above[n]:
		return fmt.Errorf("request %d was told twice", seq)
	}
	if l.above == nil {
		l.above = map[uint64]bool{}
	}
	l.above[n] = true
	for l.above[l.low] {
		delete(l.above, l.low)
		l.low++
	}
	return nil
}

// missing are the numbers in the whole load of those before request n of the part that have not been told, and of all between
// those that have.
func (l *ledger) missing(n uint64) (all []uint64) {
	for m := range l.above {
		n = max(n, m)
	}
	for m := l.low; m < n; m++ {
		if !l.above[m] {
			all = append(all, l.part.Seq(m))
		}
	}
	return all
}

// agrees says why a row cannot be: each is what the plan has, when it has it, and its times follow each other.
func (c *Crew) agrees(r wire.Row) error {
	due, ok := c.config.Load.Shape.Due(r.Seq)
	route, word := c.plan.Request(r.Seq)
	switch {
	case !ok || r.Due != c.start+due:
		return fmt.Errorf("request %d was due at %v, and is told for %v", r.Seq, c.start+due, r.Due)
	case r.Route != route || r.Word != word:
		return fmt.Errorf("request %d is one of %s %s, and is told for one of %.100s %.100s", r.Seq, route, word, r.Route, r.Word)
	case r.Sent < r.Due || r.Done < r.Sent:
		return fmt.Errorf("request %d was due at %v, sent at %v and done at %v: its end comes before its beginning", r.Seq, r.Due, r.Sent, r.Done)
	}
	return nil
}

// merge is the ledger of all together.
type merge struct {
	tally *loadgen.Tally
	sum   loadgen.Stats // of the rows that there are
	late  time.Duration // above it, a request is late
	last  time.Duration // the latest due time of all rows
}

func newMerge(c loadgen.Config) merge {
	return merge{tally: loadgen.NewTally(c), late: c.LatenessP99}
}

// add adds a row.
func (m *merge) add(r loadgen.Row) {
	m.tally.Add(r)
	m.sum.Sent++
	switch r.Outcome {
	case loadgen.Acked:
		m.sum.Acked++
	case loadgen.Refused:
		m.sum.Refused++
	default:
		m.sum.Unknown++
	}
	m.sum.Worst = max(m.sum.Worst, r.Lateness())
	if r.Lateness() > m.late {
		m.sum.Late++
	}
}

// stats are those of the rows, and what workers have told of those that are still to come.
func (m *merge) stats(seats []*seat) loadgen.Stats {
	s := m.sum
	for _, of := range seats {
		s.InFlight += of.stats.InFlight
		s.Exhausted += of.stats.Exhausted
	}
	s.Sent += s.InFlight
	return s
}
