package evidence

import (
	"slices"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// LivesOf are the lives of a role's instances, in the order of birth; "" is the first role.
func (e *Index) LivesOf(role string) []record.Lifetime {
	if len(e.Scenario.Stack.Others) == 0 {
		return e.Lives
	}
	if role == "" {
		role = script.FirstRole
	}
	return e.livesThat(func(l record.Lifetime) bool { return string(l.Role) == role })
}

// LivesFor are those that a route concerns: the instances of the role that has it, and any that answered one of its
// requests all the same. Two roles may count different things under one name; what a metric says of a route is
// said by these. "": of all.
func (e *Index) LivesFor(route string) []record.Lifetime {
	if len(e.Scenario.Stack.Others) == 0 || route == "" {
		return e.Lives
	}
	return e.livesThat(func(l record.Lifetime) bool { return e.concerns(l, route) })
}

// SendersFor are Senders less the instances that a route does not concern.
func (e *Index) SendersFor(route string) []string {
	return slices.DeleteFunc(e.Senders(), func(name string) bool {
		l, known := e.LifeOf(name)
		return known && route != "" && len(e.Scenario.Stack.Others) > 0 && !e.concerns(l, route)
	})
}

// WithUsers tells whether users' requests come to an instance's role.
func (e *Index) WithUsers(l record.Lifetime) bool {
	role, known := e.Scenario.Stack.Role(string(l.Role))
	return !known || role.Role == "" || role.WithUsers()
}

func (e *Index) concerns(l record.Lifetime, route string) bool {
	return string(l.Role) == e.Scenario.Stack.OwnerOf(route) || len(e.Users.AckedAt[RowKey{l.Instance, route}]) > 0
}

func (e *Index) livesThat(want func(record.Lifetime) bool) (some []record.Lifetime) {
	for _, l := range e.Lives {
		if want(l) {
			some = append(some, l)
		}
	}
	return some
}
