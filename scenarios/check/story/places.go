package story

import (
	"fmt"
	"slices"
	"strings"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// where tells of whom the requests are, and when: "39 at web-1, 9 at web-2, between …".
func (t *teller) where(s *strand) string {
	parts := []string{t.places(s), t.when(s)}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ", ")
}

// places shares the number out among the instances.
func (t *teller) places(s *strand) string {
	names := t.instancesOf(s.findings)
	by := map[string]int64{}
	for _, i := range s.findings {
		by[t.v.Findings[i].Instance] += t.v.Findings[i].Lost + t.v.Findings[i].Extra
	}
	most, alike := "", true
	for _, name := range names {
		if most == "" || by[name] > by[most] {
			most = name
		}
		alike = alike && by[name] == by[names[0]]
	}
	switch n := len(names); {
	case n == 0 || s.cause == diagnose.Late && by[most] == 0: // the gist names them
		return ""
	case by[most] == 0:
		return "at " + t.group(names)
	case n == 1:
		return choose(by[most] > 1, "all at ", "at ") + most
	case n > mostNamed:
		return fmt.Sprintf("at %s, the most (%s) at %s", t.group(names), words.Number(by[most]), most)
	case alike:
		return fmt.Sprintf("%s each at %s", words.Number(by[most]), list(names))
	}
	var each []string
	for _, name := range names {
		if by[name] > 0 {
			each = append(each, words.Number(by[name])+" at "+name)
		}
	}
	return list(each)
}

// wide is which part of the load a stretch may be and still be worth telling.
const wide = 0.7

// when tells a stretch of time, where it is less than most of the load.
func (t *teller) when(s *strand) string {
	lost, extra := t.sums(s.findings)
	if lost+extra == 0 || s.cause == undecided { // when it was depends on what it was
		return ""
	}
	if s.cause == diagnose.LostOnExit || s.cause == diagnose.WindowTwice {
		if text := t.atExit(s); text != "" {
			return text
		}
	}
	from, to := t.v.Findings[s.findings[0]].From, 0.0
	for _, i := range s.findings {
		f := t.v.Findings[i]
		if f.From == 0 && f.To == 0 {
			return ""
		}
		from, to = min(from, f.From), max(to, f.To)
	}
	if t.end == record.Never || to-from > wide*(t.end-t.begin).Seconds() {
		return ""
	}
	return stretch(from, to)
}

// atExit tells how long before they were told to end instances lost counts, or that it was
// after it; "" where findings do not agree on that.
func (t *teller) atExit(s *strand) string {
	least, most, after, signal := 0.0, 0.0, 0, ""
	for k, i := range s.findings {
		f, l := t.v.Findings[i], t.life(t.v.Findings[i].Instance)
		if l.Signal == "" || signal != "" && l.Signal != signal {
			return ""
		}
		signal = l.Signal
		before := l.Signalled.Seconds() - f.From
		switch {
		case before <= 0:
			after++
		case f.To > l.Signalled.Seconds():
			return ""
		}
		if k == 0 || before < least {
			least = before
		}
		most = max(most, before)
	}
	told := choose(len(s.findings) > 1, "their ", "its ") + signal
	switch {
	case after == len(s.findings):
		return "after " + told
	case after > 0:
		return ""
	case seconds(least) == seconds(most):
		return fmt.Sprintf("in the last %s before %s", seconds(most), told)
	}
	return fmt.Sprintf("in the last %s–%s before %s", strings.TrimSuffix(seconds(least), " s"), seconds(most), told)
}

// life is what the journal has of a web instance; it has no Signal where that is nothing.
func (t *teller) life(instance string) record.Lifetime {
	if i, known := t.lifeAt[instance]; known {
		return t.lives[i]
	}
	return record.Lifetime{}
}
