package check

import (
	"fmt"
	"slices"

	"throughline/scenarios/record"
)

// writes gives the routes of the run that change the application's state.
func (e *evidence) writes() []string {
	var out []string
	for name, route := range e.scenario.Stack.Web.Routes {
		if route.Writes && slices.Contains(e.users.routes, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// increments is what the documents gained in the run; false: nobody knows.
func (e *evidence) increments() (int64, bool) {
	h := e.history
	if h.Run.Database == noDatabase || h.Before == nil || h.After == nil {
		return 0, false
	}
	return h.After.Sum() - h.Before.Sum(), true
}

const noDatabase = "none"

// betweenUsersAndDB compares the users' ledger with the documents themselves.
type betweenUsersAndDB struct{}

func (c betweenUsersAndDB) judge(e *evidence) result {
	h := e.history
	if f, skip := c.skip(e); skip {
		return result{findings: []Finding{f}}
	}
	if h.Before == nil || h.After == nil {
		return result{findings: []Finding{dbFinding(Inconclusive, "conservation in the database: its documents were not read before and after the load, so users and database were not compared")}}
	}
	var r result
	if f := e.databaseReset(); f != nil {
		r.findings = append(r.findings, *f)
	}
	w := newDBWidths(e)
	w.compareSum(&r)
	w.compareMetrics(&r)
	w.compareWords(&r)
	compareTwins(e, &r)
	return r
}

func (c betweenUsersAndDB) skip(e *evidence) (Finding, bool) {
	if e.history.Run.Database == noDatabase {
		return dbFinding(Pass, "conservation in the database: skipped, the stack has none"), true
	}
	if len(e.writes()) == 0 {
		return dbFinding(Pass, "conservation in the database: skipped, no route of the load writes"), true
	}
	return Finding{}, false
}

func dbFinding(o Outcome, format string, args ...any) Finding {
	return Finding{Check: checkConservation, Outcome: o, Layer: layerDB, Summary: fmt.Sprintf(format, args...)}
}

// dbWidths are the bounds of what the database may hold.
type dbWidths struct {
	e      *evidence
	routes []string
	acked  int64
	allowance
}

func newDBWidths(e *evidence) dbWidths {
	w := dbWidths{e: e, routes: e.writes()}
	w.acked = e.ackedTotal(w.routes...)
	w.allowance = newAllowances(e, w.routes...).all()
	// A row that is acknowledged but names no instance is sure to be executed.
	for _, s := range e.users.spans {
		if s.acked && slices.Contains(w.routes, s.key.route) {
			w.unknown--
		}
	}
	return w
}

func (w dbWidths) compareSum(r *result) {
	got, _ := w.e.increments()
	lost, extra := max(0, w.acked-got), max(0, got-w.acked)
	left := extra
	for _, cause := range []struct {
		name  string
		bound int64
	}{{causeUnknown, w.unknown}, {causeReplay, w.replays}, {causeRetry, w.retries}} {
		if n := min(left, cause.bound); n > 0 {
			r.residuals = append(r.residuals, booked(usersDB, "", cause.name, false, n, cause.bound))
			left -= n
		}
	}
	f := dbFinding(Pass, "users had %s acknowledged, the database holds %s; up to %s could hide in requests of unknown outcome, replays and retries",
		times(w.acked, "write"), number(got), number(w.sum()))
	f.Bound = w.sum()
	if lost+left > 0 {
		f.Outcome, f.Lost, f.Extra = Fail, lost, extra
		f.Summary = fmt.Sprintf("users had %s acknowledged, the database holds %s: it should be %s to %s", times(w.acked, "write"), number(got),
			number(w.acked), number(w.acked+w.sum()))
		r.residuals = append(r.residuals, booked(usersDB, "", causeUnexplained, lost > 0, lost+left, 0))
	}
	r.findings = append(r.findings, f)
}

// compareMetrics compares the documents with the metrics that count the writes,
// without the users in between.
func (w dbWidths) compareMetrics(r *result) {
	for _, check := range w.e.scenario.Checks {
		c := check.Conservation
		if c == nil || c.SampleRate < 1 || len(w.routes) != 1 || w.routes[0] != c.Route || len(w.e.history.Series) == 0 {
			continue
		}
		f, over := w.compareMetric(newBooks(w.e, *c))
		r.findings = append(r.findings, f)
		if f.Outcome == Fail {
			r.residuals = append(r.residuals, booked(webDB, "", causeUnexplained, f.Lost > 0, over, f.Bound))
		}
	}
}

// compareMetric compares the documents with one metric: what the web layer may
// have lost to kills, to the collector's socket or to a busy machine is no
// contradiction.
func (w dbWidths) compareMetric(b books) (f Finding, over int64) {
	var counted, buffers, stalled int64
	dropped := false
	for i := range b.accounts {
		a := &b.accounts[i]
		counted, buffers, stalled = counted+a.total, buffers+a.buffer, stalled+a.stalled
		dropped = dropped || a.dropped
	}
	got, _ := w.e.increments()
	least, most := got-w.sum()-buffers, got+w.sum()
	f = dbFinding(Pass, "the database holds %s, %s counted %s: within %s of each other, as unknown outcomes and send buffers allow",
		times(got, "write"), b.rule.Metric, number(counted), number(w.sum()+buffers))
	f.Bound = w.sum() + buffers
	if counted >= least && counted <= most {
		return f, 0
	}
	f.Outcome, f.Lost, f.Extra, f.Cause = Fail, max(0, got-counted), max(0, counted-got), causeMetricDiffers
	f.Summary = fmt.Sprintf("the database holds %s, %s counted %s: it should be %s to %s", times(got, "write"), b.rule.Metric, number(counted),
		number(max(0, least)), number(most))
	if counted < least && (dropped || counted >= least-(stalled-buffers)) {
		f.Outcome = Inconclusive
		f.Summary += ", but the collector's socket dropped datagrams or the machine was late itself at a kill"
	}
	return f, max(least-counted, counted-most)
}

// wordBound is what one word's document must and may have gained.
type wordBound struct{ acked, more, gained int64 }

// compareWords: losses of one word and surpluses of another cancel out in the
// sum, not here.
func (w dbWidths) compareWords(r *result) {
	words := map[string]*wordBound{}
	at := func(word string) *wordBound {
		b := words[word]
		if b == nil {
			b = &wordBound{}
			words[word] = b
		}
		return b
	}
	writes := map[string]bool{}
	for _, route := range w.routes {
		writes[route] = true
	}
	for i := range w.e.history.Requests {
		q := &w.e.history.Requests[i]
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
	if len(words) == 0 {
		return
	}
	for _, d := range w.e.history.After.Words {
		at(d.Word).gained += d.Count
	}
	for _, d := range w.e.history.Before.Words {
		at(d.Word).gained -= d.Count
	}
	w.judgeWords(r, words)
}

func (w dbWidths) judgeWords(r *result, words map[string]*wordBound) {
	var wrong []string
	var lost, extra int64
	for word, b := range words {
		under, over := max(0, b.acked-b.gained), max(0, b.gained-b.acked-b.more-w.retries)
		if under+over > 0 {
			wrong = append(wrong, fmt.Sprintf("%q gained %s instead of %s", word, number(b.gained), number(b.acked)))
			lost, extra = lost+under, extra+over
		}
	}
	if len(wrong) == 0 {
		r.findings = append(r.findings, dbFinding(Pass, "%s: each document gained what its users had acknowledged, within its bounds", times(int64(len(words)), "word")))
		return
	}
	slices.Sort(wrong)
	f := dbFinding(Fail, "%s did not gain what users had acknowledged: %s", times(int64(len(wrong)), "word"), some(wrong))
	f.Lost, f.Extra = lost, extra
	r.findings = append(r.findings, f)
	if len(r.residuals) == 0 || r.residuals[len(r.residuals)-1].Cause != causeUnexplained {
		r.residuals = append(r.residuals, Residual{Between: usersDB, Cause: causeUnexplained, Lost: lost, Extra: extra})
	}
}

// compareTwins: racing upserts without a unique index make two documents of
// one word.
func compareTwins(e *evidence, r *result) {
	count := map[string]int{}
	var twins []string
	for _, d := range e.history.After.Words {
		if count[d.Word]++; count[d.Word] == 2 {
			twins = append(twins, fmt.Sprintf("%q", d.Word))
		}
	}
	slices.Sort(twins)
	if len(twins) == 0 {
		r.findings = append(r.findings, dbFinding(Pass, "%s, one for each word", times(int64(len(e.history.After.Words)), "document")))
		return
	}
	f := dbFinding(Fail, "more than one document stands for %s (%s): racing upserts without a unique index", times(int64(len(twins)), "word"), some(twins))
	f.Cause = causeTwins
	r.findings = append(r.findings, f)
}
