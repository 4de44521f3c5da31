package synthetic

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"throughline/scenarios/script"
)

// counted is the counter that the scenario is about.
const counted = "fullstack.insert"

// scenario writes the scenario of the run.
func (w *world) scenario() []byte {
	p := w.p
	var b bytes.Buffer
	fmt.Fprintf(&b, "scenario: made-up\nabout: A made-up run.\nstack:\n")
	if p.Database == "none" { // which the reference app does not start without
		fmt.Fprintf(&b, "  web: {instances: %d, command: [app]}\n  mongo: none\n", p.Instances)
	} else {
		fmt.Fprintf(&b, "  web: {instances: %d}\n", p.Instances)
	}
	fmt.Fprintf(&b, "load: {%s, mix: {%s}, words: %d}\n", p.rates(), p.mix(), p.Words)
	if p.Scaled != nil {
		b.WriteString(p.Scaled.yaml())
	}
	b.WriteString("phases:\n")
	for _, phase := range p.Phases {
		fmt.Fprintf(&b, "  - phase: %s\n    for: %s\n", phase.Name, phase.Long)
		for i, s := range phase.Steps {
			if i == 0 {
				b.WriteString("    do:\n")
			}
			fmt.Fprintf(&b, "      - %s\n", s.yaml())
		}
	}
	fmt.Fprintf(&b, "checks:\n  - conservation: {metric: %s, route: insert, client_window: %s, max_lag: %s", counted, p.Declared, p.Lag)
	if p.Rate1 < 1 {
		fmt.Fprintf(&b, ", sample_rate: %v", p.Rate1)
	}
	if p.Only2xx {
		b.WriteString(", status: 2xx")
	}
	fmt.Fprintf(&b, "}\n  - continuity: {metric: %s, max_gap: %s}\n", counted, p.MaxGap)
	if p.Timers && p.Nested {
		fmt.Fprintf(&b, "  - nesting: {web: %s.time, db: fullstack.db.time, route: insert, client_window: %s}\n", counted, p.Declared)
	}
	if p.Scaled != nil {
		if p.Scaled.Gauge {
			fmt.Fprintf(&b, "  - gauge: {metric: fullstack.inflight, at_rest: 0, client_window: 100ms}\n")
		}
		fmt.Fprintf(&b, "  - scaling: {%s}\n", strings.Join(p.Scaled.Keys, ", "))
	}
	return b.Bytes()
}

func (p Params) rates() string {
	switch p.Shape {
	case script.Sine:
		return fmt.Sprintf("rate: %.2f/s, shape: sine, swing: %.2f/s, period: %s", p.Rate, p.Rate*p.Swing, p.Period.Round(time.Millisecond))
	case script.Steps:
		levels := ""
		var at time.Duration
		for i, l := range p.Levels {
			if at >= p.Long() {
				break
			}
			if at += l.For; i > 0 {
				levels += ", "
			}
			levels += fmt.Sprintf("{rate: %.2f/s, for: %s}", l.Rate, l.For)
		}
		return "shape: steps, levels: [" + levels + "]"
	}
	return fmt.Sprintf("rate: %.2f/s", p.Rate)
}

func (p Params) mix() string {
	out := fmt.Sprintf("insert: %d", p.Insert)
	if p.Get > 0 {
		out += fmt.Sprintf(", get: %d", p.Get)
	}
	if p.Top > 0 {
		out += fmt.Sprintf(", toplist: %d", p.Top)
	}
	return out
}

func (s Step) yaml() string {
	switch {
	case s.For > 0:
		return fmt.Sprintf("{%s: %s, for: %s}", s.Verb, s.Fault, s.For)
	case s.Verb == "fault" && s.Object != "":
		return fmt.Sprintf("{fault: %s, on: %s}", s.Fault, s.Object)
	case s.Fault != "":
		return fmt.Sprintf("{%s: %s}", s.Verb, s.Fault)
	}
	if s.Abrupt {
		return fmt.Sprintf("{%s: %s, drain: no}", s.Verb, s.Object)
	}
	return fmt.Sprintf("{%s: %s}", s.Verb, s.Object)
}
