package check

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkNesting = "nesting"

// nesting compares how long the same requests took in the eyes of users,
// application and database: whoever is further out waited longer. Single
// requests cannot be compared, since timers have no names on their values; but
// if each request took longer outside, so did the k-th fastest of them, for
// every k. The load balancer takes no part: its times are averages over the
// last 1,024 requests of whatever route.
type nesting struct{ rule script.Nesting }

// percentiles are where the layers are compared, beside the mean.
var percentiles = [...]float64{0.5, 0.95, 0.99}

// clockStep is by how much an offset in a record is rounded.
const clockStep = time.Microsecond

func (c nesting) judge(e *evidence) verdict.Result {
	var out []verdict.Finding
	if over := e.lastTick() - e.end; e.end != record.Never && over < c.rule.ClientWindow {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "", "nesting of %s: the record ends %s after the load, and clients may hold values for %s", c.rule.Web,
			words.Seconds(over), c.rule.ClientWindow)}}
	}
	b := c.books(e)
	var all layers
	for i := range b.accounts {
		a := &b.accounts[i]
		l := c.layers(e, a)
		if len(l.users) == 0 {
			continue
		}
		all.merge(l)
		if f := c.counts(a, b, l); f != nil {
			out = append(out, *f)
		}
		if f := c.callsCounted(a, l); f != nil {
			out = append(out, *f)
		}
		out = append(out, c.compare(a, l)...)
	}
	if len(all.users) == 0 {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "", "nesting of %s: no instance acknowledged any %s, so nothing was compared", c.rule.Web, c.rule.Route)}}
	}
	if len(out) == 0 {
		out = append(out, c.summary(all))
	}
	return verdict.Result{Findings: out}
}

