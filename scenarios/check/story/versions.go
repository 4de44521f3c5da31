package story

import (
	"fmt"
	"math"
	"slices"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// A defect that a release brought is on the instances of one version, and on none of the others. That is said where the
// others had the chance to show it: if they were struck at the same rate, they would have shown nothing with a
// probability of at most one in a thousand. What the rate is of depends on the cause: of requests, of intervals in which
// some were lost, of exits, of starts, or of the time until it was seen.

// byChance is how likely it may be at most that the other versions show nothing although they have it too.
const byChance = 0.001

// What the rate of a cause is of. Counts that are wrong for a cause that is in none of these are so in so many of the
// intervals, for they may be lost in clumps. Of causes that happen once, or to anybody, there is no rate.
var (
	ofRequests = []string{diagnose.NotCounted, diagnose.RateNotSent, diagnose.RateNotApplied, diagnose.Conditional, diagnose.Twice,
		diagnose.Double, diagnose.OtherRoute, diagnose.NoMetric, diagnose.Renamed, diagnose.WrongType}
	ofExits  = []string{diagnose.LostOnExit, diagnose.WindowTwice}
	ofStarts = []string{diagnose.SilentStart, diagnose.FirstLost}
	ofNobody = []string{diagnose.Burst, diagnose.Away, diagnose.NetLost, diagnose.NetTwice, diagnose.ForeignLines,
		diagnose.LargeBuffer, verdict.CauseStall, verdict.CauseDropped, verdict.CauseClock}
)

// release is a version whose instances alone are struck.
type release struct {
	version string
	struck  []string // its instances that are
	of      int      // how many it has in all, that acknowledged something
	others  []string // the other versions
	exact   bool     // these counted exactly what they acknowledged
}

// release tells of which version alone a strand is; nil: of none, or the others had no chance to show it.
func (t *teller) release(s *strand) *release {
	r := release{struck: t.instancesOf(s.findings)}
	for _, name := range r.struck {
		if v := t.life(name).Version; v == "" || r.version != "" && v != r.version {
			return nil
		}
		r.version = t.life(name).Version
	}
	if r.version == "" {
		return nil
	}
	c := t.comparison(s, r)
	if len(c.own) == 0 || len(c.clean) == 0 || t.shows(s, c.clean) || c.unseen() > byChance {
		return nil
	}
	r.of = len(c.own)
	r.exact = s.check == conservation
	for _, l := range c.clean {
		if !slices.Contains(r.others, l.Version) {
			r.others = append(r.others, l.Version)
		}
	}
	for _, v := range t.v.WebVersions {
		r.exact = r.exact && (v.Version == r.version || v.Lost+v.Extra == 0)
	}
	return &r
}

// shows tells whether any of the instances has a finding, also a doubtful one, that may be of the same thing.
func (t *teller) shows(s *strand, clean []record.Lifetime) bool {
	return slices.ContainsFunc(t.v.Findings, func(f verdict.Finding) bool {
		may := f.Check == s.check || f.Cause != "" && f.Cause == s.cause
		return may && f.Outcome != verdict.Pass && slices.ContainsFunc(clean, func(l record.Lifetime) bool { return l.Instance == f.Instance })
	})
}

// only is what is said of a release in a title: " (v2 only)".
func (r *release) only() string {
	if r == nil {
		return ""
	}
	return " (" + r.version + " only)"
}

// told is what is said of it in a sentence.
func (r *release) told() string {
	if r == nil {
		return ""
	}
	who := fmt.Sprintf("%d of the %d instances of %s", len(r.struck), r.of, r.version)
	switch {
	case r.of == 1:
		who = "the one instance of " + r.version
	case len(r.struck) == r.of:
		who = fmt.Sprintf("the %d instances of %s", r.of, r.version)
	}
	clean := "shows nothing of it"
	if len(r.others) > 1 {
		clean = "show nothing of it"
	}
	if r.exact {
		clean = choose(len(r.others) > 1, "are exact", "is exact")
	}
	return fmt.Sprintf("it concerns %s alone; %s %s", who, list(r.others), clean)
}

// comparison is what the rate of a strand is reckoned from.
type comparison struct {
	t          *teller
	s          *strand
	own, clean []record.Lifetime          // the instances of the version, and of the others, that acknowledged something
	acked      map[string][]time.Duration // when requests of the routes were acknowledged, by instance
	finding    map[string]verdict.Finding // the first of each that is struck
}

func (t *teller) comparison(s *strand, r release) comparison {
	c := comparison{t: t, s: s, acked: t.ackedAt(), finding: map[string]verdict.Finding{}}
	for _, i := range s.findings {
		f := t.v.Findings[i]
		if _, known := c.finding[f.Instance]; !known {
			c.finding[f.Instance] = f
		}
	}
	for _, l := range t.lives {
		switch {
		case len(c.acked[l.Instance]) == 0:
		case l.Version == r.version:
			c.own = append(c.own, l)
		case l.Version != "":
			c.clean = append(c.clean, l)
		}
	}
	return c
}

// ackedAt is when the requests were acknowledged that the metrics count, by instance; without such a check all requests.
func (t *teller) ackedAt() map[string][]time.Duration {
	counts := script.Promised[script.Conservation](t.s)
	at := map[string][]time.Duration{}
	for i := range t.h.Requests {
		r := &t.h.Requests[i]
		if r.Outcome == record.Acked && r.Instance != "" &&
			(len(counts) == 0 || slices.ContainsFunc(counts, func(c script.Conservation) bool { return c.Route == r.Route })) {
			at[r.Instance] = append(at[r.Instance], r.Done)
		}
	}
	for _, all := range at {
		slices.Sort(all)
	}
	return at
}

// unseen is how likely it is that the other versions show nothing, if they were struck at the same rate: for the cause
// that would hide best, where several are possible.
func (c comparison) unseen() float64 {
	causes := []string{c.s.cause}
	if c.s.cause == undecided {
		causes = nil
		for _, i := range c.s.findings {
			causes = append(causes, c.t.v.Findings[i].Possible...)
		}
	}
	if len(causes) == 0 {
		return 1
	}
	most := 0.0
	for _, cause := range unique(causes) {
		most = max(most, c.unseenBy(cause))
	}
	return most
}

func (c comparison) unseenBy(cause string) float64 {
	counts := c.s.check == conservation
	switch {
	case slices.Contains(ofNobody, cause):
		return 1
	case slices.Contains(ofExits, cause):
		return c.byExits()
	case slices.Contains(ofStarts, cause):
		return c.byStarts()
	case counts && slices.Contains(ofRequests, cause):
		return c.byRequests()
	case counts:
		return c.byIntervals()
	}
	return c.byFirstSeen()
}

// byRequests: of n requests, each of which is struck with probability p, none is with (1-p)^n.
func (c comparison) byRequests() float64 {
	lost, extra := c.t.sums(c.s.findings)
	p := float64(lost+extra) / float64(c.ackedOf(c.own))
	return math.Pow(1-min(p, 1), float64(c.ackedOf(c.clean)))
}

// byIntervals: of n intervals with requests, in each of which some are lost with the share p of the version's intervals,
// none is lost in any with (1-p)^n.
func (c comparison) byIntervals() float64 {
	counts := script.Promised[script.Conservation](c.t.s)
	if len(counts) != 1 {
		return 1
	}
	var wrong, own, clean int
	for _, l := range c.own {
		n, of := c.intervals(l.Instance, counts[0].Metric)
		wrong, own = wrong+n, own+of
	}
	for _, l := range c.clean {
		_, of := c.intervals(l.Instance, counts[0].Metric)
		clean += of
	}
	if own == 0 {
		return 1
	}
	return math.Pow(1-float64(wrong)/float64(own), float64(clean))
}

// intervals are how many of an instance's had requests, and in how many of these some were lost for good, or counted too
// much: the difference at the end of an interval that is there at the end of each later one too.
func (c comparison) intervals(instance string, metric script.Metric) (wrong, of int) {
	counted, acked := evidence.SumOf(c.t.series().Counts(instance, metric)), c.acked[instance]
	interval := max(c.t.h.Run.Interval, time.Millisecond)
	sign, forever := 1.0, acked[len(acked)-1]+time.Hour
	if float64(len(acked)) < counted.UpTo(forever) {
		sign = -1
	}
	least := sign * (float64(len(acked)) - counted.UpTo(forever))
	for end := acked[len(acked)-1]; ; end -= interval {
		before := evidence.CountUpTo(acked, end-interval)
		gone := max(0, min(least, sign*(float64(before)-counted.UpTo(end-interval))))
		if evidence.CountUpTo(acked, end) > before {
			of++
			if gone < least {
				wrong++
			}
		}
		if least = gone; before == 0 {
			return wrong, of
		}
	}
}

func (c comparison) ackedOf(lives []record.Lifetime) (n int) {
	for _, l := range lives {
		n += len(c.acked[l.Instance])
	}
	return n
}

// byExits: an instance that ends at a random moment of its client's period loses what it acknowledged since the last
// flush. One that acknowledged its last request a time g before its end shows nothing only if it flushed in that time:
// with g/W, if the period is W, for which the longest stretch that was lost stands. q is the share of exits that lost any.
func (c comparison) byExits() float64 {
	var period time.Duration
	var ended, struck int
	for _, l := range c.own {
		f, is := c.finding[l.Instance]
		if l.Signal != sigTerm {
			continue
		}
		ended++
		if is {
			struck++
			period = max(period, l.Signalled-time.Duration(f.From*float64(time.Second)))
		}
	}
	if struck == 0 || period <= 0 {
		return 1
	}
	q, unseen := float64(struck)/float64(ended), 1.0
	for _, l := range c.clean {
		if l.Signal != sigTerm {
			continue
		}
		before, _ := slices.BinarySearch(c.acked[l.Instance], l.Signalled)
		if before == 0 {
			continue
		}
		gap := l.Signalled - c.acked[l.Instance][before-1]
		unseen *= 1 - q*(1-min(1, gap.Seconds()/period.Seconds()))
	}
	return unseen
}

const sigTerm = "SIGTERM"

// byStarts: of n starts, each of which is struck with the share of the version's that are, none is. A start counts whose
// instance answered in the time in which those that are struck lost something.
func (c comparison) byStarts() float64 {
	var within time.Duration
	for name, f := range c.finding {
		within = max(within, time.Duration(f.To*float64(time.Second))-c.t.life(name).Birth)
	}
	started := func(lives []record.Lifetime) (n int) {
		for _, l := range lives {
			if first := c.acked[l.Instance][0]; l.Birth != record.Never && first-l.Birth <= within {
				n++
			}
		}
		return n
	}
	own := started(c.own)
	if own == 0 {
		return 1
	}
	return math.Pow(1-min(1, float64(len(c.finding))/float64(own)), float64(started(c.clean)))
}

// byFirstSeen: what shows at a constant rate per request, and was first seen at k instances after all together had
// acknowledged n, is not seen in m further ones with e^(-mk/n).
func (c comparison) byFirstSeen() float64 {
	var exposed int
	for _, l := range c.own {
		n := len(c.acked[l.Instance])
		if f, is := c.finding[l.Instance]; is && f.From+f.To > 0 {
			at, _ := slices.BinarySearch(c.acked[l.Instance], time.Duration(f.From*float64(time.Second)))
			n = max(1, at)
		}
		exposed += n
	}
	return math.Exp(-float64(c.ackedOf(c.clean)) * float64(len(c.finding)) / float64(max(1, exposed)))
}
