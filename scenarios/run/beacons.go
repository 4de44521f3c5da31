package run

import (
	"maps"
	"slices"

	"throughline/collector/pipeline"
	"throughline/collector/rum"
	"throughline/loadgen"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// The origin of the pages that users get, which is the name by which they know the load balancer and not its address; and
// another, that a collector was told in its place where that is what is wrong: it has lost the www.
const (
	pageOrigin  = "https://www.example.com"
	wrongOrigin = "https://example.com"
)

// oftenTwice is the share of pages whose beacon is sent a second time, where that is what is wrong.
const oftenTwice = 0.1

// spareBeacons is how many beacons a second the collector of a run takes at least.
const spareBeacons = 10_000

// rum is how the collector takes beacons; nil: nobody sends any. Those after the first take them where that did.
func (t *telemetry) rum() *rum.Config {
	b := t.cfg.Scenario.Load.Beacons
	if !b.Any() {
		return nil
	}
	c := rum.Config{Addr: "127.0.0.1:0", Origins: []string{pageOrigin}, Routes: slices.Sorted(maps.Keys(t.cfg.Scenario.Load.Mix)), Took: t.took}
	// Nobody but the users sends any, who may all come at once after a standstill.
	c.Rate = spareBeacons + 2*t.cfg.Scenario.Load.Peak()
	if b.Defect == script.BeaconsWrongOrigin {
		c.Origins = []string{wrongOrigin}
	}
	if t.rumAddr != "" {
		c.Addr = t.rumAddr
	}
	return &c
}

// keepRUM keeps where beacons are taken, for the next collector.
func (t *telemetry) keepRUM(of engine) {
	if p, here := of.(*pipeline.Pipeline); here && p.RUM != nil {
		t.rumAddr = p.RUM.Addr()
	}
}

// beacons is where users tell of their pages; "" = nowhere.
func (t *telemetry) beacons() string {
	if t.rumAddr == "" {
		return ""
	}
	return "http://" + t.rumAddr + rum.Path
}

// took records a beacon that the collector counted. A failure to write is kept by the record.
func (t *telemetry) took(b rum.Beacon) {
	w := t.journal.record
	a := record.Arrival{At: w.Offset(b.At), Route: b.Route, Latency: b.Latency, Form: string(b.Form)}
	seq, own := t.cfg.numbering().sequence(b.ID)
	if own {
		a.Seq = seq
	} else {
		a.Foreign, a.PageID = true, b.ID
	}
	_ = w.Arrival(a)
}

// beaconsOf is what users tell, at a URL; nil: nothing.
func beaconsOf(b script.Beacons, url string, w *record.Writer) *loadgen.Beacons {
	if !b.Any() {
		return nil
	}
	out := &loadgen.Beacons{URL: url, Origin: pageOrigin, Share: b.Share, JSON: b.Form == script.JSONBeacons, Early: b.Defect == script.BeaconsEarly,
		Emit: func(b loadgen.Beacon) {
			_ = w.Beacon(record.Beacon{Seq: b.Seq, Route: b.Route, Again: b.Again, Latency: b.Latency, Sent: w.Offset(b.Sent), Done: w.Offset(b.Done),
				Outcome: outcomes[b.Outcome], Status: uint16(b.Status), Attempts: uint16(b.Attempts), Err: b.Err})
		}}
	if b.Defect == script.BeaconsTwice {
		out.Again = oftenTwice
	}
	return out
}
