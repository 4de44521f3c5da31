package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// seen is what host and agent say of an instance in each second.
type seen struct {
	cores     float64 // used
	throttled float64 // periods of 10
	idle      float64 // share of the machine, which has two CPUs
}

// throttledTalk is a run in which web-2 is limited from 10.5 s to 18.5 s.
func throttledTalk() plan {
	return plan{seed: 1, instances: 3, rate: 100, swing: 0.4, checks: "  - two-views: {instance: web-2}\n", phases: []act{
		{"warm-up", nil, 8 * time.Second},
		{"less", []string{"limit web-2, cpus: 0.05"}, 8 * time.Second},
		{"all again", []string{"limit web-2, cpus: 0"}, 8 * time.Second},
	}}
}

// hosted makes a run with what host and agent said of each instance, free and
// limited.
func hosted(p plan, say func(instance string, limited bool) seen) record.History {
	w := p.world()
	for _, b := range w.beings {
		series := func(name string, kind collector.Type, labels ...string) *record.Series {
			return &record.Series{Name: name, Labels: collector.NewLabels(append(labels, "instance", b.name)...), Meta: collector.Meta{Type: kind}}
		}
		used, periods, throttled := series(record.HostSeconds, collector.Counter), series(record.HostPeriods, collector.Counter), series(record.HostThrottled, collector.Counter)
		idle, user := series(record.AgentSeconds, collector.Counter, "mode", "idle"), series(record.AgentSeconds, collector.Counter, "mode", "user")
		limit := series(record.HostLimit, collector.Gauge)
		var sums [5]float64
		for _, t := range w.ticks() {
			if t < b.birth {
				continue
			}
			cpus := 0.0
			for _, ev := range w.h.Events {
				if ev.Kind == record.Limited && ev.Instance == b.name && ev.At <= t {
					cpus = ev.CPUs
				}
			}
			now := say(b.name, cpus > 0)
			point := func(s *record.Series, k int, by float64) {
				sums[k] += by
				s.Points = append(s.Points, record.Point{At: t, Value: sums[k], Observed: 1})
			}
			point(used, 0, now.cores)
			point(throttled, 2, now.throttled)
			point(idle, 3, 2*now.idle)
			point(user, 4, 2*(1-now.idle))
			if cpus > 0 {
				point(periods, 1, 10)
				limit.Points = append(limit.Points, record.Point{At: t, Value: cpus, Observed: 1})
			} else {
				point(periods, 1, 0)
			}
		}
		w.h.Series = append(w.h.Series, *used, *periods, *throttled, *idle, *user, *limit)
	}
	return w.h
}

// parted is the two views of a healthy run.
func parted(_ string, limited bool) seen {
	if limited {
		return seen{cores: 0.049, throttled: 9, idle: 0.8}
	}
	return seen{cores: 0.06, idle: 0.75}
}

// ofInstance finds the series of an instance.
func ofInstance(name, instance string) func(record.Series) bool {
	return func(s record.Series) bool { return s.Name == name && s.Labels.Get("instance") == instance }
}

