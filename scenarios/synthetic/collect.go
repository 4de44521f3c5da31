package synthetic

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
)

// arrival is a value at the collector.
type arrival struct {
	at time.Duration
	n  float64
	w  float64 // how many the value stands for: 1 / rate
}

// foreignSocket is whose lines come from somebody else.
const foreignSocket = math.MinInt

// arrived is a datagram from a socket.
type arrived struct {
	at   time.Duration
	from int
}

// account is what the collector got of an instance.
type account struct {
	arrivals  [metrics][]arrival
	foreign   []time.Duration // lines of somebody else
	datagrams []time.Duration
	sources   []arrived
	lines     []time.Duration
	accepted  []time.Duration
	values    []time.Duration
	bad       []time.Duration
	cut       []time.Duration // datagrams
	cutLines  bool            // bad lines are bad because their end is missing
	counted   float64
	late      int64
}

func (a *account) take(d datagram) {
	a.datagrams = append(a.datagrams, d.at)
	a.sources = append(a.sources, arrived{d.at, d.from})
	for _, l := range d.lines {
		a.lines = append(a.lines, d.at)
		if l.cut || l.bad {
			a.cutLines = a.cutLines || l.cut
			a.bad = append(a.bad, d.at)
			continue
		}
		a.accepted = append(a.accepted, d.at)
		if !l.metric.timer() {
			a.values = append(a.values, d.at)
			a.arrivals[l.metric] = append(a.arrivals[l.metric], arrival{d.at, l.n, 1 / l.rate})
			continue
		}
		for _, v := range l.values {
			a.values = append(a.values, d.at)
			a.arrivals[l.metric] = append(a.arrivals[l.metric], arrival{d.at, v, 1 / l.rate})
		}
	}
}

// settleLimit is how long a run waits for counts beyond what any check allows.
const settleLimit = 5 * time.Second

// settle finds when the run is over: the clients have had their time, and then an
// interval passed without a line. The collector closes its last interval then.
func (w *world) settle() {
	quiet := w.end + max(w.p.Interval, w.p.Declared+w.p.Lag)
	limit := quiet + settleLimit
	t := quiet
	for t < limit {
		from := t
		t += w.p.Interval
		heard := func(in *instance) bool {
			return slices.ContainsFunc(in.got.datagrams, func(at time.Duration) bool { return from < at && at <= t })
		}
		if !slices.ContainsFunc(w.instances, heard) {
			break
		}
	}
	w.quiesced = t
	w.last = t + w.p.Interval - (t-w.phase)%w.p.Interval
}

// collect makes the series of an instance.
func (w *world) collect(in *instance) {
	a := &in.got
	slices.Sort(a.foreign)
	for _, t := range a.foreign {
		a.sources = append(a.sources, arrived{t, foreignSocket})
		for _, to := range []*[]time.Duration{&a.datagrams, &a.lines, &a.accepted, &a.values} {
			*to = append(*to, t)
		}
	}
	for m := range metrics {
		got := a.arrivals[m]
		slices.SortStableFunc(got, func(x, y arrival) int { return cmp.Compare(x.at, y.at) })
		for len(got) > 0 && got[len(got)-1].at > w.quiesced {
			got = got[:len(got)-1]
		}
		switch {
		case len(got) == 0:
		case m.timer():
			w.timer(in, m, got)
		case m == gaugedInserts:
			w.gauge(in, counted, got)
		default:
			sum := w.counter(in, m, in.labels(), got)
			if m == inserts {
				a.counted += sum
			}
		}
	}
	if len(a.foreign) > 0 {
		var got []arrival
		for _, t := range a.foreign {
			got = append(got, arrival{t, 1, 1})
		}
		zone, _, _ := cutLabel(in.labels())
		a.counted += w.counter(in, inserts, zone, got)
	}
	a.arrivals = [metrics][]arrival{}
}

// cutLabel gives the labels without those that the client sends.
func cutLabel(l collector.Labels) (collector.Labels, string, bool) {
	i := slices.IndexFunc(l, func(x collector.Label) bool { return x.Name == "exported_zone" })
	return slices.Delete(slices.Clone(l), i, i+1), l[i].Value, true
}

// statsd are the names of the metrics.
func (in *instance) statsd(m metric) string {
	return [metrics]string{inserts: counted, gets: "fullstack.get", tops: "fullstack.toplist", insertTime: "fullstack.insert.time",
		getTime: "fullstack.get.time", dbTime: "fullstack.db.time", renamedInserts: counted + "." + in.name, gaugedInserts: counted}[m]
}

