package story

import (
	"cmp"
	"slices"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/tiers"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const undecided = diagnose.Undecided

// The names of checks, as findings have them.
var (
	conservation = tiers.CheckConservation
	requests     = tiers.CheckRequests
	audit        = script.Audit{}.Kind()
	identity     = script.Identity{}.Kind()
	failures     = script.Failures{}.Kind()
	nesting      = script.Nesting{}.Kind()
	gauge        = script.Gauge{}.Kind()
	hygiene      = script.Hygiene{}.Kind()
	shutdown     = script.Shutdown{}.Kind()
	continuity   = script.Continuity{}.Kind()
	correlation  = script.Correlation{}.Kind()
	alert        = script.Alert{}.Kind()
	promQL       = script.PromQL{}.Kind()
	beacons      = script.BeaconsSent{}.Kind()
	twoViews     = script.TwoViews{}.Kind()
	scaling      = script.Scaling{}.Kind()
	parity       = script.Parity{}.Kind()
	latency      = script.Latency{}.Kind()
	availability = script.Availability{}.Kind()
)

// nearness are the checks in the order in which they are near to a defect: what counted
// wrongly before what a timer or a gauge shows of it, and sums and curves last. Checks that
// are not here come behind all.
var nearness = []string{requests, conservation, identity, audit, failures, beacons, nesting, parity, gauge, hygiene, shutdown, continuity}

func distance(check string) int {
	if at := slices.Index(nearness, check); at >= 0 {
		return at
	}
	return len(nearness)
}

// strand is findings that say the same: one cause in one layer, or one check where no cause
// is known.
type strand struct {
	cause, layer, check string // check: of the first finding
	findings            []int
	consequences        []int
}

// having are the findings with an outcome, by their place in the verdict's list.
func (t *teller) having(o verdict.Outcome) (found []int) {
	for i, f := range t.v.Findings {
		if f.Outcome == o && !f.Noticed {
			found = append(found, i)
		}
	}
	return found
}

// strands sorts failures by what they say, and each that only follows from another to that.
// The weightiest is first.
func (t *teller) strands(failed []int) []*strand {
	all := t.sortOut(failed)
	heads := map[*strand]*strand{} // whose own findings all follow from another's
	for _, s := range all {
		var own []int
		for _, i := range s.findings {
			lead := t.leader(i, s, all)
			if lead == nil {
				own = append(own, i)
				continue
			}
			lead.consequences = append(lead.consequences, i)
			heads[s] = lead
		}
		if s.findings = own; len(own) > 0 {
			delete(heads, s)
		}
	}
	var left []*strand
	for _, s := range all {
		lead := s
		for n := 0; heads[lead] != nil && n < len(all); n++ {
			lead = heads[lead]
		}
		if lead != s {
			lead.consequences = append(lead.consequences, s.consequences...)
			continue
		}
		left = append(left, s)
	}
	for _, s := range left {
		t.condense(s)
	}
	slices.SortStableFunc(left, t.compare)
	return left
}

// sortOut gives a strand for each cause, in the order of the findings.
func (t *teller) sortOut(failed []int) (all []*strand) {
	for _, i := range failed {
		f := t.v.Findings[i]
		at := slices.IndexFunc(all, func(s *strand) bool {
			g := t.v.Findings[s.findings[0]]
			switch {
			case s.cause != f.Cause || s.layer != f.Layer:
				return false
			case f.Cause == "":
				return g.Check == f.Check && isSum(g) == isSum(f)
			case f.Cause == undecided:
				return f.Lost > 0 == (g.Lost > 0)
			}
			return true
		})
		if at < 0 {
			at = len(all)
			all = append(all, &strand{cause: f.Cause, layer: f.Layer})
		}
		all[at].findings = append(all[at].findings, i)
	}
	for _, s := range all {
		slices.SortStableFunc(s.findings, func(a, b int) int {
			return cmp.Compare(distance(t.v.Findings[a].Check), distance(t.v.Findings[b].Check))
		})
		s.check = t.v.Findings[s.findings[0]].Check
	}
	return t.join(all)
}

// join adds those of which the record leaves open whether they have the cause of the others,
// and for which it is the likeliest.
func (t *teller) join(all []*strand) []*strand {
	for _, s := range all {
		if s.cause != undecided {
			continue
		}
		s.findings = slices.DeleteFunc(s.findings, func(i int) bool {
			f := t.v.Findings[i]
			for _, other := range all {
				lost, _ := t.sums(other.findings)
				if other != s && len(f.Possible) > 0 && other.cause == f.Possible[0] && other.check == f.Check && lost > 0 == (f.Lost > 0) {
					other.findings = append(other.findings, i)
					return true
				}
			}
			return false
		})
	}
	return slices.DeleteFunc(all, func(s *strand) bool { return len(s.findings) == 0 })
}

// condense leaves of each instance the finding that is nearest to the defect. The others
// show the same once more.
func (t *teller) condense(s *strand) {
	var own []int
	for _, i := range s.findings {
		f := t.v.Findings[i]
		again := slices.ContainsFunc(own, func(k int) bool {
			g := t.v.Findings[k]
			return g.Instance == f.Instance && g.Check != f.Check
		})
		if again {
			s.consequences = append(s.consequences, i)
		} else {
			own = append(own, i)
		}
	}
	s.findings = own
	slices.Sort(s.consequences)
}

// compare puts the weightier first: what is near to the defect before sums and curves, a
// cause that is known before one that is not, and the greater amount.
func (t *teller) compare(a, b *strand) int {
	return cmp.Or(cmp.Compare(t.far(a), t.far(b)), cmp.Compare(unknown(a), unknown(b)), cmp.Compare(t.size(b), t.size(a)), cmp.Compare(distance(a.check), distance(b.check)))
}

// far is 0 for what single instances or requests show, and more for sums and curves.
func (t *teller) far(s *strand) int {
	switch {
	case distance(s.check) >= distance(continuity):
		return 1
	case s.cause == verdict.CauseMetricDiffers, s.cause == "" && t.v.Findings[s.findings[0]].Instance == "":
		return 2
	}
	return 0
}

func unknown(s *strand) int {
	if s.cause == "" || s.cause == undecided {
		return 1
	}
	return 0
}

// size is how many requests are concerned. The numbers of other findings are series, or how
// far a gauge is off.
func (t *teller) size(s *strand) int64 {
	switch s.check {
	case requests, conservation, audit, failures, beacons, nesting, shutdown:
		lost, extra := t.sums(s.findings)
		return lost + extra
	}
	return 0
}

// isSum tells of a finding that it only says over all instances what others say of each.
func isSum(f verdict.Finding) bool {
	return (f.Check == conservation || f.Check == continuity) && f.Layer == record.LayerWeb && f.Instance == "" && f.Cause == "" && f.Lost+f.Extra == 0
}
