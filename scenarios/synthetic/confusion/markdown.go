package confusion

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// mostNamed is how many wrong answers of a cause the page lists.
const mostNamed = 5

// WriteMarkdown writes docs/CONFUSION.md.
func WriteMarkdown(to io.Writer, results []Result) error {
	var b strings.Builder
	b.WriteString(pageHead)
	figures := NewFigures(results)
	fmt.Fprintf(&b, "\n## Figures\n\nOf %d runs, %s, those without an autoscaler.\n\n", len(results), seeds(results))
	writeFigures(&b, figures.lines())
	b.WriteString(tableHead)
	all := rows(results)
	for _, r := range all {
		if !healthyOnes(r.cause) && !scaled(r.cause) {
			r.write(&b, Right, Undecided, Unnamed, Wrong, Missed, Hidden, Inconclusive)
		}
	}
	b.WriteString(healthyHead)
	for _, r := range all {
		if healthyOnes(r.cause) {
			fmt.Fprintf(&b, "| %s | %d | %s | %s | %s |\n", map[bool]string{true: "with an autoscaler", false: "without"}[scaled(r.cause)], r.runs,
				count(r.marks[Silent]), count(r.marks[Alarm]), count(r.marks[Inconclusive]))
		}
	}
	b.WriteString(scaledHead)
	writeFigures(&b, figures.Scaled.lines())
	b.WriteString(scaledTableHead)
	for _, r := range all {
		if scaled(r.cause) && !healthyOnes(r.cause) {
			r.write(&b, Right, Wrong, Missed, Hidden, Inconclusive)
		}
	}
	b.WriteString(examplesHead)
	for _, r := range Examples(results, 2) {
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s |\n", r.Cause, r.Seed, r.Mark, strings.Join(r.Named, ", "))
	}
	_, err := io.WriteString(to, b.String())
	return err
}

func writeFigures(to io.Writer, lines [][2]string) {
	fmt.Fprint(to, "| | runs, and the 95 % interval |\n|---|---|\n")
	for _, l := range lines {
		fmt.Fprintf(to, "| %s | %s |\n", l[0], l[1])
	}
}

// write writes a row of a table that has such columns.
func (r row) write(to io.Writer, columns ...Mark) {
	fmt.Fprintf(to, "| `%s` | %d", r.cause, r.runs)
	for _, m := range columns {
		fmt.Fprintf(to, " | %s", count(r.marks[m]))
	}
	fmt.Fprintf(to, " | %s |\n", r.confused(mostNamed))
}

// seeds tells which runs they were.
func seeds(results []Result) string {
	if len(results) == 0 {
		return "none"
	}
	all := make([]uint64, 0, len(results))
	for _, r := range results {
		all = append(all, r.Seed)
	}
	return fmt.Sprintf("of the seeds %d to %d", slices.Min(all), slices.Max(all))
}

const pageHead = `# The confusion matrix

Which cause the judge names for which, away from what it was built with. The runs are made up: a generator
(` + "`scenarios/synthetic`" + `) draws the load (1 to 500 requests a second, constant, as a sine or in steps), one to six instances of one
to eight workers, their kills, terminations, replacements and freezes, lives from two seconds on, the StatsD client (what it adds up,
how long it holds it: from nothing to 10 s), failures, probes and stalls of the machine; and then one defect of known cause and
drawn size, or none. It simulates what users, load balancer, instances, database and collector would have recorded, and the judge
gets that record. The generator does not know how the judge decides; the judge does not know the truth.

This page is made by ` + "`throughline selftest --synthetic N --seed S --format markdown`" + `; the figures say of which seeds, none of which
the judge was tuned on. One run is shown, with what was drawn, what is true and what was found, by ` + "`throughline selftest --synthetic 1 --seed SEED --only CAUSE --explain`" + `; with ` + "`--keep --out DIR`" + ` in place of
` + "`--explain`" + ` its record is written, for ` + "`throughline judge`" + `.

- *right*: every finding about the counter that names a cause names the true one, or one that the record of this very run cannot
  tell from it (a client that holds longer than declared is late, and a kill shows its buffer: one defect, several words);
- *undecided*: none names a wrong one, and a finding says which are possible; *unnamed*: none names any;
- *wrong*: a finding names another cause, be the others right;
- *missed*: nothing was found, though more is wrong than the bounds hide that users know of; *hidden*: no more than that;
- *nothing proved*: the run is inconclusive;
- *much to tell by*: 16 counts or more are too few or too many, the run is as long as 16 of its client's windows (and 8 intervals),
  and there is a timer of the same requests.

## What no record tells

Not all can be decided. A client whose last datagrams the network loses and one that fell silent leave the same record, to the last
point; so do one whose first datagrams are lost and one that was not sending yet (a test of ` + "`scenarios/synthetic`" + ` makes such pairs and
compares them). What decides is how unlikely it is that chance strikes just these: of 300 datagrams, hardly; of six that a client
sends in a run, by one in six. So it hangs on the run, and not on the judge, how much can be told:

- *few counts*: of fewer than 16 that are missing, or too many, about six in ten causes are named, of 250 and more nine in ten. One
  count that lacks may be the first sample, one in a hundred, or what was in one datagram;
- *long windows*: a client that holds counts for 5 s shows in a run of 20 s four times when something was lost, to 5 s each. What is
  lost at the peaks, in a stretch, at the end or evenly then looks alike;
- *no timer*: whether code or the way to the collector lost them is seen from another metric of the same requests alone;
- *a constant load*: a queue that is full at peaks, probes at a fixed pace, a share of all requests differ where the load swings.

"Undecided" is the right word for these. The figures are given for all runs, and for those that have much to tell by.
`

const tableHead = `
## Runs with a defect

| true cause | runs | right | undecided | unnamed | wrong | missed | hidden | nothing proved | named in its place, or beside it |
|---|---|---|---|---|---|---|---|---|---|
`

const healthyHead = `
## Healthy runs

| | runs | silent | false alarms | nothing proved |
|---|---|---|---|---|
`

const scaledHead = `
## Runs with an autoscaler

One run in twenty has an autoscaler, whose decisions are made of what was measured in the very run, and whose fleet follows them: of both
forms, with targets, tolerances, windows, paces and questions drawn at random, under a load that swings, rises once, comes as a crowd or ebbs
away as in a night, with an instance killed in three of ten. What is true of a decision is found by asking again: the same policy, answered by the same run without its
defect, by one whose clients send each count at once, and by one whose clients hold each for as long as they may; or, where the policy is to
blame, by the load that was drawn.

- *right*: a cause is named that led decisions astray, and each that led many;
- *wrong*: a cause is named that did not;
- *missed*: more decisions than ` + "`astray`" + ` allows, and two, are others than any right metric brings about, or a promise is broken by more than chance
  explains, and that is not told;
- *nothing told*: none is, and none has to be.

`

const scaledTableHead = `
| cause that was sought | runs | right | wrong | missed | nothing told | nothing proved | named in its place, or beside it |
|---|---|---|---|---|---|---|---|
`

const examplesHead = `
## To look into

| true cause | seed | | named |
|---|---|---|---|
`
