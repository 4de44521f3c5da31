package diagnose

import (
	"math"
	"slices"
	"time"

	"throughline/scenarios/record"
)

// track is an account with what its curves leave open: at least low and at most high had been
// lost for good at each interval end, because nobody knows what the client still held and what
// was under way. Of a surplus it is how many were too many.
type track struct {
	*Account
	n, wrong int64 // acknowledged; lost, or counted too much
	surplus  bool
	low      []float64
	high     []float64
	gated    []gate              // see gates
	random   map[float64]float64 // what atRandom found, by how many come at once
	// gone is what was missing, or too many, at each interval end and from then on, whatever
	// the client still held.
	gone []float64
	step stretch // see stepped
	// lastCount is the end of the last interval in which anything was counted.
	lastCount time.Duration
	// stretched is what inAStretch found; 0: not asked yet.
	stretched float64
	// least and most is how many were lost or too many in the end.
	least, most int64
	// noise is the standard deviation of what declared sampling makes of n requests.
	noise float64
	old   []int64 // acknowledged before Since
	due   []int64 // sent to it, and maybe counted
	// What was made by leftBy has left at an interval end, and what has come was made by madeBy.
	leftBy, madeBy []time.Duration
	guessed        bool                         // for how long it holds counts is known from its gaps, not declared
	sharp          bool                         // old and due are known from lumps, see sharpen
	exact          bool                         // they are known from the twin, see follow
	clump          float64                      // how many counts a client that holds as long as declared may send at once
	unit           float64                      // how many counts come in one datagram, as the collector saw them
	block          []block                      // see lay
	beat           *rhythm                      // nil: nothing can be told of it
	from           *sockets                     // nil: nobody knows
	kin            []relative                   // of Kin
	onBeats        map[time.Duration][]arrivals // see arrivals
	timed          *track                       // the twin; nil: nobody knows when its values came
	abreast        bool                         // its values come at once with the counts
	span           time.Duration                // from the first acknowledgement to the last
}

func newTrack(a *Account) track {
	n := int64(len(a.Acked))
	t := track{Account: a, n: n, wrong: n - a.Total, surplus: a.Open < 0 || a.Open == 0 && n < a.Total}
	if a.Rate < 1 {
		t.noise = math.Sqrt(float64(n) * (1 - a.Rate) / a.Rate)
	}
	slack := int64(3 * t.noise)
	t.least, t.most = t.wrong-a.Buffer-slack, t.wrong+a.Spare+slack
	if t.surplus {
		t.wrong, t.least, t.most = -t.wrong, -t.most, -t.least
	}
	t.least, t.most = max(0, t.least), max(0, t.most)
	if n > 0 {
		t.span = a.Acked[n-1] - a.Acked[0]
	}
	t.gone = make([]float64, len(a.Ticks))
	for k := len(a.Ticks) - 1; k >= 0; k-- {
		t.gone[k] = float64(upTo(a.Acked, a.Ticks[k])) - a.Counted[k]
		if t.surplus {
			t.gone[k] = -t.gone[k]
		}
		if k+1 < len(a.Ticks) {
			t.gone[k] = min(t.gone[k], t.gone[k+1])
		}
	}
	for k := range t.gone {
		t.gone[k] = max(0, t.gone[k])
	}
	for k := 1; k < len(a.Ticks); k++ {
		if a.Counted[k] > a.Counted[k-1] {
			t.lastCount = a.Ticks[k]
		}
	}
	return t
}

// lag is how old the oldest request was, at most, that was not counted yet at an interval end
// and was counted later, beyond what Since allows.
func (t *track) lag() time.Duration {
	var longest time.Duration
	for k := range len(t.Ticks) - 1 {
		have := int64(math.Ceil(t.Counted[k]))
		if t.surplus {
			have -= int64(t.gone[k])
		} else {
			have += int64(math.Ceil(t.gone[k]))
		}
		if have >= 0 && have < t.n && t.noise == 0 {
			longest = max(longest, t.Since[k]-t.Acked[have])
		}
	}
	return longest
}

