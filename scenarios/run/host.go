package run

import (
	"context"
	"fmt"

	"throughline/collector/poll"
	"throughline/compose"
	"throughline/scenarios/script"
)

// watchHost has the collector read what the host sees of every instance. Where
// the system does not tell, only a scenario that needs it cannot be run.
func watchHost(c Config, of *lives, polls *telemetry) error {
	host, err := poll.NewHost(of.footprints)
	switch {
	case err == nil:
		return polls.addPoller("host", host)
	case c.needs(script.CPULimits):
		return err
	}
	c.Progress.Note(fmt.Sprintf("not recorded: %v", err))
	return nil
}

// footprints are the living instances that the host can be asked about.
func (l *lives) footprints(ctx context.Context) ([]poll.HostInstance, error) {
	var all []poll.HostInstance
	for _, name := range l.parts.Names() {
		handle, err := l.parts.Find(name)
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
