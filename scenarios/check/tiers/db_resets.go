package tiers

import (
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// databaseReset finds counters of the database server that fall: it was started
// anew, or another one answers. No step of a scenario asks for that, so that the
// run is not the one that was to be judged; what the documents hold still counts.
func (c Comparison) databaseReset(e *evidence.Index) *verdict.Finding {
	first := record.Never
	for _, s := range e.Polled[record.Opcounters] {
		if at := falls(s); at != record.Never && (first == record.Never || at < first) {
			first = at
		}
	}
	if first == record.Never {
		return nil
	}
	f := c.finding(verdict.Inconclusive, "the database's counters fall at %s: it was started anew or another one answers, and nobody had asked for it", words.Seconds(first))
	f.From, f.To, f.Cause = first.Seconds(), first.Seconds(), verdict.CauseReset
	return &f
}
