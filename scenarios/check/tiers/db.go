package tiers

import (
	"fmt"
	"slices"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// writingRoutes gives the routes of the run that change the application's state.
func writingRoutes(e *evidence.Index) []string {
	var out []string
	for name, route := range e.Scenario.Stack.Routes() {
		if route.Writes && slices.Contains(e.Users.Routes, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// increments is what the documents gained in the run; false: nobody knows.
func increments(e *evidence.Index) (int64, bool) {
	h := e.History
	if h.Run.Database == record.NoDatabase || h.Before == nil || h.After == nil {
		return 0, false
	}
	return h.After.Sum() - h.Before.Sum(), true
}

// compareDatabase compares the users' ledger with the documents themselves. When 2,400 writes
// were acknowledged and 5 had no answer, the documents' counts must have grown by 2,400 to
// 2,405: in sum, and word for word, where a loss of one cannot hide behind a surplus of another.
func compareDatabase(c Comparison, e *evidence.Index) verdict.Result {
	h := e.History
	if f, skip := c.skipDatabase(e); skip {
		return verdict.Result{Findings: []verdict.Finding{f}}
	}
	if h.Before == nil || h.After == nil {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "conservation in the database: its documents were not read before and after the load, so users and database were not compared")}}
	}
	var r verdict.Result
	if f := c.databaseReset(e); f != nil {
		r.Findings = append(r.Findings, *f)
	}
	w := newDBBounds(c, e)
	w.compareSum(&r)
	w.compareMetrics(&r)
	w.compareWords(&r)
	w.compareTwins(&r)
	w.tellMembers(&r)
	return r
}

// skipDatabase says why there is nothing to compare, where there is not.
func (c Comparison) skipDatabase(e *evidence.Index) (verdict.Finding, bool) {
	if e.History.Run.Database == record.NoDatabase {
		return c.finding(verdict.Pass, "conservation in the database: skipped, the stack has none"), true
	}
	if len(writingRoutes(e)) == 0 {
		return c.finding(verdict.Pass, "conservation in the database: skipped, no route of the load writes"), true
	}
	return verdict.Finding{}, false
}

// dbBounds are how much the documents must have gained, acked, and how much more they may
// have, by the Allowance.
type dbBounds struct {
	Comparison
	e      *evidence.Index
	routes []string
	acked  int64
	account.Allowance
}

func newDBBounds(c Comparison, e *evidence.Index) dbBounds {
	w := dbBounds{Comparison: c, e: e, routes: writingRoutes(e)}
	w.acked = ackedTotal(e, w.routes...)
	w.Allowance = account.NewAllowances(e, w.routes...).All()
	// A row that is acknowledged but names no instance is sure to be executed.
	for _, s := range e.Users.Spans {
		if s.Acked && slices.Contains(w.routes, s.Key.Route) {
			w.Unknown--
		}
	}
	return w
}

func (w dbBounds) compareSum(r *verdict.Result) {
	got, _ := increments(w.e)
	lost, extra := max(0, w.acked-got), max(0, got-w.acked)
	left := extra
	for _, cause := range []struct {
		name  string
		bound int64
	}{{verdict.CauseUnknown, w.Unknown}, {verdict.CauseReplay, w.Replays}, {verdict.CauseRetry, w.Retries}} {
		if n := min(left, cause.bound); n > 0 {
			r.Residuals = append(r.Residuals, w.booked("", cause.name, false, n, cause.bound))
			left -= n
		}
	}
	f := w.finding(verdict.Pass, "users had %s acknowledged, the database holds %s; up to %s could hide in requests of unknown outcome, replays and retries",
		words.Times(w.acked, "write"), words.Number(got), words.Number(w.Sum()))
	f.Bound = w.Sum()
	if lost+left > 0 {
		f.Outcome, f.Lost, f.Extra = verdict.Fail, lost, extra
		f.Summary = fmt.Sprintf("users had %s acknowledged, the database holds %s: it should be %s to %s", words.Times(w.acked, "write"), words.Number(got),
			words.Number(w.acked), words.Number(w.acked+w.Sum()))
		r.Residuals = append(r.Residuals, w.booked("", verdict.CauseUnexplained, lost > 0, lost+left, 0))
	}
	r.Findings = append(r.Findings, f)
}

// compareMetrics compares the documents with the metrics that count the writes,
// without the users in between.
func (w dbBounds) compareMetrics(r *verdict.Result) {
	web := Comparison{From: w.e.Tiers.Of(record.LayerWeb), To: w.To}
	for _, c := range script.Promised[script.Conservation](w.e.Scenario) {
		if c.SampleRate < 1 || len(w.routes) != 1 || w.routes[0] != c.Route || len(w.e.History.Series) == 0 {
			continue
		}
		f, over := w.compareMetric(account.NewBooks(w.e, c))
		r.Findings = append(r.Findings, f)
		if f.Outcome == verdict.Fail {
			r.Residuals = append(r.Residuals, web.booked("", verdict.CauseUnexplained, f.Lost > 0, over, f.Bound))
		}
	}
}

// compareMetric compares the documents with one metric: what the web layer may
// have lost to kills, to the ends of agents, to the collector's socket or to a busy machine is no
// contradiction.
func (w dbBounds) compareMetric(b account.Books) (f verdict.Finding, over int64) {
	var counted, buffers, stalled int64
	dropped := false
	for i := range b.Accounts {
		a := &b.Accounts[i]
		agents, late := a.Agents()
		counted, buffers, stalled = counted+a.Total, buffers+a.Buffer+agents, stalled+a.Stalled+max(agents, late)
		dropped = dropped || a.Dropped
	}
	got, _ := increments(w.e)
	least, most := got-w.Sum()-buffers, got+w.Sum()
	f = w.finding(verdict.Pass, "the database holds %s, %s counted %s: within %s of each other, as unknown outcomes and send buffers allow",
		words.Times(got, "write"), b.Promise.Metric, words.Number(counted), words.Number(w.Sum()+buffers))
	f.Bound = w.Sum() + buffers
	if counted >= least && counted <= most {
		return f, 0
	}
	f.Outcome, f.Lost, f.Extra, f.Cause = verdict.Fail, max(0, got-counted), max(0, counted-got), verdict.CauseMetricDiffers
	f.Summary = fmt.Sprintf("the database holds %s, %s counted %s: it should be %s to %s", words.Times(got, "write"), b.Promise.Metric, words.Number(counted),
		words.Number(max(0, least)), words.Number(most))
	if counted < least && (dropped || counted >= least-(stalled-buffers)) {
		f.Outcome = verdict.Inconclusive
		f.Summary += ", but the collector's socket dropped datagrams or the machine was late itself at a kill"
	}
	return f, max(least-counted, counted-most)
}

// wordBound is what one word's document must and may have gained.
type wordBound struct{ acked, more, gained int64 }

// compareWords compares word by word: what one lost and another has too many cancel out in
// the sum, and not here.
func (w dbBounds) compareWords(r *verdict.Result) {
	bounds := map[string]*wordBound{}
	at := func(word string) *wordBound {
		b := bounds[word]
		if b == nil {
			b = &wordBound{}
			bounds[word] = b
		}
		return b
	}
	writes := map[string]bool{}
	for _, route := range w.routes {
		writes[route] = true
	}
	for i := range w.e.History.Requests {
		q := &w.e.History.Requests[i]
		if !writes[q.Route] || q.Word == "" {
			continue
		}
		b := at(q.Word)
		switch q.Outcome {
		case record.Acked:
			b.acked++
		case record.Unknown:
			b.more++
		}
		b.more += max(0, int64(q.Attempts)-1)
	}
	if len(bounds) == 0 {
		return
	}
	for _, d := range w.e.History.After.Words {
		at(d.Word).gained += d.Count
	}
	for _, d := range w.e.History.Before.Words {
		at(d.Word).gained -= d.Count
	}
	w.judgeWords(r, bounds)
}

func (w dbBounds) judgeWords(r *verdict.Result, bounds map[string]*wordBound) {
	var wrong []string
	var lost, extra int64
	for word, b := range bounds {
		under, over := max(0, b.acked-b.gained), max(0, b.gained-b.acked-b.more-w.Retries)
		if under+over > 0 {
			wrong = append(wrong, fmt.Sprintf("%q gained %s instead of %s", word, words.Number(b.gained), words.Number(b.acked)))
			lost, extra = lost+under, extra+over
		}
	}
	if len(wrong) == 0 {
		r.Findings = append(r.Findings, w.finding(verdict.Pass, "%s: each document gained what its users had acknowledged, within its bounds", words.Times(int64(len(bounds)), "word")))
		return
	}
	slices.Sort(wrong)
	f := w.finding(verdict.Fail, "%s did not gain what users had acknowledged: %s", words.Times(int64(len(wrong)), "word"), words.Some(wrong))
	f.Lost, f.Extra = lost, extra
	r.Findings = append(r.Findings, f)
	if len(r.Residuals) == 0 || r.Residuals[len(r.Residuals)-1].Cause != verdict.CauseUnexplained {
		r.Residuals = append(r.Residuals, verdict.Residual{Between: w.between(), Cause: verdict.CauseUnexplained, Lost: lost, Extra: extra})
	}
}

// compareTwins looks for words with two documents, which racing upserts without a unique
// index make.
func (w dbBounds) compareTwins(r *verdict.Result) {
	count := map[string]int{}
	var twins []string
	for _, d := range w.e.History.After.Words {
		if count[d.Word]++; count[d.Word] == 2 {
			twins = append(twins, fmt.Sprintf("%q", d.Word))
		}
	}
	slices.Sort(twins)
	if len(twins) == 0 {
		r.Findings = append(r.Findings, w.finding(verdict.Pass, "%s, one for each word", words.Times(int64(len(w.e.History.After.Words)), "document")))
		return
	}
	f := w.finding(verdict.Fail, "more than one document stands for %s (%s): racing upserts without a unique index", words.Times(int64(len(twins)), "word"), words.Some(twins))
	f.Cause = verdict.CauseUpserts
	r.Findings = append(r.Findings, f)
}
