package forward

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

func newGraphite(t testing.TB, cfg GraphiteConfig) *Graphite {
	t.Helper()
	if cfg.Limits == (Limits{}) {
		cfg.Limits = quick()
	}
	g, err := NewGraphite(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// work is a small story of web-1, with everything in it; at gives its seconds.
func work(at func(int) time.Time) []collector.Sample {
	hits := func(s int, v float64) collector.Sample { return sample("hits_total", collector.Counter, at(s), v) }
	sampled := func(s int, v float64) collector.Sample {
		x := sample("hits_sampled_total", collector.Counter, at(s), v)
		x.Meta = hits(0, 0).Meta
		return x
	}
	load := func(s int, v float64) collector.Sample { return sample("app_load", collector.Gauge, at(s), v) }
	users := func(s int, v float64) collector.Sample { return sample("users", collector.Set, at(s), v) }
	polled := sample("haproxy_up", collector.Gauge, at(1), 1)
	polled.Labels, polled.Meta = nil, nil
	return []collector.Sample{
		carried(hits(0, 0)), hits(1, 5), carried(hits(2, 5)), hits(3, 9.5), ended(hits(4, 9.5)), carried(hits(9, 0)), hits(10, 2), hits(11, 1),
		carried(sampled(0, 0)), sampled(1, 2.5),
		load(1, 0.25), carried(load(2, 0.25)), load(3, -1e-7), ended(load(4, 0)),
		users(1, 3), carried(users(2, 0)),
		carried(delay(at(0), 0)), delay(at(1), 5), carried(delay(at(2), 5)), delay(at(3), 7), ended(delay(at(4), 7)),
		polled,
	}
}

// TestGraphiteToCarbon has a real carbon away at first, then there, gone, and
// back, and reads what it wrote to disk.
func TestGraphiteToCarbon(t *testing.T) {
	for _, format := range []Format{Tags, Path} {
		t.Run(string(format), func(t *testing.T) {
			c := newCarbon(t)
			g := newGraphite(t, GraphiteConfig{To: c.addr, Format: format})
			end := start(t, g)
			from := time.Now().Truncate(time.Second).Add(-30 * time.Second)
			at := func(s int) time.Time { return from.Add(time.Duration(s) * time.Second) }
			story := work(at)
			give(t, g, story[:11]...)
			until(t, "it was tried", func() bool { return g.Figures().Retries > 1 })
			c.start()
			settled(t, g, 6)
			until(t, "carbon wrote what it has", func() bool { return count(c.points(from)) == 6 })
			c.stop(os.Interrupt)
			until(t, "its peer is gone", func() bool { return !g.Figures().Up })
			give(t, g, story[11:]...)
			tries := g.Figures().Retries
			until(t, "it was tried again", func() bool { return g.Figures().Retries > tries })
			c.start()
			settled(t, g, 11)
			if f := end(); f.Dropped != 0 || f.Sent != 11 || f.To != c.addr || f.Kind != "graphite" {
				t.Errorf("figures are %+v", f)
			}
			want := map[string]string{
				"stats/counters/hits/count":         "5.0@1 4.5@3 2.0@10 1.0@11",
				"stats/counters/hits/sampled_count": "2.5@1",
				"stats/gauges/app/load":             "0.25@1 -1e-07@3",
				"stats/gauges/haproxy_up":           "1.0@1",
				"stats/sets/users/count":            "3.0@1",
				"stats/timers/delay/count":          "5.0@1 2.0@3",
				"stats/timers/delay/sum":            "7.5@1 3.0@3",
			}
			five := &collector.Histogram{Count: 5, Positive: []collector.Bucket{{Index: 1, Count: 4}, {Index: 4, Count: 1}}}
			two := &collector.Histogram{Count: 2, Positive: []collector.Bucket{{Index: 1, Count: 2}}}
			for name, q := range map[string]float64{"p50": 0.5, "p95": 0.95, "p99": 0.99} {
				want["stats/timers/delay/"+name] = fmt.Sprintf("%v@1 %v@3", quantile(q, five), quantile(q, two))
			}
			var got map[string]string
			until(t, "carbon wrote it all", func() bool {
				got = c.points(from)
				return count(got) >= 19
			})
			if diff := cmp.Diff(inFiles(want, format), got); diff != "" {
				t.Errorf("carbon has (-want +got):\n%s", diff)
			}
		})
	}
}

// inFiles spells paths as carbon names the files.
func inFiles(want map[string]string, format Format) map[string]string {
	out := map[string]string{}
	for path, points := range want {
		switch {
		case strings.HasSuffix(path, "haproxy_up"): // has no labels
		case format == Tags:
			path = strings.ReplaceAll(path, "/", "_DOT_") + ";instance=web-1"
		case strings.Contains(path, "gauges"):
			path += "/instance/web-1"
		default:
			i := strings.LastIndexByte(path, '/')
			path = path[:i] + "/instance/web-1" + path[i:]
		}
		out[path] = points
	}
	return out
}

// TestGraphiteOddNames has names that would break lines, the connection or
// files, and checks that carbon keeps each by itself.
func TestGraphiteOddNames(t *testing.T) {
	odd := []string{"a b", "a\tb", "a\nb", "a;b", "a%20b", "a..b", "a.b", ".a.b", "a.b.", "a/b", "../x", `a{b="c"}`, "a\xffb", "a\u00a0b", "a\u2028b", "a\x1cb", "é", "~a", "a=b", "\ufffd", "name"}
	for _, format := range []Format{Tags, Path} {
		t.Run(string(format), func(t *testing.T) {
			c := newCarbon(t)
			c.start()
			g := newGraphite(t, GraphiteConfig{To: c.addr, Format: format})
			end := start(t, g)
			now := time.Now().Truncate(time.Second)
			for i, name := range odd {
				s := sample("x", collector.Gauge, now, float64(i+1))
				s.Meta.Sent = name
				give(t, g, s)
				s.Meta = &collector.Meta{Type: collector.Gauge, Sent: "value"}
				s.Labels = collector.NewLabels("tag", name)
				give(t, g, s)
				s.Meta = &collector.Meta{Type: collector.Gauge, Sent: "tagged"}
				s.Labels = collector.NewLabels(name, "x")
				give(t, g, s)
			}
			settled(t, g, uint64(3*len(odd)))
			if f := end(); f.Dropped != 0 || f.Retries != 0 {
				t.Errorf("figures are %+v", f)
			}
			var got map[string]string
			until(t, "carbon wrote it all", func() bool { got = c.points(now); return len(got) >= 3*len(odd) })
			seen := map[string]int{}
			for _, point := range got {
				seen[point]++
			}
			for i, name := range odd {
				if n := seen[fmt.Sprintf("%d.0@0", i+1)]; n != 3 {
					t.Errorf("of 3 values for %q carbon has %d", name, n)
				}
			}
		})
	}
}

// lines reads a plaintext peer.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for s := bufio.NewScanner(conn); s.Scan(); {
				l.mu.Lock()
				fmt.Fprintln(&l.text, s.Text())
				l.mu.Unlock()
			}
		}()
	}
}

