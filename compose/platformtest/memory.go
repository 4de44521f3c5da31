package platformtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"throughline/compose"
)

// Memory is a platform whose instances are goroutines of this process, with
// real loopback listeners. SIGKILL closes their listeners and resets their
// connections; a frozen one accepts, reads and writes nothing. It is for tests
// that need the behaviour of a platform and not its processes.
type Memory struct {
	programs map[string]Program
	temp     string
	roster   *compose.Roster[*memoryInstance]
}

// NewMemory makes a platform that knows these programs by the first word of
// Program.Self or Program.Command. Its files live below dir, such as
// t.TempDir().
func NewMemory(dir string, programs map[string]Program) *Memory {
	return &Memory{programs: maps.Clone(programs), temp: dir, roster: compose.NewRoster[*memoryInstance]()}
}

// Home is 127.0.0.1.
func (m *Memory) Home() string { return "127.0.0.1" }

// Start runs the program in a goroutine and returns when it is ready.
func (m *Memory) Start(ctx context.Context, i compose.Instance) (compose.Handle, error) {
	if err := i.Validate(); err != nil {
		return nil, fmt.Errorf("start %s: %w", i.Name, err)
	}
	done, err := m.roster.Reserve(i.Name)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", i.Name, err)
	}
	defer done()
	inst, err := m.launch(i)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", i.Name, err)
	}
	if err := m.settle(ctx, i, inst); err != nil {
		inst.kill()
		<-inst.gone
		return nil, &compose.StartError{Name: i.Name, Err: err, Log: compose.LastLines(inst.log.reader())}
	}
	m.roster.Add(i.Name, inst)
	return inst, nil
}

func (m *Memory) launch(i compose.Instance) (*memoryInstance, error) {
	inst := &memoryInstance{
		name: i.Name, ports: map[string]*memoryPort{}, log: &memoryLog{},
		terminate: make(chan struct{}), gone: make(chan struct{}), gate: newGate(),
	}
	numbers := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(i.Ports)) {
		l, err := net.Listen("tcp4", "127.0.0.1:"+strconv.Itoa(i.Ports[name]))
		if err != nil {
			inst.closePorts()
			return nil, fmt.Errorf("port %d is in use: %w", i.Ports[name], err)
		}
		numbers[name] = l.Addr().(*net.TCPAddr).Port
		inst.ports[name] = &memoryPort{
			Listener: l, gate: inst.gate, opened: make(chan struct{}), conns: map[*memoryConn]bool{},
		}
	}
	i.Ports = numbers
	fail := func(err error) (*memoryInstance, error) {
		inst.closePorts()
		return nil, err
	}
	dir := filepath.Join(m.temp, i.Name)
	i, err := i.Expand(compose.Place{Host: "127.0.0.1", Dir: dir})
	if err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fail(err)
	}
	for name, text := range i.Files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fail(err)
		}
	}
	words := append(slices.Clone(i.Program.Self), i.Program.Command...)
	run, ok := m.programs[words[0]]
	if !ok {
		return fail(fmt.Errorf("program %q: not one of %s", words[0],
			strings.Join(slices.Sorted(maps.Keys(m.programs)), ", ")))
	}
	ctx, cancel := context.WithCancel(context.Background())
	inst.cancel = cancel
	go inst.run(ctx, run, &Process{
		Args: words[1:], Getenv: func(key string) string { return i.Env[key] },
		Stdout: inst.log, Stderr: inst.log, Terminate: inst.terminate, Listen: inst.listen,
	})
	return inst, nil
}

func (m *Memory) settle(ctx context.Context, i compose.Instance, inst *memoryInstance) error {
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
			cancel(fmt.Errorf("exited with status %d before it was ready", inst.exit.Code))
		case <-m.roster.Closing():
			cancel(compose.ErrClosed)
		case <-ctx.Done():
		}
	}()
	// The kernel accepts for a listener that the program has not asked for yet,
	// so that has to come first.
	within := i.Ready.Within
	if within == 0 {
		within = compose.DefaultReadyWithin
	}
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-inst.ports[port].opened:
		return i.Ready.Await(ctx, inst.Addr(port))
	case <-late.C:
		return fmt.Errorf("not ready within %v: it does not listen on port %s", within, port)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close kills what still runs.
func (m *Memory) Close(ctx context.Context) error {
	return m.roster.Close(func(started map[string]*memoryInstance) error {
		for _, inst := range started {
			inst.kill()
		}
		for name, inst := range started {
			if _, err := inst.Wait(ctx); err != nil {
				return fmt.Errorf("close: %s: %w", name, err)
			}
		}
		return nil
	})
}

// memoryLog is an append-only text that can be read while it grows.
type memoryLog struct {
	mu   sync.Mutex
	text []byte
}

func (l *memoryLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *memoryLog) reader() io.Reader {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.NewReader(slices.Clone(l.text))
}
