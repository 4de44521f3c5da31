//go:build unix

package statsd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"throughline/collector"
	"throughline/collector/statsd/socket"
)

// TestMain makes the test binary its own load generator: the sender must be
// another process, so that its CPU time is not in the receiver's.
func TestMain(m *testing.M) {
	if addr := os.Getenv("STATSD_BENCH_SEND"); addr != "" {
		if err := flood(addr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// flood sends "total" lines, "packed" to a datagram, at "rate" lines a second
// in bursts of a millisecond; then it waits for its input to end.
func flood(addr string) error {
	var total, packed, rate int
	if _, err := fmt.Sscan(os.Getenv("STATSD_BENCH_WORK"), &total, &packed, &rate); err != nil {
		return err
	}
	conn, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	datagrams := [][]byte{pack(0, packed), pack(1, packed), pack(2, packed)}
	begin := time.Now()
	for sent := 0; sent < total; {
		due := min(total, int(time.Since(begin).Seconds()*float64(rate)))
		for ; sent < due; sent += packed {
			if _, err := conn.Write(datagrams[(sent/packed)%3]); err != nil {
				return err
			}
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// BenchmarkIngest sends real datagrams over loopback and reports what the
// receiving process spends on them in user and system time, per million lines.
//
// The sender is a child process. The kernel's work to carry a datagram over
// loopback is done in the sender's system call and is not in the figure, as it
// would not be on a network card's interrupt either; everything from the
// socket's queue on is. The receiver's samples go to a Sink that drops them.
func BenchmarkIngest(b *testing.B) {
	for _, w := range []struct{ packed, rate int }{{12, 400_000}, {12, 100_000}, {1, 100_000}} {
		b.Run(fmt.Sprintf("packed=%d/rate=%d", w.packed, w.rate), func(b *testing.B) {
			ingest(b, w.packed, w.rate)
		})
	}
}

type nowhere struct{}

func (nowhere) Append(...collector.Sample) error { return nil }

func ingest(b *testing.B, packed, rate int) {
	const seconds = 4
	for b.Loop() {
		c := New(Config{}, collector.Intake{Sink: nowhere{}})
		addr, err := c.Listen(udp("web-1"))
		if err != nil {
			b.Fatal(err)
		}
		stop := run(b, c)
		total := seconds * rate / packed * packed
		before := usage(b)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "STATSD_BENCH_SEND="+addr.String(),
			"STATSD_BENCH_WORK="+strconv.Itoa(total)+" "+strconv.Itoa(packed)+" "+strconv.Itoa(rate))
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		if err := stop(); err != nil {
			b.Fatal(err)
		}
		spent := usage(b) - before
		figures := balance(b, c)
		sent := total / packed
		if got := int(figures.Total.Datagrams + figures.Total.KernelDrops); got != sent {
			b.Fatalf("%d datagrams sent, %d seen", sent, got)
		}
		b.ReportMetric(spent.Seconds()/float64(figures.Total.Lines)*1e6, "CPU-s/Mline")
		b.ReportMetric(float64(figures.Total.KernelDrops), "drops")
	}
}

// usage is the CPU time of this process.
func usage(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkLine is what one line of a known series costs after the socket.
func BenchmarkLine(b *testing.B) {
	c := New(Config{}, collector.Intake{Sink: nowhere{}})
	defer c.Close()
	if _, err := c.Listen(udp("web-1")); err != nil {
		b.Fatal(err)
	}
	l := c.listeners[0]
	batch := []socket.Payload{{Bytes: pack(0, 12), From: source(1)}}
	l.receive(batch)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		l.receive(batch)
		n += 12
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "lines/s")
}
