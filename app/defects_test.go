package app

import (
	"io"
	"maps"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// defective makes the parts of web-2 in zone a, with a defect, that send to
// socket.
func defective(t *testing.T, name string, socket *wire) parts {
	t.Helper()
	p, err := newParts(Config{StatsD: socket.addr(), Instance: "web-2", Tags: []string{"zone:a"}, Log: io.Discard, Defect: name})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// started makes a defect for web-2, for tests that give it parts themselves.
func started(t *testing.T, name string) wrong {
	t.Helper()
	d, err := findDefect(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.start(Config{Instance: "web-2"})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func checkBooked(t *testing.T, l *harm, dropped, extra int64) {
	t.Helper()
	if gotDropped, gotExtra := l.booked(); gotDropped != dropped || gotExtra != extra {
		t.Errorf("booked dropped=%d extra=%d, want %d and %d", gotDropped, gotExtra, dropped, extra)
	}
}

// The truth of TestDefectsOnTheWire, and what a defect makes of it.
const insertsSent, getsSent = 103, 7

func truth() map[string]float64 {
	return map[string]float64{
		"fullstack.insert|c|#zone:a": insertsSent, "fullstack.insert.time|ms|#zone:a": insertsSent,
		"fullstack.get|c|#zone:a": getsSent, "fullstack.get.time|ms|#zone:a": getsSent,
		"fullstack.inflight|g|#zone:a": 0,
	}
}

type onTheWire struct {
	name           string
	without        []string           // series that are missing
	with           map[string]float64 // series that are different, or there besides
	bad            []string           // lines that nobody can read
	dropped, extra int64
	within         time.Duration // the test needs to be faster than this; 0 = at any speed
}

func wireTests() []onTheWire {
	const right, tail = "fullstack.insert|c|#zone:a", "|#zone:a"
	only := []string{right}
	is := func(n float64) map[string]float64 { return map[string]float64{right: n} }
	return []onTheWire{
		{name: "counted-twice", with: is(103 + 5), extra: 5},
		{name: "double-instrumented", with: is(206), extra: 103},
		{name: "not-counted", with: is(103 - 4), dropped: 4},
		{name: "first-sample-lost", with: is(102), dropped: 1},
		{name: "forgotten-rate", with: is(10), dropped: 93},
		{name: "total-as-counter", with: is(103 * 104 / 2), extra: 103*104/2 - 103},
		{name: "renamed-per-instance", without: only, with: map[string]float64{"fullstack.insert.web-2|c" + tail: 103}, dropped: 103},
		{name: "silent-worker", with: map[string]float64{right: 103 - 25, timed + "|ms" + tail: 103 - 25,
			"fullstack.get|c" + tail: 6, "fullstack.get.time|ms" + tail: 6}, dropped: 25},
		{name: "late"},                          // all sent at exit
		{name: "long-buffer"},                   // the same
		{name: "flush-every-3s"},                // the same
		{name: "closed-early"},                  // all sent before
		{name: "goes-silent", within: speakFor}, // not yet
		{name: "last-window-twice", with: map[string]float64{right: 206, "fullstack.get|c" + tail: 14}, extra: 103, within: holdLost},
		{name: "lost-on-exit", without: []string{right, "fullstack.get|c" + tail}, dropped: 103, within: holdLost},
		{name: "first-window-lost", without: only, dropped: 103, within: firstWindow},
		{name: "silent-start", without: slices.Collect(maps.Keys(truth())), dropped: 103, within: silentFor},
		{name: "never-speaks", without: slices.Collect(maps.Keys(truth())), dropped: 103},
		{name: "rate-not-applied", without: only, with: map[string]float64{"fullstack.insert|c|@0.1" + tail: 103}, extra: 9 * 103},
		{name: "counter-as-gauge", without: only, with: map[string]float64{"fullstack.insert|g" + tail: 103}, dropped: 103},
		{name: "type-changes", with: map[string]float64{right: 100, "fullstack.insert|g" + tail: 103}, dropped: 3},
		{name: "mutated-tags", with: map[string]float64{right: 98, "fullstack.insert|c|#zone:b": 5}},
		{name: "tag-order", without: only, with: map[string]float64{
			"fullstack.insert|c|#zone:a,version:1": 35, "fullstack.insert|c|#version:1,zone:a": 34, "fullstack.insert|c|#version:1,zone:a,version:1": 34}},
		{name: "unsafe-names", with: map[string]float64{right: 99, "word|c" + tail: 1},
			bad: []string{"fullstack.insert", "fullstack.insert:word:1|c|#zone:a", "fullstack.insert|word:1|c|#zone:a", "fullstack.insert|word:1|c|#zone:a"}, dropped: 4},
		{name: "shared-identity", without: slices.Collect(maps.Keys(truth())), with: map[string]float64{
			"fullstack.insert|c|#zone:a,instance:web-1": 103, "fullstack.insert.time|ms|#zone:a,instance:web-1": 103,
			"fullstack.get|c|#zone:a,instance:web-1": 7, "fullstack.get.time|ms|#zone:a,instance:web-1": 7,
			"fullstack.inflight|g|#zone:a,instance:web-1": 0}},
		{name: "late-tags", without: only, with: map[string]float64{"fullstack.insert|c": 103}, within: untagged}, // see TestTagsThatComeLate
		{name: "get-counted", with: is(103 + 7), extra: 7},
		{name: "probes-counted"}, // nobody asks: see TestProbesCounted
		{name: "cache-hits-only", with: is(25), dropped: 78},
		{name: "wrapping-count", with: is(103 % wrapsAt), dropped: 96, within: batchedFor},
		{name: "worker-turnover"}, // only requests have turns: see TestWorkerTurnover
		{name: "sampled-timer", with: map[string]float64{timed + "|ms" + tail: 51}, dropped: 52},
	}
}

// Each defect makes of the truth what its About says, and nothing else.
func TestDefectsOnTheWire(t *testing.T) {
	for _, test := range wireTests() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			socket := listenUDP(t)
			p := defective(t, test.name, socket)
			began := time.Now()
			var users sync.WaitGroup
			for _, n := range []int{insertsSent - 1, 1} {
				users.Go(func() {
					for range n {
						p.client.Timing(timed, time.Millisecond)
						p.client.Count(counted, 1)
					}
				})
			}
			for range getsSent {
				p.client.Count("fullstack.get", 1)
				p.client.Timing("fullstack.get.time", time.Millisecond)
				p.client.Gauge(inFlight, 0)
			}
			users.Wait()
			if err := p.client.Close(); err != nil {
				t.Fatal(err)
			}
			if test.within > 0 && time.Since(began) >= test.within {
				t.Skip("SKIPPED, NOTHING PROVED: the machine slept through the window of this test; see TestHeldCountsLeaveOnTime and TestWhenDefectsAreSilent")
			}
			socket.arrive(t)
			want := truth()
			for _, gone := range test.without {
				delete(want, gone)
			}
			maps.Copy(want, test.with)
			if diff := cmp.Diff(want, socket.series); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
			slices.Sort(socket.bad)
			if diff := cmp.Diff(test.bad, socket.bad); diff != "" {
				t.Errorf("bad lines (-want +got):\n%s", diff)
			}
			checkBooked(t, p.wrong.harm, test.dropped, test.extra)
		})
	}
}

// With every defect that is none of the service's, the service stays right, and
// the line in the log explains the counter to the last insert.
func TestDefectsLeaveTheServiceRight(t *testing.T) {
	const inserts = 120
	for _, defect := range append(Defects(), Defect{Metric: counted}) {
		if defect.Service != "" {
			continue // see TestServiceDefects
		}
		t.Run("defect="+defect.Name, func(t *testing.T) {
			t.Parallel()
			socket, words := listenUDP(t), newMemory()
			r := start(t, Config{StatsD: socket.addr(), Instance: "web-2", Defect: defect.Name}, words)
			r.inserts(t, inserts)
			r.stop()
			if err := r.wait(t); err != nil {
				t.Fatal(err)
			}
			socket.arrive(t)
			if words.sum() != inserts {
				t.Errorf("%d in the database, want %d", words.sum(), inserts)
			}
			var dropped, extra int64
			if defect.Name != "" {
				dropped, extra = r.log.defectLine(t, defect.Name)
			}
			if defect.Metric != counted {
				dropped, extra = 0, 0
			}
			if got := socket.counts[counted]; got != inserts-dropped+extra {
				t.Errorf("on the wire %d, logged dropped=%d extra=%d of %d", got, dropped, extra, inserts)
			}
		})
	}
}

// A stop must end within 5 s, also one that has a defect to show first.
func TestStopWithLameDuckFits(t *testing.T) {
	if sum := lameDuck + drainTimeout + goodbyeTimeout; sum >= 5*time.Second {
		t.Errorf("a stop may take %v", sum)
	}
}

// The names that this test knows are in scenarios, and must not change.
func TestDefectsAreDescribed(t *testing.T) {
	entry := regexp.MustCompile(`^F[1-9][0-9]?$`)
	seen := map[string]bool{}
	for _, d := range Defects() {
		if d.Name == "" || d.About == "" || d.Metric == "" || d.begin == nil || seen[d.Name] {
			t.Errorf("defect %q (%q) is incomplete or twice there", d.Name, d.About)
		}
		if len(d.Name) > len("renamed-per-instance") {
			t.Errorf("defect %s: the name is too long for a column of the help", d.Name)
		}
		if !entry.MatchString(d.Entry) && !slices.Contains([]string{"word-as-tag", "cpu-of-the-machine", "registry-per-worker", "own-instance-label", "slow-exposition"}, d.Name) {
			t.Errorf("defect %s: entry %q", d.Name, d.Entry)
		}
		seen[d.Name] = true
		if found, err := findDefect(d.Name); err != nil || found.About != d.About {
			t.Errorf("defect %s: found %q, %v", d.Name, found.About, err)
		}
	}
	for _, old := range []string{"lost-on-exit", "counted-twice", "not-counted", "forgotten-rate", "renamed-per-instance", "late", "silent-start", "total-as-counter"} {
		if !seen[old] {
			t.Errorf("defect %s is gone", old)
		}
	}
}
