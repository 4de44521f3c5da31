// Package docker is the platform "docker": every instance is a container, on a
// network that belongs to the run.
//
// It is not an orchestrator: nothing is restarted, scaled or healed. The command
// line makes one Platform for a run and hands it to a compose.Stack. It calls
// Prepare first of all and asks Possible before anything starts; the same binary
// also serves as the platform's guard (see Guard).
//
// # What is promised
//
// A name and an address belong to one instance for the whole run. The container
// of web-2 is called throughline-RUN-web-2; on the run's network it is web-2,
// and its address is not given to anybody else, also when it is gone. Left to
// itself the engine gives the address of what died to what comes next, and late
// datagrams of the one would count for the other.
//
// Ports are published on loopback only. All containers, networks and volumes
// carry the label throughline.run=RUN.
//
// An instance counts as gone when its container has ended and is removed, so its
// ports refuse by then. What it wrote and how it ended stay in the run
// directory: logs/NAME.log and exits/NAME.json.
//
// Close leaves nothing but the image of this binary, which stays under a tag made
// of its content (see Label); the next run of the same binary finds it there. What
// a runner that is killed leaves, the guard removes within seconds; its logs are
// lost then.
//
// # What is different in a container
//
// The program is process 1: SIGTERM does nothing to it unless it handles that.
//
// It may take 1 GiB of memory, without swap, and 1,024 processes and threads, has
// no capabilities, and can write to /tmp and its own directory alone. An image
// that is a user's choice (Program.Image, Images.Named) is kept whole: its root
// file system can be written, it may begin as root and become another user, and
// it gets 4 GiB and 4,096.
//
// The engine has to run on this machine, on Linux: an instance reaches the
// harness at its network's gateway, which must be an address of this machine.
// Docker Desktop's is inside its virtual machine and is refused.
package docker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"throughline/compose"
	"throughline/compose/guard"
)

// Label is on every container and network; its value is the run. On the images
// of this binary, which stay, it is "image":
// docker image prune --all --filter label=throughline.run=image
const Label = "throughline.run"

const (
	createLimit = time.Minute      // to create and start a container whose image is there
	endGrace    = 30 * time.Second // to keep the log of what ended and remove it
)

// Config says where a Platform works.
type Config struct {
	Dir    string   // the run directory: logs/NAME.log, exits/NAME.json, config/NAME/
	Run    string   // unique among all runs on the engine: letters, digits, '-', '_', '.', at most 40
	Self   string   // path of this binary, built static, for Program.Self; not needed with Images.Self
	Guard  []string // the command that calls Guard, with a full path
	Images Images
}

// Images says what the containers are made of.
type Images struct {
	Self    string            // for Program.Self: has this binary as its entrypoint; empty = one made of Config.Self
	HAProxy string            // for a Command called haproxy that names no image; empty = HAProxyImage
	HTTPD   string            // for a Command that names no image and executes httpd; empty = HTTPDImage
	Named   map[string]string // for the instances of these names, before all others: "mongo-1": "mongo:8"
}

// Platform runs instances as containers. Make one with New.
type Platform struct {
	config   Config
	provider *testcontainers.DockerProvider
	client   client.APIClient
	guard    *guard.Guard
	network  *network

	roster *compose.Roster[*instance]

	living context.Context // ends with the platform, and with it the waiting for containers
	end    context.CancelFunc
}

