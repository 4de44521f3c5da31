package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"throughline/app"
	"throughline/scenarios"
	"throughline/scenarios/check"
	"throughline/scenarios/script"
)

// fromStdin stands for standard input in place of a file; errors and records call
// it stdin.
const (
	fromStdin = "-"
	stdinName = "stdin"
)

// readScenario reads a file, or a built-in scenario by its name. A name wins
// over a file of the same name only where the argument does not look like a
// path. "-" is stdin.
func readScenario(arg string, stdin io.Reader) (script.Scenario, error) {
	name, source, err := sourceOf(arg, stdin)
	if err != nil {
		return script.Scenario{}, err
	}
	s, err := script.Parse(name, source, parseOptions())
	if err != nil {
		return script.Scenario{}, err
	}
	return s, check.ValidateExprs(s)
}

// parseOptions knows the reference app's defects.
func parseOptions() (options script.Options) {
	for _, d := range app.Defects() {
		options.Defects = append(options.Defects, d.Name)
	}
	return options
}

// sourceOf gives the bytes of a scenario, and what errors call it.
func sourceOf(arg string, stdin io.Reader) (name string, source []byte, err error) {
	switch {
	case arg == fromStdin:
		source, err = script.ReadFrom(stdin, stdinName)
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

// joined is errors.Join that gives a single error back as it is.
func joined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
