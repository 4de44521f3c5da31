package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// The made-up CloudWatch has periods of 5 s, which begin at whole multiples of 5 s in the run, and tells them 2 s late. 100
// percent are two CPUs.
const (
	cloudPeriod = 5 * time.Second
	cloudDelay  = 2 * time.Second
)

func watchedTalk(checks string) plan {
	return plan{seed: 1, instances: 3, rate: 40, stack: "  cloudwatch: {period: 5s, delay: 2s}\n", checks: checks, phases: []act{
		{"warm-up", nil, 12 * time.Second},
		{"one is replaced", []string{"kill web-2", "launch 1"}, 24 * time.Second},
	}}
}

const (
	agrees  = "  - two-views: {agent: app.cpu, unit: ms, every: 1s}\n"
	periods = "  - continuity: {source: cloudwatch}\n"
)

// cores is what an instance uses at a moment: more, and less, by the second.
func cores(at time.Duration) float64 { return 0.1 + 0.05*float64(int(at.Seconds())%3) }

// used is what it has used up to a moment.
func used(birth, at time.Duration) (sum float64) {
	for t := birth; t < at; t += 100 * time.Millisecond {
		sum += 0.1 * cores(t)
	}
	return sum
}

// told is what CloudWatch tells of one period of an instance: of how many of its seconds, and the percentage of the two CPUs.
type told struct {
	seconds int
	percent float64
}

// monitored makes a run in which CloudWatch and an agent tell of CPU: change alters what is told of a period, and agent gives what it has
// counted at a moment, in seconds.
func monitored(p plan, change func(instance string, from time.Duration, t *told), agent func(instance string, birth, at time.Duration) float64) record.History {
	w := p.world()
	for i := range w.h.Events {
		if e := &w.h.Events[i]; e.Kind == record.Birth && e.Role == record.Web {
			e.Cloud = &record.Cloud{ID: "i-" + e.Instance, Monitoring: &record.Monitoring{Period: cloudPeriod, Delay: cloudDelay, CPUs: 2, Samples: 5}}
		}
	}
	polls := record.Series{Name: record.PollSuccess, Labels: collector.NewLabels("poller", record.CloudWatchPoller), Meta: collector.Meta{Type: collector.Gauge}}
	last := time.Duration(0)
	for _, t := range w.ticks() {
		polls.Points = append(polls.Points, record.Point{At: t, Value: 1, Observed: 1})
		last = t
	}
	w.h.Series = append(w.h.Series, polls)
	for _, b := range w.beings {
		of := func(name string, meta collector.Meta) record.Series {
			return record.Series{Name: name, Labels: collector.NewLabels("instance", b.name), Meta: meta}
		}
		average, samples := of(record.HypervisorCPU, collector.Meta{Type: collector.Gauge}), of(record.HypervisorSamples, collector.Meta{Type: collector.Gauge})
		for from := b.birth.Truncate(cloudPeriod); from+cloudPeriod+cloudDelay <= last && from < b.death; from += cloudPeriod {
			begin, end := max(from, b.birth), min(from+cloudPeriod, b.death)
			t := told{seconds: int((end - begin) / time.Second), percent: 50 * (used(b.birth, end) - used(b.birth, begin)) / (end - begin).Seconds()}
			if change != nil {
				change(b.name, from, &t)
			}
			if t.seconds > 0 {
				average.Points = append(average.Points, record.Point{At: from, Value: t.percent, Observed: 1})
				samples.Points = append(samples.Points, record.Point{At: from, Value: float64(t.seconds), Observed: 1})
			}
		}
		w.h.Series = append(w.h.Series, average, samples)
		if agent == nil {
			continue
		}
		count := of("app_cpu_total", collector.Meta{Type: collector.Counter, Sent: "app.cpu", Origin: "listener"})
		for _, t := range w.ticks() {
			if t > b.birth && t-time.Second < b.death {
				count.Points = append(count.Points, record.Point{At: t, Value: 1000 * agent(b.name, b.birth, min(t, b.death)), Observed: 1})
			}
		}
		w.h.Series = append(w.h.Series, count)
	}
	return w.h
}

// late is an agent that tells of itself what it used up to a second and a half ago.
func late(_ string, birth, at time.Duration) float64 {
	return used(birth, at-1500*time.Millisecond)
}

