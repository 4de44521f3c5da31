//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkCollect gives `throughline collect` and Prometheus' statsd_exporter
// the same datagrams, one after the other, and reports what each spends on a
// million lines, in CPU seconds of user and system time; how many datagrams the
// kernel dropped at its socket; and how many times dearer the peer is.
//
// The work is that of the figures in docs/METRICS.md: counters, timers and
// gauges with three tags, 12 lines to a datagram and one, sent in bursts of a
// millisecond. The sender is this process, so its time is in neither figure.
// All of collect is in its figure: the store and its write-ahead log, too.
func BenchmarkCollect(b *testing.B) {
	exporter := filepath.Join("..", "..", "bin", "statsd_exporter")
	if _, err := os.Stat(exporter); err != nil {
		b.Skipf("SKIPPED, NOTHING MEASURED: %v; make peers builds it", err)
	}
	for _, l := range []flood{{12, 400_000, 4}, {1, 100_000, 4}} {
		b.Run(fmt.Sprintf("packed=%d/rate=%d", l.packed, l.rate), func(b *testing.B) {
			for b.Loop() {
				ours := spend(b, l, func(udp string) *exec.Cmd {
					return exec.Command(binary, "collect", "--statsd", udp, "--listen", "127.0.0.1:0")
				})
				theirs := spend(b, l, func(udp string) *exec.Cmd {
					return exec.Command(exporter, "--statsd.listen-udp", udp, "--statsd.listen-tcp", "", "--web.listen-address", "127.0.0.1:0")
				})
				b.ReportMetric(ours.perMillion, "CPU-s/Mline")
				b.ReportMetric(theirs.perMillion, "peer-CPU-s/Mline")
				b.ReportMetric(theirs.perMillion/ours.perMillion, "times-cheaper")
				b.ReportMetric(float64(ours.drops), "drops")
				b.ReportMetric(float64(theirs.drops), "peer-drops")
			}
		})
	}
}

// spent is what a receiver needed for its datagrams, from when it listened to its end.
type spent struct {
	perMillion float64 // CPU seconds per million lines received
	drops      int     // datagrams
}

// flood is what a receiver gets: lines a second, packed to a datagram.
type flood struct{ packed, rate, seconds int }

// spend runs a receiver on a free UDP port and sends it a flood.
func spend(b *testing.B, l flood, command func(udp string) *exec.Cmd) spent {
	b.Helper()
	udp := freeUDP(b)
	cmd := command(udp)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := false
	defer func() {
		if !ended {
			_ = cmd.Process.Kill() // the benchmark has failed already
			_ = cmd.Wait()
		}
	}()
	port := udp[strings.LastIndexByte(udp, ':')+1:]
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, bound := dropsOf(b, port); bound {
			break
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s does not listen on %s:\n%s", cmd.Path, udp, &log)
		}
	}
	begun := cpuOf(b, cmd.Process.Pid)
	sent := sendLoad(b, udp, l)
	drops := settled(b, port)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	_ = cmd.Wait() // statsd_exporter ends by the signal
	ended = true
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := time.Duration(usage.Utime.Nano()+usage.Stime.Nano()) - begun
	return spent{perMillion: cpu.Seconds() / float64((sent-drops)*l.packed) * 1e6, drops: drops}
}

// cpuOf is the CPU time that a process has used so far, of all its threads.
// Source: MAKE_PROCESS_CPUCLOCK in linux/posix-timers.h.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	const scheduled = 2 // CPUCLOCK_SCHED: in nanoseconds
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

func freeUDP(b *testing.B) string {
	b.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().String()
}

var benchLines = []string{
	"fullstack.insert:1|c|#zone:a,role:web,version:1.4",
	"fullstack.insert.time:12.345|ms|#zone:a,role:web,version:1.4",
	"fullstack.inflight:17|g|#zone:a,role:web,version:1.4",
}

// sendLoad sends a flood and returns how many datagrams that was.
func sendLoad(b *testing.B, udp string, l flood) int {
	b.Helper()
	conn, err := net.Dial("udp", udp)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	var datagrams [3][]byte
	for i := range datagrams {
		for k := range l.packed {
			datagrams[i] = append(append(datagrams[i], benchLines[(i+k)%3]...), '\n')
		}
	}
	total := l.seconds * l.rate / l.packed
	begin := time.Now()
	for sent := 0; sent < total; {
		due := min(total, int(time.Since(begin).Seconds()*float64(l.rate))/l.packed)
		for ; sent < due; sent++ {
			if _, err := conn.Write(datagrams[sent%3]); err != nil {
				b.Fatal(err)
			}
		}
		time.Sleep(time.Millisecond)
	}
	return total
}

// settled waits until the socket at port is empty and returns its drops.
func settled(b *testing.B, port string) int {
	b.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		socket, bound := dropsOf(b, port)
		if bound && socket.queued == 0 {
			return socket.drops
		}
	}
	b.Fatalf("the socket at port %s is not read", port)
	return 0
}

type udpSocket struct{ queued, drops int }

// dropsOf reads what the kernel tells of the UDP socket at a port.
// Source: https://docs.kernel.org/networking/proc_net_tcp.html, whose columns
// /proc/net/udp shares, with the drops as the last.
func dropsOf(b *testing.B, port string) (udpSocket, bool) {
	b.Helper()
	var number int
	if _, err := fmt.Sscan(port, &number); err != nil {
		b.Fatal(err)
	}
	suffix := fmt.Sprintf(":%04X", number)
	for _, table := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			b.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 13 || !strings.HasSuffix(fields[1], suffix) {
				continue
			}
			var s udpSocket
			queues := strings.Split(fields[4], ":")
			if _, err := fmt.Sscanf(queues[1], "%x", &s.queued); err != nil {
				b.Fatal(err)
			}
			if _, err := fmt.Sscan(fields[len(fields)-1], &s.drops); err != nil {
				b.Fatal(err)
			}
			return s, true
		}
	}
	return udpSocket{}, false
}
