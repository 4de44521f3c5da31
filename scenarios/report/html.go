package report

import (
	"bytes"
	_ "embed" // style.css, lanes.js, report.html.tmpl
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tsenart/vegeta/v12/lib/plot"

	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

//go:embed report.html.tmpl
var pageTemplate string

//go:embed style.css
var styleCSS string

//go:embed lanes.js
var lanesJS string

// page is what report.html.tmpl shows.
type page struct {
	Scenario string
	Outcome  string // "pass", "fail" or "inconclusive"
	Sentence string
	Checks   string // whose they are; "" = the run's own
	Facts    []fact
	Damage   []string
	Notes    []string // what touches no outcome

	Findings     []findingGroup
	LedgerHeads  []string
	LedgerWidth  int // in columns, with that of the names
	Ledger       []ledgerRow
	Instances    []instanceRow
	InstanceNote string
	Booked       []string // to no instance
	Charts       []chart
	Moves        []move
	Source       string // the scenario file

	// What follows is not escaped: it is ours, or made by encoding/json,
	// which writes <, > and & as escapes.
	PlotCSS, CSS      template.CSS
	PlotJS, JS, Lanes template.JS
}

type fact struct{ Name, Value string }

// findingGroup are the findings of one outcome, or what was noticed.
type findingGroup struct {
	Outcome  string
	Findings []findingView
}

type findingView struct {
	Check, Place, Numbers, Summary, Cause string

	Diagnosis *docs.Diagnosis // of the cause, where one is known
}

// WriteHTML writes the report as one HTML page that needs nothing else: style,
// script and data are in it, and its content security policy forbids the
// browser to fetch anything.
func WriteHTML(w io.Writer, h record.History, v verdict.Verdict) error {
	t, err := template.New("report").Parse(pageTemplate)
	if err != nil {
		return err
	}
	p := newPage(h, v)
	l := newLanes(h, v)
	p.Charts = l.Charts
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	plotJS, err := asset("uPlot.min.js")
	if err != nil {
		return err
	}
	plotCSS, err := asset("uPlot.min.css")
	if err != nil {
		return err
	}
	p.PlotCSS, p.CSS = template.CSS(plotCSS), template.CSS(styleCSS)
	p.PlotJS, p.JS, p.Lanes = template.JS(plotJS), template.JS(lanesJS), template.JS(data)
	var out bytes.Buffer // a page that cannot be made is not begun
	if err := t.Execute(&out, p); err != nil {
		return err
	}
	_, err = out.WriteTo(w)
	return err
}

// asset reads a file of uPlot, which vegeta embeds for its own plots.
func asset(name string) (string, error) {
	f, err := plot.Assets.Open(name)
	if err != nil {
		return "", fmt.Errorf("%s: not among the assets of vegeta: %w", name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	return string(b), err
}

func newPage(h record.History, v verdict.Verdict) page {
	tiers := record.AllTiers().In(h)
	outcome := v.Outcome.String()
	p := page{
		Scenario: scenarioName(v), Outcome: outcome,
		Sentence:    strings.TrimPrefix(sentence(v), strings.ToUpper(outcome)+" "+subjectText(v)+": "),
		Checks:      otherChecks(v),
		Facts:       factsOf(h, v),
		LedgerHeads: ledgerHeads(tiers, false), LedgerWidth: 1 + len(tiers), Ledger: ledgerRows(tiers, h, v),
		Instances: instanceRows(h, v), InstanceNote: instanceNote(v), Booked: unplaced(v),
		Moves: journalMoves(h), Source: string(h.Scenario),
	}
	for _, d := range h.Damage {
		p.Damage = append(p.Damage, printable(d))
	}
	for _, n := range v.Notes {
		p.Notes = append(p.Notes, printable(n))
	}
	by := byOutcome(v.Findings, "")
	for _, o := range worstFirst {
		if o == verdict.Pass {
			p.addFindings("noticed", noticedOf(v.Findings))
		}
		p.addFindings(o.String(), by[o])
	}
	return p
}

func (p *page) addFindings(group string, findings []verdict.Finding) {
	if len(findings) == 0 {
		return
	}
	g := findingGroup{Outcome: group}
	for _, f := range findings {
		view := findingView{Check: checkName(f), Place: placeText(f), Numbers: numbersText(f),
			Summary: printable(f.Summary), Cause: strings.TrimPrefix(causeText(f), "; likely cause: ")}
		if d, known := docs.Find(f.Cause); known {
			view.Diagnosis = &d
		}
		g.Findings = append(g.Findings, view)
	}
	p.Findings = append(p.Findings, g)
}

// factsOf say which run this was.
func factsOf(h record.History, v verdict.Verdict) []fact {
	out := []fact{
		{"duration", seconds(v.Seconds)},
		{"seed", fmt.Sprint(v.Seed)},
		{"cells", fmt.Sprintf("%s looked at, %s missing", words.Number(v.Cells.LookedAt), words.Number(v.Cells.Missing))},
		{"unexplained", words.Number(v.Unexplained)},
	}
	add := func(name, value string) {
		if value != "" {
			out = append(out, fact{name, printable(value)})
		}
	}
	add("platform", h.Run.Platform)
	add("database", h.Run.Database)
	if !h.Run.Start.IsZero() {
		add("started", h.Run.Start.UTC().Format(time.RFC3339))
	}
	if h.Run.Interval > 0 {
		add("interval", latency(h.Run.Interval))
	}
	add("run", h.Run.ID)
	add("file", h.Run.File)
	var versions []string
	for name, version := range h.Run.Versions {
		versions = append(versions, name+" "+version)
	}
	slices.Sort(versions)
	add("versions", strings.Join(versions, ", "))
	return out
}
