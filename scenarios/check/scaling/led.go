package scaling

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// led asks whether the metric led the autoscaler right: at no more than a declared share of its
// decisions did it want fewer or more instances than the truth calls for.
func (j *judging) led() []verdict.Finding {
	t := j.truth()
	if len(t.known) == 0 {
		return []verdict.Finding{j.finding(verdict.Inconclusive, "nobody knows whether %s led the autoscaler right: %s", j.on, j.promising())}
	}
	all, err := j.admitted(t)
	if err != nil {
		return []verdict.Finding{j.finding(verdict.Inconclusive, "the autoscaler cannot be asked again with the truth: %v", err)}
	}
	found := j.episodes(all)
	strayed := 0
	for _, x := range found {
		strayed += x.decisions
	}
	share := float64(strayed) / float64(len(j.decisions))
	if share <= j.Promise.Astray {
		return []verdict.Finding{j.ledRight(t, strayed)}
	}
	sums := sumUp(found)
	weighty := func(x episode) bool { return float64(x.decisions) > j.Promise.Astray*float64(len(j.decisions)) }
	some := slices.ContainsFunc(sums, weighty)
	var out []verdict.Finding
	for _, x := range sums {
		if !some || weighty(x) { // what is rare beside that is told of no cause of its own
			out = append(out, j.astray(t, all, x))
		}
	}
	return out
}

// promising tells what to add so that somebody knows what is true of the expression.
func (j *judging) promising() string {
	for _, s := range j.held {
		switch {
		case s.IsCounter():
			return fmt.Sprintf("no check promises what it counts; add conservation: {metric: %s, route: …}", s.Meta.Sent)
		case s.Meta.Sent != "" && s.Meta.Type == "gauge":
			return fmt.Sprintf("no check promises what it shows; add gauge: {metric: %s, at_rest: 0}, if it is of the requests in flight", s.Meta.Sent)
		}
	}
	if len(j.held) == 0 {
		return "no series of this run was ever asked for by it; mend autoscale.on"
	}
	return "it asks for no counter and no gauge of the instances; what else there is the users' ledger does not know"
}

func (j *judging) ledRight(t truth, strayed int) verdict.Finding {
	text := fmt.Sprintf("%s led the autoscaler right: ", namesOf(t.known))
	if strayed == 0 {
		text += fmt.Sprintf("none of %s is another than the truth calls for", words.Times(len(j.decisions), "decision"))
	} else {
		text += fmt.Sprintf("%d of %s (%s) %s another than the truth calls for, which astray: %g allows", strayed, words.Times(len(j.decisions), "decision"),
			percent(float64(strayed)/float64(len(j.decisions))), isAre(strayed), j.Promise.Astray)
	}
	return j.finding(verdict.Pass, "%s", text)
}

