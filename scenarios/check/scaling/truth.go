package scaling

import (
	"math"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// deadGrace is how many intervals after its death an instance may still have points, as for
// identity and gauge.
const deadGrace = 2

// truth is what the expression's series would be if they said what is true. Where a check
// promises what a metric counts, the users' ledger bounds it: a count comes after its client's
// window, and of requests without an outcome nobody knows whether they were executed. So there
// are three truths: the one that is nearest to the record, which is the record itself where
// that keeps within the bounds; the latest and poorest that is still right; and the earliest and
// fullest. What only one of them decides otherwise does not lead astray.
type truth struct {
	nearest, least, most []record.Series
	changed              bool                 // the nearest is another than the record
	known                []script.Metric      // the metrics that the ledger knows
	grid                 []time.Duration      // interval ends, also those at which nobody measured
	off                  map[string][]float64 // by instance: what its counters have too few (or, below 0, too many) at each of them
	gauges               []string             // the names of series of gauges
}

// truth makes the three truths of what the expression asks for.
func (j *judging) truth() truth {
	t := truth{grid: j.grid(), off: map[string][]float64{}}
	t.known = j.promised()
	counts, shows := map[script.Metric]bool{}, map[script.Metric]bool{}
	for _, p := range script.Promised[script.Conservation](j.e.Scenario) {
		if !counts[p.Metric] && j.asksFor(p.Metric, true) {
			counts[p.Metric] = true
			t.counters(j, p)
		}
	}
	for _, p := range script.Promised[script.Gauge](j.e.Scenario) {
		if !shows[p.Metric] && j.asksFor(p.Metric, false) {
			shows[p.Metric] = true
			t.bounded(j, p)
		}
	}
	for _, s := range j.held {
		if s.Meta.Type == collector.Gauge && s.Meta.Sent != "" && !slices.Contains(t.gauges, s.Name) {
			t.gauges = append(t.gauges, s.Name)
		}
		if known := s.IsCounter() && j.isOne(&s, counts) || s.Meta.Type == collector.Gauge && j.isOne(&s, shows); !known {
			t.add(j, s, j.living(s))
		}
	}
	return t
}

// isOne tells whether a series is one that any of the metrics means.
func (j *judging) isOne(s *record.Series, metrics map[script.Metric]bool) bool {
	for m := range metrics {
		if j.e.Is(s, m) {
			return true
		}
	}
	return false
}

// asksFor tells whether the expression asks for a metric, as a counter or as a gauge.
func (j *judging) asksFor(metric script.Metric, counter bool) bool {
	if counter {
		_, asked := j.like(metric)
		return asked
	}
	return slices.ContainsFunc(j.held, func(s record.Series) bool { return s.Meta.Type == collector.Gauge && j.e.Is(&s, metric) })
}

// like is what a series of a counter is called, and labelled, that the expression asks for: one
// of the record, of an instance of the run if there is one, or what an instance's would be that
// nobody ever sent. ok is false if the expression asks for none.
func (j *judging) like(metric script.Metric) (like record.Series, ok bool) {
	for _, s := range j.held {
		if !s.IsCounter() || !j.e.Is(&s, metric) {
			continue
		}
		if _, known := j.e.LifeOf(s.Labels.Get(evidence.LabelInstance)); known {
			return s, true
		}
		like, ok = s, true
	}
	if ok {
		return like, true
	}
	if len(metric.Selection().Where) > 0 {
		return record.Series{}, false // nobody knows with what other labels it would have been sent
	}
	for _, l := range j.e.LivesOf("") {
		labels := collector.NewLabels(evidence.LabelInstance, l.Instance)
		for _, own := range j.e.Pushed[l.Instance] {
			labels = own.Labels
		}
		s := record.Series{Name: unpunctuated.Replace(metric.Name()) + record.TotalSuffix, Labels: labels, Meta: collector.Meta{Type: collector.Counter, Sent: metric.Name()}}
		if j.selects(s) {
			return s, true
		}
	}
	return record.Series{}, false
}

// unpunctuated makes of the name of a metric the one that Prometheus takes.
var unpunctuated = strings.NewReplacer(".", "_", "-", "_")

// add takes what is one and the same in all truths.
func (t *truth) add(j *judging, was, is record.Series) {
	t.nearest, t.least, t.most = append(t.nearest, is), append(t.least, is), append(t.most, is)
	t.changed = t.changed || !samePoints(was.Points, is.Points)
}

// samePoints tells whether PromQL finds the same in two series.
func samePoints(a, b []record.Point) bool {
	return slices.EqualFunc(a, b, func(x, y record.Point) bool {
		return x.At == y.At && x.Stale == y.Stale && (x.Stale || math.Float64bits(x.Value) == math.Float64bits(y.Value))
	})
}

// grid are the collector's interval ends from the begin of the load on, and those before at which
// something came; also those at which nobody measured, and those of which nobody sent anything.
func (j *judging) grid() []time.Duration {
	known := slices.Clone(j.e.Ticks)
	near := func(t time.Duration) bool {
		k, _ := slices.BinarySearch(j.e.Ticks, t-j.e.Interval/2)
		return k < len(j.e.Ticks) && j.e.Ticks[k] <= t+j.e.Interval/2
	}
	for _, d := range j.decisions { // an autoscaler asks for an interval end
		if !near(d.At) {
			known = append(known, d.At)
		}
	}
	slices.Sort(known)
	var before []time.Duration
	for t := known[0] - j.e.Interval; t >= max(0, j.e.Begin); t -= j.e.Interval {
		before = append(before, t)
	}
	slices.Reverse(before)
	grid := before
	for _, t := range known {
		for n := len(grid); n > 0 && t-grid[n-1] > j.e.Interval*3/2; n = len(grid) {
			grid = append(grid, grid[n-1]+j.e.Interval)
		}
		grid = append(grid, t)
	}
	return grid
}

// last is until when an instance may have points.
func (j *judging) last(l record.Lifetime) time.Duration {
	if l.Death == record.Never {
		return evidence.Forever
	}
	return l.Death + deadGrace*j.e.Interval
}

// living is a series that ends with the life of its instance.
func (j *judging) living(s record.Series) record.Series {
	l, known := j.e.LifeOf(s.Labels.Get(evidence.LabelInstance))
	if s.Meta.Sent == "" || !known || l.Death == record.Never {
		return s
	}
	end := slices.IndexFunc(s.Points, func(p record.Point) bool { return p.At > j.last(l) })
	if end < 0 {
		return s
	}
	cut := slices.Clone(s.Points[:end])
	if end == 0 || !cut[end-1].Stale {
		cut = append(cut, record.Point{At: s.Points[end].At, Stale: true})
	}
	s.Points = cut
	return s
}

// bounded are the series of a gauge of the requests in flight, never above what users had there.
func (t *truth) bounded(j *judging, p script.Gauge) {
	flights := j.e.Flights(p.ClientWindow)
	for _, s := range j.held {
		if s.Meta.Type != collector.Gauge || !j.e.Is(&s, p.Metric) {
			continue
		}
		l, known := j.e.LifeOf(s.Labels.Get(evidence.LabelInstance))
		if !known {
			t.changed = true
			continue // whoever sent that is no instance of the run
		}
		is := s
		is.Points = slices.Clone(s.Points)
		sent := time.Duration(0)
		for k := range is.Points {
			x := &is.Points[k]
			if x.Observed > 0 || sent == 0 {
				sent = x.At
			}
			if x.Stale || math.IsNaN(x.Value) {
				continue
			}
			from := sent - j.e.Interval - p.ClientWindow
			from -= j.e.Stall(from-time.Second, x.At+time.Second)
			x.Value = min(max(x.Value, 0), float64(flights.Most(l.Instance, from, x.At)+int64(p.AtRest)))
		}
		t.add(j, s, j.living(is))
	}
}

// counters are the series of a promised counter, of all instances, also of those that have none
// in the record.
func (t *truth) counters(j *judging, p script.Conservation) {
	bounds := account.BoundsOf(j.e, p, t.grid)
	like, _ := j.like(p.Metric)
	for _, s := range j.held {
		switch l, known := j.e.LifeOf(s.Labels.Get(evidence.LabelInstance)); {
		case !s.IsCounter() || !j.e.Is(&s, p.Metric):
		case !known:
			t.changed = true // whoever sent that is no instance of the run
		case string(l.Role) != script.FirstRole: // of another role, of which no promise of the first tells
			t.add(j, s, j.living(s))
		}
	}
	for _, l := range j.e.LivesOf("") {
		c := counted{j: j, grid: t.grid, life: l, bounds: bounds[l.Instance]}
		for _, s := range j.e.Counters(l.Instance, p.Metric) {
			c.was = append(c.was, *s)
		}
		if len(c.was) == 0 {
			if c.bounds.Began == len(t.grid) {
				continue
			}
			c.was = []record.Series{c.never(&like)}
		}
		off := t.off[l.Instance]
		if off == nil {
			off = make([]float64, len(t.grid))
			t.off[l.Instance] = off
		}
		c.layOut()
		should := c.nearest()
		nearest, least, most := c.make(should), c.make(c.bounds.Least), c.make(c.bounds.Most)
		for k := range t.grid {
			off[k] += should[k] - c.sums[k]
		}
		for i, s := range c.was {
			if !j.selects(s) {
				continue
			}
			t.nearest, t.least, t.most = append(t.nearest, nearest[i]), append(t.least, least[i]), append(t.most, most[i])
			t.changed = t.changed || !samePoints(s.Points, nearest[i].Points)
		}
	}
}
