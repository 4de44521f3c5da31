package datadog

import (
	"fmt"
	"slices"

	"throughline/scenarios/record"
)

// Dashboard is what Datadog's API takes at /api/v1/dashboard.
// Source: https://docs.datadoghq.com/api/latest/dashboards/
type Dashboard struct {
	Title       string   `json:"title"`
	Description string   `json:"description"`
	LayoutType  string   `json:"layout_type"`
	ReflowType  string   `json:"reflow_type"`
	Widgets     []Widget `json:"widgets"`
}

// Widget is one of a Dashboard.
type Widget struct {
	Definition Definition `json:"definition"`
}

// Definition is what a Widget shows; which fields it has depends on its type.
type Definition struct {
	Type     string    `json:"type"`
	Title    string    `json:"title,omitempty"`
	Requests []Request `json:"requests,omitempty"` // of timeseries
	Events   []Overlay `json:"events,omitempty"`   // of timeseries
	Query    string    `json:"query,omitempty"`    // of event_stream
	Content  string    `json:"content,omitempty"`  // of note
	// Of check_status.
	Check    string   `json:"check,omitempty"`
	Grouping string   `json:"grouping,omitempty"`
	GroupBy  []string `json:"group_by,omitempty"`
	Tags     []string `json:"tags,omitempty"`
}

// Request is what is drawn.
type Request struct {
	Q           string `json:"q"`
	DisplayType string `json:"display_type"` // "bars", "line", "area"
}

// Overlay are events in a drawing.
type Overlay struct {
	Q string `json:"q"`
}

// dashboard shows each metric that is known to be sent: counts per second, by zone, and how many there were; what the agent
// makes of timers; gauges by role; and beside them what was done to the stack.
func (w *writer) dashboard(title, about string) Dashboard {
	events := w.scope
	if events == "" {
		events = "source:" + record.EventSource
	}
	d := Dashboard{Title: title, Description: about, LayoutType: "ordered", ReflowType: "auto"}
	show := func(of Definition) { d.Widgets = append(d.Widgets, Widget{of}) }
	show(Definition{Type: "note", Content: "Relayed by Throughline (`throughline run --relay`). A count is drawn as_rate, per second, and added up as_count. " +
		"Percentiles are the agent's of its own host: the worst host is drawn, for they cannot be added up. The instance is no tag that is sent; zone and role are."})
	for _, m := range w.metrics {
		t := Definition{Type: "timeseries"}
		switch m.Type {
		case Count:
			t.Title = m.Name + " per second, by zone"
			t.Requests = []Request{{fmt.Sprintf("sum:%s{*} by {zone}.as_rate()", m.Name), "area"}}
			t.Events = []Overlay{{events}}
			show(t)
			t = Definition{Type: "timeseries", Title: m.Name + ", how many", Requests: []Request{{fmt.Sprintf("sum:%s{*}.as_count()", m.Name), "bars"}}}
		case Timer:
			t.Title = m.Name + " in ms: mean, median, 95th percentile"
			t.Requests = []Request{{fmt.Sprintf("avg:%s.avg{*}", m.Name), "line"}, {fmt.Sprintf("max:%s.median{*}", m.Name), "line"}, {fmt.Sprintf("max:%s.95percentile{*}", m.Name), "line"}}
		case Gauge:
			t.Title = m.Name + ", by role"
			t.Requests = []Request{{fmt.Sprintf("sum:%s{*} by {role}", m.Name), "line"}}
		}
		show(t)
	}
	if i := ratio(w.metrics); i != "" {
		show(Definition{Type: "timeseries", Title: "Reads for each insert", Requests: []Request{{i, "line"}}})
	}
	show(Definition{Type: "event_stream", Title: "What was done to the stack", Query: events})
	check := Definition{Type: "check_status", Title: "Who can serve", Check: record.ServingCheck, Grouping: "cluster", GroupBy: []string{"instance"}}
	if w.scope != "" {
		check.Tags = []string{w.scope}
	}
	show(check)
	return d
}

// ratio is what one compares in the talk, of an application that sends both: of counts, so that it is one of sums.
func ratio(all []Metric) string {
	reads, inserts := Metric{"fullstack.get", Count}, Metric{"fullstack.insert", Count}
	if !slices.Contains(all, reads) || !slices.Contains(all, inserts) {
		return ""
	}
	return "sum:fullstack.get{*}.as_count() / sum:fullstack.insert{*}.as_count()"
}
