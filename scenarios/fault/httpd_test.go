package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// noted is an httpd that only notes what is done to it.
type noted struct {
	mu    sync.Mutex
	done  []string
	fails error
}

func (n *noted) note(text string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.done = append(n.done, text)
	return n.fails
}

func (n *noted) Reload(context.Context) error { return n.note("reload") }
func (n *noted) Crash(context.Context) error  { return n.note("crash") }
func (n *noted) Limit(_ context.Context, workers int) error {
	return n.note(fmt.Sprint("limit ", workers))
}

func TestAtHTTPD(t *testing.T) {
	one, two := &noted{}, &noted{}
	servers := func() (map[string]HTTPD, error) { return map[string]HTTPD{"web-1": one, "web-2": two}, nil }
	for _, f := range []Fault{AtHTTPD{Servers: servers, Do: HTTPD.Reload}, AtHTTPD{Servers: servers, Do: HTTPD.Crash}, LimitHTTPD{Servers: servers, Workers: 2}} {
		if err := f.Possible(); err != nil {
			t.Error(err)
		}
		heal, err := f.Inject(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		touched, err := heal(t.Context())
		if diff := cmp.Diff(Touched{"web-1": 1, "web-2": 1}, touched); err != nil || diff != "" {
			t.Errorf("%T: %v (-want +got):\n%s", f, err, diff)
		}
	}
	want := []string{"reload", "crash", "limit 2", "limit 0"}
	if !slices.Equal(one.done, want) || !slices.Equal(two.done, want) {
		t.Errorf("done: %q and %q, want %q", one.done, two.done, want)
	}
}

// A limit that could not be set everywhere is lifted everywhere; nobody to do it to touches nothing.
func TestAtHTTPDThatFails(t *testing.T) {
	one, two := &noted{}, &noted{fails: errors.New("it does not hear")}
	all := map[string]HTTPD{"web-1": one, "web-2": two}
	servers := func() (map[string]HTTPD, error) { return all, nil }
	if _, err := (LimitHTTPD{Servers: servers, Workers: 2}).Inject(t.Context()); err == nil || !strings.Contains(err.Error(), "it does not hear") {
		t.Errorf("a limit: %v", err)
	}
	if want := []string{"limit 2", "limit 0"}; !slices.Equal(one.done, want) {
		t.Errorf("done: %q, want %q", one.done, want)
	}
	if _, err := (AtHTTPD{Servers: servers, Do: HTTPD.Crash}).Inject(t.Context()); err == nil {
		t.Error("a crash that failed is none")
	}
	clear(all)
	heal, err := AtHTTPD{Servers: servers, Do: HTTPD.Crash}.Inject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if touched, err := heal(t.Context()); err != nil || touched.Sum() != 0 {
		t.Errorf("nobody: %v, %v", touched, err)
	}
	unknown := errors.New("web-9: no such instance")
	if _, err := (AtHTTPD{Servers: func() (map[string]HTTPD, error) { return nil, unknown }, Do: HTTPD.Reload}).Inject(t.Context()); !errors.Is(err, unknown) {
		t.Errorf("somebody who is not there: %v", err)
	}
}
