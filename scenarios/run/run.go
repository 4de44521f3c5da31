// Package run is the clockwork: it brings a stack up, puts load on it, does
// the steps of a scenario at their times, and records all that is seen.
//
// A stack has parts with one job each: lives and fleet (instances), balancer,
// database, telemetry, faults. A clock makes the moves that the steps want; actors
// may make others beside it, and fleet and lives decide between them.
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
	"throughline/live"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Config is what one run needs.
type Config struct {
	Scenario script.Scenario
	Run      record.Run // who, when and with what; Run.Start is the zero of the run's clock
	Dir      string     // the run directory, made by newJournal
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

	actors []actor // what acts on the fleet beside the steps, while there is load
}

// Progress is told how a run goes, while it goes. Calls may come from several
// goroutines at once.
type Progress interface {
	Phase(name string, index int)                  // phase number index begins
	EndPhase(took time.Duration, over live.Status) // over is the whole phase: mean rate, latencies of all its requests
	Step(text string, took time.Duration, err error)
	Tick(live.Status) // about twice a second
	Note(text string)
}

// drainLimit bounds what a run may still take once it was interrupted.
const drainLimit = 8 * time.Second

// Run runs the scenario and writes its record. It returns an error only when
// the harness could not do its work: the stack did not come up, the record could
// not be written, or the stack could not be taken down. In the last case the record
// is whole all the same. What went wrong in the stack is in the record. When ctx
// ends, the load stops, what there is is recorded, and Run returns nil.
func Run(ctx context.Context, c Config) (err error) {
	journal, err := newJournal(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.record.Close()) }()
	c.Progress.Note("starting the stack")
	s, err := newTestbed(ctx, c, journal)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.closeLimit())
		defer cancel()
		err = errors.Join(err, s.close(closing))
	}()
	if s.balancer.executions, err = openExecutions(net.JoinHostPort(c.Platform.Home(), "0"), c.Run.ID, journal.record); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.balancer.executions.close()) }()
	if err := s.up(ctx); err != nil {
		if s.interrupted(ctx) { // before the load began
			journal.event(record.Event{Kind: record.RunEnd})
			return journal.record.Flush()
		}
		return err
	}
	if err := s.faults.possible(); err != nil {
		return err
	}
	if err := s.database.documents(ctx, journal.record.Before); err != nil {
		return fmt.Errorf("read the database before the load: %w", err)
	}
	users, err := newUsers(c, s.balancer.frontend(), journal.record, s.fleet.serving)
	if err != nil {
		return err
	}
	users.start()
	journal.event(record.Event{Kind: record.LoadBegin})
	acting := startActors(ctx, c.actors, s.fleet, journal)
	(&clock{scenario: c.Scenario, progress: c.Progress, journal: journal, users: users, fleet: s.fleet, faults: s.faults}).run(ctx)
	return finish(ctx, s, users, acting)
}
