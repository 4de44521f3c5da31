package check

import (
	"slices"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// TestLimitHTTPDTookEffect: by its log and its scoreboard an httpd had no more to do at once than it may, and one of them shows it.
func TestLimitHTTPDTookEffect(t *testing.T) {
	workers := func(state string, n float64) record.Series {
		return record.Series{Name: "apache_workers", Labels: collector.NewLabels("instance", "web-2", "state", state), Meta: collector.Meta{Type: collector.Gauge},
			Points: []record.Point{{At: 8 * time.Second, Value: 20, Observed: 1}, {At: 9500 * time.Millisecond, Value: n, Observed: 1}, {At: 11850 * time.Millisecond, Value: 20, Observed: 1}}}
	}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	passed := func(instance string, from, to int) record.Passage {
		return record.Passage{At: ms(to), Foreign: true, Instance: instance, Status: 200, Answered: true, Took: ms(to - from)}
	}
	// Two of web-2 at once while it was in force, one just after the other; three before the step was over, three when it was
	// healed, and three elsewhere.
	good := []record.Passage{
		passed("web-2", 9050, 9250), passed("web-2", 9060, 9260), passed("web-2", 9070, 9270),
		passed("web-2", 10300, 10500), passed("web-2", 10400, 10600), passed("web-2", 10500, 10700),
		passed("web-1", 10400, 10500), passed("web-1", 10400, 10500), passed("web-1", 10400, 10500),
		passed("web-2", 11850, 12100), passed("web-2", 11860, 12100), passed("web-2", 11870, 12100),
	}
	const proven, not = "1 step took effect: fault limit-httpd on web-2", "the fault did not take effect: fault limit-httpd on web-2: "
	for _, c := range []struct {
		name     string
		passages []record.Passage
		spare    float64 // workers that were idle; -1: nobody knows
		outcome  verdict.Outcome
		want     string
	}{
		{"it held", good, 1, verdict.Pass, proven + " (from 9.0 s to 12.0 s, touched 7 (web-2 7), 2 requests at once, and never more)"},
		{"more at once than it may", append(slices.Clone(good), passed("web-2", 10590, 10650)), 1, verdict.Inconclusive, not + "3 requests were on the httpd of web-2 at once at 10.6 s"},
		{"a light load", good[3:4], 1, verdict.Pass, proven + " (from 9.0 s to 12.0 s, touched 7 (web-2 7), 1 request at once, and never more)"},
		{"a light load, and nobody read its scoreboard", good[3:4], -1, verdict.Inconclusive, not + "nobody could read its scoreboard, and its log has 1 request at once at most, of 2 that it may have"},
		{"nobody read its scoreboard", good, -1, verdict.Pass, proven + " (from 9.0 s to 12.0 s, touched 7 (web-2 7), 2 requests at once, and never more)"},
		{"more workers than it may have", good, 2, verdict.Inconclusive, not + "the httpd of web-2 had 3 workers at 9.5 s"},
		{"a record without its log", nil, 2, verdict.Pass, proven + " (from 9.0 s to 12.0 s, touched 7 (web-2 7))"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := hindered("fault: limit-httpd, on: web-2, workers: 2", "limit-httpd", "", "web-2")
			h.Passages = c.passages
			if c.spare >= 0 {
				h.Series = append(h.Series, workers("busy", 1), workers("idle", c.spare))
			}
			says(t, judged(t, h), "efficacy", c.outcome, c.want)
		})
	}
}
