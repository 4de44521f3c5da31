package run

import (
	"context"
	"errors"
	"time"

	"throughline/scenarios/record"
)

// quiet is how long counts may still arrive after the last request: the longest
// that any check of the scenario allows a client to buffer and to be late.
func (s *stack) quiet() time.Duration {
	longest := s.cfg.Run.Interval
	for _, c := range s.cfg.Scenario.Checks {
		switch {
		case c.Conservation != nil:
			longest = max(longest, c.Conservation.ClientWindow+c.Conservation.MaxLag)
		case c.Nesting != nil:
			longest = max(longest, c.Nesting.ClientWindow)
		case c.Gauge != nil:
			longest = max(longest, c.Gauge.ClientWindow)
		case c.Shutdown != nil:
			longest = max(longest, c.Shutdown.ClientWindow)
		}
	}
	return longest
}

// settleLimit bounds the wait for counts that come later than any check allows.
// They are waited for so that a late count is reported as late, not as lost.
const settleLimit = 5 * time.Second

// settle waits until the clients have had their time to flush, and then until a
// whole interval has passed without a line and no request is on an instance: one
// that its user gave up is logged by the load balancer when it is answered.
func (s *stack) settle(ctx context.Context) {
	if until(ctx, time.Now().Add(s.quiet())) != nil {
		return
	}
	deadline := time.Now().Add(settleLimit)
	idle, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for _, name := range s.serving() {
		_ = s.awaitIdle(idle, name) // what is still there then is not logged, and its outcome unknown
	}
	for lines := s.collector.Ledger().Total.Lines; time.Now().Before(deadline); {
		if until(ctx, time.Now().Add(s.cfg.Run.Interval)) != nil {
			return
		}
		now := s.collector.Ledger().Total.Lines
		if now == lines {
			return
		}
		lines = now
	}
}

// documents reads the database and hands what it holds to keep.
func (s *stack) documents(ctx context.Context, keep func(record.Documents) error) error {
	if s.mongo == nil {
		return nil
	}
	words, err := s.mongo.Words(ctx)
	if err != nil {
		return err
	}
	documents := record.Documents{At: s.journal.Offset(time.Now()), Words: make([]record.WordCount, 0, len(words))}
	for _, w := range words {
		documents.Words = append(documents.Words, record.WordCount{Word: w.Word, Count: w.Count})
	}
	return keep(documents)
}

// close takes everything down and returns when it is gone. The collector goes
// before the platform, in whose directory its store lies.
func (s *stack) close(ctx context.Context) error {
	s.stopWeb(ctx)
	var errs []error
	s.healAll(ctx)
	if s.relays != nil {
		errs = append(errs, s.relays.Close(ctx))
	}
	if s.proxy != nil {
		errs = append(errs, s.proxy.Close())
	}
	if s.collect != nil {
		s.collect()
		<-s.collected
	}
	if s.mongo != nil {
		errs = append(errs, s.mongo.Close(ctx))
	}
	errs = append(errs, s.collector.Close())
	down := s.parts.Close(ctx)
	if down == nil { // else somebody may be there for ever
		s.watching.Wait()
	}
	return errors.Join(append(errs, down)...)
}
