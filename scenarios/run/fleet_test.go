package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/compose"
	"throughline/compose/platformtest"
	"throughline/scenarios/fault"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// rack is a pool in memory. It refuses what HAProxy would.
type rack struct {
	mu      sync.Mutex
	servers map[string]string // addresses by name
	used    map[string]bool
}

func (*rack) holdReloads() func() { return func() {} }

func (r *rack) add(_ context.Context, h compose.Handle) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.used[h.Name()] {
		return fmt.Errorf("add %s: the name was used before", h.Name())
	}
	r.used[h.Name()], r.servers[h.Name()] = true, h.Addr("http")
	return nil
}

func (r *rack) addr(name string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	addr, ok := r.servers[name]
	if !ok {
		return "", fmt.Errorf("%s: no such server", name)
	}
	return addr, nil
}

func (r *rack) drain(_ context.Context, name string) error {
	_, err := r.addr(name)
	return err
}

func (r *rack) awaitDown(_ context.Context, name string) error {
	addr, err := r.addr(name)
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
		return fmt.Errorf("%s is not down", name)
	}
	return nil
}

func (r *rack) remove(_ context.Context, name string) error {
	if _, err := r.addr(name); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.servers, name)
	return nil
}

func (r *rack) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Keys(r.servers), record.CompareNames)
}

// rig is a fleet on a platform in memory, with a collector and a journal that are
// real.
type rig struct {
	*fleet
	t         *testing.T
	bed       *testbed
	telemetry *telemetry
	rack      *rack
	dir       string // of the record
	down      bool
}

// newRig starts it, without instances.
func newRig(t *testing.T, phases ...script.Phase) *rig {
	t.Helper()
	return newRigOf(t, func(*Config) {}, phases...)
}

