package report

import (
	"bytes"
	_ "embed" // exam.html.tmpl
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/exam"
)

// ExamFile is what WriteExam writes beside JUnitFile and HTMLFile: the report of an examination as JSON.
const ExamFile = "validate.json"

// WriteExam writes validate.json, junit.xml and report.html of an examination into dir, which it makes, each whole or not at all.
func WriteExam(dir string, r exam.Report) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%s: cannot write the report: %w", dir, err)
	}
	var failed error
	for name, write := range map[string]func(io.Writer) error{
		ExamFile:  func(w io.Writer) error { return WriteExamJSON(w, r) },
		JUnitFile: func(w io.Writer) error { return WriteExamJUnit(w, r) },
		HTMLFile:  func(w io.Writer) error { return WriteExamHTML(w, dir, r) },
	} {
		path := filepath.Join(dir, name)
		if err := writeFile(path, write); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: cannot write the report: %w", path, err))
		}
	}
	return failed
}

// WriteExamJSON writes the report of an examination as one indented JSON document.
func WriteExamJSON(w io.Writer, r exam.Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// WriteExamJUnit writes an examination as JUnit XML: each property is a test case, and so is each run. What is not examined
// is a skipped one; what was asked and not proved is an error, as in [WriteJUnit].
func WriteExamJUnit(w io.Writer, r exam.Report) error {
	suite := junitSuite{Name: printable("validate " + r.Name), Properties: []junitProperty{
		{"outcome", r.Outcome.String()}, {"seed", strconv.FormatUint(r.Seed, 10)}}}
	took := 0.0
	for _, m := range r.Marks {
		suite.Properties = append(suite.Properties, junitProperty{"grade of " + m.Property, string(m.Grade)})
		c := junitCase{Class: suite.Name, Name: m.Property, Time: junitSeconds(0)}
		text := printable(strings.Join(m.Because, "\n"))
		if m.Grade == exam.NotExamined {
			c.Skipped = &junitResult{Message: printable("not examined: " + strings.Join(m.Because, "; ")), Type: "not-examined"}
		} else {
			c.conclude(m.Outcome, printable(fmt.Sprintf("%s: %s", m.Grade, markText(m))), text)
		}
		suite.Cases = append(suite.Cases, c)
	}
	for _, run := range r.Runs {
		took += run.Seconds
		c := junitCase{Class: suite.Name, Name: "run " + printable(run.Name), Time: junitSeconds(run.Seconds)}
		if run.Unrun != "" {
			c.Error = &junitResult{Message: printable("could not be run: " + firstLine(run.Unrun)), Type: "not-run", Text: printableLines(run.Unrun)}
		} else {
			c.conclude(run.Outcome, printable(run.Title), printable(run.Sentence))
		}
		suite.Cases = append(suite.Cases, c)
	}
	suite.Time = junitSeconds(took)
	return writeSuites(w, suite)
}

func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}

// markText is what the runs say of a property, in one line.
func markText(m exam.Mark) string {
	asked := len(m.Passed) + len(m.Failed) + len(m.Undecided)
	of := " of " + words.Times(asked, "run")
	switch {
	case asked == 0:
		return "not examined: " + strings.Join(m.Because, "; ")
	case len(m.Failed) > 0 && m.Of > 0:
		return fmt.Sprintf("%s of %s %s wrong, in %d%s", words.Number(m.Amount), words.Number(m.Of), m.Unit, len(m.Failed), of)
	case len(m.Failed) > 0:
		return fmt.Sprintf("failed in %d%s", len(m.Failed), of)
	case len(m.Passed) == 0:
		return "nothing was proved in " + words.Times(asked, "run")
	case len(m.Undecided) > 0:
		return fmt.Sprintf("held in %d%s, and nothing was proved in the others", len(m.Passed), of)
	}
	return "held in " + words.Times(asked, "run")
}

