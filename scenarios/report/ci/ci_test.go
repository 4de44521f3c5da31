package ci_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/report/ci"
)

func passed(name string) ci.Ended {
	return ci.Ended{Scenario: name, Verdict: &verdict.Verdict{Outcome: verdict.Pass, Title: "All is accounted for"}}
}

func failed(title, sentence, repair string) ci.Ended {
	return ci.Ended{Scenario: "replace", File: "ci/replace.yaml", Dir: "runs/replace_it", Checks: map[string]int{"conservation": 14, "continuity": 13},
		Verdict: &verdict.Verdict{Outcome: verdict.Fail, Title: title, Sentence: sentence,
			Findings:     []verdict.Finding{{Check: "hops"}, {Check: "conservation", Outcome: verdict.Fail}},
			Explanations: []verdict.Explanation{{Cause: "lost-on-exit", Title: title, Sentence: sentence, Repair: repair, Findings: []int{0, 1}}}}}
}

func text(t *testing.T, write func(*strings.Builder) error) string {
	t.Helper()
	var out strings.Builder
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGitHub(t *testing.T) {
	inconclusive := ci.Ended{Scenario: "busy", File: "busy.yaml", Verdict: &verdict.Verdict{Outcome: verdict.Inconclusive, Title: "This run proves nothing", Sentence: "Late."}}
	unrun := ci.Ended{Scenario: "none", File: "none.yaml", Unrun: "haproxy: not found"}
	builtIn := failed("t", "s", "")
	builtIn.File = ""
	beyond := failed("t", "s", "")
	beyond.Verdict.Explanations[0].Findings = []int{7, -1}
	for _, c := range []struct {
		name string
		of   []ci.Ended
		want string
	}{
		{"a pass needs no annotation", []ci.Ended{passed("quiet")}, ""},
		{"a fail stands at its check", []ci.Ended{failed("web-2 loses counts", "12 of 100.", "Flush.")},
			"::error file=ci/replace.yaml,line=14,title=replace%3A web-2 loses counts::12 of 100. Flush.\n"},
		{"nothing proved is a warning", []ci.Ended{inconclusive}, "::warning file=busy.yaml,title=busy%3A This run proves nothing::Late.\n"},
		{"not run is an error", []ci.Ended{unrun}, "::error file=none.yaml,title=none was not run::haproxy: not found\n"},
		{"a built-in scenario has no file", []ci.Ended{builtIn}, "::error title=replace%3A t::s\n"},
		{"findings that are not there", []ci.Ended{beyond}, "::error file=ci/replace.yaml,title=replace%3A t::s\n"},
		{"no text begins a command of its own", []ci.Ended{failed("a,b:c\n::stop-commands::x", "100 %\r\n::error::no", "")},
			"::error file=ci/replace.yaml,line=14,title=replace%3A a%2Cb%3Ac%0A%3A%3Astop-commands%3A%3Ax::100 %25%0D%0A::error::no\n"},
	} {
		got := text(t, func(b *strings.Builder) error { return ci.WriteGitHub(b, c.of) })
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// What is in a verdict shows as it is, and as nothing else: what names and tags may have in
// them makes neither markup nor another column.
func TestMarkdown(t *testing.T) {
	nasty := failed("a|b <img src=x> *bold* [x](http://y)", "line\n\n# heading", "`code`")
	again := passed("quiet_one")
	again.Tries = 2
	source := text(t, func(b *strings.Builder) error {
		return ci.WriteMarkdown(b, []ci.Ended{again, nasty, {Scenario: "gone", Unrun: "no haproxy"}})
	})
	var html strings.Builder
	if err := goldmark.New(goldmark.WithExtensions(extension.Table)).Convert([]byte(source), &html); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<td><strong>pass</strong></td>\n<td>quiet_one</td>\n<td>All is accounted for (try 2; those before proved nothing)</td>",
		"<td>a|b &lt;img src=x&gt; *bold* [x](http://y)</td>",
		"<td><strong>not run</strong></td>\n<td>gone</td>\n<td>no haproxy</td>",
		"<p>line # heading</p>",
		"line # heading `code` Cause: <code>lost-on-exit</code>.",
		"<code>runs/replace_it/report.html</code>",
	} {
		if !strings.Contains(html.String(), want) {
			t.Errorf("want %s in:\n%s", want, html.String())
		}
	}
	if n := strings.Count(html.String(), "<h1"); n != 0 || strings.Contains(html.String(), "<img") {
		t.Errorf("a verdict's text became markup:\n%s", html.String())
	}
}

func TestBadge(t *testing.T) {
	inconclusive := ci.Ended{Verdict: &verdict.Verdict{Outcome: verdict.Inconclusive}}
	for _, c := range []struct {
		of             []ci.Ended
		message, color string
	}{
		{[]ci.Ended{passed("a"), passed("b")}, "pass", "brightgreen"},
		{[]ci.Ended{passed("a"), failed("", "", "")}, "1 of 2 fail", "red"},
		{[]ci.Ended{passed("a"), inconclusive, {Unrun: "x"}}, "2 of 3 prove nothing", "lightgrey"},
		{nil, "nothing was run", "lightgrey"},
	} {
		var got struct {
			SchemaVersion int
			Message       string
			Color         string
		}
		out := text(t, func(b *strings.Builder) error { return ci.WriteBadge(b, c.of) })
		if err := json.Unmarshal([]byte(out), &got); err != nil || got.SchemaVersion != 1 || got.Message != c.message || got.Color != c.color {
			t.Errorf("badge %s (%v), want %s in %s", out, err, c.message, c.color)
		}
	}
}
