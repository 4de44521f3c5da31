package trial

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/scenarios/check"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/gallery"
	"throughline/scenarios/report"
)

// Campaign is many runs of the gallery, in which the judge is judged: see [Plan] for
// new ones, [Kept] for those that are recorded already.
type Campaign struct {
	Dir     string // of all that the runs leave
	Runs    []GalleryRun
	Jobs    int    // how many run at once
	Keep    bool   // also the records of what was right
	Version string // of this program and of Command, as verdicts name it
	// Command runs a scenario as a user would, in a process of its own, records it in a
	// directory and prints the verdict as JSON: `--out DIR FILE` are put behind it, and it
	// is run where both are.
	Command []string
	// Tell is told how each run went, and how many have gone; one call at a time.
	Tell func(done int, r gallery.Result)
}

// GalleryRun is one run of an entry of the gallery, or of a control.
type GalleryRun struct {
	name  string
	dir   string // below Campaign.Dir
	stage gallery.Stage
	entry *gallery.Entry // nil: a control
}

func (c *Campaign) scenario(r GalleryRun) string { return filepath.Join(c.Dir, r.dir, r.name+".yaml") }
func (c *Campaign) record(r GalleryRun) string   { return filepath.Join(c.Dir, r.dir, "record") }

// Write writes the scenarios of all runs, if the records can be written there.
func (c *Campaign) Write() error {
	if err := Writable(c.Dir); err != nil {
		return err
	}
	for _, r := range c.Runs {
		if err := os.MkdirAll(filepath.Join(c.Dir, r.dir), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(c.scenario(r), []byte(r.stage.Scenario(r.name)), 0o644); err != nil {
			return err
		}
		if rules := r.stage.Rules; rules != "" {
			if err := os.WriteFile(filepath.Join(c.Dir, r.dir, gallery.RulesFile), []byte(rules), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// Check reads the scenarios that Write wrote, each once, and gives all that is wrong with
// them.
func (c *Campaign) Check(read Reader) error {
	var errs []error
	known := map[string]bool{}
	for _, r := range c.Runs {
		if !known[r.name] {
			known[r.name] = true
			if _, err := read.Read(c.scenario(r)); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// Run runs all whose scenarios are written, and scores each by its record. When ctx ends,
// what is not done by then is left out.
func (c *Campaign) Run(ctx context.Context) []gallery.Result { return c.each(ctx, c.run) }

// Again scores the records that are there.
func (c *Campaign) Again(ctx context.Context) []gallery.Result { return c.each(ctx, c.again) }

func (c *Campaign) each(ctx context.Context, try func(context.Context, GalleryRun) gallery.Result) []gallery.Result {
	var (
		mu      sync.Mutex
		results []gallery.Result
		group   errgroup.Group
	)
	group.SetLimit(c.Jobs)
	for _, run := range c.Runs {
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			r := try(ctx, run)
			if ctx.Err() != nil {
				return nil // it was interrupted: what it says means nothing
			}
			mu.Lock()
			defer mu.Unlock()
			results = append(results, r)
			c.Tell(len(results), r)
			return nil
		})
	}
	_ = group.Wait() // none returns an error
	return results
}

func (c *Campaign) run(ctx context.Context, run GalleryRun) gallery.Result {
	begin := time.Now()
	r, err := c.score(ctx, run)
	r.Name, r.Control, r.Took, r.Dir = run.name, run.entry == nil, time.Since(begin), c.record(run)
	if err != nil {
		r.Error, r.Proved = err.Error(), false
	}
	if r.Good() && !c.Keep {
		if err := os.RemoveAll(filepath.Join(c.Dir, run.dir)); err != nil {
			r.Error = err.Error()
		}
		r.Dir = ""
	}
	return r
}

// score runs one and weighs its verdict, which must be the same judged again.
func (c *Campaign) score(ctx context.Context, run GalleryRun) (gallery.Result, error) {
	printed, err := runElsewhere(ctx, filepath.Join(c.Dir, run.dir),
		append(c.Command[:len(c.Command):len(c.Command)], "--out", filepath.Base(c.record(run)), filepath.Base(c.scenario(run))))
	if err != nil {
		return gallery.Result{}, err
	}
	judged, err := Judge(c.record(run), c.Version)
	if err != nil {
		return gallery.Result{}, err
	}
	var again bytes.Buffer
	if err := report.WriteJSON(&again, judged.Verdict); err != nil {
		return gallery.Result{}, err
	}
	if !bytes.Equal(printed, again.Bytes()) {
		return gallery.Result{}, errors.New("judged again, the record gives another verdict than its run")
	}
	return run.score(judged)
}

func (c *Campaign) again(_ context.Context, run GalleryRun) gallery.Result {
	var r gallery.Result
	judged, err := Judge(c.record(run), c.Version)
	if err == nil {
		r, err = run.score(judged)
	}
	r.Name, r.Control, r.Dir = run.name, run.entry == nil, c.record(run)
	if n := len(judged.History.Events); n > 0 {
		r.Took = judged.History.Events[n-1].At
	}
	if err != nil {
		r.Error, r.Proved = err.Error(), false
	}
	return r
}

// score compares the verdict on a record with what it must say.
func (r GalleryRun) score(j Judged) (gallery.Result, error) {
	if r.entry == nil {
		return gallery.ScoreControl(r.name, j.Verdict), nil
	}
	if r.entry.Spoil != nil {
		if j.Verdict.Outcome != verdict.Pass {
			return gallery.Result{Outcome: j.Verdict.Outcome, Said: "the run was not healthy before it was spoiled"}, nil
		}
		r.entry.Spoil(&j.History)
		var err error
		if j.Verdict, err = check.Judge(j.History); err != nil {
			return gallery.Result{}, err
		}
	}
	logged, err := gallery.LoggedAmounts(j.Dir)
	return gallery.Score(*r.entry, gallery.Run{History: j.History, Verdict: j.Verdict, Logged: logged}), err
}

// Status is what the campaign comes to: one entry missed or one false alarm is a fail;
// an entry of which no run proves anything leaves it open, and so does a campaign that
// was ended before all its runs were.
func (c *Campaign) Status(results []gallery.Result) Status {
	status := Pass
	proved := map[string]bool{}
	for _, r := range results {
		if r.Proved && r.Caught == gallery.Wrong {
			status = Fail
		}
		proved[r.Name] = proved[r.Name] || r.Proved
	}
	for _, any := range proved {
		if !any {
			status = Worse(status, Inconclusive)
		}
	}
	if len(results) < len(c.Runs) {
		status = Worse(status, Inconclusive)
	}
	return status
}
