package script

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"time"
)

// The limits of a scenario. They are far above what a run needs and keep a mistyped number from starting a thousand
// processes.
const (
	MaxBytes     = 1 << 20        // of a file
	MaxInstances = 300            // alive at the same time
	MaxRate      = 100_000        // requests per second
	MinRate      = 0.01           // requests per second
	MaxPhases    = 1000           // also levels of a load in steps, steps of a phase, routes and checks
	MaxDuration  = 24 * time.Hour // of all phases together
	MaxWords     = 1_000_000
	MaxWorkers   = 100
)

// Options is what the reader of a file cannot know by itself.
type Options struct {
	// Defects names the defects of the reference app that there are. Empty means that they are not known here: then any
	// well-formed name is accepted.
	Defects []string
	// Ran says that the scenario has been run already, by a version that may have known less, or by hand: then what could
	// never be judged, or done, is not refused, for the judge will say so.
	Ran bool
}

// Read reads the file at path. An error that is not [Errors] means that the file could not be read at all.
func Read(path string, opts Options) (Scenario, error) {
	source, err := ReadSource(path)
	if err != nil {
		return Scenario{}, err
	}
	return Parse(path, source, opts)
}

// ReadSource gives the bytes of the file at path, of one that is too large as many as show it.
func ReadSource(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	return ReadFrom(f, path)
}

// ReadFrom is [ReadSource] for what is no file; name stands for it in errors.
func ReadFrom(from io.Reader, name string) ([]byte, error) {
	// One byte more than allowed is enough to know that a file is too large, however large it is.
	source, err := io.ReadAll(io.LimitReader(from, MaxBytes+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	return source, nil
}

func unreadable(path string, err error) error {
	if on := (*fs.PathError)(nil); errors.As(err, &on) {
		err = on.Err // path and all it wraps are said already
	}
	return fmt.Errorf("%s: cannot be read: %w", path, err)
}

// Parse reads source; file is its name in errors. The error is [Errors], with everything that is wrong, in the order of
// the file; the scenario is then empty.
func Parse(file string, source []byte, opts Options) (Scenario, error) {
	r := &reader{file: file, opts: opts, ownVersion: map[string]value{}}
	s := Scenario{File: file, Source: slices.Clone(source)}
	if root, ok := r.tree(source); ok {
		r.scenario(root, &s)
	}
	if len(r.errs) > 0 {
		r.errs.sort()
		return Scenario{}, r.errs
	}
	return s, nil
}

var scenarioName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// rootKeys are the keys of a file.
var rootKeys = []string{"scenario", "about", "stack", "metrics_from", "load", "autoscale", "phases", "checks", "waive"}

func (r *reader) scenario(root value, s *Scenario) {
	m, ok := root.mapping(rootKeys...)
	if !ok {
		return
	}
	m.require("scenario", "stack", "load", "phases", "checks")
	if v, ok := m.get("scenario"); ok {
		s.Name = v.matching(scenarioName, "a name of at most 64 letters, digits, '-', '_' and '.', like replace-an-instance")
	}
	if v, ok := m.get("about"); ok {
		s.About = v.line("text")
	}
	s.Stack.Web.Routes = referenceRoutes()
	_, r.fromServer = m.get(metricsFrom)
	if v, ok := m.get("stack"); ok {
		r.stack(v, &s.Stack)
	}
	if v, ok := m.get("autoscale"); ok {
		r.autoscale(v, s)
		if s.Stack.Agent.There() {
			v.failf("what an autoscaler should make of counts that an agent holds is not judged: remove stack.agent, or autoscale")
		}
	}
	if v, ok := m.get(metricsFrom); ok {
		r.metricsFrom(v, s)
	}
	before := len(r.errs)
	if v, ok := m.get("phases"); ok {
		r.phases(v, s)
	}
	r.hasVersions(s)
	if v, ok := m.get("load"); ok {
		r.load(v, s)
	}
	if v, ok := m.get("checks"); ok {
		r.checks(v, s, len(r.errs) == before)
	}
	if s.Stack.External != nil && !r.opts.Ran {
		r.unseenOf(m, s)
	}
	if v, ok := m.get("waive"); ok {
		r.waivers(v, s)
	}
}
