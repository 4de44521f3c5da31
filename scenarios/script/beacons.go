package script

import "time"

// The forms of beacons, as browsers send them.
const (
	TextBeacons = "text" // navigator.sendBeacon of a string: text/plain, no preflight
	JSONBeacons = "json" // of a Blob of application/json: after a preflight, for the collector has another origin
)

// The defects of beacons.
const (
	BeaconsTwice       = "twice"        // of every tenth page, the same beacon is sent a second time
	BeaconsEarly       = "early"        // pages report as soon as they have been asked for
	BeaconsWrongOrigin = "wrong-origin" // the collector takes beacons of another origin than the pages'
)

// defaultBeaconShare is the share of users whose browsers tell anything: some block it, some are gone too soon.
const defaultBeaconShare = 0.9

// Beacons is what users tell the collector of their pages; the zero value is: nothing.
type Beacons struct {
	Share  float64 // of the users who got a page, above 0 to 1; the others never tell
	Form   string  // TextBeacons or JSONBeacons
	Defect string  // "" for none
}

// Any tells whether users send beacons at all.
func (b Beacons) Any() bool { return b.Share > 0 }

// beacons reads load.beacons. The phases are known by now.
func (v value) beacons(s *Scenario) Beacons {
	b := Beacons{Share: defaultBeaconShare, Form: TextBeacons}
	m, ok := v.options("share", "form", "defect")
	if !ok {
		return b
	}
	b.Share = m.fraction("share", true, defaultBeaconShare)
	if v, ok := m.get("form"); ok {
		b.Form = v.oneOf(TextBeacons, JSONBeacons)
	}
	if v, ok := m.get("defect"); ok {
		b.Defect = v.oneOf(BeaconsTwice, BeaconsEarly, BeaconsWrongOrigin)
	}
	if s.Needs(OwnProcess) {
		v.failf("a collector that a step kills takes no beacons: use restart-collector, or leave the beacons out")
	}
	return b
}

// BeaconsSent promises that the collector counted the beacons of the pages that users got, each once, and no others,
// and that they tell what users waited.
type BeaconsSent struct {
	Route string        // whose pages; "" = all
	Share float64       // of the pages, that have a beacon at least
	Web   Metric        // the timer around a request of Route; "" = none
	Unit  time.Duration // of values of Web whose type does not tell it
	Slack time.Duration // how far a beacon's time may be off
}

// Kind implements [Promise].
func (BeaconsSent) Kind() string { return "beacons" }

// Metrics implements [Promise].
func (c BeaconsSent) Metrics() []Metric { return []Metric{c.Web} }

// Late implements [Promise].
func (BeaconsSent) Late() time.Duration { return 0 }

func (p *promises) beacons(v value) BeaconsSent {
	c := BeaconsSent{}
	m, ok := v.options("route", "share", "web", "unit", "slack")
	if !ok {
		return c
	}
	if !p.s.Load.Beacons.Any() && p.sound {
		v.failf("no user sends any: say so in load, like beacons: {share: 0.9}")
	}
	if _, given := m.get("route"); given {
		c.Route = p.route(m, "")
	}
	c.Share = m.fraction("share", true, p.s.Load.Beacons.Share)
	if v, ok := m.get("share"); ok && p.sound && c.Share > p.s.Load.Beacons.Share && p.s.Load.Beacons.Any() {
		v.failf("is more than the share of the users who send any, %v", p.s.Load.Beacons.Share)
	}
	c.Web = m.several("web")
	if v, ok := m.get("web"); ok && c.Route == "" && c.Web != "" {
		if c.Route = p.only(); c.Route == "" {
			v.failf("of which pages does it measure the requests? add route")
		}
	}
	if c.Web != "" {
		p.alone(m, c.Web, c.Route)
	}
	c.Unit = time.Millisecond
	if v, ok := m.get("unit"); ok {
		c.Unit = timeUnits[v.oneOf("s", "ms", "us", "ns")]
	}
	c.Slack = m.duration("slack", 0, defaultSlack)
	return c
}
