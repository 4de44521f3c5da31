// Package run is the clockwork: it brings a stack up, puts load on it, does
// the steps of a scenario at their times, and records all that is seen.
//
// A stack has parts with one job each: lives and fleet (instances), balancer,
// database, telemetry, faults. A clock makes the moves that the steps want, or those of a
// Hand; actors may make others beside it, and fleet and lives decide between them.
//
// It is the only package that knows stack, load, collector and record at once,
// and it judges nothing: its product is a run directory, which scenarios/check
// reads. The command line calls it.
package run

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"throughline/compose"
	"throughline/compose/httpd"
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
	// There is a stack that runs already, where the scenario has one: Platform stands for its instances.
	There    There
	MongoURI string // a MongoDB to use instead of the embedded database; "" = embedded
	HAProxy  string // the HAProxy binary on this machine; "" = the platform has its own, called haproxy
	// HTTPD is the Apache HTTP server of this machine or of the platform, for a scenario that has one before each instance.
	HTTPD httpd.Program
	// Web is what images of the user's execute, by image; who has none executes
	// WebProgram.
	Web map[string]compose.Program
	// Database is what the database executes; zero = the embedded one. It listens
	// on {{.Port}}.
	Database compose.Program
	// Mongod: that is a mongod, and takes its arguments; else it is package docstore.
	Mongod bool
	// Collector executes a collector in a process of its own (process.Serve): a program with its
	// arguments. A scenario that kills the collector needs it; in all others it is in this process.
	Collector []string
	// Worker executes a worker of a load that several processes share (crew.Worker): a program with its arguments.
	Worker []string
	// Frontend is the port where the load balancer serves users; 0 = any
	// free one.
	Frontend int
	// Dashboard is where the collector's HTTP API listens; "" = nowhere.
	Dashboard string
	// Relay is another StatsD, such as a Datadog agent's, that is given every datagram of the instances as it came, and
	// events and service checks of what is done to them; see forward.RelayConfig. "" = nobody.
	Relay string
	// Access is how the server is reached that scrapes the instances, where the scenario has one (metrics_from).
	Access   Access
	Progress Progress
	// Observer sees all that is recorded, while it is; nil: nobody does.
	Observer record.Observer
	// Hand makes moves while the stack is up; nil: nobody does, beside the scenario's steps.
	Hand *Hand

	// Roster lists the web instances while the stack is there; nil: nobody asks.
	Roster *Roster

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
func Run(ctx context.Context, c Config) error {
	return c.withStack(ctx, func(s *testbed) error {
		return s.underLoad(ctx, func(k *clock) { k.run(ctx) })
	})
}

// withStack begins the record and brings the stack up, does something with it, and
// takes it down.
func (c Config) withStack(ctx context.Context, do func(*testbed) error) (err error) {
	journal, err := newJournal(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.record.Close()) }()
	if journal.announcer, err = newAnnouncer(c); err != nil {
		return err
	}
	defer func() {
		if lost := journal.announcer.close(); lost != "" {
			c.Progress.Note(lost)
		}
	}()
	reading, err := newReading(ctx, c, journal)
	if err != nil {
		return err
	}
	c.Progress.Note("starting the stack")
	s, err := newTestbed(ctx, c, journal)
	if err != nil {
		return err
	}
	s.reading = reading.of(s.lives)
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.closeLimit())
		defer cancel()
		err = errors.Join(err, s.close(closing))
	}()
	if !c.foreign() { // else its load balancer logs where it wants
		if s.balancer.executions, err = openExecutions(net.JoinHostPort(c.Platform.Home(), "0"), c.numbering(), journal.record); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.balancer.executions.close()) }()
	}
	if err := s.up(ctx); err != nil {
		if s.interrupted(ctx) { // before the load began
			journal.event(record.Event{Kind: record.RunEnd})
			return journal.record.Flush()
		}
		return err
	}
	s.unseen()
	return do(s)
}

// underLoad has users come, does something meanwhile, and brings the run to its end.
func (s *testbed) underLoad(ctx context.Context, during func(*clock)) error {
	if err := s.faults.possible(); err != nil {
		return err
	}
	if err := s.database.documents(ctx, s.journal.record.Before); err != nil {
		return fmt.Errorf("read the database before the load: %w", err)
	}
	users, err := newUsers(ctx, s.cfg, s.balancer.frontend(), s.telemetry.beacons(), s.journal, func() []string { return s.lives.serving("") })
	if err != nil {
		return err
	}
	users.start()
	s.journal.event(record.Event{Kind: record.LoadBegin})
	acting := startActors(ctx, s.actors(), s.fleet, s.journal)
	k := s.clock()
	k.users = users
	during(k)
	return finish(ctx, s, users, acting)
}

// actors are what acts on the fleet while there is load. With a hand that is nobody but the hand.
func (s *testbed) actors() []actor {
	all := s.cfg.actors
	if scaling := s.cfg.Scenario.Autoscale; scaling != nil && s.cfg.Hand == nil {
		all = append(all, newAutoscaler(s.cfg, *scaling, s.telemetry, s.journal, s.cloud))
	}
	return all
}

// clock makes the moves on this stack, without load.
func (s *testbed) clock() *clock {
	return &clock{scenario: s.cfg.Scenario, progress: s.cfg.Progress, journal: s.journal, fleets: s.fleets, fleet: s.fleet, faults: s.faults, members: s.database.members,
		random: rand.New(rand.NewPCG(s.cfg.Run.Seed, 0))}
}

// needs tells whether the stack must be set up for a need: a step of the scenario has
// it, or one that is made by hand may.
func (c Config) needs(n script.Need) bool {
	return c.Scenario.Needs(n) || c.Hand != nil && c.atHand(n)
}
