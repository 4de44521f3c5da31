package haproxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pollEvery is how often a state that has no event is asked for.
const pollEvery = 20 * time.Millisecond

// commandTimeout bounds one command when ctx does not.
const commandTimeout = 10 * time.Second

// Runtime speaks HAProxy's Runtime API (management.txt, section 9.3) over TCP or
// a Unix socket, one connection for each command. There must be one Runtime for each HAProxy
// process, because it keeps what HAProxy forgets: the counters of the servers
// it removed. It is safe for concurrent use.
type Runtime struct {
	network string // tcp or unix
	addr    string // host:port or a path
	prefix  string // before each command: to whom the master passes it on

	// counting makes "read the last counters, delete the server, keep its row"
	// one step in the eyes of Statistics, so that a sum over the servers
	// neither misses nor doubles one.
	counting sync.Mutex
	used     map[string]bool   // names of servers, also of removed ones
	live     map[string]placed // those that are there
	removed  []Row

	naming sync.Mutex        // may be taken while counting is held
	ids    map[string]string // HAProxy's numbers of servers that were added
	in     map[string]string // backends of servers that were added elsewhere than to be_web
}

// placed is where a server is.
type placed struct{ backend, addr string }

// NewRuntime speaks to the socket at addr: host:port, or the path of a Unix
// socket as /path, unix:/path or, as HAProxy writes it, unix@/path.
func NewRuntime(addr string) *Runtime {
	network := "tcp"
	if path, ok := SocketPath(addr); ok {
		network, addr = "unix", path
	}
	return &Runtime{network: network, addr: addr, used: map[string]bool{}, live: map[string]placed{}, ids: map[string]string{}, in: map[string]string{}}
}

// SocketPath gives the path of an address that NewRuntime takes for a Unix socket's; ok is
// false where it is host:port.
func SocketPath(addr string) (path string, ok bool) {
	for _, prefix := range []string{"unix://", "unix:", "unix@"} {
		if path, ok := strings.CutPrefix(addr, prefix); ok {
			return path, true
		}
	}
	return addr, strings.HasPrefix(addr, "/")
}

var serverName = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)

// full is a server's name with that of its backend, as commands have it.
func (r *Runtime) full(name string) string { return r.backendOf(name) + "/" + name }

// backendOf is the backend that a server was added to.
func (r *Runtime) backendOf(name string) string {
	r.naming.Lock()
	defer r.naming.Unlock()
	return cmp.Or(r.in[name], Backend)
}

// Add adds a server to be_web, as AddTo does.
func (r *Runtime) Add(ctx context.Context, name, addr string) error {
	return r.AddTo(ctx, Backend, name, addr)
}

// AddTo adds a server to a backend, turns on its health checks and puts it into use. HAProxy
// takes it for up until a check fails, so add what is ready. The address is
// IP:port: HAProxy does not resolve names of servers that are added at run
// time. A name is used once, in whatever backend: HAProxy would count from zero
// again under the same name.
func (r *Runtime) AddTo(ctx context.Context, backend, name, addr string) error {
	fail := func(err error) error { return fmt.Errorf("add server %s: %w", name, err) }
	if !serverName.MatchString(name) {
		return fail(errors.New("not a name HAProxy takes (letters, digits, '-', '_', '.' and ':')"))
	}
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return fail(fmt.Errorf("address %q: give an IP address and a port: %w", addr, err))
	}
	r.counting.Lock()
	defer r.counting.Unlock()
	if r.used[name] {
		return fail(errors.New("the name was used before; take a new one"))
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	r.used[name] = true
	at := placed{backend, addr}
	if err := r.add(ctx, name, at); err != nil {
		return fail(err)
	}
	r.live[name] = at
	return nil
}

func (r *Runtime) add(ctx context.Context, name string, at placed) error {
	if at.backend != Backend {
		r.naming.Lock()
		r.in[name] = at.backend
		r.naming.Unlock()
	}
	said, err := r.command(ctx, fmt.Sprintf("add server %s %s %s", r.full(name), at.addr, serverOptions))
	if err != nil {
		return err
	}
	if !strings.Contains(said, "New server registered") {
		return fmt.Errorf("haproxy says %q", said)
	}
	for _, verb := range []string{"enable health", "enable server"} {
		if err := r.silent(ctx, verb+" "+r.full(name)); err != nil {
			return fmt.Errorf("%s: %w (remove it before the run goes on)", verb, err)
		}
	}
	r.learnID(ctx, name)
	return nil
}

// Drain gives the server no new requests; what is in flight goes on.
func (r *Runtime) Drain(ctx context.Context, name string) error { return r.set(ctx, name, "drain") }

// Ready puts a drained server, or one in maintenance, back into use.
func (r *Runtime) Ready(ctx context.Context, name string) error { return r.set(ctx, name, "ready") }