// told are the lines for some samples.
func told(t *testing.T, g *Graphite, samples ...collector.Sample) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	peer := &lines{}
	go peer.serve(listener)
	g.writer.address = listener.Addr().String()
	end := start(t, g)
	give(t, g, samples...)
	last := sample("last", collector.Gauge, time.Unix(0, 0), 1)
	last.Labels, last.Observed = nil, 1
	give(t, g, last)
	const mark = "stats.gauges.last 1 0\n"
	until(t, "the last line arrives", func() bool { return strings.HasSuffix(peer.String(), mark) })
	end()
	return strings.TrimSuffix(peer.String(), mark)
}

func TestGraphiteLines(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1_700_000_000+int64(s), 5e8) }
	hits := func(s int, v float64) collector.Sample { return sample("hits_total", collector.Counter, at(s), v) }
	wideSchema := delay(at(5), 9)
	wideSchema.Histogram.Schema = 2
	for _, c := range []struct {
		name    string
		samples []collector.Sample
		want    string
		refused uint64
	}{
		{"a first value with nothing before", []collector.Sample{hits(1, 100), hits(2, 103)}, "stats.counters.hits.count;instance=web-1 3 1700000002\n", 0},
		{"a counter that begins anew", []collector.Sample{hits(1, 100), hits(2, 4)}, "stats.counters.hits.count;instance=web-1 4 1700000002\n", 0},
		{"one that is late", []collector.Sample{hits(1, 100), hits(3, 104), hits(2, 102), hits(4, 105)},
			"stats.counters.hits.count;instance=web-1 4 1700000003\nstats.counters.hits.count;instance=web-1 1 1700000004\n", 1},
		{"carried forward and late", []collector.Sample{hits(1, 100), carried(hits(0, 0))}, "", 0},
		{"forgotten", []collector.Sample{hits(0, 100), sample("x_total", collector.Counter, at(601), 1), hits(602, 104), hits(603, 105)},
			"stats.counters.hits.count;instance=web-1 1 1700000603\n", 0},
		{"another schema", []collector.Sample{delay(at(4), 3), wideSchema}, "stats.timers.delay.count;instance=web-1 9 1700000005\n", 0},
		{"no number", []collector.Sample{sample("g", collector.Gauge, at(0), math.NaN()), sample("g", collector.Gauge, at(1), math.Inf(1))}, "", 2},
		{"no histogram", []collector.Sample{sample("h", collector.Summary, at(0), 1)}, "", 1},
		{"a line too long", []collector.Sample{sample(strings.Repeat("x", longestLine), collector.Gauge, at(0), 1)}, "", 1},
		{"nothing in the interval", []collector.Sample{delay(at(0), 3), delay(at(1), 3)}, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGraphite(t, GraphiteConfig{To: "127.0.0.1:1"})
			got := told(t, g, c.samples...)
			if c.name == "another schema" {
				got, _, _ = strings.Cut(got, "stats.timers.delay.sum")
			}
			if got != c.want || g.Figures().Refused != c.refused || c.refused > 0 && g.Figures().LastError == "" {
				t.Errorf("lines are\n%swant\n%sfigures are %+v", got, c.want, g.Figures())
			}
		})
	}
}

