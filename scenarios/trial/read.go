package trial

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"throughline/compose/config"
	"throughline/scenarios"
	"throughline/scenarios/check"
	"throughline/scenarios/script"
)

// Stdin stands for standard input in place of a file; errors and records call it stdin.
const (
	Stdin     = "-"
	stdinName = "stdin"
)

// Reader reads scenarios as they are named to a command: by file, by the name of a
// built-in one, or from standard input. A name wins over a file of the same name only
// where it does not look like a path.
type Reader struct {
	Stdin   io.Reader
	Options script.Options
	// Adding changes a source before it is read; nil: nothing does. It says which file cannot be changed so.
	Adding func(file string, source []byte) ([]byte, error)
}

// Read reads one scenario. The error lists all that is wrong with it, as
// file:line:column where it is read.
func (r Reader) Read(arg string) (script.Scenario, error) {
	name, source, err := r.Source(arg)
	if err != nil {
		return script.Scenario{}, err
	}
	if r.Adding != nil {
		if source, err = r.Adding(name, source); err != nil {
			return script.Scenario{}, err
		}
	}
	s, err := script.Parse(name, source, r.Options)
	if err != nil {
		return script.Scenario{}, err
	}
	if s.Rules, err = r.Rules(arg)(s); err != nil {
		return script.Scenario{}, err
	}
	return s, check.ValidateExprs(s)
}

// Rules reads the files of alerting rules that a scenario names which is named by arg: by their paths from its file, or from here
// where it comes from standard input. A built-in scenario has those of the stack for people.
func (r Reader) Rules(arg string) check.RuleFiles {
	return func(s script.Scenario) (map[string]string, error) {
		var rules map[string]string
		var errs []error
		for _, name := range s.RuleFiles() {
			source, err := ruleFile(arg, name)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: alert: %w", positionOf(s, name), err))
				continue
			}
			if rules == nil {
				rules = map[string]string{}
			}
			rules[name] = string(source)
		}
		return rules, errors.Join(errs...)
	}
}

// positionOf is where a scenario names a file of rules first.
func positionOf(s script.Scenario, file string) script.Pos {
	for _, c := range s.Checks {
		if a, is := c.Promise.(script.Alert); is && a.File == file {
			return c.Pos
		}
	}
	return script.Pos{}
}

func ruleFile(arg, name string) ([]byte, error) {
	dir := ""
	switch {
	case arg == Stdin:
	case looksLikePath(arg):
		dir = filepath.Dir(arg)
	default:
		return config.Read(name)
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, name)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be read: %w; give the path of a file of alerting rules from that of the scenario", path, reason(err))
	}
	defer f.Close()
	source, err := script.ReadFrom(f, path)
	return source, err
}

// reason is what is wrong with a file, without its name.
func reason(err error) error {
	if on := (*fs.PathError)(nil); errors.As(err, &on) {
		return on.Err
	}
	return err
}

// ReadAll reads all, or says what is wrong with each.
func (r Reader) ReadAll(args []string) ([]script.Scenario, error) {
	var (
		all  []script.Scenario
		errs []error
	)
	for i, arg := range args {
		if arg == Stdin && slices.Contains(args[:i], Stdin) {
			errs = append(errs, errors.New("-: standard input is read once; leave the second one out"))
			continue
		}
		s, err := r.Read(arg)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, s)
	}
	return all, errors.Join(errs...)
}

// Source gives the bytes of a scenario, and what errors call it.
func (r Reader) Source(arg string) (name string, source []byte, err error) {
	switch {
	case arg == Stdin:
		source, err = script.ReadFrom(r.Stdin, stdinName)
		return stdinName, source, err
	case looksLikePath(arg):
		if source, err = script.ReadSource(arg); err != nil {
			err = fmt.Errorf("%w; give a scenario's file, or a name that throughline list has", err)
		}
		return arg, source, err
	}
	source, err = scenarios.Read(arg)
	return arg + ".yaml", source, err
}

func looksLikePath(arg string) bool {
	if strings.ContainsRune(arg, filepath.Separator) || filepath.Ext(arg) != "" {
		return true
	}
	_, err := os.Stat(arg)
	return err == nil
}
