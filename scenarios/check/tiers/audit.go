package tiers

import (
	"fmt"
	"slices"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkAudit = "audit"

// Audit compares the documents with the writes, word for word: no write that
// was acknowledged is lost, none was applied twice, and no word appears that
// nobody sent. In the words of Jepsen's set checker, a write of unknown outcome
// that turns up is recovered. Which of several writes of one word is lost cannot
// be told: a document only counts.
// Source: https://github.com/jepsen-io/jepsen/blob/main/jepsen/src/jepsen/checker.clj
type Audit struct{ Rule script.Audit }

// tale is what became of one word's writes.
type tale struct {
	word            string
	acked, unknown  int64 // by users, on all routes that write; unknown: also replays, each may have been applied
	before, after   int64 // the count of its documents
	lost, twice     int64
	recovered, more int64 // more: nobody ever sent it
}

// Judge looks at all instances, or says why it cannot.
func (c Audit) Judge(e *evidence.Index) verdict.Result {
	return verdict.Result{Findings: c.findings(e)}
}

func (c Audit) finding(o verdict.Outcome, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkAudit, Outcome: o, Layer: record.LayerDB, Summary: fmt.Sprintf(format, args...)}
}

func (c Audit) findings(e *evidence.Index) []verdict.Finding {
	h := e.History
	if h.Before == nil || h.After == nil {
		return []verdict.Finding{c.finding(verdict.Inconclusive, "audit of %s: the documents were not read before and after the load", c.Rule.Route)}
	}
	tales := c.tales(e)
	if len(tales) == 0 {
		return []verdict.Finding{c.finding(verdict.Inconclusive, "audit of %s: nothing was written, so nothing was looked at", c.Rule.Route)}
	}
	var acked, unknown, recovered int64
	var lost, twice, strange []*tale
	for _, t := range tales {
		acked, unknown, recovered = acked+t.acked, unknown+t.unknown, recovered+t.recovered
		switch {
		case t.lost > 0:
			lost = append(lost, t)
		case t.more > 0:
			strange = append(strange, t)
		case t.twice > 0:
			twice = append(twice, t)
		}
	}
	retries := e.Retries()
	var out []verdict.Finding
	if len(lost) > 0 {
		n, which := sumUp(lost, func(t *tale) int64 { return t.lost })
		f := c.finding(verdict.Fail, "the database lost %s that users had acknowledged, of %s: %s", words.Times(n, "write"), words.Times(int64(len(lost)), "word"), which)
		f.Lost, f.Cause = n, verdict.CauseLostWrites
		out = append(out, f)
	}
	if len(strange) > 0 {
		n, which := sumUp(strange, func(t *tale) int64 { return t.more })
		f := c.finding(verdict.Fail, "the database gained %s of %s that nobody sent: %s", words.Times(n, "write"), words.Times(int64(len(strange)), "word"), which)
		f.Extra, f.Cause = n, verdict.CauseForeignWrites
		out = append(out, f)
	}
	repeated, which := sumUp(twice, func(t *tale) int64 { return t.twice })
	if repeated > 0 {
		f := c.finding(verdict.Fail, "the database applied %s too many, of %s, and the load balancer repeated at most %s: %s", words.Times(repeated, "write"),
			words.Times(int64(len(twice)), "word"), words.Number(retries), which)
		f.Extra, f.Cause = repeated, verdict.CauseAppliedTwice
		out = append(out, f)
	}
	if len(out) == 0 && acked == 0 {
		return []verdict.Finding{c.finding(verdict.Inconclusive, "audit of %s: none of %s was acknowledged, so that none could be lost", c.Rule.Route, words.Times(unknown, "write"))}
	}
	if len(out) == 0 {
		f := c.finding(verdict.Pass, "audit of %s: %s of %s acknowledged, 0 lost, 0 applied twice, 0 unexpected; of %s of unknown outcome %s were applied", c.Rule.Route,
			words.Times(acked, "write"), words.Times(int64(len(tales)), "word"), words.Number(unknown), words.Number(recovered))
		f.Bound = unknown
		out = append(out, f)
	}
	return out
}

// sumUp adds up what is wrong with some words, and names the first few.
func sumUp(tales []*tale, of func(*tale) int64) (sum int64, which string) {
	var names []string
	for _, t := range tales {
		sum += of(t)
		names = append(names, fmt.Sprintf("%q gained %s, and %s were acknowledged", t.word, words.Number(t.after-t.before), words.Number(t.acked)))
	}
	return sum, words.Some(names)
}

// tales tells each word's story, in the order of the words: of those that the
// route wrote, and those that gained without any route.
func (c Audit) tales(e *evidence.Index) []*tale {
	byWord := map[string]*tale{}
	at := func(word string) *tale {
		if byWord[word] == nil {
			byWord[word] = &tale{word: word}
		}
		return byWord[word]
	}
	writes := map[string]bool{}
	for _, route := range writingRoutes(e) {
		writes[route] = true
	}
	asked := map[string]bool{}
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		if !writes[r.Route] || r.Word == "" {
			continue
		}
		t := at(r.Word)
		asked[r.Word] = asked[r.Word] || r.Route == c.Rule.Route
		switch r.Outcome {
		case record.Acked:
			t.acked++
		case record.Unknown:
			t.unknown++
		}
		t.unknown += max(0, int64(r.Attempts)-1)
	}
	for _, d := range e.History.Before.Words {
		at(d.Word).before += d.Count
	}
	for _, d := range e.History.After.Words {
		at(d.Word).after += d.Count
	}
	var out []*tale
	for word, t := range byWord {
		t.settle()
		if asked[word] || t.more > 0 || t.acked+t.unknown == 0 && t.lost > 0 {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *tale) int { return record.CompareNames(a.word, b.word) })
	return out
}

// settle compares what a word's document gained with what was sent.
func (t *tale) settle() {
	gained := t.after - t.before
	switch {
	case gained < t.acked:
		t.lost = t.acked - gained
	case t.acked+t.unknown == 0:
		t.more = gained
	case gained > t.acked+t.unknown:
		t.twice, t.recovered = gained-t.acked-t.unknown, t.unknown
	default:
		t.recovered = gained - t.acked
	}
}
