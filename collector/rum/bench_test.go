package rum

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"throughline/collector"
)

// BenchmarkBeacon takes beacons without a network: what each costs besides its request.
func BenchmarkBeacon(b *testing.B) {
	c, err := New(Config{Addr: "127.0.0.1:0", Origins: []string{shop}, Rate: 1e9}, collector.Intake{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	c.enter()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(good))
		r.Host = "localhost"
		r.Header.Set("Origin", shop)
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
		w := httptest.NewRecorder()
		if c.ServeHTTP(w, r); w.Code != http.StatusNoContent {
			b.Fatalf("%d: %s", w.Code, w.Body)
		}
	}
}
