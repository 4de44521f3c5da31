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
	"throughline/scenarios/script"
)

// aboutPassages is the Trouble of logs of Apache HTTP servers that are not whole.
const aboutPassages = "passages"

// logLag is by how much the line of a request may come after its user had the answer: httpd writes it when all has been
// sent, and a busy machine may let it wait. What it was killed in between is in no log.
const logLag = time.Second

// compareHTTPD follows each request by its id through the logs of the Apache HTTP servers: what an instance answered, in the
// eyes of users and of the load balancer, its httpd logged with that status, and no more often than it was sent. Users had
// request 17 acknowledged by web-2: the httpd of web-2 has a line of it with 2xx. A 502 or 503 that httpd made itself is no
// answer of the instance, for whoever counts.
//
// What lacks, and is no loss: lines of requests that were on an httpd when it was killed. What httpd was reloaded under,
// and came to nobody, has neither an answer nor a line, and was executed by nobody.
func compareHTTPD(c Comparison, e *evidence.Index) verdict.Result {
	open := func(why string) verdict.Result {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "conservation at httpd: %s, so users and httpd were not compared", why)}}
	}
	switch {
	case len(e.History.Passages) == 0:
		return open("the record holds nothing of its log")
	case logTroubled(e):
		return open("its log is not whole")
	}
	p := newPassing(e)
	p.followUsers()
	p.followBalancer()
	return p.result(c)
}

// logTroubled tells whether something is missing of the logs of the Apache HTTP servers.
func logTroubled(e *evidence.Index) bool {
	return slices.ContainsFunc(e.History.Events, func(ev record.Event) bool { return ev.Kind == record.Trouble && ev.About == aboutPassages })
}

// passing is what became of the users' requests at the Apache HTTP servers.
type passing struct {
	e       *evidence.Index
	first   []int32                // by row of the users' ledger, an index into History.Passages, or -1
	next    []int32                // by passage, the next of the same row, or -1
	killed  []killing              // of an httpd
	foreign int64                  // of somebody else
	own     map[uint16]int64       // that httpd answered itself, by status
	on      map[string]int64       // that were on an httpd when it was killed, by instance
	within  map[string]int64       // that may have been, by instance
	lost    map[string]*requestSet // acknowledged, and without a line, by instance

	again, executed, otherwise, unexpected requestSet
	acked, followed, closed, nowhere       int64
}

// killing is a time in which lines of requests may be missing.
type killing struct {
	instance string // before which the httpd stands; "": all
	from, to time.Duration
}

func newPassing(e *evidence.Index) *passing {
	p := &passing{e: e, first: make([]int32, len(e.History.Requests)), next: make([]int32, len(e.History.Passages)),
		own: map[uint16]int64{}, on: map[string]int64{}, within: map[string]int64{}, lost: map[string]*requestSet{}}
	for i := range p.first {
		p.first[i] = -1
	}
	for i := len(e.History.Passages) - 1; i >= 0; i-- {
		x := &e.History.Passages[i]
		p.next[i] = -1
		if !x.Answered {
			p.own[x.Status]++
		}
		row, sent := e.RowOf(&record.Execution{Seq: x.Seq, Foreign: x.Foreign})
		if !sent {
			p.foreign++
			continue
		}
		p.followed++
		p.next[i], p.first[row] = p.first[row], int32(i)
	}
	for _, f := range e.FaultSpans(script.IsFault[script.KillHTTPD]) {
		p.killed = append(p.killed, killing{f.End.Instance, f.From - logLag, f.To})
	}
	httpd, web := e.Tiers.Of(record.LayerHTTPD), e.Tiers.Of(record.LayerWeb)
	for _, l := range e.History.Lifetimes() {
		if l.Role == record.HTTPD && l.Death != record.Never && !l.Expected {
			p.killed = append(p.killed, killing{web.Stem + strings.TrimPrefix(l.Instance, httpd.Stem), l.Death - logLag, l.Death})
		}
	}
	return p
}

// of calls each with the passages of a row.
func (p *passing) of(row int, each func(*record.Passage)) {
	for i := p.first[row]; i >= 0; i = p.next[i] {
		each(&p.e.History.Passages[i])
	}
}

// logged tells whether the httpd of an instance has a line that it answered a row with such a status.
func (p *passing) logged(row int, instance string, status func(uint16) bool) (found bool) {
	p.of(row, func(x *record.Passage) { found = found || x.Answered && x.Instance == instance && status(x.Status) })
	return found
}

// unlogged tells whether the httpd of an instance may have been killed between the answer to a request and its line.
func (p *passing) unlogged(instance string, from, to time.Duration) bool {
	return slices.ContainsFunc(p.killed, func(k killing) bool {
		return (k.instance == "" || k.instance == instance) && to >= k.from && from <= k.to
	})
}

func success(status uint16) bool { return status/100 == 2 }

// followUsers asks of each request what the logs must have of it, and may have.
func (p *passing) followUsers() {
	for row := range p.e.History.Requests {
		r := &p.e.History.Requests[row]
		name := func() string { return idOf(p.e, r.Seq) + placeOf(r.Instance) }
		var lines, broken, successes int64
		p.of(row, func(x *record.Passage) {
			lines++
			if x.Answered && success(x.Status) {
				successes++
			}
			if !x.Answered && x.Status == 502 {
				broken++
			}
		})
		switch {
		case r.Outcome == record.Acked && r.Instance != "":
			p.acked++
			may := p.unlogged(r.Instance, r.Sent, r.Done)
			if may {
				p.within[r.Instance]++
			}
			switch {
			case p.logged(row, r.Instance, success):
			case may:
				p.on[r.Instance]++
			default:
				if p.lost[r.Instance] == nil {
					p.lost[r.Instance] = &requestSet{}
				}
				p.lost[r.Instance].add(1, r.Done, name)
			}
		case r.Outcome == record.Refused && successes > 0 && !p.e.Scenario.Stack.RetryAll:
			p.executed.add(successes, r.Done, name)
		case r.Outcome == record.Unknown && r.Status == 0:
			p.closed += broken
			if lines == 0 && r.Attempts > 0 {
				p.nowhere++
			}
		}
		if sent, known := p.sent(row); known && lines > sent {
			p.again.add(lines-sent, r.Done, name)
		}
	}
}

