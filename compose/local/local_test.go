package local_test

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"throughline/compose"
	"throughline/compose/local"
	"throughline/compose/platformtest"
)

// TestMain lets the test binary stand in for the real one: it is re-executed
// as the guard, as the contract's program, and as a runner to be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		status := 0
		switch os.Args[1] {
		case "guard":
			if err := local.Guard(os.Stdin, os.Stdout); err != nil {
				fmt.Fprintln(os.Stderr, err)
				status = 1
			}
		case "web":
			status = platformtest.Main(platformtest.Web, os.Args[2:])
		case "runner":
			status = runner(os.Args[2:])
		case "silent":
		default:
			os.Exit(m.Run())
		}
		// Not os.Exit: the race detector sleeps a second in it.
		syscall.Exit(status)
	}
	os.Exit(m.Run())
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func newPlatform(t testing.TB) *local.Platform {
	t.Helper()
	p, err := local.New(local.Config{Dir: t.TempDir(), Self: self(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestLocalKeepsTheContract(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) compose.Platform { return newPlatform(t) },
		platformtest.Programs{Web: func(args ...string) compose.Program {
			return compose.Program{Self: append([]string{"web"}, args...)}
		}, NoLimits: local.CanLimitCPU()})
}

// shell is a user's command that hides the real server behind a shell: it
// writes its own process id and the one of its background child into files.
func shell(dir, name string) compose.Instance {
	script := fmt.Sprintf(`echo $$ > %[1]s/%[2]s.shell
sleep 1000 & echo $! > %[1]s/%[2]s.child
(sleep 1001 & echo $! > %[1]s/%[2]s.grandchild; wait) &
setsid sh -c 'echo $$ > %[1]s/%[2]s.stray; exec sleep 1002' &
wait`, dir, name)
	return compose.Instance{Name: name, Program: compose.Program{Command: []string{"sh", "-c", script}}}
}

var shellFiles = []string{".shell", ".child", ".grandchild", ".stray"}

// runner starts a platform with three instances, says so, and waits to be killed.
func runner(args []string) int {
	dir := args[0]
	exe, err := os.Executable()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	p, err := local.New(local.Config{Dir: dir, Self: exe})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	web := compose.Instance{
		Name:    "web-1",
		Program: compose.Program{Self: []string{"web", "--addr", "{{.Host}}:{{.Port}}", "--stubborn"}},
		Ports:   map[string]int{"http": 0},
	}
	for _, i := range []compose.Instance{web, shell(dir, "web-2"), shell(dir, "web-3")} {
		h, err := p.Start(context.Background(), i)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(h.(compose.Identified).ID())
	}
	fmt.Println("ready")
	select {}
}

// BenchmarkStart is the time until an instance is ready and proven, and then
// until it is gone.
func BenchmarkStart(b *testing.B) {
	p := newPlatform(b)
	n := 0
	for b.Loop() {
		n++
		h, err := p.Start(b.Context(), compose.Instance{
			Name:    fmt.Sprintf("web-%d", n),
			Program: compose.Program{Self: []string{"web", "--addr", "{{.Host}}:{{.Port}}"}},
			Ports:   map[string]int{"http": 0},
			Ready:   compose.Probe{Path: "/healthz"},
		})
		if err != nil {
			b.Fatal(err)
		}
		if err := h.Signal(b.Context(), compose.Terminate); err != nil {
			b.Fatal(err)
		}
		if _, err := h.Wait(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
