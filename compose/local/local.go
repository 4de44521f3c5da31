// Package local is the platform "local": every instance is a child process of
// the runner, on a loopback port of its own.
//
// It is not a process manager: nothing is restarted, nothing outlives the
// runner. The command line makes one Platform for a run and hands it to a
// compose.Stack; the same binary also serves as its guard (see Guard).
//
// # What is promised
//
// A port belongs to its instance: free ports are taken from outside the range
// the kernel uses for outgoing connections, are never handed out twice, and are
// locked against other runners of the same user. On Linux, once an instance is
// ready, the listening socket is looked up in /proc/net/tcp and must be held by
// one of the instance's processes. Elsewhere the proof is weaker: nobody
// listened on the port right before the start, and the instance was alive when
// the port answered.
//
// An instance is a process group of its own, so Ctrl-C on the terminal does not
// reach it, and signals go to the whole group, so that they get past a shell
// that starts the real server. It counts as gone when no process of the group
// is left. A process that leaves its group (setsid, a daemon) gets no signals, but
// ends with it as it would with its container: on Linux, when the group is gone,
// whatever carries the instance's mark in its environment (THROUGHLINE_RUN) is
// killed and named in the instance's log.
//
// Nothing survives the runner, even if SIGKILL ended that: on Linux the kernel
// kills the direct children (PDEATHSIG), and everywhere the guard process kills
// the groups that are left, marked processes, cgroups and temporary directories.
// Where the guard was killed as well, the user's next runner does that.
package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"throughline/compose"
)

const loopback = "127.0.0.1"

// killGrace is how long the kernel may take to remove a killed process; more
// than that means it hangs in the kernel.
const killGrace = 10 * time.Second

// Config says where a Platform works.
type Config struct {
	Dir   string   // the run directory: logs/NAME.log, and config/NAME/ with the instance's files
	Self  string   // path of this binary, for Program.Self and for the guard
	Guard []string // arguments with which Self calls Guard; empty = "guard"
}

// Platform runs instances as child processes. Make one with New.
type Platform struct {
	config Config
	temp   string   // holds the instances' own directories
	alive  *os.File // its lock; see makeTemp
	guard  book
	ports  *portBook
	starts *launcher
	table  table

	roster *compose.Roster[*instance]
}

// New makes the run directory's folders and starts the guard.
func New(c Config) (*Platform, error) {
	if c.Dir == "" || c.Self == "" {
		return nil, errors.New("local platform: needs a run directory and the path of this binary")
	}
	if len(c.Guard) == 0 {
		c.Guard = []string{"guard"}
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("local platform: run directory: %w", err)
	}
	c.Dir = dir
	for _, d := range []string{"logs", "config"} {
		if err := os.MkdirAll(filepath.Join(c.Dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("local platform: run directory: %w", err)
		}
	}
	ports, err := newPortBook()
	if err != nil {
		return nil, fmt.Errorf("local platform: %w", err)
	}
	sweep(os.TempDir())
	temp, alive, err := makeTemp()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("local platform: %w", err), ports.release())
	}
	g, err := openBook(c.Self, c.Guard, temp)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("local platform: %w", err), ports.release(), os.RemoveAll(temp), alive.Close())
	}
	return &Platform{
		config: c, temp: temp, alive: alive, guard: g, ports: ports, starts: newLauncher(),
		roster: compose.NewRoster[*instance](),
	}, nil
}

// Scratch is a directory for what need not outlive the platform. It goes when
// the platform is closed, or its runner killed.
func (p *Platform) Scratch() string { return filepath.Join(p.temp, ".scratch") }

// Home is the host under which instances reach the harness: 127.0.0.1.
func (p *Platform) Home() string { return loopback }

// Possible says whether the program's executable is there. It needs no
// Platform, so that everything that is missing can be listed before anything
// starts.
func Possible(prog compose.Program) error {
	_, err := resolve(prog, "")
	return err
}

