package run

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"throughline/collector"
	"throughline/collector/prom"
	"throughline/collector/readback"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// The series that a Prometheus writes about each scrape.
// Source: https://prometheus.io/docs/concepts/jobs_instances/#automatically-generated-labels-and-time-series
const (
	upName       = "up"
	durationName = "scrape_duration_seconds"
)

// book makes of what a server has samples as the run's own scrapes would have made them: whose they are, and when they were taken by our
// clock.
type book struct {
	from  script.MetricsFrom
	clock readback.Clock
	spans []span
	quiet time.Time // when all had been counted that ever would be
}

// attributed is what comes of it.
type attributed struct {
	samples  []collector.Sample
	troubles []string // why it proves nothing
	told     string
}

// asking is one time at which an instance was asked.
type asking struct {
	at   time.Time // by our clock, at the earliest
	good bool
	took time.Duration
	of   string // which of the server's targets it was
}

// bound is how far a time of the server's may be off when it is put into ours.
func (b book) bound() time.Duration { return b.clock.Bound() + scrapeTolerance }

// theirs is a time of ours by the server's clock, and ours the other way round: the earliest that it can have been.
func (b book) theirs(t time.Time) time.Time { return t.Add(b.clock.Ahead()) }
func (b book) ours(t time.Time) time.Time   { return t.Add(-b.clock.Ahead() - b.bound()) }

// matching are the instances that a value of the label may mean: by name, or by address, which several may have had one after the other.
func (b book) matching(value string) (all []span) {
	host, _, err := net.SplitHostPort(value)
	for _, s := range b.spans {
		if value == s.name || s.addr != "" && (value == s.addr || err == nil && host == s.addr) {
			all = append(all, s)
		}
	}
	return all
}

// known are the values of the label by which our instances are known, and those that mean none of them.
func (b book) known(ups []readback.Series) (ours, others []string) {
	for _, s := range ups {
		switch value := s.Labels.Get(b.from.Instance); {
		case value == "":
		case len(b.matching(value)) > 0:
			ours = append(ours, value)
		default:
			others = append(others, value)
		}
	}
	slices.Sort(ours)
	slices.Sort(others)
	return slices.Compact(ours), slices.Compact(others)
}

// jobs are those of the server's by which our instances are scraped.
func (b book) jobs(ups []readback.Series) (all []string) {
	for _, s := range ups {
		if job := s.Labels.Get(model.JobLabel); job != "" && len(b.matching(s.Labels.Get(b.from.Instance))) > 0 && !slices.Contains(all, job) {
			all = append(all, job)
		}
	}
	return all
}

// overwritten are the samples of series that are of no target of the server's, by the name that they give the instance.
func (b book) overwritten(ups, others []readback.Series, types map[string]model.MetricType) (out []collector.Sample) {
	target := func(l collector.Labels) bool {
		return slices.ContainsFunc(ups, func(up readback.Series) bool {
			return up.Labels.Get(b.from.Instance) == l.Get(b.from.Instance) && up.Labels.Get(model.JobLabel) == l.Get(model.JobLabel)
		})
	}
	for _, s := range others {
		as := s.Labels.Get(b.from.Instance)
		if as == "" || target(s.Labels) {
			continue
		}
		kind, _ := prom.TypeOf(s.Name, types, s.Native)
		meta := &collector.Meta{Type: kind, Sent: s.Name, Way: collector.ByScrape, Origin: "target"}
		labels := s.Labels.With("instance", as).With(collector.LabelWay, string(collector.ByScrape))
		for _, p := range s.Points {
			if at := b.ours(p.At); !at.Add(2 * b.bound()).Before(b.spans[0].from) {
				out = append(out, collector.Sample{Name: s.Name, Labels: labels, Meta: meta, At: at, Value: p.Value, Histogram: p.Histogram, Observed: 1, Stale: p.Stale})
			}
		}
	}
	return out
}

// with adds samples.
func (a attributed) with(samples []collector.Sample) attributed {
	a.samples = append(a.samples, samples...)
	return a
}

// owner is who had a value of the label at a time of ours. Before its birth nobody is; after its end whose it was, which late tells.
func owner(all []span, at time.Time, bound time.Duration) (who span, late, ok bool) {
	for _, s := range all {
		if !at.Add(2 * bound).Before(s.from) {
			who, ok = s, true
		}
	}
	return who, ok && !who.to.IsZero() && at.After(who.to), ok
}

