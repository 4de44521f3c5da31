package check

import (
	"fmt"
	"math"
	"time"

	"throughline/scenarios/record"
)

// exitSpan is how long before its end an instance's loss may begin to be called
// a buffer that was not flushed: datadog-go's default window is 2 s and its
// sender adds 100 ms; the rest is for draining.
const exitSpan = 3500 * time.Millisecond

// bufferSpan is the same for a SIGKILL: a StatsD client that holds back more
// than 10 s is unheard of, and what goes missing before has another cause.
const bufferSpan = 10 * time.Second

// diagnoseLoss tells why lost requests were acknowledged and not counted.
func (a *account) diagnoseLoss(b books) diagnosis {
	n := int64(len(a.acked))
	lost := n - a.total
	d := diagnosis{from: a.acked[0], to: a.acked[n-1]}
	if d, found := a.diagnoseType(d); found {
		return d
	}
	if len(a.counted.at) == 0 {
		return a.diagnoseAbsence(b, d)
	}
	if a.early > lost {
		return a.diagnoseLag(lost)
	}
	if d, found := a.unattended(lost, d); found {
		return d
	}
	if d, found := a.diagnoseFirst(lost, b, d); found {
		return d
	}
	s := a.lossShapes(lost)
	best, second := s.rank()
	limit := evenLimit(lost)
	if a.disproved(best, lost) && !a.disproved(second, lost) && s[second] <= limit {
		best, second = second, best
	}
	if b.onlyTheEndedLost() && (a.fitsExit(lost) || a.fitsKill(lost, s[best] <= limit)) {
		return a.diagnoseEnd(lost, b)
	}
	nowhere := s[best] > limit || best == shapeEnd && a.disproved(best, lost)
	switch {
	case nowhere && b.sameShare():
		d.runnerUp = causeBurst
		return a.diagnoseEven(lost, b, d)
	case nowhere:
		return a.diagnoseBurst(b, d)
	case best == shapeEnd:
		d = a.diagnoseEnd(lost, b)
	case best == shapeStart:
		d = a.diagnoseStart(lost, b)
	default:
		d.runnerUp = nearlyEven(n, a.total)
		d = a.diagnoseEven(lost, b, d)
	}
	if s[second]-s[best] < closeCall && s[second] <= limit && d.runnerUp == "" && !a.disproved(second, lost) {
		d.runnerUp = a.nameOf(second, lost, b)
	}
	return d
}

// diagnoseLag is about a client that was killed just after it had sent what it
// held: less was lost than had been missing shortly before.
func (a *account) diagnoseLag(lost int64) diagnosis {
	d := a.lastOnes(lost)
	d.cause = causeLargeBuffer
	d.why = fmt.Sprintf("shortly before its SIGKILL %s were missing that were older than the %s declared as client_window, and some came later: the client holds back longer",
		times(a.early, "count"), a.rule.ClientWindow)
	return d
}

// onlyTheEndedLost tells whether every loss is of an instance that was ended,
// while others that live on lost nothing: then it is the end that loses, however
// the curve looks. A client that sends seldom is behind at every interval end,
// and what it never caught up with looks lost from the start.
func (b books) onlyTheEndedLost() bool {
	whole := false
	for i := range b.accounts {
		a := &b.accounts[i]
		lost := int64(len(a.acked)) - a.total
		if a.life.Death == record.Never {
			if lost > 0 {
				return false
			}
			whole = whole || len(a.acked) > 0
		}
	}
	return whole
}

// sameShare tells whether several instances lost about the same share of what
// they acknowledged: then it is no event that took them, even where a busy
// machine has bent the curves.
func (b books) sameShare() bool {
	least, most, n := math.Inf(1), 0.0, 0
	for i := range b.accounts {
		a := &b.accounts[i]
		if len(a.acked) < fewAcks {
			continue
		}
		share := float64(int64(len(a.acked))-a.total) / float64(len(a.acked))
		least, most, n = min(least, share), max(most, share), n+1
	}
	return n >= 2 && least > 0 && most <= 1.5*least
}

// fewAcks is how many acknowledged requests a share takes to mean something.
const fewAcks = 100

// fitsExit tells whether a loss is no more than what an instance acknowledged in
// the last moments before it was told to end.
func (a *account) fitsExit(lost int64) bool {
	at := a.life.Signalled
	if at == record.Never || a.life.Death == record.Never || a.life.Killed() {
		return false
	}
	return lost <= int64(len(a.acked))-countUpTo(a.acked, at-exitSpan)
}

