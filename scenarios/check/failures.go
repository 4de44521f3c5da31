package check

import (
	"fmt"
	"slices"
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkFailures = "failures"

// failures counts the requests that instances answered with 5xx. What the load
// balancer answers itself, while an instance dies, is no failure of the service.
type failures struct{ rule script.Failures }

// failing is what one instance failed, by status.
type failing struct {
	n        int64
	statuses map[uint16]int64
	at       record.Request // the first
	until    time.Duration  // the end of the last
}

func (c failures) judge(e *evidence) result {
	by := map[string]*failing{}
	var total, looked int64
	for i := range e.history.Requests {
		r := &e.history.Requests[i]
		if c.rule.Route != "" && r.Route != c.rule.Route {
			continue
		}
		looked++
		if !failed(r) || r.Status < 500 {
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
		return result{findings: []Finding{c.finding(Inconclusive, "", "failures: no request was sent, so nothing was looked at")}}
	}
	if total <= int64(c.rule.AtMost) {
		return result{findings: []Finding{c.finding(Pass, "", "failures: %s of %s answered with 5xx by an instance, of at most %d", number(total), times(looked, "request"), c.rule.AtMost)}}
	}
	var out []Finding
	cause, why := c.cause(e)
	for instance, f := range by {
		found := c.finding(Fail, instance, "%s answered %s with %s, the first at %s, and at most %d may fail in all%s", instance, times(f.n, "request"), f.told(),
			seconds(f.at.Done), c.rule.AtMost, why)
		found.Lost, found.Cause = f.n, cause
		found.From, found.To = f.at.Done.Seconds(), f.until.Seconds()
		out = append(out, found)
	}
	return result{findings: out}
}

func (c failures) finding(o Outcome, instance string, format string, args ...any) Finding {
	return Finding{Check: checkFailures, Outcome: o, Layer: layerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// told lists the statuses: "500", "500 and 503".
func (f *failing) told() string {
	var all []string
	for status := range f.statuses {
		all = append(all, fmt.Sprint(status))
	}
	slices.Sort(all)
	return some(all)
}

// cause looks into the database: a write that was made although its request
// failed is in no metric of successes, and a user who tries again makes it twice.
func (c failures) cause(e *evidence) (cause, why string) {
	gained, ok := e.increments()
	writes := e.writes()
	if !ok || len(writes) == 0 || c.rule.Route != "" && !slices.Contains(writes, c.rule.Route) {
		return "", ""
	}
	var unsuccessful, others int64
	for _, s := range e.users.spans {
		switch {
		case !slices.Contains(writes, s.key.route):
		case s.failed:
			unsuccessful += s.unknown
		default:
			others += s.unknown + s.replays
		}
	}
	kept := gained - e.ackedTotal(writes...)
	switch {
	case unsuccessful == 0:
		return "", ""
	case kept <= others:
		return causeFailedWrites, "; none of their writes is in the database"
	case kept >= unsuccessful:
		return causeKeptWrites, "; their writes are in the database all the same: they were made before the failure, and no metric of successes has them"
	}
	return "", fmt.Sprintf("; %s of the %s failed writes are in the database", number(kept), number(unsuccessful))
}