// newRigOf starts one of a configuration that is other than usual.
func newRigOf(t *testing.T, change func(*Config), phases ...script.Phase) *rig {
	t.Helper()
	dir := t.TempDir()
	c := Config{
		Platform: platformtest.NewMemory(dir, map[string]platformtest.Program{"web": platformtest.Web}), Scratch: dir, Progress: &notes{},
		Run:      record.Run{ID: "r", Start: time.Now(), Interval: 50 * time.Millisecond},
		Scenario: script.Scenario{Phases: phases, Stack: script.Stack{Web: script.Web{Command: []string{"web", "--addr", "{{.Host}}:{{.Port}}"}, Health: "/healthz", Stop: time.Minute}}},
	}
	change(&c)
	w, err := record.Create(filepath.Join(dir, "run"), c.Run, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newTestbed(t.Context(), c, &journal{record: w})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{fleet: s.fleet, t: t, bed: s, telemetry: s.telemetry, rack: &rack{servers: map[string]string{}, used: map[string]bool{}}, dir: w.Dir()}
	r.pool = r.rack
	s.telemetry.run(t.Context())
	t.Cleanup(func() { r.close() })
	return r
}

// close takes it down, as a run does, and reads the journal.
func (r *rig) close() []record.Event {
	r.t.Helper()
	if r.down {
		return nil
	}
	r.down = true
	ctx := context.WithoutCancel(r.t.Context())
	r.bed.fleets.stop(ctx)
	r.bed.cloud.close()
	if err := errors.Join(r.telemetry.close(ctx), r.lives.close(ctx), r.journal.record.Close()); err != nil {
		r.t.Error(err)
	}
	history, err := record.Read(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	return history.Events
}

// mustLaunch launches n instances.
func (r *rig) mustLaunch(n int) []string {
	r.t.Helper()
	names, err := r.launch(r.t.Context(), n)
	if err != nil {
		r.t.Fatal(err)
	}
	return names
}

// registered tells which instances the collector listens for.
func (r *rig) registered() []string {
	return slices.SortedFunc(maps.Keys(r.telemetry.listening("")), record.CompareNames)
}

// stages are the entries of an instance's life, in the only order that they may
// have. Who is killed has none of those that a drained one has, and vice versa.
var stages = []record.Kind{record.Birth, record.Ready, record.Serving, record.Draining, record.Signalled, record.Death, record.Down, record.Removed}

// inOrder checks that the lives in a journal are whole and each in its order, that
// no name was given twice or left out, and that the entries that are timed by their
// writing are in the order of their times. It counts the entries of each kind.
func inOrder(t *testing.T, events []record.Event) map[record.Kind]int {
	t.Helper()
	kinds, count := map[string][]record.Kind{}, map[record.Kind]int{}
	var last time.Duration
	for _, e := range events {
		if e.Kind == record.Trouble {
			t.Errorf("trouble: %s: %s", e.About, e.Error)
		}
		if e.Kind == record.Death && !e.Expected {
			t.Errorf("nobody wanted the death of %s", e.Instance)
		}
		if e.Kind != record.Birth && e.Kind != record.Death {
			if e.At < last {
				t.Errorf("%s %s at %v comes after an entry of %v", e.Kind, e.Instance, e.At, last)
			}
			last = e.At
		}
		if e.Role == record.Web {
			kinds[e.Instance] = append(kinds[e.Instance], e.Kind)
			count[e.Kind]++
		}
	}
	for name, got := range kinds {
		at := -1
		for _, kind := range got {
			next := slices.Index(stages, kind)
			if next <= at {
				t.Errorf("%s: %v are out of order", name, got)
			}
			at = next
		}
	}
	for number := 1; number <= len(kinds); number++ {
		if len(kinds[script.InstanceName(script.FirstRole, number)]) == 0 {
			t.Errorf("of %d instances none is %s: have %v", len(kinds), script.InstanceName(script.FirstRole, number), slices.Sorted(maps.Keys(kinds)))
		}
	}
	return count
}

// Of those who end an instance at the same time one does it; the others are told
// so, also who comes when it is over.
func TestOneEndsAnInstance(t *testing.T) {
	r := newRig(t)
	names := r.mustLaunch(4)
	var won [4]atomic.Int32
	var group sync.WaitGroup
	for i, name := range names {
		for n := range 6 {
			group.Go(func() {
				end := func() error { return r.kill(t.Context(), name) }
				if n%2 > 0 {
					end = func() error { return r.terminate(t.Context(), name, true) }
				}
				switch err := end(); {
				case err == nil:
					won[i].Add(1)
				case !endedByOther(err) || !strings.HasPrefix(err.Error(), name+": another ") && !strings.HasPrefix(err.Error(), name+": is gone "):
					t.Errorf("who lost is told %v", err)
				}
			})
		}
	}
	group.Wait()
	for i, name := range names {
		if n := won[i].Load(); n != 1 {
			t.Errorf("%d ended %s", n, name)
		}
		if err := r.kill(t.Context(), name); !endedByOther(err) {
			t.Errorf("kill %s, which is gone: %v", name, err)
		}
	}
	if err := r.kill(t.Context(), "web-9"); err == nil || endedByOther(err) || !strings.Contains(err.Error(), "no such instance") {
		t.Errorf("kill web-9: %v", err)
	}
	if left := append(r.rack.names(), r.registered()...); len(left) > 0 {
		t.Errorf("load balancer and collector still have %v", left)
	}
	if count := inOrder(t, r.close()); count[record.Death] != 4 || count[record.Removed] != 4 {
		t.Errorf("%v, want 4 deaths", count)
	}
}

// Who comes while an instance is only being launched is told to wait, and a move
// that fails lets go of the instance.
func TestAnInstanceIsHeldByOneMove(t *testing.T) {
	r := newRig(t)
	number, web := r.number(1, script.Versions.Current)
	one, err := r.start(t.Context(), web, number)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.kill(t.Context(), "web-1"); err == nil || endedByOther(err) || err.Error() != "web-1: its launch is under way; wait until it serves" {
		t.Errorf("kill: %v", err)
	}
	r.lives.release(one, launching)
	if err := r.terminate(t.Context(), "web-1", true); err == nil || endedByOther(err) {
		t.Errorf("terminate one that the load balancer does not know: %v", err)
	}
	if err := r.rack.add(t.Context(), one.Handle); err != nil {
		t.Fatal(err)
	}
	if err := r.terminate(t.Context(), "web-1", true); err != nil {
		t.Errorf("once it knows it: %v", err)
	}
}

// From the teardown on there are no moves, those under way are called off, and
// nobody is left.
func TestNobodyIsLaunchedIntoATeardown(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(2)
	begun := make(chan struct{}, 4)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for n := 0; ; n++ {
				if _, err := r.launch(context.Background(), 1); err != nil {
					if !errors.Is(err, errEnding) {
						t.Errorf("launch: %v", err)
					}
					return
				}
				if n == 0 {
					begun <- struct{}{}
				}
			}
		})
	}
	<-begun
	r.bed.fleets.stop(t.Context())
	last, _ := r.number(0, script.Versions.Current)
	if _, err := r.launch(t.Context(), 1); !errors.Is(err, errEnding) {
		t.Errorf("launch: %v, want %v", err, errEnding)
	}
	if next, _ := r.number(0, script.Versions.Current); next != last {
		t.Errorf("a launch that was refused took the name %s", script.InstanceName(script.FirstRole, last))
	}
	if err := r.terminate(t.Context(), "web-1", true); !errors.Is(err, errEnding) {
		t.Errorf("terminate: %v, want %v", err, errEnding)
	}
	for _, name := range r.rack.names() {
		if err := r.rack.awaitDown(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
	for _, e := range r.close() {
		if e.Kind == record.Death {
			t.Errorf("the death of %s in a teardown is in the journal", e.Instance)
		}
	}
}

// tardy is a pool that takes a while to be called off.
type tardy struct {
	*rack
	off  chan struct{} // closed when it is
	done chan struct{} // what it waits for then
}

func (p tardy) add(ctx context.Context, _ compose.Handle) error {
	<-ctx.Done()
	close(p.off)
	<-p.done
	return ctx.Err()
}

// A teardown goes on when the moves that it called off have returned.
func TestATeardownWaitsForMoves(t *testing.T) {
	r := newRig(t)
	p := tardy{r.rack, make(chan struct{}), make(chan struct{})}
	r.pool = p
	launched, stopped := make(chan error), make(chan struct{})
	go func() {
		_, err := r.launch(context.Background(), 1)
		launched <- err
	}()
	for len(r.lives.parts.Names()) == 0 {
		runtime.Gosched()
	}
	go func() {
		defer close(stopped)
		r.bed.fleets.stop(context.Background())
	}()
	<-p.off
	select {
	case <-stopped:
		t.Error("it did not wait")
	case <-time.After(100 * time.Millisecond): // it would have ended the instance in a few
	}
	close(p.done)
	if err := <-launched; !errors.Is(err, errEnding) {
		t.Errorf("launch: %v, want %v", err, errEnding)
	}
	<-stopped
}

// An instance that could not be started leaves nothing at the collector.
func TestAFailedLaunchIsForgotten(t *testing.T) {
	r := newRig(t)
	r.describe = func(_ script.Web, number int, _ string) (compose.Instance, error) {
		return compose.Instance{Name: script.InstanceName(script.FirstRole, number), Program: compose.Program{Self: []string{"nothing"}}}, nil
	}
	if names, err := r.launch(t.Context(), 2); err == nil || len(names) > 0 {
		t.Errorf("launched %v, %v", names, err)
	}
	if left := r.registered(); len(left) > 0 {
		t.Errorf("the collector listens for %v", left)
	}
}

// comeAndGo has so many launch and terminate instances at once while a fault strikes three times, and wants the collector to
// listen for all that serve then: the two of before, and four from each.
func (r *rig) comeAndGo(movers int, strikes fault.Fault) {
	r.t.Helper()
	var group sync.WaitGroup
	for range movers {
		group.Go(func() {
			for range 4 {
				names, err := r.launch(r.t.Context(), 2)
				if err == nil {
					err = r.terminate(r.t.Context(), names[0], true)
				}
				if err != nil {
					r.t.Error(err)
				}
			}
		})
	}
	for range 3 {
		if _, err := strikes.Inject(r.t.Context()); err != nil {
			r.t.Error(err)
		}
	}
	group.Wait()
	if diff := cmp.Diff(r.serving(), r.registered()); diff != "" || len(r.serving()) != 2+4*movers {
		r.t.Errorf("who serves (-), and who is listened for (+):\n%s", diff)
	}
}

// Instances come and go while the collector is replaced, and the new one listens
// for all that are there.
func TestACollectorIsReplacedWhileInstancesComeAndGo(t *testing.T) {
	r := newRig(t, script.Phase{Do: []script.Step{{Move: script.BeginFault{Fault: script.RestartCollector{}}}}})
	r.mustLaunch(2)
	// The last interval of one ends before the next begins, or both had a point for it.
	restart := fault.RestartCollector{Relays: r.telemetry.relays, Stop: r.telemetry.end, Start: r.telemetry.restart, For: r.telemetry.cfg.Run.Interval}
	r.comeAndGo(2, restart)
	at := map[string]string{} // also of those that are gone
	for _, l := range statsdOf(r.telemetry).Figures().Listeners {
		at[l.Instance] = l.Addr
	}
	for name, addr := range r.telemetry.listening("") {
		if at[name] != addr {
			t.Errorf("%s is listened for at %q, its relay sends to %q", name, at[name], addr)
		}
	}
	inOrder(t, r.close())
}

// steadily is a fault that notes whether somebody counted on the load balancer's
// process when it was replaced.
type steadily struct {
	fault.Fault
	counting *atomic.Bool
	t        *testing.T
}

func (s steadily) Inject(context.Context) (fault.Heal, error) {
	if s.counting.Load() {
		s.t.Error("the load balancer was reloaded in the middle of a move")
	}
	return nil, nil
}

func TestAReloadWaitsForMoves(t *testing.T) {
	b := &balancer{}
	var counting atomic.Bool
	counting.Store(true)
	release := b.holdReloads()
	done := make(chan error)
	go func() {
		_, err := replacing{steadily{counting: &counting, t: t}, b}.Inject(t.Context())
		done <- err
	}()
	for b.reloading.TryRLock() { // until the reload waits
		b.reloading.RUnlock()
		select {
		case <-done:
			t.Fatal("the load balancer was reloaded in the middle of a move")
		default:
			runtime.Gosched()
		}
	}
	counting.Store(false)
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
