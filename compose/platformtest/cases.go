package platformtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"throughline/compose"
)

func (k *contract) ready() {
	h := k.start(k.web("web-1"))
	k.located(h)
	if h.Name() != "web-1" {
		k.Errorf("name = %q", h.Name())
	}
	k.mustGet(h, "/healthz", "")
	if host, _, err := net.SplitHostPort(h.PeerAddr("http")); err != nil || host == "" {
		k.Errorf("PeerAddr = %q, want host:port", h.PeerAddr("http"))
	}
	if got := h.Addr("nope") + h.PeerAddr("nope"); got != "" {
		k.Errorf("a port it does not have has the address %q", got)
	}
	if k.platform.Home() == "" {
		k.Error("the harness has no address")
	}
	if id, ok := h.(compose.Identified); ok && id.ID() == "" {
		k.Error("it has an empty id")
	}
}

// located asks whether somebody was told before the start where an instance is that has an address of its own.
func (k *contract) located(h compose.Handle) {
	k.Helper()
	_, located := k.platform.(compose.Located)
	own, addressed := h.(compose.Addressed)
	switch at, told := k.placed[h.Name()]; {
	case located != addressed || located != told:
		k.Errorf("instances have addresses of their own: %v, this one says its own: %v, it was told: %v", located, addressed, told)
	case told && at != own.Address():
		k.Errorf("it has the address %s, and %s was told", own.Address(), at)
	}
}

func (k *contract) told() {
	i := k.web("web-1")
	i.Env = map[string]string{"GREETING": "hello {{.Name}}"}
	i.Files = map[string]string{"notes.txt": "I am {{.Name}}\n"}
	h := k.start(i)
	k.mustGet(h, "/env?name=GREETING", "hello web-1")
	k.mustGet(h, "/env?name=THROUGHLINE_TEST_LEAK", "")
	k.mustGet(h, "/file?name=notes.txt", "I am web-1\n")
}

