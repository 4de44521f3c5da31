package exam

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/scenarios/script"
)

// Options say how a subject is examined.
type Options struct {
	Rate  float64 // of the load, requests per second; 0: that of the file
	Quick bool    // three scenarios in the place of six, with shorter phases
	// Deploy is what a second version of the application has, in YAML, as `deploy` takes it beside `version`, such as
	// {"command": "[./shop-2]"}; empty: there is no second version.
	Deploy map[string]string
	// Reader reads what was written, as the command line reads files.
	Reader script.Options
}

// Part is one scenario of an examination.
type Part struct {
	Name     string // steady, replace, …: of the file and in the report
	About    string // what is done to the instances
	Scenario script.Scenario
}

// stage is a part in the making: what is done, and of what that makes sense.
type stage struct {
	name, about string
	quick       bool // it is there also with Options.Quick
	moves       []move
	ends        bool // instances end, so that a client has to send what it holds
	uneven      bool // users wait for an instance that stands still, so that curves differ
}

// move is a phase with what is done at its beginning, in YAML; "": nothing.
type move struct {
	phase, do string
	short     bool
}

// SecondVersion is the name of the version that an examination deploys.
const SecondVersion = "next"

// stages are what the subject is put through.
func (sub Subject) stages(o Options) []stage {
	n := sub.scenario.Stack.Web.Instances
	victim, grown, shrunk := fmt.Sprintf("%s-%d", script.FirstRole, min(2, n)), min(n+2, script.MaxInstances), max(n-1, 1)
	deploy := stage{name: "restart", about: "every instance is replaced, one after the other, as in a rolling restart", quick: true, ends: true,
		moves: []move{{phase: "before"}, {phase: "restarted", do: "{replace: all, within: 30s}"}, {phase: "after"}}}
	if len(o.Deploy) > 0 {
		what := "version: " + SecondVersion
		for _, key := range slices.Sorted(maps.Keys(o.Deploy)) {
			what += ", " + key + ": " + o.Deploy[key]
		}
		deploy.name, deploy.about = "deploy", "a second version is rolled out over all instances"
		deploy.moves[1] = move{phase: "released", do: "{deploy: {" + what + "}, within: 30s}"}
	}
	return []stage{
		{name: "steady", about: "nothing is done", quick: true, moves: []move{{phase: "steady"}, {phase: "still steady"}, {phase: "to the end"}}},
		{name: "replace", about: "an instance is launched, and an old one drained and ended (SIGTERM)", ends: true,
			moves: []move{{phase: "before"}, {phase: "replaced", do: "{replace: " + victim + ", within: 30s}"}, {phase: "after"}}},
		{name: "kill", about: "an instance is killed (SIGKILL), and another one launched", quick: true, ends: true,
			moves: []move{{phase: "before"}, {phase: "killed", do: "{kill: " + victim + "}"}, {phase: "made up for", do: "{launch: 1, within: 30s}"}}},
		deploy,
		{name: "freeze", about: "an instance stands still for some seconds (SIGSTOP, SIGCONT)", uneven: true,
			moves: []move{{phase: "before"}, {phase: "frozen", do: "{fault: freeze, on: " + victim + "}", short: true}, {phase: "goes on", do: "{heal: freeze}"}}},
		{name: "scale", about: "instances are launched, and then ended, several at a time", ends: true,
			moves: []move{{phase: "before"}, {phase: "out", do: "{scale: " + strconv.Itoa(grown) + ", within: 30s}"}, {phase: "in", do: "{scale: " + strconv.Itoa(shrunk) + ", within: 30s}"}}},
	}
}

// Parts are the scenarios of the examination, in their order, and what is left out, with the reason. What the language
// refuses of a stack (to launch instances that somebody else runs, say) is left out, too.
func (sub Subject) Parts(o Options) (parts []Part, left []Left) {
	left = slices.Clone(sub.left)
	if len(o.Deploy) == 0 {
		left = append(left, Left{"a release of another version", "no second version was given (--deploy): a rolling restart of the same one takes its place"})
	}
	for _, st := range sub.stages(o) {
		if o.Quick && !st.quick {
			left = append(left, Left{st.name + ": " + st.about, "left out by --quick"})
			continue
		}
		source := sub.write(st, o)
		s, err := script.Parse(st.name+".yaml", []byte(source), o.Reader)
		if err != nil {
			first, _, _ := strings.Cut(err.Error(), "\n")
			left = append(left, Left{st.name + ": " + st.about, "the scenario is refused: " + first})
			continue
		}
		parts = append(parts, Part{st.name, st.about, s})
	}
	for _, p := range properties {
		asked := slices.ContainsFunc(parts, func(part Part) bool {
			return slices.ContainsFunc(part.Scenario.Checks, func(c script.Check) bool { return c.Kind() == p.check })
		})
		if !asked {
			left = append(left, Left{p.name, p.absent})
		}
	}
	return parts, left
}

// The measures of a part.
const (
	phaseLength = 6 * time.Second
	quickLength = 4 * time.Second
	shortPhase  = 3 * time.Second
	swing       = 0.6 // of the rate
	grain       = time.Second
	leastPeriod = 8 * grain // of the load's sine
)

