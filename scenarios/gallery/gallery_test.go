package gallery

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// ran is a run in which web-1 acknowledged 10 inserts and counted 7.
func ran(findings ...verdict.Finding) Run {
	h := record.History{Series: []record.Series{{Name: "fullstack_insert_total", Labels: collector.NewLabels("instance", "web-1"),
		Meta: collector.Meta{Type: collector.Counter, Sent: counted}, Points: []record.Point{{Value: 3}, {Value: 7}, {Stale: true}}}}}
	for range 10 {
		h.Requests = append(h.Requests, record.Request{Route: insert, Outcome: record.Acked, Instance: "web-1"})
	}
	v := verdict.Verdict{Outcome: verdict.Pass, Findings: findings}
	for _, f := range findings {
		if f.Outcome != verdict.Pass && v.Outcome != verdict.Fail {
			v.Outcome = f.Outcome
		}
	}
	return Run{History: h, Verdict: v}
}

func entry() Entry {
	return Entry{Name: "lossy", Want: wantConservation("not-counted").blaming("web-1").asLogged()}
}

func lost(n int64, cause string) verdict.Finding {
	return verdict.Finding{Check: "conservation", Outcome: verdict.Fail, Instance: "web-1", Lost: n, Cause: cause, Summary: "lost"}
}

func TestScore(t *testing.T) {
	for name, c := range map[string]struct {
		run                             Run
		proved                          bool
		caught, instance, amount, cause Mark
	}{
		"all right":          {ran(lost(3, "not-counted")), true, Right, Right, Right, Right},
		"another number":     {ran(lost(4, "not-counted")), true, Right, Right, Wrong, Right},
		"another cause":      {ran(lost(3, "late")), true, Right, Right, Right, Wrong},
		"an innocent blamed": {ran(lost(3, "not-counted"), verdict.Finding{Check: "conservation", Outcome: verdict.Fail, Instance: "web-2", Cause: "not-counted"}), true, Right, Wrong, Right, Right},
		"nothing said":       {ran(), true, Wrong, NotAsked, NotAsked, NotAsked},
		"said by another":    {ran(verdict.Finding{Check: "gauge", Outcome: verdict.Fail, Instance: "web-1"}), true, Wrong, NotAsked, NotAsked, NotAsked},
		"said of nobody":     {ran(verdict.Finding{Check: "conservation", Outcome: verdict.Fail}), true, Wrong, NotAsked, NotAsked, NotAsked},
		"too busy to tell":   {ran(verdict.Finding{Check: "harness", Outcome: verdict.Inconclusive}), false, Wrong, NotAsked, NotAsked, NotAsked},
	} {
		t.Run(name, func(t *testing.T) {
			r := Score(entry(), c.run)
			if r.Proved != c.proved || r.Caught != c.caught || r.Instance != c.instance || r.Amount != c.amount || r.Cause != c.cause {
				t.Errorf("proved %v, caught %v, instance %v, amount %v, cause %v; want %v, %v, %v, %v, %v",
					r.Proved, r.Caught, r.Instance, r.Amount, r.Cause, c.proved, c.caught, c.instance, c.amount, c.cause)
			}
			if good := name == "all right"; r.Good() != good {
				t.Errorf("good %v", r.Good())
			}
		})
	}
}

// What the instance itself logged counts as much as the rows.
func TestScoreWithWhatWasLogged(t *testing.T) {
	run := ran(lost(3, "not-counted"))
	run.Logged = map[string]Amount{"web-1": {Dropped: 4, Extra: 1}}
	if r := Score(entry(), run); r.Amount != Right {
		t.Errorf("3 lost, 4 dropped and 1 extra logged: amount %v", r.Amount)
	}
	run.Logged["web-1"] = Amount{Dropped: 5}
	if r := Score(entry(), run); r.Amount != Wrong {
		t.Errorf("3 lost, 5 dropped logged: amount %v", r.Amount)
	}
	run.Verdict.Findings[0].Bound = 2
	if r := Score(entry(), run); r.Amount != Right {
		t.Errorf("3 lost give or take 2, 5 dropped logged: amount %v", r.Amount)
	}
}

// A defect that did nothing cannot be missed; one that did, or did not say, can.
func TestScoreOfADefectThatDidNothing(t *testing.T) {
	for name, c := range map[string]struct {
		logged map[string]Amount
		proved bool
	}{
		"nothing done":  {map[string]Amount{"web-1": {}, "web-2": {}}, false},
		"something":     {map[string]Amount{"web-1": {Dropped: 1}}, true},
		"not told":      {map[string]Amount{"web-2": {}}, true},
		"nothing known": {nil, true},
	} {
		run := ran()
		run.Logged = c.logged
		if r := Score(entry(), run); r.Proved != c.proved || r.Caught != Wrong {
			t.Errorf("%s: proved %v, caught %v: %s", name, r.Proved, r.Caught, r.Said)
		}
	}
	alarm := ran(verdict.Finding{Check: "gauge", Outcome: verdict.Fail, Instance: "web-1"})
	alarm.Logged = map[string]Amount{"web-1": {}}
	if r := Score(entry(), alarm); !r.Proved || r.Caught != Wrong {
		t.Errorf("something else is said of a defect that did nothing: %+v", r)
	}
}

