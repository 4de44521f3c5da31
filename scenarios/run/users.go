package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"throughline/live"
	"throughline/loadgen"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// The load kept its schedule if 99 of 100 requests were sent within lateP99 of when they
// were due, and all within lateMax; see loadgen.Summary.Missed.
const (
	lateP99 = 100 * time.Millisecond
	lateMax = time.Second
)

// users is the load of one run, and what is known of its last second.
type users struct {
	record    *record.Writer // has the users' ledger
	serving   func() []string
	generator generator
	leave     func() error // ends what has sent the load, when that is over
	cancel    context.CancelFunc
	done      chan struct{}
	summary   loadgen.Summary
	err       error
	began     time.Time

	mu       sync.Mutex
	phase    stretch       // what ended in this phase
	recent   []loadgen.Row // that ended in about the last second, about in the order of Done
	answered [6]uint64     // since the load began; as in live.Status
}

// generator is what sends a load: a loadgen.Generator, or several that are a crew.Crew.
type generator interface {
	Run(ctx context.Context, emit func(loadgen.Row)) (loadgen.Summary, error)
	Stats() loadgen.Stats
}

// stretch is what is known of the requests that ended in some time.
type stretch struct {
	latencies               []time.Duration
	acked, refused, unknown uint64
	answered                [6]uint64 // as in live.Status
}

func (s *stretch) add(r loadgen.Row) {
	s.latencies = append(s.latencies, r.Latency())
	switch class := r.Answered(); {
	case r.Outcome == loadgen.Acked:
		s.acked++
	case r.Outcome == loadgen.Refused:
		s.refused++
	case class > 0:
		s.answered[class]++
	default:
		s.unknown++
	}
}

// figures sets rate and latencies, over a time.
func (s *stretch) figures(of *live.Status, over time.Duration) {
	of.Rate = float64(s.acked) / over.Seconds()
	if n := len(s.latencies); n > 0 {
		slices.Sort(s.latencies)
		of.P50, of.P99 = s.latencies[n/2], s.latencies[n*99/100]
	}
}

// newUsers makes the users of what is served at target; j has their ledger. beacons is where they tell of their pages.
func newUsers(ctx context.Context, c Config, target, beacons string, j *journal, serving func() []string) (*users, error) {
	load := c.Scenario.Load
	form := formOf(load)
	shape, err := form.Shape()
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	var routes []loadgen.Route
	for name, r := range c.Scenario.Stack.Routes() {
		routes = append(routes, loadgen.Route{Name: name, Method: r.Method, Path: r.Path})
	}
	// A map has no order, and the order of the routes is part of what the
	// seed decides.
	slices.SortFunc(routes, func(a, b loadgen.Route) int { return record.CompareNames(a.Name, b.Name) })
	there := loadgen.Config{}
	if x := c.Scenario.Stack.External; x != nil {
		there = loadgen.Config{Dial: c.There.Dial, ServedBy: x.Header, Foreign: true}
	}
	config := loadgen.Config{
		Dial: there.Dial, ServedBy: there.ServedBy, Foreign: there.Foreign,
		Target: target, Shape: shape, Routes: routes, Mix: load.Mix, Words: load.Words,
		Seed: c.Run.Seed, Run: c.Run.ID, Timeout: load.Timeout, LatenessP99: lateP99, LatenessMax: lateMax,
		Beacons: beaconsOf(load.Beacons, beacons, j.record),
	}
	u := &users{record: j.record, serving: serving, leave: func() error { return nil }, done: make(chan struct{})}
	if load.Workers > 0 {
		workers, err := assemble(ctx, c, config, form, j)
		if err != nil {
			return nil, fmt.Errorf("load: %w", err)
		}
		u.generator, u.leave = workers, workers.Close
	} else if u.generator, err = loadgen.New(config); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return u, nil
}

