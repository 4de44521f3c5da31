package tiers

import (
	"fmt"
	"slices"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkFailures = "failures"

// Failures counts the requests that instances answered with 5xx. What the load
// balancer answers itself, while an instance dies, is no failure of the service. With
// `at_most: 0`, two 500 of web-1 fail the run; thirty 503 that name no instance do not.
type Failures struct{ Promise script.Failures }

// failing is what one instance failed, by status.
type failing struct {
	n        int64
	statuses map[uint16]int64
	at       record.Request // the first
	until    time.Duration  // the end of the last
}

// Judge looks at all instances, or says why it cannot.
func (c Failures) Judge(e *evidence.Index) verdict.Result {
	by := map[string]*failing{}
	var total, looked int64
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		if c.Promise.Route != "" && r.Route != c.Promise.Route {
			continue
		}
		looked++
		if !evidence.Failed(r) || r.Status < 500 {
			continue
		}
		if by[r.Instance] == nil {
			by[r.Instance] = &failing{statuses: map[uint16]int64{}, at: *r}
		}
		by[r.Instance].n++
		by[r.Instance].until = max(by[r.Instance].until, r.Done)
		by[r.Instance].statuses[r.Status]++
		total++
	}
	if looked == 0 {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "", "failures: no request was sent, so nothing was looked at")}}
	}
	if total <= int64(c.Promise.AtMost) {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Pass, "", "failures: %s of %s answered with 5xx by an instance, of at most %d", words.Number(total), words.Times(looked, "request"), c.Promise.AtMost)}}
	}
	var out []verdict.Finding
	cause, why := c.cause(e)
	for instance, f := range by {
		found := c.finding(verdict.Fail, instance, "%s answered %s with %s, the first at %s, and at most %d may fail in all%s", instance, words.Times(f.n, "request"), f.told(),
			words.Seconds(f.at.Done), c.Promise.AtMost, why)
		found.Lost, found.Cause = f.n, cause
		found.From, found.To = f.at.Done.Seconds(), f.until.Seconds()
		out = append(out, found)
	}
	return verdict.Result{Findings: out}
}

func (c Failures) finding(o verdict.Outcome, instance string, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkFailures, Outcome: o, Layer: record.LayerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// told lists the statuses: "500", "500 and 503".
func (f *failing) told() string {
	var all []string
	for status := range f.statuses {
		all = append(all, fmt.Sprint(status))
	}
	slices.Sort(all)
	return words.Some(all)
}

// cause looks into the database: a write that was made although its request
// failed is in no metric of successes, and a user who tries again makes it twice.
func (c Failures) cause(e *evidence.Index) (cause, why string) {
	gained, ok := increments(e)
	writes := writingRoutes(e)
	if !ok || len(writes) == 0 || c.Promise.Route != "" && !slices.Contains(writes, c.Promise.Route) {
		return "", ""
	}
	var unsuccessful, others int64
	for _, s := range e.Users.Spans {
		switch {
		case !slices.Contains(writes, s.Key.Route):
		case s.Failed:
			unsuccessful += s.Unknown
		default:
			others += s.Unknown + s.Replays
		}
	}
	kept := gained - ackedTotal(e, writes...)
	switch {
	case unsuccessful == 0:
		return "", ""
	case kept <= others:
		return verdict.CauseFailedWrites, "; none of their writes is in the database"
	case kept >= unsuccessful:
		return verdict.CauseKeptWrites, "; their writes are in the database all the same: they were made before the failure, and no metric of successes has them"
	}
	return "", fmt.Sprintf("; %s of the %s failed writes are in the database", words.Number(kept), words.Number(unsuccessful))
}
