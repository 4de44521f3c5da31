package script

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"throughline/expand"
)

// defaultHealth is where an instance says that it can serve, unless `health` names another path.
const defaultHealth = "/healthz"

// defaultStop is how long an instance may take to end after SIGTERM, unless `stop` says otherwise. Docker gives 10 s and
// Kubernetes 30 s.
const defaultStop = 15 * time.Second

// longestStop bounds `stop`: somebody waits for the end of the run.
const longestStop = 10 * time.Minute

// referenceRoutes are the requests that the reference app answers.
func referenceRoutes() map[string]Route {
	return map[string]Route{
		"insert":     {Method: http.MethodPost, Path: "/insert/{word}", Writes: true},
		"insert-get": {Method: http.MethodGet, Path: "/insert/{word}", Writes: true},
		"get":        {Method: http.MethodGet, Path: "/get/{word}"},
		"list":       {Method: http.MethodGet, Path: "/get"},
		"toplist":    {Method: http.MethodGet, Path: "/toplist"},
	}
}

func (r *reader) stack(v value, s *Stack) {
	m, ok := v.mapping("web", "roles", "httpd", "mongo", "lb", "collector", "cloud", "cloudwatch", "agent", "external", "dir")
	if !ok {
		return
	}
	if there, is := m.get("external"); is {
		r.collector(m, s)
		r.external(m, there, s)
		return
	}
	m.require("web")
	if v, ok := m.get("dir"); ok {
		s.Dir = v.line("a directory, like ../shop")
	}
	s.HTTPD = m.yes("httpd")
	if v, ok := m.get("lb"); ok {
		if m, ok := v.mapping("retry"); ok {
			m.require("retry")
			if v, ok := m.get("retry"); ok {
				s.RetryAll = v.oneOf("conn-failure", retryAll) == retryAll
			}
		}
	}
	if v, ok := m.get("mongo"); ok {
		v.mongo(s)
	}
	r.collector(m, s)
	web, given := m.get("web")
	if given {
		r.role(web, &s.Web)
	}
	if v, ok := m.get("roles"); ok {
		r.roles(v, s)
	}
	if v, ok := m.get("agent"); ok {
		s.Agent = r.agent(v)
		if s.Web.Metrics != (Metrics{}) {
			v.failf("instances of web send StatsD lines to the agents beside them, and stack.web.metrics has another way for them past these: remove one of the two")
		}
	}
	s.Cloud = m.yes("cloud")
	if v, ok := m.get("cloudwatch"); ok {
		s.CloudWatch = v.cloudWatch()
		if cloud, said := m.get("cloud"); said && !s.Cloud {
			cloud.failf("there is stack.cloudwatch, which is of a cloud: remove one of the two")
		}
		s.Cloud = true
	}
	if s.Cloud && given {
		r.inCloud(web)
		if v, ok := m.get("roles"); ok {
			for _, each := range v.entriesOf() {
				r.inCloud(each)
			}
		}
	}
	if v, ok := m.get("mongo"); ok && given && s.Mongo == MongoNone && !r.opts.Ran && slices.ContainsFunc(s.Roles(), Web.reference) {
		s.Mongo = "" // one mistake, not one for each check and fault that needs a database
		v.failf("the reference app keeps its words in a database and does not start without: leave the key out, or give an app of your own, with stack.web.command or image")
	}
}

// collector reads `stack.collector`.
func (r *reader) collector(stack mapping, s *Stack) {
	v, ok := stack.get("collector")
	if !ok {
		return
	}
	if m, ok := v.mapping("tags"); ok {
		m.require("tags")
		if v, ok := m.get("tags"); ok {
			s.Tags = v.oneOf(TagStyles()...)
		}
	}
}

// metadataVariable is what an instance in a cloud is told besides.
const metadataVariable = "AWS_EC2_METADATA_SERVICE_ENDPOINT"