// attribute puts everything together.
func (b book) attribute(ups, took, all []readback.Series, types map[string]model.MetricType) attributed {
	scrapes := b.scrapes(ups, took)
	for _, s := range b.spans {
		if twice := targetsAtOnce(scrapes[s.name]); len(twice) > 1 {
			return attributed{told: "nothing was taken from " + b.from.URL, troubles: []string{fmt.Sprintf("%s scrapes %s as more than one target at once (%s), so that each count would be there twice: say which is meant, with metrics_from.job",
				b.from.URL, s.name, strings.Join(twice, " and "))}}
		}
	}
	var out attributed
	for _, s := range b.spans {
		out.samples = append(out.samples, b.figures(s, scrapes[s.name])...)
	}
	// Those of the scrapes themselves tell which labels are the server's, whatever else was asked for.
	all = slices.DeleteFunc(all, func(s readback.Series) bool { return s.Name == upName })
	series, lost := b.series(slices.Concat(all, ups), scrapes, types)
	out.samples = append(out.samples, series...)
	if lost > 0 {
		out.troubles = append(out.troubles, fmt.Sprintf("%s lacks %s of scrapes that were good, with no mark that their series ended, or has times for them that are no scrape's: "+
			"it refused or lost them, or its scrapes honour the times that an exposition gives (honor_timestamps)", b.from.URL, plural(lost, "sample")))
	}
	every := spacing(scrapes)
	if every > 0 && (every > b.from.Every*3/2 || every < b.from.Every*2/3) {
		out.troubles = append(out.troubles, fmt.Sprintf("%s scrapes every %v, and not every %v, as metrics_from.every has it, by which losses are bounded: say what is so",
			b.from.URL, every.Round(10*time.Millisecond), b.from.Every))
	}
	if most := min(b.from.Every/4, time.Second); b.bound() > most {
		out.troubles = append(out.troubles, fmt.Sprintf("the clock of %s is ahead of ours by %v to %v, which is known no better than that: more than %v, and nobody could tell what was scraped before what: "+
			"have both set by NTP, or run nearer to it", b.from.URL, b.clock.Least.Round(time.Millisecond), b.clock.Most.Round(time.Millisecond), 2*most))
	}
	out.told = fmt.Sprintf("read %s of %s from %s, which scrapes every %v; its clock is ahead of ours by %v, give or take %v", plural(int64(len(series)), "sample"),
		plural(int64(len(scrapes)), "instance"), b.from.URL, cmp.Or(every.Round(10*time.Millisecond), b.from.Every), b.clock.Ahead().Round(100*time.Microsecond), b.bound().Round(100*time.Microsecond))
	return out
}

// scrapes are when each instance was asked while it lived, in order.
func (b book) scrapes(ups, took []readback.Series) map[string][]asking {
	lasted := map[string]map[int64]time.Duration{}
	for _, s := range took {
		key := s.Labels.Key("")
		lasted[key] = map[int64]time.Duration{}
		for _, p := range s.Points {
			if !p.Stale {
				lasted[key][p.At.UnixMilli()] = time.Duration(p.Value * float64(time.Second))
			}
		}
	}
	out := map[string][]asking{}
	for _, s := range ups {
		all, key := b.matching(s.Labels.Get(b.from.Instance)), s.Labels.Key("")
		for _, p := range s.Points {
			at := b.ours(p.At)
			who, late, known := owner(all, at, b.bound())
			if p.Stale || !known || late {
				continue
			}
			out[who.name] = append(out[who.name], asking{at: at, good: p.Value > 0, took: lasted[key][p.At.UnixMilli()] + 2*b.bound(), of: targetName(s.Labels)})
		}
	}
	for _, of := range out {
		slices.SortFunc(of, func(x, y asking) int { return x.at.Compare(y.at) })
	}
	return out
}

