package tiers

import (
	"fmt"
	"slices"
	"strings"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// compareBalancer compares the users' ledger with HAProxy's statistics: what was sent, what
// each server answered, the classes of the answers, and whether its own numbers add up. Users
// wrote 2,410 requests to the wire and had no answer to 3: the frontend may have received
// 2,407 to 2,413. Of web-2 they had 800 answers: it must have given 800 to 803.
func compareBalancer(c Comparison, e *evidence.Index) verdict.Result {
	b, ok := evidence.NewBalancer(e)
	if !ok {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "conservation at the load balancer: the record holds no statistics of HAProxy, so users and load balancer were not compared")}}
	}
	if b.Polled < e.End || e.End == record.Never {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "conservation at the load balancer: its last poll was at %s and the load did not end before, so its numbers are not final", words.Seconds(b.Polled))}}
	}
	if f := c.balancerReset(b); f != nil {
		return verdict.Result{Findings: []verdict.Finding{*f}}
	}
	var r verdict.Result
	c.compareAttempts(b, &r)
	widths := account.NewAllowances(e)
	c.compareServers(e, &r, widths)
	c.compareCodes(b, &r, widths)
	c.compareIdentities(b, &r)
	return r
}

// compareAttempts asks whether HAProxy read what the users wrote to the wire, except
// requests of which the users saw no answer.
func (c Comparison) compareAttempts(b evidence.Balancer, r *verdict.Result) {
	u := b.Index.Users
	got, _ := b.Since(record.FrontendPrefix, "req_tot")
	lost, extra := max(0, u.Attempts-got), max(0, got-u.Attempts)
	explained := min(lost+extra, u.NoAnswer)
	if explained > 0 {
		r.Residuals = append(r.Residuals, c.booked("", verdict.CauseNoAnswer, lost > 0, explained, u.NoAnswer))
	}
	unseen := b.Index.NotPolled("")
	rest := lost + extra - explained
	f := c.finding(verdict.Pass, "users sent %s, HAProxy's frontend %s received %s; up to %s without an answer could hide a difference",
		words.Times(u.Attempts, "request"), b.Frontend, words.Number(got), words.Number(u.NoAnswer))
	f.Bound = u.NoAnswer + unseen
	if unseen > 0 {
		f.Summary += fmt.Sprintf(", and up to %s that an old worker had in hand when it was last asked", words.Number(unseen))
	}
	if n := min(rest, unseen); lost > 0 && n > 0 {
		rest -= n
		r.Residuals = append(r.Residuals, c.booked("", verdict.CauseNotPolled, true, n, unseen))
	}
	if rest > 0 {
		f.Outcome, f.Lost, f.Extra = verdict.Fail, lost, extra
		f.Summary = fmt.Sprintf("users sent %s, HAProxy's frontend %s received %s: %s are unexplained (%s had no answer)", words.Times(u.Attempts, "request"),
			b.Frontend, words.Number(got), words.Number(rest), words.Number(u.NoAnswer))
		r.Residuals = append(r.Residuals, c.booked("", verdict.CauseUnexplained, lost > 0, rest, 0))
	}
	r.Findings = append(r.Findings, f)
}

