package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// The names of HAProxy's statistics: a prefix and the field of its CSV.
// Source: https://docs.haproxy.org/2.6/management.html#9.1
const (
	frontendPrefix = "haproxy_frontend_"
	backendPrefix  = "haproxy_backend_"
	serverPrefix   = "haproxy_server_"
)

// lastOf is the last value of a series, and when it was read.
func lastOf(s *record.Series) (value float64, at time.Duration, ok bool) {
	for i := len(s.Points) - 1; i >= 0; i-- {
		if counts(s.Points[i]) {
			return s.Points[i].Value, s.Points[i].At, true
		}
	}
	return 0, 0, false
}

// delta is how much the polled counters that match grew from the beginning of
// the load to the end of the record.
func (e *evidence) delta(name string, match func(*record.Series) bool) (n int64, found bool) {
	var sum float64
	for _, s := range e.polled[name] {
		if match(s) {
			sum += sumOf([]*record.Series{s}).since(e.begin)
			found = true
		}
	}
	return whole(sum), found
}

func (e *evidence) serverDelta(field, instance string) int64 {
	n, _ := e.delta(serverPrefix+field, func(s *record.Series) bool { return s.Labels.Get("instance") == instance })
	return max(0, n)
}

// retriesOn is how often the load balancer may have sent a request to the
// instance again that it, or another one, had executed.
func (e *evidence) retriesOn(instance string) int64 {
	if !e.scenario.Stack.RetryAll {
		return 0
	}
	return e.serverDelta("wretr", instance)
}

// retries is that for the whole load balancer: its wretr, if it repeats whatever
// failed. Else what it sends again had reached no server: nobody has executed
// it, and it is no excuse for anything.
func (e *evidence) retries() int64 {
	if !e.scenario.Stack.RetryAll {
		return 0
	}
	backends, _ := e.delta(backendPrefix+"wretr", anySeries)
	servers, _ := e.delta(serverPrefix+"wretr", anySeries)
	return max(0, backends, servers)
}

func anySeries(*record.Series) bool { return true }

// balancer is the proxies that carry the users' requests, in HAProxy's
// statistics.
type balancer struct {
	e        *evidence
	backend  string
	frontend string
	polled   time.Duration // the last poll
}

// newBalancer finds the proxies: the backend is the one whose servers are web
// instances, and the frontend the one with the most requests: HAProxy may have
// others for its own statistics.
func newBalancer(e *evidence) (balancer, bool) {
	b := balancer{e: e, polled: record.Never}
	web := map[string]bool{}
	for _, l := range e.lives {
		web[l.Instance] = true
	}
	for _, s := range e.polled[serverPrefix+"hrsp_2xx"] {
		if web[s.Labels.Get("instance")] {
			b.backend = s.Labels.Get("proxy")
		}
	}
	most := -1.0
	for _, s := range e.polled[frontendPrefix+"req_tot"] {
		if n, at, ok := lastOf(s); ok && n > most {
			most, b.frontend, b.polled = n, s.Labels.Get("proxy"), at
		}
	}
	return b, most >= 0
}

// last is the newest value of a field of a proxy; the sum over its servers for
// the server prefix.
func (b balancer) last(prefix, field string) (n int64, ok bool) {
	proxy := b.backend
	if prefix == frontendPrefix {
		proxy = b.frontend
	}
	var sum float64
	for _, s := range b.e.polled[prefix+field] {
		if s.Labels.Get("proxy") != proxy {
			continue
		}
		if v, _, has := lastOf(s); has {
			sum += v
			ok = true
		}
	}
	return whole(sum), ok
}

// since is last, from the beginning of the load on.
func (b balancer) since(prefix, field string) (int64, bool) {
	proxy := b.backend
	if prefix == frontendPrefix {
		proxy = b.frontend
	}
	return b.e.delta(prefix+field, func(s *record.Series) bool { return s.Labels.Get("proxy") == proxy })
}

// betweenUsersAndLB compares the users' ledger with HAProxy's statistics.
type betweenUsersAndLB struct{}

func (betweenUsersAndLB) judge(e *evidence) verdict.Result {
	b, ok := newBalancer(e)
	if !ok {
		return verdict.Result{Findings: []verdict.Finding{lbFinding(verdict.Inconclusive, "conservation at the load balancer: the record holds no statistics of HAProxy, so users and load balancer were not compared")}}
	}
	if b.polled < e.end || e.end == record.Never {
		return verdict.Result{Findings: []verdict.Finding{lbFinding(verdict.Inconclusive, "conservation at the load balancer: its last poll was at %s and the load did not end before, so its numbers are not final", words.Seconds(b.polled))}}
	}
	if f := b.resets(); f != nil {
		return verdict.Result{Findings: []verdict.Finding{*f}}
	}
	var r verdict.Result
	b.compareAttempts(&r)
	widths := newAllowances(e)
	b.compareServers(&r, widths)
	b.compareCodes(&r, widths)
	b.compareIdentities(&r)
	return r
}

