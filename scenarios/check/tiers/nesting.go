package tiers

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkNesting = "nesting"

// Nesting compares how long the same requests took in the eyes of users,
// application and database: whoever is further out waited longer. Single
// requests cannot be compared, since timers have no names on their values; but
// if each request took longer outside, so did the k-th fastest of them, for
// every k. If the 95 % fastest of 1,000 requests took users up to 12 ms, and the 950th value of
// the web timer is in a bucket above 14 ms, some requests took longer inside than outside: the
// unit is wrong, or the values are not of these requests. The load balancer takes no part: its times are averages over the
// last 1,024 requests of whatever route.
type Nesting struct{ Promise script.Nesting }

// percentiles are where the layers are compared, beside the mean.
var percentiles = [...]float64{0.5, 0.95, 0.99}

// clockStep is by how much an offset in a record is rounded.
const clockStep = time.Microsecond

// Judge looks at all instances, or says why it cannot.
func (c Nesting) Judge(e *evidence.Index) verdict.Result {
	var out []verdict.Finding
	if over := e.LastTick() - e.End; e.End != record.Never && over < c.Promise.ClientWindow {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "", "nesting of %s: the record ends %s after the load, and clients may hold values for %s", c.Promise.Web,
			words.Seconds(over), c.Promise.ClientWindow)}}
	}
	b, users, front := c.books(e), latencies(e, c.Promise.Route), frontOf(e, c.Promise.Route, c.Promise.Slack+clockStep)
	var all layers
	for i := range b.Accounts {
		a := &b.Accounts[i]
		l := c.layers(e, a, users[a.Life.Instance])
		if len(l.users) == 0 {
			continue
		}
		l.httpd = front.of(a.Life.Instance)
		all.merge(l)
		if f := c.counts(a, b, l); f != nil {
			out = append(out, *f)
		}
		if f := c.callsCounted(a, l); f != nil {
			out = append(out, *f)
		}
		out = append(out, c.slower(front, a.Life.Instance)...)
		out = append(out, c.compare(a, l)...)
	}
	if len(all.users) == 0 {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "", "nesting of %s: no instance acknowledged any %s, so nothing was compared", c.Promise.Web, c.Promise.Route)}}
	}
	if len(out) == 0 {
		out = append(out, c.summary(all))
	}
	return verdict.Result{Findings: out}
}

