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
	return writeSuites(w, suiteOf(v, func(verdict.Finding) string { return "" }))
}

// WriteJUnitOf writes what came of several scenarios as one JUnit report: a suite for each, in which each check has a case for each
// instance that its findings name, called "conservation of web-2", and one for what is of no instance. One that came to no verdict is a suite
// with one error.
func WriteJUnitOf(w io.Writer, all []Result) error {
	var suites []junitSuite
	for _, r := range all {
		if r.Verdict == nil {
			suites = append(suites, unrunSuite(r.Scenario, r.Unrun))
			continue
		}
		suites = append(suites, suiteOf(*r.Verdict, func(f verdict.Finding) string { return f.Instance }))
	}
	return writeSuites(w, suites...)
}

// WriteJUnitFile is WriteJUnitOf into a file, which appears whole or not at all.
func WriteJUnitFile(path string, all []Result) error {
	return writeFile(path, func(w io.Writer) error { return WriteJUnitOf(w, all) })
}

// suiteOf is a verdict as a suite: each check has a case for each part of its findings.
func suiteOf(v verdict.Verdict, part func(verdict.Finding) string) junitSuite {
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
		for _, of := range partsOf(v.Findings, name, part) {
			suite.Cases = append(suite.Cases, checkCase(v, name, of, part))
		}
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
	return suite
}

// partsOf lists the parts of a check's findings, each once, in their order.
func partsOf(findings []verdict.Finding, name string, part func(verdict.Finding) string) (parts []string) {
	for _, f := range findings {
		if !f.Noticed && checkName(f) == name && !slices.Contains(parts, part(f)) {
			parts = append(parts, part(f))
		}
	}
	return parts
}

// writeUnrun writes the report of a scenario that could not be run: a suite with one
// error.
func writeUnrun(w io.Writer, scenario string, why error) error {
	return writeSuites(w, unrunSuite(scenario, why.Error()))
}

func unrunSuite(scenario, why string) junitSuite {
	suite := junitSuite{Name: printable(scenario), Time: junitSeconds(0), Properties: []junitProperty{{"outcome", verdict.Inconclusive.String()}}}
	c := junitCase{Class: suite.Name, Name: "run", Time: junitSeconds(0)}
	first, _, _ := strings.Cut(why, "\n")
	c.Error = &junitResult{Message: printable("could not be run: " + first), Type: "not-run", Text: printableLines(why)}
	suite.Cases = append(suite.Cases, c)
	return suite
}

// writeSuites writes suites as a whole report.
func writeSuites(w io.Writer, suites ...junitSuite) error {
	all := junitSuites{Name: "throughline", Suites: suites}
	var seconds float64
	for i := range suites {
		s := &suites[i]
		s.count()
		all.Tests, all.Failures, all.Errors = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors
		if took, err := strconv.ParseFloat(s.Time, 64); err == nil {
			seconds += took
		}
	}
	all.Time = junitSeconds(seconds)
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

// count adds the cases up.
func (s *junitSuite) count() {
	s.Tests = len(s.Cases)
	for _, c := range s.Cases {
		if c.Failure != nil {
			s.Failures++
		}
		if c.Error != nil {
			s.Errors++
		}
		if c.Skipped != nil {
			s.Skipped++
		}
	}
}

// checkCase is the test case of one part of a check: what its worst findings say.
func checkCase(v verdict.Verdict, name, of string, part func(verdict.Finding) string) junitCase {
	c := junitCase{Class: scenarioName(v), Name: name, Time: "0.000"}
	if of != "" {
		c.Name += " of " + printable(of)
	}
	mine := func(f verdict.Finding) bool { return checkName(f) == name && part(f) == of }
	by := byOutcome(slices.DeleteFunc(slices.Clone(v.Findings), func(f verdict.Finding) bool { return !mine(f) }), name)
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
	c.conclude(outcome, printable(message(v, mine, by[outcome])), strings.Join(text, "\n"))
	return c
}

// message is what a check comes to in one line: the explanation of what it found, or what
// that follows from; else its first finding.
func message(v verdict.Verdict, mine func(verdict.Finding) bool, worst []verdict.Finding) string {
	is := func(i int) bool { return mine(v.Findings[i]) && v.Findings[i].Outcome == worst[0].Outcome }
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
