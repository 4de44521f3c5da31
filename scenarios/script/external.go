package script

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// External is a stack that runs already and is not the run's: it is put under load, changed by commands of the user's, and
// judged. Users go straight to its URL; its load balancer, database and machines are not seen.
type External struct {
	URL       string   // where users are served, without a path
	Header    string   // of answers, with the name of the instance that gave it
	Instances []string // that run from the start
	// Launched is what further instances are called, with {{.Number}} in it, which goes on from the number of Instances.
	Launched string
	// StatsD is host:port where the run's collector listens; "": nobody sends it anything. Who sent a line its tag Tag tells, or, without one, the address that it
	// came from, by Addresses.
	StatsD    string
	Tag       string
	Addresses map[string]string // by instance
	Alive     []string          // a command whose exit status is 0 while {{.Name}} lives; nil: there is none
	Health    string            // a URL that answers with 2xx while {{.Name}} lives; "": there is none
	Do        map[string][]string
	After     []string // a command that is executed at the end, however the run went; nil: none is
}

// Named is what its instance of a number (1, 2, …) is called.
func (x External) Named(number int) string {
	if number <= len(x.Instances) {
		return x.Instances[number-1]
	}
	return strings.ReplaceAll(x.Launched, numberWord, strconv.Itoa(number))
}

// InstanceName is what the instance of a role and a number is called in this stack.
func (s Stack) InstanceName(role string, number int) string {
	if s.External != nil {
		return s.External.Named(number)
	}
	return InstanceName(role, number)
}

const (
	numberWord = "{{.Number}}"
	nameWord   = "{{.Name}}"
	countWord  = "{{.Count}}"
)

// ServedBy is the header that names who answered, unless a stack has another one.
const ServedBy = "X-Served-By"

var (
	headerName  = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	foreignName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.@-]{0,127}$`) // never that of an address

	launchedName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.@-]*\{\{\.Number\}\}[A-Za-z0-9_.@-]*$`)
)

const wantName = "the name of an instance, a letter and then letters, digits, '-', '_', '.' and '@', like web-1"

// foreignMoves are the commands that `do` can have.
var foreignMoves = []string{Kill{}.Kind(), Terminate{}.Kind(), Launch{}.Kind(), Scale{}.Kind()}

// does are the kinds of steps that can be done to a stack that is there.
var does = append(slices.Clone(foreignMoves), Replace{}.Kind())

// external reads `stack.external`, in the place of all that a run would start.
func (r *reader) external(stack mapping, v value, s *Stack) {
	for i, k := range stack.keys {
		if key := plain(k.node); key != "external" && key != "collector" {
			stack.entries[i].failf("the stack is there already (stack.external), so nothing can be said of how it is started: remove it")
		}
	}
	x := &External{Header: ServedBy}
	s.External, s.Mongo = x, MongoNone
	s.Web.Health, s.Web.Stop = "", defaultStop
	m, ok := v.mapping("url", "header", "instances", "launched", "routes", "statsd", "alive", "health", "stop", "do", "after")
	if !ok {
		return
	}
	m.require("url", "instances")
	if !r.fromServer { // else a server has their metrics, and they need send none
		m.require("statsd")
	}
	if v, ok := m.get("url"); ok {
		x.URL = v.served()
	}
	if v, ok := m.get("header"); ok {
		x.Header = v.matching(headerName, "the name of a response header, like "+ServedBy)
	}
	if v, ok := m.get("instances"); ok {
		x.Instances = v.foreignInstances()
	}
	s.Web.Instances = len(x.Instances)
	if v, ok := m.get("launched"); ok {
		x.Launched = v.matching(launchedName, "a name with {{.Number}} in it, like web-{{.Number}}")
	}
	if v, ok := m.get("routes"); ok {
		s.Web.Routes = v.routes()
	}
	if v, ok := m.get("statsd"); ok {
		v.foreignStatsD(x)
	}
	if v, ok := m.get("stop"); ok {
		if s.Web.Stop = v.duration(shortest); s.Web.Stop > longestStop {
			v.failf("%s is out of range: want %s to %s", show(s.Web.Stop), show(shortest), show(longestStop))
		}
	}
	if v, ok := m.get("alive"); ok {
		x.Alive = v.foreignCommand(nameWord)
	}
	if v, ok := m.get("health"); ok {
		if _, both := m.get("alive"); both {
			v.failf("there is alive too: want one of the two")
		}
		x.Health = v.foreignHealth()
	}
	if v, ok := m.get("do"); ok {
		x.Do = v.foreignDo()
	}
	if v, ok := m.get("after"); ok {
		x.After = v.foreignCommand("")
	}
	for _, name := range x.Instances {
		if _, known := x.Addresses[name]; len(x.Addresses) > 0 && !known {
			v.failf("statsd.addresses has none of %s, so that its metrics would be nobody's", name)
		}
	}
}

