package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"throughline/compose/kubernetes"
	"throughline/compose/kubernetes/job"
	"throughline/live"
	"throughline/live/handover"
)

const (
	handOverPort = 8901             // of a run in a Job, on the loopback of its pod
	missedAfter  = 30 * time.Second // whoever waits for the record and has not asked for anything is gone
	lookEvery    = 2 * time.Second
)

// handOverFlags are what kubernetes run says to the run that it starts in a Job. Nobody else gives them.
type handOverFlags struct {
	port     int
	attended string // RUN or RUN/NAMESPACE
}

func (f *handOverFlags) add(set *pflag.FlagSet) {
	set.IntVar(&f.port, "hand-over", 0, "hand the record over on this port of loopback before the end, to whoever waits for it")
	set.StringVar(&f.attended, "attended", "", "RUN[/NAMESPACE]: delete the Job of this run, and what belongs to it, when nobody waits any more")
	for _, name := range []string{"hand-over", "attended"} {
		_ = set.MarkHidden(name) // it is there
	}
}

func (f handOverFlags) check() error {
	switch {
	case f.port < 0 || f.port > 65535:
		return fmt.Errorf("--hand-over %d: want a port", f.port)
	case f.attended != "" && f.port == 0:
		return errors.New("--attended: it is for --hand-over; leave it out")
	}
	return nil
}

// handedOver hands a run over. Nil does nothing.
type handedOver struct {
	server   *handover.Server
	http     *http.Server
	attended string
}

// open begins to hand over what is in the directory out, and gives a context that ends also when the other side wants the run to.
func (f handOverFlags) open(ctx context.Context, out string) (context.Context, *handedOver, error) {
	if f.port == 0 {
		return ctx, nil, nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(f.port)))
	if err != nil {
		return ctx, nil, fmt.Errorf("--hand-over %d: %w", f.port, err)
	}
	ctx, stop := context.WithCancel(ctx)
	h := &handedOver{server: handover.NewServer(out, stop), attended: f.attended}
	h.http = &http.Server{Handler: h.server, ReadHeaderTimeout: missedAfter}
	go func() { _ = h.http.Serve(l) }() // until close
	return ctx, h, nil
}

func (h *handedOver) tell(err error) {
	if h != nil {
		h.server.Tell(err)
	}
}

// watch also keeps what a stream shows.
func (h *handedOver) watch(follow func(*live.Stream) func()) func(*live.Stream) func() {
	if h == nil {
		return follow
	}
	return func(s *live.Stream) func() {
		kept, shown := h.server.Watch(s), follow(s)
		return func() { kept(); shown() }
	}
}

// end says what the run has come to, and waits until the other side has all that it wants, or is missed; then nothing is left.
func (h *handedOver) end(ctx context.Context, status int, tell func(error)) {
	if h == nil {
		return
	}
	h.server.End(status)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	since := time.Now()
	for {
		select {
		case <-h.server.Taken():
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		on, err := kubernetes.Connect(ctx, kubernetes.Cluster{})
		if err != nil { // nobody can ask either
			since = time.Now()
			continue
		}
		if h.server.Quiet(since, time.Now()) < missedAfter {
			continue
		}
		tell(fmt.Errorf("nobody has come for the record within %v: it goes with this pod", missedAfter))
		if run, namespace, _ := strings.Cut(h.attended, "/"); run != "" {
			if err := job.Delete(ctx, on.Client, run, namespace); err != nil {
				tell(err)
			}
		}
		return
	}
}

func (h *handedOver) close() {
	if h == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastLook)
	defer cancel()
	_ = h.http.Shutdown(ctx) // what is not over by then breaks off
}
