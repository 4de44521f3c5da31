package tiers

import (
	"slices"
	"testing"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/verdict"
)

// TestUnitIsToldByBuckets: where nothing but the application takes time, the
// middle of a bucket may lie above what users saw of the same values.
func TestUnitIsToldByBuckets(t *testing.T) {
	layersOf := func(lo, hi float64) layers {
		l := layers{db: account.SpectrumOfTimes(slices.Repeat([]float64{0.004}, 2*fewAcks)), users: slices.Repeat([]float64{0.0162}, 2*fewAcks)}
		l.web = account.Spectrum{N: 2 * fewAcks, Parts: []account.Part{{Lo: lo, Hi: hi, N: 2 * fewAcks}}}
		return l
	}
	for _, c := range []struct {
		lo, hi float64
		told   bool
	}{
		{15.9e-6, 16.6e-6, true},  // the middle, 16.25 µs, is above a thousandth of 16.2 ms
		{16.3e-6, 17e-6, false},   // all of it is
		{6.2e-6, 6.5e-6, true},    // users waited up to 2.5 times as long
		{6.1e-6, 6.4e-6, false},   // longer
		{0.0159, 0.0166, false},   // the right unit
		{3.99e-3, 4.01e-3, false}, // about as long as the database
	} {
		f := Nesting{}.suspicious(&account.Account{}, layersOf(c.lo, c.hi))
		if told := f != nil && f.Outcome == verdict.Fail && f.Cause == verdict.CauseWrongUnit; told != c.told {
			t.Errorf("a bucket from %v to %v: %+v, want told: %v", c.lo, c.hi, f, c.told)
		}
	}
}