func (c Nesting) finding(o verdict.Outcome, instance string, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkNesting, Outcome: o, Layer: record.LayerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// layers are the times of the same requests, from outside to inside.
type layers struct {
	users   []float64 // sorted
	httpd   []float64 // sorted; none where there is no httpd
	web, db account.Spectrum
	servers int
}

func (l *layers) merge(other layers) {
	l.users, l.httpd = append(l.users, other.users...), append(l.httpd, other.httpd...)
	l.servers++
	for _, pair := range []struct{ to, from *account.Spectrum }{{&l.web, &other.web}, {&l.db, &other.db}} {
		pair.to.N += pair.from.N
		pair.to.Sum += pair.from.Sum
		pair.to.Arrived += pair.from.Arrived
		pair.to.Parts = append(pair.to.Parts, pair.from.Parts...)
	}
}

func (c Nesting) layers(e *evidence.Index, a *account.Account, users []float64) layers {
	return layers{users: users, web: account.SpectrumOf(e.Timers(a.Life.Instance, c.Promise.Web), c.Promise.Unit),
		db: account.SpectrumOf(e.Timers(a.Life.Instance, c.Promise.DB), c.Promise.Unit), servers: 1}
}

// books compares the number of a timer's values with the requests, as if it
// were a counter.
func (c Nesting) books(e *evidence.Index) account.Books {
	promise := script.Conservation{Metric: c.Promise.Web, Route: c.Promise.Route, ClientWindow: c.Promise.ClientWindow, MaxLag: account.UsualLag, SampleRate: 1, Confidence: 0.999_999}
	b := account.BooksOf(e, promise, func(instance string) []*record.Series { return e.TimerCounts(instance, c.Promise.Web) })
	for i := range b.Accounts {
		a := &b.Accounts[i]
		a.FindTimerNeighbours(e)
		s := account.SpectrumOf(e.Timers(a.Life.Instance, c.Promise.Web), c.Promise.Unit)
		if rate, yes := s.Sampled(); yes {
			a.Promise.SampleRate, a.Sampled = rate, evidence.Whole(s.Arrived)
		}
	}
	return b.ExplainedBy(e)
}

// counts asks whether the web timer has a value for each request.
func (c Nesting) counts(a *account.Account, b account.Books, l layers) *verdict.Finding {
	var findings []verdict.Finding
	if a.Promise.SampleRate < 1 {
		findings, _ = judgeSampled(a, b)
	} else {
		findings, _ = judgeExact(a, b)
	}
	if len(findings) == 0 {
		return nil
	}
	f := findings[0]
	f.Check = checkNesting
	f.Summary = string(c.Promise.Web) + ": " + f.Summary
	few := slices.Contains([]string{diagnose.RateNotSent, diagnose.NotCounted, diagnose.Conditional, diagnose.QueueFull, diagnose.Burst, diagnose.Undecided}, f.Cause)
	if (few || l.web.OnBeat()) && f.Lost > 0 && f.Outcome == verdict.Fail {
		c.averaged(&f, l)
	}
	return &f
}

// averaged tells a timer whose client sends the mean of several requests from
// one that sends some of the requests: means have less spread, and are fewer.
// Of m values each the spread is 1/√m, so that two and more are wanted.
func (c Nesting) averaged(f *verdict.Finding, l layers) {
	outside := quantile(l.users, 0.95)/quantile(l.users, 0.5) - 1
	inside := l.web.About(0.95)/l.web.About(0.5) - 1
	each := float64(len(l.users)) / l.web.N // requests for a value
	switch {
	case l.web.OnBeat():
		f.RunnerUp = f.Cause
		f.Cause = verdict.CauseAveraged
		f.Summary = fmt.Sprintf("%s: %s acknowledged %s and sent %s, %s in each interval however many requests there were: "+
			"the client sends averages, of which no percentile can be told", c.Promise.Web, f.Instance, words.Times(int64(len(l.users)), c.Promise.Route),
			words.Times(evidence.Whole(l.web.N), "value"), words.Number(int64(l.web.Steady)))
	case outside < 0.3 || math.IsNaN(inside):
		if f.Cause == diagnose.RateNotSent {
			f.RunnerUp = verdict.CauseAveraged
		}
	case inside < 0.6*outside && each >= 2:
		f.RunnerUp = f.Cause
		f.Cause = verdict.CauseAveraged
		f.Summary = fmt.Sprintf("%s: %s acknowledged %s and sent %s, with much less spread (95th percentile %.2g times the median, users %.2g times): "+
			"the client sends averages, of which no percentile can be told", c.Promise.Web, f.Instance, words.Times(int64(len(l.users)), c.Promise.Route),
			words.Times(evidence.Whole(l.web.N), "value"), 1+inside, 1+outside)
	case inside < 0.8*outside && each >= 1.5 && f.RunnerUp == "":
		f.RunnerUp = verdict.CauseAveraged
	}
}

// unseen is how many of the requests may be missing among the values of the web
// timer: what was lost, and what stands there for requests nobody acknowledged.
func unseen(a *account.Account, l layers) float64 {
	n := float64(len(l.users))
	return max(0, n+float64(a.Sum())-l.web.N) + l.web.Chance(n)
}

// callsCounted asks whether the database's timer has a value for each request at least: each
// calls the database once or more. A SIGKILL may take some of the calls.
func (c Nesting) callsCounted(a *account.Account, l layers) *verdict.Finding {
	need := l.web.N - float64(a.Stalled)
	if c.Promise.DB == "" || l.db.N >= need || a.Dropped {
		return nil
	}
	for _, s := range []account.Spectrum{l.web, l.db} {
		if _, yes := s.Sampled(); yes {
			return nil // the numbers are estimates
		}
	}
	f := c.finding(verdict.Fail, a.Life.Instance, "%s has %s of %s for %s of %s: each request calls the database", a.Life.Instance,
		words.Times(evidence.Whole(l.db.N), "value"), c.Promise.DB, words.Number(evidence.Whole(l.web.N)), c.Promise.Web)
	f.Layer, f.Lost = record.LayerDB, evidence.Whole(need-l.db.N)
	f.Cause = diagnose.NotCounted
	switch {
	case l.db.N == 0:
		f.Cause = diagnose.NoMetric
	case l.db.N <= 0.55*l.web.N: // a code path that forgets to count is rarely the greater half
		f.Cause = diagnose.RateNotSent
	}
	return &f
}

// compare looks at all percentiles and the means; one finding for each pair of
// layers is enough.
func (c Nesting) compare(a *account.Account, l layers) []verdict.Finding {
	var out []verdict.Finding
	var places []string
	slack := c.slack()
	n := float64(len(l.users))
	missing := unseen(a, l)
	for _, q := range percentiles {
		outside := quantile(l.users, q)
		if lo, _ := l.web.Rank(math.Ceil(q*n) - missing); lo > outside+slack {
			places = append(places, fmt.Sprintf("p%g %s in users' eyes and over %s in its own", 100*q, millis(outside), millis(lo)))
		}
	}
	if l.web.N == n && a.Sum() == 0 && l.web.Mean() > meanOf(l.users)*(1+1e-9)+slack {
		places = append(places, fmt.Sprintf("mean %s in users' eyes and %s in its own", millis(meanOf(l.users)), millis(l.web.Mean())))
	}
	if behind := c.placesBehind(l, missing); len(places) == 0 && len(behind) > 0 {
		f := c.finding(verdict.Fail, a.Life.Instance, "requests of %s took longer inside (%s) than on its httpd: %s", a.Life.Instance, c.Promise.Web, strings.Join(behind, ", "))
		c.unit(&f, l)
		return append(out, f)
	}
	if len(places) > 0 {
		f := c.finding(verdict.Fail, a.Life.Instance, "requests of %s took longer inside (%s) than for their users: %s", a.Life.Instance, c.Promise.Web, strings.Join(places, ", "))
		c.unit(&f, l)
		return append(out, f)
	}
	if f := c.compareDB(a, l, slack); f != nil {
		return append(out, *f)
	}
	if f := c.suspicious(a, l); f != nil {
		out = append(out, *f)
	}
	return out
}

// slack is how much longer, in seconds, a layer may take than the one around it.
func (c Nesting) slack() float64 { return c.Promise.Slack.Seconds() + clockStep.Seconds() }

// rankOf is which of n sorted values a quantile is, from 1 up.
func rankOf(q, n float64) float64 { return math.Ceil(q * n) }

func (c Nesting) compareDB(a *account.Account, l layers, slack float64) *verdict.Finding {
	var places []string
	missing := float64(a.Stalled) + l.db.Chance(l.web.N) + l.web.Chance(l.web.N)
	for _, q := range percentiles {
		k := math.Ceil(q * l.web.N)
		_, outside := l.web.Rank(k)
		if lo, _ := l.db.Rank(k - missing); lo > outside+slack {
			places = append(places, fmt.Sprintf("p%g up to %s in the application and over %s in the database", 100*q, millis(outside), millis(lo)))
		}
	}
	if missing == 0 && l.db.N == l.web.N && l.db.Mean() > l.web.Mean()*(1+1e-9)+slack {
		places = append(places, fmt.Sprintf("mean %s in the application and %s in the database", millis(l.web.Mean()), millis(l.db.Mean())))
	}
	if len(places) == 0 {
		return nil
	}
	f := c.finding(verdict.Fail, a.Life.Instance, "requests of %s took less time (%s) than their calls of the database (%s): %s", a.Life.Instance, c.Promise.Web, c.Promise.DB,
		strings.Join(places, ", "))
	c.unit(&f, l)
	return &f
}

// thousand is by how much a time in the wrong unit is wrong.
const thousand = 1000

// unit tells whether one of the timers would fit if it were in another unit.
func (c Nesting) unit(f *verdict.Finding, l layers) {
	f.Cause = verdict.CauseNotNested
	users, web, db := quantile(l.users, 0.5), l.web.About(0.5), l.db.About(0.5)
	slack := c.Promise.Slack.Seconds()
	wrong := func(metric script.Metric, how string) {
		f.Cause = verdict.CauseWrongUnit
		f.Summary += fmt.Sprintf("; %s by 1,000 it would fit: %s is in another unit than it says", how, metric)
	}
	switch {
	case web > 30*users && web/thousand <= users+slack:
		wrong(c.Promise.Web, "divided")
	case db > 30*web && db > 30*users && db/thousand <= web+slack:
		wrong(c.Promise.DB, "divided")
	case db > 30*web && web*thousand <= users+slack:
		wrong(c.Promise.Web, "multiplied")
	}
}

// fewAcks is how many requests a comparison of shapes takes to mean something.
const fewAcks = 100

// suspicious is about a timer that contradicts nothing and yet has the very
// shape of the users' times, a thousand times smaller. An application that is
// that fast is possible, unless its calls of the database are slower than it.
func (c Nesting) suspicious(a *account.Account, l layers) *verdict.Finding {
	decided := l.db.N >= fewAcks
	if decided && l.db.About(0.5) <= l.web.About(0.5) || l.web.N < fewAcks || len(l.users) < fewAcks {
		return nil
	}
	for _, q := range percentiles {
		users := quantile(l.users, q)
		lo, hi := l.web.Rank(math.Ceil(q * l.web.N))
		if users < thousand*lo || users > 2.5*thousand*hi { // nowhere in the bucket would it fit
			return nil
		}
	}
	f := c.finding(verdict.Inconclusive, a.Life.Instance, "%s of %s has the shape of its users' times, a thousand times smaller (medians %s and %s): it may be in another unit than it says; "+
		"a db timer would decide it", c.Promise.Web, a.Life.Instance, millis(quantile(l.users, 0.5)), millis(l.web.About(0.5)))
	if decided {
		f = c.finding(verdict.Fail, a.Life.Instance, "%s of %s has the shape of its users' times, a thousand times smaller (medians %s and %s), and its calls of the database took longer (%s): it is in another unit than it says",
			c.Promise.Web, a.Life.Instance, millis(quantile(l.users, 0.5)), millis(l.web.About(0.5)), millis(l.db.About(0.5)))
	}
	f.Cause = verdict.CauseWrongUnit
	return &f
}

// summary tells what was compared.
func (c Nesting) summary(all layers) verdict.Finding {
	users, httpd := account.SpectrumOfTimes(all.users), account.SpectrumOfTimes(all.httpd)
	all.web.Sort()
	all.db.Sort()
	var parts []string
	row := func(name string, of func(account.Spectrum) float64) {
		text := fmt.Sprintf("%s %s", name, millis(of(users)))
		if len(all.httpd) > 0 {
			text += ", " + millis(of(httpd))
		}
		text += ", " + millis(of(all.web))
		if c.Promise.DB != "" {
			text += ", " + millis(of(all.db))
		}
		parts = append(parts, text)
	}
	for _, q := range percentiles {
		row(fmt.Sprintf("p%g", 100*q), func(s account.Spectrum) float64 { return s.About(q) })
	}
	row("mean", account.Spectrum.Mean)
	values := words.Times(evidence.Whole(all.web.N), "value") + " of " + string(c.Promise.Web)
	who := "users, web"
	if len(all.httpd) > 0 {
		who = "users, httpd, web"
	}
	if c.Promise.DB != "" {
		values += fmt.Sprintf(" and %s of %s", words.Number(evidence.Whole(all.db.N)), c.Promise.DB)
		who += ", db"
	}
	return c.finding(verdict.Pass, "", "nesting holds (%s): %s; compared for each of %s, %s with %s; the load balancer is left out: its times are averages over its last 1,024 requests",
		who, strings.Join(parts, "; "), words.Times(int64(all.servers), "instance"), words.Times(int64(len(all.users)), c.Promise.Route), values)
}
