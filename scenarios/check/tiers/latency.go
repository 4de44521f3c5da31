package tiers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

var checkLatency = script.Latency{}.Kind()

// Latency holds how long users waited against what was promised. It counts, exactly, the run's own requests: with p99: 200ms
// no more than 10 of 1,000 may take longer, from when they were due, and one that failed takes longer than any bound. What
// the harness itself was late lies between two counts: of those that took longer as users know it, and of those that
// did so whatever the machine was busy with. Only where both say so is the promise kept, or broken.
type Latency struct{ Promise script.Latency }

// Judge looks at each bound.
func (c Latency) Judge(e *evidence.Index) verdict.Result {
	d, why := demandedOf(e, checkLatency, c.Promise.Route, c.Promise.In)
	if why != "" {
		return verdict.Result{Findings: []verdict.Finding{d.finding(verdict.Inconclusive, nil, "%s", why)}}
	}
	waited := make([]time.Duration, len(d.rows))
	for i, r := range d.rows {
		waited[i] = latencyOf(r)
	}
	slices.Sort(waited)
	var out []verdict.Finding
	var kept []string
	for _, b := range c.Promise.Bounds {
		f := c.bound(d, b, waited)
		if f.Outcome == verdict.Pass {
			kept = append(kept, f.Summary)
			continue
		}
		out = append(out, f)
	}
	if len(kept) > 0 {
		out = append(out, d.finding(verdict.Pass, nil, "latency of %s: %s, of %s", d.whose, strings.Join(kept, ", "), words.Times(len(d.rows), "request")))
	}
	return verdict.Result{Findings: out}
}

// latencyOf is how long a user waited for a request that was due; evidence.Forever for one that failed: an instance or the
// load balancer answered with 5xx, or there was no whole answer.
func latencyOf(r *record.Request) time.Duration {
	if !inFull(r) || r.Status >= 500 {
		return evidence.Forever
	}
	return r.Done - r.Due
}

// bound judges one. The summary of one that is kept is only a part of a sentence.
func (c Latency) bound(d demanded, b script.LatencyBound, waited []time.Duration) verdict.Finding {
	n, q := int64(len(waited)), b.Percentile.Permille
	reached := told(waited[max(0, n-may(n, q)-1)])
	var over, failed []*record.Request
	for _, r := range d.rows {
		if w := latencyOf(r); w > b.AtMost {
			over = append(over, r)
			if w == evidence.Forever {
				failed = append(failed, r)
			}
		}
	}
	need := least(q)
	head := fmt.Sprintf("latency of %s: %s %s, of at most %v", d.whose, b.Percentile.Name, reached, b.AtMost)
	switch {
	case d.beyond(over, func(r *record.Request) bool { return d.outlasts(r, b.AtMost) }, may(max(n+d.unsent, need), q)):
		text := fmt.Sprintf("%s: %s of %s took longer since they were due", head, words.Number(len(over)), words.Times(n, "request"))
		if len(failed) > 0 {
			text += ", among them " + cameTo(failed)
		}
		return d.finding(verdict.Fail, over, "%s%s", text, d.where(over))
	case n < need:
		return d.finding(verdict.Inconclusive, nil, "latency of %s: %s too few for %s, which takes at least %s", d.whose, areMany(n), b.Percentile.Name, words.Number(need))
	case int64(len(over)) <= may(n, q):
		return d.finding(verdict.Pass, nil, "%s %s (of at most %v)", b.Percentile.Name, reached, b.AtMost)
	}
	f := d.finding(verdict.Inconclusive, over, "%s, and the load generator was itself up to %s late, without which it may have been less", head, millis(d.latest().Seconds()))
	f.Cause = verdict.CauseStall
	return f
}

// outlasts tells whether a request took longer than a bound, whatever kept the harness. One that failed did, unless the
// machine itself may have kept it waiting for as long as there was to wait.
func (d demanded) outlasts(r *record.Request, bound time.Duration) bool {
	switch {
	case latencyOf(r) == evidence.Forever && inFull(r):
		return true
	case latencyOf(r) == evidence.Forever:
		return r.Attempts == 0 || d.surely(r) > 0
	}
	return d.surely(r) > bound
}

// latest is how late the load generator was at most for one of the requests.
func (d demanded) latest() (late time.Duration) {
	for _, r := range d.rows {
		late = max(late, r.Sent-r.Due)
	}
	return late
}

// may is how many of n requests may take longer than a percentile's bound.
func may(n, permille int64) int64 { return n * (1000 - permille) / 1000 }

// least is of how many requests one may take longer: of fewer, a percentile is their slowest.
func least(permille int64) int64 {
	if permille == 1000 {
		return 1
	}
	return (1000 + 999 - permille) / (1000 - permille)
}

// told writes a percentile: "212 ms".
func told(d time.Duration) string {
	if d == evidence.Forever {
		return "is that of a failed request"
	}
	return "is " + millis(d.Seconds())
}
