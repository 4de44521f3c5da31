package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"throughline/compose/guard"
)

const (
	cleanLimit = 2 * time.Minute        // for an engine that is busy or away
	cleanAgain = 200 * time.Millisecond // when something was left
	// settled is how long nothing may turn up before all is removed: the engine
	// finishes a request whose sender was killed.
	settled = 5 * time.Second
)

// Guard is the other half of the promise that nothing survives the runner. It
// runs in a process of its own, which the Platform starts, and reads from the
// runner one line for each event:
//
//	=RUN    whose containers, networks and volumes are to be removed in the end
//	-RUN    they are removed
//
// When the runner has ended, Guard removes what the runs that are still listed
// have left, and returns.
func Guard(from io.Reader, ready io.Writer) error {
	ctx := context.Background()
	provider, err := connect(ctx)
	if err != nil {
		return err
	}
	defer provider.Close()
	runs := map[string]bool{}
	errs := []error{guard.Listen(from, ready, func(line string) error {
		switch verb, run := line[0], line[1:]; {
		case !validRun.MatchString(run) || verb != '=' && verb != '-':
			return guard.Unknown(line)
		case verb == '=':
			runs[run] = true
		default:
			delete(runs, run)
		}
		return nil
	})}
	for run := range runs {
		errs = append(errs, clean(ctx, provider.Client(), run))
	}
	return errors.Join(errs...)
}

// clean removes what carries the run's label until nothing more turns up.
func clean(ctx context.Context, c client.APIClient, run string) error {
	ctx, cancel := context.WithTimeout(ctx, cleanLimit)
	defer cancel()
	last := time.Now()
	for {
		found, err := sweep(ctx, c, run)
		if err == nil && found == 0 && time.Since(last) > settled {
			return nil
		}
		if found > 0 || err != nil {
			last = time.Now()
		}
		select {
		case <-time.After(cleanAgain):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// openBook starts the guard and tells it of the run.
func openBook(command []string, run string) (*guard.Guard, error) {
	if len(command) == 0 {
		return nil, errors.New("needs the command of its guard")
	}
	g, err := guard.Start(command, os.Environ()) // it has to find the same engine
	if err != nil {
		return nil, err
	}
	return g, g.Tell("=" + run)
}

// closeBook removes what carries the run's label and lets the guard go. What
// could not be removed the guard tries again, once this process has ended.
func (p *Platform) closeBook(ctx context.Context) error {
	if _, err := sweep(ctx, p.client, p.config.Run); err != nil {
		return err
	}
	_ = p.guard.Tell("-" + p.config.Run) // a guard that is gone has nothing to forget
	return errors.Join(p.client.Close(), p.guard.Stop())
}

// sweep removes what carries the run's label, and tells how much it found.
func sweep(ctx context.Context, c client.APIClient, run string) (found int, err error) {
	label := Label + "=" + run
	filter := make(client.Filters).Add("label", label)
	var errs []error
	done := func(err error) {
		if !errdefs.IsNotFound(err) {
			errs = append(errs, err)
		}
	}
	containers, err := c.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	done(err)
	for _, one := range containers.Items {
		_, err := c.ContainerRemove(ctx, one.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		done(err)
	}
	networks, err := c.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	done(err)
	for _, one := range networks.Items {
		_, err := c.NetworkRemove(ctx, one.ID, client.NetworkRemoveOptions{})
		done(err)
	}
	volumes, err := c.VolumeList(ctx, client.VolumeListOptions{Filters: filter})
	done(err)
	for _, one := range volumes.Items {
		_, err := c.VolumeRemove(ctx, one.Name, client.VolumeRemoveOptions{Force: true})
		done(err)
	}
	if err := errors.Join(errs...); err != nil {
		return 0, fmt.Errorf("docker: remove what carries the label %s: %w", label, err)
	}
	return len(containers.Items) + len(networks.Items) + len(volumes.Items), nil
}
