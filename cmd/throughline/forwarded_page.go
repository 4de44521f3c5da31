package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"throughline/cmd/throughline/cli"
	"throughline/compose/kubernetes/job"
	"throughline/live/page"
)

// forwardedPage is the page of a run in a cluster, at an address of this machine. Nil is none.
type forwardedPage struct {
	listener net.Listener

	mu  sync.Mutex
	now *job.Job // whose page it is; nil: nobody's
}

// pageWait is how long a browser waits for a run to begin.
const pageWait = 30 * time.Second

// openForwarded listens for browsers. That it cannot spoils nothing, and is told.
func openForwarded(addr string, tell func(error)) *forwardedPage {
	if addr == off {
		return nil
	}
	any := addr == ""
	if any {
		addr = pageAddr
	}
	l, err := page.Listen(addr, any)
	if err != nil {
		tell(fmt.Errorf("there is no page to look on: --page %s: %w", addr, err))
		return nil
	}
	p := &forwardedPage{listener: l}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // it is closed
			}
			go p.carry(conn)
		}
	}()
	return p
}

// lead has the page be that of a Job, until forget.
func (p *forwardedPage) lead(j *job.Job) (forget func()) {
	if p == nil {
		return func() {}
	}
	set := func(to *job.Job) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.now = to
	}
	set(j)
	return func() { set(nil) }
}

// show prints where the page is, and opens a browser if that is wanted.
func (p *forwardedPage) show(to io.Writer, open bool, tell func(error)) {
	if p == nil {
		return
	}
	at := "http://" + p.listener.Addr().String() + "/"
	fmt.Fprintf(to, "page           %s\n", at)
	if !open {
		return
	}
	if err := cli.OpenBrowser(at); err != nil {
		tell(fmt.Errorf("--open: %w; open %s", err, at))
	}
}

// carry joins a browser's connection with the page in the pod, once there is one.
func (p *forwardedPage) carry(conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), pageWait)
	defer cancel()
	far, err := p.dial(ctx)
	if err != nil {
		return // the browser sees that nobody answers
	}
	defer far.Close()
	go func() {
		_, _ = io.Copy(far, conn) // its end is that of the connection
		far.Close()
	}()
	_, _ = io.Copy(conn, far)
}

func (p *forwardedPage) dial(ctx context.Context) (net.Conn, error) {
	for {
		p.mu.Lock()
		j := p.now
		p.mu.Unlock()
		if j != nil {
			return j.Dial(ctx, podPagePort)
		}
		select {
		case <-time.After(lookEvery / 4):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *forwardedPage) close() {
	if p != nil {
		p.listener.Close()
	}
}
