package statsd

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
)

// calls is a Client that remembers what it was told.
type calls struct {
	mu     sync.Mutex
	counts map[string]int64
	timers map[string]int
	gauges []float64
}

func newCalls() *calls { return &calls{counts: map[string]int64{}, timers: map[string]int{}} }

func (c *calls) Count(name string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[name] += n
}

func (c *calls) Gauge(_ string, value float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gauges = append(c.gauges, value)
}

func (c *calls) Timing(name string, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timers[name]++
}

func (c *calls) Close() error { return nil }

// measured is a router whose route / has everything on it.
func measured(client Client, handler gin.HandlerFunc) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	statsd := Middleware{Client: client}
	r := gin.New()
	r.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, _ any) { c.AbortWithStatus(http.StatusInternalServerError) }))
	r.GET("/", statsd.InFlight("inflight"), statsd.Increment("hits"), statsd.Timed("hits.time"), handler)
	return r
}

func TestOnlySuccessesAreMeasured(t *testing.T) {
	tests := []struct {
		name    string
		handler gin.HandlerFunc
		want    int64
	}{
		{"200", func(c *gin.Context) { c.Status(http.StatusOK) }, 1},
		{"204", func(c *gin.Context) { c.Status(http.StatusNoContent) }, 1},
		{"302", func(c *gin.Context) { c.Status(http.StatusFound) }, 0},
		{"404", func(c *gin.Context) { c.Status(http.StatusNotFound) }, 0},
		{"500", func(c *gin.Context) { c.AbortWithStatus(http.StatusInternalServerError) }, 0},
		{"panic", func(*gin.Context) { panic("on purpose") }, 0},
		{"panic after the answer", func(c *gin.Context) { c.String(http.StatusOK, "yes"); panic("on purpose") }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client := newCalls()
			measured(client, test.handler).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
			if got := client.counts["hits"]; got != test.want {
				t.Errorf("counted %d, want %d", got, test.want)
			}
			if got := client.timers["hits.time"]; int64(got) != test.want {
				t.Errorf("timed %d, want %d", got, test.want)
			}
			if diff := cmp.Diff([]float64{1, 0}, client.gauges); diff != "" {
				t.Errorf("in flight (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInFlightEndsAtZero(t *testing.T) {
	const users = 50
	client := newCalls()
	var together sync.WaitGroup
	together.Add(users)
	r := measured(client, func(c *gin.Context) {
		together.Done()
		together.Wait() // all are in flight now
		c.Status(http.StatusOK)
	})
	var done sync.WaitGroup
	for range users {
		done.Go(func() {
			r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		})
	}
	done.Wait()
	if got := client.gauges[users-1]; got != users {
		t.Errorf("with %d in flight the gauge said %v", users, got)
	}
	if got := client.gauges[len(client.gauges)-1]; got != 0 {
		t.Errorf("at rest the gauge said %v", got)
	}
	if got := client.counts["hits"]; got != users {
		t.Errorf("counted %d, want %d", got, users)
	}
}

// nowhere is a response that costs nothing.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

// BenchmarkIncrement gives the price of the two lines: the difference between
// one-line and without. all is what the app's own routes have.
func BenchmarkIncrement(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	socket := listen(b)
	go func() { // as a collector would; ends when the socket is closed
		buffer := make([]byte, 2048)
		for {
			if _, err := socket.Read(buffer); err != nil {
				return
			}
		}
	}()
	client, err := Dial(Options{Addr: socket.LocalAddr().String()})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	statsd := Middleware{Client: client}
	handler := func(c *gin.Context) { c.Status(http.StatusOK) }
	for _, bench := range []struct {
		name  string
		chain []gin.HandlerFunc
	}{
		{"without", []gin.HandlerFunc{handler}},
		{"one-line", []gin.HandlerFunc{statsd.Increment("fullstack.insert"), handler}},
		{"all", []gin.HandlerFunc{statsd.InFlight("fullstack.inflight"), statsd.Increment("fullstack.insert"), statsd.Timed("fullstack.insert.time"), handler}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := gin.New()
			r.GET("/insert/:name", bench.chain...)
			request := httptest.NewRequest(http.MethodGet, "/insert/word", nil)
			response := nowhere{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				r.ServeHTTP(response, request)
			}
		})
	}
}
