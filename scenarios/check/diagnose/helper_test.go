package diagnose

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"throughline/scenarios/record"
)

// client is what made-up instances send with.
type client struct {
	period  time.Duration // between two lines of a worker
	workers int
	// counted tells whether the counter is called for a request, arrives whether a line
	// arrives, and lives when a worker is replaced, without sending what it holds.
	counted func(n int, at time.Duration, rnd *rand.Rand) bool
	arrives func(worker int, at time.Duration, rnd *rand.Rand) bool
	lives   func(worker int) []time.Duration
}

const (
	from  = 1 * time.Second // of the load
	until = 25 * time.Second
)

// instance makes an account of what an instance answered at rate(t) requests a second,
// and of what its client sent.
func instance(name string, seed uint64, rate func(t time.Duration) float64, c client) Account {
	rnd := rand.New(rand.NewPCG(seed, 1))
	a := Account{Instance: name, Killed: record.Never, Rate: 1, Sampled: -1,
		Life: record.Lifetime{Instance: name, Birth: 500 * time.Millisecond, Ready: 600 * time.Millisecond, Death: record.Never, Signalled: record.Never}}
	type line struct {
		at     time.Duration
		n      float64
		socket int
	}
	var lines []line
	held := make([]float64, c.workers)
	life := make([]int, c.workers)
	next := make([]time.Duration, c.workers)
	for w := range next {
		next[w] = from + time.Duration(w+1)*c.period/time.Duration(c.workers)
	}
	flush := func(to time.Duration) {
		for w := range next {
			for next[w] <= to {
				if c.lives != nil {
					if lives := c.lives(w); life[w] < len(lives) && lives[life[w]] <= next[w] {
						held[w] = 0
						life[w]++
					}
				}
				if held[w] > 0 && (c.arrives == nil || c.arrives(w, next[w], rnd)) {
					lines = append(lines, line{next[w], held[w], w + 100*life[w]})
				}
				held[w], next[w] = 0, next[w]+c.period
			}
		}
	}
	for t, n := from, 0; t < until; n++ {
		t += time.Duration(rnd.ExpFloat64() / rate(t) * float64(time.Second))
		flush(t)
		a.Acked = append(a.Acked, t)
		if c.counted == nil || c.counted(n, t, rnd) {
			held[rnd.IntN(c.workers)]++
		}
	}
	flush(until + 2*c.period)
	slices.SortFunc(lines, func(x, y line) int { return int(x.at - y.at) })
	var counted, came float64
	sockets := map[int]bool{}
	last := until + 3*time.Second
	for t, i := time.Second+137*time.Millisecond, 0; t <= last; t += time.Second {
		for ; i < len(lines) && lines[i].at <= t; i++ {
			counted, came = counted+lines[i].n, came+1
			sockets[lines[i].socket] = true
		}
		a.Ticks = append(a.Ticks, t)
		since := t - c.period - 10*time.Millisecond
		if t+time.Second > last {
			since = forever
		}
		a.Since = append(a.Since, since)
		a.Counted = append(a.Counted, counted)
		a.Sent = append(a.Sent, upTo(a.Acked, t))
		a.LinesAt = append(a.LinesAt, came)
		a.DatagramsAt = append(a.DatagramsAt, came)
		a.SourcesAt = append(a.SourcesAt, float64(len(sockets)))
		a.Spoke = append(a.Spoke, false)
	}
	a.Total, a.Lines, a.Datagrams = int64(counted), int64(came), int64(came)
	a.Open = int64(len(a.Acked)) - a.Total
	return a
}

func steady(perSecond float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return perSecond }
}

// explained is what is said of a number of such instances.
func explained(t *testing.T, period time.Duration, accounts ...Account) []Diagnosis {
	t.Helper()
	return Explain(Case{Metric: "orders", Route: "order", Window: period, Interval: time.Second, Accounts: accounts})
}

// unseen takes away what the collector would have told, but for the counts.
func (a Account) unseen() Account {
	a.LinesAt, a.DatagramsAt, a.SourcesAt, a.Lines, a.Datagrams = nil, nil, nil, 0, 0
	return a
}