func underscored(metric string) string {
	out := []byte(metric)
	for i, c := range out {
		if c == '.' || c == '-' {
			out[i] = '_'
		}
	}
	return string(out)
}

// intervals calls each with every interval in which a series of an instance
// exists: from the one before its first value on, until one after its death.
func (w *world) intervals(in *instance, got []arrival, each func(t time.Duration, in []arrival), stale func(t time.Duration)) {
	i := 0
	for _, t := range w.ticks() {
		if t-w.p.Interval > in.death {
			stale(t)
			return
		}
		first := i
		for i < len(got) && got[i].at <= t {
			i++
		}
		if i > 0 || i < len(got) && got[i].at <= t+w.p.Interval {
			each(t, got[first:i])
		}
	}
}

// counter makes a counter's series, and gives its sum.
func (w *world) counter(in *instance, m metric, labels collector.Labels, got []arrival) float64 {
	name := in.statsd(m)
	s := record.Series{Name: underscored(name) + "_total", Labels: labels, Meta: collector.Meta{Type: collector.Counter, Sent: name, Origin: "listener"}}
	raw := record.Series{Name: underscored(name) + "_sampled_total", Labels: labels, Meta: s.Meta}
	var sum, came float64
	w.intervals(in, got, func(t time.Duration, in []arrival) {
		for _, x := range in {
			sum += x.n * x.w
			came += x.n
		}
		s.Points = append(s.Points, record.Point{At: t, Value: sum, Observed: uint64(len(in))})
		raw.Points = append(raw.Points, record.Point{At: t, Value: came, Observed: uint64(len(in))})
	}, func(t time.Duration) {
		s.Points = append(s.Points, record.Point{At: t, Stale: true})
		raw.Points = append(raw.Points, record.Point{At: t, Stale: true})
	})
	w.h.Series = append(w.h.Series, s)
	if slices.ContainsFunc(got, func(x arrival) bool { return x.w != 1 }) {
		w.h.Series = append(w.h.Series, raw)
	}
	return sum
}

// gauge makes the series of a gauge; a counter may be sent as one of its total.
func (w *world) gauge(in *instance, name string, got []arrival) {
	s := record.Series{Name: underscored(name), Labels: in.labels(), Meta: collector.Meta{Type: collector.Gauge, Sent: name, Origin: "listener"}}
	value := 0.0
	w.intervals(in, got, func(t time.Duration, in []arrival) {
		if len(in) > 0 {
			value = in[len(in)-1].n
		}
		if len(in) > 0 || len(s.Points) > 0 {
			s.Points = append(s.Points, record.Point{At: t, Value: value, Observed: uint64(len(in))})
		}
	}, func(t time.Duration) { s.Points = append(s.Points, record.Point{At: t, Stale: true}) })
	w.h.Series = append(w.h.Series, s)
}

// timer makes the series of a timer.
func (w *world) timer(in *instance, m metric, got []arrival) {
	name := in.statsd(m)
	s := record.Series{Name: underscored(name), Labels: in.labels(), Meta: collector.Meta{Type: collector.Summary, Sent: name, Unit: "milliseconds", Origin: "listener"}}
	now := &collector.Histogram{Schema: 4, ZeroThreshold: 0x1p-128}
	buckets := map[int32]float64{}
	w.intervals(in, got, func(t time.Duration, in []arrival) {
		if len(in) > 0 {
			next := &collector.Histogram{Schema: 4, ZeroThreshold: 0x1p-128, Count: now.Count, Sum: now.Sum}
			for _, x := range in {
				next.Count += x.w
				next.Sum += x.n * x.w
				buckets[bucket(x.n)] += x.w
			}
			next.Positive = make([]collector.Bucket, 0, len(buckets))
			for i, n := range buckets {
				next.Positive = append(next.Positive, collector.Bucket{Index: i, Count: n})
			}
			slices.SortFunc(next.Positive, func(a, b collector.Bucket) int { return cmp.Compare(a.Index, b.Index) })
			now = next
		}
		s.Points = append(s.Points, record.Point{At: t, Observed: uint64(len(in)), Histogram: now})
	}, func(t time.Duration) { s.Points = append(s.Points, record.Point{At: t, Stale: true}) })
	w.h.Series = append(w.h.Series, s)
}

