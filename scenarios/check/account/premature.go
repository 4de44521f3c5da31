package account

import (
	"slices"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Premature is a metric that had counted requests at a time at which they were still to be
// sent: at 5.1 s it stood at 40, users had sent 30 by then, and the 40th at 5.4 s. That is
// N = 10, At = 5.1 s, By = 0.3 s.
type Premature struct {
	Metric script.Metric
	N      int64
	At, By time.Duration
}

// PrematureCounts finds counts that are in the record before their requests were sent,
// and fit later: then it is not the count that is wrong, but a clock. Where other counts
// of the same run came as they should by the same clocks, it is the count, and
// the accounts are ahead.
func PrematureCounts(e *evidence.Index) []Premature {
	var out []Premature
	for _, r := range script.Promised[script.Conservation](e.Scenario) {
		p := premature(e, r)
		if p.N == 0 {
			continue
		}
		if p.By <= e.Apart() {
			continue // the users' clocks are known no better
		}
		b := NewBooks(e, r)
		if !slices.ContainsFunc(b.Accounts, func(a Account) bool { return a.Ahead.N > 0 }) {
			out = append(out, p)
		}
	}
	return out
}

// premature is PrematureCounts for one metric, whatever others counted.
func premature(e *evidence.Index, r script.Conservation) Premature {
	if r.SampleRate < 1 {
		return Premature{}
	}
	var series []*record.Series
	for _, instance := range e.SendersFor(r.Route) {
		series = append(series, e.Counts(instance, r.Metric)...)
	}
	p := aheadOf(evidence.SumOf(series), askedFor(e, r.Route), NewAllowances(e, r.Route).All())
	p.Metric = r.Metric
	return p
}

// askedFor is when requests of a route were sent, in order, refused ones too.
func askedFor(e *evidence.Index, route string) []time.Duration {
	at := make([]time.Duration, 0, len(e.History.Requests))
	for i := range e.History.Requests {
		if r := &e.History.Requests[i]; r.Route == route {
			at = append(at, r.Sent)
		}
	}
	slices.Sort(at)
	return at
}

// aheadOf gives the count that is furthest ahead of the times at which requests
// were sent; the zero premature: none is.
func aheadOf(counted evidence.Curve, asked []time.Duration, more Allowance) Premature {
	var worst Premature
	repeated := more.Replays + more.Retries
	if evidence.Whole(counted.Last()) > int64(len(asked))+repeated {
		return worst // too many altogether: conservation says so
	}
	for k, t := range counted.At {
		over := evidence.Whole(counted.N[k]) - evidence.CountUpTo(asked, t) - repeated
		if over <= 0 {
			continue
		}
		// The request that the count stands for, at the latest.
		if by := asked[min(evidence.Whole(counted.N[k])-repeated, int64(len(asked)))-1] - t; by > worst.By {
			worst = Premature{N: over, At: t, By: by}
		}
	}
	return worst
}
