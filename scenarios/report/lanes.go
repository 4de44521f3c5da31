package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// mostLines bounds the instances that have a line of their own.
const mostLines = 10

// lanes is everything that the charts of a report draw, as lanes.js reads it.
type lanes struct {
	End    float64   `json:"end"` // of the time axis, in seconds
	X      []float64 `json:"x"`   // the middle of each bin
	Charts []chart   `json:"charts"`
	Phases []band    `json:"phases"`
	Steps  []band    `json:"steps"`
	Faults []band    `json:"faults"`
	Marks  []mark    `json:"marks"`
}

// chart is one lane, or a part of it, with lines on one axis.
type chart struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Unit  string `json:"unit"`
	// Log asks for a logarithmic axis.
	Log   bool   `json:"log,omitempty"`
	Lines []line `json:"lines"`
	// Note says what is drawn, and what is left out or missing.
	Note string `json:"-"`
}

// line is one curve. Tone is a color of style.css: a number of the palette or
// a name ("acked", "refused", …).
type line struct {
	Label  string `json:"label"`
	Tone   string `json:"tone"`
	Values values `json:"values"`
}

// newLanes draws the four layers on one time axis.
func newLanes(h record.History, v verdict.Verdict) lanes {
	end := runEnd(h)
	b := newBins(h, end)
	l := lanes{End: end.Seconds(), X: b.centers(), Phases: phaseBands(h, end), Steps: stepBands(h, end), Faults: faultBands(h, end), Marks: journalMarks(h)}
	l.Charts = append(usersCharts(b, h.Requests), lbChart(b, h), webChart(b, h, v.Ledgers.Web.Metric), dbChart(b, h))
	return l
}

func usersCharts(b bins, requests []record.Request) []chart {
	rates := chart{ID: "users", Title: "Users: requests by outcome", Unit: "/s"}
	waits := chart{ID: "latency", Title: "Users: latency from when the request was due", Unit: "ms", Log: true}
	if len(requests) == 0 {
		rates.Note, waits.Note = "The record holds no request.", "The record holds no request."
		return []chart{rates, waits}
	}
	for _, o := range []record.Outcome{record.Acked, record.Refused, record.Unknown} {
		rates.Lines = append(rates.Lines, line{o.String(), o.String(), b.perSecond(requests, func(r record.Request) bool {
			return r.Outcome == o && r.Answered() == ""
		})})
	}
	for _, of := range answerTones {
		answered := func(r record.Request) bool { return r.Answered() == of.class }
		if slices.ContainsFunc(requests, answered) {
			rates.Lines = append(rates.Lines, line{"answered " + of.class, of.tone, b.perSecond(requests, answered)})
		}
	}
	rates.Note = "By the time at which the outcome was known."
	p50, p99 := b.latencies(requests)
	waits.Lines = []line{{"p50", "p50", p50}, {"p99", "p99", p99}}
	waits.Note = "Requests that were refused are left out; one of unknown outcome counts until it was given up."
	return []chart{rates, waits}
}

// answerTones are the colors of the answers that acknowledge nothing.
var answerTones = []struct{ class, tone string }{{"1xx", "6"}, {"3xx", "6"}, {"4xx", "5"}, {"5xx", "2"}}

func lbChart(b bins, h record.History) chart {
	c := chart{ID: "lb", Title: "Load balancer: its own statistics", Unit: "/s"}
	frontend := busiestFrontend(h)
	for _, of := range []struct{ name, label, tone string }{
		{lbRequests, "requests", "acked"},
		{record.FrontendPrefix + "hrsp_5xx", "5xx answers", "refused"},
		{record.BackendPrefix + "econ", "errors of its own", "unknown"},
		{record.BackendPrefix + "wretr", "retries", "5"},
		{record.BackendPrefix + "wredis", "redispatches", "6"},
	} {
		if v, ok := polled(b, h, func(s record.Series) bool {
			return s.Name == of.name && (frontend == s.Labels.Get("proxy") || !strings.HasPrefix(s.Name, record.FrontendPrefix))
		}); ok {
			c.Lines = append(c.Lines, line{of.label, of.tone, v})
		}
	}
	if len(c.Lines) == 0 {
		c.Note = "The record holds no series " + lbRequests + "."
	}
	return c
}

// busiestFrontend is the proxy that the users' requests go to: HAProxy may have
// others, for its own statistics.
func busiestFrontend(h record.History) string {
	most, proxy := -1.0, ""
	for _, s := range h.Series {
		if s.Name == lbRequests && gained(s) > most {
			most, proxy = gained(s), s.Labels.Get("proxy")
		}
	}
	return proxy
}