func (k *contract) portless() {
	h := k.start(compose.Instance{Name: "worker-1", Program: k.programs.Web("--exit", "0")})
	if got := h.Addr("http") + h.PeerAddr("http"); got != "" {
		k.Errorf("it listens nowhere and has the address %q", got)
	}
	if err := h.Signal(k.ctx, compose.Kill); err != nil {
		k.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(k.ctx, patience)
	defer cancel()
	if _, err := h.Wait(ctx); err != nil {
		k.Errorf("it was killed: %v", err)
	}
}

func (k *contract) several() {
	const n = 4
	handles := make([]compose.Handle, n)
	var all sync.WaitGroup
	for j := range n {
		all.Go(func() {
			h, err := k.platform.Start(k.ctx, k.web(fmt.Sprintf("web-%d", j+1)))
			if err != nil {
				k.Error(err)
				return
			}
			handles[j] = h
		})
	}
	all.Wait()
	if k.Failed() {
		return
	}
	seen := map[string]bool{}
	for _, h := range handles {
		if seen[h.Addr("http")] {
			k.Errorf("%s got %s, which another one has", h.Name(), h.Addr("http"))
		}
		seen[h.Addr("http")] = true
		k.mustGet(h, "/healthz", "")
	}
	k.signal(handles[0], compose.Kill)
	k.waitGone(handles[0])
	k.mustGet(handles[1], "/healthz", "")
}

func (k *contract) notReady() {
	i := k.web("web-1", "--unhealthy")
	i.Ready.Within = 2 * time.Second
	err := k.startFails(k.ctx, i)
	for _, want := range []string{"2s", "503", "web: out", "web: err"} {
		if !strings.Contains(err.Error(), want) {
			k.Errorf("the error lacks %q: %v", want, err)
		}
	}
	var failed *compose.StartError
	if !errors.As(err, &failed) || len(failed.Log) == 0 {
		k.Errorf("not a StartError with a log: %#v", err)
	}
}

func (k *contract) diesEarly() {
	i := k.web("web-1", "--die", "9")
	i.Ready.Within = 3 * patience
	begin := time.Now()
	err := k.startFails(k.ctx, i)
	if d := time.Since(begin); d > patience {
		k.Errorf("noticed after %v only", d)
	}
	for _, want := range []string{"status 9", "dying as told"} {
		if !strings.Contains(err.Error(), want) {
			k.Errorf("the error lacks %q: %v", want, err)
		}
	}
}

func (k *contract) calledOff() {
	ctx, cancel := context.WithCancel(k.ctx)
	i := k.web("web-1", "--unhealthy")
	i.Ready.Within = 3 * patience
	late := time.AfterFunc(300*time.Millisecond, cancel)
	defer late.Stop()
	begin := time.Now()
	err := k.startFails(ctx, i)
	if d := time.Since(begin); d > patience {
		k.Errorf("called off after %v only", d)
	}
	if !errors.Is(err, context.Canceled) {
		k.Errorf("the error is not the context's: %v", err)
	}
}

func (k *contract) refused() {
	for _, bad := range []func(*compose.Instance){
		func(i *compose.Instance) { i.Name = "../web" },
		func(i *compose.Instance) { i.Program = compose.Program{} },
		func(i *compose.Instance) { i.Ready.Port = "nope" },
		func(i *compose.Instance) { i.Files = map[string]string{"../x": ""} },
		func(i *compose.Instance) { i.Env = map[string]string{"X": "{{.Nope}}"} },
		func(i *compose.Instance) { i.Ports["http"] = 70000 },
	} {
		i := k.web("web-1")
		bad(&i)
		k.startFails(k.ctx, i)
	}
}

func (k *contract) names() {
	h := k.start(k.web("web-1"))
	k.startFails(k.ctx, k.web("web-1"))
	k.mustGet(h, "/healthz", "")
	k.signal(h, compose.Kill)
	k.waitGone(h)
	k.startFails(k.ctx, k.web("web-1"))
}

func (k *contract) terminate() {
	h := k.start(k.web("web-1", "--exit", "7"))
	answer := make(chan error, 1)
	go func() {
		body, err := k.get(h, "/slow?for=300ms")
		if err == nil && body != "done" {
			err = fmt.Errorf("answered %q", body)
		}
		answer <- err
	}()
	k.awaitLog(h, "web: slow request")
	k.signal(h, compose.Terminate)
	if err := <-answer; err != nil {
		k.Errorf("the request in flight at SIGTERM: %v", err)
	}
	exit := k.waitGone(h)
	if exit.Code != 7 || exit.Signal != "" || exit.At.IsZero() {
		k.Errorf("exit = %+v, want status 7, no signal, and when", exit)
	}
}

func (k *contract) kill() {
	h := k.start(k.web("web-1", "--stubborn"))
	k.signal(h, compose.Terminate)
	k.mustGet(h, "/slow?for=50ms", "done")
	k.signal(h, compose.Kill)
	exit := k.waitGone(h)
	if exit.Code != -1 || exit.Signal != "SIGKILL" {
		k.Errorf("exit = %+v, want SIGKILL", exit)
	}
	k.refuses(h.Addr("http"))
	for _, s := range []compose.Signal{compose.Terminate, compose.Kill} {
		if err := h.Signal(k.ctx, s); err == nil || !strings.Contains(err.Error(), "web-1") {
			k.Errorf("%v for what is gone: %v, want an error that names it", s, err)
		}
	}
}

func (k *contract) wait() {
	h := k.start(k.web("web-1"))
	brief, cancel := context.WithTimeout(k.ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := h.Wait(brief); !errors.Is(err, context.DeadlineExceeded) {
		k.Errorf("wait for what runs = %v, want the context's error", err)
	}
	const n = 8
	exits := make(chan compose.Exit, n)
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			exit, err := h.Wait(k.ctx)
			if err != nil {
				k.Error(err)
			}
			exits <- exit
		})
	}
	k.signal(h, compose.Kill)
	all.Wait()
	first := <-exits
	for range n - 1 {
		if other := <-exits; other != first {
			k.Errorf("two waiters saw %+v and %+v", first, other)
		}
	}
	if again := k.waitGone(h); again != first {
		k.Errorf("a late waiter saw %+v, not %+v", again, first)
	}
}

func (k *contract) stays() {
	h := k.start(k.web("web-1"))
	k.signal(h, compose.Kill)
	k.waitGone(h)
	for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		k.refuses(h.Addr("http"))
	}
	for _, want := range []string{"web: out", "web: err", "web: serving on"} {
		if log := k.log(h); !strings.Contains(log, want) {
			k.Errorf("the log lacks %q: %q", want, log)
		}
	}
}

