package signals

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/account"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/metric"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkIdentity = "identity"

// The other labels that the collector gives to what it receives, its prefix for
// tags of a client that have such a name, and the tag that an instance is told
// beside them in DD_TAGS.
const (
	labelZone      = "zone"
	labelRole      = "role"
	exportedPrefix = "exported_"
)

// Identity asks whether the series of a metric are those that the instances'
// lifetimes and the expected tags make: none missing, none extra, none that
// carries two lifetimes or another instance's tags. Three instances of which one was replaced
// make four series of fullstack.insert; a fifth is a tag that varies, a third is two instances
// that send under one name.
type Identity struct {
	Promise script.Identity
	Window  time.Duration // how long the client buffers
	Rate    float64       // the sample rate, where a conservation check says it
}

// Judge looks at all instances, or says why it cannot.
func (c Identity) Judge(e *evidence.Index) verdict.Result {
	var out []verdict.Finding
	var series, served int
	w := surplusEvidence{
		widths: sync.OnceValue(func() account.Allowances { return account.NewAllowances(e, c.Promise.Route) }),
		books: sync.OnceValue(func() account.Books {
			return Continuity{script.Continuity{Metric: c.Promise.Metric, Route: c.Promise.Route}, c.Window, c.Rate}.books(e)
		}),
	}
	for _, l := range e.LivesFor(c.Promise.Route) {
		own := c.series(e, l.Instance)
		series += len(own)
		switch {
		case len(own) == 0 && c.required(e, l):
			served++
			out = append(out, c.missing(e, l))
		case len(own) > 0:
			served++
			out = append(out, c.extra(e, l, own)...)
		}
		bare, _ := beforeTags(e, own)
		for _, s := range own {
			if s != bare { // which has none but those that the other one has, and was told of already
				out = append(out, c.tags(e, l, s)...)
			}
			out = append(out, c.outside(e, l, s)...)
			falls := c.resets(e, l, s, w)
			if len(falls) > 0 && s.Scraped() {
				b := w.books()
				falls = alternating(e, &b, slices.IndexFunc(b.Accounts, func(a account.Account) bool { return a.Life.Instance == l.Instance }), falls)
			}
			out = append(out, falls...)
		}
	}
	for _, instance := range e.Senders() {
		if _, known := e.LifeOf(instance); known || e.Scenario.MetricsFrom != nil || c.toldOf(e, instance, out) {
			continue // what else a server of the user's has is not of this run
		}
		if own := c.series(e, instance); len(own) > 0 {
			out = append(out, c.stranger(instance, own))
			series += len(own)
		}
	}
	switch {
	case len(out) > 0:
	case series == 0:
		out = append(out, c.finding(verdict.Inconclusive, "", "identity of %s: no instance answered a request that had to bring a series, so nothing was looked at", c.Promise.Metric))
	default:
		out = append(out, c.finding(verdict.Pass, "", "identity of %s: %s for %s, each its own, with %s, from birth to death", c.Promise.Metric, words.Plural(int64(series), "series"), words.Times(int64(served), "instance"), c.expected()))
	}
	return verdict.Result{Findings: out}
}

func (c Identity) finding(o verdict.Outcome, instance string, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkIdentity, Outcome: o, Layer: record.LayerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// series gives what an instance sent of the metric, without the companions of
// sampled counters.
func (c Identity) series(e *evidence.Index, instance string) []*record.Series {
	var out []*record.Series
	for _, s := range e.SeriesOf(instance, c.Promise.Metric) {
		if !s.CountsSampled() && measured(s) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *record.Series) int { return strings.Compare(a.Labels.Key(a.Name), b.Labels.Key(b.Name)) })
	return out
}

func measured(s *record.Series) bool {
	return slices.ContainsFunc(s.Points, func(p record.Point) bool { return p.Observed > 0 })
}

func (c Identity) routes() []string {
	if c.Promise.Route == "" {
		return nil
	}
	return []string{c.Promise.Route}
}

// required tells whether an instance must have the series: it acknowledged a
// request so early that its client has sent, and so many that sampling cannot
// have left out all of them.
func (c Identity) required(e *evidence.Index, l record.Lifetime) bool {
	n := sentFor(e, l, e.CutAt(l, c.Promise.Metric, c.Promise.Route), c.Window, c.routes()...)
	return n > 0 && n >= enough(c.Rate)
}

