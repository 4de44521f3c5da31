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

// latency has a key for each percentile, one of which must be there.
func (g grammar) latency() shape {
	of, some := fields{"route": text(), "in": text()}, []shape{}
	for _, q := range Percentiles() {
		of[q.Name] = durations()
		some = append(some, has(q.Name))
	}
	s := g.object("latency", of)
	s["anyOf"] = some
	return s
}

// statusWord is a class of statuses, or a single one, which may be written as a number.
func statusWord() shape {
	return either(matches(statusForm), shape{"type": "integer", "minimum": 100, "maximum": 599})
}

// checks are the promises, by their kinds.
func (g grammar) checks() fields {
	deadline := func(required ...string) shape {
		return g.object("alert", fields{"in": text(), "within": durations()}, required...)
	}
	continuity := g.object("continuity", selected(fields{
		"route": text(), "role": text(), "max_gap": durations(), "source": shape{"const": FromCloudWatch},
	}))
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
		"instance": text(), "used": fractions(true), "idle": fractions(true), "agent": g.metricOr("two-views"), "unit": unitWords(), "every": durations(), "client_window": durations(),
	})
	views["oneOf"] = []shape{has("instance"), has("agent")}
	return fields{
		"continuity": continuity,
		"conservation": g.object("conservation", selected(fields{
			"route": text(), "client_window": durations(), "max_lag": durations(), "sample_rate": fractions(true),
			"confidence": fractions(false), "status": shape{"const": Successes},
		}), "metric"),
		"correlation": g.object("correlation", selected(fields{
			"layers":   shape{"type": "array", "items": oneWord(layers...), "minItems": 2, "uniqueItems": true},
			"at_least": fractions(true), "max_lag": durations(),
		}), "layers", "at_least"),
		"promql": promql,
		"identity": g.object("identity", selected(fields{
			"route": text(), "tags": lists(matches(tagName)),
		}), "metric"),
		"nesting": g.object("nesting", fields{
			"web": g.metricOr("nesting"), "db": g.metricOr("nesting"), "route": text(), "unit": unitWords(), "slack": durations(), "client_window": durations(),
		}, "web"),
		"gauge": g.object("gauge", selected(fields{
			"at_rest": counts(0, 1_000_000), "unqueued": yesNo(), "client_window": durations(),
		}), "metric", "at_rest"),
		"shutdown": g.object("shutdown", selected(fields{"route": text(), "client_window": durations()}), "metric"),
		"hygiene":  g.object("hygiene", fields{"max_series": counts(1, maxSeries), "growth": counts(0, maxSeries)}),
		"alert":    alert,
		"audit":    g.options("audit", fields{"route": text()}),
		"failures": g.object("failures", fields{"route": text(), "at_most": counts(0, 1_000_000)}, "at_most"),
		"beacons": g.options("beacons", fields{
			"route": text(), "share": fractions(true), "web": g.metricOr("beacons"), "unit": unitWords(), "slack": durations(),
		}),
		"two-views": views,
		"parity": g.object("parity", fields{
			"metrics":       shape{"type": "array", "items": g.metricOr("parity"), "minItems": 2, "maxItems": MaxPhases},
			"client_window": durations(), "max_lag": durations(), "confidence": fractions(false),
		}, "metrics"),
		"latency": g.latency(),
		"availability": g.object("availability", fields{
			"route": text(), "in": text(), "least": matches(percentForm), "status": either(statusWord(), lists(statusWord())),
		}, "least"),
		"scaling": g.options("scaling", fields{
			"astray": numbers(0, 1), "within": durations(), "overshoot": counts(0, MaxInstances), "flaps": counts(0, 1_000_000), "cost": numbers(1, 1000), "still": yesNo(),
		}),
	}
}