// sent is how often a row may have come to an httpd.
func (p *passing) sent(row int) (most int64, known bool) {
	if p.e.Traces == nil || !p.e.LogWhole() {
		return 0, false
	}
	t := p.e.Traces[row]
	most = max(int64(p.e.History.Requests[row].Attempts), int64(t.Lines))
	return most + p.retries(t), true
}

// retries is how often the load balancer tried a request again.
func (p *passing) retries(t evidence.Trace) int64 {
	switch t.Lines {
	case 0:
		// What it had to give up without an answer it does not log: it may have tried it as often as it may.
		return mostRetries
	case 1:
		return int64(p.e.History.Executions[t.Last].Retries)
	}
	return int64(t.Lines) * mostRetries
}

// mostRetries is how often the load balancer tries a request again at most (retries, in its configuration).
const mostRetries = 3

// followBalancer asks whether the logs have each answer of an instance that the load balancer passed on.
func (p *passing) followBalancer() {
	foreign := int64(0)
	for i := range p.e.History.Executions {
		x := &p.e.History.Executions[i]
		row, sent := p.e.RowOf(x)
		if !sent {
			if x.Reached() {
				foreign += 1 + int64(x.Retries)
			}
			continue
		}
		if !x.Answered || p.logged(row, x.Server, func(s uint16) bool { return s == x.Status }) || p.unlogged(x.Server, x.At, x.At) {
			continue
		}
		r := &p.e.History.Requests[row]
		if r.Outcome == record.Acked && r.Instance == x.Server {
			continue // that is told of the users
		}
		p.otherwise.add(1, x.At, func() string { return fmt.Sprintf("%s%s (%d)", idOf(p.e, r.Seq), placeOf(x.Server), x.Status) })
	}
	if over := p.foreign - foreign; over > 0 && p.e.LogWhole() {
		for i := range p.e.History.Passages {
			x := &p.e.History.Passages[i]
			if _, sent := p.e.RowOf(&record.Execution{Seq: x.Seq, Foreign: x.Foreign}); !sent {
				p.unexpected.add(over, x.At, func() string { return fmt.Sprintf("%q%s", x.RequestID, placeOf(x.Instance)) })
				return
			}
		}
	}
}

// result says what was found.
func (p *passing) result(c Comparison) (r verdict.Result) {
	fail := func(s *requestSet, lost bool, instance, cause, format string) {
		if s.n == 0 {
			return
		}
		f := s.finding(format)
		f.Check, f.Layer, f.Instance, f.Cause = CheckConservation, c.To.Layer, instance, cause
		if lost {
			f.Lost = s.n
		} else {
			f.Extra = s.n
		}
		r.Findings = append(r.Findings, f)
		r.Residuals = append(r.Residuals, c.booked(instance, verdict.CauseUnexplained, lost, s.n, 0))
	}
	for _, l := range p.e.Lives {
		if s := p.lost[l.Instance]; s != nil {
			fail(s, true, l.Instance, verdict.CauseHTTPD, "%s acknowledged, and the httpd before the instance logged no success: %s")
		}
		if n := p.on[l.Instance]; n > 0 {
			r.Residuals = append(r.Residuals, c.booked(l.Instance, verdict.CauseNotPolled, true, n, p.within[l.Instance]))
		}
	}
	fail(&p.otherwise, true, "", verdict.CauseHTTPD, "%s answered by an instance as the load balancer saw it, and its httpd logged another status, or nothing: %s")
	fail(&p.again, false, "", verdict.CauseRetry, "%s logged by httpds more often than they were sent: %s")
	fail(&p.executed, false, "", verdict.CauseExecuted, "%s refused as users know it, and executed as an httpd saw it: %s")
	fail(&p.unexpected, false, "", verdict.CauseForeign, "%s came to httpds, and not by the load balancer: %s")
	if len(r.Findings) == 0 {
		r.Findings = append(r.Findings, p.agreed(c))
	}
	return r
}

// agreed is the finding where nothing differs.
func (p *passing) agreed(c Comparison) verdict.Finding {
	var own, on int64
	var told []string
	for status, n := range p.own {
		own += n
		told = append(told, fmt.Sprintf("%s %d", words.Number(n), status))
	}
	for _, n := range p.on {
		on += n
	}
	slices.Sort(told)
	f := c.finding(verdict.Pass, "%s followed by their ids through the logs of httpd: %s acknowledged, each logged by the httpd of the instance that users saw, and none more often than sent",
		words.Times(p.followed, "request"), words.Number(p.acked))
	if own > 0 {
		f.Summary += fmt.Sprintf("; httpd answered %s itself (%s)", words.Number(own), strings.Join(told, ", "))
	}
	if p.closed > 0 {
		f.Summary += fmt.Sprintf("; %s logged with 502 had no answer, for httpd closes the connection", words.Number(p.closed))
	}
	if on > 0 {
		f.Summary += fmt.Sprintf("; %s on an httpd when it was killed, which logged nothing of them", words.Number(on))
	}
	if p.nowhere > 0 {
		f.Summary += fmt.Sprintf("; %s without an answer came to no httpd", words.Number(p.nowhere))
	}
	f.Bound = on
	return f
}
