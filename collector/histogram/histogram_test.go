package histogram

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

func TestHistogramErrorIsBelowFivePercent(t *testing.T) {
	b := NewBounds()
	base := math.Exp2(1.0 / (1 << Schema))
	worst := 0.0
	for v := 1e-9; v < 1e12; v *= 1.00137 {
		i := float64(b.Index(v))
		lower, upper := math.Pow(base, i-1), math.Pow(base, i)
		if v <= lower*(1-1e-12) || v > upper*(1+1e-12) {
			t.Fatalf("%v is in bucket %v = (%v, %v]", v, i, lower, upper)
		}
		worst = max(worst, upper/v-1, 1-lower/v)
	}
	if worst > 0.05 || worst < 0.01 {
		t.Errorf("what is taken for a value is up to %.2f %% off, want below 5 %%", 100*worst)
	}
	// Powers of the base are in the bucket that they bound from above.
	for i := int32(-2000); i < 2000; i += 16 {
		if got := b.Index(math.Exp2(float64(i) / 16)); got != i {
			t.Errorf("2^%d is in bucket %d, want %d", i/16, got, i)
		}
	}
	for _, v := range []float64{math.MaxFloat64, math.SmallestNonzeroFloat64} {
		if i := b.Index(v); i > 1024*16 || i < -1074*16 {
			t.Errorf("%v is in bucket %d", v, i)
		}
	}
}

func TestHistogramOfAnySign(t *testing.T) {
	b := NewBounds()
	var h Histogram
	for _, v := range []float64{4, -4, 0, 4, 1e-300, 100, -0.5} {
		h.Add(b, v, 2)
	}
	want := &collector.Histogram{Schema: 4, ZeroThreshold: ZeroThreshold, ZeroCount: 4, Count: 14, Sum: 207,
		Positive: []collector.Bucket{{Index: 32, Count: 4}, {Index: 107, Count: 2}},
		Negative: []collector.Bucket{{Index: -16, Count: 2}, {Index: 32, Count: 2}}}
	got := h.Snapshot()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h.Add(b, 4, 1)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a snapshot changed (-want +got):\n%s", diff)
	}
}
