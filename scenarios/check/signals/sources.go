package signals

import (
	"fmt"
	"math"
	"slices"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// TwoSources holds what an agent inside each instance counts of its CPU against what the hypervisor counts, as CloudWatch
// tells it. No tolerance is needed for that: the two are sums, and differ at a moment by no more than what the agent
// has not told yet. Where that is not older than a period, what the agent's counter grew from the end of period 2 to
// the end of period 6 was used in periods 2 to 6, and all that was used in periods 3 to 5 is in it:
//
//	period           1     2     3     4     5     6
//	hypervisor, s    0.20  0.21  0.19  0.20  0.22  0.20
//	agent, sum s   0.17  0.38  0.57  0.76  0.98  1.19      grew by 0.81 since 0.38
//	                                                       at least 0.19+0.20+0.22 = 0.61, at most 0.21+…+0.20 = 1.02
type TwoSources struct{ Promise script.TwoViews }

// clockTicks is what the sums may differ by because the host counts the time of processes in ticks of 10 ms, user and
// system apart, and cuts off the rest. Source: proc_pid_stat(5), utime and stime.
const clockTicks = 50 * time.Millisecond

// compared is what two sources tell of an instance's CPU.
type compared struct {
	l     record.Lifetime
	by    record.Monitoring
	ends  []time.Duration // of periods, one more than there are
	told  []float64       // what the hypervisor has counted up to them, in seconds
	agent []float64       // and what the agent has
	late  time.Duration   // that the agent may be
	wide  int             // how many periods that is
	first int             // the first end from which the agent's growth is known
}

// Judge looks at all instances, or says why it cannot.
func (c TwoSources) Judge(e *evidence.Index) verdict.Result {
	var out []verdict.Finding
	var alike []string
	short, because := 0, ""
	for _, l := range e.Lives {
		of, missing := c.compare(e, l)
		if missing != "" {
			short, because = short+1, fmt.Sprintf("of %s %s", l.Instance, missing)
			continue
		}
		if f, differs := c.differ(e, of); differs {
			out = append(out, f)
			continue
		}
		n := len(of.ends) - 1
		alike = append(alike, fmt.Sprintf("%s %.2f s and %.2f s from %s to %s", l.Instance, of.told[n]-of.told[of.first], of.agent[n]-of.agent[of.first], words.Seconds(of.ends[of.first]), words.Seconds(of.ends[n])))
	}
	switch {
	case len(alike) == 0 && len(out) == 0:
		out = append(out, c.say(verdict.Inconclusive, "", "two views of CPU by CloudWatch and %s: nothing can be compared, %s", c.Promise.Agent, because))
	case len(alike) > 0:
		rest := ""
		if short > 0 {
			rest = fmt.Sprintf("; %s lived too shortly to be compared", words.Times(int64(short), "instance"))
		}
		out = append(out, c.say(verdict.Pass, "", "two views of CPU by CloudWatch and %s: they agree of %s (%s%s)", c.Promise.Agent, words.Times(int64(len(alike)), "instance"), words.Some(alike), rest))
	}
	return verdict.Result{Findings: out}
}

func (c TwoSources) say(o verdict.Outcome, instance, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkTwoViews, Outcome: o, Layer: record.LayerWeb, Instance: instance, Summary: fmt.Sprintf(format, args...)}
}

// compare lays out the longest run of whole periods of an instance; missing says why there is none that tells anything.
func (c TwoSources) compare(e *evidence.Index, l record.Lifetime) (of compared, missing string) {
	all, by, missing := periodsOf(e, l)
	if missing != "" {
		return of, missing
	}
	run := longestWhole(all)
	of = compared{l: l, by: by}
	if len(run) == 0 {
		return of, "no whole period was told"
	}
	sum := 0.0
	for i, p := range run {
		if i == 0 {
			of.ends, of.told = append(of.ends, p.from), append(of.told, 0)
		}
		sum += p.share * float64(by.CPUs) * by.Period.Seconds()
		of.ends, of.told = append(of.ends, p.from+by.Period), append(of.told, sum)
	}
	// The agent tells so often, its client waits, the interval ends; and the hypervisor looks once a second.
	stall, flush := e.Delays(of.ends[0], of.ends[len(run)])
	of.late = c.Promise.Every + c.Promise.ClientWindow + e.Interval + time.Second + max(stall, flush)
	of.wide = int((of.late + by.Period - 1) / by.Period)
	if missing = c.agent(e, &of); missing != "" {
		return of, missing
	}
	if n := len(of.ends) - 1; n < of.first+2*of.wide {
		return of, fmt.Sprintf("only %s told in a row, and the agent may be %s late: want %d more", wholePeriods(len(run)), words.Seconds(of.late), of.first+2*of.wide-n)
	}
	return of, ""
}

func wholePeriods(n int) string {
	if n == 1 {
		return "1 whole period was"
	}
	return fmt.Sprintf("%d whole periods were", n)
}

// longestWhole is the longest run of whole periods.
func longestWhole(all []period) (longest []period) {
	for from := 0; from < len(all); from++ {
		to := from
		for to < len(all) && all[to].whole {
			to++
		}
		if to-from > len(longest) {
			longest = all[from:to]
		}
		from = max(from, to)
	}
	return longest
}