// inCloud complains about what a stack in a cloud tells its instances itself.
func (r *reader) inCloud(web value) {
	m, ok := web.node.(*ast.MappingNode)
	if !ok {
		return
	}
	for _, e := range m.Values {
		if plain(e.Key) != "env" {
			continue
		}
		if k, there := r.value(web.below("env"), e.Value, web.at).keyed(metadataVariable); there {
			k.failf("%s is set for each instance by the stack, in a cloud: choose another name", metadataVariable)
		}
	}
}

// reference tells whether the application is the reference app.
func (w Web) reference() bool { return w.Image == "" && len(w.Command) == 0 }

// TagStyles are the styles of tags that `tags` of the collector can name, the default first.
func TagStyles() []string { return []string{"dogstatsd", "influxdb", "librato", "signalfx", "all"} }

// retryAll is the `retry` of a load balancer that repeats whatever failed.
const retryAll = "all"

// leastForget is the smallest `forget`: a database that keeps nothing is no database.
const leastForget, mostForget = 2, 1_000_000

// LeastMembers and MostMembers are those of a replica set: with two, none may die; MongoDB lets seven vote.
const LeastMembers, MostMembers = 3, 7

// mongo reads "none", or how many members the database has, and what is wrong with the embedded one.
func (v value) mongo(s *Stack) {
	if _, wrong := v.node.(*ast.MappingNode); wrong {
		if m, ok := v.mapping("members", "forget", "write_concern"); ok {
			if len(m.keys) == 0 {
				v.failf("want members, forget or write_concern, like {members: 3}")
			}
			if v, ok := m.get("members"); ok {
				s.Members = v.count(LeastMembers, MostMembers)
			}
			if v, ok := m.get("forget"); ok {
				s.Forget = v.count(leastForget, mostForget)
			}
			if v, ok := m.get("write_concern"); ok {
				concern := plain(v.node)
				if s.Early = concern == "1"; !s.Early && concern != "majority" {
					v.failf("want majority or 1, got %s", concern)
				}
				if _, set := m.get("members"); !set {
					v.failf("is of a database with members: want members too, like {members: 3, write_concern: 1}")
				}
			}
		}
		return
	}
	s.Mongo = v.line("text")
	if s.Mongo != "" && s.Mongo != MongoNone {
		v.failf("unknown %s: want %s, or leave the key out: a server of your own is named on the command line, with --mongo", quote(s.Mongo), MongoNone)
	}
}

// role reads what the instances of a role are: `stack.web`, or one of `stack.roles`.
func (r *reader) role(v value, w *Web) {
	w.Health, w.Stop = defaultHealth, defaultStop
	m, ok := v.mapping("instances", "command", "image", "env", "health", "stop", "routes", "defect", "version", "metrics")
	if !ok {
		return
	}
	m.require("instances")
	if v, ok := m.get("instances"); ok {
		w.Instances = v.instances(1)
	}
	r.program(m, w)
	if v, ok := m.get("env"); ok {
		w.Env = v.env()
		if k, there := v.keyed(versionVariable); there {
			r.ownVersion[w.Key()] = k
		}
	}
	if v, ok := m.get("version"); ok {
		w.Version = v.versionOf()
	}
	if v, ok := m.get("metrics"); ok {
		w.Metrics = v.metrics()
	}
	health, asked := m.get("health")
	if asked && plain(health.node) != noHealth {
		w.Health = health.health()
	}
	if v, ok := m.get("stop"); ok {
		if w.Stop = v.duration(shortest); w.Stop > longestStop {
			v.failf("%s is out of range: want %s to %s", show(w.Stop), show(shortest), show(longestStop))
		}
	}
	if v, ok := m.get("routes"); ok {
		w.Routes = v.routes()
	}
	if asked && plain(health.node) == noHealth {
		if w.Health = ""; w.WithUsers() {
			health.failf("users come to these instances, so the load balancer has to know who can serve: want a path like %s", defaultHealth)
		}
		for _, s := range slices.Concat(w.Command, slices.Sorted(maps.Values(w.Env))) {
			if _, err := expand.Text(s, nowhere); err != nil {
				health.failf("instances that listen nowhere have no port, and %s names it: remove one of the two", quote(s))
			}
		}
	}
}

