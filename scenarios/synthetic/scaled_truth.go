package synthetic

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/record"
)

// surely is how many decisions more than a check allows must be astray, before it is missed if nobody tells.
const surely = 2

// truth finds what is true of an autoscaler's decisions, and what the check of it promises.
func (x scaledPlan) truth(w *world, decisions []autoscale.Decision, ask Asker) error {
	s := w.p.Scaled
	rnd := rand.New(rand.NewPCG(x.seed, 0x7a07))
	astray := oneOf(rnd, 0, 0.05, 0.05, 0.1)
	s.Keys = []string{"still: yes", fmt.Sprintf("astray: %v", astray)}
	switch {
	case x.cause == notReplayed:
		s.may(notReplayed)
		s.Must = [][]string{{notReplayed}}
	case x.cause == deadCounted:
		return w.deadInIt(decisions, astray, ask)
	case len(misleading[x.cause]) > 0:
		return x.misled(w, decisions, astray, ask)
	default:
		w.promises(x.cause, decisions, rnd)
	}
	return nil
}

// played is what an autoscaler would want at the decisions of a run, if it were answered otherwise.
type played struct {
	wanted  []int
	kept    []int // with the fleet of the run
	samples [][]autoscale.Sample
}

// play asks for each decision of a run. Of the form Sum, whose metric does not hang on how many instances there are,
// the fleet is one of its own.
func (s *Scaled) play(decisions []autoscale.Decision, answer func(at time.Duration) ([]autoscale.Sample, error)) (p played, err error) {
	scaler, run, differs := autoscale.New(s.Policy), autoscale.New(s.Policy), 0
	for _, d := range decisions {
		r := d.Reading()
		r.Error = ""
		if r.Samples, err = answer(d.At); err != nil {
			return p, err
		}
		again := run.Propose(d.At, r)
		run.Accept(d.At, again.Proposed, d.Had, d.Wanted)
		p.kept = append(p.kept, again.Wanted)
		if s.Policy.Form == autoscale.Sum {
			r.Had = max(0, d.Had+differs)
			again = scaler.Decide(d.At, r)
			differs = again.Wanted - d.Wanted
		}
		p.wanted, p.samples = append(p.wanted, again.Wanted), append(p.samples, r.Samples)
	}
	return p, nil
}

// misled compares the decisions with those that right counters bring about in the same run: as the client is, one that
// sends each count at once, and one that holds each for as long as is declared.
func (x scaledPlan) misled(w *world, decisions []autoscale.Decision, astray float64, ask Asker) error {
	s := w.p.Scaled
	var all []played
	var flawlessly *world
	for _, way := range []scaledWay{flawless, soonest, latest} {
		x.way = way
		v := x.world()
		v.changes = w.changes
		v.run()
		if !sameRequests(v.h.Requests, w.h.Requests) {
			return fmt.Errorf("%s of seed %d: the defect changes what users ask for, so that nothing can be compared", x.cause, x.seed)
		}
		p, err := s.answeredBy(v.h, decisions, ask)
		if err != nil {
			return err
		}
		if all = append(all, p); way == flawless {
			flawlessly = v
		}
	}
	few, many := 0, 0
	for k, d := range decisions {
		// Within the tolerance each of two fleets is right, so that no metric must have been wrong for one of them.
		var wanted []int
		for _, p := range all {
			wanted = append(wanted, p.wanted[k], p.kept[k])
		}
		switch {
		case d.Error == "" && !w.shows(flawlessly, d.At):
		case d.Wanted < slices.Min(wanted):
			few++
		case d.Wanted > slices.Max(wanted):
			many++
		}
		switch cmp.Compare(d.Wanted, all[0].wanted[k]) {
		case -1:
			s.may(s.whyFew(d, all[0].samples[k])...)
		case 1:
			s.may(tooBig)
		}
	}
	s.must(decisions, few, many, astray)
	return nil
}

