package diagnose

import "time"

// What the counters of other routes show: a client, a worker or a network that loses counts
// loses theirs as well, and code that does not count one route counts the others.

// kinComplete scores that an instance's other counters have all that they should.
func (t *track) kinComplete() float64 {
	var score float64
	for _, r := range t.kin {
		score -= 2 * max(0, r.lost-r.slack)
	}
	return max(contradicted, score)
}

// kinLost scores that they lost their part: of those that were answered between from and to,
// the same share as the metric itself, as many at once as a datagram has of them.
func (t *track) kinLost(from, to time.Duration, share float64) float64 {
	var score float64
	for i, r := range t.kin {
		among := float64(upTo(t.Kin[i].Acked, to) - upTo(t.Kin[i].Acked, from-1))
		expected := share * among
		at := t.unit * float64(len(t.Kin[i].Acked)) / float64(max(1, t.n))
		variance := 0.25 + expected*max(0.05, 1-share)*max(1, at)
		off := max(0, expected-r.lost-r.slack, r.lost-r.slack-expected)
		score -= off * off / (2 * variance)
	}
	return max(contradicted, score)
}

// kinTwice scores that they came twice as often as the metric itself: one that has just what it
// should contradicts that. Those that have more are not among them, as nobody knows what they count.
func (t *track) kinTwice(share float64) float64 {
	var score float64
	for i, r := range t.kin {
		expected := share * (float64(len(t.Kin[i].Acked)) - r.slack)
		at := t.unit * float64(len(t.Kin[i].Acked)) / float64(max(1, t.n))
		off := max(0, expected+min(0, r.lost))
		score -= off * off / (2 * (0.25 + max(0, expected)*max(1, at)))
	}
	return max(contradicted, score)
}

// relative is how many another counter lacks; slack of them may be lost for reasons that are
// known.
type relative struct{ lost, slack float64 }

// relatives lays the other counters out. What a kill took is nobody's fault.
func (t *track) relatives(hold time.Duration) {
	t.kin = nil
	for _, c := range t.Kin {
		r := relative{lost: float64(int64(len(c.Acked)) - c.Total)}
		if t.Killed >= 0 {
			r.slack = float64(int64(len(c.Acked)) - upTo(c.Acked, t.Killed-hold))
		}
		t.kin = append(t.kin, r)
	}
}

// othersComplete adds to each account that its other counters have all they should.
func (f fit) othersComplete(k *court, set []int) fit {
	for j, i := range set {
		f.each[j] += k.tracks[i].kinComplete()
	}
	return f
}

// othersLost adds that they lost the same share all the while.
func (f fit) othersLost(k *court, set []int) fit {
	for j, i := range set {
		t := &k.tracks[i]
		f.each[j] += t.kinLost(0, forever, t.share())
	}
	return f
}

// othersTwice adds that they were counted twice as often.
func (f fit) othersTwice(k *court, set []int) fit {
	for j, i := range set {
		t := &k.tracks[i]
		f.each[j] += t.kinTwice(min(1, t.share()))
	}
	return f
}

// othersLostIn adds that they lost all that was answered in a stretch of each instance's life.
func (f fit) othersLostIn(k *court, set []int, stretch func(t *track) (from, to time.Duration)) fit {
	for j, i := range set {
		t := &k.tracks[i]
		from, to := stretch(t)
		f.each[j] += t.kinLost(from, to, 1)
	}
	return f
}
