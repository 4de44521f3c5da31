package script

import (
	"slices"
	"time"
)

// Parity promises that several metrics, which count the same thing, count it alike at each instance.
type Parity struct {
	Of           []Metric      // at least two; the first is what the others are held against
	ClientWindow time.Duration // the longest that one of their clients buffers: what a kill may lose
	MaxLag       time.Duration // how much later than another one of them may count, beyond interval and client window
	Confidence   float64       // two-sided, of what sampling may have left out
}

// Kind implements [Promise].
func (Parity) Kind() string { return "parity" }

// Metrics implements [Promise].
func (c Parity) Metrics() []Metric { return c.Of }

// Late implements [Promise].
func (c Parity) Late() time.Duration { return c.ClientWindow + c.MaxLag }

func (p *promises) parity(v value) Parity {
	c := Parity{}
	m, ok := v.mapping("metrics", "client_window", "max_lag", "confidence")
	if !ok {
		return c
	}
	m.require("metrics")
	if v, ok := m.get("metrics"); ok {
		items := v.list("a list of metrics that count the same, like [words, {metric: words, by: otlp}]", v.name)
		for _, item := range items {
			one := item.metric()
			switch {
			case one == "":
			case slices.Contains(c.Of, one):
				item.failf("%s is there twice: want what counts the same another time", one)
			default:
				c.Of = append(c.Of, one)
			}
		}
		if len(items) == 1 {
			v.failf("want at least two metrics to compare, got one")
		}
	}
	c.ClientWindow = m.duration("client_window", 0, p.longestWindow(c.Of))
	c.MaxLag = m.duration("max_lag", 0, defaultMaxLag)
	c.Confidence = m.fraction("confidence", false, defaultConfidence)
	return c
}

// longestWindow is the longest that a client of one of the metrics buffers: what a conservation check says of it, or what its way
// asks for.
func (p *promises) longestWindow(metrics []Metric) (longest time.Duration) {
	for _, m := range metrics {
		longest = max(longest, p.s.WindowOf(anyRole, m))
	}
	return longest
}
