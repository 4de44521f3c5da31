package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/exam"
)

// examined is a report with something of everything.
func examined() exam.Report {
	found := func(o verdict.Outcome, findings ...verdict.Finding) *verdict.Verdict {
		return &verdict.Verdict{Outcome: o, Title: "The <title> of " + o.String(), Sentence: "A sentence.", Seconds: 18, Findings: findings,
			Explanations:  []verdict.Explanation{{Cause: "lost-on-exit", Title: "web-1 loses its last counts", Findings: []int{0}}},
			Residuals:     []verdict.Residual{{Between: "users→web", Cause: "unexplained", Lost: 31}},
			LedgerEntries: []verdict.Ledger{{Layer: "users", Route: "order", Counts: map[string]int64{"acked": 1234}}}}
	}
	r := exam.Summarize("shop", []exam.Run{
		{Name: "steady", About: "nothing is done", File: "out/scenarios/steady.yaml", Dir: "out/01-steady", Verdict: found(verdict.Pass, verdict.Finding{Check: "identity", Outcome: verdict.Pass})},
		{Name: "kill", About: "an instance is killed", File: "out/scenarios/kill.yaml", Dir: "out/02-kill", Verdict: found(verdict.Fail, verdict.Finding{Check: "conservation", Outcome: verdict.Fail, Lost: 31})},
		{Name: "scale", About: "instances are launched", File: "out/scenarios/scale.yaml", Dir: "out/03-scale", Verdict: found(verdict.Inconclusive, verdict.Finding{Check: "hygiene"})},
		{Name: "freeze", File: "out/scenarios/freeze.yaml", Dir: "out/04-freeze", Unrun: "no HAProxy\nfound"},
	}, []exam.Left{{What: "times", Why: "no timer was named"}})
	r.Seed = 7
	return r
}

// The text says each grade with its reason, each run, what was not examined, and how to go on.
func TestExamText(t *testing.T) {
	var out bytes.Buffer
	if err := WriteExamText(&out, "out", examined(), TextOptions{Width: 100}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"FAIL  shop: 1 of 4 runs failed, and 2 proved nothing", "A  identity     held in 1 run", "F  conservation 31 of 1,234 requests wrong, in 1 of 1 run",
		"kill: web-1 loses its last counts", "?  hygiene      nothing was proved in 1 run", "-  times        not examined: no timer was named", "NOT RUN       freeze   no HAProxy",
		"throughline explain lost-on-exit", "throughline run out/scenarios/kill.yaml", "report: out/report.html",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if width(line) > 100 {
			t.Errorf("a line of %d characters: %s", width(line), line)
		}
	}
}

// The files are whole: JSON that reads back, JUnit that counts what failed, a page that escapes and links.
func TestExamFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	r := examined()
	for i := range r.Runs {
		r.Runs[i].Dir = filepath.Join(dir, filepath.Base(r.Runs[i].Dir))
	}
	if err := WriteExam(dir, r); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var back map[string]any
	if err := json.Unmarshal(read(ExamFile), &back); err != nil || back["outcome"] != "fail" || len(back["grades"].([]any)) != 8 || len(back["runs"].([]any)) != 4 {
		t.Errorf("%v: %v", err, back)
	}
	if bytes.Contains(read(ExamFile), []byte("null")) {
		t.Errorf("a list is null:\n%s", read(ExamFile))
	}
	var suites junitSuites
	if err := xml.Unmarshal(read(JUnitFile), &suites); err != nil {
		t.Fatal(err)
	}
	// Failures: conservation and its run. Errors: hygiene and its run, and what was not run. The others nobody asked, but identity.
	if s := suites.Suites[0]; s.Tests != 12 || s.Failures != 2 || s.Errors != 3 || s.Skipped != 5 {
		t.Errorf("%d tests, %d failures, %d errors, %d skipped:\n%s", s.Tests, s.Failures, s.Errors, s.Skipped, read(JUnitFile))
	}
	page := string(read(HTMLFile))
	for _, want := range []string{`<a href="02-kill/report.html">kill</a>`, "The &lt;title&gt; of fail", "Content-Security-Policy", `<td class="grade fail">F</td>`} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page:\n%s", want, page)
		}
	}
	if strings.Contains(page, "04-freeze/report.html") {
		t.Error("the page links to the report of a run that was not")
	}
}

// Where all passed, and where nothing was run, the title says so.
func TestExamTitles(t *testing.T) {
	for want, runs := range map[string][]exam.Run{
		"Nothing could be examined": nil,
		"All 2 runs passed":         {{Verdict: &verdict.Verdict{Outcome: verdict.Pass}}, {Verdict: &verdict.Verdict{Outcome: verdict.Pass}}},
		"1 of 1 run proved nothing": {{Verdict: &verdict.Verdict{}}},
		"1 of 1 run failed":         {{Verdict: &verdict.Verdict{Outcome: verdict.Fail}}},
	} {
		if got := examTitle(exam.Summarize("x", runs, nil)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
