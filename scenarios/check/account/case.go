package account

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/metric"
	"throughline/scenarios/record"
)

// probeEvery is how often HAProxy asks each instance whether it can serve, in every stack.
const probeEvery = 200 * time.Millisecond

// probing is how often somebody who is no user is known to ask an instance whether it can serve; 0: nobody knows.
func probing(e *evidence.Index) time.Duration {
	if e.Scenario.Stack.External != nil {
		return 0
	}
	return probeEvery
}

// explain asks for the causes of what is open in any of the accounts.
func (b *Books) explain(e *evidence.Index) []diagnose.Diagnosis {
	window := b.Promise.ClientWindow + e.Scenario.Stack.Agent.Late()
	c := diagnose.Case{Metric: string(b.Promise.Metric), Route: b.Promise.Route, Window: window, Interval: e.Interval, Probe: probing(e), Outages: outages(e)}
	others := otherAnswers(e, b.Promise.Route)
	bad, cut, datagrams := figureByInstance(e, "bad_lines_total"), figureByInstance(e, "truncated_datagrams_total"), figureByInstance(e, "datagrams_total")
	short := figureByInstance(e, "bad_lines_total", dogstatsd.NoValue.String(), dogstatsd.NoType.String())
	if c.NoLines = !e.OnStatsD(b.Promise.Metric); c.NoLines {
		// what else an instance sends over StatsD says nothing of it
		bad, cut, short, datagrams = nil, nil, nil, figureByInstance(e, "otlp_requests_total")
	}
	twins, kin := b.twins(e), b.sisterCounters(e)
	known := make([]diagnose.Diagnosis, len(b.Accounts)) // what the record states
	for i := range b.Accounts {
		a := &b.Accounts[i]
		in := a.Life.Instance
		c.Scraped = c.Scraped || a.Scraped
		d := diagnose.Account{Instance: in, Life: a.Life, Killed: a.killed, Acked: a.Acked, Total: a.Total, Rate: a.Promise.SampleRate, Open: a.unexplained(len(b.Accounts)),
			Buffer: max(a.Buffer, a.Stalled), Early: a.Early, Spare: a.Sum(), Late: a.Late.By > 0 && !a.Late.Excused, Beside: others[in], Twin: twins[i], Kin: kin[in],
			Parts: a.parts, Sampled: a.Sampled, Also: string(a.otherType), Bad: bad[in], Short: short[in], Cut: cut[in], Datagrams: datagrams[in]}
		if !c.NoLines {
			d.Lines = evidence.Whole(a.values.Last())
		}
		if a.Dropped {
			d.Open = 0 // nobody knows what the socket took
		}
		if known[i] = a.outright(e, d.Open); known[i].Cause != "" {
			d.Open = 0
		}
		if a.Total == 0 {
			d.Alias, d.AliasCount = a.alias(*b)
		}
		a.fillCurves(e, &d, c.NoLines)
		c.Accounts = append(c.Accounts, d)
	}
	b.lostWithAgents(c, known)
	b.pushedWrongly(e, c, known)
	all := diagnose.Explain(c)
	for i, d := range known {
		if d.Cause != "" {
			all[i] = d
		}
	}
	return all
}

// lostWithAgents puts what ends of agents explain beside what is known, and leaves nothing open of it.
func (b *Books) lostWithAgents(c diagnose.Case, known []diagnose.Diagnosis) {
	untouched := 0 // who lacks some although no agent ended
	for i := range b.Accounts {
		if a := &b.Accounts[i]; c.Accounts[i].Open > 0 && len(a.agency.ends)+len(a.agency.with) == 0 {
			untouched++
		}
	}
	for i := range b.Accounts {
		if c.Accounts[i].Open <= 0 {
			continue
		}
		if d, is := b.Accounts[i].agentLost(untouched); is {
			known[i], c.Accounts[i].Open = d, 0
		}
	}
}

// Diagnosis is the likely cause of what is open in an account.
func (b *Books) Diagnosis(a *Account) diagnose.Diagnosis {
	all := b.Explained()
	for i := range b.Accounts {
		if b.Accounts[i].Life.Instance == a.Life.Instance {
			return all[i]
		}
	}
	return diagnose.Diagnosis{Cause: diagnose.Undecided}
}

// Holding is why counts of an account that came late were held: what its own loss says, or
// else what others say whose client still held some at the end. The zero Diagnosis: nobody
// lost anything that tells.
func (b *Books) Holding(a *Account) diagnose.Diagnosis {
	if d := b.Diagnosis(a); d.Cause != "" {
		return d
	}
	for _, d := range b.Explained() {
		if d.Cause == diagnose.StillHeld || slices.Contains(d.Possible, diagnose.StillHeld) {
			return d
		}
	}
	return diagnose.Diagnosis{}
}

// clockGrace is how much longer than its window a client may hold a count by its own timers.
func clockGrace(window time.Duration) time.Duration { return 50*time.Millisecond + window/10 }

