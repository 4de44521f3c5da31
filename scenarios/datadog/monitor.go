package datadog

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/collector/series"
	"throughline/scenarios/script"
)

// Monitor is what Datadog's API takes at /api/v1/monitor.
// Source: https://docs.datadoghq.com/api/latest/monitors/
type Monitor struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Query   string   `json:"query"`
	Message string   `json:"message"`
	Tags    []string `json:"tags"`
	Options Options  `json:"options"`

	per float64 // by how much its value is more than that of the expression it stands for
}

// Options are those of a Monitor. Times are in minutes, but for NewGroupDelay, which is in seconds.
type Options struct {
	Thresholds      Thresholds `json:"thresholds"`
	NotifyNoData    bool       `json:"notify_no_data"`
	NoDataTimeframe int        `json:"no_data_timeframe,omitempty"`
	// RequireFullWindow: nothing is evaluated until the whole window has data.
	RequireFullWindow bool `json:"require_full_window"`
	IncludeTags       bool `json:"include_tags"`
	NewGroupDelay     int  `json:"new_group_delay,omitempty"`
}

// Thresholds are those of a Monitor.
type Thresholds struct {
	Critical float64  `json:"critical"`
	OK       *float64 `json:"ok,omitempty"`
	Warning  *float64 `json:"warning,omitempty"`
}

// windows are over how many minutes a monitor can look.
var windows = []int{1, 5, 10, 15, 30, 60}

// windowOf is the shortest window that holds so long a time.
func windowOf(long time.Duration) (minutes int, text string, err error) {
	for _, w := range windows {
		if long <= time.Duration(w)*time.Minute {
			if w == 60 {
				return w, "last_1h", nil
			}
			return w, fmt.Sprintf("last_%dm", w), nil
		}
	}
	return 0, "", fmt.Errorf("it looks at %v, and a monitor at an hour at most", long)
}

// rule adds the twin of an alerting rule.
func (w *writer) rule(r series.Rule) {
	what := "alert " + r.Name
	c, err := series.ComparisonOf(r.Expr)
	if err != nil {
		w.leave(what, "Datadog cannot say its expression: %v", err)
		return
	}
	m, err := w.monitor(c, r.For)
	if err != nil {
		w.leave(what, "%v", err)
		return
	}
	m.Name = r.Name
	if text := r.Annotations["summary"]; text != "" {
		if m.Message, err = messageOf(text, m.per); err != nil {
			w.leave(what+", its annotation summary", "%v", err)
			m.Message = r.Name
		}
	}
	if r.Annotations["do"] != "" {
		if do, err := messageOf(r.Annotations["do"], m.per); err == nil {
			m.Message += "\n" + do
		}
	}
	m.Message += fmt.Sprintf("\nThe rule in Prometheus: %s, for %v.", r.Expr, r.For)
	if severity := r.Labels["severity"]; severity != "" {
		m.Tags = append(m.Tags, "severity:"+severity)
	}
	w.add(m)
}

// holds adds a monitor of the contrary of what must hold.
func (w *writer) holds(p script.PromQL) {
	what := "promql " + p.Expr
	c, err := series.ComparisonOf(p.Expr)
	switch {
	case err != nil:
		w.leave(what, "Datadog cannot say it: %v", err)
		return
	case p.Within != "":
		w.leave(what, "it must hold once, in one phase, and a monitor watches all the time")
		return
	}
	c.Op = map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[c.Op]
	c.Absent = true // then it does not hold either
	m, err := w.monitor(c, 0)
	if err != nil {
		w.leave(what, "%v", err)
		return
	}
	m.Name = "Not " + p.Expr
	m.Message = "It has to hold throughout: " + p.Expr
	w.add(m)
}

