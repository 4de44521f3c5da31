// Package kubernetes is the platform "kubernetes": every instance is a pod, in a namespace that belongs to the run.
//
// It is no operator: nothing is restarted, scaled or healed. The command line makes one Platform for a run and hands it to a
// compose.Stack; before anything starts it calls Preflight. The same binary also serves in the cluster: as the first process
// of each pod (package inside), and as the reaper of the namespace (Reap).
//
// # What is promised
//
// The namespace of a run is called throughline-RUN and made by the platform, which takes none that is there. Everything
// in it carries the label throughline.run=RUN. The pod of web-2 is called web-2; it is bare, and never restarted.
//
// An instance has the address of its pod. It is known once a node has taken the pod in, so that the pod's first process
// waits for the runner's word before it executes anything; by then Instance.Placed was told. The cluster gives the address of
// what died to something else one day: no instance is begun at one while its former owner lives, and for a few
// seconds after. A port has a number that no other one has in the run.
//
// A signal is sent by the first process of the pod, which tells when and how the program has ended. It counts as gone then, and its
// ports refuse. The pod's status has to say so too, soon after, or Close has an error. What it wrote and how it ended stay in the
// run directory: logs/NAME.log and exits/NAME.json.
//
// Close leaves nothing. When the runner is killed, its instances end with their connections to it, and the reaper, a pod of
// the namespace, deletes the namespace once the runner has not renewed its lease for half a minute.
//
// # What is different in a pod
//
// The program is not process 1, so that SIGTERM ends it unless it handles that. It may take 1 GiB of memory, has no
// capabilities, and can write to /tmp and its own directory alone; how many processes it may start is the nodes' to limit.
//
// Pods and this program have to reach each other by their addresses, which nobody may hide: the program runs
// in the cluster, or on a machine with a route to its pods. New asks both ways before anything starts.
package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"

	"throughline/compose"
)

// Label is on everything that belongs to a run; its value is the run. nameLabel has the name of an instance.
const (
	Label     = "throughline.run"
	nameLabel = "throughline.instance"
)

const (
	placeLimit = 2 * time.Minute  // to find a node for a pod, and to pull its image
	endGrace   = 30 * time.Second // to see that what ended is gone, and to keep its log
	closeGrace = 45 * time.Second // to see that the namespace is gone
)

// Config says where a Platform works.
type Config struct {
	Dir     string // the run directory: logs/NAME.log, exits/NAME.json, config/NAME/
	Run     string // unique among all runs on the cluster: lower-case letters, digits and '-', at most 40
	Cluster Cluster
	Images  Images
	// Pod has the words with which this binary is executed in a pod: those of inside.Run, Copy and Reap come after them.
	Pod []string
}

// Images says what the pods are made of.
type Images struct {
	Self    string // for Program.Self: has this binary at /throughline (see WriteImage)
	Pull    bool   // Self comes from a registry; else it has to be on the nodes
	HAProxy string // for a Command called haproxy; empty = HAProxyImage
}

// Platform runs instances as pods. Make one with New.
type Platform struct {
	config    Config
	client    kubernetes.Interface
	namespace string
	home      netip.Addr
	gate      *gate
	pods      *pods
	lease     *lease
	roster    *compose.Roster[*instance]

	living context.Context // ends with the platform, and with it all watching
	end    context.CancelFunc

	mu     sync.Mutex
	port   int                      // the last that was given to an instance
	placed map[netip.Addr]*instance // who has an address, or had it last
}

var (
	_ compose.Platform = (*Platform)(nil)
	_ compose.Located  = (*Platform)(nil)

	validRun = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
)

// New makes the run directory's folders, and the run's namespace with the reaper in it. It returns when the reaper watches, and pods and
// this program were seen to reach each other.
func New(ctx context.Context, c Config) (*Platform, error) {
	fail := func(err error) (*Platform, error) { return nil, fmt.Errorf("kubernetes platform: %w", err) }
	if c.Dir == "" || !validRun.MatchString(c.Run) {
		return fail(fmt.Errorf("run %q in directory %q: needs a directory, and a run of 1 to 40 lower-case letters, digits and '-'", c.Run, c.Dir))
	}
	if c.Images.Self == "" {
		return fail(errors.New("needs an image of this binary"))
	}
	if c.Images.HAProxy == "" {
		c.Images.HAProxy = HAProxyImage
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return fail(err)
	}
	c.Dir = dir
	for _, d := range []string{"logs", "config", "exits"} {
		if err := os.MkdirAll(filepath.Join(c.Dir, d), 0o700); err != nil {
			return fail(fmt.Errorf("run directory: %w", err))
		}
	}
	found, err := connect(ctx, c.Cluster)
	if err != nil {
		return nil, err
	}
	p := &Platform{config: c, client: found.client, namespace: namespaceOf(c.Run), home: found.home,
		roster: compose.NewRoster[*instance](), port: firstPort - 1, placed: map[netip.Addr]*instance{}}
	if p.gate, err = openGate(p.home); err != nil {
		return fail(err)
	}
	p.living, p.end = context.WithCancel(context.Background())
	if err := p.open(ctx); err != nil {
		p.end()
		return fail(errors.Join(err, p.gate.close()))
	}
	return p, nil
}

// Home is the address of this program that pods reach.
func (p *Platform) Home() string { return p.home.String() }

// Located implements compose.Located.
func (p *Platform) Located() {}

// Start starts one pod and returns when its instance is ready. The environment is the image's and Instance.Env.
func (p *Platform) Start(ctx context.Context, i compose.Instance) (compose.Handle, error) {
	if err := errors.Join(i.Validate(), validName(i.Name)); err != nil {
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
	if err := settle(ctx, i, inst); err != nil {
		inst.kill()
		return nil, &compose.StartError{Name: i.Name, Err: err, Log: inst.lastLines()}
	}
	return inst, nil
}

// settle waits until the instance is ready.
func settle(ctx context.Context, i compose.Instance, inst *instance) error {
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
		case <-inst.settled:
			cancel(fmt.Errorf("%s before it was ready", inst.ended()))
		case <-ctx.Done():
		}
	}()
	if err := i.Ready.Await(ctx, inst.Addr(port)); err != nil {
		return err
	}
	select {
	case <-inst.gone:
		return fmt.Errorf("%s as soon as it was ready", inst.ended())
	default:
		return nil
	}
}

// Close kills what still runs and deletes the namespace, which it waits for. The logs stay in the run directory. It takes its
// time even when ctx has ended.
func (p *Platform) Close(ctx context.Context) error {
	return p.roster.Close(func(started map[string]*instance) error { return p.endAll(ctx, started) })
}

func (p *Platform) endAll(ctx context.Context, started map[string]*instance) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	for _, inst := range started {
		go func() { _ = inst.Signal(ctx, compose.Kill) }() // an error says that it is gone
	}
	var errs []error
	for name, inst := range started {
		if _, err := inst.Wait(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close: %s: %w", name, err))
			continue
		}
		<-inst.settled
		if inst.kept != nil {
			errs = append(errs, fmt.Errorf("close: keep what %s left: %w", name, inst.kept))
			inst.kept = nil // said once
		}
	}
	if err := p.remove(ctx); err != nil {
		return errors.Join(append(errs, err)...)
	}
	p.end()
	for _, inst := range started {
		<-inst.settled
	}
	return errors.Join(append(errs, p.gate.close())...)
}
