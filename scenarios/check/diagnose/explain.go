package diagnose

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/floats"
)

// hypothesis is one thing that may be wrong.
type hypothesis struct {
	cause string
	// prior is what it costs to think of it at all, beside the others.
	prior float64
	// fit scores how well it explains the accounts of set, when nothing is wrong with those
	// of sound.
	fit func(c *court, set, sound []int) fit
	// lines tells that it strikes all lines that an instance sends, and not one metric: then
	// also another metric of an instance that lost none of this one may lack some.
	lines bool
	// ends tells that it strikes instances only that were ended.
	ends bool
}

// hear scores the hypothesis.
func (h *hypothesis) hear(k *court, set, sound []int) fit {
	f := h.byVersion(k, set, sound)
	for _, i := range sound {
		if t := &k.tracks[i]; !h.lines || h.ends && t.alive() {
			f.shared += max(-4, t.twinIs(complete, 0))
		}
	}
	return f
}

// fit is what a hypothesis makes of some accounts.
type fit struct {
	each   []float64 // of the accounts of the set, in its order
	shared float64   // what it costs for all of them: parameters, and accounts that are sound
	say    func(i int) clause
}

// clause is what a hypothesis says of an account.
type clause struct {
	why      string
	from, to time.Duration // both 0: the whole life
}

func (f fit) total() float64 {
	sum := f.shared
	for _, s := range f.each {
		sum += s
	}
	return sum
}

// or is the better of two fits.
func (f fit) or(other fit) fit {
	if other.total() > f.total() {
		return other
	}
	return f
}

// court is a Case while it is heard.
type court struct {
	*Case
	tracks []track
	// longer is for how much longer than declared the client holds what it got, as counts show
	// that came later.
	longer time.Duration
	// together is at how many accounts counts come at once with the values of the twin; 0 where
	// any shows that they do not.
	together int
	pace     *paces
	heard    map[time.Duration]bool // see listen
	number   int64                  // how many counts at a time clients send; 0: they go by time
	uneven   map[int]unevenness     // by account, see unevenAt
}

// explanation is some accounts, each with the hypothesis that explains it.
type explanation struct {
	score float64
	by    []part
}

// part is one hypothesis of an explanation, with the accounts that it explains.
type part struct {
	h   *hypothesis
	set []int
	fit fit
}

const (
	// second is what it costs to think of a second defect in the same run.
	second = -12.0
	// unheeded is what it costs to explain losses without an absence of the collector that is
	// known, and must have cost some.
	unheeded = -8.0
	// mostParts is of how many hypotheses for an account pairs are tried.
	mostParts = 6
)

// kin are causes that one client has alike: what it holds is lost with its exit, with a kill,
// or comes late.
var kin = map[string]bool{LostOnExit: true, LargeBuffer: true, Late: true}

// Explain tells the likely cause of what is open in each account. Accounts with nothing
// open get the zero Diagnosis.
func Explain(c Case) []Diagnosis {
	k := newCourt(&c)
	var open, sound []int
	for i := range k.tracks {
		if k.tracks[i].Open != 0 {
			open = append(open, i)
		} else if k.tracks[i].n > 0 {
			sound = append(sound, i)
		}
	}
	out := make([]Diagnosis, len(k.tracks))
	if len(open) == 0 {
		return out
	}
	all := k.explanations(open, sound)
	likely := probabilities(all, len(open))
	for _, i := range open {
		out[i] = k.decide(i, all, likely)
	}
	return out
}

func newCourt(c *Case) *court {
	alone(c)
	k := &court{Case: c}
	for i := range c.Accounts {
		t := newTrack(&c.Accounts[i])
		k.longer = max(k.longer, t.lag())
		k.tracks = append(k.tracks, t)
	}
	if k.number = k.byNumber(); k.longer < c.Interval/10 || k.number > 0 {
		k.longer = 0
	}
	k.together = k.abreast()
	k.twinTracks()
	for i := range k.tracks {
		k.tracks[i].bound(k.longer, k.number, c)
	}
	k.pace, k.heard = newPaces(k), k.listen()
	return k
}

