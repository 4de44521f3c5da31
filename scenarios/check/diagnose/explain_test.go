package diagnose

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const tenth = 100 * time.Millisecond

// Each way to lose counts is known by what lines, sockets and rates say, and not known for
// sure, or not at all, where these are not told.
func TestWhatTheCollectorTellsDecides(t *testing.T) {
	swings := func(t time.Duration) float64 { return 60 + 50*math.Sin(t.Seconds()*2*math.Pi/8) }
	for _, c := range []struct {
		name   string
		want   string
		rate   func(time.Duration) float64
		client client
		vague  bool // without what the collector tells it is another matter
	}{
		{"lines are lost", NetLost, steady(80), client{period: tenth, workers: 1,
			arrives: func(_ int, _ time.Duration, rnd *rand.Rand) bool { return rnd.Float64() > 0.15 }}, true},
		{"one request in four is not counted", NotCounted, steady(80), client{period: tenth, workers: 1,
			counted: func(n int, _ time.Duration, _ *rand.Rand) bool { return n%4 != 0 }}, false},
		{"one of three workers is silent", SilentWorker, steady(80), client{period: tenth, workers: 3,
			arrives: func(w int, _ time.Duration, _ *rand.Rand) bool { return w != 0 }}, true},
		{"workers are replaced", Turnover, steady(60), client{period: 2 * time.Second, workers: 1,
			lives: func(int) []time.Duration {
				return []time.Duration{5500 * time.Millisecond, 11 * time.Second, 16500 * time.Millisecond}
			}}, true},
		{"a queue of 8 each 100 ms", QueueFull, swings, client{period: tenth, workers: 1, counted: queueOf(8, tenth)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var accounts, vague []Account
			for i := range 3 {
				a := instance(fmt.Sprintf("web-%d", i+1), uint64(i), c.rate, c.client)
				if a.Open <= 0 {
					t.Fatalf("%s lost none", a.Instance)
				}
				switch c.want { // without a timer of the same requests it may be code or a worker
				case SilentWorker:
					a.Twin = Twin{Kind: "timer", N: a.Total}
				case NotCounted:
					a.Twin = Twin{Kind: "timer", N: int64(len(a.Acked))}
				}
				accounts, vague = append(accounts, a), append(vague, a.unseen())
			}
			for _, d := range explained(t, c.client.period, accounts...) {
				if d.Cause != c.want {
					t.Errorf("cause %s %v, want %s: %s", d.Cause, d.Possible, c.want, d.Why)
				}
			}
			if !c.vague {
				return
			}
			for _, d := range explained(t, c.client.period, vague...) {
				if d.Cause != Undecided && d.Cause != c.want {
					t.Errorf("without lines and sockets: cause %s, want %s or none", d.Cause, c.want)
				}
			}
		})
	}
}

// queueOf counts so many requests on each beat, and not the others.
func queueOf(room int, beat time.Duration) func(int, time.Duration, *rand.Rand) bool {
	now, used := time.Duration(-1), 0
	return func(_ int, at time.Duration, _ *rand.Rand) bool {
		if b := at / beat; b != now {
			now, used = b, 0
		}
		used++
		return used <= room
	}
}

// Workers that are replaced in order lose nothing, and are not what lost the counts of code
// that does not count.
func TestOrderlyTurnoverIsNoCause(t *testing.T) {
	var accounts []Account
	for i := range 3 {
		a := instance(fmt.Sprintf("web-%d", i+1), uint64(i), steady(80), client{period: tenth, workers: 2,
			counted: func(n int, _ time.Duration, _ *rand.Rand) bool { return n%5 != 0 }})
		for k, at := range a.Ticks { // another socket now and then
			a.SourcesAt[k] += float64(at / (4 * time.Second))
		}
		accounts = append(accounts, a)
	}
	for _, d := range explained(t, tenth, accounts...) {
		if d.Cause == Turnover || slices.Contains(d.Possible, Turnover) {
			t.Errorf("cause %s %v: %s", d.Cause, d.Possible, d.Why)
		}
	}
}

// A silent worker leaves one socket fewer than its share says.
func TestSocketsAreWorkers(t *testing.T) {
	three := client{period: tenth, workers: 3, arrives: func(w int, _ time.Duration, _ *rand.Rand) bool { return w != 0 }}
	for _, c := range []struct {
		name   string
		change func(*Account)
		speak  [4]float64 // one, two, three, four workers; 0: as many speak
	}{
		{"two are heard", func(*Account) {}, [4]float64{-4, 0, -2, -6}},
		{"nobody knows", func(a *Account) { a.SourcesAt = nil }, [4]float64{}},
		{"one for each datagram", func(a *Account) { a.SourcesAt = slices.Clone(a.DatagramsAt) }, [4]float64{}},
		{"too many to tell apart", func(a *Account) {
			for k := range a.SourcesAt {
				a.SourcesAt[k] = 1024
			}
			a.Datagrams = 1e6
		}, [4]float64{}},
		{"one that all share, or one that speaks", func(a *Account) {
			for k := range a.SourcesAt {
				a.SourcesAt[k] = min(1, a.SourcesAt[k])
			}
		}, [4]float64{0, -2, -2.5, -2.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := instance("web-1", 1, steady(80), three)
			c.change(&a)
			k := newCourt(&Case{Window: tenth, Interval: time.Second, Accounts: []Account{a}})
			for i, want := range c.speak {
				if got := k.tracks[0].speak(int64(i + 1)); math.Abs(got-want) > 0.01 {
					t.Errorf("%d workers: %.2f, want %.2f", i+1, got, want)
				}
			}
		})
	}
}