// A coarse and late source has no gap in that. A period that is missing is one, and one that is half filled is told too.
func TestContinuityByPeriods(t *testing.T) {
	without := func(instance string, periods ...int) func(string, time.Duration, *told) {
		return func(name string, from time.Duration, of *told) {
			if name == instance && slices.Contains(periods, int(from.Seconds())) {
				of.seconds = 0
			}
		}
	}
	for _, c := range []struct {
		name, checks string
		tell         func(string, time.Duration, *told)
		change       func(*record.History)
		outcome      verdict.Outcome
		cause        string
		want         []string
	}{
		{name: "all are there", outcome: verdict.Pass, want: []string{"CPU by periods of 5s, as CloudWatch tells it: 16 periods of 4 instances looked at, 0 missing, the longest gap 0.0 s of at most 0s"}},
		{name: "one is missing", tell: without("web-3", 15), outcome: verdict.Fail, cause: verdict.CauseMissingPeriod, want: []string{
			"CPU of web-3 by periods of 5s: from 15.0 s to 20.0 s 1 period missing, though it ran",
			"CPU by periods of 5s, as CloudWatch tells it: 16 periods of 4 instances looked at, 1 missing, the longest gap 5.0 s of at most 0s"}},
		{name: "one may be missing", checks: "  - continuity: {source: cloudwatch, max_gap: 5s}\n", tell: without("web-3", 15), outcome: verdict.Pass,
			want: []string{"CPU by periods of 5s, as CloudWatch tells it: 16 periods of 4 instances looked at, 1 missing, the longest gap 5.0 s of at most 5s"}},
		{name: "two in a row may not", checks: "  - continuity: {source: cloudwatch, max_gap: 5s}\n", tell: without("web-3", 15, 20), outcome: verdict.Fail, cause: verdict.CauseMissingPeriod, want: []string{
			"CPU of web-3 by periods of 5s: from 15.0 s to 25.0 s 2 periods missing, though it ran",
			"CPU by periods of 5s, as CloudWatch tells it: 16 periods of 4 instances looked at, 2 missing, the longest gap 10.0 s of at most 5s"}},
		{name: "one is half filled", tell: func(name string, from time.Duration, of *told) {
			if name == "web-1" && from == 20*time.Second {
				of.seconds = 3
			}
		}, outcome: verdict.Fail, cause: verdict.CauseHalfFilled, want: []string{
			"CPU of web-1 by periods of 5s: from 20.0 s to 25.0 s 1 period half filled, though it ran",
			"CPU by periods of 5s, as CloudWatch tells it: 16 periods of 4 instances looked at, 0 missing, the longest gap 0.0 s of at most 0s"}},
		{name: "before it is ready and after it is killed nothing must be there", tell: without("web-2", 0, 10, 15), outcome: verdict.Pass,
			want: []string{"CPU by periods of 5s, as CloudWatch tells it: 16 periods of 4 instances looked at, 0 missing, the longest gap 0.0 s of at most 0s"}},
		{name: "nobody asked later", change: func(h *record.History) {
			for i := range h.Series {
				if s := &h.Series[i]; s.Name == record.PollSuccess {
					for k := range s.Points {
						if s.Points[k].At > 21*time.Second {
							s.Points[k].Value = 0
						}
					}
				}
			}
		}, outcome: verdict.Pass, want: []string{"CPU by periods of 5s, as CloudWatch tells it: 5 periods of 3 instances looked at, 0 missing, the longest gap 0.0 s of at most 0s"}},
		{name: "nobody got an answer", change: func(h *record.History) { drop(h, func(s record.Series) bool { return s.Name == record.PollSuccess }) }, outcome: verdict.Inconclusive, want: []string{
			"CPU of web-1 by periods: nobody got an answer of CloudWatch", "CPU of web-2 by periods: nobody got an answer of CloudWatch",
			"CPU of web-3 by periods: nobody got an answer of CloudWatch", "CPU of web-4 by periods: nobody got an answer of CloudWatch",
			"CPU by periods of 5s, as CloudWatch tells it: no instance ran for a whole period that was told before the run was over"}},
		{name: "CloudWatch does not know of one", change: func(h *record.History) {
			for i := range h.Events {
				if e := &h.Events[i]; e.Kind == record.Birth && e.Instance == "web-3" {
					e.Cloud = nil
				}
			}
		}, outcome: verdict.Inconclusive, want: []string{"CPU of web-3 by periods: its birth does not say how CloudWatch tells of it",
			"CPU by periods of 5s, as CloudWatch tells it: 10 periods of 3 instances looked at, 0 missing, the longest gap 0.0 s of at most 0s"}},
		{name: "the machine stood still", tell: without("web-3", 15), change: func(h *record.History) {
			h.Series = append(h.Series, record.Series{Name: record.FlushLateness, Points: []record.Point{{At: 17 * time.Second, Value: 6, Observed: 1}}})
		}, outcome: verdict.Inconclusive, cause: verdict.CauseStall, want: []string{"CPU of web-3 by periods of 5s: from 15.0 s to 20.0 s 1 period missing, though it ran, but the machine was late itself then",
			"CPU by periods of 5s, as CloudWatch tells it: 16 periods of 4 instances looked at, 1 missing, the longest gap 5.0 s of at most 0s"}},
		{name: "the dead go on", change: func(h *record.History) {
			for i := range h.Series {
				if s := &h.Series[i]; ofInstance(record.HypervisorCPU, "web-2")(*s) {
					s.Points = append(s.Points, record.Point{At: 20 * time.Second, Value: 3, Observed: 1})
				}
			}
		}, outcome: verdict.Fail, cause: verdict.CauseFrozen, want: []string{"web-2 died at 14.5 s and still uses CPU in 1 period until 20.0 s: nothing may come from the dead",
			"CPU by periods of 5s, as CloudWatch tells it: 16 periods of 4 instances looked at, 0 missing, the longest gap 0.0 s of at most 0s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			checks := c.checks
			if checks == "" {
				checks = periods
			}
			h := monitored(watchedTalk(checks), c.tell, nil)
			if c.change != nil {
				c.change(&h)
			}
			v := judged(t, h)
			slices.Sort(c.want) // findings come by instance, and of none first or last
			got := said(v, "continuity", c.outcome)
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("says %v (-want +got):\n%s", c.outcome, diff)
			}
			for _, f := range v.Findings {
				if f.Check == "continuity" && f.Outcome == c.outcome && f.Instance != "" && f.Cause != c.cause {
					t.Errorf("%s: the cause is %q, want %q", f.Summary, f.Cause, c.cause)
				}
			}
		})
	}
}