func lbFinding(o verdict.Outcome, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkConservation, Outcome: o, Layer: verdict.LayerLB, Summary: fmt.Sprintf(format, args...)}
}

// compareAttempts: what the users wrote to the wire is what HAProxy read,
// except requests of which the users saw no answer.
func (b balancer) compareAttempts(r *verdict.Result) {
	u := b.e.users
	got, _ := b.since(frontendPrefix, "req_tot")
	lost, extra := max(0, u.attempts-got), max(0, got-u.attempts)
	explained := min(lost+extra, u.noAnswer)
	if explained > 0 {
		r.Residuals = append(r.Residuals, verdict.Booked(verdict.UsersLB, "", verdict.CauseNoAnswer, lost > 0, explained, u.noAnswer))
	}
	unseen := b.e.notPolled("")
	rest := lost + extra - explained
	f := lbFinding(verdict.Pass, "users sent %s, HAProxy's frontend %s received %s; up to %s without an answer could hide a difference",
		words.Times(u.attempts, "request"), b.frontend, words.Number(got), words.Number(u.noAnswer))
	f.Bound = u.noAnswer + unseen
	if unseen > 0 {
		f.Summary += fmt.Sprintf(", and up to %s that an old worker had in hand when it was last asked", words.Number(unseen))
	}
	if n := min(rest, unseen); lost > 0 && n > 0 {
		rest -= n
		r.Residuals = append(r.Residuals, verdict.Booked(verdict.UsersLB, "", verdict.CauseNotPolled, true, n, unseen))
	}
	if rest > 0 {
		f.Outcome, f.Lost, f.Extra = verdict.Fail, lost, extra
		f.Summary = fmt.Sprintf("users sent %s, HAProxy's frontend %s received %s: %s are unexplained (%s had no answer)", words.Times(u.attempts, "request"),
			b.frontend, words.Number(got), words.Number(rest), words.Number(u.noAnswer))
		r.Residuals = append(r.Residuals, verdict.Booked(verdict.UsersLB, "", verdict.CauseUnexplained, lost > 0, rest, 0))
	}
	r.Findings = append(r.Findings, f)
}

// compareServers: each server's 2xx are the requests that users saw answered by
// it, and perhaps some of those whose answer they did not see.
func (b balancer) compareServers(r *verdict.Result, widths allowances) {
	var sound int
	var acked, answered, width int64
	for _, l := range b.e.lives {
		at := b.e.acked(l.Instance)
		series := b.rows("hrsp_2xx", l.Instance)
		if len(series) == 0 {
			if len(at) > 0 {
				r.Findings = append(r.Findings, onInstance(l, lbFinding(verdict.Inconclusive, "%s answered %s, and HAProxy's statistics have no server of that name",
					l.Instance, words.Times(int64(len(at)), "request"))))
			}
			continue
		}
		curve := sumOf(series)
		polled := curve.at[len(curve.at)-1]
		got := whole(curve.since(b.e.begin))
		seen := max(0, countUpTo(at, polled)-b.e.notPolled(l.Instance))
		w := widths.of(l)
		most := int64(len(at)) + w.unknown + w.replays
		switch {
		case got < seen || got > most:
			r.Findings = append(r.Findings, b.serverFails(l, r, got, seen, most))
		case countUpTo(at, polled) < int64(len(at)) && got < int64(len(at)):
			r.Findings = append(r.Findings, onInstance(l, lbFinding(verdict.Inconclusive, "%s answered %s after HAProxy was last asked about it at %s", l.Instance,
				words.Times(int64(len(at))-seen, "request"), words.Seconds(polled))))
			r.Residuals = append(r.Residuals, verdict.Booked(verdict.UsersLB, l.Instance, verdict.CauseNotPolled, true, int64(len(at))-got, int64(len(at))-seen))
		default:
			switch n := got - int64(len(at)); {
			case n > 0:
				r.Residuals = append(r.Residuals, verdict.Booked(verdict.UsersLB, l.Instance, verdict.CauseUnknown, false, n, most-int64(len(at))))
			case n < 0:
				r.Residuals = append(r.Residuals, verdict.Booked(verdict.UsersLB, l.Instance, verdict.CauseNotPolled, true, -n, b.e.notPolled(l.Instance)))
			}
			sound, acked, answered, width = sound+1, acked+int64(len(at)), answered+got, width+most-int64(len(at))
		}
	}
	if sound > 0 {
		f := lbFinding(verdict.Pass, "%s: %s acknowledged, %s answered with 2xx; up to %s of unknown outcome could hide a difference",
			agreeing(sound), words.Times(acked, "request"), words.Number(answered), words.Number(width))
		f.Bound = width
		r.Findings = append(r.Findings, f)
	}
}

// rows gives the server's series of a field that have a point.
func (b balancer) rows(field, instance string) []*record.Series {
	var out []*record.Series
	for _, s := range b.e.polled[serverPrefix+field] {
		if _, _, ok := lastOf(s); ok && s.Labels.Get("instance") == instance {
			out = append(out, s)
		}
	}
	return out
}

