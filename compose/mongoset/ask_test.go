package mongoset_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"throughline/compose/docstore"
	"throughline/compose/mongoset"
)

// lone starts a set of one member, and gives its address.
func lone(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		ended <- docstore.Run(ctx, docstore.Config{Listen: "127.0.0.1:0", Dir: t.TempDir(), ReplicaSet: "rs", Election: 200 * time.Millisecond,
			Ready: func(a net.Addr) { ready <- a }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case a := <-ready:
		return a.String()
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
		return ""
	}
}

// silent are addresses that take a connection and never answer, as that of a member that is frozen.
func silent(t *testing.T, n int) (all []string) {
	t.Helper()
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		all = append(all, ln.Addr().String())
	}
	return all
}

// Nobody waits for a member that does not answer: asked one after the other, each of these would take half a second.
func TestMembersAreAskedSideBySide(t *testing.T) {
	one := lone(t)
	if err := mongoset.Initiate(t.Context(), "rs", []string{one}, time.Second); err != nil {
		t.Fatal(err)
	}
	if err := mongoset.AwaitMember(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	who, err := mongoset.Primary(t.Context(), append(silent(t, 8), one))
	if took := time.Since(begin); err != nil || who != one || took > 2*time.Second {
		t.Errorf("%s is the primary after %v (%v), want %s", who, took, err, one)
	}
}

// Where there is none to be found, the wait ends with its time, and says what was waited for.
func TestNobodyAnswers(t *testing.T) {
	for name, members := range map[string][]string{"silent": silent(t, 2), "none": nil} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		for what, ask := range map[string]func() (string, error){
			"a primary":   func() (string, error) { return mongoset.Primary(ctx, members) },
			"a secondary": func() (string, error) { return mongoset.Secondary(ctx, members) },
		} {
			begin := time.Now()
			_, err := ask()
			if err == nil || !strings.Contains(err.Error(), "wait for "+what) || time.Since(begin) > 5*time.Second {
				t.Errorf("%s, %s: %v after %v", name, what, err, time.Since(begin))
			}
		}
	}
}
