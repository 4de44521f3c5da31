package poll

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"throughline/collector"
)

// of gives the values of an instance's series, by name and mode.
func of(samples []collector.Sample, instance string) map[string]float64 {
	values := map[string]float64{}
	for _, s := range samples {
		if s.Labels.Get("instance") == instance {
			values[strings.TrimSuffix(s.Name+" "+s.Labels.Get("mode"), " ")] = s.Value
		}
	}
	return values
}

// TestHostSeesAProcessGroup: what a group uses is seen, with what its processes
// used that have ended, and an agent inside sees the whole machine.
func TestHostSeesAProcessGroup(t *testing.T) {
	// The shell's child uses the CPU and ends; the shell waits for more.
	cmd := exec.Command("sh", "-c", `sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; echo ready; read line`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	instances := []HostInstance{{Name: "web-1", PID: cmd.Process.Pid}}
	host, err := NewHost(func(context.Context) ([]HostInstance, error) { return instances, nil })
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_700_000_000, 0)
	samples, err := host.Poll(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	got := of(samples, "web-1")
	if got["host_cpu_seconds_total"] < 0.02 || got["host_memory_bytes"] < 1<<16 {
		t.Errorf("a shell that counted to 300,000: %v", got)
	}
	if _, limited := got["host_cpu_limit_cores"]; limited {
		t.Errorf("no cgroup of its own, and yet a limit: %v", got)
	}
	if got["agent_cpu_seconds_total idle"]+got["agent_cpu_seconds_total user"] <= got["host_cpu_seconds_total"] {
		t.Errorf("the machine did less than the group: %v", got)
	}
	for _, s := range samples {
		if !s.At.Equal(at) || s.Observed != 1 || s.Meta == nil {
			t.Fatalf("%+v", s)
		}
	}

	in.Close()
	_ = cmd.Wait() // it found no line to read
	samples, err = host.Poll(t.Context(), at)
	if err != nil || len(of(samples, "web-1")) != 0 {
		t.Errorf("after its end: %v, %v", samples, err)
	}
}

func TestHostPassesErrorsOn(t *testing.T) {
	broken := errors.New("nobody there")
	host, err := NewHost(func(context.Context) ([]HostInstance, error) { return nil, broken })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.Poll(t.Context(), time.Now()); !errors.Is(err, broken) {
		t.Errorf("Poll = %v", err)
	}
}

// TestHostReadsTheCgroupOfAProcess: this test's own process is in some cgroup.
func TestHostReadsTheCgroupOfAProcess(t *testing.T) {
	me := []HostInstance{{Name: "web-1", PID: os.Getpid(), OwnCgroup: true}, {Name: "web-2", PID: 1 << 30, OwnCgroup: true}}
	host, err := NewHost(func(context.Context) ([]HostInstance, error) { return me, nil })
	if err != nil {
		t.Fatal(err)
	}
	samples, err := host.Poll(t.Context(), time.Now())
	if gone(err) || err != nil && strings.Contains(err.Error(), "cgroup") {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := of(samples, "web-1"); got["host_cpu_seconds_total"] <= 0 || got["host_memory_bytes"] <= 0 {
		t.Errorf("this process: %v", got)
	}
	if got := of(samples, "web-2"); len(got) != 0 {
		t.Errorf("a process that is not there: %v", got)
	}
}
