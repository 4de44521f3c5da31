package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"throughline/compose/httpd"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// apache marks a test that runs a stack with an Apache HTTP server before each instance.
func apache(t *testing.T) {
	t.Helper()
	unhurried(t)
	if _, err := httpd.Find(t.Context()); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	stacked(t)
}

// scenarioFile writes a scenario.
func scenarioFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const behindApache = `scenario: behind-apache
stack: {web: {instances: 3}, httpd: yes}
load: {rate: 120/s, shape: sine, swing: 48/s, period: 8s, mix: {insert: 9, get: 1}}
phases:
  - {phase: before, for: 8s}
  - phase: after
    do: [{kill: web-2}, {launch: 1}, {replace: web-1}, {deploy: v2, canary: 1}]
    for: 10s
checks:
  - continuity:   {metric: fullstack.insert, max_gap: 2s}
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}
  - correlation:  {layers: [users, lb, httpd, web, db], at_least: 0.9}
  - failures:     {at_most: 0}
  - audit:        {route: insert}
`

// A run behind Apache HTTP has its ledger, and each request of the users in its logs; no instance is blamed for what httpd
// answered while its application was away.
func TestBehindApache(t *testing.T) {
	apache(t)
	o := runScenario(t, scenarioFile(t, behindApache))
	judgeAgain(t, o)
	f, err := os.Open(filepath.Join(o.dir, record.PassagesFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if n := int64(len(rows) - 1); n < o.verdict.Ledgers.Users.Acked || n > o.verdict.Ledgers.LB.Requests+3*o.verdict.Ledgers.LB.Retries+o.verdict.Ledgers.Users.NoAnswer {
		t.Errorf("%d requests passed, of %+v at the load balancer", n, o.verdict.Ledgers.LB)
	}
	var layers []string
	for _, e := range o.verdict.LedgerEntries {
		layers = append(layers, e.Layer)
	}
	if got := strings.Join(slices.Compact(layers), " "); got != "users lb httpd web db" {
		t.Errorf("ledgers are of %s", got)
	}
	if !slices.ContainsFunc(o.verdict.Findings, func(f verdict.Finding) bool {
		return f.Outcome == verdict.Pass && strings.Contains(f.Summary, "followed by their ids through the logs of httpd")
	}) {
		t.Errorf("nobody followed the requests: %s", o.text())
	}
	passes(t, o)
}