// What the agent counts is held against what the hypervisor counts, however coarse and late the one and late the other.
func TestTwoSources(t *testing.T) {
	times := func(n float64) func(string, time.Duration, time.Duration) float64 {
		return func(name string, birth, at time.Duration) float64 {
			if name == "web-3" {
				return n * late(name, birth, at)
			}
			return late(name, birth, at)
		}
	}
	machine := func(h *record.History) {
		for _, mode := range []string{"user", "idle"} {
			s := record.Series{Name: record.AgentSeconds, Labels: collector.NewLabels("instance", "web-3", "mode", mode), Meta: collector.Meta{Type: collector.Counter}}
			for at := 137 * time.Millisecond; at < 42*time.Second; at += time.Second {
				s.Points = append(s.Points, record.Point{At: at, Value: 4 * used(0, at), Observed: 1})
			}
			h.Series = append(h.Series, s)
		}
	}
	for _, c := range []struct {
		name    string
		agent   func(string, time.Duration, time.Duration) float64
		tell    func(string, time.Duration, *told)
		change  func(*record.History)
		outcome verdict.Outcome
		cause   string
		want    string
	}{
		{name: "they agree", agent: late, outcome: verdict.Pass, want: "two views of CPU by CloudWatch and app.cpu: they agree of 3 instances (web-1 3.75 s and 3.78 s from 10.0 s to 35.0 s, "},
		{name: "the agent is not late at all", agent: func(_ string, birth, at time.Duration) float64 { return used(birth, at) }, outcome: verdict.Pass, want: "they agree of 3 instances"},
		{name: "the agent counts twice", agent: times(2), outcome: verdict.Fail, cause: verdict.CauseViewsDiffer,
			want: "two views of the CPU of web-3 from 10.0 s to 35.0 s: the hypervisor counted 3.75 s, as CloudWatch tells, and the agent inside 7.57 s (app.cpu), which may be 3.00 to 4.55 s"},
		{name: "the agent counts half", agent: times(0.5), outcome: verdict.Fail, cause: verdict.CauseViewsDiffer, want: "and the agent inside 1.89 s (app.cpu), which may be 3.00 to 4.55 s"},
		{name: "the agent falls silent", agent: func(name string, birth, at time.Duration) float64 {
			if name == "web-3" {
				at = min(at, 22*time.Second)
			}
			return late(name, birth, at)
		}, outcome: verdict.Fail, cause: verdict.CauseViewsDiffer, want: "two views of the CPU of web-3 from "},
		{name: "the agent leaps once", agent: func(name string, birth, at time.Duration) float64 {
			extra := 0.0
			if name == "web-3" && at > 20*time.Second {
				extra = 2
			}
			return extra + late(name, birth, at)
		}, outcome: verdict.Fail, cause: verdict.CauseViewsDiffer, want: "two views of the CPU of web-3 from "},
		{name: "the agent takes the machine for its own", agent: times(4), change: machine, outcome: verdict.Fail, cause: verdict.CauseMachine, want: "which may be 3.00 to 4.55 s; what the whole machine used is that"},
		{name: "the agent counts neither", agent: times(2), change: machine, outcome: verdict.Fail, cause: verdict.CauseViewsDiffer, want: "which may be 3.00 to 4.55 s"},
		{name: "the agent begins late", agent: func(name string, birth, at time.Duration) float64 { return late(name, birth, at) }, change: func(h *record.History) {
			for i := range h.Series {
				if s := &h.Series[i]; ofInstance("app_cpu_total", "web-3")(*s) {
					s.Points = slices.DeleteFunc(s.Points, func(p record.Point) bool { return p.At < 13*time.Second })
				}
			}
		}, outcome: verdict.Pass, want: "they agree of 3 instances"},
		{name: "a period is missing in the midst", agent: late, tell: func(_ string, from time.Duration, of *told) {
			if from == 15*time.Second {
				of.seconds = 0
			}
		}, outcome: verdict.Pass, want: "from 25.0 s to 35.0 s"},
		{name: "one is half filled, and its average another", agent: late, tell: func(_ string, from time.Duration, of *told) {
			if from == 15*time.Second {
				of.seconds, of.percent = 2, 90
			}
		}, outcome: verdict.Pass, want: "from 25.0 s to 35.0 s"},
		{name: "datagrams were dropped", agent: times(0.5), change: func(h *record.History) {
			h.Events = append(h.Events, record.Event{At: 20 * time.Second, Kind: record.Trouble, About: "collector", Count: 3, Error: "dropped"})
		}, outcome: verdict.Inconclusive, cause: verdict.CauseDropped, want: "but the collector's socket dropped datagrams"},
		{name: "the collector was away", agent: times(0.5), change: func(h *record.History) {
			h.Events = append(h.Events, record.Event{At: 16 * time.Second, Kind: record.FaultBegin, Fault: "restart-collector"}, record.Event{At: 20 * time.Second, Kind: record.FaultEnd, Fault: "restart-collector", Count: 1})
		}, outcome: verdict.Inconclusive, cause: verdict.CauseUnexplained, want: "but the collector was away meanwhile"},
		{name: "no agent tells", outcome: verdict.Inconclusive, want: "two views of CPU by CloudWatch and app.cpu: nothing can be compared, of web-4 there is no counter app.cpu"},
		{name: "too little is told", agent: late, tell: func(_ string, from time.Duration, of *told) {
			if int(from.Seconds())%10 == 0 {
				of.seconds = 0
			}
		}, outcome: verdict.Inconclusive, want: "only 1 whole period was told in a row, and the agent may be 3.1 s late: want 2 more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := monitored(watchedTalk(agrees), c.tell, c.agent)
			if c.change != nil {
				c.change(&h)
			}
			slices.SortStableFunc(h.Events, func(a, b record.Event) int { return int(a.At - b.At) })
			v := judged(t, h)
			got := said(v, "two-views", c.outcome)
			if len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Errorf("says %v:\n\t%s\nwant:\n\t%s\nand all: %s", c.outcome, strings.Join(got, "\n\t"), c.want, fmt.Sprint(said(v, "two-views", verdict.Pass), said(v, "two-views", verdict.Fail), said(v, "two-views", verdict.Inconclusive)))
			}
			for _, f := range v.Findings {
				if f.Check == "two-views" && f.Outcome == c.outcome && f.Cause != c.cause {
					t.Errorf("%s: the cause is %q, want %q", f.Summary, f.Cause, c.cause)
				}
			}
		})
	}
}

// Points of CloudWatch are in no rhythm of the collector's; one that is there twice is told.
func TestOwnTimesAreWhole(t *testing.T) {
	h := monitored(watchedTalk(periods), nil, nil)
	if got := said(judged(t, h), "record", verdict.Inconclusive); len(got) != 0 {
		t.Errorf("says %q", got)
	}
	for i := range h.Series {
		if s := &h.Series[i]; ofInstance(record.HypervisorCPU, "web-3")(*s) {
			s.Points = append(s.Points, s.Points[len(s.Points)-1])
		}
	}
	if got := said(judged(t, h), "record", verdict.Inconclusive); len(got) != 1 || !strings.Contains(got[0], "it has 1 sample twice") {
		t.Errorf("of a point that is there twice it says %q", got)
	}
}
