package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"throughline/scenarios/check"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/gallery"
	"throughline/scenarios/record"
)

// numbered takes the directory of a trial apart: the name, and which run of it.
var numbered = regexp.MustCompile(`^(healthy-)?(.+)-[0-9]+$`)

// aloneWithAgain refuses what says how to run beside --again, which runs nothing.
func aloneWithAgain(cmd *cobra.Command, flags selftestFlags) error {
	for _, name := range []string{"repeat", "healthy", "platform", "out", "keep", "list"} {
		if flags.again != "" && cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s: has no meaning with --again, which runs nothing; leave one of the two out", name)
		}
	}
	return nil
}

// kept finds the records of an earlier selftest: those of the entries, and of the
// healthy runs.
func kept(dir string, entries []gallery.Entry, healthy []gallery.Control) ([]trial, error) {
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, usage(fmt.Errorf("--again %s: cannot be read: %w; give the --out of a selftest with --keep", dir, reason(err)))
	}
	var out []trial
	for _, d := range found {
		m := numbered.FindStringSubmatch(d.Name())
		if m == nil {
			continue
		}
		t := trial{name: m[2], dir: d.Name()}
		if m[1] == "" {
			i := slices.IndexFunc(entries, func(e gallery.Entry) bool { return e.Name == t.name })
			if i < 0 {
				continue
			}
			t.entry = &entries[i]
		} else if !slices.ContainsFunc(healthy, func(c gallery.Control) bool { return c.Name == t.name }) {
			continue
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, usage(fmt.Errorf("--again %s: no record of what is asked for; let a selftest keep them with --keep --out %s", dir, dir))
	}
	return out, nil
}

// judgeAgain scores a record that is there already.
func (t trial) judgeAgain(_ context.Context, flags selftestFlags) gallery.Result {
	dir := filepath.Join(flags.out, t.dir, "record")
	var r gallery.Result
	history, err := record.Read(dir)
	if err == nil {
		var judged verdict.Verdict
		if judged, err = check.Judge(history); err == nil {
			r, err = t.weigh(dir, history, judged)
		}
	}
	r.Name, r.Control, r.Dir = t.name, t.entry == nil, dir
	if n := len(history.Events); n > 0 {
		r.Took = history.Events[n-1].At
	}
	if err != nil {
		r.Error, r.Proved = err.Error(), false
	}
	return r
}
