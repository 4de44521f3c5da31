package script

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"throughline/expand"
)

// AgentRole is what the agents of a stack are called by: agent-2 is the one beside web-2.
const AgentRole = "agent"

// Agent is a metrics agent between the instances of web and the collector: one beside each, which takes its StatsD lines,
// and gives on what it made of them. The zero Agent: there is none.
type Agent struct {
	Command []string          // its program and arguments, nil: the reference agent; templates are left in
	Files   map[string]string // by name, in its own directory; templates are left in
	// Window is for how long it may hold a count before it has given it on, or can be scraped.
	Window  time.Duration
	Metrics Metrics       // how the collector gets what it has; its zero: it sends StatsD lines on
	Health  string        // path that answers 2xx when it can serve, at its port http; "": it need not listen there
	Linger  time.Duration // for how long it outlives its instance
	Stop    time.Duration // how long it may take from SIGTERM to its end, before it is killed
	Defect  string        // of the reference agent, "" for nothing
}

// There tells whether the stack has agents.
func (a Agent) There() bool { return a.Window > 0 }

// Late is for how long a count may be held between an instance's client and the collector: until the agent gives it on, or has it to be
// scraped, and then until a scrape has brought it.
func (a Agent) Late() time.Duration { return a.Window + a.Metrics.Unscraped() }

// AgentDefects are those of the reference agent.
func AgentDefects() []string { return []string{AgentDropsBucket} }

// AgentDropsBucket is the [Agent.Defect] of an agent that ends at SIGTERM without having given on what it holds.
const AgentDropsBucket = "drops-bucket"

const (
	defaultAgentWindow = time.Second
	longestAgentWindow = time.Minute
	defaultAgentStop   = 5 * time.Second
	longestLinger      = time.Minute
	longestAway        = time.Minute
)

// AgentOf is the agent beside an instance: that of web-2 is agent-2. Of a name without a number it is none that a step could name.
func AgentOf(instance string) string {
	return AgentRole + "-" + instance[strings.LastIndex(instance, "-")+1:]
}

// AgentNumber is the number of the agent that a step names, like agent-2; false where it names none.
func AgentNumber(name string) (number int, is bool) {
	digits, is := strings.CutPrefix(name, AgentRole+"-")
	if !is {
		return 0, false
	}
	number, err := strconv.Atoi(digits)
	return number, err == nil && number > 0
}

// agent reads `stack.agent`.
func (r *reader) agent(v value) Agent {
	a := Agent{Window: defaultAgentWindow, Stop: defaultAgentStop}
	m, ok := v.options("command", "files", "window", "metrics", "health", "linger", "stop", "defect")
	if !ok {
		return a
	}
	command, foreign := m.get("command")
	if foreign {
		a.Command = command.agentArguments()
		m.require("window")
	}
	if v, ok := m.get("window"); ok {
		if a.Window = v.duration(shortest); a.Window > longestAgentWindow {
			v.failf("%s is out of range: want %s to %s", show(a.Window), show(shortest), show(longestAgentWindow))
		}
	}
	if v, ok := m.get("files"); ok {
		a.Files = v.files()
	}
	if v, ok := m.get("metrics"); ok {
		a.Metrics = v.agentMetrics(foreign)
	}
	if v, ok := m.get("health"); ok {
		a.Health = v.health()
	}
	if v, ok := m.get("linger"); ok {
		if a.Linger = v.duration(0); a.Linger > longestLinger {
			v.failf("%s is out of range: want 0s to %s", show(a.Linger), show(longestLinger))
		}
	}
	if v, ok := m.get("stop"); ok {
		if a.Stop = v.duration(shortest); a.Stop > longestStop {
			v.failf("%s is out of range: want %s to %s", show(a.Stop), show(shortest), show(longestStop))
		}
	}
	if v, ok := m.get("defect"); ok {
		a.Defect = v.oneOf(AgentDefects()...)
		if foreign {
			v.failf("%s belongs to the reference agent: remove it, or remove command", quote(a.Defect))
		}
	}
	return a
}

