package statsd

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/statsd/socket"
)

// work is a line of which the meaning is known.
type work struct {
	text string
	lane int // lines of one lane go to one listener: gauges, whose order counts, and members of sets
}

// makeWork makes lines whose sums are exact whatever their order: small numbers,
// and rates that are powers of two.
func makeWork(r *rand.Rand, second int64) []work {
	var out []work
	for range 20 + r.IntN(400) {
		k := r.IntN(5)
		rate := []string{"", "|@0.5", "|@0.25"}[r.IntN(3)]
		tags := []string{"", "|#zone:a", "|#role:web,zone:b", "|#zone:b,role:web"}[r.IntN(4)]
		x := work{lane: -1}
		switch r.IntN(6) {
		case 0:
			x.text = fmt.Sprintf("c%d:%d|c%s%s", k, r.IntN(9), rate, tags)
		case 1:
			x.text = fmt.Sprintf("p%d:%d:%d|c%s", k, r.IntN(9), r.IntN(9), tags)
		case 2:
			x.text = fmt.Sprintf("h%d:%g|%s%s%s", k, float64(r.IntN(4000)-1000)/8, []string{"ms", "h", "d"}[r.IntN(3)], rate, tags)
		case 3:
			x.lane = k
			x.text = fmt.Sprintf("g%d:%s%d|g%s", k, []string{"", "+", "-"}[r.IntN(3)], r.IntN(9), tags)
		case 4:
			x.lane = r.IntN(30)
			x.text = fmt.Sprintf("s%d:m%d|s%s", k, x.lane, tags)
		case 5:
			x.text = fmt.Sprintf("t%d:%d|c|T%d%s", k, r.IntN(9), second-int64(r.IntN(3)), tags)
		}
		out = append(out, x)
	}
	return out
}

// totals are what series came to, instances together: the last value of a
// counter and a histogram, and of gauges; and of sets the sum over all intervals.
func totals(samples []collector.Sample) map[string]string {
	values := map[string]float64{}
	histograms := map[string]*collector.Histogram{}
	last := map[string]collector.Sample{}
	for _, s := range samples {
		if strings.HasPrefix(s.Name, prefix) || s.Stale {
			continue
		}
		if s.Meta.Type == collector.Set {
			values[strip(s)] += s.Value
			continue
		}
		last[s.Labels.Key(s.Name)] = s
	}
	for _, s := range last {
		if s.Histogram == nil {
			values[strip(s)] += s.Value
			// A counter without a companion is what the companion would be.
			sampled := s
			sampled.Name = strings.TrimSuffix(s.Name, "_total") + "_sampled_total"
			_, has := last[sampled.Labels.Key(sampled.Name)]
			if s.Meta.Type == collector.Counter && !has && !strings.HasSuffix(s.Name, "_sampled_total") {
				values[strip(sampled)] += s.Value
			}
			continue
		}
		h := histograms[strip(s)]
		if h == nil {
			h = &collector.Histogram{}
			histograms[strip(s)] = h
		}
		merge(h, s.Histogram)
	}
	out := map[string]string{}
	for name, v := range values {
		out[name] = fmt.Sprint(v)
	}
	for name, h := range histograms {
		out[name] = fmt.Sprintf("%v %v %v %v %v", h.Count, h.Sum, h.ZeroCount, h.Positive, h.Negative)
	}
	return out
}

// strip is a series without its instance.
func strip(s collector.Sample) string {
	labels := slices.DeleteFunc(slices.Clone(s.Labels), func(l collector.Label) bool { return l.Name == "instance" })
	return s.Name + fmt.Sprint(labels)
}

func merge(into, h *collector.Histogram) {
	into.Count += h.Count
	into.Sum += h.Sum
	into.ZeroCount += h.ZeroCount
	for _, side := range []struct {
		to   *[]collector.Bucket
		from []collector.Bucket
	}{{&into.Positive, h.Positive}, {&into.Negative, h.Negative}} {
		counts := map[int32]float64{}
		for _, b := range append(slices.Clone(*side.to), side.from...) {
			counts[b.Index] += b.Count
		}
		*side.to = nil
		for _, i := range slices.Sorted(maps.Keys(counts)) {
			*side.to = append(*side.to, collector.Bucket{Index: i, Count: counts[i]})
		}
	}
}

// split is a way to hand lines in.
type split struct {
	listeners int
	datagram  int  // lines of one at most
	intervals int  // over which they are spread
	sockets   bool // through real ones, UDP and TCP
}

// handIn gives what the lines came to.
func handIn(t *testing.T, r *rand.Rand, lines []work, how split) map[string]string {
	t.Helper()
	b := newBench(t, Config{})
	var in []*listener
	var queues [][]string
	for i := range how.listeners {
		l := udp(fmt.Sprint("web-", i))
		if how.sockets && r.IntN(2) == 0 {
			l.Addr = socket.Address{Network: socket.TCP, Host: "127.0.0.1:0"}
		}
		if _, err := b.Listen(l); err != nil {
			t.Fatal(err)
		}
		in, queues = append(in, b.listeners[i]), append(queues, nil)
	}
	parts := how.intervals
	for part := range parts {
		for i := range queues {
			queues[i] = queues[i][:0]
		}
		for _, x := range lines[len(lines)*part/parts : len(lines)*(part+1)/parts] {
			i := r.IntN(how.listeners)
			if x.lane >= 0 {
				i = x.lane % how.listeners
			}
			queues[i] = append(queues[i], x.text)
		}
		for i, queue := range queues {
			var payloads []string
			for len(queue) > 0 {
				n := min(len(queue), 1+r.IntN(how.datagram))
				payloads = append(payloads, strings.Join(queue[:n], "\n")+"\n")
				queue = queue[n:]
			}
			if how.sockets {
				send(t, dial(t, in[i].socket.Addr()), payloads...)
				must(t, in[i].close(context.Background()))
			} else {
				b.feed(in[i], payloads...)
			}
		}
		b.tick()
	}
	for range 12 {
		b.tick() // what is held
	}
	got := balanceQuiet(t, b.Collector).Total
	if got.Lines != uint64(len(lines)) || got.Accepted != got.Lines {
		t.Errorf("of %d lines %d are counted and %d accepted: %+v", len(lines), got.Lines, got.Accepted, got)
	}
	return totals(b.sink.samples)
}

// TestAnySplitGivesTheSameTotals: over datagrams, listeners, networks and
// intervals.
func TestAnySplitGivesTheSameTotals(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		lines := makeWork(r, newClock().t.Unix())
		want := handIn(t, r, lines, split{listeners: 1, datagram: 1, intervals: 1})
		for _, how := range []split{
			{listeners: 1, datagram: 40, intervals: 1},
			{listeners: 1 + r.IntN(5), datagram: 1 + r.IntN(20), intervals: 1},
			{listeners: 1 + r.IntN(3), datagram: 1 + r.IntN(20), intervals: 1, sockets: true},
			{listeners: 1 + r.IntN(5), datagram: 1 + r.IntN(20), intervals: 2 + r.IntN(6)},
		} {
			got := handIn(t, r, lines, how)
			if how.intervals > 1 {
				// A set begins anew with each interval.
				dropSets(got, want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d, %+v (-want +got):\n%s", seed, how, diff)
			}
			if len(got) == 0 {
				t.Fatalf("seed %d, %+v: nothing came out", seed, how)
			}
		}
	}
}

// dropSets takes sets out. Their number over several intervals is at least that
// of one.
func dropSets(got, want map[string]string) {
	for _, m := range []map[string]string{got, want} {
		maps.DeleteFunc(m, func(name, _ string) bool { return name[0] == 's' })
	}
}