var (
	_ compose.Platform = (*Platform)(nil)
	_ compose.Located  = (*Platform)(nil)

	validRun = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$`)
)

// New makes the run directory's folders, the image of this binary unless it is
// there, and the run's network. It starts the guard. It looks for the engine as
// Possible does.
func New(ctx context.Context, c Config) (*Platform, error) {
	fail := func(err error) (*Platform, error) { return nil, fmt.Errorf("docker platform: %w", err) }
	if c.Dir == "" || !validRun.MatchString(c.Run) {
		return fail(fmt.Errorf("run %q in directory %q: needs a directory, and a run of 1 to 40 letters, digits, '-', '_' and '.'", c.Run, c.Dir))
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return fail(err)
	}
	c.Dir = dir
	for _, d := range []string{"logs", "exits", "config"} {
		if err := os.MkdirAll(filepath.Join(c.Dir, d), 0o700); err != nil {
			return fail(err)
		}
	}
	if c.Images.HAProxy == "" {
		c.Images.HAProxy = HAProxyImage
	}
	if c.Images.HTTPD == "" {
		c.Images.HTTPD = HTTPDImage
	}
	provider, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	p := &Platform{
		config: c, provider: provider, client: provider.Client(), roster: compose.NewRoster[*instance](),
	}
	if c.Images.Self == "" && c.Self != "" {
		if p.config.Images.Self, err = selfImage(ctx, p.client, c.Self); err != nil {
			return fail(err)
		}
	}
	if p.guard, err = openBook(c.Guard, c.Run); err != nil {
		return fail(err)
	}
	if p.network, err = newNetwork(ctx, provider, c.Run); err != nil {
		return fail(errors.Join(err, p.closeBook(context.WithoutCancel(ctx))))
	}
	p.living, p.end = context.WithCancel(context.Background())
	return p, nil
}

// Home is the host under which instances reach the harness: Gateway.
func (p *Platform) Home() string { return p.network.gateway.String() }

// Gateway is the address on this machine where the harness has to listen so
// that instances reach it; nothing outside this machine does, unless that
// routes to its containers.
func (p *Platform) Gateway() netip.Addr { return p.network.gateway }

// Located implements compose.Located: an instance has an address on the run's network, which stays its own.
func (p *Platform) Located() {}

// Start starts one container and returns when it is ready. An image that is not
// there is pulled first. The environment is the image's and Instance.Env.
func (p *Platform) Start(ctx context.Context, i compose.Instance) (compose.Handle, error) {
	if err := i.Validate(); err != nil {
		return nil, fmt.Errorf("start %s: %w", i.Name, err)
	}
	done, err := p.roster.Reserve(i.Name)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", i.Name, err)
	}
	defer done()
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	defer func() { cancel(nil); <-watched }()
	go func() {
		defer close(watched)
		select {
		case <-p.roster.Closing():
			cancel(compose.ErrClosed)
		case <-ctx.Done():
		}
	}()
	inst, err := p.launch(ctx, i)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", i.Name, err)
	}
	if err := p.settle(ctx, i, inst); err != nil {
		inst.kill()
		return nil, &compose.StartError{Name: i.Name, Err: err, Log: inst.lastLines()}
	}
	return inst, nil
}

// settle waits until the instance is ready. Where a connection is all that is
// asked for, it is made to the container itself: the engine's proxy accepts at
// a published port before anybody listens behind it.
func (p *Platform) settle(ctx context.Context, i compose.Instance, inst *instance) error {
	port, err := i.ProbePort()
	if err != nil || port == "" {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	defer func() { cancel(nil); <-watched }()
	go func() {
		defer close(watched)
		select {
		case <-inst.gone:
			cancel(fmt.Errorf("%s before it was ready", inst.ended()))
		case <-ctx.Done():
		}
	}()
	addr := inst.Addr(port)
	if i.Ready.Path == "" {
		addr = inst.ownAddr(port)
	}
	if err := i.Ready.Await(ctx, addr); err != nil {
		return err
	}
	select {
	case <-inst.gone:
		return fmt.Errorf("%s as soon as it was ready", inst.ended())
	default:
		return nil
	}
}

// Close kills what still runs and removes all containers and the network. The
// logs stay in the run directory. It takes its time even when ctx has ended.
func (p *Platform) Close(ctx context.Context) error {
	return p.roster.Close(func(started map[string]*instance) error { return p.endAll(ctx, started) })
}

func (p *Platform) endAll(ctx context.Context, started map[string]*instance) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
	defer cancel()
	for _, inst := range started {
		_ = inst.Signal(ctx, compose.Kill) // an error says that it is gone
	}
	var errs []error
	for name, inst := range started {
		if _, err := inst.Wait(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close: %s: %w", name, err))
		} else if inst.kept != nil {
			errs = append(errs, fmt.Errorf("close: keep what %s left: %w", name, inst.kept))
			inst.kept = nil // said once
		}
	}
	p.end()
	for _, inst := range started {
		<-inst.gone
	}
	return errors.Join(append(errs, p.closeBook(ctx))...)
}
