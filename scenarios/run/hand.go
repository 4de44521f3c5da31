package run

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"throughline/compose"
	"throughline/live"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Hand makes moves on a stack that is up, for somebody who is not part of the run: one at
// a time, each as a step of the scenario language. Its methods may be called by several
// goroutines at once, and before and after the stack is up.
type Hand struct {
	ended   chan struct{} // closed when there is to be no more
	endOnce sync.Once
	moves   sync.WaitGroup // one for the move under way

	mu     sync.Mutex
	stack  *handled // nil: the stack is not up
	over   bool     // it is being taken down
	moving string   // the move under way; "" = none
	moved  []live.Moved
}

// handled is a stack in the hands of one.
type handled struct {
	*testbed
	clock *clock
	ctx   context.Context // ends moves
	phase *underway
	begun []string // the names of the faults that have
	done  []script.Improvisation
}

// NewHand is one that has no stack yet.
func NewHand() *Hand { return &Hand{ended: make(chan struct{})} }

// End ends the run, once the move under way has had its effect.
func (h *Hand) End() { h.endOnce.Do(func() { close(h.ended) }) }

// Standing tells how the stack stands.
func (h *Hand) Standing() live.Standing {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := live.Standing{Up: h.stack != nil, Moving: h.moving, Moved: slices.Clone(h.moved)}
	if h.stack == nil {
		return s
	}
	s.Cloud, s.Members = h.stack.cfg.Scenario.Stack.Cloud, h.stack.database.members.names()
	s.Instances, s.Faults = h.stack.fleet.serving(), slices.Clone(h.stack.begun)
	if u := h.stack.clock.users; u != nil {
		load := u.status(time.Now(), time.Time{})
		s.Load = &load
	}
	return s
}

