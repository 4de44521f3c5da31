package signals

import (
	"slices"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// A newcomer learns its tags from a cloud, or from an agent beside it, and that takes a moment. One that
// reports meanwhile has two series: of fullstack.insert, 48 inserts to 3.1 s without a role, and all
// later ones with role="web". A sum by role has a dip whenever somebody comes.

// beforeTags finds, of the two series of an instance, the one without tags that ends where the one with them
// begins; nil: they are not such two. Lines of one moment may be in either of two intervals.
func beforeTags(e *evidence.Index, own []*record.Series) (bare, full *record.Series) {
	if len(own) != 2 {
		return nil, nil
	}
	bare, full = own[0], own[1]
	if len(bare.Labels) > len(full.Labels) {
		bare, full = full, bare
	}
	fewer := len(bare.Labels) < len(full.Labels) &&
		!slices.ContainsFunc(bare.Labels, func(l collector.Label) bool { return full.Labels.Get(l.Name) != l.Value })
	_, last := measuredFrom(bare)
	first, _ := measuredFrom(full)
	if !fewer || last > first+e.Interval {
		return nil, nil
	}
	return bare, full
}

// measuredFrom gives the first and the last time at which a series was measured.
func measuredFrom(s *record.Series) (first, last time.Duration) {
	first, last = record.Never, record.Never
	for _, p := range s.Points {
		if p.Observed == 0 {
			continue
		}
		if first == record.Never {
			first = p.At
		}
		last = p.At
	}
	return first, last
}

// early is about an instance that reports before it has its tags.
func (c Identity) early(l record.Lifetime, bare, full *record.Series) verdict.Finding {
	first, last := measuredFrom(bare)
	f := c.finding(verdict.Fail, l.Instance, "%s reported before it had its tags: to %s it sent %s, and then %s", l.Instance,
		words.Seconds(last), labelled(bare), labelled(full))
	f.Extra, f.Cause = 1, verdict.CauseLateTags
	f.From, f.To = first.Seconds(), last.Seconds()
	return f
}
