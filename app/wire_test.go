package app

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait of these tests. Nothing is expected to take that
// long; it only turns a hang into a failure.
const patience = 20 * time.Second

// wire is the collector's end of a real UDP socket.
type wire struct {
	conn *net.UDPConn

	mu      sync.Mutex
	counts  map[string]int64     // sums of counters, divided by their sample rates
	timers  map[string]int       // number of measurements
	times   map[string][]float64 // the measurements
	gauges  map[string]float64   // the last values
	series  map[string]float64   // the same by all that a line has but its value: "fullstack.insert|c|#zone:a"
	lines   []string             // as they came
	longest int                  // datagram in bytes
	rates   int                  // lines with a sample rate
	bad     []string
	ended   chan struct{} // closed when the sentinel has arrived
}

const sentinel = "end of test"

func listenUDP(t *testing.T) *wire {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{
		conn: conn, counts: map[string]int64{}, timers: map[string]int{}, times: map[string][]float64{}, gauges: map[string]float64{},
		series: map[string]float64{}, ended: make(chan struct{}),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.read()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return w
}

func (w *wire) addr() string { return w.conn.LocalAddr().String() }

// read tallies until the socket is closed.
func (w *wire) read() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := w.conn.Read(buffer)
		if err != nil {
			return
		}
		if string(buffer[:n]) == sentinel {
			close(w.ended)
			continue
		}
		w.mu.Lock()
		w.longest = max(w.longest, n)
		for line := range strings.Lines(string(buffer[:n])) {
			w.line(strings.TrimSuffix(line, "\n"))
		}
		w.mu.Unlock()
	}
}

// line reads name:value|type, the form the client is set to, and the rate and
// tags of defects. It is called with the lock.
func (w *wire) line(line string) {
	w.lines = append(w.lines, line)
	name, rest, _ := strings.Cut(line, ":")
	fields := strings.Split(rest, "|")
	value, err := strconv.ParseFloat(fields[0], 64)
	if err != nil || len(fields) < 2 || strings.Contains(name, "|") {
		w.bad = append(w.bad, line)
		return
	}
	rate := 1.0
	for _, f := range fields[2:] {
		if text, ok := strings.CutPrefix(f, "@"); ok {
			w.rates++
			if rate, err = strconv.ParseFloat(text, 64); err != nil {
				w.bad = append(w.bad, line)
				return
			}
		}
	}
	key := name + "|" + strings.Join(fields[1:], "|")
	switch fields[1] {
	case "c":
		w.counts[name] += int64(math.Round(value / rate))
		w.series[key] += value
	case "ms":
		w.timers[name]++
		w.times[name] = append(w.times[name], value)
		w.series[key]++
	case "g":
		w.gauges[name] = value
		w.series[key] = value
	default:
		w.bad = append(w.bad, line)
	}
}

// settle returns when everything that was sent before it has been tallied, and
// accepts only lines as the app sends them without a defect.
func (w *wire) settle(t *testing.T) {
	t.Helper()
	w.arrive(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.bad) > 0 || w.rates > 0 {
		t.Errorf("bad lines: %q, lines with a rate: %d", w.bad, w.rates)
	}
}

// arrive returns when everything that was sent before it has been tallied: on
// loopback a datagram is in the receiver's queue when its Write returns.
func (w *wire) arrive(t *testing.T) {
	t.Helper()
	conn, err := net.Dial("udp", w.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(sentinel)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.ended:
	case <-time.After(patience):
		t.Fatal("the sentinel never arrived")
	}
}

// logged collects what Run writes.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// defectLine returns the numbers of the line that a defect logs at exit.
func (l *logged) defectLine(t *testing.T, name string) (dropped, extra int64) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if n, _ := fmt.Sscanf(line, "defect "+name+": dropped=%d extra=%d", &dropped, &extra); n == 2 {
			return dropped, extra
		}
	}
	t.Fatalf("no line about the defect %s in:\n%s", name, l.text.String())
	return 0, 0
}
