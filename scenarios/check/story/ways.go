package story

import (
	"strings"

	"throughline/collector"
	"throughline/scenarios/metric"
	"throughline/scenarios/script"
)

// way is by which way in the metrics of a strand came, so that what is told to do about it fits: "otlp" or "scrape" where all of them did; ""
// where any came by StatsD, or nobody knows. An instance behind an agent sends to that, whatever the agent does.
func (t *teller) way(s *strand) string {
	if t.s.Stack.Agent.There() {
		return ""
	}
	f := t.v.Findings[s.findings[0]]
	var all, named []metric.Ref // named: whose name the finding begins with, as it does where there are several
	for _, c := range t.s.Checks {
		if c.Promise == nil || c.Promise.Kind() != f.Check {
			continue
		}
		for _, m := range c.Promise.Metrics() {
			all = append(all, m)
			if strings.HasPrefix(f.Summary, string(m)+": ") {
				named = append(named, m)
			}
		}
	}
	if len(named) > 0 {
		all = named
	}
	ways := map[string]bool{}
	for _, m := range all {
		ways[t.wayOf(m)] = true
	}
	if len(ways) == 1 {
		for way := range ways {
			return way
		}
	}
	return ""
}

// wayOf is by which way in a metric came, or should have if it never did.
func (t *teller) wayOf(m metric.Ref) string {
	if way := m.Selection().Way; way != "" {
		return way
	}
	for _, l := range t.lives {
		for _, s := range t.series().SeriesOf(l.Instance, m) {
			return string(s.Meta.CameBy())
		}
	}
	for _, w := range t.s.Stack.Roles() {
		if _, scraped := t.s.Stack.Scraped(w.RoleName(), m); scraped {
			return script.ByScrape
		}
		if w.Metrics.OTLP != "" {
			return string(collector.ByOTLP)
		}
	}
	return ""
}
