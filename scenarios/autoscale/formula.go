package autoscale

import "slices"

// propose applies the formula, its tolerance, and what stands in for who is missing. It fills in Value, Missing,
// Proposed and Because.
func (p Policy) propose(d *Decision) {
	d.Proposed = NoProposal
	if p.Form == Mean {
		d.Missing = missing(d)
	}
	switch {
	case p.Outside(d.Had):
		d.Because = OutOfBounds
	case d.Error != "":
		d.Because = NoMetric
	case p.Form == Mean:
		p.proposeMean(d)
	default:
		p.proposeSum(d)
	}
}

// tolerates tells whether a ratio is so near to 1 that nothing changes; both ends are. The order of the terms is
// Kubernetes', since 1-0.1 and 1+0.1 are no round numbers.
func (p Policy) tolerates(ratio float64) bool {
	return 1.0-p.Tolerance <= ratio && ratio <= 1.0+p.Tolerance
}

// proposeSum is GetExternalPerPodMetricReplicas: the present number has a part in the tolerance alone.
func (p Policy) proposeSum(d *Decision) {
	sum, n := 0.0, 0
	for _, s := range d.Samples {
		if s.counts() {
			sum, n = sum+s.Value, n+1
		}
	}
	switch {
	case n > 0 && finite(sum):
		d.Value = &sum
	case n > 0 || p.Missing != Zero:
		d.Because = NoMetric
		return
	}
	if p.tolerates(sum / (p.Target * float64(d.Had))) {
		d.Proposed, d.Because = d.Had, Within
		return
	}
	d.Proposed, d.Because = ceil(sum/p.Target, d.Had), Formula
}

// usage are samples on their way through the formula.
type usage struct {
	total float64
	n     int
}

func (u *usage) add(value float64, times int) {
	for range times {
		u.total += value
	}
	u.n += times
}

func (u usage) mean() float64 { return u.total / float64(u.n) }

// proposeMean is calcPlainMetricReplicas.
func (p Policy) proposeMean(d *Decision) {
	u := ready(d)
	if u.n > 0 {
		mean := u.mean()
		if !finite(mean) {
			d.Because = NoMetric
			return
		}
		d.Value = &mean
	}
	absent := 0
	switch p.Missing {
	case Zero:
		u.add(0, len(d.Missing))
	case Hold:
		absent = len(d.Missing)
	}
	if u.n == 0 {
		d.Because = NoMetric
		return
	}
	ratio := u.mean() / p.Target
	unready := 0
	if ratio > 1 {
		unready = len(d.Unready)
	}
	if unready == 0 && absent == 0 {
		if p.tolerates(ratio) {
			d.Proposed, d.Because = d.Had, Within
			return
		}
		d.Proposed, d.Because = ceil(ratio*float64(u.n), d.Had), Formula
		return
	}
	p.fillIn(d, u, ratio, absent, unready)
}

// fillIn proposes with something in the place of who has no sample that can be believed: what would make the fleet
// move least. Where that is another direction than ratio's, nothing changes.
func (p Policy) fillIn(d *Decision, u usage, ratio float64, absent, unready int) {
	d.Proposed, d.Because = d.Had, MissingSome
	if p.tolerates(ratio) {
		d.Because = Within // whatever stands in, it does not make the ratio go further away from 1
	}
	switch {
	case ratio < 1:
		u.add(p.Target, absent)
	case ratio > 1:
		u.add(0, absent+unready)
	}
	filled := u.mean() / p.Target
	if p.tolerates(filled) || ratio < 1 && filled > 1 || ratio > 1 && filled < 1 {
		return
	}
	n := ceil(filled*float64(u.n), d.Had)
	if filled < 1 && n > d.Had || filled > 1 && n < d.Had {
		return
	}
	d.Proposed, d.Because = n, Formula
}

// ready sums up the samples of who is ready, in their order; of two samples of one instance the first counts.
func ready(d *Decision) usage {
	var u usage
	seen := map[string]bool{}
	for _, s := range d.Samples {
		if s.counts() && !seen[s.Instance] && slices.Contains(d.Ready, s.Instance) {
			seen[s.Instance] = true
			u.add(s.Value, 1)
		}
	}
	return u
}

// missing are those who are ready and have no sample that counts.
func missing(d *Decision) []string {
	var names []string
	for _, name := range d.Ready {
		if !slices.ContainsFunc(d.Samples, func(s Sample) bool { return s.Instance == name && s.counts() }) {
			names = append(names, name)
		}
	}
	return names
}
