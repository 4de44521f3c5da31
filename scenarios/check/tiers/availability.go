package tiers

import (
	"fmt"
	"strconv"
	"strings"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

var checkAvailability = script.Availability{}.Kind()

// Availability counts the requests that were answered in full, with one of the promised statuses. Of 1,000 with least:
// 99.9% one may lack that. What the scenario did to the stack is no excuse: it is a promise to users.
type Availability struct{ Promise script.Availability }

// Judge looks at all of them at once.
func (c Availability) Judge(e *evidence.Index) verdict.Result {
	d, why := demandedOf(e, checkAvailability, c.Promise.Route, c.Promise.In)
	if why != "" {
		return verdict.Result{Findings: []verdict.Finding{d.finding(verdict.Inconclusive, nil, "%s", why)}}
	}
	return verdict.Result{Findings: []verdict.Finding{c.finding(d)}}
}

func (c Availability) finding(d demanded) verdict.Finding {
	var short []*record.Request
	for _, r := range d.rows {
		if !c.good(r) {
			short = append(short, r)
		}
	}
	n, lacks := int64(len(d.rows)), int64(len(short))
	need := c.need()
	promised := strconv.FormatFloat(float64(c.Promise.Least)/1e4, 'f', -1, 64) + " %"
	head := fmt.Sprintf("availability of %s: %s of %s answered with %s, of at least %s", d.whose, percent(n-lacks, n), words.Times(n, "request"),
		strings.Join(c.Promise.Status, " or "), promised)
	switch {
	case d.beyond(short, func(r *record.Request) bool { return inFull(r) || r.Attempts == 0 || d.surely(r) > 0 }, c.may(max(n+d.unsent, need))):
		f := d.finding(verdict.Fail, short, "%s: %s%s", head, cameTo(short), d.where(short))
		f.Lost = lacks
		return f
	case n < need:
		return d.finding(verdict.Inconclusive, nil, "availability of %s: %s too few to tell %s, which takes at least %s", d.whose, areMany(n), promised, words.Number(need))
	case lacks <= c.may(n):
		return d.finding(verdict.Pass, nil, "%s", head)
	}
	f := d.finding(verdict.Inconclusive, short, "%s, but the load generator could not send and wait as it should, without which it may have been more: %s", head, cameTo(short))
	f.Cause = verdict.CauseStall
	return f
}

// good tells whether a request was answered as promised.
func (c Availability) good(r *record.Request) bool {
	if !inFull(r) {
		return false
	}
	status := strconv.Itoa(int(r.Status))
	for _, want := range c.Promise.Status {
		if want == status || want == status[:1]+"xx" {
			return true
		}
	}
	return false
}

// may is how many of n requests may lack an answer.
func (c Availability) may(n int64) int64 {
	return n * (script.Million - c.Promise.Least) / script.Million
}

// need is of how many requests one may lack it.
func (c Availability) need() int64 {
	spare := script.Million - c.Promise.Least
	if spare == 0 {
		return 1
	}
	return (script.Million + spare - 1) / spare
}

// percent writes a share and never rounds it up, to what was promised or to all: "98.2 %", "99.9997 %".
func percent(part, whole int64) string {
	share := part * script.Million / whole
	if share < 999_900 {
		share -= share % 100
	}
	return strconv.FormatFloat(float64(share)/1e4, 'f', -1, 64) + " %"
}

func areMany(n int64) string {
	if n == 1 {
		return "1 request is"
	}
	return words.Times(n, "request") + " are"
}
