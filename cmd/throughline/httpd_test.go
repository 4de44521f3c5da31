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

// deploying gives the built-in scenario behind-apache, with a canary at its end.
func deploying(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../scenarios/behind-apache.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const last = "{replace: web-1}"
	if !strings.Contains(string(text), last) {
		t.Fatalf("behind-apache has no step %s", last)
	}
	return strings.Replace(string(text), last, last+", {deploy: v2, canary: 1}", 1)
}

// A run behind Apache HTTP has its ledger, and each request of the users in its logs; no instance is blamed for what httpd
// answered while its application was away.
func TestBehindApache(t *testing.T) {
	apache(t)
	o := runScenario(t, scenarioFile(t, deploying(t)))
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
