package diagnose

import (
	"fmt"
	"math"
	"slices"
	"time"

	"throughline/scenarios/check/words"
)

// wraps are after how many counts a batch may begin anew: no counter has fewer than four bits.
var wraps = []int64{16, 32, 64, 100, 128, 256, 512, 1000, 1024, 4096, 65536}

// wrapping: a counter of a batch begins anew when it is full, and what it held is lost:
// always the same number, or a multiple of it.
func wrapping(k *court, set, sound []int) fit {
	if !k.lossOnly(set) {
		return impossible(set)
	}
	var best fit
	var batch int64
	held := k.Window + k.longer
	held += held/5 + 20*time.Millisecond // as what was acknowledged together was counted together
	room := int64(math.MaxInt64)         // a batch that was lost was full
	for _, i := range set {
		if t := &k.tracks[i]; t.least > 0 {
			room = min(room, t.fullest(held))
		}
	}
	for _, m := range wraps {
		if m > room {
			break
		}
		var batches, n int64
		for _, i := range set {
			batches, n = batches+k.tracks[i].wrong/m, n+k.tracks[i].n
		}
		if batches == 0 {
			continue
		}
		rate := float64(batches*m) / float64(n)
		// How unlikely it is that numbers are multiples by chance.
		var coincidence float64
		var seen []int64 // the same number again is no further coincidence
		for _, i := range set {
			t := &k.tracks[i]
			if slices.Contains(seen, t.wrong) {
				continue
			}
			seen = append(seen, t.wrong)
			coincidence += math.Log(max(1, float64(m)/float64(t.knownMost()-t.least+1)))
		}
		f := fitEach(k, set, sound, func(t *track) float64 {
			least := (t.least + m - 1) / m
			most := t.knownMost() / m
			if least > most || most == 0 || t.Total == 0 {
				return never
			}
			return binomial(t.n/m+1, least, most, min(0.99, rate), 1, 0) + t.inBatches(m, held)
		}, func(t *track) float64 { return binomial(t.n/m, 0, max(0, t.most)/m, min(0.99, rate), 1, 0) })
		f.shared += max(-9, 1.5*min(0, coincidence-7))
		f.shared += choice(int64(len(wraps))) + parameter(batches)
		if best.each == nil || f.total() > best.total() {
			best, batch = f, m
		}
	}
	if best.each == nil {
		return impossible(set)
	}
	return best.twins(k, set, complete, 0.3).othersComplete(k, set).saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("%s is %s times %s: a counter that begins anew after %s loses a batch at a time", words.Number(t.wrong), words.Number(t.wrong/batch), words.Number(batch), words.Number(batch))}
	})
}

// fullest is how many were acknowledged within so long at most: no more than a client can have held at once.
func (t *track) fullest(held time.Duration) int64 {
	most, from := 0, 0
	for to, at := range t.Acked {
		for t.Acked[from] < at-held {
			from++
		}
		most = max(most, to+1-from)
	}
	return int64(most)
}

// knownMost is how many were lost at most: where the twin has no value of a request whose outcome
// nobody knows, the instance answered none of them.
func (t *track) knownMost() int64 {
	if !t.twinComplete() {
		return t.most
	}
	return min(t.most, max(t.least, t.wrong+max(0, t.Twin.N-t.n)))
}

// inBatches scores that all that is lost is lost in batches of m, of clients that hold counts for so
// long. Where it is known how much is lost at each interval end, that is a multiple of m each time:
// that chance does not do.
func (t *track) inBatches(m int64, held time.Duration) float64 {
	batch, p := float64(m), t.share()
	whole := t.wholeBatches(m)
	variance := func(_ block, mean float64) float64 { return batch*batch/6 + max(0, mean)*batch*atIntervals }
	score := max(t.spreads(batch, atIntervals),
		whole*math.Log(batch)+t.shaped(t.along(func(requests int64) float64 { return p * float64(requests) }), variance))
	for workers := range mostQueues { // requests are many in some windows, and batches full in these alone
		if lost := t.fullBatches(m, held, float64(workers+1)); lost != nil {
			score = max(score, whole*math.Log(batch)-1+t.shaped(t.along(lost), variance))
		}
	}
	return min(0, score)
}

// wholeBatches tells how often more had been lost at an interval end, if it is known how much, and was
// a multiple of m each time; else 0.
func (t *track) wholeBatches(m int64) (whole float64) {
	if !t.exact {
		return 0
	}
	batch, was := float64(m), 0.0
	for _, b := range t.block {
		lost := t.acked(b.to) - t.Counted[b.to]
		if math.Abs(lost-batch*math.Round(lost/batch)) > 0.5 {
			return 0
		}
		if lost > was {
			was, whole = lost, whole+1
		}
	}
	return whole
}

// fullBatches is the shape of a loss of full batches of m, by each of some workers, of clients that
// hold counts for so long, from any moment on; nil where none would be full.
func (t *track) fullBatches(m int64, held time.Duration, workers float64) func(requests int64) float64 {
	upTo := make([]float64, t.n+1)
	full := map[int]float64{} // what is lost of so many
	for _, a := range t.arrivals(held) {
		first := 0
		for _, n := range a.n {
			lost, known := full[n]
			if !known {
				lost = batchesOf(float64(n), float64(m), workers)
				full[n] = lost
			}
			for i := first; i < first+n; i++ {
				upTo[i+1] += lost / float64(n) / phases
			}
			first += n
		}
	}
	for i := range t.n {
		upTo[i+1] += upTo[i]
	}
	if upTo[t.n] == 0 {
		return nil
	}
	scale := float64(t.wrong) / upTo[t.n]
	return func(requests int64) float64 { return scale * upTo[min(t.n, max(0, requests))] }
}

// batchesOf is how many of n counts are in full batches of m, on average, if workers share them as
// chance will have it.
func batchesOf(n, m, workers float64) float64 {
	if workers == 1 {
		return m * math.Floor(n/m)
	}
	mean := n / workers
	spread := math.Sqrt(mean * (1 - 1/workers))
	var full float64
	for j := 1.0; j*m < mean+5*spread; j++ {
		full += 0.5 * math.Erfc((j*m-0.5-mean)/(spread*math.Sqrt2))
	}
	return workers * m * full
}
