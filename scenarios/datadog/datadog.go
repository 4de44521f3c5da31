// Package datadog says in Datadog's language what a scenario promises in its own: a dashboard of the metrics that its
// application sends, and a monitor for each alerting rule and each check that can be said there. What cannot is
// listed, with the reason.
//
// It names nothing but what a relay (run --relay, collect --relay) gives to a Datadog agent: what the application sends
// itself, with its own tags, and the events and service checks of the run. It knows no API and no network; `throughline
// datadog export` writes what it makes, and compose/datadog holds what it makes of the stack of the talk.
package datadog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"throughline/collector/series"
	"throughline/scenarios/check/signals"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Export is what there is to say.
type Export struct {
	Dashboard Dashboard `json:"dashboard"`
	Monitors  []Monitor `json:"monitors"`
	LeftOut   []LeftOut `json:"left_out"`
}

// LeftOut is a rule or a check that Datadog's language cannot say.
type LeftOut struct {
	What string `json:"what"` // "alert WebInstanceGone"
	Why  string `json:"why"`
}

// Type is that of a metric, as DogStatsD has them.
type Type string

// The types of metrics.
const (
	Count Type = "c"
	Gauge Type = "g"
	Timer Type = "ms"
)

// Metric is something that an application sends.
type Metric struct {
	Name string // the StatsD name: "fullstack.insert"
	Type Type
}

// series is what the collector makes of it.
func (m Metric) series() string {
	name := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' {
			return '_'
		}
		return r
	}, m.Name)
	if m.Type == Count {
		return name + "_total"
	}
	return name
}

// Reference is what the reference application sends.
func Reference() []Metric {
	return []Metric{
		{"fullstack.insert", Count}, {"fullstack.get", Count}, {"fullstack.insert.time", Timer}, {"fullstack.get.time", Timer},
		{"fullstack.db.time", Timer}, {"fullstack.inflight", Gauge},
	}
}

// tags are those that every instance is told to send (DD_TAGS). The instance is not among them: the collector knows it
// by the socket, and a Datadog agent does not.
var tags = []string{"role", "zone", "version"}

// Of says what a scenario promises. Its files of rules have been read.
func Of(s script.Scenario) (Export, error) {
	w := writer{metrics: metricsOf(s), scope: "scenario:" + s.Name}
	for _, c := range s.Checks {
		if err := w.check(c.Promise, s); err != nil {
			return Export{}, fmt.Errorf("%s: %w", c.Pos, err)
		}
	}
	return w.export("Throughline: "+s.Name, cmp.Or(s.About, "What the application of the scenario "+s.Name+" sends.")), nil
}

// OfRules says what a file of alerting rules for the reference application does.
func OfRules(file string, source []byte) (Export, error) {
	rules, err := series.ParseRules(file, source)
	if err != nil {
		return Export{}, err
	}
	w := writer{metrics: Reference()}
	for _, r := range rules {
		w.rule(r)
	}
	return w.export("Throughline: the stack of the talk", "What the reference application sends, by role and zone, and what was done to it."), nil
}

// metricsOf are the metrics that are known to be sent: the reference application's, or those that the checks of a foreign
// one name.
func metricsOf(s script.Scenario) (all []Metric) {
	if len(s.Stack.Web.Command) == 0 && s.Stack.Web.Image == "" {
		all = Reference()
	}
	add := func(m script.Metric, of Type) {
		name := m.Name()
		if m != "" && !slices.ContainsFunc(all, func(m Metric) bool { return m.Name == name }) {
			all = append(all, Metric{name, of})
		}
	}
	for _, c := range s.Checks {
		switch p := c.Promise.(type) {
		case script.Conservation:
			add(p.Metric, Count)
		case script.Continuity:
			add(p.Metric, Count)
		case script.Shutdown:
			add(p.Metric, Count)
		case script.Gauge:
			add(p.Metric, Gauge)
		case script.Nesting:
			add(p.Web, Timer)
			add(p.DB, Timer)
		}
	}
	return all
}

// writer collects what is said.
type writer struct {
	metrics  []Metric
	scope    string // the tag of the run's events and service checks; "": all
	monitors []Monitor
	left     []LeftOut
}

