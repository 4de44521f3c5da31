package scaling

import (
	"errors"
	"fmt"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// inTime asks whether the fleet was there when it was needed, and at what price, each as far as
// the scenario says what it wants.
func (j *judging) inTime() []verdict.Finding {
	p := j.Promise
	if p.Within == 0 && p.Overshoot == script.AnyNumber && p.Flaps == script.AnyNumber && p.Cost == 0 {
		return nil
	}
	known := j.promised()
	d, why := demand{}, error(nil)
	switch {
	case len(known) == 0:
		why = fmt.Errorf("nobody knows what %s is made of", j.on)
	case j.e.Begin == record.Never || j.e.End == record.Never:
		why = errors.New("the journal does not tell when the load began and ended")
	default:
		d, why = j.demand(known)
	}
	if why != nil {
		return []verdict.Finding{j.finding(verdict.Inconclusive, "how many instances were needed is not known, so nobody can tell whether they came in time: %v", why)}
	}
	needs := j.needs(d)
	ideal, decided := j.ideal(d)
	var out []verdict.Finding
	if p.Within > 0 {
		out = append(out, j.soon(d, needs))
	}
	if p.Overshoot != script.AnyNumber {
		out = append(out, j.overshot(needs))
	}
	if p.Flaps != script.AnyNumber {
		out = append(out, j.flapped(decided))
	}
	if p.Cost > 0 {
		out = append(out, j.cost(ideal))
	}
	return out
}

// rise is a time from which so many instances were needed, for as long as it lasted.
type rise struct {
	n        int
	from, to time.Duration
}

// byChance is how many standard deviations of the number of requests are put down to chance.
const byChance = 3

// rises finds from when to when each number of instances was needed, for as long as it may take
// until they serve. The demand calls for so many all the while, and its mean for so many that the
// policy's tolerance lets no fewer pass, whatever chance did.
func (j *judging) rises(d demand, needs []need) (all []rise) {
	within := j.Promise.Within
	steps := int((within + j.e.Interval - 1) / j.e.Interval)
	for n := j.policy.Min + 1; n <= j.policy.Max; n++ {
		for k := 0; k+steps < len(needs); k++ {
			end := k
			for end < len(needs) && needs[end].n >= n {
				end++
			}
			if end == k {
				continue
			}
			for ; k+steps < end; k++ {
				mean := d.between(needs[k].at, needs[k].at+within, byChance)
				if j.policy.Needed(mean/(1+j.policy.Tolerance)) >= n {
					all = append(all, rise{n, needs[k].at, needs[end-1].at})
					break
				}
			}
			k = end
		}
	}
	return all
}

// soon asks whether so many instances as were needed served soon enough, each time when that
// lasted for as long as it may take.
func (j *judging) soon(d demand, needs []need) verdict.Finding {
	within, served := j.Promise.Within, j.served()
	var worst rise
	var longest time.Duration
	looked, never := 0, false
	for _, r := range j.rises(d, needs) {
		at, ok := served.when(r.n, r.from)
		if at == r.from && r.from == needs[0].at {
			continue // it was so from the beginning
		}
		looked++
		gone := !ok || at > r.to // it was not needed any more
		took := at - r.from
		if gone {
			took = r.to - r.from
		}
		if took > longest {
			worst, longest, never = r, took, gone
		}
	}
	switch {
	case looked == 0:
		return j.finding(verdict.Inconclusive, "in time: the load never called for more instances than there were for as long as %s, so that nothing had to come in time: "+
			"let it rise, and for longer", within)
	case never:
		return j.late(worst, "in time: %s were needed from %s to %s, %s, and never served; they had to within %s", words.Times(worst.n, "instance"),
			words.Seconds(worst.from), words.Seconds(worst.to), words.Seconds(longest), within)
	case longest > within:
		return j.late(worst, "in time: %s were needed from %s on, and served %s later; they had to within %s", words.Times(worst.n, "instance"),
			words.Seconds(worst.from), words.Seconds(longest), within)
	}
	return j.finding(verdict.Pass, "in time: each of %s of the need was met within %s, at most after %s", words.Times(looked, "rise"), within, words.Seconds(longest))
}

func (j *judging) late(r rise, format string, args ...any) verdict.Finding {
	f := j.finding(verdict.Fail, format, args...)
	f.Cause = verdict.CauseTooLate
	return between(f, r.from, r.to)
}

// overshot asks how many more instances were wanted at once than had ever been needed.
func (j *judging) overshot(needs []need) verdict.Finding {
	peak, k := j.policy.Min, 0
	over, worst, needed := 0, autoscale.Decision{}, 0
	for _, d := range j.decisions {
		for ; k < len(needs) && needs[k].at <= d.At+j.e.Interval; k++ {
			peak = max(peak, needs[k].n)
		}
		if n := d.Wanted - peak; d.Wanted > d.Had && n > over {
			over, worst, needed = n, d, peak
		}
	}
	if over <= j.Promise.Overshoot {
		return j.finding(verdict.Pass, "overshoot: never more than %s wanted beyond the most that had been needed; %d may be", words.Times(over, "instance"), j.Promise.Overshoot)
	}
	f := j.finding(verdict.Fail, "overshoot: %s wanted at %s, %d more than the %d that had been needed at most until then; %d may be",
		words.Times(worst.Wanted, "instance"), words.Seconds(worst.At), over, needed, j.Promise.Overshoot)
	f.Cause = verdict.CauseOvershoot
	return between(f, worst.At, worst.At)
}

// reversals counts how often a fleet that grew then shrinks, or the other way round.
func reversals(all []autoscale.Decision) (n int) {
	was := 0
	for _, d := range all {
		way := 0
		switch {
		case d.Wanted > d.Had:
			way = 1
		case d.Wanted < d.Had:
			way = -1
		}
		if way != 0 {
			if was != 0 && way != was {
				n++
			}
			was = way
		}
	}
	return n
}

// flapped asks how often more than a fleet without lag this one turned round.
func (j *judging) flapped(ideal []autoscale.Decision) verdict.Finding {
	real, least := reversals(j.decisions), reversals(ideal)
	if real-least <= j.Promise.Flaps {
		return j.finding(verdict.Pass, "flaps: the fleet turned round %s; without any lag it would have %s", words.Times(real, "time"), words.Times(least, "time"))
	}
	f := j.finding(verdict.Fail, "flaps: the fleet turned round %s between growing and shrinking, and without any lag it would have %s: %d more may be",
		words.Times(real, "time"), words.Times(least, "time"), j.Promise.Flaps)
	f.Cause = verdict.CauseFlapping
	return f
}

// cost compares the instance-seconds that were served with those of a fleet without lag.
func (j *judging) cost(ideal fleet) verdict.Finding {
	from, to := j.decisions[0].At, j.e.End
	spent, least := j.served().seconds(from, to), ideal.seconds(from, to)
	if to <= from || least <= 0 {
		return j.finding(verdict.Inconclusive, "cost: the load ended at %s, before anything was decided", words.Seconds(to))
	}
	ratio := spent / least
	if ratio <= j.Promise.Cost {
		return j.finding(verdict.Pass, "cost: %.0f instance-seconds served, %.2f times the %.0f of a fleet without any lag; %g times may be", spent, ratio, least, j.Promise.Cost)
	}
	f := j.finding(verdict.Fail, "cost: %.0f instance-seconds served, %.2f times the %.0f of a fleet without any lag; %g times may be", spent, ratio, least, j.Promise.Cost)
	f.Cause = verdict.CauseCostly
	return between(f, from, to)
}

// promised are the metrics of the expression that a check promises, as truth knows them.
func (j *judging) promised() (known []script.Metric) {
	told := map[script.Metric]bool{}
	add := func(metric script.Metric, counter bool) {
		if !told[metric] && j.asksFor(metric, counter) {
			told[metric] = true
			known = append(known, metric)
		}
	}
	for _, p := range script.Promised[script.Conservation](j.e.Scenario) {
		add(p.Metric, true)
	}
	for _, p := range script.Promised[script.Gauge](j.e.Scenario) {
		add(p.Metric, false)
	}
	return known
}
