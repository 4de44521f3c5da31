package run

import (
	"context"
	"fmt"
	"time"

	"throughline/collector/dogstatsd"
	"throughline/collector/forward"
	"throughline/scenarios/record"
)

// announcer tells whom the run relays to what is done to the stack, as DogStatsD's events, and who can serve, as
// service checks: so that a Datadog agent has them beside the metrics. It hears all that is journalled, and
// decides nothing. It has a relay of its own, which outlives a collector that is killed.
type announcer struct {
	run    record.Run
	relay  *forward.Relay
	began  time.Duration // the step under way
	stop   context.CancelFunc
	ended  chan struct{}
	result error
}

// announceFlush bounds how long the end of a run waits for a peer that takes nothing.
const announceFlush = 2 * time.Second

// newAnnouncer makes one that works until close; nil where nothing is relayed.
func newAnnouncer(c Config) (*announcer, error) {
	if c.Relay == "" {
		return nil, nil
	}
	relay, err := forward.NewRelay(forward.RelayConfig{To: c.Relay, Limits: forward.Limits{Flush: announceFlush}})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	a := &announcer{run: c.Run, relay: relay, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(a.ended)
		a.result = relay.Run(running)
	}()
	return a, nil
}

// close gives what still waits, and tells what the peer never got; "" if it got all.
func (a *announcer) close() string {
	if a == nil {
		return ""
	}
	a.stop()
	<-a.ended
	f := a.relay.Figures()
	switch {
	case f.Dropped > 0:
		return fmt.Sprintf("%d of %d events and service checks were not relayed to %s: %s", f.Dropped, f.In, f.To, f.LastError)
	case a.result != nil:
		return a.result.Error()
	}
	return ""
}

// tell announces what an entry of the journal means to who looks on from afar. Entries come one at a time.
func (a *announcer) tell(e record.Event) {
	if a == nil {
		return
	}
	switch e.Kind {
	case record.StepBegin:
		a.began = e.At
	case record.StepEnd:
		a.step(e)
	case record.Decided:
		if e.Decision != nil && e.Decision.Wanted != e.Decision.Had {
			a.event(e.At, "info", fmt.Sprintf("autoscaler: %d → %d instances", e.Decision.Had, e.Decision.Wanted), e.Decision.String(), a.tags(e))
		}
	case record.Ready:
		if e.Role != record.Web && e.Role != record.Database { // those serve only when somebody says so
			a.serving(e, 0, "ready")
		}
	case record.Serving:
		a.serving(e, 0, "serves")
	case record.Draining:
		a.serving(e, 1, "gets no new requests")
	case record.Death:
		a.death(e)
	}
}

// step announces a step that is over, at the time when it began.
func (a *announcer) step(e record.Event) {
	kind, text := "info", fmt.Sprintf("phase %q; took effect in %.1f s", e.Phase, (e.At-a.began).Seconds())
	if e.Error != "" {
		kind, text = "error", fmt.Sprintf("phase %q; had no effect: %s", e.Phase, e.Error)
	}
	a.event(a.began, kind, e.Step, text, a.tags(e))
}

// death announces that an instance is gone. Who was killed, or died by itself, could not say good-bye: that is
// critical. Who was asked to end, and did, is missed by nobody.
func (a *announcer) death(e record.Event) {
	how := e.Signal
	if how == "" {
		how = fmt.Sprintf("exit status %d", e.Code)
	}
	if !e.Expected {
		a.event(e.At, "error", e.Instance+" died", how+", and nobody asked for it", a.tags(e))
	}
	if e.Expected && e.Signal != "SIGKILL" {
		a.serving(e, 0, "is gone, as was asked: "+how)
		return
	}
	a.serving(e, 2, "is gone: "+how)
}

func (a *announcer) tags(e record.Event) []byte {
	tags := dogstatsd.Tag(dogstatsd.Tag(nil, "scenario", a.run.Scenario), "run", a.run.ID)
	for _, t := range []struct{ name, value string }{{"instance", e.Instance}, {"role", string(e.Role)}, {"version", e.Version}} {
		if t.value != "" {
			tags = dogstatsd.Tag(tags, t.name, t.value)
		}
	}
	return tags
}

func (a *announcer) event(at time.Duration, kind, title, text string, tags []byte) {
	e := dogstatsd.EventLine{Title: title, Text: text, Key: a.run.ID, Source: record.EventSource, Alert: kind,
		Context: dogstatsd.Context{Timestamp: a.run.Start.Add(at).Unix(), Tags: tags}}
	a.relay.Send(e.Append(nil))
}

func (a *announcer) serving(e record.Event, status uint8, what string) {
	c := dogstatsd.CheckLine{Name: record.ServingCheck, Status: status, Message: e.Instance + " " + what,
		Context: dogstatsd.Context{Timestamp: a.run.Start.Add(e.At).Unix(), Tags: a.tags(e)}}
	a.relay.Send(c.Append(nil))
}
