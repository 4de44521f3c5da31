package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"throughline/scenarios/record"
)

// standIn is a program that understands the flags with which a mongod is started, and is the embedded database behind them. A real
// mongod is on no machine on which these tests were written: they show that the flags and commands are what they are meant to be, and
// not what a MongoDB makes of them.
func standIn(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mongod")
	script := fmt.Sprintf(`#!/bin/sh
[ "$1" = --version ] && { echo "db version v7.0.0"; exit 0; }
set_of=""
while [ $# -gt 0 ]; do
	case $1 in
	--bind_ip) host=$2 ;;
	--port) port=$2 ;;
	--dbpath) dir=$2; [ -d "$dir" ] || { echo "dbpath $dir does not exist" >&2; exit 100; } ;;
	--replSet) set_of="--election-timeout 700ms --replica-set $2" ;;
	*) echo "unknown option $1" >&2; exit 2 ;;
	esac
	shift 2
done
exec '%s' docstore --listen "$host:$port" --data "$dir/data" $set_of
`, binary)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

const onMongod = `scenario: on-mongod
stack:
  web: {instances: 2}
  mongo: {members: 3}
load: {rate: 60/s, mix: {insert: 9, get: 1}}
phases:
  - {phase: before, for: 3s}
  - {phase: killed, do: [{kill: primary, within: 20s}, {launch: member, within: 20s}], for: 6s}
checks:
  - audit: {route: insert}
  - continuity: {metric: fullstack.insert, max_gap: 5s}
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}
`

// A mongod that is started takes the part of the embedded database, with members, and the steps on these are the same.
func TestMembersOfAMongod(t *testing.T) {
	unhurried(t)
	stacked(t)
	file := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(file, []byte(onMongod), 0o600); err != nil {
		t.Fatal(err)
	}
	o := runScenario(t, file, "--mongod", standIn(t))
	passes(t, o)
	h, err := record.Read(o.dir)
	if err != nil {
		t.Fatal(err)
	}
	if h.Run.Database != "mongodb" || h.Run.Versions["mongod"] != "v7.0.0" {
		t.Errorf("the record has database %q, mongod %q", h.Run.Database, h.Run.Versions["mongod"])
	}
}

// What a mongod cannot be made to do is refused before anything starts, and so is what is none.
func TestMongodIsRefused(t *testing.T) {
	mongod := standIn(t)
	for name, c := range map[string]struct{ yaml, mongod, want string }{
		"none there": {onMongod, filepath.Join(t.TempDir(), "mongod"), "give the path of a mongod"},
		"isolated": {strings.Replace(onMongod, "kill: primary", "fault: isolate-member", 1), mongod,
			"on-mongod: fault isolate-member: it can be done to the embedded database alone; leave --mongod out"},
		"forgetful": {strings.Replace(onMongod, "members: 3", "members: 3, forget: 50", 1), mongod, "only the embedded database can forget"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "scenario.yaml")
			if err := os.WriteFile(file, []byte(c.yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(binary, "run", "--out", filepath.Join(t.TempDir(), "run"), "--mongod", c.mongod, file).CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%v: %q is not in\n%s", err, c.want, out)
			}
		})
	}
}