// agent fills in what the agent has counted. An agent that stood still before an end had no chance to tell.
func (c TwoSources) agent(e *evidence.Index, of *compared) (missing string) {
	series := e.Counters(of.l.Instance, c.Promise.Agent)
	began := evidence.Forever
	for _, s := range series {
		if len(s.Points) > 0 {
			began = min(began, s.Points[0].At)
		}
	}
	if began == evidence.Forever {
		return fmt.Sprintf("there is no counter %s", c.Promise.Agent)
	}
	still := func(at time.Duration) bool { return e.Still(of.l.Instance, at-of.late, at) > 0 }
	for len(of.ends) > 1 && still(of.ends[len(of.ends)-1]) {
		of.ends, of.told = of.ends[:len(of.ends)-1], of.told[:len(of.told)-1]
	}
	of.first = of.wide
	for of.first < len(of.ends) && (of.ends[of.first] < began || still(of.ends[of.first])) {
		of.first++
	}
	for _, end := range of.ends {
		sum := 0.0
		for _, s := range series {
			sum += upTo(s, end+e.Interval/10)
		}
		of.agent = append(of.agent, sum*c.Promise.Unit.Seconds())
	}
	return ""
}

// upTo is the last value of a counter up to a moment; 0 before its first.
func upTo(s *record.Series, at time.Duration) (value float64) {
	for _, p := range s.Points {
		if p.At > at {
			break
		}
		if p.HasNumber() {
			value = p.Value
		}
	}
	return value
}

// stretch is where the two differ most: what the agent's counter grew, and what it may have grown by.
type stretch struct {
	from, to        time.Duration
	told, agent     float64
	atLeast, atMost float64
	beyond          float64 // how much it is beyond that; above 0: too much, below: too little
}

// worst is the stretch in which the agent's counter is farthest beyond what the hypervisor allows. What is too much is looked for
// from the first end on, and what is too little up to the last: what an agent tells late is missing for a while only.
func (of *compared) worst() (worst stretch) {
	last := len(of.ends) - 1
	take := func(i, j int) {
		s := stretch{from: of.ends[i], to: of.ends[j], told: of.told[j] - of.told[i], agent: of.agent[j] - of.agent[i],
			atLeast: max(0, of.told[max(i, j-of.wide)]-of.told[i]-clockTicks.Seconds()), atMost: of.told[j] - of.told[i-of.wide] + clockTicks.Seconds()}
		switch {
		case s.agent > s.atMost && i == of.first:
			s.beyond = s.agent - s.atMost
		case s.agent < s.atLeast && j == last:
			s.beyond = s.agent - s.atLeast
		}
		if math.Abs(s.beyond) > math.Abs(worst.beyond) || worst.to == 0 {
			worst = s
		}
	}
	for j := of.first + 1; j <= last; j++ {
		take(of.first, j)
	}
	for i := of.first + 1; i < last; i++ {
		take(i, last)
	}
	return worst
}

// differ tells of an instance of which the two disagree.
func (c TwoSources) differ(e *evidence.Index, of compared) (f verdict.Finding, differs bool) {
	w := of.worst()
	if w.beyond == 0 {
		return f, false
	}
	f = c.say(verdict.Fail, of.l.Instance, "two views of the CPU of %s from %s to %s: the hypervisor counted %.2f s, as CloudWatch tells, and the agent inside %.2f s (%s), which may be %.2f to %.2f s", of.l.Instance,
		words.Seconds(w.from), words.Seconds(w.to), w.told, w.agent, c.Promise.Agent, w.atLeast, w.atMost)
	f.From, f.To, f.Cause = w.from.Seconds(), w.to.Seconds(), verdict.CauseViewsDiffer
	switch {
	case e.DroppedOf(of.l.Instance, c.Promise.Agent) && w.beyond < 0:
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary += ", but the collector's socket dropped datagrams: the rest may have been lost there"
	case collectorAway(e, w) && w.beyond < 0:
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseUnexplained
		f.Summary += ", but the collector was away meanwhile: what the agent then told is lost"
	case of.isMachine(e, w):
		f.Cause = verdict.CauseMachine
		f.Summary += "; what the whole machine used is that"
	}
	return f, true
}

// collectorAway tells whether there was no collector for a while.
func collectorAway(e *evidence.Index, w stretch) bool {
	away := func(name string) bool {
		return script.IsFault[script.RestartCollector](name) || script.IsFault[script.KillCollector](name)
	}
	return slices.ContainsFunc(e.FaultSpans(away), func(s evidence.FaultSpan) bool { return s.From < w.to && s.To > w.from })
}

// isMachine tells whether what the agent counted is what the machine used in that time: all that /proc/stat has but idle time.
func (of *compared) isMachine(e *evidence.Index, w stretch) bool {
	var modes []*record.Series
	for _, s := range e.PolledOf(record.AgentSeconds, of.l.Instance) {
		if mode := s.Labels.Get("mode"); mode != "idle" && mode != "iowait" {
			modes = append(modes, s)
		}
	}
	// The machine is looked at once in an interval.
	before := func(at time.Duration) (sum float64) {
		for _, s := range modes {
			sum += upTo(s, at+e.Interval/10)
		}
		return sum
	}
	after := func(at time.Duration) float64 { return before(at + e.Interval) }
	atLeast := before(w.to-of.late) - after(w.from) - clockTicks.Seconds()
	atMost := after(w.to) - before(w.from-of.late) + clockTicks.Seconds()
	return len(modes) > 0 && w.beyond > 0 && w.agent >= atLeast && w.agent <= atMost
}
