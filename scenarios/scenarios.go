// Package scenarios is the library of built-in scenarios: the YAML files of this folder, embedded. It hands out their
// names and bytes and knows nothing of what is in them; package script reads them. The command line lists and runs
// them by name.
package scenarios

import (
	"embed"
	"fmt"
	"strings"

	"throughline/spelling"
)

// FS holds the files, as NAME.yaml.
//
//go:embed *.yaml
var FS embed.FS

// Names gives the scenarios in alphabetical order, without ".yaml".
func Names() []string {
	files, err := FS.ReadDir(".")
	if err != nil {
		return nil // never: an embedded folder can be listed
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(f.Name(), ".yaml")
	}
	return names
}

// Read gives the bytes of the scenario of that name, with or without ".yaml".
func Read(name string) ([]byte, error) {
	source, err := FS.ReadFile(strings.TrimSuffix(name, ".yaml") + ".yaml")
	if err == nil {
		return source, nil
	}
	hint := "have " + strings.Join(Names(), ", ")
	if near := spelling.Nearest(name, Names()); near != "" {
		hint = fmt.Sprintf("did you mean %q? (%s)", near, hint)
	}
	return nil, fmt.Errorf("scenario %q: no such built-in scenario: %s", name, hint)
}
