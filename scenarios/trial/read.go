package trial

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
}

// Read reads one scenario. The error lists all that is wrong with it, as
// file:line:column where it is read.
func (r Reader) Read(arg string) (script.Scenario, error) {
	name, source, err := r.Source(arg)
	if err != nil {
		return script.Scenario{}, err
	}
	s, err := script.Parse(name, source, r.Options)
	if err != nil {
		return script.Scenario{}, err
	}
	return s, check.ValidateExprs(s)
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
