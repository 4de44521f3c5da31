package account

import (
	"math"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// Booking is where the difference of an account goes. 22 lacking, of which the buffer can
// have taken 9: 9 are booked to it, 13 are unexplained.
type Booking struct {
	Lost, Extra int64 // acknowledged and not counted; counted and not acknowledged
	Residuals   []verdict.Residual
	Unexplained int64 // of lost or extra
}

// Book explains the difference between users and web, cause by cause, each up
// to its bound; what remains is unexplained.
// What was counted before it can have been executed no request of unknown outcome explains,
// however many came later.
func (a *Account) Book() Booking {
	b := Booking{Lost: max(0, int64(len(a.Acked))-a.Total), Extra: max(0, a.Total-int64(len(a.Acked)))}
	left := b.Lost + b.Extra
	open := min(b.Extra, a.Ahead.N)
	enter := func(cause string, n, bound int64) {
		n = min(left-open, n)
		if n <= 0 {
			return
		}
		left -= n
		r := verdict.Residual{Between: Between, Instance: a.Life.Instance, Cause: cause, Bound: bound}
		if b.Lost > 0 {
			r.Lost = n
		} else {
			r.Extra = n
		}
		b.Residuals = append(b.Residuals, r)
	}
	if b.Lost > 0 {
		enter(a.lossCause(), min(a.Buffer, b.Lost-a.Early), a.Buffer)
		buffered := b.Lost - left
		enter(verdict.CauseAgentAway, min(a.agency.Away, left-a.beyondAgents(buffered)), a.agency.Away)
		enter(verdict.CauseAgentKilled, min(a.agency.Held, left-a.beyondAgents(buffered)), a.agency.Held)
	} else {
		enter(verdict.CauseUnknown, a.Unknown, a.Unknown)
		enter(verdict.CauseReplay, a.Replays, a.Replays)
		enter(verdict.CauseRetry, a.Retries, a.Retries)
	}
	b.Unexplained = left
	return b
}

// beforeKill is how many acknowledged requests were uncounted before a SIGKILL
// although they were too old for the client's buffer, at each of the last
// interval ends: the buffer at the kill cannot be blamed for them. A lag does
// not excuse them, because a SIGKILL takes what lags behind as well.
func (a *Account) beforeKill(e *evidence.Index) int64 {
	if a.killed == record.Never {
		return 0
	}
	var missing, looked int64
	for k := len(a.ticks) - 1; k >= 0 && a.ticks[k] > a.killed-evidence.Settle*e.Interval; k-- {
		t := a.ticks[k]
		if t > a.killed {
			continue
		}
		oldest := e.HeldSince(a.Life.Instance, min(t, a.killed-a.Silent), a.heldFor)
		late := e.Waits(a.Life.Instance, oldest-time.Second, t+time.Second)
		m := max(0, evidence.CountUpTo(a.Acked, oldest-max(late, a.slowed))-evidence.Whole(math.Ceil(a.counted.UpTo(t))))
		if looked == 0 || m < missing {
			missing = m
		}
		looked++
	}
	if looked < 2 {
		return 0
	}
	return missing
}
