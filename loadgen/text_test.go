package loadgen

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Answers that acknowledge nothing are called by their class, and are not unknown.
func TestSummaryCallsAnswersByTheirClass(t *testing.T) {
	sum := NewTally(Config{})
	for _, r := range []Row{{Outcome: Acked, Status: 200}, {Outcome: Unknown, Status: 404}, {Outcome: Unknown, Status: 404},
		{Outcome: Unknown, Status: 500}, {Outcome: Unknown}, {Outcome: Unknown, Status: 200}, {Outcome: Unknown, Status: 777}, {Outcome: Refused, Status: 503}} {
		sum.Add(r)
	}
	var out strings.Builder
	Summary{Requests: 8, Attempts: 1, Duration: 2 * time.Second, Rate: 4, Acked: 1, Refused: 1, Unknown: 6, Answered: sum.answered, Statuses: sum.statuses,
		Latency: Quantiles{P50: 1234567, P99: time.Second, Max: time.Second}}.WriteText(&out)
	for _, want := range []string{
		"requests   8 in 2s (4.0/s), 1 attempt at the wire\n",
		"outcome    1 acked, 1 refused, 2 answered 4xx, 1 answered 5xx, 3 unknown\n",
		"status     none:1 200:2 404:2 500:1 503:1 777:1\n",
		"latency    p50 1.23ms  p90 0s  p99 1s  max 1s   (from due)\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestParseRoute(t *testing.T) {
	if got, err := ParseRoute("insert=POST /insert/{word}"); err != nil || got != (Route{Name: "insert", Method: "POST", Path: "/insert/{word}"}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "insert", "insert=POST", "POST /insert"} {
		if _, err := ParseRoute(bad); err == nil || !strings.Contains(err.Error(), "want NAME=METHOD PATH") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestOpenCSV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.csv")
	c, err := OpenCSV(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Write(Row{Seq: 7})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(text), "seq,") || !strings.Contains(string(text), "\n7,") {
		t.Errorf("the file has %q: %v", text, err)
	}
	if _, err := OpenCSV(filepath.Join(path, "below"), nil); err == nil {
		t.Error("a file below a file is made")
	}
	var stdout strings.Builder
	for name, want := range map[string]bool{"": false, "-": true} {
		stdout.Reset()
		c, err := OpenCSV(name, &stdout)
		if err != nil {
			t.Fatal(err)
		}
		c.Write(Row{Seq: 7})
		if err := c.Close(); err != nil || strings.Contains(stdout.String(), "\n7,") != want {
			t.Errorf("%q: standard output has %q: %v", name, stdout.String(), err)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]float64{"200/s": 200, "0.5/s": 0.5, "20": 20} {
		if rate, err := ParseRate(text); err != nil || rate != want {
			t.Errorf("%s: %v, %v", text, rate, err)
		}
	}
	for _, text := range []string{"", "fast", "200/m"} {
		if _, err := ParseRate(text); err == nil || err.Error() != text+": want requests per second, like 200/s" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestCSV(t *testing.T) {
	due := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	row := Row{Seq: 7, Route: "insert", Word: "moon", Due: due, Sent: due.Add(time.Millisecond), Done: due.Add(3 * time.Millisecond), Outcome: Acked, Status: 200, Instance: "web-1", Attempts: 1}
	var out strings.Builder
	c := NewCSV(&out)
	c.Write(row)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	want := "seq,due,lateness_us,latency_us,route,word,instance,outcome,status,attempts,error\n7,2026-01-02T03:04:05Z,1000,3000,insert,moon,web-1,acked,200,1,\"\"\n"
	if out.String() != want {
		t.Errorf("it writes\n%s\nwant\n%s", out.String(), want)
	}
	c = NewCSV(closed{})
	c.Write(row)
	if err := c.Close(); err == nil {
		t.Error("what cannot be written is no error")
	}
}

func TestStatsD(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	s, err := DialStatsD(server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.Write(Row{Route: "get", Due: time.Unix(1, 0), Done: time.Unix(1, 2_500_000), Outcome: Refused})
	buf := make([]byte, 1000)
	if err := server.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, _, err := server.ReadFrom(buf)
	if want := "users.requests:1|c|#route:get,outcome:refused\nusers.latency:2.500|ms|#route:get"; err != nil || string(buf[:n]) != want {
		t.Errorf("%q (%v), want %q", buf[:n], err, want)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s = StatsD{}
	s.Write(Row{}) // to nobody
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := DialStatsD("nowhere"); err == nil {
		t.Error("an address without a port is dialled")
	}
}