// continues adds a monitor that speaks up when a metric is missing. That a single instance's is missing it cannot see.
func (w *writer) continues(p script.Continuity) {
	if p.Source != "" {
		w.leave("continuity of "+p.Source, "no relay sends it on: Datadog has what CloudWatch tells by an integration of its own")
		return
	}
	what, of := "continuity of "+string(p.Metric), p.Metric.Selection()
	if len(of.Where) > 0 || of.Way != "" && of.Way != script.ByStatsD {
		w.leave(what, "it is about some of the series of %s, and the relay sends on what came by StatsD, whatever its tags", of.Name)
		return
	}
	minutes, window, err := windowOf(p.MaxGap)
	if err != nil {
		w.leave(what, "%v", err)
		return
	}
	w.add(Monitor{Name: of.Name + " has stopped", Type: "query alert", Query: fmt.Sprintf("sum(%s):sum:%s{*}.as_count() < 1", window, of.Name),
		Message: of.Name + " is counted no more, by nobody. A gap of one instance is not seen here: the instance is no tag that is sent.", Tags: []string{"throughline"},
		Options: Options{Thresholds: Thresholds{Critical: 1}, NotifyNoData: true, NoDataTimeframe: 2 * minutes, IncludeTags: true}})
}

// monitor says a comparison in Datadog's language.
//
// Counters are as_count: the sum over the window is held against what the rate comes to in that time, and a ratio is one of two
// sums. With as_rate a ratio would be a sum of the ratios of single points, which is another number.
// Source: https://docs.datadoghq.com/monitors/guide/as-count-in-monitor-evaluations/
func (w *writer) monitor(c series.Comparison, hold time.Duration) (Monitor, error) {
	long := max(c.Left.Window, hold)
	if c.Over != nil {
		long = max(long, c.Over.Window)
	}
	minutes, window, err := windowOf(long)
	if err != nil {
		return Monitor{}, err
	}
	left, by, err := w.figure(c.Left)
	if err != nil {
		return Monitor{}, err
	}
	over, per := "avg", 1.0
	if c.Left.Func != "" && c.Left.Quantile == 0 {
		over = "sum"
	}
	switch {
	case c.Over != nil:
		right, rightBy, err := w.figure(*c.Over)
		switch {
		case err != nil:
			return Monitor{}, err
		case !slices.Equal(by, rightBy):
			return Monitor{}, errors.New("both sides of a ratio want the same labels")
		case c.Left.Func == "" || c.Over.Func != c.Left.Func || c.Left.Quantile != 0 || c.Over.Quantile != 0:
			return Monitor{}, errors.New("a ratio is said of two counters alone")
		}
		left += " / " + right
	case c.Left.Func == "rate" && c.Left.Quantile == 0:
		per = float64(minutes * 60) // what it comes to in the window
	case c.Left.Func == "increase":
		per = float64(time.Duration(minutes)*time.Minute) / float64(c.Left.Window)
	}
	threshold := c.Threshold * per
	m := Monitor{per: per, Type: "query alert", Query: fmt.Sprintf("%s(%s):%s %s %s", over, window, left, c.Op, strconv.FormatFloat(threshold, 'f', -1, 64)),
		Tags: []string{"throughline"}, Options: Options{Thresholds: Thresholds{Critical: threshold}, IncludeTags: true}}
	if c.Absent {
		m.Options.NotifyNoData, m.Options.NoDataTimeframe = true, 2*minutes
	}
	return m, nil
}

