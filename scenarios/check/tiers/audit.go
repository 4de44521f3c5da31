package tiers

import (
	"fmt"
	"slices"
	"strings"

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
// be told: a document only counts. Of "moon" users had 7 writes acknowledged and 1 without
// an answer: a gain of 7 or 8 is right, 6 has lost one, 9 has one twice.
// Source: https://github.com/jepsen-io/jepsen/blob/main/jepsen/src/jepsen/checker.clj
type Audit struct{ Promise script.Audit }

// wordWrites is what became of the writes of one word.
type wordWrites struct {
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
		return []verdict.Finding{c.finding(verdict.Inconclusive, "audit of %s: the documents were not read before and after the load", c.Promise.Route)}
	}
	writes := c.writesByWord(e)
	if len(writes) == 0 {
		return []verdict.Finding{c.finding(verdict.Inconclusive, "audit of %s: nothing was written, so nothing was looked at", c.Promise.Route)}
	}
	var acked, unknown, recovered int64
	var lost, twice, strange []*wordWrites
	for _, t := range writes {
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
	out := c.failures(e, lost, strange, twice)
	if len(out) == 0 && acked == 0 {
		return []verdict.Finding{c.finding(verdict.Inconclusive, "audit of %s: none of %s was acknowledged, so that none could be lost", c.Promise.Route, words.Times(unknown, "write"))}
	}
	if len(out) == 0 {
		f := c.finding(verdict.Pass, "audit of %s: %s of %s acknowledged, 0 lost, 0 applied twice, 0 unexpected; of %s of unknown outcome %s were applied", c.Promise.Route,
			words.Times(acked, "write"), words.Times(int64(len(writes)), "word"), words.Number(unknown), words.Number(recovered))
		f.Bound = unknown
		out = append(out, f)
	}
	return out
}

// failures are what is wrong with words that lost writes, have some that nobody sent, or
// have some twice.
func (c Audit) failures(e *evidence.Index, lost, strange, twice []*wordWrites) []verdict.Finding {
	var out []verdict.Finding
	if len(lost) > 0 {
		n, which := sumUp(lost, func(t *wordWrites) int64 { return t.lost })
		f := c.finding(verdict.Fail, "the database lost %s that users had acknowledged, of %s: %s", words.Times(n, "write"), words.Times(len(lost), "word"), which)
		f.Lost, f.Cause = n, verdict.CauseLostWrites
		// What was rolled back and users saw no answer of, they do not miss: it may be more than what is lost, and not less.
		if undone, members := e.RolledBack(); undone >= n {
			f.Cause = verdict.CauseRolledBack
			f.Summary += fmt.Sprintf("; %s that %s had acknowledged, by its own count, and rolled back when another member was the primary that had not heard of them",
				words.Times(undone, "write"), strings.Join(members, " and "))
		} else if undone > 0 {
			f.Summary += fmt.Sprintf("; %s of them were rolled back by %s", words.Number(undone), strings.Join(members, " and "))
		}
		out = append(out, f)
	}
	if len(strange) > 0 {
		n, which := sumUp(strange, func(t *wordWrites) int64 { return t.more })
		f := c.finding(verdict.Fail, "the database gained %s of %s that nobody sent: %s", words.Times(n, "write"), words.Times(len(strange), "word"), which)
		f.Extra, f.Cause = n, verdict.CauseForeignWrites
		out = append(out, f)
	}
	if n, which := sumUp(twice, func(t *wordWrites) int64 { return t.twice }); n > 0 {
		f := c.finding(verdict.Fail, "the database applied %s too many, of %s, and the load balancer repeated at most %s: %s", words.Times(n, "write"),
			words.Times(len(twice), "word"), words.Number(e.Retries()), which)
		f.Extra, f.Cause = n, verdict.CauseAppliedTwice
		out = append(out, f)
	}
	return out
}

// sumUp adds up what is wrong with some words, and names the first few.
func sumUp(writes []*wordWrites, of func(*wordWrites) int64) (sum int64, which string) {
	var names []string
	for _, t := range writes {
		sum += of(t)
		names = append(names, fmt.Sprintf("%q gained %s, and %s were acknowledged", t.word, words.Number(t.after-t.before), words.Number(t.acked)))
	}
	return sum, words.Some(names)
}

// writesByWord tells of each word, in the order of the words: of those that the
// route wrote, and those that gained without any route.
func (c Audit) writesByWord(e *evidence.Index) []*wordWrites {
	byWord := map[string]*wordWrites{}
	at := func(word string) *wordWrites {
		if byWord[word] == nil {
			byWord[word] = &wordWrites{word: word}
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
		asked[r.Word] = asked[r.Word] || r.Route == c.Promise.Route
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
	var out []*wordWrites
	for word, t := range byWord {
		t.compare()
		if asked[word] || t.more > 0 || t.acked+t.unknown == 0 && t.lost > 0 {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *wordWrites) int { return record.CompareNames(a.word, b.word) })
	return out
}

// compare holds what a word's document gained with what was sent.
func (t *wordWrites) compare() {
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
