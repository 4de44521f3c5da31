// Package wire is what a worker and its coordinator say to each other: messages, as net/rpc carries them over one
// connection, and the times in them.
//
// It connects nobody; loadgen/crew does, and is who uses it.
package wire

import (
	"time"

	"throughline/loadgen"
)

// Coordinator is the name under which it is called. Its calls: Join, Compare, Await, AwaitEnd, Tell, Finish.
const Coordinator = "Coordinator"

// Nothing is what a call without arguments, or without an answer, has. It has a field, for gob knows no empty struct.
type Nothing struct{ None bool }

// Load is a load and the part of it that a worker sends; see loadgen.Config.
type Load struct {
	Target, Dial, ServedBy   string
	Foreign                  bool
	Form                     loadgen.Form
	Routes                   []loadgen.Route
	Mix                      map[string]int
	Words                    int
	Skew                     float64
	Seed                     uint64
	Run                      string
	Part                     loadgen.Part
	Timeout                  time.Duration
	MaxInFlight              int
	LatenessP99, LatenessMax time.Duration
	Pages                    *Pages // nil: they tell nothing
}

// Pages is what users tell of the pages that they got; see loadgen.Beacons.
type Pages struct {
	URL, Origin  string
	Share, Again float64
	JSON, Early  bool
}

// LoadOf is what a worker is told of a load.
func LoadOf(c loadgen.Config, form loadgen.Form) Load {
	l := Load{
		Target: c.Target, Dial: c.Dial, ServedBy: c.ServedBy, Foreign: c.Foreign, Form: form, Routes: c.Routes, Mix: c.Mix,
		Words: c.Words, Skew: c.Skew, Seed: c.Seed, Run: c.Run, Part: c.Part, Timeout: c.Timeout, MaxInFlight: c.MaxInFlight,
		LatenessP99: c.LatenessP99, LatenessMax: c.LatenessMax,
	}
	if b := c.Beacons; b != nil {
		l.Pages = &Pages{URL: b.URL, Origin: b.Origin, Share: b.Share, Again: b.Again, JSON: b.JSON, Early: b.Early}
	}
	return l
}

// Config is what the worker makes of it. emit is told of beacons.
func (l Load) Config(emit func(loadgen.Beacon)) (loadgen.Config, error) {
	shape, err := l.Form.Shape()
	c := loadgen.Config{
		Target: l.Target, Dial: l.Dial, ServedBy: l.ServedBy, Foreign: l.Foreign, Shape: shape, Routes: l.Routes, Mix: l.Mix,
		Words: l.Words, Skew: l.Skew, Seed: l.Seed, Run: l.Run, Part: l.Part, Timeout: l.Timeout, MaxInFlight: l.MaxInFlight,
		LatenessP99: l.LatenessP99, LatenessMax: l.LatenessMax,
	}
	if p := l.Pages; p != nil {
		c.Beacons = &loadgen.Beacons{URL: p.URL, Origin: p.Origin, Share: p.Share, Again: p.Again, JSON: p.JSON, Early: p.Early, Emit: emit}
	}
	return c, err
}

// Ask asks for the coordinator's time. Bound is the worst by which a time of the worker's may be wrong so far, of its
// Exchanges; 0: none was used yet.
type Ask struct {
	Bound     time.Duration
	Offset    time.Duration // the coordinator's clock less the worker's, at present
	Exchanges int
}

// Times are when the coordinator had the question, and when it answered, by its clock.
type Times struct{ Received, Answered time.Duration }

// Moment is a time of the coordinator's.
type Moment struct{ At time.Duration }

// Batch is what became known since the last one.
type Batch struct {
	Rows    []Row
	Beacons []Beacon
	Stats   loadgen.Stats // of the worker, after these
}

// Final is how many requests a worker has sent in all, each of which it has told, and how well its times are known.
type Final struct {
	Sent  uint64
	Stats loadgen.Stats
	Clock Ask
}

// Row is a row of the users' ledger; see loadgen.Row. Its times are the coordinator's.
type Row struct {
	Seq                     uint64
	Due, Sent, Done         time.Duration
	Route, Word             string
	Instance, Err           string
	Outcome                 loadgen.Outcome
	Status, Attempts, Stale int
}

// RowOf is what is told of a row; zero is the zero of the coordinator's clock.
func RowOf(r loadgen.Row, zero time.Time) Row {
	return Row{Seq: r.Seq, Due: r.Due.Sub(zero), Sent: r.Sent.Sub(zero), Done: r.Done.Sub(zero), Route: r.Route, Word: r.Word,
		Instance: r.Instance, Err: r.Err, Outcome: r.Outcome, Status: r.Status, Attempts: r.Attempts, Stale: r.Stale}
}

// Row is the row, where zero is as there.
func (r Row) Row(zero time.Time) loadgen.Row {
	return loadgen.Row{Seq: r.Seq, Due: zero.Add(r.Due), Sent: zero.Add(r.Sent), Done: zero.Add(r.Done), Route: r.Route, Word: r.Word,
		Instance: r.Instance, Err: r.Err, Outcome: r.Outcome, Status: r.Status, Attempts: r.Attempts, Stale: r.Stale}
}

// Beacon is a row of the users' ledger of beacons; see loadgen.Beacon. Its times are the coordinator's.
type Beacon struct {
	Seq              uint64
	Route            string
	Again            bool
	Latency          time.Duration
	Sent, Done       time.Duration
	Outcome          loadgen.Outcome
	Status, Attempts int
	Err              string
}

// BeaconOf is what is told of a beacon; zero is the zero of the coordinator's clock.
func BeaconOf(b loadgen.Beacon, zero time.Time) Beacon {
	return Beacon{Seq: b.Seq, Route: b.Route, Again: b.Again, Latency: b.Latency, Sent: b.Sent.Sub(zero), Done: b.Done.Sub(zero),
		Outcome: b.Outcome, Status: b.Status, Attempts: b.Attempts, Err: b.Err}
}

// Beacon is the beacon, where zero is as there.
func (b Beacon) Beacon(zero time.Time) loadgen.Beacon {
	return loadgen.Beacon{Seq: b.Seq, Route: b.Route, Again: b.Again, Latency: b.Latency, Sent: zero.Add(b.Sent), Done: zero.Add(b.Done),
		Outcome: b.Outcome, Status: b.Status, Attempts: b.Attempts, Err: b.Err}
}
