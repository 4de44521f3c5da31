package honesty

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// hole is a time in which a server should have scraped instances, and did not.
type hole struct {
	from, to time.Duration
	of       []string
	never    bool // from their births to their ends
}

// mostFinding is how long a server may take to find an instance before that is a hole of its own. Prometheus looks for targets once in a
// minute, unless it is told otherwise.
// Source: refresh_interval of http_sd_config in https://prometheus.io/docs/prometheus/latest/configuration/configuration/
const mostFinding = time.Minute

// holes are the times in which a server of the user's (metrics_from) scraped an instance that it should have. It was away, or somebody had it
// scrape less: what is missing then is no application's fault, and what befell the counts meanwhile nobody knows. Of a server that scrapes
// every second and was away from 12 s to 18 s, web-1 to web-3 have no scrape between, which is one hole. A scrape that came and failed is none.
func holes(e *evidence.Index) []verdict.Finding {
	from := e.Scenario.MetricsFrom
	if from == nil {
		return nil
	}
	quiet := max(e.End, 0)
	for _, ev := range e.History.Events {
		if ev.Kind == record.Quiesced {
			quiet = ev.At
		}
	}
	var all []hole
	for _, l := range e.Lives {
		if w, known := e.Scenario.Stack.Role(string(l.Role)); l.Birth == record.Never || !known || w.Metrics.Scrape == "" {
			continue
		}
		all = append(all, holesOf(e, l, quiet, from.Every)...)
	}
	var out []verdict.Finding
	for _, h := range together(all) {
		f := verdict.Finding{Check: CheckHarness, Layer: record.LayerWeb, From: h.from.Seconds(), To: h.to.Seconds()}
		if len(h.of) == 1 {
			f.Instance = h.of[0]
		}
		f.Summary = fmt.Sprintf("%s, which should every %v, did not scrape %s from %s to %s: what is missing of that time is missing there, and proves nothing", from.URL, from.Every,
			words.Some(h.of), words.Seconds(h.from), words.Seconds(h.to))
		if h.never {
			f.Summary = fmt.Sprintf("%s never scraped %s, from birth at %s to %s: what it counted nobody knows; let instances live longer, or have the server find them sooner", from.URL,
				words.Some(h.of), words.Seconds(h.from), words.Seconds(h.to))
		}
		out = append(out, f)
	}
	return out
}

// holesOf are those of one instance. Between two scrapes there may be as long as what was counted may go without one, and half as long as it
// should be, by which a busy server is late.
func holesOf(e *evidence.Index, l record.Lifetime, quiet, every time.Duration) (all []hole) {
	w, _ := e.Scenario.Stack.Role(string(l.Role))
	most := w.Metrics.Unscraped() + every/2
	end := quiet
	for _, at := range []time.Duration{l.Signalled, l.Death} {
		if at != record.Never {
			end = min(end, at)
		}
	}
	last, first := l.Birth, true
	add := func(to time.Duration, allowed time.Duration, never bool) {
		if to-last > allowed {
			all = append(all, hole{last, to, []string{l.Instance}, never})
		}
	}
	for _, s := range e.Scrapes(l.Instance) {
		if s.From > end {
			break
		}
		if first {
			add(s.From, mostFinding+most, false)
		} else {
			add(s.From, most, false)
		}
		last, first = s.From, false
	}
	add(end, most, first)
	return all
}

// together puts holes into one that overlap, and are of one kind.
func together(all []hole) (out []hole) {
	slices.SortStableFunc(all, func(a, b hole) int { return cmp.Compare(a.from, b.from) })
	for _, h := range all {
		k := slices.IndexFunc(out, func(o hole) bool { return o.never == h.never && h.from < o.to })
		if k < 0 {
			out = append(out, h)
			continue
		}
		out[k].to = max(out[k].to, h.to)
		if !slices.Contains(out[k].of, h.of[0]) {
			out[k].of = append(out[k].of, h.of...)
			slices.SortFunc(out[k].of, record.CompareNames)
		}
	}
	return out
}
