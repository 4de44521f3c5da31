package evidence

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"throughline/collector"
	"throughline/scenarios/check/words"
	"throughline/scenarios/metric"
	"throughline/scenarios/record"
	"throughline/spelling"
)

// Unclear tells why nobody can say which series a metric means, and what was probably meant; "" where its series are
// clear. A label that no series has selects nothing, and of nothing anything is true. A metric that nobody sent at all is
// clear: that is for the rules to judge.
func (e *Index) Unclear(m metric.Ref) string {
	if m == "" {
		return ""
	}
	c := e.chosen(m)
	if both := slices.SortedFunc(maps.Keys(c.several), record.CompareNames); len(both) > 0 {
		instance := both[0]
		return fmt.Sprintf("%s sends %s by %s, so that it may count one thing twice: say which is meant, by: %s", cmp.Or(instance, "somebody"), c.of.Name,
			listed(c.several[instance], " and by "), listed(c.several[instance], " or by: "))
	}
	if len(c.series) > 0 {
		return ""
	}
	if len(c.called) == 0 {
		return e.otherWay(c)
	}
	for _, condition := range c.of.Where {
		if why := unfulfilled(condition, c); why != "" {
			return why
		}
	}
	return fmt.Sprintf("no series of %s has all of these labels at once, though each of them is there: %s", c.of.Name, c.of.Ref())
}

// UnclearIfUnseen is Unclear of a metric that must have been sent: of one that never was it tells what was probably meant.
func (e *Index) UnclearIfUnseen(m metric.Ref) string {
	if why := e.Unclear(m); why != "" || e.Seen(m) {
		return why
	}
	name, known := m.Name(), e.sentNames()
	why := fmt.Sprintf("nobody ever sent %s", name)
	switch near := spelling.Nearest(name, known); {
	case near != "":
		return fmt.Sprintf("%s; did you mean %s?", why, near)
	case len(known) > 0:
		return fmt.Sprintf("%s; there are %s", why, words.Some(known))
	}
	return why + ", nor anything else"
}

// otherWay tells that a metric came, and not by the way that is wanted.
func (e *Index) otherWay(c *chosen) string {
	if c.of.Way == "" {
		return ""
	}
	whatever := e.chosen(metric.Named(c.of.Name))
	if len(whatever.called) == 0 {
		return ""
	}
	return fmt.Sprintf("%s never came by %s; it came by %s", c.of.Name, c.of.Way, listed(waysOf(whatever.called), " and by "))
}

// unfulfilled tells which label no series has as it is wanted; "" if one has.
func unfulfilled(of metric.Condition, c *chosen) string {
	values, labels := map[string]bool{}, map[string]bool{}
	for _, s := range c.called {
		for _, l := range s.Labels {
			if of.Is(l.Name) {
				values[l.Value] = true
			}
			if l.Name != LabelInstance && l.Name != collector.LabelWay {
				labels[l.Name] = true
			}
		}
	}
	have := slices.SortedFunc(maps.Keys(values), record.CompareNames)
	switch {
	case slices.ContainsFunc(have, of.Holds):
		return ""
	case len(have) > 0:
		return fmt.Sprintf("no series of %s has %s; there are %s", c.of.Name, of, words.Some(have))
	}
	why := fmt.Sprintf("no series of %s has a label %s", c.of.Name, of.Label)
	known := slices.SortedFunc(maps.Keys(labels), record.CompareNames)
	if near := spelling.Nearest(metric.Label(of.Label), known); near != "" {
		return fmt.Sprintf("%s; did you mean %s?", why, near)
	}
	if len(known) == 0 {
		return why + ", nor any other"
	}
	return fmt.Sprintf("%s; there are %s", why, words.Some(known))
}

func listed(ways []collector.Way, between string) string {
	var names []string
	for _, way := range ways {
		names = append(names, string(way))
	}
	return strings.Join(names, between)
}
