package app

import (
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"throughline/app/statsd"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
)

func TestTimersOnTheWire(t *testing.T) {
	tests := []struct {
		name    string
		want    []float64 // ms
		dropped int64
	}{
		{"sampled-timer", []float64{30, 60}, 3},
		{"seconds-as-ms", []float64{0.01, 0.03, 0.05, 0.06, 0.08}, 0},
		{"averaged-timer", []float64{20, 55, 80}, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			socket := listenUDP(t)
			p := defective(t, test.name, socket)
			now := time.Unix(1000, 0)
			if a, ok := p.client.(*averaged); ok {
				a.now = func() time.Time { return now }
			}
			for _, m := range []struct{ after, took time.Duration }{{100, 10}, {800, 30}, {100, 50}, {999, 60}, {5000, 80}} { // the third begins a second
				now = now.Add(m.after * time.Millisecond)
				p.client.Timing(timed, m.took*time.Millisecond)
				p.client.Timing("fullstack.db.time", m.took*time.Millisecond)
			}
			if err := p.client.Close(); err != nil {
				t.Fatal(err)
			}
			socket.settle(t)
			if diff := cmp.Diff(test.want, socket.times[timed]); diff != "" {
				t.Errorf("inserts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]float64{10, 30, 50, 60, 80}, socket.times["fullstack.db.time"]); diff != "" {
				t.Errorf("other times (-want +got):\n%s", diff)
			}
			checkBooked(t, p.wrong.harm, test.dropped, 0)
		})
	}
}

func TestDeltaGaugeOnTheWire(t *testing.T) {
	socket := listenUDP(t)
	p := defective(t, "delta-gauge", socket)
	p.client.Gauge("other", 5)
	var want []string
	for i := range 20 {
		p.client.Gauge(inFlight, 1)
		p.client.Gauge(inFlight, 0)
		want = append(want, "fullstack.inflight:+1|g|#zone:a")
		if i < 19 {
			want = append(want, "fullstack.inflight:-1|g|#zone:a")
		}
	}
	if err := p.client.Close(); err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	var got []string
	for _, line := range socket.lines {
		if line != "other:5|g|#zone:a" {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || socket.gauges["other"] != 5 {
		t.Errorf("other %v, in flight (-want +got):\n%s", socket.gauges["other"], diff)
	}
	checkBooked(t, p.wrong.harm, 1, 0)
}

// gauged remembers gauges.
type gauged struct {
	sent
	all []float64
}

func (g *gauged) Gauge(_ string, value float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = append(g.all, value)
}

// With one request more in flight than there are workers, the gauge never says more than
// the two of the worker that has two.
func TestSharedGauge(t *testing.T) {
	const users = sharers + 1
	client := &gauged{}
	m := started(t, "shared-gauge").meter(statsd.Middleware{Client: client})
	var together sync.WaitGroup
	together.Add(users)
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/", m.InFlight(inFlight), func(*gin.Context) {
		together.Done()
		together.Wait() // all are in flight now
	})
	var done sync.WaitGroup
	for range users {
		done.Go(func() { r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)) })
	}
	done.Wait()
	most, last := 0.0, -1.0
	for _, v := range client.all {
		most, last = max(most, v), v
	}
	if most != 2 || last != 0 || len(client.all) != 2*users {
		t.Errorf("gauge %v, want at most 2, 0 in the end, and %d values", client.all, 2*users)
	}
}
