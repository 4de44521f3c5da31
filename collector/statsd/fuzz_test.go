package statsd

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/statsd/socket"
)

// FuzzDatagram: whatever comes in, nothing panics, the figures balances at any
// moment, and every sample is one that a store can take.
func FuzzDatagram(f *testing.F) {
	for _, seed := range []string{
		"a:1|c|@0.1|#x:y", "a:1:2|g\na:+1|g|c:ci-x", "u:x|s", "h:1e300:-1e300|ms|@0.000001", "_e{1,1}:t|x|#a", "_sc|db|0|h:b",
		"t:1|c|T1384419600\nt:2|c|T1384419601", "a;b=c;;d:1|c", "a,b=c:1|c\na#b=c:1|c\na[b=c]d:1|c", "a:1|c:2|ms|@0.5", "\xff\xfe:1|c|#\xff:\xfe,__name__:x,:y", "a.b:1|g\na_b:1|g",
		strings.Repeat("z", 600) + ":1|c", "throughline_service_check:1|g", "\n\n|:", "a:1e308|c\na:1e308|c\na:1e308|g\na:+1e308|g",
	} {
		f.Add([]byte(seed), uint8(len(seed)))
	}
	f.Fuzz(func(t *testing.T, datagram []byte, mode uint8) {
		clock, sink := newClock(), &memory{}
		c := New(Config{Now: clock.now, OutOfOrder: 2 * time.Second, MaxSeries: 20, MaxDatagram: 1500, ReceiveBuffer: 1500, MaxOrigins: 3, SetExact: 2, TagValues: 2, Expire: 3 * time.Second,
			Gauges: Gauges(mode >> 4 % 3), Tags: dogstatsd.Styles(mode >> 5), Found: func(Finding) {}, Junk: func(Junk) {}},
			collector.Intake{Sink: sink, Journal: &notes{}})
		l := by(Origin(mode % 3))
		if _, err := c.Listen(l); err != nil {
			t.Fatal(err)
		}
		in := c.listeners[0]
		half := len(datagram) / 2
		for i, part := range [][]byte{datagram, datagram[:half], datagram[half:], datagram} {
			in.receive([]socket.Payload{{Bytes: part, Truncated: mode&8 != 0, From: source(byte(i))}})
			balance(t, c)
			clock.move(c.cfg.Interval)
			c.flush(clock.now(), clock.now())
			balance(t, c)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if total := balanceQuiet(t, c).Total; total.Held != 0 || total.Datagrams != 4 {
			t.Errorf("at the end %d lines are held, and %d datagrams are counted; want 0 and 4", total.Held, total.Datagrams)
		}
		for _, s := range sink.samples {
			checkSample(t, s)
		}
	})
}

func checkSample(t *testing.T, s collector.Sample) {
	t.Helper()
	if s.Name == "" || !utf8.ValidString(s.Name) || math.IsNaN(s.Value) || math.IsInf(s.Value, 0) || s.Meta == nil || !utf8.ValidString(s.Meta.Sent) {
		t.Errorf("no store takes %+v", s)
	}
	for i, l := range s.Labels {
		if l.Name == "" || l.Value == "" || !utf8.ValidString(l.Name) || !utf8.ValidString(l.Value) || strings.HasPrefix(l.Name, "__") {
			t.Errorf("%s: no store takes the label %q=%q", s.Name, l.Name, l.Value)
		}
		if i > 0 && s.Labels[i-1].Name >= l.Name {
			t.Errorf("%s: labels out of order: %v", s.Name, s.Labels)
		}
	}
	if h := s.Histogram; h != nil && !s.Stale {
		n := h.ZeroCount
		for _, b := range append(append([]collector.Bucket{}, h.Positive...), h.Negative...) {
			n += b.Count
		}
		if math.IsInf(h.Count, 0) || math.IsInf(h.Sum, 0) || math.Abs(n-h.Count) > 1e-6*h.Count {
			t.Errorf("%s: a histogram of %v with %v in its buckets, sum %v", s.Name, h.Count, n, h.Sum)
		}
	}
}
