package script

import (
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Hop is a stretch of a request's way, from one tier to the next.
type Hop string

// The hops.
const (
	UsersLB Hop = "users-lb" // users to the load balancer: one for all
	LBWeb   Hop = "lb-web"   // the load balancer to each web instance
	WebDB   Hop = "web-db"   // each web instance to the database
)

// Hops are all hops, in the order of a request's way.
func Hops() []Hop { return []Hop{UsersLB, LBWeb, WebDB} }

// LinkOn is what a fault of the network of a hop needs: its connections go through links.
func LinkOn(h Hop) Need { return Need("link on " + string(h)) }

// ofHop is a fault of the network of one hop.
type ofHop interface{ hop() Hop }

// HopOf is the hop of whose network a fault is; "": it is of none.
func HopOf(f Fault) Hop {
	if of, ok := f.(ofHop); ok {
		return of.hop()
	}
	return ""
}

// SlowNetwork delivers what the two ends of a hop say to each other late.
type SlowNetwork struct {
	Hop Hop
	By  time.Duration // in each direction
}

// Name implements [Fault].
func (SlowNetwork) Name() string { return "slow-network" }
func (f SlowNetwork) hop() Hop   { return f.Hop }

// ThrottleNetwork lets no more than so many bytes pass in a second: in each direction, of all connections of one instance
// together; between users and load balancer of all.
type ThrottleNetwork struct {
	Hop       Hop
	Bandwidth int64 // bytes per second
}

// Name implements [Fault].
func (ThrottleNetwork) Name() string { return "throttle-network" }
func (f ThrottleNetwork) hop() Hop   { return f.Hop }

// CutNetwork lets nothing pass: who connects gets no answer, and neither end hears of the other. What was said meanwhile
// arrives when it is healed.
type CutNetwork struct{ Hop Hop }

// Name implements [Fault].
func (CutNetwork) Name() string { return "cut-network" }
func (f CutNetwork) hop() Hop   { return f.Hop }

// ResetNetwork resets the connections that there are, once.
type ResetNetwork struct{ Hop Hop }

// Name implements [Fault].
func (ResetNetwork) Name() string { return "reset-network" }
func (f ResetNetwork) hop() Hop   { return f.Hop }

func readSlow(m mapping) SlowNetwork {
	return SlowNetwork{m.hop(), m.duration("by", shortest, defaultLatency)}
}

func readThrottle(m mapping) ThrottleNetwork {
	return ThrottleNetwork{m.hop(), m.bandwidth()}
}

func readCut(m mapping) CutNetwork     { return CutNetwork{m.hop()} }
func readReset(m mapping) ResetNetwork { return ResetNetwork{m.hop()} }

// hop reads the parameter of that name, which has no default. Between users and load balancer there is nobody whom alone
// a fault could be done to.
func (m mapping) hop() Hop {
	m.require("hop")
	v, ok := m.get("hop")
	if !ok {
		return ""
	}
	var known []string
	for _, h := range Hops() {
		known = append(known, string(h))
	}
	hop := Hop(v.oneOf(known...))
	if on, given := m.get("on"); given && hop == UsersLB {
		on.failf("does not fit the hop %s, which all instances share: remove it, or take %s", UsersLB, LBWeb)
	}
	return hop
}

// The bounds of a bandwidth, in bytes per second.
const (
	leastBandwidth = 100
	mostBandwidth  = 1e9
)

// bandwidthForm is a number of bytes per second with its unit; 1 KB is 1000 bytes.
var bandwidthForm = regexp.MustCompile(`^([0-9]{1,9}(?:\.[0-9]{1,3})?)(B|KB|MB)/s$`)

// bandwidth reads the parameter of that name.
func (m mapping) bandwidth() int64 {
	const want = "bytes per second, like 100KB/s (units: B/s, KB/s, MB/s)"
	v, ok := m.get("bandwidth")
	if !ok {
		return defaultBandwidth
	}
	s, ok := v.quantity(want)
	if !ok {
		return 0
	}
	parts := bandwidthForm.FindStringSubmatch(s)
	if parts == nil {
		v.failf("%s is not a bandwidth: want %s", quote(s), want)
		return 0
	}
	n, err := strconv.ParseFloat(parts[1], 64)
	n *= map[string]float64{"B": 1, "KB": 1e3, "MB": 1e6}[parts[2]]
	if err != nil || n < leastBandwidth || n > mostBandwidth {
		v.failf("%s is out of range: want %dB/s to %dMB/s", s, leastBandwidth, int(mostBandwidth/1e6))
		return 0
	}
	return int64(n)
}

// needed is what a fault of this kind needs, with its parameters.
func (k faultKind) needed(f Fault) []Need {
	needs := slices.Clone(k.needs)
	switch hop := HopOf(f); hop {
	case "":
	case WebDB:
		needs = append(needs, LinkOn(hop), OwnDatabase)
	default:
		needs = append(needs, LinkOn(hop))
	}
	return needs
}
