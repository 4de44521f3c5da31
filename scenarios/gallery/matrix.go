package gallery

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one line of the matrix: all runs of one entry or control.
type row struct {
	name, fault, about   string
	runs, proved         int
	caught, by           string
	instance, amount     string
	cause, named, wanted string
	took                 time.Duration // mean
}

// rows folds the runs of each entry into a line, in the order of the gallery.
func rows(results []Result) (entries, controls []row) {
	of := map[string][]Result{}
	for _, r := range results {
		key := r.Name
		if r.Control {
			key = "control " + key
		}
		of[key] = append(of[key], r)
	}
	for _, e := range Entries() {
		if runs := of[e.Name]; len(runs) > 0 {
			r := fold(runs)
			r.name, r.fault, r.about, r.wanted = e.Name, e.Fault, e.About, e.Want.Check
			entries = append(entries, r)
		}
	}
	for _, c := range Controls() {
		if runs := of["control "+c.Name]; len(runs) > 0 {
			r := fold(runs)
			r.name, r.about = c.Name, c.About
			controls = append(controls, r)
		}
	}
	return entries, controls
}

func fold(runs []Result) row {
	r := row{runs: len(runs)}
	var by, named []string
	for _, x := range runs {
		r.took += x.Took / time.Duration(len(runs))
		if x.Proved {
			r.proved++
		}
		by = append(by, strings.Split(x.By, ", ")...)
		named = append(named, strings.Split(x.Named, ", ")...)
	}
	empty := func(s string) bool { return s == "" }
	r.by = strings.Join(slices.DeleteFunc(sorted(by), empty), ", ")
	r.named = strings.Join(slices.DeleteFunc(sorted(named), empty), ", ")
	r.caught = score(runs, func(x Result) Mark { return x.Caught })
	r.instance = score(runs, func(x Result) Mark { return x.Instance })
	r.amount = score(runs, func(x Result) Mark { return x.Amount })
	r.cause = score(runs, func(x Result) Mark { return x.Cause })
	return r
}

// score writes "10/10", or "yes" and "NO" of a single run.
func score(runs []Result, of func(Result) Mark) string {
	right, asked := 0, 0
	for _, x := range runs {
		if m := of(x); x.Proved && m != NotAsked {
			asked++
			if m == Right {
				right++
			}
		}
	}
	switch {
	case asked == 0:
		return "-"
	case len(runs) == 1 && right == 1:
		return "yes"
	case len(runs) == 1:
		return "NO"
	}
	return fmt.Sprintf("%d/%d", right, asked)
}

// WriteText writes the matrix and the figures for a terminal.
func WriteText(w io.Writer, results []Result) error {
	entries, controls := rows(results)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(entries) > 0 {
		fmt.Fprintln(table, "entry\tfault\truns\tcaught\tby\tinstance\tamount\tcause\tnamed\ttook")
	}
	for _, r := range entries {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%v\n", r.name, orDash(r.fault), r.runs, r.caught, orDash(r.by), r.instance, r.amount,
			r.cause, orDash(r.named), r.took.Round(100*time.Millisecond))
	}
	if len(controls) > 0 {
		fmt.Fprintln(table, "\nhealthy\t\truns\tsilent\tby\t\t\t\t\ttook")
	}
	for _, r := range controls {
		fmt.Fprintf(table, "%s\t\t%d\t%s\t%s\t\t\t\t\t%v\n", r.name, r.runs, r.caught, orDash(r.by), r.took.Round(100*time.Millisecond))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%v", NewFigures(results))
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// WriteMarkdown writes docs/GALLERY.md.
func WriteMarkdown(w io.Writer, results []Result) error {
	entries, controls := rows(results)
	var b strings.Builder
	b.WriteString(galleryHead)
	b.WriteString("\n## Figures\n\n| | runs, and the 95 % interval |\n|---|---|\n")
	for line := range strings.Lines(NewFigures(results).String()) {
		name, share, _ := strings.Cut(line, "  ")
		fmt.Fprintf(&b, "| %s | %s |\n", strings.TrimSpace(name), strings.TrimSpace(share))
	}
	b.WriteString("\n## Entries\n\n| entry | what is wrong | fault | must be said by | caught | instance | amount | cause | named | seconds |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range entries {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s | %s | %s | %.0f |\n", r.name, strings.ReplaceAll(r.about, "|", `\|`), r.fault, r.wanted,
			r.caught, r.instance, r.amount, r.cause, r.named, r.took.Seconds())
	}
	b.WriteString("\n## Healthy runs\n\n| run | what is done | silent | seconds |\n|---|---|---|---|\n")
	for _, r := range controls {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %.0f |\n", r.name, r.about, r.caught, r.took.Seconds())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const galleryHead = `# The gallery

What is known to go wrong with metrics, brought about on purpose, and whether the judge sees it. Each entry runs on a real
stack: a defect in the reference app's instrumentation, a fault of the infrastructure, an alert that cannot work, or a defect
of this tool itself, done to the record of a healthy run. The healthy runs show that it is silent where nothing is wrong.

This page is made by ` + "`throughline selftest --format markdown`" + `; ` + "`throughline selftest NAME`" + ` runs one entry, or one healthy run.
The numbers of the faults are those of the literature that the project collected; an entry without one stands for none of
them alone. *Amount* says whether the number in each finding is right within the bound that it prints, by the raw rows and by what
the defective instance logged itself. *Cause* says whether each finding named a right cause. A run on a machine too busy to prove
anything is in no column but the last figure.
`
