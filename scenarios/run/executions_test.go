package run

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector/statsd/socket"
	"throughline/scenarios/record"
)

func TestSequence(t *testing.T) {
	for id, want := range map[string]int64{
		"r-0": 0, "r-17": 17, "r-9223372036854775807": 1<<63 - 1,
		"": -1, "-": -1, "r-": -1, "r-017": -1, "r-+1": -1, "r--1": -1, "r-1 ": -1, "q-17": -1, "r-9223372036854775808": -1,
	} {
		seq, own := numbering{run: "r"}.sequence(id)
		if own != (want >= 0) || own && int64(seq) != want {
			t.Errorf("%q: %d, %v; want %d", id, seq, own, want)
		}
	}
}

// TestSequenceOfWorkers: an id carries the worker whose request it is, and no other.
func TestSequenceOfWorkers(t *testing.T) {
	for id, want := range map[string]int64{
		"r-w1-0": 0, "r-w3-17": 17, "r-w2-1": 1, "r-w1-17": -1, "r-w4-17": -1, "r-w0-17": -1, "r-w03-17": -1, "r-17": -1, "r-w3-017": -1, "r-w-17": -1, "q-w3-17": -1, "": -1,
	} {
		seq, own := numbering{run: "r", workers: 3}.sequence(id)
		if own != (want >= 0) || own && int64(seq) != want {
			t.Errorf("%q: %d, %v; want %d", id, seq, own, want)
		}
	}
	if _, own := (numbering{run: "r"}).sequence("r-w1-0"); own {
		t.Error("r-w1-0 is taken for a request of a run without workers")
	}
}

// logged is a journal in a directory of its own, and what came of it.
type logged struct {
	*record.Writer
	start time.Time
}

func newLogged(t *testing.T) logged {
	t.Helper()
	start := time.Now()
	w, err := record.Create(filepath.Join(t.TempDir(), "run"), record.Run{ID: "r", Start: start}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return logged{w, start}
}

func (l logged) read(t *testing.T) []record.Execution {
	t.Helper()
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	h, err := record.Read(l.Dir())
	if err != nil || len(h.Damage) > 0 {
		t.Fatal(err, h.Damage)
	}
	return h.Executions
}

// troubles keeps what end has to say.
type troubles []string

func (l *troubles) add(about string, count int64, why string) {
	*l = append(*l, fmt.Sprintf("%s %d: %s", about, count, why))
}

func send(t *testing.T, addr string, lines ...string) {
	t.Helper()
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, line := range lines {
		if _, err := conn.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExecutionsAreRecorded(t *testing.T) {
	kept := newLogged(t)
	x, err := openExecutions("127.0.0.1:0", numbering{run: "r"}, kept.Writer)
	if err != nil {
		t.Fatal(err)
	}
	us := kept.start.UnixMicro()
	send(t, x.addr(), fmt.Sprintf("request %d web-1 200 0 -- 1 \"r-7\"\n", us+1_000_000), "Proxy fe_main stopped\n",
		fmt.Sprintf("request %d <NOSRV> 503 0 SC - \"r-8\"\n", us+2_000_000), fmt.Sprintf("request %d web-2 200 +1 -- 1 \"q-\\u00ff\"\n", us+3_000_000))
	var said troubles
	x.end(t.Context(), said.add)
	if len(said) > 0 {
		t.Errorf("trouble: %q", said)
	}
	got := kept.read(t)
	for i := range got { // the journal's start is finer than the log's microseconds
		got[i].At = got[i].At.Round(time.Millisecond)
	}
	want := []record.Execution{
		{At: time.Second, Seq: 7, Server: "web-1", Status: 200, Answered: true, Termination: "--"},
		{At: 2 * time.Second, Seq: 8, Status: 503, Termination: "SC"},
		{At: 3 * time.Second, Foreign: true, RequestID: "q-ÿ", Server: "web-2", Status: 200, Answered: true, Retries: 1, Redispatched: true, Termination: "--"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := x.close(); err != nil {
		t.Errorf("close after the end: %v", err)
	}
}

func TestExecutionsThatAreNotUnderstoodAreTrouble(t *testing.T) {
	kept := newLogged(t)
	x, err := openExecutions("127.0.0.1:0", numbering{run: "r"}, kept.Writer)
	if err != nil {
		t.Fatal(err)
	}
	send(t, x.addr(), "request for nothing", "request 1 web-1 200 0 -- 1 \"r-7\"", "request 1 web-1 200 0 -- 1 "+strings.Repeat("x", 4000))
	var said troubles
	x.end(t.Context(), said.add)
	if len(said) != 1 || !strings.HasPrefix(said[0], `executions 2: 2 lines of the load balancer's log not understood, the first: haproxy's log: too few fields`) {
		t.Errorf("trouble: %q", said)
	}
	if n := len(kept.read(t)); n != 1 {
		t.Errorf("%d were recorded, want the one that was understood", n)
	}
}

func TestExecutionsThatTheKernelDropsAreTrouble(t *testing.T) {
	in, err := socket.Open(socket.Address{Network: socket.UDP, Host: "127.0.0.1:0"}, socket.Options{ReceiveBuffer: 1, MaxPayload: 100})
	if err != nil {
		t.Fatal(err)
	}
	if !in.Figures().DropsKnown {
		t.Skip("this system does not tell what it drops")
	}
	kept := newLogged(t)
	x := &executions{in: in, record: kept.Writer, ids: numbering{run: "r"}, ended: make(chan struct{})}
	close(x.ended) // nobody reads
	lines := make([]string, 200)
	for i := range lines {
		lines[i] = fmt.Sprintf("request 1 web-1 200 0 -- 1 \"r-%d\"", i)
	}
	send(t, x.addr(), lines...)
	var said troubles
	x.end(t.Context(), said.add)
	dropped := len(lines) - len(kept.read(t))
	if want := fmt.Sprintf("executions %d: the kernel dropped %d lines of the load balancer's log", dropped, dropped); dropped == 0 || len(said) != 1 || said[0] != want {
		t.Errorf("trouble: %q, want %q", said, want)
	}
}

func TestNobodyTakesInALog(t *testing.T) {
	if addr := (*executions)(nil).addr(); addr != "" {
		t.Errorf("the log goes to %q", addr)
	}
}