// shows tells whether the counters of a run differ at a time from those of the flawless one by more than a client may
// hold.
func (w *world) shows(flawless *world, t time.Duration) bool {
	may := 1.2 * w.demand(t) * (w.p.Declared + 100*time.Millisecond).Seconds()
	return math.Abs(w.countedBy(t)-flawless.countedBy(t)) > may
}

// countedBy is what all counters come to at an interval end.
func (w *world) countedBy(t time.Duration) (sum float64) {
	for _, s := range w.h.Series {
		if s.Name != underscored(counted)+record.TotalSuffix {
			continue
		}
		last := 0.0
		for _, p := range s.Points {
			if p.At > t {
				break
			}
			if !p.Stale {
				last = p.Value
			}
		}
		sum += last
	}
	return sum
}

// must has what has to be told of so many decisions that are astray.
func (s *Scaled) must(decisions []autoscale.Decision, few, many int, astray float64) {
	n := float64(len(decisions))
	s.Few, s.Many = float64(few)/n, float64(many)/n
	weighty := func(k int) bool { return float64(k) > astray*n+surely }
	without := func(cause string) []string {
		return slices.DeleteFunc(slices.Clone(s.May), func(c string) bool { return c == cause })
	}
	if weighty(few) {
		s.Must = append(s.Must, without(tooBig))
	}
	if weighty(many) {
		s.Must = append(s.Must, slices.DeleteFunc(without(tooSmall), func(c string) bool { return c == missingZero }))
	}
}

// answeredBy plays the decisions with what another record answers.
func (s *Scaled) answeredBy(h record.History, decisions []autoscale.Decision, ask Asker) (played, error) {
	answer, closed, err := ask(h)
	if err != nil {
		return played{}, err
	}
	defer closed()
	return s.play(decisions, func(at time.Duration) ([]autoscale.Sample, error) { return answer(s.On, at) })
}

// whyFew is what a decision for too few instances comes from: that samples were missing and taken for zero, or that
// they were too small.
func (s *Scaled) whyFew(d autoscale.Decision, right []autoscale.Sample) []string {
	lacks, differs := false, false
	for _, r := range right {
		i := slices.IndexFunc(d.Samples, func(x autoscale.Sample) bool { return x.Instance == r.Instance })
		counts := r.Instance == "" || slices.Contains(d.Ready, r.Instance)
		switch {
		case i < 0:
			lacks = lacks || counts
		case math.Abs(d.Samples[i].Value-r.Value) > 1e-9*math.Abs(r.Value):
			differs = differs || counts
		}
	}
	if !lacks || d.Error != "" || s.Policy.Missing != autoscale.Zero {
		return []string{tooSmall}
	}
	if differs {
		return []string{tooSmall, missingZero}
	}
	return []string{missingZero}
}

// sameRequests tells whether two runs were asked for the same, by the same users, at the same instances.
func sameRequests(a, b []record.Request) bool { return slices.Equal(a, b) }

// deadInIt compares the decisions with those that a gauge would bring about that has nobody who is gone.
func (w *world) deadInIt(decisions []autoscale.Decision, astray float64, ask Asker) error {
	s := w.p.Scaled
	p, err := s.play(decisions, func(at time.Duration) ([]autoscale.Sample, error) {
		h := w.h
		h.Series = slices.DeleteFunc(slices.Clone(h.Series), func(x record.Series) bool {
			in := w.instanceOf(x)
			return x.Meta.Type != collector.Gauge || in == nil || in.death < at-2*w.p.Interval
		})
		answer, closed, err := ask(h)
		if err != nil {
			return nil, err
		}
		defer closed()
		return answer(s.On, at)
	})
	if err != nil {
		return err
	}
	few, many := 0, 0
	for k, d := range decisions {
		way := cmp.Compare(d.Wanted, p.wanted[k])
		if kept := cmp.Compare(d.Wanted, p.kept[k]); kept == way {
			few, many = few+max(0, -way), many+max(0, way)
		}
		switch {
		case way != 0 && !slices.Equal(d.Samples, p.samples[k]):
			s.may(deadCounted)
		case way < 0: // what it remembers of then
			s.may(tooSmall, deadCounted)
		case way > 0:
			s.may(tooBig, deadCounted)
		}
	}
	if s.must(decisions, few, many, astray); len(s.Must) > 0 {
		s.Must = [][]string{{deadCounted}}
	}
	return nil
}

