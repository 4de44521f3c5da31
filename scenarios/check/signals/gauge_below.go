package signals

import (
	"math"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// underWay is how long after it was sent a request has reached the code that
// keeps the gauge, and how long its answer takes from there, on a machine that is
// not busy: two connections on one machine.
const underWay = 250 * time.Millisecond

// starved is how far from a point a machine that was late speaks for it: an instance that gets no processor for a while is not seen to,
// and what sends load and collects beside it now and then is.
const starved = 3 * time.Second

// tooLow: a request that was in flight at an instance from before the moment at
// which a gauge may have been sent until after its point must be in it. Requests
// are mostly too short for that; those that wait for something that hangs are not: of 40
// that wait from 4.0 s to 7.0 s for a frozen database, a gauge at 6.1 s must have 40, and if it
// says 10, one worker of four has set it last.
// A gauge that several workers set, each to its own number, shows that of the last
// one. It holds only where every request is taken up as it comes: one that waits for
// a free worker is in flight for its user, and unknown to the application.
func (c Gauge) tooLow(e *evidence.Index, l record.Lifetime, series []*record.Series, long []roundTrip) *verdict.Finding {
	if !c.Promise.Unqueued || len(long) == 0 {
		return nil
	}
	var n, under, bound int64
	var worst record.Point
	for _, s := range series {
		for _, p := range s.Points {
			if !p.Measured() || math.IsNaN(p.Value) || l.Death != record.Never && p.At >= l.Death-e.Interval {
				continue
			}
			from := p.At - e.Interval - c.Promise.ClientWindow - underWay
			busy := e.Stall(from-time.Second, p.At+time.Second)
			from -= busy
			from -= e.Still(l.Instance, from, p.At)              // what came meanwhile was taken up after it
			until := p.At + underWay + busy + aftermath(e, p.At) // an answer is under way as well
			least := int64(c.Promise.AtRest)
			for _, r := range long {
				if r.Sent <= from && r.Done >= until {
					least++
				}
			}
			missing := least - evidence.Whole(math.Floor(p.Value))
			if missing <= 0 {
				continue
			}
			if n++; missing > under {
				under, bound, worst = missing, least, p
			}
		}
	}
	if n == 0 {
		return nil
	}
	f := c.finding(verdict.Fail, l.Instance, "%s of %s is too low at %s: %g at %s, when %s had been in flight there for longer than a gauge takes to arrive: who set it last knew only of some",
		c.Promise.Metric, l.Instance, words.Times(n, "point"), worst.Value, words.Seconds(worst.At), words.Times(bound, "request"))
	f.From, f.To, f.Lost, f.Cause = worst.At.Seconds(), worst.At.Seconds(), under, verdict.CauseLastWins
	if e.Waits(l.Instance, worst.At-starved, worst.At+starved) > underWay {
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
		f.Summary += ", but the machine was late itself then"
	}
	return &f
}

// aftermath is how much longer than at other times an answer may be under way at t. A
// fault's end lets all that waited be answered at once: an instance with 80 requests is
// done with them in its first second, and the load balancer, which has those of all
// instances, hands the last to its user half a second later.
func aftermath(e *evidence.Index, t time.Duration) time.Duration {
	for _, ev := range e.History.Events {
		if ev.Kind == record.FaultEnd && ev.At <= t && t-ev.At < 2*e.Interval {
			return e.Interval
		}
	}
	return 0
}

// longRequests gives the requests that took longer than that to be answered, by instance, less those that may have been
// on their way for as long.
func longRequests(e *evidence.Index, than time.Duration) map[string][]roundTrip {
	out := map[string][]roundTrip{}
	for i := range e.History.Requests {
		if r := &e.History.Requests[i]; r.Instance != "" && r.Err == "" && r.Done-r.Sent > than && !e.OnItsWay(r.Instance, r.Sent, r.Done) {
			out[r.Instance] = append(out[r.Instance], roundTrip{Sent: r.Sent, Done: r.Done})
		}
	}
	return out
}
