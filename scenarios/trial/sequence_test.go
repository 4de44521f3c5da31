package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"throughline/live"
	"throughline/scenarios/check"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
	"throughline/scenarios/run"
)

// One fail is a fail, whatever became of the others.
func TestTheWorstOfSeveral(t *testing.T) {
	order := []Status{Pass, Inconclusive, Unrun, Fail}
	for i, a := range order {
		for k, b := range order {
			if got, want := Worse(a, b), order[max(i, k)]; got != want {
				t.Errorf("of %d and %d the worse is %d, want %d", a, b, got, want)
			}
		}
	}
	for outcome, want := range map[verdict.Outcome]Status{verdict.Pass: Pass, verdict.Fail: Fail, verdict.Inconclusive: Inconclusive} {
		if got := statusOf(outcome); got != want {
			t.Errorf("%v is status %d, want %d", outcome, got, want)
		}
	}
}

// on is an environment that cannot be opened.
func on(failed error) Environment {
	return Environment{Open: func(_ context.Context, c run.Config) (run.Config, func(context.Context) error, error) {
		return c, nil, failed
	}}
}

// Each trial leaves a report, whatever became of it, and all come to one status.
func TestSequence(t *testing.T) {
	broken := errors.New("no such engine")
	dir := t.TempDir()
	old := filepath.Join(dir, "old")
	if err := os.CopyFS(old, os.DirFS(filepath.Join(saved, "quiet"))); err != nil {
		t.Fatal(err)
	}
	s := scenario(t, "x", "{web: {instances: 1}}", "")
	ctx, cancel := context.WithCancel(t.Context())
	var told []string
	watched, shown := 0, 0
	q := Sequence{
		Trials: []Trial{
			{Scenario: s, Dir: filepath.Join(dir, "missing")},
			{Scenario: s, Dir: filepath.Join(dir, "broken"), On: on(broken)},
			{Scenario: s, Dir: old, On: on(broken)},
			{Scenario: s, Dir: filepath.Join(dir, "off"), On: Environment{Open: func(context.Context, run.Config) (run.Config, func(context.Context) error, error) {
				cancel()
				return run.Config{}, nil, broken
			}}},
			{Scenario: s, Dir: filepath.Join(dir, "late")},
		},
		Missing: []error{errors.New("an image"), nil, nil, nil, nil},
		Watch:   func(*live.Stream) func() { watched++; return func() { shown++ } },
		Show:    func(Judged) error { t.Error("there is a verdict"); return nil },
		Tell:    func(err error) { told = append(told, err.Error()) },
	}
	if got := q.Run(ctx); got != Unrun {
		t.Errorf("status %d, want %d", got, Unrun)
	}
	if watched != 3 || shown != 3 {
		t.Errorf("%d were watched and %d shown, want the 3 that were begun", watched, shown)
	}
	if got := strings.Join(told, "|"); got != "x: no such engine|x: no such engine|x: no such engine" {
		t.Errorf("told %q", got)
	}
	for name, want := range map[string]string{"missing": "an image", "broken": "no such engine", "off": "no such engine", "late": "interrupted before it began"} {
		text, err := os.ReadFile(filepath.Join(dir, name, report.JUnitFile))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: its report (%v) does not say %q:\n%s", name, err, want, text)
		}
	}
	if _, err := os.Stat(filepath.Join(old, report.JUnitFile)); err == nil {
		t.Error("a report is put beside the record of an earlier run")
	}
}

// What came of all trials is summed up at the end; and that this cannot be shown is told.
func TestSequenceIsSummedUp(t *testing.T) {
	s := scenario(t, "x", "{web: {instances: 1}}", "")
	for _, n := range []int{1, 3} {
		dir, told := t.TempDir(), 0
		var got []report.Result
		q := Sequence{Tell: func(error) { told++ }, Sum: func(all []report.Result) error { got = all; return errors.New("the pipe is closed") }}
		for i := range n {
			q.Trials = append(q.Trials, Trial{Scenario: s, Dir: filepath.Join(dir, fmt.Sprint(i))})
			q.Missing = append(q.Missing, fmt.Errorf("image %d", i))
		}
		if status := q.Run(t.Context()); status != Unrun {
			t.Errorf("status %d, want %d", status, Unrun)
		}
		if len(got) != n || told != 1 {
			t.Errorf("%d trials: %d summed up and %d messages", n, len(got), told)
		}
		for i, e := range got {
			if e.Scenario != "x" || e.Verdict != nil || e.Unrun != fmt.Sprintf("image %d", i) {
				t.Errorf("%d: %+v", i, e)
			}
		}
	}
}

