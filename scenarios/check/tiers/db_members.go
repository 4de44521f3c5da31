package tiers

import (
	"fmt"
	"strings"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
)

// tellMembers tells of a replica set what its members counted that nobody saw them count: of those that were killed
// between two looks. The ledger's update commands have it where a member that was there all along knows it, and where
// nobody does, that is said. It is no judgement: an application may make any number of updates for a write.
func (w dbBounds) tellMembers(r *verdict.Result) {
	set := w.e.Set()
	if len(set.Gone) == 0 {
		return
	}
	var gone []string
	for _, g := range set.Gone {
		gone = append(gone, fmt.Sprintf("%s at %s", g.Member, words.Seconds(g.At)))
	}
	last := "the last look at " + strings.Join(gone, ", and at ")
	seen := evidence.Whole(set.Seen)
	unseen, known := set.Unseen(w.e.Begin)
	if !known {
		r.Findings = append(r.Findings, w.finding(verdict.Pass, "the members' own counters have %s; what came after %s they do not have, and no other member was there all along to tell",
			words.Times(seen, "update"), last))
		return
	}
	f := w.finding(verdict.Pass, "the members' own counters have %s, and %s more were carried out after %s, as %s knows, which did them too",
		words.Times(seen, "update"), words.Number(unseen), last, set.Witness)
	f.Bound = unseen
	r.Findings = append(r.Findings, f)
}
