package script

import "slices"

// Need is something that must be there from the start of a run so that a step of it can be done. Whoever sets the stack
// up asks [Scenario.Needs], and whoever knows what is there asks [Scenario.FaultsThatNeed] who asks for it in vain.
type Need string

// What steps and faults need; see also [LinkOn].
const (
	// Relays: the instances' datagrams go to the collector through relays.
	Relays Need = "relays"
	// OwnAddress: the collector has a StatsD address for each instance.
	OwnAddress Need = "own address"
	// OwnProcess: the collector has a process of its own.
	OwnProcess Need = "collector's own process"
	// Proxy: the users' requests go to the load balancer through a proxy.
	Proxy Need = "proxy"
	// Master: the load balancer can replace its worker while it runs.
	Master Need = "master"
	// Respawn: the load balancer is started again when it has crashed.
	Respawn Need = "respawn"
	// HTTPD: an Apache HTTP server stands before each instance.
	HTTPD Need = "httpd"
	// RespawnHTTPD: each of these is started again when it has crashed.
	RespawnHTTPD Need = "respawn httpd"
	// OwnDatabase: there is a database, and the run has started it.
	OwnDatabase Need = "own database"
	// OwnDisk: the run's database has a file system of its own.
	OwnDisk Need = "own disk"
	// Members: the run's database is a replica set.
	Members Need = "members of the database"
	// PeerProxies: what these say to each other goes through proxies.
	PeerProxies Need = "proxies between the members of the database"
	// CPULimits: the platform can limit the CPU of an instance.
	CPULimits Need = "cpu limits"
	// Hypervisor: CloudWatch tells what instances use.
	Hypervisor Need = "hypervisor"
	// Metadata: the stack is in a cloud, where a metadata service gives instances notice.
	Metadata Need = "metadata service"
)

// Needs tells whether a step of the scenario needs it.
func (s Scenario) Needs(n Need) bool {
	for _, k := range stepKinds {
		if slices.Contains(k.needs, n) && s.any(func(m Move) bool { return m.Kind() == k.name }) {
			return true
		}
	}
	return len(s.FaultsThatNeed(n)) > 0
}

// FaultsThatNeed names the faults of the scenario that need it, each once, in the order of [FaultNames].
func (s Scenario) FaultsThatNeed(n Need) []string {
	var names []string
	for _, k := range faultKinds {
		if s.any(func(m Move) bool {
			begin, ok := m.(BeginFault)
			return ok && begin.Fault.Name() == k.name && slices.Contains(k.needed(begin.Fault), n)
		}) {
			names = append(names, k.name)
		}
	}
	return names
}

// Uses tells whether a step of the scenario begins a fault of the type F.
func Uses[F Fault](s Scenario) bool {
	var zero F
	return s.begins(zero.Name())
}

// IsFault tells whether a fault of that name, as a journal has it, is of the type F.
func IsFault[F Fault](name string) bool {
	var zero F
	return zero.Name() == name
}

func (s Scenario) begins(fault string) bool {
	return s.any(func(m Move) bool {
		begin, ok := m.(BeginFault)
		return ok && begin.Fault.Name() == fault
	})
}

// any tells whether a step makes a move of that sort.
func (s Scenario) any(sort func(Move) bool) bool {
	return slices.ContainsFunc(s.Phases, func(p Phase) bool {
		return slices.ContainsFunc(p.Do, func(step Step) bool { return sort(step.Move) })
	})
}
