package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

const scalingKeys = "{within: 12s, overshoot: 1, flaps: 1, cost: 1.3}"

// risen is a minute in which the inserts rise from 55 to 150 a second after 20 s, with an
// autoscaler on their sum.
func risen() plan { return scaledTalk(bySum(""), step(55, 150, 20*time.Second), scalingKeys) }

// dropsEvery has the nth call of a counter not counted.
func dropsEvery(n int) func(string, int, time.Duration) int64 {
	return func(_ string, nth int, _ time.Duration) int64 {
		if nth%n == 0 {
			return 0
		}
		return 1
	}
}

func silentFor(long time.Duration) func(string, int, time.Duration) int64 {
	return func(_ string, _ int, life time.Duration) int64 {
		if life < long {
			return 0
		}
		return 1
	}
}

func away(from, to time.Duration) func(time.Duration) bool {
	return func(t time.Duration) bool { return t > from && t < to }
}

// crowd comes for ten seconds.
func crowd(due time.Duration) float64 {
	if due > 20*time.Second && due < 30*time.Second {
		return 280 / 0.9
	}
	return 60 / 0.9
}

func night(due time.Duration) float64 { return (170 - 2*due.Seconds()) / 0.9 }

// unbound is an autoscaler whose paces bound nothing.
const unbound = `autoscale: {min: 2, max: 30, on: 'max_over_time(rate(fullstack_insert_total[5s])[10s:1s])', per: mean, target: 20, every: 1s, up: {at_most: 1000%, per: 1s}, down: {at_most: 100%, per: 1s, after: 6s}}
`

const deadGauge = `autoscale: {min: 2, max: 12, on: 'sum(max_over_time(fullstack_inflight[20s]))', per: sum, target: 3, every: 2s, up: {at_most: 4, per: 4s}, down: {after: 2s, at_most: 4, per: 2s}}
`

