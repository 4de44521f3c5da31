package confusion

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"throughline/scenarios/gallery"
	"throughline/scenarios/synthetic"
)

// Figures sum results up.
type Figures struct {
	// Of the runs with a defect that were neither hidden nor inconclusive:
	Right    gallery.Share `json:"right"`
	NotWrong gallery.Share `json:"right_or_undecided"`
	Wrong    gallery.Share `json:"wrong"`
	Missed   gallery.Share `json:"missed"`
	Amount   gallery.Share `json:"amount"`   // of those found: the numbers are right
	Possible gallery.Share `json:"possible"` // of those undecided: the true cause is among the possible ones
	// Of those whose record has much to tell by:
	TellingRight gallery.Share `json:"telling_right"`
	TellingWrong gallery.Share `json:"telling_wrong"`
	// Of all with a defect:
	Hidden gallery.Share `json:"hidden"`
	// Of the healthy ones:
	Alarms gallery.Share `json:"false_alarms"`
	// Of all:
	Inconclusive gallery.Share `json:"inconclusive"`
	// Scaled are those of the runs with an autoscaler, which are in none of the above.
	Scaled ScaledFigures `json:"autoscaled"`
}

// ScaledFigures sum up what was said of autoscalers.
type ScaledFigures struct {
	// Of the runs with something to be told, which prove anything:
	Right  gallery.Share `json:"right"`
	Wrong  gallery.Share `json:"wrong"`
	Missed gallery.Share `json:"missed"`
	// Of all with a defect, or a policy that breaks its promise:
	Hidden gallery.Share `json:"hidden"`
	// Of the healthy ones:
	Alarms gallery.Share `json:"false_alarms"`
	// Of all:
	Inconclusive gallery.Share `json:"inconclusive"`
}

// scaled tells whether a cause is of runs with an autoscaler.
func scaled(cause string) bool { return slices.Contains(synthetic.ScaledCauses(), cause) }

func newScaledFigures(results []Result) ScaledFigures {
	n, healthy := map[Mark]int{}, 0
	for _, r := range results {
		if n[r.Mark]++; healthyOnes(r.Cause) {
			healthy++
		}
	}
	shown := n[Right] + n[Wrong] + n[Missed]
	return ScaledFigures{Right: gallery.NewShare(n[Right], shown), Wrong: gallery.NewShare(n[Wrong], shown), Missed: gallery.NewShare(n[Missed], shown),
		Hidden: gallery.NewShare(n[Hidden], len(results)-healthy), Alarms: gallery.NewShare(n[Alarm], healthy),
		Inconclusive: gallery.NewShare(n[Inconclusive], len(results))}
}

// NewFigures sums results up.
func NewFigures(all []Result) Figures {
	var results, autoscaled []Result
	for _, r := range all {
		if scaled(r.Cause) {
			autoscaled = append(autoscaled, r)
			continue
		}
		results = append(results, r)
	}
	n := map[Mark]int{}
	telling := map[Mark]int{}
	healthy, amount, possible, told := 0, 0, 0, 0
	for _, r := range results {
		n[r.Mark]++
		if healthyOnes(r.Cause) {
			healthy++
			continue
		}
		if r.Telling && (r.found() || r.Mark == Missed) {
			telling[r.Mark]++
			told++
		}
		if r.found() && r.Amount {
			amount++
		}
		if r.Mark == Undecided && r.Possible {
			possible++
		}
	}
	found := n[Right] + n[Undecided] + n[Unnamed] + n[Wrong]
	shown := found + n[Missed]
	return Figures{
		Right: gallery.NewShare(n[Right], shown), NotWrong: gallery.NewShare(n[Right]+n[Undecided], shown), Wrong: gallery.NewShare(n[Wrong], shown),
		Missed: gallery.NewShare(n[Missed], shown), Amount: gallery.NewShare(amount, found), Possible: gallery.NewShare(possible, n[Undecided]),
		TellingRight: gallery.NewShare(telling[Right], told), TellingWrong: gallery.NewShare(telling[Wrong], told),
		Hidden: gallery.NewShare(n[Hidden], len(results)-healthy), Alarms: gallery.NewShare(n[Alarm], healthy),
		Inconclusive: gallery.NewShare(n[Inconclusive], len(results)), Scaled: newScaledFigures(autoscaled),
	}
}

// healthyOnes tells whether nothing is wrong in runs of a cause.
func healthyOnes(cause string) bool {
	return cause == synthetic.Healthy || cause == synthetic.HealthyScaled
}

// What the figures must reach, in shares.
const (
	leastRight    = 0.90
	leastNotWrong = 0.99
	mostWrong     = 0.01
)

// Good tells whether the figures are as they must be: few causes wrong, nothing
// missed, no false alarm.
func (f Figures) Good() bool {
	of := float64(f.Right.Of)
	return f.Scaled.good() && float64(f.Right.Is) >= leastRight*of && float64(f.NotWrong.Is) >= leastNotWrong*of && float64(f.Wrong.Is) <= mostWrong*of &&
		f.Missed.Is == 0 && f.Alarms.Is == 0
}

func (f ScaledFigures) good() bool {
	return float64(f.Wrong.Is) <= mostWrong*float64(f.Wrong.Of) && f.Missed.Is == 0 && f.Alarms.Is == 0
}

