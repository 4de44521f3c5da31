package check

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/record"
)

// probeEvery is how often HAProxy asks each instance whether it can serve, in every stack.
const probeEvery = 200 * time.Millisecond

// explain asks for the causes of what is open in any of the accounts.
func (b *books) explain(e *evidence) []diagnose.Diagnosis {
	c := diagnose.Case{Metric: b.rule.Metric, Route: b.rule.Route, Window: b.rule.ClientWindow, Interval: e.interval, Probe: probeEvery, Outages: e.outages()}
	beside := e.beside(b.rule.Route)
	bad, cut, datagrams := e.ownByInstance("bad_lines_total"), e.ownByInstance("truncated_datagrams_total"), e.ownByInstance("datagrams_total")
	short := e.ownByInstance("bad_lines_total", dogstatsd.NoValue.String(), dogstatsd.NoType.String())
	twins, kin := b.twins(e), b.kin(e)
	for i := range b.accounts {
		a := &b.accounts[i]
		in := a.life.Instance
		d := diagnose.Account{Instance: in, Life: a.life, Killed: a.killed, Acked: a.acked, Total: a.total, Rate: a.rule.SampleRate, Open: a.open(len(b.accounts)),
			Buffer: max(a.buffer, a.stalled), Early: a.early, Spare: a.sum(), Late: a.late.by > 0 && !a.late.excused, Beside: beside[in], Twin: twins[i], Kin: kin[in],
			Parts: a.parts, Sampled: a.sampled, Also: string(a.also), Bad: bad[in], Short: short[in], Cut: cut[in],
			Lines: a.lines, Datagrams: datagrams[in]}
		if a.dropped {
			d.Open = 0 // nobody knows what the socket took
		}
		if a.total == 0 {
			d.Alias, d.AliasCount = a.alias(*b)
		}
		a.lay(e, &d)
		c.Accounts = append(c.Accounts, d)
	}
	return diagnose.Explain(c)
}

// diagnosis is the likely cause of what is open in an account.
func (b *books) diagnosis(a *account) diagnose.Diagnosis {
	all := b.explained()
	for i := range b.accounts {
		if b.accounts[i].life.Instance == a.life.Instance {
			return all[i]
		}
	}
	return diagnose.Diagnosis{Cause: diagnose.Undecided}
}

// holding is why counts of an account that came late were held: what its own loss says, or
// else what others say whose client still held some at the end. The zero Diagnosis: nobody
// lost anything that tells.
func (b *books) holding(a *account) diagnose.Diagnosis {
	if d := b.diagnosis(a); d.Cause != "" {
		return d
	}
	for _, d := range b.explained() {
		if d.Cause == diagnose.StillHeld || slices.Contains(d.Possible, diagnose.StillHeld) {
			return d
		}
	}
	return diagnose.Diagnosis{}
}

// clockGrace is how much longer than its window a client may hold a count by its own timers.
func clockGrace(window time.Duration) time.Duration { return 50*time.Millisecond + window/10 }

// lay gives the diagnosis the account's curves.
func (a *account) lay(e *evidence, d *diagnose.Account) {
	spoke := map[time.Duration]bool{}
	for _, s := range a.others {
		if s.Meta.StatsD == a.rule.Metric {
			continue
		}
		d.Others = true
		for _, p := range s.Points {
			if !p.Stale && p.Observed > 0 {
				spoke[p.At] = true
			}
		}
	}
	for k, t := range a.ticks {
		since := e.heldSince(d.Instance, t, a.rule.ClientWindow+clockGrace(a.rule.ClientWindow))
		stall, flush := e.delays(since-time.Second, t)
		since -= max(stall, flush, a.slowed)
		if k == len(a.ticks)-1 && a.killed == record.Never {
			since = forever // clients had their time to flush
		}
		d.Ticks = append(d.Ticks, t)
		d.Since = append(d.Since, since)
		d.Counted = append(d.Counted, a.counted.upTo(t))
		d.Sent = append(d.Sent, e.sentUpTo(d.Instance, a.rule.Route, t))
		d.Spoke = append(d.Spoke, spoke[t])
	}
}

// open is what nothing explains in an account: lost if positive, too many if negative.
func (a *account) open(instances int) int64 {
	if a.rule.SampleRate < 1 {
		if s := a.sampling(instances); !s.fits {
			return int64(len(a.acked)) - a.total
		}
		return 0
	}
	switch k := a.book(); {
	case k.extra > 0:
		return -k.unexplained
	case a.early == 0 && a.life.Killed() && k.lost <= a.stalled:
		return 0
	default:
		return k.unexplained
	}
}

