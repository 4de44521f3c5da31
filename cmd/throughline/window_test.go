package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"throughline/live/remote"
	"throughline/scenarios/run"
)

// A page that cannot be had is said, and spoils nothing.
func TestAPageThatCannotBeHad(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		flags runFlags
		want  string // what is said; "" = nothing
	}{
		{runFlags{page: taken.Addr().String()}, "there is no page to look on: --page " + taken.Addr().String()},
		{runFlags{page: off}, ""},
		{runFlags{dashboard: off}, ""},
	} {
		var said []string
		w := openWindow(c.flags, run.NewHand(), func(err error) { said = append(said, err.Error()) })
		if got := strings.Join(said, "\n"); c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: said %q, want %q", c.flags, got, c.want)
		}
		var b strings.Builder
		w.show(true, func(err error) { t.Error(err) })
		w.tell(&b)
		w.close()
		if b.String() != "" {
			t.Errorf("%+v: told of a page: %s", c.flags, b.String())
		}
	}
}

// The page is there before there is anything to see; moves come to the hand as soon as there is one.
func TestAWindow(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	w := openWindow(runFlags{page: "127.0.0.1:0", dashboard: off}, run.NewHand(), func(err error) { t.Error(err) })
	status := func(want int, text string) {
		t.Helper()
		got, err := http.Get(w.server.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		var b strings.Builder
		if err := got.Write(&b); err != nil || got.StatusCode != want || !strings.Contains(b.String(), text) {
			t.Errorf("%s, want %d and %q: %.500s", got.Status, want, text, b.String())
		}
	}
	status(http.StatusServiceUnavailable, "There is nothing to see yet")
	w.show(false, func(err error) { t.Error(err) })
	status(http.StatusOK, "starting")
	var b strings.Builder
	if err := ctl(&b, found(t), "status"); err != nil || !strings.Contains(b.String(), "stack      not up") {
		t.Errorf("%v: %s", err, b.String())
	}
	if err := ctl(&b, found(t), "kill web-1"); err == nil || !strings.Contains(err.Error(), "kill web-1: the stack is not up yet") {
		t.Errorf("%v", err)
	}
	began := time.Now()
	w.close()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("nobody looked on, and it took %v", took)
	}
}

func found(t *testing.T) remote.Client {
	t.Helper()
	c, err := remote.Find("")
	if err != nil {
		t.Fatal(err)
	}
	return c
}