// wide is how many intervals it takes to compare curves, where clients hold counts for so long: of a sine whose period is
// four times as wide.
func (sub Subject) wide() time.Duration {
	return time.Duration(script.Wide(sub.window(), grain, math.MaxInt, func(n int) float64 {
		period := max(leastPeriod, 4*time.Duration(n)*grain)
		turn := math.Pi * float64(n) * grain.Seconds() / period.Seconds()
		return swing / math.Sqrt2 * math.Sin(turn) / turn // what averaging over a part of its period leaves of a sine
	}))
}

// comparable is how long a part must last for its curves to be compared.
func (sub Subject) comparable() time.Duration {
	return (script.LeastIntervals*sub.wide()+1)*grain + 2*script.LoadEdge + grain
}

// write is the file of a part.
func (sub Subject) write(st stage, o Options) string {
	length := phaseLength
	if o.Quick {
		length = quickLength
	}
	length += sub.window().Round(grain)
	if st.name == "steady" {
		length = max(length, (sub.comparable()/time.Duration(len(st.moves))).Round(grain)+grain)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by throughline validate. Run it alone with: throughline run FILE\nscenario: %s\nabout: The standard examination, %s.\n", st.name, st.about)
	b.WriteString(sub.stack + sub.load(o) + "phases:\n")
	total := time.Duration(0)
	for _, m := range st.moves {
		lasts := length
		if m.short {
			lasts = shortPhase
		}
		total += lasts
		fmt.Fprintf(&b, "  - {phase: %s, for: %s", m.phase, lasts)
		if m.do != "" {
			fmt.Fprintf(&b, ", do: %s", m.do)
		}
		b.WriteString("}\n")
	}
	b.WriteString("checks:\n" + sub.checks(st, !st.uneven && total >= sub.comparable()))
	return b.String()
}

// load is the section of that name: it swings, so that curves can be compared.
func (sub Subject) load(o Options) string {
	l := sub.scenario.Load
	rate := l.Rate
	if o.Rate > 0 {
		rate = o.Rate
	}
	rate = min(max(rate, 1), script.MaxRate/(1+swing))
	var mix []string
	for _, name := range slices.Sorted(maps.Keys(l.Mix)) {
		mix = append(mix, Quoted(name)+": "+strconv.Itoa(l.Mix[name]))
	}
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	return fmt.Sprintf("load: {rate: %s/s, shape: sine, swing: %s/s, period: %s, mix: {%s}, words: %d, timeout: %s}\n",
		number(round(rate)), number(round(swing*rate)), max(leastPeriod, 4*sub.wide()*grain), strings.Join(mix, ", "), l.Words, l.Timeout)
}

// round keeps a rate to a thousandth, which the language takes and people can read.
func round(f float64) float64 { return float64(int64(f*1000+0.5)) / 1000 }

// checks are what the file promises, and what follows from it.
func (sub Subject) checks(st stage, curves bool) string {
	var b strings.Builder
	kept := func(c check) bool {
		switch c.kind {
		case script.Shutdown{}.Kind():
			return st.ends
		case script.Correlation{}.Kind():
			return curves
		}
		return true
	}
	for _, c := range sub.promises {
		if kept(c) {
			b.WriteString(c.text)
		}
	}
	add := func(kind string, metric script.Metric, what string) {
		if kept(check{kind: kind}) && !sub.asks(kind, metric) {
			fmt.Fprintf(&b, "  - %s: {%s}\n", kind, what)
		}
	}
	seen := map[script.Metric]bool{}
	for _, c := range script.Promised[script.Conservation](sub.scenario) {
		if seen[c.Metric] {
			continue
		}
		of := chosen(c.Metric) + ", route: " + Quoted(c.Route)
		add(script.Continuity{}.Kind(), c.Metric, of+", max_gap: "+max(2*time.Second, c.ClientWindow+2*time.Second).String())
		add(script.Identity{}.Kind(), c.Metric, of)
		add(script.Shutdown{}.Kind(), c.Metric, of)
		if len(seen) == 0 {
			add(script.Correlation{}.Kind(), "", "layers: [users, lb, web], at_least: 0.9, "+chosen(c.Metric))
		}
		seen[c.Metric] = true
	}
	add(script.Hygiene{}.Kind(), "", "max_series: "+strconv.Itoa(seriesBudget))
	return b.String()
}

// chosen writes a metric as a check names it: metric, where and by.
func chosen(of script.Metric) string {
	s := of.Selection()
	text := "metric: " + Quoted(s.Name)
	var where []string
	for _, c := range s.Where {
		var values []string
		for _, v := range c.Values {
			values = append(values, Quoted(v))
		}
		where = append(where, Quoted(c.Label)+": ["+strings.Join(values, ", ")+"]")
	}
	if len(where) > 0 {
		text += ", where: {" + strings.Join(where, ", ") + "}"
	}
	if s.Way != "" {
		text += ", by: " + s.Way
	}
	return text
}

// seriesBudget is how many series an instance may have where the file says nothing: far more than an application of a few
// routes has, and far fewer than one that puts words or ids into names brings.
const seriesBudget = 1000

// Quoted is text as a YAML string.
func Quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