// fillCurves tells the diagnosis what the account was at each interval end.
func (a *Account) fillCurves(e *evidence.Index, d *diagnose.Account, noLines bool) {
	carrier := "datagrams_total"
	if noLines {
		carrier = "otlp_requests_total"
	}
	datagrams := evidence.SumOf(figureSeries(e, d.Instance, carrier))
	var sources []evidence.Curve // of each listener: a collector that took another's place sees all for the first time
	if !noLines {
		for _, s := range figureSeries(e, d.Instance, "sources_total") {
			sources = append(sources, evidence.SumOf([]*record.Series{s}))
		}
	}
	spoke := map[time.Duration]bool{}
	for _, s := range a.others {
		if e.Is(s, a.Promise.Metric) {
			continue
		}
		d.Others = true
		for _, p := range s.Points {
			if p.Measured() {
				spoke[p.At] = true
			}
		}
	}
	for k, t := range a.ticks {
		since := e.HeldSince(d.Instance, t, a.heldFor+clockGrace(a.heldFor))
		stall, flush := e.Delays(since-time.Second, t)
		since -= max(stall, flush, a.slowed)
		if k == len(a.ticks)-1 && a.killed == record.Never {
			since = evidence.Forever // clients had their time to flush
		}
		d.Ticks = append(d.Ticks, t)
		d.Since = append(d.Since, since)
		d.Counted = append(d.Counted, a.counted.UpTo(t))
		// What the diagnosis adds to it again is not spare before it is sent.
		d.Sent = append(d.Sent, a.possible[k]-a.Sum())
		d.Spoke = append(d.Spoke, spoke[t])
		d.LinesAt = append(d.LinesAt, a.values.UpTo(t))
		d.DatagramsAt = append(d.DatagramsAt, datagrams.UpTo(t))
		if len(sources) > 0 {
			var most float64
			for _, c := range sources {
				most = max(most, c.UpTo(t))
			}
			d.SourcesAt = append(d.SourcesAt, most)
		}
	}
}

// unexplained is what nothing explains in an account: lost if positive, too many if negative.
func (a *Account) unexplained(instances int) int64 {
	if a.Promise.SampleRate < 1 {
		if s := a.Sampling(instances); !s.Fits {
			return int64(len(a.Acked)) - a.Total
		}
		return 0
	}
	switch k := a.Book(); {
	case k.Extra > 0:
		return -k.Unexplained
	case a.Early == 0 && a.Cut() && k.Lost <= a.Stalled:
		return 0
	default:
		return k.Unexplained
	}
}

// otherAnswers are the other things that instances answered, by instance: requests of other
// routes, and failures.
func otherAnswers(e *evidence.Index, route string) map[string][]diagnose.Stream {
	at := map[string]map[string]*diagnose.Stream{}
	add := func(instance, what string, failed bool, times ...time.Duration) *diagnose.Stream {
		if at[instance] == nil {
			at[instance] = map[string]*diagnose.Stream{}
		}
		s := at[instance][what]
		if s == nil {
			s = &diagnose.Stream{What: what, Failed: failed}
			at[instance][what] = s
		}
		s.At = append(s.At, times...)
		return s
	}
	for key, acked := range e.Users.AckedAt {
		if key.Route != route {
			add(key.Instance, key.Route, false, acked...)
		}
	}
	for _, s := range e.Users.Spans {
		if s.Failed {
			failed := add(s.Key.Instance, s.Key.Route+" not answered with 2xx", true, s.Done)
			failed.Begun = append(failed.Begun, s.Sent)
		}
	}
	out := map[string][]diagnose.Stream{}
	for instance, streams := range at {
		for _, s := range streams {
			slices.Sort(s.At)
			slices.Sort(s.Begun)
			out[instance] = append(out[instance], *s)
		}
		slices.SortFunc(out[instance], func(a, b diagnose.Stream) int { return cmp.Compare(a.What, b.What) })
	}
	return out
}

// figureByInstance is one of the collector's figures, by instance: all of it, or what
// it gives one of some reasons for.
func figureByInstance(e *evidence.Index, name string, reasons ...string) map[string]int64 {
	out := map[string]int64{}
	for _, s := range e.Polled[record.CollectorPrefix+name] {
		if len(reasons) > 0 && !slices.Contains(reasons, s.Labels.Get("reason")) {
			continue
		}
		if value, _, ok := evidence.LastOf(s); ok {
			out[s.Labels.Get(evidence.LabelInstance)] += evidence.Whole(value)
		}
	}
	return out
}

// figureSeries are those of a figure that the collector tells itself of what came from an
// instance, one for each listener.
func figureSeries(e *evidence.Index, instance, name string) []*record.Series {
	var of []*record.Series
	for _, s := range e.Polled[record.CollectorPrefix+name] {
		if s.Labels.Get(evidence.LabelInstance) == instance {
			of = append(of, s)
		}
	}
	return of
}

