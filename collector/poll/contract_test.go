package poll

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"throughline/collector"
	"throughline/collector/sourcetest"
)

func TestContract(t *testing.T) {
	sourcetest.Contract(t, func(t *testing.T, in collector.Intake) sourcetest.Driver {
		l := NewLoop(Config{}, in)
		var hits atomic.Int64
		add(t, l, "web", pollFunc(func(_ context.Context, at time.Time) ([]collector.Sample, error) {
			return []collector.Sample{{Name: "hits_total", Labels: collector.NewLabels("instance", "web-1"), Meta: counterMeta, At: at,
				Value: float64(hits.Load()), Observed: 1}}, nil
		}))
		return sourcetest.Driver{Source: l, Series: "hits_total", Count: func(n int) { hits.Add(int64(n)) }}
	})
}