func dbChart(b bins, h record.History) chart {
	c := chart{ID: "db", Title: "Database: update commands", Unit: "/s"}
	if h.Run.Database == record.NoDatabase {
		c.Note = "The stack has no database."
		return c
	}
	update := func(s record.Series) bool { return s.Name == record.Opcounters && s.Labels.Get("type") == "update" }
	if v, ok := polled(b, h, update); ok {
		c.Lines = []line{{"updates", "acked", v}}
	} else {
		c.Note = "The record holds no series " + record.Opcounters + `{type="update"}.`
	}
	return c
}

// polled adds up the rates of the series that want holds for.
func polled(b bins, h record.History, want func(record.Series) bool) (values, bool) {
	var found []values
	for _, s := range h.Series {
		if want(s) && len(s.Points) > 0 {
			found = append(found, b.rate(s))
		}
	}
	return b.sum(found), len(found) > 0
}

// webChart has a line per instance: those that counted most, and the sum of
// the others.
func webChart(b bins, h record.History, metric string) chart {
	if metric == "" {
		metric = busiestMetric(h)
	}
	c := chart{ID: "web", Title: "Web: " + printable(metric) + " by instance", Unit: "/s"}
	counters := countersOf(h, metric)
	if len(counters) == 0 {
		c.Title, c.Note = "Web: the application's metric", strings.TrimSpace("The record holds no counter "+printable(metric))+"."
		return c
	}
	shown, rest := counters[:min(mostLines, len(counters))], counters[min(mostLines, len(counters)):]
	slices.SortFunc(shown, func(a, b counterOf) int { return record.CompareNames(a.instance, b.instance) })
	for i, s := range shown {
		c.Lines = append(c.Lines, line{printable(s.instance), fmt.Sprint(i), b.sum(ratesOf(b, s.series))})
	}
	c.Note = "A hole is an interval in which the instance sent nothing."
	if len(rest) > 0 {
		var others []values
		for _, s := range rest {
			others = append(others, ratesOf(b, s.series)...)
		}
		c.Lines = append(c.Lines, line{fmt.Sprintf("%s others", count(len(rest))), "others", b.sum(others)})
		c.Note += fmt.Sprintf(" Of %s, the %d that counted most have a line of their own; the others are added up (dashed, axis on the right).",
			plural(len(counters), "instance"), len(shown))
	}
	if b.width > b.interval {
		c.Note += fmt.Sprintf(" The run is long: each point stands for %s, and is a hole where any interval is missing.", offset(b.width))
	}
	return c
}

// counterOf are the series in which one instance counts a metric.
type counterOf struct {
	instance string
	series   []record.Series
	gained   float64
}

// sampledSuffix ends the names of series in which the collector keeps how many
// measurements of a sampled counter really came.
const sampledSuffix = "_sampled_total"

// countersOf finds who counted metric, the most first.
func countersOf(h record.History, metric string) []counterOf {
	at := map[string]int{}
	var found []counterOf
	for _, s := range h.Series {
		if s.Meta.StatsD != metric || !isCounter(s) {
			continue
		}
		instance := cmp.Or(s.Labels.Get("instance"), "no instance")
		i, ok := at[instance]
		if !ok {
			i = len(found)
			at[instance] = i
			found = append(found, counterOf{instance: instance})
		}
		found[i].series = append(found[i].series, s)
		found[i].gained += gained(s)
	}
	slices.SortStableFunc(found, func(a, b counterOf) int {
		return cmp.Or(-cmp.Compare(a.gained, b.gained), record.CompareNames(a.instance, b.instance))
	})
	return found
}

// busiestMetric is the counter that gained most: what to draw where no ledger
// says which metric counts the requests.
func busiestMetric(h record.History) string {
	var most float64
	var metric string
	for _, s := range h.Series {
		if g := gained(s); isCounter(s) && g > most {
			most, metric = g, s.Meta.StatsD
		}
	}
	return metric
}

// isCounter holds for what instances push and count.
func isCounter(s record.Series) bool {
	return s.Meta.StatsD != "" && s.Meta.Type == collector.Counter && !strings.HasSuffix(s.Name, sampledSuffix)
}

func ratesOf(b bins, series []record.Series) []values {
	out := make([]values, 0, len(series))
	for _, s := range series {
		out = append(out, b.rate(s))
	}
	return out
}