// fitsKill is the same for a SIGKILL, of a loss whose curve is that of no burst: a
// client that sends seldom is behind by as much at every interval end, and what it
// never caught up with looks like the first requests, or like a share of all.
func (a *account) fitsKill(lost int64, curved bool) bool {
	const few = 10 // no curve tells how so few are spread
	return a.killed != record.Never && (curved || lost <= few) && lost <= a.ackedFrom(a.killed-bufferSpan)
}

// nameOf is the cause that a shape would stand for.
func (a *account) nameOf(shape int, lost int64, b books) string {
	switch shape {
	case shapeStart:
		return causeSilentStart
	case shapeEnd:
		return a.diagnoseEnd(lost, b).cause
	}
	cause, _ := evenLoss(int64(len(a.acked)), a.total)
	return cause
}

// evenLoss names a loss that is spread like the requests themselves.
func evenLoss(acked, counted int64) (cause, why string) {
	// Sampling keeps at most one in two; a code path that forgets to count is
	// rarely the greater half. 0.55 leaves room for chance.
	if float64(counted) <= 0.55*float64(acked) {
		return causeRateNotSent, fmt.Sprintf("evenly, about %s is counted: the client samples and does not send its sample rate",
			oneIn(acked, counted))
	}
	return causeNotCounted, fmt.Sprintf("evenly, about %s is not counted: a path through the code misses the counter",
		oneIn(acked, acked-counted))
}

// nearlyEven is the other cause of an even loss, where the share that is left
// does not tell them apart well.
func nearlyEven(acked, counted int64) string {
	switch share := float64(counted) / float64(acked); {
	case share > 0.55 && share <= 0.65:
		return causeRateNotSent
	case share > 0.45 && share <= 0.55:
		return causeNotCounted
	}
	return ""
}

// oneIn writes a share of all as "1 in 25".
func oneIn(all, some int64) string {
	if some <= 0 {
		return "none"
	}
	return fmt.Sprintf("1 in %s", number(int64(math.Round(float64(all)/float64(some)))))
}

// diagnoseEnd names the loss of the last requests that an instance answered.
func (a *account) diagnoseEnd(lost int64, b books) diagnosis {
	d := a.lastOnes(lost)
	at := a.life.Signalled
	if at == record.Never {
		at = a.life.Death
	}
	span := at - d.from
	switch killed := a.life.Killed(); {
	case at != record.Never && killed && span <= bufferSpan && b.othersLate(a.life.Instance):
		d.cause, d.runnerUp, d.why = causeLate, causeLargeBuffer, lateWhy(span, at)
	case at != record.Never && killed && span <= bufferSpan:
		d.cause = causeLargeBuffer
		d.why = fmt.Sprintf("%s was killed at %s and the client had held back %s, more than the %s declared as client_window",
			a.life.Instance, seconds(at), seconds(span), a.rule.ClientWindow)
		if span > bufferSpan/2 {
			d.runnerUp = causeWentSilent
		}
	case at != record.Never && !killed && span <= exitSpan:
		d.cause = causeLostOnExit
		d.why = fmt.Sprintf("%s %s at %s: the client was not flushed on exit", a.life.Instance, ending(a.life), seconds(at))
	default:
		d.cause = causeWentSilent
		d.why = fmt.Sprintf("nothing was counted from %s on: the client stopped sending while its instance went on serving", seconds(d.from))
		if at != record.Never && !killed && span <= 2*exitSpan {
			d.runnerUp = causeLostOnExit
		}
	}
	return d
}

// ending tells how an instance was ended: "got SIGTERM".
func ending(l record.Lifetime) string {
	if l.Signal != "" && l.Signalled != record.Never {
		return "got " + l.Signal
	}
	return "exited"
}

