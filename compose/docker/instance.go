package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"throughline/compose"
)

// instance is one container.
type instance struct {
	name      string
	made      testcontainers.Container
	client    client.APIClient
	addr      netip.Addr     // its own, on the run's network
	ports     map[string]int // in the container
	published map[string]string
	dir       string // the run directory
	log       logFile
	pid       int         // its first process, as the host numbers it; 0: it had ended before it was asked for
	over      atomic.Bool // it has ended, and may not be removed yet

	// Set before gone is closed.
	exit compose.Exit
	oom  int64 // bytes it was allowed, where the kernel killed it because it took more
	lost error // why it is not known how it ended
	kept error // what could not be kept or removed
	gone chan struct{}
}

var (
	_ compose.Handle     = (*instance)(nil)
	_ compose.Identified = (*instance)(nil)
	_ compose.Pauser     = (*instance)(nil)
	_ compose.Executor   = (*instance)(nil)
	_ compose.Addressed  = (*instance)(nil)
)

func (i *instance) Name() string { return i.name }

// ID is the container's, as the engine shows it.
func (i *instance) ID() string { return i.made.GetContainerID()[:12] }

// Address is the container's on the run's network: the source of what it sends.
func (i *instance) Address() netip.Addr { return i.addr }

func (i *instance) Addr(port string) string { return i.published[port] }

func (i *instance) PeerAddr(port string) string {
	number, ok := i.ports[port]
	if !ok {
		return ""
	}
	return net.JoinHostPort(i.name, strconv.Itoa(number))
}

// ownAddr is the port at the container's own address.
func (i *instance) ownAddr(port string) string {
	return net.JoinHostPort(i.addr.String(), strconv.Itoa(i.ports[port]))
}

// findPlace asks where the ports were published, and for the first process. What has ended already has none.
func (i *instance) findPlace(ctx context.Context) error {
	found, err := i.made.Inspect(ctx)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("where its ports are published: %w", err)
	}
	i.pid = found.State.Pid
	for name, number := range i.ports {
		for port, bound := range found.NetworkSettings.Ports {
			if int(port.Num()) == number && len(bound) > 0 {
				i.published[name] = net.JoinHostPort(bound[0].HostIP.String(), bound[0].HostPort)
			}
		}
	}
	return nil
}

// Signal sends to the container's first process. What is frozen sees SIGTERM when
// it is thawed.
func (i *instance) Signal(ctx context.Context, s compose.Signal) error {
	verb := map[compose.Signal]string{compose.Terminate: "terminate", compose.Kill: "kill"}[s]
	if verb == "" {
		return fmt.Errorf("signal %s: %v", i.name, s)
	}
	return i.do(verb, func(id string) error {
		_, err := i.client.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: s.String()})
		return err
	})
}

// Pause freezes every process of the container, in its cgroup.
func (i *instance) Pause(ctx context.Context) error {
	return i.do("pause", func(id string) error {
		_, err := i.client.ContainerPause(ctx, id, client.ContainerPauseOptions{})
		return i.unless(ctx, true, err)
	})
}

// Resume thaws it.
func (i *instance) Resume(ctx context.Context) error {
	return i.do("resume", func(id string) error {
		_, err := i.client.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{})
		return i.unless(ctx, false, err)
	})
}

// Exec executes a command in the container, which must have it.
func (i *instance) Exec(ctx context.Context, command ...string) (out []byte, err error) {
	err = i.do("execute something in", func(id string) error {
		made, err := i.client.ExecCreate(ctx, id, client.ExecCreateOptions{Cmd: command, AttachStdout: true, AttachStderr: true})
		if err != nil {
			return err
		}
		both, err := i.client.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
		if err != nil {
			return err
		}
		defer both.Close()
		defer context.AfterFunc(ctx, both.Close)()
		var wrote, complained bytes.Buffer
		if _, err := stdcopy.StdCopy(&wrote, &complained, both.Reader); err != nil {
			return errors.Join(ctx.Err(), err)
		}
		out = wrote.Bytes()
		return i.succeeded(ctx, made.ID, strings.TrimSpace(complained.String()))
	})
	return out, err
}

