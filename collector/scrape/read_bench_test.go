package scrape

import (
	"fmt"
	"testing"
	"time"

	"throughline/collector"
)

// BenchmarkRead reads an exposition of 5,000 counters with three labels each, as a target gives it at every scrape.
func BenchmarkRead(b *testing.B) {
	const series = 5000
	page := []byte("# TYPE words_total counter\n")
	for i := range series {
		page = fmt.Appendf(page, "words_total{route=\"/insert/{word}\",zone=\"a\",word=\"w%d\"} %d\n", i, 17*i)
	}
	r := newReader(collector.NewLabels("instance", "web-1", "way", "scrape"), false)
	at := time.Unix(1_700_000_000, 0)
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(time.Second)
		if read, err := r.read(page, textType, 2*series, at); err != nil || len(read.samples) != series {
			b.Fatalf("%d samples, %v", len(read.samples), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/series, "ns/sample")
}
