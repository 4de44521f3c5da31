package diagnose

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/floats"

	"throughline/scenarios/check/words"
)

// A client's queue has room for so many calls, and is emptied on a beat. What a queue of some
// room and beat would have dropped can be told from the requests themselves, beat by beat:
// with room for 10 each 100 ms it drops 4 of 14, and none of 9. Each client's beats begin at
// its own moment, and each worker of an instance has a client.

// queue is what such a queue would have dropped of each account's requests.
type queue struct {
	beat    time.Duration
	room    float64 // of each worker's queue
	workers float64 // of an instance, among which requests are split as chance will have it
}

// beats are how often queues are thought to be emptied.
var beats = []time.Duration{50 * time.Millisecond, 75 * time.Millisecond, 100 * time.Millisecond, 140 * time.Millisecond, 200 * time.Millisecond,
	270 * time.Millisecond, 370 * time.Millisecond, 500 * time.Millisecond, 700 * time.Millisecond, time.Second}

const (
	// phases are how many moments of a beat are tried at which the first may begin.
	phases = 5
	// mostQueues is how many workers an instance is thought to have that each have a queue.
	mostQueues = 3
)

// arrivals are how many requests of an account fall on each beat, and how many came before it.
type arrivals struct {
	begin  time.Duration // of the first beat
	n      []int
	before []int64
	// beats is on how many beats each number of requests falls: numbers are few, beats are many.
	beats map[int]int
}

// arrivals are those of each phase of a beat.
func (t *track) arrivals(beat time.Duration) []arrivals {
	if all, known := t.onBeats[beat]; known {
		return all
	}
	var all []arrivals
	for phase := range time.Duration(phases) {
		all = append(all, t.arrivalsAt(beat, phase*beat/phases))
	}
	if t.onBeats == nil {
		t.onBeats = map[time.Duration][]arrivals{}
	}
	t.onBeats[beat] = all
	return all
}

func (t *track) arrivalsAt(beat, phase time.Duration) arrivals {
	if t.n == 0 {
		return arrivals{}
	}
	a := arrivals{begin: (t.Acked[0]-phase)/beat*beat + phase, beats: map[int]int{}}
	if a.begin > t.Acked[0] {
		a.begin -= beat
	}
	beats := int64((t.Acked[t.n-1]-a.begin)/beat) + 1
	a.n, a.before = make([]int, beats), make([]int64, beats)
	for _, at := range t.Acked {
		a.n[(at-a.begin)/beat]++
	}
	var sum int64
	for i, n := range a.n {
		a.before[i] = sum
		sum += int64(n)
		a.beats[n]++
	}
	return a
}

// drops is how many of so many requests on a beat the queue drops, and the variance of it.
func (q queue) drops(requests int) (mean, variance float64) {
	n := float64(requests)
	if q.workers == 1 || n == 0 {
		return max(0, n-q.room), 0
	}
	// The mean and the variance of what is above the room, of a number that is normally
	// distributed.
	over := n/q.workers - q.room
	s2 := n / q.workers * (1 - 1/q.workers)
	s := math.Sqrt(s2)
	z := over / s
	if z < -6 {
		return 0, 0
	}
	above, density := 0.5*math.Erfc(-z/math.Sqrt2), math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)
	one := over*above + s*density
	return q.workers * one, q.workers * max(0, (over*over+s2)*above+over*s*density-one*one)
}

// dropping is a queue that remembers what it drops.
type dropping struct {
	queue
	known []dropped // by the number of requests
}

// dropped is how many are dropped of a number of requests.
type dropped struct {
	mean, variance float64
	asked          bool
}

func (d *dropping) drops(requests int) dropped {
	if more := requests + 1 - len(d.known); more > 0 {
		d.known = append(d.known, make([]dropped, more)...)
	}
	is := &d.known[requests]
	if !is.asked {
		is.mean, is.variance = d.queue.drops(requests)
		is.asked = true
	}
	return *is
}

// of is how many of an account's requests it drops.
func (d *dropping) of(a arrivals) (whole dropped) {
	for _, n := range slices.Sorted(maps.Keys(a.beats)) {
		one, times := d.drops(n), float64(a.beats[n])
		whole.mean, whole.variance = whole.mean+times*one.mean, whole.variance+times*one.variance
	}
	return whole
}

