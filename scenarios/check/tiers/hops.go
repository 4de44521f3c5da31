package tiers

import (
	"fmt"
	"slices"
	"strings"

	"throughline/collector"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// CheckHops is the name of Hops.
const CheckHops = "hops"

// Hops follows what came to the collector from hop to hop, by its own figures: each
// line that came in was accepted, held or given a named fate, and each value of an
// accepted line stands behind a recorded point. What the sockets lost before is the
// harness's to say, what made no sense or went over a limit is hygiene's. A collector
// that does not add up has lost something itself, and proves nothing. 5,118 lines came in,
// 5,110 were accepted and 8 were bad; of the 5,110 values, 5,110 stand behind points. Were it
// 5,100, ten were lost between its socket and the record.
func Hops(e *evidence.Index) []verdict.Finding {
	all := slices.Concat(hopsOfLines(e), hopsOfPoints(e), hopsOfScrapes(e))
	if len(all) == 0 {
		return []verdict.Finding{{Check: CheckHops, Layer: record.LayerWeb, Summary: "hops: the record has no account of lines that came to the collector, so nobody knows whether it kept them"}}
	}
	return all
}

// hopsOfLines are those of StatsD; nothing where no line came.
func hopsOfLines(e *evidence.Index) []verdict.Finding {
	in := e.CollectorFigure("lines_total")
	if in == 0 {
		return nil
	}
	var fates int64
	var told []string
	for _, fate := range []struct{ name, what string }{
		{"accepted_lines_total", "accepted"}, {"held_lines", "held"}, {"bad_lines_total", "bad"}, {"refused_lines_total", "refused"},
		{"events_total", "events"}, {"service_checks_total", "service checks"},
	} {
		if n := e.CollectorFigure(fate.name); n > 0 {
			fates += n
			told = append(told, fmt.Sprintf("%s %s", words.Number(n), fate.what))
		}
	}
	values, behind := e.CollectorFigure("values_total"), observed(e, collector.ByStatsD)
	f := verdict.Finding{Check: CheckHops, Outcome: verdict.Pass, Layer: record.LayerWeb, Summary: fmt.Sprintf("hops: %s, %s of them dropped by the kernel; %s (%s); %s, %s behind the recorded points",
		words.Times(e.CollectorFigure("datagrams_total"), "datagram"), words.Number(e.CollectorFigure("kernel_drops_total")), words.Times(in, "line"), strings.Join(told, ", "), words.Times(values, "value"), words.Number(behind))}
	if in != fates || values != behind {
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Lost, f.Extra = max(0, in-fates)+max(0, values-behind), max(0, fates-in)+max(0, behind-values)
		f.Summary += ": the collector's own account does not add up"
	}
	return []verdict.Finding{f}
}

// hopsOfPoints are those of what came by OTLP; nothing where none did.
func hopsOfPoints(e *evidence.Index) []verdict.Finding {
	in := e.CollectorFigure("otlp_points_total")
	if in == 0 {
		return nil
	}
	accepted, behind := e.CollectorFigure("otlp_accepted_points_total"), observed(e, collector.ByOTLP)
	fates := accepted
	told := []string{words.Number(accepted) + " counted"}
	for _, fate := range []struct{ name, what string }{
		{"otlp_duplicate_points_total", "sent again"}, {"otlp_late_points_total", "older than one before"}, {"otlp_no_value_points_total", "without a value"}, {"otlp_refused_points_total", "refused"},
	} {
		if n := e.CollectorFigure(fate.name); n > 0 {
			fates += n
			told = append(told, fmt.Sprintf("%s %s", words.Number(n), fate.what))
		}
	}
	f := verdict.Finding{Check: CheckHops, Outcome: verdict.Pass, Layer: record.LayerWeb, Summary: fmt.Sprintf("hops: %s of OTLP, %s (%s), %s behind the recorded ones",
		words.Times(e.CollectorFigure("otlp_requests_total"), "request"), words.Times(in, "point"), strings.Join(told, ", "), words.Number(behind))}
	if in != fates || accepted != behind {
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Lost, f.Extra = max(0, in-fates)+max(0, accepted-behind), max(0, fates-in)+max(0, behind-accepted)
		f.Summary += ": the collector's own account does not add up"
	}
	return []verdict.Finding{f}
}

// hopsOfScrapes tells how many were kept; nothing where nobody was scraped.
func hopsOfScrapes(e *evidence.Index) []verdict.Finding {
	all, failed := e.CollectorFigure("scrape_scrapes_total"), e.CollectorFigure("scrape_failures_total")
	if all == 0 {
		return nil
	}
	f := verdict.Finding{Check: CheckHops, Outcome: verdict.Pass, Layer: record.LayerWeb, Summary: fmt.Sprintf("hops: %s, of which %s failed", words.Times(all, "scrape"), words.Number(failed))}
	if n := e.CollectorFigure("scrape_dropped_samples_total"); n > 0 {
		f.Summary += fmt.Sprintf("; %s of good scrapes could not be kept", words.Times(n, "sample"))
	}
	return []verdict.Finding{f}
}

// observed is how much stands behind the points of all series that came in by a way.
func observed(e *evidence.Index, way collector.Way) int64 {
	var n int64
	for i := range e.History.Series {
		s := &e.History.Series[i]
		if s.Meta.CameBy() != way || s.CountsSampled() {
			continue
		}
		for _, p := range s.Points {
			if !p.Stale {
				n += int64(p.Observed)
			}
		}
	}
	return n
}