// beside are the other things that instances answered, by instance: requests of other
// routes, and failures.
func (e *evidence) beside(route string) map[string][]diagnose.Stream {
	at := map[string]map[string]*diagnose.Stream{}
	add := func(instance, what string, failed bool, times ...time.Duration) {
		if at[instance] == nil {
			at[instance] = map[string]*diagnose.Stream{}
		}
		s := at[instance][what]
		if s == nil {
			s = &diagnose.Stream{What: what, Failed: failed}
			at[instance][what] = s
		}
		s.At = append(s.At, times...)
	}
	for key, acked := range e.users.ackedAt {
		if key.route != route {
			add(key.instance, key.route, false, acked...)
		}
	}
	for _, s := range e.users.spans {
		if s.failed {
			add(s.key.instance, s.key.route+" not answered with 2xx", true, s.done)
		}
	}
	out := map[string][]diagnose.Stream{}
	for instance, streams := range at {
		for _, s := range streams {
			slices.Sort(s.At)
			out[instance] = append(out[instance], *s)
		}
		slices.SortFunc(out[instance], func(a, b diagnose.Stream) int { return cmp.Compare(a.What, b.What) })
	}
	return out
}

// ownByInstance is one figure of the collector's own account, by instance: all of it, or what
// it gives one of some reasons for.
func (e *evidence) ownByInstance(name string, reasons ...string) map[string]int64 {
	out := map[string]int64{}
	for _, s := range e.polled[collectorPrefix+name] {
		if len(reasons) > 0 && !slices.Contains(reasons, s.Labels.Get("reason")) {
			continue
		}
		if value, _, ok := lastOf(s); ok {
			out[s.Labels.Get(labelInstance)] += whole(value)
		}
	}
	return out
}

// twins finds the other metric that has a value for each of the same requests: what the
// scenario names, or else a timer that is called after the metric, or whose number agrees
// at each instance with what was acknowledged or with what was counted.
func (b *books) twins(e *evidence) []diagnose.Twin {
	out := make([]diagnose.Twin, len(b.accounts))
	known := false
	for i := range b.accounts {
		if t := b.accounts[i].twin; t.n >= 0 {
			known = true
			out[i] = diagnose.Twin{Kind: t.kind, N: t.n}
		}
	}
	if known {
		return out
	}
	var names []string
	for i := range b.accounts {
		for _, s := range b.accounts[i].others {
			if s.Meta.Type == collector.Summary && s.Meta.StatsD != b.rule.Metric && !slices.Contains(names, s.Meta.StatsD) {
				names = append(names, s.Meta.StatsD)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if n, fits := b.twinOf(e, name); fits {
			for i := range out {
				out[i] = diagnose.Twin{Kind: "timer", N: n[i]}
			}
			return out
		}
	}
	return out
}

// twinOf counts the values of a timer at each instance, and tells whether they are of the
// same requests.
func (b *books) twinOf(e *evidence, timer string) (counts []int64, fits bool) {
	fits = true
	compared := 0
	named := strings.HasPrefix(timer, b.rule.Metric)
	for i := range b.accounts {
		a := &b.accounts[i]
		s := spectrumOf(e.timers(a.life.Instance, timer), 1)
		if _, sampled := s.sampled(); sampled {
			return nil, false
		}
		n := whole(s.n)
		counts = append(counts, n)
		slack := a.sum() + max(a.buffer, a.stalled)
		if len(a.acked) < 20 {
			continue
		}
		compared++
		fits = fits && (named && n > 0 || abs(n-int64(len(a.acked))) <= slack || abs(n-a.total) <= slack)
	}
	return counts, fits && compared > 0
}

// kin finds the counters of other routes: those that are called like the metric, with the
// other route's name for its own. One that counts more than was answered counts something
// else, and tells nothing.
func (b *books) kin(e *evidence) map[string][]diagnose.Kin {
	out := map[string][]diagnose.Kin{}
	if b.rule.Route == "" || !strings.Contains(b.rule.Metric, b.rule.Route) {
		return out
	}
	for _, route := range e.users.routes {
		if route == b.rule.Route {
			continue
		}
		name := strings.ReplaceAll(b.rule.Metric, b.rule.Route, route)
		found, fits := false, true
		all := make([]diagnose.Kin, len(b.accounts))
		for i := range b.accounts {
			in := b.accounts[i].life.Instance
			series := e.counters(in, name)
			all[i] = diagnose.Kin{Acked: e.acked(in, route), Total: whole(sumOf(series).last())}
			found = found || len(series) > 0
			fits = fits && all[i].Total <= int64(len(all[i].Acked))+b.accounts[i].sum()
		}
		for i := range all {
			if in := b.accounts[i].life.Instance; found && fits {
				out[in] = append(out[in], all[i])
			}
		}
	}
	return out
}

// outages are the times in which the collector was away: where its own figure of how long
// that was changes, an absence of that length had ended.
func (e *evidence) outages() []diagnose.Outage {
	var out []diagnose.Outage
	for _, s := range e.polled[collectorPrefix+"outage_seconds"] {
		was := 0.0
		for _, p := range s.Points {
			if p.Stale || p.Value == was {
				continue
			}
			if long := time.Duration((p.Value - was) * float64(time.Second)); long > 0 {
				out = append(out, diagnose.Outage{From: p.At - e.interval - long, To: p.At})
			}
			was = p.Value
		}
	}
	return out
}