// Move makes a move, given as script.Scenario.StepOf takes it, and returns when it has had
// its effect. The error says why it was not begun: it is none, it is impossible now, another
// one is under way, or the stack is not up. One that was begun and had no effect has its Error.
func (h *Hand) Move(text string) (live.Moved, error) {
	stack, step, source, err := h.take(text)
	if err != nil {
		return live.Moved{}, err
	}
	defer h.moves.Done()
	began := time.Now()
	err = stack.make(step, source)
	m := live.Moved{Step: step.String(), Took: time.Since(began)}
	if err != nil {
		m.Error = err.Error()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.moving, h.moved = "", append(h.moved, m)
	stack.begun = stack.faults.names()
	return m, nil
}

// take begins a move.
func (h *Hand) take(text string) (*handled, script.Step, string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fail := func(err error) (*handled, script.Step, string, error) { return nil, script.Step{}, "", err }
	asked := strings.Join(strings.Fields(text), " ")
	switch {
	case h.over:
		return fail(fmt.Errorf("%s: %w", asked, errEnding))
	case h.stack == nil:
		return fail(fmt.Errorf("%s: the stack is not up yet; wait until it is", asked))
	}
	now := script.Now{Instances: h.stack.fleet.serving(), Faults: h.stack.begun, Versions: h.stack.fleet.deployed()}
	now.Members, now.Dead = h.stack.database.members.count()
	step, source, err := h.stack.cfg.Scenario.StepOf(text, now)
	if err == nil {
		err = h.stack.cfg.lacks(step)
	}
	switch {
	case err != nil:
		return fail(err)
	case h.moving != "":
		return fail(fmt.Errorf("%s: %s is under way; there is one move at a time, wait until it has had its effect", step, h.moving))
	case len(h.stack.done) >= script.MaxPhases-1:
		return fail(fmt.Errorf("%s: %d moves were made, and a scenario has no more; end this one and begin another", step, len(h.moved)))
	}
	h.moving = step.String()
	h.moves.Add(1)
	return h.stack, step, source, nil
}

// on lets the hand make moves on a stack until it, or ctx, ends that, and gives what was done.
func (h *Hand) on(ctx context.Context, s *testbed, k *clock) []script.Improvisation {
	stack := &handled{testbed: s, clock: k, ctx: ctx}
	stack.next("before the first move")
	h.mu.Lock()
	h.stack = stack
	h.mu.Unlock()
	select {
	case <-h.ended:
	case <-ctx.Done():
	}
	h.mu.Lock()
	h.over, h.stack = true, nil
	if h.moving != "" {
		s.cfg.Progress.Note("waiting for " + h.moving + " to have its effect")
	}
	h.mu.Unlock()
	h.moves.Wait()
	stack.last()
	return stack.done
}

// next ends the phase under way and begins another one.
func (h *handled) next(name string) {
	h.last()
	h.done = append(h.done, script.Improvisation{Phase: name})
	h.phase = h.clock.enter(h.ctx, name, len(h.done)-1, time.Time{})
}

// last ends the phase under way.
func (h *handled) last() {
	if h.phase != nil {
		h.done[len(h.done)-1].For = h.phase.end()
		h.phase = nil
	}
}

// make makes a move, in a phase of its own.
func (h *handled) make(step script.Step, source string) error {
	h.next(fmt.Sprintf("%d: %s", len(h.done), step))
	this := &h.done[len(h.done)-1]
	err := h.clock.step(h.ctx, this.Phase, step)
	if err != nil {
		this.Failed = err.Error()
		h.journal.note("move "+step.String(), 0, "it had no effect: "+err.Error())
		return err
	}
	this.Step = source
	return nil
}

// improvised writes down as the scenario of the record what was done, less what versions
// were told in their environment.
func (s *testbed) improvised(done []script.Improvisation) {
	stack := s.cfg.Scenario.Stack.Web
	_, tagged := stack.Env["TAGS_FROM"] // as in a cloud of its own; that of a CloudWatch tells no tags
	source := script.Improvised{Instances: stack.Instances, Defect: stack.Defect, Cloud: tagged, CloudWatch: s.cfg.Scenario.Stack.CloudWatch, Rate: s.cfg.Scenario.Load.Rate,
		Beacons: s.cfg.Scenario.Load.Beacons.Any(), Members: s.cfg.Scenario.Stack.Members, HTTPD: s.cfg.Scenario.Stack.HTTPD, Moves: done}.Source()
	secrets := slices.DeleteFunc(script.SecretsOf(s.fleet.deployed().Known), func(value string) bool { return value == script.ImprovisedTags || value == script.ImprovisedCPU })
	if len(secrets) > 0 {
		written, err := script.Parse(record.ScenarioFile, source, script.Options{Ran: true})
		if err == nil {
			source, err = written.Masked()
		}
		if err != nil { // better no scenario than one that tells what a version was told
			s.journal.trouble("scenario", 0, err.Error())
			return
		}
	}
	_ = s.journal.record.Scenario(source) // a failure is kept by the writer
}

// atHand tells whether a stack that moves are made on by hand is set up for a need.
func (c Config) atHand(n script.Need) bool {
	_, located := c.Platform.(compose.Located)
	switch n {
	case script.Relays, script.OwnAddress:
		return !located
	case script.OwnDatabase:
		return c.MongoURI == ""
	case script.Members:
		return c.Scenario.Stack.Members > 0
	case script.HTTPD:
		return c.Scenario.Stack.HTTPD
	case script.Metadata:
		return c.Scenario.Stack.Cloud
	case script.Hypervisor:
		return c.Scenario.Stack.CloudWatch.Told()
	}
	return false
}

// lacking says of each need why a step that has it cannot be made by hand.
var lacking = map[script.Need]string{
	script.Relays:      "instances send straight to the collector on this platform, nothing stands in their way; take --platform local",
	script.OwnAddress:  "instances share an address of the collector on this platform; take --platform local",
	script.OwnDatabase: "the database is not the stack's own; leave --mongo out",
	script.OwnProcess:  "the collector of a stack that is up has no process of its own; write a scenario, in which it has one",
	script.Proxy:       "no proxy stands before the load balancer of a stack that is up; write a scenario, which gets one",
	script.Master:      "the load balancer of a stack that is up has no master that could replace it; write a scenario, which gets one",
	script.Respawn:     "nobody would start the load balancer of a stack that is up again; write a scenario, in which somebody does",
	script.OwnDisk:     "the database of a stack that is up has no disk of its own; write a scenario, in which it has one",
	script.Members:     "the database of this stack has no members; bring it up with --members 3",
	script.PeerProxies: "nothing stands between the members of a database that is up; write a scenario with stack.mongo: {members: 3}, in which they can be parted",
	script.HTTPD:       "no Apache HTTP server stands before the instances of this stack; bring it up with --httpd",
	script.CPULimits:   "the instances of a stack that is up were not put where their CPU can be limited; write a scenario, in which they are",
	script.Metadata:    "nobody gives notice in a stack that is in no cloud; bring it up with --cloud",
	script.Hypervisor:  "nobody tells CloudWatch what instances use in this stack; bring it up with --cloudwatch",

	script.LinkOn(script.UsersLB): noLinks,
	script.LinkOn(script.LBWeb):   noLinks,
	script.LinkOn(script.WebDB):   noLinks,
}

const noLinks = "no link stands on the hops of a stack that is up; write a scenario, which gets those that it needs"

// lacks says why a step cannot be made by hand; nil: it can.
func (c Config) lacks(step script.Step) error {
	if d, deploys := step.Move.(script.Deploy); deploys {
		if _, err := c.webProgram(d.Web); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
	}
	for _, n := range step.Needs() {
		if !c.needs(n) {
			return fmt.Errorf("%s: %s", step, cmp.Or(lacking[n], fmt.Sprintf("a stack that is up has no %s; write a scenario, in which there is one", n)))
		}
	}
	return nil
}
