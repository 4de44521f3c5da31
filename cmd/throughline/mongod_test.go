package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"throughline/compose/docker"
	"throughline/scenarios/record"
)

// standIn is a program that understands the flags with which a mongod is started, and is the embedded database behind them. A real
// mongod is on no machine on which these tests were written: they show that the flags and commands are what they are meant to be, and
// not what a MongoDB makes of them. As a mongod does, it knows by what it is told of its set under which address it is in it: here by
// that of its machine.
const standInScript = `#!/bin/bash
[ "$1" = --version ] && { echo "db version v7.0.0"; exit 0; }
set_of="" dir=/data/db
while [ $# -gt 0 ]; do
	case $1 in
	--bind_ip) host=$2 me=$2 ;;
	--bind_ip_all)
		host=0.0.0.0
		while read -r address name _; do [ "$name" = "$HOSTNAME" ] && me=$address; done </etc/hosts
		set -- "$1" "$@" ;;
	--port) port=$2 ;;
	--dbpath) dir=$2; [ -d "$dir" ] || { echo "dbpath $dir does not exist" >&2; exit 100; } ;;
	--replSet) set_of="--election-timeout 700ms --replica-set $2 --advertise" ;;
	*) echo "unknown option $1" >&2; exit 2 ;;
	esac
	shift 2
done
exec '%s' docstore --listen "$host:$port" --data "$dir/data" $set_of ${set_of:+"$me:$port"}
`

// standIn is its path on this machine.
func standIn(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mongod")
	if err := os.WriteFile(path, fmt.Appendf(nil, standInScript, binary), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// standInImage is an image of it, laid out as that of MongoDB is: with an entrypoint that is given a command. It is removed at the end.
func standInImage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"throughline": program, "mongod": fmt.Appendf(nil, standInScript, "/throughline"), "docker-entrypoint.sh": []byte("#!/bin/bash\nexec \"$@\"\n"),
		// Its base is at hand where any of these tests is: it has a shell.
		"Dockerfile": []byte("FROM " + docker.HAProxyImage + "\nUSER root\nCOPY throughline /throughline\nCOPY mongod docker-entrypoint.sh /usr/local/bin/\n" +
			"RUN mkdir -p /data/db\nENTRYPOINT [\"docker-entrypoint.sh\"]\nCMD [\"mongod\"]\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tag := fmt.Sprintf("throughline-standin-mongo:%d", os.Getpid())
	if out, err := exec.Command("docker", "build", "-q", "-t", tag, dir).CombinedOutput(); err != nil {
		t.Fatalf("docker build: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "image", "rm", tag).Run() })
	return tag
}

const onMongod = `scenario: on-mongod
stack:
  web: {instances: 2}
  mongo: {members: 3}
load: {rate: 60/s, mix: {insert: 9, get: 1}}
phases:
  - {phase: before, for: 3s}
  - {phase: killed, do: [{kill: primary, within: 30s}, {launch: member, within: 30s}, {step_down: primary, within: 30s}], for: 6s}
checks:
  - audit: {route: insert}
  - continuity: {metric: fullstack.insert, max_gap: 8s}
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}
`

// A mongod that is started takes the part of the embedded database, with members, and the steps on these are the same.
func TestMembersOfAMongod(t *testing.T) {
	unhurried(t)
	stacked(t)
	onMembersOf(t, "v7.0.0", "--mongod", standIn(t))
}

// So does one that is an image's, each member in a container.
func TestMembersOfAnImage(t *testing.T) {
	unhurried(t)
	contained(t)
	image := standInImage(t)
	onMembersOf(t, image, "--platform", "docker", "--mongo-image", image)
}

// onMembersOf has members of a mongod of a version elect another primary twice.
func onMembersOf(t *testing.T, version string, args ...string) {
	t.Helper()
	o := runScenario(t, scenarioFile(t, onMongod), args...)
	h, err := record.Read(o.dir)
	if err != nil {
		t.Fatal(err)
	}
	if h.Run.Database != "mongodb" || h.Run.Versions["mongod"] != version {
		t.Errorf("the record has database %q, mongod %q", h.Run.Database, h.Run.Versions["mongod"])
	}
	var elected, born []string
	for _, e := range h.Events {
		switch {
		case e.Kind == record.Elected:
			elected = append(elected, e.Instance)
		case e.Kind == record.Birth && e.Role == record.Database:
			born = append(born, e.Instance)
		}
	}
	if len(elected) != 3 || elected[0] == elected[1] || elected[1] == elected[2] || len(born) != 4 {
		t.Errorf("elected were %v of %v, want one at the start and another one after each of two moves\n%s", elected, born, o.text())
	}
	passes(t, o)
}

// What a mongod cannot be made to do is refused before anything starts, and so is what is none.
func TestMongodIsRefused(t *testing.T) {
	mongod := standIn(t)
	for name, c := range map[string]struct{ yaml, mongod, want string }{
		"none there": {onMongod, filepath.Join(t.TempDir(), "mongod"), "give the path of a mongod"},
		"isolated": {strings.Replace(onMongod, "kill: primary", "fault: isolate-member", 1), mongod,
			"on-mongod: fault isolate-member: only the embedded database can do that; leave --mongo, --mongod and"},
		"forgetful": {strings.Replace(onMongod, "members: 3", "members: 3, forget: 50", 1), mongod, "stack.mongo.forget 50: only the embedded database can do that"},
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
