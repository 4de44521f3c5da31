package signals

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkHygiene = "hygiene"

// Hygiene reads the collector's figures of what it could not understand or
// take in, and counts series. 12 lines "page.views:1", without a type, are 12 bad lines, and
// what was in them is lost; an instance with a tag for each of 140 words has 140 series where its
// budget is 40.
type Hygiene struct{ Promise script.Hygiene }

// Judge looks at all instances, or says why it cannot.
func (c Hygiene) Judge(e *evidence.Index) verdict.Result {
	out := c.wire(e)
	out = append(out, c.collectorFindings(e)...)
	out = append(out, c.pushedFindings(e)...)
	var counts []seriesCount
	most := 0
	for _, l := range e.Lives {
		n := c.count(e, l.Instance)
		if n.series == 0 {
			continue
		}
		out = append(out, c.namedAfter(e, l.Instance)...)
		if c.Promise.MaxSeries > 0 && n.series > c.Promise.MaxSeries {
			f := c.finding(verdict.Fail, l.Instance, "%s has %s, and the budget is %s; most are of %s", l.Instance, words.Plural(int64(n.series), "series"), words.Number(int64(c.Promise.MaxSeries)), n.largest)
			f.Extra, f.Cause = int64(n.series-c.Promise.MaxSeries), verdict.CauseCardinality
			out = append(out, f)
		}
		most = max(most, n.series)
		n.life = l
		counts = append(counts, n)
	}
	out = append(out, c.growth(counts)...)
	switch {
	case len(out) > 0:
	case len(e.Polled[record.CollectorPrefix+"truncated_datagrams_total"]) == 0 && len(e.Polled[pushedFigures+"points_total"]) == 0:
		out = append(out, c.finding(verdict.Inconclusive, "", "hygiene: the record has no account of the collector, so nobody knows what it could not understand"))
	default:
		out = append(out, c.finding(verdict.Pass, "", "hygiene: %s of %s, each with at most %s%s",
			nothingLost(e), words.Times(int64(len(counts)), "instance"), words.Plural(int64(most), "series"), c.limits()))
	}
	return verdict.Result{Findings: out}
}