func TestTwoViews(t *testing.T) {
	const told = "two views of web-2, limited to 0.05 CPUs: the host sees it use 98 % of that, stopped in 54 of 60 periods; the agent inside sees a machine "
	for _, c := range []struct {
		name    string
		say     func(instance string, limited bool) seen
		change  func(*record.History)
		outcome verdict.Outcome
		want    string
	}{
		{"they part", parted, nil, verdict.Pass,
			told + "80 % idle (0.049 CPUs, before the limit 0.060; the machine was 75 % idle then). The host never stopped web-1, web-3, which no step limits"},
		{"the limit is more than it needs", func(string, bool) seen { return seen{cores: 0.02, idle: 0.8} }, nil, verdict.Fail,
			"two views of web-2, limited to 0.05 CPUs: the host sees it use 40 % of that, stopped in 0 of 60 periods; the agent inside sees a machine 80 % idle " +
				"(0.020 CPUs, before the limit 0.020; the machine was 80 % idle then): the views agree that nothing holds it back (want it to use 80 % of its limit at least, and to be stopped)"},
		{"it uses all and is never stopped", func(string, bool) seen { return seen{cores: 0.05, idle: 0.8} }, nil, verdict.Fail, "the views agree that nothing holds it back"},
		{"the agent sees the limit", func(instance string, limited bool) seen {
			v := parted(instance, limited)
			if limited {
				v.idle = 0
			}
			return v
		}, nil, verdict.Fail, "where that of web-1 sees 75 %: the views agree, this agent sees the limit"},
		{"a busy machine", func(instance string, limited bool) seen {
			v := parted(instance, limited)
			v.idle = 0.02
			return v
		}, nil, verdict.Inconclusive, "the machine itself was busy (want it 10 % idle at least), so nobody can tell the limit from that"},
		{"another one is stopped", func(instance string, limited bool) seen {
			v := parted(instance, limited)
			if instance == "web-3" {
				v.throttled = 1
			}
			return v
		}, nil, verdict.Fail, "the host stopped web-3 in 29 periods, though no step limits it"},
		{"nobody counts whether another one is stopped", parted, func(h *record.History) { drop(h, ofInstance(record.HostThrottled, "web-3")) }, verdict.Inconclusive,
			"the host did not tell whether it stopped web-3"},
		{"without the host", parted, func(h *record.History) { drop(h, ofInstance(record.HostSeconds, "web-2")) }, verdict.Inconclusive,
			"two views of web-2: before the limit the host did not tell what it used"},
		{"without throttling", parted, func(h *record.History) { drop(h, ofInstance(record.HostPeriods, "web-2")) }, verdict.Inconclusive,
			"two views of web-2: before the limit the host did not tell whether it stopped it"},
		{"without the agent", parted, func(h *record.History) { drop(h, ofInstance(record.AgentSeconds, "web-2")) }, verdict.Inconclusive,
			"two views of web-2: before the limit the agent did not tell what the machine did"},
		{"the host falls silent", parted, func(h *record.History) {
			for i := range h.Series {
				s := &h.Series[i]
				if s.Name == record.HostSeconds {
					s.Points = slices.DeleteFunc(s.Points, func(p record.Point) bool { return p.At > 12*time.Second })
				}
			}
		}, verdict.Inconclusive, "two views of web-2: under the limit the host did not tell what it used"},
		{"a counter that falls", parted, func(h *record.History) {
			for i := range h.Series {
				if s := &h.Series[i]; s.Name == record.HostSeconds {
					s.Points[5].Value = 0
				}
			}
		}, verdict.Inconclusive, "two views of web-2: before the limit the host did not tell what it used"},
		{"never limited", parted, func(h *record.History) {
			h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool { return e.Kind == record.Limited })
		}, verdict.Inconclusive, "two views of web-2: the journal does not tell when it was limited under load"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := hosted(throttledTalk(), c.say)
			if c.change != nil {
				c.change(&h)
			}
			got := said(judged(t, h), "two-views", c.outcome)
			if len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Errorf("says %v:\n\t%s\nwant:\n\t%s", c.outcome, strings.Join(got, "\n\t"), c.want)
			}
		})
	}
}

// TestTwoViewsUntilTheInstanceDies: what comes after the death is not the limit's.
func TestTwoViewsUntilTheInstanceDies(t *testing.T) {
	p := throttledTalk()
	p.phases[2].steps = []string{"kill web-2"}
	if got := said(judged(t, hosted(p, parted)), "two-views", verdict.Pass); len(got) != 1 || !strings.Contains(got[0], "stopped in 54 of 60 periods") {
		t.Errorf("says %q", got)
	}
}

func TestEfficacyOfALimit(t *testing.T) {
	limit := func(change func(*record.Series)) func(*record.History) {
		return func(h *record.History) {
			for i := range h.Series {
				if s := &h.Series[i]; s.Name == record.HostLimit && s.Labels.Get("instance") == "web-2" {
					change(s)
				}
			}
		}
	}
	for _, c := range []struct {
		name    string
		change  func(*record.History)
		outcome verdict.Outcome
		want    string
	}{
		{"held and lifted", func(*record.History) {}, verdict.Pass, "2 steps took effect: limit web-2, cpus: 0.05 (web-2 held to it from 10.5 s on); limit web-2, cpus: 0 (lifted at 18.5 s)"},
		{"not in the journal", func(h *record.History) {
			h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool { return e.Kind == record.Limited && e.CPUs > 0 })
		}, verdict.Inconclusive, "the fault did not take effect: limit web-2, cpus: 0.05: the journal does not have that web-2 was held to it"},
		{"not held", limit(func(s *record.Series) { s.Points = nil }), verdict.Inconclusive,
			"the fault did not take effect: limit web-2, cpus: 0.05: the host did not hold web-2 to any limit"},
		{"held to another", limit(func(s *record.Series) {
			for k := range s.Points {
				s.Points[k].Value = 0.5
			}
		}), verdict.Inconclusive, "the fault did not take effect: limit web-2, cpus: 0.05: the host held web-2 to 0.5 CPUs at 11.1 s"},
		{"not lifted", limit(func(s *record.Series) {
			s.Points = append(s.Points, record.Point{At: 20 * time.Second, Value: 0.05, Observed: 1})
		}), verdict.Inconclusive, "the fault did not take effect: limit web-2, cpus: 0: the host still held web-2 to 0.05 CPUs at 20.0 s"},
		{"nobody asked", func(h *record.History) {
			for i := range h.Series {
				if s := &h.Series[i]; s.Name == record.HostSeconds {
					s.Points = slices.DeleteFunc(s.Points, func(p record.Point) bool { return p.At > 18*time.Second })
				}
			}
		}, verdict.Inconclusive, "the fault did not take effect: limit web-2, cpus: 0: the host was not asked about web-2 while it held"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := hosted(throttledTalk(), parted)
			c.change(&h)
			says(t, judged(t, h), "efficacy", c.outcome, c.want)
		})
	}
}
