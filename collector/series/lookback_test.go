package series

import (
	"testing"
	"time"
)

func TestLookback(t *testing.T) {
	for expr, want := range map[string]time.Duration{
		"up":                5 * time.Second,
		"rate(x_total[2s])": 5 * time.Second,
		"sum(rate(x_total[30s])) / rate(y_total[1m])": time.Minute,
		"x offset 20s > 3":                            20 * time.Second,
		"increase(x_total[30s] offset 10s)":           40 * time.Second,
		"max_over_time(rate(x_total[30s])[1m:1s])":    90 * time.Second,
		"sum(": 5 * time.Second,
	} {
		if got := Lookback(expr); got != want {
			t.Errorf("%s looks back %v, want %v", expr, got, want)
		}
	}
}