// formOf is the shape of a load.
func formOf(l script.Load) loadgen.Form {
	switch l.Shape {
	case script.Sine:
		return loadgen.Form{Kind: loadgen.SineForm, Rate: l.Rate, Swing: l.Swing, Period: l.Period}
	case script.Ramp:
		return loadgen.Form{Kind: loadgen.RampForm, Rate: l.Rate, To: l.To, Over: l.Over}
	case script.Steps:
		levels := make([]loadgen.Level, 0, len(l.Levels))
		for _, level := range l.Levels {
			levels = append(levels, loadgen.Level{Rate: level.Rate, For: level.For})
		}
		return loadgen.Form{Kind: loadgen.StepsForm, Levels: levels}
	}
	return loadgen.Form{Kind: loadgen.ConstantForm, Rate: l.Rate}
}

// start lets the load run until stop. It does not end with the run's context:
// requests in flight are seen to their end also after Ctrl-C.
func (u *users) start() {
	ctx, cancel := context.WithCancel(context.Background())
	u.cancel, u.began = cancel, time.Now()
	go func() {
		defer close(u.done)
		u.summary, u.err = u.generator.Run(ctx, u.row)
	}()
}

// stop ends the load and returns when the last request has its outcome.
func (u *users) stop() (loadgen.Summary, error) {
	u.cancel()
	<-u.done
	return u.summary, errors.Join(u.err, u.leave())
}

var outcomes = map[loadgen.Outcome]record.Outcome{
	loadgen.Acked: record.Acked, loadgen.Refused: record.Refused, loadgen.Unknown: record.Unknown,
}

// row puts a row into the users' ledger. A failure to write is kept by the
// record and ends the run at its close.
func (u *users) row(r loadgen.Row) {
	w := u.record
	_ = w.Request(record.Request{
		Seq: r.Seq, Due: w.Offset(r.Due), Sent: w.Offset(r.Sent), Done: w.Offset(r.Done),
		Route: r.Route, Word: r.Word, Instance: r.Instance, Err: r.Err,
		Status: uint16(r.Status), Attempts: uint16(r.Attempts), Outcome: outcomes[r.Outcome],
	})
	u.mu.Lock()
	defer u.mu.Unlock()
	u.phase.add(r)
	u.recent = append(u.recent, r)
	if class := r.Answered(); class > 0 {
		u.answered[class]++
	}
}

// beginPhase forgets the phase before.
func (u *users) beginPhase() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.phase = stretch{}
}

// endPhase sums up the phase.
func (u *users) endPhase(took time.Duration) live.Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := &u.phase
	status := live.Status{Instances: u.serving(), Acked: p.acked, Refused: p.refused, Unknown: p.unknown, Answered: p.answered}
	p.figures(&status, took)
	return status
}

// tickEvery is how often Progress hears of a run.
const tickEvery = 500 * time.Millisecond

// tick tells the progress until ctx ends.
func (u *users) tick(ctx context.Context, end time.Time, progress Progress) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			progress.Tick(u.status(now, end))
		}
	}
}

// status is how it goes now; the phase ends at end, which is zero if nobody knows.
func (u *users) status(now, end time.Time) live.Status {
	stats := u.generator.Stats()
	status := live.Status{Elapsed: now.Sub(u.began), Acked: stats.Acked, Refused: stats.Refused, Unknown: stats.Unknown, Instances: u.serving()}
	if !end.IsZero() {
		status.PhaseLeft = end.Sub(now)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	status.Answered = u.answered
	for _, n := range u.answered {
		status.Unknown -= min(n, status.Unknown) // the two are not counted in the same moment
	}
	old := 0
	for old < len(u.recent) && now.Sub(u.recent[old].Done) >= time.Second {
		old++
	}
	u.recent = slices.Delete(u.recent, 0, old)
	var last stretch
	for _, r := range u.recent {
		last.add(r)
	}
	last.figures(&status, time.Second)
	return status
}
