package script

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is what a step does to the infrastructure: a value of one of the types that [FaultNames] names, with its
// parameters, each of which has its default where the file says nothing.
type Fault interface {
	// Name is the fault as the file and the journal have it, like "drop-datagrams".
	Name() string
}

// faultKind is how one fault is read, and what it takes to do it.
type faultKind struct {
	name      string
	read      func(m mapping) Fault
	takes     []string // its keys beside `on`
	on        bool     // it is done to instances, and takes `on`
	momentary bool     // it is over when its step is: there is nothing to heal
	sidelines bool     // it keeps a member of the database from its part
	needs     []Need
}

// faultOf is the kind of fault that a reader of one type makes.
func faultOf[F Fault](read func(m mapping) F, more faultKind) faultKind {
	var zero F
	more.name, more.read = zero.Name(), func(m mapping) Fault { return read(m) }
	return more
}

// faultKinds are the faults.
var faultKinds = []faultKind{
	faultOf(readDrop, faultKind{on: true, takes: []string{"share"}, needs: []Need{OwnAddress, Relays}}),
	faultOf(readDuplicate, faultKind{on: true, takes: []string{"share"}, needs: []Need{OwnAddress, Relays}}),
	faultOf(readReorder, faultKind{on: true, takes: []string{"share"}, needs: []Need{OwnAddress, Relays}}),
	faultOf(readTruncate, faultKind{on: true, takes: []string{"bytes"}, needs: []Need{OwnAddress, Relays}}),
	faultOf(readDelay, faultKind{on: true, takes: []string{"by"}, needs: []Need{OwnAddress, Relays}}),
	faultOf(readLeftoverLines, faultKind{on: true, takes: []string{"rate"}, needs: []Need{OwnAddress}}),
	faultOf(readLeftoverLoad, faultKind{takes: []string{"rate"}}),
	faultOf(readReplay, faultKind{takes: []string{"share"}, needs: []Need{Proxy}}),
	faultOf(bare[Freeze], faultKind{on: true}),
	faultOf(bare[FreezeDatabase], faultKind{needs: []Need{OwnDatabase}}),
	faultOf(bare[FreezePrimary], faultKind{sidelines: true, needs: []Need{Members}}),
	faultOf(readIsolate, faultKind{takes: []string{"member"}, sidelines: true, needs: []Need{Members, PeerProxies}}),
	faultOf(bare[FillDisk], faultKind{needs: []Need{OwnDatabase, OwnDisk}}),
	faultOf(bare[ReloadLB], faultKind{momentary: true, needs: []Need{Master}}),
	faultOf(bare[KillLB], faultKind{momentary: true, needs: []Need{Respawn}}),
	faultOf(bare[ReloadHTTPD], faultKind{on: true, momentary: true, needs: []Need{HTTPD}}),
	faultOf(bare[KillHTTPD], faultKind{on: true, momentary: true, needs: []Need{HTTPD, RespawnHTTPD}}),
	faultOf(readLimitHTTPD, faultKind{on: true, takes: []string{"workers"}, needs: []Need{HTTPD}}),
	faultOf(bare[MuteCloudWatch], faultKind{on: true, needs: []Need{Hypervisor}}),
	faultOf(readRestart, faultKind{momentary: true, takes: []string{"for"}, needs: []Need{OwnAddress, Relays}}),
	faultOf(readKillCollector, faultKind{momentary: true, takes: []string{"for"}, needs: []Need{OwnAddress, Relays, OwnProcess}}),
	faultOf(readSlow, faultKind{on: true, takes: []string{"hop", "by"}}), // what faults of a hop need: see needed
	faultOf(readThrottle, faultKind{on: true, takes: []string{"hop", "bandwidth"}}),
	faultOf(readCut, faultKind{on: true, takes: []string{"hop"}}),
	faultOf(readReset, faultKind{on: true, momentary: true, takes: []string{"hop"}}),
}

// bare reads a fault without parameters.
func bare[F Fault](mapping) (fault F) { return fault }

// FaultNames names all faults.
func FaultNames() []string {
	var names []string
	for _, k := range faultKinds {
		names = append(names, k.name)
	}
	return names
}

