package platformtest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/compose"
)

// patience bounds what must happen but has no bound of its own. Nothing waits
// that long unless the platform is broken.
const patience = 20 * time.Second

// Programs says how the platform under test runs the contract's program.
type Programs struct {
	Web func(args ...string) compose.Program // runs Web with these arguments
	// NoLimits says why this machine cannot limit CPU although the platform
	// can; nil if it can.
	NoLimits error
}

// Run is the contract. newPlatform is called for every case and may register
// the platform's Close with t.Cleanup; Close must bear being called twice.
func Run(t *testing.T, newPlatform func(t *testing.T) compose.Platform, programs Programs) {
	for _, c := range []struct {
		name string
		test func(*contract)
	}{
		{"a ready instance answers at its address", (*contract).ready},
		{"an instance is told what it was given and nothing else", (*contract).told},
		{"several start at once on ports of their own", (*contract).several},
		{"an instance without ports is ready once it runs", (*contract).portless},
		{"what is not ready in time is an error with the log, and is gone", (*contract).notReady},
		{"what dies before it is ready is an error at once", (*contract).diesEarly},
		{"a start that is called off leaves nothing", (*contract).calledOff},
		{"what cannot be started is refused", (*contract).refused},
		{"a name is used once", (*contract).names},
		{"SIGTERM lets requests finish and the exit status is seen", (*contract).terminate},
		{"SIGKILL ends what ignores SIGTERM", (*contract).kill},
		{"many can wait, and give up waiting", (*contract).wait},
		{"what died is not restarted, and its logs stay", (*contract).stays},
		{"a frozen instance answers nothing until it is thawed", (*contract).pause},
		{"a limited instance gets less CPU until the limit is lifted", (*contract).limit},
		{"close removes everything, twice", (*contract).close},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("THROUGHLINE_TEST_LEAK", "leaked")
			ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
			defer cancel()
			p := newPlatform(t)
			k := &contract{T: t, ctx: ctx, platform: p, programs: programs, placed: map[string]netip.Addr{}}
			defer k.closePlatform()
			c.test(k)
		})
	}
}

type contract struct {
	*testing.T
	ctx      context.Context
	platform compose.Platform
	programs Programs

	mu     sync.Mutex
	placed map[string]netip.Addr // addresses of their own, by instance
}

func (k *contract) closePlatform() {
	k.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := k.platform.Close(ctx); err != nil {
		k.Errorf("close: %v", err)
	}
}

// web is an instance of the contract's program.
func (k *contract) web(name string, args ...string) compose.Instance {
	return compose.Instance{
		Name:    name,
		Program: k.programs.Web(append([]string{"--addr", "{{.Host}}:{{.Port}}", "--dir", "{{.Dir}}"}, args...)...),
		Ports:   map[string]int{"http": 0},
		Ready:   compose.Probe{Path: "/healthz", Within: patience},
		Placed: func(at netip.Addr) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.placed[name] = at
			return nil
		},
	}
}

func (k *contract) start(i compose.Instance) compose.Handle {
	k.Helper()
	h, err := k.platform.Start(k.ctx, i)
	if err != nil {
		k.Fatal(err)
	}
	return h
}

func (k *contract) get(h compose.Handle, path string) (string, error) {
	ctx, cancel := context.WithTimeout(k.ctx, patience)
	defer cancel()
	return get(ctx, h.Addr("http"), path)
}

func get(ctx context.Context, addr, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	return string(body), err
}

func (k *contract) mustGet(h compose.Handle, path, want string) {
	k.Helper()
	if got, err := k.get(h, path); err != nil || got != want {
		k.Errorf("%s: GET %s = %q, %v; want %q", h.Name(), path, got, err, want)
	}
}

func (k *contract) waitGone(h compose.Handle) compose.Exit {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.ctx, patience)
	defer cancel()
	exit, err := h.Wait(ctx)
	if err != nil {
		k.Fatalf("%s is not gone: %v", h.Name(), err)
	}
	return exit
}

func (k *contract) signal(h compose.Handle, s compose.Signal) {
	k.Helper()
	if err := h.Signal(k.ctx, s); err != nil {
		k.Fatal(err)
	}
}

// refuses fails unless nobody listens on the address.
func (k *contract) refuses(addr string) {
	k.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err == nil {
		conn.Close()
		k.Errorf("somebody still listens on %s", addr)
	}
}

var serving = regexp.MustCompile(`web: serving on (\S+)`)

// startFails returns the text of the error and makes sure that what had begun
// to serve no longer does.
func (k *contract) startFails(ctx context.Context, i compose.Instance) error {
	k.Helper()
	h, err := k.platform.Start(ctx, i)
	if err == nil {
		k.Fatalf("start %s: no error", h.Name())
	}
	if !strings.Contains(err.Error(), i.Name) {
		k.Errorf("the error does not name %s: %v", i.Name, err)
	}
	for _, m := range serving.FindAllStringSubmatch(err.Error(), -1) {
		k.refuses(k.reached(i.Name, m[1]))
	}
	return err
}

// reached is where an instance is reached that says where it serves: all addresses that it has may be what it says.
func (k *contract) reached(name, serves string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, ok := k.placed[name]
	if !ok {
		return serves
	}
	_, port, err := net.SplitHostPort(serves)
	if err != nil {
		k.Fatalf("%s serves on %q: %v", name, serves, err)
	}
	return net.JoinHostPort(at.String(), port)
}

func (k *contract) log(h compose.Handle) string {
	k.Helper()
	r, err := h.Logs(k.ctx)
	if err != nil {
		k.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		k.Fatal(err)
	}
	return string(text)
}

func (k *contract) awaitLog(h compose.Handle, want string) {
	k.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		log := k.log(h)
		if strings.Contains(log, want) {
			return
		}
		if time.Now().After(deadline) {
			k.Fatalf("%s never logged %q: %q", h.Name(), want, log)
		}
	}
}
