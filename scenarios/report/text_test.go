package report

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

func written(t *testing.T, h record.History, v verdict.Verdict, o TextOptions) string {
	t.Helper()
	var b strings.Builder
	if err := WriteText(&b, h, v, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Colors add nothing but themselves, and every line fits.
func TestTextWidthAndColor(t *testing.T) {
	h := killed()
	h.Damage = []string{"users.csv: line 4711: " + strings.Repeat("a very long reason ", 9)}
	for _, o := range []verdict.Outcome{verdict.Pass, verdict.Fail, verdict.Inconclusive} {
		v := judged(h, o)
		for _, w := range []int{0, 80, 100, 140} {
			plain := written(t, h, v, TextOptions{Width: w})
			if strings.Contains(plain, "\x1b") {
				t.Fatalf("%v: color that nobody asked for in\n%s", o, plain)
			}
			for _, line := range strings.Split(plain, "\n") {
				if width(line) > max(w, 80) {
					t.Errorf("%v at width %d: line of %d: %s", o, w, width(line), line)
				}
			}
			colored := written(t, h, v, TextOptions{Width: w, Color: true})
			if colored == plain || ansi.ReplaceAllString(colored, "") != plain {
				t.Errorf("%v at width %d: without its colors it reads\n%s\nwant\n%s", o, w, ansi.ReplaceAllString(colored, ""), plain)
			}
		}
	}
}

// Text of others cannot move the cursor or end a line.
func TestTextHostileNames(t *testing.T) {
	hostile := "a\x1b]0;x\x07\x1b[2J\r\nPASS b\u202e"
	h := killed()
	h.Run.Platform, h.Damage = hostile, []string{hostile}
	h.Events = append(h.Events, record.Event{Kind: record.Birth, Instance: hostile, Role: record.Web})
	v := judged(h, verdict.Fail)
	v.Scenario, v.Ledgers.Users.Route, v.Ledgers.Web.Metric = hostile, hostile, hostile
	v.Ledgers.LB.Responses[hostile] = 1
	v.Residuals[0].Cause, v.Residuals[0].Between = hostile, hostile
	v.Findings[0] = verdict.Finding{Check: hostile, Outcome: verdict.Fail, Summary: hostile, Layer: hostile, Instance: hostile, Cause: hostile, RunnerUp: hostile}
	v.Findings[1].Summary, v.Findings[1].Check = hostile, hostile
	got := written(t, h, v, TextOptions{Where: hostile})
	if strings.ContainsAny(got, "\x1b\x07\r\u202e") {
		t.Errorf("control characters in\n%q", got)
	}
	if regexp.MustCompile(`(?m)^PASS`).MatchString(got) {
		t.Errorf("a name begins a line like a verdict:\n%s", got)
	}
}

// A fleet of many is cut short, and says so; what has a residual is not.
func TestTextManyInstancesAndFindings(t *testing.T) {
	h := many(300)
	v := verdict.Verdict{Scenario: "many", Outcome: verdict.Fail}
	v.Residuals = []verdict.Residual{{Between: "users→web", Instance: "web-297", Cause: "unexplained", Lost: 4}, {Between: "web→db", Cause: "lb-retry", Extra: 2}}
	for i := range 50 {
		v.Findings = append(v.Findings, verdict.Finding{Check: "continuity", Outcome: verdict.Fail, Summary: fmt.Sprintf("hole %d", i)},
			verdict.Finding{Check: "hygiene", Outcome: verdict.Pass, Summary: "fine"})
	}
	got := written(t, h, v, TextOptions{})
	for _, want := range []string{"and 275 more instances without a residual", "\n  web-297 ", "booked users→web: lost 4: unexplained",
		"booked to no instance web→db: extra 2: lb-retry", "and 30 more findings with outcome fail in verdict.json", "hole 19", "fine (+49 more)"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "hole 20") {
		t.Errorf("more than %d findings in\n%s", mostFindings, got)
	}
}

// No line is wider than the terminal, and a wide one is made use of.
func TestTextFitsTheTerminal(t *testing.T) {
	h := killed()
	v := judged(h, verdict.Fail)
	widest := map[int]int{}
	for _, columns := range []int{60, 72, 80, 100, 200} {
		got := written(t, h, v, TextOptions{Width: columns})
		for line := range strings.Lines(got) {
			n := width(strings.TrimRight(line, "\n"))
			widest[columns] = max(widest[columns], n)
			if n > columns {
				t.Errorf("%d of %d columns: %s", n, columns, line)
			}
		}
		for _, want := range []string{"acked (2xx)", "residual  lived", "web-2"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in %d columns:\n%s", want, columns, got)
			}
		}
	}
	if widest[200] <= widest[100] || widest[100] <= widest[80] {
		t.Errorf("the widest lines are %v", widest)
	}
	for given, taken := range map[int]int{0: 80, 10: 60, 1000: 200} {
		if written(t, h, v, TextOptions{Width: given}) != written(t, h, v, TextOptions{Width: taken}) {
			t.Errorf("%d columns are not taken as %d", given, taken)
		}
	}
}

// What was not measured is not shown as 0.
func TestLedgerWithoutData(t *testing.T) {
	h := killed()
	v := judged(h, verdict.Pass)
	cells := func(h record.History, v verdict.Verdict) map[string][]string {
		out := map[string][]string{}
		for _, r := range ledgerRows(record.AllTiers().In(record.History{}), h, v) {
			out[r.Name] = r.Cells
		}
		return out
	}
	v.Ledgers.DB.Updates = -1
	if got := cells(h, v)["update commands"][3]; got != "not known" {
		t.Errorf("updates that are not known: %q", got)
	}
	h.After = nil
	if got := cells(h, v)["acked, counted, added"]; got[3] != "not read" {
		t.Errorf("increments without documents: %q", got)
	}
	h.Run.Database = "none"
	v.Ledgers.Web.Metric = ""
	if got := cells(h, v)["acked, counted, added"]; got[2] != none || got[3] != none {
		t.Errorf("without database and metric: %q", got)
	}
	h.Series, v.Ledgers.LB = nil, verdict.LBLedger{}
	if got := cells(h, v)["requests"]; got[1] != "no data" {
		t.Errorf("requests of a load balancer that was never polled: %q", got)
	}
}

// Users of unknown fate are those that nobody answered.
func TestLedgerCallsAnswersByTheirClass(t *testing.T) {
	v := judged(killed(), verdict.Pass)
	v.Ledgers.Users.Unknown, v.Ledgers.Users.Answered = 9, map[string]int64{"4xx": 6, "3xx": 1}
	v.Ledgers.Users.RouteUnknown, v.Ledgers.Users.RouteAnswered = 3, map[string]int64{"5xx": 2}
	v.Ledgers.LB.Responses = map[string]int64{"2xx": 100, "4xx": 7, "1xx": 0}
	var got []string
	for _, r := range ledgerRows(record.AllTiers().In(record.History{}), killed(), v) {
		if strings.HasPrefix(r.Name, "unknown") || strings.HasPrefix(r.Name, "answered") {
			got = append(got, r.Name+": "+r.Cells[0]+" | "+r.Cells[1])
		}
	}
	want := []string{"unknown: 2 | ", "answered 3xx: 1 | 0", "answered 4xx: 6 | 7", "answered 5xx:  | 0", "unknown: 1 | ", "answered 5xx: 2 | "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A further tier has a column in its place, and in it what it tells.
func TestAFurtherTierHasAColumn(t *testing.T) {
	tiers := record.AllTiers().In(record.History{})
	tiers = slices.Insert(tiers, 2, record.Tier{Layer: "cache", Title: "cache"})
	v := judged(killed(), verdict.Pass)
	v.LedgerEntries = []verdict.Ledger{{Layer: "cache", Counts: map[string]int64{"answered_2xx": 1234}}, {Layer: "cache", Instance: "web-1", Counts: map[string]int64{"answered_2xx": 9}}}
	if diff := cmp.Diff([]string{"users", "load balancer", "cache", "web", "database"}, ledgerHeads(tiers, false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i, r := range ledgerRows(tiers, killed(), v) {
		want := ""
		if r.Name == "acked (2xx)" {
			want = "1,234"
		}
		if r.Cells[2] != want {
			t.Errorf("%s: %q, want %q", r.Name, r.Cells[2], want)
		}
		if plain := ledgerRows(record.AllTiers().In(record.History{}), killed(), v)[i]; !slices.Equal(plain.Cells, slices.Delete(r.Cells, 2, 3)) {
			t.Errorf("%s: other columns change: %q", r.Name, plain.Cells)
		}
	}
}

func TestInstanceRows(t *testing.T) {
	h := killed()
	v := judged(h, verdict.Fail)
	v.Ledgers.Web.ByInstance["web-10"] = 3 // nobody saw its birth
	v.Ledgers.Web.ByInstance["web-9"] = 1
	var names []string
	for _, r := range instanceRows(h, v) {
		names = append(names, r.Name)
		switch r.Name {
		case "web-2":
			if r.Plain || r.Residual != "-5" || len(r.Booked) != 1 || r.Lived != "0.2–8.3 s, SIGKILL" {
				t.Errorf("web-2: %+v", r)
			}
		case "web-3":
			if !r.Plain || r.Residual != "0" {
				t.Errorf("web-3: %+v", r)
			}
		case "web-10":
			if r.Plain || r.Residual != "+3" || r.Lived != "not in the journal" || r.LB != none {
				t.Errorf("web-10: %+v", r)
			}
		}
	}
	if got := strings.Join(names, " "); got != "web-1 web-2 web-3 web-4 web-9 web-10" {
		t.Errorf("instances %s", got)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestWriteErrorsAreTold(t *testing.T) {
	h := killed()
	v := judged(h, verdict.Pass)
	for name, err := range map[string]error{
		"text": WriteText(broken{}, h, v, TextOptions{}), "json": WriteJSON(broken{}, v),
		"junit": WriteJUnit(broken{}, v), "html": WriteHTML(broken{}, h, v),
	} {
		if err == nil || !strings.Contains(err.Error(), "no space") {
			t.Errorf("%s: error %v, want that of the writer", name, err)
		}
	}
}

// TestWaivedFindingsAreTold: a failure that the scenario accepts is no pass like
// any other: it is told in full, and the last line says that a waiver is in force.
func TestWaivedFindingsAreTold(t *testing.T) {
	v := verdict.Verdict{Scenario: "quiet", Outcome: verdict.Pass, Waived: []verdict.Waiver{{Check: "conservation", Reason: "known"}},
		Findings: []verdict.Finding{
			{Check: "conservation", Outcome: verdict.Pass, Instance: "web-2", Layer: "web", Lost: 41, Waived: "known", Summary: "waived (known): web-2 lost 41 inserts"},
			{Check: "continuity", Outcome: verdict.Pass, Summary: "no hole"},
		}}
	got := written(t, record.History{}, v, TextOptions{})
	for _, want := range []string{"WAIVED  conservation · web-2 (web)", "lost 41", "waived (known): web-2 lost 41 inserts", "1 waiver in force"} {
		if !strings.Contains(got, want) {
			t.Errorf("the text lacks %q:\n%s", want, got)
		}
	}
}

// What no check asked about is told in every form of the report, and counted
// among nothing that passed or failed.
func TestNoticed(t *testing.T) {
	h := killed()
	for _, o := range []verdict.Outcome{verdict.Pass, verdict.Fail, verdict.Inconclusive} {
		v := judged(h, o)
		plain := written(t, h, v, TextOptions{})
		cases := len(parseJUnit(t, v).Suites[0].Cases)
		for i := range 30 {
			v.Findings = append(v.Findings, verdict.Finding{Check: "noticed", Outcome: verdict.Pass, Noticed: true,
				Cause: "cardinality", Summary: fmt.Sprintf("series grow with the requests, case %d", i)})
		}
		text := written(t, h, v, TextOptions{})
		lines := strings.Split(text, "\n")
		for _, want := range []string{"  NOTE  series grow with the requests, case 0; likely cause: cardinality", "  and 10 more things noticed, in verdict.json"} {
			if !slices.Contains(lines, want) {
				t.Errorf("%v: no line %q in\n%s", o, want, text)
			}
		}
		if strings.Contains(text, "pass  noticed") || strings.Count(text, "case ") != 20 {
			t.Errorf("%v: %s", o, text)
		}
		if got := strings.Count(text, "\n") - strings.Count(plain, "\n"); got < 21 || got > 22 { // the verdict may take a line more
			t.Errorf("%v: %d lines more", o, got)
		}
		suite := parseJUnit(t, v).Suites[0]
		if last := suite.Cases[len(suite.Cases)-2]; len(suite.Cases) != cases+1 || last.Name != "noticed" || last.Failure != nil || last.Error != nil || !strings.Contains(last.Output, "case 29") {
			t.Errorf("%v: %+v", o, suite.Cases)
		}
		if page := pageOf(t, h, v); strings.Count(page, `class="finding noticed">`) != 30 {
			t.Errorf("%v: not in the page", o)
		}
		if !strings.Contains(strings.Join(strings.Fields(text), " "), "30 things noticed that no check asked about") {
			t.Errorf("%v: what was noticed is not counted:\n%s", o, text)
		}
		if a, b := byOutcome(v.Findings, "")[verdict.Pass], byOutcome(judged(h, o).Findings, "")[verdict.Pass]; len(a) != len(b) {
			t.Errorf("%v: %d passed, %d without what was noticed", o, len(a), len(b))
		}
	}
}
