// Package diff compares two runs that were judged by one judge: which causes are new in the second, which are gone,
// by how much those in both differ, and how long users waited. It answers whether a change left the instrumentation
// as good as it was.
//
// It judges nothing: the verdicts are there. The command diff calls it.
package diff

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// Run is one of the two.
type Run struct {
	Dir      string
	Requests []record.Request
	Verdict  verdict.Verdict
}

// Comparison is what the second run has that the first had not, and the other way round.
type Comparison struct {
	Before Summary   `json:"before"`
	After  Summary   `json:"after"`
	Causes []Cause   `json:"causes"` // the new ones first, then those in both, then those that are gone
	Routes []Latency `json:"routes"` // by name
	// Verdict is "as-good", "worse", or "unknown" where one of the runs proves nothing.
	Verdict string `json:"verdict"`
}

// Summary is a run in short.
type Summary struct {
	Dir      string          `json:"dir"`
	Scenario string          `json:"scenario"`
	Outcome  verdict.Outcome `json:"outcome"`
	Title    string          `json:"title"`
	Requests int             `json:"requests"`
	Acked    int             `json:"acked"`
}

// Cause is what explains findings of at least one of the runs.
type Cause struct {
	Cause  string  `json:"cause"`  // as in verdict.json; the title where none is known
	State  string  `json:"state"`  // "new", "both" or "gone"
	Title  string  `json:"title"`  // of the second run, or of the first if it is gone
	Before float64 `json:"before"` // requests too few or too many for each that was acknowledged, over all findings of it
	After  float64 `json:"after"`
}

// Latency is how long the users of a route waited from when their request was due, of those that were acknowledged.
type Latency struct {
	Route  string    `json:"route"`
	Before Quantiles `json:"before"`
	After  Quantiles `json:"after"`
}

// Quantiles are nearest ranks, in milliseconds; NaN is not JSON, so that nothing acknowledged is -1.
type Quantiles struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
}

// Verdicts of a comparison.
const (
	AsGood  = "as-good"
	Worse   = "worse"
	Unknown = "unknown"
)

// Compare compares two runs. The second is worse if it fails and the first did not, or has a
// cause that the first has not. How amounts and latencies differ is told and decides nothing:
// how much of that is chance, two runs cannot tell.
func Compare(before, after Run) Comparison {
	c := Comparison{Before: summary(before), After: summary(after), Causes: causes(before, after), Routes: routes(before, after), Verdict: AsGood}
	fresh := slices.ContainsFunc(c.Causes, func(x Cause) bool { return x.State == "new" })
	switch {
	case before.Verdict.Outcome == verdict.Inconclusive || after.Verdict.Outcome == verdict.Inconclusive:
		c.Verdict = Unknown
	case after.Verdict.Outcome == verdict.Fail && (before.Verdict.Outcome == verdict.Pass || fresh):
		c.Verdict = Worse
	}
	return c
}

func summary(r Run) Summary {
	s := Summary{Dir: r.Dir, Scenario: r.Verdict.Scenario, Outcome: r.Verdict.Outcome, Title: r.Verdict.Title, Requests: len(r.Requests)}
	for _, q := range r.Requests {
		if q.Outcome == record.Acked {
			s.Acked++
		}
	}
	return s
}

// told are the causes of a run, with their weights.
func told(r Run) map[string]Cause {
	acked := float64(max(1, summary(r).Acked))
	all := map[string]Cause{}
	for _, x := range r.Verdict.Explanations {
		c := Cause{Cause: cmp.Or(x.Cause, x.Title), Title: x.Title}
		had := all[c.Cause]
		c.After = had.After
		for _, i := range x.Findings {
			if f := r.Verdict.Findings[i]; f.Outcome != verdict.Pass {
				c.After += float64(f.Lost+f.Extra) / acked
			}
		}
		c.Title = cmp.Or(had.Title, c.Title)
		all[c.Cause] = c
	}
	return all
}