func (w *world) instanceOf(s record.Series) *instance {
	for _, in := range w.instances {
		if s.Labels.Get("instance") == in.name {
			return in
		}
	}
	return nil
}

// promise is one on how well the fleet follows the load: told says whether a judge may say that it was broken, and
// whether it must.
type promise struct {
	cause, key string
	values     []float64
	told       func(value float64) (may, must bool)
}

// promises draws what is promised of the fleet. Of a run in which nothing is wrong that is nothing that may be broken;
// of one of a cause it is, if there is such a value, one that surely is.
func (w *world) promises(cause string, decisions []autoscale.Decision, rnd *rand.Rand) {
	s := w.p.Scaled
	for _, p := range w.policyPromises(decisions) {
		if p.cause == scaledLate && cause != scaledLate && !w.stepsUp() {
			continue // nothing would have to come in time, which proves nothing
		}
		rnd.Shuffle(len(p.values), func(i, k int) { p.values[i], p.values[k] = p.values[k], p.values[i] })
		for _, v := range p.values {
			may, must := p.told(v)
			if p.cause == cause && !must || cause == HealthyScaled && may {
				continue
			}
			s.Keys = append(s.Keys, strings.Replace(p.key, "%", fmt.Sprint(v), 1))
			if may || must {
				s.may(p.cause)
			}
			if must {
				s.Must = append(s.Must, []string{p.cause})
			}
			break
		}
	}
}

// stepsUp tells whether the load rises once, and stays.
func (w *world) stepsUp() bool {
	l := w.p.Levels
	return len(l) == 2 && l[1].Rate > 1.8*l[0].Rate
}

// Of what chance and a moment more or less do to the demand.
const (
	around = 0.15
	moment = 2500 * time.Millisecond
)

// policyPromises are those on how well the fleet follows the load. How near to the limit nobody can tell, the demand
// being by chance more or less than is drawn, is may without must.
func (w *world) policyPromises(decisions []autoscale.Decision) []promise {
	ideal := w.ideal(decisions)
	cost := w.instanceSeconds(decisions) / ideal.seconds
	turned := float64(reversals(decisions) - ideal.reversals)
	return []promise{
		{scaledLate, "within: %s", []float64{4, 6, 8, 10, 12, 16, 20}, func(v float64) (may, must bool) {
			within := time.Duration(v * float64(time.Second))
			sure := (1 - 3/math.Sqrt(w.p.Rate*v)) * 0.95 / (1 + w.p.Scaled.Policy.Tolerance)
			return w.lacking(within-moment, 1+around), w.lacking(within+moment, sure)
		}},
		{overshoot, "overshoot: %", []float64{0, 1, 2, 3, 4}, func(v float64) (may, must bool) {
			return float64(w.beyond(decisions, 1-around)) > v, float64(w.beyond(decisions, 1+around)) > v
		}},
		{flapping, "flaps: %", []float64{0, 1, 2, 3, 5, 8}, func(v float64) (may, must bool) { return turned+1 > v, turned-1 > v }},
		{costly, "cost: %", []float64{1.1, 1.2, 1.3, 1.5, 2, 3}, func(v float64) (may, must bool) { return cost*1.1 > v, cost/1.1 > v }},
	}
}

// window is over which time demand is a mean, as the check has it.
func (w *world) window() time.Duration { return max(2*time.Second, w.p.Scaled.Policy.Every) }

