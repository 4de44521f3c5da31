// Package config has those files of this folder that a program reads: the alerting rules by which Prometheus in
// compose.yaml watches the stack, and built-in scenarios judge a run. What configures containers alone is not in it.
// scenarios/trial reads rules of built-in scenarios here.
package config

import (
	"embed"
	"fmt"
)

// Alerts is the file of alerting rules.
const Alerts = "alerts.yml"

//go:embed alerts.yml
var files embed.FS

// Read gives the bytes of a file of rules.
func Read(name string) ([]byte, error) {
	source, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: no such built-in file of rules: have %s", name, Alerts)
	}
	return source, nil
}