// sentFor counts the acknowledged requests of which an instance's client must
// have sent what it knows; at is when an end cut it off, or Never.
func sentFor(e *evidence.Index, l record.Lifetime, at, window time.Duration, routes ...string) int64 {
	acked := e.Acked(l.Instance, routes...)
	if at != record.Never {
		return evidence.CountUpTo(acked, e.HeldSince(l.Instance, at, window)-e.Stall(at-time.Second, at+time.Second)-1)
	}
	return evidence.CountUpTo(acked, max(e.LastTick(), e.End)-window) // of the others the record may end too early
}

// enough is how many requests leave a trace although each is left out with
// probability 1 - rate: all are, less often than once in a million.
func enough(rate float64) int64 {
	if rate <= 0 || rate >= 1 {
		return 1
	}
	return int64(13.8/rate) + 1 // (1-p)^n < e^(-pn) = 10^-6
}

func (c Identity) missing(e *evidence.Index, l record.Lifetime) verdict.Finding {
	n := int64(len(e.Acked(l.Instance, c.routes()...)))
	f := c.finding(verdict.Fail, l.Instance, "%s acknowledged %s and has no series of %s", l.Instance, words.Times(n, cmp.Or(c.Promise.Route, "request")), c.Promise.Metric)
	switch {
	case e.DroppedOf(l.Instance, c.Promise.Metric):
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary += ", but the collector's socket dropped datagrams: it may have been lost there"
	case len(e.Overwritten(c.Promise.Metric, l.Instance)) > 0:
		f.Cause = diagnose.Honored
		f.Summary += fmt.Sprintf(": its scrapes were good, and what they brought says that it is %s, which won over its own label", words.Some(e.Overwritten(c.Promise.Metric, l.Instance)))
	case e.Neglected(l):
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
		f.Summary += ", and the server asked it less than half as often as it does, and never well"
	case len(e.Pushed[l.Instance]) == 0:
		f.Cause = diagnose.NoMetric
		f.Summary += ": nothing at all arrived from it"
	default:
		f.Cause, f.RunnerUp = diagnose.NoMetric, diagnose.Renamed
		names := metricsOf(e, l.Instance)
		if own := c.similarNames(e, l, names); len(own) > 0 {
			f.Cause, f.RunnerUp, names = diagnose.Renamed, "", own
		}
		f.Summary += fmt.Sprintf(": it sent %s instead", words.Some(names))
	}
	return f
}

// similarNames gives the metrics of an instance that are called like the one that is
// missing, and that no other instance sends.
func (c Identity) similarNames(e *evidence.Index, l record.Lifetime, names []string) []string {
	var own []string
	for _, name := range names {
		if !strings.HasPrefix(name, c.Promise.Metric.Name()) {
			continue
		}
		shared := slices.ContainsFunc(e.Lives, func(other record.Lifetime) bool {
			return other.Instance != l.Instance && slices.Contains(metricsOf(e, other.Instance), name)
		})
		if !shared {
			own = append(own, name)
		}
	}
	return own
}

// extra complains about all series of an instance but one.
func (c Identity) extra(e *evidence.Index, l record.Lifetime, own []*record.Series) []verdict.Finding {
	if len(own) == 1 {
		return nil
	}
	if bare, full := beforeTags(e, own); bare != nil {
		return []verdict.Finding{c.early(l, bare, full)}
	}
	var which []string
	for _, s := range own {
		which = append(which, labelled(s))
	}
	f := c.finding(verdict.Fail, l.Instance, "%s has %d series of %s instead of one: %s", l.Instance, len(own), c.Promise.Metric, words.Some(which))
	f.Extra = int64(len(own) - 1)
	f.Cause = verdict.CauseTagsVary
	return []verdict.Finding{f}
}

// labelled writes a series as PromQL has it, without the instance.
func labelled(s *record.Series) string {
	var parts []string
	for _, l := range s.Labels {
		if l.Name != evidence.LabelInstance {
			parts = append(parts, fmt.Sprintf("%s=%q", l.Name, l.Value))
		}
	}
	return s.Name + "{" + strings.Join(parts, ",") + "}"
}

// toldOf tells whether it has been said already that a series is of others who are stored under this name.
func (c Identity) toldOf(e *evidence.Index, instance string, said []verdict.Finding) bool {
	return slices.ContainsFunc(said, func(f verdict.Finding) bool {
		return f.Cause == diagnose.Honored && slices.Contains(e.Overwritten(c.Promise.Metric, f.Instance), instance)
	})
}

