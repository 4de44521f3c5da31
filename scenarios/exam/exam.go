// Package exam is the standard examination of an application's instrumentation: which scenarios it is put through, and
// what their verdicts come to, as a grade for each property.
//
// It writes scenarios and reads verdicts, and does nothing in between: it runs nothing, judges no record and prints
// nothing. The commands validate and init call it; scenarios/report shows what it comes to.
package exam

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/script"
)

// Subject is an application that is to be examined, with what its scenario promises of it.
type Subject struct {
	scenario script.Scenario
	stack    string  // the section of the file, with its key
	promises []check // those that can be kept in every scenario of the examination
	left     []Left  // those that cannot
}

// check is a check as the file has it.
type check struct {
	kind string
	text string // an item of a list, its lines indented by two
}

// Left is something that is not examined.
type Left struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// elsewhere are the kinds of checks that speak of the phases, the load or the autoscaler of their own scenario, with why
// they cannot be asked in another.
var elsewhere = map[string]string{
	script.PromQL{}.Kind():      "it names phases of its own scenario",
	script.Alert{}.Kind():       "it names phases of its own scenario",
	script.Scaling{}.Kind():     "it is about the autoscaler of its own scenario",
	script.TwoViews{}.Kind():    "it is about an instance that its own scenario limits, or about CloudWatch",
	script.BeaconsSent{}.Kind(): "it is about beacons, which the users of its own scenario send",
}

// unaskable tells why a promise cannot be asked in another scenario than its own; "" if it can.
func unaskable(p script.Promise) string {
	switch p := p.(type) {
	case script.Continuity:
		if p.Source != "" {
			return "it is about the periods of CloudWatch"
		}
	case script.Correlation:
		if slices.Contains(p.Layers, script.BeaconLayer) {
			return elsewhere[script.BeaconsSent{}.Kind()]
		}
	case script.Latency:
		if p.In != script.WholeRun {
			return elsewhere[script.PromQL{}.Kind()]
		}
	case script.Availability:
		if p.In != script.WholeRun {
			return elsewhere[script.PromQL{}.Kind()]
		}
	}
	return elsewhere[p.Kind()]
}

// Of makes a subject of a scenario: its stack, the routes of its load and the checks that can be asked in any scenario.
// The sections of the file are taken as they were written, so that what this package does not know is kept. The error
// says what in the file cannot be taken apart, or that it promises nothing that can be examined.
func Of(s script.Scenario) (Subject, error) {
	parts := sections(string(s.Source))
	stack, ok := parts["stack"]
	if !ok {
		return Subject{}, fmt.Errorf("%s: the key stack does not begin a line: write each key of the file on a line of its own", s.File)
	}
	stack, err := inDir(stack, s)
	if err != nil {
		return Subject{}, err
	}
	sub := Subject{scenario: s, stack: stack}
	checks, err := checksOf(s)
	if err != nil {
		return Subject{}, err
	}
	for i, c := range s.Checks {
		why := unaskable(c.Promise)
		if why != "" {
			sub.left = append(sub.left, Left{"the check " + c.Kind() + " of " + s.Name, why})
			continue
		}
		sub.promises = append(sub.promises, checks[i])
	}
	if s.Autoscale != nil {
		sub.left = append(sub.left, Left{"the autoscaler of " + s.Name, "the examination launches and ends instances itself"})
	}
	if len(script.Promised[script.Conservation](s)) == 0 {
		return Subject{}, fmt.Errorf("%s: no check conservation: an examination counts requests against a metric, so name one, like conservation: {metric: shop.orders, route: order}", s.File)
	}
	return sub, nil
}

var (
	stackLine = regexp.MustCompile(`(?m)^stack:[ \t]*(\{?)`)
	dirKey    = regexp.MustCompile(`(?m)^(\s+dir:[ \t]*)(.*)$`)
	below     = regexp.MustCompile(`(?m)^([ ]+)[^ #\n]`)
)

// inDir is the section with its commands executed where they are now, wherever the file of the section is.
func inDir(stack string, s script.Scenario) (string, error) {
	dir, err := filepath.Abs(s.Dir())
	if err != nil {
		return "", fmt.Errorf("%s: the directory of its commands is not known: %w", s.File, err)
	}
	key := "dir: " + Quoted(dir)
	if s.Stack.Dir != "" {
		if !dirKey.MatchString(stack) {
			return "", fmt.Errorf("%s: write stack.dir on a line of its own", s.File)
		}
		return dirKey.ReplaceAllStringFunc(stack, func(line string) string { return dirKey.FindStringSubmatch(line)[1] + Quoted(dir) }), nil
	}
	at := stackLine.FindStringSubmatchIndex(stack)
	if at[2] < at[3] { // in braces
		return stack[:at[1]] + key + ", " + stack[at[1]:], nil
	}
	margin := below.FindStringSubmatch(stack)
	line := strings.Index(stack, "\n")
	if margin == nil || line < 0 {
		return "", fmt.Errorf("%s: the stack has no lines of its own", s.File)
	}
	return stack[:line+1] + margin[1] + key + stack[line:], nil
}

var topKey = regexp.MustCompile(`^([a-z]+):`)

// sections are the parts of a file by their keys, each with its key.
func sections(source string) map[string]string {
	all, under := map[string]string{}, ""
	for line := range strings.Lines(source) {
		if m := topKey.FindStringSubmatch(line); m != nil {
			under = m[1]
		}
		if under != "" {
			all[under] += line
		}
	}
	for key, text := range all {
		all[key] = strings.TrimRight(text, "\n") + "\n"
	}
	return all
}

var item = regexp.MustCompile(`^(\s*)- `)

// checksOf are the checks as the file has them. Each must be an item of a list, on lines of its own.
func checksOf(s script.Scenario) ([]check, error) {
	lines := slices.Collect(strings.Lines(string(s.Source)))
	end := func(from int) int {
		at := from
		for at < len(lines) && (at == from || !topKey.MatchString(lines[at]) && !item.MatchString(lines[at])) {
			at++
		}
		return at
	}
	var all []check
	for i, c := range s.Checks {
		from := c.Pos.Line - 1
		if from < 0 || from >= len(lines) || !item.MatchString(lines[from]) || i > 0 && c.Pos.Line == s.Checks[i-1].Pos.Line {
			return nil, fmt.Errorf("%s:%v: this check does not begin a line: write each check on a line of its own, with a \"- \" before it", s.File, c.Pos)
		}
		margin := item.FindStringSubmatch(lines[from])[1]
		var text strings.Builder
		for _, line := range lines[from:end(from)] {
			if line = strings.TrimRight(strings.TrimPrefix(line, margin), " \r\n"); line != "" && !strings.HasPrefix(strings.TrimSpace(line), "#") {
				text.WriteString("  " + line + "\n")
			}
		}
		all = append(all, check{c.Kind(), text.String()})
	}
	return all, nil
}

// window is the longest time that a client of the subject's metrics, and then an agent, may hold a count.
func (sub Subject) window() (longest time.Duration) {
	for _, c := range script.Promised[script.Conservation](sub.scenario) {
		longest = max(longest, c.ClientWindow)
	}
	return longest + sub.scenario.Stack.Agent.Late()
}

// asks tells whether the file has a check of a kind that looks at a metric.
func (sub Subject) asks(kind string, metric script.Metric) bool {
	return slices.ContainsFunc(sub.scenario.Checks, func(c script.Check) bool {
		return c.Kind() == kind && (metric == "" || slices.Contains(c.Metrics(), metric))
	})
}