// program reads what an instance executes.
func (r *reader) program(m mapping, w *Web) {
	command, foreign := m.get("command")
	if foreign {
		w.Command = command.arguments()
	}
	if v, ok := m.get("image"); ok {
		w.Image = v.matching(imageName, "the name of a container image, like registry.example.com/team/app:1.2")
		if foreign {
			v.failf("there is a command too: want one of the two")
		}
		foreign = true
	}
	if v, ok := m.get("defect"); ok {
		w.Defect = r.defect(v, foreign || !w.reference())
	}
}

var (
	imageName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}$`)
	defectName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	envName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	routeName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
)

func (r *reader) defect(v value, foreign bool) string {
	name := v.matching(defectName, "the name of a defect: small letters, digits and '-'")
	switch {
	case name == "":
	case foreign:
		v.failf("%s belongs to the reference app: remove it, or remove command and image", quote(name))
	case len(r.opts.Defects) > 0 && !slices.Contains(r.opts.Defects, name):
		v.failf("unknown %s: %s", quote(name), didYouMean(name, r.opts.Defects))
	}
	return name
}

// arguments reads a program with its arguments.
func (v value) arguments() []string {
	const want = "a list of a program and its arguments, like [python3, app.py]"
	var args []string
	for i, item := range v.list(want, v.name) {
		if i == 0 {
			args = append(args, item.expands(item.filled("a program")))
			continue
		}
		args = append(args, item.expands(item.argument()))
	}
	return args
}

// somewhere is a place that an instance could have: what expands there expands wherever a platform puts it.
var somewhere = expand.Site{Name: "web-1", Host: "127.0.0.1", Dir: "/", Ports: map[string]int{"http": 8080}}

// nowhere is the same of an instance that listens nowhere.
var nowhere = expand.Site{Name: somewhere.Name, Host: somewhere.Host, Dir: somewhere.Dir}

// expands refuses templates that no platform could expand.
func (v value) expands(s string) string {
	if _, err := expand.Text(s, somewhere); err != nil {
		v.failf("%s does not expand: %v; want one of %s", quote(s), err, expand.Fields)
	}
	return s
}

// told are the variables that every instance gets from the stack. A scenario that sets them would take the metrics, the
// port or the name away from the instance.
var told = []string{
	"PORT", "HOST", "INSTANCE", "ZONE", "STATSD_HOST", "STATSD_PORT",
	"DD_AGENT_HOST", "DD_DOGSTATSD_PORT", "DD_DOGSTATSD_URL", "DD_TAGS", "MONGODB_URI",
}

func (v value) env() map[string]string {
	m, ok := v.open("names and values, like {LOG_LEVEL: debug}")
	if !ok {
		return nil
	}
	env := map[string]string{}
	for i, k := range m.keys {
		name := plain(k.node)
		switch {
		case !envName.MatchString(name):
			k.failf("%s is not the name of a variable: want letters, digits and '_', like LOG_LEVEL", quote(name))
		case slices.Contains(told, name):
			k.failf("%s is set for each instance by the stack: choose another name", name)
		default:
			env[name] = m.entries[i].expands(m.entries[i].argument())
		}
	}
	return env
}

// noHealth is the `health` of instances that listen nowhere: they are ready once they run. Only a role without routes has it.
const noHealth = "none"

// notInPaths are the characters that a URL's path and query must not hold (RFC 3986, section 3.3), braces aside: they
// mark what stands for the word.
const notInPaths = " \t#\\\"<>^`|"

// health reads the path that says whether an instance can serve. It goes into HAProxy's configuration as it is.
func (v value) health() string {
	s := v.line("a path, like " + defaultHealth)
	switch {
	case s == "":
		return ""
	case !v.isPath(s, defaultHealth):
		return ""
	case strings.ContainsAny(s, "{}"):
		v.failf("%s: nothing is replaced in a health check, it is the same for all instances: want a path like %s", quote(s), defaultHealth)
		return ""
	}
	if i := strings.IndexAny(s, notInHealth); i >= 0 {
		v.failf("%s: HAProxy cannot ask for a path with %q: write it as %%%X", quote(s), s[i], s[i])
		return ""
	}
	return s
}

