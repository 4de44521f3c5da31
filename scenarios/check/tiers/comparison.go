package tiers

import (
	"fmt"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// CheckConservation is the name of what compares tiers: Conservation, and the Comparisons.
const CheckConservation = "conservation"

// Comparison holds the ledgers of two tiers against each other: what From knows to have
// gone on to To, To must have counted, and no more than may have come to it unseen. If users
// had 800 answers of web-2 and no answer to 3 more requests, 800 to 803 is what a cache that
// counts its answers may say of web-2.
type Comparison struct {
	From, To record.Tier
	judge    func(Comparison, *evidence.Index) verdict.Result
}

// Comparisons gives the comparisons of tiers beside the one that a scenario's metric
// decides (Conservation): that of the users with each further tier which has a ledger of
// its own. Users come first in each, because nobody else knows which requests there were.
func Comparisons(all record.Tiers) []Comparison {
	var out []Comparison
	users := all.Of(record.LayerUsers)
	for _, tier := range all {
		if judge := judgeOf(tier); judge != nil {
			out = append(out, Comparison{users, tier, judge})
		}
	}
	return out
}

// judgeOf is how the users' ledger is held against a tier's; nil: it is not, here. What
// has no comparison of its own is held against them by how often each instance answered.
func judgeOf(t record.Tier) func(Comparison, *evidence.Index) verdict.Result {
	switch {
	case t.Layer == record.LayerLB:
		return compareBalancer
	case t.Layer == record.LayerHTTPD:
		return compareHTTPD
	case t.Layer == record.LayerDB:
		return compareDatabase
	case t.Answers != "":
		return compareAnswers
	}
	return nil
}

// Judge compares the two, or says why it cannot.
func (c Comparison) Judge(e *evidence.Index) verdict.Result { return c.judge(c, e) }

// between is what residuals call the pair: "users→lb".
func (c Comparison) between() string { return verdict.Between(c.From.Layer, c.To.Layer) }

// finding is about the farther tier.
func (c Comparison) finding(o verdict.Outcome, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: CheckConservation, Outcome: o, Layer: c.To.Layer, Summary: fmt.Sprintf(format, args...)}
}

// booked makes a residual of n lost or extra requests.
func (c Comparison) booked(instance, cause string, lost bool, n, bound int64) verdict.Residual {
	return verdict.Booked(c.between(), instance, cause, lost, n, bound)
}

// compareAnswers compares the users' ledger with a tier that tells no more than how often
// each instance answered.
func compareAnswers(c Comparison, e *evidence.Index) (r verdict.Result) {
	if len(e.Polled[c.To.Answers]) == 0 {
		r.Findings = []verdict.Finding{c.finding(verdict.Inconclusive, "conservation at %s: the record holds no series %s, so users and %s were not compared", c.To.Counter, c.To.Answers, c.To.Title)}
		return r
	}
	for _, s := range e.Polled[c.To.Answers] {
		if at := firstFall(s); at != record.Never {
			f := c.finding(verdict.Inconclusive, "%s counts fewer answers of %s at %s than before: it was started anew, and its numbers are not compared",
				c.To.Counter, s.Labels.Get(evidence.LabelInstance), words.Seconds(at))
			f.From, f.To, f.Cause = at.Seconds(), at.Seconds(), verdict.CauseReset
			r.Findings = append(r.Findings, f)
		}
	}
	if len(r.Findings) == 0 {
		c.compareServers(e, &r, account.NewAllowances(e))
	}
	if len(r.Findings) == 0 {
		r.Findings = append(r.Findings, c.finding(verdict.Inconclusive, "conservation at %s: no instance answered anything", c.To.Counter))
	}
	return r
}