// examTitle is what an examination comes to.
func examTitle(r exam.Report) string {
	if len(r.Runs) == 0 {
		return "Nothing could be examined"
	}
	failed, open := 0, 0
	for _, run := range r.Runs {
		switch {
		case run.Outcome == verdict.Fail:
			failed++
		case run.Outcome != verdict.Pass:
			open++
		}
	}
	of := " of " + words.Times(len(r.Runs), "run")
	switch {
	case failed > 0 && open > 0:
		return fmt.Sprintf("%d%s failed, and %d proved nothing", failed, of, open)
	case failed > 0:
		return fmt.Sprintf("%d%s failed", failed, of)
	case open > 0:
		return fmt.Sprintf("%d%s proved nothing", open, of)
	}
	return "All " + words.Times(len(r.Runs), "run") + " passed"
}

func colorOfGrade(m exam.Mark) string {
	switch {
	case m.Grade == exam.NotExamined:
		return ""
	case m.Grade == exam.B:
		return yellow
	}
	return colorOf(m.Outcome)
}

// WriteExamText writes what an examination comes to for people. dir is where all of it is.
func WriteExamText(w io.Writer, dir string, r exam.Report, o TextOptions) error {
	t := newText(o)
	t.line("")
	t.marked(strings.ToUpper(r.Outcome.String()), colorOf(r.Outcome), bold, printable(r.Name+": "+examTitle(r)))
	t.title("Grades")
	for _, m := range r.Marks {
		t.line("  " + t.paint(colorOfGrade(m), string(m.Grade)) + "  " + padRight(m.Property, 13) + truncate(printable(markText(m)), t.Width-19))
		if m.Grade == exam.NotExamined {
			continue
		}
		for _, why := range m.Because {
			t.wrapped(strings.Repeat(" ", 7), printable(why))
		}
	}
	t.title("Runs")
	for _, run := range r.Runs {
		word, color, title := strings.ToUpper(run.Outcome.String()), colorOf(run.Outcome), run.Title
		if run.Unrun != "" {
			word, color, title = "NOT RUN", red, firstLine(run.Unrun)
		}
		t.marked("  "+padRight(word, 12)+"  "+padRight(run.Name, 7), color, "", printable(title))
	}
	if len(r.NotExamined) > 0 {
		t.title("Not examined")
		for _, l := range r.NotExamined {
			t.wrapped("  ", printable(l.What+": "+l.Why))
		}
	}
	t.line("")
	if len(r.Causes) > 0 {
		t.command("what it means and how to repair it:", "throughline explain "+strings.Join(r.Causes, " "))
	}
	for _, run := range r.Runs {
		if run.Outcome != verdict.Pass || len(r.Runs) == 1 {
			t.command("to go on from one of its scenarios:", "throughline run "+printable(run.File))
			break
		}
	}
	t.line("report: " + printable(filepath.Join(dir, HTMLFile)))
	_, err := io.WriteString(w, t.out.String())
	return err
}

//go:embed exam.html.tmpl
var examTemplate string

// examPage is what the page of an examination shows.
type examPage struct {
	exam.Report
	Policy string
	Title  string
	CSS    template.CSS
	dir    string
}

// Text is what the runs say of a property.
func (examPage) Text(m exam.Mark) string { return markText(m) }

// Class is how an outcome is colored.
func (examPage) Class(m exam.Mark) string {
	if m.Grade == exam.NotExamined {
		return "noticed"
	}
	return m.Outcome.String()
}

// Link is the report of a run, from where the page is.
func (p examPage) Link(run exam.Run) string {
	at, err := filepath.Rel(p.dir, filepath.Join(run.Dir, HTMLFile))
	if err != nil || run.Unrun != "" {
		return ""
	}
	return filepath.ToSlash(at)
}

// WriteExamHTML writes the page of an examination, for the directory dir, from which it links to the reports of the runs.
func WriteExamHTML(w io.Writer, dir string, r exam.Report) error {
	t, err := template.New("exam").Parse(examTemplate)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	page := examPage{Report: r, Policy: policy(false), Title: r.Name + ": " + examTitle(r), CSS: template.CSS(styleCSS), dir: dir}
	if err := t.Execute(&out, page); err != nil {
		return err
	}
	_, err = out.WriteTo(w)
	return err
}
