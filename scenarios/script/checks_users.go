package script

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Latency promises how long users wait for answers, from when their requests were due.
type Latency struct {
	Route  string // "" = any
	In     string // the phase in which requests were due, or WholeRun
	Bounds []LatencyBound
}

// LatencyBound is the most that a percentile of the latency may be.
type LatencyBound struct {
	Percentile Percentile
	AtMost     time.Duration
}

// Percentile is one that a latency check can bound.
type Percentile struct {
	Name     string // its key in the file: "p99"
	Permille int64  // of the requests that take no longer; 1000 for the slowest
}

// Percentiles are those that there are, from the lowest.
func Percentiles() []Percentile {
	return []Percentile{{"p50", 500}, {"p90", 900}, {"p95", 950}, {"p99", 990}, {"p999", 999}, {"max", 1000}}
}

// Kind implements [Promise].
func (Latency) Kind() string { return "latency" }

// Metrics implements [Promise].
func (Latency) Metrics() []Metric { return nil }

// Late implements [Promise].
func (Latency) Late() time.Duration { return 0 }

func (p *promises) latency(v value) Latency {
	c := Latency{In: WholeRun}
	var names []string
	for _, q := range Percentiles() {
		names = append(names, q.Name)
	}
	m, ok := v.mapping(append([]string{"route", "in"}, names...)...)
	if !ok {
		return c
	}
	p.whose(m, &c.Route, &c.In)
	for _, q := range Percentiles() {
		v, ok := m.get(q.Name)
		if !ok {
			continue
		}
		b := LatencyBound{q, v.duration(time.Microsecond)}
		if last := len(c.Bounds) - 1; last >= 0 && b.AtMost > 0 && b.AtMost < c.Bounds[last].AtMost {
			v.failf("want at least %v, the bound of %s, which is never above it", c.Bounds[last].AtMost, c.Bounds[last].Percentile.Name)
		}
		c.Bounds = append(c.Bounds, b)
	}
	if len(c.Bounds) == 0 && len(m.meant) == 0 {
		m.failf("promises nothing: want at least one of %s, like p99: 200ms", list(names))
	}
	return c
}

// whose reads the requests that a check of what users had looks at.
func (p *promises) whose(m mapping, route, in *string) {
	if _, given := m.get("route"); given {
		*route = p.route(m, "")
	}
	if v, given := m.get("in"); given {
		*in = p.span(v)
	}
}

// Availability promises which share of users' requests are answered, and with what.
type Availability struct {
	Route  string // "" = any
	In     string // the phase in which requests were due, or WholeRun
	Least  int64  // of a million requests, above 0; a million is all of them
	Status []string
}

// Kind implements [Promise].
func (Availability) Kind() string { return "availability" }

// Metrics implements [Promise].
func (Availability) Metrics() []Metric { return nil }

// Late implements [Promise].
func (Availability) Late() time.Duration { return 0 }

// Million is the whole of [Availability.Least].
const Million = 1_000_000

const (
	wantPercent = "a percentage above 0% and at most 100%, with four decimals at most, like 99.9%"
	wantStatus  = "a class of statuses or a single one, like 2xx or 404"
)

var (
	percentForm = regexp.MustCompile(`^([0-9]{1,3})(?:\.([0-9]{1,4}))?%$`)
	statusForm  = regexp.MustCompile(`^[1-5](xx|[0-9][0-9])$`)
)

func (p *promises) availability(v value) Availability {
	c := Availability{In: WholeRun, Status: []string{Successes}}
	m, ok := v.mapping("route", "in", "least", "status")
	if !ok {
		return c
	}
	m.require("least")
	p.whose(m, &c.Route, &c.In)
	if v, ok := m.get("least"); ok {
		c.Least = v.percent()
	}
	if v, ok := m.get("status"); ok {
		c.Status = v.statuses()
	}
	return c
}

// percent reads a percentage, exactly: 99.9% is 999,000 of a [Million].
func (v value) percent() int64 {
	text, ok := v.quantity(wantPercent)
	if !ok {
		return 0
	}
	parts := percentForm.FindStringSubmatch(text)
	if parts == nil {
		v.failf("want %s, got %s", wantPercent, quote(text))
		return 0
	}
	n, err := strconv.ParseInt(parts[1]+parts[2]+strings.Repeat("0", 4-len(parts[2])), 10, 64)
	if err != nil || n < 1 || n > Million {
		v.failf("want %s, got %s", wantPercent, quote(text))
		return 0
	}
	return n
}

// statuses reads a status, or a list of them.
func (v value) statuses() []string {
	items := []value{v}
	if _, several := v.node.(*ast.SequenceNode); several {
		items = v.list(wantStatus, v.name)
	}
	var all []string
	for _, item := range items {
		s := item.argument()
		switch {
		case s == "":
		case !statusForm.MatchString(s):
			item.failf("want %s, got %s", wantStatus, quote(s))
		case slices.Contains(all, s):
			item.failf("%s is there twice: want each once", s)
		default:
			all = append(all, s)
		}
	}
	return all
}
