package diagnose

import "math"

// hypotheses are all that is thought of. Their order decides nothing: the best score wins.
var hypotheses = []hypothesis{
	// What the record says outright.
	{WrongType, 0, wrongType, false, false},
	{Renamed, 0, renamed, false, false},
	{NoMetric, 0, noMetric, false, false},
	{BadLines, 0, badLines, false, false},
	{Truncated, 0, truncated, true, false},
	{RateNotApplied, 0, rateNotApplied, false, false},

	// Lost at an end of a life.
	{LostOnExit, 2, lostOnExit, true, true},
	{LargeBuffer, 0, largeBuffer, true, true},
	{Late, -0.5, late, true, true},
	{WentSilent, -1, wentSilent, false, false},
	{StillHeld, -2.5, stillHeld, true, false},
	{SilentStart, -2, silentStart, true, false},
	{FirstLost, 2, firstLost, false, false},

	// Lost all the while.
	{NotCounted, -0.5, notCounted, false, false},
	{RateNotSent, 0.5, rateNotSent, false, false},
	{Conditional, -3, conditional, false, false},
	{QueueFull, 0, queueFull, true, false},
	{SilentWorker, 0, silentWorker, true, false},
	{Turnover, -3, turnover, true, false},
	{Wrapping, -1, wrapping, false, false},
	{NetLost, -0.5, netLost, true, false},

	// Lost in a stretch.
	{Away, 0, away, true, false},
	{Burst, -3.5, burst, false, false},

	// Too many.
	{OtherRoute, -0.5, otherRoute, false, false},
	{Failures, 0, failures, false, false},
	{Probes, -1, probes, false, false},
	{ForeignLines, -0.5, foreignLines, false, false},
	{WindowTwice, 2, windowTwice, true, true},
	{RunningTotal, -0.5, runningTotal, false, false},
	{Double, 0, double, false, false},
	{Twice, -1, twice, false, false},
	{NetTwice, -0.5, netTwice, true, false},

	{Undecided, -12, nothingKnown, true, false},
}

// ofLines are those that only lines of StatsD and their datagrams can have.
var ofLines = map[string]bool{BadLines: true, Truncated: true, RateNotApplied: true, RateNotSent: true, QueueFull: true, NetLost: true, NetTwice: true, ForeignLines: true}

// ofClients are those that a client has which holds counts and sends them: nobody does of what is scraped.
var ofClients = map[string]bool{LostOnExit: true, LargeBuffer: true, StillHeld: true, FirstLost: true, SilentWorker: true, Turnover: true, Away: true, WindowTwice: true, RunningTotal: true}

// heard are the hypotheses that a case can be about.
func (c *Case) heard() []*hypothesis {
	var out []*hypothesis
	for h := range hypotheses {
		p := &hypotheses[h]
		if (c.NoLines || c.Scraped) && ofLines[p.cause] || c.Scraped && ofClients[p.cause] {
			continue
		}
		out = append(out, p)
	}
	return out
}

// fitEach scores each account of the set by itself, and all sound accounts alike.
func fitEach(k *court, set, sound []int, score, soundly func(t *track) float64) fit {
	f := fit{}
	for _, i := range set {
		f.each = append(f.each, score(&k.tracks[i]))
	}
	for _, i := range sound {
		f.shared += soundly(&k.tracks[i])
	}
	return f
}

func free(*track) float64 { return 0 }

// every gives each sound account the same score.
func every(score float64) func(*track) float64 { return func(*track) float64 { return score } }

// saying attaches what is said of an account.
func (f fit) saying(k *court, say func(t *track) clause) fit {
	f.say = func(i int) clause { return say(&k.tracks[i]) }
	return f
}

// anything scores that in each block any number of its requests may be lost, or too many.
func (t *track) anything() float64 {
	var score float64
	for _, b := range t.block {
		any := max(b.acked, math.Abs(b.acked-b.counted))
		score -= 0.5 * math.Log(1+any*any/12/b.unsure)
	}
	return score
}

// nothingKnown fits everything, and each account as badly as a shape that could be any.
func nothingKnown(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 { return t.both((*track).anything) + choice(t.wrong+1) - 5 }, free).
		saying(k, func(*track) clause { return clause{why: "no cause that is known here fits the record"} })
}
