package tiers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// inFront is how long the acknowledged requests of a route took the Apache HTTP servers, which stand between users and
// instances. Its nil is of a stack without them.
//
// A user waits longer than httpd took until its answer began: what was sent was read after, and what was read had begun before. So
// it is with each single request, which has an id. An instance works for a shorter time than httpd has the request
// on a worker; its timer has no ids, and so this is asked as of users, for the k-th fastest of them. What neither time of httpd
// has is how long a request waited for a worker: where it is busy, its times are a much tighter bound than the users'.
type inFront struct {
	took map[string][]float64  // on a worker, in seconds, sorted, by the instance that answered
	slow map[string]requestSet // whose answer began later, by httpd's clock, than their users had all of it
	most map[string][2]float64 // of these the one that is furthest off: httpd's time and the user's, in seconds
}

// frontOf is nil where no httpd logged anything, or not all that they logged is known.
func frontOf(e *evidence.Index, route string, slack time.Duration) *inFront {
	if len(e.History.Passages) == 0 || logTroubled(e) {
		return nil
	}
	p := newPassing(e)
	f := &inFront{took: map[string][]float64{}, slow: map[string]requestSet{}, most: map[string][2]float64{}}
	for row := range e.History.Requests {
		r := &e.History.Requests[row]
		if r.Outcome != record.Acked || r.Route != route || r.Instance == "" {
			continue
		}
		lines, took, first := 0, time.Duration(-1), time.Duration(0)
		p.of(row, func(x *record.Passage) {
			lines++
			if x.Answered && success(x.Status) && x.Instance == r.Instance {
				took, first = max(took, x.Took), x.First
			}
		})
		if took < 0 {
			continue // its httpd was killed, or disagrees, which is told elsewhere
		}
		f.took[r.Instance] = append(f.took[r.Instance], took.Seconds())
		// One that was tried again is in several lines, of which users saw one.
		if waited := r.Done - r.Sent; lines == 1 && r.Attempts <= 1 && first > waited+slack {
			set := f.slow[r.Instance]
			set.add(1, r.Done, func() string { return idOf(e, r.Seq) })
			f.slow[r.Instance] = set
			if most, seen := f.most[r.Instance]; !seen || first.Seconds()-waited.Seconds() > most[0]-most[1] {
				f.most[r.Instance] = [2]float64{first.Seconds(), waited.Seconds()}
			}
		}
	}
	for _, took := range f.took {
		slices.Sort(took)
	}
	return f
}

// of are the times of an instance's requests on its httpd.
func (f *inFront) of(instance string) []float64 {
	if f == nil {
		return nil
	}
	return f.took[instance]
}

// slower tells of requests that took longer on the httpd of an instance than in the eyes of their users.
func (c Nesting) slower(f *inFront, instance string) (out []verdict.Finding) {
	if f == nil {
		return nil
	}
	if slow, some := f.slow[instance]; some {
		most := f.most[instance]
		found := c.finding(verdict.Fail, instance, "%s of %s were answered later by the clock of its httpd than their users had the answer: %s; the furthest off after %s at httpd and %s at its user: "+
			"the lines are of other requests, or a clock was set", words.Times(slow.n, c.Promise.Route), instance, strings.Join(slow.names, ", "), millis(most[0]), millis(most[1]))
		found.Layer, found.Cause, found.From, found.To = record.LayerHTTPD, verdict.CauseNotNested, slow.from.Seconds(), slow.to.Seconds()
		out = append(out, found)
	}
	return out
}

// placesBehind are where an instance says to have worked for longer than its httpd had the requests.
func (c Nesting) placesBehind(l layers, missing float64) (places []string) {
	n := float64(len(l.httpd))
	if n == 0 {
		return nil
	}
	// A request that httpd has no time of may be any.
	missing += max(0, float64(len(l.users))-n)
	for _, q := range percentiles {
		outside := quantile(l.httpd, q)
		if lo, _ := l.web.Rank(rankOf(q, n) - missing); lo > outside+c.slack() {
			places = append(places, fmt.Sprintf("p%g %s at httpd and over %s in its own", 100*q, millis(outside), millis(lo)))
		}
	}
	return places
}
