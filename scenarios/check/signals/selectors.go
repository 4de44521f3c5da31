package signals

import (
	"fmt"
	"slices"
	"strings"

	"throughline/collector/series"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/spelling"
)

// unseen tells what an expression asks for that no series of the run ever was,
// and what was probably meant; "" where each of its selectors selected one at
// some time. A comparison with nothing has no result, which is what an alert
// that must be silent wants to see: a mistyped name would pass for good health.
func unseen(e *evidence.Index, expr string, neverSeen bool) string {
	if neverSeen {
		return ""
	}
	selectors, err := series.Selectors(expr)
	switch {
	case err != nil:
		return "it is no PromQL expression: " + err.Error()
	case len(selectors) == 0:
		return "it asks for no series, so it says nothing of this run"
	}
	for _, s := range selectors {
		if !slices.ContainsFunc(e.History.Series, func(r record.Series) bool { return s.Selects(r.Name, r.Labels) && hasPoints(r) }) {
			why := instead(e, s)
			if !strings.HasSuffix(why, "?") {
				why += "."
			}
			return fmt.Sprintf("no series of this run was ever %s: %s If it may never be, as with absent(), say never_seen: yes in the check", s, why)
		}
	}
	return ""
}

// hasPoints tells whether a series has a point that is not its end.
func hasPoints(s record.Series) bool {
	return slices.ContainsFunc(s.Points, func(p record.Point) bool { return !p.Stale })
}

// instead tells why a selector selects nothing, and what there is.
func instead(e *evidence.Index, s series.Selector) string {
	var called []record.Series
	names := map[string]bool{}
	for _, r := range e.History.Series {
		if !hasPoints(r) {
			continue
		}
		names[r.Name] = true
		if s.Name() == "" || r.Name == s.Name() {
			called = append(called, r)
		}
	}
	known := sortedKeys(names)
	if len(called) == 0 {
		if near := nearestSeries(s.Name(), known); near != "" {
			return fmt.Sprintf("did you mean %s?", near)
		}
		return fmt.Sprintf("the record has no such name, nor one like it; it has %s", words.Some(known))
	}
	for _, c := range s.Conditions() {
		if why := unfulfilled(c, s.Name(), called); why != "" {
			return why
		}
	}
	return "each of its labels is there, but no series has all of them at once"
}

// nearestSeries gives the name that was probably meant. The collector's suffix
// is what is forgotten most.
func nearestSeries(name string, known []string) string {
	if slices.Contains(known, name+evidence.TotalSuffix) {
		return name + evidence.TotalSuffix
	}
	if bare := strings.TrimSuffix(name, evidence.TotalSuffix); bare != name && slices.Contains(known, bare) {
		return bare
	}
	return spelling.Nearest(name, known)
}

// unfulfilled tells which label no series has as it is asked for; "" if one has.
func unfulfilled(c series.Condition, name string, called []record.Series) string {
	values, labels := map[string]bool{}, map[string]bool{}
	for _, r := range called {
		value := r.Labels.Get(c.Label)
		if c.Label == "__name__" {
			value = r.Name
		}
		if c.Holds(value) {
			return ""
		}
		if value != "" {
			values[value] = true
		}
		for _, l := range r.Labels {
			labels[l.Name] = true
		}
	}
	of := ""
	if name != "" {
		of = " of " + name
	}
	if len(values) == 0 {
		why := fmt.Sprintf("no series%s has a label %s", of, c.Label)
		if near := spelling.Nearest(c.Label, sortedKeys(labels)); near != "" {
			return why + fmt.Sprintf("; did you mean %s?", near)
		}
		return why + fmt.Sprintf(" (there are %s)", words.Some(sortedKeys(labels)))
	}
	return fmt.Sprintf("no series%s has %s (there are %s)", of, c.Text, words.Some(sortedKeys(values)))
}

func sortedKeys(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for key := range set {
		out = append(out, key)
	}
	slices.SortFunc(out, record.CompareNames)
	return out
}