// agentMetrics reads how the collector gets what an agent has.
func (v value) agentMetrics(foreign bool) Metrics {
	m, ok := v.mapping("otlp", "scrape", "every")
	if !ok {
		return Metrics{}
	}
	out := m.metrics(v)
	switch _, every := m.get("every"); {
	case out.OTLP != "" && out.Scrape != "":
		v.failf("an agent is scraped or pushes, and what it has would be counted twice: remove one of the two")
	case !foreign && out != Metrics{}:
		v.failf("the reference agent sends StatsD lines on, and neither pushes nor can be scraped: give a command, or remove metrics")
	case out.OTLP != "" && every:
		v.failf("how often an agent exports is up to its own configuration, and window says for how long it may hold a count: remove every")
	}
	if out.OTLP != "" {
		out.Every = 0
	}
	return out
}

// agentSite is a place that an agent could have.
var agentSite = expand.Site{Name: "agent-1", Host: somewhere.Host, Dir: somewhere.Dir, Ports: map[string]int{"http": 8080, "statsd": 8125}, StatsD: "127.0.0.1:8126", OTLP: "http://127.0.0.1:4318"}

// agentFields are what templates of an agent can name.
const agentFields = "{{.Host}}, {{.Ports.statsd}}, {{.Port}}, {{.StatsDHost}}, {{.StatsDPort}}, {{.OTLP}}, {{.Name}}, {{.Dir}}"

func (v value) agentExpands(s string) string {
	if _, err := expand.Text(s, agentSite); err != nil {
		v.failf("%s does not expand: %v; want one of %s", quote(s), err, agentFields)
	}
	return s
}

func (v value) agentArguments() []string {
	var args []string
	for i, item := range v.list("a list of a program and its arguments, like [statsd_exporter, \"--statsd.listen-udp={{.Host}}:{{.Ports.statsd}}\"]", v.name) {
		if i == 0 {
			args = append(args, item.agentExpands(item.filled("a program")))
			continue
		}
		args = append(args, item.agentExpands(item.argument()))
	}
	return args
}

// files reads what is written into a directory: names, and what is in them.
func (v value) files() map[string]string {
	m, ok := v.open("names of files and what is in them, like {agent.conf: \"port = {{.Ports.statsd}}\"}")
	if !ok {
		return nil
	}
	files := map[string]string{}
	for i, k := range m.keys {
		name := plain(k.node)
		if name == "" || name == "." || name == ".." || filepath.Base(name) != name {
			k.failf("%s: want the plain name of a file, without a folder", quote(name))
			continue
		}
		files[name] = m.entries[i].agentExpands(m.entries[i].argument())
	}
	return files
}

// away reads for how long nobody takes the place of an agent that a step ends; of no other instance it can be said.
func (m mapping) away(instance string) time.Duration {
	v, ok := m.get("for")
	if !ok {
		return 0
	}
	if !isAgent(instance) {
		v.failf("says how long an agent is away, and %s is none: remove it", shorten(instance))
		return 0
	}
	away := v.duration(0)
	if away > longestAway {
		v.failf("%s is out of range: want 0s to %s", show(away), show(longestAway))
	}
	return away
}

// awayText is how a step says it.
func awayText(away time.Duration) string {
	if away == 0 {
		return ""
	}
	return " for " + away.String()
}

// AwayOf is for how long the move leaves the place of an agent empty.
func AwayOf(m Move) time.Duration {
	switch m := m.(type) {
	case Kill:
		return m.Away
	case Terminate:
		return m.Away
	}
	return 0
}

// endAgent ends the agent beside an instance that must be alive. Another one takes its place, so nobody is fewer.
func (f *fleet) endAgent(number int, m Move) error {
	if !f.agents {
		return fmt.Errorf("%v: the stack has no agents: add stack.agent, or remove the step", m)
	}
	_, err := f.fleets[0].find(InstanceName(FirstRole, number), m)
	return err
}

// isAgent tells whether a step names an agent.
func isAgent(name string) bool {
	_, is := AgentNumber(name)
	return is
}
