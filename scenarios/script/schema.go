package script

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Describe gives what the documentation says of a key, by the heading that it stands under; "" where it says nothing.
type Describe func(heading, key string) string

// Schema is the language as a JSON Schema (draft 2020-12), for editors and for programs that write scenarios. It is made of
// the tables by which files are read, as far as these go. What a file says of itself in two places (that an instance is
// alive at a step, that a check's route is in the load) no schema can say: [Parse] does.
func Schema(o Options, about Describe) ([]byte, error) {
	g := grammar{about: about, defects: o.Defects}
	root := g.file()
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "A scenario of Throughline"
	return json.MarshalIndent(root, "", "  ")
}

// shape is a part of the schema.
type shape = map[string]any

// grammar makes the parts.
type grammar struct {
	about   Describe
	defects []string
}

// fields are the keys of an object.
type fields map[string]shape

// object has these keys and no others, at least one of them.
func (g grammar) object(heading string, of fields, required ...string) shape {
	properties := shape{}
	for key, s := range of {
		said := shape{}
		maps.Copy(said, s)
		if g.about != nil {
			if text := g.about(heading, key); text != "" {
				said["description"] = text
			}
		}
		properties[key] = said
	}
	s := shape{"type": "object", "additionalProperties": false, "properties": properties, "minProperties": 1}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// options is an object whose keys may all be left out.
func (g grammar) options(heading string, of fields) shape {
	s := g.object(heading, of)
	delete(s, "minProperties")
	return s
}

// open is an object whose keys are names of this form.
func open(name *regexp.Regexp, each shape) shape {
	s := shape{"type": "object", "additionalProperties": each, "minProperties": 1}
	if name != nil {
		s["propertyNames"] = matches(name)
	}
	return s
}

func text() shape { return shape{"type": "string", "minLength": 1} }

func matches(form *regexp.Regexp) shape { return shape{"type": "string", "pattern": form.String()} }

func oneWord(known ...string) shape { return shape{"enum": known} }

func yesNo() shape { return oneWord("yes", "no") }

// durations are what time.ParseDuration takes.
func durations() shape {
	return shape{"type": "string", "pattern": `^(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(h|m|s|ms|us|µs|ns)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(h|m|s|ms|us|µs|ns))*)$`, "examples": []string{"8s", "100ms", "1m30s"}}
}

func rates() shape {
	return shape{"type": "string", "pattern": `^[0-9]{1,15}(\.[0-9]{1,15})?/s$`, "examples": []string{"200/s"}}
}

func counts(least, most int) shape {
	return shape{"type": "integer", "minimum": least, "maximum": most}
}

func numbers(least, most float64) shape {
	return shape{"type": "number", "minimum": least, "maximum": most}
}

// fractions are above 0 and up to 1, or below 1 where one is too much.
func fractions(one bool) shape {
	if one {
		return shape{"type": "number", "exclusiveMinimum": 0, "maximum": 1}
	}
	return shape{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
}

func lists(of shape) shape {
	return shape{"type": "array", "items": of, "minItems": 1, "maxItems": MaxPhases}
}

func either(all ...shape) shape { return shape{"anyOf": all} }

// arguments are text or numbers: what a program is given.
func arguments() shape { return shape{"type": []string{"string", "number"}} }

func metrics() shape { return matches(metricName) }

// selected are the keys of an object that says which series of a metric are meant, with those that stand beside them.
func selected(others fields) fields {
	others["metric"] = metrics()
	values := either(shape{"type": []string{"string", "number", "boolean"}, "minLength": 1}, lists(shape{"type": []string{"string", "number", "boolean"}, "minLength": 1}))
	others["where"], others["by"] = open(labelName, values), oneWord(ByStatsD, ByOTLP, ByScrape)
	return others
}

// metricOr is a metric by its name, or with which of its series are meant.
func (g grammar) metricOr(heading string) shape {
	return either(metrics(), g.object(heading, selected(fields{}), "metric"))
}

func paths() shape { return shape{"type": "string", "pattern": "^/"} }

func unitWords() shape { return oneWord("s", "ms", "us", "ns") }

// has tells that a key is there.
func has(key string) shape { return shape{"required": []string{key}} }

// only says: where the condition is met, no other keys than these may be there, and the required must.
func only(when shape, keys []string, required ...string) shape {
	then := shape{"propertyNames": shape{"enum": keys}}
	if len(required) > 0 {
		then["required"] = required
	}
	return shape{"if": when, "then": then}
}

// file is a whole file.
func (g grammar) file() shape {
	s := g.object("A complete file", fields{
		"scenario": matches(scenarioName),
		"about":    text(),
		"stack":    g.stack(),
		"metrics_from": g.object("metrics_from", fields{
			"url": shape{"type": "string", "pattern": "^https?://"}, "every": durations(), "lag": durations(), "instance": matches(targetLabel), "job": matches(jobName),
		}, "url", "every"),
		"load":      g.load(),
		"autoscale": g.autoscale(),
		"phases":    lists(g.phase()),
		"checks":    lists(g.check()),
		"waive": lists(g.object("waive", fields{
			"check": oneWord(CheckKinds()...), "instance": text(), "reason": text(),
		}, "check", "reason")),
	}, "scenario", "stack", "load", "phases", "checks")
	// Instances of a stack that is there send to the collector, unless a server has their metrics.
	s["if"], s["else"] = has(metricsFrom), shape{"properties": shape{"stack": shape{"properties": shape{"external": has("statsd")}}}}
	s["not"] = shape{"required": []string{metricsFrom, "autoscale"}}
	return s
}

func (g grammar) load() shape {
	s := g.object("load", fields{
		"rate": rates(), "shape": oneWord(shapes...), "swing": rates(), "period": durations(), "to": rates(), "over": durations(),
		"levels": lists(g.object("load", fields{"rate": rates(), "for": durations()}, "rate", "for")),
		"mix":    open(nil, counts(1, 1_000_000)),
		"words":  counts(1, MaxWords), "timeout": durations(), "workers": counts(1, MaxWorkers),
		"beacons": g.options("load", fields{
			"share": fractions(true), "form": oneWord(TextBeacons, JSONBeacons), "defect": oneWord(BeaconsTwice, BeaconsEarly, BeaconsWrongOrigin),
		}),
	})
	var rules []shape
	for _, name := range shapes {
		when := shape{"properties": shape{"shape": shape{"const": name}}}
		if name != Constant { // the default: so it is meant, too, where no shape is named
			when["required"] = []string{"shape"}
		}
		rules = append(rules, only(when, slices.Concat([]string{"shape", "mix", "words", "timeout", "beacons", "workers"}, shapeKeys(name)), shapeKeys(name)...))
	}
	s["allOf"] = rules
	return s
}

func (g grammar) autoscale() shape {
	bound := either(counts(1, MaxInstances), shape{"type": "string", "pattern": `^[1-9][0-9]{0,5}%$`})
	pace := func() shape {
		return g.object("autoscale", fields{"at_most": either(bound, lists(bound)), "per": durations(), "after": durations()})
	}
	return g.object("autoscale", fields{
		"min": counts(1, MaxInstances), "max": counts(1, MaxInstances), "on": text(), "per": oneWord("sum", "mean"), "target": numbers(0.001, 1e9),
		"every": durations(), "tolerance": numbers(0, 1), "up": pace(), "down": pace(), "missing": oneWord("hold", "zero", "ignore"),
		"warm_up": durations(), "role": shape{"const": FirstRole},
	}, "max", "on", "per", "target")
}

func (g grammar) phase() shape {
	step := g.step()
	return g.object("phases", fields{
		"phase":   shape{"type": "string", "minLength": 1, "not": shape{"const": WholeRun}},
		"for":     durations(),
		"do":      either(step, lists(step)),
		"require": g.object("phases", fields{"users": rates()}, "users"),
	}, "phase", "for")
}

// step has one key that says what it does, and keys that belong to that.
func (g grammar) step() shape {
	instance := text()
	values := fields{
		"kill": instance, "terminate": instance, "interrupt": instance, "replace": instance, "limit": instance,
		"launch": either(counts(1, MaxInstances), shape{"const": member}), "scale": counts(1, MaxInstances),
		"step_down": shape{"const": Primary}, "rollback": arguments(),
		"deploy": either(arguments(), g.object("Versions", fields{
			"version": arguments(), "command": lists(arguments()), "image": matches(imageName), "env": g.env(), "defect": g.defect(noDefect),
		}, "version")),
		"fault": oneWord(FaultNames()...), "heal": oneWord(FaultNames()...),
		"within": durations(), "role": text(), "drain": yesNo(), "notice": durations(), "canary": counts(1, MaxInstances), "cpus": numbers(0, 1000),
		"on": instance, "share": fractions(true), "bytes": counts(1, mostBytes), "by": durations(), "for": durations(), "rate": rates(),
		"workers": counts(1, mostWorkers), "member": oneWord(Primary, Secondary), "bandwidth": matches(bandwidthForm), "hop": oneWord(hopNames()...),
	}
	of := fields{}
	for _, key := range stepKeys() {
		if of[key] = values[key]; of[key] == nil {
			of[key] = shape{} // a key that is new: anything, until it is said here
		}
	}
	s := g.object("Steps", of)
	var kinds, rules []shape
	for _, k := range stepKinds {
		kinds = append(kinds, has(k.name))
		if k.name != (BeginFault{}).Kind() {
			rules = append(rules, only(has(k.name), slices.Concat([]string{k.name, "within"}, k.takes)))
		}
	}
	for _, f := range faultKinds {
		keys, required := slices.Concat([]string{BeginFault{}.Kind(), "within", "role"}, f.takes), []string(nil)
		if f.on {
			keys = append(keys, "on")
		}
		if slices.Contains(f.takes, "hop") {
			required = append(required, "hop")
		}
		when := has(BeginFault{}.Kind())
		when["properties"] = shape{BeginFault{}.Kind(): shape{"const": f.name}}
		rules = append(rules, only(when, keys, required...))
	}
	s["oneOf"], s["allOf"] = kinds, rules
	return s
}

func hopNames() (names []string) {
	for _, h := range Hops() {
		names = append(names, string(h))
	}
	return names
}

// defect is the name of one of the reference app's, or one of more words.
func (g grammar) defect(more ...string) shape {
	if len(g.defects) == 0 {
		return matches(defectName)
	}
	return oneWord(slices.Concat(more, g.defects)...)
}

// env are variables, of which the stack's own cannot be set.
func (g grammar) env() shape {
	s := open(envName, arguments())
	s["propertyNames"] = shape{"pattern": envName.String(), "not": shape{"enum": told}}
	return s
}

// methodsForm is a route in one line: a method of those known, and a path.
func methodsForm() shape {
	known := slices.Sorted(maps.Keys(methods))
	return shape{"type": "string", "pattern": fmt.Sprintf("^(%s) +/", strings.Join(known, "|")), "examples": []string{"POST /insert/{word}"}}
}
