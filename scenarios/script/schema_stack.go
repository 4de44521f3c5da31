package script

import (
	"maps"
	"slices"
)

func (g grammar) stack() shape {
	role := g.role()
	roles := open(roleName, role)
	roles["propertyNames"] = shape{"pattern": roleName.String(), "maxLength": longestRole, "not": shape{"enum": append(slices.Clone(reserved), FirstRole)}}
	return g.object("stack", fields{
		"web":   role,
		"roles": roles,
		"httpd": yesNo(),
		"mongo": either(shape{"const": MongoNone}, g.object("stack", fields{
			"members": counts(LeastMembers, MostMembers), "forget": counts(leastForget, mostForget), "write_concern": shape{"enum": []any{1, "majority"}},
		})),
		"lb":         g.object("stack", fields{"retry": oneWord("conn-failure", retryAll)}, "retry"),
		"collector":  g.object("stack", fields{"tags": oneWord(TagStyles()...)}, "tags"),
		"cloud":      yesNo(),
		"dir":        text(),
		"agent":      g.agent(),
		"cloudwatch": g.options("CloudWatch", fields{"period": durations(), "delay": durations()}),
	}, "web")
}

// agent is what runs beside each instance of web.
func (g grammar) agent() shape {
	return g.options("Agents", fields{
		"command": lists(arguments()),
		"files":   open(nil, arguments()),
		"window":  durations(),
		"metrics": g.object("Agents", fields{"scrape": paths(), "every": durations()}, "scrape"),
		"health":  paths(),
		"linger":  durations(),
		"stop":    durations(),
		"defect":  oneWord(AgentDefects()...),
	})
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
			"otlp": oneWord(OTLPProtobuf, OTLPGRPC, OTLPJSON), "scrape": paths(), "every": durations(),
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
