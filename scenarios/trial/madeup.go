package trial

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"throughline/scenarios/record"
	"throughline/scenarios/synthetic"
	"throughline/scenarios/synthetic/confusion"
)

// MadeUp is a campaign on made-up runs, which need no stack: thousands in a minute.
type MadeUp struct {
	Runs int    // how many
	Seed uint64 // of the first; the others follow
	Only string // the cause of all; empty: each draws its own
	Jobs int    // how many are judged at once
	Tell func(done int)
}

// Judge makes them up and judges them until all are done or ctx ends.
func (m MadeUp) Judge(ctx context.Context) ([]confusion.Result, error) {
	var (
		mu      sync.Mutex
		results []confusion.Result
		group   errgroup.Group
		next    atomic.Int64
	)
	for range m.Jobs {
		group.Go(func() error {
			for ctx.Err() == nil {
				n := next.Add(1) - 1
				if n >= int64(m.Runs) {
					break
				}
				r, err := confusion.Try(m.Seed+uint64(n), m.Only)
				if err != nil {
					return err
				}
				mu.Lock()
				results = append(results, r)
				m.Tell(len(results))
				mu.Unlock()
			}
			return nil
		})
	}
	return results, group.Wait()
}

// Each makes the runs up one after the other, and stops at the first error.
func (m MadeUp) Each(do func(synthetic.Made) error) error {
	for n := range m.Runs {
		made, err := confusion.Make(m.Seed+uint64(n), m.Only)
		if err == nil {
			err = do(made)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// KeepMadeUp writes the record of a made-up run into a directory of its own below out, and
// gives that. It is an error if it is there already.
func KeepMadeUp(out string, made synthetic.Made) (dir string, err error) {
	dir = filepath.Join(out, fmt.Sprintf("%s-%d", made.Truth.Cause, made.Seed))
	return dir, record.Save(dir, made.Record)
}

// Status is what the campaign comes to.
func (m MadeUp) Status(results []confusion.Result) Status {
	switch {
	case !confusion.NewFigures(results).Good():
		return Fail
	case len(results) < m.Runs: // it was interrupted
		return Inconclusive
	}
	return Pass
}