// served reads where users are served.
func (v value) served() string {
	const want = "scheme, host and port, like http://127.0.0.1:8080; paths belong to the routes"
	text := v.line(want)
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Hostname() == "", u.Path != "" && u.Path != "/", u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		v.failf("%s: want %s", quote(text), want)
	case u.Scheme == "https":
		v.failf("%s: what goes over TLS cannot be followed to the wire, so that nobody could tell what was sent: want http, past whatever ends TLS", quote(text))
	case u.Scheme != "http":
		v.failf("%s: want %s", quote(text), want)
	}
	return strings.TrimSuffix(text, "/")
}

func (v value) foreignInstances() (names []string) {
	items := v.list("a list of names, like [web-1, web-2]", v.name)
	for _, item := range items {
		name := item.matching(foreignName, wantName)
		switch {
		case name == "":
			continue
		case StandsIn(name) || name == ReplaceAll || name == Primary:
			item.failf("%s stands for an instance, or for several, in steps: want the name of one", quote(name))
		case slices.Contains(names, name):
			item.failf("%s is there twice: want each instance once", quote(name))
		}
		names = append(names, name)
	}
	if len(items) > MaxInstances {
		v.failf("want at most %d, got %d", MaxInstances, len(items))
	}
	return names
}

// foreignStatsD reads where the collector listens, and how it tells who sent a line.
func (v value) foreignStatsD(x *External) {
	m, ok := v.mapping("listen", "tag", "addresses")
	if !ok {
		return
	}
	m.require("listen")
	if v, ok := m.get("listen"); ok {
		const want = "a host and a port, like 127.0.0.1:8125"
		x.StatsD = v.line(want)
		if host, port, err := net.SplitHostPort(x.StatsD); x.StatsD != "" && (err != nil || host == "" || !isPort(port)) {
			v.failf("%s is not %s", quote(x.StatsD), want)
		}
	}
	tag, tagged := m.get("tag")
	addresses, addressed := m.get("addresses")
	switch {
	case tagged && addressed:
		addresses.failf("there is tag too: want one of the two")
	case tagged:
		x.Tag = tag.matching(tagName, "the name of a tag, like instance or host")
	case addressed:
		x.Addresses = addresses.addresses()
	default:
		m.failf("who sent a line? want tag: instance, whose value is the instance's name, or addresses: {web-1: 10.0.0.11, …}")
	}
}

func isPort(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n > 0 && n < 1<<16
}

func (v value) addresses() map[string]string {
	m, ok := v.open("names and addresses, like {web-1: 10.0.0.11}")
	if !ok {
		return nil
	}
	out, of := map[string]string{}, map[string]string{}
	for i, k := range m.keys {
		name, text := plain(k.node), m.entries[i].line("an IP address, like 10.0.0.11")
		if text != "" && net.ParseIP(text) == nil {
			m.entries[i].failf("%s is not an IP address, like 10.0.0.11", quote(text))
		}
		if other, taken := of[text]; taken {
			m.entries[i].failf("%s is the address of %s too, so that nobody knows which of them sent a line: want tag", text, other)
		}
		out[name], of[text] = text, name
	}
	return out
}

// foreignCommand reads a program with its arguments, which must have a word in it.
func (v value) foreignCommand(word string) (args []string) {
	const want = "a list of a program and its arguments, like [docker, kill, \"{{.Name}}\"]"
	for i, item := range v.list(want, v.name) {
		if i == 0 {
			args = append(args, item.filled("a program"))
			continue
		}
		args = append(args, item.argument())
	}
	if word != "" && len(args) > 0 && !strings.Contains(strings.Join(args, " "), word) {
		v.failf("it is the same for all instances: want %s in it", word)
	}
	return args
}