// roomFor finds the room with which a queue drops so many of all.
func (q queue) roomFor(all []arrivals, wrong float64) queue {
	least, most := 0.0, 1.0
	beats := map[int]int{}
	for _, a := range all {
		for n, times := range a.beats {
			most = max(most, (float64(n)+5*math.Sqrt(float64(n)))/q.workers+1)
			beats[n] += times
		}
	}
	numbers := slices.Sorted(maps.Keys(beats))
	for most-least > 0.02*(1+least) {
		q.room = (least + most) / 2
		var sum float64
		for _, n := range numbers {
			mean, _ := q.drops(n)
			sum += float64(beats[n]) * mean
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
		var lossy []arrivals
		for _, i := range set {
			lossy = append(lossy, k.tracks[i].arrivals(beat)[0])
		}
		for workers := range mostQueues {
			fitted := queue{beat: beat, workers: float64(workers + 1)}.roomFor(lossy, float64(wrong))
			for _, room := range []float64{fitted.room, math.Floor(fitted.room), math.Ceil(fitted.room)} {
				q := fitted
				if q.room = room; room < 0.5 {
					continue
				}
				f := k.queuedBy(q, set, sound)
				f.shared += choice(int64(len(beats))) + choice(mostQueues) - 0.5*math.Log(float64(max(2, wrong)))
				if f.total() > best.total() {
					best, found = f, q
				}
			}
		}
	}
	return best, found
}

// queuedBy fits a queue whose beats begin at any moment at each account.
func (k *court) queuedBy(q queue, set, sound []int) fit {
	d := &dropping{queue: q}
	return fitEach(k, set, sound, func(t *track) float64 {
		scores := make([]float64, phases)
		for j, a := range t.arrivals(q.beat) {
			scores[j] = t.droppedBy(d, a)
		}
		return floats.LogSumExp(scores) + choice(phases)
	}, func(t *track) float64 {
		is := d.of(t.arrivals(q.beat)[0])
		return max(-6, t.amount(is.mean, is.variance+is.mean))
	})
}

// amount scores that a queue dropped so many of the account's requests: about as many as
// are missing.
func (t *track) amount(dropped, variance float64) float64 {
	off := max(0, float64(t.least)-dropped, dropped-float64(t.most))
	return normal(off, 1+variance+clumsy*dropped+dropped*dropped/100)
}

// clumsy is the part of what is dropped by which it differs since requests wait, and are
// answered later than their counts were made.
const clumsy = 0.15

// droppedBy scores how many a queue dropped of the account's requests, and when.
func (t *track) droppedBy(d *dropping, a arrivals) float64 {
	whole := d.of(a)
	score := t.amount(whole.mean, whole.variance)
	if whole.mean == 0 {
		return score - 6
	}
	return score + t.both(func(v *track) float64 { return v.droppedWhen(d, a, whole.mean, whole.variance/whole.mean) })
}

// droppedWhen scores when a queue dropped requests that would have dropped so many of them.
func (t *track) droppedWhen(d *dropping, a arrivals, whole, chancy float64) float64 {
	scale := float64(t.wrong) / whole
	upTo := make([]float64, len(a.n)+1)
	for i, n := range a.n {
		upTo[i+1] = upTo[i] + scale*d.drops(n).mean
	}
	lost := func(requests int64) float64 {
		if requests <= 0 || t.n == 0 {
			return 0
		}
		requests = min(requests, t.n)
		i := int((t.Acked[requests-1] - a.begin) / d.beat)
		return upTo[i] + scale*d.drops(int(requests-a.before[i])).mean
	}
	return t.shaped(t.along(lost), func(_ block, mean float64) float64 { return 0.3 + max(0, mean)*(chancy+clumsy) + mean*mean/200 })
}

// queueFull: a queue of some room drops what is beyond it.
func queueFull(k *court, set, sound []int) fit {
	if !k.lossOnly(set) {
		return impossible(set)
	}
	f, q := k.queued(set, sound)
	f.shared += k.mostly(set) / 2
	// A queue may be of one metric, or of all.
	apart, packed := f.clone().twins(k, set, queuedToo, 0.3), f.clone().twins(k, set, lostToo, 2)
	packed.shared -= 2
	f = apart.or(packed)
	return f.saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("of the intervals with more requests %.0f %% is missing, of those with fewer %.0f %%, as with room for about %s in %s: the client's queue is full at the peaks, and drops",
			100*k.pace.fast, 100*k.pace.slow, words.Number(int64(math.Round(q.room))), q.beat)}
	})
}
