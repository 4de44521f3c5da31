package script

// WithChecks gives the scenario with the checks and waivers of another file in place of its own. Of that file, which
// may be a whole scenario or hold `checks:` and `waive:` alone, nothing else is read: phases, routes and instances that
// the checks name are those of s. The error is [Errors], with places in the other file.
func (s Scenario) WithChecks(file string, source []byte) (Scenario, error) {
	r := &reader{file: file}
	s.Checks, s.Waive = nil, nil
	if root, ok := r.tree(source); ok {
		m, ok := root.mapping(rootKeys...)
		if !ok {
			return Scenario{}, r.errs
		}
		m.require("checks")
		if v, ok := m.get("checks"); ok {
			r.checks(v, &s, true)
		}
		if v, ok := m.get("waive"); ok {
			r.waivers(v, &s)
		}
	}
	if len(r.errs) > 0 {
		r.errs.sort()
		return Scenario{}, r.errs
	}
	return s, nil
}
