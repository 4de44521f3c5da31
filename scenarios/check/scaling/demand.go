package scaling

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// demand is what users asked of the fleet as a whole, in the unit of the expression: by what
// they sent, whoever answered and when. It is known as soon as the requests of a short time
// have come, and no metric has a part in it.
type demand struct {
	window   time.Duration
	arrivals []arrivals
	from     time.Duration // of the load
}

// arrivals are the requests that one metric of the expression counts.
type arrivals struct {
	weight float64         // what one request per second adds to the expression
	sent   []time.Duration // in order
}

// shortest is the least time over which demand is a mean.
const shortest = 2 * time.Second

// demand lays out what was asked for. The error says why that is not known in the unit of the
// expression.
func (j *judging) demand(known []script.Metric) (demand, error) {
	d := demand{window: max(shortest, j.policy.Every), from: j.e.Begin}
	for _, metric := range known {
		if !j.asksFor(metric, true) {
			return d, fmt.Errorf("%s is a gauge, and how much of it is too much for an instance the users' ledger does not tell", metric)
		}
	}
	weights, err := j.weigh(known)
	if err != nil {
		return d, err
	}
	for i, metric := range known {
		d.arrivals = append(d.arrivals, arrivals{weights[i], j.sent(metric)})
	}
	return d, nil
}

// sent are the times at which the requests were sent that a metric counts.
func (j *judging) sent(metric script.Metric) (at []time.Duration) {
	var routes []string
	for _, p := range script.Promised[script.Conservation](j.e.Scenario) {
		if p.Metric == metric {
			routes = append(routes, p.Route)
		}
	}
	for i := range j.e.History.Requests {
		if r := &j.e.History.Requests[i]; evidence.Wanted(routes, r.Route) {
			at = append(at, r.Sent)
		}
	}
	slices.Sort(at)
	return at
}

// at is the demand in the short time that ends then.
func (d demand) at(t time.Duration) float64 { return d.between(max(d.from, t-d.window), t, 0) }

// between is the mean demand of a time; sigmas lowers it by that many standard deviations of
// what chance does to the number of requests.
func (d demand) between(from, to time.Duration, sigmas float64) (sum float64) {
	if to <= from {
		return 0
	}
	for _, a := range d.arrivals {
		n := float64(evidence.CountUpTo(a.sent, to) - evidence.CountUpTo(a.sent, from))
		sum += a.weight * max(0, n-sigmas*math.Sqrt(n)) / (to - from).Seconds()
	}
	return sum
}

// steady is how long the made-up fleet of weigh has been asked alike: no expression that an
// autoscaler decides by in a test looks further back.
const steady = 30 * time.Minute

// asking is how much weigh asks of an instance.
const asking = 100

var errProportion = errors.New("it is not in proportion to what users ask for")

// weigh finds what one request per second of each metric adds to the expression: it is asked of a made-up fleet that is steadily asked for the same, then for
// twice as much of one metric, and then has twice as many instances.
func (j *judging) weigh(metrics []script.Metric) ([]float64, error) {
	once, err := j.valueOf(metrics, "", 1)
	if err != nil {
		return nil, err
	}
	var weights []float64
	sum := 0.0
	for _, metric := range metrics {
		more, err := j.valueOf(metrics, metric, 1)
		if err != nil {
			return nil, err
		}
		weights = append(weights, (more-once)/asking)
		sum += more - once
	}
	two, err := j.valueOf(metrics, "", 2)
	if err != nil {
		return nil, err
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Abs(b) }
	if once <= 0 || !near(sum, once) || !near(two, 2*once) {
		return nil, fmt.Errorf("%s: %w", j.on, errProportion)
	}
	return weights, nil
}

// valueOf is what the expression comes to in a made-up fleet in which each metric of each
// instance counts as many each second, and one of them twice as many.
func (j *judging) valueOf(metrics []script.Metric, twice script.Metric, instances int) (float64, error) {
	var all []record.Series
	for n := range instances {
		for _, metric := range metrics {
			s, _ := j.like(metric)
			s.Labels, s.Points = s.Labels.With(evidence.LabelInstance, fmt.Sprintf("web-%d", n+1)), nil
			rate := float64(asking)
			if metric == twice {
				rate *= 2
			}
			for t := time.Duration(0); t <= steady; t += j.e.Interval {
				s.Points = append(s.Points, record.Point{At: t, Value: rate * t.Seconds(), Observed: 1})
			}
			all = append(all, s)
		}
	}
	store, err := j.ask(all)
	if err != nil {
		return 0, err
	}
	samples, err := store.samples(j.on, steady.Truncate(j.e.Interval))
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, x := range samples {
		sum += x.Value
	}
	if len(samples) == 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return 0, fmt.Errorf("%s: %w", j.on, errProportion)
	}
	return sum, nil
}

// need is how many instances were called for at a time, by the demand of the short time before.
type need struct {
	at time.Duration
	n  int
}

// needs are how many instances were called for, at each interval from the begin of the load to its end.
func (j *judging) needs(d demand) (all []need) {
	for t := j.e.Begin + d.window; t <= j.e.End; t += j.e.Interval {
		all = append(all, need{t, j.policy.Needed(d.at(t))})
	}
	return all
}

// fleet is how many instances there were, or would have been, over time: n[k] from at[k] on.
type fleet struct {
	at []time.Duration
	n  []int
}

// served is the fleet that users met: who was marked up, and not yet told to end.
func (j *judging) served() fleet {
	type change struct {
		at time.Duration
		by int
	}
	var changes []change
	for _, l := range j.e.LivesOf("") {
		if l.Serving == record.Never {
			continue
		}
		end := evidence.Forever
		for _, t := range []time.Duration{l.Draining, l.Signalled, l.Death} {
			if t != record.Never {
				end = min(end, t)
			}
		}
		changes = append(changes, change{l.Serving, 1}, change{max(end, l.Serving), -1})
	}
	slices.SortStableFunc(changes, func(a, b change) int { return evidence.CompareTimes(a.at, b.at) })
	var f fleet
	n := 0
	for _, c := range changes {
		n += c.by
		f.at, f.n = append(f.at, c.at), append(f.n, n)
	}
	return f
}

// when is the first time from one on at which there are so many; ok is false if there never are.
func (f fleet) when(n int, from time.Duration) (time.Duration, bool) {
	i := sort.Search(len(f.at), func(i int) bool { return f.at[i] > from })
	if i > 0 && f.n[i-1] >= n {
		return from, true
	}
	for ; i < len(f.at); i++ {
		if f.n[i] >= n {
			return f.at[i], true
		}
	}
	return 0, false
}

// seconds are the instance-seconds between two times.
func (f fleet) seconds(from, to time.Duration) (sum float64) {
	for i, t := range f.at {
		until := to
		if i+1 < len(f.at) {
			until = min(to, f.at[i+1])
		}
		if t = max(t, from); until > t {
			sum += float64(f.n[i]) * (until - t).Seconds()
		}
	}
	return sum
}

// ideal is the fleet of the same policy without any lag: it is told the demand itself, and whom
// it wants is there at once. It also gives its decisions.
func (j *judging) ideal(d demand) (f fleet, all []autoscale.Decision) {
	scaler, had := autoscale.New(j.policy), j.decisions[0].Had
	for _, x := range j.decisions {
		again := scaler.Decide(x.At, j.policy.Level(had, d.at(x.At)))
		had = again.Wanted
		f.at, f.n = append(f.at, x.At), append(f.n, had)
		all = append(all, again)
	}
	return f, all
}
