package script

import (
	"cmp"
	"slices"
)

// world is what the moves of a scenario are played through on: the instances of each role, and what all of them share.
type world struct {
	fleets []*fleet // of the roles, the first first
	// faults are those that have begun and are not healed.
	faults     []string
	lost       bool // a step could not be read, so nobody knows who is alive
	noDatabase bool
	members    members
	noHTTPD    bool
	agents     bool // there is one beside each instance of the first role
	otlp       bool // the instances of some role push by OTLP
	cloud      bool // instances can be interrupted
	cloudwatch bool // what they use is told
	stack      Stack
}

// newWorld is how it is when the load begins. Where nothing is said of versions, the instances are of the version named.
func newWorld(s *Scenario, version string) *world {
	w := &world{stack: s.Stack, members: membersOf(s.Stack), noHTTPD: !s.Stack.HTTPD, noDatabase: s.Stack.Mongo == MongoNone, agents: s.Stack.Agent.There(), otlp: s.Stack.pushesOTLP(), cloud: s.Stack.Cloud, cloudwatch: s.Stack.CloudWatch.Told()}
	for _, role := range s.Stack.Roles() {
		role.Version = cmp.Or(role.Version, version)
		f := &fleet{world: w, role: role.Role, withUsers: role.WithUsers(), versions: NewVersions(role), read: NewVersions(role), stop: role.Stop}
		if role.Role == "" {
			f.stop += s.Stack.Agent.Linger + s.Stack.Agent.Stop
		}
		f.launch(role.Instances)
		f.scaled = role.Role == "" && s.Autoscale != nil
		w.fleets = append(w.fleets, f)
		w.lost = w.lost || role.Instances == 0 // what is wrong with it has been said
	}
	return w
}

// of is the fleet of a role, "" or the name of the first for that one; nil: there is no such role.
func (w *world) of(role string) *fleet {
	if role == FirstRole {
		role = ""
	}
	if at := slices.IndexFunc(w.fleets, func(f *fleet) bool { return f.role == role }); at >= 0 {
		return w.fleets[at]
	}
	return nil
}

// roles are the names of all.
func (w *world) roles() (names []string) {
	for _, f := range w.fleets {
		names = append(names, cmp.Or(f.role, FirstRole))
	}
	return names
}

// alive is how many instances there are, of all roles.
func (w *world) alive() (n int) {
	for _, f := range w.fleets {
		n += len(f.live)
	}
	return n
}

// said is the fleet of the role that a step names with its key `role`, and the key's value; the first without one.
func (w *world) said(m mapping) (*fleet, *value) {
	v, ok := m.get("role")
	if !ok {
		return w.fleets[0], nil
	}
	name := v.line("the name of a role, like api")
	if f := w.of(name); f != nil {
		return f, &v
	}
	v.failf("no role %s: %s", quote(name), didYouMean(name, w.roles()))
	return w.fleets[0], &v
}

// meant is the fleet that a move is made on: that of the instance that it names, else the one that was said.
func (w *world) meant(said *fleet, key *value, move Move, m mapping) *fleet {
	name := move.Target()
	launched, launches := move.(Launch)
	begun, begins := move.(BeginFault)
	switch {
	case key == nil || name == ReplaceAll || StandsIn(name):
	case launches && launched.Member:
		key.failf("members are of the database: remove role")
	case name != "":
		key.failf("%s says who is meant: remove role", name)
	case begins && begun.Instance == "":
		key.failf("says whose newest, oldest or any is meant: add on, or remove role")
	}
	if name == "" || name == ReplaceAll || StandsIn(name) {
		return said
	}
	if f := w.of(RoleOf(name)); f != nil {
		return f
	}
	return w.fleets[0] // where nobody has such a name
}
