package loadgen

import (
	"fmt"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Summary is a whole run of load.
type Summary struct {
	Start    time.Time     // offset 0 of the shape
	Duration time.Duration // from Start until the load was ended; waiting for the last answers is not in it

	Requests uint64 // sent; each has a row
	Attempts uint64 // times these were written to a connection
	Acked    uint64
	Refused  uint64
	Unknown  uint64
	Statuses map[int]uint64 // requests by HTTP status; 0: no answer
	Answered [6]uint64      // of Unknown those with an answer other than 2xx, by its class: of Answered[4] with 4xx

	Rate      float64 // Requests per second of Duration
	AckedRate float64 // Acked per second of Duration

	Latency  Quantiles // from due to done, of all requests whatever their outcome
	Lateness Quantiles // from due to sent

	Late      uint64 // requests later than Config.LatenessP99
	Unsent    uint64 // requests that were due before the end and never sent: there is no row of them
	Exhausted uint64 // requests this machine could not send, for want of file descriptors, ports or memory

	// Missed says in words why the load was not the one that was asked for;
	// empty: it was. A run with a missed schedule proves nothing. Reasons
	// are: over 1 % of the requests later than Config.LatenessP99 (that is,
	// a 99th percentile above it), one later than Config.LatenessMax,
	// requests unsent, requests that this machine could not send.
	Missed string
}

// Quantiles of a time that was measured for each request: estimated by a
// t-digest, except for Max, which is exact. All 0 when there was no request.
type Quantiles struct{ P50, P90, P95, P99, Max time.Duration }

// Tally gathers the rows of a load for its summary.
type Tally struct {
	config   Config
	attempts uint64
	statuses map[int]uint64
	answered [6]uint64
	latency  vegeta.LatencyMetrics
	lateness vegeta.LatencyMetrics
}

// NewTally is for the rows of the load that c describes.
func NewTally(c Config) *Tally { return &Tally{config: c.withDefaults(), statuses: map[int]uint64{}} }

// Add adds a row. Not for several goroutines at once.
func (t *Tally) Add(r Row) {
	t.attempts += uint64(r.Attempts)
	t.statuses[r.Status]++
	if class := r.Answered(); class > 0 {
		t.answered[class]++
	}
	t.latency.Add(r.Latency())
	t.lateness.Add(r.Lateness())
}

// Summary sums up a load that began at start and took a time, with its last Stats, of which
// requests were never sent.
func (t *Tally) Summary(start time.Time, took time.Duration, stats Stats, unsent uint64) Summary {
	s := Summary{
		Start: start, Duration: took,
		Requests: stats.Sent, Attempts: t.attempts,
		Acked: stats.Acked, Refused: stats.Refused, Unknown: stats.Unknown,
		Statuses: t.statuses, Answered: t.answered,
		Late: stats.Late, Unsent: unsent, Exhausted: stats.Exhausted,
	}
	if seconds := s.Duration.Seconds(); seconds > 0 {
		s.Rate = float64(s.Requests) / seconds
		s.AckedRate = float64(s.Acked) / seconds
	}
	if s.Requests > 0 { // a digest of nothing has no quantiles
		s.Latency, s.Lateness = quantiles(&t.latency), quantiles(&t.lateness)
	}
	s.Missed = missed(s, t.config)
	return s
}

func quantiles(m *vegeta.LatencyMetrics) Quantiles {
	return Quantiles{
		P50: m.Quantile(0.50), P90: m.Quantile(0.90), P95: m.Quantile(0.95), P99: m.Quantile(0.99),
		Max: m.Max,
	}
}

// missed holds a run against the bounds of its schedule. The 99th percentile
// is compared by counting, which is exact, not by the digest.
func missed(s Summary, c Config) string {
	var why []string
	if s.Late*100 > s.Requests {
		why = append(why, fmt.Sprintf("%d of %d requests were sent more than %v late (at most 1 %% may be)", s.Late, s.Requests, c.LatenessP99))
	}
	if s.Lateness.Max > c.LatenessMax {
		why = append(why, fmt.Sprintf("one request was sent %v late (at most %v)", s.Lateness.Max.Round(time.Millisecond), c.LatenessMax))
	}
	if s.Unsent > 0 {
		why = append(why, fmt.Sprintf("%s due and never sent (at most %d may be in flight)", were(s.Unsent), c.MaxInFlight))
	}
	if s.Exhausted > 0 {
		why = append(why, fmt.Sprintf("%s could not be sent, for want of file descriptors, ports or memory on this machine", requests(s.Exhausted)))
	}
	return strings.Join(why, "; ")
}

// were writes "1 request was" and "2 requests were".
func were(n uint64) string {
	if n == 1 {
		return "1 request was"
	}
	return requests(n) + " were"
}

func requests(n uint64) string {
	if n == 1 {
		return "1 request"
	}
	return fmt.Sprintf("%d requests", n)
}
