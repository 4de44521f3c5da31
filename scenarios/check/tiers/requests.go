package tiers

import (
	"fmt"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// CheckRequests is the name of Requests.
const CheckRequests = "requests"

// Requests follows each request by its id: what users know of it against what
// the load balancer's log says. In the words of Jepsen's set checker, a request
// is lost when users had it acknowledged and the load balancer saw no instance
// answer it; duplicated when instances may have got it more than once;
// unexpected when no user of this run sent it; recovered when its user knows no
// outcome and the load balancer saw it answered with 2xx.
//
// Sums can be right where requests are not: of 100 that were acknowledged the log may have 100
// lines with 2xx, and yet have request 17 twice and request 18 never.
// Source: https://github.com/jepsen-io/jepsen/blob/main/jepsen/src/jepsen/checker.clj
type Requests struct {
	// Resends: HAProxy may send a request again that an instance has got
	// already (retry-on beyond conn-failure), so that a retry is one more
	// execution.
	Resends bool
}

// requestSet is the requests that have one thing in common.
type requestSet struct {
	n        int64
	names    []string // of the first few, and "…" if there are more
	from, to time.Duration
}

// add puts in n executions at a time, under one name.
func (s *requestSet) add(n int64, at time.Duration, name func() string) {
	if s.n == 0 {
		s.from, s.to = at, at
	}
	s.n += n
	s.from, s.to = min(s.from, at), max(s.to, at)
	switch n := len(s.names); {
	case n < words.MostNames:
		s.names = append(s.names, name())
	case n == words.MostNames:
		s.names = append(s.names, "…")
	}
}

// outcomeSets is what became of all requests.
type outcomeSets struct {
	lost, replayed, resent, unexpected, recovered, other, executed requestSet

	acked, unknown int64
	answered       int64 // otherwise than with 2xx, as users and load balancer agree
	unlogged       int64 // acknowledged, and without a line, for the load balancer was killed meanwhile
	silent         int64 // of the unknown ones: without a line
	hidden         int64 // retries of which a redispatch hides whether an instance had got the request before
	requests       int64 // in the log
}

// Judge looks at all instances, or says why it cannot.
func (c Requests) Judge(e *evidence.Index) verdict.Result {
	return verdict.Result{Findings: c.findings(e)}
}

func (c Requests) findings(e *evidence.Index) []verdict.Finding {
	open := func(why string) []verdict.Finding {
		return []verdict.Finding{{Check: CheckRequests, Layer: record.LayerLB, Summary: "requests were not followed one by one: " + why}}
	}
	switch {
	case e.History.Executions == nil:
		return open("the record is from before the load balancer's log was kept")
	case len(e.History.Executions) == 0:
		return open("the load balancer logged none")
	case len(e.History.Requests) == 0:
		return open("users sent none")
	}
	s := c.sort(e)
	out := s.failures()
	whole := e.LogWhole()
	if s.lost.n > 0 {
		f := s.lost.finding("%s acknowledged and the load balancer saw no instance answer: %s")
		f.Lost, f.Cause = s.lost.n, verdict.CauseElsewhere
		if !whole {
			f.Outcome, f.Cause = verdict.Inconclusive, ""
			f.Summary += "; its log is not whole"
		}
		out = append(out, f)
	}
	switch {
	case !whole && s.lost.n == 0:
		out = append(out, open("the load balancer's log is not whole")...)
	case len(out) == 0:
		f := verdict.Finding{Check: CheckRequests, Outcome: verdict.Pass, Layer: record.LayerLB, Bound: s.hidden}
		f.Summary = fmt.Sprintf("%s followed by their ids: %s acknowledged, each answered once and by the instance that users saw; 0 lost, 0 duplicated, 0 unexpected; of %s of unknown outcome %s recovered, %s not logged",
			words.Times(s.requests, "request"), words.Number(s.acked), words.Number(s.unknown), words.Number(s.recovered.n), words.Number(s.silent))
		if s.answered > 0 {
			f.Summary += fmt.Sprintf("; %s answered otherwise than with 2xx", words.Number(s.answered))
		}
		if s.unlogged > 0 {
			f.Summary += fmt.Sprintf("; %s on the load balancer when it was killed, which logged nothing of them", words.Number(s.unlogged))
		}
		out = append(out, f)
	}
	if s.recovered.n > 0 {
		f := s.recovered.finding("%s of unknown outcome recovered, the load balancer saw an instance answer with 2xx: %s")
		f.Outcome = verdict.Pass
		out = append(out, f)
	}
	return out
}

// failures are the findings that stand also where the log is not whole.
func (s *outcomeSets) failures() []verdict.Finding {
	var out []verdict.Finding
	add := func(of requestSet, cause, format string) {
		if of.n > 0 {
			f := of.finding(format)
			f.Extra, f.Cause = of.n, cause
			if cause == verdict.CauseRetry {
				f.Bound = s.hidden
			}
			out = append(out, f)
		}
	}
	add(s.replayed, verdict.CauseReplay, "%s duplicated, ids came to the load balancer more than once: %s")
	add(s.resent, verdict.CauseRetry, "%s duplicated, the load balancer sent them again: %s")
	add(s.unexpected, verdict.CauseForeign, "%s unexpected, no user of this run sent them: %s")
	add(s.other, verdict.CauseOther, "%s answered by another instance than users saw: %s")
	add(s.executed, verdict.CauseExecuted, "%s refused as users know it, and executed as the load balancer saw it: %s")
	return out
}

// finding is about the set; its format takes how many requests and which.
func (s *requestSet) finding(format string) verdict.Finding {
	return verdict.Finding{Check: CheckRequests, Outcome: verdict.Fail, Layer: record.LayerLB, From: s.from.Seconds(), To: s.to.Seconds(),
		Summary: fmt.Sprintf(format, words.Times(s.n, "request"), strings.Join(s.names, ", "))}
}

// sort puts every request into its sets.
func (c Requests) sort(e *evidence.Index) *outcomeSets {
	s := &outcomeSets{}
	for i := range e.History.Executions {
		c.sortExecution(e, &e.History.Executions[i], s)
	}
	for i := range e.History.Requests {
		r, t := &e.History.Requests[i], e.Traces[i]
		name := func() string { return idOf(e, r.Seq) + placeOf(r.Instance) }
		logged := func() string { return idOf(e, r.Seq) + placeOf(e.History.Executions[t.Last].Server) }
		if t.Reached > 1 {
			s.replayed.add(int64(t.Reached)-1, r.Done, logged)
		}
		switch r.Outcome {
		case record.Acked:
			s.acked++
			if t.Lines == 0 && e.Unlogged(r.Sent, r.Done) {
				s.unlogged++
			} else if !t.Acked {
				s.lost.add(1, r.Done, name)
			} else if !t.Named && r.Instance != "" {
				s.other.add(1, r.Done, func() string { return name() + ", logged" + placeOf(e.History.Executions[t.Last].Server) })
			}
		case record.Refused:
			if t.Answered {
				s.executed.add(1, r.Done, logged)
			}
		default:
			if r.Answered() != "" && !t.Acked && t.Lines > 0 {
				s.answered++
				continue
			}
			s.unknown++
			if t.Acked {
				s.recovered.add(1, r.Done, logged)
			} else if t.Lines == 0 {
				s.silent++
			}
		}
	}
	return s
}

// sortExecution looks at one line of the log by itself.
func (c Requests) sortExecution(e *evidence.Index, x *record.Execution, s *outcomeSets) {
	_, sent := e.RowOf(x)
	if !sent && !x.Reached() && len(x.Termination) == 2 && x.Termination[1] == 'R' {
		return // it never became a request
	}
	s.requests++
	if !sent {
		s.unexpected.add(1, x.At, func() string {
			switch {
			case !x.Foreign:
				return idOf(e, x.Seq)
			case x.RequestID == "":
				return "one without an id" + placeOf(x.Server)
			}
			return fmt.Sprintf("%q%s", x.RequestID, placeOf(x.Server))
		})
	}
	switch {
	case !c.Resends || x.Retries == 0:
	case x.Redispatched || !x.Reached():
		s.hidden += int64(x.Retries)
	default:
		s.resent.add(int64(x.Retries), x.At, func() string { return idOf(e, x.Seq) + placeOf(x.Server) })
	}
}

// idOf is the X-Request-Id of a request of this run.
func idOf(e *evidence.Index, seq uint64) string { return fmt.Sprintf("%s-%d", e.History.Run.ID, seq) }

// placeOf is " on web-2", and nothing where nobody knows who.
func placeOf(instance string) string {
	if instance == "" {
		return ""
	}
	return " on " + instance
}
