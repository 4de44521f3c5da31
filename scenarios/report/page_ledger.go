package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// ledgerView are the ledgers side by side, and the facts of the run.
type ledgerView struct {
	Heads []string
	Width int // in columns, with that of the names
	Rows  []ledgerRow
	Facts []fact
	// Versions are those of the application; none where there is one.
	Versions []versionRow
	// Roles are those of the application; none where there is one.
	Roles []roleRow
}

func endedLedger(h record.History, v verdict.Verdict) ledgerView {
	tiers := record.AllTiers().In(h)
	return ledgerView{Heads: ledgerHeads(tiers, false), Width: 1 + len(tiers), Rows: pageRows(ledgerRows(tiers, h, v)), Facts: factsOf(h, v), Versions: versionRows(v), Roles: roleRows(h, v)}
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

// pageRows are the rows of a page, which has those that say something: one whose numbers
// are all 0 is left out. A number that is not that of the tier before all others has the
// difference beside it, where both count the same.
func pageRows(rows []ledgerRow) []ledgerRow {
	var out []ledgerRow
	for _, r := range rows {
		if !r.Head && !slices.ContainsFunc(r.Cells, func(cell string) bool { return cell != "" && cell != "0" && cell != none }) {
			continue
		}
		r.Cells = slices.Clone(r.Cells)
		for k := 1; k < len(r.Cells); k++ {
			first, known := numberIn(r.Cells[0])
			n, too := numberIn(r.Cells[k])
			if known && too && n != first && strings.HasPrefix(r.Name, "acked") {
				r.Cells[k] += " (" + strings.Replace(signed(n-first), "-", "−", 1) + ")"
			}
		}
		out = append(out, r)
	}
	return out
}

// numberIn reads a cell; known is false where it is no number.
func numberIn(cell string) (n int64, known bool) {
	n, err := strconv.ParseInt(strings.ReplaceAll(cell, ",", ""), 10, 64)
	return n, err == nil
}
