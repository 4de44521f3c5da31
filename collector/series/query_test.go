package series

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

func TestRate(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 61 {
		mustAppend(t, s, float("hits_total", float64(i), float64(7*i), "instance", "web-1"))
		if i <= 30 { // it dies, and its replacement begins at 0
			mustAppend(t, s, float("hits_total", float64(i), float64(3*i), "instance", "web-2"))
		}
	}
	mustAppend(t, s, end("hits_total", 31, "instance", "web-2"))
	wantNumber(t, s, "sum(rate(hits_total[10s]))", 30, 10)
	wantNumber(t, s, "round(1000 * sum(rate(hits_total[10s])))", 60, 7000)
	wantNumber(t, s, "increase(hits_total{instance=\"web-1\"}[20s])", 60, 140)
	wantNumber(t, s, "sum(hits_total)", 30.999, 7*30+3*30)
	wantNumber(t, s, "sum(hits_total)", 31, 7*31)
}

func TestQueryRange(t *testing.T) {
	s := open(t, t.TempDir())
	h := &collector.Histogram{Schema: 4, Count: 2, Sum: 3, Positive: []collector.Bucket{{Index: 1, Count: 2}}}
	mustAppend(t, s, float("x", 1, 1, "l", "a"), float("x", 2, 2, "l", "a"), distribution("x", 3, h, "l", "a"), float("x", 4, 4, "l", "a"))
	got, err := s.QueryRange(context.Background(), "x", at(0), at(5), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := []Series{{
		Labels: collector.NewLabels("__name__", "x", "l", "a"),
		Points: []Point{{At: at(1), Value: 1}, {At: at(2), Value: 2}, {At: at(3), Histogram: h}, {At: at(4), Value: 4}, {At: at(5), Value: 4}},
	}}
	if diff := cmp.Diff(want, got.Series); diff != "" || len(got.Notes) > 0 {
		t.Errorf("notes %q (-want +got):\n%s", got.Notes, diff)
	}
}

func TestScalar(t *testing.T) {
	s := open(t, t.TempDir())
	if diff := cmp.Diff([]Series{{Points: []Point{{At: at(5), Value: 3}}}}, ask(t, s, "1+2", 5)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestQueriesRefused(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := context.Background()
	instant := func(expr string) error { _, err := s.Query(ctx, expr, at(0)); return err }
	over := func(expr string, end float64, step time.Duration) error {
		_, err := s.QueryRange(ctx, expr, at(0), at(end), step)
		return err
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, gone := s.Query(canceled, "x", at(0))
	_, broken := TypeOf("x[")
	for want, err := range map[string]error{
		`query "x{": 1:3: parse error`:                                     instant("x{"),
		`query "\"x\"": gives a string, not numbers`:                       instant(`"x"`),
		`query "x": step 0s: give one of at least 1ms`:                     over("x", 1, 0),
		`query "x": step 999µs: give one of at least 1ms`:                  over("x", 1, 999*time.Microsecond),
		`query "x": the end 2020-02-29T11:59:59Z is before the start 2020`: over("x", -1, time.Second),
		`query "x[1m]": invalid expression type "range vector"`:            over("x[1m]", 1, time.Second),
		`query "x": query was canceled`:                                    gone,
		`1:2: parse error: unexpected "["`:                                 broken,
	} {
		if err == nil || !strings.Contains(err.Error(), want) && want[:4] != "1:2:" {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for expr, want := range map[string]Type{"sum(rate(x[5s])) > 0": Vector, "1 + 2": Scalar, "x[5s]": Matrix, "x[5s:]": Matrix, `"x"`: String, "(x) # comment": Vector} {
		if got, err := TypeOf(expr); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", expr, got, err, want)
		}
	}
}

// TestNotes: what an answer left out of account is told.
func TestNotes(t *testing.T) {
	s := open(t, t.TempDir())
	mustAppend(t, s, float("x", 0, 1), float("x", 1, 1))
	for expr, want := range map[string]string{"quantile(2, x)": "quantile value should be between 0 and 1", "rate(x[5s])": "might not be a counter", "x": ""} {
		answer, err := s.Query(context.Background(), expr, at(1))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(answer.Notes, "; "); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: notes %q, want %q", expr, got, want)
		}
	}
}

// TestQuantileOfTwoInstances compares a quantile of merged histograms with that
// of all values. A bucket of schema 4 is 4.4 % wide.
func TestQuantileOfTwoInstances(t *testing.T) {
	s := open(t, t.TempDir())
	random := rand.New(rand.NewPCG(1, 2))
	var all []float64
	const schema = 4
	counts := map[string]map[int32]float64{"web-1": {}, "web-2": {}}
	sums := map[string]float64{}
	// The slow instance has a tenth of the requests: an average of the two
	// quantiles would be far off.
	observe := func(instance string, n int, scale float64) {
		for range n {
			v := scale * math.Exp(random.NormFloat64())
			all = append(all, v)
			sums[instance] += v
			counts[instance][int32(math.Ceil(math.Log2(v)*(1<<schema)))]++
		}
	}
	snapshot := func(instance string) *collector.Histogram {
		h := &collector.Histogram{Schema: schema, ZeroThreshold: 1e-128, Sum: sums[instance]}
		for index, n := range counts[instance] {
			h.Positive = append(h.Positive, collector.Bucket{Index: index, Count: n})
			h.Count += n
		}
		slices.SortFunc(h.Positive, func(a, b collector.Bucket) int { return int(a.Index - b.Index) })
		return h
	}
	for i := range 31 {
		if i > 0 {
			observe("web-1", 900, 0.01)
			observe("web-2", 100, 0.3)
		}
		for _, instance := range []string{"web-1", "web-2"} {
			mustAppend(t, s, distribution("delay", float64(i), snapshot(instance), "instance", instance))
		}
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.95, 0.99} {
		truth := all[int(q*float64(len(all)))]
		for _, expr := range []string{"histogram_quantile(%g, sum(delay))", "histogram_quantile(%g, sum(rate(delay[30s])))"} {
			got := number(t, s, fmt.Sprintf(expr, q), 30)
			if math.Abs(got/truth-1) > 0.05 {
				t.Errorf(expr+" is %g, truth is %g", q, got, truth)
			}
		}
	}
	wantNumber(t, s, "histogram_count(sum(delay))", 30, float64(len(all)))
	wantNumber(t, s, "sum(histogram_count(increase(delay[30s])))", 30, float64(len(all)))
}

// TestHistogramRoundTrip has runs of buckets, gaps and both signs.
func TestHistogramRoundTrip(t *testing.T) {
	for i, h := range []*collector.Histogram{
		{Schema: 4, ZeroThreshold: 1e-9, ZeroCount: 0.5, Count: 12.5, Sum: -3.25,
			Positive: []collector.Bucket{{Index: -40, Count: 1}, {Index: -39, Count: 2}, {Index: 0, Count: 3}, {Index: 1000, Count: 1}},
			Negative: []collector.Bucket{{Index: 7, Count: 2}, {Index: 9, Count: 3}}},
		{Schema: -4, Count: 1, Sum: 1e300, Positive: []collector.Bucket{{Index: 63, Count: 1}}},
		{Schema: 8, Count: 0},
	} {
		s := open(t, t.TempDir())
		mustAppend(t, s, distribution("x", float64(i), h))
		got := ask(t, s, "x", float64(i))
		if diff := cmp.Diff([]Series{{Labels: collector.NewLabels("__name__", "x"), Points: []Point{{At: at(float64(i)), Histogram: h}}}}, got); diff != "" {
			t.Errorf("histogram %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestManyAtOnce appends and asks from several goroutines. What was appended
// before a query began is in its answer.
func TestManyAtOnce(t *testing.T) {
	s := open(t, t.TempDir())
	const writers, rounds, each = 4, 50, 20
	var writing, reading sync.WaitGroup
	var done [writers]struct {
		sync.Mutex
		rounds int
	}
	failed := make(chan error, writers+2)
	for w := range writers {
		writing.Go(func() {
			for i := range rounds {
				var some []collector.Sample
				for n := range each {
					some = append(some, float("hits_total", float64(i)/10, float64(i), "instance", fmt.Sprint("web-", w), "n", fmt.Sprint(n)))
				}
				if err := s.Append(some...); err != nil {
					failed <- err
					return
				}
				done[w].Lock()
				done[w].rounds = i + 1
				done[w].Unlock()
			}
		})
	}
	stop := make(chan struct{})
	for range 2 {
		reading.Go(func() {
			for {
				for w := range writers {
					done[w].Lock()
					least := done[w].rounds * each
					done[w].Unlock()
					expr := fmt.Sprintf(`sum(count_over_time(hits_total{instance="web-%d"}[1h])) or vector(0)`, w)
					answer, err := s.Query(context.Background(), expr, at(60))
					if err != nil || len(answer.Series) != 1 || answer.Series[0].Points[0].Value < float64(least) {
						failed <- fmt.Errorf("%v, %w: want at least %d", answer, err, least)
						return
					}
					if got := get(t, s, "/metrics"); got.status != 200 {
						failed <- errors.New(got.body)
						return
					}
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	writing.Wait()
	close(stop)
	reading.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	wantNumber(t, s, "sum(count_over_time(hits_total[1h]))", 60, writers*rounds*each)
}
