//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkFloor holds `throughline collect` against the least that a receiver can
// do: a loop in C that reads what has come every millisecond, and counts lines
// (collector/statsd/floor). Both get the same datagrams at the same rate, one after
// the other, from this process. It reports the CPU seconds of user and system time
// that each spends on a million lines, and how many times the floor collect costs.
//
// The figure of collect is that of the process from its start to its end: store,
// write-ahead log, every flush.
func BenchmarkFloor(b *testing.B) {
	floor := buildFloor(b)
	for _, packed := range []int{12, 1} {
		b.Run(fmt.Sprintf("packed=%d/rate=%d", packed, floorRate), func(b *testing.B) {
			for b.Loop() {
				// Side by side in time, as other work on the machine is in both then.
				least := spend(b, flood{packed, floorRate, floorSeconds}, func(udp string) *exec.Cmd {
					return exec.Command(floor, udp[strings.LastIndexByte(udp, ':')+1:])
				})
				ours := spend(b, flood{packed, floorRate, floorSeconds}, func(udp string) *exec.Cmd {
					return exec.Command(binary, "collect", "--statsd", udp, "--listen", "127.0.0.1:0")
				})
				b.ReportMetric(ours.perMillion, "CPU-s/Mline")
				b.ReportMetric(least.perMillion, "floor-CPU-s/Mline")
				b.ReportMetric(ours.perMillion/least.perMillion, "times-the-floor")
				b.ReportMetric(float64(ours.drops), "drops")
				b.ReportMetric(float64(least.drops), "floor-drops")
			}
		})
	}
}

// Lines a second, and for how long: a million in all.
const (
	floorRate    = 100_000
	floorSeconds = 10
)

func buildFloor(b *testing.B) string {
	b.Helper()
	compiler, err := exec.LookPath("cc")
	if err != nil {
		b.Skipf("SKIPPED, NOTHING MEASURED: no C compiler: %v", err)
	}
	program := filepath.Join(b.TempDir(), "floor")
	var said bytes.Buffer
	cmd := exec.Command(compiler, "-O2", "-o", program, filepath.Join("..", "..", "collector", "statsd", "floor", "floor.c"))
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %v\n%s", cmd, err, &said)
	}
	return program
}