// bound lays out what the curves leave open, if the client holds what it got for so much
// longer than declared, or until it has such a number of counts (0: it goes by time).
func (t *track) bound(longer time.Duration, number int64, c *Case) {
	held := c.Window + longer
	t.guessed = longer > 0
	t.clump = 1 + t.rate()*held.Seconds()
	t.unit = t.clump
	if lines := min(t.Lines, t.Datagrams); lines > 0 {
		t.unit = max(1, min(t.clump, float64(t.Total)/float64(lines)))
	}
	t.old = make([]int64, len(t.Ticks))
	for k := range t.Ticks {
		t.Since[k] -= longer
		t.old[k] = upTo(t.Acked, t.Since[k])
		if t.Killed != record.Never && t.Ticks[k] >= t.Killed {
			t.old[k] = max(0, min(t.old[k], t.n-t.Buffer)) // what the kill took was never sent
		}
	}
	t.due, t.leftBy, t.madeBy = slices.Clone(t.Sent), slices.Clone(t.Since), slices.Clone(t.Ticks)
	if number > 0 {
		t.sendsByNumber(number)
	}
	t.from = t.newSockets(held)
	t.sharpen(c)
	if t.abreast {
		t.follow()
	}
	t.narrow()
	switch {
	case t.exact:
		t.lay(0)
	case t.sharp:
		t.lay(c.Interval)
	default:
		t.lay(held)
	}
	t.beat = t.newRhythm()
	t.relatives(held)
}

// block is a part of a life, from one interval end to another: what was acknowledged and what
// was counted in it. The count is known to a variance, because nobody knows what the client
// held back at either end.
type block struct {
	from, to               int // interval ends; from is -1 in the first block
	acked, counted, unsure float64
}

// mostBlocks is into how many a life is divided at most.
const mostBlocks = 24

// lay divides the life into blocks that are long beside what a client holds back.
func (t *track) lay(hold time.Duration) {
	t.block = nil
	last, width, acked, counted := -1, 0.0, 0.0, 0.0
	slope := max(0.2, float64(t.Total)/float64(max(1, t.n)))
	for k, at := range t.Ticks {
		end := k == len(t.Ticks)-1
		if last >= 0 && !end && at-t.Ticks[last] < max(2*hold, t.end()/mostBlocks) {
			continue
		}
		early, due := t.requestsAt(k)
		n, w := float64(early+due)/2, slope*float64(due-early)
		if n > acked || end {
			t.block = append(t.block, block{last, k, n - acked, t.Counted[k] - counted, t.unsure(width, w)})
			last, width, acked, counted = k, w, n, t.Counted[k]
		}
	}
	for i := range t.block {
		t.block[i].unsure += t.noise * t.noise / float64(len(t.block))
	}
}

// someCounts is the variance of a count for which nothing is known to be uncertain: answers
// and counts pass each other.
const someCounts = 0.15

// unsure is the variance of the counts of a block at whose beginning and end a client holds
// so many at most. One that adds counts up, and sends fewer in a line than it may hold, has
// several parts, such as workers, and each has its own beat: then it holds about as much at
// both, though nobody knows how much. What is held because all stood still is held at once.
func (t *track) unsure(before, after float64) float64 {
	if t.sharp { // it has one part, whose beat is anywhere
		return (before*before+after*after)/12 + someCounts + t.split()
	}
	line := 2 * float64(t.Total) / float64(max(1, t.Lines))
	if line < 3 || before == 0 || after == 0 {
		line = math.Inf(1)
	}
	usual := func(held float64) float64 {
		normal := min(held, 1.5*t.clump)
		return normal*min(normal, line)/12 + (held*held-normal*normal)/12
	}
	return usual(before) + usual(after) + someCounts
}

// split is the variance of what comes of a request at the end of an interval, before the value of
// its twin or after it: half of what one counts.
func (t *track) split() float64 {
	if !t.exact {
		return 0
	}
	each := max(1, float64(t.Total)/float64(max(1, t.n)))
	return each * each / 4
}

// requestsAt is how many requests a client must have sent the counts of at an interval end,
// and how many it may have.
func (t *track) requestsAt(k int) (early, due int64) {
	if k < 0 {
		return 0, 0
	}
	return t.old[k], max(t.old[k], min(t.n, t.due[k])+t.Spare)
}

// shape is how many are lost, or too many, at each interval end: of what a client must have
// sent by then, and of what it may have.
type shape func(k int) (early, due float64)

