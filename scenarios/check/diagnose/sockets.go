package diagnose

import (
	"math"
	"time"
)

// From how many sockets an instance's datagrams came tells how many of its workers speak,
// and whether others took their places: a worker has a client of its own, and that has a
// socket. Clients that open one for each datagram tell nothing, and those little that opened
// one before their workers were forked.

// sockets are what the collector saw of an instance.
type sockets struct {
	first int64 // how many spoke as soon as their client had to
	// later is how many more had come at each interval end, and ahead when their workers may
	// have taken their places: a client that holds counts back is seen that much later.
	later, ahead []float64
	most         float64 // how many came later in the end
}

const (
	// mostSockets is how many the collector tells apart.
	mostSockets = 1000
	// fewDatagrams is how many a socket must have sent on average, so that it was not opened
	// for each.
	fewDatagrams = 3
)

// newSockets finds them; nil where nobody knows.
func (t *track) newSockets(hold time.Duration) *sockets {
	if len(t.SourcesAt) != len(t.Ticks) || len(t.Ticks) < 3 || t.n == 0 {
		return nil
	}
	all := t.SourcesAt[len(t.SourcesAt)-1]
	if all == 0 || all > mostSockets || all > 4 && fewDatagrams*all > float64(t.Datagrams) {
		return nil
	}
	interval := t.Ticks[1] - t.Ticks[0]
	begun := t.Acked[0] + hold + interval
	s := &sockets{}
	for k, at := range t.Ticks {
		if s.first = int64(t.SourcesAt[k]); s.first > 0 && at >= begun {
			break
		}
	}
	ahead := int((hold + interval - 1) / interval)
	for k := range t.Ticks {
		s.later = append(s.later, max(0, t.SourcesAt[k]-float64(s.first)))
		s.ahead = append(s.ahead, max(0, t.SourcesAt[min(k+ahead, len(t.Ticks)-1)]-float64(s.first)))
	}
	s.most = s.later[len(s.later)-1]
	return s
}

// speak scores that so many workers speak. Who answered a few requests only may not have
// been heard yet.
func (t *track) speak(workers int64) float64 {
	if t.from == nil {
		return 0
	}
	w, most := float64(workers), float64(t.from.first)+t.from.most
	heard := w * (1 - math.Pow(1-1/max(1.01, w), float64(t.Total)))
	return max(t.from.doubt(), -4*max(0, float64(t.from.first)-w, heard-0.5-most))
}

// socketsKnown tells whether they are known of all accounts of a set.
func (k *court) socketsKnown(set []int) bool {
	for _, i := range set {
		if k.tracks[i].from == nil {
			return false
		}
	}
	return true
}

// doubt is what it costs that workers speak, or came, and no socket of theirs was seen: one
// that all share hides them.
func (s *sockets) doubt() float64 {
	if s.first == 1 && s.most == 0 {
		return oneForAll
	}
	return unseen
}

const (
	oneForAll = -2.5
	unseen    = -10.0
)

// replacing is what it speaks for the loss of what workers held, that workers were replaced
// at all: most programs keep theirs.
const replacing = 2.3

// replaced scores that what is lost was lost when another worker took the place of one, where
// it is known when these came: each time up to what a client holds.
func (k *court) replaced(set []int, otherwise fit) fit {
	f, seen := otherwise.clone(), fit{shared: replacing}
	for j, i := range set {
		t := &k.tracks[i]
		switch {
		case t.from == nil:
			seen.shared = never
		case t.from.most == 0:
			f.each[j] += 2 * t.from.doubt() // none of many came
			seen.shared = never
		default:
			together := t.both(t.from.together)
			f.each[j] = max(f.each[j]-2, together)
			seen.each = append(seen.each, together)
		}
	}
	if math.IsInf(seen.shared, -1) {
		return f
	}
	return f.or(seen)
}

// together scores that counts lack where other sockets came.
func (s *sockets) together(t *track) float64 {
	each := float64(t.wrong) / s.most
	// A worker is replaced at any moment between two of its client's flushes.
	usual := max(0.5, t.clump/2/float64(max(1, s.first)))
	off := math.Log(each / usual)
	spread := 0.8 + 0.6/math.Sqrt(s.most)
	if off > 0 {
		spread = 0.2 + 0.6/math.Sqrt(s.most)
	}
	amount := -off * off / (2 * spread * spread)
	lost := func(k int) (early, due float64) {
		if k < 0 {
			return 0, 0
		}
		l := each * (s.later[k] + s.ahead[k]) / 2
		return l, l
	}
	at := func(k int) (later, ahead float64) {
		if k < 0 {
			return 0, 0
		}
		return s.later[k], s.ahead[k]
	}
	return max(unseen, amount) + t.shaped(lost, func(b block, mean float64) float64 {
		was, wasAhead := at(b.from)
		is, isAhead := at(b.to)
		events := (is - was + isAhead - wasAhead) / 2
		around := wasAhead - was + isAhead - is
		return each*each*(events/3+around/4) + 0.25
	})
}
