package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
)

// The elements of a JUnit report that CI systems agree on.
// Source: https://github.com/testmoapp/junitxml
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Time    string       `xml:"time,attr"`
		Failure *junitResult `xml:"failure"`
		Error   *junitResult `xml:"error"`
		Skipped *junitResult `xml:"skipped"`
		Output  string       `xml:"system-out,omitempty"`
	}
	junitResult struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the verdict as JUnit XML: the scenario is a test suite,
// each check a test case. A check that is inconclusive is an error, not a
// skipped test: CI must not be green when nothing was proved. The last case,
// "verdict", carries the outcome of the whole run, so that the suite can never
// be greener than the verdict.
func WriteJUnit(w io.Writer, v verdict.Verdict) error {
	suite := junitSuite{Name: scenarioName(v), Time: junitSeconds(v.Seconds), Properties: []junitProperty{
		{"outcome", v.Outcome.String()},
		{"seed", strconv.FormatUint(v.Seed, 10)},
		{"unexplained", strconv.FormatInt(v.Unexplained, 10)},
		{"cells_looked_at", strconv.FormatInt(v.Cells.LookedAt, 10)},
		{"cells_missing", strconv.FormatInt(v.Cells.Missing, 10)},
	}}
	if v.ChecksFrom != "" {
		suite.Properties = append(suite.Properties, junitProperty{"checks_from", printable(v.ChecksFrom)})
	}
	for _, w := range v.WebVersions {
		suite.Properties = append(suite.Properties, junitProperty{"version", versionText(w)})
	}
	for _, note := range v.Notes {
		suite.Properties = append(suite.Properties, junitProperty{"note", printable(note)})
	}
	for _, name := range checkNames(v.Findings) {
		suite.Cases = append(suite.Cases, checkCase(v, name))
	}
	if all := noticedOf(v.Findings); len(all) > 0 {
		c := junitCase{Class: scenarioName(v), Name: checkName(all[0]), Time: "0.000"}
		var text []string
		for _, f := range all {
			text = append(text, "noticed: "+printable(f.Summary)+causeText(f))
		}
		c.conclude(verdict.Pass, "", strings.Join(text, "\n"))
		suite.Cases = append(suite.Cases, c)
	}
	last := junitCase{Class: scenarioName(v), Name: "verdict", Time: junitSeconds(v.Seconds)}
	last.conclude(v.Outcome, printable(headline(v)), verdictText(v))
	suite.Cases = append(suite.Cases, last)
	return suite.write(w)
}

// writeUnrun writes the report of a scenario that could not be run: a suite with one
// error.
func writeUnrun(w io.Writer, scenario string, why error) error {
	suite := junitSuite{Name: printable(scenario), Time: junitSeconds(0), Properties: []junitProperty{{"outcome", verdict.Inconclusive.String()}}}
	c := junitCase{Class: suite.Name, Name: "run", Time: junitSeconds(0)}
	first, _, _ := strings.Cut(why.Error(), "\n")
	c.Error = &junitResult{Message: printable("could not be run: " + first), Type: "not-run", Text: printableLines(why.Error())}
	suite.Cases = append(suite.Cases, c)
	return suite.write(w)
}

// write writes a suite as a whole report.
func (suite junitSuite) write(w io.Writer) error {
	for _, c := range suite.Cases {
		suite.Tests++
		if c.Failure != nil {
			suite.Failures++
		}
		if c.Error != nil {
			suite.Errors++
		}
		if c.Skipped != nil {
			suite.Skipped++
		}
	}
	all := junitSuites{Name: "throughline", Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors,
		Time: suite.Time, Suites: []junitSuite{suite}}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// checkCase is the test case of one check: what its worst findings say.
func checkCase(v verdict.Verdict, name string) junitCase {
	c := junitCase{Class: scenarioName(v), Name: name, Time: "0.000"}
	by := byOutcome(v.Findings, name)
	outcome := verdict.Pass
	if len(by[verdict.Fail]) > 0 {
		outcome = verdict.Fail
	} else if len(by[verdict.Inconclusive]) > 0 {
		outcome = verdict.Inconclusive
	}
	var text []string
	for _, o := range worstFirst {
		for _, f := range by[o] {
			text = append(text, o.String()+": "+placeText(f)+": "+printable(f.Summary)+causeText(f))
		}
	}
	c.conclude(outcome, printable(message(v, name, by[outcome])), strings.Join(text, "\n"))
	return c
}

// message is what a check comes to in one line: the explanation of what it found, or what
// that follows from; else its first finding.
func message(v verdict.Verdict, name string, worst []verdict.Finding) string {
	is := func(i int) bool { return checkName(v.Findings[i]) == name && v.Findings[i].Outcome == worst[0].Outcome }
	for _, e := range v.Explanations {
		if slices.ContainsFunc(inRange(v, e.Findings), is) {
			return explained(e, worst[0].Outcome)
		}
	}
	text := worst[0].Summary
	if len(worst) > 1 {
		text += fmt.Sprintf(" (and %s)", words.Times(len(worst)-1, "more finding"))
	}
	for _, e := range v.Explanations {
		if slices.ContainsFunc(inRange(v, e.Consequences), is) {
			return "It follows from another finding (" + midway(e.Title) + "): " + text
		}
	}
	return text
}

// explained is an explanation in one line.
func explained(e verdict.Explanation, o verdict.Outcome) string {
	if o == verdict.Fail {
		return inFull(e.Title, e.Sentence, e.Repair)
	}
	return inFull(e.Sentence, e.Repair)
}

// inFull joins sentences.
func inFull(sentences ...string) string {
	var out []string
	for _, s := range sentences {
		if s = strings.TrimRight(s, ". "); s != "" {
			out = append(out, s+".")
		}
	}
	return strings.Join(out, " ")
}

// verdictText is what the verdict's case says below its message: each cause, and what was
// looked at.
func verdictText(v verdict.Verdict) string {
	lines := []string{fmt.Sprintf("%s %s: %s", strings.ToUpper(v.Outcome.String()), subjectText(v), midway(headline(v)))}
	for _, e := range v.Explanations {
		outcome := v.Outcome
		if own := inRange(v, e.Findings); len(own) > 0 {
			outcome = v.Findings[own[0]].Outcome
		}
		line := outcome.String() + ": " + explained(e, outcome)
		if n := len(e.Consequences); n > 0 {
			line += " (" + following(n) + ")"
		}
		lines = append(lines, line)
	}
	for _, w := range v.WebVersions {
		lines = append(lines, versionText(w))
	}
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(append(lines, counts(v)), "\n")
}

func (c *junitCase) conclude(o verdict.Outcome, message, text string) {
	switch o {
	case verdict.Pass:
		c.Output = text
	case verdict.Fail:
		c.Failure = &junitResult{Message: message, Type: o.String(), Text: text}
	default:
		c.Error = &junitResult{Message: message, Type: verdict.Inconclusive.String(), Text: text}
	}
}

func junitSeconds(s float64) string {
	if !isFinite(s) {
		s = 0
	}
	return strconv.FormatFloat(s, 'f', 3, 64)
}
