package script

import "time"

// defaultWithin is how long a step may take until it has had its effect, beside the time that an instance has to stop.
const defaultWithin = 10 * time.Second

const wantPhases = "a list of phases, like [{phase: warm-up, for: 8s}]"

func (r *reader) phases(v value, s *Scenario) {
	w := newWorld(s, DefaultVersion)
	named := map[string]Pos{}
	for _, item := range v.list(wantPhases, "phase") {
		p := r.phase(item, w)
		if there, twice := named[p.Name]; twice && p.Name != "" {
			item.failf("there is a phase %s already, in line %d: want a name of its own", quote(p.Name), there.Line)
		}
		named[p.Name] = p.Pos
		s.Phases = append(s.Phases, p)
	}
	if total := s.Duration(); total > MaxDuration && !r.opts.Ran {
		v.failf("last %s together: want at most %s", show(total), show(MaxDuration))
	}
}

func (r *reader) phase(v value, w *world) Phase {
	p := Phase{Pos: v.at}
	before := len(r.errs)
	m, ok := v.mapping("phase", "do", "for", "require")
	if len(r.errs) > before {
		w.lost = true // the unknown key may have been meant as do
	}
	if !ok {
		return p
	}
	m.require("phase", "for")
	if v, ok := m.get("phase"); ok {
		p.Name = v.line("text")
		if p.Name == WholeRun {
			v.failf("%q means the whole run in checks: want another name", WholeRun)
		}
	}
	if v, ok := m.get("do"); ok {
		p.Do = v.steps(w)
	}
	p.For = m.duration("for", shortest, 0)
	if v, ok := m.get("require"); ok {
		p.Require = v.requirement()
	}
	return p
}

func (v value) requirement() Require {
	m, ok := v.mapping("users")
	if !ok {
		return Require{}
	}
	m.require("users")
	users, ok := m.get("users")
	if !ok {
		return Require{}
	}
	return Require{Users: users.rate(false), Pos: users.at}
}
