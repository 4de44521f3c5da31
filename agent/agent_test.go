package agent

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// running is an agent, somebody who sends to it, and who hears what it sends on.
type running struct {
	t    *testing.T
	to   net.Conn
	from net.PacketConn
	end  context.CancelFunc
	done chan error
}

func run(t *testing.T, window time.Duration, defect string) *running {
	t.Helper()
	from, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.LocalAddr().String()
	free.Close()
	ctx, end := context.WithCancel(t.Context())
	r := &running{t: t, from: from, end: end, done: make(chan error, 1)}
	go func() {
		r.done <- Run(ctx, Config{Listen: addr, To: from.LocalAddr().String(), Window: window, Defect: defect})
	}()
	t.Cleanup(func() { end(); from.Close() })
	if r.to, err = net.Dial("udp", addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.to.Close() })
	return r
}

// send sends again until the agent listens: a datagram that nobody takes is refused at the next write.
func (r *running) send(text string) {
	r.t.Helper()
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		if _, err := r.to.Write(nil); err != nil {
			continue
		}
		time.Sleep(5 * time.Millisecond) // the refusal comes at the next call
		if _, err := r.to.Write([]byte(text)); err == nil {
			return
		}
	}
	r.t.Fatal("nobody listens")
}

// lines are those of the next datagram that it sends on; nil: none came within the time.
func (r *running) lines(within time.Duration) []string {
	r.t.Helper()
	if err := r.from.SetReadDeadline(time.Now().Add(within)); err != nil {
		r.t.Fatal(err)
	}
	buffer := make([]byte, 64<<10)
	n, _, err := r.from.ReadFrom(buffer)
	if err != nil {
		return nil
	}
	return strings.Split(string(buffer[:n]), "\n")
}

func TestAWindowIsAddedUp(t *testing.T) {
	r := run(t, 100*time.Millisecond, "")
	r.send("a:1|c|#x:1\na:2|c|#x:1\na:5|c\nb:7|g\nb:9|g\nc:3|ms\nnonsense\nd:1|c|@0.5\n")
	want := []string{"c:3|ms", "nonsense", "b:9|g", "a:3|c|#x:1", "a:5|c", "d:2|c"}
	if got := r.lines(10 * time.Second); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	r.send("a:1|c")
	if got := r.lines(10 * time.Second); !slices.Equal(got, []string{"a:1|c"}) {
		t.Errorf("the next window: %q", got)
	}
}

func TestTheEndFlushes(t *testing.T) {
	for defect, want := range map[string][]string{"": {"a:1|c"}, DropsBucket: nil} {
		r := run(t, time.Hour, defect)
		r.send("a:1|c")
		r.end()
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
		if got := r.lines(200 * time.Millisecond); !slices.Equal(got, want) {
			t.Errorf("defect %q: %q, want %q", defect, got, want)
		}
	}
}

func TestLines(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a:1:2|ms\nb:1|s", "a:1:2|ms b:1|s"},
		{"g:5|g\ng:+2|g\ng:-1|g", "g:6|g"},
		{"g:+2|g", "g:+2|g"},
		{"a:1|c|T1700000000", "a:1|c|T1700000000"},
		{"a:x|c\na:|c\na", "a:x|c a:|c a"},
		{"a:1|c|c:ci-7|#t", "a:1|c|c:ci-7|#t"},
		{"a:1|c|@2", "a:1|c|@2"},
		{"\r\n\n", ""},
	} {
		var w window
		w.add([]byte(c.in), time.Now())
		var got []string
		from, to := net.Pipe()
		go func() { w.send(to); to.Close() }()
		buffer := make([]byte, 4096)
		for {
			n, err := from.Read(buffer)
			if err != nil {
				break
			}
			got = append(got, strings.Split(string(buffer[:n]), "\n")...)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestLongWindowsAreSeveralDatagrams(t *testing.T) {
	r := run(t, 50*time.Millisecond, "")
	r.send(strings.Repeat("timer.with.a.long.name:12|ms|#zone:a\n", 100))
	n := 0
	for n < 100 {
		got := r.lines(10 * time.Second)
		if got == nil || len(strings.Join(got, "\n")) > largest {
			t.Fatalf("%d of 100 lines, then a datagram of %d", n, len(got))
		}
		n += len(got)
	}
}

func TestBadAddresses(t *testing.T) {
	for _, c := range []Config{{Listen: "nowhere", To: "127.0.0.1:1"}, {Listen: "127.0.0.1:0", To: "nowhere"}} {
		if err := Run(t.Context(), c); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
}
