package check

import (
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// opcounters is the database server's own count of operations, by type. It begins
// anew when the server does.
// Source: https://www.mongodb.com/docs/manual/reference/command/serverStatus/#opcounters
const opcounters = "mongodb_opcounters_total"

// databaseReset finds counters of the database server that fall: it was started
// anew, or another one answers. No step of a scenario asks for that, so that the
// run is not the one that was to be judged; what the documents hold still counts.
func (e *evidence) databaseReset() *verdict.Finding {
	first := record.Never
	for _, s := range e.polled[opcounters] {
		if at := falls(s); at != record.Never && (first == record.Never || at < first) {
			first = at
		}
	}
	if first == record.Never {
		return nil
	}
	f := dbFinding(verdict.Inconclusive, "the database's counters fall at %s: it was started anew or another one answers, and nobody had asked for it", words.Seconds(first))
	f.From, f.To, f.Cause = first.Seconds(), first.Seconds(), verdict.CauseReset
	return &f
}

// updates is how many updates the database carried out, by its own count. Where
// that begins anew, it goes on from what it had.
func (e *evidence) updates() curve {
	var lifted []*record.Series
	for _, s := range matching(e.polled[opcounters], "type", "update") {
		c := *s
		c.Points = make([]record.Point, len(s.Points))
		var by, last float64
		for k, p := range s.Points {
			if counts(p) {
				if p.Value < last {
					by += last
				}
				last = p.Value
				p.Value += by
			}
			c.Points[k] = p
		}
		lifted = append(lifted, &c)
	}
	return sumOf(lifted)
}