// compareServers asks of each server whether its 2xx are the requests that users saw
// answered by it, and perhaps some of those whose answer they did not see.
func (c Comparison) compareServers(e *evidence.Index, r *verdict.Result, widths account.Allowances) {
	var sound int
	var acked, answered, width int64
	for _, l := range e.Lives {
		at := e.Acked(l.Instance)
		series := c.answersOf(e, l.Instance)
		if len(series) == 0 {
			if len(at) > 0 {
				r.Findings = append(r.Findings, ofInstance(l, c.finding(verdict.Inconclusive, "%s answered %s, and %s's statistics have no server of that name",
					l.Instance, words.Times(int64(len(at)), "request"), c.To.Counter)))
			}
			continue
		}
		curve := evidence.SumOf(series)
		polled := curve.At[len(curve.At)-1]
		got := evidence.Whole(curve.Since(e.Begin))
		unseen := c.unseen(e, l.Instance)
		seen := max(0, evidence.CountUpTo(at, polled)-unseen)
		w := widths.ForLife(l)
		most := int64(len(at)) + w.Unknown + w.Replays
		switch {
		case got < seen || got > most:
			r.Findings = append(r.Findings, c.serverFails(l, r, got, seen, most))
		case evidence.CountUpTo(at, polled) < int64(len(at)) && got < int64(len(at)):
			r.Findings = append(r.Findings, ofInstance(l, c.finding(verdict.Inconclusive, "%s answered %s after %s was last asked about it at %s", l.Instance,
				words.Times(int64(len(at))-seen, "request"), c.To.Counter, words.Seconds(polled))))
			r.Residuals = append(r.Residuals, c.booked(l.Instance, verdict.CauseNotPolled, true, int64(len(at))-got, int64(len(at))-seen))
		default:
			switch n := got - int64(len(at)); {
			case n > 0:
				r.Residuals = append(r.Residuals, c.booked(l.Instance, verdict.CauseUnknown, false, n, most-int64(len(at))))
			case n < 0:
				r.Residuals = append(r.Residuals, c.booked(l.Instance, verdict.CauseNotPolled, true, -n, unseen))
			}
			sound, acked, answered, width = sound+1, acked+int64(len(at)), answered+got, width+most-int64(len(at))
		}
	}
	if sound > 0 {
		f := c.finding(verdict.Pass, "%s: %s acknowledged, %s answered with 2xx; up to %s of unknown outcome could hide a difference",
			agreeing(sound), words.Times(acked, "request"), words.Number(answered), words.Number(width))
		f.Bound = width
		r.Findings = append(r.Findings, f)
	}
}

// unseen is how many requests of an instance a tier may have counted after it was last
// asked: those that an old worker of the load balancer had in hand.
func (c Comparison) unseen(e *evidence.Index, instance string) int64 {
	if c.To.Layer != record.LayerLB {
		return 0
	}
	return e.NotPolled(instance)
}

// answersOf gives the series in which the tier counts an instance's answers, as far as
// they have a point.
func (c Comparison) answersOf(e *evidence.Index, instance string) []*record.Series {
	var out []*record.Series
	for _, s := range e.PolledOf(c.To.Answers, instance) {
		if _, _, ok := evidence.LastOf(s); ok {
			out = append(out, s)
		}
	}
	return out
}

func ofInstance(l record.Lifetime, f verdict.Finding) verdict.Finding {
	f.Instance = l.Instance
	return f
}

func (c Comparison) serverFails(l record.Lifetime, r *verdict.Result, got, least, most int64) verdict.Finding {
	f := ofInstance(l, c.finding(verdict.Fail, "users saw %s answered by %s with 2xx, and %s counted %s: it should be %s to %s", words.Times(least, "request"),
		l.Instance, c.To.Counter, words.Number(got), words.Number(least), words.Number(most)))
	f.Lost, f.Extra, f.Bound = max(0, least-got), max(0, got-least), most-least
	over := f.Lost + max(0, got-most)
	r.Residuals = append(r.Residuals, c.booked(l.Instance, verdict.CauseUnexplained, got < least, over, 0))
	return f
}

// equation is an identity within HAProxy's statistics, or a range if least and
// most differ.
type equation struct {
	name            string
	is, least, most int64
	known           bool // all its fields are in the record
}

// compareIdentities evaluates what holds in HAProxy 2.6 whatever its settings
// of retries and redispatch are, also while servers die, break in the middle of
// an answer, or are all away. Others that depend on settings are not used.
func (c Comparison) compareIdentities(b evidence.Balancer, r *verdict.Result) {
	var broken, held, skipped []string
	for _, i := range identities(b) {
		switch {
		case !i.known:
			skipped = append(skipped, i.name)
		case i.is < i.least || i.is > i.most:
			want := words.Number(i.least)
			if i.most > i.least {
				want += " to " + words.Number(i.most)
			}
			broken = append(broken, i.name)
			r.Findings = append(r.Findings, c.finding(verdict.Fail, "HAProxy's own numbers do not add up: %s: %s, and it should be %s", i.name, words.Number(i.is), want))
		default:
			held = append(held, i.name)
		}
	}
	without := ""
	if len(skipped) > 0 {
		without = "; not evaluated, because the statistics lack a field or a server's last numbers: " + strings.Join(skipped, "; ")
	}
	switch {
	case len(held) > 0:
		r.Findings = append(r.Findings, c.finding(verdict.Pass, "HAProxy's own numbers add up: %s%s", strings.Join(held, "; "), without))
	case len(broken) == 0:
		r.Findings = append(r.Findings, c.finding(verdict.Inconclusive, "HAProxy's own numbers: no identity could be evaluated%s", without))
	}
}

