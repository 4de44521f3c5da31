package script

// check is one item of `checks`: one key, which says its kind.
func (g grammar) check() shape {
	known, of := g.checks(), fields{}
	for _, kind := range CheckKinds() {
		if of[kind] = known[kind]; of[kind] == nil {
			of[kind] = shape{} // a check that is new: anything, until it is said here
		}
	}
	s := g.object("checks", of)
	s["maxProperties"] = 1
	return s
}

// checks are the promises, by their kinds.
func (g grammar) checks() fields {
	deadline := func(required ...string) shape {
		return g.object("alert", fields{"in": text(), "within": durations()}, required...)
	}
	continuity := g.object("continuity", fields{
		"metric": metrics(), "route": text(), "role": text(), "max_gap": durations(), "source": shape{"const": FromCloudWatch},
	})
	continuity["oneOf"] = []shape{has("metric"), has("source")}
	promql := g.object("promql", fields{"expr": text(), "throughout": text(), "within": text(), "never_seen": yesNo()}, "expr")
	promql["oneOf"] = []shape{has("throughout"), has("within")}
	alert := g.object("alert", fields{
		"file": text(), "name": text(), "expr": text(), "for": durations(), "fires": deadline("in", "within"), "clears": deadline("within"),
		"silent": lists(text()), "never_seen": yesNo(),
	})
	alert["anyOf"] = []shape{has("fires"), has("silent")}
	alert["if"], alert["then"], alert["else"] = has("file"), shape{"not": either(has("expr"), has("for"))}, shape{"required": []string{"name", "expr"}}
	views := g.object("two-views", fields{
		"instance": text(), "used": fractions(true), "idle": fractions(true), "agent": metrics(), "unit": unitWords(), "every": durations(), "client_window": durations(),
	})
	views["oneOf"] = []shape{has("instance"), has("agent")}
	return fields{
		"continuity": continuity,
		"conservation": g.object("conservation", fields{
			"metric": metrics(), "route": text(), "client_window": durations(), "max_lag": durations(), "sample_rate": fractions(true),
			"confidence": fractions(false), "status": shape{"const": Successes},
		}, "metric"),
		"correlation": g.object("correlation", fields{
			"layers":   shape{"type": "array", "items": oneWord(layers...), "minItems": 2, "uniqueItems": true},
			"at_least": fractions(true), "max_lag": durations(), "metric": metrics(),
		}, "layers", "at_least"),
		"promql": promql,
		"identity": g.object("identity", fields{
			"metric": metrics(), "route": text(), "tags": lists(matches(tagName)),
		}, "metric"),
		"nesting": g.object("nesting", fields{
			"web": metrics(), "db": metrics(), "route": text(), "unit": unitWords(), "slack": durations(), "client_window": durations(),
		}, "web"),
		"gauge": g.object("gauge", fields{
			"metric": metrics(), "at_rest": counts(0, 1_000_000), "unqueued": yesNo(), "client_window": durations(),
		}, "metric", "at_rest"),
		"shutdown": g.object("shutdown", fields{"metric": metrics(), "route": text(), "client_window": durations()}, "metric"),
		"hygiene":  g.object("hygiene", fields{"max_series": counts(1, maxSeries), "growth": counts(0, maxSeries)}),
		"alert":    alert,
		"audit":    g.options("audit", fields{"route": text()}),
		"failures": g.object("failures", fields{"route": text(), "at_most": counts(0, 1_000_000)}, "at_most"),
		"beacons": g.options("beacons", fields{
			"route": text(), "share": fractions(true), "web": metrics(), "unit": unitWords(), "slack": durations(),
		}),
		"two-views": views,
		"scaling": g.options("scaling", fields{
			"astray": numbers(0, 1), "within": durations(), "overshoot": counts(0, MaxInstances), "flaps": counts(0, 1_000_000), "cost": numbers(1, 1000), "still": yesNo(),
		}),
	}
}
