package script

import (
	"maps"
	"regexp"
	"slices"
)

func (g grammar) stack() shape {
	role := g.role()
	roles := open(roleName, role)
	roles["propertyNames"] = shape{"pattern": roleName.String(), "maxLength": longestRole, "not": shape{"enum": append(slices.Clone(reserved), FirstRole)}}
	s := g.object("stack", fields{
		"external": g.external(),
		"web":      role,
		"roles":    roles,
		"httpd":    yesNo(),
		"mongo": either(shape{"const": MongoNone}, g.object("stack", fields{
			"members": counts(LeastMembers, MostMembers), "forget": counts(leastForget, mostForget), "write_concern": shape{"enum": []any{1, "majority"}},
		})),
		"lb":         g.object("stack", fields{"retry": oneWord("conn-failure", retryAll)}, "retry"),
		"collector":  g.object("stack", fields{"tags": oneWord(TagStyles()...)}, "tags"),
		"cloud":      yesNo(),
		"dir":        text(),
		"agent":      g.agent(),
		"cloudwatch": g.options("CloudWatch", fields{"period": durations(), "delay": durations()}),
	})
	s["if"], s["then"], s["else"] = has("external"), shape{"propertyNames": oneWord("external", "collector")}, has("web")
	s["not"] = pastAgents()
	return s
}

// external is a stack that is there already.
func (g grammar) external() shape {
	const heading = "A stack that is there"
	statsd := g.object(heading, fields{
		"listen": text(), "tag": matches(tagName), "addresses": open(foreignName, text()),
	}, "listen")
	statsd["oneOf"] = []shape{has("tag"), has("addresses")}
	do := fields{}
	for _, kind := range foreignMoves {
		do[kind] = lists(arguments())
	}
	s := g.object(heading, fields{
		"url": shape{"type": "string", "pattern": "^http://"}, "header": matches(headerName), "instances": lists(matches(foreignName)),
		"launched": matches(launchedName), "routes": open(routeName, g.route()), "statsd": statsd, "alive": lists(arguments()), "health": text(),
		"stop": durations(), "do": g.object(heading, do), "after": lists(arguments()),
	}, "url", "instances") // statsd: see file
	s["not"] = shape{"required": []string{"alive", "health"}}
	return s
}

// agent is what runs beside each instance of web.
func (g grammar) agent() shape {
	metrics := g.object("Agents", fields{"scrape": paths(), "otlp": oneWord(OTLPProtobuf, OTLPGRPC, OTLPJSON), "every": durations()})
	metrics["oneOf"] = []shape{{"required": []string{"scrape"}}, {"required": []string{"otlp"}, "not": has("every")}}
	s := g.options("Agents", fields{
		"command": lists(arguments()),
		"files":   open(plainFile, arguments()),
		"window":  durations(),
		"metrics": metrics,
		"health":  paths(),
		"linger":  durations(),
		"stop":    durations(),
		"defect":  oneWord(AgentDefects()...),
	})
	s["if"] = has("command")
	s["then"] = shape{"required": []string{"window"}, "not": has("defect")}
	s["else"] = shape{"not": has("metrics")}
	return s
}

// plainFile is the name of a file without a folder.
var plainFile = regexp.MustCompile(`^[^/]+$`)

// pastAgents is a stack whose instances of web have another way than to the agents beside them.
func pastAgents() shape {
	return shape{"required": []string{"agent", "web"}, "properties": shape{"web": has("metrics")}}
}

// role is what the instances of a role are.
func (g grammar) role() shape {
	s := g.object("stack", fields{
		"instances": counts(1, MaxInstances),
		"command":   lists(arguments()),
		"image":     matches(imageName),
		"env":       g.env(),
		"health":    either(paths(), shape{"const": noHealth}),
		"stop":      durations(),
		"routes":    open(routeName, g.route()),
		"defect":    g.defect(),
		"version":   arguments(),
		"metrics": g.object("Metrics by other ways", fields{
			"otlp": oneWord(OTLPProtobuf, OTLPGRPC, OTLPJSON), "scrape": paths(), "every": durations(), honorLabels: yesNo(),
		}),
	}, "instances")
	s["not"] = shape{"required": []string{"command", "image"}}
	return s
}

func (g grammar) route() shape {
	return either(methodsForm(), g.object("stack", fields{
		"method": oneWord(slices.Sorted(maps.Keys(methods))...), "path": paths(), "writes": shape{"type": "boolean"},
	}, "method", "path"))
}