// figure says one figure, and by which tags it is.
func (w *writer) figure(f series.Figure) (text string, by []string, err error) {
	i := slices.IndexFunc(w.metrics, func(m Metric) bool { return m.series() == f.Name })
	if i < 0 {
		return "", nil, fmt.Errorf("%s is not sent by the application, so that the relay does not have it", f.Name)
	}
	m, name, aggregate := w.metrics[i], w.metrics[i].Name, f.Aggregate
	switch {
	case m.Type == Count && f.Func == "":
		return "", nil, fmt.Errorf("%s is compared as it has been counted up since the start, and Datadog has what was counted in an interval", m.Name)
	case m.Type == Gauge && f.Func != "":
		return "", nil, fmt.Errorf("%s is a gauge, of which there is no %s", m.Name, f.Func)
	case m.Type == Timer:
		suffix, known := map[float64]string{0.5: ".median", 0.95: ".95percentile"}[f.Quantile]
		if !known {
			return "", nil, fmt.Errorf("of the timer %s the agent makes median, 95percentile, avg, max and count alone, and not what is asked for", m.Name)
		}
		name, aggregate = name+suffix, "max" // each host's agent has its own: the worst of them
	case f.Quantile != 0:
		return "", nil, fmt.Errorf("%s has no quantiles", m.Name)
	}
	if aggregate == "" {
		return "", nil, fmt.Errorf("%s is not added up: its series are one for each instance, and the instance is no tag that is sent", f.Name)
	}
	scope, err := scopeOf(f.Matchers)
	if err != nil {
		return "", nil, err
	}
	for _, label := range f.By {
		if !slices.Contains(tags, label) {
			return "", nil, fmt.Errorf("the label %s is none that is sent (%s are)", label, strings.Join(tags, ", "))
		}
	}
	by = slices.Sorted(slices.Values(f.By))
	text = fmt.Sprintf("%s:%s{%s}", aggregate, name, scope)
	if len(by) > 0 {
		text += " by {" + strings.Join(by, ",") + "}"
	}
	if m.Type == Count {
		text += ".as_count()"
	}
	return text, by, nil
}

// alternatives is a regular expression that stands for a few values.
var alternatives = regexp.MustCompile(`^[A-Za-z0-9_.-]+(\|[A-Za-z0-9_.-]+)*$`)

// scopeOf says conditions on labels as a scope.
func scopeOf(all []series.Matcher) (string, error) {
	var parts []string
	for _, m := range all {
		if !slices.Contains(tags, m.Label) {
			return "", fmt.Errorf("the label %s is none that is sent (%s are)", m.Label, strings.Join(tags, ", "))
		}
		switch {
		case m.Op == "=" && m.Value != "":
			parts = append(parts, m.Label+":"+m.Value)
		case m.Op == "!=" && m.Value != "":
			parts = append(parts, "!"+m.Label+":"+m.Value)
		case m.Op == "=~" && alternatives.MatchString(m.Value):
			parts = append(parts, m.Label+" IN ("+strings.ReplaceAll(m.Value, "|", ",")+")")
		default:
			return "", fmt.Errorf("the condition %s%s%q cannot be said", m.Label, m.Op, m.Value)
		}
	}
	if len(parts) == 0 {
		return "*", nil
	}
	if strings.Contains(strings.Join(parts, ""), " IN ") {
		for i, p := range parts {
			if not, is := strings.CutPrefix(p, "!"); is {
				parts[i] = "NOT " + not
			}
		}
		return strings.Join(parts, " AND "), nil
	}
	return strings.Join(parts, ","), nil
}

var (
	valueTemplate = regexp.MustCompile(`\{\{-?\s*\$value\b[^}]*\}\}`)
	labelTemplate = regexp.MustCompile(`\{\{-?\s*\$labels\.([A-Za-z_]+)[^}]*\}\}`)
	anyTemplate   = regexp.MustCompile(`\{\{[^}]*\}\}`)
)

// messageOf says the text of an annotation with Datadog's variables. The monitor's value is so many times that of the
// expression.
func messageOf(text string, per float64) (string, error) {
	value := "{{value}}"
	if per != 1 {
		value = fmt.Sprintf(`{{eval "value/%v"}}`, per)
	}
	out := labelTemplate.ReplaceAllString(valueTemplate.ReplaceAllLiteralString(text, value), "{{$1.name}}")
	for _, t := range anyTemplate.FindAllString(out, -1) {
		if t != value && !strings.HasSuffix(t, ".name}}") {
			return "", fmt.Errorf("its template %s has no counterpart", t)
		}
	}
	return out, nil
}
