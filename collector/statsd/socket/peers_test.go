package socket

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
	"golang.org/x/sys/unix"
)

// TestDatadogClient: Datadog's client for Go takes our addresses as they are
// written, and what it sends comes out.
func TestDatadogClient(t *testing.T) {
	for name, address := range everyNetwork(t) {
		if name == "tcp" {
			continue // it has no such thing
		}
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{MaxPayload: 8192})
			var g got
			stop := read(t, s, g.handle)
			// Of itself it gives up on a write after 100 ms. What it loses
			// is told apart from what we lose.
			client, err := statsd.New(s.Addr().String(), statsd.WithoutTelemetry(), statsd.WithoutClientSideAggregation(),
				statsd.WithMaxMessagesPerPayload(10), statsd.WithWriteTimeout(patience), statsd.WithConnectTimeout(patience),
				statsd.WithErrorHandler(func(err error) { t.Errorf("the client lost something: %v", err) }))
			if err != nil {
				t.Fatal(err)
			}
			const calls = 1000
			for range calls {
				if err := client.Incr("a", nil, 1); err != nil {
					t.Fatal(err)
				}
			}
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
			stop()
			if err := s.Drain(within(t), g.handle); err != nil {
				t.Fatal(err)
			}
			n, _, truncated := g.sum()
			if lines := counts(g.lines()); lines["a:1|c"] != calls || len(lines) != 1 || n != calls/10 || truncated != 0 {
				t.Errorf("%v in %d payloads, %d truncated; want %d lines in %d payloads", lines, n, truncated, calls, calls/10)
			}
		})
	}
}

// toVariable tells the child process of TestSenderIsKilled where to send.
const toVariable = "SOCKET_TEST_TO"

// TestSenderIsKilled: a process that sends without end gets SIGKILL.
func TestSenderIsKilled(t *testing.T) {
	if to := os.Getenv(toVariable); to != "" {
		sendForEver(t, to)
	}
	for name, address := range everyNetwork(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{})
			var g got
			read(t, s, g.handle)
			cmd := exec.Command(os.Args[0], "-test.run", "^TestSenderIsKilled$")
			cmd.Env = append(os.Environ(), toVariable+"="+s.Addr().String())
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			until(t, "something came", func() bool { n, _, _ := g.sum(); return n > 100 })
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait() // says that it was killed
			settle(t, s)
			until(t, "the connection is closed", func() bool { return s.Figures().Open == 0 })
			lines := counts(g.lines())
			if delete(lines, text); len(lines) > 1 {
				t.Errorf("got %v, want nothing but %q, once cut off", lines, text)
			}
			conn := dial(t, s)
			send(t, conn, wire(s, "b:1|c"))
			until(t, "the next sender is heard", func() bool { return slices.Contains(g.lines(), "b:1|c") })
		})
	}
}

const text = "some.name.of.a.metric:1|c|#tag:value"

func sendForEver(t *testing.T, to string) {
	a, err := ParseAddress(to)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connect(a)
	if err != nil {
		t.Fatal(err)
	}
	payload := wire(&Socket{address: a}, text)
	if a.Network == UDP || a.Network == Unixgram {
		for {
			_, _ = conn.Write([]byte(payload))
			time.Sleep(10 * time.Microsecond)
		}
	}
	// Written in pieces of 4 KiB, which end in the middle of something.
	for w := bufio.NewWriter(conn); err == nil; {
		_, err = w.WriteString(payload)
	}
	t.Fatal(err)
}

// BenchmarkRead is what a payload costs, its sender's part included. The rate is
// the sender's, who waits for the reader on all but UDP.
func BenchmarkRead(b *testing.B) {
	for _, network := range []string{"udp", "unixgram", "unixstream", "tcp"} {
		for name, payload := range map[string]string{"line": text, "packed": strings.Repeat(text+"\n", 12)} {
			b.Run(network+"/"+name, func(b *testing.B) {
				at := "127.0.0.1:0"
				if strings.HasPrefix(network, "unix") {
					at = path(b)
				}
				s := open(b, network+"://"+at, Options{ReceiveBuffer: 4 << 20})
				read(b, s, func([]Payload) {})
				conn := dial(b, s)
				out := []byte(wire(s, payload))
				before := cpu(b)
				b.ReportAllocs()
				for b.Loop() {
					_, _ = conn.Write(out)
				}
				b.ReportMetric((cpu(b)-before).Seconds()*1e6/float64(b.N), "cpu-s/million")
				b.ReportMetric(float64(s.Figures().Drops)/float64(b.N), "dropped/op")
			})
		}
	}
}

// cpu is the processor time of this process.
func cpu(b *testing.B) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
