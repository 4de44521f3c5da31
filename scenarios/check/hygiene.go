package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"throughline/collector"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkHygiene = "hygiene"

// collectorPrefix begins the names of the collector's own account.
const collectorPrefix = "throughline_collector_"

// hygiene reads the collector's account of what it could not understand or
// take in, and counts series.
type hygiene struct{ rule script.Hygiene }

func (c hygiene) judge(e *evidence) result {
	out := c.wire(e)
	out = append(out, c.collectorFindings(e)...)
	var counts []seriesCount
	most := 0
	for _, l := range e.lives {
		n := c.count(e, l.Instance)
		if n.series == 0 {
			continue
		}
		out = append(out, c.named(e, l.Instance)...)
		if c.rule.MaxSeries > 0 && n.series > c.rule.MaxSeries {
			f := c.finding(Fail, l.Instance, "%s has %s, and the budget is %s; most are of %s", l.Instance, plural(int64(n.series), "series"), number(int64(c.rule.MaxSeries)), n.largest)
			f.Extra, f.Cause = int64(n.series-c.rule.MaxSeries), causeCardinality
			out = append(out, f)
		}
		most = max(most, n.series)
		n.life = l
		counts = append(counts, n)
	}
	out = append(out, c.growth(counts)...)
	switch {
	case len(out) > 0:
	case len(e.polled[collectorPrefix+"truncated_datagrams_total"]) == 0:
		out = append(out, c.finding(Inconclusive, "", "hygiene: the record has no account of the collector, so nobody knows what it could not understand"))
	default:
		out = append(out, c.finding(Pass, "", "hygiene: no bad line, no refused line, no truncated datagram of %s, each with at most %s%s",
			times(int64(len(counts)), "instance"), plural(int64(most), "series"), c.limits()))
	}
	return result{findings: out}
}