var scalingCases = []struct {
	name   string
	change func(*plan)
	fails  []string // the causes of the check's failures, in the order of the alphabet
	doubts []string // what its inconclusive findings begin with
	want   string   // one of its findings, if given
}{
	{"healthy", func(*plan) {}, nil, nil,
		"fullstack.insert led the autoscaler right: none of 29 decisions is another than the truth calls for"},
	{"healthy, of the form mean", func(p *plan) { p.scaled.yaml = byMean("") }, nil, nil,
		"each of 29 decisions follows from what the collector held and from the policy"},
	{"healthy, and the load swings", func(p *plan) { p.scaled.rate = sine(100, 60, 20*time.Second) }, nil, nil,
		"flaps: the fleet turned round 5 times; without any lag it would have 5 times"},
	{"healthy, and a crowd comes", func(p *plan) { p.scaled.rate, p.checks = crowd, p.without("within: 12s, ") }, nil, nil, ""},
	{"healthy, and the night comes", func(p *plan) { p.scaled.rate, p.checks = night, p.without("within: 12s, ") }, nil, nil, ""},
	{"healthy, and one is killed", func(p *plan) {
		p.phases = []act{{"before", nil, 30 * time.Second}, {"after", []string{"kill web-2"}, 30 * time.Second}}
	}, nil, nil, "fullstack.insert led the autoscaler right: none of 29 decisions is another than the truth calls for"},
	{"one count of eight is lost", func(p *plan) { p.counts = dropsEvery(8) }, []string{"misled-too-small"}, nil,
		"the fleet was too small for 38.0 s, by up to 1 instance: the metric led 19 of 29 decisions astray (38.0 instance-seconds), first at 23.1 s, " +
			"where it was 61.25 and 68.5 is true; web-1, web-2, web-3 had 129 counts too few by 23.1 s"},
	{"one count of eight is lost, of the form mean", func(p *plan) { p.counts, p.scaled.yaml = dropsEvery(8), byMean("") }, []string{"misled-too-small"}, nil, ""},
	{"one of three loses a third", func(p *plan) {
		p.counts = func(name string, nth int, _ time.Duration) int64 {
			if name == "web-2" && nth%3 == 0 {
				return 0
			}
			return 1
		}
		p.checks = strings.Replace(p.checks, "{within", "{astray: 0, within", 1)
	}, []string{"misled-too-small"}, nil, ""},
	{"counted twice", func(p *plan) { p.counts = func(string, int, time.Duration) int64 { return 2 } },
		[]string{"costly-fleet", "misled-too-big", "overshoot"}, nil,
		"overshoot: 11 instances wanted at 27.1 s, 3 more than the 8 that had been needed at most until then; 1 may be"},
	{"counts come late", func(p *plan) { p.delay = func(string) time.Duration { return 4 * time.Second } },
		[]string{"misled-too-big", "misled-too-small"}, nil, ""},
	{"new instances are silent", func(p *plan) { p.counts = silentFor(5 * time.Second) }, []string{"flapping", "misled-too-big", "misled-too-small"}, nil,
		"the fleet was too big for 4.0 s, by up to 1 instance: the metric led 2 of 29 decisions astray (4.0 instance-seconds), first at 53.1 s, " +
			"by what it had said before; web-1, web-2, web-3, web-4, web-5, … (10 in all) had 736 counts too few by 53.1 s"},
	{"no metric is no load", func(p *plan) {
		p.scaled.yaml, p.scaled.hole, p.scaled.away = bySum(", missing: zero"), true, away(30*time.Second, 38*time.Second)
	}, []string{"flapping", "missing-taken-for-zero"}, nil,
		"the fleet was too small for 8.0 s, by up to 4 instances: the metric led 4 of 29 decisions astray (20.0 instance-seconds), first at 35.1 s, " +
			"where it was absent and 151.5 is true; web-2, web-7 had 128 counts too few by 39.1 s"},
	{"nobody answers while the load rises", func(p *plan) { p.scaled.away = away(20*time.Second, 32*time.Second) },
		[]string{"misled-too-small", "scaled-late"}, nil, "each of 29 decisions follows from what the collector held and from the policy; at 6 of them nobody answered"},
	{"the dead are still in the expression", func(p *plan) {
		p.slow, p.scaled.rate, p.scaled.yaml = 30*time.Millisecond, crowd, deadGauge
		p.phases = []act{{"all", nil, 90 * time.Second}}
		p.checks = "  - gauge: {metric: fullstack.inflight, at_rest: 0}\n  - scaling: {}\n"
	}, []string{"dead-still-counted"}, nil, ""},
	{"the policy is slow", func(p *plan) {
		p.scaled.yaml = strings.Replace(bySum(""), "at_most: 4, per: 4s", "at_most: 1, per: 8s", 1)
		p.checks = p.without("within: 12s, ") + "  - scaling: {within: 15s}\n"
	}, []string{"scaled-late"}, nil, "fullstack.insert led the autoscaler right: none of 29 decisions is another than the truth calls for"},
	{"the policy swings", swinging, []string{"costly-fleet", "overshoot"}, nil,
		"fullstack.insert led the autoscaler right: none of 29 decisions is another than the truth calls for"},
	{"it changed nothing", func(p *plan) { p.scaled.rate = step(55, 55, 0) }, nil,
		[]string{"in time: the load never called for more instances than there were", "the autoscaler never changed the fleet in 29 decisions"}, ""},
	{"it changed nothing, as it should", func(p *plan) {
		p.scaled.rate, p.checks = step(55, 55, 0), strings.Replace(p.without("within: 12s, "), "cost", "still: yes, cost", 1)
	}, nil, nil, ""},
	{"nobody promises what the metric counts", func(p *plan) {
		p.checks = "  - continuity: {metric: fullstack.insert}\n  - scaling: " + scalingKeys + "\n"
	}, nil, []string{
		"how many instances were needed is not known, so nobody can tell whether they came in time: nobody knows what sum(rate(fullstack_insert_total[5s])) is made of",
		"nobody knows whether sum(rate(fullstack_insert_total[5s])) led the autoscaler right: no check promises what it counts; add conservation: {metric: fullstack.insert, route: …}"}, ""},
	{"an expression that does not grow with the load", func(p *plan) {
		p.scaled.yaml = strings.Replace(bySum(""), "sum(rate", "20 + sum(rate", 1)
	}, nil, []string{"how many instances were needed is not known, so nobody can tell whether they came in time: 20 + sum(rate(fullstack_insert_total[5s])): " +
		"it is not in proportion to what users ask for"}, ""},
	{"another number in the journal", func(p *plan) { p.scaled.last = wantsMore(11) }, []string{"decision-not-replayed"}, nil,
		"decision 12 at 27.1 s does not follow from the record: wanted: the journal has 8, and the policy gives 7"},
	{"another sample in the journal", func(p *plan) {
		p.scaled.last = func(d *autoscale.Decision, k int) {
			if k == 2 {
				d.Samples = []autoscale.Sample{{Value: 53.25}}
			}
		}
	}, []string{"decision-not-replayed"}, nil, "decision 3 at 9.1 s does not follow from the record: samples: the journal has 53.25, and the record gives 53"},
	{"another reason in the journal", func(p *plan) {
		p.scaled.last = func(d *autoscale.Decision, k int) {
			if k == 2 {
				d.Because = autoscale.Paced
			}
		}
	}, []string{"decision-not-replayed"}, nil, `decision 3 at 9.1 s does not follow from the record: because: the journal has "pace", and the policy gives "formula"`},
}

// swinging has the peaks of the last 10 s multiply a number of instances that is of now.
func swinging(p *plan) {
	p.scaled.yaml, p.scaled.rate = unbound, sine(160, 80, 30*time.Second)
	p.phases = []act{{"all", nil, 30 * time.Second}}
}

