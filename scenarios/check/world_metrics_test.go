package check

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
)

// timerPlan is what is wrong with the timers of a made-up run. The zero value:
// nothing.
type timerPlan struct {
	value    func(ms float64) float64 // what is sent for a time, of the web timer
	keep     float64                  // the share that is sent, 0 = all
	rate     float64                  // the sample rate as it is sent; 0 = 1
	averaged bool                     // one value for each flush: the mean
}

// change is a request that begins or ends in an instance.
type change struct {
	at time.Duration
	by int
}

// labels are those of an instance's series: the collector gives name and zone,
// and the client sends its zone too.
func (b *being) labels() collector.Labels {
	zone := b.zone()
	if b.version != "" {
		return collector.NewLabels("instance", b.name, "zone", zone, "exported_zone", zone, "version", b.version, "exported_version", b.version)
	}
	return collector.NewLabels("instance", b.name, "zone", zone, "exported_zone", zone)
}

func (b *being) zone() string { return string("abc"[int(b.name[len(b.name)-1]-'1'+9)%3]) }

// time measures a request that was executed. Its own chance does not disturb
// that of the rest of the world.
func (w *world) time(b *being, r *record.Request, at time.Duration) {
	rnd := rand.New(rand.NewPCG(w.p.seed, r.Seq+1000))
	whole := r.Done - r.Sent
	began, ended := r.Sent+whole/10, at+(r.Done-at)/2
	if b.signal == "SIGKILL" && ended >= b.signalled {
		b.open = append(b.open, change{began, 1})
		return
	}
	b.open = append(b.open, change{began, 1}, change{ended, -1})
	flushed, ok := w.flushed(b, ended)
	if !ok || !strings.Contains(w.p.checks, "nesting") { // they take the generator more time than all the rest
		return
	}
	web := float64(whole) * (0.5 + 0.3*rnd.Float64()) / 1e6
	b.db = append(b.db, arrival{flushed, web * (0.4 + 0.5*rnd.Float64())})
	if r.Route != "insert" {
		b.get = append(b.get, arrival{flushed, web})
		return
	}
	if keep := w.p.timers.keep; keep > 0 && rnd.Float64() >= keep {
		return
	}
	if f := w.p.timers.value; f != nil {
		web = f(web)
	}
	b.web = append(b.web, arrival{flushed, web})
}

// timed makes the series of an instance's timers.
func (w *world) timed(b *being) {
	web := b.web
	slices.SortStableFunc(web, func(x, y arrival) int { return cmp.Compare(x.at, y.at) })
	if w.p.timers.averaged {
		web = averages(web)
	}
	w.timer(b, "fullstack.insert.time", web, max(1, 1/cmp.Or(w.p.timers.rate, 1)))
	w.timer(b, "fullstack.get.time", b.get, 1)
	w.timer(b, "fullstack.db.time", b.db, 1)
}

func averages(values []arrival) []arrival {
	var out []arrival
	for len(values) > 0 {
		n, sum := 0, 0.0
		for n < len(values) && values[n].at == values[0].at {
			sum += values[n].n
			n++
		}
		out = append(out, arrival{values[0].at, sum / float64(n)})
		values = values[n:]
	}
	return out
}

func (w *world) timer(b *being, metric string, values []arrival, weight float64) {
	if len(values) == 0 {
		return
	}
	slices.SortStableFunc(values, func(x, y arrival) int { return cmp.Compare(x.at, y.at) })
	s := record.Series{Name: underscored(metric), Labels: b.labels(), Meta: collector.Meta{Type: collector.Summary, Sent: metric, Unit: "milliseconds"}}
	h := collector.Histogram{Schema: 4, ZeroThreshold: 0x1p-128}
	buckets := map[int32]float64{}
	i := 0
	for _, t := range w.ticks() {
		var seen uint64
		for i < len(values) && values[i].at <= t {
			h.Count += weight
			h.Sum += values[i].n * weight
			buckets[int32(math.Ceil(math.Log2(values[i].n)*16))] += weight
			seen, i = seen+1, i+1
		}
		if t-time.Second > b.death {
			s.Points = append(s.Points, record.Point{At: t, Stale: true})
			break
		}
		if seen > 0 || len(s.Points) > 0 {
			now := h
			for index, n := range buckets {
				now.Positive = append(now.Positive, collector.Bucket{Index: index, Count: n})
			}
			slices.SortFunc(now.Positive, func(a, b collector.Bucket) int { return cmp.Compare(a.Index, b.Index) })
			s.Points = append(s.Points, record.Point{At: t, Observed: seen, Histogram: &now})
		}
	}
	w.h.Series = append(w.h.Series, s)
}

func underscored(metric string) string {
	out := []byte(metric)
	for i, c := range out {
		if c == '.' {
			out[i] = '_'
		}
	}
	return string(out)
}

// inFlight makes the series of an instance's gauge: at each flush after a
// change, what was in progress then.
func (w *world) inFlight(b *being) {
	slices.SortStableFunc(b.open, func(x, y change) int { return cmp.Compare(x.at, y.at) })
	s := record.Series{Name: "fullstack_inflight", Labels: b.labels(), Meta: collector.Meta{Type: collector.Gauge, Sent: "fullstack.inflight"}}
	i, open, sent := 0, 0, 0
	flush := b.flushPhase
	for _, t := range w.ticks() {
		if t-time.Second > b.death {
			if len(s.Points) > 0 {
				s.Points = append(s.Points, record.Point{At: t, Stale: true})
			}
			break
		}
		var seen uint64
		for flush <= t {
			at := flush
			if flush >= b.death {
				at = b.death
			}
			before := i
			for i < len(b.open) && b.open[i].at <= at {
				open += b.open[i].by
				i++
			}
			if i > before && (at < b.death || b.signal != "SIGKILL" && !w.p.noFlush) {
				sent, seen = open, seen+1
			}
			flush += w.period()
		}
		if seen > 0 || len(s.Points) > 0 {
			s.Points = append(s.Points, record.Point{At: t, Value: float64(sent), Observed: seen})
		}
	}
	if len(s.Points) > 0 {
		w.h.Series = append(w.h.Series, s)
	}
}

// hopsOf makes the collector's figures of what came in from what stands behind the
// points of all instances.
func (w *world) hopsOf() {
	ticks := w.ticks()
	var observed uint64
	for _, s := range w.h.Series {
		for _, p := range s.Points {
			if s.Meta.Sent != "" && !strings.HasSuffix(s.Name, "_sampled_total") && !p.Stale {
				observed += p.Observed
			}
		}
	}
	for _, name := range []string{"datagrams_total", "lines_total", "accepted_lines_total", "values_total"} {
		w.h.Series = append(w.h.Series, record.Series{Name: "throughline_collector_" + name, Labels: collector.NewLabels("listener", "127.0.0.1:1"),
			Meta: collector.Meta{Type: collector.Counter}, Points: []record.Point{{At: ticks[len(ticks)-1], Value: float64(observed), Observed: 1}}})
	}
}

// figures makes the collector's figures of an instance.
func (w *world) figures(b *being) {
	for _, name := range []string{"truncated_datagrams_total", "series_refused_total"} {
		s := record.Series{Name: "throughline_collector_" + name, Labels: collector.NewLabels("instance", b.name, "listener", "127.0.0.1:1"),
			Meta: collector.Meta{Type: collector.Counter}}
		for _, t := range w.ticks() {
			if t >= b.birth && t-time.Second <= b.death {
				s.Points = append(s.Points, record.Point{At: t, Observed: 1})
			}
		}
		w.h.Series = append(w.h.Series, s)
	}
}
