package run

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"

	"throughline/compose"
	"throughline/loadgen"
	"throughline/loadgen/crew"
	"throughline/scenarios/record"
)

// assemble starts the workers that share the load, as processes of this machine.
func assemble(ctx context.Context, c Config, load loadgen.Config, form loadgen.Form, j *journal) (*crew.Crew, error) {
	if len(c.Worker) == 0 {
		return nil, errors.New("the scenario has workers, and nobody said how one is executed")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for workers: %w", err)
	}
	start := crew.Processes{Command: c.Worker}
	if guarding, can := c.Platform.(compose.Guarding); can {
		start.Env = func(worker int) []string { return guarding.Guarded(fmt.Sprintf("worker-%d", worker)) }
	}
	return crew.Assemble(ctx, crew.Config{
		Load: load, Form: form, Workers: c.Scenario.Load.Workers, Listener: listener, Token: rand.Text(), Start: start.Start, Journal: workers{j},
	})
}

// workers writes down what there is to tell of them. It implements crew.Journal.
type workers struct{ *journal }

// Begun implements crew.Journal.
func (w workers) Begun(worker int, id string) {
	w.event(record.Event{Kind: record.WorkerBegin, Worker: worker, ID: id})
}

// Compared implements crew.Journal.
func (w workers) Compared(worker int, c crew.Comparison) {
	w.event(record.Event{Kind: record.WorkerCompared, Worker: worker, Offset: c.Offset, Bound: c.Bound, Count: int64(c.Exchanges)})
}

// Ended implements crew.Journal.
func (w workers) Ended(worker int, e crew.Ending) {
	w.event(record.Event{Kind: record.WorkerEnd, Worker: worker, ID: e.ID, Expected: e.Expected, Error: e.How, Count: int64(e.Unknown)})
}