// notInHealth are the characters of a path that mean something in HAProxy's configuration.
const notInHealth = "'$"

// isPath tells whether s is the path of a URL with its query, and complains if it is not.
func (v value) isPath(s, like string) bool {
	if !strings.HasPrefix(s, "/") || strings.ContainsAny(s, notInPaths) {
		v.failf("%s is not a path: want one like %s", quote(s), like)
		return false
	}
	if _, err := url.Parse("http://localhost" + s); err != nil {
		cause := err
		if about := (*url.Error)(nil); errors.As(err, &about) {
			cause = about.Err
		}
		v.failf("%s is not a path: %v; want one like %s", quote(s), cause, like)
		return false
	}
	return true
}

func (v value) routes() map[string]Route {
	m, ok := v.open("names and routes, like insert: POST /insert/{word}")
	routes := map[string]Route{}
	if !ok {
		return routes
	}
	if len(m.keys) > MaxPhases {
		v.failf("want at most %d, got %d", MaxPhases, len(m.keys))
		return routes
	}
	for i, k := range m.keys {
		name := plain(k.node)
		if !routeName.MatchString(name) {
			k.failf("%s is not a name: want letters, digits, '-', '_' and '.'", quote(name))
		}
		routes[name] = m.entries[i].route()
	}
	return routes
}

// methods are the HTTP methods a route may have, with whether they change state by themselves (RFC 9110, section 9.2.1).
var methods = map[string]bool{
	http.MethodGet: false, http.MethodHead: false, http.MethodOptions: false,
	http.MethodPost: true, http.MethodPut: true, http.MethodPatch: true, http.MethodDelete: true,
}

const wantRoute = "a method and a path, like POST /insert/{word}"

// route reads "POST /insert/{word}" or its long form.
func (v value) route() Route {
	known := slices.Sorted(maps.Keys(methods))
	if _, long := v.node.(*ast.MappingNode); !long {
		line := v.line(wantRoute)
		method, path, both := strings.Cut(line, " ")
		switch {
		case line == "":
		case !both:
			v.failf("%s: want %s", quote(line), wantRoute)
		case !slices.Contains(known, method):
			v.failf("unknown method %s: %s", quote(method), didYouMean(method, known))
		default:
			return Route{Method: method, Path: v.pattern(strings.TrimSpace(path)), Writes: methods[method]}
		}
		return Route{}
	}
	m, ok := v.mapping("method", "path", "writes")
	if !ok {
		return Route{}
	}
	m.require("method", "path")
	var route Route
	if v, ok := m.get("method"); ok {
		route.Method = v.oneOf(known...)
		route.Writes = methods[route.Method]
	}
	if v, ok := m.get("path"); ok {
		if path := v.line("a path, like /insert/{word}"); path != "" {
			route.Path = v.pattern(path)
		}
	}
	if v, ok := m.get("writes"); ok {
		route.Writes = v.truth()
	}
	return route
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}|[{}]`)

// otherStyles finds what stands for a value in the routes of other languages: /:word in gin, /<word> in Flask, {{word}} in
// templates, $word in shells. Who means a path with a colon there writes %3A.
var otherStyles = regexp.MustCompile(`[/=](:[A-Za-z_]\w*|<[^<>/]*>|\$\{?[A-Za-z_]\w*\}?|\{\{[^{}]*\}\})`)

// pattern checks the path of a route, in which {word} stands for a word.
func (v value) pattern(s string) string {
	if styled := otherStyles.FindStringSubmatch(s); styled != nil {
		v.failf("%s in %s is sent as it stands: write {word} where the word is meant", quote(styled[1]), quote(s))
		return ""
	}
	if !v.isPath(s, "/insert/{word}") {
		return ""
	}
	for _, p := range placeholder.FindAllString(s, -1) {
		if p != "{word}" {
			v.failf("unknown placeholder %s in %s: {word} is the only one", quote(p), quote(s))
			return ""
		}
	}
	return s
}
