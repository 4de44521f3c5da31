package statsd

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/statsd/socket"
)

// memory is a Sink that keeps everything.
type memory struct {
	mu      sync.Mutex
	samples []collector.Sample
	err     error
}

func (m *memory) Append(samples ...collector.Sample) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples = append(m.samples, samples...)
	return m.err
}

// of are the samples of name and, unless it is empty, of instance.
func (m *memory) of(name, instance string) []collector.Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []collector.Sample
	for _, s := range m.samples {
		if s.Name == name && (instance == "" || s.Labels.Get("instance") == instance) {
			out = append(out, s)
		}
	}
	return out
}

// last is the last value of name for instance, summed over its other labels.
func (m *memory) last(name, instance string) float64 {
	values := map[string]float64{}
	for _, s := range m.of(name, instance) {
		if !s.Stale {
			values[s.Labels.Key(s.Name)] = s.Value
		}
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum
}

// clock is a clock that stands until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2013, 11, 14, 9, 0, 0, 250_000_000, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// bench is a Collector whose time is moved by the test: nothing runs by itself.
type bench struct {
	*Collector
	clock *clock
	sink  *memory
	t     *testing.T
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	return newBenchIn(t, cfg, collector.Intake{})
}

// newBenchIn is newBench with an intake of the test's, of which it sets the sink.
func newBenchIn(t *testing.T, cfg Config, in collector.Intake) *bench {
	t.Helper()
	b := &bench{clock: newClock(), sink: &memory{}, t: t}
	cfg.Now, in.Sink = b.clock.now, b.sink
	b.Collector = New(cfg, in)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// udp is a listener of an instance on any free port of loopback.
func udp(instance string, labels ...string) Listener {
	return Listener{Instance: instance, Labels: collector.NewLabels(labels...), Addr: address("127.0.0.1:0")}
}

// address is for addresses that are right.
func address(text string) socket.Address {
	a, err := socket.ParseAddress(text)
	if err != nil {
		panic(err)
	}
	return a
}

// open opens a listener and returns it with a way to send to it.
func (b *bench) open(l Listener) (*listener, net.Conn) {
	b.t.Helper()
	at, err := b.Listen(l)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.listeners[len(b.listeners)-1], dial(b.t, at)
}

// listen is open for an instance on UDP.
func (b *bench) listen(instance string, labels ...string) (*listener, net.Conn) {
	b.t.Helper()
	return b.open(udp(instance, labels...))
}

// read takes in everything that was sent.
func (b *bench) read(l *listener) {
	b.t.Helper()
	if err := l.socket.Drain(context.Background(), l.receive); err != nil {
		b.t.Fatal(err)
	}
}

// feed takes datagrams in as if they had been read now.
func (b *bench) feed(l *listener, datagrams ...string) {
	b.feedFrom(l, "", datagrams...)
}

// feedFrom is feed with the address they came from.
func (b *bench) feedFrom(l *listener, from string, datagrams ...string) {
	b.t.Helper()
	var source netip.AddrPort
	if from != "" {
		source = netip.AddrPortFrom(netip.MustParseAddr(from), port)
	}
	var payloads []socket.Payload
	for _, d := range datagrams {
		payloads = append(payloads, socket.Payload{Bytes: []byte(d), From: source})
	}
	l.receive(payloads)
}

// tick moves the clock to the next boundary and flushes.
func (b *bench) tick() time.Time {
	boundary := b.grid.After(b.clock.now())
	b.clock.move(boundary.Sub(b.clock.now()))
	b.flush(boundary, boundary)
	return boundary
}

func dial(tb testing.TB, at socket.Address) net.Conn {
	tb.Helper()
	network, where := string(at.Network), at.Host
	if at.Path != "" {
		network, where = strings.Replace(network, "unixstream", "unix", 1), at.Path
	}
	conn, err := net.Dial(network, where)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return conn
}

func send(tb testing.TB, conn net.Conn, datagrams ...string) {
	tb.Helper()
	for _, d := range datagrams {
		if _, err := conn.Write([]byte(d)); err != nil {
			tb.Fatal(err)
		}
	}
}

// run runs c until the returned function is called, which returns what Run did.
func run(tb testing.TB, c *Collector) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() {
			cancel()
			err = <-done
		})
		return err
	}
	tb.Cleanup(func() {
		if err := stop(); err != nil {
			tb.Error(err)
		}
	})
	return stop
}

// balance fails unless the figures of every client of c balance, and both lists come to the
// total.
func balance(tb testing.TB, c *Collector) Figures {
	tb.Helper()
	figures := c.Figures()
	check := func(name string, x Counts) {
		if booked := x.Accepted + x.Held + x.BadLines() + x.RefusedLines() + x.Events + x.ServiceChecks; booked != x.Lines {
			tb.Errorf("%s: %d lines came, %d are booked: %+v", name, x.Lines, booked, x)
		}
	}
	for _, l := range figures.Listeners {
		check("listener "+l.Addr, l.Counts)
	}
	byInstance := newCounts()
	for _, i := range figures.Instances {
		check("instance "+i.Instance, i.Counts)
		byInstance.add(i.Counts)
	}
	check("total", figures.Total)
	if diff := cmp.Diff(figures.Total, byInstance); diff != "" {
		tb.Errorf("the instances are not the total (-total +sum):\n%s", diff)
	}
	return figures
}

// balanceQuiet is balance when nothing comes in: the listeners are the total,
// too.
func balanceQuiet(tb testing.TB, c *Collector) Figures {
	tb.Helper()
	figures := balance(tb, c)
	sum := newCounts()
	for _, l := range figures.Listeners {
		sum.add(l.Counts)
	}
	if diff := cmp.Diff(figures.Total, sum); diff != "" {
		tb.Errorf("the listeners are not the total (-total +sum):\n%s", diff)
	}
	return figures
}

// lines are what clients send: counters, timers and gauges, each with
// three tags.
var lines = []string{
	"fullstack.insert:1|c|#zone:a,role:web,version:1.4",
	"fullstack.insert.time:12.345|ms|#zone:a,role:web,version:1.4",
	"fullstack.inflight:17|g|#zone:a,role:web,version:1.4",
}

// pack makes a datagram of n lines, beginning with line number i.
func pack(i, n int) []byte {
	var b bytes.Buffer
	for k := range n {
		if k > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(lines[(i+k)%len(lines)])
	}
	return b.Bytes()
}

// port is where senders send from in tests that do not care.
const port = 40000

// source is port on 10.0.0.i.
func source(i byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, i}), port)
}
