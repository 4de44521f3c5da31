package confusion

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/gallery"
	"throughline/scenarios/synthetic"
)

// made is a run of a cause that lacks 10 of web-1's 100 counts.
func made(cause string, also ...string) synthetic.Made {
	return synthetic.Made{Seed: 1, Truth: synthetic.Truth{Cause: cause, Also: also,
		Instances: map[string]synthetic.Amount{"web-1": {Due: 100, Counted: 90, Least: 100, Most: 102}}}}
}

func finding(cause string, possible ...string) verdict.Finding {
	return verdict.Finding{Check: "conservation", Outcome: verdict.Fail, Layer: "web", Instance: "web-1", Lost: 10, Cause: cause, Possible: possible}
}

func TestScore(t *testing.T) {
	within := made("late")
	within.Truth.Instances["web-1"] = synthetic.Amount{Due: 100, Counted: 99, Least: 98, Most: 100}
	for _, test := range []struct {
		name   string
		made   synthetic.Made
		found  []verdict.Finding
		all    verdict.Outcome
		want   Mark
		named  string
		amount bool
	}{
		{"the true cause", made("not-counted"), []verdict.Finding{finding("not-counted")}, verdict.Fail, Right, "not-counted", true},
		{"one that cannot be told from it", made("not-counted", "conditional-count"), []verdict.Finding{finding("conditional-count")}, verdict.Fail, Right, "conditional-count", true},
		{"a wrong one beside it", made("not-counted"), []verdict.Finding{finding("not-counted"), finding("burst")}, verdict.Fail, Wrong, "burst,not-counted", true},
		{"open", made("not-counted"), []verdict.Finding{finding("undecided", "burst", "not-counted")}, verdict.Fail, Undecided, "", true},
		{"open, and wrong elsewhere", made("not-counted"), []verdict.Finding{finding("undecided"), finding("burst")}, verdict.Fail, Wrong, "burst", true},
		{"no cause", made("not-counted"), []verdict.Finding{finding("")}, verdict.Fail, Unnamed, "", true},
		{"nothing", made("not-counted"), nil, verdict.Pass, Missed, "", true},
		{"nothing, and nothing to see", within, nil, verdict.Pass, Hidden, "", true},
		{"nothing proved", made("late"), nil, verdict.Inconclusive, Inconclusive, "", true},
		{"an excuse", made("late"), []verdict.Finding{{Check: "conservation", Layer: "web", Cause: "flush-late-on-busy-machine"}}, verdict.Inconclusive, Inconclusive, "", true},
		{"another number", made("late"), []verdict.Finding{{Check: "conservation", Outcome: verdict.Fail, Layer: "web", Instance: "web-1", Lost: 50, Cause: "late"}}, verdict.Fail, Right, "late", false},
		{"of the database", made("late"), []verdict.Finding{{Check: "conservation", Outcome: verdict.Fail, Layer: "db", Cause: "metric-differs"}}, verdict.Fail, Missed, "", true},
		{"healthy", made(synthetic.Healthy), nil, verdict.Pass, Silent, "", true},
		{"healthy and accused", made(synthetic.Healthy), []verdict.Finding{finding("burst")}, verdict.Fail, Alarm, "burst", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Score(test.made, verdict.Verdict{Outcome: test.all, Findings: test.found})
			if got.Mark != test.want || strings.Join(got.Named, ",") != test.named || got.Amount != test.amount {
				t.Errorf("marked %s, named %v, amount %v; want %s, %s, %v", got.Mark, got.Named, got.Amount, test.want, test.named, test.amount)
			}
			if open := got.Mark == Undecided; got.Possible != open {
				t.Errorf("the true cause is possible: %v, want %v", got.Possible, open)
			}
		})
	}
}