func (k *contract) pause() {
	h := k.start(k.web("web-1"))
	frozen, ok := h.(compose.Pauser)
	if !ok {
		k.Skip("the platform cannot pause")
	}
	if err := frozen.Pause(k.ctx); err != nil {
		k.Fatal(err)
	}
	brief, cancel := context.WithTimeout(k.ctx, 200*time.Millisecond)
	defer cancel()
	if body, err := get(brief, h.Addr("http"), "/healthz"); err == nil {
		k.Errorf("it answered %q while frozen", body)
	}
	if err := frozen.Resume(k.ctx); err != nil {
		k.Fatal(err)
	}
	k.mustGet(h, "/healthz", "")

	if err := frozen.Pause(k.ctx); err != nil {
		k.Fatal(err)
	}
	k.signal(h, compose.Kill)
	if exit := k.waitGone(h); exit.Signal != "SIGKILL" {
		k.Errorf("killed while frozen: %+v", exit)
	}
	if frozen.Pause(k.ctx) == nil || frozen.Resume(k.ctx) == nil {
		k.Error("what is gone can be paused or resumed")
	}
}

func (k *contract) close() {
	handles := []compose.Handle{k.start(k.web("web-1")), k.start(k.web("web-2", "--stubborn")), k.start(k.web("web-3"))}
	if frozen, ok := handles[2].(compose.Pauser); ok {
		if err := frozen.Pause(k.ctx); err != nil {
			k.Fatal(err)
		}
	}
	k.startFails(k.ctx, k.web("web-4", "--die", "3"))
	k.closePlatform()
	for _, h := range handles {
		k.waitGone(h)
		k.refuses(h.Addr("http"))
	}
	k.closePlatform()
	k.startFails(k.ctx, k.web("web-5"))
}

// limit asks whether a limited instance gets no more than it may.
func (k *contract) limit() {
	h := k.start(k.web("web-1"))
	limited, ok := h.(compose.Limiter)
	if !ok {
		k.Skip("SKIPPED, NOTHING PROVED: the platform cannot limit CPU")
	}
	if k.programs.NoLimits != nil {
		k.Skipf("SKIPPED, NOTHING PROVED: %v", k.programs.NoLimits)
	}
	if err := limited.LimitCPU(k.ctx, compose.MinCPUs/2); err == nil || !strings.Contains(err.Error(), "web-1") {
		k.Errorf("a limit below the least: %v, want an error that names it", err)
	}
	for _, cpus := range []float64{0, 0.2, 0.05} {
		if err := limited.LimitCPU(k.ctx, cpus); err != nil {
			k.Fatal(err)
		}
	}
	measured, ok := h.(compose.Measured)
	if !ok {
		k.Fatal("what can be limited cannot be measured")
	}
	if f, err := measured.Footprint(k.ctx); err != nil || f.PID < 2 || !f.OwnCgroup {
		k.Errorf("footprint of a limited instance = %+v, %v; want its process in a cgroup of its own", f, err)
	}
	slow := k.spin(h)
	if err := limited.LimitCPU(k.ctx, 0); err != nil {
		k.Fatal(err)
	}
	// 50 ms of CPU take a second under the limit. Without it they take as long
	// as the machine is busy, which is less.
	if fast := k.spin(h); slow < 700*time.Millisecond || fast > slow*2/3 {
		k.Errorf("50 ms of CPU took %v with 0.05 CPUs, and %v without a limit", slow, fast)
	}
	k.signal(h, compose.Kill)
	k.waitGone(h)
	if limited.LimitCPU(k.ctx, 0.2) == nil {
		k.Error("what is gone can be limited")
	}
	if _, err := measured.Footprint(k.ctx); err == nil {
		k.Error("what is gone has a footprint")
	}
}

// spin has the instance use 50 ms of CPU, and tells how long that took.
func (k *contract) spin(h compose.Handle) time.Duration {
	k.Helper()
	begin := time.Now()
	k.mustGet(h, "/spin?for=50ms", "done")
	return time.Since(begin)
}
