// Package run is the clockwork: it brings a stack up, puts load on it, does
// the steps of a scenario at their times, and records all that is seen.
//
// It is the only package that knows stack, load, collector and record at once,
// and it judges nothing: its product is a run directory, which scenarios/check
// reads. The command line calls it.
package run

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"throughline/compose"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Config is what one run needs.
type Config struct {
	Scenario script.Scenario
	Run      record.Run // who, when and with what; Run.Start is the zero of the run's clock
	Dir      string     // the run directory, made by newRecord
	Scratch  string     // a directory for what need not outlive the run: the collector's store
	Platform compose.Platform
	MongoURI string // a MongoDB to use instead of the embedded database; "" = embedded
	HAProxy  string // the HAProxy binary on this machine; "" = the platform has its own, called haproxy
	// Web and Database are what the instances execute; zero = WebProgram, and
	// the embedded database. A Database listens on {{.Port}}.
	Web, Database compose.Program
	// Frontend is the port where the load balancer serves users; 0 = any
	// free one.
	Frontend int
	// Dashboard is where the collector's HTTP API listens; "" = nowhere.
	Dashboard string
	Progress  Progress
}

// Progress is told how a run goes, while it goes. Calls may come from several
// goroutines at once.
type Progress interface {
	Phase(name string, index int)             // phase number index begins
	EndPhase(took time.Duration, over Status) // over is the whole phase: mean rate, latencies of all its requests
	Step(text string, took time.Duration, err error)
	Tick(Status) // about twice a second
	Note(text string)
}

// Status is how a run does, at one moment.
type Status struct {
	Elapsed, PhaseLeft time.Duration // since the load began; until the phase ends, below 0 while its steps take longer
	Rate               float64       // acknowledged per second, over the last second
	P50, P99           time.Duration // latency from when requests were due, over the last second
	Acked              uint64        // since the load began
	Refused            uint64
	Unknown            uint64    // what became of them nobody can know
	Answered           [6]uint64 // otherwise than with 2xx, by class: of Answered[4] with 4xx
	Instances          []string  // that serve
}

// drainLimit bounds what a run may still take once it was interrupted.
const drainLimit = 8 * time.Second

// Run runs the scenario and writes its record. It returns an error only when
// the harness could not do its work: the stack did not come up, the record could
// not be written, or the stack could not be taken down. In the last case the record
// is whole all the same. What went wrong in the stack is in the record. When ctx
// ends, the load stops, what there is is recorded, and Run returns nil.
func Run(ctx context.Context, c Config) (err error) {
	journal, err := newRecord(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	c.Progress.Note("starting the stack")
	s, err := newStack(c, journal)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.closeLimit())
		defer cancel()
		err = errors.Join(err, s.close(closing))
	}()
	if s.executions, err = openExecutions(net.JoinHostPort(c.Platform.Home(), "0"), c.Run.ID, journal); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.executions.close()) }()
	if err := s.up(ctx); err != nil {
		if s.interrupted(ctx) { // before the load began
			s.event(record.Event{Kind: record.RunEnd})
			return journal.Flush()
		}
		return err
	}
	if err := s.possible(); err != nil {
		return err
	}
	if err := s.documents(ctx, journal.Before); err != nil {
		return fmt.Errorf("read the database before the load: %w", err)
	}
	users, err := newUsers(c, s)
	if err != nil {
		return err
	}
	users.start()
	s.event(record.Event{Kind: record.LoadBegin})
	phases(ctx, s, users)
	return finish(ctx, s, users)
}

// interrupted tells whether the run was called off. The first time that it was, it
// says so in the journal: nothing of such a run could settle.
func (s *stack) interrupted(ctx context.Context) bool {
	if ctx.Err() != nil && !s.calledOff {
		s.calledOff = true
		s.event(record.Event{Kind: record.Interrupted})
		s.cfg.Progress.Note("interrupted: recording what there is")
	}
	return s.calledOff
}

// phases goes through the scenario until it ends, a step fails or ctx ends.
func phases(ctx context.Context, s *stack, users *users) {
	for i, phase := range s.cfg.Scenario.Phases {
		s.cfg.Progress.Phase(phase.Name, i)
		begin := time.Now()
		users.beginPhase()
		s.event(record.Event{Kind: record.PhaseBegin, Phase: phase.Name})
		ticking, stop := context.WithCancel(ctx)
		ticked := make(chan struct{})
		go func() {
			defer close(ticked)
			users.tick(ticking, begin.Add(phase.For))
		}()
		err := steps(ctx, s, phase)
		if err == nil {
			err = until(ctx, begin.Add(phase.For))
		}
		stop()
		<-ticked
		s.event(record.Event{Kind: record.PhaseEnd, Phase: phase.Name})
		s.cfg.Progress.EndPhase(time.Since(begin), users.endPhase(time.Since(begin)))
		if err != nil {
			return
		}
	}
}

// until waits for a moment of the clock.
func until(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish ends a run in the only order that loses nothing: faults are healed, the
// load stops, what is in flight ends, the clients' buffers flush, the load
// balancer's log is read to its end, the collector closes its last interval, the
// pollers look a last time, the documents are read, the web instances are stopped,
// the record is closed. The rest of the stack goes down after that.
func finish(ctx context.Context, s *stack, users *users) error {
	// ctx may be over; what has to be saved is saved all the same.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit+s.quiet())
	defer cancel()
	s.interrupted(ctx)
	s.healAll(closing) // while there is load: who is frozen has to answer what is in flight
	summary, err := users.stop()
	s.event(record.Event{Kind: record.LoadEnd})
	s.unlimit(closing)
	if !s.interrupted(ctx) {
		s.cfg.Progress.Note("load has ended; waiting for the last counts")
		s.settle(ctx)
		s.interrupted(ctx) // what had not settled by then did not settle
	}
	if err != nil {
		s.trouble("load", 0, err.Error())
	} else if summary.Missed != "" {
		s.trouble("load", int64(summary.Late+summary.Unsent+summary.Exhausted), summary.Missed)
	}
	s.event(record.Event{Kind: record.Quiesced})
	s.executions.end(closing, s.trouble)
	s.closeRelays(closing)
	s.stopCollector(closing)
	if err := s.documents(closing, s.journal.After); err != nil {
		s.trouble("documents", 0, err.Error())
	}
	s.stopWeb(ctx)
	s.event(record.Event{Kind: record.RunEnd})
	return s.journal.Flush()
}
