package evidence

import (
	"slices"

	"throughline/scenarios/metric"
	"throughline/scenarios/record"
)

// Whoever scrapes may let labels that an instance exposes win over those of the target (honor_labels). One that exposes an `instance` of its
// own is then stored under that: it has no series of its own, and with others that expose the same it shares one.

// Overwritten are the values of `instance` under which a metric of an instance is stored because what it exposes won over the label by which it
// is known; none where that is not so. It was scraped well and has no series of the metric, and there are series of it whose instance no target
// is called by; or, where the scenario has labels honoured, another one's, and nothing at all of what it exposed is its own.
func (e *Index) Overwritten(m metric.Ref, instance string) (as []string) {
	l, known := e.LifeOf(instance)
	role, is := e.Scenario.Stack.Role(string(l.Role))
	if !known || !is || !role.Metrics.HonorLabels && e.Scenario.MetricsFrom == nil || len(e.SeriesOf(instance, m)) > 0 {
		return nil
	}
	if _, _, scraped := e.LastScrape(instance, Forever); !scraped {
		return nil
	}
	nothing := role.Metrics.HonorLabels && e.exposed(instance) && !slices.ContainsFunc(e.Pushed[instance], (*record.Series).Scraped)
	for _, other := range e.Senders() {
		_, target := e.LifeOf(other)
		if other != "" && (!target && e.fits(other, m) || nothing) && slices.ContainsFunc(e.SeriesOf(other, m), (*record.Series).Scraped) {
			as = append(as, other)
		}
	}
	return as
}

// OverwrittenTo are the instances whose counts of a metric are stored under an instance.
func (e *Index) OverwrittenTo(m metric.Ref, as string) (from []string) {
	for _, l := range e.Lives {
		if slices.Contains(e.Overwritten(m, l.Instance), as) {
			from = append(from, l.Instance)
		}
	}
	slices.SortFunc(from, record.CompareNames)
	return from
}

// fits tells whether series of somebody who is no instance can be those of one: no instance has counted before the run began. A server of the
// user's may have others of that name.
func (e *Index) fits(other string, m metric.Ref) bool {
	return e.Scenario.MetricsFrom == nil || !slices.ContainsFunc(e.Counts(other, m), func(s *record.Series) bool {
		return slices.ContainsFunc(s.Points, func(p record.Point) bool { return p.HasNumber() && p.Value > float64(2*len(e.History.Requests)) })
	})
}

// exposed tells whether any scrape of an instance brought a sample.
func (e *Index) exposed(instance string) bool {
	return slices.ContainsFunc(e.Polled[record.ScrapeSamples], func(s *record.Series) bool {
		return s.Labels.Get(LabelInstance) == instance && slices.ContainsFunc(s.Points, func(p record.Point) bool { return p.HasNumber() && p.Value > 0 })
	})
}