func (c Identity) stranger(instance string, own []*record.Series) verdict.Finding {
	who := fmt.Sprintf("%q, which is no web instance of this run", instance)
	if instance == "" {
		who = "nobody: it carries no instance, so that all who send it are merged"
	}
	f := c.finding(verdict.Fail, instance, "%s has a series of %s", c.Promise.Metric, who)
	f.Extra = int64(len(own))
	f.Cause = verdict.CauseMerged
	return f
}

func (c Identity) expected() string {
	if len(c.Promise.Tags) == 0 {
		return "no tags"
	}
	return "the tags " + strings.Join(c.Promise.Tags, ", ")
}

// tags compares the labels of a series with what is expected: of the tags that
// the harness gave away itself, also the values.
func (c Identity) tags(e *evidence.Index, l record.Lifetime, s *record.Series) []verdict.Finding {
	var out []verdict.Finding
	allowed := map[string]bool{evidence.LabelInstance: true, labelZone: true, labelRole: true, record.LabelVersion: l.Version != "", collector.LabelWay: true}
	for _, c := range c.Promise.Metric.Selection().Where {
		allowed[metric.Label(c.Label)] = true // it was asked for
	}
	for _, tag := range c.Promise.Tags {
		name := metric.Label(tag)
		allowed[name] = true
		if s.Labels.Get(name) == "" {
			f := c.finding(verdict.Fail, l.Instance, "the series of %s has no tag %s: %s", l.Instance, tag, labelled(s))
			f.Cause = verdict.CauseTagsMissing
			out = append(out, f)
		}
	}
	for _, label := range s.Labels {
		name, exported := strings.CutPrefix(label.Name, exportedPrefix)
		switch own := s.Labels.Get(name); {
		case exported && own != "" && own != label.Value:
			out = append(out, c.disagrees(e, l, name, label.Value, own))
		case exported && own != "" || allowed[label.Name] || e.OfServer(l.Instance, label):
		default:
			f := c.finding(verdict.Fail, l.Instance, "the series of %s has a tag that nobody expects: %s", l.Instance, labelled(s))
			f.Cause = verdict.CauseTagsVary
			return append(out, f)
		}
	}
	return out
}

// disagrees is about a client that says of itself what is not true.
func (c Identity) disagrees(e *evidence.Index, l record.Lifetime, name, claimed, own string) verdict.Finding {
	f := c.finding(verdict.Fail, l.Instance, "what %s sends says %s:%s, and it is %s:%s", l.Instance, name, claimed, name, own)
	f.Cause = verdict.CauseForeignTags
	for _, other := range e.Lives {
		if name == evidence.LabelInstance && other.Instance == claimed {
			f.Summary += fmt.Sprintf(": it carries the tags of %s", claimed)
			if other.Death != record.Never && other.Death <= l.Ready {
				f.Summary += fmt.Sprintf(", which died at %s", words.Seconds(other.Death))
			}
		}
	}
	return f
}

// outside finds measurements from before the birth or after the death. Values
// that are only carried on are continuity's to judge.
func (c Identity) outside(e *evidence.Index, l record.Lifetime, s *record.Series) []verdict.Finding {
	var early, late int64
	first, last := record.Never, record.Never
	for _, p := range s.Points {
		switch {
		case !p.Measured():
		case l.Birth != record.Never && p.At <= l.Birth:
			early++
			if first == record.Never {
				first = p.At
			}
		case l.Death != record.Never && p.At > e.Quiet(l)+deadGrace*e.Interval:
			late++
			last = p.At
		}
	}
	var out []verdict.Finding
	add := func(f verdict.Finding, from, to time.Duration) {
		f.From, f.To, f.Cause = from.Seconds(), to.Seconds(), verdict.CauseMerged
		if e.ClockSteps() {
			f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseClock
			f.Summary += ", but the clock was set in this run"
		}
		out = append(out, f)
	}
	if early > 0 {
		add(c.finding(verdict.Fail, l.Instance, "the series of %s has %s from before its birth at %s, the first at %s: somebody else's are in it", l.Instance,
			words.Times(early, "measured point"), words.Seconds(l.Birth), words.Seconds(first)), first, l.Birth)
	}
	if late > 0 {
		add(c.finding(verdict.Fail, l.Instance, "the series of %s has %s after its death at %s, the last at %s: it carries somebody else's lifetime too", l.Instance,
			words.Times(late, "measured point"), words.Seconds(l.Death), words.Seconds(last)), l.Death, last)
	}
	return out
}