// demand is what is asked of the fleet by the load that was drawn, in the mean of the time that ends then.
func (w *world) demand(t time.Duration) float64 {
	from := max(loadBegin, t-w.window())
	sum, n := 0.0, 0
	for x := from; x < t; x += moments {
		sum, n = sum+w.p.rateAt(x-loadBegin), n+1
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n) * float64(w.p.Insert) / float64(w.p.Insert+w.p.Get+w.p.Top)
}

// sent is what users asked for, in the mean of the time that ends then.
func (w *world) sent(t time.Duration) float64 {
	from, n := max(loadBegin, t-w.window()), 0
	for i := range w.h.Requests {
		if r := &w.h.Requests[i]; r.Route == insert && r.Sent > from && r.Sent <= t {
			n++
		}
	}
	if t <= from {
		return 0
	}
	return float64(n) / (t - from).Seconds()
}

// moments are how closely a run is looked at.
const moments = 100 * time.Millisecond

// serving is how many instances users meet at a time.
func (w *world) serving(t time.Duration) (n int) {
	for _, in := range w.instances {
		if in.serving <= t && t < in.until {
			n++
		}
	}
	return n
}

// lacking tells whether for so long fewer instances served than the demand, so many times as it was, called for.
func (w *world) lacking(long time.Duration, times float64) bool {
	p := w.p.Scaled.Policy
	since := make([]time.Duration, p.Max+1)
	for t := loadBegin + w.window(); t <= loadBegin+w.p.Long(); t += moments {
		needed, there := p.Needed(w.demand(t)*times), w.serving(t)
		for n := 1; n <= p.Max; n++ {
			if n > needed || n <= there {
				since[n] = 0
				continue
			}
			if since[n] == 0 {
				since[n] = t
			}
			if t-since[n] >= long {
				return true
			}
		}
	}
	return false
}

// beyond is how many instances more were wanted than the demand had called for at most until then.
func (w *world) beyond(decisions []autoscale.Decision, times float64) (most int) {
	p := w.p.Scaled.Policy
	peak, t := p.Min, loadBegin+w.window()
	for _, d := range decisions {
		for ; t <= d.At+w.p.Interval; t += moments {
			peak = max(peak, p.Needed(w.demand(t)*times))
		}
		if d.Wanted > d.Had {
			most = max(most, d.Wanted-peak)
		}
	}
	return most
}

func reversals(all []autoscale.Decision) (n int) {
	was := 0
	for _, d := range all {
		if way := cmp.Compare(d.Wanted, d.Had); way != 0 {
			if was == -way {
				n++
			}
			was = way
		}
	}
	return n
}

// idealFleet is what a fleet without any lag comes to.
type idealFleet struct {
	reversals int
	seconds   float64
}

// ideal plays the policy with the demand itself, and a fleet that is there at once.
func (w *world) ideal(decisions []autoscale.Decision) (f idealFleet) {
	s := w.p.Scaled
	scaler, had := autoscale.New(s.Policy), decisions[0].Had
	var all []autoscale.Decision
	for k, d := range decisions {
		again := scaler.Decide(d.At, s.Policy.Level(had, w.sent(d.At)))
		had, all = again.Wanted, append(all, again)
		until := loadBegin + w.p.Long()
		if k+1 < len(decisions) {
			until = decisions[k+1].At
		}
		f.seconds += float64(had) * (until - d.At).Seconds()
	}
	f.reversals = reversals(all)
	return f
}

// instanceSeconds are those that served from the first decision on.
func (w *world) instanceSeconds(decisions []autoscale.Decision) (sum float64) {
	from, to := decisions[0].At, loadBegin+w.p.Long()
	for _, in := range w.instances {
		if end := min(in.until, to); end > max(from, in.serving) {
			sum += (end - max(from, in.serving)).Seconds()
		}
	}
	return sum
}