// shaped scores a shape, where chance adds a variance to what is lost in each block. It is
// the logarithm of how likely the counts of all blocks are, relative to a prediction that
// leaves no more to chance than the client's own delay: who predicts little pays for it.
func (t *track) shaped(predicted shape, chance func(b block, mean float64) float64) float64 {
	if t.n == 0 || len(t.block) < 2 {
		return 0
	}
	at := func(k int) (wrong, counted, width float64) {
		if k < 0 {
			return 0, 0, 0
		}
		one, other := t.requestsAt(k)
		early, due := predicted(k)
		least, most := float64(one)-early, float64(other)-due
		if t.surplus {
			least, most = float64(one)+early, float64(other)+due
		}
		return (early + due) / 2, (least + most) / 2, most - least
	}
	var score float64
	wasWrong, was, wasWidth := 0.0, 0.0, 0.0
	for _, b := range t.block {
		wrong, counted, width := at(b.to)
		unsure := t.unsure(wasWidth, width) + t.noise*t.noise/float64(len(t.block))
		variance := unsure + chance(b, wrong-wasWrong)
		off := b.counted - (counted - was)
		score += -0.5*math.Log(variance/b.unsure) - off*off/(2*variance)
		wasWrong, was, wasWidth = wrong, counted, width
	}
	return min(0, score) * float64(len(t.block)-1) / float64(len(t.block)) // one is given by the total
}

// spreads scores that of all requests the same share is lost, or counted again, wherever
// they are; each such event strikes about so many at once, and the events are as irregular
// as those of chance (1), or less so.
func (t *track) spreads(unit, irregular float64) float64 {
	return t.both(func(v *track) float64 {
		if v != t {
			return v.spreadsAlone(min(unit, v.unit), irregular)
		}
		return t.spreadsAlone(unit, irregular)
	})
}

func (t *track) spreadsAlone(unit, irregular float64) float64 {
	p := t.share()
	factor := max(0.02, 1-p) * max(1, unit) * irregular
	return min(t.atRandom(unit), t.shaped(t.along(func(requests int64) float64 { return p * float64(requests) }),
		func(_ block, mean float64) float64 { return max(0, mean) * factor }))
}

// share is of all its requests how many are lost, or counted again.
func (t *track) share() float64 {
	wrong := float64(t.wrong)
	if t.Killed != record.Never {
		wrong = float64(t.least+t.most) / 2
	}
	return wrong / float64(max(1, t.n))
}

// certainly is the variance of what happens by no chance.
func certainly(block, float64) float64 { return 0 }

// along makes a shape, which is given by the number of requests, one of interval ends.
func (t *track) along(wrong func(requests int64) float64) shape {
	return func(k int) (early, due float64) {
		one, other := t.requestsAt(k)
		return wrong(one), wrong(other)
	}
}

// upTo tells how many of the sorted times are not after t.
func upTo(sorted []time.Duration, t time.Duration) int64 {
	n, _ := slices.BinarySearchFunc(sorted, t, func(at, t time.Duration) int {
		if at <= t {
			return -1
		}
		return 1
	})
	return int64(n)
}

// since counts the acknowledgements at t or later.
func (t *track) since(at time.Duration) int64 { return t.n - upTo(t.Acked, at-1) }

// rate is how many requests a second it answered.
func (t *track) rate() float64 { return float64(t.n) / max(1, t.span.Seconds()) }

// ended tells when an instance was told to end and could flush; record.Never for one that
// lives on or was killed.
func (t *track) ended() time.Duration {
	switch {
	case t.Killed != record.Never || t.Life.Death == record.Never:
		return record.Never
	case t.Life.Signalled != record.Never:
		return t.Life.Signalled
	}
	return t.Life.Death
}

// alive tells whether it lived on to the end of the run.
func (t *track) alive() bool { return t.Life.Death == record.Never }

// begin is when its life began, as far as it is known.
func (t *track) begin() time.Duration {
	switch {
	case t.Life.Birth != record.Never:
		return t.Life.Birth
	case t.n > 0:
		return t.Acked[0]
	}
	return 0
}

// end is when its life was over, or the record.
func (t *track) end() time.Duration {
	if t.Life.Death != record.Never {
		return t.Life.Death
	}
	if len(t.Ticks) > 0 {
		return t.Ticks[len(t.Ticks)-1]
	}
	return 0
}
