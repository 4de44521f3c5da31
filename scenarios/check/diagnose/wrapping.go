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
			coincidence += math.Log(max(1, float64(m)/float64(t.most-t.least+1)))
		}
		f := fitEach(k, set, sound, func(t *track) float64 {
			least := (t.least + m - 1) / m
			most := t.most / m
			if least > most || most == 0 || t.Total == 0 {
				return never
			}
			return binomial(t.n/m+1, least, most, min(0.99, rate), 1, 0) + t.inBatches(m)
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

// inBatches scores that all that is lost is lost in batches of m. Where it is known how much is lost
// at each interval end, that is a multiple of m each time: that chance does not do.
func (t *track) inBatches(m int64) float64 {
	if !t.exact {
		return t.spreads(float64(m), atIntervals)
	}
	batch := float64(m)
	was, whole := 0.0, 0.0
	for _, b := range t.block {
		lost := t.acked(b.to) - t.Counted[b.to]
		if math.Abs(lost-batch*math.Round(lost/batch)) > 0.5 {
			return t.spreads(batch, atIntervals)
		}
		if lost > was {
			was, whole = lost, whole+1
		}
	}
	p := t.share()
	return min(0, whole*math.Log(batch)+t.shaped(t.along(func(requests int64) float64 { return p * float64(requests) }),
		func(_ block, mean float64) float64 { return batch*batch/6 + max(0, mean)*batch*atIntervals }))
}