func (c nesting) finding(o verdict.Outcome, instance string, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkNesting, Outcome: o, Layer: verdict.LayerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// layers are the times of the same requests, from outside to inside.
type layers struct {
	users   []float64 // sorted
	web, db spectrum
	servers int
}

func (l *layers) merge(other layers) {
	l.users = append(l.users, other.users...)
	l.servers++
	for _, pair := range []struct{ to, from *spectrum }{{&l.web, &other.web}, {&l.db, &other.db}} {
		pair.to.n += pair.from.n
		pair.to.sum += pair.from.sum
		pair.to.arrived += pair.from.arrived
		pair.to.parts = append(pair.to.parts, pair.from.parts...)
	}
}

// timers gives the series of an instance's timer.
func (e *evidence) timers(instance, metric string) []*record.Series {
	var out []*record.Series
	for _, s := range e.pushed[instance] {
		if s.Meta.StatsD == metric && s.Meta.Type == collector.Summary && metric != "" {
			out = append(out, s)
		}
	}
	return out
}

func (c nesting) layers(e *evidence, a *account) layers {
	return layers{users: e.took(a.life.Instance, c.rule.Route), web: spectrumOf(e.timers(a.life.Instance, c.rule.Web), c.rule.Unit),
		db: spectrumOf(e.timers(a.life.Instance, c.rule.DB), c.rule.Unit), servers: 1}
}

// books compares the number of a timer's values with the requests, as if it
// were a counter.
func (c nesting) books(e *evidence) books {
	rule := script.Conservation{Metric: c.rule.Web, Route: c.rule.Route, ClientWindow: c.rule.ClientWindow, MaxLag: usualLag, SampleRate: 1, Confidence: 0.999_999}
	b := booksOf(e, rule, func(instance string) []*record.Series {
		var out []*record.Series
		for _, s := range e.timers(instance, c.rule.Web) {
			counts := &record.Series{Name: s.Name + totalSuffix, Labels: s.Labels, Meta: collector.Meta{Type: collector.Counter, StatsD: s.Meta.StatsD}}
			for _, p := range s.Points {
				if p.Histogram != nil || p.Stale {
					counts.Points = append(counts.Points, record.Point{At: p.At, Value: cumulated(p), Observed: p.Observed, Stale: p.Stale})
				}
			}
			out = append(out, counts)
		}
		return out
	})
	for i := range b.accounts {
		a := &b.accounts[i]
		a.lookAroundTimer(e)
		s := spectrumOf(e.timers(a.life.Instance, c.rule.Web), c.rule.Unit)
		if rate, yes := s.sampled(); yes {
			a.rule.SampleRate, a.sampled = rate, whole(s.arrived)
		}
	}
	return b.explainedBy(e)
}

// counts: a timer has a value for each request.
func (c nesting) counts(a *account, b books, l layers) *verdict.Finding {
	var findings []verdict.Finding
	if a.rule.SampleRate < 1 {
		findings, _ = a.judgeSampled(b)
	} else {
		findings, _ = a.judgeExact(b)
	}
	if len(findings) == 0 {
		return nil
	}
	f := findings[0]
	f.Check = checkNesting
	f.Summary = c.rule.Web + ": " + f.Summary
	few := slices.Contains([]string{diagnose.RateNotSent, diagnose.NotCounted, diagnose.Conditional, diagnose.QueueFull, diagnose.Burst, diagnose.Undecided}, f.Cause)
	if (few || l.web.onBeat()) && f.Lost > 0 && f.Outcome == verdict.Fail {
		c.averaged(&f, l)
	}
	return &f
}

// averaged tells a timer whose client sends the mean of several requests from
// one that sends some of the requests: means have less spread.
func (c nesting) averaged(f *verdict.Finding, l layers) {
	outside := quantile(l.users, 0.95)/quantile(l.users, 0.5) - 1
	inside := l.web.about(0.95)/l.web.about(0.5) - 1
	switch {
	case l.web.onBeat():
		f.RunnerUp = f.Cause
		f.Cause = verdict.CauseAveraged
		f.Summary = fmt.Sprintf("%s: %s acknowledged %s and sent %s, %s in each interval however many requests there were: "+
			"the client sends averages, of which no percentile can be told", c.rule.Web, f.Instance, words.Times(int64(len(l.users)), c.rule.Route),
			words.Times(whole(l.web.n), "value"), words.Number(int64(l.web.steady)))
	case outside < 0.3 || math.IsNaN(inside):
		if f.Cause == diagnose.RateNotSent {
			f.RunnerUp = verdict.CauseAveraged
		}
	case inside < 0.6*outside:
		f.RunnerUp = f.Cause
		f.Cause = verdict.CauseAveraged
		f.Summary = fmt.Sprintf("%s: %s acknowledged %s and sent %s, with much less spread (95th percentile %.2g times the median, users %.2g times): "+
			"the client sends averages, of which no percentile can be told", c.rule.Web, f.Instance, words.Times(int64(len(l.users)), c.rule.Route),
			words.Times(whole(l.web.n), "value"), 1+inside, 1+outside)
	case inside < 0.8*outside && f.RunnerUp == "":
		f.RunnerUp = verdict.CauseAveraged
	}
}

// unseen is how many of the requests may be missing among the values of the web
// timer: what was lost, and what stands there for requests nobody acknowledged.
func unseen(a *account, l layers) float64 {
	n := float64(len(l.users))
	return max(0, n+float64(a.sum())-l.web.n) + l.web.chance(n)
}

// callsCounted: each request calls the database at least once. A SIGKILL may
// take some of the calls.
func (c nesting) callsCounted(a *account, l layers) *verdict.Finding {
	need := l.web.n - float64(a.stalled)
	if c.rule.DB == "" || l.db.n >= need || a.dropped {
		return nil
	}
	for _, s := range []spectrum{l.web, l.db} {
		if _, yes := s.sampled(); yes {
			return nil // the numbers are estimates
		}
	}
	f := c.finding(verdict.Fail, a.life.Instance, "%s has %s of %s for %s of %s: each request calls the database", a.life.Instance,
		words.Times(whole(l.db.n), "value"), c.rule.DB, words.Number(whole(l.web.n)), c.rule.Web)
	f.Layer, f.Lost = verdict.LayerDB, whole(need-l.db.n)
	f.Cause = diagnose.NotCounted
	switch {
	case l.db.n == 0:
		f.Cause = diagnose.NoMetric
	case l.db.n <= 0.55*l.web.n: // a code path that forgets to count is rarely the greater half
		f.Cause = diagnose.RateNotSent
	}
	return &f
}

// compare looks at all percentiles and the means; one finding for each pair of
// layers is enough.
func (c nesting) compare(a *account, l layers) []verdict.Finding {
	var out []verdict.Finding
	var places []string
	slack := c.rule.Slack.Seconds() + clockStep.Seconds()
	n := float64(len(l.users))
	missing := unseen(a, l)
	for _, q := range percentiles {
		outside := quantile(l.users, q)
		if lo, _ := l.web.rank(math.Ceil(q*n) - missing); lo > outside+slack {
			places = append(places, fmt.Sprintf("p%g %s in users' eyes and over %s in its own", 100*q, millis(outside), millis(lo)))
		}
	}
	if l.web.n == n && a.sum() == 0 && l.web.mean() > meanOf(l.users)*(1+1e-9)+slack {
		places = append(places, fmt.Sprintf("mean %s in users' eyes and %s in its own", millis(meanOf(l.users)), millis(l.web.mean())))
	}
	if len(places) > 0 {
		f := c.finding(verdict.Fail, a.life.Instance, "requests of %s took longer inside (%s) than for their users: %s", a.life.Instance, c.rule.Web, strings.Join(places, ", "))
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

func (c nesting) compareDB(a *account, l layers, slack float64) *verdict.Finding {
	var places []string
	missing := float64(a.stalled) + l.db.chance(l.web.n) + l.web.chance(l.web.n)
	for _, q := range percentiles {
		k := math.Ceil(q * l.web.n)
		_, outside := l.web.rank(k)
		if lo, _ := l.db.rank(k - missing); lo > outside+slack {
			places = append(places, fmt.Sprintf("p%g up to %s in the application and over %s in the database", 100*q, millis(outside), millis(lo)))
		}
	}
	if missing == 0 && l.db.n == l.web.n && l.db.mean() > l.web.mean()*(1+1e-9)+slack {
		places = append(places, fmt.Sprintf("mean %s in the application and %s in the database", millis(l.web.mean()), millis(l.db.mean())))
	}
	if len(places) == 0 {
		return nil
	}
	f := c.finding(verdict.Fail, a.life.Instance, "requests of %s took less time (%s) than their calls of the database (%s): %s", a.life.Instance, c.rule.Web, c.rule.DB,
		strings.Join(places, ", "))
	c.unit(&f, l)
	return &f
}

// thousand is by how much a time in the wrong unit is wrong.
const thousand = 1000

// unit tells whether one of the timers would fit if it were in another unit.
func (c nesting) unit(f *verdict.Finding, l layers) {
	f.Cause = verdict.CauseNotNested
	users, web, db := quantile(l.users, 0.5), l.web.about(0.5), l.db.about(0.5)
	slack := c.rule.Slack.Seconds()
	wrong := func(metric, how string) {
		f.Cause = verdict.CauseWrongUnit
		f.Summary += fmt.Sprintf("; %s by 1,000 it would fit: %s is in another unit than it says", how, metric)
	}
	switch {
	case web > 30*users && web/thousand <= users+slack:
		wrong(c.rule.Web, "divided")
	case db > 30*web && db > 30*users && db/thousand <= web+slack:
		wrong(c.rule.DB, "divided")
	case db > 30*web && web*thousand <= users+slack:
		wrong(c.rule.Web, "multiplied")
	}
}

// fewAcks is how many requests a comparison of shapes takes to mean something.
const fewAcks = 100

// suspicious is about a timer that contradicts nothing and yet has the very
// shape of the users' times, a thousand times smaller. An application that is
// that fast is possible, unless its calls of the database are slower than it.
func (c nesting) suspicious(a *account, l layers) *verdict.Finding {
	decided := l.db.n >= fewAcks
	if decided && l.db.about(0.5) <= l.web.about(0.5) || l.web.n < fewAcks || len(l.users) < fewAcks {
		return nil
	}
	for _, q := range percentiles {
		users := quantile(l.users, q)
		lo, hi := l.web.rank(math.Ceil(q * l.web.n))
		if users < thousand*lo || users > 2.5*thousand*hi { // nowhere in the bucket would it fit
			return nil
		}
	}
	f := c.finding(verdict.Inconclusive, a.life.Instance, "%s of %s has the shape of its users' times, a thousand times smaller (medians %s and %s): it may be in another unit than it says; "+
		"a db timer would decide it", c.rule.Web, a.life.Instance, millis(quantile(l.users, 0.5)), millis(l.web.about(0.5)))
	if decided {
		f = c.finding(verdict.Fail, a.life.Instance, "%s of %s has the shape of its users' times, a thousand times smaller (medians %s and %s), and its calls of the database took longer (%s): it is in another unit than it says",
			c.rule.Web, a.life.Instance, millis(quantile(l.users, 0.5)), millis(l.web.about(0.5)), millis(l.db.about(0.5)))
	}
	f.Cause = verdict.CauseWrongUnit
	return &f
}

// summary tells what was compared.
func (c nesting) summary(all layers) verdict.Finding {
	users := spectrumOfTimes(all.users)
	all.web.sort()
	all.db.sort()
	var parts []string
	row := func(name string, of func(spectrum) float64) {
		text := fmt.Sprintf("%s %s, %s", name, millis(of(users)), millis(of(all.web)))
		if c.rule.DB != "" {
			text += ", " + millis(of(all.db))
		}
		parts = append(parts, text)
	}
	for _, q := range percentiles {
		row(fmt.Sprintf("p%g", 100*q), func(s spectrum) float64 { return s.about(q) })
	}
	row("mean", spectrum.mean)
	values := words.Times(whole(all.web.n), "value") + " of " + c.rule.Web
	who := "users, web"
	if c.rule.DB != "" {
		values += fmt.Sprintf(" and %s of %s", words.Number(whole(all.db.n)), c.rule.DB)
		who += ", db"
	}
	return c.finding(verdict.Pass, "", "nesting holds (%s): %s; compared for each of %s, %s with %s; the load balancer is left out: its times are averages over its last 1,024 requests",
		who, strings.Join(parts, "; "), words.Times(int64(all.servers), "instance"), words.Times(int64(len(all.users)), c.rule.Route), values)
}
