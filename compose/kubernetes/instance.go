package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	core "k8s.io/api/core/v1"

	"throughline/compose"
	"throughline/compose/kubernetes/inside"
)

// instance is one pod.
type instance struct {
	name     string
	uid      string // the pod's
	image    string
	platform *Platform
	addr     netip.Addr
	ports    map[string]int
	link     *link // nil: nothing was executed
	log      *logFile

	// Set before gone is closed, which is when it is known that the program has ended.
	exit compose.Exit
	lost error // why it is not known how it ended
	gone chan struct{}

	// Set before settled is closed, which is when the cluster has said so too, and what is left of it is kept.
	oom     bool  // the kernel killed it, because it took more memory than it may
	kept    error // what could not be kept or removed, or is not as its first process has told it
	settled chan struct{}
}

var (
	_ compose.Handle     = (*instance)(nil)
	_ compose.Identified = (*instance)(nil)
	_ compose.Addressed  = (*instance)(nil)
	_ compose.Pauser     = (*instance)(nil)
)

func (i *instance) Name() string { return i.name }

// ID is the pod's UID, as the cluster has it.
func (i *instance) ID() string { return i.uid }

// Address is the pod's: the source of what it sends.
func (i *instance) Address() netip.Addr { return i.addr }

func (i *instance) Addr(port string) string {
	number, ok := i.ports[port]
	if !ok {
		return ""
	}
	return net.JoinHostPort(i.addr.String(), strconv.Itoa(number))
}

// PeerAddr has the pod's address: a cluster need not have names for pods.
func (i *instance) PeerAddr(port string) string { return i.Addr(port) }

// Signal has the pod's first process send a signal. It returns when that is sent. What is frozen sees SIGTERM when it is thawed.
func (i *instance) Signal(ctx context.Context, s compose.Signal) error {
	verb := map[compose.Signal]string{compose.Terminate: "terminate", compose.Kill: "kill"}[s]
	if verb == "" {
		return fmt.Errorf("signal %s: %v", i.name, s)
	}
	return i.do(ctx, verb, s.String())
}

// Pause stops the program and all that it has started (SIGSTOP), and returns when the kernel has stopped the program.
func (i *instance) Pause(ctx context.Context) error { return i.do(ctx, "pause", "SIGSTOP") }

// Resume thaws it.
func (i *instance) Resume(ctx context.Context) error { return i.do(ctx, "resume", "SIGCONT") }

func (i *instance) do(ctx context.Context, verb, signal string) error {
	select {
	case <-i.gone:
		return fmt.Errorf("%s %s: it is gone since %s (%s)", verb, i.name, i.exit.At.Format("15:04:05.000"), i.ended())
	default:
	}
	if err := i.link.ask(ctx, inside.Order{Signal: signal}); err != nil {
		return fmt.Errorf("%s %s: %w", verb, i.name, err)
	}
	return nil
}

// ended says how; to be called when it is gone.
func (i *instance) ended() string {
	oom := false
	select {
	case <-i.settled:
		oom = i.oom
	default:
	}
	switch {
	case i.lost != nil:
		return fmt.Sprintf("ended nobody knows how: %v", i.lost)
	case oom:
		return fmt.Sprintf("ended by SIGKILL, out of memory (it may take %s)", memoryLimit.String())
	case i.exit.Signal != "":
		return "ended by " + i.exit.Signal
	}
	return fmt.Sprintf("exited with status %d", i.exit.Code)
}

// Wait returns when the program has ended, or its pod where that cannot be told.
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

