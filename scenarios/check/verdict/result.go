package verdict

import "strings"

// Result is what one rule contributes to a verdict.
type Result struct {
	Findings  []Finding
	Sums      bool // the last finding only repeats what the others say of single instances
	Residuals []Residual
	// Void: the record is damaged, or not what was seen, so that no finding decides
	// anything.
	Void  bool
	Web   *WebLedger // of the conservation check; nil: of another
	Cells Cells      // of the continuity check
	// Versions compares versions of the application by a conservation check, where there are several.
	Versions []Version
	// Alerts are those of a rule file, of an alert check.
	Alerts []Alert
}

// Arrow is what stands between two layers in a [Residual].
const Arrow = "→"

// Between gives the word for two layers whose ledgers are compared: "users→lb".
func Between(from, to string) string { return from + Arrow + to }

// Layers gives the two layers of a residual.
func (r Residual) Layers() (from, to string) {
	from, to, _ = strings.Cut(r.Between, Arrow)
	return from, to
}

// Booked makes a residual of n lost or extra requests.
func Booked(between, instance, cause string, lost bool, n, bound int64) Residual {
	r := Residual{Between: between, Instance: instance, Cause: cause, Bound: bound}
	if lost {
		r.Lost = n
	} else {
		r.Extra = n
	}
	return r
}
