package crew

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"throughline/loadgen"
	"throughline/loadgen/crew/wire"
)

const (
	// startLead is how long before the load begins workers are told, so that none misses its first request, and endLead how
	// long before it ends, so that all end at the same one. Who is told too late goes on beyond it, and then what the
	// others have not sent is missing.
	startLead = 250 * time.Millisecond
	endLead   = 500 * time.Millisecond
	// tellLimit is how long a worker may take for what is left to do when all of its requests have their outcome.
	tellLimit = 10 * time.Second
	// watchEvery is how often the coordinator looks who has become silent.
	watchEvery = 500 * time.Millisecond
)

// Run sends what is due until a little after the end of ctx, and returns when all has its outcome. emit is called as by
// loadgen.Generator.Run, but for the order: rows come in the order in which they are told. Those of a worker that was lost
// come when it is: of each request that it may have sent, unknown.
func (c *Crew) Run(ctx context.Context, emit func(loadgen.Row)) (loadgen.Summary, error) {
	c.start = c.now() + startLead
	close(c.starting)
	r := &running{Crew: c, emit: emit, left: len(c.seats)}
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	limit := time.NewTimer(0)
	limit.Stop()
	done := ctx.Done()
	for r.left > 0 {
		select {
		case n := <-c.news:
			r.take(n)
		case <-done:
			done = nil
			c.end = max(c.start, c.now()+endLead)
			close(c.ending)
			// The longest that anything can take: a request, and then two beacons of its page, each after a preflight.
			limit.Reset(endLead + c.config.Load.LatenessP99 + 5*c.config.Load.Timeout + tellLimit)
		case <-watch.C:
			for _, s := range c.seats {
				if !s.finished && s.silentFor() > silence {
					s.breakOff(errSilent)
				}
			}
		case <-limit.C:
			for _, s := range c.seats {
				if !s.finished {
					s.breakOff(fmt.Errorf("it had not told all %v after its last request", tellLimit))
				}
			}
		}
	}
	if done != nil { // nobody is left to send anything
		<-done
		c.end = c.now()
	}
	return r.summary(), nil
}

// running is a load that goes on.
type running struct {
	*Crew
	emit   func(loadgen.Row)
	left   int // workers that have not ended
	losses []loss
}

// loss is a worker that was lost.
type loss struct {
	seat    *seat
	unknown uint64
}

// take takes what came from a worker.
func (r *running) take(n news) {
	s := n.from
	switch {
	case s.finished: // its connection is no more, as it should be
	case n.lost:
		r.lose(s, n)
	case n.batch != nil:
		if err := r.enter(s, n.batch); err != nil {
			s.breakOff(err)
		}
	case n.final != nil:
		r.finish(s, n.final)
	}
}

// enter takes rows and beacons, until one cannot be.
func (r *running) enter(s *seat, b *wire.Batch) error {
	for _, told := range b.Rows {
		if err := errors.Join(s.ledger.enter(told.Seq), r.agrees(told)); err != nil {
			return err
		}
		r.row(told.Row(r.zero))
	}
	r.mu.Lock()
	s.stats = b.Stats
	r.mu.Unlock()
	if pages := r.config.Load.Beacons; pages != nil {
		for _, told := range b.Beacons {
			pages.Emit(told.Beacon(r.zero))
		}
	}
	return nil
}

func (r *running) row(row loadgen.Row) {
	r.mu.Lock()
	r.merge.add(row)
	r.merge.last = max(r.merge.last, row.Due.Sub(r.zero)-r.start)
	r.mu.Unlock()
	r.emit(row)
}

// finish takes the end of a worker that has told all.
func (r *running) finish(s *seat, f *wire.Final) {
	if s.ledger.low != f.Sent || len(s.ledger.above) > 0 {
		s.breakOff(fmt.Errorf("it sent %d requests, and has told %d", f.Sent, s.ledger.low+uint64(len(s.ledger.above))))
		return
	}
	s.finished = true
	r.left--
	r.mu.Lock()
	s.stats = f.Stats
	r.mu.Unlock()
	r.config.Journal.Ended(s.part.Worker, Ending{ID: s.started.ID(), Expected: true})
}

// lose enters, of a worker that is no more, all requests that it may have sent, and of which it told nothing.
func (r *running) lose(s *seat, n news) {
	s.finished = true
	r.left--
	offset := n.until - r.start
	select {
	case <-r.ending:
		offset = min(offset, r.end-r.start)
	default:
	}
	missing := s.ledger.missing(loadgen.DueBy(s.part.Deal(r.config.Load.Shape), offset))
	for _, seq := range missing {
		due, _ := r.config.Load.Shape.Due(seq)
		route, word := r.plan.Request(seq)
		at := r.zero.Add(r.start + due)
		row := loadgen.Row{Seq: seq, Route: route, Word: word, Due: at, Sent: at, Done: at.Add(max(0, n.until-r.start-due)), Attempts: 1,
			Err: fmt.Sprintf("worker %d was lost: nobody knows whether it was sent", s.part.Worker)}
		_ = s.ledger.enter(seq) // it is missing
		r.row(row)
	}
	r.mu.Lock()
	s.stats.InFlight = 0
	r.mu.Unlock()
	r.losses = append(r.losses, loss{s, uint64(len(missing))})
	r.config.Journal.Ended(s.part.Worker, Ending{ID: s.started.ID(), At: n.until - r.start, How: n.how, Unknown: uint64(len(missing))})
}

// summary sums up a load that is over.
func (r *running) summary() loadgen.Summary {
	shape, took := r.config.Load.Shape, r.end-r.start
	// One who was told too late of the end has gone on beyond it, and others have not.
	took = max(took, r.merge.last)
	stats := r.Stats()
	unsent := max(loadgen.DueBy(shape, took), stats.Sent) - stats.Sent
	var of uint64 // those who were lost
	var why []string
	for _, l := range r.losses {
		part := loadgen.DueBy(l.seat.part.Deal(shape), took)
		never := max(part, l.seat.ledger.low) - l.seat.ledger.low
		of += never
		why = append(why, fmt.Sprintf("worker %d of %d was lost: of %d of its requests nobody knows what they came to, and %d were never sent",
			l.seat.part.Worker, len(r.seats), l.unknown, never))
	}
	s := r.merge.tally.Summary(r.zero.Add(r.start), took, stats, max(unsent, of)-of)
	if s.Unsent = unsent; s.Missed != "" {
		why = append(why, s.Missed)
	}
	s.Missed = strings.Join(why, "; ")
	return s
}
