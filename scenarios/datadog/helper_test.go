package datadog

import (
	"regexp"
	"strings"
)

// queriesOf are all queries of metrics.
func queriesOf(e Export) (all []string) {
	for _, w := range e.Dashboard.Widgets {
		for _, r := range w.Definition.Requests {
			all = append(all, r.Q)
		}
	}
	for _, m := range e.Monitors {
		if m.Type == "query alert" {
			all = append(all, m.Query)
		}
	}
	return all
}

// asked is a metric in a query.
type asked struct {
	name string
	tags []string
}

var metricQuery = regexp.MustCompile(`(?:sum|avg|min|max):([a-zA-Z][\w.]*)\{([^}]*)\}(?: by \{([^}]*)\})?`)

// metricsIn are the metrics that a query names, with the tags that it names of each. The suffixes that an agent adds to a
// timer are not of its name.
func metricsIn(query string) (all []asked) {
	for _, m := range metricQuery.FindAllStringSubmatch(query, -1) {
		a := asked{name: m[1]}
		for _, suffix := range []string{".avg", ".median", ".95percentile", ".max", ".count"} {
			a.name = strings.TrimSuffix(a.name, suffix)
		}
		for _, part := range regexp.MustCompile(`!?(\w+)(:| IN )`).FindAllStringSubmatch(m[2], -1) {
			a.tags = append(a.tags, part[1])
		}
		if m[3] != "" {
			a.tags = append(a.tags, strings.Split(m[3], ",")...)
		}
		all = append(all, a)
	}
	return all
}