// bucket is the index of a value: every fourth of the schema's buckets alone, so that
// histograms stay small. A value is taken for at most a fifth more than it is.
func bucket(ms float64) int32 { return int32(math.Ceil(math.Log2(max(ms, 1e-3))*4)) * 4 }

// prefix of the collector's own series.
const prefix = "throughline_collector_"

// own makes the collector's own account: of each instance, and of its intervals.
func (w *world) own() {
	for _, in := range w.instances {
		until := min(in.death, forever-2*w.p.Interval) + w.p.Interval
		if w.away.To == 0 || until <= w.away.From || in.birth >= w.away.To {
			w.heard(in, in.number, 0, forever, in.birth, until)
			continue
		}
		// The collector that came after listens elsewhere, and counts from zero.
		w.heard(in, in.number, 0, w.away.From, in.birth, w.away.From+w.p.Interval)
		w.heard(in, in.number+100, w.away.From, forever, max(in.birth, w.away.To-w.p.Interval), until)
	}
	outage := record.Series{Name: prefix + "outage_seconds", Meta: collector.Meta{Type: collector.Gauge, Unit: "seconds"}}
	for _, t := range w.ticks() {
		long := 0.0
		if t >= w.away.To {
			long = (w.away.To - w.away.From).Seconds()
		}
		outage.Points = append(outage.Points, record.Point{At: t, Value: long, Observed: 1})
	}
	w.h.Series = append(w.h.Series, outage)
	late := record.Series{Name: prefix + "flush_lateness_seconds", Meta: collector.Meta{Type: collector.Gauge, Unit: "seconds"}}
	for _, t := range w.ticks() {
		late.Points = append(late.Points, record.Point{At: t, Value: (w.stalled(t) + between(w.rnd, time.Millisecond, 8*time.Millisecond)).Seconds(), Observed: 1})
	}
	w.h.Series = append(w.h.Series, late)
	slices.SortFunc(w.h.Series, func(a, b record.Series) int { return cmp.Compare(a.Labels.Key(a.Name), b.Labels.Key(b.Name)) })
}

// heard makes the account of what came of an instance on a port between from and to,
// in the intervals that end between born and until.
func (w *world) heard(in *instance, port int, from, to, born, until time.Duration) {
	a := &in.got
	listener := []string{"instance", in.name, "listener", fmt.Sprintf("127.0.0.1:%d", 40000+port)}
	within := func(times []time.Duration) []time.Duration {
		return slices.DeleteFunc(slices.Clone(times), func(t time.Duration) bool { return t < from || t >= to })
	}
	for name, times := range map[string][]time.Duration{"datagrams_total": a.datagrams, "lines_total": a.lines, "accepted_lines_total": a.accepted,
		"values_total": a.values, "truncated_datagrams_total": a.cut, "kernel_drops_total": nil, "series_refused_total": nil} {
		w.polled(prefix+name, within(times), born, until, listener...)
	}
	if w.p.Sockets != untold {
		w.polled(prefix+"sources_total", a.firstFrom(from, to), born, until, listener...)
	}
	if bad := within(a.bad); len(bad) > 0 {
		reason := "unknown_type"
		if a.cutLines {
			reason = "no_type"
		}
		w.polled(prefix+"bad_lines_total", bad, born, until, append(listener, "reason", reason)...)
	}
}

// firstFrom is when a datagram of each socket came first, between two times.
func (a *account) firstFrom(from, to time.Duration) []time.Duration {
	first := map[int]time.Duration{}
	for _, d := range a.sources {
		if at, known := first[d.from]; d.at >= from && d.at < to && (!known || d.at < at) {
			first[d.from] = d.at
		}
	}
	return slices.Collect(maps.Values(first))
}

// polled makes a series that counts the times, as read at every interval end
// between from and until.
func (w *world) polled(name string, at []time.Duration, from, until time.Duration, labels ...string) {
	slices.Sort(at)
	s := record.Series{Name: name, Labels: collector.NewLabels(labels...), Meta: collector.Meta{Type: collector.Counter}}
	n := 0
	for _, t := range w.ticks() {
		if t > until {
			break
		}
		for n < len(at) && at[n] <= t && at[n] <= w.quiesced {
			n++
		}
		if t >= from {
			s.Points = append(s.Points, record.Point{At: t, Value: float64(n), Observed: 1})
		}
	}
	w.h.Series = append(w.h.Series, s)
}
