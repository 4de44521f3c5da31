package report

import (
	"fmt"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
)

// versionRow is what the instances of one version acknowledged and counted.
type versionRow struct {
	Name      string // "v2", with the metric where there are several
	Instances string // how many
	Acked     string
	Counted   string
	Residual  string // counted less acked
	Of        string // what it comes to: "exact", "4.1 % lost"
	Plain     bool   // it counted what it acknowledged
}

// versionRows compares the versions of the application; none where there is no other.
func versionRows(v verdict.Verdict) (rows []versionRow) {
	several := false
	for _, w := range v.WebVersions {
		several = several || w.Metric != v.WebVersions[0].Metric
	}
	for _, w := range v.WebVersions {
		r := versionRow{Name: printable(w.Version), Instances: words.Number(len(w.Instances)), Acked: words.Number(w.Acked), Counted: words.Number(w.Counted),
			Residual: signed(w.Counted - w.Acked), Of: versionComesTo(w), Plain: w.Lost+w.Extra == 0}
		if several {
			r.Name += " " + printable(w.Metric)
		}
		rows = append(rows, r)
	}
	return rows
}

// versionComesTo says how much of what a version acknowledged it did not count, or how much more.
func versionComesTo(w verdict.Version) string {
	switch {
	case w.Lost+w.Extra == 0:
		return "exact"
	case w.Unexplained == 0:
		return "within its bounds"
	case w.Extra > 0 && w.Lost > 0:
		return shareText(w.Lost, w.Acked) + " lost, " + shareText(w.Extra, w.Acked) + " too many"
	case w.Extra > 0:
		return shareText(w.Extra, w.Acked) + " too many"
	}
	return shareText(w.Lost, w.Acked) + " lost"
}

// shareText writes a part of a whole, as a share where that says something.
func shareText(part, whole int64) string {
	if whole == 0 || part > whole {
		return words.Number(part)
	}
	if part*2000 < whole {
		return "under 0.1 %"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// versionText is a row in words.
func versionText(w verdict.Version) string {
	return fmt.Sprintf("%s: %s, %s %s acknowledged, %s counted in %s: %s", printable(w.Version), words.Times(len(w.Instances), "instance"),
		words.Number(w.Acked), printable(w.Route), words.Number(w.Counted), printable(w.Metric), versionComesTo(w))
}

// versions writes the table of versions.
func (t *text) versions(rows []versionRow) {
	if len(rows) == 0 {
		return
	}
	t.title("Versions")
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
	}
	name, cell, head := t.columns(names, "instances", "acked", "counted", "residual")
	t.line(head)
	for _, r := range rows {
		residual := padLeft(r.Residual, cell)
		if !r.Plain {
			residual = t.paint(yellow, residual)
		}
		t.wrapped("  "+padRight(truncate(r.Name, name), name)+padLeft(r.Instances, cell)+padLeft(r.Acked, cell)+padLeft(r.Counted, cell)+residual+"  ", r.Of)
	}
}