// resolve gives the path of the executable. A relative path is looked up from
// Program.Dir, a plain name on PATH.
// Self programs are the file self.
func resolve(prog compose.Program, self string) (string, error) {
	if len(prog.Self) > 0 {
		return self, nil
	}
	if len(prog.Command) == 0 || prog.Command[0] == "" {
		return "", errors.New("nothing to execute; give a command")
	}
	name := prog.Command[0]
	if strings.Contains(name, "{{") {
		return name, nil // known only once it is expanded
	}
	if !strings.ContainsRune(name, filepath.Separator) {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("program %q: not found on PATH; install it or give its full path: %w", name, err)
		}
		return filepath.Abs(path)
	}
	path := name
	if !filepath.IsAbs(name) && prog.Dir != "" {
		path = filepath.Join(prog.Dir, name)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("program %q: %w", name, err)
	}
	if _, err := exec.LookPath(path); err != nil {
		return "", fmt.Errorf("program %q: cannot be executed: %w", name, err)
	}
	return path, nil
}

// Start starts one process group and returns when it is ready and its ports
// are proven to be its own. Its environment is PATH, HOME, LANG and TMPDIR of
// the runner plus Instance.Env and the platform's own THROUGHLINE_RUN, nothing
// else.
func (p *Platform) Start(ctx context.Context, i compose.Instance) (compose.Handle, error) {
	if err := i.Validate(); err != nil {
		return nil, fmt.Errorf("start %s: %w", i.Name, err)
	}
	done, err := p.roster.Reserve(i.Name)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", i.Name, err)
	}
	defer done()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start %s: %w", i.Name, context.Cause(ctx))
	}
	inst, err := p.launch(i)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", i.Name, err)
	}
	if err := p.settle(ctx, i, inst); err != nil {
		inst.end(killGrace)
		return nil, &compose.StartError{Name: i.Name, Err: err, Log: inst.lastLines()}
	}
	return inst, nil
}

// launch brings the process up; from its return on the instance is in the
// platform's and in the guard's books.
func (p *Platform) launch(i compose.Instance) (*instance, error) {
	ports, err := p.ports.take(i.Name, i.Succeeds, i.Ports)
	if err != nil {
		return nil, err
	}
	i.Ports = ports
	dir := filepath.Join(p.temp, i.Name)
	i, err = i.Expand(compose.Place{Host: loopback, Dir: dir})
	if err != nil {
		return nil, err
	}
	path, err := resolve(i.Program, p.config.Self)
	if err != nil {
		return nil, err
	}
	if err := p.writeFiles(i, dir); err != nil {
		return nil, err
	}
	logPath := filepath.Join(p.config.Dir, "logs", i.Name+".log")
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer logFile.Close() // the child has its own
	cmd := &exec.Cmd{
		Path: path, Args: append([]string{path}, i.Program.Self...), Env: append(environment(i.Env), p.Guarded(i.Name)...),
		Dir: dir, Stdout: logFile, Stderr: logFile, SysProcAttr: ownGroup(),
	}
	if len(i.Program.Self) == 0 {
		cmd.Args = i.Program.Command
		if i.Program.Dir != "" {
			cmd.Dir = i.Program.Dir
		}
	}
	if err := p.starts.start(cmd); err != nil {
		return nil, fmt.Errorf("program %q: %w", path, err)
	}
	inst := &instance{
		name: i.Name, pid: cmd.Process.Pid, ports: maps.Clone(ports), cmd: cmd,
		logPath: logPath, mark: p.mark(i.Name), guard: p.guard, table: &p.table, platform: filepath.Base(p.temp), gone: make(chan struct{}),
	}
	guarded := p.guard.watch(inst.pid)
	go inst.reap()
	if guarded != nil {
		inst.end(killGrace)
		return nil, guarded
	}
	p.roster.Add(i.Name, inst)
	return inst, nil
}