func causes(before, after Run) []Cause {
	had, has := told(before), told(after)
	var all []Cause
	for name, c := range has {
		c.State = "new"
		if old, ok := had[name]; ok {
			c.State, c.Before = "both", old.After
		}
		all = append(all, c)
	}
	for name, c := range had {
		if _, ok := has[name]; !ok {
			c.State, c.Before, c.After = "gone", c.After, 0
			all = append(all, c)
		}
	}
	order := map[string]int{"new": 0, "both": 1, "gone": 2}
	slices.SortFunc(all, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(order[a.State], order[b.State]), cmp.Compare(a.Cause, b.Cause))
	})
	return all
}

func routes(before, after Run) []Latency {
	a, b := waits(before), waits(after)
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	var all []Latency
	for name := range names {
		all = append(all, Latency{name, quantiles(a[name]), quantiles(b[name])})
	}
	slices.SortFunc(all, func(a, b Latency) int { return cmp.Compare(a.Route, b.Route) })
	return all
}

func waits(r Run) map[string][]time.Duration {
	all := map[string][]time.Duration{}
	for _, q := range r.Requests {
		if q.Outcome == record.Acked {
			all[q.Route] = append(all[q.Route], q.Done-q.Due)
		}
	}
	return all
}

func quantiles(all []time.Duration) Quantiles {
	if len(all) == 0 {
		return Quantiles{0, -1, -1}
	}
	slices.Sort(all)
	at := func(q float64) float64 {
		rank := int(math.Ceil(q * float64(len(all))))
		return float64(all[max(1, rank)-1]) / float64(time.Millisecond)
	}
	return Quantiles{len(all), at(0.5), at(0.99)}
}

// WriteText writes a comparison for people.
func WriteText(w io.Writer, c Comparison) error {
	var out strings.Builder
	verdicts := map[string]string{AsGood: "AS GOOD", Worse: "WORSE", Unknown: "UNKNOWN"}
	fmt.Fprintf(&out, "%s  %s\n", verdicts[c.Verdict], sentence(c))
	for _, s := range []struct {
		name string
		Summary
	}{{"before", c.Before}, {"after", c.After}} {
		fmt.Fprintf(&out, "  %-6s  %-12s  %s: %s (%s)\n", s.name, s.Outcome, s.Scenario, s.Title, s.Dir)
	}
	if len(c.Causes) > 0 {
		out.WriteString("\nCauses\n")
	}
	for _, x := range c.Causes {
		switch x.State {
		case "new":
			fmt.Fprintf(&out, "  new   %s: %s, %s\n", x.Cause, x.Title, share(x.After))
		case "both":
			fmt.Fprintf(&out, "  both  %s: %s, %s before and %s after\n", x.Cause, x.Title, share(x.Before), share(x.After))
		default:
			fmt.Fprintf(&out, "  gone  %s: %s, %s\n", x.Cause, x.Title, share(x.Before))
		}
	}
	out.WriteString("\n")
	table := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	row := func(what, before, after string) { fmt.Fprintf(table, "%s\t%s\t%s\n", what, before, after) }
	row("Users", "before", "after")
	row("  requests", words.Number(int64(c.Before.Requests)), words.Number(int64(c.After.Requests)))
	row("  acked", words.Number(int64(c.Before.Acked)), words.Number(int64(c.After.Acked)))
	for _, r := range c.Routes {
		row("  "+r.Route+" p50", milliseconds(r.Before.P50), milliseconds(r.After.P50))
		row("  "+r.Route+" p99", milliseconds(r.Before.P99), milliseconds(r.After.P99))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// sentence is what a comparison comes to.
func sentence(c Comparison) string {
	switch c.Verdict {
	case Unknown:
		return "one of the runs proves nothing, so that nothing can be said: run it again"
	case Worse:
		return "the second run fails by what the first had not"
	}
	if c.After.Outcome == verdict.Fail {
		return "the second run fails, by nothing that the first had not"
	}
	return "the second run passes"
}

func share(x float64) string {
	if x == 0 {
		return "no requests"
	}
	return fmt.Sprintf("%.2g %% of the requests", 100*x)
}

func milliseconds(ms float64) string {
	if ms < 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f ms", ms)
}