// TestGraphiteSlowPeer has a peer that accepts and never reads: whoever gives is
// not held up, and what does not fit is dropped and counted.
func TestGraphiteSlowPeer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	g := newGraphite(t, GraphiteConfig{To: listener.Addr().String(), Limits: Limits{Items: 100, Flush: time.Millisecond}})
	end := start(t, g)
	name := strings.Repeat("x", 10_000)
	until(t, "the queue is full", func() bool {
		for range 100 {
			give(t, g, sample(name, collector.Gauge, time.Unix(1, 0), 1))
		}
		return g.Figures().Full > 0
	})
	if f := end(); f.Unsent == 0 {
		t.Errorf("figures are %+v", f)
	}
}

// TestGraphitePeerGoes closes the connection between two lines: the second is
// not written into the dead connection.
func TestGraphitePeerGoes(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	g := newGraphite(t, GraphiteConfig{To: listener.Addr().String()})
	start(t, g)
	for i := range 20 {
		give(t, g, sample("x", collector.Gauge, time.Unix(int64(i), 0), 1))
		if err := listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if want := fmt.Sprintf("stats.gauges.x;instance=web-1 1 %d\n", i); line != want || err != nil {
			t.Fatalf("line %d is %q, %v, want %q", i, line, err, want)
		}
		settled(t, g, uint64(i)+1) // only then is it up, and can be seen to go down
		conn.Close()
		until(t, "it sees that its peer is gone", func() bool { return !g.Figures().Up })
	}
}

func TestGraphiteConfig(t *testing.T) {
	for _, c := range []struct {
		cfg  GraphiteConfig
		want string
	}{
		{GraphiteConfig{}, `graphite at "": missing port in address; give host:port`},
		{GraphiteConfig{To: "localhost"}, "missing port in address"},
		{GraphiteConfig{To: ":2003"}, "host and port are needed"},
		{GraphiteConfig{To: "nowhere.invalid:2003"}, "is the name right, and known to this machine?"},
		{GraphiteConfig{To: "127.0.0.1:2003", Format: "pickle"}, `graphite: "pickle" is no format; use tags or path`},
		{GraphiteConfig{To: "127.0.0.1:2003", Limits: Limits{Bytes: -1}}, "graphite: the limit of bytes is negative"},
	} {
		if _, err := NewGraphite(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
}

// BenchmarkAppend is what whoever gives samples pays for each.
func BenchmarkAppend(b *testing.B) {
	for kind, sink := range map[string]collector.Sink{
		"remote_write": newRemote(b, RemoteWriteConfig{URL: "http://127.0.0.1:1"}),
		"graphite":     newGraphite(b, GraphiteConfig{To: "127.0.0.1:1"}),
	} {
		b.Run(kind, func(b *testing.B) {
			samples := make([]collector.Sample, 1000)
			for i := range samples {
				samples[i] = sample("hits_total", collector.Counter, time.Unix(0, 0), 0)
				samples[i].Labels = collector.NewLabels("instance", "web-1", "number", fmt.Sprint(i))
			}
			for second := int64(1); b.Loop(); second++ {
				for i := range samples {
					samples[i].At, samples[i].Value = time.Unix(second, 0), float64(second)
				}
				give(b, sink, samples...)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/sample")
		})
	}
}
