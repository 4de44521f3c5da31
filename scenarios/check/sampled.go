package check

import (
	"fmt"
	"math"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
)

// interval is the range of counts that sampling can have made of between lo
// and hi requests, each kept with probability p: outside of it a count has a
// probability under alpha/2 on its side. The test is exact; it is the one that
// the interval of Clopper and Pearson inverts.
// Source: https://doi.org/10.1093/biomet/26.4.404
func sampledRange(lo, hi int64, p, alpha float64) (least, most int64) {
	low := distuv.Binomial{N: float64(lo), P: p}
	least = int64(sort.Search(int(lo), func(n int) bool { return low.CDF(float64(n)) >= alpha/2 }))
	high := distuv.Binomial{N: float64(hi), P: p}
	// The greatest n with P(X ≥ n) ≥ alpha/2.
	most = int64(sort.Search(int(hi), func(n int) bool { return 1-high.CDF(float64(n)) < alpha/2 }))
	return least, most
}

// sampling is what a declared sample rate can have made of an account.
type sampling struct {
	lo, hi      int64 // requests that may have been counted
	least, most int64 // measurements that may have been kept of them
	kept        int64
	fits        bool
}

// sampling compares the measurements that came with what sampling can have made of the
// requests. Of many instances one would miss its interval by chance: the chance of a false
// alarm is shared out among them (Bonferroni).
func (a *account) sampling(instances int) sampling {
	n := int64(len(a.acked))
	s := sampling{lo: max(0, n-a.buffer), hi: n + a.sum(), kept: a.sampled}
	s.least, s.most = sampledRange(s.lo, s.hi, a.rule.SampleRate, (1-a.rule.Confidence)/float64(max(1, instances)))
	if s.kept < 0 {
		s.kept = whole(float64(a.total) * a.rule.SampleRate)
	}
	scaled := math.Abs(float64(a.total)-float64(s.kept)/a.rule.SampleRate) <= 1+0.005*float64(a.total)
	exact := a.sampled == a.total && a.total >= s.lo && a.total <= s.hi
	s.fits = exact || scaled && s.kept >= s.least && s.kept <= s.most
	return s
}

// judgeSampled compares an account whose client was told to sample.
func (a *account) judgeSampled(b books) ([]verdict.Finding, []verdict.Residual) {
	n := int64(len(a.acked))
	s := a.sampling(len(b.accounts))
	residual := verdict.Residual{Between: verdict.UsersWeb, Instance: a.life.Instance, Cause: verdict.CauseSampling,
		Lost: max(0, n-a.total), Extra: max(0, a.total-n), Bound: a.sampledWidth(s)}
	if s.fits {
		if residual.Lost+residual.Extra == 0 {
			return nil, nil
		}
		return nil, []verdict.Residual{residual}
	}
	f := a.finding(verdict.Fail)
	f.Bound, f.Lost, f.Extra = residual.Bound, residual.Lost, residual.Extra
	expected := fmt.Sprintf("%s acknowledged at sample rate %g make %s to %s measurements (%g %% confidence for all instances together), and %s came, counted as %s",
		words.Times(n, a.rule.Route), a.rule.SampleRate, words.Number(s.least), words.Number(s.most), 100*a.rule.Confidence, words.Number(s.kept), words.Number(a.total))
	if a.dropped && s.kept < s.least {
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary = fmt.Sprintf("%s: %s, but the collector's socket dropped datagrams: they may have been lost there", a.life.Instance, expected)
		residual.Cause = verdict.CauseDropped
		return []verdict.Finding{f}, []verdict.Residual{residual}
	}
	d := b.diagnosis(a)
	blame(&f, d)
	f.Summary = fmt.Sprintf("%s: %s; %s", a.life.Instance, expected, d.Why)
	residual.Cause = verdict.CauseUnexplained
	return []verdict.Finding{f}, []verdict.Residual{residual}
}

// sampledWidth is how far the scaled count may be from the acknowledged.
func (a *account) sampledWidth(s sampling) int64 {
	n := int64(len(a.acked))
	below := float64(n) - float64(s.least)/a.rule.SampleRate
	above := float64(s.most)/a.rule.SampleRate - float64(n)
	return int64(math.Ceil(max(below, above, float64(s.hi-s.lo))))
}
