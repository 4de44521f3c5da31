// Package platformtest is the contract that every platform passes, as one
// exported test, and an in-memory platform that passes it too.
//
// It is for tests only: the platforms' own tests call Run, and the tests of
// packages that need a platform, but not processes, use Memory.
package platformtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Program is something a Process does; it returns its exit status. When ctx
// ends the process was killed: its connections are closed already.
type Program func(ctx context.Context, p *Process) int

// Process is what a Program knows of where it runs, so that the same one runs
// as a child process, in a container, or as a goroutine of Memory.
type Process struct {
	Args      []string                                // after the program's own name
	Getenv    func(key string) string                 // empty when unset
	Stdout    io.Writer                               // both streams end in the instance's log
	Stderr    io.Writer                               //
	Terminate <-chan struct{}                         // closed by SIGTERM
	Listen    func(addr string) (net.Listener, error) // TCP
}

// Main runs a program as the whole of this operating system process and
// returns its exit status. A test binary calls it from TestMain when it is
// re-executed by the platform under test.
func Main(run Program, args []string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	defer signal.Stop(term)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	terminate := make(chan struct{})
	go func() {
		select {
		case <-term:
			close(terminate)
		case <-ctx.Done():
		}
	}()
	return run(ctx, &Process{
		Args: args, Getenv: os.Getenv, Stdout: os.Stdout, Stderr: os.Stderr, Terminate: terminate,
		Listen: func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) },
	})
}

// Web is the program that the contract starts: an HTTP server with these
// arguments.
//
//	--addr HOST:PORT   listen there ("" = never)
//	--dir DIR          where /file looks
//	--delay D          wait before listening
//	--exit N           status after SIGTERM
//	--stubborn         ignore SIGTERM
//	--unhealthy        GET /healthz answers 503
//	--die N            say so and exit with N instead of serving
//
// GET /env?name=X and /file?name=X show what it was told, GET /slow?for=D
// answers after D, and GET /spin?for=D once it has used so much CPU. SIGTERM lets
// requests in flight finish.
func Web(ctx context.Context, p *Process) int {
	flags := flag.NewFlagSet("web", flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	addr := flags.String("addr", "", "")
	dir := flags.String("dir", "", "")
	delay := flags.Duration("delay", 0, "")
	exit := flags.Int("exit", 0, "")
	stubborn := flags.Bool("stubborn", false, "")
	unhealthy := flags.Bool("unhealthy", false, "")
	die := flags.Int("die", -1, "")
	if err := flags.Parse(p.Args); err != nil {
		return 64
	}
	fmt.Fprintln(p.Stdout, "web: out")
	fmt.Fprintln(p.Stderr, "web: err")
	if *die >= 0 {
		fmt.Fprintln(p.Stderr, "web: dying as told")
		return *die
	}
	terminate := p.Terminate
	if *stubborn {
		terminate = nil
	}
	select {
	case <-time.After(*delay):
	case <-terminate:
		return *exit
	case <-ctx.Done():
		return 1
	}
	served := make(chan error, 1)
	srv := &http.Server{Handler: handler(p, *dir, *unhealthy)}
	if *addr != "" {
		l, err := p.Listen(*addr)
		if err != nil {
			fmt.Fprintln(p.Stderr, "web:", err)
			return 1
		}
		fmt.Fprintln(p.Stdout, "web: serving on", *addr)
		go func() { served <- srv.Serve(l) }()
	}
	status := 1
	select {
	case err := <-served:
		fmt.Fprintln(p.Stderr, "web:", err)
		return 1
	case <-ctx.Done():
	case <-terminate:
		if err := srv.Shutdown(ctx); err == nil {
			status = *exit
		}
		fmt.Fprintln(p.Stdout, "web: finished")
	}
	if err := srv.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		fmt.Fprintln(p.Stderr, "web:", err)
	}
	if *addr != "" {
		<-served
	}
	return status
}

func handler(p *Process, dir string, unhealthy bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if unhealthy {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, p.Getenv(r.FormValue("name")))
	})
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, r *http.Request) {
		name := r.FormValue("name")
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || strings.ContainsAny(name, `/\`) {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data) // the client that is gone does not read it
	})
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("for"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(p.Stdout, "web: slow request")
		select {
		case <-time.After(d):
			fmt.Fprint(w, "done")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /spin", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("for"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for end := used() + d; used() < end && r.Context().Err() == nil; {
		}
		fmt.Fprint(w, "done")
	})
	return mux
}

// used is the CPU that this process has used so far (getrusage(2)).
func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for wrong arguments only
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
