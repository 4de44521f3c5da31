package story

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/metric"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const second = time.Second

// conserved is a scenario that asks whether fullstack.insert counts the inserts.
var conserved = script.Scenario{
	Stack:  script.Stack{Web: script.Web{Routes: map[string]script.Route{"insert": {Writes: true}}}},
	Load:   script.Load{Rate: 150},
	Checks: []script.Check{{Promise: script.Conservation{Metric: "fullstack.insert", Route: "insert", SampleRate: 1, MaxLag: 2 * second}}},
}

// lived is a record in which so many instances lived under load from 1 s to 11 s, and these
// events took place. Users sent ten inserts, which were acknowledged.
func lived(instances int, events ...record.Event) record.History {
	h := record.History{Events: []record.Event{{Kind: record.RunBegin}}}
	for i := range instances {
		h.Events = append(h.Events, record.Event{Kind: record.Birth, Instance: fmt.Sprintf("web-%d", i+1), Role: record.Web})
	}
	h.Events = append(h.Events, record.Event{At: second, Kind: record.LoadBegin})
	h.Events = append(h.Events, events...)
	h.Events = append(h.Events, record.Event{At: 11 * second, Kind: record.LoadEnd}, record.Event{At: 14 * second, Kind: record.RunEnd})
	for i := range 10 {
		h.Requests = append(h.Requests, record.Request{Seq: uint64(i), Route: "insert", Outcome: record.Acked})
	}
	return h
}

// of is a verdict with these findings, whose users had 1,000 inserts acknowledged.
func of(o verdict.Outcome, findings ...verdict.Finding) *verdict.Verdict {
	return &verdict.Verdict{Outcome: o, Findings: findings,
		LedgerEntries: []verdict.Ledger{{Layer: "users", Counts: map[string]int64{"acked": 1100}}, {Layer: "users", Route: "insert", Counts: map[string]int64{"acked": 1000}}}}
}

func lost(cause, instance string, n int64, from, to float64) verdict.Finding {
	return verdict.Finding{Check: "conservation", Layer: "web", Outcome: verdict.Fail, Cause: cause, Instance: instance, Lost: n, From: from, To: to, Summary: instance + " lost some"}
}

func extra(cause, instance string, n int64) verdict.Finding {
	return verdict.Finding{Check: "conservation", Layer: "web", Outcome: verdict.Fail, Cause: cause, Instance: instance, Extra: n, From: 1, To: 11, Summary: instance + " has some too many"}
}

// dies is how an instance is ended at a time.
func dies(at time.Duration, instance, signal string) []record.Event {
	return []record.Event{{At: at, Kind: record.Signalled, Instance: instance, Role: record.Web, Signal: signal},
		{At: at + second/10, Kind: record.Death, Instance: instance, Role: record.Web, Signal: signal, Expected: true}}
}

func born(at time.Duration, instance string) record.Event {
	return record.Event{At: at, Kind: record.Birth, Instance: instance, Role: record.Web}
}

func step(at, until time.Duration, name string, within ...record.Event) []record.Event {
	all := append([]record.Event{{At: at, Kind: record.StepBegin, Step: name}}, within...)
	return append(all, record.Event{At: until, Kind: record.StepEnd, Step: name})
}

func TestFailuresAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		h        record.History
		findings []verdict.Finding
		title    string
		sentence string
	}{
		"one instance, at its exit": {lived(3, dies(8*second, "web-1", "SIGTERM")...), []verdict.Finding{lost("lost-on-exit", "web-1", 95, 6.2, 7.9)},
			"web-1 loses its last counts at a graceful exit",
			"95 of 1,000 inserts (9.5 %) were never counted: all at web-1, in the last 1.8 s before its SIGTERM. Flush the StatsD client on SIGTERM, once the last request has ended."},
		"several, at their exits": {lived(3, slices.Concat(dies(4*second, "web-1", "SIGTERM"), dies(8*second, "web-2", "SIGTERM"))...),
			[]verdict.Finding{lost("lost-on-exit", "web-1", 4, 2.5, 3.9), lost("lost-on-exit", "web-2", 5, 7, 7.9)},
			"web-1 and web-2 lose their last counts at a graceful exit",
			"9 of 1,000 inserts (0.9 %) were never counted: 4 at web-1 and 5 at web-2, in the last 1.0–1.5 s before their SIGTERM. Flush the StatsD client on SIGTERM, once the last request has ended."},
		"after the signal": {lived(3, dies(4*second, "web-1", "SIGTERM")...), []verdict.Finding{lost("lost-on-exit", "web-1", 1, 4.1, 4.2)},
			"web-1 loses its last counts at a graceful exit",
			"1 of 1,000 inserts (0.1 %) was never counted: at web-1, after its SIGTERM. Flush the StatsD client on SIGTERM, once the last request has ended."},
		"evenly, all alike": {lived(3), []verdict.Finding{extra("counted-twice", "web-2", 20), extra("counted-twice", "web-1", 20), extra("counted-twice", "web-3", 20)},
			"web-1, web-2 and web-3 count some requests twice",
			"60 inserts too many were counted, 6 % of the 1,000 acknowledged: 20 each at web-1, web-2 and web-3. Look for retries and fall-through paths that count again."},
		"all of many": {lived(6), []verdict.Finding{lost("went-silent", "web-1", 1, 5, 6), lost("went-silent", "web-2", 2, 5, 6), lost("went-silent", "web-3", 9, 5, 6),
			lost("went-silent", "web-4", 3, 5, 6), lost("went-silent", "web-5", 4, 5, 6), lost("went-silent", "web-6", 5, 5, 7)},
			"All 6 instances stop counting and go on serving",
			"24 of 1,000 inserts (2.4 %) were never counted: at all 6 instances, the most (9) at web-3, between 5.0 s and 7.0 s. Have the client resolve the collector's name anew, and open its socket anew after an error."},
		"nothing was counted": {lived(1), []verdict.Finding{lost("renamed", "web-1", 1000, 1, 11)},
			"web-1 counts under another name", "None of 1,000 inserts was ever counted: all at web-1. Keep one name for the metric, and put the instance into a tag."},
		"more than there were": {lived(1), []verdict.Finding{extra("total-as-counter", "web-1", 40_000)},
			"web-1 sends its running total as an increment", "40,000 inserts too many were counted, 40 times the 1,000 acknowledged: all at web-1. Send differences, or a gauge."},
		"open, with what would tell": {lived(3), []verdict.Finding{
			{Check: "conservation", Layer: "web", Outcome: verdict.Fail, Cause: "undecided", Possible: []string{"datagrams-lost", "client-queue-full"}, Instance: "web-1", Lost: 30, From: 1, To: 11,
				Summary: "web-1 lost 30; the record does not tell whether it is datagrams-lost or client-queue-full (if datagrams-lost: evenly (about)); a load that swings more would tell"}},
			"web-1 loses counts, and the cause is open",
			"30 of 1,000 inserts (3 %) were never counted: all at web-1. It may be datagrams-lost or client-queue-full: a load that swings more would tell."},
		"open, with nothing known": {lived(3), []verdict.Finding{extra("undecided", "web-1", 3), extra("undecided", "web-2", 4)},
			"web-1 and web-2 count too much, and the cause is open",
			"7 inserts too many were counted, 0.7 % of the 1,000 acknowledged: 3 at web-1 and 4 at web-2. No cause that is known here fits the record."},
		"open, with many possible": {lived(3), []verdict.Finding{
			{Check: "conservation", Layer: "web", Outcome: verdict.Fail, Cause: "undecided", Possible: []string{"burst", "late", "not-counted", "datagrams-lost", "still-held", "burst"}, Instance: "web-1", Lost: 3, Summary: "web-1 lost 3"}},
			"web-1 loses counts, and the cause is open", "3 of 1,000 inserts (0.3 %) were never counted: all at web-1. It may be burst, late, not-counted or one of 2 others."},
		"a counter that goes on": {lived(3), []verdict.Finding{
			{Check: "identity", Layer: "web", Outcome: verdict.Fail, Cause: "goes-on-from-old-value", Instance: "web-2", Summary: "fullstack_insert_total of web-2 begins with 492 at 9.1 s"}, extra("burst", "web-2", 480)},
			"web-2 begins with what another instance had counted",
			"fullstack_insert_total of web-2 begins with 492 at 9.1 s. 480 inserts too many were counted, 48 % of the 1,000 acknowledged. Begin counters at 0, and share no files."},
		"late": {lived(3), []verdict.Finding{lost("late", "web-1", 0, 4, 7.9), lost("late", "web-2", 0, 4, 6.5)},
			"Counts of web-1 and web-2 arrive late",
			"Counts of web-1 and web-2 arrive up to 3.9 s late, where max_lag allows 2s. Flush more often, and look for what holds datagrams back on their way."},
		"no cause": {lived(3), []verdict.Finding{{Check: "alert", Outcome: verdict.Fail, Summary: `alert WebDown: fires in phase "after", where it must be silent: at 5 of 6 points`}},
			`Alert WebDown fires in phase "after", where it must be silent`, `Alert WebDown fires in phase "after", where it must be silent: at 5 of 6 points.`},
		"an expression": {lived(3), []verdict.Finding{{Check: "promql", Outcome: verdict.Fail, Summary: `max_over_time(up[5s:1s]) > 1 never holds within phase "run": 24 points evaluated`}},
			`The expression max_over_time(up[5s:1s]) > 1 never holds within phase "run"`, `The expression max_over_time(up[5s:1s]) > 1 never holds within phase "run": 24 points evaluated.`},
		"writes": {lived(3), []verdict.Finding{{Check: "audit", Layer: "db", Outcome: verdict.Fail, Cause: "lost-writes", Lost: 3, Summary: "the database lost 3"}},
			"The database lacks writes that were acknowledged", "3 of 10 writes (30 %) were acknowledged and are not in the database. Acknowledge after the write, with w: majority."},
	} {
		v := of(verdict.Fail, c.findings...)
		Tell(v, c.h, conserved)
		if diff := cmp.Diff([]string{c.title, c.sentence}, []string{v.Title, v.Sentence}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is to be done fits the way by which the counts came.
func TestRepairFitsTheWay(t *testing.T) {
	const statsd, sdk = "Flush the StatsD client on SIGTERM, once the last request has ended.", "Shut the SDK's meter provider down on SIGTERM, once the last request has ended."
	byOTLP := script.Metrics{OTLP: script.OTLPGRPC, Every: second}
	for name, c := range map[string]struct {
		metrics script.Metrics
		agent   script.Agent
		promise script.Metric
		series  collector.Way // by which the metric came; "": it never did
		want    string
	}{
		"StatsD":                                  {promise: "fullstack.insert", series: collector.ByStatsD, want: statsd},
		"OTLP":                                    {byOTLP, script.Agent{}, "fullstack.insert", collector.ByOTLP, sdk},
		"OTLP, by what is asked for":              {byOTLP, script.Agent{}, metric.Selection{Name: "fullstack.insert", Way: script.ByOTLP}.Ref(), "", sdk},
		"OTLP, by what the role does":             {byOTLP, script.Agent{}, "fullstack.insert", "", sdk},
		"StatsD beside OTLP":                      {byOTLP, script.Agent{}, "fullstack.insert", collector.ByStatsD, statsd},
		"StatsD to an agent that is scraped":      {script.Metrics{}, script.Agent{Window: second}, "fullstack.insert", collector.ByScrape, statsd},
		"StatsD, of a role that nobody speaks of": {promise: "fullstack.insert", want: statsd},
	} {
		s := conserved
		s.Stack.Web.Metrics, s.Stack.Agent = c.metrics, c.agent
		s.Checks = []script.Check{{Promise: script.Conservation{Metric: c.promise, Route: "insert", SampleRate: 1, MaxLag: 2 * second}}}
		h := lived(3, dies(8*second, "web-1", "SIGTERM")...)
		if c.series != "" {
			h.Series = []record.Series{{Name: "fullstack_insert_total", Labels: collector.NewLabels("instance", "web-1"),
				Meta: collector.Meta{Type: collector.Counter, Sent: "fullstack.insert", Way: c.series}, Points: []record.Point{{At: 2 * second, Value: 3}}}}
		}
		v := of(verdict.Fail, lost("lost-on-exit", "web-1", 95, 6.2, 7.9))
		Tell(v, h, s)
		if v.Explanations[0].Repair != c.want || !strings.HasSuffix(v.Sentence, c.want) {
			t.Errorf("%s: %q, %q; want %q", name, v.Explanations[0].Repair, v.Sentence, c.want)
		}
	}
}

// What follows from another finding is among its consequences, and what only looks so is not.
func TestConsequences(t *testing.T) {
	sum := verdict.Finding{Check: "conservation", Layer: "web", Outcome: verdict.Fail, Summary: "none of 3 agrees"}
	differs := verdict.Finding{Check: "conservation", Layer: "db", Outcome: verdict.Fail, Cause: "metric-differs", Lost: 9, Summary: "the database differs"}
	at := func(check, cause, instance string) verdict.Finding {
		return verdict.Finding{Check: check, Layer: "web", Outcome: verdict.Fail, Cause: cause, Instance: instance, Summary: check}
	}
	with := func(f verdict.Finding, lost, extra int64) verdict.Finding { f.Lost, f.Extra = lost, extra; return f }
	foreign := verdict.Finding{Check: "requests", Layer: "lb", Outcome: verdict.Fail, Cause: "foreign-requests", Extra: 20, Summary: "20 unexpected"}
	open := lost("undecided", "web-2", 5, 1, 2)
	open.Possible = []string{"still-held", "burst"}
	for name, c := range map[string]struct {
		findings []verdict.Finding
		want     string // cause: findings < consequences
	}{
		"sums, the database, the timer, the exit, a gap": {
			[]verdict.Finding{sum, lost("went-silent", "web-1", 9, 1, 2), differs, at("continuity", "went-silent", "web-1"), with(at("nesting", "went-silent", "web-1"), 9, 0), with(at("shutdown", "burst", "web-1"), 9, 0)},
			"went-silent: [1] < [0 2 3 4 5]"},
		"a database that differs by more": {[]verdict.Finding{lost("went-silent", "web-1", 8, 1, 2), differs}, "went-silent: [0] < []; metric-differs: [1] < []"},
		"a gap at another time":           {[]verdict.Finding{lost("went-silent", "web-1", 8, 1, 2), {Check: "continuity", Layer: "web", Outcome: verdict.Fail, Instance: "web-1", From: 5, To: 9, Summary: "a gap"}}, "went-silent: [0] < []; : [1] < []"},
		"correlation of another layer":    {[]verdict.Finding{{Check: "correlation", Layer: "db", Outcome: verdict.Fail, Summary: "r = 0.5"}, lost("burst", "web-1", 9, 1, 2)}, "burst: [1] < []; : [0] < []"},
		"the database alone":              {[]verdict.Finding{differs}, "metric-differs: [0] < []"},
		"a gauge of another instance":     {[]verdict.Finding{lost("truncated-datagrams", "web-1", 9, 1, 2), at("gauge", "drifting-gauge", "web-1"), at("gauge", "drifting-gauge", "web-2")}, "truncated-datagrams: [0] < [1]; drifting-gauge: [2] < []"},
		"a series that is not there, of one whose counts are not": {[]verdict.Finding{lost("undecided", "web-1", 9, 1, 2), at("identity", "undecided", "web-1"), at("identity", "undecided", "web-2")},
			"undecided: [0] < [1]; undecided: [2] < []"},
		"a series that is not there, under another name": {[]verdict.Finding{lost("renamed", "web-1", 9, 1, 2), at("identity", "no-metric", "web-1"), at("identity", "no-metric", "web-2")},
			"renamed: [0] < [1]; no-metric: [2] < []"},
		"gaps of a client that holds long, wherever": {[]verdict.Finding{lost("client-buffer-larger-than-declared", "web-1", 9, 1, 2), at("continuity", "flush-interval", "web-2"), with(at("continuity", "flush-interval", "web-3"), 5, 0)},
			"client-buffer-larger-than-declared: [0] < [1]; flush-interval: [2] < []"},
		"chains":                               {[]verdict.Finding{at("identity", "tags-vary", "web-1"), at("hygiene", "bad-lines", "web-1"), lost("truncated-datagrams", "web-1", 9, 1, 2)}, "truncated-datagrams: [2] < [0 1]"},
		"as many as came":                      {[]verdict.Finding{foreign, extra("counted-twice", "web-1", 12), extra("counted-twice", "web-2", 8)}, "foreign-requests: [0] < [1 2]"},
		"more than came":                       {[]verdict.Finding{foreign, extra("counted-twice", "web-1", 12), extra("counted-twice", "web-2", 9)}, "counted-twice: [1 2] < []; foreign-requests: [0] < []"},
		"losses do not follow from more":       {[]verdict.Finding{foreign, lost("burst", "web-1", 2, 1, 2)}, "foreign-requests: [0] < []; burst: [1] < []"},
		"an open one joins its likeliest":      {[]verdict.Finding{lost("still-held", "web-1", 9, 1, 2), open}, "still-held: [0 1] < []"},
		"an open one of another sign does not": {[]verdict.Finding{extra("still-held", "web-1", 9), open}, "still-held: [0] < []; undecided: [1] < []"},
		"another timer's cause, of an open one": {[]verdict.Finding{lost("undecided", "web-1", 9, 1, 2), with(at("nesting", "still-held", "web-1"), 9, 0)},
			"undecided: [0] < [1]"},
		"another timer's cause, of a known one": {[]verdict.Finding{lost("not-counted", "web-1", 9, 1, 2), with(at("nesting", "averaged", "web-1"), 8, 0)},
			"not-counted: [0] < []; averaged: [1] < []"},
		"correlation, with a loss":    {[]verdict.Finding{{Check: "correlation", Layer: "web", Outcome: verdict.Fail, Summary: "r = 0.5"}, lost("burst", "web-1", 9, 1, 2)}, "burst: [1] < [0]"},
		"correlation, with a gauge":   {[]verdict.Finding{{Check: "correlation", Layer: "web", Outcome: verdict.Fail, Summary: "r = 0.5"}, at("gauge", "drifting-gauge", "web-1")}, "drifting-gauge: [1] < []; : [0] < []"},
		"a counter that begins anew":  {[]verdict.Finding{at("continuity", "reset", "web-1"), lost("undecided", "web-1", 9, 1, 2), differs, at("identity", "reset", "web-1")}, "reset: [3] < [0 1 2]"},
		"the known before the open":   {[]verdict.Finding{lost("undecided", "web-1", 90, 1, 2), lost("burst", "web-2", 3, 1, 2)}, "burst: [1] < []; undecided: [0] < []"},
		"the greater before":          {[]verdict.Finding{lost("late", "web-1", 3, 1, 2), lost("burst", "web-2", 30, 1, 2)}, "burst: [1] < []; late: [0] < []"},
		"an expression is not a loss": {[]verdict.Finding{{Check: "promql", Outcome: verdict.Fail, Summary: "x > 0 never holds: y"}, lost("burst", "web-2", 30, 1, 2)}, "burst: [1] < []; : [0] < []"},
	} {
		v := of(verdict.Fail, c.findings...)
		Tell(v, lived(3), conserved)
		var got []string
		for _, e := range v.Explanations {
			got = append(got, fmt.Sprintf("%s: %v < %v", e.Cause, e.Findings, e.Consequences))
		}
		if text := strings.Join(got, "; "); text != c.want {
			t.Errorf("%s: %s, want %s", name, text, c.want)
		}
	}
}

// Every fault of the language has its words, and no other.
func TestFaultsHaveWords(t *testing.T) {
	for _, name := range script.FaultNames() {
		if faultWords[name][0] == "" {
			t.Errorf("a run in which there was a fault %s is told without it", name)
		}
	}
	if len(faultWords) != len(script.FaultNames()) {
		t.Errorf("%d faults have words, and there are %d", len(faultWords), len(script.FaultNames()))
	}
}

// What leads to what is a cause that is documented, and nothing leads to itself.
func TestLeadersLeadSomewhere(t *testing.T) {
	var below func(cause string, seen []string)
	below = func(cause string, seen []string) {
		if _, known := docs.Find(cause); !known {
			t.Errorf("%s is no cause", cause)
		}
		if slices.Contains(seen, cause) {
			t.Fatalf("%v leads back to %s", seen, cause)
		}
		for _, lead := range leaders[cause] {
			below(lead, append(slices.Clone(seen), cause))
		}
	}
	for cause := range leaders {
		below(cause, nil)
	}
}

// markup is what must not be left in a text for people.
var markup = regexp.MustCompile("[{}|`*]|%!|\\.\\.|;;|  |\\n")

// Whatever the findings are, each that is not a pass is explained once, and the text is whole
// sentences; the same findings give the same text.
func TestWhateverIsFoundIsTold(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	causes := []string{"", "", "undecided", "unheard-of"}
	for _, d := range docs.Diagnoses() {
		if d.Cause != "bad-lines" { // its repair has a bar
			causes = append(causes, d.Cause)
		}
	}
	checks := append(script.CheckKinds(), "record", "harness", "time", "hops", "efficacy", "require", "vacuity", "requests", "waive", "noticed", "of-the-future")
	for range 1_500 {
		v := of(verdict.Outcome(random.IntN(3)))
		for range random.IntN(12) {
			f := verdict.Finding{Check: pick(checks), Outcome: verdict.Outcome(random.IntN(3)), Layer: pick([]string{"", "users", "lb", "web", "db"}), Cause: pick(causes),
				Instance: pick([]string{"", "web-1", "web-2", "web-3", "web-9", "web-10", "other"}), Lost: random.Int64N(3), Extra: random.Int64N(3), From: float64(random.IntN(5)), Summary: pick([]string{"something: is wrong", "it", ""})}
			f.To = f.From + float64(random.IntN(9))
			if f.Cause == "undecided" {
				f.Possible = []string{pick(causes[3:]), pick(causes[3:])}
			}
			if v.Outcome == verdict.Pass {
				f.Outcome = verdict.Pass
			}
			v.Findings = append(v.Findings, f)
		}
		h := lived(random.IntN(12), dies(3*second, "web-1", pick([]string{"SIGKILL", "SIGTERM"}))...)
		Tell(v, h, conserved)
		if first, again := *v, v; true {
			Tell(again, h, conserved)
			if diff := cmp.Diff(first, *again); diff != "" {
				t.Fatalf("told twice (-first +again):\n%s", diff)
			}
		}
		explained := map[int]int{}
		for _, e := range v.Explanations {
			for _, i := range slices.Concat(e.Findings, e.Consequences) {
				explained[i]++
			}
			if len(e.Findings) == 0 || e.Title == "" || markup.MatchString(e.Title+e.Sentence+e.Repair) {
				t.Fatalf("explanation %+v of %+v", e, v.Findings)
			}
		}
		for i, f := range v.Findings {
			want := 0
			if f.Outcome == v.Outcome && f.Outcome != verdict.Pass || f.Outcome != verdict.Pass && len(v.Explanations) > 0 {
				want = 1
			}
			if explained[i] != want {
				t.Fatalf("finding %d is explained %d times, want %d: %+v in %+v", i, explained[i], want, v.Findings, v.Explanations)
			}
		}
		if v.Title == "" || !strings.HasSuffix(v.Sentence, ".") || markup.MatchString(v.Title+v.Sentence) {
			t.Fatalf("%q, %q of %+v", v.Title, v.Sentence, v.Findings)
		}
	}
}