// diagnoseStart names the loss of the first requests that an instance answered.
// Counts that leave with a constant delay look the same when a SIGKILL takes
// the last of them; the curves' shapes or the other instances tell which it is.
func (a *account) diagnoseStart(lost int64, b books) diagnosis {
	d := diagnosis{cause: causeSilentStart, from: a.acked[0], to: a.acked[lost-1]}
	if a.late.by > 0 && !a.late.excused {
		d = a.lastOnes(lost)
		d.cause, d.runnerUp = causeLate, causeSilentStart
		d.why = fmt.Sprintf("its counts leave about %s late, and the last ones never came", seconds(a.late.by))
		return d
	}
	since := d.from
	if a.life.Birth != record.Never {
		since = a.life.Birth
	}
	d.why = fmt.Sprintf("nothing was counted in the first %s of its life: the client was not sending yet", seconds(d.to-since))
	at := a.killed
	if at == record.Never {
		return d
	}
	delay := at - a.acked[int64(len(a.acked))-lost]
	shifted, cut := a.misfit(func(t time.Duration) float64 { return float64(countUpTo(a.acked, t-delay)) }),
		a.misfit(func(t time.Duration) float64 { return float64(max(0, countUpTo(a.acked, t)-lost)) })
	if !b.othersLate(a.life.Instance) && shifted > closeFit*cut {
		if shifted*closeFit <= cut {
			d.runnerUp = causeLate
		}
		return d
	}
	d = a.lastOnes(lost)
	d.cause, d.runnerUp, d.why = causeLate, causeSilentStart, lateWhy(delay, at)
	return d
}

// lastOnes places a loss at the last requests that were acknowledged.
func (a *account) lastOnes(lost int64) diagnosis {
	n := int64(len(a.acked))
	return diagnosis{from: a.acked[n-lost], to: a.acked[n-1]}
}

func lateWhy(delay, killed time.Duration) string {
	return fmt.Sprintf("its counts leave about %s late, and the kill at %s took the last of them", seconds(delay), seconds(killed))
}

// closeFit is how much better one of two curves must fit than the other to be
// taken for the right one.
const closeFit = 0.8

// misfit is how far a prediction of the counted curve is off, at most.
func (a *account) misfit(predicted func(time.Duration) float64) float64 {
	var worst float64
	for _, t := range a.ticks {
		if t < a.killed {
			worst = max(worst, math.Abs(a.counted.upTo(t)-predicted(t)))
		}
	}
	return worst
}

func (b books) othersLate(but string) bool {
	for i := range b.accounts {
		if a := &b.accounts[i]; a.life.Instance != but && a.late.by > 0 && !a.late.excused {
			return true
		}
	}
	return false
}

// diagnoseAbsence names what it is when the metric has nothing of an instance.
func (a *account) diagnoseAbsence(b books, d diagnosis) diagnosis {
	if other, n := a.alias(b); other != "" {
		d.cause = causeRenamed
		d.why = fmt.Sprintf("%s has nothing of %s, but %s has %s: the instance counts under another name", a.rule.Metric,
			a.life.Instance, other, number(n))
		return d
	}
	d.cause = causeNoMetric
	d.why = "nothing at all arrived from it"
	if len(a.others) > 0 {
		d.why = fmt.Sprintf("it sent other metrics, but never %s", a.rule.Metric)
	}
	if at := a.life.Signalled; at != record.Never && !a.life.Killed() && at-a.acked[0] <= exitSpan {
		d.cause, d.runnerUp = causeLostOnExit, causeNoMetric
		d.why = fmt.Sprintf("%s got %s at %s, before anything was sent: the client was not flushed on exit", a.life.Instance,
			a.life.Signal, seconds(at))
	}
	return d
}

// alias finds the counter of the instance that counts about what the metric
// should. One that stands beside the metric elsewhere is a metric of its own.
func (a *account) alias(b books) (name string, count int64) {
	ownRight := map[string]bool{}
	for i := range b.accounts {
		if len(b.accounts[i].counted.at) == 0 {
			continue
		}
		for _, s := range b.accounts[i].others {
			ownRight[s.Meta.StatsD] = true
		}
	}
	sums := map[string][]*record.Series{}
	for _, s := range a.others {
		if isCounter(s) && !ownRight[s.Meta.StatsD] {
			sums[s.Meta.StatsD] = append(sums[s.Meta.StatsD], s)
		}
	}
	n := int64(len(a.acked))
	nearest := int64(math.MaxInt64)
	for other, series := range sums {
		sum := whole(sumOf(series).last())
		off := max(sum-n, n-sum)
		if off > max(n/5, a.sum()+a.stalled) { // a fifth: a renamed metric may have a second defect
			continue
		}
		if off < nearest || off == nearest && other < name {
			name, count, nearest = other, sum, off
		}
	}
	return name, count
}
