package diagnose

import (
	"math"
	"slices"
	"time"

	"throughline/scenarios/record"
)

// Where a client sends counts and the values of the twin at once, the twin tells at each interval
// end of how many requests the counts have been sent: what it has more is lost for good, and
// nothing is uncertain about when. It is seen from what lacks: counts that are held while
// values come lack for a while, and are made up for.

// abreast finds at whom counts and values of the twin come at once, and tells of how many accounts
// it is seen. Where one of them shows that they do not, all others only seem so: the interval
// ends do not fall between the two.
func (k *court) abreast() int {
	const enough, few, many = 8, 0.02, 0.1 // a datagram may come just before an interval's end, and the next just after
	seen, apart := 0, false
	for i := range k.tracks {
		t := &k.tracks[i]
		if t.Twin.Kind == "" || t.n == 0 || t.noise > 0 || len(t.Twin.At) != len(t.Ticks) {
			continue
		}
		held, behind := t.madeUp(k.Window)
		t.abreast = held >= enough && behind <= few*held
		if t.abreast {
			seen++
		}
		apart = apart || held >= enough && behind > many*held
	}
	if apart {
		for i := range k.tracks {
			k.tracks[i].abreast = false
		}
		return 0
	}
	return seen
}

// madeUp tells how many counts a client that holds for so long may have held at all interval ends,
// on average, and how many lacked at one beside the twin and came later. What is lost for good in
// an interval hides as many that are made up for.
func (t *track) madeUp(window time.Duration) (held, behind float64) {
	ahead := make([]float64, len(t.Ticks)) // of the twin
	intervals := 0.0
	for k := 1; k < len(t.Ticks); k++ {
		if t.within(t.Ticks[k-1], t.Ticks[k]) > 0 {
			intervals++
		}
	}
	hidden, sent := float64(t.wrong)/max(1, intervals), 1.0
	if !t.surplus {
		sent -= float64(t.wrong) / float64(t.n)
	}
	for k := range t.Ticks {
		ahead[k] = t.Twin.At[k] - t.Counted[k]
		if t.surplus {
			ahead[k] = -ahead[k]
		}
		if k < t.untilKilled() && k < len(t.Ticks)-1 {
			held += max(0, sent*t.within(t.Ticks[k]-window/2, t.Ticks[k])-hidden)
		}
	}
	was := 0.0 // who is behind from the start is behind too
	for _, is := range ahead {
		behind += max(0, was-is)
		was = is
	}
	return held, behind
}

// twinComplete tells whether the twin has a value for each request, but for what a kill took.
func (t *track) twinComplete() bool {
	return t.Twin.Kind != "" && math.Abs(float64(t.n-t.Twin.N)) <= float64(t.Buffer+t.Spare)
}

// follow narrows what a client has sent by each interval end to what the twin says.
func (t *track) follow() {
	exact := t.Twin.N - t.Total // a kill takes as many of both, and of unknown outcome are as many
	if t.surplus {
		exact = -exact
	}
	if !t.twinComplete() || exact < t.least-1 || exact > t.most+1 {
		return
	}
	spare := max(0, t.Twin.N-t.n)
	old, due, since, until := slices.Clone(t.old), slices.Clone(t.due), slices.Clone(t.leftBy), slices.Clone(t.madeBy)
	for k, came := range t.Twin.At {
		n := min(t.n, int64(came))
		old[k], due[k] = max(0, n-spare), n
		if t.Killed != record.Never && t.Ticks[k] >= t.Killed {
			old[k] = min(old[k], max(0, t.n-t.Buffer))
		}
		if n > 0 && n < t.n && t.from != nil && t.from.first == 1 { // one sender sends in the order of time
			since[k], until[k] = max(since[k], t.Acked[n-1]), max(since[k], min(until[k], t.Acked[n]))
		}
	}
	if !t.agrees(old, due) {
		return
	}
	t.exact, t.sharp, t.old, t.due, t.leftBy, t.madeBy = true, true, old, due, since, until
	t.least, t.most = min(t.most, max(t.least, exact-1)), max(t.least, min(t.most, exact+1))
	a := *t.Account
	a.Spare, t.Account = spare, &a
}

// struckToo adds that what strikes all that a client sends at once must have struck the twin,
// where the counts of some stretch of each account are lost: they may have been sent apart by
// less than that, and nobody saw it.
func (f fit) struckToo(k *court, set []int, stretch func(t *track) (from, to time.Duration)) fit {
	for j, i := range set {
		t := &k.tracks[i]
		if k.together == 0 || !t.twinComplete() || t.least < 2 || t.wrong > t.n {
			continue
		}
		from, to := stretch(t)
		missed := 1 - (min(to, t.Acked[t.n-1])-max(from, t.Acked[0])).Seconds()/k.Interval.Seconds()
		f.each[j] += max(contradicted, float64(k.together)*math.Log(max(1e-6, missed)))
	}
	return f
}
