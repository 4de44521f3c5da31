package app

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// burn uses CPU time.
func burn(d time.Duration) {
	begin, _ := usedCPU()
	for {
		if now, _ := usedCPU(); now-begin >= d {
			return
		}
	}
}

// The CPU time that is told is what this process used between start and stop, to the last microsecond.
func TestCPUIsTold(t *testing.T) {
	socket := listenUDP(t)
	before, err := usedCPU()
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, Config{StatsD: socket.addr(), CPUEvery: 5 * time.Millisecond}, newMemory())
	began, err := usedCPU()
	if err != nil {
		t.Fatal(err)
	}
	burn(60 * time.Millisecond)
	middle, err := usedCPU()
	if err != nil {
		t.Fatal(err)
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	after, err := usedCPU()
	if err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	got := time.Duration(socket.counts[cpuTime]) * time.Microsecond
	if got < middle-began || got > after-before {
		t.Errorf("told %v, and used at least %v, at most %v", got, middle-began, after-before)
	}
}

// Nothing is told of CPU where nobody asked.
func TestCPUIsNotTold(t *testing.T) {
	socket := listenUDP(t)
	r := start(t, Config{StatsD: socket.addr()}, newMemory())
	r.stop()
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	if _, told := socket.counts[cpuTime]; told {
		t.Errorf("told %v", socket.counts)
	}
}

// The defect tells of all the machine, in which other processes work too.
func TestCPUOfTheMachine(t *testing.T) {
	files := map[string]string{
		"cpu  100 20 300 4000 500 60 70 80 90 10\ncpu0 1 2 3\n": "",
		"cpu0 1 2 3 4 5 6 7 8\n":                                "not that of all CPUs",
		"cpu 1 2 3\n":                                           "not that of all CPUs",
		"cpu 1 2 x 4 5 6 7 8\n":                                 "system is no number",
	}
	for text, want := range files {
		got, err := machineCPU(func(string) ([]byte, error) { return []byte(text), nil })
		switch {
		case want == "" && (err != nil || got != 6300*time.Millisecond):
			t.Errorf("%q: %v, %v", text, got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	gone := errors.New("gone")
	if _, err := machineCPU(func(string) ([]byte, error) { return nil, gone }); !errors.Is(err, gone) {
		t.Errorf("no /proc/stat: %v", err)
	}
	if _, err := FromEnv(env("CPU_EVERY=often", "MONGODB_URI=mongodb://x")); err == nil || !strings.Contains(err.Error(), `CPU_EVERY: "often" is not a duration`) {
		t.Errorf("often: %v", err)
	}
}
