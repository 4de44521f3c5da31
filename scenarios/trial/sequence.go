package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"throughline/live"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
)

// errCalledOff is why a scenario was not begun.
var errCalledOff = errors.New("was not run: interrupted before it began")

// Sequence is trials that are held one after the other. One that cannot be run does not
// keep the others from it.
type Sequence struct {
	Trials  []Trial
	Missing []error // why a trial cannot be run, by its place, told already; nil: it can
	// Watch is given the stream of each trial before it begins, and returns what waits
	// until all of it is shown.
	Watch func(*live.Stream) (shown func())
	// Hold holds a trial; nil: as Trial.Run does.
	Hold func(context.Context, Trial) (*Judged, error)
	Show func(Judged) error // shows a verdict
	Tell func(error)        // says what keeps a trial from its verdict
	// Sum shows at the end what came of each trial, in their order; nil: nobody wants to know.
	Sum func([]report.Result) error
	// Retries is how often a trial whose run proves nothing is held again.
	Retries int
}

// Run holds all the trials and gives what they come to. Each leaves a report, also where
// there is no verdict. When ctx ends, what has not begun is not run.
func (q Sequence) Run(ctx context.Context) Status {
	worst := Pass
	var all []report.Result
	for i, t := range q.Trials {
		status, ended := q.one(ctx, t, q.Missing[i])
		worst, all = Worse(worst, status), append(all, ended)
	}
	if q.Sum != nil {
		if err := q.Sum(all); err != nil {
			q.Tell(fmt.Errorf("the summary: %w", err))
			worst = Worse(worst, Unrun)
		}
	}
	return worst
}

func (q Sequence) one(ctx context.Context, t Trial, missing error) (Status, report.Result) {
	taken := holdsRecord(t.Dir) // and is not written into
	status, why := Unrun, missing
	switch {
	case missing != nil:
	case ctx.Err() != nil:
		status, why = Inconclusive, errCalledOff
	default:
		judged, tries, err := q.tried(ctx, t)
		if status = q.finish(t, judged, err); judged != nil {
			return status, report.Result{Scenario: t.Scenario.Name, Verdict: &judged.Verdict, Tries: tries}
		}
		why = err
	}
	if !taken {
		if err := report.WriteUnrun(t.Dir, t.Scenario.Name, why); err != nil {
			q.Tell(err)
		}
	}
	return status, report.Result{Scenario: t.Scenario.Name, Unrun: why.Error()}
}

// tried holds a trial until a run proves something, or has been tried often enough, and
// gives the last verdict and how many runs there were. A run that proves nothing speaks
// neither for what is tried nor against it, so that to pass it over prefers no outcome.
// Its record is moved aside.
func (q Sequence) tried(ctx context.Context, t Trial) (*Judged, int, error) {
	for try := 1; ; try++ {
		judged, err := q.watched(ctx, t)
		if judged == nil || err != nil || judged.Status() != Inconclusive || try > q.Retries || ctx.Err() != nil {
			return judged, try, err
		}
		aside, err := moveAside(t.Dir)
		if err != nil {
			return judged, try, err
		}
		q.Tell(fmt.Errorf("%s: proves nothing (%s): run again, %d of %d; its record is in %s", t.Scenario.Name, judged.Verdict.Title, try, q.Retries, aside))
	}
}

// moveAside makes room for another record in the place of dir, and tells where that which
// was there has gone.
func moveAside(dir string) (string, error) {
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s-try-%d", filepath.Clean(dir), n)
		if _, err := os.Lstat(aside); err == nil {
			continue
		}
		if err := os.Rename(dir, aside); err != nil {
			return "", fmt.Errorf("%s: cannot be moved aside for another try: %w", dir, err)
		}
		return aside, nil
	}
}

// finish shows what came of a trial, and gives its status: one of which not all could be
// written or shown is no pass.
func (q Sequence) finish(t Trial, judged *Judged, err error) Status {
	status := Unrun
	if judged != nil {
		status, err = judged.Status(), errors.Join(err, q.Show(*judged))
	}
	if err != nil {
		q.Tell(fmt.Errorf("%s: %w", t.Scenario.Name, err))
		status = Worse(status, Unrun)
	}
	return status
}

// watched holds a trial, and returns when all that it told is shown.
func (q Sequence) watched(ctx context.Context, t Trial) (*Judged, error) {
	t.Live = new(live.Stream)
	shown := q.Watch(t.Live)
	defer shown()
	if t.Screen != nil {
		go t.Screen.watch(t.Live.Watch(keptBack))
	}
	defer t.Live.End()
	if q.Hold != nil {
		return q.Hold(ctx, t)
	}
	return t.Run(ctx)
}

// keptBack is how many events a screen may lag behind.
const keptBack = 200

// holdsRecord tells whether a directory holds the record of an earlier run.
func holdsRecord(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, record.JournalFile))
	return err == nil
}

// Directory is where the record of the i-th of n scenarios goes; out is the place that
// was chosen, empty: none was.
func Directory(out, scenario string, i, n int) string {
	switch {
	case out == "":
		return NewDirectory(scenario)
	case n > 1:
		return filepath.Join(out, fmt.Sprintf("%02d-%s", i+1, scenario))
	}
	return out
}

// NewDirectory is where records go for which no place was chosen.
func NewDirectory(name string) string {
	return filepath.Join(recordsDir, time.Now().Format("20060102-150405")+"-"+name)
}
