package diagnose

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// A datagram that is lost, or comes twice, takes or brings all that is in it: of a client that adds up
// a second, all counts of that second.

// seldomSmaller bounds what it tells that none was seen that brings so few: one may be sent early.
const seldomSmaller = -2.5

// packed are by interval how many counts came in it, and in how many lines or datagrams, whichever are
// fewer; nil where they bring few counts each, or nobody knows.
func (t *track) packed() (counts, in []float64) {
	if t.unit < leastEach || len(t.LinesAt) != len(t.Ticks) || len(t.DatagramsAt) != len(t.Ticks) {
		return nil, nil
	}
	for j := 1; j < len(t.Ticks); j++ {
		if n := t.Counted[j] - t.Counted[j-1]; n > 0 {
			came := max(1, min(t.LinesAt[j]-t.LinesAt[j-1], t.DatagramsAt[j]-t.DatagramsAt[j-1]))
			counts, in = append(counts, n), append(in, came)
		}
	}
	return counts, in
}

// wholeDatagram scores that what is wrong is as much as one datagram brings at least: it is the
// logarithm of how many bring so few.
func (t *track) wholeDatagram() float64 {
	counts, in := t.packed()
	if len(counts) == 0 || t.least <= 0 {
		return 0
	}
	few := 0.5
	for j := range counts {
		each := counts[j] / in[j]
		if in[j] > 1 { // and one of several may bring less than they do on average
			each -= 2 * math.Sqrt(each)
		}
		if each <= float64(t.most) {
			few++
		}
	}
	return max(seldomSmaller, min(0, math.Log(few/float64(len(counts)))))
}

// cameAgain scores that what is counted too much came in further datagrams: in some intervals more of
// them than usual.
func (t *track) cameAgain() float64 {
	counts, in := t.packed()
	if len(counts) < leastBlocks {
		return 0
	}
	sorted := slices.Sorted(slices.Values(in))
	usual := sorted[len(sorted)/2]
	if usual > 2 { // one more is not seen
		return 0
	}
	further := 0.0
	for _, n := range in {
		further += max(0, n-usual)
	}
	expected := float64(t.least) / t.unit
	return max(seldomSmaller, min(0, math.Log(max(1e-9, distuv.Poisson{Lambda: max(0.01, expected)}.CDF(further)))))
}

// inDatagrams adds such a score to each account.
func (f fit) inDatagrams(k *court, set []int, score func(t *track) float64) fit {
	for j, i := range set {
		f.each[j] += score(&k.tracks[i])
	}
	return f
}
