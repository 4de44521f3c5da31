package run

import (
	"context"
	"fmt"

	"throughline/collector/poll"
	"throughline/compose"
	"throughline/scenarios/record"
)

// watchHost has the collector read what the host sees of every instance. Where
// the system does not tell, only a scenario that needs it cannot be run.
func (s *stack) watchHost() error {
	host, err := poll.NewHost(s.footprints)
	switch {
	case err == nil:
		return s.addPoller("host", host)
	case s.cfg.Scenario.Limits():
		return err
	}
	s.cfg.Progress.Note(fmt.Sprintf("not recorded: %v", err))
	return nil
}

// footprints are the living instances that the host can be asked about.
func (s *stack) footprints(ctx context.Context) ([]poll.HostInstance, error) {
	var all []poll.HostInstance
	for _, name := range s.parts.Names() {
		handle, err := s.parts.Find(name)
		if err != nil {
			continue // it has just gone
		}
		measured, ok := handle.(compose.Measured)
		if !ok {
			continue
		}
		f, err := measured.Footprint(ctx)
		if ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			continue // it has just gone
		}
		all = append(all, poll.HostInstance{Name: name, PID: f.PID, OwnCgroup: f.OwnCgroup})
	}
	return all, nil
}

// meter gives a new instance of a scenario that limits CPU a cgroup of its own,
// without a limit: all are measured in the same way, and what is impossible
// shows before the load.
func (s *stack) meter(ctx context.Context, handle compose.Handle) error {
	if !s.cfg.Scenario.Limits() {
		return nil
	}
	limited, ok := handle.(compose.Limiter)
	if !ok {
		return fmt.Errorf("limit %s: the platform %s cannot limit CPU; leave the step limit out", handle.Name(), s.cfg.Run.Platform)
	}
	return limited.LimitCPU(ctx, 0)
}

// limit gives a web instance less CPU; 0 gives it all again. meter saw that this
// is possible.
func (s *stack) limit(ctx context.Context, name string, cpus float64) error {
	handle, err := s.parts.Find(name)
	if err != nil {
		return err
	}
	if err := handle.(compose.Limiter).LimitCPU(ctx, cpus); err != nil {
		return err
	}
	s.mu.Lock()
	s.lives[name].limited = cpus > 0
	s.mu.Unlock()
	s.event(record.Event{Kind: record.Limited, Instance: name, Role: record.Web, CPUs: cpus})
	return nil
}

// unlimit lifts what limits are left, so that the end of the run is nobody's
// burden.
func (s *stack) unlimit(ctx context.Context) {
	for _, name := range s.serving() {
		s.mu.Lock()
		limited := s.lives[name].limited
		s.mu.Unlock()
		if !limited {
			continue
		}
		if err := s.limit(ctx, name, 0); err != nil {
			s.trouble("instance "+name, 0, fmt.Sprintf("lift its limit: %v", err))
		}
	}
}
