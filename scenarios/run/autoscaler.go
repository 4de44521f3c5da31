package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// metric is what an autoscaler asks.
type metric interface {
	// time is the moment that is asked for by who decides at t.
	time(t time.Time) time.Time
	// ask gives what there is at such a moment.
	ask(ctx context.Context, at time.Time) ([]autoscale.Sample, error)
	close()
}

// autoscaler launches and terminates instances by a metric. It decides at its moments, and makes its moves beside: a
// launch that takes long keeps it from no decision, as in Kubernetes, where the controller only sets a number.
type autoscaler struct {
	policy   autoscale.Policy
	scaler   *autoscale.Scaler
	metric   metric
	journal  *journal
	progress Progress
	cloud    *cloud
	stop     time.Duration // how long an instance may take to end

	moving sync.WaitGroup // one for each move under way
	mu     sync.Mutex
	orders map[string]*order // its own launches, by instance; also those that are over
	ending map[string]bool   // whose end it has ordered, until that is there
}

func newAutoscaler(c Config, s script.Autoscale, t *telemetry, journal *journal, in *cloud) *autoscaler {
	return &autoscaler{cloud: in, policy: s.Policy, scaler: autoscale.New(s.Policy), metric: newQuestion(s.On, s.Form, t), journal: journal,
		progress: c.Progress, stop: c.Scenario.Stack.Web.Stop, orders: map[string]*order{}, ending: map[string]bool{}}
}

// autoscalerName is what its troubles are about.
const autoscalerName = "autoscaler"

func (*autoscaler) name() string { return autoscalerName }

// act implements actor. The moments of decision are whole multiples of every after its begin; one that comes while
// the answer for the one before is still waited for is left out.
func (a *autoscaler) act(ctx context.Context, on moves) error {
	defer a.metric.close()
	defer a.moving.Wait()
	begin, every := time.Now(), a.policy.Every
	for {
		tick := begin.Add((time.Since(begin)/every + 1) * every)
		if sleepUntil(ctx, tick) != nil {
			return nil
		}
		a.decide(ctx, on, tick)
	}
}

// decide makes one decision, journals it, and begins the moves that it wants.
func (a *autoscaler) decide(ctx context.Context, on moves, tick time.Time) {
	at := a.metric.time(tick)
	var reading autoscale.Reading
	who := a.members(on)
	if !a.policy.Outside(len(who)) {
		samples, err := a.metric.ask(ctx, at)
		if ctx.Err() != nil {
			return // the load ends, and so do decisions
		}
		reading.Samples = samples
		if err != nil {
			reading.Error = err.Error()
		}
		who = a.members(on) // an answer may take its time
	}
	now := time.Now()
	for _, m := range who {
		if m.ready(now, a.policy.WarmUp) {
			reading.Ready = append(reading.Ready, m.name)
		} else {
			reading.Unready = append(reading.Unready, m.name)
		}
	}
	reading.Had = len(who)
	// The record's points have times in whole microseconds: so this one is before none that it saw.
	d := a.scaler.Decide(a.journal.offset(at).Truncate(time.Microsecond), reading)
	a.journal.event(record.Event{Kind: record.Decided, Decision: &d})
	a.carryOut(ctx, on, d, who)
}

// members are the instances that are there, oldest first: they serve, or are launched, and nobody ends them.
func (a *autoscaler) members(on moves) []member {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(on.roster(), func(m member) bool { return a.ending[m.name] })
}

// carryOut begins the moves of a decision and returns at once.
func (a *autoscaler) carryOut(ctx context.Context, on moves, d autoscale.Decision, who []member) {
	if d.Wanted == d.Had {
		return
	}
	a.progress.Note(autoscalerName + ": " + d.String())
	// Moves that have begun are finished when the load ends, in bounded time.
	ctx = context.WithoutCancel(ctx)
	for range d.Wanted - d.Had {
		a.launch(ctx, on)
	}
	who = slices.DeleteFunc(who, a.foreign)
	for i := len(who) - 1; i >= 0 && len(who)-i <= d.Had-d.Wanted; i-- {
		a.terminate(ctx, on, who[i].name)
	}
}

// foreign tells whether somebody else is launching an instance, to put it in the place of another one. It can be
// terminated when it serves.
func (a *autoscaler) foreign(m member) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return m.since.IsZero() && a.orders[m.name] == nil
}

// launch orders one instance.
func (a *autoscaler) launch(ctx context.Context, on moves) {
	ctx, cancel := context.WithTimeoutCause(ctx, lastMoves, fmt.Errorf("it does not serve after %v", lastMoves))
	o := on.order(ctx, 1)
	if len(o.names) == 0 {
		cancel()
		_, err := o.await()
		a.failed("launch", err)
		return
	}
	name := o.names[0]
	a.mu.Lock()
	a.orders[name] = o
	a.mu.Unlock()
	a.moving.Go(func() {
		defer cancel()
		_, err := o.await()
		a.failed("launch "+name, because(ctx, err))
	})
}

// terminate orders the end of an instance. One that is still being launched ends when it serves.
func (a *autoscaler) terminate(ctx context.Context, on moves, name string) {
	a.mu.Lock()
	o := a.orders[name]
	a.ending[name] = true
	a.mu.Unlock()
	a.moving.Go(func() {
		defer func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			delete(a.ending, name)
		}()
		if o != nil {
			if _, err := o.await(); err != nil {
				return // told of the launch
			}
		}
		within := lastMoves + a.stop
		ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("it has not ended after %v", within))
		defer cancel()
		a.cloud.leave(name)
		if err := on.terminate(ctx, name, true); !endedByOther(err) {
			a.failed("terminate "+name, because(ctx, err))
		}
	})
}

// failed journals a move that had no effect. The run goes on; the next decision sees how many there are.
func (a *autoscaler) failed(move string, err error) {
	if err != nil && !errors.Is(err, errEnding) && !errors.Is(err, context.Canceled) {
		a.journal.trouble(autoscalerName, 0, fmt.Sprintf("%s: %v", move, err))
	}
}
