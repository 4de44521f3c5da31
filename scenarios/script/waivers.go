package script

import (
	"cmp"
	"slices"
)

// waivable are the checks whose failures can be waived.
func waivable(s *Scenario) []string {
	var names []string
	for _, c := range s.Checks {
		if !slices.Contains(names, c.Kind()) {
			names = append(names, c.Kind())
		}
	}
	return names
}

// waivers reads `waive`. The checks are known by now.
func (r *reader) waivers(v value, s *Scenario) {
	born := bornIn(s)
	for _, item := range v.list("a list of waivers, like [{check: conservation, instance: web-2, reason: its client is to be repaired}]", "waive") {
		m, ok := item.mapping("check", "instance", "reason")
		if !ok {
			continue
		}
		m.require("check", "reason")
		w := Waiver{Pos: m.at}
		if v, ok := m.get("check"); ok {
			if w.Check = v.oneOf(CheckKinds()...); w.Check != "" && len(s.Checks) > 0 && !slices.Contains(waivable(s), w.Check) {
				v.failf("the scenario has no check %s: have %s", w.Check, list(waivable(s)))
			}
		}
		if v, ok := m.get("instance"); ok {
			w.Instance = v.line("the name of an instance, like web-2")
			if w.Instance != "" && len(born) > 0 && !slices.Contains(born, w.Instance) {
				v.failf("no instance %s is ever launched (have %s)", shorten(w.Instance), list(born))
			}
		}
		if v, ok := m.get("reason"); ok {
			w.Reason = v.line("why the failure is accepted")
		}
		s.Waive = append(s.Waive, w)
	}
}

// bornIn lists every instance that the scenario launches, or none where a step could not be read.
func bornIn(s *Scenario) []string {
	w := newWorld(s, "")
	for _, phase := range s.Phases {
		for _, step := range phase.Do {
			if f := w.of(step.Role); f == nil || step.play(f) != nil {
				return nil
			}
		}
	}
	if w.lost {
		return nil
	}
	var names []string
	for _, f := range w.fleets {
		for i := range f.last {
			names = append(names, f.stack.InstanceName(cmp.Or(f.role, FirstRole), i+1))
		}
	}
	return names
}
