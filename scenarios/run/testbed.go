package run

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"throughline/compose"
	"throughline/compose/haproxy"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// testbed is everything that runs for one scenario, each part of it in the hands of
// a type of its own. It knows in which order they come up and go down.
type testbed struct {
	cfg       Config
	journal   *journal
	lives     *lives
	telemetry *telemetry
	reading   *reading // nil: the collector scrapes, if anybody does
	network   *network
	database  *database
	balancer  *balancer
	fronts    *fronts
	agents    *agents
	fleet     *fleet // of the first role, on which actors act
	fleets    fleets
	cloud     *cloud // nil: the stack is in none
	// hypervisor tells CloudWatch what instances use; nil: there is no CloudWatch.
	hypervisor *hypervisor
	faults     *faults
	// afterwards: the user's command for the end was executed.
	afterwards bool
	// calledOff: the run was interrupted, and the journal says so.
	calledOff bool
}

// newTestbed starts nothing yet. When ctx ends, moves on the fleet are called off.
func newTestbed(ctx context.Context, c Config, journal *journal) (*testbed, error) {
	journal.commands(c.There)
	sensing, err := newTelemetry(c, journal)
	if err != nil {
		return nil, err
	}
	s := &testbed{cfg: c, journal: journal, telemetry: sensing, network: newNetwork(c), cloud: newCloud(c, journal)}
	s.database = &database{cfg: c, record: journal.record, network: s.network}
	s.balancer = &balancer{cfg: c, network: s.network}
	s.lives = newLives(ctx, c.Platform, journal, func(ctx context.Context, name string) {
		s.network.retire(name)
		s.agents.retire(ctx, name)
		sensing.retire(ctx, name)
		s.cloud.retire(name)
	})
	s.database.members = newReplicaSet(c, journal, s.lives, s.network.peers)
	s.fronts, s.agents = newFronts(c, journal, s.lives), newAgents(c, journal, s.lives, sensing)
	s.lives.cloud = s.cloud
	c.Roster.of(s)
	for _, role := range c.Scenario.Stack.Roles() {
		s.fleets = append(s.fleets, s.fleetOf(role))
	}
	s.fleet = s.fleets[0]
	s.hypervisor = newHypervisor(c, journal, s.lives, s.balancer, s.database)
	s.faults = &faults{hypervisor: s.hypervisor, cfg: c, journal: journal, lives: s.lives, balancer: s.balancer, telemetry: sensing, network: s.network, database: s.database, fronts: s.fronts}
	return s, nil
}

// fleetOf is that of a role, without instances.
func (s *testbed) fleetOf(role script.Web) *fleet {
	f := &fleet{cfg: s.cfg, role: role, journal: s.journal, lives: s.lives, sensors: s.telemetry, pool: backstage{}, fronts: s.fronts, agents: s.agents, cloud: s.cloud,
		coming: map[string]string{}, replaced: map[string]bool{},
		versions: script.NewVersions(s.cfg.firstVersion(role)), settled: make(chan struct{})}
	if role.Role != "" {
		f.fronts, f.agents = &fronts{}, nil // none: they are of the instances of the first
	}
	if role.Role == "" || role.WithUsers() { // what is nobody else's goes to the first
		f.pool = backend{s.balancer, haproxy.BackendOf(role.RoleName())}
	}
	if x := s.cfg.Scenario.Stack.External; x != nil {
		f.pool = backstage{}
		f.describe = func(web script.Web, number int, _ string) (compose.Instance, error) {
			return theirs(f.name(number), web.Stop), nil
		}
		return f
	}
	f.describe = func(web script.Web, number int, statsd string) (compose.Instance, error) {
		uri, err := s.database.uriOf(f.name(number))
		if err != nil {
			return compose.Instance{}, err
		}
		instance, err := s.cfg.webInstance(web, number, statsd, uri)
		if err != nil {
			return compose.Instance{}, err
		}
		return instance, s.cloud.tell(&instance, web, number)
	}
	return f
}

// up starts all: database and load balancer, then the instances of the application, then it
// waits until the load balancer has every one of them up.
func (s *testbed) up(ctx context.Context) error {
	if err := s.telemetry.share(); err != nil {
		return err
	}
	s.telemetry.run(ctx)
	if s.cfg.foreign() {
		s.balancer.users = s.cfg.Scenario.Stack.External.URL
		return s.fleets.launch(ctx)
	}
	if err := watchHost(s.cfg, s.lives, s.telemetry); err != nil {
		return err
	}
	if err := s.fronts.poll(s.telemetry); err != nil {
		return err
	}
	group, starting := errgroup.WithContext(ctx)
	group.Go(func() error { return s.database.start(starting, s.lives, s.telemetry) })
	group.Go(func() error { return s.balancer.start(starting, s.lives, s.telemetry) })
	if err := group.Wait(); err != nil {
		return err
	}
	if err := s.hypervisor.start(ctx, s.telemetry); err != nil {
		return err
	}
	return s.fleets.launch(ctx)
}

// interrupted tells whether the run was called off. The first time that it was, it
// says so in the journal: nothing of such a run could settle.
func (s *testbed) interrupted(ctx context.Context) bool {
	if ctx.Err() != nil && !s.calledOff {
		s.calledOff = true
		s.journal.event(record.Event{Kind: record.Interrupted})
		s.cfg.Progress.Note("interrupted: recording what there is")
	}
	return s.calledOff
}

// close takes everything down and returns when it is gone. The collector goes
// before the platform, in whose directory its store lies.
func (s *testbed) close(ctx context.Context) error {
	s.cfg.Roster.of(nil)
	after := s.after(ctx)
	s.fleets.stop(ctx)
	s.faults.healAll(ctx)
	s.cloud.close()
	return errors.Join(after, s.hypervisor.close(), s.balancer.close(), s.network.close(), s.telemetry.close(ctx), s.database.close(ctx), s.lives.close(ctx))
}
