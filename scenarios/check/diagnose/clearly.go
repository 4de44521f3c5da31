package diagnose

// A score is the logarithm of a probability by a model that is simpler than the world: it knows
// no client that stumbles, and takes for independent what is not. So a lead is worth less than
// it says, and not the same for each cause: some leave such a trace that hardly anything else
// looks like it, and others look like whatever the record is too short to tell. How far each
// must lead was measured on the made-up runs of the seeds 1 to 12000 (scenarios/synthetic), so
// that few that are named are wrong, and few that are right are left undecided; docs/CONFUSION.md
// has what comes of it.

const (
	// usually is by how much the best explanation must beat the next one that names another
	// cause.
	usually = 6.0
	// atOnce is by how much two defects at once must, which are rare.
	atOnce = 30.0
)

// leads are those of causes that need a smaller or a greater one than usual.
var leads = map[string]float64{
	// The record says of these nearly outright what is wrong.
	WrongType: 4, Renamed: 4, NoMetric: 4, Truncated: 4, LargeBuffer: 4, Late: 4, Wrapping: 4, Conditional: 4,
	OtherRoute: 4, Failures: 4, Probes: 4, ForeignLines: 4, WindowTwice: 4, Double: 4, NetTwice: 4, LostOnExit: 5, NotCounted: 5,
	// These are what an even loss looks like that has another cause.
	SilentWorker: 7, Turnover: 8.5, NetLost: 8, QueueFull: 10, Twice: 12,
	// And these what a loss does that happened once.
	WentSilent: 7, Away: 8.5, Burst: 11.5,
}

// clearly is by how much an explanation must beat the next one to be named: as much as the
// least certain of its causes needs.
func (e explanation) clearly() float64 {
	var most float64
	for _, p := range e.by {
		lead, special := leads[p.h.cause]
		if !special {
			lead = usually
		}
		most = max(most, lead)
	}
	if len(e.by) > 1 && !e.kin() {
		most = max(most, atOnce)
	}
	return most
}

// kin tells whether its causes are such that one client has alike.
func (e explanation) kin() bool {
	for _, p := range e.by {
		if !kin[p.h.cause] {
			return false
		}
	}
	return true
}