func (v value) foreignHealth() string {
	const want = "a URL with {{.Name}} in it, like http://{{.Name}}:8080/healthz"
	text := v.line(want)
	if text == "" {
		return ""
	}
	u, err := url.Parse(strings.ReplaceAll(text, nameWord, "web-1"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !strings.Contains(text, nameWord) {
		v.failf("%s is not %s", quote(text), want)
	}
	return text
}

func (v value) foreignDo() map[string][]string {
	m, ok := v.mapping(foreignMoves...)
	if !ok {
		return nil
	}
	do := map[string][]string{}
	for i, k := range m.keys {
		switch kind := plain(k.node); {
		case !slices.Contains(foreignMoves, kind):
		case kind == Scale{}.Kind():
			do[kind] = m.entries[i].foreignCommand(countWord)
		case kind == Launch{}.Kind():
			do[kind] = m.entries[i].foreignCommand("")
		default:
			do[kind] = m.entries[i].foreignCommand(nameWord)
		}
	}
	return do
}

// cannot tells why no step of that kind can be done to a stack that is there; nil if it can.
func (x External) cannot(m Move) error {
	if !slices.Contains(does, m.Kind()) {
		what := "it"
		if b, begins := m.(BeginFault); begins {
			what = b.Fault.Name() + " is done to parts that a run has started, and"
		}
		return fmt.Errorf("%v: %s cannot be done to a stack that is there already (stack.external): want one of %s", m, what, list(does))
	}
	if len(x.Alive) == 0 && x.Health == "" {
		return fmt.Errorf("%v: nobody could tell whether it had an effect: want stack.external.alive or stack.external.health", m)
	}
	return nil
}

// able tells what a move lacks after which the last number of an instance is after, where it was before, and which ends any if ends.
func (x External) able(m Move, before, after int, ends bool) error {
	need := func(kinds ...string) error {
		if slices.ContainsFunc(kinds, func(kind string) bool { return len(x.Do[kind]) > 0 }) {
			return nil
		}
		return fmt.Errorf("%v: how? want stack.external.do.%s, like [a program, its arguments]", m, strings.Join(kinds, " or stack.external.do."))
	}
	if ends && m.Kind() == (Kill{}).Kind() {
		return need("kill")
	}
	if ends {
		if err := need("terminate", "scale"); err != nil {
			return err
		}
	}
	for number := before + 1; number <= after; number++ {
		if err := cmp.Or(need("launch", "scale"), x.nameless(m, number)); err != nil {
			return err
		}
	}
	return nil
}

// nameless tells why nobody could know an instance of a number that is launched; nil if all could.
func (x External) nameless(m Move, number int) error {
	if x.Launched == "" {
		return fmt.Errorf("%v: what are further instances called? want stack.external.launched, like web-{{.Number}}", m)
	}
	name := x.Named(number)
	if slices.Contains(x.Instances, name) {
		return fmt.Errorf("%v: stack.external.launched calls the next one %s, as one that is there already: no name can be used twice", m, name)
	}
	if _, known := x.Addresses[name]; x.StatsD != "" && x.Tag == "" && !known {
		return fmt.Errorf("%v: stack.external.statsd.addresses has no address of %s, so that its metrics would be nobody's", m, name)
	}
	return nil
}

// unseen tells why a promise cannot be judged of a stack that is there; "" if it can.
func unseen(p Promise) string {
	const there = " of a stack that is there already (stack.external)"
	switch p := p.(type) {
	case Correlation:
		for _, layer := range p.Layers {
			if layer != "users" && layer != "web" {
				return "nobody sees the layer " + layer + there + ": want users and web"
			}
		}
	case Audit:
		return "nobody reads the database" + there + ": remove the check"
	case TwoViews:
		return "nobody sees the CPU of the machines" + there + ": remove the check"
	case Scaling:
		return "an autoscaler" + there + " is its own, and its decisions are not seen: remove the check"
	case Continuity:
		if p.Source != "" {
			return "nobody asks CloudWatch" + there + ": remove source, and give metric"
		}
	}
	return ""
}

// unseenOf complains about what else of a scenario a stack that is there has not.
func (r *reader) unseenOf(root mapping, s *Scenario) {
	if v, ok := root.get("autoscale"); ok {
		v.failf("a stack that is there already (stack.external) is scaled by steps, or by an autoscaler of its own: remove it")
	}
	for _, c := range s.Checks {
		if why := unseen(c.Promise); why != "" {
			r.failf(c.Pos, "%s: %s", c.Kind(), why)
		}
	}
}