// targetName tells one target of a server from another.
func targetName(l collector.Labels) string {
	var parts []string
	for _, x := range l {
		parts = append(parts, x.Name+"="+x.Value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// targetsAtOnce are the targets between which the scrapes of one instance go to and fro; of one that gave way to another there is none.
func targetsAtOnce(of []asking) []string {
	turns := 0
	var all []string
	for i, s := range of {
		if i > 0 && s.of != of[i-1].of {
			turns++
		}
		if !slices.Contains(all, s.of) {
			all = append(all, s.of)
		}
	}
	if turns < len(all) {
		return nil
	}
	return all
}

// spacing is the median distance between scrapes of an instance; 0 where there are not enough to tell.
func spacing(scrapes map[string][]asking) time.Duration {
	var all []time.Duration
	for _, of := range scrapes {
		for i := 1; i < len(of); i++ {
			all = append(all, of[i].at.Sub(of[i-1].at))
		}
	}
	if len(all) < 3 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

var (
	scrapeGauge   = &collector.Meta{Type: collector.Gauge}
	scrapeCounter = &collector.Meta{Type: collector.Counter}
)

// figures are what a collector tells of its own scrapes, of those of the server. One that came later than it was due is late, and so is one
// that had not come when its instance ended, or everything had: what was missing meanwhile was the server's to fetch. The first has no
// time at which it was due: until the server has found an instance nobody asks it.
func (b book) figures(s span, of []asking) (out []collector.Sample) {
	whose := collector.NewLabels("instance", s.name)
	add := func(name string, labels collector.Labels, meta *collector.Meta, at time.Time, value float64) {
		out = append(out, collector.Sample{Name: name, Labels: labels, Meta: meta, At: at, Value: value, Observed: 1})
	}
	failed, last := 0, s.from
	for i, x := range of {
		late, success := time.Duration(0), 0.0
		if i > 0 {
			late = max(0, x.at.Sub(last)-b.from.Every)
		}
		if x.good {
			success = 1
		} else {
			failed++
		}
		last = x.at
		add(record.ScrapeSuccess, whose, scrapeGauge, x.at, success)
		add(record.ScrapeDuration, whose, scrapeGauge, x.at, x.took.Seconds())
		add(record.ScrapeLateness, whose, scrapeGauge, x.at, late.Seconds())
		add(record.ScrapeFigures+"scrapes_total", whose, scrapeCounter, x.at, float64(i+1))
		add(record.ScrapeFailures, whose.With("reason", upName), scrapeCounter, x.at, float64(failed))
	}
	end := b.quiet
	if !s.to.IsZero() && s.to.Before(end) {
		end = s.to
	}
	if due := last.Add(b.from.Every); end.After(due) && end.After(last) {
		add(record.ScrapeLateness, whose, scrapeGauge, end, end.Sub(due).Seconds())
	}
	return out
}

// series are the samples of the instances' series, and how many are missing of good scrapes, or have the time of none. What are several
// series at the server, because an instance has had several addresses, is one.
func (b book) series(all []readback.Series, scrapes map[string][]asking, types map[string]model.MetricType) (out []collector.Sample, lost int64) {
	ours := map[string][]collector.Sample{}
	for _, s := range all {
		spans := b.matching(s.Labels.Get(b.from.Instance))
		kind, _ := prom.TypeOf(s.Name, types, s.Native)
		meta := &collector.Meta{Type: kind, Sent: s.Name, Way: collector.ByScrape, Origin: "target"}
		for _, p := range s.Points {
			at := b.ours(p.At)
			who, late, known := owner(spans, at, b.bound())
			if !known || late && !p.Stale {
				continue
			}
			labels := s.Labels.With("instance", who.name).With(collector.LabelWay, string(collector.ByScrape))
			key := labels.Key(s.Name)
			ours[key] = append(ours[key], collector.Sample{Name: s.Name, Labels: labels, Meta: meta, At: at, Value: p.Value, Histogram: p.Histogram, Observed: 1, Stale: p.Stale})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(ours)) {
		points := ours[key]
		slices.SortStableFunc(points, func(a, b collector.Sample) int { return a.At.Compare(b.At) })
		lost += missing(points, scrapes[points[0].Labels.Get("instance")])
		out = append(out, points...)
	}
	return out, lost
}

// missing is how many points a series lacks that was there before and after and had not ended meanwhile, and how many are of no scrape.
func missing(points []collector.Sample, of []asking) (n int64) {
	k := 0
	for i, p := range points {
		for k < len(of) && of[k].at.Before(p.At) {
			if i > 0 && !points[i-1].Stale && of[k].good {
				n++
			}
			k++
		}
		switch {
		case k < len(of) && of[k].at.Equal(p.At):
			k++
		case !p.Stale:
			n++
		}
	}
	return n
}
