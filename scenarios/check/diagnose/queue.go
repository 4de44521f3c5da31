package diagnose

import (
	"fmt"
	"math"
	"time"

	"throughline/scenarios/check/words"
)

// A client's queue has room for so many calls, and is emptied on a beat. What a queue of some
// room and beat would have dropped can be told from the requests themselves, beat by beat:
// with room for 10 each 100 ms it drops 4 of 14, and none of 9.

// queue is what such a queue would have dropped of each account's requests.
type queue struct {
	beat  time.Duration
	room  float64
	split bool // among several workers, as chance will have it
}

// beats are how often queues are thought to be emptied.
var beats = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second}

// arrivals are how many requests of an account fall on each beat, and which is the first.
type arrivals struct {
	first int64
	n     []float64
}

func (t *track) arrivals(beat time.Duration) arrivals {
	if t.n == 0 {
		return arrivals{}
	}
	a := arrivals{first: int64(t.Acked[0] / beat)}
	a.n = make([]float64, int64(t.Acked[t.n-1]/beat)-a.first+1)
	for _, at := range t.Acked {
		a.n[int64(at/beat)-a.first]++
	}
	return a
}

// drops is how many of so many requests on a beat the queue drops.
func (q queue) drops(n float64) float64 {
	over := n - q.room
	if !q.split || n == 0 {
		return max(0, over)
	}
	// The mean of what is above the room, of a number that is normally distributed.
	s := math.Sqrt(n)
	z := over / s
	return over*0.5*math.Erfc(-z/math.Sqrt2) + s*math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)
}

// of is how many of an account's requests it drops.
func (q queue) of(a arrivals) (sum float64) {
	for _, n := range a.n {
		sum += q.drops(n)
	}
	return sum
}

// roomFor finds the room with which a queue drops so many of all.
func (q queue) roomFor(all []arrivals, wrong float64) queue {
	least, most := 0.0, 1.0
	for _, a := range all {
		for _, n := range a.n {
			most = max(most, n+5*math.Sqrt(n))
		}
	}
	for range 30 {
		q.room = (least + most) / 2
		var sum float64
		for _, a := range all {
			sum += q.of(a)
		}
		if sum > wrong {
			least = q.room
		} else {
			most = q.room
		}
	}
	return q
}

// queued fits one queue to all accounts: how many each lost, and when.
func (k *court) queued(set, sound []int) (fit, queue) {
	best, found := impossible(set), queue{}
	wrong, _ := k.pool(set)
	for _, beat := range beats {
		all := map[int]arrivals{}
		var lossy []arrivals
		for _, i := range set {
			all[i] = k.tracks[i].arrivals(beat)
			lossy = append(lossy, all[i])
		}
		for _, i := range sound {
			all[i] = k.tracks[i].arrivals(beat)
		}
		for _, split := range []bool{false, true} {
			q := queue{beat: beat, split: split}.roomFor(lossy, float64(wrong))
			f := fit{}
			for _, i := range set {
				t := &k.tracks[i]
				f.each = append(f.each, t.droppedBy(q, all[i]))
			}
			for _, i := range sound {
				t := &k.tracks[i]
				f.shared += max(-6, t.amount(q.of(all[i])))
			}
			f.shared += choice(int64(2*len(beats))) - 0.5*math.Log(float64(max(2, wrong)))
			if f.total() > best.total() {
				best, found = f, q
			}
		}
	}
	return best, found
}

// amount scores that a queue dropped so many of the account's requests: about as many as
// are missing.
func (t *track) amount(dropped float64) float64 {
	off := max(0, float64(t.least)-dropped, dropped-float64(t.most))
	return normal(off, 1+dropped+dropped*dropped/25)
}

// droppedBy scores how many a queue dropped of the account's requests, and when.
func (t *track) droppedBy(q queue, a arrivals) float64 {
	whole := q.of(a)
	score := t.amount(whole)
	if whole == 0 {
		return score - 6
	}
	return score + t.both(func(t *track) float64 { return t.droppedWhen(q, a, whole) })
}

// droppedWhen scores when a queue dropped requests that would have dropped so many of them.
func (t *track) droppedWhen(q queue, a arrivals, whole float64) float64 {
	scale := float64(t.wrong) / whole
	upTo := make([]float64, len(a.n)+1)
	for i, n := range a.n {
		upTo[i+1] = upTo[i] + scale*q.drops(n)
	}
	lost := func(requests int64) float64 {
		if requests <= 0 || t.n == 0 {
			return 0
		}
		at := t.Acked[min(requests, t.n)-1]
		return upTo[min(int64(at/q.beat)-a.first+1, int64(len(a.n)))]
	}
	return t.shaped(t.along(lost), func(_ block, mean float64) float64 { return 0.5 + max(0, mean) + mean*mean/50 })
}

// queueFull: a queue of some room drops what is beyond it.
func queueFull(k *court, set, sound []int) fit {
	if !k.lossOnly(set) {
		return impossible(set)
	}
	f, q := k.queued(set, sound)
	f.shared += k.mostly(set) / 2
	// A queue may be of one metric, or of all.
	apart, packed := f.clone().twins(k, set, sampledToo, 0.3), f.clone().twins(k, set, lostToo, 2)
	packed.shared -= 2
	f = apart.or(packed)
	return f.saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("of the intervals with more requests %.0f %% is missing, of those with fewer %.0f %%, as with room for about %s in %s: the client's queue is full at the peaks, and drops",
			100*k.pace.fast, 100*k.pace.slow, words.Number(int64(math.Round(q.room))), q.beat)}
	})
}