// found tells whether a finding said something of a run's counter.
func (r Result) found() bool {
	return slices.Contains([]Mark{Right, Undecided, Unnamed, Wrong}, r.Mark)
}

// lines are the figures with their names.
func (f Figures) lines() [][2]string {
	return [][2]string{
		{"right", f.Right.String()}, {"right or undecided", f.NotWrong.String()}, {"wrong", f.Wrong.String()}, {"missed", f.Missed.String()},
		{"of those found: the amounts right", f.Amount.String()}, {"of those undecided: the true cause among the possible", f.Possible.String()},
		{"of those with much to tell by: right", f.TellingRight.String()}, {"of those with much to tell by: wrong", f.TellingWrong.String()},
		{"hidden within the run's own bounds", f.Hidden.String()}, {"false alarms of healthy runs", f.Alarms.String()},
		{"runs that prove nothing", f.Inconclusive.String()},
	}
}

// lines are the figures with their names.
func (f ScaledFigures) lines() [][2]string {
	return [][2]string{{"right", f.Right.String()}, {"wrong", f.Wrong.String()}, {"missed", f.Missed.String()}, {"nothing that must be told", f.Hidden.String()},
		{"false alarms of healthy runs", f.Alarms.String()}, {"runs that prove nothing", f.Inconclusive.String()}}
}

// row is what became of all runs of a cause.
type row struct {
	cause string
	runs  int
	marks map[Mark]int
	named []tally // beside the right ones, the most frequent first
}

type tally struct {
	what string
	n    int
}

// rows sorts results by their true cause.
func rows(results []Result) []row {
	by := map[string]*row{}
	named := map[string]map[string]int{}
	var out []*row
	for _, cause := range slices.Concat(synthetic.Causes(), synthetic.ScaledCauses()) {
		by[cause] = &row{cause: cause, marks: map[Mark]int{}}
		named[cause] = map[string]int{}
		out = append(out, by[cause])
	}
	for _, r := range results {
		to := by[r.Cause]
		to.runs++
		to.marks[r.Mark]++
		if r.Mark == Wrong || r.Mark == Right && !slices.Equal(r.Named, []string{r.Cause}) {
			named[r.Cause][r.named()]++
		}
	}
	var all []row
	for _, r := range out {
		for what, n := range named[r.cause] {
			r.named = append(r.named, tally{what, n})
		}
		slices.SortFunc(r.named, func(a, b tally) int { return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.what, b.what)) })
		all = append(all, *r)
	}
	return all
}

// confused lists the causes that were named in place of the true one, at most so
// many.
func (r row) confused(most int) string {
	var parts []string
	for i, t := range r.named {
		if i == most {
			parts = append(parts, fmt.Sprintf("%d others", len(r.named)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%s (%d)", t.what, t.n))
	}
	return strings.Join(parts, ", ")
}

// WriteText writes matrix, figures and examples for a terminal.
func WriteText(to io.Writer, results []Result) error {
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "cause\truns\t%s\tnamed otherwise\n", strings.Join(marks(), "\t"))
	for _, r := range rows(results) {
		if r.runs == 0 {
			continue
		}
		fmt.Fprintf(out, "%s\t%d", r.cause, r.runs)
		for _, m := range Marks {
			fmt.Fprintf(out, "\t%s", count(r.marks[m]))
		}
		fmt.Fprintf(out, "\t%s\n", r.confused(4))
	}
	fmt.Fprintln(out)
	figures := NewFigures(results)
	for _, l := range figures.lines() {
		fmt.Fprintf(out, "%s\t%s\n", l[0], l[1])
	}
	if slices.ContainsFunc(results, func(r Result) bool { return scaled(r.Cause) }) {
		fmt.Fprintln(out, "\nof those with an autoscaler:")
		for _, l := range figures.Scaled.lines() {
			fmt.Fprintf(out, "%s\t%s\n", l[0], l[1])
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, r := range Examples(results, 3) {
		if _, err := fmt.Fprintf(to, "\n%s %s seed %d: %s\n  %s\n", r.Mark, r.Cause, r.Seed, strings.Join(r.Named, ", "), cmp.Or(r.Error, r.Said)); err != nil {
			return err
		}
	}
	return nil
}

func marks() []string {
	var out []string
	for _, m := range Marks {
		out = append(out, string(m))
	}
	return out
}

func count(n int) string {
	if n == 0 {
		return "·"
	}
	return fmt.Sprint(n)
}

// Examples are some of the results of each cause that are not as they should be.
func Examples(results []Result, each int) []Result {
	var out []Result
	n := map[string]int{}
	for _, r := range sorted(results) {
		if r.Mark == Wrong || r.Mark == Missed || r.Mark == Alarm || r.Mark == Unnamed || r.Error != "" {
			if n[r.Cause]++; n[r.Cause] <= each {
				out = append(out, r)
			}
		}
	}
	return out
}

func sorted(results []Result) []Result {
	out := slices.Clone(results)
	slices.SortFunc(out, func(a, b Result) int { return cmp.Or(strings.Compare(a.Cause, b.Cause), cmp.Compare(a.Seed, b.Seed)) })
	return out
}
