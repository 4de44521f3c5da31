package story

import (
	"slices"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// leaders names, for a cause, what brings it about at the same instance, so that it is
// nothing by itself: a datagram that is cut leaves bad lines, tags that end too early, and a
// gauge that misses a change.
var leaders = map[string][]string{
	verdict.CauseTagsVary: {diagnose.Truncated, diagnose.BadLines, diagnose.WrongType, diagnose.ForeignLines, diagnose.Renamed,
		verdict.CauseTypeChange, verdict.CauseForeignTags, verdict.CauseCardinality, verdict.CauseTagsInName},
	verdict.CauseTypeChange:  {diagnose.WrongType},
	verdict.CauseCardinality: {diagnose.Renamed, verdict.CauseTagsInName},
	diagnose.BadLines:        {diagnose.Truncated},
	diagnose.NoMetric:        {diagnose.RareExport, diagnose.Renamed},
	diagnose.Late:            {verdict.CauseFlushInterval, verdict.CauseReset},
	diagnose.Burst:           {verdict.CauseReset, verdict.CauseGoesOn},
	diagnose.RunningTotal:    {verdict.CauseGoesOn, verdict.CauseTemporality, verdict.CauseStartMoves},
	undecided:                {verdict.CauseReset, verdict.CauseGoesOn, verdict.CauseTemporality, verdict.CauseStartMoves, verdict.CauseStartMissing, verdict.CauseValueFell, verdict.CauseRefusedPoints},
	verdict.CauseFrozen:      {verdict.CauseMerged},
	verdict.CauseDrift:       {diagnose.Truncated, diagnose.BadLines, diagnose.NetLost, diagnose.WentSilent, diagnose.SilentStart, diagnose.SilentWorker, diagnose.Away, diagnose.AgentLost, verdict.CauseAgentAway},
}

// sent are the causes by which more requests came to the stack than users sent. What counts
// too many then has counted rightly.
var sent = []string{verdict.CauseForeign, verdict.CauseReplay, verdict.CauseRetry}

// leader is the strand from which a finding only follows; nil: it stands for itself.
func (t *teller) leader(i int, of *strand, all []*strand) *strand {
	for _, s := range all {
		if s != of && len(s.findings) > 0 && t.follows(t.v.Findings[i], of, s) {
			return s
		}
	}
	return nil
}

// follows tells whether a finding, which is in the strand of, says nothing but what lead has
// brought about.
func (t *teller) follows(f verdict.Finding, of, lead *strand) bool {
	switch {
	case isSum(f):
		return t.has(lead, func(g verdict.Finding) bool { return g.Check == f.Check && !isSum(g) })
	case f.Cause == verdict.CauseMetricDiffers:
		return (t.tells(lead) || slices.Contains(sent, lead.cause)) && f.Lost+f.Extra <= f.Bound+t.wrong()
	case f.Check == correlation:
		return t.bends(lead, f.Layer)
	case f.Check == scaling:
		return t.misleads(f, lead)
	case slices.Contains(sent, lead.cause) && f.Extra > 0 && f.Lost == 0:
		return f.Check != requests && t.within(of, f, lead)
	case f.Check == conservation && f.Cause == "" && f.Layer == record.LayerDB:
		return lead.check == audit && lead.cause != verdict.CauseMetricDiffers
	case f.Check == continuity && f.Cause == verdict.CauseFlushInterval && f.Lost == 0 && lead.check == conservation && lead.cause == diagnose.LargeBuffer:
		return true // wherever: clients hold alike
	case f.Instance == "":
		return false
	case !slices.Contains(t.instancesOf(lead.findings), f.Instance):
		return false
	case slices.Contains(leaders[f.Cause], lead.cause):
		return true
	}
	return lead.check == conservation && t.seenAgain(f, lead)
}

// misled are the causes by which a metric led an autoscaler astray.
var misled = []string{verdict.CauseTooSmall, verdict.CauseTooBig, verdict.CauseMissingZero, verdict.CauseDeadCounted}

// slow are the causes by which a fleet was not what was needed. An autoscaler that was led
// astray is no better than what led it.
var slow = []string{verdict.CauseTooLate, verdict.CauseOvershoot, verdict.CauseFlapping, verdict.CauseCostly}

// misleads tells whether what is wrong with a metric has led an autoscaler astray, or what an
// autoscaler that was led astray has brought about.
func (t *teller) misleads(f verdict.Finding, lead *strand) bool {
	late := slices.Contains(slow, f.Cause) && slices.ContainsFunc(t.having(verdict.Fail), func(i int) bool { return slices.Contains(misled, t.v.Findings[i].Cause) })
	switch {
	case late && lead.check == scaling:
		return slices.Contains(misled, lead.cause)
	case f.Cause == verdict.CauseDeadCounted: // by the expression, whatever its series are like
		return false
	}
	return (late || slices.Contains(misled, f.Cause)) && lead.layer == record.LayerWeb &&
		slices.Contains([]string{conservation, continuity, identity, gauge}, lead.check)
}

// seenAgain tells of a finding on an instance whose counts are wrong that it shows the same
// loss in another metric, at its exit or as a gap.
func (t *teller) seenAgain(f verdict.Finding, lead *strand) bool {
	lost, extra := t.sums(lead.findings)
	same := f.Lost > 0 && lost > 0 || f.Extra > 0 && extra > 0
	switch f.Check {
	case shutdown:
		return same
	case identity: // which has nothing of an instance whose counts are not there
		return f.Cause == undecided && lost > 0
	case parity: // of which one side is what is wrong
		return f.Lost <= lost+extra+f.Bound
	case nesting: // a timer of the same requests, which by itself tells less
		return same && (lead.cause == undecided || f.Cause == undecided)
	case continuity:
		return lost > 0 && (f.Cause == "" || f.Cause == undecided) && t.has(lead, func(g verdict.Finding) bool {
			return g.Instance == f.Instance && g.From <= f.To && g.To >= f.From
		})
	}
	return false
}

// bends tells whether what is wrong shows in the curve of a layer.
func (t *teller) bends(lead *strand, layer string) bool {
	switch {
	case slices.Contains(sent, lead.cause):
		return true
	case layer == record.LayerWeb && lead.layer == layer:
		return t.size(lead) > 0 || lead.cause == diagnose.Late || lead.cause == verdict.CauseFlushInterval
	}
	return layer == record.LayerDB && lead.check == audit
}

// wrong is by how much a metric and the database can differ, by what is wrong with either.
func (t *teller) wrong() (n int64) {
	for _, i := range t.having(verdict.Fail) {
		f := t.v.Findings[i]
		switch {
		case f.Check == conservation && f.Instance != "" && f.Layer == record.LayerWeb:
			n += f.Lost + f.Extra + f.Bound
		case f.Check == audit, f.Check == requests:
			n += f.Lost + f.Extra
		}
	}
	return n
}

// tells is true of what is wrong with counts or writes, by which a metric and the database
// differ.
func (t *teller) tells(lead *strand) bool {
	return lead.cause != verdict.CauseMetricDiffers && t.has(lead, func(g verdict.Finding) bool {
		spoiled := g.Cause == verdict.CauseReset || g.Cause == verdict.CauseGoesOn
		return g.Check == audit || g.Instance != "" && g.Layer == record.LayerWeb && (spoiled || g.Check == conservation && g.Lost+g.Extra > 0)
	})
}

// within tells whether what is too much in a ledger is no more than came to the stack.
func (t *teller) within(of *strand, f verdict.Finding, lead *strand) bool {
	var extra, came int64
	for _, i := range of.findings {
		if g := t.v.Findings[i]; g.Check == f.Check && g.Layer == f.Layer && (g.Instance == "") == (f.Instance == "") {
			extra += g.Extra
		}
	}
	for _, i := range lead.findings {
		came += t.v.Findings[i].Extra + t.v.Findings[i].Bound
	}
	if f.Instance == "" {
		extra = f.Extra
	}
	return extra <= came
}

func (t *teller) has(s *strand, what func(verdict.Finding) bool) bool {
	return slices.ContainsFunc(s.findings, func(i int) bool { return what(t.v.Findings[i]) })
}
