package script

import (
	"maps"
	"slices"
	"time"
)

const (
	defaultWords   = 1000
	defaultTimeout = 5 * time.Second
	shortest       = time.Millisecond // the shortest stretch of time that can be told from none
)

var shapes = []string{Constant, Ramp, Steps, Sine}

// shapeKeys are the keys that say what the rate is. A shape needs its own and takes no other.
func shapeKeys(shape string) []string {
	switch shape {
	case Ramp:
		return []string{"rate", "to", "over"}
	case Steps:
		return []string{"levels"}
	case Sine:
		return []string{"rate", "swing", "period"}
	}
	return []string{"rate"}
}

// load reads `load`. The phases are known by now.
func (r *reader) load(v value, s *Scenario) {
	m, ok := v.mapping("rate", "shape", "swing", "period", "to", "over", "levels", "mix", "words", "timeout", "beacons", "workers")
	if !ok {
		return
	}
	before := len(r.errs)
	l := &s.Load
	l.Shape = m.shape()
	l.Rate, l.To, l.Swing = m.rate("rate", l.Shape == Ramp), m.rate("to", true), m.rate("swing", false)
	l.Period, l.Over = m.duration("period", shortest, 0), m.duration("over", shortest, 0)
	if v, ok := m.get("levels"); ok {
		l.Levels = v.levels()
	}
	if v, ok := m.get("words"); ok {
		l.Words = v.count(1, MaxWords)
	} else {
		l.Words = defaultWords
	}
	l.Timeout = m.duration("timeout", shortest, defaultTimeout)
	if len(r.errs) == before { // else the numbers are not what the author meant
		m.reachable(s)
		r.required(s)
	}
	if l.Shape == Steps {
		l.Rate = mean(l.Levels)
	}
	l.Mix = m.mix(s.Stack.Routes())
	if v, ok := m.get("beacons"); ok {
		l.Beacons = v.beacons(s)
	}
	if v, ok := m.get("workers"); ok {
		l.Workers = v.count(1, MaxWorkers)
		r.shared(v, s, len(r.errs) == before)
	}
}

// shared refuses workers that would have nothing to send. sound: load and phases are what the author meant.
func (r *reader) shared(v value, s *Scenario, sound bool) {
	if !sound || slices.ContainsFunc(s.Phases, func(p Phase) bool { return p.For == 0 }) {
		return
	}
	if all := int(s.Load.at(s.Duration()) + 0.5); s.Load.Workers > all {
		v.failf("%d workers cannot share the %d requests of this load, which are dealt to them in turn: want at most as many workers as requests", s.Load.Workers, all)
	}
}

// shape reads the shape and refuses what belongs to another one: a swing that does nothing is a mistake.
func (m mapping) shape() string {
	shape := Constant
	if v, ok := m.get("shape"); ok {
		if shape = v.oneOf(shapes...); shape == "" {
			return ""
		}
	}
	own := shapeKeys(shape)
	m.require(own...)
	for _, key := range []string{"rate", "to", "over", "levels", "swing", "period"} {
		if v, ok := m.get(key); ok && !slices.Contains(own, key) {
			v.failf("has no meaning in the shape %s, which takes %s", shape, list(own))
		}
	}
	return shape
}

func (v value) levels() []Level {
	var levels []Level
	for _, item := range v.list("a list of levels, like [{rate: 100/s, for: 5s}]", v.name) {
		m, ok := item.mapping("rate", "for")
		if !ok {
			continue
		}
		m.require("rate", "for")
		levels = append(levels, Level{Rate: m.rate("rate", true), For: m.duration("for", shortest, 0)})
	}
	return levels
}

func mean(levels []Level) float64 {
	var requests, seconds float64
	for _, l := range levels {
		requests += l.Rate * l.For.Seconds()
		seconds += l.For.Seconds()
	}
	if seconds == 0 {
		return 0
	}
	return requests / seconds
}

// mix reads the weights of the routes. Without them, the routes of the reference app get nine inserts for a get, and a
// single route gets everything; with other routes nobody but the author can know.
func (m mapping) mix(routes map[string]Route) map[string]int {
	v, ok := m.get("mix")
	switch {
	case ok:
		return v.mix(routes)
	case maps.Equal(routes, referenceRoutes()):
		return map[string]int{"insert": 9, "get": 1}
	case len(routes) == 1:
		for name := range routes {
			return map[string]int{name: 1}
		}
	case len(routes) > 1:
		m.failf("the key \"mix\" is missing: say how often each route is used, like {%s: 1}", slices.Sorted(maps.Keys(routes))[0])
	}
	return nil
}

func (v value) mix(routes map[string]Route) map[string]int {
	before := len(v.r.errs)
	m, _ := v.open("routes and weights, like {insert: 9, get: 1}")
	mix := map[string]int{}
	for i, k := range m.keys {
		name := plain(k.node)
		if _, ok := routes[name]; !ok && len(routes) > 0 {
			k.failf("no route %s: %s", quote(name), didYouMean(name, slices.Sorted(maps.Keys(routes))))
		}
		mix[name] = m.entries[i].count(1, 1_000_000)
	}
	if len(v.r.errs) > before {
		return nil // so that no check complains about a route that the mix was meant to have
	}
	return mix
}

// reachable refuses rates that are never reached, or that cannot be.
func (m mapping) reachable(s *Scenario) {
	l := s.Load
	if v, ok := m.get("swing"); ok && l.Swing > l.Rate {
		v.failf("%v/s is more than the rate of %v/s: the load would fall below zero", l.Swing, l.Rate)
	}
	if peak := l.Peak(); peak > MaxRate {
		m.failf("rate and swing reach %v/s together: want at most %d/s", peak, MaxRate)
	} else if peak == 0 {
		m.failf("never sends a request: want a rate above 0/s")
	}
	if slices.ContainsFunc(s.Phases, func(p Phase) bool { return p.For == 0 }) {
		return // a phase could not be read
	}
	total := s.Duration()
	if v, ok := m.get("over"); ok && l.Over > total {
		v.failf("%s is longer than all phases together (%s): the rate never reaches its end", show(l.Over), show(total))
	}
	if v, ok := m.get("levels"); ok {
		var at time.Duration
		for i, level := range l.Levels {
			if at >= total {
				v.failf("level %d begins at %s, but all phases together last %s: it is never reached", i+1, show(at), show(total))
				break
			}
			at += level.For
		}
	}
}

// required refuses a phase that asks for more than the load ever sends: such a run could never prove anything.
func (r *reader) required(s *Scenario) {
	peak := s.Load.Peak()
	for _, p := range s.Phases {
		if p.Require.Users > peak {
			r.failf(p.Require.Pos, "phase.require.users: %v/s is more than the load ever sends (%v/s)", p.Require.Users, peak)
		}
	}
}