func (c Hygiene) finding(o verdict.Outcome, instance string, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkHygiene, Outcome: o, Layer: record.LayerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

func (c Hygiene) limits() string {
	var parts []string
	if c.Promise.MaxSeries > 0 {
		parts = append(parts, fmt.Sprintf("of a budget of %s", words.Number(int64(c.Promise.MaxSeries))))
	}
	if c.Promise.Growth != script.AnyGrowth {
		parts = append(parts, fmt.Sprintf("with a growth of at most %d", c.Promise.Growth))
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}

// figureLoss is a figure that must stay at 0: what it counts, and what became of that.
type figureLoss struct{ name, what, cause, fate string }

// losses are those of StatsD; of OTLP there are pushedLosses.
var losses = []figureLoss{
	{"bad_lines_total", "bad line", diagnose.BadLines, ""},
	{"refused_lines_total", "line", verdict.CauseCardinality, "was refused by a limit"},
	{"series_refused_total", "line", verdict.CauseCardinality, "would have begun a series too many"}, // older records
	{"truncated_datagrams_total", "truncated datagram", diagnose.Truncated, ""},
}

// nothingLost says what there was none of.
func nothingLost(e *evidence.Index) string {
	var none []string
	if len(e.Polled[record.CollectorPrefix+"truncated_datagrams_total"]) > 0 {
		none = append(none, "no bad line, no refused line, no truncated datagram")
	}
	if len(e.Polled[pushedFigures+"points_total"]) > 0 {
		none = append(none, "no bad request and no refused point of OTLP")
	}
	return strings.Join(none, ", ")
}

// wire reads the figures of what came over the wire, instance by instance.
func (c Hygiene) wire(e *evidence.Index) []verdict.Finding {
	var out []verdict.Finding
	killed := map[string]bool{}
	for _, l := range e.Lives {
		killed[l.Instance] = l.Killed()
	}
	for _, loss := range slices.Concat(losses, pushedLosses) {
		sums := map[string]int64{}
		reasons := map[string][]string{}
		for _, s := range e.Polled[record.CollectorPrefix+loss.name] {
			value, _, _ := evidence.LastOf(s)
			n := evidence.Whole(value)
			if n == 0 {
				continue
			}
			instance := s.Labels.Get(evidence.LabelInstance)
			sums[instance] += n
			if reason := s.Labels.Get("reason"); reason != "" {
				reasons[instance] = append(reasons[instance], fmt.Sprintf("%s %s", words.Number(n), reason))
			}
		}
		for instance, n := range sums {
			if loss.cause == diagnose.Truncated && killed[instance] && n == 1 {
				continue // a stream that a SIGKILL broke off
			}
			who := instance
			if who == "" {
				who = "somebody"
			}
			f := c.finding(verdict.Fail, instance, "%s sent %s", who, loss.counted(n))
			if why := reasons[instance]; len(why) > 0 {
				slices.Sort(why)
				f.Summary += " (" + words.Some(why) + ")"
			}
			f.Summary += ": what was in them is lost"
			f.Lost, f.Cause = n, loss.cause
			out = append(out, f)
		}
	}
	return out
}

// counted writes "1 bad line" and "3 lines that were refused".
func (l figureLoss) counted(n int64) string {
	noun, of, _ := strings.Cut(l.what, " of ")
	out := words.Times(n, noun)
	if of != "" {
		out += " of " + of
	}
	if l.fate == "" {
		return out
	}
	if fate, was := strings.CutPrefix(l.fate, "was "); was && n != 1 {
		return out + " that were " + fate
	}
	return out + " that " + l.fate
}

// tagsInName is the kind of finding that the collector makes of "page.views,env=prod".
const tagsInName = "tags_in_name"

// findingCauses names the kinds of the collector's findings as causes.
var findingCauses = map[string]string{"type_change": verdict.CauseTypeChange, "name_collision": verdict.CauseCollision, "tag_explosion": verdict.CauseExplosion, tagsInName: verdict.CauseTagsInName}

// collectorFindings are what the collector found wrong with names and tags.
func (c Hygiene) collectorFindings(e *evidence.Index) []verdict.Finding {
	var out []verdict.Finding
	for _, s := range e.Polled[record.CollectorPrefix+"findings"] {
		value, _, ok := evidence.LastOf(s)
		if !ok {
			continue
		}
		kind, metric := s.Labels.Get("kind"), s.Labels.Get("metric")
		f := c.finding(verdict.Fail, s.Labels.Get(evidence.LabelInstance), "the collector found fault with %s: %s, %s", metric, strings.ReplaceAll(kind, "_", " "), words.Times(evidence.Whole(value), "line"))
		f.Cause = cmp.Or(findingCauses[kind], strings.ReplaceAll(kind, "_", "-")) // the collector may learn more kinds
		switch other, tag := s.Labels.Get("other"), s.Labels.Get("tag"); {
		case kind == tagsInName:
			f.Summary = fmt.Sprintf("the collector found fault with %s: it has tags in its name that became part of it, %s; `stack: {collector: {tags: %s}}` makes them tags", metric, words.Times(evidence.Whole(value), "line"), other)
		case other != "":
			f.Summary = fmt.Sprintf("the collector found fault with %s: %s with %s, %s", metric, strings.ReplaceAll(kind, "_", " "), other, words.Times(evidence.Whole(value), "line"))
		case tag != "":
			f.Summary = fmt.Sprintf("the collector found fault with %s: %s of %s, %s", metric, strings.ReplaceAll(kind, "_", " "), tag, words.Times(evidence.Whole(value), "line"))
		}
		out = append(out, f)
	}
	return out
}

// seriesCount is how many series an instance has, and the metric with most.
type seriesCount struct {
	life    record.Lifetime
	series  int
	largest string
}

// count leaves out what the collector itself puts beside sampled counters.
func (c Hygiene) count(e *evidence.Index, instance string) seriesCount {
	by := map[string]int{}
	n := seriesCount{}
	for _, s := range e.Pushed[instance] {
		if s.CountsSampled() {
			continue
		}
		n.series++
		metric := s.Meta.Sent
		by[metric]++
		if by[metric] > by[n.largest] || by[metric] == by[n.largest] && metric < n.largest {
			n.largest = metric
		}
	}
	return n
}

// namedAfter finds metrics that are called after their instance: each replacement
// brings new names, and no query finds them all.
func (c Hygiene) namedAfter(e *evidence.Index, instance string) []verdict.Finding {
	var names []string
	for _, metric := range metricsOf(e, instance) {
		for _, part := range strings.FieldsFunc(metric, func(r rune) bool { return r == '.' || r == ':' || r == '/' }) {
			if part == instance || part == strings.ReplaceAll(instance, "-", "_") {
				names = append(names, metric)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	f := c.finding(verdict.Fail, instance, "the name of %s is part of %s: an instance belongs into a tag, or each replacement makes a new metric", instance, words.Some(names))
	f.Extra, f.Cause = int64(len(names)), diagnose.Renamed
	return []verdict.Finding{f}
}

// growth compares each instance with those that were born before it.
func (c Hygiene) growth(counts []seriesCount) []verdict.Finding {
	if c.Promise.Growth == script.AnyGrowth {
		return nil
	}
	var out []verdict.Finding
	for i, n := range counts {
		var before seriesCount
		for _, other := range counts[:i] {
			if other.life.Birth < n.life.Birth && other.series > before.series && !bornTogether(other.life, n.life) {
				before = other
			}
		}
		if before.series == 0 || n.series <= before.series+c.Promise.Growth {
			continue
		}
		f := c.finding(verdict.Fail, n.life.Instance, "%s has %s, and %s before it had %s: a replacement may bring %d more", n.life.Instance, words.Plural(int64(n.series), "series"),
			before.life.Instance, words.Number(int64(before.series)), c.Promise.Growth)
		f.Extra, f.Cause = int64(n.series-before.series), verdict.CauseCardinality
		out = append(out, f)
	}
	return out
}

// bornTogether tells whether two instances were started at the same time: neither
// replaces the other.
func bornTogether(a, b record.Lifetime) bool { return b.Birth <= a.Ready || a.Ready == record.Never }

// metricsOf lists the StatsD names that an instance sent.
func metricsOf(e *evidence.Index, instance string) []string {
	var names []string
	for _, s := range e.Pushed[instance] {
		names = append(names, s.Meta.Sent)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
