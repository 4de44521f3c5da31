package loadgen

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A load balancer that is not ours names who answered in a header of its own, is reached at an address that was looked up before, and
// its own 503 is no proof that nobody executed the request.
func TestForeignBalancer(t *testing.T) {
	hosts := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts <- r.Host
		if strings.HasSuffix(r.Header.Get("X-Request-Id"), "-1") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("X-Backend", "web-2")
		w.Header().Set("X-Served-By", "cache")
	}))
	defer server.Close()
	c := loose(testConfig(t))
	c.Target, c.Dial, c.ServedBy, c.Foreign = "http://shop.invalid:8080", server.Listener.Addr().String(), "X-Backend", true
	rows, _ := runFor(t, c, 3)
	for _, r := range rows {
		want := Row{Outcome: Acked, Status: 200, Instance: "web-2", Attempts: 1}
		if r.Seq == 1 {
			want = Row{Outcome: Unknown, Status: 503, Attempts: 1}
		}
		if got := (Row{Outcome: r.Outcome, Status: r.Status, Instance: r.Instance, Attempts: r.Attempts, Err: r.Err}); got != want {
			t.Errorf("request %d: %+v, want %+v", r.Seq, got, want)
		}
		if host := <-hosts; host != "shop.invalid:8080" {
			t.Errorf("it was sent to the host %s", host)
		}
	}
}