func namesOf(metrics []script.Metric) string {
	var names []string
	for _, m := range metrics {
		names = append(names, string(m))
	}
	return strings.Join(names, ", ")
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// percent writes a share: "3.8 %".
func percent(share float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", 100*share), ".0") + " %"
}

// episode is a stretch of decisions that are astray in one direction.
type episode struct {
	cause     string
	way       int // below 0: too few were wanted
	from, to  time.Duration
	decisions int
	long      time.Duration
	most      int     // instances by which it was off
	off       float64 // instance-seconds
	first     int     // the place of the first decision
	worst     int     // and of the one that is off furthest, the first of several
}

// episodes finds the decisions that the truth does not allow.
func (j *judging) episodes(all []admissible) []episode {
	var out []episode
	was := 0
	for k := range all {
		d, by := j.decisions[k], 0
		switch {
		case d.Wanted < all[k].least:
			by = d.Wanted - all[k].least
		case d.Wanted > all[k].most:
			by = d.Wanted - all[k].most
		}
		way := cmp.Compare(by, 0)
		if way != 0 && way != was {
			out = append(out, episode{cause: j.causeOf(d, all[k], way), way: way, from: d.At, first: k, worst: k})
		}
		if was = way; way == 0 {
			continue
		}
		x, n := &out[len(out)-1], max(by, -by)
		if n > x.most {
			x.most, x.worst = n, k
		}
		x.decisions, x.long, x.to = x.decisions+1, x.long+j.lasts(k), d.At+j.lasts(k)
		x.off += float64(n) * j.lasts(k).Seconds()
	}
	return out
}

// causeOf is why a decision, which began to be astray in a direction, is.
func (j *judging) causeOf(d autoscale.Decision, x admissible, way int) string {
	absent := len(d.Samples) == 0 && d.Error == "" || len(d.Missing) > 0
	switch {
	case x.dead:
		return verdict.CauseDeadCounted
	case way < 0 && absent && j.policy.Missing == autoscale.Zero:
		return verdict.CauseMissingZero
	case way < 0:
		return verdict.CauseTooSmall
	}
	return verdict.CauseTooBig
}

// sumUp adds up the episodes of each cause, the weightiest cause first.
func sumUp(all []episode) []episode {
	var out []episode
	for _, x := range all {
		i := slices.IndexFunc(out, func(o episode) bool { return o.cause == x.cause && o.way == x.way })
		if i < 0 {
			out = append(out, x)
			continue
		}
		o := &out[i]
		if x.most > o.most {
			o.most, o.worst = x.most, x.worst
		}
		o.to = x.to
		o.decisions, o.long, o.off = o.decisions+x.decisions, o.long+x.long, o.off+x.off
	}
	slices.SortStableFunc(out, func(a, b episode) int { return cmp.Compare(b.off, a.off) })
	return out
}

// astray is the finding about the decisions of one cause.
func (j *judging) astray(t truth, all []admissible, x episode) verdict.Finding {
	size := "small"
	if x.way > 0 {
		size = "big"
	}
	first := j.decisions[x.first]
	where := fmt.Sprintf("where it was %s and %s is true", j.value(first.Samples, first.Error), j.value(all[x.first].samples, ""))
	if was, is := total(first.Samples), total(all[x.first].samples); first.Error == "" && cmp.Compare(was, is) != x.way {
		where = "by what it had said before" // windows and a fleet of another size remember it
	}
	f := j.finding(verdict.Fail, "the fleet was too %s for %s, by up to %s: the metric led %d of %s astray (%.1f instance-seconds), first at %s, %s%s",
		size, words.Seconds(x.long), words.Times(x.most, "instance"), x.decisions, words.Times(len(j.decisions), "decision"), x.off, words.Seconds(first.At),
		where, j.blame(t, j.decisions[x.worst].At))
	f.Cause = x.cause
	if slices.ContainsFunc(j.wrongAt(t, j.decisions[x.worst].At), j.e.Dropped) {
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary += ", but the collector's socket dropped datagrams, which may have had them"
	}
	if who := j.wrongAt(t, j.decisions[x.worst].At); len(who) == 1 {
		f.Instance = who[0]
	}
	return between(f, x.from, x.to)
}

// total adds samples up.
func total(samples []autoscale.Sample) (sum float64) {
	for _, s := range samples {
		if !math.IsNaN(s.Value) {
			sum += s.Value
		}
	}
	return sum
}

// value is the sum, or the mean, of samples as a finding has it.
func (j *judging) value(samples []autoscale.Sample, failed string) string {
	if failed != "" {
		return "not to be had (" + failed + ")"
	}
	switch n := len(samples); {
	case n == 0:
		return "absent"
	case j.policy.Form == autoscale.Mean:
		return fmt.Sprintf("%.4g in the mean of %d", total(samples)/float64(n), n)
	}
	return fmt.Sprintf("%.4g", total(samples))
}

// offAt is by how much the counters of each instance are off at a time; below 0: too many.
func (t truth) offAt(at time.Duration) map[string]float64 {
	k, there := slices.BinarySearch(t.grid, at)
	if !there {
		k--
	}
	out := map[string]float64{}
	for instance, off := range t.off {
		if k >= 0 && k < len(off) && off[k] != 0 {
			out[instance] = off[k]
		}
	}
	return out
}

// wrongAt are the instances whose counters are off at a time.
func (j *judging) wrongAt(t truth, at time.Duration) (names []string) {
	for instance := range t.offAt(at) {
		names = append(names, instance)
	}
	slices.SortFunc(names, record.CompareNames)
	return names
}

// blame tells what of whose counts is missing, or too much, at a time.
func (j *judging) blame(t truth, at time.Duration) string {
	off := t.offAt(at)
	names := j.wrongAt(t, at)
	if len(names) == 0 {
		return ""
	}
	var lost, extra float64
	for _, name := range names {
		lost, extra = lost+max(0, off[name]), extra+max(0, -off[name])
	}
	var parts []string
	if lost > 0 {
		parts = append(parts, words.Times(int64(math.Ceil(lost)), "count")+" too few")
	}
	if extra > 0 {
		parts = append(parts, words.Times(int64(math.Ceil(extra)), "count")+" too many")
	}
	return fmt.Sprintf("; %s had %s by %s", words.Some(names), strings.Join(parts, " and "), words.Seconds(at))
}