func wantsMore(at int) func(*autoscale.Decision, int) {
	return func(d *autoscale.Decision, k int) {
		if k == at {
			d.Wanted++
		}
	}
}

// without are the checks without some text.
func (p plan) without(text string) string { return strings.Replace(p.checks, text, "", 1) }

func TestScaling(t *testing.T) {
	for _, c := range scalingCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := risen()
			c.change(&p)
			v := judged(t, scaledRun(t, p))
			var fails, doubts, all []string
			for _, f := range v.Findings {
				switch {
				case f.Check != "scaling":
					continue
				case f.Outcome == verdict.Fail:
					fails = append(fails, f.Cause)
				case f.Outcome == verdict.Inconclusive:
					doubts = append(doubts, f.Summary)
				}
				all = append(all, fmt.Sprintf("%v %s: %s", f.Outcome, f.Cause, f.Summary))
			}
			slices.Sort(fails)
			slices.Sort(doubts)
			told := slices.EqualFunc(doubts, c.doubts, strings.HasPrefix)
			found := c.want == "" || slices.ContainsFunc(all, func(s string) bool { return strings.HasSuffix(s, ": "+c.want) })
			if !slices.Equal(fails, c.fails) || !told || !found {
				t.Errorf("fails %q, doubts %q\nwant  %q, doubts %q\nand %s\nof\n%s", fails, doubts, c.fails, c.doubts, c.want, strings.Join(all, "\n"))
			}
		})
	}
}

// What a record of no autoscaler is judged by says so.
func TestScalingWithoutDecisions(t *testing.T) {
	h := scaledRun(t, risen())
	h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool { return e.Kind == record.Decided })
	says(t, judged(t, h), "scaling", verdict.Inconclusive, "the journal has no decision of the autoscaler: it never decided, or this record is of a version that did not write it down")
	h.Scenario = []byte(strings.Replace(string(h.Scenario), bySum(""), "", 1))
	says(t, judged(t, h), "scaling", verdict.Inconclusive, "the scenario has no autoscaler: nothing was decided")
}

// Lines with a time of their own are kept back, and then stand in the record for longer
// than the autoscaler could see them.
func TestScalingBesideLinesThatComeLater(t *testing.T) {
	p := risen()
	p.scaled.last = func(d *autoscale.Decision, k int) {
		if k == 2 {
			d.Samples = []autoscale.Sample{{Value: 53.25}}
		}
	}
	h := scaledRun(t, p)
	addFigure(&h, "timestamped_lines_total", 12, "instance", "web-2")
	says(t, judged(t, h), "scaling", verdict.Inconclusive,
		"decision 3 at 9.1 s cannot be made again: the journal has 53.25, and the record gives 53; 12 lines brought times of their own, and came into the store after it")
}

// The story says what became of the fleet because of what is wrong with the metric, and not
// that the autoscaler was late as well.
func TestTheStoryOfAMisledAutoscaler(t *testing.T) {
	p := risen()
	p.counts = func(string, int, time.Duration) int64 { return 2 }
	v := judged(t, scaledRun(t, p))
	const want = "The fleet was too big for 56.0 s, by up to 4 instances, because 7,112 inserts too many were counted, as many as the 7,112 acknowledged: "
	if !strings.HasPrefix(v.Sentence, want) || len(v.Explanations) != 1 {
		t.Errorf("%s\nwant %s…\n%+v", v.Sentence, want, v.Explanations)
	}
	var led []string
	for _, i := range v.Explanations[0].Consequences {
		if f := v.Findings[i]; f.Check == "scaling" {
			led = append(led, f.Cause)
		}
	}
	slices.Sort(led)
	if !slices.Equal(led, []string{"costly-fleet", "misled-too-big", "overshoot"}) {
		t.Errorf("the consequences are %q", led)
	}
	p = risen()
	swinging(&p)
	v = judged(t, scaledRun(t, p))
	if want := "The fleet cost more than it had to"; v.Title != want {
		t.Errorf("the title is %q, want %q", v.Title, want)
	}
	v = judged(t, scaledRun(t, risen()))
	if want := "The autoscaler launched 5 instances, and all 7,112 inserts are accounted for."; v.Sentence != want {
		t.Errorf("%s\nwant %s", v.Sentence, want)
	}
}

// What the collector's own socket has dropped is no fault of the metric.
func TestScalingByWhatWasDropped(t *testing.T) {
	p := risen()
	p.counts = dropsEvery(8)
	h := scaledRun(t, p)
	tell(&h, record.Event{At: 40 * time.Second, Kind: record.Trouble, About: "collector", Count: 900})
	f := about(t, judged(t, h), "scaling", "", verdict.Inconclusive)
	if f.Cause != "collector-dropped" || !strings.HasSuffix(f.Summary, ", but the collector's socket dropped datagrams, which may have had them") {
		t.Errorf("%+v", f)
	}
}
