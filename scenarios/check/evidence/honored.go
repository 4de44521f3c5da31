package evidence

import (
	"slices"

	"throughline/scenarios/metric"
	"throughline/scenarios/record"
)

// Whoever scrapes may let labels that an instance exposes win over those of the target (honor_labels). One that exposes an `instance` of its
// own is then stored under that: it has no series of its own, and with others that expose the same it shares one.

// honored is under whose name the counts of a metric are stored: by instance, and the other way round.
type honored struct{ as, from map[string][]string }

// Overwritten are the values of `instance` under which a metric of an instance is stored because what it exposes won over the label by which it
// is known; none where that is not so. It was scraped well and has no series of the metric, and there are series of it whose instance no target
// is called by; or, where the scenario has labels honoured, another one's, and nothing at all of what it exposed is its own.
func (e *Index) Overwritten(m metric.Ref, instance string) (as []string) {
	return e.honored(m).as[instance]
}

// OverwrittenTo are the instances whose counts of a metric are stored under an instance.
func (e *Index) OverwrittenTo(m metric.Ref, as string) (from []string) { return e.honored(m).from[as] }

// honored looks at all instances at once, as each asks for who is stored under it.
func (e *Index) honored(m metric.Ref) honored {
	if m == "" {
		return honored{}
	}
	c := e.chosen(m)
	if c.honored != nil {
		return *c.honored
	}
	c.honored = &honored{map[string][]string{}, map[string][]string{}}
	for _, l := range e.Lives {
		as := e.overwritten(m, l)
		if len(as) > 0 {
			c.honored.as[l.Instance] = as
		}
		for _, other := range as {
			c.honored.from[other] = append(c.honored.from[other], l.Instance)
		}
	}
	for _, from := range c.honored.from {
		slices.SortFunc(from, record.CompareNames)
	}
	return *c.honored
}

// overwritten finds it for one instance.
func (e *Index) overwritten(m metric.Ref, l record.Lifetime) (as []string) {
	role, is := e.Scenario.Stack.Role(string(l.Role))
	if !is || !role.Metrics.HonorLabels && e.Scenario.MetricsFrom == nil || len(e.SeriesOf(l.Instance, m)) > 0 {
		return nil
	}
	if _, _, scraped := e.LastScrape(l.Instance, Forever); !scraped {
		return nil
	}
	nothing := role.Metrics.HonorLabels && e.exposed(l.Instance) && !slices.ContainsFunc(e.Pushed[l.Instance], (*record.Series).Scraped)
	for _, other := range e.Senders() {
		_, target := e.LifeOf(other)
		if other != "" && (!target && e.fits(other, m) || nothing) && slices.ContainsFunc(e.SeriesOf(other, m), (*record.Series).Scraped) {
			as = append(as, other)
		}
	}
	return as
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
