package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/pflag"

	"throughline/scenarios/exam"
)

// subjectFlags describe an application of somebody's own, to commands that write its scenarios.
type subjectFlags struct {
	command   string
	image     string
	name      string
	health    string
	routes    []string
	metrics   []string
	timers    []string
	gauges    []string
	env       map[string]string
	window    time.Duration
	instances int
	rate      perSecond
	database  bool
}

// The defaults of an application that is described by flags.
const (
	usualRate      perSecond = 100
	usualInstances           = 3
	usualWindow              = 100 * time.Millisecond
	usualHealth              = "/healthz"
)

func (f *subjectFlags) add(set *pflag.FlagSet) {
	set.StringVar(&f.command, "command", "", "the program and its arguments in one text, as a shell has them; or write them behind --")
	set.StringVar(&f.image, "image", "", "a container image in the place of a command, with --platform docker")
	set.StringVar(&f.name, "name", "", "what the application is called (default: its program's file)")
	set.StringVar(&f.health, "health", usualHealth, "the path that answers 2xx when an instance can serve")
	set.StringArrayVar(&f.routes, "route", nil, "a request that it answers, 'insert: POST /insert/{word}'; {word} is another one each time; repeat it for each")
	set.StringArrayVar(&f.metrics, "metric", nil, "a counter of the requests of a route, 'shop.orders: order'; without the route, the one that is called like the name's last part, or the only one; repeat it")
	set.StringArrayVar(&f.timers, "timer", nil, "a timer of the requests of a route, 'shop.orders.time: order'; repeat it")
	set.StringArrayVar(&f.gauges, "gauge", nil, "a gauge of the requests in flight, which is 0 at rest; repeat it")
	set.StringToStringVar(&f.env, "env", nil, "variables of its environment, NAME=VALUE,NAME=VALUE")
	set.DurationVar(&f.window, "client-window", usualWindow, "how long its StatsD client may hold a count before it sends it (docs/CLIENTS.md)")
	set.IntVar(&f.instances, "instances", usualInstances, "how many of it run")
	f.rate = usualRate
	set.Var(&f.rate, "rate", "requests per second, of all users")
	set.BoolVar(&f.database, "database", false, "it keeps its words in the database that MONGODB_URI names (test.words), which is to be held against the users")
}

var routeFlag = regexp.MustCompile(`^\s*([A-Za-z0-9][A-Za-z0-9_.-]*)\s*:\s+([A-Z]+)\s+(\S+)\s*$`)

// draft is the application as the flags have it; behind are the words behind --.
func (f subjectFlags) draft(behind []string) (exam.Draft, error) {
	d := exam.Draft{Instances: f.instances, Image: f.image, Command: behind, Env: f.env, Health: f.health, Database: f.database, Rate: float64(f.rate)}
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if f.command != "" {
		if len(behind) > 0 {
			fail("--command %s: there is a command behind -- too; give one of the two", f.command)
		}
		words, err := shellquote.Split(f.command)
		if err != nil {
			fail("--command %s: %w; write it as a shell has it", f.command, err)
		}
		d.Command = words
	}
	switch {
	case f.image != "" && len(d.Command) > 0:
		fail("--image %s: there is a command too; give one of the two", f.image)
	case f.image == "" && len(d.Command) == 0:
		fail("no application: write its command behind --, like -- python3 app.py")
	}
	for _, text := range f.routes {
		m := routeFlag.FindStringSubmatch(text)
		if m == nil {
			fail("--route %q: want a name, a method and a path, like 'insert: POST /insert/{word}'", text)
			continue
		}
		d.Routes = append(d.Routes, exam.Route{Name: m[1], Method: m[2], Path: m[3]})
	}
	if len(f.routes) == 0 {
		fail("no routes: which requests does it answer? add --route 'order: POST /orders/{word}' for each")
	}
	for _, text := range f.metrics {
		metric, route, err := f.counts(text, d.Routes)
		if err != nil {
			fail("--metric %w", err)
		}
		d.Counters = append(d.Counters, exam.Counter{Metric: metric, Route: route, Window: f.window})
	}
	for _, text := range f.timers {
		metric, route, err := f.counts(text, d.Routes)
		if err != nil {
			fail("--timer %w", err)
		}
		d.Timers = append(d.Timers, exam.Timer{Metric: metric, Route: route, Window: f.window})
	}
	for _, metric := range f.gauges {
		d.Gauges = append(d.Gauges, exam.Gauge{Metric: metric, Window: f.window})
	}
	d.Name = f.name
	if d.Name == "" && len(errs) == 0 {
		d.Name = nameOf(d)
	}
	d.About = "The metrics of " + d.Name + " while its instances come and go."
	return d, errors.Join(errs...)
}

// counts reads 'metric: route', where the route may be left out.
func (subjectFlags) counts(text string, routes []exam.Route) (metric, route string, err error) {
	metric, route, given := strings.Cut(text, ":")
	metric, route = strings.TrimSpace(metric), strings.TrimSpace(route)
	if given {
		return metric, route, nil // whether there is such a route the reader of scenarios says
	}
	last := metric[strings.LastIndex(metric, ".")+1:]
	for _, r := range routes {
		if r.Name == last || len(routes) == 1 {
			return metric, r.Name, nil
		}
	}
	return metric, "", fmt.Errorf("%s: whose requests does it count? write '%[1]s: ROUTE'", metric)
}

var noName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// nameOf makes a name of the program: of a script, where an interpreter is given one.
func nameOf(d exam.Draft) string {
	name := d.Image
	if len(d.Command) > 0 {
		name = d.Command[0]
		for _, word := range d.Command[1:] {
			if ext := filepath.Ext(word); !strings.HasPrefix(word, "-") && len(ext) > 1 && len(ext) < 5 && !strings.ContainsAny(word, "{:") {
				name = strings.TrimSuffix(word, ext)
				break
			}
		}
	}
	name = strings.Trim(noName.ReplaceAllString(filepath.Base(name), "-"), "-._")
	if name == "" {
		return "app"
	}
	return name[:min(len(name), 50)]
}