func identities(b evidence.Balancer) []equation {
	known := true
	get := func(prefix string, fields ...string) (sum int64) {
		for _, field := range fields {
			n, ok := b.Last(prefix, field)
			known = known && ok
			sum += n
		}
		return sum
	}
	var out []equation
	// Of what an old worker had in hand when it was last asked, each number may
	// have missed another part.
	unseen := b.Index.NotPolled("")
	add := func(name string, servers bool, is, least, most int64) {
		least, most = least-unseen, most+unseen
		out = append(out, equation{name: name, is: is, least: least, most: most, known: known && len(b.Backends) > 0 && (!servers || serversComplete(b))})
		known = true
	}
	// Where any failure is retried, a server is chosen again without a
	// redispatch, and a server's 5xx may be followed by another's 2xx.
	again := b.Index.Retries()
	// Of requests that ended without an answer because one server after another
	// died, some were seen to be dealt out once more than the redispatches tell.
	unanswered := b.Index.Users.NoAnswer
	same := b.SameAgain()
	stot := get(record.BackendPrefix, "stot")
	requests := get(record.FrontendPrefix, "req_tot")
	add("backend sessions = frontend requests", false, stot, requests, requests)
	// A session for which there was no server at all was never dealt out; it
	// is among the failed connections.
	econ := get(record.BackendPrefix, "econ")
	chosen, redispatched := get(record.BackendPrefix, "lbtot"), get(record.BackendPrefix, "stot", "wredis")
	add("backend choices = backend sessions + redispatches", false, chosen, redispatched-econ, redispatched+again+unanswered+same)
	answered, responses := get(record.BackendPrefix, "req_tot"), get(record.FrontendPrefix, "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")
	add("backend requests = frontend responses", false, answered, responses, responses)
	// A server that breaks after it got the request makes HAProxy answer 502
	// or 504, which is a failed response.
	own, eresp := get(record.BackendPrefix, "hrsp_5xx")-get(record.ServerPrefix, "hrsp_5xx"), get(record.BackendPrefix, "eresp")
	add("5xx that no server made = failed connections and responses", true, own, econ-again, econ+eresp)
	more, wredis, wretr := get(record.ServerPrefix, "stot")-get(record.BackendPrefix, "stot"), get(record.BackendPrefix, "wredis"), get(record.BackendPrefix, "wretr")
	add("sessions that servers had more than the backend are redispatches and retries", true, more, wredis-econ, wredis+wretr+unanswered+same)
	return out
}

// serversComplete tells whether the statistics follow every server to the last poll, or to
// its end: one that was removed and not remembered is missing in sums.
func serversComplete(b evidence.Balancer) bool {
	complete := true
	for _, l := range b.Index.Lives {
		if l.Serving == record.Never && len(b.Index.Acked(l.Instance)) == 0 {
			continue
		}
		complete = complete && slices.ContainsFunc(b.Index.PolledOf(record.ServerPrefix+"stot", l.Instance), func(s *record.Series) bool {
			_, at, ok := evidence.LastOf(s)
			return ok && (at >= b.Polled || remembered(s))
		})
	}
	return complete
}

// remembered tells whether a series ends with what was remembered of a server when it was
// removed, which nothing was measured for, and then the mark of its end.
func remembered(s *record.Series) bool {
	n := len(s.Points)
	return n >= 2 && s.Points[n-1].Stale && s.Points[n-2].HasNumber() && s.Points[n-2].Observed == 0
}

func agreeing(servers int) string {
	if servers == 1 {
		return "1 server agrees with its instance"
	}
	return words.Times(int64(servers), "server") + " agree with their instances"
}
