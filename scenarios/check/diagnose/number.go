package diagnose

import (
	"fmt"
	"math"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// A client may send when it holds so many counts, however long that takes. How long it holds them says nothing then: what it holds is
// always fewer than that, and what it has sent is a multiple of it.

const (
	// fewestOfOne is the smallest number by which a client is thought to send: twos come of counting twice.
	fewestOfOne = 3
	// coincidences is how unlikely it must be, as a logarithm, that counts are multiples by chance.
	coincidences = 14.0
)

// byNumber is how many counts at a time all instances send; 0: they do not. Every increment is a multiple of it, and none lacks as
// many, or has more than was acknowledged.
func (k *court) byNumber() int64 {
	if k.Scraped {
		return 0
	}
	var number int64
	increments := 0
	for i := range k.tracks {
		t := &k.tracks[i]
		if t.Rate < 1 || t.Sampled >= 0 && t.Sampled != t.Total { // then the collector multiplies
			return 0
		}
		was := 0.0
		for _, counted := range t.Counted {
			if counted == was {
				continue
			}
			number, was = greatestDivisor(number, int64(math.Round(counted-was))), counted
			increments++
		}
	}
	if number < fewestOfOne || float64(increments)*math.Log(float64(number)) < coincidences {
		return 0
	}
	for i := range k.tracks {
		t := &k.tracks[i]
		if t.Total > t.n+t.Spare || t.least >= number { // but for what a kill may have taken of a full one
			return 0
		}
	}
	return number
}

func greatestDivisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, -a)
}

// sendsByNumber narrows what its client must have sent by each interval end: all full batches, and no more is known.
func (t *track) sendsByNumber(number int64) {
	for k := range t.Ticks {
		t.old[k] -= t.old[k] % number
		if t.old[k] < t.n {
			t.leftBy[k] = min(t.leftBy[k], t.Acked[t.old[k]]-1)
		}
	}
}

// heldByNumber: what is missing is what did not fill a last batch, with whoever was ended, and with who lives on.
func heldByNumber(k *court, set, sound []int) fit {
	if k.number == 0 || !k.lossOnly(set) {
		return impossible(set)
	}
	whole := func(t *track) float64 { // whether no more than what was under way differs from the rest of a division
		if t.Total%k.number != 0 {
			return never
		}
		return 0
	}
	return fitEach(k, set, sound, whole, whole).saying(k, func(t *track) clause {
		c := clause{why: fmt.Sprintf("each time that counts came they were %s, or a multiple of it: the client sends when it holds so many, however long that takes, and ", words.Number(k.number))}
		switch {
		case t.Killed != record.Never:
			c.why += fmt.Sprintf("held %s at the kill at %s", words.Number(t.wrong), words.Seconds(t.Killed))
		case t.ended() != record.Never:
			c.why += fmt.Sprintf("was not flushed at its exit at %s", words.Seconds(t.ended()))
		default:
			c.why += fmt.Sprintf("still holds %s at the end", words.Number(t.wrong))
		}
		if t.n > 0 && t.wrong > 0 {
			c.from, c.to = t.lostFrom(t.wrong), t.Acked[t.n-1]
		}
		return c
	})
}
