package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"throughline/collector"
	"throughline/scenarios/record"
	"throughline/scenarios/synthetic"
	"throughline/scenarios/synthetic/confusion"
)

// syntheticFlags are those of a selftest on made-up runs.
type syntheticFlags struct {
	runs    int
	seed    uint64
	only    string
	explain bool
}

func (s *syntheticFlags) register(f *pflag.FlagSet) {
	f.IntVar(&s.runs, "synthetic", 0, "run nothing: make up so many runs, and judge them")
	f.Uint64Var(&s.seed, "seed", 1, "with --synthetic: seed of the first made-up run; the others follow")
	f.StringVar(&s.only, "only", "", "with --synthetic: make up runs of this cause alone, or \"healthy\" ones")
	f.BoolVar(&s.explain, "explain", false, "with --synthetic: tell all about each run, and what the judge found")
}

// aloneWithSynthetic tells whether runs are to be made up, and refuses what does not
// go together.
func aloneWithSynthetic(cmd *cobra.Command, args []string, flags selftestFlags) (bool, error) {
	asked := cmd.Flags().Changed
	if !asked("synthetic") {
		for _, name := range []string{"seed", "only", "explain"} {
			if asked(name) {
				return false, fmt.Errorf("--%s goes with --synthetic alone", name)
			}
		}
		return false, nil
	}
	for _, name := range []string{"repeat", "healthy", "platform", "again", "list"} {
		if asked(name) {
			return false, fmt.Errorf("--%s does not go with --synthetic, which runs nothing real", name)
		}
	}
	if len(args) > 0 {
		return false, fmt.Errorf("%s: names are of the gallery; with --synthetic, --only names a cause", args[0])
	}
	return true, nil
}

// synthetically judges made-up runs in place of real ones.
func synthetically(cmd *cobra.Command, flags selftestFlags) error {
	s := flags.synthetic
	switch {
	case s.runs < 1:
		return usage(fmt.Errorf("--synthetic %d: at least one run must be made up", s.runs))
	case flags.jobs < 1:
		return usage(fmt.Errorf("--jobs %d: at least one run must be judged at once", flags.jobs))
	case flags.format != "text" && flags.format != "json" && flags.format != "markdown":
		return usage(fmt.Errorf("--format %s: no such format (have text, json, markdown)", flags.format))
	case flags.keep && flags.out == "":
		return usage(errors.New("--keep: say with --out where the records shall be kept"))
	}
	if s.only != "" {
		if _, err := synthetic.Make(s.seed, s.only); err != nil {
			return usage(fmt.Errorf("--only: %w", err))
		}
	}
	if s.explain || flags.keep {
		return explained(cmd, flags)
	}
	results, err := tryAll(cmd, flags)
	if err != nil {
		return harness(err)
	}
	if err := showConfusion(cmd, results, flags.format); err != nil {
		return harness(err)
	}
	switch {
	case !confusion.NewFigures(results).Good():
		return &statusError{status: exitFail}
	case len(results) < s.runs: // it was interrupted
		return &statusError{status: exitInconclusive}
	}
	return nil
}

// tryAll makes up runs and judges them, some at a time, until all are done or the
// context ends.
func tryAll(cmd *cobra.Command, flags selftestFlags) ([]confusion.Result, error) {
	var (
		mu      sync.Mutex
		results []confusion.Result
		group   errgroup.Group
		next    atomic.Int64
		told    = time.Now()
	)
	for range flags.jobs {
		group.Go(func() error {
			for cmd.Context().Err() == nil {
				n := next.Add(1) - 1
				if n >= int64(flags.synthetic.runs) {
					break
				}
				r, err := confusion.Try(flags.synthetic.seed+uint64(n), flags.synthetic.only)
				if err != nil {
					return err
				}
				mu.Lock()
				results = append(results, r)
				if time.Since(told) > 2*time.Second {
					told = time.Now()
					fmt.Fprintf(cmd.ErrOrStderr(), "[%d/%d] made-up runs judged\n", len(results), flags.synthetic.runs)
				}
				mu.Unlock()
			}
			return nil
		})
	}
	return results, group.Wait()
}

func showConfusion(cmd *cobra.Command, results []confusion.Result, format string) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			Results []confusion.Result `json:"results"`
			Figures confusion.Figures  `json:"figures"`
		}{results, confusion.NewFigures(results)})
	case "markdown":
		return confusion.WriteMarkdown(cmd.OutOrStdout(), results)
	}
	return confusion.WriteText(cmd.OutOrStdout(), results)
}

// explained tells all of each run, or keeps its record.
func explained(cmd *cobra.Command, flags selftestFlags) error {
	for n := range flags.synthetic.runs {
		made, err := synthetic.Make(flags.synthetic.seed+uint64(n), flags.synthetic.only)
		if err != nil {
			return usage(err)
		}
		if flags.keep {
			dir := filepath.Join(flags.out, fmt.Sprintf("%s-%d", made.Truth.Cause, made.Seed))
			if err := keepRecord(dir, made.Record); err != nil {
				return harness(err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "record: %s\n", dir)
		}
		if flags.synthetic.explain {
			if err := confusion.Explain(cmd.OutOrStdout(), made); err != nil {
				return harness(err)
			}
		}
	}
	return nil
}

// keepRecord writes the directory of a made-up run.
func keepRecord(dir string, h record.History) error {
	w, err := record.Create(dir, h.Run, h.Scenario)
	if err != nil {
		return err
	}
	return errors.Join(fill(w, h), w.Close())
}

func fill(w *record.Writer, h record.History) error {
	for _, r := range h.Requests {
		if err := w.Request(r); err != nil {
			return err
		}
	}
	for _, x := range h.Executions {
		if err := w.Execution(x); err != nil {
			return err
		}
	}
	var samples []collector.Sample
	for i := range h.Series {
		s := &h.Series[i]
		for _, p := range s.Points {
			samples = append(samples, collector.Sample{Name: s.Name, Labels: s.Labels, Meta: &s.Meta, At: h.Run.Start.Add(p.At), Value: p.Value,
				Observed: p.Observed, Stale: p.Stale, Histogram: p.Histogram})
		}
	}
	if err := w.Append(samples...); err != nil {
		return err
	}
	if h.Before != nil {
		if err := errors.Join(w.Before(*h.Before), w.After(*h.After)); err != nil {
			return err
		}
	}
	for _, e := range h.Events {
		if e.Kind == record.RunBegin {
			continue // Create wrote it
		}
		if err := w.Event(e); err != nil {
			return err
		}
	}
	return nil
}