// faultKeys are all keys that some fault takes.
func faultKeys() []string {
	keys := []string{"on"}
	for _, k := range faultKinds {
		for _, key := range k.takes {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// faultNamed reads the name of a fault.
func (v value) faultNamed() (faultKind, bool) {
	name := v.oneOf(slices.Sorted(slices.Values(FaultNames()))...)
	return kindOfFault(name)
}

func kindOfFault(name string) (faultKind, bool) {
	at := slices.IndexFunc(faultKinds, func(k faultKind) bool { return k.name == name })
	if at < 0 {
		return faultKind{}, false
	}
	return faultKinds[at], true
}

// BeginFault begins a fault, which lasts until it is healed or the load ends.
type BeginFault struct {
	Fault Fault
	// Instance is to which it is done, or a word that stands for one; "" for all, and for a fault that is not done to
	// instances.
	Instance string
}

// Kind implements [Move].
func (BeginFault) Kind() string { return "fault" }

// String implements [Move].
func (m BeginFault) String() string {
	said := m.Kind() + " " + m.Fault.Name()
	if hop := HopOf(m.Fault); hop != "" {
		said += " " + string(hop)
	}
	if of, ok := m.Fault.(interface{ whom() string }); ok {
		said += " " + of.whom()
	}
	if m.Instance != "" {
		said += " on " + m.Instance
	}
	return said
}

// Target implements [Move].
func (m BeginFault) Target() string { return m.Instance }

// Momentary tells whether the fault is over when its step is: there is nothing to heal.
func (m BeginFault) Momentary() bool {
	k, _ := kindOfFault(m.Fault.Name())
	return k.momentary
}

// play refuses what nobody can do: nobody can freeze who is not there, and the same fault is not begun twice.
func (m BeginFault) play(f *fleet) error {
	k, _ := kindOfFault(m.Fault.Name())
	var missing error
	switch {
	case m.Instance != "" && !StandsIn(m.Instance):
		_, missing = f.find(m.Instance, m)
	case k.on:
		missing = f.someone(m)
	}
	switch {
	case missing != nil:
		return missing
	case m.Instance != "" && !f.withUsers && HopOf(m.Fault) == LBWeb:
		return fmt.Errorf("%v: the load balancer sends nothing to instances of %s, which has no routes: want another instance", m, f.role)
	case f.noDatabase && slices.Contains(k.needed(m.Fault), OwnDatabase):
		return fmt.Errorf("%v: there is no database, with stack.mongo: none: remove one of the two", m)
	case f.members.set > 0 && slices.ContainsFunc(k.needed(m.Fault), ofOneDatabase):
		return fmt.Errorf("%v: it is not done to a database with members: remove stack.mongo.members, or the fault", m)
	case f.noHTTPD && slices.Contains(k.needed(m.Fault), HTTPD):
		return fmt.Errorf("%v: there is no httpd without stack.httpd: yes: add it, or remove the step", m)
	case f.otlp && slices.Contains(k.needed(m.Fault), Relays):
		return fmt.Errorf("%v: it is done to what instances send as datagrams, and with metrics: {otlp} they push by other ways: remove otlp, or the step", m)
	case !f.cloudwatch && slices.Contains(k.needed(m.Fault), Hypervisor):
		return fmt.Errorf("%v: there is no CloudWatch to tell: add stack.cloudwatch, like cloudwatch: {period: 10s}, or remove the step", m)
	case slices.Contains(f.faults, k.name):
		return fmt.Errorf("%v: %s has begun already at that point: heal it first", m, k.name)
	case k.sidelines:
		if err := f.members.sideline(m); err != nil {
			return err
		}
	}
	if !k.momentary {
		f.faults = append(f.faults, k.name)
	}
	return nil
}

// ofOneDatabase tells whether a need is one of a database that stands alone.
func ofOneDatabase(n Need) bool { return n == OwnDatabase || n == OwnDisk || n == LinkOn(WebDB) }

func readBeginFault(what value, m mapping) BeginFault {
	k, known := what.faultNamed()
	if !known {
		return BeginFault{}
	}
	takes := slices.Clone(k.takes)
	if k.on {
		takes = append(takes, "on")
	}
	fitting := "nothing more"
	if len(takes) > 0 {
		fitting = list(takes)
	}
	all := faultKeys()
	for i, key := range m.keys {
		if key := plain(key.node); slices.Contains(all, key) && !slices.Contains(takes, key) {
			m.entries[i].failf("does not fit %s, which takes %s", k.name, fitting)
		}
	}
	begin := BeginFault{Fault: k.read(m)}
	if v, ok := m.get("on"); ok && k.on {
		begin.Instance = v.line(wantInstance)
	}
	return begin
}

// Heal ends a fault.
type Heal struct{ Fault string } // its name

// Kind implements [Move].
func (Heal) Kind() string { return "heal" }

// String implements [Move].
func (m Heal) String() string { return m.Kind() + " " + m.Fault }

// Target implements [Move].
func (Heal) Target() string { return "" }

func (m Heal) play(f *fleet) error {
	k, _ := kindOfFault(m.Fault)
	at := slices.Index(f.faults, m.Fault)
	switch {
	case at >= 0:
		f.faults = slices.Delete(f.faults, at, at+1)
		if k.sidelines {
			f.members.aside--
		}
	case k.momentary:
		return fmt.Errorf("%v: there is nothing to heal, it is over when its step is", m)
	default:
		have := "none"
		if len(f.faults) > 0 {
			have = strings.Join(f.faults, ", ")
		}
		return fmt.Errorf("%v: it has not begun at that point (what has: %s)", m, have)
	}
	return nil
}

func readHeal(what value, _ mapping) Heal {
	k, _ := what.faultNamed()
	return Heal{k.name}
}