func (w *writer) leave(what, format string, args ...any) {
	l := LeftOut{what, fmt.Sprintf(format, args...)}
	if !slices.Contains(w.left, l) {
		w.left = append(w.left, l)
	}
}

func (w *writer) add(m Monitor) {
	if !slices.ContainsFunc(w.monitors, func(o Monitor) bool { return o.Query == m.Query }) {
		w.monitors = append(w.monitors, m)
	}
}

func (w *writer) export(title, about string) Export {
	w.add(w.serving())
	e := Export{Dashboard: w.dashboard(title, about), Monitors: w.monitors, LeftOut: w.left}
	if e.LeftOut == nil {
		e.LeftOut = []LeftOut{}
	}
	return e
}

// unsaid is why a kind of check has no monitor: what it compares is in no metric of the application's.
var unsaid = map[string]string{
	script.Conservation{}.Kind(): "it holds the metric against what users had acknowledged, request by request, which Datadog does not have",
	script.Correlation{}.Kind():  "it compares the curves of layers, of which the relay has the application's alone",
	script.Identity{}.Kind():     "it counts the series of each instance's life, and the instance is no tag that is sent",
	script.Nesting{}.Kind():      "it compares latencies of layers, of which the relay has the application's alone",
	script.Gauge{}.Kind():        "it holds the gauge against the requests in flight, which Datadog does not have",
	script.Shutdown{}.Kind():     "it asks what an instance lost as it ended, which only who saw its requests knows",
	script.Hygiene{}.Kind():      "it is about lines that the collector did not understand; Datadog's agent drops those",
	script.Audit{}.Kind():        "it compares the database with what users had acknowledged",
	script.Failures{}.Kind():     "it counts requests that failed for users, which the application does not send",
	script.BeaconsSent{}.Kind():  "it compares what pages told the collector with the pages that users got, and no relay sends beacons on",
	script.TwoViews{}.Kind():     "it compares what a host and an instance see of one CPU, which the application does not send",
	script.Parity{}.Kind():       "it compares two counts at each instance, and the instance is no tag that is sent",
	script.Latency{}.Kind():      "it is about how long users waited from when their requests were due, which the application does not send",
	script.Availability{}.Kind(): "it counts requests that got no answer, which the application does not send",
	script.Scaling{}.Kind():      "it holds the decisions of an autoscaler against the truth",
}

// check says what a check promises, or why that cannot be said.
func (w *writer) check(p script.Promise, s script.Scenario) error {
	switch p := p.(type) {
	case script.Alert:
		rules, err := signals.RulesOf(p, s)
		if err != nil {
			return fmt.Errorf("alert: %w", err)
		}
		for _, r := range rules {
			w.rule(r)
		}
	case script.PromQL:
		w.holds(p)
	case script.Continuity:
		w.continues(p)
	default:
		what := p.Kind()
		if of := slices.DeleteFunc(slices.Clone(p.Metrics()), func(m script.Metric) bool { return m == "" }); len(of) > 0 {
			what += " of " + joined(of)
		}
		w.leave(what, "%s", cmp.Or(unsaid[p.Kind()], "nobody has said how"))
	}
	return nil
}

func joined(metrics []script.Metric) string {
	var names []string
	for _, m := range metrics {
		names = append(names, string(m))
	}
	return strings.Join(names, " and ")
}

// serving is a monitor of the service check that a run sends with what it relays.
func (w *writer) serving() Monitor {
	over := `"*"`
	if w.scope != "" {
		over = fmt.Sprintf("%q", w.scope)
	}
	return Monitor{
		Name:    "An instance cannot serve",
		Type:    "service check",
		Query:   fmt.Sprintf("%q.over(%s).by(\"instance\").last(2).count_by_status()", record.ServingCheck, over),
		Message: "{{instance.name}} was killed, or died. Who was asked to end and did is no reason to wake anybody: its check is ok.",
		Tags:    []string{"throughline"},
		Options: Options{Thresholds: Thresholds{Critical: 1, OK: number(1), Warning: number(1)}, IncludeTags: true, NewGroupDelay: 60},
	}
}

func number(n float64) *float64 { return &n }