func onInstance(l record.Lifetime, f verdict.Finding) verdict.Finding {
	f.Instance = l.Instance
	return f
}

func (b balancer) serverFails(l record.Lifetime, r *verdict.Result, got, least, most int64) verdict.Finding {
	f := onInstance(l, lbFinding(verdict.Fail, "users saw %s answered by %s with 2xx, and HAProxy counted %s: it should be %s to %s", words.Times(least, "request"),
		l.Instance, words.Number(got), words.Number(least), words.Number(most)))
	f.Lost, f.Extra, f.Bound = max(0, least-got), max(0, got-least), most-least
	over := f.Lost + max(0, got-most)
	r.Residuals = append(r.Residuals, verdict.Booked(verdict.UsersLB, l.Instance, verdict.CauseUnexplained, got < least, over, 0))
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
func (b balancer) compareIdentities(r *verdict.Result) {
	var broken, held, skipped []string
	for _, i := range b.identities() {
		switch {
		case !i.known:
			skipped = append(skipped, i.name)
		case i.is < i.least || i.is > i.most:
			want := words.Number(i.least)
			if i.most > i.least {
				want += " to " + words.Number(i.most)
			}
			broken = append(broken, i.name)
			r.Findings = append(r.Findings, lbFinding(verdict.Fail, "HAProxy's own numbers do not add up: %s: %s, and it should be %s", i.name, words.Number(i.is), want))
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
		r.Findings = append(r.Findings, lbFinding(verdict.Pass, "HAProxy's own numbers add up: %s%s", strings.Join(held, "; "), without))
	case len(broken) == 0:
		r.Findings = append(r.Findings, lbFinding(verdict.Inconclusive, "HAProxy's own numbers: no identity could be evaluated%s", without))
	}
}

func (b balancer) identities() []equation {
	known := true
	get := func(prefix string, fields ...string) (sum int64) {
		for _, field := range fields {
			n, ok := b.last(prefix, field)
			known = known && ok
			sum += n
		}
		return sum
	}
	var out []equation
	// Of what an old worker had in hand when it was last asked, each number may
	// have missed another part.
	unseen := b.e.notPolled("")
	add := func(name string, servers bool, is, least, most int64) {
		least, most = least-unseen, most+unseen
		out = append(out, equation{name: name, is: is, least: least, most: most, known: known && b.backend != "" && (!servers || b.serversComplete())})
		known = true
	}
	// Where any failure is retried, a server is chosen again without a
	// redispatch, and a server's 5xx may be followed by another's 2xx.
	again := b.e.retries()
	// Of requests that ended without an answer because one server after another
	// died, some were seen to be dealt out once more than the redispatches tell.
	unanswered := b.e.users.noAnswer
	stot := get(backendPrefix, "stot")
	requests := get(frontendPrefix, "req_tot")
	add("backend sessions = frontend requests", false, stot, requests, requests)
	// A session for which there was no server at all was never dealt out; it
	// is among the failed connections.
	econ := get(backendPrefix, "econ")
	chosen, redispatched := get(backendPrefix, "lbtot"), get(backendPrefix, "stot", "wredis")
	add("backend choices = backend sessions + redispatches", false, chosen, redispatched-econ, redispatched+again+unanswered)
	answered, responses := get(backendPrefix, "req_tot"), get(frontendPrefix, "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")
	add("backend requests = frontend responses", false, answered, responses, responses)
	// A server that breaks after it got the request makes HAProxy answer 502
	// or 504, which is a failed response.
	own, eresp := get(backendPrefix, "hrsp_5xx")-get(serverPrefix, "hrsp_5xx"), get(backendPrefix, "eresp")
	add("5xx that no server made = failed connections and responses", true, own, econ-again, econ+eresp)
	more, wredis, wretr := get(serverPrefix, "stot")-get(backendPrefix, "stot"), get(backendPrefix, "wredis"), get(backendPrefix, "wretr")
	add("sessions that servers had more than the backend are redispatches and retries", true, more, wredis-econ, wredis+wretr+unanswered)
	return out
}

// serversComplete tells whether the statistics follow every server to the last
// poll: one that was removed and not remembered is missing in sums.
func (b balancer) serversComplete() bool {
	complete := true
	for _, l := range b.e.lives {
		if l.Serving == record.Never && len(b.e.acked(l.Instance)) == 0 {
			continue
		}
		complete = complete && slices.ContainsFunc(b.e.polled[serverPrefix+"stot"], func(s *record.Series) bool {
			_, at, ok := lastOf(s)
			return ok && s.Labels.Get("instance") == l.Instance && at >= b.polled
		})
	}
	return complete
}

func agreeing(servers int) string {
	if servers == 1 {
		return "1 server agrees with its instance"
	}
	return words.Times(int64(servers), "server") + " agree with their instances"
}