func (c hygiene) finding(o Outcome, instance string, format string, args ...any) Finding {
	return Finding{Check: checkHygiene, Outcome: o, Layer: layerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// plural is for words that are their own plural.
func plural(n int64, noun string) string { return number(n) + " " + noun }

func (c hygiene) limits() string {
	var parts []string
	if c.rule.MaxSeries > 0 {
		parts = append(parts, fmt.Sprintf("of a budget of %s", number(int64(c.rule.MaxSeries))))
	}
	if c.rule.Growth != script.AnyGrowth {
		parts = append(parts, fmt.Sprintf("with a growth of at most %d", c.rule.Growth))
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}

// losses are the accounts that must stay at 0, and what they count.
var losses = []struct{ name, what, cause string }{
	{"bad_lines_total", "bad line", causeBadLines},
	{"refused_lines_total", "line that was refused by a limit", causeCardinality},
	{"series_refused_total", "line that would have begun a series too many", causeCardinality}, // older records
	{"truncated_datagrams_total", "truncated datagram", causeTruncated},
}

// wire reads the account of what came over the wire, instance by instance.
func (c hygiene) wire(e *evidence) []Finding {
	var out []Finding
	killed := map[string]bool{}
	for _, l := range e.lives {
		killed[l.Instance] = l.Killed()
	}
	for _, loss := range losses {
		sums := map[string]int64{}
		reasons := map[string][]string{}
		for _, s := range e.polled[collectorPrefix+loss.name] {
			value, _, _ := lastOf(s)
			n := whole(value)
			if n == 0 {
				continue
			}
			instance := s.Labels.Get(labelInstance)
			sums[instance] += n
			if reason := s.Labels.Get("reason"); reason != "" {
				reasons[instance] = append(reasons[instance], fmt.Sprintf("%s %s", number(n), reason))
			}
		}
		for instance, n := range sums {
			if loss.cause == causeTruncated && killed[instance] && n == 1 {
				continue // a stream that a SIGKILL broke off
			}
			who := instance
			if who == "" {
				who = "somebody"
			}
			f := c.finding(Fail, instance, "%s sent %s", who, counted(n, loss.what))
			if why := reasons[instance]; len(why) > 0 {
				slices.Sort(why)
				f.Summary += " (" + some(why) + ")"
			}
			f.Summary += ": what was in them is lost"
			f.Lost, f.Cause = n, loss.cause
			out = append(out, f)
		}
	}
	return out
}

// counted writes "1 bad line" and "3 lines that were refused".
func counted(n int64, what string) string {
	noun, rest, more := strings.Cut(what, " that ")
	if more {
		rest = " that " + rest
		if n != 1 {
			rest = strings.Replace(rest, " was ", " were ", 1)
		}
	}
	return times(n, noun) + rest
}

// causeTagsInName: tags in a style that the collector was not told of became part of a name.
const causeTagsInName = "tags-in-name"

// tagsInName is the collector's kind of that.
const tagsInName = "tags_in_name"

// findingCauses names the kinds of the collector's findings as causes.
var findingCauses = map[string]string{"type_change": causeTypeChange, "name_collision": causeCollision, "tag_explosion": causeExplosion, tagsInName: causeTagsInName}

// collectorFindings are what the collector found wrong with names and tags.
func (c hygiene) collectorFindings(e *evidence) []Finding {
	var out []Finding
	for _, s := range e.polled[collectorPrefix+"findings"] {
		value, _, ok := lastOf(s)
		if !ok {
			continue
		}
		kind, metric := s.Labels.Get("kind"), s.Labels.Get("metric")
		f := c.finding(Fail, s.Labels.Get(labelInstance), "the collector found fault with %s: %s, %s", metric, strings.ReplaceAll(kind, "_", " "), times(whole(value), "line"))
		f.Cause = cmp.Or(findingCauses[kind], strings.ReplaceAll(kind, "_", "-")) // the collector may learn more kinds
		switch other, tag := s.Labels.Get("other"), s.Labels.Get("tag"); {
		case kind == tagsInName:
			f.Summary = fmt.Sprintf("the collector found fault with %s: it has tags in its name that became part of it, %s; `stack: {collector: {tags: %s}}` makes them tags", metric, times(whole(value), "line"), other)
		case other != "":
			f.Summary = fmt.Sprintf("the collector found fault with %s: %s with %s, %s", metric, strings.ReplaceAll(kind, "_", " "), other, times(whole(value), "line"))
		case tag != "":
			f.Summary = fmt.Sprintf("the collector found fault with %s: %s of %s, %s", metric, strings.ReplaceAll(kind, "_", " "), tag, times(whole(value), "line"))
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
func (c hygiene) count(e *evidence, instance string) seriesCount {
	by := map[string]int{}
	n := seriesCount{}
	for _, s := range e.pushed[instance] {
		if s.Meta.Type == collector.Counter && strings.HasSuffix(s.Name, sampledSuffix) {
			continue
		}
		n.series++
		metric := s.Meta.StatsD
		by[metric]++
		if by[metric] > by[n.largest] || by[metric] == by[n.largest] && metric < n.largest {
			n.largest = metric
		}
	}
	return n
}

// named finds metrics that are called after their instance: each replacement
// brings new names, and no query finds them all.
func (c hygiene) named(e *evidence, instance string) []Finding {
	var names []string
	for _, metric := range e.metricsOf(instance) {
		for _, part := range strings.FieldsFunc(metric, func(r rune) bool { return r == '.' || r == ':' || r == '/' }) {
			if part == instance || part == strings.ReplaceAll(instance, "-", "_") {
				names = append(names, metric)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	f := c.finding(Fail, instance, "the name of %s is part of %s: an instance belongs into a tag, or each replacement makes a new metric", instance, some(names))
	f.Extra, f.Cause = int64(len(names)), causeRenamed
	return []Finding{f}
}

// growth compares each instance with those that were born before it.
func (c hygiene) growth(counts []seriesCount) []Finding {
	if c.rule.Growth == script.AnyGrowth {
		return nil
	}
	var out []Finding
	for i, n := range counts {
		var before seriesCount
		for _, other := range counts[:i] {
			if other.life.Birth < n.life.Birth && other.series > before.series && !together(other.life, n.life) {
				before = other
			}
		}
		if before.series == 0 || n.series <= before.series+c.rule.Growth {
			continue
		}
		f := c.finding(Fail, n.life.Instance, "%s has %s, and %s before it had %s: a replacement may bring %d more", n.life.Instance, plural(int64(n.series), "series"),
			before.life.Instance, number(int64(before.series)), c.rule.Growth)
		f.Extra, f.Cause = int64(n.series-before.series), causeCardinality
		out = append(out, f)
	}
	return out
}

// together tells whether two instances were started at the same time: neither
// replaces the other.
func together(a, b record.Lifetime) bool { return b.Birth <= a.Ready || a.Ready == record.Never }