// twins finds the other metric that has a value for each of the same requests: what the
// scenario names, or else a timer that is called after the metric, or whose number agrees
// at each instance with what was acknowledged or with what was counted.
func (b *Books) twins(e *evidence.Index) []diagnose.Twin {
	out := make([]diagnose.Twin, len(b.Accounts))
	known := false
	for i := range b.Accounts {
		if t := b.Accounts[i].twin; t.n >= 0 {
			known = true
			out[i] = b.Accounts[i].twinAs(t)
		}
	}
	if known {
		return out
	}
	var names []string
	for i := range b.Accounts {
		for _, s := range b.Accounts[i].others {
			if s.Meta.Type == collector.Summary && s.Called(b.Promise.Metric.Name()) == record.NotCalled && !slices.Contains(names, s.Meta.Sent) {
				names = append(names, s.Meta.Sent)
			}
		}
	}
	// A timer that is called like the counter is of the same requests; of others it may only seem so.
	slices.SortFunc(names, func(one, other string) int {
		return cmp.Or(first(b.named(one), b.named(other)), strings.Compare(one, other))
	})
	for _, name := range names {
		if n, fits := b.twinOf(e, name); fits {
			for i := range out {
				a := &b.Accounts[i]
				out[i] = a.twinAs(twin{"timer", n[i], valuesOf(e.Timers(a.Life.Instance, metric.Named(name)))})
			}
			return out
		}
	}
	return out
}

// twinAs lays the twin out for the diagnosis: when its values came is told only where they are
// as many as it has.
func (a *Account) twinAs(t twin) diagnose.Twin {
	out := diagnose.Twin{Kind: t.kind, N: t.n}
	if evidence.Whole(t.came.Last()) != t.n {
		return out
	}
	for _, at := range a.ticks {
		out.At = append(out.At, t.came.UpTo(at))
	}
	return out
}

// first compares for an order in which what is so comes before what is not.
func first(one, other bool) int {
	switch {
	case one == other:
		return 0
	case one:
		return -1
	}
	return 1
}

// named tells whether a timer is called like the metric. What is told apart by labels is some of what is called so.
func (b *Books) named(timer string) bool {
	of := b.Promise.Metric.Selection()
	return len(of.Where) == 0 && strings.HasPrefix(timer, of.Name)
}

// twinOf counts the values of a timer at each instance, and tells whether they are of the
// same requests.
func (b *Books) twinOf(e *evidence.Index, timer string) (counts []int64, fits bool) {
	fits = true
	compared := 0
	named := b.named(timer)
	for i := range b.Accounts {
		a := &b.Accounts[i]
		s := SpectrumOf(e.Timers(a.Life.Instance, metric.Named(timer)), 1)
		if _, sampled := s.Sampled(); sampled {
			return nil, false
		}
		n := evidence.Whole(s.N)
		counts = append(counts, n)
		slack := a.Sum() + max(a.Buffer, a.Stalled)
		if len(a.Acked) < 20 {
			continue
		}
		compared++
		fits = fits && (named && n > 0 || abs(n-int64(len(a.Acked))) <= slack || abs(n-a.Total) <= slack)
	}
	return counts, fits && compared > 0
}

// sisterCounters finds the counters of other routes: those that are called like the metric, with the
// other route's name for its own. One that counts more than was answered counts something
// else, and tells nothing.
func (b *Books) sisterCounters(e *evidence.Index) map[string][]diagnose.Kin {
	out := map[string][]diagnose.Kin{}
	of := b.Promise.Metric.Selection()
	if b.Promise.Route == "" || len(of.Where) > 0 || !strings.Contains(of.Name, b.Promise.Route) {
		return out
	}
	for _, route := range e.Users.Routes {
		if route == b.Promise.Route {
			continue
		}
		sister := metric.Selection{Name: strings.ReplaceAll(of.Name, b.Promise.Route, route), Way: of.Way}.Ref()
		found, fits := false, true
		all := make([]diagnose.Kin, len(b.Accounts))
		for i := range b.Accounts {
			in := b.Accounts[i].Life.Instance
			series := e.Counters(in, sister)
			all[i] = diagnose.Kin{Acked: e.Acked(in, route), Total: evidence.Whole(evidence.SumOf(series).Last())}
			found = found || len(series) > 0
			fits = fits && all[i].Total <= int64(len(all[i].Acked))+b.Accounts[i].Sum()
		}
		for i := range all {
			if in := b.Accounts[i].Life.Instance; found && fits {
				out[in] = append(out[in], all[i])
			}
		}
	}
	return out
}

// outages are the times in which the collector was away: where its own figure of how long
// that was changes, an absence of that length had ended.
func outages(e *evidence.Index) []diagnose.Outage {
	var out []diagnose.Outage
	for _, s := range e.Polled[record.CollectorPrefix+"outage_seconds"] {
		was := 0.0
		for _, p := range s.Points {
			if p.Stale || p.Value == was {
				continue
			}
			if long := time.Duration((p.Value - was) * float64(time.Second)); long > 0 {
				out = append(out, diagnose.Outage{From: p.At - e.Interval - long, To: p.At})
			}
			was = p.Value
		}
	}
	return out
}
