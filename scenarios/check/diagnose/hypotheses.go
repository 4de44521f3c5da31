package diagnose

// hypotheses are all that is thought of. Their order decides nothing: the best score wins.
var hypotheses = []hypothesis{
	// What the record says outright.
	{WrongType, 0, wrongType},
	{Renamed, 0, renamed},
	{NoMetric, 0, noMetric},
	{BadLines, 0, badLines},
	{Truncated, 0, truncated},
	{RateNotApplied, 0, rateNotApplied},

	// Lost at an end of a life.
	{LostOnExit, 0, lostOnExit},
	{LargeBuffer, 0, largeBuffer},
	{Late, -0.5, late},
	{WentSilent, -1, wentSilent},
	{StillHeld, -1.5, stillHeld},
	{SilentStart, -0.5, silentStart},
	{FirstLost, -0.5, firstLost},

	// Lost all the while.
	{NotCounted, 0, notCounted},
	{RateNotSent, 0, rateNotSent},
	{Conditional, -1, conditional},
	{QueueFull, -0.5, queueFull},
	{SilentWorker, 0, silentWorker},
	{Turnover, -1.5, turnover},
	{Wrapping, -1, wrapping},
	{NetLost, -0.5, netLost},

	// Lost in a stretch.
	{Away, 0, away},
	{Burst, -2, burst},

	// Too many.
	{OtherRoute, -0.5, otherRoute},
	{Failures, 0, failures},
	{Probes, -1, probes},
	{ForeignLines, -0.5, foreignLines},
	{WindowTwice, 0, windowTwice},
	{RunningTotal, -0.5, runningTotal},
	{Double, 0, double},
	{Twice, 0, twice},
	{NetTwice, -0.5, netTwice},

	{Undecided, -4, nothingKnown},
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

// nothingKnown fits everything, and each account as badly as a shape that could be any.
func nothingKnown(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 { return 2*choice(int64(len(t.Ticks))) + choice(t.wrong+1) - 4 }, free).
		saying(k, func(*track) clause { return clause{why: "no cause that is known here fits the record"} })
}
