package diagnose

import (
	"math"

	"throughline/scenarios/record"
)

// allAtOnce scores that chance took all datagrams that several instances must have sent in a stretch in which nothing arrived from
// anybody: each sends at moments of its own, and what strikes datagrams one by one does not strike just these. It is the logarithm
// of how likely that is in the most telling of the stretches, of which the run has as many as intervals.
func (k *court) allAtOnce(set []int) float64 {
	var lost, n float64
	for _, i := range set {
		lost, n = lost+float64(k.tracks[i].wrong), n+float64(k.tracks[i].n)
	}
	if lost <= 0 || lost >= n {
		return 0
	}
	stretches := math.Log(float64(max(1, len(k.heard))))
	var worst float64
	for _, c := range k.silences() {
		if datagrams, senders := k.dueIn(c); senders > 1 {
			worst = min(worst, datagrams*math.Log(lost/n)+stretches)
		}
	}
	return max(contradicted, worst)
}

// dueIn is how many datagrams must have left within a stretch, at least, and of how many instances: with the counts of what was
// answered after it began, and so long before it ended that no client still held them.
func (k *court) dueIn(c stretch) (datagrams float64, senders int) {
	for i := range k.tracks {
		t := &k.tracks[i]
		if t.begin() > c.from || t.Life.Death != record.Never && t.Life.Death < c.to || t.Killed != record.Never && t.Killed < c.to {
			continue
		}
		if due := upTo(t.Acked, c.to-k.Interval-k.Window-k.longer) - upTo(t.Acked, c.from); due > 0 {
			datagrams, senders = datagrams+max(1, float64(due)/max(1, t.unit)), senders+1
		}
	}
	return datagrams, senders
}
