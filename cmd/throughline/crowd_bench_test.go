//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"throughline/compose/haproxy"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// crowd is a scenario of many instances, in waves.
type crowd struct {
	least, most int // instances in a trough and on a crest
	waves       int // that come after the first instances
	crest       time.Duration
	rate        int // requests a second of all users
}

// lives is how many instances come and go.
func (c crowd) lives() int { return c.least + c.waves*(c.most-c.least) }

func (c crowd) scenario(app string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario: crowd\nabout: %d instances come and go.\nstack:\n  mongo: none\n", c.lives())
	fmt.Fprintf(&b, "  web: {instances: %d, command: [%q], routes: {work: POST /work}}\nload: {rate: %d/s, shape: sine, swing: %d/s, period: 20s}\nphases:\n",
		c.least, app, c.rate, c.rate/3)
	fmt.Fprintf(&b, "  - {phase: warm-up, for: 10s, require: {users: %d/s}}\n", c.rate/2)
	for i := range c.waves {
		fmt.Fprintf(&b, "  - {phase: wave %d, do: {scale: %d, within: 30s}, for: %v}\n", i+1, c.most, c.crest)
		fmt.Fprintf(&b, "  - {phase: ebb %d, do: {scale: %d, within: 30s}, for: 2s}\n", i+1, c.least)
	}
	b.WriteString("checks:\n  - continuity: {metric: tiny.work, route: work, max_gap: 3s}\n" +
		"  - conservation: {metric: tiny.work, route: work, client_window: 100ms}\n  - identity: {metric: tiny.work}\n" +
		"  - correlation: {layers: [users, lb, web], at_least: 0.9}\n")
	return b.String()
}

// BenchmarkCrowd runs scenarios of many real instances of an application that is as small
// as can be (scenarios/fleet/tiny): 300 that come and go in waves, and 200 and 300 that are there at
// once, which is as many as a scenario may have. A run that is no pass is an error; on a
// machine that has no time for it, it is inconclusive.
//
// It reports how long it all took and the judge alone, the CPU seconds of the program itself, of
// HAProxy and of all instances together, and how much memory an instance has.
func BenchmarkCrowd(b *testing.B) {
	if _, err := haproxy.Find(""); err != nil {
		b.Skipf("SKIPPED, NOTHING MEASURED: %v", err)
	}
	app := filepath.Join(b.TempDir(), "tiny")
	build := exec.Command("go", "build", "-o", app, "../../scenarios/fleet/tiny")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build the application: %v\n%s", err, out)
	}
	for _, c := range []struct {
		name string
		crowd
	}{
		{"come-and-go=300", crowd{least: 30, most: 45, waves: 18, crest: 4 * time.Second, rate: 60}},
		{"at-once=200", crowd{least: 180, most: 200, waves: 1, crest: 20 * time.Second, rate: 120}},
		{"at-once=300", crowd{least: 270, most: 300, waves: 1, crest: 20 * time.Second, rate: 200}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.run(b, app)
			}
		})
	}
}

func (c crowd) run(b *testing.B, app string) {
	dir := filepath.Join(b.TempDir(), "run")
	file := filepath.Join(b.TempDir(), "crowd.yaml")
	if err := os.WriteFile(file, []byte(c.scenario(app)), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(binary, "run", "--format", "json", "--dashboard", "off", "--out", dir, file)
	var said strings.Builder
	cmd.Stderr = &said
	begun := time.Now()
	out, err := cmd.Output()
	took := time.Since(begun)
	var v verdict.Verdict
	if parsed := json.Unmarshal(out, &v); parsed != nil {
		b.Fatalf("no verdict: %v, %v\n%s", err, parsed, &said)
	}
	if v.Outcome != verdict.Pass {
		b.Errorf("%d instances, %v after %v:\n%s", c.lives(), v.Outcome, took.Round(time.Second), outcome{verdict: v}.text())
	}
	h, err := record.Read(dir)
	if err != nil {
		b.Fatal(err)
	}
	judging := time.Now()
	if out, err := exec.Command(binary, "judge", dir).CombinedOutput(); err != nil {
		b.Errorf("judge again: %v\n%s", err, out)
	}
	b.ReportMetric(took.Seconds(), "s")
	b.ReportMetric(time.Since(judging).Seconds(), "judge-s")
	b.ReportMetric(float64(len(h.Lifetimes())-1), "instances") // HAProxy is the other one
	c.costs(b, cmd, h)
}

// costs reports who used how much: of the children by what the host saw of them, of the program
// what is left of all.
func (c crowd) costs(b *testing.B, cmd *exec.Cmd, h record.History) {
	var web, lb, memory float64
	alive := 0
	for i := range h.Series {
		s := &h.Series[i]
		last := 0.0
		for _, p := range s.Points {
			if !p.Stale {
				last = p.Value
			}
		}
		instance := strings.HasPrefix(s.Labels.Get("instance"), "web-")
		switch {
		case s.Name == "host_cpu_seconds_total" && instance:
			web += last
		case s.Name == "host_cpu_seconds_total":
			lb += last
		case s.Name == "host_memory_bytes" && instance:
			memory, alive = memory+last, alive+1
		}
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage) // of the children it has waited for, too
	all := time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
	b.ReportMetric(all-web-lb, "program-CPU-s")
	b.ReportMetric(lb, "haproxy-CPU-s")
	b.ReportMetric(web, "instances-CPU-s")
	b.ReportMetric(memory/float64(max(1, alive))/1e6, "MB/instance")
}