// What lacks by chance is told from what comes on a beat, and from what lacks in one stretch.
func TestRhythm(t *testing.T) {
	of := func(c client) (*track, *rhythm) {
		a := instance("web-1", 7, steady(80), c)
		k := newCourt(&Case{Window: tenth, Interval: time.Second, Accounts: []Account{a}})
		return &k.tracks[0], k.tracks[0].beat
	}
	byChance, r := of(client{period: tenth, workers: 1, arrives: func(_ int, _ time.Duration, rnd *rand.Rand) bool { return rnd.Float64() > 0.2 }})
	if got := r.irregular(byChance.share()); got < 1 {
		t.Errorf("lost by chance: %.1f, want it likelier than on a beat", got)
	}
	if got := r.scattered(byChance); got < -3 {
		t.Errorf("lost by chance: scattered %.1f, want about 0", got)
	}
	if together, spread := r.together(byChance), byChance.spreads(byChance.unit, byChance.clump); together < spread {
		t.Errorf("lost by chance: %.1f where lines lack, %.1f anywhere", together, spread)
	}
	onBeat, r := of(client{period: tenth, workers: 1, counted: func(n int, _ time.Duration, _ *rand.Rand) bool { return n%5 != 0 }})
	if got := r.irregular(onBeat.share()); got > -3 {
		t.Errorf("not counted: %.1f, want it likelier on a beat", got)
	}
	stretch, r := of(client{period: tenth, workers: 1, arrives: func(_ int, at time.Duration, _ *rand.Rand) bool { return at < 10*time.Second || at > 13*time.Second }})
	if got := r.scattered(stretch); got > -8 {
		t.Errorf("lost in one stretch: scattered %.1f, want far below 0", got)
	}
	alone := instance("web-1", 7, steady(80), client{period: time.Millisecond, workers: 1})
	alone.Open, alone.Total = 1, alone.Total-1
	if k := newCourt(&Case{Window: time.Millisecond, Interval: time.Second, Accounts: []Account{alone}}); k.tracks[0].beat != nil {
		t.Error("lines that bring one count each are said to have a rhythm")
	}
}

func TestQueue(t *testing.T) {
	for _, c := range []struct {
		q    queue
		n    int
		want float64
	}{
		{queue{room: 10, workers: 1}, 14, 4},
		{queue{room: 10, workers: 1}, 9, 0},
		{queue{room: 10, workers: 2}, 0, 0},
		{queue{room: 10, workers: 2}, 20, 1.7841}, // of each sqrt(5 / 2 pi)
		{queue{room: 10, workers: 2}, 100, 80},
	} {
		if got, variance := c.q.drops(c.n); math.Abs(got-c.want) > 0.001 || (variance > 0) != (c.q.workers > 1 && c.n > 0) {
			t.Errorf("%+v drops %.4f of %d, give or take %.2f; want %.4f", c.q, got, c.n, math.Sqrt(variance), c.want)
		}
	}
	all := []arrivals{{beats: map[int]int{14: 1, 9: 1, 12: 1, 3: 1}}, {beats: map[int]int{11: 1, 20: 1}}}
	if q := (queue{workers: 1}).roomFor(all, 17); math.Abs(q.room-10) > 0.25 {
		t.Errorf("room for %.2f, want 10", q.room)
	}
}

// The beats of each client begin at its own moment.
func TestAQueueBeginsAnywhere(t *testing.T) {
	swings := func(t time.Duration) float64 { return 60 + 50*math.Sin(t.Seconds()*2*math.Pi/8) }
	const beat = 500 * time.Millisecond
	var accounts []Account
	for i := range time.Duration(3) {
		shifted := queueOf(30, beat)
		accounts = append(accounts, instance(fmt.Sprintf("web-%d", i+1), uint64(i), swings, client{period: tenth, workers: 1,
			counted: func(n int, at time.Duration, rnd *rand.Rand) bool { return shifted(n, at+i*170*time.Millisecond, rnd) }}))
	}
	for _, d := range explained(t, tenth, accounts...) {
		if d.Cause != QueueFull {
			t.Errorf("cause %s %v, want %s: %s", d.Cause, d.Possible, QueueFull, d.Why)
		}
	}
}
