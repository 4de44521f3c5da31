package picture

import (
	"math"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/record"
)

// Fleet is how the size of a fleet is held against what users call for.
type Fleet struct {
	Policy autoscale.Policy // of the autoscaler, by whose target the need is told
	Route  string           // whose requests its metric counts, in requests per second; empty: all
}

// FleetLayer is the ID of the layer that shows what an autoscaler did.
const FleetLayer = "fleet"

// demandOver is the time over which arrivals make a rate.
const demandOver = 2 * time.Second

// arrive takes a request that was sent.
func (p *Picture) arrive(r record.Request) {
	if f := p.counts.Fleet; f != nil && (f.Route == "" || f.Route == r.Route) {
		p.arrived.add(p.at(r.Sent), 1)
	}
}

// fleet shows how many instances an autoscaler wanted and found, and how many were needed by what users sent, in n bins;
// ok is false where none has decided anything.
func (p *Picture) fleet(n int) (l Layer, ok bool) {
	had, wanted := line("had", n), line("wanted", n)
	for _, e := range p.events {
		if e.Kind != record.Decided || e.Decision == nil {
			continue
		}
		ok = true
		if bin := p.axis.Index(min(max(e.At, 0), longestRun)); bin < n {
			had.Values[bin], wanted.Values[bin] = float64(e.Decision.Had), float64(e.Decision.Wanted)
		}
	}
	if !ok {
		return l, false
	}
	for b := 1; b < n; b++ {
		for _, of := range []Line{had, wanted} {
			if math.IsNaN(of.Values[b]) {
				of.Values[b] = of.Values[b-1] // until the next decision
			}
		}
	}
	l = Layer{ID: FleetLayer, Title: "The autoscaler", Unit: "instances", Lines: []Line{wanted, had}}
	if p.counts.Fleet != nil {
		l.Lines = append(l.Lines, p.needed(n))
	}
	return l, true
}

// line is one of which nothing is known yet. Between its bins it is a stair.
func line(name string, n int) Line {
	l := Line{Name: name, Stair: true, Values: make([]float64, n)}
	for b := range l.Values {
		l.Values[b] = math.NaN()
	}
	return l
}

// needed is how many instances users called for, by what they sent in the short time before the end of each bin.
func (p *Picture) needed(n int) Line {
	l := line("needed", n)
	arrived, over := p.arrived.all(n), int(max(1, demandOver/p.axis.Width))
	sent := 0.0
	for b := range arrived {
		if sent += arrived[b]; b >= over {
			sent -= arrived[b-over]
		}
		if b >= p.arrived.first && len(p.arrived.v) > 0 && b < p.arrived.first+len(p.arrived.v) {
			seconds := float64(min(over, b-p.arrived.first+1)) * p.axis.Width.Seconds()
			l.Values[b] = float64(p.counts.Fleet.Policy.Needed(sent / seconds))
		}
	}
	return l
}