// Maint gives the server no new requests and stops its health checks.
func (r *Runtime) Maint(ctx context.Context, name string) error { return r.set(ctx, name, "maint") }

func (r *Runtime) set(ctx context.Context, name, state string) error {
	if err := r.silent(ctx, fmt.Sprintf("set server %s state %s", r.full(name), state)); err != nil {
		return fmt.Errorf("server %s: %s: %w", name, state, err)
	}
	return nil
}

// Remove drains the server, waits until no request is on it, keeps its last
// statistics, and deletes it. It waits as long as ctx allows without cutting
// anything; with cutAfter > 0 it ends the sessions that are left after that
// time (shutdown sessions server), which their users see. On an error the
// server is still there, draining or in maintenance, and Remove can be
// repeated.
func (r *Runtime) Remove(ctx context.Context, name string, cutAfter time.Duration) error {
	begin := time.Now()
	cut := cutAfter <= 0
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	why := ""
	for {
		now, err := r.removeIdle(ctx, name)
		switch {
		case err == nil && now == "":
			return nil
		case err == nil:
			why = now
		case ctx.Err() == nil || why == "":
			return fmt.Errorf("remove server %s: %w", name, err)
		}
		if !cut && time.Since(begin) >= cutAfter {
			cut = true
			if err := r.silent(ctx, "shutdown sessions server "+r.full(name)); err != nil {
				return fmt.Errorf("remove server %s: cut its sessions: %w", name, err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("remove server %s: %s: %w", name, why, context.Cause(ctx))
		}
	}
}

// removeIdle removes the server if no request is on it, else it says what is.
//
// It drains first and goes to maintenance only then, because entering
// maintenance is what closes the idle connections, without which HAProxy does
// not delete a server; one that becomes idle later would stay for up to 20 s.
func (r *Runtime) removeIdle(ctx context.Context, name string) (why string, err error) {
	if err := r.silent(ctx, fmt.Sprintf("set server %s state drain", r.full(name))); err != nil {
		return "", err
	}
	row, err := r.server(ctx, name)
	if err != nil {
		return "", err
	}
	if s := row.State(); s.Sessions > 0 || s.Queued > 0 {
		return fmt.Sprintf("%d requests are still on it and %d wait for it", s.Sessions, s.Queued), nil
	}
	if err := r.silent(ctx, fmt.Sprintf("set server %s state maint", r.full(name))); err != nil {
		return "", err
	}
	return r.deleteIdle(ctx, name)
}

// deleteIdle deletes a server in maintenance. Without requests its counters
// cannot move any more, so what is read before the deletion is the last.
func (r *Runtime) deleteIdle(ctx context.Context, name string) (why string, err error) {
	// An answer lost to the end of ctx would lose the counters with it.
	ctx = context.WithoutCancel(ctx)
	r.counting.Lock()
	defer r.counting.Unlock()
	row, err := r.server(ctx, name)
	if err != nil {
		return "", err
	}
	said, err := r.command(ctx, "del server "+r.full(name))
	switch {
	case err != nil:
		return "", err
	case strings.Contains(said, "Server deleted"):
		r.removed = append(r.removed, tombstone(row))
		r.used[name] = true
		delete(r.live, name)
		return "", nil
	case strings.Contains(said, "connection"): // "Server still has connections attached to it"
		return "haproxy says " + strconv.Quote(said), nil
	}
	return "", fmt.Errorf("haproxy says %q", said)
}

// silent sends a command that answers nothing when it worked.
func (r *Runtime) silent(ctx context.Context, command string) error {
	said, err := r.command(ctx, command)
	if err == nil && said != "" {
		err = fmt.Errorf("haproxy says %q", firstLine(said))
	}
	return err
}

// command sends one line to the process that serves users.
func (r *Runtime) command(ctx context.Context, line string) (string, error) {
	return r.send(ctx, r.prefix+line)
}

// errNoAnswer is what send gives when the connection was closed without a word.
var errNoAnswer = io.ErrUnexpectedEOF

// send sends one line and returns all that HAProxy answers until it closes the
// connection, without the empty lines around it.
func (r *Runtime) send(ctx context.Context, line string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	fail := func(err error) (string, error) {
		if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
			<-ctx.Done() // the only deadline is ctx's, and the socket may see it first
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", fmt.Errorf("haproxy's runtime socket %s: %w", r.addr, err)
	}
	conn, err := new(net.Dialer).DialContext(ctx, r.network, r.addr)
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // the read below fails
	defer stop()
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return fail(err)
	}
	if r.prefix != "" { // a master waits for the next command, a worker does not
		if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			return fail(err)
		}
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return fail(err)
	}
	if len(answer) == 0 { // every answer ends in an empty line, also an empty one
		return fail(errNoAnswer)
	}
	return strings.Trim(string(answer), "\n"), nil
}
