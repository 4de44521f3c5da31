package check

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/check/verdict"
)

// What is found of thousands of series is one finding, and not a line for each.
func TestFold(t *testing.T) {
	var given []verdict.Finding
	tag := func(instance string, i int) verdict.Finding {
		return verdict.Finding{Check: "identity", Outcome: verdict.Fail, Layer: "web", Instance: instance, Cause: "tags-vary", Extra: 1, From: float64(20 - i%20), To: float64(20 + i%20),
			Summary: fmt.Sprintf("%s has a tag that nobody expects: a_total{id=\"%d\"}", instance, i)}
	}
	few := tag("web-2", 0)
	pass := verdict.Finding{Check: "identity", Outcome: verdict.Pass, Summary: "fine"}
	for i := range 3674 {
		given = append(given, tag("web-1", i))
		if i < mostAlike {
			given = append(given, few)
		}
		if i < 50 {
			given = append(given, pass)
		}
	}
	got := fold(given)
	if n := len(got); n != 1+mostAlike+50 {
		t.Fatalf("%d findings are told", n)
	}
	want := tag("web-1", 0)
	want.Alike, want.Extra, want.From, want.To = 3674, 3674, 1, 39
	want.Summary = `web-1 has a tag that nobody expects: a_total{id="0"}, a_total{id="1"}, a_total{id="2"}, … (3,674 in all)`
	if diff := cmp.Diff([]verdict.Finding{want, few, pass}, got[:3]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is said once is told beside what is said often; of metrics that each have
// a name of their own nothing is said twice.
func TestFoldTellsApartWhatIsSaidOnce(t *testing.T) {
	odd := verdict.Finding{Check: "hygiene", Outcome: verdict.Fail, Instance: "web-1", Summary: "web-1 has 40 series instead of one", Extra: 39}
	var tags, names []verdict.Finding
	for i := range 40 {
		f := odd
		f.Extra, f.Summary = 0, fmt.Sprintf("a tag too many: id=%d", i)
		tags = append(tags, f)
		f.Summary = "the collector found fault with " + strings.Repeat("x", i+1) + ": type change, 2 lines"
		names = append(names, f)
	}
	got := fold(append(tags, odd))
	if len(got) != 2 || got[0].Alike != 40 || got[0].Extra != 0 || !cmp.Equal(got[1], odd) {
		t.Errorf("tags: %+v", got)
	}
	got = fold(names)
	if len(got) != 1 || got[0].Alike != 40 || !strings.HasSuffix(got[0].Summary, "fault with xxx: type change, 2 lines; … (40 in all)") {
		t.Errorf("names: %+v", got)
	}
	if got = fold(append(tags[:mostAlike], odd)); len(got) != mostAlike+1 {
		t.Errorf("%d findings are told of %d", len(got), mostAlike+1)
	}
}

// What differs in anything but its words, place and number is not alike.
func TestFoldKeepsApart(t *testing.T) {
	var given []verdict.Finding
	for i := range mostAlike + 1 {
		f := verdict.Finding{Check: "gauge", Outcome: verdict.Inconclusive, Summary: fmt.Sprintf("%d is odd", i)}
		for _, other := range []func(*verdict.Finding){
			func(*verdict.Finding) {}, func(f *verdict.Finding) { f.Outcome = verdict.Fail }, func(f *verdict.Finding) { f.Instance = "web-1" }, func(f *verdict.Finding) { f.Layer = "db" },
			func(f *verdict.Finding) { f.Cause = "burst" }, func(f *verdict.Finding) { f.RunnerUp = "burst" }, func(f *verdict.Finding) { f.Outcome, f.Waived = verdict.Pass, "known" },
		} {
			one := f
			other(&one)
			given = append(given, one)
		}
	}
	got := fold(given)
	if len(got) != 7 {
		t.Errorf("%d findings are told, want 7", len(got))
	}
	for _, f := range got {
		if f.Alike != mostAlike+1 || f.Summary != "0 is odd; 1 is odd; 2 is odd; … (11 in all)" {
			t.Errorf("%+v", f)
		}
	}
}

// A verdict stays small however many series there are, and as bad as it was.
func TestASeriesForEachRequest(t *testing.T) {
	p := talk()
	p.checks += "  - identity: {metric: fullstack.insert, route: insert}\n"
	h := p.make()
	for i := range h.Series {
		s := h.Series[i]
		if s.Meta.Sent != "fullstack.insert" {
			continue
		}
		for n := range 200 {
			s.Labels = h.Series[i].Labels.With("id", fmt.Sprint(n))
			h.Series = append(h.Series, s)
		}
	}
	v := judged(t, h)
	var told []string
	for _, f := range v.Findings {
		if f.Check == "identity" && f.Alike > 0 {
			told = append(told, f.Instance)
			if f.Alike < 200 || f.Outcome != verdict.Fail || !strings.Contains(f.Summary, `id="0"`) || len(f.Summary) > 1000 {
				t.Errorf("%+v", f)
			}
		}
	}
	if v.Outcome == verdict.Pass || len(told) < 3 || len(v.Findings) > 100 {
		t.Errorf("%v with %d findings, of which %q stand for many", v.Outcome, len(v.Findings), told)
	}
}