// explanations are all that are not contradicted: single hypotheses, and pairs.
func (k *court) explanations(open, sound []int) []explanation {
	var out []explanation
	add := func(parts ...part) {
		e := explanation{by: parts}
		if len(parts) > 1 && !e.kin() {
			e.score = second
		}
		known := false
		for _, p := range parts {
			e.score += p.h.prior + p.fit.total()
			known = known || p.h.cause == Away
		}
		if !known && k.absent(open) {
			e.score += unheeded
		}
		if !math.IsInf(e.score, -1) && !math.IsNaN(e.score) {
			out = append(out, e)
		}
	}
	for _, p := range k.Case.heard() {
		add(part{p, open, p.hear(k, open, sound)})
	}
	if len(open) > 1 {
		for _, pair := range k.pairs(open, sound) {
			add(pair...)
		}
	}
	slices.SortStableFunc(out, func(a, b explanation) int { return cmp.Compare(b.score, a.score) })
	return out
}

// pairs are two hypotheses that share the open accounts out among them, each to whom it
// fits better.
func (k *court) pairs(open, sound []int) [][]part {
	hypotheses := k.Case.heard()
	alone := make([][]float64, len(hypotheses)) // by hypothesis and account
	tried := map[int]bool{}
	for h := range hypotheses {
		alone[h] = make([]float64, len(open))
		for j, i := range open {
			alone[h][j] = hypotheses[h].prior + hypotheses[h].hear(k, []int{i}, nil).total()
		}
	}
	for j := range open {
		order := make([]int, len(hypotheses))
		for h := range order {
			order[h] = h
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(alone[b][j], alone[a][j]) })
		for _, h := range order[:min(mostParts, len(order))] {
			tried[h] = !math.IsInf(alone[h][j], -1) || tried[h]
		}
	}
	var out [][]part
	for one := range hypotheses {
		for other := one + 1; other < len(hypotheses); other++ {
			if !tried[one] || !tried[other] {
				continue
			}
			var left, right []int
			for j, i := range open {
				if alone[one][j] >= alone[other][j] {
					left = append(left, i)
				} else {
					right = append(right, i)
				}
			}
			if len(left) > 0 && len(right) > 0 {
				out = append(out, []part{
					{hypotheses[one], left, hypotheses[one].hear(k, left, sound)},
					{hypotheses[other], right, hypotheses[other].hear(k, right, sound)},
				})
			}
		}
	}
	return out
}

// decide tells the cause of one account from all explanations, and how likely each is.
func (k *court) decide(i int, all []explanation, likely []float64) Diagnosis {
	var d Diagnosis
	if len(all) == 0 {
		return Diagnosis{Cause: Undecided, Why: "no cause that is known here fits the record"}
	}
	own := all[floats.MaxIdx(likely)].of(i)
	said := own.fit.say(i)
	d.From, d.To = k.span(i, said)
	d.Why = said.why
	d.Cause = own.h.cause
	if own.h.cause == Undecided {
		return d
	}
	byCause := map[string]float64{}
	for j, e := range all {
		byCause[e.of(i).h.cause] += likely[j]
	}
	named := byCause[own.h.cause] >= sure
	for _, cause := range inOrder(byCause) {
		switch {
		case cause == own.h.cause || cause == Undecided || byCause[cause] < conceivable:
		case named && d.RunnerUp == "":
			d.RunnerUp = cause
		case !named:
			d.Possible = append(d.Possible, cause)
		}
	}
	if named {
		return d
	}
	d.From, d.To = k.span(i, clause{}) // when it was hangs on which it is
	d.Possible = append([]string{own.h.cause}, d.Possible...)
	d.Cause = Undecided
	d.Why = k.between(d.Possible, said.why)
	return d
}

// inOrder are causes, the likeliest first.
func inOrder(byCause map[string]float64) []string {
	return slices.SortedFunc(maps.Keys(byCause), func(a, b string) int {
		return cmp.Or(cmp.Compare(byCause[b], byCause[a]), cmp.Compare(a, b))
	})
}

// of is the part of an explanation that explains an account.
func (e explanation) of(i int) part {
	for _, p := range e.by {
		if slices.Contains(p.set, i) {
			return p
		}
	}
	return e.by[0]
}