func TestScoreControl(t *testing.T) {
	if r := ScoreControl("quiet", ran().Verdict); !r.Good() {
		t.Errorf("a pass: %+v", r)
	}
	if r := ScoreControl("quiet", ran(lost(1, "")).Verdict); r.Caught != Wrong || !r.Proved || r.By != "conservation" {
		t.Errorf("a false alarm: %+v", r)
	}
	if r := ScoreControl("quiet", ran(verdict.Finding{Check: "harness"}).Verdict); r.Proved {
		t.Errorf("inconclusive: %+v", r)
	}
}

// The bounds of 0 of 300 and 300 of 300 are exact: 1 - 0.025^(1/300).
func TestShare(t *testing.T) {
	edge := 1 - math.Pow(0.025, 1.0/300)
	none, all := NewShare(0, 300), NewShare(300, 300)
	if none.Least != 0 || math.Abs(none.Most-edge) > 1e-9 {
		t.Errorf("0 of 300: %v to %v, want 0 to %v", none.Least, none.Most, edge)
	}
	if all.Most != 1 || math.Abs(all.Least-(1-edge)) > 1e-9 {
		t.Errorf("300 of 300: %v to %v, want %v to 1", all.Least, all.Most, 1-edge)
	}
	if s := NewShare(0, 0).String(); s != "none looked at" {
		t.Errorf("0 of 0: %q", s)
	}
	// The textbook's example: 5 of 10 at 95 %.
	if s := NewShare(5, 10); math.Abs(s.Least-0.187086) > 1e-6 || math.Abs(s.Most-0.812914) > 1e-6 {
		t.Errorf("5 of 10: %v to %v", s.Least, s.Most)
	}
}

func TestFigures(t *testing.T) {
	f := NewFigures([]Result{
		Score(entry(), ran(lost(3, "not-counted"))),
		Score(entry(), ran(lost(3, "late"))),
		Score(entry(), ran()),
		Score(entry(), ran(verdict.Finding{Check: "harness"})),
		ScoreControl("", ran().Verdict),
		ScoreControl("", ran(lost(1, "")).Verdict),
	})
	for name, c := range map[string]struct {
		s      Share
		is, of int
	}{
		"detection": {f.Detection, 2, 3}, "cause": {f.Cause, 1, 2}, "amount": {f.Amount, 2, 2},
		"false alarms": {f.FalseAlarms, 1, 2}, "inconclusive": {f.Inconclusive, 1, 6},
	} {
		if c.s.Is != c.is || c.s.Of != c.of {
			t.Errorf("%s: %d of %d, want %d of %d", name, c.s.Is, c.s.Of, c.is, c.of)
		}
	}
}

func TestResultsInFiles(t *testing.T) {
	r := Score(entry(), ran(lost(4, "not-counted")))
	r.Took = time.Second
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(text, &back); err != nil || back != r {
		t.Errorf("%v: %+v, want %+v", err, back, r)
	}
	if err := new(Mark).UnmarshalText([]byte("maybe")); err == nil {
		t.Error("the mark maybe is taken")
	}
}

// What every entry must have.
func TestEntries(t *testing.T) {
	all := Entries()
	if len(all) < 40 {
		t.Errorf("%d entries", len(all))
	}
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.Name] {
			t.Errorf("%s is there twice", e.Name)
		}
		seen[e.Name] = true
		if e.About == "" || e.Want.Check == "" || e.Want.Outcome == verdict.Pass {
			t.Errorf("%s: about %q, check %q, outcome %v", e.Name, e.About, e.Want.Check, e.Want.Outcome)
		}
		if e.Spoil != nil && e.Stage.Defect != "" {
			t.Errorf("%s: spoils the record of a run that is not healthy", e.Name)
		}
	}
	if _, _, err := Select("nobody"); err == nil || !strings.Contains(err.Error(), "nobody: nothing in the gallery is called that (have lost-on-exit, ") || !strings.Contains(err.Error(), ", quiet, ") {
		t.Errorf("error %v", err)
	}
}

func TestMatrix(t *testing.T) {
	r := Score(entry(), ran(lost(3, "not-counted")))
	r.Name = "not-counted"
	again := r
	again.Cause = Wrong
	var text, page bytes.Buffer
	results := []Result{r, again, ScoreControl("quiet", ran().Verdict)}
	if err := WriteText(&text, results); err != nil {
		t.Fatal(err)
	}
	if err := WriteMarkdown(&page, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"not-counted", "2/2", "1/2", "quiet"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(page.String(), want) {
			t.Errorf("no %q in\n%s\n%s", want, text.String(), page.String())
		}
	}
}

// The page shows the gallery as it is.
func TestThePageNamesEveryEntry(t *testing.T) {
	page, err := os.ReadFile("../../docs/GALLERY.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllSubmatch(page, -1) {
		shown[string(m[1])] = true
	}
	var names []string
	for _, e := range Entries() {
		names = append(names, e.Name)
	}
	for _, c := range Controls() {
		names = append(names, c.Name)
	}
	for _, name := range names {
		if !shown[name] {
			t.Errorf("docs/GALLERY.md does not name %s; make it anew with throughline selftest --format markdown", name)
		}
		delete(shown, name)
	}
	for name := range shown {
		t.Errorf("docs/GALLERY.md names %s, which is not in the gallery", name)
	}
}
