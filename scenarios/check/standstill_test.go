package check

import (
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// throttle lets the host say that it stopped web-3 from 12 s on, for so long in each
// second, summed over its CPUs.
func throttle(h *record.History, seconds float64, until time.Duration) {
	s := record.Series{Name: "host_cpu_throttled_seconds_total", Labels: collector.NewLabels("instance", "web-3"), Meta: collector.Meta{Type: collector.Counter}}
	stopped := 0.0
	for at := time.Second; at < 27*time.Second; at += time.Second {
		if at > 12*time.Second && at <= until {
			stopped += seconds
		}
		s.Points = append(s.Points, record.Point{At: at, Value: stopped, Observed: 1})
	}
	h.Series = append(h.Series, s)
}

// An instance that the host stops most of the time sends late and has gaps: that is
// the limit's doing, for as long as the host says, and no longer.
func TestWhoIsStoppedByTheHostCannotSend(t *testing.T) {
	for name, c := range map[string]struct {
		stopped float64 // seconds in each second
		until   time.Duration
		silent  time.Duration // from 12 s on
		want    verdict.Outcome
	}{
		"not stopped":                        {0, 0, 16 * time.Second, verdict.Fail},
		"all the while":                      {0.95, 16 * time.Second, 16 * time.Second, verdict.Pass},
		"on both of its CPUs":                {1.9, 16 * time.Second, 16 * time.Second, verdict.Pass},
		"a tenth of the time":                {0.1, 16 * time.Second, 16 * time.Second, verdict.Fail},
		"its silence is longer":              {0.95, 14 * time.Second, 20 * time.Second, verdict.Fail},
		"on both, and its silence is longer": {1.9, 14 * time.Second, 20 * time.Second, verdict.Fail},
	} {
		p := talk()
		p.checks = continuityCheck + "  - conservation: {metric: fullstack.insert, route: insert}\n"
		h := p.make()
		silence(h, "web-3", 12*time.Second, c.silent)
		throttle(&h, c.stopped, c.until)
		v := judged(t, h)
		for _, check := range []string{"continuity", "conservation"} {
			got := verdict.Pass
			for _, f := range v.Findings {
				if f.Check == check && f.Instance == "web-3" && f.Outcome != verdict.Pass {
					got = f.Outcome
				}
			}
			if got != c.want {
				t.Errorf("%s: %s: %v, want %v", name, check, got, c.want)
			}
		}
	}
}

// A client that is given a fiftieth of a CPU may hold what it got fifty times as
// long: how much a SIGKILL takes with it then proves nothing. Without a limit, or
// once it is lifted, it does.
func TestAKillUnderALimit(t *testing.T) {
	for _, c := range []struct {
		steps   []string
		outcome verdict.Outcome
		words   string
	}{
		{[]string{"limit web-2, cpus: 0.05", "kill web-2"}, verdict.Inconclusive, "its CPU was limited, so that it may have been 1.9s late, and with that they fit"},
		{[]string{"limit web-3, cpus: 0.05", "kill web-2"}, verdict.Fail, ""},
		{[]string{"limit web-2, cpus: 0.05", "limit web-2, cpus: 0", "kill web-2"}, verdict.Fail, ""},
		{[]string{"kill web-2"}, verdict.Fail, ""},
	} {
		p := talk()
		p.checks = allChecks
		p.phases[1].steps = c.steps
		h := p.make()
		shift(h, "fullstack_insert_total", "web-2", 10*time.Second, -60)
		if f := about(t, judged(t, h), "conservation", "web-2", c.outcome); !strings.Contains(f.Summary, c.words) {
			t.Errorf("%v: %s", c.steps, f.Summary)
		}
	}
}