// writeFiles writes the instance's files where it looks for them, and a copy
// into the run directory, because what an instance was told is evidence.
func (p *Platform) writeFiles(i compose.Instance, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if len(i.Files) == 0 {
		return nil
	}
	kept := filepath.Join(p.config.Dir, "config", i.Name)
	if err := os.MkdirAll(kept, 0o755); err != nil {
		return err
	}
	for name, text := range i.Files {
		for _, d := range []string{dir, kept} {
			if err := os.WriteFile(filepath.Join(d, name), []byte(text), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// markVariable is in the environment of every process of an instance, unless
// the process has made itself another one. It is how those are found that have
// left the group.
const markVariable = "THROUGHLINE_RUN"

// mark is its value: the run's temporary directory and the instance.
func (p *Platform) mark(name string) string { return filepath.Base(p.temp) + "/" + name }

// Guarded implements compose.Guarding.
func (p *Platform) Guarded(name string) []string { return []string{markVariable + "=" + p.mark(name)} }

// environment is deliberately small: DD_TAGS or a proxy setting of the user's
// shell must not find its way into what is measured.
func environment(extra map[string]string) []string {
	env := make([]string, 0, 4+len(extra))
	for _, key := range []string{"PATH", "HOME", "LANG", "TMPDIR"} {
		if _, ours := extra[key]; ours {
			continue
		}
		if value, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+value)
		}
	}
	for key, value := range extra {
		env = append(env, key+"="+value)
	}
	return env
}

// settle waits until the instance is ready and proves its ports.
func (p *Platform) settle(ctx context.Context, i compose.Instance, inst *instance) error {
	port, err := i.ProbePort()
	if err != nil || port == "" && i.Ready.Datagrams == "" {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	defer func() { cancel(nil); <-watched }()
	go func() {
		defer close(watched)
		select {
		case <-inst.gone:
			cancel(fmt.Errorf("%s before it was ready", ended(inst.exit)))
		case <-p.roster.Closing():
			cancel(compose.ErrClosed)
		case <-ctx.Done():
		}
	}()
	if err := p.ready(ctx, i.Ready, inst, port); err != nil {
		if who := strangerOn(inst.ports[port], inst.pid); who != "" {
			return fmt.Errorf("%w; port %d is in use by %s", err, inst.ports[port], who)
		}
		return err
	}
	for name, number := range inst.ports {
		if err := p.table.proveOwner(number, inst.pid, name == port); err != nil {
			return fmt.Errorf("port %s: %w", name, err)
		}
	}
	select {
	case <-inst.gone:
		return fmt.Errorf("%s as soon as it was ready", ended(inst.exit))
	default:
		return nil
	}
}

// ready waits until connections are taken at a port, if one is named, and datagrams where the probe wants that.
func (p *Platform) ready(ctx context.Context, probe compose.Probe, inst *instance, port string) error {
	if port != "" {
		if err := probe.Await(ctx, inst.Addr(port)); err != nil {
			return err
		}
	}
	if probe.Datagrams == "" {
		return nil
	}
	number := inst.ports[probe.Datagrams]
	return probe.AwaitThat(ctx, func(context.Context) error { return p.table.takesDatagrams(number, inst.pid) })
}

// Close kills what still runs and removes the instances' own directories. The
// logs stay in the run directory. Where ctx ends before everything is gone, the
// guard still finishes that once the runner exits.
func (p *Platform) Close(ctx context.Context) error {
	return p.roster.Close(func(started map[string]*instance) error {
		for _, inst := range started {
			_ = inst.Signal(ctx, compose.Kill) // an error says that it is gone
		}
		for name, inst := range started {
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), killGrace)
			_, err := inst.Wait(grace)
			cancel()
			if err != nil {
				return fmt.Errorf("close: %s (process %d) is still there after SIGKILL: %w", name, inst.pid, err)
			}
		}
		p.starts.stop()
		// The guard has done the rest, unless somebody killed it.
		err := errors.Join(p.guard.Stop(), p.ports.release(), removeGroups(filepath.Base(p.temp)), os.RemoveAll(p.temp))
		_ = p.alive.Close() // nothing was written, and a second Close finds it closed
		return err
	})
}

func hostPort(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