// awaitRest waits until an instance is gone, and for some time after.
func (i *instance) awaitRest(ctx context.Context) error {
	if i.link == nil {
		return nil // it was never begun
	}
	exit, err := i.Wait(ctx)
	if err != nil && i.lost == nil {
		return err
	}
	select {
	case <-time.After(time.Until(exit.At.Add(addressRest))):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (i *instance) lastLines() []string {
	<-i.settled
	f, err := os.Open(i.log.path)
	if err != nil {
		return nil
	}
	defer f.Close()
	return compose.LastLines(f)
}

// kill ends what did not become ready, and returns when it is gone.
func (i *instance) kill() {
	ctx, cancel := context.WithTimeout(context.Background(), endGrace)
	defer cancel()
	_ = i.Signal(ctx, compose.Kill) // an error says that it is gone
	_, _ = i.Wait(ctx)
}

// reap runs for the instance's whole life. Its first process tells of the end at once, which is when it is gone: whoever listens to it has to
// know. The pod's status says so soon after. Where the first process is silent, since a node or somebody else took it away, the
// status alone says it.
func (i *instance) reap(living context.Context) {
	defer close(i.settled)
	over := func(s seen) (bool, error) { return s.deleted || terminated(s.pod) != nil, nil }
	watching, done := context.WithCancel(living)
	defer done()
	byCluster := make(chan seen, 1)
	go func() {
		last, _ := i.platform.pods.await(watching, i.name, over) // an error says that nobody waits any more
		byCluster <- last
	}()
	var last seen
	select {
	case <-i.link.over:
	case last = <-byCluster:
		select {
		case <-i.link.over:
		case <-time.After(partGrace): // its connection may be lost without a sign
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(living), endGrace)
	defer cancel()
	told := i.told()
	if told {
		close(i.gone)
	}
	var err error
	if last.pod == nil {
		last, err = i.platform.pods.await(ctx, i.name, over)
	}
	if !told {
		i.conclude(last, err)
		close(i.gone)
	} else if err != nil {
		i.kept = fmt.Errorf("its program has ended (%s), and its pod goes on: %w", i.ended(), err)
	}
	status := terminated(last.pod)
	i.oom = status != nil && status.Reason == "OOMKilled"
	if living.Err() == nil {
		deleted := last.deleted || last.pod != nil && last.pod.DeletionTimestamp != nil
		i.kept = errors.Join(i.kept, i.log.finish(ctx, deleted), i.keepExit(last.pod), i.platform.delete(ctx, i.name, 0))
	}
}

// partGrace is how much later than the cluster the first process of a pod may tell of the end.
const partGrace = time.Second

// told takes how it has ended from its first process; false: that has said nothing.
func (i *instance) told() bool {
	select {
	case <-i.link.over:
	default:
		return false
	}
	end := i.link.end
	if end == nil {
		return false
	}
	i.exit = compose.Exit{Code: end.Code, Signal: end.Signal, At: i.link.at}
	return true
}

// conclude takes how it has ended from what the cluster says.
func (i *instance) conclude(last seen, err error) {
	if status := terminated(last.pod); status != nil {
		i.exit = exitOf(status.ExitCode, last.at)
		return
	}
	i.exit, i.lost = compose.Exit{Code: -1, At: time.Now()}, errors.Join(err, errors.New("its pod is gone, and said nothing"))
}

// signals are those that end the first process of a pod: SIGKILL from outside, the others by a fault of its own. The kubelet adds 128.
var signals = map[int32]string{128 + 4: "SIGILL", 128 + 6: "SIGABRT", 128 + 7: "SIGBUS", 128 + 8: "SIGFPE", 128 + 9: "SIGKILL", 128 + 11: "SIGSEGV", 128 + 15: "SIGTERM"}

func exitOf(status int32, at time.Time) compose.Exit {
	if name, ok := signals[status]; ok {
		return compose.Exit{Code: -1, Signal: name, At: at}
	}
	return compose.Exit{Code: int(status), At: at}
}

// ending is exits/NAME.json.
type ending struct {
	Instance string    `json:"instance"`
	Pod      string    `json:"pod"` // its UID
	Node     string    `json:"node"`
	Image    string    `json:"image"`
	Address  string    `json:"address"`
	Code     int       `json:"code"` // -1: a signal ended it
	Signal   string    `json:"signal,omitempty"`
	Reason   string    `json:"reason,omitempty"`   // the cluster's, such as OOMKilled
	Seen     time.Time `json:"seen"`               // by this program's clock
	Finished string    `json:"finished,omitempty"` // by the node's, to the second
}

func (i *instance) keepExit(pod *core.Pod) error {
	e := ending{Instance: i.name, Pod: i.uid, Image: i.image, Address: i.addr.String(), Code: i.exit.Code, Signal: i.exit.Signal, Seen: i.exit.At}
	if pod != nil {
		e.Node = pod.Spec.NodeName
	}
	if status := terminated(pod); status != nil {
		e.Reason, e.Finished = status.Reason, status.FinishedAt.UTC().Format(time.RFC3339)
	}
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(i.platform.config.Dir, "exits", i.name+".json"), append(text, '\n'), 0o644)
}