// succeeded waits until the engine knows how a command ended that has closed its streams.
func (i *instance) succeeded(ctx context.Context, execution, complained string) error {
	for {
		found, err := i.client.ExecInspect(ctx, execution, client.ExecInspectOptions{})
		switch {
		case err != nil:
			return err
		case found.Running:
		case found.ExitCode != 0:
			return fmt.Errorf("exit status %d: %s", found.ExitCode, complained)
		default:
			return nil
		}
		select {
		case <-time.After(askEnd):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// unless forgives an engine's refusal where the container is as it should be.
func (i *instance) unless(ctx context.Context, paused bool, err error) error {
	if err == nil {
		return nil
	}
	if state, asked := i.made.State(ctx); asked == nil && state.Running && state.Paused == paused {
		return nil
	}
	return err
}

func (i *instance) do(verb string, call func(id string) error) error {
	select {
	case <-i.gone:
		return fmt.Errorf("%s %s: it is gone since %s (%s)", verb, i.name, i.exit.At.Format("15:04:05.000"), i.ended())
	default:
	}
	if err := call(i.made.GetContainerID()); err != nil {
		return fmt.Errorf("%s %s: %w", verb, i.name, err)
	}
	return nil
}

// ended says how; to be called when it is gone.
func (i *instance) ended() string {
	switch {
	case i.lost != nil:
		return fmt.Sprintf("ended nobody knows how: %v", i.lost)
	case i.oom > 0:
		return fmt.Sprintf("ended by %s, out of memory (it may take %d MiB)", i.exit.Signal, i.oom>>20)
	case i.exit.Signal != "":
		return "ended by " + i.exit.Signal
	}
	return fmt.Sprintf("exited with status %d", i.exit.Code)
}

// Wait returns when the container is removed.
func (i *instance) Wait(ctx context.Context) (compose.Exit, error) {
	select {
	case <-i.gone: // what is gone is gone, whatever ctx says
	default:
		select {
		case <-i.gone:
		case <-ctx.Done():
			return compose.Exit{}, fmt.Errorf("wait for the end of %s: %w", i.name, context.Cause(ctx))
		}
	}
	if i.lost != nil {
		return i.exit, fmt.Errorf("wait for the end of %s: %w", i.name, i.lost)
	}
	return i.exit, nil
}

func (i *instance) lastLines() []string {
	f, err := os.Open(i.log.path)
	if err != nil {
		return nil
	}
	defer f.Close()
	return compose.LastLines(f)
}

// kill ends what did not become an instance, and returns when it is gone.
func (i *instance) kill() {
	ctx, cancel := context.WithTimeout(context.Background(), endGrace)
	defer cancel()
	_ = i.Signal(ctx, compose.Kill) // an error says that it is gone
	_, _ = i.Wait(ctx)
}

// reap runs for the instance's whole life.
func (i *instance) reap(living context.Context) {
	code, err := i.awaitEnd(living)
	i.over.Store(true)
	i.exit, i.lost = exitOf(code, time.Now()), err
	ctx, cancel := context.WithTimeout(context.WithoutCancel(living), endGrace)
	defer cancel()
	if living.Err() == nil {
		i.kept = errors.Join(i.keep(ctx), i.made.Terminate(ctx, testcontainers.StopTimeout(0)))
	}
	close(i.gone)
}

const askEnd = 5 * time.Millisecond     // whether a command has ended
const askAgain = 200 * time.Millisecond // when the engine did not answer

// awaitEnd returns the exit status of the container once it does not run. It
// bears an engine that is away for a while.
func (i *instance) awaitEnd(living context.Context) (int64, error) {
	for {
		waiting := i.client.ContainerWait(living, i.made.GetContainerID(), client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
		select {
		case end := <-waiting.Result:
			if end.Error != nil {
				return -1, errors.New(end.Error.Message)
			}
			return end.StatusCode, nil
		case err := <-waiting.Error:
			if errdefs.IsNotFound(err) {
				return -1, fmt.Errorf("somebody else removed its container: %w", err)
			}
			if living.Err() != nil {
				return -1, compose.ErrClosed
			}
		}
		select {
		case <-time.After(askAgain):
		case <-living.Done():
			return -1, compose.ErrClosed
		}
	}
}

// signals are those that end the first process of a container: SIGKILL from
// outside, the others by a fault of its own. The engine adds 128. No other ends
// it unless it handles it, and then it exits by itself: 143 is a status.
var signals = map[int64]string{128 + 4: "SIGILL", 128 + 6: "SIGABRT", 128 + 7: "SIGBUS", 128 + 8: "SIGFPE", 128 + 9: "SIGKILL", 128 + 11: "SIGSEGV"}

func exitOf(status int64, at time.Time) compose.Exit {
	if name, ok := signals[status]; ok {
		return compose.Exit{Code: -1, Signal: name, At: at}
	}
	return compose.Exit{Code: int(status), At: at}
}

// keep saves what the engine knows of a container that has ended.
func (i *instance) keep(ctx context.Context) error {
	return errors.Join(i.log.readOn(ctx), i.keepExit(ctx))
}

// ending is exits/NAME.json.
type ending struct {
	Instance  string    `json:"instance"`
	Container string    `json:"container"`
	Image     string    `json:"image"`
	Address   string    `json:"address"`
	Code      int       `json:"code"` // -1: a signal ended it
	Signal    string    `json:"signal,omitempty"`
	OOMKilled bool      `json:"oom_killed"`
	Seen      time.Time `json:"seen"`     // by this program's clock
	Finished  string    `json:"finished"` // by the engine's
}

func (i *instance) keepExit(ctx context.Context) error {
	found, err := i.made.Inspect(ctx)
	if err != nil {
		return err
	}
	if found.State.OOMKilled && i.exit.Signal != "" { // else one of its children was
		i.oom = found.HostConfig.Memory
	}
	text, err := json.MarshalIndent(ending{
		Instance: i.name, Container: found.ID, Image: found.Config.Image, Address: i.addr.String(),
		Code: i.exit.Code, Signal: i.exit.Signal, OOMKilled: found.State.OOMKilled, Seen: i.exit.At, Finished: found.State.FinishedAt,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(i.dir, "exits", i.name+".json"), append(text, '\n'), 0o644)
}
