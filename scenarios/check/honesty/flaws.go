package honesty

import (
	"fmt"
	"slices"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// The tool that judges others can lose or double its own rows. Whether it did is
// found here, in three ways: the runner wrote 2,410 requests, and the record has 2,409;
// request 811 is followed by 813; a series with points at 3.1, 4.1 and 6.1 s lacks the one
// at 5.1 s, where others of its source have one.

// flaws lists what shows that the record is not what was seen.
func flaws(e *evidence.Index) []string {
	return slices.Concat(unlikeTally(e), misnumbered(e), offBeat(e))
}

// unlikeTally compares the rows with what the runner says it wrote.
func unlikeTally(e *evidence.Index) (out []string) {
	for _, ev := range e.History.Events {
		if ev.Kind != record.RunEnd || ev.Tally == nil {
			continue
		}
		var points int64
		for i := range e.History.Series {
			points += int64(len(e.History.Series[i].Points))
		}
		for _, part := range []struct {
			what            string
			written, loaded int64
		}{
			{"request", ev.Tally.Requests, e.Users.Requests},
			{"execution", ev.Tally.Executions, int64(len(e.History.Executions))},
			{"passage", ev.Tally.Passages, int64(len(e.History.Passages))},
			{"beacon", ev.Tally.Beacons, int64(len(e.History.Beacons))},
			{"arrival", ev.Tally.Arrivals, int64(len(e.History.Arrivals))},
			{"sample", ev.Tally.Points, points},
		} {
			if part.written != part.loaded {
				out = append(out, fmt.Sprintf("the runner wrote %s and the record has %s", words.Times(part.written, part.what), words.Number(part.loaded)))
			}
		}
	}
	return out
}

// misnumbered looks for requests that are missing or there twice: the load
// generator numbers them from 0 and leaves none out, and so does each of several that
// share a load, of those that are its own. They are sorted.
func misnumbered(e *evidence.Index) (out []string) {
	var missing, twice int64
	of := uint64(max(1, e.Workers()))
	next := make([]uint64, of) // by whose it is, as that numbers them
	for i := range e.History.Requests {
		seq := e.History.Requests[i].Seq
		next, n := &next[seq%of], seq/of
		switch {
		case n < *next:
			twice++
		case n > *next:
			missing += int64(n - *next)
		}
		*next = max(*next, n+1)
	}
	if missing > 0 {
		out = append(out, fmt.Sprintf("the users' ledger lacks %s, as their numbers tell", words.Times(missing, "row")))
	}
	if twice > 0 {
		out = append(out, fmt.Sprintf("the users' ledger has %s twice, as their numbers tell", words.Times(twice, "row")))
	}
	return out
}
