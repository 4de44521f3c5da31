package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"throughline/app"
	"throughline/scenarios"
	"throughline/scenarios/check"
	"throughline/scenarios/script"
)

// readScenario reads a file, or a built-in scenario by its name. A name wins
// over a file of the same name only where the argument does not look like a
// path.
func readScenario(arg string) (script.Scenario, error) {
	s, err := parseScenario(arg)
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

func parseScenario(arg string) (script.Scenario, error) {
	if looksLikePath(arg) {
		s, err := script.Read(arg, parseOptions())
		if listed := (script.Errors)(nil); err != nil && !errors.As(err, &listed) {
			err = fmt.Errorf("%w; give a scenario's file, or a name that throughline list has", err)
		}
		return s, err
	}
	source, err := scenarios.Read(arg)
	if err != nil {
		return script.Scenario{}, err
	}
	return script.Parse(arg+".yaml", source, parseOptions())
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
