package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// interrupted presses Ctrl-C when a run says something, and looks at what is left: nobody is accused.
func interrupted(t *testing.T, scenario, when string, flags ...string) (dir string) {
	t.Helper()
	return interruptedBy(t, syscall.SIGINT, 20*time.Second, scenario, when, flags...)
}

// TestInterruptedByEachWay presses Ctrl-C while an instance that was killed is missed, by whichever way its metrics come.
func TestInterruptedByEachWay(t *testing.T) {
	for name, c := range map[string]struct{ text, when string }{
		"otlp": {replacing("otlp", ", metrics: {otlp: http/protobuf}", "", checksOf("fullstack.insert, by: otlp", "continuity", "conservation", "identity")), "kill web-2"},
		"grpc": {replacing("grpc", ", metrics: {otlp: grpc}", "", checksOf("fullstack.insert, by: otlp", "continuity", "conservation", "identity")), "kill web-2"},
		"scrape": {replacing("scrape", `, env: {EXPOSE: "yes"}, metrics: {scrape: /metrics}`, "", checksOf("fullstack_insert_total", "continuity", "conservation", "identity")),
			"kill web-2"},
		"agent": {replacing("agent", "", "  agent: {window: 1s, linger: 2s}\n", checksOf("fullstack.insert", "continuity", "conservation", "identity")), "kill web-2"},
		"an agent that is away": {strings.Replace(replacing("agent-away", "", "  agent: {window: 1s}\n", checksOf("fullstack.insert", "continuity", "conservation", "identity")),
			"do: {kill: web-2}", "do: {kill: agent-2, for: 3s}", 1), "kill agent-2"},
	} {
		t.Run(name, func(t *testing.T) {
			unhurried(t)
			stacked(t)
			nothingLeft(t, interrupted(t, scenarioFile(t, c.text), c.when))
		})
	}
}

// TestInterruptedBesideAServer does so while a server of the user's scrapes the instances: what it has is read all the same, and it goes on.
func TestInterruptedBesideAServer(t *testing.T) {
	unhurried(t)
	app := wordsApp(t)
	prometheus := newServer(t)
	stacked(t)
	prometheus.start()
	dir := interrupted(t, writeScenario(t, app, ""), "terminate web-2", prometheus.flags()...)
	if journal := journalOf(t, dir); !strings.Contains(journal, "of 3 instances from http://") {
		t.Errorf("the journal does not tell of what was read from the server:\n%s", journal)
	}
	awaitReady(t, prometheus.url+"/-/ready")
}

// TestInterruptedExternal does so on a stack that somebody else runs: it is left as the steps had made it, its owner's command is executed, and
// nobody listens any more.
func TestInterruptedExternal(t *testing.T) {
	unhurried(t)
	stacked(t)
	s := newTheirs(t, nil)
	interrupted(t, s.scenario(t, "kill", replaced...), "kill web-2")
	if _, err := os.Stat(filepath.Join(s.dir, "after.log")); err != nil {
		t.Errorf("stack.external.after was not executed: %v", err)
	}
	for name, want := range map[string]bool{"web-1": true, "web-3": true, "web-5": false} {
		if lives := exec.Command(filepath.Join(s.dir, "ctl"), "alive", name).Run() == nil; lives != want {
			t.Errorf("after the run %s lives: %v, want %v", name, lives, want)
		}
	}
	in, err := net.ListenPacket("udp", s.statsd)
	if err != nil {
		t.Fatalf("the port of the collector is not free: %v", err)
	}
	_ = in.Close() // it was free
}
