package run

import (
	"context"
	"time"

	"throughline/scenarios/record"
)

// finish ends a run in the only order that loses nothing: faults are healed, what
// acts on the fleet stops, the load stops, what is in flight ends, the clients'
// buffers flush, the load balancer's log is read to its end, the collector closes
// its last interval, the pollers look a last time, the documents are read, a server that scrapes
// the instances is asked for what it has, the web instances are stopped, the record is closed. The rest of the stack goes down
// after that.
func finish(ctx context.Context, s *testbed, users *users, acting *acting) error {
	s.interrupted(ctx)
	// ctx may be over; what has to be saved is saved all the same.
	healing, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	s.faults.healAll(healing) // while there is load: who is frozen has to answer what is in flight
	cancel()
	acting.stop(lastMoves + s.fleet.role.Stop)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit+s.cfg.settleTime())
	defer cancel()
	summary, err := users.stop()
	s.journal.event(record.Event{Kind: record.LoadEnd})
	s.fleets.unlimit(closing)
	if !s.interrupted(ctx) {
		s.cfg.Progress.Note("load has ended; waiting for the last counts")
		s.settle(ctx)
		s.interrupted(ctx) // what had not settled by then did not settle
	}
	if err != nil {
		s.journal.trouble("load", 0, err.Error())
	} else if summary.Missed != "" {
		s.journal.trouble("load", int64(summary.Late+summary.Unsent+summary.Exhausted), summary.Missed)
	}
	s.journal.event(record.Event{Kind: record.Quiesced})
	s.balancer.executions.end(closing, s.journal.trouble)
	s.telemetry.closeRelays(closing)
	s.telemetry.stop(closing)
	s.fronts.finish(closing)
	if err := s.database.documents(closing, s.journal.record.After); err != nil {
		s.journal.trouble("documents", 0, err.Error())
	}
	s.reading.finish(ctx, s.cfg.Progress)
	if err := s.after(ctx); err != nil {
		s.journal.note("after", 0, err.Error())
		s.cfg.Progress.Note(err.Error())
	}
	s.fleets.stop(ctx)
	s.journal.event(record.Event{Kind: record.RunEnd})
	return s.journal.record.Flush()
}

// settleTime is how long counts may still arrive after the last request: the longest
// that any check of the scenario allows a client to buffer and to be late, and an agent
// to hold.
func (c Config) settleTime() time.Duration {
	longest := c.Run.Interval
	for _, check := range c.Scenario.Checks {
		longest = max(longest, check.Late())
	}
	return longest + c.Scenario.Stack.Agent.Late()
}

// settleLimit bounds the wait for counts that come later than any check allows.
// They are waited for so that a late count is reported as late, not as lost.
const settleLimit = 5 * time.Second

// settle waits until the clients have had their time to flush, and then until a
// whole interval has passed without anything new and no request is on an instance: one
// that its user gave up is logged by the load balancer when it is answered.
func (s *testbed) settle(ctx context.Context) {
	if sleepUntil(ctx, time.Now().Add(s.cfg.settleTime())) != nil {
		return
	}
	deadline := time.Now().Add(settleLimit)
	idle, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for _, name := range s.lives.serving("") {
		_ = s.balancer.awaitIdle(idle, name) // who is in no backend has none; what is still there then is not logged, and its outcome unknown
	}
	for told := s.telemetry.news(); time.Now().Before(deadline); {
		if sleepUntil(ctx, time.Now().Add(s.cfg.Run.Interval)) != nil {
			return
		}
		now := s.telemetry.news()
		if now == told {
			return
		}
		told = now
	}
}
