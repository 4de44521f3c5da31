package main

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// ferretDB starts a FerretDB, which speaks MongoDB's protocol over SQLite, and gives its URI.
func ferretDB(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("ferretdb")
	if err != nil {
		if program, err = filepath.Abs(filepath.Join("..", "..", "bin", "ferretdb")); err == nil {
			program, err = exec.LookPath(program)
		}
	}
	if err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v; make peers builds it", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, dir := ln.Addr().String(), t.TempDir()
	ln.Close()
	cmd := exec.Command(program, "--handler=sqlite", "--sqlite-url=file:"+dir+"/", "--listen-addr="+addr, "--telemetry=disable", "--debug-addr=-", "--state-dir="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to keep
		_ = cmd.Wait()
	})
	deadline := time.Now().Add(30 * time.Second)
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return "mongodb://" + addr + "/"
		}
		if time.Now().After(deadline) {
			t.Fatalf("ferretdb does not listen: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

const onAnotherDatabase = `scenario: on-another-database
stack: {web: {instances: 2}}
load: {rate: 30/s, mix: {insert: 9, get: 1}}
phases:
  - {phase: before, for: 4s}
  - {phase: killed, do: [{kill: web-1}, {launch: 1}], for: 5s}
checks:
  - audit:        {route: insert}
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}
`

// Application, poller and judge work with a server that is not ours. This one does not execute updates one after the other: of two of one document at
// one time one may be lost, though both were acknowledged. So the verdict must be what its documents say, counted here by another way.
func TestOnAnotherDatabase(t *testing.T) {
	unhurried(t)
	stacked(t)
	uri := ferretDB(t)
	o := runScenario(t, scenarioFile(t, onAnotherDatabase), "--mongo", uri)
	h, err := record.Read(o.dir)
	if err != nil {
		t.Fatal(err)
	}
	var acked, unknown int64
	for _, r := range h.Requests {
		switch {
		case r.Route != "insert":
		case r.Outcome == record.Acked:
			acked++
		case r.Outcome == record.Unknown:
			unknown++
		}
	}
	lost := acked - documentsOf(t, uri)
	t.Logf("%d acknowledged, %d unknown, %d lost", acked, unknown, lost)
	updates := float64(0)
	for _, s := range h.Series {
		if s.Name == "mongodb_opcounters_total" && s.Labels.Get("type") == "update" {
			updates = s.Points[len(s.Points)-1].Value
		}
	}
	if updates < float64(acked) {
		t.Errorf("it was given %v updates, of which %d were acknowledged", updates, acked)
	}
	if o.verdict.Outcome == verdict.Inconclusive {
		t.Skipf("SKIPPED, NOTHING PROVED: %s", o.verdict.Sentence)
	}
	audit := slices.IndexFunc(o.verdict.Findings, func(f verdict.Finding) bool { return f.Check == "audit" && f.Outcome == verdict.Fail })
	switch {
	case lost > unknown && audit < 0:
		t.Errorf("it lost %d, and the verdict is %v: %s", lost, o.verdict.Outcome, o.verdict.Sentence)
	case lost > unknown && o.verdict.Findings[audit].Cause != verdict.CauseLostWrites:
		t.Errorf("it lost %d, and the cause is %q", lost, o.verdict.Findings[audit].Cause)
	case lost <= 0 && unknown == 0 && audit >= 0:
		t.Errorf("it lost none, and the verdict says: %s", o.verdict.Findings[audit].Summary)
	}
}

// documentsOf is what the words of a database come to.
func documentsOf(t *testing.T, uri string) (sum int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(ctx) }()
	cursor, err := client.Database("test").Collection("words").Find(ctx, bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var words []struct{ Count int64 }
	if err := cursor.All(ctx, &words); err != nil {
		t.Fatal(err)
	}
	for _, w := range words {
		sum += w.Count
	}
	return sum
}