// A run that proves nothing is run again, as often as is wanted, and no other one: neither one
// that failed, nor one that could not be run, nor one that was called off. What it recorded stays.
func TestRetries(t *testing.T) {
	s := scenario(t, "x", "{web: {instances: 1}}", "")
	for _, c := range []struct {
		name     string
		outcomes []verdict.Outcome // of the runs, in their order; none: it cannot be run
		retries  int
		off      bool // called off in the first run
		runs     int
		status   Status
	}{
		{"as often as is wanted", []verdict.Outcome{verdict.Inconclusive, verdict.Inconclusive, verdict.Inconclusive}, 2, false, 3, Inconclusive},
		{"until it proves something", []verdict.Outcome{verdict.Inconclusive, verdict.Pass, verdict.Fail}, 5, false, 2, Pass},
		{"also that it fails", []verdict.Outcome{verdict.Inconclusive, verdict.Fail, verdict.Pass}, 5, false, 2, Fail},
		{"not unasked", []verdict.Outcome{verdict.Inconclusive, verdict.Pass}, 0, false, 1, Inconclusive},
		{"not one that failed", []verdict.Outcome{verdict.Fail, verdict.Pass}, 3, false, 1, Fail},
		{"not one that could not be run", nil, 3, false, 1, Unrun},
		{"not one that was called off", []verdict.Outcome{verdict.Inconclusive, verdict.Pass}, 3, true, 1, Inconclusive},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			dir := filepath.Join(t.TempDir(), "r")
			runs := 0
			var told []string
			var result report.Result
			q := Sequence{
				Trials: []Trial{{Scenario: s, Dir: dir}}, Missing: []error{nil}, Retries: c.retries,
				Watch: func(*live.Stream) func() { return func() {} },
				Hold: func(_ context.Context, on Trial) (*Judged, error) {
					if runs++; c.outcomes == nil {
						return nil, errors.New("no such engine")
					}
					if c.off {
						cancel()
					}
					if err := os.Mkdir(on.Dir, 0o700); err != nil {
						return nil, err
					}
					o := c.outcomes[runs-1]
					return &Judged{Dir: on.Dir, Verdict: verdict.Verdict{Outcome: o}}, os.WriteFile(filepath.Join(on.Dir, "run"), fmt.Append(nil, runs), 0o600)
				},
				Show: func(Judged) error { return nil },
				Tell: func(err error) { told = append(told, err.Error()) },
				Sum:  func(all []report.Result) error { result = all[0]; return nil },
			}
			if got := q.Run(ctx); got != c.status || runs != c.runs {
				t.Fatalf("status %d after %d runs, want %d after %d (%v)", got, runs, c.status, c.runs, told)
			}
			if c.outcomes == nil {
				return
			}
			if len(told) != c.runs-1 || result.Tries != c.runs {
				t.Errorf("told %v, and of %d tries", told, result.Tries)
			}
			for n := 1; n <= c.runs; n++ {
				file := filepath.Join(dir, "run")
				if n < c.runs {
					file = filepath.Join(fmt.Sprintf("%s-try-%d", dir, n), "run")
				}
				if got, err := os.ReadFile(file); err != nil || string(got) != fmt.Sprint(n) {
					t.Errorf("%s: %q, %v; want what run %d recorded", file, got, err, n)
				}
			}
		})
	}
}

// A verdict that cannot be shown, or a report that cannot be written, is told, and is no
// pass; a fail stays one.
func TestAVerdictThatCannotBeShown(t *testing.T) {
	for name, want := range map[string]Status{"quiet": Unrun, "lost-on-exit": Fail} {
		h, err := record.Read(filepath.Join(saved, name))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "run")
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(saved, name))); err != nil {
			t.Fatal(err)
		}
		history, err := readRecorded(dir, h.Run.ID, errors.New("it is still there"))
		if err != nil {
			t.Fatal(err)
		}
		verdict, err := check.Judge(history)
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		q := Sequence{Show: func(Judged) error { return errors.New("the pipe is closed") }, Tell: func(error) { told++ }}
		if got := q.finish(Trial{Dir: dir}, &Judged{dir, history, verdict}, nil); got != want || told != 1 {
			t.Errorf("%s: status %d and %d messages, want %d and 1", name, got, told, want)
		}
	}
}

func TestDirectory(t *testing.T) {
	if got := Directory("out", "x", 0, 1); got != "out" {
		t.Errorf("a single one goes to %s", got)
	}
	if got, want := Directory("out", "x", 1, 3), filepath.Join("out", "02-x"); got != want {
		t.Errorf("the second of three goes to %s, want %s", got, want)
	}
	if got := Directory("", "x", 1, 3); filepath.Dir(got) != "runs" || !strings.HasSuffix(got, "-x") {
		t.Errorf("without a place it goes to %s", got)
	}
}