// Runs that prove nothing, and those that could not, are in no figure of those that
// could.
func TestFigures(t *testing.T) {
	var results []Result
	add := func(n int, cause string, m Mark) {
		for range n {
			results = append(results, Result{Seed: uint64(len(results)), Cause: cause, Mark: m, Amount: m == Right})
		}
	}
	add(90, "late", Right)
	add(6, "late", Undecided)
	add(1, "burst", Wrong)
	add(1, "burst", Unnamed)
	add(2, "burst", Missed)
	add(20, "burst", Hidden)
	add(5, "burst", Inconclusive)
	add(30, synthetic.Healthy, Silent)
	add(1, synthetic.Healthy, Alarm)
	f := NewFigures(results)
	for name, got := range map[string][2]int{
		"right": {f.Right.Is, f.Right.Of}, "not wrong": {f.NotWrong.Is, f.NotWrong.Of}, "wrong": {f.Wrong.Is, f.Wrong.Of},
		"missed": {f.Missed.Is, f.Missed.Of}, "amount": {f.Amount.Is, f.Amount.Of}, "hidden": {f.Hidden.Is, f.Hidden.Of},
		"alarms": {f.Alarms.Is, f.Alarms.Of}, "inconclusive": {f.Inconclusive.Is, f.Inconclusive.Of},
	} {
		want := map[string][2]int{"right": {90, 100}, "not wrong": {96, 100}, "wrong": {1, 100}, "missed": {2, 100}, "amount": {90, 98},
			"hidden": {20, 125}, "alarms": {1, 31}, "inconclusive": {5, 156}}[name]
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// One miss, one false alarm or too many wrong causes make the figures bad.
func TestGood(t *testing.T) {
	share := func(is int) gallery.Share { return gallery.NewShare(is, 200) }
	good := Figures{Right: share(180), NotWrong: share(198), Wrong: share(2), Missed: share(0), Alarms: share(0)}
	if !good.Good() {
		t.Error("figures as they must be are not good")
	}
	for name, spoil := range map[string]func(*Figures){
		"few right": func(f *Figures) { f.Right = share(179) }, "many neither": func(f *Figures) { f.NotWrong = share(197) },
		"wrong": func(f *Figures) { f.Wrong = share(3) }, "missed": func(f *Figures) { f.Missed = share(1) }, "alarm": func(f *Figures) { f.Alarms = share(1) },
	} {
		f := good
		if spoil(&f); f.Good() {
			t.Errorf("%s: the figures are called good", name)
		}
	}
}

// The page in docs is one that this code writes: its words, its tables, a row for
// every cause, and nothing else.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/CONFUSION.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	if !strings.HasPrefix(text, pageHead) {
		t.Error("docs/CONFUSION.md does not begin as the command writes it: make it anew")
	}
	at := 0
	for _, part := range []string{"\n## Figures\n", tableHead, healthyHead, scaledHead, scaledTableHead, examplesHead} {
		i := strings.Index(text[at:], part)
		if i < 0 {
			t.Fatalf("docs/CONFUSION.md lacks, where it should be:\n%s", part)
		}
		at += i
	}
	for _, table := range []struct {
		head, end string
		want      []string
	}{{tableHead, healthyHead, synthetic.Causes()[1:]}, {scaledTableHead, examplesHead, synthetic.ScaledCauses()[1:]}} {
		_, rest, _ := strings.Cut(text, table.head)
		rest, _, _ = strings.Cut(rest, table.end)
		var rows []string
		for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([0-9]+) \\|").FindAllStringSubmatch(rest, -1) {
			if rows = append(rows, m[1]); m[2] == "0" {
				t.Errorf("docs/CONFUSION.md has no run of %s", m[1])
			}
		}
		if !slices.Equal(rows, table.want) {
			t.Errorf("docs/CONFUSION.md has rows for\n%v, want\n%v", rows, table.want)
		}
	}
	for _, l := range slices.Concat(NewFigures(nil).lines(), ScaledFigures{}.lines()) {
		if !strings.Contains(text, "\n| "+l[0]+" | ") {
			t.Errorf("docs/CONFUSION.md lacks the figure %q", l[0])
		}
	}
}

// What is written of results can be read back in the page's form.
func TestWriteMarkdown(t *testing.T) {
	var results []Result
	for i, cause := range synthetic.Causes() {
		results = append(results, Result{Seed: uint64(i), Cause: cause, Mark: Right, Named: []string{cause}})
	}
	results = append(results, Result{Seed: 99, Cause: "late", Mark: Wrong, Named: []string{"burst", "late"}, Said: "said"})
	var text, page bytes.Buffer
	if err := WriteMarkdown(&page, results); err != nil {
		t.Fatal(err)
	}
	if err := WriteText(&text, results); err != nil {
		t.Fatal(err)
	}
	if want := "| `late` | 2 | 1 | · | · | 1 | · | · | · | burst + late (1) |\n"; !strings.Contains(page.String(), want) {
		t.Errorf("the page lacks %q:\n%s", want, page.String())
	}
	if want := "| `late` | 99 | wrong | burst, late |\n"; !strings.Contains(page.String(), want) {
		t.Errorf("the page lacks the example %q", want)
	}
	if want := "wrong late seed 99: burst, late\n  said\n"; !strings.Contains(text.String(), want) {
		t.Errorf("the text lacks %q:\n%s", want, text.String())
	}
}

// A cause that runs are made up with has a section in the diagnoses.
func TestCausesAreDiagnoses(t *testing.T) {
	for _, cause := range synthetic.Causes()[1:] {
		if _, ok := docs.Find(cause); !ok {
			t.Errorf("%s is no cause of docs/DIAGNOSES.md", cause)
		}
	}
}

// A run of each cause is judged without an error, and a cause that is not known is
// refused.
func TestTry(t *testing.T) {
	for _, cause := range synthetic.Causes() {
		r, err := Try(7, cause)
		if err != nil || r.Error != "" || r.Cause != cause || r.Mark == "" {
			t.Errorf("%s: %+v, %v", cause, r, err)
		}
	}
	if _, err := Try(1, "bad-weather"); err == nil || !strings.Contains(err.Error(), "bad-weather") || !strings.Contains(err.Error(), "went-silent") {
		t.Errorf("an unknown cause: %v", err)
	}
}
