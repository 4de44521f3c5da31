package script

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The faults, spelled as in the file.
const (
	DropDatagrams      = "drop-datagrams"
	DuplicateDatagrams = "duplicate-datagrams"
	ReorderDatagrams   = "reorder-datagrams"
	TruncateDatagrams  = "truncate-datagrams"
	DelayDatagrams     = "delay-datagrams"
	LeftoverLines      = "leftover-lines"
	LeftoverLoad       = "leftover-load"
	ReplayRequests     = "replay-requests"
	Freeze             = "freeze"
	FreezeDatabase     = "freeze-database"
	ReloadLB           = "reload-lb"
	RestartCollector   = "restart-collector"
)

// Fault is a fault with its parameters, each with its default where it takes one and zero where it does not.
type Fault struct {
	Name  string
	Share float64       // of datagrams or requests, in (0, 1]
	Bytes int           // how long a datagram may be
	By    time.Duration // how late a datagram becomes
	For   time.Duration // how long something is away
	Rate  float64       // requests or lines per second
}

// Momentary tells whether the fault is over when its step is: there is nothing to heal.
func (f Fault) Momentary() bool { return faults[f.Name].momentary }

// faultKind is what there is to say about a fault.
type faultKind struct {
	on        bool // it is done to instances
	momentary bool
	takes     []string // its parameters
	otherwise Fault    // its defaults
}

var faults = map[string]faultKind{
	DropDatagrams:      {on: true, takes: []string{"share"}, otherwise: Fault{Share: 0.1}},
	DuplicateDatagrams: {on: true, takes: []string{"share"}, otherwise: Fault{Share: 0.1}},
	ReorderDatagrams:   {on: true, takes: []string{"share"}, otherwise: Fault{Share: 0.1}},
	TruncateDatagrams:  {on: true, takes: []string{"bytes"}, otherwise: Fault{Bytes: 40}},
	DelayDatagrams:     {on: true, takes: []string{"by"}, otherwise: Fault{By: 5 * time.Second}},
	LeftoverLines:      {on: true, takes: []string{"rate"}, otherwise: Fault{Rate: 20}},
	LeftoverLoad:       {takes: []string{"rate"}, otherwise: Fault{Rate: 20}},
	ReplayRequests:     {takes: []string{"share"}, otherwise: Fault{Share: 0.1}},
	Freeze:             {on: true},
	FreezeDatabase:     {},
	ReloadLB:           {momentary: true},
	RestartCollector:   {momentary: true, takes: []string{"for"}, otherwise: Fault{For: time.Second}},
}

// faultKeys are all parameters of faults.
var faultKeys = []string{"on", "share", "bytes", "by", "for", "rate"}

// mostBytes is the longest payload of a UDP datagram over IPv4.
const mostBytes = 65507

// fault reads the parameters of the fault that what names into step; m is the whole step.
func (m mapping) fault(what value, step *Step) {
	name := what.oneOf(slices.Sorted(maps.Keys(faults))...)
	kind, known := faults[name]
	if !known {
		return
	}
	takes := slices.Clone(kind.takes)
	if kind.on {
		takes = append(takes, "on")
	}
	fitting := "nothing more"
	if len(takes) > 0 {
		fitting = list(takes)
	}
	for i, k := range m.keys {
		if key := plain(k.node); slices.Contains(faultKeys, key) && !slices.Contains(takes, key) {
			m.entries[i].failf("does not fit %s, which takes %s", name, fitting)
		}
	}
	step.Fault = kind.otherwise
	step.Fault.Name = name
	if v, ok := m.get("on"); ok && kind.on {
		step.Instance = v.line("the name of an instance, like web-2")
	}
	if slices.Contains(takes, "share") {
		step.Fault.Share = m.fraction("share", true, kind.otherwise.Share)
	}
	if v, ok := m.get("bytes"); ok && slices.Contains(takes, "bytes") {
		step.Fault.Bytes = v.count(1, mostBytes)
	}
	if slices.Contains(takes, "by") {
		step.Fault.By = m.duration("by", shortest, kind.otherwise.By)
	}
	if slices.Contains(takes, "for") {
		step.Fault.For = m.duration("for", shortest, kind.otherwise.For)
	}
	if v, ok := m.get("rate"); ok && slices.Contains(takes, "rate") {
		step.Fault.Rate = v.rate(false)
	}
}

// begin plays a fault through: nobody can freeze who is not there, and the same fault is not begun twice.
func (f *fleet) begin(s Step) error {
	if s.Instance != "" && !slices.Contains(f.live, s.Instance) {
		return fmt.Errorf("%v: no such instance at that point (have %s)", s, f.have())
	}
	if s.Instance == "" && faults[s.Fault.Name].on && len(f.live) == 0 {
		return fmt.Errorf("%v: no instance is alive at that point", s)
	}
	if s.Fault.Name == FreezeDatabase && f.noDatabase {
		return fmt.Errorf("%v: there is no database, with stack.mongo: none: remove one of the two", s)
	}
	if slices.Contains(f.faults, s.Fault.Name) {
		return fmt.Errorf("%v: %s has begun already at that point: heal it first", s, s.Fault.Name)
	}
	if !s.Fault.Momentary() {
		f.faults = append(f.faults, s.Fault.Name)
	}
	return nil
}

func (f *fleet) heal(s Step) error {
	at := slices.Index(f.faults, s.Fault.Name)
	switch {
	case at >= 0:
		f.faults = slices.Delete(f.faults, at, at+1)
	case s.Fault.Momentary():
		return fmt.Errorf("%v: there is nothing to heal, it is over when its step is", s)
	default:
		have := "none"
		if len(f.faults) > 0 {
			have = strings.Join(f.faults, ", ")
		}
		return fmt.Errorf("%v: it has not begun at that point (what has: %s)", s, have)
	}
	return nil
}

// Uses tells whether a step of the scenario begins one of the faults.
func (s Scenario) Uses(names ...string) bool {
	for _, p := range s.Phases {
		if slices.ContainsFunc(p.Do, func(step Step) bool {
			return step.Kind == BeginFault && slices.Contains(names, step.Fault.Name)
		}) {
			return true
		}
	}
	return false
}
