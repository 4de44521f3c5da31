package report

import (
	"strings"
	"testing"

	"throughline/scenarios/check/verdict"
)

// compared is a verdict on two versions of which the second loses some.
func compared() verdict.Verdict {
	v := judged(killed(), verdict.Fail)
	v.WebVersions = []verdict.Version{
		{Version: "v1", Metric: "fullstack.insert", Route: "insert", Instances: []string{"web-1", "web-2", "web-3"}, Acked: 4321, Counted: 4321},
		{Version: "v2", Metric: "fullstack.insert", Route: "insert", Instances: []string{"web-4"}, Acked: 1210, Counted: 1160, Lost: 50, Unexplained: 50},
	}
	return v
}

// Terminal, page and JUnit have a line for each version, and nothing where there are none.
func TestVersionsAreShown(t *testing.T) {
	var text strings.Builder
	if err := WriteText(&text, killed(), compared(), TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nVersions\n            instances      acked    counted   residual\n",
		"\n  v1                3      4,321      4,321          0  exact\n",
		"\n  v2                1      1,210      1,160        -50  4.1 % lost\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
	var page strings.Builder
	if err := WriteHTML(&page, killed(), compared()); err != nil {
		t.Fatal(err)
	}
	if want := `<tr class="odd"><th scope="row">v2</th><td class="n">1</td><td class="n">1,210</td><td class="n">1,160</td><td class="n">-50</td><td>4.1 % lost</td></tr>`; !strings.Contains(page.String(), want) {
		t.Errorf("the page has no %s", want)
	}
	s := parseJUnit(t, compared()).Suites[0]
	var told []string
	for _, p := range s.Properties {
		if p.Name == "version" {
			told = append(told, p.Value)
		}
	}
	if want := "v2: 1 instance, 1,210 insert acknowledged, 1,160 counted in fullstack.insert: 4.1 % lost"; len(told) != 2 || told[1] != want ||
		!strings.Contains(s.Cases[len(s.Cases)-1].Failure.Text, want) {
		t.Errorf("JUnit has %q, want %q", told, want)
	}

	text.Reset()
	page.Reset()
	without := judged(killed(), verdict.Fail)
	if err := WriteText(&text, killed(), without, TextOptions{}); err != nil || strings.Contains(text.String(), "Versions") {
		t.Errorf("%v: versions where there are none:\n%s", err, &text)
	}
	if err := WriteHTML(&page, killed(), without); err != nil || strings.Contains(page.String(), "<h3>Versions</h3>") {
		t.Errorf("%v: the page has versions where there are none", err)
	}
}

// What a version comes to is said as it is.
func TestWhatAVersionComesTo(t *testing.T) {
	for want, v := range map[string]verdict.Version{
		"exact":                      {Acked: 5, Counted: 5},
		"within its bounds":          {Acked: 500, Counted: 495, Lost: 5},
		"10.0 % lost":                {Acked: 50, Counted: 45, Lost: 5, Unexplained: 5},
		"under 0.1 % lost":           {Acked: 50_000, Counted: 49_999, Lost: 1, Unexplained: 1},
		"100.0 % too many":           {Acked: 50, Counted: 100, Extra: 50, Unexplained: 50},
		"200 too many":               {Acked: 50, Counted: 250, Extra: 200, Unexplained: 200},
		"5 too many":                 {Counted: 5, Extra: 5, Unexplained: 5},
		"4.0 % lost, 2.0 % too many": {Acked: 50, Counted: 49, Lost: 2, Extra: 1, Unexplained: 3},
	} {
		if got := versionComesTo(v); got != want {
			t.Errorf("%+v comes to %q, want %q", v, got, want)
		}
	}
}
