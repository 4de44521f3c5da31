package signals

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/script"
)

// What makes a metric one that comes with the traffic, and an instance one that
// should have sent it.
const (
	leastTraffic = 10 // intervals in which the instance acknowledged requests, or twice its client's window
	leastOfRoute = 5  // requests of each route that the others served
	regularShare = 3  // it is sent in one of so many intervals with traffic, or of so many windows
)

// served is what an instance did for its users.
type served struct {
	instance  string
	intervals int // with acknowledged requests
	routes    map[string]int64
	metrics   map[string]int // in how many intervals each was sent
}

// onlySome finds metrics that some instances send all along with their traffic,
// and others that served the same routes never. If web-1 and web-3 sent cache.hits in 18 of
// their 20 intervals with traffic and web-2 in none, web-2 has another build or lost its client.
func onlySome(e *evidence.Index, asked map[string]bool) []verdict.Finding {
	windows := int(longestWindow(e.Scenario)/e.Interval) + 1
	var all []served
	metrics := map[string]bool{}
	for _, l := range e.Lives {
		if s := servedBy(e, l.Instance); s.intervals >= leastTraffic*windows {
			all = append(all, s)
			for metric := range s.metrics {
				metrics[metric] = !asked[metric] && !slices.Contains(strings.Split(metric, "."), l.Instance)
			}
		}
	}
	lacking := map[string][]string{} // metrics by who lacks and who has them
	for metric, look := range metrics {
		if look {
			if who := without(metric, all, windows); who != "" {
				lacking[who] = append(lacking[who], metric)
			}
		}
	}
	var out []verdict.Finding
	for _, who := range sortedKeys(lacking) {
		slices.Sort(lacking[who])
		out = append(out, verdict.Finding{Summary: fmt.Sprintf("%s, although all served the same routes: %s", who, words.Some(lacking[who]))})
	}
	return out
}

// without tells who never sent a metric that the others send all along; ""
// where nobody should have.
func without(metric string, all []served, windows int) string {
	var have, lack []string
	routes := map[string]bool{}
	for _, s := range all {
		switch n := s.metrics[metric]; {
		case n == 0:
			lack = append(lack, s.instance)
		case n*regularShare*windows < s.intervals:
			return "" // it comes now and then: chance may have spared the others
		default:
			have = append(have, s.instance)
			for route := range s.routes {
				routes[route] = true
			}
		}
	}
	if len(have) == 0 || len(lack) == 0 {
		return ""
	}
	for _, s := range all {
		for route := range routes {
			if s.routes[route] < leastOfRoute && slices.Contains(lack, s.instance) {
				return ""
			}
		}
	}
	return fmt.Sprintf("%s never sent what %s sent all along", words.Some(lack), words.Some(have))
}

func servedBy(e *evidence.Index, instance string) served {
	s := served{instance: instance, routes: map[string]int64{}, metrics: map[string]int{}}
	for _, route := range e.Users.Routes {
		if n := len(e.Acked(instance, route)); n > 0 {
			s.routes[route] = int64(n)
		}
	}
	acked := e.Acked(instance)
	for _, t := range e.Ticks {
		if evidence.CountUpTo(acked, t) > evidence.CountUpTo(acked, t-e.Interval) {
			s.intervals++
		}
	}
	for _, series := range e.Pushed[instance] {
		n := 0
		for _, p := range series.Points {
			if p.Measured() {
				n++
			}
		}
		if hasPoints(*series) {
			s.metrics[series.Meta.Sent] = max(s.metrics[series.Meta.Sent], n, 1)
		}
	}
	return s
}

// longestWindow is the longest that a client of the scenario is said to buffer.
func longestWindow(s script.Scenario) (longest time.Duration) {
	for _, c := range script.Promised[script.Conservation](s) {
		longest = max(longest, c.ClientWindow)
	}
	return longest
}
