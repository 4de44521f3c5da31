package synthetic

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// runs are some of every cause.
const runs = 15

var madeRuns = sync.OnceValues(func() ([]Made, error) {
	var all []Made
	for _, cause := range Causes() {
		for seed := range uint64(runs) {
			m, err := Make(seed+1000, cause)
			if err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	return all, nil
})

func each(t *testing.T, do func(*testing.T, Made)) {
	t.Helper()
	all, err := madeRuns()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		do(t, m)
		if t.Failed() {
			t.Fatalf("in the run of seed %d with %s", m.Seed, m.Truth.Cause)
		}
	}
}

// The same seed makes the same run, whatever is made besides.
func TestSameSeedSameRun(t *testing.T) {
	each(t, func(t *testing.T, m Made) {
		if m.Seed > 1001 {
			return
		}
		again, err := Make(m.Seed, m.Truth.Cause)
		if err != nil {
			t.Fatal(err)
		}
		if reflect.DeepEqual(m, again) {
			return // cmp takes a hundred times as long to find no difference
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Errorf("(-first +again):\n%.2000s", diff)
		}
	})
}

// Every run can be read as a scenario, and all that it asks of the stack is in its
// journal.
func TestScenarioCanBeRead(t *testing.T) {
	each(t, func(t *testing.T, m Made) {
		s, err := script.Parse("made-up.yaml", m.Record.Scenario, script.Options{})
		if err != nil {
			t.Errorf("%v\n%s", err, m.Record.Scenario)
			return
		}
		var asked, done []string
		for _, p := range s.Phases {
			for _, step := range p.Do {
				asked = append(asked, step.String())
			}
		}
		for _, e := range m.Record.Events {
			if e.Kind == record.StepEnd {
				done = append(done, e.Step)
			}
		}
		if !slices.Equal(asked, done) {
			t.Errorf("asked for %q, done %q", asked, done)
		}
	})
}

// The ledgers agree with each other, whatever is wrong with the metric: the load
// balancer logged each request once, instances answer while they live, the database
// has what was acknowledged.
func TestLedgersAgree(t *testing.T) {
	each(t, func(t *testing.T, m Made) {
		h := m.Record
		lives := map[string]record.Lifetime{}
		for _, l := range h.Lifetimes() {
			lives[l.Instance] = l
		}
		var acked, unknown int64
		for _, r := range h.Requests {
			if r.Due > r.Sent || r.Sent > r.Done {
				t.Errorf("request %d: due %v, sent %v, done %v", r.Seq, r.Due, r.Sent, r.Done)
			}
			if l := lives[r.Instance]; r.Outcome == record.Acked && (l.Death != record.Never && r.Done > l.Death || r.Sent < l.Serving) {
				t.Errorf("request %d was answered at %v by %s, which lived from %v to %v", r.Seq, r.Done, r.Instance, l.Serving, l.Death)
			}
			if r.Route == insert && r.Outcome == record.Acked {
				acked++
			}
			if r.Route == insert && r.Outcome == record.Unknown {
				unknown++
			}
		}
		if len(h.Executions) != len(h.Requests) {
			t.Errorf("%d requests, and %d in the load balancer's log", len(h.Requests), len(h.Executions))
		}
		if grown := h.After.Sum() - h.Before.Sum(); h.After != nil && (grown < acked || grown > acked+unknown) {
			t.Errorf("%d writes in the database; %d acknowledged, %d unknown", grown, acked, unknown)
		}
		if last := h.Events[len(h.Events)-1]; last.Kind != record.RunEnd || last.Tally == nil || last.Tally.Requests != int64(len(h.Requests)) {
			t.Errorf("the journal ends with %+v", last)
		}
	})
}

// What the truth says was counted is what the counter's series say in the end, and
// each value that came stands behind a point.
func TestTruthIsInTheRecord(t *testing.T) {
	each(t, func(t *testing.T, m Made) {
		counted := map[string]float64{}
		var observed uint64
		var values float64
		for _, s := range m.Record.Series {
			var last float64
			for _, p := range s.Points {
				if p.Stale {
					continue
				}
				if p.Value < last && s.Meta.Type == "counter" {
					t.Errorf("%s %v falls from %v to %v at %v", s.Name, s.Labels, last, p.Value, p.At)
				}
				last = p.Value
				if s.Meta.Sent != "" && !strings.HasSuffix(s.Name, "_sampled_total") {
					observed += p.Observed
				}
			}
			switch s.Name {
			case "fullstack_insert_total":
				counted[s.Labels.Get("instance")] += last
			case "throughline_collector_values_total":
				values += last
			}
		}
		for name, a := range m.Truth.Instances {
			if int64(math.Round(counted[name])) != a.Counted {
				t.Errorf("%s counted %v, and the truth is %+v", name, counted[name], a)
			}
		}
		if float64(observed) != values {
			t.Errorf("%d values behind points, %v came", observed, values)
		}
	})
}

// A healthy run counts everything but what a kill may take and a declared sampling
// leaves open, and a defect does something.
func TestDefectsStrike(t *testing.T) {
	each(t, func(t *testing.T, m Made) {
		shows := m.Truth.Shows()
		if m.Truth.Cause == Healthy && shows {
			t.Errorf("the healthy run is off: %+v", m.Truth.Instances)
		}
		if m.Truth.Cause != Healthy && !m.struck() {
			t.Errorf("nothing was struck: %s, %+v", m.Truth.About, m.Truth.Instances)
		}
	})
}

// The parameters that diagnoses were not written for are drawn too.
func TestParametersAreWide(t *testing.T) {
	var long, direct, many, short, kills, slow, sampled, coarse, frozen int
	const healthy = 300
	for seed := range uint64(healthy) {
		m, err := Make(seed, Healthy)
		if err != nil {
			t.Fatal(err)
		}
		p := m.Params
		add := func(n *int, is bool) {
			if is {
				*n++
			}
		}
		add(&long, p.Client.Hold() >= time.Second && p.Client.Hold() <= 5*time.Second)
		add(&direct, p.Client.Hold() == 0)
		add(&many, p.Workers > 1)
		add(&slow, p.Stop >= time.Second)
		add(&sampled, p.Rate1 < 1)
		add(&coarse, p.Interval > time.Second)
		for _, e := range m.Record.Events {
			if e.Kind == record.Signalled && e.Signal == "SIGKILL" {
				kills++
				break
			}
		}
		for _, l := range m.Record.Lifetimes() {
			if l.Death != record.Never && l.Death-l.Serving < 3*time.Second {
				short++
				break
			}
		}
		add(&frozen, slices.ContainsFunc(m.Record.Events, func(e record.Event) bool { return e.Kind == record.FaultBegin }))
	}
	for name, n := range map[string]int{"clients that hold 1 to 5 s": long, "clients that hold nothing": direct, "several workers": many,
		"short lives": short, "kills": kills, "slow stops": slow, "sampled": sampled, "long intervals": coarse, "freezes": frozen} {
		if n < healthy/50 {
			t.Errorf("%s: %d of %d runs", name, n, healthy)
		}
	}
}
