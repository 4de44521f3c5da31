package scrape

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"throughline/collector"
	"throughline/collector/sourcetest"
)

// counting is an instance that exposes one counter.
type counting struct {
	mu      sync.Mutex
	hits    int
	garbage int // answers to come that make no sense
	served  int
}

func (i *counting) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.served++
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	if i.garbage > 0 {
		i.garbage--
		fmt.Fprint(w, "hits_total{ 1\n")
		return
	}
	fmt.Fprintf(w, "# TYPE hits_total counter\nhits_total %d\n", i.hits)
}

func (i *counting) does(what func()) (served int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	what()
	return i.served
}

func TestContract(t *testing.T) {
	sourcetest.Contract(t, func(t *testing.T, in collector.Intake) sourcetest.Driver {
		web := &counting{}
		at := httptest.NewServer(web)
		t.Cleanup(at.Close)
		c := New(Config{}, in)
		// The machine is slow at times, and a scrape that takes longer than the contract's interval is no matter of the contract.
		if err := c.Add(Target{URL: at.URL, Instance: "web-1", Every: sourcetest.Interval, Timeout: sourcetest.Interval}); err != nil {
			t.Fatal(err)
		}
		c.targets["web-1"].Timeout = 10 * time.Second
		// fetched returns when a scrape has ended that began after what was done: until then it is not the source's.
		fetched := func(done int) {
			for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
				c.mu.Lock()
				runs := !c.ended
				c.mu.Unlock()
				if !runs || web.does(func() {}) >= done+2 {
					return
				}
				if time.Now().After(end) {
					t.Fatal("waited in vain for a scrape")
				}
			}
		}
		return sourcetest.Driver{Source: c, Series: "hits_total",
			Count: func(n int) { fetched(web.does(func() { web.hits += n })) },
			Bad:   func() { fetched(web.does(func() { web.garbage++ })) },
		}
	})
}
